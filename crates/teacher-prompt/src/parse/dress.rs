//! What a reply is wrapped in, taken off before it is read line by line.

use std::borrow::Cow;

/// The reply as plain Markdown: line breaks of any kind are `\n`, tags around sections stand on
/// lines of their own, quotation marks (`> `) are gone and LaTeX listings are fences. Most replies
/// need nothing of it and are not copied. Linear in the length of the text.
pub(super) fn undress(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.contains('\r') && !text.contains('\n') {
        text = text.replace('\r', "\n").into();
    }
    if text.contains("</") {
        text = replaced(text, split_tags);
    }
    if text.contains("\\begin{") {
        text = replaced(text, |line, out| out.push(listing(line).unwrap_or(line)));
    }
    if text.starts_with('>') || text.contains("\n>") {
        text = unquoted(text);
    }
    text
}

/// The text with each line replaced by those that `take` gives for it.
fn replaced<'a>(text: Cow<'a, str>, take: impl Fn(&str, &mut Lines<'_>)) -> Cow<'a, str> {
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.split('\n') {
        take(line, &mut Lines(&mut out));
    }
    out.pop();
    Cow::Owned(out)
}

struct Lines<'a>(&'a mut String);

impl Lines<'_> {
    fn push(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// Names of tags that enclose a part of a reply.
const TAGS: [&str; 22] = [
    "pseudocode",
    "pseudo_code",
    "pseudo-code",
    "plan",
    "steps",
    "algorithm",
    "approach",
    "code",
    "solution",
    "implementation",
    "program",
    "answer",
    "response",
    "output",
    "explanation",
    "reasoning",
    "analysis",
    "problem",
    "python",
    "java",
    "pre",
    "result",
];

/// Tags of one line that are looked at; bounds the time on hostile input.
const MOST_TAGS: usize = 16;

/// The tag at the start of a text: its length, its name, and whether it closes.
fn tag(text: &str) -> Option<(usize, &str, bool)> {
    let inner = text.strip_prefix('<')?;
    let closes = inner.starts_with('/');
    let name = inner.trim_start_matches('/');
    // Longer than any of them, attributes included: not looked at.
    let end = name.bytes().take(64).position(|c| c == b'>')?;
    let length = text.len() - name.len() + end + 1;
    let name = name[..end].split(' ').next().unwrap_or_default();
    TAGS.iter().any(|known| known.eq_ignore_ascii_case(name)).then_some((length, name, closes))
}

/// `<plan>1. x` and `x</plan>` become two lines each; `<code>x</code> is …` in a sentence stays.
fn split_tags(line: &str, out: &mut Lines<'_>) {
    let mut rest = line;
    // "x</plan><code>y": between a closing and an opening tag one section ends and one begins.
    for _ in 0..MOST_TAGS {
        let Some(at) = rest.find("><").map(|at| at + 1) else { break };
        let closes = |at| tag(&rest[at..]).is_some_and(|(_, _, closes)| closes);
        if !rest[..at].rfind("</").is_some_and(closes) || closes(at) || tag(&rest[at..]).is_none() {
            break;
        }
        split_piece(&rest[..at], out);
        rest = &rest[at..];
    }
    split_piece(rest, out);
}

fn split_piece(line: &str, out: &mut Lines<'_>) {
    let mut rest = line;
    // Tags that lead the line, each with text behind it.
    for _ in 0..MOST_TAGS {
        let Some((length, name, closes)) = tag(rest.trim_start()) else { break };
        let text = rest.trim_start();
        let after = &text[length..];
        if after.trim().is_empty() {
            break;
        }
        let closing = format!("</{name}>");
        let whole = after.find(&closing).map(|at| after[at + closing.len()..].trim());
        if !closes && whole.is_some_and(|behind| !behind.is_empty() && !behind.starts_with('<')) {
            break;
        }
        out.push(&text[..length]);
        rest = after;
    }
    // Closing tags that end it.
    let mut closing = Vec::new();
    for _ in 0..MOST_TAGS {
        let Some(at) = rest.trim_end().rfind("</") else { break };
        let text = rest.trim_end();
        match tag(&text[at..]) {
            Some((length, name, true)) if at + length == text.len() => {
                // One that is opened in the same line is part of the sentence.
                if rest[..at].trim().is_empty() || rest[..at].contains(&format!("<{name}>")) {
                    break;
                }
                closing.push(&text[at..]);
                rest = &rest[..at];
            }
            _ => break,
        }
    }
    out.push(rest);
    closing.iter().rev().for_each(|tag| out.push(tag));
}

/// The line of Markdown for one that opens or closes a LaTeX listing.
fn listing(line: &str) -> Option<&'static str> {
    let text = line.trim();
    let known = |name: &str| ["verbatim", "lstlisting", "minted", "alltt"].contains(&name);
    let name = text.strip_prefix("\\begin{").or_else(|| text.strip_prefix("\\end{"))?;
    known(name.split('}').next()?).then_some("```")
}

/// Without the marks of quoted lines, but for those inside of fences that are not quoted.
fn unquoted(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    // Whether a fence is open, and whether it was opened in a quotation.
    let mut open: Option<bool> = None;
    for line in text.split('\n') {
        let bare = line.trim_start().strip_prefix('>').filter(|rest| !rest.starts_with('>'));
        let bare = bare.map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
        let quoted = bare.is_some() && open != Some(false);
        let line = bare.filter(|_| quoted).unwrap_or(line);
        if line.trim_start().starts_with("```") {
            open = match open {
                None => Some(quoted),
                Some(_) => None,
            };
        }
        out.push_str(line);
        out.push('\n');
    }
    out.pop();
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_dress_comes_off() {
        for (dressed, plain) in [
            ("a\rb\rc", "a\nb\nc"),
            ("a\r\nb", "a\r\nb"),
            ("<plan>1. a\n2. b</plan>", "<plan>\n1. a\n2. b\n</plan>"),
            ("<plan>1. a</plan><code>x</code>", "<plan>\n1. a\n</plan>\n<code>\nx\n</code>"),
            ("1. Set <code>s</code> to 0</li>", "1. Set <code>s</code> to 0</li>"),
            ("<code>s</code> is 0", "<code>s</code> is 0"),
            ("x = a </ b", "x = a </ b"),
            ("\\begin{lstlisting}[language=Python]\nx\n\\end{lstlisting}", "```\nx\n```"),
            ("> 1. a\n>\n> ```\n> > b\n> ```\nc", "1. a\n\n```\n> b\n```\nc"),
            ("```\n> a\n```\n>>> b", "```\n> a\n```\n>>> b"),
        ] {
            assert_eq!(undress(dressed), plain);
        }
        assert!(matches!(undress("1. a\n```python\nx < y\n```"), Cow::Borrowed(_)));
    }
}
