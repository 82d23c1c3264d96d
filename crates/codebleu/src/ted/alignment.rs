//! Edit distances of label strings.
//!
//! A mapping of trees keeps preorder and postorder, so either gives an alignment of the label
//! strings: the string edit distance of the preorders, and of the postorders, is never more than the
//! tree edit distance, and is often the same.

use rustc_hash::FxHashMap;

use super::row::{Cell, LANES};

/// The unit-cost edit distance of two strings, bit-parallel: O(n·m / 64) time, O(n + m) memory.
///
/// Myers, *A fast bit-vector algorithm for approximate string matching based on dynamic
/// programming*, Journal of the ACM 46 (1999), in Hyyrö's form for strings of any length: blocks of
/// 64 symbols of `pattern`, each run along the whole of `text`.
pub(super) fn distance(pattern: &[u32], text: &[u32]) -> u32 {
    // What both have at their ends needs no work, and near trees have much.
    let prefix = pattern.iter().zip(text).take_while(|(p, t)| p == t).count();
    let (pattern, text) = (&pattern[prefix..], &text[prefix..]);
    let suffix = pattern.iter().rev().zip(text.iter().rev()).take_while(|(p, t)| p == t).count();
    let (pattern, text) = (&pattern[..pattern.len() - suffix], &text[..text.len() - suffix]);
    if pattern.is_empty() || text.is_empty() {
        return (pattern.len() + text.len()) as u32;
    }
    // Symbols of the pattern from 0; every other symbol is `absent`.
    let mut symbols: FxHashMap<u32, u32> = FxHashMap::default();
    let pattern: Vec<u32> = pattern
        .iter()
        .map(|&label| {
            let next = symbols.len() as u32;
            *symbols.entry(label).or_insert(next)
        })
        .collect();
    let absent = symbols.len() as u32;
    let text: Vec<u32> =
        text.iter().map(|label| symbols.get(label).copied().unwrap_or(absent)).collect();
    // Where in the block a symbol stands.
    let mut places = vec![0u64; symbols.len() + 1];
    // How the distance changes along the row above the block, per symbol of the text.
    let mut change = vec![1i8; text.len()];
    for block in pattern.chunks(64) {
        for (bit, &symbol) in block.iter().enumerate() {
            places[symbol as usize] |= 1 << bit;
        }
        let last = block.len() - 1;
        let (mut up, mut down) = (!0u64, 0u64);
        for (&symbol, change) in text.iter().zip(&mut change) {
            let (rises, falls) = (u64::from(*change > 0), u64::from(*change < 0));
            let equal = places[symbol as usize];
            let vertical = equal | down;
            let equal = equal | falls;
            let horizontal = ((equal & up).wrapping_add(up) ^ up) | equal;
            let plus = down | !(horizontal | up);
            let minus = up & horizontal;
            *change = ((plus >> last) & 1) as i8 - ((minus >> last) & 1) as i8;
            let (plus, minus) = ((plus << 1) | rises, (minus << 1) | falls);
            up = minus | !(vertical | plus);
            down = plus & vertical;
        }
        for &symbol in block {
            places[symbol as usize] = 0;
        }
    }
    let changes: i64 = change.iter().map(|&change| i64::from(change)).sum();
    (pattern.len() as i64 + changes) as u32
}

/// Distances between the prefixes of two strings, near the diagonal.
pub(super) struct Band<C> {
    /// Room, see [`super::row`]. Row `x` holds the columns from `x + low`.
    cells: Vec<C>,
    low: isize,
    width: usize,
}

impl<C: Cell> Band<C> {
    /// Bytes of a band over a string of `rows` symbols.
    pub(super) fn bytes(rows: usize, low: isize, high: isize) -> u128 {
        let width = ((high - low + 1) as usize).next_multiple_of(LANES) + LANES;
        (rows as u128 + 1) * width as u128 * size_of::<C>() as u128
    }

    /// The cells whose column less their row lies in `low..=high`.
    pub(super) fn new(s: &[u32], t: &[u32], low: isize, high: isize) -> Band<C> {
        let width = ((high - low + 1) as usize).next_multiple_of(LANES);
        // One block of cells at the end of each row that stay without room.
        let pitch = width + LANES;
        let mut cells = vec![C::default(); (s.len() + 1) * pitch];
        for (c, cell) in cells[..width].iter_mut().enumerate() {
            let column = low + c as isize;
            if column >= 0 {
                *cell = C::FAR.less(C::new(column.min(t.len() as isize + width as isize) as u32));
            }
        }
        let compute = C::row();
        let mut differs = vec![C::new(1); width];
        for x in 1..=s.len() {
            let (before, row) = cells.split_at_mut(x * pitch);
            let before = &before[(x - 1) * pitch..];
            // The symbol of column `y` is `t[y - 1]`; the cells outside are never read for one
            // inside.
            let shift = x as isize + low - 1;
            let inside = (-shift).clamp(0, width as isize) as usize
                ..(t.len() as isize - shift).clamp(0, width as isize) as usize;
            if inside.start < inside.end {
                let from = (inside.start as isize + shift) as usize;
                let symbols = &t[from..from + inside.len()];
                for (differs, &symbol) in differs[inside].iter_mut().zip(symbols) {
                    *differs = C::new(u32::from(symbol != s[x - 1]));
                }
            }
            compute(
                &before[1..=width],
                &before[..width],
                &differs,
                C::default(),
                &mut row[..width],
            );
        }
        Band { cells, low, width }
    }

    /// The distance of the prefixes of these lengths; [`Cell::FAR`] outside the band.
    #[inline]
    pub(super) fn get(&self, x: usize, y: usize) -> u32 {
        let c = y as isize - x as isize - self.low;
        if c < 0 || c >= self.width as isize {
            return C::FAR.to_u32();
        }
        let room = self.cells[x * (self.width + LANES) + c as usize];
        C::FAR.less(room.max(C::default())).to_u32()
    }
}

/// The pairs of positions that a cheapest alignment of `s` and `t` puts together, from the ends to the
/// starts. `distance` is the distance of the strings; O(n·distance) time and memory.
pub(super) fn matches<C: Cell>(s: &[u32], t: &[u32], distance: u32) -> Vec<(usize, usize)> {
    let (low, high) = diagonals(s.len(), t.len(), distance);
    let band = Band::<C>::new(s, t, low, high);
    let (mut x, mut y) = (s.len(), t.len());
    let mut pairs = Vec::with_capacity(x.min(y));
    while x > 0 && y > 0 {
        let here = band.get(x, y);
        let differs = u32::from(s[x - 1] != t[y - 1]);
        if band.get(x - 1, y - 1) + differs == here {
            (x, y) = (x - 1, y - 1);
            pairs.push((x, y));
        } else if band.get(x - 1, y) + 1 == here {
            x -= 1;
        } else {
            y -= 1;
        }
    }
    pairs
}

/// The diagonals, column less row, that an alignment of strings of these lengths for `k` can touch.
pub(super) fn diagonals(n: usize, m: usize, k: u32) -> (isize, isize) {
    let shift = m as isize - n as isize;
    let spare = (k as isize - shift.abs()).max(0) / 2;
    (shift.min(0) - spare, shift.max(0) + spare)
}

/// Whether tables for strings of these lengths can have cells of 16 bits.
pub(super) fn narrow(n: usize, m: usize) -> bool {
    // Twice the lengths: cells without room sink by one a row.
    2 * (n + m) < <i16 as Cell>::FAR.to_u32() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn textbook(s: &[u32], t: &[u32]) -> u32 {
        let mut row: Vec<u32> = (0..=t.len() as u32).collect();
        for &p in s {
            let mut diagonal = row[0];
            row[0] += 1;
            for (y, &q) in t.iter().enumerate() {
                let next = (diagonal + u32::from(p != q)).min(row[y] + 1).min(row[y + 1] + 1);
                diagonal = row[y + 1];
                row[y + 1] = next;
            }
        }
        row[t.len()]
    }

    #[test]
    fn agrees_with_the_textbook() {
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for round in 0..300 {
            let alphabet = 1 + random(4);
            let mut string =
                |most| -> Vec<u32> { (0..random(most)).map(|_| random(alphabet) as u32).collect() };
            let most = [6, 40, 300][round % 3];
            let (s, t) = (string(most), string(most));
            let expected = textbook(&s, &t);
            assert_eq!(distance(&s, &t), expected, "{s:?} {t:?}");
            assert_eq!(distance(&t, &s), expected, "{s:?} {t:?}");
            let (low, high) = (-(expected as isize), expected as isize);
            let band = Band::<i16>::new(&s, &t, low, high);
            assert_eq!(band.get(s.len(), t.len()), expected, "{s:?} {t:?}");
            let band = Band::<i32>::new(&s, &t, -(s.len() as isize), t.len() as isize);
            for (x, y) in [(s.len(), t.len()), (s.len() / 2, t.len() / 3), (s.len() / 3, t.len())] {
                assert_eq!(band.get(x, y), textbook(&s[..x], &t[..y]), "{s:?} {t:?} {x} {y}");
            }
        }
    }
}
