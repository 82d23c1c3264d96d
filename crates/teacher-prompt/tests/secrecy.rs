//! The API key is shown nowhere, whatever a server does with it: a program of its own, so that
//! everything that any crate tells through `tracing` or `log` can be caught.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use distill_core::{Language, Problem};
use serde_json::json;
use teacher_prompt::{
    Cached, Chat, ChatOptions, Metered, Price, PromptBuilder, RateLimited, RateLimits, ReplyLog,
    RetryOptions, Retrying, Secret, Teaching,
};

const KEY: &str = "sk-very-secret-0123456789-abcdef";

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers the n-th question in the n-th of many ways, every one of which repeats the key.
async fn indiscreet(headers: HeaderMap, body: String) -> Response {
    let key = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    assert!(key.ends_with(KEY), "the server gets the key");
    let at: usize = body.split("Case ").nth(1).unwrap().split('.').next().unwrap().parse().unwrap();
    let padded = format!("{}{key}{}", "x".repeat(at * 7), "y".repeat(400));
    let reply = json!({"choices": [{"message": {"content": format!("1. {key}\n```python\nx = '{key}'\n```")},
        "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    match at % 8 {
        0 => (StatusCode::UNAUTHORIZED, format!("wrong key {padded}")).into_response(),
        1 => (StatusCode::BAD_REQUEST, padded).into_response(),
        2 => (StatusCode::INTERNAL_SERVER_ERROR, padded).into_response(),
        3 => padded.into_response(),
        4 => axum::Json(json!({"error": {"message": padded}})).into_response(),
        5 => (StatusCode::FOUND, [(header::LOCATION, format!("http://127.0.0.1:1/{KEY}"))])
            .into_response(),
        6 => axum::Json(json!({"choices": [{"message": {"content": ""}, "note": padded}]}))
            .into_response(),
        _ => axum::Json(reply).into_response(),
    }
}

#[test]
fn the_key_is_in_no_trace_error_debug_output_or_file() {
    let told = Told::default();
    let writer = told.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/v1/chat/completions", post(indiscreet));
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let options = ChatOptions {
        api_key: Some(Secret::new(KEY)),
        ..ChatOptions::new(format!("http://{address}/v1"))
    };
    let mut shown = format!("{options:?}");
    let chat = Chat::new("m", options).unwrap();
    let limits = RateLimits { requests_per_minute: Some(1e6), tokens_per_minute: None };
    let limited = RateLimited::new(chat, limits);
    let metered = Metered::new(limited, Price { prompt: 1.0, completion: 1.0 }, None);
    let quick = RetryOptions {
        attempts: 2,
        first_wait: Duration::from_millis(1),
        ..RetryOptions::default()
    };
    let log = Arc::new(ReplyLog::open(&path).unwrap());
    let teacher = Cached::new(Retrying::new(metered, quick), log);
    let teaching = Teaching { failures_in_a_row: 1000, ..Teaching::new(PromptBuilder::new("m")) };
    for at in 0..160 {
        let problem = Problem::new(format!("p{at}"), Language::Python, format!("Case {at}."));
        let summary = teaching.run_blocking([problem], &teacher, &mut |event| {
            shown += &format!("{event:?}");
            Ok(())
        });
        shown += &format!("{summary:?}");
    }
    shown += &format!("{teacher:?} {teaching:?}");
    shown += &std::fs::read_to_string(&path).unwrap();
    shown += &String::from_utf8_lossy(&told.0.lock().unwrap());
    assert!(shown.contains("[key]") && shown.contains("hyper"), "it was caught at all");
    // Not even the half that an excerpt cut short would leave.
    for piece in [KEY, "very-secret", "secret-0123", "abcdef"] {
        let at = shown.find(piece);
        let around = |at: usize| &shown[shown.floor_char_boundary(at.saturating_sub(200))..][..200];
        assert!(at.is_none(), "{piece}: …{}", at.map_or("", around));
    }
}
