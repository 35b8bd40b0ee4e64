//! Spans of OTLP as a store would give them back, and those told at once that are as they were sent.

pub mod same;
pub mod span;

use super::Difference;
use crate::trace::{StoredSpan, TraceId};

/// A span of a request, whole.
pub struct Received {
    pub trace: TraceId,
    pub span: StoredSpan,
    /// What a [`StoredSpan`] has no place for, and tracegen never sends.
    pub beside: Vec<Difference>,
}
