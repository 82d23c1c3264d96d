//! The table of languages.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::SyntaxError;

/// A programming language, one row of [`TABLE`].
///
/// It is written and read (serde, [`FromStr`], [`fmt::Display`]) by its [`name`](Language::name);
/// reading accepts the aliases too, in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Language {
    /// Python 3.
    Python,
    /// Java.
    Java,
    /// Go.
    Go,
    /// JavaScript (ECMAScript, JSX).
    JavaScript,
    /// PHP.
    Php,
    /// Ruby.
    Ruby,
    /// C.
    C,
    /// C++.
    Cpp,
    /// C#.
    CSharp,
    /// Rust.
    Rust,
    /// TypeScript.
    TypeScript,
}

/// One language as data.
#[derive(Debug)]
pub struct Row {
    /// The language of this row.
    pub language: Language,
    /// Its name in records and options.
    pub name: &'static str,
    /// Its name in prose and prompts.
    pub title: &'static str,
    /// Other accepted names, lower case.
    pub aliases: &'static [&'static str],
    /// File extensions without the dot; the first is the usual one.
    pub extensions: &'static [&'static str],
    /// What starts a comment that runs to the end of the line.
    pub line_comments: &'static [&'static str],
    /// What opens and closes a block comment, if there is such a thing.
    pub block_comment: Option<(&'static str, &'static str)>,
    /// The grammar's kinds of comment nodes.
    pub comment_kinds: &'static [&'static str],
    /// The grammar's kinds of nodes that define a named function or method.
    pub function_kinds: &'static [&'static str],
    /// The keyword file, one a line.
    keywords: &'static str,
}

const C_LINE: &[&str] = &["//"];
const C_BLOCK: Option<(&str, &str)> = Some(("/*", "*/"));

/// Every language, in the order of [`Language::ALL`].
///
/// The keyword lists are those published with CodeBLEU (PyPI codebleu 0.7.0, MIT), so that keyword
/// match means the same everywhere; TypeScript's is JavaScript's and the words TypeScript adds.
pub static TABLE: [Row; 11] = [
    Row {
        language: Language::Python,
        name: "python",
        title: "Python",
        aliases: &["py", "python3"],
        extensions: &["py", "pyi"],
        line_comments: &["#"],
        block_comment: None,
        comment_kinds: &["comment"],
        function_kinds: &["function_definition"],
        keywords: include_str!("../keywords/python.txt"),
    },
    Row {
        language: Language::Java,
        name: "java",
        title: "Java",
        aliases: &[],
        extensions: &["java"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["line_comment", "block_comment"],
        function_kinds: &["method_declaration", "constructor_declaration"],
        keywords: include_str!("../keywords/java.txt"),
    },
    Row {
        language: Language::Go,
        name: "go",
        title: "Go",
        aliases: &["golang"],
        extensions: &["go"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["comment"],
        function_kinds: &["function_declaration", "method_declaration"],
        keywords: include_str!("../keywords/go.txt"),
    },
    Row {
        language: Language::JavaScript,
        name: "javascript",
        title: "JavaScript",
        aliases: &["js", "jsx", "node"],
        extensions: &["js", "mjs", "cjs", "jsx"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["comment", "html_comment"],
        function_kinds: &[
            "function_declaration",
            "generator_function_declaration",
            "method_definition",
        ],
        keywords: include_str!("../keywords/javascript.txt"),
    },
    Row {
        language: Language::Php,
        name: "php",
        title: "PHP",
        aliases: &[],
        extensions: &["php"],
        line_comments: &["//", "#"],
        block_comment: C_BLOCK,
        comment_kinds: &["comment"],
        function_kinds: &["function_definition", "method_declaration"],
        keywords: include_str!("../keywords/php.txt"),
    },
    Row {
        language: Language::Ruby,
        name: "ruby",
        title: "Ruby",
        aliases: &["rb"],
        extensions: &["rb"],
        line_comments: &["#"],
        block_comment: Some(("=begin", "=end")),
        comment_kinds: &["comment"],
        function_kinds: &["method", "singleton_method"],
        keywords: include_str!("../keywords/ruby.txt"),
    },
    Row {
        language: Language::C,
        name: "c",
        title: "C",
        aliases: &[],
        extensions: &["c", "h"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["comment"],
        function_kinds: &["function_definition"],
        keywords: include_str!("../keywords/c.txt"),
    },
    Row {
        language: Language::Cpp,
        name: "cpp",
        title: "C++",
        aliases: &["c++", "cxx"],
        extensions: &["cpp", "cc", "cxx", "hpp", "hh"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["comment"],
        function_kinds: &["function_definition"],
        keywords: include_str!("../keywords/cpp.txt"),
    },
    Row {
        language: Language::CSharp,
        name: "c_sharp",
        title: "C#",
        aliases: &["c#", "cs", "csharp"],
        extensions: &["cs"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["comment"],
        function_kinds: &[
            "method_declaration",
            "constructor_declaration",
            "local_function_statement",
        ],
        keywords: include_str!("../keywords/c_sharp.txt"),
    },
    Row {
        language: Language::Rust,
        name: "rust",
        title: "Rust",
        aliases: &["rs"],
        extensions: &["rs"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["line_comment", "block_comment"],
        function_kinds: &["function_item"],
        keywords: include_str!("../keywords/rust.txt"),
    },
    Row {
        language: Language::TypeScript,
        name: "typescript",
        title: "TypeScript",
        aliases: &["ts"],
        extensions: &["ts", "mts", "cts"],
        line_comments: C_LINE,
        block_comment: C_BLOCK,
        comment_kinds: &["comment", "html_comment"],
        function_kinds: &[
            "function_declaration",
            "generator_function_declaration",
            "method_definition",
        ],
        keywords: include_str!("../keywords/typescript.txt"),
    },
];

/// The names of all languages, comma-separated, for messages.
pub fn known_names() -> String {
    TABLE.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 11] = [
        Language::Python,
        Language::Java,
        Language::Go,
        Language::JavaScript,
        Language::Php,
        Language::Ruby,
        Language::C,
        Language::Cpp,
        Language::CSharp,
        Language::Rust,
        Language::TypeScript,
    ];

    /// This language's row of the table.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its name in records and options, for example `c_sharp`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Its name in prose, for example `C#`.
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// Its keywords, as published with CodeBLEU (see [`TABLE`]), in file order.
    pub fn keywords(self) -> &'static [&'static str] {
        static LISTS: OnceLock<Vec<Vec<&'static str>>> = OnceLock::new();
        let lists = LISTS.get_or_init(|| {
            let words = |row: &Row| row.keywords.lines().map(str::trim).collect();
            TABLE.iter().map(words).collect()
        });
        &lists[self as usize]
    }

    /// The language of files with this extension (without the dot, any case).
    pub fn from_extension(extension: &str) -> Option<Language> {
        let extension = extension.to_ascii_lowercase();
        TABLE.iter().find(|row| row.extensions.contains(&extension.as_str())).map(|r| r.language)
    }

    /// The language of the file at `path`, by its extension.
    pub fn from_path(path: &Path) -> Option<Language> {
        path.extension()?.to_str().and_then(Language::from_extension)
    }

    /// Whether `kind` is a comment node of this language's grammar.
    pub fn is_comment_kind(self, kind: &str) -> bool {
        self.row().comment_kinds.contains(&kind)
    }

    /// The tree-sitter grammar.
    ///
    /// # Errors
    /// [`SyntaxError::NoGrammar`] where the language's Cargo feature is off.
    #[cfg(feature = "tree-sitter")]
    pub fn grammar(self) -> Result<tree_sitter::Language, SyntaxError> {
        #[allow(unreachable_patterns)] // not when every grammar is compiled in
        match self {
            #[cfg(feature = "python")]
            Language::Python => Ok(tree_sitter_python::LANGUAGE.into()),
            #[cfg(feature = "java")]
            Language::Java => Ok(tree_sitter_java::LANGUAGE.into()),
            #[cfg(feature = "go")]
            Language::Go => Ok(tree_sitter_go::LANGUAGE.into()),
            #[cfg(feature = "javascript")]
            Language::JavaScript => Ok(tree_sitter_javascript::LANGUAGE.into()),
            #[cfg(feature = "php")]
            Language::Php => Ok(tree_sitter_php::LANGUAGE_PHP.into()),
            #[cfg(feature = "ruby")]
            Language::Ruby => Ok(tree_sitter_ruby::LANGUAGE.into()),
            #[cfg(feature = "c")]
            Language::C => Ok(tree_sitter_c::LANGUAGE.into()),
            #[cfg(feature = "cpp")]
            Language::Cpp => Ok(tree_sitter_cpp::LANGUAGE.into()),
            #[cfg(feature = "c_sharp")]
            Language::CSharp => Ok(tree_sitter_c_sharp::LANGUAGE.into()),
            #[cfg(feature = "rust")]
            Language::Rust => Ok(tree_sitter_rust::LANGUAGE.into()),
            #[cfg(feature = "typescript")]
            Language::TypeScript => Ok(tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()),
            language => Err(SyntaxError::NoGrammar { language }),
        }
    }

    /// Whether this build holds the grammar.
    #[cfg(feature = "tree-sitter")]
    pub fn has_grammar(self) -> bool {
        self.grammar().is_ok()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Language {
    type Err = SyntaxError;

    fn from_str(name: &str) -> Result<Language, SyntaxError> {
        let lower = name.trim().to_ascii_lowercase();
        TABLE
            .iter()
            .find(|row| row.name == lower || row.aliases.contains(&lower.as_str()))
            .map(|row| row.language)
            .ok_or_else(|| SyntaxError::UnknownLanguage { name: name.to_owned() })
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Language, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.language as usize, index);
            assert_eq!(Language::ALL[index], row.language);
        }
    }

    #[test]
    fn every_name_alias_and_serde_form_reads_back() {
        for row in &TABLE {
            for name in std::iter::once(&row.name).chain(row.aliases) {
                assert_eq!(name.parse(), Ok(row.language));
                assert_eq!(name.to_uppercase().parse(), Ok(row.language));
            }
            let json = serde_json::to_string(&row.language).unwrap();
            assert_eq!(serde_json::from_str::<Language>(&json).unwrap(), row.language);
        }
    }

    #[test]
    fn an_unknown_language_names_the_known_ones() {
        let error = "cobol".parse::<Language>().unwrap_err().to_string();
        assert!(error.contains("cobol") && error.contains("python, java, go"), "{error}");
    }

    #[test]
    fn keyword_counts_are_those_of_the_published_lists() {
        let counts: Vec<usize> = Language::ALL.iter().map(|l| l.keywords().len()).collect();
        assert_eq!(counts[..10], [38, 50, 27, 46, 65, 41, 33, 87, 107, 71]);
    }

    #[test]
    fn files_are_known_by_their_extension() {
        assert_eq!(Language::from_path(Path::new("a/b.PY")), Some(Language::Python));
        assert_eq!(Language::from_path(Path::new("a/b.txt")), None);
    }
}
