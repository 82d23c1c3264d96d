//! Random numbers, many at a time.

/// Lanes of the generator.
pub(crate) const LANES: usize = 8;

/// xoshiro128++ (Blackman and Vigna 2019) on [`LANES`] lanes, each with a state of its own.
#[derive(Debug)]
pub(crate) struct Xoshiro {
    state: [[u32; LANES]; 4],
}

impl Xoshiro {
    pub(crate) fn new(seed: u64) -> Xoshiro {
        // SplitMix64 fills the states, as the authors of xoshiro advise.
        let mut mixed = seed;
        let mut next = || {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = mixed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) as u32
        };
        let mut state = [[0; LANES]; 4];
        state.iter_mut().flatten().for_each(|word| *word = next());
        Xoshiro { state }
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> [u32; LANES] {
        let [a, b, c, d] = &mut self.state;
        let mut result = [0; LANES];
        for i in 0..LANES {
            result[i] = a[i].wrapping_add(d[i]).rotate_left(7).wrapping_add(a[i]);
            let shifted = b[i] << 9;
            c[i] ^= a[i];
            d[i] ^= b[i];
            b[i] ^= c[i];
            a[i] ^= d[i];
            c[i] ^= shifted;
            d[i] = d[i].rotate_left(11);
        }
        result
    }
}

impl Xoshiro {
    /// Fills `out` with normal numbers of this standard deviation (Box and Muller 1958).
    pub(crate) fn fill_normal(&mut self, out: &mut [f32], deviation: f64) {
        for chunk in out.chunks_mut(2 * LANES) {
            let (radii, angles) = (self.next(), self.next());
            let mut numbers = [0.0; 2 * LANES];
            for i in 0..LANES {
                // In (0, 1], for the logarithm.
                let uniform = (f64::from(radii[i]) + 1.0) / 4_294_967_296.0;
                let radius = deviation * (-2.0 * uniform.ln()).sqrt();
                let (sin, cos) =
                    (std::f64::consts::TAU * f64::from(angles[i]) / 4_294_967_296.0).sin_cos();
                numbers[i] = (radius * cos) as f32;
                numbers[LANES + i] = (radius * sin) as f32;
            }
            chunk.copy_from_slice(&numbers[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_a_lane_is_xoshiro128_plus_plus() {
        // State {1, 2, 3, 4} of the authors' C code gives 641 and then 1573767.
        let mut random = Xoshiro { state: [[1; LANES], [2; LANES], [3; LANES], [4; LANES]] };
        assert_eq!(random.next(), [641; LANES]);
        assert_eq!(random.next(), [1_573_767; LANES]);
    }

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut numbers = vec![0.0; 1_000_003];
        Xoshiro::new(11).fill_normal(&mut numbers, 2.0);
        let moment = |power: i32| {
            numbers.iter().map(|&x| f64::from(x / 2.0).powi(power)).sum::<f64>()
                / numbers.len() as f64
        };
        for (power, wanted, deviation) in
            [(1, 0.0, 1.0f64), (2, 1.0, 1.42), (3, 0.0, 3.88), (4, 3.0, 9.8)]
        {
            // Four standard deviations of the mean of a million draws.
            assert!((moment(power) - wanted).abs() < 4.0 * deviation / 1e3, "{power}");
        }
        let beyond = numbers.iter().filter(|x| x.abs() > 2.0 * 1.959_964).count();
        assert!((beyond as f64 / numbers.len() as f64 - 0.05).abs() < 0.001);
    }
}
