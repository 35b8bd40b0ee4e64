//! The API matches its description: schemathesis sends valid and invalid requests for everything in it.

mod support {
    pub mod http;
    pub mod serve;
}

use std::io::Write;
use std::process::Command;
use support::http::{get, send};
use support::serve::Server;

#[test]
fn schemathesis_finds_nothing() {
    let Some(schemathesis) = std::env::var_os("TRACEGEN_SCHEMATHESIS") else {
        assert!(std::env::var_os("CI").is_none(), "no schemathesis: TRACEGEN_SCHEMATHESIS is not set");
        // The message goes straight to stderr, because the test harness hides `eprintln!` of a passing test.
        let _ = writeln!(std::io::stderr(), "skipped, no schemathesis: TRACEGEN_SCHEMATHESIS is not set");
        return;
    };
    let server = Server::busy();
    let output = Command::new(schemathesis)
        .current_dir(std::env::temp_dir())
        .args(["run", &format!("{}/api/openapi.json", server.url), "--no-color", "--seed", "1"])
        .args(["--max-examples", "15", "--request-timeout", "30"])
        // The stream of events has no end.
        .args(["--exclude-path", "/api/events"])
        // A schema cannot express every rule, such as that `max` is not below `min`, or that a scenario exists.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: 23"), "it tried everything: {said}");
}

#[test]
fn settings_are_read_back_as_they_were_set() {
    let server = Server::busy();
    let address = server.address();
    let json = [("content-type", "application/json")];
    let settings = || get(address, "/api/engine/settings").json();
    let put = |body: &str| send(address, "PUT", "/api/engine/settings", &json, body);
    assert_eq!(settings()["pace"]["rate"]["count"], 20);
    let new = r#"{"pace":{"interval":{"min_ns":1000000,"max_ns":2000000}},"lanes":2,"weights":{"Billing cycle":0}}"#;
    let name = get(address, "/api/scenarios").json()["scenarios"][0]["name"].as_str().unwrap().to_string();
    let new = new.replace("Billing cycle", &name);
    assert_eq!(put(&new).status, 200);
    let read = settings();
    assert_eq!(read["pace"]["interval"]["max_ns"], 2_000_000);
    assert_eq!((&read["lanes"], &read["weights"][&name]), (&2.into(), &0.0.into()));
    for bad in [
        "",
        "{",
        "[]",
        r#"{"pace":{}}"#,
        r#"{"pace":{"rate":{"count":"many"}}}"#,
        r#"{"lanes":"four"}"#,
        r#"{"pace":{"rate":{"count":0,"per_ns":1,"arrivals":"constant"}}}"#,
        r#"{"pace":{"rate":{"count":1,"per_ns":1,"arrivals":"sometimes"}}}"#,
        r#"{"pace":{"interval":{"min_ns":2,"max_ns":1}}}"#,
        r#"{"pace":{"interval":{"min_ns":1,"max_ns":1}},"weights":{"nobody":1}}"#,
        r#"{"pace":{"interval":{"min_ns":1,"max_ns":1}},"colour":"red"}"#,
    ] {
        let answer = put(bad);
        let error = &answer.json()["error"];
        assert_eq!((answer.status, error["parameter"].as_str()), (400, Some("body")), "{bad}");
        let message = error["message"].as_str().unwrap();
        assert!(!["struct", "Sent", "u32", "u64", "f64"].iter().any(|name| message.contains(name)), "{message}");
    }
    assert_eq!(settings(), read, "what is refused changes nothing");
    assert_eq!(put(r#"{"lanes":7}"#).status, 200);
    let mut with_lanes = read;
    with_lanes["lanes"] = 7.into();
    assert_eq!(settings(), with_lanes, "what is not given stays");
    assert_eq!(put("{}").json(), with_lanes, "and nothing is a change of nothing");
}

/// Every address refuses parameters that it would otherwise ignore silently.
#[test]
fn unknown_parameters_are_refused_with_a_suggestion() {
    let server = Server::busy();
    let address = server.address();
    let described = get(address, "/api/").json();
    let operations = described["operations"].as_array().unwrap();
    assert!(operations.len() > 23);
    for operation in operations {
        let (method, path) = (operation["method"].as_str().unwrap(), operation["path"].as_str().unwrap());
        let path = path.replace("{id}", "0123456789abcdef0123456789abcdef").replace("{name}", "nobody");
        let answer = send(address, method, &format!("{path}?colour=red"), &[], "");
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, error["parameter"].as_str()), (400, Some("colour")), "{method} {path}: {error}");
    }
    for (query, parameter, said) in [
        ("traces?limt=3", "limt", "did you mean `limit`?"),
        ("traces?Service=x", "Service", "did you mean `service`?"),
        ("traces?limit=3&limit=4", "limit", "more than once"),
        ("services?q=x", "q", "Allowed: `scenario`, `range`, `from` and `until`."),
        ("status?pretty", "pretty", "this address takes none"),
    ] {
        let error = get(address, &format!("/api/{query}")).json()["error"].clone();
        assert_eq!(error["parameter"], parameter, "{query}");
        assert!(error["message"].as_str().unwrap().contains(said), "{query}: {error}");
    }
    for (query, status) in
        [("traces?limit=3&q=x&status=error", 200), ("traces?service=", 200), ("operations?service=x", 200)]
    {
        assert_eq!(get(address, &format!("/api/{query}")).status, status, "{query}");
    }
    let body = send(address, "POST", "/api/playground", &[("content-type", "application/json")], r#"{"sorce":"x"}"#);
    assert!(body.status == 400 && body.body.contains("did you mean `source`?"), "{}", body.body);
}

/// It works without saying which scenario of the library is replaced.
#[test]
fn a_scenario_that_links_can_be_tried_out_under_its_own_name() {
    let server = Server::busy();
    let address = server.address();
    let name = "Async%20consumer";
    let source = get(address, &format!("/api/scenarios/{name}")).json()["source"].as_str().unwrap().to_string();
    let outcome = send(address, "POST", "/api/playground", &[("content-type", "application/yaml")], &source).json();
    assert_eq!(outcome["diagnostics"], serde_json::json!([]));
    assert!(outcome["sample"]["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"].is_string());
}

#[test]
fn a_trace_is_what_readers_of_otlp_take() {
    let server = Server::start(&["--seed", "42", "--rate", "20/s"], &[("INMEMORY_MAX_TRACES", "10000")]);
    let address = server.address();
    let begun = std::time::Instant::now();
    let id = loop {
        let page = get(address, "/api/traces?limit=1&sort=duration").json();
        if let Some(id) = page["traces"][0]["trace_id"].as_str() {
            break id.to_string();
        }
        assert!(begun.elapsed().as_secs() < 120, "no trace came");
    };
    let trace = get(address, &format!("/api/traces/{id}")).json();
    let spans: Vec<_> = trace["resourceSpans"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|r| r["scopeSpans"][0]["spans"].as_array().unwrap())
        .collect();
    assert!(!spans.is_empty() && spans.iter().all(|span| span["traceId"] == *id));
    let request: opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest =
        serde_json::from_value(trace.clone()).unwrap();
    let count: usize = request.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
    assert_eq!(count, spans.len(), "a reader of OTLP takes all of it");
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let server = Server::busy();
    let answer = get(server.address(), "/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let mut family = "";
    for line in answer.body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
            assert!(matches!(rest.rsplit(' ').next(), Some("counter" | "gauge" | "summary")), "{line}");
            assert_eq!(answer.body.matches(&format!("# TYPE {family} ")).count(), 1, "{family} comes once");
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(family) && value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(answer.body.contains("tracegen_generated_spans_total "), "{}", answer.body);
}
