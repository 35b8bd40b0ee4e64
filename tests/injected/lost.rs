//! Spans that were acknowledged and did not arrive.

use crate::support::binary::bare_spans;
use crate::support::collector::{Collector, Output};
use crate::support::jaeger::Jaeger;
use crate::support::proxy::{Fate, Proxy};
use crate::{Run, assert_counts, assert_verdict, clickhouse, count, counted, path_of, rows_of, traces, url_of};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A condition for spans whose parent is missing.
const ORPHANED: &str = "countIf(ParentSpanId != '' AND (TraceId, ParentSpanId) NOT IN \
    (SELECT TraceId, SpanId FROM otel_traces)) FROM otel_traces";

/// Returns the faults of a pipeline that loses spans and leaves `orphaned` spans without their parents.
fn faults(orphaned: u64) -> &'static [&'static str] {
    if orphaned > 0 { &["lost", "orphaned"] } else { &["lost"] }
}

#[test]
fn requests_that_were_dropped() {
    let (Some(server), Some(jaeger)) = (clickhouse(), Jaeger::start()) else { return };
    let connection = server.fresh();
    let outputs = vec![rows_of(server, &connection), Output::Otlp { port: jaeger.otlp_port() }, Output::Protobuf];
    let Some(mut collector) = Collector::with(outputs, &[]) else { return };
    let fate = |number| if number % 3 == 1 { Fate::Dropped } else { Fate::Forwarded };
    let proxy = Proxy::start(&collector.http_url(), fate);
    let run = Run::sent(2, 3_000, "http/protobuf", &proxy.url());
    let done = proxy.done();
    jaeger.wait_for(done.forwarded);
    collector.stop();
    let lost = done.dropped.len() as u64;
    assert!(lost > 0 && lost + done.forwarded == run.delivered);
    assert_eq!(count(&connection, "count() FROM otel_traces"), done.forwarded);
    // A trace may be split at the end of a request.
    let orphaned = count(&connection, ORPHANED);
    let lost_traces = traces(done.dropped.iter()).len();
    let first = done.dropped.iter().map(|span| span.start_time_unix_nano).min();
    let last = done.dropped.iter().map(|span| span.start_time_unix_nano).max();
    for from in [url_of(&connection), format!("jaeger={}", jaeger.url()), path_of(&collector.file())] {
        let (report, exit) = run.verified(&from, &[]);
        assert_verdict(&report, exit, faults(orphaned));
        assert_counts(&report, [run.delivered, done.forwarded, lost, 0, 0, orphaned]);
        assert_eq!(report["losses"]["traces"], lost_traces, "{report:#}");
        assert_eq!(report["losses"]["first_start"].as_u64(), first, "{report:#}");
        assert_eq!(report["losses"]["last_start"].as_u64(), last, "{report:#}");
    }
    let (text, _, exit) = run.verify(&path_of(&collector.file()), &[]);
    assert!(exit == 1 && text.lines().last().is_some_and(|line| line.contains("tracegen replay")), "{text}");
    // The loss can be declared.
    let (report, exit) = run.verified(&path_of(&collector.file()), &["--allow", "lost", "--allow", "orphaned"]);
    assert_verdict(&report, exit, &[]);
}

/// The spans of this service never get through.
fn of_a_service(span: &Span) -> bool {
    span.name.starts_with("SELECT") || span.kind == 2 && !span.parent_span_id.is_empty()
}

#[test]
fn spans_that_were_taken_out_of_their_traces_leave_orphans() {
    let Some(server) = clickhouse() else { return };
    let connection = server.fresh();
    let Some(mut collector) = Collector::with(vec![rows_of(server, &connection)], &[]) else { return };
    let proxy = Proxy::start(&collector.http_url(), |_| Fate::Without(of_a_service));
    let run = Run::sent(3, 1_000, "http/protobuf", &proxy.url());
    collector.stop();
    let done = proxy.done();
    let orphaned = count(&connection, ORPHANED);
    assert!(orphaned > 0);
    let (report, exit) = run.verified(&url_of(&connection), &[]);
    assert_verdict(&report, exit, &["lost", "orphaned"]);
    assert_counts(&report, [run.delivered, done.forwarded, done.dropped.len() as u64, 0, 0, orphaned]);
    let lost = count(&connection, "uniqExact(TraceId) FROM otel_traces");
    assert_eq!(
        report["traces"]["whole"].as_u64().zip(report["traces"]["partly"].as_u64()).map(|(a, b)| a + b),
        Some(lost)
    );
}

/// A collector that is killed loses what it has acknowledged and not passed on.
#[test]
fn a_collector_that_was_killed_with_what_it_held_back() {
    let batch = ("batch", "{timeout: 60s, send_batch_size: 20000}");
    let Some(mut collector) = Collector::with(vec![Output::Json], &[batch]) else { return };
    let ((tell, told), (release, released)) = (channel(), channel::<()>());
    let released = Mutex::new(released);
    let fate = move |number| {
        if number == 5 {
            // Some spans have been acknowledged by now, and not all of them written.
            tell.send(()).expect("heard");
            let _ = released.lock().map(|released| released.recv_timeout(Duration::from_secs(120)));
        }
        Fate::Forwarded
    };
    let proxy = Proxy::start(&collector.http_url(), fate);
    let url = proxy.url();
    let running = std::thread::spawn(move || Run::sent(4, 6_000, "http/protobuf", &url));
    told.recv_timeout(Duration::from_secs(120)).expect("five requests");
    std::thread::sleep(Duration::from_millis(500));
    collector.kill();
    collector.restart();
    release.send(()).expect("heard");
    let run = running.join().expect("sent");
    collector.stop();
    let requests = collector.requests();
    let counts = counted(&requests);
    let parents = bare_spans(&requests).filter(|span| !span.parent_span_id.is_empty());
    let orphaned: HashSet<_> =
        parents.filter(|span| !counts.contains_key(&span.parent_span_id)).map(|span| &span.span_id).collect();
    let orphaned = orphaned.len() as u64;
    let (there, again) = (counts.len() as u64, counts.values().filter(|times| **times > 1).count() as u64);
    assert!(there > 0 && there < run.delivered, "{there} of {} are there: nothing was killed in time", run.delivered);
    let (report, exit) = run.verified(&path_of(&collector.file()), &["--allow", "duplicates"]);
    assert_verdict(&report, exit, faults(orphaned));
    assert_counts(&report, [run.delivered, there, run.delivered - there, again, 0, orphaned]);
}
