//! T5 on libtorch tensors: shape, weights, and the passes that any device can run.
//!
//! What is particular to T5: layers normalise their input by its root mean square, without mean or
//! bias; there are no biases at all; attention is not scaled by the root of the head width; and
//! positions enter as a learned bias on attention scores by bucketed distance, one table a stack,
//! used in all of its layers.

use std::collections::HashMap;

use student_core::{Batch, Result as CoreResult, Trainable};
use tch::{Device, Kind, Reduction, TchError, Tensor, no_grad};

use crate::config::{Activation, FeedForward, T5Config};
use crate::dropout::Dropout;
use crate::error::{Result, T5Error};
use crate::kernels;
use crate::parameters::parameters;

/// Numbers of the logits that exist at a time where no graph holds them: 64 MB.
pub(crate) const LOGITS: i64 = 1 << 24;

pub(crate) type Torch<T> = std::result::Result<T, TchError>;

/// A T5 encoder and decoder with their head.
#[derive(Debug)]
pub struct T5 {
    pub(crate) config: T5Config,
    pub(crate) shared: Tensor,
    /// The head's own weights, where it is not the embedding table.
    pub(crate) head: Option<Tensor>,
    pub(crate) encoder: Stack,
    pub(crate) decoder: Stack,
    pub(crate) named: Vec<(String, Tensor)>,
    pub(crate) checkpointing: bool,
    mixed: bool,
}

#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Norm,
    pub(crate) positions: Positions,
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) norm: Norm,
    pub(crate) qkv: Stacked,
    pub(crate) output: Tensor,
    pub(crate) cross: Option<Cross>,
    pub(crate) feed_norm: Norm,
    pub(crate) feed_in: Stacked,
    pub(crate) feed_out: Tensor,
}

#[derive(Debug)]
pub(crate) struct Cross {
    pub(crate) norm: Norm,
    pub(crate) query: Tensor,
    pub(crate) key_value: Stacked,
    pub(crate) output: Tensor,
}

/// Matrices that multiply the same input, stored one below the other: the parts are what is trained
/// and named in files, the whole is the same memory seen as one matrix.
#[derive(Debug)]
pub(crate) struct Stacked {
    pub(crate) parts: Vec<Tensor>,
    pub(crate) whole: Tensor,
}

impl Stacked {
    fn new(parts: Vec<Tensor>) -> Torch<Stacked> {
        let whole = no_grad(|| Tensor::f_cat(&parts, 0))?;
        let mut start = 0;
        let mut views = Vec::with_capacity(parts.len());
        for part in &parts {
            let rows = part.size()[0];
            let view = whole.f_narrow(0, start, rows)?.f_detach()?;
            views.push(view.f_set_requires_grad(true)?);
            start += rows;
        }
        Ok(Stacked { parts: views, whole })
    }

    /// The stacked matrix; with `graph`, one that gradients reach the parts through.
    pub(crate) fn weight(&self, graph: bool) -> Torch<Tensor> {
        if graph && self.parts.len() > 1 {
            Tensor::f_cat(&self.parts, 0)
        } else if graph {
            Ok(self.parts[0].shallow_clone())
        } else {
            Ok(self.whole.shallow_clone())
        }
    }
}

#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) weight: Tensor,
    pub(crate) epsilon: f64,
}

impl Norm {
    pub(crate) fn forward(&self, x: &Tensor) -> Torch<Tensor> {
        let width = *x.size().last().unwrap_or(&1);
        let norm = x.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), true)?;
        let root = norm.f_square()?.f_div_scalar(width as f64)?.f_add_scalar(self.epsilon)?;
        x.f_mul(&root.f_rsqrt()?)?.f_mul(&self.weight)
    }
}

/// The learned bias by bucketed distance.
#[derive(Debug)]
pub(crate) struct Positions {
    /// `[buckets, heads]`.
    pub(crate) table: Tensor,
    pub(crate) bidirectional: bool,
    pub(crate) buckets: i64,
    pub(crate) max_distance: i64,
}

impl Positions {
    /// Buckets of relative positions (key − query), computed with torch's own arithmetic so that
    /// distances at the edge of a bucket fall as in transformers.
    pub(crate) fn bucket(&self, relative: &Tensor) -> Torch<Tensor> {
        let (buckets, distance, offset) = if self.bidirectional {
            let half = self.buckets / 2;
            let ahead = relative.f_gt(0)?.f_to_kind(Kind::Int64)?.f_mul_scalar(half)?;
            (half, relative.f_abs()?, Some(ahead))
        } else {
            (self.buckets, relative.f_clamp_max(0)?.f_neg()?, None)
        };
        let exact = buckets / 2;
        let log = distance.f_to_kind(Kind::Float)?.f_div_scalar(exact as f64)?.f_log()?;
        let span = (self.max_distance as f64 / exact as f64).ln();
        let far = log
            .f_div_scalar(span)?
            .f_mul_scalar((buckets - exact) as f64)?
            .f_to_kind(Kind::Int64)?
            .f_add_scalar(exact)?
            .f_clamp_max(buckets - 1)?;
        let bucket = distance.f_where_self(&distance.f_lt(exact)?, &far)?;
        match offset {
            Some(offset) => bucket.f_add(&offset),
            None => Ok(bucket),
        }
    }

    /// `[1, heads, length, length]`.
    pub(crate) fn bias(&self, length: i64) -> Torch<Tensor> {
        let device = self.table.device();
        let at = Tensor::f_arange(length, (Kind::Int64, device))?;
        let relative = at.f_unsqueeze(0)?.f_sub(&at.f_unsqueeze(1)?)?;
        let distances = Tensor::f_arange_start(1 - length, length, (Kind::Int64, device))?;
        let buckets = self.bucket(&distances)?.f_take(&relative.f_add_scalar(length - 1)?)?;
        let bias = Tensor::f_embedding(&self.table, &buckets, -1, false, false)?;
        bias.f_permute([2, 0, 1].as_slice())?.f_unsqueeze(0)
    }

    /// Bias of the keys at distance `length − 1`, …, 1, 0 behind the query: `[heads, length]`.
    pub(crate) fn behind(&self, length: i64) -> Torch<Tensor> {
        let device = self.table.device();
        let relative = Tensor::f_arange_start(1 - length, 1, (Kind::Int64, device))?;
        let bias = Tensor::f_embedding(&self.table, &self.bucket(&relative)?, -1, false, false)?;
        bias.f_transpose(0, 1)?.f_contiguous()
    }
}

/// How a pass runs: whether gradients are wanted, and dropout.
pub(crate) struct Pass {
    pub(crate) graph: bool,
    pub(crate) dropout: Dropout,
    /// Whether products are of 16-bit numbers (bfloat16) and everything else of 32-bit ones.
    pub(crate) mixed: bool,
}

impl Pass {
    /// Without gradients or dropout.
    pub(crate) fn plain() -> Pass {
        Pass { graph: false, dropout: Dropout::off(), mixed: false }
    }

    /// `x·weightᵀ`.
    pub(crate) fn linear(&self, x: &Tensor, weight: &Tensor) -> Torch<Tensor> {
        if !self.mixed {
            return x.f_linear(weight, none());
        }
        let (x, weight) = (x.f_to_kind(Kind::BFloat16)?, weight.f_to_kind(Kind::BFloat16)?);
        x.f_linear(&weight, none())?.f_to_kind(Kind::Float)
    }

    /// Products of matrices side by side.
    fn products(&self, a: &Tensor, b: &Tensor) -> Torch<Tensor> {
        if !self.mixed {
            return a.f_bmm(b);
        }
        a.f_to_kind(Kind::BFloat16)?.f_bmm(&b.f_to_kind(Kind::BFloat16)?)?.f_to_kind(Kind::Float)
    }
}

/// What attention adds where it must not look: the most negative number, as in transformers, so
/// that a row in which everything is masked is an average and not NaN.
pub(crate) fn blocked(kind: Kind) -> f64 {
    match kind {
        Kind::Half => -65504.0,
        Kind::BFloat16 => -3.3895313892515355e38,
        _ => f64::from(f32::MIN),
    }
}

/// `[rows, 1, 1, length]`: 0 where `mask` is 1 and [`blocked`] where it is 0; `None` if nothing is
/// blocked.
pub(crate) fn padding_bias(mask: &Tensor, kind: Kind) -> Torch<Option<Tensor>> {
    let blank = mask.f_eq(0)?;
    if blank.f_any()?.f_int64_value(&[])? == 0 {
        return Ok(None);
    }
    let (rows, length) = mask.size2()?;
    let bias = blank.f_to_kind(kind)?.f_mul_scalar(blocked(kind))?;
    bias.f_view([rows, 1, 1, length].as_slice()).map(Some)
}

/// Attention of `[batch × heads, queries, width]` to keys and values of the same layout.
pub(crate) fn attend(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    bias: Option<&Tensor>,
    pass: &Pass,
) -> Torch<Tensor> {
    let key = key.f_transpose(1, 2)?;
    let scores = match bias {
        Some(bias) if !pass.mixed => bias.f_baddbmm(query, &key, 1.0, 1.0)?,
        Some(bias) => pass.products(query, &key)?.f_add(bias)?,
        None => pass.products(query, &key)?,
    };
    pass.products(&pass.dropout.apply(scores.f_softmax(-1, None)?)?, value)
}

impl T5 {
    /// A model with initial weights as transformers draws them: normal, with deviations by layer
    /// that make up for the unscaled attention. Equal seeds give equal weights on every device.
    ///
    /// # Errors
    /// [`T5Error::Config`] for a shape that is none; [`T5Error::Torch`], for instance where memory
    /// does not suffice.
    pub fn new(config: T5Config, seed: u64, device: Device) -> Result<T5> {
        config.validate()?;
        let factor = config.initializer_factor;
        let tensors = no_grad(|| {
            parameters(&config, !config.tie_word_embeddings)
                .into_iter()
                .enumerate()
                .map(|(index, p)| Ok((p.name.clone(), p.initial(seed, index, factor, device)?)))
                .collect::<Torch<HashMap<String, Tensor>>>()
        })?;
        T5::from_tensors(config, tensors)
    }

    /// A model of these tensors, which must be exactly those of the shape; the head is its own if
    /// `lm_head.weight` is among them.
    pub(crate) fn from_tensors(
        config: T5Config,
        mut tensors: HashMap<String, Tensor>,
    ) -> Result<T5> {
        let own_head = tensors.contains_key("lm_head.weight");
        let mut take = |name: String| -> Result<Tensor> {
            tensors
                .remove(&name)
                .ok_or_else(|| T5Error::config(format!("no tensor {name} was given")))
        };
        let leaf = |tensor: Tensor| -> Result<Tensor> {
            Ok(tensor.f_detach()?.f_contiguous()?.f_set_requires_grad(true)?)
        };
        let epsilon = config.layer_norm_epsilon;
        let shared = leaf(take("shared.weight".into())?)?;
        let mut stack = |name: &str, layers: i64| -> Result<Stack> {
            let decoder = name == "decoder";
            let mut all = Vec::new();
            let mut table = None;
            for block in 0..layers {
                let at = |layer: i64, rest: &str| {
                    format!("{name}.block.{block}.layer.{layer}.{rest}.weight")
                };
                let own = |part: &str| at(0, &format!("SelfAttention.{part}"));
                if block == 0 {
                    table = Some(leaf(take(own("relative_attention_bias"))?)?);
                }
                let cross = if decoder {
                    let other = |part: &str| at(1, &format!("EncDecAttention.{part}"));
                    Some(Cross {
                        norm: Norm { weight: leaf(take(at(1, "layer_norm"))?)?, epsilon },
                        query: leaf(take(other("q"))?)?,
                        key_value: Stacked::new(vec![take(other("k"))?, take(other("v"))?])?,
                        output: leaf(take(other("o"))?)?,
                    })
                } else {
                    None
                };
                let feed = if decoder { 2 } else { 1 };
                let inputs: &[&str] =
                    if config.feed_forward_proj.gated { &["wi_0", "wi_1"] } else { &["wi"] };
                let mut parts = Vec::new();
                for input in inputs {
                    parts.push(take(at(feed, &format!("DenseReluDense.{input}")))?);
                }
                all.push(Layer {
                    norm: Norm { weight: leaf(take(at(0, "layer_norm"))?)?, epsilon },
                    qkv: Stacked::new(vec![take(own("q"))?, take(own("k"))?, take(own("v"))?])?,
                    output: leaf(take(own("o"))?)?,
                    cross,
                    feed_norm: Norm { weight: leaf(take(at(feed, "layer_norm"))?)?, epsilon },
                    feed_in: Stacked::new(parts)?,
                    feed_out: leaf(take(at(feed, "DenseReluDense.wo"))?)?,
                });
            }
            let table =
                table.ok_or_else(|| T5Error::config(format!("the {name} has no layers")))?;
            Ok(Stack {
                layers: all,
                norm: Norm {
                    weight: leaf(take(format!("{name}.final_layer_norm.weight"))?)?,
                    epsilon,
                },
                positions: Positions {
                    table,
                    bidirectional: !decoder,
                    buckets: config.relative_attention_num_buckets,
                    max_distance: config.relative_attention_max_distance,
                },
            })
        };
        let encoder = stack("encoder", config.num_layers)?;
        let decoder = stack("decoder", config.decoder_layers())?;
        let head = if own_head { Some(leaf(take("lm_head.weight".into())?)?) } else { None };
        let mut model = T5 {
            config,
            shared,
            head,
            encoder,
            decoder,
            named: Vec::new(),
            checkpointing: false,
            mixed: false,
        };
        model.mixed = model.device().is_cuda();
        model.named = model.collect_named();
        Ok(model)
    }

    /// All tensors in the order of [`parameters`].
    fn collect_named(&self) -> Vec<(String, Tensor)> {
        let mut tensors = vec![&self.shared];
        for stack in [&self.encoder, &self.decoder] {
            for (index, layer) in stack.layers.iter().enumerate() {
                tensors.extend(&layer.qkv.parts);
                tensors.push(&layer.output);
                if index == 0 {
                    tensors.push(&stack.positions.table);
                }
                tensors.push(&layer.norm.weight);
                if let Some(cross) = &layer.cross {
                    tensors.push(&cross.query);
                    tensors.extend(&cross.key_value.parts);
                    tensors.extend([&cross.output, &cross.norm.weight]);
                }
                tensors.extend(&layer.feed_in.parts);
                tensors.extend([&layer.feed_out, &layer.feed_norm.weight]);
            }
            tensors.push(&stack.norm.weight);
        }
        tensors.extend(&self.head);
        let names = parameters(&self.config, self.head.is_some()).into_iter().map(|p| p.name);
        names.zip(tensors.into_iter().map(Tensor::shallow_clone)).collect()
    }

    /// The model's shape.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Sets the dropout of training, in [0, 1).
    ///
    /// # Errors
    /// [`T5Error::Config`] for a rate out of range.
    pub fn set_dropout(&mut self, rate: f64) -> Result<()> {
        let config = T5Config { dropout_rate: rate, ..self.config.clone() };
        config.validate()?;
        self.config = config;
        Ok(())
    }

    /// Whether [`learn`](Trainable::learn) keeps only the input of each layer and runs the layer again
    /// for its gradient: about a quarter more time for much less memory, and bit for bit the same
    /// gradients. On a CPU; elsewhere it has no effect.
    pub fn set_checkpointing(&mut self, on: bool) {
        self.checkpointing = on;
    }

    /// Whether training multiplies matrices in bfloat16 and does all else, weights and gradients
    /// included, in 32 bits, as torch's autocast does. On by default on CUDA devices; on a CPU the pass
    /// that learns by hand takes no notice. Evaluation and decoding stay at 32 bits.
    pub fn set_mixed(&mut self, on: bool) {
        self.mixed = on;
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.shared.device()
    }

    /// Whether the head has weights of its own.
    pub fn has_own_head(&self) -> bool {
        self.head.is_some()
    }

    /// Every tensor with its name in files, in the order of transformers' files.
    pub fn named_tensors(&self) -> &[(String, Tensor)] {
        &self.named
    }

    /// Number of trained numbers.
    pub fn parameter_count(&self) -> usize {
        self.named.iter().map(|(_, tensor)| tensor.numel()).sum()
    }

    /// Hidden states of the last encoder layer, `[rows, length, d_model]`, without dropout.
    ///
    /// # Errors
    /// Whatever libtorch says, such as ids outside the vocabulary.
    pub fn encoder_output(&self, source: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let pass = Pass::plain();
        Ok(no_grad(|| -> Torch<Tensor> {
            let padding = padding_bias(mask, self.shared.f_kind()?)?;
            self.encode_all(source, padding.as_ref(), &pass)
        })?)
    }

    /// Logits of every next token, `[rows, target length, vocabulary]`, given the decoder's input
    /// tokens; without dropout.
    ///
    /// # Errors
    /// Whatever libtorch says, such as ids outside the vocabulary.
    pub fn logits(&self, source: &Tensor, mask: &Tensor, target: &Tensor) -> Result<Tensor> {
        let pass = Pass::plain();
        Ok(no_grad(|| self.decode_all(source, mask, target, &pass)?.f_linear(self.head(), none()))?)
    }

    /// Learned attention bias of the encoder (or decoder) for `length` positions:
    /// `[1, heads, length, length]`, without the causal mask.
    ///
    /// # Errors
    /// Whatever libtorch says.
    pub fn position_bias(&self, decoder: bool, length: i64) -> Result<Tensor> {
        let stack = if decoder { &self.decoder } else { &self.encoder };
        Ok(no_grad(|| stack.positions.bias(length))?)
    }

    /// The decoder's input for these labels: moved right by one behind the start token, with padding
    /// where there is nothing to learn.
    ///
    /// # Errors
    /// Whatever libtorch says.
    pub fn shift_right(&self, labels: &Tensor) -> Result<Tensor> {
        Ok(self.shifted(labels)?)
    }

    pub(crate) fn shifted(&self, labels: &Tensor) -> Torch<Tensor> {
        let (rows, length) = labels.size2()?;
        let start = Tensor::f_full(
            [rows, 1].as_slice(),
            self.config.start_token(),
            (Kind::Int64, labels.device()),
        )?;
        let moved = labels.f_narrow(1, 0, length - 1)?;
        let moved = moved.f_masked_fill(&moved.f_eq(-100)?, self.config.pad_token_id)?;
        Tensor::f_cat(&[start, moved], 1)
    }

    pub(crate) fn head(&self) -> &Tensor {
        self.head.as_ref().unwrap_or(&self.shared)
    }

    pub(crate) fn embed(&self, tokens: &Tensor) -> Torch<Tensor> {
        Tensor::f_embedding(&self.shared, tokens, -1, false, false)
    }

    /// `x` (`[…, d_model]`) through the feed-forward layer and added to the residual.
    pub(crate) fn feed(&self, layer: &Layer, x: &Tensor, pass: &Pass) -> Torch<Tensor> {
        let FeedForward { activation, gated } = self.config.feed_forward_proj;
        let weight = layer.feed_in.weight(pass.graph)?;
        let inner = pass.linear(&layer.feed_norm.forward(x)?, &weight)?;
        let inner = if gated {
            let halves = inner.f_chunk(2, -1)?;
            pass.dropout
                .apply_(activate(activation, halves[0].shallow_clone())?.f_mul(&halves[1])?)?
        } else if activation == Activation::Relu {
            // A mask of non-negative numbers may as well come first: then nothing is copied.
            pass.dropout.apply_(inner)?.f_relu_()?
        } else {
            pass.dropout.apply(activate(activation, inner)?)?
        };
        pass.dropout.add(x, pass.linear(&inner, &layer.feed_out)?)
    }

    /// Self-attention of whole sequences, added to the residual.
    fn self_attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        bias: &Tensor,
        pass: &Pass,
    ) -> Torch<Tensor> {
        let (rows, length, _) = x.size3()?;
        let weight = layer.qkv.weight(pass.graph)?;
        let qkv = pass.linear(&layer.norm.forward(x)?, &weight)?;
        let parts = self.split_heads(&qkv, rows, length, 3)?;
        let seen = attend(&parts[0], &parts[1], &parts[2], Some(bias), pass)?;
        let seen = self.join_heads(&seen, rows, length)?;
        pass.dropout.add(x, pass.linear(&seen, &layer.output)?)
    }

    /// Attention of whole sequences to the encoder's output, added to the residual.
    fn cross_attention(
        &self,
        cross: &Cross,
        x: &Tensor,
        encoded: &Tensor,
        padding: Option<&Tensor>,
        pass: &Pass,
    ) -> Torch<Tensor> {
        let (rows, length, _) = x.size3()?;
        let query = pass.linear(&cross.norm.forward(x)?, &cross.query)?;
        let query = &self.split_heads(&query, rows, length, 1)?[0];
        let (key, value) = self.cross_key_value(cross, encoded, pass)?;
        let seen = attend(query, &key, &value, padding, pass)?;
        let seen = self.join_heads(&seen, rows, length)?;
        pass.dropout.add(x, pass.linear(&seen, &cross.output)?)
    }

    /// Keys and values of the encoder's output, `[rows × heads, length, d_kv]` each.
    pub(crate) fn cross_key_value(
        &self,
        cross: &Cross,
        encoded: &Tensor,
        pass: &Pass,
    ) -> Torch<(Tensor, Tensor)> {
        let (rows, length, _) = encoded.size3()?;
        let both = pass.linear(encoded, &cross.key_value.weight(pass.graph)?)?;
        let mut parts = self.split_heads(&both, rows, length, 2)?.into_iter();
        match (parts.next(), parts.next()) {
            (Some(key), Some(value)) => Ok((key, value)),
            _ => Err(TchError::Shape("keys and values".into())),
        }
    }

    /// `[rows, length, parts × heads × d_kv]` → `parts` of `[rows × heads, length, d_kv]`.
    pub(crate) fn split_heads(
        &self,
        x: &Tensor,
        rows: i64,
        length: i64,
        parts: i64,
    ) -> Torch<Vec<Tensor>> {
        let (heads, width) = (self.config.num_heads, self.config.d_kv);
        x.f_view([rows, length, parts, heads, width].as_slice())?
            .f_permute([2, 0, 3, 1, 4].as_slice())?
            .f_reshape([parts, rows * heads, length, width].as_slice())?
            .f_unbind(0)
    }

    /// `[rows × heads, length, d_kv]` → `[rows, length, heads × d_kv]`.
    pub(crate) fn join_heads(&self, x: &Tensor, rows: i64, length: i64) -> Torch<Tensor> {
        let (heads, width) = (self.config.num_heads, self.config.d_kv);
        x.f_view([rows, heads, length, width].as_slice())?
            .f_transpose(1, 2)?
            .f_reshape([rows, length, heads * width].as_slice())
    }

    /// Adds what blocks attention to the position bias: `[rows × heads, length, length]`.
    fn self_bias(&self, bias: Tensor, extra: Option<&Tensor>, rows: i64) -> Torch<Tensor> {
        let bias = match extra {
            Some(extra) => bias.f_add(extra)?,
            None => bias,
        };
        let (_, heads, length, _) = bias.size4()?;
        bias.f_expand([rows, heads, length, length].as_slice(), false)?
            .f_reshape([rows * heads, length, length].as_slice())
    }

    /// The padding bias of cross-attention: `[rows × heads, 1, source length]`.
    pub(crate) fn cross_bias(&self, padding: &Tensor) -> Torch<Tensor> {
        let (rows, _, _, length) = padding.size4()?;
        let heads = self.config.num_heads;
        padding
            .f_expand([rows, heads, 1, length].as_slice(), false)?
            .f_reshape([rows * heads, 1, length].as_slice())
    }

    pub(crate) fn encode_all(
        &self,
        source: &Tensor,
        padding: Option<&Tensor>,
        pass: &Pass,
    ) -> Torch<Tensor> {
        let (rows, length) = source.size2()?;
        let bias = self.self_bias(self.encoder.positions.bias(length)?, padding, rows)?;
        let mut x = pass.dropout.apply_(self.embed(source)?)?;
        for layer in &self.encoder.layers {
            x = self.self_attention(layer, &x, &bias, pass)?;
            x = self.feed(layer, &x, pass)?;
        }
        pass.dropout.apply_(self.encoder.norm.forward(&x)?)
    }

    /// The decoder's output at every target position, ready for the head.
    fn decode_all(
        &self,
        source: &Tensor,
        mask: &Tensor,
        target: &Tensor,
        pass: &Pass,
    ) -> Torch<Tensor> {
        let kind = self.shared.f_kind()?;
        let padding = padding_bias(mask, kind)?;
        let encoded = self.encode_all(source, padding.as_ref(), pass)?;
        let padding = padding.map(|padding| self.cross_bias(&padding)).transpose()?;
        let (rows, length) = target.size2()?;
        let causal =
            Tensor::f_full([length, length].as_slice(), blocked(kind), (kind, target.device()))?
                .f_triu(1)?;
        let bias = self.self_bias(self.decoder.positions.bias(length)?, Some(&causal), rows)?;
        let mut x = pass.dropout.apply_(self.embed(target)?)?;
        for layer in &self.decoder.layers {
            x = self.self_attention(layer, &x, &bias, pass)?;
            if let Some(cross) = &layer.cross {
                x = self.cross_attention(cross, &x, &encoded, padding.as_ref(), pass)?;
            }
            x = self.feed(layer, &x, pass)?;
        }
        let x = pass.dropout.apply_(self.decoder.norm.forward(&x)?)?;
        self.scale_output(x)
    }

    pub(crate) fn scale_output(&self, x: Tensor) -> Torch<Tensor> {
        if self.config.scales_output() {
            x.f_mul_scalar((self.config.d_model as f64).powf(-0.5))
        } else {
            Ok(x)
        }
    }

    /// The decoder's output at every target token, with its graph, and the pass that made it.
    fn target_output(&self, batch: &Batch, train: bool) -> Torch<(Tensor, Pass)> {
        let rate = if train { self.config.dropout_rate } else { 0.0 };
        let mixed = train && self.mixed;
        let pass = Pass { graph: true, dropout: Dropout::from_torch(rate)?, mixed };
        let target = self.shifted(&batch.labels)?;
        let output = self.decode_all(&batch.source, &batch.source_mask, &target, &pass)?;
        Ok((output, pass))
    }

    fn token_nll_inner(&self, batch: &Batch, train: bool) -> Torch<(Tensor, Tensor)> {
        let (output, pass) = self.target_output(batch, train)?;
        let (rows, length, width) = output.size3()?;
        let output = output.f_view([rows * length, width].as_slice())?;
        let labels = batch.labels.f_reshape([-1].as_slice())?;
        let wanted = labels.f_ne(-100)?;
        let mask = wanted.f_to_kind(Kind::Float)?.f_view([rows, length].as_slice())?;
        // The head is the widest product of the model: rows without a label are left out of it.
        let at = wanted.f_nonzero()?.f_squeeze_dim(-1)?;
        let count = at.size1()?;
        let nll = if count == rows * length {
            self.row_nll(&output, &labels, &pass)?
        } else {
            let some = self.row_nll(
                &output.f_index_select(0, &at)?,
                &labels.f_index_select(0, &at)?,
                &pass,
            )?;
            let zeros =
                Tensor::f_zeros([rows * length].as_slice(), (some.f_kind()?, some.device()))?;
            zeros.f_index_copy(0, &at, &some)?
        };
        Ok((nll.f_view([rows, length].as_slice())?, mask))
    }

    fn row_nll(&self, output: &Tensor, labels: &Tensor, pass: &Pass) -> Torch<Tensor> {
        let (rows, each) = (output.size2()?.0, LOGITS / self.config.vocab_size);
        let part = |start: i64, count: i64| -> Torch<Tensor> {
            let logits = pass.linear(&output.f_narrow(0, start, count)?, self.head())?;
            let labels = labels.f_narrow(0, start, count)?;
            logits.f_log_softmax(-1, Kind::Float)?.f_nll_loss(
                &labels,
                none(),
                Reduction::None,
                -100,
            )
        };
        if output.requires_grad() || rows <= each {
            return part(0, rows);
        }
        // Without a graph nothing holds the logits: a part of them is enough at a time.
        let each = each.max(16);
        let starts = (0..rows).step_by(each as usize);
        let parts = starts.map(|start| part(start, each.min(rows - start)));
        Tensor::f_cat(&parts.collect::<Torch<Vec<_>>>()?, 0)
    }
}

pub(crate) fn none() -> Option<Tensor> {
    None
}

pub(crate) fn activate(activation: Activation, x: Tensor) -> Torch<Tensor> {
    match activation {
        Activation::Relu => x.f_relu(),
        Activation::Gelu => x.f_gelu("none"),
        Activation::GeluNew => x.f_gelu("tanh"),
        Activation::Silu => x.f_silu(),
    }
}

impl Trainable for T5 {
    fn parameters(&self) -> Vec<(String, Tensor)> {
        self.named.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
    }

    fn token_nll(&self, batch: &Batch, train: bool) -> CoreResult<(Tensor, Tensor)> {
        Ok(self.token_nll_inner(batch, train)?)
    }

    fn token_logits(&self, batch: &Batch, train: bool) -> CoreResult<Option<Tensor>> {
        let (output, pass) = self.target_output(batch, train)?;
        let logits = pass.linear(&output, self.head())?;
        Ok(Some(logits))
    }

    fn learn(&self, batch: &Batch, weights: &Tensor) -> CoreResult<(Tensor, Tensor)> {
        if kernels::can_use(&self.shared) {
            Ok(no_grad(|| self.learn_by_hand(batch, weights))?)
        } else {
            let (nll, mask) = self.token_nll_inner(batch, true)?;
            student_core::learn_by_graph(nll, mask, weights)
        }
    }
}
