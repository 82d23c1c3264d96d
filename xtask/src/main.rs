//! The chores of this workspace, as `cargo xtask TASK`.

mod libtorch;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask TASK [ARGUMENT ...]

  libtorch   provide libtorch for this checkout and print where it is
  demo       distil a student from the Python standard library (arguments go to `distill run`)
  test       run every test of every crate (arguments go to the test runner)
  bench      run the Criterion benchmarks (arguments go to `cargo bench`)
  evidence   make the tables of docs/evidence anew from the raw scores beside them
  ci         format, lints, documentation, a build without libtorch, then `test`
";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let task = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let done = match task.as_deref() {
        Some("libtorch") => provide_libtorch().map(|folder| println!("{}", folder.display())),
        Some("demo") => demo(&rest),
        Some("test") => test(&rest),
        Some("bench") => bench(&rest),
        Some("evidence") => evidence(),
        Some("ci") => ci(),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace: this crate lies directly in it.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn provide_libtorch() -> Result<PathBuf> {
    libtorch::provide(workspace())
}

fn demo(arguments: &[String]) -> Result<()> {
    provide_libtorch()?;
    let mut command = cargo();
    command.args(["run", "--release", "--package", "distill", "--", "run"]);
    if arguments.iter().all(|argument| argument.starts_with('-')) {
        command.arg("examples/stdlib.toml");
    }
    run(command.args(arguments))
}

fn test(arguments: &[String]) -> Result<()> {
    provide_libtorch()?;
    run(cargo().args(["test", "--workspace", "--doc"]))?;
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if nextest {
        run(cargo().args(["nextest", "run", "--workspace"]).args(arguments))
    } else {
        let targets = ["--lib", "--bins", "--tests", "--examples"];
        run(cargo().args(["test", "--workspace"]).args(targets).args(arguments))
    }
}

fn bench(arguments: &[String]) -> Result<()> {
    provide_libtorch()?;
    run(cargo().args(["bench", "--package", "benches"]).args(arguments))
}

fn evidence() -> Result<()> {
    let folder = workspace().join("docs/evidence");
    let entries = fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let results = entry?.path().join("results.jsonl.gz");
        if results.exists() {
            found.push(results);
        }
    }
    found.sort();
    for results in found {
        let mut command = cargo();
        command.args(["run", "--release", "--package", "distill", "--no-default-features", "--"]);
        run(command.arg("tables").arg(results))?;
    }
    Ok(())
}

fn ci() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    // The default members must not need libtorch: point its variable at nothing.
    run(cargo().args(["check", "--tests"]).env("LIBTORCH", "no-libtorch-here"))?;
    run(cargo()
        .args(["check", "--package", "distill", "--no-default-features"])
        .env("LIBTORCH", "no-libtorch-here"))?;
    provide_libtorch()?;
    let everything = ["--workspace", "--all-targets", "--all-features"];
    run(cargo().arg("clippy").args(everything).args(["--", "-D", "warnings"]))?;
    run(cargo()
        .args(["doc", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    test(&[])
}

/// Cargo, in the workspace's folder.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    // What the outer `cargo run` set for this package must not reach the inner one.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_")) {
            command.env_remove(name);
        }
    }
    if env::var_os("LIBTORCH").is_some_and(|value| libtorch::is_own_link(&value, workspace())) {
        command.env_remove("LIBTORCH");
    }
    command
}

/// Runs a command with this terminal, and says which one failed.
fn run(command: &mut Command) -> Result<()> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let line = format!("{} {}", program.to_string_lossy(), words.join(" "));
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}
