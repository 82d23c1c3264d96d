//! The state of a training run on disk.
//!
//! A checkpoint is two files: `training_state.STEP.safetensors`, the parameters and the optimizer's
//! moments, written first, and `training_state.json`, which names it and holds the rest, renamed
//! into place last. Whenever the process dies, the JSON file names a whole tensor file. The best
//! parameters so far are `model.safetensors`, under the names that the model gives them.

use std::fs;
use std::path::{Path, PathBuf};

use distill_core::jsonl::write_atomic;
use mtl_loss::TaskWeights;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::io_error;
use crate::evaluation::Evaluation;
use crate::optimizer::Optimizer;
use crate::tensors::{assign_tensors, read_tensors, write_tensors};
use crate::{PerTask, Result, StudentCoreError, TrainConfig, Trainable};

/// The best parameters so far, in a student's folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// The state of training, in a student's folder.
pub const STATE_FILE: &str = "training_state.json";

/// Sums over the steps since the last line of the log, or over an epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) steps: u64,
    pub(crate) total: f64,
    pub(crate) nll: PerTask<f64>,
    pub(crate) targets: PerTask<u64>,
    pub(crate) tokens: u64,
}

impl Sums {
    pub(crate) fn add(&mut self, step: &Sums) {
        self.steps += step.steps;
        self.total += step.total;
        self.tokens += step.tokens;
        for task in distill_core::Task::ALL {
            *self.nll.of_mut(task) += step.nll.of(task);
            *self.targets.of_mut(task) += step.targets.of(task);
        }
    }

    /// Mean loss a token.
    pub(crate) fn means(&self) -> PerTask<Option<f64>> {
        PerTask::from_fn(|task| {
            let count = *self.targets.of(task);
            (count > 0).then(|| self.nll.of(task) / count as f64)
        })
    }
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All steps are done.
    Complete,
    /// The validation loss no longer improved.
    EarlyStop,
}

/// `training_state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) version: u32,
    pub(crate) config: TrainConfig,
    /// Fingerprints of training and validation data.
    pub(crate) data: [String; 2],
    pub(crate) tensors: String,
    pub(crate) step: u64,
    pub(crate) end: Option<End>,
    /// Sums since the last line of the log.
    pub(crate) interval: Sums,
    /// Sums of the epoch so far, and what the weighting was told of epochs before.
    pub(crate) epoch: Sums,
    pub(crate) epochs: Vec<Vec<f64>>,
    /// Losses a token before training: what divergence is measured against.
    pub(crate) reference: PerTask<Option<f64>>,
    pub(crate) baseline: Option<Evaluation>,
    pub(crate) last: Option<Evaluation>,
    pub(crate) best: Option<Evaluation>,
    pub(crate) evaluations_since_best: u32,
}

fn borrowed<'a>(
    tensors: &'a [(String, &'a Tensor)],
) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
    tensors.iter().map(|(name, tensor)| (&**name, *tensor))
}

impl State {
    /// Writes a checkpoint; the one before stays in force until the new one is whole.
    pub(crate) fn save(
        &mut self,
        folder: &Path,
        optimizer: &Optimizer,
        weights: &TaskWeights,
    ) -> Result<()> {
        self.epochs = weights.epochs().to_vec();
        self.tensors = format!("training_state.{}.safetensors", self.step);
        let tensors = optimizer.tensors();
        write_tensors(&folder.join(&self.tensors), borrowed(&tensors), &[])?;
        write_atomic(&folder.join(STATE_FILE), |writer| {
            serde_json::to_writer_pretty(&mut *writer, self)?;
            writer.write_all(b"\n")
        })?;
        remove_others(folder, &self.tensors);
        Ok(())
    }

    /// The state of the run in `folder`, if there is one.
    pub(crate) fn read(folder: &Path) -> Result<Option<State>> {
        let path = folder.join(STATE_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(state) => Ok(Some(state)),
            Err(error) => {
                Err(StudentCoreError::Checkpoint { path, reason: format!("unreadable: {error}") })
            }
        }
    }

    /// Refuses to go on with another configuration or other data.
    pub(crate) fn check(&self, folder: &Path, new: &State) -> Result<()> {
        let fail = |reason: String| StudentCoreError::Checkpoint {
            path: folder.join(STATE_FILE),
            reason: format!("the run in this folder was made with another setting: {reason}"),
        };
        if self.version != new.version {
            return Err(fail(format!("version {} beside {}", self.version, new.version)));
        }
        let value = |config: &TrainConfig| serde_json::to_value(config).unwrap_or_default();
        let (old, wanted) = (value(&self.config), value(&new.config));
        for (name, wanted) in wanted.as_object().into_iter().flatten() {
            let old = &old[name];
            if old != wanted {
                return Err(fail(format!("{name} was {old} and is now {wanted}")));
            }
        }
        for (index, what) in ["training", "validation"].iter().enumerate() {
            if self.data[index] != new.data[index] {
                return Err(fail(format!("the {what} data have changed")));
            }
        }
        Ok(())
    }

    /// Gives parameters, moments and weights the values of the checkpoint.
    pub(crate) fn restore(
        &self,
        folder: &Path,
        optimizer: &mut Optimizer,
        weights: &mut TaskWeights,
    ) -> Result<()> {
        let state = folder.join(STATE_FILE);
        if Path::new(&self.tensors).file_name() != Some(self.tensors.as_ref()) {
            let reason = format!("{:?} is not the name of a file beside it", self.tensors);
            return Err(StudentCoreError::Checkpoint { path: state, reason });
        }
        let path = folder.join(&self.tensors);
        let tensors = read_tensors(&path)?;
        assign_tensors(borrowed(&optimizer.tensors()), tensors, &path)?;
        optimizer.set_steps(self.step);
        weights.set_epochs(&self.epochs)?;
        Ok(())
    }
}

/// Removes the tensor files of earlier checkpoints, and what a killed process left half-written.
fn remove_others(folder: &Path, keep: &str) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let tensors = name.starts_with("training_state.") && name.ends_with(".safetensors");
        let torn = name.ends_with(".tmp")
            && (name.starts_with("training_state.") || name.starts_with(MODEL_FILE));
        if (tensors && name != keep) || torn {
            // One that stays costs space and nothing else.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes the parameters of `model` as `folder/model.safetensors`, under the names that it gives
/// them, replacing the file as a whole.
///
/// # Errors
/// Those of [`write_tensors`].
pub fn save_parameters<M: Trainable + ?Sized>(model: &M, folder: &Path) -> Result<PathBuf> {
    let path = folder.join(MODEL_FILE);
    let parameters = model.parameters();
    let named = parameters.iter().map(|(name, tensor)| (&**name, tensor));
    write_tensors(&path, named, &[("format", "pt")])?;
    Ok(path)
}

/// Gives the parameters of `model` the values in `folder/model.safetensors`: all or nothing.
///
/// # Errors
/// Those of [`read_tensors`] and [`assign_tensors`].
pub fn load_parameters<M: Trainable + ?Sized>(model: &M, folder: &Path) -> Result<()> {
    let path = folder.join(MODEL_FILE);
    let tensors = read_tensors(&path)?;
    let parameters = model.parameters();
    assign_tensors(parameters.iter().map(|(name, tensor)| (&**name, tensor)), tensors, &path)
}
