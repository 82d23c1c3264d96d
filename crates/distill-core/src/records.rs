//! The records between the stages, each one line of a JSONL file.
//!
//! Fields that a reader does not know are kept (`extra`) and written back.

use code_syntax::Language;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Mode, Pseudocode};

/// A natural-language problem, with the code known to solve it where the corpus has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Unique in its corpus.
    pub id: String,
    /// The language in which an answer is wanted.
    pub language: Language,
    /// What is asked for, in prose.
    pub query: String,
    /// Code known to solve it, without comments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Name of the function to define.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<String>,
    /// Where it comes from: a file's path, or repository and path. Problems of one source stay on
    /// one side of a split.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Everything else that the corpus says about it.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Problem {
    /// A problem with nothing but a query.
    pub fn new(id: impl Into<String>, language: Language, query: impl Into<String>) -> Problem {
        Problem {
            id: id.into(),
            language,
            query: query.into(),
            reference: None,
            entry_point: None,
            source: String::new(),
            extra: Map::new(),
        }
    }
}

/// What teacher and student both write: pseudocode, then code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// The numbered plan; empty where none was asked for.
    #[serde(default)]
    pub pseudocode: Pseudocode,
    /// The program.
    pub code: String,
}

/// A problem and its teacher's solution: what a student learns from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// The problem's id.
    pub id: String,
    /// The problem's language.
    pub language: Language,
    /// The problem's query.
    pub query: String,
    /// The teacher's solution.
    #[serde(flatten)]
    pub solution: Solution,
    /// The teacher's name.
    #[serde(default)]
    pub teacher: String,
    /// Key of the reply that the solution was read from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reply: String,
    /// Everything else: provenance, token counts, filter verdicts.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One answer of a student to a problem of the test split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The problem's id.
    pub problem: String,
    /// Which student answered, for example `distilled`.
    pub arm: String,
    /// How the answer was decoded.
    pub mode: Mode,
    /// 1 for the best answer, then 2, …
    pub rank: usize,
    /// The answer.
    #[serde(flatten)]
    pub solution: Solution,
    /// Natural logarithm of the probability of the code, normalised as the decoder does.
    pub log_probability: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_survive_a_round_trip() {
        let line = r#"{"id":"a","language":"python","query":"q","source":"x.py","stars":[1,2]}"#;
        let problem: Problem = serde_json::from_str(line).unwrap();
        assert_eq!(problem.extra["stars"], serde_json::json!([1, 2]));
        assert_eq!(serde_json::to_string(&problem).unwrap(), line);
    }

    #[test]
    fn a_lesson_is_a_flat_record() {
        let line = r#"{"id":"a","language":"go","query":"q","pseudocode":["x","  y"],"code":"c","teacher":"t","cost":1.5}"#;
        let lesson: Lesson = serde_json::from_str(line).unwrap();
        assert_eq!(lesson.solution.pseudocode.steps()[1].depth, 1);
        assert_eq!(serde_json::to_string(&lesson).unwrap(), line);
    }
}
