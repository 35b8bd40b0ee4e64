//! `tracegen run` against a faulty receiver: the account closes, nothing reported as delivered is missing, and the exit
//! status shows failures.

mod support {
    pub mod binary;
    pub mod peer;
    pub mod ports;
    pub mod requests;
}

use serde_json::Value;
use std::time::{Duration, Instant};
use support::binary::{scenarios, tracegen};
use support::peer::{Answer, Peer};

struct Ended {
    status: Option<i32>,
    summary: Value,
    took: Duration,
}

/// Runs 2,000 traces in several requests.
fn run(peer: &Peer, protocol: &str, variables: &[(&str, &str)]) -> Ended {
    let began = Instant::now();
    let output = tracegen()
        .args(["run", "--seed", "42", "--count", "2000", "--summary", "json", "--quiet", "--wait", "3s"])
        .args(["--endpoint", &peer.url(), "--protocol", protocol])
        .envs(variables.iter().copied())
        .arg(scenarios())
        .timeout(Duration::from_secs(300))
        .output()
        .expect("it ran");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let spans = |what: &str| summary[what]["spans"].as_u64().expect("a figure");
    assert_eq!(spans("generated"), spans("delivered") + spans("rejected") + spans("undelivered"), "{summary}");
    let traces = |what: &str| summary[what]["traces"].as_u64().expect("a figure");
    assert_eq!(traces("generated"), traces("delivered") + traces("rejected") + traces("undelivered"), "{summary}");
    assert_eq!(traces("generated"), 2_000, "{summary}");
    assert!(peer.distinct_spans().len() as u64 >= spans("delivered"), "reported and missing: {summary}");
    Ended { status: output.status.code(), summary, took: began.elapsed() }
}

#[test]
fn unavailable_for_a_while_loses_nothing() {
    for (protocol, answer) in [
        ("grpc", Answer::Grpc(tonic::Status::unavailable("busy"))),
        ("http/protobuf", Answer::Http(503, None)),
        ("http/protobuf", Answer::Http(429, Some(("retry-after", "1".into())))),
    ] {
        let peer = Peer::start(move |n| if n % 3 == 0 { answer.clone() } else { Answer::Take });
        let Ended { status, summary, .. } = run(&peer, protocol, &[]);
        assert_eq!(status, Some(0), "{summary}");
        assert_eq!(summary["delivered"], summary["generated"], "{summary}");
        assert!(summary["retries"].as_object().is_some_and(|causes| causes.len() == 1), "{summary}");
    }
}

#[test]
fn rejected_spans_are_reported_and_fail_the_run() {
    for (protocol, answer, expected) in [
        ("grpc", Answer::Partial { rejected: 7, message: "no room" }, 7),
        ("http/protobuf", Answer::Partial { rejected: 7, message: "no room" }, 7),
        ("grpc", Answer::Grpc(tonic::Status::invalid_argument("no")), 1),
        ("http/protobuf", Answer::Http(400, None), 1),
    ] {
        let peer = Peer::start(move |n| if n == 0 { answer.clone() } else { Answer::Take });
        let Ended { status, summary, .. } = run(&peer, protocol, &[]);
        assert_eq!(status, Some(1), "{summary}");
        assert!(summary["rejected"]["spans"].as_u64().is_some_and(|spans| spans >= expected), "{summary}");
        assert_eq!(summary["undelivered"]["spans"], 0, "{summary}");
    }
}

#[test]
fn a_receiver_that_hangs_is_given_up_and_the_account_closes() {
    for protocol in ["grpc", "http/protobuf"] {
        let peer = Peer::start(|_| Answer::Hang);
        let Ended { status, summary, took } = run(&peer, protocol, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")]);
        assert_eq!(status, Some(1), "{summary}");
        assert_eq!(summary["undelivered"], summary["generated"], "{summary}");
        assert!(took < Duration::from_secs(120), "{took:?}");
    }
}

#[test]
fn a_lost_answer_leads_to_a_repetition_that_is_reported() {
    let peer = Peer::start(|n| if n == 0 { Answer::TakeAndClose } else { Answer::Take });
    let Ended { status, summary, .. } = run(&peer, "http/protobuf", &[]);
    assert_eq!(status, Some(0), "{summary}");
    assert!(summary["resent_after_unknown_outcome"]["spans"].as_u64().is_some_and(|spans| spans > 0), "{summary}");
}
