//! Memory that runs out is an error that names the batch and what to lower. Each case runs in a child
//! process whose address space is limited to little more than it has when the case starts.
#![cfg(target_os = "linux")]

use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use student_core::decode::{DecodeOptions, decode};
use student_core::{
    Batch, Dataset, Example, Item, StudentCoreError, TrainConfig, Trainer, evaluate,
};
use student_t5::{Preset, T5, T5Config};
use tch::Device;

const CASE: &str = "STUDENT_T5_MEMORY_CASE";

/// Lets this process have so many more bytes than now.
fn allow(more: u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let now: u64 = line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap();
    let most = now * 1024 + more;
    setrlimit(Resource::RLIMIT_AS, most, most).unwrap();
}

fn model(vocabulary: i64) -> T5 {
    tch::set_num_threads(1);
    T5::new(T5Config::preset(Preset::Nano, vocabulary), 1, Device::Cpu).unwrap()
}

fn example(length: usize) -> Example {
    Example::new(vec![5; length], vec![6; length])
}

fn decoding(sources: usize, length: usize, beams: usize, more: u64) -> StudentCoreError {
    let model = model(300);
    let examples = vec![example(length); sources];
    let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), Device::Cpu).unwrap();
    let options =
        DecodeOptions { beams, n_best: 1, max_new: 66, min_new: 66, ..DecodeOptions::default() };
    // What is set up once is not what is to fail.
    let small = Batch::new(&[&example(3)], Device::Cpu).unwrap();
    let short = DecodeOptions { beams: 2, max_new: 2, min_new: 2, ..options.clone() };
    decode(&model, &small.source, &small.source_mask, &short).unwrap();
    allow(more);
    decode(&model, &batch.source, &batch.source_mask, &options).unwrap_err()
}

fn dataset(items: usize, length: usize) -> Dataset {
    let item = Item { pseudocode: vec![], code: vec![example(length)] };
    Dataset::new(vec![item; items]).unwrap()
}

fn training(micro_batch_tokens: Option<usize>, vocabulary: i64, more: u64) -> StudentCoreError {
    let model = model(vocabulary);
    let folder = tempfile::tempdir().unwrap();
    let config =
        TrainConfig { batch: 96, micro_batch_tokens, max_steps: Some(2), ..TrainConfig::demo() };
    let trainer = Trainer::new(config, folder.path()).unwrap();
    let none = Dataset::new(vec![]).unwrap();
    allow(more);
    trainer.train(&model, &dataset(96, 512), &none, &mut |_| {}).unwrap_err()
}

fn evaluation(more: u64) -> StudentCoreError {
    let model = model(300);
    let data = dataset(96, 512);
    allow(more);
    evaluate(&model, &data, [0.5, 0.5], 1 << 20).unwrap_err()
}

/// The name of each case, what runs in its child, and what its error says.
type Case = (&'static str, fn() -> StudentCoreError, &'static [&'static str]);

const MB: u64 = 1 << 20;
const CASES: &[Case] = &[
    (
        "the encoder",
        || decoding(64, 512, 4, 200 * MB),
        &[
            "decoding 64 sources of 512 tokens with 4 beams failed after 0 tokens: ",
            "lower the sources of a batch, the beams",
        ],
    ),
    (
        // Keys and values of 256 beams take 768 KB a token; the second page of 64 does not fit.
        "a text that grows",
        || decoding(1, 8, 256, 90 * MB),
        &[
            "decoding 1 sources of 8 tokens with 256 beams failed after 64 tokens: ",
            "out of memory: cannot allocate 8388608 bytes",
        ],
    ),
    (
        "a step",
        || training(None, 300, 400 * MB),
        &[
            "step 1, micro-batch 1 of 1 (code) failed on 96 rows of 512 source and 512 target tokens: ",
            "lower micro_batch_tokens below this batch's 98304",
        ],
    ),
    (
        "a micro-batch",
        || training(Some(49152), 300, 300 * MB),
        &[
            "step 1, micro-batch 1 of 2 (code) failed on 48 rows of 512 source and 512 target tokens: ",
            "lower micro_batch_tokens below this batch's 49152",
        ],
    ),
    (
        // A table of 256 MB, and as much twice again for its moments.
        "the optimizer",
        || training(Some(1024), 500_000, 300 * MB),
        &["the optimizer of 65", "Adafactor"],
    ),
    (
        "an evaluation",
        || evaluation(200 * MB),
        &[
            "the evaluation, batch 1 of 1 (code), failed on 96 rows of 512 source and 512 target tokens: ",
            "lower evaluation_tokens below this batch's 98304",
        ],
    ),
];

#[test]
fn the_batch_is_named_and_what_to_lower() {
    // This test is its own child.
    if let Ok(wanted) = std::env::var(CASE) {
        return in_a_child(&wanted);
    }
    let program = std::env::current_exe().unwrap();
    for (name, _, says) in CASES {
        let child = Command::new(&program)
            .args([
                "--exact",
                "the_batch_is_named_and_what_to_lower",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(CASE, name)
            // Each pool of glibc's takes 64 MB of address space.
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout).into_owned();
        let errors = String::from_utf8_lossy(&child.stderr).into_owned();
        assert!(child.status.success(), "{name}: {}\n{text}\n{errors}", child.status);
        for says in *says {
            assert!(text.contains(says), "{name}: wanted {says:?}:\n{text}");
        }
        assert!(text.contains("memory ran out: "), "{name}: {text}");
    }
}

/// Runs one case, in the child.
fn in_a_child(wanted: &str) {
    let (_, run, _) = CASES.iter().find(|(name, ..)| *name == wanted).unwrap();
    let error = run();
    assert!(error.is_out_of_memory(), "{error}");
    println!("{error}");
    assert_eq!(error.to_string().lines().count(), 1);
}
