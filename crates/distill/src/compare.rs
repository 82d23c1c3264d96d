//! Two score files, problem by problem: how large the difference is and how sure.
//!
//! A score file, compressed or not, holds a JSON object a line, as `codebleu score --per-pair --json`
//! and a run's `scores.jsonl` have them: `id` (or `problem`) says which problem, `seed`, where there
//! is one, which training. With `counts` the figures of CodeBLEU are computed from their sums, as those of a
//! corpus are; every other number, `true` or `false` is averaged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use codebleu::{Counts, Scores, UNIFORM, Weights};
use distill_core::jsonl;
use evaluation_statistics::{Plan, Sum, Verdict, compare as resample, holm};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{DistillError, Result};

/// What to compare, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareOptions {
    /// The figures, by the names of their fields; empty: every one that both files have throughout.
    pub metrics: Vec<String>,
    /// The weights that CodeBLEU was computed with.
    pub weights: Weights,
    /// Resamples and seed.
    pub plan: Plan,
}

impl Default for CompareOptions {
    /// Every figure, uniform weights, the default plan.
    fn default() -> CompareOptions {
        CompareOptions { metrics: Vec::new(), weights: UNIFORM, plan: Plan::default() }
    }
}

/// The difference of two files in one figure; `null` in JSON stands for what is undefined.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricDifference {
    /// The figure's name.
    pub metric: String,
    /// Its value for A, in the unit of the files.
    pub a: f64,
    /// Its value for B.
    pub b: f64,
    /// A less B.
    pub difference: f64,
    /// Lower end of the 95 % interval of the difference, over problems and seeds.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Two-sided, by approximate randomisation over problems.
    pub p: f64,
    /// `p` corrected after Holm for all figures compared.
    pub p_holm: f64,
    /// Problems.
    pub n: usize,
    /// Seeds; 1 where the files name none.
    pub seeds: usize,
    /// The least true difference that a table of this size tells from none four times out of five.
    pub detectable: f64,
    /// Whether A is above or below B: interval and corrected p must both say so.
    pub verdict: Verdict,
}

/// The lines of a score file.
#[derive(Debug, Clone)]
pub struct ScoreFile {
    name: String,
    /// By seed and id, each as the file has it.
    lines: BTreeMap<(String, String), Map<String, Value>>,
}

impl ScoreFile {
    /// Reads the lines in which every field of `only` has the value beside it, written as JSON or,
    /// for text, without quotation marks.
    ///
    /// # Errors
    /// [`DistillError::Jsonl`]; [`DistillError::Config`] for a line without an id, an id that occurs
    /// twice and for a file without lines.
    pub fn read(path: &Path, only: &[(String, String)]) -> Result<ScoreFile> {
        let name = path.display().to_string();
        let mut lines = BTreeMap::new();
        for (line, number) in
            jsonl::read_from::<Map<String, Value>, _>(code_corpus::open(path)?, path).zip(1..)
        {
            let line = line?;
            let has = |(field, value): &(String, String)| {
                line.get(field).is_some_and(|found| plain(found) == *value)
            };
            if !only.iter().all(has) {
                continue;
            }
            let id = ["id", "problem"].iter().find_map(|field| line.get(*field)).map(plain);
            let id = id.filter(|id| id != "null").ok_or_else(|| {
                DistillError::Config(format!("{name}, record {number}: no `id` or `problem` in it"))
            })?;
            let seed = line.get("seed").map(plain).unwrap_or_default();
            if lines.insert((seed.clone(), id.clone()), line).is_some() {
                let cell = cell_name(&seed, &id);
                let hint = if only.is_empty() { "" } else { " with these fields" };
                return Err(DistillError::Config(format!(
                    "{name}, record {number}: {cell} occurs a second time{hint}: one line a \
                     problem and seed is compared"
                )));
            }
        }
        if lines.is_empty() {
            return Err(DistillError::Config(format!("{name}: no line to compare")));
        }
        Ok(ScoreFile { name, lines })
    }

    /// The first cell that is here and not there, as an error that names it.
    fn within(&self, other: &ScoreFile) -> Result<()> {
        let mut missing = self.lines.keys().filter(|key| !other.lines.contains_key(*key));
        let Some((seed, id)) = missing.next() else { return Ok(()) };
        let more = match missing.count() {
            0 => String::new(),
            count => format!(" (and {count} more)"),
        };
        Err(DistillError::Config(format!(
            "{} of {} is not in {}{more}: both files must hold the same ids",
            cell_name(seed, id),
            self.name,
            other.name
        )))
    }
}

fn cell_name(seed: &str, id: &str) -> String {
    if seed.is_empty() { format!("id {id:?}") } else { format!("id {id:?} of seed {seed}") }
}

/// A value as people write it: text without its quotation marks.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Fields that are no figures.
const NO_FIGURES: [&str; 5] = ["id", "problem", "seed", "rank", "counts"];

type Figure = fn(&Scores) -> f64;

/// The figures that are computed from counts.
const FROM_COUNTS: [(&str, Figure); 6] = [
    ("codebleu", |scores| scores.codebleu),
    ("ngram_match_score", |scores| scores.ngram_match_score),
    ("weighted_ngram_match_score", |scores| scores.weighted_ngram_match_score),
    ("syntax_match_score", |scores| scores.syntax_match_score),
    ("dataflow_match_score", |scores| scores.dataflow_match_score.unwrap_or(f64::NAN)),
    ("syntax_raw", |scores| scores.syntax_raw.unwrap_or(f64::NAN)),
];

/// What a line contributes.
#[derive(Clone)]
struct Cell {
    counts: Option<Counts>,
    /// Of each averaged figure the value and 1, or twice 0 where it has none.
    means: Vec<[f64; 2]>,
}

impl Sum for Cell {
    fn add(&mut self, other: &Cell) {
        if let (Some(sum), Some(counts)) = (&mut self.counts, other.counts) {
            *sum += counts;
        }
        self.means.add(&other.means);
    }
}

/// Compares A with B.
///
/// # Errors
/// [`DistillError::Config`] where the files do not hold the same ids (it names the first), where a
/// seed lacks a problem, where a figure is in neither file or no number, where the counts were taken
/// under different variants or with other weights.
pub fn compare(
    a: &ScoreFile,
    b: &ScoreFile,
    options: &CompareOptions,
) -> Result<Vec<MetricDifference>> {
    a.within(b)?;
    b.within(a)?;
    let metrics = metrics(a, b, options)?;
    let from_counts: Vec<Figure> = metrics.iter().filter_map(|m| m.1).collect();
    let averaged: Vec<&str> =
        metrics.iter().filter(|m| m.1.is_none()).map(|m| m.0.as_str()).collect();
    let mut counts = None;
    let a = cells(a, &averaged, !from_counts.is_empty(), options.weights, &mut counts)?;
    let b = cells(b, &averaged, !from_counts.is_empty(), options.weights, &mut counts)?;
    let score = |sum: &Cell| -> Vec<f64> {
        let scores = sum.counts.map(|counts| counts.scores(options.weights));
        let figures = from_counts.iter().map(|of| scores.as_ref().map_or(f64::NAN, of));
        figures.chain(sum.means.iter().map(|[value, count]| value / count)).collect()
    };
    let a: Vec<&[Cell]> = a.iter().map(Vec::as_slice).collect();
    let b: Vec<&[Cell]> = b.iter().map(Vec::as_slice).collect();
    let found = resample(&a, &b, score, &options.plan)
        .map_err(|error| DistillError::Config(error.to_string()))?;
    let corrected = holm(&found.iter().map(|found| found.p).collect::<Vec<_>>());
    let lines = metrics.into_iter().zip(found).zip(corrected);
    Ok(lines
        .map(|(((metric, _), found), p_holm)| MetricDifference {
            metric,
            a: found.a,
            b: found.b,
            difference: found.difference,
            low: found.low,
            high: found.high,
            p: found.p,
            p_holm,
            n: found.n,
            seeds: found.seeds,
            detectable: found.detectable,
            verdict: found.verdict(p_holm),
        })
        .collect())
}

/// The figures to compare, those from counts first.
type Metric = (String, Option<Figure>);

fn metrics(a: &ScoreFile, b: &ScoreFile, options: &CompareOptions) -> Result<Vec<Metric>> {
    let lines = || a.lines.values().chain(b.lines.values());
    let counted = lines().all(|line| line.contains_key("counts"));
    let of_counts = |name: &str| {
        let found = FROM_COUNTS.into_iter().find(|(known, _)| *known == name && counted);
        found.map(|(_, of)| of)
    };
    let mut names = options.metrics.clone();
    if names.is_empty() {
        if counted {
            // The sixth is the fourth before it is cut off.
            names.extend(FROM_COUNTS[..5].iter().map(|(name, _)| (*name).to_owned()));
        }
        let shared = lines()
            .map(|line| line.keys().map(String::as_str).collect::<BTreeSet<_>>())
            .reduce(|one, two| &one & &two)
            .unwrap_or_default();
        let numeric =
            |name: &str| lines().all(|line| line[name].is_null() || figure(&line[name]).is_some());
        let known = |name: &str| {
            NO_FIGURES.contains(&name) || FROM_COUNTS.iter().any(|(n, _)| counted && *n == name)
        };
        let rest = shared.into_iter().filter(|name| !known(name) && numeric(name));
        names.extend(rest.map(str::to_owned));
    }
    if names.is_empty() {
        return Err(DistillError::Config(format!(
            "{} and {} have no number in all of their lines",
            a.name, b.name
        )));
    }
    let mut metrics: Vec<Metric> = Vec::new();
    for name in names {
        if !metrics.iter().any(|(known, _)| *known == name) {
            let of = of_counts(&name);
            metrics.push((name, of));
        }
    }
    metrics.sort_by_key(|(_, of)| of.is_none());
    Ok(metrics)
}

/// A number, or whether something is so.
fn figure(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|so| f64::from(u8::from(so))))
}

/// Seed by seed, problem by problem. `all` holds the first counts seen, which all others must fit.
fn cells(
    file: &ScoreFile,
    averaged: &[&str],
    counted: bool,
    weights: Weights,
    all: &mut Option<Counts>,
) -> Result<Vec<Vec<Cell>>> {
    let mut seeds: BTreeMap<&str, Vec<(&str, Cell)>> = BTreeMap::new();
    for ((seed, id), line) in &file.lines {
        let bad = |what: String| {
            DistillError::Config(format!("{}, {}: {what}", file.name, cell_name(seed, id)))
        };
        let mean = |name: &&str| match line.get(*name) {
            None => Err(bad(format!("no field {name:?}"))),
            Some(Value::Null) => Ok([0.0, 0.0]),
            Some(value) => match figure(value) {
                Some(value) => Ok([value, 1.0]),
                None => Err(bad(format!("{name:?} is no number"))),
            },
        };
        let means = averaged.iter().map(mean).collect::<Result<Vec<_>>>()?;
        let mut counts = None;
        if counted {
            let read: Counts = serde_json::from_value(line["counts"].clone())
                .map_err(|error| bad(format!("counts: {error}")))?;
            all.get_or_insert(read).merge(&read).map_err(|error| bad(error.to_string()))?;
            let said = line.get("codebleu").and_then(Value::as_f64);
            let ours = read.scores(weights).codebleu;
            if said.is_some_and(|said| (said - ours).abs() > 1e-9) {
                return Err(bad(format!(
                    "its codebleu is not what its counts give ({ours}): name the weights it was \
                     computed with"
                )));
            }
            counts = Some(read);
        }
        seeds.entry(seed).or_default().push((id, Cell { counts, means }));
    }
    let mut ordered = seeds.iter();
    if let Some((first, cells)) = ordered.next() {
        let ids: Vec<&str> = cells.iter().map(|(id, _)| *id).collect();
        for (seed, others) in ordered {
            let others: BTreeSet<&str> = others.iter().map(|(id, _)| *id).collect();
            let here: BTreeSet<&str> = ids.iter().copied().collect();
            if let Some(id) = here.symmetric_difference(&others).next() {
                return Err(DistillError::Config(format!(
                    "{}: id {id:?} is in one of the seeds {first} and {seed} only: every seed must \
                     hold the same ids",
                    file.name
                )));
            }
        }
    }
    Ok(seeds.into_values().map(|cells| cells.into_iter().map(|(_, cell)| cell).collect()).collect())
}

/// The differences as a table for people.
pub fn table(differences: &[MetricDifference]) -> String {
    let width =
        differences.iter().map(|line| line.metric.chars().count()).max().unwrap_or(0).max(6);
    let mut text = format!(
        "{:width$} {:>9} {:>9} {:>9}  {:21} {:>7} {:>7}  verdict\n",
        "metric", "A", "B", "A − B", "95 % interval", "p", "Holm"
    );
    for line in differences {
        let interval = format!("[{:+.4}, {:+.4}]", line.low, line.high);
        let verdict = match line.verdict {
            Verdict::Above => "A is above B".into(),
            Verdict::Below => "A is below B".into(),
            Verdict::CannotTell if line.detectable.is_finite() && line.detectable > 0.0 => {
                format!("cannot tell (could from about {:.3})", line.detectable)
            }
            Verdict::CannotTell => "cannot tell".into(),
        };
        text += &format!(
            "{:width$} {:9.4} {:9.4} {:+9.4}  {interval:21} {:7.4} {:7.4}  {verdict}\n",
            line.metric, line.a, line.b, line.difference, line.p, line.p_holm
        );
    }
    if let Some(line) = differences.first() {
        text += &format!(
            "{} problems, {}; the interval is about other problems{}, p about these{}\n",
            line.n,
            if line.seeds == 1 { "one seed".into() } else { format!("{} seeds", line.seeds) },
            if line.seeds == 1 { "" } else { " and other seeds" },
            if line.seeds == 1 { "" } else { " seeds" },
        );
    }
    text
}
