//! The tables of the report, built once and rendered twice: Markdown and HTML show the same cells.

use std::borrow::Cow;

use distill_core::Mode;

use super::data::{Curve, CurvePoint, Difference, ReportData, Row, Spread};
use super::spread;
use super::words::{
    self, BESIDE, Measure, ScoresOf, TABLE_3, TOPS, count, duration, known, number, score, tenths,
};

/// A table whose first column names its rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// Titles above columns with the number of columns that each spans; empty, or they span all.
    pub(crate) groups: Vec<(&'static str, usize)>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Line>,
}

/// A column: its title, and whether it holds figures (aligned right).
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) title: Cow<'static, str>,
    pub(crate) figures: bool,
}

/// One row.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) cells: Vec<Cell>,
    /// Stands apart from the rows before: a sum, or the teacher beside its students.
    pub(crate) apart: bool,
}

/// One cell.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// What qualifies the text, shown smaller.
    pub(crate) aside: String,
    /// The best of its column.
    pub(crate) strong: bool,
    /// Which arm the row is of: its colour.
    pub(crate) arm: Option<usize>,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, ..Cell::default() }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        text.to_owned().into()
    }
}

pub(crate) fn text(title: impl Into<Cow<'static, str>>) -> Column {
    Column { title: title.into(), figures: false }
}

pub(crate) fn figures(title: impl Into<Cow<'static, str>>) -> Column {
    Column { title: title.into(), figures: true }
}

pub(crate) fn line<C: Into<Cell>>(cells: impl IntoIterator<Item = C>) -> Line {
    Line { cells: cells.into_iter().map(Into::into).collect(), apart: false }
}

/// The scores as the paper's Table 3 lays them out.
pub(super) fn results(data: &ReportData) -> Option<Table> {
    scores(data, "Results, laid out as the paper's Table 3", &TABLE_3)
}

/// What the paper does not print.
pub(super) fn beside(data: &ReportData) -> Option<Table> {
    scores(data, "Beside Table 3: keyword match, exact match and parse rate", &BESIDE)
}

fn scores(data: &ReportData, title: &str, measures: &[Measure]) -> Option<Table> {
    let rows = &data.results.rows;
    if rows.is_empty() && data.results.teacher.is_none() {
        return None;
    }
    let mut table = Table {
        title: title.into(),
        groups: halves(1, measures),
        columns: std::iter::once(text("Techniques")).chain(titles(measures)).collect(),
        rows: Vec::new(),
    };
    if let Some(teacher) = &data.results.teacher {
        let name = Cell { text: teacher.arm.clone(), aside: "teacher".into(), ..Cell::default() };
        table.rows.push(line(std::iter::once(name).chain(score_cells(teacher, measures, None))));
    }
    let best = best(rows.iter(), measures);
    for (at, row) in rows.iter().enumerate() {
        let name = technique(data, &row.arm, row.mode);
        let mut next = line(std::iter::once(name).chain(score_cells(row, measures, Some(&best))));
        next.apart = at == 0 && data.results.teacher.is_some();
        table.rows.push(next);
    }
    Some(table)
}

/// The scores of Table 3 by language, where there are several.
pub(super) fn languages(data: &ReportData) -> Option<Table> {
    let rows = &data.results.languages;
    let mut table = Table {
        title: "Results by language".into(),
        groups: halves(3, &TABLE_3),
        columns: [text("Language"), figures("Problems"), text("Techniques")]
            .into_iter()
            .chain(titles(&TABLE_3))
            .collect(),
        rows: Vec::new(),
    };
    for (at, row) in rows.iter().enumerate() {
        let of_language = rows.iter().filter(|other| other.language == row.language);
        let best = best(of_language.map(|other| &other.row), &TABLE_3);
        let start = [
            row.language.title().into(),
            count(row.problems).into(),
            technique(data, &row.row.arm, row.row.mode),
        ];
        let mut next = line(start.into_iter().chain(score_cells(&row.row, &TABLE_3, Some(&best))));
        next.apart = at > 0 && rows[at - 1].language != row.language;
        table.rows.push(next);
    }
    (!rows.is_empty()).then_some(table)
}

/// `before` columns, then those of Top-1 and those of Top-5.
fn halves(before: usize, measures: &[Measure]) -> Vec<(&'static str, usize)> {
    vec![("", before), (TOPS[0].0, measures.len()), (TOPS[1].0, measures.len())]
}

fn titles(measures: &[Measure]) -> impl Iterator<Item = Column> {
    let titles = || measures.iter().map(|measure| figures(measure.title));
    titles().chain(titles())
}

fn score_columns(measures: &[Measure]) -> impl Iterator<Item = (ScoresOf, &Measure)> {
    TOPS.iter().flat_map(|(_, top)| measures.iter().map(move |measure| (*top, measure)))
}

/// The best figure of each column; none where it does not tell rows apart.
fn best<'a>(rows: impl Iterator<Item = &'a Row> + Clone, measures: &[Measure]) -> Vec<Option<i64>> {
    score_columns(measures)
        .map(|(top, measure)| {
            let all = || rows.clone().filter_map(|row| tenths((measure.of)(top(row))));
            all().max().filter(|best| all().any(|other| other < *best))
        })
        .collect()
}

/// The figures of a row, those in bold that equal the best.
fn score_cells(row: &Row, measures: &[Measure], best: Option<&[Option<i64>]>) -> Vec<Cell> {
    score_columns(measures)
        .enumerate()
        .map(|(at, (top, measure))| {
            let value = (measure.of)(top(row));
            let best = best.and_then(|best| *best.get(at)?);
            let strong = best.is_some() && tenths(value) == best;
            Cell { text: score(value), strong, ..Cell::default() }
        })
        .collect()
}

/// The name of an arm with its mode, in its colour.
fn technique(data: &ReportData, arm: &str, mode: Option<Mode>) -> Cell {
    Cell {
        text: arm.to_owned(),
        aside: mode.map_or_else(String::new, |mode| mode.to_string()),
        strong: false,
        arm: words::arms(data).iter().position(|known| *known == arm),
    }
}

/// The differences between the rows.
pub(super) fn differences(data: &ReportData) -> Option<Table> {
    let differences = &data.results.differences;
    let row = |found: &Difference| {
        let interval = format!("[{}, {}]", words::signed(found.low), words::signed(found.high));
        let difference =
            Cell { text: words::signed(found.difference), aside: interval, ..Cell::default() };
        let ps = [found.p, found.p_holm].map(|p| Cell::from(number(p, 4)));
        let names = [&found.a, &found.b, &found.measure].map(|name| Cell::from(name.clone()));
        let end = [Cell::from(words::verdict(found))];
        line(names.into_iter().chain([difference]).chain(ps).chain(end))
    };
    (!differences.is_empty()).then(|| Table {
        title: "Differences at Top-1".into(),
        groups: Vec::new(),
        columns: vec![
            text("A"),
            text("B"),
            text("Measure"),
            figures("A − B"),
            figures("p"),
            figures("Holm’s p"),
            text("Verdict"),
        ],
        rows: differences.iter().map(row).collect(),
    })
}

/// How the scores of the first answers are spread.
pub(super) fn spreads(data: &ReportData) -> Option<Table> {
    let shares = ["Lowest", "10 %", "25 %", "Median", "75 %", "90 %", "Highest"];
    let row = |spread: &Spread| {
        let scores = spread::scores(spread);
        let cells = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
            .map(|share| score(spread::quantile(&scores, share)).into());
        let start = [technique(data, &spread.arm, spread.mode), count(scores.len() as u64).into()];
        line(start.into_iter().chain(cells))
    };
    (!data.spreads.is_empty()).then(|| Table {
        title: "CodeBLEU of the first answers: this share of them has at most …".into(),
        groups: Vec::new(),
        columns: [text("Techniques"), figures("Answers")]
            .into_iter()
            .chain(shares.map(figures))
            .collect(),
        rows: data.spreads.iter().map(row).collect(),
    })
}

/// Mean scores of the first answers by the length of the reference.
pub(super) fn by_length(data: &ReportData) -> Option<Table> {
    let groups = spread::length_groups(&data.spreads);
    let title = |(low, high): &(u64, u64)| match low == high {
        true => figures(count(*low)),
        false => figures(format!("{}–{}", count(*low), count(*high))),
    };
    let row = |spread: &Spread| {
        let means = groups.iter().map(|group| {
            let (_, mean, answers) = spread::mean_in(spread, *group);
            Cell { text: score(mean), aside: format!("of {}", count(answers)), ..Cell::default() }
        });
        let rho = number(spread::correlation(spread), 2).into();
        line([technique(data, &spread.arm, spread.mode)].into_iter().chain(means).chain([rho]))
    };
    (!groups.is_empty()).then(|| Table {
        title: "Mean CodeBLEU of the first answers by the length of the reference in tokens".into(),
        groups: vec![("", 1), ("Tokens of the reference", groups.len()), ("", 1)],
        columns: [text("Techniques")]
            .into_iter()
            .chain(groups.iter().map(title))
            .chain([figures("Spearman’s ρ")])
            .collect(),
        rows: data.spreads.iter().map(row).collect(),
    })
}

/// What training took.
pub(super) fn training(data: &ReportData) -> Option<Table> {
    let row = |training: &super::data::Training| {
        let speed = training.tokens as f64 / training.seconds;
        let speed = Some(speed).filter(|speed| speed.is_finite()).map(|speed| speed.round() as u64);
        let cells = [
            count(training.parameters),
            count(training.lessons),
            count(training.cut),
            count(training.steps),
            count(training.tokens),
            duration(Some(training.seconds)),
            known(speed),
        ];
        let name = technique(data, &training.arm, None);
        line([name].into_iter().chain(cells.map(Cell::from)))
    };
    let titles =
        ["Parameters", "Lessons", "Texts cut", "Steps", "Tokens", "Time", "Tokens a second"];
    (!data.training.is_empty()).then(|| Table {
        title: "What training took".into(),
        groups: Vec::new(),
        columns: [text("Student")].into_iter().chain(titles.map(figures)).collect(),
        rows: data.training.iter().map(row).collect(),
    })
}

/// The run's files.
pub(super) fn files(data: &ReportData) -> Option<Table> {
    let row = |stamp: &super::data::Stamp| {
        line([stamp.name.clone(), count(stamp.bytes), stamp.hash.clone()])
    };
    (!data.files.is_empty()).then(|| Table {
        title: "Files, with the first 16 digits of their BLAKE3 hash".into(),
        groups: Vec::new(),
        columns: vec![text("File"), figures("Bytes"), text("Hash")],
        rows: data.files.iter().map(row).collect(),
    })
}

/// The corpus as the paper's Table 2, with the splits beside.
pub(super) fn dataset(data: &ReportData) -> Option<Table> {
    let pairs = &data.dataset.pairs;
    if pairs.is_empty() {
        return None;
    }
    let mut rows: Vec<Line> = pairs
        .iter()
        .map(|row| {
            let splits = [row.train, row.valid, row.test];
            let all = splits.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
            let numbers = splits.into_iter().chain([all]).map(count);
            line(std::iter::once(row.language.title().to_owned()).chain(numbers))
        })
        .collect();
    let [train, valid, test] = splits(data);
    let all = total_pairs(data);
    let sums = [train, valid, test, all].map(count);
    let mut sum = line(std::iter::once("All".to_owned()).chain(sums));
    sum.apart = true;
    rows.push(sum);
    Some(Table {
        title: "Bimodal data pairs, as the paper's Table 2".into(),
        groups: Vec::new(),
        columns: vec![
            text("Programming language"),
            figures("Train"),
            figures("Valid"),
            figures("Test"),
            figures("Bimodal data pairs"),
        ],
        rows,
    })
}

fn splits(data: &ReportData) -> [u64; 3] {
    data.dataset.pairs.iter().fold([0; 3], |[train, valid, test], row| {
        [
            train.saturating_add(row.train),
            valid.saturating_add(row.valid),
            test.saturating_add(row.test),
        ]
    })
}

/// Pairs of all languages and splits.
pub(super) fn total_pairs(data: &ReportData) -> u64 {
    splits(data).iter().fold(0, |sum, n| sum.saturating_add(*n))
}

/// How long the texts are.
pub(super) fn lengths(data: &ReportData) -> Option<Table> {
    let dataset = &data.dataset;
    let title = match dataset.length_unit.as_str() {
        "" => "Lengths".into(),
        unit => format!("Lengths in {unit}"),
    };
    (!dataset.lengths.is_empty()).then(|| Table {
        title,
        groups: Vec::new(),
        columns: vec![
            text("Text"),
            figures("Mean"),
            figures("Median"),
            figures("95 % at most"),
            figures("Longest"),
        ],
        rows: dataset
            .lengths
            .iter()
            .map(|row| {
                let [mean, median, p95, max] =
                    [(row.mean, 1), (row.median, 0), (row.p95, 0), (row.max, 0)]
                        .map(|(value, decimals)| number(value, decimals));
                line([row.text.clone(), mean, median, p95, max])
            })
            .collect(),
    })
}

/// What was left out of the corpus.
pub(super) fn dropped(data: &ReportData) -> Option<Table> {
    reasons("Left out of the corpus", data.dataset.dropped.iter())
}

/// What was turned down of the teacher's replies.
pub(super) fn rejected(data: &ReportData) -> Option<Table> {
    reasons("Replies turned down", data.teach.iter().flat_map(|teach| teach.rejected.iter()))
}

/// Counts by reason, the largest first.
fn reasons<'a>(title: &str, counts: impl Iterator<Item = (&'a String, &'a u64)>) -> Option<Table> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), *reason));
    (!counts.is_empty()).then(|| Table {
        title: title.into(),
        groups: Vec::new(),
        columns: vec![text("Reason"), figures("Number")],
        rows: counts.iter().map(|(reason, n)| line([(*reason).clone(), count(**n)])).collect(),
    })
}

/// What became of the questions to the teacher.
pub(super) fn teach(data: &ReportData) -> Option<Table> {
    let teach = data.teach.as_ref()?;
    let turned_down = teach.rejected.values().fold(0, |sum: u64, n| sum.saturating_add(*n));
    let share = |part| words::per_cent(part, teach.asked);
    let mut rows = vec![
        line(["Asked".to_owned(), count(teach.asked), String::new()]),
        line(["Kept".to_owned(), count(teach.kept), share(teach.kept)]),
        line(["Turned down".to_owned(), count(turned_down), share(turned_down)]),
        line(["Tokens read".to_owned(), known(teach.prompt_tokens), String::new()]),
        line(["Tokens written".to_owned(), known(teach.completion_tokens), String::new()]),
    ];
    if teach.cost.is_some() {
        let cost = number(teach.cost, 4);
        rows.push(line(["Cost, in the currency of teacher.price".to_owned(), cost, String::new()]));
    }
    if let Some(part) = teach.without_rule {
        let share = match number(Some(part * 100.0), 2) {
            share if share == words::UNKNOWN => share,
            share => format!("{share} %"),
        };
        rows.push(line(["Syntax nodes without a rule".to_owned(), String::new(), share]));
    }
    Some(Table {
        title: "What became of the questions to the teacher".into(),
        groups: Vec::new(),
        columns: vec![text("Lessons"), figures("Number"), figures("Share")],
        rows,
    })
}

/// The losses at up to `most` of the validated points of each student: always the first, the last
/// and the kept one.
pub(super) fn losses(data: &ReportData, most: usize) -> Option<Table> {
    let arms = words::arms(data);
    let mut rows = Vec::new();
    for curve in &data.curves {
        for (at, point) in validated(curve, most).into_iter().enumerate() {
            let name = Cell {
                text: curve.arm.clone(),
                arm: arms.iter().position(|arm| *arm == curve.arm),
                ..Cell::default()
            };
            let is_kept = curve.kept_step == Some(point.step);
            let step = Cell {
                text: count(point.step),
                aside: if is_kept { "kept".into() } else { String::new() },
                strong: is_kept,
                arm: None,
            };
            let losses = [&point.train, &point.valid]
                .into_iter()
                .flat_map(|losses| [losses.pseudocode, losses.code, losses.total])
                .map(|loss| number(loss, 3).into());
            let start = [name, step, number(point.epoch, 1).into()];
            let mut next = line(start.into_iter().chain(losses));
            next.apart = at == 0 && !rows.is_empty();
            rows.push(next);
        }
    }
    let titles = ["Pseudocode", "Code", "Total", "Pseudocode", "Code", "Total"].map(figures);
    (!rows.is_empty()).then(|| Table {
        title: "Losses in nats per token".into(),
        groups: vec![("", 3), ("Training", 3), ("Validation", 3)],
        columns: [text("Student"), figures("Step"), figures("Epoch")]
            .into_iter()
            .chain(titles)
            .collect(),
        rows,
    })
}

fn validated(curve: &Curve, most: usize) -> Vec<&CurvePoint> {
    let points: Vec<&CurvePoint> = curve
        .points
        .iter()
        .filter(|p| [p.valid.pseudocode, p.valid.code, p.valid.total].iter().any(Option::is_some))
        .collect();
    if points.len() <= most {
        return points;
    }
    let last = points.len() - 1;
    let gaps = most.saturating_sub(1).max(1);
    let mut shown: Vec<usize> = (0..=gaps).map(|at| at * last / gaps).collect();
    shown.extend(points.iter().position(|point| Some(point.step) == curve.kept_step));
    shown.sort_unstable();
    shown.dedup();
    shown.into_iter().map(|at| points[at]).collect()
}

/// The seeds.
pub(super) fn seeds(data: &ReportData) -> Option<Table> {
    let rows: Vec<Line> =
        data.seeds.iter().map(|(what, seed)| line([what.clone(), seed.to_string()])).collect();
    (!rows.is_empty()).then(|| Table {
        title: "Seeds".into(),
        groups: Vec::new(),
        columns: vec![text("Of"), figures("Seed")],
        rows,
    })
}

/// What ran where.
pub(super) fn machine(data: &ReportData) -> Option<Table> {
    let machine = &data.machine;
    let mut rows: Vec<Line> =
        data.versions.iter().map(|(what, version)| line([what.clone(), version.clone()])).collect();
    for (what, which) in [("system", &machine.os), ("device", &machine.device)] {
        if !which.is_empty() {
            rows.push(line([what.to_owned(), which.clone()]));
        }
    }
    rows.extend(machine.threads.map(|threads| line(["threads".to_owned(), threads.to_string()])));
    (!rows.is_empty()).then(|| Table {
        title: "Versions and machine".into(),
        groups: Vec::new(),
        columns: vec![text("What"), text("Which")],
        rows,
    })
}

/// The time that each stage took.
pub(super) fn stages(data: &ReportData) -> Option<Table> {
    let stages = &data.stages;
    if stages.is_empty() {
        return None;
    }
    let says_outcome = stages.iter().any(|stage| !stage.outcome.is_empty());
    let row = |name: &str, outcome: &str, time: String, sessions: String| {
        let outcome = says_outcome.then(|| outcome.to_owned());
        line([Some(name.to_owned()), outcome, Some(time), Some(sessions)].into_iter().flatten())
    };
    let mut rows: Vec<Line> = stages
        .iter()
        .map(|stage| {
            let sessions = match stage.sessions {
                0 => words::UNKNOWN.into(),
                sessions => count(sessions.into()),
            };
            row(&stage.name, &stage.outcome, duration(stage.seconds), sessions)
        })
        .collect();
    let mut sum = row("All", "", duration(total_seconds(data)), String::new());
    sum.apart = true;
    rows.push(sum);
    let columns = [
        Some(text("Stage")),
        says_outcome.then_some(text("Outcome")),
        Some(figures("Time")),
        Some(figures("Sessions")),
    ];
    Some(Table {
        title: "Time of each stage".into(),
        groups: Vec::new(),
        columns: columns.into_iter().flatten().collect(),
        rows,
    })
}

/// Seconds of all stages; `None` unless every stage was timed.
pub(super) fn total_seconds(data: &ReportData) -> Option<f64> {
    if data.stages.is_empty() {
        return None;
    }
    data.stages.iter().map(|stage| stage.seconds).sum()
}
