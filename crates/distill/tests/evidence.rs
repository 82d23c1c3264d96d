//! The commands that weigh results, as scripts call them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn distill(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_distill"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn errors(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn agreement_on_the_published_example() {
    // Krippendorff (2004), figure 11.3: four observers, twelve units.
    let table = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ];
    let mut csv = String::from("item,system,rater,criterion,score\n");
    for (rater, row) in table.iter().enumerate() {
        for (unit, score) in row.split(' ').enumerate() {
            csv += &format!("{unit},s,{rater},quality,{}\n", score.replace('.', ""));
        }
    }
    for arguments in [&["human", "agreement", "--json"][..], &["human", "agreement", "--json", "-"]]
    {
        let found = lines(&distill(arguments, &csv));
        assert_eq!(found.len(), 1);
        let rounded = |name: &str| (found[0][name].as_f64().unwrap() * 1000.0).round() / 1000.0;
        assert_eq!(
            (rounded("nominal"), rounded("ordinal"), rounded("interval")),
            (0.743, 0.815, 0.849)
        );
        assert_eq!(found[0]["criterion"], "quality");
        // The twelfth unit has one rating and tells nothing.
        assert_eq!((&found[0]["units"], &found[0]["raters"]), (&json!(11), &json!(4)));
        assert!(found[0]["interval_low"].as_f64() < found[0]["interval"].as_f64());
    }
    let bad = distill(&["human", "agreement", "--json"], "item,system\n");
    assert!(
        !bad.status.success() && errors(&bad).contains("no column `rater`"),
        "{}",
        errors(&bad)
    );
}

#[test]
fn a_study_goes_out_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let answers: String = (0..6)
        .flat_map(|item| ["one", "two"].map(|system| (item, system)))
        .map(|(item, system)| {
            let line = json!({"item": item, "system": system, "query": "q", "code": "return 1"});
            format!("{line}\n")
        })
        .collect();
    let (file, out) = (path(folder.path(), "answers.jsonl"), path(folder.path(), "study"));
    fs::write(&file, answers).unwrap();
    let export = ["human", "export", &file, "--out", &out, "--raters", "2"];
    assert_eq!(text(&distill(&export, "")), format!("2 sheets of 12 answers in {out}\n"));
    let again = distill(&export, "");
    assert_eq!(again.status.code(), Some(2));
    assert!(errors(&again).contains("key.jsonl is there already"));

    let key = path(folder.path(), "study/key.jsonl");
    let rows: Vec<Value> = fs::read_to_string(&key)
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(rows.len(), 24);
    let mut saved = vec![];
    for rater in ["1", "2"] {
        let mut sheet = String::from("row,correctness,completeness,fluency\n");
        for row in rows.iter().filter(|row| row["rater"] == rater) {
            let score = if row["system"] == "one" { 4 } else { 2 };
            sheet += &format!("{},{score},{score},\n", row["row"].as_str().unwrap());
        }
        saved.push(path(folder.path(), &format!("ratings-{rater}.csv")));
        fs::write(saved.last().unwrap(), sheet).unwrap();
    }
    let ratings = distill(&["human", "import", "--key", &key, &saved[0], &saved[1]], "");
    assert_eq!(text(&ratings).lines().count(), 1 + 2 * 12 * 2, "{}", errors(&ratings));
    let report = distill(&["human", "report", "--json", "--resamples", "100"], text(&ratings));
    let report = &lines(&report)[0];
    assert_eq!(report["tests"].as_array().unwrap().len(), 2);
    assert_eq!(report["tests"][0]["p"], 2.0 / 64.0);
    assert_eq!(report["agreement"][0]["interval"], 1.0);
    let markdown = distill(&["human", "report", "--resamples", "100"], text(&ratings));
    assert!(text(&markdown).contains("| one | 4.00 [4.00, 4.00] |"), "{}", text(&markdown));

    let file = path(folder.path(), "ratings.csv");
    fs::write(&file, &ratings.stdout).unwrap();
    let scores = path(folder.path(), "scores.jsonl");
    let score = |item: usize, system: &str| {
        let id = json!({"item": item.to_string(), "system": system});
        format!(
            "{}\n",
            json!({"id": id, "good": system == "one", "codebleu": f64::from(u8::from(system == "one"))})
        )
    };
    let all: String =
        (0..6).flat_map(|item| ["one", "two"].map(|system| score(item, system))).collect();
    fs::write(&scores, all).unwrap();
    let named = format!("paper={scores}");
    let found =
        lines(&distill(&["human", "correlate", &file, &named, "--json", "--resamples", "100"], ""));
    assert_eq!(
        (&found[0]["metric"], &found[0]["kendall"]),
        (&json!("paper codebleu"), &json!(1.0))
    );
    assert_eq!(found[0]["n"], 12);
}

#[cfg(target_os = "linux")]
#[test]
fn candidates_are_run_in_order_with_three_fields_a_line() {
    let record = |id: Value, completion: &str| {
        json!({"id": id, "language": "python", "prompt": "def f(x):\n", "completion": completion,
               "test": "def check(candidate):\n    assert candidate(2) == 4\n", "entry_point": "f"})
    };
    let input = [
        record(json!("slow"), "    while True: pass"),
        record(json!(2), "    return x * 2"),
        record(json!("wrong"), "    return x"),
        record(json!("gone"), "    import os\n    os.abort()"),
        json!({"id": "elsewhere", "language": "cobol", "completion": "", "test": "x"}),
    ];
    let text: String = input.iter().map(|line| format!("{line}\n")).collect();
    let output = distill(&["passk", "--json", "--timeout", "2", "--jobs", "2"], &text);
    let found = lines(&output);
    let outcomes: Vec<&str> = found.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["timeout", "passed", "failed", "crashed", "refused"],
        "{}",
        errors(&output)
    );
    for (line, record) in found.iter().zip(&input) {
        assert_eq!(line["id"], record["id"]);
        assert_eq!(line.as_object().unwrap().len(), 3);
        assert!(line["seconds"].is_number());
    }
    assert!(output.status.success() && errors(&output).contains("1 candidates were refused"));

    let bad = distill(&["passk", "--json", "--reasons"], &format!("{{]\n{}\n", input[1]));
    assert!(!bad.status.success());
    let found = lines(&bad);
    assert_eq!((&found[0]["outcome"], &found[0]["id"]), (&json!("refused"), &Value::Null));
    assert_eq!((&found[1]["outcome"], &found[1]["reason"]), (&json!("passed"), &json!("")));
    assert!(errors(&bad).contains("1 lines are no such record"), "{}", errors(&bad));
    assert_eq!(distill(&["passk"], "").status.code(), Some(2));
}

#[test]
fn pass_at_k_from_outcomes() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "outcomes.jsonl");
    let outcome = |id: usize, outcome: &str| {
        format!("{}\n", json!({"id": id, "outcome": outcome, "seconds": 1}))
    };
    let mut all = String::new();
    for problem in 0..10 {
        for sample in 0..4 {
            all += &outcome(problem, if sample < problem % 3 { "passed" } else { "timeout" });
        }
    }
    all += &outcome(0, "refused");
    fs::write(&file, all).unwrap();
    let found = lines(&distill(&["passk", "report", &file, "--k", "1,2,5", "--json"], ""));
    // 4 problems with none, 3 with one, 3 with two of four.
    assert!((found[0]["pass"].as_f64().unwrap() - (3.0 * 0.25 + 3.0 * 0.5) / 10.0).abs() < 1e-12);
    assert!(
        (found[1]["pass"].as_f64().unwrap() - (3.0 * 0.5 + 3.0 * 5.0 / 6.0) / 10.0).abs() < 1e-12
    );
    assert_eq!((&found[2]["pass"], &found[2]["too_few"]), (&Value::Null, &json!(10)));
    assert_eq!((&found[0]["refused"], &found[0]["answers"]), (&json!(1), &json!(40)));
    assert!(found[0]["low"].as_f64() < found[0]["pass"].as_f64());
}

#[test]
fn logs_of_analysers_are_read_with_and_without_candidates() {
    let folder = tempfile::tempdir().unwrap();
    let log = path(folder.path(), "log.sarif");
    let rule = json!({"id": "no-eval", "properties": {"tags": ["CWE-95: Eval Injection"]}});
    let result = json!({"ruleId": "no-eval", "level": "error", "message": {"text": "eval"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "files/python/000001.py"},
                                            "region": {"startLine": 2}}}]});
    let sarif = json!({"version": "2.1.0", "runs": [{
        "tool": {"driver": {"name": "Semgrep OSS", "rules": [rule]}}, "results": [result]}]});
    fs::write(&log, sarif.to_string()).unwrap();
    let found = lines(&distill(&["security", "--sarif", &log, "--json"], ""));
    assert_eq!(found[0]["analysed"], true);
    assert_eq!((&found[0]["count"], &found[0]["by_cwe"]["CWE-95"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&found[0]["by_severity"]["high"], &found[0]["by_rule"]["no-eval"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(found[0]["findings"][0]["line"], 2);

    let candidates = path(folder.path(), "candidates.jsonl");
    let lines_of =
        ["eval(x)", "def f(:"].map(|code| ("a", code)).into_iter().chain([("b", "x = 1")]);
    let all: String = lines_of
        .enumerate()
        .map(|(id, (student, code))| {
            format!(
                "{}\n",
                json!({"id": id, "language": "python", "code": code, "student": student})
            )
        })
        .collect();
    fs::write(&candidates, all).unwrap();
    let files = path(folder.path(), "files");
    let scanned = ["security", &candidates, "--out", &files, "--sarif", &log];
    let found = lines(&distill(&[&scanned[..], &["--json"]].concat(), ""));
    let a = &found[0]["students"][0];
    assert_eq!(
        (&a["candidates"], &a["parses"], &a["with_findings"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let report = distill(&scanned, "");
    assert!(text(&report).contains("2 candidates, 50.0 % parse"), "{}", text(&report));
    let unread = ["security", &candidates, "--out", &files];
    let found = lines(&distill(&[&unread[..], &["--json"]].concat(), ""));
    assert_eq!(
        (&found[0]["analysed"], &found[0]["files"], &found[0]["parses"], &found[0]["count"]),
        (&json!(false), &json!(3), &json!(2), &Value::Null)
    );
    assert!(text(&distill(&unread, "")).contains("no analyser has read the candidates"));
    let missing = distill(
        &["security", &candidates, "--out", &files, "--rules", &log, "--semgrep", "no-such"],
        "",
    );
    assert_eq!(missing.status.code(), Some(2));
    assert!(errors(&missing).contains("no-such does not start"));
}

#[test]
fn an_error_names_the_file_and_says_its_cause_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(folder.path(), "nothing.jsonl.gz");
    let output = distill(&["tables", &path], "");
    assert!(!output.status.success());
    let told = errors(&output);
    assert!(told.starts_with("error: ") && told.contains(&path), "{told}");
    assert_eq!(told.matches("os error 2").count(), 1, "{told}");
}
