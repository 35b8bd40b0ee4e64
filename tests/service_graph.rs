//! The service graph and the span metrics that a real collector computes from the shipped scenarios, compared with the
//! spans themselves and with the figures of `explain`.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod ports;
}

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use std::{fs, path::Path, thread};
use support::binary::{scenarios, tracegen};
use support::collector::{Collector, Output, read_delimited};

const TRACES: u32 = 4_000;
/// The allowed distance of a count from its expected value, in standard deviations. With more than 99.99 % of seeds, all of
/// some hundred counts are within it.
const DEVIATIONS: f64 = 5.5;

/// The numbers of all and of failed ones by two names: calls by caller and callee, or spans by service and operation.
type Counts = BTreeMap<(String, String), (u64, u64)>;

/// Returns a line for each pair of names whose counts differ.
fn different(found: &Counts, expected: &Counts) -> Vec<String> {
    let names: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let both = names.into_iter().map(|names| (names, found.get(names), expected.get(names)));
    both.filter(|(_, found, expected)| found != expected)
        .map(|(names, found, expected)| format!("{names:?}: {found:?}, expected {expected:?}"))
        .collect()
}

fn run(target: &[&str]) {
    let count = TRACES.to_string();
    let fixed = ["run", "--seed", "7", "--start", "2026-01-01T00:00:00Z", "--count", &count, "--quiet"];
    tracegen().args(fixed).args(target).arg(scenarios()).assert().success();
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()?;
    if let any_value::Value::StringValue(text) = value { Some(text) } else { None }
}

fn is_failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

/// Returns each span with its service.
fn with_services(requests: &[ExportTraceServiceRequest]) -> impl Iterator<Item = (&str, &Span)> {
    requests.iter().flat_map(|request| &request.resource_spans).flat_map(|resource| {
        let service = text(&resource.resource.as_ref().unwrap().attributes, "service.name").unwrap();
        resource.scope_spans.iter().flat_map(|scope| &scope.spans).map(move |span| (service, span))
    })
}

/// Returns the calls that follow from the spans: a client or producer with a server or consumer below it, and a client
/// without one, whose callee is named by its `server.address`.
fn edges(requests: &[ExportTraceServiceRequest]) -> Counts {
    let (mut callers, mut answered) = (HashMap::new(), BTreeSet::new());
    let mut edges = Counts::new();
    let mut add = |client: &str, server: &str, failed: bool| {
        let edge = edges.entry((client.to_owned(), server.to_owned())).or_default();
        *edge = (edge.0 + 1, edge.1 + u64::from(failed));
    };
    for (service, span) in with_services(requests) {
        if matches!(span.kind(), SpanKind::Client | SpanKind::Producer) {
            callers.insert((&span.trace_id, &span.span_id), (service, span));
        }
    }
    for (service, span) in with_services(requests) {
        if matches!(span.kind(), SpanKind::Server | SpanKind::Consumer)
            && let Some((client, caller)) = callers.get(&(&span.trace_id, &span.parent_span_id))
        {
            add(client, service, is_failed(span) || is_failed(caller));
            answered.insert((&caller.trace_id, &caller.span_id));
        }
    }
    for (client, span) in callers.values().filter(|(_, span)| !answered.contains(&(&span.trace_id, &span.span_id))) {
        if let Some(address) = text(&span.attributes, "server.address") {
            add(client, address, is_failed(span));
        }
    }
    edges
}

fn operations(requests: &[ExportTraceServiceRequest]) -> Counts {
    let mut operations = Counts::new();
    for (service, span) in with_services(requests) {
        let operation = operations.entry((service.to_owned(), span.name.clone())).or_default();
        *operation = (operation.0 + 1, operation.1 + u64::from(is_failed(span)));
    }
    operations
}

/// Returns the attributes and the last value of each series of a counter; series differ in their resources or attributes.
fn counters(file: &Path, name: &str) -> Vec<(Vec<KeyValue>, u64)> {
    let mut last: BTreeMap<String, (Vec<KeyValue>, u64)> = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap_or_default().lines() {
        // The last line may be incomplete.
        let Ok(request) = serde_json::from_str::<ExportMetricsServiceRequest>(line) else { continue };
        for resource in request.resource_metrics {
            let metrics = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            for metric in metrics.filter(|metric| metric.name == name) {
                let Some(metric::Data::Sum(sum)) = metric.data else { panic!("{name} is no sum") };
                for point in sum.data_points {
                    let Some(number_data_point::Value::AsInt(value)) = point.value else { panic!("{name} is no int") };
                    let series = format!("{:?} {:?}", resource.resource, point.attributes);
                    last.insert(series, (point.attributes, value as u64));
                }
            }
        }
    }
    last.into_values().collect()
}

fn graph(file: &Path) -> Counts {
    let mut edges = Counts::new();
    for (name, is_failure) in [("traces_service_graph_request", false), ("traces_service_graph_request_failed", true)] {
        for (attributes, value) in counters(file, &format!("{name}_total")) {
            let side = |key| text(&attributes, key).unwrap_or_default().to_owned();
            // Roots are called by "user", and producers whose messages nobody takes call "unknown".
            if matches!(&*side("client"), "" | "user") || matches!(&*side("server"), "" | "unknown") {
                continue;
            }
            let edge = edges.entry((side("client"), side("server"))).or_default();
            *(if is_failure { &mut edge.1 } else { &mut edge.0 }) += value;
        }
    }
    edges
}

fn span_metrics(file: &Path) -> Counts {
    let mut operations = Counts::new();
    for (attributes, value) in counters(file, "traces.span.metrics.calls") {
        let part = |key| text(&attributes, key).unwrap_or_default().to_owned();
        let operation = operations.entry((part("service.name"), part("span.name"))).or_default();
        let failed = part("status.code") == "STATUS_CODE_ERROR";
        *operation = (operation.0 + value, operation.1 + u64::from(failed) * value);
    }
    operations
}

#[test]
fn a_collector_sees_the_calls_and_failures_that_the_spans_hold_and_explain_foretells() {
    let Some(mut collector) = Collector::start(Output::CallMetrics) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spans.bin");
    run(&[&format!("--exporter=file={}", file.display())]);
    run(&["--endpoint", &collector.grpc_url(), "--protocol", "grpc"]);
    let requests = read_delimited(&fs::read(&file).unwrap());
    let (expected, expected_operations) = (edges(&requests), operations(&requests));
    // Calls without an answer are counted when the collector gives them up.
    let begun = Instant::now();
    loop {
        let metrics = collector.metrics_file();
        let wrong = (different(&graph(&metrics), &expected), different(&span_metrics(&metrics), &expected_operations));
        if wrong.0.is_empty() && wrong.1.is_empty() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{wrong:#?}");
        thread::sleep(Duration::from_millis(500));
    }
    collector.stop();

    let explained = tracegen().args(["explain", "--format", "json"]).arg(scenarios()).output().unwrap();
    let explained: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    let list = |key: &str| explained[key].as_array().unwrap().clone();
    let name = |part: &serde_json::Value, key: &str| part[key].as_str().unwrap().to_owned();
    // The edges of the plan are the calls of other services, however they are made, so they include all of the collector's
    // between services.
    let known: BTreeSet<_> = list("edges").iter().map(|edge| (name(edge, "caller"), name(edge, "callee"))).collect();
    let services: BTreeSet<_> = list("services").iter().map(|service| name(service, "service")).collect();
    let seen: BTreeSet<_> = expected.keys().filter(|(_, server)| services.contains(server)).cloned().collect();
    assert!(seen.is_subset(&known) && seen.len() > 10, "{:?}", seen.difference(&known));
    for part in list("operations") {
        let key = (name(&part, "service"), name(&part, "operation"));
        // A computed name stands for many names.
        let Some(&(spans, failed)) = expected_operations.get(&key).filter(|_| !key.1.contains("<<")) else { continue };
        let share = part["failure_probability"].as_f64().unwrap();
        let off = (failed as f64 - share * spans as f64).abs();
        let deviation = (spans as f64 * share * (1.0 - share)).sqrt();
        // Attempts of one call, and calls of one trace, may fail together. Their number is at most that of the spans in a
        // trace.
        let most = part["spans_per_trace"]["max"].as_f64().unwrap();
        assert!(off <= DEVIATIONS * deviation * most.sqrt() + most, "{key:?}: {failed} of {spans} for {share}");
    }
}
