//! Requests a second against a server of its own process that answers after 200 ms, 256 in flight:
//! `cargo run --release -p teacher-prompt --example speed`.
//!
//! The ideal is in flight / delay = 1,280 a second. `--requests`, `--in-flight` and `--delay-ms` change
//! the run, `--bare` leaves out log, parser and filters: then `Chat` alone is measured. With
//! `--server` the program is the server and prints its address.

#[path = "support/process.rs"]
mod process;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::IntoResponse;
use distill_core::{Language, Problem, Sampling, Teacher};
use futures_util::StreamExt;
use process::{cpu_time, option, peak_memory};
use teacher_prompt::{
    Cached, Chat, ChatOptions, PromptBuilder, ReplyLog, RetryOptions, Retrying, Teaching,
};

const TEXT: &str = "**Pseudocode:**\n1. Start with an empty result and both indices at 0.\n2. While both \
lists have elements left:\n   - append the smaller of the two front elements\n   - move its index on\n\
3. Append what is left of either list.\n4. Return the result.\n\n**Code:**\n```python\ndef \
merge(left, right):\n    result = []\n    i = j = 0\n    while i < len(left) and j < len(right):\n        \
if left[i] <= right[j]:\n            result.append(left[i])\n            i += 1\n        else:\n            \
result.append(right[j])\n            j += 1\n    return result + left[i:] + right[j:]\n```\n";

fn serve() {
    let delay = Duration::from_millis(option("delay-ms", 200));
    let body = serde_json::json!({"id": "x", "object": "chat.completion", "model": "m", "choices":
        [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 120, "completion_tokens": 180}})
    .to_string();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let handle = move |_: axum::body::Bytes| {
            let body = body.clone();
            async move {
                tokio::time::sleep(delay).await;
                ([("content-type", "application/json")], body).into_response()
            }
        };
        let app = axum::Router::new().route("/v1/chat/completions", axum::routing::post(handle));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("http://{}", listener.local_addr().expect("it is bound"));
        axum::serve(listener, app).await.expect("it serves");
    });
}

fn main() {
    if std::env::args().any(|argument| argument == "--server") {
        return serve();
    }
    let requests: usize = option("requests", 25_600);
    let in_flight: usize = option("in-flight", 256);
    let delay_ms: u64 = option("delay-ms", 200);
    let mut server = Command::new(std::env::current_exe().expect("this program"))
        .args(["--server", "--delay-ms", &delay_ms.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let mut address = String::new();
    let output = server.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut address).expect("the server says where it is");

    let chat = Chat::new("m", ChatOptions::new(address.trim())).expect("the address is one");
    let sampling = Sampling { max_tokens: Some(1024), ..Sampling::default() };
    let prompts = PromptBuilder::new("m").sampling(sampling);
    let problems = (0..requests).map(|at| Problem {
        entry_point: Some("merge".into()),
        ..Problem::new(format!("p{at}"), Language::Python, format!("Merge {at} sorted lists."))
    });
    let folder = tempfile::tempdir().expect("a folder for the log");
    let (ours, theirs) = (std::process::id(), server.id());
    let (cpu, server_cpu, start) = (cpu_time(ours), cpu_time(theirs), Instant::now());
    if std::env::args().any(|argument| argument == "--bare") {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let asked = futures_util::stream::iter(problems).map(|problem| {
                let request = prompts.request(&problem).expect("the template is tested");
                let chat = &chat;
                async move { chat.complete(&request).await.expect("the server answers") }
            });
            asked.buffer_unordered(in_flight).for_each(|_| std::future::ready(())).await;
        });
    } else {
        let log = ReplyLog::open(&folder.path().join("replies.jsonl")).expect("a log");
        let teacher = Cached::new(Retrying::new(chat, RetryOptions::default()), Arc::new(log));
        let teaching = Teaching { concurrency: in_flight, ..Teaching::new(prompts) };
        let summary =
            teaching.run_blocking(problems, &teacher, &mut |_| Ok(())).expect("nothing fails");
        assert_eq!((summary.stopped, summary.progress.lessons), (None, requests));
    }
    let seconds = start.elapsed().as_secs_f64();
    let ideal = in_flight as f64 / (delay_ms as f64 / 1e3);
    let rate = requests as f64 / seconds;
    let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / requests as f64;
    println!(
        "{rate:.0} requests a second, {:.1} % of {ideal:.0}; processor time a request: client {:.0} µs, \
         server {:.0} µs; client's peak memory {} MiB",
        100.0 * rate / ideal,
        micros(cpu_time(ours) - cpu),
        micros(cpu_time(theirs) - server_cpu),
        peak_memory() >> 20,
    );
    server.kill().expect("a child");
    server.wait().expect("a child");
}
