//! Reads a T5 folder, whatever its weights are stored as, and writes it as one file of safetensors:
//! `convert FROM TO`; or writes a model of a preset that has learned nothing: `convert --new PRESET TO`.
//!
//! `FROM` may hold `model.safetensors`, its shards, or a `pytorch_model.bin`, of which only tensors are
//! read and nothing is executed.

use std::path::Path;

use student_t5::{GenerationConfig, Preset, T5, T5Config};
use tch::Device;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, generation, to) = match arguments.as_slice() {
        [new, preset, to] if new == "--new" => {
            let config = T5Config::preset(preset.parse::<Preset>()?, 512);
            (T5::new(config, 1, Device::Cpu)?, GenerationConfig::default(), to)
        }
        [from, to] => {
            let from = Path::new(from);
            (T5::load(from, Device::Cpu)?, GenerationConfig::load(from)?, to)
        }
        _ => return Err("usage: convert FROM TO, or convert --new PRESET TO".into()),
    };
    let to = Path::new(to);
    std::fs::create_dir_all(to)?;
    model.save(to)?;
    generation.save(to, model.config())?;
    println!("{:.1} million parameters in {}", model.parameter_count() as f64 / 1e6, to.display());
    Ok(())
}
