//! What is read: records and lines of files or of standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use code_syntax::Language;
use codebleu::Pair;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(crate) struct Record {
    #[serde(default)]
    pub(crate) id: Value,
    #[serde(alias = "language")]
    pub(crate) lang: Option<Language>,
    reference: Option<String>,
    references: Option<Vec<String>>,
    hypothesis: String,
    /// Where it stands, for errors.
    #[serde(skip)]
    pub(crate) place: String,
}

impl Record {
    pub(crate) fn pair(&self) -> Pair<'_> {
        let one = self.reference.iter().map(String::as_str);
        let several = self.references.iter().flatten().map(String::as_str);
        Pair { references: one.chain(several).collect(), hypothesis: &self.hypothesis }
    }
}

/// Reads the record of one line; `place` is where that stands.
pub(crate) fn read_record(line: &[u8], place: String) -> Result<Record> {
    let read = || {
        let record: Record = serde_json::from_str(utf8(line)?)?;
        match (&record.reference, &record.references) {
            (None, None) => bail!("no `reference` and no `references` in the record"),
            (Some(_), Some(_)) => bail!("both `reference` and `references` in the record"),
            _ => Ok(record),
        }
    };
    match read() {
        Ok(record) => Ok(Record { place, ..record }),
        Err(error) => Err(error.context(place)),
    }
}

pub(crate) fn utf8(line: &[u8]) -> Result<&str> {
    std::str::from_utf8(line)
        .map_err(|error| anyhow!("not UTF-8 (byte {} of the line)", error.valid_up_to() + 1))
}

/// Line files side by side: the first holds the hypotheses, the others references.
pub(crate) struct LineFiles {
    files: Vec<Lines>,
    rows: usize,
}

impl LineFiles {
    pub(crate) fn new(files: Vec<Lines>) -> LineFiles {
        LineFiles { files, rows: 0 }
    }

    /// The next rows that `wanted` asks for, which is called once for each; none at the end.
    pub(crate) fn chunk(
        &mut self,
        size: usize,
        mut wanted: impl FnMut() -> bool,
    ) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < size && bytes < CHUNK_BYTES {
            let mut row = Vec::with_capacity(self.files.len());
            for file in &mut self.files {
                row.push(file.next()?);
            }
            if row.iter().all(Option::is_none) {
                break;
            }
            if let Some(short) = row.iter().position(Option::is_none) {
                let names = [&self.files[0].name, &self.files[short.max(1)].name];
                bail!(
                    "{} and {} do not have equally many lines: one ends after line {}",
                    names[0],
                    names[1],
                    self.rows
                );
            }
            self.rows += 1;
            if !wanted() {
                continue;
            }
            let mut texts = Vec::with_capacity(row.len());
            for (file, (number, line)) in self.files.iter().zip(row.into_iter().flatten()) {
                bytes += line.len();
                let text = utf8(&line).with_context(|| format!("{}:{number}", file.name))?;
                texts.push(text.to_owned());
            }
            let references = texts.split_off(1);
            let hypothesis = texts.pop().unwrap_or_default();
            records.push(Record {
                id: self.rows.into(),
                lang: None,
                reference: None,
                references: Some(references),
                hypothesis,
                place: format!("{}:{}", self.files[0].name, self.rows),
            });
        }
        Ok(records)
    }
}

/// A chunk ends where its lines hold this much.
const CHUNK_BYTES: usize = 16 << 20;

/// The lines of a file or of standard input, with their numbers.
pub(crate) struct Lines {
    pub(crate) name: String,
    reader: Box<dyn BufRead>,
    number: usize,
    /// Of the last line, for lines are mostly of like length.
    length: usize,
    pub(crate) progress: ProgressBar,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Lines> {
        if path == Path::new("-") {
            if io::stdin().is_terminal() {
                eprintln!("reading from the terminal; Ctrl-D ends it");
            }
            return Ok(Lines::of("standard input".to_owned(), Box::new(io::stdin().lock())));
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
        let bytes = file.metadata().map_or(0, |data| data.len());
        let lines = Lines::of(name, Box::new(BufReader::with_capacity(1 << 16, file)));
        // It draws itself on a terminal only.
        let progress = ProgressBar::new(bytes).with_style(ProgressStyle::with_template(
            "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        )?);
        Ok(Lines { progress, ..lines })
    }

    pub(crate) fn of(name: String, reader: Box<dyn BufRead>) -> Lines {
        Lines { name, reader, number: 0, length: 0, progress: ProgressBar::hidden() }
    }

    pub(crate) fn next(&mut self) -> Result<Option<(usize, Vec<u8>)>> {
        let mut line = Vec::with_capacity(self.length);
        let read = self.reader.read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("cannot read {}", self.name))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.length = read.min(1 << 12);
        self.progress.inc(read as u64);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some((self.number, line)))
    }

    /// The next lines that hold anything and that `wanted` asks for, which is called once for each;
    /// none at the end.
    pub(crate) fn chunk(
        &mut self,
        size: usize,
        mut wanted: impl FnMut() -> bool,
    ) -> Result<Vec<(usize, Vec<u8>)>> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        while lines.len() < size && bytes < CHUNK_BYTES {
            let Some((number, line)) = self.next()? else { break };
            if !line.iter().all(u8::is_ascii_whitespace) && wanted() {
                bytes += line.len();
                lines.push((number, line));
            }
        }
        Ok(lines)
    }
}
