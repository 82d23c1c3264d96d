//! `codebleu dataflow`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use code_syntax::Language;
use codebleu::dataflow::Dataflow;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Code; - or nothing: standard input.
    file: Option<PathBuf>,
    /// Its language.
    #[arg(long)]
    lang: Language,
}

/// Prints the graph that `paper` compares, for Graphviz.
pub(crate) fn graph(arguments: &Arguments) -> Result<()> {
    let path = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let code = if path == Path::new("-") {
        let mut code = String::new();
        io::stdin().read_to_string(&mut code).context("cannot read standard input")?;
        code
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
    };
    let dataflow = Dataflow::of(arguments.lang, &code)?;
    print!("{}", dataflow.to_dot());
    Ok(())
}
