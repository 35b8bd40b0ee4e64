//! The result of a verification.

use super::allowance::Allowance;
use super::alterations::AlteredField;
use super::change::ChangeTally;
use super::fault::Fault;
use super::judged::{Judged, Sampled};
use super::policy::Policy;
use super::tally::{ScenarioTally, Tally};
use crate::histogram::Percentiles;
use serde::Serialize;
use std::collections::BTreeMap;

/// The result of a verification. Counts are numbers of spans unless their description says otherwise. `expected` is the sum
/// of `delivered`, `lost` and `sampled_out`; duplicated, altered, leaked and orphaned spans are among the delivered ones.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub verdict: Verdict,
    pub expected: u64,
    pub delivered: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub altered: u64,
    /// The altered spans with a change that the policy does not permit.
    pub altered_not_allowed: u64,
    /// Spans in traces of the run that were not among the spans sent.
    pub invented: u64,
    /// Delivered spans that the policy says are dropped.
    pub leaked: u64,
    /// Delivered spans whose parent is lost.
    pub orphaned: u64,
    /// Spans that do not belong to the run; `None` if the source cannot be asked for them.
    pub unexpected: Option<u64>,
    /// Spans that did not arrive, of traces that the policy does not require, or says are dropped.
    pub sampled_out: u64,
    pub traces: Traces,
    /// The number of times that a span arrived which had arrived before.
    pub copies: u64,
    /// The losses; `None` if nothing is lost.
    pub losses: Option<Losses>,
    pub strangers: Strangers,
    /// The altered fields, those that may not be altered first, then by descending number of spans.
    pub fields: Vec<AlteredField>,
    /// The declared changes, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeTally>,
    /// The sample; `None` if the policy does not sample.
    pub sampled: Option<Sampled>,
    /// The rules of the policy for traces, in their order, with what became of the traces.
    pub rules: Vec<Judged>,
    /// The distribution of the time from a span's end to its arrival, in ns; `None` if the source does not know it.
    #[serde(serialize_with = "percentiles")]
    pub late: Option<Percentiles>,
    pub scenarios: BTreeMap<String, ScenarioTally>,
    pub services: BTreeMap<String, Tally>,
    pub policy: Policy,
    /// The allowances of the policy that matched nothing.
    pub unused_allowances: Vec<Allowance>,
    /// Fields that the source is known not to keep unchanged.
    pub not_compared: &'static [&'static str],
    /// The parts of the source that could not be read, with their places.
    pub damage: Vec<String>,
    /// The reasons why missing spans cannot be counted as lost.
    pub unknown: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is lost, duplicated or changed, except for what the policy permits.
    Clean,
    /// Faults were found. What could not be checked besides is listed.
    Short {
        #[serde(rename = "of")]
        faults: Vec<Fault>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unchecked: Vec<String>,
    },
    /// The run could not be checked.
    Unchecked { because: Vec<String> },
}

/// Counts of traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traces {
    pub expected: u64,
    /// Traces of which all spans have arrived.
    pub whole: u64,
    /// Traces of which some spans have arrived.
    pub partly: u64,
    pub lost: u64,
    pub sampled_out: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Traces that have lost a span.
    pub traces: u64,
    /// Traces that have lost all spans.
    pub whole_traces: u64,
    /// Traces with a failed span that have lost a span.
    pub failed_traces: u64,
    /// The first start of a lost span, in ns since 1970.
    pub first_start: u64,
    /// The last start of a lost span, in ns since 1970.
    pub last_start: u64,
    /// The smallest index of a trace that has lost a span.
    pub first_index: u64,
    /// The id of that trace.
    pub first_trace: String,
}

/// Spans that arrived but were not sent by the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strangers {
    /// Spans whose trace id was not made with the run's seed.
    pub foreign: Stranger,
    /// Spans of another run with the same seed.
    pub other_runs: Stranger,
    /// Spans of other runs that were given beside this one. They are expected, and verified with their own run.
    pub companions: Stranger,
    /// Spans whose trace id is one of the run, but whose trace was not sent: the run has no such index, or the trace had
    /// not ended when the run was stopped.
    pub never_sent: Stranger,
    /// Spans in a trace that the run has sent, but without such a span: something on the way has made them.
    pub invented: Stranger,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stranger {
    pub spans: u64,
    /// The first such spans, as TRACE_ID/SPAN_ID.
    pub examples: Vec<String>,
}

/// The maximum number of examples that are kept.
const EXAMPLES: usize = 3;

impl Stranger {
    pub(super) fn add(&mut self, trace: u128, span: u64) {
        self.spans += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{trace:032x}/{span:016x}"));
        }
    }
}

impl Strangers {
    /// Returns the number of spans whose traces the run has not sent.
    pub fn unexpected(&self) -> u64 {
        self.foreign.spans + self.other_runs.spans + self.never_sent.spans
    }
}

impl Verdict {
    /// Returns the reasons why some of the run could not be checked.
    pub fn unchecked(&self) -> &[String] {
        match self {
            Verdict::Clean => &[],
            Verdict::Short { unchecked, .. } => unchecked,
            Verdict::Unchecked { because } => because,
        }
    }

    pub fn faults(&self) -> &[Fault] {
        match self {
            Verdict::Short { faults, .. } => faults,
            Verdict::Clean | Verdict::Unchecked { .. } => &[],
        }
    }
}

fn percentiles<S: serde::Serializer>(late: &Option<Percentiles>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Late {
        p50_ns: u64,
        p99_ns: u64,
        max_ns: u64,
    }
    late.map(|Percentiles { p50, p99, max, .. }| Late { p50_ns: p50, p99_ns: p99, max_ns: max }).serialize(to)
}
