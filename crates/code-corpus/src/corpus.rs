//! From a source to a divided corpus.

use std::path::PathBuf;

use code_syntax::Language;
use distill_core::Problem;
use serde::{Deserialize, Serialize};

use crate::decontaminate::{HeldOut, decontaminate};
use crate::dedup::{Dedup, deduplicate};
use crate::mine::{mine, python_stdlib};
use crate::records::{Fields, code_search_net, jsonl};
use crate::split::{Side, Split, split};
use crate::{Controlled, CorpusError, Filters, OnProgress, Statistics};

/// Where problems come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Source {
    /// The standard library of the machine's Python.
    PythonStdlib {
        /// The interpreter: a name on the search path, or a path.
        #[serde(default = "python3")]
        python: String,
    },
    /// A folder of source files.
    Tree {
        /// The folder.
        root: PathBuf,
        /// The languages to mine, among [`MINEABLE`](crate::mine::MINEABLE).
        languages: Vec<Language>,
    },
    /// CodeSearchNet files; see [`code_search_net`].
    CodeSearchNet {
        /// The files, `.jsonl` or `.jsonl.gz`.
        files: Vec<PathBuf>,
    },
    /// JSONL files with any field names; see [`jsonl`].
    Jsonl {
        /// The files, compressed or not.
        files: Vec<PathBuf>,
        /// Which field holds what.
        #[serde(default)]
        fields: Fields,
    },
    /// Compositions of operations, generated; see [`Controlled`]. They are all different, and alike by
    /// intention: neither filters nor [`dedup`](Options::dedup) apply.
    Controlled(Controlled),
}

fn python3() -> String {
    "python3".into()
}

impl Source {
    /// The source in words.
    fn in_words(&self) -> String {
        let list = |files: &[PathBuf]| match files {
            [] => "no file".to_owned(),
            [one] => one.display().to_string(),
            [first, rest @ ..] => format!("{} and {} more", first.display(), rest.len()),
        };
        match self {
            Source::PythonStdlib { python } => format!("the standard library of {python}"),
            Source::Tree { root, .. } => format!("the source tree {}", root.display()),
            Source::CodeSearchNet { files } => format!("CodeSearchNet: {}", list(files)),
            Source::Jsonl { files, .. } => format!("JSONL: {}", list(files)),
            Source::Controlled(controlled) => {
                format!("{} generated compositions", controlled.compositions)
            }
        }
    }
}

/// How a corpus is built from its source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Which pairs are worth keeping.
    pub filters: Filters,
    /// Whether a bad line stops the import rather than being skipped and counted.
    pub strict: bool,
    /// Which duplicates go.
    pub dedup: Dedup,
    /// How the corpus is divided.
    pub split: Split,
    /// Texts that training must not come close to.
    pub held_out: HeldOut,
}

/// A corpus, divided.
#[derive(Debug, Clone, PartialEq)]
pub struct Corpus {
    /// What students learn from.
    pub train: Vec<Problem>,
    /// What decides when to stop.
    pub valid: Vec<Problem>,
    /// What students are measured on.
    pub test: Vec<Problem>,
    /// What it holds, and what was left out.
    pub statistics: Statistics,
}

impl Corpus {
    /// Reads `source`, filters, drops duplicates, divides, drops training problems close to
    /// held-out texts, and counts.
    ///
    /// The result depends on source and options alone, not on threads or on the order in which
    /// the file system lists its files. Within a side, problems stand in the order of the source.
    /// `progress` is called often, from several threads.
    ///
    /// # Errors
    /// [`CorpusError::Empty`] if nothing is left for training; otherwise those of the steps.
    pub fn build(
        source: &Source,
        options: &Options,
        progress: OnProgress<'_>,
    ) -> Result<Corpus, CorpusError> {
        let Options { filters, strict, dedup, split: how, held_out } = options;
        let mut harvest = match source {
            Source::PythonStdlib { python } => {
                mine(&python_stdlib(python)?, &[Language::Python], filters, progress)
            }
            Source::Tree { root, languages } => mine(root, languages, filters, progress),
            Source::CodeSearchNet { files } => code_search_net(files, filters, *strict, progress),
            Source::Jsonl { files, fields } => jsonl(files, fields, filters, *strict, progress),
            Source::Controlled(controlled) => controlled.harvest(),
        }?;
        let mut problems = std::mem::take(&mut harvest.problems);
        if !matches!(source, Source::Controlled(_)) {
            problems = deduplicate(problems, dedup, &mut harvest.dropped, progress)?;
        }
        let mut sides = split(&problems, how)?;
        let problems =
            decontaminate(problems, &mut sides, held_out, &mut harvest.dropped, progress)?;
        let statistics = Statistics::of(source.in_words(), &harvest, &problems, &sides);
        if statistics.train == 0 {
            let dropped = harvest.dropped.to_string();
            return Err(CorpusError::Empty { what: source.in_words(), dropped });
        }
        tracing::info!(
            train = statistics.train,
            valid = statistics.valid,
            test = statistics.test,
            dropped = %statistics.dropped,
            "corpus built"
        );
        let [mut train, mut valid, mut test] = [const { Vec::new() }; 3];
        for (problem, side) in problems.into_iter().zip(sides) {
            match side {
                Side::Train => train.push(problem),
                Side::Valid => valid.push(problem),
                Side::Test => test.push(problem),
            }
        }
        Ok(Corpus { train, valid, test, statistics })
    }
}
