//! The lines of a JSONL file, compressed or not, in batches that can be read in parallel.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use distill_core::jsonl::BadLine;
use distill_core::lines::{MAX_LINE, read_line};
use flate2::read::MultiGzDecoder;

use crate::CorpusError;

/// Bytes after which a batch is closed, however few its lines.
const BATCH_BYTES: usize = 64 << 20;

/// A line and its number, from 1; or why it cannot be read.
pub(crate) type Line = (usize, Result<Vec<u8>, String>);

/// Opens a file for reading, through gzip where it is compressed: told by its first bytes, not by its
/// name.
///
/// # Errors
/// [`CorpusError::Io`].
pub fn open(path: &Path) -> Result<Box<dyn BufRead>, CorpusError> {
    let failed = |source| CorpusError::Io { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    Ok(match file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file))),
        false => Box::new(file),
    })
}

/// The lines of a file, compressed or not.
pub(crate) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    number: usize,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Lines, CorpusError> {
        Ok(Lines { path: path.to_owned(), reader: open(path)?, number: 0 })
    }

    /// Up to `count` further lines that are not empty; none at the end of the file.
    pub(crate) fn batch(&mut self, count: usize) -> Result<Vec<Line>, CorpusError> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < count && bytes < BATCH_BYTES {
            let line = self.line().map_err(|source| CorpusError::Io {
                path: self.path.clone(),
                source: io::Error::new(
                    source.kind(),
                    format!("after line {}: {source}", self.number),
                ),
            })?;
            let Some(line) = line else { break };
            self.number += 1;
            bytes += line.as_ref().map_or(0, Vec::len);
            if !line.as_ref().is_ok_and(|line| line.iter().all(u8::is_ascii_whitespace)) {
                batch.push((self.number, line));
            }
        }
        Ok(batch)
    }

    fn line(&mut self) -> io::Result<Option<Result<Vec<u8>, String>>> {
        let mut line = Vec::new();
        let Some(read) = read_line(&mut self.reader, &mut line, MAX_LINE)? else {
            return Ok(None);
        };
        if read.is_too_long(&line) {
            return Ok(Some(Err(format!("longer than {MAX_LINE} bytes"))));
        }
        if self.number == 0 && line.starts_with("\u{feff}".as_bytes()) {
            line.drain(..3);
        }
        Ok(Some(Ok(line)))
    }

    /// A bad line of this file.
    pub(crate) fn bad(&self, line: usize, reason: String) -> BadLine {
        BadLine { path: self.path.clone(), line, reason }
    }
}
