//! The shape of a T5 model: `config.json` of the Hugging Face layout.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Result, T5Error, io_error};

/// The shape of a T5 model, with the names and defaults that transformers gives them.
///
/// Keys that this crate does not use are kept in [`extra`](Self::extra) and written back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct T5Config {
    /// Rows of the embedding table, at least the tokenizer's size.
    pub vocab_size: i64,
    /// Width of the residual stream.
    pub d_model: i64,
    /// Width of one attention head; heads × this need not be `d_model`.
    pub d_kv: i64,
    /// Inner width of the feed-forward layers.
    pub d_ff: i64,
    /// Layers of the encoder.
    pub num_layers: i64,
    /// Layers of the decoder; as many as the encoder's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_decoder_layers: Option<i64>,
    /// Attention heads of every layer.
    pub num_heads: i64,
    /// Rows of the relative-position tables; even, since the encoder splits them by direction.
    pub relative_attention_num_buckets: i64,
    /// Distance from which on all positions share the last bucket.
    pub relative_attention_max_distance: i64,
    /// Probability in [0, 1) that training drops an activation.
    pub dropout_rate: f64,
    /// Added to the mean square before the root.
    pub layer_norm_epsilon: f64,
    /// Scales every initial weight.
    pub initializer_factor: f64,
    /// Activation of the feed-forward layers.
    pub feed_forward_proj: FeedForward,
    /// Whether the head is the embedding table. Files of transformers 5 say `true` of untied models
    /// too: on loading the tensors decide.
    pub tie_word_embeddings: bool,
    /// Whether the decoder's output is multiplied by `d_model`^-½ before the head; where absent, as
    /// `tie_word_embeddings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_decoder_outputs: Option<bool>,
    /// Id that fills sources.
    pub pad_token_id: i64,
    /// Id that ends a text.
    pub eos_token_id: i64,
    /// Id that the decoder starts from; the padding where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_start_token_id: Option<i64>,
    /// Every other key of the file.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Default for T5Config {
    fn default() -> T5Config {
        T5Config {
            vocab_size: 32128,
            d_model: 512,
            d_kv: 64,
            d_ff: 2048,
            num_layers: 6,
            num_decoder_layers: None,
            num_heads: 8,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            dropout_rate: 0.1,
            layer_norm_epsilon: 1e-6,
            initializer_factor: 1.0,
            feed_forward_proj: FeedForward::RELU,
            tie_word_embeddings: true,
            scale_decoder_outputs: None,
            pad_token_id: 0,
            eos_token_id: 1,
            decoder_start_token_id: None,
            extra: Map::new(),
        }
    }
}

/// The feed-forward layer: `relu`, `gated-gelu` (T5 v1.1), and what else transformers names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FeedForward {
    /// The nonlinearity.
    pub activation: Activation,
    /// Whether a second projection multiplies it.
    pub gated: bool,
}

/// A nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x·Φ(x).
    Gelu,
    /// The tanh form of GELU.
    GeluNew,
    /// x·sigmoid(x).
    Silu,
}

impl Activation {
    /// Its name in `dense_act_fn`.
    fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Gelu => "gelu",
            Activation::GeluNew => "gelu_new",
            Activation::Silu => "silu",
        }
    }
}

impl FeedForward {
    /// T5 v1.0 and CodeT5.
    pub const RELU: FeedForward = FeedForward { activation: Activation::Relu, gated: false };
    /// T5 v1.1.
    pub const GATED_GELU: FeedForward =
        FeedForward { activation: Activation::GeluNew, gated: true };
}

impl TryFrom<String> for FeedForward {
    type Error = String;

    fn try_from(name: String) -> Result<FeedForward, String> {
        let (gated, rest) = match name.strip_prefix("gated-") {
            Some(rest) => (true, rest),
            None => (false, name.as_str()),
        };
        let activation = match rest {
            "relu" => Activation::Relu,
            // Of the gated form transformers takes `gelu` for the tanh form.
            "gelu" if gated => Activation::GeluNew,
            "gelu" => Activation::Gelu,
            "gelu_new" => Activation::GeluNew,
            "silu" => Activation::Silu,
            _ => {
                return Err(format!(
                    "unknown feed_forward_proj {name:?}; known: relu, gelu, gelu_new, silu, each \
                     also as gated-…"
                ));
            }
        };
        Ok(FeedForward { activation, gated })
    }
}

impl From<FeedForward> for String {
    fn from(form: FeedForward) -> String {
        let name = match (form.activation, form.gated) {
            // Of the gated form transformers takes `gelu` for the tanh form.
            (Activation::GeluNew, true) => "gelu",
            (activation, _) => activation.name(),
        };
        format!("{}{name}", if form.gated { "gated-" } else { "" })
    }
}

/// A named shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// 128 wide, 3 + 3 layers: learns on a laptop's cores in minutes.
    Nano,
    /// 256 wide, 4 + 4 layers.
    Tiny,
    /// 512 wide, 6 + 6 layers.
    CodeT5Small,
    /// 768 wide, 12 + 12 layers: the student of the paper.
    CodeT5Base,
    /// 1024 wide, 24 + 24 layers.
    CodeT5Large,
}

impl Preset {
    /// Every preset, smallest first.
    pub const ALL: [Preset; 5] =
        [Preset::Nano, Preset::Tiny, Preset::CodeT5Small, Preset::CodeT5Base, Preset::CodeT5Large];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Nano => "nano",
            Preset::Tiny => "tiny",
            Preset::CodeT5Small => "codet5-small",
            Preset::CodeT5Base => "codet5-base",
            Preset::CodeT5Large => "codet5-large",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preset {
    type Err = T5Error;

    fn from_str(name: &str) -> Result<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
            T5Error::Setting {
                setting: "preset",
                reason: format!("unknown preset {name:?}; known: {}", known.join(", ")),
            }
        })
    }
}

impl T5Config {
    /// The shape of a preset over a vocabulary of `vocab_size` tokens (CodeT5's own has 32,100), with
    /// the token ids of [`Tokenizer::train`](crate::Tokenizer::train) and of CodeT5: padding and
    /// start 0, end 2.
    pub fn preset(preset: Preset, vocab_size: i64) -> T5Config {
        let (d_model, d_kv, num_heads, d_ff, layers) = match preset {
            Preset::Nano => (128, 32, 4, 512, 3),
            Preset::Tiny => (256, 64, 4, 1024, 4),
            Preset::CodeT5Small => (512, 64, 8, 2048, 6),
            Preset::CodeT5Base => (768, 64, 12, 3072, 12),
            Preset::CodeT5Large => (1024, 64, 16, 4096, 24),
        };
        T5Config {
            vocab_size,
            d_model,
            d_kv,
            num_heads,
            d_ff,
            num_layers: layers,
            num_decoder_layers: Some(layers),
            eos_token_id: 2,
            decoder_start_token_id: Some(0),
            extra: Map::from_iter([("bos_token_id".to_owned(), Value::from(1))]),
            ..T5Config::default()
        }
    }

    /// Layers of the decoder.
    pub fn decoder_layers(&self) -> i64 {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    /// Heads × head width.
    pub fn inner(&self) -> i64 {
        self.num_heads.saturating_mul(self.d_kv)
    }

    /// Id that the decoder starts from.
    pub fn start_token(&self) -> i64 {
        self.decoder_start_token_id.unwrap_or(self.pad_token_id)
    }

    /// Whether the decoder's output is scaled before the head.
    pub fn scales_output(&self) -> bool {
        self.scale_decoder_outputs.unwrap_or(self.tie_word_embeddings)
    }

    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`T5Error::Io`], or [`T5Error::Config`] naming the file and the setting.
    pub fn load(path: &Path) -> Result<T5Config> {
        let text = fs::read_to_string(path).map_err(io_error("read", path))?;
        let config: T5Config =
            from_json(&text).map_err(|reason| T5Error::config(reason).in_file(path))?;
        config.validate().map_err(|error| error.in_file(path))?;
        Ok(config)
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`T5Error::Config`] for the first that no model can have.
    pub fn validate(&self) -> Result<()> {
        if let Some(kind) = self.extra.get("model_type")
            && kind != "t5"
            && kind != "mt5"
        {
            return Err(T5Error::config(format!("model_type is {kind}, wanted \"t5\"")));
        }
        // What transformers writes beside `feed_forward_proj`, and derives from it.
        let FeedForward { activation, gated } = self.feed_forward_proj;
        for (name, wanted) in [
            ("dense_act_fn", Value::from(activation.name())),
            ("is_gated_act", Value::from(gated)),
            ("is_encoder_decoder", Value::from(true)),
        ] {
            if let Some(found) = self.extra.get(name)
                && !found.is_null()
                && *found != wanted
            {
                let form = String::from(self.feed_forward_proj);
                return Err(T5Error::config(format!(
                    "{name} is {found}, wanted {wanted} with feed_forward_proj {form:?}"
                )));
            }
        }
        // Far above any T5 there is, and low enough that no product of two overflows.
        const LARGEST: i64 = 1 << 24;
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("d_kv", self.d_kv),
            ("d_ff", self.d_ff),
            ("num_layers", self.num_layers),
            ("num_decoder_layers", self.decoder_layers()),
            ("num_heads", self.num_heads),
        ] {
            if !(1..=LARGEST).contains(&value) {
                return Err(T5Error::config(format!("{name} is {value}, wanted 1 to {LARGEST}")));
            }
        }
        for (name, value) in
            [("num_layers", self.num_layers), ("num_decoder_layers", self.decoder_layers())]
        {
            if value > 1024 {
                return Err(T5Error::config(format!("{name} is {value}, wanted at most 1024")));
            }
        }
        let buckets = self.relative_attention_num_buckets;
        if buckets < 4 || buckets % 4 != 0 || buckets > LARGEST {
            return Err(T5Error::config(format!(
                "relative_attention_num_buckets is {buckets}, wanted a multiple of 4"
            )));
        }
        let distance = self.relative_attention_max_distance;
        if distance <= buckets / 2 || distance > LARGEST {
            return Err(T5Error::config(format!(
                "relative_attention_max_distance is {distance}, wanted more than half of \
                 relative_attention_num_buckets ({buckets})"
            )));
        }
        if !(0.0..1.0).contains(&self.dropout_rate) {
            return Err(T5Error::config(format!(
                "dropout_rate is {}, wanted 0 to below 1",
                self.dropout_rate
            )));
        }
        for (name, value) in [
            ("layer_norm_epsilon", self.layer_norm_epsilon),
            ("initializer_factor", self.initializer_factor),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(T5Error::config(format!("{name} is {value}, wanted more than 0")));
            }
        }
        for (name, id) in [
            ("pad_token_id", self.pad_token_id),
            ("eos_token_id", self.eos_token_id),
            ("decoder_start_token_id", self.start_token()),
        ] {
            if !(0..self.vocab_size).contains(&id) {
                return Err(T5Error::config(format!(
                    "{name} is {id}, outside the vocabulary of {}",
                    self.vocab_size
                )));
            }
        }
        Ok(())
    }
}

/// Reads a JSON object; what is wrong is named with its key.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let key = error.path().to_string();
        let reason = error.into_inner();
        if key == "." { reason.to_string() } else { format!("{key}: {reason}") }
    })?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_survive_a_round_trip() {
        let text =
            r#"{"d_model":64,"feed_forward_proj":"gated-gelu","task_specific_params":{"a":[1]}}"#;
        let config: T5Config = serde_json::from_str(text).unwrap();
        assert_eq!((config.d_model, config.d_ff), (64, 2048));
        assert_eq!(config.feed_forward_proj, FeedForward::GATED_GELU);
        let back: Value = serde_json::to_value(&config).unwrap();
        assert_eq!(back["task_specific_params"], serde_json::json!({"a": [1]}));
        assert_eq!(back["feed_forward_proj"], "gated-gelu");
    }

    #[test]
    fn presets_are_valid_and_known_by_name() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
            T5Config::preset(preset, 32100).validate().unwrap();
        }
        assert!("codet5".parse::<Preset>().unwrap_err().to_string().contains("codet5-small"));
    }

    #[test]
    fn every_bad_setting_is_named() {
        for (key, value) in [
            ("d_model", serde_json::json!(0)),
            ("vocab_size", serde_json::json!(-3)),
            ("num_layers", serde_json::json!(100_000)),
            ("relative_attention_num_buckets", serde_json::json!(3)),
            ("relative_attention_max_distance", serde_json::json!(16)),
            ("dropout_rate", serde_json::json!(1.0)),
            ("layer_norm_epsilon", serde_json::json!(0.0)),
            ("eos_token_id", serde_json::json!(99_999)),
            ("model_type", serde_json::json!("bart")),
        ] {
            let mut map = Map::new();
            map.insert(key.to_owned(), value);
            let config: T5Config = serde_json::from_value(Value::Object(map)).unwrap();
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(key), "{key}: {message}");
        }
        let unknown = serde_json::from_str::<T5Config>(r#"{"feed_forward_proj":"swish"}"#);
        assert!(unknown.unwrap_err().to_string().contains("gelu_new"));
        // `null` is what transformers writes for an unset number of decoder layers.
        let config: T5Config = serde_json::from_str(r#"{"num_decoder_layers":null}"#).unwrap();
        assert_eq!(config.decoder_layers(), 6);
    }
}
