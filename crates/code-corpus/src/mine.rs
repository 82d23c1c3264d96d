//! (Documentation, function) pairs from a source tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use code_syntax::{Language, parse};
use distill_core::Problem;
use distill_core::jsonl::BadLine;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use tree_sitter::Node;

use crate::filters::Filters;
use crate::query::{first_paragraph, uncomment};
use crate::strip::{python_docstring, strip};
use crate::{CorpusError, Dropped, Harvest, OnProgress, Progress, Reason, Stage};

/// The languages that can be mined.
pub const MINEABLE: [Language; 6] = [
    Language::Python,
    Language::Java,
    Language::Go,
    Language::JavaScript,
    Language::Php,
    Language::Ruby,
];

/// Folders that hold other people's code or no code at all.
const PASSED_OVER: [&str; 8] = [
    "site-packages",
    "dist-packages",
    "node_modules",
    "bower_components",
    "__pycache__",
    "vendor",
    "third_party",
    "target",
];

/// The folder of the standard library of the interpreter `python` (a name on the search path or a
/// path), as the interpreter itself tells it.
///
/// # Errors
/// [`CorpusError::Interpreter`] if it cannot be run, fails, or names no folder.
pub fn python_stdlib(python: &str) -> Result<PathBuf, CorpusError> {
    let failed = |reason: String| CorpusError::Interpreter { python: python.to_owned(), reason };
    // Isolated: neither the environment nor the working folder has a say in what it imports.
    let output = Command::new(python)
        .args(["-I", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"])
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let last = message.lines().last().unwrap_or("no message");
        return Err(failed(format!("it ended with {}: {last}", output.status)));
    }
    let path = String::from_utf8(output.stdout)
        .map_err(|_| failed("its folder's name is not UTF-8".into()))?;
    let path = PathBuf::from(path.trim_end_matches(['\r', '\n']));
    if path.is_dir() {
        Ok(path)
    } else {
        Err(failed(format!("{:?}, which it names, is not a folder", path.display())))
    }
}

/// Mines the functions and methods of every file of `languages` under `root`.
///
/// A pair is a documented function that passes `filters`: its query is the first paragraph of the
/// documentation ([`first_paragraph`]), its reference the function without documentation and
/// comments, without the indentation of its line and without decorators. Functions inside a
/// documented function are part of it, not pairs of their own.
///
/// Problems come in the order of the files' paths and of the functions in them, whatever the number
/// of threads. `id` is `path:Class.name` (`#2`, `#3`, … where that repeats), `source` the path
/// relative to `root` with `/` between its parts; `extra` holds `start_line` and `end_line`.
///
/// Symbolic links are not followed; hidden folders, `site-packages`, `node_modules`, `vendor` and
/// their like are passed over. Files that cannot be read or are not UTF-8 are counted and listed in
/// [`Harvest::bad`].
///
/// # Errors
/// [`CorpusError::NotAFolder`], [`CorpusError::NoMiner`], [`CorpusError::Io`] if `root` itself
/// cannot be read.
pub fn mine(
    root: &Path,
    languages: &[Language],
    filters: &Filters,
    progress: OnProgress<'_>,
) -> Result<Harvest, CorpusError> {
    if let Some(&language) = languages.iter().find(|language| !MINEABLE.contains(language)) {
        return Err(CorpusError::NoMiner(language));
    }
    let mut harvest = Harvest::default();
    let files = source_files(root, languages, &mut harvest)?;
    harvest.files += files.len() as u64;
    let done = AtomicU64::new(0);
    let total = files.len() as u64;
    let mined: Vec<Result<Mined, CorpusError>> = files
        .par_iter()
        .map(|file| {
            let mined = mine_file(file, filters);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(Progress { stage: Stage::Read, done, total: Some(total) });
            mined
        })
        .collect();
    for mined in mined {
        let mined = mined?;
        harvest.problems.extend(mined.problems);
        harvest.candidates += mined.functions;
        harvest.dropped.merge(&mined.dropped);
        if let Some(bad) = mined.bad {
            tracing::warn!(file = %bad.path.display(), reason = %bad.reason, "file skipped");
            harvest.bad.push(bad);
        }
    }
    Ok(harvest)
}

/// A file to mine.
struct SourceFile {
    path: PathBuf,
    /// Relative to the root, parts separated by `/`.
    relative: String,
    language: Language,
}

/// The files of `languages` under `root`, in the order of their paths.
fn source_files(
    root: &Path,
    languages: &[Language],
    harvest: &mut Harvest,
) -> Result<Vec<SourceFile>, CorpusError> {
    if !root.is_dir() {
        return Err(match fs::metadata(root) {
            Err(source) => CorpusError::Io { path: root.to_owned(), source },
            Ok(_) => CorpusError::NotAFolder(root.to_owned()),
        });
    }
    let mut files = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, relative)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) if relative.is_empty() => {
                return Err(CorpusError::Io { path: folder, source });
            }
            Err(error) => {
                harvest.dropped.add(Reason::Unreadable);
                harvest.bad.push(bad_file(folder, error.to_string()));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    harvest.dropped.add(Reason::Unreadable);
                    harvest.bad.push(bad_file(folder.clone(), error.to_string()));
                    continue;
                }
            };
            let path = entry.path();
            let name = entry.file_name();
            let language = Language::from_path(&path).filter(|l| languages.contains(l));
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                if language.is_some() {
                    harvest.dropped.add(Reason::SymbolicLink);
                }
                continue;
            }
            let Some(name) = name.to_str() else {
                if language.is_some() {
                    harvest.dropped.add(Reason::NotUtf8);
                    harvest.bad.push(bad_file(path, "its name is not UTF-8".into()));
                }
                continue;
            };
            let relative = match relative.is_empty() {
                true => name.to_owned(),
                false => format!("{relative}/{name}"),
            };
            if kind.is_dir() {
                if !name.starts_with('.') && !PASSED_OVER.contains(&name) {
                    folders.push((path, relative));
                }
            } else if let Some(language) = language.filter(|_| kind.is_file()) {
                files.push(SourceFile { path, relative, language });
            }
        }
    }
    files.sort_by(|a, b| a.relative.cmp(&b.relative));
    // Reading folders has no order of its own.
    harvest.bad.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn bad_file(path: PathBuf, reason: String) -> BadLine {
    BadLine { path, line: 0, reason }
}

/// What one file gave.
#[derive(Default)]
struct Mined {
    problems: Vec<Problem>,
    functions: u64,
    dropped: Dropped,
    bad: Option<BadLine>,
}

impl Mined {
    fn file_dropped(reason: Reason) -> Mined {
        let mut mined = Mined::default();
        mined.dropped.add(reason);
        mined
    }
}

fn mine_file(file: &SourceFile, filters: &Filters) -> Result<Mined, CorpusError> {
    if let Some(reason) = filters.path(&file.relative) {
        return Ok(Mined::file_dropped(reason));
    }
    let unreadable = |error: std::io::Error| Mined {
        bad: Some(bad_file(file.path.clone(), error.to_string())),
        ..Mined::file_dropped(Reason::Unreadable)
    };
    match fs::metadata(&file.path) {
        Err(error) => return Ok(unreadable(error)),
        Ok(metadata) if metadata.len() > filters.max_file_bytes => {
            return Ok(Mined::file_dropped(Reason::FileTooLarge));
        }
        Ok(_) => {}
    }
    let bytes = match fs::read(&file.path) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(unreadable(error)),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to() + 1;
            return Ok(Mined {
                bad: Some(bad_file(file.path.clone(), format!("not UTF-8 (byte {at})"))),
                ..Mined::file_dropped(Reason::NotUtf8)
            });
        }
    };
    let text = normalise(text);
    if let Some(reason) = filters.file(file.language, &text) {
        return Ok(Mined::file_dropped(reason));
    }
    mine_text(file.language, &file.relative, &text, filters)
}

/// Line feeds only, and no byte order mark.
pub(crate) fn normalise(text: String) -> String {
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n"),
        false => text,
    }
}

/// Mines one text; `relative` is what its problems call their source.
fn mine_text(
    language: Language,
    relative: &str,
    text: &str,
    filters: &Filters,
) -> Result<Mined, CorpusError> {
    let tree = parse(language, text)?;
    let comments = Comments::of(language, text, &tree);
    let mut mined = Mined::default();
    let mut seen: FxHashMap<String, usize> = FxHashMap::default();
    let mut taken = BTreeMap::new();
    for function in functions(language, text, &tree, &comments) {
        mined.functions += 1;
        // Numbered before filtering, so that an id does not depend on the filters.
        let qualified = function.qualified();
        let count = seen.entry(qualified.clone()).or_default();
        *count += 1;
        let id = match *count {
            1 => format!("{relative}:{qualified}"),
            n => format!("{relative}:{qualified}#{n}"),
        };
        match pair(language, text, &function, filters)? {
            Err(reason) => mined.dropped.add(reason),
            Ok((query, code)) => {
                let mut problem = Problem::new(id, language, query);
                problem.reference = Some(code);
                problem.entry_point = Some(function.name);
                problem.source = relative.to_owned();
                let rows = [function.node.start_position().row, function.node.end_position().row];
                problem.extra.insert("start_line".into(), (rows[0] + 1).into());
                problem.extra.insert("end_line".into(), (rows[1] + 1).into());
                taken.insert(function.node.start_byte(), problem);
            }
        }
    }
    mined.problems = taken.into_values().collect();
    Ok(mined)
}

/// The query and the code of a function, or why it is no pair. The cheap checks come first.
fn pair(
    language: Language,
    text: &str,
    function: &Function<'_>,
    filters: &Filters,
) -> Result<Result<(String, String), Reason>, CorpusError> {
    let Some(documentation) = &function.documentation else {
        return Ok(Err(Reason::NoDocumentation));
    };
    if function.constructor && !filters.keep_boilerplate {
        return Ok(Err(Reason::Boilerplate));
    }
    if let Some(reason) = filters.name(language, &function.name) {
        return Ok(Err(reason));
    }
    let query = first_paragraph(language, documentation, Some(&function.name));
    if let Some(reason) = filters.query(&query) {
        return Ok(Err(reason));
    }
    if function.node.has_error() {
        return Ok(Err(Reason::SyntaxError));
    }
    let code = strip(language, text, function.node);
    if let Some(reason) = filters.code(&code) {
        return Ok(Err(reason));
    }
    match crate::snippets::is_code(language, &code)? {
        true => Ok(Ok((query, code))),
        false => Ok(Err(Reason::SyntaxError)),
    }
}

/// A named function, documented or not.
struct Function<'tree> {
    /// What the code is cut out from.
    node: Node<'tree>,
    name: String,
    /// Names of the classes (modules, receivers, functions) around it, outermost first.
    scope: Vec<String>,
    documentation: Option<String>,
    constructor: bool,
}

impl Function<'_> {
    fn qualified(&self) -> String {
        // A hostile nest of scopes must not make ids of unbounded length.
        let near = &self.scope[self.scope.len().saturating_sub(8)..];
        near.iter().chain([&self.name]).map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

/// Every function of the tree in source order. Those inside a documented one are left to it.
fn functions<'tree>(
    language: Language,
    text: &str,
    tree: &'tree tree_sitter::Tree,
    comments: &Comments<'_>,
) -> Vec<Function<'tree>> {
    let mut found = Vec::new();
    let mut cursor = tree.walk();
    let mut ancestors: Vec<Node<'tree>> = Vec::new();
    let mut scopes: Vec<(usize, String)> = Vec::new();
    'walk: loop {
        let node = cursor.node();
        scopes.truncate(scopes.partition_point(|(depth, _)| *depth < ancestors.len()));
        let mut descend = true;
        if let Some((code, name)) = named_function(language, text, node, &ancestors) {
            let statement = statement_row(node, &ancestors);
            let documentation = match language {
                Language::Python => python_docstring(node).map(|doc| string_text(text, doc.string)),
                _ => comments.above(language, statement),
            };
            descend = documentation.is_none();
            // Only the scopes near by make the name: copying all would be quadratic in the depth.
            let mut scope: Vec<String> = scopes[scopes.len().saturating_sub(8)..]
                .iter()
                .map(|(_, name)| name.clone())
                .collect();
            scope.extend(receiver(language, text, node));
            let constructor = node.kind() == "constructor_declaration";
            if descend {
                scopes.push((ancestors.len(), name.clone()));
            }
            found.push(Function { node: code, name, scope, documentation, constructor });
        } else if is_scope(node.kind())
            && let Some(name) = node.child_by_field_name("name")
        {
            scopes.push((ancestors.len(), text[name.byte_range()].to_owned()));
        }
        if descend && cursor.goto_first_child() {
            ancestors.push(node);
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                break 'walk;
            }
            ancestors.pop();
        }
    }
    found
}

fn is_scope(kind: &str) -> bool {
    matches!(
        kind,
        "class_definition"
            | "class_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "record_declaration"
            | "trait_declaration"
            | "class"
            | "module"
    )
}

/// The function that `node` is, if it is one with a name: the node to cut out and the name.
fn named_function<'tree>(
    language: Language,
    text: &str,
    node: Node<'tree>,
    ancestors: &[Node<'tree>],
) -> Option<(Node<'tree>, String)> {
    let kind = node.kind();
    if language.row().function_kinds.contains(&kind) {
        let name = node.child_by_field_name("name")?;
        // Interfaces and abstract classes declare functions without a body.
        node.child_by_field_name("body")
            .or_else(|| (language == Language::Ruby).then_some(node))?;
        return Some((node, text[name.byte_range()].to_owned()));
    }
    // JavaScript names functions by what they are assigned to.
    let assigned = language == Language::JavaScript
        && matches!(kind, "function_expression" | "arrow_function" | "generator_function");
    let parent = ancestors.last().filter(|_| assigned)?;
    let name = match parent.kind() {
        "variable_declarator" => parent.child_by_field_name("name")?,
        "assignment_expression" => {
            let left = parent.child_by_field_name("left")?;
            left.child_by_field_name("property").unwrap_or(left)
        }
        "pair" => parent.child_by_field_name("key")?,
        _ => return None,
    };
    let name = text[name.byte_range()].trim_matches(['"', '\'']);
    // With the assignment, so that the code says its own name, where it is the whole statement.
    let statement = match (ancestors.len().checked_sub(2).map(|at| ancestors[at]), parent.kind()) {
        (Some(declaration), "variable_declarator") if declaration.named_child_count() == 1 => {
            declaration
        }
        (Some(statement), "assignment_expression")
            if statement.kind() == "expression_statement" =>
        {
            statement
        }
        _ => node,
    };
    is_name(name).then(|| (statement, name.to_owned()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '#'))
}

/// The row on which the statement around a function starts: documentation stands above it.
fn statement_row(node: Node<'_>, ancestors: &[Node<'_>]) -> usize {
    ancestors
        .iter()
        .rev()
        .take_while(|ancestor| {
            matches!(
                ancestor.kind(),
                "export_statement"
                    | "lexical_declaration"
                    | "variable_declaration"
                    | "variable_declarator"
                    | "assignment_expression"
                    | "expression_statement"
                    | "pair"
                    | "field_definition"
            )
        })
        .last()
        .map_or(node.start_position().row, |ancestor| ancestor.start_position().row)
}

/// The type that a Go method belongs to.
fn receiver(language: Language, text: &str, node: Node<'_>) -> Option<String> {
    if language != Language::Go {
        return None;
    }
    let receiver = &text[node.child_by_field_name("receiver")?.byte_range()];
    let receiver = receiver.split('[').next().unwrap_or(receiver);
    let name = receiver.trim_matches(['(', ')', ' ']).rsplit([' ', '*']).next()?;
    is_name(name).then(|| name.to_owned())
}

/// What a Python string literal says, prefixes and quotes taken off and escapes resolved.
fn string_text(text: &str, string: Node<'_>) -> String {
    let mut out = String::new();
    let mut raw = false;
    let mut cursor = string.walk();
    'walk: loop {
        let node = cursor.node();
        let mut descend = true;
        match node.kind() {
            "string_start" => {
                let start = &text[node.byte_range()];
                raw = start.contains(['r', 'R']);
            }
            "string_content" => {
                let content = &text[node.byte_range()];
                out.push_str(&if raw { content.to_owned() } else { unescaped(content) });
                descend = false;
            }
            _ => {}
        }
        if descend && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                break 'walk;
            }
        }
    }
    out
}

fn unescaped(content: &str) -> String {
    if !content.contains('\\') {
        return content.to_owned();
    }
    let mut out = String::with_capacity(content.len());
    let mut chars = content.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\n') => {}
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some(c @ ('\\' | '\'' | '"')) => out.push(c),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

/// The comments of a file that stand on lines of their own, by the row they end on.
struct Comments<'text> {
    by_end: FxHashMap<usize, (usize, &'text str)>,
}

impl<'text> Comments<'text> {
    fn of(language: Language, text: &'text str, tree: &tree_sitter::Tree) -> Comments<'text> {
        let mut by_end = FxHashMap::default();
        if language == Language::Python {
            return Comments { by_end };
        }
        for node in code_syntax::preorder(tree) {
            if !language.is_comment_kind(node.kind()) {
                continue;
            }
            let line = text[..node.start_byte()].rfind('\n').map_or(0, |at| at + 1);
            if text[line..node.start_byte()].trim().is_empty() {
                let comment = text[node.byte_range()].trim_end();
                let start = node.start_position().row;
                by_end.insert(start + comment.matches('\n').count(), (start, comment));
            }
        }
        Comments { by_end }
    }

    /// The documentation that ends on the row above `row`: one block comment, or a run of line
    /// comments.
    fn above(&self, language: Language, row: usize) -> Option<String> {
        let mut run: Vec<&str> = Vec::new();
        let mut end = row.checked_sub(1)?;
        while let Some(&(start, comment)) = self.by_end.get(&end) {
            let block = comment.starts_with("/*") || comment.starts_with("=begin");
            if block && !run.is_empty() {
                break;
            }
            run.push(comment);
            let Some(above) = start.checked_sub(1).filter(|_| !block) else { break };
            end = above;
        }
        run.reverse();
        let first = *run.first()?;
        let documents = match language {
            // There, other comments are no documentation.
            Language::Java | Language::JavaScript | Language::Php => {
                first.starts_with("/**") && !first.starts_with("/**/")
            }
            _ => true,
        };
        let documentation = documents.then(|| run.join("\n"))?;
        let says_something = uncomment(language, &documentation).chars().any(char::is_alphanumeric);
        says_something.then_some(documentation)
    }
}
