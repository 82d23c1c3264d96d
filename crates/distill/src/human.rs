//! The files of a study in which people rate answers.

use std::fs;
use std::path::Path;

use distill_core::jsonl;
use human_study::correlation::MetricScores;
use human_study::{Design, Row, Stimulus, page, study, table};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::compare::plain;
use crate::error::io;
use crate::{DistillError, Result, RunFolder};

/// An answer to rate.
#[derive(Deserialize)]
struct StimulusRecord {
    item: Value,
    system: String,
    query: String,
    #[serde(alias = "code")]
    answer: String,
}

/// Reads what is to be rated: JSONL `{item, system, query, answer}`, or the folder of a run, whose
/// students' best answers are rated, each way of decoding a system.
///
/// # Errors
/// [`DistillError::Jsonl`]; [`DistillError::Nothing`] for an answer without its problem.
pub fn stimuli(path: &Path) -> Result<Vec<Stimulus>> {
    if !path.is_dir() {
        let records: Vec<StimulusRecord> = jsonl::read_all(path)?;
        return Ok(records
            .into_iter()
            .map(|record| Stimulus {
                item: plain(&record.item),
                system: record.system,
                query: record.query,
                answer: record.answer,
            })
            .collect());
    }
    let answers = RunFolder::new(path).best_answers()?.into_iter();
    Ok(answers
        .map(|(problem, answer)| Stimulus {
            item: answer.problem,
            system: format!("{} ({})", answer.arm, answer.mode),
            query: problem.query,
            answer: answer.solution.code,
        })
        .collect())
}

/// Writes `sheets/rater-N.html` and `.csv` for every rater, to be handed out, and `key.jsonl`, to be
/// kept. Gives the number of sheets and of rows in each.
///
/// # Errors
/// [`DistillError::Study`] for a design that cannot be; [`DistillError::Config`] where the folder
/// already holds a key, which new sheets would make useless; [`DistillError::Jsonl`].
pub fn export(stimuli: &[Stimulus], design: &Design, folder: &Path) -> Result<(usize, usize)> {
    let sheets = study(stimuli, design)?;
    let key = folder.join("key.jsonl");
    if key.exists() {
        return Err(DistillError::Config(format!(
            "{} is there already: sheets that were handed out need it; name another folder",
            key.display()
        )));
    }
    let place = folder.join("sheets");
    for sheet in &sheets {
        for (extension, text) in [("html", page(sheet)), ("csv", table(sheet))] {
            let path = place.join(format!("rater-{}.{extension}", sheet.rater));
            jsonl::write_atomic(&path, |writer| writer.write_all(text.as_bytes()))?;
        }
    }
    jsonl::write_all(&key, sheets.iter().flat_map(|sheet| &sheet.rows))?;
    Ok((sheets.len(), sheets.first().map_or(0, |sheet| sheet.rows.len())))
}

/// A row of the key: all but the texts.
#[derive(Deserialize)]
struct KeyRow {
    row: String,
    rater: String,
    item: String,
    system: String,
}

/// Reads filled-in sheets back with their key.
///
/// # Errors
/// [`DistillError::Study`] for a sheet that is not of this study or has no proper scores;
/// [`DistillError::Jsonl`], [`DistillError::Io`].
pub fn import(key: &Path, sheets: &[impl AsRef<Path>]) -> Result<human_study::Ratings> {
    let rows: Vec<KeyRow> = jsonl::read_all(key)?;
    let rows: Vec<Row> = rows
        .into_iter()
        .map(|KeyRow { row, rater, item, system }| Row {
            row,
            rater,
            item,
            system,
            query: String::new(),
            answer: String::new(),
        })
        .collect();
    let read = |path: &Path| {
        let text = fs::read_to_string(path).map_err(io("read", path))?;
        Ok((path.display().to_string(), text))
    };
    let files: Result<Vec<_>> = sheets.iter().map(|path| read(path.as_ref())).collect();
    Ok(human_study::import(&rows, &files?)?)
}

/// Reads the scores of rated answers from a score file: `item` and `system` stand in a line or in its
/// `id`, as `codebleu score --per-pair --json` passes an `id` that is an object through. Every number
/// of a line is a metric, its name led by `prefix`.
///
/// # Errors
/// [`DistillError::Jsonl`]; [`DistillError::Config`] for a line that names no answer.
pub fn metric_scores(path: &Path, prefix: &str, scores: &mut MetricScores) -> Result<()> {
    for (line, number) in jsonl::read::<Map<String, Value>>(path)?.zip(1..) {
        let line = line?;
        let name = |field: &str| {
            let found = line.get(field).or_else(|| line.get("id")?.get(field));
            found.map(plain).ok_or_else(|| {
                let path = path.display();
                DistillError::Config(format!("{path}, record {number}: no `{field}` in it"))
            })
        };
        let cell = scores.entry((name("item")?, name("system")?)).or_default();
        for (field, value) in &line {
            if let Some(value) = value.as_f64().filter(|_| field != "item") {
                cell.insert(format!("{prefix}{field}"), value);
            }
        }
    }
    Ok(())
}
