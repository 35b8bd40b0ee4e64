//! A processor that edits an attribute.

use crate::support::collector::{Collector, Output};
use crate::support::jaeger::Jaeger;
use crate::{Run, assert_counts, assert_verdict, clickhouse, count, path_of, rows_of, url_of};
use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
use opentelemetry_proto::tonic::trace::v1::Span;

const KEY: &str = "http.request.method";

fn method(span: &Span) -> Option<&str> {
    match span.attributes.iter().find(|attribute| attribute.key == KEY)?.value.as_ref()?.value.as_ref()? {
        StringValue(text) => Some(text),
        _ => None,
    }
}

#[test]
fn an_attribute_that_was_edited() {
    let (Some(server), Some(jaeger)) = (clickhouse(), Jaeger::start()) else { return };
    let connection = server.fresh();
    let outputs = vec![rows_of(server, &connection), Output::Otlp { port: jaeger.otlp_port() }, Output::Protobuf];
    let edit = ("attributes", "{actions: [{key: http.request.method, value: POST, action: update}]}");
    let Some(mut collector) = Collector::with(outputs, &[edit]) else { return };
    let run = Run::sent(6, 1_000, "grpc", &collector.grpc_url());
    jaeger.wait_for(run.delivered);
    collector.stop();
    let truth = run.truth();
    let edited = truth.iter().filter(|span| method(span).is_some_and(|method| method != "POST")).count() as u64;
    let posts = truth.iter().filter(|span| method(span) == Some("POST")).count() as u64;
    assert!(edited > 0 && posts > 0);
    let methods = "countIf(SpanAttributes['http.request.method'] = 'POST') FROM otel_traces";
    assert_eq!(count(&connection, methods), edited + posts);
    for from in [url_of(&connection), format!("jaeger={}", jaeger.url()), path_of(&collector.file())] {
        let (report, exit) = run.verified(&from, &[]);
        assert_verdict(&report, exit, &["altered"]);
        assert_counts(&report, [run.delivered, run.delivered, 0, 0, edited, 0]);
        let fields = report["fields"].as_array().expect("fields");
        assert_eq!(fields.len(), 1, "{report:#}");
        let field = &fields[0];
        assert_eq!((&field["field"], &field["spans"]), (&format!("attributes.{KEY}").into(), &edited.into()));
        assert_eq!(field["found"], "\"POST\"", "{report:#}");
        assert_ne!(field["expected"], "\"POST\"", "{report:#}");
    }
    // An intended edit can be declared.
    let field = format!("altered=attributes.{KEY}");
    for (allowed, faults) in [(&*field, &[][..]), ("altered", &[]), ("altered=name", &["altered"])] {
        let (report, exit) = run.verified(&path_of(&collector.file()), &["--allow", allowed]);
        assert_verdict(&report, exit, faults);
    }
}
