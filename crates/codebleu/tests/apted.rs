//! Distances beside those of the crate `apted`, a port of Pawlik and Augsten's program, on ten thousand
//! random trees.

use apted::{APTED, Node, StringNodeData, StringUnitCostModel};
use codebleu::ted::{self, Tree};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

/// Depth and label of each node in preorder.
fn trees(most: usize) -> impl Strategy<Value = Vec<(usize, u32)>> {
    let nodes = prop::collection::vec((0usize..4, any::<u32>()), 1..=most);
    (nodes, 1u32..6).prop_map(|(nodes, labels)| {
        let mut depth = 0_usize;
        let node = |(index, (up, label)): (usize, (usize, u32))| {
            depth = if index == 0 { 0 } else { (depth + 1).saturating_sub(up).max(1) };
            (depth, label % labels)
        };
        nodes.into_iter().enumerate().map(node).collect()
    })
}

fn theirs(nodes: &[(usize, u32)]) -> Node<StringNodeData> {
    let node = |label: u32| Node::new(StringNodeData::new(label.to_string()));
    let mut open = vec![node(nodes[0].1)];
    let close = |open: &mut Vec<Node<StringNodeData>>| {
        let child = open.pop().unwrap();
        open.last_mut().unwrap().add_child(child);
    };
    for &(depth, label) in &nodes[1..] {
        while open.len() > depth {
            close(&mut open);
        }
        open.push(node(label));
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.remove(0)
}

#[test]
fn distances_are_those_of_apted() {
    // Five thousand pairs are ten thousand trees.
    let config = ProptestConfig { cases: 5000, rng_seed: RngSeed::Fixed(1), ..Default::default() };
    let pairs = (trees(40), trees(40));
    TestRunner::new(config)
        .run(&pairs, |(a, b)| {
            let expected =
                APTED::new(StringUnitCostModel).compute_edit_distance(&theirs(&a), &theirs(&b));
            let (a, b) = (Tree::from_preorder(a).unwrap(), Tree::from_preorder(b).unwrap());
            prop_assert_eq!(ted::distance(&a, &b).unwrap() as f32, expected);
            Ok(())
        })
        .unwrap();
}
