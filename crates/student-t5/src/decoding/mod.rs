//! Decoding one token at a time.
//!
//! Sources are encoded once, and the keys and values of cross-attention computed once a source; all
//! beams of a source read the same. The texts so far live in one of two caches: `paged`, on kernels
//! of this crate, for 32-bit floats on a CPU, and `masked`, on libtorch's operations, for the rest.

mod masked;
mod paged;

use student_core::{Decodable, Result as CoreResult, StudentCoreError};
use tch::{Kind, Tensor, no_grad};

use self::masked::Masked;
use self::paged::Paged;
use crate::kernels;
use crate::model::{Pass, T5, Torch, padding_bias};

/// Encoded sources: what the decoder's cross-attention reads at every step.
#[derive(Debug)]
pub struct Memory {
    /// Keys and values of every decoder layer, `[sources × heads, source length, d_kv]`.
    key_value: Vec<(Tensor, Tensor)>,
    /// `[sources × heads, 1, source length]`, where a source has padding.
    padding: Option<Tensor>,
    sources: i64,
}

/// Keys and values of the tokens decoded so far.
#[derive(Debug)]
pub struct Cache(Kept);

#[derive(Debug)]
enum Kept {
    Masked(Masked),
    Paged(Paged),
}

impl T5 {
    fn encode_inner(&self, source: &Tensor, mask: &Tensor) -> Torch<Memory> {
        let pass = Pass::plain();
        let padding = padding_bias(mask, self.shared.f_kind()?)?;
        let encoded = self.encode_all(source, padding.as_ref(), &pass)?;
        let key_value = self
            .decoder
            .layers
            .iter()
            .filter_map(|layer| layer.cross.as_ref())
            .map(|cross| {
                let (key, value) = self.cross_key_value(cross, &encoded, &pass)?;
                Ok((key.f_contiguous()?, value.f_contiguous()?))
            })
            .collect::<Torch<_>>()?;
        let padding = padding.map(|padding| self.cross_bias(&padding)).transpose()?;
        Ok(Memory { key_value, padding, sources: source.size2()?.0 })
    }

    fn retain_inner(&self, memory: &mut Memory, cache: &mut Cache, sources: &Tensor) -> Torch<()> {
        let heads = self.config.num_heads;
        for (key, value) in &mut memory.key_value {
            keep(key, heads, sources)?;
            keep(value, heads, sources)?;
        }
        if let Some(padding) = &mut memory.padding {
            keep(padding, heads, sources)?;
        }
        match &mut cache.0 {
            Kept::Masked(cache) => cache.retain(heads, sources)?,
            Kept::Paged(cache) => cache.retain(&Vec::<i64>::try_from(sources)?),
        }
        memory.sources = sources.size1()?;
        Ok(())
    }
}

/// Keeps the rows of these sources, of which each has `each` side by side.
fn keep(tensor: &mut Tensor, each: i64, sources: &Tensor) -> Torch<()> {
    let within = Tensor::f_arange(each, (Kind::Int64, sources.device()))?;
    let rows = sources.f_mul_scalar(each)?.f_unsqueeze(1)?.f_add(&within)?;
    *tensor = tensor.f_index_select(0, &rows.f_view([-1].as_slice())?)?;
    Ok(())
}

impl Decodable for T5 {
    type Memory = Memory;
    type Cache = Cache;

    fn vocabulary(&self) -> usize {
        self.config.vocab_size as usize
    }

    fn start_token(&self) -> i64 {
        self.config.start_token()
    }

    fn encode(&self, source: &Tensor, mask: &Tensor) -> CoreResult<Memory> {
        Ok(no_grad(|| self.encode_inner(source, mask))?)
    }

    fn cache(&self, memory: &Memory, beams: usize) -> CoreResult<Cache> {
        let count = i64::try_from(beams).ok().filter(|&beams| beams > 0).ok_or_else(|| {
            StudentCoreError::setting("beams", format!("{beams}, wanted 1 or more"))
        })?;
        Ok(Cache(if kernels::can_use(&self.shared) {
            Kept::Paged(Paged::new(self, memory, beams))
        } else {
            Kept::Masked(no_grad(|| self.masked_cache(memory, count))?)
        }))
    }

    fn step(&self, memory: &Memory, cache: &mut Cache, tokens: &Tensor) -> CoreResult<Tensor> {
        Ok(no_grad(|| match &mut cache.0 {
            Kept::Masked(cache) => self.masked_step(memory, cache, tokens),
            Kept::Paged(cache) => self.paged_step(memory, cache, tokens),
        })?)
    }

    fn reorder(&self, cache: &mut Cache, rows: &Tensor) -> CoreResult<()> {
        match &mut cache.0 {
            Kept::Masked(cache) => no_grad(|| cache.reorder(rows))?,
            Kept::Paged(cache) => cache.reorder(&Vec::<i64>::try_from(rows)?),
        }
        Ok(())
    }

    fn retain(&self, memory: &mut Memory, cache: &mut Cache, sources: &Tensor) -> CoreResult<bool> {
        no_grad(|| self.retain_inner(memory, cache, sources))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::config::{FeedForward, Preset, T5Config};

    /// Both caches give the same logits whatever is reordered and dropped on the way.
    #[test]
    fn both_caches_agree() {
        tch::manual_seed(5);
        for (feed_forward_proj, threads) in [(FeedForward::RELU, 1), (FeedForward::GATED_GELU, 2)] {
            let config = T5Config {
                feed_forward_proj,
                tie_word_embeddings: !feed_forward_proj.gated,
                ..T5Config::preset(Preset::Nano, 300)
            };
            let model = T5::new(config, 3, Device::Cpu).unwrap();
            tch::set_num_threads(threads);
            let source = Tensor::randint_low(3, 300, [3, 21], (Kind::Int64, Device::Cpu));
            let mask = Tensor::ones_like(&source);
            let _ = mask.narrow(0, 1, 1).narrow(1, 12, 9).fill_(0);
            let beams = 3;
            let mut memories =
                [0, 1].map(|_| no_grad(|| model.encode_inner(&source, &mask)).unwrap());
            let mut caches = [
                Cache(Kept::Paged(Paged::new(&model, &memories[0], beams))),
                Cache(Kept::Masked(model.masked_cache(&memories[1], beams as i64).unwrap())),
            ];
            let mut live = 3i64;
            // Past the end of a page.
            for step in 0..140 {
                let rows = live * beams as i64;
                let tokens = Tensor::randint_low(0, 300, [rows], (Kind::Int64, Device::Cpu));
                let within = Tensor::randint(beams as i64, [rows], (Kind::Int64, Device::Cpu));
                let firsts = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
                let firsts = firsts.f_floor_divide_scalar(beams as i64).unwrap() * beams as i64;
                let parents = firsts + within;
                let mut logits = Vec::new();
                for (memory, cache) in memories.iter_mut().zip(&mut caches) {
                    logits.push(model.step(memory, cache, &tokens).unwrap());
                    if step % 5 == 4 {
                        model.reorder(cache, &parents).unwrap();
                    }
                    if step == 50 {
                        model.retain(memory, cache, &Tensor::from_slice(&[0i64, 2])).unwrap();
                    }
                }
                if step == 50 {
                    live = 2;
                }
                let difference = (&logits[0] - &logits[1]).abs().max().double_value(&[]);
                let size = logits[1].abs().max().double_value(&[]);
                assert!(difference <= 1e-5 * size, "step {step}: {difference} of {size}");
            }
        }
    }
}
