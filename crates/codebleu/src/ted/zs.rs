//! Zhang and Shasha's algorithm as published, for any costs, with the mapping.
//!
//! Zhang, Shasha, *Simple fast algorithms for the editing distance between trees and related
//! problems*, SIAM Journal on Computing 18 (1989).

use super::{Costs, Edit, Tree};

/// Distances between all pairs of subtrees.
pub(super) struct Table<'a, C> {
    a: &'a Tree,
    b: &'a Tree,
    costs: &'a C,
    /// Row-major, `a.len()` rows, postorder.
    trees: Vec<u64>,
    /// Scratch: distances between forests, `(a.len() + 1) * (b.len() + 1)`.
    forests: Vec<u64>,
}

/// Bytes that [`Table::new`] takes.
pub(super) fn bytes(a: &Tree, b: &Tree) -> u128 {
    let (n, m) = (a.len() as u128, b.len() as u128);
    8 * (n * m + (n + 1) * (m + 1))
}

/// The nodes that have a left sibling, and the root, in postorder.
pub(super) fn keyroots(sizes: &[u32]) -> Vec<usize> {
    let n = sizes.len();
    // The last node with a given leftmost leaf is the top of that leaf's left path.
    let mut top = vec![usize::MAX; n];
    for (node, &size) in sizes.iter().enumerate() {
        top[node + 1 - size as usize] = node;
    }
    let mut roots: Vec<usize> = top.into_iter().filter(|&node| node != usize::MAX).collect();
    roots.sort_unstable();
    roots
}

impl<'a, C: Costs> Table<'a, C> {
    /// Computes the table: O(n·m·min(depth, leaves)²) time.
    pub(super) fn new(a: &'a Tree, b: &'a Tree, costs: &'a C) -> Self {
        let mut table = Table {
            a,
            b,
            costs,
            trees: vec![0; a.len() * b.len()],
            forests: vec![0; (a.len() + 1) * (b.len() + 1)],
        };
        let columns = keyroots(&b.sizes);
        for row in keyroots(&a.sizes) {
            for &column in &columns {
                table.forests(row, column, true);
            }
        }
        table
    }

    /// The distance of the whole trees, neither of them empty.
    pub(super) fn distance(&self) -> u64 {
        self.trees.last().copied().unwrap_or(0)
    }

    /// Fills the distances between the prefixes of two subtrees' postorders; with `store`, also
    /// those between the subtrees on their left paths.
    fn forests(&mut self, i: usize, j: usize, store: bool) {
        let (a, b, costs) = (self.a, self.b, self.costs);
        let (rows, columns) = (a.sizes[i] as usize, b.sizes[j] as usize);
        let (first_a, first_b) = (i + 1 - rows, j + 1 - columns);
        let width = columns + 1;
        let f = &mut self.forests;
        f[0] = 0;
        for y in 1..=columns {
            f[y] = f[y - 1] + u64::from(costs.insert(b.labels[first_b + y - 1]));
        }
        for x in 1..=rows {
            let node_a = first_a + x - 1;
            let label_a = a.labels[node_a];
            let size_a = a.sizes[node_a] as usize;
            let delete = u64::from(costs.delete(label_a));
            f[x * width] = f[(x - 1) * width] + delete;
            for y in 1..=columns {
                let node_b = first_b + y - 1;
                let label_b = b.labels[node_b];
                let size_b = b.sizes[node_b] as usize;
                let insert = u64::from(costs.insert(label_b));
                let best = (f[(x - 1) * width + y] + delete).min(f[x * width + y - 1] + insert);
                let pair = node_a * b.len() + node_b;
                f[x * width + y] = if size_a == x && size_b == y {
                    let rename = u64::from(costs.rename(label_a, label_b));
                    let best = best.min(f[(x - 1) * width + y - 1] + rename);
                    if store {
                        self.trees[pair] = best;
                    }
                    best
                } else {
                    best.min(f[(x - size_a) * width + y - size_b] + self.trees[pair])
                };
            }
        }
    }

    /// A cheapest mapping as a list of edits, in no particular order.
    pub(super) fn mapping(mut self) -> Vec<Edit> {
        let (a, b) = (self.a, self.b);
        let mut edits = Vec::with_capacity(a.len().max(b.len()));
        let mut pairs = vec![(a.len() - 1, b.len() - 1)];
        while let Some((i, j)) = pairs.pop() {
            self.forests(i, j, false);
            let (rows, columns) = (a.sizes[i] as usize, b.sizes[j] as usize);
            let (first_a, first_b) = (i + 1 - rows, j + 1 - columns);
            let width = columns + 1;
            let f = &self.forests;
            let (mut x, mut y) = (rows, columns);
            while x > 0 || y > 0 {
                let here = f[x * width + y];
                if x > 0 {
                    let node_a = first_a + x - 1;
                    let delete = u64::from(self.costs.delete(a.labels[node_a]));
                    if f[(x - 1) * width + y] + delete == here {
                        edits.push(Edit::Delete { node: a.preorder[node_a] as usize });
                        x -= 1;
                        continue;
                    }
                }
                let node_b = first_b + y - 1;
                if y > 0 {
                    let insert = u64::from(self.costs.insert(b.labels[node_b]));
                    if f[x * width + y - 1] + insert == here {
                        edits.push(Edit::Insert { node: b.preorder[node_b] as usize });
                        y -= 1;
                        continue;
                    }
                }
                let node_a = first_a + x - 1;
                let (size_a, size_b) = (a.sizes[node_a] as usize, b.sizes[node_b] as usize);
                if size_a == x && size_b == y {
                    edits.push(Edit::pair(a, node_a, b, node_b));
                    x -= 1;
                    y -= 1;
                } else {
                    pairs.push((node_a, node_b));
                    x -= size_a;
                    y -= size_b;
                }
            }
        }
        edits
    }
}
