//! Figures over many traces.

use std::collections::BTreeMap;

/// The maximum number of names in an answer.
pub const MOST_NAMES: usize = 1_000;
/// The maximum number of links to a trace in an answer.
pub const MOST_BACKLINKS: usize = 50;
/// The maximum number of spans in the shape of a trace.
pub const MOST_SHAPE: usize = 40;
/// The maximum number of buckets of a series. A range is cut into the finest of 1 s, 10 s, 1 min, 10 min, 1 h, 6 h, 1 d
/// that needs no more buckets, or else into multiples of a day.
pub const MOST_BUCKETS: usize = 90;

/// A second in ns.
pub const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
const STEPS: [u64; 7] = [SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, 60 * MINUTE, 360 * MINUTE, DAY];

/// A range of time, cut into buckets. The first bucket begins at a multiple of the step, so it may begin before the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// The start of the first bucket in ns since 1970.
    pub from: u64,
    /// The length of a bucket in ns.
    pub step: u64,
    pub count: usize,
}

impl Buckets {
    /// Cuts `from..until`, in ns since 1970, into steps of at least `finest` ns.
    pub fn cut(from: u64, until: u64, finest: u64) -> Buckets {
        let days = until.saturating_sub(from) / (MOST_BUCKETS as u64 - 1) / DAY + 1;
        let steps = STEPS.into_iter().filter(|step| *step >= finest).chain([days * DAY]);
        let cut = |step: u64| {
            let begin = from / step * step;
            Buckets { from: begin, step, count: until.saturating_sub(begin).div_ceil(step) as usize }
        };
        steps.map(cut).find(|buckets| buckets.count <= MOST_BUCKETS).unwrap_or(cut(days * DAY))
    }

    /// Returns the index of the bucket that contains a time, if there is one.
    pub fn index(&self, time: u64) -> Option<usize> {
        let at = (time.checked_sub(self.from)? / self.step) as usize;
        (at < self.count).then_some(at)
    }

    /// Returns the total and the number of failures for each bucket. Both are given as pairs of a bucket's index and a
    /// count; those outside of all buckets are dropped.
    pub fn series(&self, all: &[(u64, u64)], failed: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let mut series = vec![(0, 0); self.count];
        for (bucket, n) in all {
            if let Some(counts) = series.get_mut(*bucket as usize) {
                counts.0 += n;
            }
        }
        for (bucket, n) in failed {
            if let Some(counts) = series.get_mut(*bucket as usize) {
                counts.1 += n;
            }
        }
        series
    }
}

/// Figures of the traces that match a query, over time and by duration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// The number of traces.
    pub traces: u64,
    /// The number of traces with a failed span.
    pub errors: u64,
    pub arrivals: Arrivals,
    pub durations: DurationBins,
    /// The percentiles of the root spans' durations.
    pub percentiles: Option<Percentiles>,
    /// The figures cover only kept traces. Otherwise they were counted on arrival and include traces that are no longer
    /// kept, which is possible if the query has no condition other than a time range.
    pub kept_only: bool,
    /// The time in ns since 1970 from which on traces are counted, if there is too much to read at once; `None` if all are
    /// counted.
    pub counted_from: Option<u64>,
}

/// The numbers of traces by the start of their roots. An open end of the range is replaced by the first or the last trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// The start of the first bucket in ns since 1970.
    pub from: u64,
    /// The length of a bucket in ns.
    pub step: u64,
    /// The numbers of traces and of those with errors, for at most [`MOST_BUCKETS`] buckets.
    pub buckets: Vec<(u64, u64)>,
}

/// A histogram on a logarithmic axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationBins {
    /// The non-empty bins in order. Bin k holds the durations from 10^(k / 16) up to 10^((k + 1) / 16) ns.
    pub bins: Vec<(u16, u64)>,
}

impl DurationBins {
    pub const PER_DECADE: f64 = 16.0;

    /// Returns the bin of a duration in ns.
    pub fn bin(duration: u64) -> u16 {
        ((duration.max(1) as f64).log10() * Self::PER_DECADE) as u16
    }

    /// Makes a histogram of durations in ns.
    pub fn of(durations: impl IntoIterator<Item = u64>) -> DurationBins {
        let mut bins = BTreeMap::new();
        for duration in durations {
            *bins.entry(Self::bin(duration)).or_default() += 1;
        }
        DurationBins { bins: bins.into_iter().collect() }
    }

    /// Returns the beginning of a bin in ns.
    pub fn begin(bin: u16) -> f64 {
        10f64.powf(bin as f64 / Self::PER_DECADE)
    }
}

/// Percentiles of durations in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

impl Percentiles {
    /// Returns the percentiles by nearest rank, or `None` without durations.
    pub fn of(durations: &mut [u64]) -> Option<Percentiles> {
        let len = durations.len();
        let mut at = |percent: usize| *durations.select_nth_unstable((len * percent).div_ceil(100) - 1).1;
        (len > 0).then(|| Percentiles { p50: at(50), p95: at(95), p99: at(99) })
    }
}

/// Figures of services in a time range. Each span is counted by its own start. Open ends of the range are treated as in
/// [`Arrivals`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServicesReport {
    /// The start of the first bucket of every series, in ns since 1970.
    pub from: u64,
    /// The length of a bucket in ns.
    pub step: u64,
    /// The time that the figures cover, in ns: the part of the range between the first span and now.
    pub covered: u64,
    /// The services by descending number of spans.
    pub services: Vec<ServiceReport>,
    pub edges: Vec<Edge>,
    /// The sampling of edges: they are counted in at least one of so many traces and scaled up; 1 means in all traces.
    pub edges_sampled: u32,
    /// The time in ns since 1970 from which on spans are counted, if there is too much to read at once; `None` if all are
    /// counted.
    pub counted_from: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceReport {
    pub name: String,
    pub figures: Figures,
    /// The operations by descending number of spans.
    pub operations: Vec<OperationReport>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationReport {
    pub name: String,
    pub figures: Figures,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub spans: u64,
    /// The number of spans that failed.
    pub errors: u64,
    /// The percentiles of the spans' durations, which include calls.
    pub percentiles: Percentiles,
    /// The number of spans and of failed ones in each bucket.
    pub series: Vec<(u64, u64)>,
}

/// The calls from one service to another: spans whose parent belongs to another service. Messages are separate edges: their
/// span is a CONSUMER, or links to a span of the other service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub calls: u64,
    /// The number of calls that failed.
    pub errors: u64,
    /// The edge consists of messages.
    pub asynchronous: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_into_the_finest_step_that_needs_no_more_than_ninety() {
        for (seconds, step, count) in
            [(1, 1, 1), (90, 1, 90), (91, 10, 10), (900, 10, 90), (901, 60, 16), (5_401, 600, 10), (86_400, 3_600, 24)]
        {
            let buckets = Buckets::cut(0, seconds * SECOND, SECOND);
            assert_eq!(buckets, Buckets { from: 0, step: step * SECOND, count }, "{seconds} s");
        }
        assert_eq!(Buckets::cut(0, 10 * SECOND, 10 * SECOND).step, 10 * SECOND);
        let odd = Buckets::cut(7 * SECOND, 907 * SECOND, SECOND);
        assert_eq!((odd.from, odd.step, odd.count), (0, 60 * SECOND, 16), "from a whole minute on");
        for days in [89, 90, 91, 180, 5_000, 200_000] {
            for offset in [0, SECOND, DAY - 1] {
                let buckets = Buckets::cut(offset, offset + days * DAY, SECOND);
                assert!(buckets.count <= MOST_BUCKETS, "{days} days: {buckets:?}");
                assert!(buckets.index(offset).is_some() && buckets.index(offset + days * DAY - 1).is_some());
            }
        }
        assert_eq!(Buckets::cut(5, 5, SECOND).index(5), Some(0));
        assert_eq!(Buckets::cut(u64::MAX - 1, u64::MAX, SECOND).count, 1);
        assert_eq!(Buckets::cut(9 * SECOND, 0, SECOND).count, 0);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        assert_eq!(Percentiles::of(&mut []), None);
        assert_eq!(Percentiles::of(&mut [7]), Some(Percentiles { p50: 7, p95: 7, p99: 7 }));
        let mut hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(Percentiles::of(&mut hundred), Some(Percentiles { p50: 50, p95: 95, p99: 99 }));
        assert_eq!(Percentiles::of(&mut [1, 2]), Some(Percentiles { p50: 1, p95: 2, p99: 2 }));
    }

    #[test]
    fn a_duration_lies_in_its_bin() {
        for duration in [0, 1, 9, 10, 11, 999, 1_000, 123_456_789, u64::MAX] {
            let bin = DurationBins::bin(duration);
            let duration = duration.max(1) as f64;
            assert!(DurationBins::begin(bin) <= duration * (1.0 + 1e-12), "{duration}");
            assert!(duration < DurationBins::begin(bin + 1) * (1.0 + 1e-12), "{duration}");
        }
    }
}
