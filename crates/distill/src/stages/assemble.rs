//! The report's data, gathered from the files of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;

use distill_core::jsonl::{self, read_all};
use distill_core::{Answer, Language, Lesson, Mode, Problem};
use evaluation_statistics::{Plan, Verdict};
use serde::Deserialize;

use crate::config::{Arm, TeacherKind};
use crate::error::io;
use crate::experiment::{Contrast, contrasts_of_run, figure_name};
use crate::report::{
    self, Curve, CurvePoint, Dataset, Difference, LanguageRow, Lengths, Losses, Machine, Pairs,
    Place, RankedSample, ReportData, Results, Row, Sample, SampleAnswer, Scores, Setting, Spread,
    SpreadAnswer, Stage, Stamp, Training,
};
use crate::run::{read_json, write_json};
use crate::stages::corpus::CorpusDone;
use crate::stages::teach::TeachDone;
use crate::stages::{AnswersDone, ScoreRecord, TrainingDone};
use crate::{Result, Run, StageRecord};

/// Problems shown with the answers of all students.
const SAMPLES: usize = 3;

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

    let teacher = match run.config.teacher.kind {
        TeacherKind::Verbaliser => "verbaliser".into(),
        TeacherKind::Corpus => "the corpus itself".into(),
        TeacherKind::Openai | TeacherKind::Replay => run.config.teacher.model()?,
    };
    let problems: Vec<Problem> = records(&run.folder.problems("test"))?;
    let shown = Shown::new(&teacher, &problems, &answers, &scores, &lessons);
    let rows = rows(run, &scores);
    let warnings =
        rows.iter().filter_map(|row| varied_answers(&answers, &row.arm, row.mode?)).collect();
    let (mut curves, mut training) = (Vec::new(), Vec::new());
    for &arm in &run.config.training.arms {
        let lines: Vec<MetricsLine> = records(&run.folder.metrics(arm))?;
        curves.push(curve(&lines, arm, trained.get(&arm)));
        training.extend(trained.get(&arm).map(|done| took(&lines, arm, done)));
    }
    Ok(ReportData {
        run: run.config.name.clone(),
        command: run.command.clone(),
        setting: Setting {
            teacher: teacher.clone(),
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
                     paper; a problem whose texts have no dataflow counts in no DM."
                    .into(),
            baseline: Some(Arm::Plain.name().into()),
            teacher: None,
            rows,
            languages: languages(run, &scores, &problems),
            differences: differences(&scores)?,
        },
        curves,
        training,
        spreads: spreads(run, &shown),
        ranked: ranked(run, &shown),
        samples: samples(&answers, &shown),
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
        files: stamps(run)?,
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

/// Every arm in every mode, in the order in which they are shown.
fn techniques(run: &Run<'_>) -> impl Iterator<Item = (&'static str, Mode)> {
    run.config.training.arms.iter().flat_map(|&arm| {
        let modes = arm.modes(&run.config.answers.modes);
        modes.into_iter().map(move |mode| (arm.name(), mode))
    })
}

fn rows<'s>(run: &Run<'_>, scores: impl IntoIterator<Item = &'s ScoreRecord> + Clone) -> Vec<Row> {
    let mut rows = Vec::new();
    for (arm, mode) in techniques(run) {
        let mut problems: BTreeMap<&str, Vec<&ScoreRecord>> = BTreeMap::new();
        for score in scores.clone().into_iter().filter(|s| s.arm == arm && s.mode == mode) {
            problems.entry(&score.problem).or_default().push(score);
        }
        if !problems.is_empty() {
            rows.push(Row {
                arm: arm.into(),
                mode: Some(mode),
                top1: mean_of_best(&problems, 1),
                top5: mean_of_best(&problems, 5),
            });
        }
    }
    rows
}

/// The rows of each language, where there are several.
fn languages(run: &Run<'_>, scores: &[ScoreRecord], problems: &[Problem]) -> Vec<LanguageRow> {
    let languages: HashMap<&str, Language> =
        problems.iter().map(|problem| (problem.id.as_str(), problem.language)).collect();
    let mut by_language: BTreeMap<Language, Vec<&ScoreRecord>> = BTreeMap::new();
    for score in scores {
        if let Some(&language) = languages.get(score.problem.as_str()) {
            by_language.entry(language).or_default().push(score);
        }
    }
    let several = by_language.len() > 1;
    let mut all = Vec::new();
    for (language, scores) in by_language.into_iter().filter(|_| several) {
        let problems =
            scores.iter().map(|score| score.problem.as_str()).collect::<BTreeSet<_>>().len() as u64;
        let rows = rows(run, scores.iter().copied());
        all.extend(rows.into_iter().map(|row| LanguageRow { language, problems, row }));
    }
    all
}

/// What tells the rows apart, with the plan that an experiment's tables have by default.
fn differences(scores: &[ScoreRecord]) -> Result<Vec<Difference>> {
    let contrasts = contrasts_of_run(scores, &Plan::default())?;
    let points = |share: f64| Some(100.0 * share).filter(|points| points.is_finite());
    let named = |name: &str| match name.rsplit_once(' ') {
        Some((arm, mode)) => format!("{arm} ({mode})"),
        None => name.to_owned(),
    };
    let difference = |contrast: Contrast| Difference {
        a: named(&contrast.a_name),
        b: named(&contrast.b_name),
        measure: figure_name(&contrast.figure).to_owned(),
        difference: points(contrast.found.difference),
        low: points(contrast.found.low),
        high: points(contrast.found.high),
        p: Some(contrast.found.p).filter(|p| p.is_finite()),
        p_holm: Some(contrast.p_holm).filter(|p| p.is_finite()),
        verdict: match contrast.verdict {
            Verdict::Above => "above",
            Verdict::Below => "below",
            Verdict::CannotTell => "cannot_tell",
        }
        .into(),
    };
    Ok(contrasts.into_iter().map(difference).collect())
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

/// As much of a line of `metrics.jsonl` as the report needs.
#[derive(Deserialize)]
struct MetricsLine {
    event: String,
    step: u64,
    epoch: Option<f64>,
    loss: MetricsLoss,
    total: Option<f64>,
    #[serde(default)]
    best: bool,
    #[serde(default)]
    tokens: u64,
    #[serde(default)]
    seconds: f64,
}

#[derive(Deserialize)]
struct MetricsLoss {
    pseudocode: Option<f64>,
    code: Option<f64>,
}

fn curve(lines: &[MetricsLine], arm: Arm, done: Option<&TrainingDone>) -> Curve {
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
    Curve {
        arm: arm.name().into(),
        points: points.into_values().collect(),
        kept_step: done.map(|done| done.kept_step).or(kept),
    }
}

/// What training a student took.
fn took(lines: &[MetricsLine], arm: Arm, done: &TrainingDone) -> Training {
    let trained = || lines.iter().filter(|line| line.event == "train");
    Training {
        arm: arm.name().into(),
        parameters: done.parameters,
        lessons: done.lessons as u64,
        cut: done.cut as u64,
        steps: done.steps,
        tokens: trained().map(|line| line.tokens).sum(),
        seconds: trained().map(|line| line.seconds).sum(),
    }
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

/// What samples are made of, by problem.
struct Shown<'a> {
    /// The teacher's name.
    teacher: &'a str,
    problems: HashMap<&'a str, &'a Problem>,
    lessons: HashMap<&'a str, &'a Lesson>,
    /// The first answer of every arm and mode.
    answers: HashMap<(&'a str, &'a str, Mode), &'a Answer>,
    /// The scores of the first answers, in the order of the answers.
    scores: Vec<&'a ScoreRecord>,
}

impl<'a> Shown<'a> {
    fn new(
        teacher: &'a str,
        problems: &'a [Problem],
        answers: &'a [Answer],
        scores: &'a [ScoreRecord],
        lessons: &'a [Lesson],
    ) -> Shown<'a> {
        let key = |answer: &'a Answer| (answer.problem.as_str(), answer.arm.as_str(), answer.mode);
        let best = answers.iter().filter(|answer| answer.rank == 1);
        Shown {
            teacher,
            problems: problems.iter().map(|problem| (problem.id.as_str(), problem)).collect(),
            lessons: lessons.iter().map(|lesson| (lesson.id.as_str(), lesson)).collect(),
            answers: best.map(|answer| (key(answer), answer)).collect(),
            scores: scores.iter().filter(|score| score.rank == 1).collect(),
        }
    }

    /// The scores of one student's first answers in one mode.
    fn of(&self, arm: &str, mode: Mode) -> impl Iterator<Item = &'a ScoreRecord> {
        self.scores.iter().copied().filter(move |score| score.arm == arm && score.mode == mode)
    }

    /// A problem without answers.
    fn sample(&self, id: &str) -> Option<Sample> {
        let problem = self.problems.get(id)?;
        let reference = problem.reference.clone().unwrap_or_default();
        // The teacher is asked about the other splits only: what the verbaliser makes of the reference
        // stands in for its plan.
        let (pseudocode, pseudocode_by) = match self.lessons.get(id) {
            Some(lesson) => (lesson.solution.pseudocode.clone(), self.teacher.to_owned()),
            None => match verbaliser::verbalise(problem.language, &reference) {
                Ok(told) => (told.pseudocode, "the verbaliser".to_owned()),
                Err(_) => Default::default(),
            },
        };
        Some(Sample {
            id: id.to_owned(),
            language: problem.language,
            query: problem.query.clone(),
            reference,
            pseudocode,
            pseudocode_by,
            answers: Vec::new(),
        })
    }

    fn answer(&self, id: &str, arm: &str, mode: Mode) -> Option<SampleAnswer> {
        let answer = self.answers.get(&(id, arm, mode))?;
        let score = self.of(arm, mode).find(|score| score.problem == id);
        Some(SampleAnswer {
            arm: answer.arm.clone(),
            mode: Some(mode),
            pseudocode: answer.solution.pseudocode.clone(),
            code: answer.solution.code.clone(),
            exact: score.map(|score| score.exact),
            parses: score.map(|score| score.parses),
            cb: score.map(|score| 100.0 * score.score.scores.codebleu),
        })
    }
}

/// The first answered problems with the first answer of every student in every mode.
fn samples(answers: &[Answer], shown: &Shown<'_>) -> Vec<Sample> {
    let mut chosen: Vec<&str> = Vec::new();
    let mut techniques: Vec<(&str, Mode)> = Vec::new();
    for answer in answers {
        if chosen.len() < SAMPLES && !chosen.contains(&answer.problem.as_str()) {
            chosen.push(&answer.problem);
        }
        if !techniques.contains(&(&answer.arm, answer.mode)) {
            techniques.push((&answer.arm, answer.mode));
        }
    }
    let sample = |id: &&str| {
        let answers =
            techniques.iter().filter_map(|(arm, mode)| shown.answer(id, arm, *mode)).collect();
        Some(Sample { answers, ..shown.sample(id)? })
    };
    chosen.iter().filter_map(sample).collect()
}

/// The best, the median and the worst answer of every student in every mode.
fn ranked(run: &Run<'_>, shown: &Shown<'_>) -> Vec<RankedSample> {
    let mut ranked = Vec::new();
    for (arm, mode) in techniques(run) {
        let mut scores: Vec<&ScoreRecord> = shown.of(arm, mode).collect();
        // The sort is stable: among equals the first problem stays first.
        let figure = |score: &ScoreRecord| score.score.scores.codebleu;
        scores.sort_by(|one, two| figure(two).total_cmp(&figure(one)));
        let worst = scores.last().map(|last| figure(last));
        let places = [
            (Place::Best, scores.first()),
            (Place::Median, scores.get(scores.len() / 2).filter(|_| scores.len() > 2)),
            (Place::Worst, scores.iter().skip(1).find(|score| Some(figure(score)) == worst)),
        ];
        for (place, score) in places {
            ranked.extend(score.and_then(|score| {
                let answers = vec![shown.answer(&score.problem, arm, mode)?];
                let sample = Sample { answers, ..shown.sample(&score.problem)? };
                Some(RankedSample { place, sample })
            }));
        }
    }
    ranked
}

/// The scores of the first answers of every student in every mode.
fn spreads(run: &Run<'_>, shown: &Shown<'_>) -> Vec<Spread> {
    let tokens = |text: &str| code_corpus::tokens::tokens(text).count() as u64;
    let answer = |score: &ScoreRecord| {
        let problem = shown.problems.get(score.problem.as_str())?;
        let answer =
            shown.answers.get(&(score.problem.as_str(), score.arm.as_str(), score.mode))?;
        Some(SpreadAnswer {
            cb: Some(100.0 * score.score.scores.codebleu),
            reference_tokens: tokens(problem.reference.as_deref().unwrap_or_default()),
            answer_tokens: tokens(&answer.solution.code),
        })
    };
    let spread = |(arm, mode): (&str, Mode)| Spread {
        arm: arm.into(),
        mode: Some(mode),
        answers: shown.of(arm, mode).filter_map(answer).collect(),
    };
    techniques(run).map(spread).filter(|spread| !spread.answers.is_empty()).collect()
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

/// The files that a repetition should come to, as far as they are there. Times are in none of them.
fn stamps(run: &Run<'_>) -> Result<Vec<Stamp>> {
    let folder = &run.folder;
    let mut paths: Vec<_> = crate::SPLITS.iter().map(|split| folder.problems(split)).collect();
    paths.extend([folder.lessons(), folder.tokenizer()]);
    let weights = |&arm: &Arm| folder.student(arm).join("model.safetensors");
    paths.extend(run.config.training.arms.iter().map(weights));
    paths.extend([folder.answers(), folder.scores()]);
    let mut stamps = Vec::new();
    for path in paths.into_iter().filter(|path| path.exists()) {
        let mut hasher = blake3::Hasher::new();
        let file = File::open(&path).map_err(io("read", &path))?;
        let bytes = file.metadata().map_err(io("read", &path))?.len();
        hasher.update_reader(file).map_err(io("read", &path))?;
        let name = path.strip_prefix(folder.root()).unwrap_or(&path).display().to_string();
        stamps.push(Stamp { name, bytes, hash: hasher.finalize().to_hex()[..16].to_owned() });
    }
    Ok(stamps)
}
