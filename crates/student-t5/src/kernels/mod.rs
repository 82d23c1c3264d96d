//! What libtorch does slowly or cannot do on a CPU, on the memory of its tensors.
//!
//! * [`matmul`]: products of few rows with a weight matrix. libtorch's own reach a third to a half of
//!   the memory bandwidth; decoding is bound by nothing else.
//! * [`gemm`]: products of large matrices with vectors twice as wide as libtorch's on AMD processors.
//! * [`rows`]: norm, softmax with dropout, cross entropy and their gradients, each in one pass.
//! * [`random`]: dropout masks that can be computed for any element at any time, so that they need
//!   not be kept for the backward pass.
//! * [`parallel`]: the threads of libtorch, used for the above.
//!
//! Each kernel is one body of plain Rust, compiled for AVX-512, for AVX2 and for the target's own
//! features (NEON on ARM); what the processor has decides at run time. The only unsafe code of the
//! crate is in this module: the calls of those versions, the vector types of [`matmul`], the view of
//! a tensor's memory below, and the call into libgomp.

pub(crate) mod gemm;
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

/// So many zeros, or an error where memory does not suffice: `vec!` would end the process.
pub(crate) fn zeros<T: Clone + Default>(count: usize) -> Result<Vec<T>, TchError> {
    let mut numbers = Vec::new();
    if numbers.try_reserve_exact(count).is_err() {
        let bytes = count as u128 * size_of::<T>() as u128;
        return Err(TchError::Torch(format!("out of memory: cannot allocate {bytes} bytes")));
    }
    numbers.resize(count, T::default());
    Ok(numbers)
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

/// The matrix that a tensor of two dimensions is, or the matrices of one of three, however they lie in
/// memory; `None` where the kernels cannot use them.
fn matrices(tensor: &Tensor) -> Option<Vec<gemm::Matrix<'_>>> {
    if !can_use(tensor) || tensor.numel() == 0 {
        return None;
    }
    let numbers = |numbers: Vec<i64>| -> Option<Vec<usize>> {
        numbers.into_iter().map(|number| usize::try_from(number).ok()).collect()
    };
    let (size, stride) = (numbers(tensor.size())?, numbers(tensor.stride())?);
    let (&[rows, columns], &[row, column]) = (size.last_chunk()?, stride.last_chunk()?);
    let (count, each) = match (&size[..size.len() - 2], &stride[..stride.len() - 2]) {
        (&[], &[]) => (1, 0),
        (&[count], &[each]) => (count, each),
        _ => return None,
    };
    let length = (count - 1) * each + (rows - 1) * row + (columns - 1) * column + 1;
    // SAFETY: a tensor's sizes and strides lead to memory of its own only; as for [`floats`].
    let numbers: &[f32] = unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), length) };
    (0..count)
        .map(|at| gemm::Matrix::new(&numbers[at * each..], rows, columns, row, column))
        .collect()
}

/// `out = a·b`, or `out += a·b`, of tensors of two dimensions; `out` lies row after row.
pub(crate) fn multiply(
    out: &mut Tensor,
    a: &Tensor,
    b: &Tensor,
    add: bool,
) -> Result<(), TchError> {
    let fits = a.size2()?.1 == b.size2()?.0 && out.size2()? == (a.size2()?.0, b.size2()?.1);
    if let (true, true, Some(a), Some(b)) = (gemm::is_fast(), fits, matrices(a), matrices(b)) {
        gemm::multiply(a[0], b[0], floats_mut(out)?, add);
    } else if add {
        let _ = out.f_addmm_(a, b)?;
    } else {
        let _ = a.f_mm_out(out, b)?;
    }
    Ok(())
}

/// The product of each matrix of `a`, `[count, m, k]`, with that of `b`, `[count, k, n]`.
pub(crate) fn multiply_each(a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    let ((count, m, k), (b_count, b_k, n)) = (a.size3()?, b.size3()?);
    let fits = (count, k) == (b_count, b_k);
    match (gemm::is_fast() && fits, matrices(a), matrices(b)) {
        (true, Some(a), Some(b)) => {
            let mut out = Tensor::f_empty([count, m, n], (Kind::Float, Device::Cpu))?;
            gemm::multiply_each(&a, &b, floats_mut(&mut out)?);
            Ok(out)
        }
        _ => a.f_bmm(b),
    }
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
