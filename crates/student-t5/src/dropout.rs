//! Dropout: where a pass drops, and with which numbers.
//!
//! torch draws dropout masks one number at a time on one thread, which is nearly a fifth of a
//! training step of a small model on a CPU. Here each place of a pass is a [`Site`], whose mask is
//! computed from the pass's seed. On a GPU torch's own kernel is used.

use std::cell::Cell;

use tch::{Device, Kind, TchError, Tensor};

use crate::kernels::random::{self, Site};
use crate::kernels::{can_use, floats, floats_mut};

/// One pass's dropout.
#[derive(Debug)]
pub(crate) struct Dropout {
    /// Probability of dropping; 0 turns everything off.
    rate: f64,
    seed: u64,
    /// Sites given out.
    sites: Cell<u64>,
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
        Dropout { rate, seed, sites: Cell::new(0) }
    }

    /// Whether nothing is dropped.
    pub(crate) fn is_off(&self) -> bool {
        self.rate == 0.0
    }

    /// The next site.
    pub(crate) fn site(&self) -> Site {
        let number = self.sites.get();
        self.sites.set(number + 1);
        Site::new(self.seed, number, self.rate)
    }

    /// Sites given out.
    pub(crate) fn sites(&self) -> u64 {
        self.sites.get()
    }

    /// Gives out the sites from this number on again.
    pub(crate) fn go_to(&self, site: u64) {
        self.sites.set(site);
    }

    /// `x` with dropped elements 0 and the others scaled up, in place where `x` is a result that
    /// autograd does not need again.
    pub(crate) fn apply_(&self, mut x: Tensor) -> Result<Tensor, TchError> {
        match self.factors(&x)? {
            Some(factors) => x.f_mul_(&factors),
            None => Ok(x),
        }
    }

    /// As [`apply_`](Self::apply_), leaving `x` as it is.
    pub(crate) fn apply(&self, x: Tensor) -> Result<Tensor, TchError> {
        match self.factors(&x)? {
            Some(factors) => x.f_mul(&factors),
            None => Ok(x),
        }
    }

    /// `x` + dropout(`y`); `y` must be a result that autograd does not need again.
    pub(crate) fn add(&self, x: &Tensor, y: Tensor) -> Result<Tensor, TchError> {
        self.apply_(y)?.f_add_(x)
    }

    /// What the elements of `x` are multiplied by.
    fn factors(&self, x: &Tensor) -> Result<Option<Tensor>, TchError> {
        if self.is_off() {
            return Ok(None);
        }
        let site = self.site();
        let size = x.size();
        let options = (x.f_kind()?, x.device());
        if can_use(x) {
            let ones = Tensor::f_ones(size.as_slice(), options)?;
            let mut factors = Tensor::f_empty(size.as_slice(), options)?;
            let width = size.last().copied().unwrap_or(1) as usize;
            random::dropped(site, width, floats(&ones)?, floats_mut(&mut factors)?);
            return Ok(Some(factors));
        }
        let scale = f64::from(site.scale());
        let stay = Tensor::f_empty(size.as_slice(), options)?.f_bernoulli_p(1.0 / scale)?;
        stay.f_mul_scalar(scale).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
