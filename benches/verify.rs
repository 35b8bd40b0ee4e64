//! Benchmarks of verifying arrivals on one core: `cargo bench --bench verify`; `thrpt` is spans a second.
//!
//! `file/..` reads OTLP files from the disk's cache, written by tracegen and by the collector. In `altered`, every span
//! differs, so that it is decoded and compared field by field. `store` takes spans as a store returns them. In `missing`,
//! nothing has arrived, and every trace is generated to report what is lost. With `policy`, rules for traces are judged, too.

#[allow(dead_code)]
#[path = "../tests/support/plans.rs"]
mod plans;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tracegen::condition::Vocabulary;
use tracegen::export::file::{Existing, FileSink};
use tracegen::export::{Encode, Json, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::journal::{Archive, Selection};
use tracegen::plan::Plan;
use tracegen::trace::{StoredSpan, Trace};
use tracegen::verify::{Fidelity, Policy, PolicyReader, Report, Source, Verifier};

const TRACES: u64 = 50_000;
/// 2026-01-01.
const START: u64 = 1_767_225_600_000_000_000;

fn run(plan: Plan) -> Arc<Run> {
    let schedule = Schedule::new(START, Arrivals::Even { count: 1_000, per_ns: 1_000_000_000 }).expect("a schedule");
    Arc::new(Run::new(Arc::new(plan), 42, schedule))
}

fn archive(run: &Run) -> Archive {
    Archive::of(run, Selection { count: Some(TRACES), ..Selection::default() }, None)
}

/// Writes all traces to a file.
fn written(run: &Arc<Run>, path: &Path, mut encoder: impl Encode) -> PathBuf {
    let mut sink = FileSink::open(path, Existing::Overwritten).expect("a file");
    let mut interpreter = Interpreter::new(run);
    let mut trace = Trace::default();
    for index in 0..TRACES {
        interpreter.trace(index, &mut trace);
        encoder.add(run.origin().view(&trace), &mut |batch| sink.write(&batch).expect("written"));
    }
    encoder.flush(&mut |batch| sink.write(&batch).expect("written"));
    sink.finish().expect("written");
    path.into()
}

fn verified(run: &Run, file: &Path, policy: &Policy) -> Report {
    let mut verifier = Verifier::new(archive(run), Fidelity::Otlp, policy.clone());
    Source::Files(vec![file.into()]).read(&mut verifier, &mut |_| {}).expect("a file");
    verifier.finish()
}

/// Makes a policy whose rules read all kinds of values of each trace.
fn policy(run: &Run) -> Policy {
    let known = Vocabulary::of([&**run.plan()]);
    let mut reader = PolicyReader::new(&known);
    reader.rule("rule", "drop: root.name == 'GET /healthz'");
    reader.rule("rule", "keep: failed or duration_ms >= 801");
    reader.rule("rule", "keep: any(kind == 'CLIENT' and resource.service.name == 'none')");
    reader.rule("rule", "sample: any");
    reader.finish().expect("a policy")
}

/// Returns a policy whose changes touch no span, which is what most changes do to most spans.
fn changes() -> Policy {
    let known = Vocabulary::default();
    let mut reader = PolicyReader::new(&known);
    for change in
        ["sha256(enduser.id)", "delete(payment.card) when kind == 'CLIENT'", "drop_spans(name == 'GET /ready')"]
    {
        reader.change("--change", change);
    }
    reader.finish().expect("a policy")
}

/// Reads the bodies of a protobuf file.
fn bodies(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).expect("a file");
    let (mut rest, mut bodies) = (&bytes[..], vec![]);
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (body, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        bodies.push(body.to_vec());
        rest = behind;
    }
    bodies
}

/// Applies `edit` to each span.
fn edited(bodies: &[Vec<u8>], edit: impl Fn(&mut opentelemetry_proto::tonic::trace::v1::Span)) -> Vec<Vec<u8>> {
    let edited = |body: &Vec<u8>| {
        let mut request = ExportTraceServiceRequest::decode(&body[..]).expect("a request");
        let groups = request.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans);
        groups.flat_map(|scope| &mut scope.spans).for_each(&edit);
        request.encode_to_vec()
    };
    bodies.iter().map(edited).collect()
}

/// Reverses the fields of a span and of its attributes, as the collector writes them.
fn collected(body: &[u8]) -> Vec<u8> {
    // Each number is that of the field that holds the next message: ExportTraceServiceRequest, ResourceSpans, ScopeSpans,
    // Span, KeyValue.
    backwards(body, &[1, 2, 2, 9])
}

fn backwards(message: &[u8], path: &[u64]) -> Vec<u8> {
    let (mut fields, mut rest): (Vec<(u64, Vec<u8>)>, _) = (vec![], message);
    while !rest.is_empty() {
        let begin = rest;
        let tag = decode_varint(&mut rest);
        let length = match tag & 7 {
            0 => {
                decode_varint(&mut rest);
                0
            }
            1 => 8,
            5 => 4,
            _ => decode_varint(&mut rest) as usize,
        };
        let inner;
        (inner, rest) = rest.split_at(length);
        let mut bytes = begin[..begin.len() - rest.len()].to_vec();
        if path.first() == Some(&(tag >> 3)) {
            // The length stays the same, as only the order changes.
            bytes.truncate(bytes.len() - length);
            bytes.extend(backwards(inner, &path[1..]));
        }
        fields.push((tag >> 3, bytes));
    }
    fields.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    fields.into_iter().flat_map(|(_, bytes)| bytes).collect()
}

fn decode_varint(bytes: &mut &[u8]) -> u64 {
    prost::encoding::decode_varint(bytes).expect("a varint")
}

fn requests(run: &Run, bodies: &[Vec<u8>]) -> Report {
    let mut verifier = Verifier::new(archive(run), Fidelity::Otlp, Policy::default());
    bodies.iter().for_each(|body| verifier.request(body, None).expect("a request"));
    verifier.finish()
}

fn verify(c: &mut Criterion, name: &str, plan: Plan) {
    let run = run(plan);
    let folder = tempfile::tempdir().expect("a folder");
    let protobuf = written(&run, &folder.path().join("a.bin"), Protobuf::new(run.plan(), run.resources()));
    let json = written(&run, &folder.path().join("a.jsonl"), Json::new(run.plan(), run.resources()));
    let (all, policy, changes) = (Policy::default(), policy(&run), changes());
    let spans = verified(&run, &protobuf, &all).expected;
    assert!(verified(&run, &protobuf, &policy).rules.iter().all(|rule| rule.holds));
    let bodies = bodies(&protobuf);
    let collected: Vec<Vec<u8>> = bodies.iter().map(|body| collected(body)).collect();
    let altered = edited(&bodies, |span| span.trace_state = "a=b".into());
    assert_eq!((requests(&run, &collected).altered, requests(&run, &altered).altered), (0, spans));

    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(spans)).sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("file/protobuf", |b| b.iter(|| black_box(verified(&run, &protobuf, &all))));
    group.bench_function("file/protobuf, policy", |b| b.iter(|| black_box(verified(&run, &protobuf, &policy))));
    group.bench_function("file/protobuf, changes", |b| b.iter(|| black_box(verified(&run, &protobuf, &changes))));
    group.bench_function("file/json", |b| b.iter(|| black_box(verified(&run, &json, &all))));
    group.bench_function("collector/protobuf", |b| b.iter(|| black_box(requests(&run, &collected))));
    group.bench_function("altered", |b| b.iter(|| black_box(requests(&run, &altered))));
    let mut interpreter = Interpreter::new(&run);
    let mut trace = Trace::default();
    let mut stored = vec![];
    for index in 0..TRACES / 10 {
        interpreter.trace(index, &mut trace);
        stored.extend(run.origin().view(&trace).spans().map(|span| (trace.id, StoredSpan::of(span))));
    }
    group.bench_function("missing", |b| b.iter(|| black_box(requests(&run, &[]))));
    group.throughput(Throughput::Elements(stored.len() as u64));
    let observe = |mut verifier: Verifier| {
        stored.iter().for_each(|(trace, span)| verifier.observe(*trace, span, None));
        verifier
    };
    let fresh = || Verifier::new(archive(&run), Fidelity::Otlp, Policy::default());
    group.bench_function("store", |b| b.iter_batched(fresh, observe, BatchSize::PerIteration));
}

fn benches(c: &mut Criterion) {
    verify(c, "ecommerce", plans::ecommerce());
    verify(c, "wide", plans::wide());
}

criterion_group!(all, benches);
criterion_main!(all);
