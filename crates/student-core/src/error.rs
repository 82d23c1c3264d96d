//! What can go wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;

use distill_core::Task;
use distill_core::jsonl::JsonlError;

use crate::Example;

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
    /// A training step failed: names its batch, since memory is the usual reason.
    #[error(
        "step {step}, micro-batch {micro_batch} of {micro_batches} ({task}) failed on {shape}: \
         {error}{}",
        hint(error, &shape.less_for_training())
    )]
    Step {
        /// The optimizer step, from 1.
        step: u64,
        /// The task of the batch.
        task: Task,
        /// Which micro-batch of the task in this step, from 1.
        micro_batch: usize,
        /// How many there are.
        micro_batches: usize,
        /// The batch.
        shape: BatchShape,
        /// What went wrong.
        error: Box<StudentCoreError>,
    },
    /// The optimizer had no room for its state, or could not update the parameters.
    #[error(
        "the optimizer of {numbers} parameters failed: {error}{}",
        hint(error, "choose a smaller model, or Adafactor, whose state is a fraction of AdamW's")
    )]
    Optimizer {
        /// Trained numbers.
        numbers: usize,
        /// What went wrong.
        error: Box<StudentCoreError>,
    },
    /// An evaluation failed: names its batch.
    #[error(
        "the evaluation, batch {batch} of {batches} ({task}), failed on {shape}: {error}{}",
        hint(error, &shape.less("evaluation_tokens"))
    )]
    Evaluation {
        /// The task of the batch.
        task: Task,
        /// Which batch of the task, from 1.
        batch: usize,
        /// How many there are.
        batches: usize,
        /// The batch.
        shape: BatchShape,
        /// What went wrong.
        error: Box<StudentCoreError>,
    },
    /// A batch of sources could not be decoded: names its size.
    #[error(
        "decoding {sources} sources of {length} tokens with {beams} beams failed after {written} \
         tokens: {error}{}",
        hint(
            error,
            "lower the sources of a batch, the beams (or samples), the longest source or max_new"
        )
    )]
    Decoding {
        /// Sources in the batch.
        sources: usize,
        /// Padded length of a source.
        length: usize,
        /// Beams, or samples, of each.
        beams: usize,
        /// Tokens of each text so far.
        written: usize,
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

/// The size of a padded batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchShape {
    /// Rows.
    pub rows: i64,
    /// Padded length of the sources.
    pub source: i64,
    /// Padded length of the targets.
    pub target: i64,
}

impl BatchShape {
    pub(crate) fn of(examples: &[&Example]) -> BatchShape {
        let longest = |length: fn(&Example) -> usize| {
            examples.iter().map(|example| length(example) as i64).max().unwrap_or(0)
        };
        BatchShape {
            rows: examples.len() as i64,
            source: longest(|example| example.source.len()),
            target: longest(|example| example.target.len()),
        }
    }

    /// What to lower: a budget of tokens that this batch is within, or the one example's length.
    fn less(&self, budget: &str) -> String {
        let tokens = self.rows.saturating_mul(self.source.saturating_add(self.target));
        match self.rows {
            ..=1 => "it is one example: cut its source or target".to_owned(),
            _ => format!("lower {budget} below this batch's {tokens}"),
        }
    }

    fn less_for_training(&self) -> String {
        let less = self.less("micro_batch_tokens");
        format!("{less}, or trade time for memory with gradient checkpointing")
    }
}

impl fmt::Display for BatchShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BatchShape { rows, source, target } = self;
        write!(f, "{rows} rows of {source} source and {target} target tokens")
    }
}

/// What to do about an error, where it is one of memory.
fn hint(error: &StudentCoreError, advice: &str) -> String {
    if error.is_out_of_memory() { format!(" (memory ran out: {advice})") } else { String::new() }
}

/// A result whose error is [`StudentCoreError`].
pub type Result<T, E = StudentCoreError> = std::result::Result<T, E>;

impl StudentCoreError {
    /// Wraps an error of a model crate.
    pub fn model(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StudentCoreError {
        StudentCoreError::Model(error.into())
    }

    /// Whether memory ran out, on the CPU or on a device. libtorch has no kind of error for that, only
    /// what its allocators say.
    pub fn is_out_of_memory(&self) -> bool {
        // DefaultCPUAllocator; operator new; the allocators of devices, and kernels of our own; cuBLAS.
        const SAID: [&str; 5] = [
            "can't allocate memory",
            "not enough memory",
            "bad_alloc",
            "out of memory",
            "ALLOC_FAILED",
        ];
        let text = self.to_string();
        SAID.iter().any(|said| text.contains(said))
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
