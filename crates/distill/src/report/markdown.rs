//! `report.md`: GitHub-flavoured Markdown.

use distill_core::Pseudocode;

use super::data::{ReportData, SampleAnswer};
use super::tables::{self, Table};
use super::words;

/// At most so many points of each curve: the rest is in `report.json`.
const LOSSES: usize = 12;

/// The report as Markdown.
///
/// Tables are GitHub's; everything that comes from the run is escaped, so that no answer can leave
/// its cell or fence. The curves are there as a table of losses; `report.html` draws them. Equal
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
            out.paragraph(words::TOP_5_NOTE);
            out.paragraph(words::ACCURACY_NOTE);
            out.paragraph(&data.results.method);
            let measures = words::TABLE_3.iter().chain(&words::BESIDE);
            let meanings = measures.map(|m| format!("- **{}**: {}", m.title, inline(m.meaning)));
            out.block(&meanings.collect::<Vec<_>>().join("\n"));
        }
        None => out.paragraph("Nothing was scored."),
    }

    out.block("## Training and validation loss");
    match tables::losses(data, LOSSES) {
        Some(table) => {
            out.table(Some(table));
            out.paragraph("All points are in report.json; report.html draws the curves.");
        }
        None => out.paragraph("No losses are recorded."),
    }

    out.block("## Dataset");
    let parts = [tables::dataset(data), tables::lengths(data), tables::dropped(data)];
    if parts.iter().all(Option::is_none) {
        out.paragraph("No statistics are recorded.");
    }
    parts.into_iter().for_each(|table| out.table(table));

    if data.teach.is_some() {
        out.block("## Teacher");
        out.table(tables::teach(data));
        out.table(tables::rejected(data));
    }

    if !data.samples.is_empty() {
        out.block("## Sample answers");
    }
    for sample in &data.samples {
        let language = sample.language.name();
        out.block(&format!("### {}", inline(&sample.id)));
        out.block(&format!("> {}", inline(&sample.query)));
        out.block("**Reference**");
        out.fence(&sample.reference, language);
        out.plan(&sample.pseudocode);
        for answer in &sample.answers {
            out.block(&answer_heading(answer));
            out.fence(&answer.code, language);
            out.plan(&answer.pseudocode);
        }
    }

    out.block("## To repeat it");
    if !data.command.is_empty() {
        out.fence(&data.command, "sh");
    }
    out.table(tables::stages(data));
    out.table(tables::seeds(data));
    out.table(tables::machine(data));
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

    fn plan(&mut self, plan: &Pseudocode) {
        if !plan.is_empty() {
            self.block("Pseudocode:");
            self.fence(&plan.to_string(), "text");
        }
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
            _ => column.title.to_owned(),
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
