//! Benchmarks of encoding traces as OTLP in two ways: by the direct encoder, and as a program with the OpenTelemetry SDK
//! does it (`SpanData`, the SDK's conversion to protobuf messages, prost). `cargo bench --bench otlp`; `thrpt` is spans a
//! second.
//!
//! `run/...` interprets and encodes, `encode/...` encodes existing traces, `interpret` generates them. `copy` copies the
//! bytes of the same spans batch by batch, which is the lower limit of the time.

#[allow(dead_code)]
#[path = "../tests/support/plans.rs"]
mod plans;
#[path = "../tests/support/sdk.rs"]
mod sdk;
#[path = "../tests/support/shipped.rs"]
mod shipped;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use shipped::{compiled, features, shipped};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tracegen::export::{BATCH_SPANS, Batch, Encode, Json, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::plan::{Plan, ResourceId};
use tracegen::trace::{Resources, Trace, View};

const TRACES: u64 = 10_000;
/// 2026-01-01.
const START: u64 = 1_767_225_600_000_000_000;

/// An encoder that works as the SDK does.
struct Sdk {
    resources: Vec<ResourceAttributesWithSchema>,
    groups: Vec<Vec<SpanData>>,
    spans: usize,
}

impl Sdk {
    fn new(resources: &Resources) -> Sdk {
        let ids = (0..resources.attributes.len() as u32).map(ResourceId);
        let resources: Vec<_> = ids.map(|id| (&sdk::resource(resources, id)).into()).collect();
        Sdk { groups: resources.iter().map(|_| vec![]).collect(), resources, spans: 0 }
    }

    fn add(&mut self, view: View<'_>) {
        for (resource, span) in sdk::span_data(view) {
            self.groups[resource.index()].push(span);
            self.spans += 1;
        }
        if self.spans >= BATCH_SPANS {
            self.spans = 0;
            let groups = self.groups.iter_mut().zip(&self.resources).filter(|(spans, _)| !spans.is_empty());
            let groups = groups.flat_map(|(spans, of)| group_spans_by_resource_and_scope(std::mem::take(spans), of));
            black_box(ExportTraceServiceRequest { resource_spans: groups.collect() }.encode_to_vec());
        }
    }
}

/// Encodes a trace, and gives back the memory of full batches as a sender does.
fn add(encoder: &mut impl Encode, view: View<'_>) {
    let mut full = None;
    encoder.add(view, &mut |batch: Batch| full = Some(batch.body));
    if let Some(body) = full {
        encoder.recycle(black_box(body));
    }
}

fn view<'a>(run: &'a Run, trace: &'a Trace) -> View<'a> {
    View { plan: run.plan(), resources: run.resources(), trace }
}

/// Returns the batches of `traces`.
fn bodies(encoder: &mut impl Encode, run: &Run, traces: &[Trace]) -> Vec<Vec<u8>> {
    let mut bodies = vec![];
    let mut take = |batch: Batch| bodies.push(batch.body);
    traces.iter().for_each(|trace| encoder.add(view(run, trace), &mut take));
    encoder.flush(&mut take);
    bodies
}

/// Benchmarks a plan. With `sdk`, the SDK's exporter is fed too; it can't take attributes that are bytes or maps.
fn otlp(c: &mut Criterion, name: &str, plan: Plan, sdk: bool) {
    let plan = Arc::new(plan);
    let schedule = Schedule::new(START, Arrivals::Even { count: 1_000, per_ns: 1_000_000_000 }).expect("a schedule");
    let run = Arc::new(Run::new(plan.clone(), 42, schedule));
    let mut interpreter = Interpreter::new(&run);
    let traces: Vec<Trace> = (0..TRACES)
        .map(|index| {
            let mut trace = Trace::default();
            interpreter.trace(index, &mut trace);
            trace
        })
        .collect();
    let spans = traces.iter().map(|trace| trace.spans.len() as u64).sum();
    let mut protobuf = Protobuf::new(&plan, run.resources());
    let bodies = bodies(&mut protobuf, &run, &traces);
    let mut json = Json::new(run.plan(), run.resources());
    let mut sdk = sdk.then(|| Sdk::new(run.resources()));

    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(spans)).sample_size(20).measurement_time(Duration::from_secs(3));
    let mut to = Vec::new();
    let mut copy = |from: &Vec<u8>| {
        to.clone_from(black_box(from));
        black_box(&to);
    };
    group.bench_function("copy", |b| b.iter(|| bodies.iter().for_each(&mut copy)));
    group.bench_function("encode/direct", |b| b.iter(|| traces.iter().for_each(|t| add(&mut protobuf, view(&run, t)))));
    group.bench_function("encode/json", |b| b.iter(|| traces.iter().for_each(|t| add(&mut json, view(&run, t)))));
    if let Some(sdk) = &mut sdk {
        group.bench_function("encode/sdk", |b| b.iter(|| traces.iter().for_each(|t| sdk.add(view(&run, t)))));
    }
    let mut trace = Trace::default();
    let mut each = |of: &mut dyn FnMut(&Trace)| {
        for index in 0..TRACES {
            interpreter.trace(index, &mut trace);
            of(&trace);
        }
    };
    group.bench_function("interpret", |b| b.iter(|| each(&mut |t| _ = black_box(t))));
    group.bench_function("run/direct", |b| b.iter(|| each(&mut |t| add(&mut protobuf, view(&run, t)))));
    if let Some(sdk) = &mut sdk {
        group.bench_function("run/sdk", |b| b.iter(|| each(&mut |t| sdk.add(view(&run, t)))));
    }
}

fn benches(c: &mut Criterion) {
    otlp(c, "ecommerce", plans::ecommerce(), true);
    otlp(c, "wide", plans::wide(), true);
    otlp(c, "mixed", shipped(), true);
    otlp(c, "shop", compiled("scenarios/examples/shop.yaml"), true);
    otlp(c, "constructs", features(), false);
}

criterion_group!(all, benches);
criterion_main!(all);
