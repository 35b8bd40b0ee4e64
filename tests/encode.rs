//! Traces of the interpreter, encoded directly and by the OpenTelemetry SDK, give the same request.

mod support {
    pub mod counting;
    pub mod plans;
    pub mod sdk;
    pub mod shipped;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use prost::Message;
use std::sync::Arc;
use support::{counting::allocations, plans, sdk, shipped::shipped};
use tracegen::export::{Batch, Encode, Json, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::plan::{Plan, ResourceId};
use tracegen::trace::{Trace, View};

/// 2026-01-01.
const START: u64 = 1_767_225_600_000_000_000;

fn traces(plan: Plan, count: u64) -> (Arc<Run>, Vec<Trace>) {
    let schedule = Schedule::new(START, Arrivals::Even { count: 100, per_ns: 1_000_000_000 }).unwrap();
    let run = Arc::new(Run::new(Arc::new(plan), 42, schedule));
    let mut interpreter = Interpreter::new(&run);
    let traces = (0..count).map(|index| {
        let mut trace = Trace::default();
        interpreter.trace(index, &mut trace);
        trace
    });
    let traces = traces.collect();
    (run, traces)
}

/// Encodes one trace as one request.
fn alone(encoder: &mut impl Encode, view: View<'_>) -> Batch {
    let mut batches = vec![];
    encoder.add(view, &mut |batch| batches.push(batch));
    encoder.flush(&mut |batch| batches.push(batch));
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

/// Makes the SDK's request for one trace, without the empty status of spans that did not fail.
fn by_sdk(view: View<'_>) -> ExportTraceServiceRequest {
    let mut groups: Vec<(ResourceId, Vec<_>)> = vec![];
    for (resource, span) in sdk::span_data(view) {
        match groups.iter_mut().find(|(seen, _)| *seen == resource) {
            Some((_, spans)) => spans.push(span),
            None => groups.push((resource, vec![span])),
        }
    }
    let resource_spans = groups.into_iter().flat_map(|(id, spans)| {
        let resource = ResourceAttributesWithSchema::from(&sdk::resource(view.resources, id));
        group_spans_by_resource_and_scope(spans, &resource)
    });
    let mut request = ExportTraceServiceRequest { resource_spans: resource_spans.collect() };
    sort_resources(&mut request);
    for span in request.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
        span.status.take_if(|status| status.code == 0);
    }
    request
}

/// Sorts the attributes of resources, because the SDK keeps them in no order.
fn sort_resources(request: &mut ExportTraceServiceRequest) {
    for resource in request.resource_spans.iter_mut().flat_map(|r| &mut r.resource) {
        resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    }
}

#[test]
fn the_direct_encoder_and_the_sdk_send_the_same() {
    for (plan, name) in [(plans::ecommerce(), "ecommerce"), (plans::wide(), "wide"), (plans::linked(), "linked")] {
        let (run, traces) = traces(plan, 500);
        let (mut protobuf, mut json) =
            (Protobuf::new(run.plan(), run.resources()), Json::new(run.plan(), run.resources()));
        let (mut failures, mut links, mut events) = (0, 0, 0);
        for trace in &traces {
            let view = View { plan: run.plan(), resources: run.resources(), trace };
            let batch = alone(&mut protobuf, view);
            assert_eq!((batch.spans, batch.traces), (trace.spans.len() as u64, 1));
            let mut request = ExportTraceServiceRequest::decode(&batch.body[..]).unwrap();
            assert!(request.encode_to_vec() == batch.body, "{name} {}: not canonical", trace.index);
            let mut by_json: ExportTraceServiceRequest = serde_json::from_slice(&alone(&mut json, view).body).unwrap();
            for span in by_json.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
                span.status.take_if(|status| status.code == 0);
            }
            assert_eq!(by_json, request, "{name} {}: JSON", trace.index);
            sort_resources(&mut request);
            assert_eq!(by_sdk(view), request, "{name} {}: SDK", trace.index);
            (failures, links, events) =
                (failures + trace.failures.len(), links + trace.links.len(), events + trace.events.len());
        }
        // Each plan covers something that the others do not.
        let seen = match name {
            "ecommerce" => failures,
            "wide" => events,
            _ => links,
        };
        assert!(seen > 50, "{name}: {failures} failures, {events} events, {links} links");
    }
}

#[test]
fn nothing_is_allocated_once_warm() {
    for plan in [plans::ecommerce(), plans::wide(), plans::linked(), plans::timed(), shipped()] {
        let allocated = allocations_of_passes(plan);
        assert_ne!(allocated[0], 0);
        assert_eq!(allocated[2], 0);
    }
}

/// Returns the allocations of three passes over the same traces.
fn allocations_of_passes(plan: Plan) -> [u64; 3] {
    let (run, traces) = traces(plan, 5_000);
    let mut encoder = Protobuf::new(run.plan(), run.resources());
    let mut batches = Vec::with_capacity(8);
    let mut pass = || {
        let before = allocations();
        for trace in &traces {
            let view = View { plan: run.plan(), resources: run.resources(), trace };
            encoder.add(view, &mut |batch| batches.push(batch));
            batches.drain(..).for_each(|batch| encoder.recycle(batch.body));
        }
        encoder.flush(&mut |batch| batches.push(batch));
        batches.drain(..).for_each(|batch| encoder.recycle(batch.body));
        allocations() - before
    };
    [pass(), pass(), pass()]
}
