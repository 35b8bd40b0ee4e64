//! A trace, the value that flows at run time. It is cleared and used again, so that nothing is allocated once it is warm.
//!
//! The interpreter writes the records. [`View`] reads them as telemetry (names, attributes in the order they are sent,
//! status), and is what printers, stores and verifiers use. The encoder reads the records themselves.

mod amount;
pub mod bytes;
mod call;
mod stored;
mod text;
mod texts;
pub mod value;
mod view;

pub use amount::{Amount, Loss};
pub use bytes::Bytes;
pub use call::Call;
pub use stored::{
    Attributes, Scope, Status, StoredEvent, StoredLink, StoredSpan, StoredTrace, TooLarge, TraceId, tree_order,
};
pub use texts::Texts;
pub use value::{Read, Value};
pub use view::{Datum, Entries, EventView, Items, LinkView, Origin, OwnedDatum, Resources, SpanView, View, constant};

use crate::plan::{AttrId, BlockId, ErrorId, EventId, Plan, ResourceId, ScenarioId};

/// The ordinal that stands for no record.
pub const NONE: u32 = u32::MAX;

/// The text of a malformed attribute that is not UTF-8 on the wire, as decoders read it. JSON and stores, which hold only
/// UTF-8, have it in this form.
pub const NOT_UTF8: &str = "caf\u{fffd}";

/// The time of a span that is never sent, in [`Trace::leaves`].
pub const NEVER: u64 = u64::MAX;

/// The span flags of OTLP for most spans: the trace flags "sampled" and "random" of W3C, and "the parent is known not to be
/// remote".
const FLAGS: u32 = 0x103;
/// The same flags for a parent, or a linked span, in another process.
pub const FLAGS_REMOTE: u32 = 0x303;

/// The name of the event that a failure brings, by the semantic conventions for exceptions.
pub const EXCEPTION: &str = "exception";
/// The key of the error's type in that event.
pub const EXCEPTION_TYPE: &str = "exception.type";
/// The key of the error's message in that event.
pub const EXCEPTION_MESSAGE: &str = "exception.message";

/// Returns the span flags of OTLP for a block's spans.
pub fn flags(plan: &Plan, block: BlockId) -> u32 {
    if plan.has_remote_parent(block) { FLAGS_REMOTE } else { FLAGS }
}

/// A span. Its record is complete from the span's start; values that are known only at its end are written then.
#[derive(Clone, Copy, Debug)]
pub struct SpanRecord {
    /// The span id, which is not 0 unless the span is malformed.
    pub id: u64,
    /// The virtual time of its start, ns since 1970.
    pub start: u64,
    /// The virtual time of its end, ns since 1970; before its start if the span is malformed.
    pub end: u64,
    /// The name: a constant text of the plan, or a text of the trace.
    pub name: Value,
    pub block: BlockId,
    pub resource: ResourceId,
    /// The ordinal of the parent in [`Trace::spans`], or [`NONE`].
    pub parent: u32,
    /// The first of the span's records in [`Trace::attrs`]; there are as many as its block has computed attributes.
    pub attrs: u32,
    /// The span's failure in [`Trace::failures`], or [`NONE`]: its status is unset.
    pub failure: u32,
    /// The span's first event in [`Trace::events`], or [`NONE`]; each names the next.
    pub event: u32,
    /// The span's first link in [`Trace::links`], or [`NONE`]; each names the next.
    pub link: u32,
}

/// A computed attribute. An absent value is not sent.
#[derive(Clone, Copy, Debug)]
pub struct AttrRecord {
    pub attr: AttrId,
    pub value: Value,
}

/// An event of a span.
#[derive(Clone, Copy, Debug)]
pub struct EventRecord {
    /// When the event happened, ns since 1970; what is beyond the span's end happened at its end ([`EventRecord::happened`]).
    pub time: u64,
    pub name: Value,
    pub event: EventId,
    /// The first of the event's records in [`Trace::attrs`].
    pub attrs: u32,
    /// The end of the event's records in [`Trace::attrs`].
    pub attrs_end: u32,
    /// The span's next event, or [`NONE`].
    pub next: u32,
}

impl EventRecord {
    /// When the event of a span happened that ended at `end`, both ns since 1970.
    #[inline(always)]
    pub fn happened(&self, end: u64) -> u64 {
        self.time.min(end)
    }
}

/// A link to a span of an earlier trace, or of this one.
#[derive(Clone, Copy, Debug)]
pub struct LinkRecord {
    pub trace_id: [u8; 16],
    pub span_id: u64,
    /// The scenario of the trace.
    pub scenario: ScenarioId,
    /// The first of the link's records in [`Trace::attrs`].
    pub attrs: u32,
    /// The end of the link's records in [`Trace::attrs`].
    pub attrs_end: u32,
    /// The span's next link, or [`NONE`].
    pub next: u32,
}

/// The reason why a span has status ERROR. A failure also gives the span the attribute [`crate::plan::ERROR_TYPE`].
#[derive(Clone, Copy, Debug)]
pub struct FailureRecord {
    /// When the span failed, ns since 1970.
    pub time: u64,
    /// The block of the instruction that failed the span: the span's own, or a group in it.
    pub block: BlockId,
    /// The instruction that failed the span, by its position in that block.
    pub inst: u32,
    pub error: ErrorId,
    /// The type of the error; a text.
    pub r#type: Value,
    /// The message of the error; a text, or absent.
    pub message: Value,
    /// The failure brings an `exception` event at its time, because it is the span's own and did not come from a callee.
    pub exception: bool,
}

/// A span that later traces can link to.
#[derive(Clone, Copy, Debug)]
pub struct ExportRecord {
    /// The ordinal of the span in [`Trace::spans`].
    pub span: u32,
    /// The key that links look for; a text.
    pub key: Value,
}

/// A trace. Its spans stand in the order in which they started to run: a parent before its children, siblings in order.
/// Spans that a malformation adds stand behind them.
#[derive(Clone, Debug)]
pub struct Trace {
    pub index: u64,
    pub id: [u8; 16],
    pub scenario: ScenarioId,
    /// The root's start, ns since 1970.
    pub start: u64,
    /// The latest end of any span, in ns since 1970; nothing of the trace may be sent before.
    pub end: u64,
    pub spans: Vec<SpanRecord>,
    /// When each span has really ended, and how much later it leaves, in ns since 1970, or [`NEVER`] if it is not sent.
    /// Empty if nothing is malformed: then each span has ended at its end.
    pub leaves: Vec<u64>,
    pub attrs: Vec<AttrRecord>,
    pub events: Vec<EventRecord>,
    pub links: Vec<LinkRecord>,
    pub failures: Vec<FailureRecord>,
    pub exports: Vec<ExportRecord>,
    /// The elements of list values.
    pub values: Vec<Value>,
    /// The bytes of the text values.
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
            leaves: Vec::new(),
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

impl SpanRecord {
    /// Returns the duration in ns, which is 0 if the span ends before its start.
    pub fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

impl Trace {
    /// Empties the trace, and keeps its memory.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.spans.clear();
        self.leaves.clear();
        self.attrs.clear();
        self.events.clear();
        self.links.clear();
        self.failures.clear();
        self.exports.clear();
        self.values.clear();
        self.text.clear();
    }

    /// Reports whether span `ordinal` is sent. All spans are, unless one is malformed.
    pub fn is_sent(&self, ordinal: usize) -> bool {
        self.leaves.get(ordinal) != Some(&NEVER)
    }

    /// Returns when span `ordinal` can leave at the earliest, in ns since 1970, or [`NEVER`].
    pub fn leaves(&self, ordinal: usize) -> u64 {
        self.leaves.get(ordinal).copied().unwrap_or_else(|| self.spans[ordinal].end)
    }

    /// Returns the memory that the trace takes, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.spans)
            + size_of_val(&*self.leaves)
            + size_of_val(&*self.attrs)
            + size_of_val(&*self.events)
            + size_of_val(&*self.links)
            + size_of_val(&*self.failures)
            + size_of_val(&*self.exports)
            + size_of_val(&*self.values)
            + self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_intended_size() {
        assert_eq!(size_of::<SpanRecord>(), 72);
        assert_eq!(size_of::<AttrRecord>(), 24);
    }
}
