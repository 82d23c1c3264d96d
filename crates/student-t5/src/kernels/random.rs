//! Dropout that any part of a program can compute for any element at any time.
//!
//! Whether an element stays is a hash of a key and the element's place: nothing has to be drawn in
//! order, kept for the backward pass or shared between threads. The hash mixes a counter twice with
//! the two-multiplication mixer of Chris Wellons's *hash-prospector* (lowbias32), each time with half
//! of the key; sixteen hashes at a time make thirty-two decisions of 16 bits.

use super::parallel::{rows_each, run};
use super::simd::each_level;

/// Hashes at a time.
const LANES: usize = 16;
/// Elements decided by them.
const BLOCK: usize = 2 * LANES;

/// One place of a model where elements are dropped, in one pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    key: [u32; 2],
    /// An element is dropped `threshold` times of 2^16.
    threshold: u32,
    scale: f32,
}

impl Site {
    /// The `number`th place of a pass with this seed, dropping with probability `rate` (in steps of
    /// 2^-16).
    pub(crate) fn new(seed: u64, number: u64, rate: f64) -> Site {
        // SplitMix64 (Steele, Lea and Flood 2014).
        let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let threshold = (rate * 65536.0).round().clamp(0.0, 65535.0) as u32;
        let scale = (65536.0 / f64::from(65536 - threshold)) as f32;
        Site { key: [z as u32, (z >> 32) as u32], threshold, scale }
    }

    /// What elements that stay are multiplied by, to keep the mean.
    pub(crate) fn scale(self) -> f32 {
        self.scale
    }
}

#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// What the elements of a block are multiplied by: 0 or the scale.
#[inline(always)]
fn factors(site: Site, block: u32) -> [f32; BLOCK] {
    let mut out = [0.0; BLOCK];
    for lane in 0..LANES {
        let counter = block.wrapping_mul(LANES as u32).wrapping_add(lane as u32);
        let word = mix(mix(counter ^ site.key[0]).wrapping_add(site.key[1]));
        out[lane] = if word & 0xffff >= site.threshold { site.scale } else { 0.0 };
        out[LANES + lane] = if word >> 16 >= site.threshold { site.scale } else { 0.0 };
    }
    out
}

/// Blocks of a row: every row starts with one of its own.
#[inline(always)]
fn blocks(width: usize) -> usize {
    width.div_ceil(BLOCK)
}

/// Calls `each(start, factors)` for the blocks of row `row`.
#[inline(always)]
pub(super) fn for_blocks(
    site: Site,
    row: usize,
    width: usize,
    mut each: impl FnMut(usize, &[f32]),
) {
    let first = (row * blocks(width)) as u32;
    let mut start = 0;
    let mut block = first;
    while start + BLOCK <= width {
        each(start, &factors(site, block));
        start += BLOCK;
        block = block.wrapping_add(1);
    }
    if start < width {
        each(start, &factors(site, block)[..width - start]);
    }
}

each_level! {
    fn drop_rows(site: Site, first: usize, width: usize, x: &[f32], out: &mut [f32]) {
        for (row, (x, out)) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).enumerate() {
            for_blocks(site, first + row, width, |start, factors| {
                let x = &x[start..start + factors.len()];
                let out = &mut out[start..start + factors.len()];
                for i in 0..factors.len() {
                    out[i] = x[i] * factors[i];
                }
            });
        }
    }

    fn drop_rows_in_place(site: Site, first: usize, width: usize, x: &mut [f32]) {
        for (row, x) in x.chunks_exact_mut(width).enumerate() {
            for_blocks(site, first + row, width, |start, factors| {
                let x = &mut x[start..start + factors.len()];
                for i in 0..factors.len() {
                    x[i] *= factors[i];
                }
            });
        }
    }

    fn add_rows(site: Site, first: usize, width: usize, residual: &[f32], x: &mut [f32]) {
        let rows = x.chunks_exact_mut(width).zip(residual.chunks_exact(width));
        for (row, (x, residual)) in rows.enumerate() {
            for_blocks(site, first + row, width, |start, factors| {
                let x = &mut x[start..start + factors.len()];
                let residual = &residual[start..start + factors.len()];
                for i in 0..factors.len() {
                    x[i] = residual[i] + x[i] * factors[i];
                }
            });
        }
    }

    fn relu_rows(site: Site, first: usize, width: usize, x: &mut [f32]) {
        for (row, x) in x.chunks_exact_mut(width).enumerate() {
            for_blocks(site, first + row, width, |start, factors| {
                let x = &mut x[start..start + factors.len()];
                for i in 0..factors.len() {
                    // A NaN must not become 0.
                    x[i] = if x[i] < 0.0 { 0.0 } else { x[i] * factors[i] };
                }
            });
        }
    }
}

/// `out = dropout(x)`, of rows of `width`.
pub(crate) fn dropped(site: Site, width: usize, x: &[f32], out: &mut [f32]) {
    let each = rows_each(x.len() / width.max(1), width);
    let jobs = x.chunks(each * width).zip(out.chunks_mut(each * width)).enumerate().collect();
    run(jobs, |(at, (x, out))| drop_rows(site, at * each, width, x, out));
}

/// `x = dropout(x)`.
pub(crate) fn drop_in_place(site: Site, width: usize, x: &mut [f32]) {
    let each = rows_each(x.len() / width.max(1), width);
    let jobs = x.chunks_mut(each * width).enumerate().collect();
    run(jobs, |(at, x)| drop_rows_in_place(site, at * each, width, x));
}

/// `x = residual + dropout(x)`.
pub(crate) fn add_dropped(site: Site, width: usize, residual: &[f32], x: &mut [f32]) {
    let each = rows_each(x.len() / width.max(1), width);
    let jobs = x.chunks_mut(each * width).zip(residual.chunks(each * width)).enumerate().collect();
    run(jobs, |(at, (x, residual))| add_rows(site, at * each, width, residual, x));
}

/// `x = dropout(relu(x))`.
pub(crate) fn drop_relu(site: Site, width: usize, x: &mut [f32]) {
    let each = rows_each(x.len() / width.max(1), width);
    let jobs = x.chunks_mut(each * width).enumerate().collect();
    run(jobs, |(at, x)| relu_rows(site, at * each, width, x));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_and_neighbours_are_independent() {
        let (rows, width) = (1 << 10, 1 << 10);
        let ones = vec![1.0; rows * width];
        let mut out = vec![0.0; rows * width];
        for seed in [0, 1, u64::MAX] {
            dropped(Site::new(seed, 3, 0.1), width, &ones, &mut out);
            // Four standard deviations of a million draws are 0.0012.
            let mean = out.iter().map(|&x| f64::from(x)).sum::<f64>() / out.len() as f64;
            assert!((mean - 1.0).abs() < 0.0014, "{mean}");
            for gap in [0, 1, LANES, BLOCK, width] {
                let pairs = out.len() - gap;
                let both =
                    (0..pairs).filter(|&i| out[i] == 0.0 && out[i + gap] == 0.0).count() as f64;
                let (wanted, allowed) = if gap == 0 { (0.1, 0.0012) } else { (0.01, 0.0006) };
                assert!((both / pairs as f64 - wanted).abs() < allowed, "{gap}: {both}");
            }
        }
    }

    #[test]
    fn places_and_seeds_differ_and_odd_widths_keep_their_rows() {
        let ones = vec![1.0; 3 * 45];
        let draw = |site: Site| {
            let mut out = vec![0.0; ones.len()];
            dropped(site, 45, &ones, &mut out);
            out
        };
        let site = Site::new(7, 0, 0.5);
        assert_eq!(draw(site), draw(Site::new(7, 0, 0.5)));
        assert_ne!(draw(site), draw(Site::new(7, 1, 0.5)));
        assert_ne!(draw(site), draw(Site::new(8, 0, 0.5)));
        let all = draw(site);
        assert!(all.contains(&0.0) && all.contains(&2.0));
        // The four forms agree with each other.
        let mut other = ones.clone();
        drop_in_place(site, 45, &mut other);
        assert_eq!(other, all);
        let mut other = ones.clone();
        drop_relu(site, 45, &mut other);
        assert_eq!(other, all);
        let mut other = ones.clone();
        add_dropped(site, 45, &ones, &mut other);
        assert!(other.iter().zip(&all).all(|(a, b)| *a == b + 1.0));
    }
}
