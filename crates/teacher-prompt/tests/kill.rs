//! The whole way over HTTP with a client that is killed again and again: the short form of
//! `examples/soak.rs`.

#[path = "../examples/support/soak.rs"]
mod soak;

use std::time::Duration;

/// The killed process: this test binary again, with a server and a log to go on with. In an ordinary
/// run of the tests it has nothing to do.
#[test]
fn client() {
    soak::run_as_client();
}

#[test]
fn nothing_is_lost_and_next_to_nothing_asked_twice() {
    let plan = soak::Soak {
        problems: 400,
        in_flight: 16,
        kills: 10,
        seed: 3,
        delay: Duration::from_millis(10),
        timeout: Duration::from_secs(3),
        retry_after: 0,
        arguments: ["--exact", "client"].map(String::from).to_vec(),
    };
    let figures = soak::soak(&plan);
    println!("{figures:#?}");
    assert_eq!((figures.answered, figures.lessons), (plan.problems, plan.problems));
    assert!(figures.logged >= plan.problems);
    assert_eq!(figures.failures.len(), 8, "every way to fail occurred");
    assert!(figures.kills > 0);
    assert_eq!(figures.logged_asked_again, 0, "no logged reply is asked for again");
    assert!(figures.repeats <= figures.kills * plan.in_flight, "{figures:?}");
    assert_eq!(figures.damaged, 0, "the log is valid throughout");
    assert!(figures.second_refused, "a second process on the log is refused");
}
