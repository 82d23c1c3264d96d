//! The chat client against real servers on loopback, well-behaved and not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use distill_core::{Completion, Language, Problem, Request, Sampling, Teacher, TeacherError};
use serde_json::{Value, json};
use teacher_prompt::{
    Cached, Chat, ChatOptions, PromptBuilder, RateLimited, RateLimits, ReplyLog, RetryOptions,
    Retrying, Secret,
};

const KEY: &str = "sk-very-secret-0123456789";

/// What the server saw: headers and bodies.
type Seen = Arc<Mutex<Vec<(HeaderMap, Value)>>>;
type Answer = Arc<dyn Fn(usize) -> Response + Send + Sync>;

/// A server that gives the n-th request the n-th answer.
async fn serve(answer: impl Fn(usize) -> Response + Send + Sync + 'static) -> (SocketAddr, Seen) {
    async fn handle(
        State((seen, answer)): State<(Seen, Answer)>,
        headers: HeaderMap,
        body: String,
    ) -> Response {
        let count = {
            let mut seen = seen.lock().unwrap();
            seen.push((headers, serde_json::from_str(&body).unwrap()));
            seen.len() - 1
        };
        answer(count)
    }
    let seen = Seen::default();
    let app = Router::new()
        .route("/v1/chat/completions", post(handle))
        .with_state((seen.clone(), Arc::new(answer) as Answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, seen)
}

/// A server that writes these bytes to every connection, `endlessly` or once, and then closes it
/// or, `hanging`, keeps it open.
fn raw(bytes: &'static [u8], endlessly: bool, hanging: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
            while endlessly && stream.write_all(&[b' '; 65536]).is_ok() {}
            if hanging {
                kept.push(stream);
            }
        }
    });
    address
}

fn good() -> Response {
    axum::Json(json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1}}))
    .into_response()
}

fn chat(address: SocketAddr) -> Chat {
    let options = ChatOptions {
        api_key: Some(Secret::new(KEY)),
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(20),
        max_body: 1 << 20,
        ..ChatOptions::new(format!("http://{address}"))
    };
    Chat::new("m", options).unwrap()
}

fn request() -> Request {
    let sampling = Sampling {
        temperature: Some(0.5),
        max_tokens: Some(64),
        seed: Some(7),
        stop: vec!["END".into()],
        ..Sampling::default()
    };
    let problem = Problem::new("p", Language::Python, "Add.");
    PromptBuilder::new("m").sampling(sampling).sample(&problem, 2).unwrap()
}

async fn ask(address: SocketAddr) -> Result<Completion, TeacherError> {
    let answer = chat(address).complete(&request()).await;
    // Whatever happens, the key is nowhere to be seen.
    let shown =
        format!("{answer:?} {}", answer.as_ref().err().map_or(String::new(), |e| e.to_string()));
    assert!(!shown.contains("very-secret"), "{shown}");
    answer
}

async fn ask_for(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> TeacherError {
    let (address, _) = serve(move |_| {
        let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        response
    })
    .await;
    ask(address).await.unwrap_err()
}

#[tokio::test]
async fn a_request_holds_all_that_was_set_and_the_answer_is_read() {
    let (address, seen) = serve(|_| good()).await;
    let completion = ask(address).await.unwrap();
    assert_eq!((&*completion.text, completion.finish_reason.as_deref()), ("hi", Some("stop")));
    let seen = seen.lock().unwrap();
    let (headers, body) = &seen[0];
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    let expected = json!({"model": "m", "messages": body["messages"], "temperature": 0.5,
        "max_tokens": 64, "seed": 9, "stop": ["END"]});
    assert_eq!(*body, expected, "the seed is that of the third sample");
    assert_eq!(body["messages"][1]["role"], "user");
}

#[tokio::test]
async fn asked_too_often_and_out_of_quota_are_told_apart() {
    use TeacherError::{Quota, RateLimited};
    let wait = |seconds| RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
    assert_eq!(ask_for(429, &[("retry-after", "17")], "slow down").await, wait(17));
    let date: &[_] = &[
        ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("date", "Sun, 06 Nov 1994 08:49:07 GMT"),
    ];
    assert_eq!(ask_for(429, date, "").await, wait(30));
    assert_eq!(ask_for(429, &[], "").await, RateLimited { retry_after: None });
    let quota = r#"{"error": {"code": "insufficient_quota", "message": "You exceeded …"}}"#;
    assert!(matches!(ask_for(429, &[], quota).await, Quota(_)));
    assert!(matches!(ask_for(402, &[], "pay").await, Quota(_)));
    let low = r#"{"error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}"#;
    assert!(matches!(ask_for(400, &[], low).await, Quota(_)));
}

#[tokio::test]
async fn error_statuses_keep_their_message_and_never_the_key() {
    let echo = "Incorrect API key: sk-very-secret-0123456789.\r\nSee \"sk-very-secret-0123456789\"";
    let error = ask_for(401, &[], echo).await;
    assert_eq!(
        error.to_string(),
        "the server answered 401: Incorrect API key: [key].  See \"[key]\""
    );
    assert!(!error.is_transient());
    let error = ask_for(503, &[("retry-after-ms", "250")], "").await;
    let expected = Some(Duration::from_millis(250));
    assert!(
        matches!(error, TeacherError::Status { status: 503, retry_after, .. } if retry_after == expected)
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, seen) = serve(|_| good()).await;
    let target: &'static str = format!("http://{elsewhere}/v1/chat/completions").leak();
    let (address, _) =
        serve(move |_| (StatusCode::TEMPORARY_REDIRECT, [("location", target)]).into_response())
            .await;
    let error = ask(address).await.unwrap_err();
    assert!(matches!(error, TeacherError::Status { status: 307, .. }), "{error:?}");
    assert!(seen.lock().unwrap().is_empty(), "the key went to the other server");
}

#[tokio::test]
async fn servers_that_break_off_or_talk_nonsense_are_survived() {
    use TeacherError::{Connection, Timeout, Unreadable};
    for (bytes, hanging) in [
        (&b""[..], false),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"choices\"", false),
        (b"not http at all\r\n\r\n", false),
    ] {
        let error = ask(raw(bytes, false, hanging)).await.unwrap_err();
        assert!(matches!(error, Connection(_)), "{error:?}");
        assert!(!error.to_string().contains("127.0.0.1"), "{error}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(ask(closed).await, Err(Connection(_))));
    let header = b"HTTP/1.1 200 OK\r\n\r\n{\"choices\": ";
    match ask(raw(header, true, false)).await {
        Err(Unreadable(reason)) => assert_eq!(reason, "longer than 1048576 bytes"),
        other => panic!("{other:?}"),
    }
    let error_without_end = ask(raw(b"HTTP/1.1 500 No\r\n\r\nsorry", true, false)).await;
    assert!(matches!(error_without_end, Err(TeacherError::Status { status: 500, .. })));
    let options = ChatOptions {
        timeout: Duration::from_millis(100),
        ..ChatOptions::new(format!("http://{}", raw(b"HTTP/1.1 200 OK\r\n\r\n", false, true)))
    };
    let hung = Chat::new("m", options).unwrap().complete(&request()).await;
    assert_eq!(hung, Err(Timeout(Duration::from_millis(100))));
    for body in ["", "<html>", "{\"choices\": []}", "{\"choices\":[{\"message\":{}}]}", "null"] {
        let (address, _) = serve(move |_| body.into_response()).await;
        assert!(matches!(ask(address).await, Err(Unreadable(_))), "{body}");
    }
}

/// Peak resident memory of this process in MiB (Linux; 0 elsewhere).
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Writes `head` and then these bytes again and again, `times` times, to every connection.
fn repeating(head: &'static str, bytes: &'static [u8], times: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let block = bytes.repeat(65536 / bytes.len());
            let mut left = times.saturating_mul(bytes.len());
            let _ = stream.write_all(head.as_bytes());
            while left > 0 && stream.write_all(&block[..block.len().min(left)]).is_ok() {
                left = left.saturating_sub(block.len());
            }
        }
    });
    address
}

#[tokio::test]
async fn answers_without_measure_end_in_one_error_each_and_bounded_memory() {
    use TeacherError::{Connection, Timeout, Unreadable};
    let before = peak_mib();
    let too_long = Err(Unreadable("longer than 1048576 bytes".into()));
    // 100 MB that say how long they are, and 100 MB that do not.
    let sized = "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n{\"choices\": \"";
    assert_eq!(ask(repeating(sized, b"x", 100_000_000)).await, too_long);
    let unsized_ = "HTTP/1.1 200 OK\r\n\r\n{\"choices\": \"";
    assert_eq!(ask(repeating(unsized_, b"x", 100_000_000)).await, too_long);
    // One line, chunks, and nesting without end.
    assert_eq!(ask(repeating(unsized_, b"[{\"a\":", usize::MAX)).await, too_long);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(ask(repeating(chunked, b"1\r\nx\r\n", usize::MAX)).await, too_long);
    // Headers without end, a status line without end, interim answers without end.
    for endless in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 "] {
        let error = ask(repeating(endless, b"a: b\r\n", usize::MAX)).await.unwrap_err();
        assert!(matches!(error, Connection(_)), "{error:?}");
    }
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let options = ChatOptions {
        timeout: Duration::from_millis(300),
        ..ChatOptions::new(format!("http://{}", repeating("", interim, usize::MAX)))
    };
    let error = Chat::new("m", options).unwrap().complete(&request()).await.unwrap_err();
    assert!(matches!(error, Timeout(_) | Connection(_)), "{error:?}");
    let within = peak_mib() - before;
    assert!(within < 64, "{within} MiB more for answers of which 1 MiB each is allowed");
}

#[tokio::test]
async fn a_server_that_sends_a_byte_now_and_then_is_left_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let options = ChatOptions {
        timeout: Duration::from_millis(200),
        ..ChatOptions::new(format!("http://{address}"))
    };
    let error = Chat::new("m", options).unwrap().complete(&request()).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer within 200ms");
}

#[tokio::test]
async fn json_nested_without_measure_is_one_error_or_passed_over() {
    fn deep(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }
    for body in [
        deep(400_000),
        "[".repeat(900_000),
        "{\"choices\":".repeat(70_000),
        format!("{{\"choices\": {}}}", deep(400_000)),
        format!("{{\"error\": {}}}", deep(400_000)),
    ] {
        let (address, _) = serve(move |_| body.clone().into_response()).await;
        let error = ask(address).await.unwrap_err();
        assert!(matches!(error, TeacherError::Unreadable(_)), "{error:?}");
        assert!(error.to_string().len() < 1000, "{}", error.to_string().len());
    }
    let beside = format!("{{\"x\": {}, \"choices\": [{{\"text\": \"hi\"}}]}}", deep(400_000));
    let (address, _) = serve(move |_| beside.clone().into_response()).await;
    assert_eq!(ask(address).await.unwrap().text, "hi");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_one_final_error() {
    use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // The handshake fails on the other side, before a request or key is sent.
            assert!(acceptor.accept(stream).await.is_err());
        }
    });
    let options = ChatOptions {
        api_key: Some(Secret::new(KEY)),
        ..ChatOptions::new(format!("https://localhost:{port}"))
    };
    let fast = RetryOptions { first_wait: Duration::from_millis(1), ..RetryOptions::default() };
    let teacher = Retrying::new(Chat::new("m", options).unwrap(), fast);
    let error = teacher.complete(&request()).await.unwrap_err();
    assert!(matches!(error, TeacherError::Local(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("the server's certificate is not accepted: "), "{text}");
    assert!(!text.contains("very-secret") && !text.contains(&port.to_string()), "{text}");
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 1, "asked once");
}

#[tokio::test]
async fn a_text_to_go_on_with_is_asked_for_by_its_own_address() {
    async fn handle(body: String) -> Response {
        let body: Value = serde_json::from_str(&body).unwrap();
        let text = body["prompt"].as_str().unwrap().to_uppercase();
        axum::Json(json!({"choices": [{"text": text}]})).into_response()
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/v1/completions", post(handle));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let options = ChatOptions::new(format!("http://{address}/v1/completions"));
    let completion = Chat::new("m", options).unwrap().complete(&request()).await.unwrap();
    let contents: Vec<String> = request().messages.into_iter().map(|m| m.content).collect();
    assert_eq!(completion.text, contents.join("\n\n").to_uppercase());
}

#[tokio::test]
async fn the_rate_follows_the_headers_of_a_real_server() {
    let (address, _) = serve(|count| {
        let mut response = good();
        for (name, value) in [
            ("x-ratelimit-limit-requests", "1000".to_owned()),
            ("x-ratelimit-remaining-requests", (10usize.saturating_sub(count)).to_string()),
            ("x-ratelimit-reset-requests", "20s".to_owned()),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    })
    .await;
    let chat = chat(address);
    let announced = chat.announced();
    let teacher = RateLimited::new(chat, RateLimits::default()).following(announced);
    let request = request();
    let start = std::time::Instant::now();
    for _ in 0..16 {
        teacher.complete(&request).await.unwrap();
    }
    // Ten at once, then about fifty a second: at the earliest, since the server is free to be slow.
    assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
}

#[tokio::test]
async fn every_failure_that_may_pass_is_retried_through_and_logged_once_without_the_key() {
    let (address, seen) = serve(|count| match count {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after-ms", "1")]).into_response(),
        1 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        2 => "garbage".into_response(),
        3 => axum::Json(json!({"choices": []})).into_response(),
        _ => axum::Json(json!({"choices": [{"message": {"content": format!("echo {KEY}")}}]}))
            .into_response(),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let fast = RetryOptions { first_wait: Duration::from_millis(1), ..RetryOptions::default() };
    let log = Arc::new(ReplyLog::open(&path).unwrap());
    let teacher = Cached::new(Retrying::new(chat(address), fast), log);
    let shown = format!("{teacher:?}");
    assert!(!shown.contains("very-secret"), "{shown}");
    let request = request();
    let (one, two) = tokio::join!(teacher.complete(&request), teacher.complete(&request));
    assert_eq!(one.unwrap().text, "echo [key]");
    assert_eq!(two.unwrap().text, "echo [key]");
    assert_eq!(seen.lock().unwrap().len(), 5, "equal requests in flight are asked once");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains("very-secret"));
}
