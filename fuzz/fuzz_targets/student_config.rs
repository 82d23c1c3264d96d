//! Any bytes as a configuration of a student: of its shape, its decoding, its tokenizer. Read, or an error
//! of one line that names the file.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use student_t5::{GenerationConfig, T5Config, T5Student, Tokenizer};
use tch::Device;

const FILES: [&str; 3] = ["config.json", "generation_config.json", "tokenizer_config.json"];

struct Good {
    folder: tempfile::TempDir,
    files: [Vec<u8>; 3],
}

thread_local! {
    /// A whole student of a few kilobytes.
    static GOOD: LazyCell<Good> = LazyCell::new(|| {
        tch::set_num_threads(1);
        let texts = ["return x + x", "return x + y", "def f(x): return x"];
        let config = T5Config {
            vocab_size: 290,
            d_model: 8,
            d_kv: 4,
            d_ff: 12,
            num_layers: 1,
            num_heads: 2,
            eos_token_id: 2,
            ..T5Config::default()
        };
        let tokenizer = Tokenizer::train(texts, 280).unwrap();
        let mut student = T5Student::new(config, tokenizer, 1, Device::Cpu).unwrap();
        student.generation = GenerationConfig::beams(2, 16);
        let folder = tempfile::tempdir().unwrap();
        student.save(folder.path()).unwrap();
        let files = FILES.map(|file| fs::read(folder.path().join(file)).unwrap());
        Good { folder, files }
    });
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else { return };
    let kind = kind as usize % FILES.len();
    GOOD.with(|good| {
        let folder = good.folder.path();
        let file = folder.join(FILES[kind]);
        fs::write(&file, bytes).unwrap();
        match T5Student::load(folder, Device::Cpu) {
            Ok(student) => {
                let config = student.model.config();
                config.validate().unwrap();
                student.generation.options(config).unwrap();
                assert!(student.longest_source > 2);
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&*folder.to_string_lossy()), "{text}");
                assert!(text.chars().all(|character| !character.is_control()), "{text}");
            }
        }
        fs::write(&file, &good.files[kind]).unwrap();
    });
});
