//! What Jaeger's HTTP API answers, and how it writes a span: kind, status, scope and trace state stand among the tags.

use crate::plan::SpanKind;
use crate::store::{Attributes, Status, StoredEvent, StoredLink, StoredSpan, TraceId};
use crate::trace::OwnedDatum;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::HashMap;

/// ns.
const MICROSECOND: u64 = 1_000;

/// An answer of `/api/traces`.
#[derive(Deserialize)]
pub struct Answer {
    #[serde(deserialize_with = "nullable")]
    data: Vec<Trace>,
}

/// An answer whose data mean nothing here.
#[derive(Deserialize)]
struct Listed {
    #[serde(deserialize_with = "nullable")]
    data: Vec<Value>,
}

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
struct Trace {
    #[serde(rename = "traceID")]
    id: String,
    #[serde(deserialize_with = "nullable")]
    spans: Vec<Span>,
    #[serde(deserialize_with = "nullable")]
    processes: HashMap<String, Process>,
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
    value: Value,
}

/// Go writes an empty list as `null` where nothing was ever put into it.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Whether the list of an answer has nothing in it.
pub fn is_empty_list(body: &[u8]) -> Result<bool, serde_json::Error> {
    serde_json::from_slice(body).map(|Listed { data }| data.is_empty())
}

/// What an answer without data says.
pub fn problem(body: &[u8]) -> Option<String> {
    let Problems { errors } = serde_json::from_slice(body).ok()?;
    Some(errors.into_iter().next()?.msg.chars().take(200).collect())
}

impl Answer {
    /// A trace that Jaeger does not have is not in it.
    pub fn read(body: &[u8]) -> Result<Answer, serde_json::Error> {
        serde_json::from_slice(body)
    }

    pub fn spans(self) -> impl Iterator<Item = (TraceId, StoredSpan)> {
        self.data.into_iter().flat_map(|Trace { id, spans, processes }| {
            let trace = trace_id(&id);
            spans.into_iter().map(move |span| {
                let process = processes.get(&span.process);
                (trace, span.stored(trace, process))
            })
        })
    }
}

impl Span {
    fn stored(self, trace: TraceId, process: Option<&Process>) -> StoredSpan {
        let Span { id, operation_name, mut references, start_time, duration, tags, logs, .. } = self;
        let is_parent = |first: &Reference| first.ref_type == "CHILD_OF" && trace_id(&first.trace) == trace;
        // The parent stands before the links.
        let parent = references.first().is_some_and(is_parent).then(|| references.remove(0));
        let mut tags = Tags(attributes(&tags));
        // What Jaeger adds behind the attributes is the last of its name; the scope stands before them.
        let trace_state = tags.last("w3c.tracestate", text);
        let kind = tags.last("span.kind", |value| kind(value));
        let status =
            match tags.last("otel.status_code", |value| text(value).filter(|code| code == "ERROR" || code == "OK")) {
                Some(code) if code == "ERROR" => {
                    tags.last("error", |value| (*value == OwnedDatum::Bool(true)).then_some(()));
                    Status::Error(tags.last("otel.status_description", text).unwrap_or_default())
                }
                Some(_) => Status::Ok,
                None => Status::Unset,
            };
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
            attributes: tags.0,
            events: logs.iter().map(event).collect(),
            links: references.iter().map(link).collect(),
        }
    }
}

/// Tags of a span, of which Jaeger's own are taken out.
struct Tags(Attributes);

impl Tags {
    /// Take out the last tag of that name that reads as wanted.
    fn last<T>(&mut self, key: &str, read: impl Fn(&OwnedDatum) -> Option<T>) -> Option<T> {
        let at = self.0.iter().rposition(|(name, value)| name == key && read(value).is_some())?;
        read(&self.0.remove(at).1)
    }

    /// The first one.
    fn first<T>(&mut self, key: &str, read: impl Fn(&OwnedDatum) -> Option<T>) -> Option<T> {
        let at = self.0.iter().position(|(name, value)| name == key && read(value).is_some())?;
        read(&self.0.remove(at).1)
    }
}

/// The name of an event is its first field, unless it has an attribute of that name.
fn event(log: &Log) -> StoredEvent {
    let mut fields = Tags(attributes(&log.fields));
    let name = fields.first("event", text).unwrap_or_default();
    StoredEvent { time: log.timestamp.saturating_mul(MICROSECOND), name, attributes: fields.0 }
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
        let number = match (&*self.r#type, &self.value) {
            ("bool", Value::Bool(value)) => Some(OwnedDatum::Bool(*value)),
            ("int64", Value::Number(value)) => value.as_i64().map(OwnedDatum::Int),
            ("int64", Value::String(value)) => value.parse().ok().map(OwnedDatum::Int),
            ("float64", Value::Number(value)) => value.as_f64().map(OwnedDatum::Double),
            _ => None,
        };
        number.unwrap_or_else(|| match &self.value {
            Value::String(text) => OwnedDatum::Text(text.clone()),
            other => OwnedDatum::Text(other.to_string()),
        })
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
    u128::from_str_radix(text, 16).unwrap_or_default().to_be_bytes()
}

fn span_id(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_default()
}
