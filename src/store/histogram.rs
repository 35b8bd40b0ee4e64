//! Histograms of durations on a logarithmic axis, in bounded memory.

use crate::histogram::{self, Decimal, Scale};
use crate::store::{DurationBins, Percentiles};

/// The number of buckets of [`Decimal`] that make a bin of [`DurationBins`].
const TOGETHER: usize = 4;

/// Counts by bin. If there are more bins than allowed, each two neighbours are merged.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// The counts, sorted; the entry for k has those of the bins from `k << shift` to before `(k + 1) << shift`.
    bins: Vec<(u16, u32)>,
    shift: u32,
}

impl Histogram {
    /// Counts a duration in ns, in at most `max_bins` bins.
    pub fn add(&mut self, duration: u64, max_bins: usize) {
        let bin = Decimal::bucket(duration) as u16;
        loop {
            let bin = bin >> self.shift;
            match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
                Ok(at) => return self.bins[at].1 = self.bins[at].1.saturating_add(1),
                Err(at) if self.bins.len() < max_bins => return self.bins.insert(at, (bin, 1)),
                Err(_) => self.halve(),
            }
        }
    }

    fn halve(&mut self) {
        self.shift += 1;
        self.bins.iter_mut().for_each(|(bin, _)| *bin >>= 1);
        self.bins.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 = earlier.1.saturating_add(later.1);
            }
            same
        });
    }

    pub fn clear(&mut self) {
        self.bins.clear();
        self.shift = 0;
    }
}

/// A sum of histograms.
#[derive(Default)]
pub struct Durations(histogram::Histogram<Decimal>);

impl Durations {
    /// Counts everything in a histogram; merged bins are counted as if their durations were spread evenly over them.
    pub fn add(&mut self, histogram: &Histogram) {
        let width = 1 << histogram.shift;
        for (bin, count) in &histogram.bins {
            let first = (*bin as usize) << histogram.shift;
            let bins = first..Decimal::BUCKETS.min(first + width);
            let (each, more) = (*count as u64 / bins.len() as u64, *count as usize % bins.len());
            for (at, bin) in bins.enumerate() {
                self.0.add(bin, each + u64::from(at < more));
            }
        }
    }

    /// Counts durations of a bin of [`Decimal`].
    pub fn add_bin(&mut self, bin: u16, count: u64) {
        self.0.add(Decimal::BUCKETS.min(bin as usize + 1) - 1, count);
    }

    /// Counts everything that `other` has counted.
    pub fn add_all(&mut self, other: &Durations) {
        self.0.merge(&other.0);
    }

    /// Returns the percentiles by nearest rank, each as the middle of its bin, or `None` without durations.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let [p50, p95, p99] = self.0.percentiles([50, 95, 99])?;
        Some(Percentiles { p50, p95, p99 })
    }

    /// Returns the bins for a chart.
    pub fn bins(&self) -> DurationBins {
        let mut bins: Vec<(u16, u64)> = vec![];
        for (bucket, count) in self.0.counts() {
            let bin = (bucket / TOGETHER) as u16;
            match bins.last_mut() {
                Some((last, sum)) if *last == bin => *sum += count,
                _ => bins.push((bin, count)),
            }
        }
        DurationBins { bins }
    }

    #[cfg(test)]
    fn total(&self) -> u64 {
        self.0.counts().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(durations: &[u64], max_bins: usize) -> Durations {
        let mut histogram = Histogram::default();
        durations.iter().for_each(|duration| histogram.add(*duration, max_bins));
        assert!(histogram.bins.len() <= max_bins);
        let mut sum = Durations::default();
        sum.add(&histogram);
        sum
    }

    fn off(estimated: u64, exact: u64) -> f64 {
        (estimated as f64 / exact as f64 - 1.0).abs()
    }

    proptest! {
        #[test]
        fn percentiles_are_close_and_bins_are_exact(
            durations in prop::collection::vec((100u64..1_000, 0u32..15), 1..400)
        ) {
            let mut durations: Vec<u64> = durations.into_iter().map(|(digits, power)| digits * 10u64.pow(power)).collect();
            let all = sum(&durations, usize::MAX);
            prop_assert_eq!(all.bins(), DurationBins::of(durations.iter().copied()));
            let exact = Percentiles::of(&mut durations).unwrap();
            let estimated = all.percentiles().unwrap();
            for (estimated, exact) in
                [(estimated.p50, exact.p50), (estimated.p95, exact.p95), (estimated.p99, exact.p99)]
            {
                prop_assert!(off(estimated, exact) < 0.02 + 1.0 / exact as f64, "{} for {}", estimated, exact);
            }
        }
    }

    #[test]
    fn few_bins_lose_precision_and_no_duration() {
        let spread: Vec<u64> = (0..10_000).map(|i| 10u64.pow(3 + i % 9) * (1 + i as u64 % 7)).collect();
        let few = sum(&spread, 8);
        assert_eq!(few.total(), 10_000);
        let narrow: Vec<u64> = (0..10_000).map(|i| 5_000_000 + i * 500).collect();
        let estimated = sum(&narrow, 64).percentiles().unwrap();
        assert!(off(estimated.p95, 9_750_000) < 0.02, "{estimated:?}");
    }

    #[test]
    fn any_duration_has_a_bin() {
        for duration in [0, 1, u64::MAX] {
            for max_bins in [1, 64] {
                assert_eq!(sum(&[duration, duration], max_bins).total(), 2);
            }
        }
        assert_eq!(Durations::default().percentiles(), None);
    }
}
