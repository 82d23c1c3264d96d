//! Reading the body of a chat completion, whatever the server leaves out or misnames.

use distill_core::{Completion, TeacherError, Usage};
use serde_json::Value;

/// Longest body that is read, in bytes, unless a caller says otherwise.
pub const MAX_BODY: usize = 16 << 20;

/// Reads a `/v1/chat/completions` body.
///
/// Only the first choice's message is needed. Its content may be a text, null, or a list of parts;
/// reasoning (`reasoning_content`, `reasoning`, `thinking`) is kept in front of the content inside
/// `<think>` tags. `finish_reason` and `usage` may be missing, empty or of an unexpected shape. The
/// older `choices[0].text`, and the bare `message` that Ollama's own API answers with, are read too.
///
/// # Errors
/// An `error` object is mapped to the [`TeacherError`] that its code stands for;
/// [`TeacherError::Unreadable`] for anything that is no chat completion, or for an empty one that
/// was not cut short (`length`, `content_filter`).
pub fn read_completion(body: &[u8]) -> Result<Completion, TeacherError> {
    let unreadable = |what: String| TeacherError::Unreadable(what);
    let raw = String::from_utf8_lossy(body);
    let json: Value = serde_json::from_str(raw.trim_start_matches('\u{feff}'))
        .map_err(|error| unreadable(format!("not JSON: {error}: {}", excerpt(&raw))))?;
    let choice = match json.get("choices") {
        Some(Value::Array(choices)) => choices.first(),
        _ => json.get("message").is_some().then_some(&json),
    };
    let Some(choice) = choice else {
        if let Some(error) = json.get("error").filter(|error| !error.is_null()) {
            return Err(error_in_body(error));
        }
        return Err(unreadable(format!("no choices: {}", excerpt(&raw))));
    };
    let message = choice.get("message").or_else(|| choice.get("delta")).unwrap_or(choice);
    let content =
        text_of(message.get("content")).or_else(|| text_of(choice.get("text"))).unwrap_or_default();
    let reasoning = ["reasoning_content", "reasoning", "thinking"]
        .iter()
        .find_map(|name| text_of(message.get(*name)))
        .filter(|text| !text.trim().is_empty());
    let finish_reason = ["finish_reason", "stop_reason", "done_reason"]
        .iter()
        .find_map(|name| choice.get(*name)?.as_str())
        .map(str::trim)
        .filter(|reason| !reason.is_empty())
        .map(normal_reason);
    if content.trim().is_empty()
        && !matches!(finish_reason.as_deref(), Some("length" | "content_filter"))
    {
        return Err(unreadable(format!("an empty message: {}", excerpt(&raw))));
    }
    let text = match reasoning {
        Some(reasoning) => format!("<think>\n{}\n</think>\n{content}", reasoning.trim()),
        None => content,
    };
    let usage = usage_of(&json);
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
fn text_of(value: Option<&Value>) -> Option<String> {
    fn part(value: &Value) -> Option<&str> {
        match value {
            Value::String(text) => Some(text),
            Value::Object(_) => {
                let text = value.get("text").or_else(|| value.get("content"))?;
                text.as_str().or_else(|| text.get("value")?.as_str())
            }
            _ => None,
        }
    }
    match value? {
        Value::Array(parts) => Some(parts.iter().filter_map(part).collect()),
        other => part(other).map(str::to_owned),
    }
}

fn usage_of(json: &Value) -> Option<Usage> {
    let usage = json.get("usage")?;
    let count = |names: [&str; 2]| {
        names.iter().find_map(|name| {
            let value = usage.get(*name)?;
            value.as_u64().or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
        })
    };
    let prompt_tokens = count(["prompt_tokens", "input_tokens"]);
    let completion_tokens = count(["completion_tokens", "output_tokens"]);
    (prompt_tokens.is_some() || completion_tokens.is_some()).then(|| Usage {
        prompt_tokens: prompt_tokens.unwrap_or(0),
        completion_tokens: completion_tokens.unwrap_or(0),
    })
}

/// An `error` object in a body of status 200, as some gateways send it.
fn error_in_body(error: &Value) -> TeacherError {
    let text = error.to_string();
    if says_quota(&text) {
        return TeacherError::Quota(excerpt(&text));
    }
    let code = error.get("code").or_else(|| error.get("status")).unwrap_or(&Value::Null);
    let status = code.as_u64().or_else(|| code.as_str()?.parse().ok());
    match status.and_then(|status| u16::try_from(status).ok()).filter(|s| (400..600).contains(s)) {
        Some(429) => TeacherError::RateLimited { retry_after: None },
        Some(status) => TeacherError::Status { status, message: excerpt(&text), retry_after: None },
        None if text.contains("rate_limit") => TeacherError::RateLimited { retry_after: None },
        None => TeacherError::Unreadable(excerpt(&text)),
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
    use serde_json::json;

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
        assert!(unreadable("[".repeat(1_000_000).as_bytes()));
        let error = |error: Value| read(json!({"error": error})).unwrap_err();
        assert!(matches!(error(json!({"code": 429})), RateLimited { .. }));
        assert!(matches!(error(json!({"code": "502"})), Status { status: 502, .. }));
        assert!(matches!(error(json!({"type": "insufficient_quota"})), Quota(_)));
        assert!(matches!(error(json!("overloaded")), Unreadable(_)));
    }
}
