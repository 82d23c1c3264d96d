//! The offline teacher: the plan of known code, from its syntax tree.

use distill_core::{Completion, Reply, Request, Teacher, TeacherError};
use verbaliser::{Coverage, verbalise};

/// Writes the plan of each problem's reference code by rule; needs no model and no network, and
/// always answers the same.
///
/// It reads `problem.reference` and not the messages, so ask it with [`Direction::Backward`], whose
/// messages hold the same code: then the request's key names the code and a reply log stays right.
///
/// [`Direction::Backward`]: crate::Direction::Backward
#[derive(Debug, Clone, Copy, Default)]
pub struct Verbaliser;

impl Verbaliser {
    /// Its name, and the model to ask for: with the version of its rules, so that the log of an
    /// older version is not taken for its own.
    pub const NAME: &'static str = concat!("verbaliser-", env!("CARGO_PKG_VERSION"));

    /// How much of the code had rules, from a completion's (or logged reply's) `raw` text; none for
    /// another teacher's.
    pub fn coverage(raw: &str) -> Option<Coverage> {
        serde_json::from_str(raw).ok()
    }

    fn answer(&self, request: &Request) -> Result<Completion, TeacherError> {
        let problem = &request.problem;
        let unsupported = |reason: String| TeacherError::Unsupported {
            teacher: Verbaliser::NAME.into(),
            problem: problem.id.clone(),
            reason,
        };
        let code = problem.reference.as_deref().filter(|code| !code.trim().is_empty());
        let code = code.ok_or_else(|| unsupported("it has no reference code".into()))?;
        let shown = request.messages.iter().any(|message| message.content.contains(code.trim()));
        if !request.messages.is_empty() && !shown {
            let reason =
                "the messages do not hold the reference code: ask with Direction::Backward";
            return Err(unsupported(reason.into()));
        }
        let verbalised =
            verbalise(problem.language, code).map_err(|error| unsupported(error.to_string()))?;
        let text = format!(
            "Pseudocode:\n{}\nCode:\n```{}\n{}\n```",
            verbalised.pseudocode,
            problem.language.name(),
            code.trim_end()
        );
        let raw = serde_json::to_string(&verbalised.report)
            .map_err(|error| TeacherError::Local(error.to_string()))?;
        Ok(Completion { text, finish_reason: Some("stop".into()), usage: None, raw })
    }
}

impl Teacher for Verbaliser {
    fn name(&self) -> &str {
        Verbaliser::NAME
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(std::future::ready(self.answer(request)))
    }
}
