//! `metrics.jsonl`: how training went, a line now and then.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::Path;

use distill_core::Task;
use distill_core::jsonl::Appender;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::io_error;

/// The name of the metrics log in a student's folder.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// A number for each task; none where a task has no data or is not trained.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PerTask<T> {
    /// Problem → pseudocode.
    pub pseudocode: T,
    /// Problem → code.
    pub code: T,
}

impl<T> PerTask<T> {
    /// The entry of a task.
    pub fn of(&self, task: Task) -> &T {
        match task {
            Task::Pseudocode => &self.pseudocode,
            Task::Code => &self.code,
        }
    }

    /// The entry of a task.
    pub fn of_mut(&mut self, task: Task) -> &mut T {
        match task {
            Task::Pseudocode => &mut self.pseudocode,
            Task::Code => &mut self.code,
        }
    }

    /// An entry a task.
    pub fn from_fn(mut of: impl FnMut(Task) -> T) -> PerTask<T> {
        PerTask { pseudocode: of(Task::Pseudocode), code: of(Task::Code) }
    }
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metrics {
    /// The steps since the line before.
    Train(TrainMetrics),
    /// An evaluation on the validation data.
    Validation(ValidationMetrics),
}

impl Metrics {
    /// The step after which the line was written.
    pub fn step(&self) -> u64 {
        match self {
            Metrics::Train(line) => line.step,
            Metrics::Validation(line) => line.step,
        }
    }
}

/// How the steps since the line before went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainMetrics {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// Mean negative log-likelihood a token, in nats.
    pub loss: PerTask<Option<f64>>,
    /// Mean of the total that was minimised.
    pub total: f64,
    /// The weights of the tasks in the last step.
    pub weights: PerTask<f64>,
    /// Norm of the last step's gradient, before clipping.
    pub gradient_norm: f64,
    /// Cosine between the tasks' gradients in the last step, where conflicts are projected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f64>,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Tokens learned from, sources and targets of both tasks, without padding.
    pub tokens: u64,
    /// The times, which differ from run to run.
    #[serde(flatten)]
    pub timing: Timing,
}

/// What differs between two runs that are otherwise the same.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds spent on the line's steps or evaluation.
    pub seconds: f64,
    /// Tokens a second of it.
    pub tokens_per_second: f64,
    /// Memory resident in the process in MB (10⁶ bytes), where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<f64>,
}

/// The student on the validation data, without dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidationMetrics {
    /// Optimizer steps done; 0 is the untrained student.
    pub step: u64,
    /// Epochs done, with a fraction.
    pub epoch: f64,
    /// Mean negative log-likelihood a token, in nats.
    pub loss: PerTask<Option<f64>>,
    /// The weighted sum that early stopping watches.
    pub total: f64,
    /// Whether it is the lowest so far.
    pub best: bool,
    /// The times, which differ from run to run.
    #[serde(flatten)]
    pub timing: Timing,
}

/// Opens the log for appending and drops every line after `step`, or all of them without one.
///
/// The lock that the appender holds keeps a second trainer out of the folder.
pub(crate) fn open_log(path: &Path, step: Option<u64>) -> Result<Appender> {
    #[derive(Deserialize)]
    struct Step {
        step: u64,
    }
    let log = Appender::open(path)?;
    let file =
        OpenOptions::new().read(true).write(true).open(path).map_err(io_error("open", path))?;
    let mut keep = 0;
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    while let Some(step) = step {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(io_error("read", path))?;
        match serde_json::from_slice::<Step>(&line) {
            Ok(line) if length > 0 && line.step <= step => keep += length as u64,
            _ => break,
        }
    }
    file.set_len(keep).map_err(io_error("shorten", path))?;
    Ok(log)
}

/// Memory resident in this process, in MB; Linux only.
pub(crate) fn resident_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib * 1.024).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_after_the_step_go_and_the_rest_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS_FILE);
        let lines: Vec<String> =
            [0, 10, 20, 20, 30].map(|step| format!("{{\"event\":\"x\",\"step\":{step}}}\n")).into();
        let text = lines.concat();
        for (step, kept) in [(None, 0), (Some(0), 1), (Some(20), 4), (Some(25), 4), (Some(99), 5)] {
            fs::write(&path, format!("{text}{{\"event\":")).unwrap();
            let mut log = open_log(&path, step).unwrap();
            assert!(open_log(&path, step).is_err(), "a second writer");
            log.append(&1).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), lines[..kept].concat() + "1\n");
        }
    }

    #[test]
    fn a_line_reads_back() {
        let line = Metrics::Validation(ValidationMetrics {
            step: 3,
            epoch: 0.1,
            loss: PerTask { pseudocode: None, code: Some(0.1 + 0.2) },
            total: 1.0 / 3.0,
            best: true,
            timing: Timing { seconds: 0.5, tokens_per_second: 9.0, memory_mb: Some(1.5) },
        });
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with(r#"{"event":"validation","step":3,"#), "{text}");
        assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), line);
    }
}
