//! Asking no faster than agreed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use distill_core::{Completion, Reply, Request, Teacher};
use tokio::time::Instant;

use crate::meter::estimated_usage;

/// What a server allows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RateLimits {
    /// Requests a minute.
    pub requests_per_minute: Option<f64>,
    /// Tokens a minute, read and written.
    pub tokens_per_minute: Option<f64>,
}

/// Spreads requests so that limits of requests and tokens a minute are kept.
///
/// Tokens are estimated when a request starts (a token for four characters, and `max_tokens`) and
/// corrected by what the server counted. Requests wait in the order in which they came. A tenth of
/// a minute's allowance may go at once.
#[derive(Debug)]
pub struct RateLimited<T> {
    inner: T,
    buckets: Mutex<[Option<Bucket>; 2]>,
}

/// An allowance that refills steadily. It may be overdrawn: who overdraws it waits until it would
/// be level again.
#[derive(Debug)]
struct Bucket {
    a_second: f64,
    most: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(a_minute: f64) -> Option<Bucket> {
        let usable = a_minute.is_finite() && a_minute > 0.0;
        let most = (a_minute / 10.0).max(1.0);
        usable.then(|| Bucket { a_second: a_minute / 60.0, most, left: most, at: Instant::now() })
    }

    fn take(&mut self, count: f64) -> Duration {
        let now = Instant::now();
        let refill = now.duration_since(self.at).as_secs_f64() * self.a_second;
        self.left = (self.left + refill).min(self.most);
        self.at = now;
        self.left -= count;
        Duration::try_from_secs_f64(-self.left / self.a_second).unwrap_or_default()
    }
}

impl<T: Teacher> RateLimited<T> {
    /// `inner`, asked within `limits`; limits that are not positive numbers are none.
    pub fn new(inner: T, limits: RateLimits) -> RateLimited<T> {
        let bucket = |limit: Option<f64>| limit.and_then(Bucket::new);
        let buckets = [bucket(limits.requests_per_minute), bucket(limits.tokens_per_minute)];
        RateLimited { inner, buckets: Mutex::new(buckets) }
    }

    fn take(&self, counts: [f64; 2]) -> Duration {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = buckets.iter_mut().zip(counts);
        waits
            .filter_map(|(bucket, count)| Some(bucket.as_mut()?.take(count)))
            .max()
            .unwrap_or_default()
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
            let wait = self.take([1.0, estimate]);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let answer = self.inner.complete(request).await;
            if let Ok(Completion { usage: Some(usage), .. }) = &answer {
                let counted = (usage.prompt_tokens + usage.completion_tokens) as f64;
                self.take([0.0, counted - estimate]);
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use distill_core::{Language, Problem, Usage};

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
}
