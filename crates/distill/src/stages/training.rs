//! What training leaves for the stages after it, readable without libtorch.

use serde::{Deserialize, Serialize};

/// What `training.json` says once a student is trained; written last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingDone {
    /// Trained parameters.
    pub parameters: u64,
    /// Optimizer steps done.
    pub steps: u64,
    /// The step whose weights were kept: the lowest validation loss.
    pub kept_step: u64,
    /// Lessons learned from.
    pub lessons: usize,
    /// Lessons that decided which weights to keep.
    pub validation: usize,
    /// Sources and targets that were longer than the student's limits and were cut.
    pub cut: usize,
}
