//! The report of a run, gathered from its files.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use distill::report::{Place, ReportData};
use distill::stages::{self, AnswersDone};
use distill::{Run, RunConfig};
use distill_core::{Answer, Mode, Problem, Pseudocode, Solution, Step, jsonl};

const CONFIG: &str = r#"
name = "desk"
threads = 1
[corpus]
split = { by = "shares", valid = 0.1, test = 0.4, seed = 1 }
[corpus.source]
kind = "controlled"
compositions = 30
[teacher]
kind = "corpus"
[training]
arms = ["distilled", "plain"]
[answers]
modes = ["direct", "chained"]
"#;

/// Of every three answers one is right, one is nearly right and one is nothing like it; `plain` is never
/// right.
fn answers(problems: &[Problem]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (arm, mode) in
        [("distilled", Mode::Direct), ("distilled", Mode::Chained), ("plain", Mode::Direct)]
    {
        for (at, problem) in problems.iter().enumerate() {
            let reference = problem.reference.clone().unwrap();
            let code = match at % 3 {
                0 if arm == "distilled" => reference,
                0 | 1 => format!("{reference}\nextra"),
                _ => "x".to_owned(),
            };
            let plan = Pseudocode::new([Step::new(0, "do it")]);
            let pseudocode = if mode == Mode::Chained { plan } else { Pseudocode::default() };
            answers.push(Answer {
                problem: problem.id.clone(),
                arm: arm.into(),
                mode,
                rank: 1,
                solution: Solution { pseudocode, code },
                log_probability: -1.0,
            });
        }
    }
    answers
}

#[test]
fn a_report_holds_what_the_runs_files_say() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let config = RunConfig::from_toml(CONFIG).unwrap();
    let run = Run::open(config, folder.path(), &(), stop).unwrap();
    stages::corpus(&run).unwrap();
    stages::teach(&run).unwrap();
    // Nothing is scored yet: the report says so.
    stages::report(&run).unwrap();
    assert!(fs::read_to_string(run.folder.report("md")).unwrap().contains("Nothing was scored."));

    let problems: Vec<Problem> = jsonl::read_all(&run.folder.problems("test")).unwrap();
    let all = answers(&problems);
    jsonl::write_all(&run.folder.answers(), &all).unwrap();
    let done = AnswersDone { problems: problems.len(), answers: all.len() };
    fs::write(run.folder.answers_done(), serde_json::to_string(&done).unwrap()).unwrap();
    stages::score(&run, None).unwrap();
    stages::report(&run).unwrap();
    let text = fs::read_to_string(run.folder.report("json")).unwrap();
    let data: ReportData = serde_json::from_str(&text).unwrap();

    // Every first answer is in the spread of its student.
    assert_eq!(data.spreads.len(), 3);
    for spread in &data.spreads {
        assert_eq!(spread.answers.len(), problems.len());
        assert!(spread.answers.iter().all(|a| a.reference_tokens > 3 && a.answer_tokens > 0));
    }
    // The best answer is right, the worst is the one that is nothing like its reference.
    let places: Vec<Place> = data.ranked.iter().map(|ranked| ranked.place).collect();
    assert_eq!(places, [Place::Best, Place::Median, Place::Worst].repeat(3));
    let (best, worst) = (&data.ranked[0].sample, &data.ranked[2].sample);
    assert_eq!((best.answers[0].exact, best.answers[0].cb), (Some(true), Some(100.0)));
    assert_eq!(best.answers[0].code, best.reference);
    assert_eq!(worst.answers[0].code, "x");
    // The test split has no lesson: the plan is what the verbaliser makes of the reference.
    assert_eq!(best.pseudocode_by, "the verbaliser");
    assert!(!best.pseudocode.is_empty());
    // Three languages, each with every student.
    let languages: BTreeSet<_> = data.results.languages.iter().map(|row| row.language).collect();
    assert_eq!((languages.len(), data.results.languages.len()), (3, 9));
    let of_languages: u64 = data.results.languages.iter().step_by(3).map(|row| row.problems).sum();
    assert_eq!(of_languages, problems.len() as u64);
    // A third of the problems is solved by one student alone, which is told from chance.
    let exact = data.results.differences.iter().find(|found| {
        (found.a.as_str(), found.b.as_str(), found.measure.as_str())
            == ("distilled (direct)", "plain (direct)", "Exact match")
    });
    let exact = exact.unwrap();
    assert!((exact.difference.unwrap() - 33.0).abs() < 3.0, "{exact:?}");
    assert_eq!(exact.verdict, "above");
    // The files are named with what they hold.
    let hash = |name: &str| {
        let bytes = fs::read(run.folder.root().join(name)).unwrap();
        (bytes.len() as u64, blake3::hash(&bytes).to_hex()[..16].to_owned())
    };
    assert!(data.files.iter().any(|file| file.name == "answers.jsonl"));
    for file in &data.files {
        assert_eq!((file.bytes, file.hash.clone()), hash(&file.name), "{}", file.name);
    }
    // The same files give the same report.
    let page = fs::read_to_string(run.folder.report("html")).unwrap();
    stages::report(&run).unwrap();
    assert_eq!(fs::read_to_string(run.folder.report("html")).unwrap(), page);
}
