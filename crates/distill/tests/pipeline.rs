//! The command on a small corpus: whole runs, killed runs, wrong configurations, a chat server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
#[cfg(feature = "torch")]
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder with a documented source tree and a configuration that a test can afford.
struct Site {
    folder: tempfile::TempDir,
}

const VERBS: [&str; 10] =
    ["add", "join", "count", "merge", "find", "sort", "split", "trim", "mark", "send"];
const THINGS: [&str; 3] = ["prices", "words", "records"];

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        for (at, verb) in VERBS.iter().enumerate() {
            let mut text = String::new();
            for (offset, thing) in THINGS.iter().enumerate() {
                let number = at * 3 + offset;
                text += &format!(
                    "def {verb}_{thing}({thing}, limit):\n    \"\"\"{verb} the {thing} below a \
                     limit and give number {number} back.\"\"\"\n    result = {number}\n    for item \
                     in {thing}:\n        if item < limit:\n            result += item * {number}\n    \
                     return result\n\n\n",
                );
            }
            fs::write(tree.join(format!("{verb}.py")), text).unwrap();
        }
        let config = format!(
            "seed = 3\nthreads = 1\n[corpus.source]\nkind = \"tree\"\nroot = {:?}\nlanguages = \
             [\"python\"]\n[corpus.dedup]\nexact = true\n[student]\nvocabulary = 400\nmax_source = \
             192\nmax_target = 48\n[training]\nsteps = 8\nbatch = 4\nwarmup = 2\nevaluate_every = \
             4\ncheckpoint_every = 2\n[answers]\nbeams = 2\n",
            tree
        );
        fs::write(folder.path().join("small.toml"), config).unwrap();
        Site { folder }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_distill"));
        command.current_dir(self.folder.path()).args(arguments);
        command.env_remove("OPENAI_API_KEY").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with this exit code, and gives its message.
    fn bad(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        errors
    }
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn stages_refuse_to_run_out_of_order_and_name_what_is_missing() {
    let site = Site::new();
    let message = site.bad(&["teach", "small.toml"], 2);
    assert!(message.contains("corpus.json") && message.contains("distill mine"), "{message}");
    let message = site.bad(&["score", "small.toml"], 2);
    assert!(message.contains("answers.json"), "{message}");
    let message = site.bad(&["import", "small.toml"], 2);
    assert!(message.contains("distill mine"), "{message}");
}

#[test]
fn a_run_folder_refuses_another_configuration_and_names_the_difference() {
    let site = Site::new();
    site.good(&["mine", "small.toml"]);
    let message = site.bad(&["mine", "small.toml", "--seed", "4"], 2);
    assert!(message.contains("seed: 3 there, 4 here"), "{message}");
    // What no stage has used yet may still change.
    site.good(&[
        "mine",
        "small.toml",
        "--teacher",
        "openai",
        "--base-url",
        "http://x",
        "--model",
        "m",
    ]);
    site.good(&["mine", "small.toml"]);
    // The folder itself names the run as well as its configuration does.
    site.good(&["teach", "runs/small"]);
}

#[test]
fn a_missing_tree_an_empty_corpus_and_a_misspelt_setting_are_errors() {
    let site = Site::new();
    let config = fs::read_to_string(site.path("small.toml")).unwrap();
    let with = |name: &str, from: &str, to: &str| {
        assert!(config.contains(from));
        fs::write(site.path(name), config.replace(from, to)).unwrap();
    };
    with("lost.toml", "/tree\"", "/no-such-tree\"");
    assert!(site.bad(&["mine", "lost.toml"], 1).contains("no-such-tree"));
    fs::create_dir(site.path("empty")).unwrap();
    with("empty.toml", "/tree\"", "/empty\"");
    let message = site.bad(&["mine", "empty.toml"], 1);
    assert!(message.contains("empty") || message.contains("no problem"), "{message}");
    with("misspelt.toml", "vocabulary", "vocabulaire");
    assert!(site.bad(&["mine", "misspelt.toml"], 2).contains("vocabulaire"));
    with("language.toml", "\"python\"", "\"cobol\"");
    assert!(site.bad(&["mine", "language.toml"], 2).contains("cobol"));
}

#[test]
fn a_run_folder_that_cannot_be_written_is_named() {
    let site = Site::new();
    fs::write(site.path("runs"), "a file where the folder should be").unwrap();
    let message = site.bad(&["mine", "small.toml"], 1);
    assert!(message.contains("cannot make folder") && message.contains("small"), "{message}");
}

#[test]
fn bad_corpus_lines_are_counted_or_fatal() {
    let site = Site::new();
    let mut text = Vec::new();
    for number in 0..12 {
        let code = format!("def f{number}(a):\n    b = a + {number}\n    return b * b\n");
        let record = serde_json::json!({
            "language": "python", "docstring": format!("Square the sum of a and {number}."), "code": code,
        });
        text.extend_from_slice(record.to_string().as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"not json\n{\"language\":\"python\",\"code\":\"x\"}\n\xff\xfe\n");
    fs::write(site.path("corpus.jsonl"), text).unwrap();
    let config = "[corpus.source]\nkind = \"code_search_net\"\nfiles = [\"corpus.jsonl\"]\n";
    fs::write(site.path("import.toml"), config).unwrap();
    site.good(&["import", "import.toml"]);
    let corpus = fs::read_to_string(site.path("runs/import/corpus.json")).unwrap();
    for line in ["corpus.jsonl:13", "corpus.jsonl:14", "corpus.jsonl:15"] {
        assert!(corpus.contains(line), "{corpus}");
    }
    let message = site.bad(&["import", "import.toml", "--name", "strict", "--strict"], 1);
    assert!(message.contains("corpus.jsonl:13"), "{message}");
}

/// A chat server that answers every request with the same plan and counts them.
fn serve(requests: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let handle = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for stream in listener.incoming().take(requests) {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            let mut block = [0; 4096];
            let text = loop {
                let count = stream.read(&mut block).unwrap();
                bytes.extend_from_slice(&block[..count]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse().ok())?
                });
                if body.len() >= length.unwrap_or(0) {
                    break text;
                }
            };
            seen.push(text);
            let content =
                "Pseudocode:\n1. start with a number\n2. add what is below the limit\n3. return it";
            let body = serde_json::json!({
                "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 7},
            })
            .to_string();
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json";
            write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
        seen
    });
    (address, handle)
}

#[test]
fn a_chat_server_teaches_and_its_key_stays_secret() {
    let site = Site::new();
    site.good(&["mine", "small.toml"]);
    let (address, server) = serve(4);
    let key = "sk-very-secret-0123456789";
    let output = site
        .command(&["teach", "small.toml", "--teacher", "openai", "--model", "m", "--limit", "4"])
        .args(["--base-url", &address, "--api-key-env", "TEACHER_KEY"])
        .env("TEACHER_KEY", key)
        .env("DISTILL_LOG", "trace")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = server.join().unwrap();
    assert!(seen.iter().all(|request| request.contains(key)), "sent where it belongs");
    let lessons = records(&site.path("runs/small/lessons.jsonl"));
    assert_eq!(lessons.len(), 4);
    assert_eq!(lessons[0]["pseudocode"].as_array().unwrap().len(), 3);
    let teach: Value =
        serde_json::from_str(&fs::read_to_string(site.path("runs/small/teach.json")).unwrap())
            .unwrap();
    assert_eq!(teach["usage"]["completion_tokens"], 28);
    for entry in fs::read_dir(site.path("runs/small")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert!(!fs::read_to_string(&path).unwrap().contains(key), "{path:?}");
        }
    }
    assert!(!String::from_utf8_lossy(&output.stderr).contains(key));
    // The server is gone: what is logged is not asked for again.
    fs::remove_file(site.path("runs/small/teach.json")).unwrap();
    site.good(&["teach", "runs/small"]);
    assert_eq!(records(&site.path("runs/small/lessons.jsonl")), lessons);
}

#[test]
fn a_language_without_verbaliser_asks_for_a_model() {
    let site = Site::new();
    let record = |n: usize| {
        serde_json::json!({
            "language": "ruby", "docstring": format!("Adds the number {n} to the argument."),
            "code": format!("def f{n}(a)\n  b = a + {n}\n  b * b\nend"),
        })
    };
    let text: String = (0..12).map(|n| format!("{}\n", record(n))).collect();
    fs::write(site.path("ruby.jsonl"), text).unwrap();
    let config = "[corpus.source]\nkind = \"code_search_net\"\nfiles = [\"ruby.jsonl\"]\n";
    fs::write(site.path("ruby.toml"), config).unwrap();
    site.good(&["import", "ruby.toml"]);
    // No corpus can be imported in a language without rules: make one of this.
    for side in ["train", "valid", "test"] {
        let path = site.path(&format!("runs/ruby/problems.{side}.jsonl"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"ruby\"", "\"rust\"")).unwrap();
    }
    let message = site.bad(&["teach", "ruby.toml"], 2);
    assert!(message.contains("Rust") && message.contains("--teacher openai"), "{message}");
}

#[test]
fn parse_and_verbalise_are_line_filters() {
    let site = Site::new();
    let line =
        serde_json::json!({"id": 7, "language": "python", "code": "def f(x):\n    return x\n"});
    fs::write(site.path("in.jsonl"), format!("{line}\n")).unwrap();
    let said: Value =
        serde_json::from_str(&site.good(&["verbalise", "--json", "in.jsonl"])).unwrap();
    assert_eq!((said["id"].as_i64(), said["pseudocode"].as_array().unwrap().len()), (Some(7), 2));
    let line = serde_json::json!({"id": 8, "language": "python", "text": "1. stop\n```python\nexit()\n```"});
    fs::write(site.path("reply.jsonl"), format!("{line}\n")).unwrap();
    let parsed: Value =
        serde_json::from_str(&site.good(&["parse", "--json", "reply.jsonl"])).unwrap();
    assert_eq!(parsed["code"].as_str().unwrap().trim(), "exit()");
    assert!(site.bad(&["parse", "reply.jsonl"], 2).contains("--json"));
}

/// What must be equal to the bit between two runs, times apart.
#[cfg(feature = "torch")]
fn results(run: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<String> = ["problems.train", "problems.valid", "problems.test", "lessons"]
        .iter()
        .chain(&["rejected", "answers", "scores"])
        .map(|name| format!("{name}.jsonl"))
        .collect();
    files.push("students/tokenizer.json".into());
    for arm in ["distilled", "plain"] {
        for name in ["model.safetensors", "config.json", "tokenizer.json", "training.json"] {
            files.push(format!("students/{arm}/{name}"));
        }
    }
    files
        .into_iter()
        .map(|name| {
            let bytes = fs::read(run.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, bytes)
        })
        .collect()
}

#[cfg(feature = "torch")]
fn without_times(path: &Path) -> Vec<Value> {
    let mut lines = records(path);
    for line in &mut lines {
        for field in ["seconds", "tokens_per_second", "memory_mb"] {
            line.as_object_mut().unwrap().remove(field);
        }
    }
    lines
}

#[cfg(feature = "torch")]
#[test]
fn a_killed_run_ends_as_an_uninterrupted_one() {
    let site = Site::new();
    site.good(&["run", "small.toml", "--name", "whole"]);
    let whole = site.path("runs/whole");

    // The report says who was compared, and every student beat its untrained self.
    let report = fs::read_to_string(whole.join("report.md")).unwrap();
    assert!(report.contains("distilled") && report.contains("plain"), "{report}");
    assert!(!report.contains("no better"), "{report}");
    assert!(fs::read_to_string(whole.join("report.html")).unwrap().ends_with("</html>\n"));

    // Killed as soon as each of these appears, and once more at a step of training.
    let marks = [
        "run.toml",
        "problems.valid.jsonl",
        "replies.jsonl",
        "teach.json",
        "students/distilled/training_state.json",
        "students/distilled/training_state.4.safetensors",
        "students/plain/metrics.jsonl",
        "answers.jsonl",
        "answers.json",
        "scores.jsonl",
    ];
    let killed = site.path("runs/killed");
    for mark in marks {
        let mut child = site
            .command(&["run", "small.toml", "--name", "killed", "--quiet"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        while !killed.join(mark).exists() && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{mark} did not appear");
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        child.wait().unwrap();
    }
    site.good(&["run", "small.toml", "--name", "killed"]);
    for ((name, one), (_, two)) in results(&whole).iter().zip(results(&killed)) {
        if name.ends_with("scores.jsonl") || one.len() < 2000 {
            assert_eq!(String::from_utf8_lossy(one), String::from_utf8_lossy(&two), "{name}");
        }
        assert!(*one == two, "{name} differs");
    }
    for arm in ["distilled", "plain"] {
        let log = format!("students/{arm}/metrics.jsonl");
        assert_eq!(without_times(&whole.join(&log)), without_times(&killed.join(&log)), "{log}");
    }
    // No reply was asked for twice.
    let keys = |run: &Path| {
        let mut keys: Vec<String> =
            records(&run.join("replies.jsonl")).iter().map(|r| r["key"].to_string()).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&whole), keys(&killed));

    // A finished run does nothing again.
    let before = fs::metadata(whole.join("answers.jsonl")).unwrap().modified().unwrap();
    site.good(&["run", "small.toml", "--name", "whole"]);
    assert_eq!(fs::metadata(whole.join("answers.jsonl")).unwrap().modified().unwrap(), before);

    // The student answers by itself.
    let student = whole.join("students/distilled");
    let answer = site.good(&[
        "ask",
        "--student",
        student.to_str().unwrap(),
        "--json",
        "add the prices below a limit",
    ]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["code"].is_string() && answer["pseudocode"].is_array(), "{answer}");
}

#[cfg(feature = "torch")]
#[test]
fn an_experiment_makes_every_cell_once_and_its_tables_follow_from_the_raw_scores() {
    let site = Site::new();
    let base =
        fs::read_to_string(site.path("small.toml")).unwrap().replace("steps = 8", "steps = 2");
    let matrix = "[experiment]\nseeds = [1, 2]\n[[experiment.axes]]\nname = \"arm\"\nvalues = [\n\
        { name = \"plain\", set = { training.arms = [\"plain\"] } },\n\
        { name = \"distilled\", set = { training.arms = [\"distilled\"] } },\n\
        { name = \"random_shuffle\", set = { training.arms = [\"random_shuffle\"] } },\n]\n";
    fs::write(site.path("matrix.toml"), base + matrix).unwrap();
    let listed = site.good(&["experiment", "matrix.toml", "--list"]);
    assert_eq!(listed.lines().count(), 6);
    let arguments = ["experiment", "matrix.toml", "--resamples", "200", "-q"];
    // One cell alone, then the rest: what is there is taken over.
    site.good(&[&arguments[..], &["--only", "distilled.seed2"]].concat());
    let folder = site.path("runs/matrix");
    let time = |cell: &str| {
        fs::metadata(folder.join(cell).join("scores.jsonl")).unwrap().modified().unwrap()
    };
    let before = time("distilled.seed2");
    site.good(&arguments);
    assert_eq!(time("distilled.seed2"), before);
    let tables = fs::read_to_string(folder.join("tables.md")).unwrap();
    for row in ["| distilled | chained |", "| plain | direct |", "| random_shuffle | direct |"] {
        assert!(tables.contains(row), "{row} in {tables}");
    }
    assert!(tables.contains("| distilled direct | plain direct | exact |"), "{tables}");
    assert!(tables.contains("| plain.seed1 |"), "what training took: {tables}");
    // Cells with one seed start alike and learn from one set of lessons, spoilt or not.
    let lessons = |cell: &str| fs::read(folder.join(cell).join("lessons.jsonl")).unwrap();
    assert_eq!(lessons("plain.seed1"), lessons("random_shuffle.seed2"));
    let raw = "runs/matrix/results.jsonl.gz";
    site.good(&["tables", raw, "--resamples", "200", "--check"]);
    let message = site.bad(&["tables", raw, "--resamples", "300", "--check"], 2);
    assert!(message.contains("tables.md:3: the raw scores give another table"), "{message}");
    fs::remove_file(folder.join("tables.md")).unwrap();
    site.good(&["tables", raw, "--resamples", "200"]);
    assert_eq!(fs::read_to_string(folder.join("tables.md")).unwrap(), tables);
    // Another machine needs the raw scores alone not to make a cell again.
    site.good(&[&arguments[..], &["--runs", "other", "--only", "plain.seed1"]].concat());
    let (part, whole) = ("other/matrix/results.jsonl.gz", site.path("third/matrix"));
    let listed = [&arguments[..], &["--runs", "third", "--have", part, "--have", raw]].concat();
    site.good(&listed);
    assert!(!whole.join("plain.seed1").exists());
    let results = |folder: &Path| fs::read(folder.join("results.jsonl.gz")).unwrap();
    assert_eq!(results(&whole), results(&folder));
    let costs = records(&whole.join("costs.jsonl"));
    assert_eq!(costs.iter().filter(|cost| cost["cell"] == "plain.seed1").count(), 1);
    // The flat records are what `compare` reads.
    let only = ["--only-a", "arm=distilled", "--only-a", "mode=direct", "--only-b", "arm=plain"];
    let compared =
        site.good(&[&["compare", raw, raw, "--json", "--metric", "cb"], &only[..]].concat());
    assert!(compared.contains("\"seeds\":2"), "{compared}");
    let message = site.bad(&["run", "matrix.toml"], 2);
    assert!(message.contains("experiment"), "{message}");
}

#[test]
fn tests_of_the_problems_are_run_on_the_best_answers_where_asked_for() {
    let site = Site::new();
    let config = "threads = 1\n[corpus.source]\nkind = \"controlled\"\ncompositions = 24\nlanguages = \
                  [\"python\"]\n[teacher]\nkind = \"corpus\"\n[answers]\nrun_tests = 1\n";
    fs::write(site.path("tested.toml"), config).unwrap();
    site.good(&["mine", "tested.toml"]);
    let folder = site.path("runs/tested");
    let problems = records(&folder.join("problems.test.jsonl"));
    assert!(problems.iter().all(|problem| problem["language"] == "python") && problems.len() > 1);
    let mut answers = String::new();
    let mut count = 0;
    for (at, problem) in problems.iter().enumerate() {
        // Right for the first problem, then wrong in turn in one of three ways.
        let best = match at % 4 {
            0 => problem["reference"].as_str().unwrap(),
            1 => "def solve(a):\n    return None",
            2 => "def solve(a:",
            _ => "import os\nos._exit(0)",
        };
        for (rank, code) in [(1, best), (2, problem["reference"].as_str().unwrap())] {
            let answer = serde_json::json!({"problem": problem["id"], "arm": "plain", "mode": "direct",
                "rank": rank, "pseudocode": [], "code": code, "log_probability": -1.0});
            answers += &format!("{answer}\n");
            count += 1;
        }
    }
    fs::write(folder.join("answers.jsonl"), answers).unwrap();
    let done = format!("{{\"problems\": {}, \"answers\": {count}}}", problems.len());
    fs::write(folder.join("answers.json"), done).unwrap();
    let output = site.run(&["score", "tested.toml"]);
    if String::from_utf8_lossy(&output.stderr).contains("cannot be shut in") {
        eprintln!("skipped: there is no sandbox here");
        return;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let scores = records(&folder.join("scores.jsonl"));
    assert_eq!(scores.len(), count);
    for (at, pair) in scores.chunks(2).enumerate() {
        assert_eq!(pair[0]["tested"], Value::Bool(at % 4 == 0), "{}", pair[0]);
        assert!(pair[1].get("tested").is_none(), "{}", pair[1]);
    }
}
