//! The form for programs. The help text documents the keys.

use super::malformed::malformed;
use super::{Explain, Load, moment};
use crate::cli::parse::format_time;
use crate::explain::{Effect, Explanation, Figure, Held, Impact, Part, Question, Subject, Timeline};
use crate::plan::incident::DAY;
use crate::plan::{InForce, Plan};
use serde_json::{Map, Value, json};

/// Formats an explanation. `rate` is in traces per second; `load` is that of the run, if it changes. `at` is the time of the figures in ns since 1970, with the incidents that are in force, if a time is given.
pub fn text(
    flags: &Explain,
    explanation: &Explanation,
    held: &[Held],
    plan: &Plan,
    rate: Option<f64>,
    load: Option<Load>,
    at: Option<(u64, &InForce)>,
) -> String {
    let mut whole = json!({
        "plan": plan.digest_hex(),
        "seed": flags.seed,
        "sampled_traces": explanation.traces,
    });
    if let Some(Load { mean, peak }) = load {
        whole["load"] = json!({ "mean_per_second": mean, "peak_per_second": peak });
    }
    if let (Value::Object(whole), Some((at, in_force))) = (&mut whole, at) {
        whole.insert("at".into(), format_time(at).into());
        whole.insert("in_force".into(), names(plan, in_force).into());
    }
    add_parts(&mut whole, explanation, rate);
    if !held.is_empty() {
        whole["where"] = held.iter().map(condition).collect();
    }
    let malformed: Vec<_> = malformed(plan).collect();
    if !malformed.is_empty() {
        whole["malformed"] = json!(malformed);
    }
    format!("{whole:#}\n")
}

/// Returns how many traces there are for a condition.
fn condition(held: &Held) -> Value {
    let figures = [("traces_share", held.traces), ("spans_share", held.spans), ("first_share", held.first)];
    let mut object = Map::new();
    object.insert("condition".into(), json!(held.condition));
    object.insert("exact".into(), figures.iter().all(|(_, figure)| figure.is_exact()).into());
    object.extend(figures.iter().map(|(key, figure)| (key.to_string(), figure.value().into())));
    add_intervals(&mut object, &figures);
    object.into()
}

/// Adds the intervals of those figures that are of a sample.
fn add_intervals(object: &mut Map<String, Value>, figures: &[(&str, Figure)]) {
    let intervals = figures.iter().filter_map(|(key, figure)| Some((key.to_string(), json!(figure.interval()?))));
    let intervals: Map<String, Value> = intervals.collect();
    if !intervals.is_empty() {
        object.insert("intervals_99_9".into(), intervals.into());
    }
}

/// Formats a timeline.
pub fn timeline(flags: &Explain, question: &Question, timeline: &Timeline, rate: Option<f64>) -> String {
    let steps = timeline.steps.iter().map(|step| {
        let mut object = json!({
            "from": format_time(step.from),
            "to": format_time(step.to),
            "in_force": names(&question.plan, &step.in_force),
            "steady": step.is_steady,
        });
        add_parts(&mut object, &step.explanation, rate.map(|_| step.rate));
        object
    });
    let whole = json!({
        "plan": question.plan.digest_hex(),
        "seed": flags.seed,
        "start": format_time(question.epoch.opening),
        "sampled_traces": question.samples,
        "margin_ns": timeline.margin,
        "steps": steps.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

/// Formats incidents. Their windows are those of the first day of a run that starts at `start`, in ns since 1970.
pub fn incidents(flags: &Explain, plan: &Plan, impacts: &[Impact], start: u64) -> String {
    let incidents = impacts.iter().map(|impact| {
        let incident = &plan.incidents[impact.incident.index()];
        let windows = incident.windows(start).between(start, start.saturating_add(DAY));
        let windows = windows.map(|window| json!({ "from": format_time(window.start), "to": format_time(window.end) }));
        let causes = impact.causes.iter().map(|cause| {
            let changes: Vec<Value> = cause.changes.iter().map(change).collect();
            json!({ "service": cause.service, "operation": cause.operation, "changes": changes })
        });
        let touched = impact.touched.iter().map(|touched| {
            let mut object = subject(&touched.before.subject).1;
            object.insert("signals".into(), touched.signals.iter().map(|signal| moment::signal(*signal)).collect());
            // Without a change of rates, what matters is the number for each trace.
            let [before, during] = impact.rates.map(|rate| impact.rate.as_ref().map(|_| rate));
            object.insert("before".into(), figures(&touched.before, before).into());
            object.insert("during".into(), figures(&touched.during, during).into());
            Value::Object(object)
        });
        json!({
            "incident": plan.text(incident.name),
            "for_ns": incident.length,
            "every_ns": incident.every,
            "windows": windows.take(MOST_WINDOWS).collect::<Vec<_>>(),
            "rate": impact.rate.as_ref().map(|(times, scenarios)| json!({ "times": times, "scenarios": scenarios })),
            "causes": causes.collect::<Vec<_>>(),
            "touched": touched.collect::<Vec<_>>(),
        })
    });
    let whole = json!({
        "plan": plan.digest_hex(),
        "seed": flags.seed,
        "start": format_time(start),
        "sampled_traces": flags.samples,
        "incidents": incidents.collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

/// The maximum number of windows of an incident that are listed.
const MOST_WINDOWS: usize = 1_000;

fn change(effect: &Effect) -> Value {
    match effect {
        Effect::Slower { times, is_replaced, is_longer } => {
            json!({ "change": "slower", "times": times, "replaced": is_replaced, "added": is_longer })
        }
        Effect::Fails { error, chance } => json!({ "change": "fails", "error_type": error, "probability": chance }),
        Effect::Down => json!({ "change": "down" }),
        Effect::Version { version } => json!({ "change": "version", "version": version }),
        Effect::Decides => json!({ "change": "decides" }),
    }
}

/// Returns the names of incidents.
fn names(plan: &Plan, in_force: &InForce) -> Vec<String> {
    in_force.iter().map(|incident| plan.text(plan.incidents[incident.index()].name).to_owned()).collect()
}

/// Returns the list to which a subject belongs, and its names.
fn subject(subject: &Subject) -> (&'static str, Map<String, Value>) {
    let (list, names) = match subject {
        Subject::Total => ("total", json!({})),
        Subject::Scenario { scenario } => ("scenarios", json!({ "scenario": scenario })),
        Subject::Service { service } => ("services", json!({ "service": service })),
        Subject::Operation { service, operation } => {
            ("operations", json!({ "service": service, "operation": operation }))
        }
        Subject::Edge { caller, callee } => ("edges", json!({ "caller": caller, "callee": callee })),
    };
    (list, if let Value::Object(names) = names { names } else { Map::new() })
}

/// Adds all parts of an explanation to an object.
fn add_parts(whole: &mut Value, explanation: &Explanation, rate: Option<f64>) {
    whole["total"] = Value::Null;
    for list in ["scenarios", "services", "operations", "edges"] {
        whole[list] = json!([]);
    }
    for part in &explanation.parts {
        let (list, names) = subject(&part.subject);
        let mut object = figures(part, rate);
        object.extend(names);
        match &mut whole[list] {
            Value::Array(list) => list.push(object.into()),
            total => *total = object.into(),
        }
    }
}

fn figures(part: &Part, rate: Option<f64>) -> Map<String, Value> {
    let unit = if part.subject.is_of_traces() { "trace" } else { "span" };
    let mut object = Map::new();
    let mut add = |key: &str, value: Value| object.insert(key.into(), value);
    add("exact", part.is_exact().into());
    add("share", part.share.value().into());
    add("traces_share", part.traces.value().into());
    let spans = part.spans;
    add(
        "spans_per_trace",
        match spans.mean.value() {
            Some(mean) => json!({ "min": spans.min, "mean": mean, "max": spans.max }),
            None => Value::Null,
        },
    );
    add("failure_probability", part.failed.value().into());
    let known = [
        ("share", part.share),
        ("traces_share", part.traces),
        ("spans_per_trace", spans.mean),
        ("failure_probability", part.failed),
    ];
    add_intervals(&mut object, &known);
    let mut add = |key: &str, value: Value| object.insert(key.into(), value);
    if !part.subject.is_of_traces() {
        add("own_time_ns", part.own.into());
    }
    add(&format!("bytes_per_{unit}"), part.bytes.into());
    add(
        "duration_ns",
        part.durations.map(|d| json!({ "p50": d.p50, "p90": d.p90, "p95": d.p95, "p99": d.p99 })).into(),
    );
    if let Some(rate) = rate {
        let units = part.frequency().times(rate).value();
        add("traces_per_second", part.traces.times(rate).value().into());
        add("spans_per_second", part.span_frequency().times(rate).value().into());
        add("bytes_per_second", part.bytes.zip(units).map(|(bytes, units)| bytes * units).into());
        add(&format!("failed_{unit}s_per_second"), part.failure_frequency().times(rate).value().into());
    }
    object
}
