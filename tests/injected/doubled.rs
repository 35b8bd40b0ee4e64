//! Requests that were sent on twice.

use crate::support::collector::{Collector, Output};
use crate::support::jaeger::Jaeger;
use crate::support::proxy::{Fate, Proxy};
use crate::{Run, assert_counts, assert_verdict, clickhouse, count, counted, path_of, rows_of, url_of};

#[test]
fn requests_that_were_sent_on_twice() {
    let (Some(server), Some(jaeger)) = (clickhouse(), Jaeger::start()) else { return };
    let connection = server.fresh();
    let outputs = vec![rows_of(server, &connection), Output::Otlp { port: jaeger.otlp_port() }, Output::Json];
    let Some(mut collector) = Collector::with(outputs, &[]) else { return };
    let fate = |number| if number % 2 == 1 { Fate::Twice } else { Fate::Forwarded };
    let proxy = Proxy::start(&collector.http_url(), fate);
    let run = Run::sent(5, 2_000, "http/protobuf", &proxy.url());
    let (spans, doubled) = (run.delivered, proxy.done().doubled);
    jaeger.wait_for(spans + doubled);
    collector.stop();
    assert!(doubled > 0);
    assert_eq!(count(&connection, "count() - uniqExact(SpanId) FROM otel_traces"), doubled);
    assert_eq!(counted(&collector.requests()).values().filter(|times| **times == 2).count() as u64, doubled);
    for from in [url_of(&connection), format!("jaeger={}", jaeger.url()), path_of(&collector.file())] {
        let (report, exit) = run.verified(&from, &[]);
        assert_verdict(&report, exit, &["duplicated"]);
        assert_counts(&report, [spans, spans, 0, doubled, 0, 0]);
        assert_eq!(report["copies"], doubled, "{report:#}");
    }
    let (report, exit) = run.verified(&path_of(&collector.file()), &["--allow", "duplicates"]);
    assert_verdict(&report, exit, &[]);
}
