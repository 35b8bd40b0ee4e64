use super::super::fixture::{Fixture, Maker, attrs, block, fixtures, plan, service};
use super::super::{BATCH_BYTES, BATCH_SPANS, reference};
use super::*;
use crate::plan::{Constant, Inst, ResourceId, SpanForm, SpanKind};
use crate::trace::{AttrRecord, NONE, OwnedDatum, SpanRecord, Trace, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;

/// Checks that every batch has exactly the bytes that prost writes for its spans.
fn check(fixture: &Fixture, encoder: &mut Protobuf) -> Vec<Batch> {
    let batches = fixture.batches(encoder);
    let mut spans = fixture.spans().into_iter();
    for batch in &batches {
        let expected = reference::request(spans.by_ref().take(batch.spans as usize));
        assert_eq!(ExportTraceServiceRequest::decode(&batch.body[..]).unwrap(), expected);
        assert!(batch.body == expected.encode_to_vec(), "the same message, but not the same bytes");
    }
    assert_eq!(spans.next().map(|span| span.ordinal), None, "a span was not sent");
    assert_eq!(batches.iter().map(|batch| batch.traces).sum::<u64>(), fixture.traces.len() as u64);
    batches
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_bytes_are_those_of_prost(fixture in fixtures()) {
        let mut encoder = Protobuf::new(&fixture.plan, &fixture.resources);
        let first = check(&fixture, &mut encoder);
        // The encoder has learned its guesses now and reuses memory; the bytes are the same.
        first.iter().for_each(|batch| encoder.recycle(batch.body.clone()));
        prop_assert_eq!(check(&fixture, &mut encoder), first);
    }
}

/// Makes `traces` traces of `spans` spans, each with a text of `text` bytes.
fn uniform(traces: usize, spans: usize, text: usize) -> Fixture {
    let mut make = Maker::default();
    let service = service(&mut make, "api-gateway", 2);
    let name = make.text("GET /");
    let constants = vec![(make.text("http.request.method"), Constant::Bool(true))];
    let attrs = attrs(&mut make, &["note"]);
    let block = block(
        &mut make,
        SpanForm { name: Some(name), constants, attrs, ..SpanForm::new(service, SpanKind::Server) },
        vec![Inst::End],
    );
    let plan = plan(make, "uniform");
    let mut trace = Trace { id: [7; 16], ..Default::default() };
    trace.text.append("z".repeat(text).as_bytes());
    for i in 0..spans {
        trace.spans.push(SpanRecord {
            id: i as u64 + 1,
            start: 1,
            end: 2,
            name: Value::constant(&plan, name),
            block,
            resource: ResourceId(i as u32 % 2),
            parent: if i == 0 { NONE } else { 0 },
            attrs: i as u32,
            failure: NONE,
            event: NONE,
            link: NONE,
        });
        trace.attrs.push(AttrRecord { attr: attrs.ids().next().unwrap(), value: Value::text(0, text) });
    }
    let resource = |i| vec![("service.instance.id".to_string(), OwnedDatum::Int(i))];
    let resources = Resources { attributes: (0..2).map(resource).collect() };
    Fixture { plan, resources, traces: vec![trace; traces] }
}

#[test]
fn a_batch_closes_at_its_spans_even_inside_a_trace() {
    let fixture = uniform(3, 5_000, 0);
    let batches = check(&fixture, &mut Protobuf::new(&fixture.plan, &fixture.resources));
    let counts: Vec<_> = batches.iter().map(|batch| (batch.spans, batch.traces)).collect();
    assert_eq!(counts, [(BATCH_SPANS as u64, 1), (15_000 - BATCH_SPANS as u64, 2)]);
}

#[test]
fn a_batch_closes_right_after_the_span_that_fills_it() {
    let fixture = uniform(500, 2, 4_000);
    let batches = check(&fixture, &mut Protobuf::new(&fixture.plan, &fixture.resources));
    assert!(batches.len() > 3);
    let span = batches[0].body.len() / batches[0].spans as usize;
    for batch in &batches[..batches.len() - 1] {
        assert!((BATCH_BYTES..BATCH_BYTES + span + 64).contains(&batch.body.len()), "{}", batch.body.len());
    }
    assert!(batches.last().unwrap().body.len() < BATCH_BYTES);
}

#[test]
fn a_span_can_be_larger_than_a_batch() {
    let fixture = uniform(2, 1, 3 * BATCH_BYTES);
    let batches = check(&fixture, &mut Protobuf::new(&fixture.plan, &fixture.resources));
    assert_eq!(batches.iter().map(|batch| batch.spans).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn constants_that_exceed_the_pool_are_sent_all_the_same() {
    let mut make = Maker::default();
    let service = service(&mut make, "a", 1);
    let long = make.text(&"l".repeat(1 << 20));
    let name = make.text("n");
    // More than the pool takes: 80 texts of 1 MiB.
    let constants = (0..80).map(|i| (make.text(&format!("k{i}")), Constant::Text(long))).collect();
    let attrs = attrs(&mut make, &["after"]);
    let block = block(
        &mut make,
        SpanForm { name: Some(name), constants, attrs, ..SpanForm::new(service, SpanKind::Internal) },
        vec![Inst::End],
    );
    let plan = plan(make, "long");
    let mut trace = Trace { id: [1; 16], ..Default::default() };
    trace.attrs.push(AttrRecord { attr: attrs.ids().next().unwrap(), value: Value::int(-1) });
    trace.spans.push(SpanRecord {
        id: 1,
        start: 5,
        end: 6,
        name: Value::constant(&plan, name),
        block,
        resource: ResourceId(0),
        parent: NONE,
        attrs: 0,
        failure: NONE,
        event: NONE,
        link: NONE,
    });
    let resources = Resources { attributes: vec![vec![]] };
    let fixture = Fixture { plan, resources, traces: vec![trace] };
    let mut encoder = Protobuf::new(&fixture.plan, &fixture.resources);
    assert!(encoder.forms.pool.len() < 64 << 20);
    check(&fixture, &mut encoder);
}
