//! Which pairs are worth keeping: the filters of CodeSearchNet, and a few that its users added.

use code_syntax::Language;
use serde::{Deserialize, Serialize};

use crate::Reason;
use crate::tokens::{tokens, words};

/// The limits that pairs must keep. Lengths are in [tokens](fn@crate::tokens::tokens).
///
/// The minima, tests, constructors and generated files are those of CodeSearchNet (Husain et al.,
/// 2019, section 2.1); the maxima and the language check follow the cleaning that CodeXGLUE added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// Fewest words of a query. Default 3.
    pub min_query_words: usize,
    /// Most tokens of a query. Default 256.
    pub max_query_tokens: usize,
    /// Fewest lines of code, blank ones and comments not counted. Default 3.
    pub min_code_lines: usize,
    /// Most tokens of code. Default 512.
    pub max_code_tokens: usize,
    /// Largest file to read when mining, in bytes. Default 1 MiB.
    pub max_file_bytes: u64,
    /// Longest line of a file that a person wrote, in bytes. Default 2,000.
    pub max_line_bytes: usize,
    /// Whether test functions and files of tests stay. Default no.
    pub keep_tests: bool,
    /// Whether constructors and standard methods stay. Default no.
    pub keep_boilerplate: bool,
    /// Whether files that a program wrote stay. Default no.
    pub keep_generated: bool,
    /// Whether queries in other languages than English stay. Default no.
    pub keep_other_languages: bool,
    /// Whether queries that say nothing by themselves ("See the base class.") stay. Default no.
    pub keep_uninformative: bool,
}

impl Default for Filters {
    fn default() -> Filters {
        Filters {
            min_query_words: 3,
            max_query_tokens: 256,
            min_code_lines: 3,
            max_code_tokens: 512,
            max_file_bytes: 1 << 20,
            max_line_bytes: 2_000,
            keep_tests: false,
            keep_boilerplate: false,
            keep_generated: false,
            keep_other_languages: false,
            keep_uninformative: false,
        }
    }
}

impl Filters {
    /// Filters that let everything through that is a pair at all, for corpora that are clean
    /// already.
    pub fn none() -> Filters {
        Filters {
            min_query_words: 1,
            max_query_tokens: usize::MAX,
            min_code_lines: 1,
            max_code_tokens: usize::MAX,
            max_file_bytes: u64::MAX,
            max_line_bytes: usize::MAX,
            keep_tests: true,
            keep_boilerplate: true,
            keep_generated: true,
            keep_other_languages: true,
            keep_uninformative: true,
        }
    }

    /// Why a query does not qualify, if so.
    pub fn query(&self, query: &str) -> Option<Reason> {
        let letters = query.chars().filter(|c| c.is_alphabetic()).count();
        if letters == 0 {
            return Some(Reason::NoQuery);
        }
        if words(query).count() < self.min_query_words {
            return Some(Reason::QueryTooShort);
        }
        if tokens(query).count() > self.max_query_tokens {
            return Some(Reason::QueryTooLong);
        }
        if !self.keep_other_languages && !looks_english(query, letters) {
            return Some(Reason::NotEnglish);
        }
        if !self.keep_uninformative {
            let visible = query.chars().filter(|c| !c.is_whitespace()).count();
            if letters * 10 < visible * 6 || has_markup(query) || is_formula(query) {
                return Some(Reason::NotProse);
            }
            if is_uninformative(query) {
                return Some(Reason::Uninformative);
            }
        }
        None
    }

    /// Why a function does not qualify by its name, if so.
    pub fn name(&self, language: Language, name: &str) -> Option<Reason> {
        if !self.keep_tests && name.to_ascii_lowercase().contains("test") {
            return Some(Reason::TestFunction);
        }
        (!self.keep_boilerplate && is_boilerplate(language, name)).then_some(Reason::Boilerplate)
    }

    /// Why code (already without comments) does not qualify, if so.
    pub fn code(&self, code: &str) -> Option<Reason> {
        let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
        if lines < self.min_code_lines {
            return Some(Reason::CodeTooShort);
        }
        let too_long = tokens(code).nth(self.max_code_tokens).is_some();
        too_long.then_some(Reason::CodeTooLong)
    }

    /// Why a file does not qualify by its path, parts separated by `/`, if so.
    pub fn path(&self, path: &str) -> Option<Reason> {
        (!self.keep_tests && is_test_path(path)).then_some(Reason::TestFile)
    }

    /// Why a file does not qualify by its text, if so.
    pub fn file(&self, language: Language, text: &str) -> Option<Reason> {
        let generated = !self.keep_generated
            && (text.lines().any(|line| line.len() > self.max_line_bytes)
                || says_generated(language, text));
        generated.then_some(Reason::Generated)
    }
}

/// Constructors, and methods that the language calls rather than the programmer.
fn is_boilerplate(language: Language, name: &str) -> bool {
    match language {
        Language::Python => name.len() > 4 && name.starts_with("__") && name.ends_with("__"),
        Language::Java => {
            matches!(name, "toString" | "hashCode" | "equals" | "finalize" | "clone" | "compareTo")
        }
        Language::JavaScript | Language::TypeScript => {
            matches!(name, "constructor" | "toString" | "toLocaleString" | "valueOf" | "toJSON")
        }
        Language::Php => name.starts_with("__"),
        Language::Ruby => {
            matches!(name, "initialize" | "to_s" | "inspect" | "hash" | "eql?" | "dup" | "clone")
                || !name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        }
        Language::Go => matches!(name, "String" | "Error" | "init" | "main"),
        _ => false,
    }
}

/// A folder called test, tests or spec, or a file named as test runners want it.
fn is_test_path(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let file = parts.next().unwrap_or("");
    let folder = parts.any(|part| {
        part.split(['_', '-', '.']).any(|word| {
            matches!(word.to_ascii_lowercase().as_str(), "test" | "tests" | "spec" | "specs")
        })
    });
    let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
    let lower = stem.to_ascii_lowercase();
    folder
        || lower.starts_with("test_")
        || lower.ends_with("_test")
        || lower.ends_with("_tests")
        || lower.ends_with("_spec")
        || lower == "test"
        || lower == "tests"
        || lower == "conftest"
        || stem.ends_with("Test")
        || stem.ends_with("Tests")
        || stem.ends_with("TestCase")
        || file.contains(".test.")
        || file.contains(".spec.")
}

/// Whether a comment in the first lines says that a program wrote the file.
fn says_generated(language: Language, text: &str) -> bool {
    let row = language.row();
    text.lines().take(15).any(|line| {
        let line = line.trim_start();
        let comment = row.line_comments.iter().any(|marker| line.starts_with(marker))
            || row.block_comment.is_some_and(|(open, _)| line.starts_with(open))
            || row.block_comment.is_some() && line.starts_with('*');
        if !comment {
            return false;
        }
        let lower = line.to_ascii_lowercase();
        [
            "@generated",
            "code generated",
            "auto-generated",
            "autogenerated",
            "automatically generated",
            "generated automatically",
            "generated by",
            "generated from",
            "do not edit",
            "do not modify",
        ]
        .iter()
        .any(|mark| lower.contains(mark))
    })
}

/// A guess from the letters, and in longer queries from the commonest words.
fn looks_english(query: &str, letters: usize) -> bool {
    let foreign = query.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()).count();
    if foreign * 10 > letters {
        return false;
    }
    const ELSEWHERE: [&str; 30] = [
        "der", "die", "das", "und", "ist", "nicht", "eine", "einen", "wird", "für", "les", "des",
        "une", "est", "pour", "dans", "avec", "la", "el", "los", "las", "una", "para", "con",
        "del", "por", "il", "di", "che", "os",
    ];
    const HERE: [&str; 28] = [
        "the", "a", "an", "of", "to", "is", "in", "for", "and", "or", "if", "with", "from", "this",
        "that", "return", "returns", "get", "set", "by", "on", "as", "be", "it", "at", "not",
        "are", "given",
    ];
    let (mut elsewhere, mut here) = (0, 0);
    for word in words(query) {
        let word = word.to_lowercase();
        elsewhere += usize::from(ELSEWHERE.contains(&word.as_str()));
        here += usize::from(HERE.contains(&word.as_str()));
    }
    elsewhere < 2 || elsewhere <= here
}

fn has_markup(query: &str) -> bool {
    ["http://", "https://", "<img", "<a ", "{{", "}}", "~~~", "====", "----"]
        .iter()
        .any(|mark| query.contains(mark))
}

/// A grammar rule or an assignment: `name = …`, `name ::= …`.
fn is_formula(query: &str) -> bool {
    let second = query.split_whitespace().nth(1);
    matches!(second, Some("=" | "::=" | ":=" | "==" | "->" | "=>"))
}

/// Queries that lean on something the reader does not see.
fn is_uninformative(query: &str) -> bool {
    const STARTS: [&str; 27] = [
        "deprecated",
        "todo",
        "fixme",
        "xxx",
        "internal use",
        "internal helper for",
        "internal implementation",
        "for internal",
        "private method",
        "same as ",
        "ditto",
        "as above",
        "like the ",
        "inherit",
        "@inherit",
        "undocumented",
        "not implemented",
        "no documentation",
        "docstring",
        "helper for",
        "helper function for",
        "helper method for",
        "implement the ",
        "implements the ",
        "implementation of ",
        "abstract method",
        "non-javadoc",
    ];
    let lower = query.trim_start_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    let starts = |start: &str| lower.starts_with(start);
    STARTS.iter().any(|start| starts(start))
        || starts("see ") && !starts("see if ") && !starts("see whether ")
        // `Override X to do Y` says what is done.
        || starts("overrid") && !lower.contains(" to ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_judged() {
        let filters = Filters::default();
        for (query, expected) in [
            ("Return the sum of a list.", None),
            ("Returns x.", Some(Reason::QueryTooShort)),
            ("", Some(Reason::NoQuery)),
            ("--- * ---", Some(Reason::NoQuery)),
            ("See the base class for that.", Some(Reason::Uninformative)),
            ("a = [1, 2] + {3: 4}; b == c", Some(Reason::NotProse)),
            ("Visit https://example.org for more of this.", Some(Reason::NotProse)),
            ("Возвращает сумму всех чисел", Some(Reason::NotEnglish)),
            ("Gibt die Summe der Zahlen und ist nicht leer", Some(Reason::NotEnglish)),
        ] {
            assert_eq!(filters.query(query), expected, "{query}");
        }
        assert_eq!(filters.query(&"word ".repeat(300)), Some(Reason::QueryTooLong));
        assert_eq!(Filters::none().query("Возвращает x"), None);
    }

    #[test]
    fn names_and_paths_are_judged() {
        let filters = Filters::default();
        assert_eq!(filters.name(Language::Python, "__repr__"), Some(Reason::Boilerplate));
        assert_eq!(filters.name(Language::Python, "__private"), None);
        assert_eq!(filters.name(Language::Java, "testAdd"), Some(Reason::TestFunction));
        assert_eq!(filters.name(Language::Php, "__construct"), Some(Reason::Boilerplate));
        assert_eq!(filters.name(Language::Ruby, "<=>"), Some(Reason::Boilerplate));
        for path in [
            "test/a.py",
            "idlelib/idle_test/b.py",
            "x/test_a.py",
            "a_test.go",
            "ATest.java",
            "a.spec.js",
        ] {
            assert_eq!(filters.path(path), Some(Reason::TestFile), "{path}");
        }
        for path in ["unittest/case.py", "doctest.py", "latest/a.py", "contest.go"] {
            assert_eq!(filters.path(path), None, "{path}");
        }
    }

    #[test]
    fn generated_files_are_known_by_their_head() {
        let filters = Filters::default();
        let head = "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage p\n";
        assert_eq!(filters.file(Language::Go, head), Some(Reason::Generated));
        let prose = "\"\"\"Reads files generated by make.\"\"\"\n";
        assert_eq!(filters.file(Language::Python, prose), None);
        let long = format!("var a={};", "1,".repeat(5_000));
        assert_eq!(filters.file(Language::JavaScript, &long), Some(Reason::Generated));
    }
}
