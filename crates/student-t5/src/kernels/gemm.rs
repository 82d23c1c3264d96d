//! Products of large matrices, for processors with 512-bit vectors.
//!
//! libtorch multiplies with MKL, which on AMD's processors stays at 256-bit vectors: on a Zen 4 core 84
//! to 94 GFLOP/s where a kernel with 512-bit ones reaches a fifth more. The method is that of BLIS (Van
//! Zee and van de Geijn 2015): blocks of both sides are copied into the order in which a small kernel
//! reads them, which sums 14 × 32 numbers in registers. Whatever way the matrices lie, the copy
//! takes care of it, so that transposed products cost the same.

use std::cell::RefCell;

use super::parallel;

/// A matrix somewhere in memory: element (i, j) is at `i·row + j·column`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` numbers, one after the other; `None` where there are not enough.
    pub(crate) fn new(
        numbers: &'a [f32],
        rows: usize,
        columns: usize,
        row: usize,
        column: usize,
    ) -> Option<Matrix<'a>> {
        let last = (rows.checked_sub(1)?)
            .checked_mul(row)?
            .checked_add(columns.checked_sub(1)?.checked_mul(column)?)?;
        (last < numbers.len()).then_some(Matrix { numbers, rows, columns, row, column })
    }

    fn part(self, first: usize, rows: usize) -> Matrix<'a> {
        Matrix { numbers: &self.numbers[first * self.row..], rows, ..self }
    }
}

/// Rows and columns that the kernel sums at a time.
const MR: usize = 14;
const NR: usize = 32;
/// The block of the left side that stays in the second cache, and how far sums go before they are
/// added up in memory.
const MC: usize = 10 * MR;
const KC: usize = 512;
/// How many products are summed in registers before the sum goes to that of the others: of sums of sums
/// the rounding is a good deal smaller, and the tile that they go to is in the first cache.
const RUN: usize = 128;
/// The block of the right side that stays in the third cache.
const NC: usize = 64 * NR;

/// Whether [`multiply`] is worth calling: elsewhere libtorch's product is as fast.
pub(crate) fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        super::simd::level() == super::simd::Level::Avx512
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// `out = a·b`, or `out += a·b`; `out` is `[a.rows, b.columns]`, row after row.
pub(crate) fn multiply(a: Matrix, b: Matrix, out: &mut [f32], add: bool) {
    assert!(a.columns == b.rows && out.len() == a.rows * b.columns);
    let threads = parallel::parts(out.len().max(a.rows * a.columns));
    let each = a.rows.div_ceil(threads).next_multiple_of(MR);
    let jobs = out.chunks_mut(each * b.columns).enumerate().collect();
    parallel::run(jobs, |(at, out): (usize, &mut [f32])| {
        serial(a.part(at * each, out.len() / b.columns), b, out, add);
    });
}

/// The product of each of `a` with that of `b`, one after the other in `out`; all are of one size. A
/// number of a product depends on its row and its column alone, and zeros at the end of these change
/// nothing: padding does not show.
pub(crate) fn multiply_each(a: &[Matrix], b: &[Matrix], out: &mut [f32]) {
    let size = out.len() / a.len().max(1);
    let each = parallel::rows_each(a.len(), size.max(1));
    let jobs = a.chunks(each).zip(b.chunks(each)).zip(out.chunks_mut((each * size).max(1)));
    parallel::run(jobs.collect(), |((a, b), out)| {
        for ((&a, &b), out) in a.iter().zip(b).zip(out.chunks_exact_mut(size)) {
            assert!(a.columns == b.rows && out.len() == a.rows * b.columns);
            serial(a, b, out, false);
        }
    });
}

fn serial(a: Matrix, b: Matrix, out: &mut [f32], add: bool) {
    thread_local! {
        /// Copies of blocks, left and right: memory that is new to a process costs more than the copy.
        static BLOCKS: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    }
    BLOCKS.with_borrow_mut(|[left, right]| {
        left.resize(MC * KC, 0.0);
        right.resize(KC * NC, 0.0);
        blocks(a, b, out, add, left, right);
    });
}

fn blocks(a: Matrix, b: Matrix, out: &mut [f32], add: bool, left: &mut [f32], right: &mut [f32]) {
    let width = b.columns;
    for column in (0..width).step_by(NC) {
        let columns = NC.min(width - column);
        for depth in (0..b.rows).step_by(KC) {
            let length = KC.min(b.rows - depth);
            let add = add || depth > 0;
            pack_right(b, (depth, length), (column, columns), right);
            for row in (0..a.rows).step_by(MC) {
                let rows = MC.min(a.rows - row);
                pack_left(a, (row, rows), (depth, length), left);
                for (panel, right) in right.chunks_exact(NR * length).enumerate() {
                    let first = panel * NR;
                    if first >= columns {
                        break;
                    }
                    let wide = NR.min(columns - first);
                    for (panel, left) in left.chunks_exact(MR * length).enumerate() {
                        let top = panel * MR;
                        if top >= rows {
                            break;
                        }
                        let high = MR.min(rows - top);
                        let start = (row + top) * width + column + first;
                        tile(left, right, &mut out[start..], width, (high, wide), add);
                    }
                }
            }
        }
    }
}

/// Rows `first..` of the left side in panels of [`MR`], column after column; missing ones are 0.
fn pack_left(
    a: Matrix,
    (first, rows): (usize, usize),
    (depth, length): (usize, usize),
    out: &mut [f32],
) {
    for (panel, out) in out.chunks_exact_mut(MR * length).enumerate() {
        let top = panel * MR;
        if top >= rows {
            break;
        }
        let high = MR.min(rows - top);
        let start = (first + top) * a.row + depth * a.column;
        pack::<MR>(&a.numbers[start..], (a.row, a.column), high, out);
    }
}

/// Columns `first..` of the right side in panels of [`NR`], row after row; missing ones are 0.
fn pack_right(
    b: Matrix,
    (depth, length): (usize, usize),
    (first, columns): (usize, usize),
    out: &mut [f32],
) {
    for (panel, out) in out.chunks_exact_mut(NR * length).enumerate() {
        let left = panel * NR;
        if left >= columns {
            break;
        }
        let wide = NR.min(columns - left);
        let start = depth * b.row + (first + left) * b.column;
        pack::<NR>(&b.numbers[start..], (b.column, b.row), wide, out);
    }
}

/// Groups of `W` numbers, of which `wide` are there: number i of group k is at `i·across + k·along`.
fn pack<const W: usize>(
    numbers: &[f32],
    (across, along): (usize, usize),
    wide: usize,
    out: &mut [f32],
) {
    let (groups, _) = out.as_chunks_mut::<W>();
    if wide < W {
        for (at, group) in groups.iter_mut().enumerate() {
            for (i, number) in group.iter_mut().enumerate() {
                *number = if i < wide { numbers[i * across + at * along] } else { 0.0 };
            }
        }
    } else if across == 1 {
        for (at, group) in groups.iter_mut().enumerate() {
            group.copy_from_slice(&numbers[at * along..][..W]);
        }
    } else {
        let rows: [&[f32]; W] = std::array::from_fn(|i| &numbers[i * across..]);
        for (at, group) in groups.iter_mut().enumerate() {
            for i in 0..W {
                group[i] = rows[i][at * along];
            }
        }
    }
}

/// One tile of the result.
fn tile(
    left: &[f32],
    right: &[f32],
    out: &mut [f32],
    width: usize,
    (high, wide): (usize, usize),
    add: bool,
) {
    if high == MR && wide == NR {
        sum(left, right, out, width, add);
        return;
    }
    let mut whole = [0.0; MR * NR];
    sum(left, right, &mut whole, NR, false);
    for i in 0..high {
        let out = &mut out[i * width..][..wide];
        for (out, sum) in out.iter_mut().zip(&whole[i * NR..]) {
            *out = if add { *out + sum } else { *sum };
        }
    }
}

/// A whole tile: rows of `out` are `width` apart.
fn sum(left: &[f32], right: &[f32], out: &mut [f32], width: usize, add: bool) {
    let length = left.len() / MR;
    assert!(right.len() == length * NR && out.len() >= (MR - 1) * width + NR);
    #[cfg(target_arch = "x86_64")]
    if is_fast() {
        for (at, (left, right)) in left.chunks(MR * RUN).zip(right.chunks(NR * RUN)).enumerate() {
            let (length, add) = (left.len() / MR, add || at > 0);
            // SAFETY: the processor has the instructions, and the sides are as long as they should be.
            unsafe { avx512(length, left.as_ptr(), right.as_ptr(), out.as_mut_ptr(), width, add) };
        }
        return;
    }
    for i in 0..MR {
        for j in 0..NR {
            let sum: f32 = (0..length).map(|k| left[k * MR + i] * right[k * NR + j]).sum();
            let out = &mut out[i * width + j];
            *out = if add { *out + sum } else { sum };
        }
    }
}

/// # Safety
/// `left` and `right` must point to `length` groups of [`MR`] and [`NR`] floats, `out` to [`MR`] rows of
/// [`NR`], `width` apart.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(
    length: usize,
    mut left: *const f32,
    mut right: *const f32,
    out: *mut f32,
    width: usize,
    add: bool,
) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; MR];
        for i in 0..MR {
            // Where the sums will go: on its way while they are made.
            _mm_prefetch::<_MM_HINT_T0>(out.add(i * width).cast());
            _mm_prefetch::<_MM_HINT_T0>(out.add(i * width + 16).cast());
        }
        for _ in 0..length {
            let (b0, b1) = (_mm512_loadu_ps(right), _mm512_loadu_ps(right.add(16)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(*left.add(i));
                sums[0] = _mm512_fmadd_ps(a, b0, sums[0]);
                sums[1] = _mm512_fmadd_ps(a, b1, sums[1]);
            }
            left = left.add(MR);
            right = right.add(NR);
        }
        for (i, [low, high]) in sums.into_iter().enumerate() {
            let out = out.add(i * width);
            let (low, high) = if add {
                (
                    _mm512_add_ps(_mm512_loadu_ps(out), low),
                    _mm512_add_ps(_mm512_loadu_ps(out.add(16)), high),
                )
            } else {
                (low, high)
            };
            _mm512_storeu_ps(out, low);
            _mm512_storeu_ps(out.add(16), high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Xoshiro;

    #[test]
    fn products_of_matrices_that_lie_in_any_way() {
        for (m, k, n) in [(1, 1, 1), (14, 5, 32), (15, 600, 33), (300, 17, 70), (31, 1030, 100)] {
            let (mut a, mut b) = (vec![0.0; m * k], vec![0.0; k * n]);
            Xoshiro::new(1).fill_normal(&mut a, 1.0);
            Xoshiro::new(2).fill_normal(&mut b, 1.0);
            for (a_lies, b_lies) in [(false, false), (true, false), (false, true), (true, true)] {
                let (a_row, a_column) = if a_lies { (1, m) } else { (k, 1) };
                let (b_row, b_column) = if b_lies { (1, k) } else { (n, 1) };
                let left = Matrix::new(&a, m, k, a_row, a_column).unwrap();
                let right = Matrix::new(&b, k, n, b_row, b_column).unwrap();
                let mut out = vec![1.0; m * n];
                multiply(left, right, &mut out, true);
                let mut other = vec![f32::NAN; m * n];
                multiply(left, right, &mut other, false);
                for i in 0..m {
                    for j in 0..n {
                        let wanted: f64 = (0..k)
                            .map(|l| {
                                f64::from(a[i * a_row + l * a_column])
                                    * f64::from(b[l * b_row + j * b_column])
                            })
                            .sum();
                        let allowed = 2e-6 * (k as f64 + 4.0);
                        assert!((f64::from(out[i * n + j]) - 1.0 - wanted).abs() < allowed);
                        assert!((f64::from(other[i * n + j]) - wanted).abs() < allowed);
                    }
                }
            }
            assert!(Matrix::new(&a, m, k + 1, k + 1, 1).is_none());
        }
    }
}
