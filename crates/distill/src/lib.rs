//! The pipeline: from a corpus and a teacher to students, their scores and a report.
//!
//! A [`Run`] is a configuration and a folder. Each of [`stages`] reads files of the folder and
//! writes others; a stage whose result is there does nothing, one that was interrupted goes on
//! where it stopped, and the result is the same to the bit as without the interruption:
//!
//! | stage | reads | writes |
//! |---|---|---|
//! | [`stages::corpus`] | source trees, JSONL | `problems.{train,valid,test}.jsonl`, `corpus.json` |
//! | [`stages::teach`] | problems | `replies.jsonl`, `lessons.jsonl`, `rejected.jsonl`, `teach.json` |
//! | `stages::train` | lessons | `students/ARM/` in Hugging Face layout, `metrics.jsonl` |
//! | `stages::answer` | students, test problems | `answers.jsonl` |
//! | [`stages::score`] | answers | `scores.jsonl` |
//! | [`stages::report`] | all of it | `report.{md,html,json}` |
//!
//! Training and answering need libtorch and the feature `torch`; all else works without.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::{Arc, atomic::AtomicBool};
//!
//! use distill::{Run, RunConfig, stages};
//!
//! let config = RunConfig::read(Path::new("examples/stdlib.toml"))?;
//! let stop = Arc::new(AtomicBool::new(false));
//! let run = Run::open(config, Path::new("runs"), &(), stop)?;
//! stages::corpus(&run)?;
//! stages::teach(&run)?;
//! # Ok::<(), distill::DistillError>(())
//! ```

#![deny(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(feature = "torch")]
mod ask;
pub mod compare;
pub mod config;
mod error;
pub mod experiment;
pub mod filters;
pub mod human;
mod lessons;
pub mod passk;
mod progress;
pub mod report;
mod run;
pub mod security;
pub mod stages;

#[cfg(feature = "torch")]
pub use ask::ask;
pub use config::RunConfig;
pub use error::{DistillError, Result};
pub use lessons::{LessonsOptions, write_lessons};
pub use progress::Progress;
pub use run::{Run, RunFolder, SPLITS, StageRecord};
