//! Any bytes as a tokenizer: a tokenizer.json, or a vocabulary and merges with a byte 1 between them. Read
//! and usable, or an error of one line that names the file.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use student_t5::Tokenizer;

thread_local! {
    static FOLDERS: LazyCell<[tempfile::TempDir; 2]> =
        LazyCell::new(|| [(); 2].map(|()| tempfile::tempdir().unwrap()));
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else { return };
    FOLDERS.with(|folders| {
        let folder = folders[usize::from(kind % 2)].path();
        if kind % 2 == 0 {
            fs::write(folder.join("tokenizer.json"), bytes).unwrap();
        } else {
            let mut parts = bytes.splitn(2, |&byte| byte == 1);
            for file in ["vocab.json", "merges.txt"] {
                fs::write(folder.join(file), parts.next().unwrap_or_default()).unwrap();
            }
        }
        match Tokenizer::load(folder) {
            Ok(tokenizer) => {
                let size = tokenizer.size() as i64;
                for text in ["", "a", "def f(x):\n    return x + 1 # \u{1f600}"] {
                    // A tokenizer may have no way to write a text.
                    let Ok(encoded) = tokenizer.encode(text, 64) else { continue };
                    assert!(encoded.ids.len() <= 64);
                    assert!(encoded.ids.iter().all(|id| (0..size).contains(id)));
                    let _ = tokenizer.decode(&encoded.ids);
                }
                let _ = tokenizer.decode(&[-1, 0, 1, size, i64::MAX]);
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&*folder.to_string_lossy()), "{text}");
                assert!(text.chars().all(|character| !character.is_control()), "{text}");
            }
        }
    });
});
