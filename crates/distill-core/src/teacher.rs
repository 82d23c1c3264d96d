//! The trait of what answers requests for lessons: one request, one completion.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Problem;

/// Who says a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Standing instructions.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// How a completion is drawn. `None` leaves a setting to the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Softmax temperature, from 0 up; 0 is greedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus mass in (0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Most tokens to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Seed, where the server honours one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts that end the completion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// One question to a teacher.
///
/// Everything but [`problem`](Self::problem) determines the reply of a language model and is
/// hashed into the key of the reply log; offline teachers read the problem instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The model's name as the server knows it.
    pub model: String,
    /// The chat so far.
    pub messages: Vec<Message>,
    /// How to draw the completion.
    #[serde(default)]
    pub sampling: Sampling,
    /// Which of several samples of the same question this is, from 0.
    #[serde(default)]
    pub sample_index: u32,
    /// Hash of the template that the messages were rendered from.
    #[serde(default)]
    pub template_hash: String,
    /// The problem behind the messages.
    pub problem: Problem,
}

/// Tokens that a completion cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
}

/// One answer of a teacher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The text that the model wrote.
    pub text: String,
    /// Why it stopped (`stop`, `length`, …), where the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// What it cost, where the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The reply's own bytes (the JSON body of a chat completion; the text of an offline teacher).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub raw: String,
}

/// Why a teacher gave no completion.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TeacherError {
    /// Asked too often; worth another try after a while.
    #[error("rate limited by the server{}", after(.retry_after))]
    RateLimited {
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The account's quota or the run's own budget is used up; another try is of no use.
    #[error("quota or budget used up: {0}")]
    Quota(String),
    /// The server answered with an error status. 5xx and 408 are worth another try.
    #[error("the server answered {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The start of the body.
        message: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection failed or broke.
    #[error("connection failed: {0}")]
    Connection(String),
    /// An answer that is not a chat completion.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
    /// A replaying teacher has no reply for this request.
    #[error("no logged reply for request {key} (problem {problem})")]
    NotLogged {
        /// Key of the request.
        key: String,
        /// Id of the problem.
        problem: String,
    },
    /// A batch that was asked holds an error instead of a reply: the error in words.
    #[error("no reply in the batch: {0}")]
    Batch(String),
    /// This teacher cannot answer this kind of request.
    #[error("{teacher} cannot answer problem {problem}: {reason}")]
    Unsupported {
        /// The teacher's name.
        teacher: String,
        /// Id of the problem.
        problem: String,
        /// What is missing.
        reason: String,
    },
    /// The reply log or a setting is at fault.
    #[error("{0}")]
    Local(String),
}

fn after(wait: &Option<Duration>) -> String {
    wait.map(|wait| format!(", retry after {wait:?}")).unwrap_or_default()
}

impl TeacherError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            TeacherError::RateLimited { .. }
            | TeacherError::Timeout(_)
            | TeacherError::Connection(_)
            | TeacherError::Unreadable(_) => true,
            TeacherError::Status { status, .. } => {
                *status >= 500 || matches!(status, 408 | 409 | 425)
            }
            _ => false,
        }
    }
}

/// A completion on its way.
pub type Reply<'a> = Pin<Box<dyn Future<Output = Result<Completion, TeacherError>> + Send + 'a>>;

/// Whatever turns one request into one completion: a chat server, a log, a program.
///
/// Asynchronous so that hundreds may be in flight, and object-safe so that decorators (caching,
/// retrying, metering) can stand around any teacher. Equal requests may get different completions
/// unless the teacher says otherwise.
pub trait Teacher: Send + Sync {
    /// A short name for records and tables, such as the model's.
    fn name(&self) -> &str;

    /// Answers one request.
    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a>;
}

impl<T: Teacher + ?Sized> Teacher for &T {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        (**self).complete(request)
    }
}

impl<T: Teacher + ?Sized> Teacher for Box<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        (**self).complete(request)
    }
}

impl<T: Teacher + ?Sized> Teacher for std::sync::Arc<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        (**self).complete(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_transient() {
        let status =
            |status| TeacherError::Status { status, message: String::new(), retry_after: None };
        assert!(status(503).is_transient() && status(408).is_transient());
        assert!(!status(401).is_transient() && !status(400).is_transient());
        assert!(!TeacherError::Quota("insufficient_quota".into()).is_transient());
        assert!(TeacherError::RateLimited { retry_after: None }.is_transient());
    }
}
