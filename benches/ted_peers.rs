//! Tree edit distances beside the crate `apted`, pair by pair.
//!
//! ```text
//! cargo bench -p benches --no-default-features --bench ted_peers -- --peers FOLDER
//! ```
//!
//! FOLDER holds `NODES.far.trees` and `NODES.near.trees`: trees in bracket notation, two lines a
//! pair. Both programs get the same numbers for labels. Ours is timed from a list of nodes on, as
//! [`Tree::from_preorder`] indexes a tree; `apted` indexes when it is asked for a distance, so it is
//! timed from its finished tree on. They take turns, each keeps its best of several turns for a
//! pair, and the table shows medians over the pairs. Distances have to agree.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use apted::{APTED, CostModel, Node};
use codebleu::ted::{self, Tree};

const SIZES: [usize; 3] = [200, 1000, 3000];

/// Preorder, with depths.
type Nodes = Vec<(usize, u32)>;

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--peers");
    let Some(folder) = arguments.nth(1).map(PathBuf::from) else {
        eprintln!("SKIPPED: ted_peers needs --peers FOLDER with NODES.far.trees and .near.trees");
        return;
    };
    println!("| nodes | pairs | `apted`, ms | ours, ms | times as fast | least, most |");
    println!("|---|---|---|---|---|---|");
    for size in SIZES {
        for sort in ["far", "near"] {
            table_row(&folder, size, sort);
        }
    }
}

fn table_row(folder: &Path, size: usize, sort: &str) {
    let path = folder.join(format!("{size}.{sort}.trees"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut labels = HashMap::new();
    let trees: Vec<Nodes> = text.lines().map(|line| read(line, &mut labels)).collect();
    let turns = if size < 1000 { 5 } else { 3 };
    let times: Vec<(Duration, Duration)> =
        trees.chunks_exact(2).map(|pair| compare(&pair[0], &pair[1], turns)).collect();
    let median = |values: Vec<f64>| {
        let mut values = values;
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    let milliseconds = |time: Duration| 1e3 * time.as_secs_f64();
    let (theirs, ..) = median(times.iter().map(|pair| milliseconds(pair.0)).collect());
    let (ours, ..) = median(times.iter().map(|pair| milliseconds(pair.1)).collect());
    let ratios = times.iter().map(|(theirs, ours)| theirs.as_secs_f64() / ours.as_secs_f64());
    let (ratio, least, most) = median(ratios.collect());
    println!(
        "| {size} {sort} | {} | {theirs:.3} | {ours:.3} | {ratio:.1} | {least:.1}, {most:.1} |",
        times.len()
    );
}

/// The best times of `apted` and of ours.
fn compare(a: &Nodes, b: &Nodes, turns: usize) -> (Duration, Duration) {
    let (left, right) = (node(a), node(b));
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..turns {
        let start = Instant::now();
        let theirs = black_box(APTED::new(UnitCosts).compute_edit_distance(&left, &right));
        best.0 = best.0.min(start.elapsed());
        let start = Instant::now();
        let tree = |nodes: &Nodes| Tree::from_preorder(nodes.iter().copied()).unwrap();
        let ours = black_box(ted::distance(&tree(a), &tree(b)).unwrap());
        best.1 = best.1.min(start.elapsed());
        assert_eq!(theirs, ours as f32);
    }
    best
}

struct UnitCosts;

impl CostModel<u32> for UnitCosts {
    fn del(&self, _: &Node<u32>) -> f32 {
        1.0
    }

    fn ins(&self, _: &Node<u32>) -> f32 {
        1.0
    }

    fn ren(&self, a: &Node<u32>, b: &Node<u32>) -> f32 {
        if a.node_data() == b.node_data() { 0.0 } else { 1.0 }
    }
}

/// Bracket notation of labels without brackets and backslashes.
fn read<'t>(line: &'t str, labels: &mut HashMap<&'t str, u32>) -> Nodes {
    let mut depth = 0;
    let mut nodes = Nodes::new();
    for part in line.split_inclusive(['{', '}']) {
        let label = part.trim_end_matches(['{', '}']);
        if !label.is_empty() {
            let next = labels.len() as u32;
            nodes.push((depth - 1, *labels.entry(label).or_insert(next)));
        }
        if part.ends_with('{') {
            depth += 1;
        } else {
            depth -= 1;
        }
    }
    nodes
}

fn node(nodes: &Nodes) -> Node<u32> {
    // The nodes from the root to the last one read.
    let mut open: Vec<Node<u32>> = Vec::new();
    let close = |open: &mut Vec<Node<u32>>, depth: usize| {
        while open.len() > depth.max(1) {
            let last = open.pop().unwrap();
            open.last_mut().unwrap().add_child(last);
        }
    };
    for &(depth, label) in nodes {
        close(&mut open, depth);
        open.push(Node::new(label));
    }
    close(&mut open, 1);
    open.pop().unwrap()
}
