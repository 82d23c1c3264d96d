//! From a reply to steps and code.
//!
//! Models answer in many dresses: headings in bold or with hashes, in another script or missing,
//! steps numbered in a dozen ways, fences with and without a language, code without a fence,
//! reasoning in `<think>` tags, prose in between. [`parse_reply`] reads the reply in three passes,
//! none of which recurses: lines into sections and fences, a section into steps, and from all blocks
//! the one that is the code. Time and memory are linear in the length of the reply, of which the
//! first [`LONGEST_REPLY`] bytes are read.

mod code;
mod dress;
mod heading;
mod object;
mod outline;
mod steps;

use code_syntax::Language;
use distill_core::Pseudocode;
use serde::Serialize;

use crate::body::read_completion;
use crate::{Direction, Verdict};

use code::Candidate;
pub(crate) use code::{Defined, same_family, snippet};
use heading::Section;
use outline::{Fence, Item, Outline, Part};

/// Bytes of a reply that are read; no model writes as much in one reply.
pub const LONGEST_REPLY: usize = 4 << 20;

/// What a reply was asked to hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Parts {
    /// Pseudocode and code.
    #[default]
    Both,
    /// Pseudocode; code is found but not needed.
    Pseudocode,
    /// Code; pseudocode is found but not needed.
    Code,
}

impl From<Direction> for Parts {
    fn from(direction: Direction) -> Parts {
        match direction {
            Direction::Forward => Parts::Both,
            Direction::Backward => Parts::Pseudocode,
        }
    }
}

/// What is known about the answer wanted.
#[derive(Debug, Clone, Default)]
pub struct ParseOptions {
    /// The language of the code. Without one, blocks are told apart by place and label alone.
    pub language: Option<Language>,
    /// Name of the function that the code must define.
    pub entry_point: Option<String>,
    /// What the reply was asked to hold.
    pub parts: Parts,
}

/// What was found in a reply, whatever the verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parsed {
    /// The steps.
    pub pseudocode: Option<Pseudocode>,
    /// The code, without its fence, common indentation and surrounding blank lines.
    pub code: Option<String>,
    /// [`Verdict::Ok`] where all parts asked for are there.
    pub verdict: Verdict,
    /// Why the verdict is not `ok`; empty if it is.
    pub reason: String,
    /// The programming language that the code's fence names.
    #[serde(skip)]
    pub labelled: Option<Language>,
}

impl Parsed {
    fn nothing(verdict: Verdict, reason: String) -> Parsed {
        Parsed { pseudocode: None, code: None, verdict, reason, labelled: None }
    }
}

/// Reads the text of a reply.
///
/// ```
/// use distill_core::Language;
/// use teacher_prompt::{ParseOptions, Verdict, parse_reply};
///
/// let reply = "**Pseudocode**\n1) add up the list\n2) return the sum\n\n```py\ndef f(xs):\n    return sum(xs)\n```\nDone!";
/// let options = ParseOptions { language: Some(Language::Python), ..ParseOptions::default() };
/// let parsed = parse_reply(reply, &options);
/// assert_eq!(parsed.verdict, Verdict::Ok);
/// assert_eq!(parsed.pseudocode.unwrap().len(), 2);
/// assert_eq!(parsed.code.unwrap(), "def f(xs):\n    return sum(xs)");
/// ```
pub fn parse_reply(text: &str, options: &ParseOptions) -> Parsed {
    if text.trim().is_empty() {
        return Parsed::nothing(Verdict::Empty, "the reply is blank".into());
    }
    let read = dress::undress(&text[..text.floor_char_boundary(LONGEST_REPLY)]);
    if let Some(parts) = object::read(&read) {
        return from_object(parts, options);
    }
    let outline = outline::outline(&read);
    let Found { pseudocode, code, labelled } = found_in(&outline, options);
    if outline.open_reasoning && pseudocode.is_none() && code.is_none() {
        // The end of the reasoning may have been left out, and the answer not.
        let after = outline::outline(outline::without_reasoning_marks(&read));
        let whole = found_in(&after, options);
        if after.parts.iter().any(|part| part.section == Section::Pseudocode && part.exact)
            && judge(&whole, &after, options, text).0 == Verdict::Ok
        {
            return whole.parsed(Verdict::Ok, String::new());
        }
    }
    let found = Found { pseudocode, code, labelled };
    let (verdict, reason) = judge(&found, &outline, options, text);
    found.parsed(verdict, reason)
}

/// The parts of a reply.
struct Found {
    pseudocode: Option<Pseudocode>,
    code: Option<String>,
    labelled: Option<Language>,
}

impl Found {
    fn parsed(self, verdict: Verdict, reason: String) -> Parsed {
        let Found { pseudocode, code, labelled } = self;
        Parsed { pseudocode, code, verdict, reason, labelled }
    }
}

fn found_in(outline: &Outline<'_>, options: &ParseOptions) -> Found {
    let (pseudocode, used) = find_pseudocode(outline, options);
    let candidate = find_code(outline, options, used);
    let labelled = candidate.as_ref().and_then(|candidate| candidate.language);
    let code = candidate.map(|candidate| candidate.text);
    let pseudocode = pseudocode.or_else(|| code.as_deref().and_then(plan_above));
    Found { pseudocode, code, labelled }
}

/// The parts of a reply that is a JSON object; its code may be dressed as a reply's is.
fn from_object(parts: object::Parts, options: &ParseOptions) -> Parsed {
    let mut found = Found { pseudocode: parts.pseudocode, code: parts.code, labelled: None };
    if let Some(code) = found.code.take_if(|code| code.contains("```")) {
        let inner = found_in(&outline::outline(&code), options);
        (found.code, found.labelled) = (inner.code, inner.labelled);
    }
    let outline = Outline { parts: Vec::new(), open_reasoning: false };
    let (verdict, reason) = judge(&found, &outline, options, "");
    found.parsed(verdict, reason)
}

/// The verdict on what was found, and why.
fn judge(
    found: &Found,
    outline: &Outline<'_>,
    options: &ParseOptions,
    text: &str,
) -> (Verdict, String) {
    let (steps, program) = (found.pseudocode.is_some(), found.code.is_some());
    let verdict = match options.parts {
        _ if outline.open_reasoning && !(steps || program) => Verdict::OnlyReasoning,
        Parts::Both if !steps && !program => Verdict::Neither,
        Parts::Both | Parts::Pseudocode if !steps => Verdict::NoPseudocode,
        Parts::Both | Parts::Code if !program => Verdict::NoCode,
        _ => Verdict::Ok,
    };
    let mut reason = match verdict {
        Verdict::OnlyReasoning => "the reply ends inside its reasoning".to_owned(),
        Verdict::Neither => {
            "neither steps nor code: no heading, list or code block was recognised".to_owned()
        }
        Verdict::NoPseudocode if has(outline, Section::Pseudocode) => {
            "the Pseudocode section holds no step".to_owned()
        }
        Verdict::NoPseudocode => {
            "no Pseudocode section, and no list of steps before the code".into()
        }
        Verdict::NoCode if has(outline, Section::Code) => "the Code section is empty".to_owned(),
        Verdict::NoCode => "no Code section, and no code block elsewhere".to_owned(),
        _ => String::new(),
    };
    if verdict != Verdict::Ok && text.len() > LONGEST_REPLY {
        reason += &format!(" (of {} bytes the first {LONGEST_REPLY} were read)", text.len());
    }
    (verdict, reason)
}

/// The plan in comments above the code of the same block, under a heading that names it so.
fn plan_above(code: &str) -> Option<Pseudocode> {
    let mark = ["#", "//"].into_iter().find(|mark| code.starts_with(mark))?;
    let above: Vec<&str> = code.lines().take_while(|line| line.starts_with(mark)).collect();
    let lines = steps::uncommented(&above)?;
    let (first, steps) = lines.split_first()?;
    let heading = heading::heading(first, heading::Next::Step)?;
    let steps = steps::marked(steps);
    (heading.section == Section::Pseudocode && !steps.is_empty()).then_some(steps)
}

/// Reads the body of a chat completion, as a server sent it.
///
/// A body that is no completion is [`Verdict::Empty`] with the reason why; a complete reply that
/// the server stopped at the token limit, or withheld, is [`Verdict::CutShort`].
pub fn parse_body(body: &[u8], options: &ParseOptions) -> Parsed {
    let completion = match read_completion(body) {
        Ok(completion) => completion,
        Err(error) => return Parsed::nothing(Verdict::Empty, error.to_string()),
    };
    let mut parsed = parse_reply(&completion.text, options);
    if let Some(reason) = cut_short(completion.finish_reason.as_deref()) {
        parsed.reason = match parsed.verdict {
            Verdict::Ok => reason,
            _ => format!("{reason}; {}", parsed.reason),
        };
        parsed.verdict = Verdict::CutShort;
    }
    parsed
}

/// Why a finish reason means that the reply is not whole.
pub(crate) fn cut_short(finish_reason: Option<&str>) -> Option<String> {
    match finish_reason? {
        "length" => Some("the reply stops at the token limit".into()),
        reason @ ("content_filter" | "error" | "cancelled") => {
            Some(format!("the server withheld the reply: {reason}"))
        }
        _ => None,
    }
}

fn has(outline: &Outline<'_>, section: Section) -> bool {
    outline.parts.iter().any(|part| part.section == section)
}

/// Where in the outline a fence stands: part and item.
type Place = (usize, usize);

/// The steps, and the fence that they were in, if any.
fn find_pseudocode(
    outline: &Outline<'_>,
    options: &ParseOptions,
) -> (Option<Pseudocode>, Option<Place>) {
    let parts = &outline.parts;
    let fences: usize = parts.iter().map(|part| fences_of(part).count()).sum();
    // A section named so and nothing else goes before "My approach".
    for exact in [true, false] {
        for (at, part) in parts.iter().enumerate() {
            if part.section == Section::Pseudocode && part.exact == exact {
                let (steps, used) = steps_of(part, fences, options);
                if steps.is_some() {
                    return (steps, used.map(|item| (at, item)));
                }
            }
        }
    }
    // A block that calls itself pseudocode.
    for (at, part) in parts.iter().enumerate() {
        if let Some((item, fence)) = fences_of(part).find(|(_, fence)| fence.is_pseudocode()) {
            let steps = steps::either(&fence.lines);
            if !steps.is_empty() {
                return (Some(steps), Some((at, item)));
            }
        }
    }
    // A list of steps before the code, without a heading: numbered, for bullets in an introduction
    // are as often facts as steps.
    let openings = parts.iter().take_while(|part| {
        part.section == Section::Preamble || part.section == Section::Problem && part.exact
    });
    for part in openings {
        let before_code = part.items.iter().take_while(|item| matches!(item, Item::Line(_)));
        let lines: Vec<&str> = before_code.filter_map(line_of).collect();
        let comment = |line: &str| line.starts_with("    ") && line.trim_start().starts_with('#');
        let numbered = |line: &&str| steps::is_numbered(line) && !comment(line);
        // One number before a block is as often the first of several parts with a block each.
        let enough = if lines.len() == part.items.len() { 1 } else { 2 };
        if lines.iter().filter(|line| numbered(line)).count() >= enough {
            let first = lines.iter().position(numbered).unwrap_or_default();
            let steps = steps::marked(&lines[first..]);
            if !steps.is_empty() {
                return (Some(steps), None);
            }
        }
        if part.section == Section::Preamble && options.parts == Parts::Pseudocode {
            let steps = steps::marked(&lines);
            if !steps.is_empty() {
                return (Some(steps), None);
            }
        }
    }
    if options.parts == Parts::Pseudocode {
        // Nothing but steps was asked for: any list will do.
        for part in parts.iter().skip(1) {
            let lines: Vec<&str> = part.items.iter().filter_map(line_of).collect();
            let steps = steps::marked(&lines);
            if !steps.is_empty() {
                return (Some(steps), None);
            }
        }
    }
    (None, None)
}

fn line_of<'a>(item: &Item<'a>) -> Option<&'a str> {
    match item {
        Item::Line(line) => Some(line),
        Item::Fence(_) => None,
    }
}

fn fences_of<'p, 'a>(part: &'p Part<'a>) -> impl Iterator<Item = (usize, &'p Fence<'a>)> {
    part.items.iter().enumerate().filter_map(|(at, item)| match item {
        Item::Fence(fence) => Some((at, fence)),
        Item::Line(_) => None,
    })
}

/// The steps of a Pseudocode section: its list, or its block. A block after a list is the code, and
/// so is a labelled one that is the only block of the reply.
fn steps_of(
    part: &Part<'_>,
    fences: usize,
    options: &ParseOptions,
) -> (Option<Pseudocode>, Option<usize>) {
    let all: Vec<&str> = part.items.iter().filter_map(line_of).collect();
    let list = steps::marked(&all);
    let found = |steps: Pseudocode| (!steps.is_empty()).then_some(steps);
    if !list.is_empty() {
        return (found(list), None);
    }
    let table = steps::table(&all);
    if !table.is_empty() {
        return (found(table), None);
    }
    let block = fences_of(part).find(|(_, fence)| {
        let code = fence.language().is_some() && options.parts != Parts::Pseudocode;
        !code || fences > 1
    });
    if let Some((at, fence)) = block {
        let steps = steps::either(&fence.lines);
        if !steps.is_empty() {
            return (found(steps), Some(at));
        }
    }
    (found(steps::either(&all)), None)
}

/// The best block, or the text of a Code section without a fence.
fn find_code(
    outline: &Outline<'_>,
    options: &ParseOptions,
    used: Option<Place>,
) -> Option<Candidate> {
    let mut candidates = Vec::new();
    for (at, part) in outline.parts.iter().enumerate() {
        let in_code = part.section == Section::Code;
        for (item, fence) in fences_of(part) {
            if used == Some((at, item)) || fence.is_pseudocode() {
                continue;
            }
            let language = fence.language();
            let foreign = language.is_none()
                && !matches!(fence.info.as_str(), "" | "text" | "txt" | "plaintext" | "code");
            if candidates.len() == code::MOST {
                break;
            }
            let text = dedented(&fence.lines);
            candidates.push(Candidate { text, language, foreign, in_code });
        }
        let room = candidates.len() < code::MOST;
        if room && in_code && fences_of(part).next().is_none() {
            let lines: Vec<&str> = part.items.iter().filter_map(line_of).collect();
            let text = unfenced(&lines, options.language);
            candidates.push(Candidate { text, language: None, foreign: false, in_code });
        }
    }
    if candidates.is_empty()
        && options.parts != Parts::Pseudocode
        && let Some(language) = options.language
    {
        candidates.extend(bare_body(outline, language).or_else(|| unannounced(outline, language)));
    }
    code::choose(candidates, options.language, options.entry_point.as_deref())
}

/// A function that stands in the prose without heading or fence, where a reply holds no other code:
/// from a line that looks like code to the end of its section, if that parses.
fn unannounced(outline: &Outline<'_>, language: Language) -> Option<Candidate> {
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
fn bare_body(outline: &Outline<'_>, language: Language) -> Option<Candidate> {
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
fn unfenced(lines: &[&str], language: Option<Language>) -> String {
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
fn dedented(lines: &[&str]) -> String {
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
