//! How a model's texts are decoded by default: `generation_config.json`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use student_core::decode::{DecodeOptions, EarlyStopping, Sampling};

use crate::config::{T5Config, from_json};
use crate::error::{Result, T5Error, io_error};
use crate::hf::write_json;

/// File name in a model folder.
pub(crate) const FILE: &str = "generation_config.json";

/// Most new tokens where a folder does not say.
pub const DEFAULT_MAX_NEW: usize = 256;

/// Settings of `generate`, with transformers' names. What is absent has transformers' default,
/// except for the length: [`DEFAULT_MAX_NEW`] new tokens. Keys that this crate does not use are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerationConfig {
    /// Beams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_beams: Option<usize>,
    /// Texts for each source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_return_sequences: Option<usize>,
    /// Most tokens, not counting the start token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<usize>,
    /// Most tokens with the start token; `max_new_tokens` goes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Fewest tokens before the end token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_new_tokens: Option<usize>,
    /// Fewest tokens with the start token; `min_new_tokens` goes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// Exponent of the length that scores are divided by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_penalty: Option<f64>,
    /// `true`, `false` or `"never"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<Value>,
    /// Length of the sequences that no text holds twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_repeat_ngram_size: Option<usize>,
    /// Discourages tokens already written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    /// Draw at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_sample: Option<bool>,
    /// Divides the logits when drawing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Likeliest tokens to draw from; 0 is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Probability mass to draw from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The end token, or several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eos_token_id: Option<Tokens>,
    /// Every other key of the file.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One token or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tokens {
    /// One.
    One(i64),
    /// Several.
    Many(Vec<i64>),
}

impl GenerationConfig {
    /// Beam search with `beams` beams and at most `max_new` tokens.
    pub fn beams(beams: usize, max_new: usize) -> GenerationConfig {
        GenerationConfig {
            num_beams: Some(beams),
            max_new_tokens: Some(max_new),
            ..GenerationConfig::default()
        }
    }

    /// Reads the file of a model folder; without one, everything is at its default.
    ///
    /// # Errors
    /// [`T5Error::Io`] and [`T5Error::Config`], naming the file.
    pub fn load(folder: &Path) -> Result<GenerationConfig> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(GenerationConfig::default());
        }
        let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
        from_json(&text).map_err(|reason| T5Error::config(reason).in_file(&path))
    }

    /// Writes the file into a model folder, with the ids of the model's special tokens.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save(&self, folder: &Path, config: &T5Config) -> Result<()> {
        let mut file = self.clone();
        file.eos_token_id.get_or_insert(Tokens::One(config.eos_token_id));
        for (key, id) in [
            ("pad_token_id", config.pad_token_id),
            ("decoder_start_token_id", config.start_token()),
        ] {
            file.extra.entry(key).or_insert(Value::from(id));
        }
        let value =
            serde_json::to_value(file).map_err(|error| T5Error::config(error.to_string()))?;
        write_json(&folder.join(FILE), &value)
    }

    /// What the decoder is told for a model of this shape.
    ///
    /// # Errors
    /// [`T5Error::Config`] for an `early_stopping` that is none; other ranges are checked when
    /// decoding.
    pub fn options(&self, config: &T5Config) -> Result<DecodeOptions> {
        let early_stopping = match &self.early_stopping {
            None | Some(Value::Null | Value::Bool(false)) => EarlyStopping::Heuristic,
            Some(Value::Bool(true)) => EarlyStopping::Always,
            Some(Value::String(word)) if word == "never" => EarlyStopping::Never,
            Some(other) => {
                return Err(T5Error::config(format!(
                    "early_stopping is {other}, wanted true, false or \"never\""
                )));
            }
        };
        let sampling = self.do_sample.unwrap_or(false).then(|| Sampling {
            temperature: self.temperature.unwrap_or(1.0),
            top_k: self.top_k.unwrap_or(50),
            top_p: self.top_p.unwrap_or(1.0),
            seed: 0,
        });
        // The lengths without `new` count the start token.
        let max_new = self.max_new_tokens.or(self.max_length.map(|most| most.saturating_sub(1)));
        let min_new = self.min_new_tokens.or(self.min_length.map(|least| least.saturating_sub(1)));
        Ok(DecodeOptions {
            end_tokens: match &self.eos_token_id {
                None => vec![config.eos_token_id],
                Some(Tokens::One(token)) => vec![*token],
                Some(Tokens::Many(tokens)) => tokens.clone(),
            },
            beams: self.num_beams.unwrap_or(1),
            n_best: self.num_return_sequences.unwrap_or(1),
            max_new: max_new.unwrap_or(DEFAULT_MAX_NEW),
            min_new: min_new.unwrap_or(0),
            length_penalty: self.length_penalty.unwrap_or(1.0),
            early_stopping,
            no_repeat_ngram: self.no_repeat_ngram_size.unwrap_or(0),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            sampling,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transformers_names_become_options() {
        let text = r#"{"num_beams":4,"max_length":33,"early_stopping":"never","eos_token_id":[1,2],
            "do_sample":false,"use_cache":true,"length_penalty":null}"#;
        let file: GenerationConfig = serde_json::from_str(text).unwrap();
        let options = file.options(&T5Config::default()).unwrap();
        assert_eq!((options.beams, options.max_new), (4, 32));
        assert_eq!(options.early_stopping, EarlyStopping::Never);
        assert_eq!(options.end_tokens, [1, 2]);
        assert!(options.sampling.is_none());
        assert_eq!(serde_json::to_value(&file).unwrap()["use_cache"], true);
        let odd: GenerationConfig = serde_json::from_str(r#"{"early_stopping":3}"#).unwrap();
        assert!(odd.options(&T5Config::default()).is_err());
    }
}
