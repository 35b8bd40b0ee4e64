//! Figures over many traces.

use std::collections::BTreeMap;

/// Limits of what is answered at once.
pub const MOST_NAMES: usize = 1_000;
pub const MOST_BACKLINKS: usize = 50;
pub const MOST_SHAPE: usize = 40;
/// Buckets of a series; a range is cut into the finest of 1 s, 10 s, 1 min, 10 min, 1 h, 6 h, 1 d that needs no more, else
/// into whole days.
pub const MOST_BUCKETS: usize = 90;

/// ns.
pub const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
const STEPS: [u64; 7] = [SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, 60 * MINUTE, 360 * MINUTE, DAY];

/// A range cut into buckets. The first begins at a multiple of the step, so it may begin before the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// Start of the first, ns since 1970.
    pub from: u64,
    /// Length of each, ns.
    pub step: u64,
    pub count: usize,
}

impl Buckets {
    /// `from..until`, ns since 1970, in steps of at least `finest` ns.
    pub fn cut(from: u64, until: u64, finest: u64) -> Buckets {
        let days = until.saturating_sub(from) / (MOST_BUCKETS as u64 - 1) / DAY + 1;
        let steps = STEPS.into_iter().filter(|step| *step >= finest).chain([days * DAY]);
        let cut = |step: u64| {
            let begin = from / step * step;
            Buckets { from: begin, step, count: until.saturating_sub(begin).div_ceil(step) as usize }
        };
        steps.map(cut).find(|buckets| buckets.count <= MOST_BUCKETS).unwrap_or(cut(days * DAY))
    }

    /// The bucket that holds a time, if any does.
    pub fn index(&self, time: u64) -> Option<usize> {
        let at = (time.checked_sub(self.from)? / self.step) as usize;
        (at < self.count).then_some(at)
    }

    /// Returns for each bucket how many there are in all and how many failed, given as pairs of a bucket and a count; what lies
    /// in none of the buckets is left out.
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

/// Traces that match a query, over time and by duration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// How many.
    pub traces: u64,
    /// Of those, with any failed span.
    pub errors: u64,
    pub arrivals: Arrivals,
    pub durations: DurationBins,
    /// Of the root spans.
    pub percentiles: Option<Percentiles>,
    /// `false`: counted as they came, also those that are no longer kept (possible where the query asks for a time range
    /// and nothing else). `true`: only what is kept.
    pub kept_only: bool,
    /// ns since 1970, where only what began since then is counted: there is too much to read at once.
    pub counted_from: Option<u64>,
}

/// Traces by the start of their roots. A range that has no end on one side ends with the first or the last of them there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// Start of the first bucket, ns since 1970.
    pub from: u64,
    /// Length of a bucket, ns.
    pub step: u64,
    /// Traces, and those with errors. No more than [`MOST_BUCKETS`].
    pub buckets: Vec<(u64, u64)>,
}

/// A histogram on a logarithmic axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationBins {
    /// Bin k holds the durations from 10^(k / 16) up to 10^((k + 1) / 16) ns; sorted, only those that hold any.
    pub bins: Vec<(u16, u64)>,
}

impl DurationBins {
    pub const PER_DECADE: f64 = 16.0;

    /// The bin of a duration in ns.
    pub fn bin(duration: u64) -> u16 {
        ((duration.max(1) as f64).log10() * Self::PER_DECADE) as u16
    }

    /// Of durations in ns.
    pub fn of(durations: impl IntoIterator<Item = u64>) -> DurationBins {
        let mut bins = BTreeMap::new();
        for duration in durations {
            *bins.entry(Self::bin(duration)).or_default() += 1;
        }
        DurationBins { bins: bins.into_iter().collect() }
    }

    /// Where a bin begins, ns.
    pub fn begin(bin: u16) -> f64 {
        10f64.powf(bin as f64 / Self::PER_DECADE)
    }
}

/// ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

impl Percentiles {
    /// By nearest rank; `None` of none.
    pub fn of(durations: &mut [u64]) -> Option<Percentiles> {
        let len = durations.len();
        let mut at = |percent: usize| *durations.select_nth_unstable((len * percent).div_ceil(100) - 1).1;
        (len > 0).then(|| Percentiles { p50: at(50), p95: at(95), p99: at(99) })
    }
}

/// Services in a time range, each span by its own start; the range's open ends are as those of [`Arrivals`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServicesReport {
    /// Start of the first bucket of every series, ns since 1970.
    pub from: u64,
    /// Length of a bucket, ns.
    pub step: u64,
    /// ns that the figures are over: what of the range lies between the first span and now.
    pub covered: u64,
    /// By number of spans, most first.
    pub services: Vec<ServiceReport>,
    pub edges: Vec<Edge>,
    /// Edges are counted in one of so many traces, or of fewer, and scaled up; 1: in all.
    pub edges_sampled: u32,
    /// ns since 1970, where only what began since then is counted: there is too much to read at once.
    pub counted_from: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceReport {
    pub name: String,
    pub figures: Figures,
    /// By number of spans, most first.
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
    /// Spans that failed.
    pub errors: u64,
    /// Of spans, calls included.
    pub percentiles: Percentiles,
    /// Spans and failed ones.
    pub series: Vec<(u64, u64)>,
}

/// Calls from one service to another: spans whose parent is of another service; and messages, where the span is a CONSUMER
/// or links to a span of the other service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub calls: u64,
    /// Of those, failed.
    pub errors: u64,
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
