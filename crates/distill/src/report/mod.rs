//! The report: [`ReportData`], which is `report.json`, and its two renderings.

mod data;

pub use data::{
    Curve, CurvePoint, Dataset, Lengths, Losses, Machine, Pairs, ReportData, Results, Row, Sample,
    SampleAnswer, Scores, Setting, Stage, Teach,
};
