//! The metrics of a run, and of a session with its store.

use super::{Kind, Metric, seconds};
use crate::clock::now;
use crate::engine::{Figures, Phase, SessionState};
use crate::export::deliver::{Account, Link, Standing};
use crate::histogram::Percentiles;
use crate::store::{DatabaseStatus, MemorySize};
use crate::trace::Amount;

/// The state of a run at one moment.
pub struct RunState {
    /// The time when the run began, in ns since 1970.
    pub began: u64,
    pub figures: Figures,
    /// The requested rate in traces a second, if there is one.
    pub target_rate: Option<f64>,
    /// The recent rate in traces a second.
    pub achieved_rate: f64,
    /// The account of a delivery over the network, and the state of the collector.
    pub export: Option<(Account, Option<Standing>)>,
}

/// Returns the metrics of a run.
pub fn of_run(state: &RunState) -> Vec<Metric> {
    let figures = &state.figures;
    let generation = Generation {
        began: state.began,
        amount: Amount { spans: figures.spans, traces: figures.traces },
        target_rate: state.target_rate,
        achieved_rate: state.achieved_rate,
        lateness: figures.lateness,
        pending: figures.pending,
    };
    let mut list = vec![build()];
    generation.tell(&mut list);
    list.extend([
        Metric::counter("tracegen.generated.bytes", "By", "Bytes of these, encoded.", figures.bytes),
        Metric::counter(
            "tracegen.pending.full",
            "",
            "Times no trace began because there was no memory for more.",
            figures.full,
        ),
    ]);
    if let Some((account, standing)) = &state.export {
        export(&mut list, account, standing.as_ref().map(|standing| (standing.link, standing.latency)));
    }
    list
}

/// Returns the metrics of a session and its store.
pub fn of_session(state: &SessionState, store: &DatabaseStatus) -> Vec<Metric> {
    let generation = Generation {
        began: state.began,
        amount: Amount { spans: state.spans, traces: state.traces },
        target_rate: Some(state.target_rate),
        achieved_rate: state.achieved_rate,
        lateness: state.lateness,
        pending: state.pending,
    };
    let phases = [("running", Phase::Running), ("paused", Phase::Paused), ("stopped", Phase::Stopped)];
    let phase = Metric::new("tracegen.phase", Kind::Gauge, "", "1 for the phase of the engine.");
    let is = |one| f64::from(u8::from(state.phase == one));
    let mut list =
        vec![build(), phases.into_iter().fold(phase, |phase, (name, one)| phase.with([("phase", name)], is(one)))];
    generation.tell(&mut list);
    let waits = "1 while no trace begins because there is no memory for more.";
    list.push(Metric::flag("tracegen.generation.waits", waits, state.waiting));
    if let Some(exporter) = &state.exporter {
        export(&mut list, &exporter.account, Some((exporter.link, exporter.latency)));
    }
    database(&mut list, store);
    list
}

fn build() -> Metric {
    let build = Metric::new("tracegen.build.info", Kind::Gauge, "", "The version that runs.");
    build.with([("version", env!("CARGO_PKG_VERSION"))], 1.0)
}

/// The metrics that runs and sessions have in common.
struct Generation {
    began: u64,
    amount: Amount,
    target_rate: Option<f64>,
    achieved_rate: f64,
    lateness: Percentiles,
    pending: u64,
}

impl Generation {
    fn tell(self, list: &mut Vec<Metric>) {
        let Amount { spans, traces } = self.amount;
        list.extend([
            Metric::gauge(
                "tracegen.start_time",
                "s",
                "When the run began, in seconds since 1970.",
                seconds(self.began),
            ),
            Metric::counter("tracegen.generated.traces", "{trace}", "Traces made and handed on.", traces),
            Metric::counter("tracegen.generated.spans", "{span}", "Spans made and handed on.", spans),
        ]);
        list.extend(
            self.target_rate.map(|rate| Metric::gauge("tracegen.target.traces", "{trace}/s", "Requested rate.", rate)),
        );
        list.extend([
            Metric::gauge("tracegen.achieved.traces", "{trace}/s", "Rate of the last 10 s.", self.achieved_rate),
            Metric::summary("tracegen.lateness", "How long after its end a trace was handed on.", self.lateness),
            Metric::gauge("tracegen.pending.traces", "{trace}", "Traces begun and not ended.", self.pending as f64),
        ]);
    }
}

/// Adds the metrics of the export. `target` holds a collector's link, and the time from a request to its answer.
fn export(list: &mut Vec<Metric>, account: &Account, target: Option<(Link, Percentiles)>) {
    list.extend(target.map(|(link, _)| {
        Metric::flag("tracegen.export.up", "1 while the collector answers.", link == Link::Connected)
    }));
    let Amount { spans, traces } = account.in_flight;
    let mut retries =
        Metric::new("tracegen.export.retries", Kind::Counter, "", "Requests that were sent again, by cause.");
    for (cause, n) in &account.retries {
        retries = retries.with([("cause", cause)], *n as f64);
    }
    let resent = account.resent_unknown.spans;
    list.extend([
        outcomes("tracegen.export.spans", "{span}", "Spans by outcome and cause.", account, |amount| amount.spans),
        outcomes("tracegen.export.traces", "{trace}", "Traces by outcome and cause.", account, |amount| amount.traces),
        Metric::gauge("tracegen.export.in_flight.spans", "{span}", "Spans that wait or are under way.", spans as f64),
        Metric::gauge(
            "tracegen.export.in_flight.traces",
            "{trace}",
            "Traces that wait or are under way.",
            traces as f64,
        ),
        Metric::counter("tracegen.export.resent.spans", "{span}", "Spans sent again, the outcome unknown.", resent),
        Metric::counter("tracegen.export.requests", "", "Requests that were acknowledged.", account.requests),
        Metric::counter(
            "tracegen.export.bytes",
            "By",
            "Bytes of acknowledged requests, before compression.",
            account.bytes,
        ),
        retries,
    ]);
    list.extend(
        target.map(|(_, latency)| {
            Metric::summary("tracegen.export.latency", "Time from a request to its answer.", latency)
        }),
    );
}

fn outcomes(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    account: &Account,
    count: impl Fn(Amount) -> u64,
) -> Metric {
    let delivered = [("outcome", "delivered"), ("cause", "")];
    let mut metric =
        Metric::new(name, Kind::Counter, unit, description).with(delivered, count(account.delivered) as f64);
    for (outcome, losses) in [("rejected", &account.rejected), ("undelivered", &account.undelivered)] {
        for (cause, loss) in losses {
            metric = metric.with([("outcome", outcome), ("cause", cause)], count(loss.amount) as f64);
        }
    }
    metric
}

fn database(list: &mut Vec<Metric>, status: &DatabaseStatus) {
    let outage = status.outage.as_ref().map_or(0, |outage| now().saturating_sub(outage.since));
    let MemorySize { traces, bytes, too_large, limits } = status.memory;
    list.extend([
        Metric::flag("tracegen.store.up", "1 while the store that was asked for is in use.", status.outage.is_none()),
        Metric::gauge(
            "tracegen.store.outage",
            "s",
            "Time for which the store that was asked for has been out of use.",
            seconds(outage),
        ),
        Metric::gauge("tracegen.store.memory.traces", "{trace}", "Traces in memory.", traces as f64),
        Metric::gauge(
            "tracegen.store.memory.capacity.traces",
            "{trace}",
            "The maximum number of traces in memory.",
            limits.traces as f64,
        ),
        Metric::gauge("tracegen.store.memory.bytes", "By", "Bytes that the traces in memory take.", bytes as f64),
        Metric::gauge(
            "tracegen.store.memory.capacity.bytes",
            "By",
            "The maximum number of bytes for traces in memory.",
            limits.bytes as f64,
        ),
        Metric::new(
            "tracegen.store.memory.too_large.traces",
            Kind::Counter,
            "{trace}",
            "Traces that were not kept, each larger than all of the memory.",
        )
        .with([], too_large as f64),
    ]);
    if let Some(written) = &status.written {
        let waiting = written.waiting.spans as f64;
        let spans = Metric::new("tracegen.store.spans", Kind::Counter, "{span}", "Spans for ClickHouse, by outcome.");
        list.extend([
            Metric::gauge("tracegen.store.waiting.spans", "{span}", "Spans that wait for ClickHouse.", waiting),
            spans
                .with([("outcome", "written")], written.written.spans as f64)
                .with([("outcome", "lost")], written.total_lost().spans as f64),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::text;
    use crate::trace::Loss;

    #[test]
    fn a_run_tells_its_account() {
        let amount = |spans, traces| Amount { spans, traces };
        let loss = Loss { amount: amount(3, 1), message: "gone".into() };
        let account = Account {
            generated: amount(16, 4),
            delivered: amount(11, 2),
            in_flight: amount(2, 1),
            undelivered: [("stopped".into(), loss)].into(),
            retries: [("UNAVAILABLE".into(), 7)].into(),
            bytes: 1_234,
            ..Account::default()
        };
        let figures = Figures {
            traces: 4,
            spans: 16,
            bytes: 2_000,
            lateness: Percentiles::default(),
            reached: 0,
            reached_at: 0,
            pending: 0,
            last_end: 0,
            full: 0,
        };
        let state = RunState { began: 1_500_000_000, figures, target_rate: None, achieved_rate: 2.0, export: None };
        let without = text(&of_run(&state));
        assert!(!without.contains("export") && !without.contains("target"), "{without}");
        let standing = Standing { link: Link::Connected, ..Standing::default() };
        let state = RunState { target_rate: Some(50.0), export: Some((account, Some(standing))), ..state };
        let told = text(&of_run(&state));
        for line in [
            "tracegen_start_time_seconds 1.5",
            "tracegen_generated_bytes_total 2000",
            "tracegen_target_traces_per_second 50",
            "tracegen_achieved_traces_per_second 2",
            "tracegen_export_up 1",
            "tracegen_export_spans_total{outcome=\"delivered\",cause=\"\"} 11",
            "tracegen_export_spans_total{outcome=\"undelivered\",cause=\"stopped\"} 3",
            "tracegen_export_traces_total{outcome=\"undelivered\",cause=\"stopped\"} 1",
            "tracegen_export_in_flight_spans 2",
            "tracegen_export_retries_total{cause=\"UNAVAILABLE\"} 7",
            "tracegen_export_bytes_total 1234",
            "tracegen_export_latency_seconds_count 0",
        ] {
            assert!(told.lines().any(|told| told == line), "{line} is not in\n{told}");
        }
    }
}
