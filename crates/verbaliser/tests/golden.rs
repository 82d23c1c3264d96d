//! Golden files: `=== title`, code, `---`, the steps that a person judged right.
//!
//! After a change of wording run with `VERBALISER_BLESS=1` to rewrite them, and read the difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use code_syntax::{Language, preorder, snippet};
use verbaliser::verbalise;

struct Example {
    title: String,
    code: String,
    steps: String,
}

fn path(language: Language) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{language}.txt"))
}

fn examples(language: Language) -> Vec<Example> {
    let text = fs::read_to_string(path(language)).unwrap();
    text.strip_prefix("=== ")
        .unwrap()
        .split("\n=== ")
        .map(|part| {
            let (title, rest) = part.split_once('\n').unwrap();
            let (code, steps) = rest.split_once("\n---").unwrap();
            let code = format!("{code}\n");
            Example { title: title.into(), code, steps: steps.trim().into() }
        })
        .collect()
}

#[track_caller]
fn check(language: Language) {
    let bless = std::env::var_os("VERBALISER_BLESS").is_some();
    let mut blessed = String::new();
    for example in examples(language) {
        let said = verbalise(language, &example.code)
            .unwrap_or_else(|error| panic!("{language}, {}: {error}", example.title));
        assert_eq!(said.report.without_rule, 0, "{}: {:?}", example.title, said.report.missing);
        let steps = said.pseudocode.to_string();
        blessed += &format!("=== {}\n{}---\n{steps}\n", example.title, example.code);
        if !bless {
            assert_eq!(steps, example.steps, "{language}, {}", example.title);
        }
    }
    if bless {
        fs::write(path(language), blessed).unwrap();
    }
}

#[test]
fn python_reads_as_judged() {
    check(Language::Python);
}

#[test]
fn java_reads_as_judged() {
    check(Language::Java);
}

#[test]
fn go_reads_as_judged() {
    check(Language::Go);
}

#[test]
fn javascript_reads_as_judged() {
    check(Language::JavaScript);
}

#[test]
fn php_reads_as_judged() {
    check(Language::Php);
}

#[test]
fn ruby_reads_as_judged() {
    check(Language::Ruby);
}

/// Every visible named kind of the grammar occurs in the golden files, but for `without`.
#[track_caller]
fn check_kinds(language: Language, without: &[&str]) {
    let mut seen = BTreeSet::new();
    for example in examples(language) {
        let snippet = snippet::parse_snippet(language, &example.code).unwrap();
        seen.extend(preorder(&snippet.tree).filter(|n| n.is_named()).map(|node| node.kind()));
    }
    let grammar = language.grammar().unwrap();
    let kinds: BTreeSet<&str> = (0..grammar.node_kind_count() as u16)
        .filter(|id| {
            grammar.node_kind_is_visible(*id)
                && grammar.node_kind_is_named(*id)
                && !grammar.node_kind_is_supertype(*id)
        })
        .filter_map(|id| grammar.node_kind_for_id(id))
        .collect();
    let absent: Vec<&&str> =
        kinds.iter().filter(|kind| !seen.contains(*kind) && !without.contains(kind)).collect();
    assert!(absent.is_empty(), "no golden example has {absent:?}");
    let needless: Vec<&&str> = without.iter().filter(|kind| seen.contains(*kind)).collect();
    assert!(needless.is_empty(), "{needless:?} do occur");
}

#[test]
fn every_node_kind_of_python_is_exercised() {
    // The grammar only ever shows it under another name.
    check_kinds(Language::Python, &["parenthesized_list_splat"]);
}

#[test]
fn every_node_kind_of_java_is_exercised() {
    check_kinds(Language::Java, &[]);
}

#[test]
fn every_node_kind_of_go_is_exercised() {
    check_kinds(Language::Go, &[]);
}

#[test]
fn every_node_kind_of_javascript_is_exercised() {
    check_kinds(Language::JavaScript, &[]);
}

#[test]
fn every_node_kind_of_php_is_exercised() {
    // Only ever part of a broken text.
    check_kinds(Language::Php, &["sentinel_error"]);
}

#[test]
fn every_node_kind_of_ruby_is_exercised() {
    check_kinds(Language::Ruby, &[]);
}
