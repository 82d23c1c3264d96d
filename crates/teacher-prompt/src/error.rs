//! The crate's error.

use distill_core::jsonl::JsonlError;

/// What can go wrong in this crate, other than a teacher's own [`TeacherError`].
///
/// [`TeacherError`]: distill_core::TeacherError
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A prompt template that is no template, or that uses what there is not.
    #[error("template {name}: {reason}")]
    Template {
        /// Its name.
        name: String,
        /// What is wrong, with the line where the template engine says so.
        reason: String,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Backward reasoning over a problem that has no code.
    #[error("problem {problem} has no reference code to explain")]
    NoReference {
        /// Id of the problem.
        problem: String,
    },
    /// A setting that cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// Why not, and what was expected.
        reason: String,
    },
    /// The reply log could not be read or written.
    #[error(transparent)]
    Log(#[from] JsonlError),
    /// The program that runs a problem's tests, or that scores samples, could not be run.
    #[error("cannot run {what}: {source}")]
    Execute {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A judge of samples that gave something else than a score a sample.
    #[error("judge {judge}, problem {problem}: {reason}")]
    Score {
        /// Its name.
        judge: String,
        /// Id of the problem.
        problem: String,
        /// What it gave, and what was expected.
        reason: String,
    },
    /// The texts to keep clear of could not be read.
    #[error(transparent)]
    HeldOut(#[from] code_corpus::CorpusError),
    /// The receiver of the lessons failed.
    #[error("lesson of problem {problem} could not be handed over: {source}")]
    Receiver {
        /// Id of the problem.
        problem: String,
        /// What it said.
        source: std::io::Error,
    },
    /// The asynchronous runtime could not be started.
    #[error("cannot start the runtime: {0}")]
    Runtime(String),
}
