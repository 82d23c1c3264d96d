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
    #[error("configuration{}: {}", at(.path), printable(reason))]
    Config {
        /// The file, where it came from one.
        path: Option<PathBuf>,
        /// Which setting is wrong, and what it may be.
        reason: String,
    },
    /// A file of weights that cannot be used as a whole.
    #[error("checkpoint {}: {}", path.display(), printable(reason))]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// One tensor of a checkpoint that cannot be used.
    #[error("checkpoint {}: tensor {}: {}", path.display(), printable(tensor), printable(reason))]
    Tensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tokenizer that cannot be read, trained or used.
    #[error("tokenizer{}: {}", at(.path), printable(reason))]
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
    /// A checkpoint that was named and could not be had.
    #[error("model {name}: {}", printable(reason))]
    Hub {
        /// Its name on the hub.
        name: String,
        /// What is wrong, with the file where it is one's fault.
        reason: String,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] tch::TchError),
    /// The decoder failed.
    #[error(transparent)]
    Core(#[from] StudentCoreError),
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default()
}

/// What a file says of itself may hold line ends and worse.
fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    clean
}

/// libtorch's messages carry a C++ stack trace from their second line on.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
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
            T5Error::Setting { setting, reason }
            | T5Error::Core(StudentCoreError::Setting { setting, reason }) => T5Error::Config {
                path: Some(file.to_owned()),
                reason: format!("{setting}: {reason}"),
            },
            other => other,
        }
    }
}

/// Attaches what was done to which file to an I/O error.
pub(crate) fn io_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> T5Error {
    let path = path.to_owned();
    move |source| T5Error::Io { verb, path, source }
}
