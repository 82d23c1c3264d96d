//! Watching a program and all that it starts.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{End, Limits, MOST_WAITING};

/// How often memory, processes and files are counted.
const PAUSE: Duration = Duration::from_millis(40);

/// How much of an output's end is kept, in bytes.
const KEPT: usize = 4096;

/// Guards the children of this process.
pub(super) struct Watch<'a> {
    pub(super) limits: &'a Limits,
    pub(super) folder: &'a Path,
    /// Whether this is the first process of its namespace, in which all others are to be watched
    /// and files are of limited size.
    pub(super) first: bool,
}

impl Watch<'_> {
    /// Waits for the child's end and ends everything that it left behind. Gives how it ended and
    /// the ends of its outputs.
    ///
    /// Of its seconds those do not count in which it could run and others had the processors, up to
    /// [`MOST_WAITING`] times the seconds in all: other work on this machine takes nothing from them.
    pub(super) fn until_end(
        &self,
        mut child: Child,
        seconds: f64,
    ) -> Result<(End, String, String), String> {
        let start = Instant::now();
        let seconds = seconds.clamp(0.0, 1e9);
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut pipes = [
            Pipe::new(child.stdout.take().ok_or("no standard output")?)?,
            Pipe::new(child.stderr.take().ok_or("no standard error")?)?,
        ];
        let mut counted = Instant::now();
        let end = loop {
            wait_for_output(&pipes);
            pipes.iter_mut().for_each(Pipe::read);
            if let Some(end) = reap(pid) {
                break end;
            }
            let passed = start.elapsed().as_secs_f64();
            if passed >= seconds
                && (passed - waited(pid) >= seconds || passed >= seconds * MOST_WAITING)
            {
                break End::Time;
            }
            if pipes.iter().map(|pipe| pipe.read).sum::<u64>() > self.limits.output {
                break End::Output;
            }
            if counted.elapsed() >= PAUSE {
                counted = Instant::now();
                if let Some(end) = self.excess() {
                    break end;
                }
            }
        };
        self.end_all();
        pipes.iter_mut().for_each(Pipe::read);
        let [output, errors] = pipes.map(|pipe| String::from_utf8_lossy(&pipe.end).into_owned());
        Ok((end, output, errors))
    }

    /// What there is too much of.
    fn excess(&self) -> Option<End> {
        let mut memory = 0;
        let processes = self.processes();
        for pid in &processes {
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/statm")) else { continue };
            let pages: Vec<u64> = text.split(' ').map_while(|word| word.parse().ok()).collect();
            if let [_, resident, shared, ..] = pages[..] {
                memory += resident.saturating_sub(shared) * page_size();
            }
        }
        if memory > self.limits.memory {
            return Some(End::Memory);
        }
        if processes.len() as u64 > self.limits.processes {
            return Some(End::Processes);
        }
        (!self.first && size_of_folder(self.folder) > self.limits.disk).then_some(End::Disk)
    }

    /// All processes that the child has started, and itself.
    fn processes(&self) -> Vec<i32> {
        let all = processes();
        let own = std::process::id().cast_signed();
        if self.first {
            return all.into_iter().map(|(pid, _)| pid).filter(|pid| *pid != own).collect();
        }
        let mut found = vec![own];
        let mut at = 0;
        while at < found.len() {
            let parent = found[at];
            found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            at += 1;
        }
        found.split_off(1)
    }

    /// Kills until nothing is left.
    fn end_all(&self) {
        // Whatever starts processes faster than this for seconds is not to be had; in a namespace it
        // ends with this process.
        for _ in 0..2000 {
            if self.first {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            } else {
                for pid in self.processes() {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            while waitpid(None, Some(WaitPidFlag::WNOHANG))
                .is_ok_and(|s| s != WaitStatus::StillAlive)
            {}
            if waitpid(None, Some(WaitPidFlag::WNOHANG)) == Err(Errno::ECHILD) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Waits until there is output or some of the pause is over.
fn wait_for_output(pipes: &[Pipe]) {
    let mut waiting: Vec<PollFd> =
        pipes.iter().filter_map(|pipe| Some(PollFd::new(pipe.fd()?, PollFlags::POLLIN))).collect();
    // A program that has closed its outputs says nothing when it ends.
    let time = if waiting.len() < pipes.len() { 2 } else { PAUSE.as_millis() as u8 };
    let _ = poll(&mut waiting, PollTimeout::from(time));
}

/// Clears away what has ended; says how the child did, if it has.
fn reap(child: Pid) -> Option<End> {
    let mut end = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => end = Some(End::Exited(status)),
            Ok(WaitStatus::Signaled(pid, Signal::SIGXCPU, _)) if pid == child => {
                end = Some(End::Time);
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                end = Some(End::Signalled(signal as i32));
            }
            Ok(WaitStatus::StillAlive) | Err(_) => return end,
            Ok(_) => {}
        }
    }
}

/// Seconds that a process, that is that of its threads which did so longest, has waited for a processor.
fn waited(pid: Pid) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').nth(1)?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.max().unwrap_or(0)).as_secs_f64()
}

/// Numbers of all processes that can be seen, with those of their parents.
fn processes() -> Vec<(i32, i32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name may hold anything, blanks and brackets too.
        let rest = &stat[stat.rfind(')')? + 1..];
        Some((pid, rest.split_whitespace().nth(1)?.parse().ok()?))
    };
    entries.filter_map(read).collect()
}

/// How many threads the user of this process has.
pub(super) fn tasks_of_this_user() -> u64 {
    let own = nix::unistd::getuid().as_raw();
    let tasks = |pid: i32| {
        let folder = format!("/proc/{pid}");
        let of_user = fs::metadata(&folder).is_ok_and(|data| data.uid() == own);
        let tasks = fs::read_dir(format!("{folder}/task")).ok().filter(|_| of_user);
        tasks.map_or(0, |tasks| tasks.count() as u64)
    };
    processes().into_iter().map(|(pid, _)| tasks(pid)).sum()
}

/// Bytes in all files below, or what so many files as can be counted in time hold.
fn size_of_folder(folder: &Path) -> u64 {
    const MOST: usize = 20_000;
    let mut folders = vec![folder.to_owned()];
    let (mut bytes, mut files) = (0_u64, 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            files += 1;
            if files > MOST {
                // So many files are too many whatever they hold.
                return u64::MAX;
            }
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => bytes += data.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    bytes
}

fn page_size() -> u64 {
    // SAFETY: asks for a number.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

/// One output of the program; its end is kept.
struct Pipe {
    source: Option<Box<dyn Source>>,
    end: Vec<u8>,
    read: u64,
}

trait Source: Read + AsFd {}
impl<T: Read + AsFd> Source for T {}

impl Pipe {
    fn new(source: impl Source + 'static) -> Result<Pipe, String> {
        fcntl(&source, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| format!("fcntl: {error}"))?;
        Ok(Pipe { source: Some(Box::new(source)), end: Vec::new(), read: 0 })
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.source.as_ref().map(|source| source.as_fd())
    }

    /// Takes what is there, but no more than a pipe holds at a time.
    fn read(&mut self) {
        let mut buffer = [0; 1 << 14];
        for _ in 0..16 {
            let Some(source) = &mut self.source else { return };
            match source.read(&mut buffer) {
                Ok(0) => self.source = None,
                Ok(count) => {
                    self.read += count as u64;
                    self.end.extend_from_slice(&buffer[..count]);
                    let over = self.end.len().saturating_sub(KEPT);
                    self.end.drain(..over);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.source = None,
            }
        }
    }
}
