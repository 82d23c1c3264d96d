//! Training problems out that come close to texts which must stay unseen.

use std::path::{Path, PathBuf};

use code_syntax::{Language, preorder};
use distill_core::Problem;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::dedup::shingles;
use crate::lines::Lines;
use crate::snippets::parse_code;
use crate::split::Side;
use crate::{CorpusError, Dropped, OnProgress, Progress, Reason, Stage};

/// Texts that training must not come close to, and what close means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeldOut {
    /// The texts themselves: code or queries of a benchmark.
    pub texts: Vec<String>,
    /// JSONL files (compressed or not) every text field of which is such a text.
    pub files: Vec<PathBuf>,
    /// Tokens in an n-gram. Default 10.
    pub ngram: usize,
    /// Share of a reference's n-grams, in (0, 1], that the texts must hold for the problem to go.
    /// Default 0.5.
    pub overlap: f64,
    /// Fewest nodes of a syntax tree that is compared by its shape. Default 30: smaller ones are
    /// alike by chance.
    pub min_nodes: usize,
}

impl Default for HeldOut {
    fn default() -> HeldOut {
        HeldOut { texts: Vec::new(), files: Vec::new(), ngram: 10, overlap: 0.5, min_nodes: 30 }
    }
}

/// The problems without those of [`Side::Train`] whose reference is close to a held-out text:
/// enough of its n-grams of [tokens](fn@crate::tokens::tokens) occur in the texts, or its syntax tree
/// has the shape of one of them, whatever the names and literals. `sides` shrinks with the
/// problems. References shorter than an n-gram are compared by shape alone.
///
/// # Errors
/// [`CorpusError::Setting`] for an n-gram length or overlap outside its range;
/// [`CorpusError::Io`] and [`CorpusError::BadLine`] for the files.
pub fn decontaminate(
    problems: Vec<Problem>,
    sides: &mut Vec<Side>,
    held_out: &HeldOut,
    dropped: &mut Dropped,
    progress: OnProgress<'_>,
) -> Result<Vec<Problem>, CorpusError> {
    if held_out.ngram == 0 || !(held_out.overlap > 0.0 && held_out.overlap <= 1.0) {
        return Err(CorpusError::Setting {
            name: "held_out",
            value: format!("ngram {}, overlap {}", held_out.ngram, held_out.overlap),
            expected: "at least one token, and an overlap above 0 and at most 1",
        });
    }
    let mut texts = held_out.texts.clone();
    for file in &held_out.files {
        texts.extend(texts_of(file)?);
    }
    if texts.is_empty() {
        return Ok(problems);
    }
    let languages: std::collections::BTreeSet<Language> =
        problems.iter().map(|problem| problem.language).collect();
    let ngrams: FxHashSet<u64> =
        texts.par_iter().flat_map_iter(|text| shingles("", text, held_out.ngram)).collect();
    // A text's language is not known: it counts in those of the corpus in which it parses.
    let shapes: FxHashSet<(Language, u64)> = texts
        .par_iter()
        .flat_map_iter(|text| {
            languages.iter().filter_map(|&language| {
                shape(language, text, held_out.min_nodes).map(|shape| (language, shape))
            })
        })
        .collect();
    let stays: Vec<bool> = problems
        .par_iter()
        .zip(sides.par_iter())
        .map(|(problem, side)| {
            let Some(code) = problem.reference.as_deref().filter(|_| *side == Side::Train) else {
                return true;
            };
            let own = match crate::tokens::tokens(code).nth(held_out.ngram - 1) {
                Some(_) => shingles("", code, held_out.ngram),
                None => Vec::new(),
            };
            let shared = own.iter().filter(|ngram| ngrams.contains(*ngram)).count();
            let overlaps = shared > 0 && shared as f64 >= held_out.overlap * own.len() as f64;
            let shape = shape(problem.language, code, held_out.min_nodes);
            !overlaps && !shape.is_some_and(|shape| shapes.contains(&(problem.language, shape)))
        })
        .collect();
    let total = problems.len() as u64;
    let mut flags = stays.iter();
    sides.retain(|_| flags.next().copied().unwrap_or(true));
    let kept: Vec<Problem> =
        problems.into_iter().zip(stays).filter(|(_, stays)| *stays).map(|(p, _)| p).collect();
    dropped.add_many(Reason::Contaminated, total - kept.len() as u64);
    progress(Progress { stage: Stage::Decontaminate, done: total, total: Some(total) });
    Ok(kept)
}

/// Every text field of every record.
fn texts_of(path: &Path) -> Result<Vec<String>, CorpusError> {
    let mut lines = Lines::open(path)?;
    let mut texts = Vec::new();
    loop {
        let batch = lines.batch(4096)?;
        if batch.is_empty() {
            return Ok(texts);
        }
        for (number, line) in batch {
            let record: serde_json::Map<String, serde_json::Value> = line
                .and_then(|line| serde_json::from_slice(&line).map_err(|error| error.to_string()))
                .map_err(|reason| lines.bad(number, reason))?;
            texts.extend(record.into_iter().filter_map(|(_, value)| match value {
                serde_json::Value::String(text) => Some(text),
                _ => None,
            }));
        }
    }
}

/// A hash of the kinds of the nodes of the code's syntax tree and of their nesting; `None` for code
/// that does not parse or has fewer nodes.
fn shape(language: Language, code: &str, min_nodes: usize) -> Option<u64> {
    let (snippet, clean) = parse_code(language, code).ok()?;
    if !clean {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    let mut nodes = 0;
    for node in preorder(&snippet.tree) {
        // Wrappers and comments are no part of the code.
        if node.start_byte() < snippet.offset
            || node.start_byte() >= snippet.offset + code.len()
            || !node.is_named()
            || language.is_comment_kind(node.kind())
        {
            continue;
        }
        nodes += 1;
        hasher.update(&node.kind_id().to_le_bytes());
        hasher.update(&(node.named_child_count() as u32).to_le_bytes());
    }
    let bytes = hasher.finalize();
    (nodes >= min_nodes).then(|| u64::from_le_bytes(std::array::from_fn(|at| bytes.as_bytes()[at])))
}
