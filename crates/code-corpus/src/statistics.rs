//! What a corpus holds, as numbers for tables.

use std::collections::BTreeMap;

use code_syntax::Language;
use distill_core::Problem;
use distill_core::jsonl::BadLine;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::tokens::tokens;
use crate::{Dropped, Harvest, Side};

/// Lengths of a set of texts, in [tokens](fn@crate::tokens::tokens). Quantiles are nearest-rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// The shortest.
    pub min: usize,
    /// Half are at most this long.
    pub median: usize,
    /// 95 of 100 are at most this long.
    pub p95: usize,
    /// The longest.
    pub max: usize,
    /// Arithmetic mean.
    pub mean: f64,
}

impl Lengths {
    /// Summarises lengths; all zero for none.
    pub fn of(mut lengths: Vec<usize>) -> Lengths {
        lengths.sort_unstable();
        let (Some(&min), Some(&max)) = (lengths.first(), lengths.last()) else {
            return Lengths::default();
        };
        // Smallest length that at least `percent` of 100 do not exceed.
        let quantile = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100) - 1];
        Lengths {
            min,
            median: quantile(50),
            p95: quantile(95),
            max,
            mean: lengths.iter().sum::<usize>() as f64 / lengths.len() as f64,
        }
    }
}

/// One language of a corpus, a row of the paper's Table 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageStatistics {
    /// The language.
    pub language: Language,
    /// Problems for training.
    pub train: usize,
    /// Problems for validation.
    pub valid: usize,
    /// Problems for the test.
    pub test: usize,
    /// Problems in all.
    pub total: usize,
    /// Lengths of the queries.
    pub query_tokens: Lengths,
    /// Lengths of the references; problems without one are left out.
    pub code_tokens: Lengths,
}

/// What a corpus holds and what was left out of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Where it comes from, in words.
    pub source: String,
    /// Files that were found.
    pub files: u64,
    /// Functions or records that were looked at.
    pub candidates: u64,
    /// By language, in the order of [`Language::ALL`].
    pub languages: Vec<LanguageStatistics>,
    /// Problems for training.
    pub train: usize,
    /// Problems for validation.
    pub valid: usize,
    /// Problems for the test.
    pub test: usize,
    /// Problems in all.
    pub total: usize,
    /// [Groups](crate::split::group) (files, repositories) that the split kept together.
    pub groups: usize,
    /// What was left out, by reason.
    pub dropped: Dropped,
    /// The first files and lines that could not be used: `file:line: reason`, or `file: reason`.
    pub bad: Vec<String>,
}

/// How many bad files and lines are listed by name.
const LISTED: usize = 20;

impl Statistics {
    /// Counts a corpus. `sides` says for each problem where it went.
    pub fn of(
        source: String,
        harvest: &Harvest,
        problems: &[Problem],
        sides: &[Side],
    ) -> Statistics {
        struct Row {
            sides: [usize; 3],
            queries: Vec<usize>,
            codes: Vec<usize>,
        }
        let lengths: Vec<(usize, Option<usize>)> = problems
            .par_iter()
            .map(|problem| {
                let code = problem.reference.as_deref().map(|code| tokens(code).count());
                (tokens(&problem.query).count(), code)
            })
            .collect();
        let mut rows: BTreeMap<Language, Row> = BTreeMap::new();
        let mut groups = std::collections::BTreeSet::new();
        for ((problem, side), (query, code)) in problems.iter().zip(sides).zip(lengths) {
            let row = rows.entry(problem.language).or_insert_with(|| Row {
                sides: [0; 3],
                queries: Vec::new(),
                codes: Vec::new(),
            });
            row.sides[*side as usize] += 1;
            row.queries.push(query);
            row.codes.extend(code);
            groups.insert(crate::split::group(problem));
        }
        let languages: Vec<LanguageStatistics> = rows
            .into_iter()
            .map(|(language, row)| LanguageStatistics {
                language,
                train: row.sides[0],
                valid: row.sides[1],
                test: row.sides[2],
                total: row.sides.iter().sum(),
                query_tokens: Lengths::of(row.queries),
                code_tokens: Lengths::of(row.codes),
            })
            .collect();
        Statistics {
            source,
            files: harvest.files,
            candidates: harvest.candidates,
            train: languages.iter().map(|row| row.train).sum(),
            valid: languages.iter().map(|row| row.valid).sum(),
            test: languages.iter().map(|row| row.test).sum(),
            total: problems.len(),
            languages,
            groups: groups.len(),
            dropped: harvest.dropped.clone(),
            bad: harvest.bad.iter().take(LISTED).map(in_words).collect(),
        }
    }
}

fn in_words(bad: &BadLine) -> String {
    match bad.line {
        0 => format!("{}: {}", bad.path.display(), bad.reason),
        _ => bad.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_rank() {
        assert_eq!(Lengths::of(vec![]), Lengths::default());
        let lengths = Lengths::of((1..=100).rev().collect());
        assert_eq!((lengths.min, lengths.median, lengths.p95, lengths.max), (1, 50, 95, 100));
        assert_eq!(lengths.mean, 50.5);
        let one = Lengths::of(vec![7]);
        assert_eq!((one.min, one.median, one.p95, one.max), (7, 7, 7, 7));
    }
}
