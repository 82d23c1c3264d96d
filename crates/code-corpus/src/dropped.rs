//! What was left out, counted by reason.

use std::collections::BTreeMap;
use std::fmt;

use distill_core::jsonl::BadLine;
use serde::{Deserialize, Serialize};

/// Why a file, a line or a pair was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// File: the system would not read it.
    Unreadable,
    /// File: not UTF-8.
    NotUtf8,
    /// File: larger than the limit.
    FileTooLarge,
    /// File: a symbolic link; links are not followed.
    SymbolicLink,
    /// File: holds tests, by its path.
    TestFile,
    /// File: says in its head that a program wrote it, or has lines that no person writes.
    Generated,
    /// Line: no record (not JSON, not UTF-8, a field missing, an unknown language).
    BadLine,
    /// Pair: the function has no documentation.
    NoDocumentation,
    /// Pair: the documentation's first paragraph holds no prose.
    NoQuery,
    /// Pair: the query has too few tokens.
    QueryTooShort,
    /// Pair: the query has too many tokens.
    QueryTooLong,
    /// Pair: the query is mostly symbols, or holds markup or links.
    NotProse,
    /// Pair: the query is not in English.
    NotEnglish,
    /// Pair: the query says nothing about what the function does.
    Uninformative,
    /// Pair: the function has too few lines.
    CodeTooShort,
    /// Pair: the function has too many tokens.
    CodeTooLong,
    /// Pair: a test, by the function's name.
    TestFunction,
    /// Pair: a constructor or a method that every class has (`__repr__`, `toString`).
    Boilerplate,
    /// Pair: the code does not parse.
    SyntaxError,
    /// Pair: the same code as an earlier pair, white space apart.
    ExactDuplicate,
    /// Pair: nearly the code of an earlier pair.
    NearDuplicate,
    /// Pair: too close to a text that must stay unseen.
    Contaminated,
}

impl Reason {
    /// In words, for messages and reports.
    pub fn words(self) -> &'static str {
        match self {
            Reason::Unreadable => "unreadable file",
            Reason::NotUtf8 => "file not UTF-8",
            Reason::FileTooLarge => "file too large",
            Reason::SymbolicLink => "symbolic link",
            Reason::TestFile => "test file",
            Reason::Generated => "generated file",
            Reason::BadLine => "line without a record",
            Reason::NoDocumentation => "no documentation",
            Reason::NoQuery => "documentation without prose",
            Reason::QueryTooShort => "query too short",
            Reason::QueryTooLong => "query too long",
            Reason::NotProse => "query is not prose",
            Reason::NotEnglish => "query not English",
            Reason::Uninformative => "query says nothing",
            Reason::CodeTooShort => "function too short",
            Reason::CodeTooLong => "function too long",
            Reason::TestFunction => "test function",
            Reason::Boilerplate => "constructor or standard method",
            Reason::SyntaxError => "code does not parse",
            Reason::ExactDuplicate => "exact duplicate",
            Reason::NearDuplicate => "near duplicate",
            Reason::Contaminated => "close to a held-out text",
        }
    }
}

/// How much was left out for which reason.
///
/// Serialised as one object with snake-case reasons as keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dropped(pub BTreeMap<Reason, u64>);

impl Dropped {
    /// Counts one more.
    pub fn add(&mut self, reason: Reason) {
        self.add_many(reason, 1);
    }

    /// Counts `count` more.
    pub fn add_many(&mut self, reason: Reason, count: u64) {
        if count > 0 {
            *self.0.entry(reason).or_default() += count;
        }
    }

    /// Counts everything in `other` too.
    pub fn merge(&mut self, other: &Dropped) {
        for (&reason, &count) in &other.0 {
            self.add_many(reason, count);
        }
    }

    /// How much was left out for this reason.
    pub fn count(&self, reason: Reason) -> u64 {
        self.0.get(&reason).copied().unwrap_or_default()
    }

    /// How much was left out in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing dropped");
        }
        for (index, (reason, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {count}", reason.words())?;
        }
        Ok(())
    }
}

/// What a source gave: its problems, and the account of what it did not give.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Harvest {
    /// The problems, in the order of the source.
    pub problems: Vec<distill_core::Problem>,
    /// Files that were opened, or would have been had they not been dropped.
    pub files: u64,
    /// Functions or records that were looked at.
    pub candidates: u64,
    /// What was left out.
    pub dropped: Dropped,
    /// Every file that could not be read and every line that is no record, in order. A bad file
    /// stands here with line 0.
    pub bad: Vec<BadLine>,
}
