//! Batches: requests as files of the OpenAI Batch format, and their results as a teacher.
//!
//! A hosted batch costs half the price, and `vllm run-batch` needs no server. Two teachers make
//! them part of an ordinary run:
//!
//! 1. [`Teaching`](crate::Teaching) over `Cached<BatchRequests>` writes a line for every request that
//!    the log lacks, with the request's key as `custom_id`.
//! 2. The user submits the files with a client of their own.
//! 3. [`Teaching`](crate::Teaching) over `Cached<BatchResults>` answers from the result and error
//!    files, logs every reply, and makes the lessons. What the batch did not answer is asked next
//!    time: by another batch or by a server.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use distill_core::jsonl::{BadLine, JsonlError, io_error};
use distill_core::lines::{MAX_LINE, read_line};
use distill_core::{Completion, Reply, Request, Teacher, TeacherError};
use serde::Serialize;

use crate::body::{RequestBody, excerpt, read_completion};
use crate::json::{count, fields, string};
use crate::key::packed;
use crate::{Error, request_key};

/// How request files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOptions {
    /// Most requests in a file.
    pub max_requests: usize,
    /// Most bytes in a file.
    pub max_bytes: u64,
    /// The address that each line names.
    pub url: String,
    /// The name under which `max_tokens` is sent, as in [`ChatOptions`](crate::ChatOptions).
    pub max_tokens_field: String,
}

impl Default for BatchOptions {
    /// OpenAI's limits: 50,000 requests and 200 MB a file, for `/v1/chat/completions`.
    fn default() -> BatchOptions {
        BatchOptions {
            max_requests: 50_000,
            max_bytes: 200_000_000,
            url: "/v1/chat/completions".into(),
            max_tokens_field: "max_tokens".into(),
        }
    }
}

/// A teacher that writes each request it is asked into files for a batch, and answers none
/// ([`TeacherError::NotLogged`]).
///
/// A request is written once, however often it is asked. A file holds requests to one model and is
/// split at the limits. Until [`finish`](Self::finish) the files in work end in `.part`, so that no
/// half of one is submitted. Keeps 16 bytes a request.
#[derive(Debug)]
pub struct BatchRequests {
    folder: PathBuf,
    options: BatchOptions,
    state: Mutex<Writing>,
}

#[derive(Debug, Default)]
struct Writing {
    written: BTreeSet<[u8; 16]>,
    /// The file in work for each model.
    open: BTreeMap<String, Part>,
    done: Vec<PathBuf>,
    started: usize,
    finished: bool,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: BufWriter<File>,
    requests: usize,
    bytes: u64,
}

/// A line of a request file.
#[derive(Serialize)]
struct BatchLine<'a> {
    custom_id: &'a str,
    method: &'static str,
    url: &'a str,
    body: RequestBody<'a>,
}

impl BatchRequests {
    /// Writes `requests-0001.jsonl` and so on into `folder`, which is made.
    ///
    /// # Errors
    /// [`Error::Setting`] where the folder holds request files already: submitted again they would
    /// be paid for again. [`Error::Log`] where it cannot be made or read.
    pub fn create(folder: &Path, options: BatchOptions) -> Result<BatchRequests, Error> {
        fs::create_dir_all(folder).map_err(io_error("make folder", folder))?;
        for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
            let name = entry.map_err(io_error("read", folder))?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("requests-") && name.ends_with(".jsonl") {
                return Err(Error::Setting {
                    setting: "batch folder",
                    reason: format!("{} holds {name} already; expected none", folder.display()),
                });
            }
        }
        Ok(BatchRequests { folder: folder.to_owned(), options, state: Mutex::default() })
    }

    /// Ends the last files and gives all of them, in order.
    ///
    /// # Errors
    /// [`Error::Log`] where a file cannot be written to its end.
    pub fn finish(&self) -> Result<Vec<PathBuf>, Error> {
        let mut state = self.lock();
        state.finished = true;
        for part in std::mem::take(&mut state.open).into_values() {
            state.done.push(part.end()?);
        }
        state.done.sort();
        Ok(state.done.clone())
    }

    /// Number of requests written.
    pub fn written(&self) -> usize {
        self.lock().written.len()
    }

    /// Writes a request unless it is written already.
    fn write(&self, key: &str, request: &Request) -> Result<(), String> {
        let mut line = serde_json::to_vec(&BatchLine {
            custom_id: key,
            method: "POST",
            url: &self.options.url,
            body: RequestBody {
                request,
                max_tokens_field: &self.options.max_tokens_field,
                as_text: !self.options.url.ends_with("/chat/completions"),
            },
        })
        .map_err(|error| format!("request has no JSON form: {error}"))?;
        line.push(b'\n');
        let length = line.len() as u64;
        if length > self.options.max_bytes {
            let most = self.options.max_bytes;
            return Err(format!("a request of {length} bytes, at most {most} go into a file"));
        }
        let mut state = self.lock();
        if state.finished {
            return Err("the batch is finished".into());
        }
        if !state.written.insert(packed(key)) {
            return Ok(());
        }
        let fits = |part: &Part| {
            part.requests < self.options.max_requests.max(1)
                && part.bytes + length <= self.options.max_bytes
        };
        if state.open.get(&request.model).is_none_or(|part| !fits(part)) {
            state.started += 1;
            let path = self.folder.join(format!("requests-{:04}.jsonl", state.started));
            let part = Part::begin(path).map_err(|error| error.to_string())?;
            if let Some(full) = state.open.insert(request.model.clone(), part) {
                let path = full.end().map_err(|error| error.to_string())?;
                state.done.push(path);
            }
        }
        let Some(part) = state.open.get_mut(&request.model) else { return Ok(()) };
        part.requests += 1;
        part.bytes += length;
        part.file.write_all(&line).map_err(|error| io_error("write", &part.path)(error).to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Writing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    fn begin(path: PathBuf) -> Result<Part, JsonlError> {
        let file = File::create(part_of(&path)).map_err(io_error("write", &path))?;
        Ok(Part { path, file: BufWriter::new(file), requests: 0, bytes: 0 })
    }

    fn end(self) -> Result<PathBuf, JsonlError> {
        let ended = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(part_of(&self.path), &self.path));
        ended.map_err(io_error("write", &self.path))?;
        Ok(self.path)
    }
}

fn part_of(path: &Path) -> PathBuf {
    path.with_extension("jsonl.part")
}

impl Teacher for BatchRequests {
    fn name(&self) -> &str {
        "batch"
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        let key = request_key(request);
        let error = match self.write(&key, request) {
            Ok(()) => TeacherError::NotLogged { key, problem: request.problem.id.clone() },
            Err(reason) => TeacherError::Local(format!("batch file: {reason}")),
        };
        Box::pin(std::future::ready(Err(error)))
    }
}

/// A line of a result or error file.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchResult {
    /// The request's key.
    pub custom_id: String,
    /// The reply, or the error in its place ([`TeacherError::Batch`]).
    pub outcome: Result<Completion, TeacherError>,
}

/// Reads a line of a result or error file, of OpenAI's, vLLM's or another's making.
///
/// The reply is the `body` of a `response` whose status is 2xx or missing; what stands in its place
/// (`error`, a body with an error, an unreadable body) is the error.
///
/// # Errors
/// What is wrong with a line that is no JSON object with a `custom_id`.
pub fn read_batch_result(line: &[u8]) -> Result<BatchResult, String> {
    let parts = Parts::read(line)?;
    let outcome = parts.outcome().map_err(|(_, reason)| TeacherError::Batch(reason));
    Ok(BatchResult { custom_id: parts.custom_id, outcome })
}

/// The parts of a result line, none read in depth.
struct Parts<'a> {
    custom_id: String,
    status: Option<u64>,
    body: Option<&'a str>,
    error: Option<&'a str>,
}

impl Parts<'_> {
    fn read(line: &[u8]) -> Result<Parts<'_>, String> {
        let text = std::str::from_utf8(line)
            .map_err(|error| format!("not UTF-8 (byte {})", error.valid_up_to() + 1))?;
        let text = text.trim_start_matches('\u{feff}');
        let [custom_id, response, error] =
            fields(text, ["custom_id", "response", "error"]).map_err(|error| error.to_string())?;
        let custom_id = custom_id.and_then(string).ok_or("no `custom_id`")?;
        let [status, body] = match response {
            Some(response) => {
                fields(response, ["status_code", "body"]).map_err(|e| format!("response: {e}"))?
            }
            None => [None, None],
        };
        Ok(Parts { custom_id, status: status.and_then(count), body, error })
    }

    /// The reply, or the class and the words of what stands in its place.
    fn outcome(&self) -> Result<Completion, (String, String)> {
        match self.failure() {
            Some(failure) => Err(failure),
            None => read_completion(self.body.unwrap_or_default().as_bytes())
                .map_err(|error| ("unreadable".to_owned(), error.to_string())),
        }
    }

    /// The class and the words of an error.
    fn failure(&self) -> Option<(String, String)> {
        let bad_status = self.status.filter(|status| !(200..300).contains(status));
        if self.error.is_none() && bad_status.is_none() && self.body.is_some() {
            return None;
        }
        // vLLM wraps its error once more; a body of an error status holds one.
        let inner = |json: Option<&'_ str>| -> Option<String> {
            let json = json?;
            let nested = fields(json, ["error"]).ok().and_then(|[error]| error);
            Some(nested.unwrap_or(json).to_owned())
        };
        let error = inner(self.error).or_else(|| inner(self.body));
        let status = bad_status.map(|status| format!("status {status}"));
        let (code, words) = match &error {
            None => (None, None),
            Some(error) => match fields(error, ["code", "type", "message"]) {
                Ok([code, kind, message]) => {
                    (code.and_then(string).or(kind.and_then(string)), message.and_then(string))
                }
                Err(_) => (None, string(error)),
            },
        };
        let class = code.or_else(|| status.clone()).unwrap_or_else(|| "no response".into());
        let parts = [status, words.or(error)].into_iter().flatten();
        let words = parts.collect::<Vec<_>>().join(": ");
        let class = excerpt(&class);
        let reason = match words.is_empty() || words == class {
            true => class.clone(),
            false => format!("{class}: {}", excerpt(&words)),
        };
        Some((class, reason))
    }
}

/// What result files hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// Requests with a reply.
    pub replies: usize,
    /// Requests with nothing but an error, by its code or status; codes beyond the fiftieth are
    /// counted as `other`.
    pub failed: BTreeMap<String, usize>,
    /// Lines that are no result.
    pub damaged: usize,
    /// Requests answered from the files so far. Where fewer than there are replies when a run is
    /// over, the others belong to requests that were not made: of other prompts or problems.
    pub answered: usize,
}

/// A teacher that answers from the result and error files of a batch.
///
/// The order of the lines does not matter, nor that some are missing: a request without a line is
/// [`TeacherError::NotLogged`], one with an error [`TeacherError::Batch`], and both may be asked
/// again elsewhere. Of several lines for one request a reply counts before an error, and the first
/// before the next. Keeps about 60 bytes a line; replies are read from the files when asked for.
#[derive(Debug)]
pub struct BatchResults {
    name: String,
    files: Vec<(PathBuf, Mutex<File>)>,
    index: BTreeMap<[u8; 16], Found>,
    counts: BatchCounts,
    damaged: Vec<BadLine>,
    answered: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    start: u64,
    length: u32,
    file: u16,
    is_reply: bool,
}

impl BatchResults {
    /// Opens these files as the teacher `name` (the model's). A line that is no result is passed
    /// over and [counted](Self::counts).
    ///
    /// # Errors
    /// [`JsonlError::Io`] where a file cannot be read.
    pub fn open(
        name: impl Into<String>,
        files: impl IntoIterator<Item = PathBuf>,
    ) -> Result<BatchResults, JsonlError> {
        const CLASSES: usize = 50;
        const MOST_TOLD: usize = 100;
        let mut results = BatchResults {
            name: name.into(),
            files: Vec::new(),
            index: BTreeMap::new(),
            counts: BatchCounts::default(),
            damaged: Vec::new(),
            answered: AtomicUsize::new(0),
        };
        // Class of each request that has only an error so far.
        let mut failed: HashMap<[u8; 16], u8> = HashMap::new();
        let mut classes: Vec<String> = Vec::new();
        for path in files {
            let file = File::open(&path).map_err(io_error("open", &path))?;
            let number = u16::try_from(results.files.len())
                .map_err(|_| io_error("open", &path)(io::Error::other("more than 65,536 files")))?;
            let mut reader = BufReader::with_capacity(1 << 16, &file);
            let (mut line, mut start, mut at) = (Vec::new(), 0, 0);
            while let Some(read) =
                read_line(&mut reader, &mut line, MAX_LINE).map_err(io_error("read", &path))?
            {
                at += 1;
                let place = start;
                start += read.length;
                let parts = if read.is_too_long(&line) {
                    Err(format!("a line of {} bytes, at most {MAX_LINE} expected", read.length))
                } else if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                } else {
                    Parts::read(&line)
                };
                let (key, failure) = match parts {
                    Ok(parts) => (packed(&parts.custom_id), parts.outcome().err()),
                    Err(reason) => {
                        let bad = BadLine { path: path.clone(), line: at, reason };
                        tracing::warn!("damaged result passed over: {bad}");
                        results.counts.damaged += 1;
                        if results.damaged.len() < MOST_TOLD {
                            results.damaged.push(bad);
                        }
                        continue;
                    }
                };
                let known = results.index.get(&key);
                let is_reply = failure.is_none();
                if known.is_some_and(|known| known.is_reply || !is_reply) {
                    continue;
                }
                let length = read.length as u32; // at most MAX_LINE
                results.index.insert(key, Found { start: place, length, file: number, is_reply });
                match failure {
                    None => _ = failed.remove(&key),
                    Some((class, _)) => {
                        let found = classes.iter().position(|known| *known == class);
                        let class = found.unwrap_or_else(|| {
                            if classes.len() < CLASSES {
                                classes.push(class);
                            }
                            classes.len() - 1
                        });
                        failed.insert(key, class as u8);
                    }
                }
            }
            drop(reader);
            results.files.push((path, Mutex::new(file)));
        }
        results.counts.replies = results.index.len() - failed.len();
        for class in failed.into_values() {
            let class = classes.get(usize::from(class)).cloned().unwrap_or_default();
            *results.counts.failed.entry(class).or_default() += 1;
        }
        Ok(results)
    }

    /// What the files hold, and how much of it was asked for.
    pub fn counts(&self) -> BatchCounts {
        BatchCounts { answered: self.answered.load(Ordering::Relaxed), ..self.counts.clone() }
    }

    /// The lines that are no result, the first hundred of them.
    pub fn damaged(&self) -> &[BadLine] {
        &self.damaged
    }

    fn answer(&self, request: &Request) -> Result<Completion, TeacherError> {
        let key = request_key(request);
        let Some(found) = self.index.get(&packed(&key)) else {
            return Err(TeacherError::NotLogged { key, problem: request.problem.id.clone() });
        };
        let (path, file) = &self.files[usize::from(found.file)];
        let mut line = vec![0; found.length as usize];
        let read = {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(found.start)).and_then(|_| file.read_exact(&mut line))
        };
        let local = |reason: String| TeacherError::Local(format!("batch results: {reason}"));
        read.map_err(|error| local(io_error("read", path)(error).to_string()))?;
        let changed = || local(format!("{} was changed while it was read", path.display()));
        let result = read_batch_result(&line).map_err(|_| changed())?;
        if result.custom_id != key {
            return Err(changed());
        }
        let completion = result.outcome?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        Ok(completion)
    }
}

impl Teacher for BatchResults {
    fn name(&self) -> &str {
        &self.name
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(std::future::ready(self.answer(request)))
    }
}

#[cfg(test)]
mod tests {
    use distill_core::{Language, Problem, Sampling};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::PromptBuilder;

    fn request(at: usize) -> Request {
        let sampling = Sampling { max_tokens: Some(99), seed: Some(1), ..Sampling::default() };
        let problem = Problem::new(format!("p{at}"), Language::Python, format!("Add {at}."));
        PromptBuilder::new("m").sampling(sampling).sample(&problem, 1).unwrap()
    }

    fn write(requests: &BatchRequests, request: &Request) -> TeacherError {
        let answer = requests.complete(request);
        futures_util::FutureExt::now_or_never(answer).unwrap().unwrap_err()
    }

    #[test]
    fn a_request_file_holds_each_request_once_as_it_would_be_sent() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("batch");
        let requests = BatchRequests::create(&folder, BatchOptions::default()).unwrap();
        for at in [0, 1, 0] {
            assert!(matches!(write(&requests, &request(at)), TeacherError::NotLogged { .. }));
        }
        assert!(!folder.join("requests-0001.jsonl").exists(), "not while it is written");
        let files = requests.finish().unwrap();
        assert_eq!(files, [folder.join("requests-0001.jsonl")]);
        let text = fs::read_to_string(&files[0]).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), requests.written()), (2, 2));
        let messages = serde_json::to_value(&request(1).messages).unwrap();
        let body = json!({"model": "m", "messages": messages, "seed": 2, "max_tokens": 99});
        let expected = json!({"custom_id": request_key(&request(1)), "method": "POST",
            "url": "/v1/chat/completions", "body": body});
        assert_eq!(lines[1], expected);
        let late = write(&requests, &request(7));
        assert_eq!(late.to_string(), "batch file: the batch is finished");
        let again = BatchRequests::create(&folder, BatchOptions::default()).unwrap_err();
        assert!(again.to_string().contains("requests-0001.jsonl already"), "{again}");
    }

    #[test]
    fn files_are_split_at_both_limits_and_by_model() {
        let folder = tempfile::tempdir().unwrap();
        let count = |name: &str, options: BatchOptions| -> Vec<usize> {
            let requests = BatchRequests::create(&folder.path().join(name), options).unwrap();
            for at in 0..10 {
                write(&requests, &request(at));
            }
            let files = requests.finish().unwrap();
            let text = files.iter().map(|file| fs::read_to_string(file).unwrap());
            text.map(|text| text.lines().count()).collect()
        };
        let options = BatchOptions::default();
        assert_eq!((options.max_requests, options.max_bytes), (50_000, 200_000_000));
        assert_eq!(count("a", BatchOptions { max_requests: 4, ..options.clone() }), [4, 4, 2]);
        assert_eq!(count("b", options.clone()), [10]);
        let line = fs::metadata(folder.path().join("b/requests-0001.jsonl")).unwrap().len() / 10;
        let max_bytes = line * 3;
        assert_eq!(count("c", BatchOptions { max_bytes, ..options.clone() }), [3, 3, 3, 1]);
        assert_eq!(count("d", BatchOptions { max_bytes: 50, ..options.clone() }), [0; 0]);
        let requests = BatchRequests::create(&folder.path().join("e"), options).unwrap();
        for model in ["x", "y", "x"] {
            write(&requests, &Request { model: model.into(), ..request(model.len()) });
        }
        assert_eq!(requests.finish().unwrap().len(), 2);
    }

    fn line(id: &str, response: Value, error: Value) -> String {
        json!({"id": "batch_req_1", "custom_id": id, "response": response, "error": error})
            .to_string()
    }

    fn reply(text: &str) -> Value {
        json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    }

    #[test]
    fn errors_are_told_in_the_words_of_every_maker() {
        let reason = |line: String| match read_batch_result(line.as_bytes()).unwrap().outcome {
            Err(TeacherError::Batch(reason)) => reason,
            other => panic!("{other:?}"),
        };
        // OpenAI: a request that was not run before the batch expired, one that was refused.
        let expired = json!({"code": "batch_expired", "message": "not executed in time"});
        assert_eq!(reason(line("a", Value::Null, expired)), "batch_expired: not executed in time");
        let body =
            json!({"error": {"message": "bad", "type": "invalid_request_error", "code": null}});
        let refused = json!({"status_code": 400, "request_id": "r", "body": body});
        assert_eq!(
            reason(line("a", refused, Value::Null)),
            "invalid_request_error: status 400: bad"
        );
        // vLLM: an ErrorResponse, and the text of an exception.
        let error =
            json!({"error": {"message": "too long", "type": "BadRequestError", "code": 400}});
        let vllm = json!({"status_code": 400, "request_id": "r", "body": null});
        assert_eq!(reason(line("a", vllm.clone(), error)), "BadRequestError: status 400: too long");
        assert_eq!(reason(line("a", vllm, json!("boom"))), "status 400: status 400: boom");
        assert_eq!(reason(line("a", Value::Null, Value::Null)), "no response");
        let empty = json!({"status_code": 200, "body": {"choices": []}});
        assert!(reason(line("a", empty, Value::Null)).contains("no choices"));
        for bad in ["", "[]", "{}", "{\"custom_id\": 1}", "{\"custom_id\": \"a\"", "\u{0}"] {
            assert!(read_batch_result(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn results_answer_in_any_order_from_any_number_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<String> = (0..6).map(|at| request_key(&request(at))).collect();
        let good = |at: usize, text: &str| {
            let response = json!({"status_code": 200, "request_id": "r", "body": reply(text)});
            line(&keys[at], response, Value::Null)
        };
        let expired = |at: usize| {
            line(&keys[at], Value::Null, json!({"code": "batch_expired", "message": "late"}))
        };
        let [errors, results] = ["errors", "results"].map(|name| folder.path().join(name));
        fs::write(&errors, format!("{}\n{}\n{}\n", expired(1), expired(2), expired(2))).unwrap();
        let stranger = line("no key of ours", json!({"body": reply("x")}), Value::Null);
        let torn = &good(4, "torn")[..80];
        let lines = [
            good(3, "three"),
            String::new(),
            stranger,
            good(1, "one"),
            good(3, "again"),
            good(0, "zero"),
        ];
        fs::write(&results, format!("{}\r\n{torn}", lines.join("\r\n"))).unwrap();
        let teacher = BatchResults::open("m", [errors, results.clone()]).unwrap();
        let answer = |at: usize| teacher.answer(&request(at));
        for (at, text) in [(0, "zero"), (1, "one"), (3, "three")] {
            let completion = answer(at).unwrap();
            assert_eq!((&*completion.text, completion.raw), (text, reply(text).to_string()));
        }
        assert_eq!(answer(2), Err(TeacherError::Batch("batch_expired: late".into())));
        assert!(matches!(answer(4), Err(TeacherError::NotLogged { .. })), "its line is torn");
        assert!(matches!(answer(5), Err(TeacherError::NotLogged { .. })));
        let failed = [("batch_expired".to_owned(), 1)].into();
        assert_eq!(teacher.counts(), BatchCounts { replies: 4, failed, damaged: 1, answered: 3 });
        assert_eq!(teacher.damaged()[0].line, 7);
        fs::write(&results, "x".repeat(5000)).unwrap();
        assert!(answer(0).unwrap_err().to_string().contains("was changed"));
    }

    proptest! {
        #[test]
        fn any_line_is_a_result_or_an_error(line in prop::collection::vec(any::<u8>(), 0..200)) {
            _ = read_batch_result(&line);
        }

        #[test]
        fn any_change_to_a_result_is_survived(at in 0usize..400, byte in any::<u8>()) {
            let response = json!({"status_code": 200, "body": reply("text")});
            let mut bytes = line("key", response, Value::Null).into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(BatchResult { outcome: Ok(completion), .. }) = read_batch_result(&bytes) {
                prop_assert!(serde_json::from_str::<Value>(&completion.raw).is_ok());
            }
        }
    }
}
