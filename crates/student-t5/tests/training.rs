//! Training a T5: a step does not depend on how it is cut, a run not on being killed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;
use std::{env, fs, thread};

use student_core::{Batch, Dataset, Example, Item, STATE_FILE, TrainConfig, Trainable, Trainer};
use student_t5::{Preset, T5, T5Config};
use tch::{Device, Kind, Tensor};

const VOCABULARY: i64 = 96;

/// Examples of many lengths.
fn examples(count: usize) -> Vec<Example> {
    let ids = |length: usize, salt: usize| -> Vec<i64> {
        (0..length).map(|at| 3 + ((at * 7 + salt * 31) % 90) as i64).collect()
    };
    (0..count)
        .map(|at| Example::new(ids(3 + at * 5 % 17, at), ids(2 + at * 11 % 23, at + 1)))
        .collect()
}

fn model(dropout: f64) -> T5 {
    let config = T5Config {
        num_layers: 2,
        num_decoder_layers: Some(2),
        dropout_rate: dropout,
        ..T5Config::preset(Preset::Nano, VOCABULARY)
    };
    T5::new(config, 5, Device::Cpu).unwrap()
}

/// Mean loss of a token and all gradients of a step of 16 rows, `each` at a time.
fn step(each: usize) -> (f64, Vec<(String, Tensor)>) {
    let model = model(0.0);
    let examples = examples(16);
    let count: usize = examples.iter().map(|example| example.target.len()).sum();
    let mut loss = 0.0;
    for part in examples.chunks(each) {
        let batch = Batch::new(&part.iter().collect::<Vec<_>>(), Device::Cpu).unwrap();
        let weights = batch.labels.ne(-100).to_kind(Kind::Float) / count as f64;
        let (nll, _) = model.learn(&batch, &weights).unwrap();
        loss += (nll.to_kind(Kind::Double) * weights).sum(Kind::Double).double_value(&[]);
    }
    let gradients = model.parameters().into_iter().map(|(name, p)| (name, p.grad()));
    (loss, gradients.collect())
}

#[test]
fn a_step_in_pieces_is_the_step_as_a_whole() {
    tch::set_num_threads(1);
    let (loss, gradients) = step(16);
    for each in [4, 1] {
        let (other, pieces) = step(each);
        assert!((other / loss - 1.0).abs() < 1e-6, "{each}: {other} {loss}");
        for ((name, whole), (_, sum)) in gradients.iter().zip(&pieces) {
            let difference = (whole - sum).abs().max().double_value(&[]);
            let size = whole.abs().max().double_value(&[]);
            assert!(difference <= 1e-6 * size, "{each} {name}: {}", difference / size);
        }
    }
}

/// A run with dropout in `folder`, from wherever it is to its end.
fn run(folder: &Path) {
    tch::set_num_threads(1);
    let items = examples(40).into_iter().enumerate().map(|(at, example)| {
        if at % 3 == 0 {
            Item { pseudocode: vec![example.clone()], code: vec![example] }
        } else {
            Item { pseudocode: Vec::new(), code: vec![example] }
        }
    });
    let data = Dataset::new(items.collect()).unwrap();
    let config = TrainConfig {
        seed: 3,
        batch: 8,
        micro_batch_tokens: Some(160),
        max_steps: Some(40),
        evaluate_every: Some(20),
        checkpoint_every: Some(3),
        log_every: 1,
        ..TrainConfig::demo()
    };
    let trainer = Trainer::new(config, folder).unwrap();
    trainer.train(&model(0.1), &data, &data, &mut |_| {}).unwrap();
}

/// Set for the processes that the next test starts: this program, with that test alone.
const CHILD: &str = "STUDENT_T5_TEST_RUN";

#[test]
fn a_killed_run_ends_bit_for_bit_as_one_that_was_not() {
    if let Some(folder) = env::var_os(CHILD) {
        return run(Path::new(&folder));
    }
    let start = |folder: &Path| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_killed_run_ends_bit_for_bit_as_one_that_was_not"])
            .env(CHILD, folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let begun = SystemTime::now();
    assert!(start(whole.path()).wait().unwrap().success());
    let took = begun.elapsed().unwrap();
    let mut random = begun.duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    let mut kills = 0;
    for _ in 0..6 {
        let mut child = start(killed.path());
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        thread::sleep(took.mul_f64(0.1 + 0.6 * f64::from(random >> 8) / f64::from(1 << 24)));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "no run was slow enough to be killed");
    assert!(start(killed.path()).wait().unwrap().success());
    for file in ["model.safetensors", "training_state.40.safetensors"] {
        let [one, other] =
            [&whole, &killed].map(|folder| fs::read(folder.path().join(file)).unwrap());
        assert!(one == other, "{file} differs after {kills} kills");
    }
    assert!(killed.path().join(STATE_FILE).exists());
}
