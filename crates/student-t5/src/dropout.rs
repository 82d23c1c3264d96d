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
    buffer: Vec<bool>,
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
            Some(mask) => x.f_mul_(&mask)?.f_mul_scalar_(self.scale()),
            None => Ok(x),
        }
    }

    /// As [`apply_`](Self::apply_), leaving `x` as it is.
    pub(crate) fn apply(&self, x: Tensor) -> Result<Tensor, TchError> {
        match self.mask(&x)? {
            Some(mask) => x.f_mul(&mask)?.f_mul_scalar_(self.scale()),
            None => Ok(x),
        }
    }

    /// `x` + dropout(`y`); `y` must be a result that autograd does not need again.
    pub(crate) fn add(&self, x: &Tensor, y: Tensor) -> Result<Tensor, TchError> {
        self.apply_(y)?.f_add_(x)
    }

    /// The rate in steps of 2^-16.
    fn threshold(&self) -> u32 {
        (self.rate * 65536.0).round().min(65535.0) as u32
    }

    /// What keeps the mean.
    fn scale(&self) -> f64 {
        65536.0 / f64::from(65536 - self.threshold())
    }

    /// Which elements of `x` stay. A byte each: masks are kept until the backward pass, and memory
    /// that is new to the process costs more than the numbers in it.
    fn mask(&self, x: &Tensor) -> Result<Option<Tensor>, TchError> {
        if self.rate == 0.0 {
            return Ok(None);
        }
        if x.device() != Device::Cpu {
            let keep = 1.0 - f64::from(self.threshold()) / 65536.0;
            let shape = x.size();
            let mask = Tensor::f_empty(&shape[..], (Kind::Bool, x.device()))?;
            return mask.f_bernoulli_p(keep).map(Some);
        }
        let size = x.size();
        let count = x.numel();
        let padded = count.next_multiple_of(DRAW);
        let mut state = self.state.borrow_mut();
        let State { random, buffer } = &mut *state;
        if buffer.len() < padded {
            buffer.resize(padded, false);
        }
        fill(random, &mut buffer[..padded], self.threshold());
        Tensor::f_from_slice(&buffer[..count])?.f_view(&size[..]).map(Some)
    }
}

/// Fills `out`, a multiple of [`DRAW`] long, with what stays: false `threshold` times of 2^16.
fn fill(random: &mut Xoshiro, out: &mut [bool], threshold: u32) {
    for chunk in out.chunks_exact_mut(DRAW) {
        let words = random.next();
        for i in 0..LANES {
            chunk[i] = words[i] & 0xffff >= threshold;
            chunk[LANES + i] = words[i] >> 16 >= threshold;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_drop_the_rate_and_keep_the_mean() {
        let dropout = Dropout::seeded(0.1, 7);
        let ones = Tensor::ones([1 << 10, 1 << 10], (Kind::Float, Device::Cpu));
        let dropped = dropout.apply(ones).unwrap();
        // Four standard deviations of a million draws are 0.0012.
        let mean = dropped.mean(Kind::Double).double_value(&[]);
        assert!((mean - 1.0).abs() < 0.0014, "{mean}");
        let gone = Vec::<f32>::try_from(dropped.view(-1)).unwrap();
        let gone: Vec<bool> = gone.into_iter().map(|x| x == 0.0).collect();
        // Alone, and independent of neighbours and of the other half of a word.
        for gap in [0, 1, LANES, DRAW] {
            let pairs = gone.len() - gap;
            let both = (0..pairs).filter(|&i| gone[i] && gone[i + gap]).count() as f64;
            let (wanted, allowed) = if gap == 0 { (0.1, 0.0012) } else { (0.01, 0.0006) };
            assert!((both / pairs as f64 - wanted).abs() < allowed, "{gap}: {both}");
        }
    }

    #[test]
    fn gradients_pass_where_elements_stay() {
        let dropout = Dropout::seeded(0.5, 1);
        let x = Tensor::ones([64], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let y = dropout.add(&(&x * 3.0), &x * 1.0).unwrap();
        y.sum(Kind::Float).backward();
        // 3 from the residual, and 0 or 2 through dropout.
        assert!(x.grad().equal(&y.detach()));
        let sums = Vec::<f32>::try_from(y.detach()).unwrap();
        assert!(sums.iter().all(|&sum| sum == 3.0 || sum == 5.0));
        assert!(sums.contains(&3.0) && sums.contains(&5.0));
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
