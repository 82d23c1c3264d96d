//! What can go wrong in a run.

use std::io;
use std::path::{Path, PathBuf};

use distill_core::jsonl::JsonlError;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DistillError {
    /// A setting that is missing, unknown or out of range.
    #[error("{0}")]
    Config(String),
    /// A run folder that was made with other settings.
    #[error(
        "{} was made with another configuration:\n{differences}\nuse another --name, or remove the \
         folder to start anew", folder.display()
    )]
    OtherConfig {
        /// The folder.
        folder: PathBuf,
        /// A line for every setting that differs.
        differences: String,
    },
    /// A stage whose input is not there yet.
    #[error("{stage} needs {}, which does not exist: run `distill {needs}` first", missing.display())]
    Order {
        /// The stage asked for.
        stage: &'static str,
        /// The file that is missing.
        missing: PathBuf,
        /// The subcommand that makes it.
        needs: &'static str,
    },
    /// A stage whose input leaves nothing to do.
    #[error("{0}")]
    Nothing(String),
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
    /// A record file could not be read or written.
    #[error(transparent)]
    Jsonl(#[from] JsonlError),
    /// The corpus could not be made.
    #[error(transparent)]
    Corpus(#[from] code_corpus::CorpusError),
    /// The teacher stage failed.
    #[error(transparent)]
    Teacher(#[from] teacher_prompt::Error),
    /// The teacher cannot go on; the replies received until then are kept.
    #[error("the teacher cannot go on: {0}; every reply until then is kept: run again to go on")]
    TeacherStopped(String),
    /// An answer could not be scored.
    #[error("scoring {what}: {source}")]
    Score {
        /// Which answer.
        what: String,
        /// Why not.
        source: codebleu::CodebleuError,
    },
    /// Training failed.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Training(#[from] student_core::StudentCoreError),
    /// The student failed.
    #[cfg(feature = "torch")]
    #[error(transparent)]
    Student(#[from] student_t5::T5Error),
    /// Lines that are no record of the kind that was expected.
    #[error("{}: {count} lines are no such record; the first, {first}", path.display())]
    BadRecords {
        /// The input.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The first of them and what is wrong with it.
        first: String,
    },
    /// A study could not be laid out or evaluated.
    #[error(transparent)]
    Study(#[from] human_study::StudyError),
    /// Candidates could not be scanned, or a log not be read.
    #[error(transparent)]
    Scan(#[from] security_scan::ScanError),
    /// A student gave no answers.
    #[error("the student {arm}: {source}")]
    Answer {
        /// Which student.
        arm: &'static str,
        /// Why not.
        source: distill_core::StudentError,
    },
    /// Stopped on request; what was done is kept.
    #[error("interrupted; run the same command again to continue")]
    Interrupted,
}

/// A result whose error is [`DistillError`].
pub type Result<T, E = DistillError> = std::result::Result<T, E>;

/// Attaches what was done to which file to an I/O error.
pub(crate) fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DistillError {
    let path = path.to_owned();
    move |source| DistillError::Io { verb, path, source }
}
