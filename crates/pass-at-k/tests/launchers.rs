//! Launchers are processes that stay from job to job. Alone in its file: it counts this process's children.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;

use pass_at_k::sandbox::{End, Isolation, Job, Launcher, Limits, Sandbox, Step};

fn job(program: &str, script: &str) -> Job {
    Job {
        files: Vec::new(),
        steps: vec![Step {
            command: [program, "-c", script].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            seconds: 10.0,
            address_space: None,
        }],
        readable: Vec::new(),
        limits: Limits::default(),
    }
}

/// The processes that this one has started, in the order of their numbers.
fn children() -> Vec<u32> {
    let own = |entry: std::io::Result<fs::DirEntry>| -> Option<u32> {
        let entry = entry.ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t"))?;
        (parent == std::process::id().to_string())
            .then(|| entry.file_name().to_str()?.parse().ok())?
    };
    let mut found: Vec<u32> = fs::read_dir("/proc").unwrap().filter_map(own).collect();
    found.sort_unstable();
    found
}

#[test]
fn launchers_stay_and_end_with_the_sandbox() {
    let launcher = Launcher(PathBuf::from(env!("CARGO_BIN_EXE_pass-at-k")));
    for isolation in [Isolation::Namespaces, Isolation::Seccomp, Isolation::None] {
        let sandbox = match Sandbox::with(launcher.clone(), isolation) {
            Ok(sandbox) => sandbox,
            Err(error) => {
                eprintln!("{isolation:?} cannot be tested here: {error}");
                continue;
            }
        };
        let end = |script: &str| sandbox.run(&job("/bin/sh", script)).unwrap().end;
        let killed = |script: &str| {
            let mut job = job("/bin/sh", script);
            job.steps[0].seconds = 0.2;
            sandbox.run(&job).unwrap().end
        };
        let first = children();
        assert_eq!(first.len(), 1, "that which tried the sandbox");
        // Neither a job that is killed nor one that cannot be started costs its launcher.
        assert_eq!(killed("sleep 60"), End::Time, "{isolation:?}");
        sandbox.run(&job("/no/such/program", "")).unwrap_err();
        assert_eq!(end("exit 3"), End::Exited(3));
        assert_eq!(children(), first);
        std::thread::scope(|scope| {
            scope.spawn(|| end("sleep 0.5"));
            scope.spawn(|| end("sleep 0.5"));
        });
        assert_eq!(children().len(), 2);
        // One that ended is no longer asked.
        for process in children() {
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(process.cast_signed()),
                nix::sys::signal::Signal::SIGKILL,
            )
            .unwrap();
        }
        let ends = [0; 2].map(|_| sandbox.run(&job("/bin/sh", "exit 4")).map(|report| report.end));
        assert!(ends.iter().all(|end| end.is_err()), "{ends:?}");
        assert_eq!(end("exit 5"), End::Exited(5));
        drop(sandbox);
        assert_eq!(children(), Vec::<u32>::new());
    }
}
