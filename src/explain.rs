//! What a plan's traces will be, before one is sent: shares, numbers of spans, failures, bytes and durations.
//!
//! Shares, spans and failures follow from the plan and are exact (`exact`); bytes and durations are those of a seeded sample
//! (`sample`), the traces that a run with that seed begins with. Where a scenario can't be followed
//! ([`Plan::expectation`]), the sample stands in for what is exact elsewhere, with an interval for each figure.

mod exact;
mod figure;
mod parts;
mod sample;

pub use figure::Figure;

use crate::histogram::{Binary, Histogram};
use crate::interpreter::Run;
use parts::Parts;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What to expect of a plan's traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// In the sample.
    pub traces: u64,
    /// All traces first, then scenarios, services, operations and edges, each with the largest share first.
    pub parts: Vec<Part>,
}

/// What is explained.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Total,
    Scenario {
        scenario: String,
    },
    Service {
        service: String,
    },
    Operation {
        service: String,
        /// The spans' name; where it is computed, its template.
        operation: String,
    },
    /// Calls from one service to another: the called spans.
    Edge {
        caller: String,
        callee: String,
    },
}

impl Subject {
    /// A part of all traces; else one of their spans.
    pub fn is_of_traces(&self) -> bool {
        matches!(self, Subject::Total | Subject::Scenario { .. })
    }
}

/// Some of the traces, or of their spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub subject: Subject,
    /// Of all traces, or of all spans, 0 to 1.
    pub share: Figure,
    /// Share of all traces that are of the part, or have such a span, 0 to 1.
    pub traces: Figure,
    /// In a trace of the part; of spans: in any trace.
    pub spans: Spans,
    /// Probability that a trace of the part fails, which is that any of its spans does; of spans: that such a span does.
    pub failed: Figure,
    /// The mean of the time that a span of the part spends itself, ns; `None`: of traces, or it depends on values.
    pub own: Option<f64>,
    /// Of a trace, or of a span, as OTLP protobuf, on average, resources aside; `None`: the sample has none.
    pub bytes: Option<f64>,
    /// Of traces, or of spans; `None`: the sample has none.
    pub durations: Option<Percentiles>,
}

/// Durations, counted: a percentile is off by at most 0.2 %.
type Durations = Histogram<Binary<8>>;

/// Percentiles of durations, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
}

/// How many there are in a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spans {
    /// The fewest, as the mean is known: exactly, or as far as the sample goes.
    pub min: u32,
    pub mean: Figure,
    /// The most.
    pub max: u32,
}

impl Part {
    /// Whether its shares, spans and failures follow from the plan.
    pub fn is_exact(&self) -> bool {
        [self.share, self.traces, self.spans.mean, self.failed].into_iter().all(Figure::is_exact)
    }

    /// How many of its traces, or of its spans, there are for each trace of the whole: what turns a rate of traces into its.
    pub fn frequency(&self) -> Figure {
        if self.subject.is_of_traces() { self.traces } else { self.spans.mean }
    }

    /// How many of its traces, or of its spans, fail for each trace of the whole.
    pub fn failure_frequency(&self) -> Figure {
        match self.frequency() {
            Figure::Exact(frequency) => self.failed.times(frequency),
            // The interval is that of the failures: the larger part, since they are fewer.
            frequency => frequency.value().map_or(Figure::Unknown, |frequency| self.failed.times(frequency)),
        }
    }

    /// Its spans for each trace of the whole.
    pub fn span_frequency(&self) -> Figure {
        match self.traces {
            Figure::Exact(traces) if self.subject.is_of_traces() => self.spans.mean.times(traces),
            _ => self.spans.mean,
        }
    }
}

/// What to expect of a run, by its plan and by its first `samples` traces, which are made on so many threads; their number
/// changes no figure. Without samples only what is exact is known. `progress` is told now and then, on any thread, how many
/// more traces have been made.
pub fn explain(run: &Arc<Run>, samples: u64, threads: NonZeroUsize, progress: &(dyn Fn(u64) + Sync)) -> Explanation {
    let plan = run.plan();
    let parts = Parts::of(plan);
    let exact = exact::figures(plan, &parts);
    let seen = sample::take(run, &parts, samples, threads, progress);
    let rows = parts.subjects.iter().zip(exact).zip(&seen);
    let all = &seen[parts::TOTAL];
    let mut explained: Vec<Part> = rows
        .map(|((subject, exact), seen)| {
            let Figures { mut share, traces, spans, failed, own } =
                exact.unwrap_or_else(|share| seen.figures(share, all));
            if share == Figure::Unknown {
                share = seen.figures(None, all).share;
            }
            let units = if subject.is_of_traces() { seen.traces } else { seen.spans };
            let durations =
                seen.durations.percentiles([50, 90, 99]).map(|[p50, p90, p99]| Percentiles { p50, p90, p99 });
            let bytes = (units > 0).then(|| seen.bytes as f64 / units as f64);
            Part { subject: subject.clone(), share, traces, spans, failed, own, bytes, durations }
        })
        .collect();
    let key = |part: &Part| part.share.value().unwrap_or(0.0);
    explained.sort_by(|a, b| parts::rank(&a.subject).cmp(&parts::rank(&b.subject)).then(key(b).total_cmp(&key(a))));
    Explanation { traces: samples, parts: explained }
}

/// The figures of a part that can be exact.
struct Figures {
    share: Figure,
    traces: Figure,
    spans: Spans,
    failed: Figure,
    own: Option<f64>,
}

#[cfg(test)]
mod tests;
