//! The stages of a run, in the order in which they are done.

#[cfg(feature = "torch")]
mod answer;
mod assemble;
mod corpus;
mod score;
mod teach;
#[cfg(feature = "torch")]
mod train;
mod training;

#[cfg(feature = "torch")]
pub use answer::answer;
pub use assemble::report;
pub use corpus::{CorpusDone, corpus};
pub use score::{AnswersDone, ScoreRecord, score};
pub(crate) use teach::TEACHER_ARM;
pub use teach::{
    BatchWritten, Estimate, Merged, TeachDone, batch_requests, batch_results, dry_run,
    examine_teacher, merge, reopen_teaching, teach,
};
#[cfg(feature = "torch")]
pub use train::train;
pub use training::TrainingDone;

/// At most `count` of the items, by a seeded choice that depends on their ids and not on their order;
/// they stay in order. What a smaller count chooses a larger one chooses too.
pub(crate) fn choose<T>(items: Vec<T>, count: usize, seed: u64, id: impl Fn(&T) -> &str) -> Vec<T> {
    if items.len() <= count {
        return items;
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&index| rank(seed, id(&items[index])));
    let mut chosen = vec![false; items.len()];
    order[..count].iter().for_each(|&index| chosen[index] = true);
    items.into_iter().zip(chosen).filter_map(|(item, keep)| keep.then_some(item)).collect()
}

/// Where the problem with this id stands in the seed's order.
pub(crate) fn rank(seed: u64, id: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(id.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use distill_core::{Language, Problem};

    use super::*;

    #[test]
    fn the_choice_of_problems_depends_on_the_seed_and_not_on_their_order() {
        let problems: Vec<Problem> =
            (0..50).map(|i| Problem::new(format!("p{i}"), Language::Python, "q")).collect();
        let ids = |problems: Vec<Problem>, count, seed| -> Vec<String> {
            let chosen = choose(problems, count, seed, |problem| &problem.id);
            chosen.into_iter().map(|problem| problem.id).collect()
        };
        let chosen = ids(problems.clone(), 10, 1);
        assert_eq!(chosen.len(), 10);
        assert_ne!(chosen, ids(problems.clone(), 10, 2));
        assert!(ids(problems.clone(), 5, 1).iter().all(|id| chosen.contains(id)));
        let mut backwards = ids(problems.into_iter().rev().collect(), 10, 1);
        backwards.reverse();
        assert_eq!(chosen, backwards);
    }
}
