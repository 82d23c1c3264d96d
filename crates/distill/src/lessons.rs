//! A run's lessons as a data set.

use std::collections::BTreeMap;
use std::path::Path;

use distill_core::{Lesson, Problem, jsonl};
use teacher_prompt::{Ablation, Card, DatasetWriter, Format, ReplyLog};

use crate::run::read_json;
use crate::stages::{CorpusDone, TeachDone};
use crate::{DistillError, Result, RunConfig, RunFolder};

/// How lessons are written out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LessonsOptions {
    /// What the rows are written as.
    pub format: Format,
    /// What is done to the pseudocode, if anything.
    pub ablation: Option<Ablation>,
    /// Seed of the ablation.
    pub seed: u64,
    /// Licence for the card, as the Hub names it.
    pub license: Option<String>,
    /// Whether the teacher's own words are in it, too.
    pub replies: bool,
}

/// Writes the lessons of the run in `folder` as a data set to `out`: training and validation lessons
/// with their provenance, the test problems with their reference, and a card. Gives the number of
/// rows of each split.
///
/// Streams, but for an ablation, which holds all lessons in memory.
///
/// # Errors
/// [`DistillError::Order`] before there are lessons; [`DistillError::Teacher`] where `out` holds
/// something else or cannot be written.
pub fn write_lessons(
    folder: &Path,
    out: &Path,
    options: &LessonsOptions,
) -> Result<BTreeMap<&'static str, u64>> {
    let folder = RunFolder::new(folder);
    let teach = folder.teach_statistics();
    if !teach.exists() {
        return Err(DistillError::Order { stage: "lessons", missing: teach, needs: "teach" });
    }
    if let Some(Ablation::Drop { share }) = options.ablation
        && !(0.0..=1.0).contains(&share)
    {
        return Err(DistillError::Config(format!("--drop-share {share}: a number from 0 to 1")));
    }
    let done: TeachDone = read_json(&teach)?;
    let corpus: CorpusDone = read_json(&folder.corpus_statistics())?;
    let config = RunConfig::read(&folder.config())?;
    let log = match options.replies && folder.replies().exists() {
        true => Some(ReplyLog::open_read_only(&folder.replies())?),
        false => None,
    };

    let mut writer = DatasetWriter::new(out, options.format)?;
    let mut push = |lesson: &Lesson| -> Result<()> {
        let mut lesson = lesson.clone();
        let reply = match &log {
            Some(log) if !lesson.reply.is_empty() => log.get(&lesson.reply)?,
            _ => None,
        };
        if let Some(reply) = &reply {
            lesson.extra.insert("seconds".into(), reply.seconds.into());
        }
        let split = lesson.extra.get("split").and_then(|split| split.as_str());
        let split = split.unwrap_or("train").to_owned();
        Ok(writer.push(&split, &lesson, reply.as_ref().map(|reply| reply.text.as_str()))?)
    };
    match options.ablation {
        Some(ablation) => {
            let mut lessons: Vec<Lesson> = jsonl::read_all(&folder.lessons())?;
            ablation.apply(&mut lessons, options.seed);
            lessons.iter().try_for_each(&mut push)?;
        }
        None => {
            for lesson in jsonl::read::<Lesson>(&folder.lessons())? {
                push(&lesson?)?;
            }
        }
    }
    for problem in jsonl::read::<Problem>(&folder.problems("test"))? {
        writer.push_problem("test", &problem?)?;
    }
    let card = Card {
        name: format!("Lessons of the run {}", run_name(&folder)),
        license: options.license.clone(),
        facts: facts(&config, &corpus, &done, options)?,
    };
    Ok(writer.finish(&card)?)
}

/// What the card says in numbers and names.
fn facts(
    config: &RunConfig,
    corpus: &CorpusDone,
    done: &TeachDone,
    options: &LessonsOptions,
) -> Result<Vec<(String, String)>> {
    let teacher = &config.teacher;
    let prompts = teacher.prompts(config.seed)?;
    let template = prompts.template_in_use()?;
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    fact("corpus", corpus.source.clone());
    for (name, version) in &corpus.versions {
        fact(&format!("{name} version"), version.clone());
    }
    fact("teacher", teacher.model()?);
    fact("direction", teacher.direction.name().into());
    fact("style", prompts.style_in_use().name().into());
    fact("template", format!("{} {} ({})", template.name(), template.version(), template.hash()));
    fact("sampling", serde_json::json!(teacher.sampling()?).to_string());
    fact("problems asked about", done.asked.to_string());
    fact("lessons kept", done.lessons.to_string());
    for (reason, count) in &done.rejected {
        fact(&format!("rejected: {reason}"), count.to_string());
    }
    fact("tokens read", done.usage.prompt_tokens.to_string());
    fact("tokens written", done.usage.completion_tokens.to_string());
    if let Some(cost) = done.cost {
        fact("cost", format!("{cost:.4}"));
    }
    if let Some(ablation) = options.ablation {
        fact("pseudocode spoilt by", format!("{}, seed {}", ablation.name(), options.seed));
    }
    fact("made with", concat!("distill ", env!("CARGO_PKG_VERSION")).into());
    Ok(facts)
}

fn run_name(folder: &RunFolder) -> String {
    folder.root().file_name().unwrap_or_default().to_string_lossy().into_owned()
}
