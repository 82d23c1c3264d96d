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
    time: Duration,
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
        for (kind, count) in &sum.coverage.missing {
            println!("    no rule: {kind} {count}");
        }
    }
    Ok(())
}
