//! Studies in which people rate generated code: who rates what in which order, the sheets they fill
//! in, and what their ratings say.
//!
//! ```
//! use human_study::{Design, Ratings, Stimulus, study};
//!
//! let stimulus = |item: &str, system: &str, answer: &str| Stimulus {
//!     item: item.into(), system: system.into(), query: "Add two numbers.".into(),
//!     answer: answer.into(),
//! };
//! let stimuli = [stimulus("sum", "student", "a + b"), stimulus("sum", "teacher", "sum([a, b])")];
//! let sheets = study(&stimuli, &Design { raters: 2, per_rater: None, seed: 1 })?;
//! // Whoever was shown one answer first is shown the other second.
//! assert_ne!(sheets[0].rows[0].system, sheets[1].rows[0].system);
//! assert!(human_study::page(&sheets[0]).contains("Add two numbers."));
//!
//! let csv = "item,system,rater,criterion,score\n\
//!            sum,student,1,fluency,4\nsum,student,2,fluency,4\nsum,teacher,1,fluency,5\n\
//!            sum,teacher,2,fluency,5\n";
//! let ratings = Ratings::read(csv.as_bytes(), "ratings.csv")?;
//! let found = &ratings.agreement(&Default::default())?[0];
//! assert_eq!((found.criterion.as_str(), found.interval), ("fluency", 1.0));
//! # Ok::<(), human_study::StudyError>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`design`] | which rater sees what, in which order: blinded, counterbalanced by Latin squares |
//! | [`sheet`] | the sheets as an HTML page and as CSV, and back |
//! | [`ratings`] | ratings in the long form `item,system,rater,criterion,score`; agreement |
//! | [`mod@report`] | means, tests, effect sizes, disagreements, as text and JSON |
//! | [`correlation`] | which metric ranks answers as people do |

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod correlation;
pub mod design;
pub mod ratings;
pub mod report;
pub mod sheet;

pub use correlation::{MetricAgreement, correlate};
pub use design::{Design, Row, Sheet, Stimulus, study};
pub use ratings::{Agreement, Rating, Ratings};
pub use report::{StudyReport, report};
pub use sheet::{import, page, table};

/// What answers are rated for: Table 5 of Li, Gu and Geng (2025).
pub const CRITERIA: [Criterion; 3] = [
    Criterion { name: "correctness", asks: "Does the code do what is asked for?" },
    Criterion { name: "completeness", asks: "Is all of it there, edge cases too?" },
    Criterion { name: "fluency", asks: "Does it read like code that a careful person wrote?" },
];

/// One thing that answers are rated for, from 1 (worst) to 5 (best).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Criterion {
    /// Its name in files.
    pub name: &'static str,
    /// What raters are asked.
    pub asks: &'static str,
}

/// What can go wrong in a study.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A design that cannot be carried out.
    #[error("{0}")]
    Design(String),
    /// A line of a file that is not what it should be.
    #[error("{file}:{line}: {reason}")]
    Line {
        /// The file.
        file: String,
        /// Line number, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that cannot be read as CSV.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Too little to compute from.
    #[error("{what}: {source}")]
    Statistics {
        /// What was computed.
        what: String,
        /// Why not.
        source: evaluation_statistics::StatisticsError,
    },
}
