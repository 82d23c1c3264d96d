//! What static analysers warn of in generated code, as rates that can be compared.
//!
//! ```
//! use security_scan::sarif;
//!
//! let text = r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scanner", "rules": [
//!     {"id": "eval", "properties": {"tags": ["CWE-95: Eval Injection"]}}]}},
//!     "results": [{"ruleId": "eval", "message": {"text": "eval of input"}, "locations": [
//!     {"physicalLocation": {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3}}}]}]}]}"#;
//! let log = sarif::read(text.as_bytes(), "log.sarif")?;
//! let finding = &log.findings[0];
//! assert_eq!((finding.path.as_str(), finding.line, &finding.cwe[..]), ("src/a.py", Some(3), &[95][..]));
//! # Ok::<(), security_scan::ScanError>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`sarif`] | [`Finding`]s from SARIF 2.1.0 of any producer |
//! | [`folder`] | candidates as files, one each, and which file is whose |
//! | [`semgrep`] | Semgrep on that folder, offline |
//! | [`mod@rates`] | findings per 1,000 candidates by rule, severity and CWE; two students compared |
//!
//! Findings are warnings, not vulnerabilities: on generated code about two in three are confirmed by
//! people. And what does not parse hides its findings: a student that writes broken code looks
//! safer. So no rate stands here without the share that parses.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod folder;
pub mod rates;
pub mod sarif;
pub mod semgrep;

pub use folder::{Candidate, Manifest};
pub use rates::{Rates, compare, rates};
pub use sarif::{Finding, Log, Severity};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// A file that is no SARIF log.
    #[error("{file}: {reason}")]
    Sarif {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system said no.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file or folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Candidates that cannot be scanned.
    #[error("{0}")]
    Candidates(String),
    /// The analyser failed.
    #[error("semgrep: {0}")]
    Semgrep(String),
}

pub(crate) fn io<'a>(
    verb: &'static str,
    path: &'a std::path::Path,
) -> impl FnOnce(std::io::Error) -> ScanError + 'a {
    move |source| ScanError::Io { verb, path: path.display().to_string(), source }
}
