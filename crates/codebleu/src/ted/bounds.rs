//! Bounds of the distance that are cheap beside the distance itself.

use super::{Tree, alignment};

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
    (strings(a, b), n + m - 2 + roots)
}

/// The greater of the distances of the label strings in postorder and in preorder: at least the
/// difference of the sizes and that of the label histograms.
pub(super) fn strings(a: &Tree, b: &Tree) -> u32 {
    let post = alignment::distance(&a.labels, &b.labels);
    post.max(alignment::distance(&a.preorder_labels, &b.preorder_labels))
}
