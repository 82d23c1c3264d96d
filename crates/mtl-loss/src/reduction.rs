//! From per-token losses to one number a task.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{LossError, Result};

/// How the per-token losses of a task become one number.
///
/// N is the number of tokens and E the number of examples *of the optimizer step*, all
/// micro-batches together. Dividing a micro-batch by its own counts would weigh tokens of short
/// micro-batches more, and the result would depend on how the step was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Σ nll / N, a task at a time: tasks with long and short targets weigh the same.
    #[default]
    TokenMean,
    /// Σ nll: the formula as the paper prints it. Its size grows with batch and target length.
    Sum,
    /// Mean over examples of the mean over the example's tokens: every example weighs the same.
    ExampleMean,
    /// Σ nll of the task / Σ N of all tasks: every token weighs the same, whatever its task.
    GlobalTokenMean,
}

/// What a task has to learn from in one optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Tokens under the mask.
    pub tokens: u64,
    /// Examples with at least one token under the mask.
    pub examples: u64,
}

impl Counts {
    /// Counts a mask, `[rows, length]`. Waits for the device: where the lengths are known on the
    /// host, fill in the fields instead.
    ///
    /// # Errors
    /// [`LossError::Torch`].
    pub fn of(mask: &Tensor) -> Result<Counts> {
        let mask = mask.f_to_kind(Kind::Bool)?;
        let tokens = mask.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        let examples = match mask.dim() {
            0 | 1 => i64::from(tokens > 0),
            _ => {
                let rows = mask.f_flatten(1, -1)?.f_sum_dim_intlist(1, false, Kind::Int64)?;
                rows.f_gt(0)?.f_sum(Kind::Int64)?.f_int64_value(&[])?
            }
        };
        Ok(Counts { tokens: tokens.unsigned_abs(), examples: examples.unsigned_abs() })
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.tokens += other.tokens;
        self.examples += other.examples;
    }
}

impl Reduction {
    /// What each token's loss counts in that of its task: [`share`](Self::share) is the sum of these
    /// weights times the losses. They follow from the mask, before any loss is known. `mask` is
    /// `[rows, length]`, `counts` the step's, a task each; the weights are 32-bit floats.
    ///
    /// # Errors
    /// [`LossError::Tasks`] if `counts` has no entry for `task`.
    pub fn token_weights(self, mask: &Tensor, task: usize, counts: &[Counts]) -> Result<Tensor> {
        let Some(own) = counts.get(task) else {
            return Err(LossError::Tasks {
                what: "counts",
                given: counts.len(),
                expected: task + 1,
            });
        };
        let mask = mask.f_to_kind(Kind::Bool)?.f_to_kind(Kind::Float)?;
        let (weights, divisor) = match self {
            Reduction::Sum => (mask, 1),
            Reduction::TokenMean => (mask, own.tokens),
            Reduction::GlobalTokenMean => (mask, counts.iter().map(|counts| counts.tokens).sum()),
            Reduction::ExampleMean => {
                let rows = mask.f_reshape([mask.size().first().copied().unwrap_or(1), -1])?;
                let rows = if mask.dim() > 1 { rows } else { mask.f_reshape([1, -1])? };
                let lengths = rows.f_sum_dim_intlist(1, true, Kind::Float)?.f_clamp_min(1.0)?;
                (rows.f_div(&lengths)?.f_view_as(&mask)?, own.examples)
            }
        };
        Ok(weights.f_div_scalar(divisor.max(1) as f64)?)
    }

    /// The share of a micro-batch in the loss of `task`: over the micro-batches of a step the
    /// shares add up to the loss, and so do their gradients.
    ///
    /// `nll` and `mask` are `[rows, length]`; `counts` holds the step's counts, a task each. Masked
    /// positions count nothing even where their loss is not finite. A task without tokens gives 0,
    /// with a graph to run backward through. Nothing waits for the device.
    ///
    /// # Errors
    /// [`LossError::Shape`] if `nll` and `mask` differ in shape, [`LossError::Tasks`] if `counts`
    /// has no entry for `task`.
    pub fn share(
        self,
        nll: &Tensor,
        mask: &Tensor,
        task: usize,
        counts: &[Counts],
    ) -> Result<Tensor> {
        if nll.size() != mask.size() {
            return Err(LossError::Shape {
                what: "per-token losses and their mask must have one shape",
                found: nll.size(),
                expected: mask.size(),
            });
        }
        let Some(own) = counts.get(task) else {
            return Err(LossError::Tasks {
                what: "counts",
                given: counts.len(),
                expected: task + 1,
            });
        };
        let kind = match nll.f_kind()? {
            Kind::Half | Kind::BFloat16 => Kind::Float,
            kind => kind,
        };
        let mask = mask.f_to_kind(Kind::Bool)?;
        let nll = nll.f_to_kind(kind)?.f_masked_fill(&mask.f_logical_not()?, 0.0)?;
        let (sum, divisor) = match self {
            Reduction::Sum => (nll.f_sum(kind)?, 1),
            Reduction::TokenMean => (nll.f_sum(kind)?, own.tokens),
            Reduction::GlobalTokenMean => {
                (nll.f_sum(kind)?, counts.iter().map(|counts| counts.tokens).sum())
            }
            Reduction::ExampleMean => {
                let (nll, mask) = match nll.dim() {
                    0 | 1 => (nll.f_reshape([1, -1])?, mask.f_reshape([1, -1])?),
                    _ => (nll.f_flatten(1, -1)?, mask.f_flatten(1, -1)?),
                };
                let lengths = mask.f_sum_dim_intlist(1, false, kind)?.f_clamp_min(1.0)?;
                let means = nll.f_sum_dim_intlist(1, false, kind)?.f_div(&lengths)?;
                (means.f_sum(kind)?, own.examples)
            }
        };
        Ok(sum.f_div_scalar(divisor.max(1) as f64)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> (Tensor, Tensor) {
        let nll = Tensor::from_slice(&[1.0f64, 2.0, 3.0, 5.0, 7.0, f64::INFINITY]).view([2, 3]);
        let mask = Tensor::from_slice(&[1.0f64, 1.0, 1.0, 1.0, 1.0, 0.0]).view([2, 3]);
        (nll, mask)
    }

    #[test]
    fn each_reduction_has_its_definition() {
        let (nll, mask) = values();
        let counts = [Counts::of(&mask).unwrap(), Counts { tokens: 15, examples: 3 }];
        assert_eq!(counts[0], Counts { tokens: 5, examples: 2 });
        for (reduction, expected) in [
            (Reduction::Sum, 18.0),
            (Reduction::TokenMean, 18.0 / 5.0),
            (Reduction::ExampleMean, (2.0 + 6.0) / 2.0),
            (Reduction::GlobalTokenMean, 18.0 / 20.0),
        ] {
            let share = reduction.share(&nll, &mask, 0, &counts).unwrap().double_value(&[]);
            assert!((share - expected).abs() < 1e-12, "{reduction:?}: {share}");
            let weights = reduction.token_weights(&mask, 0, &counts).unwrap();
            let finite = nll.masked_fill(&mask.eq(0.0), 0.0);
            let sum = (weights * finite).sum(Kind::Double).double_value(&[]);
            assert!((sum - expected).abs() < 1e-6, "{reduction:?}: {sum}");
        }
    }

    #[test]
    fn a_task_without_tokens_is_zero_with_a_graph() {
        let nll = Tensor::from_slice(&[1.0f32, 2.0]).view([1, 2]).set_requires_grad(true);
        let mask = Tensor::zeros([1, 2], (Kind::Float, tch::Device::Cpu));
        let counts = [Counts::of(&mask).unwrap()];
        for reduction in [
            Reduction::Sum,
            Reduction::TokenMean,
            Reduction::ExampleMean,
            Reduction::GlobalTokenMean,
        ] {
            let share = reduction.share(&nll, &mask, 0, &counts).unwrap();
            assert_eq!(share.double_value(&[]), 0.0);
            share.f_backward().unwrap();
        }
        assert_eq!(Vec::<f32>::try_from(nll.grad().view(-1)).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn shapes_and_counts_must_fit() {
        let (nll, mask) = values();
        let error = Reduction::Sum.share(&nll, &mask.narrow(1, 0, 2), 0, &[Counts::default()]);
        assert!(matches!(error, Err(LossError::Shape { .. })));
        assert!(Reduction::Sum.token_weights(&mask, 1, &[Counts::default()]).is_err());
        let error = Reduction::Sum.share(&nll, &mask, 1, &[Counts::default()]);
        assert!(matches!(error, Err(LossError::Tasks { given: 1, expected: 2, .. })));
    }
}
