//! The teach stage on a logged teacher: filters, samples, shards, merging, estimates, data sets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use distill::config::TeacherKind;
use distill::{LessonsOptions, Run, RunConfig, RunFolder, stages, write_lessons};
use distill_core::{Language, Lesson, Problem, jsonl};
use serde_json::{Value, json};
use teacher_prompt::{Ablation, LoggedReply, Rejected, Verdict, request_key};

/// A folder with a corpus of these functions, each a problem of its own.
struct Desk {
    folder: tempfile::TempDir,
    codes: Vec<String>,
    /// A program started for one test holds, for a moment, the locks that another's runs hold.
    _alone: MutexGuard<'static, ()>,
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Functions that are not alike.
const CODES: [&str; 5] = [
    "def first(values):\n    for value in values:\n        return value\n    return None",
    "def total(prices):\n    result = 0\n    for price in prices:\n        result += price\n    return result",
    "def read(path):\n    with open(path) as file:\n        text = file.read()\n    return text.strip()",
    "def greet(name):\n    if not name:\n        raise ValueError(name)\n    return 'hello ' + name",
    "def keys(table):\n    found = []\n    while table:\n        found.append(table.popitem()[0])\n    return sorted(found)",
];

impl Desk {
    fn new(codes: &[&str]) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let records = codes.iter().enumerate().map(|(at, code)| {
            json!({"id": format!("p{at}"), "language": "python", "code": code, "test": "true",
                   "query": format!("Do what is wanted in case number {at}.")})
        });
        jsonl::write_all(&folder.path().join("corpus.jsonl"), records).unwrap();
        Desk { folder, codes, _alone: alone() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, teacher: &str) -> RunConfig {
        let corpus = self.path("corpus.jsonl");
        let text = format!(
            "name = \"desk\"\n[corpus]\ndedup = {{ exact = false, near = 1.0 }}\n\
             split = {{ by = \"shares\", valid = 0.0, test = 0.0, seed = 1 }}\n\
             [corpus.source]\nkind = \"jsonl\"\nfiles = [{corpus:?}]\n\
             [corpus.source.fields]\nid = \"id\"\n\
             [teacher]\nkind = \"replay\"\nmodel = \"m\"\n{teacher}\n"
        );
        RunConfig::from_toml(&text).unwrap()
    }

    /// Does `work` on the run of this configuration, its corpus made.
    fn run<T>(&self, config: &RunConfig, work: impl FnOnce(&Run<'_>) -> T) -> T {
        let stop = Arc::new(AtomicBool::new(false));
        let run = Run::open(config.clone(), self.folder.path(), &(), stop).unwrap();
        stages::corpus(&run).unwrap();
        work(&run)
    }

    fn run_folder(&self) -> RunFolder {
        RunFolder::new(self.path("desk"))
    }

    /// Logs, as if the teacher had said it, `plan(problem, sample)` for every problem.
    fn log(
        &self,
        config: &RunConfig,
        file: &str,
        plan: impl Fn(usize, u32) -> Option<String>,
    ) -> PathBuf {
        let prompts = config.teacher.prompts(config.seed).unwrap();
        let mut replies = Vec::new();
        for at in 0..self.codes.len() {
            let query = format!("Do what is wanted in case number {at}.");
            let mut problem = Problem::new(format!("p{at}"), Language::Python, query);
            problem.reference = Some(self.codes[at].clone());
            for sample in 0..config.teacher.samples {
                let Some(text) = plan(at, sample) else { continue };
                let request = prompts.sample(&problem, sample).unwrap();
                replies.push(json!({
                    "key": request_key(&request), "problem": problem.id, "model": "m",
                    "text": text, "finish_reason": "stop", "seconds": 0.5,
                    "usage": {"prompt_tokens": 100, "completion_tokens": 10},
                }));
            }
        }
        let path = self.path(file);
        jsonl::write_all(&path, replies).unwrap();
        path
    }

    fn lessons(&self) -> BTreeMap<String, Lesson> {
        let lessons: Vec<Lesson> = jsonl::read_all(&self.run_folder().lessons()).unwrap();
        lessons.into_iter().map(|lesson| (lesson.id.clone(), lesson)).collect()
    }

    fn rejected(&self) -> BTreeMap<String, Verdict> {
        let rejected: Vec<Rejected> = jsonl::read_all(&self.run_folder().rejected()).unwrap();
        rejected.into_iter().map(|record| (record.id, record.reason)).collect()
    }
}

fn plan(at: usize, _: u32) -> Option<String> {
    Some(format!("Pseudocode:\n1. begin case {at}\n2. return it"))
}

#[test]
fn lessons_are_sieved_and_every_rejection_has_its_reason() {
    let copy = CODES[1].replace("result = 0", "result = 0.0");
    let desk = Desk::new(&[CODES[0], CODES[1], &copy, CODES[2], CODES[3], CODES[4]]);
    let held_out = desk.path("test.jsonl");
    jsonl::write_all(&held_out, [json!({"solution": CODES[2], "number": 1})]).unwrap();
    let config = desk.config(&format!(
        "price = {{ prompt = 10.0, completion = 1000.0 }}\n\
         [teacher.filter]\nmin_steps = 2\n\
         [teacher.sieve]\nnear_duplicates = 0.5\nshingle = 3\nheld_out = {{ files = [{held_out:?}] }}"
    ));
    let log = desk.log(&config, "log.jsonl", |at, _| match at {
        4 => None,
        5 => Some("1. only one".into()),
        _ => plan(at, 0),
    });
    let config = RunConfig {
        teacher: distill::config::TeacherConfig { replies: vec![log], ..config.teacher },
        ..config
    };
    desk.run(&config, stages::teach).unwrap();
    let lessons = desk.lessons();
    assert_eq!(lessons.keys().collect::<Vec<_>>(), ["p0", "p1"]);
    let expected = [
        ("p2", Verdict::NearDuplicate),
        ("p3", Verdict::Contaminated),
        ("p4", Verdict::NotLogged),
        ("p5", Verdict::TooFewSteps),
    ];
    assert_eq!(desk.rejected(), expected.map(|(id, reason)| (id.to_owned(), reason)).into());
    let lesson = &lessons["p1"];
    assert_eq!(lesson.solution.code, CODES[1]);
    assert_eq!(lesson.extra["template_name"], "backward.jinja 2");
    assert_eq!(lesson.extra["temperature"], 0.0);
    let done: Value =
        serde_json::from_str(&fs::read_to_string(desk.run_folder().teach_statistics()).unwrap())
            .unwrap();
    assert_eq!((&done["asked"], &done["lessons"]), (&json!(6), &json!(2)));
    let cost = done["cost"].as_f64().unwrap();
    assert!((cost - 5.0 * (100.0 * 10.0 + 10.0 * 1000.0) / 1e6).abs() < 1e-9, "{cost}");
    assert!(!desk.run_folder().taught(0).exists());
}

#[test]
fn of_several_samples_the_best_stays_and_what_fails_its_tests_never_does() {
    let desk = Desk::new(&CODES);
    let mut config = desk.config(
        "samples = 3\n[teacher.tests.languages.python]\n\
         command = [\"grep\", \"-q\", \"return\", \"main.py\"]\nfile = \"main.py\"",
    );
    let log = desk.log(&config, "log.jsonl", |at, sample| {
        let text = ["1. open the file", "1. add up the values", "1. add up all values"];
        (at != 4).then(|| text[sample as usize].to_owned())
    });
    config.teacher.replies = vec![log];
    desk.run(&config, stages::teach).unwrap();
    let lessons = desk.lessons();
    assert_eq!(lessons.len(), 4);
    let lesson = &lessons["p0"];
    assert_eq!(lesson.solution.pseudocode.to_string(), "1. add up the values");
    assert_eq!((&lesson.extra["samples"], &lesson.extra["tests"]), (&json!(3), &json!("passed")));

    // The same replies with tests that no code passes.
    config.name = "failing".into();
    config.teacher.tests.as_mut().unwrap().languages.get_mut(&Language::Python).unwrap().command =
        vec!["false".into()];
    let error = desk.run(&config, stages::teach).unwrap_err().to_string();
    assert!(error.contains("4 tests_failed") && error.contains("1 not_logged"), "{error}");
}

#[test]
fn shards_ask_about_every_problem_once_and_merge_into_one_run() {
    let desk = Desk::new(&CODES);
    let mut config = desk.config("");
    let mut ids = Vec::new();
    let mut folders = Vec::new();
    for index in 1..=2 {
        let mut shard = config.clone();
        shard.name = format!("desk.shard-{index}-of-2");
        shard.teacher.shard = Some(format!("{index}/2").parse().unwrap());
        shard.teacher.replies = vec![desk.log(&config, "log.jsonl", plan)];
        desk.run(&shard, stages::teach).unwrap();
        let folder = RunFolder::new(desk.path(&shard.name));
        let lessons: Vec<Lesson> = jsonl::read_all(&folder.lessons()).unwrap();
        ids.extend(lessons.into_iter().map(|lesson| lesson.id));
        // Only what the shard itself asked for.
        let own: Vec<LoggedReply> = jsonl::read_all(&folder.replies()).unwrap();
        let own = own.into_iter().filter(|reply| ids.contains(&reply.problem));
        jsonl::write_all(&folder.replies(), own.collect::<Vec<_>>()).unwrap();
        folders.push(folder.root().to_owned());
    }
    ids.sort();
    assert_eq!(ids, ["p0", "p1", "p2", "p3", "p4"]);
    config.teacher.replies.clear();
    let merged = desk.run(&config, |run| stages::merge(run, &folders)).unwrap();
    assert!(merged.added == 5 && merged.damaged == 0, "{merged:?}");
    desk.run(&config, stages::teach).unwrap();
    assert_eq!(desk.lessons().len(), 5);
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let desk = Desk::new(&CODES);
    let mut config = desk.config("price = { prompt = 1.0, completion = 2.0 }\nlimit = 4");
    config.teacher.replies =
        vec![desk.log(&config, "log.jsonl", |at, _| plan(at, 0).filter(|_| at < 2))];
    let before = desk.run(&config, |run| {
        let estimate = stages::dry_run(run).unwrap();
        assert_eq!((estimate.problems, estimate.requests), (4, 4));
        assert!(estimate.logged <= 2 && estimate.logged >= 1, "{estimate:?}");
        let left = estimate.requests - estimate.logged;
        assert_eq!(estimate.most.completion_tokens, left * 1024);
        assert_eq!(estimate.mean_completion, Some(10.0));
        assert!(estimate.likely_cost().unwrap() < estimate.most_cost().unwrap());
        let example = estimate.example.unwrap();
        assert!(!["p0", "p1"].contains(&example.problem.id.as_str()), "the first to be asked");
        fs::read_dir(run.folder.root()).unwrap().count()
    });
    assert!(!desk.run_folder().replies().exists());
    assert_eq!(fs::read_dir(desk.run_folder().root()).unwrap().count(), before);
}

#[test]
fn settings_may_change_until_there_are_lessons_and_lessons_be_made_anew() {
    let desk = Desk::new(&CODES);
    let mut config = desk.config("limit = 2");
    let log = desk.log(&config, "log.jsonl", plan);
    config.teacher.replies = vec![log];
    desk.run(&config, |run| assert!(stages::dry_run(run).is_ok()));
    config.teacher.limit = Some(3);
    desk.run(&config, stages::teach).unwrap();
    assert_eq!(desk.lessons().len(), 3);

    config.teacher.limit = None;
    let stop = Arc::new(AtomicBool::new(false));
    let error = Run::open(config.clone(), desk.folder.path(), &(), stop).err().unwrap();
    assert!(error.to_string().contains("teacher.limit"), "{error}");
    stages::reopen_teaching(&desk.run_folder()).unwrap();
    desk.run(&config, stages::teach).unwrap();
    assert_eq!(desk.lessons().len(), 5);

    fs::create_dir(desk.run_folder().students()).unwrap();
    let error = stages::reopen_teaching(&desk.run_folder()).unwrap_err().to_string();
    assert!(error.contains("students"), "{error}");
}

#[test]
fn a_budget_counts_what_the_log_has_cost_and_stops_before_the_next_request() {
    let desk = Desk::new(&CODES);
    let mut config = desk.config("price = { prompt = 0.0, completion = 1000.0 }\nbudget = 1.0");
    config.teacher.replies =
        vec![desk.log(&config, "log.jsonl", |at, _| plan(at, 0).filter(|_| at < 4))];
    config.teacher.kind = TeacherKind::Openai;
    // Nobody is there: whoever is asked all the same gives another error.
    config.teacher.base_url = Some("http://127.0.0.1:9/v1".into());
    let error = desk.run(&config, stages::teach).unwrap_err().to_string();
    assert!(error.contains("budget") && error.contains("run again"), "{error}");
    // Four replies of ten tokens are paid for, and 1,024 more would cost 1.024.
    assert!(error.contains("0.0400 of the budget of 1.0000 is spent"), "{error}");
    let log: Vec<Value> = jsonl::read_all(&desk.run_folder().replies()).unwrap();
    assert_eq!(log.len(), 4);
}

fn rows(path: &Path) -> Vec<Value> {
    jsonl::read_all(path).unwrap()
}

#[test]
fn lessons_come_out_as_a_data_set() {
    let desk = Desk::new(&CODES);
    let mut config = desk.config("");
    config.corpus.split =
        Some(code_corpus::Split::Shares { valid: 0.2, test: 0.2, seed: config.seed });
    config.teacher.replies = vec![desk.log(&config, "log.jsonl", plan)];
    let out = desk.path("set");
    let options = LessonsOptions { replies: true, ..LessonsOptions::default() };
    let early = write_lessons(desk.run_folder().root(), &out, &options).unwrap_err().to_string();
    assert!(early.contains("distill teach"), "{early}");

    desk.run(&config, stages::teach).unwrap();
    let written = write_lessons(desk.run_folder().root(), &out, &options).unwrap();
    assert_eq!(written.values().sum::<u64>(), 5);
    let train = rows(&out.join("data/train.jsonl"));
    assert!(train[0]["reply_text"].as_str().unwrap().starts_with("Pseudocode:"));
    assert_eq!(train[0]["seconds"], 0.5);
    let test = rows(&out.join("data/test.jsonl"));
    assert_eq!((test.len(), &test[0]["pseudocode"]), (1, &json!([])));
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(card.contains("| teacher | m |") && card.contains("| lessons kept | 4 |"), "{card}");

    let spoilt = LessonsOptions { ablation: Some(Ablation::Replace), ..options };
    write_lessons(desk.run_folder().root(), &out, &spoilt).unwrap();
    let replaced = rows(&out.join("data/train.jsonl"));
    assert_eq!(replaced.len(), train.len());
    assert!(replaced.iter().zip(&train).all(|(new, old)| new["pseudocode"] != old["pseudocode"]));
    assert_eq!(replaced[0]["ablation"], "replace");
}

/// The logged replies of a real model still answer the prompts of today: a template that changes
/// without need, or a key that is computed otherwise, shows here.
#[test]
fn the_real_teacher_of_the_examples_replays() {
    let _alone = alone();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    let mut answered = 0;
    for name in ["stdlib-qwen", "stdlib-qwen-forward"] {
        for stage in ["import", "teach"] {
            let output = Command::new(env!("CARGO_BIN_EXE_distill"))
                .args([stage, &format!("examples/{name}.toml"), "--runs"])
                .arg(folder.path())
                .current_dir(&root)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let done = folder.path().join(name).join("teach.json");
        let done: Value = serde_json::from_str(&fs::read_to_string(done).unwrap()).unwrap();
        let asked = done["asked"].as_u64().unwrap();
        let kept = done["lessons"].as_u64().unwrap();
        let not_logged = done["rejected"]["not_logged"].as_u64().unwrap_or(0);
        assert!(2 * kept > asked - not_logged, "{name}: {done}");
        answered += asked - not_logged;
    }
    let log = root.join("examples/data/stdlib-qwen/replies.jsonl.gz");
    let lines = std::io::BufRead::lines(code_corpus::open(&log).unwrap()).count();
    assert_eq!(answered as usize, lines, "a logged reply that no prompt asks for");
}

#[test]
fn every_example_configuration_is_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml")
            && path.file_name().is_some_and(|name| name != "Cargo.toml")
        {
            RunConfig::read(&path).unwrap();
            count += 1;
        }
    }
    assert!(count >= 4);
}

#[test]
fn a_batch_goes_out_comes_in_and_makes_lessons() {
    let desk = Desk::new(&CODES);
    let mut config = desk.config("");
    let written =
        desk.run(&config, |run| stages::batch_requests(run, &desk.path("batch"))).unwrap();
    assert_eq!((written.files.len(), written.requests, written.logged), (1, 5, 0));
    let requests: Vec<Value> = jsonl::read_all(&written.files[0]).unwrap();
    let mut results: Vec<Value> = requests
        .iter()
        .map(|request| {
            let text = "Pseudocode:\n1. begin\n2. return it";
            let body =
                json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]});
            json!({"custom_id": request["custom_id"], "error": null,
                   "response": {"status_code": 200, "body": body}})
        })
        .rev()
        .collect();
    // One was not run in time.
    results[0]["response"] = Value::Null;
    results[0]["error"] = json!({"code": "batch_expired", "message": "late"});
    let file = desk.path("results.jsonl");
    jsonl::write_all(&file, results).unwrap();
    let counts = desk.run(&config, |run| stages::batch_results(run, &[file])).unwrap();
    assert_eq!((counts.replies, counts.answered), (4, 4));
    assert_eq!(counts.failed, [("batch_expired".to_owned(), 1)].into());
    // Only the one that failed is left to be asked for.
    let again = desk.run(&config, |run| stages::batch_requests(run, &desk.path("more"))).unwrap();
    assert_eq!((again.requests, again.logged), (1, 4));

    // Longer answers are wanted now: what is logged is offered, and not taken by itself.
    config.teacher.sampling = Some(distill_core::Sampling {
        max_tokens: Some(2048),
        temperature: Some(0.0),
        ..Default::default()
    });
    let estimate = desk.run(&config, stages::dry_run).unwrap();
    assert_eq!((estimate.requests, estimate.logged, estimate.reusable), (5, 0, 4));
    assert_eq!(estimate.differences, [("max_tokens: 1024 → 2048".to_owned(), 4)].into());
    config.teacher.sampling = None;
    desk.run(&config, stages::teach).unwrap();
    assert_eq!((desk.lessons().len(), desk.rejected().len()), (4, 1));
}
