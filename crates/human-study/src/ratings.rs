//! Ratings in the long form, and how far raters agree.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use evaluation_statistics::{Plan, krippendorff};
use serde::{Deserialize, Serialize};

use crate::StudyError;

/// One rater's score of one answer for one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// The problem's id.
    pub item: String,
    /// Who answered.
    pub system: String,
    /// Who rated.
    pub rater: String,
    /// What for.
    pub criterion: String,
    /// How well: any finite number; the sheets have 1 to 5.
    pub score: f64,
}

/// The ratings of a study. Missing ones are not in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ratings {
    /// In the order of the file.
    pub ratings: Vec<Rating>,
}

/// Krippendorff's α of one criterion, on three scales, with intervals from a bootstrap over units.
/// What is undefined, because all ratings are equal, is not a number (`null` in JSON).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The criterion.
    pub criterion: String,
    /// Answers with two ratings or more: the others tell nothing.
    pub units: usize,
    /// Raters.
    pub raters: usize,
    /// Ratings of those answers.
    pub ratings: usize,
    /// α where any difference counts the same.
    pub nominal: f64,
    /// Lower end of its 95 % interval.
    pub nominal_low: f64,
    /// Upper end.
    pub nominal_high: f64,
    /// α where differences count by the ratings between.
    pub ordinal: f64,
    /// Lower end of its 95 % interval.
    pub ordinal_low: f64,
    /// Upper end.
    pub ordinal_high: f64,
    /// α where differences count by their squares.
    pub interval: f64,
    /// Lower end of its 95 % interval.
    pub interval_low: f64,
    /// Upper end.
    pub interval_high: f64,
}

/// The columns of the long form.
const COLUMNS: [&str; 5] = ["item", "system", "rater", "criterion", "score"];

impl Ratings {
    /// Reads CSV with the columns `item,system,rater,criterion,score`, in any order and among others; a
    /// blank score is a missing rating. `file` is what errors call the input.
    ///
    /// # Errors
    /// [`StudyError::File`] where a column lacks; [`StudyError::Line`] for a score that is no number
    /// and for a rating given twice.
    pub fn read(input: impl Read, file: &str) -> Result<Ratings, StudyError> {
        let mut reader = csv::Reader::from_reader(input);
        let head = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
        let mut columns = [0; 5];
        for (place, name) in columns.iter_mut().zip(COLUMNS) {
            *place = head.iter().position(|field| field.trim() == name).ok_or_else(|| {
                StudyError::File {
                    file: file.to_owned(),
                    reason: format!(
                        "no column `{name}` in its first line, which should hold {}",
                        COLUMNS.join(",")
                    ),
                }
            })?;
        }
        let mut seen = BTreeSet::new();
        let mut ratings = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| csv_error(file, &error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let bad = |reason: String| StudyError::Line { file: file.to_owned(), line, reason };
            let [item, system, rater, criterion, score] =
                columns.map(|at| record.get(at).unwrap_or_default().trim().to_owned());
            if score.is_empty() {
                continue;
            }
            let score = score.parse().ok().filter(|score: &f64| score.is_finite());
            let score = score.ok_or_else(|| bad("the score is no number".into()))?;
            let cell = (item.clone(), system.clone(), rater.clone(), criterion.clone());
            if !seen.insert(cell) {
                return Err(bad(format!(
                    "rater {rater:?} has rated the {criterion} of {item:?} by {system:?} already"
                )));
            }
            ratings.push(Rating { item, system, rater, criterion, score });
        }
        Ok(Ratings { ratings })
    }

    /// Writes the long form.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, output: impl Write) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_writer(output);
        for rating in &self.ratings {
            writer.serialize(rating)?;
        }
        writer.flush()
    }

    /// The criteria, in the order of their first ratings.
    pub fn criteria(&self) -> Vec<&str> {
        distinct(self.ratings.iter().map(|rating| rating.criterion.as_str()))
    }

    /// The systems, in the order of their first ratings.
    pub fn systems(&self) -> Vec<&str> {
        distinct(self.ratings.iter().map(|rating| rating.system.as_str()))
    }

    /// The scores of each answer for a criterion, by item and system.
    pub fn units(&self, criterion: &str) -> BTreeMap<(&str, &str), Vec<f64>> {
        let mut units: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
        for rating in self.ratings.iter().filter(|rating| rating.criterion == criterion) {
            units.entry((&rating.item, &rating.system)).or_default().push(rating.score);
        }
        units
    }

    /// How far raters agree, criterion by criterion; a unit is an answer.
    ///
    /// # Errors
    /// [`StudyError::Statistics`] where no answer was rated twice.
    pub fn agreement(&self, plan: &Plan) -> Result<Vec<Agreement>, StudyError> {
        self.criteria().into_iter().map(|criterion| self.agreement_on(criterion, plan)).collect()
    }

    fn agreement_on(&self, criterion: &str, plan: &Plan) -> Result<Agreement, StudyError> {
        let units: Vec<Vec<f64>> = self.units(criterion).into_values().collect();
        let found = krippendorff(&units, plan).map_err(|source| StudyError::Statistics {
            what: format!("agreement on {criterion}, of answers with two ratings or more"),
            source,
        })?;
        let of = self.ratings.iter().filter(|rating| rating.criterion == criterion);
        let raters = of.map(|rating| rating.rater.as_str()).collect::<BTreeSet<_>>().len();
        let paired = || units.iter().filter(|unit| unit.len() >= 2);
        let [nominal, ordinal, interval] = [0, 1, 2].map(|at| found[at].alpha);
        Ok(Agreement {
            criterion: criterion.to_owned(),
            units: paired().count(),
            raters,
            ratings: paired().map(Vec::len).sum(),
            nominal: nominal.value,
            nominal_low: nominal.low,
            nominal_high: nominal.high,
            ordinal: ordinal.value,
            ordinal_low: ordinal.low,
            ordinal_high: ordinal.high,
            interval: interval.value,
            interval_low: interval.low,
            interval_high: interval.high,
        })
    }
}

pub(crate) fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

pub(crate) fn csv_error(file: &str, error: &csv::Error) -> StudyError {
    match error.position() {
        Some(position) => StudyError::Line {
            file: file.to_owned(),
            line: position.line(),
            reason: error.to_string(),
        },
        None => StudyError::File { file: file.to_owned(), reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_form_is_read_in_any_order_and_written_again() {
        let text =
            "score,note,item,criterion,system,rater\n4,x,i,c,s,1\n,y,i,c,s,2\n2.5,,\"i,2\",c,s,1\n";
        let ratings = Ratings::read(text.as_bytes(), "r.csv").unwrap();
        assert_eq!(ratings.ratings.len(), 2);
        assert_eq!(ratings.ratings[1].item, "i,2");
        let mut written = Vec::new();
        ratings.write(&mut written).unwrap();
        assert!(written.starts_with(b"item,system,rater,criterion,score\n"));
        assert_eq!(Ratings::read(&written[..], "again.csv").unwrap(), ratings);
    }

    #[test]
    fn bad_lines_are_named() {
        let head = "item,system,rater,criterion,score\n";
        let error = |text: String| Ratings::read(text.as_bytes(), "r.csv").unwrap_err().to_string();
        assert!(error(format!("{head}i,s,1,c,good\n")).contains("r.csv:2: the score is no number"));
        assert!(error(format!("{head}i,s,1,c,1\ni,s,1,c,2\n")).contains("r.csv:3: rater \"1\""));
        assert!(error(format!("{head}i,s\n")).starts_with("r.csv:2:"));
        assert!(error("item,rater\n".into()).contains("no column `system`"));
        let lonely = Ratings::read(format!("{head}i,s,1,c,1\n").as_bytes(), "r.csv").unwrap();
        let error = lonely.agreement(&Plan::default()).unwrap_err().to_string();
        assert!(error.contains("agreement on c") && error.contains("no items"), "{error}");
    }
}
