//! A syntax tree as one flat array.

#![allow(unsafe_code)] // one call into C, see below

use tree_sitter::Tree;
use tree_sitter::ffi::TSNode;

use crate::SyntaxError;

/// A node of a tree in preorder: its descendants follow it in the array.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlatNode {
    /// Its first byte.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// One past its last descendant, in the array.
    pub after: u32,
    /// Its kind, as tree-sitter numbers kinds ([`tree_sitter::Node::kind_id`]).
    pub kind: u16,
    /// The field it fills in its parent, as tree-sitter numbers fields, or 0.
    pub field: u16,
    /// It is no mere punctuation, operator or keyword.
    pub named: bool,
    /// The parser put it there to make sense of broken code.
    pub missing: bool,
}

unsafe extern "C" {
    fn code_syntax_flatten(root: TSNode, nodes: *mut FlatNode, capacity: u32) -> u32;
}

/// All nodes of `tree` in preorder, with what the parser knows about each: the same as a walk with
/// [`tree_sitter::TreeCursor`] gives, in a tenth of the time. Without recursion.
///
/// # Errors
/// [`SyntaxError::Flatten`] where memory is short.
pub fn flatten(tree: &Tree) -> Result<Vec<FlatNode>, SyntaxError> {
    let root = tree.root_node();
    let mut nodes = Vec::new();
    let capacity = root.descendant_count();
    nodes.try_reserve_exact(capacity).map_err(|_| SyntaxError::Flatten)?;
    let room = u32::try_from(capacity).map_err(|_| SyntaxError::Flatten)?;
    // SAFETY: the root is a node of `tree`, which lives on and is not changed; the function reads
    // the tree only, by the parser's own definitions of its data, and writes nodes to the first
    // places of the buffer, no more than it has room for, each of them whole.
    let count = unsafe { code_syntax_flatten(root.into_raw(), nodes.as_mut_ptr(), room) };
    if count > room {
        return Err(SyntaxError::Flatten);
    }
    // SAFETY: that many nodes have been written, and there is room for them.
    unsafe { nodes.set_len(count as usize) };
    Ok(nodes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Language, parse};

    /// The same by the parser's public interface.
    fn walked(tree: &Tree) -> Vec<FlatNode> {
        let mut cursor = tree.walk();
        let mut nodes: Vec<FlatNode> = Vec::new();
        let mut open = Vec::new();
        loop {
            let node = cursor.node();
            nodes.push(FlatNode {
                start: node.start_byte() as u32,
                end: node.end_byte() as u32,
                after: nodes.len() as u32 + 1,
                kind: node.kind_id(),
                field: cursor.field_id().map_or(0, std::num::NonZero::get),
                named: node.is_named(),
                missing: node.is_missing(),
            });
            if cursor.goto_first_child() {
                open.push(nodes.len() - 1);
                continue;
            }
            while !cursor.goto_next_sibling() {
                let Some(parent) = open.pop() else { return nodes };
                nodes[parent].after = nodes.len() as u32;
                cursor.goto_parent();
            }
        }
    }

    /// Code with what grammars hide and rename: repetitions, aliases, inherited fields, comments
    /// between children. Each is also cut off at every place, so that most of it is broken.
    pub(crate) const TEXTS: [(Language, &str); 11] = [
        (
            Language::Python,
            "@d\nasync def f(a, *b: int = 1, **c) -> t:\n  # why\n  print(a, b, c, k=2)\n  \
             x = [i async for i in c if i] if a else {**b}\n  match x:\n    case [1, *_]: pass\n",
        ),
        (
            Language::Java,
            "class A<T> extends B { /* c */ int f(int... a) throws E { for (var x : a) { x++; } \
             switch (x) { case 1 -> { y = \"s\"; } default -> throw e; } return a -> a + 1; } }",
        ),
        (
            Language::Go,
            "package p\nfunc (r *T) f(a, b int) (x int, err error) {\n\tfor i := range a { \
             x, y = y, x }\n\tif v := g(); v != nil { return } else { go h(`r`) }\n}\n",
        ),
        (
            Language::JavaScript,
            "const f = async ({a, b: [c], ...d}) => { for await (let x of d) `t${x}y`; }; // c\n\
             class A { static #p = 1; get q() { return <a b={c}>x</a>; } } x?.y ??= /r/g;",
        ),
        (
            Language::Php,
            "<?php foreach ($a as $k => $v) { echo \"x {$v->y} $z\"; } function f(?int $a = 1) \
             { return match($a) { 1, 2 => <<<E\n t $x\nE, default => fn() => 3 }; } ?> html",
        ),
        (
            Language::Ruby,
            "def f(a, *b, k: 1, &c)\n  a, b = b, a unless c # w\n  x = <<~T\n   t #{a}\n  T\n  \
             [1].each do |i, (j, k)| puts \"#{i}\" end\nend\ncase x when 1, 2 then :s end\n",
        ),
        (Language::C, "#define X 1\nstatic int f(char *a[], ...) { if (a) goto e; e: return X; }"),
        (
            Language::Cpp,
            "template<class T> auto A<T>::f(T&& a) const -> int { return [&]{}(), 1; }",
        ),
        (Language::CSharp, "class A { int P { get; set; } = 1; void F(out int a) => a = b ?? c; }"),
        (
            Language::Rust,
            "impl<'a> T for A { fn f(&self) -> u8 { m!(a, b); if let Some(x) = y {} } }",
        ),
        (
            Language::TypeScript,
            "type A<T> = { [k in T]?: B }; function f(this: X, a?: Y): a is Z {}",
        ),
    ];

    #[test]
    fn it_is_what_a_walk_finds() {
        for (language, text) in TEXTS.into_iter().filter(|(language, _)| language.has_grammar()) {
            for end in 0..=text.len() {
                let tree = parse(language, &text[..end]).unwrap();
                assert_eq!(flatten(&tree).unwrap(), walked(&tree), "{language}: {}", &text[..end]);
            }
        }
    }

    #[cfg(feature = "python")]
    #[test]
    fn depth_and_length_need_no_stack() {
        let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        let long = "x = 1\n".repeat(50_000);
        for text in [deep, long] {
            let tree = parse(Language::Python, &text).unwrap();
            assert_eq!(flatten(&tree).unwrap(), walked(&tree));
        }
    }
}
