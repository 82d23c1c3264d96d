//! An experiment's tables as Markdown and as a page of HTML with charts.
//!
//! Both show the same sections with the same tables; the page draws what can be drawn above them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use evaluation_statistics::{Comparison, Interval, Verdict};

use super::paper::{CAVEATS, PRINTED};
use super::plots;
use super::tables::{FIGURES, Mean, Tables};
use crate::report::page::{Page, Text};
use crate::report::tables::{Cell, Column, Line, Table, figures, text};
use crate::report::words;

/// A part of the report.
struct Section {
    id: &'static str,
    title: &'static str,
    /// A sentence or two before the table; may be empty.
    intro: String,
    table: Table,
}

impl Tables {
    /// The tables as Markdown.
    pub fn markdown(&self) -> String {
        let mut markdown = format!("# {}\n\n{}\n", self.name, self.lead());
        for Section { title, intro, table, .. } in self.sections() {
            markdown += &format!("\n## {title}\n\n");
            if !intro.is_empty() {
                markdown += &format!("{intro}\n\n");
            }
            row(&mut markdown, table.columns.iter().map(|column| column.title.clone()));
            let rule = |column: &Column| Cow::from(if column.figures { "---:" } else { "---" });
            row(&mut markdown, table.columns.iter().map(rule));
            for line in &table.rows {
                row(
                    &mut markdown,
                    line.cells.iter().map(|cell| match cell.aside.as_str() {
                        "" => Cow::from(&cell.text),
                        aside => Cow::from(format!("{} {aside}", cell.text)),
                    }),
                );
            }
        }
        markdown
    }

    /// The tables as one self-contained page of HTML, as a run's report is one: no network, no script,
    /// light or dark, readable at phone width and in print.
    ///
    /// Above the tables it draws the means with their intervals, by arm and over every axis that is a
    /// quantity, and the differences with theirs.
    pub fn html(&self) -> String {
        let mut page = Page::default();
        for Section { id, title, intro, table } in self.sections() {
            page.open(id, title);
            page.paragraph(&intro);
            page.body += &match id {
                "best" => plots::means(self) + &plots::quantities(self),
                "differences" => plots::differences(self),
                _ => String::new(),
            };
            match id {
                "differences" => page.folded("The differences as a table", Some(table)),
                _ => page.table(Some(table)),
            }
            page.close();
        }
        let head = format!(
            "<p class=\"kind\">Experiment</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
            Text(&self.name),
            Text(&self.lead())
        );
        let foot = "<p>The same tables as text: tables.md; for machines: tables.json. They follow from \
                    the raw scores, results.jsonl.gz, alone.</p>\n";
        page.finish(&format!("Tables of the experiment {}", self.name), &head, foot)
    }

    fn lead(&self) -> String {
        let problems = self.means.iter().map(|mean| mean.problems).max().unwrap_or(0);
        let seeds = self.means.iter().map(|mean| mean.seeds).max().unwrap_or(0);
        format!(
            "{}, {}. Every figure is the mean, over problems and seeds, of \
             the figure of one answer, in per cent, with half the width of its 95 % interval over \
             problems (bootstrap, {} resamples). CB is CodeBLEU as the paper defines it unless another \
             variant is named; TM is what the paper's text calls Top-1 accuracy, exact is a match but \
             for blanks.",
            words::plural(problems as u64, "problem"),
            words::plural(seeds as u64, "seed"),
            words::count(self.resamples.into())
        )
    }

    fn sections(&self) -> Vec<Section> {
        let languages = (!self.languages.is_empty()).then(|| Section {
            id: "languages",
            title: "By language, best answer",
            intro: String::new(),
            table: self.mean_table("By language, best answer", &self.languages, ""),
        });
        [
            Some(Section {
                id: "best",
                title: "Best answer",
                intro: String::new(),
                table: self.mean_table("Best answer", &self.means, ""),
            }),
            Some(Section {
                id: "five",
                title: "Best of five answers",
                intro: "By the figure of the column, chosen with the reference in sight: what a \
                        perfect judge of five answers would reach, not what the student delivers."
                    .into(),
                table: self.mean_table("Best of five answers", &self.means, "_5"),
            }),
            languages,
            self.differences(),
            self.printed(),
            self.took(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The axes in which systems differ, each a column.
    pub(super) fn columns(&self) -> Vec<&str> {
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for mean in &self.means {
            for (axis, value) in &mean.system {
                values.entry(axis).or_default().insert(value);
            }
        }
        // Arm and mode last, next to the figures.
        let mut columns: Vec<&str> = values
            .into_iter()
            .filter(|(_, values)| values.len() > 1)
            .map(|(axis, _)| axis)
            .collect();
        columns.sort_by_key(|axis| (matches!(*axis, "arm" | "mode"), *axis));
        columns
    }

    /// The arms by first mention: their order decides their colours.
    pub(super) fn arms(&self) -> Vec<&str> {
        let mut arms: Vec<&str> = Vec::new();
        for arm in self.means.iter().filter_map(|mean| mean.system.get("arm")) {
            if !arms.contains(&arm.as_str()) {
                arms.push(arm);
            }
        }
        arms
    }

    fn mean_table(&self, title: &str, means: &[Mean], suffix: &str) -> Table {
        let columns = self.columns();
        let arms = self.arms();
        let shown: Vec<(String, &str)> = FIGURES
            .iter()
            .map(|(name, title)| (format!("{name}{suffix}"), *title))
            .filter(|(name, _)| {
                means.iter().any(|mean| mean.figures.iter().any(|figure| figure.name == *name))
            })
            .collect();
        let by_language = means.iter().any(|mean| mean.language.is_some());
        let head = by_language.then(|| text("language")).into_iter();
        let head = head.chain(columns.iter().map(|axis| text((*axis).to_owned())));
        let row = |mean: &Mean| {
            let mut cells: Vec<Cell> = mean.language.iter().cloned().map(Cell::from).collect();
            cells.extend(columns.iter().map(|axis| {
                let text = mean.system.get(*axis).cloned().unwrap_or_default();
                let arm = arms.iter().position(|arm| *axis == "arm" && *arm == text);
                Cell { text, arm, ..Cell::default() }
            }));
            cells.extend(shown.iter().map(|(name, _)| {
                let found = mean.figures.iter().find(|figure| figure.name == *name);
                match found.map(|figure| figure.interval) {
                    Some(Interval { value, low, high }) if !value.is_nan() => Cell {
                        text: format!("{:.1}", 100.0 * value),
                        aside: format!("± {:.1}", 50.0 * (high - low)),
                        ..Cell::default()
                    },
                    _ => "–".into(),
                }
            }));
            Line { cells, apart: false }
        };
        Table {
            title: title.into(),
            groups: Vec::new(),
            columns: head.chain(shown.iter().map(|(_, title)| figures(*title))).collect(),
            rows: means.iter().map(row).collect(),
        }
    }

    fn differences(&self) -> Option<Section> {
        let columns: Vec<&str> =
            self.columns().into_iter().filter(|axis| !matches!(*axis, "arm" | "mode")).collect();
        let head = columns.iter().map(|axis| text((*axis).to_owned()));
        let rows = self.contrasts.iter().map(|contrast| {
            let p = contrast.found.p;
            let shared =
                columns.iter().map(|axis| contrast.shared.get(*axis).cloned().unwrap_or_default());
            let figures = [
                contrast.a_name.clone(),
                contrast.b_name.clone(),
                figure_title(&contrast.figure).to_owned(),
                difference_words(&contrast.found),
                format!("{p:.4}"),
                format!("{:.4}", contrast.p_holm),
                verdict_words(contrast.verdict, &contrast.found),
            ];
            Line { cells: shared.chain(figures).map(Cell::from).collect(), apart: false }
        });
        (!self.contrasts.is_empty()).then(|| Section {
            id: "differences",
            title: "Differences",
            intro: format!(
                "A less B in points, with a 95 % interval over problems and seeds; p by approximate \
                 randomisation over problems, corrected after Holm for the {} lines of this table. \
                 Above or below is said only where both agree; \"cannot tell\" names the difference \
                 that a table of this size would have told.",
                self.contrasts.len()
            ),
            table: Table {
                title: "Differences".into(),
                groups: Vec::new(),
                columns: head
                    .chain(["A", "B", "figure", "A − B", "p", "Holm", "verdict"].map(text))
                    .collect(),
                rows: rows.collect(),
            },
        })
    }

    /// The paper's rows for the arms that there are.
    fn printed(&self) -> Option<Section> {
        let arms = self.arms();
        let rows: Vec<Line> = PRINTED
            .iter()
            .filter(|printed| arms.iter().any(|arm| arm.starts_with(printed.ours)))
            .map(|printed| {
                let figures = printed.top1.iter().chain(&printed.top5);
                let names = [printed.student, printed.arm, printed.ours].map(str::to_owned);
                let cells = names.into_iter().chain(figures.map(|figure| format!("{figure:.1}")));
                Line { cells: cells.map(Cell::from).collect(), apart: false }
            })
            .collect();
        let names = ["student", "as printed", "our arm"].map(text);
        let titles = ["TM", "SM", "DM", "CB", "TM@5", "SM@5", "DM@5", "CB@5"].map(figures);
        (!rows.is_empty()).then(|| Section {
            id: "paper",
            title: "What the paper printed for these arms",
            intro: CAVEATS.into(),
            table: Table {
                title: "The paper's tables 3 and 4".into(),
                groups: Vec::new(),
                columns: names.into_iter().chain(titles).collect(),
                rows,
            },
        })
    }

    fn took(&self) -> Option<Section> {
        let row = |cost: &super::results::CellCost| {
            let cells = [
                cost.cell.clone(),
                format!("{:.1} M", cost.parameters as f64 / 1e6),
                cost.lessons.to_string(),
                cost.steps.to_string(),
                format!("{:.2} M", cost.tokens as f64 / 1e6),
                format!("{:.1}", cost.seconds / 60.0),
            ];
            Line { cells: cells.map(Cell::from).into(), apart: false }
        };
        let titles = ["parameters", "lessons", "steps", "tokens", "minutes"].map(figures);
        (!self.costs.is_empty()).then(|| Section {
            id: "costs",
            title: "What training took",
            intro: String::new(),
            table: Table {
                title: "What training took".into(),
                groups: Vec::new(),
                columns: [text("cell")].into_iter().chain(titles).collect(),
                rows: self.costs.iter().map(row).collect(),
            },
        })
    }
}

/// What a figure is called in tables.
fn figure_title(name: &str) -> &str {
    FIGURES.iter().find(|(known, _)| *known == name).map_or(name, |(_, title)| title)
}

/// A figure's name at the head of a chart.
pub(crate) fn figure_name(figure: &str) -> &str {
    match figure {
        "exact" => "Exact match",
        "tested" => "Tests passed",
        "tm" => "Token match (TM)",
        "cb" => "CodeBLEU (CB)",
        other => figure_title(other),
    }
}

/// A difference with its interval, in points.
pub(super) fn difference_words(found: &Comparison) -> String {
    let Comparison { difference, low, high, .. } = found;
    let words = format!("{:+.1} [{:+.1}, {:+.1}]", 100.0 * difference, 100.0 * low, 100.0 * high);
    words.replace('-', "−")
}

/// What a difference says.
pub(super) fn verdict_words(verdict: Verdict, found: &Comparison) -> String {
    match verdict {
        Verdict::Above => "A is above B".to_owned(),
        Verdict::Below => "A is below B".to_owned(),
        Verdict::CannotTell if found.detectable > 0.0 => {
            format!("cannot tell (could from {:.1})", 100.0 * found.detectable)
        }
        Verdict::CannotTell => "cannot tell".to_owned(),
    }
}

fn row<'c>(text: &mut String, cells: impl Iterator<Item = Cow<'c, str>>) {
    for cell in cells {
        text.push_str("| ");
        text.push_str(&cell.replace('|', "\\|"));
        text.push(' ');
    }
    text.push_str("|\n");
}
