//! The teacher's own answers to the test problems: what its students are measured against.

use std::collections::BTreeMap;
use std::sync::Arc;

use distill_core::{Answer, Mode, Problem, Solution, jsonl};
use teacher_prompt::{
    Direction, Event, Filter, ParseOptions, PromptBuilder, ReplyLog, Taught, Teaching, parse_reply,
};

use super::{ask, merge};
use crate::config::TeacherKind;
use crate::stages::choose;
use crate::stages::score::score_answers;
use crate::{Result, Run};

/// The arm under which the teacher's answers are scored.
pub(crate) const TEACHER_ARM: &str = "teacher";

/// Asks the teacher for one solution of each of at most `problems` test problems, forward and with
/// the run's sampling, and scores them as a student's. Replies are logged and asked for once, as
/// those for lessons. Says whether there are scores: one that only explains known
/// code solves nothing, and a teacher that
/// left a question unanswered (a replay without the reply) gets none.
///
/// # Errors
/// As [`teach`](super::teach), and whatever keeps an answer from being scored.
pub fn examine_teacher(run: &Run<'_>, problems: Option<usize>) -> Result<bool> {
    let config = &run.config.teacher;
    if !matches!(config.kind, TeacherKind::Openai | TeacherKind::Replay) {
        return Ok(false);
    }
    let path = run.folder.teacher_scores();
    if path.exists() {
        return Ok(true);
    }
    let test = run.require("examine", run.folder.problems("test"), "mine")?;
    let problems: Vec<Problem> = choose(
        jsonl::read_all(&test)?,
        problems.unwrap_or(usize::MAX),
        run.config.seed,
        |problem: &Problem| &problem.id,
    );
    let mut all = false;
    run.stage("examine teacher", || {
        let log = Arc::new(ReplyLog::open(&run.folder.replies())?);
        merge::take_over(&log, &config.replies)?;
        let teacher = ask::teacher(config, log.clone())?;
        let prompts = match config.direction {
            Direction::Forward => config.prompts(run.config.seed)?,
            // Templates and exemplars of the other direction would not fit the question.
            Direction::Backward => PromptBuilder::new(config.model()?)
                .style(config.style)
                .form(config.form)
                .sampling(config.sampling()?),
        };
        let mut teaching = Teaching::new(prompts);
        // Whatever it wrote is its answer.
        teaching.filter = Filter {
            min_steps: 0,
            max_steps: usize::MAX,
            max_step_chars: usize::MAX,
            min_code_chars: 0,
            max_code_chars: usize::MAX,
            require_parse: false,
            require_entry_point: false,
            require_whole: false,
            ..Filter::default()
        };
        teaching.concurrency = config.concurrency;
        teaching.cancel = run.stop.clone();
        run.progress.start("examine teacher", Some(problems.len() as u64), "problems");
        let mut solutions: BTreeMap<String, Solution> = BTreeMap::new();
        let mut rejected = Vec::new();
        let summary = teaching.run_blocking(problems.clone(), &*teacher, &mut |event| {
            match event {
                Event::Taught(Taught::Lesson(lesson)) => {
                    _ = solutions.insert(lesson.id, lesson.solution);
                }
                Event::Taught(Taught::Rejected(one)) => rejected.push(one),
                Event::Progress(progress) => run.progress.update(progress.done as u64, ""),
            }
            Ok(())
        })?;
        log.sync()?;
        ask::check(&summary)?;
        let languages: BTreeMap<&str, _> =
            problems.iter().map(|problem| (problem.id.as_str(), problem.language)).collect();
        for one in rejected {
            // Code without a plan is an answer too; a reply without code is a wrong one.
            let Some(reply) = log.get(&one.reply)? else { continue };
            let language = languages.get(one.id.as_str()).copied();
            let parsed =
                parse_reply(&reply.text, &ParseOptions { language, ..ParseOptions::default() });
            let solution = Solution {
                pseudocode: parsed.pseudocode.unwrap_or_default(),
                code: parsed.code.unwrap_or_default(),
            };
            solutions.insert(one.id, solution);
        }
        if solutions.len() < problems.len() {
            let left = problems.len() - solutions.len();
            return Ok(format!("{left} of {} problems have no reply: no scores", problems.len()));
        }
        let answer = |(problem, solution)| Answer {
            problem,
            arm: TEACHER_ARM.into(),
            mode: Mode::Direct,
            rank: 1,
            solution,
            log_probability: 0.0,
        };
        let answers: Vec<Answer> = solutions.into_iter().map(answer).collect();
        jsonl::write_all(&path, score_answers(run, &answers, &problems)?)?;
        all = true;
        Ok(format!("{} answers", answers.len()))
    })?;
    Ok(all)
}
