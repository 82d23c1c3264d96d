//! Files of weights that `torch.save` wrote: `pytorch_model.bin`.
//!
//! Two forms. Since PyTorch 1.6 a zip archive, uncompressed: `NAME/data.pkl` describes the tensors and
//! `NAME/data/KEY` holds the numbers of each storage. Before, a stream: pickles of a magic number, a
//! version, facts about the machine, the description and the list of keys, and then each storage
//! behind its length. Tensors may share a storage and lie in it with any strides. The description is
//! read by [`pickle`](crate::pickle), which executes nothing; storages are read one tensor at a time.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tch::{Kind, Tensor, no_grad};
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Result, T5Error, io_error};
use crate::pickle::{self, Described, Loaded, Storage};
use crate::weights::{buffer, finite_floats, open, what_it_is};

/// The first pickle of a stream: 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The second.
const VERSION: [u8; 8] = 1001i64.to_le_bytes();
/// Longest description that is read: those of published models are a few hundred kilobytes.
const LONGEST: u64 = 1 << 26;

/// An open file of weights.
#[derive(Debug)]
pub(crate) struct BinFile {
    path: PathBuf,
    file: File,
    tensors: BTreeMap<String, Described>,
    /// Where each storage's numbers start.
    places: HashMap<Rc<str>, u64>,
}

impl BinFile {
    /// Opens a file and reads its description.
    pub(crate) fn open(path: &Path) -> Result<BinFile> {
        let bad = |reason: String| T5Error::Checkpoint { path: path.to_owned(), reason };
        let (mut file, size) = open(path)?;
        let mut start = Vec::new();
        file.by_ref().take(9).read_to_end(&mut start).map_err(io_error("read", path))?;
        let opened = if start.starts_with(b"PK\x03\x04") {
            archive(&mut file, size)
        } else if let Some(other) = what_it_is(&start) {
            Err(format!("{other}, wanted one that torch.save wrote"))
        } else {
            stream(&mut file, size)
        };
        let (tensors, places) = opened.map_err(bad)?;
        let mut named = BTreeMap::new();
        for (name, tensor) in tensors {
            if named.insert(name.clone(), tensor).is_some() {
                return Err(bad(format!("holds {name} twice")));
            }
        }
        Ok(BinFile { path: path.to_owned(), file, tensors: named, places })
    }

    /// Names of all tensors, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[i64]> {
        self.tensors.get(name).map(|tensor| tensor.size.as_slice())
    }

    /// Reads one tensor as 32-bit floats on the CPU. It must have this shape and hold only finite
    /// numbers.
    pub(crate) fn read(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let path = self.path.clone();
        let bad =
            |reason: String| T5Error::Tensor { path: path.clone(), tensor: name.into(), reason };
        let Some(Described { storage, offset, size, stride }) = self.tensors.get(name) else {
            return Err(bad("missing".into()));
        };
        if size != shape {
            return Err(bad(format!("shape {size:?}, wanted {shape:?}")));
        }
        if !matches!(storage.kind, Kind::Float | Kind::Half | Kind::BFloat16 | Kind::Double) {
            return Err(bad(format!(
                "dtype {:?}, wanted Float, Half, BFloat16 or Double",
                storage.kind
            )));
        }
        let Some(&start) = self.places.get(&storage.key) else {
            return Err(bad(format!("its storage {} is missing", storage.key)));
        };
        // From the first to the last of its numbers; the description has been checked against the
        // storage, and the storage against the file.
        let span = size.iter().zip(stride).map(|(&length, &stride)| (length - 1).max(0) * stride);
        let count = if size.contains(&0) { 0 } else { span.sum::<i64>() + 1 };
        let width = storage.kind.elt_size_in_bytes() as u64;
        let mut bytes = buffer(count as u64 * width).map_err(bad)?;
        self.file
            .seek(SeekFrom::Start(start + *offset as u64 * width))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(io_error("read", &self.path))?;
        let tensor = no_grad(|| {
            Tensor::f_from_data_size(&bytes, &[count], storage.kind)?
                .f_as_strided(size.as_slice(), stride.as_slice(), 0)?
                .f_to_kind(Kind::Float)?
                .f_contiguous()
        })?;
        finite_floats(tensor)?.ok_or_else(|| bad("holds NaN or infinite numbers".into()))
    }
}

type Opened = (Vec<(String, Described)>, HashMap<Rc<str>, u64>);

fn no_tensors<T>() -> std::result::Result<T, String> {
    Err("holds no dictionary of tensors".into())
}

fn little_endian(yes: bool) -> std::result::Result<(), String> {
    if yes { Ok(()) } else { Err("was written on a big-endian machine".into()) }
}

/// Bytes of a storage's numbers.
fn bytes_of(storage: &Storage) -> std::result::Result<u64, String> {
    u64::try_from(storage.length)
        .ok()
        .and_then(|length| length.checked_mul(storage.kind.elt_size_in_bytes() as u64))
        .ok_or_else(|| format!("the storage {} is too large", storage.key))
}

fn archive(file: &mut File, size: u64) -> std::result::Result<Opened, String> {
    let mut archive =
        ZipArchive::new(&mut *file).map_err(|error| format!("not a whole zip archive: {error}"))?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let folder = names
        .iter()
        .find_map(|name| name.strip_suffix("data.pkl"))
        .ok_or("a zip archive without data.pkl, so not of torch.save")?
        .to_owned();
    let mut read = |name: &str| -> std::result::Result<Vec<u8>, String> {
        let entry = archive.by_name(name).map_err(|error| format!("{name}: {error}"))?;
        if entry.size() > LONGEST {
            return Err(format!("{name} is {} bytes long", entry.size()));
        }
        let mut bytes = Vec::new();
        entry.take(LONGEST).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        Ok(bytes)
    };
    let description = read(&format!("{folder}data.pkl"))?;
    let order = format!("{folder}byteorder");
    if names.contains(&order) {
        little_endian(read(&order)? == b"little")?;
    }
    let (Loaded::Tensors(tensors), _) = pickle::load(&description)? else { return no_tensors() };
    let mut places = HashMap::new();
    for (_, Described { storage, .. }) in &tensors {
        if places.contains_key(&storage.key) {
            continue;
        }
        let name = format!("{folder}data/{}", storage.key);
        let entry = archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        let (start, wanted) = (entry.data_start(), bytes_of(storage)?);
        if entry.compression() != CompressionMethod::Stored {
            return Err(format!("{name} is compressed, which torch.save never does"));
        }
        if entry.size() < wanted || start.checked_add(wanted).is_none_or(|end| end > size) {
            return Err(format!(
                "{name} holds {} bytes, and its tensors take {wanted}",
                entry.size()
            ));
        }
        places.insert(storage.key.clone(), start);
    }
    lengths_agree(&tensors)?;
    Ok((tensors, places))
}

fn stream(file: &mut File, size: u64) -> std::result::Result<Opened, String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.by_ref().take(LONGEST).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    let mut at = 0;
    let mut next = || -> std::result::Result<Loaded, String> {
        let (loaded, length) = pickle::load(&bytes[at..])?;
        at += length;
        Ok(loaded)
    };
    if !matches!(next(), Ok(Loaded::Number(number)) if number == MAGIC) {
        return Err("neither a zip archive nor a stream of torch.save".into());
    }
    if !matches!(next()?, Loaded::Number(number) if number == VERSION) {
        return Err("a stream of an unknown version of torch.save".into());
    }
    match next()? {
        Loaded::Other { little_endian: known } => little_endian(known != Some(false))?,
        _ => return Err("a stream without facts about its machine".into()),
    }
    let Loaded::Tensors(tensors) = next()? else { return no_tensors() };
    let Loaded::Texts(keys) = next()? else {
        return Err("a stream without its list of storages".into());
    };
    let storages: HashMap<&str, &Storage> =
        tensors.iter().map(|(_, tensor)| (&*tensor.storage.key, &tensor.storage)).collect();
    lengths_agree(&tensors)?;
    let mut places = HashMap::new();
    let mut start = at as u64;
    for key in keys {
        let storage =
            storages.get(&*key).ok_or_else(|| format!("no tensor uses the storage {key}"))?;
        let mut length = [0; 8];
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut length))
            .map_err(|_| format!("the file is truncated before the storage {key}"))?;
        if i64::from_le_bytes(length) != storage.length {
            return Err(format!("the storage {key} is not as long as its tensors say"));
        }
        places.insert(key.clone(), start + 8);
        start = (start + 8).saturating_add(bytes_of(storage)?);
        if start > size {
            return Err(format!("the file is truncated within the storage {key}"));
        }
    }
    if start != size {
        return Err(format!("{} bytes follow the last storage", size - start));
    }
    Ok((tensors, places))
}

/// Whether all tensors of a storage say the same of it.
fn lengths_agree(tensors: &[(String, Described)]) -> std::result::Result<(), String> {
    let mut storages: HashMap<&str, &Storage> = HashMap::new();
    for (_, Described { storage, .. }) in tensors {
        if *storages.entry(&storage.key).or_insert(storage) != storage {
            return Err(format!("two tensors describe the storage {} differently", storage.key));
        }
    }
    Ok(())
}
