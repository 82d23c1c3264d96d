//! What an experiment varies, and the runs that follow from it.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::config::RunConfig;
use crate::error::io;
use crate::{DistillError, Result};

/// A run's configuration and what is varied in it.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its name and that of its folder.
    pub name: String,
    /// The configuration before anything is varied.
    base: Table,
    section: Section,
}

/// The section `experiment`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    /// Each cell is trained once with each.
    #[serde(default = "one_seed")]
    seeds: Vec<u64>,
    /// What is varied.
    #[serde(default)]
    axes: Vec<Axis>,
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

/// One thing that is varied.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Its name, which is a column of the tables: `arm`, `teacher`, `lessons`, …
    pub name: String,
    /// Its values.
    pub values: Vec<Setting>,
}

/// One value of an axis.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What it sets in the configuration.
    #[serde(default)]
    pub set: Table,
}

/// One run of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its name and that of its folder: the names of its values and its seed.
    pub name: String,
    /// Axis and value, in the order of the axes.
    pub values: Vec<(String, String)>,
    /// Its seed.
    pub seed: u64,
    /// Its configuration.
    pub config: RunConfig,
}

/// Columns of the results that no axis may be called.
const TAKEN: [&str; 5] = ["id", "language", "mode", "seed", "rank"];

impl Experiment {
    /// Reads a file; its stem names the experiment where the file does not.
    ///
    /// # Errors
    /// [`DistillError::Io`], and [`DistillError::Config`] with what is wrong in which cell.
    pub fn read(path: &Path) -> Result<Experiment> {
        let text = fs::read_to_string(path).map_err(io("read", path))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Experiment::from_toml(&text, &stem)
            .map_err(|error| DistillError::Config(format!("{}: {error}", path.display())))
    }

    /// Reads an experiment; `name` is its name where the text gives none.
    ///
    /// # Errors
    /// [`DistillError::Config`].
    pub fn from_toml(text: &str, name: &str) -> Result<Experiment> {
        let wrong = |what: String| DistillError::Config(what);
        let mut base: Table = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let section = base.remove("experiment").ok_or_else(|| {
            wrong("no section [experiment]: `distill run` takes a file without one".into())
        })?;
        let section: Section = section
            .try_into()
            .map_err(|error: toml::de::Error| wrong(format!("experiment: {}", error.message())))?;
        let name = match base.get("name") {
            Some(Value::String(name)) => name.clone(),
            _ => name.to_owned(),
        };
        let experiment = Experiment { name, base, section };
        experiment.check()?;
        experiment.cells()?;
        Ok(experiment)
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(DistillError::Config(what));
        let plain = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '+'))
        };
        if self.section.seeds.is_empty() {
            return wrong("experiment.seeds is empty: at least one is needed".into());
        }
        let mut names: Vec<&str> = TAKEN.to_vec();
        for axis in &self.section.axes {
            if !plain(&axis.name) || names.contains(&axis.name.as_str()) {
                return wrong(format!(
                    "an axis is called {:?}: letters, digits, - and _ are allowed, no name may occur \
                     twice, and {} are taken",
                    axis.name,
                    TAKEN.join(", ")
                ));
            }
            names.push(&axis.name);
            let mut values: Vec<&str> = Vec::new();
            for value in &axis.values {
                if !plain(&value.name) || values.contains(&value.name.as_str()) {
                    return wrong(format!(
                        "a value of the axis {:?} is called {:?}: letters, digits, -, _ and + are \
                         allowed, and no name may occur twice",
                        axis.name, value.name
                    ));
                }
                values.push(&value.name);
            }
            if values.is_empty() {
                return wrong(format!("the axis {:?} has no values", axis.name));
            }
        }
        Ok(())
    }

    /// Every combination of the axes' values with every seed, the last axis fastest and all cells of
    /// the first seed before those of the second.
    ///
    /// The seed is the training's: corpus, split and teacher are those of the configuration's own
    /// seed in all cells.
    ///
    /// # Errors
    /// [`DistillError::Config`] naming the cell whose configuration is wrong.
    pub fn cells(&self) -> Result<Vec<Cell>> {
        let mut combinations: Vec<Vec<(&Axis, &Setting)>> = vec![Vec::new()];
        for axis in &self.section.axes {
            let mut longer = Vec::new();
            for chosen in &combinations {
                for value in &axis.values {
                    longer.push([chosen.as_slice(), &[(axis, value)]].concat());
                }
            }
            combinations = longer;
        }
        let seeds = self.section.seeds.iter();
        let all = seeds.flat_map(|&seed| combinations.iter().map(move |chosen| (seed, chosen)));
        all.map(|(seed, chosen)| self.cell(seed, chosen)).collect()
    }

    fn cell(&self, seed: u64, chosen: &[(&Axis, &Setting)]) -> Result<Cell> {
        let mut table = self.base.clone();
        for (_, value) in chosen {
            overlay(&mut table, &value.set);
        }
        let mut names: Vec<&str> = chosen.iter().map(|(_, value)| value.name.as_str()).collect();
        let seeded = format!("seed{seed}");
        names.push(&seeded);
        let name = names.join(".");
        let wrong = |error: String| DistillError::Config(format!("cell {name}: {error}"));
        let mut config: RunConfig = Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
        config.check().map_err(|error| wrong(error.to_string()))?;
        config.name = name.clone();
        config.training.seed = Some(seed);
        let values = chosen.iter().map(|(axis, value)| (axis.name.clone(), value.name.clone()));
        Ok(Cell { values: values.collect(), seed, config, name })
    }
}

/// Sets in `table` what `set` says, section by section.
// Recurses over the sections of a configuration, which its author nests two or three levels deep; a
// file that nests deeper than toml's own limit was refused when it was read.
fn overlay(table: &mut Table, set: &Table) {
    for (key, value) in set {
        match (table.get_mut(key), value) {
            (Some(Value::Table(inner)), Value::Table(set)) => overlay(inner, set),
            _ => _ = table.insert(key.clone(), value.clone()),
        }
    }
}

impl Cell {
    /// The configuration of what this cell shares with others: corpus and teacher, under a name that
    /// follows from them.
    ///
    /// # Errors
    /// [`DistillError::Config`] for a value that TOML cannot hold.
    pub fn shared(&self) -> Result<RunConfig> {
        let mut config = RunConfig {
            name: String::new(),
            student: Default::default(),
            training: Default::default(),
            answers: Default::default(),
            ..self.config.clone()
        };
        let hash = blake3::hash(config.to_toml()?.as_bytes()).to_hex();
        config.name = format!("lessons-{}", &hash[..12]);
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: &str = r#"
        seed = 7
        [corpus.source]
        kind = "python_stdlib"
        [training]
        steps = 9
        [experiment]
        seeds = [1, 2]
        [[experiment.axes]]
        name = "lessons"
        values = [{ name = "100", set = { training.lessons = 100 } }, { name = "all" }]
        [[experiment.axes]]
        name = "arm"
        values = [
            { name = "plain", set = { training.arms = ["plain"] } },
            { name = "heavy", set = { training = { arms = ["distilled"], alpha = 0.9 } } },
        ]
    "#;

    #[test]
    fn cells_are_all_combinations_and_share_corpus_and_teacher() {
        let cells = Experiment::from_toml(MATRIX, "m").unwrap().cells().unwrap();
        let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
        assert_eq!(names.len(), 8);
        assert_eq!(names[..3], ["100.plain.seed1", "100.heavy.seed1", "all.plain.seed1"]);
        let heavy = &cells[1].config.training;
        assert_eq!((heavy.alpha, heavy.steps, heavy.lessons), (0.9, Some(9), Some(100)));
        assert_eq!((heavy.seed, cells[7].config.training.seed), (Some(1), Some(2)));
        assert_eq!(cells[7].values[1], ("arm".to_owned(), "heavy".to_owned()));
        let shared: std::collections::BTreeSet<String> =
            cells.iter().map(|cell| cell.shared().unwrap().name).collect();
        assert_eq!(shared.len(), 1);
    }

    #[test]
    fn mistakes_name_the_cell_or_the_axis() {
        let wrong = |from: &str, to: &str| {
            Experiment::from_toml(&MATRIX.replace(from, to), "m").unwrap_err().to_string()
        };
        assert!(wrong("alpha", "alpa").starts_with("cell 100.heavy.seed1: "));
        assert!(wrong("alpha = 0.9", "alpha = -1.0").contains("training.alpha"));
        assert!(wrong("\"lessons\"", "\"seed\"").contains("an axis is called \"seed\""));
        assert!(wrong("\"all\"", "\"a/b\"").contains("\"a/b\""));
        assert!(wrong("seeds = [1, 2]", "seeds = []").contains("experiment.seeds"));
        assert!(wrong("[experiment]", "[experimental]").contains("experiment"));
    }
}
