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

/// Where scores go: as JSON or as a table, each pair or the corpus.
pub(crate) struct Output {
    writer: BufWriter<io::StdoutLock<'static>>,
    json: bool,
    /// A line for each pair instead of the corpus.
    pub(crate) per_pair: bool,
    counts: Counts,
    weights: Weights,
    header: bool,
}

impl Output {
    pub(crate) fn new(json: bool, counts: Counts, weights: Weights) -> Output {
        Output {
            writer: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            json,
            per_pair: false,
            counts,
            weights,
            header: false,
        }
    }

    /// Writes what was scored before the first error, and then is that error.
    pub(crate) fn write<T: Scored>(&mut self, scored: Vec<Result<(Value, T)>>) -> Result<()> {
        for result in scored {
            let (id, score) = match result {
                Ok(scored) => scored,
                Err(error) => {
                    self.writer.flush()?;
                    return Err(error);
                }
            };
            self.counts += score.pair().counts;
            if self.per_pair && self.json {
                serde_json::to_writer(&mut self.writer, &PairLine { id: &id, score: &score })
                    .map_err(io::Error::from)?;
                self.writer.write_all(b"\n")?;
            } else if self.per_pair {
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                self.row(&id, &score.pair().scores)?;
                score.write_details(&mut self.writer)?;
            }
        }
        Ok(())
    }

    fn row(&mut self, name: &str, scores: &Scores) -> Result<()> {
        if !std::mem::replace(&mut self.header, true) {
            let header = "codebleu    ngram weighted   syntax dataflow";
            writeln!(self.writer, "{header}  pair")?;
        }
        let dataflow = scores.dataflow_match_score.map_or("-".into(), |s| format!("{s:.4}"));
        writeln!(
            self.writer,
            "{:8.4} {:8.4} {:8.4} {:8.4} {dataflow:>8}  {name}",
            scores.codebleu,
            scores.ngram_match_score,
            scores.weighted_ngram_match_score,
            scores.syntax_match_score,
        )?;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        if !self.per_pair {
            if self.counts.pairs == 0 {
                bail!("no pairs to score");
            }
            let scores = self.counts.scores(self.weights);
            if self.json {
                let counts = self.counts;
                let line =
                    CorpusLine { variant: counts.variant, pairs: counts.pairs, scores, counts };
                serde_json::to_writer(&mut self.writer, &line).map_err(io::Error::from)?;
                self.writer.write_all(b"\n")?;
            } else {
                let Counts { pairs, variant, fixes, .. } = self.counts;
                let fixes: String = fixes.iter().map(|fix| format!(" + {fix}")).collect();
                self.row(&format!("{pairs} pairs, variant {variant}{fixes}"), &scores)?;
            }
        }
        Ok(self.writer.flush()?)
    }
}
