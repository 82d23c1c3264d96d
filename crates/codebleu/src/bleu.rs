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
    /// What [`Smoothing::Average`] wants to know besides; only [`BleuCounts::of`] counts it.
    #[serde(default, skip_serializing_if = "FifthOrder::is_empty")]
    pub fifth: FifthOrder,
}

/// The n-grams of order 5, beyond those that BLEU is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FifthOrder {
    /// Those of the hypothesis found in a reference, counted as in [`BleuCounts::matches`].
    pub matches: u64,
    /// Those of the hypothesis, at least 1 for each.
    pub total: u64,
}

impl FifthOrder {
    fn is_empty(&self) -> bool {
        *self == FifthOrder::default()
    }

    fn of(sequences: &[&[u32]]) -> FifthOrder {
        const ORDER: usize = 5;
        let counts = |tokens: &&[u32]| {
            let mut counts: FxHashMap<Vec<u32>, u64> = FxHashMap::default();
            for ngram in tokens.windows(ORDER) {
                *counts.entry(ngram.to_vec()).or_default() += 1;
            }
            counts
        };
        let references: Vec<_> = sequences[1..].iter().map(counts).collect();
        let clipped = |(ngram, count): (Vec<u32>, u64)| {
            let most = references.iter().filter_map(|counts| counts.get(&ngram)).max();
            count.min(most.copied().unwrap_or(0))
        };
        FifthOrder {
            matches: counts(&sequences[0]).into_iter().map(clipped).sum(),
            total: number_of(sequences[0].len(), ORDER - 1).max(1),
        }
    }
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
        counts.fifth = FifthOrder::of(&sequences);
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
            fifth: FifthOrder::default(),
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
        self.fifth.matches += other.fifth.matches;
        self.fifth.total += other.fifth.total;
    }
}

/// What is done about orders without a match, which would make the score 0.
///
/// Applied to the counts as they are given: to the sums for a corpus. The methods of nltk are those
/// of Chen and Cherry, *A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU*
/// (WMT 2014), as nltk 3.10 computes them.
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
    /// 1 added to matches and n-grams from the second order on, and one n-gram where a hypothesis is
    /// too short for any: nltk's `method2` (Lin and Och 2004).
    LinOch,
    /// Half as many matches for each further order without one: nltk's `method3`, which is
    /// [`Exp`](Self::Exp) but for hypotheses too short for an order.
    Nist,
    /// As [`Nist`](Self::Nist), times ln(length of the hypothesis) / k, so that short hypotheses
    /// gain less: nltk's `method4`, with k = 5.
    Length {
        /// By which the logarithm is divided.
        k: f64,
    },
    /// The mean of the precisions of the order itself, of the one below (averaged already) and of the
    /// one above: nltk's `method5`. nltk takes the precision above the fourth order from the last
    /// hypothesis of a corpus, this from all of it.
    Average,
    /// From the third order on the precision is drawn towards what the two orders below let expect:
    /// nltk's `method6`, with alpha = 5. nltk refuses where no trigram matches.
    Interpolate {
        /// How many n-grams the expectation counts for.
        alpha: f64,
    },
    /// [`Average`](Self::Average) of [`Length`](Self::Length): nltk's `method7`.
    LengthAverage {
        /// See [`Length`](Self::Length).
        k: f64,
    },
}

impl Smoothing {
    /// The precisions as nltk's method has them, for those that need more than one order; 0 stands
    /// for an order that is left out.
    fn nltk(self, counts: &BleuCounts) -> [f64; ORDERS] {
        let matches = counts.matches.map(|count| count as f64);
        let totals: [f64; ORDERS] =
            std::array::from_fn(|order| (counts.totals[order] + counts.too_short[order]) as f64);
        let plain: [f64; ORDERS] = std::array::from_fn(|order| matches[order] / totals[order]);
        let geometric = |first: f64| {
            let mut precisions = plain;
            let mut numerator = first;
            for order in (0..ORDERS).filter(|&order| counts.matches[order] == 0) {
                numerator /= 2.0;
                precisions[order] = numerator / totals[order];
            }
            precisions
        };
        let by_length = |k: f64| match counts.hypothesis_length {
            0 | 1 => plain,
            length => geometric((length as f64).ln() / k),
        };
        let averaged = |precisions: [f64; ORDERS]| {
            let fifth = counts.fifth.matches as f64 / counts.fifth.total.max(1) as f64;
            let mut below = precisions[0] + 1.0;
            std::array::from_fn(|order| {
                let above = precisions.get(order + 1).copied().unwrap_or(fifth);
                below = (below + precisions[order] + above) / 3.0;
                below
            })
        };
        match self {
            Smoothing::LinOch => std::array::from_fn(|order| match order {
                0 => plain[0],
                _ => (matches[order] + 1.0) / (totals[order] + 1.0),
            }),
            Smoothing::Nist => geometric(1.0),
            Smoothing::Length { k } => by_length(k),
            Smoothing::Average => averaged(plain),
            Smoothing::LengthAverage { k } => averaged(by_length(k)),
            Smoothing::Interpolate { alpha } => {
                let mut precisions = plain;
                for order in 2..ORDERS {
                    let expected = match precisions[order - 2] {
                        0.0 => 0.0,
                        before => precisions[order - 1].powi(2) / before,
                    };
                    let total = counts.totals[order] as f64;
                    precisions[order] = (matches[order] + alpha * expected) / (total + alpha);
                }
                precisions
            }
            _ => plain,
        }
    }
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
            smoothing @ (Smoothing::LinOch
            | Smoothing::Nist
            | Smoothing::Length { .. }
            | Smoothing::Average
            | Smoothing::Interpolate { .. }
            | Smoothing::LengthAverage { .. }) => {
                if counts.matches[0] == 0 {
                    return 0.0;
                }
                // nltk passes over precisions of 0.
                smoothing.nltk(counts).map(|share| if share > 0.0 { share } else { 1.0 })
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

    /// Rows: nltk's methods 2 to 7; columns: hypotheses beside the two references. The values are
    /// those of nltk 3.10.4, by `tests/golden/nltk_smoothing.py`; none where nltk refuses.
    #[test]
    fn smoothing_is_as_in_nltk() {
        const REFERENCES: [&str; 2] = [
            "It is a guide to action that ensures that the military will forever heed Party commands",
            "It is the guiding principle which guarantees the military forces always being under \
             the command of the Party",
        ];
        const HYPOTHESES: [&str; 5] = [
            "It is a guide to action which ensures that the military always obeys the commands of \
             the party",
            "It is to insure the troops forever hearing the activity guidebook that party direct",
            "the guide is a action",
            "It is",
            "Party",
        ];
        let rows = [
            (
                Smoothing::LinOch,
                [
                    Some(0.5020749205306333),
                    Some(0.12680745097494606),
                    Some(0.04734474983588949),
                    Some(0.0006447979214853162),
                    Some(1.8189060801830698e-07),
                ],
            ),
            (
                Smoothing::Nist,
                [
                    Some(0.46575793908279883),
                    Some(0.0673439544434734),
                    Some(0.029766435581811558),
                    Some(0.0005422082607400484),
                    Some(1.0815280260377084e-07),
                ],
            ),
            (
                Smoothing::Length { k: 5.0 },
                [
                    Some(0.46575793908279883),
                    Some(0.048925810042889525),
                    Some(0.0168880281502199),
                    Some(0.0002018802613468244),
                    Some(3.059023205018258e-07),
                ],
            ),
            (
                Smoothing::Average,
                [
                    Some(0.549073605537025),
                    Some(0.12499519664711378),
                    Some(0.026993850403718368),
                    Some(0.000356019690019278),
                    Some(5.887092902915344e-08),
                ],
            ),
            (
                Smoothing::Interpolate { alpha: 5.0 },
                [Some(0.4590164013544815), None, None, None, None],
            ),
            (
                Smoothing::LengthAverage { k: 5.0 },
                [
                    Some(0.549073605537025),
                    Some(0.13956793479752),
                    Some(0.03203192895260373),
                    Some(0.00039748749612848245),
                    Some(5.887092902915344e-08),
                ],
            ),
        ];
        let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
        let references = REFERENCES.map(words);
        let references: Vec<&[&str]> = references.iter().map(Vec::as_slice).collect();
        for (smoothing, expected) in rows {
            for (hypothesis, expected) in HYPOTHESES.into_iter().zip(expected) {
                let Some(expected) = expected else { continue };
                let counts = BleuCounts::of(&references, &words(hypothesis));
                let score = Bleu { smoothing, effective_order: false }.score(&counts);
                assert!((score - expected).abs() < 1e-12, "{smoothing:?} {hypothesis}: {score}");
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
