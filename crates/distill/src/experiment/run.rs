//! The cells of an experiment, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pass_at_k::Judge;

use super::{Cell, Experiment};
use crate::config::{RunConfig, Shard};
use crate::error::io;
use crate::{DistillError, Progress, Result, Run, RunFolder, SPLITS, stages};

/// Which cells to make.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Those whose name holds one of these; all where there are none.
    pub only: Vec<String>,
    /// Of these one share, for a machine of several.
    pub shard: Option<Shard>,
    /// Cells whose scores are there from elsewhere, by name.
    pub made: BTreeSet<String>,
}

impl Selection {
    fn holds(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('.').collect();
        let named = |wanted: &String| {
            let wanted: Vec<&str> = wanted.split('.').collect();
            wanted.iter().all(|part| parts.contains(part))
        };
        (self.only.is_empty() || self.only.iter().any(named))
            && self.shard.is_none_or(|shard| shard.holds(name))
    }
}

/// Makes the chosen cells in folders below `folder`: corpus, lessons and the teacher's own answers once
/// for all cells that share them, then each cell's student, its answers and their scores, for which
/// `judge` runs tests where the configuration asks for it. What is done is not done again, and what was
/// interrupted goes on.
///
/// # Errors
/// Those of the stages, [`DistillError::Interrupted`] when stopped, [`DistillError::Nothing`] where no
/// cell is chosen.
pub fn run(
    experiment: &Experiment,
    folder: &Path,
    selection: &Selection,
    judge: Option<&Judge>,
    progress: &dyn Progress,
    stop: &Arc<AtomicBool>,
) -> Result<()> {
    let all = experiment.cells()?;
    let count = all.len();
    let mut cells: Vec<Cell> = all.into_iter().filter(|cell| selection.holds(&cell.name)).collect();
    if cells.is_empty() {
        return Err(DistillError::Nothing(format!(
            "none of the {count} cells of {} is chosen",
            experiment.name
        )));
    }
    cells.retain(|cell| !selection.made.contains(&cell.name));
    let mut taught: BTreeMap<String, RunConfig> = BTreeMap::new();
    for cell in &cells {
        let config = cell.shared()?;
        taught.entry(config.name.clone()).or_insert(config);
    }
    let problems = cells.first().and_then(|cell| cell.config.answers.problems);
    for config in taught.into_values() {
        let shared = Run::open(config, folder, progress, stop.clone())?;
        stages::corpus(&shared)?;
        stages::teach(&shared)?;
        stages::examine_teacher(&shared, problems)?;
    }
    for (at, cell) in cells.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(DistillError::Interrupted);
        }
        let target = RunFolder::new(folder.join(&cell.name));
        if target.scores().exists() {
            continue;
        }
        progress.finish(&format!("cell {} of {}: {}", at + 1, cells.len(), cell.name));
        share(&RunFolder::new(folder.join(cell.shared()?.name)), &target)?;
        let run = Run::open(cell.config.clone(), folder, progress, stop.clone())?;
        stages::train(&run)?;
        stages::answer(&run)?;
        stages::score(&run, judge)?;
    }
    Ok(())
}

/// Gives a cell the problems and lessons that it shares, as links where the file system has them.
fn share(from: &RunFolder, to: &RunFolder) -> Result<()> {
    fs::create_dir_all(to.root()).map_err(io("make folder", to.root()))?;
    let problems = SPLITS.map(|split| (from.problems(split), to.problems(split)));
    let rest = [
        (from.corpus_statistics(), to.corpus_statistics()),
        (from.lessons(), to.lessons()),
        (from.rejected(), to.rejected()),
        (from.teach_statistics(), to.teach_statistics()),
    ];
    for (from, to) in problems.into_iter().chain(rest).filter(|(from, _)| from.exists()) {
        if to.exists() {
            continue;
        }
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).map_err(io("copy", &from))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_chosen_by_the_parts_of_their_names() {
        let only = |only: &[&str]| Selection {
            only: only.iter().map(|text| (*text).to_owned()).collect(),
            ..Selection::default()
        };
        let name = "100.distilled.seed1";
        assert!(only(&[]).holds(name));
        assert!(only(&["distilled"]).holds(name) && only(&["seed1.100"]).holds(name));
        assert!(!only(&["distil"]).holds(name) && !only(&["100.seed2"]).holds(name));
        let shard = |text: &str| Selection { shard: text.parse().ok(), ..Selection::default() };
        assert_ne!(shard("1/2").holds(name), shard("2/2").holds(name));
    }
}
