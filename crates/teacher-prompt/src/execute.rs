//! Running a problem's own tests on a lesson's code, in a process of its own with limits.
//!
//! This runs code that a model wrote. The limits keep an accident small (time, memory, file size, no
//! environment variables, a folder of its own, the whole process group killed); they are no
//! sandbox: for one, put it into the command (`bwrap`, `nsjail`, `docker run --network none`, …).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use distill_core::{Language, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::body::excerpt;

/// How the tests of problems are run. Only on Unix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tests {
    /// The field of a problem that holds its tests, as source text.
    pub field: String,
    /// Longest time for one program, in seconds.
    pub timeout_seconds: f64,
    /// Most memory of one process, in MiB of address space.
    pub memory_mib: u64,
    /// How programs of each language are put together and started. Lessons in other languages are
    /// not tested, and neither are those whose problem has no tests.
    pub languages: BTreeMap<Language, Runner>,
}

impl Default for Tests {
    /// Field `test`, 10 s, 2 GiB, no language.
    fn default() -> Tests {
        Tests {
            field: "test".into(),
            timeout_seconds: 10.0,
            memory_mib: 2048,
            languages: BTreeMap::new(),
        }
    }
}

/// How programs of one language are put together and started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runner {
    /// Program and arguments, started in the program's folder. It passes if it exits with 0.
    pub command: Vec<String>,
    /// Name of the file that the program is written to.
    pub file: String,
    /// The program: `{code}`, `{test}` and `{entry_point}` stand for the lesson's code, the
    /// problem's tests and the name of the function asked for.
    #[serde(default = "code_then_tests")]
    pub program: String,
}

fn code_then_tests() -> String {
    "{code}\n\n{test}\n".into()
}

/// What became of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tested {
    /// There was nothing to run.
    Untested,
    /// It exited with 0.
    Passed,
    /// It did not, and how it ended.
    Failed(String),
}

/// Most bytes that a program may write to one file, in blocks of 512 as `ulimit` counts: 64 MiB.
const FILE_BLOCKS: u64 = 1 << 17;

impl Tests {
    /// Runs the problem's tests on this code, and waits for the end.
    ///
    /// # Errors
    /// [`Error::Execute`] where the program cannot be started at all: no such command, no space.
    pub fn run(&self, problem: &Problem, code: &str) -> Result<Tested, Error> {
        let test = problem.extra.get(&self.field).and_then(Value::as_str);
        let (Some(test), Some(runner)) = (test, self.languages.get(&problem.language)) else {
            return Ok(Tested::Untested);
        };
        let failed = |what: &str, source| Error::Execute { what: what.to_owned(), source };
        let folder = tempfile::tempdir().map_err(|error| failed("make a folder", error))?;
        let program = runner.fill(code, test, problem.entry_point.as_deref().unwrap_or_default());
        fs::write(folder.path().join(&runner.file), program)
            .map_err(|error| failed("write the program", error))?;
        let (status, said) = self
            .watch(runner, folder.path())
            .map_err(|error| failed(&runner.command.join(" "), error))?;
        Ok(match status {
            Some(status) if status.success() => Tested::Passed,
            Some(status) => {
                let last = said.trim().lines().last().unwrap_or_default();
                Tested::Failed(format!("{status}: {}", excerpt(last)))
            }
            None => Tested::Failed(format!("no end within {} s", self.timeout_seconds)),
        })
    }

    /// Starts the command; its status, none if it ran out of time, and the end of what it said.
    fn watch(
        &self,
        runner: &Runner,
        folder: &Path,
    ) -> std::io::Result<(Option<ExitStatus>, String)> {
        let errors = folder.join(".stderr");
        // `ulimit` is the shell's; exec leaves the limited process in its place.
        let script = format!(
            "ulimit -v {} && ulimit -f {FILE_BLOCKS} && exec \"$@\"",
            self.memory_mib.saturating_mul(1024)
        );
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &script, "sh"])
            .args(&runner.command)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("TMPDIR", folder)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors)?);
        own_group(&mut command);
        let mut child = command.spawn()?;
        let deadline =
            Instant::now() + Duration::from_secs_f64(self.timeout_seconds.clamp(0.0, 1e6));
        let mut pause = Duration::from_millis(1);
        let status = loop {
            match child.try_wait()? {
                Some(status) => break Some(status),
                None if Instant::now() >= deadline => break None,
                None => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        // Whatever it has started goes with it.
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        if status.is_none() {
            let _ = child.kill();
            child.wait()?;
        }
        let mut said = String::new();
        let _ = File::open(&errors)?.take(1 << 16).read_to_string(&mut said);
        Ok((status, said))
    }
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

impl Runner {
    fn fill(&self, code: &str, test: &str, entry_point: &str) -> String {
        let mut program = String::with_capacity(self.program.len() + code.len() + test.len());
        let mut rest = self.program.as_str();
        // One pass, so that braces in the code are left alone.
        while let Some(at) = rest.find('{') {
            let (before, tail) = rest.split_at(at);
            program.push_str(before);
            let known = [("{code}", code), ("{test}", test), ("{entry_point}", entry_point)]
                .into_iter()
                .find(|(name, _)| tail.starts_with(name));
            let (name, value) = known.unwrap_or(("{", "{"));
            program.push_str(value);
            rest = &tail[name.len()..];
        }
        program + rest
    }
}
