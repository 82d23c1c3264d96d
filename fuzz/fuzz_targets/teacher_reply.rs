//! Any text as a model's reply, in every language and of every kind: parsed or explained, and what is
//! found is of a shape that a lesson may have.
#![no_main]

use distill_core::Language;
use libfuzzer_sys::fuzz_target;
use teacher_prompt::{Filter, ParseOptions, Parts, Verdict, parse_reply};

const LANGUAGES: [Option<Language>; 7] = [
    Some(Language::Python),
    Some(Language::Java),
    Some(Language::Go),
    Some(Language::JavaScript),
    Some(Language::Php),
    Some(Language::Ruby),
    None,
];

fuzz_target!(|data: &[u8]| {
    let [kind, rest @ ..] = data else { return };
    let text = String::from_utf8_lossy(rest);
    let language = LANGUAGES[usize::from(*kind) % 7];
    let options = ParseOptions {
        language,
        entry_point: (kind & 64 != 0).then(|| "f".to_owned()),
        parts: [Parts::Both, Parts::Pseudocode, Parts::Code][usize::from(kind / 7) % 3],
        parameters: (kind & 128 != 0).then_some(2),
    };
    let parsed = parse_reply(&text, &options);
    assert_eq!(parsed.verdict == Verdict::Ok, parsed.reason.is_empty());
    if let Some(plan) = &parsed.pseudocode {
        assert!(!plan.is_empty());
        assert!(plan.steps().iter().all(|step| !step.text.trim().is_empty()));
        // What is written is read back.
        assert!(distill_core::Pseudocode::from_text(&plan.to_string()).is_ok());
    }
    if let Some(code) = &parsed.code {
        assert!(!code.trim().is_empty() && code.len() <= 2 * text.len() + 64);
    }
    if parsed.verdict == Verdict::Ok {
        assert!(parsed.pseudocode.is_some() || options.parts == Parts::Code);
        assert!(parsed.code.is_some() || options.parts == Parts::Pseudocode);
    }
    let filter = Filter { require_signature: true, ..Filter::default() };
    let (verdict, reason) = filter.check(&parsed, Some("stop"), &options);
    assert_eq!(verdict == Verdict::Ok, reason.is_empty());
});
