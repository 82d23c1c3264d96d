//! Bounds of the distance that are cheap beside the distance itself.

use rustc_hash::FxHashMap;

use super::Tree;

/// A lower and an upper bound.
pub(super) fn bounds(a: &Tree, b: &Tree) -> (u32, u32) {
    let (n, m) = (a.len() as u32, b.len() as u32);
    if a.labels == b.labels && a.sizes == b.sizes {
        return (0, 0);
    }
    if n == 0 || m == 0 {
        return (n + m, n + m);
    }
    // Mapping the roots to each other is always allowed.
    let roots = u32::from(a.labels.last() != b.labels.last());
    (histogram(a, b), n + m - 2 + roots)
}

/// Size and label histogram: a mapping keeps at most the labels that both trees have.
fn histogram(a: &Tree, b: &Tree) -> u32 {
    let mut counts: FxHashMap<u32, i64> = FxHashMap::default();
    for &label in &a.labels {
        *counts.entry(label).or_default() += 1;
    }
    let mut common = 0;
    for &label in &b.labels {
        if let Some(count) = counts.get_mut(&label) {
            if *count > 0 {
                *count -= 1;
                common += 1;
            }
        }
    }
    a.len().max(b.len()) as u32 - common
}
