//! The sources still being decoded, with the model's state for them.

use tch::{Device, Tensor};

use crate::{Decodable, Result, StudentCoreError};

pub(super) struct Session<'a, M: Decodable> {
    model: &'a M,
    memory: M::Memory,
    cache: M::Cache,
    device: Device,
    beams: usize,
    /// The sources in the batch, by their place in the caller's.
    pub(super) live: Vec<usize>,
    can_drop: bool,
}

impl<'a, M: Decodable> Session<'a, M> {
    pub(super) fn new(
        model: &'a M,
        source: &Tensor,
        mask: &Tensor,
        beams: usize,
    ) -> Result<Session<'a, M>> {
        let memory = model.encode(source, mask)?;
        let cache = model.cache(&memory, beams)?;
        let live = (0..source.size2()?.0 as usize).collect();
        Ok(Session { model, memory, cache, device: source.device(), beams, live, can_drop: true })
    }

    /// Logits of the next token of every row, `[live × beams, vocabulary]`.
    pub(super) fn step(&mut self, tokens: &[i64]) -> Result<Tensor> {
        let tokens = Tensor::f_from_slice(tokens)?.f_to_device(self.device)?;
        let logits = self.model.step(&self.memory, &mut self.cache, &tokens)?;
        let wanted = [(self.live.len() * self.beams) as i64, self.model.vocabulary() as i64];
        if logits.size() == wanted {
            Ok(logits)
        } else {
            let found = logits.size();
            Err(StudentCoreError::model(format!("logits of shape {found:?}, wanted {wanted:?}")))
        }
    }

    /// Makes row `i` what row `parents[i]` was.
    pub(super) fn reorder(&mut self, parents: &[i64]) -> Result<()> {
        if parents.iter().enumerate().all(|(row, &parent)| row as i64 == parent) {
            return Ok(());
        }
        let parents = Tensor::f_from_slice(parents)?.f_to_device(self.device)?;
        self.model.reorder(&mut self.cache, &parents)
    }

    /// Lets sources that are done leave, if they are enough to be worth the copy of the rest: a
    /// quarter. `done` is by the caller's places. Returns the kept places among the former live
    /// ones, or nothing where nothing changed.
    pub(super) fn drop_done(&mut self, done: impl Fn(usize) -> bool) -> Result<Option<Vec<usize>>> {
        let kept: Vec<usize> =
            (0..self.live.len()).filter(|&place| !done(self.live[place])).collect();
        let gone = self.live.len() - kept.len();
        if !self.can_drop || kept.is_empty() || gone * 4 < self.live.len() || gone == 0 {
            return Ok(None);
        }
        let rows: Vec<i64> = kept.iter().map(|&place| place as i64).collect();
        let rows = Tensor::f_from_slice(&rows)?.f_to_device(self.device)?;
        self.can_drop = self.model.retain(&mut self.memory, &mut self.cache, &rows)?;
        if !self.can_drop {
            return Ok(None);
        }
        self.live = kept.iter().map(|&place| self.live[place]).collect();
        Ok(Some(kept))
    }
}
