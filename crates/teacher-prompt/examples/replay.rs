//! Logged replies a second through parser and filters, beside Python's `json.loads` over the same file:
//! `cargo run --release -p teacher-prompt --example replay`.
//!
//! The log holds 10⁵ replies made of the real ones in `tests/replies`, each with its own id. The two are
//! measured in turn, five times, in processor time (user and system) of a process each; needs
//! `python3`. `--replies` and `--rounds` change the run.

#[path = "support/process.rs"]
mod process;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use distill_core::{Completion, Language, Problem, Usage};
use process::{cpu_time, option};
use teacher_prompt::{Filter, LoggedReply, PromptBuilder, Replay, ReplyLog, Teaching, request_key};

const REPLIES: [(Language, &str); 5] = [
    (Language::Python, include_str!("../tests/replies/lettered-python.txt")),
    (Language::Python, include_str!("../tests/replies/no-plan-python.txt")),
    (Language::Go, include_str!("../tests/replies/nested-go.txt")),
    (Language::Go, include_str!("../tests/replies/bold-go-cut.txt")),
    (Language::Ruby, include_str!("../tests/replies/unlabelled-ruby.txt")),
];

/// What the peer does with the file, and the processor time that it takes, in seconds.
const PYTHON: &str = "import json, sys, time
start = time.process_time()
with open(sys.argv[1], encoding='utf-8') as file:
    count = sum(1 for line in file if json.loads(line)['text'])
print(time.process_time() - start)";

fn problem(at: usize) -> Problem {
    let (language, _) = REPLIES[at % REPLIES.len()];
    Problem::new(format!("p{at}"), language, format!("Do what number {at} says."))
}

fn write(path: &Path, count: usize) {
    let log = ReplyLog::open(path).expect("a log");
    let prompts = PromptBuilder::new("m");
    for at in 0..count {
        let request = prompts.request(&problem(at)).expect("the template is tested");
        let text = format!("{}\n{at}\n", REPLIES[at % REPLIES.len()].1);
        let raw = serde_json::json!({"id": format!("chatcmpl-{at}"), "object": "chat.completion",
            "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 120, "completion_tokens": 300}});
        let completion = Completion {
            text,
            finish_reason: Some("stop".into()),
            usage: Some(Usage { prompt_tokens: 120, completion_tokens: 300 }),
            raw: raw.to_string(),
        };
        let reply = LoggedReply::new(&request_key(&request), &request, &completion, 1.0);
        log.append(&reply).expect("the disk has room");
    }
}

fn replay(path: &Path, count: usize) {
    let start = cpu_time(std::process::id());
    let log = Arc::new(ReplyLog::open_read_only(path).expect("a log"));
    let opened = cpu_time(std::process::id());
    let filter = Filter { require_entry_point: false, ..Filter::default() };
    let teaching = Teaching { filter, ..Teaching::new(PromptBuilder::new("m")) };
    let summary = teaching
        .run_blocking((0..count).map(problem), &Replay::new("m", log), &mut |_| Ok(()))
        .expect("nothing fails");
    assert_eq!((summary.stopped, summary.progress.done), (None, count));
    let end = cpu_time(std::process::id());
    eprintln!("{} lessons, rejected: {:?}", summary.progress.lessons, summary.progress.rejected);
    println!("{} {}", (opened - start).as_secs_f64(), (end - start).as_secs_f64());
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let count: usize = option("replies", 100_000);
    let log: String = option("log", String::new());
    if !log.is_empty() {
        return replay(Path::new(&log), count);
    }
    let folder = tempfile::tempdir().expect("a folder for the log");
    let path = folder.path().join("replies.jsonl");
    write(&path, count);
    let numbers = |command: &mut Command| -> Vec<f64> {
        let output = command.output().expect("it can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
    };
    let (mut opening, mut ours, mut python, mut ratios) = (vec![], vec![], vec![], vec![]);
    for _ in 0..option("rounds", 5) {
        let replayed = numbers(
            Command::new(std::env::current_exe().expect("this program"))
                .args(["--replies", &count.to_string(), "--log"])
                .arg(&path),
        );
        let loaded = numbers(Command::new("python3").args(["-c", PYTHON]).arg(&path))[0];
        opening.push(replayed[0]);
        ours.push(replayed[1]);
        python.push(loaded);
        ratios.push(replayed[1] / loaded);
    }
    let bytes = std::fs::metadata(&path).expect("the log").len();
    let seconds = median(ours);
    println!(
        "{count} replies, {:.0} MB: replayed in {seconds:.2} s of processor time ({:.2} s of it to open the \
         log), {:.0} replies a second; json.loads {:.2} s; ratio {:.2} (medians)",
        bytes as f64 / 1e6,
        median(opening),
        count as f64 / seconds,
        median(python),
        median(ratios),
    );
}
