//! Scores two snippets beside a reference with `codebleu`: `cargo run --example score_snippets`.

use codebleu::{Scorer, Variant};
use distill_core::Language;

const REFERENCE: &str = "\
def total(prices):
    result = 0
    for price in prices:
        result += price
    return result
";

const RENAMED: &str = "\
def total(values):
    s = 0
    for v in values:
        s += v
    return s
";

const WRONG: &str = "\
def total(prices):
    return len(prices)
";

fn main() -> anyhow::Result<()> {
    let scorer = Scorer::new(Language::Python, Variant::Paper)?;
    println!("{:<10} {:>6} {:>6} {:>6} {:>6} {:>8}", "", "TM", "SM", "DM", "KM", "CodeBLEU");
    for (name, hypothesis) in [("same", REFERENCE), ("renamed", RENAMED), ("wrong", WRONG)] {
        let scores = scorer.score(&[REFERENCE], hypothesis)?.scores;
        // No dataflow in either text is no score, rather than 0 or 1.
        let dataflow = scores.dataflow_match_score.map_or("–".into(), |dm| format!("{dm:.3}"));
        println!(
            "{name:<10} {:>6.3} {:>6.3} {dataflow:>6} {:>6.3} {:>8.3}",
            scores.ngram_match_score,
            scores.syntax_match_score,
            scores.weighted_ngram_match_score,
            scores.codebleu,
        );
    }
    Ok(())
}
