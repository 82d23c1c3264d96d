//! Paired ratings: the signed-rank test, and how large a difference is.

use serde::Serialize;

use crate::normal;
use crate::rank::{ranks, tie_sizes};

/// Up to so many differences the distribution is counted out.
const EXACT: usize = 25;

/// Wilcoxon's signed-rank test (1945) of paired values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SignedRanks {
    /// Pairs that differ; the others are left out, as Wilcoxon does.
    pub n: usize,
    /// Sum of the ranks of positive differences.
    pub plus: f64,
    /// Sum of the ranks of negative differences.
    pub minus: f64,
    /// Two-sided p-value; 1 where no pair differs.
    pub p: f64,
    /// Whether `p` is exact: up to 25 pairs, ties or not (every choice of signs is counted). Above,
    /// it is the normal approximation with the variance corrected for ties.
    pub exact: bool,
}

impl SignedRanks {
    /// The matched-pairs rank biserial correlation (Kerby 2014): the ranks that speak for the first
    /// side less those for the second, as a share of all; from −1 to 1, 0 where no pair differs.
    pub fn rank_biserial(&self) -> f64 {
        match self.n {
            0 => 0.0,
            _ => (self.plus - self.minus) / (self.plus + self.minus),
        }
    }
}

/// Tests whether paired differences (first side less second) lie around 0. Differences that are no
/// numbers are left out. O(n log n); the exact distribution takes O(n³).
pub fn signed_ranks(differences: &[f64]) -> SignedRanks {
    let kept: Vec<f64> = differences.iter().copied().filter(|d| !d.is_nan() && *d != 0.0).collect();
    let sizes: Vec<f64> = kept.iter().map(|d| d.abs()).collect();
    let ranked = ranks(&sizes);
    let side = |positive: bool| -> f64 {
        let ranks = ranked.iter().zip(&kept);
        ranks.filter(|(_, d)| (**d > 0.0) == positive).map(|(rank, _)| rank).sum()
    };
    let (plus, minus) = (side(true), side(false));
    let n = kept.len();
    let exact = n <= EXACT;
    let p = match n {
        0 => 1.0,
        _ if exact => exact_p(&ranked, plus.min(minus)),
        _ => {
            let count = n as f64;
            let ties: f64 = tie_sizes(&sizes).iter().map(|&t| (t * t * t - t) as f64).sum();
            let variance = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0 - ties / 48.0;
            let z = (plus.min(minus) - count * (count + 1.0) / 4.0).abs() / variance.sqrt();
            2.0 * normal::upper(z)
        }
    };
    SignedRanks { n, plus, minus, p, exact }
}

/// Twice the share of the 2ⁿ choices of signs whose positive ranks add up to at most `smaller`.
fn exact_p(ranks: &[f64], smaller: f64) -> f64 {
    // Shared ranks are halves: doubled they are whole.
    let doubled: Vec<usize> = ranks.iter().map(|rank| (rank * 2.0).round() as usize).collect();
    let total: usize = doubled.iter().sum();
    let mut ways = vec![0.0_f64; total + 1];
    ways[0] = 1.0;
    let mut reached = 0;
    for rank in doubled {
        reached += rank;
        for sum in (rank..=reached).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    let most = (smaller * 2.0).round() as usize;
    let all: f64 = ways.iter().sum();
    (2.0 * ways[..=most.min(total)].iter().sum::<f64>() / all).min(1.0)
}

/// Cliff's δ (1993): how much likelier a value of `one` is above a value of `two` than below it;
/// from −1 to 1, not a number where a side is empty. O(n·m).
pub fn cliffs_delta(one: &[f64], two: &[f64]) -> f64 {
    let mut balance = 0_i64;
    for x in one {
        for y in two {
            balance += i64::from(x > y) - i64::from(x < y);
        }
    }
    balance as f64 / (one.len() as f64 * two.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_difference_is_no_evidence() {
        let test = signed_ranks(&[0.0, 0.0, f64::NAN]);
        assert_eq!((test.n, test.p, test.rank_biserial()), (0, 1.0, 0.0));
        assert!(cliffs_delta(&[], &[1.0]).is_nan());
    }

    #[test]
    fn all_one_way_is_one_choice_of_signs() {
        let test = signed_ranks(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((test.p, test.rank_biserial(), test.exact), (2.0 / 32.0, 1.0, true));
        assert_eq!(cliffs_delta(&[2.0, 3.0], &[1.0, 2.0]), 0.75);
    }

    proptest! {
        #[test]
        fn the_exact_p_is_the_share_of_sign_choices(values in prop::collection::vec(-4_i8..=4, 1..10)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).filter(|v| *v != 0.0).collect();
            let test = signed_ranks(&values);
            let sizes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
            let ranked = ranks(&sizes);
            let mut extreme = 0_u32;
            for signs in 0..1_u32 << values.len() {
                let plus: f64 = ranked.iter().enumerate()
                    .filter(|(at, _)| signs >> at & 1 == 1).map(|(_, rank)| rank).sum();
                let total: f64 = ranked.iter().sum();
                extreme += u32::from(plus.min(total - plus) <= test.plus.min(test.minus));
            }
            // Where both sides are level every choice counts, and twice.
            let share = f64::from(extreme) / f64::from(1_u32 << values.len());
            prop_assert!((test.p - share).abs() < 1e-12, "{} {share}", test.p);
        }
    }
}
