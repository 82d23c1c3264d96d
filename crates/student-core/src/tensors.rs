//! Named tensors as safetensors files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use distill_core::jsonl::write_atomic;
use safetensors::{Dtype, SafeTensors};
use serde_json::json;
use tch::{Device, Kind, Tensor, no_grad};

use crate::error::io_error;
use crate::{Result, StudentCoreError};

/// The types that safetensors and torch share, with the names in file headers.
const KINDS: [(Kind, Dtype, &str); 10] = [
    (Kind::Float, Dtype::F32, "F32"),
    (Kind::Double, Dtype::F64, "F64"),
    (Kind::Half, Dtype::F16, "F16"),
    (Kind::BFloat16, Dtype::BF16, "BF16"),
    (Kind::Int64, Dtype::I64, "I64"),
    (Kind::Int, Dtype::I32, "I32"),
    (Kind::Int16, Dtype::I16, "I16"),
    (Kind::Int8, Dtype::I8, "I8"),
    (Kind::Uint8, Dtype::U8, "U8"),
    (Kind::Bool, Dtype::BOOL, "BOOL"),
];

/// Replaces `path` by a safetensors file of these tensors, as a whole or not at all. `metadata` goes
/// into the header; transformers wants `format` to be `pt`.
///
/// Tensors are written one after the other: besides them, memory for the largest is needed.
///
/// # Errors
/// [`StudentCoreError::Checkpoint`] for a name given twice or a tensor that the format cannot hold
/// (sparse, complex); those of the file system, `path` then being as it was.
pub fn write_tensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &[(&str, &str)],
) -> Result<()> {
    let fail = |reason: String| StudentCoreError::Checkpoint { path: path.to_owned(), reason };
    let tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        let metadata: BTreeMap<_, _> = metadata.iter().copied().collect();
        header.insert("__metadata__".into(), json!(metadata));
    }
    let mut offset = 0;
    for (name, tensor) in &tensors {
        let kind = tensor.f_kind()?;
        let Some((_, _, dtype)) = KINDS.iter().find(|row| row.0 == kind && !tensor.is_sparse())
        else {
            return Err(fail(format!("the tensor {name} ({kind:?}) has no safetensors form")));
        };
        let end = offset + tensor.numel() * kind.elt_size_in_bytes();
        let entry = json!({"dtype": dtype, "shape": tensor.size(), "data_offsets": [offset, end]});
        if header.insert((*name).to_owned(), entry).is_some() {
            return Err(fail(format!("two tensors are called {name}")));
        }
        offset = end;
    }
    let mut header = serde_json::to_vec(&header).map_err(|error| fail(error.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    write_atomic(path, |writer| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        let mut bytes = Vec::new();
        for (_, tensor) in &tensors {
            copy_bytes(tensor, &mut bytes).map_err(io::Error::other)?;
            writer.write_all(&bytes)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn copy_bytes(tensor: &Tensor, bytes: &mut Vec<u8>) -> Result<(), tch::TchError> {
    let tensor = no_grad(|| tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous())?;
    bytes.resize(tensor.numel() * tensor.f_kind()?.elt_size_in_bytes(), 0);
    tensor.f_copy_data_u8(bytes, tensor.numel())
}

/// The tensors of a safetensors file, on the CPU, by name.
///
/// # Errors
/// [`StudentCoreError::Io`], or [`StudentCoreError::Checkpoint`] for a file that is truncated or
/// otherwise no safetensors file, or holds a type that torch lacks.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let fail = |reason: String| StudentCoreError::Checkpoint { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(io_error("read", path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| fail(format!("not a whole safetensors file: {error}")))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let Some((kind, ..)) = KINDS.iter().find(|row| row.1 == view.dtype()) else {
            return Err(fail(format!("the tensor {name} is of type {:?}", view.dtype())));
        };
        let size: Option<Vec<i64>> =
            view.shape().iter().map(|&length| i64::try_from(length).ok()).collect();
        let size = size.ok_or_else(|| fail(format!("the tensor {name} is too large")))?;
        tensors.insert(name.to_owned(), Tensor::f_from_data_size(view.data(), &size, *kind)?);
    }
    Ok(tensors)
}

/// Gives `targets` the values of the tensors of the same names. All or nothing: a tensor that is
/// missing, left over, or of another shape or type is an error that names it, and `targets` are then
/// as they were. `path` is what errors call the source.
///
/// # Errors
/// [`StudentCoreError::Checkpoint`].
pub fn assign_tensors<'a>(
    targets: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    mut source: BTreeMap<String, Tensor>,
    path: &Path,
) -> Result<()> {
    let fail = |reason: String| StudentCoreError::Checkpoint { path: path.to_owned(), reason };
    let mut pairs = Vec::new();
    for (name, target) in targets {
        let Some(tensor) = source.remove(name) else {
            return Err(fail(format!("the tensor {name} is missing")));
        };
        if tensor.size() != target.size() || tensor.f_kind()? != target.f_kind()? {
            return Err(fail(format!(
                "the tensor {name} is {:?} {:?} where the model has {:?} {:?}",
                tensor.f_kind()?,
                tensor.size(),
                target.f_kind()?,
                target.size(),
            )));
        }
        pairs.push((target, tensor));
    }
    if let Some(name) = source.keys().next() {
        return Err(fail(format!(
            "{} tensors that the model does not have, among them {name}",
            source.len()
        )));
    }
    no_grad(|| {
        pairs.into_iter().try_for_each(|(target, tensor)| target.f_detach()?.f_copy_(&tensor))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint_reason(error: StudentCoreError) -> String {
        match error {
            StudentCoreError::Checkpoint { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_type_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let base = Tensor::from_slice(&[0.0f64, 1.0, 2.5, 3.0, 100.0, 7.0]).view([2, 3]);
        let mut tensors: Vec<(String, Tensor)> =
            KINDS.iter().map(|&(kind, _, name)| (name.to_owned(), base.to_kind(kind))).collect();
        tensors.push(("transposed".into(), base.transpose(0, 1)));
        tensors.push(("scalar".into(), Tensor::from(3.0f32)));
        tensors.push(("empty".into(), Tensor::zeros([0, 4], (Kind::Float, Device::Cpu))));
        let named = || tensors.iter().map(|(name, tensor)| (&**name, tensor));
        write_tensors(&path, named(), &[("format", "pt")]).unwrap();
        let back = read_tensors(&path).unwrap();
        assert_eq!(back.len(), tensors.len());
        for (name, tensor) in named() {
            assert_eq!((back[name].kind(), back[name].size()), (tensor.kind(), tensor.size()));
            assert!(back[name].equal(tensor), "{name}");
        }
        // The library's own reader sees the metadata.
        let bytes = fs::read(&path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
    }

    #[test]
    fn what_does_not_fit_is_named_and_changes_nothing() {
        let path = Path::new("x.safetensors");
        let target = Tensor::zeros([2], (Kind::Float, Device::Cpu));
        let other = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        let ones = |n: i64| Tensor::ones([n], (Kind::Float, Device::Cpu));
        let assign = |source: Vec<(&str, Tensor)>| {
            let source = source.into_iter().map(|(name, t)| (name.to_owned(), t)).collect();
            checkpoint_reason(
                assign_tensors([("a", &target), ("b", &other)], source, path).unwrap_err(),
            )
        };
        assert_eq!(assign(vec![("a", ones(2))]), "the tensor b is missing");
        assert!(
            assign(vec![("a", ones(2)), ("b", ones(1)), ("c", ones(1))]).contains("among them c")
        );
        assert!(assign(vec![("a", ones(2)), ("b", ones(3))]).contains("Float [3]"));
        let double = ones(1).to_kind(Kind::Double);
        assert!(assign(vec![("a", ones(2)), ("b", double)]).contains("Double [1]"));
        assert_eq!(target.sum(Kind::Float).double_value(&[]), 0.0);
    }

    #[test]
    fn a_broken_file_is_an_error_whatever_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let tensor = Tensor::ones([3], (Kind::Float, Device::Cpu));
        write_tensors(&path, [("a", &tensor)], &[]).unwrap();
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let reason = checkpoint_reason(read_tensors(&path).unwrap_err());
            assert!(reason.contains("not a whole safetensors file"), "{reason}");
        }
        fs::write(&path, [u8::MAX; 64]).unwrap();
        assert!(read_tensors(&path).is_err());
        let missing = read_tensors(&folder.path().join("none")).unwrap_err();
        assert!(matches!(missing, StudentCoreError::Io { .. }));
        let twice = write_tensors(&path, [("a", &tensor), ("a", &tensor)], &[]).unwrap_err();
        assert_eq!(checkpoint_reason(twice), "two tensors are called a");
    }
}
