//! The trainer on a toy model: it learns, it resumes exactly, and it refuses what is wrong.

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use common::{Toy, data};
use distill_core::Task;
use distill_core::jsonl;
use mtl_loss::Weighting;
use student_core::metrics::{METRICS_FILE, Metrics, Timing};
use student_core::{
    End, MODEL_FILE, Outcome, STATE_FILE, StudentCoreError, TrainConfig, Trainer,
    evaluate, load_parameters,
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
        assert!(best.loss.of(task).unwrap() < 0.6 * baseline.loss.of(task).unwrap());
    }
    // The model and the file hold the parameters of the best evaluation.
    let weights = config.validation_weights();
    let now = evaluate(&model, &data(10, 2), weights, 8192).unwrap();
    assert_eq!(now.total, best.total);
    let other = Toy::new(2, 0.0);
    load_parameters(&other, folder.path()).unwrap();
    assert_eq!(other.flat(), model.flat());
    // A finished run is not run again.
    let again = Toy::new(3, 0.1);
    let outcome = train(&config, folder.path(), &again).unwrap();
    assert_eq!((outcome.step, outcome.best.unwrap()), (300, best));
    assert_eq!(again.flat(), model.flat());
}

#[test]
fn a_killed_run_goes_on_bit_for_bit() {
    let rules = [
        (Weighting::fixed([0.5, 0.5]), false),
        (Weighting::Uncertainty, false),
        (Weighting::DynamicAverage { temperature: 2.0 }, true),
    ];
    for (weighting, project_conflicts) in rules {
        let config = TrainConfig { weighting, project_conflicts, ..config() };
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
        }
        // Other initial parameters must not matter: a checkpoint holds everything.
        let model = Toy::new(99, 0.2);
        train(&config, folder.path(), &model).unwrap();
        assert_eq!(model.flat(), expected.flat());
        assert_eq!(log(folder.path()), log(whole.path()));
        let state = |folder: &Path| fs::read(folder.join("training_state.60.safetensors")).unwrap();
        assert_eq!(state(folder.path()), state(whole.path()));
        let json = |folder: &Path| fs::read_to_string(folder.join(STATE_FILE)).unwrap();
        assert_eq!(json(folder.path()), json(whole.path()));
        let best = |folder: &Path| fs::read(folder.join(MODEL_FILE)).unwrap();
        assert_eq!(best(folder.path()), best(whole.path()));
    }
}
