//! The report of a run: [`ReportData`], which is `report.json`, and its two renderings.
//!
//! [`markdown`] and [`html`] are pure: equal data gives equal text, nothing is read, and nothing
//! that a caller can pass makes them fail. Both are made of the same tables and sentences, so that
//! they cannot disagree. What comes from the run (queries, answers, names) is shown, never obeyed:
//! it is escaped, and control characters are made visible.
//!
//! ```
//! use distill::report::{self, ReportData};
//!
//! let data = ReportData { run: "stdlib".into(), ..ReportData::default() };
//! assert!(report::markdown(&data).starts_with("# Report of the run stdlib\n"));
//! assert!(report::html(&data).contains("<h1>stdlib</h1>"));
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `data` | what a report says |
//! | `words` | how numbers are written, and the sentences that they bear out |
//! | `tables` | the tables |
//! | `diff` | which lines and words an answer shares with its reference |
//! | `curves`, `spread` | losses over steps; how scores are spread and go with length. `chart` holds what charts have in common |
//! | `dots` | lists of dots with intervals |
//! | `markdown`, `html`, `answers` | the renderings; `page` is the frame of a page, `style.css` dresses it |

mod answers;
pub(crate) mod chart;
mod curves;
mod data;
mod diff;
pub(crate) mod dots;
mod html;
mod markdown;
pub(crate) mod page;
mod spread;
pub(crate) mod tables;
#[cfg(test)]
mod tests;
pub(crate) mod words;

pub use data::{
    Curve, CurvePoint, Dataset, Difference, LanguageRow, Lengths, Losses, Machine, Pairs, Place,
    RankedSample, ReportData, Results, Row, Sample, SampleAnswer, Scores, Setting, Spread,
    SpreadAnswer, Stage, Stamp, Teach, Training,
};
pub use html::html;
pub use markdown::markdown;
