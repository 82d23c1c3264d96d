//! Metrics: how good an answer is beside its references.

use std::error::Error;

/// A measure of one hypothesis beside its references, deterministic and without state.
///
/// Higher is better and 1 is a perfect match. Corpus figures that are not means of these belong to
/// the metric's own crate (CodeBLEU sums counts).
pub trait Metric: Send + Sync {
    /// A short name for tables, for example `codebleu`.
    fn name(&self) -> &str;

    /// The score, or why there is none.
    ///
    /// # Errors
    /// Whatever keeps this metric from scoring the texts, such as a language that it does not know.
    fn score(
        &self,
        references: &[&str],
        hypothesis: &str,
    ) -> Result<f64, Box<dyn Error + Send + Sync>>;
}

impl<M: Metric + ?Sized> Metric for &M {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn score(
        &self,
        references: &[&str],
        hypothesis: &str,
    ) -> Result<f64, Box<dyn Error + Send + Sync>> {
        (**self).score(references, hypothesis)
    }
}

impl<M: Metric + ?Sized> Metric for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn score(
        &self,
        references: &[&str],
        hypothesis: &str,
    ) -> Result<f64, Box<dyn Error + Send + Sync>> {
        (**self).score(references, hypothesis)
    }
}
