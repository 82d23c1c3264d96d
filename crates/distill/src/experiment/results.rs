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

use super::{Cell, Experiment};
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

/// Gathers the scores of all finished cells below `folder`, and what each took; those that are in
/// `elsewhere` are taken from there.
///
/// # Errors
/// [`DistillError::Nothing`] where no cell is finished; [`DistillError::Config`] where `elsewhere` has
/// one that the experiment does not have; unreadable files.
pub fn collect(
    experiment: &Experiment,
    folder: &Path,
    elsewhere: Vec<Collected>,
) -> Result<Collected> {
    let here = collect_here(experiment, folder)?;
    let collected = merge(experiment, elsewhere.into_iter().chain([here]))?;
    if collected.results.lines.is_empty() {
        return Err(DistillError::Nothing(format!(
            "no cell of {} is finished in {}",
            experiment.name,
            folder.display()
        )));
    }
    Ok(collected)
}

/// Results and what they took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// The scores.
    pub results: Results,
    /// What the cells took, as far as it is known.
    pub costs: Vec<CellCost>,
}

impl Collected {
    /// Reads a results file, and `costs.jsonl` beside it where there is one.
    ///
    /// # Errors
    /// As [`Results::read`]; [`DistillError::Jsonl`].
    pub fn read(path: &Path) -> Result<Collected> {
        let costs = path.with_file_name(COSTS);
        let costs = if costs.exists() { jsonl::read_all(&costs)? } else { Vec::new() };
        Ok(Collected { results: Results::read(path)?, costs })
    }

    /// Writes both into a folder.
    ///
    /// # Errors
    /// [`DistillError::Jsonl`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        self.results.write(&folder.join(RESULTS))?;
        Ok(jsonl::write_all(&folder.join(COSTS), &self.costs)?)
    }

    /// Whether there are scores of this cell.
    pub fn holds(&self, cell: &Cell) -> bool {
        self.results.lines.iter().any(|line| line.is_of(cell))
    }
}

/// The files of [`Collected::write`].
const RESULTS: &str = "results.jsonl.gz";
const COSTS: &str = "costs.jsonl";

/// One after the other in the order of the experiment's cells, teachers first; what an earlier part
/// has counts, not the same of a later one.
fn merge(experiment: &Experiment, parts: impl Iterator<Item = Collected>) -> Result<Collected> {
    let cells = experiment.cells()?;
    let mut lines: BTreeMap<(usize, String), Vec<ResultLine>> = BTreeMap::new();
    let mut costs: BTreeMap<usize, Vec<CellCost>> = BTreeMap::new();
    for part in parts {
        let mut own: BTreeMap<(usize, String), Vec<ResultLine>> = BTreeMap::new();
        for line in part.results.lines {
            let teacher = line.fields.get("arm").is_some_and(|arm| arm == TEACHER_ARM);
            let at = match cells.iter().position(|cell| line.is_of(cell)) {
                Some(at) => at + 1,
                None if teacher => 0,
                None => {
                    return Err(DistillError::Config(format!(
                        "there are scores of a cell that {} does not have: problem {}, seed {}, {}",
                        experiment.name,
                        line.id,
                        line.seed,
                        line.values()
                    )));
                }
            };
            own.entry((at, line.values())).or_default().push(line);
        }
        own.into_iter().for_each(|(key, some)| _ = lines.entry(key).or_insert(some));
        let mut own: BTreeMap<usize, Vec<CellCost>> = BTreeMap::new();
        for cost in part.costs {
            if let Some(at) = cells.iter().position(|cell| cell.name == cost.cell) {
                own.entry(at).or_default().push(cost);
            }
        }
        own.into_iter().for_each(|(at, some)| _ = costs.entry(at).or_insert(some));
    }
    Ok(Collected {
        results: Results { lines: lines.into_values().flatten().collect() },
        costs: costs.into_values().flatten().collect(),
    })
}

impl ResultLine {
    /// Whether it is one of this cell's.
    fn is_of(&self, cell: &Cell) -> bool {
        let has = |(axis, value): &(String, String)| {
            self.fields.get(axis).and_then(Value::as_str) == Some(value)
        };
        self.seed == cell.seed && cell.values.iter().all(has)
    }

    /// Its values along the axes, as text.
    fn values(&self) -> String {
        let texts = self
            .fields
            .iter()
            .filter_map(|(axis, value)| value.as_str().map(|value| format!("{axis} {value}")));
        texts.collect::<Vec<_>>().join(", ")
    }
}

fn collect_here(experiment: &Experiment, folder: &Path) -> Result<Collected> {
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
    Ok(Collected { results, costs })
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
    if let Some(passed) = ranked.first().and_then(|score| score.tested) {
        figures.insert("tested".into(), rounded(share(passed)));
        // Unknown where one of the five was not run.
        let all = ranked.iter().take(5).map(|score| score.tested);
        if let Some(all) = all.collect::<Option<Vec<bool>>>() {
            figures.insert("tested_5".into(), rounded(share(all.contains(&true))));
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
