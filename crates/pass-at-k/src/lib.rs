//! Runs generated code with its tests in a [`sandbox`], and estimates pass@k.
//!
//! ```no_run
//! use pass_at_k::sandbox::{Launcher, Sandbox};
//! use pass_at_k::{Candidate, Judge, Outcome, pass_at_k};
//!
//! // First thing in `main`: this program is the sandbox's launcher as well.
//! if let Some(code) = pass_at_k::sandbox::launched() {
//!     std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
//! }
//! let sandbox = Sandbox::new(Launcher::this_program()?)?;
//! let judge = Judge::new(Some(sandbox), 10.0);
//! let verdict = judge.judge(&Candidate {
//!     language: "python".into(),
//!     prompt: "def add(a, b):\n".into(),
//!     completion: "    return a + b\n".into(),
//!     test: "def check(f):\n    assert f(1, 2) == 3\n".into(),
//!     entry_point: Some("add".into()),
//! });
//! assert_eq!(verdict.outcome, Outcome::Passed);
//! assert_eq!(pass_at_k(10, 3, 1), Some(0.3));
//! # Ok::<(), pass_at_k::sandbox::SandboxError>(())
//! ```
//!
//! # How a program is put together
//!
//! As the problems' publishers do (HumanEval, MBXP, HumanEval-X); [`program`] says it language by
//! language. A candidate passes if its program ends with status 0 *and* came to the end of the
//! tests, which an added last line tells by a random word: leaving early (`exit(0)`) passes nothing.
//! Against a program that wants to be taken for right nothing is done beyond that.

#![deny(missing_docs)]
// The launcher of the sandbox alone holds unsafe code, and says why.
#![deny(unsafe_code)]

pub mod program;
pub mod sandbox;
mod toolchain;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use code_syntax::Language;
use serde::{Deserialize, Serialize};

use sandbox::{End, Isolation, Job, Limits, Report, Sandbox};
use toolchain::Toolchain;

/// Generated code and its tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The language, by any of its names.
    pub language: String,
    /// What the model was given to go on from; empty where the completion is a whole program.
    #[serde(default)]
    pub prompt: String,
    /// What it wrote.
    pub completion: String,
    /// The tests, as source text.
    pub test: String,
    /// The function that is tested; Python's tests are given it.
    #[serde(default)]
    pub entry_point: Option<String>,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All of its tests passed.
    Passed,
    /// A test failed, it does not compile, or it ended early.
    Failed,
    /// It did not end in time.
    Timeout,
    /// A signal ended it, or it used more memory, processes, files or output than it may.
    Crashed,
    /// It was not run: no sandbox, no interpreter, no tests.
    Refused,
}

/// An outcome with its time and its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What became of the candidate.
    pub outcome: Outcome,
    /// Seconds of wall-clock time, compiling included; 0 where it was not run.
    pub seconds: f64,
    /// In a few words why; empty where it passed.
    pub reason: String,
}

impl Verdict {
    /// Not run, for this reason.
    pub fn refused(reason: impl Into<String>) -> Verdict {
        Verdict { outcome: Outcome::Refused, seconds: 0.0, reason: reason.into() }
    }
}

/// Runs candidates. One judge serves any number of threads.
#[derive(Debug)]
pub struct Judge {
    sandbox: Option<Sandbox>,
    seconds: f64,
    /// What every job may use.
    pub limits: Limits,
    toolchains: Mutex<HashMap<Language, Result<Toolchain, String>>>,
}

impl Judge {
    /// A judge that gives every candidate so many seconds for its tests; without a sandbox it
    /// refuses all.
    pub fn new(sandbox: Option<Sandbox>, seconds: f64) -> Judge {
        let limits = Limits { processes: 128, disk: 256 << 20, ..Limits::default() };
        Judge { sandbox, seconds, limits, toolchains: Mutex::default() }
    }

    /// How candidates are shut in; `None` where they are not run at all.
    pub fn isolation(&self) -> Option<Isolation> {
        self.sandbox.as_ref().map(Sandbox::isolation)
    }

    /// Runs a candidate with its tests and waits for the end. Whatever is wrong is an outcome.
    pub fn judge(&self, candidate: &Candidate) -> Verdict {
        match self.try_judge(candidate) {
            Ok(verdict) => verdict,
            Err(reason) => Verdict::refused(reason),
        }
    }

    fn try_judge(&self, candidate: &Candidate) -> Result<Verdict, String> {
        let language: Language = candidate
            .language
            .parse()
            .map_err(|error: code_syntax::SyntaxError| error.to_string())?;
        if candidate.test.trim().is_empty() {
            return Err("there are no tests".into());
        }
        let sandbox = self.sandbox.as_ref().ok_or("there is no sandbox here")?;
        let toolchain = self.toolchain(language)?;
        let word = word(candidate);
        let program = program::assemble(language, candidate, &word)?;
        let steps = toolchain.steps(self.seconds, self.limits.memory);
        let parts = steps.len();
        let job = Job { files: program, steps, readable: toolchain.readable, limits: self.limits };
        let report = sandbox.run(&job).map_err(|error| error.to_string())?;
        Ok(verdict(&report, parts, &word))
    }

    fn toolchain(&self, language: Language) -> Result<Toolchain, String> {
        let mut known = self.toolchains.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.entry(language).or_insert_with(|| Toolchain::find(language)).clone()
    }
}

/// What the last line of a program writes: told from anything that a candidate writes by itself.
fn word(candidate: &Candidate) -> String {
    use std::hash::{BuildHasher, RandomState};
    // Seeded by the system at random, anew for each.
    format!("tests-done-{:016x}", RandomState::new().hash_one(&candidate.completion))
}

fn verdict(report: &Report, parts: usize, word: &str) -> Verdict {
    let compiling = report.steps < parts;
    let said =
        telling_line(if report.errors.trim().is_empty() { &report.output } else { &report.errors });
    let (outcome, reason) = match report.end {
        End::Exited(0) if report.output.trim_end().ends_with(word) => {
            (Outcome::Passed, String::new())
        }
        End::Exited(0) => (Outcome::Failed, "it ended before its tests did".into()),
        End::Exited(_) if compiling => (Outcome::Failed, format!("it does not compile: {said}")),
        End::Exited(status) => (Outcome::Failed, format!("status {status}: {said}")),
        End::Signalled(signal) => (Outcome::Crashed, format!("signal {signal}")),
        End::Time => (Outcome::Timeout, format!("no end within {:.1} s", report.seconds)),
        End::Memory => (Outcome::Crashed, "too much memory".into()),
        End::Processes => (Outcome::Crashed, "too many processes".into()),
        End::Disk => (Outcome::Crashed, "too many files".into()),
        End::Output => (Outcome::Crashed, "too much output".into()),
    };
    Verdict { outcome, seconds: report.seconds, reason }
}

/// The last line that names an error or, without one, that holds anything; at most 200 characters.
fn telling_line(text: &str) -> String {
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next();
    let line = lines.find(|line| line.contains("rror") || line.contains("xception")).or(last);
    line.unwrap_or_default().chars().take(200).collect()
}

/// The unbiased estimate of pass@k of one problem (Chen et al. 2021, *Evaluating Large Language
/// Models Trained on Code*): the probability that at least one of `k` answers passes, drawn without
/// replacement from `n` of which `passed` do. `None` where there are fewer than `k`. O(k).
pub fn pass_at_k(n: u64, passed: u64, k: u64) -> Option<f64> {
    if k == 0 || n < k || passed > n {
        return None;
    }
    // 1 − C(n − c, k) / C(n, k), as a product that neither over- nor underflows.
    let all_fail: f64 = (n - k + 1..=n)
        .map(|draw| if draw > passed { (draw - passed) as f64 / draw as f64 } else { 0.0 })
        .product();
    Some(1.0 - all_fail)
}

/// The longest time that a candidate's compiler may take.
const COMPILING: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_the_share_of_choices() {
        // All choices of k of n, counted.
        for n in 1..=8_u64 {
            for passed in 0..=n {
                for k in 1..=n {
                    let (mut good, mut all) = (0, 0);
                    for choice in 0..1_u64 << n {
                        if choice.count_ones() as u64 == k {
                            all += 1;
                            good += u64::from(choice & ((1 << passed) - 1) != 0);
                        }
                    }
                    let share = good as f64 / all as f64;
                    assert!((pass_at_k(n, passed, k).unwrap() - share).abs() < 1e-12);
                }
            }
        }
        assert_eq!(pass_at_k(1, 1, 2), None);
        assert_eq!(pass_at_k(5, 6, 1), None);
        assert_eq!(pass_at_k(5, 0, 0), None);
        let many = pass_at_k(1_000_000, 10, 1000).unwrap();
        assert!((many - 0.009_955_5).abs() < 1e-6, "{many}");
    }

    #[test]
    fn leaving_early_passes_nothing() {
        let report = |end, output: &str, steps| Report {
            end,
            steps,
            seconds: 1.0,
            output: output.into(),
            errors: String::new(),
        };
        let outcome = |report: &Report| verdict(report, 2, "word").outcome;
        assert_eq!(outcome(&report(End::Exited(0), "noise\nword\n", 2)), Outcome::Passed);
        assert_eq!(outcome(&report(End::Exited(0), "word\nnoise", 2)), Outcome::Failed);
        assert_eq!(outcome(&report(End::Exited(1), "word", 2)), Outcome::Failed);
        assert_eq!(outcome(&report(End::Signalled(11), "", 2)), Outcome::Crashed);
        assert_eq!(outcome(&report(End::Time, "word", 2)), Outcome::Timeout);
        let compiling = verdict(&report(End::Exited(1), "Main.java:1: error", 1), 2, "word");
        assert_eq!(compiling.reason, "it does not compile: Main.java:1: error");
    }
}
