//! Answers beside their references, as HTML.

use distill_core::{Mode, Pseudocode};

use super::data::{RankedSample, ReportData, Sample, SampleAnswer};
use super::diff::{self, Diff, Line};
use super::page::{Text, code, code_box, named};
use super::words;

/// The best, the median and the worst answer of every arm and mode, each with its differences from the
/// reference.
pub(super) fn ranked(data: &ReportData) -> String {
    let arms = words::arms(data);
    let mut html = String::new();
    let mut before = None;
    for (at, ranked) in data.ranked.iter().enumerate() {
        let Some(answer) = ranked.sample.answers.first() else { continue };
        let whose = (&answer.arm, answer.mode);
        if before != Some(whose) {
            let arm = arms.iter().position(|arm| *arm == answer.arm);
            let mode =
                answer.mode.map_or_else(String::new, |mode| format!(" <small>{mode}</small>"));
            html += &format!("<h3 class=\"whose\">{}{mode}</h3>\n", named(&answer.arm, arm));
            before = Some(whose);
        }
        html += &article(ranked, answer, at + 1);
    }
    html
}

fn article(ranked: &RankedSample, answer: &SampleAnswer, number: usize) -> String {
    let sample = &ranked.sample;
    let reference = words::visible(sample.reference.trim_end_matches('\n'));
    let code = words::visible(answer.code.trim_end_matches('\n'));
    let diff = Diff::of(&reference, &code);
    let mut html = format!(
        "<article class=\"sample\" aria-labelledby=\"ranked-{number}\">\n\
         <h4 id=\"ranked-{number}\">{} <small><code>{}</code> {}</small></h4>\n{}\
         <blockquote>{}</blockquote>\n",
        words::place(ranked.place),
        Text(&sample.id),
        Text(sample.language.title()),
        verdict(answer),
        Text(sample.query.trim()),
    );
    html += &format!("<p class=\"compared\">{}</p>\n", Text(&words::compared(&diff)));
    html += &beside(&diff, "Reference", "Answer", "diff");
    if sample.pseudocode.is_empty() && answer.pseudocode.is_empty() {
        return html + "</article>\n";
    }
    let by = match sample.pseudocode_by.as_str() {
        "" => "Pseudocode of the reference".to_owned(),
        by => format!("Pseudocode of the reference, by {by}"),
    };
    let theirs = words::visible(&sample.pseudocode.to_string());
    let ours = words::visible(&answer.pseudocode.to_string());
    html += &match answer.pseudocode.is_empty() {
        true => format!(
            "<div class=\"diff wraps\">\n<div>\n<h5>{}</h5>\n{}</div>\n<div>\n<h5>Pseudocode of the \
             answer</h5>\n<p class=\"none\">{}</p>\n</div>\n</div>\n",
            Text(&by),
            self::code(&theirs, &by),
            unasked(answer)
        ),
        false => beside(&Diff::of(&theirs, &ours), &by, "Pseudocode of the answer", "diff wraps"),
    };
    html + "</article>\n"
}

/// Two texts side by side, each in its box.
fn beside(diff: &Diff<'_>, left: &str, right: &str, class: &str) -> String {
    let side = |title: &str, lines: String| {
        format!("<div>\n<h5>{}</h5>\n{}</div>\n", Text(title), code_box(&lines, title))
    };
    let left_lines = diff.rows.iter().map(|row| line(row.left.as_ref(), "gone", "del"));
    let right_lines = diff.rows.iter().map(|row| line(row.right.as_ref(), "new", "ins"));
    format!(
        "<div class=\"{class}\">\n{}{}</div>\n",
        side(left, left_lines.collect()),
        side(right, right_lines.collect())
    )
}

/// One line with its number, which the style sheet shows, so that it is not copied with the code.
fn line(line: Option<&Line<'_>>, kind: &str, mark: &str) -> String {
    let Some(line) = line else { return "<span class=\"codeline gap\">\n</span>".into() };
    let text: String = line
        .pieces
        .chunk_by(|one, two| one.differs == two.differs)
        .map(|stretch| {
            let text: String = stretch.iter().map(|piece| piece.text).collect();
            match stretch.first().is_some_and(|piece| piece.differs) {
                true => format!("<{mark}>{}</{mark}>", Text(&text)),
                false => Text(&text).to_string(),
            }
        })
        .collect();
    let kind = if line.differs { format!(" {kind}") } else { String::new() };
    format!("<span class=\"codeline{kind}\" data-n=\"{}\">{text}\n</span>", line.number)
}

/// The first answers of all students to the same problems.
pub(super) fn samples(data: &ReportData) -> String {
    let arms = words::arms(data);
    let samples = data.samples.iter().zip(1..);
    samples.map(|(sample, number)| self::sample(sample, number, &arms)).collect()
}

fn sample(sample: &Sample, number: usize, arms: &[&str]) -> String {
    let mut html = format!(
        "<article class=\"sample\" aria-labelledby=\"sample-{number}\">\n\
         <h3 id=\"sample-{number}\">{number}. <code>{}</code> <small>{}</small></h3>\n\
         <blockquote>{}</blockquote>\n<div class=\"answers{}\">\n",
        Text(&sample.id),
        Text(sample.language.title()),
        Text(sample.query.trim()),
        // Three fit side by side; two and four make pairs.
        if sample.answers.len() == 2 { " three" } else { "" },
    );
    let by = match sample.pseudocode_by.as_str() {
        "" => String::new(),
        by => format!("; pseudocode by {by}"),
    };
    html += &column(
        &format!("<h4>Reference</h4>\n<p class=\"verdict\">from the corpus{}</p>", Text(&by)),
        &code(sample.reference.trim_end_matches('\n'), "Code of the reference"),
        &sample.pseudocode,
        "No pseudocode.",
    );
    for answer in &sample.answers {
        let arm = arms.iter().position(|arm| *arm == answer.arm);
        let label = format!("Code of {}", answer.arm);
        let code = tinted(&answer.code, &sample.reference, &label);
        let mode = answer.mode.map_or_else(String::new, |mode| format!(" <small>{mode}</small>"));
        let heading = format!("<h4>{}{mode}</h4>\n{}", named(&answer.arm, arm), verdict(answer));
        html += &column(&heading, &code, &answer.pseudocode, unasked(answer));
    }
    html += "</div>\n</article>\n";
    html
}

/// What to say of an answer without pseudocode.
fn unasked(answer: &SampleAnswer) -> &'static str {
    match answer.mode {
        Some(Mode::Chained) => "No readable pseudocode.",
        _ => "No pseudocode was asked for.",
    }
}

/// Code, the lines that also stand in the reference tinted.
fn tinted(program: &str, reference: &str, label: &str) -> String {
    // Before it is split, since a line break may be two characters.
    let shown = words::visible(program.trim_end_matches('\n'));
    let common = diff::in_common(&words::visible(reference), &shown);
    let lines: Vec<String> = shown
        .lines()
        .zip(common)
        .map(|(line, is_common)| {
            let (indent, line) = line.split_at(line.len() - line.trim_start().len());
            match is_common {
                true => format!("{indent}<span class=\"same\">{}</span>", Text(line)),
                false => format!("{indent}{}", Text(line)),
            }
        })
        .collect();
    code_box(&lines.join("\n"), label)
}

fn verdict(answer: &SampleAnswer) -> String {
    let mut html = String::from("<p class=\"verdict\">");
    if let Some(cb) = answer.cb {
        html += &format!("<span>CB {}</span>", words::score(Some(cb)));
    }
    if answer.exact == Some(true) {
        html += "<span class=\"good\">equals the reference</span>";
    }
    if answer.parses == Some(false) {
        html += "<span class=\"bad\">does not parse</span>";
    }
    html + "</p>\n"
}

/// One answer: heading, code, pseudocode; the grid lines them up with their neighbours.
fn column(heading: &str, code: &str, plan: &Pseudocode, unasked: &str) -> String {
    let mut html = format!("<div class=\"answer\">\n<div>{heading}</div>\n{code}");
    if plan.is_empty() {
        html += &format!("<p class=\"none\">{unasked}</p>\n</div>\n");
        return html;
    }
    html += "<ol class=\"plan\">\n";
    let text = plan.to_string();
    for (line, step) in text.lines().zip(plan.steps()) {
        let step_number = line.split_whitespace().next().unwrap_or_default();
        html += &format!(
            "<li class=\"depth-{}\"><span>{}</span> {}</li>\n",
            step.depth.min(6),
            Text(step_number),
            Text(&step.text)
        );
    }
    html += "</ol>\n</div>\n";
    html
}
