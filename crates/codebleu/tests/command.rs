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
    for variant in ["paper", "k4black", "codexglue", "fixed"] {
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

/// More than the threads are handed at a time.
#[test]
fn many_records_keep_their_order_on_any_number_of_threads() {
    let path = std::env::temp_dir().join(format!("codebleu-many-{}.jsonl", std::process::id()));
    let (from, to) = RECORDS.trim_end().split_once("\n\n").unwrap();
    let mut input = String::new();
    for id in 0..5_000 {
        let record = [from, to][id % 3 % 2];
        let (_, rest) = record.split_once(',').unwrap();
        input.push_str(&format!("{{\"id\": {id},{}\n", rest.replace("= 1", &format!("= {id}"))));
    }
    std::fs::write(&path, &input).unwrap();
    let file = path.to_str().unwrap();
    for format in [&["--json", "--per-pair"][..], &["--per-pair"], &["--json"]] {
        let score = |threads: &str| {
            let arguments = ["score", "--variant", "k4black", "--threads", threads, file];
            let output = codebleu(&[&arguments[..], format].concat(), b"");
            assert!(output.status.success(), "{}", error(&output));
            output
        };
        let one = score("1");
        assert!(one.stdout == score("2").stdout && one.stdout == score("5").stdout);
        if format.len() == 2 {
            let ids: Vec<Value> = lines(&one).iter().map(|line| line["id"].clone()).collect();
            assert_eq!(ids, (0..5_000).map(Value::from).collect::<Vec<_>>());
        }
    }
    // An error beyond the first ones: what stands before it is written, and nothing after it.
    let at = input.match_indices('\n').nth(4_499).unwrap().0;
    input.insert_str(at + 1, "{}\n");
    std::fs::write(&path, &input).unwrap();
    let output = codebleu(&["score", "--threads", "2", "--per-pair", "--json", file], b"");
    assert_eq!((output.status.code(), lines(&output).len()), (Some(1), 4_500));
    assert!(error(&output).contains(":4501: "), "{}", error(&output));
    std::fs::remove_file(path).unwrap();
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

#[test]
fn a_fix_mends_one_fault() {
    let pair = br#"{"lang": "java", "reference": "int f ( ) ;", "hypothesis": "int f();"}"#;
    let score = |arguments: &[&str]| {
        let output = codebleu(&[&["score", "--json"], arguments].concat(), pair);
        assert!(output.status.success(), "{}", error(&output));
        lines(&output).remove(0)
    };
    let plain = score(&["--variant", "k4black"]);
    let mended = score(&["--variant", "k4black", "--fix", "code-tokens,subtree-f1"]);
    assert!(plain["ngram_match_score"].as_f64() < Some(0.5));
    assert_eq!(mended["ngram_match_score"], 1.0);
    assert_eq!(mended["counts"]["fixes"], serde_json::json!(["subtree-f1", "code-tokens"]));
    let output = codebleu(&["score", "--variant", "paper", "--fix", "subtree-f1"], pair);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error(&output).contains("variant `paper` has nothing that fix `subtree-f1` could mend")
    );
    let output = codebleu(&["score", "--fix", "all"], pair);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("known: keyword-precision, subtree-f1"));
}

#[test]
fn explanations_name_nodes_and_dataflow_with_their_places() {
    let pair = br#"{"id": 7, "lang": "python", "reference": "a = 1\nb = a\n",
        "hypothesis": "a = 1\nb = 2\n"}"#;
    let pair = String::from_utf8_lossy(pair).replace('\n', " ");
    let explain = |variant: &str, json: &[&str]| {
        let arguments = [&["score", "--variant", variant, "--explain"], json].concat();
        let output = codebleu(&arguments, pair.as_bytes());
        assert!(output.status.success(), "{}", error(&output));
        output
    };
    let paper = lines(&explain("paper", &["--json"])).remove(0);
    assert_eq!((&paper["id"], &paper["counts"]["syntax"]["distance"]), (&7.into(), &1.into()));
    let difference = &paper["references"][0];
    let edits = difference["edits"].as_array().unwrap();
    let changed: Vec<&Value> = edits.iter().filter(|edit| edit["edit"] != "keep").collect();
    let expected = serde_json::json!([{
        "edit": "rename",
        "from": {"kind": "identifier", "start": 10, "end": 11, "line": 2, "column": 5},
        "to": {"kind": "integer", "start": 10, "end": 11, "line": 2, "column": 5},
    }]);
    assert_eq!(serde_json::json!(changed), expected);
    assert_eq!(difference["missing_dataflow"][0]["sources"][0]["name"], "a");
    let k4black = lines(&explain("k4black", &["--json"])).remove(0);
    let unmatched = k4black["references"][0]["unmatched_subtrees"].as_array().unwrap();
    let counts = &k4black["counts"]["syntax"];
    let matched = counts["total"].as_u64().unwrap() - counts["matched"].as_u64().unwrap();
    assert_eq!(unmatched.len() as u64, matched);
    let text = String::from_utf8(explain("fixed", &[]).stdout).unwrap();
    assert!(text.contains("    missing assignment 2:1 `b = a`\n"), "{text}");
    assert!(text.contains("    missing b computedFrom a\n"), "{text}");
}

/// What `python -m codebleu` of PyPI codebleu 0.7.0 printed for these files.
#[test]
fn the_arguments_of_the_python_program_print_what_it_prints() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("drop-in");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let refs = file("refs", "int f(int a){ return a; }\nint g() { return 1; }\n");
    let hyp = file("hyp", "int f(int b){ return b; }\r\nx\n");
    let run = |arguments: &[&str]| {
        let output = codebleu(arguments, b"");
        assert!(output.status.success(), "{}", error(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let parts = "ngram_match: 0.04066631609934308 weighted_ngram_match: 0.05466325569645469 \
                 syntax_match: 0.5714285714285714 dataflow_match: 1.0\n";
    let arguments = ["--refs", &refs, "--hyp", &hyp, "--lang", "java"];
    let expected = format!("{parts}CodeBLEU score:  0.4166895358060923\n");
    assert_eq!(run(&arguments), expected);
    let weighted = [&arguments[..], &["--params", "0.1,0.1,0.4,0.4"]].concat();
    assert_eq!(run(&weighted), format!("{parts}CodeBLEU score:  0.6381043857510084\n"));
    let nothing = file("nothing", "x\ny\n");
    let nothing_like_it = run(&["--refs", &refs, "--hyp", &nothing, "--lang", "java"]);
    assert!(
        nothing_like_it.starts_with("ngram_match: 0 weighted_ngram_match: 0 syntax_match: 0.0 ")
    );
    let several = ["--refs", &refs, &refs, "--hyp", &hyp, "--lang", "java"];
    assert!(run(&several).starts_with("ngram_match: 0.0406663"));
    let short = file("short", "x\n");
    let output = codebleu(&["--refs", &refs, "--hyp", &short, "--lang", "java"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("has 2 lines and"), "{}", error(&output));
}

#[test]
fn dataflow_is_a_graph_in_dot() {
    let output = codebleu(&["dataflow", "--lang", "python"], b"x = 1\ny = x\n");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("digraph {") && text.contains("computedFrom"), "{text}");
    let output = codebleu(&["dataflow", "--lang", "python", "no such file"], b"");
    assert!(error(&output).contains("cannot read no such file"));
}
