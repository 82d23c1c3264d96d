//! What a score is made of: the subtrees, edits and edges behind the counts.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::ast::Ast;
use crate::dataflow::{Flow, different_edges, different_items};
use crate::fix::Fix;
use crate::score::{Read, Recurring};
use crate::syntax::{self, Subtrees};
use crate::ted::{self, Edit};
use crate::text::python_strip;
use crate::{CodebleuError, PairScore, Scorer, Variant};

/// Why a hypothesis has its score.
///
/// The precisions of the n-grams are in [`score.counts`](PairScore::counts).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The score.
    #[serde(flatten)]
    pub score: PairScore,
    /// The hypothesis as it was parsed: `k4black` and `codexglue` take comments out of the text
    /// first. The places of its nodes are places in this text.
    pub hypothesis: String,
    /// What the comparison with each reference found, in their order.
    pub references: Vec<Difference>,
}

/// What stands between a reference and a hypothesis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The reference as it was parsed: the places of its nodes are places in this text.
    pub reference: String,
    /// `paper`: the edits that turn the reference's tree into the hypothesis', with what is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<NodeEdit>,
    /// Not `paper`: subtrees of the reference that the hypothesis does not match, outer ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched_subtrees: Vec<Node>,
    /// [`Fix::SubtreeF1`]: subtrees of the hypothesis that the reference does not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_subtrees: Vec<Node>,
    /// Dataflow of the reference that the hypothesis has not.
    pub missing_dataflow: Vec<Flow>,
    /// Dataflow of the hypothesis that the reference has not.
    pub extra_dataflow: Vec<Flow>,
}

/// A node of a syntax tree and its place in the parsed text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its kind in the grammar.
    pub kind: &'static str,
    /// Its first byte.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in that line, in characters, from 1.
    pub column: usize,
}

/// [`ted::Edit`] with the nodes themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "edit", rename_all = "lowercase")]
pub enum NodeEdit {
    /// A node that stays as it is.
    Keep {
        /// In the reference.
        from: Node,
        /// In the hypothesis.
        to: Node,
    },
    /// A node that becomes one of another kind.
    Rename {
        /// In the reference.
        from: Node,
        /// In the hypothesis.
        to: Node,
    },
    /// A node of the reference that goes.
    Delete {
        /// In the reference.
        node: Node,
    },
    /// A node of the hypothesis that comes.
    Insert {
        /// In the hypothesis.
        node: Node,
    },
}

impl Scorer {
    /// Scores one hypothesis and says what its score is made of.
    ///
    /// Takes some times as long as [`score`](Scorer::score), and for `paper` memory for the mapping
    /// of the trees (see [`ted`](crate::ted#memory)).
    ///
    /// # Errors
    /// Those of [`score`](Scorer::score).
    pub fn explain(
        &self,
        references: &[&str],
        hypothesis: &str,
    ) -> Result<Explanation, CodebleuError> {
        let score = self.score(references, hypothesis)?;
        let own = Text::read(self, hypothesis)?;
        let difference = |reference: &&str| self.difference(&Text::read(self, reference)?, &own);
        let references = references.iter().map(difference).collect::<Result<_, _>>()?;
        Ok(Explanation { score, hypothesis: own.text, references })
    }

    fn difference(&self, reference: &Text, own: &Text) -> Result<Difference, CodebleuError> {
        let mut difference = Difference {
            reference: reference.text.clone(),
            edits: Vec::new(),
            unmatched_subtrees: Vec::new(),
            extra_subtrees: Vec::new(),
            missing_dataflow: Vec::new(),
            extra_dataflow: Vec::new(),
        };
        let flows = (&reference.read.dataflow, &own.read.dataflow);
        if self.variant() == Variant::Paper {
            difference.edits = edits(reference, own)?;
            (difference.missing_dataflow, difference.extra_dataflow) =
                different_edges(flows.0, flows.1);
            return Ok(difference);
        }
        (difference.missing_dataflow, difference.extra_dataflow) =
            different_items(flows.0, flows.1);
        let mut subtrees = Subtrees::default();
        let mut of = |text: &Text| subtrees.of(&text.read.ast, text.read.sexp.as_deref());
        let (theirs, ours) = (of(reference), of(own));
        let once = self.has(Fix::SubtreeF1);
        difference.unmatched_subtrees = reference.unmatched(&theirs, &ours, once);
        if once {
            difference.extra_subtrees = own.unmatched(&ours, &theirs, once);
        }
        Ok(difference)
    }
}

/// A text as the scorer parsed it.
struct Text {
    text: String,
    read: Arc<Read>,
    line_starts: Vec<usize>,
}

impl Text {
    fn read(scorer: &Scorer, text: &str) -> Result<Text, CodebleuError> {
        let text = python_strip(text);
        let read = Recurring::default().read(scorer, text)?;
        let text = scorer.parsed_text(text).0.into_owned();
        let breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let line_starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Ok(Text { text, read, line_starts })
    }

    fn ast(&self) -> &Ast {
        &self.read.ast
    }

    fn node(&self, node: u32) -> Node {
        let place = &self.ast().nodes[node as usize];
        let (start, end) = (place.start as usize, place.end as usize);
        let line = self.line_starts.partition_point(|&first| first <= start);
        let before = self.text.get(self.line_starts[line - 1]..start).unwrap_or("");
        let column = before.chars().count() + 1;
        Node { kind: self.ast().kind(node).name, start, end, line, column }
    }

    /// Those of the own subtrees that the others do not match: each matched once, or any number of
    /// equal ones by one.
    fn unmatched(&self, own: &[u32], others: &[u32], once: bool) -> Vec<Node> {
        let mut left: FxHashMap<u32, usize> = FxHashMap::default();
        for &number in others {
            *left.entry(number).or_default() += 1;
        }
        let nodes = syntax::subtree_nodes(self.ast());
        let mut unmatched: Vec<u32> = own
            .iter()
            .zip(nodes)
            .filter(|&(number, _)| match left.get_mut(number) {
                Some(count) if *count > 0 => {
                    *count -= usize::from(once);
                    false
                }
                _ => true,
            })
            .map(|(_, node)| node)
            .collect();
        unmatched.sort_unstable();
        unmatched.into_iter().map(|node| self.node(node)).collect()
    }
}

fn edits(reference: &Text, own: &Text) -> Result<Vec<NodeEdit>, CodebleuError> {
    let nodes = |text: &Text| {
        let mut nodes = Vec::new();
        syntax::for_each_named(text.ast(), |_, node| nodes.push(node));
        nodes
    };
    let (theirs, ours) = (nodes(reference), nodes(own));
    let from = |index: usize| reference.node(theirs[index]);
    let to = |index: usize| own.node(ours[index]);
    let mapping = ted::mapping(&reference.read.tree, &own.read.tree)?;
    let edit = |edit: Edit| match edit {
        Edit::Keep { from: a, to: b } => NodeEdit::Keep { from: from(a), to: to(b) },
        Edit::Rename { from: a, to: b } => NodeEdit::Rename { from: from(a), to: to(b) },
        Edit::Delete { node } => NodeEdit::Delete { node: from(node) },
        Edit::Insert { node } => NodeEdit::Insert { node: to(node) },
    };
    Ok(mapping.into_iter().map(edit).collect())
}
