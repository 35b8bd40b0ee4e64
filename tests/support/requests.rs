//! Requests made by hand, in all encodings.

#![allow(dead_code, reason = "each test takes what it needs")]

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use std::ops::Range;
use tracegen::export::{Batch, target::Protocol};

pub const ALL_PROTOCOLS: [Protocol; 3] = [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson];

/// Makes spans with the given ids, five to a trace, in one resource.
pub fn request(ids: Range<u64>) -> ExportTraceServiceRequest {
    let text = |key: &str, value: &str| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }),
        ..Default::default()
    };
    let spans = ids
        .map(|id| Span {
            trace_id: (u128::from(id / 5) + 1).to_be_bytes().to_vec(),
            span_id: wire(id),
            parent_span_id: if id.is_multiple_of(5) { vec![] } else { wire(id / 5 * 5) },
            flags: 0x103,
            name: format!("span {id}"),
            kind: 2,
            start_time_unix_nano: 1_767_225_600_000_000_000 + id,
            end_time_unix_nano: 1_767_225_600_001_000_000 + id,
            attributes: vec![text("who", "a person, \"quoted\"\n")],
            status: Some(Status { message: String::new(), code: 0 }),
            ..Default::default()
        })
        .collect();
    let resource = Resource { attributes: vec![text("service.name", "hand-made")], ..Default::default() };
    let scope = InstrumentationScope { name: "tracegen".into(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }],
    }
}

/// Returns the encoded id. It is not 0, which is not a span id.
fn wire(id: u64) -> Vec<u8> {
    (id + 1).to_be_bytes().to_vec()
}

/// Makes a batch in the encoding of the protocol.
pub fn batch(protocol: Protocol, ids: Range<u64>) -> Batch {
    let spans = ids.end - ids.start;
    let request = request(ids);
    let body = match protocol {
        Protocol::HttpJson => serde_json::to_vec(&request).unwrap(),
        Protocol::Grpc | Protocol::HttpProtobuf => request.encode_to_vec(),
    };
    Batch { body, spans, traces: spans / 5 }
}

/// Returns the ids of all spans, in order.
pub fn span_ids(request: &ExportTraceServiceRequest) -> Vec<u64> {
    let spans = request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
    spans.map(|s| u64::from_be_bytes(s.span_id[..].try_into().unwrap()) - 1).collect()
}
