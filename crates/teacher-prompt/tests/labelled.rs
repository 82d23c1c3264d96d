//! The parser against real replies, labelled by reading: `tests/replies/labelled.jsonl`.

use std::collections::BTreeMap;

use distill_core::{Language, Pseudocode, jsonl};
use serde::Deserialize;
use teacher_prompt::{ParseOptions, parse_reply};

#[derive(Deserialize)]
struct Labelled {
    id: String,
    model: String,
    form: String,
    language: Language,
    entry_point: Option<String>,
    text: String,
    /// The steps, as read.
    pseudocode: Option<Pseudocode>,
    /// The lines of the text that are the code, from 1, both included.
    code_lines: Option<[usize; 2]>,
}

/// Where parser and label differ, and why that is left so.
const DISAGREEMENTS: [(&str, &str); 1] = [(
    "qwen2.5-coder-0.5b/go/MBGP/43",
    "four fragments of code, a part each: the label is no program, the parser gives the last of \
     them, and the filter then rejects it because it defines no function",
)];

#[test]
fn the_parser_finds_what_a_reader_finds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replies/labelled.jsonl");
    let replies: Vec<Labelled> = jsonl::read_all(path.as_ref()).unwrap();
    let mut forms: BTreeMap<(String, String), usize> = BTreeMap::new();
    let (mut both, mut differ) = (0, Vec::new());
    for reply in &replies {
        *forms.entry((reply.model.clone(), reply.form.clone())).or_default() += 1;
        let options = ParseOptions {
            language: Some(reply.language),
            entry_point: reply.entry_point.clone(),
            ..ParseOptions::default()
        };
        let found = parse_reply(&reply.text, &options);
        let code = reply.code_lines.map(|[first, last]| {
            let lines: Vec<&str> = reply.text.lines().collect();
            lines[first - 1..last].join("\n").trim_end().to_owned()
        });
        both += usize::from(reply.pseudocode.is_some() && code.is_some());
        if found.pseudocode != reply.pseudocode || found.code != code {
            differ.push(reply.id.as_str());
        }
    }
    assert!(replies.len() >= 100 && forms.len() >= 3 && both >= 60, "{} {forms:?}", replies.len());
    assert_eq!(differ, DISAGREEMENTS.map(|(id, _)| id));
}
