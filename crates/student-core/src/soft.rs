//! A teacher's distributions over the tokens of a target, kept beside it.
//!
//! The texts of a teacher teach any student. One with the student's vocabulary, such as a larger model
//! of its family, can say more: how likely it finds every token. Kept are the k likeliest at each place,
//! computed once and stored with the example; [`mtl_loss::SoftTargets`] compares the student with them.

use mtl_loss::{SoftTargets, cross_entropy};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::model::learn_by_graph;
use crate::{Batch, Example, Result, StudentCoreError, Trainable};

/// The k likeliest tokens of a teacher at every token of a target, with their log-probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct TopK {
    k: usize,
    /// A row of k for each token.
    ids: Vec<i64>,
    log_probabilities: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    k: usize,
    ids: Vec<i64>,
    log_probabilities: Vec<f32>,
}

impl TopK {
    /// The rows of all tokens one after the other, `k` numbers each: ids that differ within a row, and
    /// natural logarithms of their probabilities at the temperature of the loss.
    ///
    /// # Errors
    /// [`StudentCoreError::Data`], naming the token, for rows that are no distribution.
    pub fn new(k: usize, ids: Vec<i64>, log_probabilities: Vec<f32>) -> Result<TopK> {
        let bad = |reason: String| Err(StudentCoreError::Data(format!("soft targets: {reason}")));
        if k == 0 || !ids.len().is_multiple_of(k) || ids.len() != log_probabilities.len() {
            return bad(format!(
                "{} ids and {} log-probabilities are no rows of {k}",
                ids.len(),
                log_probabilities.len()
            ));
        }
        for (token, (ids, logs)) in ids.chunks(k).zip(log_probabilities.chunks(k)).enumerate() {
            let mut seen = ids.to_vec();
            seen.sort_unstable();
            seen.dedup();
            if seen.len() < k || seen.first().is_some_and(|&id| id < 0) {
                return bad(format!("token {token}: the ids {ids:?} are not {k} different ones"));
            }
            let sum: f64 = logs.iter().map(|&log| f64::from(log).exp()).sum();
            // Rounding of half precision may lead a little above 1.
            if sum.is_nan() || sum > 1.01 {
                return bad(format!(
                    "token {token}: the probabilities of {logs:?} add up to {sum:.4}"
                ));
            }
        }
        Ok(TopK { k, ids, log_probabilities })
    }

    /// Tokens kept at each place.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Number of places: the tokens of the target.
    pub fn tokens(&self) -> usize {
        self.ids.len() / self.k
    }

    /// The ids, a row of k for each token.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The log-probabilities, a row of k for each token.
    pub fn log_probabilities(&self) -> &[f32] {
        &self.log_probabilities
    }
}

impl TryFrom<Parts> for TopK {
    type Error = StudentCoreError;

    fn try_from(Parts { k, ids, log_probabilities }: Parts) -> Result<TopK> {
        TopK::new(k, ids, log_probabilities)
    }
}

impl From<TopK> for Parts {
    fn from(TopK { k, ids, log_probabilities }: TopK) -> Parts {
        Parts { k, ids, log_probabilities }
    }
}

/// The soft targets of a batch, padded as its labels.
pub(crate) struct SoftBatch {
    /// `[rows, target length, k]`.
    ids: Tensor,
    log_probabilities: Tensor,
    /// `[rows, target length]`, 1 where there are soft targets.
    mask: Tensor,
}

impl SoftBatch {
    /// None where no example has any.
    pub(crate) fn new(examples: &[&Example], device: Device) -> Result<Option<SoftBatch>> {
        let soft = || examples.iter().map(|example| example.soft.as_ref());
        let Some(k) = soft().flatten().map(TopK::k).next() else { return Ok(None) };
        let rows = examples.len();
        let length = examples.iter().map(|example| example.target.len()).max().unwrap_or(0);
        // Where there is nothing to learn: k different tokens of any probability.
        let mut ids: Vec<i64> = (0..k as i64).cycle().take(rows * length * k).collect();
        let mut logs = vec![-((k + 1) as f32).ln(); rows * length * k];
        let mut mask = vec![0f32; rows * length];
        for (row, soft) in soft().enumerate() {
            let Some(TopK { ids: from, log_probabilities, .. }) = soft else { continue };
            ids[row * length * k..][..from.len()].copy_from_slice(from);
            logs[row * length * k..][..from.len()].copy_from_slice(log_probabilities);
            mask[row * length..][..from.len() / k].fill(1.0);
        }
        let wide = [rows as i64, length as i64, k as i64];
        let put = |tensor: Tensor, size: &[i64]| -> Result<Tensor> {
            Ok(tensor.f_reshape(size)?.f_to_device(device)?)
        };
        Ok(Some(SoftBatch {
            ids: put(Tensor::f_from_slice(&ids)?, &wide)?,
            log_probabilities: put(Tensor::f_from_slice(&logs)?, &wide)?,
            mask: put(Tensor::f_from_slice(&mask)?, &wide[..2])?,
        }))
    }

    /// As [`Trainable::learn`], of (1−λ)·cross entropy + λ·divergence from the teacher where there are
    /// soft targets, and of cross entropy elsewhere.
    pub(crate) fn learn<M: Trainable + ?Sized>(
        &self,
        model: &M,
        batch: &Batch,
        weights: &Tensor,
        targets: &SoftTargets,
    ) -> Result<(Tensor, Tensor)> {
        let Some(logits) = model.token_logits(batch, true)? else {
            return Err(StudentCoreError::setting(
                "soft",
                "the model has no single distribution over a vocabulary to compare",
            ));
        };
        let (nll, mask) = cross_entropy(&logits, &batch.labels, 0.0)?;
        let soft = targets.top_k_loss(&logits, &self.ids, &self.log_probabilities)?;
        let mixed = targets.mix(&nll, &soft)?;
        let loss = mixed.f_where_self(&self.mask.f_gt(0.0)?, &nll)?;
        learn_by_graph(loss.f_to_kind(Kind::Float)?, mask, weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_no_distribution_are_refused() {
        let half = 0.5f32.ln();
        assert!(TopK::new(2, vec![3, 4, 4, 3], vec![half; 4]).is_ok());
        for (k, ids, logs, says) in [
            (0, vec![], vec![], "no rows of 0"),
            (2, vec![1, 2, 3], vec![half; 3], "no rows of 2"),
            (2, vec![1, 2], vec![half; 1], "2 ids and 1 log-probabilities"),
            (2, vec![1, 2, 5, 5], vec![half; 4], "token 1: the ids [5, 5]"),
            (2, vec![1, -2], vec![half; 2], "token 0: the ids [1, -2]"),
            (2, vec![1, 2], vec![half, 0.0], "add up to 1.5"),
            (1, vec![1], vec![f32::NAN], "add up to NaN"),
        ] {
            let error = TopK::new(k, ids, logs).unwrap_err().to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
        let text = r#"{"k":2,"ids":[1,1],"log_probabilities":[-1.0,-1.0]}"#;
        assert!(serde_json::from_str::<TopK>(text).unwrap_err().to_string().contains("token 0"));
    }
}
