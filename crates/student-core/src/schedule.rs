//! The learning rate over the steps.

use serde::{Deserialize, Serialize};

/// How the learning rate goes on after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Not at all.
    #[default]
    Constant,
    /// A straight line that reaches zero one step after the last.
    Linear,
    /// Half a cosine that reaches zero one step after the last.
    Cosine,
}

/// Warm-up, then decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Steps over which the rate grows to its full height, which the last of them has.
    ///
    /// (transformers starts from a rate of zero, which wastes the first step.)
    pub warmup: u64,
    /// What comes after.
    pub decay: Decay,
}

impl Schedule {
    /// The factor on the learning rate at `step` (from 0) of `total` steps; in 0..=1.
    pub fn factor(&self, step: u64, total: u64) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let length = total.saturating_sub(self.warmup).max(1);
        let done = ((step - self.warmup) as f64 / length as f64).min(1.0);
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Linear => 1.0 - done,
            Decay::Cosine => 0.5 + 0.5 * (std::f64::consts::PI * done).cos(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(decay: Decay, warmup: u64, expected: &[(u64, f64)]) {
        let schedule = Schedule { warmup, decay };
        for &(step, factor) in expected {
            let found = schedule.factor(step, 110);
            assert!((found - factor).abs() < 1e-12, "{decay:?} at {step}: {found}");
        }
    }

    #[test]
    fn warm_up_then_decay() {
        check(Decay::Constant, 10, &[(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (109, 1.0)]);
        check(Decay::Linear, 10, &[(0, 0.1), (9, 1.0), (10, 1.0), (60, 0.5), (109, 0.01)]);
        check(Decay::Cosine, 10, &[(9, 1.0), (10, 1.0), (60, 0.5), (110, 0.0), (500, 0.0)]);
        let quarter = 0.5 + 0.5 * (std::f64::consts::PI / 4.0).cos();
        check(Decay::Cosine, 10, &[(35, quarter)]);
        check(Decay::Linear, 0, &[(0, 1.0), (55, 0.5)]);
        check(Decay::Linear, 200, &[(109, 0.55)]);
    }
}
