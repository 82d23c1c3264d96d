//! Documentation to query: its first paragraph as one line of plain prose.

use code_syntax::Language;

/// The query in `documentation`: its first paragraph of prose on one line, without comment markers,
/// markup, a repeated signature, parameter lists, doctests and bullet lists; empty if there is none.
///
/// `documentation` is a comment as it stands in the source, or its text with the markers already
/// taken off; `name` is the function's, to recognise a repeated signature.
///
/// ```
/// use code_corpus::query::first_paragraph;
/// use code_syntax::Language;
///
/// let doc = "/**\n * Adds {@code b} to <i>a</i>.\n *\n * @param a the first\n */";
/// assert_eq!(first_paragraph(Language::Java, doc, Some("add")), "Adds b to a.");
/// ```
pub fn first_paragraph(language: Language, documentation: &str, name: Option<&str>) -> String {
    let text = uncomment(language, documentation);
    let margin = text
        .lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or_default();
    let mut paragraph: Vec<&str> = Vec::new();
    // Whether the line belongs to something before the prose: a tag, a doctest, a note.
    let mut aside = false;
    for line in text.lines().flat_map(|line| split_at_breaks(language, line)) {
        // A display: an example or a list set off from the prose that announces it.
        if indent(line) > margin && paragraph.last().is_some_and(|above| above.ends_with(':')) {
            break;
        }
        let line = line.trim();
        if !line.chars().any(char::is_alphanumeric) {
            // An empty line, or a rule of symbols.
            if !paragraph.is_empty() {
                break;
            }
            aside = false;
        } else if !paragraph.is_empty() {
            if ends_prose(line, false) {
                break;
            }
            paragraph.push(line);
        } else if let Some(prose) = description_tag(line) {
            paragraph.push(prose);
        } else if is_section(line) {
            break;
        } else if ends_prose(line, true) {
            aside = true;
        } else if !aside {
            let prose = without_signature(line, name);
            if !prose.is_empty() {
                paragraph.push(prose);
            }
        }
    }
    let prose = plain(language, &paragraph.join(" "));
    without_dangling_label(without_visibility(&prose)).to_owned()
}

/// Prose without a remark on who may call the function: `Internal: read a part.`
fn without_visibility(prose: &str) -> &str {
    let rest = ["internal", "private", "protected", "public"].iter().find_map(|word| {
        let head = prose.get(..word.len())?;
        head.eq_ignore_ascii_case(word).then(|| &prose[word.len()..])
    });
    let Some(rest) = rest else { return prose };
    let remarks = [":", " -", " function.", " method.", " API.", " function:", " method:", " API:"];
    let rest = remarks.iter().find_map(|remark| rest.strip_prefix(remark)).unwrap_or("").trim();
    if rest.is_empty() { prose } else { rest }
}

/// Prose without a last label whose list was cut off: `Process a command. Arguments:`
fn without_dangling_label(prose: &str) -> &str {
    let Some(text) = prose.strip_suffix(':') else { return prose };
    let text = text.trim_end_matches(':');
    let start = text.rfind(['.', '!', ')']).map_or(0, |at| at + 1);
    let label = text[start..].trim();
    let known = SECTIONS.contains(&label.to_ascii_lowercase().as_str());
    let short = text[..start].ends_with(['.', '!']) && label.split_whitespace().count() <= 2;
    match start > 0 && (known || short) {
        true => &text[..start],
        // `items::` announces a literal block in reStructuredText.
        false => &prose[..=text.len()],
    }
}

/// A comment's text without its markers; a text without markers comes back as it is.
pub fn uncomment(language: Language, comment: &str) -> String {
    let trimmed = comment.trim();
    if language == Language::Ruby && trimmed.starts_with("=begin") {
        let inner = trimmed.trim_start_matches("=begin");
        return inner.trim_end().trim_end_matches("=end").to_owned();
    }
    let row = language.row();
    if row.block_comment.is_some() && trimmed.starts_with("/*") {
        let inner = trimmed.trim_start_matches('/').trim_start_matches(['*', '!']);
        let inner = inner.strip_suffix('/').unwrap_or(inner).trim_end_matches('*');
        return join_lines(inner.lines().map(|line| {
            let line = line.trim_start();
            line.strip_prefix('*').unwrap_or(line)
        }));
    }
    let markers = row.line_comments;
    // Python's documentation is a string, in which a hash starts no comment.
    if language != Language::Python && markers.iter().any(|marker| trimmed.starts_with(marker)) {
        return join_lines(trimmed.lines().filter_map(|line| {
            let line = line.trim_start();
            let Some(marker) = markers.iter().find(|marker| line.starts_with(**marker)) else {
                return Some(line);
            };
            let text = line.trim_start_matches(marker);
            (!is_directive(language, text)).then_some(text)
        }));
    }
    comment.to_owned()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn join_lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// Comment lines for tools rather than people.
fn is_directive(language: Language, text: &str) -> bool {
    match language {
        Language::Go => {
            // `//go:build`, `//nolint:x`, `//export f`: no space after the slashes.
            let word = text.split([':', ' ']).next().unwrap_or("");
            matches!(word, "go" | "nolint" | "export" | "line" | "lint" | "extern")
                || text.trim_start().starts_with("+build")
        }
        Language::Ruby => {
            let text = text.trim_start();
            text.starts_with(":nodoc:")
                || text.starts_with("rubocop:")
                || text.starts_with("frozen_string_literal:")
                || text.starts_with("encoding:")
                || text.starts_with("-*-")
                || text == "call-seq:"
        }
        _ => false,
    }
}

/// Javadoc and its kin mark paragraphs with HTML.
fn split_at_breaks(language: Language, line: &str) -> Vec<&str> {
    const BREAKS: [&str; 12] = [
        "<p>",
        "<p/>",
        "<p />",
        "</p>",
        "<ul>",
        "<ol>",
        "<li>",
        "<pre>",
        "<dl>",
        "<table",
        "<br/><br/>",
        "<hr",
    ];
    if !matches!(
        language,
        Language::Java | Language::JavaScript | Language::Php | Language::TypeScript
    ) || !line.contains('<')
    {
        return vec![line];
    }
    let lower = line.to_ascii_lowercase();
    let cut = BREAKS.iter().filter_map(|tag| lower.find(tag).map(|at| (at, tag.len()))).min();
    match cut {
        // Nothing before the tag: the paragraph may start here.
        Some((at, length)) if line[..at].trim().is_empty() => vec!["", &line[at + length..]],
        Some((at, _)) => vec![&line[..at], ""],
        None => vec![line],
    }
}

/// Whether prose stops before this line.
fn ends_prose(line: &str, at_start: bool) -> bool {
    let first = line.split_whitespace().next().unwrap_or("");
    let tag = (first.starts_with('@') || first.starts_with('\\'))
        && first.len() > 1
        && first[1..].starts_with(|c: char| c.is_ascii_alphabetic());
    let field = line.starts_with(':')
        && !line.starts_with("::")
        && line[1..].find(':').is_some_and(|at| {
            let name = line[1..1 + at].split_whitespace().next().unwrap_or("");
            FIELDS.contains(&name.to_ascii_lowercase().as_str())
        });
    let bullet = matches!(first, "-" | "*" | "+" | "•" | "o")
        || (first.ends_with(['.', ')']) && first.len() <= 3 && {
            let digits = first.trim_matches(['.', ')', '(']);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
    tag || field
        || line.starts_with(">>>")
        || line.starts_with("...") && !at_start
        || line.starts_with(".. ")
        || line.starts_with("```")
        || line.starts_with('|') && line.ends_with('|')
        || line.starts_with("In [")
        || bullet
        || is_note(line)
        || is_section(line)
}

/// Whether this line is the heading of a list of parameters, results and so on. `Returns: the sum`
/// is prose that happens to start like one.
fn is_section(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    SECTIONS.iter().any(|section| {
        let rest = lower.strip_prefix(section);
        let rest = rest.and_then(|rest| rest.strip_prefix(':').or(rest.is_empty().then_some("")));
        let result = section.starts_with("return") || section.starts_with("yield");
        rest.is_some_and(|rest| match result {
            true => rest.trim().is_empty(),
            false => rest.split_whitespace().count() <= 7,
        })
    })
}

/// Field names of reStructuredText and Epydoc lists.
const FIELDS: [&str; 24] = [
    "param",
    "parameter",
    "arg",
    "argument",
    "args",
    "key",
    "keyword",
    "kwarg",
    "type",
    "returns",
    "return",
    "rtype",
    "raises",
    "raise",
    "except",
    "exception",
    "ivar",
    "cvar",
    "var",
    "yields",
    "yield",
    "since",
    "author",
    "deprecated",
];

/// Headings after which no summary follows.
const SECTIONS: [&str; 35] = [
    "args",
    "arg",
    "argument",
    "arguments",
    "parameters",
    "params",
    "parameter",
    "keyword arguments",
    "keyword args",
    "optional arguments",
    "required arguments",
    "attributes",
    "returns",
    "return",
    "return value",
    "return values",
    "raises",
    "yields",
    "yield",
    "example",
    "examples",
    "usage",
    "note",
    "notes",
    "see also",
    "references",
    "todo",
    "warning",
    "warnings",
    "throws",
    "options",
    "input",
    "inputs",
    "output",
    "outputs",
];

/// Notes for maintainers, before or after the summary.
fn is_note(line: &str) -> bool {
    let lower = line.trim_start_matches(['*', '@', '.', ' ', '[', '(']).to_ascii_lowercase();
    ["todo", "fixme", "xxx", "hack", "bug:", "deprecated", "versionadded", "versionchanged"]
        .iter()
        .any(|mark| {
            lower.strip_prefix(mark).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        })
}

/// The text of a tag that introduces the description.
fn description_tag(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(['@', '\\'])?;
    let (tag, text) = rest.split_once(char::is_whitespace)?;
    matches!(tag, "description" | "desc" | "summary" | "brief" | "short" | "classdesc")
        .then(|| text.trim())
}

/// The line without a repetition of the function's signature at its start.
///
/// `name(a, b) -> type -- prose` and `name(a, b): prose` give the prose, `name(a, b)` gives
/// nothing, `name(a) is true if` stays as it is.
fn without_signature<'a>(line: &'a str, name: Option<&str>) -> &'a str {
    let line = line.strip_prefix("def ").or(line.strip_prefix("function ")).unwrap_or(line);
    let bare = line.trim_start_matches(['`', '*', '$']);
    let end = bare
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | ':' | '#')))
        .unwrap_or(bare.len());
    let (path, rest) = bare.split_at(end);
    let same = name.is_some_and(|name| path.rsplit(['.', ':', '#']).next() == Some(name));
    if path.is_empty() || is_usage(line, name) {
        return if path.is_empty() { line } else { "" };
    }
    let Some(inside) = rest.strip_prefix('(') else {
        // `name -- prose`, `name: prose`, `name - prose`.
        let path_alone = path.trim_end_matches([':', '.']);
        let same = name.is_some_and(|name| path_alone.rsplit(['.', ':', '#']).next() == Some(name));
        if !same {
            return line;
        }
        let colon = path.ends_with(':');
        let rest = rest.trim_start_matches(['`', '*']).trim_start();
        return match ["--", "- ", "–", "—", ": "].iter().find_map(|mark| rest.strip_prefix(mark))
        {
            Some(prose) => prose.trim_start_matches(['-', ' ']),
            None if colon || rest.is_empty() => rest,
            None => line,
        };
    };
    let mut depth = 1;
    let close = inside.char_indices().find(|&(_, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let Some((close, _)) = close else { return if same { "" } else { line } };
    let after = inside[close + 1..].trim_start_matches(['`', '*', ';', '.']).trim_start();
    for arrow in ["->", "=>", "→", "-->", "==>"] {
        if let Some(result) = after.strip_prefix(arrow) {
            return match result.find(" -- ").map(|at| at + 4).or(result.find(": ").map(|at| at + 2))
            {
                Some(at) => result[at..].trim_start(),
                None => match result.find(". ") {
                    Some(at) => result[at + 2..].trim_start(),
                    None => "",
                },
            };
        }
    }
    if after.is_empty() {
        return if same { "" } else { line };
    }
    match ["--", "- ", "–", "—", ": ", ":"].iter().find_map(|mark| after.strip_prefix(mark)) {
        Some(prose) => prose.trim_start_matches(['-', ' ']),
        None => line,
    }
}

/// Whether a line shows how a command is used: `b(reak) [line]` above the method `do_break`.
fn is_usage(line: &str, name: Option<&str>) -> bool {
    let (Some(name), Some((command, rest))) = (name, line.split_once(' ')) else { return false };
    let command: String = command.chars().filter(|c| !"()[]".contains(*c)).collect();
    let named = name == command || name.strip_suffix(&command).is_some_and(|n| n.ends_with('_'));
    named && !command.is_empty() && rest.starts_with(['[', '|', '<'])
}

/// Prose without the markup of documentation tools, on one line.
fn plain(language: Language, text: &str) -> String {
    let text = inline_tags(text);
    let text = match text.contains('<') || text.contains('&') {
        true => without_html(&text),
        false => text,
    };
    let text = roles(&text);
    let text = match language {
        Language::Python => epydoc(&text),
        _ => text,
    };
    let words: Vec<String> = text.split_whitespace().map(unmarked).collect();
    words.join(" ")
}

/// `{@code x}` and `{@link a#b label}` by what they show.
fn inline_tags(text: &str) -> String {
    if !text.contains("{@") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{@") {
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let mut depth = 1;
        let close = inside.char_indices().find(|&(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let Some((close, _)) = close else {
            rest = inside;
            continue;
        };
        let (tag, content) = inside[..close].split_once(char::is_whitespace).unwrap_or(("", ""));
        let content = content.trim();
        if tag.starts_with("link") {
            // A label, where there is one, stands after the target and its argument list.
            let target_end = match content.find('(') {
                Some(open) if !content[..open].contains(' ') => {
                    content.find(')').map_or(content.len(), |close| close + 1)
                }
                _ => content.find([' ', '|']).unwrap_or(content.len()),
            };
            let label = content[target_end..].trim_start_matches([' ', '|']);
            let target = content[..target_end].trim_start_matches('#');
            out.push_str(&if label.is_empty() {
                target.replace('#', ".")
            } else {
                label.to_owned()
            });
        } else {
            out.push_str(content);
        }
        rest = &inside[close + 1..];
    }
    out.push_str(rest);
    out
}

/// Without HTML tags (type parameters such as `List<String>` stay), entities resolved.
fn without_html(text: &str) -> String {
    const TAGS: [&str; 38] = [
        "p",
        "code",
        "b",
        "i",
        "em",
        "strong",
        "a",
        "br",
        "ul",
        "ol",
        "li",
        "tt",
        "pre",
        "div",
        "span",
        "var",
        "sub",
        "sup",
        "blockquote",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "td",
        "th",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "font",
        "u",
        "small",
        "kbd",
        "cite",
        "hr",
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('<') {
            let name = rest[1..].trim_start_matches('/');
            let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
            let known = TAGS.contains(&name[..end].to_ascii_lowercase().as_str());
            if let Some(close) = rest.find('>').filter(|_| known) {
                if name[..end].eq_ignore_ascii_case("br") {
                    out.push(' ');
                }
                rest = &rest[close + 1..];
                continue;
            }
        } else {
            let entities = [
                ("&lt;", '<'),
                ("&gt;", '>'),
                ("&amp;", '&'),
                ("&quot;", '"'),
                ("&#39;", '\''),
                ("&nbsp;", ' '),
                ("&apos;", '\''),
            ];
            if let Some((entity, c)) = entities.iter().find(|(entity, _)| rest.starts_with(entity))
            {
                out.push(*c);
                rest = &rest[entity.len()..];
                continue;
            }
        }
        out.push_str(&rest[..1]);
        rest = &rest[1..];
    }
    out.push_str(rest);
    out
}

/// reStructuredText roles and literals by what they show: ``:func:`a.b` `` is `a.b`.
fn roles(text: &str) -> String {
    if !text.contains('`') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('`') {
        let before = &rest[..open];
        // A role such as `:py:func:` stands directly before the backtick.
        let role = before
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '+')))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let role = match before[role..].starts_with(':') && before.ends_with(':') {
            true => role,
            false => before.len(),
        };
        out.push_str(&before[..role]);
        let ticks = rest[open..].bytes().take_while(|&byte| byte == b'`').count();
        let inside = &rest[open + ticks..];
        let Some(close) = inside.find(&rest[open..open + ticks]) else {
            rest = inside;
            continue;
        };
        let content = inside[..close].trim();
        let content = match content.strip_suffix('>').and_then(|c| c.split_once(" <")) {
            Some((label, _)) => label,
            None => content,
        };
        match content.strip_prefix('~') {
            Some(path) => out.push_str(path.rsplit('.').next().unwrap_or(path)),
            None => out.push_str(content.trim_start_matches('!')),
        }
        rest = inside[close + ticks..].trim_start_matches('_');
    }
    out.push_str(rest);
    out
}

/// Epydoc's `C{x}` and `L{x}` by what they show.
fn epydoc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let before = &rest[..open];
        let mut letters = before.chars().rev();
        let marked = letters.next().is_some_and(|c| "CLIBMU".contains(c))
            && letters.next().is_none_or(|c| !c.is_alphanumeric());
        match rest[open..].find('}').filter(|_| marked) {
            Some(close) => {
                out.push_str(&before[..before.len() - 1]);
                out.push_str(&rest[open + 1..open + close]);
                rest = &rest[open + close + 1..];
            }
            None => {
                out.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// A word without the marks of emphasis (`*word*`, `+word+`, `_word_`) around it; punctuation
/// after them stays.
fn unmarked(word: &str) -> String {
    for mark in ["**", "*", "+", "_"] {
        let Some(inside) = word.strip_prefix(mark) else { continue };
        let Some((content, tail)) = inside.split_once(mark) else { continue };
        let inner =
            content.starts_with(char::is_alphanumeric) && content.ends_with(char::is_alphanumeric);
        if inner && !tail.starts_with(char::is_alphanumeric) && !tail.contains(mark) {
            return format!("{content}{tail}");
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, doc: &str, name: &str, expected: &str) {
        assert_eq!(first_paragraph(language, doc, Some(name)), expected, "{doc}");
    }

    #[test]
    fn the_first_paragraph_is_one_line() {
        check(
            Language::Python,
            "\n    Add two\n    numbers.\n\n    More.\n    ",
            "add",
            "Add two numbers.",
        );
        check(Language::Python, "Title\n=====\n\nText.", "f", "Title");
        check(Language::Python, "", "f", "");
    }

    #[test]
    fn tags_sections_doctests_and_lists_end_it() {
        check(Language::Python, "Add numbers.\n:param a: one", "f", "Add numbers.");
        check(Language::Python, "Add numbers.\n>>> f(1)\n2", "f", "Add numbers.");
        check(Language::Python, "Add numbers.\nArgs:\n  a: one", "f", "Add numbers.");
        check(Language::Python, "Do these things:\n - one\n - two", "f", "Do these things:");
        check(Language::Python, ">>> f(1)\n2", "f", "");
        check(Language::Php, "@param int $a\n   the first\n@return int", "f", "");
        check(Language::Python, "Args:\n  a: the first\n\nMore.", "f", "");
        check(Language::Python, "Returns: the sum of all.", "f", "Returns: the sum of all.");
        check(Language::Python, "x\nForms:\n   a/b\n   c", "f", "x Forms:");
        check(
            Language::JavaScript,
            "/**\n * @method f\n * @description Adds up.\n */",
            "f",
            "Adds up.",
        );
    }

    #[test]
    fn a_repeated_signature_goes() {
        check(Language::Python, "f(a, b) -> int\n\nAdd them.", "f", "Add them.");
        check(Language::Python, "f(a, (b)) -> int -- add them", "f", "add them");
        check(Language::Python, "x.f(a): add them", "f", "add them");
        check(Language::Python, "f(a)", "f", "");
        check(Language::Python, "f(a) is true for good a", "f", "f(a) is true for good a");
        check(Language::Ruby, "# f - adds them", "f", "adds them");
        check(Language::Python, "u(p) [count]\nMove up.", "do_up", "Move up.");
    }

    #[test]
    fn remarks_and_labels_around_the_prose_go() {
        check(Language::Python, "Internal: read a part.", "f", "read a part.");
        check(Language::Python, "Internal helper to read.", "f", "Internal helper to read.");
        check(Language::Python, "Run a command.  Arguments:\n- a", "f", "Run a command.");
        check(Language::Python, "Takes these forms::\n\n  a", "f", "Takes these forms:");
        check(Language::Python, "Internal:", "f", "Internal:");
    }

    #[test]
    fn comment_markers_go() {
        check(Language::Go, "// F adds\n// them up.\n//\n// More.", "F", "F adds them up.");
        check(Language::Go, "// F adds up.\n//go:noinline", "F", "F adds up.");
        check(Language::Ruby, "# Adds +a+ to _b_.\n#\n# @param a", "f", "Adds a to b.");
        check(Language::Ruby, "=begin\nAdds up.\n=end", "f", "Adds up.");
        check(Language::Php, "/** Adds up. */", "f", "Adds up.");
        check(Language::Java, "/**\r\n * Adds up.\r\n */", "f", "Adds up.");
    }

    #[test]
    fn markup_goes_and_its_text_stays() {
        check(
            Language::Python,
            "Like :func:`os.path` or :class:`~a.B`, ``x`` and *y*, C{z} and `a <b>`_.",
            "f",
            "Like os.path or B, x and y, z and a.",
        );
        check(
            Language::Java,
            "Gets {@link Map#get(Object) the value} of a {@code List<String>} &lt;b&gt;.",
            "f",
            "Gets the value of a List<String> <b>.",
        );
        check(Language::Java, "First <b>bold</b>.<p>Second.", "f", "First bold.");
        check(Language::Java, "<p>\nFirst one.\n<ul><li>x</ul>", "f", "First one.");
    }
}
