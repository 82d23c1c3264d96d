//! Programming languages as data, and one way to parse them.
//!
//! A [`Language`] is one row of [`language::TABLE`]: its name, file extensions, keywords, comments
//! and, where its Cargo feature is on, its tree-sitter grammar. Around the table stand
//!
//! * [`parse`]: text to syntax tree with parsers that are reused from call to call,
//! * [`preorder`], [`leaves`]: walks without recursion, safe on any nesting depth,
//! * [`flatten`]: all nodes as one array, where the time of a walk matters,
//! * [`parse_flat`]: text to that array, where the time of parsing matters; [`glr`] says how,
//! * [`snippet`]: whether a *snippet* (a lone method, PHP without its opening tag) parses.
//!
//! Without any grammar feature only the table remains and tree-sitter is not compiled.
//!
//! ```
//! use code_syntax::Language;
//!
//! let language: Language = "py".parse()?;
//! assert_eq!(language, Language::Python);
//! assert!(language.keywords().contains(&"lambda"));
//! # #[cfg(feature = "python")]
//! # {
//! let tree = code_syntax::parse(language, "def f(a):\n    return a + 1\n")?;
//! let tokens: Vec<&str> = code_syntax::leaves(&tree)
//!     .map(|leaf| &"def f(a):\n    return a + 1\n"[leaf.byte_range()])
//!     .collect();
//! assert_eq!(tokens, ["def", "f", "(", "a", ")", ":", "return", "a", "+", "1"]);
//! # }
//! # Ok::<(), code_syntax::SyntaxError>(())
//! ```
//!
//! Adding a language: one variant and one table row in `language.rs`, one keyword file, one Cargo
//! feature. The dataflow rules live in the crate `codebleu`.

#![deny(missing_docs)]
// Only `flat` and `glr` hold unsafe code, and say why.
#![deny(unsafe_code)]

#[cfg(feature = "tree-sitter")]
mod flat;
#[cfg(feature = "tree-sitter")]
pub mod glr;
pub mod language;
#[cfg(feature = "tree-sitter")]
mod locale;
#[cfg(feature = "tree-sitter")]
mod parsing;
#[cfg(feature = "tree-sitter")]
pub mod snippet;
#[cfg(feature = "tree-sitter")]
mod walk;

#[cfg(feature = "tree-sitter")]
pub use flat::{FlatNode, flatten};
pub use language::Language;
#[cfg(feature = "tree-sitter")]
pub use parsing::{FlatTree, parse, parse_flat};
#[cfg(feature = "tree-sitter")]
pub use walk::{Leaves, Preorder, leaves, preorder};

/// What can go wrong in this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// A name that is no row of the table.
    #[error("unknown language {name:?}; known: {known}", known = language::known_names())]
    UnknownLanguage {
        /// The name as given.
        name: String,
    },
    /// A language whose grammar was not compiled in.
    #[error(
        "no grammar for {language} in this build: turn on the Cargo feature `{language}` of code-syntax"
    )]
    NoGrammar {
        /// The language asked for.
        language: Language,
    },
    /// A text that tree-sitter cannot hold: offsets are 32 bits wide.
    #[error("a text of {bytes} bytes is too long to parse: at most {max} bytes", max = u32::MAX)]
    TooLong {
        /// Length of the text.
        bytes: usize,
    },
    /// No memory is left for the nodes of a tree.
    #[error("no memory is left for the nodes of a syntax tree")]
    Flatten,
    /// The parser gave no tree, or rejected the grammar; neither is known to happen.
    #[error("tree-sitter gave no tree for {language}: {reason}")]
    Parser {
        /// The language asked for.
        language: Language,
        /// What tree-sitter said.
        reason: String,
    },
}
