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
//! | `lines` | which lines of an answer stand in its reference |
//! | `markdown`, `html` | the renderings; `chart` draws the curves, `style.css` dresses the page |

mod chart;
mod data;
mod html;
mod lines;
mod markdown;
mod tables;
#[cfg(test)]
mod tests;
mod words;

pub use data::{
    Curve, CurvePoint, Dataset, Lengths, Losses, Machine, Pairs, ReportData, Results, Row, Sample,
    SampleAnswer, Scores, Setting, Stage, Teach,
};
pub use html::html;
pub use markdown::markdown;
