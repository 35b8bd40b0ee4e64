//! What arrived, held against what was sent: what a pipeline lost, doubled or changed.
//!
//! Every trace id of a run decrypts to its index, and every index replays: nothing of what was sent is kept but a few bits a
//! span. A span that arrives is found in its trace made again, marked, and compared field by field; what is left unmarked
//! at the end was lost.

mod census;
mod source;
mod verifier;

pub use census::Census;
pub use source::{Source, SourceError};
pub use verifier::Verifier;

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
