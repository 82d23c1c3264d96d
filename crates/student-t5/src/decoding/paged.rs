//! Decoding on kernels of this crate: 32-bit floats on a CPU.
//!
//! Every weight is read once a step for all rows of the batch, which is what bounds small batches.
//! Keys and values are written once and never move: pages are added as texts grow, and a beam knows
//! by offsets where each of its ancestors' positions lies, so that choosing beams copies some numbers
//! of four bytes.

use tch::{Device, Kind, TchError, Tensor};

use super::Memory;
use crate::config::Activation;
use crate::kernels::{floats, floats_mut, matmul::matmul, parallel, rows, zeros};
use crate::model::{Norm, T5, Torch, activate};

/// Positions of a page.
const PAGE: usize = 64;

/// Keys and values of the tokens decoded so far.
#[derive(Debug)]
pub(super) struct Paged {
    beams: usize,
    heads: usize,
    width: usize,
    sources: usize,
    /// Positions decoded.
    length: usize,
    /// Of each layer: keys and values of every page, `[sources, heads, PAGE, beams, width]`.
    pages: Vec<Vec<[Vec<f32>; 2]>>,
    /// For each row and position where in a head's page its key lies.
    offsets: Vec<Vec<u32>>,
    /// Position bias by distance, the last for 0: `[heads, PAGE × pages]`.
    behind: Vec<f32>,
}

impl Paged {
    pub(super) fn new(model: &T5, memory: &Memory, beams: usize) -> Paged {
        let config = &model.config;
        let sources = memory.sources as usize;
        Paged {
            beams,
            heads: config.num_heads as usize,
            width: config.d_kv as usize,
            sources,
            length: 0,
            pages: model.decoder.layers.iter().map(|_| Vec::new()).collect(),
            offsets: vec![Vec::new(); sources * beams],
            behind: Vec::new(),
        }
    }

    /// Numbers of one source's head in a page.
    fn head(&self) -> usize {
        PAGE * self.beams * self.width
    }

    /// Makes row `i` what row `rows[i]` was.
    pub(super) fn reorder(&mut self, rows: &[i64]) {
        self.offsets = rows.iter().map(|&row| self.offsets[row as usize].clone()).collect();
    }

    /// Keeps these sources.
    pub(super) fn retain(&mut self, sources: &[i64]) {
        let source = self.heads * self.head();
        for numbers in self.pages.iter_mut().flatten().flatten() {
            for (place, &from) in sources.iter().enumerate() {
                let from = from as usize * source;
                numbers.copy_within(from..from + source, place * source);
            }
            numbers.truncate(sources.len() * source);
        }
        self.offsets = sources
            .iter()
            .flat_map(|&source| &self.offsets[source as usize * self.beams..][..self.beams])
            .cloned()
            .collect();
        self.sources = sources.len();
    }

    /// Makes room for one more position, at which every row finds its own key.
    fn grow(&mut self, model: &T5) -> Torch<()> {
        let within = self.length % PAGE;
        if within == 0 {
            let size = self.sources * self.heads * self.head();
            for pages in &mut self.pages {
                pages.push([zeros(size)?, zeros(size)?]);
            }
            let capacity = self.length + PAGE;
            let behind = model.decoder.positions.behind(capacity as i64)?;
            self.behind = floats(&behind)?.to_vec();
        }
        for (row, offsets) in self.offsets.iter_mut().enumerate() {
            offsets.push(((within * self.beams + row % self.beams) * self.width) as u32);
        }
        self.length += 1;
        Ok(())
    }

    /// Keeps the keys and values at the newest position, out of `qkv`, `[rows, 3 × heads × width]`.
    fn write(&mut self, layer: usize, qkv: &[f32]) {
        let (inner, head, width) = (self.heads * self.width, self.head(), self.width);
        let Some(page) = self.pages[layer].last_mut() else { return };
        for (row, qkv) in qkv.chunks_exact(3 * inner).enumerate() {
            let at = self.offsets[row][self.length - 1] as usize;
            for (page, new) in page.iter_mut().zip(qkv[inner..].chunks_exact(inner)) {
                for (number, new) in new.chunks_exact(width).enumerate() {
                    let start = (row / self.beams * self.heads + number) * head + at;
                    page[start..start + width].copy_from_slice(new);
                }
            }
        }
    }

    /// Attention of every row to its text so far.
    fn attend(&self, layer: usize, qkv: &[f32], out: &mut [f32]) {
        let (inner, head, width) = (self.heads * self.width, self.head(), self.width);
        let capacity = self.behind.len() / self.heads;
        let pages = &self.pages[layer];
        each_row(out, inner, self.length * inner, |row, out| {
            let query = &qkv[row * 3 * inner..][..inner];
            let offsets = &self.offsets[row];
            let mut scores = vec![0.0; self.length];
            let heads = query.chunks_exact(width).zip(out.chunks_exact_mut(width));
            for (number, (query, out)) in heads.enumerate() {
                let start = (row / self.beams * self.heads + number) * head;
                let bias = &self.behind[(number + 1) * capacity - self.length..][..self.length];
                let parts = || pages.iter().zip(offsets.chunks(PAGE));
                let mut done = 0;
                for ([keys, _], offsets) in parts() {
                    let range = done..done + offsets.len();
                    done = range.end;
                    let bias = Some(&bias[range.clone()]);
                    rows::score_keys(query, &keys[start..], offsets, bias, &mut scores[range]);
                }
                rows::softmax(&mut scores);
                out.fill(0.0);
                for (([_, values], offsets), scores) in parts().zip(scores.chunks(PAGE)) {
                    rows::mix_values(scores, &values[start..], offsets, out);
                }
            }
        });
    }
}

/// Calls `work` with each row of `out`, on several threads where a row is so much work.
fn each_row(out: &mut [f32], width: usize, work: usize, each: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = parallel::rows_each(out.len() / width, work);
    let jobs = out.chunks_mut(rows * width).enumerate().collect();
    parallel::run(jobs, |(at, out): (usize, &mut [f32])| {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            each(at * rows + row, out);
        }
    });
}

impl Norm {
    fn of_rows(&self, x: &[f32], out: &mut [f32]) -> Torch<()> {
        let weight = floats(&self.weight)?;
        let mut inverse = vec![0.0; x.len() / weight.len()];
        rows::norm(x, weight, self.epsilon, out, &mut inverse);
        Ok(())
    }
}

/// Attention of every row to its source.
fn attend_source(
    memory: &Memory,
    layer: usize,
    (heads, beams): (usize, usize),
    query: &[f32],
    out: &mut [f32],
) -> Torch<()> {
    let Some((keys, values)) = memory.key_value.get(layer) else { return Ok(()) };
    let (_, length, width) = keys.size3()?;
    let (length, width) = (length as usize, width as usize);
    let (keys, values) = (floats(keys)?, floats(values)?);
    let padding = memory.padding.as_ref().map(floats).transpose()?;
    let offsets: Vec<u32> = (0..length).map(|key| (key * width) as u32).collect();
    each_row(out, heads * width, length * heads * width, |row, out| {
        let mut scores = vec![0.0; length];
        let query = &query[row * heads * width..][..heads * width];
        for (head, (query, out)) in
            query.chunks_exact(width).zip(out.chunks_exact_mut(width)).enumerate()
        {
            let place = row / beams * heads + head;
            let padding = padding.map(|padding| &padding[place * length..][..length]);
            rows::score_keys(
                query,
                &keys[place * length * width..],
                &offsets,
                padding,
                &mut scores,
            );
            rows::softmax(&mut scores);
            out.fill(0.0);
            rows::mix_values(&scores, &values[place * length * width..], &offsets, out);
        }
    });
    Ok(())
}

impl T5 {
    /// The logits after one more token for every row.
    pub(super) fn paged_step(
        &self,
        memory: &Memory,
        cache: &mut Paged,
        tokens: &Tensor,
    ) -> Torch<Tensor> {
        let width = self.config.d_model as usize;
        let (heads, inner) = (cache.heads, cache.heads * cache.width);
        let rows_now = cache.sources * cache.beams;
        let table = floats(&self.shared)?;
        let mut x = Vec::with_capacity(rows_now * width);
        for token in Vec::<i64>::try_from(tokens)? {
            let row =
                usize::try_from(token).ok().and_then(|row| table.get(row * width..)?.get(..width));
            x.extend_from_slice(row.ok_or_else(|| {
                TchError::Torch(format!("the token {token} is outside the vocabulary"))
            })?);
        }
        if x.len() != rows_now * width {
            return Err(TchError::Shape(format!(
                "{:?} tokens for {rows_now} texts",
                tokens.size()
            )));
        }
        cache.grow(self)?;
        let mut normed = zeros(x.len())?;
        let mut change = zeros(x.len())?;
        let mut qkv = zeros(rows_now * 3 * inner)?;
        let mut seen = zeros(rows_now * inner)?;
        let mut query = zeros(rows_now * inner)?;
        for (index, layer) in self.decoder.layers.iter().enumerate() {
            layer.norm.of_rows(&x, &mut normed)?;
            matmul(&normed, floats(&layer.qkv.whole)?, width, &mut qkv);
            cache.write(index, &qkv);
            cache.attend(index, &qkv, &mut seen);
            matmul(&seen, floats(&layer.output)?, inner, &mut change);
            rows::add(&mut x, &change);
            if let Some(cross) = &layer.cross {
                cross.norm.of_rows(&x, &mut normed)?;
                matmul(&normed, floats(&cross.query)?, width, &mut query);
                attend_source(memory, index, (heads, cache.beams), &query, &mut seen)?;
                matmul(&seen, floats(&cross.output)?, inner, &mut change);
                rows::add(&mut x, &change);
            }
            layer.feed_norm.of_rows(&x, &mut normed)?;
            let hidden = self.feed_rows(&normed, floats(&layer.feed_in.whole)?)?;
            matmul(&hidden, floats(&layer.feed_out)?, self.config.d_ff as usize, &mut change);
            rows::add(&mut x, &change);
        }
        self.decoder.norm.of_rows(&x, &mut normed)?;
        if self.config.scales_output() {
            rows::scale(&mut normed, (width as f64).powf(-0.5) as f32);
        }
        let shape = [rows_now as i64, self.config.vocab_size];
        let mut logits = Tensor::f_empty(shape.as_slice(), (Kind::Float, Device::Cpu))?;
        matmul(&normed, floats(self.head())?, width, floats_mut(&mut logits)?);
        Ok(logits)
    }

    /// The activated inner layer of the feed-forward part.
    fn feed_rows(&self, x: &[f32], weight: &[f32]) -> Torch<Vec<f32>> {
        let (width, inner) = (self.config.d_model as usize, self.config.d_ff as usize);
        let form = self.config.feed_forward_proj;
        let rows_now = x.len() / width;
        let mut hidden = zeros(rows_now * weight.len() / width)?;
        matmul(x, weight, width, &mut hidden);
        if form.activation == Activation::Relu {
            if form.gated {
                hidden.chunks_exact_mut(2 * inner).for_each(|row| rows::relu(&mut row[..inner]));
            } else {
                rows::relu(&mut hidden);
            }
        } else {
            // A few thousand numbers: libtorch's own functions cost next to nothing.
            for row in hidden.chunks_exact_mut(if form.gated { 2 * inner } else { inner }) {
                let activated = activate(form.activation, Tensor::f_from_slice(&row[..inner])?)?;
                row[..inner].copy_from_slice(floats(&activated)?);
            }
        }
        if form.gated {
            let gated = hidden.chunks_exact(2 * inner).flat_map(|row| {
                let (activated, linear) = row.split_at(inner);
                activated.iter().zip(linear).map(|(a, b)| a * b)
            });
            hidden = gated.collect();
        }
        Ok(hidden)
    }
}
