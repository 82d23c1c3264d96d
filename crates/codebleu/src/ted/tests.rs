//! Every engine against a reference that shares nothing with it, and the properties of a metric.

use proptest::prelude::*;
use rustc_hash::FxHashMap;

use super::*;

/// A tree from two numbers a node: how far up its parent hangs, and its label.
fn tree_of(nodes: &[(u8, u8)], labels: u8) -> Tree {
    let mut depth = 0usize;
    let nodes = nodes.iter().enumerate().map(|(node, &(up, label))| {
        depth = if node == 0 { 0 } else { (depth + 1).saturating_sub(up as usize).max(1) };
        (depth, u32::from(label % labels))
    });
    Tree::from_preorder(nodes.collect::<Vec<_>>()).unwrap()
}

prop_compose! {
    fn trees(most: usize)(
        nodes in prop::collection::vec((0u8..4, any::<u8>()), 0..=most),
        labels in 1u8..5,
    ) -> Tree {
        tree_of(&nodes, labels)
    }
}

prop_compose! {
    /// A tree and the same after a few random edits.
    fn near(most: usize)(
        nodes in prop::collection::vec((0u8..4, any::<u8>()), 1..=most),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..3, any::<u8>()), 0..6),
        labels in 1u8..5,
    ) -> (Tree, Tree) {
        let mut edited = nodes.clone();
        for (at, edit, label) in edits {
            let at = at.index(edited.len());
            match edit {
                0 => edited[at].1 = label,
                1 if edited.len() > 1 => { edited.remove(at); }
                _ => edited.insert(at, (label % 4, label)),
            }
        }
        (tree_of(&nodes, labels), tree_of(&edited, labels))
    }
}

/// The definition: the distance of two ordered forests, the rightmost roots deleted, inserted or
/// mapped to each other; every pair of forests is remembered.
struct Definition<'a> {
    a: &'a Tree,
    b: &'a Tree,
    known: FxHashMap<(usize, usize, usize, usize), u32>,
}

impl Definition<'_> {
    /// Distance of the forests of the postorder ranges `a[i..j]` and `b[k..l]`.
    fn forests(&mut self, i: usize, j: usize, k: usize, l: usize) -> u32 {
        if i == j || k == l {
            return (j - i + l - k) as u32;
        }
        if let Some(&known) = self.known.get(&(i, j, k, l)) {
            return known;
        }
        let (x, y) = (j - 1, l - 1);
        // The ranges are prefixes cut off a subtree's postorder, so subtrees may be cut at `i`.
        let first_x = (j - self.a.sizes[x] as usize).max(i);
        let first_y = (l - self.b.sizes[y] as usize).max(k);
        let rename = u32::from(self.a.labels[x] != self.b.labels[y]);
        let distance = (self.forests(i, x, k, l) + 1).min(self.forests(i, j, k, y) + 1).min(
            self.forests(i, first_x, k, first_y) + self.forests(first_x, x, first_y, y) + rename,
        );
        self.known.insert((i, j, k, l), distance);
        distance
    }
}

fn by_definition(a: &Tree, b: &Tree) -> u32 {
    Definition { a, b, known: FxHashMap::default() }.forests(0, a.len(), 0, b.len())
}

fn textbook(a: &Tree, b: &Tree) -> u32 {
    distance_with(a, b, &Unit).unwrap() as u32
}

/// The cost of a mapping, after a check that it is one: every node in one edit, and mapped nodes in
/// the same order and the same descent.
fn cost_of(edits: &[Edit], a: &Tree, b: &Tree, costs: &impl Costs) -> u64 {
    let span = |tree: &Tree| {
        let mut size = vec![0; tree.len()];
        for (&node, &s) in tree.preorder.iter().zip(&tree.sizes) {
            size[node as usize] = s as usize;
        }
        size
    };
    let (size_a, size_b) = (span(a), span(b));
    let (mut seen_a, mut seen_b) = (vec![false; a.len()], vec![false; b.len()]);
    let mut mapped = Vec::new();
    let mut cost = 0;
    for &edit in edits {
        let (from, to) = match edit {
            Edit::Keep { from, to } | Edit::Rename { from, to } => {
                let (label_a, label_b) = (a.label(from).unwrap(), b.label(to).unwrap());
                assert_eq!(label_a == label_b, matches!(edit, Edit::Keep { .. }));
                cost += u64::from(costs.rename(label_a, label_b));
                mapped.push((from, to));
                (Some(from), Some(to))
            }
            Edit::Delete { node } => {
                cost += u64::from(costs.delete(a.label(node).unwrap()));
                (Some(node), None)
            }
            Edit::Insert { node } => {
                cost += u64::from(costs.insert(b.label(node).unwrap()));
                (None, Some(node))
            }
        };
        if let Some(node) = from {
            assert!(!std::mem::replace(&mut seen_a[node], true), "{node} of a in two edits");
        }
        if let Some(node) = to {
            assert!(!std::mem::replace(&mut seen_b[node], true), "{node} of b in two edits");
        }
    }
    assert!(seen_a.into_iter().chain(seen_b).all(|seen| seen), "a node in no edit");
    for &(x1, y1) in &mapped {
        for &(x2, y2) in &mapped {
            assert_eq!(x1 < x2, y1 < y2, "preorder");
            let inside_a = x1 <= x2 && x2 < x1 + size_a[x1];
            let inside_b = y1 <= y2 && y2 < y1 + size_b[y1];
            assert_eq!(inside_a, inside_b, "descent");
        }
    }
    cost
}

/// All ways to the distance, and everything that must follow from it.
fn check(a: &Tree, b: &Tree, expected: u32) {
    let (lower, upper) = bounds(a, b);
    assert!(lower <= expected && expected <= upper, "{lower} {expected} {upper}");
    assert_eq!(distance(a, b).unwrap(), expected, "distance");
    if !a.is_empty() && !b.is_empty() {
        for plan in [unit::Plan::new(a, b, u64::MAX), unit::Plan::inner(a, b)] {
            assert_eq!(plan.distance(), expected, "all subtrees");
            assert_eq!(cost_of(&plan.mapping(), a, b, &Unit), u64::from(expected));
        }
        let (string, most) = (bounds::strings(a, b), (a.len() + b.len()) as u32);
        let labels = bounds::labels(a, b);
        assert!(a.len().abs_diff(b.len()) as u32 <= labels && labels <= string);
        for k in [string, expected.saturating_sub(1), expected, expected + 1, expected + 7, most] {
            if k < string {
                continue;
            }
            let mut corridor = corridor::Corridor::new(a, b, k, u64::MAX).unwrap();
            let found = corridor.distance();
            if k >= expected {
                assert_eq!(found, expected, "corridor for {k}");
                assert_eq!(cost_of(&corridor.mapping(), a, b, &Unit), u64::from(expected));
            } else {
                assert!(found > k, "corridor for {k}: {found}");
            }
        }
    }
    for k in [0, expected.saturating_sub(1), expected, expected + 1, u32::MAX] {
        let at_most = distance_at_most(a, b, k).unwrap();
        assert_eq!(at_most, (expected <= k).then_some(expected), "at most {k}");
    }
    let alike = similarity(a, b).unwrap();
    assert_eq!(similarity_at_least(a, b, alike).unwrap(), Some(alike));
    assert_eq!(similarity_at_least(a, b, alike + 1e-9).unwrap(), None);
    assert_eq!(similarity_at_least(a, b, f64::NEG_INFINITY).unwrap(), Some(alike));
    assert_eq!(cost_of(&mapping(a, b).unwrap(), a, b, &Unit), u64::from(expected), "mapping");
}

/// Edits whose costs differ by label and side.
struct Uneven;

impl Costs for Uneven {
    fn rename(&self, from: u32, to: u32) -> u32 {
        if from == to { from % 2 } else { 1 + from + 2 * to }
    }

    fn delete(&self, label: u32) -> u32 {
        2 + label
    }

    fn insert(&self, label: u32) -> u32 {
        3 * label
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn small_trees_by_definition(a in trees(11), b in trees(11)) {
        check(&a, &b, by_definition(&a, &b));
    }

    #[test]
    fn near_trees_by_definition((a, b) in near(14)) {
        check(&a, &b, by_definition(&a, &b));
    }

    #[test]
    fn metric(a in trees(30), b in trees(30), c in trees(30)) {
        let d = |x: &Tree, y: &Tree| distance(x, y).unwrap();
        prop_assert_eq!(d(&a, &a.clone()), 0);
        prop_assert_eq!(d(&a, &b) == 0, a == b);
        prop_assert_eq!(d(&a, &b), d(&b, &a));
        prop_assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c));
    }

    #[test]
    fn custom_costs(a in trees(20), b in trees(20)) {
        let distance = distance_with(&a, &b, &Uneven).unwrap();
        let edits = mapping_with(&a, &b, &Uneven).unwrap();
        prop_assert_eq!(cost_of(&edits, &a, &b, &Uneven), distance);
        // No cheaper mapping among those that other costs prefer.
        let other = cost_of(&mapping(&a, &b).unwrap(), &a, &b, &Uneven);
        prop_assert!(distance <= other);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn large_trees_by_the_textbook(a in trees(80), b in trees(80)) {
        check(&a, &b, textbook(&a, &b));
    }

    #[test]
    fn large_near_trees_by_the_textbook((a, b) in near(100)) {
        check(&a, &b, textbook(&a, &b));
    }
}

fn read(line: &str, labels: &mut brackets::Labels) -> Tree {
    brackets::parse(line, labels).unwrap()
}

#[test]
fn known_distances() {
    for (a, b, expected) in [
        ("", "", 0),
        ("", "{a{b}}", 2),
        ("{a}", "{a}", 0),
        ("{a}", "{b}", 1),
        ("{a}", "{b{a}}", 1),
        ("{a{b}{c}}", "{a{c}{b}}", 2),
        // The example of Zhang and Shasha's paper.
        ("{f{d{a}{c{b}}}{e}}", "{f{c{d{a}{b}}}{e}}", 2),
        // More edits than the larger tree has nodes.
        ("{a{b{c{d}}}}", "{e{f}{g}{h}}", 6),
        ("{a{x}{x}{x}{x}}", "{a{b{x}{x}}{x}{x}}", 1),
    ] {
        let mut labels = brackets::Labels::new();
        let (a, b) = (read(a, &mut labels), read(b, &mut labels));
        check(&a, &b, expected);
        check(&b, &a, expected);
    }
}

#[test]
fn similarity_of_nothing_and_below_zero() {
    let empty = Tree::default();
    assert_eq!(similarity(&empty, &empty).unwrap(), 1.0);
    assert_eq!(similarity_at_least(&empty, &empty, f64::NAN).unwrap(), None);
    let mut labels = brackets::Labels::new();
    let a = read("{a{b{c{d}}}}", &mut labels);
    let b = read("{e{f}{g}{h}}", &mut labels);
    assert_eq!(similarity(&a, &b).unwrap(), -0.5);
}

/// Deep by turns to the left and to the right: many cells for Zhang and Shasha's algorithm.
fn zigzag(levels: usize, labels: u32) -> Tree {
    let label = |node: usize| (node as u32).wrapping_mul(2_654_435_761) >> 16;
    let mut nodes = Vec::new();
    for depth in 0..levels {
        nodes.push((depth, label(nodes.len()) % labels));
        if depth % 2 == 0 {
            nodes.push((depth + 1, label(nodes.len()) % labels));
        }
    }
    for depth in (0..levels).rev().filter(|depth| depth % 2 == 1) {
        nodes.push((depth + 1, label(nodes.len()) % labels));
    }
    Tree::from_preorder(nodes).unwrap()
}

#[test]
fn heavy_paths_are_taken_where_they_are_cheaper() {
    let (a, b) = (zigzag(60, 3), zigzag(55, 5));
    let expected = textbook(&a, &b);
    assert_eq!(distance(&a, &b).unwrap(), expected);
    assert_eq!(unit::Plan::inner(&a, &b).distance(), expected);
    let (a, b) = (zigzag(150, 3), zigzag(150, 5));
    assert!(unit::Plan::new(&a, &b, u64::MAX).is_inner());
    assert!(!unit::Plan::new(&a, &b, 100_000).is_inner());
}

#[test]
fn the_memory_cap_is_kept() {
    let path = |n| Tree::from_preorder((0..n).map(|depth| (depth, depth as u32))).unwrap();
    let star = |n: usize| {
        Tree::from_preorder((0..n).map(|node| (node.min(1), 1000 + node as u32))).unwrap()
    };
    let (a, b) = (path(500), star(500));
    let solver = Solver::new().with_memory_cap(10_000);
    let error = solver.distance(&a, &b).unwrap_err();
    assert!(matches!(error, TedError::Memory { size_a: 500, size_b: 500, cap: 10_000, .. }));
    assert!(solver.mapping(&a, &b).is_err());
    assert_eq!(solver.distance(&a, &a).unwrap(), 0);
    assert_eq!(solver.distance_at_most(&a, &b, 100).unwrap(), None);
}

#[test]
fn cells_of_32_bits() {
    // A star and a path: everything but two nodes of the path goes.
    let n = 33_000;
    let path = Tree::from_preorder((0..n).map(|depth| (depth, 0))).unwrap();
    let star = Tree::from_preorder((0..6).map(|node| (node.min(1), 0))).unwrap();
    assert_eq!(distance(&path, &star).unwrap(), n as u32 - 2 + 4);
}
