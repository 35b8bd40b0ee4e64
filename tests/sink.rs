//! `tracegen sink` at the end of a pipeline: its findings equal what was done to the pipeline, and what it did itself.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod http;
    pub mod ports;
    pub mod sink;
}

use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use support::binary::{scenarios, tracegen};
use support::collector::{Collector, Output};
use support::http;
use support::sink::Sink;

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {value:#}"))
}

/// Asserts that nothing was lost, duplicated or changed, and that there are `spans` spans.
fn assert_clean(status: i32, result: &Value, spans: u64) {
    assert_eq!((status, &result["verdict"]["is"]), (0, &"clean".into()), "{result:#}");
    assert_eq!((number(result, "/expected"), number(result, "/delivered")), (spans, spans));
}

const PROTOCOLS: [&str; 3] = ["grpc", "http/protobuf", "http/json"];

#[test]
fn a_clean_run_verifies_clean_and_counts_the_same() {
    for protocol in PROTOCOLS {
        let sink = Sink::verifying(&[]);
        let sent = number(&sink.run(&sink.url(), protocol), "/generated/spans");
        let (status, result) = sink.end();
        assert_clean(status, &result, sent);
        assert_eq!((number(&result, "/sink/received/spans"), number(&result, "/traces/whole")), (sent, 2_000));
        assert_eq!(number(&result, "/sink/received/root_spans"), 2_000);
    }
}

#[test]
fn dropped_spans_are_found_lost() {
    let sink = Sink::verifying(&["--drop", "25%"]);
    let summary = sink.run(&sink.url(), "grpc");
    assert_eq!(summary["delivered"], summary["generated"], "it was acknowledged");
    let (status, result) = sink.end();
    let dropped = number(&result, "/sink/injected/dropped/spans");
    assert!(dropped > 0 && status == 1, "{status} {result:#}");
    assert_eq!(number(&result, "/lost"), dropped);
    assert_eq!(number(&result, "/delivered") + dropped, number(&summary, "/generated/spans"));
}

#[test]
fn rejected_spans_equal_those_in_the_account_of_the_run() {
    let sink = Sink::verifying(&["--partial", "2%"]);
    let summary = sink.run(&sink.url(), "http/protobuf");
    let (status, result) = sink.end();
    let rejected = number(&result, "/sink/injected/rejected/spans");
    assert!(rejected > 0 && status == 1, "{status} {result:#}");
    assert_eq!((number(&result, "/lost"), number(&summary, "/rejected/spans")), (rejected, rejected));
}

#[test]
fn reset_requests_are_duplicated_which_may_be_allowed() {
    for (allow, expected) in [(&[][..], 1), (&["--allow", "duplicated"], 0)] {
        let sink = Sink::verifying(&[&["--reset", "25%"], allow].concat());
        let summary = sink.run(&sink.url(), "http/protobuf");
        let (status, result) = sink.end();
        let reset = number(&result, "/sink/injected/reset/spans");
        assert!(reset > 0 && status == expected, "{status} {result:#}");
        // The spans of a request that was reset twice are there three times.
        assert_eq!((number(&result, "/copies"), number(&result, "/lost")), (reset, 0));
        assert_eq!(number(&summary, "/resent_after_unknown_outcome/spans"), number(&result, "/duplicated"));
    }
}

/// Without a queue, the collector acknowledges only what the sink has acknowledged.
#[test]
fn a_collector_loses_nothing_to_a_sink_that_is_away_at_times() {
    for http in [false, true] {
        let sink = Sink::verifying(&["--unavailable", "30%", "--retry-after", "0", "--delay", "1ms..20ms"]);
        let port = sink.port();
        let output = if http { Output::OtlpHttp { port } } else { Output::Otlp { port } };
        let Some(mut collector) = Collector::start(output) else { return };
        let summary = sink.run(&collector.grpc_url(), "grpc");
        collector.stop();
        let (status, result) = sink.end();
        assert!(number(&result, "/sink/injected/unavailable/requests") > 0, "{result:#}");
        assert_clean(status, &result, number(&summary, "/generated/spans"));
    }
}

#[test]
fn spans_lost_behind_a_collector_are_counted_exactly() {
    for http in [false, true] {
        let sink = Sink::verifying(&["--drop", "25%"]);
        let port = sink.port();
        let output = if http { Output::OtlpHttp { port } } else { Output::Otlp { port } };
        let Some(mut collector) = Collector::start(output) else { return };
        let summary = sink.run(&collector.grpc_url(), "grpc");
        assert_eq!(summary["delivered"], summary["generated"]);
        collector.stop();
        let (status, result) = sink.end();
        let dropped = number(&result, "/sink/injected/dropped/spans");
        assert!(dropped > 0 && status == 1, "{status} {result:#}");
        assert_eq!((number(&result, "/lost"), number(&result, "/altered")), (dropped, 0));
    }
}

#[test]
fn exports_of_an_sdk_are_accepted() {
    use opentelemetry::trace::{Tracer, TracerProvider};
    let mut sink = Sink::counting(&["--count", "3", "--for", "1m"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(sink.url()).build().expect("an exporter");
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter).build();
    (0..3).for_each(|i| provider.tracer("a test").in_span(format!("span {i}"), |_| {}));
    let (status, result) = sink.wait();
    assert_eq!((status, number(&result, "/sink/received/spans")), (0, 3), "{result:#}");
    assert_eq!(number(&result, "/sink/received/root_spans"), 3);
}

/// The manifest is read when the first spans come, and again at the end.
#[test]
fn a_run_that_is_stopped_verifies_clean_though_another_was_written_before() {
    let sink = Sink::verifying(&[]);
    // The manifest of an earlier run is still there.
    sink.run_with(&["--count", "50", "--seed", "7", "--exporter", "none"]);
    let mut run = Command::new(env!("CARGO_BIN_EXE_tracegen"))
        .args([
            "run",
            "--quiet",
            "--seed",
            "42",
            "--rate",
            "500/s",
            "--start",
            "-3s",
            "--endpoint",
            &sink.url(),
            "--manifest",
        ])
        .arg(sink.manifest())
        .arg(scenarios())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(4));
    interrupt(&run);
    assert!(run.wait().expect("a status").success());
    let (status, result) = sink.end();
    let delivered = number(&result, "/delivered");
    assert!(delivered > 1_000, "{result:#}");
    assert_clean(status, &result, delivered);
}

/// The schedule of the run is made while it runs: an epoch a second, recorded before it applies.
#[test]
fn a_run_at_full_speed_verifies_as_it_comes() {
    let sink = Sink::verifying(&["--delay", "300ms"]);
    let args = ["--rate", "max", "--duration", "3s", "--seed", "42", "--endpoint", &sink.url()];
    let summary = sink.run_with(&args);
    let manifest = std::fs::read(sink.manifest()).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    assert!(manifest["eras"].as_array().is_some_and(|eras| eras.len() > 1), "an epoch a second");
    let (status, result) = sink.end();
    assert_clean(status, &result, number(&summary, "/generated/spans"));
    assert!(result["late"].is_null(), "at full speed all lies in the past: {result:#}");
}

#[test]
fn without_a_manifest_it_takes_nothing_and_has_no_verdict() {
    let sink = Sink::verifying(&[]);
    let mut stream = TcpStream::connect(&sink.address).expect("it listens");
    let body = "{}";
    let length = body.len();
    write!(
        stream,
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("run.json: No such file"), "{answer}");
    let (status, result) = sink.end();
    assert_eq!((status, number(&result, "/sink/refused_requests")), (3, 1), "{result:#}");
    assert!(result.get("verdict").is_none());
}

#[test]
fn if_all_spans_belong_to_another_run_the_manifest_may_be_wrong() {
    let sink = Sink::verifying(&[]);
    let missing = number(&sink.run_with(&["--count", "50", "--seed", "7", "--exporter", "none"]), "/generated/spans");
    tracegen().args(["run", "--quiet", "--count", "50", "--endpoint", &sink.url()]).arg(scenarios()).assert().success();
    let (status, result) = sink.end();
    assert_eq!((status, number(&result, "/lost"), number(&result, "/delivered")), (3, missing, 0), "{result:#}");
    assert_eq!(result["unexpected"], result["sink"]["received"]["spans"]);
    let because = result["verdict"]["because"].to_string();
    assert!(because.contains("nothing of this run") && because.contains("do the manifest, or the seed"), "{because}");
}

#[test]
fn a_sink_ends_by_itself_at_its_limits() {
    for (limit, sends) in
        [(&["--for", "300ms"][..], false), (&["--until-idle", "300ms"], true), (&["--count", "5"], true)]
    {
        let mut sink = Sink::counting(limit);
        if sends {
            // A sink that has its five may end while the run is still sending, so the run may fail.
            let run = ["run", "--quiet", "--count", "20", "--endpoint", &sink.url()];
            tracegen().args(run).arg(scenarios()).output().expect("it runs");
        }
        let (status, result) = sink.wait();
        assert_eq!((status, number(&result, "/sink/received/spans") > 0), (0, sends), "{limit:?}: {result:#}");
    }
    for (limit, expected) in [(&[][..], 0), (&["--for", "1m"], 130)] {
        let sink = Sink::counting(limit);
        assert_eq!(sink.end().0, expected, "{limit:?}");
    }
}

#[test]
fn an_expected_rate_is_checked_without_a_run_to_verify() {
    for (limit, status, holds) in [("rate <= 1e9 spans/s", 0, true), ("peak <= 1 bytes/s", 1, false)] {
        let mut sink = Sink::counting(&["--until-idle", "500ms", "--expect", limit]);
        tracegen()
            .args(["run", "--quiet", "--count", "20", "--endpoint", &sink.url()])
            .arg(scenarios())
            .assert()
            .success();
        let (exit, result) = sink.wait();
        assert_eq!((exit, &result["sink"]["rates"][0]["holds"]), (status, &holds.into()), "{result:#}");
    }
    for (wrong, says) in [("rate <= 5", "expected `rate <= 100 spans/s`"), ("keep: failed", "give its --manifest")] {
        let refused = tracegen().args(["sink", "--expect", wrong]).assert().code(2);
        assert!(String::from_utf8_lossy(&refused.get_output().stderr).contains(says), "{wrong}");
    }
}

/// The gaps between traces are longer than the quiet time that ends the sink.
#[test]
fn the_sink_waits_for_the_end_of_the_run_and_then_for_quiet() {
    let mut sink = Sink::verifying(&["--until-idle", "300ms"]);
    let args = ["--rate", "1/s", "--duration", "3s", "--seed", "42", "--endpoint", &sink.url()];
    let sent = number(&sink.run_with(&args), "/generated/spans");
    let (status, result) = sink.wait();
    assert_clean(status, &result, sent);
    // It was still running when the first spans came, which are sent when they end.
    assert!(result["late"]["max_ns"].as_u64().is_some_and(|late| late < 60_000_000_000), "{result:#}");
}

#[test]
fn the_sink_ends_if_nothing_ever_comes_or_the_run_never_ends() {
    for args in [&["--until-idle", "100ms", "--wait", "400ms"][..], &["--until-idle", "400ms", "--wait", "100ms"]] {
        let began = Instant::now();
        let (status, result) = Sink::counting(args).wait();
        assert_eq!((status, number(&result, "/sink/received/requests")), (0, 0));
        assert!(began.elapsed() >= Duration::from_millis(400), "{args:?}: {:?}", began.elapsed());
    }
    // The sink must not end before the manifest is in the state that is tested.
    let mut sink = Sink::verifying(&["--until-idle", "3s", "--wait", "4s"]);
    sink.run_with(&["--count", "20", "--seed", "42", "--endpoint", &sink.url()]);
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(sink.manifest()).expect("a file")).expect("JSON");
    // The manifest is in the state in which a killed run leaves it.
    (manifest["ended"], manifest["eras"][0]["end"]) = (Value::Null, Value::Null);
    std::fs::write(sink.manifest(), manifest.to_string()).expect("written");
    let (status, result) = sink.wait();
    assert_eq!((status, &result["verdict"]["is"]), (3, &"unchecked".into()), "{result:#}");
    assert!(result["verdict"]["because"].to_string().contains("the run has not ended"), "{result:#}");
}

/// GNU `timeout` sends its signal to the child, and again to the child's process group.
#[test]
fn two_signals_at_once_are_one_and_a_second_one_ends_it_at_once() {
    // A request under way takes so long that the second signal comes before its answer.
    for (pause, delay, verdict) in [("0.05", "3s", true), ("0.7", "5m", false)] {
        let mut sink = Sink::verifying(&["--delay", delay]);
        sink.run_with(&["--count", "5", "--seed", "7", "--exporter", "none"]);
        let (address, (done, told)) = (sink.address.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            let mut stream = http::connect(&address);
            let head =
                "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(head.as_bytes()).expect("it reads");
            std::thread::sleep(Duration::from_millis(300));
            done.send(()).expect("heard");
            let _ = stream.read_to_end(&mut vec![]);
        });
        told.recv().expect("a request is under way");
        sink.signal_twice("TERM", pause);
        let (status, text) = sink.outcome();
        let status = status.expect("no signal ends it");
        // The run sent nothing here.
        assert_eq!(
            (status, text.contains("verdict")),
            if verdict { (3, true) } else { (130, false) },
            "{pause}: {text}"
        );
    }
}

#[test]
fn a_requested_fault_is_reported_even_if_it_did_not_occur_and_the_past_is_not_late() {
    let said = |args: &[&str], sends: &[&str]| {
        let child = Command::new(env!("CARGO_BIN_EXE_tracegen"))
            .args(["sink", "--listen", "127.0.0.1:0", "--until-idle", "1500ms"])
            .args(args)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn();
        let mut child = child.expect("it starts");
        let mut line = String::new();
        let mut lines = std::io::BufReader::new(child.stderr.take().expect("piped"));
        std::io::BufRead::read_line(&mut lines, &mut line).expect("a line");
        let url = line.trim().replace("tracegen: listening at ", "http://");
        let mut run = tracegen();
        run.args(["run", "--quiet", "--count", "5", "--seed", "1", "--endpoint", &url]).args(sends).arg(scenarios());
        run.assert().success();
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8(output.stdout).expect("text")
    };
    let past = ["--start", "2026-01-01", "--rate", "10/s"];
    let text = said(&["--drop", "0.000001%", "--delay", "1ms"], &past);
    assert!(text.contains("injected     0 requests dropped (0 spans), ") && text.contains(" delayed"), "{text}");
    assert!(!text.contains("late"), "{text}");
    let text = said(&[], &["--rate", "5/s"]);
    assert!(text.contains("late         p50 ") && !text.contains("injected"), "{text}");
}

/// Opening a pipe waits for its writer, so a sink never opens one.
#[test]
#[cfg(unix)]
fn a_manifest_that_becomes_a_pipe_blocks_nothing() {
    let sink = Sink::verifying(&[]);
    assert!(Command::new("mkfifo").arg(sink.manifest()).status().expect("mkfifo is there").success());
    let post = || http::send(&sink.address, "POST", "/v1/traces", &[("content-type", "application/json")], "{}");
    for _ in 0..2 {
        let answer = post();
        assert!(
            answer.status == 503 && answer.body.contains("not a regular file"),
            "{} {}",
            answer.status,
            answer.body
        );
    }
    // The sink ends when it is asked to.
    let (status, result) = sink.end();
    assert_eq!(status, 3, "{result}");
}

#[test]
fn impossible_requests_are_reported_before_the_sink_listens() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (args, status, why) in [
        (&["--listen", &address][..], 3, "is in use, perhaps by a collector"),
        (&["--listen", "4317"], 2, "expected a host and a port"),
        (&["--drop", "60%", "--reset", "60%"], 2, "at most 100% together"),
        (&["--drop", "5"], 2, "as `5%` or `0.1%`"),
        (&["--delay", "2s..1s"], 2, "longer than the longest"),
        (&["--retry-after", "1s"], 2, "--unavailable"),
        (&["--allow", "lost"], 2, "give its --manifest"),
        (&["--format", "junit"], 2, "give its --manifest"),
        (&["--manifest", "/dev/null"], 2, "it is not a regular file"),
    ] {
        let output = tracegen().arg("sink").args(args).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(status) && said.contains(why), "{args:?}: {:?} {said}", output.status);
    }
}
