//! One weighted total from the losses of all tasks.

use tch::{Device, Tensor};

use crate::{Counts, LossError, Reduction, Result, TaskWeights, Weighting};

/// A [`Reduction`] and the [`TaskWeights`]: what turns per-token losses into a total.
#[derive(Debug)]
pub struct MultiTaskLoss {
    /// How the tokens of a task become one number.
    pub reduction: Reduction,
    /// How much each task counts.
    pub weights: TaskWeights,
}

/// A total and what it is made of.
#[derive(Debug)]
pub struct Parts {
    /// The weighted total, a scalar to run backward from.
    pub total: Tensor,
    /// The loss of each task before its weight; scalars without a graph.
    pub tasks: Vec<Tensor>,
    /// The weights used.
    pub weights: Vec<f64>,
    /// What each task had to learn from.
    pub counts: Vec<Counts>,
}

impl MultiTaskLoss {
    /// A loss over `tasks` tasks; what the weighting learns lives on `device`.
    ///
    /// # Errors
    /// Those of [`TaskWeights::new`].
    pub fn new(
        reduction: Reduction,
        weighting: Weighting,
        tasks: usize,
        device: Device,
    ) -> Result<MultiTaskLoss> {
        Ok(MultiTaskLoss { reduction, weights: TaskWeights::new(weighting, tasks, device)? })
    }

    /// The loss of an optimizer step that is one batch: per-token losses and mask of each task,
    /// both `[rows, length]`, at `step` (from 0). Counts the masks, which waits for the device.
    ///
    /// # Errors
    /// [`LossError::Tasks`] for another number of inputs than tasks, and those of
    /// [`Reduction::share`].
    pub fn of_step(&self, inputs: &[(Tensor, Tensor)], step: u64) -> Result<Parts> {
        if inputs.len() != self.weights.tasks() {
            return Err(LossError::Tasks {
                what: "inputs",
                given: inputs.len(),
                expected: self.weights.tasks(),
            });
        }
        let counts =
            inputs.iter().map(|(_, mask)| Counts::of(mask)).collect::<Result<Vec<Counts>>>()?;
        let mut total = self.weights.regulariser()?;
        let mut tasks = Vec::with_capacity(inputs.len());
        for (task, (nll, mask)) in inputs.iter().enumerate() {
            let (weighted, share) = self.of_micro_batch(nll, mask, task, &counts, step)?;
            total = Some(match total {
                Some(total) => total.f_add(&weighted)?,
                None => weighted,
            });
            tasks.push(share);
        }
        let total = total.ok_or(LossError::Tasks { what: "inputs", given: 0, expected: 1 })?;
        Ok(Parts { total, tasks, weights: self.weights.weights(step)?, counts })
    }

    /// The share of one micro-batch of `task` in the total (to run backward from) and, without a
    /// graph, in the loss of its task. `counts` are those of the whole optimizer step. The
    /// [`regulariser`](TaskWeights::regulariser) is not in it: add it once a step.
    ///
    /// # Errors
    /// Those of [`Reduction::share`] and [`TaskWeights::apply`].
    pub fn of_micro_batch(
        &self,
        nll: &Tensor,
        mask: &Tensor,
        task: usize,
        counts: &[Counts],
        step: u64,
    ) -> Result<(Tensor, Tensor)> {
        let share = self.reduction.share(nll, mask, task, counts)?;
        Ok((self.weights.apply(&share, task, step)?, share.f_detach()?))
    }

    /// What each token's loss counts in the total at `step`: for models that learn from weighted
    /// token losses instead of a graph. As [`Reduction::token_weights`], times the task's weight; what
    /// the weighting itself learns has no gradient from it.
    ///
    /// # Errors
    /// Those of [`Reduction::token_weights`] and [`TaskWeights::weights`].
    pub fn token_weights(
        &self,
        mask: &Tensor,
        task: usize,
        counts: &[Counts],
        step: u64,
    ) -> Result<Tensor> {
        let weights = self.reduction.token_weights(mask, task, counts)?;
        let own = self.weights.weights(step)?;
        let own = own.get(task).copied().ok_or(LossError::Tasks {
            what: "losses",
            given: task + 1,
            expected: self.weights.tasks(),
        })?;
        Ok(weights.f_mul_scalar(own)?)
    }
}
