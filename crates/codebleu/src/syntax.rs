//! Syntax match: equal subtrees, and the tree that edit distances are taken on.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::Hasher;

use crate::CodebleuError;
use crate::ast::{Ast, ERROR};
use crate::table::Table;
use crate::ted::Tree;

/// The named nodes except comments, labelled by their kind.
///
/// Unnamed nodes (operators, keywords, punctuation) are left out, and what is below a comment too.
pub(crate) fn named_tree(ast: &Ast) -> Result<Tree, CodebleuError> {
    let mut nodes = Vec::with_capacity(ast.nodes.len());
    for_each_named(ast, |depth, node| nodes.push((depth, u32::from(ast.kind(node).label))));
    Ok(Tree::from_preorder(nodes)?)
}

/// Calls `visit(depth, node)` for each node of the [`named_tree`], in preorder.
pub(crate) fn for_each_named(ast: &Ast, mut visit: impl FnMut(usize, u32)) {
    // For each open node: one past its last descendant, and the depth of its children.
    let mut open: Vec<(u32, usize)> = Vec::new();
    let mut skip_until = 0;
    for (index, node) in ast.nodes.iter().enumerate() {
        let index = index as u32;
        while open.last().is_some_and(|&(after, _)| after <= index) {
            open.pop();
        }
        let depth = open.last().map_or(0, |&(_, depth)| depth);
        let kind = ast.grammar.kind(node.kind);
        if index < skip_until || kind.is_comment {
            skip_until = skip_until.max(node.after);
            continue;
        }
        if node.named {
            visit(depth, index);
        }
        open.push((node.after, depth + usize::from(node.named)));
    }
}

/// Numbers for subtrees such that equal S-expressions have equal numbers, shared by all trees of a
/// pair.
///
/// The S-expression is the parser's own: named nodes by kind, with field names, and missing tokens.
/// Names and literals do not show in it.
#[derive(Debug, Default)]
pub(crate) struct Subtrees {
    table: Table,
    /// Where the key of each number ends in the arena; it starts where the one before ends.
    ends: Vec<usize>,
    arena: Vec<u32>,
    /// By kind: one more than the number of a leaf of that kind, or 0.
    leaves: Vec<u32>,
    /// Words of S-expressions that are no kinds of the grammar.
    words: FxHashMap<String, u32>,
}

/// Marks what a key is of, above all kinds of nodes.
const UNNAMED: u32 = 1 << 16;
const MISSING: u32 = 1 << 17;
const WORD: u32 = 1 << 18;
/// In place of a field: what follows is no subtree but a word.
const HIDDEN: u32 = u32::MAX;

/// The parser prints a tree recursively, so deeper ones are not printed: the few nodes that only
/// show in print (missing tokens that are hidden, the character of an error) then do not count.
const MAX_ERROR_DEPTH: usize = 400;

/// Whether a tree may have nodes that only show in print.
pub(crate) fn needs_sexp(ast: &Ast) -> bool {
    ast.has_error && ast.depth() <= MAX_ERROR_DEPTH
}

impl Subtrees {
    fn number(&mut self, key: &[u32]) -> u32 {
        let mut hasher = FxHasher::default();
        for &part in key {
            hasher.write_u32(part);
        }
        let hash = hasher.finish();
        let (ends, arena) = (&mut self.ends, &mut self.arena);
        let number = self.table.number((hash ^ hash >> 32) as u32, |number| {
            let start = number.checked_sub(1).map_or(0, |before| ends[before as usize]);
            &arena[start..ends[number as usize]] == key
        });
        if number as usize == ends.len() {
            arena.extend_from_slice(key);
            ends.push(arena.len());
        }
        number
    }

    /// The number of a node that is printed by its kind alone.
    fn leaf(&mut self, label: u32) -> u32 {
        let known = self.leaves.get(label as usize).copied().unwrap_or(0);
        if known > 0 {
            return known - 1;
        }
        let number = self.number(&[label]);
        if label != u32::from(ERROR) {
            if self.leaves.len() <= label as usize {
                self.leaves.resize(label as usize + 1, 0);
            }
            self.leaves[label as usize] = number + 1;
        }
        number
    }

    /// The number of the subtree at the root and at every node with children, in the order of
    /// [`subtree_nodes`].
    ///
    /// `sexp` is the parser's own S-expression where the tree [needs it](needs_sexp).
    pub(crate) fn of(&mut self, ast: &Ast, sexp: Option<&str>) -> Vec<u32> {
        let printed = sexp.map(|sexp| Printed::read(sexp, ast, self)).unwrap_or_default();
        self.collect(ast, &printed)
    }

    /// Numbers all nodes from the last to the first, so that children come before their parents.
    fn collect(&mut self, ast: &Ast, printed: &Printed) -> Vec<u32> {
        let mut numbers = vec![0; ast.nodes.len()];
        let mut subtrees = Vec::with_capacity(ast.nodes.len() / 2 + 1);
        let mut key = Vec::new();
        let mut pending = Vec::new();
        for node in (0..ast.nodes.len() as u32).rev() {
            let is_named = ast.nodes[node as usize].named;
            let is_leaf = ast.is_leaf(node);
            let is_missing = ast.nodes[node as usize].missing;
            let is_printed = is_named || is_missing;
            if !is_printed && is_leaf && node > 0 {
                continue;
            }
            let label = u32::from(ast.kind(node).label);
            if is_leaf && is_printed && !is_missing && printed.is_empty() {
                numbers[node as usize] = self.leaf(label);
                if node == 0 {
                    subtrees.push(numbers[0]);
                }
                continue;
            }
            key.clear();
            key.push(printed.head(node).unwrap_or(match (is_named, is_missing) {
                (_, true) => MISSING | label,
                (true, _) => label,
                _ => UNNAMED | label,
            }));
            // Unnamed nodes do not show, but what is below them does, in their field if need be.
            pending.clear();
            pending.push((ast.children(node), 0));
            while let Some((children, above)) = pending.last_mut() {
                let above = *above;
                let Some(child) = children.next() else {
                    pending.pop();
                    continue;
                };
                let inner = &ast.nodes[child as usize];
                let field = if inner.field == 0 { above } else { u32::from(inner.field) };
                if inner.named || inner.missing {
                    key.extend(printed.before(child).flat_map(|head| [HIDDEN, head]));
                    key.extend([field, numbers[child as usize]]);
                } else if !ast.is_leaf(child) {
                    pending.push((ast.children(child), field));
                }
            }
            key.extend(printed.at_end(node).flat_map(|head| [HIDDEN, head]));
            numbers[node as usize] = self.number(&key);
            if !is_leaf || node == 0 {
                subtrees.push(numbers[node as usize]);
            }
        }
        subtrees
    }
}

/// The nodes whose subtrees count: the root and every node with children, from the last to the first.
pub(crate) fn subtree_nodes(ast: &Ast) -> impl Iterator<Item = u32> {
    (0..ast.nodes.len() as u32).rev().filter(|&node| node == 0 || !ast.is_leaf(node))
}

/// What a tree with errors shows in print but not to a walk.
#[derive(Debug, Default)]
struct Printed {
    /// Nodes that are not printed under the name of their kind.
    heads: FxHashMap<u32, u32>,
    /// Hidden tokens that are missing, by the printed node after them.
    before: FxHashMap<u32, Vec<u32>>,
    /// The same, by the node that ends with them.
    at_end: FxHashMap<u32, Vec<u32>>,
}

impl Printed {
    fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.before.is_empty() && self.at_end.is_empty()
    }

    fn head(&self, node: u32) -> Option<u32> {
        self.heads.get(&node).copied()
    }

    fn before(&self, node: u32) -> impl Iterator<Item = u32> {
        self.before.get(&node).into_iter().flatten().copied()
    }

    fn at_end(&self, node: u32) -> impl Iterator<Item = u32> {
        self.at_end.get(&node).into_iter().flatten().copied()
    }

    /// Goes through the S-expression of a tree beside the tree itself.
    fn read(sexp: &str, ast: &Ast, subtrees: &mut Subtrees) -> Printed {
        let mut printed = Printed::default();
        let mut nodes = (0..ast.nodes.len() as u32)
            .filter(|&node| ast.nodes[node as usize].named || ast.nodes[node as usize].missing)
            .peekable();
        let mut word = |text: &str| {
            let next = WORD + subtrees.words.len() as u32;
            *subtrees.words.entry(text.to_owned()).or_insert(next)
        };
        // Open groups with the hidden tokens that wait for what comes after them.
        let mut open: Vec<(u32, Vec<u32>)> = Vec::new();
        let (mut at, mut field) = (0, 0);
        while let Some(&byte) = sexp.as_bytes().get(at) {
            match byte {
                b'(' => {
                    let group = &sexp[at..];
                    let leaf = special_leaf(group);
                    let node = nodes.peek().copied().filter(|&node| match leaf {
                        Some((_, Some(name))) => {
                            ast.nodes[node as usize].missing && ast.kind(node).name == name
                        }
                        _ => true,
                    });
                    match (leaf, node) {
                        (Some((length, _)), None) => {
                            let hidden = word(&sexp[field..at + length]);
                            if let Some((_, waiting)) = open.last_mut() {
                                waiting.push(hidden);
                            }
                        }
                        (_, None) => return printed,
                        (leaf, Some(node)) => {
                            nodes.next();
                            if let Some((_, waiting)) = open.last_mut().filter(|o| !o.1.is_empty())
                            {
                                printed.before.insert(node, std::mem::take(waiting));
                            }
                            match leaf {
                                Some((length, _)) => {
                                    printed.heads.insert(node, word(&group[..length]));
                                }
                                None => open.push((node, Vec::new())),
                            }
                        }
                    }
                    at += leaf.map_or(1, |(length, _)| length);
                }
                b')' => {
                    if let Some((node, waiting)) = open.pop().filter(|group| !group.1.is_empty()) {
                        printed.at_end.insert(node, waiting);
                    }
                    at += 1;
                }
                byte => {
                    at += 1;
                    if byte == b' ' {
                        field = at;
                    }
                }
            }
        }
        printed
    }
}

/// The length of a group that is a missing token or an unexpected character, and the token's name.
fn special_leaf(group: &str) -> Option<(usize, Option<&str>)> {
    if let Some(rest) = group.strip_prefix("(MISSING ") {
        let before = group.len() - rest.len();
        // The name of an unnamed token is in quotes and may be anything, a quote or bracket too.
        let (name, length) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let first = quoted.chars().next()?.len_utf8();
                let end = first + quoted[first..].find("\")")?;
                (&quoted[..end], end + 3)
            }
            None => {
                let end = rest.find(')')?;
                (&rest[..end], end + 1)
            }
        };
        return Some((before + length, Some(name)));
    }
    let rest = group.strip_prefix("(UNEXPECTED ")?;
    let before = group.len() - rest.len();
    let escaped = ["'\\0')", "'\\n')", "'\\t')", "'\\r')"];
    let length = match rest.as_bytes() {
        _ if escaped.iter().any(|escaped| rest.starts_with(escaped)) => 5,
        [b'\'', _, b'\'', b')', ..] => 4,
        _ => rest.find(')')? + 1,
    };
    Some((before + length, None))
}

/// Subtrees of either side that the other has too, each matched once, and subtrees of both sides:
/// their quotient is the F1 of recall and precision, or Dice's coefficient of the two multisets.
pub(crate) fn common_subtrees(reference: &[u32], hypothesis: &[u32]) -> (u64, u64) {
    let most = hypothesis.iter().copied().max().map_or(0, |number| number as usize + 1);
    let mut left = vec![0_u32; most];
    for &number in hypothesis {
        left[number as usize] += 1;
    }
    let mut common = 0;
    for &number in reference {
        if let Some(count) = left.get_mut(number as usize).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    (2 * common, (reference.len() + hypothesis.len()) as u64)
}

/// Subtrees of the reference that the hypothesis has too, and subtrees of the reference. A subtree
/// that the hypothesis has once matches any number of equal ones: the reference programs' measure.
pub(crate) fn matching_subtrees(reference: &[u32], hypothesis: &[u32]) -> (u64, u64) {
    let most = hypothesis.iter().copied().max().map_or(0, |number| number as usize + 1);
    let mut has = vec![false; most];
    for &number in hypothesis {
        has[number as usize] = true;
    }
    let found = |number: &&u32| has.get(**number as usize).copied().unwrap_or(false);
    (reference.iter().filter(found).count() as u64, reference.len() as u64)
}
