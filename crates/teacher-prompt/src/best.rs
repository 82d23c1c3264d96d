//! Plan sampling: of several lessons on one problem, the best.
//!
//! [`Teaching::samples`](crate::Teaching::samples) draws them problem by problem. To draw them with
//! [`PromptBuilder::sample_index`](crate::PromptBuilder::sample_index), one run for each index, costs
//! more memory, and every problem has had as many samples as every other whenever a budget ends.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::process::{Command, Stdio};

use distill_core::Lesson;

use crate::Error;

/// How good each of several lessons on one problem is.
pub trait Judge: Send + Sync {
    /// Its name in records.
    fn name(&self) -> &str;

    /// A score a lesson, the higher the better; NaN for one that is not to be taken. All lessons are
    /// on one problem, and shown together so that they can be compared.
    ///
    /// # Errors
    /// [`Error::Score`], [`Error::Execute`] where there is no score to be had.
    fn score(&self, lessons: &[Lesson]) -> Result<Vec<f64>, Error>;
}

/// Which of these lessons is the best, and its score; of equals the first. None of none, or where no
/// score is a number.
///
/// # Errors
/// Those of the judge, and [`Error::Score`] for another number of scores than of lessons.
pub fn best_of(lessons: &[Lesson], judge: &dyn Judge) -> Result<Option<(usize, f64)>, Error> {
    let Some(first) = lessons.first() else { return Ok(None) };
    let scores = judge.score(lessons)?;
    if scores.len() != lessons.len() {
        return Err(Error::Score {
            judge: judge.name().to_owned(),
            problem: first.id.clone(),
            reason: format!("{} scores for {} lessons", scores.len(), lessons.len()),
        });
    }
    let mut best: Option<(usize, f64)> = None;
    for (at, score) in scores.into_iter().enumerate().filter(|(_, score)| !score.is_nan()) {
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((at, score));
        }
    }
    Ok(best)
}

/// The plan that agrees most with the others: the mean, over the other samples, of the F1 of their
/// words. What most samples say is more likely right (minimum Bayes risk with words as the loss).
/// Needs no model; quadratic in the number of samples.
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreement;

impl Judge for Agreement {
    fn name(&self) -> &str {
        "agreement"
    }

    fn score(&self, lessons: &[Lesson]) -> Result<Vec<f64>, Error> {
        let texts: Vec<String> = lessons
            .iter()
            .map(|lesson| lesson.solution.pseudocode.to_string().to_lowercase())
            .collect();
        let bags: Vec<HashMap<&str, usize>> = texts.iter().map(|text| bag(text)).collect();
        let mean = |one: usize| {
            let others = bags.iter().enumerate().filter(|(other, _)| *other != one);
            let sum: f64 = others.map(|(_, other)| f1(&bags[one], other)).sum();
            sum / (bags.len() - 1).max(1) as f64
        };
        Ok((0..bags.len()).map(mean).collect())
    }
}

fn bag(text: &str) -> HashMap<&str, usize> {
    let mut bag = HashMap::new();
    for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()) {
        *bag.entry(word).or_default() += 1;
    }
    bag
}

fn f1(a: &HashMap<&str, usize>, b: &HashMap<&str, usize>) -> f64 {
    let shared: usize = a.iter().map(|(word, count)| *count.min(b.get(word).unwrap_or(&0))).sum();
    let all: usize = a.values().chain(b.values()).sum();
    if all == 0 { 0.0 } else { 2.0 * shared as f64 / all as f64 }
}

/// The plan that names most of its own code: the share of the code's identifiers that the plan
/// mentions. Cheap, and it tells a plan of this code from a plan of anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mentions;

impl Judge for Mentions {
    fn name(&self) -> &str {
        "mentions"
    }

    fn score(&self, lessons: &[Lesson]) -> Result<Vec<f64>, Error> {
        let score = |lesson: &Lesson| {
            let keywords = lesson.language.keywords();
            let names: HashSet<&str> = code_corpus::tokens::words(&lesson.solution.code)
                .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
                .filter(|word| !keywords.contains(word))
                .collect();
            let plan = lesson.solution.pseudocode.to_string();
            let said: HashSet<&str> = code_corpus::tokens::words(&plan).collect();
            names.iter().filter(|name| said.contains(*name)).count() as f64
                / names.len().max(1) as f64
        };
        Ok(lessons.iter().map(score).collect())
    }
}

/// Scores from a program of the user's: started once a problem, it reads the lessons as JSONL and
/// writes a number a line. A student's log-likelihood of the code given the plan comes in this way.
#[derive(Debug, Clone)]
pub struct ScoreCommand {
    command: Vec<String>,
}

impl ScoreCommand {
    /// Scores from this program and its arguments.
    pub fn new(command: Vec<String>) -> ScoreCommand {
        ScoreCommand { command }
    }
}

impl Judge for ScoreCommand {
    fn name(&self) -> &str {
        self.command.first().map_or("command", String::as_str)
    }

    fn score(&self, lessons: &[Lesson]) -> Result<Vec<f64>, Error> {
        let failed = |source| Error::Execute { what: self.command.join(" "), source };
        let mut lines = Vec::new();
        for lesson in lessons {
            serde_json::to_writer(&mut lines, lesson).map_err(|error| failed(error.into()))?;
            lines.push(b'\n');
        }
        let mut child = Command::new(self.name())
            .args(self.command.iter().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // Beside the reading, so that neither side waits for the other with a full pipe. A
            // program that does not read its input to the end may be right all the same.
            scope.spawn(move || _ = stdin.as_mut().map(|stdin| stdin.write_all(&lines)));
            child.wait_with_output()
        })
        .map_err(failed)?;
        let wrong = |reason: String| Error::Score {
            judge: self.name().to_owned(),
            problem: lessons.first().map(|lesson| lesson.id.clone()).unwrap_or_default(),
            reason,
        };
        if !output.status.success() {
            return Err(wrong(output.status.to_string()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| {
                line.trim().parse().map_err(|_| wrong(format!("{line:?}, a number expected")))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use distill_core::{Language, Pseudocode, Solution};

    use super::*;

    fn lesson(plan: &str) -> Lesson {
        Lesson {
            id: "p".into(),
            language: Language::Python,
            query: "q".into(),
            solution: Solution {
                pseudocode: Pseudocode::from_text(plan).unwrap(),
                code: "def total(values):\n    return sum(values)".into(),
            },
            teacher: String::new(),
            reply: String::new(),
            extra: Default::default(),
        }
    }

    fn chosen(judge: &dyn Judge, plans: &[&str]) -> Option<String> {
        let lessons: Vec<Lesson> = plans.iter().map(|plan| lesson(plan)).collect();
        let (best, _) = best_of(&lessons, judge).unwrap()?;
        Some(lessons[best].solution.pseudocode.to_string())
    }

    #[test]
    fn the_plan_that_most_agree_with_wins() {
        let plans = ["1. open the file", "1. add up the values", "1. add up all values"];
        assert_eq!(chosen(&Agreement, &plans).as_deref(), Some("1. add up the values"));
        assert_eq!(chosen(&Agreement, &plans[..1]).as_deref(), Some("1. open the file"));
        assert_eq!(chosen(&Agreement, &[]), None);
    }

    #[test]
    fn the_plan_that_names_its_code_wins() {
        let plans = ["1. add everything up", "1. total is the sum of values", "1. return 1"];
        assert_eq!(chosen(&Mentions, &plans).as_deref(), Some("1. total is the sum of values"));
    }
}
