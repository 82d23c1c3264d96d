//! Snippets: code that is not a whole file.

use std::borrow::Cow;

use tree_sitter::Tree;

use crate::{Language, SyntaxError, parse};

/// Whether `code` holds no syntax error, as a file or as the kind of snippet that corpora are made
/// of: a lone method (`public function f() …`, `async f() …`) or PHP without its opening tag.
///
/// An empty text parses as a file; callers that want code must ask for some.
///
/// # Errors
/// Those of [`parse`].
pub fn parses(language: Language, code: &str) -> Result<bool, SyntaxError> {
    Ok(parse_snippet(language, code)?.is_clean())
}

/// A parsed snippet: the tree and the text it belongs to, which is the snippet itself or the
/// snippet inside a wrapper that makes a file of it.
#[derive(Debug)]
pub struct Snippet<'a> {
    /// The tree over [`text`](Self::text).
    pub tree: Tree,
    /// The parsed text; node ranges index it.
    pub text: Cow<'a, str>,
    /// Where the snippet itself starts in [`text`](Self::text), in bytes.
    pub offset: usize,
}

impl Snippet<'_> {
    /// Whether the tree holds no ERROR and no MISSING node.
    pub fn is_clean(&self) -> bool {
        !self.tree.root_node().has_error()
    }
}

/// Parses `code` as a file or, where that gives errors, inside the wrappers of its language; the
/// first reading without errors wins, and without one the plain reading is returned.
///
/// # Errors
/// Those of [`parse`].
pub fn parse_snippet(language: Language, code: &str) -> Result<Snippet<'_>, SyntaxError> {
    let open_tag = match language {
        Language::Php if !code.contains("<?") => "<?php\n",
        _ => "",
    };
    let plain = wrapped(language, code, open_tag, "")?;
    if plain.is_clean() {
        return Ok(plain);
    }
    let (before, after) = match language {
        Language::Java | Language::JavaScript | Language::TypeScript | Language::CSharp => {
            ("class A {\n", "\n}")
        }
        // Inside an open tag that the snippet brings itself nothing can be put in front of it.
        Language::Php if !open_tag.is_empty() => ("<?php\nclass A {\n", "\n}"),
        Language::Go => ("package p\nfunc _() {\n", "\n}"),
        _ => return Ok(plain),
    };
    let member = wrapped(language, code, before, after)?;
    Ok(if member.is_clean() { member } else { plain })
}

fn wrapped<'a>(
    language: Language,
    code: &'a str,
    before: &str,
    after: &str,
) -> Result<Snippet<'a>, SyntaxError> {
    let text = match (before, after) {
        ("", "") => Cow::Borrowed(code),
        _ => Cow::Owned(format!("{before}{code}{after}")),
    };
    Ok(Snippet { tree: parse(language, &text)?, text, offset: before.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, code: &str, expected: bool) {
        assert_eq!(parses(language, code), Ok(expected), "{code}");
    }

    #[test]
    #[cfg(all(feature = "python", feature = "java", feature = "go"))]
    fn lone_functions_parse_and_broken_ones_do_not() {
        check(Language::Python, "def f(a):\n    return a\n", true);
        check(Language::Python, "def f(a:\n    return a\n", false);
        check(Language::Java, "public int f(int a) { return a; }", true);
        check(Language::Java, "public A(int a) { this.a = a; }", true);
        check(Language::Java, "public int f(int a) { return a;", false);
        check(Language::Go, "func f(a int) int { return a }", true);
        check(Language::Go, "func f(a int) int { return a", false);
        check(Language::Go, "x := 1\nreturn x", true);
    }

    #[test]
    #[cfg(all(feature = "javascript", feature = "php", feature = "ruby"))]
    fn methods_and_php_without_a_tag_parse() {
        check(Language::JavaScript, "async f(a) { return a; }", true);
        check(Language::JavaScript, "f(a { return a; }", false);
        check(Language::Php, "public function f($a) { return $a; }", true);
        check(Language::Php, "<?php function f($a) { return $a; }", true);
        check(Language::Php, "function f($a { return $a; }", false);
        check(Language::Ruby, "def f(a)\n  a\nend", true);
        check(Language::Ruby, "def f(a)\n  a\n", false);
    }
}
