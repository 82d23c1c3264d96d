//! What a study says: means, agreement, tests between systems, and where raters disagree.

use std::collections::BTreeMap;
use std::fmt::Write;

use evaluation_statistics::{Plan, cliffs_delta, holm, interval, signed_ranks};
use serde::Serialize;

use crate::StudyError;
use crate::ratings::{Agreement, Ratings};

/// All of it, as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyReport {
    /// Mean scores, system by system.
    pub means: Vec<Mean>,
    /// How far raters agree.
    pub agreement: Vec<Agreement>,
    /// Tests of every two systems, criterion by criterion, corrected together.
    pub tests: Vec<Test>,
    /// Answers on which raters lie 2 or more apart, the widest first.
    pub disagreements: Vec<Disagreement>,
}

/// The mean score of a system for a criterion: over problems, of the means over raters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mean {
    /// The system.
    pub system: String,
    /// The criterion.
    pub criterion: String,
    /// The mean.
    pub mean: f64,
    /// Lower end of its 95 % bootstrap interval over problems.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Problems.
    pub items: usize,
    /// Ratings.
    pub ratings: usize,
}

/// Wilcoxon's signed-rank test of two systems on the problems that both have ratings for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Test {
    /// The criterion.
    pub criterion: String,
    /// One system.
    pub a: String,
    /// The other.
    pub b: String,
    /// Mean of A's item means less B's.
    pub difference: f64,
    /// Problems that both have ratings for.
    pub n: usize,
    /// Those whose means differ.
    pub differing: usize,
    /// Two-sided.
    pub p: f64,
    /// Corrected after Holm for all tests here.
    pub p_holm: f64,
    /// Whether `p` is exact (up to 25 differing problems) or the normal approximation.
    pub exact: bool,
    /// Matched-pairs rank biserial correlation: positive where A is rated above B.
    pub rank_biserial: f64,
    /// Cliff's δ: the same, unpaired.
    pub cliffs_delta: f64,
}

/// An answer on which raters lie apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// The problem's id.
    pub item: String,
    /// The system.
    pub system: String,
    /// The criterion.
    pub criterion: String,
    /// Largest score less smallest.
    pub range: f64,
    /// Each rater's score.
    pub scores: BTreeMap<String, f64>,
}

/// Scores this far apart are a disagreement to look at.
const APART: f64 = 2.0;

/// What the ratings say.
///
/// # Errors
/// [`StudyError::Design`] where there are no ratings. Criteria that nobody rated twice are left out
/// of the agreement.
pub fn report(ratings: &Ratings, plan: &Plan) -> Result<StudyReport, StudyError> {
    let (criteria, systems) = (ratings.criteria(), ratings.systems());
    let statistics = |what: &str| {
        let what = what.to_owned();
        move |source| StudyError::Statistics { what, source }
    };
    let (mut means, mut tests) = (Vec::new(), Vec::new());
    for criterion in &criteria {
        let units = ratings.units(criterion);
        let of_system = |system: &str| -> BTreeMap<&str, f64> {
            let own = units.iter().filter(|((_, of), _)| *of == system);
            own.map(|((item, _), scores)| (*item, mean(scores))).collect()
        };
        for system in &systems {
            let items = of_system(system);
            if items.is_empty() {
                continue;
            }
            let pairs: Vec<[f64; 2]> = items.values().map(|score| [*score, 1.0]).collect();
            let found = interval(&pairs, |sum| vec![sum[0] / sum[1]], plan)
                .map_err(statistics("means"))?[0];
            let rated = units.iter().filter(|((_, of), _)| of == system);
            means.push(Mean {
                system: (*system).to_owned(),
                criterion: (*criterion).to_owned(),
                mean: found.value,
                low: found.low,
                high: found.high,
                items: items.len(),
                ratings: rated.map(|(_, scores)| scores.len()).sum(),
            });
        }
        for (at, a) in systems.iter().enumerate() {
            for b in &systems[at + 1..] {
                let (of_a, of_b) = (of_system(a), of_system(b));
                let both: Vec<(f64, f64)> = of_a
                    .iter()
                    .filter_map(|(item, score)| Some((*score, *of_b.get(item)?)))
                    .collect();
                if both.is_empty() {
                    continue;
                }
                let differences: Vec<f64> = both.iter().map(|(a, b)| a - b).collect();
                let (in_a, in_b): (Vec<f64>, Vec<f64>) = both.iter().copied().unzip();
                let test = signed_ranks(&differences);
                tests.push(Test {
                    criterion: (*criterion).to_owned(),
                    a: (*a).to_owned(),
                    b: (*b).to_owned(),
                    difference: mean(&differences),
                    n: both.len(),
                    differing: test.n,
                    p: test.p,
                    p_holm: f64::NAN,
                    exact: test.exact,
                    rank_biserial: test.rank_biserial(),
                    cliffs_delta: cliffs_delta(&in_a, &in_b),
                });
            }
        }
    }
    if means.is_empty() {
        return Err(StudyError::Design("there are no ratings".into()));
    }
    let corrected = holm(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
    tests.iter_mut().zip(corrected).for_each(|(test, p)| test.p_holm = p);
    let twice =
        |criterion: &&str| ratings.units(criterion).values().any(|scores| scores.len() >= 2);
    let agreed = Ratings {
        ratings: ratings
            .ratings
            .iter()
            .filter(|rating| twice(&rating.criterion.as_str()))
            .cloned()
            .collect(),
    };
    Ok(StudyReport {
        means,
        agreement: agreed.agreement(plan)?,
        tests,
        disagreements: disagreements(ratings),
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn disagreements(ratings: &Ratings) -> Vec<Disagreement> {
    let mut scores: BTreeMap<(&str, &str, &str), BTreeMap<String, f64>> = BTreeMap::new();
    for rating in &ratings.ratings {
        let cell = (rating.item.as_str(), rating.system.as_str(), rating.criterion.as_str());
        scores.entry(cell).or_default().insert(rating.rater.clone(), rating.score);
    }
    let mut found: Vec<Disagreement> = scores
        .into_iter()
        .map(|((item, system, criterion), scores)| {
            let most = scores.values().copied().fold(f64::MIN, f64::max);
            let least = scores.values().copied().fold(f64::MAX, f64::min);
            Disagreement {
                item: item.to_owned(),
                system: system.to_owned(),
                criterion: criterion.to_owned(),
                range: most - least,
                scores,
            }
        })
        .filter(|found| found.range >= APART)
        .collect();
    found.sort_by(|one, two| two.range.total_cmp(&one.range));
    found
}

/// How many disagreements the text shows.
const SHOWN: usize = 20;

impl StudyReport {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Human study\n\n## Means (1 to 5)\n\n| system |");
        // Writing to a string does not fail.
        let criteria = crate::ratings::distinct(self.means.iter().map(|m| m.criterion.as_str()));
        let systems = crate::ratings::distinct(self.means.iter().map(|m| m.system.as_str()));
        let _ = writeln!(text, " {} |", criteria.join(" | "));
        let _ = writeln!(text, "| --- |{}", " ---: |".repeat(criteria.len()));
        for system in systems {
            let _ = write!(text, "| {} |", cell(system));
            for criterion in &criteria {
                let found =
                    self.means.iter().find(|m| m.system == system && m.criterion == *criterion);
                let _ = match found {
                    Some(m) => write!(text, " {:.2} [{:.2}, {:.2}] |", m.mean, m.low, m.high),
                    None => write!(text, " – |"),
                };
            }
            text.push('\n');
        }
        text += "\nMeans over problems of the means over raters, with 95 % bootstrap intervals over \
                 problems.\n\n## Agreement (Krippendorff's α)\n\n| criterion | nominal | ordinal | \
                 interval | answers | raters |\n| --- | ---: | ---: | ---: | ---: | ---: |\n";
        for a in &self.agreement {
            let alpha = |value: f64, low: f64, high: f64| match value.is_nan() {
                true => "undefined".to_owned(),
                false => format!("{value:.3} [{low:.3}, {high:.3}]"),
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                cell(&a.criterion),
                alpha(a.nominal, a.nominal_low, a.nominal_high),
                alpha(a.ordinal, a.ordinal_low, a.ordinal_high),
                alpha(a.interval, a.interval_low, a.interval_high),
                a.units,
                a.raters
            );
        }
        text += "\nFrom 0.8 on agreement counts as reliable, from 0.667 as tentative \
                 (Krippendorff).\n\n## Tests\n\n| criterion | A | B | A − B | p | p (Holm) | rank \
                 biserial | Cliff's δ | problems |\n| --- | --- | --- | ---: | ---: | ---: | ---: | \
                 ---: | ---: |\n";
        for t in &self.tests {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:+.2} | {:.4} | {:.4} | {:+.2} | {:+.2} | {} |",
                cell(&t.criterion),
                cell(&t.a),
                cell(&t.b),
                t.difference,
                t.p,
                t.p_holm,
                t.rank_biserial,
                t.cliffs_delta,
                t.n
            );
        }
        text += "\nWilcoxon's signed-rank test on the means over raters of each problem.\n\n## \
                 Disagreements\n\n";
        if self.disagreements.is_empty() {
            text += "No two raters lie 2 or more apart.\n";
        }
        for d in self.disagreements.iter().take(SHOWN) {
            let scores: Vec<String> =
                d.scores.iter().map(|(rater, score)| format!("{rater}: {score}")).collect();
            let _ = writeln!(
                text,
                "- {} of {} by {}: {}",
                cell(&d.criterion),
                cell(&d.item),
                cell(&d.system),
                cell(&scores.join(", "))
            );
        }
        if self.disagreements.len() > SHOWN {
            let _ = writeln!(text, "- and {} more", self.disagreements.len() - SHOWN);
        }
        text
    }
}

/// Text inside a table: nothing in it can end the cell or the line.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rating;

    fn ratings(score: impl Fn(usize, usize, usize) -> f64) -> Ratings {
        let mut ratings = Vec::new();
        for item in 0..12 {
            for system in 0..2 {
                for rater in 0..3 {
                    ratings.push(Rating {
                        item: format!("i{item}"),
                        system: ["good", "bad|\n"][system].into(),
                        rater: format!("r{rater}"),
                        criterion: "fluency".into(),
                        score: score(item, system, rater),
                    });
                }
            }
        }
        Ratings { ratings }
    }

    #[test]
    fn a_clear_difference_is_found_and_told() {
        let ratings = ratings(
            |item, system, _| if system == 0 { 4.0 + f64::from(u8::from(item > 6)) } else { 2.0 },
        );
        let report = report(&ratings, &Plan { resamples: 200, ..Plan::default() }).unwrap();
        assert_eq!(report.tests.len(), 1);
        let test = &report.tests[0];
        assert_eq!((test.n, test.differing, test.exact, test.rank_biserial), (12, 12, true, 1.0));
        assert_eq!(test.p, 2.0 / 4096.0);
        assert_eq!(test.cliffs_delta, 1.0);
        assert_eq!((report.means[0].items, report.means[0].ratings), (12, 36));
        assert!((report.means[0].mean - (4.0 + 5.0 / 12.0)).abs() < 1e-12);
        assert_eq!(report.agreement[0].nominal, 1.0);
        assert!(report.disagreements.is_empty());
        let text = report.markdown();
        assert!(text.contains("| bad\\| | 2.00 [2.00, 2.00] |"), "{text}");
    }

    #[test]
    fn raters_apart_are_listed_widest_first() {
        let ratings = ratings(|item, system, rater| match (item, system, rater) {
            (3, 1, 2) => 5.0,
            (4, 0, 0) => 3.0,
            _ => 1.0,
        });
        let report = report(&ratings, &Plan { resamples: 50, ..Plan::default() }).unwrap();
        let found: Vec<(&str, f64)> =
            report.disagreements.iter().map(|d| (d.item.as_str(), d.range)).collect();
        assert_eq!(found, [("i3", 4.0), ("i4", 2.0)]);
        assert_eq!(report.disagreements[0].scores["r2"], 5.0);
        assert!(super::report(&Ratings::default(), &Plan::default()).is_err());
    }

    #[test]
    fn partial_designs_test_what_both_were_rated_on() {
        let mut ratings = ratings(|_, system, _| 1.0 + system as f64);
        ratings.ratings.retain(|r| r.system == "good" || r.item != "i0");
        ratings.ratings.retain(|r| r.rater == "r0");
        let report = report(&ratings, &Plan { resamples: 50, ..Plan::default() }).unwrap();
        assert_eq!(report.tests[0].n, 11);
        assert!(report.agreement.is_empty(), "nothing was rated twice");
    }
}
