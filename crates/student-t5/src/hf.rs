//! Model folders in the Hugging Face layout.
//!
//! | file | read | written |
//! |---|---|---|
//! | `config.json` | yes | yes, with unknown keys kept |
//! | `model.safetensors` | yes | yes |
//! | `model.safetensors.index.json` and its shards | yes | no: one file |
//! | `pytorch_model.bin`, or `pytorch_model.bin.index.json` and its shards | yes, where there is none of the above | no |
//! | `generation_config.json` | yes, where there | yes |
//!
//! Weights are read as 32-bit floats. Every tensor of the shape must be there, with its shape and
//! without NaN, and nothing else, but for what published files carry: copies of the embedding table
//! under other names, and a position table in cross-attention, which no version of T5 uses.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use distill_core::jsonl::write_atomic;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::{Device, Tensor, no_grad};

use crate::config::T5Config;
use crate::error::{Result, T5Error, io_error};
use crate::model::T5;
use crate::parameters::parameters;
use crate::weights::{self, Unique, WeightFile};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const BIN: &str = "pytorch_model.bin";
const BIN_INDEX: &str = "pytorch_model.bin.index.json";
const HEAD: &str = "lm_head.weight";
const SHARED: &str = "shared.weight";
const ENCODER_COPY: &str = "encoder.embed_tokens.weight";
const DECODER_COPY: &str = "decoder.embed_tokens.weight";
/// Some published files hold a position table of cross-attention, which is not used.
const UNUSED: &str = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

#[derive(Deserialize)]
struct Index {
    weight_map: Unique<String>,
}

/// All weight files of a folder, and which of them holds which tensor.
struct Files {
    /// The file that says what there is: the one of weights, or the index.
    path: PathBuf,
    files: Vec<WeightFile>,
    home: HashMap<String, usize>,
}

impl Files {
    fn open(folder: &Path) -> Result<Files> {
        let found = [WEIGHTS, INDEX, BIN, BIN_INDEX].map(|name| folder.join(name));
        let Some(single) = found.iter().find(|path| path.exists()) else {
            return Err(T5Error::Checkpoint {
                path: folder.to_owned(),
                reason: format!(
                    "holds no weights: wanted {WEIGHTS}, {INDEX}, {BIN} or {BIN_INDEX}"
                ),
            });
        };
        if single.extension().is_none_or(|extension| extension != "json") {
            let file = WeightFile::open(single)?;
            let home = file.names().into_iter().map(|name| (name, 0)).collect();
            return Ok(Files { path: single.clone(), files: vec![file], home });
        }
        let index = single.clone();
        let bad = |reason: String| T5Error::Checkpoint { path: index.clone(), reason };
        let text = fs::read_to_string(&index).map_err(io_error("read", &index))?;
        let Index { weight_map: Unique(weight_map) } =
            serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let mut files: Vec<WeightFile> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut home = HashMap::new();
        for (tensor, shard) in weight_map {
            let place = match places.get(&shard) {
                Some(&place) => place,
                None => {
                    // A name from a file must not lead out of the folder.
                    if Path::new(&shard).file_name() != Some(shard.as_ref()) {
                        return Err(bad(format!("{shard:?} is not a file name")));
                    }
                    let path = folder.join(&shard);
                    if !path.exists() {
                        return Err(bad(format!(
                            "the shard {shard} is missing, and holds {tensor}"
                        )));
                    }
                    files.push(WeightFile::open(&path)?);
                    places.insert(shard, files.len() - 1);
                    files.len() - 1
                }
            };
            if files[place].shape(&tensor).is_none() {
                return Err(T5Error::Tensor {
                    path: files[place].path().to_owned(),
                    tensor,
                    reason: "missing, and the index says it is there".into(),
                });
            }
            home.insert(tensor, place);
        }
        for (place, file) in files.iter().enumerate() {
            for name in file.names() {
                let reason = match home.get(&name) {
                    Some(&other) if other == place => continue,
                    Some(&other) => format!("is in {} too", files[other].path().display()),
                    None => "is not in the index".to_owned(),
                };
                let path = file.path().to_owned();
                return Err(T5Error::Tensor { path, tensor: name, reason });
            }
        }
        Ok(Files { path: index, files, home })
    }

    fn has(&self, name: &str) -> bool {
        self.home.contains_key(name)
    }

    fn read(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        match self.home.get(name) {
            Some(&place) => self.files[place].read(name, shape),
            None => Err(self.bad(name, format!("missing, wanted with shape {shape:?}"))),
        }
    }

    /// What is wrong with a tensor of these files.
    fn bad(&self, name: &str, reason: String) -> T5Error {
        let file = self.home.get(name).map(|&place| self.files[place].path());
        let path = file.unwrap_or(&self.path).to_owned();
        T5Error::Tensor { path, tensor: name.to_owned(), reason }
    }
}

impl T5 {
    /// Reads a model folder: `config.json` and `model.safetensors`, or its shards.
    ///
    /// The head is `lm_head.weight` where the files hold one that differs from the embedding table;
    /// `config.json` says whether one must be there.
    ///
    /// # Errors
    /// [`T5Error::Config`] and [`T5Error::Io`]; [`T5Error::Tensor`] for the first tensor that is
    /// missing, too many, of another shape or kind, or not finite; [`T5Error::Checkpoint`] for a
    /// file that is damaged as a whole.
    pub fn load(folder: &Path, device: Device) -> Result<T5> {
        let config = T5Config::load(&folder.join(CONFIG))?;
        let mut files = Files::open(folder)?;
        let table = [config.vocab_size, config.d_model];
        // Files that store the shared table under the encoder's name alone mean the same.
        let shared_name =
            if !files.has(SHARED) && files.has(ENCODER_COPY) { ENCODER_COPY } else { SHARED };
        let shared = files.read(shared_name, &table)?;
        for copy in [ENCODER_COPY, DECODER_COPY] {
            if files.has(copy) && !files.read(copy, &table)?.f_equal(&shared)? {
                let reason = format!("differs from {SHARED}: separate embeddings are not T5");
                return Err(files.bad(copy, reason));
            }
        }
        let mut head = None;
        if files.has(HEAD) || !config.tie_word_embeddings {
            let tensor = files.read(HEAD, &table)?;
            if !config.tie_word_embeddings || !tensor.f_equal(&shared)? {
                head = Some(tensor);
            }
        }
        let wanted = parameters(&config, head.is_some());
        let known: std::collections::HashSet<&str> = wanted
            .iter()
            .map(|parameter| parameter.name.as_str())
            .chain([SHARED, HEAD, ENCODER_COPY, DECODER_COPY, UNUSED])
            .collect();
        let mut extra: Vec<&String> =
            files.home.keys().filter(|name| !known.contains(name.as_str())).collect();
        extra.sort();
        if let Some(&name) = extra.first() {
            let count = extra.len();
            let reason =
                format!("is not part of a model of this config.json ({count} such tensors)");
            return Err(files.bad(name, reason));
        }
        let mut tensors = HashMap::new();
        for parameter in wanted {
            let tensor = match parameter.name.as_str() {
                SHARED => shared.shallow_clone(),
                HEAD => match &head {
                    Some(head) => head.shallow_clone(),
                    None => continue,
                },
                name => files.read(name, &parameter.shape)?,
            };
            tensors.insert(parameter.name, no_grad(|| tensor.f_to_device(device))?);
        }
        T5::from_tensors(config, tensors)
    }

    /// Writes `config.json` and `model.safetensors`, each as a whole or not at all.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save(&self, folder: &Path) -> Result<()> {
        weights::write(&folder.join(WEIGHTS), self.named_tensors())?;
        write_json(&folder.join(CONFIG), &self.file_config())
    }

    /// The configuration as files hold it: what is left to defaults in memory is said there.
    fn file_config(&self) -> Value {
        let config = T5Config {
            num_decoder_layers: Some(self.config().decoder_layers()),
            decoder_start_token_id: Some(self.config().start_token()),
            scale_decoder_outputs: Some(self.config().scales_output()),
            tie_word_embeddings: !self.has_own_head(),
            ..self.config().clone()
        };
        let mut value = serde_json::to_value(config).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            for (key, default) in [
                ("architectures", json!(["T5ForConditionalGeneration"])),
                ("model_type", json!("t5")),
                ("is_encoder_decoder", json!(true)),
                ("dtype", json!("float32")),
            ] {
                map.entry(key).or_insert(default);
            }
        }
        value
    }
}

/// The folder that a checkpoint means: itself where it is one, else, with the feature `hub`, that of the
/// model of this name (`ORG/NAME`, or `ORG/NAME@REVISION`), fetched where it is not in the cache.
///
/// # Errors
/// [`T5Error::Checkpoint`] where there is no such folder and nothing can be fetched; with the feature
/// those of the hub.
pub fn locate(checkpoint: &Path) -> Result<PathBuf> {
    if checkpoint.exists() {
        return Ok(checkpoint.to_owned());
    }
    #[cfg(feature = "hub")]
    if let Some(name) = checkpoint.to_str() {
        let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
        if crate::hub::is_name(name) {
            return crate::hub::Hub::from_env()?.checkpoint(name, revision);
        }
    }
    let reason = if cfg!(feature = "hub") {
        "no such folder, and no name of a model such as ORG/NAME"
    } else {
        "no such folder (the feature `hub` would look for a model of this name)"
    };
    Err(T5Error::Checkpoint { path: checkpoint.to_owned(), reason: reason.to_owned() })
}

/// Writes indented JSON, as a whole or not at all.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<()> {
    Ok(write_atomic(path, |writer| {
        serde_json::to_writer_pretty(&mut *writer, value)?;
        writer.write_all(b"\n")
    })?)
}
