//! Comparison of two encoded messages without decoding them. They may have the same content in different bytes: the
//! collector writes fields from the last to the first, and writes some that hold their default.

use crate::otlp::wire::{Fields, Malformed, Value};

/// The fields of a message that are messages with several fields themselves, by number. All other fields are compared by
/// their bytes.
struct Shape(&'static [(u64, Times, &'static Shape)]);

/// How often a field can occur. An empty item of a repeated field is still an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    Any,
}

const KEY_VALUE: Shape = Shape(&[]);
const EVENT: Shape = Shape(&[(3, Times::Any, &KEY_VALUE)]);
const LINK: Shape = Shape(&[(4, Times::Any, &KEY_VALUE)]);
const STATUS: Shape = Shape(&[]);
const SPAN: Shape = Shape(&[
    (9, Times::Any, &KEY_VALUE),
    (11, Times::Any, &EVENT),
    (13, Times::Any, &LINK),
    (15, Times::Once, &STATUS),
]);
const SCOPE: Shape = Shape(&[]);
const ENTITY_REF: Shape = Shape(&[]);
const RESOURCE: Shape = Shape(&[(1, Times::Any, &KEY_VALUE), (3, Times::Any, &ENTITY_REF)]);

impl Shape {
    fn field(&self, number: u64) -> Option<(Times, &'static Shape)> {
        self.0.iter().find(|(at, ..)| *at == number).map(|(_, times, shape)| (*times, *shape))
    }
}

/// Reports whether `found` has the same content as `expected`. A `false` is not final: attributes may still be the same in
/// another order.
pub fn same_span(expected: &[u8], found: &[u8]) -> bool {
    same(expected, found, &SPAN)
}

/// Does the same as [`same_span`] for resources.
pub fn same_resource(expected: &[u8], found: &[u8]) -> bool {
    same(expected, found, &RESOURCE)
}

/// Does the same as [`same_span`] for instrumentation scopes.
pub fn same_scope(expected: &[u8], found: &[u8]) -> bool {
    same(expected, found, &SCOPE)
}

fn same(expected: &[u8], found: &[u8], shape: &Shape) -> bool {
    if expected == found {
        return true;
    }
    if shape.0.is_empty() {
        return small_message(expected).is_some_and(|fields| small_message(found) == Some(fields));
    }
    let (Ok(expected), Ok(found)) = (sorted(expected, shape), sorted(found, shape)) else { return false };
    let all = |(expected, found): (&(u64, Value<'_>), &(u64, Value<'_>))| {
        expected == found || expected.0 == found.0 && same_field(expected.0, expected.1, found.1, shape)
    };
    expected.len() == found.len() && expected.iter().zip(&found).all(all)
}

fn same_field(number: u64, expected: Value<'_>, found: Value<'_>, shape: &Shape) -> bool {
    let message = |(_, shape)| Some(same(expected.delimited()?, found.delimited()?, shape));
    shape.field(number).and_then(message).unwrap_or(false)
}

/// Returns the fields of a message sorted by number, without those that hold their default. Fields of the same number stay
/// in their order.
fn sorted<'m>(message: &'m [u8], shape: &Shape) -> Result<Vec<(u64, Value<'m>)>, Malformed> {
    let mut fields = Vec::with_capacity(32);
    for field in Fields(message) {
        let (number, value) = field?;
        if !value.is_default() || shape.field(number).is_some_and(|(times, _)| times == Times::Any) {
            fields.push((number, value));
        }
    }
    fields.sort_by_key(|(number, _)| *number);
    Ok(fields)
}

/// Returns the fields of a message that has at most three, each once; `None` for other messages.
fn small_message(message: &[u8]) -> Option<[Option<Value<'_>>; 4]> {
    let mut fields = [None; 4];
    for field in Fields(message) {
        let (number, value) = field.ok()?;
        if !value.is_default() && fields.get_mut(number as usize)?.replace(value).is_some() {
            return None;
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
    use opentelemetry_proto::tonic::trace::v1::{Span, Status};
    use prost::Message;

    fn text(key: &str, value: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
        KeyValue { key: key.into(), value, ..Default::default() }
    }

    fn span() -> Span {
        Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: "a".into(),
            kind: 3,
            start_time_unix_nano: 5,
            attributes: vec![text("k", "v"), text("l", "w")],
            events: vec![Event {
                time_unix_nano: 7,
                name: "e".into(),
                attributes: vec![text("m", "x")],
                ..Default::default()
            }],
            links: vec![Link { trace_id: vec![3; 16], span_id: vec![4; 8], flags: 0x303, ..Default::default() }],
            status: Some(Status { message: "s".into(), code: 2 }),
            flags: 0x103,
            ..Default::default()
        }
    }

    /// Returns the message with its fields from the last to the first, down to the depth of `shape`, and with an empty
    /// parent id.
    fn backwards(message: &[u8], shape: &Shape) -> Vec<u8> {
        let mut fields: Vec<(u64, Vec<u8>)> = vec![];
        let mut rest = Fields(message);
        loop {
            let before = rest.0;
            let Some(field) = rest.next() else { break };
            let (number, value) = field.unwrap();
            let mut bytes = before[..before.len() - rest.0.len()].to_vec();
            if let (Some((_, shape)), Some(inner)) = (shape.field(number), value.delimited()) {
                bytes.truncate(bytes.len() - inner.len());
                bytes.extend(backwards(inner, shape));
            }
            fields.push((number, bytes));
        }
        fields.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        Vec::from_iter(fields.into_iter().flat_map(|(_, bytes)| bytes))
    }

    #[test]
    fn the_order_of_fields_and_written_defaults_make_no_difference() {
        let expected = span().encode_to_vec();
        let mut found = backwards(&expected, &SPAN);
        assert_ne!(found, expected);
        assert!(same_span(&expected, &found));
        found.extend(b"\x22\x00");
        assert!(same_span(&expected, &found), "an empty parent's id");
        assert_eq!(Span::decode(&found[..]).unwrap(), span());
    }

    #[test]
    fn any_other_difference_is_found() {
        let edits: &[fn(&mut Span)] = &[
            |span| span.name = "b".into(),
            |span| span.start_time_unix_nano = 6,
            |span| span.end_time_unix_nano = 1,
            |span| span.parent_span_id = vec![5; 8],
            |span| span.attributes[1] = text("l", "W"),
            |span| span.attributes[0] = text("K", "v"),
            |span| span.attributes.truncate(1),
            |span| span.attributes.push(text("k", "v")),
            |span| span.attributes[0].value = None,
            |span| span.events[0].attributes.clear(),
            |span| span.events[0].name.clear(),
            |span| span.links[0].flags = 1,
            |span| span.links.clear(),
            |span| span.links.push(Link::default()),
            |span| span.events.push(Event::default()),
            |span| span.attributes.push(KeyValue::default()),
            |span| span.events[0].attributes.push(KeyValue::default()),
            |span| span.status = None,
            |span| span.flags = 1,
            |span| span.dropped_attributes_count = 1,
        ];
        let expected = span().encode_to_vec();
        for (i, edit) in edits.iter().enumerate() {
            let mut edited = span();
            edit(&mut edited);
            let found = edited.encode_to_vec();
            assert!(!same_span(&expected, &found) && !same_span(&expected, &backwards(&found, &SPAN)), "edit {i}");
        }
        assert!(!same_span(&expected, &expected[1..]));
    }
}
