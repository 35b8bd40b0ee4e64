//! Tail samplers, and the traces that must survive them.

use crate::support::collector::{Collector, Output};
use crate::{Run, assert_counts, assert_verdict, clickhouse, count, failed, path_of, rows_of, traces, url_of};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tracegen::store::Connection;

const TRACES: u64 = 2_000;
const TEN_PERCENT: &str = "{name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}";
const ERRORS: &str = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";

struct Sampled {
    run: Run,
    connection: Connection,
    collector: Collector,
    /// The spans of all traces, those of traces with an error, and the number of such traces.
    spans: u64,
    error_traces: u64,
    /// The remaining spans and traces, counted by SQL.
    kept_spans: u64,
    kept_traces: u64,
    kept_error_traces: u64,
}

fn sampled(seed: u64, processor: &'static str) -> Option<Sampled> {
    let server = clickhouse()?;
    let connection = server.fresh();
    let outputs = vec![rows_of(server, &connection), Output::Json];
    let mut collector = Collector::with(outputs, &[("tail_sampling", processor)])?;
    let run = Run::sent(seed, TRACES, "grpc", &collector.grpc_url());
    // The sampler decides a second after a trace's first span, and nothing more comes then.
    let (mut before, mut since) = (0, Instant::now());
    while before == 0 || since.elapsed() < Duration::from_millis(2_500) {
        assert!(since.elapsed() < Duration::from_secs(120), "nothing comes");
        sleep(Duration::from_millis(100));
        let now = count(&connection, "count() FROM otel_traces");
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
    collector.stop();
    let truth = run.truth();
    let errors = "(SELECT TraceId FROM otel_traces WHERE StatusCode = 'Error')";
    Some(Sampled {
        spans: truth.len() as u64,
        error_traces: traces(truth.iter().filter(|span| failed(span))).len() as u64,
        kept_spans: count(&connection, "count() FROM otel_traces"),
        kept_traces: count(&connection, "uniqExact(TraceId) FROM otel_traces"),
        kept_error_traces: count(
            &connection,
            &format!("uniqExact(TraceId) FROM otel_traces WHERE TraceId IN {errors}"),
        ),
        run,
        connection,
        collector,
    })
}

#[test]
fn one_that_keeps_errors_and_ten_percent_of_the_rest() {
    let processor = concat_policies(&[ERRORS, TEN_PERCENT]);
    let Some(operand) = sampled(7, processor) else { return };
    let others = TRACES - operand.error_traces;
    let kept_others = operand.kept_traces - operand.error_traces;
    assert_eq!(operand.kept_error_traces, operand.error_traces);
    let stores = [url_of(&operand.connection), path_of(&operand.collector.file())];
    for (from, share) in stores.iter().zip(["sample=10%", "sample=10%±3"]) {
        let (report, exit) = operand.run.verified(from, &["--expect", "keep-errors", "--expect", share]);
        assert_verdict(&report, exit, &[]);
        assert_counts(&report, [operand.spans, operand.kept_spans, 0, 0, 0, 0]);
        assert_eq!(report["sampled_out"], operand.spans - operand.kept_spans, "{report:#}");
        assert_eq!(report["traces"]["sampled_out"], TRACES - operand.kept_traces, "{report:#}");
        assert_eq!(report["sampled"]["traces"], others, "{report:#}");
        assert_eq!(report["sampled"]["arrived"], kept_others, "{report:#}");
    }
    // A share other than the declared one is reported.
    let (report, exit) = operand.run.verified(&stores[1], &["--expect", "keep-errors", "--expect", "sample=20%"]);
    assert_verdict(&report, exit, &["sample"]);
    // Without a declared sample, missing spans are lost.
    let (report, exit) = operand.run.verified(&stores[1], &[]);
    assert_verdict(&report, exit, &["lost"]);
    assert_counts(&report, [operand.spans, operand.kept_spans, operand.spans - operand.kept_spans, 0, 0, 0]);
}

#[test]
fn one_that_forgets_the_errors() {
    let processor = concat_policies(&[TEN_PERCENT]);
    let Some(operand) = sampled(8, processor) else { return };
    assert!(operand.kept_error_traces < operand.error_traces);
    let (report, exit) =
        operand.run.verified(&url_of(&operand.connection), &["--expect", "keep-errors", "--expect", "sample=10%"]);
    assert_verdict(&report, exit, &["lost"]);
    assert_eq!(report["traces"]["lost"], operand.error_traces - operand.kept_error_traces, "{report:#}");
    assert_eq!(report["losses"]["traces"], operand.error_traces - operand.kept_error_traces, "{report:#}");
}

fn concat_policies(policies: &[&str]) -> &'static str {
    format!("{{decision_wait: 1s, num_traces: 100000, policies: [{}]}}", policies.join(", ")).leak()
}
