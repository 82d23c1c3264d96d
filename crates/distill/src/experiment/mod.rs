//! Experiments: a matrix of runs that differ in named settings, and tables that compare them.
//!
//! An experiment is a run's configuration and a section `experiment` that says what varies:
//!
//! ```toml
//! [corpus.source]
//! kind = "python_stdlib"
//!
//! [experiment]
//! seeds = [1, 2, 3]
//!
//! [[experiment.axes]]
//! name = "arm"
//! values = [
//!     { name = "plain", set = { training.arms = ["plain"] } },
//!     { name = "distilled", set = { training.arms = ["distilled"] } },
//! ]
//! ```
//!
//! [`Experiment`] reads it; its [`cells`](Experiment::cells) are all combinations, each with every
//! seed. [`run`] makes them one after the other, each in a folder of its own; cells with the same
//! corpus and teacher share problems and lessons. Their scores become one file of
//! [`Results`], and [`Tables`] are made of that file alone. Results made on another machine, or on
//! another day in a folder that is gone, are [collected](collect) with those that are there.

mod page;
mod paper;
mod plan;
mod plots;
mod results;
#[cfg(feature = "torch")]
mod run;
mod tables;

pub(crate) use page::figure_name;
pub use plan::{Axis, Cell, Experiment, Setting};
pub use results::{CellCost, Collected, ResultLine, Results, collect};
#[cfg(feature = "torch")]
pub use run::{Selection, run};
pub(crate) use tables::contrasts_of_run;
pub use tables::{Contrast, Figure, Mean, Tables};
