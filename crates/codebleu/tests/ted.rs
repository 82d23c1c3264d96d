//! Tree edit distances known from another program, and trees that are hard on a stack.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use codebleu::ted::{self, Edit, Tree, brackets};

fn expected() -> HashMap<String, Vec<u32>> {
    serde_json::from_str(include_str!("ted/distances.json")).unwrap()
}

fn pairs(text: &str) -> Vec<(Tree, Tree)> {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len() % 2, 0, "an odd number of trees");
    let pair = |pair: &[&str]| {
        let mut labels = brackets::Labels::new();
        let mut tree = |line| brackets::parse(line, &mut labels).unwrap();
        (tree(pair[0]), tree(pair[1]))
    };
    lines.chunks(2).map(pair).collect()
}

fn check(set: &str, text: &str) {
    let expected = &expected()[set];
    let pairs = pairs(text);
    assert_eq!(pairs.len(), expected.len());
    for (number, ((a, b), &expected)) in pairs.iter().zip(expected).enumerate() {
        assert_eq!(ted::distance(a, b).unwrap(), expected, "{set}, pair {number}");
        assert_eq!(ted::distance(b, a).unwrap(), expected, "{set}, pair {number} swapped");
        let (lower, upper) = ted::bounds(a, b);
        assert!(lower <= expected && expected <= upper, "{set}, pair {number}: {lower} {upper}");
        assert_eq!(ted::distance_at_most(a, b, expected).unwrap(), Some(expected));
        assert_eq!(ted::distance_at_most(a, b, expected - 1).unwrap(), None);
        let edits = ted::mapping(a, b).unwrap();
        let cost = edits.iter().filter(|edit| !matches!(edit, Edit::Keep { .. })).count();
        assert_eq!(cost as u32, expected, "{set}, mapping of pair {number}");
    }
}

#[test]
fn pairs_of_50_nodes() {
    check("50.near", include_str!("ted/50.near.trees"));
    check("50.far", include_str!("ted/50.far.trees"));
}

#[test]
fn pairs_of_200_nodes() {
    check("200.near", include_str!("ted/200.near.trees"));
    check("200.far", include_str!("ted/200.far.trees"));
}

#[test]
fn larger_pairs() {
    let Some(folder) = std::env::var_os("CODEBLEU_TED_PEERS") else {
        eprintln!(
            "SKIPPED: CODEBLEU_TED_PEERS names no folder with the pairs of 1000 and 3000 nodes"
        );
        return;
    };
    for set in ["1000.near", "1000.far", "3000.near", "3000.far"] {
        let file = Path::new(&folder).join(format!("{set}.trees"));
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        check(set, &text);
    }
}

#[test]
fn custom_costs_agree_where_they_are_units() {
    let all = pairs(include_str!("ted/50.far.trees"));
    for ((a, b), expected) in all.iter().zip(&expected()["50.far"]).take(6) {
        assert_eq!(ted::distance_with(a, b, &ted::Unit).unwrap(), u64::from(*expected));
    }
}

#[test]
fn depth_and_breadth_need_no_stack() {
    let n = 20_000;
    let path = |label: u32| Tree::from_preorder((0..n).map(|depth| (depth, label))).unwrap();
    let star = |n: usize| Tree::from_preorder((0..n).map(|node| (node.min(1), 0))).unwrap();
    assert_eq!(ted::distance(&path(0), &path(0)).unwrap(), 0);
    assert_eq!(ted::distance(&path(0), &star(1)).unwrap(), n as u32 - 1);
    // One node off the end: near enough for any size.
    let shorter = Tree::from_preorder((0..n - 1).map(|depth| (depth, 0))).unwrap();
    assert_eq!(ted::distance(&path(0), &shorter).unwrap(), 1);
    assert_eq!(ted::mapping(&path(0), &shorter).unwrap().len(), n);
    assert_eq!(ted::distance(&star(n), &star(n - 3)).unwrap(), 3);
    // Far and too large: refused, but for the question whether they are near.
    assert!(matches!(ted::distance(&path(0), &path(1)), Err(ted::TedError::Memory { .. })));
    assert_eq!(ted::distance_at_most(&path(0), &path(1), 100).unwrap(), None);
}

#[test]
fn a_million_nodes_are_compared_or_refused_at_once() {
    let n = 1_000_000;
    let broad = |n: usize, label: u32| {
        let node = |node: usize| (node.min(1), if node % 7 == 3 { label } else { node as u32 % 5 });
        Tree::from_preorder((0..n).map(node)).unwrap()
    };
    let far = ted::distance(&broad(n, 8), &broad(n, 9));
    assert!(matches!(far, Err(ted::TedError::Memory { .. })));
    assert_eq!(ted::distance(&broad(n, 8), &broad(n - 2, 8)).unwrap(), 2);
}
