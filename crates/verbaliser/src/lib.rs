//! Numbered English pseudocode from a syntax tree: the plan of code that is known to be right.
//!
//! A teacher that needs no model and no network: [`verbalise`] reads a function (or any
//! statements) and writes one clear step for every meaningful statement, nested as the code is.
//!
//! ```
//! use code_syntax::Language;
//!
//! let code = "def total(xs):\n    s = 0\n    for x in xs:\n        if x > 0:\n            s += x\n    return s\n";
//! let plan = verbaliser::verbalise(Language::Python, code)?.pseudocode;
//! assert_eq!(
//!     plan.to_string(),
//!     "1. define the function total with argument xs\n\
//!      2. set s to 0\n\
//!      3. for each x in xs:\n   \
//!         3.1. if x is greater than 0:\n      \
//!            3.1.1. increase s by x\n\
//!      4. return s"
//! );
//! # Ok::<(), verbaliser::VerbaliseError>(())
//! ```
//!
//! Long rows of steps are grouped: where more than ten would stand side by side, runs of simple
//! statements become one step with sub-steps. [`verbalise_line`] says a single line.
//!
//! The way through: a grammar's tree is lowered by the rules of its language (`python.rs`,
//! `java.rs`, `go.rs`, `javascript.rs`, `php.rs`, `ruby.rs`) to a small common tree (`ir.rs`), and `english.rs` says that tree in words.
//! Idioms are therefore written once; well-known library calls are rows of a table (`idioms.rs`).
//!
//! What the words promise: names, numbers and texts are those of the code; no step quotes a source
//! line; a node without a rule is said by its parts and counted in [`Coverage`]; what is too long
//! or too deep to say is named as such ("5 more", "a value computed from a and b") and counted too.
//! Types, access modifiers and comments are left out. The same code always gives the same words.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod english;
mod go;
mod idioms;
mod ir;
mod java;
mod javascript;
mod line;
mod lower;
mod narrate;
mod php;
mod phrase;
mod python;
mod ruby;
mod sequence;

use std::collections::{BTreeMap, HashMap};

use code_syntax::{Language, SyntaxError, preorder, snippet};
use distill_core::Pseudocode;
use serde::{Deserialize, Serialize};
use tree_sitter::Node;

pub use crate::line::{Manner, verbalise_line};

use crate::english::English;
use crate::ir::Stmt;
use crate::lower::{Lowering, Rules, says_something};

/// Code in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verbalised {
    /// The steps.
    pub pseudocode: Pseudocode,
    /// How much of the code had rules.
    pub report: Coverage,
}

/// How much of a syntax tree the rules covered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Named nodes of the tree, comments left out.
    pub nodes: usize,
    /// Nodes that no rule fits; they were said by their parts.
    pub without_rule: usize,
    /// The kinds of those nodes, with how often each occurred.
    pub missing: BTreeMap<String, usize>,
    /// Places that were not said in full: long lists and texts, and what is nested too deeply.
    pub shortened: usize,
}

impl Coverage {
    /// Adds the counts of another text.
    pub fn add(&mut self, other: &Coverage) {
        self.nodes += other.nodes;
        self.without_rule += other.without_rule;
        self.shortened += other.shortened;
        for (kind, count) in &other.missing {
            *self.missing.entry(kind.clone()).or_default() += count;
        }
    }
}

/// Why code was not put into words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerbaliseError {
    /// A language without rules.
    #[error("no verbaliser for {language} yet; use a language model as teacher")]
    Unsupported {
        /// The language asked for.
        language: Language,
    },
    /// Code with a syntax error.
    #[error("the {language} code does not parse: syntax error at line {line}, column {column}")]
    Syntax {
        /// The language asked for.
        language: Language,
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, from 1, in bytes.
        column: usize,
    },
    /// Code without anything to do: empty, or comments alone.
    #[error("the {language} code holds no function and no statement")]
    Empty {
        /// The language asked for.
        language: Language,
    },
    /// The parser failed.
    #[error(transparent)]
    Parser(#[from] SyntaxError),
}

fn rules(language: Language) -> Option<&'static Rules> {
    match language {
        Language::Python => Some(&python::RULES),
        Language::Java => Some(&java::RULES),
        Language::Go => Some(&go::RULES),
        Language::JavaScript => Some(&javascript::RULES),
        Language::Php => Some(&php::RULES),
        Language::Ruby => Some(&ruby::RULES),
        _ => None,
    }
}

/// Whether there are rules for `language`.
pub fn supports(language: Language) -> bool {
    rules(language).is_some()
}

/// Puts `code` into words: a function, a class, a file or a few statements. One line that opens a
/// block (in Python) is told without its body; see [`verbalise_line`].
///
/// Takes time linear in the length of the code, whatever its shape; deterministic.
///
/// # Errors
/// [`VerbaliseError::Unsupported`] for a language without rules, [`VerbaliseError::Syntax`] for
/// code with a syntax error, [`VerbaliseError::Empty`] for code without a statement.
pub fn verbalise(language: Language, code: &str) -> Result<Verbalised, VerbaliseError> {
    // One line that opens a block stands for itself.
    if line::opens_a_block(language, code) {
        return verbalise_line(language, code, Manner::Plan);
    }
    let (statements, mut report) = read(language, code)?;
    let mut english = English::new(language);
    let pseudocode = english.plan(&statements);
    if pseudocode.is_empty() {
        return Err(VerbaliseError::Empty { language });
    }
    report.shortened += english.shortened;
    Ok(Verbalised { pseudocode, report })
}

/// The statements of a text in the common tree, and how much of it had rules.
fn read(language: Language, code: &str) -> Result<(Vec<Stmt>, Coverage), VerbaliseError> {
    let rules = rules(language).ok_or(VerbaliseError::Unsupported { language })?;
    let snippet = snippet::parse_snippet(language, code)?;
    let root = snippet.tree.root_node();
    if root.has_error() {
        return Err(syntax_error(language, root));
    }
    let nodes = preorder(&snippet.tree)
        .filter(|node| node.is_named() && says_something(language, *node))
        .count();
    let elsewhere = match language {
        Language::Ruby => ruby::heredocs(&snippet.tree),
        _ => HashMap::new(),
    };
    let mut lowering = Lowering::new(&snippet.text, language, rules, elsewhere);
    let mut statements = flat(lowering.body(root));
    if snippet.offset > 0 {
        statements = unwrapped(statements);
    }
    let report = Coverage {
        nodes,
        without_rule: lowering.missing.values().sum(),
        missing: lowering.missing,
        shortened: lowering.too_deep,
    };
    Ok((statements, report))
}

/// The snippet's own statements, without the class or function that was put around it to parse it.
fn unwrapped(mut statements: Vec<Stmt>) -> Vec<Stmt> {
    match statements.pop() {
        Some(Stmt::Class(class)) => class.body,
        Some(Stmt::Function(function)) => function.body,
        Some(other) => {
            statements.push(other);
            statements
        }
        None => statements,
    }
}

/// Blocks at the top are no steps of their own.
fn flat(statements: Vec<Stmt>) -> Vec<Stmt> {
    statements
        .into_iter()
        .flat_map(|statement| match statement {
            Stmt::Block(inner) => inner,
            other => vec![other],
        })
        .collect()
}

/// The place of the first ERROR or MISSING node, found by going down where errors are.
fn syntax_error(language: Language, root: Node) -> VerbaliseError {
    let mut cursor = root.walk();
    let mut at = root;
    'down: while !(at.is_error() || at.is_missing()) {
        if !cursor.goto_first_child() {
            break;
        }
        loop {
            at = cursor.node();
            if at.has_error() || at.is_missing() {
                continue 'down;
            }
            if !cursor.goto_next_sibling() {
                break 'down;
            }
        }
    }
    let place = at.start_position();
    VerbaliseError::Syntax { language, line: place.row + 1, column: place.column + 1 }
}
