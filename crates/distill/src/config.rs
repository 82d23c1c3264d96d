//! What a run is: one TOML file.
//!
//! ```
//! let config = distill::RunConfig::from_toml(
//!     r#"
//!     [corpus.source]
//!     kind = "python_stdlib"
//!
//!     [teacher]
//!     kind = "verbaliser"
//!     "#,
//! )?;
//! assert_eq!(config.training.arms.len(), 2);
//! # Ok::<(), distill::DistillError>(())
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use code_corpus::decontaminate::HeldOut;
use code_corpus::dedup::Dedup;
use code_corpus::{Filters, Source, Split};
use distill_core::Mode;
use serde::{Deserialize, Serialize};
use teacher_prompt::Ablation;
use toml::Value;

use crate::{DistillError, Result};

mod loss;
mod plans;
mod teacher;

pub use loss::{PassageConfig, ReductionConfig, WeightingConfig};
pub use plans::PlansConfig;
pub use teacher::{Choice, ExemplarsConfig, JudgeConfig, Shard, TeacherConfig, TeacherKind};

/// The configuration of one run. Every section but `corpus` may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Name of the run and of its folder; the stem of the configuration file where left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// From which every random choice derives.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// CPU threads; all of the machine's where left out. Part of what makes a run repeatable to
    /// the bit, so a resumed run keeps the number it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Where the problems come from.
    pub corpus: CorpusConfig,
    /// Who writes the lessons.
    #[serde(default)]
    pub teacher: TeacherConfig,
    /// What is trained.
    #[serde(default)]
    pub student: StudentConfig,
    /// How it is trained.
    #[serde(default)]
    pub training: TrainingConfig,
    /// How it is examined.
    #[serde(default)]
    pub answers: AnswersConfig,
}

fn default_seed() -> u64 {
    1
}

/// Where problems come from and which are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusConfig {
    /// The source: `kind` is `python_stdlib`, `tree`, `code_search_net`, `jsonl` or `controlled`. Paths are
    /// relative to the folder in which the command runs.
    pub source: Source,
    /// Stop at the first bad line instead of counting and skipping it.
    #[serde(default)]
    pub strict: bool,
    /// Which pairs are worth keeping.
    #[serde(default)]
    pub filters: Filters,
    /// Which duplicates go.
    #[serde(default)]
    pub dedup: Dedup,
    /// How the corpus is divided; 80-10-10 by source file with the run's seed where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Texts that training must not come close to.
    #[serde(default)]
    pub held_out: HeldOut,
}

/// What is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudentConfig {
    /// A size: `nano`, `tiny`, `codet5-small`, `codet5-base`, `codet5-large`.
    pub preset: String,
    /// A checkpoint in Hugging Face layout to start from, with its tokenizer, instead of random
    /// weights: a folder, or, with the feature `hub`, a name such as `Salesforce/codet5-base`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<PathBuf>,
    /// Entries of the byte-level BPE vocabulary trained on the training split.
    pub vocabulary: usize,
    /// Dropout, from 0 to below 1; the preset's or the checkpoint's where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Longest source in tokens; longer ones are cut and counted.
    pub max_source: usize,
    /// Longest target in tokens; longer ones are cut and counted.
    pub max_target: usize,
}

impl Default for StudentConfig {
    fn default() -> StudentConfig {
        StudentConfig {
            preset: "nano".into(),
            checkpoint: None,
            vocabulary: 4096,
            dropout: None,
            max_source: 256,
            max_target: 256,
        }
    }
}

/// How students are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// `demo` or `paper`; the settings below override it.
    pub preset: TrainingPreset,
    /// The students to train.
    pub arms: Vec<Arm>,
    /// Learn from at most so many lessons, a seeded choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lessons: Option<usize>,
    /// Seed of weights, batches, dropout, the choice of lessons and what an arm spoils; the run's
    /// where left out. Corpus, split and teacher do not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Weight of the pseudocode loss.
    pub alpha: f64,
    /// Weight of the code loss.
    pub beta: f64,
    /// How the weights follow from `alpha` and `beta`, or from training itself.
    #[serde(skip_serializing_if = "WeightingConfig::is_fixed")]
    pub weighting: WeightingConfig,
    /// How the tokens of a task become one number.
    #[serde(skip_serializing_if = "ReductionConfig::is_token_mean")]
    pub reduction: ReductionConfig,
    /// Take from each task's gradient what points against the other's (PCGrad).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub project_conflicts: bool,
    /// Optimizer steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Passes over the training split, where no number of steps is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Lessons a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Peak learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Steps of linear warm-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<u64>,
    /// Steps between two evaluations on the validation split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<u64>,
    /// Steps between two checkpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<u64>,
    /// Evaluations without improvement before training ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
}

impl Default for TrainingConfig {
    fn default() -> TrainingConfig {
        TrainingConfig {
            preset: TrainingPreset::Demo,
            arms: vec![Arm::Distilled, Arm::Plain],
            lessons: None,
            seed: None,
            alpha: 0.5,
            beta: 0.5,
            weighting: WeightingConfig::default(),
            reduction: ReductionConfig::TokenMean,
            project_conflicts: false,
            steps: None,
            epochs: None,
            batch: None,
            learning_rate: None,
            warmup: None,
            evaluate_every: None,
            checkpoint_every: None,
            patience: None,
        }
    }
}

/// Named training settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingPreset {
    /// From scratch on two cores within minutes.
    Demo,
    /// The paper's section 4.1: Adam 1e-5, batch 16, at most 30 epochs, early stopping.
    Paper,
}

/// One student of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Learns pseudocode and code from the teacher's lessons.
    Distilled,
    /// The same student without pseudocode: learns code alone.
    Plain,
    /// As `distilled`, with the steps of each lesson in a random order: what the words are worth
    /// without the reasoning.
    RandomShuffle,
    /// As `distilled`, with the pseudocode of other problems: what a second task is worth by itself.
    RandomReplace,
}

impl Arm {
    /// Its name in records and folders.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Distilled => "distilled",
            Arm::Plain => "plain",
            Arm::RandomShuffle => "random_shuffle",
            Arm::RandomReplace => "random_replace",
        }
    }

    /// What is done to the pseudocode of its lessons.
    pub fn ablation(self) -> Option<Ablation> {
        match self {
            Arm::Distilled | Arm::Plain => None,
            Arm::RandomShuffle => Some(Ablation::Shuffle),
            Arm::RandomReplace => Some(Ablation::Replace),
        }
    }

    /// How this student is asked: only one that learnt pseudocode of its own problems can chain.
    pub fn modes(self, wanted: &[Mode]) -> Vec<Mode> {
        let able = |mode: &Mode| self == Arm::Distilled || *mode == Mode::Direct;
        wanted.iter().copied().filter(able).collect()
    }
}

/// How students are examined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswersConfig {
    /// Answer at most so many problems of the test split, a seeded choice; all where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems: Option<usize>,
    /// Beams; also the number of answers kept for each problem.
    pub beams: usize,
    /// The ways to decode.
    pub modes: Vec<Mode>,
    /// Run the tests of problems that carry some (fields `prompt`, `test`: program text before and
    /// behind an answer) on so many of the answers to each, best first, shut in a sandbox. Off, 0,
    /// unless asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub run_tests: usize,
    /// Chained answers over several sampled plans together instead of the likeliest one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plans: Option<PlansConfig>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Default for AnswersConfig {
    fn default() -> AnswersConfig {
        AnswersConfig {
            problems: None,
            beams: 5,
            modes: vec![Mode::Direct, Mode::Chained],
            run_tests: 0,
            plans: None,
        }
    }
}

impl RunConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`DistillError::Config`] with the line and what was expected.
    pub fn from_toml(text: &str) -> Result<RunConfig> {
        let config: RunConfig =
            toml::from_str(text).map_err(|error| DistillError::Config(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Reads a configuration file; its stem names the run where the file does not.
    ///
    /// # Errors
    /// [`DistillError::Io`], [`DistillError::Config`].
    pub fn read(path: &Path) -> Result<RunConfig> {
        let text = fs::read_to_string(path).map_err(crate::error::io("read", path))?;
        let mut config = RunConfig::from_toml(&text)
            .map_err(|error| DistillError::Config(format!("{}: {error}", path.display())))?;
        if config.name.is_empty() {
            config.name = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
        }
        Ok(config)
    }

    /// Fails on a value outside its range.
    ///
    /// # Errors
    /// [`DistillError::Config`].
    pub fn check(&self) -> Result<()> {
        let positive = [
            ("answers.beams", self.answers.beams),
            ("student.vocabulary", self.student.vocabulary),
            ("student.max_source", self.student.max_source),
            ("student.max_target", self.student.max_target),
            ("teacher.concurrency", self.teacher.concurrency),
            ("threads", self.threads.unwrap_or(1)),
            ("training.arms", self.training.arms.len()),
            ("answers.modes", self.answers.modes.len()),
            ("training.lessons", self.training.lessons.unwrap_or(1)),
        ];
        for (name, value) in positive {
            if value == 0 {
                return Err(DistillError::Config(format!("{name} must be at least 1")));
            }
        }
        for (name, weight) in [("alpha", self.training.alpha), ("beta", self.training.beta)] {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(DistillError::Config(format!(
                    "training.{name} is {weight}: a loss weight is a number from 0 up"
                )));
            }
        }
        self.training.weighting.check()?;
        if let Some(dropout) = self.student.dropout
            && !(0.0..1.0).contains(&dropout)
        {
            return Err(DistillError::Config(format!(
                "student.dropout is {dropout}: a share from 0 to below 1"
            )));
        }
        if let Some(plans) = &self.answers.plans {
            plans.check()?;
            if !self.answers.modes.contains(&Mode::Chained) {
                return Err(DistillError::Config(
                    "answers.plans is for chained answers, and answers.modes has none".into(),
                ));
            }
        }
        self.teacher.check()
    }

    /// This configuration as TOML.
    ///
    /// # Errors
    /// [`DistillError::Config`] for a value that TOML cannot hold, such as a seed above 2⁶³ − 1.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| DistillError::Config(error.to_string()))
    }

    /// The settings in which `self` and `other` differ, as `key: one value, other value`, leaving
    /// out those that cannot change a result (address, key variable, requests in flight, waiting).
    ///
    /// # Errors
    /// As [`to_toml`](Self::to_toml).
    pub fn differences(&self, other: &RunConfig) -> Result<Vec<Difference>> {
        let [one, two] = [self, other].map(|config| {
            Value::try_from(config).map_err(|error| DistillError::Config(error.to_string()))
        });
        let mut found = Vec::new();
        collect_differences(String::new(), Some(&one?), Some(&two?), &mut found);
        found.retain(|difference| !WITHOUT_EFFECT.contains(&difference.key.as_str()));
        Ok(found)
    }
}

/// Settings that may change between two sessions of a run.
const WITHOUT_EFFECT: [&str; 8] = [
    "teacher.base_url",
    "teacher.api_key_env",
    "teacher.concurrency",
    "teacher.timeout_seconds",
    "teacher.tries",
    "teacher.requests_per_minute",
    "teacher.tokens_per_minute",
    "teacher.budget",
];

/// One setting with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The setting, for example `training.steps`.
    pub key: String,
    /// Its value in the first configuration; `not set` where it has none.
    pub one: String,
    /// Its value in the second.
    pub two: String,
}

// Recurses over the sections of our own configuration, two levels deep.
fn collect_differences(
    key: String,
    one: Option<&Value>,
    two: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    if let (Some(Value::Table(one)), Some(Value::Table(two))) = (one, two) {
        let mut names: Vec<&String> = one.keys().chain(two.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            collect_differences(below, one.get(name), two.get(name), found);
        }
    } else if one != two {
        let show = |value: Option<&Value>| value.map_or("not set".into(), Value::to_string);
        found.push(Difference { key, one: show(one), two: show(two) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "[corpus.source]\nkind = \"python_stdlib\"\n";

    #[test]
    fn a_configuration_round_trips() {
        let config = RunConfig::from_toml(SMALL).unwrap();
        assert_eq!(RunConfig::from_toml(&config.to_toml().unwrap()).unwrap(), config);
    }

    #[test]
    fn the_losses_are_weighed_by_any_rule() {
        let rule = |text: &str| {
            let config = RunConfig::from_toml(&format!("{SMALL}[training]\nweighting = {text}"))?;
            assert_eq!(RunConfig::from_toml(&config.to_toml()?)?, config);
            Ok::<_, DistillError>(config.training.weighting)
        };
        let scheduled =
            "{ rule = \"scheduled\", from = [1.0, 0.0], over = 100, shape = \"cosine\" }";
        let shape = PassageConfig::Cosine;
        let expected = WeightingConfig::Scheduled { from: [1.0, 0.0], over: 100, shape };
        assert_eq!(rule(scheduled).unwrap(), expected);
        assert_eq!(rule("{ rule = \"uncertainty\" }").unwrap(), WeightingConfig::Uncertainty {});
        let average = WeightingConfig::DynamicAverage { temperature: 2.0 };
        assert_eq!(rule("{ rule = \"dynamic_average\" }").unwrap(), average);
        for (text, says) in [
            ("{ rule = \"scheduled\", from = [-1.0, 0.0], over = 9 }", "training.weighting.from"),
            ("{ rule = \"dynamic_average\", temperature = 0.0 }", "training.weighting.temperature"),
            ("{ rule = \"best\" }", "dynamic_average"),
            ("{ rule = \"fixed\", alpha = 1.0 }", "alpha"),
        ] {
            let message = rule(text).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| RunConfig::from_toml(text).unwrap_err().to_string();
        assert!(message("[corpus.source]\nkind = \"csv\"").contains("code_search_net"));
        assert!(message(&format!("{SMALL}[training]\nstep = 3")).contains("step"));
        assert!(message(&format!("{SMALL}[answers]\nbeams = 0")).contains("answers.beams"));
        assert!(message(&format!("{SMALL}[teacher]\nkind = \"openai\"")).contains("--base-url"));
        assert!(message(&format!("{SMALL}[student]\ndropout = 1.0")).contains("student.dropout"));
        assert!(message(&format!("{SMALL}[training]\nalpha = -1.0")).contains("training.alpha"));
        let plans = |text| message(&format!("{SMALL}[answers]\n{text}"));
        assert!(plans("plans = { count = 0 }").contains("answers.plans.count is 0"));
        assert!(plans("plans = { top_p = 1.5 }").contains("answers.plans.top_p"));
        assert!(plans("plans = { temperature = 0.0 }").contains("answers.plans.temperature"));
        assert!(plans("plans = { beams = 2 }").contains("beams"));
        assert!(plans("modes = [\"direct\"]\nplans = {}").contains("answers.modes has none"));
    }

    #[test]
    fn differences_name_the_setting_and_leave_out_what_has_no_effect() {
        let one = RunConfig::from_toml(SMALL).unwrap();
        let mut two = one.clone();
        two.training.steps = Some(3);
        two.teacher.concurrency = 99;
        let differences = one.differences(&two).unwrap();
        assert_eq!(
            differences,
            [Difference { key: "training.steps".into(), one: "not set".into(), two: "3".into() }]
        );
    }
}
