//! The exact distance where it is hardly more than that of the label strings.
//!
//! A mapping that costs at most `k` aligns the postorders of the trees, and the preorders, at no more
//! than `k`. So it maps `x` to `y` only where
//!
//! * the postorder before `x` and before `y`, and what comes after both, can be aligned for `k`
//!   together; likewise the preorder;
//! * what lies to the left of both (a prefix of the postorder), what lies to the right (a suffix of
//!   the preorder), the ancestors (at least the difference of the depths) and the subtrees (at
//!   least the difference of the sizes) cost at most `k` together.
//!
//! Where `k` is near the distance of the strings few pairs pass. Zhang and Shasha's recurrence is
//! then run for those pairs only, grouped by the leftmost leaves of both subtrees, and its forest
//! tables are narrowed to the cells through which an alignment of the postorders for `k` can pass.
//! Every value in a table is the cost of some mapping, and the cells of a mapping that costs at most
//! `k` are all there: a result of at most `k` is the distance, a greater one means that the
//! distance is greater than `k`.
//!
//! The idea of admitting only pairs that `k` allows is Touzet's (*Comparing similar ordered trees in
//! linear-time*, Journal of Discrete Algorithms 5, 2007), who compares sizes where this compares
//! strings.

use super::alignment::{Band, diagonals, narrow};
use super::row::Cell;
use super::{Edit, Tree};

/// No mapping known. Some costs can be added to it.
const NONE: u32 = u32::MAX / 2;

/// The pairs and the cells that a limit allows.
pub(super) struct Corridor<'a> {
    a: &'a Tree,
    b: &'a Tree,
    k: u32,
    /// Per length of a prefix of `a`'s postorder, the lengths of those of `b` that it can be aligned
    /// with.
    spans: Vec<(u32, u32)>,
    /// Where each row starts when the spans are laid end to end.
    starts: Vec<usize>,
    /// Least cost of aligning what is left, for the cells of all spans.
    rest: Vec<u32>,
    /// Pairs allowed, row by row.
    pairs: Vec<Pair>,
    /// `pairs[pair_starts[x]..pair_starts[x + 1]]` are those of node `x`, sorted.
    pair_starts: Vec<usize>,
    groups: Vec<Group>,
    /// What making and filling it takes, in cells of tables.
    pub(super) work: u64,
}

struct Pair {
    /// Node of `b`, in postorder.
    y: u32,
    /// Cost of the subtrees with their roots mapped to each other.
    cost: u32,
}

/// Pairs of nodes with the leftmost leaves `p` and `q`: one table serves them all.
struct Group {
    p: u32,
    q: u32,
    /// Least cost of what comes before.
    before: u32,
    /// Greatest nodes.
    x: u32,
    y: u32,
}

fn first(tree: &Tree, node: usize) -> usize {
    node + 1 - tree.sizes[node] as usize
}

/// The greatest distance of the strings at which a corridor is worth a try.
pub(super) fn promising(a: &Tree, b: &Tree) -> u32 {
    (a.len() + b.len()) as u32 / 6
}

/// Work that is cheap beside the tables of whole trees, of which the largest alone has a cell for every
/// pair of nodes. In cells of a corridor's tables.
pub(super) fn affordable(a: &Tree, b: &Tree) -> u64 {
    a.len() as u64 * b.len() as u64 / 2
}

/// What it takes to find out about the pair at a cell, in cells of a table.
const SIFT: u64 = 4;

/// Bytes that a pair takes at most, with its key and its group.
pub(super) const PAIR_BYTES: u64 = 64;

/// Bytes of the string tables for limit `k`, and of what is as large.
pub(super) fn bytes(a: &Tree, b: &Tree, k: u32) -> u128 {
    let (low, high) = diagonals(a.len(), b.len(), k);
    let band = if narrow(a.len(), b.len()) { Band::<i16>::bytes } else { Band::<i32>::bytes };
    // Four bands, and for each of their cells at most what is left there and a cell of a table.
    8 * band(a.len(), low, high)
}

impl<'a> Corridor<'a> {
    /// What the limit `k` allows; `None` where that takes more than `most` work. Neither tree may be
    /// empty, and `k` is no less than the distance of the postorders.
    pub(super) fn new(a: &'a Tree, b: &'a Tree, k: u32, most: u64) -> Option<Corridor<'a>> {
        if narrow(a.len(), b.len()) {
            Corridor::with_cells::<i16>(a, b, k, most)
        } else {
            Corridor::with_cells::<i32>(a, b, k, most)
        }
    }

    fn with_cells<C: Cell>(a: &'a Tree, b: &'a Tree, k: u32, most: u64) -> Option<Corridor<'a>> {
        let (n, m) = (a.len(), b.len());
        let (low, high) = diagonals(a.len(), b.len(), k);
        let reversed = |labels: &[u32]| labels.iter().rev().copied().collect::<Vec<u32>>();
        let shift = m as isize - n as isize;
        let forward = |s: &[u32], t: &[u32]| Band::<C>::new(s, t, low, high);
        let backward = |s: &[u32], t: &[u32]| {
            Band::<C>::new(&reversed(s), &reversed(t), shift - high, shift - low)
        };
        let post = forward(&a.labels, &b.labels);
        let post_rest = backward(&a.labels, &b.labels);
        let pre = forward(&a.preorder_labels, &b.preorder_labels);
        let pre_rest = backward(&a.preorder_labels, &b.preorder_labels);
        let post_rest = |x: usize, y: usize| post_rest.get(n - x, m - y);
        let pre_rest = |x: usize, y: usize| pre_rest.get(n - x, m - y);

        let mut spans = Vec::with_capacity(n + 1);
        let mut starts = Vec::with_capacity(n + 2);
        let mut rest = Vec::new();
        starts.push(0);
        for x in 0..=n {
            let allowed = |&y: &usize| post.get(x, y).saturating_add(post_rest(x, y)) <= k;
            let least = (x as isize + low).clamp(0, m as isize) as usize;
            let most = (x as isize + high).clamp(0, m as isize) as usize;
            let from = (least..=most).find(allowed)?;
            let to = (from..=most).rev().find(allowed)?;
            spans.push((from as u32, to as u32));
            rest.extend((from..=to).map(|y| post_rest(x, y).min(k + 1)));
            starts.push(rest.len());
        }

        let mut work = SIFT * rest.len() as u64;
        if work > most {
            return None;
        }
        let mut pairs: Vec<Pair> = Vec::new();
        let mut pair_starts = Vec::with_capacity(n + 1);
        // Leftmost leaves of the pairs, with the pair's nodes.
        let mut keys: Vec<(u32, u32, u32, u32)> = Vec::new();
        for (x, &(from, to)) in spans[..n].iter().enumerate() {
            pair_starts.push(pairs.len());
            let (from, to) = (from as usize, to as usize);
            let (label, size, depth) = (a.labels[x], a.sizes[x], a.depths[x]);
            let (before, node) = (first(a, x), a.preorder[x] as usize);
            for y in from..(to + 1).min(m) {
                let rename = u32::from(label != b.labels[y]);
                if post.get(x, y) + rename + post_rest(x + 1, y + 1) > k {
                    continue;
                }
                let other = b.preorder[y] as usize;
                if pre.get(node, other) + rename + pre_rest(node + 1, other + 1) > k {
                    continue;
                }
                let subtrees = size.abs_diff(b.sizes[y]).max(rename);
                let ancestors = depth.abs_diff(b.depths[y]);
                let left = post.get(before, first(b, y));
                let right = pre_rest(node + size as usize, other + b.sizes[y] as usize);
                if left.saturating_add(right).saturating_add(subtrees + ancestors) > k {
                    continue;
                }
                pairs.push(Pair { y: y as u32, cost: NONE });
                keys.push((before as u32, first(b, y) as u32, x as u32, y as u32));
            }
        }
        pair_starts.push(pairs.len());

        // A table needs those of both leaves further on, or of one of them and the same other.
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let mut groups: Vec<Group> = Vec::new();
        let size = |group: &Group| (starts[group.x as usize + 1] - starts[group.p as usize]) as u64;
        for &(p, q, x, y) in &keys {
            if let Some(group) = groups.last_mut().filter(|group| group.p == p && group.q == q) {
                group.y = group.y.max(y);
            } else {
                // Sorted by descending `x` within a group: the first is the greatest.
                let before = post.get(p as usize, q as usize).min(k + 1);
                groups.push(Group { p, q, before, x, y });
                work += size(&groups[groups.len() - 1]);
                if work > most {
                    return None;
                }
            }
        }
        Some(Corridor { a, b, k, spans, starts, rest, pairs, pair_starts, groups, work })
    }

    /// The distance if it is at most the limit, otherwise something greater than the limit, and the
    /// cost of a mapping if it is not more than both sizes together.
    pub(super) fn distance(&mut self) -> u32 {
        let mut table = Vec::new();
        for group in 0..self.groups.len() {
            let Group { p, q, before, x, y } = self.groups[group];
            self.fill(p, q, before, x + 1, y + 1, &mut table);
        }
        let (n, m) = (self.a.len() as u32, self.b.len() as u32);
        self.fill(0, 0, 0, n, m, &mut table);
        self.at(&table, 0, 0, m, n, m)
    }

    /// The cells of row `x` in a table that starts at column `q` and ends at column `end`.
    #[inline]
    fn span(&self, x: u32, q: u32, end: u32) -> (u32, u32) {
        let (from, to) = self.spans[x as usize];
        (from.max(q), to.min(end))
    }

    /// A cell of a table that starts at `p` and `q` and ends at column `end`.
    #[inline]
    fn at(&self, table: &[u32], p: u32, q: u32, end: u32, x: u32, y: u32) -> u32 {
        let (from, to) = self.span(x, q, end);
        if y < from || y > to {
            return NONE;
        }
        let start = self.starts[x as usize] - self.starts[p as usize];
        table[start + (y - self.spans[x as usize].0) as usize]
    }

    /// Fills the table of the forests between the leaves `p` and `q` and the prefixes of `rows` and
    /// `columns` nodes, and the costs of its pairs.
    fn fill(&mut self, p: u32, q: u32, before: u32, rows: u32, columns: u32, table: &mut Vec<u32>) {
        let origin = self.starts[p as usize];
        let cells = self.starts[rows as usize + 1] - origin;
        if table.len() < cells {
            table.resize(cells, NONE);
        }
        for x in p..=rows {
            let (from, to) = self.span(x, q, columns);
            let low = self.spans[x as usize].0;
            let start = self.starts[x as usize];
            let mut left = NONE;
            if x == p {
                for y in from..=to {
                    table[start - origin + (y - low) as usize] = y - q;
                }
                continue;
            }
            let node = x - 1;
            let (up_from, up_to) = self.span(node, q, columns);
            let up_low = self.spans[node as usize].0;
            let up_start = self.starts[node as usize] - origin;
            let node_first = first(self.a, node as usize) as u32;
            let mut pair = self.pair_starts[node as usize];
            let pair_end = self.pair_starts[node as usize + 1];
            while pair < pair_end && self.pairs[pair].y + 1 < from {
                pair += 1;
            }
            for y in from..=to {
                let up = if y >= up_from && y <= up_to {
                    table[up_start + (y - up_low) as usize]
                } else {
                    NONE
                };
                let mut best = up.min(left) + 1;
                if pair < pair_end && self.pairs[pair].y + 1 == y {
                    let other = y - 1;
                    let other_first = first(self.b, other as usize) as u32;
                    if node_first == p && other_first == q {
                        let rename = u32::from(
                            self.a.labels[node as usize] != self.b.labels[other as usize],
                        );
                        let children = self.at(table, p, q, columns, node, other);
                        let cost = (children + rename).min(NONE);
                        self.pairs[pair].cost = cost;
                        best = best.min(cost);
                    } else if other_first >= q {
                        let forests = self.at(table, p, q, columns, node_first, other_first);
                        best = best.min(forests + self.pairs[pair].cost);
                    }
                    pair += 1;
                }
                // What exceeds the limit with the least that is to come leads to no mapping.
                let offset = (y - low) as usize;
                let least = before.saturating_add(best).saturating_add(self.rest[start + offset]);
                if least > self.k {
                    best = NONE;
                }
                left = best;
                table[start - origin + offset] = best;
            }
        }
    }

    /// A cheapest mapping, in no particular order, after [`distance`](Self::distance) has returned at
    /// most the limit.
    pub(super) fn mapping(&mut self) -> Vec<Edit> {
        let (a, b) = (self.a, self.b);
        let mut edits = Vec::with_capacity(a.len().max(b.len()));
        let mut table = Vec::new();
        // Tables to walk back through, from the leaves `p` and `q` to these prefixes.
        let mut walks = vec![(0, 0, 0, a.len() as u32, b.len() as u32)];
        while let Some((p, q, before, rows, columns)) = walks.pop() {
            self.fill(p, q, before, rows, columns, &mut table);
            let (mut x, mut y) = (rows, columns);
            while x > p || y > q {
                let at = |x: u32, y: u32| self.at(&table, p, q, columns, x, y);
                let here = at(x, y);
                if x > p && at(x - 1, y) + 1 == here {
                    x -= 1;
                    edits.push(Edit::Delete { node: a.preorder[x as usize] as usize });
                } else if y > q && at(x, y - 1) + 1 == here {
                    y -= 1;
                    edits.push(Edit::Insert { node: b.preorder[y as usize] as usize });
                } else {
                    let (node, other) = (x as usize - 1, y as usize - 1);
                    edits.push(Edit::pair(a, node, b, other));
                    let (node_first, other_first) = (first(a, node) as u32, first(b, other) as u32);
                    if node_first == p && other_first == q {
                        x -= 1;
                        y -= 1;
                    } else {
                        let (x1, y1) = (node as u32, other as u32);
                        let group = self.groups.binary_search_by(|group| {
                            (node_first, other_first).cmp(&(group.p, group.q))
                        });
                        let before = group.map_or(0, |group| self.groups[group].before);
                        walks.push((node_first, other_first, before, x1, y1));
                        x = node_first;
                        y = other_first;
                    }
                }
            }
        }
        edits
    }
}
