//! Line filters for scripts: JSONL in, JSONL out, a line for a line and in order.
//!
//! A line that cannot be read still gets its line, with the reason (and with `id` null where it is no
//! JSON object); the filter goes on, names the line on standard error and fails at the end.

use std::io::{BufRead, Write};
use std::path::Path;

use code_syntax::Language;
use distill_core::Pseudocode;
use distill_core::jsonl;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use teacher_prompt::{ParseOptions, Parsed, Parts, parse_body, parse_reply};

use crate::error::io;
use crate::{DistillError, Result};

/// A raw reply of a teacher: `response`, a chat-completions body, or `text`, the model's words. Every
/// JSON object is one, so that whatever is wrong with it is told beside its id.
#[derive(Deserialize)]
struct RawReply {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    language: Value,
    #[serde(default)]
    entry_point: Value,
    response: Option<Box<RawValue>>,
    #[serde(default)]
    text: Value,
}

/// What [`parse`] found: steps and code as they stand, whatever the verdict.
#[derive(Debug, Serialize)]
struct ParsedLine<'a> {
    id: Value,
    pseudocode: Option<&'a Pseudocode>,
    code: Option<&'a str>,
    verdict: &'a str,
    reason: &'a str,
}

/// Reads `{id, language, query?, entry_point?, response}` or `{id, language, entry_point?, text}`
/// and writes `{id, pseudocode: [steps] | null, code: string | null, verdict, reason}` a line.
///
/// `response` may be an object or a string that holds one. `path` is what messages call the input.
///
/// # Errors
/// [`DistillError::Io`] for a failing reader or writer; at the end [`DistillError::BadRecords`] if
/// there were lines that are no such record.
pub fn parse(input: &mut dyn BufRead, path: &Path, output: &mut dyn Write) -> Result<()> {
    each(input, path, output, |record: std::result::Result<RawReply, String>| {
        let (id, parsed) = match record {
            Ok(mut record) => (record.id.take(), read_reply(record)),
            Err(reason) => (Value::Null, Err(reason)),
        };
        let wrong = parsed.as_ref().err().cloned();
        let line = match &parsed {
            Ok(Parsed { pseudocode, code, verdict, reason, .. }) => ParsedLine {
                id,
                pseudocode: pseudocode.as_ref(),
                code: code.as_deref(),
                verdict: verdict.name(),
                reason,
            },
            Err(reason) => {
                ParsedLine { id, pseudocode: None, code: None, verdict: BAD_RECORD, reason }
            }
        };
        (serde_json::to_string(&line), wrong)
    })
}

/// The verdict on a line that is no record.
const BAD_RECORD: &str = "bad_record";

fn read_reply(record: RawReply) -> std::result::Result<Parsed, String> {
    let options = ParseOptions {
        language: language(&record.language)?,
        entry_point: record.entry_point.as_str().map(str::to_owned),
        parts: Parts::Both,
        ..ParseOptions::default()
    };
    match (record.response, record.text) {
        (Some(body), _) => {
            // A body may come as the text it was, or as the object that the text says.
            Ok(match serde_json::from_str::<String>(body.get()) {
                Ok(text) => parse_body(text.as_bytes(), &options),
                Err(_) => parse_body(body.get().as_bytes(), &options),
            })
        }
        (None, Value::String(text)) => Ok(parse_reply(&text, &options)),
        (None, Value::Null) => Err("the record holds neither response nor text".into()),
        (None, _) => Err("text is no string".into()),
    }
}

/// A record's language, where it names one.
fn language(value: &Value) -> std::result::Result<Option<Language>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(name) => name.parse().map(Some).map_err(|error| format!("language: {error}")),
        other => Err(format!("language: {other} is no string")),
    }
}

/// Code to put into words; like [`RawReply`], any JSON object.
#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    language: Value,
    #[serde(default)]
    code: Value,
}

/// Reads `{id, language, code}` and writes `{id, pseudocode: [steps], rules_missing: {kind: count}}`
/// a line; `rules_missing` holds the kinds of syntax nodes that no rule of the verbaliser fits, and
/// is empty where all were known. Code that cannot be said gives no steps, and `error` says why.
///
/// # Errors
/// As [`parse`].
pub fn verbalise(input: &mut dyn BufRead, path: &Path, output: &mut dyn Write) -> Result<()> {
    each(input, path, output, |record: std::result::Result<Code, String>| {
        let (id, said) = match record {
            Ok(mut record) => (record.id.take(), say(&record)),
            Err(reason) => (Value::Null, Err((reason, false))),
        };
        let wrong = match &said {
            Err((reason, false)) => Some(reason.clone()),
            _ => None,
        };
        let line = match said {
            Ok(said) => serde_json::json!({
                "id": id,
                "pseudocode": said.pseudocode,
                "rules_missing": said.report.missing,
            }),
            Err((error, _)) => serde_json::json!({
                "id": id, "pseudocode": [], "rules_missing": {}, "error": error,
            }),
        };
        (serde_json::to_string(&line), wrong)
    })
}

/// The record's code in words; or why not, and whether it is a record at all.
fn say(record: &Code) -> std::result::Result<verbaliser::Verbalised, (String, bool)> {
    let language = language(&record.language).map_err(|reason| (reason, false))?;
    let language = language.ok_or_else(|| ("the record names no language".to_owned(), false))?;
    let code =
        record.code.as_str().ok_or_else(|| ("the record holds no code".to_owned(), false))?;
    verbaliser::verbalise(language, code).map_err(|error| (error.to_string(), true))
}

/// Feeds every record of `input` to `line`, which gives the line to write and, where the record was
/// none at all, why.
fn each<T: serde::de::DeserializeOwned>(
    input: &mut dyn BufRead,
    path: &Path,
    output: &mut dyn Write,
    line: impl Fn(std::result::Result<T, String>) -> (serde_json::Result<String>, Option<String>),
) -> Result<()> {
    let (mut bad_records, mut first) = (0, String::new());
    for (record, number) in jsonl::read_from(input, path).zip(1..) {
        let (text, wrong) = match record {
            Ok(record) => line(Ok(record)),
            Err(jsonl::JsonlError::BadLine(bad)) => line(Err(bad.to_string())),
            Err(error) => return Err(error.into()),
        };
        if let Some(reason) = wrong {
            bad_records += 1;
            if bad_records == 1 {
                first = format!("record {number}: {reason}");
            }
        }
        let text = text.map_err(|source| jsonl::JsonlError::Record {
            path: "standard output".into(),
            source,
        })?;
        writeln!(output, "{text}").map_err(io("write", Path::new("standard output")))?;
    }
    match bad_records {
        0 => Ok(()),
        count => Err(DistillError::BadRecords { path: path.to_owned(), count, first }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(
        work: fn(&mut dyn BufRead, &Path, &mut dyn Write) -> Result<()>,
        input: &str,
    ) -> (Vec<Value>, bool) {
        let mut output = Vec::new();
        let result = work(&mut input.as_bytes(), Path::new("in.jsonl"), &mut output);
        let text = String::from_utf8(output).unwrap();
        (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), result.is_ok())
    }

    #[test]
    fn replies_are_parsed_in_order_from_body_and_text() {
        let reply =
            "Pseudocode:\\n1. return one\\nCode:\\n```python\\ndef f():\\n    return 1\\n```";
        let body = format!(r#"{{"choices":[{{"message":{{"content":"{reply}"}}}}]}}"#);
        let input = format!(
            "{{\"id\":1,\"language\":\"python\",\"query\":\"q\",\"response\":{body}}}\n\
             {{\"id\":\"b\",\"language\":\"python\",\"text\":\"{reply}\"}}\n\
             {{\"id\":\"c\",\"language\":\"python\",\"text\":\"1. only a step\"}}\n"
        );
        let (found, good) = lines(parse, &input);
        assert!(good);
        assert_eq!((&found[0]["id"], &found[1]["id"]), (&Value::from(1), &Value::from("b")));
        for line in &found[..2] {
            assert_eq!(line["pseudocode"], serde_json::json!(["return one"]));
            assert_eq!(line["code"].as_str().unwrap().trim(), "def f():\n    return 1");
            assert_eq!(line["verdict"], "ok");
        }
        assert_eq!(found[2]["code"], Value::Null);
        assert!(!found[2]["reason"].as_str().unwrap().is_empty());
    }

    #[test]
    fn a_bad_line_keeps_its_place_and_fails_at_the_end() {
        let input = "{\"id\":1,\"text\":\"1. a\"}\n{]\n{\"id\":2,\"language\":\"go\"}\n\
                     {\"id\":3,\"language\":\"klingon\",\"text\":\"\"}\n[]\n{\"id\":4,\"text\":7}\n";
        let mut output = Vec::new();
        let error = parse(&mut input.as_bytes(), Path::new("in.jsonl"), &mut output).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("in.jsonl: 5 lines") && message.contains("record 2"), "{message}");
        let found = lines(parse, input).0;
        let reason = |at: usize| found[at]["reason"].as_str().unwrap();
        assert_eq!(found[0]["pseudocode"], serde_json::json!(["a"]));
        assert!(reason(1).contains("in.jsonl:2") && reason(3).contains("klingon"));
        assert!(reason(4).contains("in.jsonl:5") && reason(5).contains("no string"));
        assert_eq!((&found[2]["id"], &found[3]["id"]), (&Value::from(2), &Value::from(3)));
        assert!(found[1..].iter().all(|line| line["verdict"] == "bad_record"));
    }

    #[test]
    fn code_is_verbalised_and_an_unsupported_language_says_so() {
        let input = "{\"id\":1,\"language\":\"python\",\"code\":\"def f(x):\\n    return x\\n\"}\n\
                     {\"id\":2,\"language\":\"rust\",\"code\":\"fn f() {}\"}\n{\"id\":3}\n";
        let (found, good) = lines(verbalise, input);
        assert!(!good, "the last one is no record");
        assert_eq!(found[0]["pseudocode"].as_array().unwrap().len(), 2);
        assert_eq!(found[0]["rules_missing"], serde_json::json!({}));
        assert!(found[1]["error"].as_str().unwrap().contains("rust"));
        assert_eq!(found[1]["pseudocode"], serde_json::json!([]));
        assert_eq!((&found[2]["id"], found[2]["error"].is_string()), (&Value::from(3), true));
    }
}
