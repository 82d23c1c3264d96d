//! Optimizers on tensors, in place, with their state at hand: AdamW here, [`Adafactor`] beside it.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

use crate::{Result, StudentCoreError};

pub use crate::adafactor::{Adafactor, AdafactorSettings};

/// Elements updated together: the six buffers involved then stay in the cache, and the temporaries
/// stay small whatever the size of the largest tensor. Smaller pieces would cost more in starting
/// threads than they save.
const CHUNK: i64 = 1 << 18;

/// The settings of [`AdamW`] besides the learning rate; the defaults are torch's but for the decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamSettings {
    /// Decay of the mean of gradients, 0..1.
    pub beta1: f64,
    /// Decay of the mean of squared gradients, 0..1.
    pub beta2: f64,
    /// Added to the denominator; positive.
    pub epsilon: f64,
    /// Decoupled weight decay (Loshchilov and Hutter 2019); 0 makes it plain Adam.
    pub weight_decay: f64,
    /// Whether tensors of one dimension (norms, biases) decay too, as they do in torch by default.
    pub decay_vectors: bool,
    /// Whether a tensor's step is the learning rate times the root mean square of its values (at
    /// least 0.001), as in Adafactor (Shazeer and Stern 2018). T5's initial values need it when a
    /// model is trained from scratch: its embeddings start 60 times as large as its queries, and no
    /// one absolute step suits both. A rate around 0.01 is then usual.
    pub scale_by_size: bool,
}

/// Smallest size that [`AdamSettings::scale_by_size`] counts, so that zeros can be left.
const SMALLEST_SIZE: f64 = 1e-3;

impl Default for AdamSettings {
    fn default() -> AdamSettings {
        AdamSettings {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decay_vectors: true,
            scale_by_size: false,
        }
    }
}

/// A parameter with its moments.
#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Tensor,
    mean: Tensor,
    square: Tensor,
    decay: bool,
}

/// AdamW, number for number as `torch.optim.AdamW` computes it on a CPU (not fused).
///
/// A parameter that has no gradient counts as one with gradient zero.
#[derive(Debug)]
pub struct AdamW {
    settings: AdamSettings,
    slots: Vec<Slot>,
    step: u64,
}

impl Slot {
    /// Root mean square of the parameter's values.
    fn size(&self) -> Result<f64> {
        let count = self.parameter.numel().max(1) as f64;
        Ok(self.parameter.f_norm()?.f_double_value(&[])? / count.sqrt())
    }
}

impl AdamW {
    /// An optimizer for these named parameters, which share their storage with the model's.
    ///
    /// # Errors
    /// [`StudentCoreError::Setting`] outside the ranges, [`StudentCoreError::Torch`].
    pub fn new(parameters: Vec<(String, Tensor)>, settings: AdamSettings) -> Result<AdamW> {
        let AdamSettings { beta1, beta2, epsilon, weight_decay, .. } = settings;
        for (name, value, good) in [
            ("beta1", beta1, (0.0..1.0).contains(&beta1)),
            ("beta2", beta2, (0.0..1.0).contains(&beta2)),
            ("epsilon", epsilon, epsilon > 0.0 && epsilon.is_finite()),
            ("weight_decay", weight_decay, weight_decay >= 0.0 && weight_decay.is_finite()),
        ] {
            if !good {
                return Err(StudentCoreError::setting(name, format!("{value} is out of range")));
            }
        }
        let mut optimizer = AdamW { settings, slots: Vec::new(), step: 0 };
        for (name, parameter) in parameters {
            let decay = settings.decay_vectors || parameter.dim() > 1;
            optimizer.push(name, parameter, decay)?;
        }
        Ok(optimizer)
    }

    /// Adds a parameter that does not decay.
    ///
    /// # Errors
    /// [`StudentCoreError::Torch`].
    pub fn add_without_decay(&mut self, name: &str, parameter: Tensor) -> Result<()> {
        self.push(name.to_owned(), parameter, false)
    }

    fn push(&mut self, name: String, parameter: Tensor, decay: bool) -> Result<()> {
        let mean = no_grad(|| parameter.f_zeros_like())?;
        let square = no_grad(|| parameter.f_zeros_like())?;
        self.slots.push(Slot { name, parameter, mean, square, decay });
        Ok(())
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Sets the number of steps done, after the moments of [`state`](Self::state) were restored.
    pub fn set_steps(&mut self, steps: u64) {
        self.step = steps;
    }

    /// The parameters and their moments, all sharing storage with the optimizer's: name, parameter,
    /// mean of gradients, mean of squares.
    pub fn state(&self) -> impl Iterator<Item = (&str, &Tensor, &Tensor, &Tensor)> {
        self.slots.iter().map(|slot| (&*slot.name, &slot.parameter, &slot.mean, &slot.square))
    }

    /// The norm of all gradients together. One wait for the device.
    ///
    /// # Errors
    /// [`StudentCoreError::Torch`].
    pub fn gradient_norm(&self) -> Result<f64> {
        gradient_norm(self.slots.iter().map(|slot| &slot.parameter))
    }

    /// One step at learning rate `rate` with every gradient times `scale` (see [`clip_factor`]).
    /// Uses the gradients up: they are zero afterwards, ready for the next backward pass.
    ///
    /// # Errors
    /// [`StudentCoreError::Torch`].
    pub fn step(&mut self, rate: f64, scale: f64) -> Result<()> {
        self.step += 1;
        let AdamSettings { beta1, beta2, epsilon, weight_decay, scale_by_size, .. } = self.settings;
        let steps = self.step as f64;
        let sizes = Sizes {
            beta1,
            beta2,
            epsilon,
            scale,
            keep: 1.0,
            step: rate / (1.0 - beta1.powf(steps)),
            correction: (1.0 - beta2.powf(steps)).sqrt(),
        };
        no_grad(|| {
            for slot in &mut self.slots {
                let keep = if slot.decay { 1.0 - rate * weight_decay } else { 1.0 };
                let size = if scale_by_size { slot.size()?.max(SMALLEST_SIZE) } else { 1.0 };
                slot.update(&Sizes { keep, step: sizes.step * size, ..sizes })?;
            }
            Ok(())
        })
    }
}

/// Either optimizer, as the trainer holds it.
#[derive(Debug)]
pub(crate) enum Optimizer {
    AdamW(AdamW),
    Adafactor(Adafactor),
}

impl Optimizer {
    /// Adds a parameter that does not decay.
    pub(crate) fn add_without_decay(&mut self, name: &str, parameter: Tensor) -> Result<()> {
        match self {
            Optimizer::AdamW(adam) => adam.add_without_decay(name, parameter),
            Optimizer::Adafactor(adafactor) => adafactor.push(name.to_owned(), parameter, false),
        }
    }

    /// The parameters by name.
    pub(crate) fn parameters(&self) -> Vec<(&str, &Tensor)> {
        match self {
            Optimizer::AdamW(adam) => {
                adam.state().map(|(name, tensor, ..)| (name, tensor)).collect()
            }
            Optimizer::Adafactor(adafactor) => adafactor.parameters().collect(),
        }
    }

    /// All that a checkpoint must hold: the parameters and what is kept of their gradients.
    pub(crate) fn tensors(&self) -> Vec<(String, &Tensor)> {
        let mut tensors: Vec<(String, &Tensor)> = self
            .parameters()
            .into_iter()
            .map(|(name, tensor)| (format!("parameter.{name}"), tensor))
            .collect();
        match self {
            Optimizer::AdamW(adam) => {
                for (name, _, mean, square) in adam.state() {
                    tensors.push((format!("adam_mean.{name}"), mean));
                    tensors.push((format!("adam_square.{name}"), square));
                }
            }
            Optimizer::Adafactor(adafactor) => tensors.extend(adafactor.state()),
        }
        tensors
    }

    pub(crate) fn set_steps(&mut self, steps: u64) {
        match self {
            Optimizer::AdamW(adam) => adam.set_steps(steps),
            Optimizer::Adafactor(adafactor) => adafactor.set_steps(steps),
        }
    }

    /// Sets every gradient to zero. A step does so by itself; this is for what was left behind before
    /// the first.
    pub(crate) fn zero_gradients(&self) -> Result<()> {
        no_grad(|| {
            for (_, parameter) in self.parameters() {
                let mut gradient = parameter.f_grad()?;
                if gradient.defined() {
                    let _ = gradient.f_zero_()?;
                }
            }
            Ok(())
        })
    }

    pub(crate) fn gradient_norm(&self) -> Result<f64> {
        gradient_norm(self.parameters().into_iter().map(|(_, parameter)| parameter))
    }

    pub(crate) fn step(&mut self, rate: f64, scale: f64) -> Result<()> {
        match self {
            Optimizer::AdamW(adam) => adam.step(rate, scale),
            Optimizer::Adafactor(adafactor) => adafactor.step(rate, scale),
        }
    }
}

fn gradient_norm<'a>(parameters: impl Iterator<Item = &'a Tensor>) -> Result<f64> {
    no_grad(|| {
        let mut norms = Vec::new();
        for parameter in parameters {
            let gradient = parameter.f_grad()?;
            if gradient.defined() {
                norms.push(gradient.f_norm()?.f_to_kind(Kind::Float)?);
            }
        }
        match norms.is_empty() {
            true => Ok(0.0),
            false => Ok(Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])?),
        }
    })
}

/// The gradient of a parameter; one that has none counts as one with gradient zero.
pub(crate) fn gradient_of(parameter: &Tensor) -> Result<Tensor> {
    let gradient = parameter.f_grad()?;
    Ok(if gradient.defined() { gradient } else { parameter.f_zeros_like()? })
}

/// The factor that brings gradients of the given norm within `limit`; at most 1. As torch's
/// `clip_grad_norm_`.
pub fn clip_factor(norm: f64, limit: f64) -> f64 {
    (limit / (norm + 1e-6)).min(1.0)
}

/// The numbers of one step.
#[derive(Clone, Copy)]
struct Sizes {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    scale: f64,
    keep: f64,
    step: f64,
    correction: f64,
}

impl Slot {
    fn update(&mut self, sizes: &Sizes) -> Result<()> {
        let gradient = gradient_of(&self.parameter)?;
        let parameter = self.parameter.f_detach()?;
        let buffers = [&parameter, &gradient, &self.mean, &self.square];
        let numel = parameter.numel() as i64;
        if numel <= CHUNK || !buffers.iter().all(|buffer| buffer.is_contiguous()) {
            let [parameter, gradient, mean, square] = buffers.map(Tensor::shallow_clone);
            return update(parameter, gradient, mean, square, sizes);
        }
        let [parameter, gradient, mean, square] = buffers.map(|buffer| buffer.f_view([-1]));
        let (parameter, gradient, mean, square) = (parameter?, gradient?, mean?, square?);
        let mut start = 0;
        while start < numel {
            let length = CHUNK.min(numel - start);
            let part = |buffer: &Tensor| buffer.f_narrow(0, start, length);
            update(part(&parameter)?, part(&gradient)?, part(&mean)?, part(&square)?, sizes)?;
            start += length;
        }
        Ok(())
    }
}

/// The rounding of every operation is that of torch's single-tensor AdamW: `value·a·b` there is
/// `(value·a)·b`, written out here since the bindings leave `value` out.
fn update(
    mut parameter: Tensor,
    mut gradient: Tensor,
    mut mean: Tensor,
    mut square: Tensor,
    sizes: &Sizes,
) -> Result<()> {
    if sizes.scale != 1.0 {
        let _ = gradient.f_mul_scalar_(sizes.scale)?;
    }
    if sizes.keep != 1.0 {
        let _ = parameter.f_mul_scalar_(sizes.keep)?;
    }
    let _ = mean.f_lerp_(&gradient, 1.0 - sizes.beta1)?;
    let weighted = gradient.f_mul_scalar(1.0 - sizes.beta2)?;
    let _ = square.f_mul_scalar_(sizes.beta2)?.f_addcmul_(&weighted, &gradient)?;
    let mut denominator = square.f_sqrt_out(&weighted)?;
    let _ = denominator.f_div_scalar_(sizes.correction)?.f_add_scalar_(sizes.epsilon)?;
    // The gradient's buffer is free now.
    let direction = mean.f_mul_scalar_out(&gradient, -sizes.step)?;
    let _ = parameter.f_addcdiv_(&direction, &denominator)?;
    let _ = gradient.f_zero_()?;
    Ok(())
}
