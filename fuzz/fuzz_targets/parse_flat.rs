//! Any text, in every language: the parser of code without errors finds the nodes that tree-sitter
//! finds, or leaves the text to it. The first byte picks the language.

#![no_main]

use code_syntax::{Language, flatten, glr, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let language = Language::ALL[usize::from(first) % Language::ALL.len()];
    if !language.has_grammar() {
        return;
    }
    let text = String::from_utf8_lossy(rest);
    let tree = parse(language, &text).unwrap();
    match glr::parse(language, &text).unwrap() {
        Some(nodes) => assert_eq!(nodes, flatten(&tree).unwrap()),
        None => assert!(tree.root_node().has_error()),
    }
});
