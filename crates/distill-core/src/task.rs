//! The two tasks a student learns, and the two ways to decode an answer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the student is asked to write (section 3.4 of the paper: the "mask").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Problem → numbered pseudocode.
    Pseudocode,
    /// Problem (and, chained, pseudocode) → code.
    Code,
}

impl Task {
    /// Both tasks, in the order in which a teacher answers them.
    pub const ALL: [Task; 2] = [Task::Pseudocode, Task::Code];

    /// The text that leads the student's source: `[pseudocode]` or `[code]`.
    pub fn trigger(self) -> &'static str {
        match self {
            Task::Pseudocode => "[pseudocode]",
            Task::Code => "[code]",
        }
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Task::Pseudocode => "pseudocode",
            Task::Code => "code",
        }
    }
}

/// How an answer is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Problem → code.
    Direct,
    /// Problem → pseudocode, then problem and pseudocode → code.
    Chained,
}

impl Mode {
    /// Its name in records and options.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Direct => "direct",
            Mode::Chained => "chained",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is neither `direct` nor `chained`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown decoding mode {0:?}; known: direct, chained")]
pub struct UnknownMode(pub String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Mode, UnknownMode> {
        match name {
            "direct" => Ok(Mode::Direct),
            "chained" => Ok(Mode::Chained),
            _ => Err(UnknownMode(name.to_owned())),
        }
    }
}
