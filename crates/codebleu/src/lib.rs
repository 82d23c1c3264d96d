//! CodeBLEU.
#![deny(missing_docs)]
// Only the rows of `ted` hold unsafe code, and say why.
#![deny(unsafe_code)]

mod ast;
pub mod bleu;
mod corpus;
pub mod dataflow;
mod error;
pub mod keywords;
mod ngrams;
mod score;
mod strip;
mod syntax;
pub mod ted;
pub mod text;

pub use corpus::{CorpusScore, Pair};
pub use error::CodebleuError;
pub use ngrams::ORDERS;
pub use score::{
    Counts, DataflowCounts, PairScore, Scorer, Scores, SyntaxCounts, UNIFORM, Variant, Weights,
};
