//! What every trained student shares: model traits, the multi-task trainer, decoding.
//!
//! ```text
//! Dataset ──batching──▶ Batch ──Trainable::token_nll──▶ mtl_loss ──▶ optimizer ──▶ checkpoint, metrics
//!                                                                   Decodable ──decode──▶ answers
//! ```
//!
//! * [`Trainable`] and [`Decodable`] are what a model must bring; everything else is here, once.
//! * [`Trainer`] learns both tasks in every step, evaluates, stops early, keeps the best and the last
//!   checkpoint, and resumes bit for bit.
//! * [`decode`] turns a trained model into answers.
//! * [`batching`], [`optimizer`], [`tensors`] and [`metrics`] are the trainer's parts, of use alone.
//!
//! A model of one matrix that learns to write 3 for the source 5, and 4 in the code task:
//!
//! ```
//! use student_core::{Batch, Dataset, Example, Item, Result, Trainable, TrainConfig, Trainer};
//! use tch::{Device, Kind, Tensor};
//!
//! struct Bigram(Tensor);
//!
//! impl Trainable for Bigram {
//!     fn parameters(&self) -> Vec<(String, Tensor)> {
//!         vec![("table".into(), self.0.shallow_clone())]
//!     }
//!     fn token_nll(&self, batch: &Batch, _train: bool) -> Result<(Tensor, Tensor)> {
//!         // The first source token decides every target token.
//!         let logits = self.0.f_index_select(0, &batch.source.f_select(1, 0)?)?.f_unsqueeze(1)?;
//!         Ok(mtl_loss::cross_entropy(&logits, &batch.labels, 0.0)?)
//!     }
//! }
//!
//! let model = Bigram(Tensor::zeros([8, 8], (Kind::Float, Device::Cpu)).set_requires_grad(true));
//! let example = |source, target| Example::new(vec![source], vec![target]);
//! let item = Item { pseudocode: vec![example(5, 3)], code: vec![example(6, 4)] };
//! let data = Dataset::new(vec![item; 16])?;
//!
//! let folder = std::env::temp_dir().join(format!("student-core-{}", std::process::id()));
//! let config = TrainConfig { max_steps: Some(20), ..TrainConfig::demo() };
//! let outcome = Trainer::new(config, &folder)?.train(&model, &data, &data, &mut |progress| {
//!     if let Some(evaluation) = progress.validation {
//!         println!("{} of {}: {:.2}", progress.step, progress.of, evaluation.total);
//!     }
//! })?;
//! assert!(outcome.best.unwrap().beats(&outcome.baseline.unwrap()));
//! # std::fs::remove_dir_all(folder).unwrap();
//! # Ok::<(), student_core::StudentCoreError>(())
//! ```

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod adafactor;
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
mod soft;
pub mod tensors;
mod trainer;

pub use checkpoint::{End, MODEL_FILE, STATE_FILE, load_parameters, save_parameters};
pub use config::TrainConfig;
pub use data::{Dataset, Example, Item};
pub use error::{BatchShape, Result, StudentCoreError};
pub use evaluation::{Evaluation, evaluate};
pub use metrics::PerTask;
pub use model::{Batch, Decodable, Trainable, learn_by_graph};
pub use schedule::{Decay, Schedule};
pub use soft::TopK;
pub use trainer::{Outcome, Progress, Trainer};
