//! Texts that nobody writes, and cost that must not explode.
#![cfg(all(feature = "python", feature = "java"))]

use code_syntax::Language;
use codebleu::{CodebleuError, Scorer, Variant, parse_weights};
use proptest::prelude::*;

fn languages() -> impl Iterator<Item = Language> {
    Language::ALL.into_iter().filter(|language| language.has_grammar())
}

fn score_all(language: Language, reference: &str, hypothesis: &str) {
    for variant in Variant::ALL.into_iter().filter(|variant| variant.knows(language)) {
        let scorer = Scorer::new(language, variant).unwrap();
        let scores = scorer.score(&[reference], hypothesis).unwrap().scores;
        let parts = [
            scores.codebleu,
            scores.ngram_match_score,
            scores.weighted_ngram_match_score,
            scores.syntax_match_score,
            scores.dataflow_match_score.unwrap_or(0.0),
        ];
        for part in parts {
            assert!((0.0..=1.0 + 1e-12).contains(&part), "{language} {variant}: {scores:?}");
        }
    }
}

#[test]
fn deep_brackets_and_odd_bytes_are_scored() {
    let deep = 10_000;
    for language in languages() {
        score_all(language, &"(".repeat(deep), &"{".repeat(deep));
        score_all(language, &format!("{}1{}", "(".repeat(deep), ")".repeat(deep)), "1");
        score_all(language, "\0a\0 = \u{1c}\u{feff}", "<?php \0 /* ' \"");
        score_all(language, "", " \n\t");
    }
}

#[test]
fn nested_loops_cost_polynomial_time() {
    let depth = 30;
    let mut python = String::new();
    let mut java = String::from("class A { void f(int x) {\n");
    for level in 0..depth {
        let indent = "    ".repeat(level);
        python += &format!("{indent}for i{level} in range(x):\n{indent}    x = x + i{level}\n");
        java += &format!("for (int i{level} = 0; i{level} < x; i{level}++) {{ x += i{level};\n");
    }
    java += &"}".repeat(depth + 2);
    // Each level would double the time: 2^30 walks would never end.
    score_all(Language::Python, &python, &python);
    score_all(Language::Java, &java, &java);
}

#[test]
fn a_sum_of_thousands_of_terms_is_scored() {
    let terms: Vec<String> = (0..3200).map(|term| format!("a{term}")).collect();
    let sum = format!("x = {}", terms.join(" + "));
    score_all(Language::Python, &sum, &sum);
}

fn fragments() -> impl Strategy<Value = String> {
    let words = [
        "for", "if", "else", "(", ")", "{", "}", "[", "]", "x", "y", "=", "+=", ";", ":", "\n",
        "    ", "\t", "'", "\"", "\\", "\\\n", "//", "/*", "*/", "#", "é", "😀", "<?php ", "$x",
        "in", "while", "def f", "return", ",", "++", "not in", "\r\n", "`", "\"\"\"", "foreach",
        "as", "=>", "do", "end", "var", "let", "func", "1", ".",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40)
        .prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scores_of_broken_code_are_between_0_and_1(a in fragments(), b in fragments()) {
        for language in languages() {
            score_all(language, &a, &b);
        }
    }

    #[test]
    fn identical_texts_have_equal_trees_and_dataflow(text in fragments()) {
        for language in languages() {
            let scorer = Scorer::new(language, Variant::Paper).unwrap();
            let scores = scorer.score(&[&text], &text).unwrap().scores;
            prop_assert_eq!(scores.syntax_match_score, 1.0);
            prop_assert!(scores.dataflow_match_score.is_none_or(|score| score == 1.0));
        }
    }
}

#[test]
fn weights_are_four_numbers_that_weigh_something() {
    assert_eq!(parse_weights("0.1, 0.1,0.4 ,4e-1").unwrap(), [0.1, 0.1, 0.4, 0.4]);
    assert_eq!(parse_weights("0,0,2,0").unwrap(), [0.0, 0.0, 2.0, 0.0]);
    for text in ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1;2;3;4", "1,,2,3"] {
        let error = parse_weights(text).unwrap_err();
        assert!(matches!(error, CodebleuError::WeightsText { .. }), "{text}");
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
    for text in ["-1,1,1,1", "nan,1,1,1", "inf,1,1,1", "0,0,0,0"] {
        assert!(matches!(parse_weights(text).unwrap_err(), CodebleuError::Weights(_)), "{text}");
    }
}
