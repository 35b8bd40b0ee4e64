//! `tracegen doctor` with everything that it checks in good and in bad order.

mod support {
    pub mod binary;
    pub mod clickhouse;
    pub mod collector;
    pub mod peer;
    pub mod pki;
    pub mod ports;
    pub mod requests;
}

use serde_json::Value;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::binary::{scenarios, tracegen};
use support::clickhouse;
use support::collector::{Collector, Output};
use support::peer::{Answer, Listen, Peer};
use support::pki::Pki;
use tracegen::store::{ClickHouse, Store};

/// Nothing listens at this address.
const NOWHERE: &str = "http://127.0.0.1:9";

struct Report {
    status: i32,
    checks: Vec<Value>,
}

/// Returns its findings, which must come within the promised time.
fn doctor(arguments: &[&str], variables: &[(&str, &str)]) -> Report {
    let began = Instant::now();
    let mut command = tracegen();
    command.args(["doctor", "--format", "json"]).args(arguments).arg(scenarios());
    command.env_remove("SERVER_HOST").env_remove("SERVER_TOKEN").env("SERVER_PORT", "0");
    let output = command.envs(variables.iter().copied()).output().expect("it ran");
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let report = Report {
        status: output.status.code().expect("no signal"),
        checks: json["checks"].as_array().expect("a list").clone(),
    };
    let to_fix = report.checks.iter().filter(|check| check["verdict"] == "fix").count();
    assert_eq!((report.status, &json["to_fix"]), (i32::from(to_fix > 0), &to_fix.into()));
    report
}

impl Report {
    /// Asserts that a finding of this check and verdict contains all of these words, including its advice.
    #[track_caller]
    fn says(&self, check: &str, verdict: &str, words: &[&str]) {
        let of = self.checks.iter().filter(|found| found["check"] == check && found["verdict"] == verdict);
        let mut texts = of.map(|found| format!("{} {}", found["finding"], found["advice"]));
        assert!(texts.any(|text| words.iter().all(|word| text.contains(word))), "{words:?}: {:#?}", self.checks);
    }
}

#[test]
fn all_bad_variables_are_named_at_once() {
    let report = doctor(
        &["--endpoint", NOWHERE],
        &[
            ("TRACE_NUM_WORKERS", "0"),
            ("INMEMORY_MAX_TRACES", "many"),
            ("LOG_LEVEL", "loud"),
            ("DATABASE_TYPE", "oracle"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("SERVER_TOKEN", "two words"),
            ("OTEL_EXPORTER_OTLP_ENDPONT", "http://localhost:4317"),
            ("MAX_TEMPLATE_ITERATIONS", "5"),
        ],
    );
    for words in [
        ["TRACE_NUM_WORKERS=`0`", "expected a number of lanes"],
        ["INMEMORY_MAX_TRACES=`many`", "expected a number from 1"],
        ["LOG_LEVEL=`loud`", "expected error, warn, info or debug"],
        ["DATABASE_TYPE=`oracle`", "expected inmemory or clickhouse"],
        ["OTEL_EXPORTER_OTLP_TIMEOUT", "whole milliseconds"],
        ["SERVER_TOKEN", "without spaces"],
    ] {
        report.says("variables", "fix", &words);
    }
    report.says("variables", "note", &["OTEL_EXPORTER_OTLP_ENDPONT", "did you mean OTEL_EXPORTER_OTLP_ENDPOINT?"]);
    report.says("variables", "note", &["MAX_TEMPLATE_ITERATIONS", "no effect"]);
    report.says("endpoint", "note", &["not checked"]);
    let mut serve = tracegen();
    serve.arg("serve").arg(scenarios()).env("SERVER_PORT", "http").env("LOG_LEVEL", "loud");
    let output = serve.timeout(Duration::from_secs(120)).assert().code(2).stdout("");
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("SERVER_PORT=`http`") && said.contains("LOG_LEVEL=`loud`"), "{said}");
}

#[test]
fn nothing_needs_fixing_without_configuration() {
    let report = doctor(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", NOWHERE)]);
    report.says("variables", "ok", &["OTEL_EXPORTER_OTLP_ENDPOINT"]);
    report.says("endpoint", "fix", &["nothing at http://127.0.0.1:9", "connection refused", "start the collector"]);
    report.says("scenarios", "ok", &["15 scenarios"]);
    report.says("store", "ok", &["100 traces in memory"]);
    report.says("clock", "ok", &["no other clock"]);
    report.says("machine", "ok", &["core"]);
    let report = doctor(&["--endpoint", "http://no-such-host.invalid:4318"], &[]);
    report.says("endpoint", "fix", &["the name `no-such-host.invalid` is not known"]);
}

#[test]
fn a_collector_is_in_order() {
    let Some(collector) = Collector::start(Output::Nop) else { return };
    let report = doctor(&["--endpoint", &collector.grpc_url(), "--protocol", "grpc"], &[]);
    report.says("endpoint", "ok", &["(grpc) takes traces"]);
    assert_eq!(report.status, 0);
    for protocol in ["http/protobuf", "http/json"] {
        let report = doctor(&["--endpoint", &collector.http_url(), "--protocol", protocol], &[]);
        report.says("endpoint", "ok", &[&format!("({protocol}) takes traces")]);
        report.says("clock", "ok", &["agrees with that of the other end"]);
        assert_eq!(report.status, 0);
    }
}

#[test]
fn the_other_protocol_is_recognised() {
    let Some(collector) = Collector::start(Output::Nop) else { return };
    let report = doctor(&["--endpoint", &collector.http_url(), "--protocol", "grpc"], &[]);
    report.says("endpoint", "fix", &["it speaks OTLP over HTTP", "set --protocol http/protobuf"]);
    let grpc = collector.grpc_url();
    let variables = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*grpc), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
    let report = doctor(&[], &variables);
    report.says("endpoint", "fix", &["it speaks gRPC", "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"]);
    let http = collector.http_url();
    let report = doctor(&[], &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*http)]);
    report.says("endpoint", "fix", &["HTTP 404", "the path right?"]);
}

#[test]
fn credentials_are_told_from_other_refusals() {
    let of_grpc =
        |status: fn(&'static str) -> tonic::Status| Peer::start(move |_| Answer::Grpc(status("says the peer")));
    let peer = of_grpc(tonic::Status::unauthenticated);
    let report = doctor(&["--endpoint", &peer.url(), "--protocol", "grpc"], &[]);
    report.says("endpoint", "fix", &["other credentials", "says the peer", "OTEL_EXPORTER_OTLP_HEADERS"]);
    let peer = of_grpc(tonic::Status::unavailable);
    let report = doctor(&["--endpoint", &peer.url(), "--protocol", "grpc"], &[]);
    report.says("endpoint", "fix", &["nothing at the moment", "says the peer"]);
    let peer = Peer::start(|_| Answer::Http(403, None));
    let flags = ["--endpoint", &peer.url(), "--protocol", "http/protobuf", "--header", "authorization=Bearer wrong"];
    doctor(&flags, &[]).says("endpoint", "fix", &["HTTP 403", "not those it wants"]);
    let peer = Peer::start(|_| Answer::Hang);
    let report = doctor(&["--endpoint", &peer.url(), "--protocol", "http/protobuf"], &[]);
    report.says("endpoint", "fix", &["no answer within"]);
}

#[test]
fn trust_is_checked() {
    let pki = Pki::new("doctor");
    let peer = Peer::start_at(Listen { tls: Some(pki.server(false)), ..Listen::default() }, |_| Answer::Take);
    let (authority, another) = (pki.authority_file(), Pki::new("another"));
    let asking = Peer::start_at(Listen { tls: Some(pki.server(true)), ..Listen::default() }, |_| Answer::Take);
    for protocol in ["grpc", "http/protobuf"] {
        let flags = ["--endpoint", &peer.url(), "--protocol", protocol];
        let trusting = [("OTEL_EXPORTER_OTLP_CERTIFICATE", &*authority)];
        doctor(&flags, &trusting).says("endpoint", "ok", &["takes traces, by TLS"]);
        let flags_of_asking = ["--endpoint", &asking.url(), "--protocol", protocol];
        doctor(&flags_of_asking, &trusting).says("endpoint", "fix", &["ertificate"]);
        let other = another.authority_file();
        let strange = [("OTEL_EXPORTER_OTLP_CERTIFICATE", &*other)];
        doctor(&flags, &strange).says("endpoint", "fix", &["no TLS", "OTEL_EXPORTER_OTLP_CERTIFICATE"]);
    }
    let missing = [("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file.pem")];
    doctor(&["--endpoint", &peer.url()], &missing).says("endpoint", "fix", &["/no/such/file.pem"]);
}

#[test]
fn a_store_is_in_order_or_its_faults_are_named() {
    let Some(mut server) = clickhouse::Server::start() else { return };
    let connection = server.fresh();
    let port = connection.port.to_string();
    let of = |more: &[(&'static str, &'static str)], database: &str| {
        let mut variables = vec![
            ("DATABASE_TYPE", "clickhouse".to_string()),
            ("DATABASE_HOST", connection.host.clone()),
            ("DATABASE_PORT", port.clone()),
            ("DATABASE_NAME", database.to_string()),
        ];
        variables.extend(more.iter().map(|(name, value)| (*name, value.to_string())));
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        doctor(&["--endpoint", NOWHERE], &variables)
    };
    of(&[], &connection.database).says(
        "store",
        "note",
        &["there is no table", "`tracegen serve` makes what is missing"],
    );
    let exporting = [("OTEL_EXPORTER_OTLP_ENDPOINT", NOWHERE)];
    of(&exporting, &connection.database).says(
        "store",
        "fix",
        &["there is no table", "the collector's clickhouse exporter"],
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        ClickHouse::writing(connection.clone()).expect("a store").connect().await.expect("the tables are made");
    });
    let report = of(&[], &connection.database);
    report.says("store", "ok", &[&format!("{}.otel_traces", connection.database)]);
    report.says("clock", "ok", &["agrees with that of the other end"]);
    let wrong = [("DATABASE_USER", "reader"), ("DATABASE_PASSWORD", "wrong")];
    of(&wrong, &connection.database).says("store", "fix", &["DATABASE_USER and DATABASE_PASSWORD"]);
    server.kill();
    of(&[], &connection.database).says("store", "fix", &["refused", "start ClickHouse"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    doctor(&["--endpoint", NOWHERE], &[("SERVER_PORT", &port)]).says("port", "fix", &[&port, "in use"]);
    let open = [("SERVER_HOST", "0.0.0.0")];
    doctor(&["--endpoint", NOWHERE], &open).says("port", "note", &["other machines", "SERVER_TOKEN"]);
}

#[test]
fn people_get_a_line_each() {
    let mut command = tracegen();
    command.args(["doctor", "--endpoint", NOWHERE]).arg(scenarios()).env("SERVER_PORT", "0");
    let output = command.assert().code(1).stderr("");
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.contains("\nok    scenarios  15 scenarios, plan "), "{text}");
    assert!(text.ends_with("\n1 thing to fix\n"), "{text}");
    let broken = tempfile::tempdir().expect("a directory");
    std::fs::write(broken.path().join("a.yaml"), "name: x\nweigth: 1\n").expect("written");
    let mut command = tracegen();
    let output =
        command.args(["doctor", "--endpoint", NOWHERE]).arg(broken.path()).env("SERVER_PORT", "0").assert().code(1);
    assert!(String::from_utf8_lossy(&output.get_output().stderr).contains("error[E"), "{output}");
    let output = tracegen().args(["doctor", "--protocol", "udp"]).assert().code(2).stdout("");
    assert!(
        String::from_utf8_lossy(&output.get_output().stderr).contains("use grpc, http/protobuf or http/json"),
        "{output}"
    );
}
