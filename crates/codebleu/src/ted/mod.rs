//! Tree edit distance: exact, bounded, with its mapping.
//!
//! The distance of two ordered, labelled trees is the least number of edits that turns one into the
//! other. An edit changes a label, deletes a node (its children move up into its place) or inserts
//! one. No result here is an estimate, whatever the size.
//!
//! ```
//! use codebleu::ted::{self, Edit, brackets};
//!
//! let mut labels = brackets::Labels::new();
//! let a = brackets::parse("{if{name}{block{call}{return}}}", &mut labels)?;
//! let b = brackets::parse("{if{name}{call}{return{name}}}", &mut labels)?;
//! assert_eq!(ted::distance(&a, &b)?, 2);
//! assert_eq!(ted::distance_at_most(&a, &b, 1)?, None);
//! assert_eq!(ted::similarity(&a, &b)?, 0.6);
//! let edits = ted::mapping(&a, &b)?;
//! assert!(edits.contains(&Edit::Delete { node: 2 }) && edits.contains(&Edit::Insert { node: 4 }));
//! # Ok::<(), ted::TedError>(())
//! ```
//!
//! # How
//!
//! With unit costs, in this order, until the distance is known:
//!
//! 1. Equal trees are at distance 0, and an empty tree is as far as the other has nodes.
//! 2. The edit distances of the label strings in preorder and in postorder, bit-parallel, are lower
//!    bounds: at least as great as the differences of the sizes and of the label histograms (which
//!    are taken where both trees have more than half a million nodes).
//! 3. While it is promising, a search from the lower bound `k` up for a mapping of cost `k`, in only
//!    those pairs of nodes that such a mapping can hold. Near trees end here: the time is then hardly
//!    more than that of the string distances, `O(n·k)` and a little.
//! 4. Zhang and Shasha's recurrence on the tree or on its mirror image, whichever has fewer cells,
//!    equal subtrees worked through once, rows vectorised. Syntax trees take some ten cells for each
//!    of the `n·m` pairs of nodes, most of them in less than a nanosecond. Where the shapes make for
//!    many more (zigzags are the worst), a decomposition along heavy paths that takes
//!    `O(n·m²·log n)` time on any shape.
//!
//! Custom costs take the textbook form of step 4, `O(n·m·min(depth, leaves)²)` time.
//!
//! # Memory
//!
//! Step 3 takes about `16·n·k` bytes and 64 bytes for each pair of nodes that it admits, and is left
//! out where the cap does not allow that. Step 4 takes `2·m·(c + l)` bytes, where `c` is the number of
//! different subtrees of one tree and `l` of its leaves, `m` the size of the other; twice that where
//! both trees have more than 32,000 nodes together; heavy paths add `34·n·m` bytes at
//! most, or are left out. A mapping adds `4·n·m` bytes if step 3 does not
//! find it. Custom costs take `16·n·m` bytes. What would exceed the cap (1 GiB, or
//! [`Solver::with_memory_cap`]) is a [`TedError::Memory`] before the tables are allocated. [`bounds()`]
//! stays below 64 MiB. What is linear in the sizes is not counted.

mod alignment;
mod bounds;
pub mod brackets;
mod corridor;
mod costs;
mod inner;
mod row;
#[cfg(test)]
mod tests;
mod tree;
mod unit;
mod zs;

use serde::{Deserialize, Serialize};

use corridor::Corridor;
pub use costs::{Costs, Unit};
pub use tree::Tree;

/// What can go wrong in this module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TedError {
    /// A node that is more than one level deeper than the node before it.
    #[error("node {node} (preorder, from 0) has depth {depth}: at most {deepest} can follow")]
    Depth {
        /// Preorder index of the node.
        node: usize,
        /// Its depth as given.
        depth: usize,
        /// The greatest depth that it could have.
        deepest: usize,
    },
    /// A node of depth 0 that is not the first.
    #[error("node {node} (preorder, from 0) has depth 0: a tree has one root")]
    SecondRoot {
        /// Preorder index of the node.
        node: usize,
    },
    /// More nodes than a tree can hold.
    #[error("a tree holds at most {max} nodes", max = Tree::MAX_NODES)]
    TooManyNodes,
    /// Bracket notation that cannot be read.
    #[error("column {column}: {reason}")]
    Brackets {
        /// In characters, from 1.
        column: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// Trees whose distance would take more memory than allowed.
    #[error(
        "the distance of trees with {size_a} and {size_b} nodes takes {needed} bytes of memory: \
         at most {cap} are allowed"
    )]
    Memory {
        /// Nodes of the first tree.
        size_a: usize,
        /// Nodes of the second tree.
        size_b: usize,
        /// Bytes that the tables would take.
        needed: u64,
        /// Bytes that are allowed.
        cap: u64,
    },
}

/// One element of a mapping; nodes are preorder indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "lowercase")]
pub enum Edit {
    /// A node that stays as it is.
    Keep {
        /// In the first tree.
        from: usize,
        /// In the second tree.
        to: usize,
    },
    /// A node that changes its label.
    Rename {
        /// In the first tree.
        from: usize,
        /// In the second tree.
        to: usize,
    },
    /// A node of the first tree that goes.
    Delete {
        /// In the first tree.
        node: usize,
    },
    /// A node of the second tree that comes.
    Insert {
        /// In the second tree.
        node: usize,
    },
}

impl Edit {
    /// Two nodes, by postorder index, mapped to each other.
    fn pair(a: &Tree, node_a: usize, b: &Tree, node_b: usize) -> Edit {
        let (from, to) = (a.preorder[node_a] as usize, b.preorder[node_b] as usize);
        if a.labels[node_a] == b.labels[node_b] {
            Edit::Keep { from, to }
        } else {
            Edit::Rename { from, to }
        }
    }
}

/// Computes distances within a memory cap. The functions of this module use the default cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solver {
    memory_cap: u64,
}

impl Default for Solver {
    fn default() -> Self {
        Solver { memory_cap: 1 << 30 }
    }
}

impl Solver {
    /// A solver whose tables may take 1 GiB.
    pub fn new() -> Solver {
        Solver::default()
    }

    /// Sets how many bytes the tables of one call may take.
    #[must_use]
    pub fn with_memory_cap(mut self, bytes: u64) -> Solver {
        self.memory_cap = bytes;
        self
    }

    fn check(&self, a: &Tree, b: &Tree, needed: u128) -> Result<(), TedError> {
        if needed <= u128::from(self.memory_cap) {
            return Ok(());
        }
        Err(TedError::Memory {
            size_a: a.len(),
            size_b: b.len(),
            needed: needed.try_into().unwrap_or(u64::MAX),
            cap: self.memory_cap,
        })
    }

    /// See [`distance`].
    ///
    /// # Errors
    /// [`TedError::Memory`]
    pub fn distance(&self, a: &Tree, b: &Tree) -> Result<u32, TedError> {
        let most = (a.len() + b.len()) as u32;
        // No distance is greater than both sizes together.
        Ok(self.solve(a, b, most)?.unwrap_or(most))
    }

    /// The distance if it is at most `limit`.
    fn solve(&self, a: &Tree, b: &Tree, limit: u32) -> Result<Option<u32>, TedError> {
        let (lower, upper) = bounds::quick(a, b);
        let (lower, upper) = match self.search(a, b, lower, upper, limit) {
            Search::Found(_, distance) => return Ok(Some(distance)),
            Search::Between(lower, upper) => (lower, upper),
        };
        if lower > limit {
            return Ok(None);
        }
        let distance = if lower == upper {
            lower
        } else {
            let plan = unit::Plan::new(a, b, self.memory_cap);
            self.check(a, b, plan.bytes())?;
            plan.distance()
        };
        Ok(Some(distance).filter(|&distance| distance <= limit))
    }

    /// Narrows the bounds of the distance with corridors as long as that is cheap, from the lower
    /// bound up and not beyond `limit`.
    fn search<'a>(
        &self,
        a: &'a Tree,
        b: &'a Tree,
        mut lower: u32,
        mut upper: u32,
        limit: u32,
    ) -> Search<'a> {
        let mut slack = 0;
        let mut most = corridor::affordable(a, b);
        while lower < upper && lower <= limit {
            let k = (lower + slack).min(upper - 1).min(limit);
            let Some(mut corridor) = self.corridor(a, b, k, most) else { break };
            most = most.saturating_sub(corridor.work);
            let distance = corridor.distance();
            if distance <= k {
                return Search::Found(corridor, distance);
            }
            lower = k + 1;
            upper = upper.min(distance);
            slack = 2 * slack + 1;
        }
        Search::Between(lower, upper)
    }

    /// The corridor for a limit, where it fits in memory and takes no more than `most` work.
    fn corridor<'a>(&self, a: &'a Tree, b: &'a Tree, k: u32, most: u64) -> Option<Corridor<'a>> {
        if k > corridor::promising(a, b) {
            return None;
        }
        let left = u128::from(self.memory_cap).checked_sub(corridor::bytes(a, b, k))?;
        let pairs = u64::try_from(left).unwrap_or(u64::MAX) / corridor::PAIR_BYTES;
        // There are no more pairs than work.
        Corridor::new(a, b, k, most.min(pairs))
    }

    /// See [`distance_with`].
    ///
    /// # Errors
    /// [`TedError::Memory`]
    pub fn distance_with(&self, a: &Tree, b: &Tree, costs: &impl Costs) -> Result<u64, TedError> {
        if a.is_empty() || b.is_empty() {
            let deletions: u64 = a.labels.iter().map(|&label| u64::from(costs.delete(label))).sum();
            let insertions: u64 =
                b.labels.iter().map(|&label| u64::from(costs.insert(label))).sum();
            return Ok(deletions + insertions);
        }
        self.check(a, b, zs::bytes(a, b))?;
        Ok(zs::Table::new(a, b, costs).distance())
    }

    /// See [`distance_at_most`].
    ///
    /// # Errors
    /// [`TedError::Memory`]
    pub fn distance_at_most(&self, a: &Tree, b: &Tree, k: u32) -> Result<Option<u32>, TedError> {
        self.solve(a, b, k)
    }

    /// See [`similarity`].
    ///
    /// # Errors
    /// [`TedError::Memory`]
    pub fn similarity(&self, a: &Tree, b: &Tree) -> Result<f64, TedError> {
        Ok(normalised(self.distance(a, b)?, a, b))
    }

    /// See [`similarity_at_least`].
    ///
    /// # Errors
    /// [`TedError::Memory`]
    pub fn similarity_at_least(
        &self,
        a: &Tree,
        b: &Tree,
        threshold: f64,
    ) -> Result<Option<f64>, TedError> {
        let Some(k) = furthest(a, b, threshold) else { return Ok(None) };
        let distance = self.distance_at_most(a, b, k)?;
        Ok(distance.map(|distance| normalised(distance, a, b)))
    }

    /// See [`mapping`].
    ///
    /// # Errors
    /// [`TedError::Memory`]
    pub fn mapping(&self, a: &Tree, b: &Tree) -> Result<Vec<Edit>, TedError> {
        let (lower, upper) = bounds::quick(a, b);
        if upper == 0 {
            return Ok((0..a.len()).map(|node| Edit::Keep { from: node, to: node }).collect());
        }
        if a.is_empty() || b.is_empty() {
            return self.mapping_with(a, b, &Unit);
        }
        let near = match self.search(a, b, lower, upper, upper) {
            Search::Found(corridor, _) => Some(corridor),
            // The distance is known, but no mapping yet.
            Search::Between(lower, upper) if lower == upper => {
                self.corridor(a, b, lower, corridor::affordable(a, b)).map(|mut corridor| {
                    corridor.distance();
                    corridor
                })
            }
            Search::Between(..) => None,
        };
        let mut edits = match near {
            Some(mut corridor) => corridor.mapping(),
            None => {
                let plan = unit::Plan::new(a, b, self.memory_cap);
                self.check(a, b, plan.mapping_bytes())?;
                plan.mapping()
            }
        };
        sort(&mut edits);
        Ok(edits)
    }

    /// See [`mapping_with`].
    ///
    /// # Errors
    /// [`TedError::Memory`]
    pub fn mapping_with(
        &self,
        a: &Tree,
        b: &Tree,
        costs: &impl Costs,
    ) -> Result<Vec<Edit>, TedError> {
        let mut edits = if a.is_empty() || b.is_empty() {
            let deletions = (0..a.len()).map(|node| Edit::Delete { node });
            let insertions = (0..b.len()).map(|node| Edit::Insert { node });
            deletions.chain(insertions).collect()
        } else {
            self.check(a, b, zs::bytes(a, b))?;
            zs::Table::new(a, b, costs).mapping()
        };
        sort(&mut edits);
        Ok(edits)
    }
}

/// What a search with corridors found out.
enum Search<'a> {
    /// The distance, and the corridor that holds a mapping of that cost.
    Found(Corridor<'a>, u32),
    /// Bounds of the distance. The lower one may be beyond the limit of the search, and then the
    /// distance is too.
    Between(u32, u32),
}

/// The order that [`mapping`] promises.
fn sort(edits: &mut [Edit]) {
    edits.sort_unstable_by_key(|edit| match *edit {
        Edit::Keep { from, .. } | Edit::Rename { from, .. } => (0, from),
        Edit::Delete { node } => (0, node),
        Edit::Insert { node } => (1, node),
    });
}

/// The similarity that belongs to a distance.
fn normalised(distance: u32, a: &Tree, b: &Tree) -> f64 {
    match a.len().max(b.len()) {
        0 => 1.0,
        max => 1.0 - f64::from(distance) / max as f64,
    }
}

/// The greatest distance at which trees of these sizes are at least so similar, if any is.
fn furthest(a: &Tree, b: &Tree, threshold: f64) -> Option<u32> {
    let most = (a.len() + b.len()) as u32;
    // The similarity falls with the distance: search for the last one that passes, in the very
    // arithmetic that callers see, so that a similarity equal to the threshold is never lost.
    let passes = |distance: u32| normalised(distance, a, b) >= threshold;
    if !passes(0) {
        return None;
    }
    let (mut good, mut bad) = (0, most + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if passes(middle) { good = middle } else { bad = middle }
    }
    Some(good)
}

/// The tree edit distance with unit costs, between 0 and the sum of the sizes.
///
/// # Errors
/// [`TedError::Memory`] where the tables would take more than 1 GiB; [`Solver`] sets another cap.
pub fn distance(a: &Tree, b: &Tree) -> Result<u32, TedError> {
    Solver::new().distance(a, b)
}

/// The tree edit distance with the given costs: the least sum over all valid mappings.
///
/// # Errors
/// [`TedError::Memory`]
pub fn distance_with(a: &Tree, b: &Tree, costs: &impl Costs) -> Result<u64, TedError> {
    Solver::new().distance_with(a, b, costs)
}

/// The distance if it is at most `k`.
///
/// Much cheaper than [`distance`] where `k` is small, or less than the distance of the label
/// strings.
///
/// # Errors
/// [`TedError::Memory`]
pub fn distance_at_most(a: &Tree, b: &Tree, k: u32) -> Result<Option<u32>, TedError> {
    Solver::new().distance_at_most(a, b, k)
}

/// A lower and an upper bound of the unit-cost distance, both included.
///
/// The lower one is the distance of the label strings in preorder or postorder, whichever is
/// greater; the upper one is the cost of a mapping that follows an alignment of these strings. For
/// near trees they often meet; the upper one can be twice the distance of unlike trees.
/// `O(n·m / 64 + n·d)` time, where `d` is the lower bound.
pub fn bounds(a: &Tree, b: &Tree) -> (u32, u32) {
    bounds::bounds(a, b)
}

/// `1 − TED / max(|A|, |B|)`: 1 for equal trees (two empty ones too), and below 0 where the distance
/// exceeds the larger size.
///
/// # Errors
/// [`TedError::Memory`]
pub fn similarity(a: &Tree, b: &Tree) -> Result<f64, TedError> {
    Solver::new().similarity(a, b)
}

/// The [`similarity`] if it is at least `threshold`; stops as soon as it is known to be less.
///
/// `None` for a threshold that is not a number.
///
/// # Errors
/// [`TedError::Memory`]
pub fn similarity_at_least(a: &Tree, b: &Tree, threshold: f64) -> Result<Option<f64>, TedError> {
    Solver::new().similarity_at_least(a, b, threshold)
}

/// A cheapest mapping with unit costs: every node of both trees occurs in exactly one edit. Sorted:
/// the nodes of `a` in preorder, then the inserted nodes of `b` in preorder.
///
/// # Errors
/// [`TedError::Memory`]
pub fn mapping(a: &Tree, b: &Tree) -> Result<Vec<Edit>, TedError> {
    Solver::new().mapping(a, b)
}

/// A cheapest [`mapping`] with the given costs.
///
/// # Errors
/// [`TedError::Memory`]
pub fn mapping_with(a: &Tree, b: &Tree, costs: &impl Costs) -> Result<Vec<Edit>, TedError> {
    Solver::new().mapping_with(a, b, costs)
}
