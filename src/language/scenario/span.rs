//! Spans: an item of `calls`, a step, a root.

use std::rc::Rc;

use super::fields::{Context, Fields};
use super::{ErrorCondition, Event, Kind, Span, dist, number, value};
use crate::language::diagnostic::{Problem, nearest, short};
use crate::language::source::Located;
use crate::language::template::{self, Template};
use crate::language::yaml::{self, Node};

/// Spans below each other.
pub const MAX_DEPTH: usize = 64;

const FIELDS: [&str; 11] = [
    "service",
    "operation",
    "kind",
    "delay_ms",
    "delay",
    "attributes",
    "events",
    "error_conditions",
    "calls",
    "export_context_as",
    "link_from_context",
];

const KINDS: [(&str, Kind); 5] = [
    ("INTERNAL", Kind::Internal),
    ("SERVER", Kind::Server),
    ("CLIENT", Kind::Client),
    ("PRODUCER", Kind::Producer),
    ("CONSUMER", Kind::Consumer),
];

/// A span and what it calls; the root is at depth 1.
pub fn span(cx: &mut Context, node: &Node, depth: usize) -> Option<Span> {
    let fields = Fields::read(cx, node, "a span", &FIELDS)?;
    let mut span = body(cx, &fields);
    span.calls = calls(cx, &fields, depth);
    Some(span)
}

/// `steps`: each is the one call of the step before.
pub fn steps(cx: &mut Context, steps: &[Rc<Node>]) -> Option<Span> {
    let mut spans = vec![];
    for node in steps {
        let Some(fields) = Fields::read(cx, node, "a step", &FIELDS) else { continue };
        if let Some(calls) = fields.get("calls") {
            cx.report(Problem::StepWithCalls, calls.key.loc);
        }
        spans.push(body(cx, &fields));
    }
    if let Some(span) = spans.get(MAX_DEPTH) {
        cx.report(Problem::CallsTooDeep { limit: MAX_DEPTH }, span.service.loc);
        spans.truncate(MAX_DEPTH);
    }
    spans.into_iter().rev().reduce(|callee, mut caller| {
        caller.calls = vec![callee];
        caller
    })
}

fn calls(cx: &mut Context, fields: &Fields, depth: usize) -> Vec<Span> {
    let Some(node) = fields.optional("calls") else { return vec![] };
    let yaml::Kind::Sequence(items) = &node.kind else {
        cx.mistyped("`calls`", "a list of spans", node, None);
        return vec![];
    };
    if depth >= MAX_DEPTH && !items.is_empty() {
        cx.report(Problem::CallsTooDeep { limit: MAX_DEPTH }, fields.head());
        return vec![];
    }
    items.iter().filter_map(|item| span(cx, item, depth + 1)).collect()
}

/// Everything but the calls. A service that is missing or wrong is empty, an operation a broken template.
fn body(cx: &mut Context, fields: &Fields) -> Span {
    let service = fields.required(cx, "service").and_then(|entry| cx.text("`service`", &entry.value));
    let operation = fields.required(cx, "operation").and_then(|entry| cx.template("`operation`", &entry.value));
    let at = fields.head();
    Span {
        service: service.unwrap_or_else(|| Located::new(String::new(), at)),
        operation: operation.unwrap_or_else(|| Template { parts: vec![template::error(at)], loc: at }),
        kind: fields.optional("kind").and_then(|node| kind(cx, node)).unwrap_or(Kind::Internal),
        delay: dist::delay(cx, fields),
        attributes: value::attributes(cx, fields.optional("attributes")),
        events: list(cx, fields, "events", "`events`", event),
        error_conditions: list(cx, fields, "error_conditions", "`error_conditions`", error_condition),
        calls: vec![],
        export: fields.get("export_context_as").and_then(|entry| cx.template("`export_context_as`", &entry.value)),
        link: fields.get("link_from_context").and_then(|entry| cx.text("`link_from_context`", &entry.value)),
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

fn event(cx: &mut Context, node: &Node) -> Option<Event> {
    let fields = Fields::read(cx, node, "an event", &["name", "attributes"])?;
    let name = fields.required(cx, "name").and_then(|entry| cx.template("`name`", &entry.value));
    let attributes = value::attributes(cx, fields.optional("attributes"));
    Some(Event { name: name?, attributes, loc: fields.loc })
}

fn error_condition(cx: &mut Context, node: &Node) -> Option<ErrorCondition> {
    let fields = Fields::read(cx, node, "an error condition", &["probability", "type", "message"])?;
    let probability =
        fields.required(cx, "probability").and_then(|entry| number::percent(cx, "`probability`", &entry.value));
    let kind = fields.required(cx, "type").and_then(|entry| cx.template("`type`", &entry.value));
    let message = fields.optional("message").and_then(|node| cx.template("`message`", node));
    Some(ErrorCondition { probability: probability?, r#type: kind?, message, loc: fields.loc })
}

fn list<T>(
    cx: &mut Context,
    fields: &Fields,
    field: &str,
    what: &str,
    item: impl Fn(&mut Context, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = fields.optional(field) else { return vec![] };
    let yaml::Kind::Sequence(items) = &node.kind else {
        cx.mistyped(what, "a list", node, None);
        return vec![];
    };
    items.iter().filter_map(|node| item(cx, node)).collect()
}
