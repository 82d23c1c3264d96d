//! What can go wrong.

use std::io;
use std::path::PathBuf;

use code_syntax::SyntaxError;
use distill_core::jsonl::{BadLine, JsonlError};

/// Why there is no corpus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A file or folder that could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A path that was given as a source tree and is no folder.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(
        /// The path.
        PathBuf,
    ),
    /// A line that is no record, under [`strict`](crate::Options::strict).
    #[error(transparent)]
    BadLine(#[from] BadLine),
    /// A record file that could not be read.
    #[error(transparent)]
    Jsonl(JsonlError),
    /// Nothing is left: no input at all, or everything was dropped.
    #[error("the corpus is empty: nothing usable in {what} ({dropped})")]
    Empty {
        /// The source, in words.
        what: String,
        /// What was dropped and why, in words.
        dropped: String,
    },
    /// The interpreter that should name its standard library could not be asked.
    #[error("cannot find the standard library of {python:?}: {reason}")]
    Interpreter {
        /// The interpreter's name or path.
        python: String,
        /// What went wrong.
        reason: String,
    },
    /// A language that cannot be mined, for want of a rule where its documentation stands.
    #[error(
        "source trees in {0} cannot be mined; possible: python, java, go, javascript, php, ruby"
    )]
    NoMiner(
        /// The language.
        code_syntax::Language,
    ),
    /// A setting outside its range.
    #[error("{name} = {value}: {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is possible.
        expected: &'static str,
    },
    /// A problem without a usable `partition` where the shipped split is asked for.
    #[error(
        "problem {id} has no partition (train, valid or test), which the shipped split needs: \
         split by shares instead"
    )]
    NoPartition {
        /// The problem's id.
        id: String,
    },
    /// The parser.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

impl From<JsonlError> for CorpusError {
    fn from(error: JsonlError) -> CorpusError {
        match error {
            JsonlError::BadLine(line) => CorpusError::BadLine(line),
            other => CorpusError::Jsonl(other),
        }
    }
}
