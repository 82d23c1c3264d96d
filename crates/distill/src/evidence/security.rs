//! `distill security`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use distill::security::NotAnalysed;
use distill::{DistillError, security};
use security_scan::{Manifest, folder, sarif, semgrep};

use super::{PlanArguments, json_lines};

#[derive(Args)]
pub(crate) struct SecurityArguments {
    /// JSONL `{id, language, code, student}`, or the folder of a run. Without it only the logs are read.
    #[arg(required_unless_present_any = ["sarif", "out"])]
    candidates: Option<PathBuf>,
    /// Where the candidates' files are written, or, without candidates, were written before: a new or
    /// empty folder, or one that this command wrote.
    #[arg(long, required_unless_present = "sarif")]
    out: Option<PathBuf>,
    /// Rules of Semgrep, a file or a folder: scan the candidates with them.
    #[arg(long, requires = "out")]
    rules: Option<PathBuf>,
    /// Semgrep.
    #[arg(long, default_value = "semgrep")]
    semgrep: String,
    /// Logs of other analysers (SARIF 2.1.0) on the files.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    sarif: Vec<PathBuf>,
    #[command(flatten)]
    plan: PlanArguments,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn security(arguments: &SecurityArguments) -> Result<()> {
    let manifest = match (&arguments.candidates, &arguments.out) {
        (Some(candidates), Some(out)) => {
            Some(folder::write(&security::candidates(candidates)?, out)?)
        }
        (None, Some(out)) => Some(Manifest::read(out)?),
        (Some(_), None) => {
            return Err(DistillError::Config("give --out, a folder for the files".into()).into());
        }
        (None, None) => None,
    };
    let mut logs = Vec::new();
    if let (Some(rules), Some(out)) = (&arguments.rules, &arguments.out) {
        if !semgrep::is_installed(&arguments.semgrep) {
            return Err(DistillError::Config(format!(
                "{} does not start: install it (`pip install semgrep`), name it with --semgrep, or \
                 leave --rules out and pass another analyser's log with --sarif",
                arguments.semgrep
            ))
            .into());
        }
        logs.push(semgrep::scan(&arguments.semgrep, rules, out)?);
    }
    for path in &arguments.sarif {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
        logs.push(sarif::read(BufReader::new(file), &name)?);
    }
    let mut output = std::io::stdout().lock();
    if let (true, Some(manifest)) = (logs.is_empty(), &manifest) {
        let report = NotAnalysed::new(manifest);
        return match arguments.json {
            true => json_lines(&mut output, &[report]),
            false => Ok(output.write_all(report.text().as_bytes())?),
        };
    }
    let report = security::report(logs, manifest.as_ref(), &arguments.plan.plan())?;
    match arguments.json {
        true => json_lines(&mut output, &[report]),
        false => Ok(output.write_all(report.text().as_bytes())?),
    }
}
