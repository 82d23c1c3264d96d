//! Runs the examples, which Cargo builds together with this test, and looks at what they print.

use std::path::PathBuf;
use std::process::Command;

/// Standard output of an example of this package.
fn run(example: &str, arguments: &[&str]) -> String {
    // target/PROFILE/deps/examples-HASH → target/PROFILE/examples/NAME
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name("examples");
    path.push(example);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    let output = Command::new(&path)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{path:?}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn score_snippets_puts_same_before_renamed_before_wrong() {
    let output = run("score_snippets", &[]);
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
    let output = run("ask_teacher", &[]);
    assert!(output.contains("Reverse the order of the words"), "{output}");
    assert!(output.contains("Lesson reverse:\n1. Start with an empty result."), "{output}");
    assert!(output.contains("SyntaxError") && output.ends_with("1 lessons\n"), "{output}");
}

#[cfg(feature = "torch")]
#[test]
fn train_tiny_learns_its_lessons() {
    let output = run("train_tiny", &[]);
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

/// A small T5 in the Hugging Face layout.
#[cfg(feature = "torch")]
const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/student-t5/tests/fixtures/v10");

#[cfg(feature = "torch")]
#[test]
fn t5_generate_prints_sequences_scores_and_times() {
    let file = std::env::temp_dir().join(format!("t5-generate-{}.json", std::process::id()));
    std::fs::write(&file, "[[7, 9, 31, 2], [5, 2]]").unwrap();
    let ids = file.to_str().unwrap();
    let options = ["--beams", "3", "--n-best", "2", "--max-new", "6", "--repeat", "2"];
    let output = run("t5_generate", &[&[FOLDER, "--ids", ids], &options[..]].concat());
    std::fs::remove_file(&file).unwrap();
    let result: serde_json::Value = serde_json::from_str(&output).unwrap();
    let sequences: Vec<Vec<Vec<i64>>> =
        serde_json::from_value(result["sequences"].clone()).unwrap();
    let scores: Vec<Vec<f64>> = serde_json::from_value(result["scores"].clone()).unwrap();
    assert_eq!(sequences.len(), 2);
    for (sequences, scores) in sequences.iter().zip(&scores) {
        assert_eq!((sequences.len(), scores.len()), (2, 2));
        assert!(scores[0] >= scores[1] && scores[0] < 0.0, "{output}");
        for tokens in sequences {
            let end = tokens.iter().position(|&token| token == 2).map_or(6, |at| at + 1);
            assert_eq!(tokens.len(), end, "{output}");
        }
    }
    assert_eq!(result["seconds"].as_array().unwrap().len(), 2);
}

#[cfg(feature = "torch")]
#[test]
fn t5_train_step_prints_losses_that_fall() {
    let small = ["--batch", "4", "--source", "9", "--target", "7", "--steps", "6", "--lr", "1e-3"];
    let output = run("t5_train_step", &[&[FOLDER, "--threads", "1"], &small[..]].concat());
    let result: serde_json::Value = serde_json::from_str(&output).unwrap();
    let losses: Vec<f64> = serde_json::from_value(result["loss"].clone()).unwrap();
    assert_eq!(losses.len(), 6);
    assert!(losses[5] < losses[0], "{output}");
    assert_eq!(result["seconds"].as_array().unwrap().len(), 5);
    assert!(result["tokens_per_second"].as_f64().unwrap() > 0.0, "{output}");
    if cfg!(target_os = "linux") {
        assert!(result["peak_mb"].as_f64().unwrap() > 1.0, "{output}");
    }
}
