//! Products of few rows with a matrix that is read once.
//!
//! `out[i][j] = Σ_k x[i][k]·w[j][k]`: both sides lie along k, so nothing is repacked. A tile of a few
//! rows of `x` times four of `w` is summed in vector registers; four rows of `w` come from memory
//! once and are used for all rows of `x` out of the cache. For one row that is bound by the memory's
//! bandwidth, for forty by arithmetic.

use super::parallel;
use super::simd::{Level, level};

/// A vector of 32-bit floats.
///
/// # Safety
/// The processor must have the type's instructions.
trait Vector: Copy {
    const LANES: usize;
    /// Rows of a tile: as many as there are registers for.
    const ROWS: usize;
    unsafe fn zero() -> Self;
    /// `from` must point to [`LANES`](Self::LANES) floats.
    unsafe fn load(from: *const f32) -> Self;
    /// `self + a·b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn sum(self) -> f32;
    /// The sums of four vectors.
    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        // SAFETY: the caller's.
        four.map(|vector| unsafe { vector.sum() })
    }
    /// Asks for the memory at `at`, which may lie anywhere.
    #[inline(always)]
    fn prefetch(_at: *const f32) {}
}

/// Rows of a tile, and of the widest of them all.
const MOST_ROWS: usize = 6;
/// Rows of the matrix in a tile.
const COLUMNS: usize = 4;
/// The same for a single row.
const COLUMNS_OF_ONE: usize = 8;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    impl Vector for __m512 {
        const LANES: usize = 16;
        const ROWS: usize = 6;
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller's, here and below.
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            unsafe { _mm512_fmadd_ps(a, b, self) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { _mm512_reduce_add_ps(self) }
        }
        #[inline(always)]
        unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            unsafe { <__m256 as Vector>::sums([fold(a), fold(b), fold(c), fold(d)]) }
        }
        #[inline(always)]
        fn prefetch(at: *const f32) {
            // SAFETY: a hint that never faults, on every x86-64 processor.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
        }
    }

    /// The sum of both halves.
    #[inline(always)]
    unsafe fn fold(vector: __m512) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_add_ps(_mm512_castps512_ps256(vector), _mm512_extractf32x8_ps(vector, 1)) }
    }

    impl Vector for __m256 {
        const LANES: usize = 8;
        const ROWS: usize = 3;
        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            unsafe { _mm256_fmadd_ps(a, b, self) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe {
                let half = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps(self, 1));
                let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
                _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
            }
        }
        #[inline(always)]
        unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            unsafe {
                // Pairs, then pairs of pairs: each half holds a part of all four.
                let halves = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
                let sums =
                    _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
                let mut out = [0.0; 4];
                _mm_storeu_ps(out.as_mut_ptr(), sums);
                out
            }
        }
        #[inline(always)]
        fn prefetch(at: *const f32) {
            // SAFETY: a hint that never faults, on every x86-64 processor.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
        }
    }
}

/// What compilers make vectors of where there is nothing else to rely on.
#[derive(Clone, Copy)]
struct Eight([f32; 8]);

impl Vector for Eight {
    const LANES: usize = 8;
    const ROWS: usize = 3;
    #[inline(always)]
    unsafe fn zero() -> Self {
        Eight([0.0; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's; an array of floats is aligned as a float.
        Eight(unsafe { *from.cast() })
    }
    #[inline(always)]
    unsafe fn add_product(mut self, a: Self, b: Self) -> Self {
        for lane in 0..8 {
            self.0[lane] += a.0[lane] * b.0[lane];
        }
        self
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        self.0.iter().sum()
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Vector;

    impl Vector for float32x4_t {
        const LANES: usize = 4;
        const ROWS: usize = 6;
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: every 64-bit ARM processor has NEON; the caller's for the pointer.
            unsafe { vdupq_n_f32(0.0) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { vld1q_f32(from) }
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            unsafe { vfmaq_f32(self, a, b) }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { vaddvq_f32(self) }
        }
    }
}

/// Products of `M` rows with `N` rows, all of one length. With `AHEAD` what follows the rows of `w` is
/// asked for meanwhile: a row is too short for the processor to see where this is going.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize, const AHEAD: bool>(
    x: [&[f32]; M],
    w: [&[f32]; N],
) -> [[f32; N]; M] {
    let length = w[0].len();
    assert!(x.iter().chain(&w).all(|row| row.len() == length));
    // SAFETY: the rows hold `length` floats each; the instructions are the caller's.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        let mut at = 0;
        while at + V::LANES <= length {
            // All of `x` and one row of `w` at a time: with the sums that fills the registers, and one
            // more vector would push a sum to memory and back at every step.
            let mut left = [V::zero(); M];
            for i in 0..M {
                left[i] = V::load(x[i].as_ptr().add(at));
            }
            for j in 0..N {
                let from = w[j].as_ptr().add(at);
                let right = V::load(from);
                if AHEAD {
                    V::prefetch(from.wrapping_add(N * length));
                }
                for i in 0..M {
                    sums[i][j] = sums[i][j].add_product(left[i], right);
                }
            }
            at += V::LANES;
        }
        let mut out = [[0.0; N]; M];
        for i in 0..M {
            if N.is_multiple_of(4) {
                for j in 0..N / 4 {
                    let at = 4 * j;
                    let found =
                        V::sums([sums[i][at], sums[i][at + 1], sums[i][at + 2], sums[i][at + 3]]);
                    out[i][at..at + 4].copy_from_slice(&found);
                }
            } else {
                for j in 0..N {
                    out[i][j] = sums[i][j].sum();
                }
            }
            for j in 0..N {
                for rest in at..length {
                    out[i][j] += x[i][rest] * w[j][rest];
                }
            }
        }
        out
    }
}

/// Products of up to [`MOST_ROWS`] rows with `N` rows of the matrix, into column `column` of `out`.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
unsafe fn rows<V: Vector, const N: usize, const AHEAD: bool>(
    x: &[&[f32]],
    w: [&[f32]; N],
    out: &mut [&mut [f32]],
    column: usize,
) {
    macro_rules! of {
        ($count:literal) => {{
            // SAFETY: the caller's.
            let found = unsafe { tile::<V, $count, N, AHEAD>(std::array::from_fn(|i| x[i]), w) };
            for (out, found) in out.iter_mut().zip(found) {
                out[column..column + N].copy_from_slice(&found);
            }
        }};
    }
    match x.len() {
        0 => {}
        1 => of!(1),
        2 => of!(2),
        3 => of!(3),
        4 => of!(4),
        5 => of!(5),
        _ => of!(6),
    }
}

/// `out[i][j] = x[i]·w[j]` for as many rows of `w` as `out` has columns.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
unsafe fn product<V: Vector>(x: &[&[f32]], w: &[f32], out: &mut [&mut [f32]]) {
    let Some(first) = x.first() else { return };
    let (length, columns) = (first.len(), out[0].len());
    let row = |column: usize| &w[column * length..(column + 1) * length];
    // Tiles of equal size: seven rows are four and three, not six and one.
    let tiles = x.len().div_ceil(V::ROWS.min(MOST_ROWS));
    let each = x.len().div_ceil(tiles);
    let mut column = 0;
    // SAFETY: the caller's, in all of these.
    unsafe {
        if x.len() == 1 {
            while column + COLUMNS_OF_ONE <= columns {
                let w: [&[f32]; COLUMNS_OF_ONE] = std::array::from_fn(|j| row(column + j));
                rows::<V, COLUMNS_OF_ONE, true>(x, w, out, column);
                column += COLUMNS_OF_ONE;
            }
        }
        while column + COLUMNS <= columns {
            let w: [&[f32]; COLUMNS] = std::array::from_fn(|j| row(column + j));
            let mut tiles = x.chunks(each).zip(out.chunks_mut(each));
            if let Some((x, out)) = tiles.next() {
                rows::<V, COLUMNS, true>(x, w, out, column);
            }
            for (x, out) in tiles {
                rows::<V, COLUMNS, false>(x, w, out, column);
            }
            column += COLUMNS;
        }
        while column < columns {
            for (x, out) in x.chunks(each).zip(out.chunks_mut(each)) {
                rows::<V, 1, false>(x, [row(column)], out, column);
            }
            column += 1;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512(x: &[&[f32]], w: &[f32], out: &mut [&mut [f32]]) {
    // SAFETY: whoever calls this has checked for the instructions.
    unsafe { product::<std::arch::x86_64::__m512>(x, w, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(x: &[&[f32]], w: &[f32], out: &mut [&mut [f32]]) {
    // SAFETY: as above.
    unsafe { product::<std::arch::x86_64::__m256>(x, w, out) }
}

fn at_level(level: Level, x: &[&[f32]], w: &[f32], out: &mut [&mut [f32]]) {
    match level {
        // SAFETY: the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512(x, w, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2(x, w, out) },
        // SAFETY: NEON is part of the target.
        #[cfg(target_arch = "aarch64")]
        Level::Base => unsafe { product::<std::arch::aarch64::float32x4_t>(x, w, out) },
        // SAFETY: needs no instructions beyond the target's.
        #[cfg(not(target_arch = "aarch64"))]
        Level::Base => unsafe { product::<Eight>(x, w, out) },
    }
}

/// `out = x·wᵀ`: `x` is `[rows, length]`, `w` `[columns, length]`, `out` `[rows, columns]`.
pub(crate) fn matmul(x: &[f32], w: &[f32], length: usize, out: &mut [f32]) {
    let (Some(rows), Some(columns)) = (x.len().checked_div(length), w.len().checked_div(length))
    else {
        out.fill(0.0);
        return;
    };
    debug_assert_eq!(out.len(), rows * columns);
    if rows == 0 || columns == 0 {
        return;
    }
    let x: Vec<&[f32]> = x.chunks_exact(length).collect();
    // A multiple of the columns of a tile.
    let each = columns.div_ceil(parallel::parts(w.len())).next_multiple_of(COLUMNS_OF_ONE);
    let mut jobs: Vec<(&[f32], Vec<&mut [f32]>)> =
        w.chunks(each * length).map(|w| (w, Vec::with_capacity(rows))).collect();
    for out in out.chunks_exact_mut(columns) {
        for (job, part) in jobs.iter_mut().zip(out.chunks_mut(each)) {
            job.1.push(part);
        }
    }
    let level = level();
    parallel::run(jobs, |(w, mut out)| at_level(level, &x, w, &mut out));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Xoshiro;

    #[test]
    fn every_level_and_shape_gives_the_sums_of_products() {
        let mut levels = vec![Level::Base, level()];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Level::Avx2);
        }
        for (rows, columns, length) in
            [(1, 1, 1), (1, 37, 64), (2, 8, 100), (5, 13, 48), (7, 9, 33), (40, 21, 96), (3, 4, 0)]
        {
            let mut x = vec![0.0; rows * length];
            let mut w = vec![0.0; columns * length];
            Xoshiro::new(1).fill_normal(&mut x, 1.0);
            Xoshiro::new(2).fill_normal(&mut w, 1.0);
            let wanted = |i: usize, j: usize| -> f64 {
                (0..length)
                    .map(|k| f64::from(x[i * length + k]) * f64::from(w[j * length + k]))
                    .sum()
            };
            let close = |out: &[f32]| {
                for i in 0..rows {
                    for j in 0..columns {
                        let difference = f64::from(out[i * columns + j]) - wanted(i, j);
                        assert!(difference.abs() < 1e-5 * (1.0 + length as f64).sqrt());
                    }
                }
            };
            let mut out = vec![f32::NAN; rows * columns];
            matmul(&x, &w, length, &mut out);
            close(&out);
            if length == 0 {
                continue;
            }
            for &level in &levels {
                let mut out = vec![f32::NAN; rows * columns];
                let rows: Vec<&[f32]> = x.chunks_exact(length).collect();
                let mut parts: Vec<&mut [f32]> = out.chunks_exact_mut(columns).collect();
                at_level(level, &rows, &w, &mut parts);
                close(&out);
            }
        }
    }
}
