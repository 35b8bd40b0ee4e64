//! OTLP as it arrives: requests taken apart, spans as a store would give them back.

pub mod json;
pub mod same;
pub mod span;
pub mod wire;

use super::Difference;
use crate::store::{StoredSpan, TraceId};

/// A span of a request, whole.
pub struct Received {
    /// `None`: of another length than an id has.
    pub trace: Option<TraceId>,
    pub span: StoredSpan,
    /// What a [`StoredSpan`] has no place for, and tracegen never sends.
    pub beside: Vec<Difference>,
}
