//! OTLP JSON: a request to the texts of its spans, and one of these to the message it stands for. Reads what any writer may
//! write: fields in any order, unknown ones, defaults left out or not, numbers as text, enums as numbers or names.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    self as common, ArrayValue, EntityRef, InstrumentationScope, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1 as resource;
use opentelemetry_proto::tonic::trace::v1 as trace;
use serde::de::{DeserializeOwned, Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An `ExportTraceServiceRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow, default)]
    pub resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub scope_spans: Vec<ScopeSpans<'a>>,
    #[serde(default)]
    pub schema_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopeSpans<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub spans: Vec<&'a RawValue>,
    #[serde(default)]
    pub schema_url: String,
}

impl ResourceSpans<'_> {
    /// As it is written; empty where there is none.
    pub fn resource(&self) -> &str {
        self.resource.map_or("", RawValue::get)
    }
}

impl ScopeSpans<'_> {
    /// As it is written; empty where there is none.
    pub fn scope(&self) -> &str {
        self.scope.map_or("", RawValue::get)
    }
}

/// The message that a text stands for; the default one for no text.
pub fn message<J: DeserializeOwned + Into<M>, M: Default>(text: &str) -> serde_json::Result<M> {
    if text.is_empty() { Ok(M::default()) } else { serde_json::from_str::<J>(text).map(Into::into) }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct Resource {
    attributes: Vec<KeyValue>,
    dropped_attributes_count: u32,
    /// Counted alone: tracegen never sends one.
    entity_refs: Vec<IgnoredAny>,
}

impl From<Resource> for resource::Resource {
    fn from(Resource { attributes, dropped_attributes_count, entity_refs }: Resource) -> Self {
        let entity_refs = entity_refs.iter().map(|_| EntityRef::default()).collect();
        resource::Resource { attributes: all(attributes), dropped_attributes_count, entity_refs }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub struct Scope {
    name: String,
    version: String,
    attributes: Vec<KeyValue>,
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
    #[serde(deserialize_with = "hex")]
    trace_id: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    span_id: Vec<u8>,
    trace_state: String,
    #[serde(deserialize_with = "hex")]
    parent_span_id: Vec<u8>,
    flags: u32,
    name: String,
    #[serde(deserialize_with = "kind")]
    kind: i32,
    #[serde(deserialize_with = "number")]
    start_time_unix_nano: u64,
    #[serde(deserialize_with = "number")]
    end_time_unix_nano: u64,
    attributes: Vec<KeyValue>,
    dropped_attributes_count: u32,
    events: Vec<Event>,
    dropped_events_count: u32,
    links: Vec<Link>,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Event {
    #[serde(deserialize_with = "number")]
    time_unix_nano: u64,
    name: String,
    attributes: Vec<KeyValue>,
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
    #[serde(deserialize_with = "hex")]
    trace_id: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    span_id: Vec<u8>,
    trace_state: String,
    attributes: Vec<KeyValue>,
    dropped_attributes_count: u32,
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
    message: String,
    #[serde(deserialize_with = "status_code")]
    code: i32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KeyValue {
    key: String,
    value: Option<AnyValue>,
}

impl From<KeyValue> for common::KeyValue {
    fn from(KeyValue { key, value }: KeyValue) -> Self {
        common::KeyValue { key, value: value.map(Into::into), ..Default::default() }
    }
}

/// The first field that is there holds.
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
    /// Shown as it is written.
    bytes_value: Option<String>,
}

impl From<AnyValue> for common::AnyValue {
    fn from(any: AnyValue) -> Self {
        let value = any.string_value.map(Value::StringValue);
        let value = value.or_else(|| any.bool_value.map(Value::BoolValue));
        let value = value.or_else(|| any.int_value.map(|Int(v)| Value::IntValue(v)));
        let value = value.or_else(|| any.double_value.map(|Double(v)| Value::DoubleValue(v)));
        let value =
            value.or_else(|| any.array_value.map(|list| Value::ArrayValue(ArrayValue { values: all(list.values) })));
        let value = value
            .or_else(|| any.kvlist_value.map(|list| Value::KvlistValue(KeyValueList { values: all(list.values) })));
        common::AnyValue { value: value.or_else(|| any.bytes_value.map(|v| Value::BytesValue(v.into_bytes()))) }
    }
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

fn all<J: Into<M>, M>(items: Vec<J>) -> Vec<M> {
    items.into_iter().map(Into::into).collect()
}

/// A number, or its text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Either<N> {
    Number(N),
    Text(String),
}

struct Int(i64);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Int, D::Error> {
        Ok(Int(match Either::deserialize(from)? {
            Either::Number(v) => v,
            Either::Text(text) => text.parse().map_err(D::Error::custom)?,
        }))
    }
}

/// `NaN` and `Infinity` are texts.
struct Double(f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Double, D::Error> {
        Ok(Double(match Either::deserialize(from)? {
            Either::Number(v) => v,
            Either::Text(text) => text.parse().map_err(D::Error::custom)?,
        }))
    }
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match Either::deserialize(from)? {
        Either::Number(v) => Ok(v),
        Either::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

fn hex<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.ok_or_else(|| D::Error::custom("an id is not hexadecimal"))?;
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// By number, or by one of `names`, which are those of 0, 1, ...
fn named<'de, D: Deserializer<'de>>(from: D, names: &[&str]) -> Result<i32, D::Error> {
    match Either::deserialize(from)? {
        Either::Number(v) => Ok(v),
        Either::Text(text) => match names.iter().position(|name| *name == text) {
            Some(number) => Ok(number as i32),
            None => Err(D::Error::custom(format!("`{text}` is none of {}", names.join(", ")))),
        },
    }
}

fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    named(
        from,
        &[
            "SPAN_KIND_UNSPECIFIED",
            "SPAN_KIND_INTERNAL",
            "SPAN_KIND_SERVER",
            "SPAN_KIND_CLIENT",
            "SPAN_KIND_PRODUCER",
            "SPAN_KIND_CONSUMER",
        ],
    )
}

fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    named(from, &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_is_read() {
        let text = r#"{"unknown": [1, {"a": null}], "kind": "SPAN_KIND_SERVER", "name": "a\u0041", "traceId": "0A0b",
            "spanId": "", "startTimeUnixNano": 7, "endTimeUnixNano": "8", "status": {"code": "STATUS_CODE_ERROR"},
            "attributes": [{"key": "i", "value": {"intValue": 1}}, {"key": "t", "value": {"intValue": "-2"}},
                {"key": "d", "value": {"doubleValue": "NaN"}}, {"key": "w", "value": {"doubleValue": 3}},
                {"key": "l", "value": {"arrayValue": {}}}, {"key": "n"}]}"#;
        let span: trace::Span = message::<Span, _>(text).unwrap();
        assert_eq!((span.kind, &*span.name, &*span.trace_id), (2, "aA", &[10, 11][..]));
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano, span.status.unwrap().code), (7, 8, 2));
        let value = |i: usize| span.attributes[i].value.clone().and_then(|any| any.value);
        assert_eq!((value(0), value(1)), (Some(Value::IntValue(1)), Some(Value::IntValue(-2))));
        assert!(matches!(value(2), Some(Value::DoubleValue(v)) if v.is_nan()));
        assert_eq!(value(3), Some(Value::DoubleValue(3.0)));
        assert_eq!((value(4), value(5)), (Some(Value::ArrayValue(ArrayValue { values: vec![] })), None));
        for damaged in [r#"{"traceId": "xy"}"#, r#"{"kind": "SERVER"}"#, r#"{"flags": -1}"#, "{", "7"] {
            assert!(message::<Span, trace::Span>(damaged).is_err(), "{damaged}");
        }
    }
}
