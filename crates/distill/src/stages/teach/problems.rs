//! The problems that a run asks about, streamed.

use std::cell::RefCell;
use std::collections::{BTreeSet, BinaryHeap, HashSet};

use distill_core::{Language, Problem, jsonl};
use serde::Deserialize;

use crate::config::Shard;
use crate::stages::rank;
use crate::{DistillError, Result, Run};

/// The splits that are taught.
const TAUGHT: [&str; 2] = ["train", "valid"];

/// Which problems of the training and validation splits are asked about.
pub(super) struct Asked<'a> {
    run: &'a Run<'a>,
    /// The ranks of those within the limit, where there is one.
    chosen: Option<HashSet<[u8; 32]>>,
    shard: Option<Shard>,
    /// How many.
    pub count: usize,
    /// The languages they are in.
    pub languages: BTreeSet<Language>,
}

/// What choosing needs of a problem.
#[derive(Deserialize)]
struct Named {
    id: String,
    language: Language,
}

impl<'a> Asked<'a> {
    /// Reads the ids once. Of more problems than the limit those that come first in the seed's
    /// order are asked about, and of these the shard's; memory is 32 bytes a problem of the limit.
    pub fn new(run: &'a Run<'a>) -> Result<Asked<'a>> {
        let (limit, shard) = (run.config.teacher.limit, run.config.teacher.shard);
        let mut asked = Asked { run, chosen: None, shard, count: 0, languages: BTreeSet::new() };
        if let Some(limit) = limit {
            let mut first: BinaryHeap<[u8; 32]> = BinaryHeap::new();
            for named in asked.records::<Named>() {
                first.push(rank(run.config.seed, &named?.1.id));
                if first.len() > limit {
                    first.pop();
                }
            }
            asked.chosen = Some(first.into_iter().collect());
        }
        let (mut count, mut languages) = (0, BTreeSet::new());
        for named in asked.records::<Named>() {
            let (_, named) = named?;
            if asked.holds(&named.id) {
                count += 1;
                languages.insert(named.language);
            }
        }
        Ok(Asked { count, languages, ..asked })
    }

    fn holds(&self, id: &str) -> bool {
        self.shard.is_none_or(|shard| shard.holds(id))
            && self
                .chosen
                .as_ref()
                .is_none_or(|chosen| chosen.contains(&rank(self.run.config.seed, id)))
    }

    fn records<T: serde::de::DeserializeOwned>(
        &self,
    ) -> impl Iterator<Item = Result<(&'static str, T)>> + use<'_, 'a, T> {
        TAUGHT.into_iter().flat_map(|split| {
            // A file that cannot be opened is an item like any other.
            let (records, error) = match jsonl::read::<T>(&self.run.folder.problems(split)) {
                Ok(records) => (Some(records), None),
                Err(error) => (None, Some(Err(error))),
            };
            error
                .into_iter()
                .chain(records.into_iter().flatten())
                .map(move |record| record.map(|record| (split, record)).map_err(DistillError::from))
        })
    }

    /// The problems and their splits, in the corpus's order.
    pub fn iter(&self) -> impl Iterator<Item = Result<(&'static str, Problem)>> + use<'_, 'a> {
        self.records::<Problem>()
            .filter(|item| item.as_ref().map_or(true, |(_, problem)| self.holds(&problem.id)))
    }

    /// The problems alone, up to the first that cannot be read: that error is left in `failed`.
    pub fn until_error<'b>(
        &'b self,
        failed: &'b RefCell<Option<DistillError>>,
    ) -> impl Iterator<Item = Problem> + use<'a, 'b> {
        self.iter().map_while(|item| match item {
            Ok((_, problem)) => Some(problem),
            Err(error) => {
                *failed.borrow_mut() = Some(error);
                None
            }
        })
    }
}
