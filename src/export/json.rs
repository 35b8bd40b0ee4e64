//! The encoder for OTLP/JSON, a request a line. It follows the protobuf JSON mapping with OTLP's deviations: ids are
//! hexadecimal, enums are numbers; 64-bit integers are strings.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>
//!
//! The choice of fields and their order are those of the collector's file exporter: defaults are left out, `status` is
//! always present, and a whole double has no fraction.

use super::batch::{Groups, Heads};
use super::{Batch, Encode};
use crate::plan::{BlockId, Plan, ResourceId, SCOPE, SpanKind};
use crate::trace::{Bytes, Datum, EventView, LinkView, OwnedDatum, Resources, SpanView, View};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::fmt;

/// The encoder for OTLP/HTTP with JSON, JSON lines files and pipes. A body is one line, without the newline at its end.
pub struct Json {
    groups: Groups,
}

impl Json {
    /// Makes an encoder for traces of this plan with these resources only.
    pub fn new(plan: &Plan, resources: &Resources) -> Json {
        let around = |before: &[u8], put: &dyn Fn(&mut Bytes), behind: &[u8]| {
            let mut head = Bytes::default();
            head.append(before);
            put(&mut head);
            head.append(behind);
            head.as_slice().to_vec()
        };
        let of_resource = |id| {
            let put = |out: &mut Bytes| Json::resource(resources, ResourceId(id as u32), out);
            around(b"{\"resource\":", &put, b",\"scopeSpans\":[{\"scope\":")
        };
        let of_scope = |(name, version)| {
            let put = |out: &mut Bytes| append(out, &Scope(name, version));
            around(b"", &put, b",\"spans\":[")
        };
        let text = |id| plan.text(id);
        let scopes = plan.scopes.iter().map(|scope| (text(scope.name), scope.version.map_or("", text)));
        let scopes = std::iter::once((SCOPE, "")).chain(scopes).map(of_scope).collect();
        let resources = (0..resources.attributes.len()).map(of_resource).collect();
        Json { groups: Groups::new(plan, Heads { resources, scopes, free: 0 }) }
    }

    /// Appends a single span in the form that it has in a request.
    pub fn span(span: SpanView<'_>, out: &mut Bytes) {
        append(out, &Span(span));
    }

    /// Appends a single resource in the form that it has in a request.
    pub fn resource(resources: &Resources, id: ResourceId, out: &mut Bytes) {
        append(out, &Resource(&resources.attributes[id.index()]));
    }

    /// Appends only the scope of a block's spans, as in a request.
    pub fn scope(plan: &Plan, block: BlockId, out: &mut Bytes) {
        let (name, version) = plan.scope_of(block);
        append(out, &Scope(name, version));
    }

    fn close(&mut self) -> Batch {
        let mut batch = self.groups.close(|body, resource, scope, spans| {
            body.extend_from_slice(if body.is_empty() { b"{\"resourceSpans\":[" } else { b"," });
            body.extend_from_slice(resource);
            body.extend_from_slice(scope);
            body.extend_from_slice(spans);
            body.extend_from_slice(b"]}]}");
        });
        batch.body.extend_from_slice(b"]}");
        batch
    }
}

impl Encode for Json {
    fn add(&mut self, view: View<'_>, emit: &mut dyn FnMut(Batch)) {
        super::each_sent(view, &mut |span, last| self.add_span(span, last, emit));
    }

    fn add_span(&mut self, span: SpanView<'_>, last: bool, emit: &mut dyn FnMut(Batch)) {
        let out = self.groups.group(span.record());
        let before = out.len();
        if before > 0 {
            out.append(b",");
        }
        Json::span(span, out);
        let bytes = out.len() - before;
        if last {
            self.groups.trace_ended();
        }
        if self.groups.added(bytes) {
            emit(self.close());
        }
    }

    fn flush(&mut self, emit: &mut dyn FnMut(Batch)) {
        if !self.groups.is_empty() {
            emit(self.close());
        }
    }

    fn recycle(&mut self, body: Vec<u8>) {
        self.groups.recycle(body);
    }
}

fn append(out: &mut Bytes, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("memory takes all that is written, and all keys are text");
}

/// A value that is written as a JSON string of its `Display`.
struct Quoted<T>(T);

impl<T: fmt::Display> Serialize for Quoted<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

fn trace_id(id: [u8; 16]) -> impl Serialize {
    Quoted(fmt::from_fn(move |f| write!(f, "{:032x}", u128::from_be_bytes(id))))
}

fn span_id(id: u64) -> impl Serialize {
    Quoted(fmt::from_fn(move |f| write!(f, "{id:016x}")))
}

/// The fields of a message; those that hold their default are left out.
struct Fields<M>(M);

impl<M: SerializeMap> Fields<M> {
    fn put(&mut self, name: &'static str, value: &impl Serialize) -> Result<(), M::Error> {
        self.0.serialize_entry(name, value)
    }

    fn text(&mut self, name: &'static str, text: &str) -> Result<(), M::Error> {
        if text.is_empty() { Ok(()) } else { self.put(name, &text) }
    }

    fn nanos(&mut self, name: &'static str, nanos: u64) -> Result<(), M::Error> {
        if nanos == 0 { Ok(()) } else { self.put(name, &Quoted(nanos)) }
    }

    fn list<T: Serialize>(&mut self, name: &'static str, items: impl Iterator<Item = T>) -> Result<(), M::Error> {
        let items: Vec<T> = items.collect();
        if items.is_empty() { Ok(()) } else { self.put(name, &items) }
    }
}

/// Implements `Serialize` for a message by the fields that it writes.
macro_rules! message {
    ($self:ident: $of:ty, $fields:ident, $body:block) => {
        impl Serialize for $of {
            fn serialize<S: Serializer>(&$self, to: S) -> Result<S::Ok, S::Error> {
                let mut $fields = Fields(to.serialize_map(None)?);
                $body
                $fields.0.end()
            }
        }
    };
}

struct Resource<'a>(&'a [(String, OwnedDatum)]);
message!(self: Resource<'_>, fields, {
    fields.list("attributes", self.0.iter().map(|(key, value)| KeyValue(key, value.as_datum())))?;
});

/// The name and the version.
struct Scope<'a>(&'a str, &'a str);
message!(self: Scope<'_>, fields, {
    fields.text("name", self.0)?;
    fields.text("version", self.1)?;
});

struct Span<'a>(SpanView<'a>);
message!(self: Span<'_>, fields, {
    let Span(span) = *self;
    fields.put("traceId", &trace_id(span.view.trace.id))?;
    fields.put("spanId", &span_id(span.record().id))?;
    fields.text("traceState", span.trace_state())?;
    if let Some(parent) = span.parent() {
        fields.put("parentSpanId", &span_id(parent.record().id))?;
    }
    fields.put("flags", &span.flags())?;
    fields.text("name", span.name())?;
    if span.kind() != SpanKind::Unspecified {
        fields.put("kind", &(span.kind() as u8))?;
    }
    fields.nanos("startTimeUnixNano", span.record().start)?;
    fields.nanos("endTimeUnixNano", span.record().end)?;
    fields.list("attributes", span.attributes().map(|(key, value)| KeyValue(key, value)))?;
    fields.list("events", span.events().into_iter().map(Event))?;
    fields.list("links", span.links().map(Link))?;
    fields.put("status", &Status(span.failure().map(|(_, message)| message), span.is_ok()))?;
});

struct Event<'a>(EventView<'a>);
message!(self: Event<'_>, fields, {
    fields.nanos("timeUnixNano", self.0.time)?;
    fields.text("name", self.0.name)?;
    fields.list("attributes", self.0.attributes.iter().map(|(key, value)| KeyValue(key, *value)))?;
});

struct Link<'a>(LinkView<'a>);
message!(self: Link<'_>, fields, {
    fields.put("traceId", &trace_id(self.0.trace_id))?;
    fields.put("spanId", &span_id(self.0.span_id))?;
    fields.text("traceState", self.0.trace_state)?;
    fields.list("attributes", self.0.attributes.iter().map(|(key, value)| KeyValue(key, *value)))?;
    fields.put("flags", &self.0.flags)?;
});

/// A status: ERROR with the message; without one, OK if the flag is set, or unset.
struct Status<'a>(Option<&'a str>, bool);
message!(self: Status<'_>, fields, {
    if let Some(message) = self.0 {
        fields.text("message", message)?;
        fields.put("code", &2)?;
    } else if self.1 {
        fields.put("code", &1)?;
    }
});

struct KeyValue<'a>(&'a str, Datum<'a>);
message!(self: KeyValue<'_>, fields, {
    fields.text("key", self.0)?;
    fields.put("value", &AnyValue(self.1))?;
});

/// The value of an attribute in OTLP JSON.
pub struct AnyValue<'a>(pub Datum<'a>);
message!(self: AnyValue<'_>, fields, {
    match self.0 {
        Datum::Text(text) => fields.put("stringValue", &text)?,
        Datum::Bool(v) => fields.put("boolValue", &v)?,
        Datum::Int(v) => fields.put("intValue", &Quoted(v))?,
        Datum::Double(v) => fields.put("doubleValue", &Double(v))?,
        Datum::Bytes(bytes) => fields.put("bytesValue", &Quoted(fmt::from_fn(|f| f.write_str(&STANDARD.encode(bytes)))))?,
        Datum::List(items) => fields.put("arrayValue", &ArrayValue(items))?,
        Datum::Map(entries) => fields.put("kvlistValue", &KeyValueList(entries))?,
    }
});

struct ArrayValue<'a>(crate::trace::Items<'a>);
message!(self: ArrayValue<'_>, fields, {
    fields.list("values", self.0.iter().map(AnyValue))?;
});

struct KeyValueList<'a>(crate::trace::Entries<'a>);
message!(self: KeyValueList<'_>, fields, {
    fields.list("values", self.0.iter().map(|(key, value)| KeyValue(key, value)))?;
});

struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Double(v) = *self;
        if v.is_nan() {
            to.serialize_str("NaN")
        } else if v.is_infinite() {
            to.serialize_str(if v > 0.0 { "Infinity" } else { "-Infinity" })
        } else if v == v.trunc() && v.abs() < (1u64 << 53) as f64 && (v != 0.0 || v.is_sign_positive()) {
            to.serialize_i64(v as i64)
        } else {
            to.serialize_f64(v)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, fixtures};
    use super::super::reference;
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::Status as StatusMessage;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Adds the missing field of lists without elements: the mapping allows to leave it out, but `opentelemetry-proto`
    /// requires it.
    fn say_empty_lists(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for list in ["arrayValue", "kvlistValue"] {
                    if let Some(Value::Object(list)) = fields.get_mut(list) {
                        list.entry("values").or_insert(Value::Array(vec![]));
                    }
                }
                fields.values_mut().for_each(say_empty_lists);
            }
            Value::Array(items) => items.iter_mut().for_each(say_empty_lists),
            _ => {}
        }
    }

    fn check(fixture: &Fixture, encoder: &mut Json) -> Vec<Batch> {
        let batches = fixture.batches(encoder);
        let mut spans = fixture.spans().into_iter();
        for batch in &batches {
            assert!(!batch.body.contains(&b'\n'));
            let mut value: Value = serde_json::from_slice(&batch.body).unwrap();
            say_empty_lists(&mut value);
            let mut expected = reference::request(spans.by_ref().take(batch.spans as usize));
            // In JSON, the status is always present.
            for span in expected.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
                span.status.get_or_insert(StatusMessage::default());
            }
            assert_eq!(serde_json::from_value::<ExportTraceServiceRequest>(value).unwrap(), expected);
        }
        assert!(spans.next().is_none(), "a span was not sent");
        assert_eq!(batches.iter().map(|batch| batch.traces).sum::<u64>(), fixture.traces.len() as u64);
        batches
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_decoder_reads_the_original_spans(fixture in fixtures()) {
            let mut encoder = Json::new(&fixture.plan, &fixture.resources);
            let first = check(&fixture, &mut encoder);
            first.iter().for_each(|batch| encoder.recycle(batch.body.clone()));
            prop_assert_eq!(check(&fixture, &mut encoder), first);
        }
    }

    #[test]
    fn doubles_are_written_as_the_collector_does() {
        for (v, text) in [
            (5.0, "5"),
            (-3.0, "-3"),
            (0.0, "0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e-9, "1e-9"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(serde_json::to_string(&Double(v)).unwrap(), text);
        }
    }

    #[test]
    fn a_request_is_one_line_with_the_fields_in_the_collectors_order() {
        let fixture = super::super::fixture::checkout();
        let batches = fixture.batches(&mut Json::new(&fixture.plan, &fixture.resources));
        insta::with_settings!({ snapshot_path => "../../snapshots/export", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!("checkout.json", String::from_utf8(batches[0].body.clone()).unwrap());
        });
    }
}
