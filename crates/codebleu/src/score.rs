//! One pair: references and a hypothesis to scores.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use code_syntax::Language;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::{Deserialize, Serialize};

use crate::CodebleuError;
use crate::ast::Ast;
use crate::bleu::{Bleu, BleuCounts};
use crate::dataflow::{Dataflow, Reading, edge_overlap, matching_items};
use crate::keywords::{KEYWORD, KeywordCounts, OTHER, Side};
use crate::ngrams::for_each_ngram;
use crate::strip;
use crate::syntax::{self, Subtrees};
use crate::ted::{self, Tree};
use crate::text::{Interner, python_split, python_strip};

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
}

impl Variant {
    /// Every variant.
    pub const ALL: [Variant; 3] = [Variant::Paper, Variant::K4black, Variant::Codexglue];

    /// Its name in options and records.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Paper => "paper",
            Variant::K4black => "k4black",
            Variant::Codexglue => "codexglue",
        }
    }

    /// Whether it knows the language, given its grammar: the reference programs know ten and seven.
    pub fn knows(self, language: Language) -> bool {
        use Language::{C, Cpp, Rust, TypeScript};
        match self {
            Variant::Paper => true,
            Variant::K4black => language != TypeScript,
            Variant::Codexglue => !matches!(language, C | Cpp | Rust | TypeScript),
        }
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

/// Subtrees or nodes that match.
///
/// `paper`: nodes of the larger tree that the edit distance leaves (at least 0 for each pair), nodes
/// of the larger tree, and the distance. `k4black`, `codexglue`: subtrees of the references that the
/// hypothesis has, and subtrees of the references.
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
    fn relative_distance(&self) -> f64 {
        self.distance.unwrap_or(0) as f64 / self.total.max(1) as f64
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
    fn share(&self) -> f64 {
        if self.total == 0 { -1.0 } else { self.matched as f64 / self.total as f64 }
    }
}

/// All that a score is computed from, of one pair or of a corpus: whole numbers, so that sums do
/// not depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The variant that they were taken under.
    pub variant: Variant,
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
    /// [`CodebleuError::Mixed`] where they were taken under another variant.
    pub fn merge(&mut self, other: &Counts) -> Result<(), CodebleuError> {
        if self.variant != other.variant {
            return Err(CodebleuError::Mixed { left: self.variant, right: other.variant });
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
        let dataflow = match (self.dataflow.total, self.variant) {
            (0, Variant::Paper) => None,
            (0, _) => Some(0.0),
            (total, _) => Some(share(self.dataflow.matched, total)),
        };
        let [alpha, beta, gamma, theta] = weights;
        let three = alpha * ngram + beta * keyword + gamma * syntax;
        let codebleu = match dataflow {
            // The program writes `dataflow or 1`: no match counts as a full one.
            Some(0.0) if self.variant == Variant::K4black => three + theta,
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
        self.syntax.matched += other.syntax.matched;
        self.syntax.total += other.syntax.total;
        self.syntax.distance = match (self.syntax.distance, other.syntax.distance) {
            (Some(left), Some(right)) => Some(left + right),
            (left, right) => left.or(right),
        };
        self.dataflow.matched += other.dataflow.matched;
        self.dataflow.total += other.dataflow.total;
    }
}

/// CodeBLEU and its parts, of one pair or of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The weighted sum of the four parts.
    pub codebleu: f64,
    /// BLEU over the words between whitespace, from 0 to 1.
    pub ngram_match_score: f64,
    /// BLEU in which keywords weigh five times as much, from 0 to 1.
    pub weighted_ngram_match_score: f64,
    /// Likeness of the syntax trees, from 0 to 1.
    pub syntax_match_score: f64,
    /// Likeness of the dataflow, from 0 to 1; none where neither text has any, and `codebleu` is
    /// then the weighted mean of the other three.
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
        Ok(Scorer { language, variant, weights: UNIFORM, keywords })
    }

    /// Sets the weights of n-gram, weighted n-gram, syntax and dataflow match.
    ///
    /// # Errors
    /// [`CodebleuError::Weights`] where one is negative or not finite, or all are 0.
    pub fn with_weights(mut self, weights: Weights) -> Result<Scorer, CodebleuError> {
        let usable = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        if !usable || weights == [0.0; 4] {
            return Err(CodebleuError::Weights(weights));
        }
        self.weights = weights;
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
        let (ngrams, keywords) = self.count_ngrams(&references, hypothesis);
        let (syntax, dataflow) = match self.variant {
            Variant::Paper => self.count_distances(&references, hypothesis, recurring)?,
            Variant::K4black | Variant::Codexglue => {
                self.count_matches(&references, hypothesis, recurring)?
            }
        };
        Ok(Counts { variant: self.variant, pairs: 1, ngrams, keywords, syntax, dataflow })
    }

    fn count_ngrams(&self, references: &[&str], hypothesis: &str) -> (BleuCounts, KeywordCounts) {
        let side = match self.variant {
            Variant::Paper => Side::Precision,
            Variant::K4black | Variant::Codexglue => Side::Recall,
        };
        let mut interner = Interner::default();
        let sequences: Vec<Vec<u32>> = std::iter::once(&hypothesis)
            .chain(references)
            .map(|text| python_split(text).map(|word| interner.id(word)).collect())
            .collect();
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let words = interner.words();
        let is_keyword: Vec<bool> = words.iter().map(|word| self.keywords.contains(word)).collect();
        let mut ngrams = BleuCounts::lengths(&sequences);
        let mut keywords = KeywordCounts::lengths(side, &sequences, ngrams.reference_length);
        for_each_ngram(&sequences, words.len(), |order, first, found| {
            ngrams.add_ngram(order, found);
            keywords.add_ngram(side, order, is_keyword[first as usize], found);
        });
        let weight = |tokens: &&[u32]| -> u64 {
            let fifths = |&token: &u32| if is_keyword[token as usize] { KEYWORD } else { OTHER };
            tokens.iter().map(fifths).sum()
        };
        match side {
            Side::Precision => keywords.add_weight(side, weight(&sequences[0])),
            Side::Recall => {
                for reference in &sequences[1..] {
                    keywords.add_weight(side, weight(reference));
                }
            }
        }
        (ngrams, keywords)
    }

    /// `paper`: the edit distance and the Jaccard index beside the reference where they are best.
    fn count_distances(
        &self,
        references: &[&str],
        hypothesis: &str,
        recurring: &Recurring<'_>,
    ) -> Result<(SyntaxCounts, DataflowCounts), CodebleuError> {
        let own = recurring.read(self, hypothesis)?;
        let mut best: Option<(SyntaxCounts, DataflowCounts)> = None;
        for reference in references {
            let reference = recurring.read(self, reference)?;
            let distance = u64::from(ted::distance(&reference.tree, &own.tree)?);
            let total = reference.tree.len().max(own.tree.len()) as u64;
            let matched = total.saturating_sub(distance);
            let syntax = SyntaxCounts { matched, total, distance: Some(distance) };
            let (matched, total) = edge_overlap(&reference.dataflow, &own.dataflow);
            let dataflow = DataflowCounts { matched, total };
            best = Some(match best {
                None => (syntax, dataflow),
                Some((old_syntax, old_dataflow)) => (
                    if syntax.relative_distance() < old_syntax.relative_distance() {
                        syntax
                    } else {
                        old_syntax
                    },
                    if dataflow.share() > old_dataflow.share() { dataflow } else { old_dataflow },
                ),
            });
        }
        Ok(best.unwrap_or_default())
    }

    /// The reference programs: equal subtrees and equal items, summed over the references.
    fn count_matches(
        &self,
        references: &[&str],
        hypothesis: &str,
        recurring: &Recurring<'_>,
    ) -> Result<(SyntaxCounts, DataflowCounts), CodebleuError> {
        let mut syntax = SyntaxCounts::default();
        let mut dataflow = DataflowCounts::default();
        let mut subtrees = Subtrees::default();
        let mut own = recurring.read(self, hypothesis)?;
        let mut own_subtrees = subtrees.of(&own.ast, own.sexp.as_deref());
        let mut text = Cow::Borrowed(hypothesis);
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
            let reference = recurring.read(self, reference)?;
            let found = subtrees.of(&reference.ast, reference.sexp.as_deref());
            let (matched, total) = syntax::matching_subtrees(&found, &own_subtrees);
            syntax.matched += matched;
            syntax.total += total;
            let (matched, total) = matching_items(&reference.dataflow, &own.dataflow);
            dataflow.matched += matched;
            dataflow.total += total;
        }
        Ok((syntax, dataflow))
    }

    fn strip<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.variant {
            Variant::Paper => Cow::Borrowed(text),
            Variant::K4black => strip::reference(self.language, text),
            // It asks for Java's comments whatever the language.
            Variant::Codexglue => strip::c_like(text),
        }
    }

    /// Parses a text and takes from it what the variant compares.
    fn read(&self, text: &str) -> Result<Read, CodebleuError> {
        let text = self.strip(text);
        let parsed = code_syntax::parse(self.language, &text)?;
        let ast = Ast::new(self.language, &parsed)?;
        Ok(match self.variant {
            Variant::Paper => Read {
                tree: syntax::named_tree(&ast)?,
                sexp: None,
                dataflow: Dataflow::read(&ast, &text, Reading::Plain)?,
                ast,
            },
            Variant::K4black | Variant::Codexglue => Read {
                tree: Tree::default(),
                sexp: syntax::needs_sexp(&ast).then(|| parsed.root_node().to_sexp()),
                dataflow: Dataflow::read(&ast, &text, Reading::Reference)?,
                ast,
            },
        })
    }
}

/// What the trees of a text are compared by.
#[derive(Debug)]
struct Read {
    ast: Ast,
    /// For the edit distance.
    tree: Tree,
    /// For the subtrees of code with errors.
    sexp: Option<String>,
    dataflow: Dataflow,
}

/// Texts that occur more than once among many pairs, each read when first asked for.
#[derive(Debug, Default)]
pub(crate) struct Recurring<'t> {
    texts: FxHashMap<&'t str, OnceLock<Result<Arc<Read>, CodebleuError>>>,
}

impl<'t> Recurring<'t> {
    pub(crate) fn among(texts: impl Iterator<Item = &'t str>) -> Recurring<'t> {
        let mut seen: FxHashMap<&str, bool> = FxHashMap::default();
        for text in texts.map(python_strip) {
            seen.entry(text).and_modify(|again| *again = true).or_insert(false);
        }
        let again = seen.into_iter().filter(|&(_, again)| again);
        Recurring { texts: again.map(|(text, _)| (text, OnceLock::new())).collect() }
    }

    fn read(&self, scorer: &Scorer, text: &str) -> Result<Arc<Read>, CodebleuError> {
        let read = || scorer.read(text).map(Arc::new);
        match self.texts.get(text) {
            Some(cell) => cell.get_or_init(read).clone(),
            None => read(),
        }
    }
}
