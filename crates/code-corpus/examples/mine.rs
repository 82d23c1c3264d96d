//! Mines the standard library of the machine's Python and prints some of the pairs.
//!
//! `cargo run --release -p code-corpus --example mine -- [PYTHON or FOLDER] [PAIRS TO PRINT]`

use std::path::PathBuf;

use code_corpus::mine::{MINEABLE, mine, python_stdlib};
use code_corpus::{Filters, Side, Split, split};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "python3".into());
    let shown: usize = arguments.next().map_or(Ok(3), |n| n.parse())?;
    let root = match PathBuf::from(&what) {
        folder if folder.is_dir() => folder,
        _ => python_stdlib(&what)?,
    };
    let started = std::time::Instant::now();
    let harvest = mine(&root, &MINEABLE, &Filters::default(), &|_| {})?;
    println!(
        "{} files, {} functions, {} pairs in {:.2?}; {}",
        harvest.files,
        harvest.candidates,
        harvest.problems.len(),
        started.elapsed(),
        harvest.dropped
    );
    let sides = split::split(&harvest.problems, &Split::default())?;
    for side in [Side::Train, Side::Valid, Side::Test] {
        println!("{side:?}: {}", sides.iter().filter(|s| **s == side).count());
    }
    let every = (harvest.problems.len() / shown.max(1)).max(1);
    for problem in harvest.problems.iter().step_by(every).take(shown) {
        println!(
            "\n## {}\n> {}\n{}",
            problem.id,
            problem.query,
            problem.reference.as_deref().unwrap_or("")
        );
    }
    Ok(())
}
