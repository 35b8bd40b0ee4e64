//! The encoder for OTLP protobuf. The constant bytes of a plan's spans are made once (`form`) and copied for each span; ids
//! and times are set into the copy, and the variable parts follow. Lengths are guessed first and corrected at the end. The
//! bytes are the same as prost writes for the same request.

mod form;
mod span;
#[cfg(test)]
mod tests;
mod wire;

use super::batch::{Groups, Heads};
use super::{Batch, Encode};
use crate::plan::{BlockId, Plan, ResourceId};
use crate::trace::{Bytes, Resources, SpanRecord, SpanView, View};
use form::Forms;

/// The encoder for OTLP/gRPC, OTLP/HTTP with protobuf, and protobuf files.
pub struct Protobuf {
    forms: Forms,
    groups: Groups,
}

impl Protobuf {
    /// Makes an encoder for traces of this plan and these resources only.
    pub fn new(plan: &Plan, resources: &Resources) -> Protobuf {
        let (resources, scopes) = (form::resource_heads(resources), form::scope_heads(plan));
        let free = scopes[0].len();
        let groups = Groups::new(plan, Heads { resources, scopes, free });
        Protobuf { forms: Forms::new(plan), groups }
    }

    fn close(&mut self) -> Batch {
        self.groups.close(|body, resource, scope, spans| {
            let scope_spans = scope.len() + spans.len();
            let (scope_spans, n) = wire::varint(scope_spans as u64);
            let len = resource.len() + 1 + n + scope.len() + spans.len();
            let (len, len_n) = wire::varint(len as u64);
            body.push(wire::delimited(1));
            body.extend_from_slice(&len[..len_n]);
            body.extend_from_slice(resource);
            body.push(wire::delimited(2));
            body.extend_from_slice(&scope_spans[..n]);
            body.extend_from_slice(scope);
            body.extend_from_slice(spans);
        })
    }
}

impl Protobuf {
    #[inline(always)]
    fn put(&mut self, view: View<'_>, record: &SpanRecord, last: bool, emit: &mut dyn FnMut(Batch)) {
        let out = self.groups.group(record);
        let before = out.len();
        span::span(out, &mut self.forms, view, record);
        let bytes = out.len() - before;
        if last {
            self.groups.trace_ended();
        }
        if self.groups.added(bytes) {
            emit(self.close());
        }
    }
}

impl Encode for Protobuf {
    fn add(&mut self, view: View<'_>, emit: &mut dyn FnMut(Batch)) {
        let spans = &view.trace.spans;
        if !view.trace.leaves.is_empty() {
            return super::each_sent(view, &mut |span, last| self.put(view, span.record(), last, emit));
        }
        for (ordinal, record) in spans.iter().enumerate() {
            self.put(view, record, ordinal + 1 == spans.len(), emit);
        }
    }

    fn add_span(&mut self, span: SpanView<'_>, last: bool, emit: &mut dyn FnMut(Batch)) {
        self.put(span.view, span.record(), last, emit);
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

/// An encoder for single parts of a request, which are used for comparison.
pub struct Parts {
    forms: Forms,
    resources: Vec<Vec<u8>>,
    scopes: Vec<Vec<u8>>,
}

impl Parts {
    /// Makes an encoder for traces of this plan and these resources only.
    pub fn new(plan: &Plan, resources: &Resources) -> Parts {
        Parts { forms: Forms::new(plan), resources: form::resource_heads(resources), scopes: form::scope_heads(plan) }
    }

    /// Appends a span, as field 2 of `ScopeSpans`.
    pub fn span(&mut self, view: View<'_>, ordinal: usize, out: &mut Bytes) {
        span::span(out, &mut self.forms, view, &view.trace.spans[ordinal]);
    }

    /// Returns the `Resource` of spans, as field 1 of `ResourceSpans`.
    pub fn resource(&self, id: ResourceId) -> &[u8] {
        &self.resources[id.index()]
    }

    /// Returns the `InstrumentationScope` of a block's spans, as field 1 of `ScopeSpans`.
    pub fn scope(&self, plan: &Plan, block: BlockId) -> &[u8] {
        &self.scopes[plan.span(block).scope.map_or(0, |scope| 1 + scope.index())]
    }
}
