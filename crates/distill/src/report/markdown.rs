//! `report.md`: GitHub-flavoured Markdown.

use distill_core::Pseudocode;

use super::data::{RankedSample, ReportData, Sample, SampleAnswer};
use super::diff::{Diff, Line, Row};
use super::tables::{self, Table};
use super::words;

/// At most so many points of each curve: the rest is in `report.json`.
const LOSSES: usize = 12;

/// The report as Markdown.
///
/// Tables are GitHub's; everything that comes from the run is escaped, so that no answer can leave
/// its cell or fence. What `report.html` draws stands here as tables. Equal
/// data gives equal text.
pub fn markdown(data: &ReportData) -> String {
    let mut out = Markdown::default();
    out.block(&format!("# Report of the run {}", inline(&data.run)));
    out.paragraph(&words::summary(data));
    for warning in words::warnings(data) {
        out.block(&format!("> **Warning:** {}", inline(&warning)));
    }

    let findings = words::findings(data);
    if !findings.is_empty() {
        out.block("## What the numbers say");
        out.block(
            &findings.iter().map(|f| format!("- {}", inline(f))).collect::<Vec<_>>().join("\n"),
        );
    }

    out.block("## Results");
    match tables::results(data) {
        Some(table) => {
            out.paragraph(&words::scored(data));
            out.table(Some(table));
            out.table(tables::beside(data));
            out.table(tables::languages(data));
            out.paragraph(words::TOP_5_NOTE);
            out.paragraph(words::ACCURACY_NOTE);
            out.paragraph(&data.results.method);
            let measures = words::TABLE_3.iter().chain(&words::BESIDE);
            let meanings = measures.map(|m| format!("- **{}**: {}", m.title, inline(m.meaning)));
            out.block(&meanings.collect::<Vec<_>>().join("\n"));
        }
        None => out.paragraph("Nothing was scored."),
    }

    if !data.results.differences.is_empty() {
        out.block("## Differences");
        out.table(tables::differences(data));
        out.paragraph(words::DIFFERENCES_NOTE);
    }

    if !data.spreads.is_empty() {
        out.block("## Scores");
        out.table(tables::spreads(data));
        out.table(tables::by_length(data));
    }

    out.block("## Losses");
    match tables::losses(data, LOSSES) {
        Some(table) => {
            out.table(Some(table));
            out.paragraph("All points are in report.json; report.html draws the curves.");
        }
        None => out.paragraph("No losses are recorded."),
    }

    if !data.ranked.is_empty() {
        out.block("## Best, median and worst");
        out.paragraph(words::RANKED_NOTE);
    }
    data.ranked.iter().for_each(|ranked| out.ranked(ranked));

    if !data.samples.is_empty() {
        out.block("## Same problems");
        out.paragraph(words::SAMPLES_NOTE);
    }
    data.samples.iter().for_each(|sample| out.sample(sample));

    out.block("## Dataset");
    let parts = [tables::dataset(data), tables::lengths(data), tables::dropped(data)];
    if parts.iter().all(Option::is_none) {
        out.paragraph("No statistics are recorded.");
    }
    parts.into_iter().for_each(|table| out.table(table));

    let costs =
        [tables::teach(data), tables::rejected(data), tables::training(data), tables::stages(data)];
    if costs.iter().any(Option::is_some) {
        out.block("## Costs and times");
    }
    costs.into_iter().for_each(|table| out.table(table));

    out.block("## To repeat it");
    if !data.command.is_empty() {
        out.fence(&data.command, "sh");
    }
    out.table(tables::seeds(data));
    out.table(tables::machine(data));
    out.table(tables::files(data));
    if !data.config.is_empty() {
        let hash = match data.config_hash.as_str() {
            "" => String::new(),
            hash => format!(" (hash {})", inline(hash)),
        };
        out.block(&format!("**Configuration**{hash}"));
        out.fence(&data.config, "toml");
    }
    out.text
}

fn answer_heading(answer: &SampleAnswer) -> String {
    let mut heading = format!("**{}**", inline(&answer.arm));
    let mode = answer.mode.map(|mode| mode.to_string());
    let cb = answer.cb.map(|cb| format!("CB {}", words::score(Some(cb))));
    let exact = answer.exact.filter(|exact| *exact).map(|_| "equals the reference".to_owned());
    let parses = answer.parses.filter(|parses| !parses).map(|_| "does not parse".to_owned());
    for part in [mode, cb, exact, parses].into_iter().flatten() {
        heading += &format!(" · {part}");
    }
    heading
}

#[derive(Default)]
struct Markdown {
    text: String,
}

impl Markdown {
    /// Adds Markdown, an empty line before it.
    fn block(&mut self, markdown: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(markdown);
        self.text.push('\n');
    }

    /// Adds plain text.
    fn paragraph(&mut self, plain: &str) {
        let text = inline(plain);
        if !text.is_empty() {
            self.block(&text);
        }
    }

    fn plan(&mut self, plan: &Pseudocode, by: &str) {
        if !plan.is_empty() {
            self.block(&match by {
                "" => "Pseudocode:".to_owned(),
                by => format!("Pseudocode, by {}:", inline(by)),
            });
            self.fence(&plan.to_string(), "text");
        }
    }

    fn problem(&mut self, sample: &Sample) {
        self.block(&format!("> {}", inline(&sample.query)));
    }

    fn sample(&mut self, sample: &Sample) {
        let language = sample.language.name();
        self.block(&format!("### {}", inline(&sample.id)));
        self.problem(sample);
        self.block("**Reference**");
        self.fence(&sample.reference, language);
        self.plan(&sample.pseudocode, &sample.pseudocode_by);
        for answer in &sample.answers {
            self.block(&answer_heading(answer));
            self.fence(&answer.code, language);
            self.plan(&answer.pseudocode, "");
        }
    }

    /// An answer with its differences from the reference.
    fn ranked(&mut self, ranked: &RankedSample) {
        let sample = &ranked.sample;
        let Some(answer) = sample.answers.first() else { return };
        let whose = words::technique(&answer.arm, answer.mode);
        self.block(&format!(
            "### {}: {}",
            inline(&whose),
            words::place(ranked.place).to_lowercase()
        ));
        self.block(&format!("{}: {}", inline(&sample.id), answer_heading(answer)));
        self.problem(sample);
        self.diff(&sample.reference, &answer.code);
        if !answer.pseudocode.is_empty() {
            self.block(&match sample.pseudocode_by.as_str() {
                "" => "Pseudocode:".to_owned(),
                by => format!("Pseudocode, that of the reference by {}:", inline(by)),
            });
            self.diff(&sample.pseudocode.to_string(), &answer.pseudocode.to_string());
        } else {
            self.plan(&sample.pseudocode, &sample.pseudocode_by);
        }
    }

    /// Two texts as one: `-` before what the first alone has, `+` before what the second alone has.
    fn diff(&mut self, left: &str, right: &str) {
        let (left, right) = (words::visible(left), words::visible(right));
        let diff = Diff::of(left.trim_end_matches('\n'), right.trim_end_matches('\n'));
        self.paragraph(&words::compared(&diff));
        let mut text = String::new();
        let mut push = |sign: char, line: &Line<'_>| {
            text.push(sign);
            line.pieces.iter().for_each(|piece| text.push_str(piece.text));
            text.push('\n');
        };
        let differs =
            |row: &Row<'_>| [&row.left, &row.right].into_iter().flatten().any(|line| line.differs);
        for rows in diff.rows.chunk_by(|one, two| differs(one) == differs(two)) {
            if rows.first().is_some_and(differs) {
                rows.iter().filter_map(|row| row.left.as_ref()).for_each(|line| push('-', line));
                rows.iter().filter_map(|row| row.right.as_ref()).for_each(|line| push('+', line));
            } else {
                rows.iter().filter_map(|row| row.right.as_ref()).for_each(|line| push(' ', line));
            }
        }
        self.fence(&text, "diff");
    }

    /// Adds text as it is, in a fence longer than any in it.
    fn fence(&mut self, text: &str, info: &str) {
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.saturating_add(1).max(3));
        let text = words::visible(text);
        self.block(&format!("{fence}{info}\n{}\n{fence}", text.trim_end_matches('\n')));
    }

    fn table(&mut self, table: Option<Table>) {
        let Some(table) = table else { return };
        self.block(&format!("**{}**", inline(&table.title)));
        // Markdown has one row of titles: each says its group.
        let mut groups =
            table.groups.iter().flat_map(|(title, span)| std::iter::repeat_n(*title, *span));
        let titles = table.columns.iter().map(|column| match groups.next() {
            Some(group) if !group.is_empty() => format!("{group} {}", column.title),
            _ => column.title.clone().into_owned(),
        });
        let mut lines = vec![row(titles)];
        lines.push(row(table.columns.iter().map(|c| if c.figures { "---:" } else { "---" })));
        for line in &table.rows {
            lines.push(row(line.cells.iter().map(|cell| {
                let text = inline(&cell.text);
                let text = if cell.strong { format!("**{text}**") } else { text };
                match cell.aside.as_str() {
                    "" => text,
                    aside => format!("{text} ({})", inline(aside)),
                }
            })));
        }
        self.block(&lines.join("\n"));
    }
}

fn row<S: AsRef<str>>(cells: impl Iterator<Item = S>) -> String {
    let mut row = String::from("|");
    for cell in cells {
        row += &format!(" {} |", cell.as_ref());
    }
    row
}

/// Plain text as one line of Markdown that shows it: no markup, no HTML, no cell border.
fn inline(plain: &str) -> String {
    let line = words::one_line(plain);
    let mut text = String::with_capacity(line.len() + 8);
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    for (at, c) in line.char_indices() {
        let opens_block = (at == 0 && matches!(c, '#' | '+' | '-' | '='))
            || (at == digits
                && at > 0
                && matches!(c, '.' | ')')
                && matches!(line.as_bytes().get(at + 1), None | Some(b' ')));
        match c {
            // Not every renderer takes a backslash before these.
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => text.extend(['\\', c]),
            _ if opens_block => text.extend(['\\', c]),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_text_is_no_markup() {
        assert_eq!(inline("a|b `c` <d> _e_\n\nf"), r"a\|b \`c\` &lt;d&gt; \_e\_ f");
        assert_eq!(inline("12. x"), r"12\. x");
        assert_eq!(inline("12.5 %"), "12.5 %");
        assert_eq!(inline("- x 1. y"), r"\- x 1. y");
        assert_eq!(inline("a\u{202e}b\0"), "a⟨U+202E⟩b␀");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        let mut out = Markdown::default();
        out.fence("a ```` b\n```\r\n", "text");
        assert_eq!(out.text, "`````text\na ```` b\n```\n`````\n");
        let mut out = Markdown::default();
        out.fence("", "go");
        assert_eq!(out.text, "```go\n\n```\n");
    }
}
