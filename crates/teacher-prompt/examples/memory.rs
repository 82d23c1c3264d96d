//! Memory over the number of problems:
//! `cargo run --release -p teacher-prompt --example memory`.
//!
//! For 10³ to 10⁶ problems a process of its own teaches them with a teacher that answers at once and
//! logs every reply, and another one replays the log. Each says its peak memory; the difference to
//! the smallest run is what a record costs. Takes about 1 GB of disk. `--most 100000` ends earlier.

#[path = "support/process.rs"]
mod process;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use distill_core::{Completion, Language, Problem, Reply, Request, Teacher, Usage};
use process::{option, peak_memory};
use teacher_prompt::{Cached, PromptBuilder, Replay, ReplyLog, Teaching};

/// Answers every request at once, each in its own words.
struct AtOnce;

impl Teacher for AtOnce {
    fn name(&self) -> &str {
        "m"
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        let id = &request.problem.id;
        let text = format!(
            "Pseudocode:\n1. return {id}\nCode:\n```python\ndef f():\n    return '{id}'\n```"
        );
        let usage = Some(Usage { prompt_tokens: 50, completion_tokens: 30 });
        let raw = format!("{{\"choices\":[{{\"message\":{{\"content\":{text:?}}}}}]}}");
        let finish_reason = Some("stop".into());
        Box::pin(std::future::ready(Ok(Completion { text, finish_reason, usage, raw })))
    }
}

fn run(log: &Path, count: usize, replaying: bool) {
    let problems = (0..count)
        .map(|at| Problem::new(format!("p{at}"), Language::Python, format!("Return {at}.")));
    let teacher: Box<dyn Teacher> = match replaying {
        true => Box::new(Replay::new("m", Arc::new(ReplyLog::open_read_only(log).expect("a log")))),
        false => Box::new(Cached::new(AtOnce, Arc::new(ReplyLog::open(log).expect("a log")))),
    };
    let teaching = Teaching { concurrency: 256, ..Teaching::new(PromptBuilder::new("m")) };
    let summary =
        teaching.run_blocking(problems, &*teacher, &mut |_| Ok(())).expect("nothing fails");
    assert_eq!((summary.stopped, summary.progress.lessons), (None, count));
    println!("{}", peak_memory());
}

fn main() {
    let count: usize = option("count", 0);
    let folder = tempfile::tempdir().expect("a folder for the log");
    if count > 0 {
        let log: String = option("log", String::new());
        return run(Path::new(&log), count, std::env::args().any(|a| a == "--replay"));
    }
    let most: usize = option("most", 1_000_000);
    println!(
        "| problems | log, MB | asking: peak, MiB | bytes a record | replaying: peak, MiB | bytes a record |"
    );
    println!("|---|---|---|---|---|---|");
    let mut first: Option<(usize, [u64; 2])> = None;
    let mut count = 1000;
    while count <= most {
        let log = folder.path().join("replies.jsonl");
        let peak = |extra: &[&str]| -> u64 {
            let output = Command::new(std::env::current_exe().expect("this program"))
                .args(["--count", &count.to_string(), "--log"])
                .arg(&log)
                .args(extra)
                .output()
                .expect("this program can be started again");
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("it says its memory")
        };
        let peaks = [peak(&[]), peak(&["--replay"])];
        let bytes = std::fs::metadata(&log).expect("the log").len();
        let (least, base) = *first.get_or_insert((count, peaks));
        let a_record = |at: usize| match count - least {
            0 => "–".to_owned(),
            more => format!("{:.0}", (peaks[at] as f64 - base[at] as f64) / more as f64),
        };
        println!(
            "| {count} | {:.1} | {:.1} | {} | {:.1} | {} |",
            bytes as f64 / 1e6,
            peaks[0] as f64 / 1048576.0,
            a_record(0),
            peaks[1] as f64 / 1048576.0,
            a_record(1),
        );
        std::fs::remove_file(&log).expect("the log");
        count *= 10;
    }
}
