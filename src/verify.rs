//! What arrived, held against what was sent: what a pipeline lost, doubled or changed.
//!
//! Every trace id of a run decrypts to its index, and every index replays: nothing of what was sent is kept but a few bits a
//! span (`ledger`). A span that arrives is found in its trace made again (`remake`), marked, and compared field by field
//! (`compare`); what is left unmarked at the end was lost.

mod allowance;
mod alterations;
mod census;
mod compare;
mod extent;
mod fault;
mod growth;
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
pub use alterations::AlteredField;
pub use census::Census;
pub use compare::Difference;
pub use fault::Fault;
pub use growth::Outgrown;
pub use policy::{Policy, Sample};
pub use report::{Losses, Report, Sampled, Stranger, Strangers, Traces, Verdict};
pub use source::{Source, SourceError};
pub use tally::{ScenarioTally, Tally};
pub use verifier::{Progress, Verifier};

/// What a source keeps of a span, and so what is compared: what it is known to round or flatten is no alteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// OTLP: everything.
    Otlp,
    /// The tables that the collector's ClickHouse exporter writes: attributes as text; no flags, no dropped counts.
    ClickHouse,
    /// Jaeger's HTTP API: microseconds; kind, status and scope as tags of its own.
    Jaeger,
}

impl Fidelity {
    /// What times are cut to, ns.
    fn nanoseconds(self) -> u64 {
        match self {
            Fidelity::Otlp | Fidelity::ClickHouse => 1,
            Fidelity::Jaeger => 1_000,
        }
    }

    /// What it does not keep as it was, in words.
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
            ],
        }
    }
}

#[cfg(test)]
mod tests;
