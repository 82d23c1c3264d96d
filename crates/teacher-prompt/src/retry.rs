//! Trying again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use distill_core::{Reply, Request, Teacher, TeacherError};
use tokio::time::Instant;

use crate::request_key;

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryOptions {
    /// Most times a request is asked, the first included.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles from attempt to attempt.
    pub first_wait: Duration,
    /// Longest wait of our own.
    pub longest_wait: Duration,
    /// Longest wait that a server may impose on a request, in all; where it asks for more, the error
    /// is returned.
    pub longest_retry_after: Duration,
}

impl Default for RetryOptions {
    /// 6 attempts, 1 s doubling up to 60 s, at most 10 min on the server's word.
    fn default() -> RetryOptions {
        RetryOptions {
            attempts: 6,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            longest_retry_after: Duration::from_secs(600),
        }
    }
}

/// Asks again after errors that may pass ([`TeacherError::is_transient`]).
///
/// The one layer that retries: the client below does not, so waits do not multiply. What the
/// server asks for (`retry-after`) is honoured, and "asked too often" holds back every request, not
/// only the one that was refused; it is not that request's failure and does not count as an
/// attempt, but only so much waiting is accepted. Otherwise the wait grows exponentially with a
/// jitter that depends only on the request's key and the attempt.
#[derive(Debug)]
pub struct Retrying<T> {
    inner: T,
    options: RetryOptions,
    /// Until when the server wants nobody to ask.
    paused_until: Mutex<Option<Instant>>,
}

impl<T: Teacher> Retrying<T> {
    /// `inner`, asked again as `options` say.
    pub fn new(inner: T, options: RetryOptions) -> Retrying<T> {
        Retrying { inner, options, paused_until: Mutex::new(None) }
    }

    /// The teacher asked.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    async fn wait_for_pause(&self) {
        loop {
            let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |already| already.max(until)));
    }

    /// The wait after the `attempt`-th failure, from 1: between half of the exponential step and
    /// all of it.
    fn backoff(&self, key: &str, attempt: u32) -> Duration {
        let step = self.options.first_wait.saturating_mul(1 << (attempt - 1).min(30));
        let step = step.min(self.options.longest_wait);
        let hash = blake3::hash(format!("{key} {attempt}").as_bytes());
        step.mul_f64(0.5 + f64::from(hash.as_bytes()[0]) / 512.0)
    }
}

impl<T: Teacher> Teacher for Retrying<T> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(async move {
            let (mut failures, mut refusals, mut held) = (0, 0, Duration::ZERO);
            loop {
                self.wait_for_pause().await;
                let error = match self.inner.complete(request).await {
                    Ok(completion) => return Ok(completion),
                    Err(error) => error,
                };
                let too_often = matches!(error, TeacherError::RateLimited { .. });
                let attempt = if too_often { &mut refusals } else { &mut failures };
                *attempt += 1;
                let attempt = *attempt;
                if !error.is_transient() || failures >= self.options.attempts.max(1) {
                    return Err(error);
                }
                let asked_for = match &error {
                    TeacherError::RateLimited { retry_after }
                    | TeacherError::Status { retry_after, .. } => *retry_after,
                    _ => None,
                };
                let backoff = self.backoff(&request_key(request), attempt);
                let wait = match asked_for {
                    // All come back at once when a pause ends: spread them a little.
                    Some(wait) => wait + backoff.min(wait / 10),
                    None => backoff,
                };
                if too_often || asked_for.is_some() {
                    held += wait.max(self.options.first_wait / 8);
                    if asked_for.unwrap_or(held).max(held) > self.options.longest_retry_after {
                        return Err(error);
                    }
                }
                tracing::debug!(problem = request.problem.id, attempt, ?wait, "retry: {error}");
                if too_often {
                    self.pause(asked_for.unwrap_or(wait));
                }
                tokio::time::sleep(wait).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use distill_core::{Completion, Language, Problem};

    use super::*;
    use crate::{PromptBuilder, Scripted};

    fn request() -> Request {
        let problem = Problem::new("p", Language::Python, "q");
        PromptBuilder::new("m").request(&problem).unwrap()
    }

    fn good() -> Result<Completion, TeacherError> {
        Ok(Completion { text: "ok".into(), finish_reason: None, usage: None, raw: String::new() })
    }

    async fn after(
        errors: Vec<TeacherError>,
        attempts: u32,
    ) -> (Result<Completion, TeacherError>, Duration, usize) {
        let script = Scripted::new("s", errors.into_iter().map(Err).chain([good()]));
        let options = RetryOptions { attempts, ..RetryOptions::default() };
        let teacher = Retrying::new(script, options);
        let start = Instant::now();
        let answer = teacher.complete(&request()).await;
        (answer, start.elapsed(), teacher.inner().asked())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_with_growing_waits() {
        let errors = vec![
            TeacherError::Timeout(Duration::from_secs(1)),
            TeacherError::Connection("cut".into()),
            TeacherError::Unreadable("garbage".into()),
        ];
        let (answer, waited, asked) = after(errors, 6).await;
        assert!(answer.is_ok());
        assert_eq!(asked, 4);
        // 1 + 2 + 4 seconds, each at least halved and at most whole.
        assert!(waited >= Duration::from_millis(3500) && waited <= Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_word_on_waiting_counts() {
        let limited =
            |seconds| TeacherError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
        let (answer, waited, _) = after(vec![limited(30)], 6).await;
        assert!(answer.is_ok());
        assert!(waited >= Duration::from_secs(30) && waited < Duration::from_secs(34));
        let (answer, waited, asked) = after(vec![limited(3600)], 6).await;
        assert_eq!((answer, asked), (Err(limited(3600)), 1));
        assert!(waited < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn quota_and_refusals_are_final_and_attempts_are_bounded() {
        let quota = TeacherError::Quota("insufficient_quota".into());
        assert_eq!(after(vec![quota.clone()], 6).await.2, 1);
        let refused =
            TeacherError::Status { status: 401, message: String::new(), retry_after: None };
        assert_eq!(after(vec![refused], 6).await.2, 1);
        let cut = TeacherError::Connection("cut".into());
        let (answer, _, asked) = after(vec![cut.clone(); 9], 3).await;
        assert_eq!((answer, asked), (Err(cut), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn asked_too_often_is_no_failed_attempt_but_patience_ends() {
        let limited = |wait: Option<u64>| TeacherError::RateLimited {
            retry_after: wait.map(Duration::from_secs),
        };
        let (answer, waited, asked) = after(vec![limited(Some(20)); 12], 2).await;
        assert!(answer.is_ok() && asked == 13);
        assert!(waited >= Duration::from_secs(240) && waited < Duration::from_secs(280));
        let (answer, waited, _) = after(vec![limited(Some(20)); 99], 2).await;
        assert_eq!(answer, Err(limited(Some(20))));
        assert!(waited <= Duration::from_secs(600));
        // A server that always says "at once" is not asked for ever either.
        let (answer, _, asked) = after(vec![limited(Some(0)); 9999], 2).await;
        assert!(answer.is_err() && asked < 9999, "{asked}");
        let (answer, waited, _) = after(vec![limited(None); 99], 2).await;
        assert_eq!(answer, Err(limited(None)));
        assert!(waited <= Duration::from_secs(600));
    }

    #[tokio::test(start_paused = true)]
    async fn one_refusal_holds_back_every_request() {
        let limited = TeacherError::RateLimited { retry_after: Some(Duration::from_secs(30)) };
        let script = Scripted::new("s", [Err(limited)].into_iter().chain(vec![good(); 9]));
        let teacher = Retrying::new(script, RetryOptions::default());
        let (one, two) = (request(), request());
        let start = Instant::now();
        let later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            teacher.complete(&two).await.unwrap();
            assert!(start.elapsed() >= Duration::from_secs(30));
        };
        tokio::join!(async { teacher.complete(&one).await.unwrap() }, later);
    }
}
