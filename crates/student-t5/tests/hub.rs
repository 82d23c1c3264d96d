//! Checkpoints by name, from a server on this machine that serves as a hub does and fails as networks do.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use student_t5::hub::Hub;
use student_t5::{T5, T5Config};
use tch::Device;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_never_to_be_seen";

/// What the server does with a file, besides sending it.
#[derive(Clone, Default)]
struct Served {
    bytes: Vec<u8>,
    /// The size in the list of files, where it is not the true one.
    stated: Option<usize>,
    /// The SHA-256 in the list of files.
    sum: Option<String>,
    /// How many answers break off after half of what they promise.
    breaks: usize,
    /// Answers with the whole file whatever range is asked for.
    no_ranges: bool,
    /// Leads to another server first.
    redirect: Option<String>,
    /// Answers so instead.
    status: Option<&'static str>,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Served>,
    /// Requests: path, range, whether the token came with it.
    log: Vec<(String, Option<String>, bool)>,
}

/// A server of one model, `org/model`.
struct Server {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || drop(answer(stream, &shared)));
            }
        });
        Server { address, state }
    }

    /// A server with a whole checkpoint.
    fn with_checkpoint() -> Server {
        let server = Server::start();
        let folder = tempfile::tempdir().unwrap();
        let config = T5Config {
            vocab_size: 300,
            d_model: 16,
            d_kv: 4,
            d_ff: 24,
            num_layers: 1,
            num_heads: 2,
            ..T5Config::default()
        };
        T5::new(config, 1, Device::Cpu).unwrap().save(folder.path()).unwrap();
        for file in ["config.json", "model.safetensors"] {
            server.serve(file, fs::read(folder.path().join(file)).unwrap());
        }
        // What is no part of a checkpoint is not fetched.
        server.serve("README.md", b"# A model".to_vec());
        server.serve("../../escape.json", b"{}".to_vec());
        server
    }

    fn serve(&self, file: &str, bytes: Vec<u8>) {
        let sum = Some(hex(&bytes));
        let served = Served { bytes, sum, ..Served::default() };
        self.state.lock().unwrap().files.insert(file.to_owned(), served);
    }

    fn change(&self, file: &str, change: impl FnOnce(&mut Served)) {
        change(self.state.lock().unwrap().files.get_mut(file).unwrap());
    }

    /// The requests for a file.
    fn requests(&self, file: &str) -> Vec<(Option<String>, bool)> {
        let path = format!("/org/model/resolve/{COMMIT}/{file}");
        let log = &self.state.lock().unwrap().log;
        let of = log.iter().filter(|(asked, ..)| *asked == path);
        of.map(|(_, range, token)| (range.clone(), *token)).collect()
    }

    fn hub(&self, cache: &Path) -> Hub {
        Hub::new(&self.address, cache)
            .with_token(TOKEN)
            .unwrap()
            .with_patience(Duration::from_millis(5), Duration::from_secs(20))
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads one request and answers it; then the connection ends.
fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let (mut range, mut token) = (None, false);
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap();
        if name.eq_ignore_ascii_case("range") {
            range = Some(value.to_owned());
        }
        token |= name.eq_ignore_ascii_case("authorization") && value == format!("Bearer {TOKEN}");
    }
    let mut state = state.lock().unwrap();
    state.log.push((path.clone(), range.clone(), token));
    let head = |status: &str, more: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
    };
    if path.starts_with("/api/models/org/model/revision/main") {
        let siblings: Vec<Value> = state
            .files
            .iter()
            .map(|(name, file)| {
                let size = file.stated.unwrap_or(file.bytes.len());
                json!({"rfilename": name, "size": size, "lfs": {"sha256": file.sum, "size": size}})
            })
            .collect();
        let body = json!({"id": "org/model", "sha": COMMIT, "siblings": siblings}).to_string();
        return write!(stream, "{}{body}", head("200 OK", "", body.len()));
    }
    let prefix = format!("/org/model/resolve/{COMMIT}/");
    let Some(file) = path.strip_prefix(&prefix).and_then(|name| state.files.get_mut(name)) else {
        return write!(stream, "{}", head("404 Not Found", "", 0));
    };
    if let Some(status) = file.status {
        return write!(stream, "{}", head(status, "", 0));
    }
    if let Some(other) = &file.redirect {
        let more = format!("Location: {other}{path}\r\n");
        return write!(stream, "{}", head("302 Found", &more, 0));
    }
    let length = file.bytes.len();
    let from = range.filter(|_| !file.no_ranges).map(|range| {
        range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse::<usize>().unwrap()
    });
    let (from, status, more) = match from {
        Some(from) if from < length => {
            let range = format!("Content-Range: bytes {from}-{}/{length}\r\n", length - 1);
            (from, "206 Partial Content", range)
        }
        Some(_) => return write!(stream, "{}", head("416 Range Not Satisfiable", "", 0)),
        None => (0, "200 OK", String::new()),
    };
    let mut rest = &file.bytes[from..];
    write!(stream, "{}", head(status, &more, rest.len()))?;
    if file.breaks > 0 {
        file.breaks -= 1;
        rest = &rest[..rest.len() / 2];
    }
    stream.write_all(rest)
}

/// Every file below a folder, with its path in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_checkpoint_is_fetched_once_and_read() {
    let server = Server::with_checkpoint();
    let cache = tempfile::tempdir().unwrap();
    let hub = server.hub(cache.path());
    let folder = hub.checkpoint("org/model", "main").unwrap();
    T5::load(&folder, Device::Cpu).unwrap();
    assert_eq!(
        files(cache.path()),
        [
            "models--org--model/refs/main".to_owned(),
            format!("models--org--model/snapshots/{COMMIT}/config.json"),
            format!("models--org--model/snapshots/{COMMIT}/model.safetensors"),
        ]
    );
    assert_eq!(server.requests("model.safetensors"), [(None, true)]);
    assert_eq!(hub.checkpoint("org/model", "main").unwrap(), folder);
    assert_eq!(server.requests("model.safetensors").len(), 1);
    // Without a network, and where the hub is away.
    let offline = hub.clone().with_offline(true);
    assert_eq!(offline.checkpoint("org/model", "main").unwrap(), folder);
    let away = Hub::new("http://127.0.0.1:9", cache.path())
        .with_patience(Duration::from_millis(1), Duration::from_secs(5));
    assert_eq!(away.checkpoint("org/model", "main").unwrap(), folder);
    let error = away.checkpoint("org/other", "main").unwrap_err().to_string();
    assert!(error.contains("model org/other: ") && error.contains("no whole copy"), "{error}");
    // A cache that lacks a file is not whole.
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    assert!(offline.checkpoint("org/model", "main").is_err());
}

#[test]
fn an_interrupted_download_goes_on_where_it_ended() {
    let server = Server::with_checkpoint();
    let length = server.state.lock().unwrap().files["model.safetensors"].bytes.len();
    server.change("model.safetensors", |file| file.breaks = 2);
    let cache = tempfile::tempdir().unwrap();
    let folder = server.hub(cache.path()).checkpoint("org/model", "main").unwrap();
    T5::load(&folder, Device::Cpu).unwrap();
    let half = length / 2;
    let more = half + (length - half) / 2;
    let ranges: Vec<Option<String>> =
        server.requests("model.safetensors").into_iter().map(|(range, _)| range).collect();
    assert_eq!(ranges, [None, Some(format!("bytes={half}-")), Some(format!("bytes={more}-"))]);
}

#[test]
fn what_a_call_left_is_used_by_the_next() {
    let server = Server::with_checkpoint();
    server.change("model.safetensors", |file| file.breaks = 100);
    let cache = tempfile::tempdir().unwrap();
    let hub = server.hub(cache.path());
    let error = hub.checkpoint("org/model", "main").unwrap_err().to_string();
    assert!(error.contains("model org/model: model.safetensors: "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let partial = format!("models--org--model/partial/{COMMIT}.model.safetensors");
    let config = format!("models--org--model/snapshots/{COMMIT}/config.json");
    assert_eq!(files(cache.path()), [partial.clone(), config]);
    let have = fs::metadata(cache.path().join(&partial)).unwrap().len();
    server.change("model.safetensors", |file| file.breaks = 0);
    let folder = hub.checkpoint("org/model", "main").unwrap();
    T5::load(&folder, Device::Cpu).unwrap();
    let last = server.requests("model.safetensors").pop().unwrap();
    assert_eq!(last.0, Some(format!("bytes={have}-")));
    assert!(!cache.path().join(partial).exists());
}

#[test]
fn a_server_without_ranges_starts_anew() {
    let server = Server::with_checkpoint();
    server.change("model.safetensors", |file| (file.breaks, file.no_ranges) = (1, true));
    let cache = tempfile::tempdir().unwrap();
    let folder = server.hub(cache.path()).checkpoint("org/model", "main").unwrap();
    T5::load(&folder, Device::Cpu).unwrap();
    assert_eq!(server.requests("model.safetensors").len(), 2);
}

#[test]
fn a_redirect_is_followed_without_the_token() {
    let (server, store) = (Server::with_checkpoint(), Server::start());
    let bytes = server.state.lock().unwrap().files["model.safetensors"].bytes.clone();
    store.serve("model.safetensors", bytes);
    // Another host by name, as storage is.
    let address = store.address.replace("127.0.0.1", "localhost");
    server.change("model.safetensors", |file| file.redirect = Some(address));
    let cache = tempfile::tempdir().unwrap();
    let folder = server.hub(cache.path()).checkpoint("org/model", "main").unwrap();
    T5::load(&folder, Device::Cpu).unwrap();
    assert_eq!(server.requests("model.safetensors"), [(None, true)]);
    assert_eq!(store.requests("model.safetensors"), [(None, false)]);
}

#[test]
fn what_is_not_as_stated_gets_no_name() {
    let wrong = "0".repeat(64);
    type Change = Box<dyn Fn(&mut Served)>;
    let changes: [(&str, Change); 3] = [
        ("wanted 7", Box::new(|file| file.stated = Some(7))),
        ("bytes came, wanted 9999999", Box::new(|file| file.stated = Some(9_999_999))),
        ("its SHA-256 is", Box::new(move |file| file.sum = Some(wrong.clone()))),
    ];
    for (says, change) in changes {
        let server = Server::with_checkpoint();
        server.change("model.safetensors", change);
        let cache = tempfile::tempdir().unwrap();
        let error = server.hub(cache.path()).checkpoint("org/model", "main").unwrap_err();
        let error = error.to_string();
        assert!(error.contains("model org/model: model.safetensors: "), "{error}");
        assert!(error.contains(says), "{says}: {error}");
        assert_eq!(server.requests("model.safetensors").len(), 1, "{says}");
        // Neither under its name nor as something to go on from.
        assert!(!files(cache.path()).iter().any(|file| file.contains("safetensors")), "{says}");
    }
}

#[test]
fn errors_name_the_model_and_the_file_and_never_the_token() {
    let cache = tempfile::tempdir().unwrap();
    let statuses = [("404 Not Found", 1), ("401 Unauthorized", 1), ("503 Service Unavailable", 4)];
    for (status, asked) in statuses {
        let server = Server::with_checkpoint();
        server.change("model.safetensors", |file| file.status = Some(status));
        let hub = server.hub(cache.path());
        let error = hub.checkpoint("org/model", "main").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("model org/model: model.safetensors: the hub answers"), "{text}");
        assert!(text.contains(status), "{text}");
        assert_eq!(server.requests("model.safetensors").len(), asked, "{status}");
        assert!(!format!("{text} {error:?} {hub:?}").contains(TOKEN));
    }
    let server = Server::with_checkpoint();
    let hub = server.hub(cache.path());
    for (name, revision, says) in [
        ("org/none", "main", "the hub answers 404"),
        ("org/model", "old", "the hub answers 404"),
        ("../model", "main", "not the name of a model"),
        ("a/b/c", "main", "not the name of a model"),
        ("org/model?x", "main", "not the name of a model"),
        ("", "main", "not the name of a model"),
        ("org/model", "../main", "is no revision"),
    ] {
        let error = hub.checkpoint(name, revision).unwrap_err().to_string();
        assert!(error.contains(says), "{name} {revision}: {error}");
    }
    let error = hub.clone().with_token("two\nlines").unwrap_err().to_string();
    assert!(error.contains("HF_TOKEN") && !error.contains("lines"), "{error}");
    // A model without weights, and one without a configuration.
    server.state.lock().unwrap().files.remove("model.safetensors");
    let error = hub.checkpoint("org/model", "main").unwrap_err().to_string();
    assert!(error.contains("neither model.safetensors nor pytorch_model.bin"), "{error}");
    server.state.lock().unwrap().files.remove("config.json");
    let error = hub.checkpoint("org/model", "main").unwrap_err().to_string();
    assert!(error.contains("has no config.json"), "{error}");
}

#[test]
fn shards_come_with_their_index() {
    let server = Server::with_checkpoint();
    let mut state = server.state.lock().unwrap();
    let whole = state.files.remove("model.safetensors").unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&whole.bytes).unwrap();
    let shard = "model-00001-of-00001.safetensors";
    let map: HashMap<String, &str> =
        header.tensors().into_keys().map(|name| (name, shard)).collect();
    drop(state);
    server.serve(shard, whole.bytes);
    let index = json!({"metadata": {}, "weight_map": map}).to_string();
    server.serve("model.safetensors.index.json", index.into_bytes());
    // Both forms: one is enough.
    server.serve("pytorch_model.bin", b"not fetched".to_vec());
    let cache = tempfile::tempdir().unwrap();
    let hub = server.hub(cache.path());
    let folder = hub.checkpoint("org/model", "main").unwrap();
    T5::load(&folder, Device::Cpu).unwrap();
    assert!(server.requests("pytorch_model.bin").is_empty());
    fs::remove_file(folder.join(shard)).unwrap();
    assert!(hub.with_offline(true).checkpoint("org/model", "main").is_err());
}
