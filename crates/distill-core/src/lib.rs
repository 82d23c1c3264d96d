//! The words that every stage of code distillation shares.
//!
//! A **teacher** and a **student** do the same thing: both turn a [`Problem`] into a [`Solution`],
//! numbered [`Pseudocode`] and then code. That symmetry is the shape of the records here:
//!
//! ```text
//! Problem ──Teacher──▶ Lesson ──training──▶ Student ──▶ Answer ──Metric──▶ score
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`records`] | [`Problem`], [`Solution`], [`Lesson`], [`Answer`] |
//! | [`pseudocode`] | numbered, nested steps: the text form and its reader |
//! | [`task`] | the two tasks and the two ways to decode |
//! | [`teacher`] | [`Request`] → [`Completion`], the trait [`Teacher`] |
//! | [`student`], [`metric`] | the traits [`Student`] and [`Metric`] |
//! | [`jsonl`] | records as files: read with file and line in every error, append without loss |
//!
//! ```
//! use distill_core::{Problem, Pseudocode, Solution};
//! use code_syntax::Language;
//!
//! let problem = Problem::new("sum-1", Language::Python, "Add up a list of numbers.");
//! let solution = Solution {
//!     pseudocode: Pseudocode::from_text("1. set total to 0\n2. for each x:\n   2.1. add x to total")?,
//!     code: "def add(xs):\n    return sum(xs)\n".into(),
//! };
//! assert_eq!(solution.pseudocode.steps()[2].depth, 1);
//! assert!(problem.reference.is_none());
//! # Ok::<(), distill_core::pseudocode::NotNumbered>(())
//! ```

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod jsonl;
pub mod lines;
pub mod metric;
pub mod pseudocode;
pub mod records;
pub mod student;
pub mod task;
pub mod teacher;

pub use code_syntax::Language;
pub use metric::Metric;
pub use pseudocode::{Pseudocode, Step};
pub use records::{Answer, Lesson, Problem, Solution};
pub use student::{Student, StudentError};
pub use task::{Mode, Task};
pub use teacher::{
    Completion, Message, Reply, Request, Role, Sampling, Teacher, TeacherError, Usage,
};
