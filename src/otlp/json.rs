//! OTLP JSON, decoded to protobuf messages. It accepts what any writer may produce: fields in any order, unknown fields,
//! defaults left out, written out or `null`, numbers as strings, enums as numbers or names, ids in hexadecimal or base64.

mod values;

use super::MOST_PARTS;
use super::damage::Damage;
use super::text::Value;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::common::v1::{self as common, ArrayValue, InstrumentationScope, KeyValueList};
use opentelemetry_proto::tonic::resource::v1 as resource;
use opentelemetry_proto::tonic::trace::v1 as trace;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use values::{Base64, Double, Int, id, kind, number, or_default, status_code, texts};

/// Decodes a value to the message that it encodes; no value gives the default message.
///
/// # Errors
/// The value is not a valid message of this type, or has more than [`MOST_PARTS`] parts.
pub fn message<J: DeserializeOwned + Into<M>, M: Default>(value: Option<Value<'_>>) -> Result<M, Damage> {
    let Some(Value { text, objects, .. }) = value else { return Ok(M::default()) };
    if objects > MOST_PARTS {
        return Err(Damage::new(0, format!("more than {MOST_PARTS} attributes, events, links and values in one")));
    }
    let read = match serde_json::from_slice::<J>(text) {
        // The collector passes on texts that are not UTF-8. They are read as by other decoders.
        Err(_) if str::from_utf8(text).is_err() => serde_json::from_str(&String::from_utf8_lossy(text)),
        read => read,
    };
    read.map(Into::into).map_err(|error| damage(text, &error))
}

/// Converts an error of serde_json, which counts lines and columns, to one with a byte offset.
fn damage(text: &[u8], error: &serde_json::Error) -> Damage {
    let (line, column) = (error.line(), error.column());
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let reason = error.to_string();
    let place = format!(" at line {line} column {column}");
    Damage::new((before + column.saturating_sub(1)) as u64, reason.strip_suffix(&place).unwrap_or(&reason))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct Resource {
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "or_default")]
    dropped_attributes_count: u32,
    #[serde(deserialize_with = "or_default")]
    entity_refs: Vec<EntityRef>,
}

impl From<Resource> for resource::Resource {
    fn from(Resource { attributes, dropped_attributes_count, entity_refs }: Resource) -> Self {
        resource::Resource { attributes: all(attributes), dropped_attributes_count, entity_refs: all(entity_refs) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct EntityRef {
    #[serde(deserialize_with = "or_default")]
    schema_url: String,
    #[serde(deserialize_with = "or_default")]
    r#type: String,
    #[serde(deserialize_with = "texts")]
    id_keys: Vec<String>,
    #[serde(deserialize_with = "texts")]
    description_keys: Vec<String>,
}

impl From<EntityRef> for common::EntityRef {
    fn from(EntityRef { schema_url, r#type, id_keys, description_keys }: EntityRef) -> Self {
        common::EntityRef { schema_url, r#type, id_keys, description_keys }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct Scope {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    version: String,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "or_default")]
    dropped_attributes_count: u32,
}

impl From<Scope> for InstrumentationScope {
    fn from(Scope { name, version, attributes, dropped_attributes_count }: Scope) -> Self {
        InstrumentationScope { name, version, attributes: all(attributes), dropped_attributes_count }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct Span {
    #[serde(deserialize_with = "id")]
    trace_id: Vec<u8>,
    #[serde(deserialize_with = "id")]
    span_id: Vec<u8>,
    #[serde(deserialize_with = "or_default")]
    trace_state: String,
    #[serde(deserialize_with = "id")]
    parent_span_id: Vec<u8>,
    #[serde(deserialize_with = "or_default")]
    flags: u32,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "kind")]
    kind: i32,
    #[serde(deserialize_with = "number")]
    start_time_unix_nano: u64,
    #[serde(deserialize_with = "number")]
    end_time_unix_nano: u64,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "or_default")]
    dropped_attributes_count: u32,
    #[serde(deserialize_with = "or_default")]
    events: Vec<Event>,
    #[serde(deserialize_with = "or_default")]
    dropped_events_count: u32,
    #[serde(deserialize_with = "or_default")]
    links: Vec<Link>,
    #[serde(deserialize_with = "or_default")]
    dropped_links_count: u32,
    status: Option<Status>,
}

impl From<Span> for trace::Span {
    fn from(span: Span) -> Self {
        trace::Span {
            trace_id: span.trace_id,
            span_id: span.span_id,
            trace_state: span.trace_state,
            parent_span_id: span.parent_span_id,
            flags: span.flags,
            name: span.name,
            kind: span.kind,
            start_time_unix_nano: span.start_time_unix_nano,
            end_time_unix_nano: span.end_time_unix_nano,
            attributes: all(span.attributes),
            dropped_attributes_count: span.dropped_attributes_count,
            events: all(span.events),
            dropped_events_count: span.dropped_events_count,
            links: all(span.links),
            dropped_links_count: span.dropped_links_count,
            status: span.status.map(|Status { message, code }| trace::Status { message, code }),
        }
    }
}

/// A span's ids, without its other fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct Ids {
    #[serde(deserialize_with = "id")]
    trace_id: Vec<u8>,
    #[serde(deserialize_with = "id")]
    span_id: Vec<u8>,
}

impl Ids {
    /// Returns the ids, or `None` if they do not have the length of ids.
    pub fn known(self) -> Option<([u8; 16], u64)> {
        // A span without an id has the id 0.
        let span = if self.span_id.is_empty() { 0 } else { u64::from_be_bytes(self.span_id.try_into().ok()?) };
        Some((self.trace_id.try_into().ok()?, span))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Event {
    #[serde(deserialize_with = "number")]
    time_unix_nano: u64,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "or_default")]
    dropped_attributes_count: u32,
}

impl From<Event> for trace::span::Event {
    fn from(Event { time_unix_nano, name, attributes, dropped_attributes_count }: Event) -> Self {
        trace::span::Event { time_unix_nano, name, attributes: all(attributes), dropped_attributes_count }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Link {
    #[serde(deserialize_with = "id")]
    trace_id: Vec<u8>,
    #[serde(deserialize_with = "id")]
    span_id: Vec<u8>,
    #[serde(deserialize_with = "or_default")]
    trace_state: String,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "or_default")]
    dropped_attributes_count: u32,
    #[serde(deserialize_with = "or_default")]
    flags: u32,
}

impl From<Link> for trace::span::Link {
    fn from(link: Link) -> Self {
        trace::span::Link {
            trace_id: link.trace_id,
            span_id: link.span_id,
            trace_state: link.trace_state,
            attributes: all(link.attributes),
            dropped_attributes_count: link.dropped_attributes_count,
            flags: link.flags,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    message: String,
    #[serde(deserialize_with = "status_code")]
    code: i32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KeyValue {
    #[serde(deserialize_with = "or_default")]
    key: String,
    value: Option<AnyValue>,
}

impl From<KeyValue> for common::KeyValue {
    fn from(KeyValue { key, value }: KeyValue) -> Self {
        common::KeyValue { key, value: value.map(Into::into), ..Default::default() }
    }
}

/// A value of an attribute; the first field that is present holds it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Int>,
    double_value: Option<Double>,
    array_value: Option<List<AnyValue>>,
    kvlist_value: Option<List<KeyValue>>,
    /// In base64 when written as JSON.
    bytes_value: Option<Base64>,
}

impl From<AnyValue> for common::AnyValue {
    fn from(any: AnyValue) -> Self {
        let value = any.string_value.map(any_value::Value::StringValue);
        let value = value.or_else(|| any.bool_value.map(any_value::Value::BoolValue));
        let value = value.or_else(|| any.int_value.map(|Int(v)| any_value::Value::IntValue(v)));
        let value = value.or_else(|| any.double_value.map(|Double(v)| any_value::Value::DoubleValue(v)));
        let value = value.or_else(|| {
            any.array_value.map(|list| any_value::Value::ArrayValue(ArrayValue { values: all(list.values) }))
        });
        let value = value.or_else(|| {
            any.kvlist_value.map(|list| any_value::Value::KvlistValue(KeyValueList { values: all(list.values) }))
        });
        common::AnyValue { value: value.or_else(|| any.bytes_value.map(|Base64(v)| any_value::Value::BytesValue(v))) }
    }
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new", deserialize_with = "or_default", bound(deserialize = "T: Deserialize<'de>"))]
    values: Vec<T>,
}

fn all<J: Into<M>, M>(items: Vec<J>) -> Vec<M> {
    items.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::text::only;

    #[test]
    fn json_of_other_writers_is_read() {
        let text = r#"{"unknown": [1, {"a": null}], "kind": "SPAN_KIND_SERVER", "name": "a\u0041", "traceId": "0A0b",
            "spanId": "", "startTimeUnixNano": 7, "endTimeUnixNano": "8", "status": {"code": "STATUS_CODE_ERROR"},
            "attributes": [{"key": "i", "value": {"intValue": 1}}, {"key": "t", "value": {"intValue": "-2"}},
                {"key": "d", "value": {"doubleValue": "NaN"}}, {"key": "w", "value": {"doubleValue": 3}},
                {"key": "l", "value": {"arrayValue": {}}}, {"key": "n"}]}"#;
        let read = |text: &'static str| message::<Span, trace::Span>(Some(only(text.as_bytes()).unwrap()));
        let span = read(text).unwrap();
        assert_eq!((span.kind, &*span.name, &*span.trace_id), (2, "aA", &[10, 11][..]));
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano, span.status.unwrap().code), (7, 8, 2));
        let value = |i: usize| span.attributes[i].value.clone().and_then(|any| any.value);
        assert_eq!((value(0), value(1)), (Some(any_value::Value::IntValue(1)), Some(any_value::Value::IntValue(-2))));
        assert!(matches!(value(2), Some(any_value::Value::DoubleValue(v)) if v.is_nan()));
        assert_eq!(value(3), Some(any_value::Value::DoubleValue(3.0)));
        assert_eq!((value(4), value(5)), (Some(any_value::Value::ArrayValue(ArrayValue { values: vec![] })), None));
        for damaged in [r#"{"traceId": "xy"}"#, r#"{"kind": "SERVER"}"#, r#"{"flags": -1}"#, "7"] {
            assert!(read(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn null_means_the_same_as_an_absent_field() {
        let text = r#"{"traceId": null, "spanId": null, "traceState": null, "parentSpanId": null, "flags": null, "name": null,
            "kind": null, "startTimeUnixNano": null, "endTimeUnixNano": null, "attributes": null, "droppedAttributesCount": null,
            "events": null, "droppedEventsCount": null, "links": null, "droppedLinksCount": null, "status": null}"#;
        assert_eq!(message::<Span, trace::Span>(Some(only(text.as_bytes()).unwrap())).unwrap(), trace::Span::default());
        let text = r#"{"attributes": [{"key": null, "value": null}], "status": {"message": null, "code": null}, "events":
            [{"timeUnixNano": null, "name": null, "attributes": null}], "links": [{"traceId": null, "attributes": null}]}"#;
        let span = message::<Span, trace::Span>(Some(only(text.as_bytes()).unwrap())).unwrap();
        assert_eq!((span.attributes.len(), span.events.len(), span.links.len()), (1, 1, 1));
        let text = r#"{"attributes": null, "droppedAttributesCount": null, "entityRefs": [{"idKeys": null}]}"#;
        let resource: resource::Resource = message::<Resource, _>(Some(only(text.as_bytes()).unwrap())).unwrap();
        assert_eq!(resource.entity_refs, [common::EntityRef::default()]);
    }

    #[test]
    fn ids_are_hexadecimal_or_base64() {
        let (trace, span) = ([0x5b; 16], [0xee; 8]);
        for (trace_id, span_id) in [
            ("5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b", "EEeeeeeeeeeeeeee"),
            ("W1tbW1tbW1tbW1tbW1tbWw==", "7u7u7u7u7u4="),
            ("W1tbW1tbW1tbW1tbW1tbWw", "7u7u7u7u7u4"),
        ] {
            let text = format!(r#"{{"traceId": "{trace_id}", "spanId": "{span_id}"}}"#);
            let read: trace::Span = message::<Span, _>(Some(only(text.as_bytes()).unwrap())).unwrap();
            assert_eq!((&*read.trace_id, &*read.span_id), (&trace[..], &span[..]), "{text}");
        }
    }

    #[test]
    fn damage_is_reported_at_its_byte() {
        let text = "{\n \"name\": \"a\",\n \"kind\": \"x\"}";
        let damage = message::<Span, trace::Span>(Some(only(text.as_bytes()).unwrap())).unwrap_err();
        assert!(text.get(damage.offset as usize..).is_some_and(|rest| rest.len() < 4), "{damage}");
        assert!(damage.reason.starts_with("`x` is not one of SPAN_KIND_UNSPECIFIED"), "{damage}");
    }

    #[test]
    fn a_message_of_too_many_parts_is_refused() {
        for unit in ["{}", r#"{"attributes":[{}]}"#] {
            let text = format!(r#"{{"events":[{}]}}"#, vec![unit; MOST_PARTS].join(","));
            let damage = message::<Span, trace::Span>(Some(only(text.as_bytes()).unwrap())).unwrap_err();
            assert!(damage.reason.starts_with("more than 65536"), "{damage}");
        }
        let text = format!(r#"{{"entityRefs":[{{"idKeys":[{}]}}]}}"#, vec!["\"\""; MOST_PARTS + 1].join(","));
        let resource = message::<Resource, resource::Resource>(Some(only(text.as_bytes()).unwrap()));
        assert!(resource.unwrap_err().reason.contains("at most 65536 texts"));
    }
}
