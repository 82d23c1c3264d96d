//! Runs the examples, which Cargo builds together with this test, and looks at what they print.

use std::path::PathBuf;
use std::process::Command;

/// Standard output of an example of this package.
fn run(example: &str) -> String {
    // target/PROFILE/deps/examples-HASH → target/PROFILE/examples/NAME
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name("examples");
    path.push(example);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    let output = Command::new(&path).output().unwrap_or_else(|error| panic!("{path:?}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn score_snippets_puts_same_before_renamed_before_wrong() {
    let output = run("score_snippets");
    let codebleu: Vec<f64> = output
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().last().unwrap().parse().unwrap())
        .collect();
    assert_eq!(codebleu[0], 1.0, "{output}");
    assert!(codebleu[0] > codebleu[1] && codebleu[1] > codebleu[2], "{output}");
}

#[test]
fn ask_teacher_keeps_the_good_lesson_and_names_what_is_wrong_with_the_other() {
    let output = run("ask_teacher");
    assert!(output.contains("Reverse the order of the words"), "{output}");
    assert!(output.contains("Lesson reverse:\n1. Start with an empty result."), "{output}");
    assert!(output.contains("SyntaxError") && output.ends_with("1 lessons\n"), "{output}");
}

#[cfg(feature = "torch")]
#[test]
fn train_tiny_learns_its_lessons() {
    let output = run("train_tiny");
    let losses: Vec<f64> = output
        .lines()
        .next()
        .unwrap()
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(losses[1] < losses[0] / 4.0, "{output}");
    assert!(output.contains("1. define function times_"), "{output}");
    assert!(output.contains("def times_"), "{output}");
}
