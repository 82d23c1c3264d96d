//! 10,000 problems, a server that fails one request in ten, 50 kills:
//! `cargo run --release -p teacher-prompt --example soak`.
//!
//! `--problems`, `--in-flight`, `--kills`, `--seed` and `--delay-ms` change the run; its short form is
//! a test (`tests/kill.rs`).

#[path = "support/process.rs"]
mod process;
#[path = "support/soak.rs"]
mod soak;

use std::time::Duration;

use process::option;

fn main() {
    if soak::run_as_client() {
        return;
    }
    let plan = soak::Soak {
        problems: option("problems", 10_000),
        in_flight: option("in-flight", 256),
        kills: option("kills", 50),
        seed: option("seed", 1),
        delay: Duration::from_millis(option("delay-ms", 50)),
        timeout: Duration::from_secs(5),
        retry_after: 1,
        arguments: Vec::new(),
    };
    println!("{plan:#?}");
    let figures = soak::soak(&plan);
    println!("{figures:#?}");
    assert_eq!(figures.answered, plan.problems, "every problem is answered");
    assert_eq!(figures.lessons, plan.problems, "and gave a lesson");
    assert_eq!(figures.logged_asked_again, 0, "no logged reply is asked for again");
    assert!(figures.repeats <= figures.kills * plan.in_flight, "at most what was in flight");
    assert_eq!(figures.damaged, 0, "the log is valid throughout");
    assert!(figures.second_refused, "a second process on the log is refused");
    println!("held");
}
