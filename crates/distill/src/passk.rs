//! Candidates run with their tests, and what share of problems they solve.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

use distill_core::jsonl::{self, JsonlError};
use evaluation_statistics::{Plan, interval};
use pass_at_k::{Candidate, Judge, Outcome, Verdict, pass_at_k};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::io;
use crate::{DistillError, Result};

/// A candidate with its name; any JSON object is one, so that what is wrong with it is told beside
/// its id.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    id: Value,
    #[serde(flatten)]
    candidate: Value,
}

/// What became of a candidate.
#[derive(Serialize)]
struct OutcomeLine<'a> {
    id: &'a Value,
    outcome: Outcome,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Reads `{id, language, prompt, completion, test, entry_point}` and writes `{id, outcome: passed |
/// failed | timeout | crashed | refused, seconds}` a line, in order; with `reasons` also `reason`.
/// A line that is no such record is refused. Candidates run on the threads of `pool`. Gives how many
/// records were refused.
///
/// # Errors
/// [`DistillError::Io`], [`DistillError::Jsonl`] for a failing reader or writer; at the end
/// [`DistillError::BadRecords`] where lines were no records.
pub fn run(
    judge: &Judge,
    reasons: bool,
    pool: &rayon::ThreadPool,
    input: &mut dyn BufRead,
    path: &Path,
    output: &mut dyn Write,
) -> Result<Refused> {
    let mut records = jsonl::read_from::<Record, _>(input, path);
    let (mut number, mut bad, mut refused) = (0, Refused::default(), Refused::default());
    loop {
        // Enough that a slow one does not keep the others waiting for long.
        let some: Vec<_> = records.by_ref().take(8 * pool.current_num_threads()).collect();
        if some.is_empty() {
            break;
        }
        let judged: Vec<_> =
            pool.install(|| some.into_par_iter().map(|record| judge_one(judge, record)).collect());
        for judged in judged {
            number += 1;
            let (id, verdict, is_record) = judged?;
            if verdict.outcome == Outcome::Refused {
                let count = if is_record { &mut refused } else { &mut bad };
                count.add(|| format!("record {number}: {}", verdict.reason));
            }
            let line = OutcomeLine {
                id: &id,
                outcome: verdict.outcome,
                seconds: (verdict.seconds * 1e3).round() / 1e3,
                reason: reasons.then_some(verdict.reason.as_str()),
            };
            let text = serde_json::to_string(&line)
                .map_err(|source| JsonlError::Record { path: "standard output".into(), source })?;
            writeln!(output, "{text}").map_err(io("write", Path::new("standard output")))?;
        }
        output.flush().map_err(io("write", Path::new("standard output")))?;
    }
    match bad {
        Refused { count: 0, .. } => Ok(refused),
        Refused { count, first } => {
            Err(DistillError::BadRecords { path: path.to_owned(), count, first })
        }
    }
}

/// Candidates that were not run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub count: usize,
    /// The first of them and why; empty without any.
    pub first: String,
}

impl Refused {
    fn add(&mut self, first: impl FnOnce() -> String) {
        self.count += 1;
        if self.count == 1 {
            self.first = first();
        }
    }
}

/// The record's id, the verdict on it and whether it is a record at all.
fn judge_one(
    judge: &Judge,
    record: Result<Record, JsonlError>,
) -> Result<(Value, Verdict, bool), DistillError> {
    let record = match record {
        Ok(record) => record,
        Err(JsonlError::BadLine(bad)) => {
            return Ok((Value::Null, Verdict::refused(bad.to_string()), false));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(match serde_json::from_value::<Candidate>(record.candidate) {
        Ok(candidate) => (record.id, judge.judge(&candidate), true),
        Err(error) => (record.id, Verdict::refused(error.to_string()), false),
    })
}

/// A line of what [`run`] wrote; `problem` says which problem the candidate answers where the ids
/// tell candidates apart.
#[derive(Deserialize)]
struct Judged {
    #[serde(default)]
    id: Value,
    problem: Option<Value>,
    outcome: Outcome,
}

/// pass@k of all problems.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PassAtK {
    /// Answers drawn.
    pub k: u64,
    /// The mean over problems of the unbiased estimate; null where a problem has fewer answers.
    pub pass: Option<f64>,
    /// Lower end of its 95 % bootstrap interval over problems.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Problems with at least one answer that was run.
    pub problems: usize,
    /// Answers that were run.
    pub answers: u64,
    /// Answers that were refused: they count nowhere.
    pub refused: u64,
    /// Problems with fewer than `k` answers.
    pub too_few: usize,
}

/// pass@k from lines as [`run`] writes them; answers to the same problem have the same `problem` or,
/// where they have none, the same `id`.
///
/// # Errors
/// [`DistillError::Jsonl`]; [`DistillError::Nothing`] where no answer was run.
pub fn report(path: &Path, ks: &[u64], plan: &Plan) -> Result<Vec<PassAtK>> {
    let mut problems: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut refused = 0;
    for line in jsonl::read::<Judged>(path)? {
        let line = line?;
        if line.outcome == Outcome::Refused {
            refused += 1;
            continue;
        }
        let (answers, passed) =
            problems.entry(line.problem.unwrap_or(line.id).to_string()).or_default();
        *answers += 1;
        *passed += u64::from(line.outcome == Outcome::Passed);
    }
    if problems.is_empty() {
        return Err(DistillError::Nothing(format!("{}: no answer was run", path.display())));
    }
    let of_k = |&k: &u64| {
        let estimates = problems.values().map(|&(n, passed)| pass_at_k(n, passed, k));
        let defined: Vec<[f64; 2]> = estimates.flatten().map(|value| [value, 1.0]).collect();
        let too_few = problems.len() - defined.len();
        let found = match too_few {
            0 => interval(&defined, |sum| vec![sum[0] / sum[1]], plan)
                .map_err(|error| DistillError::Config(error.to_string()))?
                .pop(),
            _ => None,
        };
        Ok(PassAtK {
            k,
            pass: found.map(|found| found.value),
            low: found.map(|found| found.low),
            high: found.map(|found| found.high),
            problems: problems.len(),
            answers: problems.values().map(|(answers, _)| answers).sum(),
            refused,
            too_few,
        })
    };
    ks.iter().map(of_k).collect()
}
