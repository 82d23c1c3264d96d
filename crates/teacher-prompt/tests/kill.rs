//! The whole way over HTTP with a client that is killed again and again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use distill_core::{Language, Problem};
use serde_json::{Value, json};
use teacher_prompt::{
    Cached, Chat, ChatOptions, Event, PromptBuilder, ReplyLog, RetryOptions, Retrying, Taught,
    Teaching,
};

const PROBLEMS: usize = 400;
const IN_FLIGHT: usize = 16;
const KILLS: u64 = 10;

/// The killed process: this test binary again, with an address and a log to go on with. Without
/// them (in an ordinary run of the tests) it has nothing to do.
#[test]
fn client() {
    let Some((address, log)) = std::env::var_os("TEACH_ADDRESS").zip(std::env::var_os("TEACH_LOG"))
    else {
        return;
    };
    run(&address.to_string_lossy(), &PathBuf::from(log));
}

fn run(address: &str, log: &Path) -> usize {
    let problems = (0..PROBLEMS)
        .map(|at| Problem::new(format!("p{at}"), Language::Python, format!("number {at}")));
    let options = ChatOptions {
        timeout: Duration::from_secs(3),
        ..ChatOptions::new(format!("http://{address}"))
    };
    let retries = RetryOptions {
        attempts: 10,
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(50),
        ..RetryOptions::default()
    };
    let chat = Chat::new("m", options).unwrap();
    let log = Arc::new(ReplyLog::open(log).unwrap());
    assert!(log.damaged().is_empty(), "the log is valid throughout: {:?}", log.damaged());
    let teacher = Cached::new(Retrying::new(chat, retries), log);
    let teaching = Teaching { concurrency: IN_FLIGHT, ..Teaching::new(PromptBuilder::new("m")) };
    let mut lessons = 0;
    let summary = teaching
        .run_blocking(problems, &teacher, &mut |event| {
            lessons += usize::from(matches!(event, Event::Taught(Taught::Lesson(_))));
            Ok(())
        })
        .unwrap();
    assert_eq!(summary.stopped, None);
    assert_eq!(summary.progress.done, PROBLEMS);
    lessons
}

/// Every tenth request fails, each time in the next of the ways there are.
fn failure(count: usize) -> Option<Response> {
    use axum::http::StatusCode;
    if !count.is_multiple_of(10) {
        return None;
    }
    Some(match count / 10 % 6 {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response(),
        1 => {
            let past = "Sun, 06 Nov 1994 08:49:37 GMT";
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", past)]).into_response()
        }
        2 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        3 => "{\"choices\": [".into_response(),
        4 => axum::Json(json!({"choices": []})).into_response(),
        _ => {
            let cut = [Ok("{\"choi"), Err(std::io::Error::other("cut"))];
            axum::body::Body::from_stream(futures_util::stream::iter(cut)).into_response()
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_next_to_nothing_asked_twice() {
    let (requests, answered) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(HashMap::new())));
    let seen = answered.clone();
    let handle = move |body: String| async move {
        let count = requests.fetch_add(1, Ordering::Relaxed);
        if count % 97 == 96 {
            std::future::pending::<()>().await; // a hang
        }
        if let Some(failure) = failure(count) {
            return failure;
        }
        let body: Value = serde_json::from_str(&body).unwrap();
        let query = body["messages"][1]["content"].as_str().unwrap().to_owned();
        *seen.lock().unwrap().entry(query).or_insert(0) += 1;
        tokio::time::sleep(Duration::from_millis(count as u64 % 20)).await;
        let text = "Pseudocode:\n1. return x\nCode:\n```python\ndef f(x):\n    return x\n```";
        axum::Json(json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}))
            .into_response()
    };
    let app = axum::Router::new().route("/v1/chat/completions", axum::routing::post(handle));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("replies.jsonl");
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "client"])
            .env("TEACH_ADDRESS", &address)
            .env("TEACH_LOG", &log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(40 + kill * 37 % 120)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = std::thread::spawn(move || run(&address, &log));
    let lessons = tokio::task::block_in_place(|| last.join()).unwrap();
    assert_eq!(lessons, PROBLEMS, "every problem is answered");
    let answered = answered.lock().unwrap();
    assert_eq!(answered.len(), PROBLEMS);
    let repeats: usize = answered.values().map(|count: &usize| count - 1).sum();
    println!("{repeats} repeats");
    assert!(repeats <= KILLS as usize * IN_FLIGHT, "{repeats} answers were asked for again");
}
