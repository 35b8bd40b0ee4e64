//! What Jaeger's HTTP API answers, and how it writes a span: kind, status, scope and trace state stand among the tags.

use crate::otlp::MOST_PARTS;
use crate::otlp::damage::Damage;
use crate::otlp::text::{Fields, Items, Value, only};
use crate::plan::SpanKind;
use crate::trace::{Attributes, OwnedDatum, Status, StoredEvent, StoredLink, StoredSpan, TraceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// ns.
const MICROSECOND: u64 = 1_000;

/// An answer that says why there is none.
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
    /// us since 1970.
    start_time: u64,
    /// us.
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
    /// us since 1970.
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

/// Go writes an empty list as `null` where nothing was ever put into it.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Whether the list of an answer has nothing in it.
///
/// # Errors
/// It is no answer.
pub fn is_empty_list(body: &[u8]) -> Result<bool, Damage> {
    Ok(data(body)?.next().transpose()?.is_none())
}

fn data(body: &[u8]) -> Result<Items<'_>, Damage> {
    Ok(Items::new(field(only(body)?.text, "data")?.text))
}

/// A field that has to be there.
fn field<'t>(object: &'t [u8], name: &str) -> Result<Value<'t>, Damage> {
    for field in Fields::new(object) {
        let (key, value) = field?;
        if key == name {
            return Ok(value);
        }
    }
    Err(Damage::new(0, format!("there is no `{name}`")))
}

/// What an answer without data says.
pub fn problem(body: &[u8]) -> Option<String> {
    let Problems { errors } = serde_json::from_slice(body).ok()?;
    Some(errors.into_iter().next()?.msg.chars().take(200).collect())
}

/// Show every span of an answer of `/api/traces`, one at a time. A trace that Jaeger does not have is not in it.
///
/// # Errors
/// It is no answer, or a span in it can't be read; the spans before that place have been shown.
pub fn for_each_span(body: &[u8], mut show: impl FnMut(TraceId, StoredSpan)) -> Result<(), Damage> {
    for trace in data(body)? {
        let trace = trace?;
        let part = |name| field(trace.text, name).map_err(|damage| damage.moved(trace.place(body)));
        let (id, spans, processes) = (part("traceID")?, part("spans")?, part("processes")?);
        let id = trace_id(&read::<String>(id, body)?);
        // Go writes an empty list or map as `null` where nothing was ever put into it.
        let processes = read::<Option<HashMap<String, Process>>>(processes, body)?.unwrap_or_default();
        for span in Items::new(spans.text) {
            let span: Span = read(span.map_err(|damage| damage.moved(spans.place(body)))?, body)?;
            let process = processes.get(&span.process);
            show(id, span.stored(id, process));
        }
    }
    Ok(())
}

/// A part of an answer.
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
        // The parent stands before the links.
        let parent = references.first().is_some_and(is_parent).then(|| references.remove(0));
        let mut tags = Tags::new(attributes(&tags));
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
        let kind = tags.own("span.kind", kind);
        let scope = tags.first("otel.scope.name", text);
        let service = process.map_or("", |process| &process.service_name);
        let mut resource = vec![("service.name".to_string(), OwnedDatum::Text(service.into()))];
        resource.extend(process.iter().flat_map(|process| attributes(&process.tags)));
        StoredSpan {
            id: span_id(&id),
            parent: parent.map(|parent| span_id(&parent.span)),
            name: operation_name,
            kind,
            service: service.into(),
            scope: scope.unwrap_or_default(),
            trace_state: trace_state.unwrap_or_default(),
            flags: None,
            start: start_time.saturating_mul(MICROSECOND),
            duration: duration.saturating_mul(MICROSECOND),
            status,
            resource,
            attributes: tags.all,
            events: logs.iter().map(event).collect(),
            links: references.iter().map(link).collect(),
        }
    }
}

/// What Jaeger writes behind the attributes, in this order; the scope stands before them.
const OWN: [&str; 5] = ["span.kind", "otel.status_code", "error", "otel.status_description", "w3c.tracestate"];

/// Of which Jaeger's own are taken out. An attribute may have the name of one.
struct Tags {
    all: Attributes,
    /// Where Jaeger's own begin; 0: the store behind it did not keep the order, and they are known by their names alone.
    own: usize,
}

impl Tags {
    fn new(all: Attributes) -> Tags {
        let last_kind = all.iter().rposition(|(name, value)| name == OWN[0] && kind(value).is_some());
        let in_order = |at: &usize| all[*at..].iter().all(|(name, _)| OWN.contains(&name.as_str()));
        Tags { own: last_kind.filter(in_order).unwrap_or(0), all }
    }

    /// Take out the last of that name that reads as wanted.
    fn own<T>(&mut self, key: &str, read: impl Fn(&OwnedDatum) -> Option<T>) -> Option<T> {
        let own = &self.all[self.own..];
        let at = own.iter().rposition(|(name, value)| name == key && read(value).is_some())?;
        read(&self.all.remove(self.own + at).1)
    }

    /// Take out the first.
    fn first<T>(&mut self, key: &str, read: impl Fn(&OwnedDatum) -> Option<T>) -> Option<T> {
        let at = self.all.iter().position(|(name, value)| name == key && read(value).is_some())?;
        read(&self.all.remove(at).1)
    }
}

/// The name of an event is its first field, unless it has an attribute of that name.
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
    /// An integer that JavaScript would round stands there as text.
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
    use SpanKind::*;
    let text = text(value)?;
    [Internal, Server, Client, Producer, Consumer].into_iter().find(|kind| kind.name().eq_ignore_ascii_case(&text))
}

/// Zeros in front may be missing. 0: not an id.
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
        let mut of = tags(&[
            ("span.kind", "mine"),
            ("w3c.tracestate", "mine"),
            ("span.kind", "server"),
            ("otel.status_code", "OK"),
        ]);
        assert_eq!((of.own("w3c.tracestate", text), of.own("otel.status_code", text)), (None, Some("OK".into())));
        assert_eq!((of.own("span.kind", kind), of.all.len()), (Some(SpanKind::Server), 2));
        // A store that does not keep the order.
        let mut of = tags(&[("otel.status_code", "OK"), ("span.kind", "server"), ("a", "b")]);
        assert_eq!(
            (of.own("otel.status_code", text), of.own("span.kind", kind)),
            (Some("OK".into()), Some(SpanKind::Server))
        );
        assert_eq!(of.all, [("a".into(), OwnedDatum::Text("b".into()))]);
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
    fn what_is_no_answer_is_told() {
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
