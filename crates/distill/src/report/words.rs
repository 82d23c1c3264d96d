//! The words and figures that both renderings share: how a number is written, what the numbers say.

use distill_core::Mode;

use super::data::{Curve, Difference, Losses, Place, ReportData, Row, Scores};
use super::diff::Diff;

/// What stands for a value that is not known or not a number.
pub(crate) const UNKNOWN: &str = "–";

/// Where a loss stands.
pub(super) type LossOf = fn(&Losses) -> Option<f64>;

/// A measure of the results: its column title, its name in a sentence, what it is, where it stands.
pub(super) struct Measure {
    pub(super) title: &'static str,
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) of: fn(&Scores) -> Option<f64>,
}

/// The columns of the paper's Table 3.
pub(super) const TABLE_3: [Measure; 4] = [
    Measure {
        title: "TM",
        name: "TM",
        meaning: "token match: BLEU over the code's tokens",
        of: |scores| scores.tm,
    },
    Measure {
        title: "SM",
        name: "SM",
        meaning: "syntax match: 1 − tree edit distance ÷ size of the larger tree",
        of: |scores| scores.sm,
    },
    Measure {
        title: "DM",
        name: "DM",
        meaning: "dataflow match: Jaccard index of the data dependencies",
        of: |scores| scores.dm,
    },
    Measure {
        title: "CB",
        name: "CB",
        meaning: "CodeBLEU: TM, KM, SM and DM weighted together",
        of: |scores| scores.cb,
    },
];

/// What stands beside Table 3.
pub(super) const BESIDE: [Measure; 3] = [
    Measure {
        title: "KM",
        name: "KM",
        meaning: "keyword match: BLEU with the language's keywords weighing more",
        of: |scores| scores.km,
    },
    Measure {
        title: "Exact",
        name: "exact match",
        meaning: "per cent of the problems answered with the reference itself",
        of: |scores| scores.exact,
    },
    Measure {
        title: "Parses",
        name: "parse rate",
        meaning: "per cent of the answers that parse",
        of: |scores| scores.parses,
    },
];

/// Where the scores of one half of a results table stand.
pub(super) type ScoresOf = fn(&Row) -> &Scores;

/// What the two halves of a results table are called, and where their scores stand.
pub(super) const TOPS: [(&str, ScoresOf); 2] =
    [("Top-1", |row| &row.top1), ("Top-5", |row| &row.top5)];

/// Below a results table, whatever the run.
pub(super) const TOP_5_NOTE: &str = "Top-1 is the student's own first answer. Top-5 is the best \
    of its five answers by each metric itself, found with the reference in hand (an oracle): an \
    upper bound, not what somebody without the reference gets.";

/// How these columns relate to the paper's words.
pub(super) const ACCURACY_NOTE: &str = "The paper's text calls its TM column “accuracy”. No \
    column here bears that name: an answer equal to the reference is counted under Exact.";

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// A figure with so many decimals.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    match finite(value) {
        // Nobody reads three hundred digits.
        Some(value) if value.abs() >= 1e12 => format!("{value:.2e}"),
        Some(value) => {
            let text = format!("{value:.decimals$}");
            // Rust writes a small negative number as -0.0.
            match text.strip_prefix('-') {
                Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.into(),
                Some(rest) => format!("−{rest}"),
                None => text,
            }
        }
        None => UNKNOWN.into(),
    }
}

/// A score from 0 to 100.
pub(super) fn score(value: Option<f64>) -> String {
    number(value, 1)
}

/// A score in tenths, as the tables show it: what is compared is what the reader sees.
pub(super) fn tenths(value: Option<f64>) -> Option<i64> {
    // Through the text, since `{:.1}` and `round` do not treat halves alike.
    format!("{:.1}", finite(value)?).parse::<f64>().ok().map(|value| (value * 10.0).round() as i64)
}

/// A number of things: `12,345`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things that may not be known.
pub(super) fn known(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.into(), count)
}

/// A part of a whole as per cent.
pub(super) fn per_cent(part: u64, whole: u64) -> String {
    match whole {
        0 => UNKNOWN.into(),
        _ => format!("{} %", score(Some(part as f64 / whole as f64 * 100.0))),
    }
}

/// A time: `4.2 s`, `3 min 12 s`, `1 h 03 min`.
pub(super) fn duration(seconds: Option<f64>) -> String {
    let Some(seconds) = finite(seconds).filter(|seconds| *seconds >= 0.0) else {
        return UNKNOWN.into();
    };
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        // Rounded to minutes here, so that 1 h 59 min 59 s is 2 h.
        _ => {
            let minutes = whole.saturating_add(30) / 60;
            format!("{} h {:02} min", count(minutes / 60), minutes % 60)
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `1 problem`, `2 problems`.
pub(crate) fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Makes what a terminal or browser would obey visible instead: control characters become their
/// pictures (U+2400 and on), those that reorder or break lines their code points. Line breaks and
/// tabs stay; `\r\n` counts as one line break.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\0'..' ' => shown.extend(char::from_u32(0x2400 + c as u32)),
            '\x7f' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => shown.push_str(&format!("⟨U+{:04X}⟩", c as u32)),
            _ if (c as u32) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c) => {
                shown.push('\u{fffd}');
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// As [`visible`], on one line, runs of blanks as single blanks.
pub(super) fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What a row is called in a sentence: `distilled (chained)`.
pub(super) fn row_name(row: &Row) -> String {
    technique(&row.arm, row.mode)
}

/// An arm with its mode: `distilled (chained)`.
pub(super) fn technique(arm: &str, mode: Option<Mode>) -> String {
    match mode {
        Some(mode) => format!("{arm} ({mode})"),
        None => arm.to_owned(),
    }
}

/// What an answer with this place is called.
pub(super) fn place(place: Place) -> &'static str {
    match place {
        Place::Best => "Best answer",
        Place::Median => "Median answer",
        Place::Worst => "Worst answer",
    }
}

/// Above the answers that stand for all of a student's.
pub(super) const RANKED_NOTE: &str = "Of the first answers of each student the best, the median and \
    the worst by CodeBLEU; among equals the first in the order of the problems. What the reference \
    alone has is marked −, what the answer alone has +.";

/// Above the answers to the same problems.
pub(super) const SAMPLES_NOTE: &str = "The first answer of each student to the first problems that \
    were answered, whatever their scores.";

/// How two texts compare: `5 lines alike, 3 in the reference alone, 4 in the answer alone`.
pub(super) fn compared(diff: &Diff<'_>) -> String {
    let (reference, answer) = diff.differing();
    match (reference, answer) {
        (0, 0) => "The same line by line.".into(),
        _ => format!(
            "{} alike, {} in the reference alone, {} in the answer alone.",
            plural(diff.shared as u64, "line"),
            count(reference as u64),
            count(answer as u64)
        ),
    }
}

/// All arms by first mention: their order decides their colours.
pub(super) fn arms(data: &ReportData) -> Vec<&str> {
    let mut arms: Vec<&str> = Vec::new();
    let mentions = data.curves.iter().map(|curve| curve.arm.as_str());
    for arm in mentions.chain(data.results.rows.iter().map(|row| row.arm.as_str())) {
        if !arms.contains(&arm) {
            arms.push(arm);
        }
    }
    arms
}

/// Who was taught by whom on what, as a sentence; empty if nothing of it is known.
pub(super) fn summary(data: &ReportData) -> String {
    let setting = &data.setting;
    let student = match (setting.student.as_str(), setting.parameters) {
        ("", None) => "a student".into(),
        ("", Some(parameters)) => format!("a student of {} parameters", count(parameters)),
        (student, None) => format!("the student {student}"),
        (student, Some(parameters)) => {
            format!("the student {student} ({} parameters)", count(parameters))
        }
    };
    let teacher = match setting.teacher.as_str() {
        "" => String::new(),
        teacher => format!(", taught by {teacher}"),
    };
    let corpus = match setting.corpus.as_str() {
        "" => String::new(),
        corpus => format!(", on {corpus}"),
    };
    match (student.as_str(), teacher.is_empty() && corpus.is_empty()) {
        ("a student", true) => String::new(),
        _ => capital(&format!("{student}{teacher}{corpus}.")),
    }
}

fn capital(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// How many problems the scores are of, as a sentence.
pub(super) fn scored(data: &ReportData) -> String {
    let problems = data.results.problems;
    match data.results.test_split {
        Some(all) if all > problems => format!(
            "Scores of {} out of {} in the test split.",
            plural(problems, "problem"),
            count(all)
        ),
        Some(_) => format!("Scores of all {} of the test split.", plural(problems, "problem")),
        None => format!("Scores of {}.", plural(problems, "test problem")),
    }
}

/// What the numbers say, a plain sentence each, and never more than they say.
pub(super) fn findings(data: &ReportData) -> Vec<String> {
    let rows = &data.results.rows;
    let baseline: Vec<&Row> = rows
        .iter()
        .filter(|row| data.results.baseline.as_deref() == Some(row.arm.as_str()))
        .collect();
    let mut said = Vec::new();
    if baseline.is_empty() {
        said.extend(TOPS.iter().filter_map(|(top, of)| highest(rows, top, *of)));
    }
    for row in rows.iter().filter(|row| !baseline.iter().any(|base| base.arm == row.arm)) {
        let beside = baseline.iter().find(|base| base.mode == row.mode).or(baseline.first());
        if let Some(base) = beside {
            said.extend(TOPS.iter().filter_map(|(top, of)| comparison(row, base, top, *of)));
        }
    }
    if !said.is_empty() {
        said.push(caution(data));
    }
    said.extend(data.curves.iter().filter_map(loss_finding));
    said
}

/// How `row` stands to `base`, measure by measure.
fn comparison(row: &Row, base: &Row, top: &str, of: ScoresOf) -> Option<String> {
    let (mut above, mut below, mut level) = (Vec::new(), Vec::new(), Vec::new());
    for measure in TABLE_3.iter().chain(&BESIDE) {
        let pair = (tenths((measure.of)(of(row))), tenths((measure.of)(of(base))));
        let (Some(ours), Some(theirs)) = pair else { continue };
        let by = number(Some((ours - theirs).abs() as f64 / 10.0), 1);
        match ours.cmp(&theirs) {
            std::cmp::Ordering::Greater => above.push(format!("{} (+{by})", measure.name)),
            std::cmp::Ordering::Less => below.push(format!("{} (−{by})", measure.name)),
            std::cmp::Ordering::Equal => level.push(measure.name.to_owned()),
        }
    }
    let base = row_name(base);
    let mut clauses = Vec::new();
    for (items, relation) in [(above, "above"), (below, "below"), (level, "level with")] {
        if !items.is_empty() {
            let whom = if clauses.is_empty() { &base } else { "it" };
            clauses.push(format!("{relation} {whom} in {}", list(&items)));
        }
    }
    (!clauses.is_empty()).then(|| format!("At {top}, {} is {}.", row_name(row), clauses.join("; ")))
}

/// Who is highest, measure by measure, where there is more than one.
fn highest(rows: &[Row], top: &str, of: ScoresOf) -> Option<String> {
    if rows.len() < 2 {
        return None;
    }
    let mut items = Vec::new();
    for measure in TABLE_3.iter().chain(&BESIDE) {
        let scores = rows.iter().filter_map(|row| Some((tenths((measure.of)(of(row)))?, row)));
        let Some(best) = scores.clone().map(|(score, _)| score).max() else { continue };
        let names: Vec<String> =
            scores.filter(|(score, _)| *score == best).map(|(_, row)| row_name(row)).collect();
        let best = number(Some(best as f64 / 10.0), 1);
        items.push(format!("{} {best} ({})", measure.name, list(&names)));
    }
    (!items.is_empty()).then(|| format!("Highest at {top}: {}.", items.join("; ")))
}

fn caution(data: &ReportData) -> String {
    let problems = data.results.problems;
    let on = match problems {
        0 => return "No number of test problems is recorded with these scores.".into(),
        _ => format!(
            "These are scores on {}; one problem more or less moves exact match by {} points.",
            plural(problems, "problem"),
            number(Some(100.0 / problems as f64), if problems > 1000 { 2 } else { 1 })
        ),
    };
    let differences = &data.results.differences;
    let told = differences.iter().filter(|found| found.verdict != "cannot_tell").count();
    match (differences.len(), told) {
        (0, _) => format!("{on} No difference was tested for significance."),
        (all, 0) => {
            format!("{on} None of the {all} differences tested at Top-1 is told from chance.")
        }
        (all, told) => format!(
            "{on} Of {all} differences tested at Top-1, {told} {} told from chance, each named under \
             Differences; the others may be chance.",
            if told == 1 { "is" } else { "are" }
        ),
    }
}

/// A verdict in words.
pub(super) fn verdict(found: &Difference) -> &str {
    match found.verdict.as_str() {
        "above" => "A is above B",
        "below" => "A is below B",
        "cannot_tell" => "cannot tell",
        other => other,
    }
}

/// Points with a sign.
pub(super) fn signed(value: Option<f64>) -> String {
    match score(value) {
        text if finite(value).is_some_and(|value| value > 0.0) => format!("+{text}"),
        text => text,
    }
}

/// Below the differences.
pub(super) const DIFFERENCES_NOTE: &str = "A less B at Top-1 in points, with a 95 % interval by \
    bootstrap over the problems (10,000 resamples); p by approximate randomisation, corrected after \
    Holm for all lines. Above or below is said where both agree. One training of each student: what \
    another seed would give is not in these intervals; an experiment with seeds says that.";

/// Validation loss of one task before training and where the weights were kept.
pub(super) struct Progress {
    pub(super) task: &'static str,
    pub(super) untrained: f64,
    pub(super) kept: f64,
    /// Steps until then.
    pub(super) step: u64,
}

/// The progress of a student in each task that was measured before and after.
pub(super) fn progress(curve: &Curve) -> Vec<Progress> {
    let tasks: [(&'static str, LossOf); 2] =
        [("pseudocode", |losses| losses.pseudocode), ("code", |losses| losses.code)];
    let measured = |(task, of): (&'static str, LossOf)| {
        let losses =
            || curve.points.iter().filter_map(move |p| Some((p.step, finite(of(&p.valid))?)));
        let (_, untrained) = losses().find(|(step, _)| *step == 0)?;
        let at_kept = losses().find(|(step, _)| Some(*step) == curve.kept_step);
        let (step, kept) = at_kept.or_else(|| losses().next_back())?;
        (step > 0).then_some(Progress { task, untrained, kept, step })
    };
    tasks.into_iter().filter_map(measured).collect()
}

fn loss_finding(curve: &Curve) -> Option<String> {
    let steps: Vec<String> = progress(curve)
        .iter()
        .map(|p| {
            let [from, to] = [p.untrained, p.kept].map(|loss| number(Some(loss), 3));
            format!("from {from} to {to} in {} (step {})", p.task, count(p.step))
        })
        .collect();
    (!steps.is_empty()).then(|| format!("Validation loss of {} went {}.", curve.arm, list(&steps)))
}

/// The warnings of the run, and those that the numbers themselves give.
pub(super) fn warnings(data: &ReportData) -> Vec<String> {
    let mut warnings = data.warnings.clone();
    for curve in &data.curves {
        for p in progress(curve).iter().filter(|p| p.kept >= p.untrained) {
            warnings.push(format!(
                "The student {} does not beat its untrained self on validation loss in {}: {} \
                 before training, {} after.",
                curve.arm,
                p.task,
                number(Some(p.untrained), 3),
                number(Some(p.kept), 3)
            ));
        }
    }
    warnings
}
