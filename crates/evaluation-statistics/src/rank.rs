//! Ranks and how well two rankings agree.

use crate::StatisticsError;

/// Ranks from 1; equal values share the mean of theirs. O(n log n). Values are compared by
/// [`f64::total_cmp`], so that what is not a number ranks last.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&one, &two| values[one].total_cmp(&values[two]));
    let mut ranks = vec![0.0; values.len()];
    for (start, tie) in ties(&order, values) {
        let shared = start as f64 + (tie.len() as f64 + 1.0) / 2.0;
        tie.iter().for_each(|&at| ranks[at] = shared);
    }
    ranks
}

/// Runs of equal values in a sorted order, each with where it starts.
fn ties<'a>(order: &'a [usize], values: &'a [f64]) -> impl Iterator<Item = (usize, &'a [usize])> {
    let mut start = 0;
    order.chunk_by(|&one, &two| values[one] == values[two]).map(move |tie| {
        let at = start;
        start += tie.len();
        (at, tie)
    })
}

/// Sizes of the groups of equal values.
pub(crate) fn tie_sizes(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&one, &two| values[one].total_cmp(&values[two]));
    ties(&order, values).map(|(_, tie)| tie.len()).collect()
}

/// Pearson's r; not a number where one side does not vary.
///
/// # Errors
/// [`StatisticsError::Lengths`].
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64, StatisticsError> {
    same_length(x, y)?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        xy += (x - mx) * (y - my);
        xx += (x - mx) * (x - mx);
        yy += (y - my) * (y - my);
    }
    Ok(if xx > 0.0 && yy > 0.0 { xy / (xx * yy).sqrt() } else { f64::NAN })
}

/// Spearman's ρ: Pearson's r of the ranks. O(n log n).
///
/// # Errors
/// [`StatisticsError::Lengths`].
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64, StatisticsError> {
    pearson(&ranks(x), &ranks(y))
}

/// Kendall's τ-b, in which ties count for neither side; not a number where one side does not vary.
/// O(n²).
///
/// # Errors
/// [`StatisticsError::Lengths`].
pub fn kendall(x: &[f64], y: &[f64]) -> Result<f64, StatisticsError> {
    same_length(x, y)?;
    let (mut same, mut other, mut only_x, mut only_y) = (0_u64, 0_u64, 0_u64, 0_u64);
    for i in 0..x.len() {
        for j in 0..i {
            match (x[i].partial_cmp(&x[j]), y[i].partial_cmp(&y[j])) {
                (Some(one), Some(two)) if one.is_eq() && two.is_eq() => {}
                (Some(one), Some(_)) if one.is_eq() => only_y += 1,
                (Some(_), Some(two)) if two.is_eq() => only_x += 1,
                (Some(one), Some(two)) if one == two => same += 1,
                (Some(_), Some(_)) => other += 1,
                _ => {}
            }
        }
    }
    let untied = same + other;
    let pairs = ((untied + only_x) as f64 * (untied + only_y) as f64).sqrt();
    Ok(if pairs > 0.0 { (same as f64 - other as f64) / pairs } else { f64::NAN })
}

fn same_length(x: &[f64], y: &[f64]) -> Result<(), StatisticsError> {
    match x.len() == y.len() {
        true => Ok(()),
        false => Err(StatisticsError::Lengths { what: "values", one: x.len(), two: y.len() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(tie_sizes(&[3.0, 1.0, 3.0, 2.0]), [1, 1, 2]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn what_does_not_vary_has_no_correlation() {
        for correlation in [pearson, spearman, kendall] {
            assert!(correlation(&[1.0, 1.0], &[1.0, 2.0]).unwrap().is_nan());
            assert!(correlation(&[], &[]).unwrap().is_nan());
            assert!(correlation(&[1.0], &[]).is_err());
        }
    }

    proptest! {
        #[test]
        fn correlations_are_symmetric_bounded_and_blind_to_growing_maps(
            pairs in prop::collection::vec((0_u8..6, 0_u8..6), 2..30)
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) =
                pairs.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
            let grown: Vec<f64> = x.iter().map(|x| x.exp()).collect();
            for correlation in [spearman, kendall] {
                let r = correlation(&x, &y).unwrap();
                if !r.is_nan() {
                    prop_assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&r));
                    prop_assert!((r - correlation(&y, &x).unwrap()).abs() < 1e-12);
                    prop_assert!((r - correlation(&grown, &y).unwrap()).abs() < 1e-12);
                    prop_assert!((correlation(&x, &x).unwrap() - 1.0).abs() < 1e-12);
                }
            }
        }
    }
}
