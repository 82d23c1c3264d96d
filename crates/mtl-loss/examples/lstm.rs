//! Trains a small LSTM, a model of tch's own, on two tasks with the losses of this crate.
//!
//! It reads digits; task 0 is to repeat each, task 1 to write the last digit of the sum so far. Run
//! with `cargo run --release -p mtl-loss --example lstm`.

use mtl_loss::{MultiTaskLoss, Reduction, Weighting, cross_entropy};
use tch::nn::{self, Module, OptimizerConfig, RNN};
use tch::{Device, Kind, Tensor};

const DIGITS: i64 = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tch::manual_seed(1);
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    // One embedding a task and digit tells the LSTM what is asked.
    let embedding = nn::embedding(&root / "embedding", 2 * DIGITS, 32, Default::default());
    let lstm = nn::lstm(&root / "lstm", 32, 64, Default::default());
    let head = nn::linear(&root / "head", 64, DIGITS, Default::default());

    let weighting = Weighting::fixed([0.5, 0.5]);
    let loss = MultiTaskLoss::new(Reduction::TokenMean, weighting, 2, store.device())?;
    let mut optimizer = nn::Adam::default().build(&store, 5e-3)?;

    for step in 0..300 {
        let digits = Tensor::f_randint(DIGITS, [32, 12], (Kind::Int64, store.device()))?;
        let labels = [digits.shallow_clone(), digits.cumsum(1, Kind::Int64).remainder(DIGITS)];
        let mut inputs = Vec::new();
        for (task, labels) in labels.iter().enumerate() {
            let embedded = embedding.forward(&(&digits + task as i64 * DIGITS));
            let logits = head.forward(&lstm.seq(&embedded).0);
            inputs.push(cross_entropy(&logits, labels, 0.0)?);
        }
        let parts = loss.of_step(&inputs, step)?;
        optimizer.zero_grad();
        parts.total.f_backward()?;
        optimizer.step();
        if step % 50 == 49 {
            println!(
                "step {:3}: repeat {:.3}, sum {:.3}, total {:.3}",
                step + 1,
                parts.tasks[0].double_value(&[]),
                parts.tasks[1].double_value(&[]),
                parts.total.double_value(&[]),
            );
        }
    }
    Ok(())
}
