//! A launcher that stays, so that a job does not have to wait for a program to be loaded: one that is
//! linked with a large library takes half a second for that.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::{ARGUMENT, Launcher, SandboxError, io};

/// A launcher's process. It takes orders, a line each, and answers each with a line.
#[derive(Debug)]
pub(super) struct Attendant {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<std::io::Result<String>>,
}

impl Attendant {
    pub(super) fn start(launcher: &Launcher) -> Result<Attendant, SandboxError> {
        let mut command = Command::new(&launcher.0);
        command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        own_group(&mut command);
        let mut process = command.spawn().map_err(io("start the launcher"))?;
        let (sender, answers) = channel();
        let (orders, output) = (process.stdin.take(), process.stdout.take());
        let attendant = Attendant { process, orders, answers };
        let pass_on = move || {
            let mut lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            while let Some(line) = lines.next()
                && sender.send(line).is_ok()
            {}
        };
        std::thread::Builder::new().spawn(pass_on).map_err(io("start a thread"))?;
        Ok(attendant)
    }

    /// The answer to an order, which must come within this time. After an error the attendant is of no
    /// more use.
    pub(super) fn ask(&mut self, order: &[u8], within: Duration) -> Result<String, SandboxError> {
        let wrote = match &mut self.orders {
            Some(orders) => orders
                .write_all(order)
                .and_then(|()| orders.write_all(b"\n"))
                .and_then(|()| orders.flush()),
            None => Ok(()),
        };
        match self.answers.recv_timeout(within) {
            Ok(answer) => answer.map_err(io("hear from the launcher")),
            Err(RecvTimeoutError::Timeout) => Err(io("hear from the launcher")(
                std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer"),
            )),
            Err(RecvTimeoutError::Disconnected) => Err(self.last_words(wrote.err())),
        }
    }

    /// Why it ended without an answer.
    fn last_words(&mut self, unread: Option<std::io::Error>) -> SandboxError {
        let _ = self.process.kill();
        let status = match self.process.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let mut said = String::new();
        if let Some(errors) = self.process.stderr.take() {
            let _ = errors.take(4096).read_to_string(&mut said);
        }
        if let Some(error) = unread {
            said += &format!(" (it did not read its order: {error})");
        }
        SandboxError::Launcher(format!("the launcher ended with {status}: {}", said.trim()))
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        // It ends by itself when nobody can give it orders any more, whatever it is at.
        drop(self.orders.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // A Ctrl-C on the terminal is for the caller, whose end is the launcher's.
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}
