//! The locale of a thread while it parses.
//!
//! Scanners of grammars ask C's library what a character is (`iswspace`, `iswlower` and others), and the
//! answer for those outside ASCII depends on the process's locale. Programs in Rust have the locale `C`,
//! those in Python one in UTF-8: without this, `/a/ä` in Ruby would be one tree here and another one
//! there, and another one again in a program that sets its locale.

#![allow(unsafe_code)] // calls into C, see below

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::OnceLock;

unsafe extern "C" {
    safe fn code_syntax_locale_new() -> *mut c_void;
    fn code_syntax_locale_use(locale: *mut c_void) -> *mut c_void;
}

/// A locale that all threads may use, and that lives for ever.
struct Shared(NonNull<c_void>);

// SAFETY: POSIX lets any number of threads use one locale; nobody changes or frees it.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// While it lives, characters are of Unicode's classes in its thread.
pub(crate) struct Unicode {
    /// The locale before; none where the system has no locale in UTF-8, or none for a thread.
    before: Option<NonNull<c_void>>,
}

impl Unicode {
    pub(crate) fn enter() -> Unicode {
        static LOCALE: OnceLock<Option<Shared>> = OnceLock::new();
        let locale = LOCALE.get_or_init(|| NonNull::new(code_syntax_locale_new()).map(Shared));
        let before = locale.as_ref().and_then(|locale| {
            // SAFETY: it is a locale.
            NonNull::new(unsafe { code_syntax_locale_use(locale.0.as_ptr()) })
        });
        Unicode { before }
    }
}

impl Drop for Unicode {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // SAFETY: it was this thread's locale, which the pointer has kept this value in.
            unsafe { code_syntax_locale_use(before.as_ptr()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Language, flatten, parse, parse_flat};

    /// Trees by the same grammars under CPython, which has set the locale C.UTF-8.
    #[test]
    fn characters_outside_ascii_have_their_classes() {
        let texts = [
            (
                Language::Ruby,
                "f(/a/äg)",
                "(program (call method: (identifier) arguments: (argument_list (regex (string_content)))))",
            ),
            (
                Language::Ruby,
                "x = <<É\na\nÉ\n",
                "(program (assignment left: (identifier) right: (heredoc_beginning)) (heredoc_body (heredoc_content) (heredoc_end)))",
            ),
            (
                Language::Ruby,
                "f -\u{3000}a",
                "(program (binary left: (identifier) right: (identifier)))",
            ),
            (
                Language::JavaScript,
                "return\u{3000}\na",
                "(program (return_statement) (expression_statement (identifier)))",
            ),
        ];
        let texts = texts.into_iter().filter(|(language, ..)| language.has_grammar());
        for (language, text, expected) in texts {
            let tree = parse(language, text).unwrap();
            assert_eq!(tree.root_node().to_sexp(), expected, "{text}");
            assert_eq!(parse_flat(language, text).unwrap().nodes, flatten(&tree).unwrap());
        }
    }
}
