//! Histograms of durations with buckets on a logarithmic axis, and the percentiles that follow from them.

mod scale;
mod shared;

pub use scale::{Binary, Decimal, Scale};
pub use shared::{Percentiles, Shared};

use std::marker::PhantomData;

/// The number of buckets that are allocated together.
const ROW: usize = 64;

/// A histogram. Only the parts of the axis in which something was counted take memory. The sum of counts does not depend on
/// their order, so the histograms of several threads can be merged.
#[derive(Clone)]
pub struct Histogram<S> {
    rows: Vec<Option<Box<[u64; ROW]>>>,
    /// The shortest and the longest duration that was counted.
    range: Option<(u64, u64)>,
    scale: PhantomData<S>,
}

impl<S> Default for Histogram<S> {
    fn default() -> Self {
        Histogram { rows: vec![], range: None, scale: PhantomData }
    }
}

impl<S: Scale> Histogram<S> {
    /// Counts a duration of `ns`.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.count(S::bucket(ns), 1);
        self.cover(ns, ns);
    }

    /// Counts `count` durations of a bucket whose exact values are unknown.
    pub fn add(&mut self, bucket: usize, count: u64) {
        if count > 0 {
            self.count(bucket, count);
            self.cover(S::middle(bucket), S::middle(bucket));
        }
    }

    /// Counts everything that `other` has counted.
    pub fn merge(&mut self, other: &Histogram<S>) {
        for (at, row) in other.rows.iter().enumerate() {
            if let Some(row) = row {
                self.row(at).iter_mut().zip(row.iter()).for_each(|(own, other)| *own = own.saturating_add(*other));
            }
        }
        if let Some((min, max)) = other.range {
            self.cover(min, max);
        }
    }

    /// Returns the buckets that hold any durations, ascending, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        let rows = self.rows.iter().enumerate().filter_map(|(at, row)| Some((at, row.as_ref()?)));
        let counts = rows.flat_map(|(at, row)| row.iter().enumerate().map(move |(step, n)| (at * ROW + step, *n)));
        counts.filter(|(_, n)| *n > 0)
    }

    /// Returns the percentiles `percents` by nearest rank, in ns, each as the middle of its bucket, or `None` if nothing
    /// was counted.
    pub fn percentiles<const N: usize>(&self, percents: [u64; N]) -> Option<[u64; N]> {
        let (min, max) = self.range?;
        let buckets = nearest_ranks(|| self.counts(), percents)?;
        Some(buckets.map(|bucket| S::middle(bucket).clamp(min, max)))
    }

    fn count(&mut self, bucket: usize, count: u64) {
        let counted = &mut self.row(bucket / ROW)[bucket % ROW];
        *counted = counted.saturating_add(count);
    }

    fn row(&mut self, index: usize) -> &mut [u64; ROW] {
        if self.rows.len() <= index {
            self.rows.resize(index + 1, None);
        }
        self.rows[index].get_or_insert_with(|| Box::new([0; ROW]))
    }

    fn cover(&mut self, min: u64, max: u64) {
        let (least, most) = self.range.unwrap_or((min, max));
        self.range = Some((least.min(min), most.max(max)));
    }
}

/// Returns the buckets in which `percents` of all counted durations lie, by nearest rank, or `None` if nothing was counted.
fn nearest_ranks<C, const N: usize>(counts: impl Fn() -> C, percents: [u64; N]) -> Option<[usize; N]>
where
    C: Iterator<Item = (usize, u64)>,
{
    let total: u128 = counts().map(|(_, n)| n as u128).sum();
    let (last, _) = counts().last()?;
    Some(percents.map(|percent| {
        let mut left = (total * percent as u128).div_ceil(100);
        let found = counts().find(|(_, n)| {
            let found = left <= *n as u128;
            left = left.saturating_sub(*n as u128);
            found
        });
        found.map_or(last, |(bucket, _)| bucket)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_percentile_is_small() {
        assert_eq!(Histogram::<Binary<8>>::default().percentiles([50]), None);
        let (mut all, mut other) = (Histogram::<Binary<8>>::default(), Histogram::default());
        for k in 1..=10_000u64 {
            if k % 3 == 0 { &mut all } else { &mut other }.record(k * k * 1_000);
        }
        all.merge(&other);
        let found = all.percentiles([50, 90, 99]).unwrap();
        for (found, k) in found.into_iter().zip([5_000.0, 9_000.0, 9_900.0]) {
            let exact: f64 = k * k * 1_000.0;
            assert!((found as f64 / exact - 1.0).abs() < 0.002, "{found} is not {exact}");
        }
    }

    #[test]
    fn the_percentiles_of_a_constant_are_exact() {
        let mut histogram = Histogram::<Binary<5>>::default();
        (0..9).for_each(|_| histogram.record(1_234_567));
        assert_eq!(histogram.percentiles([1, 50, 100]), Some([1_234_567; 3]));
    }

    #[test]
    fn counting_buckets_gives_the_same_as_counting_durations() {
        let (mut one, mut other) = (Histogram::<Decimal>::default(), Histogram::<Decimal>::default());
        for ns in [0, 1, 1_000, 1_000, u64::MAX] {
            one.record(ns);
            other.add(Decimal::bucket(ns), 1);
        }
        assert!(one.counts().eq(other.counts()));
        assert_eq!(other.percentiles([1]), Some([0]));
        assert_eq!(one.counts().map(|(_, n)| n).sum::<u64>(), 5);
    }
}
