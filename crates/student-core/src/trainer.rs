//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use distill_core::Task;
use distill_core::jsonl::{Appender, io_error};
use mtl_loss::{
    Counts, IGNORED, MultiTaskLoss, Reduction, SoftTargets, Vocabulary, Weighting,
    project_conflicts,
};
use tch::{Device, Tensor, no_grad};
use tracing::{debug, info};

use crate::batching::{Visits, micro_batches};
use crate::checkpoint::{End, State, Sums, load_parameters, save_parameters};
use crate::error::BatchShape;
use crate::evaluation::{Evaluation, evaluate};
use crate::metrics::{
    METRICS_FILE, Metrics, PerTask, Timing, TrainMetrics, ValidationMetrics, open_log, resident_mb,
};
use crate::optimizer::{Adafactor, AdamW, Optimizer, clip_factor};
use crate::random::Random;
use crate::soft::SoftBatch;
use crate::{Batch, Dataset, Example, Result, StudentCoreError, TrainConfig, Trainable};

/// Purpose of randomness; part of its seed.
const DROPOUT: u64 = 3;

/// Torch has one random generator for the process: from seeding it to the last dropout of a step it
/// must be one trainer's alone.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Trains a student on both tasks in every step, in a folder that holds its checkpoints and log.
///
/// Whatever interrupts [`train`](Self::train), calling it again with the same configuration, data
/// and folder goes on from the last checkpoint, and the parameters after N steps are bit for bit
/// those of an uninterrupted run on the same machine with as many threads (on a CPU; some CUDA
/// kernels add in varying order).
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    soft: Option<SoftTargets>,
}

/// What the caller learns after every step and every evaluation.
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Optimizer steps done.
    pub step: u64,
    /// Steps at most; early stopping may end training before.
    pub of: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// The last step's mean negative log-likelihood a token, in nats; none before the first.
    pub loss: PerTask<Option<f64>>,
    /// The last step's learning rate.
    pub learning_rate: f64,
    /// Tokens a second since the last line of the log.
    pub tokens_per_second: f64,
    /// The evaluation just done, if this is about one.
    pub validation: Option<&'a Evaluation>,
    /// Whether that evaluation is the best so far.
    pub best: bool,
}

/// How training went.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Optimizer steps done.
    pub step: u64,
    /// Why training ended; none if it was stopped and can go on.
    pub end: Option<End>,
    /// The untrained student on the validation data: what must be beaten. None without such data,
    /// as the other two.
    pub baseline: Option<Evaluation>,
    /// The best evaluation; `model.safetensors` holds its parameters.
    pub best: Option<Evaluation>,
    /// The last evaluation.
    pub last: Option<Evaluation>,
}

impl Trainer {
    /// A trainer for the student in `folder`, which is made when training starts.
    ///
    /// # Errors
    /// [`StudentCoreError::Setting`] and [`StudentCoreError::Loss`] for settings out of range.
    pub fn new(config: TrainConfig, folder: impl Into<PathBuf>) -> Result<Trainer> {
        config.check()?;
        loss(&config, Device::Cpu)?;
        optimizer(&config, Vec::new())?;
        Ok(Trainer { config, folder: folder.into(), stop: Arc::default(), soft: None })
    }

    /// A flag that, once set, makes [`train`](Self::train) write a checkpoint after the step at
    /// hand and return.
    pub fn with_stop(mut self, stop: Arc<AtomicBool>) -> Trainer {
        self.stop = stop;
        self
    }

    /// With the vocabularies that [`TrainConfig::soft`] needs: the student's, and that of the teacher
    /// whose distributions the examples carry.
    ///
    /// # Errors
    /// [`StudentCoreError::Loss`] if they are not the same, or settings are out of range;
    /// [`StudentCoreError::Setting`] where the configuration has no soft targets.
    pub fn with_teacher(mut self, student: Vocabulary, teacher: Vocabulary) -> Result<Trainer> {
        let Some(settings) = self.config.soft else {
            return Err(StudentCoreError::setting("soft", "not set, and there is a teacher"));
        };
        self.soft = Some(SoftTargets::new(settings, student, teacher)?);
        Ok(self)
    }

    /// Trains `model` until the configuration says that it is enough, or goes on with it where the
    /// folder holds a checkpoint.
    ///
    /// The untrained student is evaluated before the first step. When training has ended, `model`
    /// has the best parameters, as `model.safetensors` does; without validation data those are the
    /// last. When it is stopped, `model` has those of the step at hand.
    ///
    /// Seeds torch's generator, which the whole process shares, at every step: trainers side by
    /// side take turns, step by step. Leaves the number of threads alone.
    ///
    /// # Errors
    /// [`StudentCoreError::Data`] where there is nothing to learn; [`StudentCoreError::Diverged`];
    /// [`StudentCoreError::Step`] around what the model or libtorch says in a step;
    /// [`StudentCoreError::Checkpoint`] for a checkpoint that is damaged or belongs to another
    /// model, configuration or data set; those of the file system. The last checkpoint stays.
    pub fn train<M: Trainable + ?Sized>(
        &self,
        model: &M,
        training: &Dataset,
        validation: &Dataset,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome> {
        let mut run = Run::start(self, model, training, validation)?;
        let state = &run.state;
        if state.end.is_none() {
            if state.step == 0 && state.tensors.is_empty() {
                run.evaluate(progress)?;
                run.checkpoint()?;
            }
            while run.state.end.is_none() && !self.stop.load(Ordering::Relaxed) {
                run.advance(progress)?;
            }
            if run.saved != run.state.step {
                run.checkpoint()?;
            }
        }
        let State { step, end, baseline, best, last, .. } = run.state;
        if end.is_some() && best.is_some() {
            load_parameters(model, &self.folder)?;
        }
        Ok(Outcome { step, end, baseline, best, last })
    }
}

fn loss(config: &TrainConfig, device: Device) -> Result<MultiTaskLoss> {
    let weighting = config.weighting.clone();
    Ok(MultiTaskLoss::new(config.reduction, weighting, Task::ALL.len(), device)?)
}

fn optimizer(config: &TrainConfig, parameters: Vec<(String, Tensor)>) -> Result<Optimizer> {
    Ok(match config.adafactor {
        Some(settings) => Optimizer::Adafactor(Adafactor::new(parameters, settings)?),
        None => Optimizer::AdamW(AdamW::new(parameters, config.adam)?),
    })
}

fn numbers(parameters: &[(String, Tensor)]) -> usize {
    parameters.iter().map(|(_, tensor)| tensor.numel()).sum()
}

/// A call of [`Trainer::train`] under way.
struct Run<'a, M: ?Sized> {
    config: &'a TrainConfig,
    folder: &'a Path,
    model: &'a M,
    visits: Visits<'a>,
    validation: &'a Dataset,
    device: Device,
    optimizer: Optimizer,
    loss: MultiTaskLoss,
    soft: Option<&'a SoftTargets>,
    log: Appender,
    state: State,
    /// The step of the checkpoint on disk.
    saved: u64,
    steps: u64,
    /// The order of the epoch at hand.
    order: Option<(u64, Vec<Vec<usize>>)>,
    /// Seconds and tokens since the last line of the log, in this process.
    seconds: f64,
    tokens: u64,
}

/// What a step leaves besides new parameters.
struct Step {
    sums: Sums,
    weights: Vec<f64>,
    gradient_norm: f64,
    cosine: Option<f64>,
    learning_rate: f64,
}

impl<'a, M: Trainable + ?Sized> Run<'a, M> {
    fn start(
        trainer: &'a Trainer,
        model: &'a M,
        training: &'a Dataset,
        validation: &'a Dataset,
    ) -> Result<Run<'a, M>> {
        let Trainer { config, folder, soft, .. } = trainer;
        if config.soft.is_some() && training.has_soft() && soft.is_none() {
            let reason =
                "the vocabularies are not known to be the same: call Trainer::with_teacher";
            return Err(StudentCoreError::setting("soft", reason));
        }
        let parameters = model.parameters();
        let device = parameters.first().map_or(Device::Cpu, |(_, tensor)| tensor.device());
        let mut loss = loss(config, device)?;
        let fixed = match &config.weighting {
            Weighting::Fixed { weights } => Some(weights),
            _ => None,
        };
        if !Task::ALL.iter().enumerate().any(|(index, &task)| {
            training.has(task) && fixed.is_none_or(|weights| weights[index] > 0.0)
        }) {
            let reason = "no example of a task that counts".to_owned();
            return Err(StudentCoreError::Data(reason));
        }
        let numbers = numbers(&parameters);
        let mut optimizer = optimizer(config, parameters)
            .map_err(|error| StudentCoreError::Optimizer { numbers, error: Box::new(error) })?;
        if let Some(parameter) = loss.weights.parameter() {
            optimizer.add_without_decay("task_weights.log_variance", parameter.shallow_clone())?;
        }
        optimizer.zero_gradients()?;
        let visits = Visits {
            data: training,
            seed: config.seed,
            batch: config.batch,
            pool: config.length_pool,
        };
        let epochs = config.max_epochs.map(|epochs| epochs.saturating_mul(visits.steps() as u64));
        let steps = epochs.unwrap_or(u64::MAX).min(config.max_steps.unwrap_or(u64::MAX));

        let fresh = State {
            version: 1,
            config: config.clone(),
            data: [training, validation].map(|data| format!("{:016x}", data.fingerprint())),
            tensors: String::new(),
            step: 0,
            end: None,
            interval: Sums::default(),
            epoch: Sums::default(),
            epochs: Vec::new(),
            reference: PerTask::default(),
            baseline: None,
            last: None,
            best: None,
            evaluations_since_best: 0,
        };
        std::fs::create_dir_all(folder).map_err(io_error("make folder", folder))?;
        let found = State::read(folder)?;
        if let Some(state) = &found {
            state.check(folder, &fresh)?;
        }
        let log = open_log(&folder.join(METRICS_FILE), found.as_ref().map(|state| state.step))?;
        let state = match found {
            Some(state) => {
                state.restore(folder, &mut optimizer, &mut loss.weights)?;
                info!(step = state.step, of = steps, "training goes on");
                state
            }
            None => fresh,
        };
        Ok(Run {
            config,
            folder,
            model,
            visits,
            validation,
            device,
            optimizer,
            loss,
            soft: soft.as_ref(),
            log,
            saved: state.step,
            state,
            steps,
            order: None,
            seconds: 0.0,
            tokens: 0,
        })
    }

    /// One step and whatever is due after it.
    fn advance(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<()> {
        let start = Instant::now();
        let step = self.step()?;
        let config = self.config;
        self.state.step += 1;
        self.state.interval.add(&step.sums);
        self.state.epoch.add(&step.sums);
        self.seconds += start.elapsed().as_secs_f64();
        self.tokens += step.sums.tokens;
        let done = self.state.step;
        let per_epoch = self.visits.steps() as u64;
        let last = done >= self.steps;

        progress(&Progress {
            step: done,
            of: self.steps,
            epoch: self.epoch(),
            loss: step.sums.means(),
            learning_rate: step.learning_rate,
            tokens_per_second: self.tokens as f64 / self.seconds.max(1e-9),
            validation: None,
            best: false,
        });
        if last || done.is_multiple_of(config.log_every) {
            self.log_training(&step)?;
        }
        if done.is_multiple_of(per_epoch) {
            let means = self.state.epoch.means();
            self.loss.weights.end_epoch(&Task::ALL.map(|task| means.of(task).unwrap_or(0.0)))?;
            self.state.epoch = Sums::default();
        }
        let evaluate = last || done.is_multiple_of(config.evaluate_every.unwrap_or(per_epoch));
        if evaluate {
            self.evaluate(progress)?;
        }
        if last {
            self.state.end = Some(End::Complete);
        } else if config.patience.is_some_and(|most| self.state.evaluations_since_best >= most) {
            self.state.end = Some(End::EarlyStop);
        }
        if evaluate || config.checkpoint_every.is_some_and(|every| done.is_multiple_of(every)) {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Epochs done, with a fraction.
    fn epoch(&self) -> f64 {
        self.state.step as f64 / self.visits.steps().max(1) as f64
    }

    /// Forward, backward and update.
    fn step(&mut self) -> Result<Step> {
        let done = self.state.step;
        let per_epoch = self.visits.steps() as u64;
        let epoch = done / per_epoch;
        if self.order.as_ref().is_none_or(|(of, _)| *of != epoch) {
            self.order = Some((epoch, self.visits.epoch(epoch)));
        }
        let order = self.order.as_ref().map_or(&[][..], |(_, order)| order);
        let items = &order[(done % per_epoch) as usize];
        // What a panic of the model leaves behind is seeded over.
        let generator = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        tch::manual_seed(Random::new(&[self.config.seed, done, DROPOUT]).next() as i64);

        let weights = self.loss.weights.weights(done)?;
        let examples = Task::ALL.map(|task| -> Vec<&Example> {
            let counts = weights[task as usize] > 0.0;
            let draw = |&item: &usize| self.visits.draw(epoch, item, task);
            if counts { items.iter().filter_map(draw).collect() } else { Vec::new() }
        });
        let counts = examples.each_ref().map(|examples| Counts {
            tokens: examples.iter().map(|example| example.target.len() as u64).sum(),
            examples: examples.len() as u64,
        });
        let mut sums = Sums { steps: 1, ..Sums::default() };
        let mut parts = Vec::new();
        let mut gradients = Vec::new();
        for (task, examples) in Task::ALL.into_iter().zip(examples) {
            *sums.targets.of_mut(task) = counts[task as usize].tokens;
            for example in &examples {
                sums.tokens += (example.source.len() + example.target.len()) as u64;
            }
            let mut part: Option<[Tensor; 2]> = None;
            let batches = micro_batches(examples, self.config.micro_batch_tokens);
            for (index, examples) in batches.iter().enumerate() {
                let values = self.backward(examples, task, &counts).map_err(|error| {
                    StudentCoreError::Step {
                        step: done + 1,
                        task,
                        micro_batch: index + 1,
                        micro_batches: batches.len(),
                        shape: BatchShape::of(examples),
                        error: Box::new(error),
                    }
                })?;
                part = Some(match (part, values) {
                    (None, values) => values,
                    (Some([a, b]), [c, d]) => [a.f_add(&c)?, b.f_add(&d)?],
                });
            }
            if let Some([share, nll]) = part {
                parts.push((task, share, nll));
                if self.config.project_conflicts {
                    gradients.push(self.take_gradients()?);
                }
            }
        }
        drop(generator);
        let cosine = if gradients.is_empty() { None } else { self.put_projected(&gradients)? };
        if let Some(regulariser) = self.loss.weights.regulariser()? {
            regulariser.f_backward()?;
            sums.total += regulariser.f_double_value(&[])?;
        }

        let diverged = |what: String| StudentCoreError::Diverged {
            step: done + 1,
            what,
            items: items.clone(),
        };
        for (task, share, nll) in &parts {
            let (share, nll) = (share.f_double_value(&[])?, nll.f_double_value(&[])?);
            sums.total += weights[*task as usize] * share;
            *sums.nll.of_mut(*task) = nll;
            let mean = nll / counts[*task as usize].tokens.max(1) as f64;
            if !mean.is_finite() {
                return Err(diverged(format!("the loss of the {task} task is {mean}")));
            }
            let reference = self.state.reference.of_mut(*task).get_or_insert(mean).max(1.0);
            if mean > self.config.divergence * reference {
                return Err(diverged(format!(
                    "the loss of the {task} task is {mean:.3} a token, it was {reference:.3} or less \
                     before training"
                )));
            }
        }
        let gradient_norm = self.optimizer.gradient_norm()?;
        if !gradient_norm.is_finite() {
            return Err(diverged(format!("the norm of the gradient is {gradient_norm}")));
        }
        let scale = self.config.clip.map_or(1.0, |limit| clip_factor(gradient_norm, limit));
        let factor = self.config.schedule.factor(done, self.steps);
        let learning_rate = self.config.learning_rate * factor;
        let stepped = self.optimizer.step(learning_rate, scale);
        stepped.map_err(|error| StudentCoreError::Optimizer {
            numbers: numbers(&self.model.parameters()),
            error: Box::new(error),
        })?;
        Ok(Step { sums, weights, gradient_norm, cosine, learning_rate })
    }

    /// Adds the gradient of a micro-batch; gives its shares in the loss of its task and in the sum
    /// of token losses.
    fn backward(
        &self,
        examples: &[&Example],
        task: Task,
        counts: &[Counts],
    ) -> Result<[Tensor; 2]> {
        let (index, step) = (task as usize, self.state.step);
        let batch = Batch::new(examples, self.device)?;
        let mask = batch.labels.f_ne(IGNORED)?;
        let weights = self.loss.token_weights(&mask, index, counts, step)?;
        let soft = match self.soft {
            Some(targets) => SoftBatch::new(examples, self.device)?.map(|soft| (soft, targets)),
            None => None,
        };
        let (nll, mask) = match soft {
            Some((soft, targets)) => soft.learn(self.model, &batch, &weights, targets)?,
            None => self.model.learn(&batch, &weights)?,
        };
        let share = self.loss.reduction.share(&nll, &mask, index, counts)?;
        if self.loss.weights.parameter().is_some() {
            // What the rule learns from the loss of its task.
            self.loss.weights.apply(&share, index, step)?.f_backward()?;
        }
        let sum = match self.loss.reduction {
            Reduction::TokenMean => share.f_mul_scalar(counts[index].tokens as f64)?,
            _ => Reduction::Sum.share(&nll, &mask, index, counts)?,
        };
        Ok([share, sum])
    }

    /// The gradients of all parameters, moved out; those of the parameters are then zero.
    fn take_gradients(&self) -> Result<Vec<Tensor>> {
        no_grad(|| {
            let take = |parameter: &Tensor| -> Result<Tensor> {
                let mut taken = parameter.f_zeros_like()?;
                let mut gradient = parameter.f_grad()?;
                if gradient.defined() {
                    taken.f_copy_(&gradient)?;
                    let _ = gradient.f_zero_()?;
                }
                Ok(taken)
            };
            self.optimizer.parameters().into_iter().map(|(_, p)| take(p)).collect()
        })
    }

    fn put_projected(&self, gradients: &[Vec<Tensor>]) -> Result<Option<f64>> {
        let projected = project_conflicts(gradients)?;
        no_grad(|| -> Result<()> {
            for ((_, parameter), from) in
                self.optimizer.parameters().into_iter().zip(&projected.gradient)
            {
                let mut gradient = parameter.f_grad()?;
                // One without a gradient took part in no task.
                if gradient.defined() {
                    gradient.f_copy_(from)?;
                }
            }
            Ok(())
        })?;
        Ok(projected.cosines.first().copied())
    }

    fn log_training(&mut self, step: &Step) -> Result<()> {
        let interval = std::mem::take(&mut self.state.interval);
        let line = TrainMetrics {
            step: self.state.step,
            epoch: self.epoch(),
            loss: interval.means(),
            total: interval.total / interval.steps.max(1) as f64,
            weights: PerTask::from_fn(|task| step.weights[task as usize]),
            gradient_norm: step.gradient_norm,
            cosine: step.cosine,
            learning_rate: step.learning_rate,
            tokens: interval.tokens,
            timing: Timing {
                seconds: self.seconds,
                tokens_per_second: self.tokens as f64 / self.seconds.max(1e-9),
                memory_mb: resident_mb(),
            },
        };
        (self.seconds, self.tokens) = (0.0, 0);
        debug!(step = line.step, total = line.total, norm = line.gradient_norm, "trained");
        self.log.append(&Metrics::Train(line))?;
        Ok(())
    }

    /// Evaluates, if there is validation data of a task that counts, logs it and keeps the parameters if they are the
    /// best.
    fn evaluate(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<()> {
        let weights = self.config.validation_weights();
        let counts = |&task: &Task| weights[task as usize] > 0.0 && self.validation.has(task);
        if !Task::ALL.iter().any(counts) {
            return Ok(());
        }
        let start = Instant::now();
        let tokens = self.config.evaluation_tokens;
        let mut evaluation = evaluate(self.model, self.validation, weights, tokens)?;
        evaluation.step = self.state.step;
        if !evaluation.total.is_finite() {
            return Err(StudentCoreError::Diverged {
                step: self.state.step,
                what: format!("the validation loss is {}", evaluation.total),
                items: Vec::new(),
            });
        }
        let best = self
            .state
            .best
            .as_ref()
            .is_none_or(|best| evaluation.total < best.total - self.config.min_improvement);
        let seconds = start.elapsed().as_secs_f64();
        let targets = evaluation.tokens.pseudocode + evaluation.tokens.code;
        let line = ValidationMetrics {
            step: evaluation.step,
            epoch: self.epoch(),
            loss: evaluation.loss,
            total: evaluation.total,
            best,
            timing: Timing {
                seconds,
                tokens_per_second: targets as f64 / seconds.max(1e-9),
                memory_mb: resident_mb(),
            },
        };
        info!(step = line.step, total = line.total, best, "evaluated");
        self.log.append(&Metrics::Validation(line))?;
        progress(&Progress {
            step: self.state.step,
            of: self.steps,
            epoch: self.epoch(),
            loss: PerTask::default(),
            learning_rate: 0.0,
            tokens_per_second: self.tokens as f64 / self.seconds.max(1e-9),
            validation: Some(&evaluation),
            best,
        });
        if self.state.baseline.is_none() {
            self.state.baseline = Some(evaluation.clone());
            self.state.reference = evaluation.loss;
        }
        if best {
            save_parameters(self.model, self.folder)?;
            self.state.best = Some(evaluation.clone());
            self.state.evaluations_since_best = 0;
        } else {
            self.state.evaluations_since_best += 1;
        }
        self.state.last = Some(evaluation);
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        if self.state.best.is_none() {
            save_parameters(self.model, self.folder)?;
        }
        self.log.sync()?;
        self.state.save(self.folder, &self.optimizer, &self.loss.weights)?;
        self.saved = self.state.step;
        debug!(step = self.saved, "checkpoint");
        Ok(())
    }
}
