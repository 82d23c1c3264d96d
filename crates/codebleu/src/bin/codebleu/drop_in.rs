//! The arguments and the output of `python -m codebleu`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use code_syntax::Language;
use codebleu::text::python_strip;
use codebleu::{Pair, Scorer, UNIFORM, Variant, Weights, parse_weights};

/// As `python -m codebleu` takes them.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Reference files, one snippet a line; several files for several references.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    refs: Vec<PathBuf>,
    /// The file of hypotheses, one snippet a line.
    #[arg(long, value_name = "FILE")]
    hyp: PathBuf,
    /// Their language.
    #[arg(long)]
    lang: Language,
    /// Weights of n-gram, weighted n-gram, syntax and dataflow match.
    #[arg(long, value_parser = parse_weights, value_name = "A,B,C,D")]
    params: Option<Weights>,
}

/// Prints what PyPI codebleu 0.7.0 prints, also for several reference files, with which that program
/// fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let hypotheses = read(&arguments.hyp)?;
    let references: Vec<String> =
        arguments.refs.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let hypotheses = lines(&hypotheses);
    let references: Vec<Vec<&str>> = references.iter().map(|text| lines(text)).collect();
    for (path, references) in arguments.refs.iter().zip(&references) {
        if references.len() != hypotheses.len() {
            bail!(
                "{} has {} lines and {} has {}: expected one reference for each hypothesis",
                path.display(),
                references.len(),
                arguments.hyp.display(),
                hypotheses.len()
            );
        }
    }
    let mut pairs = Vec::with_capacity(hypotheses.len());
    for (row, &hypothesis) in hypotheses.iter().enumerate() {
        let references = references.iter().map(|column| column[row]).collect();
        pairs.push(Pair { references, hypothesis });
    }
    let scorer = Scorer::new(arguments.lang, Variant::K4black)?
        .with_weights(arguments.params.unwrap_or(UNIFORM))?;
    let corpus = scorer.score_corpus(&pairs)?;
    let (scores, counts) = (corpus.scores, corpus.counts);
    // Where nothing matches at all the program has a whole number.
    let part = |score: f64, some: bool| if some { python_float(score) } else { "0".to_owned() };
    let dataflow = scores.dataflow_match_score.unwrap_or(0.0);
    println!(
        "ngram_match: {} weighted_ngram_match: {} syntax_match: {} dataflow_match: {}",
        part(scores.ngram_match_score, counts.ngrams.matches[0] > 0),
        part(scores.weighted_ngram_match_score, counts.keywords.matches[0] > 0),
        python_float(scores.syntax_match_score),
        part(dataflow, counts.dataflow.total > 0),
    );
    println!("CodeBLEU score:  {}", python_float(scores.codebleu));
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes);
    text.with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Lines as Python's text files have them, each stripped.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        lines.push(python_strip(&rest[..end]));
        let after = &rest[end..];
        let line_break = if after.starts_with("\r\n") { 2 } else { after.len().min(1) };
        rest = &after[line_break..];
    }
    lines
}

/// Python's `repr` of a float: as few digits as tell it apart, an exponent below 1e-4 and from 1e16.
fn python_float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => {
            let plain = format!("{value}");
            if plain.contains('.') { plain } else { format!("{plain}.0") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_does() {
        // By CPython's repr.
        let floats = [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (0.30000000000000004, "0.30000000000000004"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (2.5e100, "2.5e+100"),
        ];
        for (value, expected) in floats {
            assert_eq!(python_float(value), expected);
        }
    }

    #[test]
    fn lines_end_as_in_python() {
        assert_eq!(lines("a\r\nb\rc\n\n d "), ["a", "b", "c", "", "d"]);
        assert_eq!(lines(""), [""; 0]);
        assert_eq!(lines("a\n"), ["a"]);
    }
}
