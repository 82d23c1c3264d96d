//! Any bytes as a log of replies: opened with its damage told, appended to, and the same when opened
//! again; nothing whole is lost.
#![no_main]

use std::path::Path;

use distill_core::{Completion, Language, Problem};
use libfuzzer_sys::fuzz_target;
use teacher_prompt::{LoggedReply, PromptBuilder, ReplyLog, read_replies_from, request_key};

fuzz_target!(|data: &[u8]| {
    for reply in read_replies_from(data, Path::new("log")) {
        if let Err(error) = reply {
            assert!(error.to_string().starts_with("log:"), "{error}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, data).unwrap();
    let problem = Problem::new("p", Language::Python, "q");
    let request = PromptBuilder::new("m").request(&problem).unwrap();
    let key = request_key(&request);
    let completion =
        Completion { text: "x".into(), finish_reason: None, usage: None, raw: "{}".into() };
    let log = ReplyLog::open(&path).unwrap();
    let before = log.len();
    let known = log.get(&key).unwrap().is_some();
    log.append(&LoggedReply::new(&key, &request, &completion, 0.5)).unwrap();
    let damaged = log.damaged_count();
    drop(log);
    let log = ReplyLog::open(&path).unwrap();
    assert_eq!(log.len(), before + usize::from(!known));
    assert_eq!(log.damaged_count(), damaged);
    assert!(log.get(&key).unwrap().is_some());
    let whole = data.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    assert!(std::fs::read(&path).unwrap().starts_with(&data[..whole]));
});
