//! Lessons from a teacher.

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use std::time::Duration;

use distill_core::{Lesson, Problem, Teacher, Usage, jsonl};
use serde::{Deserialize, Serialize};
use teacher_prompt::{
    Cached, Chat, ChatOptions, Direction, Event, PromptBuilder, Rejected, ReplyLog, RetryOptions,
    Retrying, Secret, Stopped, Summary, Taught, Teaching, Verbaliser, Verdict,
};
use verbaliser::Coverage;

use crate::config::{DirectionConfig, TeacherConfig, TeacherKind};
use crate::report;
use crate::run::write_json;
use crate::{DistillError, Result, Run};

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
            without_rule: self
                .coverage
                .as_ref()
                .map(|coverage| coverage.without_rule as f64 / coverage.nodes.max(1) as f64),
        }
    }
}

/// Asks the teacher for lessons on the problems of the training and validation splits.
///
/// Every reply is logged before it is used; a reply in the log is never asked for again.
///
/// # Errors
/// [`DistillError::Order`] before there is a corpus; [`DistillError::TeacherStopped`] when the
/// teacher cannot go on (quota, key, server gone), [`DistillError::Interrupted`] when stopped; the
/// replies received until then are in the log.
pub fn teach(run: &Run<'_>) -> Result<()> {
    if run.folder.teach_statistics().exists() {
        return Ok(());
    }
    run.require("teach", run.folder.corpus_statistics(), "mine")?;
    let (splits, problems) = problems(run)?;
    let config = &run.config.teacher;
    if config.kind == TeacherKind::Verbaliser {
        let mut languages = problems.iter().map(|problem| problem.language);
        if let Some(language) = languages.find(|&language| !verbaliser::supports(language)) {
            return Err(DistillError::Config(format!(
                "there is no verbaliser for {} yet: give a language model as teacher \
                 (--teacher openai --base-url ADDRESS --model NAME)",
                language.title()
            )));
        }
    }
    run.stage("teach", || {
        let log = Arc::new(ReplyLog::open(&run.folder.replies())?);
        let (teacher, prompts) = teacher(config, log.clone())?;
        let mut teaching = Teaching::new(prompts);
        teaching.concurrency = config.concurrency;
        teaching.cancel = run.stop.clone();

        let asked = problems.len();
        run.progress.start("teach", Some(asked as u64), "problems");
        let (mut lessons, mut rejected): (Vec<Lesson>, Vec<Rejected>) = Default::default();
        let summary = teaching.run_blocking(problems, &*teacher, &mut |event| {
            match event {
                Event::Taught(Taught::Lesson(mut lesson)) => {
                    let split = splits.get(&lesson.id).copied().unwrap_or_default();
                    lesson.extra.insert("split".into(), split.into());
                    lessons.push(*lesson);
                }
                Event::Taught(Taught::Rejected(record)) => rejected.push(record),
                Event::Progress(progress) => {
                    let note = format!("{} kept", progress.lessons);
                    run.progress.update(progress.done as u64, &note);
                }
            }
            Ok(())
        })?;
        log.sync()?;
        check(&summary)?;
        if lessons.is_empty() {
            return Err(DistillError::Nothing(format!(
                "the teacher gave no usable lesson: {}",
                counts(&summary.progress.rejected)
            )));
        }
        jsonl::write_all(&run.folder.lessons(), &lessons)?;
        jsonl::write_all(&run.folder.rejected(), &rejected)?;
        let coverage = match config.kind {
            TeacherKind::Verbaliser => Some(coverage(&log, &lessons)?),
            TeacherKind::Openai => None,
        };
        let done = TeachDone {
            asked,
            lessons: lessons.len(),
            rejected: summary.progress.rejected,
            usage: summary.progress.usage,
            coverage,
        };
        write_json(&run.folder.teach_statistics(), &done)?;
        let rest = match done.rejected.is_empty() {
            true => String::new(),
            false => format!(", rejected: {}", counts(&done.rejected)),
        };
        Ok(format!("{} lessons to {asked} problems{rest}", done.lessons))
    })
}

/// Problems to be taught, and the split of each.
fn problems(run: &Run<'_>) -> Result<(BTreeMap<String, &'static str>, Vec<Problem>)> {
    let mut splits = BTreeMap::new();
    let mut problems: Vec<Problem> = Vec::new();
    for split in ["train", "valid"] {
        for problem in jsonl::read::<Problem>(&run.folder.problems(split))? {
            let problem = problem?;
            splits.insert(problem.id.clone(), split);
            problems.push(problem);
        }
    }
    let limit = run.config.teacher.limit.unwrap_or(usize::MAX);
    Ok((splits, super::choose(problems, limit, run.config.seed)))
}

/// The teacher of the configuration behind its log, and the prompts for it.
fn teacher(
    config: &TeacherConfig,
    log: Arc<ReplyLog>,
) -> Result<(Box<dyn Teacher>, PromptBuilder)> {
    let (teacher, model): (Box<dyn Teacher>, String) = match config.kind {
        TeacherKind::Verbaliser => {
            (Box::new(Cached::new(Verbaliser, log)), Verbaliser::NAME.to_owned())
        }
        TeacherKind::Openai => {
            let model = config.model.clone().unwrap_or_default();
            let mut options = ChatOptions::new(config.base_url.clone().unwrap_or_default());
            options.timeout = Duration::from_secs(config.timeout_seconds);
            // A server on this machine asks for no key: without the variable none is sent.
            if env::var_os(&config.api_key_env).is_some() {
                options.api_key = Some(Secret::from_env(&config.api_key_env)?);
            }
            let retries = RetryOptions { attempts: config.tries, ..RetryOptions::default() };
            let chat = Retrying::new(Chat::new(model.clone(), options)?, retries);
            (Box::new(Cached::new(chat, log)), model)
        }
    };
    let direction = match config.direction {
        DirectionConfig::Forward => Direction::Forward,
        DirectionConfig::Backward => Direction::Backward,
    };
    let prompts = PromptBuilder::new(model).direction(direction).sampling(config.sampling.clone());
    Ok((teacher, prompts))
}

fn check(summary: &Summary) -> Result<()> {
    match &summary.stopped {
        None => Ok(()),
        Some(Stopped::Cancelled) => Err(DistillError::Interrupted),
        Some(Stopped::Teacher { problem, error }) => {
            Err(DistillError::TeacherStopped(format!("problem {problem}: {error}")))
        }
        Some(Stopped::TooManyFailures { count, last }) => Err(DistillError::TeacherStopped(
            format!("{count} problems in a row failed; the last one: {last}"),
        )),
        Some(other) => Err(DistillError::TeacherStopped(format!("{other:?}"))),
    }
}

/// How much of the lessons' code the verbaliser had rules for, as it said in its logged replies.
fn coverage(log: &ReplyLog, lessons: &[Lesson]) -> Result<Coverage> {
    let mut all = Coverage::default();
    for lesson in lessons {
        let reply = log.get(&lesson.reply)?;
        if let Some(one) = reply.and_then(|reply| Verbaliser::coverage(&reply.raw)) {
            all.add(&one);
        }
    }
    Ok(all)
}

fn counts(rejected: &BTreeMap<Verdict, usize>) -> String {
    let parts = rejected.iter().map(|(verdict, count)| format!("{count} {}", verdict.name()));
    parts.collect::<Vec<_>>().join(", ")
}
