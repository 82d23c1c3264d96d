//! The reply log: every reply ever paid for, by the key of its request.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use distill_core::jsonl::{Appender, BadLine, JsonlError, io_error};
use distill_core::lines::{MAX_LINE, read_line};
use distill_core::{Completion, Request, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::key::packed;
use crate::{question_key, request_key};

/// One line of a reply log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedReply {
    /// Key of the request, see [`request_key`](crate::request_key).
    pub key: String,
    /// Key of the request without its sampling, see [`question_key`](crate::question_key); empty in
    /// logs of others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// Id of the problem that it was first asked for.
    pub problem: String,
    /// The model asked.
    pub model: String,
    /// How the reply was drawn.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub sampling: Map<String, Value>,
    /// Key of the request that was asked in truth, where the reply was taken over from one that
    /// differs in its sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<String>,
    /// What the model wrote.
    pub text: String,
    /// Why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Seconds from asking to the last byte, retries included.
    #[serde(default)]
    pub seconds: f64,
    /// The reply's own bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub raw: String,
}

impl LoggedReply {
    /// The record for a completion.
    pub fn new(key: &str, request: &Request, completion: &Completion, seconds: f64) -> LoggedReply {
        LoggedReply {
            key: key.to_owned(),
            question: question_key(request),
            problem: request.problem.id.clone(),
            model: request.model.clone(),
            sampling: sampling_of(request),
            reused_from: None,
            text: completion.text.clone(),
            finish_reason: completion.finish_reason.clone(),
            usage: completion.usage,
            seconds,
            raw: completion.raw.clone(),
        }
    }

    /// The completion as the teacher gave it.
    pub fn into_completion(self) -> Completion {
        Completion {
            text: self.text,
            finish_reason: self.finish_reason,
            usage: self.usage,
            raw: self.raw,
        }
    }

    /// Whether the server stopped it before its end.
    fn is_cut(&self) -> bool {
        matches!(self.finish_reason.as_deref(), Some("length" | "content_filter"))
    }
}

/// What asking these requests would take, see [`ReplyLog::offer`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Answered by the log as they are.
    pub logged: usize,
    /// Answered by the log if replies drawn with another sampling are let count.
    pub reusable: usize,
    /// To be asked.
    pub missing: usize,
    /// What differs in the reusable ones, for example `max_tokens: 512 → 1024`, with counts.
    pub differences: BTreeMap<String, usize>,
}

/// What [`ReplyLog::merge`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Replies added.
    pub added: usize,
    /// Replies that were there already.
    pub known: usize,
    /// Lines that are no reply.
    pub damaged: usize,
}

/// An append-only JSONL file of [`LoggedReply`] lines with an index in memory.
///
/// The index is rebuilt on opening and holds a key and a place a reply, about 60 bytes; replies
/// are read from the file when asked for. A line torn by a kill is dropped; a damaged line (also one
/// over 64 MiB) is passed over and [reported](Self::damaged). Of two lines with one key the first
/// counts. One process may write a log at a time, a second is refused; any number may
/// [read](Self::open_read_only) it.
#[derive(Debug)]
pub struct ReplyLog {
    path: PathBuf,
    state: Mutex<State>,
    damaged: Vec<BadLine>,
    damaged_count: usize,
    /// First eight bytes of a question's key → where the line of its first whole reply starts.
    questions: OnceLock<BTreeMap<u64, u64>>,
}

#[derive(Debug)]
struct State {
    /// Key → where its line starts, and its length. A tree, because a table doubles: at its worst
    /// it would take twice the memory a reply.
    index: BTreeMap<[u8; 16], (u64, u32)>,
    reader: File,
    writer: Option<Appender>,
    length: u64,
    unsynced: u32,
    syncing: Syncing,
}

/// Replies after which the disk is asked to keep them: about what a power cut (not a kill) may cost.
const SYNC_EVERY: u32 = 512;

/// A wait for the disk in a thread of its own: while a busy disk is waited for, hundreds of requests
/// would stand still.
#[derive(Debug, Default)]
struct Syncing(Option<JoinHandle<io::Result<()>>>);

impl Syncing {
    /// Waits for what is written to `file` until now, unless such a wait is going on; gives the
    /// outcome of the last one.
    fn start(&mut self, file: &File) -> io::Result<()> {
        match self.0.take() {
            Some(running) if !running.is_finished() => self.0 = Some(running),
            last => {
                let file = file.try_clone()?;
                self.0 = Some(thread::Builder::new().spawn(move || file.sync_data())?);
                return Syncing(last).end();
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let ended = self.0.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(io::Error::other("the thread ended")))
    }
}

/// Damaged lines that are told one by one.
const MOST_TOLD: usize = 100;

impl ReplyLog {
    /// Opens or makes a log for reading and writing.
    ///
    /// # Errors
    /// [`JsonlError::Locked`] where another process writes it; [`JsonlError::Io`].
    pub fn open(path: &Path) -> Result<ReplyLog, JsonlError> {
        let writer = Appender::open(path)?;
        ReplyLog::index(path, Some(writer))
    }

    /// Opens a log for reading only, without a lock; what is appended later is not seen.
    ///
    /// # Errors
    /// [`JsonlError::Io`].
    pub fn open_read_only(path: &Path) -> Result<ReplyLog, JsonlError> {
        ReplyLog::index(path, None)
    }

    fn index(path: &Path, writer: Option<Appender>) -> Result<ReplyLog, JsonlError> {
        // Also for waiting for the disk, which some systems grant only to who may write.
        let reader = OpenOptions::new().read(true).append(writer.is_some()).open(path);
        let reader = reader.map_err(io_error("open", path))?;
        let (mut index, mut damaged, mut damaged_count) = (BTreeMap::new(), Vec::new(), 0);
        let mut lines = Replies::new(BufReader::with_capacity(1 << 16, &reader), path);
        while let Some(reply) = lines.next() {
            match reply {
                Ok(reply) => _ = index.entry(packed(&reply.key)).or_insert(lines.place),
                Err(JsonlError::BadLine(bad)) => {
                    tracing::warn!("damaged reply passed over: {bad}");
                    damaged_count += 1;
                    if damaged.len() < MOST_TOLD {
                        damaged.push(bad);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let length = lines.position;
        drop(lines);
        let syncing = Syncing::default();
        let state = Mutex::new(State { index, reader, writer, length, unsynced: 0, syncing });
        let (path, questions) = (path.to_owned(), OnceLock::new());
        Ok(ReplyLog { path, state, damaged, damaged_count, questions })
    }

    /// The reply to the request with this key, if it is logged.
    ///
    /// # Errors
    /// [`JsonlError`] where the file cannot be read, or was changed since it was opened.
    pub fn get(&self, key: &str) -> Result<Option<LoggedReply>, JsonlError> {
        let mut state = self.lock();
        let Some(&(start, length)) = state.index.get(&packed(key)) else { return Ok(None) };
        let mut line = vec![0; length as usize];
        state.reader.seek(SeekFrom::Start(start)).map_err(io_error("read", &self.path))?;
        state.reader.read_exact(&mut line).map_err(io_error("read", &self.path))?;
        drop(state);
        serde_json::from_slice(&line).map(Some).map_err(|error| {
            BadLine { path: self.path.clone(), line: 0, reason: format!("reply {key}: {error}") }
                .into()
        })
    }

    /// A whole reply to the same question drawn with another sampling (temperature, seed,
    /// `max_tokens` and so on), the first in the log; never one that the server cut short. The first call
    /// reads the whole log and keeps about 30 bytes a reply.
    ///
    /// # Errors
    /// [`JsonlError`] where the file cannot be read.
    pub fn with_other_sampling(
        &self,
        request: &Request,
    ) -> Result<Option<LoggedReply>, JsonlError> {
        let question = question_key(request);
        let Some(&start) = self.questions()?.get(&short(&question)) else { return Ok(None) };
        let file = File::open(&self.path).map_err(io_error("open", &self.path))?;
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(start)).map_err(io_error("read", &self.path))?;
        let reply = Replies::new(reader, &self.path).next().transpose()?;
        Ok(reply.filter(|reply| reply.question == question))
    }

    fn questions(&self) -> Result<&BTreeMap<u64, u64>, JsonlError> {
        if let Some(questions) = self.questions.get() {
            return Ok(questions);
        }
        let file = File::open(&self.path).map_err(io_error("open", &self.path))?;
        let mut questions = BTreeMap::new();
        let mut lines = Replies::new(BufReader::with_capacity(1 << 16, file), &self.path);
        while let Some(reply) = lines.next() {
            match reply {
                Ok(reply) if !reply.question.is_empty() && !reply.is_cut() => {
                    questions.entry(short(&reply.question)).or_insert(lines.place.0);
                }
                Ok(_) | Err(JsonlError::BadLine(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.questions.get_or_init(|| questions))
    }

    /// What asking these requests would take, without asking any: to be shown before a run, so that
    /// letting replies of another sampling count is somebody's decision.
    ///
    /// # Errors
    /// [`JsonlError`] where the file cannot be read.
    pub fn offer(&self, requests: impl IntoIterator<Item = Request>) -> Result<Offer, JsonlError> {
        let mut offer = Offer::default();
        for request in requests {
            if self.contains(&request_key(&request)) {
                offer.logged += 1;
            } else if let Some(reply) = self.with_other_sampling(&request)? {
                offer.reusable += 1;
                let difference = difference(&reply.sampling, &sampling_of(&request));
                *offer.differences.entry(difference).or_default() += 1;
            } else {
                offer.missing += 1;
            }
        }
        Ok(offer)
    }

    /// Whether there is a reply to the request with this key.
    pub fn contains(&self, key: &str) -> bool {
        self.lock().index.contains_key(&packed(key))
    }

    /// Adds a reply; one with a key that is there already is not written again.
    ///
    /// # Errors
    /// [`JsonlError`] where the log is open for reading only, the record is over 64 MiB, or the file
    /// system refuses; what is logged stays.
    pub fn append(&self, reply: &LoggedReply) -> Result<(), JsonlError> {
        self.add(reply).map(|_| ())
    }

    /// Whether the reply was new.
    fn add(&self, reply: &LoggedReply) -> Result<bool, JsonlError> {
        let record = serde_json::value::to_raw_value(reply)
            .map_err(|source| JsonlError::Record { path: self.path.clone(), source })?;
        let refuse = |why: &str| Err(io_error("append to", &self.path)(io::Error::other(why)));
        let packed = packed(&reply.key);
        let mut state = self.lock();
        if state.index.contains_key(&packed) {
            return Ok(false);
        }
        let (start, length) = (state.length, record.get().len() + 1);
        let Some(writer) = &mut state.writer else { return refuse("opened for reading only") };
        let place = match u32::try_from(length) {
            Ok(short) if length <= MAX_LINE => (start, short),
            _ => return refuse("the record is over 64 MiB"),
        };
        writer.append(&record)?;
        state.length += length as u64;
        state.unsynced += 1;
        state.index.insert(packed, place);
        if state.unsynced >= SYNC_EVERY {
            let State { syncing, reader, unsynced, .. } = &mut *state;
            *unsynced = 0;
            syncing.start(reader).map_err(io_error("sync", &self.path))?;
        }
        Ok(true)
    }

    /// Adds every reply of another log, that of a shard for instance.
    ///
    /// # Errors
    /// As [`append`](Self::append), and where the other log cannot be read; what was added stays.
    pub fn merge(&self, other: &Path) -> Result<Merged, JsonlError> {
        let mut merged = Merged::default();
        for reply in read_replies(other)? {
            match reply {
                Ok(reply) if self.add(&reply)? => merged.added += 1,
                Ok(_) => merged.known += 1,
                Err(JsonlError::BadLine(_)) => merged.damaged += 1,
                Err(error) => return Err(error),
            }
        }
        self.sync()?;
        Ok(merged)
    }

    /// Waits until every reply is on the disk.
    ///
    /// # Errors
    /// [`JsonlError::Io`].
    pub fn sync(&self) -> Result<(), JsonlError> {
        let mut state = self.lock();
        state.unsynced = 0;
        state.syncing.end().map_err(io_error("sync", &self.path))?;
        state.writer.as_mut().map_or(Ok(()), Appender::sync)
    }

    /// Number of replies.
    pub fn len(&self) -> usize {
        self.lock().index.len()
    }

    /// Whether there is no reply.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lines that were no reply when the log was opened, the first hundred of them.
    pub fn damaged(&self) -> &[BadLine] {
        &self.damaged
    }

    /// Number of lines that were no reply when the log was opened.
    pub fn damaged_count(&self) -> usize {
        self.damaged_count
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Streams the replies of a log, with the bad lines told apart. A last line without a line break
/// is still being written, or torn, and is left out.
///
/// # Errors
/// [`JsonlError::Io`] where the file cannot be opened. An error while reading ends the stream with
/// an item of its own.
pub fn read_replies(
    path: &Path,
) -> Result<impl Iterator<Item = Result<LoggedReply, JsonlError>> + use<>, JsonlError> {
    let file = File::open(path).map_err(io_error("open", path))?;
    Ok(Replies::new(BufReader::with_capacity(1 << 16, file), path))
}

/// As [`read_replies`], from any reader; `path` is what errors call it.
pub fn read_replies_from<R: BufRead>(
    reader: R,
    path: &Path,
) -> impl Iterator<Item = Result<LoggedReply, JsonlError>> + use<R> {
    Replies::new(reader, path)
}

struct Replies<R> {
    reader: R,
    path: PathBuf,
    line: Vec<u8>,
    number: usize,
    /// Where the last reply given starts, and its length.
    place: (u64, u32),
    /// Length of the lines read, without a torn last one.
    position: u64,
    failed: bool,
}

impl<R: BufRead> Replies<R> {
    fn new(reader: R, path: &Path) -> Replies<R> {
        let path = path.to_owned();
        Replies {
            reader,
            path,
            line: Vec::new(),
            number: 0,
            place: (0, 0),
            position: 0,
            failed: false,
        }
    }
}

impl<R: BufRead> Iterator for Replies<R> {
    type Item = Result<LoggedReply, JsonlError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            self.number += 1;
            let line = match read_line(&mut self.reader, &mut self.line, MAX_LINE) {
                Ok(line) => line?,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(io_error("read", &self.path)(error)));
                }
            };
            if !line.ended {
                return None;
            }
            let start = self.position;
            self.position += line.length;
            let reply = if line.is_too_long(&self.line) {
                Err(format!("a line of {} bytes, at most {MAX_LINE} expected", line.length))
            } else if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            } else {
                self.place = (start, line.length as u32); // at most MAX_LINE
                serde_json::from_slice(&self.line).map_err(|error| error.to_string())
            };
            let (path, line) = (&self.path, self.number);
            return Some(
                reply.map_err(|reason| BadLine { path: path.clone(), line, reason }.into()),
            );
        }
        None
    }
}

fn short(key: &str) -> u64 {
    let packed = packed(key);
    u64::from_be_bytes(std::array::from_fn(|at| packed[at]))
}

fn sampling_of(request: &Request) -> Map<String, Value> {
    match serde_json::to_value(&request.sampling) {
        Ok(Value::Object(sampling)) => sampling,
        _ => Map::new(),
    }
}

/// What became of the settings, for example `max_tokens: 512 → 1024, seed: 1 → none`.
fn difference(old: &Map<String, Value>, new: &Map<String, Value>) -> String {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let told = |value: Option<&Value>| value.map_or("none".to_owned(), Value::to_string);
    let parts = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let parts =
        parts.map(|name| format!("{name}: {} → {}", told(old.get(name)), told(new.get(name))));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use distill_core::{Language, Problem, Sampling};
    use proptest::prelude::*;

    use super::*;
    use crate::PromptBuilder;

    fn reply(key: &str, text: &str) -> LoggedReply {
        LoggedReply {
            key: key.into(),
            question: String::new(),
            problem: "p".into(),
            model: "m".into(),
            sampling: Map::new(),
            reused_from: None,
            text: text.into(),
            finish_reason: Some("stop".into()),
            usage: None,
            seconds: 1.5,
            raw: format!("{{\"t\": \"{text}\"}}"),
        }
    }

    #[test]
    fn replies_survive_reopening_and_a_torn_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/replies.jsonl");
        let log = ReplyLog::open(&path).unwrap();
        log.append(&reply("00112233445566778899aabbccddeeff", "first\nß")).unwrap();
        log.append(&reply("any key", "second")).unwrap();
        log.append(&reply("any key", "not written")).unwrap();
        assert_eq!(log.get("any key").unwrap(), Some(reply("any key", "second")));
        assert!(matches!(ReplyLog::open(&path), Err(JsonlError::Locked(_))));
        drop(log);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"key\":\"to").unwrap();
        assert_eq!(ReplyLog::open_read_only(&path).unwrap().len(), 2);
        let log = ReplyLog::open(&path).unwrap();
        log.append(&reply("third", "3")).unwrap();
        for (key, text) in [
            ("00112233445566778899aabbccddeeff", "first\nß"),
            ("any key", "second"),
            ("third", "3"),
        ] {
            assert_eq!(log.get(key).unwrap(), Some(reply(key, text)));
        }
        assert_eq!((log.len(), log.get("none").unwrap()), (3, None));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_damaged_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replies.jsonl");
        let line = |key| serde_json::to_string(&reply(key, key)).unwrap();
        fs::write(&path, format!("{}\n{{\"k\": 1}}\n\n\u{0}\n{}\n", line("a"), line("b"))).unwrap();
        let log = ReplyLog::open(&path).unwrap();
        assert_eq!(log.damaged().iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(log.get("b").unwrap().unwrap().text, "b");
    }

    #[test]
    fn a_log_opened_for_reading_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replies.jsonl");
        fs::write(&path, "").unwrap();
        let error = ReplyLog::open_read_only(&path).unwrap().append(&reply("a", "a")).unwrap_err();
        assert!(error.to_string().ends_with("opened for reading only"), "{error}");
    }

    #[test]
    fn a_last_line_that_lacks_only_its_break_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replies.jsonl");
        let line = |key| serde_json::to_string(&reply(key, &"x".repeat(3000))).unwrap();
        fs::write(&path, format!("{}\n{}", line("a"), line("b"))).unwrap();
        assert_eq!(ReplyLog::open(&path).unwrap().len(), 2);
        fs::write(&path, line("only")).unwrap();
        let log = ReplyLog::open(&path).unwrap();
        log.append(&reply("next", "y")).unwrap();
        assert_eq!((log.len(), log.get("only").unwrap().unwrap().key), (2, "only".into()));
        drop(log);
        assert_eq!(ReplyLog::open(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_line_that_is_json_but_no_reply_is_damaged_and_an_endless_one_is_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replies.jsonl");
        let whole = serde_json::to_string(&reply("a", "a")).unwrap();
        let deep = format!("{{\"key\": \"k\", \"x\": {}}}", "[".repeat(100_000));
        let endless = " ".repeat(MAX_LINE + 10);
        let text = format!("{{\"key\": \"k\"}}\n{deep}\n{endless}\n{whole}\n");
        fs::write(&path, text).unwrap();
        let log = ReplyLog::open(&path).unwrap();
        let lines: Vec<usize> = log.damaged().iter().map(|bad| bad.line).collect();
        assert_eq!((lines, log.damaged_count(), log.len()), (vec![1, 2, 3], 3, 1));
        assert_eq!(log.get("a").unwrap(), Some(reply("a", "a")));
    }

    #[test]
    fn logs_of_shards_are_merged_without_doubles() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["1", "2"].map(|name| folder.path().join(name));
        let log = ReplyLog::open(&one).unwrap();
        log.append(&reply("a", "first")).unwrap();
        let other = ReplyLog::open(&two).unwrap();
        other.append(&reply("a", "second")).unwrap();
        other.append(&reply("b", "b")).unwrap();
        assert_eq!(log.merge(&two).unwrap(), Merged { added: 1, known: 1, damaged: 0 });
        assert_eq!(log.get("a").unwrap().unwrap().text, "first");
        assert_eq!(ReplyLog::open_read_only(&one).unwrap().len(), 2);
        assert!(log.merge(&folder.path().join("3")).is_err());
    }

    fn request(sampling: Sampling, query: &str) -> Request {
        let problem = Problem::new("p", Language::Python, query);
        PromptBuilder::new("m").sampling(sampling).request(&problem).unwrap()
    }

    #[test]
    fn another_sampling_is_offered_with_what_differs_and_never_a_cut_reply() {
        let folder = tempfile::tempdir().unwrap();
        let log = ReplyLog::open(&folder.path().join("replies.jsonl")).unwrap();
        let short = Sampling { max_tokens: Some(512), ..Sampling::default() };
        let long = Sampling { max_tokens: Some(1024), temperature: Some(0.5), ..short.clone() };
        let completion = |finish: &str| Completion {
            text: "t".into(),
            finish_reason: Some(finish.into()),
            usage: None,
            raw: String::new(),
        };
        for (query, finish) in [("whole", "stop"), ("cut", "length")] {
            let request = request(short.clone(), query);
            let key = request_key(&request);
            log.append(&LoggedReply::new(&key, &request, &completion(finish), 0.0)).unwrap();
        }
        let queries = ["whole", "cut", "new"];
        let offer = log.offer(queries.map(|query| request(long.clone(), query))).unwrap();
        let differences = "max_tokens: 512 → 1024, temperature: none → 0.5".to_owned();
        let differences = [(differences, 1)].into();
        assert_eq!(offer, Offer { logged: 0, reusable: 1, missing: 2, differences });
        let same = log.offer(queries.map(|query| request(short.clone(), query))).unwrap();
        assert_eq!((same.logged, same.reusable, same.missing), (2, 0, 1));
    }

    proptest! {
        #[test]
        fn any_bytes_between_replies_cost_none_of_them(
            junk in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..6),
            cut in 0usize..200,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("replies.jsonl");
            let mut bytes = Vec::new();
            for (at, junk) in junk.iter().enumerate() {
                let key = format!("k{at}");
                bytes.extend(serde_json::to_vec(&reply(&key, &key)).unwrap());
                bytes.push(b'\n');
                bytes.extend(junk);
                bytes.push(b'\n');
            }
            // Cut anywhere in the last reply but its own end: what stands before it stays.
            let torn = serde_json::to_vec(&reply("torn", "torn")).unwrap();
            bytes.extend(&torn[..cut.min(torn.len() - 1)]);
            fs::write(&path, &bytes).unwrap();
            let log = ReplyLog::open(&path).unwrap();
            prop_assert_eq!(log.len(), junk.len());
            log.append(&reply("new", "new")).unwrap();
            drop(log);
            let log = ReplyLog::open(&path).unwrap();
            for at in 0..junk.len() {
                let key = format!("k{at}");
                prop_assert_eq!(log.get(&key).unwrap(), Some(reply(&key, &key)));
            }
            prop_assert_eq!(log.get("new").unwrap(), Some(reply("new", "new")));
        }

        #[test]
        fn any_file_is_read_to_its_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
            let items = read_replies_from(&bytes[..], Path::new("log")).count();
            prop_assert!(items <= lines);
        }
    }
}
