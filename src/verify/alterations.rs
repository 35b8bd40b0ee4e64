//! The fields that arrived with other values than were sent.

use super::change::Changes;
use super::compare::{Blame, Difference};
use crate::trace::TraceId;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The maximum number of fields counted by name, for permitted and for other alterations each: a source can make up any
/// number of attributes.
const MOST_FIELDS: usize = 1_000;
/// The name under which all further fields are counted.
const OTHERS: &str = "(other fields)";
/// The number of characters of a field's name that are kept.
const NAME: usize = 256;

/// A field that was altered, with the first span as an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlteredField {
    pub field: String,
    /// The policy permits changes of this field.
    pub allowed: bool,
    /// The number of spans in which the field is altered.
    pub spans: u64,
    /// The value that the first such span was sent with.
    pub expected: String,
    /// The value that the first such span arrived with.
    pub found: String,
    /// The trace id of the first such span.
    pub trace_id: String,
    /// The id of the first such span.
    pub span_id: String,
    /// The declared change that is not as it was declared; `None` if none is declared for the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
}

/// A declared change that is not as it was declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// The change as the policy says it.
    pub rule: String,
    /// The change is declared for these spans. Otherwise it is declared only for others.
    pub for_these_spans: bool,
}

/// The altered fields by name and by the declared change that is wrong.
type Fields = BTreeMap<(String, Option<Blame>), AlteredField>;

/// The altered fields, permitted and other ones apart.
#[derive(Default)]
pub struct Alterations {
    allowed: Fields,
    others: Fields,
}

impl Alterations {
    /// Counts a span whose field is altered. With `counted`, an earlier copy of the span has been counted, so the field is
    /// only noted if it is new.
    pub fn note(&mut self, difference: Difference, allowed: bool, counted: bool, trace: &TraceId, span: u64) {
        let Difference { field, expected, found, blame } = difference;
        let fields = if allowed { &mut self.allowed } else { &mut self.others };
        let mut key = (field.chars().take(NAME).collect::<String>(), blame);
        if fields.len() >= MOST_FIELDS && !fields.contains_key(&key) {
            key = (OTHERS.into(), None);
        }
        if counted && fields.contains_key(&key) {
            return;
        }
        let field = key.0.clone();
        let entry = fields.entry(key).or_insert_with(|| AlteredField {
            field,
            allowed,
            spans: 0,
            expected,
            found,
            trace_id: format!("{:032x}", u128::from_be_bytes(*trace)),
            span_id: format!("{span:016x}"),
            declared: None,
        });
        entry.spans += 1;
    }

    /// Returns the fields, those that may not be altered first, then by descending number of spans. `changes` are those that
    /// the policy declares.
    pub fn into_fields(self, changes: &Changes) -> Vec<AlteredField> {
        let fields = self.others.into_iter().chain(self.allowed).map(|((_, blame), field)| AlteredField {
            declared: blame
                .map(|blame| Declared { rule: changes.text(blame.rule).into(), for_these_spans: blame.is_for_span }),
            ..field
        });
        let mut fields = Vec::from_iter(fields);
        fields.sort_by_key(|field| (field.allowed, Reverse(field.spans)));
        fields
    }
}

/// Reports whether the entry stands for all fields beyond [`MOST_FIELDS`].
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
        let fields = alterations.into_fields(&Changes::default());
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
        assert_eq!(spans(alterations.into_fields(&Changes::default())), [("kind".into(), 1), ("name".into(), 1)]);
    }
}
