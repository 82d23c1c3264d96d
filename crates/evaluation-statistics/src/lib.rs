//! Statistics for comparing systems that answered the same problems.
//!
//! ```
//! use evaluation_statistics::{Plan, compare, holm};
//!
//! // Per problem what the score is computed from: here right answers and answers.
//! let one: Vec<[f64; 2]> = (0..60).map(|i| [f64::from(i % 2 == 0), 1.0]).collect();
//! let two: Vec<[f64; 2]> = (0..60).map(|i| [f64::from(i % 3 == 0), 1.0]).collect();
//!
//! let share = |sum: &[f64; 2]| vec![sum[0] / sum[1]];
//! let found = &compare(&[&one], &[&two], share, &Plan::default())?[0];
//! assert!((found.difference - 1.0 / 6.0).abs() < 1e-12);
//! assert!(found.low < found.difference && found.difference < found.high);
//! assert_eq!(holm(&[0.01, 0.04]), [0.02, 0.04]);
//! # Ok::<(), evaluation_statistics::StatisticsError>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`resample`] | [`compare`]: difference, bootstrap interval and p by approximate randomisation, over problems and seeds; [`interval`], [`bootstrap`] |
//! | [`mod@holm`] | many tests at once |
//! | [`wilcoxon`] | signed ranks of paired ratings; [`cliffs_delta`] |
//! | [`alpha`] | Krippendorff's α |
//! | [`rank`] | ranks with ties, Spearman's ρ, Kendall's τ-b |
//! | [`rate`] | Wilson's interval of a share, the exact one of a Poisson rate |
//!
//! Scores of a corpus (BLEU, CodeBLEU) are no means over its pairs: they are computed from counts
//! that add up. Everything here resamples those counts and computes the score anew ([`Sum`]); a mean
//! is the special case of a sum and a number.
//!
//! All randomness follows from a seed and the number of the resample: results do not depend on
//! the number of threads.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod alpha;
pub mod holm;
mod normal;
mod random;
pub mod rank;
pub mod rate;
pub mod resample;
pub mod wilcoxon;

pub use alpha::{Scale, krippendorff};
pub use holm::holm;
pub use random::Draw;
pub use resample::{Comparison, Interval, Plan, Sum, Verdict, bootstrap, compare, interval};
pub use wilcoxon::{SignedRanks, cliffs_delta, signed_ranks};

/// What a caller can get wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// Nothing to compute from.
    #[error("no items")]
    Empty,
    /// Two things that have to be equally long.
    #[error("{what}: {one} and {two}, which must be equally many")]
    Lengths {
        /// What was counted.
        what: &'static str,
        /// How many on one side.
        one: usize,
        /// How many on the other.
        two: usize,
    },
    /// A plan that cannot be carried out.
    #[error("{0}")]
    Plan(&'static str),
}
