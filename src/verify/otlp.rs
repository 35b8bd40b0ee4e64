//! Spans of OTLP in the form in which stores return them, and a fast check for spans that are as they were sent.

pub mod same;
pub mod span;

use super::Difference;
use crate::trace::{StoredSpan, TraceId};

/// A span of a request, with its resource and scope.
pub struct Received {
    pub trace: TraceId,
    pub span: StoredSpan,
    /// Values in fields that a [`StoredSpan`] has no place for and tracegen never sets.
    pub unstored: Vec<Difference>,
}
