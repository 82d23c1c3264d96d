//! The command `distill`.

mod bars;
mod cli;
mod evidence;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
