//! Replies that are one JSON object, as some models answer in when asked for a form.

use distill_core::{Pseudocode, Step};
use serde_json::Value;

use super::steps;

/// The parts of a reply that is a JSON object.
pub(super) struct Parts {
    pub pseudocode: Option<Pseudocode>,
    /// The code's text, perhaps in a fence of its own.
    pub code: Option<String>,
}

const STEPS: [&str; 9] = [
    "pseudocode",
    "pseudo_code",
    "pseudo-code",
    "pseudo code",
    "plan",
    "steps",
    "algorithm",
    "reasoning_steps",
    "approach",
];
const CODE: [&str; 6] = ["code", "implementation", "solution", "program", "source_code", "answer"];

/// Reads a reply that is a JSON object and nothing else, perhaps in a fence, and that has a field
/// for the plan or for the code.
pub(super) fn read(text: &str) -> Option<Parts> {
    let text = text.trim();
    let fenced = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let text = fenced.map_or(text, |inner| inner.strip_prefix("json").unwrap_or(inner).trim());
    if !(text.starts_with('{') && text.ends_with('}')) {
        return None;
    }
    // Its depth is limited to 128; a deeper one is an error like any other.
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return None };
    let field = |names: &[&str]| {
        names.iter().find_map(|name| {
            object.iter().find(|(key, _)| key.to_lowercase() == *name).map(|(_, value)| value)
        })
    };
    let pseudocode = field(&STEPS).map(plan).filter(|plan| !plan.is_empty());
    let code = match field(&CODE) {
        Some(Value::String(code)) if !code.trim().is_empty() => Some(code.clone()),
        Some(Value::Array(lines)) => {
            Some(lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    };
    (pseudocode.is_some() || code.is_some()).then_some(Parts { pseudocode, code })
}

fn plan(value: &Value) -> Pseudocode {
    match value {
        Value::String(text) => steps::either(&text.lines().collect::<Vec<_>>()),
        Value::Array(items) => {
            let lines: Vec<String> = items.iter().filter_map(step).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            match lines.iter().any(|line| steps::marker(line).is_some()) {
                true => steps::either(&lines),
                // A step an item, whatever it looks like.
                false => Pseudocode::new(lines.iter().map(|line| {
                    let indent = line.len() - line.trim_start_matches(' ').len();
                    Step::new(indent / 2, line)
                })),
            }
        }
        // {"1": "…", "2": "…"}
        Value::Object(items) => {
            Pseudocode::new(items.values().filter_map(step).map(|text| Step::new(0, &text)))
        }
        _ => Pseudocode::default(),
    }
}

/// A step: a text, or an object that has one beside its number.
fn step(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => ["description", "text", "action", "content", "step", "details"]
            .iter()
            .find_map(|name| fields.get(*name)?.as_str())
            .map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_many_shapes_are_read() {
        let found = |text: &str| {
            let parts = read(text)?;
            Some((parts.pseudocode.map(|plan| plan.to_string()), parts.code))
        };
        let steps = || Some("1. a\n2. b".to_owned());
        let code = || Some("x = 1".to_owned());
        for (text, expected) in [
            (r#"{"pseudocode": ["a", "b"], "code": "x = 1"}"#, (steps(), code())),
            (r#"{"Plan": "1. a\n2. b", "Code": ["x = 1"]}"#, (steps(), code())),
            (r#"{"steps": [{"step": 1, "description": "a"}, {"step": "b"}]}"#, (steps(), None)),
            (r#"{"algorithm": {"1": "a", "2": "b"}, "z": 1}"#, (steps(), None)),
            ("```json\n{\"code\": \"x = 1\"}\n```", (None, code())),
        ] {
            assert_eq!(found(text), Some(expected), "{text}");
        }
        for text in ["{\"a\": 1}", "{not json}", "[1]", "{\"code\": \"\"}", "", "``````"] {
            assert_eq!(found(text), None, "{text}");
        }
        assert_eq!(found(&format!("{}{}", "{\"plan\":".repeat(5000), "}".repeat(5000))), None);
    }
}
