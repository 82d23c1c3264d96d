//! What can go wrong.

use code_syntax::{Language, SyntaxError};

use crate::Variant;
use crate::fix::{Fix, Fixes};
use crate::ted::TedError;

/// What can go wrong in this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodebleuError {
    /// The text cannot be parsed at all: no grammar in this build, or too long.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The trees are too large for an exact edit distance within the memory bound.
    #[error(transparent)]
    Ted(#[from] TedError),
    /// A name that is no variant.
    #[error(
        "unknown variant {name:?}; known: {}",
        Variant::ALL.map(Variant::name).join(", ")
    )]
    UnknownVariant {
        /// The name as given.
        name: String,
    },
    /// A variant that follows a reference program which does not know the language.
    #[error("the reference program behind variant `{variant}` does not know {language}")]
    UnsupportedLanguage {
        /// The language asked for.
        language: Language,
        /// The variant asked for.
        variant: Variant,
    },
    /// A hypothesis without anything to compare it with.
    #[error("a hypothesis needs at least one reference, got none")]
    NoReference,
    /// A corpus of no pairs has no score.
    #[error("a corpus of no pairs has no score")]
    EmptyCorpus,
    /// A pair of a corpus that cannot be scored.
    #[error("pair {index} (from 0): {source}")]
    Pair {
        /// Its place in the corpus, from 0.
        index: usize,
        /// Why not.
        source: Box<CodebleuError>,
    },
    /// Weights that are negative, not finite, or all zero.
    #[error("weights must be finite, not negative and not all zero, got {0:?}")]
    Weights([f64; 4]),
    /// A text that does not hold four weights.
    #[error("expected four numbers with commas between them, got {text:?}")]
    WeightsText {
        /// The text as given.
        text: String,
    },
    /// A text whose dataflow does not fit in memory, or would take hours to merge as the reference
    /// programs do: a chain or list of tens of thousands of variables in one assignment.
    #[error("the dataflow of a text is too large: tens of millions of edges before merging")]
    TooMuchDataflow,
    /// Counts taken under different variants or fixes were put together.
    #[error("counts of {} do not add up with counts of {}", measure(left), measure(right))]
    Mixed {
        /// The variant and fixes of the sum.
        left: (Variant, Fixes),
        /// Those of what was to be added.
        right: (Variant, Fixes),
    },
    /// A name that is no fix.
    #[error("unknown fix {name:?}; known: {}", Fix::ALL.map(Fix::name).join(", "))]
    UnknownFix {
        /// The name as given.
        name: String,
    },
    /// A fix that has no meaning in the variant.
    #[error("variant `{variant}` has nothing that fix `{fix}` could mend")]
    Fix {
        /// The fix asked for.
        fix: Fix,
        /// The variant asked for.
        variant: Variant,
    },
}

fn measure((variant, fixes): &(Variant, Fixes)) -> String {
    let fixes = fixes.iter().map(|fix| format!(" + {fix}"));
    std::iter::once(format!("variant `{variant}`")).chain(fixes).collect()
}
