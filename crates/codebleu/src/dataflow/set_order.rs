//! `list(set(a + b))`, the operation that gives the reference programs' sources their order.
//!
//! In CPython that order follows the table of the set, and so the hash of the strings, which
//! changes with every process unless PYTHONHASHSEED is set. [`SetOrder::Reference`] reproduces it
//! for PYTHONHASHSEED=0: SipHash-1-3 with the key 0 over the string's storage (one, two or four
//! bytes a character), and the table of CPython 3.7 to 3.12 (linear probes of nine, then
//! perturbation; grown fourfold at three fifths).

use std::cell::RefCell;

use rustc_hash::FxHashSet;

use super::repeated_set::{PROBES, RepeatedSet, grown};

/// The order in which merged sources are listed.
#[derive(Debug)]
pub(crate) enum SetOrder {
    /// In which they were first seen.
    FirstSeen,
    /// In which CPython 3.11 lists a set of strings with PYTHONHASHSEED=0.
    Reference(RefCell<Sets>),
}

impl SetOrder {
    pub(crate) fn reference() -> SetOrder {
        SetOrder::Reference(RefCell::default())
    }

    /// The distinct words of the lists, merged one list after the other; none where that would put
    /// too many words into tables. `work` counts them.
    pub(crate) fn union<'l>(
        &self,
        lists: impl ExactSizeIterator<Item = &'l [u32]>,
        words: &[&str],
        work: &mut u64,
    ) -> Option<Vec<u32>> {
        let count = lists.len();
        let mut distinct: Vec<u32> = Vec::new();
        let mut seen = FxHashSet::default();
        let mut repeated: Option<RepeatedSet> = None;
        for (index, list) in lists.enumerate() {
            let known = distinct.len();
            for &word in list {
                // A set only pays for longer lists.
                let new = match distinct.len() {
                    ..16 => !distinct.contains(&word),
                    16 if seen.is_empty() => {
                        seen.extend(&distinct);
                        seen.insert(word)
                    }
                    _ => seen.insert(word),
                };
                if new {
                    distinct.push(word);
                }
            }
            *work += list.len() as u64;
            let SetOrder::Reference(sets) = self else { continue };
            if index == 0 || distinct.len() < 2 {
                continue;
            }
            let mut sets = sets.borrow_mut();
            if let Some(repeated) = &mut repeated {
                let before = repeated.work;
                repeated.again(distinct[known..].iter().map(|&word| sets.hash(word, words)));
                *work += repeated.work - before;
            } else if distinct.len() >= MANY_WORDS && count - index >= MANY_LISTS {
                let hashes = distinct.iter().map(|&word| sets.hash(word, words)).collect();
                repeated = Some(RepeatedSet::new(hashes));
                *work += distinct.len() as u64;
            } else {
                *work += distinct.len() as u64;
                sets.order(&mut distinct, words);
            }
            if *work > MAX_WORK {
                return None;
            }
        }
        match repeated {
            Some(set) => Some(set.list().map(|word| distinct[word as usize]).collect()),
            None => Some(distinct),
        }
    }
}

/// From so many words on, with so many lists to come, what changes is less than what does not.
const MANY_WORDS: usize = 64;
const MANY_LISTS: usize = 16;

/// This many words in tables take some seconds.
const MAX_WORK: u64 = 1 << 30;

/// CPython's table of a set, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    /// The hash of each word, computed when first asked for and 0 before.
    hashes: Vec<u64>,
    /// A bit for each slot: whether it is taken.
    taken: Vec<u64>,
    /// The words in the slots that are taken; anything in the others.
    slots: Vec<u32>,
    /// The words of a table that is being made larger.
    moving: Vec<u32>,
}

impl Sets {
    /// CPython's hash of a word.
    fn hash(&mut self, word: u32, words: &[&str]) -> u64 {
        if self.hashes.len() < words.len() {
            self.hashes.resize(words.len(), 0);
        }
        let hash = &mut self.hashes[word as usize];
        if *hash == 0 {
            *hash = python_hash(words[word as usize]);
        }
        *hash
    }

    /// Brings words, which are distinct, into the order of the table after adding them one by one.
    fn order(&mut self, list: &mut Vec<u32>, words: &[&str]) {
        let mut mask = 7;
        self.clear(mask);
        for (used, &word) in list.iter().enumerate() {
            self.hash(word, words);
            self.add(word, mask);
            if let Some(more) = grown(used + 1, mask) {
                mask = more;
                let mut moving = std::mem::take(&mut self.moving);
                self.list(&mut moving);
                self.clear(mask);
                for &word in &moving {
                    self.add(word, mask);
                }
                self.moving = moving;
            }
        }
        self.list(list);
    }

    fn clear(&mut self, mask: usize) {
        self.taken.clear();
        self.taken.resize(mask / 64 + 1, 0);
        if self.slots.len() <= mask {
            self.slots.resize(mask + 1, 0);
        }
    }

    fn add(&mut self, word: u32, mask: usize) {
        let mut perturb = self.hashes[word as usize];
        let mut at = perturb as usize & mask;
        loop {
            let last = if at + PROBES <= mask { at + PROBES } else { at };
            let is_free = |&at: &usize| self.taken[at / 64] >> (at % 64) & 1 == 0;
            if let Some(free) = (at..=last).find(is_free) {
                self.taken[free / 64] |= 1 << (free % 64);
                self.slots[free] = word;
                return;
            }
            perturb >>= 5;
            at = at.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb as usize) & mask;
        }
    }

    /// The words of the table, in order.
    fn list(&self, into: &mut Vec<u32>) {
        into.clear();
        for (block, &taken) in self.taken.iter().enumerate() {
            let mut left = taken;
            while left > 0 {
                into.push(self.slots[64 * block + left.trailing_zeros() as usize]);
                left &= left - 1;
            }
        }
    }
}

/// CPython's `hash()` of a string with PYTHONHASHSEED=0, as an unsigned number.
fn python_hash(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let widest = text.chars().max().unwrap_or('\0');
    let bytes: Vec<u8> = match u32::from(widest) {
        ..0x80 => return hash_bytes(text.as_bytes()),
        0x80..0x100 => text.chars().map(|c| c as u8).collect(),
        0x100..0x1_0000 => text.chars().flat_map(|c| (c as u16).to_le_bytes()).collect(),
        _ => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
    };
    hash_bytes(&bytes)
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    match sip_1_3(bytes) {
        // −1 is the error mark of CPython's C interface.
        u64::MAX => u64::MAX - 1,
        hash => hash,
    }
}

/// SipHash with one round a block and three at the end, under the key 0.
fn sip_1_3(bytes: &[u8]) -> u64 {
    let mut v = [
        0x736f_6d65_7073_6575_u64,
        0x646f_7261_6e64_6f6d,
        0x6c79_6765_6e65_7261,
        0x7465_6462_7974_6573,
    ];
    let round = |v: &mut [u64; 4]| {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    };
    let mut blocks = bytes.chunks_exact(8);
    for block in &mut blocks {
        let mut word = [0; 8];
        word.copy_from_slice(block);
        let word = u64::from_le_bytes(word);
        v[3] ^= word;
        round(&mut v);
        v[0] ^= word;
    }
    let mut word = [0; 8];
    let rest = blocks.remainder();
    word[..rest.len()].copy_from_slice(rest);
    word[7] = bytes.len() as u8;
    let word = u64::from_le_bytes(word);
    v[3] ^= word;
    round(&mut v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected values are those of CPython 3.11.7 with PYTHONHASHSEED=0.
    #[test]
    fn strings_hash_as_in_cpython() {
        let hashes: [(&str, u64); 7] = [
            ("a", 4_644_417_185_603_328_019),
            ("abc", 13_851_880_170_939_887_858),
            ("größe", 9_214_236_677_518_699_477),
            ("変数", 203_387_447_888_370_480),
            ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 4_537_794_765_319_314_099),
            ("😀q", 16_520_874_282_995_165_902),
            ("", 0),
        ];
        for (text, hash) in hashes {
            assert_eq!(python_hash(text), hash, "{text}");
        }
    }

    #[test]
    fn sets_list_as_in_cpython() {
        let words: Vec<&str> = "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu \
             nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
            .split_whitespace()
            .collect();
        let all: Vec<u32> = (0..words.len() as u32).collect();
        let listed = |order: SetOrder, left: &[u32], right: &[u32]| -> Vec<&str> {
            let union = order.union([left, right].into_iter(), &words, &mut 0).unwrap();
            union.into_iter().map(|word| words[word as usize]).collect()
        };
        let reference = SetOrder::reference;
        assert_eq!(
            listed(reference(), &all[..3], &all[1..5]),
            ["alpha", "beta", "gamma", "delta", "epsilon"]
        );
        let expected = "chi beta kappa psi omega pi tau xi omicron iota zeta gamma alpha rho phi nu \
             eta delta mu upsilon lamda sigma theta epsilon";
        assert_eq!(
            listed(reference(), &all, &all),
            expected.split_whitespace().collect::<Vec<_>>()
        );
        let first_seen = listed(SetOrder::FirstSeen, &all[20..], &all);
        assert_eq!((first_seen[0], first_seen[4], first_seen.len()), ("phi", "alpha", 24));
    }

    #[test]
    fn lists_that_grow_one_by_one_list_as_in_cpython() {
        let words: Vec<String> = (0..1400).map(|number| format!("w{number}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ones: Vec<[u32; 1]> = (0..1400).map(|word| [word]).collect();
        let lists = ones.iter().map(|one| &one[..]);
        let listed = SetOrder::reference().union(lists, &words, &mut 0).unwrap();
        assert_eq!(listed[..8], [1041, 364, 451, 869, 27, 861, 1082, 192]);
        assert_eq!(listed[1396..], [912, 1207, 330, 957]);
        let sum = listed.iter().fold(0_u32, |sum, &word| sum.wrapping_mul(31).wrapping_add(word));
        assert_eq!(sum, 1_868_144_642);
    }
}
