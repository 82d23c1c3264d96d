//! The command `distill`.

mod bars;
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
