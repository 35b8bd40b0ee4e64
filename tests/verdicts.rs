//! The verdict, the counts and the exit status for every state of a run, everything that a pipeline can do to it, and every
//! source: each is right, and is "not checked" where nothing more can be said.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod clickhouse;
    pub mod collector;
    pub mod http;
    pub mod jaeger;
    pub mod ports;
    pub mod process;
    pub mod sink;
}

mod matrix {
    pub mod deeds;
    pub mod states;
}

use matrix::deeds::{ALLOWED, Arrived, DEEDS, Deed, spans};
use matrix::states::{BOUNDS, Live, Snapshot, merged};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;
use support::binary::tracegen;
use support::clickhouse::Server;
use support::collector::{Collector, Output};
use support::http;
use support::jaeger::Jaeger;
use support::sink::Sink;

/// Returns the report and the exit status.
fn verify(manifest: &Path, from: &str, format: &str) -> (String, i32) {
    let mut command = tracegen();
    command
        .args(["verify", "--quiet", "--from", from, "--format", format, "--allow", ALLOWED, "--manifest"])
        .arg(manifest);
    let output = command.timeout(Duration::from_secs(120)).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.is_empty(), "{from}: {}", String::from_utf8_lossy(&output.stderr));
    (text, output.status.code().expect("a status"))
}

#[track_caller]
fn assert_said(arrived: &Arrived, place: &str, run: &Snapshot, from: &str) {
    let (text, exit) = verify(&run.manifest(), from, "json");
    let report: Value = serde_json::from_str(&text).expect(&text);
    arrived.assert_said(place, &report, exit);
}

/// Writes the requests to a protobuf file.
fn written(folder: &Path, requests: &[ExportTraceServiceRequest]) -> String {
    let framed = |request: &ExportTraceServiceRequest| {
        let body = request.encode_to_vec();
        [&(body.len() as u32).to_be_bytes(), &body[..]].concat()
    };
    let file = folder.join("arrived.bin");
    fs::write(&file, requests.iter().flat_map(framed).collect::<Vec<u8>>()).expect("written");
    file.display().to_string()
}

/// Every state is verified from files.
#[test]
fn what_is_said_of_files() {
    let mut live: Vec<Live> = (0..5).map(|seed| Live::start(seed, BOUNDS[seed as usize % 3])).collect();
    let states = [
        ("going on for a duration", live[0].going_on()),
        ("going on to a count", live[1].going_on()),
        ("going on without a bound", live[2].going_on()),
        ("stopped", live[0].stopped()),
        ("stopped without a bound", live[2].stopped()),
        ("killed", live[3].killed()),
        ("resumed", live[4].resumed()),
        ("merged", merged(6)),
    ];
    for (state, run) in &states {
        for deed in DEEDS {
            let arrived = deed.done_to(run);
            assert_said(&arrived, state, run, &written(run.folder.path(), &arrived.requests));
        }
    }
    // The culprit is named in the reports for people and for CI.
    let run = &states[3].1;
    let from = written(run.folder.path(), &Deed::AlteredNeighbour.done_to(run).requests);
    for format in ["human", "junit"] {
        let (text, _) = verify(&run.manifest(), &from, format);
        assert!(text.contains(" changed, in resource.deployment.environment.name. first: tracegen replay "), "{text}");
    }
    // Several runs are in one place, each with a manifest of its own. The traces of the others do not affect the verdict.
    let (one, other) = (&states[3].1, &states[6].1);
    for deed in DEEDS {
        let arrived = deed.done_to(one);
        let from = written(one.folder.path(), &[&arrived.requests[..], &other.sent].concat());
        assert_said(&arrived, "several", one, &from);
        let (text, exit) = verify(&other.manifest(), &from, "json");
        let report: Value = serde_json::from_str(&text).expect(&text);
        Deed::AllArrived.done_to(other).assert_said("the other of several", &report, exit);
        assert_eq!(report["unexpected"], spans(&arrived.requests).len(), "{deed:?} {report:#}");
    }
}

/// Makes a run for each deed, with seeds from `first` on.
fn stopped_and_going_on(first: u64) -> Vec<(Snapshot, Arrived)> {
    let seeds = first..first + 2 * DEEDS.len() as u64;
    let mut live: Vec<Live> = seeds.map(|seed| Live::start(seed, BOUNDS[seed as usize % 3])).collect();
    let (stopped, going_on) = live.split_at_mut(DEEDS.len());
    let stopped = stopped.iter_mut().map(Live::stopped);
    let runs: Vec<Snapshot> = going_on.iter().map(Live::going_on).chain(stopped).collect();
    let done = runs.into_iter().zip(DEEDS.iter().cycle());
    done.map(|(run, deed)| {
        let arrived = deed.done_to(&run);
        (run, arrived)
    })
    .collect()
}

/// Sends a request to a receiver of OTLP/HTTP.
fn post(address: &str, request: &ExportTraceServiceRequest) {
    let body = serde_json::to_string(request).expect("JSON");
    let answer = http::send(address, "POST", "/v1/traces", &[("content-type", "application/json")], &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// All runs are in one place behind one collector.
#[test]
fn what_is_said_of_clickhouse_and_jaeger() {
    let (Some(server), Some(jaeger)) = (Server::start(), Jaeger::start()) else { return };
    let connection = server.fresh();
    let rows = Output::ClickHouse { tcp_port: server.tcp_port, database: connection.database.clone() };
    let Some(mut collector) = Collector::with(vec![rows, Output::Otlp { port: jaeger.otlp_port() }], &[]) else {
        return;
    };
    let runs = stopped_and_going_on(100);
    let address = collector.http_url().replace("http://", "");
    runs.iter().flat_map(|(_, arrived)| &arrived.requests).for_each(|request| post(&address, request));
    let all: u64 = runs.iter().map(|(_, arrived)| spans(&arrived.requests).len() as u64).sum();
    jaeger.wait_for(all);
    collector.stop();
    let clickhouse = format!("clickhouse=http://127.0.0.1:{}/{}", connection.port, connection.database);
    for (run, arrived) in &runs {
        assert_said(arrived, "ClickHouse", run, &clickhouse);
        assert_said(arrived, "Jaeger", run, &format!("jaeger={}", jaeger.url()));
    }
}

#[test]
fn what_a_sink_says() {
    for (run, arrived) in &stopped_and_going_on(200) {
        let manifest = run.manifest().display().to_string();
        let folder = tempfile::tempdir().expect("a folder");
        let sink = Sink::start(folder, &["--allow", ALLOWED, "--manifest", &manifest]);
        arrived.requests.iter().for_each(|request| post(&sink.address, request));
        let (exit, report) = sink.end();
        arrived.assert_said("sink", &report, exit);
    }
}
