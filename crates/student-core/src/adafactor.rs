//! Adafactor: the optimizer T5 was trained with.

use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

use crate::optimizer::gradient_of;
use crate::{Result, StudentCoreError};

/// The settings of [`Adafactor`] besides the learning rate; the defaults are those of the publication
/// and of transformers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdafactorSettings {
    /// Added to squared gradients; positive.
    pub epsilon: f64,
    /// The least size that [`scale_by_size`](Self::scale_by_size) counts; positive.
    pub smallest_size: f64,
    /// Limit on the root mean square of an update before the rate; positive.
    pub clip_threshold: f64,
    /// The mean of squares forgets with 1 − step^this; negative.
    pub decay: f64,
    /// Whether a step is the rate times the root mean square of the tensor's values.
    pub scale_by_size: bool,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl Default for AdafactorSettings {
    fn default() -> AdafactorSettings {
        AdafactorSettings {
            epsilon: 1e-30,
            smallest_size: 1e-3,
            clip_threshold: 1.0,
            decay: -0.8,
            scale_by_size: true,
            weight_decay: 0.0,
        }
    }
}

/// Means of squared gradients.
#[derive(Debug)]
enum Squares {
    /// Of a matrix, or of the last two dimensions, the means of rows and of columns only.
    Factored {
        rows: Tensor,
        columns: Tensor,
    },
    Whole(Tensor),
}

#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Tensor,
    squares: Squares,
    decay: bool,
}

/// Adafactor (Shazeer and Stern 2018) without momentum and with a rate given from outside, number for
/// number as transformers' class computes it. Of an n × m matrix it keeps n + m numbers, where
/// [`AdamW`](crate::optimizer::AdamW) keeps 2·n·m.
#[derive(Debug)]
pub struct Adafactor {
    settings: AdafactorSettings,
    slots: Vec<Slot>,
    step: u64,
}

impl Adafactor {
    /// An optimizer for these named parameters, which share their storage with the model's.
    ///
    /// # Errors
    /// [`StudentCoreError::Setting`] outside the ranges, [`StudentCoreError::Torch`].
    pub fn new(
        parameters: Vec<(String, Tensor)>,
        settings: AdafactorSettings,
    ) -> Result<Adafactor> {
        let AdafactorSettings {
            epsilon, smallest_size, clip_threshold, decay, weight_decay, ..
        } = settings;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        for (name, value, good) in [
            ("epsilon", epsilon, positive(epsilon)),
            ("smallest_size", smallest_size, positive(smallest_size)),
            ("clip_threshold", clip_threshold, positive(clip_threshold)),
            ("decay", decay, decay.is_finite() && decay < 0.0),
            ("weight_decay", weight_decay, weight_decay >= 0.0 && weight_decay.is_finite()),
        ] {
            if !good {
                return Err(StudentCoreError::setting(name, format!("{value} is out of range")));
            }
        }
        let mut optimizer = Adafactor { settings, slots: Vec::new(), step: 0 };
        for (name, parameter) in parameters {
            optimizer.push(name, parameter, true)?;
        }
        Ok(optimizer)
    }

    pub(crate) fn push(&mut self, name: String, parameter: Tensor, decay: bool) -> Result<()> {
        let size = parameter.size();
        let zeros = |size: &[i64]| Tensor::f_zeros(size, (parameter.f_kind()?, parameter.device()));
        let squares = match size.as_slice() {
            [before @ .., rows, columns] => Squares::Factored {
                rows: no_grad(|| zeros(&[before, &[*rows]].concat()))?,
                columns: no_grad(|| zeros(&[before, &[*columns]].concat()))?,
            },
            _ => Squares::Whole(no_grad(|| parameter.f_zeros_like())?),
        };
        self.slots.push(Slot { name, parameter, squares, decay });
        Ok(())
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.slots.iter().map(|slot| (&*slot.name, &slot.parameter))
    }

    /// What it keeps, under names of their own.
    pub(crate) fn state(&self) -> Vec<(String, &Tensor)> {
        let mut tensors = Vec::new();
        for Slot { name, squares, .. } in &self.slots {
            match squares {
                Squares::Factored { rows, columns } => {
                    tensors.push((format!("adafactor_rows.{name}"), rows));
                    tensors.push((format!("adafactor_columns.{name}"), columns));
                }
                Squares::Whole(whole) => tensors.push((format!("adafactor_square.{name}"), whole)),
            }
        }
        tensors
    }

    pub(crate) fn set_steps(&mut self, steps: u64) {
        self.step = steps;
    }

    /// One step at learning rate `rate` with every gradient times `scale`. Uses the gradients up, as
    /// [`AdamW::step`](crate::optimizer::AdamW::step) does.
    ///
    /// # Errors
    /// [`StudentCoreError::Torch`].
    pub fn step(&mut self, rate: f64, scale: f64) -> Result<()> {
        self.step += 1;
        let forget = 1.0 - (self.step as f64).powf(self.settings.decay);
        let settings = self.settings;
        no_grad(|| self.slots.iter_mut().try_for_each(|s| s.update(&settings, forget, rate, scale)))
    }
}

/// Root mean square.
fn size(tensor: &Tensor) -> Result<f64> {
    let count = tensor.numel().max(1) as f64;
    Ok(tensor.f_norm()?.f_double_value(&[])? / count.sqrt())
}

impl Slot {
    fn update(
        &mut self,
        settings: &AdafactorSettings,
        forget: f64,
        rate: f64,
        scale: f64,
    ) -> Result<()> {
        let mut gradient = gradient_of(&self.parameter)?;
        if scale != 1.0 {
            let _ = gradient.f_mul_scalar_(scale)?;
        }
        let mut parameter = self.parameter.f_detach()?;
        let kind = parameter.f_kind()?;
        let rate = match settings.scale_by_size {
            true => rate * size(&parameter)?.max(settings.smallest_size),
            false => rate,
        };
        let square = gradient.f_square()?.f_add_scalar_(settings.epsilon)?;
        let blend = |kept: &mut Tensor, new: &Tensor| -> Result<()> {
            let _ = kept.f_mul_scalar_(forget)?.f_add_(&new.f_mul_scalar(1.0 - forget)?)?;
            Ok(())
        };
        let mut update = match &mut self.squares {
            Squares::Whole(kept) => {
                blend(kept, &square)?;
                kept.f_rsqrt()?
            }
            Squares::Factored { rows, columns } => {
                blend(rows, &square.f_mean_dim([-1i64].as_slice(), false, kind)?)?;
                blend(columns, &square.f_mean_dim([-2i64].as_slice(), false, kind)?)?;
                let mean = rows.f_mean_dim([-1i64].as_slice(), true, kind)?;
                let row = rows.f_div(&mean)?.f_rsqrt_()?.f_unsqueeze(-1)?;
                row.f_mul(&columns.f_unsqueeze(-2)?.f_rsqrt()?)?
            }
        };
        let _ = update.f_mul_(&gradient)?;
        let over = (size(&update)? / settings.clip_threshold).max(1.0);
        let _ = update.f_mul_scalar_(rate / over)?;
        if self.decay && settings.weight_decay > 0.0 {
            let _ = parameter.f_mul_scalar_(1.0 - settings.weight_decay * rate)?;
        }
        let _ = parameter.f_sub_(&update)?;
        let _ = gradient.f_zero_()?;
        Ok(())
    }
}
