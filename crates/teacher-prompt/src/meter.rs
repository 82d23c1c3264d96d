//! Counting tokens and money.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use distill_core::jsonl::JsonlError;
use distill_core::{Reply, Request, Teacher, TeacherError, Usage};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::ReplyLog;
use crate::log::read_replies;

/// What tokens cost, in the currency of the budget, per million.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A million tokens read.
    pub prompt: f64,
    /// A million tokens written.
    pub completion: f64,
}

impl Price {
    /// What this usage costs.
    pub fn of(&self, usage: Usage) -> f64 {
        (usage.prompt_tokens as f64 * self.prompt
            + usage.completion_tokens as f64 * self.completion)
            / 1e6
    }
}

/// A price table: what each model's tokens cost. The name `*` stands for every other model.
///
/// ```
/// use distill_core::Usage;
/// use teacher_prompt::{Price, Prices};
///
/// let prices: Prices = serde_json::from_str(r#"{"large": {"prompt": 2.5, "completion": 10}}"#)?;
/// let usage = Usage { prompt_tokens: 1_000_000, completion_tokens: 100_000 };
/// assert_eq!(prices.of("large").map(|price| price.of(usage)), Some(3.5));
/// assert_eq!(prices.of("other"), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// A model's price, if the table has one.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).or_else(|| self.0.get("*")).copied()
    }
}

impl From<Price> for Prices {
    /// One price for every model.
    fn from(price: Price) -> Prices {
        Prices([("*".to_owned(), price)].into())
    }
}

impl FromIterator<(String, Price)> for Prices {
    fn from_iter<I: IntoIterator<Item = (String, Price)>>(prices: I) -> Prices {
        Prices(prices.into_iter().collect())
    }
}

/// What was spent so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Completions received.
    pub completions: u64,
    /// Completions for which the server counted no tokens and an estimate stands.
    pub estimated: u64,
    /// Answers that were unreadable or did not come in time: a server may charge for them, so the
    /// most that they can have cost is counted.
    pub failed: u64,
    /// Completions of models that the price table lacks; their cost is not counted.
    pub unpriced: u64,
    /// Tokens.
    pub usage: Usage,
    /// Their cost.
    pub cost: f64,
}

impl Spent {
    /// What the replies in a log cost, so that a budget can hold over several runs. Reads the whole
    /// log; what was taken over from another reply was paid for there.
    ///
    /// # Errors
    /// [`JsonlError`] where the log cannot be read.
    pub fn logged(log: &ReplyLog, prices: &Prices) -> Result<Spent, JsonlError> {
        let mut spent = Spent::default();
        for reply in read_replies(log.path())? {
            let reply = match reply {
                Ok(reply) if reply.reused_from.is_none() => reply,
                Ok(_) | Err(JsonlError::BadLine(_)) => continue,
                Err(error) => return Err(error),
            };
            spent.estimated += u64::from(reply.usage.is_none());
            let usage = reply.usage.unwrap_or_else(|| Usage {
                prompt_tokens: 0,
                completion_tokens: tokens_of(&reply.text),
            });
            spent.count(usage, prices.of(&reply.model));
        }
        Ok(spent)
    }

    fn count(&mut self, usage: Usage, price: Option<Price>) {
        self.completions += 1;
        self.unpriced += u64::from(price.is_none());
        self.usage.prompt_tokens += usage.prompt_tokens;
        self.usage.completion_tokens += usage.completion_tokens;
        self.cost += price.unwrap_or_default().of(usage);
    }
}

/// Counts tokens and cost, and stops at a budget.
///
/// A request starts only if its estimated cost and those of all in flight still fit the budget;
/// while only those in flight stand in the way it waits for them. When nothing in flight stands in
/// the way and it still does not fit, the answer is [`TeacherError::Quota`]. With a budget a model
/// must have a price ([`TeacherError::Local`]). Stands below [`Cached`](crate::Cached), so that
/// replies from the log cost nothing.
#[derive(Debug)]
pub struct Metered<T> {
    inner: T,
    prices: Prices,
    budget: Option<f64>,
    state: Mutex<State>,
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    spent: Spent,
    reserved: f64,
    in_flight: u64,
}

impl<T: Teacher> Metered<T> {
    /// `inner` at this price, or by this table; `budget`, if any, is the most that may be spent.
    pub fn new(inner: T, prices: impl Into<Prices>, budget: Option<f64>) -> Metered<T> {
        let (state, settled) = (Mutex::default(), Notify::new());
        Metered { inner, prices: prices.into(), budget, state, settled }
    }

    /// Counts on from what was spent before, see [`Spent::logged`].
    pub fn after(self, spent: Spent) -> Metered<T> {
        self.lock().spent = spent;
        self
    }

    /// What was spent so far.
    pub fn spent(&self) -> Spent {
        self.lock().spent
    }

    /// The teacher asked.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets `cost` aside, waiting for requests in flight where that may help.
    async fn reserve(&self, cost: f64) -> Result<Reserved<'_, T>, TeacherError> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // From here on a request that settles wakes us, even before we wait.
            settled.as_mut().enable();
            {
                let mut state = self.lock();
                // A budget that is no number is none that anything fits.
                let fits = |sum: f64| self.budget.is_none_or(|budget| sum <= budget);
                if fits(state.spent.cost + state.reserved + cost) {
                    state.reserved += cost;
                    state.in_flight += 1;
                    return Ok(Reserved { meter: self, cost });
                }
                if !fits(state.spent.cost + cost) || state.in_flight == 0 {
                    return Err(TeacherError::Quota(format!(
                        "{:.4} of the budget of {:.4} is spent and the next request may cost {cost:.4}",
                        state.spent.cost,
                        self.budget.unwrap_or_default(),
                    )));
                }
            }
            settled.await;
        }
    }
}

/// Money set aside for a request in flight; given back when it ends, however it ends.
struct Reserved<'a, T: Teacher> {
    meter: &'a Metered<T>,
    cost: f64,
}

impl<T: Teacher> Drop for Reserved<'_, T> {
    fn drop(&mut self) {
        let mut state = self.meter.lock();
        state.in_flight -= 1;
        // Sums of floats do not cancel exactly: with nothing in flight nothing is reserved.
        state.reserved = if state.in_flight == 0 { 0.0 } else { state.reserved - self.cost };
        drop(state);
        self.meter.settled.notify_waiters();
    }
}

impl<T: Teacher> Teacher for Metered<T> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(async move {
            let price = self.prices.of(&request.model);
            if self.budget.is_some() && price.is_none() {
                return Err(TeacherError::Local(format!(
                    "a budget needs prices, and the price table has none for model {}",
                    request.model
                )));
            }
            let estimate = estimated_usage(request);
            let reserved = self.reserve(price.unwrap_or_default().of(estimate)).await?;
            let answer = self.inner.complete(request).await;
            match &answer {
                Ok(completion) => {
                    let usage = completion.usage.unwrap_or_else(|| Usage {
                        completion_tokens: tokens_of(&completion.text),
                        ..estimate
                    });
                    let mut state = self.lock();
                    state.spent.estimated += u64::from(completion.usage.is_none());
                    state.spent.count(usage, price);
                }
                Err(TeacherError::Unreadable(_) | TeacherError::Timeout(_)) => {
                    let mut state = self.lock();
                    state.spent.failed += 1;
                    state.spent.cost += reserved.cost;
                }
                Err(_) => {}
            }
            drop(reserved);
            answer
        })
    }
}

/// Tokens written where neither the request nor the server says how many.
const UNKNOWN_COMPLETION: u64 = 1024;

/// What a request may use at most, roughly: a token for four bytes, four more a message, and its
/// `max_tokens`.
pub fn estimated_usage(request: &Request) -> Usage {
    let prompt_tokens =
        request.messages.iter().map(|message| tokens_of(&message.content) + 4).sum();
    let completion_tokens = request.sampling.max_tokens.map_or(UNKNOWN_COMPLETION, u64::from);
    Usage { prompt_tokens, completion_tokens }
}

fn tokens_of(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use distill_core::{Completion, Language, Problem, Sampling};

    use super::*;
    use crate::{PromptBuilder, Scripted};

    #[tokio::test]
    async fn the_budget_is_never_overdrawn_and_waits_for_cheap_replies() {
        let usage = Some(Usage { prompt_tokens: 100, completion_tokens: 100 });
        let reply = Completion { text: "x".into(), finish_reason: None, usage, raw: String::new() };
        let script = Scripted::new("s", std::iter::repeat_n(Ok(reply), 100));
        // 200 tokens at 1 a token; at most 1,000 and some are set aside for a request.
        let price = Price { prompt: 1e6, completion: 1e6 };
        let teacher = Metered::new(script, price, Some(3_000.0));
        let sampling = Sampling { max_tokens: Some(900), ..Sampling::default() };
        let problem = Problem::new("p", Language::Python, "q");
        let request = PromptBuilder::new("m").sampling(sampling).request(&problem).unwrap();
        let all = (0..40).map(|_| teacher.complete(&request));
        let answers = futures_util::future::join_all(all).await;
        let good = answers.iter().filter(|answer| answer.is_ok()).count();
        let spent = teacher.spent();
        assert_eq!(spent.completions as usize, good);
        assert_eq!(spent.cost, 200.0 * good as f64);
        assert!((9..=11).contains(&good), "{good} of 200 each, then too little for an estimate");
        assert!(
            answers.iter().all(|a| matches!(a, Ok(_) | Err(TeacherError::Quota(_)))),
            "{answers:?}"
        );
    }

    #[tokio::test]
    async fn a_budget_holds_over_runs_and_for_answers_that_never_came() {
        let folder = tempfile::tempdir().unwrap();
        let log = std::sync::Arc::new(ReplyLog::open(&folder.path().join("log")).unwrap());
        let usage = Some(Usage { prompt_tokens: 100, completion_tokens: 100 });
        let reply = Completion { text: "x".into(), finish_reason: None, usage, raw: String::new() };
        let price = Price { prompt: 1e6, completion: 1e6 };
        let problem = Problem::new("p", Language::Python, "q");
        let sampling = Sampling { max_tokens: Some(900), ..Sampling::default() };
        let request = PromptBuilder::new("m").sampling(sampling).request(&problem).unwrap();
        let script = Scripted::new("s", [Ok(reply.clone())]);
        let teacher = crate::Cached::new(Metered::new(script, price, None), log.clone());
        teacher.complete(&request).await.unwrap();
        let before = Spent::logged(&log, &price.into()).unwrap();
        assert_eq!(before, teacher.inner().spent());
        let script = Scripted::new("s", [Err(TeacherError::Unreadable("x".into())), Ok(reply)]);
        let meter = Metered::new(script, price, Some(2000.0)).after(before);
        meter.complete(&request).await.unwrap_err();
        let spent = meter.spent();
        assert!(spent.failed == 1 && spent.cost > 200.0 + 900.0, "{spent:?}");
        assert!(matches!(meter.complete(&request).await, Err(TeacherError::Quota(_))));
        let table: Prices = [("other".to_owned(), price)].into_iter().collect();
        let unpriced = Metered::new(Scripted::texts("s", ["x"]), table, Some(1.0));
        let error = unpriced.complete(&request).await.unwrap_err();
        assert!(error.to_string().ends_with("none for model m"), "{error}");
    }
}
