//! Names, shapes and initial values of a model's tensors, as transformers has them.

use tch::{Device, Kind, TchError, Tensor};

use crate::config::T5Config;
use crate::kernels::zeros;
use crate::random::Xoshiro;

/// One trainable tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) shape: Vec<i64>,
    /// Standard deviation of the initial values around 0; `None` for layer norms, which start at
    /// the initialiser's factor.
    pub(crate) deviation: Option<f64>,
}

/// Every tensor of a model, in the order of transformers' files.
pub(crate) fn parameters(config: &T5Config, own_head: bool) -> Vec<Parameter> {
    let factor = config.initializer_factor;
    let (width, inner) = (config.d_model, config.inner());
    let by_width = factor * (width as f64).powf(-0.5);
    let mut all = Vec::new();
    let mut add = |name: String, shape: &[i64], deviation: Option<f64>| {
        all.push(Parameter { name, shape: shape.to_vec(), deviation });
    };
    add("shared.weight".into(), &[config.vocab_size, width], Some(factor));
    for (stack, layers) in [("encoder", config.num_layers), ("decoder", config.decoder_layers())] {
        for block in 0..layers {
            let mut layer = 0;
            let attentions = if stack == "decoder" {
                &["SelfAttention", "EncDecAttention"][..]
            } else {
                &["SelfAttention"]
            };
            for attention in attentions {
                let at = format!("{stack}.block.{block}.layer.{layer}");
                let narrow = factor * ((width * config.d_kv) as f64).powf(-0.5);
                add(format!("{at}.{attention}.q.weight"), &[inner, width], Some(narrow));
                add(format!("{at}.{attention}.k.weight"), &[inner, width], Some(by_width));
                add(format!("{at}.{attention}.v.weight"), &[inner, width], Some(by_width));
                let by_inner = factor * (inner as f64).powf(-0.5);
                add(format!("{at}.{attention}.o.weight"), &[width, inner], Some(by_inner));
                if block == 0 && layer == 0 {
                    add(
                        format!("{at}.{attention}.relative_attention_bias.weight"),
                        &[config.relative_attention_num_buckets, config.num_heads],
                        Some(by_width),
                    );
                }
                add(format!("{at}.layer_norm.weight"), &[width], None);
                layer += 1;
            }
            let at = format!("{stack}.block.{block}.layer.{layer}");
            let inputs: &[&str] =
                if config.feed_forward_proj.gated { &["wi_0", "wi_1"] } else { &["wi"] };
            for input in inputs {
                let name = format!("{at}.DenseReluDense.{input}.weight");
                add(name, &[config.d_ff, width], Some(by_width));
            }
            let by_inner = factor * (config.d_ff as f64).powf(-0.5);
            add(format!("{at}.DenseReluDense.wo.weight"), &[width, config.d_ff], Some(by_inner));
            add(format!("{at}.layer_norm.weight"), &[width], None);
        }
        add(format!("{stack}.final_layer_norm.weight"), &[width], None);
    }
    if own_head {
        add("lm_head.weight".into(), &[config.vocab_size, width], Some(factor));
    }
    all
}

impl Parameter {
    /// Initial values: `index` is the parameter's place in its model. They depend on nothing else,
    /// and are the same on every device.
    pub(crate) fn initial(
        &self,
        seed: u64,
        index: usize,
        factor: f64,
        device: Device,
    ) -> Result<Tensor, TchError> {
        let Some(deviation) = self.deviation else {
            return Tensor::f_full(&self.shape[..], factor, (Kind::Float, device));
        };
        let mut random = Xoshiro::new(seed.wrapping_add((index as u64) << 40));
        let count = self.shape.iter().try_fold(1i64, |count, &length| count.checked_mul(length));
        let count = count.and_then(|count| usize::try_from(count).ok());
        let mut numbers = zeros(count.unwrap_or(usize::MAX))?;
        random.fill_normal(&mut numbers, deviation);
        Tensor::f_from_slice(&numbers)?.f_view(&self.shape[..])?.f_to_device(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn codet5_base_has_as_many_parameters_as_published() {
        let config = T5Config::preset(Preset::CodeT5Base, 32100);
        let count: i64 =
            parameters(&config, false).iter().map(|p| p.shape.iter().product::<i64>()).sum();
        assert_eq!(count, 222_882_048);
    }

    #[test]
    fn initial_values_depend_on_the_seed_alone_and_have_their_deviation() {
        let config = T5Config::preset(Preset::Nano, 1000);
        let all = parameters(&config, true);
        let draw = |seed, index: usize| all[index].initial(seed, index, 1.0, Device::Cpu).unwrap();
        for (index, parameter) in all.iter().enumerate() {
            let tensor = draw(1, index);
            assert!(tensor.equal(&draw(1, index)));
            match parameter.deviation {
                Some(wanted) => {
                    assert!(!tensor.equal(&draw(2, index)));
                    let found = tensor.std(true).double_value(&[]);
                    // The smallest tensor has 128 numbers.
                    assert!((found / wanted - 1.0).abs() < 0.3, "{}", parameter.name);
                }
                None => assert!(tensor.equal(&tensor.ones_like())),
            }
        }
    }
}
