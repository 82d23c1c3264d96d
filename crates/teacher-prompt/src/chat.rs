//! A teacher behind an OpenAI-compatible HTTP server.

use std::time::{Duration, SystemTime};

use distill_core::{Completion, Reply, Request, Teacher, TeacherError};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};

use crate::body::{MAX_BODY, RequestBody, excerpt, read_completion, says_quota};
use crate::{Announced, Error, Secret};

/// Where and how to ask.
#[derive(Debug, Clone)]
pub struct ChatOptions {
    /// The server: `http://127.0.0.1:8000`, `https://api.example.com/v1`, or the whole address
    /// ending in `/chat/completions`. Without a path `/v1` is meant. An address ending in
    /// `/completions` alone is sent a text to go on with: the messages, an empty line between them.
    pub base_url: String,
    /// Key sent as a bearer token; none for servers that ask for none.
    pub api_key: Option<Secret>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a whole answer, from connecting to its last byte.
    pub timeout: Duration,
    /// Longest answer in bytes; what goes on longer is given up.
    pub max_body: usize,
    /// The name under which `max_tokens` is sent. Some hosted models accept only
    /// `max_completion_tokens`.
    pub max_tokens_field: String,
}

impl ChatOptions {
    /// The defaults for a server: no key, 10 s to connect, 10 min to answer, 4 MiB.
    pub fn new(base_url: impl Into<String>) -> ChatOptions {
        ChatOptions {
            base_url: base_url.into(),
            api_key: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(600),
            max_body: MAX_BODY,
            max_tokens_field: "max_tokens".into(),
        }
    }
}

/// Asks any server that speaks `POST /v1/chat/completions` (vLLM, llama.cpp, Ollama, hosted APIs).
///
/// It asks once: put [`Retrying`](crate::Retrying) around it. Redirects are not followed, so the
/// key goes to no other host; neither the key nor the address appears in an error.
#[derive(Debug)]
pub struct Chat {
    model: String,
    client: Client,
    url: Url,
    options: ChatOptions,
    announced: Announced,
}

/// Longest part of an error's body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 << 10;

impl Chat {
    /// A client for `model` (its [`name`](Teacher::name); each request names its own model).
    ///
    /// # Errors
    /// [`Error::Setting`] for an address that is none, or a key that no header can hold.
    pub fn new(model: impl Into<String>, options: ChatOptions) -> Result<Chat, Error> {
        let url = endpoint(&options.base_url)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = &options.api_key {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", key.reveal())).map_err(|_| {
                    setting("API key", "holds a character that no HTTP header can hold")
                })?;
            value.set_sensitive(true);
            headers.insert(reqwest::header::AUTHORIZATION, value);
            if url.scheme() == "http" && !is_loopback(&url) {
                tracing::warn!("the API key is sent unencrypted: the server's address is http://");
            }
        }
        let mut builder = Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(options.connect_timeout)
            .user_agent(concat!("teacher-prompt/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            // A proxy set for the outside world cannot reach this machine's own server.
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| setting("HTTP client", &error.without_url().to_string()))?;
        let announced = Announced::default();
        Ok(Chat { model: model.into(), client, url, options, announced })
    }

    /// What the server says about its limits, for [`RateLimited::following`].
    ///
    /// [`RateLimited::following`]: crate::RateLimited::following
    pub fn announced(&self) -> Announced {
        self.announced.clone()
    }

    async fn ask(&self, request: &Request) -> Result<Completion, TeacherError> {
        let body = serde_json::to_vec(&RequestBody {
            request,
            max_tokens_field: &self.options.max_tokens_field,
            as_text: !self.url.path().ends_with("/chat/completions"),
        })
        .map_err(|error| TeacherError::Local(format!("request has no JSON form: {error}")))?;
        let response = self
            .client
            .post(self.url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .map_err(|error| self.transport(error))?;
        self.announced.hear(response.headers(), SystemTime::now());
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(status, response).await);
        }
        let body = self.read(response, self.options.max_body, true).await?;
        let mut completion =
            read_completion(&body).map_err(|error| self.without_key(&body, error))?;
        if let Some(key) = self.options.api_key.as_ref().filter(|key| key.is_distinctive()) {
            key.scrub_reply(&mut completion);
        }
        Ok(completion)
    }

    /// Reads up to `limit` bytes. What is longer is an error where the body must be `whole`, and
    /// otherwise cut.
    async fn read(
        &self,
        mut response: Response,
        limit: usize,
        whole: bool,
    ) -> Result<Vec<u8>, TeacherError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(error))? {
            let room = limit - body.len();
            if chunk.len() > room {
                if whole {
                    return Err(TeacherError::Unreadable(format!("longer than {limit} bytes")));
                }
                body.extend_from_slice(&chunk[..room]);
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The error for an answer with an error status.
    async fn refusal(&self, status: StatusCode, response: Response) -> TeacherError {
        let retry_after = retry_after(response.headers(), SystemTime::now());
        // A body that breaks off still leaves the status to report.
        let body = self.read(response, MAX_ERROR_BODY, false).await.unwrap_or_default();
        let text = self.scrub(&String::from_utf8_lossy(&body));
        let message = match status.is_redirection() {
            true => "a redirect, which is not followed: give the server's final address".into(),
            false => excerpt(&text),
        };
        match status.as_u16() {
            402 => TeacherError::Quota(message),
            400 | 403 | 429 if says_quota(&text) => TeacherError::Quota(message),
            429 => TeacherError::RateLimited { retry_after },
            status => TeacherError::Status { status, message, retry_after },
        }
    }

    fn transport(&self, error: reqwest::Error) -> TeacherError {
        if error.is_timeout() {
            return TeacherError::Timeout(self.options.connect_timeout);
        }
        // The causes say what happened ("connection refused"); the address stays out.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        let text = excerpt(&self.scrub(&text));
        // The words of rustls. Another try would meet the same certificate.
        if text.contains("invalid peer certificate") {
            return TeacherError::Local(format!(
                "the server's certificate is not accepted: {text}; that of a private authority is \
                 trusted when SSL_CERT_FILE names it"
            ));
        }
        TeacherError::Connection(text)
    }

    fn scrub(&self, text: &str) -> String {
        match &self.options.api_key {
            Some(key) => key.scrub(text),
            None => text.to_owned(),
        }
    }

    /// The error about `body`, read anew without the key: an excerpt could end amid it.
    fn without_key(&self, body: &[u8], error: TeacherError) -> TeacherError {
        let text = self.scrub(&String::from_utf8_lossy(body));
        let error = read_completion(text.as_bytes()).err().unwrap_or(error);
        match error {
            // A key that JSON spells with escapes comes out where the text is read.
            TeacherError::Unreadable(text) => TeacherError::Unreadable(self.scrub(&text)),
            TeacherError::Quota(text) => TeacherError::Quota(self.scrub(&text)),
            TeacherError::Status { status, message, retry_after } => {
                TeacherError::Status { status, message: self.scrub(&message), retry_after }
            }
            other => other,
        }
    }
}

impl Teacher for Chat {
    fn name(&self) -> &str {
        &self.model
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(async move {
            let limit = self.options.timeout;
            match tokio::time::timeout(limit, self.ask(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(TeacherError::Timeout(limit)),
            }
        })
    }
}

fn setting(setting: &'static str, reason: &str) -> Error {
    Error::Setting { setting, reason: reason.to_owned() }
}

/// The address of the chat completions of a server.
fn endpoint(base: &str) -> Result<Url, Error> {
    let invalid = |reason: String| Error::Setting { setting: "base URL", reason };
    let mut url = Url::parse(base.trim()).map_err(|error| {
        invalid(format!("{error}; expected for example http://127.0.0.1:8000/v1"))
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("expected http:// or https:// and a host".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("holds a user name or password: give the key apart".into()));
    }
    let path = url.path().trim_end_matches('/');
    let path = match path {
        "" => "/v1/chat/completions".to_owned(),
        path if path.ends_with("/completions") => path.to_owned(),
        path => format!("{path}/chat/completions"),
    };
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// How long the server asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date
/// (against the server's own `date` where it sends one). At most a day is believed.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    const DAY: f64 = 86_400.0;
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds = |text: &str, unit: f64| {
        let count = text.parse::<f64>().ok().filter(|count| !count.is_nan())?;
        Duration::try_from_secs_f64((count * unit).min(DAY)).ok()
    };
    if let Some(wait) = text("retry-after-ms").and_then(|text| seconds(text, 0.001)) {
        return Some(wait);
    }
    let value = text("retry-after")?;
    seconds(value, 1.0).or_else(|| {
        let date = |text| httpdate::parse_http_date(text).ok();
        let until = date(value)?;
        let from = text("date").and_then(date).unwrap_or(now);
        Some(until.duration_since(from).unwrap_or_default().min(Duration::from_secs_f64(DAY)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_found_from_any_usual_address() {
        for (base, expected) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/chat/completions"),
            ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions"),
            ("https://x.example/v1beta/openai", "https://x.example/v1beta/openai/chat/completions"),
            ("http://[::1]:1/v1/chat/completions", "http://[::1]:1/v1/chat/completions"),
            ("http://localhost:1/v1/completions/", "http://localhost:1/v1/completions"),
        ] {
            assert_eq!(endpoint(base).unwrap().as_str(), expected);
        }
        for base in ["", "localhost:8000", "ftp://x", "http://user:sk-secret@x/v1"] {
            let error = endpoint(base).unwrap_err().to_string();
            assert!(error.starts_with("base URL: ") && !error.contains("sk-secret"), "{error}");
        }
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let wait = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_str(value).unwrap());
            }
            retry_after(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770))
        };
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(wait(&[("retry-after", "7")]), seconds(7));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(
            wait(&[("retry-after", "9"), ("retry-after-ms", "20")]),
            Some(Duration::from_millis(20))
        );
        let date = "Sun, 06 Nov 1994 08:49:37 GMT"; // 784,111,777 s after the epoch
        assert_eq!(wait(&[("retry-after", date)]), seconds(7));
        let server = "Sun, 06 Nov 1994 08:49:34 GMT";
        assert_eq!(wait(&[("retry-after", date), ("date", server)]), seconds(3));
        assert_eq!(wait(&[("retry-after", "1e99")]), seconds(86_400));
        assert_eq!(wait(&[("retry-after", "-1")]), None);
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("retry-after", "NaN")]), None);
        assert_eq!(wait(&[]), None);
    }
}
