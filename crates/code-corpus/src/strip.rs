//! Code without its comments and docstrings, from the syntax tree.

use std::ops::Range;

use code_syntax::Language;
use tree_sitter::Node;

/// The text of `node` without comments and docstrings, without the indentation of the line it
/// starts on, and with at most one blank line at a time. The contents of strings stay as they are.
///
/// `text` is the text that the node's tree was parsed from. Linear in the size of the node.
pub(crate) fn strip(language: Language, text: &str, node: Node<'_>) -> String {
    strip_range(language, text, node, node.byte_range())
}

/// As [`strip`], for a `range` of the text around which `root` stands, such as a snippet in its
/// wrapper.
pub(crate) fn strip_range(
    language: Language,
    text: &str,
    root: Node<'_>,
    range: Range<usize>,
) -> String {
    let mut removals: Vec<(Range<usize>, &'static str)> = Vec::new();
    let first_row = text[..range.start].bytes().filter(|byte| *byte == b'\n').count();
    let rows = text[range.clone()].bytes().filter(|byte| *byte == b'\n').count() + 1;
    // Whether a string runs on over the end of the row.
    let mut runs_on = vec![false; rows];
    let mut cursor = root.walk();
    'walk: loop {
        let here = cursor.node();
        let kind = here.kind();
        let mut descend = here.end_byte() > range.start && here.start_byte() < range.end;
        if here.start_byte() < range.start || here.end_byte() > range.end {
            // A wrapper, or part of one.
        } else if language.is_comment_kind(kind) {
            removals.push((here.byte_range(), ""));
            descend = false;
        } else if holds_text(kind) {
            let rows = here.start_position().row - first_row..here.end_position().row - first_row;
            runs_on[rows].fill(true);
        } else if language == Language::Python
            && matches!(kind, "function_definition" | "class_definition")
            && let Some(doc) = python_docstring(here)
        {
            removals.push((doc.range, if doc.alone { "pass" } else { "" }));
        }
        if descend && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                break 'walk;
            }
        }
    }
    removals.sort_by_key(|(range, _)| range.start);
    let mut lines = remove(text, range.clone(), first_row, &removals);
    let base = base_indent(language, text, range.start, &lines);
    let mut out = String::with_capacity(range.len());
    let mut skip_blank = false;
    for (index, line) in lines.iter_mut().enumerate() {
        let inside = line.row > first_row && runs_on[line.row - 1 - first_row];
        if !runs_on[line.last_row - first_row] {
            line.text.truncate(line.text.trim_end().len());
        }
        if inside {
            out.push('\n');
            out.push_str(&line.text);
            skip_blank = false;
            continue;
        }
        if line.text.trim().is_empty() {
            // A line that held only a comment vanishes; the gap around it is one gap.
            let opener = out.ends_with([':', '{', '(', '[', ',', '\n']) || out.is_empty();
            if line.touched || skip_blank || opener {
                skip_blank |= line.touched && opener;
                continue;
            }
            out.push('\n');
            continue;
        }
        skip_blank = false;
        if index > 0 && !out.is_empty() {
            out.push('\n');
            let common = line.text.bytes().zip(base.bytes()).take_while(|(a, b)| a == b).count();
            out.push_str(&line.text[common..]);
        } else {
            out.push_str(line.text.trim_start());
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Kinds of nodes whose line breaks and spaces are data.
fn holds_text(kind: &str) -> bool {
    match kind {
        // Several literals side by side, which may be indented freely.
        "concatenated_string" | "chained_string" | "string_array" => false,
        _ => {
            kind.contains("string")
                || kind.contains("heredoc")
                || matches!(kind, "template_literal" | "text_block" | "regex" | "text" | "subshell")
        }
    }
}

/// A Python docstring.
pub(crate) struct Docstring<'tree> {
    /// The string itself.
    pub string: Node<'tree>,
    /// The bytes to cut: its statement and a semicolon after it.
    range: Range<usize>,
    /// Whether nothing else stands in the body.
    alone: bool,
}

/// The docstring of a Python function or class.
pub(crate) fn python_docstring(definition: Node<'_>) -> Option<Docstring<'_>> {
    let body = definition.child_by_field_name("body")?;
    let mut cursor = body.walk();
    let mut statements = body.children(&mut cursor).filter(|node| node.kind() != "comment");
    let statement = statements.next().filter(|node| node.kind() == "expression_statement")?;
    let string = (statement.named_child_count() == 1).then(|| statement.named_child(0))??;
    if !matches!(string.kind(), "string" | "concatenated_string") {
        return None;
    }
    let mut range = statement.byte_range();
    let mut next = statements.next();
    if let Some(semicolon) = next.filter(|node| node.kind() == ";") {
        range.end = semicolon.end_byte();
        next = statements.next();
    }
    Some(Docstring { string, range, alone: next.is_none() })
}

/// One line after the removals.
struct Line {
    text: String,
    /// The row it starts on.
    row: usize,
    /// The row it ends on: a later one where a removed comment spanned rows.
    last_row: usize,
    /// Whether something was removed from it.
    touched: bool,
}

fn remove(
    text: &str,
    whole: Range<usize>,
    first_row: usize,
    removals: &[(Range<usize>, &'static str)],
) -> Vec<Line> {
    let new_line = |row| Line { text: String::new(), row, last_row: row, touched: false };
    let mut lines = Vec::new();
    let mut line = new_line(first_row);
    let mut row = first_row;
    let mut at = whole.start;
    let mut copy = |from: usize, to: usize, row: &mut usize, line: &mut Line| {
        for (index, piece) in text[from..to].split('\n').enumerate() {
            if index > 0 {
                *row += 1;
                lines.push(std::mem::replace(line, new_line(*row)));
            }
            line.text.push_str(piece);
        }
    };
    for (range, replacement) in removals {
        if range.start < at {
            continue;
        }
        copy(at, range.start, &mut row, &mut line);
        line.touched |= replacement.is_empty();
        line.text.push_str(replacement);
        let removed = &text[range.clone()];
        // A comment that takes its line break with it leaves the line break.
        at = range.end - (removed.len() - removed.trim_end_matches('\n').len());
        row += text[range.start..at].matches('\n').count();
        line.last_row = row;
        let tight = line.text.ends_with(|c: char| c.is_whitespace() || "([{".contains(c))
            || line.text.is_empty();
        match text[at..].chars().next() {
            Some(' ') if tight && !line.text.trim().is_empty() => at += 1,
            Some(c) if !tight && !c.is_whitespace() && !")]},;".contains(c) => {
                line.text.push(' ');
            }
            _ => {}
        }
    }
    copy(at, whole.end.max(at), &mut row, &mut line);
    lines.push(line);
    lines
}

/// The white space that every line but the first gives up: that of the line on which the code
/// starts or, for a snippet cut out without it, that of the closing line.
fn base_indent(language: Language, text: &str, start: usize, lines: &[Line]) -> String {
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line_start..start];
    let indent = &before[..before.len() - before.trim_start().len()];
    if !indent.is_empty() || language == Language::Python {
        return indent.to_owned();
    }
    let closing = lines.last().filter(|_| lines.len() > 1).map_or("", |line| line.text.as_str());
    let closer = closing.trim_start();
    if closer.starts_with(['}', ')']) || closer.starts_with("end") {
        closing[..closing.len() - closer.len()].to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use code_syntax::parse;

    use super::*;

    #[track_caller]
    fn check(language: Language, code: &str, expected: &str) {
        let tree = parse(language, code).unwrap();
        assert_eq!(strip_range(language, code, tree.root_node(), 0..code.len()), expected);
    }

    #[test]
    fn docstrings_and_comments_go() {
        check(
            Language::Python,
            "def f(a):  # why\n    '''Doc.\n\n    More.'''\n\n    # first\n    x = 1  # one\n\n\n    return x\n",
            "def f(a):\n    x = 1\n\n    return x",
        );
        check(Language::Python, "def f(): 'doc'; return 1", "def f(): return 1");
        check(
            Language::Python,
            "class A:\n  'doc'\n  def f(self):\n    'doc'",
            "class A:\n  def f(self):\n    pass",
        );
        check(
            Language::Python,
            "def f():\n    # only\n    'doc'\n    # a comment",
            "def f():\n    pass",
        );
        // Neither is a docstring.
        check(
            Language::Python,
            "def f():\n    x = 'no'\n    'yes'",
            "def f():\n    x = 'no'\n    'yes'",
        );
    }

    #[test]
    fn a_hash_in_a_string_is_no_comment_and_strings_keep_their_layout() {
        let code = "def f():\n    x = '# no'\n    return '''a  \n\n  # b\n'''";
        check(Language::Python, code, code);
        let code = "def f\n  x = <<~EOS\n    # a  \n\n    b\n  EOS\n  x\nend";
        check(Language::Ruby, code, code);
        let code = "function f() {\n  return `// a  \n\n  ${1}`;\n}";
        check(Language::JavaScript, code, code);
    }

    #[test]
    fn block_comments_leave_no_hole() {
        check(
            Language::Java,
            "class A { int f(/* one */ int a, int /* two */ b) {\n  /* three\n   four */\n  return a/* five */+ b; // six\n} }",
            "class A { int f(int a, int b) {\n  return a + b;\n} }",
        );
        check(
            Language::Go,
            "func f() int {\n\t// one\n\treturn 1 /* two */\n}",
            "func f() int {\n\treturn 1\n}",
        );
    }

    #[test]
    fn the_indentation_of_the_place_goes() {
        let code = "class A:\n\tdef f(self):\n\t\tx = '''\n\tkept'''\n\t\treturn x\n";
        let tree = parse(Language::Python, code).unwrap();
        let function = code_syntax::preorder(&tree).find(|n| n.kind() == "function_definition");
        let stripped = strip(Language::Python, code, function.unwrap());
        assert_eq!(stripped, "def f(self):\n\tx = '''\n\tkept'''\n\treturn x");
        // Cut out without its line's indentation.
        check(Language::Ruby, "def f\n      1\n    end", "def f\n  1\nend");
    }
}
