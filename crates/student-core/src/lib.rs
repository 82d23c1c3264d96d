//! What every trained student shares: model traits, the multi-task trainer, decoding.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod batching;
mod checkpoint;
mod config;
pub mod data;
pub mod decode;
mod error;
mod evaluation;
pub mod metrics;
mod model;
pub mod optimizer;
mod random;
mod schedule;
pub mod tensors;
mod trainer;

pub use checkpoint::{End, MODEL_FILE, STATE_FILE, load_parameters, save_parameters};
pub use config::TrainConfig;
pub use data::{Dataset, Example, Item};
pub use error::{Result, StudentCoreError};
pub use evaluation::{Evaluation, evaluate};
pub use metrics::PerTask;
pub use model::{Batch, Decodable, Trainable};
pub use schedule::{Decay, Schedule};
pub use trainer::{Outcome, Progress, Trainer};
