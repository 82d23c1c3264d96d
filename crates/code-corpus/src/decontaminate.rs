//! Training problems out that come close to texts which must stay unseen.

use std::collections::BTreeSet;
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
use crate::tokens::tokens;
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

/// How a text is close to a held-out one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Close {
    /// The texts hold this share of its n-grams.
    Ngrams(f64),
    /// A text has the same syntax tree, names and literals apart.
    Shape,
}

/// Held-out texts, ready to be compared with: their n-grams, and the shapes of their syntax trees.
#[derive(Debug, Clone)]
pub struct Unseen {
    ngram: usize,
    overlap: f64,
    min_nodes: usize,
    ngrams: FxHashSet<u64>,
    shapes: FxHashSet<(Language, u64)>,
}

impl Unseen {
    /// Reads the texts. Which language a text is in is not known: it counts in those of `languages`
    /// in which it parses.
    ///
    /// # Errors
    /// [`CorpusError::Setting`] for an n-gram length or overlap outside its range;
    /// [`CorpusError::Io`] and [`CorpusError::BadLine`] for the files.
    pub fn new(
        held_out: &HeldOut,
        languages: impl IntoIterator<Item = Language>,
    ) -> Result<Unseen, CorpusError> {
        let &HeldOut { ngram, overlap, min_nodes, .. } = held_out;
        if ngram == 0 || !(overlap > 0.0 && overlap <= 1.0) {
            return Err(CorpusError::Setting {
                name: "held_out",
                value: format!("ngram {ngram}, overlap {overlap}"),
                expected: "at least one token, and an overlap above 0 and at most 1",
            });
        }
        let mut texts = held_out.texts.clone();
        for file in &held_out.files {
            texts.extend(texts_of(file)?);
        }
        let languages: BTreeSet<Language> = languages.into_iter().collect();
        let ngrams = texts.par_iter().flat_map_iter(|text| shingles("", text, ngram)).collect();
        let shapes = texts
            .par_iter()
            .flat_map_iter(|text| {
                languages.iter().filter_map(|&language| {
                    shape(language, text, min_nodes).map(|shape| (language, shape))
                })
            })
            .collect();
        Ok(Unseen { ngram, overlap, min_nodes, ngrams, shapes })
    }

    /// Whether there is no text to compare with.
    pub fn is_empty(&self) -> bool {
        self.ngrams.is_empty()
    }

    /// How this code is close to one of the texts, if it is: enough of its n-grams of
    /// [tokens](fn@crate::tokens::tokens) occur in them, or its syntax tree has the shape of one.
    /// Code shorter than an n-gram is compared by shape alone.
    pub fn close(&self, language: Language, code: &str) -> Option<Close> {
        if let Some(share) = self.shared(code).filter(|share| *share >= self.overlap) {
            return Some(Close::Ngrams(share));
        }
        let shape = shape(language, code, self.min_nodes)?;
        self.shapes.contains(&(language, shape)).then_some(Close::Shape)
    }

    /// As [`close`](Self::close), for prose: by n-grams alone.
    pub fn close_prose(&self, text: &str) -> Option<Close> {
        self.shared(text).filter(|share| *share >= self.overlap).map(Close::Ngrams)
    }

    /// The share of the text's n-grams that the held-out texts hold; none where they hold none, or
    /// the text is shorter than one.
    fn shared(&self, text: &str) -> Option<f64> {
        tokens(text).nth(self.ngram - 1)?;
        let own = shingles("", text, self.ngram);
        let shared = own.iter().filter(|ngram| self.ngrams.contains(*ngram)).count();
        (shared > 0).then(|| shared as f64 / own.len() as f64)
    }
}

/// The problems without those of [`Side::Train`] whose reference is [close](Unseen::close) to a
/// held-out text. `sides` shrinks with the problems.
///
/// # Errors
/// As [`Unseen::new`].
pub fn decontaminate(
    problems: Vec<Problem>,
    sides: &mut Vec<Side>,
    held_out: &HeldOut,
    dropped: &mut Dropped,
    progress: OnProgress<'_>,
) -> Result<Vec<Problem>, CorpusError> {
    let unseen = Unseen::new(held_out, problems.iter().map(|problem| problem.language))?;
    if unseen.is_empty() {
        return Ok(problems);
    }
    let stays: Vec<bool> = problems
        .par_iter()
        .zip(sides.par_iter())
        .map(|(problem, side)| match problem.reference.as_deref() {
            Some(code) if *side == Side::Train => unseen.close(problem.language, code).is_none(),
            _ => true,
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
