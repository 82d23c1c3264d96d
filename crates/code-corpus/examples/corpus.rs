//! Builds a corpus and prints its statistics and some of its problems.
//!
//! ```text
//! cargo run --release -p code-corpus --example corpus -- stdlib [PYTHON]
//! cargo run --release -p code-corpus --example corpus -- tree FOLDER LANGUAGE…
//! cargo run --release -p code-corpus --example corpus -- csn FILE…
//! cargo run --release -p code-corpus --example corpus -- jsonl FIELDS.json FILE…
//! ```
//! `SHOW=20` prints 20 problems, spread over the corpus; `OPTIONS=options.json` reads options.

use std::error::Error;

use code_corpus::{Corpus, Fields, Options, Source};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let source = match arguments.next().as_deref() {
        Some("stdlib") => {
            Source::PythonStdlib { python: arguments.next().unwrap_or_else(|| "python3".into()) }
        }
        Some("tree") => Source::Tree {
            root: arguments.next().ok_or("a folder is missing")?.into(),
            languages: arguments.map(|name| name.parse()).collect::<Result<_, _>>()?,
        },
        Some("csn") => Source::CodeSearchNet { files: arguments.map(Into::into).collect() },
        Some("jsonl") => {
            let fields = arguments.next().ok_or("a file of field names is missing")?;
            let fields: Fields = serde_json::from_str(&std::fs::read_to_string(fields)?)?;
            Source::Jsonl { files: arguments.map(Into::into).collect(), fields }
        }
        _ => return Err("one of stdlib, tree, csn, jsonl is wanted first".into()),
    };
    let started = std::time::Instant::now();
    let options = match std::env::var("OPTIONS") {
        Ok(path) => serde_json::from_str(&std::fs::read_to_string(path)?)?,
        Err(_) => Options::default(),
    };
    let corpus = Corpus::build(&source, &options, &|_| {})?;
    println!("{}", serde_json::to_string_pretty(&corpus.statistics)?);
    println!("{:.2?}", started.elapsed());

    let shown: usize = std::env::var("SHOW").map_or(Ok(0), |count| count.parse())?;
    let problems = [corpus.train, corpus.valid, corpus.test].concat();
    for problem in problems.iter().step_by((problems.len() / shown.max(1)).max(1)).take(shown) {
        let code = problem.reference.as_deref().unwrap_or("");
        println!("\n## {} ({})\n> {}\n{code}", problem.id, problem.language, problem.query);
    }
    Ok(())
}
