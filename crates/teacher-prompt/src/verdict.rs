//! What became of a reply.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of a reply: taken, or the one reason why not.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It holds what was asked for and passed every filter.
    #[default]
    Ok,
    /// It is blank.
    Empty,
    /// It ends inside its `<think>` block.
    OnlyReasoning,
    /// It holds neither pseudocode nor code.
    Neither,
    /// It holds no pseudocode.
    NoPseudocode,
    /// It holds no code.
    NoCode,
    /// The server stopped it at the token limit, or withheld it.
    CutShort,
    /// The code is in another language than asked for.
    WrongLanguage,
    /// The code has a syntax error.
    SyntaxError,
    /// The code does not define the function asked for.
    NoEntryPoint,
    /// The function takes another number of parameters than asked for.
    WrongSignature,
    /// Fewer steps than wanted.
    TooFewSteps,
    /// More steps than wanted.
    TooManySteps,
    /// A step longer than wanted.
    StepTooLong,
    /// The code is shorter than wanted.
    CodeTooShort,
    /// The code is longer than wanted.
    CodeTooLong,
    /// The steps are written in another script than wanted.
    OtherProse,
    /// The lesson is close to a text that must stay unseen.
    Contaminated,
    /// The code is nearly that of an earlier lesson.
    NearDuplicate,
    /// The code fails the problem's own tests.
    TestsFailed,
    /// The problem has no reference code, which backward reasoning needs.
    NoReference,
    /// The teacher cannot answer this kind of problem.
    Unsupported,
    /// The log that is replayed holds no reply.
    NotLogged,
    /// The server refused this request, and will again.
    Refused,
    /// The server failed too often; another run asks again.
    Failed,
}

impl Verdict {
    /// Its name in records and tables, for example `no_code`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Empty => "empty",
            Verdict::OnlyReasoning => "only_reasoning",
            Verdict::Neither => "neither",
            Verdict::NoPseudocode => "no_pseudocode",
            Verdict::NoCode => "no_code",
            Verdict::CutShort => "cut_short",
            Verdict::WrongLanguage => "wrong_language",
            Verdict::SyntaxError => "syntax_error",
            Verdict::NoEntryPoint => "no_entry_point",
            Verdict::WrongSignature => "wrong_signature",
            Verdict::TooFewSteps => "too_few_steps",
            Verdict::TooManySteps => "too_many_steps",
            Verdict::StepTooLong => "step_too_long",
            Verdict::CodeTooShort => "code_too_short",
            Verdict::CodeTooLong => "code_too_long",
            Verdict::OtherProse => "other_prose",
            Verdict::Contaminated => "contaminated",
            Verdict::NearDuplicate => "near_duplicate",
            Verdict::TestsFailed => "tests_failed",
            Verdict::NoReference => "no_reference",
            Verdict::Unsupported => "unsupported",
            Verdict::NotLogged => "not_logged",
            Verdict::Refused => "refused",
            Verdict::Failed => "failed",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
