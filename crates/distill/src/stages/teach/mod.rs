//! Lessons from a teacher.

mod ask;
mod batch;
mod estimate;
mod examine;
mod merge;
mod problems;
mod sift;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use distill_core::Usage;
use serde::{Deserialize, Serialize};
use teacher_prompt::{ReplyLog, Teaching, Verdict};
use verbaliser::Coverage;

pub use batch::{BatchWritten, batch_requests, batch_results};
pub use estimate::{Estimate, dry_run};
pub(crate) use examine::TEACHER_ARM;
pub use examine::examine_teacher;
pub use merge::{Merged, merge};

use crate::config::TeacherKind;
use crate::error::io;
use crate::report;
use crate::run::write_json;
use crate::{DistillError, Result, Run, RunFolder};
use problems::Asked;

/// What `teach.json` says once the lessons are there; written last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TeachDone {
    /// Problems asked about.
    pub asked: usize,
    /// Lessons kept.
    pub lessons: usize,
    /// The others by reason.
    pub rejected: BTreeMap<Verdict, usize>,
    /// Tokens of all replies.
    pub usage: Usage,
    /// What they cost, where the price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// How much of the code the verbaliser had rules for; none for other teachers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

impl TeachDone {
    /// As the report shows it.
    pub(crate) fn report(&self) -> report::Teach {
        let counted = self.usage != Usage::default();
        report::Teach {
            asked: self.asked as u64,
            kept: self.lessons as u64,
            rejected: self
                .rejected
                .iter()
                .map(|(verdict, &count)| (verdict.name().to_owned(), count as u64))
                .collect(),
            prompt_tokens: counted.then_some(self.usage.prompt_tokens),
            completion_tokens: counted.then_some(self.usage.completion_tokens),
            cost: self.cost,
            without_rule: self
                .coverage
                .as_ref()
                .map(|coverage| coverage.without_rule as f64 / coverage.nodes.max(1) as f64),
        }
    }
}

/// Asks the teacher for lessons on the problems of the training and validation splits.
///
/// Every reply is logged before it is used; a reply in the log is never asked for again. Problems
/// and lessons are streamed: memory does not grow with the corpus but for the log's index.
///
/// # Errors
/// [`DistillError::Order`] before there is a corpus; [`DistillError::TeacherStopped`] when the
/// teacher cannot go on (quota, budget, key, server gone), [`DistillError::Interrupted`] when
/// stopped; the replies received until then are in the log.
pub fn teach(run: &Run<'_>) -> Result<()> {
    if run.folder.teach_statistics().exists() {
        return Ok(());
    }
    run.require("teach", run.folder.corpus_statistics(), "mine")?;
    let config = &run.config.teacher;
    let asked = Asked::new(run)?;
    if config.kind == TeacherKind::Verbaliser
        && let Some(language) = asked.languages.iter().find(|l| !verbaliser::supports(**l))
    {
        return Err(DistillError::Config(format!(
            "there is no verbaliser for {} yet: give a language model as teacher \
             (--teacher openai --base-url ADDRESS --model NAME)",
            language.title()
        )));
    }
    let prompts = config.prompts(run.config.seed)?;
    run.stage("teach", || {
        let log = Arc::new(ReplyLog::open(&run.folder.replies())?);
        merge::take_over(&log, &config.replies)?;
        let teacher = ask::teacher(config, log.clone())?;
        let mut teaching = Teaching::new(prompts);
        teaching.filter = config.filter.clone();
        teaching.concurrency = config.concurrency;
        teaching.redraws = config.redraws;
        teaching.cancel = run.stop.clone();

        let mut done = TeachDone { asked: asked.count, ..TeachDone::default() };
        for sample in 0..config.samples {
            let passed = ask::pass(run, &teaching, &*teacher, &asked, sample, &mut done.usage);
            log.sync()?;
            passed?;
        }
        sift::sift(run, &asked, &log, &mut done)?;
        if done.lessons == 0 {
            return Err(DistillError::Nothing(format!(
                "the teacher gave no usable lesson: {}",
                counts(&done.rejected)
            )));
        }
        done.cost = config.price.map(|price| price.of(done.usage));
        write_json(&run.folder.teach_statistics(), &done)?;
        Ok(outcome(&done))
    })
}

fn outcome(done: &TeachDone) -> String {
    let mut text = format!("{} lessons to {} problems", done.lessons, done.asked);
    if !done.rejected.is_empty() {
        text += &format!(", rejected: {}", counts(&done.rejected));
    }
    if let Some(cost) = done.cost {
        let tokens = done.usage.prompt_tokens + done.usage.completion_tokens;
        text += &format!(", {} tokens, cost {cost:.4}", tokens_in_words(tokens));
    }
    if let Some(failed) = done.rejected.get(&Verdict::Failed) {
        text += &format!("; --retry-failed asks again about the {failed} that failed");
    }
    text
}

/// Takes back that the lessons are done, so that [`teach`] makes them anew: those whose requests
/// failed are asked again, and everything that is logged is not.
///
/// # Errors
/// [`DistillError::Config`] once students were trained on the lessons; [`DistillError::Io`].
pub fn reopen_teaching(folder: &RunFolder) -> Result<()> {
    if folder.students().exists() {
        return Err(DistillError::Config(format!(
            "{} holds students that were trained on these lessons: use another --name, or remove \
             that folder",
            folder.students().display()
        )));
    }
    let done = folder.teach_statistics();
    match fs::remove_file(&done) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", &done)(error))
        }
        _ => Ok(()),
    }
}

fn counts(rejected: &BTreeMap<Verdict, usize>) -> String {
    let parts = rejected.iter().map(|(verdict, count)| format!("{count} {}", verdict.name()));
    parts.collect::<Vec<_>>().join(", ")
}

/// A count of tokens in at most four digits: `812`, `1.5 k`, `20.3 M`.
fn tokens_in_words(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
        _ => format!("{:.1} M", count as f64 / 1e6),
    }
}
