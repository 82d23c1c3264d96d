//! Line filters for scripts: JSONL in, JSONL out, a line for a line and in order.
//!
//! A line that cannot be read still gets its line, with `id` null and the reason; the filter goes
//! on and fails at the end.

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

/// A raw reply of a teacher: `response`, a chat-completions body, or `text`, the model's words.
#[derive(Deserialize)]
struct RawReply {
    id: Value,
    language: Option<Language>,
    entry_point: Option<String>,
    response: Option<Box<RawValue>>,
    text: Option<String>,
}

/// What [`parse`] found: steps and code as they stand, whatever the verdict.
#[derive(Debug, Serialize)]
struct ParsedLine<'a> {
    id: Value,
    pseudocode: Option<Pseudocode>,
    code: Option<String>,
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
            Ok(record) => read_reply(record),
            Err(reason) => return bad(reason),
        };
        match parsed {
            Ok(Parsed { pseudocode, code, verdict, reason, .. }) => {
                let line =
                    ParsedLine { id, pseudocode, code, verdict: verdict.name(), reason: &reason };
                (serde_json::to_string(&line), true)
            }
            Err(reason) => {
                let line =
                    ParsedLine { id, pseudocode: None, code: None, verdict: "bad_record", reason };
                (serde_json::to_string(&line), false)
            }
        }
    })
}

fn read_reply(record: RawReply) -> (Value, std::result::Result<Parsed, &'static str>) {
    let options = ParseOptions {
        language: record.language,
        entry_point: record.entry_point,
        parts: Parts::Both,
    };
    let parsed = match (record.response, record.text) {
        (Some(body), _) => {
            // A body may come as the text it was, or as the object that the text says.
            match serde_json::from_str::<String>(body.get()) {
                Ok(text) => Ok(parse_body(text.as_bytes(), &options)),
                Err(_) => Ok(parse_body(body.get().as_bytes(), &options)),
            }
        }
        (None, Some(text)) => Ok(parse_reply(&text, &options)),
        (None, None) => Err("the record holds neither response nor text"),
    };
    (record.id, parsed)
}

#[derive(Deserialize)]
struct Code {
    id: Value,
    language: Language,
    code: String,
}

/// Reads `{id, language, code}` and writes `{id, pseudocode: [steps], rules_missing: {kind: count}}`
/// a line; `rules_missing` holds the kinds of syntax nodes that no rule of the verbaliser fits, and
/// is empty where all were known. Code that cannot be said gives `pseudocode` null and `error`.
///
/// # Errors
/// As [`parse`].
pub fn verbalise(input: &mut dyn BufRead, path: &Path, output: &mut dyn Write) -> Result<()> {
    each(input, path, output, |record: std::result::Result<Code, String>| {
        let record = match record {
            Ok(record) => record,
            Err(reason) => return bad(reason),
        };
        let line = match verbaliser::verbalise(record.language, &record.code) {
            Ok(said) => serde_json::json!({
                "id": record.id,
                "pseudocode": said.pseudocode,
                "rules_missing": said.report.missing,
            }),
            Err(error) => serde_json::json!({
                "id": record.id,
                "pseudocode": null,
                "rules_missing": {},
                "error": error.to_string(),
            }),
        };
        (serde_json::to_string(&line), true)
    })
}

fn bad(reason: String) -> (serde_json::Result<String>, bool) {
    let line = serde_json::json!({
        "id": null, "pseudocode": null, "code": null, "verdict": "bad_record", "reason": reason,
    });
    (serde_json::to_string(&line), false)
}

/// Feeds every record of `input` to `line`, which gives the line to write and whether the record
/// was one at all.
fn each<T: serde::de::DeserializeOwned>(
    input: &mut dyn BufRead,
    path: &Path,
    output: &mut dyn Write,
    line: impl Fn(std::result::Result<T, String>) -> (serde_json::Result<String>, bool),
) -> Result<()> {
    let mut bad_records = 0;
    for record in jsonl::read_from(input, path) {
        let (text, good) = match record {
            Ok(record) => line(Ok(record)),
            Err(jsonl::JsonlError::BadLine(bad)) => line(Err(bad.to_string())),
            Err(error) => return Err(error.into()),
        };
        bad_records += usize::from(!good);
        let text = text.map_err(|source| jsonl::JsonlError::Record {
            path: "standard output".into(),
            source,
        })?;
        writeln!(output, "{text}").map_err(io("write", Path::new("standard output")))?;
    }
    match bad_records {
        0 => Ok(()),
        count => Err(DistillError::BadRecords { path: path.to_owned(), count }),
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
        let (found, good) = lines(parse, "{]\n{\"id\":2,\"language\":\"go\"}\n");
        assert!(!good);
        assert!(found[0]["reason"].as_str().unwrap().contains("in.jsonl:1"));
        assert_eq!(found[1]["id"], 2);
        assert_eq!(found[1]["verdict"], "bad_record");
    }

    #[test]
    fn code_is_verbalised_and_an_unsupported_language_says_so() {
        let input = "{\"id\":1,\"language\":\"python\",\"code\":\"def f(x):\\n    return x\\n\"}\n\
                     {\"id\":2,\"language\":\"rust\",\"code\":\"fn f() {}\"}\n";
        let (found, good) = lines(verbalise, input);
        assert!(good);
        assert_eq!(found[0]["pseudocode"].as_array().unwrap().len(), 2);
        assert_eq!(found[0]["rules_missing"], serde_json::json!({}));
        assert!(found[1]["error"].as_str().unwrap().contains("rust"));
    }
}
