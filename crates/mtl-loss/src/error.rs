//! What can go wrong.

/// What can go wrong in a loss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// libtorch refused an operation.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] tch::TchError),
    /// Tensors whose shapes do not belong together.
    #[error("{what}: {found:?} beside {expected:?}")]
    Shape {
        /// Which two tensors, and how their shapes should relate.
        what: &'static str,
        /// The shape found.
        found: Vec<i64>,
        /// The shape it must fit.
        expected: Vec<i64>,
    },
    /// Not as many counts, weights or losses as there are tasks.
    #[error("{given} {what} for {expected} tasks")]
    Tasks {
        /// What was given.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many tasks there are.
        expected: usize,
    },
    /// Soft targets of a teacher whose vocabulary is not the student's.
    #[error(
        "the teacher's vocabulary ({teacher} tokens) is not the student's ({student} tokens): soft \
         targets need one vocabulary; learn the teacher's texts instead"
    )]
    Vocabulary {
        /// Tokens of the student.
        student: usize,
        /// Tokens of the teacher.
        teacher: usize,
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

impl LossError {
    pub(crate) fn setting(setting: &'static str, reason: impl Into<String>) -> LossError {
        LossError::Setting { setting, reason: reason.into() }
    }
}

/// libtorch's messages carry a C++ stack trace from their second line on.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
