//! The body of a chat completion: the request as it is sent, and the answer, whatever the server
//! leaves out or misnames.

use distill_core::{Completion, Message, Request, TeacherError, Usage};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::json::{count, fields, items, string};

/// Longest body that is read, in bytes, unless a caller says otherwise.
pub const MAX_BODY: usize = 4 << 20;

/// The body of `POST /v1/chat/completions` for a request, or of `/v1/completions`: what goes over
/// the wire and into a batch file, and nothing but what determines the reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestBody<'a> {
    pub(crate) request: &'a Request,
    /// The name under which `max_tokens` is sent.
    pub(crate) max_tokens_field: &'a str,
    /// Whether the server is asked to go on with a text, instead of a chat.
    pub(crate) as_text: bool,
}

impl Serialize for RequestBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = self.request;
        let sampling = &request.sampling;
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry("model", &request.model)?;
        if self.as_text {
            let texts: Vec<&str> =
                request.messages.iter().map(|Message { content, .. }| &**content).collect();
            body.serialize_entry("prompt", &texts.join("\n\n"))?;
        } else {
            body.serialize_entry("messages", &request.messages)?;
        }
        if let Some(temperature) = sampling.temperature {
            body.serialize_entry("temperature", &temperature)?;
        }
        if let Some(top_p) = sampling.top_p {
            body.serialize_entry("top_p", &top_p)?;
        }
        if let Some(seed) = sampling.seed {
            // Further samples of one question must not be the same draw.
            body.serialize_entry("seed", &seed.wrapping_add(request.sample_index.into()))?;
        }
        if !sampling.stop.is_empty() {
            body.serialize_entry("stop", &sampling.stop)?;
        }
        if let Some(limit) = sampling.max_tokens {
            body.serialize_entry(self.max_tokens_field, &limit)?;
        }
        body.end()
    }
}

/// Reads a `/v1/chat/completions` body.
///
/// Only the first choice's message is needed. Its content may be a text, null, or a list of parts;
/// reasoning (`reasoning_content`, `reasoning`, `thinking`) is kept in front of the content inside
/// `<think>` tags. `finish_reason` and `usage` may be missing, empty or of an unexpected shape. The
/// older `choices[0].text`, and the bare `message` that Ollama's own API answers with, are read too.
/// Memory is a few times that of the body, however it is nested; bytes that are not UTF-8 are
/// replaced.
///
/// # Errors
/// An `error` object is mapped to the [`TeacherError`] that its code stands for;
/// [`TeacherError::Unreadable`] for anything that is no chat completion, or for an empty one that
/// was not cut short (`length`, `content_filter`).
pub fn read_completion(body: &[u8]) -> Result<Completion, TeacherError> {
    let unreadable = |what: String| TeacherError::Unreadable(what);
    let raw = String::from_utf8_lossy(body);
    let json = raw.trim_start_matches('\u{feff}');
    let [choices, message, error, usage] = fields(json, ["choices", "message", "error", "usage"])
        .map_err(|error| {
        unreadable(format!("not a JSON object: {error}: {}", excerpt(&raw)))
    })?;
    let choice = match choices.and_then(|choices| items(choices, 1)) {
        Some(choices) => choices.first().copied(),
        None => message.map(|_| json),
    };
    let Some(choice) = choice else {
        if let Some(error) = error {
            return Err(error_in_body(error));
        }
        return Err(unreadable(format!("no choices: {}", excerpt(&raw))));
    };
    const REASONS: usize = 3;
    let [message, delta, text, reasons @ ..]: [_; 3 + REASONS] =
        fields(choice, ["message", "delta", "text", "finish_reason", "stop_reason", "done_reason"])
            .map_err(|_| unreadable(format!("the first choice is no object: {}", excerpt(&raw))))?;
    let message = message.or(delta).unwrap_or(choice);
    let [content, reasoning @ ..]: [_; 4] =
        fields(message, ["content", "reasoning_content", "reasoning", "thinking"])
            .unwrap_or_default();
    let content = content.and_then(text_of).or_else(|| text.and_then(text_of)).unwrap_or_default();
    let reasoning = reasoning.iter().flatten().find_map(|text| text_of(text));
    let reasoning = reasoning.filter(|text| !text.trim().is_empty());
    let finish_reason = reasons
        .iter()
        .flatten()
        .find_map(|reason| string(reason))
        .map(|reason| reason.trim().to_owned())
        .filter(|reason| !reason.is_empty())
        .map(|reason| normal_reason(&reason));
    if content.trim().is_empty()
        && !matches!(finish_reason.as_deref(), Some("length" | "content_filter"))
    {
        return Err(unreadable(format!("an empty message: {}", excerpt(&raw))));
    }
    let text = match reasoning {
        Some(reasoning) => format!("<think>\n{}\n</think>\n{content}", reasoning.trim()),
        None => content,
    };
    let usage = usage.and_then(usage_of);
    Ok(Completion { text, finish_reason, usage, raw: raw.into_owned() })
}

/// Other servers' words for the two reasons that matter.
fn normal_reason(reason: &str) -> String {
    match reason.to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "max_output_tokens" | "model_length" => "length".into(),
        "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" => "stop".into(),
        other => other.to_owned(),
    }
}

/// A text, or the texts of a list of parts (`"…"`, `{"text": "…"}`, `{"text": {"value": "…"}}`).
fn text_of(json: &str) -> Option<String> {
    fn part(json: &str) -> Option<String> {
        string(json).or_else(|| {
            let [text, content] = fields(json, ["text", "content"]).ok()?;
            let text = text.or(content)?;
            string(text).or_else(|| string(fields(text, ["value"]).ok()?[0]?))
        })
    }
    match items(json, usize::MAX) {
        Some(parts) => Some(parts.into_iter().filter_map(part).collect()),
        None => part(json),
    }
}

fn usage_of(json: &str) -> Option<Usage> {
    let names = ["prompt_tokens", "input_tokens", "completion_tokens", "output_tokens"];
    let counts = fields(json, names).ok()?.map(|value| value.and_then(count));
    let (prompt_tokens, completion_tokens) = (counts[0].or(counts[1]), counts[2].or(counts[3]));
    (prompt_tokens.is_some() || completion_tokens.is_some()).then(|| Usage {
        prompt_tokens: prompt_tokens.unwrap_or(0),
        completion_tokens: completion_tokens.unwrap_or(0),
    })
}

/// An `error` object in a body of status 200, as some gateways send it.
fn error_in_body(error: &str) -> TeacherError {
    if says_quota(error) {
        return TeacherError::Quota(excerpt(error));
    }
    let [code, status] = fields(error, ["code", "status"]).unwrap_or_default();
    let status = code.or(status).and_then(|code| code.trim_matches('"').parse::<u16>().ok());
    match status.filter(|status| (400..600).contains(status)) {
        Some(429) => TeacherError::RateLimited { retry_after: None },
        Some(status) => TeacherError::Status { status, message: excerpt(error), retry_after: None },
        None if error.contains("rate_limit") => TeacherError::RateLimited { retry_after: None },
        None => TeacherError::Unreadable(excerpt(error)),
    }
}

/// Whether an error's text says that money or quota is used up, as against asking too fast.
pub(crate) fn says_quota(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "insufficient_quota",
        "insufficient_balance",
        "insufficient balance",
        "insufficient_credits",
        "insufficient credits",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit balance is too low",
    ];
    let text = text.to_ascii_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// The start of a text on one line, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    const LIMIT: usize = 300;
    let mut line = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        if count == LIMIT {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(json: Value) -> Result<Completion, TeacherError> {
        read_completion(json.to_string().as_bytes())
    }

    #[test]
    fn a_full_body_is_read_and_kept() {
        let body = json!({"choices": [{"message": {"content": "hi", "role": "assistant"},
            "finish_reason": "stop"}], "usage": {"prompt_tokens": 5, "completion_tokens": 7}});
        let completion = read(body.clone()).unwrap();
        assert_eq!(completion.text, "hi");
        assert_eq!(completion.finish_reason.as_deref(), Some("stop"));
        assert_eq!(completion.usage, Some(Usage { prompt_tokens: 5, completion_tokens: 7 }));
        assert_eq!(completion.raw, body.to_string());
    }

    #[test]
    fn what_servers_leave_out_or_misname_is_forgiven() {
        let text = |choice: Value| read(json!({"choices": [choice]})).unwrap();
        let bare = text(json!({"message": {"content": "x"}, "finish_reason": ""}));
        assert_eq!((bare.finish_reason, bare.usage), (None, None));
        let parts = json!([{"type": "text", "text": "a"}, "b", {"text": {"value": "c"}}, 7]);
        assert_eq!(text(json!({"message": {"content": parts}})).text, "abc");
        assert_eq!(text(json!({"text": "old form"})).text, "old form");
        assert_eq!(
            text(json!({"message": {"content": "x", "reasoning_content": "hm"}})).text,
            "<think>\nhm\n</think>\nx"
        );
        let cut = text(json!({"message": {"content": null, "reasoning": "hm"},
            "finish_reason": "max_tokens"}));
        assert_eq!(cut.finish_reason.as_deref(), Some("length"));
        let ollama = read(json!({"message": {"content": "x"}, "done_reason": "stop"})).unwrap();
        assert_eq!(ollama.finish_reason.as_deref(), Some("stop"));
        let twice = br#"{"usage": 1, "choices": [{"message": {"content": "x"}}], "usage": {"input_tokens": 1}}"#;
        assert_eq!(read_completion(twice).unwrap().usage.unwrap().prompt_tokens, 1);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let beside =
            format!(r#"{{"logprobs": {deep}, "choices": [{{"message": {{"content": "x"}}}}]}}"#);
        assert_eq!(read_completion(beside.as_bytes()).unwrap().text, "x");
        let odd = read(json!({"choices": [{"message": {"content": "x"}, "finish_reason": 3}],
            "usage": {"input_tokens": 2.0, "output_tokens": null}}));
        assert_eq!(odd.unwrap().usage, Some(Usage { prompt_tokens: 2, completion_tokens: 0 }));
    }

    #[test]
    fn what_is_no_completion_is_told_apart() {
        use TeacherError::*;
        let unreadable = |body: &[u8]| matches!(read_completion(body), Err(Unreadable(_)));
        assert!(unreadable(b"<html>") && unreadable(b"") && unreadable(b"\xff{}"));
        assert!(unreadable(b"{\"choices\": []}") && unreadable(b"[]") && unreadable(b"3"));
        assert!(unreadable(b"{\"choices\": [{\"message\": {\"content\": null}}]}"));
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(
            unreadable("[".repeat(1_000_000).as_bytes()) && unreadable(deep(1_000_000).as_bytes())
        );
        assert!(unreadable(format!("{{\"choices\": {}}}", deep(1_000_000)).as_bytes()));
        assert!(unreadable(br#"{"choices": [{"message": {"content": {"a": [{}]}}}]}"#));
        let error = |error: Value| read(json!({"error": error})).unwrap_err();
        assert!(matches!(error(json!({"code": 429})), RateLimited { .. }));
        assert!(matches!(error(json!({"code": "502"})), Status { status: 502, .. }));
        assert!(matches!(error(json!({"type": "insufficient_quota"})), Quota(_)));
        assert!(matches!(error(json!("overloaded")), Unreadable(_)));
    }

    #[test]
    fn a_request_is_sent_whole_and_nothing_else() {
        let problem = distill_core::Problem::new("p", distill_core::Language::Go, "q");
        let mut request = crate::PromptBuilder::new("m").request(&problem).unwrap();
        let sent = |request: &Request, as_text| {
            let body = RequestBody { request, max_tokens_field: "max_completion_tokens", as_text };
            serde_json::to_value(body).unwrap()
        };
        let messages = serde_json::to_value(&request.messages).unwrap();
        assert_eq!(sent(&request, false), json!({"model": "m", "messages": messages}));
        request.sampling.max_tokens = Some(5);
        request.messages.truncate(1);
        let prompt = &request.messages[0].content;
        let expected = json!({"model": "m", "prompt": prompt, "max_completion_tokens": 5});
        assert_eq!(sent(&request, true), expected);
    }

    /// JSON of any shape, with the names that are looked for in unexpected places.
    fn any_json() -> impl Strategy<Value = Value> {
        let names = [
            "choices",
            "message",
            "content",
            "text",
            "finish_reason",
            "usage",
            "prompt_tokens",
            "error",
            "code",
            "value",
            "reasoning",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\\PC]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 40, 4, move |inner| {
            let name = proptest::sample::select(names.to_vec());
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..4).prop_map(|pairs| {
                    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_completion_or_one_short_error(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            if let Err(error) = read_completion(&bytes) {
                prop_assert!(error.to_string().len() < 2000);
            }
        }

        #[test]
        fn any_json_is_a_completion_or_an_error_and_keeps_its_bytes(json in any_json()) {
            let text = json.to_string();
            match read_completion(text.as_bytes()) {
                Ok(completion) => prop_assert_eq!(completion.raw, text),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }

        #[test]
        fn what_a_model_wrote_comes_through_whatever_it_is(content in "\\PC*[a-z]\\PC*") {
            let body = json!({"choices": [{"message": {"content": content}}]});
            prop_assert_eq!(read(body).unwrap().text, content);
        }
    }
}
