//! Resampling: how sure a difference is.
//!
//! # The model
//!
//! Systems A and B answered the same problems, and may have been trained several times: a result is
//! the cell of a seed and a problem. The figure of a system is the mean over its seeds of the score
//! of all problems; the score is computed from sums over the problems ([`Sum`]).
//!
//! * **Interval**: the bootstrap's percentiles. Problems are drawn with replacement, the same for A
//!   and B and all seeds; with several seeds these are drawn with replacement too, crossed with the
//!   problems (Owen 2007, *The pigeonhole bootstrap*). Seeds and problems are both random effects:
//!   the interval says what to expect of other problems and of training again, and is rather too
//!   wide than too narrow.
//! * **p**: approximate randomisation (Noreen 1989). A's and B's results of a problem are exchanged,
//!   for all seeds together, by the toss of a coin; p is (r + 1) / (n + 1) for r of n tosses whose
//!   difference is at least as large. It is about problems, *given* these seeds: with the few seeds
//!   that anybody trains, no test of seeds alone can reject anything (five give at best 0.06).
//!
//! A [`Verdict`] asks for both, so that a difference that only these seeds show is not taken for one.

use rayon::prelude::*;
use serde::Serialize;

use crate::{Draw, StatisticsError};

/// What a score is computed from; that of several items is their sum.
pub trait Sum: Clone + Send + Sync {
    /// Adds another item's.
    fn add(&mut self, other: &Self);
}

impl Sum for f64 {
    fn add(&mut self, other: &f64) {
        *self += other;
    }
}

impl Sum for u64 {
    fn add(&mut self, other: &u64) {
        *self += other;
    }
}

impl<T: Sum, const N: usize> Sum for [T; N] {
    fn add(&mut self, other: &[T; N]) {
        self.iter_mut().zip(other).for_each(|(sum, item)| sum.add(item));
    }
}

impl<T: Sum> Sum for Vec<T> {
    /// Element by element; what the other has more of is left out.
    fn add(&mut self, other: &Vec<T>) {
        self.iter_mut().zip(other).for_each(|(sum, item)| sum.add(item));
    }
}

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Resamples, and exchanges.
    pub resamples: u32,
    /// Seed of the draws.
    pub seed: u64,
    /// What share of intervals holds the truth.
    pub level: f64,
}

impl Default for Plan {
    /// 10,000 resamples, seed 1, level 0.95.
    fn default() -> Plan {
        Plan { resamples: 10_000, seed: 1, level: 0.95 }
    }
}

impl Plan {
    fn check(&self) -> Result<(), StatisticsError> {
        if self.resamples == 0 {
            return Err(StatisticsError::Plan("0 resamples: at least one is needed"));
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(StatisticsError::Plan("the level of an interval lies between 0 and 1"));
        }
        Ok(())
    }

    /// One run of `work` for each resample, in parallel, in order.
    fn each<T: Send>(&self, work: impl Fn(Draw) -> T + Sync + Send) -> Vec<T> {
        let streams = (0..self.resamples).into_par_iter();
        streams.map(|stream| work(Draw::new(self.seed, stream.into()))).collect()
    }
}

/// A figure with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// The interval's lower end; not a number where no resample had the figure.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The difference between two systems in one figure. What is undefined is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// The figure of A.
    pub a: f64,
    /// The figure of B.
    pub b: f64,
    /// A less B.
    pub difference: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// Two-sided, by approximate randomisation.
    pub p: f64,
    /// The least true difference that a table of this size tells from none four times out of five:
    /// 2.8 standard errors.
    pub detectable: f64,
    /// Problems.
    pub n: usize,
    /// Seeds.
    pub seeds: usize,
}

/// What a difference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A is above B.
    Above,
    /// A is below B.
    Below,
    /// The table is too small, or the difference is, to tell the two apart.
    CannotTell,
}

/// Below so many problems an interval of bootstrap percentiles is too narrow to be relied on.
const FEW: usize = 10;

impl Comparison {
    /// What the difference says at a level of 0.05, `p` being [`Comparison::p`] corrected for the
    /// whole table ([`holm`](crate::holm())): both the p and the interval must exclude no difference,
    /// on at least ten problems.
    pub fn verdict(&self, p: f64) -> Verdict {
        match (self.low > 0.0, self.high < 0.0) {
            _ if p.is_nan() || p >= 0.05 || self.n < FEW => Verdict::CannotTell,
            (true, _) => Verdict::Above,
            (_, true) => Verdict::Below,
            _ => Verdict::CannotTell,
        }
    }
}

/// Compares systems A and B: each a list of seeds, and a seed a list of problems in the same order
/// everywhere. `score` computes the figures from a sum over problems; it is always asked for the
/// same number of them, and gives not a number where one is undefined.
///
/// See the [module](self) for the model. O(resamples·seeds·problems) additions, in parallel; the
/// result depends on the plan's seed alone.
///
/// # Errors
/// [`StatisticsError::Lengths`], [`StatisticsError::Empty`], [`StatisticsError::Plan`].
pub fn compare<'x, T: Sum>(
    a: &'x [&'x [T]],
    b: &'x [&'x [T]],
    score: impl Fn(&T) -> Vec<f64> + Sync,
    plan: &Plan,
) -> Result<Vec<Comparison>, StatisticsError> {
    plan.check()?;
    if a.len() != b.len() {
        return Err(StatisticsError::Lengths { what: "seeds", one: a.len(), two: b.len() });
    }
    let first = a.first().filter(|seed| !seed.is_empty()).ok_or(StatisticsError::Empty)?;
    let (n, seeds) = (first.len(), a.len());
    for seed in a.iter().chain(b) {
        if seed.len() != n {
            return Err(StatisticsError::Lengths { what: "problems", one: n, two: seed.len() });
        }
    }
    let every_seed: Vec<usize> = (0..seeds).collect();
    let every_problem: Vec<usize> = (0..n).collect();
    let figures = Figures { score: &score, count: score(&first[0]).len() };
    let of_a = figures.of(&every_seed, &every_problem, |seed, at| &a[seed][at]);
    let of_b = figures.of(&every_seed, &every_problem, |seed, at| &b[seed][at]);

    let drawn = plan.each(|mut draw| {
        let problems: Vec<usize> = (0..n).map(|_| draw.below(n)).collect();
        let seeds: Vec<usize> = (0..seeds).map(|_| draw.below(seeds)).collect();
        less(
            figures.of(&seeds, &problems, |seed, at| &a[seed][at]),
            figures.of(&seeds, &problems, |seed, at| &b[seed][at]),
        )
    });
    let exchanged = plan.each(|mut draw| {
        let swap: Vec<bool> = (0..n).map(|_| draw.coin()).collect();
        let from = |swapped: bool, seed: usize, at: usize| &(if swapped { b } else { a })[seed][at];
        less(
            figures.of(&every_seed, &every_problem, |seed, at| from(swap[at], seed, at)),
            figures.of(&every_seed, &every_problem, |seed, at| from(!swap[at], seed, at)),
        )
    });
    let comparison = |at: usize| {
        let difference = of_a[at] - of_b[at];
        let (low, high) = percentiles(&drawn, at, plan.level);
        // Sums in another order differ in their last bits.
        let as_large = difference.abs() * (1.0 - 1e-9) - 1e-15;
        let smaller = exchanged.iter().filter(|d| d[at].abs() < as_large).count();
        let larger = exchanged.len() - smaller;
        let p = (larger + 1) as f64 / (f64::from(plan.resamples) + 1.0);
        Comparison {
            a: of_a[at],
            b: of_b[at],
            difference,
            low,
            high,
            p: if difference.is_nan() { f64::NAN } else { p },
            detectable: 2.8 * deviation(&drawn, at),
            n,
            seeds,
        }
    };
    Ok((0..figures.count).map(comparison).collect())
}

/// The figures that are compared.
struct Figures<'s, S> {
    score: &'s S,
    count: usize,
}

impl<S> Figures<'_, S> {
    /// The mean over seeds of the score of their problems, each cell taken from where `pick` says.
    fn of<'x, T: Sum + 'x>(
        &self,
        seeds: &[usize],
        problems: &[usize],
        pick: impl Fn(usize, usize) -> &'x T,
    ) -> Vec<f64>
    where
        S: Fn(&T) -> Vec<f64>,
    {
        let mut total = vec![0.0; self.count];
        for &seed in seeds {
            let sum = sum(problems.iter().map(|&at| pick(seed, at)));
            total.add(&sum.map_or_else(Vec::new, |sum| (self.score)(&sum)));
        }
        total.iter_mut().for_each(|value| *value /= seeds.len() as f64);
        total
    }
}

fn less(mut a: Vec<f64>, b: Vec<f64>) -> Vec<f64> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a -= b);
    a
}

/// Figures of one list of items with their bootstrap intervals: items are drawn with replacement
/// and `score` computes the figures from their sum, not a number where one is undefined.
///
/// O(resamples·items) additions, in parallel.
///
/// # Errors
/// [`StatisticsError::Empty`], [`StatisticsError::Plan`].
pub fn interval<T: Sum>(
    items: &[T],
    score: impl Fn(&T) -> Vec<f64> + Sync,
    plan: &Plan,
) -> Result<Vec<Interval>, StatisticsError> {
    let figures = |draw: &[usize]| {
        sum(draw.iter().map(|&at| &items[at])).map_or_else(Vec::new, |sum| score(&sum))
    };
    bootstrap(items.len(), figures, plan)
}

/// Figures of `n` items that are computed from no sum, such as a rank correlation: `figures` is
/// given the numbers of the items, with repetitions, and always gives the same number of figures.
///
/// # Errors
/// [`StatisticsError::Empty`], [`StatisticsError::Plan`].
pub fn bootstrap(
    n: usize,
    figures: impl Fn(&[usize]) -> Vec<f64> + Sync,
    plan: &Plan,
) -> Result<Vec<Interval>, StatisticsError> {
    plan.check()?;
    if n == 0 {
        return Err(StatisticsError::Empty);
    }
    let found = figures(&(0..n).collect::<Vec<_>>());
    let drawn = plan.each(|mut draw| figures(&(0..n).map(|_| draw.below(n)).collect::<Vec<_>>()));
    let intervals = found.iter().enumerate().map(|(at, &value)| {
        let (low, high) = percentiles(&drawn, at, plan.level);
        Interval { value, low, high }
    });
    Ok(intervals.collect())
}

fn sum<'x, T: Sum + 'x>(mut items: impl Iterator<Item = &'x T>) -> Option<T> {
    let mut sum = items.next()?.clone();
    items.for_each(|item| sum.add(item));
    Some(sum)
}

/// The defined values of figure `at`, sorted.
fn column(drawn: &[Vec<f64>], at: usize) -> Vec<f64> {
    let defined = |row: &Vec<f64>| row.get(at).copied().filter(|value| !value.is_nan());
    let mut column: Vec<f64> = drawn.iter().filter_map(defined).collect();
    column.sort_by(f64::total_cmp);
    column
}

/// The ends of the middle `level` of the resamples' values.
fn percentiles(drawn: &[Vec<f64>], at: usize, level: f64) -> (f64, f64) {
    let sorted = column(drawn, at);
    let quantile = |share: f64| {
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        let place = share * last as f64;
        let below = place.floor() as usize;
        let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
        low + (high - low) * place.fract()
    };
    (quantile((1.0 - level) / 2.0), quantile((1.0 + level) / 2.0))
}

fn deviation(drawn: &[Vec<f64>], at: usize) -> f64 {
    let values = column(drawn, at);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(sum: &[f64; 2]) -> Vec<f64> {
        vec![sum[0] / sum[1]]
    }

    fn items(values: impl IntoIterator<Item = f64>) -> Vec<[f64; 2]> {
        values.into_iter().map(|value| [value, 1.0]).collect()
    }

    fn noise(stream: u64, n: usize) -> Vec<f64> {
        let mut draw = Draw::new(7, stream);
        (0..n).map(|_| draw.below(1000) as f64 / 1000.0).collect()
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let (a, b) = (items(noise(1, 50)), items(noise(2, 50)));
        let plan = Plan { resamples: 500, ..Plan::default() };
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| compare(&[&a], &[&b], mean, &plan).unwrap())
        };
        assert_eq!(on(1), on(3));
        let other = Plan { seed: 2, ..plan };
        assert_ne!(compare(&[&a], &[&b], mean, &other).unwrap()[0].low, on(1)[0].low);
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_theory() {
        let values = noise(3, 400);
        let found = interval(&items(values.iter().copied()), mean, &Plan::default()).unwrap()[0];
        let middle = values.iter().sum::<f64>() / 400.0;
        let variance = values.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / 400.0;
        let half = 1.96 * (variance / 400.0).sqrt();
        assert!((found.value - middle).abs() < 1e-12);
        assert!((found.low - (middle - half)).abs() < 0.05 * half, "{found:?} {half}");
        assert!((found.high - (middle + half)).abs() < 0.05 * half, "{found:?} {half}");
    }

    #[test]
    fn under_no_difference_a_twentieth_of_tables_looks_significant() {
        let plan = Plan { resamples: 199, ..Plan::default() };
        let (mut rejected, mut outside) = (0, 0);
        for table in 0..400 {
            let (a, b) = (items(noise(2 * table, 30)), items(noise(2 * table + 1, 30)));
            let found = compare(&[&a], &[&b], mean, &plan).unwrap()[0];
            rejected += u32::from(found.p <= 0.05);
            outside += u32::from(found.low > 0.0 || found.high < 0.0);
        }
        // Expected 20 of 400, standard deviation 4.4; percentiles of 30 items are a little narrow.
        assert!((7..=35).contains(&rejected), "{rejected}");
        assert!((7..=48).contains(&outside), "{outside}");
    }

    #[test]
    fn seeds_that_disagree_widen_the_interval() {
        let base = noise(5, 100);
        let a: Vec<Vec<[f64; 2]>> =
            [0.3, 0.0, -0.3].iter().map(|by| items(base.iter().map(|x| x + by + 0.1))).collect();
        let b: Vec<Vec<[f64; 2]>> = (0..3).map(|_| items(base.iter().copied())).collect();
        let a: Vec<&[[f64; 2]]> = a.iter().map(Vec::as_slice).collect();
        let b: Vec<&[[f64; 2]]> = b.iter().map(Vec::as_slice).collect();
        let found = compare(&a, &b, mean, &Plan::default()).unwrap()[0];
        assert!((found.difference - 0.1).abs() < 1e-12 && found.seeds == 3);
        // Given these seeds the difference is sure; of training again nothing is known.
        assert!(found.p < 0.001 && found.low < 0.0, "{found:?}");
        assert_eq!(found.verdict(found.p), Verdict::CannotTell);
        let one = compare(&a[1..2], &b[1..2], mean, &Plan::default()).unwrap()[0];
        assert_eq!(one.verdict(one.p), Verdict::Above);
    }

    #[test]
    fn small_and_equal_tables_cannot_tell() {
        let (a, b) = (items([1.0; 6]), items([0.0; 6]));
        let few = compare(&[&a], &[&b], mean, &Plan::default()).unwrap()[0];
        assert_eq!((few.low, few.verdict(few.p)), (1.0, Verdict::CannotTell));
        assert!((0.02..0.045).contains(&few.p), "2 of 64 choices are as large: {few:?}");
        let same = compare(&[&a], &[&a], mean, &Plan::default()).unwrap()[0];
        assert_eq!((same.difference, same.p), (0.0, 1.0));
    }

    #[test]
    fn a_figure_that_is_undefined_is_no_number() {
        let plan = Plan { resamples: 20, ..Plan::default() };
        let nothing = vec![[0.0, 0.0]; 12];
        let found = compare(&[&nothing], &[&items([1.0; 12])], mean, &plan).unwrap()[0];
        assert!(found.a.is_nan() && found.low.is_nan() && found.p.is_nan());
        assert_eq!(found.verdict(found.p), Verdict::CannotTell);
    }

    #[test]
    fn unusable_input_is_refused() {
        let (one, two) = (items([1.0]), items([1.0, 2.0]));
        let plan = Plan::default();
        let error = compare(&[&one], &[&two], mean, &plan).unwrap_err();
        assert_eq!(error, StatisticsError::Lengths { what: "problems", one: 1, two: 2 });
        assert_eq!(compare::<f64>(&[], &[], |s| vec![*s], &plan), Err(StatisticsError::Empty));
        assert_eq!(
            compare::<f64>(&[&[]], &[&[]], |s| vec![*s], &plan),
            Err(StatisticsError::Empty)
        );
        assert!(compare(&[&one, &one], &[&one], mean, &plan).is_err());
        assert!(interval(&one, mean, &Plan { resamples: 0, ..plan }).is_err());
        assert!(interval(&one, mean, &Plan { level: 1.0, ..plan }).is_err());
    }
}
