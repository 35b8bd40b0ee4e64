//! The answers of Jaeger's HTTP API. Kind, status, scope and trace state of a span are among its tags.

use crate::otlp::MOST_PARTS;
use crate::otlp::damage::Damage;
use crate::otlp::text::{Fields, Items, Value, only};
use crate::plan::SpanKind;
use crate::trace::{Attributes, OwnedDatum, Scope, Status, StoredEvent, StoredLink, StoredSpan, TraceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A microsecond in ns.
const MICROSECOND: u64 = 1_000;

/// An answer with an error.
#[derive(Deserialize)]
struct Problems {
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    msg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(rename = "spanID")]
    id: String,
    operation_name: String,
    #[serde(default, deserialize_with = "nullable")]
    references: Vec<Reference>,
    /// The start in us since 1970.
    start_time: u64,
    /// The duration in us.
    duration: u64,
    #[serde(default, deserialize_with = "nullable")]
    tags: Vec<Tag>,
    #[serde(default, deserialize_with = "nullable")]
    logs: Vec<Log>,
    #[serde(default, rename = "processID")]
    process: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "traceID")]
    trace: String,
    #[serde(rename = "spanID")]
    span: String,
}

#[derive(Deserialize)]
struct Log {
    /// The time in us since 1970.
    timestamp: u64,
    #[serde(default, deserialize_with = "nullable")]
    fields: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    #[serde(default, deserialize_with = "nullable")]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    r#type: String,
    value: Box<RawValue>,
}

/// Reads a list or map. Go writes one to which nothing was ever added as `null`.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Reports whether the list in an answer is empty.
///
/// # Errors
/// The body is not an answer of this API.
pub fn is_empty_list(body: &[u8]) -> Result<bool, Damage> {
    Ok(data(body)?.next().transpose()?.is_none())
}

fn data(body: &[u8]) -> Result<Items<'_>, Damage> {
    Ok(Items::new(field(only(body)?, "data")?))
}

/// Returns a required field.
fn field<'t>(object: Value<'t>, name: &str) -> Result<Value<'t>, Damage> {
    for field in Fields::new(object) {
        let (key, value) = field?;
        if key == name {
            return Ok(value);
        }
    }
    Err(Damage::new(0, format!("there is no `{name}`")))
}

/// Returns the error message of an answer without data.
pub fn problem(body: &[u8]) -> Option<String> {
    let Problems { errors } = serde_json::from_slice(body).ok()?;
    Some(errors.into_iter().next()?.msg.chars().take(200).collect())
}

/// Calls `show` with every span of an answer of `/api/traces`, one at a time. A trace that Jaeger does not have is not in
/// the answer.
///
/// # Errors
/// The body is not such an answer, or a span in it can't be read; the spans before that place have been shown.
pub fn for_each_span(body: &[u8], mut show: impl FnMut(TraceId, StoredSpan)) -> Result<(), Damage> {
    for trace in data(body)? {
        let trace = trace?;
        let part = |name| field(trace, name).map_err(|damage| damage.moved(trace.place(body)));
        let (id, spans, processes) = (part("traceID")?, part("spans")?, part("processes")?);
        let id = trace_id(&read::<String>(id, body)?);
        // Go writes a list or map to which nothing was ever added as `null`.
        let processes = read::<Option<HashMap<String, Process>>>(processes, body)?.unwrap_or_default();
        for span in Items::new(spans) {
            let span: Span = read(span.map_err(|damage| damage.moved(spans.place(body)))?, body)?;
            let process = processes.get(&span.process);
            show(id, span.stored(id, process));
        }
    }
    Ok(())
}

/// Decodes a part of an answer.
fn read<T: DeserializeOwned>(value: Value<'_>, body: &[u8]) -> Result<T, Damage> {
    if value.objects > MOST_PARTS {
        return Err(Damage::new(value.place(body), format!("more than {MOST_PARTS} tags, logs and references in one")));
    }
    serde_json::from_slice(value.text).map_err(|error| Damage::new(value.place(body), error))
}

impl Span {
    fn stored(self, trace: TraceId, process: Option<&Process>) -> StoredSpan {
        let Span { id, operation_name, mut references, start_time, duration, tags, logs, .. } = self;
        let is_parent = |first: &Reference| first.ref_type == "CHILD_OF" && trace_id(&first.trace) == trace;
        // Jaeger writes the parent before the links.
        let parent = references.first().is_some_and(is_parent).then(|| references.remove(0));
        let tags = tags.iter().filter(|tag| tag.key != WARNINGS);
        let mut tags = Tags::new(tags.map(|tag| (tag.key.clone(), tag.datum())).collect());
        let trace_state = tags.own("w3c.tracestate", text);
        let status = tags.own("otel.status_code", |value| text(value).filter(|code| code == "ERROR" || code == "OK"));
        let status = match status.as_deref() {
            Some("ERROR") => {
                tags.own("error", |value| (*value == OwnedDatum::Bool(true)).then_some(()));
                Status::Error(tags.own("otel.status_description", text).unwrap_or_default())
            }
            Some(_) => Status::Ok,
            None => Status::Unset,
        };
        let kind = tags.own("span.kind", kind).unwrap_or(SpanKind::Unspecified);
        let name = tags.first("otel.scope.name", text).unwrap_or_default();
        let version = tags.first("otel.scope.version", text).unwrap_or_default();
        let service = process.map_or("", |process| &process.service_name);
        let mut resource = vec![("service.name".to_string(), OwnedDatum::Text(service.into()))];
        resource.extend(process.iter().flat_map(|process| attributes(&process.tags)));
        StoredSpan {
            id: span_id(&id),
            parent: parent.map(|parent| span_id(&parent.span)),
            name: operation_name,
            kind,
            service: service.into(),
            scope: Scope { name, version },
            trace_state: trace_state.unwrap_or_default(),
            flags: None,
            start: start_time.saturating_mul(MICROSECOND),
            duration: duration.saturating_mul(MICROSECOND),
            status,
            resource,
            attributes: tags.attributes,
            events: logs.iter().map(event).collect(),
            links: references.iter().map(link).collect(),
        }
    }
}

/// The attribute in which Jaeger keeps what it did to a span, such as that a span without a duration got one. It does so in a
/// tag if a span has come twice, and else apart from the tags.
const WARNINGS: &str = "@jaeger@warnings";
/// The tags that Jaeger writes behind the attributes, in this order. The tags of the scope stand before the attributes.
const OWN: [&str; 5] = ["span.kind", "otel.status_code", "error", "otel.status_description", "w3c.tracestate"];

/// The tags of a span, from which Jaeger's own are removed one by one. An attribute may have the same name as one of
/// Jaeger's tags.
struct Tags {
    attributes: Attributes,
    /// The index where Jaeger's own tags begin. It is 0 if the storage did not keep the order; then they are recognized by
    /// their names only.
    own: usize,
}

impl Tags {
    fn new(attributes: Attributes) -> Tags {
        let last_kind = attributes.iter().rposition(|(name, value)| name == OWN[0] && kind(value).is_some());
        let in_order = |at: &usize| attributes[*at..].iter().all(|(name, _)| OWN.contains(&name.as_str()));
        Tags { own: last_kind.filter(in_order).unwrap_or(0), attributes }
    }

    /// Removes the last tag of Jaeger's own with that key whose value `read` accepts, and returns that value.
    fn own<T>(&mut self, key: &str, read: impl Fn(&OwnedDatum) -> Option<T>) -> Option<T> {
        let own = &self.attributes[self.own..];
        let at = own.iter().rposition(|(name, value)| name == key && read(value).is_some())?;
        read(&self.attributes.remove(self.own + at).1)
    }

    /// Removes the first tag with that key whose value `read` accepts, and returns that value.
    fn first<T>(&mut self, key: &str, read: impl Fn(&OwnedDatum) -> Option<T>) -> Option<T> {
        let at = self.attributes.iter().position(|(name, value)| name == key && read(value).is_some())?;
        read(&self.attributes.remove(at).1)
    }
}

/// Converts an event. Its name is in the first field, unless it has an attribute `event`.
fn event(log: &Log) -> StoredEvent {
    let mut fields = attributes(&log.fields);
    let is_name = |(key, value): &(String, OwnedDatum)| key == "event" && text(value).is_some();
    let name = fields.iter().position(is_name).and_then(|at| text(&fields.remove(at).1));
    StoredEvent { time: log.timestamp.saturating_mul(MICROSECOND), name: name.unwrap_or_default(), attributes: fields }
}

fn link(reference: &Reference) -> StoredLink {
    StoredLink {
        trace_id: trace_id(&reference.trace),
        span_id: span_id(&reference.span),
        trace_state: String::new(),
        attributes: vec![],
    }
}

fn attributes(tags: &[Tag]) -> Attributes {
    tags.iter().map(|tag| (tag.key.clone(), tag.datum())).collect()
}

impl Tag {
    /// Converts the value. An integer that JavaScript would round is written as a string.
    fn datum(&self) -> OwnedDatum {
        let json = self.value.get();
        let scalar = match &*self.r#type {
            "bool" => json.parse().ok().map(OwnedDatum::Bool),
            "int64" => json.trim_matches('"').parse().ok().map(OwnedDatum::Int),
            "float64" if !json.starts_with('"') => json.parse().ok().map(OwnedDatum::Double),
            _ => None,
        };
        scalar.unwrap_or_else(|| OwnedDatum::Text(serde_json::from_str(json).unwrap_or_else(|_| json.into())))
    }
}

fn text(value: &OwnedDatum) -> Option<String> {
    match value {
        OwnedDatum::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn kind(value: &OwnedDatum) -> Option<SpanKind> {
    let text = text(value)?;
    SpanKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(&text))
}

/// Parses a trace id, which may lack leading zeros; 0 if the text is not one.
fn trace_id(text: &str) -> TraceId {
    let is_sign = text.starts_with('+');
    u128::from_str_radix(text, 16).ok().filter(|_| !is_sign).unwrap_or_default().to_be_bytes()
}

fn span_id(text: &str) -> u64 {
    u64::try_from(u128::from_be_bytes(trace_id(text))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        Tags::new(pairs.iter().map(|(key, value)| (key.to_string(), OwnedDatum::Text(value.to_string()))).collect())
    }

    #[test]
    fn an_attribute_may_have_the_name_of_one_of_jaegers_own_tags() {
        let mut ordered = tags(&[
            ("span.kind", "mine"),
            ("w3c.tracestate", "mine"),
            ("span.kind", "server"),
            ("otel.status_code", "OK"),
        ]);
        assert_eq!(
            (ordered.own("w3c.tracestate", text), ordered.own("otel.status_code", text)),
            (None, Some("OK".into()))
        );
        assert_eq!((ordered.own("span.kind", kind), ordered.attributes.len()), (Some(SpanKind::Server), 2));
        // Some storage does not keep the order.
        let mut unordered = tags(&[("otel.status_code", "OK"), ("span.kind", "server"), ("a", "b")]);
        assert_eq!(
            (unordered.own("otel.status_code", text), unordered.own("span.kind", kind)),
            (Some("OK".into()), Some(SpanKind::Server))
        );
        assert_eq!(unordered.attributes, [("a".into(), OwnedDatum::Text("b".into()))]);
    }

    #[test]
    fn values_keep_their_types() {
        let datum = |json: &str| serde_json::from_str::<Tag>(json).map(|tag| tag.datum()).ok();
        for (json, value) in [
            (r#"{"key":"a","type":"int64","value":7}"#, OwnedDatum::Int(7)),
            (r#"{"key":"a","type":"int64","value":"9007199254740993"}"#, OwnedDatum::Int(9_007_199_254_740_993)),
            (r#"{"key":"a","type":"float64","value":5}"#, OwnedDatum::Double(5.0)),
            (r#"{"key":"a","type":"bool","value":true}"#, OwnedDatum::Bool(true)),
            (r#"{"key":"a","type":"string","value":"7"}"#, OwnedDatum::Text("7".into())),
            (r#"{"key":"a","type":"new","value":[7]}"#, OwnedDatum::Text("[7]".into())),
        ] {
            assert_eq!(datum(json), Some(value), "{json}");
        }
    }

    #[test]
    fn an_answer_with_an_error_is_reported() {
        let read = |text: &str| {
            let mut spans = 0;
            for_each_span(text.as_bytes(), |_, _| spans += 1).map(|()| spans)
        };
        let nameless = r#"{"data":[{"traceID":"1","processes":{},"spans":[{}]}]}"#;
        for text in ["", "<html>", "[]", "{}", r#"{"data":7}"#, r#"{"data":[{"traceID":"1"}]}"#, nameless] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read(r#"{"data":null,"errors":[{"msg":"trace not found"}]}"#), Ok(0));
        assert_eq!(read(r#"{"data":[{"traceID":"1","spans":null,"processes":null}]}"#), Ok(0));
        assert_eq!((is_empty_list(br#"{"data":null}"#), is_empty_list(br#"{"data":["a"]}"#)), (Ok(true), Ok(false)));
    }
}
