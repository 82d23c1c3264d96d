//! Records as files: JSONL, one record a line.
//!
//! * [`read`] streams records, with the bad lines told apart from a file that cannot be read;
//!   [`read_all`] makes the first bad line an error.
//! * [`Appender`] adds records to a log: a torn last line (the process was killed while writing) is
//!   dropped on opening, one that only lacks its line break is ended, every record is one `write`,
//!   and a second process is refused.
//! * [`write_atomic`] and [`write_all`] replace a file as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::lines::{MAX_LINE, read_line};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonlError {
    /// The file system said no.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that is no record, where bad lines are not tolerated.
    #[error(transparent)]
    BadLine(#[from] BadLine),
    /// Another process is writing this log.
    #[error("{} is in use by another process", .0.display())]
    Locked(
        /// The file.
        PathBuf,
    ),
    /// A record that has no JSON form.
    #[error("cannot write a record to {}: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
}

/// A line that is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {reason}", path.display())]
pub struct BadLine {
    /// The file.
    pub path: PathBuf,
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Attaches what was done to which file to an I/O error.
pub fn io_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JsonlError {
    let path = path.to_owned();
    move |source| JsonlError::Io { verb, path, source }
}

/// Streams the records of `path`: a record or the reason why a line is none, in order.
///
/// Empty lines are passed over; one longer than [`MAX_LINE`] is a bad one.
///
/// # Errors
/// [`JsonlError::Io`] if the file cannot be opened. An error while reading ends the stream with an
/// item of its own.
pub fn read<T: DeserializeOwned>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<T, JsonlError>> + use<T>, JsonlError> {
    let file = File::open(path).map_err(io_error("open", path))?;
    Ok(read_from(BufReader::with_capacity(1 << 16, file), path))
}

/// As [`read`], from any reader; `path` is what errors call it.
pub fn read_from<T: DeserializeOwned, R: BufRead>(
    mut reader: R,
    path: &Path,
) -> impl Iterator<Item = Result<T, JsonlError>> + use<T, R> {
    let path = path.to_owned();
    let mut line = 0;
    let mut buffer = Vec::new();
    let mut failed = false;
    std::iter::from_fn(move || {
        while !failed {
            line += 1;
            let read = match read_line(&mut reader, &mut buffer, MAX_LINE) {
                Ok(read) => read?,
                Err(error) => {
                    failed = true;
                    return Some(Err(io_error("read", &path)(error)));
                }
            };
            let record = if read.is_too_long(&buffer) {
                Err(format!("a line of {} bytes, at most {MAX_LINE} expected", read.length))
            } else if buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            } else {
                parse_line(&buffer)
            };
            let path = &path;
            return Some(
                record.map_err(|reason| BadLine { path: path.clone(), line, reason }.into()),
            );
        }
        None
    })
}

fn parse_line<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8 (byte {})", error.valid_up_to() + 1))?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// All records of `path`.
///
/// # Errors
/// [`JsonlError::BadLine`] for the first line that is no record.
pub fn read_all<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JsonlError> {
    read(path)?.collect()
}

/// Replaces `path` by what `fill` writes, as a whole or not at all: the text goes to a file beside
/// it, which is synced and renamed. Missing folders are made.
///
/// # Errors
/// Whatever the file system or `fill` says; `path` is then as it was.
pub fn write_atomic(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), JsonlError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(io_error("make folder", folder))?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let result = (|| {
        let mut writer = BufWriter::new(File::create(&beside)?);
        fill(&mut writer)?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&beside, path)
    })();
    result.map_err(|error| {
        // The half-written file is of no use; that it may not even be removable changes nothing.
        let _ = fs::remove_file(&beside);
        io_error("write", path)(error)
    })
}

/// Replaces `path` by these records, as a whole or not at all.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_all<T: Serialize>(
    path: &Path,
    records: impl IntoIterator<Item = T>,
) -> Result<(), JsonlError> {
    write_atomic(path, |writer| {
        for record in records {
            serde_json::to_writer(&mut *writer, &record).map_err(io::Error::from)?;
            writer.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// A JSONL file that only grows.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

impl Appender {
    /// Opens or makes `path` for appending and holds a lock on the file until dropped. A torn last
    /// line is dropped; a whole object that only lacks its line break (an editor took it) gets one.
    ///
    /// # Errors
    /// [`JsonlError::Locked`] if another process has it open; [`JsonlError::Io`] otherwise.
    pub fn open(path: &Path) -> Result<Appender, JsonlError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(io_error("make folder", folder))?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(io_error("open for appending", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(JsonlError::Locked(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(io_error("lock", path)(error)),
        }
        repair_last_line(&mut file).map_err(io_error("repair the last line of", path))?;
        Ok(Appender { path: path.to_owned(), file, buffer: Vec::new() })
    }

    /// Adds one record with a single write. If that fails half-way (a full disk), what was written
    /// of it is taken back.
    ///
    /// # Errors
    /// [`JsonlError::Io`], [`JsonlError::Record`]; all earlier records stay.
    pub fn append<T: Serialize>(&mut self, record: &T) -> Result<(), JsonlError> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, record)
            .map_err(|source| JsonlError::Record { path: self.path.clone(), source })?;
        self.buffer.push(b'\n');
        self.file.write_all(&self.buffer).map_err(|error| {
            let _ = drop_torn_line(&mut self.file);
            io_error("append to", &self.path)(error)
        })
    }

    /// Waits until everything appended is on the disk.
    ///
    /// # Errors
    /// [`JsonlError::Io`].
    pub fn sync(&mut self) -> Result<(), JsonlError> {
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Ends the last line where it is a whole object, and cuts the file before it where it is not: only
/// of an object can one tell that nothing is missing.
fn repair_last_line(file: &mut File) -> io::Result<()> {
    let (start, length) = torn_line(file)?;
    if length > 0 && length <= MAX_LINE as u64 && is_object(file, start, length)? {
        file.seek(SeekFrom::End(0))?;
        return file.write_all(b"\n");
    }
    drop_torn_line(file)
}

/// Cuts the file after its last line break.
fn drop_torn_line(file: &mut File) -> io::Result<()> {
    let (start, length) = torn_line(file)?;
    if length > 0 {
        file.set_len(start)?;
    }
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

/// Where what follows the last line break starts, and its length.
fn torn_line(file: &mut File) -> io::Result<(u64, u64)> {
    const BLOCK: usize = 1 << 16;
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = length;
    let mut block = vec![0; BLOCK];
    while end > 0 {
        let size = end.min(BLOCK as u64) as usize;
        let start = end - size as u64;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block[..size])?;
        if let Some(at) = block[..size].iter().rposition(|&byte| byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    Ok((end, length - end))
}

fn is_object(file: &mut File, start: u64, length: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(start))?;
    let mut line = Vec::new();
    (&*file).take(length).read_to_end(&mut line)?;
    let begins = line.trim_ascii_start().starts_with(b"{");
    Ok(begins && parse_line::<serde::de::IgnoredAny>(&line).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn bad_lines_name_file_and_line_and_do_not_stop_the_rest() {
        let folder = folder();
        let path = folder.path().join("a.jsonl");
        fs::write(&path, b"1\n\n\"x\n\xff\xfe\n4").unwrap();
        let items: Vec<_> = read::<u32>(&path).unwrap().collect();
        assert_eq!(items.len(), 4);
        assert_eq!((items[0].as_ref().unwrap(), items[3].as_ref().unwrap()), (&1, &4));
        let messages: Vec<String> =
            items.iter().filter_map(|item| item.as_ref().err()).map(ToString::to_string).collect();
        assert!(messages[0].contains("a.jsonl:3: "), "{messages:?}");
        assert!(messages[1].contains("a.jsonl:4: not UTF-8 (byte 1)"), "{messages:?}");
        assert!(matches!(read_all::<u32>(&path), Err(JsonlError::BadLine(_))));
    }

    #[test]
    fn a_torn_line_is_dropped_on_reopening() {
        let folder = folder();
        let path = folder.path().join("deep/log.jsonl");
        Appender::open(&path).unwrap().append(&"first").unwrap();
        let torn = "x".repeat(200_000);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(torn.as_bytes()).unwrap();
        Appender::open(&path).unwrap().append(&"second").unwrap();
        assert_eq!(read_all::<String>(&path).unwrap(), ["first", "second"]);
    }

    #[test]
    fn a_whole_object_without_its_line_break_is_kept_and_half_of_one_is_not() {
        let folder = folder();
        let path = folder.path().join("log.jsonl");
        for (last, kept) in [("{\"a\": [1]}", 3), ("{\"a\": [1]", 2), ("12", 2), ("{\"a\": 1}x", 2)]
        {
            fs::write(&path, format!("{{}}\n{last}")).unwrap();
            Appender::open(&path).unwrap().append(&serde_json::json!({"b": 2})).unwrap();
            let records = read_all::<serde_json::Value>(&path).unwrap();
            assert_eq!((records.len(), &records[kept - 1]["b"]), (kept, &2.into()), "{last}");
        }
    }

    #[test]
    fn an_endless_line_is_told_and_passed_over() {
        let text = format!("1\n{}\n2\n", " ".repeat(MAX_LINE + 1));
        let items: Vec<_> = read_from::<u32, _>(text.as_bytes(), Path::new("x")).collect();
        let told = items[1].as_ref().unwrap_err().to_string();
        assert_eq!(items.len(), 3);
        assert_eq!(told, "x:2: a line of 67108866 bytes, at most 67108864 expected");
    }

    #[test]
    fn a_second_writer_is_refused_until_the_first_is_gone() {
        let folder = folder();
        let path = folder.path().join("log.jsonl");
        let first = Appender::open(&path).unwrap();
        assert!(matches!(Appender::open(&path), Err(JsonlError::Locked(_))));
        drop(first);
        assert!(Appender::open(&path).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named() {
        let full = Path::new("/dev/full");
        let error = Appender::open(full).unwrap().append(&"record").unwrap_err().to_string();
        assert!(error.starts_with("cannot append to /dev/full: No space left"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = folder();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for error in [
            Appender::open(&file.join("below/log.jsonl")).unwrap_err(),
            write_all(&file.join("below/all.jsonl"), [1]).unwrap_err(),
        ] {
            assert!(error.to_string().contains("cannot make folder"), "{error}");
            assert!(error.to_string().contains("file/below"), "{error}");
        }
    }

    #[test]
    fn a_failed_atomic_write_leaves_the_old_file() {
        let folder = folder();
        let path = folder.path().join("a.jsonl");
        write_all(&path, [1, 2]).unwrap();
        let error = write_atomic(&path, |writer| {
            writer.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(error.unwrap_err().to_string().contains("disk full"));
        assert_eq!(read_all::<u32>(&path).unwrap(), [1, 2]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
