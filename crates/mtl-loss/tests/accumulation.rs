//! A step cut into micro-batches has the loss and the gradients of the whole.

use mtl_loss::{Counts, MultiTaskLoss, Reduction, Weighting, cross_entropy};
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

const VOCABULARY: i64 = 11;
const LENGTH: i64 = 6;

/// A model of one matrix: logits of every position from random features.
struct Model {
    weight: Tensor,
    features: [Tensor; 2],
    labels: [Tensor; 2],
}

impl Model {
    /// Two tasks of `rows` examples with targets of very different lengths.
    fn new(seed: i64, rows: i64, empty: bool) -> Model {
        // Threads cost more than they bring at this size.
        tch::set_num_threads(1);
        let options = (Kind::Double, Device::Cpu);
        // Cosines of large numbers: as good as random, and no generator to share with other tests.
        let noise = |shape: &[i64], salt: i64| {
            let n = shape.iter().product::<i64>();
            ((Tensor::arange(n, options) + (seed * 31 + salt) as f64) * 12_345.678)
                .cos()
                .view(shape)
        };
        let features = [1, 2].map(|task| noise(&[rows, LENGTH, 5], task * 100));
        let labels = [0i64, 1].map(|task| {
            let ids: Vec<i64> = (0..rows * LENGTH)
                .map(|index| {
                    let (row, position) = (index / LENGTH, index % LENGTH);
                    // A task without any token in the whole step, if asked for.
                    let length = if empty && task == 1 { 0 } else { (row * (task + 2) + seed) % 7 };
                    if position < length { (index * 7 + seed) % VOCABULARY } else { -100 }
                })
                .collect();
            Tensor::from_slice(&ids).view([rows, LENGTH])
        });
        let weight = noise(&[5, VOCABULARY], 7).set_requires_grad(true);
        Model { weight, features, labels }
    }

    fn nll(&self, task: usize, start: i64, rows: i64) -> (Tensor, Tensor) {
        let features = self.features[task].narrow(0, start, rows);
        let labels = self.labels[task].narrow(0, start, rows);
        cross_entropy(&features.matmul(&self.weight), &labels, 0.1).unwrap()
    }

    /// Total, losses of the tasks, and the gradient, with `size` rows a micro-batch.
    fn step(&self, loss: &MultiTaskLoss, rows: i64, size: i64) -> (f64, [f64; 2], Tensor) {
        let counts = [0, 1].map(|task| Counts::of(&self.labels[task].ne(-100)).unwrap());
        let mut total = 0.0;
        let mut tasks = [0.0; 2];
        for (task, sum) in tasks.iter_mut().enumerate() {
            for start in (0..rows).step_by(size as usize) {
                let (nll, mask) = self.nll(task, start, size.min(rows - start));
                let (weighted, share) = loss.of_micro_batch(&nll, &mask, task, &counts, 0).unwrap();
                weighted.f_backward().unwrap();
                total += weighted.double_value(&[]);
                *sum += share.double_value(&[]);
            }
        }
        let gradient = self.weight.grad().copy();
        let _ = self.weight.grad().zero_();
        (total, tasks, gradient)
    }
}

fn check(reduction: Reduction, seed: i64, rows: i64, sizes: &[i64], empty: bool) {
    let model = Model::new(seed, rows, empty);
    let weighting = Weighting::fixed([0.3, 0.7]);
    let loss = MultiTaskLoss::new(reduction, weighting, 2, Device::Cpu).unwrap();
    let parts = loss.of_step(&[model.nll(0, 0, rows), model.nll(1, 0, rows)], 0).unwrap();
    parts.total.f_backward().unwrap();
    let expected = model.weight.grad().copy();
    let _ = model.weight.grad().zero_();
    assert!(parts.total.double_value(&[]).is_finite());
    for &size in sizes {
        let (total, tasks, gradient) = model.step(&loss, rows, size);
        let close = |a: f64, b: f64| {
            assert!((a - b).abs() <= 1e-9 * (1.0 + b.abs()), "{reduction:?} {size}: {a} {b}");
        };
        close(total, parts.total.double_value(&[]));
        for (task, found) in tasks.into_iter().enumerate() {
            close(found, parts.tasks[task].double_value(&[]));
        }
        let difference = (&gradient - &expected).abs().max().double_value(&[]);
        close(difference, 0.0);
    }
}

const ALL: [Reduction; 4] =
    [Reduction::TokenMean, Reduction::Sum, Reduction::ExampleMean, Reduction::GlobalTokenMean];

#[test]
fn sixteen_at_once_by_fours_and_one_by_one() {
    for reduction in ALL {
        check(reduction, 3, 16, &[16, 4, 1], false);
    }
}

#[test]
fn a_task_without_tokens_leaves_the_other_as_it_is() {
    for reduction in ALL {
        check(reduction, 3, 8, &[8, 3, 1], true);
    }
}

#[test]
fn means_of_micro_batches_would_be_another_loss() {
    // What this crate is careful to avoid really makes a difference on this data.
    let model = Model::new(3, 16, false);
    let mean = |start, rows| {
        let (nll, mask) = model.nll(0, start, rows);
        nll.sum(Kind::Double).double_value(&[]) / mask.sum(Kind::Double).double_value(&[])
    };
    let of_means = (0..4).map(|part| mean(part * 4, 4)).sum::<f64>() / 4.0;
    assert!((of_means - mean(0, 16)).abs() > 1e-3);
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(
        seed in 0i64..1000, rows in 1i64..12, size in 1i64..12, reduction in 0usize..4,
    ) {
        check(ALL[reduction], seed, rows, &[size], false);
    }
}
