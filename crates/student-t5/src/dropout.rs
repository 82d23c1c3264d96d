//! Dropout with cheap random numbers.
//!
//! torch draws dropout masks one number at a time on one thread, which is nearly a fifth of a
//! training step of a small model on a CPU. Here sixteen decisions are drawn at once, in a form that
//! compilers vectorise. On a GPU torch's own kernel is used.

use std::cell::RefCell;

use tch::{Device, Kind, TchError, Tensor};

use crate::random::{LANES, Xoshiro};

/// Decisions of one draw: two of 16 bits from each lane.
const DRAW: usize = 2 * LANES;

/// One training step's dropout: where and with which numbers.
#[derive(Debug)]
pub(crate) struct Dropout {
    /// Probability of dropping; 0 turns everything off.
    rate: f64,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    random: Xoshiro,
    buffer: Vec<f32>,
}

impl Dropout {
    /// No dropout.
    pub(crate) fn off() -> Dropout {
        Dropout::seeded(0.0, 0)
    }

    /// Drops with probability `rate` (in steps of 2^-16), seeded from torch's generator.
    pub(crate) fn from_torch(rate: f64) -> Result<Dropout, TchError> {
        if rate == 0.0 {
            return Ok(Dropout::off());
        }
        let seed = Tensor::f_randint(i64::MAX, [1], (Kind::Int64, Device::Cpu))?;
        Ok(Dropout::seeded(rate, seed.f_int64_value(&[0])? as u64))
    }

    fn seeded(rate: f64, seed: u64) -> Dropout {
        let state = State { random: Xoshiro::new(seed), buffer: Vec::new() };
        Dropout { rate, state: RefCell::new(state) }
    }

    /// `x` with dropped elements 0 and the others scaled up, in place where `x` is a result that
    /// autograd does not need again.
    pub(crate) fn apply_(&self, mut x: Tensor) -> Result<Tensor, TchError> {
        match self.mask(&x)? {
            Some(mask) => x.f_mul_(&mask),
            None => Ok(x),
        }
    }

    /// As [`apply_`](Self::apply_), leaving `x` as it is.
    pub(crate) fn apply(&self, x: Tensor) -> Result<Tensor, TchError> {
        match self.mask(&x)? {
            Some(mask) => x.f_mul(&mask),
            None => Ok(x),
        }
    }

    /// `x` + dropout(`y`).
    pub(crate) fn add(&self, x: &Tensor, mut y: Tensor) -> Result<Tensor, TchError> {
        match self.mask(&y)? {
            Some(mask) => x.f_addcmul(&y, &mask),
            None => y.f_add_(x),
        }
    }

    /// What an activation of the shape of `x` is multiplied by.
    fn mask(&self, x: &Tensor) -> Result<Option<Tensor>, TchError> {
        if self.rate == 0.0 {
            return Ok(None);
        }
        if x.device() != Device::Cpu {
            let ones = tch::no_grad(|| x.f_ones_like())?;
            return ones.f_dropout(self.rate, true).map(Some);
        }
        let size = x.size();
        let count = x.numel();
        let mut state = self.state.borrow_mut();
        let State { random, buffer } = &mut *state;
        if buffer.len() < count {
            buffer.resize(count.next_multiple_of(DRAW), 0.0);
        }
        fill(random, &mut buffer[..count.next_multiple_of(DRAW)], self.rate);
        let mask = Tensor::f_from_slice(&buffer[..count])?.f_view(&size[..])?;
        let kind = x.f_kind()?;
        if kind == Kind::Float { Ok(Some(mask)) } else { mask.f_to_kind(kind).map(Some) }
    }
}

/// Fills `out`, a multiple of [`DRAW`] long, with 0 at probability `rate` and otherwise with what
/// keeps the mean at 1.
fn fill(random: &mut Xoshiro, out: &mut [f32], rate: f64) {
    let threshold = (rate * 65536.0).round().min(65535.0) as u32;
    let scale = (65536.0 / f64::from(65536 - threshold)) as f32;
    for chunk in out.chunks_exact_mut(DRAW) {
        let words = random.next();
        for i in 0..LANES {
            chunk[i] = if words[i] & 0xffff >= threshold { scale } else { 0.0 };
            chunk[LANES + i] = if words[i] >> 16 >= threshold { scale } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_the_mean_and_drop_the_rate() {
        let mut random = Xoshiro::new(7);
        let mut mask = vec![0.0; 1 << 20];
        fill(&mut random, &mut mask, 0.1);
        let dropped = mask.iter().filter(|&&x| x == 0.0).count() as f64 / mask.len() as f64;
        let mean = mask.iter().map(|&x| f64::from(x)).sum::<f64>() / mask.len() as f64;
        // Four standard deviations of a million draws are 0.0012.
        assert!((dropped - 0.1).abs() < 0.0012, "{dropped}");
        assert!((mean - 1.0).abs() < 0.0014, "{mean}");
        // Neighbours and the two halves of a word are independent.
        let both = |gap: usize| {
            let pairs = mask.len() - gap;
            let hits = (0..pairs).filter(|&i| mask[i] == 0.0 && mask[i + gap] == 0.0).count();
            hits as f64 / pairs as f64
        };
        for gap in [1, LANES, DRAW] {
            assert!((both(gap) - 0.01).abs() < 0.0006, "{gap}: {}", both(gap));
        }
    }

    #[test]
    fn torchs_seed_decides_and_every_call_differs() {
        let draw = || {
            let dropout = Dropout::from_torch(0.5).unwrap();
            let ones = Tensor::ones([3, 5, 7], (Kind::Float, Device::Cpu));
            let first = dropout.apply(ones.shallow_clone()).unwrap();
            (first, dropout.apply(ones).unwrap())
        };
        tch::manual_seed(3);
        let (a, b) = draw();
        tch::manual_seed(3);
        let (c, d) = draw();
        assert!(a.equal(&c) && b.equal(&d) && !a.equal(&b));
        let next = draw();
        assert!(!next.0.equal(&a));
    }
}
