//! The form for programs. The help text documents the keys.

use super::Explain;
use crate::explain::{Explanation, Part, Subject};
use crate::interpreter::Run;
use serde_json::{Map, Value, json};

/// Formats an explanation. `rate` is in traces per second.
pub fn text(flags: &Explain, explanation: &Explanation, run: &Run, rate: Option<f64>) -> String {
    let mut whole = json!({
        "plan": run.plan().digest_hex(),
        "seed": flags.seed,
        "sampled_traces": explanation.traces,
        "total": null,
        "scenarios": [],
        "services": [],
        "operations": [],
        "edges": [],
    });
    for part in &explanation.parts {
        let (list, names) = match &part.subject {
            Subject::Total => ("total", json!({})),
            Subject::Scenario { scenario } => ("scenarios", json!({ "scenario": scenario })),
            Subject::Service { service } => ("services", json!({ "service": service })),
            Subject::Operation { service, operation } => {
                ("operations", json!({ "service": service, "operation": operation }))
            }
            Subject::Edge { caller, callee } => ("edges", json!({ "caller": caller, "callee": callee })),
        };
        let mut object = figures(part, rate);
        if let Value::Object(names) = names {
            object.extend(names);
        }
        match &mut whole[list] {
            Value::Array(list) => list.push(object.into()),
            total => *total = object.into(),
        }
    }
    format!("{whole:#}\n")
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
    let intervals = known.iter().filter_map(|(key, figure)| Some((key.to_string(), json!(figure.interval()?))));
    let intervals: Map<String, Value> = intervals.collect();
    if !intervals.is_empty() {
        add("intervals_99_9", intervals.into());
    }
    if !part.subject.is_of_traces() {
        add("own_time_ns", part.own.into());
    }
    add(&format!("bytes_per_{unit}"), part.bytes.into());
    add("duration_ns", part.durations.map(|d| json!({ "p50": d.p50, "p90": d.p90, "p99": d.p99 })).into());
    if let Some(rate) = rate {
        let units = part.frequency().times(rate).value();
        add("traces_per_second", part.traces.times(rate).value().into());
        add("spans_per_second", part.span_frequency().times(rate).value().into());
        add("bytes_per_second", part.bytes.zip(units).map(|(bytes, units)| bytes * units).into());
        add(&format!("failed_{unit}s_per_second"), part.failure_frequency().times(rate).value().into());
    }
    object
}
