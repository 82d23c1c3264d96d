//! What the measuring programs ask the system about processes (Linux).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Peak resident memory of this process, in bytes.
#[allow(dead_code)] // each program uses its part
pub fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Processor time of a process, of user and system.
#[allow(dead_code)]
pub fn cpu_time(process: u32) -> Duration {
    let stat =
        fs::read_to_string(PathBuf::from(format!("/proc/{process}/stat"))).unwrap_or_default();
    // The name, in brackets, may hold anything; state is the first field after it, times the 12th and 13th.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// The value of `--name` on the command line, or this one.
#[allow(dead_code)]
pub fn option<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    let mut arguments = std::env::args().skip_while(|argument| argument != &format!("--{name}"));
    match arguments.nth(1) {
        Some(value) => value.parse().unwrap_or_else(|_| panic!("--{name} {value}: no such value")),
        None => otherwise,
    }
}
