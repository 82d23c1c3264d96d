//! The trait of what answers problems after training.

use std::error::Error;

use crate::{Mode, Problem, Solution};

/// Why a student gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct StudentError {
    /// What was being done, with the problem's id where there is one.
    pub context: String,
    /// The student's own error.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// One of a student's answers to a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The answer; in [`Mode::Direct`] its pseudocode is empty.
    pub solution: Solution,
    /// Natural logarithm of the probability of the code's tokens, normalised as the decoder does.
    pub log_probability: f64,
}

/// A model that turns problems into solutions, deterministic for equal input.
pub trait Student {
    /// A short name for tables.
    fn name(&self) -> &str;

    /// Up to `n` answers to each problem, best first, in the order of `problems`.
    ///
    /// # Errors
    /// [`StudentError`] where the model cannot be run; no answer is returned then.
    fn answer(
        &self,
        problems: &[Problem],
        mode: Mode,
        n: usize,
    ) -> Result<Vec<Vec<Ranked>>, StudentError>;
}

impl<S: Student + ?Sized> Student for &S {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn answer(
        &self,
        problems: &[Problem],
        mode: Mode,
        n: usize,
    ) -> Result<Vec<Vec<Ranked>>, StudentError> {
        (**self).answer(problems, mode, n)
    }
}

impl<S: Student + ?Sized> Student for Box<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn answer(
        &self,
        problems: &[Problem],
        mode: Mode,
        n: usize,
    ) -> Result<Vec<Vec<Ranked>>, StudentError> {
        (**self).answer(problems, mode, n)
    }
}
