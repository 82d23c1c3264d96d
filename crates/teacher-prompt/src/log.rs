//! The reply log: every reply ever paid for, by the key of its request.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use distill_core::jsonl::{Appender, BadLine, JsonlError, io_error};
use distill_core::{Completion, Request, Usage};
use serde::{Deserialize, Serialize};

/// One line of a reply log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedReply {
    /// Key of the request, see [`request_key`](crate::request_key).
    pub key: String,
    /// Id of the problem that it was first asked for.
    pub problem: String,
    /// The model asked.
    pub model: String,
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
            problem: request.problem.id.clone(),
            model: request.model.clone(),
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
}

/// An append-only JSONL file of [`LoggedReply`] lines with an index in memory.
///
/// The index is rebuilt on opening and holds a key and an offset a reply, under 100 bytes; replies
/// are read from the file when asked for. A line torn by a kill is dropped; a damaged line is passed
/// over and [reported](Self::damaged). Of two lines with one key the first counts. One process may
/// write a log at a time, a second is refused; any number may [read](Self::open_read_only) it.
#[derive(Debug)]
pub struct ReplyLog {
    path: PathBuf,
    state: Mutex<State>,
    damaged: Vec<BadLine>,
}

#[derive(Debug)]
struct State {
    /// Key → where its line starts, and its length.
    index: HashMap<[u8; 16], (u64, u32)>,
    reader: File,
    writer: Option<Appender>,
    length: u64,
    unsynced: u32,
}

/// Replies between two waits for the disk: what a power cut (not a kill) may cost.
const SYNC_EVERY: u32 = 512;

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
        #[derive(Deserialize)]
        struct Keyed {
            key: String,
        }
        let reader = File::open(path).map_err(io_error("open", path))?;
        let mut lines = BufReader::with_capacity(1 << 16, &reader);
        let (mut index, mut damaged) = (HashMap::new(), Vec::new());
        let (mut line, mut start, mut number) = (Vec::new(), 0u64, 0);
        loop {
            line.clear();
            number += 1;
            let length = lines.read_until(b'\n', &mut line).map_err(io_error("read", path))?;
            if length == 0 || line.last() != Some(&b'\n') {
                break; // the end, or (read only) a line still being written
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                let entry = serde_json::from_slice::<Keyed>(&line)
                    .map_err(|error| error.to_string())
                    .and_then(|keyed| {
                        let length = u32::try_from(length).map_err(|_| "over 4 GiB".to_owned())?;
                        Ok((packed(&keyed.key), (start, length)))
                    });
                match entry {
                    Ok((key, place)) => _ = index.entry(key).or_insert(place),
                    Err(reason) => {
                        let bad = BadLine { path: path.to_owned(), line: number, reason };
                        tracing::warn!("damaged reply passed over: {bad}");
                        damaged.push(bad);
                    }
                }
            }
            start += length as u64;
        }
        drop(lines);
        let state = State { index, reader, writer, length: start, unsynced: 0 };
        Ok(ReplyLog { path: path.to_owned(), state: Mutex::new(state), damaged })
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

    /// Whether there is a reply to the request with this key.
    pub fn contains(&self, key: &str) -> bool {
        self.lock().index.contains_key(&packed(key))
    }

    /// Adds a reply; one with a key that is there already is not written again.
    ///
    /// # Errors
    /// [`JsonlError`] where the log is open for reading only or the file system refuses; what is
    /// logged stays.
    pub fn append(&self, reply: &LoggedReply) -> Result<(), JsonlError> {
        let record = serde_json::value::to_raw_value(reply)
            .map_err(|source| JsonlError::Record { path: self.path.clone(), source })?;
        let length = record.get().len() as u64 + 1;
        let packed = packed(&reply.key);
        let mut state = self.lock();
        if state.index.contains_key(&packed) {
            return Ok(());
        }
        let start = state.length;
        let Some(writer) = &mut state.writer else {
            let source = std::io::Error::other("opened for reading only");
            return Err(io_error("append to", &self.path)(source));
        };
        writer.append(&record)?;
        state.length += length;
        state.unsynced += 1;
        if state.unsynced >= SYNC_EVERY {
            sync(&mut state)?;
        }
        if let Ok(length) = u32::try_from(length) {
            state.index.insert(packed, (start, length));
        }
        Ok(())
    }

    /// Waits until every reply is on the disk.
    ///
    /// # Errors
    /// [`JsonlError::Io`].
    pub fn sync(&self) -> Result<(), JsonlError> {
        sync(&mut self.lock())
    }

    /// Number of replies.
    pub fn len(&self) -> usize {
        self.lock().index.len()
    }

    /// Whether there is no reply.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lines that were no reply when the log was opened.
    pub fn damaged(&self) -> &[BadLine] {
        &self.damaged
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sync(state: &mut State) -> Result<(), JsonlError> {
    state.unsynced = 0;
    state.writer.as_mut().map_or(Ok(()), Appender::sync)
}

/// 16 bytes for a key: its own if it is 32 hexadecimal digits, else those of its hash (logs that
/// others wrote may have keys of any form).
fn packed(key: &str) -> [u8; 16] {
    let own = || {
        let bytes: &[u8; 32] = key.as_bytes().try_into().ok()?;
        let mut packed = [0; 16];
        for (byte, pair) in packed.iter_mut().zip(bytes.chunks_exact(2)) {
            let digit = |c: u8| match c {
                b'0'..=b'9' => Some(c - b'0'),
                b'a'..=b'f' => Some(c - b'a' + 10),
                _ => None,
            };
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(packed)
    };
    own().unwrap_or_else(|| {
        let mut packed = [0; 16];
        packed.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
        packed
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    fn reply(key: &str, text: &str) -> LoggedReply {
        LoggedReply {
            key: key.into(),
            problem: "p".into(),
            model: "m".into(),
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
}
