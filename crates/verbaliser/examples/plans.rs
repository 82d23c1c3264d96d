//! Measures whole plans: length and overlap of the words for the reference code of HumanEval
//! problems beside the plans that a language model wrote for the same problems (COTTON).
//!
//! ```text
//! cargo run --release -p verbaliser --example plans -- humaneval_plan_triples.jsonl
//! ```
//!
//! FILE holds `{"problem", "canonical_solution", "reference_plan", "generated_plans"}` a line. The
//! step that only defines the function is left out on our side, numbers and `Step N.` on both. Both
//! sides are lower-cased and split into words. For comparison the plans of each other model in
//! `generated_plans` are measured against the same references.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;

use code_syntax::Language;
use codebleu::bleu::{Bleu, BleuCounts, Smoothing};
use serde::Deserialize;

#[derive(Deserialize)]
struct Record {
    problem: String,
    canonical_solution: String,
    reference_plan: String,
    generated_plans: BTreeMap<String, String>,
}

/// A plan: its steps without numbers, and whether each is one of the first level.
struct Plan(Vec<(bool, String)>);

impl Plan {
    fn top(&self) -> usize {
        self.0.iter().filter(|(top, _)| *top).count()
    }

    fn words(&self) -> Vec<String> {
        let text: Vec<&str> = self.0.iter().map(|(_, text)| text.as_str()).collect();
        text.join(" ")
            .to_lowercase()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

fn model_plan(text: &str) -> Plan {
    let mut steps = Vec::new();
    for line in text.lines() {
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim().trim_start_matches(['-', '*', '•']).trim();
        if line.is_empty() || line.starts_with("How to solve") {
            continue;
        }
        let rest = line.strip_prefix("Step").map_or(line, str::trim_start);
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest =
            if rest.len() < line.len() { rest.trim_start_matches(['.', ':', ')']) } else { line };
        steps.push((!nested, rest.trim().to_owned()));
    }
    Plan(steps)
}

fn our_plan(record: &Record) -> Option<Plan> {
    let code = format!("{}\n{}", record.problem.trim_end(), record.canonical_solution);
    let said = verbaliser::verbalise(Language::Python, &code).ok()?;
    let steps = said.pseudocode.steps().iter();
    let own = steps.filter(|step| step.depth > 0 || !step.text.starts_with("define the "));
    Some(Plan(own.map(|step| (step.depth == 0, step.text.clone())).collect()))
}

/// F1 of two counts of what both sides share.
fn f1(shared: usize, left: usize, right: usize) -> f64 {
    2.0 * shared as f64 / (left + right).max(1) as f64
}

fn unigram_f1(left: &[String], right: &[String]) -> f64 {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in right {
        *counts.entry(word).or_default() += 1;
    }
    let mut shared = 0;
    for word in left {
        if let Some(count) = counts.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    f1(shared, left.len(), right.len())
}

/// ROUGE-L: F1 of the longest common subsequence.
fn rouge_l(left: &[String], right: &[String]) -> f64 {
    let mut row = vec![0; right.len() + 1];
    for word in left {
        let mut diagonal = 0;
        for (index, other) in right.iter().enumerate() {
            let above = row[index + 1];
            row[index + 1] = if word == other { diagonal + 1 } else { above.max(row[index]) };
            diagonal = above;
        }
    }
    f1(row[right.len()], left.len(), right.len())
}

#[derive(Default)]
struct Sum {
    plans: usize,
    top: usize,
    steps: usize,
    words: usize,
    unigram: f64,
    rouge: f64,
    bleu: BleuCounts,
}

impl Sum {
    fn add(&mut self, plan: &Plan, reference: &[String]) {
        let words = plan.words();
        self.plans += 1;
        self.top += plan.top();
        self.steps += plan.0.len();
        self.words += words.len();
        self.unigram += unigram_f1(&words, reference);
        self.rouge += rouge_l(&words, reference);
        self.bleu += BleuCounts::of(&[reference], &words);
    }

    fn print(&self, name: &str) {
        let mean = |sum: f64| sum / self.plans.max(1) as f64;
        let bleu = Bleu { smoothing: Smoothing::None, ..Bleu::default() };
        println!(
            "{name:<44} {:>4} plans  {:>5.1} steps of their own  {:>5.1} steps  {:>6.1} words  \
             unigram F1 {:>5.1}  ROUGE-L {:>5.1}  BLEU-4 {:>5.1}",
            self.plans,
            mean(self.top as f64),
            mean(self.steps as f64),
            mean(self.words as f64),
            100.0 * mean(self.unigram),
            100.0 * mean(self.rouge),
            100.0 * bleu.score(&self.bleu),
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("no FILE given")?;
    let (mut references, mut ours) = (Sum::default(), Sum::default());
    let mut models: BTreeMap<String, Sum> = BTreeMap::new();
    for record in distill_core::jsonl::read::<Record>(Path::new(&file))? {
        let record = record?;
        let reference = model_plan(&record.reference_plan);
        let words = reference.words();
        references.add(&reference, &words);
        match our_plan(&record) {
            Some(plan) => ours.add(&plan, &words),
            None => eprintln!("not said: {}", record.problem.lines().next().unwrap_or_default()),
        }
        for (model, plan) in &record.generated_plans {
            models.entry(model.clone()).or_default().add(&model_plan(plan), &words);
        }
    }
    references.print("reference");
    ours.print("verbaliser");
    for (model, sum) in &models {
        sum.print(model);
    }
    Ok(())
}
