//! The one value that flows at run time: a whole trace, cleared and used again, nothing allocated per span once warm.
//!
//! The interpreter writes the records; [`View`] reads them as telemetry (names, attributes in the order they are sent,
//! status), and is what printers, stores and verifiers use. The encoder reads the records themselves.

mod amount;
pub mod bytes;
mod text;
pub mod value;
mod view;

pub use amount::{Amount, Loss};
pub use bytes::Bytes;
pub use value::{Read, Value};
pub use view::{Datum, EventView, Items, LinkView, Origin, OwnedDatum, Resources, SpanView, View, constant};

use crate::plan::{AttrId, BlockId, ErrorId, EventId, ResourceId, ScenarioId};

/// No such record.
pub const NONE: u32 = u32::MAX;

/// W3C trace flags of every span: sampled and random, and "the parent is known not to be remote" of OTLP's span flags.
pub const FLAGS: u32 = 0x103;
/// The same where the parent, or the linked span, is of another process.
pub const FLAGS_REMOTE: u32 = 0x303;

/// A span. What is known only at its end is here from its start and written then.
#[derive(Clone, Copy, Debug)]
pub struct SpanRecord {
    /// Not 0.
    pub id: u64,
    /// Virtual time, ns since 1970.
    pub start: u64,
    pub end: u64,
    /// Constant text of the plan, or text of the trace.
    pub name: Value,
    pub block: BlockId,
    pub resource: ResourceId,
    /// Ordinal of the parent in [`Trace::spans`], or [`NONE`].
    pub parent: u32,
    /// First of the span's records in [`Trace::attrs`]; there are as many as its block has computed attributes.
    pub attrs: u32,
    /// In [`Trace::failures`], or [`NONE`]: the span's status is unset.
    pub failure: u32,
    /// First in [`Trace::events`], or [`NONE`]; each names the next.
    pub event: u32,
    /// First in [`Trace::links`], or [`NONE`]; each names the next.
    pub link: u32,
}

/// A computed attribute. An absent value is not sent.
#[derive(Clone, Copy, Debug)]
pub struct AttrRecord {
    pub attr: AttrId,
    pub value: Value,
}

#[derive(Clone, Copy, Debug)]
pub struct EventRecord {
    /// ns since 1970.
    pub time: u64,
    pub name: Value,
    pub event: EventId,
    /// `attrs..attrs_end` in [`Trace::attrs`].
    pub attrs: u32,
    pub attrs_end: u32,
    pub next: u32,
}

/// A link to a span of an earlier trace.
#[derive(Clone, Copy, Debug)]
pub struct LinkRecord {
    pub trace_id: [u8; 16],
    pub span_id: u64,
    pub next: u32,
}

/// Why a span has status ERROR. It also gives the span `error.type`, and an `exception` event at `time`.
#[derive(Clone, Copy, Debug)]
pub struct FailureRecord {
    /// ns since 1970.
    pub time: u64,
    pub error: ErrorId,
    /// Text.
    pub r#type: Value,
    /// Text, or absent.
    pub message: Value,
}

/// A span that later traces can link to.
#[derive(Clone, Copy, Debug)]
pub struct ExportRecord {
    /// Ordinal in [`Trace::spans`].
    pub span: u32,
    /// Text.
    pub key: Value,
}

/// One trace. Spans stand in the order they started to run: a parent before its children, siblings in order.
#[derive(Clone, Debug)]
pub struct Trace {
    pub index: u64,
    pub id: [u8; 16],
    pub scenario: ScenarioId,
    /// The root's start, ns since 1970.
    pub start: u64,
    /// The latest end of any span, ns since 1970: nothing of the trace may leave before.
    pub end: u64,
    pub spans: Vec<SpanRecord>,
    pub attrs: Vec<AttrRecord>,
    pub events: Vec<EventRecord>,
    pub links: Vec<LinkRecord>,
    pub failures: Vec<FailureRecord>,
    pub exports: Vec<ExportRecord>,
    /// Elements of list values.
    pub values: Vec<Value>,
    /// What the text values stand in.
    pub text: Bytes,
}

impl Default for Trace {
    fn default() -> Self {
        Trace {
            index: 0,
            id: [0; 16],
            scenario: ScenarioId(0),
            start: 0,
            end: 0,
            spans: Vec::new(),
            attrs: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            failures: Vec::new(),
            exports: Vec::new(),
            values: Vec::new(),
            text: Bytes::default(),
        }
    }
}

impl Trace {
    /// Empty, with the memory kept.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.spans.clear();
        self.attrs.clear();
        self.events.clear();
        self.links.clear();
        self.failures.clear();
        self.exports.clear();
        self.values.clear();
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_size_they_are_meant_to_have() {
        assert_eq!(size_of::<SpanRecord>(), 72);
        assert_eq!(size_of::<AttrRecord>(), 24);
    }
}
