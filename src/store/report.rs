//! Figures over many traces.

/// Limits of what is answered at once.
pub const MOST_NAMES: usize = 1_000;
pub const MOST_BACKLINKS: usize = 50;
pub const MOST_SHAPE: usize = 40;
/// Buckets of a series; a range is cut into the finest of 1 s, 10 s, 1 min, 10 min, 1 h, 6 h, 1 d that needs no more.
pub const MOST_BUCKETS: usize = 90;

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
}

/// Traces by the start of their roots.
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

/// Services in a time range.
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
    /// Edges are counted in one of so many traces and scaled up; 1: in all.
    pub edges_sampled: u32,
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
