//! Record files, and the way from a source to a divided corpus.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use code_corpus::records::{code_search_net, jsonl};
use code_corpus::split::{self, group};
use code_corpus::{
    Corpus, CorpusError, Dedup, Fields, Filters, HeldOut, Options, Reason, Side, Source, Split,
};
use code_syntax::Language;
use distill_core::Problem;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> Vec<PathBuf> {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    vec![path]
}

/// Records in CodeSearchNet's two shapes, three of each language or so.
fn records() -> Vec<serde_json::Value> {
    let full = |language: &str, repo: &str, name: &str, docstring: &str, code: &str| {
        json!({
            "repo": repo, "path": "src/a", "func_name": name, "original_string": code,
            "language": language, "code": code, "code_tokens": ["x"], "docstring": docstring,
            "docstring_tokens": ["x"], "sha": "0", "url": "u", "partition": "train",
        })
    };
    let short = |language: &str, docstring: &str, code: &str| json!({ "language": language, "docstring": docstring, "code": code, "idx": 0 });
    vec![
        full(
            "python",
            "o/one",
            "Box.put",
            "Put a thing in.\n\n:param a: it",
            "def put(self, a):\n    \"\"\"Put a thing in.\n\n    :param a: it\n    \"\"\"\n    self.a = a  # it\n    return self",
        ),
        full(
            "ruby",
            "o/two",
            "M::Box.open",
            "Open a box by name.\n\n@return [Box]",
            "def open(name)\n        # look\n        box = find(name)\n        box.open\n      end",
        ),
        full(
            "ruby",
            "o/two",
            "M::Box.open",
            "Open another box by name.",
            "def open(name, key)\n        box = unlock(name, key)\n        box.open\n      end",
        ),
        short(
            "go",
            "// Add returns the sum\n// of both.",
            "func Add(a, b int) int {\n\tc := a + b\n\treturn c\n}",
        ),
        short(
            "java",
            "Adds both of them.\n\n@param a one",
            "public int add(int a, int b) {\n        // sum\n        return a\n            + b;\n    }",
        ),
        short(
            "javascript",
            "Adds both of them.\n@param {number} a",
            "function (a, b) {\n    const c = a + b;\n    return c;\n}",
        ),
        short(
            "php",
            "Adds both of them.\n\n@param int $a",
            "public function add($a, $b)\n    {\n        $c = $a + $b;\n        return $c;\n    }",
        ),
    ]
}

fn lines(records: &[serde_json::Value]) -> Vec<u8> {
    records.iter().flat_map(|record| format!("{record}\n").into_bytes()).collect()
}

#[test]
fn both_shapes_of_codesearchnet_in_six_languages() {
    let folder = tempfile::tempdir().unwrap();
    let files = file(&folder, "all.jsonl", &lines(&records()));
    let harvest = code_search_net(&files, &Filters::default(), true, &|_| {}).unwrap();
    let got: Vec<(&str, &str, &str, &str)> = harvest
        .problems
        .iter()
        .map(|p| {
            (p.id.as_str(), p.query.as_str(), p.reference.as_deref().unwrap(), p.source.as_str())
        })
        .collect();
    assert_eq!(
        got,
        [
            (
                "o/one/src/a:Box.put",
                "Put a thing in.",
                "def put(self, a):\n    self.a = a\n    return self",
                "o/one/src/a"
            ),
            (
                "o/two/src/a:M::Box.open",
                "Open a box by name.",
                "def open(name)\n  box = find(name)\n  box.open\nend",
                "o/two/src/a"
            ),
            (
                "o/two/src/a:M::Box.open#2",
                "Open another box by name.",
                "def open(name, key)\n  box = unlock(name, key)\n  box.open\nend",
                "o/two/src/a"
            ),
            (
                "all:4",
                "Add returns the sum of both.",
                "func Add(a, b int) int {\n\tc := a + b\n\treturn c\n}",
                ""
            ),
            (
                "all:5",
                "Adds both of them.",
                "public int add(int a, int b) {\n    return a\n        + b;\n}",
                ""
            ),
            (
                "all:6",
                "Adds both of them.",
                "function (a, b) {\n    const c = a + b;\n    return c;\n}",
                ""
            ),
            (
                "all:7",
                "Adds both of them.",
                "public function add($a, $b)\n{\n    $c = $a + $b;\n    return $c;\n}",
                ""
            ),
        ],
        "{}",
        harvest.dropped
    );
    let names: Vec<Option<&str>> =
        harvest.problems.iter().map(|p| p.entry_point.as_deref()).collect();
    let open = Some("open");
    assert_eq!(names, [Some("put"), open, open, Some("Add"), Some("add"), None, Some("add")]);
    assert_eq!(group(&harvest.problems[1]), "o/two");
    assert_eq!(harvest.problems[0].extra["partition"], "train");
    assert!(!harvest.problems[0].extra.contains_key("code_tokens"));
}

#[test]
fn a_compressed_file_reads_as_the_plain_one_and_a_torn_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = lines(&records());
    // Two members, as concatenated archives have.
    let mut bytes = Vec::new();
    for half in [&text[..900], &text[900..]] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(half).unwrap();
        bytes.extend(encoder.finish().unwrap());
    }
    let plain = file(&folder, "all.jsonl", &text);
    let packed = file(&folder, "all.jsonl.gz", &bytes);
    let torn = file(&folder, "torn.jsonl.gz", &bytes[..bytes.len() - 20]);
    let read = |files| code_search_net(files, &Filters::default(), true, &|_| {});
    assert_eq!(read(&plain).unwrap(), read(&packed).unwrap());
    let error = read(&torn).unwrap_err().to_string();
    assert!(error.contains("torn.jsonl.gz") && error.contains("after line"), "{error}");
}

#[test]
fn bad_lines_are_counted_with_their_place_or_fatal() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    bytes.extend(lines(&records()[..1]));
    bytes.extend(b"not json\n\n{\"language\":\"python\",\"code\":\"x\"}\n\xff\xfe\n");
    bytes.extend(b"{\"language\":\"cobol\",\"docstring\":\"d\",\"code\":\"x\"}\n[1]\n");
    bytes.extend(b"{\"language\":\"go\",\"docstring\":7,\"code\":\"x\"}\n");
    bytes.extend(lines(&records()[3..4]));
    let files = file(&folder, "bad.jsonl", &bytes);
    let harvest = code_search_net(&files, &Filters::default(), false, &|_| {}).unwrap();
    assert_eq!(harvest.problems.len(), 2);
    assert_eq!(harvest.dropped.count(Reason::BadLine), 6);
    let messages: Vec<String> = harvest.bad.iter().map(ToString::to_string).collect();
    for (message, parts) in messages.iter().zip([
        ["bad.jsonl:2: ", "expected"],
        ["bad.jsonl:4: ", "\"docstring\" is missing"],
        ["bad.jsonl:5: ", "not UTF-8 (byte 1)"],
        ["bad.jsonl:6: ", "unknown language \"cobol\""],
        ["bad.jsonl:7: ", "invalid type"],
        ["bad.jsonl:8: ", "is a number, not a text"],
    ]) {
        assert!(parts.iter().all(|part| message.contains(part)), "{message} {parts:?}");
    }
    let error = code_search_net(&files, &Filters::default(), true, &|_| {}).unwrap_err();
    assert!(matches!(&error, CorpusError::BadLine(bad) if bad.line == 2), "{error}");
    let gone = code_search_net(&[folder.path().join("gone")], &Filters::default(), true, &|_| {});
    assert!(gone.unwrap_err().to_string().contains("gone"));
}

#[test]
fn fields_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let concode = json!({
        "nl": "adds the values up . concode_field_sep int total concode_elem_sep int n",
        "code": "int function ( int [ ] arg0 ) { int loc0 = 0 ; for ( int loc1 : arg0 ) { loc0 += loc1 ; } return loc0 ; }",
    });
    let files = file(&folder, "dev.jsonl", &lines(&[concode]));
    let filters = Filters { min_code_lines: 1, ..Filters::default() };
    let harvest = jsonl(&files, &Fields::concode(), &filters, true, &|_| {}).unwrap();
    let problem = &harvest.problems[0];
    assert_eq!(
        (problem.language, problem.query.as_str()),
        (Language::Java, "adds the values up .")
    );
    assert_eq!(problem.extra["context"], "int total concode_elem_sep int n");
    assert_eq!(problem.entry_point.as_deref(), Some("function"));

    let mbxp = json!({
        "task_id": "MBPP/0", "language": "python", "description": "Write a function\nto add numbers.",
        "prompt": "\n\ndef add(a, b):\n\t\"\"\"\n\tWrite a function.\n\t\"\"\"\n",
        "canonical_solution": "\tc = a + b\n\treturn c", "entry_point": "add", "test": "assert",
    });
    let files = file(&folder, "mbxp.jsonl", &lines(&[mbxp]));
    let harvest = jsonl(&files, &Fields::mbxp(), &Filters::default(), true, &|_| {}).unwrap();
    let problem = &harvest.problems[0];
    assert_eq!(problem.id, "MBPP/0");
    assert_eq!(problem.query, "Write a function to add numbers.");
    assert_eq!(problem.reference.as_deref(), Some("def add(a, b):\n\tc = a + b\n\treturn c"));
    assert_eq!(problem.extra["test"], "assert");
    let null = json!({ "query": "Write this one.", "code": null, "language": "go" });
    let files = file(&folder, "null.jsonl", &lines(&[null]));
    let harvest = jsonl(&files, &Fields::default(), &Filters::default(), true, &|_| {}).unwrap();
    assert_eq!(harvest.problems[0].reference, None);
    // The problem's own fields do not come twice.
    let text = serde_json::to_string(problem).unwrap();
    assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), *problem);
}

#[test]
fn an_empty_corpus_is_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let files = file(&folder, "none.jsonl", b"{}\n");
    let source = Source::CodeSearchNet { files };
    let error = Corpus::build(&source, &Options::default(), &|_| {}).unwrap_err();
    assert!(matches!(error, CorpusError::Empty { .. }));
    assert!(error.to_string().contains("none.jsonl"), "{error}");
    assert!(error.to_string().contains("line without a record: 1"), "{error}");
}

/// A tree of files of different sizes, some functions copied from file to file.
fn python_tree() -> (TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..40 {
        let mut text = String::new();
        for function in 0..1 + file % 5 {
            text += &format!(
                "def f{file}_{function}(a):\n    \"\"\"Return number {file} and {function}.\"\"\"\n    \
                 b{file} = a * {function}\n    c = b{file} ** {file}\n    return c - {function}\n\n"
            );
        }
        text += "def copied(x):\n    \"\"\"Return a copy of it all.\"\"\"\n    y = list(x)\n    return y\n";
        fs::write(folder.path().join(format!("f{file}.py")), text).unwrap();
    }
    let root = folder.path().to_owned();
    (folder, Source::Tree { root, languages: vec![Language::Python] })
}

#[test]
fn a_corpus_is_divided_by_file_and_its_numbers_add_up() {
    let (_folder, source) = python_tree();
    let corpus = Corpus::build(&source, &Options::default(), &|_| {}).unwrap();
    let statistics = &corpus.statistics;
    let sides = [&corpus.train, &corpus.valid, &corpus.test];
    assert_eq!([statistics.train, statistics.valid, statistics.test], sides.map(Vec::len));
    assert_eq!(statistics.total, 121);
    assert_eq!((corpus.valid.len(), corpus.test.len()), (12, 12));
    assert_eq!(statistics.candidates, statistics.total as u64 + statistics.dropped.total());
    assert_eq!(statistics.dropped.count(Reason::ExactDuplicate), 39);
    let files = sides.map(|side| side.iter().map(group).collect::<BTreeSet<_>>());
    assert!(files[0].is_disjoint(&files[1]) && files[0].is_disjoint(&files[2]));
    assert!(files[1].is_disjoint(&files[2]));
    let row = &statistics.languages[0];
    assert_eq!((row.language, row.total), (Language::Python, 121));
    assert!(row.query_tokens.median == 6 && row.code_tokens.max >= row.code_tokens.p95);
    let text = serde_json::to_string(statistics).unwrap();
    assert!(text.contains("\"exact_duplicate\":39"), "{text}");
    assert_eq!(serde_json::from_str::<code_corpus::Statistics>(&text).unwrap(), *statistics);

    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let alone = pool.install(|| Corpus::build(&source, &Options::default(), &|_| {}).unwrap());
    assert_eq!(alone, corpus);
}

#[test]
fn held_out_texts_leave_training_alone_where_they_come_close() {
    let (folder, source) = python_tree();
    let everything = Split::Shares { valid: 0.0, test: 0.0, seed: 0 };
    // The shape of all the numbered functions, with other names and numbers.
    let texts = vec!["def g(x):\n    y = x * 7\n    z = y ** 8\n    return z - 9".to_owned()];
    let held_out = HeldOut { texts, min_nodes: 10, ..HeldOut::default() };
    let options = Options { split: everything.clone(), held_out, ..Options::default() };
    let corpus = Corpus::build(&source, &options, &|_| {}).unwrap();
    assert_eq!(corpus.train.len(), 1, "only the function of another shape stays");
    assert_eq!(corpus.statistics.dropped.count(Reason::Contaminated), 120);

    let record =
        json!({ "n": 1, "solution": "pass\ndef copied(x):\n    y = list(x)\n    return y\npass" });
    let files = file(&folder, "held.jsonl", &lines(&[record]));
    let held_out = HeldOut { files, ..HeldOut::default() };
    let options = Options { split: everything, held_out, ..Options::default() };
    let corpus = Corpus::build(&source, &options, &|_| {}).unwrap();
    assert_eq!(corpus.statistics.dropped.count(Reason::Contaminated), 1);
    assert!(corpus.train.iter().all(|p| p.entry_point.as_deref() != Some("copied")));
}

#[test]
fn the_shipped_split_is_kept_or_asked_for() {
    let mut shipped = records();
    shipped[1]["partition"] = json!("valid");
    shipped[2]["partition"] = json!("test");
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        split: Split::Shipped,
        dedup: Dedup { near: None, ..Dedup::default() },
        ..Options::default()
    };
    let files = file(&folder, "s.jsonl", &lines(&shipped[..3]));
    let corpus = Corpus::build(&Source::CodeSearchNet { files }, &options, &|_| {}).unwrap();
    assert_eq!((corpus.train.len(), corpus.valid.len(), corpus.test.len()), (1, 1, 1));
    let files = file(&folder, "t.jsonl", &lines(&shipped));
    let error = Corpus::build(&Source::CodeSearchNet { files }, &options, &|_| {}).unwrap_err();
    assert!(matches!(&error, CorpusError::NoPartition { id } if id == "t:4"), "{error}");
}

#[test]
fn options_are_read_from_a_configuration() {
    let options: Options = serde_json::from_value(json!({
        "strict": true,
        "filters": { "max_code_tokens": 100 },
        "dedup": { "near": 0.7 },
        "split": { "by": "shares", "valid": 0.2, "test": 0.2, "seed": 7 },
    }))
    .unwrap();
    assert!(options.strict && options.filters.min_query_words == 3);
    assert_eq!(options.split, Split::Shares { valid: 0.2, test: 0.2, seed: 7 });
    assert!(serde_json::from_value::<Options>(json!({ "stirct": true })).is_err());
    let source: Source = serde_json::from_value(json!({ "kind": "python_stdlib" })).unwrap();
    assert_eq!(source, Source::PythonStdlib { python: "python3".into() });
    for split in [json!([0.6, 0.4]), json!([-0.1, 0.4]), json!([f64::MAX, 0.0])] {
        let how = Split::Shares {
            valid: split[0].as_f64().unwrap(),
            test: split[1].as_f64().unwrap(),
            seed: 0,
        };
        assert!(matches!(split::split(&[], &how), Err(CorpusError::Setting { .. })), "{split}");
    }
}

#[test]
fn something_is_left_to_train_on() {
    for (count, valid, test) in [(1, 0.0, 0.9), (1, 0.45, 0.45), (2, 0.33, 0.33), (2, 0.1, 0.8)] {
        let problems: Vec<Problem> =
            (0..count).map(|at| Problem::new(at.to_string(), Language::Python, "q")).collect();
        for seed in 0..20 {
            let sides = split::split(&problems, &Split::Shares { valid, test, seed }).unwrap();
            assert!(sides.contains(&Side::Train), "{count} {valid} {test} {seed}: {sides:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_group_is_on_two_sides_and_order_does_not_matter(
        groups in prop::collection::vec(0..40u32, 1..300),
        seed: u64,
        valid in 0.0..0.4f64,
        test in 0.0..0.4f64,
    ) {
        let problems: Vec<Problem> = groups
            .iter()
            .enumerate()
            .map(|(at, group)| {
                let mut problem = Problem::new(at.to_string(), Language::Python, "q");
                problem.source = format!("{group}.py");
                problem
            })
            .collect();
        let how = Split::Shares { valid, test, seed };
        let sides = split::split(&problems, &how).unwrap();
        let mut of_group: BTreeMap<&str, Side> = BTreeMap::new();
        for (problem, side) in problems.iter().zip(&sides) {
            prop_assert_eq!(*of_group.entry(group(problem)).or_insert(*side), *side);
        }
        prop_assert!(sides.contains(&Side::Train));
        let reversed: Vec<Problem> = problems.iter().rev().cloned().collect();
        let mut again = split::split(&reversed, &how).unwrap();
        again.reverse();
        prop_assert_eq!(&again, &sides);
        // The small sides keep to their shares, apart from one group where that is all they have.
        for (side, share) in [(Side::Valid, valid), (Side::Test, test)] {
            let count = sides.iter().filter(|s| **s == side).count();
            let taken = of_group.values().filter(|s| **s == side).count();
            let most = (share * problems.len() as f64).round() as usize;
            prop_assert!(count <= most || taken == 1);
        }
    }
}
