//! Numbers for keys, dense from 0 in order of first appearance.

/// A hash table that holds no keys: whoever owns it keeps them by their numbers.
///
/// Linear probes, never more than half full. The keys of one pair of texts fill a few kilobytes of
/// it, so that most looks end at the first slot.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Hash and one more than the number, or 0.
    slots: Vec<(u32, u32)>,
    keys: u32,
}

impl Table {
    /// Room for so many keys before the table grows.
    pub(crate) fn with_capacity(keys: usize) -> Table {
        let mut table = Table::default();
        table.clear(keys);
        table
    }

    /// Empties the table and makes room for so many keys.
    pub(crate) fn clear(&mut self, keys: usize) {
        self.slots.clear();
        self.slots.resize((2 * keys).next_power_of_two().max(16), (0, 0));
        self.keys = 0;
    }

    /// The number of the key with this hash that `is_key` knows. Where there is none, the next
    /// number, and the table takes it for the key's from now on.
    #[inline]
    pub(crate) fn number(&mut self, hash: u32, is_key: impl Fn(u32) -> bool) -> u32 {
        if 2 * self.keys as usize >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (found, number) = self.slots[at];
            if number == 0 {
                self.keys += 1;
                self.slots[at] = (hash, self.keys);
                return self.keys - 1;
            }
            if found == hash && is_key(number - 1) {
                return number - 1;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![(0, 0); (2 * self.slots.len()).max(16)];
        let mask = larger.len() - 1;
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot.1 > 0 {
                let mut at = slot.0 as usize & mask;
                while self.slots[at].1 > 0 {
                    at = (at + 1) & mask;
                }
                self.slots[at] = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// With few hashes, so that many keys share one.
        #[test]
        fn keys_keep_their_numbers_as_the_table_grows(
            wanted in prop::collection::vec(0u32..300, 0..1000)
        ) {
            let mut table = Table::default();
            let mut keys: Vec<u32> = Vec::new();
            for key in wanted {
                let expected = keys.iter().position(|&known| known == key).unwrap_or(keys.len());
                let number = table.number(key % 7, |number| keys[number as usize] == key);
                prop_assert_eq!(number as usize, expected);
                if expected == keys.len() {
                    keys.push(key);
                }
            }
        }
    }
}
