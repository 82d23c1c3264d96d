//! A corpus through a teacher: problems in, lessons and rejections out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use distill_core::{Completion, Lesson, Problem, Request, Solution, Teacher, TeacherError, Usage};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Direction, Error, Filter, Judge, ParseOptions, Parsed, Parts, PromptBuilder, Style, Verdict,
    best_of, parameters_of, parse_reply, request_key,
};

/// A problem that gave no lesson.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// The problem's id.
    pub id: String,
    /// The class of the reason.
    pub reason: Verdict,
    /// The reason in words.
    pub detail: String,
    /// Key of the reply in the log; empty where there is none, and then another run asks again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reply: String,
}

/// What became of a problem.
#[derive(Debug, Clone, PartialEq)]
pub enum Taught {
    /// A lesson.
    Lesson(Box<Lesson>),
    /// None, and why.
    Rejected(Rejected),
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// The next problem's outcome; outcomes come in the order of the problems.
    Taught(Taught),
    /// A problem was finished, in any order.
    Progress(&'a Progress),
}

/// Counts of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Problems finished.
    pub done: usize,
    /// Lessons among them.
    pub lessons: usize,
    /// The others by reason.
    pub rejected: BTreeMap<Verdict, usize>,
    /// Tokens of all replies used, logged ones included.
    pub usage: Usage,
    /// Problems being worked on.
    pub in_flight: usize,
}

/// Why a run ended before the last problem.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Stopped {
    /// The cancellation flag was set.
    Cancelled,
    /// An error that the next problem would meet too: quota or budget used up, a key refused, a log
    /// that cannot be written.
    Teacher {
        /// The problem that met it.
        problem: String,
        /// The error.
        error: TeacherError,
    },
    /// So many problems in a row failed that the server must be gone.
    TooManyFailures {
        /// How many.
        count: usize,
        /// The last one's error.
        last: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "a run may have stopped early"]
pub struct Summary {
    /// The counts at its end.
    pub progress: Progress,
    /// Why it ended early, if it did. Every reply received is in the log; run it again to go on.
    pub stopped: Option<Stopped>,
}

/// How to teach.
///
/// Memory holds at most [`window`](Self::window) problems at a time, however long the corpus.
#[derive(Clone)]
pub struct Teaching {
    /// Makes the requests.
    pub prompts: PromptBuilder,
    /// Judges the replies.
    pub filter: Filter,
    /// Most requests in flight.
    pub concurrency: usize,
    /// Most problems begun and not yet handed over: how far fast replies may run ahead of a slow
    /// one.
    pub window: usize,
    /// Stops the run when it becomes true, for Ctrl-C.
    pub cancel: Arc<AtomicBool>,
    /// After a stop, how long replies in flight are waited for; each is paid for already.
    pub grace: Duration,
    /// Failed problems in a row after which the run stops.
    pub failures_in_a_row: usize,
    /// Replies asked for on each problem, the best of which is taken; with
    /// [`Style::PlanThenImplement`], plans. Each is another sample of the request (and another seed,
    /// where there is one): at temperature 0 more than one is of no use.
    pub samples: u32,
    /// Further samples, one at a time, while none passes the filter.
    pub redraws: u32,
    /// Finds the best of several [`samples`](Self::samples); without one the first that passes the
    /// filter is taken. Of [`Style::PlanThenImplement`] it is shown plans, in lessons without code:
    /// only the best is implemented.
    pub judge: Option<Arc<dyn Judge>>,
}

impl std::fmt::Debug for Teaching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teaching")
            .field("prompts", &self.prompts)
            .field("filter", &self.filter)
            .field("concurrency", &self.concurrency)
            .field("window", &self.window)
            .field("samples", &self.samples)
            .field("redraws", &self.redraws)
            .finish_non_exhaustive()
    }
}

/// What became of one problem.
enum Outcome {
    Taught(Taught, Usage),
    /// Not the problem's fault, may pass.
    Failed(Taught, String),
    Fatal(String, TeacherError),
    Broken(Error),
}

impl Teaching {
    /// 16 requests in flight, a window of 4,096, 60 s of grace, a stop after 64 failures in a row,
    /// one sample of each problem.
    pub fn new(prompts: PromptBuilder) -> Teaching {
        Teaching {
            prompts,
            filter: Filter::default(),
            concurrency: 16,
            window: 4096,
            cancel: Arc::default(),
            grace: Duration::from_secs(60),
            failures_in_a_row: 64,
            samples: 1,
            redraws: 0,
            judge: None,
        }
    }

    /// Asks `teacher` about every problem and hands over what became of each, in order.
    ///
    /// Nothing is written here: the receiver writes lessons and rejections, and a [`Cached`]
    /// teacher keeps the replies. A problem whose request failed for the moment is handed over as
    /// rejected with [`Verdict::Failed`]; since nothing is logged for it, the next run asks again.
    /// After a stop, what is in flight is waited for and handed over, still in order.
    ///
    /// [`Cached`]: crate::Cached
    ///
    /// # Errors
    /// [`Error::Template`] where the prompt cannot be made, [`Error::Receiver`] where `receive`
    /// fails; what is in flight is dropped then. A teacher's failure is no error: see
    /// [`Summary::stopped`].
    pub async fn run(
        &self,
        problems: impl IntoIterator<Item = Problem>,
        teacher: &dyn Teacher,
        receive: &mut dyn FnMut(Event<'_>) -> std::io::Result<()>,
    ) -> Result<Summary, Error> {
        let mut problems = problems.into_iter().enumerate();
        let concurrency = self.concurrency.max(1);
        let window = self.window.max(concurrency);
        let mut in_flight = FuturesUnordered::new();
        // Outcomes that wait for an earlier problem.
        let mut waiting: BTreeMap<usize, Taught> = BTreeMap::new();
        let mut summary = Summary::default();
        let (mut next, mut row, mut exhausted) = (0, 0, false);
        let mut deadline: Option<tokio::time::Instant> = None;
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if summary.stopped.is_none() && self.cancel.load(Ordering::Relaxed) {
                summary.stopped = Some(Stopped::Cancelled);
            }
            if summary.stopped.is_some() && deadline.is_none() {
                deadline = Some(tokio::time::Instant::now() + self.grace);
            }
            while summary.stopped.is_none()
                && !exhausted
                && in_flight.len() < concurrency
                && in_flight.len() + waiting.len() < window
            {
                match problems.next() {
                    Some((at, problem)) => in_flight.push(self.one(at, problem, teacher)),
                    None => exhausted = true,
                }
            }
            let late = deadline.is_some_and(|deadline| tokio::time::Instant::now() >= deadline);
            if in_flight.is_empty() || late {
                break;
            }
            let (at, outcome) = tokio::select! {
                biased;
                Some(finished) = in_flight.next() => finished,
                _ = tick.tick() => continue,
            };
            let taught = match outcome {
                Outcome::Taught(taught, usage) => {
                    row = 0;
                    summary.progress.usage.prompt_tokens += usage.prompt_tokens;
                    summary.progress.usage.completion_tokens += usage.completion_tokens;
                    taught
                }
                Outcome::Failed(taught, last) => {
                    row += 1;
                    if row >= self.failures_in_a_row.max(1) {
                        let stop = Stopped::TooManyFailures { count: row, last };
                        summary.stopped.get_or_insert(stop);
                    }
                    taught
                }
                Outcome::Fatal(problem, error) => {
                    summary.stopped.get_or_insert(Stopped::Teacher { problem, error });
                    continue;
                }
                Outcome::Broken(error) => return Err(error),
            };
            let progress = &mut summary.progress;
            progress.done += 1;
            progress.in_flight = in_flight.len();
            match &taught {
                Taught::Lesson(_) => progress.lessons += 1,
                Taught::Rejected(rejected) => {
                    *progress.rejected.entry(rejected.reason).or_default() += 1;
                }
            }
            waiting.insert(at, taught);
            while let Some(taught) = waiting.remove(&next) {
                next += 1;
                hand_over(taught, receive)?;
            }
            receive(Event::Progress(progress))
                .map_err(|source| Error::Receiver { problem: String::new(), source })?;
        }
        // After a stop the row has gaps; what was finished behind them is handed over all the same.
        for taught in waiting.into_values() {
            hand_over(taught, receive)?;
        }
        summary.progress.in_flight = 0;
        Ok(summary)
    }

    /// As [`run`](Self::run), for callers without a runtime.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`Error::Runtime`] where no runtime can be started or one is
    /// running on this thread.
    pub fn run_blocking(
        &self,
        problems: impl IntoIterator<Item = Problem>,
        teacher: &dyn Teacher,
        receive: &mut dyn FnMut(Event<'_>) -> std::io::Result<()>,
    ) -> Result<Summary, Error> {
        if tokio::runtime::Handle::try_current().is_ok() {
            let reason = "called from asynchronous code, which can call `run` instead";
            return Err(Error::Runtime(reason.into()));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Runtime(error.to_string()))?;
        runtime.block_on(self.run(problems, teacher, receive))
    }

    async fn one(&self, at: usize, problem: Problem, teacher: &dyn Teacher) -> (usize, Outcome) {
        (at, self.outcome(problem, teacher).await)
    }

    async fn outcome(&self, problem: Problem, teacher: &dyn Teacher) -> Outcome {
        let mut usage = Usage::default();
        match self.lesson(&problem, teacher, &mut usage).await {
            Ok(lesson) => Outcome::Taught(Taught::Lesson(Box::new(lesson)), usage),
            Err(Miss::Rejected(rejected)) => Outcome::Taught(Taught::Rejected(rejected), usage),
            Err(Miss::Broken(error)) => Outcome::Broken(error),
            Err(Miss::Teacher(error)) => {
                let reason = match reason_of(&error) {
                    Some(reason) => reason,
                    None => return Outcome::Fatal(problem.id, error),
                };
                let detail = error.to_string();
                let rejected = Taught::Rejected(Rejected {
                    id: problem.id,
                    reason,
                    detail: detail.clone(),
                    reply: String::new(),
                });
                match error {
                    // Of a server that is there and answers.
                    TeacherError::Batch(_) => Outcome::Taught(rejected, usage),
                    _ if matches!(reason, Verdict::Failed | Verdict::Refused) => {
                        Outcome::Failed(rejected, detail)
                    }
                    _ => Outcome::Taught(rejected, usage),
                }
            }
        }
    }

    async fn lesson(
        &self,
        problem: &Problem,
        teacher: &dyn Teacher,
        usage: &mut Usage,
    ) -> Result<Lesson, Miss> {
        let direction = self.prompts.direction_in_use();
        let style = self.prompts.style_in_use();
        if let (Direction::Backward, Some(code)) = (direction, &problem.reference)
            && let Some((reason, detail)) = self.filter.check_program(code, problem.language, None)
        {
            // Before anything is paid for a plan of code that would be thrown away.
            return Err(rejected(problem, reason, format!("reference code: {detail}"), ""));
        }
        let first = |index| self.prompts.sample(problem, index);
        let mut drawn = match style {
            Style::SinglePass => {
                let parts = Parts::from(direction);
                self.best(problem, teacher, usage, parts, self.samples, &first).await?
            }
            Style::PlanThenImplement => {
                let parts = Parts::Pseudocode;
                let plan = self.best(problem, teacher, usage, parts, self.samples, &first).await?;
                let steps = plan.parsed.pseudocode.unwrap_or_default();
                let second = |index| self.prompts.implement(problem, &steps, index);
                let code = self.best(problem, teacher, usage, Parts::Code, 1, &second).await?;
                Drawn {
                    parsed: Parsed { pseudocode: Some(steps), ..code.parsed },
                    plan: Some(plan.key),
                    score: plan.score,
                    ..code
                }
            }
        };
        let code = match direction {
            Direction::Forward => drawn.parsed.code.take(),
            // What is known to be right, not what the model made of it.
            Direction::Backward => problem.reference.clone(),
        };
        let mut extra = Map::new();
        let mut note = |name: &str, value: Value| {
            extra.insert(name.to_owned(), value);
        };
        note("direction", direction.name().into());
        note("style", style.name().into());
        note("template", drawn.template_hash.into());
        if !problem.source.is_empty() {
            note("source", problem.source.as_str().into());
        }
        if let Some(name) = &problem.entry_point {
            note("entry_point", name.as_str().into());
        }
        let exemplars = self.prompts.exemplars_of(problem);
        if !exemplars.is_empty() {
            let ids: Vec<&str> = exemplars.iter().map(|lesson| lesson.id.as_str()).collect();
            note("exemplars", ids.into());
        }
        if let Some(key) = drawn.plan {
            note("plan_reply", key.into());
        }
        if drawn.sample > 0 {
            note("sample", drawn.sample.into());
        }
        if let Some(score) = drawn.score {
            note("score", score.into());
        }
        if let Some(reason) = drawn.finish_reason {
            note("finish_reason", reason.into());
        }
        if *usage != Usage::default() {
            note("prompt_tokens", usage.prompt_tokens.into());
            note("completion_tokens", usage.completion_tokens.into());
        }
        Ok(Lesson {
            id: problem.id.clone(),
            language: problem.language,
            query: problem.query.clone(),
            solution: Solution {
                pseudocode: drawn.parsed.pseudocode.unwrap_or_default(),
                code: code.unwrap_or_default(),
            },
            teacher: teacher.name().to_owned(),
            reply: drawn.key,
            extra,
        })
    }

    /// The best of the samples that pass the filter; where none does, the first's reason.
    async fn best(
        &self,
        problem: &Problem,
        teacher: &dyn Teacher,
        usage: &mut Usage,
        parts: Parts,
        samples: u32,
        request: &(dyn Fn(u32) -> Result<Request, Error> + Sync),
    ) -> Result<Drawn, Miss> {
        let (mut passed, mut miss): (Vec<Drawn>, Option<Miss>) = (Vec::new(), None);
        let samples = samples.max(1);
        for index in 0..samples.saturating_add(self.redraws) {
            if index >= samples && !passed.is_empty() {
                break;
            }
            let request = request(index).map_err(|error| match error {
                Error::NoReference { .. } => {
                    rejected(problem, Verdict::NoReference, error.to_string(), "")
                }
                error => Miss::Broken(error),
            })?;
            match self.draw(problem, teacher, usage, parts, request).await {
                Ok(drawn) => passed.push(drawn),
                Err(rejection @ Miss::Rejected(_)) => _ = miss.get_or_insert(rejection),
                Err(other) => return Err(other),
            }
            if self.judge.is_none() && !passed.is_empty() {
                break;
            }
        }
        let at = match &self.judge {
            Some(judge) if passed.len() > 1 => self.judged(problem, judge, &mut passed).await?,
            _ => 0,
        };
        match passed.into_iter().nth(at) {
            Some(drawn) => Ok(drawn),
            // At least one sample was drawn.
            None => Err(miss.unwrap_or(rejected(problem, Verdict::Empty, String::new(), ""))),
        }
    }

    /// Which of several samples the judge takes; its score is noted there.
    async fn judged(
        &self,
        problem: &Problem,
        judge: &Arc<dyn Judge>,
        passed: &mut [Drawn],
    ) -> Result<usize, Miss> {
        let backward = self.prompts.direction_in_use() == Direction::Backward;
        let lesson = |drawn: &Drawn| {
            let code = if backward { problem.reference.clone() } else { drawn.parsed.code.clone() };
            let pseudocode = drawn.parsed.pseudocode.clone().unwrap_or_default();
            Lesson {
                id: problem.id.clone(),
                language: problem.language,
                query: problem.query.clone(),
                solution: Solution { pseudocode, code: code.unwrap_or_default() },
                teacher: self.prompts.model().to_owned(),
                reply: drawn.key.clone(),
                extra: Map::new(),
            }
        };
        let lessons: Vec<Lesson> = passed.iter().map(lesson).collect();
        let judge = judge.clone();
        // A judge may run a program.
        let found = tokio::task::spawn_blocking(move || best_of(&lessons, &*judge));
        match joined(found.await)?.map_err(Miss::Broken)? {
            Some((at, score)) => {
                passed[at].score = Some(score);
                Ok(at)
            }
            None => Err(rejected(problem, Verdict::Failed, "no sample has a score".into(), "")),
        }
    }

    /// One reply, parsed and judged.
    async fn draw(
        &self,
        problem: &Problem,
        teacher: &dyn Teacher,
        usage: &mut Usage,
        parts: Parts,
        request: Request,
    ) -> Result<Drawn, Miss> {
        let signature = || {
            let (code, name) = (problem.reference.as_ref()?, problem.entry_point.as_ref()?);
            parameters_of(problem.language, code, name)
        };
        let options = ParseOptions {
            language: Some(problem.language),
            entry_point: problem.entry_point.clone(),
            parameters: self.filter.require_signature.then(signature).flatten(),
            parts,
        };
        let key = request_key(&request);
        let completion = teacher.complete(&request).await.map_err(Miss::Teacher)?;
        if let Some(counted) = completion.usage {
            usage.prompt_tokens += counted.prompt_tokens;
            usage.completion_tokens += counted.completion_tokens;
        }
        let Completion { text, finish_reason, .. } = completion;
        let filter = self.filter.clone();
        // On another thread than the one that drives all requests: parsing is most of the work.
        let work = tokio::spawn(async move {
            let parsed = parse_reply(&text, &options);
            let (verdict, detail) = filter.check(&parsed, finish_reason.as_deref(), &options);
            (parsed, verdict, detail, finish_reason)
        });
        let (parsed, verdict, detail, finish_reason) = joined(work.await)?;
        if verdict != Verdict::Ok {
            return Err(rejected(problem, verdict, detail, &key));
        }
        Ok(Drawn {
            parsed,
            key,
            score: None,
            sample: request.sample_index,
            template_hash: request.template_hash,
            finish_reason,
            plan: None,
        })
    }
}

/// What a task gave. A panic goes on here; a runtime that shuts down ends the run.
fn joined<T>(task: Result<T, tokio::task::JoinError>) -> Result<T, Miss> {
    task.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => Miss::Broken(Error::Runtime(error.to_string())),
    })
}

/// A reply that passed the filter.
struct Drawn {
    parsed: Parsed,
    key: String,
    score: Option<f64>,
    sample: u32,
    template_hash: String,
    finish_reason: Option<String>,
    /// Key of the plan's own reply.
    plan: Option<String>,
}

fn rejected(problem: &Problem, reason: Verdict, detail: String, reply: &str) -> Miss {
    Miss::Rejected(Rejected { id: problem.id.clone(), reason, detail, reply: reply.to_owned() })
}

/// Why there is no lesson.
enum Miss {
    Rejected(Rejected),
    Teacher(TeacherError),
    Broken(Error),
}

/// The class under which a problem is rejected for this error; none where every other problem
/// would meet the same.
fn reason_of(error: &TeacherError) -> Option<Verdict> {
    match error {
        error if error.is_transient() => Some(Verdict::Failed),
        TeacherError::Batch(_) => Some(Verdict::Failed),
        TeacherError::NotLogged { .. } => Some(Verdict::NotLogged),
        TeacherError::Unsupported { .. } => Some(Verdict::Unsupported),
        // A key, an address or a model that the server does not accept is nobody's but the run's.
        TeacherError::Status { status: 300..=399 | 401 | 403 | 404 | 405, .. } => None,
        TeacherError::Status { .. } => Some(Verdict::Refused),
        _ => None,
    }
}

fn hand_over(
    taught: Taught,
    receive: &mut dyn FnMut(Event<'_>) -> std::io::Result<()>,
) -> Result<(), Error> {
    let problem = match &taught {
        Taught::Lesson(lesson) => lesson.id.clone(),
        Taught::Rejected(rejected) => rejected.id.clone(),
    };
    receive(Event::Taught(taught)).map_err(|source| Error::Receiver { problem, source })
}
