//! The launcher: for each job a process that shuts itself in, runs the job and answers.

use std::io::{BufRead, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, chown, fork, pipe2};

use super::watch::{self, Watch};
use super::{Answer, End, Isolation, Job, Order, Report, Step, filter, room};

/// Reads orders from standard input, a line each, and writes the answers to standard output.
pub(super) fn main() -> ExitCode {
    match attend() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If nobody listens any more there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn attend() -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    loop {
        let mut order = Vec::new();
        input.read_until(b'\n', &mut order).map_err(|error| format!("standard input: {error}"))?;
        if order.is_empty() {
            return Ok(());
        }
        let order: Order = serde_json::from_slice(&order).map_err(|error| error.to_string())?;
        // Closed in this process and written to nowhere: it hangs up once the other has ended.
        let (end, held) = pipe2(OFlag::O_CLOEXEC).map_err(|error| format!("pipe: {error}"))?;
        // SAFETY: this process has one thread.
        match unsafe { fork() }.map_err(|error| format!("fork: {error}"))? {
            ForkResult::Parent { child } => {
                drop(held);
                if !ended(&end, &input) {
                    // Whoever gave the order is gone: nothing that it started may stay.
                    let _ = kill(child, Signal::SIGKILL);
                }
                match waitpid(child, None).map_err(|error| format!("wait: {error}"))? {
                    WaitStatus::Exited(_, 0) => {}
                    status => answer(Err(format!("the job's process ended with {status:?}")))?,
                }
            }
            ForkResult::Child => leave(carry_out(&order).is_ok()),
        }
    }
}

/// Waits until the other end of the pipe is closed; `false` where standard input was before.
fn ended(pipe: &OwnedFd, input: &impl AsFd) -> bool {
    loop {
        let nothing = PollFlags::empty();
        let mut both = [PollFd::new(pipe.as_fd(), nothing), PollFd::new(input.as_fd(), nothing)];
        match poll(&mut both, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            Err(_) => return true,
            Ok(_) => return both[0].any().unwrap_or(true),
        }
    }
}

/// Shuts this process in, runs the job, answers.
fn carry_out(order: &Order) -> Result<(), String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("prctl: {error}"))?;
    let owner = room::owner().filter(|_| order.isolation != Isolation::None);
    if order.isolation != Isolation::Namespaces {
        prctl::set_child_subreaper(true).map_err(|error| format!("prctl: {error}"))?;
        if let Some((user, group)) = owner
            && let Err(error) = chown(&order.folder, Some(user), Some(group))
        {
            return answer(Err(format!("chown: {error}")));
        }
        let desk = Desk { folder: order.folder.clone(), owner, isolation: order.isolation };
        return answer(desk.run(&order.job));
    }
    if let Err(error) = room::leave() {
        return answer(Err(error));
    }
    // SAFETY: this process has one thread.
    match unsafe { fork() }.map_err(|error| format!("fork: {error}"))? {
        ForkResult::Parent { child } => match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, 0)) => Ok(()),
            other => Err(format!("the first process ended with {other:?}")),
        },
        // The first process of its namespace: when it ends, so does every other.
        ForkResult::Child => {
            let work = || -> Answer {
                prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("prctl: {error}"))?;
                let readable = room::readable(&order.job.readable);
                room::furnish(&order.folder, &readable, &order.job.limits, owner)?;
                let folder = PathBuf::from(room::WORK);
                Desk { folder, owner, isolation: order.isolation }.run(&order.job)
            };
            let told = answer(work());
            leave(told.is_ok())
        }
    }
}

/// Ends a forked process without what a program's end does: taking a large library apart, page after page
/// copied from the launcher's, costs several times what the job does. Answers are flushed before.
fn leave(well: bool) -> ! {
    // SAFETY: ends this process, in which nothing else is going on.
    unsafe { libc::_exit(i32::from(!well)) }
}

fn answer(answer: Answer) -> Result<(), String> {
    let mut text = serde_json::to_vec(&answer).map_err(|error| error.to_string())?;
    text.push(b'\n');
    let mut output = std::io::stdout().lock();
    output.write_all(&text).and_then(|()| output.flush()).map_err(|error| error.to_string())
}

/// Where a job is run, and as whom.
struct Desk {
    folder: PathBuf,
    owner: Option<(Uid, Gid)>,
    isolation: Isolation,
}

impl Desk {
    fn run(&self, job: &Job) -> Answer {
        for (name, content) in &job.files {
            if name.contains('/') || name.starts_with('.') || name.is_empty() {
                return Err(format!("{name:?} is no name for a file"));
            }
            let path = self.folder.join(name);
            std::fs::write(&path, content).map_err(|e| format!("write {}: {e}", path.display()))?;
        }
        let start = Instant::now();
        let mut last = None;
        for (at, step) in job.steps.iter().enumerate() {
            let child = self.start(step, job)?;
            let watch = Watch {
                limits: &job.limits,
                folder: &self.folder,
                first: self.isolation == Isolation::Namespaces,
            };
            let (end, output, errors) = watch.until_end(child, step.seconds)?;
            let seconds = start.elapsed().as_secs_f64();
            last = Some(Report { end, steps: at + 1, seconds, output, errors });
            if end != End::Exited(0) {
                break;
            }
        }
        last.ok_or_else(|| "a job without commands".to_owned())
    }

    fn start(&self, step: &Step, job: &Job) -> Result<Child, String> {
        let (program, arguments) = step.command.split_first().ok_or("a step without a command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.folder)
            .env("TMPDIR", &self.folder)
            .env("LANG", "C.UTF-8")
            .envs(step.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let limits = self.resources(step, job);
        let readable = room::readable(&job.readable);
        let (folder, owner, isolation) = (self.folder.clone(), self.owner, self.isolation);
        // SAFETY: this process has one thread, so that the child may do whatever it may.
        unsafe {
            command.pre_exec(move || {
                filter::close_files_on_exec();
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                nix::unistd::setsid()?;
                for (resource, most) in &limits {
                    setrlimit(*resource, *most, *most)?;
                }
                shut_in(isolation, owner, &folder, &readable)
            });
        }
        command.spawn().map_err(|error| format!("start {program}: {error}"))
    }

    fn resources(&self, step: &Step, job: &Job) -> Vec<(Resource, u64)> {
        let cpu = step.seconds.clamp(0.0, 1e9).ceil() as u64 + 1;
        let mut limits = vec![
            (Resource::RLIMIT_CORE, 0),
            (Resource::RLIMIT_CPU, cpu),
            (Resource::RLIMIT_FSIZE, job.limits.disk),
            (Resource::RLIMIT_NOFILE, 1024),
        ];
        if let Some(bytes) = step.address_space {
            limits.push((Resource::RLIMIT_AS, bytes));
        }
        // The kernel counts threads. Those outside count too where it is the same user.
        let alone = self.owner.is_some() || self.isolation == Isolation::Namespaces;
        let others = if alone { 0 } else { watch::tasks_of_this_user() };
        limits.push((Resource::RLIMIT_NPROC, job.limits.processes + others));
        limits
    }
}

/// In the new process, just before the program takes its place.
fn shut_in(
    isolation: Isolation,
    owner: Option<(Uid, Gid)>,
    folder: &Path,
    readable: &[PathBuf],
) -> std::io::Result<()> {
    prctl::set_no_new_privs()?;
    match isolation {
        Isolation::None => return Ok(()),
        Isolation::Seccomp => filter::landlock(folder, readable).map_err(std::io::Error::other)?,
        Isolation::Namespaces => {}
    }
    filter::drop_privileges(owner)?;
    let program =
        filter::program(isolation == Isolation::Seccomp).map_err(std::io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(std::io::Error::other)
}
