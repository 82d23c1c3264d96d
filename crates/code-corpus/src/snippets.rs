//! Whether a piece of code is code.

use code_syntax::snippet::{Snippet, parse_snippet};
use code_syntax::{Language, SyntaxError};

/// Parses `code` as corpora cut it out: also an anonymous JavaScript function, which is no
/// statement by itself.
pub(crate) fn parse_code(
    language: Language,
    code: &str,
) -> Result<(Snippet<'_>, bool), SyntaxError> {
    let snippet = parse_snippet(language, code)?;
    if snippet.is_clean() || language != Language::JavaScript {
        let clean = snippet.is_clean();
        return Ok((snippet, clean));
    }
    let text = format!("({code}\n)");
    let tree = code_syntax::parse(language, &text)?;
    if tree.root_node().has_error() {
        return Ok((snippet, false));
    }
    Ok((Snippet { tree, text: text.into(), offset: 1 }, true))
}

/// Whether `code` parses without an error.
pub(crate) fn is_code(language: Language, code: &str) -> Result<bool, SyntaxError> {
    Ok(parse_code(language, code)?.1)
}
