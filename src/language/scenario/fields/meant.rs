//! Unknown fields: other names that users use, and fields that belong elsewhere.

use super::ITEM_WORDS;

/// What was probably meant by an unknown field.
pub struct Meant {
    pub hint: &'static str,
    /// The field, if it is one of the same mapping.
    pub field: Option<&'static str>,
}

/// Returns what was probably meant by `field` in a mapping of the kind `owner` ("a span").
pub fn meant(field: &str, owner: &str) -> Option<Meant> {
    let by_name = match owner {
        "a span" => of_item(field).or_else(|| of_span(field)),
        "a root span" | "a step" | "a shared span" => of_span(field),
        "a scenario" => of_scenario(field),
        "an error condition" => of_condition(field),
        "an incident" => of_incident(field),
        "a load" => of_load(field),
        "a stage" => of_stage(field),
        "a policy" => of_policy(field),
        "a rule" => of_rule(field),
        _ => None,
    };
    match by_name {
        Some((hint, field)) => Some(Meant { hint, field: Some(field) }),
        None => elsewhere(field, owner).map(|hint| Meant { hint, field: None }),
    }
}

fn of_span(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "duration" | "duration_ms" | "latency" | "latency_ms" => ("a span's own time is its `delay_ms`", "delay_ms"),
        "name" | "span_name" | "operation_name" => ("a span's name is its `operation`", "operation"),
        "span_kind" => ("whether it is a SERVER, a CLIENT, ... is its `kind`", "kind"),
        "children" | "spans" | "steps" => ("child spans are its `calls`", "calls"),
        "tags" | "labels" => ("the values on a span are its `attributes`", "attributes"),
        "logs" => ("what happens in a span is in its `events`", "events"),
        "links" => ("what a span links to is its `link_from_context`", "link_from_context"),
        "error_rate" | "errors" | "failure_rate" => {
            ("how a span fails is in its `error_conditions`: [{probability: 1, type: Timeout}]", "error_conditions")
        }
        "template" | "extends" => ("a shared span is named in `use`", "use"),
        _ => return None,
    })
}

fn of_item(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "if" | "condition" => ("the condition of a call is its `when`", "when"),
        "on_error" | "catch" => ("what runs after a failure is an item of its own, with `when: error`", "when"),
        "times" | "loop" => ("how often a call is made is its `repeat`", "repeat"),
        "retries" | "max_retries" => ("how often a call is tried is its `retry: {attempts: 3}`", "retry"),
        _ => return None,
    })
}

fn of_scenario(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "probability" | "share" | "frequency" => ("how often a scenario comes is its `weight`", "weight"),
        "variables" => ("what is drawn when a trace starts is in its `vars`", "vars"),
        _ => return None,
    })
}

fn of_condition(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "rate" | "error_rate" => ("how often a span fails so is its `probability`", "probability"),
        "error_type" | "exception" => ("what `error.type` says is its `type`", "type"),
        _ => return None,
    })
}

fn of_incident(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "start" | "from" | "begin" => ("when a window opens is its `at`", "at"),
        "duration" | "length" | "lasts" => ("how long a window is open is its `for`", "for"),
        "repeat" | "interval" | "period" => ("how often a window opens is its `every`", "every"),
        "service" | "operation" | "scenario" | "instance" => ("the spans that it is for are in its `select`", "select"),
        "errors" | "error_rate" | "probability" => {
            ("how its spans fail is in its `error_conditions`: [{probability: 30, type: timeout}]", "error_conditions")
        }
        "delay" => ("the own time of its spans is its `delay_ms`, or grows by its `latency`", "delay_ms"),
        _ => return None,
    })
}

fn of_load(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "cron" | "schedule" | "interval" | "period" => {
            ("the time between two starts is `every`: {every: 24h, at: \"02:00\"}", "every")
        }
        "jitter" => ("it is in milliseconds: `jitter_ms`", "jitter_ms"),
        "time" => ("the time of day is `at`", "at"),
        "distribution" | "process" => ("how traces arrive is `arrivals`: constant or poisson", "arrivals"),
        "steps" | "ramp" => ("rates that change are `stages`: [{for: 10m, rate: 40/s}]", "stages"),
        _ => return None,
    })
}

fn of_stage(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "duration" | "within" | "time" => ("how long a stage takes is `for`", "for"),
        "target" | "to" => ("what a stage leads to is its `rate`", "rate"),
        _ => return None,
    })
}

fn of_policy(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "rules" | "policies" | "sampling" | "expect" => ("the rules for traces are in `traces`", "traces"),
        "tolerate" | "allowed" | "ignore" => ("what is tolerated is in `allow`", "allow"),
        _ => return None,
    })
}

fn of_rule(field: &str) -> Option<(&'static str, &'static str)> {
    Some(match field {
        "if" | "condition" | "where" => ("the traces of a sample are those of its `when`", "when"),
        "probability" | "percentage" | "share" | "sampling_percentage" => {
            ("the share of the traces that arrive is `sample: 10%`", "sample")
        }
        _ => return None,
    })
}

/// Returns the place where a misplaced field belongs.
fn elsewhere(field: &str, owner: &str) -> Option<&'static str> {
    let is_item_word = ITEM_WORDS.contains(&field) && field != "vars";
    match field {
        _ if is_item_word && owner == "a shared span" => {
            Some("it is a word of the call: write it where the span is used")
        }
        _ if is_item_word && !matches!(owner, "a span" | "a link") => Some("it is a word for an item of `calls`"),
        "services" | "spans" | "incidents" | "scenarios" | "schema_version" if owner == "a scenario" => {
            Some("it stands at the top of a file, beside `scenarios`, not in a scenario")
        }
        "name" | "scenario_name" | "root_span" | "steps" | "vars" | "weight" | "description" if owner == "a file" => {
            Some("it belongs into an item of `scenarios`")
        }
        "trace_state" => Some("it is of the whole trace: put it on the `root_span`"),
        "rate" if owner == "an incident" => Some("this version of tracegen does not support it"),
        "load" => Some("it stands at the top of a file, for all scenarios, or in a scenario"),
        "malform" => Some("this version of tracegen does not support it"),
        _ => None,
    }
}
