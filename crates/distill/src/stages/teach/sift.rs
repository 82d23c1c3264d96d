//! Of what the teacher gave, what stays.

use std::fs;
use std::io::Write;

use distill_core::{Lesson, Problem, jsonl};
use rayon::prelude::*;
use teacher_prompt::{Judge, Rejected, ReplyLog, Sieve, Tested, Verbaliser, Verdict, best_of};

use super::TeachDone;
use super::ask::Outcome;
use super::problems::Asked;
use crate::config::TeacherKind;
use crate::{DistillError, Result, Run};

/// Problems that are looked at together: their tests run in parallel.
const BLOCK: usize = 256;

/// A problem and what its samples gave.
struct Block {
    split: &'static str,
    problem: Problem,
    lessons: Vec<Lesson>,
    /// Why there is none, from the last sample that gave none.
    rejected: Option<Rejected>,
}

/// Runs the problems' tests, keeps the best of several samples, leaves out what the sieve holds back,
/// and writes `lessons.jsonl` and `rejected.jsonl`. Adds to the counts of `done`.
pub(super) fn sift(
    run: &Run<'_>,
    asked: &Asked<'_>,
    log: &ReplyLog,
    done: &mut TeachDone,
) -> Result<()> {
    let config = &run.config.teacher;
    let mut sieve = Sieve::new(&config.sieve, asked.languages.iter().copied())?;
    let judge = config.judge();
    let provenance = provenance(run)?;
    let mut samples = (0..config.samples)
        .map(|sample| Ok(jsonl::read::<Outcome>(&run.folder.taught(sample))?))
        .collect::<Result<Vec<_>>>()?;
    let mut problems = asked.iter();
    run.progress.start("sift", Some(asked.count as u64), "problems");

    // Both files are written side by side and appear together at the end.
    let (lessons, rejected) = (run.folder.lessons(), run.folder.rejected());
    let mut failure: Option<DistillError> = None;
    let written = jsonl::write_atomic(&lessons, |lessons| {
        jsonl::write_atomic(&rejected, |rejected| {
            let mut work = || -> Result<()> {
                let mut at = 0;
                loop {
                    run.check_stop()?;
                    let block = next_block(&mut problems, &mut samples)?;
                    if block.is_empty() {
                        return Ok(());
                    }
                    at += block.len() as u64;
                    for found in tested(run, block)? {
                        match chosen(found, &*judge, &mut sieve)? {
                            Outcome::Lesson(mut lesson) => {
                                done.lessons += 1;
                                lesson.extra.extend(provenance.clone());
                                if config.kind == TeacherKind::Verbaliser
                                    && let Some(reply) = log.get(&lesson.reply)?
                                    && let Some(one) = Verbaliser::coverage(&reply.raw)
                                {
                                    done.coverage.get_or_insert_default().add(&one);
                                }
                                line(lessons, &lesson)?;
                            }
                            Outcome::Rejected(record) => {
                                *done.rejected.entry(record.reason).or_default() += 1;
                                line(rejected, &record)?;
                            }
                        }
                    }
                    run.progress.update(at, &format!("{} kept", done.lessons));
                }
            };
            work().map_err(|error| {
                let text = error.to_string();
                failure = Some(error);
                std::io::Error::other(text)
            })
        })
        .map_err(std::io::Error::other)
    });
    match (failure, written) {
        (Some(error), _) => Err(error),
        (None, written) => Ok(written?),
    }?;
    for sample in 0..config.samples {
        // Only in the way now; that it may not be removable changes nothing.
        let _ = fs::remove_file(run.folder.taught(sample));
    }
    Ok(())
}

fn line(writer: &mut dyn Write, record: &impl serde::Serialize) -> Result<()> {
    let mut write = || -> std::io::Result<()> {
        serde_json::to_writer(&mut *writer, record)?;
        writer.write_all(b"\n")
    };
    write().map_err(|source| {
        jsonl::JsonlError::Io { verb: "write", path: "lessons.jsonl".into(), source }.into()
    })
}

fn next_block(
    problems: &mut impl Iterator<Item = Result<(&'static str, Problem)>>,
    samples: &mut [impl Iterator<Item = Result<Outcome, jsonl::JsonlError>>],
) -> Result<Vec<Block>> {
    let mut block = Vec::new();
    for item in problems.take(BLOCK) {
        let (split, problem) = item?;
        let mut found = Block { split, problem, lessons: Vec::new(), rejected: None };
        for sample in &mut *samples {
            match sample.next().transpose()? {
                Some(Outcome::Lesson(lesson)) if lesson.id == found.problem.id => {
                    found.lessons.push(*lesson);
                }
                Some(Outcome::Rejected(rejected)) if rejected.id == found.problem.id => {
                    found.rejected = Some(rejected);
                }
                _ => {
                    return Err(DistillError::Config(format!(
                        "the problems changed while they were taught: problem {} has no outcome; \
                         run again",
                        found.problem.id
                    )));
                }
            }
        }
        block.push(found);
    }
    Ok(block)
}

/// The block without the lessons that fail their problem's tests.
fn tested(run: &Run<'_>, block: Vec<Block>) -> Result<Vec<Block>> {
    let Some(tests) = &run.config.teacher.tests else { return Ok(block) };
    let one = |mut block: Block| -> Result<Block> {
        let mut passed = Vec::new();
        for mut lesson in block.lessons {
            match tests.run(&block.problem, &lesson.solution.code)? {
                Tested::Untested => passed.push(lesson),
                Tested::Passed => {
                    lesson.extra.insert("tests".into(), "passed".into());
                    passed.push(lesson);
                }
                Tested::Failed(reason) => {
                    block.rejected = Some(rejection(&lesson, Verdict::TestsFailed, reason));
                }
            }
        }
        block.lessons = passed;
        Ok(block)
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(run.threads())
        .build()
        .map_err(|error| DistillError::Config(format!("cannot start threads: {error}")))?;
    pool.install(|| block.into_par_iter().map(one).collect())
}

/// The one lesson that stays of a problem's samples, or why none does.
fn chosen(block: Block, judge: &dyn Judge, sieve: &mut Sieve) -> Result<Outcome> {
    let Block { split, problem, mut lessons, rejected } = block;
    let several = lessons.len();
    let found = match several {
        0 | 1 => lessons.pop(),
        _ => best_of(&lessons, judge)?.map(|(at, score)| {
            let mut lesson = lessons.swap_remove(at);
            lesson.extra.insert("samples".into(), several.into());
            lesson.extra.insert("score".into(), score.into());
            lesson
        }),
    };
    let Some(mut lesson) = found else {
        // A problem has an outcome a sample: without a lesson there is a rejection.
        return Ok(Outcome::Rejected(rejected.unwrap_or(Rejected {
            id: problem.id,
            reason: Verdict::Failed,
            detail: "no sample has a score".into(),
            reply: String::new(),
        })));
    };
    let (verdict, reason) = sieve.check(&lesson);
    if verdict != Verdict::Ok {
        return Ok(Outcome::Rejected(rejection(&lesson, verdict, reason)));
    }
    lesson.extra.insert("split".into(), split.into());
    Ok(Outcome::Lesson(Box::new(lesson)))
}

fn rejection(lesson: &Lesson, reason: Verdict, detail: String) -> Rejected {
    Rejected { id: lesson.id.clone(), reason, detail, reply: lesson.reply.clone() }
}

/// What every lesson of the run says about how it was drawn.
fn provenance(run: &Run<'_>) -> Result<serde_json::Map<String, serde_json::Value>> {
    let config = &run.config.teacher;
    let template = config.prompts(run.config.seed)?.template_in_use()?;
    let mut fields = serde_json::Map::new();
    if !config.kind.is_offline() {
        let sampling = config.sampling()?;
        let optional = |value: Option<f64>| value.map_or(serde_json::Value::Null, Into::into);
        fields.insert("temperature".into(), optional(sampling.temperature));
        fields.insert("top_p".into(), optional(sampling.top_p));
        fields.insert("seed".into(), sampling.seed.map_or(serde_json::Value::Null, Into::into));
        fields.retain(|_, value| !value.is_null());
    }
    let name = format!("{} {}", template.name(), template.version());
    fields.insert("template_name".into(), name.trim().into());
    fields.insert("tool".into(), concat!("distill ", env!("CARGO_PKG_VERSION")).into());
    Ok(fields)
}
