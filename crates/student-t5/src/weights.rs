//! Files of weights in the safetensors format.
//!
//! Layout: 8 bytes of header length (little endian), a JSON object from tensor names to
//! `{"dtype", "shape", "data_offsets": [begin, end]}`, then the numbers. Tensors are read one at a
//! time, so that loading never holds a second copy of the whole model, and everything that the
//! header claims is checked before it is believed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use distill_core::jsonl::write_atomic;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tch::{Kind, Tensor, no_grad};

use crate::bin::BinFile;
use crate::error::{Result, T5Error, io_error};

/// Longest header that is read; the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

#[derive(Debug, Clone, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<i64>,
    data_offsets: [u64; 2],
}

/// An open file of weights, in either format.
#[derive(Debug)]
pub(crate) enum WeightFile {
    Safe(SafeFile),
    Bin(BinFile),
}

impl WeightFile {
    /// Opens a file: one of `torch.save` if its name ends in `.bin`, else safetensors.
    pub(crate) fn open(path: &Path) -> Result<WeightFile> {
        Ok(if path.extension().is_some_and(|extension| extension == "bin") {
            WeightFile::Bin(BinFile::open(path)?)
        } else {
            WeightFile::Safe(SafeFile::open(path)?)
        })
    }

    /// Names of all tensors, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            WeightFile::Safe(file) => file.names(),
            WeightFile::Bin(file) => file.names(),
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        match self {
            WeightFile::Safe(file) => file.path(),
            WeightFile::Bin(file) => file.path(),
        }
    }

    /// Shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[i64]> {
        match self {
            WeightFile::Safe(file) => file.shape(name),
            WeightFile::Bin(file) => file.shape(name),
        }
    }

    /// Reads one tensor as 32-bit floats on the CPU. It must have this shape and hold only finite
    /// numbers.
    pub(crate) fn read(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        match self {
            WeightFile::Safe(file) => file.read(name, shape),
            WeightFile::Bin(file) => file.read(name, shape),
        }
    }
}

/// An open safetensors file.
#[derive(Debug)]
pub(crate) struct SafeFile {
    path: PathBuf,
    reader: BufReader<File>,
    /// Where the numbers start.
    start: u64,
    entries: BTreeMap<String, Entry>,
}

impl SafeFile {
    /// Opens a file and checks its header.
    pub(crate) fn open(path: &Path) -> Result<SafeFile> {
        let bad = |reason: String| T5Error::Checkpoint { path: path.to_owned(), reason };
        let (file, size) = open(path)?;
        let mut reader = BufReader::new(file);
        let mut start = Vec::new();
        reader.by_ref().take(8).read_to_end(&mut start).map_err(io_error("read", path))?;
        let length = match <[u8; 8]>::try_from(&start[..]) {
            Ok(length) => u64::from_le_bytes(length),
            Err(_) => {
                return Err(bad(format!("{size} bytes are too few for a safetensors file")));
            }
        };
        if length > LONGEST_HEADER || length > size.saturating_sub(8) {
            return Err(bad(match what_it_is(&start) {
                Some(other) => format!("{other}, wanted a safetensors file"),
                None => format!(
                    "not a safetensors file, or truncated: a header of {length} bytes in a file of \
                     {size}"
                ),
            }));
        }
        let mut header = vec![0; length as usize];
        reader.read_exact(&mut header).map_err(io_error("read", path))?;
        let Unique(mut raw) = serde_json::from_slice::<Unique<Box<RawValue>>>(&header)
            .map_err(|error| bad(format!("the header is not JSON as expected: {error}")))?;
        raw.remove("__metadata__");
        let start = 8 + length;
        let mut entries = BTreeMap::new();
        for (name, value) in raw {
            let bad = |reason: String| T5Error::Tensor {
                path: path.to_owned(),
                tensor: name.clone(),
                reason,
            };
            let entry: Entry = serde_json::from_str(value.get())
                .map_err(|error| bad(format!("unreadable header entry: {error}")))?;
            let [begin, end] = entry.data_offsets;
            let bytes = element_size(&entry.dtype)
                .and_then(|size| {
                    entry.shape.iter().try_fold(size, |bytes, &length| {
                        bytes.checked_mul(u64::try_from(length).ok()?)
                    })
                })
                .ok_or_else(|| {
                    bad(format!("dtype {} of shape {:?} is unknown", entry.dtype, entry.shape))
                })?;
            if begin.checked_add(bytes) != Some(end) {
                return Err(bad(format!(
                    "offsets {begin} to {end} do not hold {} of shape {:?} ({bytes} bytes)",
                    entry.dtype, entry.shape
                )));
            }
            if end > size - start {
                return Err(bad(format!(
                    "the file is truncated: {} bytes of numbers, and this tensor ends at {end}",
                    size - start
                )));
            }
            entries.insert(name, entry);
        }
        // The format wants the numbers side by side: no byte without a tensor, none with two.
        let mut order: Vec<(&String, [u64; 2])> =
            entries.iter().map(|(name, entry)| (name, entry.data_offsets)).collect();
        order.sort_by_key(|(_, offsets)| *offsets);
        let mut last = 0;
        for (name, [begin, end]) in order {
            if begin != last {
                let reason =
                    format!("starts at byte {begin}, and the tensor before it ends at {last}");
                return Err(T5Error::Tensor {
                    path: path.to_owned(),
                    tensor: name.clone(),
                    reason,
                });
            }
            last = end;
        }
        if last != size - start {
            return Err(bad(format!("{} bytes follow the last tensor", size - start - last)));
        }
        Ok(SafeFile { path: path.to_owned(), reader, start, entries })
    }

    /// Names of all tensors, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn bad(&self, name: &str, reason: String) -> T5Error {
        T5Error::Tensor { path: self.path.clone(), tensor: name.to_owned(), reason }
    }

    /// Reads one tensor as 32-bit floats on the CPU. It must have this shape and hold only finite
    /// numbers.
    pub(crate) fn read(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let Some(entry) = self.entries.get(name).cloned() else {
            return Err(self.bad(name, "missing".into()));
        };
        if entry.shape != shape {
            let reason = format!("shape {:?}, wanted {shape:?}", entry.shape);
            return Err(self.bad(name, reason));
        }
        let kind = match entry.dtype.as_str() {
            "F32" => Kind::Float,
            "F16" => Kind::Half,
            "BF16" => Kind::BFloat16,
            "F64" => Kind::Double,
            other => {
                let reason = format!("dtype {other}, wanted F32, F16, BF16 or F64");
                return Err(self.bad(name, reason));
            }
        };
        let [begin, end] = entry.data_offsets;
        let mut bytes = buffer(end - begin).map_err(|reason| self.bad(name, reason))?;
        self.reader
            .seek(SeekFrom::Start(self.start + begin))
            .and_then(|_| self.reader.read_exact(&mut bytes))
            .map_err(io_error("read", &self.path))?;
        let tensor =
            no_grad(|| Tensor::f_from_data_size(&bytes, shape, kind)?.f_to_kind(Kind::Float))?;
        finite_floats(tensor)?.ok_or_else(|| self.bad(name, "holds NaN or infinite numbers".into()))
    }

    /// Shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[i64]> {
        self.entries.get(name).map(|entry| entry.shape.as_slice())
    }
}

/// Opens a file that is one, and says how long it is.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let found = fs::metadata(path).map_err(io_error("open", path))?;
    // A pipe would be waited for.
    if !found.is_file() {
        return Err(T5Error::Checkpoint { path: path.to_owned(), reason: "is no file".into() });
    }
    Ok((File::open(path).map_err(io_error("open", path))?, found.len()))
}

/// What often lies where a file of weights should.
pub(crate) fn what_it_is(start: &[u8]) -> Option<&'static str> {
    match start {
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', ..] => {
            Some("a pointer of Git LFS and not the file itself")
        }
        [b'P', b'K', 3, 4, ..] => Some("a zip archive, as torch.save writes"),
        [b'<', b'!' | b'h' | b'?', ..] => Some("a web page"),
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => Some("a safetensors file"),
        _ => None,
    }
}

/// Room for so many bytes, or an error: the process must not end for a large file.
pub(crate) fn buffer(length: u64) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    usize::try_from(length)
        .ok()
        .filter(|&length| bytes.try_reserve_exact(length).is_ok())
        .map(|length| bytes.resize(length, 0))
        .ok_or_else(|| format!("out of memory: cannot allocate {length} bytes to read it"))?;
    Ok(bytes)
}

/// A JSON object whose names all differ.
pub(crate) struct Unique<V>(pub(crate) BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Names<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Names<V> {
            type Value = Unique<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<V>, A::Error> {
                let mut found = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value()?;
                    if found.contains_key(&name) {
                        return Err(A::Error::custom(format!("{name:?} is there twice")));
                    }
                    found.insert(name, value);
                }
                Ok(Unique(found))
            }
        }
        deserializer.deserialize_map(Names(PhantomData))
    }
}

/// The tensor, unless it holds numbers that are not finite.
pub(crate) fn finite_floats(tensor: Tensor) -> Result<Option<Tensor>> {
    let finite = tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0;
    Ok(finite.then_some(tensor))
}

fn element_size(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F64" | "I64" | "U64" => 8,
        "F32" | "I32" | "U32" => 4,
        "F16" | "BF16" | "I16" | "U16" => 2,
        "F8_E4M3" | "F8_E5M2" | "I8" | "U8" | "BOOL" => 1,
        _ => return None,
    })
}

/// Writes tensors as 32-bit floats, in the order given; the file appears as a whole or not at all.
pub(crate) fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!({"format": "pt"}));
    let mut end = 0;
    for (name, tensor) in tensors {
        let begin = end;
        end += 4 * tensor.numel() as u64;
        let entry = serde_json::json!({
            "dtype": "F32", "shape": tensor.size(), "data_offsets": [begin, end],
        });
        header.insert(name.clone(), entry);
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    // The numbers start at a multiple of 8 bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut buffer: Vec<f32> = Vec::new();
    let mut failed = None;
    let written = write_atomic(path, |writer| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        for (_, tensor) in tensors {
            if let Err(error) = copy_out(tensor, &mut buffer) {
                failed = Some(error);
                return Err(std::io::Error::other("a tensor could not be read"));
            }
            write_numbers(writer, &buffer)?;
        }
        Ok(())
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(written?),
    }
}

fn copy_out(tensor: &Tensor, buffer: &mut Vec<f32>) -> std::result::Result<(), tch::TchError> {
    let tensor = no_grad(|| tensor.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu))?;
    buffer.resize(tensor.numel(), 0.0);
    tensor.f_copy_data(buffer, tensor.numel())
}

fn write_numbers(writer: &mut dyn Write, numbers: &[f32]) -> std::io::Result<()> {
    let mut bytes = [0; 1 << 14];
    for chunk in numbers.chunks(bytes.len() / 4) {
        for (place, number) in bytes.chunks_exact_mut(4).zip(chunk) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        writer.write_all(&bytes[..4 * chunk.len()])?;
    }
    Ok(())
}
