//! T5 on libtorch tensors: training pass, encoder, and one decoding step at a time.
//!
//! What is particular to T5: layers normalise their input by its root mean square, without mean or
//! bias; there are no biases at all; attention is not scaled by the root of the head width; and
//! positions enter as a learned bias on attention scores by bucketed distance, one table a stack,
//! used in all of its layers.
//!
//! Decoding keeps the keys and values of all beams of a source side by side and lets every beam see
//! its own ancestors through a mask. Choosing beams then moves a few numbers of that mask instead
//! of the cache, and attention becomes one matrix product a source.

use std::collections::HashMap;

use student_core::{Batch, Decodable, Result as CoreResult, StudentCoreError, Trainable};
use tch::{Device, Kind, Reduction, TchError, Tensor, no_grad};

use crate::config::{Activation, FeedForward, T5Config};
use crate::dropout::Dropout;
use crate::error::{Result, T5Error};
use crate::parameters::parameters;

type Torch<T> = std::result::Result<T, TchError>;

/// A T5 encoder and decoder with their head.
#[derive(Debug)]
pub struct T5 {
    config: T5Config,
    shared: Tensor,
    /// The head's own weights, where it is not the embedding table.
    head: Option<Tensor>,
    encoder: Stack,
    decoder: Stack,
    named: Vec<(String, Tensor)>,
}

#[derive(Debug)]
struct Stack {
    layers: Vec<Layer>,
    norm: Norm,
    positions: Positions,
}

#[derive(Debug)]
struct Layer {
    norm: Norm,
    qkv: Stacked,
    output: Tensor,
    cross: Option<Cross>,
    feed_norm: Norm,
    feed_in: Stacked,
    feed_out: Tensor,
}

#[derive(Debug)]
struct Cross {
    norm: Norm,
    query: Tensor,
    key_value: Stacked,
    output: Tensor,
}

/// Matrices that multiply the same input, stored one below the other: the parts are what is trained
/// and named in files, the whole is the same memory seen as one matrix.
#[derive(Debug)]
struct Stacked {
    parts: Vec<Tensor>,
    whole: Tensor,
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
    fn weight(&self, graph: bool) -> Torch<Tensor> {
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
struct Norm {
    weight: Tensor,
    epsilon: f64,
}

impl Norm {
    fn forward(&self, x: &Tensor) -> Torch<Tensor> {
        let width = *x.size().last().unwrap_or(&1);
        let norm = x.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), true)?;
        let root = norm.f_square()?.f_div_scalar(width as f64)?.f_add_scalar(self.epsilon)?;
        x.f_mul(&root.f_rsqrt()?)?.f_mul(&self.weight)
    }
}

/// The learned bias by bucketed distance.
#[derive(Debug)]
struct Positions {
    /// `[buckets, heads]`.
    table: Tensor,
    bidirectional: bool,
    buckets: i64,
    max_distance: i64,
}

impl Positions {
    /// Buckets of relative positions (key − query), computed with torch's own arithmetic so that
    /// distances at the edge of a bucket fall as in transformers.
    fn bucket(&self, relative: &Tensor) -> Torch<Tensor> {
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
    fn bias(&self, length: i64) -> Torch<Tensor> {
        let device = self.table.device();
        let at = Tensor::f_arange(length, (Kind::Int64, device))?;
        let relative = at.f_unsqueeze(0)?.f_sub(&at.f_unsqueeze(1)?)?;
        let distances = Tensor::f_arange_start(1 - length, length, (Kind::Int64, device))?;
        let buckets = self.bucket(&distances)?.f_take(&relative.f_add_scalar(length - 1)?)?;
        let bias = Tensor::f_embedding(&self.table, &buckets, -1, false, false)?;
        bias.f_permute([2, 0, 1].as_slice())?.f_unsqueeze(0)
    }

    /// Bias of the keys at distance `length − 1`, …, 1, 0 behind the query: `[heads, length]`.
    fn behind(&self, length: i64) -> Torch<Tensor> {
        let device = self.table.device();
        let relative = Tensor::f_arange_start(1 - length, 1, (Kind::Int64, device))?;
        let bias = Tensor::f_embedding(&self.table, &self.bucket(&relative)?, -1, false, false)?;
        bias.f_transpose(0, 1)?.f_contiguous()
    }
}

/// How a pass runs: whether gradients are wanted, and dropout.
struct Pass {
    graph: bool,
    dropout: Dropout,
}

/// What attention adds where it must not look: the most negative number, as in transformers, so
/// that a row in which everything is masked is an average and not NaN.
fn blocked(kind: Kind) -> f64 {
    match kind {
        Kind::Half => -65504.0,
        Kind::BFloat16 => -3.3895313892515355e38,
        _ => f64::from(f32::MIN),
    }
}

/// `[rows, 1, 1, length]`: 0 where `mask` is 1 and [`blocked`] where it is 0; `None` if nothing is
/// blocked.
fn padding_bias(mask: &Tensor, kind: Kind) -> Torch<Option<Tensor>> {
    let blank = mask.f_eq(0)?;
    if blank.f_any()?.f_int64_value(&[])? == 0 {
        return Ok(None);
    }
    let (rows, length) = mask.size2()?;
    let bias = blank.f_to_kind(kind)?.f_mul_scalar(blocked(kind))?;
    bias.f_view([rows, 1, 1, length].as_slice()).map(Some)
}

/// Attention of `[batch × heads, queries, width]` to keys and values of the same layout.
fn attend(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    bias: Option<&Tensor>,
    dropout: &Dropout,
) -> Torch<Tensor> {
    let key = key.f_transpose(1, 2)?;
    let scores = match bias {
        Some(bias) => bias.f_baddbmm(query, &key, 1.0, 1.0)?,
        None => query.f_bmm(&key)?,
    };
    dropout.apply(scores.f_softmax(-1, None)?)?.f_bmm(value)
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
        let mut model = T5 { config, shared, head, encoder, decoder, named: Vec::new() };
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
        let pass = Pass { graph: false, dropout: Dropout::off() };
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
        let pass = Pass { graph: false, dropout: Dropout::off() };
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

    fn shifted(&self, labels: &Tensor) -> Torch<Tensor> {
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

    fn head(&self) -> &Tensor {
        self.head.as_ref().unwrap_or(&self.shared)
    }

    fn embed(&self, tokens: &Tensor) -> Torch<Tensor> {
        Tensor::f_embedding(&self.shared, tokens, -1, false, false)
    }

    /// `x` (`[…, d_model]`) through the feed-forward layer and added to the residual.
    fn feed(&self, layer: &Layer, x: &Tensor, pass: &Pass) -> Torch<Tensor> {
        let FeedForward { activation, gated } = self.config.feed_forward_proj;
        let weight = layer.feed_in.weight(pass.graph)?;
        let inner = layer.feed_norm.forward(x)?.f_linear(&weight, none())?;
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
        pass.dropout.add(x, inner.f_linear(&layer.feed_out, none())?)
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
        let qkv = layer.norm.forward(x)?.f_linear(&weight, none())?;
        let parts = self.split_heads(&qkv, rows, length, 3)?;
        let seen = attend(&parts[0], &parts[1], &parts[2], Some(bias), &pass.dropout)?;
        let seen = self.join_heads(&seen, rows, length)?;
        pass.dropout.add(x, seen.f_linear(&layer.output, none())?)
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
        let query = cross.norm.forward(x)?.f_linear(&cross.query, none())?;
        let query = &self.split_heads(&query, rows, length, 1)?[0];
        let (key, value) = self.cross_key_value(cross, encoded, pass)?;
        let seen = attend(query, &key, &value, padding, &pass.dropout)?;
        let seen = self.join_heads(&seen, rows, length)?;
        pass.dropout.add(x, seen.f_linear(&cross.output, none())?)
    }

    /// Keys and values of the encoder's output, `[rows × heads, length, d_kv]` each.
    fn cross_key_value(
        &self,
        cross: &Cross,
        encoded: &Tensor,
        pass: &Pass,
    ) -> Torch<(Tensor, Tensor)> {
        let (rows, length, _) = encoded.size3()?;
        let both = encoded.f_linear(&cross.key_value.weight(pass.graph)?, none())?;
        let mut parts = self.split_heads(&both, rows, length, 2)?.into_iter();
        match (parts.next(), parts.next()) {
            (Some(key), Some(value)) => Ok((key, value)),
            _ => Err(TchError::Shape("keys and values".into())),
        }
    }

    /// `[rows, length, parts × heads × d_kv]` → `parts` of `[rows × heads, length, d_kv]`.
    fn split_heads(&self, x: &Tensor, rows: i64, length: i64, parts: i64) -> Torch<Vec<Tensor>> {
        let (heads, width) = (self.config.num_heads, self.config.d_kv);
        x.f_view([rows, length, parts, heads, width].as_slice())?
            .f_permute([2, 0, 3, 1, 4].as_slice())?
            .f_reshape([parts, rows * heads, length, width].as_slice())?
            .f_unbind(0)
    }

    /// `[rows × heads, length, d_kv]` → `[rows, length, heads × d_kv]`.
    fn join_heads(&self, x: &Tensor, rows: i64, length: i64) -> Torch<Tensor> {
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
    fn cross_bias(&self, padding: &Tensor) -> Torch<Tensor> {
        let (rows, _, _, length) = padding.size4()?;
        let heads = self.config.num_heads;
        padding
            .f_expand([rows, heads, 1, length].as_slice(), false)?
            .f_reshape([rows * heads, 1, length].as_slice())
    }

    fn encode_all(&self, source: &Tensor, padding: Option<&Tensor>, pass: &Pass) -> Torch<Tensor> {
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

    fn scale_output(&self, x: Tensor) -> Torch<Tensor> {
        if self.config.scales_output() {
            x.f_mul_scalar((self.config.d_model as f64).powf(-0.5))
        } else {
            Ok(x)
        }
    }

    fn token_nll_inner(&self, batch: &Batch, train: bool) -> Torch<(Tensor, Tensor)> {
        let rate = if train { self.config.dropout_rate } else { 0.0 };
        let pass = Pass { graph: true, dropout: Dropout::from_torch(rate)? };
        let target = self.shifted(&batch.labels)?;
        let output = self.decode_all(&batch.source, &batch.source_mask, &target, &pass)?;
        let (rows, length, width) = output.size3()?;
        let output = output.f_view([rows * length, width].as_slice())?;
        let labels = batch.labels.f_reshape([-1].as_slice())?;
        let wanted = labels.f_ne(-100)?;
        let mask = wanted.f_to_kind(Kind::Float)?.f_view([rows, length].as_slice())?;
        // The head is the widest product of the model: rows without a label are left out of it.
        let at = wanted.f_nonzero()?.f_squeeze_dim(-1)?;
        let count = at.size1()?;
        let nll = if count == rows * length {
            self.row_nll(&output, &labels)?
        } else {
            let some =
                self.row_nll(&output.f_index_select(0, &at)?, &labels.f_index_select(0, &at)?)?;
            let zeros =
                Tensor::f_zeros([rows * length].as_slice(), (some.f_kind()?, some.device()))?;
            zeros.f_index_copy(0, &at, &some)?
        };
        Ok((nll.f_view([rows, length].as_slice())?, mask))
    }

    fn row_nll(&self, output: &Tensor, labels: &Tensor) -> Torch<Tensor> {
        let logits = output.f_linear(self.head(), none())?;
        logits.f_log_softmax(-1, Kind::Float)?.f_nll_loss(labels, none(), Reduction::None, -100)
    }
}

fn none() -> Option<Tensor> {
    None
}

fn activate(activation: Activation, mut x: Tensor) -> Torch<Tensor> {
    match activation {
        Activation::Relu => x.f_relu_(),
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
}

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
pub struct Cache {
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

impl T5 {
    fn encode_inner(&self, source: &Tensor, mask: &Tensor) -> Torch<Memory> {
        let pass = Pass { graph: false, dropout: Dropout::off() };
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

    fn new_cache(&self, memory: &Memory, beams: i64) -> Torch<Cache> {
        let options = (self.shared.f_kind()?, self.device());
        let rows = memory.sources * beams;
        let mut cache = Cache {
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
    fn grow(&self, cache: &mut Cache) -> Torch<()> {
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
    fn step_bias(&self, cache: &Cache, sources: i64) -> Torch<Tensor> {
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

    fn retain_inner(&self, memory: &mut Memory, cache: &mut Cache, sources: &Tensor) -> Torch<()> {
        // A source's rows, of which there are `each`, are side by side in every tensor.
        let keep = |tensor: &mut Tensor, each: i64| -> Torch<()> {
            let within = Tensor::f_arange(each, (Kind::Int64, sources.device()))?;
            let rows = sources.f_mul_scalar(each)?.f_unsqueeze(1)?.f_add(&within)?;
            *tensor = tensor.f_index_select(0, &rows.f_view([-1].as_slice())?)?;
            Ok(())
        };
        let heads = self.config.num_heads;
        for (key, value) in memory.key_value.iter_mut().chain(&mut cache.key_value) {
            keep(key, heads)?;
            keep(value, heads)?;
        }
        if let Some(padding) = &mut memory.padding {
            keep(padding, heads)?;
        }
        for mask in [&mut cache.ancestors, &mut cache.own].into_iter().flatten() {
            keep(mask, cache.beams)?;
        }
        memory.sources = sources.size1()?;
        Ok(())
    }

    fn step_inner(&self, memory: &Memory, cache: &mut Cache, tokens: &Tensor) -> Torch<Tensor> {
        let pass = Pass { graph: false, dropout: Dropout::off() };
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
                &pass.dropout,
            )?;
            x = by_row(&found)?.f_linear(&layer.output, none())?.f_add_(&x)?;
            if let (Some(cross), Some((keys, values))) = (&layer.cross, memory.key_value.get(index))
            {
                let query = cross.norm.forward(&x)?.f_linear(&cross.query, none())?;
                let query = &by_head(&query, 1)?[0];
                let found = attend(query, keys, values, memory.padding.as_ref(), &pass.dropout)?;
                x = by_row(&found)?.f_linear(&cross.output, none())?.f_add_(&x)?;
            }
            x = self.feed(layer, &x, &pass)?;
        }
        cache.length += 1;
        let x = self.scale_output(self.decoder.norm.forward(&x)?)?;
        x.f_linear(self.head(), none())
    }
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
        let beams = i64::try_from(beams).ok().filter(|&beams| beams > 0).ok_or_else(|| {
            StudentCoreError::setting("beams", format!("{beams}, wanted 1 or more"))
        })?;
        Ok(no_grad(|| self.new_cache(memory, beams))?)
    }

    fn step(&self, memory: &Memory, cache: &mut Cache, tokens: &Tensor) -> CoreResult<Tensor> {
        Ok(no_grad(|| self.step_inner(memory, cache, tokens))?)
    }

    fn reorder(&self, cache: &mut Cache, rows: &Tensor) -> CoreResult<()> {
        if let Some(ancestors) = &mut cache.ancestors {
            *ancestors = no_grad(|| ancestors.f_index_select(0, rows))?;
        }
        Ok(())
    }

    fn retain(&self, memory: &mut Memory, cache: &mut Cache, sources: &Tensor) -> CoreResult<bool> {
        no_grad(|| self.retain_inner(memory, cache, sources))?;
        Ok(true)
    }
}
