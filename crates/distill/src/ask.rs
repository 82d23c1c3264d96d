//! One problem, answered by one trained student.

use std::path::Path;

use distill_core::{Language, Mode, Problem, Student, student::Ranked};
use student_t5::T5Student;
use tch::Device;

use crate::config::PlansConfig;
use crate::{DistillError, Result};

/// Up to `n` answers of the student in the folder `student` to `query`, best first; with `plans`, a
/// chained answer is that of several sampled plans together.
///
/// # Errors
/// [`DistillError::Config`] for `plans` out of range or in direct mode,
/// [`DistillError::Student`] where the folder holds no usable student, [`DistillError::Nothing`]
/// for an empty query, [`DistillError::Answer`] where decoding fails.
pub fn ask(
    student: &Path,
    language: Language,
    query: &str,
    mode: Mode,
    plans: Option<&PlansConfig>,
    n: usize,
    threads: usize,
) -> Result<Vec<Ranked>> {
    if query.trim().is_empty() {
        return Err(DistillError::Nothing("the problem is empty".into()));
    }
    if let Some(plans) = plans {
        plans.check()?;
        if mode != Mode::Chained {
            let reason = "plans are for chained answers, not direct ones";
            return Err(DistillError::Config(reason.into()));
        }
    }
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(1));
    let mut student = T5Student::load(student, Device::Cpu)?;
    student.plans = plans.map(|plans| plans.sampling(0));
    let problem = Problem::new("ask", language, query);
    let mut answers = student
        .answer(&[problem], mode, n.max(1))
        .map_err(|source| DistillError::Answer { arm: "asked", source })?;
    Ok(answers.pop().unwrap_or_default())
}
