//! Lessons from any LLM: ask a teacher for pseudocode and code, lose no reply, pay for none twice.
//!
//! ```text
//! Problem ─PromptBuilder─▶ Request ─Teacher─▶ Completion ─parse_reply─▶ Parsed ─Filter─▶ Lesson
//! ```
//!
//! [`Teaching`] runs that line over a corpus: hundreds of requests in flight, lessons handed over in
//! the order of the problems. A [`Teacher`](distill_core::Teacher) is a model behind a server or
//! anything like it, and decorators stand around it, from the outside in:
//!
//! | teacher | does |
//! |---|---|
//! | [`Cached`] | answers from the [`ReplyLog`] and logs what it has to ask for |
//! | [`Retrying`] | asks again: backoff, `retry-after`, never on an exhausted quota |
//! | [`Metered`] | counts tokens and cost, stops at a budget |
//! | [`RateLimited`] | keeps to requests and tokens a minute, given or told by the server |
//! | [`Chat`] | asks any OpenAI-compatible `/v1/chat/completions` |
//! | [`BatchRequests`] | writes requests into files of the OpenAI Batch format, for half the price |
//! | [`BatchResults`] | answers from the result files of such a batch |
//! | [`Replay`] | answers from a log alone |
//! | [`Verbaliser`] | writes the plan of known code from its syntax tree, offline |
//! | [`FromCorpus`] | gives the plan that the corpus has for the problem |
//! | [`Scripted`] | gives prepared answers |
//!
//! ```
//! use distill_core::{Language, Problem};
//! use teacher_prompt::{Event, PromptBuilder, Scripted, Taught, Teaching};
//!
//! let problem = Problem::new("sum", Language::Python, "Add up a list of numbers.");
//! let reply = "Pseudocode:\n1. return the sum of xs\nCode:\n```python\ndef f(xs):\n    return sum(xs)\n```";
//! let teacher = Scripted::texts("a-model", [reply]);
//! let mut lessons = Vec::new();
//! let summary = Teaching::new(PromptBuilder::new("a-model")).run_blocking(
//!     [problem],
//!     &teacher,
//!     &mut |event| {
//!         if let Event::Taught(Taught::Lesson(lesson)) = event {
//!             lessons.push(lesson);
//!         }
//!         Ok(())
//!     },
//! )?;
//! assert_eq!(summary.progress.lessons, 1);
//! assert_eq!(lessons[0].solution.pseudocode.to_string(), "1. return the sum of xs");
//! # Ok::<(), teacher_prompt::Error>(())
//! ```

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod ablate;
mod announced;
mod batch;
mod best;
pub mod body;
mod cached;
mod chat;
mod dataset;
mod draw;
mod error;
mod execute;
mod exemplars;
mod filter;
mod json;
mod key;
mod log;
mod meter;
mod offline;
#[cfg(feature = "parquet")]
mod parquet;
mod parse;
mod preset;
mod prompt;
mod rate;
mod retry;
mod scripted;
mod secret;
mod sieve;
mod teach;
mod template;
mod verdict;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use ablate::Ablation;
pub use announced::Announced;
pub use batch::{
    BatchCounts, BatchOptions, BatchRequests, BatchResult, BatchResults, read_batch_result,
};
pub use best::{Agreement, Judge, Mentions, ScoreCommand, best_of};
pub use cached::{CacheCounts, Cached, Replay};
pub use chat::{Chat, ChatOptions};
pub use dataset::{Card, DatasetWriter, Format};
pub use error::Error;
pub use execute::{Runner, Tested, Tests};
pub use exemplars::{Exemplars, Pool};
pub use filter::Filter;
pub use key::{question_key, request_key};
pub use log::{LoggedReply, Merged, Offer, ReplyLog, read_replies, read_replies_from};
pub use meter::{Metered, Price, Prices, Spent, estimated_usage};
pub use offline::{FromCorpus, Verbaliser};
pub use parse::{
    LONGEST_REPLY, ParseOptions, Parsed, Parts, parameters_of, parse_body, parse_reply,
};
pub use preset::{PRESETS, Preset};
pub use prompt::{Direction, Form, PromptBuilder, Style};
pub use rate::{RateLimited, RateLimits};
pub use retry::{RetryOptions, Retrying};
pub use scripted::Scripted;
pub use secret::Secret;
pub use sieve::{Sieve, SieveOptions};
pub use teach::{Event, Progress, Rejected, Stopped, Summary, Taught, Teaching};
pub use template::{Template, embedded_templates};
pub use verdict::Verdict;
