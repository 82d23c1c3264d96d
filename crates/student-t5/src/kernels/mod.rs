//! What libtorch does slowly or cannot do on a CPU, on the memory of its tensors.
//!
//! * [`matmul`]: products of few rows with a weight matrix. libtorch's own reach a third to a half of
//!   the memory bandwidth; decoding is bound by nothing else.
//! * [`rows`]: norm, softmax with dropout, cross entropy and their gradients, each in one pass.
//! * [`random`]: dropout masks that can be computed for any element at any time, so that they need
//!   not be kept for the backward pass.
//! * [`parallel`]: the threads of libtorch, used for the above.
//!
//! Each kernel is one body of plain Rust, compiled for AVX-512, for AVX2 and for the target's own
//! features (NEON on ARM); what the processor has decides at run time. The only unsafe code of the
//! crate is in this module: the calls of those versions, the vector types of [`matmul`], the view of
//! a tensor's memory below, and the call into libgomp.

pub(crate) mod matmul;
pub(crate) mod parallel;
pub(crate) mod random;
pub(crate) mod rows;
mod simd;

use tch::{Device, Kind, TchError, Tensor};

/// Whether a tensor can be used by the kernels: 32-bit floats in the memory of this machine.
pub(crate) fn can_use(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.kind() == Kind::Float
}

fn check(tensor: &Tensor) -> Result<(), TchError> {
    if can_use(tensor) && tensor.is_contiguous() {
        Ok(())
    } else {
        Err(TchError::Kind(format!(
            "a contiguous tensor of 32-bit floats on the CPU is needed, not {tensor:?}"
        )))
    }
}

/// The numbers of a contiguous tensor.
pub(crate) fn floats(tensor: &Tensor) -> Result<&[f32], TchError> {
    check(tensor)?;
    if tensor.numel() == 0 {
        return Ok(&[]);
    }
    // SAFETY: libtorch keeps so many floats there as long as the tensor lives, and nothing of this
    // crate writes to a tensor while a view of it is held.
    Ok(unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) })
}

/// As [`floats`], to write. The caller must be the only one that uses the tensor's memory.
pub(crate) fn floats_mut(tensor: &mut Tensor) -> Result<&mut [f32], TchError> {
    check(tensor)?;
    if tensor.numel() == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as above; the tensor is borrowed alone, and shares its memory with no other that is
    // looked at meanwhile.
    Ok(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) })
}
