//! Spans: items of `calls`, steps, roots.

mod client;
mod item;
mod link;
mod shared;

pub use shared::read as read_shared;

use std::rc::Rc;

use super::fields::{Context, Fields};
use super::{
    Body, ErrorCondition, Event, EventTime, Kind, Span, Var, dist, filler, instrumentation, number, trace_state, value,
};
use crate::language::diagnostic::{Problem, nearest, short};
use crate::language::source::Located;
use crate::language::template::{self, Template};
use crate::language::yaml::{self, Node};

/// The maximum number of levels of spans.
pub const MAX_DEPTH: usize = 64;

pub const FIELDS: [&str; 17] = [
    "use",
    "with",
    "service",
    "operation",
    "kind",
    "scope",
    "status",
    "delay_ms",
    "delay",
    "attributes",
    "filler",
    "events",
    "error_conditions",
    "calls",
    "parallel",
    "export_context_as",
    "link_from_context",
];

/// The fields of a root span.
const ROOT_FIELDS: [&str; FIELDS.len() + 2] = fields_with("vars", "trace_state");
/// The fields of a shared span.
const SHARED_FIELDS: [&str; FIELDS.len() + 2] = fields_with("client", "vars");

const fn fields_with(one: &'static str, other: &'static str) -> [&'static str; FIELDS.len() + 2] {
    let mut fields = [one; FIELDS.len() + 2];
    fields[1] = other;
    fields.split_at_mut(2).1.copy_from_slice(&FIELDS);
    fields
}

const KINDS: [(&str, Kind); 6] = [
    ("UNSPECIFIED", Kind::Unspecified),
    ("INTERNAL", Kind::Internal),
    ("SERVER", Kind::Server),
    ("CLIENT", Kind::Client),
    ("PRODUCER", Kind::Producer),
    ("CONSUMER", Kind::Consumer),
];

/// Reads the root span of a scenario, its vars, and the calls below it.
pub fn root(cx: &mut Context, node: &Node) -> Option<(Vec<Var>, Span)> {
    let fields = Fields::read(cx, node, "a root span", &ROOT_FIELDS)?;
    let vars = value::vars(cx, fields.optional("vars"));
    let mut root = span_of(cx, &fields, 1);
    root.trace_state = fields.get("trace_state").and_then(|entry| trace_state::trace_state(cx, &entry.value));
    Some((vars, root))
}

/// Reads the span that has these fields, and the calls below it.
pub fn span_of(cx: &mut Context, fields: &Fields, depth: usize) -> Span {
    let mut span = body(cx, fields);
    span.calls = item::calls(cx, fields, depth + 1);
    span
}

/// Reads `steps`, each of which is the only call of the step before.
pub fn steps(cx: &mut Context, steps: &[Rc<Node>]) -> Option<Span> {
    let mut spans = vec![];
    for node in steps {
        let Some(fields) = Fields::read(cx, node, "a step", &FIELDS) else { continue };
        if let Some(calls) = fields.get("calls").or(fields.get("parallel")) {
            cx.report(Problem::StepWithCalls, calls.key.loc);
        }
        spans.push(body(cx, &fields));
    }
    if let Some(span) = spans.get(MAX_DEPTH) {
        let at = span.service.as_ref().map_or(span.loc, |service| service.loc);
        cx.report(Problem::CallsTooDeep { limit: MAX_DEPTH }, at);
        spans.truncate(MAX_DEPTH);
    }
    spans.into_iter().rev().reduce(|callee, mut caller| {
        let loc = callee.loc;
        caller.calls = vec![item::plain(Body::Span(Box::new(callee)), loc)];
        caller
    })
}

/// Reads everything except the calls.
fn body(cx: &mut Context, fields: &Fields) -> Span {
    let mut span = partial(cx, fields);
    if span.shared.is_none() {
        let is_meant_to_use = fields.get("use").or(fields.get("with")).is_some() || fields.is_misspelt("use");
        if !is_meant_to_use {
            let missing = ["service", "operation"].into_iter().filter(|field| fields.get(field).is_none());
            missing.for_each(|field| fields.missing(cx, field));
        }
        let at = fields.head();
        span.service.get_or_insert_with(|| Located::new(String::new(), at));
        span.operation.get_or_insert_with(|| Template { parts: vec![template::error(at)], loc: at });
    }
    span
}

/// Reads all of a span except its calls, whether it has all that a span must have or not. A wrong service is empty, and a
/// wrong operation a broken template.
fn partial(cx: &mut Context, fields: &Fields) -> Span {
    let service = fields.get("service").map(|entry| {
        let name = cx.text("`service`", &entry.value);
        name.unwrap_or_else(|| Located::new(String::new(), entry.value.loc))
    });
    let operation = fields.get("operation").map(|entry| {
        let at = entry.value.loc;
        let broken = || Template { parts: vec![template::error(at)], loc: at };
        cx.template("`operation`", &entry.value).unwrap_or_else(broken)
    });
    let mut attributes = value::attributes(cx, fields.optional("attributes"));
    filler::filler(cx, fields, &filler::Source::Draw, &mut attributes);
    Span {
        shared: shared::used(cx, fields),
        service,
        operation,
        kind: fields.optional("kind").and_then(|node| kind(cx, node)),
        scope: instrumentation::scope(cx, fields),
        ok: fields.optional("status").is_some_and(|node| ok(cx, node)),
        trace_state: None,
        delay: dist::delay(cx, fields),
        attributes,
        events: list(cx, fields, "events", "`events`", event),
        error_conditions: error_conditions(cx, fields),
        calls: vec![],
        client: fields.get("client").and_then(|entry| client::client(cx, entry)).map(Box::new),
        export: fields.get("export_context_as").and_then(|entry| cx.template("`export_context_as`", &entry.value)),
        links: fields.get("link_from_context").map_or_else(Vec::new, |entry| link::links(cx, &entry.value)),
        loc: fields.loc,
    }
}

fn kind(cx: &mut Context, node: &Node) -> Option<Kind> {
    let text = cx.text("`kind`", node)?;
    let upper = text.value.to_ascii_uppercase();
    let found = KINDS.iter().find(|(name, _)| *name == upper);
    if found.is_none() {
        let nearest = nearest(&upper, KINDS.iter().map(|(name, _)| *name));
        cx.report(Problem::UnknownKind { kind: short(&text.value), nearest }, text.loc);
    }
    found.map(|(_, kind)| *kind)
}

/// Reads `status`, which can only be `ok`.
fn ok(cx: &mut Context, node: &Node) -> bool {
    let is_ok = matches!(&node.kind, yaml::Kind::Scalar { text, .. } if text.eq_ignore_ascii_case("ok"));
    if !is_ok {
        let instead = "leave it out for a status that is unset; a span fails by its `error_conditions`";
        cx.mistyped("`status`", "`ok`", node, Some(instead.into()));
    }
    is_ok
}

fn event(cx: &mut Context, node: &Node) -> Option<Event> {
    let known = ["name", "attributes", "at", "at_ms", "repeat", "when", "probability"];
    let fields = Fields::read(cx, node, "an event", &known)?;
    let name = fields.required(cx, "name").and_then(|entry| cx.template("`name`", &entry.value));
    let attributes = value::attributes(cx, fields.optional("attributes"));
    let at = match fields.either(cx, "at", "at_ms") {
        Some(entry) if &*entry.key.value == "at_ms" => {
            dist::ms(cx, "`at_ms`", &entry.value).map_or(EventTime::AfterWork, EventTime::After)
        }
        Some(entry) if at_end(cx, &entry.value, "an event at the end of the span's own work") => EventTime::End,
        _ => EventTime::AfterWork,
    };
    Some(Event {
        name: name?,
        attributes,
        at,
        repeat: fields.optional("repeat").and_then(|node| item::repeat(cx, "`repeat`", node)),
        when: fields.get("when").and_then(|entry| cx.condition("`when`", &entry.value)),
        probability: fields.optional("probability").and_then(|node| number::percent(cx, "`probability`", node)),
        loc: fields.loc,
    })
}

/// Reads the error conditions of a span or an incident.
pub fn error_conditions(cx: &mut Context, fields: &Fields) -> Vec<ErrorCondition> {
    list(cx, fields, "error_conditions", "`error_conditions`", error_condition)
}

fn error_condition(cx: &mut Context, node: &Node) -> Option<ErrorCondition> {
    let known = ["probability", "when", "at", "delay_ms", "type", "message", "attributes"];
    let fields = Fields::read(cx, node, "an error condition", &known)?;
    let when = fields.get("when").and_then(|entry| cx.condition("`when`", &entry.value));
    let entry =
        if fields.get("when").is_some() { fields.get("probability") } else { fields.required(cx, "probability") };
    let probability = entry.map(|entry| number::percent(cx, "`probability`", &entry.value));
    let at_end =
        fields.optional("at").is_some_and(|node| at_end(cx, node, "a condition that is rolled before the calls"));
    if at_end && let Some(delay) = fields.get("delay_ms") {
        cx.report(Problem::DelayAtEnd, delay.key.loc);
    }
    let delay = fields.get("delay_ms").and_then(|entry| dist::ms(cx, "`delay_ms`", &entry.value));
    let kind = fields.required(cx, "type").and_then(|entry| cx.template("`type`", &entry.value));
    let message = fields.optional("message").and_then(|node| cx.template("`message`", node));
    let attributes = value::attributes(cx, fields.optional("attributes"));
    if entry.is_none() && when.is_none() {
        return None;
    }
    let probability = match probability {
        Some(read) => Some(read?),
        None => None,
    };
    Some(ErrorCondition { probability, when, at_end, delay, r#type: kind?, message, attributes, loc: fields.loc })
}

/// Reads `at`, which can only be `end`. `otherwise` describes the time without it.
fn at_end(cx: &mut Context, node: &Node, otherwise: &str) -> bool {
    let is_end = matches!(&node.kind, yaml::Kind::Scalar { text, .. } if text == "end");
    if !is_end {
        cx.mistyped("`at`", "`end`", node, Some(format!("leave it out for {otherwise}")));
    }
    is_end
}

fn list<T>(
    cx: &mut Context,
    fields: &Fields,
    field: &str,
    subject: &str,
    item: impl Fn(&mut Context, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = fields.optional(field) else { return vec![] };
    let yaml::Kind::Sequence(items) = &node.kind else {
        cx.mistyped(subject, "a list", node, None);
        return vec![];
    };
    items.iter().filter_map(|node| item(cx, node)).collect()
}
