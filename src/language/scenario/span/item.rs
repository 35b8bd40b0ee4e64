//! Items: the entries of `calls` and `parallel`, which are spans, groups of calls, or work between calls.

use std::rc::Rc;

use super::{FIELDS as SPAN_FIELDS, MAX_DEPTH, span_of};
use crate::language::diagnostic::{Diagnostic, Problem, Role};
use crate::language::scenario::fields::{Context, Fields, ITEM_WORDS};
use crate::language::scenario::{Body, Item, List, Pool, Propagate, Repeat, Retry, dist, number, value};
use crate::language::source::{Loc, Located};
use crate::language::yaml::{Core, Kind, Node, Style, core, is_template};

/// The item fields that only an item which is a span may have.
const CALL_WORDS: [&str; 4] = ["timeout_ms", "retry", "propagate", "client"];
/// The item fields that need somebody to wait for the call.
const WAITING_WORDS: [&str; 3] = ["timeout_ms", "retry", "propagate"];
/// The fields of an item: those of a span, and the item fields.
const FIELDS: [&str; SPAN_FIELDS.len() + ITEM_WORDS.len()] = {
    let mut fields = [""; SPAN_FIELDS.len() + ITEM_WORDS.len()];
    let (spans, words) = fields.split_at_mut(SPAN_FIELDS.len());
    spans.copy_from_slice(&SPAN_FIELDS);
    words.copy_from_slice(&ITEM_WORDS);
    fields
};
/// The fields of a span that other items have, too.
const SHARED: [&str; 4] = ["calls", "parallel", "delay_ms", "delay"];
/// The maximum number of turns of an item.
const MAX_TURNS: u32 = 10_000;
/// The maximum number of attempts of a call.
const MAX_ATTEMPTS: u32 = 20;

/// Reads the calls of a span at level `depth`. Parallel calls are the only item, a group.
pub fn calls(cx: &mut Context, fields: &Fields, depth: usize) -> Vec<Item> {
    let list = list(cx, fields, depth);
    match list.pool {
        None => list.items,
        Some(_) => {
            let loc = list.loc;
            vec![plain(Body::Group(list), loc)]
        }
    }
}

/// Reads the list of a span or a group, its `calls` or its `parallel`, whose items are at level `depth`; it is empty
/// without either.
fn list(cx: &mut Context, fields: &Fields, depth: usize) -> List {
    let Some(entry) = fields.either(cx, "calls", "parallel") else {
        return List { pool: None, items: vec![], loc: fields.loc };
    };
    let (field, node) = (&*entry.key.value, &*entry.value);
    if field == "calls" {
        return List { pool: None, items: items(cx, field, node, depth), loc: entry.key.loc };
    }
    let (max, items) = match &node.kind {
        Kind::Mapping(_) => pool(cx, node, depth),
        _ => (None, items(cx, field, node, depth)),
    };
    List { pool: Some(Pool { max }), items, loc: entry.key.loc }
}

/// Reads `{max: 3, calls: [...]}`.
fn pool(cx: &mut Context, node: &Node, depth: usize) -> (Option<u32>, Vec<Item>) {
    let Some(fields) = Fields::read(cx, node, "`parallel`", &["max", "calls"]) else { return (None, vec![]) };
    let max = fields.optional("max").and_then(|node| whole(cx, "`max`", node, 1));
    let items = fields.required(cx, "calls").map(|entry| items(cx, "calls", &entry.value, depth));
    (max.map(|max| max.value), items.unwrap_or_default())
}

fn items(cx: &mut Context, field: &str, node: &Node, depth: usize) -> Vec<Item> {
    let items: &[Rc<Node>] = match &node.kind {
        Kind::Sequence(items) => items,
        _ if node.is_null() => &[],
        _ => {
            cx.mistyped(&format!("`{field}`"), "a list of spans", node, None);
            &[]
        }
    };
    if depth > MAX_DEPTH
        && let Some(first) = items.first()
    {
        cx.report(Problem::CallsTooDeep { limit: MAX_DEPTH }, first.loc);
        return vec![];
    }
    items.iter().filter_map(|node| item(cx, node, depth)).collect()
}

fn item(cx: &mut Context, node: &Node, depth: usize) -> Option<Item> {
    let fields = Fields::read(cx, node, "a span", &FIELDS)?;
    let has = |field: &str| fields.get(field).is_some();
    // An item with a field that only spans have is meant to be one, even without a service.
    let is_span = SPAN_FIELDS.iter().any(|field| has(field) && !SHARED.contains(field));
    let has_list = has("calls") || has("parallel");
    let body = match fields.either(cx, "delay_ms", "delay") {
        _ if is_span => Body::Span(Box::new(span_of(cx, &fields, depth))),
        Some(delay) if has_list => {
            cx.report(Problem::DelayOfGroup, delay.key.loc);
            return None;
        }
        _ if has_list => Body::Group(list(cx, &fields, depth + 1)),
        Some(delay) => {
            if has("async") {
                cx.report(Problem::Conflict { field: "async", other: "delay_ms" }, delay.key.loc);
            }
            Body::Work(dist::delay(cx, &fields)?)
        }
        None => Body::Span(Box::new(span_of(cx, &fields, depth))),
    };
    if !matches!(body, Body::Span(_)) {
        for word in CALL_WORDS.iter().filter_map(|word| fields.get(word)) {
            cx.report(Problem::WordOfCall { word: word.key.value.to_string() }, word.key.loc);
        }
    }
    let propagate = fields.optional("propagate").and_then(|node| propagate(cx, node));
    let is_async = fields.optional("async").is_some_and(|node| flag(cx, "`async`", node));
    for other in WAITING_WORDS.into_iter().filter(|_| is_async) {
        if let (Some(entry), Some(word)) = (fields.get("async"), fields.optional(other)) {
            let problem = Problem::Conflict { field: "async", other };
            cx.add(Diagnostic::new(problem, entry.key.loc).related(Role::First, word.loc));
        }
    }
    Some(Item {
        body,
        repeat: fields.optional("repeat").and_then(|node| repeat(cx, "`repeat`", node)),
        vars: value::vars(cx, fields.optional("vars")),
        when: fields.get("when").and_then(|entry| cx.condition("`when`", &entry.value)),
        probability: fields.optional("probability").and_then(|node| number::percent(cx, "`probability`", node)),
        is_async,
        wait: fields.optional("wait_ms").and_then(|node| dist::ms(cx, "`wait_ms`", node)),
        timeout: fields.optional("timeout_ms").and_then(|node| dist::ms(cx, "`timeout_ms`", node)),
        retry: fields.optional("retry").and_then(|node| retry(cx, node)),
        propagate,
        loc: fields.loc,
    })
}

/// Reads `{attempts, backoff_ms, factor, jitter, when}`.
fn retry(cx: &mut Context, node: &Node) -> Option<Retry> {
    if let Kind::Scalar { text, style: Style::Plain } = &node.kind
        && let Core::Int(times) = core(text)
    {
        let instead = format!(
            "write {{attempts: {times}}} for so many calls in all, {{attempts: {}}} for so many more",
            times.saturating_add(1)
        );
        cx.mistyped("`retry`", "a mapping", node, Some(instead));
        return None;
    }
    let fields = Fields::read(cx, node, "`retry`", &["attempts", "backoff_ms", "factor", "jitter", "when"])?;
    let attempts = fields.required(cx, "attempts").and_then(|entry| whole(cx, "`attempts`", &entry.value, 2));
    let attempts = attempts.filter(|attempts| {
        let fits = attempts.value <= MAX_ATTEMPTS;
        if !fits {
            let problem = Problem::NumberOutOfRange { value: attempts.value.to_string(), range: "from 2 to 20" };
            cx.report(problem, attempts.loc);
        }
        fits
    });
    let factor = match fields.optional("factor") {
        Some(node) => {
            let factor = cx.number("`factor`", "a number", node)?;
            if !(1.0..=100.0).contains(&factor) {
                let problem = Problem::NumberOutOfRange { value: number::describe(node), range: "from 1 to 100" };
                cx.report(problem, node.loc);
            }
            factor.clamp(1.0, 100.0)
        }
        None => 1.0,
    };
    let jitter = fields.optional("jitter").and_then(|node| number::percent(cx, "`jitter`", node));
    Some(Retry {
        attempts: attempts?.value,
        backoff: fields.optional("backoff_ms").and_then(|node| dist::ms(cx, "`backoff_ms`", node)),
        factor: (factor * 1e3).round() as u32,
        jitter: jitter.map_or(0.0, |percent| percent.value),
        when: fields.get("when").and_then(|entry| cx.condition("`when`", &entry.value)),
        loc: node.loc,
    })
}

/// Reads `true`, a percentage, or `{when, probability, type, message, attributes}`.
fn propagate(cx: &mut Context, node: &Node) -> Option<Propagate> {
    let loc = node.loc;
    let plain =
        |probability| Propagate { when: None, probability, r#type: None, message: None, attributes: vec![], loc };
    match &node.kind {
        Kind::Scalar { text, style: Style::Plain } if matches!(core(text), Core::Bool(_)) => {
            (core(text) == Core::Bool(true)).then(|| plain(None))
        }
        Kind::Mapping(_) => {
            let known = ["when", "probability", "type", "message", "attributes"];
            let fields = Fields::read(cx, node, "`propagate`", &known)?;
            let probability = fields.optional("probability");
            Some(Propagate {
                when: fields.get("when").and_then(|entry| cx.condition("`when`", &entry.value)),
                probability: probability.and_then(|node| number::percent(cx, "`probability`", node)),
                r#type: fields.optional("type").and_then(|node| cx.template("`type`", node)),
                message: fields.optional("message").and_then(|node| cx.template("`message`", node)),
                attributes: value::attributes(cx, fields.optional("attributes")),
                loc,
            })
        }
        _ => number::percent(cx, "`propagate`", node).map(|percent| plain(Some(percent))),
    }
}

/// Reads a number of turns or links, `[min, max]`, or an expression; `subject` is the field's name in backticks.
pub fn repeat(cx: &mut Context, subject: &str, node: &Node) -> Option<Repeat> {
    if let Kind::Sequence(ends) = &node.kind {
        let [min, max] = ends.as_slice() else {
            let found = format!("a list of {}", ends.len());
            let expected = "a whole number, or [min, max]";
            cx.report(Problem::Mistyped { subject: subject.into(), expected, found, instead: None }, node.loc);
            return None;
        };
        // Both are read, so that mistakes in both are reported.
        let (low, high) = (whole(cx, subject, min, 0), whole(cx, subject, max, 0));
        let (low, high) = (low?, high?);
        if low.value > high.value {
            let problem = Problem::RangeUpsideDown { min: low.value.to_string(), max: high.value.to_string() };
            cx.report(problem, node.loc);
            return None;
        }
        return Some(Repeat::Range { min: low.value, max: high.value, loc: node.loc });
    }
    if let Kind::Scalar { text, .. } = &node.kind
        && is_template(text)
    {
        return cx.condition(subject, node).map(Repeat::Computed);
    }
    let turns = whole(cx, subject, node, 0)?;
    Some(Repeat::Range { min: turns.value, max: turns.value, loc: turns.loc })
}

/// Reads a whole number from `least` to [`MAX_TURNS`].
fn whole(cx: &mut Context, subject: &str, node: &Node, least: u32) -> Option<Located<u32>> {
    let value = match &node.kind {
        Kind::Scalar { text, style: Style::Plain } => core(text),
        _ => Core::Text,
    };
    match value {
        Core::Int(value) if (i64::from(least)..=i64::from(MAX_TURNS)).contains(&value) => {
            Some(Located::new(value as u32, node.loc))
        }
        Core::Int(_) | Core::OutOfRange => {
            let range = match least {
                0 => "from 0 to 10000",
                1 => "from 1 to 10000",
                _ => "from 2 to 20",
            };
            let value = number::describe(node);
            cx.report(Problem::NumberOutOfRange { value, range }, node.loc);
            None
        }
        _ => {
            cx.mistyped(subject, "a whole number", node, None);
            None
        }
    }
}

/// Reads `true` or `false`.
fn flag(cx: &mut Context, subject: &str, node: &Node) -> bool {
    let value = match &node.kind {
        Kind::Scalar { text, style: Style::Plain } => core(text),
        _ => Core::Text,
    };
    if let Core::Bool(value) = value {
        return value;
    }
    cx.mistyped(subject, "true or false", node, Some("write true or false".into()));
    false
}

/// Makes an item without any item fields.
pub fn plain(body: Body, loc: Loc) -> Item {
    Item {
        body,
        repeat: None,
        vars: vec![],
        when: None,
        probability: None,
        is_async: false,
        wait: None,
        timeout: None,
        retry: None,
        propagate: None,
        loc,
    }
}
