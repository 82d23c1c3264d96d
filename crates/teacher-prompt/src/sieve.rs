//! Which lessons stay: judged against each other and against texts that must stay unseen.

use code_corpus::minhash::NearDuplicates;
use code_corpus::{Close, HeldOut, Unseen};
use distill_core::{Language, Lesson};
use serde::{Deserialize, Serialize};

use crate::{Error, Verdict};

/// What lessons are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SieveOptions {
    /// Jaccard similarity of code, in (0, 1], from which a lesson is a near duplicate of an earlier
    /// one; none compares nothing. Estimated by MinHash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicates: Option<f64>,
    /// Tokens in a shingle for that.
    pub shingle: usize,
    /// Texts that lessons must not come close to: test files by name, and what close means.
    pub held_out: HeldOut,
}

impl Default for SieveOptions {
    /// No comparison; shingles of 5 tokens.
    fn default() -> SieveOptions {
        SieveOptions { near_duplicates: None, shingle: 5, held_out: HeldOut::default() }
    }
}

/// Judges lessons in the order in which they come; what [`Filter`](crate::Filter) is to a single
/// reply.
///
/// Memory: the n-grams of the held-out texts, and about 1 kB a lesson where near duplicates are
/// looked for.
///
/// ```
/// use distill_core::{Language, Lesson, Pseudocode, Solution};
/// use teacher_prompt::{Sieve, SieveOptions, Verdict};
///
/// let options = SieveOptions { near_duplicates: Some(0.8), ..SieveOptions::default() };
/// let mut sieve = Sieve::new(&options, [Language::Python])?;
/// # let lesson = |id: &str| Lesson {
/// #     id: id.into(),
/// #     language: Language::Python,
/// #     query: "Add up a list.".into(),
/// #     solution: Solution {
/// #         pseudocode: Pseudocode::from_text("1. return the sum").unwrap(),
/// #         code: "def f(values):\n    return sum(values)".into(),
/// #     },
/// #     teacher: String::new(),
/// #     reply: String::new(),
/// #     extra: Default::default(),
/// # };
/// assert_eq!(sieve.check(&lesson("a")).0, Verdict::Ok);
/// let (verdict, reason) = sieve.check(&lesson("b"));
/// assert_eq!((verdict, reason.as_str()), (Verdict::NearDuplicate, "its code is nearly that of a"));
/// # Ok::<(), teacher_prompt::Error>(())
/// ```
#[derive(Debug)]
pub struct Sieve {
    unseen: Unseen,
    seen: Option<NearDuplicates>,
    /// Of the lessons given to `seen`, in order.
    ids: Vec<String>,
}

impl Sieve {
    /// A sieve for lessons in these languages. Reads the held-out files.
    ///
    /// # Errors
    /// [`Error::HeldOut`] for a setting outside its range and for files that cannot be read.
    pub fn new(
        options: &SieveOptions,
        languages: impl IntoIterator<Item = Language>,
    ) -> Result<Sieve, Error> {
        let unseen = Unseen::new(&options.held_out, languages)?;
        let near = |threshold| NearDuplicates::new(threshold, options.shingle);
        let seen = options.near_duplicates.map(near).transpose()?;
        Ok(Sieve { unseen, seen, ids: Vec::new() })
    }

    /// The verdict on the next lesson, with the reason where it is not `ok`. A lesson that is not
    /// `ok` is no original of later duplicates.
    pub fn check(&mut self, lesson: &Lesson) -> (Verdict, String) {
        let code = &lesson.solution.code;
        let code_is = self.unseen.close(lesson.language, code);
        let close = match (code_is, self.unseen.close_prose(&lesson.query)) {
            (Some(Close::Ngrams(share)), _) => {
                format!("{:.0} % of its code's n-grams are in the held-out texts", 100.0 * share)
            }
            (Some(Close::Shape), _) => "its code has the syntax tree of a held-out text".into(),
            (None, Some(Close::Ngrams(share))) => {
                format!("{:.0} % of its query's n-grams are in the held-out texts", 100.0 * share)
            }
            _ => String::new(),
        };
        if !close.is_empty() {
            return (Verdict::Contaminated, close);
        }
        if let Some(seen) = &mut self.seen {
            self.ids.push(lesson.id.clone());
            if let Some(original) = seen.add(lesson.language, code) {
                let reason = format!("its code is nearly that of {}", self.ids[original]);
                return (Verdict::NearDuplicate, reason);
            }
        }
        (Verdict::Ok, String::new())
    }
}

#[cfg(test)]
mod tests {
    use distill_core::{Pseudocode, Solution};

    use super::*;

    fn lesson(id: &str, query: &str, code: &str) -> Lesson {
        Lesson {
            id: id.into(),
            language: Language::Python,
            query: query.into(),
            solution: Solution { pseudocode: Pseudocode::default(), code: code.into() },
            teacher: String::new(),
            reply: String::new(),
            extra: Default::default(),
        }
    }

    const HELD_OUT: &str = "def below(values, limit):\n    found = []\n    for value in values:\n        if value < limit:\n            found.append(value)\n    return found";

    #[test]
    fn what_is_close_to_a_named_file_is_told_by_words_and_by_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.jsonl");
        let query =
            "Return all values of the list that are smaller than the given limit, in order.";
        let record = serde_json::json!({"prompt": query, "canonical_solution": HELD_OUT});
        std::fs::write(&path, format!("{record}\n")).unwrap();
        let held_out = HeldOut { files: vec![path.clone()], min_nodes: 20, ..HeldOut::default() };
        let options = SieveOptions { held_out, ..SieveOptions::default() };
        let mut sieve = Sieve::new(&options, [Language::Python]).unwrap();
        let mut check = |query: &str, code: &str| sieve.check(&lesson("a", query, code));

        let copy = HELD_OUT.replace("below", "f");
        let (verdict, reason) = check("x", &copy);
        assert_eq!(verdict, Verdict::Contaminated);
        assert!(reason.contains("code's n-grams"), "{reason}");
        let renamed = HELD_OUT
            .replace("values", "xs")
            .replace("value", "x")
            .replace("limit", "most")
            .replace("found", "out");
        assert!(check("x", &renamed).1.contains("syntax tree"), "{}", check("x", &renamed).1);
        let other = "def g(a):\n    return a + 1";
        assert!(check(query, other).1.contains("query's n-grams"));
        assert_eq!(check("Add one to a number.", other).0, Verdict::Ok);

        std::fs::write(&path, "no json").unwrap();
        let error = Sieve::new(&options, [Language::Python]).unwrap_err().to_string();
        assert!(error.contains("test.jsonl:1"), "{error}");
    }

    #[test]
    fn only_lessons_that_stay_have_duplicates() {
        let held_out = HeldOut { texts: vec![HELD_OUT.into()], ..HeldOut::default() };
        let options =
            SieveOptions { near_duplicates: Some(0.9), held_out, ..SieveOptions::default() };
        let mut sieve = Sieve::new(&options, [Language::Python]).unwrap();
        let code = "def g(a):\n    return a + 1";
        let verdicts: Vec<Verdict> = [HELD_OUT, HELD_OUT, code, code, "def h():\n    pass"]
            .iter()
            .map(|code| sieve.check(&lesson("a", "q", code)).0)
            .collect();
        use Verdict::*;
        assert_eq!(verdicts, [Contaminated, Contaminated, Ok, NearDuplicate, Ok]);
    }
}
