//! A small student and data for the tests.
#![allow(dead_code, reason = "each test binary uses its part")]

use mtl_loss::cross_entropy;
use student_core::{Batch, Dataset, Example, Item, Result, Trainable};
use tch::{Device, Kind, Tensor};

pub const VOCABULARY: i64 = 16;
const WIDTH: i64 = 12;

/// An embedding, a recurrent encoder step over the source, a decoder over the shifted target, and
/// dropout between them; written on tensors so that nothing is hidden.
pub struct Toy {
    parameters: Vec<(String, Tensor)>,
    pub dropout: f64,
    /// Makes every loss this, from the given call on.
    pub poison: std::cell::Cell<Option<(u64, f64)>>,
    pub calls: std::cell::Cell<u64>,
}

impl Toy {
    /// Does not touch torch's generator, which tests that run side by side share.
    pub fn new(seed: u64, dropout: f64) -> Toy {
        // Threads cost more than they bring at this size, most of all where tests run side by side.
        tch::set_num_threads(1);
        let mut next = numbers(seed);
        let mut make = |name: &str, shape: &[i64]| {
            let values: Vec<f32> = (0..shape.iter().product::<i64>())
                .map(|_| (next(20_001) as f32 / 10_000.0 - 1.0) / (WIDTH as f32).sqrt())
                .collect();
            (name.to_owned(), Tensor::from_slice(&values).reshape(shape).set_requires_grad(true))
        };
        let parameters = vec![
            make("embedding", &[VOCABULARY, WIDTH]),
            make("encoder.input", &[WIDTH, WIDTH]),
            make("encoder.hidden", &[WIDTH, WIDTH]),
            make("decoder.input", &[WIDTH, WIDTH]),
            make("decoder.hidden", &[WIDTH, WIDTH]),
            make("head.weight", &[WIDTH, VOCABULARY]),
            make("head.bias", &[VOCABULARY]),
        ];
        Toy { parameters, dropout, poison: None.into(), calls: 0.into() }
    }

    pub fn flat(&self) -> Vec<f32> {
        let parts: Vec<Tensor> =
            self.parameters.iter().map(|(_, tensor)| tensor.detach().view(-1)).collect();
        Vec::try_from(Tensor::cat(&parts, 0)).unwrap()
    }
}

impl Trainable for Toy {
    fn parameters(&self) -> Vec<(String, Tensor)> {
        self.parameters
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
            .collect()
    }

    fn token_logits(&self, batch: &Batch, train: bool) -> Result<Option<Tensor>> {
        let [embedding, input, hidden, decoder, state, weight, bias] =
            [0, 1, 2, 3, 4, 5, 6].map(|index| &self.parameters[index].1);
        let mut memory =
            Tensor::f_embedding(embedding, &batch.source, -1, false, false)?.f_matmul(input)?;
        memory = memory.f_mul(&batch.source_mask.f_unsqueeze(-1)?)?;
        memory = memory.f_dropout(self.dropout, train)?;
        let mut h = memory.f_sum_dim_intlist(1, false, Kind::Float)?.f_tanh()?;
        h = h.f_matmul(hidden)?;
        let labels = &batch.labels;
        let start = Tensor::f_zeros([labels.size()[0], 1], (Kind::Int64, Device::Cpu))?;
        let known = labels.f_narrow(1, 0, labels.size()[1] - 1)?.f_clamp_min(0)?;
        let inputs = Tensor::f_cat(&[start, known], 1)?;
        let inputs =
            Tensor::f_embedding(embedding, &inputs, -1, false, false)?.f_matmul(decoder)?;
        let mut outputs = Vec::new();
        for position in 0..labels.size()[1] {
            h = h.f_matmul(state)?.f_add(&inputs.f_select(1, position)?)?.f_tanh()?;
            outputs.push(h.f_dropout(self.dropout, train)?);
        }
        Ok(Some(Tensor::f_stack(&outputs, 1)?.f_matmul(weight)?.f_add(bias)?))
    }

    fn token_nll(&self, batch: &Batch, train: bool) -> Result<(Tensor, Tensor)> {
        let logits = self.token_logits(batch, train)?.unwrap();
        let (nll, mask) = cross_entropy(&logits, &batch.labels, 0.0)?;
        self.calls.set(self.calls.get() + 1);
        match self.poison.get() {
            Some((from, value)) if train && self.calls.get() >= from => {
                Ok((nll.f_mul_scalar(value)?, mask))
            }
            _ => Ok((nll, mask)),
        }
    }
}

/// The pseudocode task copies, the code task adds one to every token; 1 ends a target.
pub fn data(items: u64, salt: u64) -> Dataset {
    let mut next = numbers(salt);
    let items = (0..items).map(|index| {
        let length = 1 + next(5);
        let source: Vec<i64> = (0..length).map(|_| 3 + next(8) as i64).collect();
        let with = |add: i64| {
            let mut target: Vec<i64> = source.iter().map(|id| id + add).collect();
            target.push(1);
            Example::new(source.clone(), target)
        };
        let mut longer = with(1);
        longer.source.push(2);
        let pseudocode = if index % 5 == 4 { vec![] } else { vec![with(0)] };
        Item { pseudocode, code: vec![with(1), longer] }
    });
    Dataset::new(items.collect()).unwrap()
}

/// Numbers below what is asked, from a seed.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |n| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    }
}
