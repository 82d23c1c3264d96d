//! A T5 model with its tokenizer, as a student of pseudocode and code.
//!
//! What the student reads, with the task's trigger as the first token:
//!
//! ```text
//! [pseudocode] Python: Add up a list of numbers.
//! [code] Python: Add up a list of numbers.
//! [code] Python: Add up a list of numbers.
//! 1. set total to 0
//! 2. for each x in xs:
//!    2.1. add x to total
//! ```
//!
//! The third form, chained, carries the pseudocode that the student wrote before.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use distill_core::jsonl::write_atomic;
use distill_core::student::Ranked;
use distill_core::{
    Language, Lesson, Mode, Problem, Pseudocode, Solution, Step, Student, StudentError, Task,
};
use mtl_loss::Vocabulary;
use serde::Deserialize;
use student_core::decode::{DecodeOptions, Hypothesis, decode};
use student_core::{Batch, Example, Item, TopK};
use tch::{Device, Kind};

use crate::config::{T5Config, from_json};
use crate::error::{Result, T5Error, io_error};
use crate::generation::{self, GenerationConfig};
use crate::model::T5;
use crate::plans::PlanSampling;
use crate::tokenizer::{self, Tokenizer, Trigger};

/// Longest source where a folder does not say.
pub const DEFAULT_LONGEST_SOURCE: usize = 512;

/// Sources decoded together, beams not counted.
const DEFAULT_BATCH: usize = 16;

/// A T5 model, its tokenizer and how it answers.
#[derive(Debug)]
pub struct T5Student {
    /// The model.
    pub model: T5,
    /// The tokenizer, which fits the model.
    pub tokenizer: Tokenizer,
    /// How texts are decoded. `max_new_tokens` also limits the targets of lessons.
    pub generation: GenerationConfig,
    /// Most tokens of a source, special ones included; what is longer is cut at its end.
    pub longest_source: usize,
    /// Sources decoded together; memory grows with it, answers do not change.
    pub batch: usize,
    /// Whether a chained answer is that of the likeliest plan alone, or of several plans together.
    pub plans: Option<PlanSampling>,
    /// The student's name in tables.
    pub name: String,
}

/// Tokens that did not fit into the examples of a lesson.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Tokens cut from sources.
    pub source: usize,
    /// Tokens cut from targets; such a target does not end with the end token.
    pub target: usize,
}

impl T5Student {
    /// An untrained student.
    ///
    /// # Errors
    /// [`T5Error::Tokenizer`] if the tokenizer does not fit the shape; as [`T5::new`].
    pub fn new(
        config: T5Config,
        tokenizer: Tokenizer,
        seed: u64,
        device: Device,
    ) -> Result<T5Student> {
        tokenizer.check_fits(&config)?;
        T5Student::from_parts(T5::new(config, seed, device)?, tokenizer)
    }

    /// A student of a model, its tokenizer and the defaults for all else.
    ///
    /// # Errors
    /// [`T5Error::Tokenizer`] if the tokenizer does not fit the model.
    pub fn from_parts(model: T5, tokenizer: Tokenizer) -> Result<T5Student> {
        tokenizer.check_fits(model.config())?;
        Ok(T5Student {
            model,
            tokenizer,
            generation: GenerationConfig::default(),
            longest_source: DEFAULT_LONGEST_SOURCE,
            batch: DEFAULT_BATCH,
            plans: None,
            name: "t5".to_owned(),
        })
    }

    /// Reads a folder in the Hugging Face layout, with its tokenizer (`tokenizer.json`, or CodeT5's
    /// `vocab.json` and `merges.txt`). The student is named after the folder.
    ///
    /// # Errors
    /// As [`T5::load`], [`Tokenizer::load`] and [`GenerationConfig::load`]; [`T5Error::Tokenizer`]
    /// if the tokenizer does not fit the model.
    pub fn load(folder: &Path, device: Device) -> Result<T5Student> {
        // Everything else before the weights, which may take long.
        let mut tokenizer = Tokenizer::load(folder)?;
        let config = T5Config::load(&folder.join("config.json"))?;
        tokenizer.check_fits(&config).map_err(|error| error.in_file(&Tokenizer::file(folder)))?;
        let generation = GenerationConfig::load(folder)?;
        generation
            .options(&config)
            .and_then(|options| Ok(options.validate(config.vocab_size as usize)?))
            .map_err(|error| error.in_file(&folder.join(generation::FILE)))?;
        let settings = folder.join(tokenizer::SETTINGS);
        let (longest, trigger) = read_settings(&settings)?;
        tokenizer.set_trigger(trigger).map_err(|error| error.in_file(&settings))?;
        let longest = longest.unwrap_or(DEFAULT_LONGEST_SOURCE);
        tokenizer
            .encode_source(Task::Code, "", longest)
            .map_err(|error| error.in_file(&settings))?;
        let mut student = T5Student::from_parts(T5::load(folder, device)?, tokenizer)?;
        student.generation = generation;
        student.longest_source = longest;
        if let Some(name) = folder.file_name() {
            student.name = name.to_string_lossy().into_owned();
        }
        Ok(student)
    }

    /// Writes a folder that [`load`](Self::load) and transformers read: weights, configuration,
    /// tokenizer, decoding defaults and a model card. Each file appears as a whole or not at all.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.tokenizer.save(&folder.join(tokenizer::FILE))?;
        self.tokenizer.save_settings(&folder.join(tokenizer::SETTINGS), self.longest_source)?;
        self.generation.save(folder, self.model.config())?;
        write_atomic(&folder.join("README.md"), |writer| writer.write_all(self.card().as_bytes()))?;
        self.model.save(folder)
    }

    /// The model card.
    fn card(&self) -> String {
        let config = self.model.config();
        let mut card = String::from(
            "---\nlibrary_name: transformers\npipeline_tag: text2text-generation\ntags:\n- code\n\
             - t5\n- distillation\n---\n\n",
        );
        let _ = write!(
            card,
            "# {name}\n\nA T5 student of code generation: {millions:.1} million parameters, {encoder} \
             encoder and {decoder} decoder layers, width {width}, a vocabulary of {vocabulary} \
             tokens.\n\nIt writes numbered pseudocode or code, as the first token of its source \
             says:\n\n```text\n{plan}\n{code}\n{code}\n1. a step of the pseudocode\n```\n\nThe last \
             form is for code after pseudocode. Sources are at most {longest} tokens long.\n",
            name = self.name,
            millions = self.model.parameter_count() as f64 / 1e6,
            encoder = config.num_layers,
            decoder = config.decoder_layers(),
            width = config.d_model,
            vocabulary = config.vocab_size,
            plan = format_args!("{} Python: what is wanted", Task::Pseudocode.trigger()),
            code = format_args!("{} Python: what is wanted", Task::Code.trigger()),
            longest = self.longest_source,
        );
        card
    }

    /// The tokens that ask for pseudocode, or for code, `plan` being the pseudocode to follow.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_source`].
    pub fn encode_problem(
        &self,
        task: Task,
        language: Language,
        query: &str,
        plan: Option<&str>,
    ) -> Result<tokenizer::Encoded> {
        let mut text = format!("{}: {}", language.title(), query.trim());
        if let Some(plan) = plan {
            text.push('\n');
            text.push_str(plan);
        }
        self.tokenizer.encode_source(task, &text, self.longest_source)
    }

    /// What a lesson teaches: its pseudocode, if it has any, and its code, directly and from the
    /// pseudocode. Also says how much did not fit.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_lesson(&self, lesson: &Lesson) -> Result<(Item, Cut)> {
        let most = self.generation.options(self.model.config())?.max_new;
        let plan = (!lesson.solution.pseudocode.is_empty())
            .then(|| lesson.solution.pseudocode.to_string());
        let mut cut = Cut::default();
        let mut example = |task: Task, plan: Option<&str>, target: &str| -> Result<Example> {
            let source = self.encode_problem(task, lesson.language, &lesson.query, plan)?;
            let target = self.tokenizer.encode_target(target, most)?;
            cut.source += source.cut;
            cut.target += target.cut;
            Ok(Example::new(source.ids, target.ids))
        };
        let mut item = Item::default();
        let code = &lesson.solution.code;
        if let Some(plan) = &plan {
            item.pseudocode.push(example(Task::Pseudocode, None, plan)?);
        }
        if !code.is_empty() {
            item.code.push(example(Task::Code, None, code)?);
            if let Some(plan) = &plan {
                item.code.push(example(Task::Code, Some(plan), code)?);
            }
        }
        Ok((item, cut))
    }

    /// What soft targets compare before teacher and student are taken to speak of the same tokens: those
    /// of the tokenizer and how many the model has.
    pub fn vocabulary(&self) -> Vocabulary {
        Vocabulary::of(self.tokenizer.tokens(self.model.config().vocab_size as usize))
    }

    /// Makes this student a teacher of one with the same tokenizer: gives every example of `item` the
    /// `k` likeliest tokens, at this temperature, at each place of its target, for
    /// [`TrainConfig::soft`](student_core::TrainConfig::soft). One example at a time; deterministic.
    ///
    /// # Errors
    /// [`T5Error::Setting`] for a `k` that is not below the vocabulary, or a temperature that is not
    /// above 0; whatever libtorch says, such as ids outside the vocabulary.
    pub fn add_soft_targets(&self, item: &mut Item, k: usize, temperature: f64) -> Result<()> {
        let size = self.model.config().vocab_size;
        let kept = i64::try_from(k).ok().filter(|k| (1..size).contains(k));
        let kept = kept.ok_or_else(|| T5Error::Setting {
            setting: "k",
            reason: format!("{k}, wanted 1 to below the vocabulary of {size}"),
        })?;
        if !(temperature.is_finite() && temperature > 0.0) {
            let reason = format!("{temperature}, wanted more than 0");
            return Err(T5Error::Setting { setting: "temperature", reason });
        }
        for example in item.pseudocode.iter_mut().chain(&mut item.code) {
            let batch = Batch::new(&[&*example], self.model.device())?;
            let target = self.model.shift_right(&batch.labels)?;
            let logits = self.model.logits(&batch.source, &batch.source_mask, &target)?;
            let logs = logits.f_div_scalar(temperature)?.f_log_softmax(-1, Kind::Float)?;
            let (logs, ids) = logs.f_topk(kept, -1, true, true)?;
            let ids = Vec::<i64>::try_from(ids.f_reshape([-1].as_slice())?)?;
            let logs = Vec::<f32>::try_from(logs.f_reshape([-1].as_slice())?)?;
            example.soft = Some(TopK::new(k, ids, logs)?);
        }
        Ok(())
    }

    /// The `n` best texts for each source, with their probabilities, best first; in batches of
    /// similar length.
    ///
    /// # Errors
    /// As [`decode`](student_core::decode::decode()); the message says how large the batch was.
    pub fn write(&self, sources: &[Vec<i64>], n: usize) -> Result<Vec<Vec<(String, Hypothesis)>>> {
        let mut options = self.generation.options(self.model.config())?;
        options.n_best = n;
        if options.sampling.is_none() {
            options.beams = options.beams.max(n);
        }
        self.write_with(sources, options)
    }

    pub(crate) fn write_with(
        &self,
        sources: &[Vec<i64>],
        mut options: DecodeOptions,
    ) -> Result<Vec<Vec<(String, Hypothesis)>>> {
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&index| sources[index].len());
        let mut texts = vec![Vec::new(); sources.len()];
        let mut done = 0;
        for batch in order.chunks(self.batch.max(1)) {
            if let Some(sampling) = &mut options.sampling {
                // Draws are numbered within a batch.
                sampling.seed = sampling.seed.wrapping_add(1);
            }
            for (&index, found) in batch.iter().zip(self.write_batch(sources, batch, &options)?) {
                texts[index] = found
                    .into_iter()
                    .map(|best| Ok((self.tokenizer.decode(&best.tokens)?, best)))
                    .collect::<Result<_>>()?;
            }
            done += batch.len();
            tracing::debug!(done, of = sources.len(), "decoded");
        }
        Ok(texts)
    }

    fn write_batch(
        &self,
        sources: &[Vec<i64>],
        batch: &[usize],
        options: &DecodeOptions,
    ) -> Result<Vec<Vec<Hypothesis>>> {
        let examples: Vec<Example> =
            batch.iter().map(|&index| Example::new(sources[index].clone(), Vec::new())).collect();
        let padded = Batch::new(&examples.iter().collect::<Vec<_>>(), self.model.device())?;
        Ok(decode(&self.model, &padded.source, &padded.source_mask, options)?)
    }

    fn answer_all(&self, problems: &[Problem], mode: Mode, n: usize) -> Result<Vec<Vec<Ranked>>> {
        if let (Mode::Chained, Some(plans)) = (mode, &self.plans) {
            return self.answer_over_plans(problems, n, plans);
        }
        let plans: Vec<Option<String>> = match mode {
            Mode::Direct => vec![None; problems.len()],
            Mode::Chained => {
                let sources = self.encode_problems(Task::Pseudocode, problems, None)?;
                let best = self.write(&sources, 1)?;
                best.into_iter()
                    .map(|texts| {
                        Some(texts.into_iter().next().map_or(String::new(), |best| best.0))
                    })
                    .collect()
            }
        };
        let sources = self.encode_problems(Task::Code, problems, Some(&plans))?;
        let texts = self.write(&sources, n)?;
        Ok(texts
            .into_iter()
            .zip(&plans)
            .map(|(texts, plan)| {
                let pseudocode = plan.as_deref().map(read_plan).unwrap_or_default();
                texts
                    .into_iter()
                    .map(|(code, hypothesis)| Ranked {
                        solution: Solution { pseudocode: pseudocode.clone(), code },
                        log_probability: hypothesis.score,
                    })
                    .collect()
            })
            .collect())
    }

    pub(crate) fn encode_problems(
        &self,
        task: Task,
        problems: &[Problem],
        plans: Option<&[Option<String>]>,
    ) -> Result<Vec<Vec<i64>>> {
        let mut cut = 0;
        let sources = problems
            .iter()
            .enumerate()
            .map(|(index, problem)| {
                let plan = plans.and_then(|plans| plans[index].as_deref());
                let source = self.encode_problem(task, problem.language, &problem.query, plan)?;
                cut += usize::from(source.cut > 0);
                Ok(source.ids)
            })
            .collect::<Result<_>>()?;
        if cut > 0 {
            tracing::warn!(
                cut,
                of = problems.len(),
                longest = self.longest_source,
                "sources were too long and lost their end"
            );
        }
        Ok(sources)
    }
}

/// The steps of a plan that the student wrote; without a number it is one step.
pub(crate) fn read_plan(text: &str) -> Pseudocode {
    Pseudocode::from_text(text).unwrap_or_else(|_| Pseudocode::new([Step::new(0, text)]))
}

/// The longest source that a `tokenizer_config.json` allows, if it says, and the trigger of tasks.
fn read_settings(path: &Path) -> Result<(Option<usize>, Trigger)> {
    if !path.exists() {
        return Ok((None, Trigger::default()));
    }
    #[derive(Deserialize)]
    struct Settings {
        model_max_length: Option<f64>,
        #[serde(default)]
        task_trigger: Trigger,
    }
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    let Settings { model_max_length, task_trigger } =
        from_json(&text).map_err(|reason| T5Error::tokenizer(reason).in_file(path))?;
    // transformers writes 1e30 where there is no limit.
    let longest = model_max_length.filter(|length| (1.0..16_777_216.0).contains(length));
    Ok((longest.map(|length| length as usize), task_trigger))
}

impl Student for T5Student {
    fn name(&self) -> &str {
        &self.name
    }

    fn answer(
        &self,
        problems: &[Problem],
        mode: Mode,
        n: usize,
    ) -> Result<Vec<Vec<Ranked>>, StudentError> {
        self.answer_all(problems, mode, n).map_err(|error| StudentError {
            context: format!("cannot answer {} problems ({mode})", problems.len()),
            source: Some(Box::new(error)),
        })
    }
}
