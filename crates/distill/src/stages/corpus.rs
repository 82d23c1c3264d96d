//! Problems from the world, divided.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use code_corpus::{Corpus, Options, Source, Split, Statistics};
use distill_core::jsonl;
use serde::{Deserialize, Serialize};

use crate::run::write_json;
use crate::{Result, Run};

/// What `corpus.json` says once the corpus is there; written last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusDone {
    /// Where the problems come from, in words.
    pub source: String,
    /// Versions of what they were mined from, for example of the Python.
    pub versions: BTreeMap<String, String>,
    /// What the corpus holds and what was left out.
    pub statistics: Statistics,
}

/// Mines or imports the run's problems and divides them into training, validation and test.
///
/// # Errors
/// Those of [`Corpus::build`]; an empty corpus is one of them.
pub fn corpus(run: &Run<'_>) -> Result<()> {
    if run.folder.corpus_statistics().exists() {
        return Ok(());
    }
    run.stage("corpus", || {
        let config = &run.config.corpus;
        let shares = Split::Shares { valid: 0.1, test: 0.1, seed: run.config.seed };
        let options = Options {
            filters: config.filters.clone(),
            strict: config.strict,
            dedup: config.dedup.clone(),
            split: config.split.clone().unwrap_or(shares),
            held_out: config.held_out.clone(),
        };
        run.progress.start("corpus", None, "read");
        let most = AtomicU64::new(0);
        let corpus = Corpus::build(&config.source, &options, &|progress| {
            // Called from several threads, in no fixed order: show the furthest.
            let done = most.fetch_max(progress.done, Ordering::Relaxed).max(progress.done);
            run.progress.update(done, "");
        })?;
        run.check_stop()?;
        let done = CorpusDone {
            source: corpus.statistics.source.clone(),
            versions: versions(&config.source),
            statistics: corpus.statistics,
        };
        for (split, problems) in
            crate::SPLITS.into_iter().zip([&corpus.train, &corpus.valid, &corpus.test])
        {
            jsonl::write_all(&run.folder.problems(split), problems)?;
        }
        write_json(&run.folder.corpus_statistics(), &done)?;
        let Statistics { train, valid, test, .. } = done.statistics;
        Ok(format!(
            "{} problems from {} ({train} to train on, {valid} to validate, {test} to test)",
            train + valid + test,
            done.source,
        ))
    })
}

/// The version of the interpreter whose library was mined, where there is one.
fn versions(source: &Source) -> BTreeMap<String, String> {
    let Source::PythonStdlib { python } = source else { return BTreeMap::new() };
    let output = std::process::Command::new(python).arg("--version").output();
    let version = output.ok().and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().strip_prefix("Python ")?.to_owned())
    });
    version.map(|version| ("python".to_owned(), version)).into_iter().collect()
}
