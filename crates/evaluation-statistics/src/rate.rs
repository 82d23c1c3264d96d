//! Intervals of shares and of rates.

use crate::normal;

/// Wilson's interval (1927) of a share: `hits` out of `trials`, at `level` (0.95). From 0 to 1
/// where there were no trials.
pub fn wilson(hits: u64, trials: u64, level: f64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let z = normal::two_sided(level);
    let (n, p) = (trials as f64, hits.min(trials) as f64 / trials as f64);
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the formula gives them up to rounding.
    let low = if hits == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if hits >= trials { 1.0 } else { (middle + half).min(1.0) };
    (low, high)
}

/// The exact interval (Garwood 1936) of the mean of a Poisson number that came out as `count`, at
/// `level` (0.95). O(`count`).
pub fn poisson(count: u64, level: f64) -> (f64, f64) {
    let tail = ((1.0 - level) / 2.0).clamp(0.0, 0.5);
    // The mean at which at most `most` are seen with probability `chance`.
    let mean = |most: u64, chance: f64| {
        let (mut low, mut high) = (0.0, 2.0 * most as f64 + 800.0);
        for _ in 0..200 {
            let middle = (low + high) / 2.0;
            if at_most(most, middle) > chance { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    };
    let low = if count == 0 { 0.0 } else { mean(count - 1, 1.0 - tail) };
    (low, mean(count, tail))
}

/// The probability that a Poisson number of this mean is at most `most`.
fn at_most(most: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    // Terms as logarithms: e^-mean alone is 0 from 745 on.
    let mut log = -mean;
    let mut sum = log.exp();
    for k in 1..=most {
        log += (mean / k as f64).ln();
        sum += log.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_trials_tell_nothing() {
        assert_eq!(wilson(0, 0, 0.95), (0.0, 1.0));
        assert_eq!(wilson(3, 3, 0.95).1, 1.0);
    }
}
