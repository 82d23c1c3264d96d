//! Who rates what, in which order.

use std::collections::BTreeMap;

use evaluation_statistics::Draw;
use serde::{Deserialize, Serialize};

use crate::StudyError;

/// One answer of one system to one problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stimulus {
    /// The problem's id.
    pub item: String,
    /// Who answered; raters never see it.
    pub system: String,
    /// The problem, in prose.
    pub query: String,
    /// The answer.
    pub answer: String,
}

/// How a study is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Design {
    /// How many people rate.
    pub raters: usize,
    /// Problems that each of them rates; all where left out (a crossed design). With fewer, the
    /// problems are dealt out so that each is rated about equally often.
    pub per_rater: Option<usize>,
    /// Seed of every order.
    pub seed: u64,
}

/// A row of a sheet: an answer to rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What the row is called on the sheet: it tells nothing about the system.
    pub row: String,
    /// The rater.
    pub rater: String,
    /// The problem's id.
    pub item: String,
    /// Who answered.
    pub system: String,
    /// The problem.
    #[serde(skip)]
    pub query: String,
    /// The answer.
    #[serde(skip)]
    pub answer: String,
}

/// What one rater gets. The rows of all sheets, with their systems, are the study's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The rater, from `1`.
    pub rater: String,
    /// What is rated, in order; the answers to one problem stand one after another.
    pub rows: Vec<Row>,
}

/// Lays a study out. Every rater gets the problems in an order of their own; the systems' answers to a
/// problem follow one another in an order that a Latin square turns from problem to problem and from
/// rater to rater, so that every system stands in every place equally often and (Williams 1949)
/// follows every other equally often.
///
/// # Errors
/// [`StudyError::Design`] where there is nothing to rate, nobody to rate it, an answer twice, or a
/// problem that some system did not answer.
pub fn study(stimuli: &[Stimulus], design: &Design) -> Result<Vec<Sheet>, StudyError> {
    let mut items: BTreeMap<&str, BTreeMap<&str, &Stimulus>> = BTreeMap::new();
    for stimulus in stimuli {
        let answers = items.entry(&stimulus.item).or_default();
        if answers.insert(&stimulus.system, stimulus).is_some() {
            let Stimulus { item, system, .. } = stimulus;
            return Err(StudyError::Design(format!("{item:?} has two answers of {system:?}")));
        }
    }
    let Some((first, answers)) = items.first_key_value() else {
        return Err(StudyError::Design("there are no answers to rate".into()));
    };
    let systems: Vec<&str> = answers.keys().copied().collect();
    let other = items.iter().find(|(_, answers)| !answers.keys().eq(systems.iter()));
    if let Some((item, _)) = other {
        return Err(StudyError::Design(format!(
            "{first:?} and {item:?} were not answered by the same systems"
        )));
    }
    if design.raters == 0 || design.per_rater == Some(0) {
        return Err(StudyError::Design("nobody would rate anything".into()));
    }

    let mut order: Vec<&BTreeMap<&str, &Stimulus>> = items.values().collect();
    // Stream 0 deals out; each rater has a stream of their own.
    Draw::new(design.seed, 0).shuffle(&mut order);
    let square = latin_square(systems.len());
    let each = design.per_rater.unwrap_or(order.len()).min(order.len());
    let sheets = (0..design.raters).map(|rater| {
        let name = (rater + 1).to_string();
        let dealt = (0..each).map(|at| (rater * each + at) % order.len());
        let mut own: Vec<usize> = dealt.collect();
        Draw::new(design.seed, 1 + rater as u64).shuffle(&mut own);
        let rows = own.iter().flat_map(|&item| {
            let places = &square[(item + rater) % square.len()];
            places.iter().map(move |&system| (item, system))
        });
        let row = |(at, (item, system)): (usize, (usize, usize))| {
            let stimulus = order[item][systems[system]];
            Row {
                row: format!("{name}-{:03}", at + 1),
                rater: name.clone(),
                item: stimulus.item.clone(),
                system: stimulus.system.clone(),
                query: stimulus.query.clone(),
                answer: stimulus.answer.clone(),
            }
        };
        Sheet { rater: name.clone(), rows: rows.enumerate().map(row).collect() }
    });
    Ok(sheets.collect())
}

/// Orders of `n` things in which each stands in each place equally often and follows each other
/// equally often: `n` orders where `n` is even, twice as many where it is odd.
fn latin_square(n: usize) -> Vec<Vec<usize>> {
    // 0, 1, n−1, 2, n−2, …: neighbours differ by every amount once.
    let zigzag: Vec<usize> =
        (0..n).map(|at| if at % 2 == 1 { at.div_ceil(2) } else { (n - at / 2) % n }).collect();
    let turned = |by: usize| -> Vec<usize> { zigzag.iter().map(|&x| (x + by) % n).collect() };
    let mut square: Vec<Vec<usize>> = (0..n).map(turned).collect();
    if n % 2 == 1 {
        let back: Vec<Vec<usize>> =
            square.iter().map(|row| row.iter().rev().copied().collect()).collect();
        square.extend(back);
    }
    square
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn stimuli(items: usize, systems: usize) -> Vec<Stimulus> {
        let one = |item: usize, system: usize| Stimulus {
            item: format!("i{item}"),
            system: format!("s{system}"),
            query: format!("q{item}"),
            answer: format!("a{item}-{system}"),
        };
        (0..items).flat_map(|item| (0..systems).map(move |s| one(item, s))).collect()
    }

    #[test]
    fn squares_balance_places_and_successions() {
        for n in 1..8 {
            let square = latin_square(n);
            let each = square.len() / n;
            for system in 0..n {
                for place in 0..n {
                    let count = square.iter().filter(|row| row[place] == system).count();
                    assert_eq!(count, each, "{n}: {square:?}");
                }
                for next in (0..n).filter(|next| *next != system) {
                    let follows = |row: &&Vec<usize>| row.windows(2).any(|w| w == [system, next]);
                    assert_eq!(square.iter().filter(follows).count(), each, "{n}: {square:?}");
                }
            }
        }
    }

    #[test]
    fn every_system_stands_first_equally_often() {
        let design = Design { raters: 3, per_rater: None, seed: 5 };
        let sheets = study(&stimuli(8, 4), &design).unwrap();
        for sheet in &sheets {
            let mut first: BTreeMap<&str, u32> = BTreeMap::new();
            sheet.rows.chunks(4).for_each(|rows| *first.entry(&rows[0].system).or_default() += 1);
            assert!(first.values().all(|count| *count == 2), "{first:?}");
            assert_eq!(sheet.rows.len(), 32);
        }
        assert_ne!(
            sheets[0].rows.iter().map(|row| &row.item).collect::<Vec<_>>(),
            sheets[1].rows.iter().map(|row| &row.item).collect::<Vec<_>>()
        );
    }

    #[test]
    fn impossible_studies_are_refused() {
        let design = Design { raters: 1, per_rater: None, seed: 1 };
        assert!(study(&[], &design).is_err());
        let mut some = stimuli(2, 2);
        assert!(study(&some, &Design { raters: 0, ..design }).is_err());
        assert!(study(&some, &Design { per_rater: Some(0), ..design }).is_err());
        let twice = some[0].clone();
        some.push(twice);
        assert!(study(&some, &design).unwrap_err().to_string().contains("two answers of \"s0\""));
        let error = study(&stimuli(2, 2)[..3], &design).unwrap_err().to_string();
        assert!(error.contains("\"i0\" and \"i1\""), "{error}");
    }

    proptest! {
        #[test]
        fn dealt_problems_are_rated_about_equally_often(
            items in 1_usize..12, raters in 1_usize..6, each in 1_usize..12, seed in 0_u64..9
        ) {
            let design = Design { raters, per_rater: Some(each), seed };
            let sheets = study(&stimuli(items, 3), &design).unwrap();
            let mut rated: BTreeMap<&str, usize> = BTreeMap::new();
            for sheet in &sheets {
                prop_assert_eq!(sheet.rows.len(), 3 * each.min(items));
                let cells: BTreeSet<_> =
                    sheet.rows.iter().map(|row| (&row.item, &row.system)).collect();
                prop_assert_eq!(cells.len(), sheet.rows.len());
                sheet.rows.iter().for_each(|row| *rated.entry(&row.item).or_default() += 1);
            }
            let (least, most) = (rated.values().min().unwrap(), rated.values().max().unwrap());
            prop_assert!(most - least <= 3);
            prop_assert_eq!(&study(&stimuli(items, 3), &design).unwrap(), &sheets);
        }
    }
}
