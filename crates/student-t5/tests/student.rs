//! A student: what it reads, what it answers, its folder.

use distill_core::{Language, Lesson, Mode, Problem, Pseudocode, Solution, Student};
use student_core::decode::{DecodeOptions, Sampling, decode};
use student_core::{Batch, Decodable, Example};
use student_t5::{
    GenerationConfig, PlanSampling, Preset, T5, T5Config, T5Student, Tokenizer, Trigger,
};
use tch::{Device, Kind, Tensor};

const TEXTS: [&str; 3] = [
    "def add(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total\n",
    "1. set total to 0\n2. for each x in xs:\n   2.1. add x to total\n3. return total",
    "Python: Add up a list of numbers.",
];

fn student() -> T5Student {
    tch::set_num_threads(1);
    let tokenizer = Tokenizer::train(TEXTS, 300).unwrap();
    let config = T5Config {
        num_layers: 2,
        num_decoder_layers: Some(2),
        ..T5Config::preset(Preset::Nano, 320)
    };
    let mut student = T5Student::new(config, tokenizer, 5, Device::Cpu).unwrap();
    student.generation = GenerationConfig::beams(3, 12);
    // Stretched, so that untrained answers vary.
    for (name, tensor) in student.model.named_tensors() {
        if name.ends_with("o.weight") {
            let _ = tch::no_grad(|| tensor.shallow_clone().g_mul_scalar_(6.0));
        }
    }
    student
}

fn lesson() -> Lesson {
    Lesson {
        id: "a".into(),
        language: Language::Python,
        query: "Add up a list of numbers.".into(),
        solution: Solution {
            pseudocode: Pseudocode::from_text(TEXTS[1]).unwrap(),
            code: TEXTS[0].into(),
        },
        teacher: String::new(),
        reply: String::new(),
        extra: serde_json::Map::new(),
    }
}

fn problems() -> Vec<Problem> {
    (0..7)
        .map(|n| {
            let query = format!("Add {} numbers {}", n, "and more ".repeat(n));
            Problem::new(n.to_string(), Language::Python, query)
        })
        .collect()
}

#[test]
fn a_lesson_becomes_three_examples() {
    let mut student = student();
    student.generation = GenerationConfig::beams(3, 200);
    let text = |ids: &[i64]| student.tokenizer.decode(ids).unwrap();
    let (item, cut) = student.encode_lesson(&lesson()).unwrap();
    assert_eq!((cut.source, cut.target), (0, 0));
    assert_eq!((item.pseudocode.len(), item.code.len()), (1, 2));
    let plan = &item.pseudocode[0];
    assert_eq!(plan.source[0], student.tokenizer.id("[pseudocode]").unwrap());
    assert_eq!(text(&plan.source), "Python: Add up a list of numbers.");
    assert_eq!(text(&plan.target), TEXTS[1]);
    let [direct, chained] = &item.code[..] else { panic!() };
    assert_eq!(direct.source[0], student.tokenizer.id("[code]").unwrap());
    assert_eq!(text(&chained.source), format!("Python: Add up a list of numbers.\n{}", TEXTS[1]));
    assert!(text(&direct.target) == TEXTS[0] && direct.target == chained.target);
    assert_eq!(*direct.target.last().unwrap(), 2);

    let plain = Lesson {
        solution: Solution { pseudocode: Pseudocode::default(), code: "x".into() },
        ..lesson()
    };
    let (item, _) = student.encode_lesson(&plain).unwrap();
    assert_eq!((item.pseudocode.len(), item.code.len()), (0, 1));

    student.generation = GenerationConfig::beams(3, 8);
    student.longest_source = 12;
    let (item, cut) = student.encode_lesson(&lesson()).unwrap();
    assert!(cut.source > 0 && cut.target > 0);
    assert_eq!(item.code[1].source.len(), 12);
    assert_eq!(item.code[0].target.len(), 7);
}

#[test]
fn answers_come_in_order_and_do_not_depend_on_the_batch() {
    let mut student = student();
    let problems = problems();
    for mode in [Mode::Direct, Mode::Chained] {
        student.batch = 3;
        let few = student.answer(&problems, mode, 2).unwrap();
        student.batch = 1;
        let alone = student.answer(&problems, mode, 2).unwrap();
        assert_eq!(few.len(), problems.len());
        for (few, alone) in few.iter().zip(&alone) {
            assert_eq!(few.len(), 2);
            for (few, alone) in few.iter().zip(alone) {
                assert_eq!(few.solution, alone.solution);
                assert!((few.log_probability - alone.log_probability).abs() < 1e-4);
            }
            assert!(few[0].log_probability >= few[1].log_probability);
        }
        let distinct: std::collections::HashSet<&str> =
            few.iter().map(|answers| answers[0].solution.code.as_str()).collect();
        assert!(distinct.len() > 1, "{mode}: {distinct:?}");
        assert_eq!(few[0][0].solution.pseudocode.is_empty(), mode == Mode::Direct);
    }
    // More answers than beams widen the search.
    assert_eq!(student.answer(&problems[..1], Mode::Direct, 5).unwrap()[0].len(), 5);
    assert!(student.answer(&[], Mode::Chained, 1).unwrap().is_empty());
}

#[test]
fn answers_over_several_plans_are_sums() {
    let mut student = student();
    let problems = problems();
    let plan = |plans: usize| {
        let sampling = Sampling { top_k: 3, seed: 5, ..Sampling::default() };
        Some(PlanSampling { plans, sampling })
    };
    student.plans = plan(4);
    let all = student.answer(&problems, Mode::Chained, 2).unwrap();
    assert_eq!(all.len(), problems.len());
    for (problem, answers) in problems.iter().zip(&all) {
        assert_eq!(answers.len(), 2);
        assert!(answers[0].log_probability >= answers[1].log_probability);
        assert!(answers.iter().all(|answer| answer.log_probability < 0.0));
        // What is drawn for a problem does not depend on the others.
        let alone = student.answer(std::slice::from_ref(problem), Mode::Chained, 2).unwrap();
        assert_eq!(alone[0], *answers);
    }
    // With one plan it is P(z|y,x)·P(y|x) of that plan, as found by scoring both texts.
    student.plans = plan(1);
    let one = student.answer(&problems[..1], Mode::Chained, 1).unwrap().concat().remove(0);
    let (four, same) = (&all[0], one.solution.code.clone());
    if let Some(more) = four.iter().find(|answer| answer.solution.code == same) {
        assert!(more.log_probability >= one.log_probability - 1e-4);
    }
    // Direct answers have no plan.
    let direct = student.answer(&problems[..1], Mode::Direct, 1).unwrap();
    student.plans = None;
    assert_eq!(student.answer(&problems[..1], Mode::Direct, 1).unwrap(), direct);
}

#[test]
fn a_folder_holds_all_of_a_student() {
    let mut student = student();
    student.longest_source = 77;
    student.tokenizer.set_trigger(Trigger::Prefix).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("distilled");
    student.save(&folder).unwrap();
    let again = T5Student::load(&folder, Device::Cpu).unwrap();
    assert_eq!((again.longest_source, again.name()), (77, "distilled"));
    assert_eq!(again.tokenizer.trigger(), Trigger::Prefix);
    let problems = problems();
    assert_eq!(
        again.answer(&problems, Mode::Chained, 2).unwrap(),
        student.answer(&problems, Mode::Chained, 2).unwrap()
    );
    for file in ["config.json", "generation_config.json", "tokenizer_config.json", "README.md"] {
        assert!(folder.join(file).exists(), "{file}");
    }
    // A tokenizer of another model.
    Tokenizer::train([TEXTS[0].repeat(3), "zq zq wq wq kq kq".into()], 400)
        .unwrap()
        .save(&folder.join("tokenizer.json"))
        .unwrap();
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    std::fs::write(
        folder.join("config.json"),
        config.replace("\"vocab_size\": 320", "\"vocab_size\": 270"),
    )
    .unwrap();
    let error = T5Student::load(&folder, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("the model only 270"), "{error}");
}

/// Decoding step by step with a cache gives the logits of the whole pass, for every beam, after
/// reordering and after sources have left.
#[test]
fn the_cache_changes_nothing() {
    let student = student();
    let model: &T5 = &student.model;
    let examples: Vec<Example> = [5usize, 9, 3]
        .iter()
        .map(|&n| Example::new((0..n as i64).map(|i| 7 + 13 * i % 200).collect(), vec![1]))
        .collect();
    let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), Device::Cpu).unwrap();
    let (beams, steps) = (2usize, 40);
    let mut sources: Vec<usize> = vec![0, 1, 2];
    let mut texts: Vec<Vec<i64>> = vec![vec![]; sources.len() * beams];
    let mut memory = model.encode(&batch.source, &batch.source_mask).unwrap();
    let mut cache = model.cache(&memory, beams).unwrap();
    for step in 0..steps {
        let tokens: Vec<i64> = (0..texts.len())
            .map(|row| if step == 0 { 0 } else { 7 + (step * 31 + row as i64 * 17) % 250 })
            .collect();
        for (text, &token) in texts.iter_mut().zip(&tokens) {
            text.push(token);
        }
        let logits = model.step(&memory, &mut cache, &Tensor::from_slice(&tokens)).unwrap();
        if step % 5 == 0 || step == steps - 1 {
            for (row, text) in texts.iter().enumerate() {
                let at = sources[row / beams] as i64;
                let whole = model
                    .logits(
                        &batch.source.narrow(0, at, 1),
                        &batch.source_mask.narrow(0, at, 1),
                        &Tensor::from_slice(text).unsqueeze(0),
                    )
                    .unwrap()
                    .select(1, step)
                    .squeeze_dim(0);
                let difference = (logits.get(row as i64) - &whole).abs().max().double_value(&[]);
                let largest = whole.abs().max().double_value(&[]);
                assert!(difference / largest < 1e-5, "step {step} row {row}: {difference}");
            }
        }
        if step % 3 == 1 {
            // Beams swap, or one takes the place of both.
            let rows: Vec<i64> = (0..texts.len() as i64)
                .map(|row| if step % 2 == 0 { row ^ 1 } else { row & !1 })
                .collect();
            model.reorder(&mut cache, &Tensor::from_slice(&rows)).unwrap();
            texts = rows.iter().map(|&row| texts[row as usize].clone()).collect();
        }
        if step == 11 {
            assert!(
                model.retain(&mut memory, &mut cache, &Tensor::from_slice(&[0i64, 2])).unwrap()
            );
            sources.remove(1);
            texts.drain(beams..2 * beams);
        }
    }
}

#[test]
fn sampled_texts_share_their_source() {
    let student = student();
    let source = Tensor::from_slice(&[6i64, 50, 60, 2]).unsqueeze(0);
    let options = DecodeOptions {
        end_tokens: vec![2],
        n_best: 4,
        max_new: 9,
        sampling: Some(student_core::decode::Sampling::default()),
        ..DecodeOptions::default()
    };
    let found = decode(&student.model, &source, &source.ones_like(), &options).unwrap();
    assert_eq!(found[0].len(), 4);
    for best in &found[0] {
        // The log-probability is the model's own for the text.
        let mut text = vec![0];
        text.extend(&best.tokens[..best.tokens.len() - 1]);
        let logits = student
            .model
            .logits(&source, &source.ones_like(), &Tensor::from_slice(&text).unsqueeze(0))
            .unwrap();
        let wanted = logits
            .log_softmax(-1, Kind::Float)
            .squeeze_dim(0)
            .gather(1, &Tensor::from_slice(&best.tokens).unsqueeze(1), false)
            .sum(Kind::Double)
            .double_value(&[]);
        assert!((best.log_probability - wanted).abs() < 1e-4);
    }
}
