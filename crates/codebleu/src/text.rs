//! Texts as Python sees them: whitespace, and words as small numbers.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::table::Table;

/// Whether Python's `str.split()` and `str.strip()` take `c` for whitespace: Unicode whitespace and
/// the four information separators U+001C to U+001F.
pub fn is_python_whitespace(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text` without leading and trailing whitespace, as Python's `str.strip()`.
pub fn python_strip(text: &str) -> &str {
    text.trim_matches(is_python_whitespace)
}

/// The words between whitespace, as Python's `str.split()`.
pub fn python_split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_python_whitespace).filter(|word| !word.is_empty())
}

/// Calls `visit` with the words of [`python_split`], in order. Quicker where most is ASCII.
pub(crate) fn for_each_python_word<'a>(text: &'a str, mut visit: impl FnMut(&'a str)) {
    const SPACE: [bool; 256] = {
        let mut space = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            space[byte] = matches!(byte as u8, b'\t'..=b'\r' | 0x1c..=b' ');
            byte += 1;
        }
        space
    };
    let bytes = text.as_bytes();
    let mut start = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let length = if byte < 128 {
            if !SPACE[usize::from(byte)] {
                at += 1;
                continue;
            }
            1
        } else {
            let Some(c) = text[at..].chars().next() else { break };
            if !is_python_whitespace(c) {
                at += c.len_utf8();
                continue;
            }
            c.len_utf8()
        };
        if start < at {
            visit(&text[start..at]);
        }
        at += length;
        start = at;
    }
    if start < at {
        visit(&text[start..]);
    }
}

/// Words as numbers, dense from 0 in order of first appearance.
#[derive(Debug, Default)]
pub(crate) struct Interner<'a> {
    table: Table,
    words: Vec<&'a str>,
}

impl<'a> Interner<'a> {
    /// Room for so many different words before it grows.
    pub(crate) fn with_capacity(words: usize) -> Interner<'a> {
        Interner { table: Table::with_capacity(words), words: Vec::with_capacity(words) }
    }

    pub(crate) fn id(&mut self, word: &'a str) -> u32 {
        let words = &mut self.words;
        let number = self.table.number(hash(word), |number| words[number as usize] == word);
        if number as usize == words.len() {
            words.push(word);
        }
        number
    }

    pub(crate) fn words(&self) -> &[&'a str] {
        &self.words
    }
}

fn hash(word: &str) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(word.as_bytes());
    let hash = hasher.finish();
    (hash ^ hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whitespace_is_pythons() {
        let words: Vec<&str> = python_split("\u{1c}a\u{a0}b\u{1f}\u{2028}c\u{200b}d ").collect();
        assert_eq!(words, ["a", "b", "c\u{200b}d"]);
        assert_eq!(python_strip("\u{1d}\n x \u{85}"), "x");
    }

    proptest! {
        #[test]
        fn both_ways_to_split_agree(text in "[ab\u{85}\u{a0}\u{1c}\u{2028}é \t\n]{0,20}") {
            let mut words = Vec::new();
            for_each_python_word(&text, |word| words.push(word));
            prop_assert_eq!(words, python_split(&text).collect::<Vec<_>>());
        }
    }
}
