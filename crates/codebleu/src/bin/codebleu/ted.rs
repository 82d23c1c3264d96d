//! `codebleu ted`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use codebleu::ted::{self, brackets};
use serde::Serialize;

use crate::input::{Lines, utf8};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Trees in bracket notation; - or nothing: standard input.
    file: Option<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct TedLine {
    size_a: usize,
    size_b: usize,
    distance: u32,
    similarity: f64,
    seconds: f64,
}

pub(crate) fn distances(args: Arguments) -> Result<()> {
    let mut lines = Lines::open(args.file.as_deref().unwrap_or(Path::new("-")))?;
    let mut writer = BufWriter::new(io::stdout().lock());
    let mut labels = brackets::Labels::new();
    if !args.json {
        writeln!(writer, "  size a   size b distance similarity  seconds")?;
    }
    loop {
        let pair = lines.chunk(2, || true)?;
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
