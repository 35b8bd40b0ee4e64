//! Spans from a file, from ClickHouse and from Jaeger in one form. Attributes are text, because ClickHouse keeps no types.

#![allow(dead_code, reason = "each test takes what it needs")]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use std::collections::BTreeMap;

type Attributes = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub trace: String,
    pub id: String,
    /// The id of the parent; empty for a root.
    pub parent: String,
    pub service: String,
    pub name: String,
    pub kind: String,
    /// The start in ns since 1970.
    pub start: u64,
    /// The duration in ns.
    pub duration: u64,
    pub status: String,
    pub message: String,
    pub resource: Attributes,
    pub attributes: Attributes,
    pub events: Vec<(u64, String, Attributes)>,
    /// The links, as trace id and span id.
    pub links: Vec<(String, String)>,
}

impl Seen {
    /// Converts the span to Jaeger's form: in microseconds, with the service's name apart.
    pub fn in_microseconds(mut self) -> Seen {
        self.start -= self.start % 1_000;
        self.duration -= self.duration % 1_000;
        self.events.iter_mut().for_each(|(at, ..)| *at -= *at % 1_000);
        self
    }
}

/// Converts the spans of requests.
pub fn sent(requests: &[ExportTraceServiceRequest]) -> Vec<Seen> {
    let mut all = vec![];
    for of in requests.iter().flat_map(|request| &request.resource_spans) {
        let mut resource = attributes(&of.resource.as_ref().expect("a resource").attributes);
        let service = resource.remove("service.name").expect("named");
        for span in of.scope_spans.iter().flat_map(|scope| &scope.spans) {
            all.push(one_sent(&service, &resource, span));
        }
    }
    all.sort_unstable();
    all
}

fn one_sent(service: &str, resource: &Attributes, span: &Span) -> Seen {
    let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];
    let status = span.status.clone().unwrap_or_default();
    let events = span.events.iter();
    Seen {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        service: service.to_string(),
        name: span.name.clone(),
        kind: kinds[span.kind as usize].to_string(),
        start: span.start_time_unix_nano,
        duration: span.end_time_unix_nano - span.start_time_unix_nano,
        status: ["unset", "ok", "error"][status.code as usize].to_string(),
        message: status.message,
        resource: resource.clone(),
        attributes: attributes(&span.attributes),
        events: events.map(|e| (e.time_unix_nano, e.name.clone(), attributes(&e.attributes))).collect(),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn attributes(all: &[KeyValue]) -> Attributes {
    all.iter().map(|kv| (kv.key.clone(), plain(&json(kv.value.as_ref())))).collect()
}

fn json(value: Option<&AnyValue>) -> Value {
    use any_value::Value::{ArrayValue, BoolValue, DoubleValue, IntValue, StringValue};
    match value.and_then(|value| value.value.as_ref()) {
        Some(StringValue(text)) => text.as_str().into(),
        Some(IntValue(n)) => (*n).into(),
        // All of them write a whole number without a decimal point.
        Some(DoubleValue(n)) if n.fract() == 0.0 => (*n as i64).into(),
        Some(DoubleValue(n)) => (*n).into(),
        Some(BoolValue(b)) => (*b).into(),
        Some(ArrayValue(all)) => all.values.iter().map(|value| json(Some(value))).collect(),
        other => panic!("no scenario makes {other:?}"),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn text(row: &Value, name: &str) -> String {
    plain(&row[name])
}

fn number(value: &Value) -> u64 {
    plain(value).parse().unwrap_or_else(|_| panic!("{value} is no number"))
}

fn list<'a>(row: &'a Value, name: &str) -> &'a [Value] {
    row[name].as_array().map_or(&[], Vec::as_slice)
}

/// The columns that [`written`] reads.
pub const COLUMNS: &str = "TraceId, SpanId, ParentSpanId, ServiceName, SpanName, SpanKind, StatusCode, StatusMessage, \
    ResourceAttributes, SpanAttributes, Duration, toUnixTimestamp64Nano(Timestamp) AS Start, \
    arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp) AS EventTimes, Events.Name AS EventNames, \
    Events.Attributes AS EventAttributes, Links.TraceId AS LinkTraces, Links.SpanId AS LinkSpans";

/// Converts rows of `otel_traces`, given as JSON lines.
pub fn written(rows: &str) -> Vec<Seen> {
    let mut all: Vec<Seen> = rows.lines().map(|row| one_written(&serde_json::from_str(row).expect("JSON"))).collect();
    all.sort_unstable();
    all
}

fn one_written(row: &Value) -> Seen {
    let map = |value: &Value| -> Attributes {
        value.as_object().expect("a map").iter().map(|(key, value)| (key.clone(), plain(value))).collect()
    };
    let mut resource = map(&row["ResourceAttributes"]);
    let service = resource.remove("service.name").expect("named");
    assert_eq!(service, text(row, "ServiceName"));
    let events = list(row, "EventTimes").iter().zip(list(row, "EventNames")).zip(list(row, "EventAttributes"));
    let links = list(row, "LinkTraces").iter().zip(list(row, "LinkSpans"));
    Seen {
        trace: text(row, "TraceId"),
        id: text(row, "SpanId"),
        parent: text(row, "ParentSpanId"),
        service,
        name: text(row, "SpanName"),
        kind: text(row, "SpanKind").to_lowercase(),
        start: number(&row["Start"]),
        duration: number(&row["Duration"]),
        status: text(row, "StatusCode").to_lowercase(),
        message: text(row, "StatusMessage"),
        resource,
        attributes: map(&row["SpanAttributes"]),
        events: events.map(|((at, name), attributes)| (number(at), plain(name), map(attributes))).collect(),
        links: links.map(|(trace, span)| (plain(trace), plain(span))).collect(),
    }
}

/// Converts a trace of Jaeger's HTTP API, requested with `raw=true`.
pub fn in_jaeger(answer: &Value) -> Vec<Seen> {
    let trace = &answer["data"][0];
    let mut all: Vec<Seen> = list(trace, "spans")
        .iter()
        .map(|span| one_in_jaeger(span, &trace["processes"][text(span, "processID")]))
        .collect();
    all.sort_unstable();
    all
}

fn one_in_jaeger(span: &Value, process: &Value) -> Seen {
    let tags = |all: &[Value]| -> Attributes { all.iter().map(|tag| (text(tag, "key"), text(tag, "value"))).collect() };
    let mut attributes = tags(list(span, "tags"));
    assert_eq!(attributes.remove("otel.scope.name").as_deref(), Some("tracegen"));
    let status = attributes.remove("otel.status_code").unwrap_or("unset".into()).to_lowercase();
    assert_eq!(attributes.remove("error").is_some(), status == "error", "{span}");
    let (mut parent, mut links) = (String::new(), vec![]);
    for reference in list(span, "references") {
        match reference["refType"].as_str() {
            Some("CHILD_OF") => parent = text(reference, "spanID"),
            _ => links.push((text(reference, "traceID"), text(reference, "spanID"))),
        }
    }
    let events = list(span, "logs").iter().map(|log| {
        let mut fields = tags(list(log, "fields"));
        (number(&log["timestamp"]) * 1_000, fields.remove("event").unwrap_or_default(), fields)
    });
    Seen {
        trace: text(span, "traceID"),
        id: text(span, "spanID"),
        parent,
        service: text(process, "serviceName"),
        name: text(span, "operationName"),
        kind: attributes.remove("span.kind").unwrap_or("unspecified".into()),
        start: number(&span["startTime"]) * 1_000,
        duration: number(&span["duration"]) * 1_000,
        status,
        message: attributes.remove("otel.status_description").unwrap_or_default(),
        resource: tags(list(process, "tags")),
        attributes,
        events: events.collect(),
        links,
    }
}
