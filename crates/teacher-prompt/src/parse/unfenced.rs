//! Code that stands in a reply without a fence.

use code_syntax::Language;

use super::code::{Candidate, Defined, snippet};
use super::outline::{Outline, line_of};
use super::steps;

/// A function that stands in the prose without heading or fence, where a reply holds no other code:
/// from a line that looks like code to the end of its section, if that parses.
pub(super) fn unannounced(outline: &Outline<'_>, language: Language) -> Option<Candidate> {
    const TRIES: usize = 8;
    let starts = |line: &&str| {
        let word = line.split([' ', '(', '\t']).next().unwrap_or_default();
        line.starts_with(['@', '#', '<'])
            || (!line.ends_with(['.', ':', ',']) || line.ends_with("):") || line.contains("->"))
                && (language.keywords().contains(&word)
                    || matches!(word, "async" | "func" | "function" | "public" | "static"))
    };
    let mut tries = 0;
    for part in &outline.parts {
        let lines: Vec<&str> = part.items.iter().filter_map(line_of).collect();
        for (first, _) in lines.iter().enumerate().filter(|(_, line)| starts(line)) {
            tries += 1;
            if tries > TRIES {
                return None;
            }
            let text = unfenced(&lines[first..], Some(language));
            let clean = snippet(language, &text).is_some_and(|snippet| {
                snippet.is_clean() && Defined::find(language, &snippet, "").any
            });
            if clean {
                return Some(Candidate { text, language: None, foreign: false, in_code: false });
            }
        }
    }
    None
}

/// A reply that is nothing but the body of the function asked for, as models that complete a text
/// answer: it begins with an indented line, and parses or (cut short) at least begins like code.
pub(super) fn bare_body(outline: &Outline<'_>, language: Language) -> Option<Candidate> {
    let lines: Vec<&str> = outline.parts.first()?.items.iter().filter_map(line_of).collect();
    let first = lines.iter().find(|line| !line.trim().is_empty())?;
    let comment = |line: &str| line.trim_start().starts_with(['#', '/']);
    let step = steps::marker(first).is_some() && !comment(first);
    if !first.starts_with([' ', '\t']) || step {
        return None;
    }
    let first = lines.iter().find(|line| !line.trim().is_empty() && !comment(line))?;
    // What follows without an indent is no part of the body.
    let body =
        lines.iter().take_while(|line| line.trim().is_empty() || line.starts_with([' ', '\t']));
    let text = unfenced(&body.copied().collect::<Vec<_>>(), Some(language));
    let code = text.contains(['(', '=', ';']) || text.contains("return");
    let word = first.trim_start().split([' ', '(', ':']).next().unwrap_or_default();
    let begins = first.contains(" = ") || language.keywords().contains(&word);
    let clean =
        code && (begins || snippet(language, &text).is_some_and(|snippet| snippet.is_clean()));
    clean.then_some(Candidate { text, language: None, foreign: false, in_code: false })
}

/// Code without a fence: the section without the prose around it.
pub(super) fn unfenced(lines: &[&str], language: Option<Language>) -> String {
    // A whole section in single backticks is code, too.
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| match line.trim().strip_prefix('`').and_then(|line| line.strip_suffix('`')) {
            Some(inside) if !inside.contains('`') => inside,
            _ => line,
        })
        .collect();
    let mut paragraphs: Vec<&[&str]> = lines
        .split(|line| line.trim().is_empty())
        .filter(|paragraph| !paragraph.is_empty())
        .collect();
    while paragraphs.len() > 1 && paragraphs.last().is_some_and(|last| is_prose(last)) {
        paragraphs.pop();
    }
    let prose = paragraphs.iter().take_while(|first| is_prose(first)).count();
    let code = &paragraphs[prose.min(paragraphs.len().saturating_sub(1))..];
    let joined = |count: usize| {
        let lines: Vec<&str> = code[..count].join(&"").into_iter().collect();
        dedented(&lines)
    };
    let whole = joined(code.len());
    // Prose that does not look like it shows as a syntax error.
    let clean = |text: &str| {
        language.is_none_or(|language| snippet(language, text).is_some_and(|s| s.is_clean()))
    };
    if !clean(&whole) {
        let fewer = (1..code.len()).rev().take(6).map(joined).find(|text| clean(text));
        return fewer.unwrap_or(whole);
    }
    whole
}

/// Whether a paragraph reads as a sentence rather than as code.
fn is_prose(paragraph: &[&str]) -> bool {
    let (Some(first), Some(last)) = (paragraph.first(), paragraph.last()) else { return false };
    let words = first.split_whitespace().count();
    let starts = first.starts_with(|c: char| c.is_uppercase()) || first.starts_with("**");
    let code = first.contains(['=', '{', ';']) || first.trim_end().ends_with([')', ',']);
    words >= 3 && starts && !code && last.trim_end().ends_with(['.', ':', '!', '?', '。'])
}

/// Lines as one text, without the indentation that all share and blank lines around.
pub(super) fn dedented(lines: &[&str]) -> String {
    let indent = |line: &&str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let written = || lines.iter().filter(|line| !line.trim().is_empty());
    let mut shared = written().map(indent).min().unwrap_or(0);
    // Mixed tabs and blanks share only what is the same text.
    if let Some(first) = written().next() {
        for line in written() {
            let same = first.bytes().zip(line.bytes()).take(shared);
            shared = same.take_while(|(a, b)| a == b).count();
        }
    }
    let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.push_str(line.get(shared..).unwrap_or_default());
        text.push('\n');
    }
    let start = text.len() - text.trim_start_matches('\n').len();
    text[start..].trim_end().to_owned()
}
