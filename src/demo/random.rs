//! Reproducible randomness: xoshiro256++ seeded by splitmix64, one stream for each topic.
//!
//! Only additions, multiplications and shifts are used, no system mathematics library, so that the
//! same seed gives the same bytes on every machine.
//! Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021).

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random([u64; 4]);

impl Random {
    /// The stream of `topic` under `seed`: changing one topic leaves the others as they were.
    pub fn stream(seed: u64, topic: &str) -> Self {
        let name = topic.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut state = seed ^ name;
        Self(std::array::from_fn(|_| split_mix(&mut state)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [lo, hi).
    pub fn between(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }

    /// A whole number from 0 to `n` - 1; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A whole number from `lo` to `hi`, both included.
    pub fn whole(&mut self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo + 1).max(1) as usize) as i64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal, as the sum of twelve uniforms: bounded by 6, which suits a company.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Log-normal with this median.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// A count with this mean (Poisson, by Knuth's product of uniforms); the mean is a few dozen at most.
    pub fn count(&mut self, mean: f64) -> u32 {
        let limit = exp(-mean);
        let mut product = self.unit();
        let mut count = 0;
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// An index into `weights`, each as likely as it weighs; the last one if all weigh nothing.
    pub fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.unit() * weights.clone().sum::<f64>();
        let mut last = 0;
        for (index, weight) in weights.enumerate() {
            last = index;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// e to the `x`, as (1 + x/4096)^4096: close enough here, and the same everywhere.
pub(super) fn exp(x: f64) -> f64 {
    (0..12).fold(1.0 + x / 4096.0, |value, _| value * value)
}

/// The probability with log-odds `x`.
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_of_a_stream_never_change() {
        let mut random = Random::stream(7, "deals");
        let first = [random.bits(), random.bits()];
        assert_eq!(first, [Random::stream(7, "deals").bits(), first[1]]);
        assert_ne!(first[0], Random::stream(8, "deals").bits());
        assert_ne!(first[0], Random::stream(7, "leads").bits());
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut random = Random::stream(1, "moments");
        let n = 20_000;
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let normals: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        assert!(mean(normals.clone()).abs() < 0.03);
        assert!((mean(normals.iter().map(|x| x * x).collect()) - 1.0).abs() < 0.04);
        let counts = (0..n).map(|_| f64::from(random.count(4.0))).collect();
        assert!((mean(counts) - 4.0).abs() < 0.06);
        let ones = (0..n).map(|_| random.weighted([1.0, 3.0].into_iter()) as f64).collect();
        assert!((mean(ones) - 0.75).abs() < 0.02);
    }

    #[test]
    fn exp_is_close_to_the_real_one() {
        for x in [-4.0_f64, -1.0, 0.0, 0.5, 2.0] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 0.003, "{x}");
        }
    }
}
