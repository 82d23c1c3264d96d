//! CodeBLEU: how close generated code is to its reference, by words, keywords, syntax and dataflow.
//!
//! ```
//! # #[cfg(feature = "python")]
//! # {
//! use code_syntax::Language;
//! use codebleu::{Scorer, Variant};
//!
//! let reference = "def add(a, b):\n    total = a + b\n    return total\n";
//! let hypothesis = "def add(x, y):\n    total = x + y\n    return total\n";
//!
//! let scorer = Scorer::new(Language::Python, Variant::Paper)?;
//! let score = scorer.score(&[reference], hypothesis)?.scores;
//! assert_eq!(score.syntax_match_score, 1.0);
//! assert_eq!(score.dataflow_match_score, Some(1.0));
//! assert!(score.ngram_match_score < 0.4);
//! # }
//! # Ok::<(), codebleu::CodebleuError>(())
//! ```
//!
//! [`Scorer::score`] scores a pair; [`Scorer::score_corpus`] scores many in parallel and gives the
//! figures of each pair and of the corpus in one pass. [`Scorer::explain`] says what a score is made
//! of: edits or unmatched subtrees with their places, missing and superfluous dataflow. Every score comes with the [`Counts`] behind
//! it. Counts are whole numbers that add up: those of shards, scored anywhere and in any order,
//! give the very score of the whole ([`Counts::merge`], [`Counts::scores`]).
//!
//! # Variants
//!
//! A score is α·n-gram + β·weighted n-gram + γ·syntax + θ·dataflow match, all weights 0.25 unless
//! set. What the four are depends on the [`Variant`]; in each, the figure of a corpus is computed
//! from the sums of the counts, not as a mean over its pairs.
//!
//! | | `paper` | `k4black`, `codexglue` | `fixed` |
//! |---|---|---|---|
//! | n-gram match | BLEU-4 on words between whitespace, 0.1 matches where an order has none | the same | the same on tokens |
//! | weighted n-gram | the same with keywords at 1 and other words at 0.2 in the first order: precision | recall over all references | precision |
//! | syntax | 1 − TED / nodes of the larger tree, named nodes except comments; at least 0 for each pair | share of the references' subtrees that the hypothesis has somewhere | 2 · common subtrees / subtrees of both, each matched once |
//! | its corpus figure | Σ max(0, nodes − TED) / Σ nodes | Σ found / Σ subtrees | Σ 2 · common / Σ both |
//! | dataflow | edges in both / edges in either; undefined without edges: the other three share its weight | share of the references' items that the hypothesis has | the same, undefined without items |
//! | its corpus figure | Σ common / Σ either | Σ found / Σ items | Σ found / Σ items |
//! | several references | the best for syntax and for dataflow, most matches for n-grams | summed | the best |
//! | comments | count in n-grams alone | taken out of the text for syntax and dataflow | count nowhere |
//!
//! `paper` is CodeBLEU as Li, Gu and Geng compute it (Symmetry 2025, 17(8), 1325). Its syntax match
//! before it is kept from falling below 0 is [`Scores::syntax_raw`]: a distance can be as large as
//! both trees together.
//!
//! `k4black` is [PyPI codebleu 0.7.0](https://github.com/k4black/codebleu) on CPython 3.11 with
//! `PYTHONHASHSEED=0`, `codexglue` is the program of
//! [CodeXGLUE](https://github.com/microsoft/CodeXGLUE) on the same grammars. They reproduce those
//! programs to the last digits, oddities included:
//!
//! * Comments are taken out by a regular expression for C's (`codexglue`: in every language), from
//!   Python by a tokenizer that turns tabs into single spaces; Ruby's stay.
//! * Fewer than five plain words never match in full in the weighted n-grams, and their brevity
//!   penalty takes every reference for two words long.
//! * A subtree that the hypothesis has once matches any number of equal ones.
//! * Tokens are cut by characters where the parser counts bytes, so code after a character outside
//!   ASCII is displaced.
//! * Where a rule of the dataflow does not fit, the whole text has none. No dataflow at all counts
//!   as a full match in the score of `k4black`: an empty hypothesis scores 0.25.
//! * Sources are listed in the order of a CPython set, which the score depends on.
//!
//! `fixed` is what to report where no figure of the past has to be met: `k4black` with all of its
//! faults mended. Each [`Fix`] may be had alone beside another variant ([`Scorer::with_fixes`]), to see
//! what a fault is worth. It is still CodeBLEU: the dataflow match asks only what of the reference is
//! there, and what the extractors of the reference programs do not know stays unknown, but for the
//! assignments that [`Fix::MissedAssignments`] names.
//!
//! What the reference variants do *not* reproduce is Python's recursion limit (the programs lose the dataflow of code
//! nested some thousand levels deep) and the exponential time for nested loops.
//!
//! Scores are defined for a version of a grammar; `code-syntax` pins them.
//!
//! # Parts
//!
//! [`bleu`], [`keywords`], [`dataflow`] and [`ted`] may be used alone. Nothing recurses on the
//! input, and code that does not parse is scored by what the parser makes of it.
//!
//! Adding a language: its row in `code-syntax`, and a row of rules in `dataflow/rules.rs`.

#![deny(missing_docs)]
// Only the rows of `ted` hold unsafe code, and say why.
#![deny(unsafe_code)]

mod ast;
pub mod bleu;
mod corpus;
pub mod dataflow;
mod error;
mod explain;
mod fix;
pub mod keywords;
mod ngrams;
mod score;
mod strip;
mod syntax;
mod table;
pub mod ted;
pub mod text;

pub use corpus::{CorpusScore, Pair};
pub use error::CodebleuError;
pub use explain::{Difference, Explanation, Node, NodeEdit};
pub use fix::{Fix, Fixes};
pub use ngrams::ORDERS;
pub use score::{
    Counts, DataflowCounts, PairScore, Scorer, Scores, SyntaxCounts, UNIFORM, Variant, Weights,
    parse_weights,
};
