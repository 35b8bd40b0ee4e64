//! What arrives, counted: as much as can be said of spans without knowing what was sent.

use crate::histogram::{Percentiles, Shared};
use crate::otlp::request::for_each_span;
use crate::otlp::wire::{Fields, Malformed, Value, all, last};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Services that are counted by name.
const MOST_SERVICES: usize = 1_000;
/// Under which the others are.
const OTHERS: &str = "(others)";
/// Bytes of a name that are kept.
const MOST_NAME: usize = 128;
const ERROR: u64 = 2;

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
    lateness: Shared,
}

impl Census {
    /// Spans that ended before `time`, ns since 1970, say nothing of how late they are: they are of a run in the past.
    pub fn since(time: u64) -> Census {
        Census { since: time, ..Census::default() }
    }

    /// Count a request that arrived at `at`, ns since 1970. Nothing of it is decoded.
    ///
    /// # Errors
    /// It is damaged; nothing of it counts.
    pub fn request(&mut self, body: &[u8], at: u64) -> Result<(), Malformed> {
        for_each_span(body, |resource, span| service_name(resource).and(Counted::read(span)).map(drop))?;
        self.requests += 1;
        self.bytes += body.len() as u64;
        for_each_span(body, |resource, span| {
            let Counted { root, end, failed } = Counted::read(span)?;
            self.spans += 1;
            self.roots += u64::from(root);
            self.failed += u64::from(failed);
            if end >= self.since {
                self.lateness.record(at.saturating_sub(end));
            }
            *self.service(&service_name(resource)?) += 1;
            Ok(())
        })
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

/// What is counted of a span.
struct Counted {
    /// It has no parent.
    root: bool,
    /// ns since 1970.
    end: u64,
    failed: bool,
}

impl Counted {
    fn read(span: &[u8]) -> Result<Counted, Malformed> {
        let mut counted = Counted { root: true, end: 0, failed: false };
        for field in Fields(span) {
            match field? {
                (4, Value::Delimited(parent)) => counted.root = parent.is_empty(),
                (8, Value::Fixed64(end)) => counted.end = u64::from_le_bytes(end.try_into().map_err(|_| Malformed)?),
                (15, Value::Delimited(status)) => {
                    for field in Fields(status) {
                        if let (3, Value::Varint(code)) = field? {
                            counted.failed = code == ERROR;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(counted)
    }
}

/// Of the service that a resource is of; as OpenTelemetry calls one that does not say its name.
fn service_name(resource: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    for attribute in all(resource, 1) {
        let attribute = attribute?;
        if last(attribute, 1)? == b"service.name" {
            let name = last(last(attribute, 2)?, 1)?;
            let shown = name.len().min(MOST_NAME);
            return Ok(String::from_utf8_lossy(&name[..shown]));
        }
    }
    Ok(Cow::Borrowed("unknown_service"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1 as otlp;
    use prost::Message;

    const END: u64 = 1_767_225_600_000_000_000;

    /// Two spans of a service, the second failed and below the first.
    fn request(service: &str) -> Vec<u8> {
        let span = |parent: &[u8], code| otlp::Span {
            parent_span_id: parent.into(),
            name: "any".into(),
            end_time_unix_nano: END,
            status: Some(otlp::Status { code: code as i32, ..Default::default() }),
            ..Default::default()
        };
        let spans = vec![span(&[], 0), span(&[1; 8], ERROR)];
        let name = AnyValue { value: Some(any_value::Value::StringValue(service.into())) };
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
    fn a_name_is_cut_where_it_is_long() {
        let mut census = Census::default();
        census.request(&request(&"a".repeat(1 << 20)), END).unwrap();
        census.request(&request(&"ä".repeat(1 << 20)), END).unwrap();
        assert!(census.services.keys().all(|name| name.len() <= MOST_NAME + 2), "{:?}", census.services);
        assert_eq!(census.spans, 4);
    }

    #[test]
    fn names_without_end_are_counted_together() {
        let mut census = Census::default();
        (0..MOST_SERVICES + 50).for_each(|i| census.request(&request(&i.to_string()), END).unwrap());
        assert_eq!(census.services.len(), MOST_SERVICES + 1);
        assert_eq!(census.services[OTHERS], 100);
    }
}
