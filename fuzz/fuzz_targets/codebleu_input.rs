//! What the command `codebleu` reads: JSON lines, line files, trees in brackets. Any bytes are read or
//! refused with an error that names the line.
#![no_main]

use std::io::Cursor;

use codebleu::ted::brackets;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../crates/codebleu/src/bin/codebleu/input.rs"]
mod input;

fuzz_target!(|data: &[u8]| {
    let lines = || input::Lines::of("file".to_owned(), Box::new(Cursor::new(data.to_vec())));
    let mut records = lines();
    let mut number = 0;
    for (at, line) in records.chunk(usize::MAX, || true).unwrap() {
        assert!(at > number);
        number = at;
        match input::read_record(&line, format!("file:{at}")) {
            Ok(record) => {
                assert!(record.pair().references.iter().all(|text| text.len() <= line.len()))
            }
            Err(error) => assert!(error.to_string().contains(&format!("file:{at}"))),
        }
    }
    let mut rows = 0;
    let mut files = input::LineFiles::new(vec![lines(), lines()]);
    let read = loop {
        match files.chunk(3, || true) {
            Ok(records) if records.is_empty() => break Ok(()),
            Ok(records) => rows += records.len(),
            Err(error) => break Err(error),
        }
    };
    match read {
        Ok(()) => assert_eq!(rows, data.split_inclusive(|&byte| byte == b'\n').count()),
        Err(error) => assert!(error.to_string().contains("file:"), "{error:#}"),
    }
    let mut labels = brackets::Labels::new();
    for line in data.split(|&byte| byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        if let Ok(tree) = brackets::parse(line, &mut labels) {
            assert_eq!(codebleu::ted::distance(&tree, &tree), Ok(0));
        }
    }
});
