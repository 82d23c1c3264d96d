//! Words that no programming language decides: lists, ordinals, operators, quotes.

use crate::ir::{Cmp, Op};

/// Longest text literal said in full, in characters; of a longer one the start is said.
pub(crate) const LONGEST_TEXT: usize = 72;

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn join(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}

/// `first`, …, `tenth`, for small numbers that are worth a word.
pub(crate) fn ordinal(number: i64) -> Option<&'static str> {
    const WORDS: [&str; 10] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    usize::try_from(number).ok()?.checked_sub(1).and_then(|index| WORDS.get(index).copied())
}

/// `a` or `an`, by the first letter of the word.
pub(crate) fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) { "an" } else { "a" }
}

/// An operator between its operands.
pub(crate) fn infix(op: Op) -> &'static str {
    match op {
        Op::Add => "plus",
        Op::Sub => "minus",
        Op::Mul => "times",
        Op::Div => "divided by",
        Op::FloorDiv => "floor-divided by",
        Op::Mod => "modulo",
        Op::Pow => "to the power of",
        Op::MatMul => "matrix-multiplied by",
        Op::Shl => "shifted left by",
        Op::Shr => "shifted right by",
        Op::UnsignedShr => "shifted right without sign by",
        Op::BitAnd => "bitwise-and",
        Op::BitOr => "bitwise-or",
        Op::BitXor => "bitwise-xor",
        Op::AndNot => "bitwise-and-not",
        Op::Concat => "followed by",
    }
}

/// A comparison between its sides.
pub(crate) fn comparison(cmp: Cmp) -> &'static str {
    match cmp {
        Cmp::Eq => "equals",
        Cmp::Ne => "is not equal to",
        Cmp::Lt => "is less than",
        Cmp::Le => "is at most",
        Cmp::Gt => "is greater than",
        Cmp::Ge => "is at least",
        Cmp::In => "is in",
        Cmp::NotIn => "is not in",
        Cmp::Is => "is",
        Cmp::IsNot => "is not",
    }
}

/// Whether a dotted name is a class by the convention of the language: its last word is
/// capitalised and not all capitals.
pub(crate) fn is_class(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path).trim_start_matches('_');
    name.starts_with(|c: char| c.is_uppercase()) && name.chars().any(char::is_lowercase)
}

/// A text literal on one line: line breaks become `\n`, blanks in a row `␣`, a long one is cut and `true` is returned.
pub(crate) fn quoted(prefix: &str, quote: char, content: &str) -> (String, bool) {
    let mut line = String::new();
    let mut rest = content.chars().peekable();
    let mut previous = None;
    let mut count = 0;
    while let Some(c) = rest.next() {
        if count == LONGEST_TEXT {
            return (format!("{prefix}{quote}{}…{quote}", line.trim_end()), true);
        }
        let blank = |c: Option<char>| c == Some(' ');
        match c {
            // A step holds no runs of blanks: they are made visible.
            ' ' if blank(previous) || blank(rest.peek().copied()) => line.push('␣'),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c => line.push(c),
        }
        previous = Some(c);
        count += 1;
    }
    (format!("{prefix}{quote}{line}{quote}"), false)
}

/// Lines without the indentation that all of them share.
pub(crate) fn without_indent(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0);
    let cut: Vec<&str> = lines.iter().map(|line| line.get(indent..).unwrap_or("")).collect();
    cut.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_as_people_do() {
        let words =
            |n: usize| ["a", "b", "c"][..n].iter().map(|w| w.to_string()).collect::<Vec<_>>();
        assert_eq!(join(&words(0), "and"), "");
        assert_eq!(join(&words(1), "and"), "a");
        assert_eq!(join(&words(2), "or"), "a or b");
        assert_eq!(join(&words(3), "and"), "a, b and c");
    }

    #[test]
    fn ordinals_end_at_ten() {
        assert_eq!(ordinal(0), None);
        assert_eq!(ordinal(1), Some("first"));
        assert_eq!(ordinal(10), Some("tenth"));
        assert_eq!(ordinal(11), None);
        assert_eq!(ordinal(-1), None);
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(quoted("", '\'', "a\nb"), ("'a\\nb'".into(), false));
        assert_eq!(quoted("", '"', "a b   c"), ("\"a b␣␣␣c\"".into(), false));
        let (text, cut) = quoted("b", '"', &"é".repeat(200));
        assert!(cut && text.starts_with("b\"éé") && text.ends_with("…\""));
        assert_eq!(text.chars().count(), LONGEST_TEXT + 4);
    }
}
