//! Per-token losses from logits or log-probabilities.

use tch::{Kind, Tensor};

use crate::{LossError, Result};

/// The label that stands for "nothing to learn here", as in torch and transformers.
pub const IGNORED: i64 = -100;

/// Per-token negative log-likelihood of `labels` under `logits`, and its mask (1.0 where the label
/// is not [`IGNORED`]), both with the shape of `labels`.
///
/// `logits` is `[…, vocabulary]` in front of `labels` `[…]`. With `smoothing` ε the target is torch's
/// (1−ε)·onehot + ε/vocabulary: the ε is spread over *all* classes, the right one included (fairseq
/// leaves that one out). One pass over the logits, one tensor of their size.
///
/// # Errors
/// [`LossError::Shape`], [`LossError::Setting`] for an ε outside 0..1, [`LossError::Torch`] for
/// labels outside the vocabulary.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<(Tensor, Tensor)> {
    let vocabulary = check(logits, labels, smoothing)?;
    let nll = logits
        .f_reshape([-1, vocabulary])?
        .f_cross_entropy_loss::<Tensor>(
            &labels.f_reshape([-1])?,
            None,
            tch::Reduction::None,
            IGNORED,
            smoothing,
        )?
        .f_reshape(labels.size())?;
    let mask = labels.f_ne(IGNORED)?.f_to_kind(nll.f_kind()?)?;
    Ok((nll, mask))
}

/// As [`cross_entropy`], from log-probabilities: for models whose distribution is a mixture.
///
/// # Errors
/// As [`cross_entropy`].
pub fn smoothed_nll(
    log_probabilities: &Tensor,
    labels: &Tensor,
    smoothing: f64,
) -> Result<(Tensor, Tensor)> {
    check(log_probabilities, labels, smoothing)?;
    let kind = log_probabilities.f_kind()?;
    let mask = labels.f_ne(IGNORED)?;
    let index = labels.f_masked_fill(&mask.f_logical_not()?, 0)?.f_unsqueeze(-1)?;
    let picked = log_probabilities.f_gather(-1, &index, false)?.f_squeeze_dim(-1)?.f_neg()?;
    let nll = if smoothing == 0.0 {
        picked
    } else {
        let mean = log_probabilities.f_mean_dim(-1, false, kind)?.f_neg()?;
        picked.f_mul_scalar(1.0 - smoothing)?.f_add(&mean.f_mul_scalar(smoothing)?)?
    };
    let nll = nll.f_masked_fill(&mask.f_logical_not()?, 0.0)?;
    Ok((
        nll,
        mask.f_to_kind(match kind {
            Kind::Half | Kind::BFloat16 => Kind::Float,
            kind => kind,
        })?,
    ))
}

fn check(scores: &Tensor, labels: &Tensor, smoothing: f64) -> Result<i64> {
    if !(0.0..1.0).contains(&smoothing) {
        return Err(LossError::setting(
            "label smoothing",
            format!("{smoothing} is not in 0 ≤ ε < 1"),
        ));
    }
    match scores.size().split_last() {
        Some((&vocabulary, rest)) if rest == labels.size() && vocabulary > 0 => Ok(vocabulary),
        _ => Err(LossError::Shape {
            what: "scores are [labels…, vocabulary]",
            found: scores.size(),
            expected: labels.size(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree_and_match_the_definition() {
        tch::manual_seed(3);
        let logits = Tensor::randn([2, 3, 7], (Kind::Double, tch::Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 6, IGNORED, 2, IGNORED, 3]).view([2, 3]);
        let log_probabilities = logits.log_softmax(-1, Kind::Double);
        for smoothing in [0.0, 0.1] {
            let (a, mask) = cross_entropy(&logits, &labels, smoothing).unwrap();
            let (b, other) = smoothed_nll(&log_probabilities, &labels, smoothing).unwrap();
            assert!((&a - &b).abs().max().double_value(&[]) < 1e-12);
            assert_eq!(mask, other);
            assert_eq!(mask.sum(Kind::Double).double_value(&[]), 4.0);
            // −Σ_k q_k log p_k with q = (1−ε)·onehot + ε/K, by hand, for the label 6 at [0, 1].
            let expected: f64 = (0..7)
                .map(|k| {
                    let onehot = if k == 6 { 1.0 - smoothing } else { 0.0 };
                    -(onehot + smoothing / 7.0) * log_probabilities.double_value(&[0, 1, k])
                })
                .sum();
            assert!((a.double_value(&[0, 1]) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn bad_input_is_an_error() {
        let logits = Tensor::zeros([2, 4], (Kind::Float, tch::Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 4]);
        assert!(matches!(cross_entropy(&logits, &labels, 0.0), Err(LossError::Torch(_))));
        assert!(matches!(cross_entropy(&logits, &labels, 1.0), Err(LossError::Setting { .. })));
        let labels = Tensor::from_slice(&[0i64, 1, 2]);
        assert!(matches!(cross_entropy(&logits, &labels, 0.0), Err(LossError::Shape { .. })));
    }
}
