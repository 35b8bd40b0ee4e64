//! What probes and scrapers ask for: `/readyz`, and `/metrics` in Prometheus' text format.

use super::App;
use super::response::{self, Response};
use crate::engine::{ExporterState, Link, Phase, SessionState, now};
use crate::export::Percentiles;
use crate::export::deliver::Account;
use crate::store::{DatabaseStatus, Store};
use crate::trace::Amount;
use hyper::StatusCode;
use std::fmt::Write;

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether pages can be answered: the store does.
pub async fn ready(app: &App) -> Response {
    match app.database.health_check().await {
        Ok(()) => response::text(StatusCode::OK, "ok"),
        Err(e) => response::text(StatusCode::SERVICE_UNAVAILABLE, &format!("store: {e}")),
    }
}

pub fn show(app: &App) -> Response {
    let mut families = Families::default();
    session(&mut families, &app.session.state());
    store(&mut families, &app.database.status());
    response::with(StatusCode::OK, FORMAT, families.0)
}

/// Metric families, written.
#[derive(Default)]
struct Families(String);

type Labels<'a> = [(&'a str, &'a str)];

impl Families {
    fn add(&mut self, name: &str, r#type: &str, help: &str) -> Family<'_> {
        let name = format!("tracegen_{name}");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {type}");
        Family { name, text: &mut self.0 }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.add(name, "counter", help).sample(&[], value as f64);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.add(name, "gauge", help).sample(&[], value);
    }

    /// Seconds.
    fn summary(&mut self, name: &str, help: &str, of: Percentiles) {
        let mut family = self.add(name, "summary", help);
        for (quantile, ns) in [("0.5", of.p50), ("0.99", of.p99), ("1", of.max)] {
            family.sample(&[("quantile", quantile)], seconds(ns));
        }
        let _ = writeln!(family.text, "{}_count {}", family.name, of.count);
    }
}

struct Family<'a> {
    name: String,
    text: &'a mut String,
}

impl Family<'_> {
    fn sample(&mut self, labels: &Labels<'_>, value: f64) {
        let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{labels} {value}", self.name);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn session(to: &mut Families, state: &SessionState) {
    to.add("build_info", "gauge", "The version that runs.").sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let mut phase = to.add("phase", "gauge", "1 for the phase of the engine.");
    for (name, one) in [("running", Phase::Running), ("paused", Phase::Paused), ("stopped", Phase::Stopped)] {
        phase.sample(&[("phase", name)], f64::from(u8::from(state.phase == one)));
    }
    to.gauge("start_time_seconds", "When the session began, in seconds since 1970.", seconds(state.began));
    to.counter("generated_traces_total", "Traces made and handed to store and exporter.", state.traces);
    to.counter("generated_spans_total", "Spans of those.", state.spans);
    to.gauge("target_traces_per_second", "Rate that the settings ask for.", state.target_rate);
    to.gauge("achieved_traces_per_second", "Rate of the last 10 s.", state.achieved_rate);
    to.summary("lateness_seconds", "How long after its end a trace was handed on.", state.lateness);
    to.gauge("pending_traces", "Traces that have begun and not ended.", state.pending as f64);
    let waiting = f64::from(u8::from(state.waiting));
    to.gauge("generation_waits", "1 while no trace begins because there is no memory for more.", waiting);
    if let Some(exporter) = &state.exporter {
        export(to, exporter);
    }
}

fn export(to: &mut Families, exporter: &ExporterState) {
    let account = &exporter.account;
    let up = f64::from(u8::from(exporter.link == Link::Connected));
    to.gauge("export_up", "1 while the collector answers.", up);
    outcomes(to, "export_spans_total", "Spans by outcome and cause.", account, |amount| amount.spans);
    outcomes(to, "export_traces_total", "Traces by outcome and cause.", account, |amount| amount.traces);
    to.gauge("export_in_flight_spans", "Spans that wait or are under way.", account.in_flight.spans as f64);
    to.gauge("export_in_flight_traces", "Traces that wait or are under way.", account.in_flight.traces as f64);
    let resent = account.resent_unknown.spans;
    to.counter("export_resent_spans_total", "Spans sent again after an unknown outcome.", resent);
    to.counter("export_requests_total", "Requests that were acknowledged.", account.requests);
    to.counter("export_bytes_total", "Bytes of their bodies, before compression.", account.bytes);
    let mut retries = to.add("export_retries_total", "counter", "Requests that were sent again, by cause.");
    account.retries.iter().for_each(|(cause, n)| retries.sample(&[("cause", cause)], *n as f64));
    to.summary("export_latency_seconds", "Time from a request to its answer.", exporter.latency);
}

fn outcomes(to: &mut Families, name: &str, help: &str, account: &Account, of: impl Fn(Amount) -> u64) {
    let mut family = to.add(name, "counter", help);
    family.sample(&[("outcome", "delivered"), ("cause", "")], of(account.delivered) as f64);
    for (outcome, losses) in [("rejected", &account.rejected), ("undelivered", &account.undelivered)] {
        for (cause, loss) in losses {
            family.sample(&[("outcome", outcome), ("cause", cause)], of(loss.amount) as f64);
        }
    }
}

fn store(to: &mut Families, status: &DatabaseStatus) {
    to.gauge(
        "store_up",
        "1 while the store that was asked for is in use.",
        f64::from(u8::from(status.outage.is_none())),
    );
    let outage = status.outage.as_ref().map_or(0, |outage| now().saturating_sub(outage.since));
    to.gauge("store_outage_seconds", "Since when it is not.", seconds(outage));
    to.gauge("store_memory_traces", "Traces in memory.", status.memory_traces as f64);
    to.gauge("store_memory_capacity_traces", "The most there can be.", status.memory_capacity as f64);
    to.gauge("store_memory_bytes", "Bytes they take.", status.memory_bytes as f64);
    if let Some(written) = &status.written {
        to.gauge("store_waiting_spans", "Spans that wait to be written to ClickHouse.", written.waiting.spans as f64);
        let mut spans = to.add("store_spans_total", "counter", "Spans for ClickHouse, by outcome.");
        spans.sample(&[("outcome", "written")], written.written.spans as f64);
        spans.sample(&[("outcome", "lost")], written.total_lost().spans as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_prometheus_reads_it() {
        let mut families = Families::default();
        families.add("x_total", "counter", "What it is.").sample(&[("cause", "a \"b\"\\\n"), ("of", "")], 2.5);
        let expected = "# HELP tracegen_x_total What it is.\n# TYPE tracegen_x_total counter\n\
                        tracegen_x_total{cause=\"a \\\"b\\\"\\\\\\n\",of=\"\"} 2.5\n";
        assert_eq!(families.0, expected);
    }
}
