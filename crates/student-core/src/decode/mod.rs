//! Decoding: greedy, beam search and sampling over any [`Decodable`] model.
//!
//! [`decode`] takes a batch of padded sources and gives each its best texts. Beam search follows
//! transformers (5.x) in every choice that changes a result: how many candidates a step keeps, which
//! finished ones count, when a source is done, and how scores are normalised. Two beams with exactly
//! equal scores come in the order of their beam and then of their token's id.
//!
//! Sources that are finished leave the batch where the model can drop them
//! ([`Decodable::retain`]); what a source gets does not depend on the others beside it, rounding
//! apart.

mod beam;
mod scores;
mod session;
mod single;

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

use crate::{Decodable, Result, StudentCoreError};

/// When beam search is done with a source that has as many finished texts as beams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyStopping {
    /// At once.
    Always,
    /// When the best unfinished text, at its present length, is worse than the worst finished one:
    /// the usual heuristic (`early_stopping=False` of transformers).
    #[default]
    Heuristic,
    /// When no unfinished text could become better, whatever its length; with a positive length
    /// penalty that is judged at the greatest length (`"never"` of transformers).
    Never,
}

/// How to draw tokens at random.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Divides the logits; above 0.
    pub temperature: f64,
    /// Draw from this many likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Draw from the fewest likeliest tokens with at least this probability together, in (0, 1].
    pub top_p: f64,
    /// Equal seeds draw equal texts for equal batches.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 0 }
    }
}

/// How to decode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeOptions {
    /// Tokens that end a text.
    pub end_tokens: Vec<i64>,
    /// Beams; 1 is greedy.
    pub beams: usize,
    /// Texts wanted for each source: at most `beams`, or any number when sampling.
    pub n_best: usize,
    /// Most tokens of a text, its end token included; at least 1.
    pub max_new: usize,
    /// No end token before this many tokens.
    pub min_new: usize,
    /// A text's score is its log-probability / length^this. Above 0 it favours long texts.
    pub length_penalty: f64,
    /// When beam search is done with a source.
    pub early_stopping: EarlyStopping,
    /// No sequence of this many tokens twice in a text; 0 is off.
    pub no_repeat_ngram: usize,
    /// Divides (or multiplies, where negative) the scores of tokens already in the text, the start
    /// token included; 1 is off, above 1 discourages.
    pub repetition_penalty: f64,
    /// Draw at random instead of searching; needs one beam.
    pub sampling: Option<Sampling>,
}

impl Default for DecodeOptions {
    fn default() -> DecodeOptions {
        DecodeOptions {
            end_tokens: Vec::new(),
            beams: 1,
            n_best: 1,
            max_new: 64,
            min_new: 0,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::default(),
            no_repeat_ngram: 0,
            repetition_penalty: 1.0,
            sampling: None,
        }
    }
}

/// Most beams, and most samples, of one source.
const MOST_BEAMS: usize = 1024;

impl DecodeOptions {
    /// Checks every option for a model of `vocabulary` tokens.
    ///
    /// # Errors
    /// [`StudentCoreError::Setting`] for the first outside its range.
    pub fn validate(&self, vocabulary: usize) -> Result<()> {
        let check = |setting, good: bool, reason: String| {
            if good { Ok(()) } else { Err(StudentCoreError::setting(setting, reason)) }
        };
        let (beams, n_best) = (self.beams, self.n_best);
        check(
            "beams",
            (1..=MOST_BEAMS).contains(&beams),
            format!("{beams}, wanted 1 to {MOST_BEAMS}"),
        )?;
        let most = if self.sampling.is_some() { MOST_BEAMS } else { beams };
        check("n_best", (1..=most).contains(&n_best), format!("{n_best}, wanted 1 to {most}"))?;
        check("max_new", self.max_new >= 1, "0, wanted at least 1".to_owned())?;
        check(
            "min_new",
            self.min_new <= self.max_new,
            format!("{}, wanted at most max_new ({})", self.min_new, self.max_new),
        )?;
        check(
            "length_penalty",
            self.length_penalty.is_finite(),
            format!("{}, wanted a finite number", self.length_penalty),
        )?;
        check(
            "repetition_penalty",
            self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0,
            format!("{}, wanted more than 0", self.repetition_penalty),
        )?;
        for &token in &self.end_tokens {
            check(
                "end_tokens",
                usize::try_from(token).is_ok_and(|token| token < vocabulary),
                format!("{token} is outside the vocabulary of {vocabulary}"),
            )?;
        }
        if let Some(Sampling { temperature, top_p, .. }) = self.sampling {
            check("beams", beams == 1, format!("{beams}, wanted 1 when sampling"))?;
            check(
                "temperature",
                temperature.is_finite() && temperature > 0.0,
                format!("{temperature}, wanted more than 0"),
            )?;
            check("top_p", top_p > 0.0 && top_p <= 1.0, format!("{top_p}, wanted (0, 1]"))?;
        }
        Ok(())
    }
}

/// A text that the decoder found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, without the start token; the end token, where one was written, is the last.
    pub tokens: Vec<i64>,
    /// [`log_probability`](Self::log_probability) / number of tokens ^ length penalty.
    pub score: f64,
    /// Sum of the natural logarithms of its tokens' probabilities. In beam search those are what
    /// the options made of them (as in transformers), otherwise the model's own.
    pub log_probability: f64,
}

/// The best texts for each source, best first: [`DecodeOptions::n_best`] of them, or fewer where the
/// vocabulary does not hold so many.
///
/// `source` and `mask` are `[sources, length]`, int64; the mask is 1 for a token and 0 for padding.
/// Gradients are off throughout.
///
/// # Errors
/// [`StudentCoreError::Setting`] for options out of range; [`StudentCoreError::Decoding`], which names
/// the batch, around whatever the model says, and where its scores are not numbers.
pub fn decode<M: Decodable>(
    model: &M,
    source: &Tensor,
    mask: &Tensor,
    options: &DecodeOptions,
) -> Result<Vec<Vec<Hypothesis>>> {
    options.validate(model.vocabulary())?;
    let size = source.size();
    if size.len() != 2 || mask.size() != size {
        return Err(StudentCoreError::setting(
            "source",
            format!("shapes {size:?} and {:?}, wanted [sources, length] twice", mask.size()),
        ));
    }
    if size[0] == 0 {
        return Ok(Vec::new());
    }
    if size[1] == 0 {
        return Err(StudentCoreError::setting("source", "empty sources"));
    }
    let written = Cell::new(0);
    no_grad(|| {
        if options.beams == 1 {
            single::decode(model, source, mask, options, &written)
        } else {
            beam::decode(model, source, mask, options, &written)
        }
    })
    .map_err(|error| StudentCoreError::Decoding {
        sources: size[0] as usize,
        length: size[1] as usize,
        beams: options.beams.max(options.n_best),
        written: written.get(),
        error: Box::new(error),
    })
}

fn not_numbers() -> StudentCoreError {
    StudentCoreError::model("the model's scores are not numbers (NaN): its weights are damaged")
}

/// length^penalty in the precision of the scores.
fn normaliser(length: usize, penalty: f64) -> f32 {
    (length as f64).powf(penalty) as f32
}

#[cfg(test)]
mod tests;
