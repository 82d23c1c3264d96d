//! Training, validation and test: no source on two sides.

use std::collections::BTreeMap;

use distill_core::Problem;
use serde::{Deserialize, Serialize};

use crate::CorpusError;

/// The side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What students learn from.
    Train,
    /// What decides when to stop.
    Valid,
    /// What students are measured on.
    Test,
}

/// How to divide a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by", deny_unknown_fields)]
pub enum Split {
    /// By shares, whole [groups](group) at a time.
    Shares {
        /// Share of validation, in [0, 1).
        valid: f64,
        /// Share of test, in [0, 1); training gets what `valid` and `test` leave, more than 0.
        test: f64,
        /// Seed of the division.
        seed: u64,
    },
    /// As the corpus ships it: the field `partition` of every problem (`train`, `valid`, `test`;
    /// `val`, `dev` and `validation` are read as `valid`).
    Shipped,
}

impl Default for Split {
    /// 80-10-10, seed 0.
    fn default() -> Split {
        Split::Shares { valid: 0.1, test: 0.1, seed: 0 }
    }
}

/// What must stay together with this problem: its repository (`extra["repo"]`), else its source,
/// else the problem alone.
pub fn group(problem: &Problem) -> &str {
    match problem.extra.get("repo").and_then(|repo| repo.as_str()) {
        Some(repo) if !repo.is_empty() => repo,
        _ if !problem.source.is_empty() => &problem.source,
        _ => &problem.id,
    }
}

/// The side of every problem.
///
/// By shares: groups are ordered by a hash of seed and name; each goes to test while it fits there,
/// else to validation while it fits, else to training. So a group's side depends on the seed and
/// the set of groups, not on the order of the problems, and the small sides never exceed their
/// shares, except that each gets at least one group where there are three or more. Groups larger
/// than a small side's share can only be trained on, and training always gets a group.
///
/// # Errors
/// [`CorpusError::Setting`] for shares outside their range; [`CorpusError::NoPartition`].
pub fn split(problems: &[Problem], how: &Split) -> Result<Vec<Side>, CorpusError> {
    match *how {
        Split::Shares { valid, test, seed } => by_shares(problems, valid, test, seed),
        Split::Shipped => problems.iter().map(shipped).collect(),
    }
}

fn shipped(problem: &Problem) -> Result<Side, CorpusError> {
    let name = problem.extra.get("partition").and_then(|partition| partition.as_str());
    match name.map(str::to_ascii_lowercase).as_deref() {
        Some("train") => Ok(Side::Train),
        Some("valid" | "val" | "dev" | "validation") => Ok(Side::Valid),
        Some("test") => Ok(Side::Test),
        _ => Err(CorpusError::NoPartition { id: problem.id.clone() }),
    }
}

fn by_shares(
    problems: &[Problem],
    valid: f64,
    test: f64,
    seed: u64,
) -> Result<Vec<Side>, CorpusError> {
    for (name, share) in [("split.valid", valid), ("split.test", test)] {
        if !(0.0..1.0).contains(&share) || valid + test >= 1.0 {
            return Err(CorpusError::Setting {
                name,
                value: share.to_string(),
                expected: "shares lie in [0, 1) and leave something for training",
            });
        }
    }
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for problem in problems {
        *sizes.entry(group(problem)).or_default() += 1;
    }
    let mut groups: Vec<(blake3::Hash, &str, usize)> = sizes
        .into_iter()
        .map(|(group, size)| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes());
            hasher.update(group.as_bytes());
            (hasher.finalize(), group, size)
        })
        .collect();
    groups.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()).then(a.1.cmp(b.1)));
    let total = problems.len() as f64;
    let mut room = [(Side::Test, test), (Side::Valid, valid)]
        .map(|(side, share)| (side, (share * total).round() as usize, share > 0.0));
    let mut sides: BTreeMap<&str, Side> = BTreeMap::new();
    for &(_, group, size) in &groups {
        let fits = room.iter_mut().find(|(_, left, _)| size <= *left);
        let side = fits.map_or(Side::Train, |(side, left, _)| {
            *left -= size;
            *side
        });
        sides.insert(group, side);
    }
    // Of two groups each may fit a small side by rounding: there is always something to train on.
    if !sides.values().any(|side| *side == Side::Train)
        && let Some((_, (_, largest, _))) =
            groups.iter().enumerate().max_by_key(|(at, group)| (group.2, *at))
    {
        sides.insert(largest, Side::Train);
    }
    // Few or large groups: an empty side gets the smallest group that training can spare.
    for (side, _, wanted) in room {
        let trained = |sides: &BTreeMap<&str, Side>| -> Vec<(usize, usize)> {
            let trained = groups.iter().enumerate().filter(|(_, g)| sides[g.1] == Side::Train);
            trained.map(|(at, group)| (group.2, at)).collect()
        };
        let candidates = trained(&sides);
        if wanted
            && groups.len() >= 3
            && candidates.len() >= 2
            && !sides.values().any(|taken| *taken == side)
            && let Some((_, at)) = candidates.into_iter().min()
        {
            sides.insert(groups[at].1, side);
        }
    }
    Ok(problems.iter().map(|problem| sides[group(problem)]).collect())
}
