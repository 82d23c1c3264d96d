//! Times training steps of a T5 folder on random ids:
//! `t5_train_step DIR [--batch 16] [--source 128] [--target 128] [--threads 2] [--steps 4]
//! [--dropout 0.1] [--lr 1e-4] [--lengths FILE [--micro-batch-tokens N]]`.
//!
//! A step is what a trainer does: forward with dropout, backward, AdamW, gradients back to zero.
//! Prints one JSON object: the `seconds` of each step but the first, `tokens_per_second` (source and
//! target tokens, over the median step), `peak_mb` (most memory the process ever held, in MiB) and
//! the `loss` of each step.
//!
//! With `--lengths`, a JSON array of `[source, target]`, the steps are made of examples of these
//! lengths as the trainer makes them: one epoch in its order, each step cut into micro-batches; the
//! first step is run twice. `tokens_per_second` are then those of the examples, padding not counted,
//! over the whole epoch.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use distill_core::Task;
use serde_json::json;
use student_core::batching::{Visits, micro_batches};
use student_core::optimizer::{AdamSettings, AdamW};
use student_core::{Batch, Dataset, Example, Item, Trainable};
use student_t5::T5;
use tch::{Device, Kind, Tensor};

/// Times training steps of a T5 folder on random ids.
#[derive(Parser)]
struct Arguments {
    /// A model folder in the Hugging Face layout.
    dir: PathBuf,
    /// Rows.
    #[arg(long, default_value_t = 16)]
    batch: i64,
    /// Tokens of each source.
    #[arg(long, default_value_t = 128)]
    source: i64,
    /// Tokens of each target.
    #[arg(long, default_value_t = 128)]
    target: i64,
    /// Threads of libtorch.
    #[arg(long, default_value_t = 2)]
    threads: i32,
    /// Steps, the first of which is not timed.
    #[arg(long, default_value_t = 4)]
    steps: usize,
    /// Probability that training drops an activation.
    #[arg(long, default_value_t = 0.1)]
    dropout: f64,
    /// Learning rate.
    #[arg(long, default_value_t = 1e-4)]
    lr: f64,
    /// A JSON array of `[source, target]`: lengths of the examples of an epoch.
    #[arg(long)]
    lengths: Option<PathBuf>,
    /// Padded tokens of a micro-batch, with `--lengths`.
    #[arg(long, default_value_t = 4096)]
    micro_batch_tokens: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tch::set_num_threads(arguments.threads);
    tch::manual_seed(0);
    let mut model = T5::load(&arguments.dir, Device::Cpu)?;
    model.set_dropout(arguments.dropout)?;
    let settings = AdamSettings { weight_decay: 0.01, ..AdamSettings::default() };
    let mut optimizer = AdamW::new(model.parameters(), settings)?;
    let steps = match &arguments.lengths {
        Some(file) => epoch(&arguments, file, &model)?,
        None => vec![vec![square(&arguments, &model)?]; arguments.steps],
    };

    let (mut seconds, mut losses) = (Vec::new(), Vec::new());
    for step in &steps {
        let start = Instant::now();
        let mut loss = 0.0;
        // The loss is the mean over all tokens of the step.
        let count: i64 = step.iter().map(|batch| batch.targets).sum();
        for batch in step {
            let wanted = batch.batch.labels.f_ge(0)?.f_to_kind(Kind::Float)?;
            let weights = wanted.f_mul_scalar(1.0 / count as f64)?;
            let (nll, _) = model.learn(&batch.batch, &weights)?;
            loss += (nll * &weights).f_sum(Kind::Float)?.f_double_value(&[])?;
        }
        optimizer.step(arguments.lr, 1.0)?;
        losses.push(loss);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let seconds = seconds.split_off(1.min(seconds.len()));
    let tokens: i64 = steps.iter().skip(1).flatten().map(|batch| batch.tokens).sum();
    let mut sorted = seconds.clone();
    sorted.sort_by(f64::total_cmp);
    let per_second = match arguments.lengths {
        Some(_) => Some(tokens as f64 / seconds.iter().sum::<f64>()),
        None => {
            let each = tokens as f64 / seconds.len() as f64;
            sorted.get(sorted.len() / 2).map(|median| each / median)
        }
    };
    let result = json!({
        "seconds": seconds,
        "tokens_per_second": per_second,
        "peak_mb": peak_mb(),
        "loss": losses,
    });
    println!("{result}");
    Ok(())
}

/// A batch and what is in it.
struct Sized {
    batch: Batch,
    /// Source and target tokens, without padding.
    tokens: i64,
    targets: i64,
}

impl Clone for Sized {
    fn clone(&self) -> Sized {
        let Batch { source, source_mask, labels } = &self.batch;
        let batch = Batch {
            source: source.shallow_clone(),
            source_mask: source_mask.shallow_clone(),
            labels: labels.shallow_clone(),
        };
        Sized { batch, ..*self }
    }
}

/// Rows of one length.
fn square(arguments: &Arguments, model: &T5) -> anyhow::Result<Sized> {
    let vocabulary = model.config().vocab_size;
    let ids = |length: i64| {
        let shape = [arguments.batch, length];
        Tensor::f_randint_low(5.min(vocabulary - 1), vocabulary, shape, (Kind::Int64, Device::Cpu))
    };
    let source = ids(arguments.source)?;
    let batch =
        Batch { source_mask: source.f_ones_like()?, source, labels: ids(arguments.target)? };
    let targets = arguments.batch * arguments.target;
    Ok(Sized { batch, tokens: targets + arguments.batch * arguments.source, targets })
}

/// An epoch over examples of these lengths; its first step stands there twice.
fn epoch(arguments: &Arguments, file: &PathBuf, model: &T5) -> anyhow::Result<Vec<Vec<Sized>>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file:?}"))?;
    let lengths: Vec<(usize, usize)> = serde_json::from_str(&text)
        .with_context(|| format!("{file:?} is no JSON array of pairs of lengths"))?;
    let vocabulary = model.config().vocab_size;
    let ids = |place: usize, length: usize| -> Vec<i64> {
        // Any ids will do; these are spread over the vocabulary.
        (0..length).map(|at| ((place * 7919 + at * 104_729) as i64) % vocabulary).collect()
    };
    let items = lengths.iter().enumerate().map(|(place, &(source, target))| {
        let example = Example::new(ids(place, source), ids(place + 1, target));
        Item { pseudocode: Vec::new(), code: vec![example] }
    });
    let data = Dataset::new(items.collect())?;
    let visits = Visits { data: &data, seed: 0, batch: arguments.batch as usize, pool: 50 };
    let mut steps = Vec::new();
    for items in visits.epoch(0) {
        let examples: Vec<&Example> =
            items.iter().filter_map(|&item| visits.draw(0, item, Task::Code)).collect();
        let mut step = Vec::new();
        for examples in micro_batches(examples, Some(arguments.micro_batch_tokens)) {
            let count = |length: fn(&Example) -> usize| -> i64 {
                examples.iter().map(|example| length(example) as i64).sum()
            };
            let targets = count(|example| example.target.len());
            let tokens = targets + count(|example| example.source.len());
            step.push(Sized { batch: Batch::new(&examples, Device::Cpu)?, tokens, targets });
        }
        steps.push(step);
    }
    let first = steps.first().cloned().context("no lengths")?;
    steps.insert(0, first);
    Ok(steps)
}

/// The most memory that this process ever had resident, in MiB, where the system tells.
fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
