//! Where scores go: as JSON or as a table, each pair or the corpus.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use codebleu::{Counts, PairScore, Scores, Variant, Weights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize)]
struct PairLine<'a, T> {
    id: &'a Value,
    #[serde(flatten)]
    score: &'a T,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CorpusLine {
    variant: Variant,
    pairs: u64,
    #[serde(flatten)]
    scores: Scores,
    pub(crate) counts: Counts,
}

/// What is known of a pair.
pub(crate) trait Scored: Serialize {
    fn pair(&self) -> &PairScore;

    /// What a table has below the scores.
    fn write_details(&self, _writer: &mut impl Write) -> io::Result<()> {
        Ok(())
    }
}

impl Scored for PairScore {
    fn pair(&self) -> &PairScore {
        self
    }
}

/// A pair that is scored and what is written of it: nothing where only the corpus is asked for.
pub(crate) struct Line {
    counts: Counts,
    text: Vec<u8>,
}

/// What is written of each pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub(crate) json: bool,
    /// A line for each pair instead of the corpus.
    pub(crate) per_pair: bool,
}

impl Format {
    pub(crate) fn line<T: Scored>(self, id: &Value, score: &T) -> Result<Line> {
        let mut text = Vec::new();
        if self.per_pair && self.json {
            text.reserve(768);
            serde_json::to_writer(&mut text, &PairLine { id, score })?;
            text.push(b'\n');
        } else if self.per_pair {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            row(&mut text, &id, &score.pair().scores)?;
            score.write_details(&mut text)?;
        }
        Ok(Line { counts: score.pair().counts, text })
    }
}

fn row(writer: &mut impl Write, name: &str, scores: &Scores) -> io::Result<()> {
    let dataflow = scores.dataflow_match_score.map_or("-".into(), |s| format!("{s:.4}"));
    writeln!(
        writer,
        "{:8.4} {:8.4} {:8.4} {:8.4} {dataflow:>8}  {name}",
        scores.codebleu,
        scores.ngram_match_score,
        scores.weighted_ngram_match_score,
        scores.syntax_match_score,
    )
}

/// Where scores go: as JSON or as a table, each pair or the corpus.
pub(crate) struct Output {
    writer: BufWriter<io::StdoutLock<'static>>,
    format: Format,
    counts: Counts,
    weights: Weights,
    header: bool,
}

impl Output {
    pub(crate) fn new(format: Format, counts: Counts, weights: Weights) -> Output {
        Output {
            writer: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            format,
            counts,
            weights,
            header: false,
        }
    }

    /// Writes what was scored before the first error, and then is that error.
    pub(crate) fn write(&mut self, lines: Vec<Result<Line>>) -> Result<()> {
        for line in lines {
            let Line { counts, text } = match line {
                Ok(line) => line,
                Err(error) => {
                    self.writer.flush()?;
                    return Err(error);
                }
            };
            self.counts += counts;
            if self.format.per_pair && !self.format.json {
                self.header()?;
            }
            self.writer.write_all(&text)?;
        }
        Ok(())
    }

    fn header(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.header, true) {
            let header = "codebleu    ngram weighted   syntax dataflow";
            writeln!(self.writer, "{header}  pair")?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        if !self.format.per_pair {
            if self.counts.pairs == 0 {
                bail!("no pairs to score");
            }
            let scores = self.counts.scores(self.weights);
            if self.format.json {
                let counts = self.counts;
                let line =
                    CorpusLine { variant: counts.variant, pairs: counts.pairs, scores, counts };
                serde_json::to_writer(&mut self.writer, &line).map_err(io::Error::from)?;
                self.writer.write_all(b"\n")?;
            } else {
                let Counts { pairs, variant, fixes, .. } = self.counts;
                let fixes: String = fixes.iter().map(|fix| format!(" + {fix}")).collect();
                self.header()?;
                let name = format!("{pairs} pairs, variant {variant}{fixes}");
                row(&mut self.writer, &name, &scores)?;
            }
        }
        Ok(self.writer.flush()?)
    }
}
