//! AdamW and clipping beside those of libtorch itself.

use student_core::optimizer::{Adafactor, AdafactorSettings, AdamSettings, AdamW, clip_factor};
use tch::nn::{self, OptimizerConfig};
use tch::{Device, Kind, Tensor};

/// Shapes with an awkward layout, one value, and more elements than are updated together.
fn initial() -> Vec<Tensor> {
    tch::set_num_threads(1);
    tch::manual_seed(11);
    let options = (Kind::Float, Device::Cpu);
    vec![
        Tensor::randn([270_000], options),
        Tensor::randn([30, 40], options),
        Tensor::randn([5, 7], options).transpose(0, 1),
        Tensor::randn([] as [i64; 0], options),
    ]
}

/// A loss whose gradients change from step to step and differ by orders of magnitude.
fn loss(parameters: &[Tensor], step: i64) -> Tensor {
    let parts: Vec<Tensor> = parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| {
            let wave = (parameter * (1.0 + index as f64) + step as f64 * 0.3).sin();
            (wave * parameter).sum(Kind::Float) * 10f64.powi(index as i32 - 2)
        })
        .collect();
    Tensor::stack(&parts, 0).sum(Kind::Float)
}

/// The largest difference between ours and libtorch's after some steps, in relation to the values.
fn difference(settings: AdamSettings, clip: Option<f64>) -> f64 {
    let store = nn::VarStore::new(Device::Cpu);
    let theirs: Vec<Tensor> = initial()
        .iter()
        .enumerate()
        .map(|(index, tensor)| store.root().var_copy(&format!("p{index}"), tensor))
        .collect();
    let config = nn::AdamW {
        beta1: settings.beta1,
        beta2: settings.beta2,
        wd: settings.weight_decay,
        eps: settings.epsilon,
        amsgrad: false,
    };
    let mut reference = config.build(&store, 1e-2).unwrap();

    let ours: Vec<Tensor> =
        initial().into_iter().map(|tensor| tensor.set_requires_grad(true)).collect();
    let named = ours.iter().map(|tensor| ("p".to_owned(), tensor.shallow_clone())).collect();
    let mut optimizer = AdamW::new(named, settings).unwrap();
    for step in 0..8 {
        let rate = 1e-2 / (1.0 + step as f64);
        reference.set_lr(rate);
        reference.zero_grad();
        loss(&theirs, step).backward();
        if let Some(limit) = clip {
            reference.clip_grad_norm(limit);
        }
        reference.step();

        loss(&ours, step).backward();
        let norm = optimizer.gradient_norm().unwrap();
        let expected: f64 = ours
            .iter()
            .map(|tensor| tensor.grad().square().sum(Kind::Double).double_value(&[]))
            .sum::<f64>()
            .sqrt();
        assert!((norm - expected).abs() < 1e-5 * expected, "{norm} {expected}");
        let scale = clip.map_or(1.0, |limit| clip_factor(norm, limit));
        assert!(clip.is_none() || scale < 1.0, "clipping must be at work");
        optimizer.step(rate, scale).unwrap();
        let left = ours.iter().map(|tensor| tensor.grad().abs().max().double_value(&[]));
        assert_eq!(left.fold(0.0, f64::max), 0.0, "gradients are used up");
    }
    assert_eq!(optimizer.steps(), 8);
    ours.iter()
        .zip(&theirs)
        .map(|(a, b)| {
            let moved = (a - b).abs().max().double_value(&[]);
            moved / b.abs().max().double_value(&[])
        })
        .fold(0.0, f64::max)
}

#[test]
fn adamw_is_that_of_libtorch() {
    // The two compute β·m + (1−β)·g and m + (1−β)·(g − m), equal but for the last bits.
    let default = AdamSettings::default();
    for settings in [
        default,
        AdamSettings { weight_decay: 0.1, ..default },
        AdamSettings { beta1: 0.5, beta2: 0.9, epsilon: 1e-3, weight_decay: 0.01, ..default },
    ] {
        for clip in [None, Some(0.5)] {
            let difference = difference(settings, clip);
            assert!(difference < 1e-6, "{settings:?} {clip:?}: {difference}");
        }
    }
}

#[test]
fn the_first_steps_of_adamw_by_hand() {
    // p = 1, g = 2p, rate 0.1, decay 0.5: after one step m̂ = g, v̂ = g², so the step is the rate.
    let parameter = Tensor::from_slice(&[1.0f64]).set_requires_grad(true);
    let settings = AdamSettings { weight_decay: 0.5, epsilon: 1e-12, ..AdamSettings::default() };
    let named = vec![("p".to_owned(), parameter.shallow_clone())];
    let mut optimizer = AdamW::new(named, settings).unwrap();
    let (mut p, mut m, mut v) = (1.0f64, 0.0f64, 0.0f64);
    for step in 1..=5 {
        (&parameter * &parameter).sum(Kind::Double).backward();
        optimizer.step(0.1, 1.0).unwrap();
        let g = 2.0 * p;
        (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
        let (mean, square) = (m / (1.0 - 0.9f64.powi(step)), v / (1.0 - 0.999f64.powi(step)));
        p = p * (1.0 - 0.1 * 0.5) - 0.1 * mean / (square.sqrt() + 1e-12);
        let found = parameter.double_value(&[0]);
        assert!((found - p).abs() < 1e-12, "{step}: {found} {p}");
    }
    assert!((p - 0.4).abs() < 0.2);
}

#[test]
fn vectors_and_chosen_parameters_can_be_spared_decay() {
    let ones =
        |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let (matrix, vector, other) = (ones(&[2, 2]), ones(&[4]), ones(&[2, 2]));
    let settings =
        AdamSettings { weight_decay: 0.5, decay_vectors: false, ..AdamSettings::default() };
    let named = [("matrix", &matrix), ("vector", &vector)];
    let named = named.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
    let mut optimizer = AdamW::new(named.into(), settings).unwrap();
    optimizer.add_without_decay("other", other.shallow_clone()).unwrap();
    // No gradient counts as zero: what moves, moves by decay alone.
    optimizer.step(0.1, 1.0).unwrap();
    let value = |tensor: &Tensor| tensor.view(-1).double_value(&[0]);
    assert!((value(&matrix) - 0.95).abs() < 1e-6);
    assert_eq!((value(&vector), value(&other)), (1.0, 1.0));
}

#[test]
fn settings_out_of_range_are_refused() {
    let default = AdamSettings::default();
    for settings in [
        AdamSettings { beta1: 1.0, ..default },
        AdamSettings { beta2: -0.1, ..default },
        AdamSettings { epsilon: 0.0, ..default },
        AdamSettings { weight_decay: f64::NAN, ..default },
    ] {
        assert!(AdamW::new(Vec::new(), settings).is_err(), "{settings:?}");
    }
}

#[test]
fn adafactor_is_that_of_transformers() {
    tch::set_num_threads(1);
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/adafactor.json")).unwrap();
    let numbers =
        |value: &serde_json::Value| -> Vec<f32> { serde_json::from_value(value.clone()).unwrap() };
    for (name, scale_by_size, weight_decay) in [("scaled", true, 0.0), ("plain", false, 0.01)] {
        let parameters: Vec<(String, Tensor)> = (0..4)
            .map(|index| {
                let shape: Vec<i64> =
                    serde_json::from_value(golden["shapes"][index].clone()).unwrap();
                let start = Tensor::from_slice(&numbers(&golden["start"][index]));
                (index.to_string(), start.view(&shape[..]).set_requires_grad(true))
            })
            .collect();
        let settings =
            AdafactorSettings { scale_by_size, weight_decay, ..AdafactorSettings::default() };
        let named = parameters.iter().map(|(n, p)| (n.clone(), p.shallow_clone())).collect();
        let mut optimizer = Adafactor::new(named, settings).unwrap();
        for step in 0..6 {
            for (index, (_, parameter)) in parameters.iter().enumerate() {
                // A loss whose gradient is this.
                let wave = (parameter.detach() * (index + 1) as f64 + 0.3 * step as f64).sin();
                let gradient = wave * 10f64.powi(index as i32 - 1);
                (parameter * gradient).sum(Kind::Float).backward();
            }
            optimizer.step(1e-2, 1.0).unwrap();
            for (index, (_, parameter)) in parameters.iter().enumerate() {
                let wanted = numbers(&golden["cases"][name][step][index]);
                let found = Vec::<f32>::try_from(parameter.detach().reshape([-1])).unwrap();
                for (found, wanted) in found.iter().zip(wanted) {
                    let off = (found - wanted).abs();
                    assert!(off <= 2e-6, "{name} {step} {index}: {found} {wanted}");
                }
                assert_eq!(parameter.grad().abs().max().double_value(&[]), 0.0);
            }
        }
    }
    let bad = AdafactorSettings { decay: 0.5, ..AdafactorSettings::default() };
    assert!(Adafactor::new(Vec::new(), bad).is_err());
}
