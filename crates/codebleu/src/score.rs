//! One pair: references and a hypothesis to scores.

use std::borrow::Cow;
use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;
use std::sync::Arc;

use code_syntax::Language;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::{Deserialize, Serialize};

use crate::CodebleuError;
use crate::ast::Ast;
use crate::bleu::{Bleu, BleuCounts};
use crate::dataflow::{Dataflow, Reading, edge_overlap, matching_items};
use crate::fix::{Fix, Fixes};
use crate::keywords::{KeywordCounts, Side};
use crate::ngrams::for_each_ngram;
use crate::strip;
use crate::syntax::{self, Subtrees};
use crate::ted::{self, Tree};
use crate::text::{Interner, for_each_python_word, python_strip};

/// Which CodeBLEU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Variant {
    /// As Li, Gu and Geng (2025) define the scores of generated code: BLEU, tree edit distance,
    /// Jaccard index of dataflow edges, keyword-weighted n-gram precision.
    Paper,
    /// As PyPI codebleu 0.7.0 computes it, with PYTHONHASHSEED=0 and CPython 3.11: see the
    /// [crate's documentation](crate#variants) for what that includes.
    K4black,
    /// As CodeXGLUE's `calc_code_bleu.py` computes it, on the same grammars.
    Codexglue,
    /// What `k4black` measures without its faults: with every [`Fix`].
    Fixed,
}

impl Variant {
    /// Every variant.
    pub const ALL: [Variant; 4] =
        [Variant::Paper, Variant::K4black, Variant::Codexglue, Variant::Fixed];

    /// Its name in options and records.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Paper => "paper",
            Variant::K4black => "k4black",
            Variant::Codexglue => "codexglue",
            Variant::Fixed => "fixed",
        }
    }

    /// Whether it knows the language, given its grammar: the reference programs know ten and seven.
    pub fn knows(self, language: Language) -> bool {
        use Language::{C, Cpp, Rust, TypeScript};
        match self {
            Variant::Paper | Variant::Fixed => true,
            Variant::K4black => language != TypeScript,
            Variant::Codexglue => !matches!(language, C | Cpp | Rust | TypeScript),
        }
    }

    /// The faults of the reference programs that it does without by itself.
    pub const fn fixes(self) -> Fixes {
        match self {
            Variant::Paper => Fixes::of(&[
                Fix::KeywordPrecision,
                Fix::UndefinedDataflow,
                Fix::BestReference,
                Fix::FirstSeenOrder,
                Fix::NodeText,
                Fix::PartialDataflow,
            ]),
            Variant::K4black | Variant::Codexglue => Fixes::NONE,
            Variant::Fixed => Fixes::of(&Fix::ALL),
        }
    }

    /// Whether the fix means anything beside it: `paper` matches no subtrees and takes no comments
    /// out of the text.
    pub fn takes(self, fix: Fix) -> bool {
        self != Variant::Paper || !matches!(fix, Fix::SubtreeF1 | Fix::TreeComments)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Variant {
    type Err = CodebleuError;

    fn from_str(name: &str) -> Result<Variant, CodebleuError> {
        let known = Variant::ALL.into_iter().find(|variant| variant.name() == name);
        known.ok_or_else(|| CodebleuError::UnknownVariant { name: name.to_owned() })
    }
}

/// The weights of n-gram, weighted n-gram, syntax and dataflow match, in this order.
pub type Weights = [f64; 4];

/// The weights that CodeBLEU was published with.
pub const UNIFORM: Weights = [0.25; 4];

/// Reads weights as a command takes them: four numbers with commas between them, `0.1,0.1,0.4,0.4`.
///
/// # Errors
/// [`CodebleuError::WeightsText`] for any other text, [`CodebleuError::Weights`] where one is negative
/// or not finite, or all are 0.
pub fn parse_weights(text: &str) -> Result<Weights, CodebleuError> {
    let parts: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let weights: Option<Weights> = parts.ok().and_then(|parts| parts.try_into().ok());
    usable(weights.ok_or_else(|| CodebleuError::WeightsText { text: text.to_owned() })?)
}

fn usable(weights: Weights) -> Result<Weights, CodebleuError> {
    let valid = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
    if valid && weights != [0.0; 4] { Ok(weights) } else { Err(CodebleuError::Weights(weights)) }
}

/// Subtrees or nodes that match.
///
/// `paper`: nodes of the larger tree that the edit distance leaves (at least 0 for each pair), nodes
/// of the larger tree, and the distance. `k4black`, `codexglue`: subtrees of the references that the
/// hypothesis has, and subtrees of the references. [`Fix::SubtreeF1`]: subtrees of either side that
/// the other has too, and subtrees of both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxCounts {
    /// What matches.
    pub matched: u64,
    /// What there is to match.
    pub total: u64,
    /// The tree edit distance, in the variants that take one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<u64>,
}

impl SyntaxCounts {
    /// How well a reference fits, to choose the best of several.
    fn fit(&self) -> f64 {
        let total = self.total.max(1) as f64;
        match self.distance {
            Some(distance) => -(distance as f64) / total,
            None => self.matched as f64 / total,
        }
    }
}

impl AddAssign for SyntaxCounts {
    fn add_assign(&mut self, other: SyntaxCounts) {
        self.matched += other.matched;
        self.total += other.total;
        self.distance = match (self.distance, other.distance) {
            (Some(left), Some(right)) => Some(left + right),
            (left, right) => left.or(right),
        };
    }
}

/// Dataflow that matches.
///
/// `paper`: edges in both, and edges in either. `k4black`, `codexglue`: items of the references that
/// the hypothesis has, and items of the references.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataflowCounts {
    /// What matches.
    pub matched: u64,
    /// What there is to match.
    pub total: u64,
}

impl DataflowCounts {
    /// Below 0 where there is nothing to match.
    fn fit(&self) -> f64 {
        if self.total == 0 { -1.0 } else { self.matched as f64 / self.total as f64 }
    }
}

impl AddAssign for DataflowCounts {
    fn add_assign(&mut self, other: DataflowCounts) {
        self.matched += other.matched;
        self.total += other.total;
    }
}

/// All that a score is computed from, of one pair or of a corpus: whole numbers, so that sums do
/// not depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The variant that they were taken under.
    pub variant: Variant,
    /// The fixes on top of the variant's own.
    #[serde(default, skip_serializing_if = "Fixes::is_empty")]
    pub fixes: Fixes,
    /// How many pairs.
    pub pairs: u64,
    /// For the n-gram match.
    pub ngrams: BleuCounts,
    /// For the weighted n-gram match.
    pub keywords: KeywordCounts,
    /// For the syntax match.
    pub syntax: SyntaxCounts,
    /// For the dataflow match.
    pub dataflow: DataflowCounts,
}

impl Counts {
    /// No pairs.
    pub fn new(variant: Variant) -> Counts {
        Counts {
            variant,
            fixes: Fixes::NONE,
            pairs: 0,
            ngrams: BleuCounts::default(),
            keywords: KeywordCounts::default(),
            syntax: SyntaxCounts::default(),
            dataflow: DataflowCounts::default(),
        }
    }

    /// Adds the counts of other pairs.
    ///
    /// # Errors
    /// [`CodebleuError::Mixed`] where they were taken under another variant or other fixes.
    pub fn merge(&mut self, other: &Counts) -> Result<(), CodebleuError> {
        if (self.variant, self.fixes) != (other.variant, other.fixes) {
            return Err(CodebleuError::Mixed {
                left: (self.variant, self.fixes),
                right: (other.variant, other.fixes),
            });
        }
        *self += *other;
        Ok(())
    }

    /// The scores of these counts under `weights`.
    pub fn scores(&self, weights: Weights) -> Scores {
        let share = |matched: u64, total: u64| matched as f64 / total as f64;
        let ngram = Bleu::default().score(&self.ngrams);
        let keyword = self.keywords.score();
        let syntax = match self.syntax.total {
            0 => 0.0,
            total => share(self.syntax.matched, total),
        };
        let raw = self.syntax.distance.filter(|_| self.syntax.total > 0);
        let reweights = (self.variant.fixes() | self.fixes).has(Fix::UndefinedDataflow);
        let dataflow = match self.dataflow.total {
            0 if reweights => None,
            0 => Some(0.0),
            total => Some(share(self.dataflow.matched, total)),
        };
        let [alpha, beta, gamma, theta] = weights;
        let three = alpha * ngram + beta * keyword + gamma * syntax;
        let codebleu = match dataflow {
            // The program writes `dataflow or 1`: no match counts as a full one.
            Some(0.0) if self.variant == Variant::K4black && !reweights => three + theta,
            Some(dataflow) => three + theta * dataflow,
            None => match alpha + beta + gamma {
                0.0 => 0.0,
                rest => three * ((rest + theta) / rest),
            },
        };
        Scores {
            codebleu,
            ngram_match_score: ngram,
            weighted_ngram_match_score: keyword,
            syntax_match_score: syntax,
            dataflow_match_score: dataflow,
            syntax_raw: raw.map(|distance| 1.0 - share(distance, self.syntax.total)),
        }
    }
}

impl AddAssign for Counts {
    /// Adds up counts, whatever their variants: [`Counts::merge`] checks them.
    fn add_assign(&mut self, other: Counts) {
        self.pairs += other.pairs;
        self.ngrams += other.ngrams;
        self.keywords += other.keywords;
        self.syntax += other.syntax;
        self.dataflow += other.dataflow;
    }
}

/// CodeBLEU and its parts, of one pair or of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The weighted sum of the four parts.
    pub codebleu: f64,
    /// BLEU over the words between whitespace ([`Fix::CodeTokens`]: the tokens), from 0 to 1.
    pub ngram_match_score: f64,
    /// BLEU in which keywords weigh five times as much, from 0 to 1.
    pub weighted_ngram_match_score: f64,
    /// Likeness of the syntax trees, from 0 to 1.
    pub syntax_match_score: f64,
    /// Likeness of the dataflow, from 0 to 1; none where there is nothing to compare, and `codebleu`
    /// is then the weighted mean of the other three ([`Fix::UndefinedDataflow`]).
    pub dataflow_match_score: Option<f64>,
    /// `paper`: the syntax match before it is kept from falling below 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syntax_raw: Option<f64>,
}

/// The scores of one pair, with the counts behind them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairScore {
    /// The scores.
    #[serde(flatten)]
    pub scores: Scores,
    /// The counts behind them.
    pub counts: Counts,
}

/// Scores pairs of one language under one variant.
///
/// Making one is cheap; it holds no state and may be shared between threads.
#[derive(Debug, Clone)]
pub struct Scorer {
    language: Language,
    variant: Variant,
    /// On top of the variant's own.
    fixes: Fixes,
    weights: Weights,
    keywords: HashSet<&'static str, FxBuildHasher>,
}

impl Scorer {
    /// A scorer with uniform weights.
    ///
    /// # Errors
    /// [`CodebleuError::Syntax`] where the language's grammar is not in this build,
    /// [`CodebleuError::UnsupportedLanguage`] where the variant does not know the language.
    pub fn new(language: Language, variant: Variant) -> Result<Scorer, CodebleuError> {
        if !variant.knows(language) {
            return Err(CodebleuError::UnsupportedLanguage { language, variant });
        }
        language.grammar()?;
        // CodeXGLUE's list for Python is older than these soft keywords.
        let newer: &[&str] = match (variant, language) {
            (Variant::Codexglue, Language::Python) => &["match", "case", "type"],
            _ => &[],
        };
        let keywords = language.keywords().iter().copied().filter(|word| !newer.contains(word));
        let keywords = keywords.collect();
        Ok(Scorer { language, variant, fixes: Fixes::NONE, weights: UNIFORM, keywords })
    }

    /// Mends more than the variant does by itself.
    ///
    /// # Errors
    /// [`CodebleuError::Fix`] where a fix has no meaning in the variant.
    pub fn with_fixes(mut self, fixes: Fixes) -> Result<Scorer, CodebleuError> {
        if let Some(fix) = fixes.iter().find(|&fix| !self.variant.takes(fix)) {
            return Err(CodebleuError::Fix { fix, variant: self.variant });
        }
        self.fixes = fixes.without(self.variant.fixes());
        Ok(self)
    }

    /// Sets the weights of n-gram, weighted n-gram, syntax and dataflow match.
    ///
    /// # Errors
    /// [`CodebleuError::Weights`] where one is negative or not finite, or all are 0.
    pub fn with_weights(mut self, weights: Weights) -> Result<Scorer, CodebleuError> {
        self.weights = usable(weights)?;
        Ok(self)
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The variant.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// The fixes on top of the variant's own.
    pub fn fixes(&self) -> Fixes {
        self.fixes
    }

    pub(crate) fn has(&self, fix: Fix) -> bool {
        (self.variant.fixes() | self.fixes).has(fix)
    }

    /// Counts of no pairs.
    pub(crate) fn no_counts(&self) -> Counts {
        Counts { fixes: self.fixes, ..Counts::new(self.variant) }
    }

    /// The weights.
    pub fn weights(&self) -> Weights {
        self.weights
    }

    /// Scores one hypothesis.
    ///
    /// # Errors
    /// [`CodebleuError::NoReference`]; [`CodebleuError::Syntax`], [`CodebleuError::Ted`] and
    /// [`CodebleuError::TooMuchDataflow`] for texts beyond what memory allows. Code that does not
    /// parse is no error: it is scored by what the parser makes of it.
    pub fn score(&self, references: &[&str], hypothesis: &str) -> Result<PairScore, CodebleuError> {
        let counts = self.count(references, hypothesis)?;
        Ok(PairScore { scores: counts.scores(self.weights), counts })
    }

    /// The counts of one hypothesis, as [`score`](Self::score) takes them.
    ///
    /// # Errors
    /// Those of [`score`](Self::score).
    pub fn count(&self, references: &[&str], hypothesis: &str) -> Result<Counts, CodebleuError> {
        self.count_with(references, hypothesis, &Recurring::default())
    }

    pub(crate) fn count_with(
        &self,
        references: &[&str],
        hypothesis: &str,
        recurring: &Recurring<'_>,
    ) -> Result<Counts, CodebleuError> {
        if references.is_empty() {
            return Err(CodebleuError::NoReference);
        }
        let references: Vec<&str> = references.iter().map(|text| python_strip(text)).collect();
        let hypothesis = python_strip(hypothesis);
        let own = recurring.read(self, hypothesis)?;
        let read = |text: &&str| match *text == hypothesis {
            true => Ok(own.clone()),
            false => recurring.read(self, text),
        };
        let others: Vec<Arc<Read>> = references.iter().map(read).collect::<Result<_, _>>()?;
        // Words of code are some seven characters apart.
        let mut interner = Interner::with_capacity(hypothesis.len() / 8);
        let sequences: Vec<Vec<u32>> = if self.has(Fix::CodeTokens) {
            let texts = std::iter::once(&own).chain(&others);
            texts.map(|read| read.words().map(|word| interner.id(word)).collect()).collect()
        } else {
            let texts = std::iter::once(&hypothesis).chain(&references);
            texts
                .map(|text| {
                    let mut tokens = Vec::with_capacity(text.len() / 8);
                    for_each_python_word(text, |word| tokens.push(interner.id(word)));
                    tokens
                })
                .collect()
        };
        let (ngrams, keywords) = self.count_ngrams(&sequences, interner.words());
        let (syntax, dataflow) = match self.variant {
            Variant::Paper => self.count_distances(&others, &own)?,
            Variant::K4black | Variant::Codexglue | Variant::Fixed => {
                self.count_matches(&others, hypothesis, own)?
            }
        };
        Ok(Counts { pairs: 1, ngrams, keywords, syntax, dataflow, ..self.no_counts() })
    }

    /// The words of the hypothesis and then of each reference, as numbers.
    fn count_ngrams(&self, sequences: &[Vec<u32>], words: &[&str]) -> (BleuCounts, KeywordCounts) {
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let is_keyword: Vec<bool> = words.iter().map(|word| self.keywords.contains(word)).collect();
        let mut ngrams = BleuCounts::lengths(&sequences);
        let side = match self.has(Fix::KeywordPrecision) {
            true => Side::Precision,
            false => Side::Recall,
        };
        if side == Side::Recall && sequences.len() > 2 && self.has(Fix::BestReference) {
            for_each_ngram(&sequences, words.len(), |order, _, found| {
                ngrams.add_ngram(order, found);
            });
            let beside = |reference: &&[u32]| {
                let pair = [sequences[0], *reference];
                let mut keywords = KeywordCounts::new(side, &pair, &is_keyword, 0);
                for_each_ngram(&pair, words.len(), |order, first, found| {
                    keywords.add_ngram(side, order, is_keyword[first as usize], found);
                });
                keywords
            };
            let keywords = best(sequences[1..].iter().map(beside), KeywordCounts::score);
            return (ngrams, keywords.unwrap_or_default());
        }
        let length = ngrams.reference_length;
        let mut keywords = KeywordCounts::new(side, &sequences, &is_keyword, length);
        for_each_ngram(&sequences, words.len(), |order, first, found| {
            ngrams.add_ngram(order, found);
            keywords.add_ngram(side, order, is_keyword[first as usize], found);
        });
        (ngrams, keywords)
    }

    /// `paper`: the edit distance and the Jaccard index beside the reference where they are best.
    fn count_distances(
        &self,
        references: &[Arc<Read>],
        own: &Read,
    ) -> Result<(SyntaxCounts, DataflowCounts), CodebleuError> {
        let mut syntax = Vec::with_capacity(references.len());
        for reference in references {
            let distance = u64::from(ted::distance(&reference.tree, &own.tree)?);
            let total = reference.tree.len().max(own.tree.len()) as u64;
            let matched = total.saturating_sub(distance);
            syntax.push(SyntaxCounts { matched, total, distance: Some(distance) });
        }
        let dataflow = references.iter().map(|reference| {
            let (matched, total) = edge_overlap(&reference.dataflow, &own.dataflow);
            DataflowCounts { matched, total }
        });
        Ok((
            best(syntax.into_iter(), SyntaxCounts::fit).unwrap_or_default(),
            best(dataflow, DataflowCounts::fit).unwrap_or_default(),
        ))
    }

    /// The reference programs: equal subtrees and equal items.
    fn count_matches(
        &self,
        references: &[Arc<Read>],
        hypothesis: &str,
        mut own: Arc<Read>,
    ) -> Result<(SyntaxCounts, DataflowCounts), CodebleuError> {
        let mut subtrees = Subtrees::default();
        let mut own_subtrees = subtrees.of(&own.ast, own.sexp.as_deref());
        let mut text = Cow::Borrowed(hypothesis);
        let mut syntax = Vec::with_capacity(references.len());
        let mut dataflow = Vec::with_capacity(references.len());
        for (index, reference) in references.iter().enumerate() {
            if index > 0 {
                // The programs strip the hypothesis anew for each reference, what is left of it
                // each time.
                let before = self.strip(&text).into_owned();
                if self.strip(&before) != before {
                    own = Arc::new(self.read(&before)?);
                    own_subtrees = subtrees.of(&own.ast, own.sexp.as_deref());
                }
                text = before.into();
            }
            let found = subtrees.of(&reference.ast, reference.sexp.as_deref());
            let (matched, total) = match self.has(Fix::SubtreeF1) {
                true => syntax::common_subtrees(&found, &own_subtrees),
                false => syntax::matching_subtrees(&found, &own_subtrees),
            };
            syntax.push(SyntaxCounts { matched, total, distance: None });
            let (matched, total) = matching_items(&reference.dataflow, &own.dataflow);
            dataflow.push(DataflowCounts { matched, total });
        }
        let (syntax, dataflow) = (syntax.into_iter(), dataflow.into_iter());
        if self.has(Fix::BestReference) {
            let syntax = best(syntax, SyntaxCounts::fit).unwrap_or_default();
            return Ok((syntax, best(dataflow, DataflowCounts::fit).unwrap_or_default()));
        }
        Ok((sum(syntax), sum(dataflow)))
    }

    /// What is parsed in place of a text, and how much of it was put before the text.
    pub(crate) fn parsed_text<'t>(&self, text: &'t str) -> (Cow<'t, str>, u32) {
        const PHP_TAG: &str = "<?php ";
        let text = self.strip(text);
        if self.language == Language::Php && self.has(Fix::PhpTag) && !text.contains("<?") {
            (Cow::Owned(format!("{PHP_TAG}{text}")), PHP_TAG.len() as u32)
        } else {
            (text, 0)
        }
    }

    fn strip<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.variant {
            _ if self.has(Fix::TreeComments) => Cow::Borrowed(text),
            Variant::Paper | Variant::Fixed => Cow::Borrowed(text),
            Variant::K4black => strip::reference(self.language, text),
            // It asks for Java's comments whatever the language.
            Variant::Codexglue => strip::c_like(text),
        }
    }

    /// How the dataflow is read.
    fn reading(&self) -> Reading {
        Reading {
            node_text: self.has(Fix::NodeText),
            skips_comments: self.variant == Variant::Paper || self.has(Fix::TreeComments),
            lenient: self.has(Fix::PartialDataflow),
            first_seen: self.has(Fix::FirstSeenOrder),
            all_assignments: self.has(Fix::MissedAssignments),
        }
    }

    /// Parses a text and takes from it what the variant compares.
    fn read(&self, text: &str) -> Result<Read, CodebleuError> {
        let (text, offset) = self.parsed_text(text);
        let mut parsed = code_syntax::parse_flat(self.language, &text)?;
        let ast = if self.has(Fix::TreeComments) {
            Ast::without_comments(self.language, &mut parsed)?
        } else {
            Ast::new(self.language, &mut parsed)?
        };
        let words = self.has(Fix::CodeTokens).then(|| {
            let mut ranges = ast.words(&text);
            ranges.retain(|&(start, _)| start >= offset);
            Words { ranges, text: text.to_string() }
        });
        let dataflow = Dataflow::read(&ast, &text, self.reading())?;
        let (tree, sexp) = match self.variant {
            Variant::Paper => (syntax::named_tree(&ast)?, None),
            // It says what only the programs want to know, and would not fit the tree.
            _ if self.has(Fix::TreeComments) => (Tree::default(), None),
            _ => {
                let broken = parsed.tree.filter(|_| syntax::needs_sexp(&ast));
                (Tree::default(), broken.map(|tree| tree.root_node().to_sexp()))
            }
        };
        Ok(Read { ast, tree, sexp, dataflow, words })
    }
}

/// The first of those with the greatest value.
fn best<T>(items: impl Iterator<Item = T>, value: impl Fn(&T) -> f64) -> Option<T> {
    items.reduce(|best, next| if value(&next) > value(&best) { next } else { best })
}

fn sum<T: AddAssign + Default>(items: impl Iterator<Item = T>) -> T {
    items.fold(T::default(), |mut sum, item| {
        sum += item;
        sum
    })
}

/// What the trees of a text are compared by.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) ast: Ast,
    /// For the edit distance.
    pub(crate) tree: Tree,
    /// For the subtrees of code with errors.
    pub(crate) sexp: Option<String>,
    pub(crate) dataflow: Dataflow,
    /// For n-grams of tokens.
    words: Option<Words>,
}

/// The tokens of a text.
#[derive(Debug)]
struct Words {
    /// As it was parsed.
    text: String,
    ranges: Vec<(u32, u32)>,
}

impl Read {
    fn words(&self) -> impl Iterator<Item = &str> {
        let words = self.words.iter();
        words.flat_map(|words| {
            words.ranges.iter().map(|&(start, end)| &words.text[start as usize..end as usize])
        })
    }
}

/// Texts that occur more than once among many pairs, read.
#[derive(Debug, Default)]
pub(crate) struct Recurring<'t> {
    texts: FxHashMap<&'t str, Result<Arc<Read>, CodebleuError>>,
}

impl<'t> Recurring<'t> {
    /// Reads those of `texts` that recur, in parallel: pairs that were to read them when they first
    /// ask for them would wait for each other.
    pub(crate) fn among(texts: impl Iterator<Item = &'t str>, scorer: &Scorer) -> Recurring<'t> {
        let mut seen: FxHashMap<&str, bool> = FxHashMap::default();
        let mut again = Vec::new();
        for text in texts.map(python_strip) {
            match seen.entry(text) {
                Entry::Vacant(entry) => {
                    entry.insert(false);
                }
                Entry::Occupied(mut entry) => {
                    if !entry.insert(true) {
                        again.push(text);
                    }
                }
            }
        }
        let read = |text| (text, scorer.read(text).map(Arc::new));
        let read: Vec<_> = again.into_par_iter().with_max_len(8).map(read).collect();
        Recurring { texts: read.into_iter().collect() }
    }

    pub(crate) fn read(&self, scorer: &Scorer, text: &str) -> Result<Arc<Read>, CodebleuError> {
        match self.texts.get(text) {
            Some(read) => read.clone(),
            None => scorer.read(text).map(Arc::new),
        }
    }
}
