//! `codebleu score` and `codebleu merge`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use code_syntax::Language;
use codebleu::{
    CodebleuError, Counts, Fix, Fixes, Pair, Scorer, UNIFORM, Variant, Weights, parse_weights,
};
use indicatif::ProgressBar;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::input::{LineFiles, Lines, Record, read_record, utf8};
use crate::output::{CorpusLine, Format, Line, Output, Scored};

#[derive(Args)]
pub(crate) struct ScoreArguments {
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
    /// paper, k4black, codexglue or fixed.
    #[arg(long, default_value = "paper")]
    variant: Variant,
    /// Mend one fault of the variant (several: comma between them); the documentation lists them.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    fix: Vec<Fix>,
    /// Weights of n-gram, weighted n-gram, syntax and dataflow match.
    #[arg(long, value_parser = parse_weights, value_name = "A,B,C,D")]
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
    /// For each pair also what its score is made of: unmatched subtrees or edits, missing dataflow.
    #[arg(long)]
    explain: bool,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct MergeArguments {
    /// What `score --json` wrote for the shards: one object each.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Weights of n-gram, weighted n-gram, syntax and dataflow match.
    #[arg(long, value_parser = parse_weights, value_name = "A,B,C,D")]
    weights: Option<Weights>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if (1..=n).contains(&i) => Ok((i, n)),
        _ => Err("expected I/N with I from 1 to N".into()),
    }
}

/// A scorer for each language of this build that the variant knows.
struct Scorers {
    by_language: Vec<Option<Scorer>>,
    variant: Variant,
    default: Option<Language>,
}

impl Scorers {
    fn new(args: &ScoreArguments) -> Result<Scorers> {
        let weights = args.weights.unwrap_or(UNIFORM);
        let fixes: Fixes = args.fix.iter().copied().collect();
        let scorer = |language| {
            Scorer::new(language, args.variant)?.with_fixes(fixes)?.with_weights(weights)
        };
        // What is wrong whatever the language is said before anything is read.
        scorer(args.lang.unwrap_or(Language::Python))?;
        Ok(Scorers {
            by_language: Language::ALL.into_iter().map(|language| scorer(language).ok()).collect(),
            variant: args.variant,
            default: args.lang,
        })
    }

    /// The fixes on top of the variant's own.
    fn fixes(&self) -> Fixes {
        self.by_language.iter().flatten().next().map_or(Fixes::NONE, Scorer::fixes)
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

    /// Reads records of any languages from `raw`, has them scored, and writes their lines, each at its
    /// place.
    fn lines<R: Send, T: Scored + Send>(
        &self,
        raw: Vec<R>,
        read: impl Fn(R) -> Result<Record> + Sync + Send,
        score: impl Fn(&Scorer, &[Pair<'_>]) -> Vec<Result<T, CodebleuError>>,
        format: Format,
    ) -> Vec<Result<Line>> {
        let records: Vec<Result<Record>> = raw.into_par_iter().map(read).collect();
        let languages: Vec<Option<Language>> = records
            .iter()
            .map(|record| record.as_ref().ok().and_then(|record| self.language(record).ok()))
            .collect();
        let mut scores: Vec<Option<Result<T, _>>> = records.iter().map(|_| None).collect();
        for (language, scorer) in Language::ALL.into_iter().zip(&self.by_language) {
            let Some(scorer) = scorer else { continue };
            let places: Vec<usize> =
                (0..records.len()).filter(|&place| languages[place] == Some(language)).collect();
            let pairs: Vec<Pair> = places
                .iter()
                .filter_map(|&place| records[place].as_ref().ok())
                .map(Record::pair)
                .collect();
            for (place, score) in places.into_iter().zip(score(scorer, &pairs)) {
                scores[place] = Some(score);
            }
        }
        let line = |(record, score): (Result<Record>, Option<Result<T, _>>)| {
            let record = record?;
            match score {
                Some(score) => {
                    format.line(&record.id, &score.with_context(|| record.place.clone())?)
                }
                // Why there is no scorer for it.
                None => {
                    self.language(&record).with_context(|| record.place.clone())?;
                    bail!("{}: not scored", record.place)
                }
            }
        };
        records.into_par_iter().zip(scores).map(line).collect()
    }
}

/// Pairs handed to the threads at a time; fewer where they are long.
const CHUNK: usize = 4096;

/// Scores one chunk after the other. While the threads work on one, this thread writes what came of
/// the last one and reads the next, and then it works too.
fn pipeline<R: Send>(
    pool: &ThreadPool,
    output: &mut Output,
    mut next: impl FnMut() -> Result<Vec<R>>,
    work: impl Fn(Vec<R>) -> Vec<Result<Line>> + Sync,
) -> Result<()> {
    let mut done = Vec::new();
    let mut chunk = next();
    loop {
        let now = match chunk {
            Ok(now) if !now.is_empty() => now,
            end => {
                output.write(done)?;
                return end.map(drop);
            }
        };
        let last = std::mem::take(&mut done);
        let mut written = Ok(());
        chunk = Ok(Vec::new());
        pool.in_place_scope(|scope| {
            scope.spawn(|_| done = work(now));
            written = output.write(last);
            if written.is_ok() {
                chunk = next();
            }
        });
        written?;
    }
}

pub(crate) fn score(args: ScoreArguments) -> Result<()> {
    let scorers = Scorers::new(&args)?;
    let none = Counts { fixes: scorers.fixes(), ..Counts::new(args.variant) };
    let format = Format { json: args.json, per_pair: args.per_pair || args.explain };
    let mut output = Output::new(format, none, args.weights.unwrap_or(UNIFORM));
    let threads = usize::from(args.threads.unwrap_or(0));
    // This thread works too: with one thread there is no other.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build()?;
    let (first, step) = args.shard.unwrap_or((1, 1));
    let mut seen = 0;
    let mut in_shard = || {
        seen += 1;
        (seen + step - first).is_multiple_of(step)
    };
    let explain = |scorer: &Scorer, pairs: &[Pair]| {
        let explain = |pair: &Pair| scorer.explain(&pair.references, pair.hypothesis);
        pairs.par_iter().with_max_len(8).map(explain).collect()
    };
    match &args.hyp {
        Some(hypotheses) => {
            let mut files = vec![Lines::open(hypotheses)?];
            for path in &args.refs {
                let mut lines = Lines::open(path)?;
                // One bar is enough.
                lines.progress = ProgressBar::hidden();
                files.push(lines);
            }
            let mut files = LineFiles::new(files);
            let next = || files.chunk(CHUNK, &mut in_shard);
            pipeline(&pool, &mut output, next, |records| match args.explain {
                true => scorers.lines(records, Ok, explain, format),
                false => scorers.lines(records, Ok, Scorer::score_each, format),
            })?;
        }
        None => {
            let mut lines = Lines::open(args.file.as_deref().unwrap_or(Path::new("-")))?;
            let name = lines.name.clone();
            let read =
                |(number, line): (usize, Vec<u8>)| read_record(&line, format!("{name}:{number}"));
            let next = || lines.chunk(CHUNK, &mut in_shard);
            pipeline(&pool, &mut output, next, |chunk| match args.explain {
                true => scorers.lines(chunk, read, explain, format),
                false => scorers.lines(chunk, read, Scorer::score_each, format),
            })?;
            lines.progress.finish_and_clear();
        }
    }
    output.finish()
}

pub(crate) fn merge(args: MergeArguments) -> Result<()> {
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
    Output::new(Format { json: args.json, per_pair: false }, counts, weights).finish()
}
