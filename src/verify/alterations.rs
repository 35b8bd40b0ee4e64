//! The fields that are not as they were sent.

use super::compare::Difference;
use crate::trace::TraceId;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Fields that are told apart, at most, of those that may be altered and of the others each: a source can make up any number of
/// attributes.
const MOST_FIELDS: usize = 1_000;
/// Under which the others are.
const OTHERS: &str = "(other fields)";
/// Characters of a field's name that are kept.
const NAME: usize = 256;

/// A field that is not as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlteredField {
    pub field: String,
    /// The policy lets its changes pass.
    pub allowed: bool,
    pub spans: u64,
    /// Of the first such span.
    pub expected: String,
    pub found: String,
    pub trace_id: String,
    pub span_id: String,
}

#[derive(Default)]
pub struct Alterations {
    allowed: BTreeMap<String, AlteredField>,
    others: BTreeMap<String, AlteredField>,
}

impl Alterations {
    /// A field of a span is altered. `counted`: the span has been, so that only a field that is not known yet is noted.
    pub fn note(&mut self, difference: Difference, allowed: bool, counted: bool, trace: &TraceId, span: u64) {
        let Difference { field, expected, found } = difference;
        let fields = if allowed { &mut self.allowed } else { &mut self.others };
        let mut field: String = field.chars().take(NAME).collect();
        if fields.len() >= MOST_FIELDS && !fields.contains_key(&field) {
            field = OTHERS.into();
        }
        if counted && fields.contains_key(&field) {
            return;
        }
        let entry = fields.entry(field.clone()).or_insert_with(|| AlteredField {
            field,
            allowed,
            spans: 0,
            expected,
            found,
            trace_id: format!("{:032x}", u128::from_be_bytes(*trace)),
            span_id: format!("{span:016x}"),
        });
        entry.spans += 1;
    }

    /// Those that may not be altered first, each kind by the number of spans.
    pub fn into_fields(self) -> Vec<AlteredField> {
        let mut fields: Vec<AlteredField> = self.others.into_values().chain(self.allowed.into_values()).collect();
        fields.sort_by_key(|field| (field.allowed, Reverse(field.spans)));
        fields
    }
}

/// More fields were altered than are told apart.
pub fn is_overflow(field: &AlteredField) -> bool {
    field.field == OTHERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_may_be_altered_never_crowd_out_one_that_may_not() {
        let mut alterations = Alterations::default();
        let mut note = |field: &str, allowed| {
            alterations.note(Difference::new(field, "1", "2"), allowed, false, &[1; 16], 7);
        };
        (0..MOST_FIELDS + 10).for_each(|i| note(&format!("attributes.{i}"), true));
        note("name", false);
        note(&"n".repeat(10_000), false);
        note("name", false);
        let fields = alterations.into_fields();
        assert_eq!((fields[0].field.as_str(), fields[0].spans, fields[0].allowed), ("name", 2, false));
        assert_eq!((fields[1].field.len(), fields[1].allowed, fields[2].allowed), (NAME, false, true));
        assert_eq!(fields.len(), 2 + MOST_FIELDS + 1);
        assert!(fields.iter().any(|field| is_overflow(field) && field.spans == 10));
    }

    #[test]
    fn a_field_that_only_a_copy_has_altered_is_noted_once() {
        let mut alterations = Alterations::default();
        for (field, counted) in [("name", false), ("name", true), ("kind", true), ("kind", true)] {
            alterations.note(Difference::new(field, "1", "2"), false, counted, &[1; 16], 7);
        }
        let spans =
            |fields: Vec<AlteredField>| Vec::from_iter(fields.into_iter().map(|field| (field.field, field.spans)));
        assert_eq!(spans(alterations.into_fields()), [("kind".into(), 1), ("name".into(), 1)]);
    }
}
