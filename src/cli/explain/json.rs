//! As a program reads it. The keys are documented in the help text.

use super::Explain;
use crate::explain::{Explanation, Part, Subject};
use crate::interpreter::Run;
use serde_json::{Map, Value, json};

/// `rate`: traces a second.
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
    add("exact", part.exact.into());
    add("share", part.share.into());
    add("traces_share", part.traces.into());
    let spans = part.spans;
    add("spans_per_trace", json!({ "min": spans.min, "mean": spans.mean, "max": spans.max }));
    add("failure_probability", part.failed.into());
    if !part.subject.is_of_traces() {
        add("own_time_ns", part.own.into());
    }
    add(&format!("bytes_per_{unit}"), part.bytes.into());
    add("duration_ns", part.durations.map(|d| json!({ "p50": d.p50, "p90": d.p90, "p99": d.p99 })).into());
    if let Some(rate) = rate {
        let units = rate * part.frequency();
        add("traces_per_second", (rate * part.traces).into());
        add("spans_per_second", (rate * part.span_frequency()).into());
        add("bytes_per_second", part.bytes.map(|bytes| bytes * units).into());
        add(&format!("failed_{unit}s_per_second"), (part.failed * units).into());
    }
    object
}
