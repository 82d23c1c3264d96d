//! Rows of a data set as Parquet, with the format's low-level writer: no Arrow is needed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use distill_core::jsonl::io_error;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

use crate::Error;
use crate::dataset::{COLUMNS, Kind};

/// Rows of a row group; that many are held in memory.
const GROUP: usize = 4096;

/// A Parquet file being written.
pub(crate) struct Rows {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    pub(crate) fn new(path: PathBuf) -> Result<Rows, Error> {
        let schema = Arc::new(parse_message_type(&schema()).map_err(|error| failed(&path, error))?);
        let level = ZstdLevel::default();
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let file = File::create(&path).map_err(io_error("write", &path))?;
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties))
            .map_err(|error| failed(&path, error))?;
        Ok(Rows { path, writer, rows: Vec::new() })
    }

    pub(crate) fn push(&mut self, row: Vec<Value>) -> Result<(), Error> {
        self.rows.push(row);
        if self.rows.len() < GROUP {
            return Ok(());
        }
        self.write_group().map_err(|error| failed(&self.path, error))
    }

    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let end = |rows: &mut Rows| {
            rows.write_group()?;
            rows.writer.finish().map(|_| ())
        };
        end(&mut self).map_err(|error| failed(&self.path, error))
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (at, (_, kind, _)) in COLUMNS.iter().enumerate() {
            let Some(mut column) = group.next_column()? else { break };
            let values = rows.iter().map(|row| &row[at]);
            // Definition level 1: there is a value; 0: null.
            match kind {
                Kind::Text => {
                    let (values, levels) = present(values, bytes);
                    column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
                }
                Kind::Integer => {
                    let (values, levels) = present(values, Value::as_i64);
                    column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
                }
                Kind::Float => {
                    let (values, levels) = present(values, Value::as_f64);
                    column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
                }
                Kind::Texts => {
                    // Repetition level 0 begins a row's list, 1 goes on with it; definition level 0
                    // is an empty list, 1 an item.
                    let (mut items, mut defined, mut repeated) = (vec![], vec![], vec![]);
                    for value in values {
                        let list = value.as_array().map_or(&[][..], Vec::as_slice);
                        if list.is_empty() {
                            defined.push(0);
                            repeated.push(0);
                        }
                        for (at, item) in list.iter().enumerate() {
                            items.extend(bytes(item));
                            defined.push(1);
                            repeated.push(i16::from(at > 0));
                        }
                    }
                    column.typed::<ByteArrayType>().write_batch(
                        &items,
                        Some(&defined),
                        Some(&repeated),
                    )?;
                }
            }
            column.close()?;
        }
        group.close().map(|_| ())
    }
}

fn present<'a, T>(
    values: impl Iterator<Item = &'a Value>,
    read: impl Fn(&Value) -> Option<T>,
) -> (Vec<T>, Vec<i16>) {
    let (mut found, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        let value = read(value);
        levels.push(i16::from(value.is_some()));
        found.extend(value);
    }
    (found, levels)
}

fn bytes(value: &Value) -> Option<ByteArray> {
    value.as_str().map(ByteArray::from)
}

/// The columns in Parquet's own words; lists in the layout that the format prescribes.
fn schema() -> String {
    let column = |(name, kind, _): &(&str, Kind, &str)| match kind {
        Kind::Text => format!("optional binary {name} (STRING);"),
        Kind::Integer => format!("optional int64 {name};"),
        Kind::Float => format!("optional double {name};"),
        Kind::Texts => format!(
            "required group {name} (LIST) {{ repeated group list {{ required binary element (STRING); }} }}"
        ),
    };
    format!("message lesson {{ {} }}", COLUMNS.iter().map(column).collect::<String>())
}

fn failed(path: &Path, error: ParquetError) -> Error {
    io_error("write", path)(std::io::Error::other(error)).into()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut rows = Rows::new(path.clone()).unwrap();
        let count = GROUP + 3;
        for number in 0..count {
            let steps: Vec<String> = (0..number % 4).map(|step| format!("step {step}")).collect();
            let row = COLUMNS.iter().map(|(name, kind, _)| match kind {
                _ if *name == "extra" => Value::Null,
                Kind::Text => json!(format!("{name} {number}")),
                Kind::Texts => json!(steps),
                Kind::Integer => json!(number),
                Kind::Float => json!(0.5),
            });
            rows.push(row.collect()).unwrap();
        }
        rows.finish().unwrap();
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let found: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(found.len(), count);
        for (number, row) in found.iter().enumerate() {
            assert_eq!(row.get_string(0).unwrap(), &format!("id {number}"));
            assert_eq!(row.get_list(3).unwrap().len(), number % 4);
            assert_eq!(row.get_long(15).unwrap(), number as i64);
            assert!(row.get_string(COLUMNS.len() - 1).is_err(), "null");
        }
    }
}
