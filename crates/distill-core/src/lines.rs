//! Lines of a file, none of them held beyond a limit.

use std::io::{self, BufRead, Read};

/// Longest line of a file of records, in bytes: far longer than any, and short enough that a file
/// without line breaks takes no more memory than a large one.
pub const MAX_LINE: usize = 64 << 20;

/// What [`read_line`] met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Its length in the file, break included.
    pub length: u64,
    /// Whether a line break ends it.
    pub ended: bool,
}

impl Line {
    /// Whether only its beginning was kept.
    pub fn is_too_long(self, kept: &[u8]) -> bool {
        self.length > kept.len() as u64
    }
}

/// Reads the next line over `line`, break included, and keeps the first `limit` bytes of it; none
/// at the end of the file.
///
/// # Errors
/// Those of the reader.
pub fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    limit: usize,
) -> io::Result<Option<Line>> {
    const BLOCK: u64 = 1 << 16;
    line.clear();
    // One outsized line must not hold its memory for the rest of the file.
    line.shrink_to(1 << 20);
    let mut length = reader.by_ref().take(limit as u64).read_until(b'\n', line)? as u64;
    let mut ended = line.last() == Some(&b'\n');
    let mut rest = Vec::new();
    while !ended && length >= limit as u64 {
        rest.clear();
        let more = reader.by_ref().take(BLOCK).read_until(b'\n', &mut rest)? as u64;
        if more == 0 {
            break;
        }
        length += more;
        ended = rest.last() == Some(&b'\n');
    }
    Ok((length > 0).then_some(Line { length, ended }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_passed_over_and_measured() {
        let text = format!("ab\n{}\n\nlast", "x".repeat(200_000));
        let mut reader = io::BufReader::with_capacity(7, text.as_bytes());
        let (mut line, mut met) = (Vec::new(), Vec::new());
        while let Some(one) = read_line(&mut reader, &mut line, 5).unwrap() {
            met.push((line.len(), one.length, one.ended, one.is_too_long(&line)));
        }
        let long = (5, 200_001, true, true);
        assert_eq!(met, [(3, 3, true, false), long, (1, 1, true, false), (4, 4, false, false)]);
    }
}
