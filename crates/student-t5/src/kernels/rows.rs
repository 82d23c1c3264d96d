//! Passes over the rows of tables.

use super::parallel::{rows_each, run};
use super::random::{Site, for_blocks};
use super::simd::each_level;

/// Sums kept side by side: what one vector instruction, or two, can add.
const LANES: usize = 16;

/// e^x to within two units in the last place; 0 below the smallest normal number. The polynomial is
/// that of Moshier's Cephes.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // Adding it moves a number's integer part into the lowest bits.
    const SHIFT: f32 = 12_582_912.0;
    let shifted = x.clamp(-87.3, 88.7) * LOG2_E + SHIFT;
    let whole = shifted - SHIFT;
    let rest = x.clamp(-87.3, 88.7) - whole * 0.693_359_4 - whole * -2.121_944_4e-4;
    let mut sum = 1.987_569_1e-4;
    for factor in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum * rest + factor;
    }
    let sum = sum * rest * rest + rest + 1.0;
    let power = (shifted.to_bits().wrapping_sub(SHIFT.to_bits()) << 23).wrapping_add(0x3f80_0000);
    let value = sum * f32::from_bits(power);
    if x < -87.3 {
        0.0
    } else if x.is_nan() {
        x
    } else {
        value
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    // In their lanes as well: zeros at a row's end then change nothing.
    for ((a, b), sum) in a_rest.iter().zip(b_rest).zip(&mut sums) {
        *sum += a * b;
    }
    add_up(sums)
}

#[inline(always)]
fn add_up(mut sums: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            best[lane] = if chunk[lane] > best[lane] { chunk[lane] } else { best[lane] };
        }
    }
    best.iter().chain(rest).fold(f32::NEG_INFINITY, |best, &x| if x > best { x } else { best })
}

/// Turns a row into exponentials of what it is above `top`, and gives their sum.
#[inline(always)]
fn exponentials(row: &mut [f32], top: f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - top);
            sums[lane] += chunk[lane];
        }
    }
    // In their lanes as well: zeros at a row's end then change nothing.
    for (x, sum) in rest.iter_mut().zip(&mut sums) {
        *x = exp(*x - top);
        *sum += *x;
    }
    add_up(sums)
}

#[inline(always)]
fn normalise(row: &mut [f32]) {
    let top = largest(row);
    let sum = exponentials(row, top);
    for x in row {
        *x /= sum;
    }
}

each_level! {
    fn norm_rows(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32], inverse: &mut [f32]) {
        let width = weight.len();
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width)).zip(inverse);
        for ((x, out), inverse) in rows {
            *inverse = 1.0 / (dot(x, x) / width as f32 + epsilon).sqrt();
            for i in 0..width {
                out[i] = x[i] * *inverse * weight[i];
            }
        }
    }

    fn norm_back_rows(
        gradient: &[f32],
        x: &[f32],
        inverse: &[f32],
        weight: &[f32],
        into_x: &mut [f32],
        into_weight: &mut [f32],
    ) {
        let width = weight.len();
        let rows = gradient
            .chunks_exact(width)
            .zip(x.chunks_exact(width))
            .zip(into_x.chunks_exact_mut(width))
            .zip(inverse);
        for (((gradient, x), into_x), &inverse) in rows {
            let mut sums = [0.0; LANES];
            let whole = width / LANES * LANES;
            let mut at = 0;
            while at < whole {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let i = at + lane;
                    *sum += gradient[i] * weight[i] * x[i];
                }
                at += LANES;
            }
            let mut sum = add_up(sums);
            for i in whole..width {
                sum += gradient[i] * weight[i] * x[i];
            }
            let along = sum * inverse * inverse * inverse / width as f32;
            for i in 0..width {
                into_weight[i] += gradient[i] * x[i] * inverse;
                into_x[i] += gradient[i] * weight[i] * inverse - x[i] * along;
            }
        }
    }

    fn relu_back_rows(scale: f32, out: &[f32], gradient: &mut [f32]) {
        for (gradient, &out) in gradient.iter_mut().zip(out) {
            *gradient = if out > 0.0 { *gradient * scale } else { 0.0 };
        }
    }

    fn relu_elements(x: &mut [f32]) {
        for x in x {
            // A NaN stays one.
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    }

    fn add_elements(x: &mut [f32], y: &[f32]) {
        for (x, &y) in x.iter_mut().zip(y) {
            *x += y;
        }
    }

    fn add_wide(x: &mut [f64], y: &[f32]) {
        for (x, &y) in x.iter_mut().zip(y) {
            *x += f64::from(y);
        }
    }

    fn scale_elements(x: &mut [f32], by: f32) {
        for x in x {
            *x *= by;
        }
    }

    /// Softmax of one row.
    pub(crate) fn softmax(row: &mut [f32]) {
        normalise(row);
    }

    fn attention_rows(
        shape: &Attention,
        first: usize,
        scores: &mut [f32],
        dropped: Option<&mut [f32]>,
    ) {
        let keys = shape.keys;
        let mut dropped = dropped.map(|dropped| dropped.chunks_exact_mut(keys));
        for (at, scores) in scores.chunks_exact_mut(keys).enumerate() {
            let row = first + at;
            let (query, head) = (row % shape.queries, row / shape.queries % shape.heads);
            let source = row / (shape.queries * shape.heads);
            let seen = if shape.causal { query + 1 } else { keys };
            let (scores, later) = scores.split_at_mut(seen.min(keys));
            if let Some(bias) = shape.bias {
                let bias = &bias[(head * shape.queries + query) * keys..][..scores.len()];
                for (score, bias) in scores.iter_mut().zip(bias) {
                    *score += bias;
                }
            }
            if let Some(padding) = shape.padding {
                let padding = &padding[source * keys..][..scores.len()];
                for (score, padding) in scores.iter_mut().zip(padding) {
                    *score += padding;
                }
            }
            normalise(scores);
            later.fill(0.0);
            if let Some(dropped) = dropped.as_mut().and_then(Iterator::next) {
                let (dropped, later) = dropped.split_at_mut(scores.len());
                for_blocks(shape.site, row, keys, |start, factors| {
                    if start < scores.len() {
                        let count = factors.len().min(scores.len() - start);
                        let scores = &scores[start..start + count];
                        let dropped = &mut dropped[start..start + count];
                        for i in 0..count {
                            dropped[i] = scores[i] * factors[i];
                        }
                    }
                });
                later.fill(0.0);
            }
        }
    }

    fn attention_back_rows(
        shape: &Attention,
        first: usize,
        probabilities: &[f32],
        gradient: &mut [f32],
    ) {
        let keys = shape.keys;
        let rows = gradient.chunks_exact_mut(keys).zip(probabilities.chunks_exact(keys));
        for (at, (gradient, probabilities)) in rows.enumerate() {
            let row = first + at;
            let seen = if shape.causal { row % shape.queries + 1 } else { keys };
            let (gradient, later) = gradient.split_at_mut(seen.min(keys));
            let probabilities = &probabilities[..gradient.len()];
            for_blocks(shape.site, row, keys, |start, factors| {
                if start < gradient.len() {
                    let count = factors.len().min(gradient.len() - start);
                    let gradient = &mut gradient[start..start + count];
                    for i in 0..count {
                        gradient[i] *= factors[i];
                    }
                }
            });
            let along = dot(gradient, probabilities);
            for i in 0..gradient.len() {
                gradient[i] = probabilities[i] * (gradient[i] - along);
            }
            later.fill(0.0);
        }
    }

    /// The negative log-likelihood of `label` under logits, which become its gradient times
    /// `weight`. `label` must be within the row.
    fn cross_entropy_row(logits: &mut [f32], label: usize, weight: f32) -> f32 {
        let top = largest(logits);
        let picked = logits[label] - top;
        let sum = exponentials(logits, top);
        let factor = weight / sum;
        for x in logits.iter_mut() {
            *x *= factor;
        }
        logits[label] -= weight;
        sum.ln() - picked
    }

    /// The negative log-likelihood of `label` under logits, which are used up.
    fn nll_row(logits: &mut [f32], label: usize) -> f32 {
        let top = largest(logits);
        let picked = logits[label] - top;
        exponentials(logits, top).ln() - picked
    }

    /// Scores of keys: `out[i] = bias[i] + query·base[offsets[i]..]`.
    pub(crate) fn score_keys(
        query: &[f32],
        base: &[f32],
        offsets: &[u32],
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        for (out, &offset) in out.iter_mut().zip(offsets) {
            *out = dot(query, &base[offset as usize..][..query.len()]);
        }
        if let Some(bias) = bias {
            for (out, bias) in out.iter_mut().zip(bias) {
                *out += bias;
            }
        }
    }

    /// Adds values: `out += Σ_i weights[i]·base[offsets[i]..]`.
    pub(crate) fn mix_values(weights: &[f32], base: &[f32], offsets: &[u32], out: &mut [f32]) {
        for (&weight, &offset) in weights.iter().zip(offsets) {
            let value = &base[offset as usize..][..out.len()];
            for i in 0..out.len() {
                out[i] += weight * value[i];
            }
        }
    }
}

/// RMS norm: `out = x / root mean square(x) · weight`; `inverse` gets one over the root of each row.
pub(crate) fn norm(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32], inverse: &mut [f32]) {
    let width = weight.len();
    let each = rows_each(inverse.len(), width);
    let jobs = x
        .chunks(each * width)
        .zip(out.chunks_mut(each * width))
        .zip(inverse.chunks_mut(each))
        .collect();
    run(jobs, |((x, out), inverse)| norm_rows(x, weight, epsilon as f32, out, inverse));
}

/// Adds the gradient of [`norm`] to those of its input and its weight.
pub(crate) fn norm_back(
    gradient: &[f32],
    x: &[f32],
    inverse: &[f32],
    weight: &[f32],
    into_x: &mut [f32],
    into_weight: &mut [f32],
) {
    let width = weight.len();
    let each = rows_each(inverse.len(), width);
    let parts = inverse.len().div_ceil(each);
    let mut partial = vec![0.0; parts * width];
    let jobs = gradient
        .chunks(each * width)
        .zip(x.chunks(each * width))
        .zip(inverse.chunks(each))
        .zip(into_x.chunks_mut(each * width))
        .zip(partial.chunks_mut(width))
        .collect();
    run(jobs, |((((gradient, x), inverse), into_x), into_weight)| {
        norm_back_rows(gradient, x, inverse, weight, into_x, into_weight);
    });
    partial.chunks(width).for_each(|partial| add_elements(into_weight, partial));
}

/// The gradient before `dropout(relu(…))`, whose result was `out`, in place.
pub(crate) fn relu_back(scale: f32, out: &[f32], gradient: &mut [f32]) {
    let each = rows_each(out.len(), 1);
    let jobs = out.chunks(each).zip(gradient.chunks_mut(each)).collect();
    run(jobs, |(out, gradient)| relu_back_rows(scale, out, gradient));
}

/// `x = max(x, 0)`.
pub(crate) fn relu(x: &mut [f32]) {
    relu_elements(x);
}

/// `x += y`.
pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    let each = rows_each(x.len(), 1);
    let jobs = x.chunks_mut(each).zip(y.chunks(each)).collect();
    run(jobs, |(x, y)| add_elements(x, y));
}

/// `x *= by`.
pub(crate) fn scale(x: &mut [f32], by: f32) {
    scale_elements(x, by);
}

/// What the scores `[sources × heads × queries, keys]` of an attention belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention<'a> {
    pub(crate) heads: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    /// Added to the scores: `[heads, queries, keys]`.
    pub(crate) bias: Option<&'a [f32]>,
    /// Added to the scores: `[sources, keys]`.
    pub(crate) padding: Option<&'a [f32]>,
    /// Whether a query sees only keys up to its own position.
    pub(crate) causal: bool,
    pub(crate) site: Site,
}

/// Scores become probabilities, in place, and `dropped`, if wanted, what dropout leaves of them.
pub(crate) fn attention(shape: &Attention, scores: &mut [f32], dropped: Option<&mut [f32]>) {
    let each = rows_each(scores.len() / shape.keys.max(1), shape.keys);
    let part = each * shape.keys;
    let mut dropped = dropped.map(|dropped| dropped.chunks_mut(part));
    let jobs = scores
        .chunks_mut(part)
        .map(|scores| (scores, dropped.as_mut().and_then(Iterator::next)))
        .enumerate()
        .collect();
    run(jobs, |(at, (scores, dropped))| attention_rows(shape, at * each, scores, dropped));
}

/// The gradient of dropped probabilities becomes that of the scores, in place.
pub(crate) fn attention_back(shape: &Attention, probabilities: &[f32], gradient: &mut [f32]) {
    let each = rows_each(gradient.len() / shape.keys.max(1), shape.keys);
    let part = each * shape.keys;
    let jobs = gradient.chunks_mut(part).zip(probabilities.chunks(part)).enumerate().collect();
    run(jobs, |(at, (gradient, probabilities))| {
        attention_back_rows(shape, at * each, probabilities, gradient);
    });
}

/// Adds up gradients of scores over sources: `into` is `[heads, queries, keys]`. What a softmax passes
/// back adds up to nothing over its keys, so these are small sums of large numbers.
pub(crate) fn add_over_sources(scores: &[f32], into: &mut [f64]) {
    let each = rows_each(into.len(), 1);
    let whole = into.len().max(1);
    let jobs = into.chunks_mut(each).enumerate().collect();
    run(jobs, |(at, into): (usize, &mut [f64])| {
        for scores in scores.chunks_exact(whole) {
            add_wide(into, &scores[at * each..][..into.len()]);
        }
    });
}

/// The negative log-likelihood of each row's label, into `nll`. The logits `[rows, vocabulary]` are
/// used up: with `weights` they become the gradient of the sum of weights · nll.
pub(crate) fn cross_entropy(
    logits: &mut [f32],
    labels: &[i64],
    weights: Option<&[f32]>,
    nll: &mut [f32],
) {
    let vocabulary = logits.len() / labels.len().max(1);
    let each = rows_each(labels.len(), vocabulary);
    let jobs = logits.chunks_mut(each * vocabulary).zip(nll.chunks_mut(each)).enumerate().collect();
    run(jobs, |(at, (logits, nll)): (usize, (&mut [f32], &mut [f32]))| {
        for (row, (logits, nll)) in logits.chunks_exact_mut(vocabulary).zip(nll).enumerate() {
            let row = at * each + row;
            let label = labels[row] as usize;
            *nll = match weights {
                Some(weights) => cross_entropy_row(logits, label, weights[row]),
                None => nll_row(logits, label),
            };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Xoshiro;

    fn normal(seed: u64, count: usize) -> Vec<f32> {
        let mut numbers = vec![0.0; count];
        Xoshiro::new(seed).fill_normal(&mut numbers, 1.0);
        numbers
    }

    #[test]
    fn exponentials_are_exact_to_a_few_units() {
        let mut x = -87.0f32;
        while x < 88.0 {
            let wanted = f64::from(x).exp();
            assert!((f64::from(exp(x)) / wanted - 1.0).abs() < 3e-7, "{x}");
            x += 0.0371;
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::MIN), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn a_label_s_loss_and_gradient_follow_the_definition() {
        let mut logits = normal(3, 2 * 37);
        let before = logits.clone();
        let mut nll = [0.0; 2];
        cross_entropy(&mut logits, &[36, 0], Some(&[1.0, 0.25]), &mut nll);
        for (row, (label, weight)) in [(36, 1.0), (0, 0.25)].into_iter().enumerate() {
            let row_before = &before[row * 37..][..37];
            let sum: f64 = row_before.iter().map(|&x| f64::from(x).exp()).sum();
            let wanted = sum.ln() - f64::from(row_before[label]);
            assert!((f64::from(nll[row]) - wanted).abs() < 1e-5);
            for k in 0..37 {
                let onehot = if k == label { 1.0 } else { 0.0 };
                let wanted = weight * (f64::from(row_before[k]).exp() / sum - onehot);
                assert!((f64::from(logits[row * 37 + k]) - wanted).abs() < 1e-6);
            }
        }
        let mut again = before;
        let mut other = [0.0; 2];
        cross_entropy(&mut again, &[36, 0], None, &mut other);
        assert_eq!(nll, other);
        let mut damaged = [1.0, f32::NAN, 2.0];
        let mut nll = [0.0];
        cross_entropy(&mut damaged, &[0], None, &mut nll);
        assert!(nll[0].is_nan());
    }

    #[test]
    fn keys_are_scored_and_values_mixed_by_their_offsets() {
        let (base, query) = (normal(1, 400), normal(2, 20));
        let offsets = [40u32, 0, 360];
        let mut out = [0.0; 3];
        score_keys(&query, &base, &offsets, Some(&[1.0, 2.0, 3.0]), &mut out);
        let mut mixed = vec![0.5; 20];
        mix_values(&[0.25, 2.0, -1.0], &base, &offsets, &mut mixed);
        for (i, &offset) in offsets.iter().enumerate() {
            let wanted: f32 = (0..20).map(|k| query[k] * base[offset as usize + k]).sum();
            assert!((out[i] - wanted - (i + 1) as f32).abs() < 1e-5);
        }
        for (k, mixed) in mixed.iter().enumerate() {
            let wanted = 0.5 + 0.25 * base[40 + k] + 2.0 * base[k] - base[360 + k];
            assert!((mixed - wanted).abs() < 1e-5);
        }
    }
}
