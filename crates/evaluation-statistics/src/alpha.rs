//! Krippendorff's α: how far ratings of the same things agree beyond chance.
//!
//! K. Krippendorff, *Content Analysis* (2004), chapter 11: α = 1 − observed / expected
//! disagreement, from the coincidences of values within units. Any number of raters, any rating may
//! be missing; a unit with fewer than two ratings tells nothing and is left out.

use serde::Serialize;

use crate::resample::{Interval, Plan, interval};
use crate::{StatisticsError, Sum};

/// What a difference between two ratings counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Any difference counts the same.
    Nominal,
    /// As many ratings as lie between the two, squared.
    Ordinal,
    /// Its square.
    Interval,
}

impl Scale {
    /// All three.
    pub const ALL: [Scale; 3] = [Scale::Nominal, Scale::Ordinal, Scale::Interval];
}

/// What [`krippendorff`] found for one scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Alpha {
    /// What a difference counts.
    pub scale: Scale,
    /// α with its bootstrap interval over units: 1 is agreement, 0 is chance; not a number where
    /// all ratings are equal, since then no disagreement can be expected.
    #[serde(flatten)]
    pub alpha: Interval,
}

/// α on every [`Scale`], of units that hold the ratings of one thing each (who gave which does
/// not matter). Ratings that are not finite count as missing. O(units·values + resamples·units·v²)
/// for v different values.
///
/// # Errors
/// [`StatisticsError::Empty`] where no unit has two ratings; [`StatisticsError::Plan`].
pub fn krippendorff(units: &[Vec<f64>], plan: &Plan) -> Result<Vec<Alpha>, StatisticsError> {
    let rated: Vec<Vec<f64>> = units
        .iter()
        .map(|unit| unit.iter().copied().filter(|value| value.is_finite()).collect())
        .filter(|unit: &Vec<f64>| unit.len() >= 2)
        .collect();
    let mut values: Vec<f64> = rated.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let coincidences: Vec<Coincidences> =
        rated.iter().map(|unit| Coincidences::of(unit, &values)).collect();
    let found = interval(
        &coincidences,
        |sum: &Coincidences| Scale::ALL.iter().map(|&scale| sum.alpha(scale, &values)).collect(),
        plan,
    )?;
    let scales = Scale::ALL.into_iter().zip(found);
    Ok(scales.map(|(scale, alpha)| Alpha { scale, alpha }).collect())
}

/// How often two values meet in a unit, the pairs of each rating weighing one in all. Those of
/// several units add up.
#[derive(Debug, Clone)]
struct Coincidences(Vec<f64>);

impl Sum for Coincidences {
    fn add(&mut self, other: &Coincidences) {
        self.0.add(&other.0);
    }
}

impl Coincidences {
    fn of(unit: &[f64], values: &[f64]) -> Coincidences {
        let mut counts = vec![0.0; values.len()];
        for rating in unit {
            counts[values.partition_point(|value| value < rating)] += 1.0;
        }
        let pairs = unit.len() as f64 - 1.0;
        let mut cells = Vec::with_capacity(values.len() * values.len());
        for (c, here) in counts.iter().enumerate() {
            for (k, there) in counts.iter().enumerate() {
                cells.push(here * (there - f64::from(c == k)) / pairs);
            }
        }
        Coincidences(cells)
    }

    fn alpha(&self, scale: Scale, values: &[f64]) -> f64 {
        let size = values.len();
        let totals: Vec<f64> = self.0.chunks(size).map(|row| row.iter().sum()).collect();
        let all: f64 = totals.iter().sum();
        let mut below = vec![0.0; size + 1];
        for (at, total) in totals.iter().enumerate() {
            below[at + 1] = below[at] + total;
        }
        let (mut observed, mut expected) = (0.0, 0.0);
        for c in 0..size {
            for k in c + 1..size {
                let difference = match scale {
                    Scale::Nominal => 1.0,
                    Scale::Ordinal => below[k + 1] - below[c] - (totals[c] + totals[k]) / 2.0,
                    Scale::Interval => values[c] - values[k],
                };
                observed += self.0[c * size + k] * difference * difference;
                expected += totals[c] * totals[k] * difference * difference;
            }
        }
        if expected > 0.0 { 1.0 - (all - 1.0) * observed / expected } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alphas(units: &[Vec<f64>]) -> [f64; 3] {
        let plan = Plan { resamples: 1, ..Plan::default() };
        let found = krippendorff(units, &plan).unwrap();
        [found[0].alpha.value, found[1].alpha.value, found[2].alpha.value]
    }

    #[test]
    fn the_published_example_has_the_published_alphas() {
        // Krippendorff (2004), figure 11.3: four observers, twelve units; 0 is no rating.
        let observers = [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
            [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
        ];
        let ratings = |unit: usize| observers.map(|row| f64::from(row[unit]));
        let given = |unit| ratings(unit).into_iter().filter(|rating| *rating > 0.0).collect();
        let units: Vec<Vec<f64>> = (0..12).map(given).collect();
        let rounded = alphas(&units).map(|alpha| (alpha * 1000.0).round() / 1000.0);
        assert_eq!(rounded, [0.743, 0.815, 0.849]);
    }

    #[test]
    fn perfect_agreement_is_one_and_no_variation_is_undefined() {
        assert_eq!(alphas(&[vec![1.0, 1.0], vec![2.0, 2.0, 2.0]]), [1.0; 3]);
        assert!(alphas(&[vec![1.0, 1.0], vec![1.0, 1.0]]).iter().all(|alpha| alpha.is_nan()));
        let nothing = krippendorff(&[vec![1.0], vec![2.0, f64::NAN]], &Plan::default());
        assert_eq!(nothing, Err(StatisticsError::Empty));
    }

    proptest! {
        #[test]
        fn lonely_ratings_and_the_order_of_raters_change_nothing(
            units in prop::collection::vec(prop::collection::vec(1_u8..=5, 2..5), 2..10)
        ) {
            let units: Vec<Vec<f64>> =
                units.iter().map(|unit| unit.iter().copied().map(f64::from).collect()).collect();
            let mut other: Vec<Vec<f64>> =
                units.iter().map(|unit| unit.iter().rev().copied().collect()).collect();
            other.push(vec![5.0]);
            for (one, two) in alphas(&units).into_iter().zip(alphas(&other)) {
                prop_assert!(one.is_nan() && two.is_nan() || (one - two).abs() < 1e-12);
                prop_assert!(one.is_nan() || one <= 1.0);
            }
        }
    }
}
