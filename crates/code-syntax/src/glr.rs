//! A parser for code without errors, over the tables of tree-sitter's grammars.
//!
//! tree-sitter's parsing library serves editors: its trees can be changed, shared and parsed again
//! in part, its lexer can stop at any place, it counts rows and columns, and it always finds some
//! tree. Somebody who parses many texts once needs none of this, and it is most of the work: of the
//! instructions that parsing takes, a sixth are the grammar's own. The parser here (in C, in the
//! folder of this file) does the rest with arenas that are kept from text to text. For 2,000 Python
//! functions it takes 530 million instructions where tree-sitter and [`flatten`](crate::flatten)
//! take 1,355 million, and for 2,000 Java methods 428 million where those take 1,045 million.
//!
//! **Contract**: the same nodes as tree-sitter's, or none. It follows the rules by which
//! tree-sitter 0.25 chooses among tokens, keywords, versions of the stack and readings of ambiguous
//! code; each C file names the one it follows. Where every version of the stack has met an error,
//! or a limit is reached, it gives up, and the text is for tree-sitter. It reads grammars of ABI 14
//! and 15, by tree-sitter's own headers. The tests here compare the two on code of every
//! grammar, whole, cut off at every place, and with tokens left out, doubled and turned round;
//! `codebleu`'s compare them on its goldens, and the fuzz target `parse_flat` on anything.

#![allow(unsafe_code)] // calls into C, see below

use std::cell::RefCell;
use std::ptr::NonNull;

use tree_sitter::Language as Grammar;
use tree_sitter::ffi::TSLanguage;

use crate::locale::Unicode;
use crate::{FlatNode, Language, SyntaxError};

/// What C keeps between texts.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn code_syntax_glr_new(language: *const TSLanguage) -> *mut Opaque;
    fn code_syntax_glr_delete(parser: *mut Opaque);
    fn code_syntax_glr_parse(
        parser: *mut Opaque,
        text: *const u8,
        length: u32,
        nodes: *mut *const FlatNode,
    ) -> u32;
}

/// A parser of one grammar.
struct Parser(NonNull<Opaque>);

impl Parser {
    /// None where the grammar is of a make that this does not know, or memory is short.
    fn new(grammar: &Grammar) -> Option<Parser> {
        // SAFETY: the grammar is compiled in, so that what the pointer shows lives for ever.
        let parser = unsafe { code_syntax_glr_new(grammar.clone().into_raw()) };
        NonNull::new(parser).map(Parser)
    }

    /// The nodes of a text's tree; None where it is left to tree-sitter.
    fn parse(&mut self, text: &str) -> Option<Vec<FlatNode>> {
        let length = u32::try_from(text.len()).ok()?;
        let mut nodes = std::ptr::null();
        // SAFETY: the parser is alive and nobody else's, the text is UTF-8 and of that length.
        let count = unsafe {
            code_syntax_glr_parse(self.0.as_ptr(), text.as_ptr(), length, &raw mut nodes)
        };
        if count == 0 {
            return None;
        }
        // SAFETY: that many nodes stand there, whole, until the parser is used again.
        Some(unsafe { std::slice::from_raw_parts(nodes, count as usize) }.to_vec())
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        // SAFETY: it was made by `code_syntax_glr_new` and is not used again.
        unsafe { code_syntax_glr_delete(self.0.as_ptr()) }
    }
}

thread_local! {
    // One parser a language and thread, once asked for; None where there can be none.
    static PARSERS: RefCell<[Option<Option<Parser>>; Language::ALL.len()]> =
        const { RefCell::new([const { None }; Language::ALL.len()]) };
}

/// The nodes of `text` as [`flatten`](crate::flatten) gives them, or None where the text is left to
/// tree-sitter: it has an error, or goes beyond a limit.
///
/// # Errors
/// [`SyntaxError::NoGrammar`] where the grammar is not compiled in.
pub fn parse(language: Language, text: &str) -> Result<Option<Vec<FlatNode>>, SyntaxError> {
    PARSERS.with_borrow_mut(|parsers| {
        let parser = match &mut parsers[language as usize] {
            Some(parser) => parser,
            empty => empty.insert(Parser::new(&language.grammar()?)),
        };
        let _locale = Unicode::enter();
        Ok(parser.as_mut().and_then(|parser| parser.parse(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flat::tests::TEXTS;
    use crate::{flatten, leaves, parse as parse_by_tree_sitter};

    /// Checks a text; whether it was parsed here.
    #[track_caller]
    fn check(language: Language, text: &str) -> bool {
        let tree = parse_by_tree_sitter(language, text).unwrap();
        let Some(nodes) = parse(language, text).unwrap() else {
            assert!(tree.root_node().has_error(), "{language}: given up: {text}");
            return false;
        };
        assert_eq!(nodes, flatten(&tree).unwrap(), "{language}: {text}");
        assert!(!tree.root_node().has_error(), "{language}: {text}");
        true
    }

    fn texts() -> impl Iterator<Item = (Language, &'static str)> {
        TEXTS.into_iter().filter(|(language, _)| language.has_grammar())
    }

    #[test]
    fn it_finds_what_tree_sitter_finds_in_code_whole_or_cut_off() {
        for (language, text) in texts() {
            for end in 0..=text.len() {
                check(language, &text[..end]);
            }
            for start in 0..text.len() {
                check(language, &text[start..]);
            }
        }
    }

    #[test]
    fn it_finds_what_tree_sitter_finds_in_code_with_tokens_changed() {
        for (language, text) in texts() {
            let tree = parse_by_tree_sitter(language, text).unwrap();
            let tokens: Vec<_> = leaves(&tree).map(|leaf| leaf.byte_range()).collect();
            for token in &tokens {
                let (before, after) = (&text[..token.start], &text[token.end..]);
                check(language, &format!("{before}{after}"));
                let token = &text[token.clone()];
                check(language, &format!("{before}{token} {token}{after}"));
            }
            for pair in tokens.windows(2) {
                let (before, after) = (&text[..pair[0].start], &text[pair[1].end..]);
                let between = &text[pair[0].end..pair[1].start];
                let (a, b) = (&text[pair[0].clone()], &text[pair[1].clone()]);
                check(language, &format!("{before}{b}{between}{a}{after}"));
            }
        }
    }

    /// Ambiguities that only the rest of the code settles, or nothing does.
    #[test]
    fn readings_of_ambiguous_code_are_chosen_alike() {
        let code = [
            (Language::Python, "print (a, b)\nprint >> f, a\nmatch = 1\nmatch (a)\ntype x = y\n"),
            (
                Language::Java,
                "class A { void f() { a < b > c; (A) -b; x = (a) + b; f(a < b, c > d); } }",
            ),
            (Language::Go, "package p\nfunc f() { a := b[c](d); x(y)(z); if (T{}) == c {} }\n"),
            (Language::JavaScript, "(a, b) => {}; ({a} = b); async (x); let [a] = b\n/c/g"),
            (Language::Php, "<?php (int) $a; $a{0}; fn() => static fn() => 1; new class {};"),
            (Language::Ruby, "a [1]\nb -c\nd *e\nf /g/\nh ? i : j\nputs(<<A, <<B)\n1\nA\n2\nB\n"),
            (Language::C, "int f() { a * b; (c)(d); e(f) * g; sizeof(h) * i; }"),
            (Language::Cpp, "int f() { a<b>(c); T(x); T y(z()); a < b > c; auto q = p<1>(2); }"),
            (
                Language::CSharp,
                "class A { void F() { a < b > c; (x) - y; G(a < b, c > (d)); var (e, f) = g; } }",
            ),
            (Language::Rust, "fn f() { a::<b>(c); if x {} (y) ; match z { _ => {} - 1 } }"),
            (
                Language::TypeScript,
                "f<a>(b); <T>c; (d): e => g; a < b > (c); let x = <T,>(y: T) => y;",
            ),
        ];
        for (language, text) in code.into_iter().filter(|(language, _)| language.has_grammar()) {
            for end in 0..=text.len() {
                check(language, &text[..end]);
            }
        }
    }

    #[cfg(all(feature = "python", feature = "ruby"))]
    #[test]
    fn texts_of_any_sort_are_read_alike() {
        assert!(check(Language::Python, ""));
        assert!(check(Language::Python, "\n \n"));
        assert!(check(Language::Python, "\u{FEFF}x = 1\n"));
        assert!(check(Language::Python, "é = 'ß€𝄞'  # π\n"));
        assert!(check(Language::Ruby, "π = \"#{é}\" # €\n"));
        for text in ["\0", "x\0y", "\u{FEFF}", "\u{FEFF}\u{FEFF}x", "\r\r\n", "'\0'", "é\u{85}x"] {
            check(Language::Python, text);
            check(Language::Ruby, text);
        }
    }

    #[cfg(feature = "python")]
    #[test]
    fn depth_and_length_need_no_stack() {
        let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        let long = "x = 1\n".repeat(50_000);
        let blocks: String =
            (0..300).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
        for text in [deep, long, format!("{blocks}{}y\n", " ".repeat(300))] {
            assert!(check(Language::Python, &text));
        }
    }
}
