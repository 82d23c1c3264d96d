//! Many pairs at once.

use rayon::prelude::*;

use crate::score::Recurring;
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
    /// Scores each pair, in parallel on rayon's current thread pool. A text that occurs more than
    /// once is read once.
    ///
    /// The results are in the order of the pairs and do not depend on the number of threads. Errors
    /// are those of [`Scorer::score`].
    pub fn score_each(&self, pairs: &[Pair<'_>]) -> Vec<Result<PairScore, CodebleuError>> {
        let texts =
            pairs.iter().flat_map(|pair| pair.references.iter().copied().chain([pair.hypothesis]));
        let recurring = Recurring::among(texts, self);
        pairs
            .par_iter()
            // A thread that takes more at a time may be left to work alone at the end.
            .with_max_len(8)
            .map(|pair| {
                let counts = self.count_with(&pair.references, pair.hypothesis, &recurring)?;
                Ok(PairScore { scores: counts.scores(self.weights()), counts })
            })
            .collect()
    }

    /// Scores a corpus and each pair of it, as [`score_each`](Self::score_each).
    ///
    /// # Errors
    /// [`CodebleuError::Pair`] for the first pair that cannot be scored, with its number;
    /// [`CodebleuError::EmptyCorpus`].
    pub fn score_corpus(&self, pairs: &[Pair<'_>]) -> Result<CorpusScore, CodebleuError> {
        let scored = self.score_each(pairs);
        let mut pairs = Vec::with_capacity(scored.len());
        let mut counts = self.no_counts();
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
