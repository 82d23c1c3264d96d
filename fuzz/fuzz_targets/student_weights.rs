//! Any bytes as weights: a file of safetensors, one of torch.save, an index of shards. A model of finite
//! numbers, or an error of one line that names the file.
#![no_main]

use std::cell::LazyCell;
use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use student_t5::T5;
use tch::Device;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/student-t5/tests/fixtures/bin");
const FILES: [&str; 4] = [
    "model.safetensors",
    "pytorch_model.bin",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
];

thread_local! {
    /// A folder with a configuration and a shard for the indices.
    static FOLDER: LazyCell<tempfile::TempDir> = LazyCell::new(|| {
        tch::set_num_threads(1);
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(FIXTURES);
        fs::copy(from.join("config.json"), folder.path().join("config.json")).unwrap();
        fs::copy(from.join("model.safetensors"), folder.path().join("a.safetensors")).unwrap();
        fs::copy(from.join("stream.bin"), folder.path().join("a.bin")).unwrap();
        folder
    });
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else { return };
    FOLDER.with(|folder| {
        let file = folder.path().join(FILES[kind as usize % FILES.len()]);
        fs::write(&file, bytes).unwrap();
        match T5::load(folder.path(), Device::Cpu) {
            Ok(model) => {
                for (name, tensor) in model.named_tensors() {
                    assert!(bool::try_from(tensor.isfinite().all()).unwrap(), "{name}");
                }
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&*folder.path().to_string_lossy()), "{text}");
                assert!(text.chars().all(|character| !character.is_control()), "{text}");
            }
        }
        fs::remove_file(&file).unwrap();
    });
});
