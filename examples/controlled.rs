//! Does a student learn? From scratch, on a corpus that is generated and can be understood completely:
//! `cargo run --release -p examples --example controlled`, some ten minutes on two cores.
//!
//! A fifth of the compositions is held out in every language at once (see `code_corpus::controlled`).
//! Prints what share of their code the student writes character by character, beside that of copying the
//! nearest training problem's code. Leaves the student and its `metrics.jsonl` in a folder, with
//! `curve.jsonl` and `curve.svg`: the share of a few held-out problems while it learns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use code_corpus::controlled::{self, Controlled, LANGUAGES};
use code_corpus::{Corpus, Options, Source, Split, tokens};
use distill_core::{Lesson, Mode, Problem, Student};
use serde_json::json;
use student_core::{Dataset, Item, TrainConfig, Trainer};
use student_t5::{Preset, T5Config, T5Student, Tokenizer};
use tch::Device;

/// Trains a student on generated problems and lets it answer others.
#[derive(Parser)]
struct Arguments {
    /// Compositions, a fifth of which is held out.
    #[arg(long, default_value_t = 2000)]
    compositions: usize,
    /// Decides corpus, split and student.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Optimizer steps.
    #[arg(long, default_value_t = 3000)]
    steps: u64,
    /// Problems a step.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 0.02)]
    learning_rate: f64,
    /// Steps between two points of the curve.
    #[arg(long, default_value_t = 250)]
    every: u64,
    /// Threads of libtorch.
    #[arg(long, default_value_t = 2)]
    threads: i32,
    /// Learn code from plans, too, and answer in both modes.
    #[arg(long)]
    chained: bool,
    /// The student's folder; a run that was interrupted goes on where it was.
    #[arg(long, default_value = "runs/controlled")]
    out: PathBuf,
}

/// Problems on the curve.
const FEW: usize = 60;

/// The share of right answers by language.
type Shares = BTreeMap<&'static str, f64>;

/// A point of the curve: seconds, steps, shares.
type Point = (f64, u64, Shares);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tch::set_num_threads(arguments.threads);
    let source = Source::Controlled(Controlled {
        compositions: arguments.compositions,
        seed: arguments.seed,
        ..Controlled::default()
    });
    let split = Split::Shares { valid: 0.02, test: 0.2, seed: arguments.seed };
    let corpus = Corpus::build(&source, &Options { split, ..Options::default() }, &|_| {})?;
    let (train, test) = (&corpus.train, &corpus.test);
    println!("{} problems to learn from, {} to answer", train.len(), test.len());
    println!("the nearest problem's code: {}", in_words(&shares(test, &nearest(&corpus))));

    let start = Instant::now();
    let student = untrained(&arguments, train)?;
    println!("{:.1} M parameters", student.model.parameter_count() as f64 / 1e6);
    let (training, validation) =
        (items(&arguments, &student, train)?, items(&arguments, &student, &corpus.valid)?);
    let config = TrainConfig {
        seed: arguments.seed,
        batch: arguments.batch,
        max_steps: Some(arguments.steps),
        learning_rate: arguments.learning_rate,
        evaluate_every: Some(arguments.every),
        checkpoint_every: None,
        ..TrainConfig::demo()
    };
    let few: Vec<Problem> = test.iter().step_by(test.len().div_ceil(FEW).max(1)).cloned().collect();
    let mut curve: Vec<Point> = Vec::new();
    let mut failed = None;
    let trainer = Trainer::new(config, &arguments.out)?;
    trainer.train(&student.model, &training, &validation, &mut |progress| {
        if progress.validation.is_none() || progress.step == 0 {
            return;
        }
        match answers(&student, &few, Mode::Direct) {
            Ok(codes) => {
                let point = (start.elapsed().as_secs_f64(), progress.step, shares(&few, &codes));
                println!("{:4.0} s, step {}: {}", point.0, point.1, in_words(&point.2));
                curve.push(point);
            }
            Err(error) => failed = Some(error),
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    println!("trained in {:.0} s", start.elapsed().as_secs_f64());
    student.save(&arguments.out)?;
    let lines = curve.iter().map(|(seconds, step, shares)| {
        json!({"seconds": seconds, "step": step, "exact": shares}).to_string() + "\n"
    });
    fs::write(arguments.out.join("curve.jsonl"), lines.collect::<String>())?;
    fs::write(arguments.out.join("curve.svg"), draw(&curve))?;

    let modes: &[Mode] =
        if arguments.chained { &[Mode::Direct, Mode::Chained] } else { &[Mode::Direct] };
    for &mode in modes {
        let shares = shares(test, &answers(&student, test, mode)?);
        println!("{mode}: {} of all {} held-out problems", in_words(&shares), test.len());
    }
    Ok(())
}

/// A nano-sized T5 with a tokenizer of the training problems.
fn untrained(arguments: &Arguments, train: &[Problem]) -> anyhow::Result<T5Student> {
    let texts = train.iter().filter_map(controlled::lesson).flat_map(|lesson| {
        let Lesson { query, solution, .. } = lesson;
        [query, solution.pseudocode.to_string(), solution.code]
    });
    let tokenizer = Tokenizer::train(texts.collect::<Vec<_>>(), 1024)?;
    // Every problem is new to it: nothing to learn by heart that dropout would have to keep it from.
    let shape =
        T5Config { dropout_rate: 0.0, ..T5Config::preset(Preset::Nano, tokenizer.size() as i64) };
    let mut student = T5Student::new(shape, tokenizer, arguments.seed, Device::Cpu)?;
    student.generation.max_new_tokens = Some(320);
    Ok(student)
}

/// Both tasks of every problem.
fn items(
    arguments: &Arguments,
    student: &T5Student,
    problems: &[Problem],
) -> anyhow::Result<Dataset> {
    let items = problems.iter().filter_map(controlled::lesson).map(|lesson| {
        let (mut item, _) = student.encode_lesson(&lesson)?;
        if !arguments.chained {
            item.code.truncate(1);
        }
        Ok(item)
    });
    Ok(Dataset::new(items.collect::<anyhow::Result<Vec<Item>>>()?)?)
}

/// The code of the student's best answers.
fn answers(student: &T5Student, problems: &[Problem], mode: Mode) -> anyhow::Result<Vec<String>> {
    let answers = student.answer(problems, mode, 1)?;
    let best = answers.into_iter().map(|answers| answers.into_iter().next());
    Ok(best.map(|best| best.map_or_else(String::new, |best| best.solution.code)).collect())
}

/// For each test problem the code of the training problem in its language whose text shares the largest
/// part of its words.
fn nearest(corpus: &Corpus) -> Vec<String> {
    let words = |problem: &Problem| -> BTreeSet<String> {
        tokens::tokens(&problem.query).map(str::to_owned).collect()
    };
    let training: Vec<_> = corpus.train.iter().map(|problem| (problem, words(problem))).collect();
    let nearest = |problem: &Problem| {
        let own = words(problem);
        let likeness = |other: &BTreeSet<String>| {
            own.intersection(other).count() as f64 / own.union(other).count() as f64
        };
        training
            .iter()
            .filter(|(other, _)| other.language == problem.language)
            .max_by(|one, other| likeness(&one.1).total_cmp(&likeness(&other.1)))
            .and_then(|(other, _)| other.reference.clone())
            .unwrap_or_default()
    };
    corpus.test.iter().map(nearest).collect()
}

/// How many of the codes are the problems' references, character by character.
fn shares(problems: &[Problem], codes: &[String]) -> Shares {
    let share = |language| {
        let (mut right, mut all) = (0, 0);
        for (problem, code) in problems.iter().zip(codes) {
            if problem.language == language {
                all += 1;
                right += usize::from(problem.reference.as_ref() == Some(code));
            }
        }
        right as f64 / all.max(1) as f64
    };
    LANGUAGES.into_iter().map(|language| (language.title(), share(language))).collect()
}

fn in_words(shares: &Shares) -> String {
    let parts = shares.iter().map(|(language, share)| format!("{language} {:.1} %", 100.0 * share));
    parts.collect::<Vec<_>>().join(", ")
}

/// The curve as a picture: per cent over seconds, a line a language.
fn draw(curve: &[Point]) -> String {
    const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];
    let end = curve.last().map_or(1.0, |point| point.0.max(1.0));
    let x = |seconds: f64| 50.0 + 520.0 * seconds / end;
    let y = |share: f64| 270.0 - 240.0 * share;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 660 310\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"660\" height=\"310\" fill=\"white\"/>\n",
    );
    for tenth in (0..=10).step_by(2) {
        let (share, at) = (f64::from(tenth) / 10.0, y(f64::from(tenth) / 10.0));
        let _ = writeln!(
            svg,
            "<path d=\"M50 {at}H570\" stroke=\"#ddd\"/><text x=\"44\" y=\"{}\" text-anchor=\"end\">{:.0} \
             %</text><text x=\"{}\" y=\"290\" text-anchor=\"middle\">{:.0} s</text>",
            at + 4.0,
            100.0 * share,
            x(share * end),
            share * end
        );
    }
    let languages: Vec<&str> =
        curve.first().map_or(Vec::new(), |point| point.2.keys().copied().collect());
    for (language, colour) in languages.into_iter().zip(COLOURS) {
        let points = curve.iter().map(|(seconds, _, shares)| {
            format!("{:.1},{:.1}", x(*seconds), y(shares.get(language).copied().unwrap_or(0.0)))
        });
        let points: Vec<String> = points.collect();
        let height = 40 + 18 * COLOURS.iter().position(|other| *other == colour).unwrap_or(0);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"585\" \
             y=\"{height}\" fill=\"{colour}\">{language}</text>",
            points.join(" ")
        );
    }
    svg + "</svg>\n"
}
