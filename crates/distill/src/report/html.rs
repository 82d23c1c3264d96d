//! `report.html`: one page that needs nothing else, no network and no script.

use std::fmt;

use distill_core::{Mode, Pseudocode};

use super::chart::{self, Axis, Series};
use super::data::{Curve, ReportData, Sample, SampleAnswer};
use super::lines;
use super::tables::{self, Cell, Table};
use super::words::{self, LossOf};

/// At most so many points of each curve stand in the table below the charts.
const LOSSES: usize = 40;

/// The report as one self-contained page of HTML: style and charts are inline, nothing is loaded
/// and no script runs.
///
/// It follows the reader's choice of light or dark, reads at phone width (tables scroll in their
/// boxes) and prints. Equal data gives equal text.
pub fn html(data: &ReportData) -> String {
    let mut page = Page::default();
    page.results(data);
    page.curves(data);
    page.dataset(data);
    page.teacher(data);
    page.samples(data);
    page.repeat(data);

    let links: String = page
        .sections
        .iter()
        .map(|(id, title)| format!("<li><a href=\"#{id}\">{title}</a></li>\n"))
        .collect();
    format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <title>Report of the run {run}</title>\n\
         <style>\n{style}</style>\n\
         </head>\n\
         <body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the report</a>\n\
         <header>\n{head}</header>\n\
         <nav aria-label=\"Sections\">\n<ul>\n{links}</ul>\n</nav>\n\
         <main id=\"main\">\n{body}</main>\n\
         <footer>\n<p>Tables and figure follow Li, Gu, Geng: <cite>Symmetry-Aware Code Generation: \
         Distilling Pseudocode Reasoning for Lightweight Deployment of Large Language Models</cite>, \
         Symmetry 2025, 17(8), 1325. The same figures for machines: report.json.</p>\n</footer>\n\
         </body>\n\
         </html>\n",
        run = Text(&data.run),
        style = include_str!("style.css"),
        head = head(data),
        body = page.body,
    )
}

/// Text as HTML shows it; see [`words::visible`] for control characters. Fit for attributes in
/// double quotes too.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in words::visible(self.0).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The page's head: name, what was run, warnings, the figures that come first, what they say.
fn head(data: &ReportData) -> String {
    let mut head =
        format!("<p class=\"kind\">Distillation report</p>\n<h1>{}</h1>\n", Text(&data.run));
    let summary = words::summary(data);
    if !summary.is_empty() {
        head += &format!("<p class=\"lead\">{}</p>\n", Text(&summary));
    }
    let warnings = words::warnings(data);
    if !warnings.is_empty() {
        head +=
            "<section class=\"warnings\" aria-label=\"Warnings\">\n<h2>Before you read on</h2>\n";
        head += &list(&warnings);
        head += "</section>\n";
    }
    let pairs = Some(tables::total_pairs(data)).filter(|pairs| *pairs > 0);
    let lessons = data.teach.as_ref().map(|teach| teach.kept);
    let problems = Some(data.results.problems).filter(|problems| *problems > 0);
    let time = tables::total_seconds(data).map(|seconds| words::duration(Some(seconds)));
    let tiles = [
        ("Bimodal pairs", pairs.map(words::count)),
        ("Lessons kept", lessons.map(words::count)),
        ("Problems scored", problems.map(words::count)),
        ("Time of all stages", time),
    ];
    let tiles: String = tiles
        .iter()
        .filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", Text(value)))
        })
        .collect();
    if !tiles.is_empty() {
        head += &format!("<dl class=\"tiles\">\n{tiles}</dl>\n");
    }
    let findings = words::findings(data);
    if !findings.is_empty() {
        head += "<section class=\"findings\" aria-labelledby=\"findings\">\n\
                 <h2 id=\"findings\">What the numbers say</h2>\n";
        head += &list(&findings);
        head += "</section>\n";
    }
    head
}

fn list(items: &[String]) -> String {
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", Text(item))).collect();
    format!("<ul>\n{items}</ul>\n")
}

#[derive(Default)]
struct Page {
    body: String,
    /// Ids and titles of the sections so far.
    sections: Vec<(&'static str, &'static str)>,
    tables: usize,
}

impl Page {
    fn open(&mut self, id: &'static str, title: &'static str) {
        self.sections.push((id, title));
        self.body += &format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n");
    }

    fn close(&mut self) {
        self.body += "</section>\n";
    }

    fn paragraph(&mut self, class: &str, plain: &str) {
        if !plain.is_empty() {
            self.body += &format!("<p class=\"{class}\">{}</p>\n", Text(plain));
        }
    }

    fn table(&mut self, table: Option<Table>) {
        let Some(table) = table else { return };
        self.tables += 1;
        self.body += &render(&table, self.tables);
    }

    /// Small tables beside each other where there is room.
    fn beside(&mut self, tables: impl IntoIterator<Item = Option<Table>>) {
        self.body += "<div class=\"beside\">\n";
        tables.into_iter().for_each(|table| self.table(table));
        self.body += "</div>\n";
    }

    fn results(&mut self, data: &ReportData) {
        self.open("results", "Results");
        match tables::results(data) {
            Some(table) => {
                self.paragraph("", &words::scored(data));
                self.table(Some(table));
                self.table(tables::beside(data));
                self.body += "<div class=\"notes\">\n";
                self.paragraph("", words::TOP_5_NOTE);
                self.paragraph("", words::ACCURACY_NOTE);
                self.paragraph("", &data.results.method);
                self.body += "</div>\n<dl class=\"measures\">\n";
                for measure in words::TABLE_3.iter().chain(&words::BESIDE) {
                    let (title, meaning) = (Text(measure.title), Text(measure.meaning));
                    self.body += &format!("<div><dt>{title}</dt><dd>{meaning}</dd></div>\n");
                }
                self.body += "</dl>\n";
            }
            None => self.paragraph("", "Nothing was scored."),
        }
        self.close();
    }

    fn curves(&mut self, data: &ReportData) {
        self.open("curves", "Training and validation loss");
        let figure = figure(data);
        if figure.is_empty() {
            self.paragraph("", "No losses are recorded.");
        }
        self.body += &figure;
        if let Some(table) = tables::losses(data, LOSSES) {
            self.body += "<details>\n<summary>The losses as a table</summary>\n";
            self.table(Some(table));
            self.body += "</details>\n";
        }
        self.close();
    }

    fn dataset(&mut self, data: &ReportData) {
        self.open("dataset", "Dataset");
        let parts = [tables::dataset(data), tables::lengths(data), tables::dropped(data)];
        if parts.iter().all(Option::is_none) {
            self.paragraph("", "No statistics are recorded.");
        }
        self.beside(parts);
        self.close();
    }

    fn teacher(&mut self, data: &ReportData) {
        if data.teach.is_some() {
            self.open("teacher", "Teacher");
            self.beside([tables::teach(data), tables::rejected(data)]);
            self.close();
        }
    }

    fn samples(&mut self, data: &ReportData) {
        if data.samples.is_empty() {
            return;
        }
        let arms = words::arms(data);
        self.open("samples", "Sample answers");
        self.paragraph(
            "",
            "The first answer of each student beside the reference. Tinted lines stand in the \
             reference too, in the same order.",
        );
        for (at, sample) in data.samples.iter().enumerate() {
            self.body += &self::sample(sample, at + 1, &arms);
        }
        self.close();
    }

    fn repeat(&mut self, data: &ReportData) {
        self.open("repeat", "To repeat it");
        if !data.command.is_empty() {
            self.body += &code(&data.command, "Command");
        }
        self.table(tables::stages(data));
        self.beside([tables::seeds(data), tables::machine(data)]);
        if !data.config.is_empty() {
            self.body += "<h3>Configuration</h3>\n";
            if !data.config_hash.is_empty() {
                let hash = Text(&data.config_hash);
                self.body += &format!("<p class=\"hash\">Hash <code>{hash}</code></p>\n");
            }
            self.body += &code(data.config.trim_end_matches('\n'), "Configuration");
        }
        self.close();
    }
}

/// Text as it is, in a box that scrolls and that the keyboard reaches.
fn code(text: &str, label: &str) -> String {
    code_box(&Text(text), label)
}

/// As [`code`], the lines that also stand in the reference tinted.
fn answer_code(program: &str, reference: &str, label: &str) -> String {
    // Before it is split, since a line break may be two characters.
    let shown = words::visible(program.trim_end_matches('\n'));
    let common = lines::in_common(&words::visible(reference), &shown);
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

fn code_box(html: &dyn fmt::Display, label: &str) -> String {
    // The line break after <pre> is not part of its text.
    format!(
        "<pre tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<code>{}</code></pre>\n",
        Text(label),
        html
    )
}

fn render(table: &Table, id: usize) -> String {
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"table-{id}\">\n\
         <table>\n<caption id=\"table-{id}\"><span>{}</span></caption>\n<thead>\n",
        Text(&table.title)
    );
    if !table.groups.is_empty() {
        html += "<tr class=\"groups\">";
        for (title, span) in &table.groups {
            html += &match *title {
                "" => format!("<td colspan=\"{span}\"></td>"),
                title => {
                    format!("<th scope=\"colgroup\" colspan=\"{span}\">{}</th>", Text(title))
                }
            };
        }
        html += "</tr>\n";
    }
    // The first column of each group stands off from the one before.
    let mut starts = Vec::new();
    table.groups.iter().fold(0, |at, (_, span)| {
        starts.extend((at > 0).then_some(at));
        at + span
    });
    let class = |at: usize| {
        let figures = table.columns.get(at).is_some_and(|column| column.figures);
        match (figures, starts.contains(&at)) {
            (true, true) => " class=\"n start\"",
            (true, false) => " class=\"n\"",
            (false, true) => " class=\"start\"",
            (false, false) => "",
        }
    };
    html += "<tr>";
    for (at, column) in table.columns.iter().enumerate() {
        html += &format!("<th scope=\"col\"{}>{}</th>", class(at), Text(column.title));
    }
    html += "</tr>\n</thead>\n<tbody>\n";
    for line in &table.rows {
        html += if line.apart { "<tr class=\"apart\">" } else { "<tr>" };
        for (at, cell) in line.cells.iter().enumerate() {
            html += &match at {
                0 => format!("<th scope=\"row\">{}</th>", self::cell(cell)),
                _ => format!("<td{}>{}</td>", class(at), self::cell(cell)),
            };
        }
        html += "</tr>\n";
    }
    html += "</tbody>\n</table>\n</div>\n";
    html
}

fn cell(cell: &Cell) -> String {
    let text = named(&cell.text, cell.arm);
    let mut html = if cell.strong { format!("<strong>{text}</strong>") } else { text };
    if !cell.aside.is_empty() {
        html += &format!(" <small>{}</small>", Text(&cell.aside));
    }
    html
}

/// The name of an arm in its colour.
fn named(name: &str, arm: Option<usize>) -> String {
    match arm {
        Some(arm) => {
            format!("<span class=\"arm arm-{}\">{}</span>", arm % chart::COLOURS, Text(name))
        }
        None => Text(name).to_string(),
    }
}

/// The charts of both tasks with their legend; empty if there is nothing to draw.
fn figure(data: &ReportData) -> String {
    let tasks: [(&str, LossOf); 2] =
        [("Pseudocode", |losses| losses.pseudocode), ("Code", |losses| losses.code)];
    let arms = words::arms(data);
    let panels: Vec<(&str, Vec<Series<'_>>)> = tasks
        .into_iter()
        .map(|(title, of)| (title, series(data, &arms, of)))
        .filter(|(_, series)| !series.is_empty())
        .collect();
    let points = || panels.iter().flat_map(|(_, s)| s).flat_map(|line| line.points.iter());
    let drawn = || points().filter(|(_, loss)| loss.is_finite());
    // One scale for both tasks, so that the panels compare.
    let axes = (
        Axis::of(drawn().map(|(step, _)| *step as f64), 5),
        Axis::of(drawn().map(|(_, loss)| *loss), 5),
    );
    let (Some(x), Some(y)) = axes else { return String::new() };

    let mut html = String::from("<figure>\n<ul class=\"legend\">\n");
    let has = |arm: usize, is_validation: bool| {
        let mut lines = panels.iter().flat_map(|(_, series)| series);
        lines.any(|line| line.arm == arm && line.is_validation == is_validation)
    };
    for (at, arm) in arms.iter().enumerate() {
        for (is_validation, kind) in [(true, "validation"), (false, "training")] {
            if has(at, is_validation) {
                let swatch = chart::swatch(at, is_validation);
                html += &format!("<li>{swatch}{}, {kind}</li>\n", Text(arm));
            }
        }
    }
    let kept = |curve: &Curve| curve.points.iter().any(|p| Some(p.step) == curve.kept_step);
    if data.curves.iter().any(kept) {
        html += &format!("<li>{}kept weights</li>\n", chart::kept_swatch());
    }
    html += "</ul>\n<div class=\"panels\">\n";
    for (title, series) in &panels {
        let label = format!("Loss of the task {} over the steps of training", title.to_lowercase());
        html +=
            &format!("<div>\n<h3>{title}</h3>\n{}</div>\n", chart::panel(&label, series, &x, &y));
    }
    html += "</div>\n";
    html += &format!("<figcaption>{}</figcaption>\n</figure>\n", Text(&caption(data)));
    html
}

fn caption(data: &ReportData) -> String {
    let mut caption = String::from(
        "Training and validation loss of both tasks, as the paper's Figure 3; step 0 is the \
         untrained student.",
    );
    let spans: Vec<(&str, String)> = data
        .curves
        .iter()
        .filter_map(|curve| {
            let last = curve.points.last()?;
            let epochs = words::number(Some(last.epoch?), 1);
            Some((
                curve.arm.as_str(),
                format!("{} steps are {epochs} epochs.", words::count(last.step)),
            ))
        })
        .collect();
    let is_one = spans.windows(2).all(|pair| pair[0].1 == pair[1].1);
    match spans.first() {
        Some((_, span)) if is_one => caption += &format!(" {span}"),
        _ => spans.iter().for_each(|(arm, span)| caption += &format!(" {arm}: {span}")),
    }
    let is_thinned = |curve: &Curve| {
        let of =
            |of: LossOf| curve.points.iter().filter(|point| of(&point.train).is_some()).count();
        of(|losses| losses.pseudocode).max(of(|losses| losses.code)) > chart::MOST_POINTS
    };
    if data.curves.iter().any(is_thinned) {
        caption += " Long training curves are drawn as means of neighbouring points.";
    }
    caption
}

/// The lines of one task: each arm's training loss below its validation loss.
fn series<'a>(data: &'a ReportData, arms: &[&str], of: LossOf) -> Vec<Series<'a>> {
    let mut lines = Vec::new();
    for is_validation in [false, true] {
        for curve in &data.curves {
            let points: Vec<(u64, f64)> = curve
                .points
                .iter()
                .filter_map(|point| {
                    let losses = if is_validation { &point.valid } else { &point.train };
                    Some((point.step, of(losses)?))
                })
                .collect();
            if points.iter().any(|(_, loss)| loss.is_finite()) {
                lines.push(Series {
                    name: &curve.arm,
                    arm: arms.iter().position(|arm| *arm == curve.arm).unwrap_or(0),
                    is_validation,
                    points: if is_validation { points } else { chart::thinned(&points) },
                    kept_step: curve.kept_step,
                });
            }
        }
    }
    lines
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
    html += &column(
        "<h4>Reference</h4>\n<p class=\"verdict\">from the corpus</p>",
        &code(sample.reference.trim_end_matches('\n'), "Code of the reference"),
        &sample.pseudocode,
        "No pseudocode by the teacher.",
    );
    for answer in &sample.answers {
        let arm = arms.iter().position(|arm| *arm == answer.arm);
        let unasked = match answer.mode {
            Some(Mode::Chained) => "No readable pseudocode.",
            _ => "No pseudocode was asked for.",
        };
        let label = format!("Code of {}", answer.arm);
        let code = answer_code(&answer.code, &sample.reference, &label);
        html += &column(&answer_heading(answer, arm), &code, &answer.pseudocode, unasked);
    }
    html += "</div>\n</article>\n";
    html
}

fn answer_heading(answer: &SampleAnswer, arm: Option<usize>) -> String {
    let mut html = format!("<h4>{}", named(&answer.arm, arm));
    if let Some(mode) = answer.mode {
        html += &format!(" <small>{mode}</small>");
    }
    html += "</h4>\n<p class=\"verdict\">";
    if let Some(cb) = answer.cb {
        html += &format!("<span>CB {}</span>", words::score(Some(cb)));
    }
    if answer.exact == Some(true) {
        html += "<span class=\"good\">equals the reference</span>";
    }
    if answer.parses == Some(false) {
        html += "<span class=\"bad\">does not parse</span>";
    }
    html += "</p>";
    html
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
