//! Chained answers over several sampled plans.

use serde::{Deserialize, Serialize};

use crate::{DistillError, Result};

/// How plans are drawn for chained answers: each gets its own codes, and every code is scored by its
/// probability summed over all plans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlansConfig {
    /// Plans drawn for a problem, 1 to 1,024; equal ones count once. Time grows with it.
    pub count: usize,
    /// Divides the logits when drawing; above 0.
    pub temperature: f64,
    /// Draw from this many likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Draw from the fewest likeliest tokens with this probability together, in (0, 1].
    pub top_p: f64,
}

impl Default for PlansConfig {
    fn default() -> PlansConfig {
        PlansConfig { count: 8, temperature: 1.0, top_k: 0, top_p: 0.9 }
    }
}

impl PlansConfig {
    /// Fails on a value outside its range.
    ///
    /// # Errors
    /// [`DistillError::Config`].
    pub fn check(&self) -> Result<()> {
        let PlansConfig { count, temperature, top_p, .. } = *self;
        let reason = if !(1..=1024).contains(&count) {
            format!("count is {count}, wanted 1 to 1024")
        } else if !(temperature.is_finite() && temperature > 0.0) {
            format!("temperature is {temperature}, wanted more than 0")
        } else if !(top_p > 0.0 && top_p <= 1.0) {
            format!("top_p is {top_p}, wanted more than 0 and at most 1")
        } else {
            return Ok(());
        };
        Err(DistillError::Config(format!("answers.plans.{reason}")))
    }

    /// What the student is told.
    #[cfg(feature = "torch")]
    pub(crate) fn sampling(&self, seed: u64) -> student_t5::PlanSampling {
        let PlansConfig { count, temperature, top_k, top_p } = *self;
        let sampling = student_core::decode::Sampling { temperature, top_k, top_p, seed };
        student_t5::PlanSampling { plans: count, sampling }
    }
}
