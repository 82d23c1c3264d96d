//! Chained answers over several plans: code z for a problem x by Σ_y P(z|y,x)·P(y|x).
//!
//! One plan decides one answer, and where it is wrong the code is too. Here plans y are drawn at random,
//! each gets its own best codes, and every code found for any of them is scored under all of them.

use std::collections::HashMap;

use distill_core::student::Ranked;
use distill_core::{Problem, Solution, Task};
use serde::{Deserialize, Serialize};
use student_core::decode::Sampling;
use student_core::{Batch, Example, Trainable};
use tch::{Kind, no_grad};

use crate::error::Result;
use crate::student::{T5Student, read_plan};

/// How plans are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanSampling {
    /// Plans for each problem; equal ones count once. Time grows with it.
    pub plans: usize,
    /// How to draw them.
    pub sampling: Sampling,
}

impl Default for PlanSampling {
    /// Eight plans, from the likeliest tokens with nine tenths of the probability.
    fn default() -> PlanSampling {
        PlanSampling { plans: 8, sampling: Sampling { top_p: 0.9, ..Sampling::default() } }
    }
}

/// A code for a problem: its tokens, its text, and its log-probability after each plan.
struct Candidate {
    tokens: Vec<i64>,
    text: String,
    after: Vec<f64>,
}

impl T5Student {
    /// The `n` best answers to each problem over `how.plans` sampled plans. An answer's
    /// log-probability is that of the sum over these plans, a lower bound of that over all, and its
    /// pseudocode the plan that adds most to the sum.
    pub(crate) fn answer_over_plans(
        &self,
        problems: &[Problem],
        n: usize,
        how: &PlanSampling,
    ) -> Result<Vec<Vec<Ranked>>> {
        let mut options = self.generation.options(self.model.config())?;
        options.beams = 1;
        options.n_best = how.plans;
        options.sampling = Some(how.sampling);
        let sources = self.encode_problems(Task::Pseudocode, problems, None)?;
        let mut answers = Vec::with_capacity(problems.len());
        for (problem, source) in problems.iter().zip(sources.chunks(1)) {
            // One at a time: what is drawn for a problem must not depend on its neighbours.
            let drawn = self.write_with(source, options.clone())?.concat();
            let mut plans: Vec<(String, f64)> = Vec::new();
            for (text, hypothesis) in drawn {
                if !plans.iter().any(|(plan, _)| *plan == text) {
                    plans.push((text, hypothesis.log_probability));
                }
            }
            let sources = plans
                .iter()
                .map(|(plan, _)| {
                    let (language, query) = (problem.language, &problem.query);
                    Ok(self.encode_problem(Task::Code, language, query, Some(plan))?.ids)
                })
                .collect::<Result<Vec<_>>>()?;
            let mut found: HashMap<Vec<i64>, String> = HashMap::new();
            for (text, hypothesis) in self.write(&sources, n)?.into_iter().flatten() {
                found.entry(hypothesis.tokens).or_insert(text);
            }
            let mut candidates: Vec<Candidate> = found
                .into_iter()
                .map(|(tokens, text)| Candidate { tokens, text, after: Vec::new() })
                .collect();
            // In an order that does not depend on the table's.
            candidates.sort_by(|a, b| a.tokens.cmp(&b.tokens));
            self.score(&sources, &mut candidates)?;
            answers.push(best(&plans, candidates, n));
        }
        Ok(answers)
    }

    /// Log-probabilities of all candidates after all sources.
    fn score(&self, sources: &[Vec<i64>], candidates: &mut [Candidate]) -> Result<()> {
        let pairs: Vec<Example> = candidates
            .iter()
            .flat_map(|candidate| {
                sources.iter().map(|source| Example::new(source.clone(), candidate.tokens.clone()))
            })
            .collect();
        let mut scores = Vec::with_capacity(pairs.len());
        for part in pairs.chunks(self.batch.max(1)) {
            let batch = Batch::new(&part.iter().collect::<Vec<_>>(), self.model.device())?;
            let (nll, mask) = no_grad(|| self.model.token_nll(&batch, false))?;
            let sums =
                (nll.f_mul(&mask)?).f_sum_dim_intlist([1].as_slice(), false, Kind::Double)?;
            scores.extend(Vec::<f64>::try_from(&sums)?.into_iter().map(|nll| -nll));
        }
        let mut scores = scores.into_iter();
        for candidate in candidates {
            candidate.after = scores.by_ref().take(sources.len()).collect();
        }
        Ok(())
    }
}

/// The `n` best of all candidates.
fn best(plans: &[(String, f64)], candidates: Vec<Candidate>, n: usize) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = candidates
        .into_iter()
        .map(|candidate| {
            let joint: Vec<f64> =
                candidate.after.iter().zip(plans).map(|(z, (_, y))| z + y).collect();
            let top = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = joint.iter().map(|joint| (joint - top).exp()).sum();
            let plan = joint.iter().position(|&joint| joint == top).unwrap_or(0);
            let plan = plans.get(plan).map_or("", |(plan, _)| plan.as_str());
            Ranked {
                solution: Solution { pseudocode: read_plan(plan), code: candidate.text },
                log_probability: top + sum.ln(),
            }
        })
        .collect();
    ranked.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
    ranked.truncate(n);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_plans_can_outweigh_the_likeliest() {
        let plans = [("1. a".to_owned(), 0.4f64.ln()), ("1. b".to_owned(), 0.3f64.ln())];
        let candidate = |text: &str, after: [f64; 2]| Candidate {
            tokens: vec![],
            text: text.into(),
            after: after.map(f64::ln).to_vec(),
        };
        let found = best(&plans, vec![candidate("x", [0.5, 0.01]), candidate("y", [0.3, 0.9])], 2);
        assert_eq!(found[0].solution.code, "y");
        assert!((found[0].log_probability - (0.4f64 * 0.3 + 0.3 * 0.9).ln()).abs() < 1e-12);
        assert!((found[1].log_probability - (0.4f64 * 0.5 + 0.3 * 0.01).ln()).abs() < 1e-12);
        // The plan that adds most to each.
        assert_eq!(found[0].solution.pseudocode, read_plan("1. b"));
        assert_eq!(found[1].solution.pseudocode, read_plan("1. a"));
        assert_eq!(best(&plans, Vec::new(), 2).len(), 0);
    }
}
