//! Lessons with their pseudocode spoilt on purpose, to measure what it is worth.
//!
//! The code is never touched, and neither are order and number of the lessons. Everything follows
//! from the seed and the lessons' ids.

use std::collections::BTreeMap;

use distill_core::{Language, Lesson, Pseudocode, Step};
use serde::{Deserialize, Serialize};

use crate::draw::Draw;

/// What is done to the pseudocode.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Ablation {
    /// The steps of each lesson in a random order: the words are there, the reasoning is not. The
    /// nesting stays where it was; plans of two or more different steps always change.
    Shuffle,
    /// The pseudocode of another lesson in the same language: every plan is used once, none by its
    /// own lesson. A language with one lesson keeps its plan.
    Replace,
    /// Each step left out with this probability, from 0 to 1.
    Drop {
        /// The probability; 1 leaves no pseudocode.
        share: f64,
    },
}

impl Ablation {
    /// Its name in records: `shuffle`, `replace`, `drop`.
    pub fn name(self) -> &'static str {
        match self {
            Ablation::Shuffle => "shuffle",
            Ablation::Replace => "replace",
            Ablation::Drop { .. } => "drop",
        }
    }

    /// Spoils the pseudocode of these lessons; each says so in its field `ablation`.
    ///
    /// ```
    /// use distill_core::{Language, Lesson, Pseudocode, Solution};
    /// use teacher_prompt::Ablation;
    ///
    /// # let lesson = |id: &str, plan: &str| Lesson {
    /// #     id: id.into(),
    /// #     language: Language::Python,
    /// #     query: "q".into(),
    /// #     solution: Solution {
    /// #         pseudocode: Pseudocode::from_text(plan).unwrap(),
    /// #         code: "pass".into(),
    /// #     },
    /// #     teacher: String::new(),
    /// #     reply: String::new(),
    /// #     extra: Default::default(),
    /// # };
    /// let mut lessons = [lesson("a", "1. open\n2. read"), lesson("b", "1. add")];
    /// Ablation::Replace.apply(&mut lessons, 1);
    /// assert_eq!(lessons[0].solution.pseudocode.to_string(), "1. add");
    /// assert_eq!(lessons[1].solution.pseudocode.to_string(), "1. open\n2. read");
    /// assert_eq!(lessons[0].extra["ablation"], "replace");
    /// ```
    pub fn apply(self, lessons: &mut [Lesson], seed: u64) {
        match self {
            Ablation::Replace => replace(lessons, seed),
            Ablation::Shuffle => each(lessons, |lesson| shuffled(lesson, seed)),
            Ablation::Drop { share } => each(lessons, |lesson| thinned(lesson, share, seed)),
        }
        for lesson in lessons {
            lesson.extra.insert("ablation".into(), self.name().into());
        }
    }
}

fn each(lessons: &mut [Lesson], spoilt: impl Fn(&Lesson) -> Pseudocode) {
    for lesson in lessons {
        lesson.solution.pseudocode = spoilt(lesson);
    }
}

fn shuffled(lesson: &Lesson, seed: u64) -> Pseudocode {
    let steps = lesson.solution.pseudocode.steps();
    let mut texts: Vec<&str> = steps.iter().map(|step| step.text.as_str()).collect();
    let unlike = texts.iter().any(|text| *text != texts[0]);
    let mut draw = Draw::new(seed, &lesson.id);
    let same = |texts: &[&str]| texts.iter().zip(steps).all(|(text, step)| *text == step.text);
    while unlike && same(&texts) {
        draw.shuffle(&mut texts);
    }
    Pseudocode::new(texts.iter().zip(steps).map(|(text, step)| Step::new(step.depth, text)))
}

fn thinned(lesson: &Lesson, share: f64, seed: u64) -> Pseudocode {
    let mut draw = Draw::new(seed, &lesson.id);
    let steps = lesson.solution.pseudocode.steps().iter();
    Pseudocode::new(steps.filter(|_| draw.unit() >= share).cloned())
}

/// A random round of each language's lessons, in which each takes the plan of the next.
fn replace(lessons: &mut [Lesson], seed: u64) {
    let mut rounds: BTreeMap<Language, Vec<usize>> = BTreeMap::new();
    for (at, lesson) in lessons.iter().enumerate() {
        rounds.entry(lesson.language).or_default().push(at);
    }
    for (language, mut round) in rounds {
        // Not by place but by id, so that the order of the lessons does not matter.
        round.sort_by(|a, b| lessons[*a].id.cmp(&lessons[*b].id));
        Draw::new(seed, language.name()).shuffle(&mut round);
        for pair in round.windows(2) {
            let taken = std::mem::take(&mut lessons[pair[1]].solution.pseudocode);
            let own = std::mem::replace(&mut lessons[pair[0]].solution.pseudocode, taken);
            lessons[pair[1]].solution.pseudocode = own;
        }
    }
}

#[cfg(test)]
mod tests {
    use distill_core::Solution;
    use proptest::prelude::*;

    use super::*;

    fn lessons(plans: &[Vec<u8>]) -> Vec<Lesson> {
        let lesson = |(at, plan): (usize, &Vec<u8>)| Lesson {
            id: format!("p{at}"),
            language: if at % 3 == 0 { Language::Go } else { Language::Python },
            query: "q".into(),
            solution: Solution {
                pseudocode: Pseudocode::new(
                    plan.iter().map(|n| Step::new(usize::from(n % 3), &format!("do {n}"))),
                ),
                code: format!("code {at}"),
            },
            teacher: String::new(),
            reply: String::new(),
            extra: Default::default(),
        };
        plans.iter().enumerate().map(lesson).collect()
    }

    fn texts(lesson: &Lesson) -> Vec<&str> {
        lesson.solution.pseudocode.steps().iter().map(|step| step.text.as_str()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn only_the_pseudocode_changes_and_only_as_said(
            plans in prop::collection::vec(prop::collection::vec(0..6u8, 0..8), 0..12),
            seed in any::<u64>(),
        ) {
            let before = lessons(&plans);
            for ablation in [Ablation::Shuffle, Ablation::Replace, Ablation::Drop { share: 0.5 }] {
                let mut after = before.clone();
                ablation.apply(&mut after, seed);
                let mut again = before.clone();
                again.reverse();
                ablation.apply(&mut again, seed);
                again.reverse();
                prop_assert_eq!(&after, &again, "the order must not matter");
                for (old, new) in before.iter().zip(&after) {
                    prop_assert_eq!((&old.id, &old.solution.code), (&new.id, &new.solution.code));
                    let (mut was, mut is) = (texts(old), texts(new));
                    if ablation == Ablation::Shuffle {
                        let unlike = was.iter().any(|text| *text != was[0]);
                        prop_assert!(!unlike || was != is);
                        was.sort_unstable();
                        is.sort_unstable();
                        prop_assert_eq!(was, is);
                    } else if ablation != Ablation::Replace {
                        let mut rest = was.iter();
                        prop_assert!(is.iter().all(|step| rest.any(|old| old == step)));
                    }
                }
                if ablation == Ablation::Replace {
                    for language in [Language::Go, Language::Python] {
                        let of = |lessons: &[Lesson]| {
                            let mut all: Vec<String> = lessons
                                .iter()
                                .filter(|lesson| lesson.language == language)
                                .map(|lesson| lesson.solution.pseudocode.to_string())
                                .collect();
                            all.sort();
                            all
                        };
                        prop_assert_eq!(of(&before), of(&after));
                    }
                }
            }
        }
    }

    #[test]
    fn no_lesson_keeps_its_own_plan_and_seeds_differ() {
        let plans: Vec<Vec<u8>> = (0..30).map(|at| vec![at, at + 30]).collect();
        let before = lessons(&plans);
        let replaced = |seed| {
            let mut after = before.clone();
            Ablation::Replace.apply(&mut after, seed);
            after
        };
        for (old, new) in before.iter().zip(&replaced(1)) {
            assert_ne!(texts(old), texts(new));
        }
        assert_ne!(replaced(1), replaced(2));
        let mut none = before.clone();
        Ablation::Drop { share: 1.0 }.apply(&mut none, 1);
        assert!(none.iter().all(|lesson| lesson.solution.pseudocode.is_empty()));
        let mut all = before.clone();
        Ablation::Drop { share: 0.0 }.apply(&mut all, 1);
        assert!(all.iter().zip(&before).all(|(new, old)| new.solution == old.solution));
    }
}
