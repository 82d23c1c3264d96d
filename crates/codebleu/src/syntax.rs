//! Syntax match: equal subtrees, and the tree that edit distances are taken on.

use crate::CodebleuError;
use crate::ast::Ast;
use crate::ted::Tree;

/// The named nodes except comments, labelled by their kind.
///
/// Unnamed nodes (operators, keywords, punctuation) are left out, and what is below a comment too.
pub(crate) fn named_tree(ast: &Ast) -> Result<Tree, CodebleuError> {
    // For each open node: one past its last descendant, and the depth of its children.
    let mut open: Vec<(u32, usize)> = Vec::new();
    let mut skip_until = 0;
    let mut nodes = Vec::with_capacity(ast.nodes.len());
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
            nodes.push((depth, u32::from(kind.label)));
        }
        open.push((node.after, depth + usize::from(node.named)));
    }
    Ok(Tree::from_preorder(nodes)?)
}
