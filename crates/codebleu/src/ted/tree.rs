//! The tree that distances are computed on: labels and shape in postorder.

use super::TedError;

/// An ordered, labelled tree, as compact as the distances need it. It may be empty.
///
/// Nodes are named by their preorder index from 0 (the root) wherever this crate speaks of them.
/// Twenty bytes a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Labels in postorder.
    pub(super) labels: Vec<u32>,
    /// Nodes in the subtree of each node, itself included, in postorder.
    pub(super) sizes: Vec<u32>,
    /// Preorder index of each node, in postorder.
    pub(super) preorder: Vec<u32>,
    /// Labels in preorder.
    pub(super) preorder_labels: Vec<u32>,
    /// Edges to the root of each node, in postorder.
    pub(super) depths: Vec<u32>,
}

impl Tree {
    /// A tree from its nodes in preorder, each with its depth (root: 0) and label.
    ///
    /// No nodes give the empty tree.
    ///
    /// ```
    /// # use codebleu::ted::Tree;
    /// // a(b(c) d)
    /// let tree = Tree::from_preorder([(0, 'a'), (1, 'b'), (2, 'c'), (1, 'd')].map(|(d, l)| (d, l as u32)))?;
    /// assert_eq!(tree.len(), 4);
    /// # Ok::<(), codebleu::ted::TedError>(())
    /// ```
    ///
    /// # Errors
    /// [`TedError::Depth`] where a node is more than one level deeper than the node before it,
    /// [`TedError::SecondRoot`], [`TedError::TooManyNodes`].
    pub fn from_preorder(nodes: impl IntoIterator<Item = (usize, u32)>) -> Result<Tree, TedError> {
        let nodes = nodes.into_iter();
        let mut tree = Tree::default();
        tree.preorder_labels.reserve(nodes.size_hint().0);
        // Preorder indices of the nodes whose subtrees are not complete yet, the root first.
        let mut open: Vec<u32> = Vec::new();
        for (depth, label) in nodes {
            let node = tree.preorder_labels.len();
            if node == 0 {
                if depth != 0 {
                    return Err(TedError::Depth { node, depth, deepest: 0 });
                }
            } else if depth == 0 {
                return Err(TedError::SecondRoot { node });
            } else if depth > open.len() {
                return Err(TedError::Depth { node, depth, deepest: open.len() });
            }
            if node >= Self::MAX_NODES {
                return Err(TedError::TooManyNodes);
            }
            tree.close(&mut open, depth);
            open.push(node as u32);
            tree.preorder_labels.push(label);
        }
        tree.close(&mut open, 0);
        Ok(tree)
    }

    /// More nodes than this make [`TedError::TooManyNodes`]: sums of two sizes stay in 32 bits.
    pub const MAX_NODES: usize = (u32::MAX / 2) as usize;

    /// Completes the open nodes at `depth` and deeper.
    fn close(&mut self, open: &mut Vec<u32>, depth: usize) {
        let end = self.preorder_labels.len() as u32;
        while open.len() > depth {
            if let Some(node) = open.pop() {
                self.labels.push(self.preorder_labels[node as usize]);
                self.sizes.push(end - node);
                self.preorder.push(node);
                self.depths.push(open.len() as u32);
            }
        }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The label of a node, by preorder index; `None` past the last.
    pub fn label(&self, node: usize) -> Option<u32> {
        self.preorder_labels.get(node).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postorder_of_a_small_tree() {
        // 0(1(2) 3)
        let tree = Tree::from_preorder([(0, 10), (1, 11), (2, 12), (1, 13)]).unwrap();
        assert_eq!(tree.labels, [12, 11, 13, 10]);
        assert_eq!(tree.sizes, [1, 2, 1, 4]);
        assert_eq!(tree.preorder, [2, 1, 3, 0]);
        assert_eq!(tree.depths, [2, 1, 1, 0]);
    }

    #[test]
    fn depths_are_checked() {
        assert!(Tree::from_preorder([]).unwrap().is_empty());
        assert_eq!(
            Tree::from_preorder([(1, 0)]),
            Err(TedError::Depth { node: 0, depth: 1, deepest: 0 })
        );
        assert_eq!(
            Tree::from_preorder([(0, 0), (2, 0)]),
            Err(TedError::Depth { node: 1, depth: 2, deepest: 1 })
        );
        assert_eq!(
            Tree::from_preorder([(0, 0), (1, 0), (0, 0)]),
            Err(TedError::SecondRoot { node: 2 })
        );
    }
}
