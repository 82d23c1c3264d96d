//! What every trained student shares: model traits, the multi-task trainer, decoding.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod decode;
mod error;
mod model;

pub use error::{Result, StudentCoreError};
pub use model::{Batch, Decodable, Trainable};
