//! Statistics of a plan's traces, before one is sent: shares, numbers of spans, failures, bytes and durations.
//!
//! Shares, spans and failures follow from the plan and are exact (`exact`). Bytes and durations are those of a seeded
//! sample (`sample`), which consists of the first traces of a run with that seed, before they are malformed. If a scenario can't be analysed
//! ([`Plan::expectation`]), its figures also come from the sample, each with an interval.

mod cause;
mod exact;
mod figure;
mod held;
mod impact;
mod parts;
mod rates;
mod sample;
mod timeline;

pub use cause::{Cause, Effect, causes};
pub use figure::Figure;
pub use held::{Held, held};
pub use impact::{Impact, Signal, Touched, impacts};
pub use rates::Rates;
pub use timeline::{Question, Step, Timeline, timeline};

use crate::histogram::{Binary, Histogram};
use crate::interpreter::Run;
use exact::Expected;
use parts::Parts;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The statistics of a plan's traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The number of traces in the sample.
    pub traces: u64,
    /// The duration of the longest trace in the sample, in ns.
    pub longest: u64,
    /// All traces first, then scenarios, services, operations and edges, each with the largest share first.
    pub parts: Vec<Part>,
}

/// The subject of a part.
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
        /// The spans' name, or its template if it is computed.
        operation: String,
    },
    /// The calls from one service to another, which are counted by the called spans.
    Edge {
        caller: String,
        callee: String,
    },
}

impl Subject {
    /// Reports whether the subject is a set of traces; otherwise it is a set of spans.
    pub fn is_of_traces(&self) -> bool {
        matches!(self, Subject::Total | Subject::Scenario { .. })
    }
}

/// The statistics of some of the traces, or of some of their spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub subject: Subject,
    /// The share of all traces, or of all spans, 0 to 1.
    pub share: Figure,
    /// The share of all traces that belong to the part, or contain such a span, 0 to 1.
    pub traces: Figure,
    /// The number of spans in a trace of the part; for a part of spans, in any trace.
    pub spans: Spans,
    /// The probability that a trace of the part fails, which is that any of its spans fails; for a part of spans, that such
    /// a span fails.
    pub failed: Figure,
    /// The mean own time of a span of the part in ns; `None` for traces, or if it depends on values.
    pub own: Option<f64>,
    /// The mean size of a trace or a span in OTLP protobuf, without resources; `None` if the sample has none.
    pub bytes: Option<f64>,
    /// The durations of the traces or spans; `None` if the sample has none.
    pub durations: Option<Percentiles>,
}

/// A histogram of durations whose percentiles are off by at most 0.2 %.
type Durations = Histogram<Binary<8>>;

/// Percentiles of durations in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p95: u64,
    pub p99: u64,
}

/// The number of spans in a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spans {
    /// The minimum. It is exact if the mean is; otherwise it is that of the sample.
    pub min: u32,
    pub mean: Figure,
    /// The maximum.
    pub max: u32,
}

impl Part {
    /// Reports whether the part's shares, spans and failures follow from the plan.
    pub fn is_exact(&self) -> bool {
        [self.share, self.traces, self.spans.mean, self.failed].into_iter().all(Figure::is_exact)
    }

    /// Returns the number of the part's traces or spans for each trace, which converts a rate of traces to the part's rate.
    pub fn frequency(&self) -> Figure {
        if self.subject.is_of_traces() { self.traces } else { self.spans.mean }
    }

    /// Returns the number of the part's traces or spans that fail, for each trace.
    pub fn failure_frequency(&self) -> Figure {
        match self.frequency() {
            Figure::Exact(frequency) => self.failed.times(frequency),
            // The interval is that of the failures, which is the larger one because there are fewer of them.
            frequency => frequency.value().map_or(Figure::Unknown, |frequency| self.failed.times(frequency)),
        }
    }

    /// Returns the number of the part's spans for each trace.
    pub fn span_frequency(&self) -> Figure {
        match self.traces {
            Figure::Exact(traces) if self.subject.is_of_traces() => self.spans.mean.times(traces),
            _ => self.spans.mean,
        }
    }
}

/// Explains a run by its plan and its first `samples` traces, which are generated on `threads` threads; the number of
/// threads does not affect the figures. Without samples, only the exact figures are known. The incidents that are in force
/// at the start of the run must be in force at all times ([`Run::under`]). `progress` is called now and then, on any
/// thread, with the number of further traces that have been generated.
pub fn explain(run: &Arc<Run>, samples: u64, threads: NonZeroUsize, progress: &(dyn Fn(u64) + Sync)) -> Explanation {
    let plan = run.plan();
    let parts = Parts::of(plan);
    let rates = match plan.load.is_empty() {
        true => plan.scenarios.iter().map(|scenario| scenario.weight).collect(),
        false => run.schedule().epochs()[0].mean_rates(plan),
    };
    let exact = Expected::new(plan, &run.in_force(run.beginning().start), &parts).figures(plan, &rates, &parts);
    let seen = sample::take(run, &parts, samples, threads, None, progress);
    Explanation::of(&parts, Some(exact), &seen, samples)
}

impl Explanation {
    /// Makes the explanation from the counts of `samples` traces, and from the exact figures as far as they are known.
    fn of(parts: &Parts, exact: Option<Vec<exact::Known>>, seen: &[sample::Seen], samples: u64) -> Explanation {
        let all = &seen[parts::TOTAL];
        let of_traces = |subject: &Subject, seen: &sample::Seen| {
            let share = seen.traces as f64 / all.traces.max(1) as f64;
            subject.is_of_traces().then_some(share)
        };
        let exact = exact.unwrap_or_else(|| {
            let rows = parts.subjects.iter().zip(seen);
            rows.map(|(subject, seen)| Err(of_traces(subject, seen))).collect()
        });
        let rows = parts.subjects.iter().zip(exact).zip(seen);
        let mut explained: Vec<Part> = rows
            .map(|((subject, exact), seen)| {
                let Figures { mut share, traces, spans, failed, own } =
                    exact.unwrap_or_else(|share| seen.figures(share, all));
                if share == Figure::Unknown {
                    share = seen.figures(None, all).share;
                }
                let units = if subject.is_of_traces() { seen.traces } else { seen.spans };
                let durations = seen.durations.percentiles([50, 90, 95, 99]);
                let durations = durations.map(|[p50, p90, p95, p99]| Percentiles { p50, p90, p95, p99 });
                let bytes = (units > 0).then(|| seen.bytes as f64 / units as f64);
                Part { subject: subject.clone(), share, traces, spans, failed, own, bytes, durations }
            })
            .collect();
        let key = |part: &Part| part.share.value().unwrap_or(0.0);
        explained.sort_by(|a, b| parts::rank(&a.subject).cmp(&parts::rank(&b.subject)).then(key(b).total_cmp(&key(a))));
        let longest = all.durations.percentiles([100]).map_or(0, |[longest]| longest);
        Explanation { traces: samples, longest, parts: explained }
    }
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
