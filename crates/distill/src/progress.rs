//! How a run tells what it is doing. Libraries never draw: the command line does.

/// A listener to a run's progress.
pub trait Progress: Sync {
    /// A stage begins; `total` is how many units it has to do, where that is known.
    fn start(&self, stage: &str, total: Option<u64>, unit: &str);
    /// So many units of the stage are done; `note` says more, in a few words.
    fn update(&self, done: u64, note: &str);
    /// The stage ended, with a line about what came out.
    fn finish(&self, outcome: &str);
}

/// Says nothing.
impl Progress for () {
    fn start(&self, _: &str, _: Option<u64>, _: &str) {}
    fn update(&self, _: u64, _: &str) {}
    fn finish(&self, _: &str) {}
}
