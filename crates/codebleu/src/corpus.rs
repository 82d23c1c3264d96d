//! Many pairs at once.

use rayon::prelude::*;

use crate::{CodebleuError, Counts, PairScore, Scorer, Scores};

/// References and a hypothesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair<'a> {
    /// What is right; at least one text.
    pub references: Vec<&'a str>,
    /// What is judged.
    pub hypothesis: &'a str,
}

/// The scores of a corpus, and of each pair of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusScore {
    /// The scores of the corpus, from its summed counts (see [`Counts`]): not the mean of the
    /// pairs.
    pub scores: Scores,
    /// The sums.
    pub counts: Counts,
    /// Each pair, in order.
    pub pairs: Vec<PairScore>,
}

impl Scorer {
    /// Scores all pairs, in parallel on rayon's current thread pool.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    /// Those of [`Scorer::score`], of the first pair that has one, with its number;
    /// [`CodebleuError::EmptyCorpus`].
    pub fn score_corpus(&self, pairs: &[Pair<'_>]) -> Result<CorpusScore, CodebleuError> {
        let scored: Vec<Result<PairScore, CodebleuError>> =
            pairs.par_iter().map(|pair| self.score(&pair.references, pair.hypothesis)).collect();
        let mut pairs = Vec::with_capacity(scored.len());
        let mut counts = Counts::new(self.variant());
        for (index, score) in scored.into_iter().enumerate() {
            let score =
                score.map_err(|source| CodebleuError::Pair { index, source: Box::new(source) })?;
            counts += score.counts;
            pairs.push(score);
        }
        if pairs.is_empty() {
            return Err(CodebleuError::EmptyCorpus);
        }
        Ok(CorpusScore { scores: counts.scores(self.weights()), counts, pairs })
    }
}
