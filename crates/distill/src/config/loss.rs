//! How the losses of the two tasks become one: the rules of the crate `mtl-loss`, by their names there.

use serde::{Deserialize, Serialize};

use crate::{DistillError, Result};

/// How much each task counts as training goes on. Pairs of weights are for pseudocode and code, in that
/// order.
// Variants without settings have braces, since serde lets others have any.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum WeightingConfig {
    /// `alpha` and `beta` throughout.
    Fixed {},
    /// From other weights to `alpha` and `beta`.
    Scheduled {
        /// Weights at the first step.
        from: [f64; 2],
        /// Steps until `alpha` and `beta` are reached.
        over: u64,
        /// The way there.
        #[serde(default)]
        shape: PassageConfig,
    },
    /// Learned from each task's uncertainty (Kendall, Gal and Cipolla 2018); `alpha` and `beta` have no
    /// effect, here and below.
    Uncertainty {},
    /// A task that improves slowly gets more (dynamic weight average: Liu, Johns and Davison 2019).
    DynamicAverage {
        /// Larger is more even.
        #[serde(default = "published_temperature")]
        temperature: f64,
    },
}

fn published_temperature() -> f64 {
    2.0
}

/// The way from one pair of weights to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassageConfig {
    /// A straight line.
    #[default]
    Linear,
    /// Half a cosine.
    Cosine,
    /// At once, at the end.
    Step,
}

/// How the tokens of a task become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReductionConfig {
    /// The mean over the task's tokens.
    #[default]
    TokenMean,
    /// Their sum: the formula as the paper prints it.
    Sum,
    /// The mean over examples of the mean over tokens.
    ExampleMean,
    /// The sum over the number of both tasks' tokens.
    GlobalTokenMean,
}

impl Default for WeightingConfig {
    fn default() -> WeightingConfig {
        WeightingConfig::Fixed {}
    }
}

impl WeightingConfig {
    /// Whether it is the default, which a configuration need not name.
    pub(super) fn is_fixed(&self) -> bool {
        *self == WeightingConfig::default()
    }

    /// Fails on a value outside its range.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(DistillError::Config(format!("training.weighting.{what}")));
        match self {
            WeightingConfig::Scheduled { from, .. }
                if from.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0)) =>
            {
                wrong(format!("from is {from:?}: loss weights are numbers from 0 up"))
            }
            WeightingConfig::DynamicAverage { temperature }
                if !(temperature.is_finite() && *temperature > 0.0) =>
            {
                wrong(format!("temperature is {temperature}: a number above 0"))
            }
            _ => Ok(()),
        }
    }
}

impl ReductionConfig {
    /// Whether it is the default, which a configuration need not name.
    pub(super) fn is_token_mean(&self) -> bool {
        *self == ReductionConfig::TokenMean
    }
}

#[cfg(feature = "torch")]
mod torch {
    use mtl_loss::{Passage, Reduction, Weighting};

    use super::{PassageConfig, ReductionConfig, WeightingConfig};

    impl WeightingConfig {
        /// The rule, `to` being the weights that the configuration names.
        pub(crate) fn rule(self, to: [f64; 2]) -> Weighting {
            match self {
                WeightingConfig::Fixed {} => Weighting::fixed(to),
                WeightingConfig::Scheduled { from, over, shape } => Weighting::Scheduled {
                    from: from.to_vec(),
                    to: to.to_vec(),
                    over,
                    shape: match shape {
                        PassageConfig::Linear => Passage::Linear,
                        PassageConfig::Cosine => Passage::Cosine,
                        PassageConfig::Step => Passage::Step,
                    },
                },
                WeightingConfig::Uncertainty {} => Weighting::Uncertainty,
                WeightingConfig::DynamicAverage { temperature } => {
                    Weighting::DynamicAverage { temperature }
                }
            }
        }
    }

    impl ReductionConfig {
        pub(crate) fn reduction(self) -> Reduction {
            match self {
                ReductionConfig::TokenMean => Reduction::TokenMean,
                ReductionConfig::Sum => Reduction::Sum,
                ReductionConfig::ExampleMean => Reduction::ExampleMean,
                ReductionConfig::GlobalTokenMean => Reduction::GlobalTokenMean,
            }
        }
    }
}
