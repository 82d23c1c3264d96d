//! Problems from the world.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod dropped;
mod error;
pub mod filters;
pub mod mine;
pub mod query;
mod snippets;
pub mod split;
mod strip;
pub mod tokens;

pub use dropped::{Dropped, Harvest, Reason};
pub use error::CorpusError;
pub use filters::Filters;
pub use split::{Side, Split};

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
