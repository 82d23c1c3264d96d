//! The offline teachers: the plan of known code, from its syntax tree or as its corpus gives it.

use distill_core::{Completion, Pseudocode, Reply, Request, Teacher, TeacherError};
use serde::Deserialize;
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
        let code = known_code(Verbaliser::NAME, request)?;
        let verbalised = verbalise(request.problem.language, code)
            .map_err(|error| unsupported(Verbaliser::NAME, request, error.to_string()))?;
        let raw = serde_json::to_string(&verbalised.report)
            .map_err(|error| TeacherError::Local(error.to_string()))?;
        Ok(completion(&verbalised.pseudocode, request, code, raw))
    }
}

fn unsupported(teacher: &str, request: &Request, reason: String) -> TeacherError {
    let problem = request.problem.id.clone();
    TeacherError::Unsupported { teacher: teacher.to_owned(), problem, reason }
}

/// The problem's reference, which the messages must hold: they make the key of a reply log.
fn known_code<'a>(teacher: &str, request: &'a Request) -> Result<&'a str, TeacherError> {
    let code = request.problem.reference.as_deref().filter(|code| !code.trim().is_empty());
    let code =
        code.ok_or_else(|| unsupported(teacher, request, "it has no reference code".into()))?;
    let shown = request.messages.iter().any(|message| message.content.contains(code.trim()));
    if !request.messages.is_empty() && !shown {
        let reason = "the messages do not hold the reference code: ask with Direction::Backward";
        return Err(unsupported(teacher, request, reason.into()));
    }
    Ok(code)
}

fn completion(plan: &Pseudocode, request: &Request, code: &str, raw: String) -> Completion {
    let text = format!(
        "Pseudocode:\n{plan}\nCode:\n```{}\n{}\n```",
        request.problem.language.name(),
        code.trim_end()
    );
    Completion { text, finish_reason: Some("stop".into()), usage: None, raw }
}

/// Gives the plan that the corpus itself has for a problem, in its field `pseudocode`, as the corpora of
/// `code_corpus::controlled` do: a list of steps, as in a lesson. For all else as [`Verbaliser`].
#[derive(Debug, Clone, Copy, Default)]
pub struct FromCorpus;

impl FromCorpus {
    /// Its name, and the model to ask for.
    pub const NAME: &'static str = "corpus";

    /// The field of a problem that holds its plan.
    pub const FIELD: &'static str = "pseudocode";

    fn answer(&self, request: &Request) -> Result<Completion, TeacherError> {
        let code = known_code(FromCorpus::NAME, request)?;
        let wrong = |reason: String| {
            let reason = format!("its field {:?}: {reason}", FromCorpus::FIELD);
            unsupported(FromCorpus::NAME, request, reason)
        };
        let field = request.problem.extra.get(FromCorpus::FIELD);
        let field = field.ok_or_else(|| wrong("not there".into()))?;
        let plan = Pseudocode::deserialize(field).map_err(|error| wrong(error.to_string()))?;
        Ok(completion(&plan, request, code, String::new()))
    }
}

impl Teacher for FromCorpus {
    fn name(&self) -> &str {
        FromCorpus::NAME
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(std::future::ready(self.answer(request)))
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

#[cfg(test)]
mod tests {
    use distill_core::{Language, Problem, Sampling};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_corpus_s_plan_is_given_as_it_is() {
        let ask = |plan: Option<serde_json::Value>| {
            let mut problem = Problem::new("p", Language::Python, "Add two numbers.");
            problem.reference = Some("def f(a, b):\n    return a + b\n".into());
            problem.extra.extend(plan.map(|plan| ("pseudocode".to_owned(), plan)));
            FromCorpus.answer(&Request {
                model: FromCorpus::NAME.into(),
                messages: Vec::new(),
                sampling: Sampling::default(),
                sample_index: 0,
                template_hash: String::new(),
                problem,
            })
        };
        let text = ask(Some(json!(["add a and b", "  to get c"]))).unwrap().text;
        assert!(text.starts_with("Pseudocode:\n1. add a and b\n   1.1. to get c\nCode:"), "{text}");
        for plan in [None, Some(json!("add")), Some(json!([1]))] {
            let error = ask(plan).unwrap_err().to_string();
            assert!(error.contains("problem p") && error.contains("\"pseudocode\""), "{error}");
        }
    }
}
