//! The normal distribution.

/// The probability of a standard normal value above `z`.
pub(crate) fn upper(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// The `z` that is exceeded in absolute value with probability `1 − level`: 1.96 for 0.95.
pub(crate) fn two_sided(level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    // Halving 40 sixty times leaves less than the last bit.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if 2.0 * upper(middle) > 1.0 - level { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_tails_are_those_of_the_tables() {
        assert!((two_sided(0.95) - 1.959_963_984_540_054).abs() < 1e-12);
        assert!((upper(1.644_853_626_951_472_2) - 0.05).abs() < 1e-14);
        assert_eq!(two_sided(0.0), two_sided(-1.0).min(two_sided(0.0)));
    }
}
