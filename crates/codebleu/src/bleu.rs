//! BLEU from counts that add up.
//!
//! [`BleuCounts`] holds what one hypothesis or a whole corpus contributes; counts of parts added
//! together are the counts of the whole, so a corpus may be scored in pieces. [`Bleu`] turns counts
//! into a score, with the smoothing of nltk, sacrebleu or CodeXGLUE.
//!
//! ```
//! use codebleu::bleu::{Bleu, BleuCounts, Smoothing};
//!
//! let counts = BleuCounts::of(&[&["a", "b", "c", "d"]], &["a", "b", "c"]);
//! assert_eq!(counts.matches, [3, 2, 1, 0]);
//! let score = Bleu::default().score(&counts);
//! assert!((score - 0.4029).abs() < 5e-5);
//! assert_eq!(Bleu { smoothing: Smoothing::None, ..Bleu::default() }.score(&counts), 0.0);
//! ```

use std::hash::Hash;
use std::ops::AddAssign;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::ngrams::{ORDERS, for_each_ngram, number_of};

/// The counts behind a BLEU score, of one hypothesis or of a corpus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleuCounts {
    /// n-grams of the hypothesis found in a reference, of order 1 to 4; each counts at most as
    /// often as in the reference that has most of it.
    pub matches: [u64; ORDERS],
    /// n-grams of the hypothesis, of order 1 to 4.
    pub totals: [u64; ORDERS],
    /// Hypotheses too short to have an n-gram of the order. nltk and the CodeBLEU programs count
    /// one n-gram for them.
    pub too_short: [u64; ORDERS],
    /// Tokens of the hypothesis.
    pub hypothesis_length: u64,
    /// Tokens of the reference closest in length, the shorter of two equally close.
    pub reference_length: u64,
}

impl BleuCounts {
    /// Counts one hypothesis beside its references.
    pub fn of<T: Eq + Hash>(references: &[&[T]], hypothesis: &[T]) -> BleuCounts {
        let mut ids: FxHashMap<&T, u32> = FxHashMap::default();
        let mut number = |token| {
            let next = ids.len() as u32;
            *ids.entry(token).or_insert(next)
        };
        let mut sequences: Vec<Vec<u32>> = vec![hypothesis.iter().map(&mut number).collect()];
        sequences.extend(references.iter().map(|tokens| tokens.iter().map(&mut number).collect()));
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let mut counts = BleuCounts::lengths(&sequences);
        for_each_ngram(&sequences, ids.len(), |order, _, found| counts.add_ngram(order, found));
        counts
    }

    /// Everything but the matches; `sequences[0]` is the hypothesis.
    pub(crate) fn lengths(sequences: &[&[u32]]) -> BleuCounts {
        let length = sequences[0].len();
        let closest = sequences[1..]
            .iter()
            .map(|reference| reference.len())
            .min_by_key(|reference| (reference.abs_diff(length), *reference));
        let totals = std::array::from_fn(|order| number_of(length, order));
        BleuCounts {
            matches: [0; ORDERS],
            totals,
            too_short: totals.map(|total| u64::from(total == 0)),
            hypothesis_length: length as u64,
            reference_length: closest.unwrap_or(0) as u64,
        }
    }

    /// One distinct n-gram: how often the hypothesis and each reference have it.
    pub(crate) fn add_ngram(&mut self, order: usize, found: &[u32]) {
        let most = found[1..].iter().copied().max().unwrap_or(0);
        self.matches[order] += u64::from(found[0].min(most));
    }

    /// 1 for hypotheses longer than their references, falling towards 0 the shorter they are.
    pub fn brevity_penalty(&self) -> f64 {
        brevity_penalty(self.hypothesis_length, self.reference_length)
    }
}

pub(crate) fn brevity_penalty(hypothesis_length: u64, reference_length: u64) -> f64 {
    if hypothesis_length > reference_length {
        1.0
    } else if hypothesis_length == 0 {
        0.0
    } else {
        (1.0 - reference_length as f64 / hypothesis_length as f64).exp()
    }
}

impl AddAssign for BleuCounts {
    fn add_assign(&mut self, other: BleuCounts) {
        for order in 0..ORDERS {
            self.matches[order] += other.matches[order];
            self.totals[order] += other.totals[order];
            self.too_short[order] += other.too_short[order];
        }
        self.hypothesis_length += other.hypothesis_length;
        self.reference_length += other.reference_length;
    }
}

/// What is done about orders without a match, which would make the score 0.
///
/// Applied to the counts as they are given: to the sums for a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Smoothing {
    /// Nothing: the score is 0.
    None,
    /// This many matches instead of none, and one n-gram where a hypothesis is too short for any:
    /// nltk's `method1`, and with 0.1 what the CodeBLEU programs do.
    Epsilon(f64),
    /// (matches + 1) / (n-grams + 1) for every order, the first too: CodeXGLUE's text-to-code BLEU.
    AddOne,
    /// Half as much for each further order without a match: sacrebleu's `exp`.
    Exp,
    /// This many matches instead of none: sacrebleu's `floor`.
    Floor(f64),
    /// This many added to matches and n-grams from the second order on: sacrebleu's `add-k`.
    AddK(f64),
}

/// How counts become a score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bleu {
    /// What is done about orders without a match.
    pub smoothing: Smoothing,
    /// Leave out the orders that no hypothesis is long enough for, as sacrebleu's option of that
    /// name does for sentences. The epsilon and add-one smoothings have their own answer to short
    /// hypotheses and ignore it.
    pub effective_order: bool,
}

impl Default for Bleu {
    /// What the CodeBLEU programs compute: epsilon smoothing with 0.1.
    fn default() -> Bleu {
        Bleu { smoothing: Smoothing::Epsilon(0.1), effective_order: false }
    }
}

impl Bleu {
    /// The score, from 0 to 1.
    pub fn score(&self, counts: &BleuCounts) -> f64 {
        let matches = counts.matches.map(|count| count as f64);
        let totals = counts.totals.map(|count| count as f64);
        let precisions = match self.smoothing {
            Smoothing::Epsilon(epsilon) => {
                if counts.matches[0] == 0 {
                    return 0.0;
                }
                std::array::from_fn(|order| {
                    let matched = if matches[order] == 0.0 { epsilon } else { matches[order] };
                    matched / (totals[order] + counts.too_short[order] as f64)
                })
            }
            Smoothing::AddOne => {
                std::array::from_fn(|order| (matches[order] + 1.0) / (totals[order] + 1.0))
            }
            smoothing => {
                if counts.matches == [0; ORDERS] {
                    return 0.0;
                }
                let mut precisions = [0.0; ORDERS];
                let mut reached = 0;
                let mut halved = 1.0;
                for order in 0..ORDERS {
                    let added = match smoothing {
                        Smoothing::AddK(k) if order > 0 => k,
                        _ => 0.0,
                    };
                    let (matched, total) = (matches[order] + added, totals[order] + added);
                    if total == 0.0 {
                        break;
                    }
                    reached = order + 1;
                    precisions[order] = match smoothing {
                        _ if matched > 0.0 => matched / total,
                        Smoothing::Exp => {
                            halved /= 2.0;
                            halved / total
                        }
                        Smoothing::Floor(floor) => floor / total,
                        _ => 0.0,
                    };
                }
                if self.effective_order {
                    return counts.brevity_penalty() * geometric_mean(&precisions[..reached]);
                }
                precisions
            }
        };
        counts.brevity_penalty() * geometric_mean(&precisions)
    }
}

/// 0 where a factor is 0 or there is none.
pub(crate) fn geometric_mean(factors: &[f64]) -> f64 {
    if factors.is_empty() || factors.iter().any(|&factor| factor <= 0.0) {
        return 0.0;
    }
    let share = 1.0 / factors.len() as f64;
    factors.iter().map(|factor| share * factor.ln()).sum::<f64>().exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(hypothesis: &str) -> BleuCounts {
        let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
        let hypothesis: Vec<&str> = hypothesis.split(' ').collect();
        BleuCounts::of(&[&words("a b c d")], &hypothesis)
    }

    /// Rows: smoothing and effective order; columns: three hypotheses beside `a b c d`. The values
    /// are those that nltk 3.10.4 and sacrebleu 2.6.0 (tokenize=none) print.
    #[test]
    fn short_sentences_score_as_nltk_and_sacrebleu_say() {
        let rows = [
            (Smoothing::Epsilon(0.1), false, [0.1163, 0.4029, 0.0537]),
            (Smoothing::None, false, [0.0, 0.0, 0.0]),
            (Smoothing::Exp, false, [0.0, 0.0, 0.1068]),
            (Smoothing::Floor(0.1), false, [0.0, 0.0, 0.0537]),
            (Smoothing::AddK(1.0), false, [0.3679, 0.7165, 0.2403]),
            (Smoothing::Exp, true, [0.3679, 0.7165, 0.1068]),
        ];
        for (smoothing, effective_order, expected) in rows {
            let bleu = Bleu { smoothing, effective_order };
            for (hypothesis, expected) in ["a b", "a b c", "a x y z w"].into_iter().zip(expected) {
                let score = bleu.score(&counts(hypothesis));
                assert!((score - expected).abs() < 6e-5, "{bleu:?} {hypothesis}: {score}");
            }
        }
    }

    #[test]
    fn matches_are_clipped_by_the_reference_that_has_most() {
        let counts = BleuCounts::of(&[&["a", "a"], &["a", "b", "c"]], &["a", "a", "a", "b"]);
        assert_eq!(counts.matches, [3, 2, 0, 0]);
        assert_eq!((counts.hypothesis_length, counts.reference_length), (4, 3));
    }

    #[test]
    fn nothing_at_all_scores_nothing() {
        let none: [&str; 0] = [];
        let counts = BleuCounts::of(&[&none], &none);
        for smoothing in [
            Smoothing::None,
            Smoothing::Epsilon(0.1),
            Smoothing::AddOne,
            Smoothing::Exp,
            Smoothing::Floor(0.1),
            Smoothing::AddK(1.0),
        ] {
            assert_eq!(Bleu { smoothing, effective_order: false }.score(&counts), 0.0);
        }
    }
}
