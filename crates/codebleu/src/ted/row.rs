//! One row of a forest table, the innermost loop of the exact distance.
//!
//! Tables hold *room*, [`Cell::FAR`] less the distance, so that the least distance is the most room
//! and 0 is further than anything: the zeros that processors shift in are then right. With the
//! lane's number added, the prefix maximum needs no additions on its way.
//!
//! The 16-bit row has three forms with the same result: SSE2, which every x86-64 processor has, AVX2
//! where it is found at run time, and one without intrinsics for other processors.

/// Cells that are computed together. Rows are padded to a multiple of it; what stands in the
/// padding is never read for a cell of the row.
pub(super) const LANES: usize = 8;

/// Computes a row: `out[y] = max(up[y] − 1, jumps[y] − subtrees[y], out[y − 1] − 1)`, where
/// `column_0` stands for `out[−1]`. The five lengths are the same multiple of [`LANES`].
pub(super) type Row<C> = fn(up: &[C], jumps: &[C], subtrees: &[C], column_0: C, out: &mut [C]);

/// A distance, or the room that it leaves. Sums wrap: only cells in the padding come near the
/// limits.
pub(super) trait Cell: Copy + Ord + Default + 'static {
    /// More than any distance in a table of this type.
    const FAR: Self;

    /// From a number below `FAR`.
    fn new(value: u32) -> Self;

    /// Back to a number.
    fn to_u32(self) -> u32;

    /// `self − other`
    fn less(self, other: Self) -> Self;

    /// `self + other`
    fn plus(self, other: Self) -> Self;

    /// The fastest form of the row on this processor.
    fn row() -> Row<Self>;
}

impl Cell for i16 {
    const FAR: i16 = i16::MAX - 64;

    #[inline(always)]
    fn new(value: u32) -> i16 {
        value as i16
    }

    #[inline(always)]
    fn to_u32(self) -> u32 {
        self as u32
    }

    #[inline(always)]
    fn less(self, other: i16) -> i16 {
        self.wrapping_sub(other)
    }

    #[inline(always)]
    fn plus(self, other: i16) -> i16 {
        self.wrapping_add(other)
    }

    fn row() -> Row<i16> {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2") { x86::avx2 } else { x86::sse2 }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            portable
        }
    }
}

impl Cell for i32 {
    const FAR: i32 = i32::MAX - 64;

    #[inline(always)]
    fn new(value: u32) -> i32 {
        value as i32
    }

    #[inline(always)]
    fn to_u32(self) -> u32 {
        self as u32
    }

    #[inline(always)]
    fn less(self, other: i32) -> i32 {
        self.wrapping_sub(other)
    }

    #[inline(always)]
    fn plus(self, other: i32) -> i32 {
        self.wrapping_add(other)
    }

    fn row() -> Row<i32> {
        portable
    }
}

/// The row without intrinsics.
fn portable<C: Cell>(up: &[C], jumps: &[C], subtrees: &[C], column_0: C, out: &mut [C]) {
    let one = C::new(1);
    for (((out, up), jump), subtree) in out.iter_mut().zip(up).zip(jumps).zip(subtrees) {
        *out = up.less(one).max(jump.less(*subtree));
    }
    let mut left = column_0;
    for out in out {
        left = (*out).max(left.less(one));
        *out = left;
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86 {
    use std::arch::x86_64::*;

    use super::LANES;

    /// Eight cells. Chunks rather than pointers keep every access in bounds.
    #[inline(always)]
    fn load(cells: &[i16; 8]) -> __m128i {
        // SAFETY: the reference is valid for 16 bytes, and the load needs no alignment.
        unsafe { _mm_loadu_si128(cells.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(cells: &mut [i16; 8], value: __m128i) {
        // SAFETY: the reference is valid for 16 bytes, and the store needs no alignment.
        unsafe { _mm_storeu_si128(cells.as_mut_ptr().cast(), value) }
    }

    /// The row, eight cells at a time.
    pub(super) fn sse2(
        up: &[i16],
        jumps: &[i16],
        subtrees: &[i16],
        column_0: i16,
        out: &mut [i16],
    ) {
        // SAFETY: SSE2 is part of the x86-64 architecture.
        unsafe { sse2_from(up, jumps, subtrees, _mm_set1_epi16(column_0), out) }
    }

    /// `left` holds the cell before the row in each lane.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn sse2_from(up: &[i16], jumps: &[i16], subtrees: &[i16], mut left: __m128i, out: &mut [i16]) {
        let (up, _) = up.as_chunks::<LANES>();
        let (jumps, _) = jumps.as_chunks::<LANES>();
        let (subtrees, _) = subtrees.as_chunks::<LANES>();
        let (out, _) = out.as_chunks_mut::<LANES>();
        let lane = _mm_setr_epi16(1, 2, 3, 4, 5, 6, 7, 8);
        let above = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
        let eight = _mm_set1_epi16(8);
        for (((out, up), jumps), subtrees) in out.iter_mut().zip(up).zip(jumps).zip(subtrees) {
            let jump = _mm_add_epi16(_mm_sub_epi16(load(jumps), load(subtrees)), lane);
            let mut v = _mm_max_epi16(_mm_add_epi16(load(up), above), jump);
            v = _mm_max_epi16(v, _mm_slli_si128(v, 2));
            v = _mm_max_epi16(v, _mm_slli_si128(v, 4));
            v = _mm_max_epi16(v, _mm_slli_si128(v, 8));
            store(out, _mm_sub_epi16(_mm_max_epi16(v, left), lane));
            let last = _mm_shufflehi_epi16(v, 0xff);
            let last = _mm_unpackhi_epi64(last, last);
            left = _mm_sub_epi16(_mm_max_epi16(left, last), eight);
        }
    }

    /// The row, sixteen cells at a time.
    pub(super) fn avx2(
        up: &[i16],
        jumps: &[i16],
        subtrees: &[i16],
        column_0: i16,
        out: &mut [i16],
    ) {
        // SAFETY: `Cell::row` hands this function out only where the processor has AVX2.
        unsafe { avx2_row(up, jumps, subtrees, column_0, out) }
    }

    #[target_feature(enable = "avx2")]
    fn avx2_row(up: &[i16], jumps: &[i16], subtrees: &[i16], column_0: i16, out: &mut [i16]) {
        const WIDE: usize = 16;
        let load = |cells: &[i16; WIDE]| {
            // SAFETY: the reference is valid for 32 bytes, and the load needs no alignment.
            unsafe { _mm256_loadu_si256(cells.as_ptr().cast()) }
        };
        let (up, up_rest) = up.as_chunks::<WIDE>();
        let (jumps, jumps_rest) = jumps.as_chunks::<WIDE>();
        let (subtrees, subtrees_rest) = subtrees.as_chunks::<WIDE>();
        let (out, out_rest) = out.as_chunks_mut::<WIDE>();
        let lane = _mm256_setr_epi16(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
        let above = _mm256_sub_epi16(lane, _mm256_set1_epi16(1));
        let sixteen = _mm256_set1_epi16(16);
        // The last cell of each half, in every lane of that half.
        let lasts = _mm256_set1_epi16(0x0f0e);
        let mut left = _mm256_set1_epi16(column_0);
        for (((out, up), jumps), subtrees) in out.iter_mut().zip(up).zip(jumps).zip(subtrees) {
            let jump = _mm256_add_epi16(_mm256_sub_epi16(load(jumps), load(subtrees)), lane);
            let mut v = _mm256_max_epi16(_mm256_add_epi16(load(up), above), jump);
            // Shifts stay within the halves.
            v = _mm256_max_epi16(v, _mm256_slli_si256(v, 2));
            v = _mm256_max_epi16(v, _mm256_slli_si256(v, 4));
            v = _mm256_max_epi16(v, _mm256_slli_si256(v, 8));
            let last = _mm256_shuffle_epi8(v, lasts);
            // The lower half's last cell to the upper half, 0 to the lower.
            v = _mm256_max_epi16(v, _mm256_permute2x128_si256(last, last, 0x08));
            let row = _mm256_sub_epi16(_mm256_max_epi16(v, left), lane);
            // SAFETY: the reference is valid for 32 bytes, and the store needs no alignment.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), row) };
            // Off the chain from block to block: the greatest of both halves' last cells.
            let last = _mm256_max_epi16(last, _mm256_permute2x128_si256(last, last, 0x01));
            left = _mm256_sub_epi16(_mm256_max_epi16(left, last), sixteen);
        }
        let left = _mm256_castsi256_si128(left);
        sse2_from(up_rest, jumps_rest, subtrees_rest, left, out_rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All forms on rows of all lengths up to a few blocks, with cells of every size.
    #[test]
    fn all_forms_agree() {
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % below) as i16
        };
        for round in 0..2000 {
            let length = LANES * (round % 9);
            let spread = [3, 40, 20_000][round % 3];
            let mut cells = |most: u64, least: i16| -> Vec<i16> {
                (0..length).map(|_| least + random(most)).collect()
            };
            let (up, jumps) = (cells(spread, 100), cells(spread, 100));
            let subtrees = cells(100, 0);
            let column_0 = cells(spread, 100).first().copied().unwrap_or(7);
            let mut expected = vec![0; length];
            portable(&up, &jumps, &subtrees, column_0, &mut expected);
            let mut forms: Vec<Row<i16>> = vec![<i16 as Cell>::row()];
            #[cfg(target_arch = "x86_64")]
            forms.push(x86::sse2);
            for form in forms {
                let mut out = vec![0; length];
                form(&up, &jumps, &subtrees, column_0, &mut out);
                assert_eq!(out, expected);
            }
            let wide = |cells: &[i16]| cells.iter().map(|&c| i32::from(c)).collect::<Vec<i32>>();
            let mut out = vec![0; length];
            <i32 as Cell>::row()(
                &wide(&up),
                &wide(&jumps),
                &wide(&subtrees),
                column_0.into(),
                &mut out,
            );
            assert_eq!(out, wide(&expected));
        }
    }
}
