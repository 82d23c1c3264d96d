//! Distances of all subtrees by way of heavy paths, for trees on which Zhang and Shasha's algorithm
//! is slow.
//!
//! Leftmost (or rightmost) paths are short in a tree that is deep by turns to the left and to the
//! right, and there are many. A *heavy* path goes from a node to its largest child: a node lies below
//! no more than log n others. The forest that is left of a path is taken away from the left and
//! what is right of it from the right, so the forests of the second tree are those between any
//! node in preorder and any in postorder: `O(m²)` of them, `O(n·m²·log n)` time for all, whatever the
//! shape.
//!
//! Demaine, Mozes, Rossman, Weimann, *An optimal decomposition algorithm for tree edit distance*, ACM
//! Transactions on Algorithms 6 (2009), who go on to swap the trees; APTED's inner paths are of
//! this kind.

use super::Tree;
use super::row::Cell;

/// Forests of the second tree that grow side by side.
const BLOCK: usize = 16;

/// What is needed of the second tree.
struct Second {
    /// Node (in postorder) at each place of the preorder.
    node_at: Vec<usize>,
    sizes: Vec<usize>,
    /// Place in the preorder of each node.
    places: Vec<usize>,
    labels: Vec<u32>,
}

/// Tops of heavy paths, in postorder, and the heavy child of every inner node.
pub(super) fn heavy_paths(sizes: &[u32]) -> (Vec<usize>, Vec<Option<usize>>) {
    let n = sizes.len();
    let mut heavy = vec![None; n];
    let mut is_heavy = vec![false; n];
    for node in 0..n {
        let first = node + 1 - sizes[node] as usize;
        let mut end = node;
        let mut best: Option<usize> = None;
        while end > first {
            let child = end - 1;
            if best.is_none_or(|best| sizes[child] > sizes[best]) {
                best = Some(child);
            }
            end -= sizes[child] as usize;
        }
        if let Some(child) = best {
            heavy[node] = Some(child);
            is_heavy[child] = true;
        }
    }
    ((0..n).filter(|&node| !is_heavy[node]).collect(), heavy)
}

/// Bytes that [`subtrees`] takes besides its result, with cells of `cell` bytes.
pub(super) fn bytes(n: usize, m: usize, cell: usize) -> u128 {
    let (n, m) = (n as u128, m as u128);
    cell as u128 * ((m + 1) * (m + 1) + BLOCK as u128 * (n + 1) * (m + 1))
}

/// Puts the distance of every subtree of `a` from every subtree of `b` into `table`, at
/// `classes[x] * b.len() + y` for nodes `x` and `y` in postorder. Subtrees of equal `classes` are equal.
pub(super) fn subtrees<C: Cell>(a: &Tree, b: &Tree, classes: &[u32], table: &mut [C]) {
    let m = b.len();
    let second = Second {
        node_at: {
            let mut node_at = vec![0; m];
            for (node, &place) in b.preorder.iter().enumerate() {
                node_at[place as usize] = node;
            }
            node_at
        },
        sizes: b.sizes.iter().map(|&size| size as usize).collect(),
        places: b.preorder.iter().map(|&place| place as usize).collect(),
        labels: b.labels.clone(),
    };
    let (tops, heavy) = heavy_paths(&a.sizes);
    let mut solved = vec![false; a.len()];
    let mut forests = vec![C::default(); (m + 1) * (m + 1)];
    let lines = |x: usize| classes[x] as usize * m..(classes[x] as usize + 1) * m;
    let mut rows = Vec::new();
    let mut path = Vec::new();
    for top in tops {
        if solved[classes[top] as usize] {
            continue;
        }
        path.clear();
        path.push(top);
        while let Some(child) = path.last().and_then(|&node: &usize| heavy[node]) {
            path.push(child);
        }
        second.against_nothing::<C>(&mut forests);
        let mut below: Option<usize> = None;
        for &node in path.iter().rev() {
            if let Some(child) = below {
                let first = node + 1 - a.sizes[node] as usize;
                let first_child = child + 1 - a.sizes[child] as usize;
                let right: Vec<usize> = (child + 1..node).collect();
                second.add(&mut forests, &mut rows, &right, &a.sizes, Side::Right, |x| {
                    &table[lines(x)]
                });
                let mut left: Vec<usize> = (first..first_child).collect();
                left.sort_unstable_by_key(|&node| std::cmp::Reverse(a.preorder[node]));
                second.add(&mut forests, &mut rows, &left, &a.sizes, Side::Left, |x| {
                    &table[lines(x)]
                });
            }
            solved[classes[node] as usize] = true;
            second.add_root(&mut forests, a.labels[node], &mut table[lines(node)]);
            below = Some(node);
        }
    }
}

/// Where nodes are added to a forest.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// In the order of the preorder backwards.
    Left,
    /// In postorder.
    Right,
}

/// Forests of the second tree are the nodes from place `l` of the preorder on that are among the first
/// `r` of the postorder; the distance from one stands at `l * (m + 1) + r`.
impl Second {
    fn len(&self) -> usize {
        self.sizes.len()
    }

    /// The sizes of all forests: their distance from nothing.
    fn against_nothing<C: Cell>(&self, forests: &mut [C]) {
        let m = self.len();
        let width = m + 1;
        forests[m * width..].fill(C::new(0));
        for l in (0..m).rev() {
            let node = self.node_at[l];
            let (here, after) = forests[l * width..].split_at_mut(width);
            for (r, (here, after)) in here.iter_mut().zip(after.iter()).enumerate() {
                *here = after.plus(C::new(u32::from(node < r)));
            }
        }
    }

    /// Adds a root above the whole forest of the first tree; `found` are the distances of the tree that
    /// comes of it.
    fn add_root<C: Cell>(&self, forests: &mut [C], label: u32, found: &mut [C]) {
        let m = self.len();
        let width = m + 1;
        let one = C::new(1);
        // Without both roots, before these cells change.
        let children: Vec<C> =
            (0..m).map(|node| forests[(self.places[node] + 1) * width + node]).collect();
        // The sizes of the forests from place `l` on.
        let mut sizes = vec![C::new(0); width];
        for cell in &mut forests[m * width..] {
            *cell = cell.plus(one);
        }
        for l in (0..m).rev() {
            let node = self.node_at[l];
            let (here, after) = forests[l * width..].split_at_mut(width);
            let rename = C::new(u32::from(self.labels[node] != label));
            let near = here[node + 1].min(after[node + 1]).plus(one);
            let distance = near.min(children[node].plus(rename));
            found[node] = distance;
            here[..=node].copy_from_slice(&after[..=node]);
            // What of the forest is not below `node` is inserted.
            let mapped = distance.less(C::new(self.sizes[node] as u32));
            let cells = here[node + 1..].iter_mut().zip(&after[node + 1..width]);
            for ((here, after), size) in cells.zip(&mut sizes[node + 1..]) {
                *size = size.plus(one);
                *here = (*here).min(*after).plus(one).min(mapped.plus(*size));
            }
        }
    }

    /// Adds `nodes` on one side of the first tree's forest; `subtrees` gives the distances of a node's
    /// subtree from all of the second tree.
    ///
    /// The forests of the second tree grow on the same side, from every end that they can have on the
    /// other side, and what happens does not depend on that end but for the nodes beyond it: a block of
    /// ends is worked through at once.
    fn add<'t, C: Cell>(
        &self,
        forests: &mut [C],
        rows: &mut Vec<[C; BLOCK]>,
        nodes: &[usize],
        sizes: &[u32],
        side: Side,
        subtrees: impl Fn(usize) -> &'t [C],
    ) {
        if nodes.is_empty() {
            return;
        }
        let m = self.len();
        let width = m + 1;
        let one = C::new(1);
        // The second tree's nodes in the order in which they come, each with the last end (numbered so
        // that forests shrink) for which it does not lie beyond.
        let order: Vec<(usize, usize)> = match side {
            Side::Left => (0..m).rev().map(|l| self.node_at[l]).map(|y| (y, m - 1 - y)).collect(),
            Side::Right => (0..m).map(|y| (y, self.places[y])).collect(),
        };
        rows.resize(rows.len().max((nodes.len() + 1) * width), [C::new(0); BLOCK]);
        for start in (0..width).step_by(BLOCK) {
            let lanes = BLOCK.min(width - start);
            match side {
                Side::Left => {
                    // By position from the last line up, by end from the last cell back.
                    let lines = forests.chunks_exact(width).rev();
                    for (row, line) in rows[..width].iter_mut().zip(lines) {
                        let cells = line[width - start - lanes..width - start].iter().rev();
                        row.iter_mut().zip(cells).for_each(|(value, cell)| *value = *cell);
                    }
                }
                Side::Right => {
                    for (lane, line) in
                        forests[start * width..].chunks_exact(width).take(lanes).enumerate()
                    {
                        let values = rows[..width].iter_mut().map(|row| &mut row[lane]);
                        values.zip(line).for_each(|(value, cell)| *value = *cell);
                    }
                }
            }
            for (k, &x) in nodes.iter().enumerate() {
                let (before, row) = rows.split_at_mut((k + 1) * width);
                let up = &before[k * width..];
                let jump = &before[(k + 1 - sizes[x] as usize) * width..][..width];
                let subtrees = subtrees(x);
                let mut left = up[0].map(|cell| cell.plus(one));
                row[0] = left;
                for (position, (&(y, last), (out, up))) in
                    order.iter().zip(row[1..].iter_mut().zip(&up[1..])).enumerate()
                {
                    // Lanes from here on have this node beyond their end, and nothing changes.
                    let inside = (last + 1).saturating_sub(start);
                    if inside > 0 {
                        let jump = &jump[position + 1 - self.sizes[y]];
                        let subtree = subtrees[y];
                        let next: [C; BLOCK] = std::array::from_fn(|lane| {
                            let near = up[lane].min(left[lane]).plus(one);
                            near.min(jump[lane].plus(subtree))
                        });
                        if inside >= BLOCK {
                            left = next;
                        } else {
                            left[..inside].copy_from_slice(&next[..inside]);
                        }
                    }
                    *out = left;
                }
            }
            let all = &rows[nodes.len() * width..][..width];
            match side {
                Side::Left => {
                    let lines = forests.chunks_exact_mut(width).rev();
                    for (row, line) in all.iter().zip(lines) {
                        let cells = line[width - start - lanes..width - start].iter_mut().rev();
                        cells.zip(row).for_each(|(cell, value)| *cell = *value);
                    }
                }
                Side::Right => {
                    for (lane, line) in
                        forests[start * width..].chunks_exact_mut(width).take(lanes).enumerate()
                    {
                        let values = all.iter().map(|row| &row[lane]);
                        line.iter_mut().zip(values).for_each(|(cell, value)| *cell = *value);
                    }
                }
            }
        }
    }
}
