//! What a trained student is to the trainer and the decoder.

use tch::Tensor;

use crate::Result;

/// Teacher-forced examples of one task, padded to a rectangle.
#[derive(Debug)]
pub struct Batch {
    /// Source token ids, `[rows, source length]`, int64.
    pub source: Tensor,
    /// 1 for a token, 0 for padding: `[rows, source length]`, int64.
    pub source_mask: Tensor,
    /// Target token ids, `[rows, target length]`, int64; −100 where there is nothing to learn.
    pub labels: Tensor,
}

/// A model that the multi-task trainer can train.
///
/// It answers with a negative log-likelihood for every token rather than with logits: a grammar
/// decoder has no single softmax over a vocabulary.
pub trait Trainable {
    /// Every trainable tensor with its name in checkpoints, in a fixed order. Tied tensors appear
    /// once. The tensors share their storage with the model's: the trainer writes into them. The
    /// names are those of `model.safetensors`.
    fn parameters(&self) -> Vec<(String, Tensor)>;

    /// Per-token negative log-likelihood of the labels, `[rows, target length]` float, and its
    /// mask, same shape, 1.0 where the label counts. With `train` dropout is on, drawing from
    /// torch's generator (the trainer seeds it for every step).
    fn token_nll(&self, batch: &Batch, train: bool) -> Result<(Tensor, Tensor)>;

    /// Logits of every target token, `[rows, target length, vocabulary]`, with their graph: what soft
    /// targets are compared with. None of a model whose tokens have no one distribution over a
    /// vocabulary. Dropout as in [`token_nll`](Self::token_nll).
    fn token_logits(&self, _batch: &Batch, _train: bool) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// Adds the gradient of Σ weights · nll to the gradients of the parameters, with dropout on;
    /// returns what [`token_nll`](Self::token_nll) does, without a graph. `weights`,
    /// `[rows, target length]` float, is 0 where nothing is to be learned.
    ///
    /// A model that knows better than a graph of `token_nll` how to do that overrides it: with the
    /// weights known beforehand, the logits of all tokens need not exist at once.
    fn learn(&self, batch: &Batch, weights: &Tensor) -> Result<(Tensor, Tensor)> {
        let (nll, mask) = self.token_nll(batch, true)?;
        learn_by_graph(nll, mask, weights)
    }
}

/// Runs backward from Σ weights · nll and gives both without their graph: [`Trainable::learn`] by
/// autograd.
pub fn learn_by_graph(nll: Tensor, mask: Tensor, weights: &Tensor) -> Result<(Tensor, Tensor)> {
    // A loss that is not finite counts nothing where its weight is 0.
    let counted = nll.f_masked_fill(&weights.f_eq(0.0)?, 0.0)?;
    counted.f_mul(weights)?.f_sum(tch::Kind::Float)?.f_backward()?;
    Ok((nll.f_detach()?, mask))
}

impl<M: Trainable + ?Sized> Trainable for &M {
    fn parameters(&self) -> Vec<(String, Tensor)> {
        (**self).parameters()
    }

    fn token_nll(&self, batch: &Batch, train: bool) -> Result<(Tensor, Tensor)> {
        (**self).token_nll(batch, train)
    }

    fn token_logits(&self, batch: &Batch, train: bool) -> Result<Option<Tensor>> {
        (**self).token_logits(batch, train)
    }

    fn learn(&self, batch: &Batch, weights: &Tensor) -> Result<(Tensor, Tensor)> {
        (**self).learn(batch, weights)
    }
}

impl<M: Trainable + ?Sized> Trainable for Box<M> {
    fn parameters(&self) -> Vec<(String, Tensor)> {
        (**self).parameters()
    }

    fn token_nll(&self, batch: &Batch, train: bool) -> Result<(Tensor, Tensor)> {
        (**self).token_nll(batch, train)
    }

    fn token_logits(&self, batch: &Batch, train: bool) -> Result<Option<Tensor>> {
        (**self).token_logits(batch, train)
    }

    fn learn(&self, batch: &Batch, weights: &Tensor) -> Result<(Tensor, Tensor)> {
        (**self).learn(batch, weights)
    }
}

/// A model that the decoder can drive, one token at a time.
pub trait Decodable {
    /// What a batch of sources becomes once; includes whatever of it attention reads at every
    /// step (cross-attention keys and values), once a source and not once a beam.
    type Memory;
    /// What grows with every step (self-attention keys and values), a row a hypothesis.
    type Cache;

    /// Size of the vocabulary that [`step`](Self::step) scores.
    fn vocabulary(&self) -> usize;

    /// The token that every hypothesis starts from.
    fn start_token(&self) -> i64;

    /// Encodes `source` (`[sources, length]`, int64) under `mask` (same shape, 1 and 0).
    fn encode(&self, source: &Tensor, mask: &Tensor) -> Result<Self::Memory>;

    /// An empty cache for `beams` hypotheses a source.
    fn cache(&self, memory: &Self::Memory, beams: usize) -> Result<Self::Cache>;

    /// Feeds one token to every hypothesis (`tokens`: `[sources × beams]`, int64, the beams of a
    /// source side by side) and returns the logits of the next: `[sources × beams, vocabulary]`.
    fn step(
        &self,
        memory: &Self::Memory,
        cache: &mut Self::Cache,
        tokens: &Tensor,
    ) -> Result<Tensor>;

    /// Makes row `i` of the cache the former row `rows[i]` (int64, `[sources × beams]`; rows stay
    /// within their source).
    fn reorder(&self, cache: &mut Self::Cache, rows: &Tensor) -> Result<()>;

    /// Keeps only these sources (int64, ascending indices) in memory and cache, so that finished
    /// ones cost nothing more; returns whether it did. A model that cannot carries them along.
    fn retain(
        &self,
        _memory: &mut Self::Memory,
        _cache: &mut Self::Cache,
        _sources: &Tensor,
    ) -> Result<bool> {
        Ok(false)
    }
}
