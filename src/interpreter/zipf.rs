//! The Zipf distribution, P(k) proportional to k^-s for k in 1..=n, by inversion with one draw.
//!
//! The first [`HEAD`] values come from a table of their exact cumulative weights. Beyond it, the weight of k is taken as
//! the integral of x^-s over k - 1/2 to k + 1/2, which has a closed-form inverse (the functions of W. Hörmann and G.
//! Derflinger, Rejection-inversion to generate variates from monotone discrete distributions, 1996, without the rejection).
//! This weight differs from k^-s by a relative error of about s (s + 1) / 24 k^2, which is about 1e-6 for s = 1, and 7e-5
//! for s = 10, where almost nothing lies beyond the table.

/// The number of values in the table.
const HEAD: u64 = 256;

#[derive(Clone, Debug)]
pub(super) struct Zipf {
    n: u64,
    s: f64,
    /// The cumulative weights of 1, 2, ..
    head: Box<[f64]>,
    /// The antiderivative at the end of the table, and the weight of all values beyond it.
    tail: (f64, f64),
}

impl Zipf {
    /// Makes the distribution over 1..=n with exponent s; `n` must be at least 1, and `s` above 0.
    pub fn new(n: u64, s: f64) -> Self {
        let mut sum = 0.0;
        let head: Box<[f64]> = (1..=n.clamp(1, HEAD))
            .map(|k| {
                sum += libm::exp(-s * libm::log(k as f64));
                sum
            })
            .collect();
        let mut zipf = Zipf { n: n.max(1), s, head, tail: (0.0, 0.0) };
        if n > HEAD {
            let from = zipf.integral(HEAD as f64 + 0.5);
            zipf.tail = (from, zipf.integral(n as f64 + 0.5) - from);
        }
        zipf
    }

    /// Returns the value of the distribution at `u` in (0, 1).
    pub fn sample(&self, u: f64) -> u64 {
        let head = self.head[self.head.len() - 1];
        let weight = u * (head + self.tail.1);
        if weight < head || self.tail.1 <= 0.0 {
            return (self.head.partition_point(|&sum| sum <= weight) as u64 + 1).min(self.head.len() as u64);
        }
        let x = self.inverse(self.tail.0 + (weight - head));
        (libm::floor(x + 0.5) as u64).clamp(HEAD + 1, self.n)
    }

    /// Returns an antiderivative of x^-s: (x^(1-s) - 1) / (1-s), or ln x for s = 1, computed stably between.
    fn integral(&self, x: f64) -> f64 {
        let log = libm::log(x);
        let t = (1.0 - self.s) * log;
        log * if t == 0.0 { 1.0 } else { libm::expm1(t) / t }
    }

    fn inverse(&self, y: f64) -> f64 {
        let t = (1.0 - self.s) * y;
        libm::exp(y * if t == 0.0 { 1.0 } else { libm::log1p(t.max(-1.0)) / t })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::random::Random;

    fn weight(k: u64, s: f64) -> f64 {
        (k as f64).powf(-s)
    }

    #[test]
    fn the_sample_agrees_with_the_exact_distribution() {
        let mut random = Random::new([5; 32]);
        for (n, s) in
            [(1, 1.0), (2, 0.5), (10, 1.1), (1_000, 1.0), (5_000, 0.8), (100_000, 1.1), (100_000, 0.01), (3_000, 10.0)]
        {
            let zipf = Zipf::new(n, s);
            // Bins double in width, so that the tail counts, too.
            let bin = |k: u64| k.ilog2() as usize;
            let total: f64 = (1..=n).map(|k| weight(k, s)).sum();
            let mut want = vec![0.0; bin(n) + 1];
            (1..=n).for_each(|k| want[bin(k)] += weight(k, s) / total);
            let draws = 200_000;
            let mut got = vec![0.0; want.len()];
            for _ in 0..draws {
                let k = zipf.sample(random.unit());
                assert!((1..=n).contains(&k));
                got[bin(k)] += 1.0;
            }
            let bins = want.iter().zip(&got).filter(|(w, _)| **w * draws as f64 >= 5.0);
            let (chi, bins) = bins.fold((0.0, 0.0), |(chi, bins): (f64, f64), (w, g)| {
                let w = w * draws as f64;
                (chi + (g - w) * (g - w) / w, bins + 1.0)
            });
            // The limit is four standard deviations above the mean of chi-square.
            let freedom: f64 = bins - 1.0;
            assert!(chi < freedom + 4.0 * (2.0 * freedom).sqrt() + 4.0, "n {n} s {s}: {chi} at {freedom}");
        }
    }

    #[test]
    fn the_tail_is_as_accurate_as_documented() {
        for s in [0.5, 1.0, 1.0 + 1e-12, 1.5, 3.0] {
            let zipf = Zipf::new(10_000_000, s);
            for k in [HEAD + 1, 2_000, 100_000, 9_999_999] {
                let mass = zipf.integral(k as f64 + 0.5) - zipf.integral(k as f64 - 0.5);
                // The difference of two integrals has few exact digits if they are large.
                let noise = 1e-15 * zipf.integral(k as f64).abs() / mass;
                assert!(
                    (mass / weight(k, s) - 1.0).abs() < s * (s + 1.0) / 24.0 / (HEAD * HEAD) as f64 + 4.0 * noise,
                    "s {s} k {k}"
                );
                let x = zipf.inverse(zipf.integral(k as f64));
                assert!((x / k as f64 - 1.0).abs() < 1e-9 || s == 3.0, "s {s} k {k}: {x}");
            }
        }
        let zipf = Zipf::new(10_000_000, 1.0);
        assert_eq!(zipf.sample(1e-18), 1);
        assert_eq!(zipf.sample(1.0 - 1e-16), 10_000_000);
    }
}
