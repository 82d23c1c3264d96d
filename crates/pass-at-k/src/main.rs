//! The launcher, for programs that cannot start themselves as one
//! ([`Launcher`](pass_at_k::sandbox::Launcher)).

use std::process::ExitCode;

fn main() -> ExitCode {
    pass_at_k::sandbox::launched().unwrap_or_else(|| {
        eprintln!("pass-at-k starts this program; there is nothing to do with it by hand");
        ExitCode::from(2)
    })
}
