//! Random draws that follow from a seed and a number, and from nothing else.

/// A stream of draws: SplitMix64 (Steele, Lea and Flood 2014), fixed here so that published figures
/// can be made again with any release.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// The stream with this number; streams of one seed are unrelated.
    pub fn new(seed: u64, stream: u64) -> Draw {
        Draw(mix(seed.wrapping_add(GAMMA)) ^ mix(stream.wrapping_mul(GAMMA).wrapping_add(1)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `count`; 0 where that is 0. The bias is below `count`/2⁶⁴.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for state 1234567, as the reference implementation gives them.
        let mut draw = Draw(1_234_567);
        assert_eq!(
            [draw.bits(), draw.bits(), draw.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn draws_are_even_and_streams_differ() {
        let mut draw = Draw::new(1, 0);
        let mut seen = [0; 7];
        (0..70_000).for_each(|_| seen[draw.below(7)] += 1);
        assert!(seen.iter().all(|&count| (9_600..10_400).contains(&count)), "{seen:?}");
        assert_ne!(Draw::new(1, 0).bits(), Draw::new(1, 1).bits());
        assert_ne!(Draw::new(1, 0).bits(), Draw::new(2, 0).bits());
        assert_eq!(Draw::new(1, 0).below(0), 0);
    }
}
