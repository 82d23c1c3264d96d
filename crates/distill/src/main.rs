//! The command `distill`.

mod bars;
mod cli;
mod evidence;

use std::process::ExitCode;

fn main() -> ExitCode {
    // `distill passk` starts this program anew to shut itself in.
    pass_at_k::sandbox::launched().unwrap_or_else(cli::main)
}
