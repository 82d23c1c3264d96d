//! `report.html`: one page that needs nothing else, no network and no script.

use evaluation_statistics::Verdict;

use super::chart::drawable;
use super::data::{Difference, ReportData};
use super::dots::{self, Dot};
use super::page::{self, Page, Text, list};
use super::{answers, curves, spread, tables, words};

/// At most so many points of each curve stand in the table below the charts.
const LOSSES: usize = 40;

/// The report as one self-contained page of HTML: style and charts are inline, nothing is loaded
/// and no script runs.
///
/// It follows the reader's choice of light or dark, reads at phone width (tables and code scroll in
/// their boxes) and prints. Every chart has its figures in a table. Equal data gives equal text.
pub fn html(data: &ReportData) -> String {
    let mut page = Page::default();
    results(&mut page, data);
    differences(&mut page, data);
    spreads(&mut page, data);
    losses(&mut page, data);
    ranked(&mut page, data);
    samples(&mut page, data);
    dataset(&mut page, data);
    costs(&mut page, data);
    repeat(&mut page, data);
    page.finish(
        &format!("Report of the run {}", data.run),
        &head(data),
        "<p>Tables and figure follow Li, Gu, Geng: <cite>Symmetry-Aware Code Generation: Distilling \
         Pseudocode Reasoning for Lightweight Deployment of Large Language Models</cite>, Symmetry \
         2025, 17(8), 1325. The same figures for machines: report.json.</p>\n",
    )
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

fn results(page: &mut Page, data: &ReportData) {
    page.open("results", "Results");
    match tables::results(data) {
        Some(table) => {
            page.paragraph(&words::scored(data));
            page.table(Some(table));
            page.table(tables::beside(data));
            page.table(tables::languages(data));
            page.body += "<div class=\"notes\">\n";
            page.paragraph(words::TOP_5_NOTE);
            page.paragraph(words::ACCURACY_NOTE);
            page.paragraph(&data.results.method);
            page.body += "</div>\n<dl class=\"measures\">\n";
            for measure in words::TABLE_3.iter().chain(&words::BESIDE) {
                let (title, meaning) = (Text(measure.title), Text(measure.meaning));
                page.body += &format!("<div><dt>{title}</dt><dd>{meaning}</dd></div>\n");
            }
            page.body += "</dl>\n";
        }
        None => page.paragraph("Nothing was scored."),
    }
    page.close();
}

fn differences(page: &mut Page, data: &ReportData) {
    let differences = &data.results.differences;
    if differences.is_empty() {
        return;
    }
    page.open("differences", "Differences");
    let mut measures: Vec<&str> = Vec::new();
    for found in differences {
        if !measures.contains(&found.measure.as_str()) {
            measures.push(&found.measure);
        }
    }
    let panels = measures.iter().map(|measure| {
        let dots = differences.iter().filter(|found| found.measure == *measure);
        let dots: Vec<Dot> = dots.filter_map(dot).collect();
        dots::list(&format!("{measure}, A less B in points"), &dots, Some(0.0))
    });
    page.body += &dots::figure(panels.collect(), &dots::legend(), words::DIFFERENCES_NOTE);
    page.folded("The differences as a table", tables::differences(data));
    page.close();
}

fn dot(found: &Difference) -> Option<Dot> {
    let [value, low, high] = [found.difference?, found.low?, found.high?];
    let verdict = match found.verdict.as_str() {
        "above" => Verdict::Above,
        "below" => Verdict::Below,
        _ => Verdict::CannotTell,
    };
    [value, low, high].iter().all(drawable).then(|| Dot {
        name: format!("{} <small>less</small> {}", Text(&found.a), Text(&found.b)),
        value,
        low,
        high,
        class: dots::class(verdict).into(),
        words: format!(
            "{} [{}, {}]",
            words::signed(found.difference),
            words::signed(found.low),
            words::signed(found.high)
        ),
        verdict: words::verdict(found).to_owned(),
    })
}

fn spreads(page: &mut Page, data: &ReportData) {
    if data.spreads.is_empty() {
        return;
    }
    page.open("scores", "Scores");
    page.body += &spread::histograms(data);
    page.folded("The spread as a table", tables::spreads(data));
    page.body += &spread::lengths(data);
    page.folded("Scores by length as a table", tables::by_length(data));
    page.close();
}

fn losses(page: &mut Page, data: &ReportData) {
    page.open("curves", "Losses");
    let figure = curves::figure(data);
    if figure.is_empty() {
        page.paragraph("No losses are recorded.");
    }
    page.body += &figure;
    page.folded("The losses as a table", tables::losses(data, LOSSES));
    page.close();
}

fn ranked(page: &mut Page, data: &ReportData) {
    if !data.ranked.is_empty() {
        page.open("ranked", "Best, median and worst");
        page.paragraph(words::RANKED_NOTE);
        page.body += &answers::ranked(data);
        page.close();
    }
}

fn samples(page: &mut Page, data: &ReportData) {
    if !data.samples.is_empty() {
        page.open("samples", "Same problems");
        page.paragraph(words::SAMPLES_NOTE);
        page.paragraph("Tinted lines stand in the reference too, in the same order.");
        page.body += &answers::samples(data);
        page.close();
    }
}

fn dataset(page: &mut Page, data: &ReportData) {
    page.open("dataset", "Dataset");
    let parts = [tables::dataset(data), tables::lengths(data), tables::dropped(data)];
    if parts.iter().all(Option::is_none) {
        page.paragraph("No statistics are recorded.");
    }
    page.beside(parts);
    page.close();
}

fn costs(page: &mut Page, data: &ReportData) {
    let has_any = data.teach.is_some() || !data.training.is_empty() || !data.stages.is_empty();
    if has_any {
        page.open("costs", "Costs and times");
        page.beside([tables::teach(data), tables::rejected(data)]);
        page.table(tables::training(data));
        page.table(tables::stages(data));
        page.close();
    }
}

fn repeat(page: &mut Page, data: &ReportData) {
    page.open("repeat", "To repeat it");
    if !data.command.is_empty() {
        page.body += &page::code(&data.command, "Command");
    }
    page.beside([tables::seeds(data), tables::machine(data), tables::files(data)]);
    if !data.config.is_empty() {
        page.body += "<h3>Configuration</h3>\n";
        if !data.config_hash.is_empty() {
            let hash = Text(&data.config_hash);
            page.body += &format!("<p class=\"hash\">Hash <code>{hash}</code></p>\n");
        }
        page.body += &page::code(data.config.trim_end_matches('\n'), "Configuration");
    }
    page.close();
}
