//! Worked problems that lead a prompt.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use distill_core::{Language, Lesson, Problem};

use crate::draw::Draw;

/// Worked problems that lead the prompt. Those of the problem's own language are used, and never
/// one with the problem's id or query.
#[derive(Debug, Clone, Default)]
pub enum Exemplars {
    /// None: zero-shot.
    #[default]
    None,
    /// These, in this order.
    Chosen(Vec<Lesson>),
    /// `k` of a pool, drawn anew for each problem by seed and problem id: the order of the problems
    /// does not matter.
    Random {
        /// Where to draw from.
        pool: Pool,
        /// How many.
        k: usize,
        /// Seed of the draw.
        seed: u64,
    },
    /// The `k` of a pool whose queries share most words with the problem's (Jaccard), the nearest
    /// last, next to the question. Costs the total length of the posting lists of the query's words.
    Nearest {
        /// Where to look.
        pool: Pool,
        /// How many.
        k: usize,
    },
}

impl Exemplars {
    /// Those for this problem, in the order in which they are shown.
    pub(crate) fn of<'a>(&'a self, problem: &Problem) -> Vec<&'a Lesson> {
        match self {
            Exemplars::None => Vec::new(),
            Exemplars::Chosen(lessons) => lessons
                .iter()
                .filter(|lesson| lesson.language == problem.language)
                .filter(|lesson| usable(lesson, problem))
                .collect(),
            Exemplars::Random { pool, k, seed } => pool.random(problem, *k, *seed),
            Exemplars::Nearest { pool, k } => pool.nearest(problem, *k),
        }
    }
}

/// An exemplar must not give the answer away.
fn usable(lesson: &Lesson, problem: &Problem) -> bool {
    lesson.id != problem.id && lesson.query != problem.query
}

/// Lessons to draw exemplars from, indexed by language and by the words of their queries.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<PoolIndex>);

#[derive(Debug, Default)]
struct PoolIndex {
    lessons: Vec<Lesson>,
    by_language: HashMap<Language, Vec<u32>>,
    /// For each language and word, the lessons with it in their query.
    postings: HashMap<(Language, String), Vec<u32>>,
    /// Number of different words of each lesson's query.
    sizes: Vec<u32>,
}

impl Pool {
    /// Indexes these lessons.
    pub fn new(lessons: Vec<Lesson>) -> Pool {
        let mut index = PoolIndex::default();
        for (at, lesson) in lessons.iter().enumerate() {
            let at = at as u32;
            let words = words(&lesson.query);
            index.sizes.push(words.len() as u32);
            index.by_language.entry(lesson.language).or_default().push(at);
            for word in words {
                index.postings.entry((lesson.language, word)).or_default().push(at);
            }
        }
        index.lessons = lessons;
        Pool(Arc::new(index))
    }

    fn usable(&self, at: u32, problem: &Problem) -> bool {
        usable(&self.0.lessons[at as usize], problem)
    }

    fn random(&self, problem: &Problem, k: usize, seed: u64) -> Vec<&Lesson> {
        let Some(candidates) = self.0.by_language.get(&problem.language) else { return Vec::new() };
        let mut draw = Draw::new(seed, &problem.id);
        // A partial Fisher–Yates shuffle over positions, remembering only the ones that moved.
        let mut moved: HashMap<usize, usize> = HashMap::new();
        let mut drawn = Vec::new();
        for start in 0..candidates.len() {
            if drawn.len() == k {
                break;
            }
            let pick = start + draw.below(candidates.len() - start);
            let chosen = moved.get(&pick).copied().unwrap_or(pick);
            let displaced = moved.get(&start).copied().unwrap_or(start);
            moved.insert(pick, displaced);
            if self.usable(candidates[chosen], problem) {
                drawn.push(&self.0.lessons[candidates[chosen] as usize]);
            }
        }
        drawn
    }

    fn nearest(&self, problem: &Problem, k: usize) -> Vec<&Lesson> {
        let query = words(&problem.query);
        let mut shared: HashMap<u32, u32> = HashMap::new();
        let wanted = query.len() as u32;
        for word in query {
            for &at in self.0.postings.get(&(problem.language, word)).into_iter().flatten() {
                *shared.entry(at).or_default() += 1;
            }
        }
        let mut ranked: Vec<(u32, u32, u32)> = shared
            .into_iter()
            .filter(|&(at, _)| self.usable(at, problem))
            .map(|(at, both)| (both, wanted + self.0.sizes[at as usize] - both, at))
            .collect();
        // By both / either, descending, compared as fractions; ties in the order of the pool.
        ranked.sort_unstable_by(|a, b| {
            let (left, right) = (u64::from(a.0) * u64::from(b.1), u64::from(b.0) * u64::from(a.1));
            right.cmp(&left).then(a.2.cmp(&b.2))
        });
        ranked.truncate(k);
        ranked.iter().rev().map(|&(_, _, at)| &self.0.lessons[at as usize]).collect()
    }
}

fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
