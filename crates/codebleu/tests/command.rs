//! The command, as scripts call it.
#![cfg(all(feature = "cli", feature = "python", feature = "java"))]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn codebleu(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_codebleu"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that stops early may not read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const RECORDS: &str = concat!(
    r#"{"id": "a", "lang": "python", "reference": "x = 1\ny = x", "hypothesis": "x = 1\ny = x"}"#,
    "\n\n",
    r#"{"id": 2, "lang": "java", "references": ["int a;", "int b = a;"], "hypothesis": "int b;"}"#,
    "\n",
);

#[test]
fn records_are_scored_in_order_with_the_five_names() {
    for variant in ["paper", "k4black", "codexglue"] {
        let arguments = ["score", "--variant", variant, "--threads", "2", "--per-pair", "--json"];
        let output = codebleu(&arguments, RECORDS.as_bytes());
        assert!(output.status.success(), "{}", error(&output));
        let lines = lines(&output);
        assert_eq!((lines.len(), &lines[0]["id"], &lines[1]["id"]), (2, &"a".into(), &2.into()));
        for line in &lines {
            for name in [
                "codebleu",
                "ngram_match_score",
                "weighted_ngram_match_score",
                "syntax_match_score",
                "dataflow_match_score",
            ] {
                assert!(line.as_object().unwrap().contains_key(name), "{name}: {line}");
            }
            assert_eq!(line["syntax_raw"].is_number(), variant == "paper");
            assert_eq!(line["counts"]["pairs"], 1);
        }
        assert_eq!(lines[0]["syntax_match_score"], 1.0);
    }
}

#[test]
fn a_corpus_is_one_object() {
    let output = codebleu(&["score", "--variant", "k4black", "--json", "-"], RECORDS.as_bytes());
    let lines = lines(&output);
    assert_eq!((lines.len(), &lines[0]["pairs"]), (1, &2.into()));
    assert!(lines[0]["codebleu"].as_f64().unwrap() > 0.0);
}

#[test]
fn errors_name_file_and_line_and_keep_what_was_scored() {
    let bad: [(&[u8], &str); 5] = [
        (b"not json", "standard input:4: "),
        (b"{\"lang\": \"cobol\", \"reference\": \"\", \"hypothesis\": \"\"}", "cobol"),
        (b"{\"lang\": \"java\", \"hypothesis\": \"\"}", "no `reference`"),
        (b"{\"lang\": \"java\", \"reference\": \"\\ud800\", \"hypothesis\": \"\"}", ":4: "),
        (b"\xff\xfe", "not UTF-8 (byte 1 of the line)"),
    ];
    for (line, message) in bad {
        let mut input = RECORDS.as_bytes().to_vec();
        input.extend_from_slice(line);
        let output = codebleu(&["score", "--per-pair", "--json"], &input);
        assert_eq!(output.status.code(), Some(1));
        assert!(error(&output).contains(message), "{}", error(&output));
        assert!(error(&output).contains("standard input:4: "), "{}", error(&output));
        assert_eq!(lines(&output).len(), 2);
    }
    let output = codebleu(&["score", "--json", "/no/such/file"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("/no/such/file"));
    assert_eq!(codebleu(&["score", "--variant", "none"], b"").status.code(), Some(2));
    assert_eq!(codebleu(&["score", "--weights", "1,2"], b"").status.code(), Some(2));
    assert_eq!(codebleu(&["score", "--json"], b"").status.code(), Some(1));
}

#[test]
fn line_files_stand_side_by_side() {
    let folder = std::env::temp_dir().join(format!("codebleu-lines-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (a, b) = (file("a", "x = 1\n\ny = 2"), file("b", "x = 2\n\nz\n"));
    let hypotheses = file("h", "x = 1\n\ny = 2\n");
    let short = file("s", "x = 1\n");
    let arguments = ["score", "--refs", &a, &b, "--hyp", &hypotheses, "--lang", "python"];
    let output = codebleu(&[&arguments[..], &["--per-pair", "--json"]].concat(), b"");
    assert!(output.status.success(), "{}", error(&output));
    let scores = lines(&output);
    assert_eq!(scores.len(), 3);
    assert_eq!((&scores[2]["id"], &scores[2]["syntax_match_score"]), (&3.into(), &1.0.into()));
    let table = codebleu(&arguments, b"");
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("3 pairs, variant paper"), "{table}");
    let arguments = ["score", "--refs", &short, "--hyp", &hypotheses, "--lang", "python"];
    let output = codebleu(&arguments, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("equally many lines: one ends after line 1"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn distances_of_trees_in_brackets() {
    let output = codebleu(&["ted", "--json"], b"{a{b}{c}}\n{a{b{d}}}\n{x}\n{x}\n");
    let lines = lines(&output);
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["size_a"], &lines[0]["size_b"]), (&3.into(), &3.into()));
    assert_eq!((&lines[0]["distance"], &lines[1]["distance"]), (&2.into(), &0.into()));
    assert_eq!(lines[1]["similarity"], 1.0);
    assert!(lines[0]["seconds"].as_f64().unwrap() >= 0.0);
    let output = codebleu(&["ted", "--json"], b"{a}\n{a\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("standard input:2: "), "{}", error(&output));
    let output = codebleu(&["ted"], b"{a}\n");
    assert!(error(&output).contains("without a second one"), "{}", error(&output));
}

#[test]
fn merged_shards_are_the_whole() {
    let folder = std::env::temp_dir().join(format!("codebleu-shards-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let input: String = (0..7)
        .map(|n| {
            let hypothesis = format!("x = {n}\\n").repeat(n);
            let reference = "x = 3\\ny = x";
            format!(
                r#"{{"lang": "python", "reference": "{reference}", "hypothesis": "{hypothesis}"}}"#
            ) + "\n"
        })
        .collect();
    let whole = codebleu(&["score", "--json"], input.as_bytes());
    let mut files = Vec::new();
    let mut pairs = 0;
    for shard in ["3/3", "1/3", "2/3"] {
        let output = codebleu(&["score", "--json", "--shard", shard], input.as_bytes());
        pairs += lines(&output)[0]["pairs"].as_u64().unwrap();
        let path = folder.join(shard.replace('/', "-"));
        std::fs::write(&path, &output.stdout).unwrap();
        files.push(path.to_str().unwrap().to_owned());
    }
    assert_eq!(pairs, 7);
    let mut arguments = vec!["merge", "--json"];
    arguments.extend(files.iter().map(String::as_str));
    let merged = codebleu(&arguments, b"");
    assert_eq!(merged.stdout, whole.stdout, "{}", error(&merged));
    std::fs::write(&files[0], "{}").unwrap();
    assert!(error(&codebleu(&arguments, b"")).contains("not a result of a shard"));
    assert_eq!(codebleu(&["score", "--shard", "4/3"], b"").status.code(), Some(2));
    std::fs::remove_dir_all(folder).unwrap();
}
