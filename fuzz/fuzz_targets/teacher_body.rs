//! Any bytes as the body of a chat completion: read, or refused with an error that can be printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use teacher_prompt::body::read_completion;
use teacher_prompt::{ParseOptions, parse_body};

fuzz_target!(|data: &[u8]| {
    match read_completion(data) {
        Ok(completion) => assert!(!completion.text.is_empty() || completion.finish_reason.is_some()),
        Err(error) => assert!(error.to_string().chars().all(|c| !c.is_control())),
    }
    parse_body(data, &ParseOptions::default());
});
