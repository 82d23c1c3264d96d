//! Students answer the problems of the test split.

use std::collections::HashMap;

use distill_core::jsonl::{self, Appender};
use distill_core::{Answer, Mode, Problem, Student};
use student_t5::T5Student;
use tch::Device;

use crate::config::Arm;
use crate::run::write_json;
use crate::stages::AnswersDone;
use crate::{DistillError, Result, Run};

/// Problems decoded together. The numbers of a batch depend on its shape in their last bits, so
/// batches are the same in every session and only whole ones are kept.
const BATCH: usize = 8;

/// Has every student answer the test problems in every mode, best answers first.
///
/// # Errors
/// [`DistillError::Order`] before the students are trained, [`DistillError::Interrupted`] when
/// stopped, and whatever a student or the file system says.
pub fn answer(run: &Run<'_>) -> Result<()> {
    if run.folder.answers_done().exists() {
        return Ok(());
    }
    let path = run.require("answer", run.folder.problems("test"), "mine")?;
    for &arm in &run.config.training.arms {
        run.require("answer", run.folder.training_statistics(arm), "train")?;
    }
    let problems = super::choose(
        jsonl::read_all(&path)?,
        run.config.answers.problems.unwrap_or(usize::MAX),
        run.config.seed,
        |problem: &Problem| &problem.id,
    );
    if problems.is_empty() {
        return Err(DistillError::Nothing(format!("{} holds no problem", path.display())));
    }
    run.stage("answer", || {
        let plan = plan(run, &problems);
        let mut log = Log::open(run, &plan)?;
        run.progress.start("answer", Some((plan.len() * BATCH) as u64), "problems");
        tch::set_num_threads(i32::try_from(run.threads()).unwrap_or(1));
        let mut student: Option<(Arm, T5Student)> = None;
        for (index, work) in plan.iter().enumerate() {
            let note = format!("{} {}", work.arm.name(), work.mode);
            run.progress.update((index * BATCH) as u64, &note);
            if index < log.done {
                continue;
            }
            run.check_stop()?;
            let student = match &mut student {
                Some((arm, student)) if *arm == work.arm => student,
                other => {
                    let mut student = T5Student::load(&run.folder.student(work.arm), Device::Cpu)?;
                    let plans = run.config.answers.plans.as_ref();
                    student.plans = plans.map(|plans| plans.sampling(run.config.seed));
                    &mut other.insert((work.arm, student)).1
                }
            };
            let answers = student
                .answer(work.problems, work.mode, run.config.answers.beams)
                .map_err(|error| DistillError::Answer { arm: work.arm.name(), source: error })?;
            for (problem, ranked) in work.problems.iter().zip(answers) {
                for (rank, answer) in ranked.into_iter().enumerate() {
                    log.append(&Answer {
                        problem: problem.id.clone(),
                        arm: work.arm.name().into(),
                        mode: work.mode,
                        rank: rank + 1,
                        solution: answer.solution,
                        log_probability: answer.log_probability,
                    })?;
                }
            }
        }
        log.file.sync()?;
        let done = AnswersDone { problems: problems.len(), answers: log.records };
        write_json(&run.folder.answers_done(), &done)?;
        Ok(format!("{} answers to {} problems", done.answers, done.problems))
    })
}

/// One batch of one student in one mode.
struct Work<'a> {
    arm: Arm,
    mode: Mode,
    problems: &'a [Problem],
}

fn plan<'a>(run: &Run<'_>, problems: &'a [Problem]) -> Vec<Work<'a>> {
    let mut plan = Vec::new();
    for &arm in &run.config.training.arms {
        for mode in arm.modes(&run.config.answers.modes) {
            plan.extend(problems.chunks(BATCH).map(|problems| Work { arm, mode, problems }));
        }
    }
    plan
}

/// `answers.jsonl` with its number of whole batches.
struct Log {
    file: Appender,
    /// Batches of the plan that are answered.
    done: usize,
    records: usize,
}

impl Log {
    /// Opens the log and drops what an interrupted session left of a batch: of the last batch
    /// that has any record it cannot be told whether it is whole, so it is answered again.
    fn open(run: &Run<'_>, plan: &[Work<'_>]) -> Result<Log> {
        let path = run.folder.answers();
        // Opening drops a torn line; the lock must be gone before the file is replaced.
        drop(Appender::open(&path)?);
        let mut batches: HashMap<(&str, Mode, &str), usize> = HashMap::new();
        for (index, work) in plan.iter().enumerate() {
            for problem in work.problems {
                batches.insert((work.arm.name(), work.mode, &problem.id), index);
            }
        }
        let mut records: Vec<Answer> = jsonl::read_all(&path)?;
        let batch = |answer: &Answer| {
            batches.get(&(answer.arm.as_str(), answer.mode, answer.problem.as_str())).copied()
        };
        let done = records.iter().filter_map(batch).max().unwrap_or(0);
        let before = records.len();
        records.retain(|answer| batch(answer).is_some_and(|index| index < done));
        if records.len() < before {
            jsonl::write_all(&path, &records)?;
        }
        Ok(Log { file: Appender::open(&path)?, done, records: records.len() })
    }

    fn append(&mut self, answer: &Answer) -> Result<()> {
        self.records += 1;
        Ok(self.file.append(answer)?)
    }
}
