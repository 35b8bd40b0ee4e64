//! Encoding of traces as OTLP, and the delivery of OTLP to receivers and files.
//!
//! `encode` (protobuf) and `json` turn traces into [`Batch`]es, each a whole `ExportTraceServiceRequest`. `deliver` carries
//! batches to a `target` over `grpc` or `http`, and accounts for every span. `file` writes batches in order. `metrics`
//! sends tracegen's own metrics.

mod batch;
mod client;
pub mod deliver;
mod encode;
pub mod file;
#[cfg(test)]
mod fixture;
mod grpc;
mod gzip;
mod http;
mod json;
mod layout;
mod metrics;
mod outcome;
mod probe;
#[cfg(test)]
mod reference;
#[cfg(test)]
#[path = "../tests/support/sdk.rs"]
mod sdk;
pub mod target;
mod tls;
mod tree;

pub use encode::{Parts, Protobuf};
pub use json::{AnyValue, Json};
pub use metrics::MetricExporter;
pub use opentelemetry_sdk::metrics::Temporality;
pub use probe::{Answer, Probe, probe};
pub use tree::write_tree;

use crate::trace::{Amount, SpanView, View};

/// The number of spans at which a batch is closed.
pub const BATCH_SPANS: usize = 8_192;
/// The number of bytes at or beyond which a batch is closed.
pub const BATCH_BYTES: usize = 1_000_000;

/// The `User-Agent` of every request, unless a header of the user replaces it.
const USER_AGENT: &str = concat!("tracegen/", env!("CARGO_PKG_VERSION"));

/// An encoded `ExportTraceServiceRequest`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub body: Vec<u8>,
    pub spans: u64,
    /// The number of traces whose last span is in this batch.
    pub traces: u64,
}

impl Batch {
    pub fn amount(&self) -> Amount {
        Amount { spans: self.spans, traces: self.traces }
    }
}

/// An encoder that turns traces into batches. A batch is closed right after the span that fills it, even in the middle of a
/// trace.
pub trait Encode: Send {
    /// Adds a trace, and calls `emit` with each batch that it fills.
    fn add(&mut self, view: View<'_>, emit: &mut dyn FnMut(Batch));
    /// Adds a span alone, and calls `emit` with each batch that it fills. `last`: it is the last span of its trace, which
    /// counts in this batch.
    fn add_span(&mut self, span: SpanView<'_>, last: bool, emit: &mut dyn FnMut(Batch));
    /// Emits the last batch, unless it is empty.
    fn flush(&mut self, emit: &mut dyn FnMut(Batch));
    /// Takes back the memory of a batch for reuse.
    fn recycle(&mut self, body: Vec<u8>);
}

/// Calls `each` with every span of a trace that is sent, and whether it is the last one.
fn each_sent(view: View<'_>, each: &mut dyn FnMut(SpanView<'_>, bool)) {
    let mut spans = view.spans().peekable();
    while let Some(span) = spans.next() {
        each(span, spans.peek().is_none());
    }
}
