//! `distill compare`, as scripts call it.

use std::path::Path;
use std::process::{Command, Output};

use code_syntax::Language;
use codebleu::{Pair, Scorer, Variant};
use serde_json::{Value, json};

fn write(folder: &Path, name: &str, lines: impl IntoIterator<Item = Value>) -> String {
    let path = folder.join(name);
    distill_core::jsonl::write_all(&path, lines).unwrap();
    path.to_str().unwrap().to_owned()
}

fn compare(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_distill"));
    command.arg("compare").args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn refused(arguments: &[&str], says: &str) {
    let output = compare(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(says), "{message}");
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty());
}

const REFERENCES: [&str; 3] = [
    "def f(a):\n    b = a + 1\n    return b\n",
    "def g(xs):\n    t = 0\n    for x in xs:\n        t += x\n    return t\n",
    "def h():\n    return 1\n",
];

/// Per-pair lines of answers to twelve problems.
fn scored(answers: &[&str], ids: impl Iterator<Item = usize>) -> Vec<Value> {
    let scorer = Scorer::new(Language::Python, Variant::Paper).unwrap();
    ids.map(|id| {
        let answer = answers[id % answers.len()];
        let score = scorer.score(&[REFERENCES[id % 3]], answer).unwrap();
        let mut line = serde_json::to_value(score).unwrap();
        line["id"] = json!(id);
        line["exact"] = json!(answer == REFERENCES[id % 3]);
        line
    })
    .collect()
}

#[test]
fn figures_of_codebleu_are_those_of_the_corpus_whatever_the_order_of_lines() {
    let folder = tempfile::tempdir().unwrap();
    let other = ["def f(a):\n    return a\n", "return", "def h():\n    return 2\n"];
    let a = write(folder.path(), "a.jsonl", scored(&REFERENCES, 0..12));
    let b = write(folder.path(), "b.jsonl", scored(&other, (0..12).rev()));
    let found = lines(&compare(&[&a, &b, "--json"]));
    let names: Vec<&str> = found.iter().map(|line| line["metric"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "codebleu",
            "ngram_match_score",
            "weighted_ngram_match_score",
            "syntax_match_score",
            "dataflow_match_score",
            "exact"
        ]
    );
    let scorer = Scorer::new(Language::Python, Variant::Paper).unwrap();
    let pairs: Vec<Pair> = (0..12)
        .map(|id| Pair { references: vec![REFERENCES[id % 3]], hypothesis: other[id % 3] })
        .collect();
    let corpus = scorer.score_corpus(&pairs).unwrap().scores;
    assert_eq!(found[0]["b"], corpus.codebleu);
    assert_eq!(found[1]["b"], corpus.ngram_match_score);
    let codebleu = &found[0];
    assert_eq!(
        (&codebleu["a"], &codebleu["n"], &codebleu["seeds"]),
        (&json!(1.0), &json!(12), &json!(1))
    );
    for line in &found {
        for field in ["a", "b", "difference", "low", "high", "p", "p_holm", "detectable"] {
            assert!(line[field].is_number(), "{field}: {line}");
        }
        assert!(line["low"].as_f64() <= line["difference"].as_f64());
        assert!(line["p"].as_f64() <= line["p_holm"].as_f64());
    }
    assert_eq!(codebleu["verdict"], "above");

    let back = lines(&compare(&[&b, &a, "--json"]));
    assert_eq!(back[0]["verdict"], "below");
    assert_eq!(back[0]["difference"].as_f64().unwrap(), -codebleu["difference"].as_f64().unwrap());
    assert_eq!(lines(&compare(&[&a, &b, "--json"])), found, "the same again");
    let table = String::from_utf8(compare(&[&a, &b]).stdout).unwrap();
    assert!(table.contains("A is above B") && table.contains("12 problems, one seed"), "{table}");
}

#[test]
fn named_fields_seeds_and_chosen_lines() {
    let folder = tempfile::tempdir().unwrap();
    let all = (0..3).flat_map(|seed| (0..20).map(move |id| (seed, id))).flat_map(|(seed, id)| {
        [("x", 0.5), ("y", 0.25)].map(|(arm, by)| {
            json!({"problem": format!("p{id}"), "seed": seed, "arm": arm, "rank": 1,
                   "right": id % 2 == 0, "score": by + f64::from(id % 4) / 10.0})
        })
    });
    let file = write(folder.path(), "scores.jsonl", all);
    let chosen = ["--only-a", "arm=x", "--only-b", "arm=y", "--json"];
    let found = lines(&compare(&[&[&file[..], &file], &chosen[..]].concat()));
    let names: Vec<&str> = found.iter().map(|line| line["metric"].as_str().unwrap()).collect();
    assert_eq!(names, ["right", "score"]);
    assert_eq!((&found[1]["seeds"], &found[1]["n"]), (&json!(3), &json!(20)));
    assert!((found[1]["difference"].as_f64().unwrap() - 0.25).abs() < 1e-12);
    assert_eq!(found[0]["p"], 1.0);
    let one = lines(&compare(&[&[&file[..], &file, "--metric", "score"], &chosen[..]].concat()));
    assert_eq!((one.len(), &one[0]["p_holm"]), (1, &one[0]["p"]));

    refused(&[&file, &file], "\"p0\" of seed 0 occurs a second time");
    refused(
        &[&[&file[..], &file, "--metric", "arm"], &chosen[..]].concat(),
        "\"arm\" is no number",
    );
    refused(&[&[&file[..], &file, "--metric", "none"], &chosen[..]].concat(), "no field \"none\"");
}

#[test]
fn ids_that_do_not_match_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let score = |id: Value| json!({"id": id, "score": 1});
    let a = write(folder.path(), "a.jsonl", [score(json!("one")), score(json!(2))]);
    let b = write(folder.path(), "b.jsonl", [score(json!(2)), score(json!("three"))]);
    refused(&[&a, &b, "--json"], "id \"one\" of ");
    let none = write(folder.path(), "none.jsonl", [json!({"score": 1})]);
    refused(&[&a, &none], "no `id` or `problem`");
    let empty = write(folder.path(), "empty.jsonl", []);
    refused(&[&a, &empty], "no line to compare");
    let torn = folder.path().join("torn.jsonl");
    std::fs::write(&torn, "{\"id\":1,\n").unwrap();
    let output = compare(&[&a, torn.to_str().unwrap()]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("torn.jsonl:1"));
    let seeds = [(1, "p"), (1, "q"), (2, "p")];
    let ragged = seeds.map(|(seed, id)| json!({"id": id, "seed": seed, "score": 1}));
    let ragged = write(folder.path(), "ragged.jsonl", ragged);
    refused(&[&ragged, &ragged], "id \"q\" is in one of the seeds 1 and 2 only");
}

#[test]
fn counts_of_other_variants_or_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let a = write(folder.path(), "a.jsonl", scored(&REFERENCES, 0..3));
    let scorer = Scorer::new(Language::Python, Variant::Fixed).unwrap();
    let fixed = scored(&REFERENCES, 0..3).into_iter().map(|mut line| {
        line["counts"] = json!(scorer.score(&["a = 1"], "a = 1").unwrap().counts);
        line["codebleu"] = Value::Null;
        line
    });
    let b = write(folder.path(), "b.jsonl", fixed);
    refused(&[&a, &b], "variant");
    refused(&[&a, &a, "--weights", "0.1,0.1,0.8"], "expected four numbers");
    refused(&[&a, &a, "--weights", "0,0,0,0"], "not all zero");
    let other = scored(&["return"], 0..3);
    let c = write(folder.path(), "c.jsonl", other);
    refused(&[&c, &c, "--weights", "0.1,0.1,0.1,0.7"], "name the weights");
}
