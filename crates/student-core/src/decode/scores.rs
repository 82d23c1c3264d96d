//! What the options do to the scores of the next token.

use std::collections::HashSet;

use tch::{Kind, Tensor};

use super::DecodeOptions;
use crate::Result;

/// Applies the repetition penalty, bans repeated n-grams and, before the least length, the end
/// tokens, in transformers' order. `scores` is `[rows, vocabulary]`; `texts` gives each row's tokens
/// with the start token first.
pub(super) fn adjust<'a>(
    scores: &Tensor,
    texts: impl Iterator<Item = &'a [i64]>,
    options: &DecodeOptions,
) -> Result<Tensor> {
    let n = options.no_repeat_ngram;
    let penalise = options.repetition_penalty != 1.0;
    if n == 0 && !penalise && options.min_new == 0 {
        return Ok(scores.shallow_clone());
    }
    let mut scores = scores.f_alias_copy()?.f_contiguous()?;
    let vocabulary = scores.size2()?.1;
    // Places in the flat table.
    let (mut used, mut banned) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for (row, text) in texts.enumerate() {
        let base = row as i64 * vocabulary;
        if penalise {
            seen.clear();
            used.extend(text.iter().filter(|&&token| seen.insert(token)).map(|token| base + token));
        }
        if n > 0 && text.len() + 1 >= n {
            let last = &text[text.len() + 1 - n..];
            banned.extend(
                text.windows(n)
                    .filter(|gram| gram[..n - 1] == *last)
                    .map(|gram| base + gram[n - 1]),
            );
        }
        // The start token is not one of the new ones.
        if text.len() <= options.min_new {
            banned.extend(options.end_tokens.iter().map(|token| base + token));
        }
    }
    if !used.is_empty() {
        let places = Tensor::f_from_slice(&used)?.f_to_device(scores.device())?;
        let found = scores.f_take(&places)?;
        let penalty = options.repetition_penalty;
        let lower = found.f_mul_scalar(penalty)?;
        let changed = lower.f_where_self(&found.f_lt(0)?, &found.f_div_scalar(penalty)?)?;
        let _ = scores.f_put_(&places, &changed, false)?;
    }
    if !banned.is_empty() {
        let places = Tensor::f_from_slice(&banned)?.f_to_device(scores.device())?;
        let never = Tensor::f_full(
            [banned.len() as i64].as_slice(),
            f64::NEG_INFINITY,
            (scores.f_kind()?, scores.device()),
        )?;
        let _ = scores.f_put_(&places, &never, false)?;
    }
    Ok(scores)
}

/// The table as numbers of this machine, row after row.
pub(super) fn floats(tensor: &Tensor) -> Result<Vec<f32>> {
    let tensor = tensor.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut numbers = vec![0.0; tensor.numel()];
    tensor.f_copy_data(&mut numbers, tensor.numel())?;
    Ok(numbers)
}

/// As [`floats`], of a table of ids.
pub(super) fn ids(tensor: &Tensor) -> Result<Vec<i64>> {
    let tensor = tensor.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut numbers = vec![0; tensor.numel()];
    tensor.f_copy_data(&mut numbers, tensor.numel())?;
    Ok(numbers)
}
