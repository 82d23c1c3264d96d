//! Walks over a syntax tree without recursion.

use tree_sitter::{Node, Tree, TreeCursor};

/// Every node of `tree` in preorder, the root first.
pub fn preorder(tree: &Tree) -> Preorder<'_> {
    Preorder { cursor: tree.walk(), done: false }
}

/// Every leaf of `tree` from left to right: the tokens of the code, comments included.
///
/// A leaf of no width (a MISSING node) is left out.
pub fn leaves(tree: &Tree) -> Leaves<'_> {
    Leaves(preorder(tree))
}

/// The iterator of [`preorder`].
pub struct Preorder<'tree> {
    cursor: TreeCursor<'tree>,
    done: bool,
}

impl<'tree> Iterator for Preorder<'tree> {
    type Item = Node<'tree>;

    fn next(&mut self) -> Option<Node<'tree>> {
        if self.done {
            return None;
        }
        let node = self.cursor.node();
        if !self.cursor.goto_first_child() {
            while !self.cursor.goto_next_sibling() {
                if !self.cursor.goto_parent() {
                    self.done = true;
                    break;
                }
            }
        }
        Some(node)
    }
}

/// The iterator of [`leaves`].
pub struct Leaves<'tree>(Preorder<'tree>);

impl<'tree> Iterator for Leaves<'tree> {
    type Item = Node<'tree>;

    fn next(&mut self) -> Option<Node<'tree>> {
        self.0.find(|node| node.child_count() == 0 && node.start_byte() < node.end_byte())
    }
}

#[cfg(all(test, feature = "python"))]
mod tests {
    use super::*;
    use crate::{Language, parse};

    #[test]
    fn deep_nesting_does_not_recurse() {
        let text = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        let tree = parse(Language::Python, &text).unwrap();
        assert!(preorder(&tree).count() > 100_000);
        assert!(leaves(&tree).count() > 100_000);
    }

    #[test]
    fn leaves_are_the_tokens() {
        let text = "x = [1, 'a']  # why\n";
        let tree = parse(Language::Python, text).unwrap();
        let tokens: Vec<&str> = leaves(&tree).map(|leaf| &text[leaf.byte_range()]).collect();
        assert_eq!(tokens, ["x", "=", "[", "1", ",", "'", "a", "'", "]", "# why"]);
    }
}
