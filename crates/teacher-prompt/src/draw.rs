//! Random choices that follow from a seed and an id, and from nothing else.

/// A stream of draws.
pub(crate) struct Draw(blake3::OutputReader);

impl Draw {
    /// The stream of this seed and id, whatever was drawn for others before.
    pub(crate) fn new(seed: u64, id: &str) -> Draw {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(id.as_bytes());
        Draw(hasher.finalize_xof())
    }

    /// A number below `count`, which is at least 1. The bias of the remainder is below 2⁻³² for any
    /// corpus that fits a machine.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// A number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }

    fn next(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
