//! The settings of a training run.

use mtl_loss::{Reduction, SoftSettings, Weighting};
use serde::{Deserialize, Serialize};

use crate::optimizer::{AdafactorSettings, AdamSettings};
use crate::schedule::{Decay, Schedule};
use crate::{Result, StudentCoreError};

/// How a student is trained. With the data and the initial parameters this decides every number of
/// the run; the clock decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Decides the order of items, the alternatives drawn and dropout.
    pub seed: u64,
    /// Items an optimizer step; both tasks of each are learned in the step.
    pub batch: usize,
    /// Padded tokens (rows × (source + target)) a forward pass may hold; a step of more is cut into
    /// micro-batches, which changes speed and memory but not the result. No limit by default.
    pub micro_batch_tokens: Option<usize>,
    /// Padded tokens a forward pass of the evaluation may hold.
    pub evaluation_tokens: usize,
    /// Steps whose items are sorted by length together, against padding; 0 for none.
    pub length_pool: usize,
    /// Training stops after so many steps…
    pub max_steps: Option<u64>,
    /// …or so many epochs, whichever comes first. At least one of the two must be given.
    pub max_epochs: Option<u64>,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Warm-up and decay of the learning rate.
    pub schedule: Schedule,
    /// The optimizer, unless [`adafactor`](Self::adafactor) is given.
    pub adam: AdamSettings,
    /// Adafactor in its place, whose state is a fraction of the memory.
    pub adafactor: Option<AdafactorSettings>,
    /// Limit on the norm of the gradient; none to leave it as it is.
    pub clip: Option<f64>,
    /// How the tokens of a task become one number.
    pub reduction: Reduction,
    /// How much each task counts, pseudocode first: α and β.
    pub weighting: Weighting,
    /// How examples that carry soft targets are learned: as (1−λ)·cross entropy + λ·divergence from the
    /// teacher. None to learn their texts alone. Needs
    /// [`Trainer::with_teacher`](crate::Trainer::with_teacher). Validation losses stay cross entropy.
    pub soft: Option<SoftSettings>,
    /// Take from each task's gradient what points against the other's (PCGrad). Holds one more copy
    /// of the gradient.
    pub project_conflicts: bool,
    /// Steps between evaluations on the validation data; none for one at the end of every epoch.
    pub evaluate_every: Option<u64>,
    /// Evaluations in a row without improvement after which training stops; none to go on.
    pub patience: Option<u32>,
    /// By how much the validation loss must fall to count as an improvement.
    pub min_improvement: f64,
    /// Steps between checkpoints; none for one after every evaluation only.
    pub checkpoint_every: Option<u64>,
    /// Steps between lines of the metrics log.
    pub log_every: u64,
    /// A task's loss of so many times its loss before training counts as divergence.
    pub divergence: f64,
}

impl Default for TrainConfig {
    /// As [`demo`](Self::demo).
    fn default() -> TrainConfig {
        TrainConfig::demo()
    }
}

impl TrainConfig {
    /// What the paper states: α = β = 0.5, Adam at a constant 1e-5, batch 16, at most 30 epochs,
    /// early stopping on validation loss (evaluated every epoch; the patience of 3 is that of
    /// CodeT5's own scripts, the paper gives none).
    pub fn paper() -> TrainConfig {
        TrainConfig {
            seed: 0,
            batch: 16,
            micro_batch_tokens: None,
            evaluation_tokens: 8192,
            length_pool: 50,
            max_steps: None,
            max_epochs: Some(30),
            learning_rate: 1e-5,
            schedule: Schedule::default(),
            adam: AdamSettings::default(),
            adafactor: None,
            clip: None,
            reduction: Reduction::TokenMean,
            weighting: Weighting::fixed([0.5, 0.5]),
            soft: None,
            project_conflicts: false,
            evaluate_every: None,
            patience: Some(3),
            min_improvement: 0.0,
            checkpoint_every: None,
            log_every: 10,
            divergence: 10.0,
        }
    }

    /// A small T5 from scratch in minutes on a CPU: Adam with steps relative to each tensor's size
    /// ([`AdamSettings::scale_by_size`]) at 0.05, warm-up and linear decay, small batches, a limited
    /// norm, and a number of steps that decides when it ends.
    pub fn demo() -> TrainConfig {
        TrainConfig {
            batch: 8,
            max_steps: Some(1200),
            max_epochs: None,
            learning_rate: 5e-2,
            schedule: Schedule { warmup: 100, decay: Decay::Linear },
            adam: AdamSettings { scale_by_size: true, beta2: 0.98, ..AdamSettings::default() },
            clip: Some(1.0),
            evaluate_every: Some(200),
            checkpoint_every: Some(50),
            patience: None,
            ..TrainConfig::paper()
        }
    }

    /// The weights of the validation loss: those of the weighting where it names some (of a
    /// schedule the last), else 0.5 each. They stay the same throughout, so that evaluations can be
    /// compared.
    pub fn validation_weights(&self) -> [f64; 2] {
        match &self.weighting {
            Weighting::Fixed { weights } | Weighting::Scheduled { to: weights, .. } => {
                [weights.first().copied().unwrap_or(0.5), weights.get(1).copied().unwrap_or(0.5)]
            }
            _ => [0.5, 0.5],
        }
    }

    /// # Errors
    /// [`StudentCoreError::Setting`] for the first setting outside its range; the weighting and the
    /// optimizer check their own.
    pub(crate) fn check(&self) -> Result<()> {
        let positive = |name, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(StudentCoreError::setting(name, format!("{value} is not positive"))),
        };
        let at_least_one = |name, value: Option<u64>| match value {
            Some(0) => Err(StudentCoreError::setting(name, "0 is not at least 1")),
            _ => Ok(()),
        };
        at_least_one("batch", Some(self.batch as u64))?;
        at_least_one("log_every", Some(self.log_every))?;
        at_least_one("evaluate_every", self.evaluate_every)?;
        at_least_one("checkpoint_every", self.checkpoint_every)?;
        at_least_one("max_steps", self.max_steps)?;
        at_least_one("max_epochs", self.max_epochs)?;
        positive("learning_rate", self.learning_rate)?;
        positive("divergence", self.divergence)?;
        if let Some(clip) = self.clip {
            positive("clip", clip)?;
        }
        if !(self.min_improvement.is_finite() && self.min_improvement >= 0.0) {
            let reason = format!("{} is not 0 or more", self.min_improvement);
            return Err(StudentCoreError::setting("min_improvement", reason));
        }
        if self.max_steps.is_none() && self.max_epochs.is_none() {
            let reason = "neither max_steps nor max_epochs says when training ends";
            return Err(StudentCoreError::setting("max_steps", reason));
        }
        Ok(())
    }
}
