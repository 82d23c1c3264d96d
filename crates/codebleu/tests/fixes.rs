//! The variant `fixed`: each fix changes the score of the pair that shows its fault, and alone.
#![cfg(all(
    feature = "python",
    feature = "java",
    feature = "go",
    feature = "javascript",
    feature = "php"
))]

use code_syntax::Language;
use codebleu::{CodebleuError, Counts, Fix, Fixes, Scorer, Scores, Variant};

fn scores(
    language: Language,
    variant: Variant,
    fixes: &[Fix],
    references: &[&str],
    hypothesis: &str,
) -> Scores {
    let scorer = Scorer::new(language, variant).unwrap();
    let scorer = scorer.with_fixes(Fixes::of(fixes)).unwrap();
    scorer.score(references, hypothesis).unwrap().scores
}

/// The scores of `k4black` without and with one fix.
fn beside(fix: Fix, language: Language, references: &[&str], hypothesis: &str) -> [Scores; 2] {
    [&[][..], &[fix]].map(|fixes| scores(language, Variant::K4black, fixes, references, hypothesis))
}

const FUNCTION: &str = "def f(a, b):\n    c = a + b\n    return c\n";

#[test]
fn keyword_precision_makes_superfluous_words_cost() {
    let longer = format!("{FUNCTION}\ndef g(x):\n    y = x * x\n    return y\n");
    let [before, after] = beside(Fix::KeywordPrecision, Language::Python, &[FUNCTION], &longer);
    assert_eq!(before.weighted_ngram_match_score, 1.0);
    assert!(after.weighted_ngram_match_score < 0.7, "{after:?}");
    assert_eq!(before.ngram_match_score, after.ngram_match_score);
    assert_eq!(before.syntax_match_score, after.syntax_match_score);
}

#[test]
fn subtree_f1_matches_each_subtree_once() {
    let two = "f(a)\nf(b)\nf(c)\nf(d)\n";
    let [before, after] = beside(Fix::SubtreeF1, Language::Python, &[two], "f(a)\ng(b, c)\n");
    // Four calls, each a statement, a call and its arguments, below the module.
    assert_eq!(before.syntax_match_score, 12.0 / 13.0);
    // One call is matched, of 13 subtrees on one side and 7 on the other.
    assert_eq!(after.syntax_match_score, 2.0 * 3.0 / (13.0 + 7.0));
    let [_, equal] = beside(Fix::SubtreeF1, Language::Python, &[two], two);
    assert_eq!(equal.syntax_match_score, 1.0);
}

#[test]
fn undefined_dataflow_counts_neither_for_nor_against() {
    let fix = Fix::UndefinedDataflow;
    // Nothing is alike, and nothing of it is code.
    let [before, after] = beside(fix, Language::Python, &[FUNCTION], "");
    assert_eq!((before.codebleu, after.codebleu), (0.25, 0.0));
    // A reference without dataflow: the other three parts share its weight.
    let [before, after] = beside(fix, Language::Python, &["f(1)"], "f(1)");
    assert_eq!((before.dataflow_match_score, after.dataflow_match_score), (Some(0.0), None));
    let three = after.ngram_match_score + after.weighted_ngram_match_score + 1.0;
    assert!((after.codebleu - three / 3.0).abs() < 1e-15);
    assert!((before.codebleu - (three + 1.0) / 4.0).abs() < 1e-15);
}

#[test]
fn the_best_reference_makes_one_of_two_a_full_match() {
    let other =
        "def f(*numbers):\n    for n in numbers:\n        total = n * total\n    return total\n";
    let fix = Fix::BestReference;
    let [before, after] = beside(fix, Language::Python, &[other, FUNCTION], FUNCTION);
    assert_eq!(after.weighted_ngram_match_score, 1.0);
    assert_eq!((after.syntax_match_score, after.dataflow_match_score), (1.0, Some(1.0)));
    assert!(before.weighted_ngram_match_score < 1.0);
    assert!(before.syntax_match_score < 1.0 && before.dataflow_match_score < Some(1.0));
}

#[test]
fn first_seen_order_makes_names_indifferent() {
    let text = |names: [&str; 3]| {
        let [a, b, c] = names;
        format!(
            "def f({a}, {b}, {c}):\n    if {a}:\n        s = {b}\n        s = {c}\n    \
                 for i in {a}:\n        s = s + {b} * {c} + {a}\n    return s\n"
        )
    };
    let names = ["alpha", "beta", "gamma", "delta", "x", "y", "z", "item", "key", "value"];
    let hypotheses = names.windows(3).map(|three| text([three[0], three[1], three[2]]));
    let scores: Vec<[Scores; 2]> = hypotheses
        .map(|text_| {
            beside(Fix::FirstSeenOrder, Language::Python, &[&text(["a", "b", "c"])], &text_)
        })
        .collect();
    assert!(scores.iter().all(|[_, after]| after.dataflow_match_score == Some(1.0)));
    assert!(scores.iter().any(|[before, _]| before.dataflow_match_score < Some(1.0)));
}

#[test]
fn code_tokens_do_not_depend_on_blanks() {
    let spaced = "int f ( int a ) { return g ( a , 1 ) ; }";
    let dense = "int f(int a) { return g(a,1); }";
    let [before, after] = beside(Fix::CodeTokens, Language::Java, &[spaced], dense);
    assert!(before.ngram_match_score < 0.3);
    assert_eq!(after.ngram_match_score, 1.0);
    assert_eq!(after.weighted_ngram_match_score, 1.0);
    // Every character outside blanks and comments is in a token, strings and broken code too.
    let code = "x = f\"a {b!r} \\n c\" + 'd e' # no\n\"\"\"doc\"\"\"\ny = $ 1 (\n";
    let fixes = [Fix::CodeTokens, Fix::TreeComments];
    let scorer = Scorer::new(Language::Python, Variant::K4black).unwrap();
    let scorer = scorer.with_fixes(Fixes::of(&fixes)).unwrap();
    let spread = "x = f\" a { b !r } \\n c \" + ' d e ' y = $ 1 (";
    let length = scorer.count(&[code], code).unwrap().ngrams.hypothesis_length;
    assert_eq!(length as usize, spread.split(' ').count());
}

#[test]
fn php_needs_no_tag() {
    let (reference, other) = ("$a = 1; $b = $a + 2; return $b;", "foreach ($x as $y) { echo $y; }");
    let [before, after] = beside(Fix::PhpTag, Language::Php, &[reference], other);
    assert_eq!(before.syntax_match_score, 1.0);
    assert!(after.syntax_match_score < 0.5, "{after:?}");
    let tagged = format!("<?php {reference}");
    let [_, equal] = beside(Fix::PhpTag, Language::Php, &[&tagged], reference);
    assert_eq!((equal.syntax_match_score, equal.dataflow_match_score), (1.0, Some(1.0)));
}

#[test]
fn overlooked_assignments_are_dataflow() {
    let fix = Fix::MissedAssignments;
    let (reference, hypothesis) = ("x = 1; y = x;", "x = 1; y = 2;");
    let [before, after] = beside(fix, Language::JavaScript, &[reference], hypothesis);
    let [_, equal] = beside(fix, Language::JavaScript, &[reference], reference);
    assert_eq!(equal.dataflow_match_score, Some(1.0));
    assert_ne!(before.dataflow_match_score, after.dataflow_match_score);
    assert!(after.dataflow_match_score < Some(1.0));
    let (reference, hypothesis) = ("func f(a int) {\n\tb := a\n}", "func f(a int) {\n\tb := 1\n}");
    let [before, after] = beside(fix, Language::Go, &[reference], hypothesis);
    assert_ne!(before.dataflow_match_score, after.dataflow_match_score);
}

#[test]
fn tree_comments_do_not_damage_code() {
    // Taken apart and put together by columns, the tabs of the second line are one blank.
    let tabs = "def f(a):\n\tx = a\n\ty = x\n\treturn y\n";
    let blanks = tabs.replace('\t', "    ");
    let [before, after] = beside(Fix::TreeComments, Language::Python, &[&blanks], tabs);
    assert!(before.syntax_match_score < 1.0);
    assert_eq!((after.syntax_match_score, after.dataflow_match_score), (1.0, Some(1.0)));
    let commented = "def f(a):\n    \"\"\"What.\"\"\"\n    x = a # why\n    y = x\n    return y\n";
    let [_, after] = beside(Fix::TreeComments, Language::Python, &[&blanks], commented);
    assert_eq!((after.syntax_match_score, after.dataflow_match_score), (1.0, Some(1.0)));
    let (raw, other) = ("func f() {\n\ta := `//`; b := a\n}", "func f() {\n\ta := `//`; g(1)\n}");
    let [before, after] = beside(Fix::TreeComments, Language::Go, &[raw], other);
    assert_eq!(before.syntax_match_score, 1.0);
    assert!(after.syntax_match_score < 1.0);
}

#[test]
fn node_text_is_not_displaced_outside_ascii() {
    let reference = "def f(a, b):\n    ä = a; c = ä; d = c + a\n";
    let renamed = "def f(a, b):\n    u = a; c = u; d = c + a\n";
    let [before, after] = beside(Fix::NodeText, Language::Python, &[reference], renamed);
    assert!(before.dataflow_match_score < Some(1.0));
    assert_eq!(after.dataflow_match_score, Some(1.0));
}

#[test]
fn partial_dataflow_survives_a_rule_that_does_not_fit() {
    // The rule for loops wants two plain variables.
    let code = "<?php function f($a) { $b = $a; foreach ($a->xs as $x) { $b = $x; } return $b; }";
    let [before, after] = beside(Fix::PartialDataflow, Language::Php, &[code], code);
    assert_eq!(before.dataflow_match_score, Some(0.0));
    assert_eq!(after.dataflow_match_score, Some(1.0));
}

#[test]
fn fixed_is_k4black_with_every_fix() {
    let pairs = [
        (Language::Python, FUNCTION, "def f(a):\n    # no\n    return a\n"),
        (Language::Java, "int f(int a) { int b = a; return b; }", "int f(){return 1;}"),
        (Language::Php, "$a = 1; $b = $a;", "$a = 1;"),
        (Language::JavaScript, "x = 1; y = x;", "let y = 2;"),
        (Language::Go, "func f() {\n\ta := 1\n}", ""),
    ];
    for (language, reference, hypothesis) in pairs {
        let fixed = scores(language, Variant::Fixed, &[], &[reference], hypothesis);
        let mended = scores(language, Variant::K4black, &Fix::ALL, &[reference], hypothesis);
        assert_eq!(fixed, mended, "{language}");
        let equal = scores(language, Variant::Fixed, &[], &[hypothesis, reference], reference);
        assert_eq!(equal.codebleu, 1.0, "{language}: {equal:?}");
    }
}

#[test]
fn counts_say_which_fixes_they_were_taken_under() {
    let scorer = Scorer::new(Language::Python, Variant::K4black).unwrap();
    let fixes = Fixes::of(&[Fix::CodeTokens, Fix::SubtreeF1]);
    let mended = scorer.clone().with_fixes(fixes).unwrap().count(&[FUNCTION], FUNCTION).unwrap();
    let json = serde_json::to_value(mended).unwrap();
    assert_eq!(json["fixes"], serde_json::json!(["subtree-f1", "code-tokens"]));
    assert_eq!(serde_json::from_value::<Counts>(json).unwrap(), mended);
    let mut sum = scorer.count(&[FUNCTION], FUNCTION).unwrap();
    let error = sum.merge(&mended).unwrap_err().to_string();
    assert_eq!(
        error,
        "counts of variant `k4black` do not add up with counts of variant `k4black` + subtree-f1 + \
         code-tokens"
    );
    for fix in Fix::ALL {
        assert_eq!(fix.name().parse(), Ok(fix));
    }
}

#[test]
fn paper_takes_what_it_has_not_yet() {
    let scorer = Scorer::new(Language::Java, Variant::Paper).unwrap();
    let error = scorer.clone().with_fixes(Fixes::of(&[Fix::SubtreeF1]));
    assert!(matches!(error, Err(CodebleuError::Fix { fix: Fix::SubtreeF1, .. })));
    let (spaced, dense) = ("int f ( ) { return 1 ; }", "int f() { return 1; }");
    let with = scorer.clone().with_fixes(Fixes::of(&[Fix::CodeTokens, Fix::NodeText])).unwrap();
    assert_eq!(with.fixes(), Fixes::of(&[Fix::CodeTokens]));
    assert_eq!(with.score(&[spaced], dense).unwrap().scores.codebleu, 1.0);
    assert!(scorer.score(&[spaced], dense).unwrap().scores.codebleu < 1.0);
}
