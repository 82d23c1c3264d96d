//! What asking would take, without asking.

use std::collections::{BTreeMap, HashSet};

use distill_core::{Pseudocode, Request, Usage};
use teacher_prompt::{Error, Price, ReplyLog, Style, estimated_usage, request_key};

use super::merge::each_reply;
use super::problems::Asked;
use crate::{DistillError, Result, Run};

/// What asking the teacher would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Problems.
    pub problems: u64,
    /// Requests for them. With `plan_then_implement` the second ones count as not logged: what they
    /// say depends on the first ones' answers.
    pub requests: u64,
    /// Requests whose replies are logged.
    pub logged: u64,
    /// Of those that are not, requests to which a reply drawn with other sampling is logged:
    /// `--reuse-sampling` lets it count.
    pub reusable: u64,
    /// What differs in these, for example `max_tokens: 512 → 1024`, with counts.
    pub differences: BTreeMap<String, usize>,
    /// Problems that cannot be asked about: they have no code to explain.
    pub without_reference: u64,
    /// Tokens of the requests that are not logged, a token for four bytes; written ones at most,
    /// by `max_tokens`.
    pub most: Usage,
    /// Tokens that the logged replies wrote on average, where there are any that say so.
    pub mean_completion: Option<f64>,
    /// What tokens cost.
    pub price: Option<Price>,
    /// The first request that is not logged, or the first.
    pub example: Option<Request>,
}

impl Estimate {
    /// What asking may cost at most.
    pub fn most_cost(&self) -> Option<f64> {
        Some(self.price?.of(self.most))
    }

    /// What asking will cost if replies are as long as those in the log.
    pub fn likely_cost(&self) -> Option<f64> {
        let written = (self.requests - self.logged) as f64 * self.mean_completion?;
        Some(self.price?.of(Usage { completion_tokens: written as u64, ..self.most }))
    }
}

/// What [`teach`](super::teach) would ask and what that would cost. Asks nothing, writes nothing.
///
/// # Errors
/// As [`teach`](super::teach).
pub fn dry_run(run: &Run<'_>) -> Result<Estimate> {
    run.require("teach", run.folder.corpus_statistics(), "mine")?;
    let config = &run.config.teacher;
    let prompts = config.prompts(run.config.seed)?;
    let asked = Asked::new(run)?;

    let mut keys: HashSet<String> = HashSet::new();
    let (mut replies, mut written) = (0u64, 0u64);
    let own = Some(run.folder.replies()).filter(|path| path.exists());
    for log in own.iter().chain(&config.replies) {
        each_reply(log, |reply| {
            let Some(reply) = reply else { return Ok(()) };
            if let Some(usage) = reply.usage.filter(|_| !keys.contains(&reply.key)) {
                replies += 1;
                written += usage.completion_tokens;
            }
            keys.insert(reply.key);
            Ok(())
        })?;
    }
    let mut estimate = Estimate {
        problems: asked.count as u64,
        requests: 0,
        logged: 0,
        reusable: 0,
        differences: BTreeMap::new(),
        without_reference: 0,
        most: Usage::default(),
        mean_completion: (replies > 0).then(|| written as f64 / replies as f64),
        price: config.price,
        example: None,
    };
    let log = own.as_deref().map(ReplyLog::open_read_only).transpose()?;
    let mut shown_is_logged = true;
    for problem in asked.iter() {
        let (_, problem) = problem?;
        for sample in 0..config.samples {
            let first = match prompts.sample(&problem, sample) {
                Ok(request) => request,
                Err(Error::NoReference { .. }) => {
                    estimate.without_reference += u64::from(sample == 0);
                    continue;
                }
                Err(error) => return Err(DistillError::from(error)),
            };
            let second = match prompts.style_in_use() {
                Style::SinglePass => None,
                Style::PlanThenImplement => {
                    Some(prompts.implement(&problem, &Pseudocode::default(), sample)?)
                }
            };
            for (nth, request) in std::iter::once(first).chain(second).enumerate() {
                estimate.requests += 1;
                let logged = nth == 0 && keys.contains(&request_key(&request));
                estimate.logged += u64::from(logged);
                if let Some(log) = log.as_ref().filter(|_| !logged) {
                    let offer = log.offer([request.clone()])?;
                    estimate.reusable += offer.reusable as u64;
                    for (difference, count) in offer.differences {
                        *estimate.differences.entry(difference).or_default() += count;
                    }
                }
                if !logged {
                    let usage = estimated_usage(&request);
                    estimate.most.prompt_tokens += usage.prompt_tokens;
                    estimate.most.completion_tokens += usage.completion_tokens;
                }
                if estimate.example.is_none() || (shown_is_logged && !logged) {
                    shown_is_logged = logged;
                    estimate.example = Some(request);
                }
            }
        }
    }
    Ok(estimate)
}
