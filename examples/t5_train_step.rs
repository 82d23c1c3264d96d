//! Times training steps of a T5 folder on random ids:
//! `t5_train_step DIR [--batch 16] [--source 128] [--target 128] [--threads 2] [--steps 4]
//! [--dropout 0.1] [--lr 1e-4]`.
//!
//! A step is what a trainer does: forward with dropout, backward, AdamW, gradients back to zero.
//! Prints one JSON object: the `seconds` of each step but the first, `tokens_per_second` (source and
//! target tokens, over the median step), `peak_mb` (most memory the process ever held, in MiB) and
//! the `loss` of each step.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use serde_json::json;
use student_core::optimizer::{AdamSettings, AdamW};
use student_core::{Batch, Trainable};
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
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tch::set_num_threads(arguments.threads);
    tch::manual_seed(0);
    let mut model = T5::load(&arguments.dir, Device::Cpu)?;
    model.set_dropout(arguments.dropout)?;
    let vocabulary = model.config().vocab_size;
    let ids = |length: i64| {
        let shape = [arguments.batch, length];
        Tensor::f_randint_low(5.min(vocabulary - 1), vocabulary, shape, (Kind::Int64, Device::Cpu))
    };
    let source = ids(arguments.source)?;
    let batch =
        Batch { source_mask: source.f_ones_like()?, source, labels: ids(arguments.target)? };
    let settings = AdamSettings { weight_decay: 0.01, ..AdamSettings::default() };
    // The loss is the mean over all tokens.
    let count = (arguments.batch * arguments.target) as f64;
    let weights = batch.labels.f_to_kind(Kind::Float)?.f_fill_(1.0 / count)?;
    let mut optimizer = AdamW::new(model.parameters(), settings)?;

    let (mut seconds, mut losses) = (Vec::new(), Vec::new());
    for _ in 0..arguments.steps {
        let start = Instant::now();
        let (nll, _) = model.learn(&batch, &weights)?;
        optimizer.step(arguments.lr, 1.0)?;
        losses.push((nll * &weights).f_sum(Kind::Float)?.f_double_value(&[])?);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let seconds = seconds.split_off(1.min(seconds.len()));
    let mut sorted = seconds.clone();
    sorted.sort_by(f64::total_cmp);
    let tokens = (arguments.batch * (arguments.source + arguments.target)) as f64;
    let result = json!({
        "seconds": seconds,
        "tokens_per_second": sorted.get(sorted.len() / 2).map(|median| tokens / median),
        "peak_mb": peak_mb(),
        "loss": losses,
    });
    println!("{result}");
    Ok(())
}

/// The most memory that this process ever had resident, in MiB, where the system tells.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
