//! Model folders: written, read back, and damaged in every way.

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use common::Fixture;
use student_t5::{T5, T5Error};
use tch::{Device, Kind, Tensor};

fn logits(fixture: &Fixture, model: &T5) -> Tensor {
    let target = fixture.tensor("decoder_input_ids");
    model.logits(fixture.tensor("input_ids"), fixture.tensor("attention_mask"), target).unwrap()
}

/// A folder with the fixture's configuration and these tensors.
fn folder_with(fixture: &Fixture, tensors: &HashMap<String, Tensor>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(Fixture::folder(fixture.name).join("config.json"), folder.path().join("config.json"))
        .unwrap();
    let list: Vec<(&String, &Tensor)> = tensors.iter().collect();
    Tensor::write_safetensors(&list, folder.path().join("model.safetensors")).unwrap();
    folder
}

fn stored(name: &str) -> HashMap<String, Tensor> {
    let path = Fixture::folder(name).join("model.safetensors");
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

fn load(folder: &Path) -> Result<T5, T5Error> {
    T5::load(folder, Device::Cpu)
}

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    for fixture in Fixture::all() {
        let folder = tempfile::tempdir().unwrap();
        fixture.model.save(folder.path()).unwrap();
        let again = load(folder.path()).unwrap();
        let original = stored(fixture.name);
        assert_eq!(again.named_tensors().len(), original.len());
        for (name, tensor) in again.named_tensors() {
            assert!(tensor.equal(&original[name]), "{name}");
        }
        assert!(logits(&fixture, &again).equal(&logits(&fixture, &fixture.model)));
        // The file is one that the format's own reader accepts, with torch's mark.
        let bytes = fs::read(folder.path().join("model.safetensors")).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
        // Writing again changes nothing.
        let second = tempfile::tempdir().unwrap();
        again.save(second.path()).unwrap();
        assert_eq!(bytes, fs::read(second.path().join("model.safetensors")).unwrap());
        assert_eq!(
            fs::read(folder.path().join("config.json")).unwrap(),
            fs::read(second.path().join("config.json")).unwrap()
        );
        let config: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("config.json")).unwrap()).unwrap();
        assert_eq!(config["tie_word_embeddings"], fixture.name == "v10");
        assert_eq!(config["transformers_version"], "5.23.0");
    }
}

#[test]
fn shards_are_read_through_their_index() {
    let fixture = Fixture::load("v11");
    let folder = folder_with(&fixture, &stored("v11"));
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let tensors = stored("v11");
    let mut map = serde_json::Map::new();
    let mut shards: [Vec<(&String, &Tensor)>; 2] = Default::default();
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        shards[index % 2].push((name, tensor));
        map.insert(
            name.clone(),
            format!("model-0000{}-of-00002.safetensors", index % 2 + 1).into(),
        );
    }
    for (index, shard) in shards.iter().enumerate() {
        let name = format!("model-0000{}-of-00002.safetensors", index + 1);
        Tensor::write_safetensors(shard, folder.path().join(name)).unwrap();
    }
    let index = folder.path().join("model.safetensors.index.json");
    let write = |map: &serde_json::Map<String, serde_json::Value>| {
        fs::write(&index, serde_json::json!({"metadata": {}, "weight_map": map}).to_string())
            .unwrap();
    };
    write(&map);
    assert!(
        logits(&fixture, &load(folder.path()).unwrap()).equal(&logits(&fixture, &fixture.model))
    );
    // A tensor that the index forgets, one that it makes up, and a path out of the folder.
    let mut forgets = map.clone();
    forgets.remove("shared.weight");
    write(&forgets);
    assert!(load(folder.path()).unwrap_err().to_string().contains("shared.weight: is not in"));
    let mut made_up = map.clone();
    made_up.insert("extra.weight".into(), "model-00001-of-00002.safetensors".into());
    write(&made_up);
    assert!(load(folder.path()).unwrap_err().to_string().contains("extra.weight: missing"));
    let mut outside = map;
    outside.insert("shared.weight".into(), "../model.safetensors".into());
    write(&outside);
    assert!(load(folder.path()).unwrap_err().to_string().contains("not a file name"));
}

#[test]
fn halves_are_widened() {
    let fixture = Fixture::load("v10");
    for kind in [Kind::Half, Kind::BFloat16, Kind::Double] {
        let tensors =
            stored("v10").into_iter().map(|(name, tensor)| (name, tensor.to_kind(kind))).collect();
        let model = load(folder_with(&fixture, &tensors).path()).unwrap();
        let shared = &model.named_tensors()[0].1;
        assert_eq!(shared.kind(), Kind::Float);
        assert!(shared.equal(&tensors["shared.weight"].to_kind(Kind::Float)));
    }
}

#[test]
fn harmless_extras_of_published_files_are_accepted() {
    let fixture = Fixture::load("v10");
    let mut tensors = stored("v10");
    for copy in ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"] {
        tensors.insert(copy.into(), tensors["shared.weight"].copy());
    }
    tensors.insert(
        "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight".into(),
        Tensor::zeros([32, 4], (Kind::Float, Device::Cpu)),
    );
    let model = load(folder_with(&fixture, &tensors).path()).unwrap();
    assert!(!model.has_own_head());
    assert!(logits(&fixture, &model).equal(&logits(&fixture, &fixture.model)));
    // The table under the encoder's name alone.
    tensors.remove("shared.weight");
    assert!(load(folder_with(&fixture, &tensors).path()).is_ok());
    // A head that differs is a head of its own, whatever the configuration says of tying.
    let mut tensors = stored("v10");
    tensors.insert("lm_head.weight".into(), &tensors["shared.weight"] * 2.0);
    let model = load(folder_with(&fixture, &tensors).path()).unwrap();
    assert!(model.has_own_head());
    // Embeddings that differ are no T5.
    let mut tensors = stored("v10");
    tensors.insert("decoder.embed_tokens.weight".into(), &tensors["shared.weight"] * 2.0);
    let error = load(folder_with(&fixture, &tensors).path()).unwrap_err().to_string();
    assert!(error.contains("decoder.embed_tokens.weight: differs"), "{error}");
}

#[test]
fn every_bad_tensor_is_named() {
    const NAME: &str = "encoder.block.1.layer.0.SelfAttention.k.weight";
    let fixture = Fixture::load("v10");
    let mut cases: Vec<(HashMap<String, Tensor>, String)> = Vec::new();
    let mut case = |change: &dyn Fn(&mut HashMap<String, Tensor>), says: &str| {
        let mut tensors = stored("v10");
        change(&mut tensors);
        cases.push((tensors, says.to_owned()));
    };
    case(&|tensors| drop(tensors.remove(NAME)), &format!("{NAME}: missing"));
    case(
        &|tensors| {
            drop(tensors.insert(
                "encoder.block.3.layer.0.layer_norm.weight".into(),
                Tensor::ones([64], (Kind::Float, Device::Cpu)),
            ))
        },
        "encoder.block.3.layer.0.layer_norm.weight: is not part",
    );
    case(
        &|tensors| drop(tensors.insert(NAME.into(), tensors[NAME].transpose(0, 1).contiguous())),
        &format!("{NAME}: shape [64, 128], wanted [128, 64]"),
    );
    case(
        &|tensors| drop(tensors.insert(NAME.into(), tensors[NAME].to_kind(Kind::Int))),
        &format!("{NAME}: dtype I32"),
    );
    case(
        &|tensors| {
            let mut nan = tensors[NAME].copy();
            let _ = nan.get(3).get(5).fill_(f64::NAN);
            nan = nan.copy();
            tensors.insert(NAME.into(), nan);
        },
        &format!("{NAME}: holds NaN"),
    );
    for (tensors, says) in &cases {
        let error = load(folder_with(&fixture, tensors).path()).unwrap_err().to_string();
        assert!(error.contains(says.as_str()), "{says}: {error}");
    }
    // An untied model without its head.
    let fixture = Fixture::load("v11");
    let mut tensors = stored("v11");
    tensors.remove("lm_head.weight");
    let folder = folder_with(&fixture, &tensors);
    let path = folder.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"),
    )
    .unwrap();
    let error = load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("lm_head.weight: missing"), "{error}");
}

#[test]
fn damaged_files_are_refused_wherever_they_are_cut_or_changed() {
    let fixture = Fixture::load("v11");
    let folder = folder_with(&fixture, &stored("v11"));
    let path = folder.path().join("model.safetensors");
    let good = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    for length in [0, 7, 8, 9, header / 2, header, header + 1, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("model.safetensors"), "{length}: {error}");
    }
    let mut longer = good.clone();
    longer.push(0);
    fs::write(&path, &longer).unwrap();
    assert!(load(folder.path()).unwrap_err().to_string().contains("1 bytes follow"));
    // Any header byte changed: an error or a model, never a panic.
    for at in (0..header).step_by(97) {
        let mut changed = good.clone();
        changed[at] ^= 0x15;
        fs::write(&path, &changed).unwrap();
        let _ = load(folder.path());
    }
    // Claims that do not add up.
    for entry in [
        r#"{"dtype":"F32","shape":[2],"data_offsets":[0,4]}"#,
        r#"{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}"#,
        r#"{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}"#,
        r#"{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551615,3]}"#,
        r#"{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}"#,
        r#"{"dtype":"F32","shape":[100],"data_offsets":[0,400]}"#,
        r#"[]"#,
    ] {
        let header = format!("{{\"shared.weight\":{entry}}}");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 4]);
        fs::write(&path, &bytes).unwrap();
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("shared.weight"), "{entry}: {error}");
    }
    fs::remove_file(&path).unwrap();
    assert!(load(folder.path()).unwrap_err().to_string().contains("holds no weights"));
    fs::write(folder.path().join("pytorch_model.bin"), b"x").unwrap();
    assert!(load(folder.path()).unwrap_err().to_string().contains("pytorch_model.bin"));
    fs::write(folder.path().join("config.json"), "{\"d_model\": \"wide\"}").unwrap();
    assert!(load(folder.path()).unwrap_err().to_string().contains("config.json"));
}
