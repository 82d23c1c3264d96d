//! Asking no faster than agreed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use distill_core::{Reply, Request, Teacher, TeacherError};
use tokio::time::Instant;

use crate::announced::{Allowance, Announced};
use crate::meter::estimated_usage;

/// What a server allows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RateLimits {
    /// Requests a minute.
    pub requests_per_minute: Option<f64>,
    /// Tokens a minute, read and written.
    pub tokens_per_minute: Option<f64>,
}

/// Spreads requests so that limits of requests and tokens a minute are kept: those given, and those
/// that the server tells.
///
/// Tokens are estimated when a request starts (a token for four bytes, and `max_tokens`) and
/// corrected by what the server counted. Requests wait in the order in which they came. A tenth of
/// a minute's allowance may go at once.
///
/// What the server [announces](Self::following) is followed once half of its allowance is used: the
/// rest is spread over the time at which it refills, and never faster than the given limits. "Asked
/// too often" (429) lowers the rate of requests by a fifth, whether or not there is a limit; it grows
/// back by about one per cent a second.
#[derive(Debug)]
pub struct RateLimited<T> {
    inner: T,
    announced: Option<Announced>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    requests: Bucket,
    tokens: Bucket,
    served: Pace,
    /// When the rate was last lowered, and to what.
    cut: Option<(Instant, f64)>,
}

/// An allowance that refills steadily. It may be overdrawn: who overdraws it waits until it would
/// be level again.
#[derive(Debug)]
struct Bucket {
    /// The rate that was given; infinite where none was.
    given: f64,
    /// The rate in use.
    a_second: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(a_minute: Option<f64>) -> Bucket {
        let a_minute = a_minute.filter(|limit| limit.is_finite() && *limit > 0.0);
        let given = a_minute.map_or(f64::INFINITY, |limit| limit / 60.0);
        let left = a_minute.map_or(0.0, |limit| (limit / 10.0).max(1.0));
        Bucket { given, a_second: given, left, at: Instant::now() }
    }

    /// Lets time pass up to now.
    fn refill(&mut self) {
        let now = Instant::now();
        let passed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        if self.a_second.is_finite() {
            let most = (self.a_second * 6.0).max(1.0);
            self.left = (self.left + passed * self.a_second).min(most.max(self.left));
        } else {
            self.left = 0.0;
        }
    }

    fn take(&mut self, count: f64) -> Duration {
        self.refill();
        if self.a_second.is_infinite() {
            return Duration::ZERO;
        }
        self.left -= count;
        const DAY: f64 = 86_400.0;
        Duration::from_secs_f64((-self.left / self.a_second).clamp(0.0, DAY))
    }

    fn set_rate(&mut self, a_second: f64) {
        self.refill();
        self.a_second = a_second.min(self.given);
    }

    /// Follows what the server says is left.
    fn told(&mut self, allowance: Allowance) {
        let Allowance { limit, left, reset } = allowance;
        let reset = reset.map(|reset| reset.as_secs_f64()).filter(|reset| *reset > 0.0);
        let a_second = match (limit, reset) {
            // Plenty is left: what the server says of the refill is still too coarse to follow.
            (Some(limit), _) if left > limit / 2.0 => f64::INFINITY,
            (Some(limit), Some(reset)) => (limit - left) / reset,
            (Some(limit), None) => limit / 60.0,
            (None, Some(reset)) => left.max(1.0) / reset,
            (None, None) => return,
        };
        self.set_rate(a_second);
        if self.a_second.is_finite() && a_second.is_finite() {
            self.left = self.left.min(left);
        }
    }
}

/// Answers a second, over about the last ten seconds.
#[derive(Debug)]
struct Pace {
    since: Instant,
    at: Instant,
    weight: f64,
}

impl Pace {
    const SECONDS: f64 = 10.0;

    fn count(&mut self, more: f64) -> f64 {
        let now = Instant::now();
        self.weight *= (-now.duration_since(self.at).as_secs_f64() / Self::SECONDS).exp();
        self.weight += more;
        self.at = now;
        let covered = 1.0 - (-now.duration_since(self.since).as_secs_f64() / Self::SECONDS).exp();
        self.weight / (Self::SECONDS * covered.max(0.01))
    }
}

impl State {
    fn take(&mut self, requests: f64, tokens: f64) -> Duration {
        self.requests.take(requests).max(self.tokens.take(tokens))
    }

    fn served(&mut self) {
        self.served.count(1.0);
        if let Some((_, rate)) = self.cut {
            // One per cent of the rate a second, at as many answers a second as the rate says.
            let rate_now = self.requests.a_second + 0.01 * rate / rate.max(1.0);
            // Twice what was too much with nobody complaining: the limit was not ours.
            let free = rate_now > 2.0 * rate;
            self.requests.set_rate(if free { f64::INFINITY } else { rate_now });
            if free || self.requests.a_second >= self.requests.given {
                self.cut = None;
            }
        }
    }

    fn refused(&mut self, retry_after: Option<Duration>) {
        const SLOWEST: f64 = 1.0 / 60.0;
        // What is in flight is refused together: one answer to it all.
        let lull = retry_after.unwrap_or_default().max(Duration::from_secs(1));
        if self.cut.is_some_and(|(at, _)| at.elapsed() < lull) {
            return;
        }
        let rate = (0.8 * self.served.count(0.0).min(self.requests.a_second)).max(SLOWEST);
        self.cut = Some((Instant::now(), rate));
        self.requests.set_rate(rate);
        self.requests.left = self.requests.left.min(0.0);
    }
}

impl<T: Teacher> RateLimited<T> {
    /// `inner`, asked within `limits`; limits that are not positive numbers are none.
    pub fn new(inner: T, limits: RateLimits) -> RateLimited<T> {
        let now = Instant::now();
        let state = State {
            requests: Bucket::new(limits.requests_per_minute),
            tokens: Bucket::new(limits.tokens_per_minute),
            served: Pace { since: now, at: now, weight: 0.0 },
            cut: None,
        };
        RateLimited { inner, announced: None, state: Mutex::new(state) }
    }

    /// Also follows what the server announces: give it [`Chat::announced`](crate::Chat::announced).
    pub fn following(mut self, announced: Announced) -> RateLimited<T> {
        self.announced = Some(announced);
        self
    }

    /// The teacher asked.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Teacher> Teacher for RateLimited<T> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(async move {
            let estimate = estimated_usage(request);
            let estimate = (estimate.prompt_tokens + estimate.completion_tokens) as f64;
            let wait = self.lock().take(1.0, estimate);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let answer = self.inner.complete(request).await;
            let mut state = self.lock();
            match &answer {
                Ok(completion) => {
                    state.served();
                    if let Some(usage) = completion.usage {
                        let counted = (usage.prompt_tokens + usage.completion_tokens) as f64;
                        state.take(0.0, counted - estimate);
                    }
                }
                Err(TeacherError::RateLimited { retry_after }) => state.refused(*retry_after),
                Err(_) => {}
            }
            if let Some(announced) = &self.announced {
                let [requests, tokens] = announced.take();
                if let Some(requests) = requests.filter(|_| state.cut.is_none()) {
                    state.requests.told(requests);
                }
                if let Some(tokens) = tokens {
                    state.tokens.told(tokens);
                }
            }
            drop(state);
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use distill_core::{Completion, Language, Problem, Usage};

    use futures_util::StreamExt;

    use super::*;
    use crate::{PromptBuilder, Scripted};

    async fn seconds_for(count: usize, limits: RateLimits, usage: Option<Usage>) -> f64 {
        let reply =
            Completion { text: "ok".into(), finish_reason: None, usage, raw: String::new() };
        let script = Scripted::new("s", std::iter::repeat_n(Ok(reply), count));
        let teacher = RateLimited::new(script, limits);
        let problem = Problem::new("p", Language::Python, "q");
        let request = PromptBuilder::new("m").request(&problem).unwrap();
        let start = Instant::now();
        for _ in 0..count {
            teacher.complete(&request).await.unwrap();
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn requests_and_tokens_a_minute_are_kept() {
        let requests = RateLimits { requests_per_minute: Some(60.0), ..RateLimits::default() };
        let took = seconds_for(66, requests, None).await;
        assert!((59.0..61.0).contains(&took), "6 at once, then 60 in a minute: {took}");
        let tokens = RateLimits { tokens_per_minute: Some(60_000.0), ..RateLimits::default() };
        let usage = Some(Usage { prompt_tokens: 500, completion_tokens: 500 });
        let took = seconds_for(66, tokens, usage).await;
        assert!((57.0..63.0).contains(&took), "as counted by the server: {took}");
        let none = RateLimits { requests_per_minute: Some(0.0), tokens_per_minute: Some(f64::NAN) };
        assert_eq!(seconds_for(9, none, usage).await, 0.0);
    }

    /// Allows so many requests a second with a burst of as many, as a server with a token bucket.
    struct Strict {
        a_second: f64,
        state: Mutex<(f64, Instant)>,
        refused: AtomicUsize,
        announced: Option<Announced>,
    }

    impl Strict {
        fn new(a_second: f64, announced: Option<Announced>) -> Strict {
            let state = Mutex::new((a_second, Instant::now()));
            Strict { a_second, state, refused: AtomicUsize::new(0), announced }
        }

        fn admit(&self) -> bool {
            let mut state = self.state.lock().unwrap();
            let passed = state.1.elapsed().as_secs_f64();
            *state = ((state.0 + passed * self.a_second).min(self.a_second), Instant::now());
            let served = state.0 >= 1.0;
            if served {
                state.0 -= 1.0;
            }
            if let Some(announced) = &self.announced {
                let missing = Duration::from_secs_f64((self.a_second - state.0) / self.a_second);
                let mut headers = reqwest::header::HeaderMap::new();
                for (name, value) in [
                    ("x-ratelimit-limit-requests", self.a_second.to_string()),
                    ("x-ratelimit-remaining-requests", state.0.floor().to_string()),
                    ("x-ratelimit-reset-requests", format!("{}ms", missing.as_millis())),
                ] {
                    headers.insert(name, value.parse().unwrap());
                }
                announced.hear(&headers, std::time::SystemTime::UNIX_EPOCH);
            }
            served
        }
    }

    impl Teacher for Strict {
        fn name(&self) -> &str {
            "strict"
        }

        fn complete<'a>(&'a self, _: &'a Request) -> Reply<'a> {
            Box::pin(async move {
                let served = self.admit();
                tokio::time::sleep(Duration::from_millis(50)).await;
                if served {
                    let (text, raw) = ("ok".into(), String::new());
                    return Ok(Completion { text, finish_reason: None, usage: None, raw });
                }
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(TeacherError::RateLimited { retry_after: Some(Duration::from_millis(500)) })
            })
        }
    }

    /// Seconds for 3,000 requests, 50 at a time, and how many were refused.
    async fn against(server: Strict, announced: Option<Announced>) -> (f64, usize) {
        let mut limited = RateLimited::new(server, RateLimits::default());
        if let Some(announced) = announced {
            limited = limited.following(announced);
        }
        let teacher = crate::Retrying::new(limited, crate::RetryOptions::default());
        let problem = Problem::new("p", Language::Python, "q");
        let request = PromptBuilder::new("m").request(&problem).unwrap();
        let start = Instant::now();
        let all = futures_util::stream::iter(0..3000).map(|_| teacher.complete(&request));
        all.buffer_unordered(50).for_each(|answer| async move { _ = answer.unwrap() }).await;
        let seconds = start.elapsed().as_secs_f64();
        (seconds, teacher.inner().inner().refused.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn a_strict_server_is_neither_pestered_nor_kept_waiting() {
        // 100 a second allow 3,000 in 29 s (the first 100 at once).
        let (seconds, refused) = against(Strict::new(100.0, None), None).await;
        assert!(seconds < 40.0 && refused < 300, "by its refusals alone: {seconds} s, {refused}");
        let announced = Announced::default();
        let server = Strict::new(100.0, Some(announced.clone()));
        let (seconds, refused) = against(server, Some(announced)).await;
        assert!(seconds < 33.0 && refused < 60, "by its headers: {seconds} s, {refused}");
    }
}
