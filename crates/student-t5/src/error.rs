//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

use distill_core::jsonl::JsonlError;
use student_core::StudentCoreError;

/// What can go wrong with a T5 student.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum T5Error {
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
    /// A file could not be replaced.
    #[error(transparent)]
    Write(#[from] JsonlError),
    /// A configuration that describes no model of this crate.
    #[error("configuration{}: {reason}", at(.path))]
    Config {
        /// The file, where it came from one.
        path: Option<PathBuf>,
        /// Which setting is wrong, and what it may be.
        reason: String,
    },
    /// A file of weights that cannot be used as a whole.
    #[error("checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// One tensor of a checkpoint that cannot be used.
    #[error("checkpoint {}: tensor {tensor}: {reason}", path.display())]
    Tensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tokenizer that cannot be read, trained or used.
    #[error("tokenizer{}: {reason}", at(.path))]
    Tokenizer {
        /// The file, where it came from one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting outside its range.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What it is and what it may be.
        reason: String,
    },
    /// A batch of sources could not be decoded: names its size, since memory is the usual reason.
    #[error(
        "decoding {sources} sources of up to {length} tokens with {beams} beams failed: {error} (if \
         memory ran out, lower the batch, the beams or the longest source)"
    )]
    Decoding {
        /// Sources in the batch.
        sources: usize,
        /// Tokens of the longest.
        length: usize,
        /// Beams, or samples, of each.
        beams: usize,
        /// What went wrong.
        #[source]
        error: Box<StudentCoreError>,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// The decoder failed.
    #[error(transparent)]
    Core(#[from] StudentCoreError),
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default()
}

/// A result whose error is [`T5Error`].
pub type Result<T, E = T5Error> = std::result::Result<T, E>;

impl T5Error {
    pub(crate) fn config(reason: impl Into<String>) -> T5Error {
        T5Error::Config { path: None, reason: reason.into() }
    }

    pub(crate) fn tokenizer(reason: impl ToString) -> T5Error {
        T5Error::Tokenizer { path: None, reason: reason.to_string() }
    }

    /// Names the file that a configuration or tokenizer came from.
    pub(crate) fn in_file(self, file: &Path) -> T5Error {
        match self {
            T5Error::Config { path: None, reason } => {
                T5Error::Config { path: Some(file.to_owned()), reason }
            }
            T5Error::Tokenizer { path: None, reason } => {
                T5Error::Tokenizer { path: Some(file.to_owned()), reason }
            }
            other => other,
        }
    }
}

/// Attaches what was done to which file to an I/O error.
pub(crate) fn io_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> T5Error {
    let path = path.to_owned();
    move |source| T5Error::Io { verb, path, source }
}
