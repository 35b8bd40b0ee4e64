//! Requests as they arrive, in protobuf or JSON, span by span.

use super::Verifier;
use super::otlp::json;
use super::otlp::same::{same_resource, same_span};
use super::otlp::span::{Shared, received};
use super::otlp::wire::{Malformed, all, last};
use super::remake::{Era, Slot};
use crate::export::{Json, SCOPE};
use crate::plan::ResourceId;
use crate::store::TraceId;
use crate::trace::Bytes;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// The scope of every span that tracegen sends, in JSON.
const JSON_SCOPE: &str = "{\"name\":\"tracegen\"}";

/// What the spans of one `ScopeSpans` have in common.
struct Group<'a> {
    resource: &'a [u8],
    /// The scope is tracegen's, and there is no schema.
    plain: bool,
    /// The resource is known to be that one, of the era with that first index.
    same: Option<(u64, ResourceId)>,
    /// Decoded, once that is needed.
    shared: Option<Shared>,
}

impl<'a> Group<'a> {
    fn new(resource: &'a [u8], plain: bool) -> Group<'a> {
        Group { resource, plain, same: None, shared: None }
    }

    /// Whether its resource is the one that a span was sent with, which `is` tells of its bytes.
    fn has(&mut self, era: &Era, slot: &Slot, ordinal: usize, is: impl FnOnce(ResourceId, &[u8]) -> bool) -> bool {
        let wanted = (era.first, slot.trace.spans[ordinal].resource);
        if self.same != Some(wanted) {
            if !is(wanted.1, self.resource) {
                return false;
            }
            self.same = Some(wanted);
        }
        true
    }

    fn shared<E>(&mut self, decode: impl FnOnce() -> Result<Shared, E>) -> Result<&Shared, E> {
        match &mut self.shared {
            Some(shared) => Ok(shared),
            none => Ok(none.insert(decode()?)),
        }
    }
}

impl Verifier {
    /// An `ExportTraceServiceRequest` in protobuf; `arrived`: when, ns since 1970, where the source knows.
    ///
    /// # Errors
    /// It is damaged; the spans before that place count.
    pub fn request(&mut self, body: &[u8], arrived: Option<u64>) -> Result<(), Malformed> {
        for resource_spans in all(body, 1) {
            let resource_spans = resource_spans?;
            let (resource, schema) = (last(resource_spans, 1)?, last(resource_spans, 3)?);
            for scope_spans in all(resource_spans, 2) {
                let scope_spans = scope_spans?;
                let (scope, scope_schema) = (last(scope_spans, 1)?, last(scope_spans, 3)?);
                let plain = scope == &SCOPE[2..] && schema.is_empty() && scope_schema.is_empty();
                let mut group = Group::new(resource, plain);
                for span in all(scope_spans, 2) {
                    let span = span?;
                    if group.plain && self.unaltered_protobuf(span, &mut group, arrived) {
                        continue;
                    }
                    let shared = group.shared(|| {
                        let text = String::from_utf8_lossy;
                        let (resource, scope) = (Message::decode(resource)?, Message::decode(scope)?);
                        Ok(Shared::new(resource, scope, [&text(schema), &text(scope_schema)]))
                    });
                    let shared = shared.map_err(|_: prost::DecodeError| Malformed)?;
                    let span = Span::decode(span).map_err(|_| Malformed)?;
                    self.received(received(span, shared), arrived);
                }
            }
        }
        Ok(())
    }

    fn unaltered_protobuf(&mut self, bytes: &[u8], group: &mut Group<'_>, arrived: Option<u64>) -> bool {
        let Some((trace, span)) = ids(bytes) else { return false };
        self.unaltered(trace, span, arrived, |era, slot, ordinal| {
            group.has(era, slot, ordinal, |id, found| {
                last(era.parts.resource(id), 1).is_ok_and(|expected| same_resource(expected, found))
            }) && same_span(slot.protobuf(era, ordinal), bytes)
        })
    }

    /// The same as JSON.
    ///
    /// # Errors
    /// It is damaged; nothing of it counts, unless it is only a single span that does not: then those before it do.
    pub fn json_request(&mut self, body: &[u8], arrived: Option<u64>) -> serde_json::Result<()> {
        let request: json::Request<'_> = serde_json::from_slice(body)?;
        for resource_spans in &request.resource_spans {
            let resource = resource_spans.resource();
            for scope_spans in &resource_spans.scope_spans {
                let scope = scope_spans.scope();
                let schemas = [&*resource_spans.schema_url, &scope_spans.schema_url];
                let plain = scope == JSON_SCOPE && schemas == ["", ""];
                let mut group = Group::new(resource.as_bytes(), plain);
                for span in &scope_spans.spans {
                    if group.plain && self.unaltered_json(span.get().as_bytes(), &mut group, arrived) {
                        continue;
                    }
                    let shared = group.shared(|| {
                        let resource = json::message::<json::Resource, _>(resource)?;
                        serde_json::Result::Ok(Shared::new(resource, json::message::<json::Scope, _>(scope)?, schemas))
                    })?;
                    let span = json::message::<json::Span, _>(span.get())?;
                    self.received(received(span, shared), arrived);
                }
            }
        }
        Ok(())
    }

    fn unaltered_json(&mut self, text: &[u8], group: &mut Group<'_>, arrived: Option<u64>) -> bool {
        let Some((trace, span)) = json_ids(text) else { return false };
        self.unaltered(trace, span, arrived, |era, slot, ordinal| {
            group.has(era, slot, ordinal, |id, found| {
                let mut expected = Bytes::default();
                Json::resource(era.run().resources(), id, &mut expected);
                expected.as_slice() == found
            }) && slot.json(era, ordinal) == text
        })
    }
}

/// Trace id and span id: where tracegen writes them, at the beginning, or wherever they stand.
fn ids(span: &[u8]) -> Option<(TraceId, u64)> {
    let (trace, id) = match span.first_chunk::<28>() {
        Some([0x0a, 16, trace @ .., 0x12, 8, _, _, _, _, _, _, _, _]) => (*trace, &span[20..28]),
        _ => (last(span, 1).ok()?.try_into().ok()?, last(span, 2).ok()?),
    };
    Some((trace, u64::from_be_bytes(id.try_into().ok()?)))
}

/// The same in JSON.
fn json_ids(span: &[u8]) -> Option<(TraceId, u64)> {
    let (trace, rest) = span.strip_prefix(b"{\"traceId\":\"")?.split_at_checked(32)?;
    let (span, _) = rest.strip_prefix(b"\",\"spanId\":\"")?.split_at_checked(16)?;
    let number = |digits| u128::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
    Some((number(trace)?.to_be_bytes(), number(span)? as u64))
}
