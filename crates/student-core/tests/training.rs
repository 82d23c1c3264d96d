//! The trainer on a toy model: it learns, it resumes exactly, and it refuses what is wrong.

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use common::{Toy, data};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use distill_core::Task;
use distill_core::jsonl;
use mtl_loss::{Reduction, Weighting};
use student_core::metrics::{METRICS_FILE, Metrics, Timing};
use student_core::optimizer::{AdafactorSettings, AdamSettings};
use student_core::{
    Dataset, End, Item, MODEL_FILE, Outcome, PerTask, STATE_FILE, StudentCoreError, TrainConfig,
    Trainer, evaluate, load_parameters,
};

fn config() -> TrainConfig {
    TrainConfig {
        seed: 7,
        batch: 8,
        max_steps: Some(60),
        learning_rate: 1e-2,
        evaluate_every: Some(15),
        checkpoint_every: Some(7),
        log_every: 4,
        length_pool: 2,
        adam: AdamSettings { weight_decay: 0.01, ..AdamSettings::default() },
        ..TrainConfig::demo()
    }
}

fn train(config: &TrainConfig, folder: &Path, model: &Toy) -> Result<Outcome, StudentCoreError> {
    let trainer = Trainer::new(config.clone(), folder).unwrap();
    trainer.train(model, &data(50, 1), &data(10, 2), &mut |_| {})
}

/// The log without what differs from run to run.
fn log(folder: &Path) -> Vec<Metrics> {
    let mut lines: Vec<Metrics> = jsonl::read_all(&folder.join(METRICS_FILE)).unwrap();
    for line in &mut lines {
        match line {
            Metrics::Train(line) => line.timing = Timing::default(),
            Metrics::Validation(line) => line.timing = Timing::default(),
            _ => {}
        }
    }
    lines
}

#[test]
fn both_tasks_beat_the_untrained_student() {
    let folder = tempfile::tempdir().unwrap();
    let config = TrainConfig { max_steps: Some(300), ..config() };
    let model = Toy::new(1, 0.1);
    let outcome = train(&config, folder.path(), &model).unwrap();
    let (baseline, best) = (outcome.baseline.unwrap(), outcome.best.unwrap());
    assert_eq!((outcome.step, outcome.end), (300, Some(End::Complete)));
    assert!(best.beats(&baseline), "{baseline:?} {best:?}");
    for task in Task::ALL {
        let (best, baseline) = (best.loss.of(task).unwrap(), baseline.loss.of(task).unwrap());
        assert!(best < 0.75 * baseline, "{task}: {best} {baseline}");
    }
    // The model and the file hold the parameters of the best evaluation.
    let weights = config.validation_weights();
    let now = evaluate(&model, &data(10, 2), weights, 8192).unwrap();
    assert_eq!(now.total, best.total);
    let other = Toy::new(2, 0.0);
    load_parameters(&other, folder.path()).unwrap();
    assert!(other.flat() == model.flat());
    // A finished run is not run again.
    let again = Toy::new(3, 0.1);
    let outcome = train(&config, folder.path(), &again).unwrap();
    assert_eq!((outcome.step, outcome.best.unwrap()), (300, best));
    assert!(again.flat() == model.flat());
}

#[test]
fn a_killed_run_goes_on_bit_for_bit() {
    let rules = [
        (Weighting::fixed([0.5, 0.5]), false, None),
        (Weighting::Uncertainty, false, None),
        (Weighting::DynamicAverage { temperature: 2.0 }, true, None),
        (Weighting::fixed([0.5, 0.5]), false, Some(AdafactorSettings::default())),
    ];
    for (weighting, project_conflicts, adafactor) in rules {
        let config = TrainConfig { weighting, project_conflicts, adafactor, ..config() };
        let whole = tempfile::tempdir().unwrap();
        let expected = Toy::new(1, 0.2);
        train(&config, whole.path(), &expected).unwrap();

        let folder = tempfile::tempdir().unwrap();
        // Dies after these steps, also before the first checkpoint and twice between two.
        for death in [1, 5, 6, 13, 15, 16, 33, 47, 59] {
            let model = Toy::new(1, 0.2);
            let trainer = Trainer::new(config.clone(), folder.path()).unwrap();
            let death = catch_unwind(AssertUnwindSafe(|| {
                trainer.train(&model, &data(50, 1), &data(10, 2), &mut |progress| {
                    assert!(progress.step < death);
                })
            }));
            assert!(death.is_err());
            // Death in the middle of writing a checkpoint leaves files like these.
            for torn in [
                "training_state.999.safetensors",
                "training_state.json.77.tmp",
                "model.safetensors.77.tmp",
                "training_state.14.safetensors.77.tmp",
            ] {
                fs::write(folder.path().join(torn), "half").unwrap();
            }
        }
        // Other initial parameters must not matter: a checkpoint holds everything.
        let model = Toy::new(99, 0.2);
        train(&config, folder.path(), &model).unwrap();
        assert!(model.flat() == expected.flat());
        assert_eq!(log(folder.path()), log(whole.path()));
        let state = |folder: &Path| fs::read(folder.join("training_state.60.safetensors")).unwrap();
        assert!(state(folder.path()) == state(whole.path()));
        let json = |folder: &Path| fs::read_to_string(folder.join(STATE_FILE)).unwrap();
        assert_eq!(json(folder.path()), json(whole.path()));
        let files = |folder: &Path| fs::read_dir(folder).unwrap().count();
        assert_eq!((files(folder.path()), files(whole.path())), (4, 4));
        let best = |folder: &Path| fs::read(folder.join(MODEL_FILE)).unwrap();
        assert!(best(folder.path()) == best(whole.path()));
    }
}

#[test]
fn a_stopped_run_keeps_its_step_and_goes_on() {
    let whole = tempfile::tempdir().unwrap();
    let expected = Toy::new(1, 0.2);
    train(&config(), whole.path(), &expected).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let model = Toy::new(1, 0.2);
    for stop_at in [0, 10, 23] {
        let stop = Arc::new(AtomicBool::new(stop_at == 0));
        let trainer = Trainer::new(config(), folder.path()).unwrap().with_stop(Arc::clone(&stop));
        let outcome = trainer
            .train(&model, &data(50, 1), &data(10, 2), &mut |progress| {
                stop.store(progress.step >= stop_at, Ordering::Relaxed);
            })
            .unwrap();
        assert_eq!((outcome.step, outcome.end), (stop_at, None));
        assert!(outcome.baseline.is_some());
    }
    let outcome = train(&config(), folder.path(), &model).unwrap();
    assert_eq!((outcome.step, outcome.end), (60, Some(End::Complete)));
    assert!(model.flat() == expected.flat());
    assert_eq!(log(folder.path()), log(whole.path()));
}

#[test]
fn every_cut_of_a_step_gives_the_same_run() {
    for reduction in
        [Reduction::TokenMean, Reduction::Sum, Reduction::ExampleMean, Reduction::GlobalTokenMean]
    {
        let mut runs = Vec::new();
        // No limit, a few rows, one row.
        for micro_batch_tokens in [None, Some(40), Some(1)] {
            let folder = tempfile::tempdir().unwrap();
            let model = Toy::new(1, 0.0);
            let config = TrainConfig {
                reduction,
                micro_batch_tokens,
                batch: 16,
                max_steps: Some(3),
                log_every: 1,
                clip: None,
                ..config()
            };
            train(&config, folder.path(), &model).unwrap();
            let Metrics::Train(line) = log(folder.path()).remove(1) else { panic!("a train line") };
            runs.push((line, model.calls.get()));
        }
        let [(whole, few), (cut, more), (single, most)] = &runs[..] else { unreachable!() };
        assert!(few < more && more < most, "{few} {more} {most}");
        for line in [cut, single] {
            let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} {b}");
            close(line.total, whole.total);
            close(line.gradient_norm, whole.gradient_norm);
            close(line.loss.code.unwrap(), whole.loss.code.unwrap());
            close(line.loss.pseudocode.unwrap(), whole.loss.pseudocode.unwrap());
            assert_eq!(line.tokens, whole.tokens);
        }
    }
}

#[test]
fn training_stops_when_validation_no_longer_improves() {
    let folder = tempfile::tempdir().unwrap();
    let model = Toy::new(1, 0.0);
    // So large a rate makes it worse and worse, within the bounds of divergence.
    let config = TrainConfig {
        learning_rate: 0.3,
        patience: Some(2),
        evaluate_every: Some(5),
        divergence: 1e6,
        ..config()
    };
    let outcome = train(&config, folder.path(), &model).unwrap();
    assert_eq!(outcome.end, Some(End::EarlyStop));
    let (best, last) = (outcome.best.unwrap(), outcome.last.unwrap());
    assert_eq!(last.step, best.step + 10);
    assert!(last.total >= best.total && outcome.step < 60);
    let now = evaluate(&model, &data(10, 2), [0.5, 0.5], 64).unwrap();
    assert!((now.total - best.total).abs() < 1e-6, "the model has the best parameters");
}

#[test]
fn divergence_names_step_and_items_and_keeps_the_checkpoint() {
    for (value, says) in [(f64::NAN, "is NaN"), (f64::INFINITY, "is inf"), (1e3, "it was")] {
        let folder = tempfile::tempdir().unwrap();
        let model = Toy::new(1, 0.0);
        let config = TrainConfig { checkpoint_every: Some(2), ..config() };
        // Two batches for the evaluation, two a step: the 23rd call is in step 11.
        model.poison.set(Some((23, value)));
        let error = train(&config, folder.path(), &model).unwrap_err();
        let StudentCoreError::Diverged { step: 11, what, items } = &error else {
            panic!("{error:?}")
        };
        assert!(what.contains(says) && what.contains("pseudocode"), "{error}");
        assert_eq!(items.len(), 8);
        let before = model.flat();
        assert!(before.iter().all(|value| value.is_finite()), "no step was made");
        // Without the cause the run goes on from step 10.
        model.poison.set(None);
        let mut first = None;
        let trainer = Trainer::new(config, folder.path()).unwrap();
        trainer
            .train(&model, &data(50, 1), &data(10, 2), &mut |progress| {
                first.get_or_insert(progress.step);
            })
            .unwrap();
        assert_eq!(first, Some(11));
    }
}

#[test]
fn another_setting_or_other_data_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = TrainConfig { max_steps: Some(3), ..config() };
    train(&config, folder.path(), &Toy::new(1, 0.0)).unwrap();
    let refused = |config: TrainConfig, training: Dataset, says: &str| {
        let trainer = Trainer::new(config, folder.path()).unwrap();
        let model = Toy::new(1, 0.0);
        let error = trainer.train(&model, &training, &data(10, 2), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    };
    refused(TrainConfig { batch: 9, ..config.clone() }, data(50, 1), "batch was 8 and is now 9");
    let weighting = Weighting::fixed([1.0, 0.5]);
    refused(TrainConfig { weighting, ..config.clone() }, data(50, 1), "weighting was");
    refused(config.clone(), data(50, 3), "the training data have changed");
    assert_eq!(log(folder.path()).len(), 3, "a refusal leaves the log alone");
}

#[test]
fn damaged_checkpoints_are_refused_with_file_and_reason() {
    let made = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let trainer = Trainer::new(config(), made.path()).unwrap().with_stop(Arc::clone(&stop));
    let (training, validation) = (data(50, 1), data(10, 2));
    trainer
        .train(&Toy::new(1, 0.0), &training, &validation, &mut |progress| {
            stop.store(progress.step == 9, Ordering::Relaxed);
        })
        .unwrap();
    let tensors = "training_state.9.safetensors";
    let whole = fs::read(made.path().join(tensors)).unwrap();
    let json = fs::read_to_string(made.path().join(STATE_FILE)).unwrap();
    let refused = |tensor_file: Option<&[u8]>, json: &str, says: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        if let Some(bytes) = tensor_file {
            fs::write(folder.path().join(tensors), bytes).unwrap();
        }
        fs::write(folder.path().join(STATE_FILE), json).unwrap();
        let model = Toy::new(5, 0.0);
        let before = model.flat();
        let error = train(&config(), folder.path(), &model).unwrap_err().to_string();
        assert!(says.iter().all(|says| error.contains(says)), "{error}");
        assert!(model.flat() == before, "the model is as it was");
    };
    refused(None, &json, &["cannot read", tensors]);
    refused(Some(&whole[..whole.len() / 2]), &json, &[tensors, "not a whole safetensors file"]);
    refused(Some(&[]), &json, &[tensors, "not a whole safetensors file"]);
    refused(Some(&whole), &json[..json.len() / 2], &[STATE_FILE, "unreadable"]);
    refused(Some(&whole), "{}", &[STATE_FILE, "missing field"]);
    let outside = json.replace(tensors, "../x.safetensors");
    refused(Some(&whole), &outside, &[STATE_FILE, "not the name of a file beside it"]);
    // One tensor renamed in the header, which keeps its length: one missing, one left over.
    let at = whole.windows(18).position(|bytes| bytes == b"adam_mean.head.bia").unwrap();
    let mut renamed = whole.clone();
    renamed[at + 10] = b'd';
    refused(Some(&renamed), &json, &[tensors, "adam_mean.head.bias is missing"]);
    // Undamaged it is taken.
    let outcome = train(&config(), made.path(), &Toy::new(5, 0.0)).unwrap();
    assert_eq!(outcome.end, Some(End::Complete));
}

#[test]
fn a_student_of_one_task_and_one_without_validation() {
    // The plain student: code alone, the other task costs nothing.
    let folder = tempfile::tempdir().unwrap();
    let model = Toy::new(1, 0.1);
    let config =
        TrainConfig { weighting: Weighting::fixed([0.0, 1.0]), max_steps: Some(20), ..config() };
    let outcome = train(&config, folder.path(), &model).unwrap();
    let best = outcome.best.unwrap();
    assert_eq!(best.total, best.loss.code.unwrap());
    for line in log(folder.path()) {
        if let Metrics::Train(line) = line {
            assert_eq!(line.loss.pseudocode, None);
            assert_eq!(line.weights, PerTask { pseudocode: 0.0, code: 1.0 });
        }
    }
    // Without validation data the last parameters are kept.
    let folder = tempfile::tempdir().unwrap();
    let trainer = Trainer::new(config.clone(), folder.path()).unwrap();
    let none = Dataset::default();
    let outcome = trainer.train(&model, &data(50, 1), &none, &mut |_| {}).unwrap();
    assert_eq!((outcome.step, outcome.best), (20, None));
    let other = Toy::new(2, 0.0);
    load_parameters(&other, folder.path()).unwrap();
    assert!(other.flat() == model.flat());
    // Nothing to learn is an error.
    let lacking = Dataset::new(vec![Item::default(); 3]).unwrap();
    for empty in [&none, &lacking] {
        let folder = tempfile::tempdir().unwrap();
        let trainer = Trainer::new(config.clone(), folder.path()).unwrap();
        let error = trainer.train(&model, empty, &none, &mut |_| {}).unwrap_err();
        assert!(matches!(error, StudentCoreError::Data(_)), "{error}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, says) in [
        (TrainConfig { batch: 0, ..config() }, "batch"),
        (TrainConfig { learning_rate: f64::NAN, ..config() }, "learning_rate"),
        (TrainConfig { clip: Some(0.0), ..config() }, "clip"),
        (TrainConfig { max_steps: None, max_epochs: None, ..config() }, "max_epochs"),
        (TrainConfig { log_every: 0, ..config() }, "log_every"),
        (TrainConfig { weighting: Weighting::fixed([1.0]), ..config() }, "1 weights for 2 tasks"),
    ] {
        let error = Trainer::new(config, "unused").unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn two_trainers_in_one_folder_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = false;
    let trainer = Trainer::new(config(), folder.path()).unwrap();
    trainer
        .train(&Toy::new(1, 0.0), &data(50, 1), &data(10, 2), &mut |progress| {
            if progress.step == 20 && !tried {
                tried = true;
                let error = train(&config(), folder.path(), &Toy::new(1, 0.0)).unwrap_err();
                assert!(error.to_string().contains("in use by another process"), "{error}");
            }
        })
        .unwrap();
    assert!(tried);
}
