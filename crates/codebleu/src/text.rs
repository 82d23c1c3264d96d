//! Texts as Python sees them: whitespace, and words as small numbers.

use rustc_hash::FxHashMap;

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

/// Words as numbers, dense from 0 in order of first appearance.
#[derive(Debug, Default)]
pub(crate) struct Interner<'a> {
    ids: FxHashMap<&'a str, u32>,
    words: Vec<&'a str>,
}

impl<'a> Interner<'a> {
    pub(crate) fn id(&mut self, word: &'a str) -> u32 {
        *self.ids.entry(word).or_insert_with(|| {
            self.words.push(word);
            (self.words.len() - 1) as u32
        })
    }

    pub(crate) fn words(&self) -> &[&'a str] {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_is_pythons() {
        let words: Vec<&str> = python_split("\u{1c}a\u{a0}b\u{1f}\u{2028}c\u{200b}d ").collect();
        assert_eq!(words, ["a", "b", "c\u{200b}d"]);
        assert_eq!(python_strip("\u{1d}\n x \u{85}"), "x");
    }
}
