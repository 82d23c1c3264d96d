//! Checkpoints by name from a model hub.
//!
//! The cache is the one that Python's `huggingface_hub` uses, so that what either has fetched serves
//! both: `HUB/models--ORG--NAME/refs/REVISION` holds a commit, `…/snapshots/COMMIT/` its files. What is
//! fetched goes to `…/partial/COMMIT.FILE` first, is compared with the size and SHA-256 that the hub
//! states, and only then gets its name; an interrupted download goes on where it ended.
//!
//! | variable | meaning |
//! |---|---|
//! | `HF_ENDPOINT` | another hub than `https://huggingface.co` |
//! | `HF_HOME`, `HF_HUB_CACHE` | where the cache is: `$HF_HOME/hub`, else `~/.cache/huggingface/hub` |
//! | `HF_TOKEN` | for models that ask for one; else the file `$HF_HOME/token`. Never in a log or an error |
//! | `HF_HUB_OFFLINE` | 1: only what is in the cache |

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use distill_core::jsonl::write_atomic;
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, HeaderValue, RANGE};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Result, T5Error, io_error};

/// The hub where nothing else is said.
const ENDPOINT: &str = "https://huggingface.co";
/// How often a request is tried that fails for reasons that may pass.
const TRIES: u32 = 4;
/// Longest silence of the hub.
const SILENCE: Duration = Duration::from_secs(60);

/// The files of a checkpoint other than its weights, where the hub has them.
const FILES: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
];
/// Weights, the first that is there: a file, or the ending of its shards.
const WEIGHTS: [(&str, Option<&str>); 4] = [
    ("model.safetensors", None),
    ("model.safetensors.index.json", Some(".safetensors")),
    ("pytorch_model.bin", None),
    ("pytorch_model.bin.index.json", Some(".bin")),
];

/// A hub and the cache of what was fetched from it.
#[derive(Clone)]
pub struct Hub {
    endpoint: String,
    cache: PathBuf,
    token: Option<HeaderValue>,
    offline: bool,
    /// Before the second try; doubles with each.
    pause: Duration,
    /// Longest silence.
    silence: Duration,
}

/// Without the token.
impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("cache", &self.cache).field("offline", &self.offline).finish()
    }
}

/// What the hub says of a model at a revision.
#[derive(Deserialize)]
struct Model {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Clone, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Large>,
}

#[derive(Clone, Deserialize)]
struct Large {
    sha256: Option<String>,
    size: Option<u64>,
}

/// Why a request failed, and whether it may work the next time.
enum Failure {
    Passing(String),
    Final(String),
}

impl Hub {
    /// The hub and the cache that the environment names.
    ///
    /// # Errors
    /// [`T5Error::Setting`] where there is neither a home folder nor `HF_HOME`, and for a token that is
    /// no line of text.
    pub fn from_env() -> Result<Hub> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let home = match (set("HF_HOME"), env::home_dir()) {
            (Some(home), _) => Some(PathBuf::from(home)),
            (None, home) => home.map(|home| home.join(".cache/huggingface")),
        };
        let cache = set("HF_HUB_CACHE").map(PathBuf::from);
        let cache = cache.or_else(|| Some(home.as_ref()?.join("hub")));
        let cache = cache.ok_or_else(|| T5Error::Setting {
            setting: "HF_HOME",
            reason: "not set, and there is no home folder for the cache".to_owned(),
        })?;
        let token = set("HF_TOKEN").or_else(|| fs::read_to_string(home?.join("token")).ok());
        let mut hub = Hub::new(&set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()), cache);
        hub.offline = set("HF_HUB_OFFLINE").is_some_and(|value| value != "0");
        match token {
            Some(token) if !token.trim().is_empty() => hub.with_token(&token),
            _ => Ok(hub),
        }
    }

    /// The hub at an address, such as `https://huggingface.co`, and a folder for its cache, which is
    /// made when it is needed.
    pub fn new(endpoint: &str, cache: impl Into<PathBuf>) -> Hub {
        Hub {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: cache.into(),
            token: None,
            offline: false,
            pause: Duration::from_secs(1),
            silence: SILENCE,
        }
    }

    /// With a token, which is sent to the hub alone and not to where it redirects.
    ///
    /// # Errors
    /// [`T5Error::Setting`] for one that is no line of text.
    pub fn with_token(mut self, token: &str) -> Result<Hub> {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| {
                T5Error::Setting { setting: "HF_TOKEN", reason: "no line of text".into() }
            })?;
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// Only what is in the cache, or not.
    pub fn with_offline(mut self, offline: bool) -> Hub {
        self.offline = offline;
        self
    }

    /// With another time between tries, which doubles with each, and another longest silence of the hub
    /// (a second, and a minute).
    pub fn with_patience(mut self, pause: Duration, silence: Duration) -> Hub {
        (self.pause, self.silence) = (pause, silence);
        self
    }

    /// The folder of a checkpoint: `name` is `ORG/NAME`, as on the hub, and `revision` a branch, tag or
    /// commit (`main`). Fetches what is not in the cache; where the hub cannot be reached, a checkpoint
    /// that is whole in the cache will do.
    ///
    /// Blocks; not for a thread that drives an asynchronous runtime.
    ///
    /// # Errors
    /// [`T5Error::Hub`], naming the model and the file; [`T5Error::Io`].
    pub fn checkpoint(&self, name: &str, revision: &str) -> Result<PathBuf> {
        if !is_name(name) {
            return Err(failed(name, "not the name of a model, such as ORG/NAME"));
        }
        if !revision.split('/').all(is_part) {
            return Err(failed(name, &format!("{revision:?} is no revision")));
        }
        let folder = self.cache.join(format!("models--{}", name.replace('/', "--")));
        let reference = folder.join("refs").join(revision);
        let client = Client::builder()
            .timeout(self.silence)
            .connect_timeout(Duration::from_secs(10).min(self.silence))
            .user_agent(concat!("student-t5/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(name, &error.without_url().to_string()))?;
        let asked = if self.offline {
            Err(Failure::Passing("HF_HUB_OFFLINE is set".into()))
        } else {
            self.ask(&client, name, revision)
        };
        let model = match asked {
            Ok(model) => model,
            Err(Failure::Final(reason)) => return Err(failed(name, &reason)),
            Err(Failure::Passing(reason)) => {
                let commit = fs::read_to_string(&reference).unwrap_or_else(|_| revision.to_owned());
                let snapshot = folder.join("snapshots").join(commit.trim());
                if is_part(commit.trim()) && whole(&snapshot) {
                    tracing::warn!(name, reason, "using the cache");
                    return Ok(snapshot);
                }
                return Err(failed(name, &format!("{reason}, and the cache has no whole copy")));
            }
        };
        if !is_part(&model.sha) {
            return Err(failed(name, "the hub names no commit"));
        }
        let snapshot = folder.join("snapshots").join(&model.sha);
        for file in wanted(&model.siblings).map_err(|reason| failed(name, &reason))? {
            self.fetch(&client, name, &model.sha, &file, &folder)?;
        }
        write_atomic(&reference, |writer| writer.write_all(model.sha.as_bytes()))?;
        Ok(snapshot)
    }

    /// Asks which files the model has.
    fn ask(&self, client: &Client, name: &str, revision: &str) -> Result<Model, Failure> {
        let revision = revision.replace('/', "%2F");
        let url = format!("{}/api/models/{name}/revision/{revision}?blobs=true", self.endpoint);
        self.patiently(|| {
            let answer = self.get(client, &url, None)?;
            let body = answer.bytes().map_err(passing)?;
            serde_json::from_slice(&body)
                .map_err(|error| Failure::Final(format!("the list of its files: {error}")))
        })
    }

    /// Fetches one file into the snapshot, if it is not there.
    fn fetch(
        &self,
        client: &Client,
        name: &str,
        commit: &str,
        file: &Sibling,
        folder: &Path,
    ) -> Result<()> {
        let Sibling { rfilename, size, lfs } = file;
        let target = folder.join("snapshots").join(commit).join(rfilename);
        if target.exists() {
            return Ok(());
        }
        let partial = folder.join("partial");
        for folder in [target.parent().unwrap_or(folder), &partial] {
            fs::create_dir_all(folder).map_err(io_error("make folder", folder))?;
        }
        let partial = partial.join(format!("{commit}.{rfilename}"));
        let mut part = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&partial)
            .map_err(io_error("open", &partial))?;
        // One process at a time; the others find the file when they have waited.
        part.lock().map_err(io_error("lock", &partial))?;
        if target.exists() {
            return Ok(());
        }
        let size = lfs.as_ref().and_then(|lfs| lfs.size).or(*size);
        let sum = lfs.as_ref().and_then(|lfs| lfs.sha256.as_deref());
        let url = format!("{}/{name}/resolve/{commit}/{rfilename}", self.endpoint);
        tracing::info!(name, file = rfilename, bytes = size, "fetching");
        let bad = |reason: String| failed(name, &format!("{rfilename}: {reason}"));
        self.patiently(|| self.read(client, &url, &mut part, size)).map_err(|failure| {
            let (Failure::Passing(reason) | Failure::Final(reason)) = failure;
            bad(reason)
        })?;
        let length = part.metadata().map_err(io_error("read", &partial))?.len();
        let mut wrong = match size {
            Some(size) if size != length => Some(format!("{length} bytes came, wanted {size}")),
            _ => None,
        };
        if let (None, Some(sum)) = (&wrong, sum) {
            let found = sha256(&mut part).map_err(io_error("read", &partial))?;
            if !found.eq_ignore_ascii_case(sum) {
                wrong = Some(format!("its SHA-256 is {found}, wanted {sum}"));
            }
        }
        if let Some(reason) = wrong {
            // Nothing of it can be trusted: the next call starts anew.
            fs::remove_file(&partial).map_err(io_error("remove", &partial))?;
            return Err(bad(reason));
        }
        part.sync_all().map_err(io_error("write", &partial))?;
        fs::rename(&partial, &target).map_err(io_error("rename", &partial))
    }

    /// Reads a file to its end, from where `part` ends.
    fn read(
        &self,
        client: &Client,
        url: &str,
        part: &mut File,
        size: Option<u64>,
    ) -> Result<(), Failure> {
        let disk = |error: io::Error| Failure::Final(error.to_string());
        let mut have = part.seek(SeekFrom::End(0)).map_err(disk)?;
        if size.is_some_and(|size| have == size) {
            return Ok(());
        }
        if size.is_some_and(|size| have > size) {
            part.set_len(0).map_err(disk)?;
            have = 0;
        }
        let answer = self.get(client, url, (have > 0).then_some(have));
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                // What is there may be longer than the file: another time without it.
                if have > 0 && size.is_none() {
                    part.set_len(0).map_err(disk)?;
                }
                return Err(failure);
            }
        };
        if have > 0 {
            let range = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
            let goes_on = answer.status() == StatusCode::PARTIAL_CONTENT
                && range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
            if !goes_on {
                // It was not asked for from here: this is the whole file, or nothing of use.
                part.set_len(0).map_err(disk)?;
                if answer.status() != StatusCode::OK {
                    return Err(Failure::Passing("answered with another range".into()));
                }
                have = 0;
            }
        }
        let promised = answer.content_length().map(|length| have + length);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = answer.read(&mut buffer).map_err(|error| Failure::Passing(cut(&error)))?;
            if count == 0 {
                break;
            }
            part.write_all(&buffer[..count]).map_err(disk)?;
            have += count as u64;
            if size.is_some_and(|size| have > size) {
                // Told by its length below.
                return Ok(());
            }
        }
        match promised {
            Some(promised) if have < promised => {
                Err(Failure::Passing(format!("ended after {have} of {promised} bytes")))
            }
            _ => Ok(()),
        }
    }

    /// One request; an answer that is none of success is a failure.
    fn get(&self, client: &Client, url: &str, from: Option<u64>) -> Result<Response, Failure> {
        let mut request = client.get(url);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let Some(from) = from {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let answer = request.send().map_err(passing)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let reason = format!("the hub answers {status}");
        Err(match status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::RANGE_NOT_SATISFIABLE => Failure::Passing(reason),
            _ if status.is_server_error() => Failure::Passing(reason),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Final(format!(
                "{reason}: no such model, or one that asks for a token (HF_TOKEN) that may read it"
            )),
            _ => Failure::Final(reason),
        })
    }

    fn patiently<T>(
        &self,
        mut work: impl FnMut() -> Result<T, Failure>,
    ) -> std::result::Result<T, Failure> {
        let mut pause = self.pause;
        for _ in 1..TRIES {
            match work() {
                Err(Failure::Passing(reason)) => {
                    tracing::debug!(reason, "trying again");
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                other => return other,
            }
        }
        work()
    }
}

/// What to fetch of the files that a model has.
fn wanted(all: &[Sibling]) -> std::result::Result<Vec<Sibling>, String> {
    let find = |name: &str| all.iter().find(|file| file.rfilename == name).cloned();
    let mut files: Vec<Sibling> = FILES.into_iter().filter_map(find).collect();
    if files.first().is_none_or(|file| file.rfilename != FILES[0]) {
        return Err(format!("has no {}", FILES[0]));
    }
    let found = WEIGHTS.into_iter().find_map(|(name, shards)| Some((find(name)?, shards)));
    let (weights, shards) = found.ok_or("has neither model.safetensors nor pytorch_model.bin")?;
    if let Some(ending) = shards {
        let stem = weights.rfilename.split('.').next().unwrap_or_default().to_owned();
        files.extend(
            all.iter()
                .filter(|file| {
                    let name = &file.rfilename;
                    name.starts_with(&format!("{stem}-")) && name.ends_with(ending) && is_part(name)
                })
                .cloned(),
        );
    }
    files.push(weights);
    Ok(files)
}

/// Whether a folder holds a checkpoint: its configuration, and weights or an index with all its shards.
fn whole(snapshot: &Path) -> bool {
    let index = |file: &str| -> bool {
        #[derive(Deserialize)]
        struct Index {
            weight_map: std::collections::HashMap<String, String>,
        }
        fs::read(snapshot.join(file))
            .ok()
            .and_then(|text| serde_json::from_slice::<Index>(&text).ok())
            .is_some_and(|index| {
                index
                    .weight_map
                    .values()
                    .all(|shard| is_part(shard) && snapshot.join(shard).exists())
            })
    };
    let there = |(file, shards): (&str, Option<&str>)| match shards {
        None => snapshot.join(file).exists(),
        Some(_) => index(file),
    };
    snapshot.join(FILES[0]).exists() && WEIGHTS.into_iter().any(there)
}

/// Whether a text can be the name of a model: one or two parts.
pub(crate) fn is_name(name: &str) -> bool {
    name.split('/').count() <= 2 && name.split('/').all(is_part)
}

/// Whether a text can be one part of a path, and of a URL.
fn is_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
}

fn sha256(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => sum.update(&buffer[..count]),
        }
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An error of the connection, without the address: it may hold a password.
fn passing(error: reqwest::Error) -> Failure {
    Failure::Passing(causes(&error.without_url()))
}

fn cut(error: &io::Error) -> String {
    format!("the download broke off: {}", causes(error))
}

/// An error and what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn failed(name: &str, reason: &str) -> T5Error {
    T5Error::Hub { name: name.to_owned(), reason: reason.to_owned() }
}
