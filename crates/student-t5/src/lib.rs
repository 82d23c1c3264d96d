//! T5 and CodeT5 students on libtorch.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod config;
mod dropout;
mod error;
pub mod generation;
mod hf;
pub mod model;
mod parameters;
pub mod student;
pub mod tokenizer;
mod weights;

pub use config::{Preset, T5Config};
pub use error::{Result, T5Error};
pub use generation::GenerationConfig;
pub use model::T5;
pub use student::T5Student;
pub use tokenizer::Tokenizer;
