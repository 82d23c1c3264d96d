//! The commands that weigh results: compare, passk.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use codebleu::{UNIFORM, Weights};
use distill::compare::{self, CompareOptions, ScoreFile};
use distill::{DistillError, passk};
use evaluation_statistics::Plan;
use pass_at_k::Judge;
use pass_at_k::sandbox::{Isolation, Launcher, Sandbox};

use crate::cli::{FilterArguments, filter};

#[derive(Args)]
pub struct CompareArguments {
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
    #[arg(long, value_parser = weights, value_name = "A,B,C,D")]
    weights: Option<Weights>,
    #[command(flatten)]
    plan: PlanArguments,
    /// One JSON object a figure.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct PlanArguments {
    /// Resamples for intervals and p.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    resamples: u32,
    /// Seed of the resamples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl PlanArguments {
    fn plan(&self) -> Plan {
        Plan { resamples: self.resamples, seed: self.seed, ..Plan::default() }
    }
}

fn field_value(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("expected FIELD=VALUE")?;
    Ok((field.to_owned(), value.to_owned()))
}

fn weights(text: &str) -> Result<Weights, String> {
    let parts: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let weights: Option<Weights> = parts.ok().and_then(|parts| parts.try_into().ok());
    weights.ok_or_else(|| "expected four numbers".to_owned())
}

pub fn compare(arguments: &CompareArguments) -> Result<()> {
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

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PasskArguments {
    #[command(subcommand)]
    command: Option<PasskCommand>,
    #[command(flatten)]
    input: FilterArguments,
    /// Seconds that a candidate's tests may take.
    #[arg(long, default_value_t = 10.0)]
    timeout: f64,
    /// MiB of memory that a candidate may use.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(64..))]
    memory: u64,
    /// Candidates run at a time; one a processor where left out.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Also say why, in `reason`.
    #[arg(long)]
    reasons: bool,
    /// Run candidates with limits alone where no sandbox can be had: they can then do all that you
    /// can. For machines that are thrown away afterwards.
    #[arg(long)]
    unsafe_no_sandbox: bool,
}

#[derive(Subcommand)]
enum PasskCommand {
    /// pass@k from the outcomes of several candidates a problem.
    Report(PasskReportArguments),
}

#[derive(Args)]
struct PasskReportArguments {
    /// What `distill passk --json` wrote; candidates for the same problem have the same `id`, or a
    /// `problem` of their own.
    file: PathBuf,
    /// The numbers of answers drawn (comma between them).
    #[arg(long, value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    k: Vec<u64>,
    #[command(flatten)]
    plan: PlanArguments,
    /// One JSON object a k.
    #[arg(long)]
    json: bool,
}

pub fn passk(arguments: &PasskArguments) -> Result<()> {
    if let Some(PasskCommand::Report(arguments)) = &arguments.command {
        return passk_report(arguments);
    }
    if !(arguments.timeout > 0.0 && arguments.timeout.is_finite()) {
        return Err(DistillError::Config("--timeout must be above 0".into()).into());
    }
    let launcher = Launcher::this_program()?;
    let sandbox = match Sandbox::new(launcher.clone()) {
        Ok(sandbox) => Some(sandbox),
        Err(error) if arguments.unsafe_no_sandbox => {
            eprintln!("warning: candidates run without walls: {error}");
            Some(Sandbox::with(launcher, Isolation::None)?)
        }
        Err(error) => {
            eprintln!("every candidate is refused: {error}");
            None
        }
    };
    let mut judge = Judge::new(sandbox, arguments.timeout);
    judge.limits.memory = arguments.memory << 20;
    let jobs = usize::from(arguments.jobs.unwrap_or(0));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).use_current_thread().build()?;
    filter(&arguments.input, |input, path, output| {
        passk::run(&judge, arguments.reasons, &pool, input, path, output)
    })
}

fn passk_report(arguments: &PasskReportArguments) -> Result<()> {
    let found = passk::report(&arguments.file, &arguments.k, &arguments.plan.plan())?;
    let mut output = std::io::stdout().lock();
    if arguments.json {
        return json_lines(&mut output, &found);
    }
    for line in found {
        match (line.pass, line.low, line.high) {
            (Some(pass), Some(low), Some(high)) => writeln!(
                output,
                "pass@{} = {pass:.4} [{low:.4}, {high:.4}], {} problems, {} answers, {} refused",
                line.k, line.problems, line.answers, line.refused
            )?,
            _ => writeln!(
                output,
                "pass@{}: {} of {} problems have fewer answers",
                line.k, line.too_few, line.problems
            )?,
        }
    }
    Ok(())
}
