//! Comments and docstrings out of a text, as the reference programs take them out.
//!
//! Their ways are part of the score: Python is cut into tokens and put together again by columns,
//! which turns each tab of an indentation into one space; Ruby is left alone; all other languages
//! go through one regular expression that knows C's comments and strings.

mod python;

use std::borrow::Cow;

use code_syntax::Language;

use crate::text::is_python_whitespace;

/// `remove_comments_and_docstrings` of PyPI codebleu; where that fails, the text as it is.
pub(crate) fn reference(language: Language, text: &str) -> Cow<'_, str> {
    match language {
        Language::Python => python::strip(text).map_or(Cow::Borrowed(text), Cow::Owned),
        Language::Ruby => Cow::Borrowed(text),
        _ => c_like(text),
    }
}

/// Comments to one space each, lines without anything out.
///
/// Linear in the length of the text.
pub(crate) fn c_like(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    let mut closers = Closers::default();
    while let Some(offset) = bytes[at..].iter().position(|byte| matches!(byte, b'/' | b'\'' | b'"'))
    {
        let start = at + offset;
        at = match (bytes[start], bytes.get(start + 1)) {
            (b'/', Some(b'/')) => {
                let rest = &bytes[start..];
                let end = rest.iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| start + n);
                out.push_str(&text[copied..start]);
                out.push(' ');
                copied = end;
                end
            }
            (b'/', Some(b'*')) => match closers.comment(text, start + 2) {
                Some(end) => {
                    out.push_str(&text[copied..start]);
                    out.push(' ');
                    copied = end;
                    end
                }
                None => start + 1,
            },
            (b'/', _) => start + 1,
            (quote, _) => closers.quote(bytes, quote, start + 1).unwrap_or(start + 1),
        };
    }
    if copied == 0 && !has_empty_line(text) {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(without_empty_lines(&out))
}

/// `text.split_inclusive('\n')`, quicker on short lines.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.bytes().position(|byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let line;
        (line, rest) = rest.split_at(end);
        (!line.is_empty()).then_some(line)
    })
}

fn is_empty_line(line: &str) -> bool {
    line.chars().all(is_python_whitespace)
}

fn has_empty_line(text: &str) -> bool {
    text.split('\n').any(is_empty_line)
}

fn without_empty_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    for line in lines(text).filter(|line| !is_empty_line(line)) {
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push('\n');
        }
    }
    out.pop();
    out
}

/// Where comments and strings end, without looking for the same missing end again and again.
#[derive(Default)]
struct Closers {
    no_comment_after: Option<usize>,
    /// For each quote that was once found open: where a string ends that is inside at a byte.
    single: Option<Vec<u32>>,
    double: Option<Vec<u32>>,
}

impl Closers {
    fn comment(&mut self, text: &str, from: usize) -> Option<usize> {
        if self.no_comment_after.is_some_and(|open| from >= open) {
            return None;
        }
        let end = text.get(from..)?.find("*/");
        if end.is_none() {
            self.no_comment_after = Some(from);
        }
        end.map(|offset| from + offset + 2)
    }

    fn quote(&mut self, bytes: &[u8], quote: u8, from: usize) -> Option<usize> {
        const OPEN: u32 = u32::MAX;
        let table = if quote == b'"' { &mut self.double } else { &mut self.single };
        if let Some(ends) = table {
            return ends.get(from).filter(|&&end| end != OPEN).map(|&end| end as usize);
        }
        let mut at = from;
        while at < bytes.len() {
            match bytes[at] {
                byte if byte == quote => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let mut ends = vec![OPEN; bytes.len() + 2];
        for at in (from..bytes.len()).rev() {
            ends[at] = match bytes[at] {
                byte if byte == quote => (at + 1) as u32,
                b'\\' => ends[at + 2],
                _ => ends[at + 1],
            };
        }
        *table = Some(ends);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_a_space_and_strings_stay() {
        assert_eq!(c_like("a // b\n\n/* c\n */ d '//' \"/*\" e"), "a  \n  d '//' \"/*\" e");
        assert_eq!(c_like("it's // not\na comment's start"), "it's // not\na comment's start");
        assert_eq!(c_like("a /* open\nb // c"), "a /* open\nb  ");
        assert_eq!(c_like("x"), "x");
    }

    #[test]
    fn many_open_quotes_take_linear_time() {
        let text = r"'\".repeat(500_000);
        assert_eq!(c_like(&text), text);
        let text = "/* ".repeat(500_000);
        assert_eq!(c_like(&text), text);
    }
}
