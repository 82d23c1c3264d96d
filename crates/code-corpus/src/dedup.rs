//! Duplicates out: the same code, and nearly the same code.
//!
//! Near duplicates are found exactly, not by sampling: token shingles, Jaccard similarity, and
//! prefix filtering (Chaudhuri et al., 2006; Bayardo et al., 2007), which compares only those sets
//! that share one of their rarest shingles. Two sets at least `t` alike must.

use distill_core::Problem;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::tokens::tokens;
use crate::{CorpusError, Dropped, OnProgress, Progress, Reason, Stage};

/// How duplicates are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dedup {
    /// Whether problems with the same tokens go. Default yes.
    pub exact: bool,
    /// Jaccard similarity, in (0, 1], from which problems are near duplicates; `None` (`false` in a
    /// configuration) keeps them.
    #[serde(with = "number_or_false")]
    /// Default 0.8.
    pub near: Option<f64>,
    /// Tokens in a shingle. Default 5.
    pub shingle: usize,
}

impl Default for Dedup {
    fn default() -> Dedup {
        Dedup { exact: true, near: Some(0.8), shingle: 5 }
    }
}

/// How many problems are compared at once. Fixed, so that memory stays bounded in a corpus of
/// copies and the result does not depend on the number of threads.
const BLOCK: usize = 2048;

/// The problems without duplicates, in order; of several alike the first stays.
///
/// Compared are the [tokens](fn@crate::tokens::tokens) of the reference, or of the query where there
/// is no reference, within a language. A problem goes if it is a duplicate of one that stays, so
/// that no two of the result are alike and a second pass changes nothing. Memory is linear in the
/// corpus, time in the number of pairs that share a rare shingle.
///
/// # Errors
/// [`CorpusError::Setting`] for a threshold or a shingle length outside its range.
pub fn deduplicate(
    problems: Vec<Problem>,
    how: &Dedup,
    dropped: &mut Dropped,
    progress: OnProgress<'_>,
) -> Result<Vec<Problem>, CorpusError> {
    let mut problems = problems;
    if how.exact {
        let keys: Vec<blake3::Hash> = problems.par_iter().map(exact_key).collect();
        let mut seen: FxHashSet<[u8; 32]> = FxHashSet::default();
        let stays: Vec<bool> = keys.iter().map(|key| seen.insert(*key.as_bytes())).collect();
        problems = keep(problems, &stays, Reason::ExactDuplicate, dropped);
    }
    if let Some(threshold) = how.near {
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(CorpusError::Setting {
                name: "dedup.near",
                value: threshold.to_string(),
                expected: "a similarity above 0 and at most 1",
            });
        }
        if how.shingle == 0 {
            return Err(CorpusError::Setting {
                name: "dedup.shingle",
                value: "0".into(),
                expected: "at least one token",
            });
        }
        let stays = not_near(&problems, threshold, how.shingle, progress);
        problems = keep(problems, &stays, Reason::NearDuplicate, dropped);
    }
    Ok(problems)
}

fn keep(
    problems: Vec<Problem>,
    stays: &[bool],
    reason: Reason,
    dropped: &mut Dropped,
) -> Vec<Problem> {
    let before = problems.len();
    let kept: Vec<Problem> =
        problems.into_iter().zip(stays).filter(|(_, stays)| **stays).map(|(p, _)| p).collect();
    dropped.add_many(reason, (before - kept.len()) as u64);
    kept
}

fn compared(problem: &Problem) -> &str {
    problem.reference.as_deref().unwrap_or(&problem.query)
}

fn exact_key(problem: &Problem) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(problem.language.name().as_bytes());
    for token in tokens(compared(problem)) {
        hasher.update(&[0]);
        hasher.update(token.as_bytes());
    }
    hasher.finalize()
}

/// The hashes of all runs of `length` tokens, sorted, each once. A shorter text is one run.
pub(crate) fn shingles(salt: &str, text: &str, length: usize) -> Vec<u64> {
    let tokens: Vec<&str> = tokens(text).collect();
    let mut hashes: Vec<u64> = tokens
        .windows(length.min(tokens.len()).max(1))
        .map(|window| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(salt.as_bytes());
            for token in window {
                hasher.update(&[0]);
                hasher.update(token.as_bytes());
            }
            let bytes = hasher.finalize();
            u64::from_le_bytes(std::array::from_fn(|at| bytes.as_bytes()[at]))
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Which problems are no near duplicates of an earlier one that stays.
fn not_near(
    problems: &[Problem],
    threshold: f64,
    length: usize,
    progress: OnProgress<'_>,
) -> Vec<bool> {
    let sets = by_rarity(
        problems
            .par_iter()
            .map(|problem| shingles(problem.language.name(), compared(problem), length))
            .collect(),
    );
    let mut stays = vec![false; sets.len()];
    // Prefix shingle → the sets with it: those that stay, and those of the block at hand.
    let mut kept: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    for start in (0..sets.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(sets.len());
        let mut block: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (set, at) in sets[start..end].iter().zip(start as u32..) {
            for &shingle in prefix(set, threshold) {
                block.entry(shingle).or_default().push(at);
            }
        }
        // `None`: like one that stays. Otherwise the earlier sets of the block that are like it.
        let alike: Vec<Option<Vec<u32>>> = (start..end)
            .into_par_iter()
            .map(|at| {
                let set = &sets[at];
                let mut seen: FxHashSet<u32> = FxHashSet::default();
                let mut like = |other: u32| {
                    seen.insert(other) && similar(set, &sets[other as usize], threshold)
                };
                let mut within = Vec::new();
                for shingle in prefix(set, threshold) {
                    if kept.get(shingle).is_some_and(|others| others.iter().any(|o| like(*o))) {
                        return None;
                    }
                    let others = block.get(shingle).map_or(&[][..], Vec::as_slice);
                    let earlier = others.iter().take_while(|other| (**other as usize) < at);
                    within.extend(earlier.copied().filter(|other| like(*other)));
                }
                Some(within)
            })
            .collect();
        for (at, alike) in (start..end).zip(alike) {
            stays[at] =
                alike.is_some_and(|others| !others.iter().any(|other| stays[*other as usize]));
            if stays[at] {
                for &shingle in prefix(&sets[at], threshold) {
                    kept.entry(shingle).or_default().push(at as u32);
                }
            }
        }
        progress(Progress {
            stage: Stage::Deduplicate,
            done: end as u64,
            total: Some(sets.len() as u64),
        });
    }
    stays
}

/// The sets with shingles renumbered so that rarer ones come first.
fn by_rarity(sets: Vec<Vec<u64>>) -> Vec<Vec<u32>> {
    let mut counts: FxHashMap<u64, u32> = FxHashMap::default();
    for shingle in sets.iter().flatten() {
        *counts.entry(*shingle).or_default() += 1;
    }
    let mut order: Vec<(u32, u64)> =
        counts.into_iter().map(|(shingle, count)| (count, shingle)).collect();
    order.par_sort_unstable();
    let ranks: FxHashMap<u64, u32> =
        order.into_iter().zip(0..).map(|((_, shingle), rank)| (shingle, rank)).collect();
    sets.into_par_iter()
        .map(|set| {
            let mut ranked: Vec<u32> = set.iter().map(|shingle| ranks[shingle]).collect();
            ranked.sort_unstable();
            ranked
        })
        .collect()
}

/// The rarest shingles of a set, of which any set alike must have one.
fn prefix(set: &[u32], threshold: f64) -> &[u32] {
    // A hair less than the product, which may come out above a whole number it should equal.
    let shared = (threshold * set.len() as f64 - 1e-9).ceil() as usize;
    &set[..(set.len() + 1).saturating_sub(shared.max(1)).min(set.len())]
}

/// Whether two sorted sets have at least this Jaccard similarity.
fn similar(a: &[u32], b: &[u32], threshold: f64) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if (short.len() as f64) < threshold * long.len() as f64 - 1e-9 {
        return false;
    }
    let (mut at, mut other, mut shared) = (0, 0, 0usize);
    while at < a.len() && other < b.len() {
        match a[at].cmp(&b[other]) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => other += 1,
            std::cmp::Ordering::Equal => {
                shared += 1;
                at += 1;
                other += 1;
            }
        }
    }
    let union = a.len() + b.len() - shared;
    union > 0 && shared as f64 >= threshold * union as f64 - 1e-9
}

/// TOML has no null, and leaving the setting out means the default.
mod number_or_false {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Setting {
        Number(f64),
        Switch(bool),
    }

    pub(super) fn serialize<S: Serializer>(
        value: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map_or(Setting::Switch(false), Setting::Number).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        match Option::<Setting>::deserialize(deserializer) {
            Ok(Some(Setting::Number(number))) => Ok(Some(number)),
            Ok(Some(Setting::Switch(false)) | None) => Ok(None),
            _ => Err(serde::de::Error::custom("expected a number from 0 to 1, or false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use code_syntax::Language;
    use proptest::prelude::*;

    use super::*;

    fn problem(id: usize, code: &str) -> Problem {
        let mut problem = Problem::new(id.to_string(), Language::Python, "Do something.");
        problem.reference = Some(code.to_owned());
        problem
    }

    fn jaccard(a: &str, b: &str, length: usize) -> f64 {
        let [a, b] = [a, b].map(|text| shingles("python", text, length));
        let shared = a.iter().filter(|shingle| b.contains(shingle)).count();
        shared as f64 / (a.len() + b.len() - shared) as f64
    }

    proptest! {
        #[test]
        fn what_stays_is_what_comparing_all_pairs_keeps(
            words in prop::collection::vec(prop::collection::vec(0..6u8, 1..20), 0..40),
            threshold in 0.1..1.0f64,
            length in 1..4usize,
        ) {
            let codes: Vec<String> = words
                .iter()
                .map(|w| w.iter().map(|n| format!("w{n}")).collect::<Vec<_>>().join(" "))
                .collect();
            let problems: Vec<Problem> =
                codes.iter().enumerate().map(|(at, code)| problem(at, code)).collect();
            let how = Dedup { exact: false, near: Some(threshold), shingle: length };
            let mut dropped = Dropped::default();
            let kept = deduplicate(problems, &how, &mut dropped, &|_| {}).unwrap();
            let mut expected: Vec<usize> = Vec::new();
            for (at, code) in codes.iter().enumerate() {
                let like = |other: &usize| {
                    jaccard(code, &codes[*other], length) >= threshold - 1e-9
                };
                if !expected.iter().any(like) {
                    expected.push(at);
                }
            }
            let ids: Vec<usize> = kept.iter().map(|p| p.id.parse().unwrap()).collect();
            prop_assert_eq!(ids, expected);
            let again = deduplicate(kept.clone(), &how, &mut dropped, &|_| {}).unwrap();
            prop_assert_eq!(again, kept);
        }
    }

    #[test]
    fn many_copies_across_blocks_leave_one() {
        let copies = (0..2 * BLOCK + 10).map(|at| {
            problem(at, &format!("def f(a, b):\n{}    return {at}", "    a += b\n".repeat(3)))
        });
        let mut dropped = Dropped::default();
        let how = Dedup { shingle: 3, ..Dedup::default() };
        let kept = deduplicate(copies.collect(), &how, &mut dropped, &|_| {}).unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].id, "0");
        assert_eq!(dropped.count(Reason::NearDuplicate), 2 * BLOCK as u64 + 9);
    }

    #[test]
    fn layout_does_not_tell_copies_apart_but_the_language_does() {
        let mut other = problem(2, "f( a )");
        other.language = Language::Ruby;
        let mut dropped = Dropped::default();
        let all = vec![problem(0, "f(a)"), problem(1, "f(\n  a)"), other];
        let kept = deduplicate(all, &Dedup::default(), &mut dropped, &|_| {}).unwrap();
        assert_eq!(kept.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["0", "2"]);
        assert_eq!(dropped.count(Reason::ExactDuplicate), 1);
    }

    #[test]
    fn thresholds_out_of_range_are_refused() {
        for near in [0.0, 1.5, f64::NAN] {
            let how = Dedup { near: Some(near), ..Dedup::default() };
            let error = deduplicate(Vec::new(), &how, &mut Dropped::default(), &|_| {});
            assert!(matches!(error, Err(CorpusError::Setting { name: "dedup.near", .. })));
        }
    }
}
