//! The raw scores of an experiment: a flat record for every problem of every cell.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use codebleu::Scores;
use distill_core::{Language, Problem, jsonl};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Experiment;
use crate::run::read_json;
use crate::stages::{ScoreRecord, TEACHER_ARM, TrainingDone};
use crate::{DistillError, Result, RunFolder};

/// One problem's figures in one cell, a line of a results file: flat, so that `distill compare` and
/// any other program read it as it is.
///
/// `values` are the experiment's axes. `figures` are from 0 to 1, null where one is undefined:
/// `exact`, `parses`, `tested` (the problem's own tests passed), the components under `paper`
/// (`tm`, `sm`, `dm`, `km`, `cb`) and under the other variants (`k4black_cb`, …); with `_5` at the
/// end, the best of the first five answers by that figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultLine {
    /// The problem.
    pub id: String,
    /// Its language.
    pub language: Language,
    /// The training's seed.
    pub seed: u64,
    /// Axes by name, `mode` among them.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// Every line of an experiment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// In the order of the cells, and within a cell of the problems.
    pub lines: Vec<ResultLine>,
}

/// What a cell took, for the tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellCost {
    /// The cell.
    pub cell: String,
    /// Trained parameters.
    pub parameters: u64,
    /// Lessons learned from.
    pub lessons: usize,
    /// Optimizer steps.
    pub steps: u64,
    /// Tokens learned from, sources and targets of both tasks.
    pub tokens: u64,
    /// Seconds of training.
    pub seconds: f64,
}

/// As much of a line of `metrics.jsonl` as counts here.
#[derive(Deserialize)]
struct MetricsLine {
    event: String,
    #[serde(default)]
    tokens: u64,
    #[serde(default)]
    seconds: f64,
}

/// Gathers the scores of all finished cells below `folder`, and what each took.
///
/// # Errors
/// [`DistillError::Nothing`] where no cell is finished; unreadable files.
pub fn collect(experiment: &Experiment, folder: &Path) -> Result<(Results, Vec<CellCost>)> {
    let (mut results, mut costs) = (Results::default(), Vec::new());
    let cells = experiment.cells()?;
    // Teachers first: what all cells with a teacher's lessons have in common is its row's.
    let mut teachers: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for cell in &cells {
        let shared = cell.shared()?.name;
        match teachers.iter_mut().find(|(name, _)| *name == shared) {
            Some((_, values)) => values.retain(|value| cell.values.contains(value)),
            None => teachers.push((shared, cell.values.clone())),
        }
    }
    for (name, mut values) in teachers {
        let run = RunFolder::new(folder.join(name));
        if run.teacher_scores().exists() {
            values.retain(|(axis, _)| axis != "arm");
            values.push(("arm".into(), TEACHER_ARM.into()));
            results.add(&run, &run.teacher_scores(), 0, &values)?;
        }
    }
    for cell in &cells {
        let run = RunFolder::new(folder.join(&cell.name));
        if !run.scores().exists() {
            continue;
        }
        results.add(&run, &run.scores(), cell.seed, &cell.values)?;
        for &arm in &cell.config.training.arms {
            let done: TrainingDone = read_json(&run.training_statistics(arm))?;
            let metrics: Vec<MetricsLine> = jsonl::read_all(&run.metrics(arm))?;
            let trained = || metrics.iter().filter(|line| line.event == "train");
            costs.push(CellCost {
                cell: cell.name.clone(),
                parameters: done.parameters,
                lessons: done.lessons,
                steps: done.steps,
                tokens: trained().map(|line| line.tokens).sum(),
                seconds: trained().map(|line| line.seconds).sum(),
            });
        }
    }
    if results.lines.is_empty() {
        return Err(DistillError::Nothing(format!(
            "no cell of {} is finished in {}",
            experiment.name,
            folder.display()
        )));
    }
    Ok((results, costs))
}

/// A component of CodeBLEU.
type Component = fn(&Scores) -> Option<f64>;

/// The figures of a problem's answers, best answer first.
pub(super) fn figures(ranked: &[&ScoreRecord]) -> Map<String, Value> {
    let mut figures = Map::new();
    let mut add = |name: String, of: &dyn Fn(&ScoreRecord) -> Option<f64>| {
        let best =
            |count: usize| ranked.iter().take(count).filter_map(|score| of(score)).reduce(f64::max);
        figures.insert(name.clone(), rounded(best(1)));
        figures.insert(name + "_5", rounded(best(5)));
    };
    let share = |holds: bool| Some(f64::from(u8::from(holds)));
    add("exact".into(), &|score| share(score.exact));
    add("parses".into(), &|score| share(score.parses));
    if ranked.iter().any(|score| score.tested.is_some()) {
        add("tested".into(), &|score| score.tested.and_then(share));
    }
    let components: [(&str, Component); 5] = [
        ("tm", |scores| Some(scores.ngram_match_score)),
        ("sm", |scores| Some(scores.syntax_match_score)),
        ("dm", |scores| scores.dataflow_match_score),
        ("km", |scores| Some(scores.weighted_ngram_match_score)),
        ("cb", |scores| Some(scores.codebleu)),
    ];
    let variants: Vec<&String> =
        ranked.first().map_or_else(Vec::new, |score| score.variants.keys().collect());
    for (name, of) in components {
        add(name.into(), &|score| of(&score.score.scores));
        for &variant in &variants {
            add(format!("{variant}_{name}"), &|score| score.variants.get(variant).and_then(of));
        }
    }
    figures
}

/// To six digits: what a table shows, in a third of the space.
fn rounded(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| ((value * 1e6).round() / 1e6).into())
}

impl Results {
    /// Adds the scores in a file of a run.
    fn add(
        &mut self,
        run: &RunFolder,
        scores: &Path,
        seed: u64,
        values: &[(String, String)],
    ) -> Result<()> {
        let problems: Vec<Problem> = jsonl::read_all(&run.problems("test"))?;
        let languages: BTreeMap<&str, Language> =
            problems.iter().map(|problem| (problem.id.as_str(), problem.language)).collect();
        let records: Vec<ScoreRecord> = jsonl::read_all(scores)?;
        let mut answers: BTreeMap<(&str, &str), Vec<&ScoreRecord>> = BTreeMap::new();
        for score in &records {
            answers.entry((score.mode.name(), &score.problem)).or_default().push(score);
        }
        for ((mode, id), mut ranked) in answers {
            ranked.sort_by_key(|score| score.rank);
            let mut fields = Map::new();
            for (axis, value) in values {
                fields.insert(axis.clone(), value.as_str().into());
            }
            fields.insert("mode".into(), mode.into());
            fields.extend(figures(&ranked));
            let language = *languages.get(id).ok_or_else(|| {
                DistillError::Nothing(format!("{}: no problem {id}", scores.display()))
            })?;
            self.lines.push(ResultLine { id: id.into(), language, seed, fields });
        }
        Ok(())
    }

    /// Reads a results file, compressed or not.
    ///
    /// # Errors
    /// [`DistillError::Corpus`] where it cannot be opened, [`DistillError::Jsonl`] for a bad line.
    pub fn read(path: &Path) -> Result<Results> {
        let lines = jsonl::read_from(code_corpus::open(path)?, path);
        Ok(Results { lines: lines.collect::<std::result::Result<_, _>>()? })
    }

    /// Writes them as compressed JSONL, the same bytes for the same results.
    ///
    /// # Errors
    /// [`DistillError::Jsonl`].
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(jsonl::write_atomic(path, |file| {
            let mut writer = GzEncoder::new(file, Compression::best());
            for line in &self.lines {
                serde_json::to_writer(&mut writer, line)?;
                writer.write_all(b"\n")?;
            }
            writer.finish().map(|_| ())
        })?)
    }
}
