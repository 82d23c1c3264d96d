//! The reference variants beside the reference programs: see `golden/README.md`.

use std::path::Path;

use code_syntax::Language;
use codebleu::bleu::{Bleu, BleuCounts, Smoothing};
use codebleu::text::{python_split, python_strip};
use codebleu::{Scorer, Variant};
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    id: String,
    lang: Language,
    reference: Option<String>,
    references: Option<Vec<String>>,
    hypothesis: String,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    codebleu: f64,
    ngram_match_score: f64,
    weighted_ngram_match_score: f64,
    syntax_match_score: f64,
    dataflow_match_score: f64,
}

fn compare(variant: Variant, file: &str, records: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for line in text.lines() {
        let record: Record = serde_json::from_str(line).unwrap();
        seen += 1;
        if !record.lang.has_grammar() {
            continue;
        }
        let references =
            record.references.unwrap_or_else(|| record.reference.into_iter().collect());
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let scorer = Scorer::new(record.lang, variant).unwrap();
        let scores = scorer.score(&references, &record.hypothesis).unwrap().scores;
        let parts = [
            ("codebleu", scores.codebleu, record.expected.codebleu),
            ("ngram", scores.ngram_match_score, record.expected.ngram_match_score),
            (
                "weighted",
                scores.weighted_ngram_match_score,
                record.expected.weighted_ngram_match_score,
            ),
            ("syntax", scores.syntax_match_score, record.expected.syntax_match_score),
            (
                "dataflow",
                scores.dataflow_match_score.unwrap_or(f64::NAN),
                record.expected.dataflow_match_score,
            ),
        ];
        for (part, score, expected) in parts {
            if (score - expected).abs() >= 1e-12 || score.is_nan() {
                wrong.push(format!("{} {part}: {score}, expected {expected}", record.id));
            }
        }
    }
    assert_eq!(seen, records);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn k4black_scores_as_pypi_codebleu() {
    compare(Variant::K4black, "golden-k4black.jsonl", 102);
}

#[test]
fn codexglue_scores_as_codexglue() {
    compare(Variant::Codexglue, "golden-codexglue.jsonl", 93);
}

#[test]
fn add_one_smoothing_gives_codexglues_published_bleu() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
    let (references, predictions) =
        (read("c-sharp-10.references.txt"), read("c-sharp-10.predictions.txt"));
    let mut counts = BleuCounts::default();
    for (reference, prediction) in references.lines().zip(predictions.lines()) {
        let words = |text| python_split(text).collect::<Vec<_>>();
        counts += BleuCounts::of(&[&words(reference)], &words(prediction));
    }
    let bleu = Bleu { smoothing: Smoothing::AddOne, effective_order: false };
    assert_eq!(format!("{:.2}", 100.0 * bleu.score(&counts)), "61.08");
    assert_eq!(format!("{:.6}", Bleu::default().score(&counts)), "0.607526");
}

/// BLEU with one added in every order, and the share of exact matches, as CodeXGLUE publishes them for
/// its example outputs.
#[test]
fn corpora_have_codexglues_published_bleu_and_exact_match() {
    let Some(folder) = std::env::var_os("CODEBLEU_METRICS_GOLDEN") else {
        eprintln!("SKIPPED: CODEBLEU_METRICS_GOLDEN names no folder with CodeXGLUE's outputs");
        return;
    };
    let read = |name: &str| {
        let path = Path::new(&folder).join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let lines = |name: &str| -> Vec<String> { read(name).lines().map(str::to_owned).collect() };
    let code = |line: &str| -> String {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let answers = read("concode-100.answers.json").lines().map(code).collect();
    let corpora = [
        ("java-cs-model1", lines("java-cs-model1.gold"), lines("java-cs-model1.output")),
        ("cs-java-model1", lines("cs-java-model1.gold"), lines("cs-java-model1.output")),
        ("refine-small", lines("refine-small.gold"), lines("refine-small.output")),
        ("concode-100", answers, lines("concode-100.predictions.txt")),
        (
            "code-to-code-trans-10",
            lines("code-to-code-trans-10.references.txt"),
            lines("code-to-code-trans-10.predictions.txt"),
        ),
        (
            "code-refinement-10",
            lines("code-refinement-10.references.txt"),
            lines("code-refinement-10.predictions.txt"),
        ),
    ];
    let expected: serde_json::Value = serde_json::from_str(&read("EXPECTED.json")).unwrap();
    for (name, references, predictions) in corpora {
        let published = &expected["metrics_golden"][name]["published"];
        assert_eq!(references.len(), predictions.len(), "{name}");
        let mut counts = BleuCounts::default();
        let mut exact = 0;
        for (reference, prediction) in references.iter().zip(&predictions) {
            let words = |text| python_split(text).collect::<Vec<_>>();
            exact += usize::from(python_strip(reference) == python_strip(prediction));
            counts += BleuCounts::of(&[&words(reference)], &words(prediction));
        }
        let bleu = Bleu { smoothing: Smoothing::AddOne, effective_order: false };
        let per_cent = |share: f64| (10_000.0 * share).round() / 100.0;
        assert_eq!(Some(per_cent(bleu.score(&counts))), published["BLEU"].as_f64(), "{name}");
        let exact = 100.0 * exact as f64 / references.len() as f64;
        let matches = published["Acc"].as_f64().or(published["EM"].as_f64()).unwrap();
        assert!((exact - matches).abs() < 0.051, "{name}: {exact}, published {matches}");
    }
}
