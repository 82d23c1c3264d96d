//! The command `codebleu`: scores files of pairs, and distances of trees.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use code_syntax::Language;
use codebleu::ted::{self, brackets};
use codebleu::{Counts, Pair, PairScore, Scorer, Scores, UNIFORM, Variant, Weights};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// CodeBLEU and its parts, exact and deterministic.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Score hypotheses beside their references.
    Score(ScoreArgs),
    /// Put the results of shards together to that of the whole.
    Merge(MergeArgs),
    /// Tree edit distances of trees in bracket notation, two lines a pair.
    Ted(TedArgs),
}

#[derive(Args)]
struct ScoreArgs {
    /// JSONL records {id, lang, reference | references, hypothesis}; - or nothing: standard input.
    file: Option<PathBuf>,
    /// Instead of FILE: references, one snippet a line; several files for several references.
    #[arg(long, num_args = 1.., requires = "hyp", conflicts_with = "file", value_name = "FILE")]
    refs: Vec<PathBuf>,
    /// Instead of FILE: hypotheses, one snippet a line.
    #[arg(long, requires_all = ["refs", "lang"], value_name = "FILE")]
    hyp: Option<PathBuf>,
    /// The language, where a record does not say.
    #[arg(long)]
    lang: Option<Language>,
    /// paper, k4black or codexglue.
    #[arg(long, default_value = "paper")]
    variant: Variant,
    /// Weights of n-gram, weighted n-gram, syntax and dataflow match.
    #[arg(long, value_parser = weights, value_name = "A,B,C,D")]
    weights: Option<Weights>,
    /// Threads to use; all processors by default.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Score only every Nth pair, from the Ith on; `merge` puts such results together.
    #[arg(long, value_parser = shard, value_name = "I/N")]
    shard: Option<(usize, usize)>,
    /// A line for each pair, in the order of the input, instead of the corpus.
    #[arg(long)]
    per_pair: bool,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct MergeArgs {
    /// What `score --json` wrote for the shards: one object each.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Weights of n-gram, weighted n-gram, syntax and dataflow match.
    #[arg(long, value_parser = weights, value_name = "A,B,C,D")]
    weights: Option<Weights>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct TedArgs {
    /// Trees in bracket notation; - or nothing: standard input.
    file: Option<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

fn weights(text: &str) -> Result<Weights, String> {
    let parts: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let weights: Weights = parts
        .map_err(|error| error.to_string())?
        .try_into()
        .map_err(|_| "expected four numbers".to_owned())?;
    let usable = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
    if usable && weights != [0.0; 4] {
        Ok(weights)
    } else {
        Err("weights must be finite, not negative and not all zero".into())
    }
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if (1..=n).contains(&i) => Ok((i, n)),
        _ => Err("expected I/N with I from 1 to N".into()),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Score(args) => score(args),
        Command::Merge(args) => merge(args),
        Command::Ted(args) => edit_distances(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether whoever reads our output has had enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    id: Value,
    #[serde(alias = "language")]
    lang: Option<Language>,
    reference: Option<String>,
    references: Option<Vec<String>>,
    hypothesis: String,
    /// Where it stands, for errors.
    #[serde(skip)]
    place: String,
}

impl Record {
    fn pair(&self) -> Pair<'_> {
        let one = self.reference.iter().map(String::as_str);
        let several = self.references.iter().flatten().map(String::as_str);
        Pair { references: one.chain(several).collect(), hypothesis: &self.hypothesis }
    }
}

#[derive(Serialize)]
struct PairLine<'a> {
    id: &'a Value,
    #[serde(flatten)]
    score: &'a PairScore,
}

#[derive(Serialize, Deserialize)]
struct CorpusLine {
    variant: Variant,
    pairs: u64,
    #[serde(flatten)]
    scores: Scores,
    counts: Counts,
}

/// A scorer for each language of this build that the variant knows.
struct Scorers {
    by_language: Vec<Option<Scorer>>,
    variant: Variant,
    default: Option<Language>,
}

impl Scorers {
    fn new(args: &ScoreArgs) -> Result<Scorers> {
        let weights = args.weights.unwrap_or(UNIFORM);
        let scorer = |language| Scorer::new(language, args.variant)?.with_weights(weights);
        if let Some(language) = args.lang {
            scorer(language)?;
        }
        Ok(Scorers {
            by_language: Language::ALL.into_iter().map(|language| scorer(language).ok()).collect(),
            variant: args.variant,
            default: args.lang,
        })
    }

    fn language(&self, record: &Record) -> Result<Language> {
        let language = record
            .lang
            .or(self.default)
            .ok_or_else(|| anyhow!("no `lang` in the record, and no --lang given"))?;
        if self.by_language[language as usize].is_none() {
            Scorer::new(language, self.variant)?;
        }
        Ok(language)
    }

    /// Scores records of any languages, each at its place.
    fn score(&self, records: Vec<Result<Record>>) -> Vec<Result<(Value, PairScore)>> {
        let languages: Vec<Option<Language>> = records
            .iter()
            .map(|record| record.as_ref().ok().and_then(|record| self.language(record).ok()))
            .collect();
        let mut scores: Vec<Option<Result<PairScore, _>>> = records.iter().map(|_| None).collect();
        for (language, scorer) in Language::ALL.into_iter().zip(&self.by_language) {
            let Some(scorer) = scorer else { continue };
            let places: Vec<usize> =
                (0..records.len()).filter(|&place| languages[place] == Some(language)).collect();
            let pairs: Vec<Pair> = places
                .iter()
                .filter_map(|&place| records[place].as_ref().ok())
                .map(Record::pair)
                .collect();
            for (place, score) in places.into_iter().zip(scorer.score_each(&pairs)) {
                scores[place] = Some(score);
            }
        }
        let result = |(record, score): (Result<Record>, Option<Result<PairScore, _>>)| {
            let record = record?;
            match score {
                Some(score) => Ok((record.id, score.with_context(|| record.place.clone())?)),
                // Why there is no scorer for it.
                None => {
                    self.language(&record).with_context(|| record.place.clone())?;
                    bail!("{}: not scored", record.place)
                }
            }
        };
        records.into_iter().zip(scores).map(result).collect()
    }
}

/// Pairs handed to the threads at a time.
const CHUNK: usize = 4096;

fn score(args: ScoreArgs) -> Result<()> {
    let scorers = Scorers::new(&args)?;
    let mut output =
        Output::new(args.json, args.per_pair, args.variant, args.weights.unwrap_or(UNIFORM));
    let threads = usize::from(args.threads.unwrap_or(0));
    let (first, step) = args.shard.unwrap_or((1, 1));
    let mut seen = 0;
    let mut in_shard = || {
        seen += 1;
        (seen + step - first).is_multiple_of(step)
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    match &args.hyp {
        Some(hypotheses) => {
            let mut files = vec![Lines::open(hypotheses)?];
            for path in &args.refs {
                files.push(Lines::open(path)?);
            }
            score_lines(files, |chunk| {
                let records = chunk.into_iter().filter(|_| in_shard()).map(Ok).collect();
                output.write(pool.install(|| scorers.score(records)))
            })?;
        }
        None => {
            let mut lines = Lines::open(args.file.as_deref().unwrap_or(Path::new("-")))?;
            loop {
                let mut chunk = lines.chunk(CHUNK)?;
                if chunk.is_empty() {
                    break;
                }
                chunk.retain(|_| in_shard());
                let name = &lines.name;
                let scored = pool.install(|| {
                    let read = |(number, line): &(usize, Vec<u8>)| {
                        let place = format!("{name}:{number}");
                        match read_record(line) {
                            Ok(record) => Ok(Record { place, ..record }),
                            Err(error) => Err(error.context(place)),
                        }
                    };
                    scorers.score(chunk.par_iter().map(read).collect())
                });
                output.write(scored)?;
            }
            lines.progress.finish_and_clear();
        }
    }
    output.finish()
}

fn read_record(line: &[u8]) -> Result<Record> {
    let record: Record = serde_json::from_str(utf8(line)?)?;
    match (&record.reference, &record.references) {
        (None, None) => bail!("no `reference` and no `references` in the record"),
        (Some(_), Some(_)) => bail!("both `reference` and `references` in the record"),
        _ => Ok(record),
    }
}

fn utf8(line: &[u8]) -> Result<&str> {
    std::str::from_utf8(line)
        .map_err(|error| anyhow!("not UTF-8 (byte {} of the line)", error.valid_up_to() + 1))
}

/// Line files side by side: the first holds the hypotheses, the others references.
fn score_lines(
    mut files: Vec<Lines>,
    mut sink: impl FnMut(Vec<Record>) -> Result<()>,
) -> Result<()> {
    let mut number = 0_u64;
    loop {
        let mut columns = Vec::with_capacity(files.len());
        for file in &mut files {
            columns.push(file.chunk_with_empty(CHUNK)?);
        }
        for (file, column) in files.iter().zip(&columns).skip(1) {
            if column.len() != columns[0].len() {
                bail!(
                    "{} and {} do not have equally many lines: one ends after line {}",
                    files[0].name,
                    file.name,
                    number as usize + column.len().min(columns[0].len())
                );
            }
        }
        if columns[0].is_empty() {
            return Ok(());
        }
        let mut records = Vec::with_capacity(columns[0].len());
        for row in 0..columns[0].len() {
            number += 1;
            let mut texts = Vec::with_capacity(columns.len());
            for (file, column) in files.iter().zip(&columns) {
                let (number, line) = &column[row];
                let text = utf8(line).with_context(|| format!("{}:{number}", file.name))?;
                texts.push(text.to_owned());
            }
            let references = texts.split_off(1);
            let hypothesis = texts.pop().unwrap_or_default();
            records.push(Record {
                id: number.into(),
                lang: None,
                reference: None,
                references: Some(references),
                hypothesis,
                place: format!("{}:{number}", files[0].name),
            });
        }
        sink(records)?;
    }
}

/// The lines of a file or of standard input, with their numbers.
struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    number: usize,
    progress: ProgressBar,
}

impl Lines {
    fn open(path: &Path) -> Result<Lines> {
        let standard_input = path == Path::new("-");
        let (name, reader, progress): (_, Box<dyn BufRead>, _) = if standard_input {
            if io::stdin().is_terminal() {
                eprintln!("reading from the terminal; Ctrl-D ends it");
            }
            ("standard input".to_owned(), Box::new(io::stdin().lock()), ProgressBar::hidden())
        } else {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
            let bytes = file.metadata().map_or(0, |data| data.len());
            // It draws itself on a terminal only.
            let progress = ProgressBar::new(bytes).with_style(ProgressStyle::with_template(
                "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
            )?);
            (name, Box::new(BufReader::with_capacity(1 << 16, file)), progress)
        };
        Ok(Lines { name, reader, number: 0, progress })
    }

    fn next(&mut self) -> Result<Option<(usize, Vec<u8>)>> {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("cannot read {}", self.name))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.progress.inc(read as u64);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some((self.number, line)))
    }

    fn chunk_with_empty(&mut self, size: usize) -> Result<Vec<(usize, Vec<u8>)>> {
        let mut lines = Vec::new();
        while lines.len() < size {
            let Some(line) = self.next()? else { break };
            lines.push(line);
        }
        Ok(lines)
    }

    /// The next lines that hold anything.
    fn chunk(&mut self, size: usize) -> Result<Vec<(usize, Vec<u8>)>> {
        let mut lines = Vec::new();
        while lines.len() < size {
            let Some((number, line)) = self.next()? else { break };
            if !line.iter().all(u8::is_ascii_whitespace) {
                lines.push((number, line));
            }
        }
        Ok(lines)
    }
}

/// Where scores go: as JSON or as a table, each pair or the corpus.
struct Output {
    writer: BufWriter<io::StdoutLock<'static>>,
    json: bool,
    per_pair: bool,
    counts: Counts,
    weights: Weights,
    header: bool,
}

impl Output {
    fn new(json: bool, per_pair: bool, variant: Variant, weights: Weights) -> Output {
        Output {
            writer: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            json,
            per_pair,
            counts: Counts::new(variant),
            weights,
            header: false,
        }
    }

    /// Writes what was scored before the first error, and then is that error.
    fn write(&mut self, scored: Vec<Result<(Value, PairScore)>>) -> Result<()> {
        for result in scored {
            let (id, score) = match result {
                Ok(scored) => scored,
                Err(error) => {
                    self.writer.flush()?;
                    return Err(error);
                }
            };
            self.counts += score.counts;
            if self.per_pair && self.json {
                serde_json::to_writer(&mut self.writer, &PairLine { id: &id, score: &score })
                    .map_err(io::Error::from)?;
                self.writer.write_all(b"\n")?;
            } else if self.per_pair {
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                self.row(&id, &score.scores)?;
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

    fn finish(mut self) -> Result<()> {
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
                let name = format!("{} pairs, variant {}", self.counts.pairs, self.counts.variant);
                self.row(&name, &scores)?;
            }
        }
        Ok(self.writer.flush()?)
    }
}

fn merge(args: MergeArgs) -> Result<()> {
    let mut sum: Option<Counts> = None;
    for path in &args.files {
        let mut lines = Lines::open(path)?;
        while let Some((number, line)) = lines.next()? {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let place = || format!("{}:{number}: not a result of a shard", lines.name);
            let text = utf8(&line).with_context(place)?;
            let shard: CorpusLine = serde_json::from_str(text).with_context(place)?;
            match &mut sum {
                Some(sum) => sum.merge(&shard.counts).with_context(place)?,
                None => sum = Some(shard.counts),
            }
        }
    }
    let counts = sum.ok_or_else(|| anyhow!("no results to merge"))?;
    let weights = args.weights.unwrap_or(UNIFORM);
    let mut output = Output::new(args.json, false, counts.variant, weights);
    output.counts = counts;
    output.finish()
}

#[derive(Serialize)]
struct TedLine {
    size_a: usize,
    size_b: usize,
    distance: u32,
    similarity: f64,
    seconds: f64,
}

fn edit_distances(args: TedArgs) -> Result<()> {
    let mut lines = Lines::open(args.file.as_deref().unwrap_or(Path::new("-")))?;
    let mut writer = BufWriter::new(io::stdout().lock());
    let mut labels = brackets::Labels::new();
    if !args.json {
        writeln!(writer, "  size a   size b distance similarity  seconds")?;
    }
    loop {
        let pair = lines.chunk(2)?;
        let trees: Vec<_> = pair
            .iter()
            .map(|(number, line)| {
                utf8(line)
                    .and_then(|text| Ok(brackets::parse(text, &mut labels)?))
                    .with_context(|| format!("{}:{number}", lines.name))
            })
            .collect::<Result<_>>()?;
        let [a, b] = &trees[..] else {
            if let [(number, _)] = &pair[..] {
                bail!("{}:{number}: a tree without a second one to compare with", lines.name);
            }
            break;
        };
        let start = Instant::now();
        let place = || format!("{}:{}", lines.name, pair[0].0);
        let distance = ted::distance(a, b).with_context(place)?;
        let seconds = start.elapsed().as_secs_f64();
        let larger = a.len().max(b.len());
        let similarity = if larger == 0 { 1.0 } else { 1.0 - f64::from(distance) / larger as f64 };
        let line = TedLine { size_a: a.len(), size_b: b.len(), distance, similarity, seconds };
        if args.json {
            serde_json::to_writer(&mut writer, &line).map_err(io::Error::from)?;
            writer.write_all(b"\n")?;
        } else {
            let TedLine { size_a, size_b, .. } = line;
            writeln!(writer, "{size_a:8} {size_b:8} {distance:8} {similarity:10.4} {seconds:8.6}")?;
        }
    }
    Ok(writer.flush()?)
}
