//! A training pass without autograd: 32-bit floats on a CPU.
//!
//! The graph of [`model`](crate::model) computes the same, on any device, and is what this pass is
//! tested against. Written out by hand it needs less: what follows a matrix product is done in one
//! pass over its result; of dropout nothing is kept, since [`Site`]s give the same answer again in the
//! backward pass; logits exist for a few hundred tokens at a time, because the weight of every token
//! in the loss is known before; and gradients are added where they belong instead of being added up
//! later. With [checkpointing](T5::set_checkpointing) a layer keeps its input only and runs again
//! before its gradient.

use student_core::Batch;
use tch::{Device, Kind, Tensor, with_grad};

use crate::config::{Activation, FeedForward};
use crate::dropout::Dropout;
use crate::kernels::random::{self, Site};
use crate::kernels::rows::{self, Attention};
use crate::kernels::{floats, floats_mut, multiply, multiply_each, zeros};
use crate::model::{
    Cross, LOGITS, Layer, Norm, Positions, Stack, Stacked, T5, Torch, activate, padding_bias,
};

/// One pass over a batch.
struct Run<'a> {
    model: &'a T5,
    dropout: Dropout,
    rows: i64,
}

/// What a norm's gradient needs: its input, its output and one over the root of each row.
struct Normed {
    x: Tensor,
    out: Tensor,
    inverse: Vec<f32>,
}

/// What an attention's gradient needs.
struct Attended {
    normed: Normed,
    /// `[rows × heads, queries, d_kv]`.
    query: Tensor,
    /// `[rows × heads, keys, d_kv]`.
    key: Tensor,
    value: Tensor,
    /// Before dropout, `[rows × heads, queries, keys]`.
    probabilities: Tensor,
    /// What the output matrix multiplies, `[rows × queries, heads × d_kv]`.
    seen: Tensor,
    sites: [Site; 2],
}

/// What a feed-forward layer's gradient needs.
struct Fed {
    normed: Normed,
    /// Before the activation, unless it can be told from `hidden`.
    before: Option<Tensor>,
    /// Activated and dropped.
    hidden: Tensor,
    sites: [Site; 2],
}

/// What a layer's gradient needs.
struct Kept {
    attended: Attended,
    cross: Option<Attended>,
    fed: Fed,
}

/// What is kept of a layer until its gradient: all, or its input and the number of its first site.
enum Checkpoint {
    Kept(Box<Kept>),
    Input(Tensor, u64),
}

/// What every layer of a stack adds to its scores.
struct Bias<'a> {
    positions: &'a Positions,
    /// `[1, heads, length, length]`.
    table: Tensor,
    length: i64,
    /// `[rows, length]`.
    padding: Option<&'a Tensor>,
}

/// A stack's passage.
struct Passed {
    embedded: Site,
    layers: Vec<Checkpoint>,
    normed: Normed,
    dropped: Site,
    out: Tensor,
}

fn empty(shape: &[i64]) -> Torch<Tensor> {
    Tensor::f_empty(shape, (Kind::Float, Device::Cpu))
}

/// The gradient of a parameter, which is made where there is none yet.
fn gradient(parameter: &Tensor) -> Torch<Tensor> {
    let found = parameter.f_grad()?;
    if found.defined() {
        return Ok(found);
    }
    with_grad(|| parameter.f_mul_scalar(0.0)?.f_sum(Kind::Float)?.f_backward())?;
    parameter.f_grad()
}

/// `a·b`.
fn product(a: &Tensor, b: &Tensor) -> Torch<Tensor> {
    let mut out = empty(&[a.size2()?.0, b.size2()?.1])?;
    multiply(&mut out, a, b, false)?;
    Ok(out)
}

/// Adds the gradient of `x·weightᵀ` to that of the weight.
fn add_product(weight: &Tensor, out: &Tensor, x: &Tensor) -> Torch<()> {
    multiply(&mut gradient(weight)?, &out.f_tr()?, x, true)
}

impl Stacked {
    /// As [`add_product`] for each part.
    fn add_product(&self, out: &Tensor, x: &Tensor) -> Torch<()> {
        let mut start = 0;
        for part in &self.parts {
            let rows = part.size2()?.0;
            add_product(part, &out.f_narrow(1, start, rows)?, x)?;
            start += rows;
        }
        Ok(())
    }
}

impl Norm {
    fn keep(&self, x: &Tensor) -> Torch<Normed> {
        let (count, width) = x.size2()?;
        let mut out = empty(&[count, width])?;
        let mut inverse = vec![0.0; count as usize];
        let weight = floats(&self.weight)?;
        rows::norm(floats(x)?, weight, self.epsilon, floats_mut(&mut out)?, &mut inverse);
        Ok(Normed { x: x.shallow_clone(), out, inverse })
    }

    /// Adds to the gradient of the input.
    fn back(&self, kept: &Normed, gradient_out: &Tensor, into: &mut Tensor) -> Torch<()> {
        let mut into_weight = gradient(&self.weight)?;
        rows::norm_back(
            floats(gradient_out)?,
            floats(&kept.x)?,
            &kept.inverse,
            floats(&self.weight)?,
            floats_mut(into)?,
            floats_mut(&mut into_weight)?,
        );
        Ok(())
    }
}

/// The gradient before an activation.
fn activate_back(activation: Activation, before: &Tensor, gradient: &Tensor) -> Torch<Tensor> {
    match activation {
        Activation::Relu => before.f_threshold_backward(gradient, 0.0),
        Activation::Gelu => before.f_gelu_backward(gradient, "none"),
        Activation::GeluNew => before.f_gelu_backward(gradient, "tanh"),
        Activation::Silu => before.f_silu_backward(gradient),
    }
}

impl Run<'_> {
    fn width(&self) -> usize {
        self.model.config.d_model as usize
    }

    /// `[rows × length, parts × inner]` → `parts` of `[rows × heads, length, d_kv]`.
    fn split(&self, x: &Tensor, parts: i64) -> Torch<Vec<Tensor>> {
        let length = x.size2()?.0 / self.rows;
        self.model.split_heads(x, self.rows, length, parts)
    }

    /// The reverse of [`split`](Self::split).
    fn join(&self, parts: &[&Tensor]) -> Torch<Tensor> {
        let (heads, width) = (self.model.config.num_heads, self.model.config.d_kv);
        let length = parts.first().map_or(Ok(0), |part| part.size3().map(|size| size.1))?;
        let count = parts.len() as i64;
        let joined = empty(&[self.rows, length, count, heads, width])?;
        for (at, part) in parts.iter().enumerate() {
            let part = part.f_view([self.rows, heads, length, width].as_slice())?;
            joined.f_select(2, at as i64)?.f_copy_(&part.f_transpose(1, 2)?)?;
        }
        joined.f_view([self.rows * length, count * heads * width].as_slice())
    }

    fn embed(&self, tokens: &Tensor) -> Torch<(Tensor, Site)> {
        let site = self.dropout.site();
        let mut x = self.model.embed(&tokens.f_reshape([-1].as_slice())?)?;
        if !self.dropout.is_off() {
            random::drop_in_place(site, self.width(), floats_mut(&mut x)?);
        }
        Ok((x, site))
    }

    /// `dropout(x)`.
    fn drop(&self, site: Site, x: &Tensor) -> Torch<Tensor> {
        if self.dropout.is_off() {
            return Ok(x.shallow_clone());
        }
        let size = x.size();
        let width = size.last().copied().unwrap_or(1) as usize;
        let mut out = empty(&size)?;
        random::dropped(site, width, floats(x)?, floats_mut(&mut out)?);
        Ok(out)
    }

    /// `x + dropout(change)`, in the memory of `change`.
    fn add(&self, site: Site, x: &Tensor, mut change: Tensor) -> Torch<Tensor> {
        random::add_dropped(site, self.width(), floats(x)?, floats_mut(&mut change)?);
        Ok(change)
    }

    fn shape<'b>(
        &self,
        site: Site,
        probabilities: &Tensor,
        bias: Option<&'b Bias>,
        padding: Option<&'b Tensor>,
    ) -> Torch<Attention<'b>> {
        let (_, queries, keys) = probabilities.size3()?;
        Ok(Attention {
            heads: self.model.config.num_heads as usize,
            queries: queries as usize,
            keys: keys as usize,
            bias: bias.map(|bias| floats(&bias.table)).transpose()?,
            padding: padding.map(floats).transpose()?,
            causal: bias.is_some_and(|bias| !bias.positions.bidirectional),
            site,
        })
    }

    /// Attention of `query` to keys and values, through `output` and added to `x`.
    fn attend(
        &self,
        normed: Normed,
        [query, key, value]: [Tensor; 3],
        output: &Tensor,
        bias: Option<&Bias>,
        padding: Option<&Tensor>,
    ) -> Torch<(Tensor, Attended)> {
        let sites = [self.dropout.site(), self.dropout.site()];
        let mut probabilities = multiply_each(&query, &key.f_transpose(1, 2)?)?;
        let shape = self.shape(sites[0], &probabilities, bias, padding)?;
        let dropped = if self.dropout.is_off() {
            rows::attention(&shape, floats_mut(&mut probabilities)?, None);
            probabilities.shallow_clone()
        } else {
            let mut dropped = empty(&probabilities.size())?;
            let out = Some(floats_mut(&mut dropped)?);
            rows::attention(&shape, floats_mut(&mut probabilities)?, out);
            dropped
        };
        let seen = self.join(&[&multiply_each(&dropped, &value)?])?;
        let x = self.add(sites[1], &normed.x, product(&seen, &output.f_tr()?)?)?;
        Ok((x, Attended { normed, query, key, value, probabilities, seen, sites }))
    }

    /// The gradients of query, keys and values; `d` is that of the result. Adds to that of the bias.
    fn attend_back(
        &self,
        kept: &Attended,
        d: &Tensor,
        output: &Tensor,
        bias: Option<(&Bias, &mut [f64])>,
    ) -> Torch<[Tensor; 3]> {
        let d = self.drop(kept.sites[1], d)?;
        add_product(output, &d, &kept.seen)?;
        let d = self.split(&product(&d, output)?, 1)?.remove(0);
        let mut scores = multiply_each(&d, &kept.value.f_transpose(1, 2)?)?;
        let d_value = {
            let dropped = self.drop(kept.sites[0], &kept.probabilities)?;
            multiply_each(&dropped.f_transpose(1, 2)?, &d)?
        };
        let (bias, into_bias) = bias.unzip();
        let shape = self.shape(kept.sites[0], &kept.probabilities, bias, None)?;
        rows::attention_back(&shape, floats(&kept.probabilities)?, floats_mut(&mut scores)?);
        if let Some(into_bias) = into_bias {
            rows::add_over_sources(floats(&scores)?, into_bias);
        }
        let d_query = multiply_each(&scores, &kept.key)?;
        let d_key = multiply_each(&scores.f_transpose(1, 2)?, &kept.query)?;
        Ok([d_query, d_key, d_value])
    }

    fn feed(&self, layer: &Layer, x: &Tensor) -> Torch<(Tensor, Fed)> {
        let FeedForward { activation, gated } = self.model.config.feed_forward_proj;
        let sites = [self.dropout.site(), self.dropout.site()];
        let inner = self.model.config.d_ff as usize;
        let normed = layer.feed_norm.keep(x)?;
        let mut hidden = product(&normed.out, &layer.feed_in.whole.f_tr()?)?;
        let mut before = None;
        if activation == Activation::Relu && !gated {
            random::drop_relu(sites[0], inner, floats_mut(&mut hidden)?);
        } else {
            let first = hidden.f_narrow(1, 0, inner as i64)?;
            let mut activated = activate(activation, first.f_contiguous()?)?;
            if gated {
                let linear = hidden.f_narrow(1, inner as i64, inner as i64)?;
                activated = activated.f_mul_(&linear)?;
            }
            before = Some(hidden);
            hidden = activated;
            if !self.dropout.is_off() {
                random::drop_in_place(sites[0], inner, floats_mut(&mut hidden)?);
            }
        }
        let x = self.add(sites[1], x, product(&hidden, &layer.feed_out.f_tr()?)?)?;
        Ok((x, Fed { normed, before, hidden, sites }))
    }

    /// Adds the gradient of the layer's input to `d`, which is that of its result.
    fn feed_back(&self, layer: &Layer, kept: &Fed, d: &mut Tensor) -> Torch<()> {
        let FeedForward { activation, gated } = self.model.config.feed_forward_proj;
        let inner = self.model.config.d_ff;
        let change = self.drop(kept.sites[1], d)?;
        add_product(&layer.feed_out, &change, &kept.hidden)?;
        let mut hidden = product(&change, &layer.feed_out)?;
        drop(change);
        match &kept.before {
            None => {
                let scale = kept.sites[0].scale();
                rows::relu_back(scale, floats(&kept.hidden)?, floats_mut(&mut hidden)?);
            }
            Some(before) => {
                if !self.dropout.is_off() {
                    random::drop_in_place(kept.sites[0], inner as usize, floats_mut(&mut hidden)?);
                }
                let first = before.f_narrow(1, 0, inner)?.f_contiguous()?;
                hidden = if gated {
                    let linear = before.f_narrow(1, inner, inner)?;
                    let d_first = activate_back(activation, &first, &hidden.f_mul(&linear)?)?;
                    let d_linear = hidden.f_mul(&activate(activation, first)?)?;
                    Tensor::f_cat(&[d_first, d_linear], 1)?
                } else {
                    activate_back(activation, &first, &hidden)?
                };
            }
        }
        layer.feed_in.add_product(&hidden, &kept.normed.out)?;
        layer.feed_norm.back(&kept.normed, &product(&hidden, &layer.feed_in.whole)?, d)
    }

    /// One layer; `memory` is the encoder's output with its padding.
    fn layer(
        &self,
        layer: &Layer,
        x: &Tensor,
        bias: &Bias,
        memory: Option<(&Tensor, Option<&Tensor>)>,
    ) -> Torch<(Tensor, Kept)> {
        let normed = layer.norm.keep(x)?;
        let parts = self.split(&product(&normed.out, &layer.qkv.whole.f_tr()?)?, 3)?;
        let parts = three(parts)?;
        let (x, attended) = self.attend(normed, parts, &layer.output, Some(bias), bias.padding)?;
        let (x, cross) = match (&layer.cross, memory) {
            (Some(cross), Some((encoded, padding))) => {
                let (x, attended) = self.cross(cross, &x, encoded, padding)?;
                (x, Some(attended))
            }
            _ => (x, None),
        };
        let (x, fed) = self.feed(layer, &x)?;
        Ok((x, Kept { attended, cross, fed }))
    }

    fn cross(
        &self,
        cross: &Cross,
        x: &Tensor,
        encoded: &Tensor,
        padding: Option<&Tensor>,
    ) -> Torch<(Tensor, Attended)> {
        let normed = cross.norm.keep(x)?;
        let mut parts = self.split(&product(&normed.out, &cross.query.f_tr()?)?, 1)?;
        parts.extend(self.split(&product(encoded, &cross.key_value.whole.f_tr()?)?, 2)?);
        self.attend(normed, three(parts)?, &cross.output, None, padding)
    }

    /// Adds the gradient of the layer's input to `d`, which is that of its result, that of the
    /// encoder's output to `into_encoded`, and that of the bias to `into_bias`.
    fn layer_back(
        &self,
        layer: &Layer,
        kept: &Kept,
        d: &mut Tensor,
        (bias, into_bias): (&Bias, &mut [f64]),
        memory: Option<(&Tensor, &mut Tensor)>,
    ) -> Torch<()> {
        self.feed_back(layer, &kept.fed, d)?;
        if let (Some(cross), Some(kept), Some((encoded, into_encoded))) =
            (&layer.cross, &kept.cross, memory)
        {
            let [query, key, value] = self.attend_back(kept, d, &cross.output, None)?;
            let both = self.join(&[&key, &value])?;
            cross.key_value.add_product(&both, encoded)?;
            multiply(into_encoded, &both, &cross.key_value.whole, true)?;
            let query = self.join(&[&query])?;
            add_product(&cross.query, &query, &kept.normed.out)?;
            cross.norm.back(&kept.normed, &product(&query, &cross.query)?, d)?;
        }
        let kept = &kept.attended;
        let [query, key, value] =
            self.attend_back(kept, d, &layer.output, Some((bias, into_bias)))?;
        let qkv = self.join(&[&query, &key, &value])?;
        layer.qkv.add_product(&qkv, &kept.normed.out)?;
        layer.norm.back(&kept.normed, &product(&qkv, &layer.qkv.whole)?, d)
    }

    fn bias<'b>(
        &self,
        stack: &'b Stack,
        tokens: &Tensor,
        padding: Option<&'b Tensor>,
    ) -> Torch<Bias<'b>> {
        let length = tokens.size2()?.1;
        let table = stack.positions.bias(length)?.f_contiguous()?;
        Ok(Bias { positions: &stack.positions, table, length, padding })
    }

    fn stack(
        &self,
        stack: &Stack,
        tokens: &Tensor,
        bias: &Bias,
        memory: Option<(&Tensor, Option<&Tensor>)>,
    ) -> Torch<Passed> {
        let (mut x, embedded) = self.embed(tokens)?;
        let mut layers = Vec::with_capacity(stack.layers.len());
        for layer in &stack.layers {
            let first = self.dropout.sites();
            let (next, kept) = self.layer(layer, &x, bias, memory)?;
            layers.push(if self.model.checkpointing {
                Checkpoint::Input(x, first)
            } else {
                Checkpoint::Kept(Box::new(kept))
            });
            x = next;
        }
        let normed = stack.norm.keep(&x)?;
        let dropped = self.dropout.site();
        let out = self.drop(dropped, &normed.out)?;
        Ok(Passed { embedded, layers, normed, dropped, out })
    }

    /// From the gradient of a stack's output to those of all its parameters.
    fn stack_back(
        &self,
        stack: &Stack,
        passed: Passed,
        tokens: &Tensor,
        bias: &Bias,
        d: &Tensor,
        mut memory: Option<(&Tensor, Option<&Tensor>, &mut Tensor)>,
    ) -> Torch<()> {
        let Passed { embedded, layers, normed, dropped, out } = passed;
        drop(out);
        let mut into = normed.x.f_zeros_like()?;
        stack.norm.back(&normed, &self.drop(dropped, d)?, &mut into)?;
        let mut d = into;
        let mut into_bias = zeros(bias.table.numel())?;
        for (layer, checkpoint) in stack.layers.iter().zip(layers).rev() {
            let kept = match checkpoint {
                Checkpoint::Kept(kept) => kept,
                Checkpoint::Input(x, first) => {
                    let after = self.dropout.sites();
                    self.dropout.go_to(first);
                    let memory = memory.as_ref().map(|(encoded, padding, _)| (*encoded, *padding));
                    let (_, kept) = self.layer(layer, &x, bias, memory)?;
                    self.dropout.go_to(after);
                    Box::new(kept)
                }
            };
            let memory = memory.as_mut().map(|(encoded, _, into)| (*encoded, &mut **into));
            self.layer_back(layer, &kept, &mut d, (bias, &mut into_bias), memory)?;
        }
        self.bias_back(bias, &into_bias)?;
        // Dropout of the embeddings, and the rows of the table that they came from.
        if !self.dropout.is_off() {
            random::drop_in_place(embedded, self.width(), floats_mut(&mut d)?);
        }
        let mut table = gradient(&self.model.shared)?;
        let (table, width) = (floats_mut(&mut table)?, self.width());
        let tokens = Vec::<i64>::try_from(tokens.f_reshape([-1].as_slice())?)?;
        for (token, d) in tokens.into_iter().zip(floats(&d)?.chunks_exact(width)) {
            // The embedding has checked the ids.
            rows::add(&mut table[token as usize * width..][..width], d);
        }
        Ok(())
    }

    /// From the gradient of the scores' bias, `[heads, length, length]`, to that of its table.
    fn bias_back(&self, bias: &Bias, gradient_bias: &[f64]) -> Torch<()> {
        let length = bias.length as usize;
        let distances =
            Tensor::f_arange_start(1 - bias.length, bias.length, (Kind::Int64, Device::Cpu))?;
        let buckets = Vec::<i64>::try_from(bias.positions.bucket(&distances)?)?;
        let heads = self.model.config.num_heads as usize;
        let mut sums = vec![0.0f64; bias.positions.table.numel()];
        for (head, square) in gradient_bias.chunks_exact(length * length).enumerate() {
            for (query, row) in square.chunks_exact(length).enumerate() {
                for (key, &number) in row.iter().enumerate() {
                    let bucket = buckets[key + length - 1 - query] as usize;
                    sums[bucket * heads + head] += number;
                }
            }
        }
        let mut table = gradient(&bias.positions.table)?;
        for (into, sum) in floats_mut(&mut table)?.iter_mut().zip(sums) {
            *into += sum as f32;
        }
        Ok(())
    }

    /// The loss of every token, and the gradient of the decoder's output times the weights.
    fn head(&self, output: &Tensor, labels: &[i64], weights: &[f32]) -> Torch<(Vec<f32>, Tensor)> {
        let head = self.model.head();
        let mut into_head = gradient(head)?;
        let vocabulary = head.size2()?.0;
        let d = output.f_zeros_like()?;
        let mut nll = vec![0.0; labels.len()];
        // Rows without a label are left out: runs of rows with one are done in pieces.
        let most = (LOGITS / vocabulary).max(16) as usize;
        let wanted: Vec<i64> =
            (0..labels.len()).filter(|&row| labels[row] >= 0).map(|row| row as i64).collect();
        let all = wanted.len() == labels.len();
        let logits = empty(&[most.min(wanted.len()) as i64, vocabulary])?;
        for rows_here in wanted.chunks(most) {
            let count = rows_here.len() as i64;
            let first = rows_here.first().copied().unwrap_or(0);
            let at = Tensor::f_from_slice(rows_here)?;
            let x = if all {
                output.f_narrow(0, first, count)?
            } else {
                output.f_index_select(0, &at)?
            };
            let mut scores = if count < logits.size2()?.0 {
                logits.f_narrow(0, 0, count)?
            } else {
                logits.shallow_clone()
            };
            multiply(&mut scores, &x, &head.f_tr()?, false)?;
            let pick = |values: &[f32]| -> Vec<f32> {
                rows_here.iter().map(|&row| values[row as usize]).collect()
            };
            let labels: Vec<i64> = rows_here.iter().map(|&row| labels[row as usize]).collect();
            let mut found = vec![0.0; rows_here.len()];
            rows::cross_entropy(
                floats_mut(&mut scores)?,
                &labels,
                Some(&pick(weights)),
                &mut found,
            );
            for (&row, found) in rows_here.iter().zip(found) {
                nll[row as usize] = found;
            }
            multiply(&mut into_head, &scores.f_tr()?, &x, true)?;
            if all {
                multiply(&mut d.f_narrow(0, first, count)?, &scores, head, false)?;
            } else {
                let part = product(&scores, head)?;
                let _ = d.shallow_clone().f_index_copy_(0, &at, &part)?;
            }
        }
        Ok((nll, d))
    }
}

fn three(parts: Vec<Tensor>) -> Torch<[Tensor; 3]> {
    parts.try_into().map_err(|parts: Vec<Tensor>| {
        tch::TchError::Shape(format!("{} parts of an attention", parts.len()))
    })
}

impl T5 {
    /// Adds the gradient of Σ weights·nll to those of the parameters; gives nll and mask.
    pub(crate) fn learn_by_hand(&self, batch: &Batch, weights: &Tensor) -> Torch<(Tensor, Tensor)> {
        let rows = batch.source.size2()?.0;
        let dropout = Dropout::from_torch(self.config.dropout_rate)?;
        let run = Run { model: self, dropout, rows };
        let target = self.shifted(&batch.labels)?;
        let padding = padding_bias(&batch.source_mask, Kind::Float)?;
        let padding = padding.as_ref();
        let encoder_bias = run.bias(&self.encoder, &batch.source, padding)?;
        let encoder = run.stack(&self.encoder, &batch.source, &encoder_bias, None)?;
        let encoded = encoder.out.shallow_clone();
        let decoder_bias = run.bias(&self.decoder, &target, None)?;
        let mut decoder =
            run.stack(&self.decoder, &target, &decoder_bias, Some((&encoded, padding)))?;

        let labels = Vec::<i64>::try_from(batch.labels.f_reshape([-1].as_slice())?)?;
        let known = |label: i64| label == -100 || (0..self.config.vocab_size).contains(&label);
        if let Some(bad) = labels.iter().find(|&&label| !known(label)) {
            return Err(tch::TchError::Torch(format!("the label {bad} is outside the vocabulary")));
        }
        let weights = weights.f_to_kind(Kind::Float)?.f_contiguous()?;
        let factor =
            if self.config.scales_output() { (self.config.d_model as f64).powf(-0.5) } else { 1.0 };
        decoder.out = decoder.out.f_mul_scalar(factor)?;
        let (nll, mut d) = run.head(&decoder.out, &labels, floats(&weights)?)?;
        let _ = d.f_mul_scalar_(factor)?;
        let mut into_encoded = encoded.f_zeros_like()?;
        let memory = Some((&encoded, padding, &mut into_encoded));
        run.stack_back(&self.decoder, decoder, &target, &decoder_bias, &d, memory)?;
        run.stack_back(&self.encoder, encoder, &batch.source, &encoder_bias, &into_encoded, None)?;

        let size = batch.labels.size();
        let mask = batch.labels.f_ne(-100)?.f_to_kind(Kind::Float)?;
        Ok((Tensor::f_from_slice(&nll)?.f_view(size.as_slice())?, mask))
    }
}

#[cfg(test)]
mod tests {
    use student_core::Trainable;

    use super::*;
    use crate::config::{Preset, T5Config};

    fn config(form: &str) -> T5Config {
        T5Config {
            feed_forward_proj: form.to_owned().try_into().unwrap(),
            tie_word_embeddings: !form.starts_with("gated"),
            num_decoder_layers: Some(2),
            dropout_rate: 0.2,
            ..T5Config::preset(Preset::Nano, 333)
        }
    }

    fn batch() -> Batch {
        tch::manual_seed(4);
        let ids = |shape: [i64; 2]| Tensor::randint_low(3, 333, shape, (Kind::Int64, Device::Cpu));
        let (source, labels) = (ids([3, 19]), ids([3, 45]));
        let mask = source.ones_like();
        let _ = mask.narrow(0, 2, 1).narrow(1, 11, 8).fill_(0);
        let _ = labels.narrow(0, 1, 1).narrow(1, 30, 15).fill_(-100);
        Batch { source, source_mask: mask, labels }
    }

    /// Losses and the gradient of every parameter.
    fn learn(model: &T5, batch: &Batch, by_hand: bool) -> (Tensor, Vec<(String, Tensor)>) {
        for (_, parameter) in model.parameters() {
            let mut gradient = parameter.grad();
            if gradient.defined() {
                let _ = gradient.zero_();
            }
        }
        let place = Tensor::arange(batch.labels.numel() as i64, (Kind::Float, Device::Cpu));
        let weights = (place.view(batch.labels.size().as_slice()) + 1.0) / 100.0;
        let weights = weights * batch.labels.ne(-100);
        tch::manual_seed(8);
        let (nll, mask) = if by_hand {
            model.learn(batch, &weights).unwrap()
        } else {
            let (nll, mask) = model.token_nll(batch, true).unwrap();
            student_core::learn_by_graph(nll, mask, &weights).unwrap()
        };
        assert!(mask.equal(&batch.labels.ne(-100).to_kind(Kind::Float)));
        let gradients =
            model.parameters().into_iter().map(|(name, parameter)| (name, parameter.grad().copy()));
        (nll, gradients.collect())
    }

    fn difference(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[]) / b.abs().max().double_value(&[])
    }

    #[test]
    fn the_gradient_by_hand_is_that_of_the_graph() {
        for (form, threads) in
            [("relu", 1), ("gelu", 2), ("gated-gelu", 1), ("gated-relu", 1), ("gated-silu", 2)]
        {
            let model = T5::new(config(form), 2, Device::Cpu).unwrap();
            let batch = batch();
            tch::set_num_threads(threads);
            let (nll, by_hand) = learn(&model, &batch, true);
            let (wanted, by_graph) = learn(&model, &batch, false);
            assert!(difference(&nll, &wanted) < 1e-5, "{form}");
            for ((name, a), (_, b)) in by_hand.iter().zip(&by_graph) {
                let difference = difference(a, b);
                assert!(difference < 2e-5, "{form} {name}: {difference}");
            }
        }
    }

    #[test]
    fn products_of_16_bit_numbers_are_close() {
        let mut model = T5::new(config("relu"), 2, Device::Cpu).unwrap();
        let batch = batch();
        let (nll, wanted) = learn(&model, &batch, false);
        model.set_mixed(true);
        let (close, gradients) = learn(&model, &batch, false);
        let apart = difference(&close, &nll);
        assert!(apart > 0.0 && apart < 0.02, "{apart}");
        for ((name, a), (_, b)) in gradients.iter().zip(&wanted) {
            assert_eq!(a.kind(), Kind::Float);
            // Single numbers may differ much, where an activation falls on the other side of 0.
            let apart = (a - b).norm().double_value(&[]) / b.norm().double_value(&[]);
            assert!(apart < 0.15, "{name}: {apart}");
        }
    }

    #[test]
    fn checkpoints_change_nothing() {
        let mut model = T5::new(config("relu"), 2, Device::Cpu).unwrap();
        let batch = batch();
        tch::set_num_threads(1);
        let (nll, all) = learn(&model, &batch, true);
        model.set_checkpointing(true);
        let (again, least) = learn(&model, &batch, true);
        assert!(nll.equal(&again));
        for ((name, a), (_, b)) in all.iter().zip(&least) {
            assert!(a.equal(b), "{name}");
        }
    }

    #[test]
    fn bad_labels_and_tokens_are_errors() {
        let model = T5::new(config("relu"), 2, Device::Cpu).unwrap();
        let weights = Tensor::ones([3, 45], (Kind::Float, Device::Cpu));
        for id in [333, -5] {
            let mut batch = batch();
            let _ = batch.labels.narrow(1, 7, 1).fill_(id);
            assert!(model.learn(&batch, &weights).is_err());
            batch.labels = weights.to_kind(Kind::Int64);
            let _ = batch.source.narrow(1, 3, 1).fill_(id);
            assert!(model.learn(&batch, &weights).is_err());
        }
    }
}
