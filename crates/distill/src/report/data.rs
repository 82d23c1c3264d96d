//! What a report says, as data: this is also `report.json`.
//!
//! Every field has a default, so that a report can be made of what a run has so far and an older
//! `report.json` still reads. What is not known is `None`, never 0: the renderers show it as "–",
//! and so they show a value that is not finite.

use std::collections::BTreeMap;

use distill_core::{Language, Mode, Pseudocode};
use serde::{Deserialize, Serialize};

/// Everything in the report of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportData {
    /// The run's name, for example `stdlib`.
    pub run: String,
    /// The command that repeats the run, for example `distill run examples/stdlib.toml`.
    pub command: String,
    /// What was run on what.
    pub setting: Setting,
    /// What the reader must know before believing the numbers, for example that the answers of a
    /// student do not vary with the problem. Plain text, a sentence each; shown first.
    pub warnings: Vec<String>,
    /// The corpus (the paper's Table 2).
    pub dataset: Dataset,
    /// What became of the questions to the teacher.
    pub teach: Option<Teach>,
    /// The scores (the paper's Table 3).
    pub results: Results,
    /// Losses of each student while training (the paper's Figure 3).
    pub curves: Vec<Curve>,
    /// What training each student took.
    pub training: Vec<Training>,
    /// The first answers' scores problem by problem, of every arm and mode.
    pub spreads: Vec<Spread>,
    /// The best, the median and the worst first answer of every arm and mode.
    pub ranked: Vec<RankedSample>,
    /// Answers of all students to the same problems.
    pub samples: Vec<Sample>,
    /// The configuration as TOML.
    pub config: String,
    /// Hash of the configuration, hexadecimal.
    pub config_hash: String,
    /// Seeds by what they decide, for example `split`, `init`, `order`.
    pub seeds: BTreeMap<String, u64>,
    /// The stages in the order in which they ran.
    pub stages: Vec<Stage>,
    /// Versions by what they belong to, for example `distill`, `libtorch`, `tree-sitter-python`.
    pub versions: BTreeMap<String, String>,
    /// Where it ran.
    pub machine: Machine,
    /// The run's files, to tell whether a repetition came to the same.
    pub files: Vec<Stamp>,
}

/// What was run on what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    /// Name of the teacher, for example `verbaliser` or `Qwen2.5-Coder-7B`.
    pub teacher: String,
    /// Preset or name of the student, for example `nano`.
    pub student: String,
    /// Number of trained parameters of one student.
    pub parameters: Option<u64>,
    /// Where the problems come from, for example `Python 3.11.2 standard library`.
    pub corpus: String,
}

/// The corpus by language and split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dataset {
    /// A row for each language, in the order in which they are shown.
    pub pairs: Vec<Pairs>,
    /// How long the texts are.
    pub lengths: Vec<Lengths>,
    /// What `lengths` counts, for example `tokens of the student's tokenizer`.
    pub length_unit: String,
    /// Number of candidates left out, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Bimodal pairs (query and code) of one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// The language.
    pub language: Language,
    /// Pairs to train on.
    pub train: u64,
    /// Pairs to validate on.
    pub valid: u64,
    /// Pairs to test on.
    pub test: u64,
}

/// The distribution of the lengths of one kind of text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lengths {
    /// The kind of text: `query`, `pseudocode`, `code`.
    pub text: String,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Half of the texts are at most so long.
    pub median: Option<f64>,
    /// 95 % of the texts are at most so long.
    pub p95: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// What became of the questions to the teacher.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Teach {
    /// Problems that the teacher was asked.
    pub asked: u64,
    /// Lessons kept.
    pub kept: u64,
    /// Replies turned down, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Tokens that the teacher read, where it counts them.
    pub prompt_tokens: Option<u64>,
    /// Tokens that the teacher wrote, where it counts them.
    pub completion_tokens: Option<u64>,
    /// What they cost, in the currency of the configured price.
    pub cost: Option<f64>,
    /// Share of syntax nodes for which the verbaliser has no rule, from 0 to 1; `None` for other
    /// teachers.
    pub without_rule: Option<f64>,
}

/// The scores of all students, and of the teacher where it was scored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    /// Number of test problems that were answered and scored.
    pub problems: u64,
    /// Number of problems in the test split; more than `problems` where only a part was answered.
    pub test_split: Option<u64>,
    /// How the figures are made, for example `TM and CB over the corpus, the others means over the
    /// problems; variant paper`. A sentence below the table.
    pub method: String,
    /// The arm that the others are compared with: the student that saw no pseudocode. `None`, or a
    /// name that no row has, compares no student with another but names the best of them.
    pub baseline: Option<String>,
    /// The teacher's own answers.
    pub teacher: Option<Row>,
    /// One row for each arm and mode, in the order in which they are shown.
    pub rows: Vec<Row>,
    /// The rows of each language, where there are several.
    pub languages: Vec<LanguageRow>,
    /// Differences between the rows, at Top-1.
    pub differences: Vec<Difference>,
}

/// The difference of two rows in one measure, in points: what `a` has more than `b`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Difference {
    /// One row, as `distilled (direct)`.
    pub a: String,
    /// The other.
    pub b: String,
    /// What is compared, for example `CodeBLEU (CB)`.
    pub measure: String,
    /// The difference.
    pub difference: Option<f64>,
    /// Lower end of its 95 % interval over problems.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Two-sided, by approximate randomisation over problems.
    pub p: Option<f64>,
    /// The same corrected after Holm for all differences here.
    pub p_holm: Option<f64>,
    /// Whether it is told from chance: `above`, `below`, `cannot_tell`.
    pub verdict: String,
}

/// One row of the results on the problems of one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageRow {
    /// The language.
    pub language: Language,
    /// Problems of this language.
    pub problems: u64,
    /// The scores on them.
    #[serde(flatten)]
    pub row: Row,
}

/// One row of the results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Name of the arm, for example `distilled`; of the teacher in its own row.
    pub arm: String,
    /// How the answers were decoded; `None` for a teacher.
    pub mode: Option<Mode>,
    /// Of the best answer by the student's own ranking.
    pub top1: Scores,
    /// Of the best of five answers by each metric itself: an oracle.
    pub top5: Scores,
}

/// Scores from 0 to 100, as the paper prints them; higher is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scores {
    /// Token match: BLEU.
    pub tm: Option<f64>,
    /// Syntax match: tree edit distance.
    pub sm: Option<f64>,
    /// Dataflow match: Jaccard index of the dependency edges.
    pub dm: Option<f64>,
    /// Keyword match.
    pub km: Option<f64>,
    /// CodeBLEU.
    pub cb: Option<f64>,
    /// Per cent of the problems whose answer equals the reference.
    pub exact: Option<f64>,
    /// Per cent of the answers that parse.
    pub parses: Option<f64>,
}

/// The scores of one student's first answers in one mode.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// Name of the arm.
    pub arm: String,
    /// How the answers were decoded.
    pub mode: Option<Mode>,
    /// One for each problem.
    pub answers: Vec<SpreadAnswer>,
}

/// The score of one answer, and how long it and its reference are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpreadAnswer {
    /// CodeBLEU, from 0 to 100.
    pub cb: Option<f64>,
    /// Tokens of the reference.
    pub reference_tokens: u64,
    /// Tokens of the answer.
    pub answer_tokens: u64,
}

/// What training one student took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Training {
    /// Name of the arm.
    pub arm: String,
    /// Trained parameters.
    pub parameters: u64,
    /// Lessons learned from.
    pub lessons: u64,
    /// Sources and targets that were longer than the student's limits and were cut.
    pub cut: u64,
    /// Optimizer steps.
    pub steps: u64,
    /// Tokens learned from, sources and targets of both tasks.
    pub tokens: u64,
    /// Seconds of training, validation left out.
    pub seconds: f64,
}

/// The losses of one student while training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Curve {
    /// Name of the arm.
    pub arm: String,
    /// Measurements by rising step, the untrained student (step 0) included.
    pub points: Vec<CurvePoint>,
    /// The step whose weights were kept.
    pub kept_step: Option<u64>,
}

/// What was measured at one step. Training and validation need not be measured at the same steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CurvePoint {
    /// Optimiser steps done.
    pub step: u64,
    /// Passes over the training split done.
    pub epoch: Option<f64>,
    /// Training loss since the point before.
    pub train: Losses,
    /// Loss on the whole validation split.
    pub valid: Losses,
}

/// The losses of both tasks, in nats per token, and their weighted total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Losses {
    /// Of writing pseudocode; `None` for a student that does not learn it.
    pub pseudocode: Option<f64>,
    /// Of writing code.
    pub code: Option<f64>,
    /// α·pseudocode + β·code.
    pub total: Option<f64>,
}

/// One test problem with what the students answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The problem's id.
    pub id: String,
    /// The problem's language.
    pub language: Language,
    /// What was asked.
    pub query: String,
    /// The code known to solve it.
    pub reference: String,
    /// Pseudocode for the reference.
    #[serde(default)]
    pub pseudocode: Pseudocode,
    /// Who wrote it: the teacher, or the verbaliser where the teacher was not asked. Empty if nobody.
    #[serde(default)]
    pub pseudocode_by: String,
    /// The best answer of each arm and mode, in the order in which they are shown.
    #[serde(default)]
    pub answers: Vec<SampleAnswer>,
}

/// Where an answer stands among all first answers of its student in its mode, by CodeBLEU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// None is better.
    Best,
    /// As many are better as are worse.
    Median,
    /// None is worse.
    Worst,
}

/// A problem with the one answer that has this place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedSample {
    /// The answer's place.
    pub place: Place,
    /// The problem, and the answer alone.
    #[serde(flatten)]
    pub sample: Sample,
}

/// One answer of one student.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampleAnswer {
    /// Name of the arm.
    pub arm: String,
    /// How it was decoded.
    pub mode: Option<Mode>,
    /// Its pseudocode; empty where none was asked for.
    pub pseudocode: Pseudocode,
    /// Its code.
    pub code: String,
    /// Whether it equals the reference.
    pub exact: Option<bool>,
    /// Whether it parses.
    pub parses: Option<bool>,
    /// Its CodeBLEU, from 0 to 100.
    pub cb: Option<f64>,
}

/// One stage of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// Its name, for example `train distilled`.
    pub name: String,
    /// Wall-clock seconds in all sessions together.
    pub seconds: Option<f64>,
    /// Number of sessions that worked on it: 1 when it was never interrupted.
    pub sessions: u32,
    /// What it did, for example `3,912 pairs`; may be empty.
    pub outcome: String,
}

/// Where it ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Operating system and architecture, for example `linux x86_64`.
    pub os: String,
    /// Processor or accelerator that trained, for example `cpu`.
    pub device: String,
    /// Threads used.
    pub threads: Option<u32>,
}

/// A file of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamp {
    /// Its name within the run's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its content, hexadecimal, the first 16 digits.
    pub hash: String,
}
