//! Verification of requests in protobuf or JSON, span by span.

use super::Verifier;
use super::otlp::same::{same_resource, same_scope, same_span};
use super::otlp::span::{Shared, received};
use super::remake::{Era, Slot};
use crate::export::Json;
use crate::otlp::damage::{Damage, Damages};
use crate::otlp::json;
use crate::otlp::request::{ResourceSpans, ScopeSpans, within};
use crate::otlp::text::Value;
use crate::otlp::wire::{self, Kind, Malformed, all, last, place};
use crate::plan::{ResourceId, ScopeId};
use crate::trace::{Bytes, SpanRecord, TraceId};

/// The common parts of the spans of one `ScopeSpans`.
struct Group<'a> {
    resource: &'a [u8],
    /// The scope, encoded; there is no schema URL.
    scope: &'a [u8],
    plain: bool,
    /// The resource and the scope are known to equal these, of the era whose first index comes with them.
    same: Option<(u64, ResourceId, Option<ScopeId>)>,
    /// The decoded form of the common parts, made when it is first needed.
    shared: Option<Shared>,
}

impl<'a> Group<'a> {
    fn new(resource: &'a [u8], scope: &'a [u8], plain: bool) -> Group<'a> {
        Group { resource, scope, plain, same: None, shared: None }
    }

    /// Reports whether the group's resource and scope are those that the span was sent with. `is` compares the encoded ones with
    /// the plan's.
    fn has(
        &mut self,
        era: &Era,
        slot: &Slot,
        ordinal: usize,
        is: impl FnOnce(&SpanRecord, &[u8], &[u8]) -> bool,
    ) -> bool {
        let span = &slot.trace.spans[ordinal];
        let wanted = (era.first, span.resource, era.run().plan().span(span.block).scope);
        if self.same != Some(wanted) {
            if !is(span, self.resource, self.scope) {
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
    /// Verifies an `ExportTraceServiceRequest` in protobuf. `arrived` is the time of its arrival in ns since 1970, if the
    /// source knows it.
    ///
    /// # Errors
    /// Some of the request is damaged; the spans that can be read count.
    pub fn request(&mut self, body: &[u8], arrived: Option<u64>) -> Result<(), Damage> {
        let mut damages = Damages::default();
        let read = self.groups(body, arrived, &mut damages);
        damages.extend(read);
        damages.result()
    }

    /// Verifies the groups of a request, up to the first place where it is not protobuf.
    ///
    /// # Errors
    /// The request is malformed from some place on.
    fn groups(&mut self, body: &[u8], arrived: Option<u64>, damages: &mut Damages) -> Result<(), Damage> {
        let at = |part: &'_ [u8]| {
            let at = place(part, body);
            move |malformed: Malformed| Damage::new(at, malformed)
        };
        for resource_spans in all(body, 1) {
            let resource_spans = resource_spans.map_err(at(body))?;
            let inside = at(resource_spans);
            let (resource, schema) =
                (last(resource_spans, 1).map_err(&inside)?, last(resource_spans, 3).map_err(&inside)?);
            for scope_spans in all(resource_spans, 2) {
                let scope_spans = scope_spans.map_err(&inside)?;
                let inside = at(scope_spans);
                let (scope, scope_schema) =
                    (last(scope_spans, 1).map_err(&inside)?, last(scope_spans, 3).map_err(&inside)?);
                let mut group = Group::new(resource, scope, schema.is_empty() && scope_schema.is_empty());
                for span in all(scope_spans, 2) {
                    let span = span.map_err(&inside)?;
                    if group.plain && self.unaltered_protobuf(span, &mut group, arrived) {
                        continue;
                    }
                    // A span without a valid trace id belongs to no run.
                    let (trace, id) = ids(span).unwrap_or_default();
                    if self.index(trace, id).is_none() {
                        continue;
                    }
                    let shared = group.shared(|| {
                        let text = String::from_utf8_lossy;
                        let (resource, scope) =
                            (wire::message(resource, Kind::Resource)?, wire::message(scope, Kind::Scope)?);
                        Ok(Shared::new(resource, scope, [&text(schema), &text(scope_schema)]))
                    });
                    let span_at = place(span, body);
                    let read = shared.map_err(|damage: Damage| damage.moved(place(resource_spans, body)));
                    let read = read.and_then(|shared| {
                        let span = wire::message(span, Kind::Span).map_err(|damage| damage.moved(span_at))?;
                        Ok(received(span, shared))
                    });
                    match read {
                        Ok(received) => self.received(received, arrived),
                        Err(damage) => damages.add(damage),
                    }
                }
            }
        }
        Ok(())
    }

    fn unaltered_protobuf(&mut self, bytes: &[u8], group: &mut Group<'_>, arrived: Option<u64>) -> bool {
        let Some((trace, span)) = ids(bytes) else { return false };
        self.unaltered(trace, span, arrived, |era, slot, ordinal| {
            group.has(era, slot, ordinal, |span, resource, scope| {
                last(era.parts.scope(era.run().plan(), span.block), 1).is_ok_and(|expected| same_scope(expected, scope))
                    && last(era.parts.resource(span.resource), 1)
                        .is_ok_and(|expected| same_resource(expected, resource))
            }) && same_span(slot.protobuf(era, ordinal), bytes)
        })
    }

    /// Verifies a `ResourceSpans` in JSON, in the same way as [`Verifier::request`].
    ///
    /// # Errors
    /// Some of it is damaged; the spans that can be read count.
    pub fn json_group(&mut self, group: Value<'_>, arrived: Option<u64>) -> Result<(), Damage> {
        let mut damages = Damages::default();
        let read = self.scopes(group, arrived, &mut damages);
        damages.extend(read);
        damages.result()
    }

    /// Verifies the scopes of a `ResourceSpans`, up to the first place where it is malformed.
    ///
    /// # Errors
    /// The text is malformed from some place on.
    fn scopes(&mut self, group: Value<'_>, arrived: Option<u64>, damages: &mut Damages) -> Result<(), Damage> {
        let text = group.text;
        let resource_spans = ResourceSpans::read(group)?;
        let resource = resource_spans.resource;
        for scope_spans in resource_spans.scope_spans() {
            let value = scope_spans.map_err(|damage| within(damage, resource_spans.scope_spans, text))?;
            let scope_spans = ScopeSpans::read(value).map_err(|damage| within(damage, Some(value), text))?;
            let scope = scope_spans.scope;
            let schemas = [&*resource_spans.schema_url, &scope_spans.schema_url];
            let mut group = Group::new(text_of(resource), text_of(scope), schemas == ["", ""]);
            for span in scope_spans.spans() {
                let span = span.map_err(|damage| within(damage, scope_spans.spans, text))?;
                if group.plain && self.unaltered_json(span.text, &mut group, arrived) {
                    continue;
                }
                let ids = match json_ids(span.text) {
                    None => json::message::<json::Ids, json::Ids>(Some(span)).map(json::Ids::known),
                    ids => Ok(ids),
                };
                let read = ids.and_then(|ids| {
                    let (trace, id) = ids.unwrap_or_default();
                    self.index(trace, id).map(|_| json::message::<json::Span, _>(Some(span))).transpose()
                });
                let read = read.map_err(|damage| within(damage, Some(span), text)).and_then(|span| {
                    let Some(span) = span else { return Ok(None) };
                    let shared = group.shared(|| {
                        let read = json::message::<json::Resource, _>(resource);
                        let resource = read.map_err(|damage| within(damage, resource, text))?;
                        let read = json::message::<json::Scope, _>(scope);
                        Ok(Shared::new(resource, read.map_err(|damage| within(damage, scope, text))?, schemas))
                    });
                    shared.map(|shared| Some(received(span, shared)))
                });
                match read {
                    Ok(Some(received)) => self.received(received, arrived),
                    Ok(None) => {}
                    Err(damage) => damages.add(damage),
                }
            }
        }
        Ok(())
    }

    fn unaltered_json(&mut self, text: &[u8], group: &mut Group<'_>, arrived: Option<u64>) -> bool {
        let Some((trace, span)) = json_ids(text) else { return false };
        self.unaltered(trace, span, arrived, |era, slot, ordinal| {
            group.has(era, slot, ordinal, |span, resource, scope| {
                let (mut expected, mut expected_scope) = (Bytes::default(), Bytes::default());
                Json::resource(&era.shared.resources, span.resource, &mut expected);
                Json::scope(era.run().plan(), span.block, &mut expected_scope);
                expected.as_slice() == resource && expected_scope.as_slice() == scope
            }) && slot.json(era, ordinal) == text
        })
    }
}

/// Returns the bytes of a value; none if there is no value.
fn text_of(value: Option<Value<'_>>) -> &[u8] {
    value.map_or(b"", |value| value.text)
}

/// Returns a span's trace id and span id. The place where tracegen writes them, the beginning, is tried first.
fn ids(span: &[u8]) -> Option<(TraceId, u64)> {
    let (trace, id) = match span.first_chunk::<28>() {
        Some([0x0a, 16, trace @ .., 0x12, 8, _, _, _, _, _, _, _, _]) => (*trace, &span[20..28]),
        _ => (last(span, 1).ok()?.try_into().ok()?, last(span, 2).ok()?),
    };
    Some((trace, number(id)?))
}

/// Returns a span's id as a number. An empty one is that of a span without an id.
fn number(id: &[u8]) -> Option<u64> {
    if id.is_empty() { Some(0) } else { Some(u64::from_be_bytes(id.try_into().ok()?)) }
}

/// Does the same as [`ids`] for JSON.
fn json_ids(span: &[u8]) -> Option<(TraceId, u64)> {
    let (trace, rest) = span.strip_prefix(b"{\"traceId\":\"")?.split_at_checked(32)?;
    let (span, _) = rest.strip_prefix(b"\",\"spanId\":\"")?.split_at_checked(16)?;
    let number = |digits| u128::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
    Some((number(trace)?.to_be_bytes(), number(span)? as u64))
}
