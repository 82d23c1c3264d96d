//! A reply as sections of lines and fences.

use distill_core::Language;

use super::heading::{Heading, Next, Section, heading};
use super::steps::{is_numbered, marker};

/// One piece of a section.
#[derive(Debug, Clone)]
pub(super) enum Item<'a> {
    /// A line outside of fences; blank lines too.
    Line(&'a str),
    /// A fenced block.
    Fence(Fence<'a>),
}

/// A fenced block.
#[derive(Debug, Clone)]
pub(super) struct Fence<'a> {
    /// The first word after the opening fence, lower case.
    pub info: String,
    pub lines: Vec<&'a str>,
    pub closed: bool,
}

impl Fence<'_> {
    /// The language that the info names.
    pub fn language(&self) -> Option<Language> {
        self.info.parse().ok()
    }

    /// Whether the info calls it pseudocode.
    pub fn is_pseudocode(&self) -> bool {
        matches!(self.info.as_str(), "pseudocode" | "pseudo" | "pseudo-code" | "algorithm" | "plan")
    }

    /// Whether the info tells nothing about a programming language.
    fn is_plain(&self) -> bool {
        self.is_pseudocode() || matches!(self.info.as_str(), "" | "text" | "txt" | "plaintext")
    }
}

/// A heading and what stands under it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub section: Section,
    pub exact: bool,
    pub items: Vec<Item<'a>>,
}

/// A reply in order.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    pub parts: Vec<Part<'a>>,
    /// Whether it ends inside its reasoning.
    pub open_reasoning: bool,
}

/// The line, where the item is one.
pub(super) fn line_of<'a>(item: &Item<'a>) -> Option<&'a str> {
    match item {
        Item::Line(line) => Some(line),
        Item::Fence(_) => None,
    }
}

/// The fences of a part and where among its items they are.
pub(super) fn fences_of<'p, 'a>(
    part: &'p Part<'a>,
) -> impl Iterator<Item = (usize, &'p Fence<'a>)> {
    part.items.iter().enumerate().filter_map(|(at, item)| match item {
        Item::Fence(fence) => Some((at, fence)),
        Item::Line(_) => None,
    })
}

/// What encloses reasoning that is not part of the answer.
const REASONING: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
];

/// Most fences around a whole reply that are looked through; bounds the time on hostile input.
const WRAPPERS: usize = 4;

/// Splits a reply. Linear in its length.
pub(super) fn outline(text: &str) -> Outline<'_> {
    let text = after_unopened_reasoning(text.trim_start_matches('\u{feff}'));
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .map(without_token)
        .collect();
    let next = next_lines(&lines);
    let last_bare = lines.iter().rposition(|line| is_bare_fence(line));

    let mut parts =
        vec![Part { section: Section::Preamble, exact: false, items: Vec::<Item<'_>>::new() }];
    // Level of the heading that is in force.
    let mut level = 9;
    let mut closing_tag: Option<&str> = None;
    let mut wrappers = 0;
    // Whether a block has been met.
    let mut fenced = false;
    let mut skip = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let mut line = lines[at];
        if let Some(tag) = closing_tag {
            at += 1;
            let Some(end) = line.find(tag) else { continue };
            closing_tag = None;
            line = &line[end + tag.len()..];
            if !line.trim().is_empty() {
                push(&mut parts, Item::Line(line));
            }
            continue;
        }
        if let Some((open, close)) =
            REASONING.iter().find(|(open, _)| line.trim_start().starts_with(open))
        {
            let after = &line.trim_start()[open.len()..];
            match after.find(close) {
                Some(end) => push(&mut parts, Item::Line(&after[end + close.len()..])),
                None => closing_tag = Some(close),
            }
            at += 1;
            continue;
        }
        if skip.contains(&at) {
            at += 1;
            continue;
        }
        if let Some(opening) = fence_opening(line) {
            if matches!(opening.info.as_str(), "markdown" | "md") && wrappers < WRAPPERS {
                // The whole reply as a document: look through it.
                wrappers += 1;
                skip.extend(last_bare.filter(|&last| last > at));
                at += 1;
                continue;
            }
            let (fence, end) = fence(&lines, at, &opening);
            let wraps = fence.is_plain()
                && wrappers < WRAPPERS
                && fence.lines.iter().any(|line| {
                    heading(line, Next::Else).is_some_and(|heading| {
                        // A single hash may as well open a comment of the code in the fence.
                        heading.exact
                            && heading.level > 1
                            && matches!(heading.section, Section::Pseudocode | Section::Code)
                    })
                });
            if wraps {
                wrappers += 1;
                skip.extend((fence.closed && end > at).then_some(end - 1));
                at += 1;
                continue;
            }
            push(&mut parts, Item::Fence(fence));
            fenced = true;
            at = end;
            continue;
        }
        match heading(line, next[at]).filter(|found| !is_code(line, found, &parts, level)) {
            // "Input:" and "Output:" above a plan without a heading, and "### Step 1: …" there, are
            // part of what comes before it.
            Some(found)
                if !fenced
                    && before_all(&parts)
                    && (found.inner
                        || found.section == Section::Other && is_numbered(line)
                        // "Here is how the algorithm works:" explains nothing yet.
                        || found.section == Section::Explanation
                            && !found.exact
                            && next[at] == Next::Step) =>
            {
                push(&mut parts, Item::Line(line));
            }
            // "# x" under a plain "Pseudocode:" is a step in the dress of a comment.
            Some(found)
                if in_plan(&parts)
                    && level == 8
                    && found.level == 1
                    && found.section == Section::Other =>
            {
                push(&mut parts, Item::Line(line));
            }
            // "### Step 1: …", and "**Input:**" as part of a plan, are no sections of their own.
            Some(found) if in_plan(&parts) && (found.section == Section::Other || found.inner) => {
                if is_numbered(line) {
                    push(&mut parts, Item::Line(line));
                } else if found.section == Section::Other && found.level <= level {
                    level = found.level;
                    parts.push(Part { section: Section::Other, exact: false, items: Vec::new() });
                }
            }
            // A heading without a meaning of its own divides the section in force, unless it
            // stands as high as that section's own.
            Some(Heading { section: Section::Other, level: own, .. }) if own > level => {}
            Some(heading) => {
                level = heading.level;
                parts.push(Part {
                    section: heading.section,
                    exact: heading.exact,
                    items: Vec::new(),
                });
                if !heading.rest.is_empty() {
                    push(&mut parts, Item::Line(heading.rest));
                }
            }
            None => push(&mut parts, Item::Line(line)),
        }
        at += 1;
    }
    Outline { parts, open_reasoning: closing_tag.is_some() }
}

/// Whether no section has begun but a restatement of the problem.
fn before_all(parts: &[Part<'_>]) -> bool {
    parts.last().is_some_and(|part| matches!(part.section, Section::Preamble | Section::Problem))
}

fn in_plan(parts: &[Part<'_>]) -> bool {
    parts.last().is_some_and(|part| part.section == Section::Pseudocode)
}

/// Whether a line that looks like a heading is part of code that stands without a fence: indented,
/// or a comment.
fn is_code(line: &str, found: &Heading<'_>, parts: &[Part<'_>], level: usize) -> bool {
    let unfenced = parts.last().is_some_and(|part| {
        part.section == Section::Code
            && !part.items.iter().any(|item| matches!(item, Item::Fence(_)))
    });
    let comment = found.level <= 6 && (!found.exact || found.level == 1 && level != 1);
    unfenced && (line.starts_with(['\t']) || line.starts_with("    ") || comment)
}

fn push<'a>(parts: &mut [Part<'a>], item: Item<'a>) {
    if let Some(part) = parts.last_mut() {
        part.items.push(item);
    }
}

/// The text without the mark that opens its reasoning.
pub(super) fn without_reasoning_marks(text: &str) -> &str {
    let opened = REASONING.iter().find_map(|(open, _)| text.find(open).map(|at| at + open.len()));
    &text[opened.unwrap_or(0)..]
}

/// Some servers' chat templates open the reasoning in the prompt: then only its end is in the reply.
fn after_unopened_reasoning(text: &str) -> &str {
    let unopened = REASONING.iter().find_map(|(open, close)| {
        let end = text.find(close)?;
        (!text[..end].contains(open)).then_some(end + close.len())
    });
    // Far into a reply the tag is more likely to be part of what is written about.
    match unopened {
        Some(end) if !text[..end].contains("```") || text[end..].contains("```") => &text[end..],
        _ => text,
    }
}

/// The line without an end-of-text token that leaked, such as `<|im_end|>` or `</s>`.
fn without_token(line: &str) -> &str {
    let text = line.trim_end();
    if matches!(text, "[BEGIN]" | "[END]" | "[DONE]" | "[INST]" | "[/INST]") {
        return "";
    }
    if let Some(before) = text.strip_suffix("</s>") {
        return before;
    }
    match text.strip_suffix("|>").and_then(|before| before.rfind("<|")) {
        Some(at) if text.len() - at < 40 => &text[..at],
        _ => line,
    }
}

/// For each line, what the next one that is not blank looks like.
fn next_lines(lines: &[&str]) -> Vec<Next> {
    let mut next = vec![Next::Else; lines.len()];
    let mut kind = Next::Else;
    for (at, line) in lines.iter().enumerate().rev() {
        next[at] = kind;
        if fence_opening(line).is_some() {
            kind = Next::Fence;
        } else if marker(line).is_some() {
            kind = Next::Step;
        } else if !line.trim().is_empty() {
            kind = Next::Else;
        }
    }
    next
}

struct Opening {
    mark: char,
    count: usize,
    indent: usize,
    info: String,
}

/// Reads a line that opens a fence.
fn fence_opening(line: &str) -> Option<Opening> {
    let text = line.trim_start();
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = text.trim_start_matches(mark);
    let count = text.len() - rest.len();
    // "```x```" on one line is code within prose.
    if count < 3 || rest.contains('`') {
        return None;
    }
    let info = rest.trim().trim_start_matches(['{', '.']).to_owned();
    let info = info.split(|c: char| c.is_whitespace() || matches!(c, '}' | ',' | ':' | '{'));
    let info = info.into_iter().next().unwrap_or_default().to_lowercase();
    // Far longer than any language's name: prose after stray backticks.
    (info.len() <= 30).then(|| Opening { mark, count, indent: line.len() - text.len(), info })
}

fn is_bare_fence(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && (line.bytes().all(|c| c == b'`') || line.bytes().all(|c| c == b'~'))
}

/// The fence opened at line `at`, and the line after it.
fn fence<'a>(lines: &[&'a str], at: usize, opening: &Opening) -> (Fence<'a>, usize) {
    let mut fence = Fence { info: opening.info.clone(), lines: Vec::new(), closed: false };
    let mut end = at + 1;
    while end < lines.len() {
        let line = lines[end];
        let text = line.trim();
        let marks = text.len() - text.trim_start_matches(opening.mark).len();
        if marks >= opening.count && marks == text.len() {
            fence.closed = true;
            return (fence, end + 1);
        }
        // "```This function …": prose that goes on behind the closing marks.
        let glued = &text[marks..];
        if marks >= opening.count
            && !fence.is_plain()
            && glued.starts_with(char::is_uppercase)
            && glued.contains(' ')
            && fence_opening(glued).is_none()
        {
            fence.closed = true;
            return (fence, end + 1);
        }
        // A code block that opens inside a block without a language: the outer one was not closed.
        if fence.is_plain()
            && marks >= 3
            && fence_opening(line).is_some_and(|inner| inner.info.parse::<Language>().is_ok())
        {
            return (fence, end);
        }
        // A fence inside a list is indented as a whole.
        let own = line.len() - line.trim_start_matches(' ').len();
        fence.lines.push(&line[own.min(opening.indent)..]);
        end += 1;
    }
    (fence, end)
}
