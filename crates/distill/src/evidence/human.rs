//! `distill human`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use distill::{DistillError, human};
use human_study::correlation::{MetricScores, correlate};
use human_study::{Design, Ratings, report};

use super::{PlanArguments, json_lines};

#[derive(Subcommand)]
pub(crate) enum HumanCommand {
    /// Write blinded rating sheets (HTML and CSV) and the key that tells whose answers they hold.
    Export(ExportArguments),
    /// Read filled-in sheets and write `item,system,rater,criterion,score` as CSV.
    Import(ImportArguments),
    /// Means, agreement, tests and disagreements.
    Report(RatingsArguments),
    /// Krippendorff's alpha of each criterion.
    Agreement(RatingsArguments),
    /// Which metric ranks answers as people do.
    Correlate(CorrelateArguments),
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    /// JSONL `{item, system, query, answer}`, or the folder of a run: the best answers of its students.
    answers: PathBuf,
    /// The folder to write: `sheets/` to hand out, `key.jsonl` to keep.
    #[arg(long)]
    out: PathBuf,
    /// People who rate.
    #[arg(long)]
    raters: usize,
    /// Problems that each of them rates; all where left out.
    #[arg(long)]
    per_rater: Option<usize>,
    /// Seed of every order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
pub(crate) struct ImportArguments {
    /// The study's `key.jsonl`.
    #[arg(long)]
    key: PathBuf,
    /// What raters saved, or the sheets' CSV filled in.
    #[arg(required = true)]
    sheets: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct RatingsArguments {
    /// CSV `item,system,rater,criterion,score`; standard input where left out or `-`.
    file: Option<PathBuf>,
    #[command(flatten)]
    plan: PlanArguments,
    /// Write JSON: one object, or for agreement one a criterion.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct CorrelateArguments {
    /// CSV `item,system,rater,criterion,score`.
    ratings: PathBuf,
    /// JSONL with `item` and `system`, in a line or in its `id`, and scores. `NAME=FILE` puts a name
    /// before each score's.
    #[arg(required = true)]
    scores: Vec<String>,
    /// What the answers were rated for; the first criterion where left out.
    #[arg(long)]
    criterion: Option<String>,
    #[command(flatten)]
    plan: PlanArguments,
    /// One JSON object a metric.
    #[arg(long)]
    json: bool,
}

pub(crate) fn human(command: &HumanCommand) -> Result<()> {
    match command {
        HumanCommand::Export(arguments) => {
            let design = Design {
                raters: arguments.raters,
                per_rater: arguments.per_rater,
                seed: arguments.seed,
            };
            let stimuli = human::stimuli(&arguments.answers)?;
            let (sheets, rows) = human::export(&stimuli, &design, &arguments.out)?;
            println!("{sheets} sheets of {rows} answers in {}", arguments.out.display());
            Ok(())
        }
        HumanCommand::Import(arguments) => {
            let ratings = human::import(&arguments.key, &arguments.sheets)?;
            Ok(ratings.write(std::io::stdout().lock())?)
        }
        HumanCommand::Report(arguments) => {
            let report = report(&read(arguments.file.as_deref())?, &arguments.plan.plan())?;
            let mut output = std::io::stdout().lock();
            match arguments.json {
                true => json_lines(&mut output, &[report]),
                false => Ok(output.write_all(report.markdown().as_bytes())?),
            }
        }
        HumanCommand::Agreement(arguments) => agreement(arguments),
        HumanCommand::Correlate(arguments) => correlation(arguments),
    }
}

fn read(file: Option<&Path>) -> Result<Ratings> {
    Ok(match file.filter(|file| *file != Path::new("-")) {
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
            Ratings::read(file, &name)?
        }
        None => Ratings::read(std::io::stdin().lock(), "standard input")?,
    })
}

fn agreement(arguments: &RatingsArguments) -> Result<()> {
    let found = read(arguments.file.as_deref())?.agreement(&arguments.plan.plan())?;
    let mut output = std::io::stdout().lock();
    if arguments.json {
        return json_lines(&mut output, &found);
    }
    writeln!(output, "nominal ordinal interval  answers raters  criterion")?;
    for line in found {
        writeln!(
            output,
            "{:7.3} {:7.3} {:8.3}  {:7} {:6}  {}",
            line.nominal, line.ordinal, line.interval, line.units, line.raters, line.criterion
        )?;
    }
    Ok(())
}

fn correlation(arguments: &CorrelateArguments) -> Result<()> {
    let ratings = read(Some(&arguments.ratings))?;
    let mut scores = MetricScores::new();
    for argument in &arguments.scores {
        let (prefix, path) = match argument.split_once('=') {
            Some((name, path)) => (format!("{name} "), path),
            None => (String::new(), argument.as_str()),
        };
        human::metric_scores(Path::new(path), &prefix, &mut scores)?;
    }
    let first = ratings.criteria().first().map(|criterion| (*criterion).to_owned());
    let criterion = arguments.criterion.clone().or(first);
    let criterion = criterion.ok_or_else(|| DistillError::Nothing("no ratings".into()))?;
    let found = correlate(&ratings, &criterion, &scores, &arguments.plan.plan())?;
    let mut output = std::io::stdout().lock();
    if arguments.json {
        return json_lines(&mut output, &found);
    }
    writeln!(output, "| metric | Kendall τ-b | Spearman ρ | τ-b below the best |")?;
    writeln!(output, "| --- | --- | --- | --- |")?;
    for line in found {
        writeln!(
            output,
            "| {} | {:.3} [{:.3}, {:.3}] | {:.3} [{:.3}, {:.3}] | {:.3} [{:.3}, {:.3}] |",
            line.metric,
            line.kendall,
            line.kendall_low,
            line.kendall_high,
            line.spearman,
            line.spearman_low,
            line.spearman_high,
            line.behind_best,
            line.behind_low,
            line.behind_high,
        )?;
    }
    Ok(())
}
