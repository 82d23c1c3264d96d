//! Faults of the reference programs, each of which can be mended alone.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::CodebleuError;

/// One fault of the reference programs, named after what is done instead.
///
/// [`Variant::Fixed`](crate::Variant::Fixed) does all of it; beside the other variants each is an
/// option ([`Scorer::with_fixes`](crate::Scorer::with_fixes)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fix {
    /// The weighted n-gram match is divided by the weight of the *hypothesis*, as CodeBLEU was
    /// defined, and the shortness of the hypothesis costs what it costs in BLEU. The programs divide
    /// by the references, so that words too many cost nothing
    /// ([k4black/codebleu#85](https://github.com/k4black/codebleu/issues/85)).
    KeywordPrecision,
    /// The syntax match is 2·common / (subtrees of the reference + of the hypothesis), each subtree
    /// matched once. The programs ask which of the reference's subtrees occur in the hypothesis at
    /// all, so that one `x` matches a hundred and code too much costs nothing.
    SubtreeF1,
    /// Without dataflow in the reference the other three parts share its weight, and a dataflow
    /// that does not match at all counts as 0. PyPI codebleu counts both as a full match
    /// ([k4black/codebleu#59](https://github.com/k4black/codebleu/issues/59)), CodeXGLUE as none.
    UndefinedDataflow,
    /// Of several references the one that fits best counts, part by part. The programs add the
    /// references up, so that being equal to one of two is not a full match.
    BestReference,
    /// Sources of a value are listed in the order in which they are first seen. The programs list
    /// them by the hashes of their names, so that renaming a variable changes the score
    /// ([microsoft/CodeXGLUE#152](https://github.com/microsoft/CodeXGLUE/issues/152)).
    FirstSeenOrder,
    /// n-grams are of the tokens of the language. The programs take what stands between blanks,
    /// so that `f(x)` and `f( x )` have no word in common
    /// ([microsoft/CodeXGLUE#151](https://github.com/microsoft/CodeXGLUE/issues/151)).
    CodeTokens,
    /// PHP without an opening tag is PHP. For the programs it is one piece of text, in which any two
    /// snippets are alike.
    PhpTag,
    /// The dataflow knows the assignments that the programs overlook: `x = 1` in JavaScript and
    /// TypeScript, `x := 1` in Go.
    MissedAssignments,
    /// Comments and Python's docstrings are told from code by the syntax tree, in all languages. The
    /// programs look for them in the text and damage code on the way: Python indented by tabs,
    /// `//` in a Go raw string.
    TreeComments,
    /// Tokens of the dataflow are what stands at their place. The programs count in characters where
    /// the parser counts in bytes, so that code after an `ä` is displaced.
    NodeText,
    /// Code that a rule of the dataflow does not fit is passed over. In the programs it leaves the
    /// whole text without dataflow.
    PartialDataflow,
}

impl Fix {
    /// Every fix.
    pub const ALL: [Fix; 11] = [
        Fix::KeywordPrecision,
        Fix::SubtreeF1,
        Fix::UndefinedDataflow,
        Fix::BestReference,
        Fix::FirstSeenOrder,
        Fix::CodeTokens,
        Fix::PhpTag,
        Fix::MissedAssignments,
        Fix::TreeComments,
        Fix::NodeText,
        Fix::PartialDataflow,
    ];

    /// Its name in options and records.
    pub fn name(self) -> &'static str {
        match self {
            Fix::KeywordPrecision => "keyword-precision",
            Fix::SubtreeF1 => "subtree-f1",
            Fix::UndefinedDataflow => "undefined-dataflow",
            Fix::BestReference => "best-reference",
            Fix::FirstSeenOrder => "first-seen-order",
            Fix::CodeTokens => "code-tokens",
            Fix::PhpTag => "php-tag",
            Fix::MissedAssignments => "missed-assignments",
            Fix::TreeComments => "tree-comments",
            Fix::NodeText => "node-text",
            Fix::PartialDataflow => "partial-dataflow",
        }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fix {
    type Err = CodebleuError;

    fn from_str(name: &str) -> Result<Fix, CodebleuError> {
        let known = Fix::ALL.into_iter().find(|fix| fix.name() == name);
        known.ok_or_else(|| CodebleuError::UnknownFix { name: name.to_owned() })
    }
}

/// A set of fixes; in records a list of their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fixes(u16);

impl Fixes {
    /// No fix.
    pub const NONE: Fixes = Fixes(0);

    /// These fixes.
    pub const fn of(fixes: &[Fix]) -> Fixes {
        let mut bits = 0;
        let mut index = 0;
        while index < fixes.len() {
            bits |= 1 << fixes[index] as u16;
            index += 1;
        }
        Fixes(bits)
    }

    /// Whether `fix` is among them.
    pub const fn has(self, fix: Fix) -> bool {
        self.0 & (1 << fix as u16) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Those that are not among `others`.
    pub const fn without(self, others: Fixes) -> Fixes {
        Fixes(self.0 & !others.0)
    }

    /// Each of them, in the order of [`Fix::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Fix> {
        Fix::ALL.into_iter().filter(move |&fix| self.has(fix))
    }
}

impl BitOr for Fixes {
    type Output = Fixes;

    fn bitor(self, others: Fixes) -> Fixes {
        Fixes(self.0 | others.0)
    }
}

impl FromIterator<Fix> for Fixes {
    fn from_iter<I: IntoIterator<Item = Fix>>(fixes: I) -> Fixes {
        fixes.into_iter().fold(Fixes::NONE, |all, fix| all | Fixes::of(&[fix]))
    }
}

impl Serialize for Fixes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Fix::name))
    }
}

impl<'de> Deserialize<'de> for Fixes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fixes, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
    }
}
