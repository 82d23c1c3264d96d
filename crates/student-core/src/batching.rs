//! Which items make a step, and which examples a micro-batch.
//!
//! Everything here follows from the seed and the epoch: to resume at a step nothing of it needs to
//! be saved.

use distill_core::Task;

use crate::random::Random;
use crate::{Dataset, Example};

/// Purposes of randomness; part of its seed.
const ORDER: u64 = 1;
const DRAW: u64 = 2;

/// The order in which a data set is visited.
#[derive(Debug, Clone, Copy)]
pub struct Visits<'a> {
    /// The data.
    pub data: &'a Dataset,
    /// The seed of the training run.
    pub seed: u64,
    /// Items an optimizer step; at least 1.
    pub batch: usize,
    /// Steps whose items are sorted by length together; 0 and 1 leave the random order.
    pub pool: usize,
}

impl<'a> Visits<'a> {
    /// Optimizer steps an epoch: every item is visited once, the last step may hold fewer.
    pub fn steps(&self) -> usize {
        self.data.items().len().div_ceil(self.batch.max(1))
    }

    /// The items of each step of `epoch`, by index.
    ///
    /// A random order is cut into pools, each pool is sorted by length and cut into steps, and the
    /// steps are shuffled: steps hold items of similar length, which wastes little on padding, yet
    /// differ from epoch to epoch.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<usize>> {
        let batch = self.batch.max(1);
        let mut order: Vec<usize> = (0..self.data.items().len()).collect();
        let mut random = Random::new(&[self.seed, epoch, ORDER]);
        random.shuffle(&mut order);
        if self.pool > 1 {
            for pool in order.chunks_mut(batch.saturating_mul(self.pool)) {
                pool.sort_by_cached_key(|&item| self.length(epoch, item));
            }
        }
        let mut steps: Vec<Vec<usize>> = order.chunks(batch).map(<[usize]>::to_vec).collect();
        random.shuffle(&mut steps);
        steps
    }

    /// The example of `task` that this visit of `item` draws.
    pub fn draw(&self, epoch: u64, item: usize, task: Task) -> Option<&'a Example> {
        let alternatives = self.data.items().get(item)?.of(task);
        match alternatives {
            [] => None,
            [only] => Some(only),
            several => {
                let place = [self.seed, epoch, DRAW, item as u64, task as u64];
                Some(&several[Random::new(&place).below(several.len())])
            }
        }
    }

    fn length(&self, epoch: u64, item: usize) -> usize {
        Task::ALL
            .iter()
            .filter_map(|&task| self.draw(epoch, item, task))
            .map(|example| example.source.len() + example.target.len())
            .sum()
    }
}

/// Cuts examples into micro-batches, each of at most `tokens` padded tokens (rows × the sum of the
/// longest source and the longest target), or of one example that is longer by itself. The longest come first, so that
/// memory that does not suffice is found out at once. Without a limit there is one micro-batch.
pub fn micro_batches(mut examples: Vec<&Example>, tokens: Option<usize>) -> Vec<Vec<&Example>> {
    let Some(tokens) = tokens else {
        return if examples.is_empty() { Vec::new() } else { vec![examples] };
    };
    examples.sort_by_key(|example| std::cmp::Reverse(example.source.len() + example.target.len()));
    let mut batches: Vec<Vec<&Example>> = Vec::new();
    let (mut source, mut target) = (0, 0);
    for example in examples {
        let wider = source.max(example.source.len());
        let higher = target.max(example.target.len());
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * (wider + higher) <= tokens => {
                (source, target) = (wider, higher);
                batch.push(example);
            }
            _ => {
                (source, target) = (example.source.len(), example.target.len());
                batches.push(vec![example]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Item;

    fn example(source: usize, target: usize) -> Example {
        Example::new(vec![1; source], vec![2; target])
    }

    fn data(lengths: &[(usize, usize)]) -> Dataset {
        let items = lengths.iter().map(|&(source, target)| Item {
            pseudocode: vec![],
            code: vec![example(source, target), example(source + 1, target)],
        });
        Dataset::new(items.collect()).unwrap()
    }

    proptest! {
        #[test]
        fn an_epoch_visits_every_item_once(
            lengths in prop::collection::vec((1usize..50, 1usize..50), 0..200),
            seed: u64, epoch in 0u64..9, batch in 1usize..20, pool in 0usize..9,
        ) {
            let data = data(&lengths);
            let visits = Visits { data: &data, seed, batch, pool };
            let steps = visits.epoch(epoch);
            prop_assert_eq!(steps.len(), visits.steps());
            prop_assert!(steps.iter().all(|step| (1..=batch).contains(&step.len())));
            let mut items = steps.concat();
            items.sort_unstable();
            prop_assert_eq!(items, (0..lengths.len()).collect::<Vec<_>>());
            prop_assert_eq!(visits.epoch(epoch), steps);
        }

        #[test]
        fn micro_batches_keep_the_budget_and_all_examples(
            lengths in prop::collection::vec((1usize..50, 1usize..50), 0..60),
            tokens in prop::option::of(1usize..400),
        ) {
            let examples: Vec<Example> = lengths.iter().map(|&(s, t)| example(s, t)).collect();
            let batches = micro_batches(examples.iter().collect(), tokens);
            prop_assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), lengths.len());
            for batch in &batches {
                prop_assert!(!batch.is_empty());
                let source = batch.iter().map(|e| e.source.len()).max().unwrap();
                let target = batch.iter().map(|e| e.target.len()).max().unwrap();
                let padded = batch.len() * (source + target);
                prop_assert!(batch.len() == 1 || tokens.is_none_or(|tokens| padded <= tokens));
            }
        }
    }

    #[test]
    fn pools_save_padding_and_epochs_differ() {
        let lengths: Vec<(usize, usize)> =
            (0..640).map(|i| (1 + i * 37 % 101, 1 + i * 37 % 101)).collect();
        let data = data(&lengths);
        let padding = |pool: usize| -> usize {
            let visits = Visits { data: &data, seed: 1, batch: 16, pool };
            let waste = |step: &Vec<usize>| {
                let longest = step.iter().map(|&i| lengths[i].0).max().unwrap();
                step.iter().map(|&i| longest - lengths[i].0).sum::<usize>()
            };
            visits.epoch(0).iter().map(waste).sum()
        };
        assert!(padding(40) * 10 < padding(0), "{} {}", padding(40), padding(0));
        let visits = Visits { data: &data, seed: 1, batch: 16, pool: 4 };
        assert_ne!(visits.epoch(0), visits.epoch(1));
        assert_ne!(visits.epoch(0), Visits { seed: 2, ..visits }.epoch(0));
    }

    #[test]
    fn each_alternative_is_drawn_in_time() {
        let data = data(&[(3, 3)]);
        let visits = Visits { data: &data, seed: 5, batch: 1, pool: 0 };
        let long = (0..1000)
            .filter(|&epoch| visits.draw(epoch, 0, Task::Code).unwrap().source.len() == 4)
            .count();
        assert!((430..570).contains(&long), "{long}");
        assert!(visits.draw(0, 0, Task::Pseudocode).is_none());
    }
}
