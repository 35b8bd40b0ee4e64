//! A histogram that is shared by threads.

use super::{Binary, Scale, nearest_ranks};
use std::sync::atomic::{AtomicU64, Ordering};

/// A scale with an error of at most 1.6 %.
type Axis = Binary<5>;

/// A histogram that several threads count into and read.
pub struct Shared {
    counts: Box<[AtomicU64]>,
    max: AtomicU64,
}

/// A summary of durations, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// The number of durations.
    pub count: u64,
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Shared { counts: (0..Axis::BUCKETS).map(|_| AtomicU64::new(0)).collect(), max: AtomicU64::new(0) }
    }
}

impl Shared {
    /// Counts a duration of `ns`.
    pub fn record(&self, ns: u64) {
        self.counts[Axis::bucket(ns)].fetch_add(1, Ordering::Relaxed);
        self.max.fetch_max(ns, Ordering::Relaxed);
    }

    /// Returns a summary of what has been counted so far; all 0 if nothing has been.
    pub fn percentiles(&self) -> Percentiles {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let counted = || counts.iter().copied().enumerate().filter(|(_, n)| *n > 0);
        let max = self.max.load(Ordering::Relaxed);
        let [p50, p99] = nearest_ranks(counted, [50, 99]).map_or([0; 2], |found| found.map(Axis::middle));
        Percentiles { count: counts.iter().sum(), p50: p50.min(max), p99: p99.min(max), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_bucket() {
        let histogram = Shared::default();
        assert_eq!(histogram.percentiles(), Percentiles::default());
        (1..=10_000u64).for_each(|us| histogram.record(us * 1_000));
        let Percentiles { count, p50, p99, max } = histogram.percentiles();
        assert_eq!((count, max), (10_000, 10_000_000));
        assert!((4_920_000..=5_080_000).contains(&p50), "{p50}");
        assert!((9_740_000..=10_000_000).contains(&p99), "{p99}");
    }

    #[test]
    fn the_percentiles_of_a_constant_do_not_exceed_it() {
        let histogram = Shared::default();
        (0..9).for_each(|_| histogram.record(1_000_000));
        let Percentiles { p50, p99, max, .. } = histogram.percentiles();
        assert!(p50 == p99 && p99 <= max && max == 1_000_000 && p50 >= 984_000, "{p50}");
    }
}
