//! Text to token ids and back.
//!
//! A thin layer over the crate `tokenizers` that adds what a student needs: byte-level BPE trained
//! from texts in memory, the layout of CodeT5's files, task triggers as single tokens, cutting with a
//! count, and texts that stay texts: a `</s>` in a docstring is four characters and never the end of
//! the source.

use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use distill_core::Task;
use distill_core::jsonl::write_atomic;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, PostProcessorWrapper};

use crate::config::T5Config;
use crate::error::{Result, T5Error, io_error};
use crate::hf::write_json;
use crate::weights::Unique;

/// File name of a whole tokenizer.
pub(crate) const FILE: &str = "tokenizer.json";
/// File name of what transformers wants to know besides.
pub(crate) const SETTINGS: &str = "tokenizer_config.json";

/// File names of CodeT5's pair.
const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";

const END: &str = "</s>";
/// The masks of [`Trigger::Sentinel`], pseudocode first.
const SENTINELS: [&str; 2] = ["<extra_id_0>", "<extra_id_1>"];

/// Token ids of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The ids, at most as many as allowed.
    pub ids: Vec<i64>,
    /// Tokens that did not fit.
    pub cut: usize,
}

/// How a source says which task is wanted: what stands before its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The token `[pseudocode]` or `[code]`, or its words where the tokenizer has no such token.
    #[default]
    Token,
    /// The words `[pseudocode]` or `[code]`, as a text prefix.
    Prefix,
    /// A mask of CodeT5's pre-training, which means nothing else in a source: `<extra_id_0>` for
    /// pseudocode, `<extra_id_1>` for code.
    Sentinel,
}

/// A tokenizer and the ids of its special tokens.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What surrounds every text: nothing and `</s>`; for CodeT5 `<s>` and `</s>`.
    before: Vec<i64>,
    after: Vec<i64>,
    /// Ids of the triggers of [`Task::ALL`], where they are tokens.
    triggers: [Option<i64>; 2],
    trigger: Trigger,
}

impl Tokenizer {
    /// The special tokens of a trained tokenizer, which have the ids 0, 1, …: CodeT5's five and the
    /// task triggers.
    pub const SPECIAL: [&str; 7] =
        ["<pad>", "<s>", END, "<unk>", "<mask>", "[pseudocode]", "[code]"];

    /// Smallest vocabulary: the special tokens and the 256 bytes.
    pub const SMALLEST: usize = Tokenizer::SPECIAL.len() + 256;

    /// Trains byte-level BPE: every text can be written, and is read back byte for byte. Merges seen
    /// only once are not made. Equal texts in any order give equal tokenizers.
    ///
    /// # Errors
    /// [`T5Error::Setting`] for a vocabulary below [`SMALLEST`](Self::SMALLEST); the tokenizer may
    /// end up smaller than asked for where the texts have no more to merge.
    pub fn train<T: AsRef<str> + Send>(
        texts: impl IntoIterator<Item = T, IntoIter: Send>,
        vocab_size: usize,
    ) -> Result<Tokenizer> {
        if vocab_size < Tokenizer::SMALLEST {
            return Err(T5Error::Setting {
                setting: "vocab_size",
                reason: format!("{vocab_size}, wanted at least {}", Tokenizer::SMALLEST),
            });
        }
        let special: Vec<AddedToken> =
            Tokenizer::SPECIAL.iter().map(|&token| AddedToken::from(token, true)).collect();
        let trainer = BpeTrainer::builder()
            .vocab_size(vocab_size)
            .min_frequency(2)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(special.clone())
            .build();
        let mut inner = tokenizers::Tokenizer::new(BPE::default());
        inner
            .with_pre_tokenizer(Some(ByteLevel::new(false, false, true)))
            .with_decoder(Some(ByteLevel::new(false, false, true)));
        inner
            .train(&mut TrainerWrapper::BpeTrainer(trainer), texts.into_iter())
            .map_err(T5Error::tokenizer)?;
        inner.add_special_tokens(special).map_err(T5Error::tokenizer)?;
        let ends = TemplateProcessing::builder()
            .try_single(format!("$A {END}"))
            .map_err(T5Error::tokenizer)?
            .try_pair(format!("$A {END} $B {END}"))
            .map_err(T5Error::tokenizer)?
            .special_tokens(vec![(END.to_owned(), 2)])
            .build()
            .map_err(T5Error::tokenizer)?;
        inner.with_post_processor(Some(PostProcessorWrapper::Template(ends)));
        Tokenizer::from_inner(inner)
    }

    /// Reads a tokenizer: a `tokenizer.json`, or a folder that holds one or CodeT5's `vocab.json` and
    /// `merges.txt`.
    ///
    /// # Errors
    /// [`T5Error::Io`] and [`T5Error::Tokenizer`], naming the file.
    pub fn load(path: &Path) -> Result<Tokenizer> {
        if path.is_dir() {
            let file = Tokenizer::file(path);
            if file.ends_with(FILE) {
                return Tokenizer::load(&file);
            }
            return Tokenizer::load_codet5(&file, &path.join(MERGES));
        }
        let text = fs::read_to_string(path).map_err(io_error("read", path))?;
        let read = || -> Result<Tokenizer> {
            let value: Value = serde_json::from_str(&text).map_err(T5Error::tokenizer)?;
            check(&value).map_err(T5Error::tokenizer)?;
            let inner: tokenizers::Tokenizer = text.parse().map_err(T5Error::tokenizer)?;
            // The library would number such a token anew.
            for (content, id) in added(&value) {
                if inner.token_to_id(content).map(u64::from) != Some(id) {
                    return Err(T5Error::tokenizer(format!(
                        "added token {content:?}: the id {id} is not the next one free"
                    )));
                }
            }
            // What else the library stumbles over it says by a panic.
            catch_unwind(AssertUnwindSafe(|| Tokenizer::from_inner(inner)))
                .unwrap_or_else(|_| Err(T5Error::tokenizer("its parts do not fit together")))
        };
        read().map_err(|error| error.in_file(path))
    }

    /// The file of a folder that [`load`](Self::load) starts from: `tokenizer.json`, or CodeT5's
    /// `vocab.json` where there is only that or its `merges.txt`.
    pub(crate) fn file(folder: &Path) -> PathBuf {
        let vocab = folder.join(VOCAB);
        if !folder.join(FILE).exists() && (vocab.exists() || folder.join(MERGES).exists()) {
            return vocab;
        }
        folder.join(FILE)
    }

    /// Reads CodeT5's published pair of files: byte-level BPE with `<s>` … `</s>` around every text;
    /// `<extra_id_99>` to `<extra_id_0>` follow the vocabulary.
    ///
    /// # Errors
    /// [`T5Error::Io`] and [`T5Error::Tokenizer`], naming the file.
    pub fn load_codet5(vocab: &Path, merges: &Path) -> Result<Tokenizer> {
        let text = fs::read_to_string(vocab).map_err(io_error("read", vocab))?;
        let Unique(ids) = serde_json::from_str::<Unique<u32>>(&text)
            .map_err(|error| T5Error::tokenizer(error).in_file(vocab))?;
        distinct(ids.iter().map(|(token, &id)| (token.as_str(), id.into())))
            .map_err(|reason| T5Error::tokenizer(reason).in_file(vocab))?;
        let text = fs::read_to_string(merges).map_err(io_error("read", merges))?;
        let bad = |line: usize, reason: &str| {
            T5Error::tokenizer(format!("line {line}: {reason}")).in_file(merges)
        };
        let mut pairs = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.starts_with("#version") || line.is_empty() {
                continue;
            }
            let (left, right) =
                line.split_once(' ').ok_or_else(|| bad(index + 1, "wanted two tokens"))?;
            for token in [left, right, &format!("{left}{right}")] {
                if !ids.contains_key(token) {
                    return Err(bad(index + 1, &format!("{token:?} is not in the vocabulary")));
                }
            }
            pairs.push((left.to_owned(), right.to_owned()));
        }
        for (place, token) in Tokenizer::SPECIAL.iter().take(5).enumerate() {
            if ids.get(*token) != Some(&(place as u32)) {
                return Err(T5Error::tokenizer(format!(
                    "{token} has the id {:?}, wanted {place}",
                    ids.get(*token)
                ))
                .in_file(vocab));
            }
        }
        let model = BPE::builder()
            .vocab_and_merges(ids.into_iter().collect::<tokenizers::models::bpe::Vocab>(), pairs)
            .unk_token("<unk>".to_owned())
            .build()
            .map_err(|error| T5Error::tokenizer(error).in_file(vocab))?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner
            .with_pre_tokenizer(Some(ByteLevel::new(false, true, true)))
            .with_decoder(Some(ByteLevel::new(false, true, true)));
        let around = RobertaProcessing::new((END.to_owned(), 2), ("<s>".to_owned(), 1))
            .add_prefix_space(false)
            .trim_offsets(true);
        inner.with_post_processor(Some(PostProcessorWrapper::Roberta(around)));
        let mask = AddedToken::from("<mask>", true).lstrip(true);
        let special = ["<pad>", "<s>", END, "<unk>"].map(|token| AddedToken::from(token, true));
        let sentinels = (0..100)
            .rev()
            .map(|number| AddedToken::from(format!("<extra_id_{number}>"), true).lstrip(true));
        inner
            .add_special_tokens(special.into_iter().chain([mask]).chain(sentinels))
            .map_err(T5Error::tokenizer)?;
        Tokenizer::from_inner(inner)
    }

    fn from_inner(mut inner: tokenizers::Tokenizer) -> Result<Tokenizer> {
        // Cutting and padding are done here; special tokens in a text are text.
        inner.with_truncation(None).map_err(T5Error::tokenizer)?.with_padding(None);
        inner.set_encode_special_tokens(true);
        let ids = |with: bool| -> Result<Vec<i64>> {
            let encoding = inner.encode_fast("a", with).map_err(T5Error::tokenizer)?;
            Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
        };
        let (bare, whole) = (ids(false)?, ids(true)?);
        let start = whole
            .windows(bare.len().max(1))
            .position(|window| window == bare)
            .ok_or_else(|| T5Error::tokenizer("the post-processor changes the text's tokens"))?;
        let before = whole[..start].to_vec();
        let mut after = whole[start + bare.len()..].to_vec();
        if after.is_empty() {
            after.extend(inner.token_to_id(END).map(i64::from));
        }
        let triggers = Task::ALL.map(|task| inner.token_to_id(task.trigger()).map(i64::from));
        Ok(Tokenizer { inner, before, after, triggers, trigger: Trigger::default() })
    }

    /// Writes a `tokenizer.json` that transformers and every other user of `tokenizers` reads.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = self.inner.to_string(true).map_err(T5Error::tokenizer)?;
        Ok(write_atomic(path, |writer| writer.write_all(text.as_bytes()))?)
    }

    /// Writes `tokenizer_config.json`: the names of the special tokens and the longest source.
    pub(crate) fn save_settings(&self, path: &Path, longest: usize) -> Result<()> {
        let mut value = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": longest,
            "clean_up_tokenization_spaces": false,
            "task_trigger": self.trigger,
        });
        for (name, token) in [
            ("pad_token", "<pad>"),
            ("bos_token", "<s>"),
            ("eos_token", END),
            ("unk_token", "<unk>"),
            ("mask_token", "<mask>"),
        ] {
            if self.inner.token_to_id(token).is_some() {
                value[name] = Value::from(token);
            }
        }
        write_json(path, &value)
    }

    /// The tokens of a text between the tokenizer's own start and end tokens, at most `most` in all:
    /// what does not fit is cut at the end of the text.
    ///
    /// # Errors
    /// [`T5Error::Setting`] if `most` leaves no room for the text.
    pub fn encode(&self, text: &str, most: usize) -> Result<Encoded> {
        self.encode_behind(&[], text, most)
    }

    /// As [`encode`](Self::encode) with the task's [`Trigger`] before the text.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_source(&self, task: Task, text: &str, most: usize) -> Result<Encoded> {
        let place = usize::from(task == Task::Code);
        let token = match self.trigger {
            Trigger::Token => self.triggers[place],
            Trigger::Prefix => None,
            Trigger::Sentinel => self.id(SENTINELS[place]),
        };
        match token {
            Some(id) => self.encode_behind(&[id], text, most),
            None => self.encode(&format!("{} {text}", task.trigger()), most),
        }
    }

    /// How sources say which task is wanted.
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Changes how sources say which task is wanted: before training, and kept with the student.
    ///
    /// # Errors
    /// [`T5Error::Setting`] for [`Trigger::Sentinel`] where the tokenizer lacks the masks.
    pub fn set_trigger(&mut self, trigger: Trigger) -> Result<()> {
        if trigger == Trigger::Sentinel && SENTINELS.iter().any(|token| self.id(token).is_none()) {
            return Err(T5Error::Setting {
                setting: "trigger",
                reason: format!("the tokenizer has no {} and {}", SENTINELS[0], SENTINELS[1]),
            });
        }
        self.trigger = trigger;
        Ok(())
    }

    /// As [`encode`](Self::encode), but a text that is cut does not end with the end token: learning
    /// from it, a student must not learn to stop there.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_target(&self, text: &str, most: usize) -> Result<Encoded> {
        let mut encoded = self.encode(text, most)?;
        if encoded.cut > 0 {
            encoded.ids.truncate(encoded.ids.len() - self.after.len());
        }
        Ok(encoded)
    }

    fn encode_behind(&self, trigger: &[i64], text: &str, most: usize) -> Result<Encoded> {
        let around = self.before.len() + trigger.len() + self.after.len();
        if most <= around {
            return Err(T5Error::Setting {
                setting: "longest text",
                reason: format!(
                    "{most} tokens, of which {around} are special: no room for the text"
                ),
            });
        }
        let encoding = self.inner.encode_fast(text, false).map_err(T5Error::tokenizer)?;
        let body = encoding.get_ids();
        let room = body.len().min(most - around);
        let mut ids = Vec::with_capacity(around + room);
        ids.extend_from_slice(&self.before);
        ids.extend_from_slice(trigger);
        ids.extend(body[..room].iter().map(|&id| i64::from(id)));
        ids.extend_from_slice(&self.after);
        Ok(Encoded { ids, cut: body.len() - room })
    }

    /// The text of these tokens without special ones. Bytes that are not UTF-8 become �; ids that
    /// are no tokens are passed over.
    ///
    /// # Errors
    /// [`T5Error::Tokenizer`] if the tokenizer's own decoder fails.
    pub fn decode(&self, ids: &[i64]) -> Result<String> {
        let ids: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        self.inner.decode(&ids, true).map_err(T5Error::tokenizer)
    }

    /// Number of tokens: the largest id and one.
    pub fn size(&self) -> usize {
        let ids = self.inner.get_vocab(true);
        ids.values().max().map_or(0, |&largest| largest as usize + 1)
    }

    /// All tokens by id, `size` in all; empty where an id has none.
    pub(crate) fn tokens(&self, size: usize) -> Vec<String> {
        let mut tokens = vec![String::new(); size];
        for (token, id) in self.inner.get_vocab(true) {
            if let Some(place) = tokens.get_mut(id as usize) {
                *place = token;
            }
        }
        tokens
    }

    /// The id of a token, written as in the vocabulary.
    pub fn id(&self, token: &str) -> Option<i64> {
        self.inner.token_to_id(token).map(i64::from)
    }

    /// Checks that a model of this shape can read and end these texts.
    ///
    /// # Errors
    /// [`T5Error::Tokenizer`] for a vocabulary larger than the model's, or an end or padding token
    /// with other ids than the model's.
    pub fn check_fits(&self, config: &T5Config) -> Result<()> {
        let size = self.size();
        if size > config.vocab_size as usize {
            return Err(T5Error::tokenizer(format!(
                "has {size} tokens, and the model only {}",
                config.vocab_size
            )));
        }
        match self.after.last() {
            None => {
                return Err(T5Error::tokenizer(format!(
                    "ends no text: it has neither {END} nor a post-processor that adds an end"
                )));
            }
            Some(&end) if end != config.eos_token_id => {
                return Err(T5Error::tokenizer(format!(
                    "ends texts with the id {end}, and the model's eos_token_id is {}",
                    config.eos_token_id
                )));
            }
            Some(_) => {}
        }
        for (token, id, name) in [
            (END, config.eos_token_id, "eos_token_id"),
            ("<pad>", config.pad_token_id, "pad_token_id"),
        ] {
            if let Some(found) = self.id(token)
                && found != id
            {
                return Err(T5Error::tokenizer(format!(
                    "{token} has the id {found}, and the model's {name} is {id}"
                )));
            }
        }
        Ok(())
    }
}

/// The added tokens of a `tokenizer.json` with their ids.
fn added(value: &Value) -> impl Iterator<Item = (&str, u64)> {
    let all = value["added_tokens"].as_array().into_iter().flatten();
    all.filter_map(|token| Some((token["content"].as_str()?, token["id"].as_u64()?)))
}

/// Looks for what is wrong with a `tokenizer.json` as a person would: the library that reads it says
/// of most of it only that no kind of tokenizer matches.
fn check(value: &Value) -> Result<(), String> {
    check_template(value)?;
    let model = value.get("model").ok_or("has no \"model\"")?;
    let map = model.as_object().ok_or("model: wanted an object")?;
    let vocab = map.get("vocab").ok_or("model.vocab: missing")?;
    let kind = match map.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(other) => return Err(format!("model.type: {other}, wanted a name")),
        None if map.contains_key("merges") => "BPE",
        None => return Ok(()),
    };
    match kind {
        "BPE" | "WordPiece" | "WordLevel" => {}
        "Unigram" => return unigram(vocab, map.get("unk_id")),
        _ => {
            return Err(format!(
                "model.type: {kind:?}, wanted BPE, Unigram, WordPiece or WordLevel"
            ));
        }
    }
    let vocab = vocab.as_object().ok_or("model.vocab: wanted an object of tokens and ids")?;
    let mut ids = Vec::with_capacity(vocab.len());
    for (token, id) in vocab {
        let id = id.as_u64().filter(|&id| id < u64::from(u32::MAX));
        let id = id.ok_or_else(|| format!("model.vocab: {token:?} has no id from 0 on"))?;
        ids.push((token.as_str(), id));
    }
    distinct(ids.iter().copied()).map_err(|reason| format!("model.vocab: {reason}"))?;
    if kind == "BPE" {
        let merges = map.get("merges").ok_or("model.merges: missing")?;
        let merges = merges.as_array().ok_or("model.merges: wanted a list")?;
        // Continued pieces are written with a prefix that goes away when they are joined.
        let prefix = map.get("continuing_subword_prefix");
        let prefix = prefix.and_then(Value::as_str).unwrap_or_default();
        for (index, merge) in merges.iter().enumerate() {
            let bad = |reason: String| format!("model.merges: entry {index}: {reason}");
            let pair = match merge {
                Value::String(text) if text.starts_with("#version") => continue,
                Value::String(text) => text.split_once(' '),
                Value::Array(pair) => match &pair[..] {
                    [Value::String(left), Value::String(right)] => Some((&left[..], &right[..])),
                    _ => None,
                },
                _ => None,
            };
            let (left, right) = pair.ok_or_else(|| bad(format!("{merge}, wanted two tokens")))?;
            let rest = right
                .strip_prefix(prefix)
                .ok_or_else(|| bad(format!("{right:?} does not start with {prefix:?}")))?;
            for token in [left, right, &format!("{left}{rest}")] {
                if !vocab.contains_key(token) {
                    return Err(bad(format!("{token:?} is not in the vocabulary")));
                }
            }
        }
    }
    let mut names: HashMap<u64, &str> = ids.into_iter().map(|(token, id)| (id, token)).collect();
    for (content, id) in added(value) {
        if *names.entry(id).or_insert(content) != content {
            return Err(format!(
                "added token {content:?}: {:?} has the id {id} too",
                names.get(&id).copied().unwrap_or_default()
            ));
        }
    }
    Ok(())
}

/// Whether a template names only special tokens that it describes; the library finds out when it uses it.
fn check_template(value: &Value) -> Result<(), String> {
    let Some(processor) = value.get("post_processor") else { return Ok(()) };
    let several = processor["processors"].as_array().into_iter().flatten();
    for processor in several.chain([processor]) {
        let described = &processor["special_tokens"];
        for form in ["single", "pair"] {
            for piece in processor[form].as_array().into_iter().flatten() {
                if let Some(name) = piece["SpecialToken"]["id"].as_str()
                    && described.get(name).is_none()
                {
                    return Err(format!(
                        "post_processor: its template names {name:?}, which its special_tokens lack"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// The vocabulary of a Unigram model: pieces with their log-probabilities.
fn unigram(vocab: &Value, unknown: Option<&Value>) -> Result<(), String> {
    let pieces = vocab.as_array().ok_or("model.vocab: wanted a list of pieces and scores")?;
    for (index, piece) in pieces.iter().enumerate() {
        if !matches!(
            piece.as_array().map(Vec::as_slice),
            Some([Value::String(_), Value::Number(_)])
        ) {
            return Err(format!("model.vocab: entry {index}: {piece}, wanted a piece and a score"));
        }
    }
    match unknown {
        Some(Value::Number(id)) if id.as_u64().is_none_or(|id| id >= pieces.len() as u64) => {
            Err(format!("model.unk_id: {id}, outside the vocabulary of {}", pieces.len()))
        }
        _ => Ok(()),
    }
}

/// Whether every id is one token's.
fn distinct<'a>(tokens: impl Iterator<Item = (&'a str, u64)>) -> Result<(), String> {
    let mut names = HashMap::new();
    for (token, id) in tokens {
        if let Some(other) = names.insert(id, token) {
            let [first, second] = if other < token { [other, token] } else { [token, other] };
            return Err(format!("{first:?} and {second:?} both have the id {id}"));
        }
    }
    Ok(())
}
