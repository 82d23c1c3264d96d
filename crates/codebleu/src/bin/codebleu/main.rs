//! The command `codebleu`: scores files of pairs, and distances of trees.

mod dataflow;
mod drop_in;
mod explain;
mod input;
mod output;
mod score;
mod ted;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use codebleu::CodebleuError;

/// The parser asks for memory in small pieces, and its C code asks this allocator too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// CodeBLEU and its parts, exact and deterministic.
///
/// Called like `python -m codebleu` (--refs FILE… --hyp FILE --lang L [--params A,B,C,D]) it prints
/// what that program prints.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    drop_in: Option<drop_in::Arguments>,
}

#[derive(Subcommand)]
enum Command {
    /// Score hypotheses beside their references.
    Score(score::ScoreArguments),
    /// Put the results of shards together to that of the whole.
    Merge(score::MergeArguments),
    /// Tree edit distances of trees in bracket notation, two lines a pair.
    Ted(ted::Arguments),
    /// The dataflow of a piece of code as a graph in DOT, the language of Graphviz.
    Dataflow(dataflow::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match (cli.command, cli.drop_in) {
        (Some(Command::Score(arguments)), _) => score::score(arguments),
        (Some(Command::Merge(arguments)), _) => score::merge(arguments),
        (Some(Command::Ted(arguments)), _) => ted::distances(arguments),
        (Some(Command::Dataflow(arguments)), _) => dataflow::graph(&arguments),
        (None, Some(arguments)) => drop_in::run(&arguments),
        // The parser asks for one of them.
        (None, None) => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            match error.downcast_ref() {
                Some(CodebleuError::Fix { .. }) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Whether whoever reads our output has had enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}
