//! A client that is killed again and again, against a real server that fails in every way there is.
//!
//! The server runs in this process; the client is this program started again with [`CLIENT`] in its
//! environment. After each kill the log is read as it lies on the disk, and from then on a request
//! for a reply in it is a violation.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use distill_core::{Language, Problem, Sampling};
use serde_json::{Value, json};
use teacher_prompt::{
    Cached, Chat, ChatOptions, Event, PromptBuilder, ReplyLog, RetryOptions, Retrying, Taught,
    Teaching, read_replies,
};

/// The variable that makes this program the client.
const CLIENT: &str = "SOAK_CLIENT";

/// What is done.
#[derive(Debug, Clone)]
pub struct Soak {
    /// Problems asked about.
    pub problems: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// How often the client is killed.
    pub kills: usize,
    /// Seed of the failures and of the instants of the kills.
    pub seed: u64,
    /// Time that the server takes to answer.
    pub delay: Duration,
    /// Time after which the client gives a request up.
    pub timeout: Duration,
    /// What the server says in `retry-after`.
    pub retry_after: u64,
    /// How the client is started.
    pub arguments: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Kills that met the client alive.
    pub kills: usize,
    /// Of these, how many left a torn line in the log.
    pub torn: usize,
    /// Lines of the log that were no reply, over all looks at it.
    pub damaged: usize,
    /// Requests that reached the server.
    pub requests: usize,
    /// Failures by kind.
    pub failures: BTreeMap<&'static str, usize>,
    /// Different replies given.
    pub replies: usize,
    /// Replies given once more.
    pub repeats: usize,
    /// Requests for a reply that was in the log when the client started.
    pub logged_asked_again: usize,
    /// Most requests at the server at a time.
    pub most_in_flight: usize,
    /// Replies in the log at the end.
    pub logged: usize,
    /// Problems with a reply in the log at the end.
    pub answered: usize,
    /// Lessons of the last run.
    pub lessons: usize,
    /// Whether a second client on the same log was turned away with the reason.
    pub second_refused: bool,
    /// Time it took.
    pub seconds: f64,
}

/// A reply: the number of its problem and the seed of its draw.
type Draw = (usize, u64);

#[derive(Default)]
struct Server {
    soak: Option<Soak>,
    figures: Figures,
    given: HashMap<Draw, usize>,
    logged: HashSet<Draw>,
    in_flight: usize,
}

type Shared = Arc<Mutex<Server>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Server> {
    shared.lock().expect("no handler panics")
}

/// The `index`-th number of a seed's sequence (SplitMix64).
fn random(seed: u64, index: u64) -> u64 {
    let mut x = seed.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

const KINDS: [&str; 8] = [
    "429, seconds",
    "429, date",
    "500",
    "hang",
    "cut connection",
    "invalid JSON",
    "empty choice",
    "length",
];

struct Present(Shared);

impl Drop for Present {
    fn drop(&mut self) {
        lock(&self.0).in_flight -= 1;
    }
}

async fn answer(State(shared): State<Shared>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).expect("the client sends JSON");
    let messages = body["messages"].to_string();
    let number = messages
        .rsplit_once("number ")
        .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    let draw: Draw = (number.expect("the problem's number"), body["seed"].as_u64().unwrap_or(0));
    let (soak, failure) = {
        let mut server = lock(&shared);
        let soak = server.soak.clone().expect("set before the server starts");
        let roll = random(soak.seed, server.figures.requests as u64);
        server.figures.requests += 1;
        server.figures.logged_asked_again += usize::from(server.logged.contains(&draw));
        server.in_flight += 1;
        server.figures.most_in_flight = server.figures.most_in_flight.max(server.in_flight);
        // One in ten fails, each way equally often.
        let failure = roll.is_multiple_of(10).then(|| KINDS[(roll / 10 % 8) as usize]);
        if let Some(kind) = failure {
            *server.figures.failures.entry(kind).or_default() += 1;
        }
        (soak, failure)
    };
    let _present = Present(shared.clone());
    let later = || SystemTime::now() + Duration::from_secs(soak.retry_after);
    let wait = match failure {
        Some("429, seconds") => Some(soak.retry_after.to_string()),
        Some("429, date") => Some(httpdate::fmt_http_date(later())),
        _ => None,
    };
    if let Some(wait) = wait {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", wait)]).into_response();
    }
    tokio::time::sleep(soak.delay).await;
    let cut_short = match failure {
        Some("500") => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some("hang") => std::future::pending().await,
        Some("cut connection") => {
            let parts = [Ok("{\"choices\": [{\"mess"), Err(std::io::Error::other("cut"))];
            let body = axum::body::Body::from_stream(futures_util::stream::iter(parts));
            return body.into_response();
        }
        Some("invalid JSON") => return "{\"choices\": [{]".into_response(),
        Some("empty choice") => return axum::Json(json!({"choices": [{}]})).into_response(),
        Some("length") => true,
        _ => false,
    };
    *lock(&shared).given.entry(draw).or_default() += 1;
    let name = format!("f{}", draw.0);
    let plan = format!("Draw {} {}\n\nPseudocode:\n1. return x\n", draw.0, draw.1);
    let (text, reason) = match cut_short {
        true => (plan, "length"),
        false => (format!("{plan}\nCode:\n```python\ndef {name}(x):\n    return x\n```"), "stop"),
    };
    axum::Json(json!({"choices": [{"message": {"content": text}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 30}}))
    .into_response()
}

/// What a logged reply is the reply to.
fn draw_of(text: &str) -> Option<Draw> {
    let mut words = text.lines().next()?.strip_prefix("Draw ")?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// Runs as the client where the environment says so, and whether it did.
pub fn run_as_client() -> bool {
    let Some(told) = std::env::var_os(CLIENT) else { return false };
    let told: Value = serde_json::from_str(&told.to_string_lossy()).expect("set by this program");
    let number = |name: &str| told[name].as_u64().expect("set by this program");
    let problems = (0..number("problems")).map(|at| Problem {
        entry_point: Some(format!("f{at}")),
        ..Problem::new(format!("p{at}"), Language::Python, format!("number {at}"))
    });
    let options = ChatOptions {
        timeout: Duration::from_millis(number("timeout")),
        ..ChatOptions::new(told["address"].as_str().expect("set by this program"))
    };
    let retries = RetryOptions {
        attempts: 30,
        first_wait: Duration::from_millis(4),
        longest_wait: Duration::from_millis(100),
        ..RetryOptions::default()
    };
    let log = Path::new(told["log"].as_str().expect("set by this program"));
    let log = match ReplyLog::open(log) {
        Ok(log) => Arc::new(log),
        Err(error) => {
            // Straight to the system: a test's `eprintln!` is held back and lost on exit.
            let _ = writeln!(std::io::stderr(), "{error}");
            std::process::exit(3);
        }
    };
    let chat = Chat::new("m", options).expect("the address is one");
    let teacher = Cached::new(Retrying::new(chat, retries), log);
    let sampling = Sampling { seed: Some(7), ..Sampling::default() };
    let teaching = Teaching {
        concurrency: number("in_flight") as usize,
        redraws: 20,
        ..Teaching::new(PromptBuilder::new("m").sampling(sampling))
    };
    let mut lessons = 0;
    let summary = teaching
        .run_blocking(problems, &teacher, &mut |event| {
            lessons += usize::from(matches!(event, Event::Taught(Taught::Lesson(_))));
            Ok(())
        })
        .expect("no template or receiver fails");
    assert_eq!(summary.stopped, None);
    std::fs::write(told["lessons"].as_str().expect("set by this program"), lessons.to_string())
        .expect("the folder is there");
    true
}

/// Serves, kills, looks at the log, and lets the last client come to its end.
pub fn soak(soak: &Soak) -> Figures {
    let start = Instant::now();
    let folder = tempfile::tempdir().expect("a folder for the log");
    let (log, lessons) = (folder.path().join("replies.jsonl"), folder.path().join("lessons"));
    let shared = Shared::default();
    lock(&shared).soak = Some(soak.clone());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let app = axum::Router::new()
        .route("/v1/chat/completions", axum::routing::post(answer))
        .with_state(shared.clone());
    runtime.spawn(async move { axum::serve(listener, app).await });

    let told = json!({"address": format!("http://{address}"), "log": log, "lessons": lessons,
        "problems": soak.problems, "in_flight": soak.in_flight,
        "timeout": soak.timeout.as_millis() as u64});
    let client = |stderr: Stdio| -> Child {
        Command::new(std::env::current_exe().expect("this program"))
            .args(&soak.arguments)
            .env(CLIENT, told.to_string())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("this program can be started again")
    };
    let given = || lock(&shared).given.len();
    // Random instants within the run: when so many replies are given, and up to 20 ms later.
    let mut instants: Vec<usize> = (0..soak.kills as u64)
        .map(|kill| random(soak.seed ^ 1, kill) as usize % (soak.problems * 95 / 100))
        .collect();
    instants.sort_unstable();
    let mut figures = Figures::default();
    for (kill, instant) in instants.into_iter().enumerate() {
        let mut child = client(Stdio::null());
        while given() < instant && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if kill == soak.kills / 2 {
            // A second client on the log, while the first has it.
            while lock(&shared).in_flight == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let second = client(Stdio::piped()).wait_with_output().expect("a child");
            let said = String::from_utf8_lossy(&second.stderr);
            figures.second_refused =
                !second.status.success() && said.contains("in use by another process");
        }
        std::thread::sleep(Duration::from_micros(random(soak.seed ^ 2, kill as u64) % 20_000));
        figures.kills += usize::from(child.try_wait().expect("a child").is_none());
        child.kill().expect("a child");
        child.wait().expect("a child");
        let logged = look(&log, &mut figures);
        lock(&shared).logged = logged;
    }
    let status = client(Stdio::inherit()).wait().expect("a child");
    assert!(status.success(), "the last client came to its end");
    let logged = look(&log, &mut figures);
    figures.logged = logged.len();
    figures.answered = logged.iter().map(|(number, _)| number).collect::<HashSet<_>>().len();
    figures.lessons =
        std::fs::read_to_string(lessons).expect("written by the client").parse().expect("a count");
    figures.seconds = start.elapsed().as_secs_f64();
    let server = lock(&shared);
    figures.requests = server.figures.requests;
    figures.failures.clone_from(&server.figures.failures);
    figures.logged_asked_again = server.figures.logged_asked_again;
    figures.most_in_flight = server.figures.most_in_flight;
    figures.replies = server.given.len();
    figures.repeats = server.given.values().map(|times| times - 1).sum();
    figures
}

/// What the log holds as it lies on the disk.
fn look(log: &PathBuf, figures: &mut Figures) -> HashSet<Draw> {
    let bytes = std::fs::read(log).unwrap_or_default();
    figures.torn += usize::from(bytes.last().is_some_and(|last| *last != b'\n'));
    if bytes.is_empty() {
        return HashSet::new();
    }
    let mut logged = HashSet::new();
    for reply in read_replies(log).expect("the log is there") {
        match reply.ok().and_then(|reply| draw_of(&reply.text)) {
            Some(draw) => {
                assert!(logged.insert(draw), "one line a reply");
            }
            None => figures.damaged += 1,
        }
    }
    logged
}
