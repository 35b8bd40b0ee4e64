//! Comparison of what arrived with what was sent: it finds what a pipeline lost, duplicated or changed.
//!
//! Every trace id of a run decrypts to the trace's index, and every trace can be generated again from its index. So nothing
//! of what was sent is kept except a few bits a span (`ledger`). For a span that arrives, its trace is regenerated
//! (`remake`), the span is marked in the ledger, and its fields are compared (`compare`). Spans that are still unmarked at
//! the end were lost.

mod allowance;
mod alterations;
mod census;
mod change;
mod compare;
mod extent;
mod fault;
mod growth;
mod judged;
mod judgement;
mod ledger;
mod otlp;
mod policy;
mod remake;
mod report;
mod request;
mod settle;
mod source;
mod tally;
mod verifier;

pub use allowance::Allowance;
pub use alterations::{AlteredField, Declared};
pub use census::Census;
pub use change::ChangeTally;
pub use compare::Difference;
pub use fault::Fault;
pub use growth::Outgrown;
pub use judged::{Judged, Sampled};
pub use policy::{Fate, Policy, PolicyReader, Sample};
pub use report::{Losses, Report, Stranger, Strangers, Traces, Verdict};
pub use source::{Source, SourceError};
pub use tally::{ScenarioTally, Tally};
pub use verifier::{Progress, Verifier};

/// How faithfully a source stores a span, and so what can be compared: a value that the source is known to round or flatten
/// is not reported as altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// OTLP, which keeps everything.
    Otlp,
    /// The tables of the collector's ClickHouse exporter, in which attributes are text and there are no flags and no
    /// dropped counts.
    ClickHouse,
    /// Jaeger's HTTP API, which has microseconds, and stores kind, status and scope as tags.
    Jaeger,
}

impl Fidelity {
    /// Returns the precision of times in nanoseconds.
    fn nanoseconds(self) -> u64 {
        match self {
            Fidelity::Otlp | Fidelity::ClickHouse => 1,
            Fidelity::Jaeger => 1_000,
        }
    }

    /// Returns names for what the source does not keep unchanged.
    pub fn not_compared(self) -> &'static [&'static str] {
        match self {
            Fidelity::Otlp => &[],
            Fidelity::ClickHouse => &[
                "types of attribute values",
                "flags",
                "dropped counts",
                "schema URLs",
                "entity references",
                "version and attributes of the scope",
                "messages of spans that did not fail",
            ],
            Fidelity::Jaeger => &[
                "times below a microsecond",
                "types of lists' values",
                "flags",
                "dropped counts",
                "schema URLs",
                "entity references",
                "attributes of the scope",
                "attributes and trace states of links",
                "names of events with an attribute `event`",
                "the attribute `@jaeger@warnings`",
            ],
        }
    }
}

#[cfg(test)]
mod tests;
