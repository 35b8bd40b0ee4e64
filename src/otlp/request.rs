//! The spans of a request in protobuf or JSON, one after another; and the conversion of a request from JSON to protobuf.

use super::damage::Damage;
use super::text::{Fields, Items, Value, only, pick};
use super::wire::{Malformed, all, last};
use super::{json, write};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Calls `show` with each span of a protobuf request and the span's resource, both encoded.
///
/// # Errors
/// The bytes are not a request, or `show` failed; the spans before that place have been shown.
pub fn for_each_span(
    request: &[u8],
    mut show: impl FnMut(&[u8], &[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    for resource_spans in all(request, 1) {
        let resource_spans = resource_spans?;
        let resource = last(resource_spans, 1)?;
        for scope_spans in all(resource_spans, 2) {
            for span in all(scope_spans?, 2) {
                show(resource, span?)?;
            }
        }
    }
    Ok(())
}

/// A `ResourceSpans` in JSON, of which only the parts are told apart.
pub struct ResourceSpans<'t> {
    pub resource: Option<Value<'t>>,
    pub schema_url: String,
    pub scope_spans: Option<Value<'t>>,
}

/// A `ScopeSpans` in JSON, of which only the parts are told apart.
pub struct ScopeSpans<'t> {
    pub scope: Option<Value<'t>>,
    pub schema_url: String,
    pub spans: Option<Value<'t>>,
}

impl<'t> ResourceSpans<'t> {
    /// Reads a `ResourceSpans`.
    ///
    /// # Errors
    /// The value is not one.
    pub fn read(value: Value<'t>) -> Result<ResourceSpans<'t>, Damage> {
        // The second name was used before OTLP 0.19, and is still found in data that was stored then.
        let [resource, scope_spans, old, schema_url] =
            pick(value, ["resource", "scopeSpans", "instrumentationLibrarySpans", "schemaUrl"])?;
        let schema_url = string(schema_url).map_err(|damage| within(damage, schema_url, value.text))?;
        Ok(ResourceSpans { resource, schema_url, scope_spans: scope_spans.or(old) })
    }

    /// Returns the items of `scope_spans`, not yet decoded.
    pub fn scope_spans(&self) -> Items<'t> {
        items(self.scope_spans)
    }
}

impl<'t> ScopeSpans<'t> {
    /// Reads a `ScopeSpans`.
    ///
    /// # Errors
    /// The value is not one.
    pub fn read(value: Value<'t>) -> Result<ScopeSpans<'t>, Damage> {
        let [scope, old, spans, schema_url] = pick(value, ["scope", "instrumentationLibrary", "spans", "schemaUrl"])?;
        let schema_url = string(schema_url).map_err(|damage| within(damage, schema_url, value.text))?;
        Ok(ScopeSpans { scope: scope.or(old), schema_url, spans })
    }

    /// Returns the items of `spans`, not yet decoded.
    pub fn spans(&self) -> Items<'t> {
        items(self.spans)
    }
}

fn items(array: Option<Value<'_>>) -> Items<'_> {
    array.map_or_else(Items::none, Items::new)
}

fn string(value: Option<Value<'_>>) -> Result<String, Damage> {
    value.map_or(Ok(String::new()), |value| serde_json::from_slice(value.text).map_err(|error| Damage::new(0, error)))
}

/// Moves damage of `value` to its place in `text`, which contains the value.
pub fn within(damage: Damage, value: Option<Value<'_>>, text: &[u8]) -> Damage {
    damage.moved(value.map_or(0, |value| value.place(text)))
}

/// The reasons why a request in JSON is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Damaged(Damage),
    /// In protobuf the request would be larger than allowed.
    TooLarge,
}

impl From<Damage> for Refused {
    fn from(damage: Damage) -> Refused {
        Refused::Damaged(damage)
    }
}

/// Converts a request from JSON to protobuf, of at most `max_bytes` bytes. Only one span at a time is decoded.
///
/// # Errors
/// The text is not a request, or the result would be too large.
pub fn to_protobuf(text: &[u8], max_bytes: usize) -> Result<Vec<u8>, Refused> {
    let mut out = vec![];
    let request = only(text)?;
    for field in Fields::new(request) {
        let (key, value) = field.map_err(|damage| within(damage, Some(request), text))?;
        if key != "resourceSpans" {
            continue;
        }
        for group in Items::new(value) {
            let group = group.map_err(|damage| within(damage, Some(value), text))?;
            let open = write::begin(&mut out, 1);
            self::group(group, &mut out, max_bytes).map_err(|untaken| match untaken {
                Refused::Damaged(damage) => Refused::Damaged(within(damage, Some(group), text)),
                Refused::TooLarge => Refused::TooLarge,
            })?;
            write::end(&mut out, open);
            if out.len() > max_bytes {
                return Err(Refused::TooLarge);
            }
        }
    }
    Ok(out)
}

fn group(value: Value<'_>, out: &mut Vec<u8>, max_bytes: usize) -> Result<(), Refused> {
    let text = value.text;
    let resource_spans = ResourceSpans::read(value)?;
    let resource = resource_spans.resource;
    if resource.is_some() {
        let message: Resource =
            json::message::<json::Resource, _>(resource).map_err(|damage| within(damage, resource, text))?;
        write::field(out, 1, &message.encode_to_vec());
    }
    for value in resource_spans.scope_spans() {
        let value = value.map_err(|damage| within(damage, resource_spans.scope_spans, text))?;
        let inside = |damage: Damage| within(damage, Some(value), text);
        let scope_spans = ScopeSpans::read(value).map_err(inside)?;
        let open = write::begin(out, 2);
        let scope = scope_spans.scope;
        if scope.is_some() {
            let message: InstrumentationScope =
                json::message::<json::Scope, _>(scope).map_err(|damage| within(damage, scope, text))?;
            write::field(out, 1, &message.encode_to_vec());
        }
        for span in scope_spans.spans() {
            let span = span.map_err(|damage| within(damage, scope_spans.spans, text))?;
            let message: Span =
                json::message::<json::Span, _>(Some(span)).map_err(|damage| within(damage, Some(span), text))?;
            write::field(out, 2, &message.encode_to_vec());
            if out.len() > max_bytes {
                return Err(Refused::TooLarge);
            }
        }
        if !scope_spans.schema_url.is_empty() {
            write::field(out, 3, scope_spans.schema_url.as_bytes());
        }
        write::end(out, open);
    }
    if !resource_spans.schema_url.is_empty() {
        write::field(out, 3, resource_spans.schema_url.as_bytes());
    }
    Ok(())
}
