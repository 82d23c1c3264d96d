//! The same numbers as transformers 5.23.0 on two small checkpoints, `tests/fixtures/{v10,v11}`,
//! made by `tests/fixtures/make.py`.

mod common;

use common::{Fixture, max_relative};
use student_core::optimizer::{AdamSettings, AdamW, clip_factor};
use student_core::{Batch, Trainable};
use tch::{Kind, no_grad};

#[test]
fn position_tables() {
    for fixture in Fixture::all() {
        for (decoder, name) in [(false, "bias.encoder"), (true, "bias.decoder")] {
            // The fixture keeps two heads.
            let ours = fixture.model.position_bias(decoder, 160).unwrap().narrow(1, 0, 2);
            assert!(ours.equal(fixture.tensor(name)), "{} {name}", fixture.name);
        }
    }
}

#[test]
fn encoder_logits_and_loss() {
    for fixture in Fixture::all() {
        let (source, mask) = (fixture.tensor("input_ids"), fixture.tensor("attention_mask"));
        let encoded = fixture.model.encoder_output(source, mask).unwrap();
        let difference = max_relative(&encoded, fixture.tensor("encoder"));
        assert!(difference <= 1e-5, "{} encoder: {difference}", fixture.name);
        let target = fixture.model.shift_right(fixture.tensor("labels")).unwrap();
        assert!(target.equal(fixture.tensor("decoder_input_ids")));
        let logits = fixture.model.logits(source, mask, &target).unwrap();
        let difference = max_relative(&logits, fixture.tensor("logits"));
        assert!(difference <= 1e-5, "{} logits: {difference}", fixture.name);
        let loss = no_grad(|| mean_loss(&fixture, "input_ids", "labels")).double_value(&[]);
        let wanted = fixture.facts["loss"].as_f64().unwrap();
        assert!(((loss - wanted) / wanted).abs() <= 1e-6, "{}: {loss} {wanted}", fixture.name);
    }
}

#[test]
fn sequences_longer_than_the_largest_distance() {
    for fixture in Fixture::all() {
        let source = fixture.tensor("long.input_ids");
        let mask = source.ones_like();
        let encoded = fixture.model.encoder_output(source, &mask).unwrap();
        let difference = max_relative(&encoded, fixture.tensor("long.encoder"));
        assert!(difference <= 1e-5, "{} encoder: {difference}", fixture.name);
        let target = fixture.tensor("long.decoder_input_ids");
        let logits = fixture.model.logits(source, &mask, target).unwrap();
        let logits = logits.index_select(1, fixture.tensor("long.positions"));
        let difference = max_relative(&logits, fixture.tensor("long.logits"));
        assert!(difference <= 1e-5, "{} logits: {difference}", fixture.name);
    }
}

#[test]
fn gradients() {
    for fixture in Fixture::all() {
        mean_loss(&fixture, "train.0.input_ids", "train.0.labels").backward();
        let mut compared = 0;
        for (name, tensor) in fixture.model.parameters() {
            if let Some(wanted) = fixture.tensors.get(&format!("grad0.{name}")) {
                let difference = max_relative(&tensor.grad(), wanted);
                assert!(difference <= 1e-5, "{} {name}: {difference}", fixture.name);
                compared += 1;
            }
        }
        assert_eq!(compared, if fixture.name == "v10" { 5 } else { 6 });
    }
}

#[test]
fn eight_steps_of_adamw() {
    for (clip, name) in [(None, "train_clip_None"), (Some(1.0), "train_clip_1.0")] {
        for fixture in Fixture::all() {
            let numbers = |key: &str| -> Vec<f64> {
                serde_json::from_value(fixture.facts[name][key].clone()).unwrap()
            };
            let (losses, norms) = (numbers("losses"), numbers("grad_norms"));
            let settings = AdamSettings { weight_decay: 0.01, ..AdamSettings::default() };
            let mut optimizer = AdamW::new(fixture.model.parameters(), settings).unwrap();
            for step in 0..8 {
                let what = format!("{} {name} step {step}", fixture.name);
                let loss = mean_loss(
                    &fixture,
                    &format!("train.{step}.input_ids"),
                    &format!("train.{step}.labels"),
                );
                loss.backward();
                let loss = loss.double_value(&[]);
                assert!(((loss - losses[step]) / losses[step]).abs() <= 1e-5, "{what}: {loss}");
                let norm = optimizer.gradient_norm().unwrap();
                assert!(((norm - norms[step]) / norms[step]).abs() <= 1e-5, "{what}: {norm}");
                let scale = clip.map_or(1.0, |limit| clip_factor(norm, limit));
                optimizer.step(1e-3, scale).unwrap();
            }
        }
    }
}

fn mean_loss(fixture: &Fixture, source: &str, labels: &str) -> tch::Tensor {
    let source = fixture.tensor(source);
    let batch = Batch {
        source: source.shallow_clone(),
        source_mask: source.ne(0).to_kind(Kind::Int64),
        labels: fixture.tensor(labels).shallow_clone(),
    };
    let (nll, mask) = fixture.model.token_nll(&batch, false).unwrap();
    assert_eq!(nll.size(), batch.labels.size());
    (nll * &mask).sum(Kind::Float) / mask.sum(Kind::Float)
}
