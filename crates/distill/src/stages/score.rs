//! Answers beside their references.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use codebleu::{PairScore, Scorer, Scores, Variant};
use distill_core::{Answer, Language, Mode, Problem, jsonl};
use pass_at_k::{Candidate, Judge, Outcome, Verdict};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::read_json;
use crate::{DistillError, Result, Run};

/// What `answers.json` says once every problem is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswersDone {
    /// Problems that each student answered.
    pub problems: usize,
    /// Records in `answers.jsonl`.
    pub answers: usize,
}

/// The score of one answer, a line of `scores.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRecord {
    /// The problem's id.
    pub problem: String,
    /// Which student answered.
    pub arm: String,
    /// How the answer was decoded.
    pub mode: Mode,
    /// 1 for the student's best answer, then 2, …
    pub rank: usize,
    /// Whether it equals the reference, blanks at the ends of lines and empty lines apart.
    pub exact: bool,
    /// Whether it parses without error and holds anything.
    pub parses: bool,
    /// Whether the problem's own tests pass, where they were run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<bool>,
    /// CodeBLEU as the paper defines it, its components and their counts.
    #[serde(flatten)]
    pub score: PairScore,
    /// Under other variants, by their names: as the published program computes it, and mended.
    #[serde(default)]
    pub variants: BTreeMap<String, Scores>,
}

/// The variants beside the paper's.
const OTHERS: [Variant; 2] = [Variant::K4black, Variant::Fixed];

/// Scores every answer with the paper's variant of CodeBLEU, and with the published and the mended one;
/// where the configuration asks for it, `judge` runs the problems' own tests on the best answers.
///
/// # Errors
/// [`DistillError::Order`] before there are answers; [`DistillError::Config`] where tests are to be run
/// and there is no judge; whatever keeps an answer from being scored.
pub fn score(run: &Run<'_>, judge: Option<&Judge>) -> Result<()> {
    if run.folder.scores().exists() {
        return Ok(());
    }
    let tested = run.config.answers.run_tests;
    if tested > 0 && judge.is_none() {
        return Err(DistillError::Config(
            "answers.run_tests asks for tests to be run, and nothing was given to run them".into(),
        ));
    }
    let done = run.require("score", run.folder.answers_done(), "answer")?;
    let AnswersDone { answers: expected, .. } = read_json(&done)?;
    run.stage("score", || {
        let problems: Vec<Problem> = jsonl::read_all(&run.folder.problems("test"))?;
        let answers: Vec<Answer> = jsonl::read_all(&run.folder.answers())?;
        if answers.len() != expected {
            return Err(DistillError::Nothing(format!(
                "{} holds {} answers where {} says {expected}",
                run.folder.answers().display(),
                answers.len(),
                done.display(),
            )));
        }
        run.progress.start("score", Some(answers.len() as u64), "answers");
        let mut records = score_answers(run, &answers, &problems)?;
        let mut outcome = format!("{} answers", records.len());
        if let Some(judge) = judge.filter(|_| tested > 0) {
            outcome += &format!(", {}", run_tests(run, judge, &answers, &problems, &mut records)?);
        }
        jsonl::write_all(&run.folder.scores(), &records)?;
        Ok(outcome)
    })
}

/// Runs the tests of the problems that carry some on the answers up to the configured rank, the same
/// code to the same problem once, and says what came out. An answer whose program could not be run
/// stays untested.
fn run_tests(
    run: &Run<'_>,
    judge: &Judge,
    answers: &[Answer],
    problems: &[Problem],
    records: &mut [ScoreRecord],
) -> Result<String> {
    let problems: HashMap<&str, &Problem> =
        problems.iter().map(|problem| (problem.id.as_str(), problem)).collect();
    let mut candidates: BTreeMap<(&str, &str), Candidate> = BTreeMap::new();
    for answer in answers.iter().filter(|answer| answer.rank <= run.config.answers.run_tests) {
        let Some(problem) = problems.get(answer.problem.as_str()) else { continue };
        let text = |field: &str| problem.extra.get(field).and_then(Value::as_str);
        let Some(test) = text("test") else { continue };
        let code = answer.solution.code.as_str();
        candidates.entry((&answer.problem, code)).or_insert_with(|| Candidate {
            language: problem.language.to_string(),
            prompt: text("prompt").unwrap_or_default().to_owned(),
            completion: code.to_owned(),
            test: test.to_owned(),
            entry_point: problem.entry_point.clone(),
        });
    }
    run.progress.start("test", Some(candidates.len() as u64), "programs");
    let done = AtomicU64::new(0);
    let candidates: Vec<((&str, &str), Candidate)> = candidates.into_iter().collect();
    let verdicts = candidates.par_iter().map(|(key, candidate)| {
        run.check_stop()?;
        let verdict = judge.judge(candidate);
        run.progress.update(done.fetch_add(1, Ordering::Relaxed) + 1, "");
        Ok((*key, verdict))
    });
    let verdicts: Vec<((&str, &str), Verdict)> = verdicts.collect::<Result<_>>()?;
    let verdicts: BTreeMap<(&str, &str), Verdict> = verdicts.into_iter().collect();
    for (answer, record) in answers.iter().zip(records) {
        if answer.rank <= run.config.answers.run_tests
            && let Some(verdict) =
                verdicts.get(&(answer.problem.as_str(), answer.solution.code.as_str()))
        {
            record.tested = match verdict.outcome {
                Outcome::Refused => None,
                outcome => Some(outcome == Outcome::Passed),
            };
        }
    }
    let refused = verdicts.values().filter(|verdict| verdict.outcome == Outcome::Refused);
    let refused: Vec<&Verdict> = refused.collect();
    let mut outcome = format!("{} programs run with their tests", verdicts.len() - refused.len());
    if let Some(first) = refused.first() {
        outcome += &format!(", {} could not be, for example: {}", refused.len(), first.reason);
    }
    Ok(outcome)
}

/// Scores these answers to some of these problems, in parallel.
pub(crate) fn score_answers(
    run: &Run<'_>,
    answers: &[Answer],
    problems: &[Problem],
) -> Result<Vec<ScoreRecord>> {
    let problems: HashMap<&str, &Problem> =
        problems.iter().map(|problem| (problem.id.as_str(), problem)).collect();
    let scorers = scorers(&problems)?;
    let done = AtomicU64::new(0);
    let records = answers.par_iter().map(|answer| {
        run.check_stop()?;
        let record = score_one(answer, &problems, &scorers)?;
        run.progress.update(done.fetch_add(1, Ordering::Relaxed) + 1, "");
        Ok(record)
    });
    records.collect()
}

/// The scorers of a language: the paper's, and the others.
struct Scorers {
    paper: Scorer,
    others: Vec<Scorer>,
}

/// The scorers of each language of the problems.
fn scorers(problems: &HashMap<&str, &Problem>) -> Result<HashMap<Language, Scorers>> {
    let mut scorers = HashMap::new();
    for problem in problems.values() {
        if let Entry::Vacant(entry) = scorers.entry(problem.language) {
            let language = problem.language;
            let new = |variant| {
                let scorer = Scorer::new(language, variant);
                scorer.map_err(|source| DistillError::Score { what: language.to_string(), source })
            };
            let others = OTHERS.into_iter().filter(|variant| variant.knows(language)).map(new);
            let others = others.collect::<Result<_>>()?;
            entry.insert(Scorers { paper: new(Variant::Paper)?, others });
        }
    }
    Ok(scorers)
}

fn score_one(
    answer: &Answer,
    problems: &HashMap<&str, &Problem>,
    scorers: &HashMap<Language, Scorers>,
) -> Result<ScoreRecord> {
    let what =
        || format!("{} of {} ({}, rank {})", answer.problem, answer.arm, answer.mode, answer.rank);
    let (problem, reference) = problems
        .get(answer.problem.as_str())
        .and_then(|problem| Some((problem, problem.reference.as_deref()?)))
        .ok_or_else(|| DistillError::Nothing(format!("{}: no reference to score by", what())))?;
    let code = &answer.solution.code;
    let Scorers { paper, others } = &scorers[&problem.language];
    let score = |scorer: &Scorer| {
        let score = scorer.score(&[reference], code);
        score.map_err(|source| DistillError::Score { what: what(), source })
    };
    let variants = others
        .iter()
        .map(|scorer| Ok((scorer.variant().name().to_owned(), score(scorer)?.scores)))
        .collect::<Result<_>>()?;
    let parses = code_syntax::snippet::parses(problem.language, code)
        .map_err(|source| DistillError::Score { what: what(), source: source.into() })?;
    Ok(ScoreRecord {
        problem: answer.problem.clone(),
        arm: answer.arm.clone(),
        mode: answer.mode,
        rank: answer.rank,
        exact: same_code(reference, code),
        parses: parses && !code.trim().is_empty(),
        tested: None,
        score: score(paper)?,
        variants,
    })
}

/// Whether two texts are the same code, blanks at the ends of lines and empty lines apart.
fn same_code(one: &str, two: &str) -> bool {
    let lines = |text: &'_ str| -> Vec<String> {
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    };
    lines(one) == lines(two)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_match_keeps_indentation_and_forgets_trailing_blanks() {
        assert!(same_code("def f():\n    return 1\n", "def f():  \n\n    return 1"));
        assert!(!same_code("def f():\n    return 1\n", "def f():\n  return 1\n"));
        assert!(!same_code("return 1", "return 2"));
    }
}
