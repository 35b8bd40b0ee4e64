//! Functions for tests that run the binary.
#![allow(dead_code, reason = "each test file uses its own part")]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::path::{Path, PathBuf};

/// Returns a command for the binary, without the variables of this process that it reads.
pub fn tracegen() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin("tracegen").expect("the binary is built with the tests");
    for (name, _) in std::env::vars() {
        if ["OTEL_", "TRACE_", "SCENARIOS_", "DATABASE_", "CLICKHOUSE_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Returns the path of the shipped scenarios.
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Returns the directory of two of the examples, whose traces are short: a run lasts as long as its last trace.
pub fn brief() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/brief")
}

/// Parses the requests of a JSON lines file.
pub fn json_requests(text: &str) -> Vec<ExportTraceServiceRequest> {
    text.lines().map(|line| serde_json::from_str(line).expect("a request")).collect()
}

/// Returns every span with its resource as text, sorted, so that the texts are equal if and only if the spans are. A
/// missing status equals an unset one.
pub fn spans(requests: &[ExportTraceServiceRequest]) -> Vec<String> {
    let mut all = vec![];
    for resource_spans in requests.iter().flat_map(|request| &request.resource_spans) {
        for scope_spans in &resource_spans.scope_spans {
            let of = format!("{:?} {} {:?}", resource_spans.resource, resource_spans.schema_url, scope_spans.scope);
            all.extend(scope_spans.spans.iter().map(|span| {
                let mut span = span.clone();
                span.status.get_or_insert_default();
                format!("{}{span:?} {of}", hex(&span.trace_id))
            }));
        }
    }
    all.sort_unstable();
    all
}

/// Iterates over all spans.
pub fn bare_spans(requests: &[ExportTraceServiceRequest]) -> impl Iterator<Item = &Span> {
    let resources = requests.iter().flat_map(|request| &request.resource_spans);
    resources.flat_map(|r| &r.scope_spans).flat_map(|scope| &scope.spans)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
