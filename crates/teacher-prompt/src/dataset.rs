//! Lessons as a data set: a folder that `datasets.load_dataset` opens with no script.
//!
//! ```text
//! README.md               the card: YAML that names files and columns, and what is in it for people
//! data/train.jsonl        a lesson a line; validation and test beside it (or .parquet)
//! ```
//!
//! Every row has every column, null where it does not apply, so that a reader that guesses types
//! from the first rows guesses right.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use distill_core::jsonl::io_error;
use distill_core::{Lesson, Problem, Solution};
use serde_json::{Map, Value};

use crate::Error;

/// What the rows are written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, a row a line.
    #[default]
    Jsonl,
    /// Apache Parquet, compressed with Zstandard.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            #[cfg(feature = "parquet")]
            Format::Parquet => "parquet",
        }
    }
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A list of texts.
    Texts,
    Integer,
    Float,
}

impl Kind {
    /// Its lines in the card's YAML, as the `datasets` library names it.
    fn yaml(self) -> &'static str {
        match self {
            Kind::Text => "dtype: string",
            Kind::Texts => "sequence: string",
            Kind::Integer => "dtype: int64",
            Kind::Float => "dtype: float64",
        }
    }
}

/// A column: its name, type, and what the card says about it.
type Column = (&'static str, Kind, &'static str);

/// Every column in order. What a lesson says beyond these is in `extra`.
pub(crate) const COLUMNS: [Column; 28] = [
    ("id", Kind::Text, "the problem's id"),
    ("language", Kind::Text, "programming language"),
    ("query", Kind::Text, "the problem in prose"),
    ("pseudocode", Kind::Texts, "the steps, two leading blanks for every level of nesting"),
    ("pseudocode_text", Kind::Text, "the same, numbered, a step a line"),
    ("code", Kind::Text, "the code"),
    ("entry_point", Kind::Text, "name of the function asked for"),
    ("source", Kind::Text, "where the problem comes from"),
    ("teacher", Kind::Text, "who wrote it"),
    ("direction", Kind::Text, "forward: from the problem; backward: steps for known code"),
    ("style", Kind::Text, "single_pass, or plan_then_implement"),
    ("template_name", Kind::Text, "the prompt's template and its version"),
    ("template", Kind::Text, "hash of the template"),
    ("temperature", Kind::Float, "sampling temperature"),
    ("top_p", Kind::Float, "nucleus mass"),
    ("seed", Kind::Integer, "sampling seed"),
    ("samples", Kind::Integer, "of how many samples it is the best"),
    ("score", Kind::Float, "what the samples' scorer gave it"),
    ("finish_reason", Kind::Text, "why the teacher stopped"),
    ("prompt_tokens", Kind::Integer, "tokens read"),
    ("completion_tokens", Kind::Integer, "tokens written"),
    ("seconds", Kind::Float, "from asking to the last byte"),
    ("tests", Kind::Text, "passed, where the problem's own tests were run"),
    ("ablation", Kind::Text, "how the pseudocode was spoilt on purpose"),
    ("reply", Kind::Text, "key of the reply in the log"),
    ("reply_text", Kind::Text, "the teacher's own words"),
    ("tool", Kind::Text, "what made the lesson"),
    ("extra", Kind::Text, "everything else, as a JSON object"),
];

/// The splits as the library names them, and as records do.
const SPLITS: [(&str, &str); 3] = [("train", "train"), ("validation", "valid"), ("test", "test")];

/// What marks a card as written here, so that a folder may be written again.
const MARK: &str = "<!-- lessons of symmetry-distill -->";

/// What the card says beyond the columns.
#[derive(Debug, Clone, Default)]
pub struct Card {
    /// The data set's name.
    pub name: String,
    /// Licence as the Hub names it, such as `cc-by-4.0`; without one the card names none.
    pub license: Option<String>,
    /// Facts in order: what, and its value. Shown as a table.
    pub facts: Vec<(String, String)>,
}

/// Writes a data set. The folder appears as a whole with [`finish`](Self::finish), or not at all.
///
/// ```
/// use distill_core::{Language, Lesson, Pseudocode, Solution};
/// use teacher_prompt::{Card, DatasetWriter, Format};
///
/// # let folder = tempfile::tempdir()?;
/// # let out = folder.path().join("lessons");
/// # let lesson = Lesson {
/// #     id: "a".into(),
/// #     language: Language::Python,
/// #     query: "Add up a list.".into(),
/// #     solution: Solution {
/// #         pseudocode: Pseudocode::from_text("1. return the sum")?,
/// #         code: "def f(values):\n    return sum(values)".into(),
/// #     },
/// #     teacher: "a-model".into(),
/// #     reply: String::new(),
/// #     extra: Default::default(),
/// # };
/// let mut writer = DatasetWriter::new(&out, Format::Jsonl)?;
/// writer.push("train", &lesson, None)?;
/// let rows = writer.finish(&Card { name: "sums".into(), ..Card::default() })?;
/// assert_eq!(rows["train"], 1);
/// assert!(out.join("README.md").exists() && out.join("data/train.jsonl").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DatasetWriter {
    out: PathBuf,
    beside: PathBuf,
    format: Format,
    files: BTreeMap<&'static str, (Sink, u64)>,
}

enum Sink {
    Jsonl(PathBuf, BufWriter<File>),
    #[cfg(feature = "parquet")]
    Parquet(crate::parquet::Rows),
}

impl DatasetWriter {
    /// Begins a data set in the folder `out`: a new or an empty one, or one that was written here
    /// before, which is replaced in the end.
    ///
    /// # Errors
    /// [`Error::Setting`] for a folder that holds something else, [`Error::Log`] where nothing can
    /// be written.
    pub fn new(out: &Path, format: Format) -> Result<DatasetWriter, Error> {
        let ours = fs::read_to_string(out.join("README.md")).is_ok_and(|card| card.contains(MARK));
        let empty = fs::read_dir(out).map_or(!out.exists(), |mut entries| entries.next().is_none());
        if !ours && !empty {
            return Err(Error::Setting {
                setting: "folder of the data set",
                reason: format!(
                    "{} holds something else: give a new or an empty one",
                    out.display()
                ),
            });
        }
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = out.with_file_name(name);
        let data = beside.join("data");
        fs::create_dir_all(&data).map_err(io_error("make folder", &data))?;
        Ok(DatasetWriter { out: out.to_owned(), beside, format, files: BTreeMap::new() })
    }

    /// Adds a lesson to a split: `train`, `valid` or `test`. `reply_text` is the teacher's own words,
    /// where they are to be published.
    ///
    /// # Errors
    /// [`Error::Setting`] for another split, [`Error::Log`] where the file cannot be written.
    pub fn push(
        &mut self,
        split: &str,
        lesson: &Lesson,
        reply_text: Option<&str>,
    ) -> Result<(), Error> {
        let Some((name, _)) = SPLITS.iter().find(|(name, ours)| split == *name || split == *ours)
        else {
            return Err(Error::Setting {
                setting: "split",
                reason: format!("{split:?}: train, valid or test expected"),
            });
        };
        let row = row(lesson, reply_text);
        let (sink, rows) = match self.files.entry(*name) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let file = format!("data/{name}.{}", self.format.extension());
                entry.insert((Sink::new(self.beside.join(file), self.format)?, 0))
            }
        };
        *rows += 1;
        sink.write(row)
    }

    /// Adds a problem without a lesson, with its reference as the code: what a student is examined
    /// on.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_problem(&mut self, split: &str, problem: &Problem) -> Result<(), Error> {
        let mut extra = problem.extra.clone();
        let source = Some(&problem.source).filter(|source| !source.is_empty());
        let fields = [("source", source), ("entry_point", problem.entry_point.as_ref())];
        for (name, value) in fields {
            extra.extend(value.map(|value| (name.to_owned(), value.as_str().into())));
        }
        let lesson = Lesson {
            id: problem.id.clone(),
            language: problem.language,
            query: problem.query.clone(),
            solution: Solution {
                code: problem.reference.clone().unwrap_or_default(),
                ..Solution::default()
            },
            teacher: String::new(),
            reply: String::new(),
            extra,
        };
        self.push(split, &lesson, None)
    }

    /// Writes the card and puts the folder in place; the number of rows of each split.
    ///
    /// # Errors
    /// [`Error::Log`] where something cannot be written; what was in `out` is then still there.
    pub fn finish(mut self, card: &Card) -> Result<BTreeMap<&'static str, u64>, Error> {
        let mut rows = BTreeMap::new();
        for (split, (sink, count)) in std::mem::take(&mut self.files) {
            sink.finish()?;
            rows.insert(split, count);
        }
        let path = self.beside.join("README.md");
        fs::write(&path, card.text(&rows, self.format)).map_err(io_error("write", &path))?;
        if self.out.exists() {
            fs::remove_dir_all(&self.out).map_err(io_error("replace", &self.out))?;
        }
        fs::rename(&self.beside, &self.out).map_err(io_error("write", &self.out))?;
        Ok(rows)
    }
}

impl Drop for DatasetWriter {
    fn drop(&mut self) {
        // After `finish` there is nothing left here.
        let _ = fs::remove_dir_all(&self.beside);
    }
}

impl Sink {
    fn new(path: PathBuf, format: Format) -> Result<Sink, Error> {
        match format {
            Format::Jsonl => {
                let file = File::create(&path).map_err(io_error("write", &path))?;
                Ok(Sink::Jsonl(path, BufWriter::with_capacity(1 << 16, file)))
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => Ok(Sink::Parquet(crate::parquet::Rows::new(path)?)),
        }
    }

    fn write(&mut self, row: Vec<Value>) -> Result<(), Error> {
        match self {
            Sink::Jsonl(path, file) => {
                let names = COLUMNS.iter().map(|(name, ..)| (*name).to_owned());
                let row: Map<String, Value> = names.zip(row).collect();
                let mut write = || -> std::io::Result<()> {
                    serde_json::to_writer(&mut *file, &row)?;
                    file.write_all(b"\n")
                };
                Ok(write().map_err(io_error("write", path))?)
            }
            #[cfg(feature = "parquet")]
            Sink::Parquet(rows) => rows.push(row),
        }
    }

    fn finish(self) -> Result<(), Error> {
        match self {
            Sink::Jsonl(path, mut file) => Ok(file.flush().map_err(io_error("write", &path))?),
            #[cfg(feature = "parquet")]
            Sink::Parquet(rows) => rows.finish(),
        }
    }
}

/// A lesson's values in the order of [`COLUMNS`], each of its column's type or null.
fn row(lesson: &Lesson, reply_text: Option<&str>) -> Vec<Value> {
    let mut extra = lesson.extra.clone();
    extra.remove("split"); // the file says it
    let plan = &lesson.solution.pseudocode;
    let text = |text: &str| Value::from(Some(text).filter(|text| !text.is_empty()));
    let mut row = Vec::with_capacity(COLUMNS.len());
    for (name, kind, _) in &COLUMNS[..COLUMNS.len() - 1] {
        row.push(match *name {
            "id" => lesson.id.as_str().into(),
            "language" => lesson.language.name().into(),
            "query" => lesson.query.as_str().into(),
            "pseudocode" => serde_json::to_value(plan).unwrap_or_default(),
            "pseudocode_text" => plan.to_string().into(),
            "code" => lesson.solution.code.as_str().into(),
            "teacher" => text(&lesson.teacher),
            "reply" => text(&lesson.reply),
            "reply_text" => Value::from(reply_text),
            other => match (extra.remove(other), kind) {
                (Some(value @ Value::String(_)), Kind::Text) => value,
                (Some(value), Kind::Integer) if value.is_i64() || value.is_u64() => value,
                (Some(value), Kind::Float) => value.as_f64().map_or(Value::Null, Value::from),
                (Some(value), _) => {
                    // Of another type than the column: kept where everything fits.
                    extra.insert(other.to_owned(), value);
                    Value::Null
                }
                (None, _) => Value::Null,
            },
        });
    }
    row.push(match extra.is_empty() {
        true => Value::Null,
        false => Value::Object(extra).to_string().into(),
    });
    row
}

impl Card {
    fn text(&self, rows: &BTreeMap<&'static str, u64>, format: Format) -> String {
        let mut card = String::from("---\n");
        if let Some(license) = &self.license {
            let _ = writeln!(card, "license: {}", Value::from(license.as_str()));
        }
        let _ = writeln!(card, "pretty_name: {}", Value::from(self.name.as_str()));
        card.push_str("tags:\n- code\n- pseudocode\n- distillation\nconfigs:\n");
        card.push_str("- config_name: default\n  data_files:\n");
        for (split, _) in SPLITS.iter().filter(|(split, _)| rows.contains_key(split)) {
            let path = format!("data/{split}.{}", format.extension());
            let _ = writeln!(card, "  - split: {split}\n    path: {path}");
        }
        card.push_str("dataset_info:\n  features:\n");
        for (name, kind, _) in COLUMNS {
            let _ = writeln!(card, "  - name: {name}\n    {}", kind.yaml());
        }
        let _ = write!(card, "---\n{MARK}\n\n# {}\n\n", self.name);
        card.push_str(
            "Problems in prose, each with a plan in numbered steps and code. Made for teaching a small\n\
             model both; see Li, Gu and Geng, *Symmetry-Aware Code Generation* (Symmetry 2025, 17(8),\n\
             1325).\n\n```python\nfrom datasets import load_dataset\n\nlessons = load_dataset(\"PATH OF \
             THIS FOLDER\")\n```\n\n| split | rows |\n|---|---:|\n",
        );
        for (split, _) in SPLITS {
            if let Some(count) = rows.get(split) {
                let _ = writeln!(card, "| {split} | {count} |");
            }
        }
        if rows.contains_key("test") {
            card.push_str(
                "\nRows of the test split have no pseudocode: nobody was asked for it.\n",
            );
        }
        if !self.facts.is_empty() {
            card.push_str("\n| | |\n|---|---|\n");
            for (name, value) in &self.facts {
                let _ = writeln!(card, "| {} | {} |", cell(name), cell(value));
            }
        }
        card.push_str("\n## Columns\n\n| column | holds |\n|---|---|\n");
        for (name, _, holds) in COLUMNS {
            let _ = writeln!(card, "| `{name}` | {holds} |");
        }
        card
    }
}

/// A text as one cell of a Markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use distill_core::{Language, Pseudocode};
    use serde_json::json;

    use super::*;

    fn lesson(extra: Value) -> Lesson {
        Lesson {
            id: "a|b".into(),
            language: Language::Go,
            query: "Add.".into(),
            solution: Solution {
                pseudocode: Pseudocode::from_text("1. for each\n   1.1. add").unwrap(),
                code: "func f() {}".into(),
            },
            teacher: "m".into(),
            reply: "key".into(),
            extra: extra.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn every_row_has_every_column_with_its_type() {
        let extra = json!({"split": "train", "seed": "text", "top_p": 1, "prompt_tokens": 7,
            "stars": [1], "finish_reason": "stop"});
        let row = row(&lesson(extra), Some("hi"));
        let row: Map<String, Value> =
            COLUMNS.iter().map(|(name, ..)| (*name).to_owned()).zip(row).collect();
        assert_eq!(row.len(), COLUMNS.len());
        assert_eq!(row["pseudocode"], json!(["for each", "  add"]));
        assert_eq!(row["pseudocode_text"], "1. for each\n   1.1. add");
        assert_eq!((&row["prompt_tokens"], &row["top_p"]), (&json!(7), &json!(1.0)));
        assert_eq!((&row["seed"], &row["source"]), (&Value::Null, &Value::Null));
        assert_eq!((&row["reply_text"], &row["finish_reason"]), (&json!("hi"), &json!("stop")));
        let extra: Value = serde_json::from_str(row["extra"].as_str().unwrap()).unwrap();
        assert_eq!(extra, json!({"seed": "text", "stars": [1]}));
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole_and_only_if_it_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("set");
        let write = |splits: &[&str]| {
            let mut writer = DatasetWriter::new(&out, Format::Jsonl)?;
            for split in splits {
                writer.push(split, &lesson(json!({})), None)?;
            }
            let facts = vec![("corpus".into(), "a | b\nc".into())];
            let license = Some("mit".into());
            writer.finish(&Card { name: "n: \"x\"".into(), license, facts })
        };
        write(&["train", "valid", "train", "test"]).unwrap();
        let card = fs::read_to_string(out.join("README.md")).unwrap();
        assert!(
            card.starts_with("---\nlicense: \"mit\"\npretty_name: \"n: \\\"x\\\"\"\n"),
            "{card}"
        );
        assert!(card.contains("  - split: validation\n    path: data/validation.jsonl\n"));
        assert!(card.contains("| train | 2 |") && card.contains("| corpus | a \\| b c |"));

        write(&["train"]).unwrap();
        assert!(!out.join("data/test.jsonl").exists(), "of the earlier set nothing is left");
        assert!(write(&["other"]).unwrap_err().to_string().contains("train, valid or test"));
        assert!(out.join("data/train.jsonl").exists(), "a failure leaves the folder as it was");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing beside it");

        fs::write(out.join("README.md"), "mine").unwrap();
        assert!(write(&["train"]).unwrap_err().to_string().contains("holds something else"));
    }
}
