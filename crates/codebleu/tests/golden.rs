//! The reference variants beside the reference programs: see `golden/README.md`.

use std::path::Path;

use code_syntax::Language;
use codebleu::bleu::{Bleu, BleuCounts, Smoothing};
use codebleu::text::python_split;
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
