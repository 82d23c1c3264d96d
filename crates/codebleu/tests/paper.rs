//! The variant `paper`, by hand-computed values and by properties.
#![cfg(all(feature = "python", feature = "java", feature = "go"))]

use code_syntax::Language;
use codebleu::{Counts, Pair, Scorer, Variant};

const EXAMPLES: [(Language, &str, &str); 3] = [
    (
        Language::Python,
        "def total(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s\n",
        "def total(items):\n    return sum(items)\n",
    ),
    (
        Language::Java,
        "int total(int[] xs) {\n  int s = 0;\n  for (int x : xs) { s += x; }\n  return s;\n}\n",
        "int total(int[] xs) {\n  int s = 1;\n  return s;\n}\n",
    ),
    (
        Language::Go,
        "func total(xs []int) int {\n\ts := 0\n\tfor _, x := range xs {\n\t\ts += x\n\t}\n\treturn s\n}\n",
        "func total(xs []int) int {\n\treturn len(xs)\n}\n",
    ),
];

fn paper(language: Language) -> Scorer {
    Scorer::new(language, Variant::Paper).unwrap()
}

#[test]
fn identical_code_scores_one_in_every_part() {
    for (language, code, _) in EXAMPLES {
        let score = paper(language).score(&[code], code).unwrap().scores;
        assert!((score.codebleu - 1.0).abs() < 1e-12, "{language}: {score:?}");
        assert_eq!(score.dataflow_match_score, Some(1.0));
        assert_eq!(score.syntax_raw, Some(1.0));
    }
}

#[test]
fn renamed_variables_keep_syntax_and_dataflow() {
    let (language, code, _) = EXAMPLES[0];
    let renamed =
        code.replace("xs", "items").replace("s ", "acc ").replace("return s", "return acc");
    assert_ne!(code, renamed);
    let score = paper(language).score(&[code], &renamed).unwrap().scores;
    assert_eq!((score.syntax_match_score, score.dataflow_match_score), (1.0, Some(1.0)));
    assert!(score.ngram_match_score < 0.9);
}

#[test]
fn the_syntax_match_is_one_minus_the_relative_edit_distance() {
    // module, expression_statement, integer; and an assignment with two identifiers beside it.
    let score = paper(Language::Python).score(&["1"], "a = 1").unwrap();
    assert_eq!(score.counts.syntax.total, 5);
    assert_eq!(score.counts.syntax.distance, Some(2));
    assert_eq!(score.scores.syntax_match_score, 0.6);
}

#[test]
fn comments_do_not_count_in_the_trees() {
    for (language, code, _) in EXAMPLES {
        let comment = if language == Language::Python { "# why\n" } else { "// why\n" };
        let commented = format!("{comment}{code}");
        let score = paper(language).score(&[code], &commented).unwrap().scores;
        assert_eq!((score.syntax_match_score, score.dataflow_match_score), (1.0, Some(1.0)));
    }
}

#[test]
fn without_dataflow_the_other_parts_share_its_weight() {
    let score = paper(Language::Python).score(&["f()"], "g()").unwrap().scores;
    assert_eq!(score.dataflow_match_score, None);
    let mean =
        (score.ngram_match_score + score.weighted_ngram_match_score + score.syntax_match_score)
            / 3.0;
    assert!((score.codebleu - mean).abs() < 1e-12);
    let one_side = paper(Language::Python).score(&["a = 1\nb = a"], "f()").unwrap().scores;
    assert_eq!(one_side.dataflow_match_score, Some(0.0));
}

#[test]
fn keywords_weigh_five_times_as_much_and_are_divided_by_the_hypothesis() {
    let counts = paper(Language::Python).count(&["return a b"], "return x").unwrap();
    // `return` matches (5 fifths) of `return x` (6 fifths).
    assert_eq!((counts.keywords.matches[0], counts.keywords.totals[0]), (5, 6));
}

#[test]
fn of_several_references_the_best_counts() {
    for (language, code, other) in EXAMPLES {
        let score = paper(language).score(&[other, code], code).unwrap().scores;
        assert_eq!((score.syntax_match_score, score.dataflow_match_score), (1.0, Some(1.0)));
        assert!((score.codebleu - 1.0).abs() < 1e-12);
    }
}

#[test]
fn a_corpus_is_its_summed_counts_however_it_is_cut() {
    let (language, code, other) = EXAMPLES[0];
    let texts = [code, other, "x = 1\ny = x + 1\n", "", "def f(:\n", "print('a')"];
    let pairs: Vec<Pair> = texts
        .iter()
        .flat_map(|reference| {
            texts.iter().map(|hypothesis| Pair { references: vec![reference], hypothesis })
        })
        .collect();
    let scorer = paper(language);
    let whole = scorer.score_corpus(&pairs).unwrap();
    let mut sum = Counts::new(Variant::Paper);
    for shard in pairs.chunks(7).rev() {
        sum.merge(&scorer.score_corpus(shard).unwrap().counts).unwrap();
    }
    assert_eq!(sum, whole.counts);
    assert_eq!(sum.scores(scorer.weights()), whole.scores);
    let alone = scorer.score(&pairs[1].references, pairs[1].hypothesis).unwrap();
    assert_eq!(whole.pairs[1], alone);
    let json = serde_json::to_string(&whole.counts).unwrap();
    assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), whole.counts);
}
