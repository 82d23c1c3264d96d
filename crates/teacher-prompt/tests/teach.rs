//! The driver over whole corpora: order, resume, stops.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use distill_core::{
    Completion, Language, Lesson, Problem, Reply, Request, Sampling, Teacher, TeacherError, Usage,
};
use teacher_prompt::{
    BatchOptions, BatchRequests, BatchResults, CacheCounts, Cached, Direction, Event, Exemplars,
    Judge, Metered, Price, Progress, PromptBuilder, Rejected, Replay, ReplyLog, RetryOptions,
    Retrying, Scripted, Stopped, Style, Summary, Taught, Teaching, Verbaliser, Verdict,
};

fn problems(count: usize) -> Vec<Problem> {
    (0..count)
        .map(|at| Problem {
            entry_point: Some(format!("f{at}")),
            reference: Some(format!("def f{at}(x):\n    return x + {at}")),
            source: "file.py".into(),
            ..Problem::new(format!("p{at}"), Language::Python, format!("Add {at}."))
        })
        .collect()
}

/// Answers every problem after its own time, failing now and then.
#[derive(Default)]
struct Model {
    asked: AtomicUsize,
    /// Every so many requests fail once.
    failing: usize,
    tries: Mutex<HashMap<String, usize>>,
}

impl Teacher for Model {
    fn name(&self) -> &str {
        "model"
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(async move {
            let id = request.problem.id.clone();
            let at: usize = id[1..].parse().unwrap();
            tokio::time::sleep(Duration::from_millis((at as u64 * 7919) % 97)).await;
            let tries = {
                let mut tries = self.tries.lock().unwrap();
                let tries = tries.entry(id).or_default();
                *tries += 1;
                *tries
            };
            if self.failing > 0 && at.is_multiple_of(self.failing) && tries == 1 {
                return Err(TeacherError::Connection("cut".into()));
            }
            self.asked.fetch_add(1, Ordering::Relaxed);
            let text = match at % 10 {
                9 => "Pseudocode:\n1. no code".to_owned(),
                _ => format!(
                    "Pseudocode:\n1. add {at}\n2. return\nCode:\n```python\ndef f{at}(x):\n    return x + {at}\n```"
                ),
            };
            let usage = Some(Usage { prompt_tokens: 10, completion_tokens: 20 });
            Ok(Completion { text, finish_reason: Some("stop".into()), usage, raw: String::new() })
        })
    }
}

#[derive(Debug, Default, PartialEq)]
struct Output {
    lessons: Vec<Lesson>,
    rejected: Vec<Rejected>,
    order: Vec<String>,
}

impl Output {
    fn receive(&mut self, event: Event<'_>) {
        match event {
            Event::Taught(Taught::Lesson(lesson)) => {
                self.order.push(lesson.id.clone());
                self.lessons.push(*lesson);
            }
            Event::Taught(Taught::Rejected(rejected)) => {
                self.order.push(rejected.id.clone());
                self.rejected.push(rejected);
            }
            Event::Progress(_) => {}
        }
    }
}

async fn run(
    teaching: &Teaching,
    problems: Vec<Problem>,
    teacher: &dyn Teacher,
) -> (Output, Summary) {
    let mut output = Output::default();
    let summary = teaching
        .run(problems, teacher, &mut |event| {
            output.receive(event);
            Ok(())
        })
        .await
        .unwrap();
    (output, summary)
}

fn teaching() -> Teaching {
    Teaching::new(PromptBuilder::new("model"))
}

#[tokio::test(start_paused = true)]
async fn outcomes_come_in_the_order_of_the_problems() {
    let (output, summary) = run(&teaching(), problems(200), &Model::default()).await;
    let ids: Vec<String> = (0..200).map(|at| format!("p{at}")).collect();
    assert_eq!(output.order, ids);
    let expected = Progress {
        done: 200,
        lessons: 180,
        rejected: [(Verdict::NoCode, 20)].into(),
        usage: Usage { prompt_tokens: 2000, completion_tokens: 4000 },
        in_flight: 0,
    };
    assert_eq!(summary, Summary { progress: expected, stopped: None });
    let lesson = serde_json::to_value(&output.lessons[1]).unwrap();
    assert_eq!(lesson["pseudocode"], serde_json::json!(["add 1", "return"]));
    assert_eq!(lesson["code"], "def f1(x):\n    return x + 1");
    assert_eq!(lesson["teacher"], "model");
    assert_eq!((&lesson["source"], &lesson["prompt_tokens"]), (&"file.py".into(), &10.into()));
    assert_eq!(lesson["reply"].as_str().unwrap().len(), 32);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_off_anywhere_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = run(&teaching(), problems(60), &Model::default()).await;
    let path = folder.path().join("replies.jsonl");
    let mut asked = 0;
    for cut in 0..6 {
        let log = Arc::new(ReplyLog::open(&path).unwrap());
        let had = log.len();
        let teacher = Cached::new(Model { failing: 7, ..Model::default() }, log.clone());
        let teaching = Teaching { concurrency: 4, grace: Duration::ZERO, ..teaching() };
        // As a kill would: the run is dropped with requests in flight, and a line is torn.
        let running = run(&teaching, problems(60), &teacher);
        _ = tokio::time::timeout(Duration::from_millis(100), running).await;
        asked += teacher.inner().asked.load(Ordering::Relaxed);
        assert!(log.len() > had, "no way forward in run {cut}");
        drop((teacher, log));
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"key\":\"00").unwrap();
    }
    let log = Arc::new(ReplyLog::open(&path).unwrap());
    let logged = log.len();
    let teacher = Cached::new(Model::default(), log.clone());
    let (resumed, summary) = run(&teaching(), problems(60), &teacher).await;
    assert_eq!(resumed, whole);
    assert_eq!(summary.stopped, None);
    assert_eq!(teacher.inner().asked.load(Ordering::Relaxed), 60 - logged, "nothing twice");
    assert!(asked >= logged);
    let (replayed, _) = run(&teaching(), problems(60), &Replay::new("model", log)).await;
    assert_eq!(replayed, whole);
}

#[tokio::test(start_paused = true)]
async fn what_failed_for_the_moment_is_rejected_and_asked_again_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(ReplyLog::open(&folder.path().join("replies.jsonl")).unwrap());
    let teacher = Cached::new(Model { failing: 10, ..Model::default() }, log);
    let (first, _) = run(&teaching(), problems(30), &teacher).await;
    let failed: Vec<&str> =
        first.rejected.iter().filter(|r| r.reason == Verdict::Failed).map(|r| &*r.id).collect();
    assert_eq!(failed, ["p0", "p10", "p20"]);
    assert_eq!(teacher.log().len(), 27);
    let (second, _) = run(&teaching(), problems(30), &teacher).await;
    assert_eq!((second.lessons.len(), teacher.log().len()), (27, 30));
    let retrying =
        Retrying::new(Model { failing: 10, ..Model::default() }, RetryOptions::default());
    assert_eq!(run(&teaching(), problems(30), &retrying).await.0.lessons.len(), 27);
}

#[tokio::test(start_paused = true)]
async fn the_budget_stops_the_run_and_keeps_what_is_paid_for() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(ReplyLog::open(&folder.path().join("replies.jsonl")).unwrap());
    let price = Price { prompt: 0.0, completion: 1e6 };
    let teacher = Cached::new(Metered::new(Model::default(), price, Some(3000.0)), log);
    let (output, summary) = run(&teaching(), problems(500), &teacher).await;
    let stopped = summary.stopped.unwrap();
    assert!(
        matches!(stopped, Stopped::Teacher { error: TeacherError::Quota(_), .. }),
        "{stopped:?}"
    );
    assert_eq!(output.order.len(), teacher.log().len(), "every reply paid for is handed over");
    let spent = teacher.inner().spent();
    assert!(spent.cost <= 3000.0 && spent.completions > 90, "{spent:?}");
    let mut sorted = output.order.clone();
    sorted.sort_by_key(|id| id[1..].parse::<usize>().unwrap());
    assert_eq!(output.order, sorted);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_a_dead_server_and_a_flag_stop_the_run() {
    let refused = TeacherError::Status { status: 401, message: "no".into(), retry_after: None };
    let teacher = Scripted::new("s", vec![Err(refused.clone()); 99]);
    let (output, summary) = run(&teaching(), problems(99), &teacher).await;
    assert_eq!(summary.stopped, Some(Stopped::Teacher { problem: "p0".into(), error: refused }));
    assert_eq!((output.order.len(), teacher.asked()), (0, 16), "no more than were in flight");

    let teacher = Scripted::new("s", vec![Err(TeacherError::Connection("refused".into())); 999]);
    let (_, summary) = run(&teaching(), problems(999), &teacher).await;
    assert!(matches!(summary.stopped, Some(Stopped::TooManyFailures { count: 64, .. })));

    let stopping = teaching();
    let mut output = Output::default();
    let summary = stopping
        .run(problems(500), &Model::default(), &mut |event| {
            if let Event::Progress(Progress { done: 40, .. }) = event {
                stopping.cancel.store(true, Ordering::Relaxed);
            }
            output.receive(event);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(summary.stopped, Some(Stopped::Cancelled));
    assert!((40..=40 + 16).contains(&summary.progress.done));
    assert_eq!(output.order.len(), summary.progress.done);
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_by_the_window_while_one_reply_is_slow() {
    struct Slow(AtomicUsize);
    impl Teacher for Slow {
        fn name(&self) -> &str {
            "slow"
        }
        fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
            Box::pin(async move {
                if request.problem.id == "p0" {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                } else if self.0.fetch_add(1, Ordering::Relaxed) >= 49 {
                    // The window is 50: the first and 49 others.
                    return Err(TeacherError::Local("beyond the window".into()));
                }
                Err(TeacherError::Unsupported {
                    teacher: "slow".into(),
                    problem: "p".into(),
                    reason: "x".into(),
                })
            })
        }
    }
    let teacher = Slow(AtomicUsize::new(0));
    let teaching = Teaching { window: 50, concurrency: 8, ..teaching() };
    let (output, _) = run(&teaching, problems(51), &teacher).await;
    assert_eq!(output.order.len(), 50, "the last was only begun when the first was done");
}

#[test]
fn a_receiver_that_fails_ends_the_run_with_its_problem() {
    let teacher = Scripted::texts("s", ["x"]);
    let error = teaching()
        .run_blocking(problems(1), &teacher, &mut |_| Err(std::io::Error::other("disk full")))
        .unwrap_err();
    assert_eq!(error.to_string(), "lesson of problem p0 could not be handed over: disk full");
}

#[test]
fn backward_lessons_hold_the_reference_and_plans_are_judged_first() {
    let prompts = PromptBuilder::new("m").direction(Direction::Backward);
    let mut list = problems(3);
    list[1].reference = None;
    list[2].reference = Some("def broken(:\n    pass".into());
    let teacher = Scripted::texts("m", ["1. add zero\n```python\ndef wrong(): pass\n```"]);
    let mut output = Output::default();
    let summary = Teaching::new(prompts)
        .run_blocking(list.clone(), &teacher, &mut |event| {
            output.receive(event);
            Ok(())
        })
        .unwrap();
    assert_eq!(summary.progress.lessons, 1);
    assert_eq!(Some(&output.lessons[0].solution.code), list[0].reference.as_ref());
    let reasons: Vec<Verdict> = output.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!(reasons, [Verdict::NoReference, Verdict::SyntaxError]);
    assert_eq!(teacher.asked(), 1, "nothing was asked about the other two");
}

#[test]
fn plan_then_implement_asks_for_the_plan_first() {
    let prompts = PromptBuilder::new("m").style(Style::PlanThenImplement);
    let code = "Code:\n```python\ndef f0(x):\n    return x\n```";
    let teacher = Scripted::texts("m", ["Pseudocode:\n1. return x", code]);
    let mut output = Output::default();
    let summary = Teaching::new(prompts)
        .run_blocking(problems(1), &teacher, &mut |event| {
            output.receive(event);
            Ok(())
        })
        .unwrap();
    assert_eq!(summary.progress.lessons, 1, "{:?}", output.rejected);
    let lesson = &output.lessons[0];
    assert_eq!(lesson.solution.pseudocode.to_string(), "1. return x");
    assert_eq!(lesson.solution.code, "def f0(x):\n    return x");
    assert_ne!(lesson.extra["plan_reply"], lesson.reply);
}

#[test]
fn the_offline_teacher_is_one_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(ReplyLog::open(&folder.path().join("replies.jsonl")).unwrap());
    let teacher = Cached::new(Verbaliser, log.clone());
    let mut list = problems(2);
    list.push(Problem { language: Language::Rust, ..list[0].clone() });
    list[2].reference = Some("fn f() -> u8 { 1 }".into());
    let prompts = PromptBuilder::new(Verbaliser::NAME).direction(Direction::Backward);
    let mut output = Output::default();
    let summary = Teaching::new(prompts)
        .run_blocking(list, &teacher, &mut |event| {
            output.receive(event);
            Ok(())
        })
        .unwrap();
    assert_eq!(summary.progress.lessons, 2, "{:?}", output.rejected);
    assert_eq!(output.rejected[0].reason, Verdict::Unsupported);
    assert!(output.rejected[0].detail.contains("rust"), "{}", output.rejected[0].detail);
    let raw = log.get(&output.lessons[0].reply).unwrap().unwrap().raw;
    assert!(Verbaliser::coverage(&raw).unwrap().nodes > 0);
}

/// What a batch server makes of a request file: results in the opposite order, every `failing`-th
/// request failed, and the last quarter not run before the batch expired.
fn run_batch(requests: &str, failing: usize) -> (String, String) {
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    let lines: Vec<serde_json::Value> =
        requests.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (at, line) in lines.iter().enumerate() {
        let id = &line["custom_id"];
        let messages = line["body"]["messages"].to_string();
        let (_, rest) = messages.rsplit_once("Add ").unwrap();
        let (number, _) = rest.split_once('.').unwrap();
        let text = format!(
            "Pseudocode:\n1. add {number}\n2. return\nCode:\n```python\ndef f{number}(x):\n    return x + {number}\n```"
        );
        let body = serde_json::json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 20}});
        let expired = at >= lines.len() - lines.len() / 4;
        let (response, error) = match (expired, at % failing == failing - 1) {
            (true, _) => {
                (None, Some(serde_json::json!({"code": "batch_expired", "message": "late"})))
            }
            (_, true) => (
                Some(
                    serde_json::json!({"status_code": 500, "body": {"error": {"code": "server_error"}}}),
                ),
                None,
            ),
            _ => (Some(serde_json::json!({"status_code": 200, "body": body})), None),
        };
        let failed = expired || at % failing == failing - 1;
        let line =
            serde_json::json!({"id": "r", "custom_id": id, "response": response, "error": error});
        if failed { &mut errors } else { &mut results }.push(line.to_string());
    }
    results.reverse();
    (results.join("\n") + "\n", errors.join("\n") + "\n")
}

#[tokio::test(start_paused = true)]
async fn lessons_by_batch_files_are_those_of_a_server_and_nothing_is_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(ReplyLog::open(&folder.path().join("replies.jsonl")).unwrap());
    let (whole, _) = run(
        &teaching(),
        problems(100).into_iter().filter(|p| !p.id.ends_with('9')).collect(),
        &Model::default(),
    )
    .await;
    let asked = || problems(100).into_iter().filter(|p| !p.id.ends_with('9')).collect::<Vec<_>>();
    let (mut written, mut rounds) = (Vec::new(), 0);
    loop {
        rounds += 1;
        let out = folder.path().join(format!("batch{rounds}"));
        let options = BatchOptions { max_requests: 30, ..BatchOptions::default() };
        let teacher = Cached::new(BatchRequests::create(&out, options).unwrap(), log.clone());
        let (output, summary) = run(&teaching(), asked(), &teacher).await;
        assert_eq!(summary.stopped, None);
        let files = teacher.inner().finish().unwrap();
        assert_eq!(teacher.inner().written() + output.lessons.len(), 90);
        written.push(teacher.inner().written());
        if files.is_empty() {
            assert_eq!(
                output.lessons.iter().map(|l| &l.solution).collect::<Vec<_>>(),
                whole.lessons.iter().map(|l| &l.solution).collect::<Vec<_>>()
            );
            break;
        }
        let mut answers = Vec::new();
        for (at, file) in files.iter().enumerate() {
            let (results, errors) = run_batch(&std::fs::read_to_string(file).unwrap(), 5 + rounds);
            for (name, text) in [("results", results), ("errors", errors)] {
                let path = out.join(format!("{name}{at}"));
                std::fs::write(&path, text).unwrap();
                answers.push(path);
            }
        }
        let results = BatchResults::open("model", answers).unwrap();
        let teacher = Cached::new(results, log.clone());
        let impatient = Teaching { failures_in_a_row: 3, ..teaching() };
        let (output, summary) = run(&impatient, asked(), &teacher).await;
        assert_eq!(summary.stopped, None, "many failed in a row, but of a server that is there");
        assert_eq!(output.order.len(), 90);
        let counts = teacher.inner().counts();
        assert_eq!((counts.replies, counts.damaged), (counts.answered, 0));
        assert!(output.rejected.iter().all(|r| r.reason == Verdict::Failed));
        let detail = &output.rejected.first().map(|r| r.detail.clone()).unwrap_or_default();
        assert!(
            rounds > 1 || detail.contains("server_error") || detail.contains("batch_expired"),
            "{detail}"
        );
    }
    assert_eq!(written[0], 90);
    assert!(written.windows(2).all(|w| w[1] < w[0]), "{written:?}");
    assert_eq!(log.len(), 90);
}

#[tokio::test(start_paused = true)]
async fn replies_of_another_sampling_count_only_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let log = Arc::new(ReplyLog::open(&path).unwrap());
    let with = |max_tokens| {
        let sampling = Sampling { max_tokens: Some(max_tokens), ..Sampling::default() };
        Teaching::new(PromptBuilder::new("model").sampling(sampling))
    };
    let (first, _) =
        run(&with(500), problems(20), &Cached::new(Model::default(), log.clone())).await;
    let requests = || problems(25).into_iter().map(|p| with(900).prompts.request(&p).unwrap());
    let offer = log.offer(requests()).unwrap();
    assert_eq!((offer.logged, offer.reusable, offer.missing), (0, 20, 5));
    assert_eq!(offer.differences, [("max_tokens: 500 → 900".to_owned(), 20)].into());
    drop(log);

    let log = Arc::new(ReplyLog::open(&path).unwrap());
    let strict = Cached::new(Model::default(), log.clone());
    let (_, _) = run(&with(700), problems(3), &strict).await;
    assert_eq!(strict.counts(), CacheCounts { logged: 0, reused: 0, asked: 3 }, "never silently");
    let reusing = Cached::new(Model::default(), log.clone()).reuse_other_sampling(true);
    let (second, _) = run(&with(900), problems(25), &reusing).await;
    assert_eq!(reusing.counts(), CacheCounts { logged: 0, reused: 20, asked: 5 });
    assert_eq!(reusing.inner().asked.load(Ordering::Relaxed), 5);
    assert_eq!(second.lessons[0].solution, first.lessons[0].solution);
    let taken_over = log.get(&second.lessons[0].reply).unwrap().unwrap();
    assert_eq!(taken_over.reused_from.as_deref(), Some(&*first.lessons[0].reply));
    assert_eq!(taken_over.sampling["max_tokens"], 500, "as it was drawn");
    let later = Cached::new(Model::default(), log);
    let (_, _) = run(&with(900), problems(25), &later).await;
    assert_eq!(later.counts(), CacheCounts { logged: 5, reused: 20, asked: 0 }, "still told apart");
}

#[test]
fn of_several_samples_the_best_plan_is_kept_and_what_is_cut_short_drawn_again() {
    let reply = |steps: usize, finish: &str| {
        let steps: String = (1..=steps).map(|n| format!("{n}. step {n}\n")).collect();
        let text = format!("Pseudocode:\n{steps}Code:\n```python\ndef f0(x):\n    return x\n```");
        Ok(Completion { text, finish_reason: Some(finish.into()), usage: None, raw: String::new() })
    };
    let teach = |teaching: &Teaching, replies: Vec<Result<Completion, TeacherError>>| {
        let teacher = Scripted::new("m", replies);
        let mut output = Output::default();
        let summary = teaching
            .run_blocking(problems(1), &teacher, &mut |event| {
                output.receive(event);
                Ok(())
            })
            .unwrap();
        assert_eq!(summary.stopped, None);
        (output, teacher.asked())
    };
    struct Longest;
    impl Judge for Longest {
        fn name(&self) -> &str {
            "longest"
        }

        fn score(&self, lessons: &[Lesson]) -> Result<Vec<f64>, teacher_prompt::Error> {
            assert!(lessons.iter().all(|lesson| !lesson.solution.code.is_empty()));
            Ok(lessons.iter().map(|lesson| lesson.solution.pseudocode.len() as f64).collect())
        }
    }
    let sampling = Teaching { samples: 3, judge: Some(Arc::new(Longest)), ..teaching() };
    let (output, asked) =
        teach(&sampling, vec![reply(2, "stop"), reply(4, "stop"), reply(3, "stop")]);
    assert_eq!((output.lessons[0].solution.pseudocode.len(), asked), (4, 3));
    assert_eq!(
        (&output.lessons[0].extra["sample"], &output.lessons[0].extra["score"]),
        (&1.into(), &4.0.into())
    );
    let (output, _) =
        teach(&sampling, vec![reply(2, "length"), reply(2, "stop"), reply(1, "stop")]);
    assert_eq!(output.lessons[0].extra["sample"], 1, "a rejected sample is no candidate");

    let redrawing = Teaching { redraws: 2, ..teaching() };
    let (output, asked) =
        teach(&redrawing, vec![reply(1, "length"), reply(2, "stop"), reply(3, "stop")]);
    assert_eq!((output.lessons.len(), asked), (1, 2));
    let (output, asked) = teach(&redrawing, vec![reply(1, "length"); 9]);
    assert_eq!((output.rejected[0].reason, asked), (Verdict::CutShort, 3));
    let (output, asked) = teach(&teaching(), vec![reply(1, "length"); 9]);
    assert_eq!((output.rejected[0].reason, asked), (Verdict::CutShort, 1));
}

#[test]
fn a_lesson_names_the_exemplars_of_its_prompt() {
    let mut shot = Output::default();
    let plan = "Pseudocode:\n1. return x\nCode:\n```python\ndef f0(x):\n    return x\n```";
    let run = |prompts: PromptBuilder, output: &mut Output| {
        let teacher = Scripted::texts("m", [plan]);
        let receive = &mut |event: Event<'_>| {
            output.receive(event);
            Ok(())
        };
        Teaching::new(prompts).run_blocking(problems(1), &teacher, receive).unwrap()
    };
    let _ = run(PromptBuilder::new("m"), &mut shot);
    assert!(!shot.lessons[0].extra.contains_key("exemplars"));
    let other = Lesson { id: "shown".into(), query: "Else.".into(), ..shot.lessons[0].clone() };
    let exemplars = Exemplars::Chosen(vec![shot.lessons[0].clone(), other]);
    let mut output = Output::default();
    let _ = run(PromptBuilder::new("m").exemplars(exemplars), &mut output);
    // The problem's own lesson would give the answer away.
    assert_eq!(output.lessons[0].extra["exemplars"], serde_json::json!(["shown"]));
}
