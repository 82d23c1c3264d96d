//! What can go wrong.

use std::io;
use std::path::PathBuf;

use distill_core::Task;
use distill_core::jsonl::JsonlError;

/// What can go wrong while a student trains or decodes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudentCoreError {
    /// libtorch refused an operation.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] tch::TchError),
    /// The losses refused their input.
    #[error(transparent)]
    Loss(#[from] mtl_loss::LossError),
    /// A setting outside its range.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What it is and what it may be.
        reason: String,
    },
    /// Training data that no batch can be made of.
    #[error("training data: {0}")]
    Data(String),
    /// A loss or gradient that is not a number, or a loss that has run away.
    #[error(
        "step {step} diverged: {what}; its batch holds the items {items:?} (a lower learning rate, \
         longer warm-up or tighter clipping may help)"
    )]
    Diverged {
        /// The optimizer step, from 1.
        step: u64,
        /// What was found, and in which task.
        what: String,
        /// Indices in the data set of the items of the step.
        items: Vec<usize>,
    },
    /// libtorch failed in a training step: names the batch, since memory is the usual reason.
    #[error(
        "step {step} failed on a batch of {rows} {task} examples, {source_length} source and \
         {target_length} target tokens each: {error} (if memory ran out, lower the token budget of \
         micro-batches, or cut sources and targets)"
    )]
    Step {
        /// The optimizer step, from 1.
        step: u64,
        /// The task of the batch.
        task: Task,
        /// Rows of the batch.
        rows: i64,
        /// Padded length of its sources.
        source_length: i64,
        /// Padded length of its targets.
        target_length: i64,
        /// What went wrong.
        error: Box<StudentCoreError>,
    },
    /// The file system said no.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A log or record file failed.
    #[error(transparent)]
    Jsonl(#[from] JsonlError),
    /// A checkpoint that cannot be used, and why.
    #[error("checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An error of the model itself.
    #[error("model: {0}")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A result whose error is [`StudentCoreError`].
pub type Result<T, E = StudentCoreError> = std::result::Result<T, E>;

impl StudentCoreError {
    /// Wraps an error of a model crate.
    pub fn model(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StudentCoreError {
        StudentCoreError::Model(error.into())
    }

    /// A setting outside its range.
    pub fn setting(setting: &'static str, reason: impl Into<String>) -> StudentCoreError {
        StudentCoreError::Setting { setting, reason: reason.into() }
    }
}

/// Attaches what was done to which file to an I/O error.
pub(crate) fn io_error(
    verb: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> StudentCoreError {
    let path = path.to_owned();
    move |source| StudentCoreError::Io { verb, path, source }
}

/// libtorch's messages carry a C++ stack trace from their second line on.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
