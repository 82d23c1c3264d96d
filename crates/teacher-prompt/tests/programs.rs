//! Programs that are started: a problem's own tests, and judges of samples.
//!
//! In a test binary of their own, because a child holds its parent's file locks until it has become
//! another program.

#![cfg(unix)]

use std::time::Duration;

use distill_core::{Language, Lesson, Problem, Pseudocode, Solution};
use teacher_prompt::{Runner, ScoreCommand, Tested, Tests, best_of};

fn run(command: &[&str], code: &str, limits: impl FnOnce(&mut Tests)) -> Tested {
    let mut tests = Tests::default();
    let runner = Runner {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        file: "main.sh".into(),
        program: "{code}\n{test} {entry_point} ${x}\n".into(),
    };
    tests.languages.insert(Language::Python, runner);
    limits(&mut tests);
    let mut problem = Problem::new("p", Language::Python, "q");
    problem.entry_point = Some("f".into());
    problem.extra.insert("test".into(), "true".into());
    tests.run(&problem, code).unwrap()
}

#[test]
fn the_exit_status_decides() {
    assert_eq!(run(&["sh", "main.sh"], "x=1", |_| ()), Tested::Passed);
    let Tested::Failed(reason) = run(&["sh", "main.sh"], "echo oh no >&2; exit 3", |_| ()) else {
        panic!("passed")
    };
    assert!(reason.contains('3') && reason.ends_with(": oh no"), "{reason}");
    let Tested::Failed(reason) = run(&["no-such-program"], "", |_| ()) else { panic!("passed") };
    assert!(reason.contains("not found"), "{reason}");
    assert_eq!(run(&["false"], "", |tests| tests.languages.clear()), Tested::Untested);
    assert_eq!(run(&["false"], "", |tests| tests.field = "none".into()), Tested::Untested);
}

#[test]
fn time_and_memory_are_limited_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let code = format!("(sleep 1; echo x > {}) & sleep 60", mark.display());
    let found = run(&["sh", "main.sh"], &code, |tests| tests.timeout_seconds = 0.2);
    assert_eq!(found, Tested::Failed("no end within 0.2 s".into()));
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!mark.exists(), "a child outlived its program");
    let greedy = "x=$(head -c 400000000 /dev/zero | tr '\\0' x); echo ${#x}";
    let found = run(&["sh", "main.sh"], greedy, |tests| tests.memory_mib = 64);
    assert!(matches!(found, Tested::Failed(_)), "{found:?}");
}

#[test]
fn programs_do_not_see_the_environment() {
    // Cargo sets this for every test.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let code = "test -z \"$CARGO_MANIFEST_DIR\" || exit 1";
    assert_eq!(run(&["sh", "main.sh"], code, |_| ()), Tested::Passed);
}

fn lesson(plan: &str) -> Lesson {
    Lesson {
        id: "p".into(),
        language: Language::Python,
        query: "q".into(),
        solution: Solution {
            pseudocode: Pseudocode::from_text(plan).unwrap(),
            code: "pass".into(),
        },
        teacher: String::new(),
        reply: String::new(),
        extra: Default::default(),
    }
}

#[test]
fn a_program_scores() {
    let shell = |script: &str| ScoreCommand::new(vec!["sh".into(), "-c".into(), script.into()]);
    let plans = ["1. a", "1. b", "1. c"];
    let chosen = |judge: &ScoreCommand| {
        let (at, _) = best_of(&plans.map(lesson), judge).unwrap()?;
        Some(plans[at].to_owned())
    };
    let judge = shell("cat > /dev/null; echo 0.5; echo 2; echo NaN");
    assert_eq!(chosen(&judge).as_deref(), Some("1. b"));
    assert_eq!(chosen(&shell("echo NaN; echo NaN; echo NaN")), None);
    let error = |script: &str| best_of(&plans.map(lesson), &shell(script)).unwrap_err().to_string();
    assert!(error("echo 1").contains("problem p: 1 scores for 3 lessons"));
    assert!(error("echo one").contains("a number expected"));
    assert!(error("exit 2").contains("exit status: 2"));
    let missing = ScoreCommand::new(vec!["no-such-program".into()]);
    assert!(best_of(&plans.map(lesson), &missing).is_err());
}
