//! The report's data, gathered from the files of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use distill_core::jsonl::{self, read_all};
use distill_core::{Answer, Lesson, Mode, Problem};
use serde::Deserialize;

use crate::config::{Arm, TeacherKind};
use crate::report::{
    self, Curve, CurvePoint, Dataset, Lengths, Losses, Machine, Pairs, ReportData, Results, Row,
    Sample, SampleAnswer, Scores, Setting, Stage,
};
use crate::run::{read_json, write_json};
use crate::stages::corpus::CorpusDone;
use crate::stages::teach::TeachDone;
use crate::stages::{AnswersDone, ScoreRecord, TrainingDone};
use crate::{Result, Run, StageRecord};

/// Sample answers shown.
const SAMPLES: usize = 5;

/// Below this share of different best answers a student is said not to listen to the problem.
const VARIED: f64 = 0.5;

/// Writes `report.md`, `report.html` and `report.json` from what the run has so far.
///
/// # Errors
/// Unreadable files of the run; before there is a corpus, [`DistillError::Order`].
///
/// [`DistillError::Order`]: crate::DistillError::Order
pub fn report(run: &Run<'_>) -> Result<()> {
    let data = gather(run)?;
    write_json(&run.folder.report("json"), &data)?;
    for (extension, text) in [("md", report::markdown(&data)), ("html", report::html(&data))] {
        jsonl::write_atomic(&run.folder.report(extension), |writer| {
            writer.write_all(text.as_bytes())
        })?;
    }
    run.progress.finish(&format!("report: {}", run.folder.report("html").display()));
    Ok(())
}

fn gather(run: &Run<'_>) -> Result<ReportData> {
    let corpus: CorpusDone =
        read_json(&run.require("report", run.folder.corpus_statistics(), "mine")?)?;
    let teach: Option<TeachDone> = if_there(&run.folder.teach_statistics())?;
    let trained = trained(run)?;
    let scores: Vec<ScoreRecord> = records(&run.folder.scores())?;
    let answered: Option<AnswersDone> = if_there(&run.folder.answers_done())?;
    let answers: Vec<Answer> = records(&run.folder.answers())?;
    let lessons: Vec<Lesson> = records(&run.folder.lessons())?;

    let rows = rows(run, &scores);
    let warnings =
        rows.iter().filter_map(|row| varied_answers(&answers, &row.arm, row.mode?)).collect();
    let curves: Vec<Curve> = run
        .config
        .training
        .arms
        .iter()
        .map(|&arm| curve(run, arm, trained.get(&arm)))
        .collect::<Result<_>>()?;
    Ok(ReportData {
        run: run.config.name.clone(),
        command: run.command.clone(),
        setting: Setting {
            teacher: match run.config.teacher.kind {
                TeacherKind::Verbaliser => "verbaliser".into(),
                TeacherKind::Corpus => "the corpus itself".into(),
                TeacherKind::Openai | TeacherKind::Replay => run.config.teacher.model()?,
            },
            student: run.config.student.preset.clone(),
            parameters: trained.values().next().map(|done| done.parameters),
            corpus: corpus.source.clone(),
        },
        warnings,
        dataset: dataset(run, &corpus, &lessons)?,
        teach: teach.as_ref().map(TeachDone::report),
        results: Results {
            problems: answered.map_or(0, |done| done.problems as u64),
            test_split: Some(corpus.statistics.test as u64),
            method:
                "Every figure is the mean over the problems of the figure of one answer, variant \
                     `paper`; a problem whose texts have no dataflow counts in no DM."
                    .into(),
            baseline: Some(Arm::Plain.name().into()),
            teacher: None,
            rows,
        },
        curves,
        samples: samples(run, &answers, &scores, &lessons)?,
        config: run.config.to_toml()?,
        config_hash: blake3::hash(run.config.to_toml()?.as_bytes()).to_hex()[..16].to_owned(),
        seeds: BTreeMap::from([("run".to_owned(), run.config.seed)]),
        stages: stages(run)?,
        versions: versions(&corpus),
        machine: Machine {
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            device: "cpu".into(),
            threads: run.config.threads.and_then(|threads| u32::try_from(threads).ok()),
        },
    })
}

/// The records of a file, none where it does not exist yet.
fn records<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<Vec<T>> {
    if path.exists() { Ok(read_all(path)?) } else { Ok(Vec::new()) }
}

fn if_there<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<Option<T>> {
    if path.exists() { read_json(path).map(Some) } else { Ok(None) }
}

fn trained(run: &Run<'_>) -> Result<BTreeMap<Arm, TrainingDone>> {
    let mut trained = BTreeMap::new();
    for &arm in &run.config.training.arms {
        if let Some(done) = if_there(&run.folder.training_statistics(arm))? {
            trained.insert(arm, done);
        }
    }
    Ok(trained)
}

// ---- results

fn rows(run: &Run<'_>, scores: &[ScoreRecord]) -> Vec<Row> {
    let mut rows = Vec::new();
    for &arm in &run.config.training.arms {
        for mode in arm.modes(&run.config.answers.modes) {
            let mut problems: BTreeMap<&str, Vec<&ScoreRecord>> = BTreeMap::new();
            for score in scores.iter().filter(|s| s.arm == arm.name() && s.mode == mode) {
                problems.entry(&score.problem).or_default().push(score);
            }
            if !problems.is_empty() {
                rows.push(Row {
                    arm: arm.name().into(),
                    mode: Some(mode),
                    top1: mean_of_best(&problems, 1),
                    top5: mean_of_best(&problems, 5),
                });
            }
        }
    }
    rows
}

/// For each metric, the mean over the problems of the best figure among the first `ranks` answers,
/// in per cent.
fn mean_of_best(problems: &BTreeMap<&str, Vec<&ScoreRecord>>, ranks: usize) -> Scores {
    let mean = |figure: &dyn Fn(&ScoreRecord) -> Option<f64>| {
        let best = problems.values().filter_map(|answers| {
            let figures = answers.iter().filter(|score| score.rank <= ranks);
            figures.filter_map(|score| figure(score)).reduce(f64::max)
        });
        let best: Vec<f64> = best.collect();
        let sum: f64 = best.iter().sum();
        (!best.is_empty()).then(|| 100.0 * sum / best.len() as f64)
    };
    let share = |holds: bool| Some(f64::from(u8::from(holds)));
    Scores {
        tm: mean(&|s| Some(s.score.scores.ngram_match_score)),
        sm: mean(&|s| Some(s.score.scores.syntax_match_score)),
        dm: mean(&|s| s.score.scores.dataflow_match_score),
        km: mean(&|s| Some(s.score.scores.weighted_ngram_match_score)),
        cb: mean(&|s| Some(s.score.scores.codebleu)),
        exact: mean(&|s| share(s.exact)),
        parses: mean(&|s| share(s.parses)),
    }
}

/// A warning where a student gives much the same answer to every problem.
fn varied_answers(answers: &[Answer], arm: &str, mode: Mode) -> Option<String> {
    let best: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.arm == arm && answer.mode == mode && answer.rank == 1)
        .map(|answer| answer.solution.code.as_str())
        .collect();
    let different = best.iter().collect::<BTreeSet<_>>().len();
    let share = different as f64 / best.len().max(1) as f64;
    (best.len() > 1 && share < VARIED).then(|| {
        format!(
            "The answers of {arm} ({mode}) hardly vary with the problem: {different} different \
             ones to {} problems.",
            best.len()
        )
    })
}

// ---- curves

/// As much of a line of `metrics.jsonl` as the curves need.
#[derive(Deserialize)]
struct MetricsLine {
    event: String,
    step: u64,
    epoch: Option<f64>,
    loss: MetricsLoss,
    total: Option<f64>,
    #[serde(default)]
    best: bool,
}

#[derive(Deserialize)]
struct MetricsLoss {
    pseudocode: Option<f64>,
    code: Option<f64>,
}

fn curve(run: &Run<'_>, arm: Arm, done: Option<&TrainingDone>) -> Result<Curve> {
    let lines: Vec<MetricsLine> = records(&run.folder.metrics(arm))?;
    let mut points: BTreeMap<u64, CurvePoint> = BTreeMap::new();
    let mut kept = None;
    for line in lines {
        let losses =
            Losses { pseudocode: line.loss.pseudocode, code: line.loss.code, total: line.total };
        let point = points.entry(line.step).or_default();
        point.step = line.step;
        point.epoch = line.epoch;
        match line.event.as_str() {
            "train" => point.train = losses,
            "validation" => {
                point.valid = losses;
                if line.best {
                    kept = Some(line.step);
                }
            }
            _ => {}
        }
    }
    Ok(Curve {
        arm: arm.name().into(),
        points: points.into_values().collect(),
        kept_step: done.map(|done| done.kept_step).or(kept),
    })
}

// ---- dataset and samples

fn dataset(run: &Run<'_>, corpus: &CorpusDone, lessons: &[Lesson]) -> Result<Dataset> {
    let statistics = &corpus.statistics;
    let mut queries = Vec::new();
    let mut codes = Vec::new();
    let tokens = |text: &str| code_corpus::tokens::tokens(text).count();
    for split in crate::SPLITS {
        for problem in jsonl::read::<Problem>(&run.folder.problems(split))? {
            let problem = problem?;
            queries.push(tokens(&problem.query));
            codes.extend(problem.reference.as_deref().map(tokens));
        }
    }
    let plans: Vec<usize> =
        lessons.iter().map(|lesson| tokens(&lesson.solution.pseudocode.to_string())).collect();
    let lengths = [("query", queries), ("pseudocode", plans), ("code", codes)]
        .into_iter()
        .filter(|(_, lengths)| !lengths.is_empty())
        .map(|(text, lengths)| {
            let lengths = code_corpus::statistics::Lengths::of(lengths);
            Lengths {
                text: text.into(),
                mean: Some(lengths.mean),
                median: Some(lengths.median as f64),
                p95: Some(lengths.p95 as f64),
                max: Some(lengths.max as f64),
            }
        })
        .collect();
    Ok(Dataset {
        pairs: statistics
            .languages
            .iter()
            .map(|row| Pairs {
                language: row.language,
                train: row.train as u64,
                valid: row.valid as u64,
                test: row.test as u64,
            })
            .collect(),
        lengths,
        length_unit: "tokens (words, numbers and signs)".into(),
        dropped: statistics
            .dropped
            .0
            .iter()
            .map(|(reason, &count)| (reason.words().to_owned(), count))
            .collect(),
    })
}

/// The first answered problems with the best answer of every student in every mode.
fn samples(
    run: &Run<'_>,
    answers: &[Answer],
    scores: &[ScoreRecord],
    lessons: &[Lesson],
) -> Result<Vec<Sample>> {
    let mut chosen: Vec<&str> = Vec::new();
    for answer in answers {
        if chosen.len() < SAMPLES && !chosen.contains(&answer.problem.as_str()) {
            chosen.push(&answer.problem);
        }
    }
    let problems: Vec<Problem> = records(&run.folder.problems("test"))?;
    let problems: HashMap<&str, &Problem> = problems.iter().map(|p| (p.id.as_str(), p)).collect();
    let lessons: HashMap<&str, &Lesson> = lessons.iter().map(|l| (l.id.as_str(), l)).collect();
    let scores: HashMap<(&str, &str, Mode, usize), &ScoreRecord> =
        scores.iter().map(|s| ((s.problem.as_str(), s.arm.as_str(), s.mode, s.rank), s)).collect();
    let sample = |id: &str| {
        let problem = problems.get(id)?;
        let answers = answers.iter().filter(|answer| answer.problem == id && answer.rank == 1);
        Some(Sample {
            id: id.to_owned(),
            language: problem.language,
            query: problem.query.clone(),
            reference: problem.reference.clone().unwrap_or_default(),
            pseudocode: lessons
                .get(id)
                .map(|lesson| lesson.solution.pseudocode.clone())
                .unwrap_or_default(),
            answers: answers
                .map(|answer| {
                    let score = scores.get(&(id, answer.arm.as_str(), answer.mode, 1));
                    SampleAnswer {
                        arm: answer.arm.clone(),
                        mode: Some(answer.mode),
                        pseudocode: answer.solution.pseudocode.clone(),
                        code: answer.solution.code.clone(),
                        exact: score.map(|score| score.exact),
                        parses: score.map(|score| score.parses),
                        cb: score.map(|score| 100.0 * score.score.scores.codebleu),
                    }
                })
                .collect(),
        })
    };
    Ok(chosen.into_iter().filter_map(sample).collect())
}

// ---- times and versions

fn stages(run: &Run<'_>) -> Result<Vec<Stage>> {
    let mut stages: Vec<Stage> = Vec::new();
    for record in records::<StageRecord>(&run.folder.stages())? {
        let known = stages.iter().position(|stage| stage.name == record.stage);
        let at = known.unwrap_or(stages.len());
        if known.is_none() {
            stages.push(Stage { name: record.stage, ..Stage::default() });
        }
        let stage = &mut stages[at];
        match record.seconds {
            None => stage.sessions += 1,
            Some(seconds) => *stage.seconds.get_or_insert(0.0) += seconds,
        }
        if !record.outcome.is_empty() {
            stage.outcome = record.outcome;
        }
    }
    Ok(stages)
}

fn versions(corpus: &CorpusDone) -> BTreeMap<String, String> {
    let mut versions =
        BTreeMap::from([("distill".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    #[cfg(feature = "torch")]
    versions.insert("libtorch".to_owned(), "2.11.0".to_owned());
    versions.extend(corpus.versions.clone());
    versions
}
