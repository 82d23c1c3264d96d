//! Multi-task losses for sequence models on libtorch.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

/// What can go wrong in a loss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// Per-token losses and their mask differ in shape.
    #[error("per-token losses of shape {nll:?} with a mask of shape {mask:?}; both are [rows, length]")]
    Shape {
        /// Shape of the losses.
        nll: Vec<i64>,
        /// Shape of the mask.
        mask: Vec<i64>,
    },
    /// As many counts, weights or losses as tasks were expected.
    #[error("{what} for {given} tasks where there are {expected}")]
    Tasks {
        /// What was given.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many tasks there are.
        expected: usize,
    },
    /// A setting outside its range.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What it is and what it may be.
        reason: String,
    },
}

/// A result whose error is [`LossError`].
pub type Result<T, E = LossError> = std::result::Result<T, E>;
