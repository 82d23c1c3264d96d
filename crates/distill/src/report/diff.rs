//! An answer beside its reference: which lines and words they share.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Above this product of line numbers nothing is compared: such an answer is read, not scanned.
const MOST_LINE_PAIRS: usize = 1 << 20;
/// Above this product of line numbers no resembling lines are looked for.
const MOST_RESEMBLING: usize = 1 << 10;
/// Above this product of word numbers two lines are not compared by words.
const MOST_WORD_PAIRS: usize = 1 << 16;

/// Two texts line by line.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Diff<'a> {
    /// Lines that stand beside each other, in order.
    pub(super) rows: Vec<Row<'a>>,
    /// Lines that both have.
    pub(super) shared: usize,
}

/// A line of the reference beside one of the answer; none where the other has no counterpart.
#[derive(Debug, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) left: Option<Line<'a>>,
    pub(super) right: Option<Line<'a>>,
}

/// One line.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    /// Whether the other text has no such line here.
    pub(super) differs: bool,
    /// The text; where a line differs in some words only, those apart.
    pub(super) pieces: Vec<Piece<'a>>,
}

impl<'a> Line<'a> {
    /// The text of a line that is not in pieces yet.
    fn text(&self) -> &'a str {
        self.pieces.first().map_or("", |piece| piece.text)
    }
}

/// A stretch of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Whether the line beside it lacks these words.
    pub(super) differs: bool,
}

impl<'a> Diff<'a> {
    /// Compares two texts; blanks at the ends of lines do not count.
    ///
    /// O((n + m)·d) in the numbers of lines and of those that differ.
    pub(super) fn of(left: &'a str, right: &'a str) -> Diff<'a> {
        let left: Vec<&str> = left.lines().map(str::trim_end).collect();
        let right: Vec<&str> = right.lines().map(str::trim_end).collect();
        let mut diff = Diff::default();
        for op in operations(&left, &right, MOST_LINE_PAIRS) {
            let lines = |lines: &[&'a str], range: Range<usize>, differs: bool| {
                let numbered = range.clone().zip(lines.get(range).unwrap_or_default());
                let line = |(at, text): (usize, &&'a str)| Line {
                    number: at + 1,
                    differs,
                    pieces: vec![Piece { text, differs: false }],
                };
                numbered.map(line).collect::<Vec<_>>()
            };
            let differs = !matches!(op, DiffOp::Equal { .. });
            let (one, two) =
                (lines(&left, op.old_range(), differs), lines(&right, op.new_range(), differs));
            match differs {
                true => diff.rows.extend(replaced(one, two)),
                false => {
                    diff.shared += one.len();
                    diff.rows.extend(side_by_side(one, two));
                }
            }
        }
        diff
    }

    /// Lines of the reference that the answer lacks, and of the answer that the reference lacks.
    pub(super) fn differing(&self) -> (usize, usize) {
        let count =
            |lines: &dyn Fn(&Row<'a>) -> bool| self.rows.iter().filter(|row| lines(row)).count();
        let differs = |line: &Option<Line<'_>>| line.as_ref().is_some_and(|line| line.differs);
        (count(&|row| differs(&row.left)), count(&|row| differs(&row.right)))
    }
}

/// Rows of as many lines as the longer list has.
fn side_by_side<'a>(left: Vec<Line<'a>>, right: Vec<Line<'a>>) -> Vec<Row<'a>> {
    let height = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    (0..height).map(|_| Row { left: left.next(), right: right.next() }).collect()
}

/// Lines that took others' place: those that resemble each other stand beside each other, the words in
/// which they differ marked.
fn replaced<'a>(left: Vec<Line<'a>>, right: Vec<Line<'a>>) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let pairs = resembling(&left, &right);
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    let (mut one, mut two) = (0, 0);
    for (i, j) in pairs {
        let before =
            (left.by_ref().take(i - one).collect(), right.by_ref().take(j - two).collect());
        rows.extend(side_by_side(before.0, before.1));
        let mut row = Row { left: left.next(), right: right.next() };
        if let (Some(left), Some(right)) = (&mut row.left, &mut row.right) {
            let (ours, theirs, _) = by_words(left.text(), right.text());
            (left.pieces, right.pieces) = (ours, theirs);
        }
        rows.push(row);
        (one, two) = (i + 1, j + 1);
    }
    rows.extend(side_by_side(left.collect(), right.collect()));
    rows
}

/// Pairs of lines that share half of their text or more, in rising order on both sides, chosen so that
/// they share the most.
fn resembling(left: &[Line<'_>], right: &[Line<'_>]) -> Vec<(usize, usize)> {
    let width = right.len() + 1;
    if left.len().saturating_mul(right.len()) > MOST_RESEMBLING {
        return Vec::new();
    }
    let shared = |i: usize, j: usize| match (left.get(i), right.get(j)) {
        (Some(left), Some(right)) => by_words(left.text(), right.text()).2,
        _ => 0,
    };
    // best[i * width + j]: of left[i..] and right[j..].
    let mut alike = vec![0; (left.len() + 1) * width];
    let mut best = vec![0; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            let at = i * width + j;
            alike[at] = shared(i, j);
            let paired = if alike[at] > 0 { alike[at] + best[at + width + 1] } else { 0 };
            best[at] = paired.max(best[at + 1]).max(best[at + width]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < left.len() && j < right.len() {
        let at = i * width + j;
        if alike[at] > 0 && best[at] == alike[at] + best[at + width + 1] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[at] == best[at + width] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Two lines in pieces, and how many visible characters they share; 0 where that is less than half.
fn by_words<'a>(left: &'a str, right: &'a str) -> (Vec<Piece<'a>>, Vec<Piece<'a>>, usize) {
    let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let (ours, theirs) = (words(left), words(right));
    let mut sides = (Vec::new(), Vec::new());
    let mut shared = 0;
    for op in operations(&ours, &theirs, MOST_WORD_PAIRS) {
        let differs = !matches!(op, DiffOp::Equal { .. });
        let texts =
            |words: &[&'a str], range: Range<usize>| words.get(range).unwrap_or_default().to_vec();
        for text in texts(&ours, op.old_range()) {
            shared += if differs { 0 } else { visible(text) };
            sides.0.push(Piece { text, differs });
        }
        sides
            .1
            .extend(texts(&theirs, op.new_range()).into_iter().map(|text| Piece { text, differs }));
    }
    let enough = 2 * 2 * shared >= visible(left) + visible(right);
    (sides.0, sides.1, if enough { shared } else { 0 })
}

/// A line in runs of letters and digits, runs of blanks, and single signs.
fn words(line: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        _ if c.is_alphanumeric() || c == '_' => 0,
        _ if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut words = Vec::new();
    let (mut start, mut before) = (0, None);
    for (at, c) in line.char_indices() {
        if before.is_some_and(|before| before != kind(c) || before == 2) {
            words.push(&line[start..at]);
            start = at;
        }
        before = Some(kind(c));
    }
    words.push(&line[start..]);
    words.retain(|word| !word.is_empty());
    words
}

fn operations(left: &[&str], right: &[&str], most: usize) -> Vec<DiffOp> {
    if left.len().saturating_mul(right.len()) <= most {
        return capture_diff_slices(Algorithm::Patience, left, right);
    }
    let (old_len, new_len) = (left.len(), right.len());
    vec![DiffOp::Replace { old_index: 0, old_len, new_index: 0, new_len }]
}

/// For each line of `code`, whether it also stands in `reference`, in the same order. Indentation
/// does not count, and empty lines are in common with nothing.
pub(super) fn in_common(reference: &str, code: &str) -> Vec<bool> {
    let theirs: Vec<&str> = reference.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let ours: Vec<&str> = code.lines().map(str::trim).collect();
    let mut common = vec![false; ours.len()];
    for op in operations(&theirs, &ours, MOST_LINE_PAIRS) {
        if let (DiffOp::Equal { .. }, Some(lines)) = (op, common.get_mut(op.new_range())) {
            lines.fill(true);
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A side as text: `[…]` around what differs, `!` before a line that does.
    fn side<'a>(lines: impl Iterator<Item = &'a Option<Line<'a>>>) -> Vec<String> {
        let show = |line: &Line<'_>| {
            let piece = |piece: &Piece<'_>| match piece.differs {
                true => format!("[{}]", piece.text),
                false => piece.text.to_owned(),
            };
            let text: String = line.pieces.iter().map(piece).collect();
            format!("{}{} {text}", line.number, if line.differs { "!" } else { "" })
        };
        lines.map(|line| line.as_ref().map_or_else(String::new, show)).collect()
    }

    #[test]
    fn lines_stand_beside_each_other_and_words_that_differ_are_marked() {
        let left =
            "def f(x):\n    total = 0\n    for a in x:\n        total += a\n    return total";
        let right = "def f(x):  \n    total = 1\n    return total\n    # done";
        let diff = Diff::of(left, right);
        assert_eq!(
            side(diff.rows.iter().map(|row| &row.left)),
            [
                "1 def f(x):",
                "2!     total = [0]",
                "3!     for a in x:",
                "4!         total += a",
                "5     return total",
                ""
            ]
        );
        assert_eq!(
            side(diff.rows.iter().map(|row| &row.right)),
            ["1 def f(x):", "2!     total = [1]", "", "", "3     return total", "4!     # done"]
        );
        assert_eq!((diff.shared, diff.differing()), (2, (3, 2)));

        let diff = Diff::of("a = 1\nb = call(x, y)\nc", "b = call(x, z)\nd\ne\nf");
        assert_eq!(
            side(diff.rows.iter().map(|row| &row.left)),
            ["1! a = 1", "2! b = call(x, [y])", "3! c", "", ""]
        );
        assert_eq!(
            side(diff.rows.iter().map(|row| &row.right)),
            ["", "1! b = call(x, [z])", "2! d", "3! e", "4! f"]
        );
    }

    #[test]
    fn lines_that_share_little_are_marked_as_a_whole() {
        let diff = Diff::of("return self.first", "raise ValueError(x)");
        assert_eq!(side(diff.rows.iter().map(|row| &row.left)), ["1! return self.first"]);
        assert_eq!(Diff::of("", ""), Diff::default());
        assert_eq!(Diff::of("", "a\n\nb").differing(), (0, 3));
    }

    #[test]
    fn no_text_is_lost_whatever_the_texts() {
        let texts = ["", "\n\n", "ä ö\tü\r\n  ß=ß", "a b\na c\n", "a\n".repeat(3000).leak()];
        for left in texts {
            for right in texts {
                let diff = Diff::of(left, right);
                let read = |lines: Vec<&Option<Line<'_>>>| -> Vec<String> {
                    let text = |line: &Line<'_>| line.pieces.iter().map(|p| p.text).collect();
                    lines.into_iter().flatten().map(text).collect()
                };
                let trimmed = |text: &str| -> Vec<String> {
                    text.lines().map(|line| line.trim_end().to_owned()).collect()
                };
                assert_eq!(read(diff.rows.iter().map(|row| &row.left).collect()), trimmed(left));
                assert_eq!(read(diff.rows.iter().map(|row| &row.right).collect()), trimmed(right));
            }
        }
    }

    #[test]
    fn common_lines_keep_their_order() {
        let reference = "def f(x):\n    a = 1\n\n    b = 2\n    return a + b\n";
        assert_eq!(in_common(reference, reference), [true, true, false, true, true]);
        let code = "def f(x):\n\n  b = 2\n  a = 1\n  return a\n  return a + b\n";
        assert_eq!(in_common(reference, code).iter().filter(|line| **line).count(), 3);
        assert!(in_common(reference, code)[0] && in_common(reference, code)[5]);
        assert_eq!(in_common("", "a\n\nb"), [false; 3]);
        assert_eq!(in_common("a", ""), [false; 0]);
    }

    #[test]
    fn a_very_long_answer_is_not_compared() {
        let long = "a\n".repeat(2000);
        assert_eq!(in_common(&long, &long), [false; 2000]);
        assert_eq!(Diff::of(&long, &long).shared, 0);
    }
}
