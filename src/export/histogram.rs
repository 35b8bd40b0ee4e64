//! Durations as a histogram: 8 buckets a power of two, so a percentile is off by at most 9 %.

use std::sync::atomic::{AtomicU64, Ordering};

const STEPS: usize = 8;
const BUCKETS: usize = 64 * STEPS;

/// Recorded into and read by several threads.
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    max: AtomicU64,
}

/// Of durations, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// How many durations these are.
    pub count: u64,
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), max: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// One more, of `ns`.
    pub fn record(&self, ns: u64) {
        self.buckets[bucket(ns)].fetch_add(1, Ordering::Relaxed);
        self.max.fetch_max(ns, Ordering::Relaxed);
    }

    pub fn percentiles(&self) -> Percentiles {
        let counts: Vec<u64> = self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        let max = self.max.load(Ordering::Relaxed);
        let at = |share: f64| {
            let wanted = (count as f64 * share).ceil() as u64;
            let mut sum = 0;
            let found = counts.iter().position(|n| {
                sum += n;
                sum >= wanted
            });
            upper_end(found.unwrap_or(0)).min(max)
        };
        Percentiles { count, p50: at(0.5), p99: at(0.99), max }
    }
}

fn bucket(ns: u64) -> usize {
    let power = ns.max(1).ilog2() as usize;
    // The three bits below the highest.
    let step = if power >= 3 { (ns >> (power - 3)) as usize & 7 } else { 0 };
    power * STEPS + step
}

fn upper_end(bucket: usize) -> u64 {
    let (power, step) = (bucket / STEPS, (bucket % STEPS) as u128);
    if power < 3 {
        return 2 << power;
    }
    (((1u128 << power) * (9 + step)) / 8).min(u64::MAX as u128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_bucket() {
        let histogram = Histogram::default();
        assert_eq!(histogram.percentiles(), Percentiles::default());
        (1..=10_000u64).for_each(|us| histogram.record(us * 1_000));
        let Percentiles { count, p50, p99, max } = histogram.percentiles();
        assert_eq!((count, max), (10_000, 10_000_000));
        assert!((5_000_000..=5_700_000).contains(&p50), "{p50}");
        assert!((9_900_000..=10_000_000).contains(&p99), "{p99}");
    }

    #[test]
    fn every_figure_has_a_bucket() {
        for ns in [0, 1, 7, 8, 9, 1_000, u64::MAX] {
            assert!(bucket(ns) < BUCKETS);
            assert!(upper_end(bucket(ns)) >= ns);
        }
    }
}
