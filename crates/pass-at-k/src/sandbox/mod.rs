//! Programs that nobody has read, run so that they can do no harm.
//!
//! A [`Job`] is a few files and the commands to run in their folder. It runs in a process of its own,
//! which the *launcher* forks for it; that shuts itself in, starts the commands, watches them and reports:
//!
//! | | namespaces | seccomp | none |
//! |---|---|---|---|
//! | network | an empty one of its own; and no sockets | no sockets | all |
//! | files seen | system libraries, the interpreter, its folder | the same with Landlock; else all that the user may read | all |
//! | files written | its folder, of limited size in all | its folder with Landlock; a file's size and, watched, the folder's | anywhere |
//! | processes seen and signalled | its own | none | all of the user |
//! | memory, processes, output | watched in all | watched in all | watched in all |
//! | time | all of its processes killed | all descendants killed | all descendants killed |
//!
//! Linux alone; elsewhere [`Sandbox::new`] refuses. Namespaces need a kernel of 5.12 that lets users
//! make them; a root user needs no such permission. Everywhere: no privileges, no core dumps, an
//! environment of a handful of variables, no standard input.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod attendant;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod filter;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod launcher;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod room;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod watch;

use attendant::Attendant;

/// How a job is shut in; see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Isolation {
    /// Namespaces of its own for files, processes, network and messages; a filter of system calls.
    Namespaces,
    /// A filter of system calls that denies sockets and signals, and Landlock where the kernel has it.
    Seccomp,
    /// Limits, and no walls.
    None,
}

/// What a job may use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory of all its processes, pages that they share with files left out.
    pub memory: u64,
    /// Processes at a time.
    pub processes: u64,
    /// Bytes in its folder in all.
    pub disk: u64,
    /// Bytes written to standard output and standard error.
    pub output: u64,
}

impl Default for Limits {
    /// 1 GiB of memory, 64 processes, 128 MiB of files, 16 MiB of output.
    fn default() -> Limits {
        Limits { memory: 1 << 30, processes: 64, disk: 128 << 20, output: 16 << 20 }
    }
}

/// A command of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The program's path and its arguments.
    pub command: Vec<String>,
    /// Environment variables, beside `HOME`, `TMPDIR`, `PATH` and `LANG`.
    pub environment: Vec<(String, String)>,
    /// Seconds until it is killed. Those in which it waits for a processor that others have do not
    /// count, up to ten times as many in all.
    pub seconds: f64,
    /// Most bytes of address space of one process: no limit where left out, as for runtimes that
    /// reserve far more than they use.
    pub address_space: Option<u64>,
}

/// Files and what to do with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Names (without folders) and contents.
    pub files: Vec<(String, String)>,
    /// Commands, run one after another in the folder as long as each ends with 0.
    pub steps: Vec<Step>,
    /// What may be read besides the system's libraries.
    pub readable: Vec<PathBuf>,
    /// What may be used.
    pub limits: Limits,
}

/// How the last command of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Killed after its time.
    Time,
    /// Killed for too much memory.
    Memory,
    /// Killed for too many processes.
    Processes,
    /// Killed for too many files.
    Disk,
    /// Killed for too much output.
    Output,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How the last command that was started ended.
    pub end: End,
    /// How many commands were started.
    pub steps: usize,
    /// Seconds that they took.
    pub seconds: f64,
    /// The end of what the last one wrote to standard output, at most 4 KiB.
    pub output: String,
    /// The same of standard error.
    pub errors: String,
}

/// Why a job was not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// There is no way to shut a program in on this system.
    #[error("no sandbox: {0}")]
    Unavailable(String),
    /// The job could not be run; the fault is not the program's.
    #[error("cannot run a job: {0}")]
    Launcher(String),
    /// The file system or the system said no.
    #[error("cannot {verb}: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How many times its seconds a program may take where it waits for a processor.
const MOST_WAITING: f64 = 10.0;

/// The argument by which a program knows that it is wanted as the launcher.
const ARGUMENT: &str = "--sandbox-launcher";

/// Does the launcher's work if this process was started as one, job after job until nobody has any
/// more; call it first thing in `main` and exit with what it returns. `None`: go on.
///
/// The launcher has to be a process with one thread, and starting threads or opening files before
/// would take that away.
pub fn launched() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().is_some_and(|argument| argument == ARGUMENT);
    asked.then(launch)
}

#[cfg(target_os = "linux")]
fn launch() -> ExitCode {
    launcher::main()
}

#[cfg(not(target_os = "linux"))]
fn launch() -> ExitCode {
    ExitCode::FAILURE
}

/// Which program is the launcher: one whose `main` calls [`launched`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher(pub PathBuf);

impl Launcher {
    /// This very program.
    ///
    /// # Errors
    /// [`SandboxError::Io`] where the system does not say which that is.
    pub fn this_program() -> Result<Launcher, SandboxError> {
        std::env::current_exe().map(Launcher).map_err(io("find this program"))
    }
}

fn io(verb: &'static str) -> impl FnOnce(std::io::Error) -> SandboxError {
    move |source| SandboxError::Io { verb, source }
}

/// What the launcher is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    isolation: Isolation,
    folder: PathBuf,
    job: Job,
}

/// What the launcher answers.
type Answer = Result<Report, String>;

/// A way to run jobs. Sharing one between threads is fine.
///
/// As many launchers are started as there are jobs at a time; they stay until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Sandbox {
    launcher: Launcher,
    isolation: Isolation,
    /// Launchers that have nothing to do.
    idle: Arc<Mutex<Vec<Attendant>>>,
}

impl Sandbox {
    /// The strongest isolation that works here: each is tried with an empty job.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] where none does: it says what failed.
    pub fn new(launcher: Launcher) -> Result<Sandbox, SandboxError> {
        let mut reasons = Vec::new();
        for isolation in [Isolation::Namespaces, Isolation::Seccomp] {
            match Sandbox::with(launcher.clone(), isolation) {
                Ok(sandbox) => return Ok(sandbox),
                Err(error) => reasons.push(format!("{isolation:?}: {error}").to_lowercase()),
            }
        }
        Err(SandboxError::Unavailable(reasons.join("; ")))
    }

    /// This isolation. [`Isolation::None`] shuts nothing in: only for programs that somebody has
    /// read, or inside a sandbox of another make.
    ///
    /// # Errors
    /// [`SandboxError::Launcher`] where it does not work here.
    pub fn with(launcher: Launcher, isolation: Isolation) -> Result<Sandbox, SandboxError> {
        let sandbox = Sandbox { launcher, isolation, idle: Arc::default() };
        let nothing = Step {
            command: vec!["/bin/sh".into(), "-c".into(), "exit 0".into()],
            environment: Vec::new(),
            seconds: 10.0,
            address_space: None,
        };
        let job = Job {
            files: Vec::new(),
            steps: vec![nothing],
            readable: Vec::new(),
            limits: Limits::default(),
        };
        match sandbox.run(&job)? {
            Report { end: End::Exited(0), .. } => Ok(sandbox),
            report => Err(SandboxError::Launcher(format!("an empty job ended with {report:?}"))),
        }
    }

    /// How jobs are shut in.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Runs a job and waits for its end, which comes soon after the time of its steps.
    ///
    /// # Errors
    /// [`SandboxError::Launcher`] where the job could not be started: a command that is not there, a
    /// system that is out of processes; [`SandboxError::Io`]. Whatever the job itself does is a
    /// [`Report`].
    pub fn run(&self, job: &Job) -> Result<Report, SandboxError> {
        let folder = tempfile::tempdir().map_err(io("make a folder"))?;
        let order = Order {
            isolation: self.isolation,
            folder: folder.path().canonicalize().map_err(io("find the folder"))?,
            job: job.clone(),
        };
        let order = serde_json::to_vec(&order)
            .map_err(|error| SandboxError::Launcher(error.to_string()))?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let mut attendant = waiting.map_or_else(|| Attendant::start(&self.launcher), Ok)?;
        // The launcher kills what runs too long; this is for a launcher that hangs.
        let seconds: f64 = job.steps.iter().map(|step| step.seconds.clamp(0.0, 1e6)).sum();
        let most = Duration::from_secs_f64(seconds * MOST_WAITING + 60.0);
        let answer = attendant.ask(&order, most);
        if answer.is_ok() {
            idle().push(attendant);
        } else {
            // Before its folder goes.
            drop(attendant);
        }
        release(folder.path());
        let answer = serde_json::from_str::<Answer>(&answer?);
        answer
            .map_err(|error| SandboxError::Launcher(format!("the launcher's answer: {error}")))?
            .map_err(SandboxError::Launcher)
    }
}

/// Gives back what a program has taken from its folder's owner, so that the folder can be removed.
fn release(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let _ = std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700));
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let is_folder =
                |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
            folders.extend(entries.filter(is_folder).map(|entry| entry.path()));
        }
    }
}
