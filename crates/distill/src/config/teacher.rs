//! Who writes the lessons, how it is asked and which lessons stay.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use distill_core::{Lesson, Sampling, jsonl};
use serde::{Deserialize, Serialize};
use teacher_prompt::{
    Agreement, Direction, Exemplars, Filter, Form, FromCorpus, Judge, Mentions, Pool, Preset,
    Price, PromptBuilder, ScoreCommand, SieveOptions, Style, Template, Tests, Verbaliser,
};

use crate::{DistillError, Result};

/// Who writes the lessons, how it is asked and which lessons stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeacherConfig {
    /// `verbaliser`, `corpus`, `openai` or `replay`.
    pub kind: TeacherKind,
    /// A known model, by its name in `teacher_prompt::PRESETS`: its name on servers and its
    /// sampling are used where `model` and `sampling` are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Base address of an OpenAI-compatible server, such as `http://127.0.0.1:8080/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The model's name as the server knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The environment variable that holds the server's key.
    pub api_key_env: String,
    /// Pseudocode for the reference code (`backward`), or pseudocode and code from the problem
    /// (`forward`).
    pub direction: Direction,
    /// Both parts in one reply (`single_pass`) or the plan first (`plan_then_implement`).
    pub style: Style,
    /// Turns of a `chat`, or one text for a `completion`.
    pub form: Form,
    /// A template file instead of the built-in one; with `plan_then_implement`, for the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PathBuf>,
    /// A template file for the second request of `plan_then_implement`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implement_template: Option<PathBuf>,
    /// Requests in flight.
    pub concurrency: usize,
    /// Seconds to wait for one reply.
    pub timeout_seconds: u64,
    /// Tries for one request.
    pub tries: u32,
    /// Most requests a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<f64>,
    /// Most tokens a minute, read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<f64>,
    /// Ask about at most so many problems, a seeded choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Ask about this share of the problems only, `i/n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The most that the replies of this run may cost, in the currency of `price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Lessons drawn for each problem, of which the best stays.
    pub samples: u32,
    /// Further samples of a problem, one at a time, while none passes the filter.
    pub redraws: u32,
    /// What makes one of several samples the best.
    pub judge: JudgeConfig,
    /// Logs of replies (`.jsonl` or `.jsonl.gz`) that are taken over before anything is asked.
    pub replies: Vec<PathBuf>,
    /// A logged reply to the same question counts although it was drawn with other sampling, say a
    /// smaller `max_tokens`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reuse_other_sampling: bool,
    /// How replies are drawn; greedily with at most 1,024 tokens where there is no preset either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// What tokens cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Worked problems that lead the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exemplars: Option<ExemplarsConfig>,
    /// What a reply must be like.
    pub filter: Filter,
    /// What lessons must not be like: near duplicates of each other, close to a test file.
    pub sieve: SieveOptions,
    /// How the problems' own tests are run on the lessons' code; not at all where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
}

impl Default for TeacherConfig {
    fn default() -> TeacherConfig {
        TeacherConfig {
            kind: TeacherKind::Verbaliser,
            preset: None,
            base_url: None,
            model: None,
            api_key_env: "OPENAI_API_KEY".into(),
            direction: Direction::Backward,
            style: Style::default(),
            form: Form::default(),
            template: None,
            implement_template: None,
            concurrency: 16,
            timeout_seconds: 300,
            tries: 5,
            requests_per_minute: None,
            tokens_per_minute: None,
            limit: None,
            shard: None,
            budget: None,
            samples: 1,
            redraws: 0,
            judge: JudgeConfig::default(),
            replies: Vec::new(),
            reuse_other_sampling: false,
            sampling: None,
            price: None,
            exemplars: None,
            filter: Filter::default(),
            sieve: SieveOptions::default(),
            tests: None,
        }
    }
}

/// The kinds of teachers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeacherKind {
    /// The offline verbaliser: pseudocode from the reference code's syntax tree.
    Verbaliser,
    /// The corpus itself, where its problems have a field `pseudocode`.
    Corpus,
    /// Any server of OpenAI's chat-completions protocol.
    Openai,
    /// The logged replies alone: nothing is asked, and what is not logged is rejected.
    Replay,
}

impl TeacherKind {
    /// Whether it needs no model: it always answers the same.
    pub fn is_offline(self) -> bool {
        matches!(self, TeacherKind::Verbaliser | TeacherKind::Corpus)
    }
}

/// Worked problems that lead the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExemplarsConfig {
    /// `chosen`, `random` or `nearest`.
    pub choice: Choice,
    /// A file of lessons to take them from, such as another run's `lessons.jsonl`.
    pub file: PathBuf,
    /// How many; of `chosen` the first so many of the file.
    pub k: usize,
}

/// How exemplars are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The same for every problem.
    Chosen,
    /// Drawn for each problem, with the run's seed.
    Random,
    /// Those whose queries share most words with the problem's.
    Nearest,
}

/// What makes one of several samples the best.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgeConfig {
    /// What the other samples say too.
    #[default]
    Agreement,
    /// What names most of the code's identifiers.
    Mentions,
    /// What this program says: lessons as JSONL in, a number a line out.
    Command(Vec<String>),
}

/// The `index`-th of `count` shares of the problems, from 1. Which problem is in which follows from
/// its id alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Which, from 1.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

impl Shard {
    /// Whether the problem with this id is in it.
    pub fn holds(self, id: &str) -> bool {
        let hash = blake3::hash(id.as_bytes());
        let head = u64::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]));
        head % u64::from(self.count) == u64::from(self.index - 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let shard = text.split_once('/').and_then(|(index, count)| {
            Some(Shard { index: index.parse().ok()?, count: count.parse().ok()? })
        });
        shard
            .filter(|shard| (1..=shard.count).contains(&shard.index))
            .ok_or_else(|| format!("{text:?} is no shard: expected i/n, from 1/n to n/n"))
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Shard, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

impl TeacherConfig {
    /// Fails on a value outside its range.
    ///
    /// # Errors
    /// [`DistillError::Config`].
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(DistillError::Config(message));
        let preset = self.preset()?;
        let model = self.model.is_some() || preset.is_some_and(|preset| !preset.model.is_empty());
        if self.kind == TeacherKind::Openai && (self.base_url.is_none() || !model) {
            return wrong(
                "an openai teacher needs teacher.base_url and teacher.model (--base-url, --model)"
                    .into(),
            );
        }
        if self.kind == TeacherKind::Replay && !model {
            return wrong(
                "a replay needs teacher.model: the model whose replies are logged".into(),
            );
        }
        if self.kind.is_offline() && self.direction != Direction::Backward {
            return wrong(
                "a teacher without a model only explains code: teacher.direction must be backward"
                    .into(),
            );
        }
        if self.samples == 0 {
            return wrong("teacher.samples must be at least 1".into());
        }
        if self.samples > 1 && self.redraws > 0 {
            return wrong(
                "teacher.redraws is for one sample: of several the others are redraws".into(),
            );
        }
        if self.budget.is_some_and(|budget| budget.is_nan() || budget < 0.0) {
            return wrong("teacher.budget must be a number from 0 up".into());
        }
        if self.budget.is_some() && self.price.is_none() {
            return wrong(
                "a budget needs teacher.price: the cost of a million tokens read (prompt) and \
                 written (completion)"
                    .into(),
            );
        }
        Ok(())
    }

    fn preset(&self) -> Result<Option<&'static Preset>> {
        let Some(name) = &self.preset else { return Ok(None) };
        let names = || {
            let names: Vec<&str> =
                teacher_prompt::PRESETS.iter().map(|preset| preset.name).collect();
            names.join(", ")
        };
        match Preset::find(name) {
            Some(preset) => Ok(Some(preset)),
            None => Err(DistillError::Config(format!(
                "teacher.preset {name:?} is not known: one of {}",
                names()
            ))),
        }
    }

    /// The model's name.
    ///
    /// # Errors
    /// [`DistillError::Config`] for an unknown preset.
    pub fn model(&self) -> Result<String> {
        match self.kind {
            TeacherKind::Verbaliser => return Ok(Verbaliser::NAME.to_owned()),
            TeacherKind::Corpus => return Ok(FromCorpus::NAME.to_owned()),
            TeacherKind::Openai | TeacherKind::Replay => {}
        }
        let preset = self.preset()?.map(|preset| preset.model.to_owned());
        Ok(self.model.clone().or(preset).unwrap_or_default())
    }

    /// The server's address; for completions it ends in `/completions`.
    pub fn address(&self) -> String {
        let base = self.base_url.as_deref().unwrap_or_default();
        match self.form {
            Form::Completion if !base.ends_with("/completions") => {
                format!("{}/completions", base.trim_end_matches('/'))
            }
            _ => base.to_owned(),
        }
    }

    /// How replies are drawn.
    ///
    /// # Errors
    /// [`DistillError::Config`] for an unknown preset.
    pub fn sampling(&self) -> Result<Sampling> {
        if let Some(sampling) = &self.sampling {
            return Ok(sampling.clone());
        }
        let greedy =
            Sampling { temperature: Some(0.0), max_tokens: Some(1024), ..Sampling::default() };
        Ok(self.preset()?.map_or(greedy, Preset::sampling))
    }

    /// What turns problems into requests. Reads template and exemplar files.
    ///
    /// # Errors
    /// [`DistillError::Teacher`] for a template, [`DistillError::Jsonl`] for exemplars.
    pub fn prompts(&self, seed: u64) -> Result<PromptBuilder> {
        let mut prompts = PromptBuilder::new(self.model()?)
            .direction(self.direction)
            .style(self.style)
            .form(self.form)
            .sampling(self.sampling()?);
        if let Some(path) = &self.template {
            prompts = prompts.template(Template::from_file(path)?);
        }
        if let Some(path) = &self.implement_template {
            prompts = prompts.implement_template(Template::from_file(path)?);
        }
        let Some(ExemplarsConfig { choice, file, k }) = &self.exemplars else {
            return Ok(prompts);
        };
        let mut lessons: Vec<Lesson> = jsonl::read_all(file)?;
        let k = *k;
        Ok(prompts.exemplars(match choice {
            Choice::Chosen => {
                lessons.truncate(k);
                Exemplars::Chosen(lessons)
            }
            Choice::Random => Exemplars::Random { pool: Pool::new(lessons), k, seed },
            Choice::Nearest => Exemplars::Nearest { pool: Pool::new(lessons), k },
        }))
    }

    /// What makes one of several samples the best.
    pub fn judge(&self) -> Box<dyn Judge> {
        match &self.judge {
            JudgeConfig::Agreement => Box::new(Agreement),
            JudgeConfig::Mentions => Box::new(Mentions),
            JudgeConfig::Command(command) => Box::new(ScoreCommand::new(command.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunConfig;

    #[test]
    fn shards_divide_the_problems() {
        for count in [1, 2, 7] {
            let shards: Vec<Shard> =
                (1..=count).map(|index| format!("{index}/{count}").parse().unwrap()).collect();
            for id in 0..200 {
                let id = format!("a.py:f{id}");
                assert_eq!(shards.iter().filter(|shard| shard.holds(&id)).count(), 1);
            }
        }
        for text in ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_teacher_setting_survives_a_round_trip() {
        let text = r#"
            [corpus.source]
            kind = "python_stdlib"
            [teacher]
            kind = "openai"
            preset = "gpt-4"
            base_url = "http://127.0.0.1:1/v1"
            direction = "forward"
            style = "plan_then_implement"
            form = "completion"
            samples = 3
            judge = { command = ["score", "--fast"] }
            shard = "2/3"
            budget = 5.0
            price = { prompt = 2.5, completion = 10.0 }
            replies = ["old.jsonl.gz"]
            [teacher.exemplars]
            choice = "nearest"
            file = "lessons.jsonl"
            k = 3
            [teacher.filter]
            min_steps = 2
            [teacher.sieve]
            near_duplicates = 0.8
            held_out = { files = ["test.jsonl"] }
            [teacher.tests.languages.python]
            command = ["python3", "-I", "main.py"]
            file = "main.py"
        "#;
        let config = RunConfig::from_toml(text).unwrap();
        assert_eq!(RunConfig::from_toml(&config.to_toml().unwrap()).unwrap(), config);
        assert_eq!(config.teacher.address(), "http://127.0.0.1:1/v1/completions");
        assert_eq!(config.teacher.model().unwrap(), "gpt-4");
        assert_eq!(config.teacher.sampling().unwrap().temperature, Some(0.2));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |teacher: &str| {
            let text = format!("[corpus.source]\nkind = \"python_stdlib\"\n[teacher]\n{teacher}");
            RunConfig::from_toml(&text).unwrap_err().to_string()
        };
        assert!(message("preset = \"gpt-9\"").contains("codellama-7b"));
        assert!(message("kind = \"replay\"").contains("teacher.model"));
        assert!(message("direction = \"forward\"").contains("backward"));
        assert!(message("shard = \"3/2\"").contains("expected i/n"));
        assert!(message("budget = 1.0").contains("teacher.price"));
        assert!(message("samples = 0").contains("teacher.samples"));
        assert!(message("samples = 2\nredraws = 1").contains("teacher.redraws"));
    }
}
