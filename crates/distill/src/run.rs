//! A run's folder: which file is where, whose configuration it holds, what its stages took.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use distill_core::jsonl::{self, Appender};
use distill_core::{Answer, Problem};
use serde::{Deserialize, Serialize};

use crate::config::{Arm, RunConfig};
use crate::error::io;
use crate::{DistillError, Progress, Result};

/// A run: its configuration, its folder, and how to tell and stop its work.
pub struct Run<'a> {
    /// The configuration, with what was left out filled in.
    pub config: RunConfig,
    /// The files.
    pub folder: RunFolder,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// How the run was asked for, as the report repeats it.
    pub command: String,
    /// Set from elsewhere (a signal handler) to end the work at the next safe point.
    pub stop: Arc<AtomicBool>,
    // Held as long as the run is open, so that two processes never write one folder.
    _lock: File,
}

/// The names of a run's files.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

/// The splits of a corpus.
pub const SPLITS: [&str; 3] = ["train", "valid", "test"];

#[allow(missing_docs)] // each method is named after its file
impl RunFolder {
    pub fn new(root: impl Into<PathBuf>) -> RunFolder {
        RunFolder { root: root.into() }
    }
    pub fn root(&self) -> &Path {
        &self.root
    }
    pub fn config(&self) -> PathBuf {
        self.root.join("run.toml")
    }
    pub fn problems(&self, split: &str) -> PathBuf {
        self.root.join(format!("problems.{split}.jsonl"))
    }
    pub fn corpus_statistics(&self) -> PathBuf {
        self.root.join("corpus.json")
    }
    pub fn replies(&self) -> PathBuf {
        self.root.join("replies.jsonl")
    }
    /// What became of each problem's `sample`-th lesson; there only while a run is being taught.
    pub fn taught(&self, sample: u32) -> PathBuf {
        self.root.join(format!("taught.{sample}.jsonl"))
    }
    pub fn lessons(&self) -> PathBuf {
        self.root.join("lessons.jsonl")
    }
    pub fn rejected(&self) -> PathBuf {
        self.root.join("rejected.jsonl")
    }
    pub fn teach_statistics(&self) -> PathBuf {
        self.root.join("teach.json")
    }
    pub fn teacher_scores(&self) -> PathBuf {
        self.root.join("teacher.scores.jsonl")
    }
    pub fn students(&self) -> PathBuf {
        self.root.join("students")
    }
    pub fn tokenizer(&self) -> PathBuf {
        self.students().join("tokenizer.json")
    }
    pub fn student(&self, arm: Arm) -> PathBuf {
        self.students().join(arm.name())
    }
    pub fn training_statistics(&self, arm: Arm) -> PathBuf {
        self.student(arm).join("training.json")
    }
    pub fn metrics(&self, arm: Arm) -> PathBuf {
        self.student(arm).join("metrics.jsonl")
    }
    pub fn answers(&self) -> PathBuf {
        self.root.join("answers.jsonl")
    }
    pub fn answers_done(&self) -> PathBuf {
        self.root.join("answers.json")
    }
    pub fn scores(&self) -> PathBuf {
        self.root.join("scores.jsonl")
    }
    pub fn stages(&self) -> PathBuf {
        self.root.join("stages.jsonl")
    }
    pub fn report(&self, extension: &str) -> PathBuf {
        self.root.join(format!("report.{extension}"))
    }
}

impl RunFolder {
    /// Whether the folder already holds something that the setting `key` has a part in; until then
    /// it may still change.
    fn depends_on(&self, key: &str) -> bool {
        let first = match key.split('.').next() {
            // Replies are kept by what determines them: until there are lessons every setting of
            // the teacher may change, and costs nothing that was asked before.
            Some("teacher") => self.teach_statistics(),
            Some("student" | "training" | "threads") => self.students(),
            Some("answers") => self.answers(),
            _ => self.problems(SPLITS[0]),
        };
        first.exists()
    }
}

impl RunFolder {
    /// Every student's best answers in every mode, each with its problem.
    ///
    /// # Errors
    /// [`DistillError::Jsonl`]; [`DistillError::Nothing`] for an answer without its problem.
    pub fn best_answers(&self) -> Result<Vec<(Problem, Answer)>> {
        let problems: Vec<Problem> = jsonl::read_all(&self.problems("test"))?;
        let problems: HashMap<&str, &Problem> =
            problems.iter().map(|problem| (problem.id.as_str(), problem)).collect();
        let answers: Vec<Answer> = jsonl::read_all(&self.answers())?;
        let best = answers.into_iter().filter(|answer| answer.rank == 1);
        best.map(|answer| match problems.get(answer.problem.as_str()) {
            Some(problem) => Ok(((*problem).clone(), answer)),
            None => Err(DistillError::Nothing(format!(
                "{}: problem {} is not in {}",
                self.answers().display(),
                answer.problem,
                self.problems("test").display()
            ))),
        })
        .collect()
    }
}

/// One session's work on one stage, a line of `stages.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The stage.
    pub stage: String,
    /// Wall-clock seconds; `None` on the line that marks a session's start.
    pub seconds: Option<f64>,
    /// What it did, on the line that ends it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
}

impl<'a> Run<'a> {
    /// Opens the folder `runs/NAME` below `parent`, or makes it.
    ///
    /// # Errors
    /// [`DistillError::OtherConfig`] where the folder was made with other settings,
    /// [`DistillError::Jsonl`] where another process works in it, [`DistillError::Io`] where it
    /// cannot be written.
    pub fn open(
        mut config: RunConfig,
        parent: &Path,
        progress: &'a dyn Progress,
        stop: Arc<AtomicBool>,
    ) -> Result<Run<'a>> {
        config.check()?;
        let plain = !config.name.is_empty() && !config.name.contains(['/', '\\']);
        if !plain || config.name.starts_with('.') {
            return Err(DistillError::Config(format!(
                "{:?} is no name for a run: give --name a word without slashes",
                config.name
            )));
        }
        let folder = RunFolder::new(parent.join(&config.name));
        fs::create_dir_all(folder.root()).map_err(io("make folder", folder.root()))?;
        let lock = lock(&folder.root().join(".lock"))?;
        let path = folder.config();
        match fs::read_to_string(&path) {
            Ok(text) => {
                let stored = RunConfig::from_toml(&text).map_err(|error| {
                    DistillError::Config(format!("{}: {error}", path.display()))
                })?;
                config.threads = config.threads.or(stored.threads);
                let differences = stored.differences(&config)?;
                let (fixed, open): (Vec<_>, Vec<_>) =
                    differences.into_iter().partition(|d| folder.depends_on(&d.key));
                if !fixed.is_empty() {
                    let lines = fixed
                        .iter()
                        .map(|d| format!("  {}: {} there, {} here", d.key, d.one, d.two));
                    return Err(DistillError::OtherConfig {
                        folder: folder.root().to_owned(),
                        differences: lines.collect::<Vec<_>>().join("\n"),
                    });
                }
                if !open.is_empty() {
                    write_config(&path, &config)?;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let all = std::thread::available_parallelism().map_or(1, usize::from);
                config.threads = config.threads.or(Some(all));
                write_config(&path, &config)?;
            }
            Err(error) => return Err(io("read", &path)(error)),
        }
        let command = format!("distill run {}.toml", config.name);
        Ok(Run { config, folder, progress, command, stop, _lock: lock })
    }

    /// Fails once the run was asked to stop.
    ///
    /// # Errors
    /// [`DistillError::Interrupted`].
    pub fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(DistillError::Interrupted) } else { Ok(()) }
    }

    /// Threads to compute with.
    pub fn threads(&self) -> usize {
        self.config.threads.unwrap_or(1)
    }

    /// Does `work` as the stage `name` and writes down how long it took; the work says in a few
    /// words what came out.
    ///
    /// # Errors
    /// Those of `work`, and of `stages.jsonl`.
    pub(crate) fn stage(&self, name: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
        let mut log = Appender::open(&self.folder.stages())?;
        let record = |seconds, outcome| StageRecord { stage: name.into(), seconds, outcome };
        log.append(&record(None, String::new()))?;
        let start = Instant::now();
        let result = work();
        let seconds = Some(start.elapsed().as_secs_f64());
        match result {
            Ok(outcome) => {
                self.progress.finish(&format!("{name}: {outcome}"));
                Ok(log.append(&record(seconds, outcome))?)
            }
            Err(error) => {
                // The time that was spent counts; the error that ended it matters more than one here.
                let _ = log.append(&record(seconds, String::new()));
                Err(error)
            }
        }
    }

    /// Fails unless `path`, which the subcommand `needs` makes, exists.
    pub(crate) fn require(
        &self,
        stage: &'static str,
        path: PathBuf,
        needs: &'static str,
    ) -> Result<PathBuf> {
        if path.exists() {
            Ok(path)
        } else {
            Err(DistillError::Order { stage, missing: path, needs })
        }
    }
}

fn write_config(path: &Path, config: &RunConfig) -> Result<()> {
    let text = config.to_toml()?;
    Ok(jsonl::write_atomic(path, |writer| writer.write_all(text.as_bytes()))?)
}

fn lock(path: &Path) -> Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io("write", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(jsonl::JsonlError::Locked(path.parent().unwrap_or(path).to_owned()).into())
        }
        Err(fs::TryLockError::Error(error)) => Err(io("lock", path)(error)),
    }
}

/// Writes `value` to `path` as indented JSON, as a whole or not at all.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    Ok(jsonl::write_atomic(path, |writer| {
        serde_json::to_writer_pretty(&mut *writer, value)?;
        writer.write_all(b"\n")
    })?)
}

/// Reads a JSON file.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(io("read", path))?;
    serde_json::from_str(&text)
        .map_err(|error| DistillError::Config(format!("{}: {error}", path.display())))
}
