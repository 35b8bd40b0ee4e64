//! tracegen's own metrics, as received by a real collector.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod http;
    pub mod ports;
    pub mod serve;
}

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::binary::{brief, scenarios, tracegen};
use support::collector::{Collector, Output};
use support::http::get;
use support::serve::Server;

/// The latest metrics by name and attributes, and the resource's attributes.
#[derive(Default)]
struct Received {
    resource: BTreeMap<String, String>,
    values: BTreeMap<(String, String), f64>,
}

impl Received {
    fn of(collector: &Collector) -> Received {
        let text = std::fs::read_to_string(collector.metrics_file()).unwrap_or_default();
        let requests = text.lines().filter_map(|line| serde_json::from_str::<ExportMetricsServiceRequest>(line).ok());
        let mut received = Received::default();
        for resource in requests.flat_map(|request| request.resource_metrics) {
            let attributes = resource.resource.unwrap_or_default().attributes;
            received.resource =
                attributes.iter().map(|attribute| (attribute.key.clone(), text_of(attribute))).collect();
            for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let points = match metric.data {
                    Some(Data::Sum(sum)) => {
                        assert!(sum.is_monotonic, "{}", metric.name);
                        sum.data_points
                    }
                    Some(Data::Gauge(gauge)) => gauge.data_points,
                    other => panic!("{other:?}"),
                };
                for point in points {
                    let mut labels: Vec<String> =
                        point.attributes.iter().map(|a| format!("{}={}", a.key, text_of(a))).collect();
                    labels.sort();
                    let Some(number_data_point::Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
                    received.values.insert((metric.name.clone(), labels.join(",")), value);
                }
            }
        }
        received
    }

    fn get(&self, name: &str, labels: &str) -> f64 {
        let value = self.values.get(&(name.into(), labels.into()));
        *value.unwrap_or_else(|| panic!("no {name} {labels} in {:#?}", self.values))
    }
}

fn text_of(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_sends_its_account() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let Some(mut collector) = Collector::start(Output::Json) else { return };
        let metrics = match protocol {
            "grpc" => collector.grpc_url(),
            _ => format!("{}/v1/metrics", collector.http_url()),
        };
        let output = tracegen()
            .args(["run", "--seed", "42", "--count", "2000", "--summary", "json", "--quiet"])
            .args(["--endpoint", &collector.grpc_url(), "--protocol", "grpc"])
            .arg(scenarios())
            .envs([
                ("OTEL_METRICS_EXPORTER", "otlp"),
                ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", metrics.as_str()),
                ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", protocol),
                ("OTEL_RESOURCE_ATTRIBUTES", "team=load"),
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        collector.stop();
        let received = Received::of(&collector);
        let spans = summary["delivered"]["spans"].as_f64().unwrap();
        assert!(spans > 2_000.0);
        assert_eq!(received.get("tracegen.generated.spans", ""), spans);
        assert_eq!(received.get("tracegen.generated.traces", ""), 2_000.0);
        assert_eq!(received.get("tracegen.generated.bytes", ""), summary["bytes"].as_f64().unwrap());
        assert_eq!(received.get("tracegen.export.spans", "cause=,outcome=delivered"), spans);
        assert_eq!(received.get("tracegen.export.requests", ""), summary["requests"].as_f64().unwrap());
        assert_eq!(received.get("tracegen.export.in_flight.spans", ""), 0.0);
        assert_eq!(received.get("tracegen.export.up", ""), 1.0);
        assert!(received.get("tracegen.export.latency", "quantile=0.99") > 0.0);
        assert_eq!(received.resource["service.name"], "tracegen");
        assert_eq!(received.resource["team"], "load");
        assert_eq!(received.resource["service.instance.id"].len(), 36);
        let traces = std::fs::read_to_string(collector.file()).unwrap();
        assert!(
            traces.contains("resourceSpans") && !traces.contains("\"load\""),
            "the environment is not in the traces"
        );
    }
}

/// Makes a run of a second without a collector, whose metrics go to `metrics`. Returns its messages and its duration.
fn run_with_metrics_to(metrics: &str, protocol: &str, timeout_ms: &str) -> (String, Duration) {
    let begun = Instant::now();
    let output = tracegen()
        .args(["run", "--seed", "42", "--rate", "1000/s", "--duration", "1s", "--exporter", "none"])
        .arg(brief())
        .envs([
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", metrics),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", timeout_ms),
            ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("1,000 traces, "), "{said}");
    (said, begun.elapsed())
}

#[test]
fn an_absent_receiver_is_reported_once_and_costs_nothing() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let (said, _) = run_with_metrics_to("http://127.0.0.1:1", protocol, "1000");
        assert_eq!(said.matches("metrics don't reach http://127.0.0.1:1 (").count(), 1, "{protocol}: {said}");
        assert!(said.to_lowercase().contains("connection refused"), "{protocol}: {said}");
    }
}

#[test]
fn a_hanging_receiver_delays_the_end_by_a_few_seconds_at_most() {
    for protocol in ["grpc", "http/protobuf"] {
        // Connections are accepted and never read.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (said, took) = run_with_metrics_to(&url, protocol, "120000");
        assert!(took < Duration::from_secs(60), "{protocol}: {took:?} {said}");
    }
}

#[test]
fn a_server_sends_what_its_metrics_page_shows() {
    let Some(mut collector) = Collector::start(Output::Nop) else { return };
    let mut server = Server::start(
        &["--seed", "42", "--rate", "20/s"],
        &[
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.grpc_url()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
    );
    let begun = Instant::now();
    while Received::of(&collector).values.get(&("tracegen.export.up".into(), "".into())) != Some(&1.0) {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", server.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    let page = get(server.address(), "/metrics").body;
    assert_eq!(server.end("INT").code(), Some(0), "{}", server.said());
    collector.stop();
    let received = Received::of(&collector);
    let families: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for (name, _) in received.values.keys() {
        let name = name.replace('.', "_");
        assert!(families.iter().any(|family| family.starts_with(&name)), "{name} is not in {families:?}");
    }
    assert_eq!(received.get("tracegen.phase", "phase=stopped"), 1.0, "the last figures are sent at the end");
    let delivered = received.get("tracegen.export.spans", "cause=,outcome=delivered");
    assert_eq!(delivered, received.get("tracegen.generated.spans", ""));
    assert!(delivered > 0.0, "{}", server.said());
}

#[test]
fn a_bad_variable_is_said() {
    for (name, value, expected) in [
        ("OTEL_METRICS_EXPORTER", "prometheus", "expected otlp or none; for Prometheus, `tracegen serve` has /metrics"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1s", "expected whole milliseconds"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both", "expected cumulative, delta or lowmemory"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "udp", "use grpc, http/protobuf or http/json"),
    ] {
        let mut command = tracegen();
        command.args(["run", "--count", "1", "--exporter", "none"]).arg(scenarios());
        let output = command.env("OTEL_METRICS_EXPORTER", "otlp").env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(name) && said.contains(expected), "{said}");
    }
}
