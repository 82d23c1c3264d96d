//! Students learn from lessons.

use std::path::Path;

use distill_core::{Lesson, Task, jsonl};
use student_core::{Dataset, Item, Outcome, PerTask, Progress, TrainConfig, Trainer};
use student_t5::{Preset, T5Config, T5Student, Tokenizer};
use tch::Device;

use crate::config::{Arm, TrainingConfig, TrainingPreset};
use crate::run::write_json;
use crate::stages::TrainingDone;
use crate::{DistillError, Result, Run};

/// Trains every student of the configuration on the lessons, with one tokenizer for all.
///
/// # Errors
/// [`DistillError::Order`] before there are lessons, [`DistillError::Interrupted`] when stopped,
/// and whatever training or the file system says. The last checkpoint is kept.
pub fn train(run: &Run<'_>) -> Result<()> {
    let arms = run.config.training.arms.iter();
    let todo: Vec<Arm> =
        arms.copied().filter(|&arm| !run.folder.training_statistics(arm).exists()).collect();
    if todo.is_empty() {
        return Ok(());
    }
    run.require("train", run.folder.teach_statistics(), "teach")?;
    let lessons: Vec<Lesson> = jsonl::read_all(&run.folder.lessons())?;
    let (valid, train): (Vec<Lesson>, Vec<Lesson>) = lessons
        .into_iter()
        .partition(|lesson| lesson.extra.get("split").is_some_and(|split| split == "valid"));
    let most = run.config.training.lessons.unwrap_or(usize::MAX);
    let train = super::choose(train, most, seed(run), |lesson: &Lesson| &lesson.id);
    if train.is_empty() {
        return Err(DistillError::Nothing(format!(
            "{} holds no lesson of the training split",
            run.folder.lessons().display()
        )));
    }
    tch::set_num_threads(i32::try_from(run.threads()).unwrap_or(1));
    // Once: a name on a hub may mean another commit the next time.
    let checkpoint = run.config.student.checkpoint.as_deref();
    let checkpoint = checkpoint.map(student_t5::locate).transpose()?;
    let checkpoint = checkpoint.as_deref();
    let tokenizer = tokenizer(run, checkpoint, &train)?;
    for arm in todo {
        let [mut train, mut valid] = [train.clone(), valid.clone()];
        if let Some(ablation) = arm.ablation() {
            // Both, so that the weights kept are those that are best at what this arm learns.
            ablation.apply(&mut train, seed(run));
            ablation.apply(&mut valid, seed(run));
        }
        run.stage(&format!("train {}", arm.name()), || {
            train_arm(run, arm, checkpoint, tokenizer.clone(), &train, &valid)
        })?;
    }
    Ok(())
}

fn seed(run: &Run<'_>) -> u64 {
    run.config.training.seed.unwrap_or(run.config.seed)
}

/// The run's tokenizer: the checkpoint's, or one trained on the training split.
fn tokenizer(run: &Run<'_>, checkpoint: Option<&Path>, train: &[Lesson]) -> Result<Tokenizer> {
    let path = run.folder.tokenizer();
    if path.exists() {
        return Ok(Tokenizer::load(&path)?);
    }
    let tokenizer = match checkpoint {
        Some(folder) => Tokenizer::load(folder)?,
        None => {
            run.progress.start("tokenizer", None, "texts");
            let texts = train.iter().flat_map(|lesson| {
                let Lesson { query, solution, .. } = lesson;
                [query.clone(), solution.pseudocode.to_string(), solution.code.clone()]
            });
            let texts: Vec<String> = texts.collect();
            let tokenizer = Tokenizer::train(texts, run.config.student.vocabulary)?;
            run.progress.finish(&format!("tokenizer: {} tokens", tokenizer.size()));
            tokenizer
        }
    };
    tokenizer.save(&path)?;
    Ok(tokenizer)
}

fn train_arm(
    run: &Run<'_>,
    arm: Arm,
    checkpoint: Option<&Path>,
    tokenizer: Tokenizer,
    train: &[Lesson],
    valid: &[Lesson],
) -> Result<String> {
    let folder = run.folder.student(arm);
    let student = student(run, arm, checkpoint, tokenizer)?;
    let mut cut = 0;
    let training = items(&student, arm, train, &mut cut)?;
    let mut validation = items(&student, arm, valid, &mut cut)?;
    // Code from the problem alone, so that the validation losses of all arms compare.
    validation.iter_mut().for_each(|item| item.code.truncate(1));
    let (training, validation) = (Dataset::new(training)?, Dataset::new(validation)?);
    let config = train_config(&run.config.training, seed(run));

    run.progress.start(&format!("train {}", arm.name()), None, "steps");
    let mut known_length = false;
    let trainer = Trainer::new(config, &folder)?.with_stop(run.stop.clone());
    let outcome = trainer.train(&student.model, &training, &validation, &mut |progress| {
        if !known_length {
            known_length = true;
            run.progress.start(&format!("train {}", arm.name()), Some(progress.of), "steps");
        }
        run.progress.update(progress.step, &note(progress));
    })?;
    let Outcome { step, end: Some(_), best, .. } = outcome else {
        return Err(DistillError::Interrupted);
    };
    student.save(&folder)?;
    let done = TrainingDone {
        parameters: student.model.parameter_count() as u64,
        steps: step,
        kept_step: best.as_ref().map_or(step, |best| best.step),
        lessons: train.len(),
        validation: valid.len(),
        cut,
    };
    write_json(&run.folder.training_statistics(arm), &done)?;
    let loss =
        best.map_or(String::new(), |best| format!(", validation loss {}", losses(&best.loss, 3)));
    Ok(format!(
        "{:.1} M parameters, {step} steps on {} lessons{loss}",
        done.parameters as f64 / 1e6,
        done.lessons,
    ))
}

/// The student before training; the same for every arm.
fn student(
    run: &Run<'_>,
    arm: Arm,
    checkpoint: Option<&Path>,
    tokenizer: Tokenizer,
) -> Result<T5Student> {
    let config = &run.config.student;
    let mut student = match checkpoint {
        Some(folder) => from_checkpoint(folder, tokenizer)?,
        None => {
            let preset: Preset = config.preset.parse()?;
            let vocabulary = i64::try_from(tokenizer.size()).unwrap_or(i64::MAX);
            let shape = T5Config::preset(preset, vocabulary);
            T5Student::new(shape, tokenizer, seed(run), Device::Cpu)?
        }
    };
    if let Some(rate) = config.dropout {
        student.model.set_dropout(rate)?;
    }
    student.name = format!("{}-{}", run.config.name, arm.name());
    student.longest_source = config.max_source;
    student.generation.max_new_tokens = Some(config.max_target);
    student.generation.num_beams = Some(run.config.answers.beams);
    Ok(student)
}

fn from_checkpoint(folder: &Path, tokenizer: Tokenizer) -> Result<T5Student> {
    let mut student = T5Student::load(folder, Device::Cpu)?;
    student.tokenizer = tokenizer;
    Ok(student)
}

/// The lessons as the arm learns them; counts those that did not fit the student's limits.
fn items(student: &T5Student, arm: Arm, lessons: &[Lesson], cut: &mut usize) -> Result<Vec<Item>> {
    let items = lessons.iter().map(|lesson| {
        let (mut item, lost) = student.encode_lesson(lesson)?;
        *cut += usize::from(lost.source + lost.target > 0);
        if arm == Arm::Plain {
            // The comparison: the same code from the same problems, and no pseudocode anywhere.
            item.pseudocode.clear();
            item.code.truncate(1);
        }
        Ok(item)
    });
    items.collect()
}

/// The preset with what the configuration says otherwise.
fn train_config(config: &TrainingConfig, seed: u64) -> TrainConfig {
    let mut settings = match config.preset {
        TrainingPreset::Demo => TrainConfig::demo(),
        TrainingPreset::Paper => TrainConfig::paper(),
    };
    settings.seed = seed;
    settings.weighting = config.weighting.rule([config.alpha, config.beta]);
    settings.reduction = config.reduction.reduction();
    settings.project_conflicts = config.project_conflicts;
    if config.steps.is_some() || config.epochs.is_some() {
        settings.max_steps = config.steps;
        settings.max_epochs = config.epochs;
    }
    settings.batch = config.batch.unwrap_or(settings.batch);
    settings.learning_rate = config.learning_rate.unwrap_or(settings.learning_rate);
    settings.schedule.warmup = config.warmup.unwrap_or(settings.schedule.warmup);
    settings.evaluate_every = config.evaluate_every.or(settings.evaluate_every);
    settings.checkpoint_every = config.checkpoint_every.or(settings.checkpoint_every);
    settings.patience = config.patience.or(settings.patience);
    settings
}

fn note(progress: &Progress<'_>) -> String {
    format!("loss {} ({:.0} tok/s)", losses(&progress.loss, 2), progress.tokens_per_second)
}

/// The losses of the tasks that have one.
fn losses(loss: &PerTask<Option<f64>>, digits: usize) -> String {
    let told = Task::ALL
        .into_iter()
        .filter_map(|task| loss.of(task).map(|loss| format!("{task} {loss:.digits$}")));
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_overrides_the_preset() {
        let mut config = TrainingConfig { preset: TrainingPreset::Paper, ..Default::default() };
        let paper = train_config(&config, 7);
        assert_eq!((paper.learning_rate, paper.batch, paper.max_epochs), (1e-5, 16, Some(30)));
        assert_eq!(paper.seed, 7);
        config.steps = Some(5);
        config.learning_rate = Some(0.5);
        let mine = train_config(&config, 7);
        assert_eq!((mine.learning_rate, mine.max_steps, mine.max_epochs), (0.5, Some(5), None));
    }
}
