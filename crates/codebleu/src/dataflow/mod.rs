//! Dataflow: which variables a text's values come from.
//!
//! [`Dataflow::of`] walks the syntax tree as the CodeBLEU programs do and lists, for each token
//! that has a value, the variables it comes from; names are replaced by numbers in order of first
//! appearance, so that consistent renaming changes nothing. Two texts are then compared by
//! [`Jaccard`](edge_overlap) over the sets of edges, or by [`matching`](matching_items) lists of
//! sources as the reference programs do.
//!
//! ```
//! # #[cfg(feature = "python")]
//! # {
//! use code_syntax::Language;
//! use codebleu::dataflow::{Dataflow, edge_overlap};
//!
//! let a = Dataflow::of(Language::Python, "def f(a, b):\n    c = a + b\n    return c\n")?;
//! let b = Dataflow::of(Language::Python, "def f(x, y):\n    s = x + y\n    return s\n")?;
//! assert_eq!(a.edges(), b.edges());
//! assert_eq!(edge_overlap(&a, &b), (a.edges().len() as u64, a.edges().len() as u64));
//! assert!(a.to_dot().contains("computedFrom"));
//! # }
//! # Ok::<(), codebleu::CodebleuError>(())
//! ```

mod repeated_set;
pub(crate) mod rules;
mod set_order;
mod tokens;
mod walk;

use std::fmt;

use code_syntax::Language;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::CodebleuError;
use crate::ast::{Ast, Kind};
use crate::text::Interner;
use set_order::SetOrder;
use tokens::{Places, Tokens};
use walk::{Stop, Walk};

/// How a value comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Relation {
    /// It is read, or declared with that value.
    ComesFrom,
    /// It is assigned what is computed from the source.
    ComputedFrom,
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Relation::ComesFrom => "comesFrom",
            Relation::ComputedFrom => "computedFrom",
        })
    }
}

/// How a text is read: the reference programs do nothing of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Tokens are the text of their nodes, not cut by characters where the parser counts bytes.
    pub(crate) node_text: bool,
    /// Comments are passed over, not only those whose kind is `comment`.
    pub(crate) skips_comments: bool,
    /// Code that a rule does not fit is walked without it, and does not leave the whole text
    /// without dataflow.
    pub(crate) lenient: bool,
    /// Merged sources are in the order of first appearance, not in that of a CPython set.
    pub(crate) first_seen: bool,
    /// Assignments count that the programs overlook.
    pub(crate) all_assignments: bool,
}

impl Reading {
    pub(crate) const PLAIN: Reading = Reading {
        node_text: true,
        skips_comments: true,
        lenient: true,
        first_seen: true,
        all_assignments: false,
    };

    pub(crate) fn skips(self, kind: &Kind) -> bool {
        if self.skips_comments { kind.is_comment } else { kind.is_plain_comment }
    }
}

/// An edge between renamed variables: `target` has its value, by `relation`, from `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// The variable that has the value.
    pub target: u32,
    /// How.
    pub relation: Relation,
    /// The variable that it is from.
    pub source: u32,
}

/// The dataflow of one text, its variables renamed to numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataflow {
    /// The text of each variable; literals count as variables too.
    names: Vec<String>,
    items: Vec<Item>,
    sources: Vec<u32>,
}

/// A token that has a value or is a source of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    variable: u32,
    relation: Relation,
    /// A range of `Dataflow::sources`.
    sources: (u32, u32),
}

impl Dataflow {
    /// The dataflow of a text as it stands. Linear in its length for ordinary code.
    ///
    /// # Errors
    /// [`CodebleuError::Syntax`], [`CodebleuError::TooMuchDataflow`].
    pub fn of(language: Language, text: &str) -> Result<Dataflow, CodebleuError> {
        let mut tree = code_syntax::parse_flat(language, text)?;
        Dataflow::read(&Ast::new(language, &mut tree)?, text, Reading::PLAIN)
    }

    pub(crate) fn read(ast: &Ast, text: &str, reading: Reading) -> Result<Dataflow, CodebleuError> {
        let places = Places::of(ast, reading);
        let texts = places.texts(text, reading);
        let mut interner = Interner::with_capacity(places.len() / 4);
        let tokens = Tokens::of(ast, &texts, places, &mut interner);
        let words = interner.words();
        let order = match reading.first_seen {
            true => SetOrder::FirstSeen,
            false => SetOrder::reference(),
        };
        let mut walk = Walk::new(ast, &tokens, words, reading, &order);
        match walk.run().and_then(|()| walk.merged()) {
            Ok(edges) => Ok(Dataflow::rename(&edges, &walk.arena, &tokens, words)),
            Err(Stop::Failed) => Ok(Dataflow::default()),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    /// Numbers the variables in order of first appearance, sources before what comes from them.
    fn rename(edges: &[walk::Edge], arena: &[u32], tokens: &Tokens, words: &[&str]) -> Dataflow {
        const UNNAMED: u32 = u32::MAX;
        let mut numbers = vec![UNNAMED; words.len()];
        let mut flow = Dataflow { items: Vec::with_capacity(edges.len()), ..Dataflow::default() };
        for edge in edges {
            let mut number = |word: u32| {
                let number = &mut numbers[word as usize];
                if *number == UNNAMED {
                    *number = flow.names.len() as u32;
                    flow.names.push(words[word as usize].to_owned());
                }
                *number
            };
            let (start, length) = edge.sources;
            let from = flow.sources.len() as u32;
            let sources = &arena[start as usize..(start + length) as usize];
            flow.sources.extend(sources.iter().map(|&word| number(word)));
            let variable = number(tokens.words[edge.token as usize]);
            flow.items.push(Item { variable, relation: edge.relation, sources: (from, length) });
        }
        flow
    }

    /// Whether nothing comes from anything.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The text of each variable, by number. Literals count as variables too.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The distinct edges, sorted.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self
            .items
            .iter()
            .flat_map(|item| {
                let Item { variable: target, relation, .. } = *item;
                self.sources_of(item).iter().map(move |&source| Edge { target, relation, source })
            })
            .collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    fn sources_of(&self, item: &Item) -> &[u32] {
        let (start, length) = item.sources;
        &self.sources[start as usize..(start + length) as usize]
    }

    fn key_of(&self, item: &Item) -> Key<'_> {
        (item.variable, item.relation, self.sources_of(item))
    }

    fn item_counts(&self) -> FxHashMap<Key<'_>, u64> {
        let mut counts = FxHashMap::default();
        for item in &self.items {
            *counts.entry(self.key_of(item)).or_default() += 1;
        }
        counts
    }

    fn flow(&self, target: u32, relation: Relation, sources: &[u32]) -> Flow {
        let variable = |number: u32| Variable { name: self.names[number as usize].clone(), number };
        let sources = sources.iter().map(|&source| variable(source)).collect();
        Flow { target: variable(target), relation, sources }
    }

    /// The edges as a graph: a node a variable, under its own name, and an edge from each source to
    /// its target.
    pub fn graph(&self) -> DiGraph<&str, Relation> {
        let edges = self.edges();
        let mut graph = DiGraph::with_capacity(self.names.len(), edges.len());
        let nodes: Vec<NodeIndex> = self.names.iter().map(|name| graph.add_node(&**name)).collect();
        for edge in edges {
            graph.add_edge(nodes[edge.source as usize], nodes[edge.target as usize], edge.relation);
        }
        graph
    }

    /// The graph in the language of Graphviz.
    pub fn to_dot(&self) -> String {
        format!("{}", petgraph::dot::Dot::new(&self.graph()))
    }
}

/// A value and the variables that it comes from, all of one relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// The variable that has the value.
    pub target: Variable,
    /// How it comes to be.
    pub relation: Relation,
    /// What it comes from.
    pub sources: Vec<Variable>,
}

/// A variable, or a literal, by its name in the text and its number, by which texts are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its text.
    pub name: String,
    /// Its place in the order of first appearance.
    pub number: u32,
}

/// Edges of `a` that `b` has not, and edges of `b` that `a` has not.
pub fn different_edges(a: &Dataflow, b: &Dataflow) -> (Vec<Flow>, Vec<Flow>) {
    let (left, right) = (a.edges(), b.edges());
    let without = |flow: &Dataflow, own: &[Edge], others: &[Edge]| {
        let missing = own.iter().filter(|edge| others.binary_search(edge).is_err());
        missing.map(|edge| flow.flow(edge.target, edge.relation, &[edge.source])).collect()
    };
    (without(a, &left, &right), without(b, &right, &left))
}

/// Items of `a` that `b` has not, and items of `b` that `a` has not, each matched once: see
/// [`matching_items`].
pub fn different_items(a: &Dataflow, b: &Dataflow) -> (Vec<Flow>, Vec<Flow>) {
    let without = |own: &Dataflow, others: &Dataflow| {
        let mut left = others.item_counts();
        let missing = own.items.iter().filter(|item| !take(&mut left, own.key_of(item)));
        missing.map(|item| own.flow(item.variable, item.relation, own.sources_of(item))).collect()
    };
    (without(a, b), without(b, a))
}

/// An item as it is compared: a variable, a relation and the list of its sources.
type Key<'a> = (u32, Relation, &'a [u32]);

/// Whether one of them was left.
fn take<'a>(left: &mut FxHashMap<Key<'a>, u64>, key: Key<'a>) -> bool {
    match left.get_mut(&key) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    }
}

/// Edges that both texts have, and edges that at least one has. Their quotient is the Jaccard
/// index; without any edges it is undefined.
pub fn edge_overlap(a: &Dataflow, b: &Dataflow) -> (u64, u64) {
    let (left, right) = (a.edges(), b.edges());
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < left.len() && j < right.len() {
        match left[i].cmp(&right[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                (i, j, common) = (i + 1, j + 1, common + 1);
            }
        }
    }
    (common, (left.len() + right.len()) as u64 - common)
}

/// Items of the reference (a variable, a relation and the list of its sources) that the hypothesis
/// has too, each matched once, and items of the reference in all: the reference programs' measure.
pub fn matching_items(reference: &Dataflow, hypothesis: &Dataflow) -> (u64, u64) {
    let mut left = hypothesis.item_counts();
    let matched = reference.items.iter().filter(|item| take(&mut left, reference.key_of(item)));
    (matched.count() as u64, reference.items.len() as u64)
}
