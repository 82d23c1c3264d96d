//! A student on data it does not learn from.

use distill_core::Task;
use mtl_loss::{Counts, Reduction};
use serde::{Deserialize, Serialize};
use tch::{Device, no_grad_guard};

use crate::batching::micro_batches;
use crate::error::BatchShape;
use crate::{Batch, Dataset, Example, PerTask, Result, StudentCoreError, Trainable};

/// Losses on a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Optimizer steps done; 0 is the untrained student.
    pub step: u64,
    /// Mean negative log-likelihood a token, in nats; none where the data lack the task.
    pub loss: PerTask<Option<f64>>,
    /// Target tokens.
    pub tokens: PerTask<u64>,
    /// The weighted sum of the losses; a task without data counts 0.
    pub total: f64,
}

impl Evaluation {
    /// Whether every task that both have is better here than in `other`.
    pub fn beats(&self, other: &Evaluation) -> bool {
        Task::ALL.iter().all(|&task| match (self.loss.of(task), other.loss.of(task)) {
            (Some(own), Some(other)) => own < other,
            _ => true,
        })
    }
}

/// The losses of `model` on every example of `data`, all alternatives included, without dropout and
/// without a graph. Batches hold at most `tokens` padded tokens. Deterministic.
///
/// # Errors
/// [`StudentCoreError::Evaluation`] around what the model says.
pub fn evaluate<M: Trainable + ?Sized>(
    model: &M,
    data: &Dataset,
    weights: [f64; 2],
    tokens: usize,
) -> Result<Evaluation> {
    let device = model.parameters().first().map_or(Device::Cpu, |(_, tensor)| tensor.device());
    let mut nll = PerTask::<f64>::default();
    let mut counts = PerTask::<u64>::default();
    let _guard = no_grad_guard();
    for task in Task::ALL {
        let examples: Vec<&Example> = data.items().iter().flat_map(|item| item.of(task)).collect();
        let batches = micro_batches(examples, Some(tokens));
        for (index, examples) in batches.iter().enumerate() {
            let sum = || -> Result<f64> {
                let batch = Batch::new(examples, device)?;
                let (losses, mask) = model.token_nll(&batch, false)?;
                let sum = Reduction::Sum.share(&losses, &mask, 0, &[Counts::default()])?;
                Ok(sum.f_double_value(&[])?)
            };
            *nll.of_mut(task) += sum().map_err(|error| StudentCoreError::Evaluation {
                task,
                batch: index + 1,
                batches: batches.len(),
                shape: BatchShape::of(examples),
                error: Box::new(error),
            })?;
            let targets = examples.iter().map(|example| example.target.len() as u64);
            *counts.of_mut(task) += targets.sum::<u64>();
        }
    }
    let loss = PerTask::from_fn(|task| {
        let count = *counts.of(task);
        (count > 0).then(|| nll.of(task) / count as f64)
    });
    let total = weights[0] * loss.pseudocode.unwrap_or(0.0) + weights[1] * loss.code.unwrap_or(0.0);
    Ok(Evaluation { step: 0, loss, tokens: counts, total })
}
