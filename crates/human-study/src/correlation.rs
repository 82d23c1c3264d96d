//! Which metric ranks answers as people do.

use std::collections::BTreeMap;

use evaluation_statistics::rank::{kendall, spearman};
use evaluation_statistics::{Plan, bootstrap};
use serde::Serialize;

use crate::StudyError;
use crate::ratings::Ratings;

/// How well one metric's order of answers agrees with that of people's mean scores. What is
/// undefined, because one side does not vary, is not a number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricAgreement {
    /// The metric.
    pub metric: String,
    /// Kendall's τ-b.
    pub kendall: f64,
    /// Lower end of its 95 % bootstrap interval over answers.
    pub kendall_low: f64,
    /// Its upper end.
    pub kendall_high: f64,
    /// Spearman's ρ.
    pub spearman: f64,
    /// Lower end of its interval.
    pub spearman_low: f64,
    /// Its upper end.
    pub spearman_high: f64,
    /// How far its τ-b lies below that of the best metric here.
    pub behind_best: f64,
    /// Lower end of that difference's interval: above 0 the best is better for sure.
    pub behind_low: f64,
    /// Its upper end.
    pub behind_high: f64,
    /// Answers that have both a score and a rating.
    pub n: usize,
}

/// The score of one answer under several metrics, by item and system.
pub type MetricScores = BTreeMap<(String, String), BTreeMap<String, f64>>;

/// Correlates every metric with the mean score of each answer for `criterion`, best first. Answers
/// without a rating, and metrics that some rated answer lacks, are left out.
///
/// O(resamples·metrics·answers²).
///
/// # Errors
/// [`StudyError::Design`] where no answer has both; [`StudyError::Statistics`].
pub fn correlate(
    ratings: &Ratings,
    criterion: &str,
    scores: &MetricScores,
    plan: &Plan,
) -> Result<Vec<MetricAgreement>, StudyError> {
    let mut people = Vec::new();
    let mut scored = Vec::new();
    for ((item, system), given) in ratings.units(criterion) {
        if let Some(metrics) = scores.get(&(item.to_owned(), system.to_owned())) {
            people.push(given.iter().sum::<f64>() / given.len() as f64);
            scored.push(metrics);
        }
    }
    let Some(first) = scored.first() else {
        return Err(StudyError::Design(format!(
            "no answer has both a rating for {criterion:?} and a score"
        )));
    };
    let names = first.keys().filter(|name| scored.iter().all(|s| s.contains_key(*name)));
    let columns: Vec<(&String, Vec<f64>)> =
        names.map(|name| (name, scored.iter().map(|s| s[name]).collect())).collect();
    let statistics = |source| StudyError::Statistics { what: "correlation".into(), source };
    let mut taus = Vec::with_capacity(columns.len());
    for (_, values) in &columns {
        taus.push(kendall(&people, values).map_err(statistics)?);
    }
    let defined = (0..taus.len()).filter(|&at| !taus[at].is_nan());
    let best = defined.max_by(|&one, &two| taus[one].total_cmp(&taus[two])).unwrap_or(0);
    let pick =
        |values: &[f64], draw: &[usize]| draw.iter().map(|&at| values[at]).collect::<Vec<_>>();
    let figures = |draw: &[usize]| {
        let people = pick(&people, draw);
        let drawn: Vec<Vec<f64>> = columns.iter().map(|(_, values)| pick(values, draw)).collect();
        // Both sides are equally long.
        let taus: Vec<f64> =
            drawn.iter().map(|values| kendall(&people, values).unwrap_or(f64::NAN)).collect();
        let rhos = drawn.iter().map(|values| spearman(&people, values).unwrap_or(f64::NAN));
        let best = taus.get(best).copied().unwrap_or(f64::NAN);
        let behind: Vec<f64> = taus.iter().map(|tau| best - tau).collect();
        taus.iter().copied().chain(rhos).chain(behind).collect()
    };
    let found = bootstrap(people.len(), figures, plan).map_err(statistics)?;
    let many = columns.len();
    let mut lines: Vec<MetricAgreement> = columns
        .iter()
        .enumerate()
        .map(|(at, (name, _))| {
            let [tau, rho, behind] = [found[at], found[many + at], found[2 * many + at]];
            MetricAgreement {
                metric: (*name).clone(),
                kendall: tau.value,
                kendall_low: tau.low,
                kendall_high: tau.high,
                spearman: rho.value,
                spearman_low: rho.low,
                spearman_high: rho.high,
                behind_best: behind.value,
                behind_low: behind.low,
                behind_high: behind.high,
                n: people.len(),
            }
        })
        .collect();
    lines.sort_by(|one, two| {
        one.kendall.is_nan().cmp(&two.kendall.is_nan()).then(two.kendall.total_cmp(&one.kendall))
    });
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rating;

    #[test]
    fn the_metric_that_ranks_as_people_do_comes_first() {
        let mut ratings = Ratings::default();
        let mut scores = MetricScores::new();
        for item in 0..20 {
            for rater in ["1", "2"] {
                ratings.ratings.push(Rating {
                    item: item.to_string(),
                    system: "s".into(),
                    rater: rater.into(),
                    criterion: "c".into(),
                    score: f64::from(item / 4),
                });
            }
            let values = [("same", f64::from(item)), ("flat", 1.0), ("odd", f64::from(item % 2))];
            let values = values.map(|(name, value)| (name.to_owned(), value));
            scores.insert((item.to_string(), "s".into()), values.into_iter().collect());
        }
        let plan = Plan { resamples: 100, ..Plan::default() };
        let found = correlate(&ratings, "c", &scores, &plan).unwrap();
        let names: Vec<&str> = found.iter().map(|line| line.metric.as_str()).collect();
        assert_eq!(names, ["same", "odd", "flat"]);
        assert!(found[0].kendall > 0.9 && found[0].behind_best == 0.0 && found[0].n == 20);
        assert!(found[1].behind_low > 0.0);
        assert!(found[2].kendall.is_nan());
        assert!(correlate(&ratings, "other", &scores, &plan).is_err());
    }
}
