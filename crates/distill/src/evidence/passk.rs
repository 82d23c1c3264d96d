//! `distill passk`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use distill::{DistillError, passk};
use pass_at_k::Judge;
use pass_at_k::sandbox::{Isolation, Launcher, Sandbox};

use super::{PlanArguments, json_lines};
use crate::cli::{FilterArguments, filter};

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

pub(crate) fn passk(arguments: &PasskArguments) -> Result<()> {
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
        let refused = passk::run(&judge, arguments.reasons, &pool, input, path, output)?;
        if refused.count > 0 {
            eprintln!("{} candidates were refused; the first, {}", refused.count, refused.first);
        }
        Ok(())
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
