//! `list(set(a + b))`, the operation that gives the reference programs' sources their order.
//!
//! In CPython that order follows the table of the set, and so the hash of the strings, which
//! changes with every process unless PYTHONHASHSEED is set. [`SetOrder::Reference`] reproduces it
//! for PYTHONHASHSEED=0: SipHash-1-3 with the key 0 over the string's storage (one, two or four
//! bytes a character), and the table of CPython 3.7 to 3.12 (linear probes of nine, then
//! perturbation; grown fourfold at three fifths).

use std::cell::RefCell;

/// The order in which merged sources are listed.
#[derive(Debug)]
pub(crate) enum SetOrder {
    /// In which they were first seen.
    FirstSeen,
    /// In which CPython 3.11 lists a set of strings with PYTHONHASHSEED=0.
    Reference {
        /// The hash of each word, computed when first asked for.
        hashes: RefCell<Vec<Option<u64>>>,
    },
}

impl SetOrder {
    pub(crate) fn reference(words: usize) -> SetOrder {
        SetOrder::Reference { hashes: RefCell::new(vec![None; words]) }
    }

    /// The distinct elements of `left` and then `right`, in this order.
    pub(crate) fn union(&self, left: &[u32], right: &[u32], words: &[&str]) -> Vec<u32> {
        let mut distinct: Vec<u32> = Vec::with_capacity(left.len() + right.len());
        if left.len() + right.len() <= 24 {
            for &word in left.iter().chain(right) {
                if !distinct.contains(&word) {
                    distinct.push(word);
                }
            }
        } else {
            let mut seen = rustc_hash::FxHashSet::default();
            distinct.extend(left.iter().chain(right).filter(|&&word| seen.insert(word)));
        }
        match self {
            SetOrder::Reference { hashes } if distinct.len() > 1 => {
                let mut hashes = hashes.borrow_mut();
                let keys = distinct.iter().map(|&word| {
                    let hash = hashes[word as usize]
                        .get_or_insert_with(|| python_hash(words[word as usize]));
                    (word, *hash)
                });
                in_table_order(keys)
            }
            _ => distinct,
        }
    }
}

/// The keys, which are distinct, in the order of CPython's set table after adding them one by one.
fn in_table_order(keys: impl Iterator<Item = (u32, u64)>) -> Vec<u32> {
    let mut table = Table { slots: vec![None; 8] };
    for (used, (key, hash)) in keys.enumerate() {
        table.add(key, hash);
        let (used, mask) = (used + 1, table.slots.len() - 1);
        if used * 5 >= mask * 3 {
            let at_least = if used > 50_000 { used * 2 } else { used * 4 };
            let mut size = 8;
            while size <= at_least {
                size *= 2;
            }
            let old = std::mem::replace(&mut table.slots, vec![None; size]);
            for (key, hash) in old.into_iter().flatten() {
                table.add(key, hash);
            }
        }
    }
    table.slots.into_iter().flatten().map(|(key, _)| key).collect()
}

struct Table {
    slots: Vec<Option<(u32, u64)>>,
}

impl Table {
    fn add(&mut self, key: u32, hash: u64) {
        const PROBES: usize = 9;
        let mask = self.slots.len() - 1;
        let mut perturb = hash;
        let mut at = hash as usize & mask;
        loop {
            let last = if at + PROBES <= mask { at + PROBES } else { at };
            if let Some(slot) = self.slots[at..=last].iter_mut().find(|slot| slot.is_none()) {
                *slot = Some((key, hash));
                return;
            }
            perturb >>= 5;
            at = at.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb as usize) & mask;
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
