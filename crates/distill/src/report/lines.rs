//! Which lines of an answer also stand in its reference.

/// Above this product of line numbers nothing is compared: such an answer is read, not scanned.
const MOST_CELLS: usize = 1 << 20;

/// For each line of `code`, whether it belongs to the longest common subsequence of lines with
/// `reference`. Indentation does not count, and empty lines are in common with nothing.
///
/// O(n·m) time and space in the numbers of lines.
pub(super) fn in_common(reference: &str, code: &str) -> Vec<bool> {
    let theirs: Vec<&str> = reference.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let ours: Vec<&str> = code.lines().map(str::trim).collect();
    let mut common = vec![false; ours.len()];
    let width = theirs.len() + 1;
    if (ours.len() + 1).saturating_mul(width) > MOST_CELLS {
        return common;
    }
    // longest[i * width + j]: of ours[i..] and theirs[j..].
    let mut longest = vec![0u32; (ours.len() + 1) * width];
    for i in (0..ours.len()).rev() {
        for j in (0..theirs.len()).rev() {
            longest[i * width + j] = if ours[i] == theirs[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < ours.len() && j < theirs.len() {
        if ours[i] == theirs[j] {
            common[i] = true;
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
