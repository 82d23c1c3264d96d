//! Programs that mean harm, in each isolation that this system offers.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use pass_at_k::sandbox::{
    End, Isolation, Job, Launcher, Limits, Report, Sandbox, SandboxError, Step,
};

fn launcher() -> Launcher {
    Launcher(PathBuf::from(env!("CARGO_BIN_EXE_pass-at-k")))
}

/// Both kinds of walls, where this system can put them up; what it cannot is said.
fn sandboxes() -> Vec<Sandbox> {
    let kinds = [Isolation::Namespaces, Isolation::Seccomp];
    let made = kinds.map(|kind| (kind, Sandbox::with(launcher(), kind)));
    let mut found = Vec::new();
    for (kind, sandbox) in made {
        match sandbox {
            Ok(sandbox) => found.push(sandbox),
            Err(error) => eprintln!("{kind:?} cannot be tested here: {error}"),
        }
    }
    assert!(!found.is_empty() || cfg!(not(target_arch = "x86_64")), "no isolation at all");
    found
}

fn job(script: &str) -> Job {
    Job {
        files: vec![("script.sh".into(), script.into())],
        steps: vec![Step {
            command: vec!["/bin/sh".into(), "script.sh".into()],
            environment: Vec::new(),
            seconds: 3.0,
            address_space: None,
        }],
        readable: Vec::new(),
        limits: Limits { memory: 256 << 20, processes: 40, disk: 4 << 20, output: 1 << 20 },
    }
}

fn run(sandbox: &Sandbox, script: &str) -> Report {
    let start = Instant::now();
    let report = sandbox.run(&job(script)).unwrap();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}: {report:?}", sandbox.isolation());
    report
}

/// Where Python is, and what it needs; scripts that only Python can write are left out without it.
fn python() -> Option<(String, PathBuf)> {
    let code = "import sys; print(sys.executable); print(sys.base_prefix)";
    // First the system's: where root runs the tests, root's own is closed to other users.
    let start = |name: &&str| std::process::Command::new(name).args(["-c", code]).output().ok();
    let output = ["/usr/bin/python3", "python3"].iter().find_map(start)?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    Some((lines.next()?.to_owned(), PathBuf::from(lines.next()?)))
}

fn run_python(sandbox: &Sandbox, code: &str) -> Option<Report> {
    let (program, prefix) = python()?;
    let mut job = job(code);
    job.steps[0].command = vec![program, "script.sh".into()];
    job.readable = vec![prefix];
    Some(sandbox.run(&job).unwrap())
}

#[test]
fn an_honest_program_is_reported_as_it_ended() {
    for sandbox in sandboxes() {
        let report =
            run(&sandbox, "echo said; echo wrong >&2; pwd > file; cat file > /dev/null; exit 7");
        assert_eq!((report.end, report.steps), (End::Exited(7), 1));
        assert_eq!((report.output.as_str(), report.errors.as_str()), ("said\n", "wrong\n"));
        assert_eq!(run(&sandbox, "exit 0").end, End::Exited(0));
        assert_eq!(
            run(&sandbox, "kill -s SEGV $$").end,
            match sandbox.isolation() {
                Isolation::Namespaces => End::Signalled(11),
                // It may not even signal itself.
                _ => End::Exited(1),
            }
        );
    }
}

#[test]
fn steps_end_at_the_first_that_fails() {
    for sandbox in sandboxes() {
        let mut job = job("echo one > made");
        let mut second = job.steps[0].clone();
        second.command = vec!["/bin/sh".into(), "-c".into(), "cat made; exit 3".into()];
        job.steps.extend([second.clone(), second]);
        let report = sandbox.run(&job).unwrap();
        assert_eq!((report.end, report.steps), (End::Exited(3), 2));
        assert_eq!(report.output, "one\n");
    }
}

#[test]
fn what_never_stops_is_stopped_with_all_that_it_started() {
    for sandbox in sandboxes() {
        let mark = format!("86{}", std::process::id());
        // One in the background of a session of its own, which no process group reaches.
        let script = format!(
            "setsid sleep {mark} & setsid sh -c 'setsid sleep {mark} & wait' & while :; do :; done"
        );
        let report = run(&sandbox, &script);
        assert_eq!(report.end, End::Time);
        assert!(report.seconds < 20.0);
        assert_eq!(sleepers(&mark), 0, "{:?}", sandbox.isolation());
        // What an honest end leaves behind goes too.
        assert_eq!(run(&sandbox, &format!("setsid sleep {mark} & exit 0")).end, End::Exited(0));
        assert_eq!(sleepers(&mark), 0, "{:?}", sandbox.isolation());
    }
}

/// A program that needs most of its second of processor time, where several others want the same
/// processor.
#[test]
fn waiting_for_a_processor_does_not_count() {
    let processor = sched_getcpu().unwrap();
    let mut one = CpuSet::new();
    one.set(processor).unwrap();
    // For this thread, and for all that it starts from here on.
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also where something below does not hold.
        let _stop = Stop(&over);
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        for sandbox in sandboxes() {
            let Some((program, prefix)) = python() else { break };
            let mut job =
                job("import time\nwhile time.process_time() < 0.8: pass\nprint('through')");
            job.steps[0].command = vec![program, "script.sh".into()];
            job.steps[0].seconds = 1.0;
            job.readable = vec![prefix];
            let report = sandbox.run(&job).unwrap();
            assert_eq!((report.end, report.output.as_str()), (End::Exited(0), "through\n"));
            assert!(report.seconds > 1.0, "it had the processor alone: {report:?}");
            job.files[0].1 = "import time\ntime.sleep(100)".into();
            let report = sandbox.run(&job).unwrap();
            assert_eq!(report.end, End::Time);
        }
    });
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn sleepers(mark: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let says = |path: PathBuf| std::fs::read_to_string(path.join("cmdline")).unwrap_or_default();
    entries.filter(|entry| says(entry.path()).ends_with(&format!("\0{mark}\0"))).count()
}

#[test]
fn a_fork_bomb_is_contained() {
    for sandbox in sandboxes() {
        let report = run(&sandbox, "bomb() { bomb | bomb & }; bomb; sleep 60");
        assert!(
            matches!(report.end, End::Time | End::Processes | End::Exited(_) | End::Memory),
            "{report:?}"
        );
        let after = run(&sandbox, "exit 0");
        assert_eq!(after.end, End::Exited(0), "nothing of it is left");
    }
}

#[test]
fn the_disk_cannot_be_filled() {
    for sandbox in sandboxes() {
        // One large file, and many.
        let one = run(&sandbox, "head -c 50000000 /dev/zero > big || exit 9");
        assert!(!matches!(one.end, End::Exited(0)), "{one:?}");
        let many = run(
            &sandbox,
            "i=0; while [ $i -lt 400 ]; do head -c 1000000 /dev/zero > f$i || exit 9; i=$((i+1)); done",
        );
        assert!(!matches!(many.end, End::Exited(0)), "{:?}: {many:?}", sandbox.isolation());
        let out = run(&sandbox, "while :; do echo 0123456789012345678901234567890123456789; done");
        assert!(matches!(out.end, End::Output), "{out:?}");
        let elsewhere = run(
            &sandbox,
            "echo x > /usr/x || echo x > /etc/x || echo x > /var/tmp/x || echo x > /dev/x || exit 9",
        );
        assert_eq!(elsewhere.end, End::Exited(9), "{:?}", sandbox.isolation());
    }
}

#[test]
fn nothing_outside_the_folder_can_be_read() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "very secret").unwrap();
    for sandbox in sandboxes() {
        let script = format!(
            "cat {0}; cat /etc/passwd; cat /etc/shadow; ls {1}; cat /proc/{2}/environ; cat /proc/1/environ; \
             ln -s {0} link; cat link; exit 9",
            secret.display(),
            outside.path().display(),
            std::process::id(),
        );
        let report = run(&sandbox, &script);
        assert_eq!(report.end, End::Exited(9));
        assert_eq!(report.output, "", "{:?}", sandbox.isolation());
    }
}

#[test]
fn there_is_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for sandbox in sandboxes() {
        for kind in [
            "AF_INET, socket.SOCK_STREAM",
            "AF_INET, socket.SOCK_DGRAM",
            "AF_INET6, socket.SOCK_STREAM",
            "AF_UNIX, socket.SOCK_STREAM",
        ] {
            let code = format!(
                "import socket\nsocket.socket(socket.{kind}).connect(('127.0.0.1', {port}))"
            );
            let Some(report) = run_python(&sandbox, &code) else { return };
            assert_eq!(report.end, End::Exited(1), "{report:?}");
            assert!(report.errors.contains("PermissionError"), "{report:?}");
        }
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody has connected");
}

#[test]
fn parents_and_strangers_cannot_be_killed() {
    let mut stranger = std::process::Command::new("sleep").arg("300").spawn().unwrap();
    for sandbox in sandboxes() {
        let code = format!(
            "import os, signal\nfor pid in (os.getppid(), {}, {}, 1, -1):\n    try:\n        os.kill(pid, signal.SIGKILL)\n    except OSError:\n        pass\nos._exit(9)",
            stranger.id(),
            std::process::id(),
        );
        let Some(report) = run_python(&sandbox, &code) else { break };
        // -1 is all that it can see, which may be itself.
        assert!(matches!(report.end, End::Exited(9) | End::Signalled(9)), "{report:?}");
        assert!(stranger.try_wait().unwrap().is_none());
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn memory_is_limited_in_one_process_and_in_all() {
    for sandbox in sandboxes() {
        let one = "x = []\nwhile True:\n    x.append(b'x' * (1 << 20))";
        let Some(report) = run_python(&sandbox, one) else { return };
        assert_eq!(report.end, End::Memory, "{report:?}");
        let all = "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(b'x' * (64 << 20))\n        time.sleep(60)\ntime.sleep(60)";
        assert_eq!(run_python(&sandbox, all).unwrap().end, End::Memory);
        let (program, prefix) = python().unwrap();
        let mut job = job("x = bytearray(1 << 30)");
        job.steps[0].command = vec![program, "script.sh".into()];
        job.steps[0].address_space = Some(512 << 20);
        job.readable = vec![prefix];
        let report = sandbox.run(&job).unwrap();
        assert!(report.errors.contains("MemoryError"), "{report:?}");
    }
}

#[test]
fn privileges_cannot_be_won_back() {
    for sandbox in sandboxes() {
        let report = run(
            &sandbox,
            "mount -t tmpfs none /job && exit 1; chroot / true && exit 2; unshare -r true && exit 3; exit 9",
        );
        assert_eq!(report.end, End::Exited(9), "{:?}: {report:?}", sandbox.isolation());
        let report = run(
            &sandbox,
            "grep -h -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status",
        );
        for line in report.output.lines() {
            let (name, value) = line.split_once(":\t").unwrap();
            let expected = match name {
                "NoNewPrivs" => "1",
                "Seccomp" => "2",
                _ => "0000000000000000",
            };
            assert_eq!(value, expected, "{:?}: {line}", sandbox.isolation());
        }
    }
}

#[test]
fn what_cannot_be_started_is_the_callers_fault() {
    for sandbox in sandboxes() {
        let mut job = job("");
        job.steps[0].command = vec!["/no/such/program".into()];
        let error = sandbox.run(&job).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"), "{error}");
        job.files[0].0 = "../escape".into();
        assert!(matches!(sandbox.run(&job), Err(SandboxError::Launcher(_))));
        job.files.clear();
        job.steps.clear();
        assert!(sandbox.run(&job).is_err());
    }
    let wrong = Launcher("/bin/true".into());
    assert!(matches!(Sandbox::new(wrong), Err(SandboxError::Unavailable(_))));
}

#[test]
fn without_walls_there_are_still_limits() {
    let sandbox = Sandbox::with(launcher(), Isolation::None).unwrap();
    assert_eq!(run(&sandbox, "while :; do :; done").end, End::Time);
    assert_eq!(run(&sandbox, "exit 0").end, End::Exited(0));
}
