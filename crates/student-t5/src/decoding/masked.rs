//! Decoding with libtorch's operations, on any device.
//!
//! The keys and values of all beams of a source lie side by side and every beam sees its own
//! ancestors through a mask. Choosing beams then moves a few numbers of that mask instead of the
//! cache, and attention becomes one matrix product a source.

use tch::Tensor;

use super::{Memory, keep};
use crate::model::{Pass, T5, Torch, attend, blocked, none};

/// Keys and values of the tokens decoded so far.
#[derive(Debug)]
pub(super) struct Masked {
    /// A layer's keys and values, `[sources × heads, capacity × beams, d_kv]`: the beams of one
    /// position side by side.
    key_value: Vec<(Tensor, Tensor)>,
    /// For more than one beam: 0 where a hypothesis descends from the beam at that position, and
    /// blocked otherwise, `[sources × beams, capacity × beams]`.
    ancestors: Option<Tensor>,
    /// The mask of one position on which every beam sees itself, `[sources × beams, beams]`.
    own: Option<Tensor>,
    /// Position bias, `[heads, capacity]`, the last for distance 0.
    behind: Tensor,
    beams: i64,
    length: i64,
    capacity: i64,
}

/// Positions that a new cache has room for.
const FIRST_CAPACITY: i64 = 32;

impl Masked {
    /// Makes row `i` what row `rows[i]` was.
    pub(super) fn reorder(&mut self, rows: &Tensor) -> Torch<()> {
        if let Some(ancestors) = &mut self.ancestors {
            *ancestors = ancestors.f_index_select(0, rows)?;
        }
        Ok(())
    }

    /// Keeps these sources.
    pub(super) fn retain(&mut self, heads: i64, sources: &Tensor) -> Torch<()> {
        for (key, value) in &mut self.key_value {
            keep(key, heads, sources)?;
            keep(value, heads, sources)?;
        }
        for mask in [&mut self.ancestors, &mut self.own].into_iter().flatten() {
            keep(mask, self.beams, sources)?;
        }
        Ok(())
    }
}

impl T5 {
    pub(super) fn masked_cache(&self, memory: &Memory, beams: i64) -> Torch<Masked> {
        let options = (self.shared.f_kind()?, self.device());
        let rows = memory.sources * beams;
        let mut cache = Masked {
            key_value: Vec::new(),
            ancestors: None,
            own: None,
            behind: self.decoder.positions.behind(1)?,
            beams,
            length: 0,
            capacity: 0,
        };
        if beams > 1 {
            let own = Tensor::f_full([beams, beams].as_slice(), blocked(options.0), options)?
                .f_fill_diagonal_(0.0, false)?;
            let own = own.f_repeat([memory.sources, 1].as_slice())?;
            cache.own = Some(own);
            cache.ancestors = Some(Tensor::f_zeros([rows, 0].as_slice(), options)?);
        }
        let shape = [memory.sources * self.config.num_heads, 0, self.config.d_kv];
        for _ in &self.decoder.layers {
            cache.key_value.push((
                Tensor::f_zeros(shape.as_slice(), options)?,
                Tensor::f_zeros(shape.as_slice(), options)?,
            ));
        }
        Ok(cache)
    }

    /// Makes room for one more position.
    fn grow(&self, cache: &mut Masked) -> Torch<()> {
        if cache.length < cache.capacity {
            return Ok(());
        }
        let capacity = (2 * cache.capacity).max(FIRST_CAPACITY);
        let more = (capacity - cache.capacity) * cache.beams;
        for (key, value) in &mut cache.key_value {
            *key = key.f_constant_pad_nd([0, 0, 0, more].as_slice())?;
            *value = value.f_constant_pad_nd([0, 0, 0, more].as_slice())?;
        }
        if let Some(ancestors) = &mut cache.ancestors {
            *ancestors = ancestors.f_constant_pad_nd([0, more].as_slice())?;
        }
        cache.behind = self.decoder.positions.behind(capacity)?;
        cache.capacity = capacity;
        Ok(())
    }

    /// What self-attention adds at this step: `[sources × heads, beams, positions × beams]`, or less
    /// where it is the same for all.
    fn step_bias(&self, cache: &Masked, sources: i64) -> Torch<Tensor> {
        let (beams, heads) = (cache.beams, self.config.num_heads);
        let positions = cache.length + 1;
        let behind = cache.behind.f_narrow(1, cache.capacity - positions, positions)?;
        let Some(ancestors) = &cache.ancestors else {
            return behind
                .f_view([1, heads, 1, positions].as_slice())?
                .f_expand([sources, heads, 1, positions].as_slice(), false)?
                .f_reshape([sources * heads, 1, positions].as_slice());
        };
        let seen = ancestors
            .f_narrow(1, 0, positions * beams)?
            .f_reshape([sources, 1, beams, positions, beams].as_slice())?;
        behind
            .f_reshape([1, heads, 1, positions, 1].as_slice())?
            .f_add(&seen)?
            .f_view([sources * heads, beams, positions * beams].as_slice())
    }

    pub(super) fn masked_step(
        &self,
        memory: &Memory,
        cache: &mut Masked,
        tokens: &Tensor,
    ) -> Torch<Tensor> {
        let pass = Pass::plain();
        let (sources, beams) = (memory.sources, cache.beams);
        let (heads, width) = (self.config.num_heads, self.config.d_kv);
        let rows = sources * beams;
        self.grow(cache)?;
        let (now, seen) = (cache.length * beams, (cache.length + 1) * beams);
        if let (Some(ancestors), Some(own)) = (&cache.ancestors, &cache.own) {
            ancestors.f_narrow(1, now, beams)?.f_copy_(own)?;
        }
        let bias = self.step_bias(cache, sources)?;
        // One row of heads for every hypothesis, and back.
        let by_head = |x: &Tensor, parts: i64| -> Torch<Vec<Tensor>> {
            self.split_heads(x, sources, beams, parts)
        };
        let by_row = |x: &Tensor| -> Torch<Tensor> {
            x.f_view([sources, heads, beams, width].as_slice())?
                .f_transpose(1, 2)?
                .f_reshape([rows, heads * width].as_slice())
        };
        let mut x = self.embed(tokens)?;
        for (index, layer) in self.decoder.layers.iter().enumerate() {
            let qkv = layer.norm.forward(&x)?.f_linear(&layer.qkv.whole, none())?;
            let parts = by_head(&qkv, 3)?;
            let (keys, values) = &cache.key_value[index];
            keys.f_narrow(1, now, beams)?.f_copy_(&parts[1])?;
            values.f_narrow(1, now, beams)?.f_copy_(&parts[2])?;
            let found = attend(
                &parts[0],
                &keys.f_narrow(1, 0, seen)?,
                &values.f_narrow(1, 0, seen)?,
                Some(&bias),
                &pass,
            )?;
            x = by_row(&found)?.f_linear(&layer.output, none())?.f_add_(&x)?;
            if let (Some(cross), Some((keys, values))) = (&layer.cross, memory.key_value.get(index))
            {
                let query = cross.norm.forward(&x)?.f_linear(&cross.query, none())?;
                let query = &by_head(&query, 1)?[0];
                let found = attend(query, keys, values, memory.padding.as_ref(), &pass)?;
                x = by_row(&found)?.f_linear(&cross.output, none())?.f_add_(&x)?;
            }
            x = self.feed(layer, &x, &pass)?;
        }
        cache.length += 1;
        let x = self.scale_output(self.decoder.norm.forward(&x)?)?;
        x.f_linear(self.head(), none())
    }
}
