//! How much each task counts.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::{LossError, Result};

/// A rule for the weights of the tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Weighting {
    /// The same weights at every step: the paper's α and β.
    Fixed {
        /// A weight each task.
        weights: Vec<f64>,
    },
    /// From one set of weights to another, for example 1, 0 → 0.5, 0.5: the plan first.
    Scheduled {
        /// Weights at step 0.
        from: Vec<f64>,
        /// Weights from step `over` on.
        to: Vec<f64>,
        /// Length of the passage in optimizer steps.
        over: u64,
        /// The way from the one to the other.
        shape: Passage,
    },
    /// Σ e^(−s)·L + s/2 with a learned s = log σ² a task (Kendall, Gal and Cipolla 2018, the form
    /// for classification). The total can be negative.
    Uncertainty,
    /// K·softmax(r/T) with r = L(t−1)/L(t−2), means of the epochs before (Liu, Johns and Davison
    /// 2019): a task that improves slowly gets more. 1 for each task in the first two epochs.
    DynamicAverage {
        /// T; 2 in the publication. Larger is more even.
        temperature: f64,
    },
}

/// The way from one set of weights to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passage {
    /// A straight line.
    Linear,
    /// Half a cosine: slow at both ends.
    Cosine,
    /// At once, when the passage is over.
    Step,
}

impl Weighting {
    /// Fixed weights.
    pub fn fixed(weights: impl Into<Vec<f64>>) -> Weighting {
        Weighting::Fixed { weights: weights.into() }
    }
}

impl Default for Weighting {
    /// The paper's α = β = 0.5.
    fn default() -> Weighting {
        Weighting::fixed([0.5, 0.5])
    }
}

/// The weights of the tasks as training goes on: a [`Weighting`] and what it has learned.
#[derive(Debug)]
pub struct TaskWeights {
    rule: Weighting,
    tasks: usize,
    /// The learned s of [`Weighting::Uncertainty`], `[tasks]`.
    log_variance: Option<Tensor>,
    /// Mean losses of the last two epochs, the older first.
    epochs: Vec<Vec<f64>>,
}

impl TaskWeights {
    /// The weights of `tasks` tasks at the start of training. What is learned lives on `device`.
    ///
    /// # Errors
    /// [`LossError::Tasks`] for another number of weights than tasks, [`LossError::Setting`] for
    /// weights that are negative or not finite, or a temperature that is not positive.
    pub fn new(rule: Weighting, tasks: usize, device: Device) -> Result<TaskWeights> {
        let check = |weights: &[f64]| {
            if weights.len() != tasks {
                return Err(LossError::Tasks {
                    what: "weights",
                    given: weights.len(),
                    expected: tasks,
                });
            }
            match weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
                Some(bad) => Err(LossError::setting("weights", format!("{bad} is not 0 or more"))),
                None => Ok(()),
            }
        };
        let mut log_variance = None;
        match &rule {
            Weighting::Fixed { weights } => check(weights)?,
            Weighting::Scheduled { from, to, .. } => {
                check(from)?;
                check(to)?;
            }
            Weighting::DynamicAverage { temperature } => {
                if !(temperature.is_finite() && *temperature > 0.0) {
                    return Err(LossError::setting(
                        "temperature",
                        format!("{temperature} is not positive"),
                    ));
                }
            }
            Weighting::Uncertainty => {
                let zeros = Tensor::f_zeros([tasks as i64], (Kind::Float, device))?;
                log_variance = Some(zeros.f_set_requires_grad(true)?);
            }
        }
        Ok(TaskWeights { rule, tasks, log_variance, epochs: Vec::new() })
    }

    /// The number of tasks.
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// The weights at `step` (from 0), a task each. [`Weighting::Uncertainty`] reads its learned
    /// values from the device.
    ///
    /// # Errors
    /// [`LossError::Torch`].
    pub fn weights(&self, step: u64) -> Result<Vec<f64>> {
        Ok(match &self.rule {
            Weighting::Fixed { weights } => weights.clone(),
            Weighting::Scheduled { from, to, over, shape } => {
                let done = if step >= *over { 1.0 } else { step as f64 / *over as f64 };
                let done = match shape {
                    Passage::Linear => done,
                    Passage::Cosine => 0.5 - 0.5 * (PI * done).cos(),
                    Passage::Step => done.floor(),
                };
                from.iter().zip(to).map(|(from, to)| from + (to - from) * done).collect()
            }
            Weighting::DynamicAverage { temperature } => match &self.epochs[..] {
                [before, last] => {
                    let scores: Vec<f64> = last
                        .iter()
                        .zip(before)
                        .map(|(last, before)| {
                            let ratio = last / before;
                            (if ratio.is_finite() { ratio } else { 1.0 }) / temperature
                        })
                        .collect();
                    let top = scores.iter().copied().fold(f64::MIN, f64::max);
                    let sum: f64 = scores.iter().map(|score| (score - top).exp()).sum();
                    let tasks = self.tasks as f64;
                    scores.iter().map(|score| tasks * (score - top).exp() / sum).collect()
                }
                _ => vec![1.0; self.tasks],
            },
            Weighting::Uncertainty => match &self.log_variance {
                Some(s) => {
                    let values = Vec::<f32>::try_from(&s.f_detach()?)?;
                    values.iter().map(|s| f64::from(-s).exp()).collect()
                }
                None => vec![1.0; self.tasks],
            },
        })
    }

    /// `share`, a loss of `task`, times its weight at `step`; with a graph to the learned weights.
    ///
    /// # Errors
    /// [`LossError::Tasks`] if there is no such task.
    pub fn apply(&self, share: &Tensor, task: usize, step: u64) -> Result<Tensor> {
        if task >= self.tasks {
            return Err(LossError::Tasks { what: "losses", given: task + 1, expected: self.tasks });
        }
        match &self.log_variance {
            Some(s) => Ok(s.f_get(task as i64)?.f_neg()?.f_exp()?.f_mul(share)?),
            None => Ok(share.f_mul_scalar(self.weights(step)?[task])?),
        }
    }

    /// What the rule adds to the total once a step, whatever the losses: Σ s/2 for
    /// [`Weighting::Uncertainty`].
    ///
    /// # Errors
    /// [`LossError::Torch`].
    pub fn regulariser(&self) -> Result<Option<Tensor>> {
        match &self.log_variance {
            Some(s) => Ok(Some(s.f_sum(Kind::Float)?.f_mul_scalar(0.5)?)),
            None => Ok(None),
        }
    }

    /// What the rule learns by gradient, if anything; train it without weight decay.
    pub fn parameter(&self) -> Option<&Tensor> {
        self.log_variance.as_ref()
    }

    /// Tells the rule the mean losses of the epoch just done, a task each.
    ///
    /// # Errors
    /// [`LossError::Tasks`] for another number of losses than tasks.
    pub fn end_epoch(&mut self, means: &[f64]) -> Result<()> {
        if means.len() != self.tasks {
            return Err(LossError::Tasks {
                what: "losses",
                given: means.len(),
                expected: self.tasks,
            });
        }
        if self.epochs.len() == 2 {
            self.epochs.remove(0);
        }
        self.epochs.push(means.to_vec());
        Ok(())
    }

    /// The mean losses that [`end_epoch`](Self::end_epoch) was told and that still count; with the
    /// [`parameter`](Self::parameter) all there is to save.
    pub fn epochs(&self) -> &[Vec<f64>] {
        &self.epochs
    }

    /// Restores what [`epochs`](Self::epochs) gave.
    ///
    /// # Errors
    /// As [`end_epoch`](Self::end_epoch).
    pub fn set_epochs(&mut self, epochs: &[Vec<f64>]) -> Result<()> {
        self.epochs.clear();
        epochs.iter().try_for_each(|means| self.end_epoch(means))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(rule: Weighting) -> Result<TaskWeights> {
        TaskWeights::new(rule, 2, Device::Cpu)
    }

    #[test]
    fn a_passage_starts_and_ends_where_it_should() {
        for (shape, middle) in [
            (Passage::Linear, 0.75),
            (Passage::Cosine, 0.5 + 0.5 * 0.853_553_390_593),
            (Passage::Step, 1.0),
        ] {
            let weights = new(Weighting::Scheduled {
                from: vec![1.0, 0.0],
                to: vec![0.5, 0.5],
                over: 100,
                shape,
            })
            .unwrap();
            assert_eq!(weights.weights(0).unwrap(), [1.0, 0.0]);
            assert_eq!(weights.weights(100).unwrap(), [0.5, 0.5]);
            let at = if shape == Passage::Cosine { 25 } else { 50 };
            let found = weights.weights(at).unwrap()[0];
            assert!((found - middle).abs() < 1e-9, "{shape:?} {found}");
        }
    }

    #[test]
    fn dynamic_average_follows_the_publication() {
        let mut weights = new(Weighting::DynamicAverage { temperature: 2.0 }).unwrap();
        weights.end_epoch(&[4.0, 2.0]).unwrap();
        assert_eq!(weights.weights(0).unwrap(), [1.0, 1.0]);
        weights.end_epoch(&[2.0, 1.8]).unwrap();
        // r = 0.5, 0.9; 2·softmax(0.25, 0.45)
        let (a, b) = (0.25f64.exp(), 0.45f64.exp());
        let found = weights.weights(0).unwrap();
        assert!((found[0] - 2.0 * a / (a + b)).abs() < 1e-12);
        assert!((found[1] - 2.0 * b / (a + b)).abs() < 1e-12);
        let mut other = new(Weighting::DynamicAverage { temperature: 2.0 }).unwrap();
        other.set_epochs(weights.epochs()).unwrap();
        assert_eq!(other.weights(0).unwrap(), found);
    }

    #[test]
    fn uncertainty_has_the_gradient_of_its_formula() {
        let weights = new(Weighting::Uncertainty).unwrap();
        let s = weights.parameter().unwrap();
        tch::no_grad(|| s.shallow_clone().copy_(&Tensor::from_slice(&[0.5f32, -0.25])));
        let losses = [3.0, 2.0];
        let mut total = weights.regulariser().unwrap().unwrap();
        for (task, loss) in losses.iter().enumerate() {
            total += weights.apply(&Tensor::from(*loss as f32), task, 0).unwrap();
        }
        let expected = 3.0 * (-0.5f64).exp() + 2.0 * 0.25f64.exp() + 0.125;
        assert!((total.double_value(&[]) - expected).abs() < 1e-6);
        total.f_backward().unwrap();
        for (task, (loss, s)) in losses.iter().zip([0.5f64, -0.25]).enumerate() {
            let expected = 0.5 - loss * (-s).exp();
            let found = weights.parameter().unwrap().grad().double_value(&[task as i64]);
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let found = weights.weights(0).unwrap();
        assert!((found[0] - (-0.5f64).exp()).abs() < 1e-6);
    }

    #[test]
    fn settings_are_checked() {
        assert!(matches!(new(Weighting::fixed([1.0])), Err(LossError::Tasks { given: 1, .. })));
        for bad in [f64::NAN, -0.1, f64::INFINITY] {
            assert!(matches!(new(Weighting::fixed([bad, 1.0])), Err(LossError::Setting { .. })));
        }
        let rule = Weighting::DynamicAverage { temperature: 0.0 };
        assert!(matches!(new(rule), Err(LossError::Setting { .. })));
        let weights = new(Weighting::default()).unwrap();
        assert!(weights.apply(&Tensor::from(1.0f32), 2, 0).is_err());
    }
}
