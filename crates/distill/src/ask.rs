//! One problem, answered by one trained student.

use std::path::Path;

use distill_core::{Language, Mode, Problem, Student, student::Ranked};
use student_t5::T5Student;
use tch::Device;

use crate::{DistillError, Result};

/// Up to `n` answers of the student in the folder `student` to `query`, best first.
///
/// # Errors
/// [`DistillError::Student`] where the folder holds no usable student, [`DistillError::Nothing`]
/// for an empty query, [`DistillError::Answer`] where decoding fails.
pub fn ask(
    student: &Path,
    language: Language,
    query: &str,
    mode: Mode,
    n: usize,
    threads: usize,
) -> Result<Vec<Ranked>> {
    if query.trim().is_empty() {
        return Err(DistillError::Nothing("the problem is empty".into()));
    }
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(1));
    let student = T5Student::load(student, Device::Cpu)?;
    let problem = Problem::new("ask", language, query);
    let mut answers = student
        .answer(&[problem], mode, n.max(1))
        .map_err(|source| DistillError::Answer { arm: "asked", source })?;
    Ok(answers.pop().unwrap_or_default())
}
