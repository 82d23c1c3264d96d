//! Near duplicates in a stream: MinHash with locality-sensitive hashing.
//!
//! [`dedup`](crate::dedup) compares exactly and wants the whole corpus; this decides on each text as
//! it comes and holds a fixed number of bytes a text. The estimate of the Jaccard similarity
//! (Broder, 1997) has a standard error of at most 0.5 / √128 ≈ 0.044.

use code_syntax::Language;
use rustc_hash::FxHashMap;

use crate::CorpusError;
use crate::dedup::shingles;

/// Hash functions in a signature.
const HASHES: usize = 128;

/// A text's smallest hash under each hash function; of each the low 16 bits are kept, which two
/// different ones share once in 65,536.
type Signature = [u16; HASHES];

/// The texts seen so far, of which each new one may be a near duplicate.
///
/// Two texts are compared if their signatures agree in a whole band; bands are chosen so narrow
/// that of the pairs at the threshold about 99 % are compared, and then the whole signatures decide.
/// Memory: 256 bytes a text and 8 to 20 bytes a band, about 1 kB.
///
/// ```
/// use code_corpus::minhash::NearDuplicates;
/// use code_syntax::Language;
///
/// let mut seen = NearDuplicates::new(0.5, 3)?;
/// let code = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n    return result";
/// assert_eq!(seen.add(Language::Python, code), None);
/// let copy = code.replace("result = 0", "result = 0.0");
/// assert_eq!(seen.add(Language::Python, &copy), Some(0));
/// # Ok::<(), code_corpus::CorpusError>(())
/// ```
#[derive(Debug, Clone)]
pub struct NearDuplicates {
    threshold: f64,
    shingle: usize,
    rows: usize,
    /// Number and hash of a band → the texts with it.
    bands: FxHashMap<u64, Vec<u32>>,
    signatures: Vec<Signature>,
    added: usize,
    /// Of each signature, which of the texts added it is.
    numbers: Vec<u32>,
}

impl NearDuplicates {
    /// Tells texts of at least this Jaccard similarity, in (0, 1], of their shingles of so many
    /// [tokens](fn@crate::tokens::tokens).
    ///
    /// # Errors
    /// [`CorpusError::Setting`] for a value outside its range.
    pub fn new(threshold: f64, shingle: usize) -> Result<NearDuplicates, CorpusError> {
        if !(threshold > 0.0 && threshold <= 1.0) || shingle == 0 {
            return Err(CorpusError::Setting {
                name: "near_duplicates",
                value: format!("threshold {threshold}, shingle {shingle}"),
                expected: "a similarity above 0 and at most 1, and at least one token",
            });
        }
        // The widest bands with which a pair at the threshold still meets in one:
        // 1 − (1 − tʳ)^(128 / r) ≥ 0.99.
        let meets = |rows: usize| {
            1.0 - (1.0 - threshold.powi(rows as i32)).powi((HASHES / rows) as i32) >= 0.99
        };
        let rows = [32, 16, 8, 4, 2].into_iter().find(|&rows| meets(rows)).unwrap_or(1);
        Ok(NearDuplicates {
            threshold,
            shingle,
            rows,
            bands: FxHashMap::default(),
            signatures: Vec::new(),
            added: 0,
            numbers: Vec::new(),
        })
    }

    /// Adds a text, unless it is a near duplicate of one added before in the same language: then
    /// the number of that one, from 0 in the order of the calls.
    pub fn add(&mut self, language: Language, code: &str) -> Option<usize> {
        let number = self.added;
        self.added += 1;
        let signature = signature(&shingles(language.name(), code, self.shingle));
        let keys: Vec<u64> = signature
            .chunks(self.rows)
            .zip(0u64..)
            .map(|(band, at)| band.iter().fold(mix(at + 1), |key, &row| mix(key ^ u64::from(row))))
            .collect();
        let mut candidates: Vec<u32> =
            keys.iter().filter_map(|key| self.bands.get(key)).flatten().copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        let alike = |other: &u32| {
            let other = &self.signatures[*other as usize];
            let same = signature.iter().zip(other).filter(|(a, b)| a == b).count();
            same as f64 >= self.threshold * HASHES as f64
        };
        if let Some(found) = candidates.into_iter().find(alike) {
            return Some(self.numbers[found as usize] as usize);
        }
        let at = self.signatures.len() as u32;
        for key in keys {
            self.bands.entry(key).or_default().push(at);
        }
        self.signatures.push(signature);
        self.numbers.push(number as u32);
        None
    }
}

fn signature(shingles: &[u64]) -> Signature {
    let mut smallest = [u64::MAX; HASHES];
    for shingle in shingles {
        for (smallest, at) in smallest.iter_mut().zip(1u64..) {
            // The shingles are hashes already: another seed makes another hash of them.
            *smallest = (*smallest).min(mix(shingle ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
    }
    smallest.map(|hash| hash as u16)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection that spreads every bit.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(range: std::ops::Range<usize>) -> String {
        range.map(|word| format!("w{word} ")).collect()
    }

    #[test]
    fn the_estimate_is_close_to_the_similarity() {
        // Shingles of a single token: the similarity is that of the two sets of words.
        for (one, two) in [(0..100, 50..150), (0..100, 90..190), (0..200, 10..210), (0..300, 0..60)]
        {
            let shared = one.end.min(two.end) - two.start;
            let similarity = shared as f64 / (one.len() + two.len() - shared) as f64;
            let [one, two] = [one, two].map(|range| signature(&shingles("", &words(range), 1)));
            let same = one.iter().zip(two).filter(|(a, b)| **a == *b).count();
            let estimate = same as f64 / HASHES as f64;
            // Three standard errors.
            assert!((estimate - similarity).abs() < 0.133, "{estimate} for {similarity}");
        }
    }

    #[test]
    fn near_duplicates_are_found_and_others_are_not() {
        let mut seen = NearDuplicates::new(0.8, 1).unwrap();
        let near: Vec<Option<usize>> = [
            words(0..200),
            words(1000..1200),
            words(5..203), // 195 of 203 shared
            words(1000..1200),
            words(100..300), // a third shared
            words(100..300),
        ]
        .iter()
        .map(|text| seen.add(Language::Python, text))
        .collect();
        assert_eq!(near, [None, None, Some(0), Some(1), None, Some(4)]);
        assert_eq!(seen.add(Language::Go, &words(0..200)), None, "another language");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for (threshold, shingle) in [(0.0, 5), (1.1, 5), (f64::NAN, 5), (0.8, 0)] {
            assert!(NearDuplicates::new(threshold, shingle).is_err());
        }
        for threshold in [1.0, 0.9, 0.5, 0.1, 0.001] {
            let mut seen = NearDuplicates::new(threshold, 3).unwrap();
            assert_eq!(seen.add(Language::Java, "int f() { return 1; }"), None);
            assert_eq!(seen.add(Language::Java, "int f() {\n return 1; }"), Some(0));
            assert_eq!(seen.add(Language::Java, ""), None);
        }
    }
}
