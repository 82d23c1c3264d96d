//! Progress on a terminal as a bar with rate and time left, elsewhere as plain lines.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use distill::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line is written where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// Draws one stage at a time on standard error.
pub struct Bars {
    state: Mutex<State>,
    terminal: bool,
    quiet: bool,
}

struct State {
    bar: ProgressBar,
    stage: String,
    unit: String,
    total: Option<u64>,
    began: Instant,
    began_at: Option<u64>,
    written: Instant,
}

impl Bars {
    pub fn new(quiet: bool) -> Bars {
        let now = Instant::now();
        Bars {
            state: Mutex::new(State {
                bar: ProgressBar::hidden(),
                stage: String::new(),
                unit: String::new(),
                total: None,
                began: now,
                began_at: None,
                written: now,
            }),
            terminal: std::io::stderr().is_terminal(),
            quiet,
        }
    }
}

impl Progress for Bars {
    fn start(&self, stage: &str, total: Option<u64>, unit: &str) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        state.bar.finish_and_clear();
        state.stage = stage.into();
        state.unit = unit.into();
        state.total = total;
        state.began = Instant::now();
        state.began_at = None;
        state.written = state.began;
        if self.quiet || !self.terminal {
            state.bar = ProgressBar::hidden();
            return;
        }
        let template = match total {
            Some(_) => {
                "{prefix:>18} [{bar:28}] {human_pos}/{human_len} {unit} {rate} eta {eta}  {msg}"
            }
            None => "{prefix:>18} {spinner} {human_pos} {unit} {elapsed}  {msg}",
        };
        let template = template.replace("{unit}", unit).replace("{rate}", "({per_sec})");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        state.bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        state.bar.set_style(style);
        state.bar.set_prefix(stage.to_owned());
        state.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn update(&self, done: u64, note: &str) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if state.began_at.is_none() {
            // What an earlier session did must not count as this one's speed.
            state.began_at = Some(done);
            state.bar.reset_eta();
        }
        state.bar.set_position(done);
        state.bar.set_message(note.to_owned());
        if !self.quiet && !self.terminal && state.written.elapsed() >= PLAIN_EVERY {
            state.written = Instant::now();
            let fresh = done.saturating_sub(state.began_at.unwrap_or(0)) as f64;
            let rate = fresh / state.began.elapsed().as_secs_f64().max(1e-9);
            let left = match state.total {
                Some(total) if rate > 0.0 => {
                    format!(" of {total}, {:.0} s left", total.saturating_sub(done) as f64 / rate)
                }
                Some(total) => format!(" of {total}"),
                None => String::new(),
            };
            eprintln!("{}: {done} {}{left} ({rate:.1}/s) {note}", state.stage, state.unit);
        }
    }

    fn finish(&self, outcome: &str) {
        let state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        state.bar.finish_and_clear();
        if !self.quiet {
            eprintln!("{outcome}");
        }
    }
}
