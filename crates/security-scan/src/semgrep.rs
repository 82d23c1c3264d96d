//! Semgrep, run without a network.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::sarif::{self, Log};
use crate::{ScanError, io};

/// Whether a program of this name starts.
pub fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.args(["--version", "--disable-version-check"]).stdin(Stdio::null());
    command.output().is_ok_and(|output| output.status.success())
}

/// Scans a folder with rules from disk: nothing is sent or fetched, no version is looked up, nothing
/// about the caller's repository is asked. The log stays beside the files as `semgrep.sarif`.
///
/// # Errors
/// [`ScanError::Semgrep`] where it does not start or fails: it says what Semgrep said; for rules that
/// are not on the disk, which Semgrep would fetch.
pub fn scan(program: &str, rules: &Path, folder: &Path) -> Result<Log, ScanError> {
    // Names such as `auto` and `p/python` are addresses.
    if !rules.exists() {
        return Err(ScanError::Semgrep(format!(
            "there is no file or folder of rules {}: rules are read from the disk alone",
            rules.display()
        )));
    }
    let output = folder.join("semgrep.sarif");
    let result = Command::new(program)
        .args(["scan", "--metrics=off", "--disable-version-check", "--no-git-ignore", "--quiet"])
        .args(["--no-rewrite-rule-ids", "--sarif", "--output"])
        .arg(&output)
        .arg("--config")
        .arg(rules)
        .arg(folder)
        .env("SEMGREP_SEND_METRICS", "off")
        .env("SEMGREP_ENABLE_VERSION_CHECK", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ScanError::Semgrep(format!("cannot start {program}: {error}")))?;
    // 0: done; 1: done with --error and findings.
    if !matches!(result.status.code(), Some(0 | 1)) {
        let said = String::from_utf8_lossy(&result.stderr);
        let said: Vec<&str> = said.trim().lines().rev().take(5).collect();
        let said = said.into_iter().rev().collect::<Vec<_>>().join("\n");
        return Err(ScanError::Semgrep(format!("{}: {said}", result.status)));
    }
    let file = std::fs::File::open(&output).map_err(io("open", &output))?;
    sarif::read(std::io::BufReader::new(file), &output.display().to_string())
}
