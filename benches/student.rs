//! One training step and one beam-5 answer of a nano T5, on one thread.
#![allow(missing_docs)] // criterion's macros make public items

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use student_core::decode::{DecodeOptions, decode};
use student_core::optimizer::{AdamSettings, AdamW};
use student_core::{Batch, Trainable};
use student_t5::{Preset, T5, T5Config};
use tch::{Device, Kind, Tensor};

const VOCABULARY: i64 = 4096;

fn ids(rows: i64, length: i64) -> Tensor {
    tch::manual_seed(7);
    Tensor::randint_low(10, VOCABULARY, [rows, length], (Kind::Int64, Device::Cpu))
}

fn training(c: &mut Criterion) {
    tch::set_num_threads(1);
    let (rows, length) = (16, 128);
    let model = T5::new(T5Config::preset(Preset::Nano, VOCABULARY), 1, Device::Cpu).unwrap();
    let mut optimizer = AdamW::new(model.parameters(), AdamSettings::default()).unwrap();
    let batch = Batch {
        source: ids(rows, length),
        source_mask: Tensor::ones([rows, length], (Kind::Int64, Device::Cpu)),
        labels: ids(rows, length),
    };
    let mut group = c.benchmark_group("train_step");
    group.sample_size(10).throughput(Throughput::Elements((2 * rows * length) as u64));
    group.bench_function("nano_16x128+128", |b| {
        b.iter(|| {
            let (nll, mask) = model.token_nll(&batch, true).unwrap();
            let loss = (nll * &mask).sum(Kind::Float) / mask.sum(Kind::Float);
            loss.backward();
            optimizer.step(1e-4, 1.0).unwrap();
        });
    });
    group.finish();
}

fn answering(c: &mut Criterion) {
    tch::set_num_threads(1);
    let model = T5::new(T5Config::preset(Preset::Nano, VOCABULARY), 1, Device::Cpu).unwrap();
    let source = ids(1, 64);
    let mask = Tensor::ones([1, 64], (Kind::Int64, Device::Cpu));
    let options = DecodeOptions { beams: 5, max_new: 64, min_new: 64, ..DecodeOptions::default() };
    let mut group = c.benchmark_group("answer");
    group.sample_size(10).throughput(Throughput::Elements(64));
    group.bench_function("nano_beam5_64_tokens", |b| {
        b.iter(|| decode(&model, &source, &mask, &options).unwrap());
    });
    group.finish();
}

criterion_group!(benches, training, answering);
criterion_main!(benches);
