//! Bounds of the distance that are cheap beside the distance itself.

use rustc_hash::FxHashMap;

use super::Tree;
use super::alignment::{self, Band};

/// The greatest table that an upper bound is worth.
const MOST_BYTES: u128 = 64 << 20;

/// Pairs of nodes, above which the string distances would take more than some ten seconds.
const MOST_PAIRS: u64 = 1 << 38;

/// A lower bound that is often exact for near trees, and an upper bound that costs nothing.
pub(super) fn quick(a: &Tree, b: &Tree) -> (u32, u32) {
    let (n, m) = (a.len() as u32, b.len() as u32);
    if a.labels == b.labels && a.sizes == b.sizes {
        return (0, 0);
    }
    if n == 0 || m == 0 {
        return (n + m, n + m);
    }
    // Mapping the roots to each other is always allowed.
    let roots = u32::from(a.labels.last() != b.labels.last());
    let lower = if u64::from(n) * u64::from(m) > MOST_PAIRS { labels(a, b) } else { strings(a, b) };
    (lower, n + m - 2 + roots)
}

/// The difference of the label histograms: nodes of the larger tree that no node of the other, each
/// taken once, has the label of. At least the difference of the sizes.
pub(super) fn labels(a: &Tree, b: &Tree) -> u32 {
    let mut left: FxHashMap<u32, u32> = FxHashMap::default();
    for &label in &a.labels {
        *left.entry(label).or_default() += 1;
    }
    let mut common = 0;
    for label in &b.labels {
        if let Some(count) = left.get_mut(label).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    a.len().max(b.len()) as u32 - common
}

/// The greater of the distances of the label strings in postorder and in preorder: at least the
/// difference of the sizes and that of the label histograms.
pub(super) fn strings(a: &Tree, b: &Tree) -> u32 {
    let post = alignment::distance(&a.labels, &b.labels);
    post.max(alignment::distance(&a.preorder_labels, &b.preorder_labels))
}

/// A lower bound, and as upper bound the cost of the better of two mappings.
pub(super) fn bounds(a: &Tree, b: &Tree) -> (u32, u32) {
    let (lower, mut upper) = quick(a, b);
    if lower == upper {
        return (lower, upper);
    }
    // In the mirror image the postorder backwards is the preorder.
    let backwards = |labels: &[u32]| labels.iter().rev().copied().collect::<Vec<u32>>();
    let (mirrored_a, mirrored_b) = (backwards(&a.labels), backwards(&b.labels));
    let mirrored_sizes = |tree: &Tree| backwards(&tree.sizes);
    let sizes = |tree: &Tree| {
        let mut sizes = vec![0; tree.len()];
        for (&node, &size) in tree.preorder.iter().zip(&tree.sizes) {
            sizes[node as usize] = size;
        }
        sizes
    };
    for (s, t, sizes_a, sizes_b) in [
        (&a.preorder_labels, &b.preorder_labels, sizes(a), sizes(b)),
        (&mirrored_a, &mirrored_b, mirrored_sizes(a), mirrored_sizes(b)),
    ] {
        let distance = alignment::distance(s, t);
        let (low, high) = alignment::diagonals(s.len(), t.len(), distance);
        let narrow = alignment::narrow(s.len(), t.len());
        let bytes = if narrow { Band::<i16>::bytes } else { Band::<i32>::bytes };
        if bytes(s.len(), low, high) > MOST_BYTES {
            continue;
        }
        let pairs = if narrow { alignment::matches::<i16> } else { alignment::matches::<i32> };
        upper = upper.min(cost_of_prefix(pairs(s, t, distance), s, t, &sizes_a, &sizes_b));
    }
    (lower, upper)
}

/// The cost of the mapping that takes from an alignment of preorders, from the roots down, every pair
/// that fits to those taken before. The pairs come last first.
fn cost_of_prefix(
    pairs: Vec<(usize, usize)>,
    labels_a: &[u32],
    labels_b: &[u32],
    sizes_a: &[u32],
    sizes_b: &[u32],
) -> u32 {
    // The pairs taken that the next nodes may descend from, each the descendant of the one before.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let (mut mapped, mut renamed) = (0, 0);
    for (x, y) in pairs.into_iter().rev() {
        let fits = loop {
            let Some(&(u, v)) = open.last() else { break true };
            let below_u = x < u + sizes_a[u] as usize;
            let below_v = y < v + sizes_b[v] as usize;
            if below_u || below_v {
                // Below one of them only is no place for a pair: `u` and `v` are mapped.
                break below_u && below_v;
            }
            open.pop();
        };
        if fits {
            open.push((x, y));
            mapped += 1;
            renamed += u32::from(labels_a[x] != labels_b[y]);
        }
    }
    (labels_a.len() + labels_b.len()) as u32 - 2 * mapped + renamed
}
