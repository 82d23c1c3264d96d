//! Sheets: the page and the table that a rater fills in, and the way back.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::design::{Row, Sheet};
use crate::ratings::{Rating, Ratings, csv_error};
use crate::{CRITERIA, StudyError};

#[derive(Serialize)]
struct PageRow<'a> {
    row: &'a str,
    query: &'a str,
    answer: &'a str,
}

/// The sheet as one self-contained HTML page: no network, keyboard alone suffices, a light and a dark
/// dress. It keeps what was rated in the browser and saves `ratings-RATER.csv`, which [`import`]
/// reads. Only rows, queries and answers are in it, not who answered.
pub fn page(sheet: &Sheet) -> String {
    let rows: Vec<PageRow> = sheet
        .rows
        .iter()
        .map(|Row { row, query, answer, .. }| PageRow { row, query, answer })
        .collect();
    let criteria: Vec<[&str; 2]> = CRITERIA.iter().map(|c| [c.name, c.asks]).collect();
    let data = serde_json::json!({ "rater": sheet.rater, "criteria": criteria, "rows": rows });
    // No `<` in a script: nothing in an answer can end it.
    let data = data.to_string().replace('<', "\\u003c");
    let page = include_str!("sheet.html");
    let (before, after) = page.split_once("@DATA@").unwrap_or((page, ""));
    format!("{}{data}{after}", before.replace("@RATER@", &sheet.rater))
}

/// The sheet as CSV: `row,query,answer` and an empty column for each criterion.
pub fn table(sheet: &Sheet) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["row", "query", "answer"].into_iter().chain(CRITERIA.iter().map(|c| c.name));
    // Writing to memory does not fail.
    let _ = writer.write_record(head);
    for Row { row, query, answer, .. } in &sheet.rows {
        let fields = [row.as_str(), query, answer].into_iter().chain(CRITERIA.iter().map(|_| ""));
        let _ = writer.write_record(fields);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// Reads filled-in sheets, as the page saves them or as tables with more columns: a column `row` and
/// one for each criterion. Each file has a name, for errors, and its text. The key says which row is
/// whose. A blank is a missing rating.
///
/// # Errors
/// [`StudyError::File`], [`StudyError::Line`]: a row that is not in the key or rated twice, a score
/// that is no whole number from 1 to 5.
pub fn import(key: &[Row], files: &[(String, String)]) -> Result<Ratings, StudyError> {
    let rows: HashMap<&str, &Row> = key.iter().map(|row| (row.row.as_str(), row)).collect();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut ratings = Vec::new();
    for (file, text) in files {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let head = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
        let column = |name: &str| head.iter().position(|field| field.trim() == name);
        let row_column = column("row").ok_or_else(|| StudyError::File {
            file: file.clone(),
            reason: "no column `row` in its first line".into(),
        })?;
        for record in reader.records() {
            let record = record.map_err(|error| csv_error(file, &error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let bad = |reason: String| StudyError::Line { file: file.clone(), line, reason };
            let name = record.get(row_column).unwrap_or_default().trim();
            if name.is_empty() {
                continue;
            }
            let row = rows.get(name).ok_or_else(|| bad(format!("the key has no row {name:?}")))?;
            if let Some(other) = seen.insert(name.to_owned(), file.clone()) {
                return Err(bad(format!("row {name:?} is in {other} already")));
            }
            for criterion in CRITERIA {
                let field =
                    column(criterion.name).and_then(|at| record.get(at)).unwrap_or_default();
                let score = match field.trim() {
                    "" => continue,
                    "1" => 1.0,
                    "2" => 2.0,
                    "3" => 3.0,
                    "4" => 4.0,
                    "5" => 5.0,
                    other => {
                        return Err(bad(format!(
                            "{} is {other:?}: expected a whole number from 1 to 5 or nothing",
                            criterion.name
                        )));
                    }
                };
                ratings.push(Rating {
                    item: row.item.clone(),
                    system: row.system.clone(),
                    rater: row.rater.clone(),
                    criterion: criterion.name.to_owned(),
                    score,
                });
            }
        }
    }
    Ok(Ratings { ratings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{Design, Stimulus, study};

    fn sheets() -> Vec<Sheet> {
        let stimuli: Vec<Stimulus> = ["secret-one", "secret-two"]
            .iter()
            .map(|system| Stimulus {
                item: "hidden item".into(),
                system: (*system).into(),
                query: "Say \"hi\", then </script><b>".into(),
                answer: format!("print({:?})\n</script>,\n", system.len()),
            })
            .collect();
        study(&stimuli, &Design { raters: 2, per_rater: None, seed: 1 }).unwrap()
    }

    #[test]
    fn sheets_tell_nothing_of_systems_and_cannot_be_broken_out_of() {
        for sheet in sheets() {
            let page = page(&sheet);
            for text in [&page, &table(&sheet)] {
                assert!(!text.contains("secret") && !text.contains("hidden item"), "{text}");
            }
            assert!(!page.contains("</script><b>") && !page.contains("@DATA@"));
            assert_eq!(page.matches("</script>").count(), 2);
            assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="));
        }
    }

    #[test]
    fn tables_come_back_as_ratings() {
        let sheets = sheets();
        let key: Vec<Row> = sheets.iter().flat_map(|sheet| sheet.rows.clone()).collect();
        let head = "row,correctness,completeness,fluency\n";
        let saved = format!("{head}1-001,5,4,\n1-002,1,,3\n");
        let filled = table(&sheets[1]).replace(",,,\n", ",2,2,2\n").replace("\",,,", "\",2,2,2");
        let files = [("one.csv".to_owned(), saved), ("two.csv".to_owned(), filled)];
        let ratings = import(&key, &files).unwrap();
        assert_eq!(ratings.ratings.len(), 4 + 6);
        let first = &ratings.ratings[0];
        assert_eq!(
            (first.rater.as_str(), first.criterion.as_str(), first.score),
            ("1", "correctness", 5.0)
        );
        assert_eq!(first.system, key[0].system);

        let refused = |text: &str, says: &str| {
            let error = import(&key, &[("bad.csv".into(), text.into())]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        refused(&format!("{head}1-001,6,1,1\n"), "bad.csv:2: correctness is \"6\"");
        refused(&format!("{head}9-001,1,1,1\n"), "bad.csv:2: the key has no row \"9-001\"");
        refused(
            &format!("{head}1-001,1,1,1\n1-001,1,1,1\n"),
            "bad.csv:3: row \"1-001\" is in bad.csv already",
        );
        refused("name,fluency\n", "no column `row`");
    }
}
