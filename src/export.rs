//! Traces to OTLP, and OTLP out of the process.
//!
//! `encode` (protobuf) and `json` turn traces into [`Batch`]es, each a whole `ExportTraceServiceRequest`; `deliver` carries
//! batches to a `target` over `grpc` or `http` and keeps the account; `file` writes them in order. `metrics` sends
//! tracegen's own.

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

pub use encode::{Parts, Protobuf, SCOPE};
pub use json::{AnyValue, Json};
pub use metrics::MetricExporter;
pub use opentelemetry_sdk::metrics::Temporality;
pub use probe::{Answer, Probe, probe};
pub use tree::write_tree;

use crate::trace::{Amount, View};

/// A batch closes when it holds this many spans.
pub const BATCH_SPANS: usize = 8_192;
/// A batch closes when it holds this many bytes or more.
pub const BATCH_BYTES: usize = 1_000_000;

/// Sent with every request, unless a header of the user's replaces it.
const USER_AGENT: &str = concat!("tracegen/", env!("CARGO_PKG_VERSION"));

/// One encoded `ExportTraceServiceRequest`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub body: Vec<u8>,
    pub spans: u64,
    /// Traces whose last span is in this batch.
    pub traces: u64,
}

impl Batch {
    pub fn amount(&self) -> Amount {
        Amount { spans: self.spans, traces: self.traces }
    }
}

/// Turns traces into batches. A batch closes right after the span that fills it, even inside a trace.
pub trait Encode: Send {
    /// Add a trace; `emit` gets each batch that it fills.
    fn add(&mut self, view: View<'_>, emit: &mut dyn FnMut(Batch));
    /// Emit what is left, if anything is.
    fn flush(&mut self, emit: &mut dyn FnMut(Batch));
    /// Take back a batch's memory.
    fn recycle(&mut self, body: Vec<u8>);
}
