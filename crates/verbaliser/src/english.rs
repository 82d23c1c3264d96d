//! From the common tree to English steps.
//!
//! Expressions become phrases. A phrase has a [`Grip`]: how tightly its words hold together, so
//! that a looser phrase inside a tighter one gets parentheses and none other does.
//!
//! Templates are texts with slots: `{0}` is the phrase of a part, `{c0}` its reading as a
//! condition, `{o0}` the phrase held tightly, `{*}` all parts as a list, `{|}` all parts as
//! alternatives, `{1*}` all parts from the second on, `{|0}` the items of a tuple as alternatives.
//!
//! | module | says |
//! |---|---|
//! | `steps` | statements: one step each, with what is nested below it |
//! | `grouping` | long rows of steps as groups with sub-steps |
//! | `loops` | what a loop goes through |
//! | `values` | expressions as phrases |
//! | `conditions` | expressions as something that holds or does not |
//! | `known` | what names hold, for the choice of words |

mod conditions;
mod grouping;
mod known;
mod loops;
mod steps;
mod values;

use std::collections::HashMap;

use code_syntax::Language;
use distill_core::{Pseudocode, Step};

use self::known::Kind;
use crate::idioms;
use crate::ir::{Collection, Expr, Op, Stmt};

/// Most items of a list that are said; the rest is counted.
const MOST_ITEMS: usize = 12;
/// Longest step, in bytes, before the parts of a call or literal get sub-steps of their own.
const LONGEST_STEP: usize = 200;
/// Most sub-steps made of the parts of one call or literal.
const MOST_PARTS: usize = 40;
/// Deepest nesting of phrases inside one step; what lies deeper is said by the names in it.
const DEEPEST_PHRASE: usize = 9;
/// Most names that stand for what is not said in full.
const MOST_NAMES: usize = 4;

/// What follows the class of an object whose members are told below.
const BELOW: &str = " (defined below)";

/// How tightly the words of a phrase hold together, tightest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grip {
    /// One word or a quoted text.
    Word,
    /// `the length of xs`.
    Of,
    /// `a plus b`.
    Infix,
    /// `the result of f with a and b`.
    With,
    /// `a if c, otherwise b`; `whether a is less than b`.
    Clause,
}
use Grip::{Clause, Infix, Of, With, Word};

type Phrase = (String, Grip);

/// Writes the steps of one text.
pub(crate) struct English {
    language: Language,
    steps: Vec<Step>,
    depth: usize,
    nesting: usize,
    known: HashMap<String, Kind>,
    /// How often something was not said in full.
    pub(crate) shortened: usize,
}

impl English {
    pub(crate) fn new(language: Language) -> English {
        English {
            language,
            steps: Vec::new(),
            depth: 0,
            nesting: 0,
            known: HashMap::new(),
            shortened: 0,
        }
    }

    /// The steps of a whole text. The one definition that ends it (imports and the like may come
    /// before) needs no level of its own: its body follows its first step at the same depth.
    pub(crate) fn plan(&mut self, statements: &[Stmt]) -> Pseudocode {
        self.known = known::kinds(self.language, statements);
        let mut rest = statements;
        while let [before @ .., last] = rest {
            if !before.iter().all(|statement| matches!(statement, Stmt::Say(..))) {
                break;
            }
            let (heading, body) = match last {
                Stmt::Function(function) => (self.function_heading(function), &function.body),
                Stmt::Class(class) => (self.class_heading(class), &class.body),
                _ => break,
            };
            self.block(before);
            self.step(heading);
            rest = body;
        }
        self.block_after(self.steps.len(), rest);
        Pseudocode::new(std::mem::take(&mut self.steps))
    }

    fn textual(&self, value: &Expr) -> bool {
        textual(self.language, value)
    }

    /// What a name holds, as far as the text tells.
    fn kind_of(&self, value: &Expr) -> Kind {
        match value {
            Expr::Name(name) => self.known.get(name).copied().unwrap_or(Kind::Unknown),
            _ => Kind::Unknown,
        }
    }
}

/// Whether a value is a text by its form.
fn textual(language: Language, value: &Expr) -> bool {
    let textual = |value: &Expr| textual(language, value);
    match value {
        // A character in single quotes is a number in Java and Go.
        Expr::Text { quote, .. } => {
            *quote != '\'' || !matches!(language, Language::Java | Language::Go)
        }
        Expr::Format { .. } => true,
        Expr::Chain(first, rest) => {
            textual(first) && !(language == Language::Php && rest[0].0 != Op::Concat)
                || rest.iter().any(|(op, item)| {
                    *op == Op::Concat
                        || *op == Op::Add && language != Language::Php && textual(item)
                })
        }
        Expr::Call(callee, _) if idioms::is_formatter(language, callee) => true,
        Expr::Call(callee, arguments) if idioms::gives_text(language, callee, arguments.len()) => {
            true
        }
        Expr::Call(callee, _) => {
            matches!(&**callee, Expr::Attribute(base, method) if method == "format" && textual(base))
        }
        _ => false,
    }
}

/// The sequence whose length an expression is.
fn length_of(language: Language, value: &Expr) -> Option<&Expr> {
    match value {
        Expr::Call(callee, arguments) => match (&**callee, arguments.as_slice()) {
            (Expr::Name(name), [sequence]) => {
                let known = match language {
                    Language::Python | Language::Go => name == "len",
                    Language::Php => {
                        matches!(name.as_str(), "count" | "strlen" | "sizeof" | "mb_strlen")
                    }
                    _ => false,
                };
                known.then_some(sequence)
            }
            (Expr::Attribute(sequence, name), []) => {
                let known = match language {
                    Language::Java => matches!(name.as_str(), "length" | "size"),
                    Language::Ruby => matches!(name.as_str(), "length" | "size" | "count"),
                    _ => false,
                };
                known.then_some(&**sequence)
            }
            _ => None,
        },
        Expr::Attribute(sequence, name)
            if name == "length" && matches!(language, Language::Java | Language::JavaScript) =>
        {
            Some(sequence)
        }
        _ => None,
    }
}

fn is_named_or_spread(value: &Expr) -> bool {
    matches!(value, Expr::Named(..) | Expr::Spread(_) | Expr::SpreadEntries(_))
}

/// The first few different names in an expression.
fn names_in(value: &Expr) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut pending = vec![value];
    while let Some(expr) = pending.pop() {
        if names.len() == MOST_NAMES {
            break;
        }
        if let Some(path) = expr.path() {
            if !names.contains(&path) {
                names.push(path);
            }
            continue;
        }
        if let Expr::TooDeep(inner) = expr {
            for name in inner {
                if names.len() < MOST_NAMES && !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        pending.extend(expr.children().into_iter().rev());
    }
    names
}

/// The noun for a collection, as users of the language call it.
fn collection(language: Language, kind: Collection) -> &'static str {
    match kind {
        Collection::Dictionary if language == Language::JavaScript => "object",
        Collection::Dictionary if language == Language::Php => "array",
        Collection::Dictionary if language == Language::Ruby => "hash",
        Collection::List => "list",
        Collection::Tuple => "tuple",
        Collection::Set => "set",
        Collection::Dictionary => "dictionary",
        Collection::Values => "sequence",
        Collection::Array => "array",
    }
}
