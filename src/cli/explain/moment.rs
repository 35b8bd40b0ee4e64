//! The forms for people of what depends on time: the figures at a time and over time, and incidents.

use super::{Explain, human};
use crate::cli::parse::format_time;
use crate::cli::table::Table;
use crate::explain::{Impact, Part, Signal, Step, Timeline, Touched};
use crate::plan::incident::DAY;
use crate::plan::{InForce, Incident, Plan};
use crate::text::foreign::foreign;
use crate::text::quantity::format_duration;
use crate::text::{count, duration, listed};
use std::sync::Arc;

/// The number of windows of an incident that are listed.
const WINDOWS: usize = 5;

/// Returns the line above the figures at `at`, in ns since 1970.
pub fn head(plan: &Plan, at: u64, in_force: &InForce) -> String {
    format!("at {}: {}\n", format_time(at), names(plan, in_force))
}

/// Formats a timeline: the tables of each period in which the figures stay the same. `rate` is in traces per second.
pub fn timeline(flags: &Explain, plan: &Plan, timeline: &Timeline, rate: Option<f64>) -> String {
    let mut out = String::new();
    let mut rest = &timeline.steps[..];
    while let Some(first) = rest.first() {
        let is_same = |step: &Step| Arc::ptr_eq(&step.explanation, &first.explanation) && step.rate == first.rate;
        let length = rest.iter().take_while(|step| is_same(step)).count();
        let to = rest[length - 1].to;
        out += &format!("{} .. {}: {}", format_time(first.from), format_time(to), names(plan, &first.in_force));
        out += if first.is_steady { "\n\n" } else { " in a part of it, or about to be or to have been\n\n" };
        out += &human::tables(flags, &first.explanation, rate.map(|_| first.rate));
        rest = &rest[length..];
    }
    let margin = duration(timeline.margin);
    out += &format!(
        "spans are counted when they start. no trace of the samples took longer than {margin}, so figures are\n"
    );
    out + "exact (without ~) from that long after the edge of a window until that long before the next.\n"
}

/// Formats incidents. Their windows are those of a run that starts at `start`, in ns since 1970.
pub fn incidents(flags: &Explain, plan: &Plan, impacts: &[Impact], start: u64) -> String {
    if impacts.is_empty() {
        return "no incidents\n".into();
    }
    let mut out = String::new();
    for impact in impacts {
        let incident = &plan.incidents[impact.incident.index()];
        out += &format!("{}  {}\n", foreign(plan.text(incident.name)), windows(incident, start));
        for cause in &impact.causes {
            let changes: Vec<String> =
                cause.changes.iter().map(|change| foreign(&change.to_string()).to_string()).collect();
            let (service, operation) = (foreign(&cause.service), foreign(&cause.operation));
            out += &format!("  {service}  {operation}: {}\n", listed(&changes, "and"));
        }
        if let Some((times, scenarios)) = &impact.rate {
            let names: Vec<String> = scenarios.iter().map(|name| foreign(name).to_string()).collect();
            let percentile_of = if names.is_empty() { "all scenarios".into() } else { listed(&names, "and") };
            out += &format!("  {percentile_of}: {times} times as many traces\n");
        }
        if impact.causes.is_empty() && impact.rate.is_none() {
            out += "  nothing reads it\n";
        }
        let spans = if impact.rate.is_some() { "spans/s" } else { "spans a trace" };
        let mut table = Table::new(3, &["", "touched", "signals", spans, "a span fails", "p50", "p99"]);
        let touched = impact.touched.iter().filter(|touched| !touched.before.subject.is_of_traces());
        touched.for_each(|touched| table.row(row(touched, impact)));
        if impact.touched.iter().any(|touched| !touched.before.subject.is_of_traces()) {
            out += &format!("\n{table}");
        }
        out += "\n";
    }
    out += &format!("each as if it were the only one, in {} of seed {}.\n", count(flags.samples, "trace"), flags.seed);
    out
}

/// Returns a word for a signal.
pub fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::Rate => "rate",
        Signal::Errors => "errors",
        Signal::Latency => "latency",
    }
}

fn names(plan: &Plan, in_force: &InForce) -> String {
    let name = |incident: &crate::plan::IncidentId| plan.text(plan.incidents[incident.index()].name);
    let names: Vec<String> = in_force.iter().map(|incident| foreign(name(incident)).to_string()).collect();
    if names.is_empty() { "no incident".into() } else { listed(&names, "and") }
}

fn windows(incident: &Incident, start: u64) -> String {
    let mut windows = incident.windows(start).between(start, start.saturating_add(7 * DAY));
    let shown: Vec<String> = windows
        .by_ref()
        .take(WINDOWS)
        .map(|window| format!("{} .. {}", format_time(window.start), format_time(window.end)))
        .collect();
    let every = incident.every.map_or_else(String::new, |every| format!(", every {}", format_duration(every)));
    let more = if windows.next().is_some() { ", ..." } else { "" };
    format!("for {}{every}: {}{more}", format_duration(incident.length), shown.join(", "))
}

fn row(touched: &Touched, impact: &Impact) -> Vec<String> {
    let Touched { before, during, signals } = touched;
    let words: Vec<&str> = signals.iter().map(|wanted| signal(*wanted)).collect();
    let moved = |wanted: Signal, show: &dyn Fn(&Part) -> String| match signals.contains(&wanted) {
        true => format!("{} -> {}", show(before), show(during)),
        false => show(before),
    };
    let time = |part: &Part, percentile_of: fn(&crate::explain::Percentiles) -> u64| {
        part.durations.as_ref().map_or_else(|| "-".into(), |durations| duration(percentile_of(durations)))
    };
    // Where rates change, the number of spans is that of a second.
    let spans = |part: &Part, at: usize| {
        let rate = impact.rate.as_ref().map_or(1.0, |_| impact.rates[at]);
        human::number(part.spans.mean.times(rate))
    };
    let (kind, name) = human::subject(&before.subject);
    vec![
        kind.into(),
        name,
        words.join(", "),
        match signals.contains(&Signal::Rate) {
            true => format!("{} -> {}", spans(before, 0), spans(during, 1)),
            false => spans(before, 0),
        },
        moved(Signal::Errors, &|part| human::percent(part.failed)),
        moved(Signal::Latency, &|part| time(part, |durations| durations.p50)),
        moved(Signal::Latency, &|part| time(part, |durations| durations.p99)),
    ]
}
