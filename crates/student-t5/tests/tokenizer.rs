//! Tokenizers: training, round trips, cutting, other people's files.

use std::fs;

use distill_core::Task;
use proptest::prelude::*;
use student_t5::{T5Config, T5Error, Tokenizer, Trigger};

const TEXTS: [&str; 5] = [
    "def add(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total\n",
    "def add(ys):\n    total = 0\n    for y in ys:\n        total += y\n    return total\n",
    "1. set total to 0\n2. for each x in xs:\n   2.1. add x to total\n3. return total",
    "public int add(int[] xs) {\n\tint total = 0;\n\treturn total;\n}",
    "Python: Add up a list of numbers. Python: Add up a list of totals.",
];

fn trained() -> Tokenizer {
    Tokenizer::train(TEXTS, 320).unwrap()
}

#[test]
fn training_is_deterministic_and_order_of_texts_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<Vec<u8>> = [TEXTS.to_vec(), TEXTS.into_iter().rev().collect(), TEXTS.to_vec()]
        .into_iter()
        .map(|texts| {
            let path = folder.path().join("tokenizer.json");
            Tokenizer::train(texts, 320).unwrap().save(&path).unwrap();
            fs::read(path).unwrap()
        })
        .collect();
    assert!(files[0] == files[1] && files[0] == files[2]);
}

#[test]
fn special_tokens_have_their_ids_and_never_come_from_text() {
    let tokenizer = trained();
    assert!(tokenizer.size() > Tokenizer::SMALLEST && tokenizer.size() <= 320);
    for (id, token) in Tokenizer::SPECIAL.into_iter().enumerate() {
        assert_eq!(tokenizer.id(token), Some(id as i64));
        let text = format!("a{token}b");
        let encoded = tokenizer.encode(&text, 100).unwrap();
        let (end, body) = encoded.ids.split_last().unwrap();
        assert_eq!(*end, 2);
        assert!(body.iter().all(|&id| id >= 7), "{token}: {body:?}");
        assert_eq!(tokenizer.decode(&encoded.ids).unwrap(), text);
    }
    let source = tokenizer.encode_source(Task::Code, "x", 100).unwrap();
    assert_eq!((source.ids[0], *source.ids.last().unwrap()), (6, 2));
    assert_eq!(tokenizer.encode_source(Task::Pseudocode, "x", 100).unwrap().ids[0], 5);
}

#[test]
fn a_text_prefix_can_stand_for_the_trigger() {
    let mut tokenizer = trained();
    let token = tokenizer.encode_source(Task::Code, "x", 100).unwrap().ids;
    tokenizer.set_trigger(Trigger::Prefix).unwrap();
    let words = tokenizer.encode_source(Task::Code, "x", 100).unwrap().ids;
    assert!(words.len() > token.len() && words.iter().all(|&id| id != 6));
    assert_eq!(tokenizer.decode(&words).unwrap(), "[code] x");
    let error = tokenizer.set_trigger(Trigger::Sentinel).unwrap_err().to_string();
    assert!(error.contains("<extra_id_0>"), "{error}");
    assert_eq!(tokenizer.trigger(), Trigger::Prefix);
}

#[test]
fn long_texts_are_cut_with_a_count() {
    let tokenizer = trained();
    let whole = tokenizer.encode(TEXTS[0], 1000).unwrap();
    assert_eq!(whole.cut, 0);
    let part = tokenizer.encode(TEXTS[0], 10).unwrap();
    assert_eq!((part.ids.len(), part.cut), (10, whole.ids.len() - 10));
    assert_eq!(part.ids[..9], whole.ids[..9]);
    assert_eq!(part.ids[9], 2);
    let source = tokenizer.encode_source(Task::Code, TEXTS[0], 10).unwrap();
    assert_eq!((source.ids.len(), source.cut), (10, part.cut + 1));
    let target = tokenizer.encode_target(TEXTS[0], 10).unwrap();
    assert_eq!(target.ids, whole.ids[..9]);
    assert_eq!(tokenizer.encode_target(TEXTS[0], 1000).unwrap(), whole);
    assert_eq!(tokenizer.encode("", 2).unwrap().ids, [2]);
    assert!(matches!(tokenizer.encode("x", 1), Err(T5Error::Setting { .. })));
    assert!(matches!(Tokenizer::train(TEXTS, 262), Err(T5Error::Setting { .. })));
}

#[test]
fn files_round_trip_and_damaged_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let tokenizer = trained();
    tokenizer.save(&path).unwrap();
    let again = Tokenizer::load(folder.path()).unwrap();
    for text in TEXTS {
        assert_eq!(tokenizer.encode(text, 500).unwrap(), again.encode(text, 500).unwrap());
        let source = again.encode_source(Task::Code, "a</s>[code]", 500).unwrap();
        assert_eq!(source, tokenizer.encode_source(Task::Code, "a</s>[code]", 500).unwrap());
    }
    let text = fs::read_to_string(&path).unwrap();
    for damaged in [&text[..text.len() / 2], "{}", "not json", ""] {
        fs::write(&path, damaged).unwrap();
        let error = Tokenizer::load(&path).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(Tokenizer::load(folder.path()), Err(T5Error::Io { .. })));
}

#[test]
fn a_tokenizer_larger_than_the_model_is_refused() {
    let tokenizer = trained();
    let config = |vocab_size: usize, eos_token_id: i64| T5Config {
        vocab_size: vocab_size as i64,
        eos_token_id,
        ..T5Config::default()
    };
    assert!(tokenizer.check_fits(&config(tokenizer.size(), 2)).is_ok());
    let error = tokenizer.check_fits(&config(tokenizer.size() - 1, 2)).unwrap_err().to_string();
    assert!(error.contains("the model only"), "{error}");
    let error = tokenizer.check_fits(&config(400, 1)).unwrap_err().to_string();
    assert!(error.contains("eos_token_id is 1"), "{error}");
}

#[test]
fn the_layout_of_codet5() {
    // A vocabulary in the published form: five special tokens, the bytes that appear, merges.
    let folder = tempfile::tempdir().unwrap();
    let tokens = ["<pad>", "<s>", "</s>", "<unk>", "<mask>", "a", "b", "Ġ", "ab", "Ġab"];
    let vocab: serde_json::Map<String, serde_json::Value> =
        tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id.into())).collect();
    fs::write(folder.path().join("vocab.json"), serde_json::to_string(&vocab).unwrap()).unwrap();
    let merges = folder.path().join("merges.txt");
    fs::write(&merges, "#version: 0.2\na b\nĠ ab\n").unwrap();
    let mut tokenizer = Tokenizer::load(folder.path()).unwrap();
    assert_eq!(tokenizer.encode("ab ab", 10).unwrap().ids, [1, 8, 9, 2]);
    assert_eq!(tokenizer.decode(&[1, 8, 9, 2, 0, 0]).unwrap(), "ab ab");
    assert_eq!(tokenizer.id("<extra_id_99>"), Some(10));
    assert_eq!(tokenizer.id("<extra_id_0>"), Some(109));
    assert_eq!(tokenizer.size(), 110);
    // No trigger tokens: the trigger is text.
    let source = tokenizer.encode_source(Task::Code, "ab", 100).unwrap();
    assert_eq!(source.ids[..1], [1]);
    assert!(source.ids.len() > 4);
    // Unless a mask of the pre-training is.
    tokenizer.set_trigger(Trigger::Sentinel).unwrap();
    for (task, id) in [(Task::Pseudocode, 109), (Task::Code, 108)] {
        assert_eq!(tokenizer.encode_source(task, "ab", 100).unwrap().ids, [1, id, 8, 2]);
    }
    fs::write(&merges, "a b\nb c\n").unwrap();
    let error = Tokenizer::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("merges.txt: line 2"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_text_round_trips(text in "(\\PC|[ \t\r\n]|    |</s>|[^\u{0}]){0,60}") {
        thread_local!(static TOKENIZER: Tokenizer = trained());
        TOKENIZER.with(|tokenizer| {
            let encoded = tokenizer.encode(&text, 100_000).unwrap();
            prop_assert_eq!(tokenizer.decode(&encoded.ids).unwrap(), text.clone());
            Ok(())
        })?;
    }
}
