//! Files that torch.save wrote, in every form, and what must be refused. Made by
//! `tests/fixtures/bins.py` with torch 2.11.0.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use student_t5::T5;
use tch::{Device, Kind, Tensor};

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin")
}

/// A folder with the fixture's configuration and this file as its weights.
fn folder_with(bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixtures().join("config.json"), folder.path().join("config.json")).unwrap();
    fs::write(folder.path().join("pytorch_model.bin"), bytes).unwrap();
    folder
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name).with_extension("bin")).unwrap()
}

fn load(folder: &Path) -> Result<T5, String> {
    T5::load(folder, Device::Cpu).map_err(|error| error.to_string())
}

fn wanted() -> HashMap<String, Tensor> {
    Tensor::read_safetensors(fixtures().join("model.safetensors")).unwrap().into_iter().collect()
}

#[test]
fn every_form_gives_the_same_tensors() {
    for (name, kind) in [
        ("zip", Kind::Float),
        ("stream", Kind::Float),
        ("parameters", Kind::Float),
        ("double", Kind::Float),
        ("strided", Kind::Float),
        ("strided-stream", Kind::Float),
        ("half", Kind::Half),
        ("bfloat16", Kind::BFloat16),
    ] {
        let folder = folder_with(&bytes(name));
        let model = load(folder.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let wanted = wanted();
        assert_eq!(model.named_tensors().len(), wanted.len());
        for (tensor, found) in model.named_tensors() {
            let rounded = wanted[tensor].to_kind(kind).to_kind(Kind::Float);
            assert!(found.equal(&rounded), "{name}: {tensor}");
        }
    }
}

#[test]
fn shards_are_read_through_their_index() {
    // Both shards are whole files: each tensor is taken from the one that the index names.
    let folder = folder_with(&bytes("zip"));
    fs::remove_file(folder.path().join("pytorch_model.bin")).unwrap();
    fs::write(folder.path().join("pytorch_model-00001-of-00001.bin"), bytes("strided")).unwrap();
    let map: serde_json::Map<String, serde_json::Value> = wanted()
        .into_keys()
        .map(|name| (name, "pytorch_model-00001-of-00001.bin".into()))
        .collect();
    let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
    fs::write(folder.path().join("pytorch_model.bin.index.json"), index).unwrap();
    load(folder.path()).unwrap();
}

#[test]
fn safetensors_go_before_a_bin() {
    let folder = folder_with(&bytes("danger"));
    fs::copy(fixtures().join("model.safetensors"), folder.path().join("model.safetensors"))
        .unwrap();
    load(folder.path()).unwrap();
}

#[test]
fn objects_are_refused_and_nothing_is_executed() {
    for (name, says) in [
        ("danger", "posix.system"),
        ("danger-stream", "posix.system"),
        ("module", "torch.nn.modules.sparse.Embedding"),
        ("numbers", "no dictionary of tensors"),
        ("list", "wanted a dictionary of tensors"),
        ("complex", "torch.ComplexFloatStorage"),
        ("sparse", "_rebuild_sparse_tensor"),
        ("nan", "shared.weight: holds NaN"),
    ] {
        let folder = folder_with(&bytes(name));
        let error = load(folder.path()).unwrap_err();
        assert!(error.contains(says), "{name}: {error}");
        assert!(error.contains("pytorch_model.bin"), "{name}: {error}");
        assert_eq!(error.lines().count(), 1, "{name}: {error}");
    }
    assert!(!Path::new("executed").exists());
}

#[test]
fn a_truncated_file_is_an_error_whatever_its_length() {
    for name in ["strided", "strided-stream"] {
        let whole = bytes(name);
        for length in (0..whole.len()).step_by(131) {
            let folder = folder_with(&whole[..length]);
            assert!(load(folder.path()).is_err(), "{name} {length}");
        }
    }
    let folder = folder_with(&[bytes("stream"), vec![0; 3]].concat());
    assert!(load(folder.path()).unwrap_err().contains("3 bytes follow"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever is changed in a file, reading it ends, with a model or an error.
    #[test]
    fn changed_files_do_no_harm(
        stream: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = bytes(if stream { "strided-stream" } else { "strided" });
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let folder = folder_with(&bytes);
        let _ = load(folder.path());
    }
}
