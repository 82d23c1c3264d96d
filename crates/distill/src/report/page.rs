//! A self-contained page of HTML: its frame, its sections, tables, and boxes of code.

use std::fmt;

use super::chart;
use super::tables::{Cell, Table};
use super::words;

/// Text as HTML shows it; see [`words::visible`] for control characters. Fit for attributes in
/// double quotes too.
pub(crate) struct Text<'a>(pub(crate) &'a str);

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

/// A page in the making.
#[derive(Default)]
pub(crate) struct Page {
    /// What stands in it so far.
    pub(crate) body: String,
    /// Ids and titles of the sections so far.
    sections: Vec<(&'static str, &'static str)>,
    tables: usize,
}

impl Page {
    /// The page: style and charts are inline, nothing is loaded and no script runs. `head` and `foot`
    /// are HTML, `title` is text.
    pub(crate) fn finish(self, title: &str, head: &str, foot: &str) -> String {
        let links: String = self
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
             <title>{title}</title>\n\
             <style>\n{style}</style>\n\
             </head>\n\
             <body>\n\
             <a class=\"skip\" href=\"#main\">Skip to the report</a>\n\
             <header>\n{head}</header>\n\
             <nav aria-label=\"Sections\">\n<ul>\n{links}</ul>\n</nav>\n\
             <main id=\"main\">\n{body}</main>\n\
             <footer>\n{foot}</footer>\n\
             </body>\n\
             </html>\n",
            title = Text(title),
            style = include_str!("style.css"),
            body = self.body,
        )
    }

    pub(crate) fn open(&mut self, id: &'static str, title: &'static str) {
        self.sections.push((id, title));
        self.body += &format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n");
    }

    pub(crate) fn close(&mut self) {
        self.body += "</section>\n";
    }

    pub(crate) fn paragraph(&mut self, plain: &str) {
        if !plain.is_empty() {
            self.body += &format!("<p>{}</p>\n", Text(plain));
        }
    }

    pub(crate) fn table(&mut self, table: Option<Table>) {
        let Some(table) = table else { return };
        self.tables += 1;
        self.body += &render(&table, self.tables);
    }

    /// A table to be unfolded: what a chart above it draws.
    pub(crate) fn folded(&mut self, summary: &str, table: Option<Table>) {
        if table.is_some() {
            self.body += &format!("<details>\n<summary>{}</summary>\n", Text(summary));
            self.table(table);
            self.body += "</details>\n";
        }
    }

    /// Small tables beside each other where there is room.
    pub(crate) fn beside(&mut self, tables: impl IntoIterator<Item = Option<Table>>) {
        self.body += "<div class=\"beside\">\n";
        tables.into_iter().for_each(|table| self.table(table));
        self.body += "</div>\n";
    }
}

pub(crate) fn list(items: &[String]) -> String {
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", Text(item))).collect();
    format!("<ul>\n{items}</ul>\n")
}

/// Text as it is, in a box that scrolls and that the keyboard reaches.
pub(super) fn code(text: &str, label: &str) -> String {
    code_box(&Text(text), label)
}

/// As [`code`], of HTML.
pub(super) fn code_box(html: &dyn fmt::Display, label: &str) -> String {
    // The line break after <pre> is not part of its text.
    format!(
        "<pre tabindex=\"0\" role=\"group\" aria-label=\"{}\">\n<code>{}</code></pre>\n",
        Text(label),
        html
    )
}

fn render(table: &Table, id: usize) -> String {
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"table-{id}\">\n\
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
        html += &format!("<th scope=\"col\"{}>{}</th>", class(at), Text(&column.title));
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
pub(crate) fn named(name: &str, arm: Option<usize>) -> String {
    match arm {
        Some(arm) => {
            format!("<span class=\"arm arm-{}\">{}</span>", arm % chart::COLOURS, Text(name))
        }
        None => Text(name).to_string(),
    }
}
