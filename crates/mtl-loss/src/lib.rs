//! Multi-task losses for sequence models on libtorch.
//!
//! A model gives the negative log-likelihood of every token and a mask; this crate makes one
//! weighted total of them, and hands out every part:
//!
//! ```text
//! per-token NLL + mask ──Reduction──▶ one loss a task ──TaskWeights──▶ total
//! ```
//!
//! * [`Reduction`]: token mean (default), sum, example mean, global token mean. Each is exact under
//!   gradient accumulation: a micro-batch is divided by the counts of the whole optimizer step.
//! * [`Weighting`]: fixed α and β, scheduled, learned uncertainty, dynamic weight average.
//! * [`project_conflicts`]: PCGrad, for tasks whose gradients point against each other.
//! * [`cross_entropy`], [`smoothed_nll`]: per-token losses, with torch's label smoothing.
//! * [`SoftTargets`]: the distributions of a teacher with the same vocabulary, whole or its likeliest
//!   tokens.
//!
//! ```
//! use mtl_loss::{MultiTaskLoss, Reduction, Weighting, cross_entropy};
//! use tch::{Device, Kind, Tensor};
//!
//! let loss = MultiTaskLoss::new(Reduction::TokenMean, Weighting::fixed([0.5, 0.5]), 2, Device::Cpu)?;
//!
//! // Logits of any model, [rows, length, vocabulary], and labels; −100 where nothing is learned.
//! let logits = Tensor::zeros([1, 3, 8], (Kind::Float, Device::Cpu)).set_requires_grad(true);
//! let pseudocode = cross_entropy(&logits, &Tensor::from_slice(&[4i64, 1, -100]).view([1, 3]), 0.0)?;
//! let code = cross_entropy(&logits, &Tensor::from_slice(&[2i64, 6, 1]).view([1, 3]), 0.0)?;
//!
//! let parts = loss.of_step(&[pseudocode, code], 0)?;
//! parts.total.f_backward()?;
//! assert!((parts.total.double_value(&[]) - 8f64.ln()).abs() < 1e-6);
//! assert_eq!(parts.counts[0].tokens, 2);
//! # Ok::<(), mtl_loss::LossError>(())
//! ```
//!
//! With gradient accumulation, call [`MultiTaskLoss::of_micro_batch`] for each micro-batch with
//! the [`Counts`] of the step, and run backward from each.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod error;
mod multitask;
mod pcgrad;
mod reduction;
mod soft;
mod token;
mod weighting;

pub use error::{LossError, Result};
pub use multitask::{MultiTaskLoss, Parts};
pub use pcgrad::{Projected, project_conflicts};
pub use reduction::{Counts, Reduction};
pub use soft::{Divergence, SoftSettings, SoftTargets, Vocabulary};
pub use token::{IGNORED, cross_entropy, smoothed_nll};
pub use weighting::{Passage, TaskWeights, Weighting};
