//! As a person reads it: a table for each `--by`, and where the figures come from.

use super::{By, Explain};
use crate::cli::table::Table;
use crate::explain::{Explanation, Part, Subject};
use crate::text::{bytes, count, duration, grouped, three_figures};

/// `rate`: traces a second.
pub fn text(flags: &Explain, explanation: &Explanation, rate: Option<f64>) -> String {
    let sampled = explanation.traces > 0;
    let mut out = String::new();
    for by in &flags.by {
        let parts = explanation.parts.iter().filter(|part| by.holds(&part.subject));
        let mut table = Table::new(by.names().len(), &head(*by, rate, sampled));
        parts.for_each(|part| table.row(cells(part, rate, sampled)));
        out += &format!("{table}\n");
    }
    out += "exact: shares, spans and failures.";
    if sampled {
        let traces = count(explanation.traces, "trace");
        out +=
            &format!(" from {traces} of seed {}: durations, and bytes (OTLP protobuf, resources aside).", flags.seed);
    }
    if explanation.parts.iter().any(|part| !part.exact) {
        out += "\n~: can't be computed, and is the sample's.";
    }
    out + "\n"
}

impl By {
    fn names(self) -> &'static [&'static str] {
        match self {
            By::Scenario => &["scenario"],
            By::Service => &["service"],
            By::Operation => &["service", "operation"],
            By::Edge => &["caller", "callee"],
        }
    }

    /// All traces stand above the scenarios.
    fn holds(self, subject: &Subject) -> bool {
        match subject {
            Subject::Total | Subject::Scenario { .. } => self == By::Scenario,
            Subject::Service { .. } => self == By::Service,
            Subject::Operation { .. } => self == By::Operation,
            Subject::Edge { .. } => self == By::Edge,
        }
    }
}

fn head(by: By, rate: Option<f64>, sampled: bool) -> Vec<&'static str> {
    let of_traces = by == By::Scenario;
    let mut head = by.names().to_vec();
    head.push("share");
    if rate.is_some() {
        head.extend(if of_traces { ["traces/s", "failed/s"] } else { ["spans/s", "failed/s"] });
    }
    head.extend(["spans a trace", "mean", if of_traces { "a trace fails" } else { "a span fails" }]);
    if sampled {
        let unit = if of_traces { "bytes a trace" } else { "bytes a span" };
        head.extend([if rate.is_some() { "bytes/s" } else { unit }, "p50", "p90", "p99"]);
    }
    head
}

fn cells(part: &Part, rate: Option<f64>, sampled: bool) -> Vec<String> {
    let mut cells = match &part.subject {
        Subject::Total => vec!["all traces".into()],
        Subject::Scenario { scenario } => vec![scenario.clone()],
        Subject::Service { service } => vec![service.clone()],
        Subject::Operation { service, operation } => vec![service.clone(), operation.clone()],
        Subject::Edge { caller, callee } => vec![caller.clone(), callee.clone()],
    };
    let mark = |figure: String| if part.exact { figure } else { format!("~{figure}") };
    let units = rate.map(|rate| rate * part.frequency());
    cells.push(mark(percent(part.share)));
    if let Some(units) = units {
        cells.extend([mark(figure(units)), mark(figure(units * part.failed))]);
    }
    let spans = part.spans;
    cells.push(mark(format!("{} .. {}", grouped(spans.min.into()), grouped(spans.max.into()))));
    cells.extend([mark(figure(spans.mean)), mark(percent(part.failed))]);
    if sampled {
        let none = || "-".to_string();
        cells.push(part.bytes.map_or_else(none, |mean| bytes((mean * units.unwrap_or(1.0)).round() as u64)));
        let durations = part.durations.map(|d| [d.p50, d.p90, d.p99].map(duration));
        cells.extend(durations.unwrap_or_else(|| std::array::from_fn(|_| none())));
    }
    cells
}

/// `18.2 %`
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        percent if percent < 0.05 => "< 0.1 %".into(),
        percent => format!("{percent:.1} %"),
    }
}

fn figure(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        v if v < 0.005 => "< 0.01".into(),
        v if v < 999.5 => three_figures(v),
        v => grouped(v.round() as u64),
    }
}
