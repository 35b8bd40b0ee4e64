//! What arrives, counted: as much as can be said of spans without knowing what was sent.

use crate::export::{Histogram, Percentiles};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::collections::BTreeMap;

/// Services that are counted by name.
const MOST_SERVICES: usize = 1_000;
/// Under which the others are.
const OTHERS: &str = "(others)";
const ERROR: i32 = 2;

/// Counts requests in protobuf.
#[derive(Default)]
pub struct Census {
    pub requests: u64,
    /// Of the requests, unpacked.
    pub bytes: u64,
    pub spans: u64,
    /// Spans without a parent.
    pub roots: u64,
    /// Spans with status ERROR.
    pub failed: u64,
    /// Spans by `service.name`.
    pub services: BTreeMap<String, u64>,
    /// Of spans that ended then or later, ns since 1970, it is counted how late they are.
    since: u64,
    lateness: Histogram,
}

/// Of a request, what is counted: prost steps over the other fields.
#[derive(Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Message)]
struct Span {
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

impl Census {
    /// Spans that ended before `time`, ns since 1970, say nothing of how late they are: they are of a run in the past.
    pub fn since(time: u64) -> Census {
        Census { since: time, ..Census::default() }
    }

    /// Count a request that arrived at `at`, ns since 1970.
    ///
    /// # Errors
    /// It is damaged; nothing of it counts.
    pub fn request(&mut self, body: &[u8], at: u64) -> Result<(), prost::DecodeError> {
        let request = Request::decode(body)?;
        self.requests += 1;
        self.bytes += body.len() as u64;
        for ResourceSpans { resource, scope_spans } in &request.resource_spans {
            let before = self.spans;
            for span in scope_spans.iter().flat_map(|scope| &scope.spans) {
                self.spans += 1;
                self.roots += u64::from(span.parent_span_id.is_empty());
                self.failed += u64::from(span.status.as_ref().is_some_and(|status| status.code == ERROR));
                if span.end_time_unix_nano >= self.since {
                    self.lateness.record(at.saturating_sub(span.end_time_unix_nano));
                }
            }
            if self.spans > before {
                *self.service(name(resource.as_ref())) += self.spans - before;
            }
        }
        Ok(())
    }

    /// From the end of a span to its arrival, ns.
    pub fn lateness(&self) -> Percentiles {
        self.lateness.percentiles()
    }

    fn service(&mut self, name: &str) -> &mut u64 {
        let room = self.services.len() < MOST_SERVICES;
        let name = if room || self.services.contains_key(name) { name } else { OTHERS };
        // Most are known: no key is made for them.
        if !self.services.contains_key(name) {
            self.services.insert(name.into(), 0);
        }
        self.services.get_mut(name).expect("it was put there")
    }
}

/// As OpenTelemetry calls a service that does not say its name.
fn name(resource: Option<&Resource>) -> &str {
    let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
    let value = attributes.iter().find(|attribute| attribute.key == "service.name").and_then(|a| a.value.as_ref());
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(name)) => name,
        _ => "unknown_service",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::trace::v1 as otlp;

    const END: u64 = 1_767_225_600_000_000_000;

    /// Two spans of a service, the second failed and below the first.
    fn request(service: &str) -> Vec<u8> {
        let span = |parent: &[u8], code| otlp::Span {
            parent_span_id: parent.into(),
            name: "any".into(),
            end_time_unix_nano: END,
            status: Some(otlp::Status { code, ..Default::default() }),
            ..Default::default()
        };
        let spans = vec![span(&[], 0), span(&[1; 8], ERROR)];
        let name = AnyValue { value: Some(Value::StringValue(service.into())) };
        let attribute = KeyValue { key: "service.name".into(), value: Some(name), ..Default::default() };
        let resource = Resource { attributes: vec![attribute], ..Default::default() };
        let scope_spans = vec![otlp::ScopeSpans { spans, ..Default::default() }];
        let resource_spans = otlp::ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() };
        ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
    }

    #[test]
    fn everything_is_counted() {
        let mut census = Census::default();
        for (service, late) in [("a", 1_000_000), ("b", 1_000_000), ("a", 5_000_000)] {
            census.request(&request(service), END + late).unwrap();
        }
        assert_eq!((census.requests, census.spans, census.roots, census.failed), (3, 6, 3, 3));
        assert_eq!(census.bytes, 3 * request("a").len() as u64);
        assert_eq!(Vec::from_iter(&census.services), [(&"a".to_string(), &4), (&"b".to_string(), &2)]);
        let late = census.lateness();
        assert_eq!((late.count, late.max), (6, 5_000_000));
    }

    #[test]
    fn spans_of_the_past_are_not_late() {
        for (since, late) in [(END, 1), (END + 1, 0)] {
            let mut census = Census::since(since);
            census.request(&request("a"), END + 5).unwrap();
            assert_eq!((census.spans, census.lateness().count), (2, 2 * late));
        }
    }

    #[test]
    fn what_is_damaged_counts_for_nothing() {
        let mut census = Census::default();
        let whole = request("a");
        assert!(census.request(&whole[..whole.len() - 1], END).is_err());
        assert_eq!((census.requests, census.spans, census.services.len()), (0, 0, 0));
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let mut census = Census::default();
        (0..MOST_SERVICES + 50).for_each(|i| census.request(&request(&i.to_string()), END).unwrap());
        assert_eq!(census.services.len(), MOST_SERVICES + 1);
        assert_eq!(census.services[OTHERS], 100);
    }
}
