//! The order of `list(set(words + more))` where that is done over and over: a sum of n terms asks
//! for it n times, and filling a table anew each time would take n²/2 steps.
//!
//! From one time to the next hardly anything changes, so that only this is done. Two facts help:
//!
//! * A table that words are put into one by one, each into the first free slot of its probes, is
//!   what comes out when every word takes the first of its probes that no *earlier* word wants: a
//!   slot goes to the earliest. That has one solution, whatever the order in which it is worked
//!   out. So a word can come, go or change its time afterwards: it pushes later words on, or lets
//!   the earliest of those that passed its slot have it, and so forth until a slot is free.
//! * CPython's table grows on the way. The words before each growth have a table of their own, and
//!   go on to the next one in the order of its slots, before all others.
//!
//! A time is therefore a slot: that of the word in the table before, for those that come from it,
//! and else that of the word in the last table of the time before, which is where the list has it.

use rustc_hash::FxHashMap;

/// No word, or no slot.
const NONE: u32 = u32::MAX;

/// In place of a word: the slot is free, but words may have gone past it.
const OPEN: u32 = u32::MAX - 1;

/// Times of words that come from no smaller table begin here, above all slots.
const FROM_LIST: u32 = 1 << 31;

/// Slots looked at in a row before a probe jumps, the first not counted.
pub(super) const PROBES: usize = 9;

/// The mask of a table of CPython's that has `used` words in it, where it has to grow.
pub(super) fn grown(used: usize, mask: usize) -> Option<usize> {
    if used * 5 < mask * 3 {
        return None;
    }
    let at_least = if used > 50_000 { used * 2 } else { used * 4 };
    let mut mask = mask;
    while mask < at_least {
        mask = 2 * mask + 1;
    }
    Some(mask)
}

/// The slots that a word of this hash may have, the first first. It never ends.
pub(super) fn probes(hash: u64, mask: usize) -> impl Iterator<Item = usize> {
    let mut perturb = hash;
    let mut at = hash as usize & mask;
    let mut next = at;
    std::iter::from_fn(move || {
        let last = if at + PROBES <= mask { at + PROBES } else { at };
        if next > last {
            perturb >>= 5;
            at = at.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb as usize) & mask;
            next = at;
        }
        next += 1;
        Some(next - 1)
    })
}

/// A set that becomes a list and a set again, time after time. Its words are numbers from 0, in the
/// order in which they came.
#[derive(Debug, Default)]
pub(super) struct RepeatedSet {
    hashes: Vec<u64>,
    /// The tables that are filled one after the other, the last one for all words.
    tables: Vec<Table>,
    /// For all tables but the last: how many words it has, and the place in the list before which
    /// they stand.
    borders: Vec<Border>,
    /// The place of each word in the list: its slot in the last table the time before.
    places: Vec<u32>,
    /// The list: the word at each place.
    list: Vec<u32>,
    /// Words whose place in the list is no longer that in the last table.
    moved: Vec<u32>,
    /// Words put into slots so far: what it all has cost.
    pub(super) work: u64,
    buffers: Buffers,
}

/// Lists that [`RepeatedSet::follow`] works with, empty.
#[derive(Debug, Default)]
struct Buffers {
    over_before: Vec<u32>,
    over_after: Vec<u32>,
    moved_before: Vec<u32>,
    moved: Vec<u32>,
    put: Vec<u32>,
    retimed: Vec<(u32, bool)>,
}

#[derive(Debug)]
struct Border {
    words: usize,
    place: u32,
    /// Words before `place`, while that is being moved.
    before: usize,
}

impl RepeatedSet {
    /// The set of words with these hashes, which are distinct words' and put in one by one.
    pub(super) fn new(hashes: Vec<u64>) -> RepeatedSet {
        let words = hashes.len();
        let mut set = RepeatedSet { hashes, places: vec![NONE; words], ..RepeatedSet::default() };
        let list: Vec<u32> = (0..words as u32).collect();
        set.fill(&list, 0..);
        set
    }

    /// The words in order.
    pub(super) fn list(&self) -> impl Iterator<Item = u32> {
        let last = self.tables.iter().last();
        last.into_iter().flat_map(|table| table.slots.iter().copied().filter(|&word| word != NONE))
    }

    /// Makes a list of the set, and a set of that list with words of these hashes added to its end.
    pub(super) fn again(&mut self, new: impl Iterator<Item = u64>) {
        let from = self.hashes.len();
        self.hashes.extend(new);
        let words = self.hashes.len();
        self.places.resize(words, NONE);
        let Some(last) = self.tables.last() else { return };
        if grown(words, last.mask).is_none() && self.moved.len() + words - from <= words / 8 {
            self.follow(from);
            return;
        }
        let mut list: Vec<u32> = self.list().collect();
        let mut places: Vec<u32> =
            list.iter().map(|&word| last.words[word as usize].slot).collect();
        list.extend(from as u32..words as u32);
        places.extend((last.slots.len() as u32..).take(words - from));
        self.fill(&list, places.into_iter());
    }

    /// Fills all tables from a list of the words and their places in it, which ascend.
    fn fill(&mut self, list: &[u32], places: impl Iterator<Item = u32>) {
        self.tables.clear();
        self.borders.clear();
        for (&word, place) in list.iter().zip(places) {
            self.places[word as usize] = place;
        }
        let mut table = Table::new(7, &self.hashes);
        let mut touched = Vec::new();
        for (index, &word) in list.iter().enumerate() {
            table.words[word as usize].time = FROM_LIST | self.places[word as usize];
            table.put(word, &self.hashes, &mut touched);
            if let Some(mask) = grown(index + 1, table.mask) {
                let mut next = Table::new(mask, &self.hashes);
                for (slot, &word) in (0..).zip(&table.slots) {
                    if word != NONE {
                        next.words[word as usize].time = slot;
                        next.put(word, &self.hashes, &mut touched);
                    }
                }
                self.tables.push(std::mem::replace(&mut table, next));
                let place = self.places[word as usize] + 1;
                self.borders.push(Border { words: index + 1, place, before: index + 1 });
            }
        }
        self.work += 2 * list.len() as u64;
        // The list has a place for every slot and for what is new.
        self.list.clear();
        self.list.resize(table.mask + 1, NONE);
        self.moved.clear();
        for &word in list {
            let place = self.places[word as usize];
            if let Some(at) = self.list.get_mut(place as usize) {
                *at = word;
            }
            if table.words[word as usize].slot != place {
                self.moved.push(word);
            }
        }
        self.tables.push(table);
        for table in &mut self.tables {
            for word in &mut table.words {
                word.slot_before = word.slot;
            }
        }
    }

    /// Does in each table what has changed in the list, where words from `new` on are new.
    fn follow(&mut self, new: usize) {
        let Some(last) = self.tables.last() else { return };
        for &word in &self.moved {
            let place = self.places[word as usize] as usize;
            if let Some(at) = self.list.get_mut(place).filter(|at| **at == word) {
                *at = NONE;
            }
        }
        for &word in &self.moved {
            let place = last.words[word as usize].slot;
            let old = std::mem::replace(&mut self.places[word as usize], place);
            self.list[place as usize] = word;
            for border in &mut self.borders {
                border.before -= usize::from(old < border.place);
                border.before += usize::from(place < border.place);
            }
        }
        let added = new as u32..self.hashes.len() as u32;
        for (place, word) in (self.list.len() as u32..).zip(added.clone()) {
            self.places[word as usize] = place;
        }
        // Words that go over the border before a table and over that after it, and those that have
        // another slot in the table before.
        let Buffers {
            mut over_before,
            mut over_after,
            mut moved_before,
            mut moved,
            mut put,
            mut retimed,
        } = std::mem::take(&mut self.buffers);
        let mut place_before = 0;
        for number in 0..self.tables.len() {
            let (before, rest) = self.tables.split_at_mut(number);
            let (before, Some(table)) = (before.last(), rest.first_mut()) else { return };
            table.make_room(&self.hashes);
            let mut place_after = NONE;
            match self.borders.get_mut(number) {
                Some(border) => {
                    border.follow(&self.list, &mut over_after);
                    place_after = border.place;
                }
                None => over_after.extend(added.clone()),
            }
            for list in [&self.moved, &moved_before, &over_before, &over_after] {
                for &word in list {
                    let place = self.places[word as usize];
                    let is_here = place < place_after;
                    let Word { slot, time, .. } = table.words[word as usize];
                    if slot == NONE && !is_here {
                        continue;
                    }
                    let new_time = match before {
                        Some(before) if place < place_before => before.words[word as usize].slot,
                        _ => FROM_LIST | place,
                    };
                    if slot == NONE {
                        put.push(word);
                    } else if !is_here {
                        table.take(word, &self.hashes);
                        moved.push(word);
                    } else if time != new_time {
                        retimed.push((word, new_time < time));
                    }
                    table.words[word as usize].time = new_time;
                }
            }
            // Only now are all times right.
            for (word, is_earlier) in retimed.drain(..) {
                if !table.stays(word, is_earlier, &self.hashes) {
                    table.take(word, &self.hashes);
                    put.push(word);
                }
            }
            for word in put.drain(..) {
                if table.words[word as usize].slot == NONE {
                    table.put(word, &self.hashes, &mut moved);
                }
            }
            table.close(&self.hashes, &mut moved);
            self.work += moved.len() as u64 + 1;
            table.keep_moved(&mut moved);
            std::mem::swap(&mut over_before, &mut over_after);
            std::mem::swap(&mut moved_before, &mut moved);
            moved.clear();
            over_after.clear();
            place_before = place_after;
        }
        std::mem::swap(&mut self.moved, &mut moved_before);
        moved_before.clear();
        over_before.clear();
        self.buffers = Buffers { over_before, over_after, moved_before, moved, put, retimed };
    }
}

impl Border {
    /// Goes to where it has its number of words before it; `crossing` are the words it goes over.
    fn follow(&mut self, list: &[u32], crossing: &mut Vec<u32>) {
        while self.before < self.words {
            let Some(&word) = list.get(self.place as usize) else { return };
            self.place += 1;
            if word != NONE {
                self.before += 1;
                crossing.push(word);
            }
        }
        while self.before > self.words {
            let Some(place) = self.place.checked_sub(1) else { return };
            self.place = place;
            let word = list[place as usize];
            if word != NONE {
                self.before -= 1;
                crossing.push(word);
            }
        }
    }
}

/// A table in which every word has the first of its probes that no earlier word wants.
#[derive(Debug)]
struct Table {
    mask: usize,
    slots: Vec<u32>,
    /// Of each word of the set, here or not.
    words: Vec<Word>,
    /// Slots that were open, and some of them still are.
    open: Vec<u32>,
    /// For slots that words went past before they jumped: these words.
    passed: FxHashMap<u32, Vec<u32>>,
}

/// What a table knows of a word.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// The first slot it wants.
    first: u32,
    /// The last one before it jumps.
    last: u32,
    /// When it came.
    time: u32,
    /// None if it is not here.
    slot: u32,
    /// Its slot the time before.
    slot_before: u32,
}

impl Word {
    fn has_jumped(&self) -> bool {
        self.slot < self.first || self.slot > self.last
    }
}

impl Table {
    fn new(mask: usize, hashes: &[u64]) -> Table {
        let words = Vec::with_capacity(hashes.len());
        let slots = vec![NONE; mask + 1];
        let mut table =
            Table { mask, slots, words, open: Vec::new(), passed: FxHashMap::default() };
        table.make_room(hashes);
        table
    }

    fn make_room(&mut self, hashes: &[u64]) {
        let new = &hashes[self.words.len()..];
        let word = |&hash: &u64| {
            let first = hash as usize & self.mask;
            let last = if first + PROBES <= self.mask { first + PROBES } else { first };
            Word { first: first as u32, last: last as u32, time: 0, slot: NONE, slot_before: NONE }
        };
        self.words.extend(new.iter().map(word));
    }

    /// Leaves those words in a list that have another slot than the time before.
    fn keep_moved(&mut self, list: &mut Vec<u32>) {
        list.retain(|&word| {
            let Word { slot, slot_before, .. } = &mut self.words[word as usize];
            std::mem::replace(slot_before, *slot) != *slot
        });
    }

    /// Takes a word out. Its slot is left open, for `put` and `close` to fill.
    fn take(&mut self, word: u32, hashes: &[u64]) {
        if self.words[word as usize].has_jumped() {
            self.forget(word, hashes);
        }
        let slot = std::mem::replace(&mut self.words[word as usize].slot, NONE);
        self.slots[slot as usize] = OPEN;
        self.open.push(slot);
    }

    /// Gives a word that is not here its slot, and those that lose theirs another; all that move are
    /// added to `moved`.
    fn put(&mut self, mut word: u32, hashes: &[u64], moved: &mut Vec<u32>) {
        let mut from = self.words[word as usize].first as usize;
        loop {
            moved.push(word);
            let own = self.words[word as usize];
            let mut slot =
                (from..=own.last as usize).find(|&slot| self.yields(slot, own.time, hashes, moved));
            if slot.is_none() {
                slot = probes(hashes[word as usize], self.mask)
                    .find(|&slot| self.yields(slot, own.time, hashes, moved));
            }
            let Some(slot) = slot else { return };
            let holder = std::mem::replace(&mut self.slots[slot], word);
            from = slot + 1;
            if holder < OPEN {
                if self.words[holder as usize].has_jumped() {
                    self.forget(holder, hashes);
                    from = self.words[holder as usize].first as usize;
                }
                self.words[holder as usize].slot = NONE;
            }
            self.words[word as usize].slot = slot as u32;
            if self.words[word as usize].has_jumped() {
                self.remember(word, hashes);
            }
            if holder >= OPEN {
                return;
            }
            word = holder;
        }
    }

    /// Whether a slot is for a word of this time that wants it. An open slot may first go to one
    /// that went past it.
    #[inline]
    fn yields(&mut self, slot: usize, time: u32, hashes: &[u64], moved: &mut Vec<u32>) -> bool {
        match self.slots[slot] {
            NONE => true,
            OPEN => {
                let (heir, earliest) = self.heir(slot as u32);
                if earliest < time {
                    self.inherit(slot as u32, heir, hashes);
                    moved.push(heir);
                }
                earliest >= time
            }
            holder => self.words[holder as usize].time > time,
        }
    }

    /// Gives open slots to the earliest that went past them, theirs to others, and so forth.
    fn close(&mut self, hashes: &[u64], moved: &mut Vec<u32>) {
        while let Some(slot) = self.open.pop() {
            if self.slots[slot as usize] != OPEN {
                continue;
            }
            match self.heir(slot).0 {
                NONE => self.slots[slot as usize] = NONE,
                heir => {
                    self.inherit(slot, heir, hashes);
                    moved.push(heir);
                }
            }
        }
    }

    /// Moves a word to an open slot; its own is open then.
    fn inherit(&mut self, slot: u32, heir: u32, hashes: &[u64]) {
        self.take(heir, hashes);
        self.words[heir as usize].slot = slot;
        self.slots[slot as usize] = heir;
        if self.words[heir as usize].has_jumped() {
            self.remember(heir, hashes);
        }
    }

    /// Whether a word keeps its slot whose time has become earlier, or later.
    fn stays(&self, word: u32, is_earlier: bool, hashes: &[u64]) -> bool {
        let Word { first, time, slot, .. } = self.words[word as usize];
        if !is_earlier {
            return self.heir(slot).1 >= time;
        }
        let is_earlier = |holder: u32| holder == OPEN || self.words[holder as usize].time < time;
        if self.words[word as usize].has_jumped() {
            let passed = probes(hashes[word as usize], self.mask);
            passed.take_while(|&at| at != slot as usize).all(|at| is_earlier(self.slots[at]))
        } else {
            self.slots[first as usize..slot as usize].iter().all(|&holder| is_earlier(holder))
        }
    }

    /// The earliest of the words that went past a slot, and its time.
    fn heir(&self, slot: u32) -> (u32, u32) {
        let (mut heir, mut earliest) = (NONE, NONE);
        let end = (slot as usize + 1 + PROBES).min(self.slots.len());
        for (at, &other) in (slot + 1..).zip(&self.slots[slot as usize + 1..end]) {
            match other {
                // Nobody went past a slot that is free.
                NONE => break,
                OPEN => continue,
                _ => {}
            }
            let own = &self.words[other as usize];
            if own.first <= slot && at <= own.last && own.time < earliest {
                (heir, earliest) = (other, own.time);
            }
        }
        if !self.passed.is_empty() {
            for &other in self.passed.get(&slot).into_iter().flatten() {
                let time = self.words[other as usize].time;
                if time < earliest {
                    (heir, earliest) = (other, time);
                }
            }
        }
        (heir, earliest)
    }

    /// Notes the slots that a word went past before it jumped to its own.
    #[cold]
    fn remember(&mut self, word: u32, hashes: &[u64]) {
        let own = self.words[word as usize].slot as usize;
        for slot in probes(hashes[word as usize], self.mask).take_while(|&slot| slot != own) {
            self.passed.entry(slot as u32).or_default().push(word);
        }
    }

    /// Takes back [`remember`](Self::remember).
    #[cold]
    fn forget(&mut self, word: u32, hashes: &[u64]) {
        let own = self.words[word as usize].slot as usize;
        for slot in probes(hashes[word as usize], self.mask).take_while(|&slot| slot != own) {
            if let Some(words) = self.passed.get_mut(&(slot as u32))
                && let Some(at) = words.iter().position(|&other| other == word)
            {
                words.swap_remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The list of a set that words are put into one by one, without any short cut.
    fn listed(list: &[u32], hashes: &[u64]) -> Vec<u32> {
        let mut slots = vec![NONE; 8];
        let put = |slots: &mut Vec<u32>, word: u32| {
            let slot = probes(hashes[word as usize], slots.len() - 1)
                .find(|&slot| slots[slot] == NONE)
                .unwrap();
            slots[slot] = word;
        };
        for (index, &word) in list.iter().enumerate() {
            put(&mut slots, word);
            if let Some(mask) = grown(index + 1, slots.len() - 1) {
                let full = std::mem::replace(&mut slots, vec![NONE; mask + 1]);
                for word in full.into_iter().filter(|&word| word != NONE) {
                    put(&mut slots, word);
                }
            }
        }
        slots.into_iter().filter(|&word| word != NONE).collect()
    }

    fn check(hashes: &[u64], steps: impl IntoIterator<Item = usize>) {
        let mut set = RepeatedSet::new(hashes[..1].to_vec());
        let mut list = vec![0];
        for step in steps {
            let words = list.len();
            let new = &hashes[words..(words + step).min(hashes.len())];
            set.again(new.iter().copied());
            list.extend((words as u32..).take(new.len()));
            list = listed(&list, hashes);
            assert_eq!(set.list().collect::<Vec<_>>(), list);
        }
    }

    #[test]
    fn many_words_one_by_one() {
        let mut hash = 1_u64;
        let hashes: Vec<u64> = (0..900)
            .map(|_| {
                // Xorshift.
                hash ^= hash << 13;
                hash ^= hash >> 7;
                hash ^= hash << 17;
                hash
            })
            .collect();
        check(&hashes, std::iter::repeat_n(1, 920));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever the hashes: many of them alike, in all bits or in the last ones, so that words
        /// jump and jump again.
        #[test]
        fn any_words_in_any_steps(
            hashes in prop::collection::vec((any::<u64>(), 0_u32..64), 1..400),
            steps in prop::collection::vec(prop_oneof![4 => Just(1), 1 => 0_usize..40], 1..400),
            kept in any::<u64>(),
        ) {
            let hashes: Vec<u64> = hashes
                .into_iter()
                .map(|(hash, bits)| hash & !(u64::MAX << bits) | kept & (u64::MAX << bits))
                .collect();
            check(&hashes, steps);
        }
    }
}
