//! Checkpoints made by transformers, with what it computes from them.

#![allow(dead_code)]

use std::collections::HashMap;
use std::path::PathBuf;

use student_t5::T5;
use tch::{Device, Kind, Tensor};

pub struct Fixture {
    pub name: &'static str,
    pub model: T5,
    pub tensors: HashMap<String, Tensor>,
    pub facts: serde_json::Value,
}

impl Fixture {
    pub fn folder(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    pub fn load(name: &'static str) -> Fixture {
        // Small products: more threads only wait for each other.
        tch::set_num_threads(1);
        let folder = Fixture::folder(name);
        let tensors = Tensor::read_safetensors(folder.join("fixtures.safetensors")).unwrap();
        let facts = std::fs::read_to_string(folder.join("fixtures.json")).unwrap();
        Fixture {
            name,
            model: T5::load(&folder, Device::Cpu).unwrap(),
            tensors: tensors.into_iter().collect(),
            facts: serde_json::from_str(&facts).unwrap(),
        }
    }

    /// T5 v1.0 (ReLU, tied, 3 + 2 layers) and v1.1 (gated GELU, a head of its own).
    pub fn all() -> [Fixture; 2] {
        [Fixture::load("v10"), Fixture::load("v11")]
    }

    pub fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("no {name} in {}", self.name))
    }
}

/// Largest difference relative to the largest wanted number.
pub fn max_relative(ours: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(ours.size(), wanted.size());
    let wanted = wanted.to_kind(Kind::Double);
    let difference = (ours.to_kind(Kind::Double) - &wanted).abs().max().double_value(&[]);
    difference / wanted.abs().max().double_value(&[])
}
