//! Soft targets through the trainer: the gradient is that of the formula, the student comes closer to the
//! teacher's distribution, and a teacher of another vocabulary is refused.

mod common;

use common::{Toy, VOCABULARY, data};
use distill_core::Task;
use mtl_loss::{Divergence, LossError, SoftSettings, SoftTargets, Vocabulary, Weighting};
use student_core::optimizer::{AdamSettings, AdamW};
use student_core::{
    Batch, Dataset, Example, Item, StudentCoreError, TopK, TrainConfig, Trainable, Trainer,
};
use tch::{Device, Kind, Tensor, no_grad};

const K: usize = 5;

fn vocabulary(size: i64) -> Vocabulary {
    Vocabulary::of((0..size).map(|token| token.to_string()))
}

fn settings(divergence: Divergence, share: f64) -> SoftSettings {
    SoftSettings { divergence, share, temperature: 1.5 }
}

fn logits(model: &Toy, example: &Example) -> Tensor {
    let batch = Batch::new(&[example], Device::Cpu).unwrap();
    no_grad(|| model.token_logits(&batch, false)).unwrap().unwrap()
}

/// The examples with what the teacher finds likely, but for every third.
fn taught(teacher: &Toy, data: &Dataset, temperature: f64) -> Dataset {
    let mut count = 0;
    let mut add = |example: &Example| {
        count += 1;
        let logs = (logits(teacher, example) / temperature).log_softmax(-1, Kind::Float);
        let (logs, ids) = logs.topk(K as i64, -1, true, true);
        let soft = TopK::new(
            K,
            Vec::try_from(ids.view(-1)).unwrap(),
            Vec::try_from(logs.view(-1)).unwrap(),
        );
        let soft = (count % 3 > 0).then(|| soft.unwrap());
        Example { soft, ..example.clone() }
    };
    let items = data.items().iter().map(|item| Item {
        pseudocode: item.pseudocode.iter().map(&mut add).collect(),
        // One alternative, so that it is known what a step draws.
        code: item.code.iter().take(1).map(&mut add).collect(),
    });
    Dataset::new(items.collect()).unwrap()
}

/// Σ of the two tasks' weighted losses of one step over all items, written out token by token.
fn loss_by_hand(model: &Toy, data: &Dataset, settings: SoftSettings) -> Tensor {
    let same = vocabulary(VOCABULARY);
    let targets = SoftTargets::new(settings, same, same).unwrap();
    let mut total = Tensor::from(0.0);
    for task in Task::ALL {
        let examples: Vec<&Example> = data.items().iter().flat_map(|item| item.of(task)).collect();
        let count: usize = examples.iter().map(|example| example.target.len()).sum();
        for example in examples {
            let batch = Batch::new(&[example], Device::Cpu).unwrap();
            let logits = model.token_logits(&batch, false).unwrap().unwrap();
            let nll = -logits
                .log_softmax(-1, Kind::Float)
                .gather(-1, &batch.labels.unsqueeze(-1), false)
                .squeeze_dim(-1);
            let loss = match &example.soft {
                None => nll,
                Some(soft) => {
                    let size = [1, example.target.len() as i64, K as i64];
                    let ids = Tensor::from_slice(soft.ids()).view(size);
                    let logs = Tensor::from_slice(soft.log_probabilities()).view(size);
                    let apart = targets.top_k_loss(&logits, &ids, &logs).unwrap();
                    nll * (1.0 - settings.share) + apart * settings.share
                }
            };
            total += loss.sum(Kind::Float) * (0.5 / count as f64);
        }
    }
    total
}

#[test]
fn a_step_follows_the_gradient_of_the_formula() {
    for (divergence, micro_batch_tokens) in [
        (Divergence::ForwardKl, None),
        (Divergence::ReverseKl, Some(40)),
        (Divergence::Jsd { beta: 0.3 }, Some(24)),
    ] {
        let soft = settings(divergence, 0.7);
        let data = taught(&Toy::new(5, 0.0), &data(12, 1), soft.temperature);
        assert!(data.has_soft());
        // Plain gradients: a step of Adam hides their size, but not after a few steps of memory.
        let adam = AdamSettings { beta1: 0.5, ..AdamSettings::default() };
        let config = TrainConfig {
            batch: 12,
            micro_batch_tokens,
            max_steps: Some(3),
            learning_rate: 1e-2,
            schedule: Default::default(),
            adam,
            clip: None,
            weighting: Weighting::fixed([0.5, 0.5]),
            soft: Some(soft),
            ..TrainConfig::demo()
        };
        let trained = Toy::new(1, 0.0);
        let folder = tempfile::tempdir().unwrap();
        let same = vocabulary(VOCABULARY);
        let trainer =
            Trainer::new(config, folder.path()).unwrap().with_teacher(same, same).unwrap();
        let none = Dataset::new(vec![]).unwrap();
        trainer.train(&trained, &data, &none, &mut |_| {}).unwrap();

        let by_hand = Toy::new(1, 0.0);
        let before = by_hand.flat();
        let mut optimizer = AdamW::new(by_hand.parameters(), adam).unwrap();
        for _ in 0..3 {
            loss_by_hand(&by_hand, &data, soft).backward();
            optimizer.step(1e-2, 1.0).unwrap();
        }
        let (found, wanted) = (trained.flat(), by_hand.flat());
        let apart = |a: &[f32], b: &[f32]| -> f32 {
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(apart(&before, &wanted) > 1e-2);
        assert!(apart(&found, &wanted) < 1e-4, "{divergence:?}: {}", apart(&found, &wanted));
        // Without the teacher it would be another step.
        let plain = Toy::new(1, 0.0);
        let mut optimizer = AdamW::new(plain.parameters(), adam).unwrap();
        for _ in 0..3 {
            loss_by_hand(&plain, &data, SoftSettings { share: 0.0, ..soft }).backward();
            optimizer.step(1e-2, 1.0).unwrap();
        }
        assert!(apart(&found, &plain.flat()) > 1e-3);
    }
}

/// Mean KL from the teacher to the student over all tokens, by whole distributions.
fn distance(teacher: &Toy, student: &Toy, data: &Dataset) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for item in data.items() {
        for example in item.pseudocode.iter().chain(&item.code) {
            let [p, q] =
                [teacher, student].map(|model| logits(model, example).log_softmax(-1, Kind::Float));
            sum += (p.exp() * (p - q)).sum(Kind::Double).double_value(&[]);
            count += example.target.len();
        }
    }
    sum / count as f64
}

#[test]
fn the_student_comes_closer_to_the_teacher() {
    let texts = data(60, 3);
    // A teacher that has learned, so that it finds some tokens likely.
    let teacher = Toy::new(5, 0.0);
    let none = Dataset::new(vec![]).unwrap();
    let config = TrainConfig { batch: 12, max_steps: Some(150), ..TrainConfig::demo() };
    let folder = tempfile::tempdir().unwrap();
    let trainer = Trainer::new(config.clone(), folder.path()).unwrap();
    trainer.train(&teacher, &texts, &none, &mut |_| {}).unwrap();

    let taught = taught(&teacher, &texts, 1.0);
    let held_out = data(30, 4);
    let distance_after = |share: f64| {
        let student = Toy::new(9, 0.0);
        let soft = SoftSettings { share, ..SoftSettings::default() };
        let config = TrainConfig { soft: Some(soft), ..config.clone() };
        let folder = tempfile::tempdir().unwrap();
        let same = vocabulary(VOCABULARY);
        let trainer =
            Trainer::new(config, folder.path()).unwrap().with_teacher(same, same).unwrap();
        trainer.train(&student, &taught, &none, &mut |_| {}).unwrap();
        distance(&teacher, &student, &held_out)
    };
    let untrained = distance(&teacher, &Toy::new(9, 0.0), &held_out);
    let (texts_alone, with_teacher) = (distance_after(0.0), distance_after(1.0));
    assert!(with_teacher < 0.25 * untrained, "{with_teacher} {untrained}");
    assert!(with_teacher < texts_alone, "{with_teacher} {texts_alone}");
}

#[test]
fn other_vocabularies_and_missing_settings_are_refused() {
    let soft = Some(SoftSettings::default());
    let folder = tempfile::tempdir().unwrap();
    let trainer = |soft| {
        let config = TrainConfig { soft, max_steps: Some(1), ..TrainConfig::demo() };
        Trainer::new(config, folder.path()).unwrap()
    };
    let same = vocabulary(VOCABULARY);
    let others = Vocabulary::of((0..VOCABULARY).map(|token| format!("t{token}")));
    for teacher in [vocabulary(VOCABULARY + 1), others] {
        let error = trainer(soft).with_teacher(same, teacher).unwrap_err();
        assert!(matches!(error, StudentCoreError::Loss(LossError::Vocabulary { .. })), "{error}");
    }
    assert!(trainer(None).with_teacher(same, same).is_err());
    let data = taught(&Toy::new(5, 0.0), &data(4, 1), 1.0);
    let none = Dataset::new(vec![]).unwrap();
    let model = Toy::new(1, 0.0);
    let error = trainer(soft).train(&model, &data, &none, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("with_teacher"), "{error}");
    // Soft targets that do not belong to their text.
    let mut items = data.items().to_vec();
    items[2].code[0].target.push(3);
    items[2].code[0].soft.get_or_insert(TopK::new(K, vec![], vec![]).unwrap());
    let error = Dataset::new(items).unwrap_err().to_string();
    assert!(error.contains("item 2: soft targets of"), "{error}");
}
