//! Problems from the world, as a corpus to teach and to train on.
//!
//! [`Corpus::build`] is the way through: a [`Source`] is read and [filtered](Filters), duplicates
//! go ([`dedup`]), the rest is divided so that no file or repository is on two sides ([`mod@split`]),
//! training problems close to held-out texts go ([`mod@decontaminate`]), and everything is counted
//! ([`Statistics`]), what was left out by [`Reason`].
//!
//! | module | holds |
//! |---|---|
//! | [`mod@mine`] | (documentation, function) pairs from a source tree, by tree-sitter |
//! | [`records`] | CodeSearchNet files; JSONL files with fields of any name |
//! | [`controlled`] | generated compositions of operations in three languages, with plans and tests |
//! | [`query`] | documentation to query: the first paragraph, as plain prose |
//! | [`filters`] | which pairs are worth keeping |
//! | [`minhash`] | near duplicates in a stream, as lessons come in |
//! | [`dedup`], [`mod@split`], [`mod@decontaminate`], [`statistics`] | the steps after reading |
//!
//! ```
//! use code_corpus::{Corpus, Options, Source};
//! use code_syntax::Language;
//!
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path().to_owned();
//! let text = r#"
//! def mean(values):
//!     """Return the arithmetic mean of a list.
//!
//!     :param values: at least one number
//!     """
//!     total = sum(values)  # may be zero
//!     return total / len(values)
//! "#;
//! std::fs::write(root.join("mean.py"), text)?;
//!
//! let source = Source::Tree { root, languages: vec![Language::Python] };
//! let corpus = Corpus::build(&source, &Options::default(), &|_| {})?;
//! let problem = &corpus.train[0];
//! assert_eq!(problem.id, "mean.py:mean");
//! assert_eq!(problem.query, "Return the arithmetic mean of a list.");
//! assert_eq!(
//!     problem.reference.as_deref(),
//!     Some("def mean(values):\n    total = sum(values)\n    return total / len(values)")
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything runs on all cores (rayon) and gives the same result on any number of them.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod controlled;
mod corpus;
pub mod decontaminate;
pub mod dedup;
mod dropped;
mod error;
pub mod filters;
mod lines;
pub mod mine;
pub mod minhash;
pub mod query;
pub mod records;
mod snippets;
pub mod split;
pub mod statistics;
mod strip;
pub mod tokens;

pub use controlled::Controlled;
pub use corpus::{Corpus, Options, Source};
pub use decontaminate::{Close, HeldOut, Unseen};
pub use dedup::Dedup;
pub use dropped::{Dropped, Harvest, Reason};
pub use error::CorpusError;
pub use filters::Filters;
pub use lines::open;
pub use records::Fields;
pub use split::{Side, Split};
pub use statistics::Statistics;

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How many files, records or pairs are done.
    pub done: u64,
    /// Out of how many, where that is known.
    pub total: Option<u64>,
}

/// A step of building a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading and filtering; counts files when mining, records otherwise.
    Read,
    /// Looking for duplicates; counts pairs.
    Deduplicate,
    /// Comparing with texts that must stay unseen; counts pairs.
    Decontaminate,
}

/// Where progress is told; called from several threads, in no fixed order.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
