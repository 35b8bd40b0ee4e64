//! Traces as a store gives them back.

use crate::plan::SpanKind;
use crate::trace::OwnedDatum;

pub type TraceId = [u8; 16];

/// In the order they were sent, where the store keeps it.
pub type Attributes = Vec<(String, OwnedDatum)>;

/// A row of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    pub id: TraceId,
    /// Start of the root span, ns since 1970.
    pub start: u64,
    /// Of the root span, ns.
    pub duration: u64,
    /// Of the root span.
    pub service: String,
    pub operation: String,
    /// `None`: the store does not know.
    pub scenario: Option<String>,
    pub spans: u32,
    /// Spans that failed.
    pub errors: u32,
    /// The failure that happened first.
    pub first_error: Option<FirstError>,
    /// The first [`super::report::MOST_SHAPE`] spans, a parent before its children.
    pub shape: Vec<ShapeSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstError {
    pub service: String,
    /// `error.type`, else the exception's type, else the status message; may be empty.
    pub r#type: String,
}

/// Where a span lies in its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeSpan {
    pub service: String,
    /// ns after the root's start; 0 where it lies before.
    pub offset: u64,
    /// ns.
    pub duration: u64,
}

/// A whole trace.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTrace {
    pub id: TraceId,
    /// `None`: the store does not know.
    pub scenario: Option<String>,
    /// A parent before its children, siblings by start; a span whose parent is not there stands among the roots.
    pub spans: Vec<StoredSpan>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredSpan {
    pub id: u64,
    pub parent: Option<u64>,
    pub name: String,
    /// `None`: unspecified.
    pub kind: Option<SpanKind>,
    pub service: String,
    pub scope: String,
    pub trace_state: String,
    /// OTLP span flags; `None`: the store does not keep them.
    pub flags: Option<u32>,
    /// ns since 1970.
    pub start: u64,
    /// ns.
    pub duration: u64,
    pub status: Status,
    pub resource: Attributes,
    pub attributes: Attributes,
    pub events: Vec<StoredEvent>,
    pub links: Vec<StoredLink>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Unset,
    Ok,
    /// With its message; may be empty.
    Error(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// ns since 1970.
    pub time: u64,
    pub name: String,
    pub attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredLink {
    pub trace_id: TraceId,
    pub span_id: u64,
    pub trace_state: String,
    pub attributes: Attributes,
}

impl StoredSpan {
    pub fn failed(&self) -> bool {
        matches!(self.status, Status::Error(_))
    }

    /// ns since 1970.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }
}
