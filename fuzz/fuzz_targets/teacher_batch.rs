//! Any bytes as a line, and as a file, of batch results: read, or refused with the line named.
#![no_main]

use libfuzzer_sys::fuzz_target;
use teacher_prompt::{BatchResults, read_batch_result};

fuzz_target!(|data: &[u8]| {
    for line in data.split(|&byte| byte == b'\n') {
        let _ = read_batch_result(line);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    std::fs::write(&path, data).unwrap();
    if let Err(error) = BatchResults::open("m", [path]) {
        assert!(error.to_string().contains("results.jsonl"), "{error}");
    }
});
