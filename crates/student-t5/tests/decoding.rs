//! The same texts as transformers' `generate`, greedy and with five beams.

mod common;

use common::Fixture;
use student_core::decode::{DecodeOptions, Hypothesis, decode};

fn run(fixture: &Fixture, options: &DecodeOptions) -> Vec<Vec<Hypothesis>> {
    let (source, mask) = (fixture.tensor("input_ids"), fixture.tensor("attention_mask"));
    decode(&fixture.model, source, mask, options).unwrap()
}

fn options() -> DecodeOptions {
    DecodeOptions { end_tokens: vec![2], max_new: 32, ..DecodeOptions::default() }
}

/// Sequences of a fixture without the start token and the padding behind the end token.
fn sequences(value: &serde_json::Value) -> Vec<Vec<i64>> {
    let rows: Vec<Vec<i64>> = serde_json::from_value(value.clone()).unwrap();
    rows.into_iter()
        .map(|row| {
            let end = row.iter().position(|&token| token == 2).map_or(row.len(), |at| at + 1);
            row[1..end].to_vec()
        })
        .collect()
}

#[test]
fn greedy() {
    for fixture in Fixture::all() {
        let found: Vec<Vec<i64>> =
            run(&fixture, &options()).into_iter().map(|best| best[0].tokens.clone()).collect();
        assert_eq!(found, sequences(&fixture.facts["greedy"]), "{}", fixture.name);
    }
}

#[test]
fn five_beams() {
    let five = DecodeOptions { beams: 5, ..options() };
    let cases = [
        ("beam5_lp1.0", DecodeOptions { n_best: 5, ..five.clone() }),
        ("beam5_lp0.6", DecodeOptions { n_best: 5, length_penalty: 0.6, ..five.clone() }),
        ("beam5_min16", DecodeOptions { min_new: 16, ..five.clone() }),
        (
            "beam5_norepeat3_rp1.2",
            DecodeOptions { no_repeat_ngram: 3, repetition_penalty: 1.2, ..five },
        ),
    ];
    for fixture in Fixture::all() {
        for (name, options) in &cases {
            let facts = &fixture.facts[*name];
            let wanted = sequences(&facts["sequences"]);
            let scores: Vec<f64> = serde_json::from_value(facts["scores"].clone()).unwrap();
            let found: Vec<Hypothesis> = run(&fixture, options).into_iter().flatten().collect();
            assert_eq!(found.len(), wanted.len(), "{} {name}", fixture.name);
            for (place, hypothesis) in found.iter().enumerate() {
                let what = format!("{} {name} {place}", fixture.name);
                assert!((hypothesis.score - scores[place]).abs() <= 1e-4, "{what}");
                // Where two beams are closer than rounding, either order is right.
                let close = (0..wanted.len())
                    .filter(|&other| other / options.n_best == place / options.n_best)
                    .any(|other| {
                        (scores[other] - scores[place]).abs() <= 1e-4
                            && wanted[other] == hypothesis.tokens
                    });
                assert!(close, "{what}: {:?}, wanted {:?}", hypothesis.tokens, wanted[place]);
            }
        }
    }
}
