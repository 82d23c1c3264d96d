//! Problems from record files: CodeSearchNet, and JSONL with fields of any name.

use std::path::{Path, PathBuf};

use code_syntax::Language;
use distill_core::Problem;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::filters::Filters;
use crate::lines::{Line, Lines};
use crate::mine::normalise;
use crate::query::first_paragraph;
use crate::snippets::parse_code;
use crate::strip::strip_range;
use crate::{CorpusError, Harvest, OnProgress, Progress, Reason, Stage};

/// Which fields of a record hold what. Field names are looked up at the record's top level.
///
/// In a configuration file:
///
/// ```
/// let fields: code_corpus::Fields = serde_json::from_str(
///     r#"{ "query": "nl", "code": ["prompt", "solution"], "language": "java" }"#,
/// )?;
/// assert_eq!(fields.code, ["prompt", "solution"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// The problem's text.
    pub query: String,
    /// The code that solves it: one field, or several whose texts are joined without anything in
    /// between (a prompt and its completion). None, or a `null` in one of them: a problem without
    /// reference.
    #[serde(deserialize_with = "one_or_more")]
    pub code: Vec<String>,
    /// The language of all records; where `None`, each record's own `language_field` says it.
    pub language: Option<Language>,
    /// The field with the record's language.
    pub language_field: String,
    /// A field that identifies the record; otherwise file name and line number do.
    pub id: Option<String>,
    /// The field with the name of the function to define; otherwise the name of the first function
    /// in the code.
    pub entry_point: Option<String>,
    /// The field with the source: what must stay on one side of the split.
    pub source: Option<String>,
    /// Whether the query is documentation, of which only the first paragraph counts.
    pub documentation: bool,
    /// Where the query ends, if this text occurs in it; what follows is kept as `context`.
    pub query_end: Option<String>,
}

impl Default for Fields {
    /// `query`, `code`, `language`.
    fn default() -> Fields {
        Fields {
            query: "query".into(),
            code: vec!["code".into()],
            language: None,
            language_field: "language".into(),
            id: None,
            entry_point: None,
            source: None,
            documentation: false,
            query_end: None,
        }
    }
}

impl Fields {
    /// CodeSearchNet's: `docstring`, `code`, `language`.
    fn code_search_net() -> Fields {
        Fields { query: "docstring".into(), documentation: true, ..Fields::default() }
    }

    /// CONCODE's: `nl` up to its class context, and `code`, which is Java.
    ///
    /// Its code stands on one line: it wants [`Filters::min_code_lines`] to be 1.
    pub fn concode() -> Fields {
        Fields {
            query: "nl".into(),
            language: Some(Language::Java),
            query_end: Some("concode_field_sep".into()),
            ..Fields::default()
        }
    }

    /// MBXP's: `description`; `prompt` and `canonical_solution` together are the code.
    pub fn mbxp() -> Fields {
        Fields {
            query: "description".into(),
            code: vec!["prompt".into(), "canonical_solution".into()],
            id: Some("task_id".into()),
            entry_point: Some("entry_point".into()),
            ..Fields::default()
        }
    }
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(field) => vec![field],
        OneOrMore::More(fields) => fields,
    })
}

/// Reads CodeSearchNet files, `.jsonl` or `.jsonl.gz`, in any of its languages.
///
/// Both shapes are read: that of the release (`repo`, `path`, `func_name`, `docstring`, `code`,
/// `language`, `url`, `sha`, `partition`, …) and that of samples (`docstring`, `code`, `language`).
/// The query is the docstring's first paragraph, the reference the code without docstring and
/// comments. `source` is `repo/path`; `extra` keeps `repo`, `path`, `func_name`, `sha`, `url` and
/// `partition`. `id` is `repo/path:func_name`, or file name and line number in a sample.
///
/// Lines that are no record are counted and listed in [`Harvest::bad`].
///
/// # Errors
/// [`CorpusError::Io`] for a file that cannot be opened or read to its end (a truncated archive);
/// [`CorpusError::BadLine`] for the first bad line if `strict`.
pub fn code_search_net(
    files: &[PathBuf],
    filters: &Filters,
    strict: bool,
    progress: OnProgress<'_>,
) -> Result<Harvest, CorpusError> {
    read(files, &Fields::code_search_net(), Shape::CodeSearchNet, filters, strict, progress)
}

/// Reads JSONL files, compressed or not, with the given fields.
///
/// All other fields of a record are kept in `extra`. White space in the query is normalised;
/// comments and docstrings go from the code.
///
/// # Errors
/// As [`code_search_net`].
pub fn jsonl(
    files: &[PathBuf],
    fields: &Fields,
    filters: &Filters,
    strict: bool,
    progress: OnProgress<'_>,
) -> Result<Harvest, CorpusError> {
    read(files, fields, Shape::Plain, filters, strict, progress)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    CodeSearchNet,
    Plain,
}

/// Lines that are read into memory before they are parsed in parallel.
const BATCH: usize = 4096;

fn read(
    files: &[PathBuf],
    fields: &Fields,
    shape: Shape,
    filters: &Filters,
    strict: bool,
    progress: OnProgress<'_>,
) -> Result<Harvest, CorpusError> {
    let mut harvest = Harvest::default();
    let mut seen: FxHashMap<String, usize> = FxHashMap::default();
    for path in files {
        let mut lines = Lines::open(path)?;
        harvest.files += 1;
        let name = file_stem(path);
        loop {
            let batch = lines.batch(BATCH)?;
            if batch.is_empty() {
                break;
            }
            harvest.candidates += batch.len() as u64;
            let outcomes: Vec<(usize, Outcome)> = batch
                .into_par_iter()
                .map(|line| (line.0, record(line, &name, fields, shape, filters)))
                .collect();
            for (number, outcome) in outcomes {
                match outcome {
                    Outcome::Problem(mut problem) => {
                        number_id(&mut problem, &mut seen);
                        harvest.problems.push(*problem);
                    }
                    Outcome::Dropped(reason) => harvest.dropped.add(reason),
                    Outcome::Bad(reason) => {
                        let bad = lines.bad(number, reason);
                        if strict {
                            return Err(bad.into());
                        }
                        tracing::warn!("{bad}; line skipped");
                        harvest.dropped.add(Reason::BadLine);
                        harvest.bad.push(bad);
                    }
                }
            }
            progress(Progress { stage: Stage::Read, done: harvest.candidates, total: None });
        }
    }
    Ok(harvest)
}

/// `#2`, `#3`, … for an id that was there before.
fn number_id(problem: &mut Problem, seen: &mut FxHashMap<String, usize>) {
    loop {
        let count = seen.entry(problem.id.clone()).or_default();
        *count += 1;
        if *count == 1 {
            return;
        }
        problem.id = format!("{}#{count}", problem.id);
    }
}

/// `train` for `a/train.jsonl.gz`.
fn file_stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.strip_suffix(".jsonl").unwrap_or(name).to_owned()
}

enum Outcome {
    Problem(Box<Problem>),
    Dropped(Reason),
    Bad(String),
}

fn record(
    (number, line): Line,
    file: &str,
    fields: &Fields,
    shape: Shape,
    filters: &Filters,
) -> Outcome {
    let record = line.and_then(|line| {
        let text = std::str::from_utf8(&line)
            .map_err(|error| format!("not UTF-8 (byte {})", error.valid_up_to() + 1))?;
        serde_json::from_str::<Map<String, Value>>(text).map_err(|error| error.to_string())
    });
    let made = record.and_then(|record| problem(record, number, file, fields, shape, filters));
    match made {
        Ok(Ok(problem)) => Outcome::Problem(Box::new(problem)),
        Ok(Err(reason)) => Outcome::Dropped(reason),
        Err(bad) => Outcome::Bad(bad),
    }
}

/// A problem, a reason to drop the record, or what makes it no record.
fn problem(
    mut record: Map<String, Value>,
    number: usize,
    file: &str,
    fields: &Fields,
    shape: Shape,
    filters: &Filters,
) -> Result<Result<Problem, Reason>, String> {
    let language = match fields.language {
        Some(language) => language,
        None => text(&record, &fields.language_field)?
            .parse::<Language>()
            .map_err(|error| error.to_string())?,
    };
    let mut query = text(&record, &fields.query)?.to_owned();
    // A `null` says that there is no code; a field that is not there was named wrongly.
    let mut code = (!fields.code.is_empty()).then(String::new);
    for field in &fields.code {
        if matches!(record.get(field), Some(Value::Null)) {
            code = None;
        } else if let Some(code) = &mut code {
            code.push_str(text(&record, field)?);
        }
    }
    let optional = |record: &Map<String, Value>, field: &Option<String>| match field {
        Some(field) => scalar(record, field).map(Some),
        None => Ok(None),
    };
    let mut name = optional(&record, &fields.entry_point)?;
    let mut id = optional(&record, &fields.id)?;
    let mut source = optional(&record, &fields.source)?.unwrap_or_default();
    if shape == Shape::CodeSearchNet {
        let field = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or("");
        let (repo, path, function) = (field("repo"), field("path"), field("func_name"));
        if !repo.is_empty() && !path.is_empty() {
            source = format!("{repo}/{path}");
            id = Some(format!("{source}:{function}"));
        }
        // `Class.name` and, in Ruby, `Module::Class.name`.
        let last = function.rsplit(['.', ':', '#']).next().unwrap_or(function);
        name = Some(last.to_owned()).filter(|name| !name.is_empty());
    }
    let mut context = None;
    if let Some((before, after)) = fields.query_end.as_ref().and_then(|end| query.split_once(end)) {
        context = Some(after.trim().to_owned());
        query = before.to_owned();
    }
    let query = match fields.documentation {
        true => first_paragraph(language, &normalise(query), name.as_deref()),
        false => query.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    if let Some(reason) = filters.query(&query) {
        return Ok(Err(reason));
    }
    let mut reference = None;
    if let Some(code) = code {
        match reference_code(language, &normalise(code), filters, &mut name) {
            Ok(Ok(code)) => reference = Some(code),
            Ok(Err(reason)) => return Ok(Err(reason)),
            Err(error) => return Err(error.to_string()),
        }
    }
    if shape == Shape::CodeSearchNet {
        record.retain(|field, _| {
            matches!(field.as_str(), "repo" | "path" | "func_name" | "sha" | "url" | "partition")
        });
    } else {
        // What the problem says itself, and names that its own fields have.
        let own = ["id", "language", "query", "reference", "entry_point", "source"];
        record.retain(|field, _| {
            !own.contains(&field.as_str())
                && *field != fields.query
                && !fields.code.contains(field)
                && fields.id.as_ref() != Some(field)
                && fields.source.as_ref() != Some(field)
        });
    }
    let mut problem =
        Problem::new(id.unwrap_or_else(|| format!("{file}:{number}")), language, query);
    problem.reference = reference;
    problem.entry_point = name;
    problem.source = source;
    problem.extra = record;
    if let Some(context) = context {
        problem.extra.insert("context".into(), context.into());
    }
    Ok(Ok(problem))
}

/// The code without comments; the name of its first function where none is given.
fn reference_code(
    language: Language,
    code: &str,
    filters: &Filters,
    name: &mut Option<String>,
) -> Result<Result<String, Reason>, code_syntax::SyntaxError> {
    if let Some(reason) = name.as_ref().and_then(|name| filters.name(language, name)) {
        return Ok(Err(reason));
    }
    let (snippet, clean) = match parse_code(language, code) {
        // Nothing to check it with: it is taken as it is.
        Err(code_syntax::SyntaxError::NoGrammar { .. }) => {
            let code = code.trim().to_owned();
            return Ok(filters.code(&code).map_or(Ok(code), Err));
        }
        parsed => parsed?,
    };
    if !clean {
        return Ok(Err(Reason::SyntaxError));
    }
    if name.is_none() {
        *name = code_syntax::preorder(&snippet.tree)
            .filter(|node| {
                node.start_byte() >= snippet.offset
                    && language.row().function_kinds.contains(&node.kind())
            })
            .find_map(|node| node.child_by_field_name("name"))
            .map(|name| snippet.text[name.byte_range()].to_owned());
        if let Some(reason) = name.as_ref().and_then(|name| filters.name(language, name)) {
            return Ok(Err(reason));
        }
    }
    let range = snippet.offset..snippet.offset + code.len();
    let code = strip_range(language, &snippet.text, snippet.tree.root_node(), range);
    Ok(filters.code(&code).map_or(Ok(code), Err))
}

fn text<'a>(record: &'a Map<String, Value>, field: &str) -> Result<&'a str, String> {
    match record.get(field) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Null) | None => Err(format!("the field {field:?} is missing")),
        Some(other) => Err(format!("the field {field:?} is {}, not a text", kind(other))),
    }
}

/// A text, or a number as one.
fn scalar(record: &Map<String, Value>, field: &str) -> Result<String, String> {
    match record.get(field) {
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => text(record, field).map(str::to_owned),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
