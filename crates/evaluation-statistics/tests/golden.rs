//! The figures of scipy and krippendorff: `golden/make.py` made them.

use evaluation_statistics::rank::{kendall, spearman};
use evaluation_statistics::rate::{poisson, wilson};
use evaluation_statistics::{Plan, compare, krippendorff, signed_ranks};
use serde_json::Value;

fn golden(part: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_str(include_str!("golden/statistics.json")).unwrap();
    let cases = golden[part].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Numbers; `null` is a missing one.
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64) {
    let off = (found - expected).abs();
    assert!(off <= relative * (1e-3 + expected.abs()), "{found} where {expected} was expected");
}

#[test]
fn intervals_of_shares_and_rates() {
    for case in golden("wilson") {
        let whole = |at: usize| case[at].as_u64().unwrap();
        let (low, high) = wilson(whole(0), whole(1), 0.95);
        close(low, number(&case[2]), 1e-9);
        close(high, number(&case[3]), 1e-9);
    }
    for case in golden("poisson") {
        let (low, high) = poisson(case[0].as_u64().unwrap(), 0.95);
        close(low, number(&case[1]), 1e-9);
        close(high, number(&case[2]), 1e-9);
    }
}

#[test]
fn signed_ranks_exact_with_ties_and_approximate() {
    let mut exact = 0;
    for case in golden("wilcoxon") {
        let test = signed_ranks(&numbers(&case[0]));
        exact += u32::from(test.exact);
        close(test.p, number(&case[1]), 1e-9);
    }
    assert_eq!(exact, 6);
}

#[test]
fn rank_correlations() {
    for case in golden("correlation") {
        let (x, y) = (numbers(&case[0]), numbers(&case[1]));
        close(kendall(&x, &y).unwrap(), number(&case[2]), 1e-9);
        close(spearman(&x, &y).unwrap(), number(&case[3]), 1e-9);
    }
}

#[test]
fn alphas_with_missing_ratings() {
    for case in golden("alpha") {
        let units: Vec<Vec<f64>> = case[0].as_array().unwrap().iter().map(numbers).collect();
        let found = krippendorff(&units, &Plan { resamples: 10, ..Plan::default() }).unwrap();
        for (found, expected) in found.iter().zip(numbers(&case[1])) {
            close(found.alpha.value, expected, 1e-9);
        }
    }
}

#[test]
fn a_paired_comparison() {
    for case in golden("bootstrap") {
        let items = |at: usize| -> Vec<[f64; 2]> {
            numbers(&case[at]).into_iter().map(|value| [value, 1.0]).collect()
        };
        let (a, b) = (items(0), items(1));
        let found =
            compare(&[&a], &[&b], |sum| vec![sum[0] / sum[1]], &Plan::default()).unwrap()[0];
        // Of 10,000 draws: the ends within a twentieth of the width, p within its own noise.
        let width = number(&case[3]) - number(&case[2]);
        assert!((found.low - number(&case[2])).abs() < 0.05 * width, "{found:?}");
        assert!((found.high - number(&case[3])).abs() < 0.05 * width, "{found:?}");
        assert!((found.p - number(&case[4])).abs() < 0.015, "{found:?} {}", case[4]);
    }
}
