//! The commands that weigh results: `compare` here, the others in files of their own.

mod human;
mod passk;
mod security;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use codebleu::{UNIFORM, Weights, parse_weights};
use distill::compare::{self, CompareOptions, ScoreFile};
use evaluation_statistics::Plan;

pub(crate) use human::{HumanCommand, human};
pub(crate) use passk::{PasskArguments, passk};
pub(crate) use security::{SecurityArguments, security};

#[derive(Args)]
pub(crate) struct CompareArguments {
    /// Score files: an object a line with `id` (or `problem`), `seed` where there are several, and
    /// scores, as `codebleu score --per-pair --json` and a run's scores.jsonl have them.
    a: PathBuf,
    /// The file to compare with.
    b: PathBuf,
    /// Compare this field (several: repeat); all that are numbers where left out.
    #[arg(long, value_name = "FIELD")]
    metric: Vec<String>,
    /// Only the lines with this value in this field.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field_value)]
    only: Vec<(String, String)>,
    /// As `--only`, of A.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field_value)]
    only_a: Vec<(String, String)>,
    /// As `--only`, of B.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field_value)]
    only_b: Vec<(String, String)>,
    /// The weights that CodeBLEU was computed with: n-gram, weighted n-gram, syntax, dataflow.
    #[arg(long, value_parser = parse_weights, value_name = "A,B,C,D")]
    weights: Option<Weights>,
    #[command(flatten)]
    plan: PlanArguments,
    /// One JSON object a figure.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct PlanArguments {
    /// Resamples for intervals and p.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    resamples: u32,
    /// Seed of the resamples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl PlanArguments {
    pub(crate) fn plan(&self) -> Plan {
        Plan { resamples: self.resamples, seed: self.seed, ..Plan::default() }
    }
}

fn field_value(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("expected FIELD=VALUE")?;
    Ok((field.to_owned(), value.to_owned()))
}

pub(crate) fn compare(arguments: &CompareArguments) -> Result<()> {
    let read =
        |path, own: &[(String, String)]| ScoreFile::read(path, &[&arguments.only, own].concat());
    let a = read(&arguments.a, &arguments.only_a)?;
    let b = read(&arguments.b, &arguments.only_b)?;
    let options = CompareOptions {
        metrics: arguments.metric.clone(),
        weights: arguments.weights.unwrap_or(UNIFORM),
        plan: arguments.plan.plan(),
    };
    let differences = compare::compare(&a, &b, &options)?;
    let mut output = std::io::stdout().lock();
    match arguments.json {
        true => json_lines(&mut output, &differences)?,
        false => output.write_all(compare::table(&differences).as_bytes())?,
    }
    Ok(())
}

/// One JSON object a record.
fn json_lines<T: serde::Serialize>(output: &mut impl Write, records: &[T]) -> Result<()> {
    for record in records {
        serde_json::to_writer(&mut *output, record).map_err(std::io::Error::from)?;
        output.write_all(b"\n")?;
    }
    Ok(output.flush()?)
}
