//! What it came to.

use super::policy::{Fault, Policy, Sample};
use super::tally::{ScenarioTally, Tally};
use crate::export::Percentiles;
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
    /// By the number of spans in which they are altered.
    pub fields: Vec<AlteredField>,
    /// `None`: no policy samples.
    pub sampled: Option<Sampled>,
    /// From a span's end to its arrival, ns; `None`: the source doesn't know.
    #[serde(serialize_with = "percentiles")]
    pub late: Option<Percentiles>,
    pub scenarios: BTreeMap<String, ScenarioTally>,
    pub services: BTreeMap<String, Tally>,
    pub policy: Policy,
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
    /// It falls short.
    Short { of: Vec<Fault> },
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
    /// With a trace id of the run's, but never sent: no such index or no such span, or not ended when it was stopped.
    pub never_sent: Stranger,
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
    pub fn spans(&self) -> u64 {
        self.foreign.spans + self.other_runs.spans + self.never_sent.spans
    }
}

/// A field that is not as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlteredField {
    pub field: String,
    pub spans: u64,
    /// Of the first such span.
    pub expected: String,
    pub found: String,
    pub trace_id: String,
    pub span_id: String,
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

impl Report {
    /// Judge it, as all is known. `seen`: arrivals of any span; `sure`: what was to arrive is known to the ns, and so what
    /// differs does.
    pub(super) fn judged(mut self, seen: u64, sure: bool) -> Report {
        let mut because = self.unknown.clone();
        if seen == 0 && self.expected > 0 {
            because.push("the source has no spans at all".into());
        }
        let (missing, present): (Vec<Fault>, Vec<Fault>) = self
            .policy
            .faults(&self)
            .into_iter()
            .partition(|fault| matches!(fault, Fault::Lost | Fault::Orphaned | Fault::Sample));
        if !self.damage.is_empty() && !missing.is_empty() {
            because.push("what is missing may be in what could not be read".into());
        }
        // What is there and wrong is so, whatever else there may be.
        self.verdict = match (present.is_empty() || !sure, because.is_empty()) {
            (true, true) if missing.is_empty() => Verdict::Clean,
            (true, false) => Verdict::Unchecked { because },
            (false, false) => Verdict::Short { of: present },
            (_, true) => Verdict::Short { of: [missing, present].concat() },
        };
        self
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
