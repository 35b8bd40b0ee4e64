//! Counts of arriving spans, as far as they can be made without knowing what was sent.

use crate::histogram::{Percentiles, Shared};
use crate::otlp::request::for_each_span;
use crate::otlp::wire::{Fields, Malformed, Value, all, last};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The maximum number of services that are counted by name.
const MOST_SERVICES: usize = 1_000;
/// The name under which all further services are counted.
const OTHERS: &str = "(others)";
/// The number of bytes of a service's name that are kept.
const MOST_NAME: usize = 128;
/// The status code ERROR.
const ERROR: u64 = 2;

/// Counts of the protobuf requests that arrived.
#[derive(Default)]
pub struct Census {
    pub requests: u64,
    /// The size of the requests after decompression, in bytes.
    pub bytes: u64,
    pub spans: u64,
    /// Spans without a parent.
    pub roots: u64,
    /// Spans with status ERROR.
    pub failed: u64,
    /// The number of spans for each `service.name`.
    pub services: BTreeMap<String, u64>,
    /// The lateness is counted only for spans that ended at this time or later, in ns since 1970.
    lateness_since: u64,
    lateness: Shared,
}

impl Census {
    /// Makes a census that ignores the lateness of spans that ended before `time`, in ns since 1970: they belong to a run
    /// in the past.
    pub fn since(time: u64) -> Census {
        Census { lateness_since: time, ..Census::default() }
    }

    /// Counts a request that arrived at `arrival`, in ns since 1970, without decoding it.
    ///
    /// # Errors
    /// The request is damaged; no part of it is counted.
    pub fn request(&mut self, body: &[u8], arrival: u64) -> Result<(), Malformed> {
        for_each_span(body, |resource, span| service_name(resource).and(Counted::read(span)).map(drop))?;
        self.requests += 1;
        self.bytes += body.len() as u64;
        for_each_span(body, |resource, span| {
            let Counted { root, end, failed } = Counted::read(span)?;
            self.spans += 1;
            self.roots += u64::from(root);
            self.failed += u64::from(failed);
            if end >= self.lateness_since {
                self.lateness.record(arrival.saturating_sub(end));
            }
            *self.service(&service_name(resource)?) += 1;
            Ok(())
        })
    }

    /// Returns the distribution of the time from a span's end to its arrival, in ns.
    pub fn lateness(&self) -> Percentiles {
        self.lateness.percentiles()
    }

    fn service(&mut self, name: &str) -> &mut u64 {
        let room = self.services.len() < MOST_SERVICES;
        let name = if room || self.services.contains_key(name) { name } else { OTHERS };
        // Most services are known, and need no new key.
        if !self.services.contains_key(name) {
            self.services.insert(name.into(), 0);
        }
        self.services.get_mut(name).expect("it was put there")
    }
}

/// The parts of a span that are counted.
struct Counted {
    /// The span has no parent.
    root: bool,
    /// The end of the span in ns since 1970.
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

/// Returns the service name of a resource, or the name that OpenTelemetry specifies for a resource without one.
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

    /// Makes a request with two spans of a service. The second is a child of the first, and failed.
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
    fn a_damaged_request_is_not_counted() {
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
