//! The form for people: a table for each `--by`, and the sources of the figures.

use super::malformed::{Malformed, malformed};
use super::{By, Explain, Load};
use crate::cli::table::Table;
use crate::explain::{Explanation, Figure, Part, Subject};
use crate::plan::Plan;
use crate::text::{bytes, count, duration, grouped, three_figures};

/// Formats an explanation. `rate` is in traces per second; `load` is that of the run, if it changes.
pub fn text(flags: &Explain, explanation: &Explanation, plan: &Plan, rate: Option<f64>, load: Option<Load>) -> String {
    let sampled = explanation.traces > 0;
    let mut out = tables(flags, explanation, rate);
    if let Some(Load { mean, peak }) = load {
        let [mean, peak] = [mean, peak].map(|rate| number(Figure::Exact(rate)));
        out += &format!("load: {mean} traces/s on average, at most {peak}\n");
    }
    for Malformed { kind, percent, subject, operations } in malformed(plan) {
        let operations = count(operations as u64, "operation");
        out += &format!("malformed: {kind}, {percent} % of the {subject} of {operations}\n");
    }
    if !plan.malformations.is_empty() {
        out += "the figures are those of the traces beneath, before they are malformed.\n";
    }
    let all_exact = explanation.parts.iter().all(Part::is_exact);
    out +=
        if all_exact { "exact: shares, spans and failures." } else { "exact: shares, spans and failures without ~." };
    if sampled {
        let traces = count(explanation.traces, "trace");
        out +=
            &format!(" from {traces} of seed {}: durations, and bytes (OTLP protobuf, resources aside).", flags.seed);
    }
    if !all_exact {
        let why = "what decides is drawn from very many values, or is which of two times is the longer";
        out += &match sampled {
            true => format!("\n~: of these traces, ± the 99.9 % interval, as it can't be computed: {why}."),
            false => format!("\n-: can't be computed, and there is no sample: {why}."),
        };
    }
    out + "\n"
}

/// Formats the tables of an explanation, each with an empty line after it.
pub fn tables(flags: &Explain, explanation: &Explanation, rate: Option<f64>) -> String {
    let sampled = explanation.traces > 0;
    let mut out = String::new();
    for by in &flags.by {
        let parts = explanation.parts.iter().filter(|part| by.holds(&part.subject));
        let mut table = Table::new(by.names().len(), &head(*by, rate, sampled));
        parts.for_each(|part| table.row(cells(part, rate, sampled)));
        out += &format!("{table}\n");
    }
    out
}

/// Returns the kind of a subject, and its name.
pub fn subject(subject: &Subject) -> (&'static str, String) {
    match subject {
        Subject::Total => ("", "all traces".into()),
        Subject::Scenario { scenario } => ("scenario", scenario.clone()),
        Subject::Service { service } => ("service", service.clone()),
        Subject::Operation { service, operation } => ("operation", format!("{service}  {operation}")),
        Subject::Edge { caller, callee } => ("edge", format!("{caller} -> {callee}")),
    }
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

    /// Reports whether the table has a row for the subject. The row of all traces is above the scenarios.
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
    cells.push(percent(part.share));
    if let Some(rate) = rate {
        cells.extend([number(part.frequency().times(rate)), number(part.failure_frequency().times(rate))]);
    }
    let spans = part.spans;
    let extent = format!("{} .. {}", grouped(spans.min.into()), grouped(spans.max.into()));
    cells.push(match spans.mean {
        Figure::Exact(_) => extent,
        Figure::Sampled { .. } => format!("~{extent}"),
        Figure::Unknown => "-".into(),
    });
    cells.extend([number(spans.mean), percent(part.failed)]);
    if sampled {
        let none = || "-".to_string();
        let units = rate.map_or(Some(1.0), |rate| part.frequency().times(rate).value());
        let size = part.bytes.zip(units);
        cells.push(size.map_or_else(none, |(mean, units)| bytes((mean * units).round() as u64)));
        let durations = part.durations.map(|d| [d.p50, d.p90, d.p99].map(duration));
        cells.extend(durations.unwrap_or_else(|| std::array::from_fn(|_| none())));
    }
    cells
}

/// Formats a figure with `show`. A figure of the sample has a `~`, and the larger distance to the ends of its interval.
fn marked(figure: Figure, show: impl Fn(f64) -> String) -> String {
    match figure {
        Figure::Exact(value) => show(value),
        Figure::Sampled { value, low, high } => format!("~{} ± {}", show(value), show((value - low).max(high - value))),
        Figure::Unknown => "-".into(),
    }
}

/// Formats a share such as `18.2 %` or `~18.2 ± 0.3 %`.
pub fn percent(share: Figure) -> String {
    marked(share, |share| match share * 100.0 {
        0.0 => "0 %".into(),
        percent if percent < 0.05 => "< 0.1 %".into(),
        percent => format!("{percent:.1} %"),
    })
}

pub fn number(value: Figure) -> String {
    marked(value, |value| match value {
        0.0 => "0".into(),
        v if v < 0.005 => "< 0.01".into(),
        v if v < 999.5 => three_figures(v),
        v => grouped(v.round() as u64),
    })
}
