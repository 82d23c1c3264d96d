//! Every way in which a student's folder can be wrong gives one clear error: one line that names the
//! file and says what was found or wanted. Each case breaks a good folder in one place.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use student_t5::{GenerationConfig, T5, T5Config, T5Student, Tokenizer};
use tch::{Device, Kind, Tensor};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const BIN: &str = "pytorch_model.bin";
const BIN_INDEX: &str = "pytorch_model.bin.index.json";
const TOKENIZER: &str = "tokenizer.json";
const SETTINGS: &str = "tokenizer_config.json";
const GENERATION: &str = "generation_config.json";
/// Some tensor that every folder here has.
const TENSOR: &str = "decoder.block.0.layer.2.DenseReluDense.wo.weight";

/// What is done to a folder, the file that the error must name, and what it must say.
struct Case {
    name: String,
    change: Box<dyn Fn(&Path)>,
    file: &'static str,
    says: String,
}

fn case(
    name: impl ToString,
    file: &'static str,
    says: impl ToString,
    change: impl Fn(&Path) + 'static,
) -> Case {
    let (name, says) = (name.to_string(), says.to_string());
    Case { name, change: Box::new(change), file, says }
}

/// A student whose files are a few kilobytes long.
fn good() -> tempfile::TempDir {
    let texts = ["return x + x", "return x + y", "def f(x): return x"];
    let tokenizer = Tokenizer::train(texts, 280).unwrap();
    let config = T5Config {
        vocab_size: 290,
        d_model: 8,
        d_kv: 4,
        d_ff: 12,
        num_layers: 1,
        num_decoder_layers: Some(1),
        num_heads: 2,
        eos_token_id: 2,
        ..T5Config::default()
    };
    let mut student = T5Student::new(config, tokenizer, 1, Device::Cpu).unwrap();
    student.generation = GenerationConfig::beams(2, 16);
    let folder = tempfile::tempdir().unwrap();
    student.save(folder.path()).unwrap();
    folder
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin")
}

/// A folder whose weights are a file of torch.save, without a tokenizer.
fn good_bin() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixtures().join(CONFIG), folder.path().join(CONFIG)).unwrap();
    fs::copy(fixtures().join("zip.bin"), folder.path().join(BIN)).unwrap();
    folder
}

/// Applies every case to a copy of the good folder and reads it.
fn check(
    cases: Vec<Case>,
    good: impl Fn() -> tempfile::TempDir,
    read: fn(&Path) -> student_t5::Result<()>,
) {
    let untouched = good();
    read(untouched.path()).unwrap();
    let mut wrong = Vec::new();
    for Case { name, change, file, says } in cases {
        let folder = good();
        change(folder.path());
        match read(folder.path()) {
            Ok(()) => wrong.push(format!("{name}: accepted")),
            Err(error) => {
                let text = error.to_string();
                let named = text.contains(&format!("{}/{file}", folder.path().display()))
                    || file.is_empty() && text.contains(&folder.path().display().to_string());
                if !named || !text.contains(&says) || text.lines().count() != 1 {
                    wrong.push(format!("{name}: wanted {file} and {says:?}: {text}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn read_student(folder: &Path) -> student_t5::Result<()> {
    T5Student::load(folder, Device::Cpu).map(drop)
}

fn read_model(folder: &Path) -> student_t5::Result<()> {
    T5::load(folder, Device::Cpu).map(drop)
}

fn write(folder: &Path, file: &str, text: impl AsRef<[u8]>) {
    fs::write(folder.join(file), text).unwrap();
}

fn read_json(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap()
}

fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = read_json(folder, file);
    change(&mut value);
    write(folder, file, value.to_string());
}

/// Cases that any JSON file must refuse.
fn not_json(file: &'static str) -> Vec<Case> {
    vec![
        case(format!("{file} empty"), file, "EOF", move |folder| write(folder, file, "")),
        case(format!("{file} cut"), file, "EOF", move |folder| {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            write(folder, file, &text[..text.len() / 2]);
        }),
        case(format!("{file} no JSON"), file, "line 1", move |folder| {
            write(folder, file, "d_model: 8\n");
        }),
        case(format!("{file} two values"), file, "trailing", move |folder| {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            write(folder, file, format!("{text}\n{{}}"));
        }),
        case(format!("{file} no UTF-8"), file, "UTF-8", move |folder| {
            write(folder, file, b"{\"a\": \"\xff\"}");
        }),
        case(format!("{file} a list"), file, "", move |folder| write(folder, file, "[1]")),
        case(format!("{file} a folder"), file, "cannot read", move |folder| {
            fs::remove_file(folder.join(file)).unwrap();
            fs::create_dir(folder.join(file)).unwrap();
        }),
    ]
}

#[test]
fn configurations() {
    let mut cases = not_json(CONFIG);
    cases.push(case("missing", CONFIG, "No such file", |folder| {
        fs::remove_file(folder.join(CONFIG)).unwrap();
    }));
    let values: &[(&str, &[Value], &str)] = &[
        ("vocab_size", &[json!(0), json!(-1), json!(1u64 << 40)], "wanted 1 to"),
        ("d_model", &[json!(0), json!(-8), json!(i64::MAX)], "wanted 1 to"),
        ("d_kv", &[json!(0), json!(i64::MIN)], "wanted 1 to"),
        ("d_ff", &[json!(0), json!(1u64 << 40)], "wanted 1 to"),
        ("num_heads", &[json!(0), json!(-2)], "wanted 1 to"),
        ("num_layers", &[json!(0), json!(100_000)], "wanted"),
        ("num_decoder_layers", &[json!(0), json!(-1), json!(100_000)], "wanted"),
        ("relative_attention_num_buckets", &[json!(0), json!(-4), json!(6)], "multiple of 4"),
        ("relative_attention_max_distance", &[json!(0), json!(16)], "more than half"),
        ("dropout_rate", &[json!(-0.1), json!(1), json!(7.5)], "wanted 0 to below 1"),
        ("layer_norm_epsilon", &[json!(0), json!(-1e-6)], "wanted more than 0"),
        ("initializer_factor", &[json!(0), json!(-1)], "wanted more than 0"),
        ("pad_token_id", &[json!(-1), json!(290)], "outside the vocabulary of 290"),
        ("eos_token_id", &[json!(-1), json!(290)], "outside the vocabulary of 290"),
        ("decoder_start_token_id", &[json!(-1), json!(290)], "outside the vocabulary of 290"),
        ("model_type", &[json!("bart"), json!(5)], "wanted \"t5\""),
        ("feed_forward_proj", &[json!("swish"), json!("")], "known: relu"),
        // Contradictions.
        ("dense_act_fn", &[json!("gelu_new"), json!(3)], "wanted \"relu\""),
        ("is_gated_act", &[json!(true)], "wanted false"),
        ("is_encoder_decoder", &[json!(false)], "wanted true"),
    ];
    for (key, values, says) in values {
        for value in *values {
            let change = {
                let (key, value) = (key.to_string(), value.clone());
                move |folder: &Path| edit(folder, CONFIG, |config| config[&key] = value.clone())
            };
            cases.push(case(format!("{key} = {value}"), CONFIG, says, change));
        }
    }
    // Of the wrong type: the key is named.
    for (key, value) in [
        ("d_model", json!("wide")),
        ("d_model", json!(8.5)),
        ("d_model", json!(null)),
        ("d_model", json!([8])),
        ("vocab_size", json!(1e300)),
        ("num_decoder_layers", json!(true)),
        ("dropout_rate", json!("0.1")),
        ("tie_word_embeddings", json!("yes")),
        ("scale_decoder_outputs", json!(1)),
        ("feed_forward_proj", json!(["relu"])),
        ("pad_token_id", json!(null)),
        ("eos_token_id", json!([2])),
    ] {
        cases.push(case(format!("{key} = {value}"), CONFIG, format!("{key}: "), move |folder| {
            edit(folder, CONFIG, |config| config[key] = value.clone());
        }));
    }
    cases.push(case("a number too large", CONFIG, "number out of range", |folder| {
        write(folder, CONFIG, "{\"dropout_rate\": 1e999}");
    }));
    cases.push(case("a key twice", CONFIG, "duplicate field `d_model`", |folder| {
        let text = fs::read_to_string(folder.join(CONFIG)).unwrap();
        write(folder, CONFIG, text.replacen('{', "{\"d_model\": 16,", 1));
    }));
    // No stack is used up by depth.
    cases.push(case("deep", CONFIG, "recursion", |folder| {
        write(folder, CONFIG, "{\"a\":".repeat(1 << 20));
    }));
    check(cases, good, read_student);
}

/// Of another shape than the weights: the tensor is named with both shapes.
#[test]
fn configurations_of_other_weights() {
    let mut cases = Vec::new();
    for (key, value, file, says) in [
        ("vocab_size", json!(300), WEIGHTS, "shared.weight: shape [290, 8], wanted [300, 8]"),
        ("d_model", json!(16), WEIGHTS, "shared.weight: shape [290, 8], wanted [290, 16]"),
        ("d_kv", json!(8), WEIGHTS, "q.weight: shape [8, 8], wanted [16, 8]"),
        ("d_ff", json!(1 << 24), WEIGHTS, "wanted [16777216, 8]"),
        ("num_heads", json!(1 << 24), WEIGHTS, "wanted [67108864, 8]"),
        (
            "num_layers",
            json!(2),
            WEIGHTS,
            "encoder.block.1.layer.0.SelfAttention.q.weight: missing",
        ),
        ("num_decoder_layers", json!(1024), WEIGHTS, "decoder.block.1.layer.0"),
        ("relative_attention_num_buckets", json!(16), WEIGHTS, "wanted [16, 2]"),
        ("feed_forward_proj", json!("gated-gelu"), WEIGHTS, "is not part of a model"),
        ("tie_word_embeddings", json!(false), WEIGHTS, "lm_head.weight: missing"),
        // The tokenizer has 280 tokens at most, and ends its texts with 2.
        ("vocab_size", json!(264), TOKENIZER, "and the model only 264"),
        ("eos_token_id", json!(3), TOKENIZER, "the model's eos_token_id is 3"),
        ("pad_token_id", json!(3), TOKENIZER, "the model's pad_token_id is 3"),
    ] {
        cases.push(case(format!("{key} = {value}"), file, says, move |folder| {
            edit(folder, CONFIG, |config| config[key] = value.clone());
        }));
    }
    cases.push(case("fewer layers", WEIGHTS, "is not part of a model of this config", |folder| {
        let mut config = read_json(folder, CONFIG);
        config["num_layers"] = json!(2);
        let config: T5Config = serde_json::from_value(config).unwrap();
        T5::new(config, 1, Device::Cpu).unwrap().save(&folder.join("deeper")).unwrap();
        fs::rename(folder.join("deeper").join(WEIGHTS), folder.join(WEIGHTS)).unwrap();
    }));
    check(cases, good, read_student);
}

fn tensors(folder: &Path) -> Vec<(String, Tensor)> {
    Tensor::read_safetensors(folder.join(WEIGHTS)).unwrap()
}

fn write_tensors(path: PathBuf, tensors: &[(String, Tensor)]) {
    let list: Vec<(&String, &Tensor)> =
        tensors.iter().map(|(name, tensor)| (name, tensor)).collect();
    Tensor::write_safetensors(&list, path).unwrap();
}

/// Changes one tensor of the file of weights, or takes it out.
fn edit_tensor(folder: &Path, change: impl Fn(&Tensor) -> Option<Tensor>) {
    let changed: Vec<(String, Tensor)> = tensors(folder)
        .into_iter()
        .filter_map(|(name, tensor)| {
            let tensor = if name == TENSOR { change(&tensor)? } else { tensor };
            Some((name, tensor))
        })
        .collect();
    write_tensors(folder.join(WEIGHTS), &changed);
}

/// A file of weights with this header and so many bytes of numbers.
fn safetensors(header: &str, numbers: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + numbers, 0);
    bytes
}

#[test]
fn tensors_of_safetensors() {
    let at = |says: &str| format!("{TENSOR}: {says}");
    let mut cases = vec![
        case("missing", WEIGHTS, at("missing, wanted with shape [8, 12]"), |folder| {
            edit_tensor(folder, |_| None);
        }),
        case("extra", WEIGHTS, "bonus.weight: is not part of a model", |folder| {
            let mut all = tensors(folder);
            all.push(("bonus.weight".into(), Tensor::zeros([3], (Kind::Float, Device::Cpu))));
            write_tensors(folder.join(WEIGHTS), &all);
        }),
        case("transposed", WEIGHTS, at("shape [12, 8], wanted [8, 12]"), |folder| {
            edit_tensor(folder, |tensor| Some(tensor.tr().contiguous()));
        }),
        case("flat", WEIGHTS, at("shape [96], wanted [8, 12]"), |folder| {
            edit_tensor(folder, |tensor| Some(tensor.flatten(0, -1)));
        }),
        case("empty", WEIGHTS, at("shape [0, 12], wanted [8, 12]"), |folder| {
            edit_tensor(folder, |tensor| Some(tensor.narrow(0, 0, 0)));
        }),
    ];
    for (kind, name) in [
        (Kind::Int64, "I64"),
        (Kind::Int, "I32"),
        (Kind::Int8, "I8"),
        (Kind::Uint8, "U8"),
        (Kind::Bool, "BOOL"),
    ] {
        let says = at(&format!("dtype {name}, wanted F32, F16, BF16 or F64"));
        cases.push(case(name, WEIGHTS, says, move |folder| {
            edit_tensor(folder, |tensor| Some(tensor.to_kind(kind)));
        }));
    }
    for (what, number) in
        [("NaN", f64::NAN), ("infinity", f64::INFINITY), ("-infinity", f64::NEG_INFINITY)]
    {
        for kind in [Kind::Float, Kind::Half, Kind::BFloat16, Kind::Double] {
            let says = at("holds NaN or infinite numbers");
            cases.push(case(format!("{what} {kind:?}"), WEIGHTS, says, move |folder| {
                edit_tensor(folder, |tensor| {
                    let changed = tensor.to_kind(kind).copy();
                    let _ = changed.get(3).get(5).fill_(number);
                    Some(changed)
                });
            }));
        }
    }
    // Finite numbers that no 32-bit float holds.
    cases.push(case("too large", WEIGHTS, at("holds NaN or infinite numbers"), |folder| {
        edit_tensor(folder, |tensor| Some(tensor.to_kind(Kind::Double) * 1e300));
    }));
    check(cases, good, read_student);
}

#[test]
fn headers_of_safetensors() {
    let whole =
        |name: &str, at| format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":{at}}}"#);
    let (a, b) = ("shared.weight", "lm_head.weight");
    let mut cases = vec![
        case("missing", "", "holds no weights: wanted model.safetensors", |folder| {
            fs::remove_file(folder.join(WEIGHTS)).unwrap();
        }),
        case("a folder", WEIGHTS, "is no file", |folder| {
            fs::remove_file(folder.join(WEIGHTS)).unwrap();
            fs::create_dir(folder.join(WEIGHTS)).unwrap();
        }),
        case("a link to nothing", "", "holds no weights", |folder| {
            fs::remove_file(folder.join(WEIGHTS)).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink("nowhere", folder.join(WEIGHTS)).unwrap();
        }),
        case("a pointer of Git LFS", WEIGHTS, "a pointer of Git LFS", |folder| {
            write(folder, WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
        }),
        case("a web page", WEIGHTS, "a web page", |folder| {
            write(folder, WEIGHTS, "<!DOCTYPE html><html>Not Found</html>");
        }),
        case("a .bin", WEIGHTS, "a zip archive, as torch.save writes", |folder| {
            fs::copy(fixtures().join("zip.bin"), folder.join(WEIGHTS)).unwrap();
        }),
        case("empty", WEIGHTS, "0 bytes are too few", |folder| write(folder, WEIGHTS, "")),
        case("zeros", WEIGHTS, "the header is not JSON", |folder| write(folder, WEIGHTS, [0; 64])),
        case("a header beyond the end", WEIGHTS, "truncated: a header of 57 bytes", |folder| {
            let mut bytes = safetensors("{}", 54);
            bytes[0] = 57;
            write(folder, WEIGHTS, bytes);
        }),
        case("a header of 2^64 - 1", WEIGHTS, "18446744073709551615", |folder| {
            write(folder, WEIGHTS, [0xff; 64]);
        }),
        case("half of the file", WEIGHTS, "the file is truncated", |folder| {
            let bytes = fs::read(folder.join(WEIGHTS)).unwrap();
            write(folder, WEIGHTS, &bytes[..bytes.len() / 2]);
        }),
        case("a byte too few", WEIGHTS, "the file is truncated", |folder| {
            let bytes = fs::read(folder.join(WEIGHTS)).unwrap();
            write(folder, WEIGHTS, &bytes[..bytes.len() - 1]);
        }),
        case("a byte too many", WEIGHTS, "1 bytes follow the last tensor", |folder| {
            let bytes = fs::read(folder.join(WEIGHTS)).unwrap();
            write(folder, WEIGHTS, [&bytes[..], &[0]].concat());
        }),
    ];
    let headers = [
        (r#"{"a":"#.to_owned(), "not JSON as expected"),
        ("[]".to_owned(), "expected an object"),
        ("{}".to_owned(), "4 bytes follow"),
        (format!("{{{},{}}}", whole(a, "[0,4]"), whole(a, "[0,4]")), "\"shared.weight\" is there twice"),
        (format!("{{{},{}}}", whole(a, "[0,4]"), whole(b, "[0,4]")), "ends at 4"),
        (format!("{{{}}}", whole(a, "[4,8]")), "truncated"),
        (format!("{{{}}}", whole(a, "[0,3]")), "do not hold F32 of shape [1] (4 bytes)"),
        (format!("{{{}}}", whole(a, "[4,0]")), "do not hold"),
        (format!("{{{}}}", whole(a, "[-4,0]")), "unreadable header entry"),
        (format!("{{{}}}", whole(a, "[0]")), "unreadable header entry"),
        (format!("{{{}}}", whole(a, "[18446744073709551615,3]")), "do not hold"),
        (r#"{"shared.weight":{}}"#.to_owned(), "missing field `dtype`"),
        (r#"{"shared.weight":[]}"#.to_owned(), "unreadable header entry"),
        (
            r#"{"shared.weight":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}"#.to_owned(),
            "duplicate field",
        ),
        (
            r#"{"shared.weight":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}"#.to_owned(),
            "dtype Q4 of shape [1] is unknown",
        ),
        (
            r#"{"shared.weight":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#.to_owned(),
            "shape [-1] is unknown",
        ),
        (
            r#"{"shared.weight":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#
                .to_owned(),
            "is unknown",
        ),
    ];
    for (header, says) in headers {
        cases.push(case(header.clone(), WEIGHTS, says, move |folder| {
            write(folder, WEIGHTS, safetensors(&header, 4));
        }));
    }
    // A hole between two tensors.
    let hole = format!("{{{},{}}}", whole(a, "[0,4]"), whole(b, "[8,12]"));
    cases.push(case(hole.clone(), WEIGHTS, "starts at byte 8", move |folder| {
        write(folder, WEIGHTS, safetensors(&hole, 12));
    }));
    check(cases, good, read_student);
}

const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/// The good folder in two shards.
fn sharded() -> tempfile::TempDir {
    let folder = good();
    let all = tensors(folder.path());
    let (first, second) = all.split_at(all.len() / 2);
    let mut map = serde_json::Map::new();
    for (part, shard) in [first, second].into_iter().zip(SHARDS) {
        write_tensors(folder.path().join(shard), part);
        map.extend(part.iter().map(|(name, _)| (name.clone(), shard.into())));
    }
    fs::remove_file(folder.path().join(WEIGHTS)).unwrap();
    write(folder.path(), INDEX, json!({"metadata": {}, "weight_map": map}).to_string());
    folder
}

#[test]
fn shards() {
    let index = |change: fn(&mut Value)| {
        move |folder: &Path| edit(folder, INDEX, |index| change(&mut index["weight_map"]))
    };
    let mut cases = not_json(INDEX);
    cases.extend([
        case("no map", INDEX, "weight_map", |folder| write(folder, INDEX, "{}")),
        case("a map of numbers", INDEX, "expected a string", index(|map| map[TENSOR] = json!(1))),
        case("a list for a map", INDEX, "expected an object", index(|map| *map = json!([]))),
        case("an empty map", INDEX, "shared.weight: missing", index(|map| *map = json!({}))),
        case(
            "a shard missing",
            INDEX,
            "the shard model-00002-of-00002.safetensors is missing",
            |f| {
                fs::remove_file(f.join(SHARDS[1])).unwrap();
            },
        ),
        case("a shard that is not there", INDEX, "the shard x.safetensors is missing", {
            index(|map| map[TENSOR] = json!("x.safetensors"))
        }),
        case("a path out of the folder", INDEX, "is not a file name", {
            index(|map| map[TENSOR] = json!("../model.safetensors"))
        }),
        case("an absolute path", INDEX, "is not a file name", {
            index(|map| map[TENSOR] = json!("/etc/hostname"))
        }),
        case("no name", INDEX, "is not a file name", index(|map| map[TENSOR] = json!(""))),
        case("the other shard", "model-0000", "missing, and the index says it is there", {
            index(|map| {
                let other = if map[TENSOR] == SHARDS[0] { SHARDS[1] } else { SHARDS[0] };
                map[TENSOR] = json!(other);
            })
        }),
        case("a made-up tensor", SHARDS[0], "bonus.weight: missing, and the index", {
            index(|map| map["bonus.weight"] = json!(SHARDS[0]))
        }),
        case("a forgotten tensor", "model-0000", "is not in the index", {
            index(|map| drop(map.as_object_mut().map(|map| map.remove(TENSOR))))
        }),
        case("a tensor named twice", INDEX, "is there twice", |folder| {
            let text = fs::read_to_string(folder.join(INDEX)).unwrap();
            let again = format!("\"weight_map\":{{\"{TENSOR}\":\"{}\",", SHARDS[0]);
            write(folder, INDEX, text.replacen("\"weight_map\":{", &again, 1));
        }),
        case("a tensor in both shards", "model-0000", "too", |folder| {
            for shard in SHARDS {
                let mut all = Tensor::read_safetensors(folder.join(shard)).unwrap();
                all.retain(|(name, _)| name != TENSOR);
                all.push((TENSOR.into(), Tensor::zeros([8, 12], (Kind::Float, Device::Cpu))));
                write_tensors(folder.join(shard), &all);
            }
        }),
        case("a shard truncated", SHARDS[1], "truncated", |folder| {
            let bytes = fs::read(folder.join(SHARDS[1])).unwrap();
            write(folder, SHARDS[1], &bytes[..bytes.len() - 5]);
        }),
    ]);
    check(cases, sharded, read_student);
}

/// A zip archive as torch.save writes it, with these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let stored =
            zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Stored);
        file.start_file(*name, stored).unwrap();
        file.write_all(bytes).unwrap();
    }
    file.finish().unwrap().into_inner()
}

/// The entries of the good archive.
fn entries() -> Vec<(String, Vec<u8>)> {
    use std::io::Read;
    let file = fs::File::open(fixtures().join("zip.bin")).unwrap();
    let mut file = zip::ZipArchive::new(file).unwrap();
    (0..file.len())
        .map(|index| {
            let mut entry = file.by_index(index).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.name().to_owned(), bytes)
        })
        .collect()
}

/// Writes the good archive with its entries changed; `None` leaves one out.
fn edit_archive(folder: &Path, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) {
    let changed: Vec<(String, Vec<u8>)> = entries()
        .into_iter()
        .filter_map(|(name, bytes)| Some((name.clone(), change(&name, bytes)?)))
        .collect();
    let list: Vec<(&str, &[u8])> =
        changed.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    write(folder, BIN, archive(&list));
}

/// `bytes` with one place replaced that is there exactly once or more; the first is changed.
fn replaced(bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn files_of_torch_save() {
    let pickle = |from: &'static [u8], to: &'static [u8]| {
        move |folder: &Path| {
            edit_archive(folder, |name, bytes| {
                let here = name.ends_with("data.pkl");
                Some(if here { replaced(bytes, from, to) } else { bytes })
            });
        }
    };
    let copy = |name: &'static str| {
        move |folder: &Path| {
            fs::copy(fixtures().join(name), folder.join(BIN)).unwrap();
        }
    };
    // A pickle by itself, in place of data.pkl.
    let program = |program: &'static [u8]| {
        move |folder: &Path| {
            edit_archive(folder, |name, bytes| {
                Some(if name.ends_with("data.pkl") { program.to_vec() } else { bytes })
            });
        }
    };
    let mut cases = vec![
        case("empty", BIN, "neither a zip archive nor a stream", |f| write(f, BIN, "")),
        case("text", BIN, "neither a zip archive nor a stream", |f| write(f, BIN, "weights")),
        case("a pointer of Git LFS", BIN, "a pointer of Git LFS", |folder| {
            write(folder, BIN, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
        }),
        case("a web page", BIN, "a web page", |f| write(f, BIN, "<html>Not Found</html>")),
        case("safetensors", BIN, "a safetensors file", copy("model.safetensors")),
        case("a folder", BIN, "is no file", |folder| {
            fs::remove_file(folder.join(BIN)).unwrap();
            fs::create_dir(folder.join(BIN)).unwrap();
        }),
        case("half of the archive", BIN, "not a whole zip archive", |folder| {
            let bytes = fs::read(folder.join(BIN)).unwrap();
            write(folder, BIN, &bytes[..bytes.len() / 2]);
        }),
        case("another archive", BIN, "without data.pkl", |folder| {
            write(folder, BIN, archive(&[("a.txt", b"a")]));
        }),
        case("an empty archive", BIN, "neither a zip archive", |folder| {
            write(folder, BIN, archive(&[]))
        }),
        case("no storage", BIN, "data/0: ", |folder| {
            edit_archive(folder, |name, bytes| (!name.ends_with("data/0")).then_some(bytes));
        }),
        case("no storages", BIN, "data/", |folder| {
            edit_archive(folder, |name, bytes| (!name.contains("/data/")).then_some(bytes));
        }),
        case("a short storage", BIN, "bytes, and its tensors take", |folder| {
            edit_archive(folder, |name, mut bytes| {
                bytes.truncate(if name.ends_with("data/0") { 3 } else { usize::MAX });
                Some(bytes)
            });
        }),
        case("an empty pickle", BIN, "the pickle is truncated", program(b"")),
        case("half of the pickle", BIN, "the pickle is truncated", |folder| {
            edit_archive(folder, |name, mut bytes| {
                bytes.truncate(if name.ends_with("data.pkl") {
                    bytes.len() / 2
                } else {
                    bytes.len()
                });
                Some(bytes)
            });
        }),
        case("a function that is not known", BIN, "os.system", {
            program(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
        }),
        case("builtins.eval", BIN, "builtins.eval", {
            program(b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.")
        }),
        case("a function by the stack", BIN, "instruction 0x93", {
            program(b"\x80\x04\x8c\x02os\x8c\x06system\x93.")
        }),
        case("an instance", BIN, "instruction 0x69", program(b"(ios\nsystem\n.")),
        case("a new object", BIN, "instruction 0x81", {
            program(b"\x80\x02ccollections\nOrderedDict\n)\x81.")
        }),
        case("an extension", BIN, "instruction 0x82", program(b"\x80\x02\x82\x01.")),
        case("protocol 6", BIN, "protocol 6 is unknown", program(b"\x80\x06}.")),
        case("no tensors", BIN, "shared.weight: missing", program(b"\x80\x02}.")),
        case("a number", BIN, "no dictionary of tensors", program(b"\x80\x02K\x01.")),
        case("nothing", BIN, "no dictionary of tensors", program(b"\x80\x02N.")),
        case("an empty stack", BIN, "", program(b"\x80\x02.")),
        case("a key that is no name", BIN, "keys are no names", program(b"\x80\x02}K\x01K\x02s.")),
        case("another function of torch", BIN, "torch._utils._rebuild_qtensor", {
            pickle(b"_rebuild_tensor_v2", b"_rebuild_qtensor")
        }),
        case(
            "another storage",
            BIN,
            "torch.QInt8Storage",
            pickle(b"FloatStorage", b"QInt8Storage"),
        ),
        case("integers", BIN, "dtype Int64, wanted Float", |folder| {
            edit_archive(folder, |name, bytes| {
                Some(match () {
                    () if name.ends_with("data.pkl") => {
                        replaced(bytes, b"FloatStorage", b"LongStorage")
                    }
                    () if name.contains("/data/") => [bytes.clone(), bytes].concat(),
                    () => bytes,
                })
            });
        }),
        case("another name", BIN, "is not part of a model", |folder| {
            edit_archive(folder, |name, bytes| {
                let here = name.ends_with("data.pkl");
                Some(if here {
                    replaced(bytes, b"final_layer_norm", b"final_layer_fork")
                } else {
                    bytes
                })
            });
        }),
        case("big-endian", BIN, "big-endian", |folder| {
            edit_archive(folder, |name, bytes| {
                Some(if name.ends_with("byteorder") { b"big".to_vec() } else { bytes })
            });
        }),
        case("NaN", BIN, "shared.weight: holds NaN", copy("nan.bin")),
        case("a module", BIN, "torch.nn.modules.sparse.Embedding", copy("module.bin")),
        case("a list", BIN, "wanted a dictionary of tensors", copy("list.bin")),
        case("numbers", BIN, "no dictionary of tensors", copy("numbers.bin")),
        case("a sparse tensor", BIN, "_rebuild_sparse_tensor", copy("sparse.bin")),
        case("complex numbers", BIN, "ComplexFloatStorage", copy("complex.bin")),
        case("a call", BIN, "posix.system", copy("danger.bin")),
        case("a call in a stream", BIN, "posix.system", copy("danger-stream.bin")),
        case("half of a stream", BIN, "truncated", |folder| {
            let bytes = fs::read(fixtures().join("stream.bin")).unwrap();
            write(folder, BIN, &bytes[..bytes.len() / 2]);
        }),
        case("a stream and more", BIN, "3 bytes follow the last storage", |folder| {
            let bytes = fs::read(fixtures().join("stream.bin")).unwrap();
            write(folder, BIN, [&bytes[..], &[0; 3]].concat());
        }),
        case("an index without its shard", BIN_INDEX, "the shard x.bin is missing", |folder| {
            fs::remove_file(folder.join(BIN)).unwrap();
            write(folder, BIN_INDEX, r#"{"weight_map": {"shared.weight": "x.bin"}}"#);
        }),
    ];
    // A compressed storage: torch.save never writes one, and a small file could stand for a huge one.
    cases.push(case("a compressed storage", BIN, "ompress", |folder| {
        let mut bytes = fs::read(folder.join(BIN)).unwrap();
        // The method stands 10 bytes into an entry of the directory, and its name 46.
        let at = bytes
            .windows(4)
            .enumerate()
            .filter(|(_, window)| *window == b"PK\x01\x02")
            .map(|(at, _)| at)
            .find(|at| {
                let name = u16::from_le_bytes([bytes[at + 28], bytes[at + 29]]);
                bytes[at + 46..][..name.into()].ends_with(b"/data/0")
            })
            .unwrap();
        bytes[at + 10] = 8;
        write(folder, BIN, bytes);
    }));
    check(cases, good_bin, read_model);
    assert!(!Path::new("executed").exists());
}

#[test]
fn tokenizers() {
    let model = |change: fn(&mut Value)| {
        move |folder: &Path| edit(folder, TOKENIZER, |file| change(&mut file["model"]))
    };
    let file = |change: fn(&mut Value)| move |folder: &Path| edit(folder, TOKENIZER, change);
    let vocab = |change: fn(&mut serde_json::Map<String, Value>)| {
        move |folder: &Path| {
            edit(folder, TOKENIZER, |file| change(file["model"]["vocab"].as_object_mut().unwrap()));
        }
    };
    let mut cases = not_json(TOKENIZER);
    cases.extend([
        case("missing", TOKENIZER, "No such file", |folder| {
            fs::remove_file(folder.join(TOKENIZER)).unwrap();
        }),
        case("no model", TOKENIZER, "has no \"model\"", |f| write(f, TOKENIZER, "{}")),
        case("a model that is text", TOKENIZER, "model: wanted an object", |folder| {
            edit(folder, TOKENIZER, |file| file["model"] = json!("BPE"));
        }),
        case("another model", TOKENIZER, "model.type: \"Magic\", wanted BPE", {
            model(|model| model["type"] = json!("Magic"))
        }),
        case(
            "a model of no kind",
            TOKENIZER,
            "model.type: 5",
            model(|model| model["type"] = json!(5)),
        ),
        case("merges without a vocabulary", TOKENIZER, "model.vocab: missing", {
            model(|model| drop(model.as_object_mut().map(|model| model.remove("vocab"))))
        }),
        case("a vocabulary without merges", TOKENIZER, "model.merges: missing", {
            model(|model| drop(model.as_object_mut().map(|model| model.remove("merges"))))
        }),
        case("a vocabulary that is a list", TOKENIZER, "model.vocab: wanted an object", {
            model(|model| model["vocab"] = json!(["a"]))
        }),
        case("a merge of one", TOKENIZER, "model.merges: entry 1: [\"a\"], wanted two tokens", {
            model(|model| model["merges"][1] = json!(["a"]))
        }),
        case("a merge of what is not there", TOKENIZER, "\"quux\" is not in the vocabulary", {
            model(|model| model["merges"][0] = json!(["quux", "a"]))
        }),
        case("a merge into what is not there", TOKENIZER, "\"zq\" is not in the vocabulary", {
            model(|model| model["merges"][0] = json!(["z", "q"]))
        }),
        case("merges that are text", TOKENIZER, "model.merges: wanted a list", {
            model(|model| model["merges"] = json!("a b"))
        }),
        case("a prefix that pieces lack", TOKENIZER, "does not start with \"##\"", {
            model(|model| model["continuing_subword_prefix"] = json!("##"))
        }),
        case("a negative id", TOKENIZER, "\"a\" has no id", {
            vocab(|vocab| drop(vocab.insert("a".into(), json!(-1))))
        }),
        case("an id that is no number", TOKENIZER, "\"a\" has no id", {
            vocab(|vocab| drop(vocab.insert("a".into(), json!("7"))))
        }),
        case("an id twice", TOKENIZER, "both have the id 9", {
            vocab(|vocab| {
                drop((vocab.insert("a".into(), json!(9)), vocab.insert("b".into(), json!(9))))
            })
        }),
        case("an added token of another id", TOKENIZER, "added token \"</s>\"", {
            file(|file| file["added_tokens"][2]["id"] = json!(77))
        }),
        case("an added token far away", TOKENIZER, "added token \"[new]\"", {
            file(|file| {
                let mut token = file["added_tokens"][0].clone();
                token["content"] = json!("[new]");
                token["id"] = json!(4000);
                file["added_tokens"].as_array_mut().unwrap().push(token);
            })
        }),
        case("a pre-tokenizer of no kind", TOKENIZER, "", {
            file(|file| file["pre_tokenizer"] = json!({"type": "Magic"}))
        }),
        case("a regular expression that is none", TOKENIZER, "", {
            file(|file| {
                file["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": "("},
                    "behavior": "Isolated", "invert": false});
            })
        }),
        case(
            "an end that is not there",
            TOKENIZER,
            "post_processor: its template names \"</s>\"",
            file(|file| file["post_processor"]["special_tokens"] = json!({})),
        ),
        case("no end at all", TOKENIZER, "ends no text", |folder| {
            let text = fs::read_to_string(folder.join(TOKENIZER)).unwrap();
            write(folder, TOKENIZER, text.replace("</s>", "</x>"));
            edit(folder, TOKENIZER, |file| file["post_processor"] = Value::Null);
        }),
        case("another version", TOKENIZER, "2.0", file(|file| file["version"] = json!("2.0"))),
        case(
            "more tokens than the model's",
            TOKENIZER,
            "has 1001 tokens, and the model only 290",
            vocab(|vocab| drop(vocab.insert("~~~".into(), json!(1000)))),
        ),
        case("the settings' longest source", SETTINGS, "model_max_length", {
            |f: &Path| edit(f, SETTINGS, |settings| settings["model_max_length"] = json!("long"))
        }),
        case("no room for a source", SETTINGS, "2 tokens, of which 2 are special", {
            |f: &Path| edit(f, SETTINGS, |settings| settings["model_max_length"] = json!(2))
        }),
        case("another trigger", SETTINGS, "task_trigger", {
            |f: &Path| edit(f, SETTINGS, |settings| settings["task_trigger"] = json!("shout"))
        }),
        case("a trigger that the tokenizer lacks", SETTINGS, "has no <extra_id_0>", {
            |f: &Path| edit(f, SETTINGS, |settings| settings["task_trigger"] = json!("sentinel"))
        }),
    ]);
    cases.extend(not_json(SETTINGS));
    check(cases, good, read_student);
}

#[test]
fn the_tokenizer_of_two_files() {
    const VOCAB: &str = "vocab.json";
    const MERGES: &str = "merges.txt";
    fn pair() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut tokens = json!({"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4});
        for (index, token) in ["a", "b", "c", "ab", "abc"].into_iter().enumerate() {
            tokens[token] = json!(5 + index);
        }
        write(folder.path(), VOCAB, tokens.to_string());
        write(folder.path(), MERGES, "#version: 0.2\na b\nab c\n");
        folder
    }
    let mut cases = not_json(VOCAB);
    cases.extend([
        case("no vocabulary", VOCAB, "No such file", |folder| {
            fs::remove_file(folder.join(VOCAB)).unwrap();
        }),
        case("no merges", MERGES, "No such file", |folder| {
            fs::remove_file(folder.join(MERGES)).unwrap();
        }),
        case("a merge of one", MERGES, "line 3: wanted two tokens", |folder| {
            write(folder, MERGES, "#version: 0.2\na b\nabc\n");
        }),
        case(
            "a merge of what is not there",
            MERGES,
            "line 2: \"x\" is not in the vocabulary",
            |f| {
                write(f, MERGES, "#version: 0.2\na x\n");
            },
        ),
        case("a merge into what is not there", MERGES, "\"ca\" is not in the vocabulary", |f| {
            write(f, MERGES, "c a\n");
        }),
        case("no UTF-8", MERGES, "UTF-8", |folder| write(folder, MERGES, [b'a', b' ', 0xff])),
        case("special tokens elsewhere", VOCAB, "<mask> has the id Some(40), wanted 4", |folder| {
            edit(folder, VOCAB, |vocab| vocab["<mask>"] = json!(40));
        }),
        case("no special token", VOCAB, "</s> has the id None, wanted 2", |folder| {
            edit(folder, VOCAB, |v| drop(v.as_object_mut().map(|vocab| vocab.remove("</s>"))));
        }),
        case("an id twice", VOCAB, "\"a\" and \"b\" both have the id 5", |folder| {
            edit(folder, VOCAB, |vocab| vocab["b"] = json!(5));
        }),
        case("a negative id", VOCAB, "-1", |folder| {
            edit(folder, VOCAB, |vocab| vocab["b"] = json!(-1));
        }),
        case("a token twice", VOCAB, "\"a\" is there twice", |folder| {
            let text = fs::read_to_string(folder.join(VOCAB)).unwrap();
            write(folder, VOCAB, text.replacen('{', "{\"a\": 30,", 1));
        }),
    ]);
    check(cases, pair, |folder| Tokenizer::load(folder).map(drop));
}

#[test]
fn decoding_defaults() {
    let mut cases = not_json(GENERATION);
    for (key, value, says) in [
        ("num_beams", json!(0), "beams: 0, wanted 1 to"),
        ("num_beams", json!(-1), "num_beams: "),
        ("num_beams", json!("five"), "num_beams: "),
        ("num_return_sequences", json!(9), "n_best: 9, wanted 1 to 2"),
        ("max_new_tokens", json!(0), "max_new: 0"),
        ("max_new_tokens", json!(1.5), "max_new_tokens: "),
        ("min_new_tokens", json!(17), "min_new: 17, wanted at most max_new (16)"),
        ("length_penalty", json!("short"), "length_penalty: "),
        ("repetition_penalty", json!(0), "repetition_penalty: 0, wanted more than 0"),
        ("early_stopping", json!("soon"), "early_stopping is \"soon\""),
        ("eos_token_id", json!(290), "290 is outside the vocabulary of 290"),
        ("eos_token_id", json!([2, -1]), "-1 is outside the vocabulary"),
        ("eos_token_id", json!("</s>"), "eos_token_id"),
        ("do_sample", json!(true), "beams: 2, wanted 1 when sampling"),
    ] {
        cases.push(case(format!("{key} = {value}"), GENERATION, says, move |folder| {
            edit(folder, GENERATION, |file| file[key] = value.clone());
        }));
    }
    for (key, value) in [("temperature", json!(0)), ("top_p", json!(0)), ("top_p", json!(1.5))] {
        cases.push(case(format!("{key} = {value}"), GENERATION, key, move |folder| {
            edit(folder, GENERATION, |file| {
                file["num_beams"] = json!(1);
                file["do_sample"] = json!(true);
                file[key] = value.clone();
            });
        }));
    }
    check(cases, good, read_student);
}

/// Sizes that no memory holds are an error, not the end of the process.
#[test]
fn a_model_larger_than_any_memory_is_refused() {
    let config = T5Config { vocab_size: 1 << 24, d_model: 1 << 24, ..T5Config::default() };
    let error = T5::new(config, 1, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("out of memory: cannot allocate 1125899906842624 bytes"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}
