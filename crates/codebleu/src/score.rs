//! One pair: references and a hypothesis to scores.

use std::collections::HashSet;
use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

use code_syntax::Language;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::CodebleuError;
use crate::ast::Ast;
use crate::bleu::{Bleu, BleuCounts};
use crate::dataflow::{Dataflow, Reading, edge_overlap};
use crate::keywords::{KEYWORD, KeywordCounts, OTHER, Side};
use crate::ngrams::for_each_ngram;
use crate::syntax;
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
}

impl Variant {
    /// Every variant.
    pub const ALL: [Variant; 1] = [Variant::Paper];

    /// Its name in options and records.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Paper => "paper",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(name: &str) -> Result<Variant, String> {
        Variant::ALL.into_iter().find(|variant| variant.name() == name).ok_or_else(|| {
            let known = Variant::ALL.map(Variant::name).join(", ");
            format!("unknown variant {name:?}; known: {known}")
        })
    }
}

/// The weights of n-gram, weighted n-gram, syntax and dataflow match, in this order.
pub type Weights = [f64; 4];

/// The weights that CodeBLEU was published with.
pub const UNIFORM: Weights = [0.25; 4];

/// Subtrees or nodes that match.
///
/// `paper`: nodes of the larger tree that the edit distance leaves (at least 0 for each pair), nodes
/// of the larger tree, and the distance.
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

/// Dataflow that matches.
///
/// `paper`: edges in both, and edges in either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataflowCounts {
    /// What matches.
    pub matched: u64,
    /// What there is to match.
    pub total: u64,
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
        let dataflow = (self.dataflow.total > 0)
            .then(|| share(self.dataflow.matched, self.dataflow.total));
        let [alpha, beta, gamma, theta] = weights;
        let three = alpha * ngram + beta * keyword + gamma * syntax;
        let codebleu = match dataflow {
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
    /// [`CodebleuError::Syntax`] where the language's grammar is not in this build.
    pub fn new(language: Language, variant: Variant) -> Result<Scorer, CodebleuError> {
        language.grammar()?;
        let keywords = language.keywords().iter().copied().collect();
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
    /// [`CodebleuError::TooManyEdges`] for texts beyond what memory allows. Code that does not
    /// parse is no error: it is scored by what the parser makes of it.
    pub fn score(
        &self,
        references: &[&str],
        hypothesis: &str,
    ) -> Result<PairScore, CodebleuError> {
        let counts = self.count(references, hypothesis)?;
        Ok(PairScore { scores: counts.scores(self.weights), counts })
    }

    /// The counts of one hypothesis, as [`score`](Self::score) takes them.
    ///
    /// # Errors
    /// Those of [`score`](Self::score).
    pub fn count(&self, references: &[&str], hypothesis: &str) -> Result<Counts, CodebleuError> {
        if references.is_empty() {
            return Err(CodebleuError::NoReference);
        }
        let references: Vec<&str> = references.iter().map(|text| python_strip(text)).collect();
        let hypothesis = python_strip(hypothesis);
        let (ngrams, keywords) = self.count_ngrams(&references, hypothesis);
        let (syntax, dataflow) = self.count_trees(&references, hypothesis)?;
        Ok(Counts { variant: self.variant, pairs: 1, ngrams, keywords, syntax, dataflow })
    }

    fn count_ngrams(&self, references: &[&str], hypothesis: &str) -> (BleuCounts, KeywordCounts) {
        let side = Side::Precision;
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

    fn count_trees(
        &self,
        references: &[&str],
        hypothesis: &str,
    ) -> Result<(SyntaxCounts, DataflowCounts), CodebleuError> {
        let (tree, flow) = self.analyse(hypothesis)?;
        let mut best: (Option<SyntaxCounts>, Option<DataflowCounts>) = (None, None);
        for reference in references {
            let (reference_tree, reference_flow) = self.analyse(reference)?;
            let distance = u64::from(ted::distance(&reference_tree, &tree)?);
            let total = reference_tree.len().max(tree.len()) as u64;
            let matched = total.saturating_sub(distance);
            let syntax = SyntaxCounts { matched, total, distance: Some(distance) };
            // The smaller the share of the distance, the better.
            if best.0.is_none_or(|old| {
                distance * old.total < old.distance.unwrap_or(u64::MAX).saturating_mul(total)
            }) {
                best.0 = Some(syntax);
            }
            let (matched, total) = edge_overlap(&reference_flow, &flow);
            if best.1.is_none_or(|old| matched * old.total.max(1) > old.matched * total.max(1)) {
                best.1 = Some(DataflowCounts { matched, total });
            }
        }
        Ok((best.0.unwrap_or_default(), best.1.unwrap_or_default()))
    }

    fn analyse(&self, text: &str) -> Result<(Tree, Dataflow), CodebleuError> {
        let tree = code_syntax::parse(self.language, text)?;
        let ast = Ast::new(self.language, &tree)?;
        Ok((syntax::named_tree(&ast)?, Dataflow::read(&ast, text, Reading::Plain)?))
    }
}
