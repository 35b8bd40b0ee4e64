//! Malformations: what no well-behaved SDK sends, made from whole traces after everything else.

use super::id::{BlockId, DistId, TextId};
use super::inst::Chance;
use serde::{Deserialize, Serialize};

/// A kind of malformation, and the spans that it befalls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Malformation {
    pub kind: Malform,
    /// The probability for each span, for each trace of a missing root, or for each service instance of a clock that
    /// instances have.
    pub chance: Chance,
    /// The blocks whose spans it can befall, ascending.
    pub blocks: Vec<BlockId>,
}

/// A kind of malformation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Malform {
    /// The times of the span, its events and its failure are all earlier or all later than they were.
    ClockSkew {
        by: DistId,
        /// The ns that are taken from the drawn time to get the skew; `None` if the drawn time is one by which the clock is
        /// ahead or behind, both with the same chance.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind: Option<u64>,
        /// Whether all spans of a service instance have the same skew.
        per_instance: bool,
    },
    /// The span ends when it starts.
    ZeroDuration,
    /// The span ends as long before its start as it lasted, at least 1 ns.
    NegativeDuration,
    /// The span has one more attribute, with a text of `bytes` bytes.
    OversizedAttribute { key: TextId, bytes: u32 },
    /// The span has one more attribute, with a text that is not UTF-8 on the wire.
    InvalidUtf8 { key: TextId },
    /// The parent of the span is one that is never sent.
    Orphan,
    /// The span has the id of another span of its trace.
    DuplicateSpanId,
    /// The span has the id 0.
    ZeroId,
    /// The root span is not sent.
    MissingRoot,
    /// The span is sent twice.
    Duplicate,
    /// The span leaves later.
    Late { by: DistId },
}

impl Malform {
    /// Returns the name by which files call the kind.
    pub fn name(self) -> &'static str {
        match self {
            Malform::ClockSkew { .. } => "clock_skew",
            Malform::ZeroDuration => "zero_duration",
            Malform::NegativeDuration => "negative_duration",
            Malform::OversizedAttribute { .. } => "oversized_attribute",
            Malform::InvalidUtf8 { .. } => "invalid_utf8",
            Malform::Orphan => "orphan",
            Malform::DuplicateSpanId => "duplicate_span_id",
            Malform::ZeroId => "zero_id",
            Malform::MissingRoot => "missing_root",
            Malform::Duplicate => "duplicate",
            Malform::Late { .. } => "late",
        }
    }

    /// Returns the distribution of its time, if it has one.
    pub fn by(self) -> Option<DistId> {
        match self {
            Malform::ClockSkew { by, .. } | Malform::Late { by } => Some(by),
            _ => None,
        }
    }

    /// Returns the key of the attribute that it adds, if it adds one.
    pub fn key(self) -> Option<TextId> {
        match self {
            Malform::OversizedAttribute { key, .. } | Malform::InvalidUtf8 { key } => Some(key),
            _ => None,
        }
    }

    /// Returns the key of the attribute that it adds, mutably.
    pub fn key_mut(&mut self) -> Option<&mut TextId> {
        match self {
            Malform::OversizedAttribute { key, .. } | Malform::InvalidUtf8 { key } => Some(key),
            _ => None,
        }
    }
}
