//! One token after the other: greedy decoding and sampling.

use std::cell::Cell;

use tch::{Kind, Tensor};

use super::scores::{adjust, floats, ids};
use super::session::Session;
use super::{DecodeOptions, Hypothesis, Sampling, normaliser, not_numbers};
use crate::random::Random;
use crate::{Decodable, Result};

/// A text being written.
struct Text {
    /// The start token first.
    tokens: Vec<i64>,
    log_probability: f64,
    done: bool,
}

pub(super) fn decode<M: Decodable>(
    model: &M,
    source: &Tensor,
    mask: &Tensor,
    options: &DecodeOptions,
    written: &Cell<usize>,
) -> Result<Vec<Vec<Hypothesis>>> {
    let sources = source.size2()?.0 as usize;
    let width = options.n_best;
    let mut session = Session::new(model, source, mask, width)?;
    let start = model.start_token();
    let mut texts: Vec<Text> = (0..sources * width)
        .map(|_| Text { tokens: vec![start], log_probability: 0.0, done: false })
        .collect();
    for step in 0..options.max_new {
        written.set(step);
        // Rows of the batch, as places in `texts`.
        let rows: Vec<usize> =
            session.live.iter().flat_map(|&at| at * width..(at + 1) * width).collect();
        let last: Vec<i64> =
            rows.iter().map(|&row| *texts[row].tokens.last().unwrap_or(&start)).collect();
        let logits = session.step(&last)?.f_to_kind(Kind::Float)?;
        let plain = logits.f_logsumexp([-1].as_slice(), false)?;
        let adjusted =
            adjust(&logits, rows.iter().map(|&row| texts[row].tokens.as_slice()), options)?;
        let chosen = match &options.sampling {
            None => adjusted.f_argmax(-1, false)?,
            Some(sampling) => {
                let draws: Vec<f64> =
                    rows.iter().map(|&row| uniform(sampling.seed, row, step)).collect();
                draw(&adjusted, sampling, &draws)?
            }
        };
        let probabilities = floats(
            &logits.f_gather(1, &chosen.f_unsqueeze(1)?, false)?.f_squeeze_dim(1)?.f_sub(&plain)?,
        )?;
        let chosen = ids(&chosen)?;
        for (place, &row) in rows.iter().enumerate() {
            let text = &mut texts[row];
            if text.done {
                continue;
            }
            if probabilities[place].is_nan() {
                return Err(not_numbers());
            }
            text.tokens.push(chosen[place]);
            text.log_probability += f64::from(probabilities[place]);
            text.done = options.end_tokens.contains(&chosen[place]);
        }
        let done = |at: usize| texts[at * width..(at + 1) * width].iter().all(|text| text.done);
        if (0..sources).all(done) {
            break;
        }
        session.drop_done(done)?;
    }
    let mut found = texts.into_iter().map(|text| {
        let tokens = text.tokens[1..].to_vec();
        let length = normaliser(tokens.len(), options.length_penalty);
        Hypothesis {
            score: text.log_probability / f64::from(length),
            log_probability: text.log_probability,
            tokens,
        }
    });
    Ok((0..sources)
        .map(|_| {
            let mut texts: Vec<Hypothesis> = found.by_ref().take(width).collect();
            texts.sort_by(|a, b| b.score.total_cmp(&a.score));
            texts
        })
        .collect())
}

/// A number in [0, 1) of this row and step.
fn uniform(seed: u64, row: usize, step: usize) -> f64 {
    (Random::new(&[seed, row as u64, step as u64]).next() >> 11) as f64 / (1u64 << 53) as f64
}

/// One token a row, drawn from `logits` as the options say.
fn draw(logits: &Tensor, sampling: &Sampling, uniform: &[f64]) -> Result<Tensor> {
    let vocabulary = logits.size2()?.1;
    let mut logits = logits.f_div_scalar(sampling.temperature)?;
    let top_k = i64::try_from(sampling.top_k).unwrap_or(i64::MAX);
    if top_k > 0 && top_k < vocabulary {
        let (best, _) = logits.f_topk(top_k, -1, true, true)?;
        let least = best.f_narrow(1, top_k - 1, 1)?;
        logits = logits.f_masked_fill(&logits.f_lt_tensor(&least)?, f64::NEG_INFINITY)?;
    }
    if sampling.top_p < 1.0 {
        let (sorted, order) = logits.f_sort(-1, false)?;
        let below = sorted.f_softmax(-1, Kind::Double)?.f_cumsum(-1, Kind::Double)?;
        let out = below.f_le(1.0 - sampling.top_p)?;
        // The likeliest always stays, whatever rounding does.
        let _ = out.f_narrow(1, vocabulary - 1, 1)?.f_fill_(0)?;
        let out = out.f_scatter(1, &order, &out)?;
        logits = logits.f_masked_fill(&out, f64::NEG_INFINITY)?;
    }
    let sums = logits.f_softmax(-1, Kind::Double)?.f_cumsum(-1, Kind::Double)?;
    let total = sums.f_narrow(1, vocabulary - 1, 1)?;
    let at = Tensor::f_from_slice(uniform)?.f_to_device(logits.device())?.f_unsqueeze(1)?;
    // The first token whose sum is above the draw has probability; rounding must not lead past the
    // last one that has.
    let found = sums.f_le_tensor(&at.f_mul(&total)?)?.f_sum_dim_intlist(
        [1].as_slice(),
        false,
        Kind::Int64,
    )?;
    let last = sums.f_lt_tensor(&total)?.f_sum_dim_intlist([1].as_slice(), false, Kind::Int64)?;
    Ok(found.f_minimum(&last)?)
}
