//! BLEU in which keywords weigh five times as much as other tokens.
//!
//! Only single tokens are weighted; longer n-grams count alike, as in the CodeBLEU programs. Those
//! divide by the n-grams of the *references* ([`Side::Recall`], summed over all references);
//! CodeBLEU's definition divides by those of the *hypothesis* ([`Side::Precision`]).

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::bleu::{brevity_penalty, geometric_mean};
use crate::ngrams::{ORDERS, number_of};

/// What a keyword counts, in fifths.
pub const KEYWORD: u64 = 5;
/// What any other token counts, in fifths.
pub const OTHER: u64 = 1;

/// What the reference programs take for the length of every reference here: they ask for the length
/// of the pair (tokens, weights), so that brevity is penalised in texts of one or two tokens only.
const REFERENCE_PROGRAMS_LENGTH: u64 = 2;

/// Which side the matches are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// By the n-grams of the hypothesis; of several references the one with most of an n-gram
    /// counts.
    Precision,
    /// By the n-grams of the references, all references added up.
    Recall,
}

/// The counts behind a keyword-weighted score, of one hypothesis or of a corpus.
///
/// The first order is in fifths ([`KEYWORD`], [`OTHER`]), which keeps sums exact whatever their
/// order; the others are plain counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeywordCounts {
    /// n-grams found on both sides.
    pub matches: [u64; ORDERS],
    /// n-grams to be found, at least one whole for each hypothesis and reference.
    pub totals: [u64; ORDERS],
    /// Tokens of the hypothesis.
    pub hypothesis_length: u64,
    /// Tokens of the reference closest in length; with [`Side::Recall`] 2, as in the reference
    /// programs.
    pub reference_length: u64,
}

impl KeywordCounts {
    /// Everything but the matches; `sequences[0]` is the hypothesis, and `is_keyword` says for each
    /// token whether it is one.
    pub(crate) fn new(
        side: Side,
        sequences: &[&[u32]],
        is_keyword: &[bool],
        reference_length: u64,
    ) -> Self {
        let sides = match side {
            Side::Precision => &sequences[..1],
            Side::Recall => &sequences[1..],
        };
        let fifths = |&token: &u32| if is_keyword[token as usize] { KEYWORD } else { OTHER };
        let weight = |tokens: &[u32]| {
            let weight: u64 = tokens.iter().map(fifths).sum();
            // The reference programs count at least 1 whole, so that fewer than five plain tokens
            // never match in full; for the precision that would only be a fault.
            match side {
                Side::Recall => weight.max(KEYWORD),
                Side::Precision if weight == 0 => KEYWORD,
                Side::Precision => weight,
            }
        };
        let total = |order, tokens: &[u32]| match order {
            0 => weight(tokens),
            _ => number_of(tokens.len(), order).max(1),
        };
        KeywordCounts {
            matches: [0; ORDERS],
            totals: std::array::from_fn(|order| {
                sides.iter().map(|tokens| total(order, tokens)).sum()
            }),
            hypothesis_length: sequences[0].len() as u64,
            reference_length: match side {
                Side::Precision => reference_length,
                Side::Recall => REFERENCE_PROGRAMS_LENGTH,
            },
        }
    }

    /// One distinct n-gram: how often the hypothesis and each reference have it.
    pub(crate) fn add_ngram(&mut self, side: Side, order: usize, keyword: bool, found: &[u32]) {
        let weight = match (order, keyword) {
            (0, true) => KEYWORD,
            _ => OTHER,
        };
        let matched: u64 = match side {
            Side::Precision => u64::from(found[0].min(*found[1..].iter().max().unwrap_or(&0))),
            Side::Recall => found[1..].iter().map(|&count| u64::from(count.min(found[0]))).sum(),
        };
        self.matches[order] += weight * matched;
    }

    /// The score, from 0 to 1, with 0.1 matches instead of none.
    pub fn score(&self) -> f64 {
        if self.matches[0] == 0 {
            return 0.0;
        }
        let shares: [f64; ORDERS] = std::array::from_fn(|order| {
            let matched = if self.matches[order] == 0 { 0.1 } else { self.matches[order] as f64 };
            matched / self.totals[order] as f64
        });
        brevity_penalty(self.hypothesis_length, self.reference_length) * geometric_mean(&shares)
    }
}

impl AddAssign for KeywordCounts {
    fn add_assign(&mut self, other: KeywordCounts) {
        for order in 0..ORDERS {
            self.matches[order] += other.matches[order];
            self.totals[order] += other.totals[order];
        }
        self.hypothesis_length += other.hypothesis_length;
        self.reference_length += other.reference_length;
    }
}
