//! One pass over the n-grams of a hypothesis and its references, for both BLEUs.

use rustc_hash::FxHashMap;

/// The highest order of n-grams.
pub const ORDERS: usize = 4;

/// Calls `visit(order − 1, first token, counts)` once for every distinct n-gram of order 1 to 4.
///
/// `counts[0]` is how often it occurs in `sequences[0]`, and so on. Tokens are dense numbers below
/// `vocabulary`. Linear in the number of tokens times the number of sequences.
pub(crate) fn for_each_ngram(
    sequences: &[&[u32]],
    vocabulary: usize,
    mut visit: impl FnMut(usize, u32, &[u32]),
) {
    let width = sequences.len();
    // The number of the n-gram that starts at each position of each sequence.
    let mut ids: Vec<Vec<u32>> = sequences.iter().map(|tokens| tokens.to_vec()).collect();
    let mut counts = vec![0u32; vocabulary * width];
    for (column, tokens) in sequences.iter().enumerate() {
        for &token in *tokens {
            counts[token as usize * width + column] += 1;
        }
    }
    for token in 0..vocabulary {
        visit(0, token as u32, &counts[token * width..(token + 1) * width]);
    }
    let tokens = sequences.iter().map(|tokens| tokens.len()).sum();
    let mut longer: FxHashMap<u64, u32> = FxHashMap::default();
    longer.reserve(tokens);
    counts.reserve(tokens * width);
    let mut firsts = Vec::with_capacity(tokens);
    for order in 1..ORDERS {
        longer.clear();
        counts.clear();
        firsts.clear();
        for (column, (tokens, ids)) in sequences.iter().zip(&mut ids).enumerate() {
            if tokens.len() <= order {
                ids.clear();
                continue;
            }
            for start in 0..tokens.len() - order {
                let key = u64::from(ids[start]) << 32 | u64::from(tokens[start + order]);
                let id = *longer.entry(key).or_insert_with(|| {
                    counts.resize(counts.len() + width, 0);
                    firsts.push(tokens[start]);
                    (firsts.len() - 1) as u32
                });
                counts[id as usize * width + column] += 1;
                ids[start] = id;
            }
        }
        for (&first, counts) in firsts.iter().zip(counts.chunks_exact(width)) {
            visit(order, first, counts);
        }
    }
}

/// How many n-grams of order `order + 1` a sequence of `length` tokens has.
pub(crate) fn number_of(length: usize, order: usize) -> u64 {
    length.saturating_sub(order) as u64
}
