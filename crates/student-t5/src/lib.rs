//! T5 and CodeT5 students on libtorch.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod config;
mod dropout;
mod error;
mod hf;
pub mod model;
mod parameters;
mod weights;

pub use config::{Preset, T5Config};
pub use error::{Result, T5Error};
pub use model::T5;
