//! Arguments, signals and exit codes.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use code_corpus::Source;
use distill::config::{Shard, TeacherKind};
use distill::experiment::{Collected, Tables};
#[cfg(feature = "torch")]
use distill::experiment::{Experiment, Selection, collect, run as run_experiment};
use distill::{DistillError, LessonsOptions, Run, RunConfig, RunFolder, stages};
#[cfg(feature = "torch")]
use distill_core::{Language, Mode};
use pass_at_k::Judge;
use pass_at_k::sandbox::{Launcher, Sandbox};
use teacher_prompt::{Ablation, Format};

use crate::bars::Bars;
use crate::evidence::{self, PlanArguments};

/// Distil the reasoning of a large code model into a small one.
#[derive(Parser)]
#[command(name = "distill", version, max_term_width = 100)]
struct Cli {
    /// No progress, no log; only results and errors.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every stage in turn, from corpus to report; continues where an earlier call stopped.
    Run(RunArguments),
    /// Mine problems from source trees.
    Mine(RunArguments),
    /// Import problems from CodeSearchNet or other JSONL files.
    Import(RunArguments),
    /// Ask the teacher for lessons.
    Teach(TeachArguments),
    /// Take the replies of other logs over into a run's, such as those of its shards.
    Merge(MergeArguments),
    /// Write the teacher's requests as batch files, or read the results of a batch.
    Batch(BatchArguments),
    /// Write a run's lessons as a data set that `datasets.load_dataset` opens.
    Lessons(LessonsArguments),
    /// Train the students.
    #[cfg(feature = "torch")]
    Train(RunArguments),
    /// Have the students answer the test problems.
    #[cfg(feature = "torch")]
    Answer(RunArguments),
    /// Score the answers.
    Score(RunArguments),
    /// Write report.md, report.html and report.json.
    Report(RunArguments),
    /// Make every run of a matrix of settings and seeds, and the tables that compare them.
    #[cfg(feature = "torch")]
    Experiment(ExperimentArguments),
    /// Make the tables of an experiment anew from its raw scores.
    Tables(TablesArguments),
    /// Answer one problem with pseudocode and code.
    #[cfg(feature = "torch")]
    Ask(AskArguments),
    /// Read steps and code from teachers' raw replies: JSONL in, JSONL out.
    Parse(FilterArguments),
    /// Write pseudocode for code, offline: JSONL in, JSONL out.
    Verbalise(FilterArguments),
    /// Compare two score files: difference, interval and p for each figure.
    Compare(evidence::CompareArguments),
    /// Run candidates with their tests in a sandbox: JSONL in, JSONL out.
    Passk(evidence::PasskArguments),
    /// Have people rate answers: sheets out, ratings in, what they say.
    #[command(subcommand)]
    Human(evidence::HumanCommand),
    /// What static analysers warn of in candidates, per 1,000, beside the share that parses.
    Security(evidence::SecurityArguments),
}

#[derive(Args)]
struct RunArguments {
    /// The run: a configuration file, or the folder of a run that was begun before.
    run: PathBuf,
    /// Name of the run's folder, instead of the configuration's.
    #[arg(long)]
    name: Option<String>,
    /// Where run folders lie.
    #[arg(long, default_value = "runs")]
    runs: PathBuf,
    /// Seed of every random choice.
    #[arg(long)]
    seed: Option<u64>,
    /// CPU threads.
    #[arg(long)]
    threads: Option<usize>,
    /// Stop at the first bad line of the corpus.
    #[arg(long)]
    strict: bool,
    /// Who writes the lessons.
    #[arg(long)]
    teacher: Option<TeacherChoice>,
    /// Base address of an OpenAI-compatible server.
    #[arg(long)]
    base_url: Option<String>,
    /// The teacher's model, as the server knows it.
    #[arg(long)]
    model: Option<String>,
    /// The environment variable that holds the server's key.
    #[arg(long)]
    api_key_env: Option<String>,
    /// Requests in flight.
    #[arg(long)]
    concurrency: Option<usize>,
    /// Ask the teacher about at most so many problems.
    #[arg(long)]
    limit: Option<usize>,
    /// Ask the teacher about this share of the problems only, as a run of its own named after it;
    /// `distill merge` brings the replies together.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// The most that the replies in the run's log may cost; needs the configuration's price.
    #[arg(long)]
    budget: Option<f64>,
}

#[derive(Args)]
struct TeachArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Print one request and what all of them would take, and ask nothing.
    #[arg(long)]
    dry_run: bool,
    /// Make the lessons anew: what failed is asked again, what is logged is not. Also after a change
    /// of filters, samples or limit.
    #[arg(long)]
    retry_failed: bool,
    /// Let logged replies to the same question count although they were drawn with other sampling;
    /// `--dry-run` says how many there are and what differs.
    #[arg(long)]
    reuse_sampling: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false, id = "way", args = ["out", "results"])]
struct BatchArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Write the requests that the log does not answer into this folder, as files of OpenAI's Batch
    /// format: for a hosted batch or `vllm run-batch`.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Log the replies of a batch's result and error files; `distill teach` makes lessons of them.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    results: Vec<PathBuf>,
}

#[derive(Args)]
struct MergeArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Logs (`.jsonl`, `.jsonl.gz`) or folders of runs.
    #[arg(long, required = true, num_args = 1..)]
    from: Vec<PathBuf>,
}

#[derive(Args)]
struct LessonsArguments {
    /// The folder of a run whose lessons are done.
    run: PathBuf,
    /// The folder to write: a new or an empty one, or one that this command wrote.
    #[arg(long)]
    out: PathBuf,
    /// The files' format.
    #[arg(long, default_value = "jsonl")]
    format: FormatChoice,
    /// Spoil the pseudocode, to measure what it is worth.
    #[arg(long)]
    ablate: Option<AblationChoice>,
    /// With `--ablate drop`: the share of steps to leave out.
    #[arg(long, default_value_t = 0.5)]
    drop_share: f64,
    /// Seed of the ablation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Licence for the card, as the Hub names it, such as `cc-by-4.0`.
    #[arg(long)]
    license: Option<String>,
    /// Leave the teacher's own words out.
    #[arg(long)]
    without_replies: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatChoice {
    Jsonl,
    #[cfg(feature = "parquet")]
    Parquet,
}

#[derive(Clone, Copy, ValueEnum)]
enum AblationChoice {
    /// The steps of each lesson in a random order.
    Shuffle,
    /// The steps of another problem.
    Replace,
    /// Fewer steps.
    Drop,
}

#[derive(Clone, Copy, ValueEnum)]
enum TeacherChoice {
    Verbaliser,
    Corpus,
    Openai,
    Replay,
}

#[cfg(feature = "torch")]
#[derive(Args)]
struct ExperimentArguments {
    /// The experiment: a run's configuration with a section `experiment`.
    file: PathBuf,
    /// Where folders of experiments lie.
    #[arg(long, default_value = "runs")]
    runs: PathBuf,
    /// Only the cells with these values in their names, such as `distilled` or `400.seed2`
    /// (several: repeat).
    #[arg(long, value_name = "VALUE[.VALUE…]")]
    only: Vec<String>,
    /// Only this share of the cells; what several machines have made is put together by --have.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Raw scores made elsewhere (`results.jsonl.gz`, with `costs.jsonl` beside it; several: repeat):
    /// their cells are not made again, and stand in the tables with the others.
    #[arg(long, value_name = "RESULTS")]
    have: Vec<PathBuf>,
    /// Name the cells and make none.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    plan: PlanArguments,
}

#[derive(Args)]
struct TablesArguments {
    /// The raw scores: `results.jsonl.gz` of an experiment.
    results: PathBuf,
    /// Where `tables.md`, `tables.html` and `tables.json` go; beside the results where left out.
    #[arg(long)]
    out: Option<PathBuf>,
    /// What the tables are headed; the folder's name where left out.
    #[arg(long)]
    name: Option<String>,
    /// Fail unless the tables that are there already say exactly this.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    plan: PlanArguments,
}

#[cfg(feature = "torch")]
#[derive(Args)]
struct AskArguments {
    /// The problem, in prose.
    query: String,
    /// A trained student: a folder in Hugging Face layout.
    #[arg(long)]
    student: PathBuf,
    /// The language in which an answer is wanted.
    #[arg(long, default_value = "python")]
    language: Language,
    /// direct: code alone; chained: pseudocode first, code from it.
    #[arg(long, default_value = "chained")]
    mode: Mode,
    /// Chained: draw so many plans and sum each code's probability over them, instead of following the
    /// likeliest plan.
    #[arg(long, value_name = "COUNT")]
    plans: Option<usize>,
    /// Number of answers.
    #[arg(long, short, default_value_t = 1)]
    n: usize,
    /// CPU threads.
    #[arg(long)]
    threads: Option<usize>,
    /// One JSON object an answer.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct FilterArguments {
    /// One JSON object a line: the only form there is; the flag says that it is wanted.
    #[arg(long)]
    json: bool,
    /// The input; standard input where left out or `-`.
    file: Option<PathBuf>,
}

/// An error with its causes, each said once: many errors say theirs themselves.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.contains(&cause)) {
            (true, _) => cause,
            (false, true) => text,
            (false, false) => format!("{text}: {cause}"),
        }
    })
}

pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    if !cli.quiet {
        let filter = tracing_subscriber::EnvFilter::try_from_env("DISTILL_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .without_time()
            .init();
    }
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if is_broken_pipe(&error) {
                return ExitCode::SUCCESS;
            }
            eprintln!("error: {}", told(&error));
            match error.downcast_ref() {
                Some(DistillError::Interrupted) => ExitCode::from(130),
                Some(
                    DistillError::Config(_)
                    | DistillError::OtherConfig { .. }
                    | DistillError::Order { .. },
                ) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Whether whoever read our output has gone (`distill parse | head`): no failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn dispatch(cli: Cli) -> Result<()> {
    let bars = Bars::new(cli.quiet);
    match cli.command {
        Command::Run(arguments) => {
            with_run(&arguments, &bars, |run| {
                stages::corpus(run)?;
                stages::teach(run)?;
                #[cfg(feature = "torch")]
                {
                    stages::train(run)?;
                    stages::answer(run)?;
                    stages::score(run, judge(&run.config)?.as_ref())?;
                }
                stages::report(run)
            })?;
            #[cfg(not(feature = "torch"))]
            eprintln!("this build has no libtorch: training, answering and scoring were left out");
            Ok(())
        }
        Command::Mine(arguments) => with_run(&arguments, &bars, |run| {
            let mines = matches!(
                run.config.corpus.source,
                Source::PythonStdlib { .. } | Source::Tree { .. } | Source::Controlled(_)
            );
            expect_corpus(mines, "import")?;
            stages::corpus(run)
        }),
        Command::Import(arguments) => with_run(&arguments, &bars, |run| {
            let imports = matches!(
                run.config.corpus.source,
                Source::CodeSearchNet { .. } | Source::Jsonl { .. }
            );
            expect_corpus(imports, "mine")?;
            stages::corpus(run)
        }),
        Command::Teach(arguments) => teach(&arguments, &bars),
        Command::Merge(arguments) => with_run(&arguments.run, &bars, |run| {
            let merged = stages::merge(run, &arguments.from)?;
            println!(
                "{} replies read, {} of them new, {} damaged lines passed over",
                merged.read, merged.added, merged.damaged
            );
            Ok(())
        }),
        Command::Batch(arguments) => with_run(&arguments.run, &bars, |run| batch(run, &arguments)),
        Command::Lessons(arguments) => lessons(&arguments),
        #[cfg(feature = "torch")]
        Command::Train(arguments) => with_run(&arguments, &bars, stages::train),
        #[cfg(feature = "torch")]
        Command::Answer(arguments) => with_run(&arguments, &bars, stages::answer),
        Command::Score(arguments) => {
            with_run(&arguments, &bars, |run| stages::score(run, judge(&run.config)?.as_ref()))
        }
        Command::Report(arguments) => with_run(&arguments, &bars, stages::report),
        #[cfg(feature = "torch")]
        Command::Experiment(arguments) => experiment(&arguments, &bars),
        Command::Tables(arguments) => tables(&arguments),
        #[cfg(feature = "torch")]
        Command::Ask(arguments) => ask(&arguments),
        Command::Parse(arguments) => {
            filter(&arguments, |input, path, output| distill::filters::parse(input, path, output))
        }
        Command::Verbalise(arguments) => filter(&arguments, |input, path, output| {
            distill::filters::verbalise(input, path, output)
        }),
        Command::Compare(arguments) => evidence::compare(&arguments),
        Command::Passk(arguments) => evidence::passk(&arguments),
        Command::Human(command) => evidence::human(&command),
        Command::Security(arguments) => evidence::security(&arguments),
    }
}

/// What runs the tests that the configuration asks for; none where it asks for none.
fn judge(config: &RunConfig) -> Result<Option<Judge>, DistillError> {
    if config.answers.run_tests == 0 {
        return Ok(None);
    }
    let sandbox = Launcher::this_program().and_then(Sandbox::new).map_err(|error| {
        DistillError::Config(format!("answers.run_tests: programs cannot be shut in here: {error}"))
    })?;
    Ok(Some(Judge::new(Some(sandbox), TEST_SECONDS)))
}

/// Seconds that the tests of an answer may take.
const TEST_SECONDS: f64 = 10.0;

fn expect_corpus(holds: bool, other: &str) -> Result<(), DistillError> {
    if holds {
        return Ok(());
    }
    Err(DistillError::Config(format!(
        "this run's corpus is of another kind: use `distill {other}`"
    )))
}

/// Opens the run that the arguments mean, with Ctrl-C wired to its stop flag, and does `work`.
fn with_run(
    arguments: &RunArguments,
    bars: &Bars,
    work: impl FnOnce(&Run<'_>) -> Result<(), DistillError>,
) -> Result<()> {
    with_configuration(arguments, bars, |_| {}, work)
}

fn with_configuration(
    arguments: &RunArguments,
    bars: &Bars,
    change: impl FnOnce(&mut RunConfig),
    work: impl FnOnce(&Run<'_>) -> Result<(), DistillError>,
) -> Result<()> {
    let (mut config, parent) = configuration(arguments)?;
    change(&mut config);
    let stop = stop_on_ctrl_c()?;
    let mut run = Run::open(config, &parent, bars, stop)?;
    let words: Vec<String> = std::env::args().skip(2).collect();
    run.command = format!("distill run {}", words.join(" "));
    work(&run)?;
    Ok(())
}

/// The configuration that the arguments mean and the folder that holds run folders.
fn configuration(arguments: &RunArguments) -> Result<(RunConfig, PathBuf)> {
    let path = &arguments.run;
    let (mut config, parent) = if path.is_dir() {
        let mut config = RunConfig::read(&path.join("run.toml"))?;
        let full = path.canonicalize().with_context(|| format!("no folder {}", path.display()))?;
        config.name = full.file_name().map_or_else(String::new, |n| n.to_string_lossy().into());
        (config, full.parent().unwrap_or(Path::new(".")).to_owned())
    } else {
        (RunConfig::read(path)?, arguments.runs.clone())
    };
    if let Some(name) = &arguments.name {
        config.name.clone_from(name);
    }
    config.seed = arguments.seed.unwrap_or(config.seed);
    config.threads = arguments.threads.or(config.threads);
    config.corpus.strict |= arguments.strict;
    let teacher = &mut config.teacher;
    if let Some(choice) = arguments.teacher {
        teacher.kind = match choice {
            TeacherChoice::Verbaliser => TeacherKind::Verbaliser,
            TeacherChoice::Corpus => TeacherKind::Corpus,
            TeacherChoice::Openai => TeacherKind::Openai,
            TeacherChoice::Replay => TeacherKind::Replay,
        };
    }
    teacher.base_url = arguments.base_url.clone().or(teacher.base_url.take());
    teacher.model = arguments.model.clone().or(teacher.model.take());
    if let Some(name) = &arguments.api_key_env {
        teacher.api_key_env.clone_from(name);
    }
    teacher.concurrency = arguments.concurrency.unwrap_or(teacher.concurrency);
    teacher.limit = arguments.limit.or(teacher.limit);
    teacher.budget = arguments.budget.or(teacher.budget);
    if let Some(shard) = arguments.shard {
        teacher.shard = Some(shard);
        if arguments.name.is_none() {
            config.name += &format!(".shard-{}-of-{}", shard.index, shard.count);
        }
    }
    Ok((config, parent))
}

fn teach(arguments: &TeachArguments, bars: &Bars) -> Result<()> {
    if arguments.retry_failed {
        let (config, parent) = configuration(&arguments.run)?;
        stages::reopen_teaching(&RunFolder::new(parent.join(&config.name)))?;
    }
    with_configuration(
        &arguments.run,
        bars,
        |config| {
            config.teacher.reuse_other_sampling |= arguments.reuse_sampling;
        },
        |run| {
            if arguments.run.shard.is_some() {
                // A shard is a run of its own: its corpus is that of every other, made again.
                stages::corpus(run)?;
            }
            match arguments.dry_run {
                true => show(&stages::dry_run(run)?),
                false => stages::teach(run),
            }
        },
    )
}

fn batch(run: &Run<'_>, arguments: &BatchArguments) -> Result<(), DistillError> {
    if let Some(folder) = &arguments.out {
        let written = stages::batch_requests(run, folder)?;
        for file in &written.files {
            println!("{}", file.display());
        }
        println!("{} requests to ask, {} answered by the log", written.requests, written.logged);
        return Ok(());
    }
    let counts = stages::batch_results(run, &arguments.results)?;
    println!(
        "{} replies, {} of them asked for by this run; {} damaged lines passed over",
        counts.replies, counts.answered, counts.damaged
    );
    for (class, count) in &counts.failed {
        println!("{count} failed: {class}");
    }
    Ok(())
}

/// One request, and what all of them would take.
fn show(estimate: &stages::Estimate) -> Result<(), DistillError> {
    if let Some(request) = &estimate.example {
        println!("model {}, problem {}", request.model, request.problem.id);
        println!("{}", serde_json::json!(request.sampling));
        for message in &request.messages {
            println!("--- {}\n{}", serde_json::json!(message.role), message.content);
        }
        println!("---");
    }
    println!(
        "{} problems, {} requests, {} of them logged, {} to ask",
        estimate.problems,
        estimate.requests,
        estimate.logged,
        estimate.requests - estimate.logged
    );
    if estimate.reusable > 0 {
        let reusable = estimate.reusable;
        println!("{reusable} of them have a reply of other sampling: --reuse-sampling takes it");
        for (difference, count) in &estimate.differences {
            println!("  {count} × {difference}");
        }
    }
    if estimate.without_reference > 0 {
        println!("{} problems have no code to explain", estimate.without_reference);
    }
    println!(
        "about {} tokens to read, at most {} to write",
        estimate.most.prompt_tokens, estimate.most.completion_tokens
    );
    if let Some(mean) = estimate.mean_completion {
        println!("logged replies are {mean:.0} tokens long on average");
    }
    match (estimate.most_cost(), estimate.likely_cost()) {
        (Some(most), Some(likely)) => println!("cost: about {likely:.4}, at most {most:.4}"),
        (Some(most), None) => println!("cost: at most {most:.4}"),
        _ => println!("cost: unknown, the configuration gives no teacher.price"),
    }
    Ok(())
}

fn lessons(arguments: &LessonsArguments) -> Result<()> {
    let ablation = arguments.ablate.map(|choice| match choice {
        AblationChoice::Shuffle => Ablation::Shuffle,
        AblationChoice::Replace => Ablation::Replace,
        AblationChoice::Drop => Ablation::Drop { share: arguments.drop_share },
    });
    let options = LessonsOptions {
        format: match arguments.format {
            FormatChoice::Jsonl => Format::Jsonl,
            #[cfg(feature = "parquet")]
            FormatChoice::Parquet => Format::Parquet,
        },
        ablation,
        seed: arguments.seed,
        license: arguments.license.clone(),
        replies: !arguments.without_replies,
    };
    let written = distill::write_lessons(&arguments.run, &arguments.out, &options)?;
    for (split, count) in written {
        println!("{split}: {count}");
    }
    Ok(())
}

/// Makes the cells, then raw scores and tables of all that are finished.
#[cfg(feature = "torch")]
fn experiment(arguments: &ExperimentArguments, bars: &Bars) -> Result<()> {
    let experiment = Experiment::read(&arguments.file)?;
    if arguments.list {
        for cell in experiment.cells()? {
            println!("{}", cell.name);
        }
        return Ok(());
    }
    let folder = arguments.runs.join(&experiment.name);
    let have = arguments.have.iter().map(|path| Collected::read(path));
    let have = have.collect::<Result<Vec<Collected>, _>>()?;
    let cells = experiment.cells()?;
    let made = cells.iter().filter(|cell| have.iter().any(|have| have.holds(cell)));
    let selection = Selection {
        only: arguments.only.clone(),
        shard: arguments.shard,
        made: made.map(|cell| cell.name.clone()).collect(),
    };
    let asking = cells.iter().find(|cell| cell.config.answers.run_tests > 0);
    let judge = asking.map_or(Ok(None), |cell| judge(&cell.config))?;
    run_experiment(&experiment, &folder, &selection, judge.as_ref(), bars, &stop_on_ctrl_c()?)?;
    let collected = collect(&experiment, &folder, have)?;
    collected.write(&folder)?;
    let Collected { results, costs } = collected;
    let tables = Tables::new(&experiment.name, &results, costs, &arguments.plan.plan())?;
    tables.write(&folder)?;
    println!("{}", folder.join("tables.md").display());
    Ok(())
}

fn tables(arguments: &TablesArguments) -> Result<()> {
    let beside = arguments.results.parent().unwrap_or(Path::new("."));
    let folder = arguments.out.as_deref().unwrap_or(beside);
    let name = arguments.name.clone().or_else(|| {
        let full = beside.canonicalize().ok()?;
        Some(full.file_name()?.to_string_lossy().into_owned())
    });
    let Collected { results, costs } = Collected::read(&arguments.results)?;
    let tables = Tables::new(&name.unwrap_or_default(), &results, costs, &arguments.plan.plan())?;
    match arguments.check {
        true => tables.check(folder)?,
        false => tables.write(folder)?,
    }
    Ok(())
}

/// A flag that the first Ctrl-C sets; a second one ends the process at once, which loses nothing
/// that a stage has written either.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("stopping at the next safe point (Ctrl-C again: at once)");
    })
    .context("cannot catch Ctrl-C")?;
    Ok(stop)
}

#[cfg(feature = "torch")]
fn ask(arguments: &AskArguments) -> Result<()> {
    let threads = arguments.threads.unwrap_or(1);
    let plans =
        arguments.plans.map(|count| distill::config::PlansConfig { count, ..Default::default() });
    let answers = distill::ask(
        &arguments.student,
        arguments.language,
        &arguments.query,
        arguments.mode,
        plans.as_ref(),
        arguments.n,
        threads,
    )?;
    for (index, answer) in answers.iter().enumerate() {
        if arguments.json {
            println!(
                "{}",
                serde_json::json!({
                    "rank": index + 1,
                    "pseudocode": answer.solution.pseudocode,
                    "code": answer.solution.code,
                    "log_probability": answer.log_probability,
                })
            );
            continue;
        }
        if arguments.n > 1 {
            println!("# Answer {} (log-probability {:.3})\n", index + 1, answer.log_probability);
        }
        if !answer.solution.pseudocode.is_empty() {
            println!("Pseudocode:\n{}\n", answer.solution.pseudocode);
        }
        println!("Code:\n{}\n", answer.solution.code.trim_end());
    }
    Ok(())
}

/// Runs a line filter from a file or standard input to standard output.
pub(crate) fn filter(
    arguments: &FilterArguments,
    work: impl FnOnce(
        &mut dyn std::io::BufRead,
        &Path,
        &mut dyn std::io::Write,
    ) -> Result<(), DistillError>,
) -> Result<()> {
    if !arguments.json {
        return Err(DistillError::Config("give --json: one JSON object a line".into()).into());
    }
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    match arguments.file.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let reader = std::fs::File::open(file)
                .with_context(|| format!("cannot open {}", file.display()))?;
            work(&mut std::io::BufReader::new(reader), file, &mut output)?;
        }
        None => work(&mut std::io::stdin().lock(), Path::new("standard input"), &mut output)?,
    }
    std::io::Write::flush(&mut output)?;
    Ok(())
}
