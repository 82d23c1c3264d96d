//! Decodes a batch of token ids with a T5 folder, and times it:
//! `t5_generate DIR --ids FILE [--beams 1] [--n-best 1] [--max-new 64] [--min-new 0]
//! [--length-penalty 1.0] [--threads 1] [--repeat 1]`.
//!
//! `DIR` is in the Hugging Face layout; no tokenizer is needed. `FILE` is a JSON array of arrays of
//! ids, taken as one batch. Prints one JSON object: `sequences` (for each source its n best texts,
//! without the start token, up to and with the first end token), their `scores` (sum of
//! log-probabilities / length^penalty) and the `seconds` of each repetition, loading left out.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use student_core::decode::{Hypothesis, decode};
use student_core::{Batch, Example};
use student_t5::{GenerationConfig, T5};
use tch::Device;

/// Decodes a batch of token ids with a T5 folder, and times it.
#[derive(Parser)]
struct Arguments {
    /// A model folder in the Hugging Face layout.
    dir: PathBuf,
    /// A JSON array of arrays of token ids: the batch.
    #[arg(long)]
    ids: PathBuf,
    /// Beams; 1 is greedy.
    #[arg(long, default_value_t = 1)]
    beams: usize,
    /// Texts wanted for each source.
    #[arg(long, default_value_t = 1)]
    n_best: usize,
    /// Most new tokens.
    #[arg(long, default_value_t = 64)]
    max_new: usize,
    /// No end token before so many tokens.
    #[arg(long, default_value_t = 0)]
    min_new: usize,
    /// Exponent of the length that scores are divided by.
    #[arg(long, default_value_t = 1.0)]
    length_penalty: f64,
    /// Threads of libtorch.
    #[arg(long, default_value_t = 1)]
    threads: i32,
    /// Runs to time.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tch::set_num_threads(arguments.threads);
    let model = T5::load(&arguments.dir, Device::Cpu)?;
    // How the folder says that texts end and are judged, but for what is asked for here.
    let config = GenerationConfig {
        num_beams: Some(arguments.beams),
        num_return_sequences: Some(arguments.n_best),
        max_new_tokens: Some(arguments.max_new),
        min_new_tokens: Some(arguments.min_new),
        length_penalty: Some(arguments.length_penalty),
        do_sample: Some(false),
        ..GenerationConfig::load(&arguments.dir)?
    };
    let options = config.options(model.config())?;

    let file = &arguments.ids;
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file:?}"))?;
    let ids: Vec<Vec<i64>> = serde_json::from_str(&text)
        .with_context(|| format!("{file:?} is no JSON array of arrays of token ids"))?;
    let examples: Vec<Example> =
        ids.into_iter().map(|source| Example::new(source, Vec::new())).collect();
    let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), Device::Cpu)?;

    let mut found: Vec<Vec<Hypothesis>> = Vec::new();
    let mut seconds = Vec::new();
    for _ in 0..arguments.repeat.max(1) {
        let start = Instant::now();
        found = decode(&model, &batch.source, &batch.source_mask, &options)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let each = |of: fn(&Hypothesis) -> serde_json::Value| -> Vec<Vec<serde_json::Value>> {
        found.iter().map(|best| best.iter().map(of).collect()).collect()
    };
    let result = json!({
        "sequences": each(|text| json!(text.tokens)),
        "scores": each(|text| json!(text.score)),
        "seconds": seconds,
    });
    println!("{result}");
    Ok(())
}
