//! Names, shapes and initial values of a model's tensors, as transformers has them.

use tch::{Device, Kind, TchError, Tensor};

use crate::config::T5Config;

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
    /// Initial values drawn from torch's generator.
    pub(crate) fn initial(&self, factor: f64, device: Device) -> Result<Tensor, TchError> {
        match self.deviation {
            Some(deviation) => {
                // Drawn on the CPU so that a seed means the same weights on every device.
                let mut tensor = Tensor::f_empty(&self.shape[..], (Kind::Float, Device::Cpu))?;
                tensor.f_normal_(0.0, deviation)?.f_to_device(device)
            }
            None => Tensor::f_full(&self.shape[..], factor, (Kind::Float, device)),
        }
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
}
