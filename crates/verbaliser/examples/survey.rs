//! Verbalises every record of JSONL files (`language` and `code` a line) and prints coverage and
//! speed; with `--show N` also every N-th record beside its words.
//!
//! ```text
//! cargo run --release -p verbaliser --example survey -- [--show N] FILE...
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use code_syntax::Language;
use serde::Deserialize;
use verbaliser::{Coverage, VerbaliseError};

#[derive(Deserialize)]
struct Record {
    language: Language,
    code: String,
}

#[derive(Default)]
struct Sum {
    records: usize,
    said: usize,
    broken: usize,
    steps: usize,
    characters: usize,
    coverage: Coverage,
    /// Of the texts of 15 to 25 lines with something on them: how many have so many steps of their
    /// own.
    top_steps: BTreeMap<usize, usize>,
    time: Duration,
}

/// Lines that hold more than blanks and comments.
fn lines_of_code(language: Language, code: &str) -> usize {
    let Ok(snippet) = code_syntax::snippet::parse_snippet(language, code) else { return 0 };
    let mut lines: Vec<usize> = code_syntax::preorder(&snippet.tree)
        .filter(|node| node.child_count() == 0 && !language.is_comment_kind(node.kind()))
        .flat_map(|leaf| [leaf.start_position().row, leaf.end_position().row])
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines.len()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut show = usize::MAX;
    let mut sums: BTreeMap<Language, Sum> = BTreeMap::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--show" {
            show = arguments.next().ok_or("--show needs a number")?.parse()?;
            continue;
        }
        for (index, record) in
            distill_core::jsonl::read::<Record>(Path::new(&argument))?.enumerate()
        {
            let record = record?;
            let sum = sums.entry(record.language).or_default();
            sum.records += 1;
            let start = Instant::now();
            let result = verbaliser::verbalise(record.language, &record.code);
            sum.time += start.elapsed();
            match result {
                Ok(verbalised) => {
                    sum.said += 1;
                    sum.steps += verbalised.pseudocode.len();
                    sum.characters += verbalised.pseudocode.to_string().len();
                    sum.coverage.add(&verbalised.report);
                    if (15..=25).contains(&lines_of_code(record.language, &record.code)) {
                        let steps = verbalised.pseudocode.steps();
                        let top = steps.iter().filter(|step| step.depth == 0).count();
                        *sum.top_steps.entry(top).or_default() += 1;
                    }
                    if index % show == show - 1 {
                        println!("{}\n----\n{}\n", record.code.trim(), verbalised.pseudocode);
                        println!("================================================");
                    }
                }
                Err(VerbaliseError::Syntax { .. } | VerbaliseError::Empty { .. }) => {
                    sum.broken += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    for (language, sum) in sums {
        let mean = |total: usize| total as f64 / sum.said.max(1) as f64;
        println!(
            "{language}: {} records, {} without a parse or a statement; {:.1} steps and {:.0} \
             characters each; {} nodes, {} without a rule ({:.3} %), {} places shortened; \
             {:.0} records/s",
            sum.records,
            sum.broken,
            mean(sum.steps),
            mean(sum.characters),
            sum.coverage.nodes,
            sum.coverage.without_rule,
            100.0 * sum.coverage.without_rule as f64 / sum.coverage.nodes.max(1) as f64,
            sum.coverage.shortened,
            sum.records as f64 / sum.time.as_secs_f64(),
        );
        let middling: usize = sum.top_steps.values().sum();
        let between = |from: usize, to: usize| -> usize {
            sum.top_steps.range(from..=to).map(|(_, count)| count).sum()
        };
        println!(
            "    {middling} of 15 to 25 lines: {} with 1 to 3 steps of their own, {} with 4 to 10, {} \
             with more ({} at most)",
            between(0, 3),
            between(4, 10),
            between(11, usize::MAX),
            sum.top_steps.keys().max().unwrap_or(&0),
        );
        for (kind, count) in &sum.coverage.missing {
            println!("    no rule: {kind} {count}");
        }
    }
    Ok(())
}
