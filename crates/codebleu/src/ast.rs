//! A syntax tree as one flat array, and what the scores ask about its grammar.

use std::ops::Range;
use std::sync::OnceLock;

use code_syntax::{FlatNode, FlatTree, Language, SyntaxError};

use crate::dataflow::rules::{self, Declaration, ForEachShape, Part, Role, Rules};
use crate::text::python_split;

/// The kind of nodes that the parser could not place.
pub(crate) const ERROR: u16 = u16::MAX;

/// What the scores ask about a grammar, by number of node kind.
#[derive(Debug)]
pub(crate) struct Grammar {
    kinds: Vec<Kind>,
    error: Kind,
    pub(crate) fields: Fields,
    pub(crate) rules: &'static Rules,
}

/// What the scores ask about one kind of node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The smallest number of a kind of this name.
    pub(crate) label: u16,
    pub(crate) role: Role,
    /// Its role where assignments that the reference programs overlook count.
    pub(crate) full_role: Role,
    pub(crate) part: Part,
    /// A comment of any sort.
    pub(crate) is_comment: bool,
    /// The kind is called `comment` and nothing else.
    pub(crate) is_plain_comment: bool,
    /// A literal that the dataflow takes for one token although it has parts.
    pub(crate) is_whole: bool,
    pub(crate) is_comma: bool,
    pub(crate) is_identifier: bool,
    pub(crate) is_block: bool,
    /// The kind's name holds `else`.
    pub(crate) names_else: bool,
}

/// The numbers of the fields that the dataflow asks for; 0 where the grammar has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// Of a declaration.
    pub(crate) name: u16,
    pub(crate) value: u16,
    /// Of an assignment.
    pub(crate) left: u16,
    pub(crate) right: u16,
    /// Of a for-each loop: what is bound, and what is run over.
    pub(crate) bound: u16,
    pub(crate) source: u16,
    pub(crate) body: u16,
    /// Of the head of a Go loop.
    pub(crate) update: u16,
}

impl Grammar {
    /// The table of a language, made once.
    pub(crate) fn of(language: Language) -> Result<&'static Grammar, SyntaxError> {
        static GRAMMARS: [OnceLock<Grammar>; Language::ALL.len()] =
            [const { OnceLock::new() }; Language::ALL.len()];
        let cell = &GRAMMARS[language as usize];
        if let Some(grammar) = cell.get() {
            return Ok(grammar);
        }
        let grammar = Grammar::new(language, &language.grammar()?);
        Ok(cell.get_or_init(|| grammar))
    }

    fn new(language: Language, grammar: &tree_sitter::Language) -> Grammar {
        let mut labels = rustc_hash::FxHashMap::default();
        let mut kind = |name: &'static str, number: u16| Kind {
            name,
            label: *labels.entry(name).or_insert(number),
            role: rules::role(language, name, false),
            full_role: rules::role(language, name, true),
            part: rules::part(language, name),
            is_comment: language.is_comment_kind(name),
            is_plain_comment: name == "comment",
            is_whole: matches!(name, "string_literal" | "string" | "character_literal"),
            is_comma: name == ",",
            is_identifier: name == "identifier",
            is_block: name == "block",
            names_else: name.contains("else"),
        };
        let kinds = (0..grammar.node_kind_count() as u16)
            .map(|number| kind(grammar.node_kind_for_id(number).unwrap_or(""), number))
            .collect();
        let field = |name: &str| grammar.field_id_for_name(name).map_or(0, std::num::NonZero::get);
        let rules = rules::of(language);
        let (bound, source) = match rules.for_each_shape {
            ForEachShape::Fields(bound, source) => (bound, source),
            ForEachShape::Children(_) => ("", ""),
        };
        Grammar {
            kinds,
            error: kind("ERROR", ERROR),
            fields: Fields {
                name: field("name"),
                value: match rules.declaration {
                    Declaration::NameDefault => field("default_value"),
                    _ => field("value"),
                },
                left: field("left"),
                right: field("right"),
                bound: field(bound),
                source: field(source),
                body: field("body"),
                update: field("update"),
            },
            rules,
        }
    }

    pub(crate) fn kind(&self, number: u16) -> &Kind {
        self.kinds.get(usize::from(number)).unwrap_or(&self.error)
    }
}

/// A tree in preorder.
#[derive(Debug)]
pub(crate) struct Ast {
    pub(crate) nodes: Vec<FlatNode>,
    pub(crate) grammar: &'static Grammar,
    /// The tree holds ERROR or MISSING nodes.
    pub(crate) has_error: bool,
    /// Ranges of the text whose nodes were left out.
    dropped: Vec<(u32, u32)>,
}

impl Ast {
    /// Takes the nodes of `tree`.
    pub(crate) fn new(language: Language, tree: &mut FlatTree) -> Result<Ast, SyntaxError> {
        Ok(Ast {
            nodes: std::mem::take(&mut tree.nodes),
            grammar: Grammar::of(language)?,
            has_error: tree.has_error(),
            dropped: Vec::new(),
        })
    }

    /// Leaves out comments and, in Python, strings that stand as statements.
    pub(crate) fn without_comments(
        language: Language,
        tree: &mut FlatTree,
    ) -> Result<Ast, SyntaxError> {
        let whole = Ast::new(language, tree)?;
        let mut nodes = Vec::with_capacity(whole.nodes.len());
        let mut dropped = Vec::new();
        // The place of each node among those that are left.
        let mut places = Vec::with_capacity(whole.nodes.len() + 1);
        let mut skip_until = 0;
        for (index, node) in (0..).zip(&whole.nodes) {
            places.push(nodes.len() as u32);
            if index < skip_until {
                continue;
            }
            if index > 0 && whole.is_comment(language, index) {
                dropped.push((node.start, node.end));
                skip_until = node.after;
            } else {
                nodes.push(*node);
            }
        }
        places.push(nodes.len() as u32);
        for node in &mut nodes {
            node.after = places[node.after as usize];
        }
        Ok(Ast { nodes, dropped, ..whole })
    }

    /// Whether a node only says what code does: a comment, or in Python a string that stands as a
    /// statement.
    fn is_comment(&self, language: Language, node: u32) -> bool {
        let kind = self.kind(node);
        let is_only_a_string = || {
            let mut children = self.children(node);
            let only = children.next().filter(|_| children.next().is_none());
            only.is_some_and(|only| self.kind(only).name == "string")
        };
        kind.is_comment
            || language == Language::Python
                && kind.name == "expression_statement"
                && is_only_a_string()
    }

    /// Ranges of the text that are tokens: what stands between blanks in each leaf, and in what no
    /// leaf covers (the text of a string around its escapes, what the parser skipped).
    pub(crate) fn words(&self, text: &str) -> Vec<(u32, u32)> {
        let leaves = (0..self.nodes.len() as u32).filter(|&node| self.is_leaf(node));
        let leaves = leaves.map(|leaf| {
            let FlatNode { start, end, .. } = self.nodes[leaf as usize];
            (start, end)
        });
        let mut dropped = self.dropped.iter().copied().peekable();
        let mut words = Vec::with_capacity(self.nodes.len());
        let mut at = 0;
        let mut split = |start: u32, end: u32| {
            let part = text.get(start as usize..end as usize).unwrap_or("");
            let offset = |word: &str| (word.as_ptr().addr() - text.as_ptr().addr()) as u32;
            words.extend(
                python_split(part).map(|word| (offset(word), offset(word) + word.len() as u32)),
            );
        };
        for (start, end) in leaves.chain([(text.len() as u32, text.len() as u32)]) {
            while let Some((from, to)) = dropped.next_if(|&(from, _)| from <= start) {
                split(at, from.max(at));
                at = at.max(to);
            }
            split(at, start.max(at));
            split(start.max(at), end.max(at));
            at = at.max(end);
        }
        words
    }

    pub(crate) fn kind(&self, node: u32) -> &'static Kind {
        self.grammar.kind(self.nodes[node as usize].kind)
    }

    /// Nodes on the longest way down.
    pub(crate) fn depth(&self) -> usize {
        let mut open: Vec<u32> = Vec::new();
        let mut deepest = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            while open.last().is_some_and(|&after| after <= index as u32) {
                open.pop();
            }
            open.push(node.after);
            deepest = deepest.max(open.len());
        }
        deepest
    }

    pub(crate) fn is_leaf(&self, node: u32) -> bool {
        self.nodes[node as usize].after == node + 1
    }

    pub(crate) fn subtree(&self, node: u32) -> Range<u32> {
        node..self.nodes[node as usize].after
    }

    pub(crate) fn children(&self, node: u32) -> Children<'_> {
        Children { ast: self, next: node + 1, after: self.nodes[node as usize].after }
    }

    /// The first child in this field.
    pub(crate) fn field(&self, node: u32, field: u16) -> Option<u32> {
        if field == 0 {
            return None;
        }
        self.children(node).find(|&child| self.nodes[child as usize].field == field)
    }
}

/// The children of a node, in order.
#[derive(Debug, Clone)]
pub(crate) struct Children<'a> {
    ast: &'a Ast,
    next: u32,
    after: u32,
}

impl Iterator for Children<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        (self.next < self.after).then(|| {
            let child = self.next;
            self.next = self.ast.nodes[child as usize].after;
            child
        })
    }
}
