//! From a reply to steps and code.
//!
//! Models answer in many dresses: headings in bold or with hashes, in another script or missing,
//! steps numbered in a dozen ways, fences with and without a language, code without a fence,
//! reasoning in `<think>` tags, tags or quotation marks around everything, prose in between.
//! [`parse_reply`] takes the dress off ([`dress`]), reads a JSON object as one ([`object`]), and
//! anything else in three passes, none of which recurses: lines into sections and fences
//! ([`outline`]), a section into steps ([`plan`], [`steps`]), and from all blocks the one that is the
//! code ([`code`], [`unfenced`]). Time and memory are linear in the length of the reply, of which the
//! first [`LONGEST_REPLY`] bytes are read.

mod code;
mod dress;
mod heading;
mod object;
mod outline;
mod plan;
mod steps;
mod unfenced;

use code_syntax::Language;
use distill_core::Pseudocode;
use serde::Serialize;

use crate::body::read_completion;
use crate::{Direction, Verdict};

use code::find_code;
pub(crate) use code::{Defined, same_family, snippet};
use heading::Section;
use outline::Outline;
use plan::{find_pseudocode, plan_above};

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
    /// How many parameters it must take, receiver aside, where that is known; see [`parameters_of`].
    pub parameters: Option<usize>,
    /// What the reply was asked to hold.
    pub parts: Parts,
}

/// How many parameters the function of this name takes in `code`; none where it is not defined there.
/// Optional ones count, a receiver (Python's `self`, Go's) does not.
///
/// ```
/// use distill_core::Language;
///
/// let code = "class A:\n    def f(self, a, b=1): pass";
/// assert_eq!(teacher_prompt::parameters_of(Language::Python, code, "A.f"), Some(2));
/// ```
pub fn parameters_of(language: Language, code: &str, entry_point: &str) -> Option<usize> {
    Defined::find(language, &snippet(language, code)?, entry_point).parameters
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
