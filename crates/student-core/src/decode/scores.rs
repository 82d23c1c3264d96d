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

/// The `most` highest scores of each row and their tokens, highest first, of equal ones the smaller
/// token first.
pub(super) fn likeliest(scores: &Tensor, most: usize) -> Result<(Vec<f32>, Vec<i64>)> {
    if scores.device() != tch::Device::Cpu {
        let (best, tokens) = scores.f_topk(most as i64, -1, true, true)?;
        return Ok((floats(&best)?, ids(&tokens)?));
    }
    // torch sorts a copy of every row; a look at each score is enough.
    let (rows, vocabulary) = scores.size2()?;
    let scores = floats(scores)?;
    let mut best = Vec::with_capacity(rows as usize * most);
    let mut tokens = Vec::with_capacity(rows as usize * most);
    let mut found: Vec<(f32, i64)> = Vec::with_capacity(most + 1);
    for row in scores.chunks_exact((vocabulary as usize).max(1)) {
        found.clear();
        let mut least = f32::NEG_INFINITY;
        for (token, &score) in row.iter().enumerate() {
            // NaN is kept while there is room: whoever adds it up finds out.
            if score > least || found.len() < most {
                let place = found.partition_point(|(other, _)| other.total_cmp(&score).is_ge());
                found.insert(place, (score, token as i64));
                found.truncate(most);
                if found.len() == most {
                    least = found.last().map_or(least, |(score, _)| *score);
                }
            }
        }
        best.extend(found.iter().map(|(score, _)| *score));
        tokens.extend(found.iter().map(|(_, token)| *token));
    }
    Ok((best, tokens))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_likeliest_are_those_of_a_whole_sort(
            rows in prop::collection::vec(prop::collection::vec(-3i8..4, 9), 1..4),
            most in 1usize..10,
        ) {
            let flat: Vec<f32> = rows.concat().into_iter().map(f32::from).collect();
            let table = Tensor::from_slice(&flat).view([rows.len() as i64, 9]);
            let (best, tokens) = likeliest(&table, most).unwrap();
            for (row, (best, tokens)) in
                rows.iter().zip(best.chunks(most).zip(tokens.chunks(most)))
            {
                let mut order: Vec<usize> = (0..9).collect();
                order.sort_by_key(|&token| std::cmp::Reverse(row[token]));
                let wanted: Vec<i64> = order.iter().take(most).map(|&token| token as i64).collect();
                prop_assert_eq!(tokens, &wanted[..]);
                prop_assert!(best.iter().zip(&order).all(|(b, &o)| *b == f32::from(row[o])));
            }
        }
    }
}
