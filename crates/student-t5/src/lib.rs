//! T5 and CodeT5 students on libtorch.
//!
//! [`T5`] is the model: versions 1.0 (CodeT5) and 1.1, trained through
//! [`student_core::Trainable`] and decoded through [`student_core::Decodable`], with the numbers of
//! transformers on the same weights. [`T5Student`] adds a [`Tokenizer`] and the student's two tasks,
//! pseudocode and code, and answers problems. Folders are in the Hugging Face layout in both
//! directions: transformers opens what is written here, and published checkpoints load as they are.
//!
//! ```
//! use distill_core::{Language, Lesson, Mode, Problem, Solution, Student};
//! use student_core::{Batch, Trainable};
//! use student_t5::{GenerationConfig, Preset, T5Config, T5Student, Tokenizer};
//! use tch::{Device, Kind};
//!
//! # tch::set_num_threads(1);
//! let tokenizer = Tokenizer::train(["def f(x):\n    return x + x\n", "return x + x"], 270)?;
//! let config = T5Config::preset(Preset::Nano, tokenizer.size() as i64);
//! let mut student = T5Student::new(config, tokenizer, 7, Device::Cpu)?;
//! student.generation = GenerationConfig::beams(5, 16);
//!
//! let lesson: Lesson = serde_json::from_str(
//!     r#"{"id":"1","language":"python","query":"Double x.","pseudocode":["return x + x"],
//!         "code":"def f(x):\n    return x + x\n"}"#,
//! )?;
//! let (item, cut) = student.encode_lesson(&lesson)?;
//! assert_eq!((item.pseudocode.len(), item.code.len()), (1, 2));
//!
//! let batch = Batch::new(&[&item.code[0], &item.code[1]], Device::Cpu)?;
//! let (nll, mask) = student.model.token_nll(&batch, true)?;
//! ((nll * &mask).sum(Kind::Float) / mask.sum(Kind::Float)).backward();
//!
//! let problem = Problem::new("2", Language::Python, "Double x.");
//! let answers = student.answer(&[problem], Mode::Chained, 5)?;
//! assert_eq!(answers[0].len(), 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the shape: `config.json`, presets from `nano` to `codet5-large` |
//! | [`model`] | the model, and its training pass on any device |
//! | [`decoding`] | one token at a time: memory of a source, cache of a text |
//! | [`tokenizer`] | byte-level BPE, trained or read; CodeT5's files |
//! | [`generation`] | how texts are decoded: `generation_config.json` |
//! | [`student`] | what a student reads and answers |
//! | `hub` | checkpoints by name, with the feature `hub` |
//!
//! On a CPU, libtorch's threads wait for each other by spinning: where other programs run beside,
//! `tch::set_num_threads` below the number of free cores is much faster than above it.

#![deny(missing_docs)]
#![deny(unsafe_code)]

mod bin;
pub mod config;
pub mod decoding;
mod dropout;
mod error;
pub mod generation;
mod hf;
#[cfg(feature = "hub")]
pub mod hub;
#[allow(unsafe_code)]
mod kernels;
pub mod model;
mod parameters;
mod pickle;
mod plans;
mod random;
pub mod student;
pub mod tokenizer;
mod training;
mod weights;

pub use config::{Preset, T5Config};
pub use error::{Result, T5Error};
pub use generation::GenerationConfig;
pub use hf::locate;
pub use model::T5;
pub use plans::PlanSampling;
pub use student::T5Student;
pub use tokenizer::{Tokenizer, Trigger};
