//! Any two trees: the distance is that of the textbook algorithm, and everything else agrees with it.
#![no_main]

use codebleu::ted::{self, Edit, Tree, Unit};
use libfuzzer_sys::{Corpus, fuzz_target};

/// Two bits of each byte say how far up the next node hangs, the rest is its label.
fn tree(bytes: &[u8]) -> Tree {
    let mut depth = 0_usize;
    let nodes: Vec<(usize, u32)> = bytes
        .iter()
        .enumerate()
        .map(|(node, byte)| {
            let up = usize::from(byte & 3);
            depth = if node == 0 { 0 } else { (depth + 1).saturating_sub(up).max(1) };
            (depth, u32::from(byte >> 2))
        })
        .collect();
    Tree::from_preorder(nodes).unwrap()
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((&cut, nodes)) = data.split_first() else { return Corpus::Reject };
    if nodes.len() > 400 {
        return Corpus::Reject;
    }
    let (a, b) = nodes.split_at(usize::from(cut) * nodes.len() / 255);
    let (a, b) = (tree(a), tree(b));
    let distance = ted::distance(&a, &b).unwrap();
    assert_eq!(u64::from(distance), ted::distance_with(&a, &b, &Unit).unwrap());
    assert_eq!(distance, ted::distance(&b, &a).unwrap());
    let (lower, upper) = ted::bounds(&a, &b);
    assert!(lower <= distance && distance <= upper);
    assert_eq!(ted::distance_at_most(&a, &b, distance).unwrap(), Some(distance));
    if distance > 0 {
        assert_eq!(ted::distance_at_most(&a, &b, distance - 1).unwrap(), None);
    }
    let edits = ted::mapping(&a, &b).unwrap();
    let kept = edits.iter().filter(|edit| matches!(edit, Edit::Keep { .. })).count();
    assert_eq!(edits.len() - kept, distance as usize);
    let renamed = edits.iter().filter(|edit| matches!(edit, Edit::Rename { .. })).count();
    // Each node of either tree is in the mapping once.
    assert_eq!(edits.len() + kept + renamed, a.len() + b.len());
    Corpus::Keep
});
