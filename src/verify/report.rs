//! What it came to.

use super::allowance::Allowance;
use super::alterations::AlteredField;
use super::fault::Fault;
use super::policy::{Policy, Sample};
use super::tally::{ScenarioTally, Tally};
use crate::histogram::Percentiles;
use serde::Serialize;
use std::collections::BTreeMap;

/// Counts are of spans unless they say otherwise. Expected are those delivered, lost and sampled out; duplicated, altered and
/// orphaned ones are among the delivered.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub verdict: Verdict,
    pub expected: u64,
    pub delivered: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub altered: u64,
    /// Of the altered, those with a change that the policy does not allow.
    pub altered_not_allowed: u64,
    /// Spans in traces of the run, which never sent such spans.
    pub invented: u64,
    pub orphaned: u64,
    /// Not of this run; `None`: the source can't be asked for them.
    pub unexpected: Option<u64>,
    /// Of traces that a policy lets go.
    pub sampled_out: u64,
    pub traces: Traces,
    /// Arrivals of spans that had arrived before.
    pub copies: u64,
    /// `None`: nothing is lost.
    pub losses: Option<Losses>,
    pub strangers: Strangers,
    /// Those that may not be altered first, each kind by the number of spans in which they are.
    pub fields: Vec<AlteredField>,
    /// `None`: no policy samples.
    pub sampled: Option<Sampled>,
    /// From a span's end to its arrival, ns; `None`: the source doesn't know.
    #[serde(serialize_with = "percentiles")]
    pub late: Option<Percentiles>,
    pub scenarios: BTreeMap<String, ScenarioTally>,
    pub services: BTreeMap<String, Tally>,
    pub policy: Policy,
    /// What the policy allows, and there was nothing of it.
    pub unused_allowances: Vec<Allowance>,
    /// Fields that the source is known not to keep as they were.
    pub not_compared: &'static [&'static str],
    /// What of the source could not be read, with its place.
    pub damage: Vec<String>,
    /// Why what is missing can't be told lost.
    pub unknown: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is lost, doubled or changed, or what is was allowed.
    Clean,
    /// It falls short; what could not be checked beside that is told.
    Short {
        of: Vec<Fault>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unchecked: Vec<String>,
    },
    /// It could not be checked.
    Unchecked { because: Vec<String> },
}

/// Of traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traces {
    pub expected: u64,
    /// All their spans have arrived.
    pub whole: u64,
    /// Some have.
    pub partly: u64,
    pub lost: u64,
    pub sampled_out: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Traces with a span that is lost, and those that are lost whole.
    pub traces: u64,
    pub whole_traces: u64,
    /// First and last start of a lost span, ns since 1970.
    pub first_start: u64,
    pub last_start: u64,
    /// The first such trace by index.
    pub first_index: u64,
    pub first_trace: String,
}

/// What is not of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strangers {
    /// Not made with the run's seed.
    pub foreign: Stranger,
    /// Of another run with the seed.
    pub other_runs: Stranger,
    /// With a trace id of the run's, which has not sent that trace: it has no such index, or it had not ended at the stop.
    pub never_sent: Stranger,
    /// In a trace that the run has sent, which had no such span: somebody on the way has made it.
    pub invented: Stranger,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stranger {
    pub spans: u64,
    /// The first ones, as TRACE_ID/SPAN_ID.
    pub examples: Vec<String>,
}

/// Examples kept.
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
    /// All that are in traces of others.
    pub fn unexpected(&self) -> u64 {
        self.foreign.spans + self.other_runs.spans + self.never_sent.spans
    }
}

/// Of the traces that need not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampled {
    pub traces: u64,
    pub arrived: u64,
    /// What was to arrive; `None`: any number may.
    pub expected: Option<Sample>,
    pub holds: bool,
}

impl Verdict {
    /// Why some of it could not be checked.
    pub fn unchecked(&self) -> &[String] {
        match self {
            Verdict::Clean => &[],
            Verdict::Short { unchecked, .. } => unchecked,
            Verdict::Unchecked { because } => because,
        }
    }

    pub fn faults(&self) -> &[Fault] {
        match self {
            Verdict::Short { of, .. } => of,
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
