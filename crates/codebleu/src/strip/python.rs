//! Python without comments and docstrings.
//!
//! The reference programs cut the text into tokens with `tokenize` of Python's standard library and
//! put together again what is neither a comment nor a string at the start of a statement. This
//! follows the tokenizer of CPython 3.11, the last one written in Python, as far as it shows in the
//! result: which strings start a statement, how lines are joined, and on which texts it fails.

use crate::strip::{lines, without_empty_lines};

/// Sorts of tokens that the outcome depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Comment,
    String,
    /// The indentation of a deeper line.
    Indent,
    /// The end of a statement.
    Newline,
    Other,
}

/// The text without comments and docstrings; none where the tokenizer fails.
pub(super) fn strip(text: &str) -> Option<String> {
    let mut out = Output::default();
    out.text.reserve(text.len());
    tokenize(text, &mut out)?;
    Some(without_empty_lines(&out.text))
}

/// Tokens put together by line and column.
struct Output {
    text: String,
    last: Sort,
    line: usize,
    column: usize,
}

impl Default for Output {
    fn default() -> Output {
        // As if an indentation came before the text: a string at its start is a docstring.
        Output { text: String::new(), last: Sort::Indent, line: 0, column: 0 }
    }
}

impl Output {
    /// Columns count characters.
    fn token(&mut self, sort: Sort, token: &str, start: (usize, usize), end: (usize, usize)) {
        if start.0 > self.line {
            self.column = 0;
        }
        for _ in self.column..start.1 {
            self.text.push(' ');
        }
        let keep = match sort {
            Sort::Comment => false,
            Sort::String => !matches!(self.last, Sort::Indent | Sort::Newline) && start.1 > 0,
            _ => true,
        };
        if keep {
            self.text.push_str(token);
        }
        self.last = sort;
        self.column = end.1;
        self.line = end.0;
    }
}

/// A string that goes on in the next line.
struct Open {
    text: String,
    start: (usize, usize),
    quote: Quote,
}

#[derive(Clone, Copy)]
struct Quote {
    mark: u8,
    triple: bool,
}

/// One line, with the column of each byte.
struct Line<'a> {
    text: &'a str,
    is_ascii: bool,
    number: usize,
    /// A byte and its column, from which the next one is counted.
    counted: (usize, usize),
}

impl Line<'_> {
    /// The position of a byte; bytes are asked for in rising order.
    fn position(&mut self, byte: usize) -> (usize, usize) {
        if self.is_ascii {
            return (self.number, byte);
        }
        let (last, column) = self.counted;
        if byte >= last {
            self.counted = (byte, column + self.text[last..byte].chars().count());
        }
        (self.number, self.counted.1)
    }
}

fn tokenize(text: &str, out: &mut Output) -> Option<()> {
    let mut lines = lines(text);
    let mut number = 0;
    let (mut depth, mut continued) = (0_i64, false);
    let mut open: Option<Open> = None;
    let mut indents = vec![0];
    let mut previous;
    let mut current = "";
    loop {
        previous = current;
        current = lines.next().unwrap_or("");
        number += 1;
        let is_ascii = current.is_ascii();
        let mut line = Line { text: current, is_ascii, number, counted: (0, 0) };
        let bytes = current.as_bytes();
        let mut at = 0;
        if let Some(mut string) = open.take() {
            if current.is_empty() {
                return None;
            }
            if let Some(end) = string_end(bytes, 0, string.quote) {
                at = end;
                string.text.push_str(&current[..end]);
                out.token(Sort::String, &string.text, string.start, line.position(end));
            } else {
                string.text.push_str(current);
                let goes_on =
                    string.quote.triple || current.ends_with("\\\n") || current.ends_with("\\\r\n");
                if goes_on {
                    open = Some(string);
                } else {
                    let end = line.position(current.len());
                    out.token(Sort::Other, &string.text, string.start, end);
                }
                continue;
            }
        } else if depth == 0 && !continued {
            if current.is_empty() {
                break;
            }
            let mut column = 0;
            while let Some(byte) = bytes.get(at) {
                column = match byte {
                    b' ' => column + 1,
                    b'\t' => (column / 8 + 1) * 8,
                    b'\x0c' => 0,
                    _ => break,
                };
                at += 1;
            }
            let Some(&first) = bytes.get(at) else { break };
            if matches!(first, b'#' | b'\r' | b'\n') {
                if first == b'#' {
                    let end = current.trim_end_matches(['\r', '\n']).len();
                    let start = line.position(at);
                    out.token(Sort::Comment, "", start, line.position(end));
                    at = end;
                }
                let start = line.position(at);
                out.token(Sort::Other, &current[at..], start, line.position(bytes.len()));
                continue;
            }
            if column > indents.last().copied().unwrap_or(0) {
                indents.push(column);
                out.token(Sort::Indent, &current[..at], (number, 0), line.position(at));
            }
            while column < indents.last().copied().unwrap_or(0) {
                if !indents.contains(&column) {
                    return None;
                }
                indents.pop();
                let here = line.position(at);
                out.token(Sort::Other, "", here, here);
            }
        } else {
            if current.is_empty() {
                return None;
            }
            continued = false;
        }
        while at < bytes.len() {
            let blank = |byte: &u8| matches!(byte, b' ' | b'\x0c' | b'\t');
            let start = at + bytes[at..].iter().take_while(|byte| blank(byte)).count();
            let Some(&first) = bytes.get(start) else { break };
            let rest = &bytes[start..];
            if first == b'\\' && (rest.starts_with(b"\\\n") || rest.starts_with(b"\\\r\n")) {
                continued = true;
                break;
            }
            if start > at && fits_no_token(current, start) {
                // Such a character is a token of its own, and so is each blank before it.
                for at in at..start {
                    let from = line.position(at);
                    out.token(Sort::Other, &current[at..=at], from, (from.0, from.1 + 1));
                }
            }
            let from = line.position(start);
            let (sort, end) = match first {
                b'#' => {
                    let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                    (Sort::Comment, length.map_or(bytes.len(), |length| start + length))
                }
                b'\n' | b'\r' if rest.starts_with(b"\n") || rest.starts_with(b"\r\n") => {
                    let sort = if depth > 0 { Sort::Other } else { Sort::Newline };
                    (sort, start + if first == b'\n' { 1 } else { 2 })
                }
                _ => match string_start(rest) {
                    Some((quote, inside)) => match string_end_in_line(bytes, start + inside, quote)
                    {
                        StringEnd::Here(end) => (Sort::String, end),
                        StringEnd::NextLine => {
                            let text = current[start..].to_owned();
                            open = Some(Open { text, start: from, quote });
                            break;
                        }
                        StringEnd::Nowhere => (Sort::Other, after_word(current, start)),
                    },
                    None => {
                        match first {
                            b'(' | b'[' | b'{' => depth += 1,
                            b')' | b']' | b'}' => depth -= 1,
                            _ => {}
                        }
                        (Sort::Other, after_word(current, start))
                    }
                },
            };
            out.token(sort, &current[start..end], from, line.position(end));
            at = end;
        }
    }
    let ended = previous.is_empty() || previous.ends_with(['\r', '\n']);
    if !ended && !crate::text::python_strip(previous).starts_with('#') {
        let column = previous.chars().count();
        out.token(Sort::Newline, "", (number - 1, column), (number - 1, column + 1));
    }
    Some(())
}

/// Whether the tokenizer knows no token that starts here: a stray `$`, `?` or quote.
fn fits_no_token(line: &str, start: usize) -> bool {
    let rest = &line[start..];
    let Some(first) = rest.chars().next() else { return false };
    match first {
        '\'' | '"' => string_start(rest.as_bytes()).is_some_and(|(quote, inside)| {
            let end = string_end_in_line(line.as_bytes(), start + inside, quote);
            matches!(end, StringEnd::Nowhere)
        }),
        '!' => !rest.starts_with("!="),
        '\r' => !rest.starts_with("\r\n"),
        '#' | '\n' => false,
        c if c.is_ascii() => !matches!(
            c,
            '0'..='9' | 'A'..='Z' | 'a'..='z' | '_' | '%' | '&' | '('..='/' | ':'..='>' | '@'
                | '[' | ']' | '^' | '{'..='~'
        ),
        c => !c.is_alphanumeric(),
    }
}

/// One past the name or number at `start`, or past its one character.
fn after_word(line: &str, start: usize) -> usize {
    let bytes = &line.as_bytes()[start..];
    let is_ascii_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut length = bytes.iter().take_while(|byte| is_ascii_word(byte)).count();
    if bytes.get(length).is_some_and(|byte| !byte.is_ascii()) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let rest = &line[start..];
        length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    }
    if length > 0 {
        return start + length;
    }
    start + line[start..].chars().next().map_or(1, char::len_utf8)
}

/// The quote of a string that starts here, and how far in it is.
fn string_start(rest: &[u8]) -> Option<(Quote, usize)> {
    const QUOTE: [u8; 2] = [b'\'', b'"'];
    if !matches!(
        rest.first()?,
        b'\'' | b'"' | b'B' | b'F' | b'R' | b'U' | b'b' | b'f' | b'r' | b'u'
    ) {
        return None;
    }
    let prefix = rest.iter().take(3).position(|byte| QUOTE.contains(byte))?;
    let known = match rest[..prefix] {
        [] => true,
        [one] => b"bruf".contains(&one.to_ascii_lowercase()),
        [one, two] => matches!(
            (one.to_ascii_lowercase(), two.to_ascii_lowercase()),
            (b'b' | b'f', b'r') | (b'r', b'b' | b'f')
        ),
        _ => false,
    };
    if !known {
        return None;
    }
    let mark = rest[prefix];
    let triple = rest[prefix..].starts_with(&[mark; 3]);
    Some((Quote { mark, triple }, prefix + if triple { 3 } else { 1 }))
}

enum StringEnd {
    Here(usize),
    NextLine,
    Nowhere,
}

fn string_end_in_line(line: &[u8], inside: usize, quote: Quote) -> StringEnd {
    if quote.triple {
        return string_end(line, inside, quote).map_or(StringEnd::NextLine, StringEnd::Here);
    }
    let mut at = inside;
    loop {
        match line.get(at) {
            None | Some(b'\n') => return StringEnd::Nowhere,
            Some(b'\\') => match &line[at + 1..] {
                [] => return StringEnd::Nowhere,
                [b'\n', ..] | [b'\r', b'\n', ..] => return StringEnd::NextLine,
                _ => at += 2,
            },
            Some(&byte) if byte == quote.mark => return StringEnd::Here(at + 1),
            Some(_) => at += 1,
        }
    }
}

/// One past the end of a string that is open at `at`, if that is in this line. An escaped line
/// break ends the search, as in the tokenizer.
fn string_end(line: &[u8], mut at: usize, quote: Quote) -> Option<usize> {
    loop {
        match line.get(at)? {
            b'\\' => match line.get(at + 1)? {
                b'\n' => return None,
                _ => at += 2,
            },
            &byte if byte == quote.mark => {
                if !quote.triple {
                    return Some(at + 1);
                }
                if line[at..].starts_with(&[quote.mark; 3]) {
                    return Some(at + 3);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(strip(text).as_deref(), Some(expected));
    }

    // The expected texts are those of `remove_comments_and_docstrings` under CPython 3.11.7.
    #[test]
    fn docstrings_comments_and_tabs() {
        check("def f(a):\n    '''doc'''\n    # why\n    return a", "def f(a):\n    return a");
        check("def f(a):\n\tx = 1\n\ty = 2\n", "def f(a):\n\tx = 1\n y = 2");
        check("x = 1 + \\\n    2", "x = 1 +    2");
        check("'kept nowhere'\nx = 'kept'", "x = 'kept'");
    }

    #[test]
    fn what_the_tokenizer_fails_on() {
        for text in ["f(", "'''open", "if a:\n        b\n    c", "a)\n"] {
            assert_eq!(strip(text), None, "{text}");
        }
    }
}
