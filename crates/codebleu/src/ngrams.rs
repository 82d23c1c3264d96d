//! One pass over the n-grams of a hypothesis and its references, for both BLEUs.

use crate::table::Table;

/// The highest order of n-grams.
pub const ORDERS: usize = 4;

/// No n-gram, or one that is on one side only.
const NONE: u32 = u32::MAX;

/// Calls `visit(order − 1, first token, counts)` once for every distinct n-gram of order 1 to 4 that
/// the first sequence shares with another one.
///
/// `counts[0]` is how often it occurs in `sequences[0]`, and so on. Tokens are dense numbers below
/// `vocabulary`. Linear in the number of tokens times the number of sequences.
pub(crate) fn for_each_ngram(
    sequences: &[&[u32]],
    vocabulary: usize,
    mut visit: impl FnMut(usize, u32, &[u32]),
) {
    let width = sequences.len();
    // The n-grams of an order: first token, and how often each sequence has it.
    let mut firsts: Vec<u32> = (0..vocabulary as u32).collect();
    let mut counts = vec![0u32; vocabulary * width];
    for (column, tokens) in sequences.iter().enumerate() {
        for &token in *tokens {
            counts[token as usize * width + column] += 1;
        }
    }
    // The number of the n-gram that starts at each position of each sequence.
    let mut ids: Vec<Vec<u32>> = sequences.iter().map(|tokens| tokens.to_vec()).collect();
    let mut table = Table::default();
    let mut keys: Vec<(u32, u32)> = Vec::new();
    for order in 0..ORDERS {
        let is_shared = |counts: &[u32]| counts[0] > 0 && counts[1..].iter().any(|&n| n > 0);
        for (&first, counts) in firsts.iter().zip(counts.chunks_exact(width)) {
            if is_shared(counts) {
                visit(order, first, counts);
            }
        }
        if order + 1 == ORDERS {
            break;
        }
        // A longer one is shared only where both that it consists of are.
        let mut left = 0;
        for id in ids.iter_mut().flatten().filter(|id| **id != NONE) {
            if is_shared(&counts[*id as usize * width..][..width]) {
                left += 1;
            } else {
                *id = NONE;
            }
        }
        table.clear(left);
        keys.clear();
        firsts.clear();
        counts.clear();
        for (column, (tokens, ids)) in sequences.iter().zip(&mut ids).enumerate() {
            ids.truncate(tokens.len().saturating_sub(order));
            for start in 0..ids.len() {
                let next = ids.get(start + 1).copied().unwrap_or(NONE);
                if ids[start] == NONE || next == NONE {
                    ids[start] = NONE;
                    continue;
                }
                let key = (ids[start], next);
                let id = table.number(hash(key), |id| keys[id as usize] == key);
                if id as usize == keys.len() {
                    keys.push(key);
                    firsts.push(tokens[start]);
                    counts.resize(counts.len() + width, 0);
                }
                counts[id as usize * width + column] += 1;
                ids[start] = id;
            }
        }
    }
}

fn hash((left, right): (u32, u32)) -> u32 {
    // The golden ratio in 64 bits spreads neighbours.
    let product = (u64::from(left) << 32 | u64::from(right)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> 32) as u32
}

/// How many n-grams of order `order + 1` a sequence of `length` tokens has.
pub(crate) fn number_of(length: usize, order: usize) -> u64 {
    length.saturating_sub(order) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The same by comparing all n-grams.
    fn counted(sequences: &[&[u32]]) -> BTreeMap<(usize, u32), Vec<Vec<u32>>> {
        let mut found: BTreeMap<(usize, u32), Vec<Vec<u32>>> = BTreeMap::new();
        for order in 0..ORDERS {
            let mut counts: BTreeMap<&[u32], Vec<u32>> = BTreeMap::new();
            for (column, tokens) in sequences.iter().enumerate() {
                for ngram in tokens.windows(order + 1) {
                    counts.entry(ngram).or_insert_with(|| vec![0; sequences.len()])[column] += 1;
                }
            }
            for (ngram, counts) in counts {
                if counts[0] > 0 && counts[1..].iter().any(|&count| count > 0) {
                    found.entry((order, ngram[0])).or_default().push(counts);
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn shared_ngrams_are_counted(
            sequences in prop::collection::vec(prop::collection::vec(0u32..4, 0..30), 1..4)
        ) {
            let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
            let mut found: BTreeMap<(usize, u32), Vec<Vec<u32>>> = BTreeMap::new();
            for_each_ngram(&sequences, 4, |order, first, counts| {
                found.entry((order, first)).or_default().push(counts.to_vec());
            });
            let mut expected = counted(&sequences);
            expected.values_mut().chain(found.values_mut()).for_each(|counts| counts.sort());
            prop_assert_eq!(found, expected);
        }
    }
}
