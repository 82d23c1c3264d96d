//! Text to syntax tree.

use std::cell::RefCell;

use tree_sitter::{Parser, Tree};

use crate::locale::Unicode;
use crate::{FlatNode, Language, SyntaxError, flatten, glr};

thread_local! {
    // One parser a language and thread: building one costs more than parsing a short function.
    static PARSERS: RefCell<[Option<Parser>; Language::ALL.len()]> =
        const { RefCell::new([const { None }; Language::ALL.len()]) };
}

/// Parses `text`, reusing this thread's parser for `language`.
///
/// Broken code still gives a tree, with ERROR and MISSING nodes in it
/// (`tree.root_node().has_error()`). Linear in the length of the text for ordinary code.
///
/// # Errors
/// [`SyntaxError::NoGrammar`] where the grammar is not compiled in, [`SyntaxError::TooLong`] for a
/// text of 4 GiB or more.
pub fn parse(language: Language, text: &str) -> Result<Tree, SyntaxError> {
    if u32::try_from(text.len()).is_err() {
        return Err(SyntaxError::TooLong { bytes: text.len() });
    }
    PARSERS.with_borrow_mut(|parsers| {
        let parser = match &mut parsers[language as usize] {
            Some(parser) => parser,
            empty => {
                let mut parser = Parser::new();
                parser
                    .set_language(&language.grammar()?)
                    .map_err(|error| SyntaxError::Parser { language, reason: error.to_string() })?;
                empty.insert(parser)
            }
        };
        let _locale = Unicode::enter();
        parser.parse(text, None).ok_or_else(|| SyntaxError::Parser {
            language,
            reason: "the parser has no language or was cancelled".into(),
        })
    })
}

/// The nodes of a text's syntax tree.
#[derive(Debug, Clone)]
pub struct FlatTree {
    /// All nodes in preorder.
    pub nodes: Vec<FlatNode>,
    /// The tree itself, where tree-sitter was needed: of every text with errors, of few others.
    pub tree: Option<Tree>,
}

impl FlatTree {
    /// Whether there are ERROR or MISSING nodes in the tree.
    pub fn has_error(&self) -> bool {
        self.tree.as_ref().is_some_and(|tree| tree.root_node().has_error())
    }
}

/// The nodes of `text`: what [`flatten`] gives of [`parse`]'s tree. Code without errors takes two
/// fifths of the time, see [`glr`]; code with errors somewhat more.
///
/// # Errors
/// Those of [`parse`] and [`flatten`].
pub fn parse_flat(language: Language, text: &str) -> Result<FlatTree, SyntaxError> {
    if let Some(nodes) = glr::parse(language, text)? {
        return Ok(FlatTree { nodes, tree: None });
    }
    let tree = parse(language, text)?;
    Ok(FlatTree { nodes: flatten(&tree)?, tree: Some(tree) })
}
