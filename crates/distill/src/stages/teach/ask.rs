//! Asking: the teacher of the configuration, and one pass over the problems.

use std::cell::RefCell;
use std::env;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use distill_core::{Lesson, Teacher, Usage};
use serde::{Deserialize, Serialize};
use teacher_prompt::{
    Cached, Chat, ChatOptions, Event, FromCorpus, Metered, Price, Progress, RateLimited,
    RateLimits, Rejected, Replay, ReplyLog, RetryOptions, Retrying, Secret, Spent, Stopped,
    Summary, Taught, Teaching, Verbaliser,
};

use super::problems::Asked;
use super::{counts, tokens_in_words};
use crate::config::{TeacherConfig, TeacherKind};
use crate::error::io;
use crate::{DistillError, Result, Run};

/// One line of `taught.N.jsonl`: what became of a problem.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Lesson(Box<Lesson>),
    Rejected(Rejected),
}

/// The teacher of the configuration behind its log.
pub(super) fn teacher(config: &TeacherConfig, log: Arc<ReplyLog>) -> Result<Box<dyn Teacher>> {
    let model = config.model()?;
    match config.kind {
        TeacherKind::Verbaliser => return Ok(Box::new(Cached::new(Verbaliser, log))),
        TeacherKind::Corpus => return Ok(Box::new(Cached::new(FromCorpus, log))),
        TeacherKind::Replay => return Ok(Box::new(Replay::new(model, log))),
        TeacherKind::Openai => {}
    }
    let mut options = ChatOptions::new(config.address());
    options.timeout = Duration::from_secs(config.timeout_seconds);
    // A server on this machine asks for no key: without the variable none is sent.
    if env::var_os(&config.api_key_env).is_some() {
        options.api_key = Some(Secret::from_env(&config.api_key_env)?);
    }
    let limits = RateLimits {
        requests_per_minute: config.requests_per_minute,
        tokens_per_minute: config.tokens_per_minute,
    };
    let chat = Chat::new(model, options)?;
    let announced = chat.announced();
    let limited = RateLimited::new(chat, limits).following(announced);
    let mut metered = Metered::new(limited, config.price.unwrap_or_default(), config.budget);
    if config.budget.is_some() {
        let prices = config.price.unwrap_or_default().into();
        metered = metered.after(Spent::logged(&log, &prices)?);
    }
    let retries = RetryOptions { attempts: config.tries, ..RetryOptions::default() };
    let cached = Cached::new(Retrying::new(metered, retries), log);
    Ok(Box::new(cached.reuse_other_sampling(config.reuse_other_sampling)))
}

/// Asks for the `sample`-th lesson of every problem and writes what became of each, in order. Adds
/// the tokens to `usage`.
pub(super) fn pass(
    run: &Run<'_>,
    teaching: &Teaching,
    teacher: &dyn Teacher,
    asked: &Asked<'_>,
    sample: u32,
    usage: &mut Usage,
) -> Result<()> {
    let config = &run.config.teacher;
    let mut teaching = teaching.clone();
    teaching.prompts = teaching.prompts.sample_index(sample);
    let path = run.folder.taught(sample);
    let file = std::fs::File::create(&path).map_err(io("write", &path))?;
    let mut writer = std::io::BufWriter::with_capacity(1 << 16, file);

    let stage = match config.samples {
        1 => "teach".to_owned(),
        samples => format!("teach {}/{samples}", sample + 1),
    };
    run.progress.start(&stage, Some(asked.count as u64), "problems");
    let before = *usage;
    let failed = RefCell::new(None);
    let summary = teaching.run_blocking(asked.until_error(&failed), teacher, &mut |event| {
        let outcome = match event {
            Event::Taught(Taught::Lesson(lesson)) => Outcome::Lesson(lesson),
            Event::Taught(Taught::Rejected(rejected)) => Outcome::Rejected(rejected),
            Event::Progress(progress) => {
                let all = asked.count as f64 * f64::from(config.samples);
                let done = asked.count as f64 * f64::from(sample) + progress.done as f64;
                let note = note(progress, sum(before, progress.usage), all / done, config.price);
                run.progress.update(progress.done as u64, &note);
                return Ok(());
            }
        };
        serde_json::to_writer(&mut writer, &outcome)?;
        writer.write_all(b"\n")
    })?;
    writer.flush().map_err(io("write", &path))?;
    *usage = sum(before, summary.progress.usage);
    if let Some(error) = failed.into_inner() {
        return Err(error);
    }
    check(&summary)
}

fn sum(a: Usage, b: Usage) -> Usage {
    Usage {
        prompt_tokens: a.prompt_tokens + b.prompt_tokens,
        completion_tokens: a.completion_tokens + b.completion_tokens,
    }
}

/// Kept, rejected by reason, tokens and cost so far and, at the rate until now, in the end: `times`
/// as much.
fn note(progress: &Progress, usage: Usage, times: f64, price: Option<Price>) -> String {
    let mut parts = vec![format!("{} kept", progress.lessons)];
    if !progress.rejected.is_empty() {
        parts.push(format!("rejected: {}", counts(&progress.rejected)));
    }
    let tokens = usage.prompt_tokens + usage.completion_tokens;
    if tokens > 0 {
        let expected = (tokens as f64 * times) as u64;
        parts.push(format!(
            "{} of about {} tokens",
            tokens_in_words(tokens),
            tokens_in_words(expected)
        ));
        if let Some(price) = price {
            let cost = price.of(usage);
            parts.push(format!("cost {cost:.4} of about {:.4}", cost * times));
        }
    }
    parts.join(" | ")
}

/// Why a run of the teacher ended before its last problem, if it did.
pub(super) fn check(summary: &Summary) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use teacher_prompt::Verdict;

    use super::*;

    #[test]
    fn the_note_tells_cost_so_far_and_expected() {
        let mut progress = Progress { lessons: 7, ..Progress::default() };
        assert_eq!(note(&progress, Usage::default(), 4.0, None), "7 kept");
        progress.rejected.insert(Verdict::NoCode, 2);
        progress.rejected.insert(Verdict::CutShort, 1);
        let usage = Usage { prompt_tokens: 1_000, completion_tokens: 500 };
        let price = Price { prompt: 1.0, completion: 2.0 };
        assert_eq!(
            note(&progress, usage, 4.0, Some(price)),
            "7 kept | rejected: 2 no_code, 1 cut_short | 1.5 k of about 6.0 k tokens | \
             cost 0.0020 of about 0.0080"
        );
    }
}
