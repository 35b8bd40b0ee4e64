//! The parts of spans, written in the language: failures with delays of their own, events, links, the scope and the status,
//! values of any shape, rows of tables.

use std::sync::Arc;
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::language::diagnostic::render;
use tracegen::plan::{Plan, SpanKind};
use tracegen::trace::{SpanView, Status, StoredTrace, Trace, View};
use tracegen::{compiler, language};

const MS: u64 = 1_000_000;
const START: u64 = 1_772_409_600_000_000_000;

fn compile(text: &str) -> Plan {
    let loaded = language::load_texts(vec![("spans.yaml".into(), text.into())]);
    let (sources, compiled) = compiler::compile_loaded(loaded);
    let found = render::human(&sources, &compiled.diagnostics, false);
    compiled.plan.unwrap_or_else(|| panic!("{found}\n{text}"))
}

/// Makes the first `count` traces of a scenario file with this text, one per millisecond, and calls `look` with each.
fn each_trace(text: &str, count: u64, mut look: impl FnMut(View<'_>)) {
    let schedule = Schedule::new(START, Arrivals::Even { count, per_ns: count * MS }).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(compile(text)), 7, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    for index in 0..count {
        interpreter.trace(index, &mut trace);
        let longest = run.plan().bound(trace.scenario).duration;
        assert!(trace.end - trace.start <= longest, "longer than {longest} ns");
        look(run.origin().view(&trace));
    }
}

/// Returns the duration of a span in ms.
fn duration(span: SpanView<'_>) -> f64 {
    (span.record().end - span.record().start) as f64 / MS as f64
}

/// A refusal takes its own time, and another failure that of the work. Calls are made only without a failure.
#[test]
fn a_failure_takes_its_own_time_in_place_of_the_work() {
    let text = "
name: a
root_span:
  service: s
  operation: o
  delay_ms: [100, 200]
  events: [{name: worked}]
  error_conditions:
    - {probability: 20, type: Refused, delay_ms: 1}
    - {when: trace.index % 2 == 1, probability: 30, type: Broken}
    - {when: trace.index == 6, type: Late, delay_ms: <<trace.index * 1000>>}
  calls: [{service: s, operation: c, delay_ms: 7}]
";
    let mut found = [0; 4];
    each_trace(text, 4_000, |view| {
        let root = view.span(0);
        let failed = root.failure().map(|(kind, _)| kind);
        let (least, most) = match failed {
            Some("Refused") => (1.0, 1.0),
            Some("Late") => (6_000.0, 6_000.0),
            Some(_) => (100.0, 200.0),
            None => (107.0, 207.0),
        };
        assert!((least..=most).contains(&duration(root)), "{failed:?}: {}", duration(root));
        assert_eq!(view.trace.spans.len(), if failed.is_some() { 1 } else { 2 });
        // The events of a failed span happen when it fails.
        let worked = root.events()[0].time;
        assert!(failed.is_none() || root.events().iter().all(|event| event.time == root.record().end));
        assert_eq!(worked, if failed.is_some() { root.record().end } else { view.trace.spans[1].start });
        let kinds = [Some("Refused"), Some("Broken"), Some("Late"), None];
        found[kinds.iter().position(|kind| *kind == failed).unwrap()] += 1;
    });
    assert_eq!(found[2], 1);
    assert!((700..900).contains(&found[0]) && (500..700).contains(&found[1]), "{found:?}");
}

/// The delay is drawn only if the failure happens, and failures without a delay are rolled after the work.
#[test]
fn a_time_of_a_failure_is_drawn_only_for_it() {
    let span = |conditions: &str| {
        format!(
            "name: a\nroot_span:\n  service: s\n  operation: o\n  delay_ms: 3\n  error_conditions: [{conditions}]\n  \
             calls: [{{service: s, operation: c, delay_ms: [1, 900]}}]\n"
        )
    };
    let times = |text: &str| {
        let mut times = vec![];
        each_trace(text, 200, |view| times.push(view.trace.spans.get(1).map(|span| span.end - span.start)));
        times
    };
    let plain = times(&span("{probability: 30, type: T}"));
    let drawn = times(&span("{probability: 30, type: T, delay_ms: {p50: 5, p99: 80}}"));
    assert_eq!(plain, drawn);
    assert!(plain.iter().any(Option::is_none) && plain.iter().any(Option::is_some));
}

/// Returns the events of a span: their names, and their times since its start in ms.
fn events(span: SpanView<'_>) -> Vec<(String, f64)> {
    let start = span.record().start;
    span.events().iter().map(|event| (event.name.into(), (event.time - start) as f64 / MS as f64)).collect()
}

#[test]
fn events_have_their_times_and_stand_in_the_order_of_the_file() {
    let text = "
name: a
vars: {n: <<trace.index % 4>>}
root_span:
  service: s
  operation: o
  delay_ms: 10
  events:
    - {name: last, at: end}
    - {name: begun, at_ms: 0}
    - {name: never, at_ms: 50}
    - {name: worked}
    - {name: 'part <<repeat.index>> of <<repeat.count>>', repeat: <<n>>, at_ms: <<repeat.index * 2 + 1>>}
    - {name: odd, repeat: 3, when: repeat.index == n}
  calls: [{service: s, operation: c, delay_ms: 20}]
";
    each_trace(text, 8, |view| {
        let n = view.trace.index % 4;
        let mut expected = vec![("begun".to_string(), 0.0), ("never".into(), 30.0), ("worked".into(), 10.0)];
        expected.extend((0..n).map(|part| (format!("part {part} of {n}"), (part * 2 + 1) as f64)));
        expected.extend((n < 3).then(|| ("odd".into(), 10.0)));
        expected.push(("last".into(), 30.0));
        assert_eq!(events(view.span(0)), expected);
    });
}

/// Each turn has a chance of its own, and a failed span has events, too.
#[test]
fn events_happen_by_chance_and_after_failures() {
    let text = "
name: a
root_span:
  service: s
  operation: o
  delay_ms: 4
  error_conditions: [{probability: 50, type: T}]
  events:
    - {name: coin, repeat: 10, probability: 30}
    - {name: ok, at: end, when: ok}
    - {name: failed, at: end, when: error}
  calls: [{service: s, operation: c, delay_ms: 1, error_conditions: [{probability: 50, type: U}]}]
";
    let (mut coins, mut ends) = (0, [0; 3]);
    each_trace(text, 2_000, |view| {
        let events = events(view.span(0));
        coins += events.iter().filter(|(name, _)| name == "coin").count();
        let outcome = events.iter().find(|(name, _)| name == "ok" || name == "failed").map(|(name, _)| &**name);
        let called = view.trace.spans.get(1).map(|_| view.span(1).failure().is_some());
        let is_failed = view.span(0).failure().is_some();
        assert_eq!(events.iter().filter(|(name, _)| name == "exception").count(), usize::from(is_failed));
        assert_eq!(outcome, called.map(|failed| if failed { "failed" } else { "ok" }));
        ends[called.map_or(0, |failed| 1 + usize::from(failed))] += 1;
    });
    assert!((5_600..6_400).contains(&coins), "{coins}");
    assert!(ends.iter().all(|n| (400..1_100).contains(n)), "{ends:?}");
}

/// An event after the deadline of the span's caller happens at the end of the span, which is that deadline.
#[test]
fn events_of_a_span_that_is_cut_are_in_it() {
    let text = "
name: a
root_span:
  service: s
  operation: o
  calls:
    - service: s
      operation: c
      delay_ms: 100
      timeout_ms: 20
      events: [{name: begun, at_ms: 5}, {name: late, at_ms: 50}, {name: worked}, {name: last, at: end}]
";
    each_trace(text, 1, |view| {
        assert_eq!(duration(view.span(1)), 20.0);
        assert_eq!(events(view.span(1)), [("begun".to_string(), 5.0), ("late".into(), 20.0)]);
    });
}

const BATCHES: &str = "
scenarios:
  - name: place order
    weight: 4
    root_span:
      service: orders
      operation: place
      attributes: {order.id: <<trace.index>>}
      delay_ms: [0, 3]
      error_conditions: [{probability: 20, type: Full}]
      export_context_as: order/<<trace.index>>
      calls: [{service: orders, operation: also, export_context_as: 'order/<<trace.index>>/2', async: true}]
  - name: fulfil
    vars:
      n: <<random.int(0, 5)>>
    root_span:
      service: warehouse
      operation: process
      link_from_context:
        - {match: order/*, count: <<n>>, lag_ms: 10, attributes: {key: <<linked.context_key>>, id: <<linked.attributes.order.id | default(-1)>>, dice: <<random.hex(4)>>}}
        - {match: order/*/2, attributes: {second: true}}
      attributes: {newest: <<linked.context_key>>, n: <<n>>}
      calls: [{service: warehouse, operation: below, attributes: {newest: <<linked.context_key>>}}]
";

/// Returns the targets of a span's links: the index of the trace, and the span.
fn targets(origin: &tracegen::interpreter::Run, span: SpanView<'_>) -> Vec<(u64, u64)> {
    let identity = origin.identity();
    span.links().map(|link| (identity.decode(link.trace_id).expect("one of this run").1, link.span_id)).collect()
}

/// Makes traces of a scenario file with this text, and calls `look` with each of them and all before it.
fn with_earlier(text: &str, count: u64, mut look: impl FnMut(&Arc<Run>, View<'_>, &[Trace])) {
    let schedule = Schedule::new(START, Arrivals::Even { count, per_ns: count * MS }).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(compile(text)), 7, schedule));
    let (mut interpreter, mut all) = (Interpreter::new(&run), vec![]);
    for index in 0..count {
        let mut trace = Trace::default();
        interpreter.trace(index, &mut trace);
        look(&run, run.origin().view(&trace), &all);
        all.push(trace);
    }
}

fn text_of(attributes: &[(&str, tracegen::trace::Datum<'_>)], key: &str) -> Option<String> {
    attributes.iter().find(|(found, _)| *found == key).map(|(_, value)| value.to_string())
}

/// Returns the spans that a link should find, by examining all of them: the latest trace first, and in a trace in the order
/// of exports.
fn expected<'a>(run: &'a Arc<Run>, earlier: &'a [Trace], suffix: &str, until: u64) -> Vec<(u64, u64, String)> {
    let mut found = vec![];
    for trace in earlier.iter().rev() {
        let view = run.origin().view(trace);
        for export in &trace.exports {
            let (span, key) = (view.span(export.span as usize), view.text(export.key));
            if key.ends_with(suffix) && span.failure().is_none() && span.record().end <= until {
                found.push((trace.index, span.record().id, key.to_string()));
            }
        }
    }
    found
}

#[test]
fn a_link_finds_so_many_spans_with_a_lag_and_says_what_it_found() {
    let mut most = 0;
    with_earlier(BATCHES, 1_500, |run, view, earlier| {
        let root = view.span(0);
        if view.scenario() != "fulfil" || view.trace.index < 100 {
            return;
        }
        let own: Vec<_> = root.attributes().collect();
        let n: usize = text_of(&own, "n").unwrap().parse().unwrap();
        // Only traces are candidates that began so early that they must have ended.
        let reach = run.plan().duration_bound().min(3 * MS);
        let start = view.trace.start - 10 * MS;
        let early = |until: u64| earlier.iter().take_while(|trace| trace.start <= until - reach).count();
        let mut wanted = expected(run, &earlier[..early(start)], "", start);
        wanted.truncate(n);
        let second = expected(run, &earlier[..early(view.trace.start)], "/2", view.trace.start);
        let links: Vec<_> = root.links().collect();
        let found = targets(run, root);
        let all: Vec<(u64, u64)> = wanted.iter().chain(&second[..1]).map(|(index, span, _)| (*index, *span)).collect();
        assert_eq!(found, all, "trace {}", view.trace.index);
        for (link, (index, _, key)) in links.iter().zip(&wanted) {
            assert_eq!(text_of(&link.attributes, "key").as_ref(), Some(key));
            let id = if key.ends_with("/2") { -1 } else { *index as i64 };
            assert_eq!(text_of(&link.attributes, "id"), Some(id.to_string()));
            assert_eq!(text_of(&link.attributes, "dice").map(|dice| dice.len()), Some(4));
        }
        assert_eq!(text_of(&links[n].attributes, "second").as_deref(), Some("true"));
        // Reads of the link refer to the latest span, here and below.
        let newest = wanted.first().map(|(_, _, key)| key.clone());
        assert_eq!(text_of(&own, "newest"), newest);
        assert_eq!(text_of(&view.span(1).attributes().collect::<Vec<_>>(), "newest"), newest);
        most = most.max(n);
    });
    assert_eq!(most, 5);
}

/// A trace that is made alone is the same as one among all, even if its links are looked for in traces that have links.
#[test]
fn links_are_the_same_whatever_was_made_before() {
    let text = format!(
        "{BATCHES}      export_context_as: batch/<<random.hex(6)>>
  - name: report
    root_span:
      service: reports
      operation: report
      link_from_context: {{match: batch/*, count: 3, attributes: {{batch: <<linked.context_key>>}}}}
      attributes: {{newest: <<linked.attributes.newest>>}}
"
    );
    let schedule = Schedule::new(START, Arrivals::Even { count: 600, per_ns: 600 * MS }).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(compile(&text)), 7, schedule));
    let made = |interpreter: &mut Interpreter, index: u64| {
        let mut trace = Trace::default();
        interpreter.trace(index, &mut trace);
        let stored = StoredTrace::of(run.origin().view(&trace));
        stored.unwrap_or_else(|error| panic!("{error}"))
    };
    let mut in_order = Interpreter::new(&run);
    let all: Vec<_> = (0..600).map(|index| made(&mut in_order, index)).collect();
    let mut linked = 0;
    for index in (0..600).rev().step_by(7) {
        let alone = made(&mut Interpreter::new(&run), index);
        assert_eq!(alone, all[index as usize], "trace {index}");
        linked += alone.spans.iter().flat_map(|span| &span.links).filter(|link| !link.attributes.is_empty()).count();
    }
    assert!(linked > 50, "{linked}");
}

#[test]
fn a_link_within_a_trace_leads_to_spans_that_had_ended() {
    let text = "
name: a
vars:
  n: <<random.int(0, 6)>>
root_span:
  service: s
  operation: root
  export_context_as: part/root
  calls:
    - parallel:
        - repeat: <<n>>
          service: s
          operation: part
          attributes: {number: <<repeat.index>>}
          delay_ms: [1, 30]
          error_conditions: [{probability: 20, type: T}]
          export_context_as: part/<<repeat.index>>
        - {service: s, operation: early, delay_ms: 1, link_from_context: {match: part/*, trace: same, count: 9}}
    - {service: s, operation: other, async: true, delay_ms: 900, export_context_as: part/async}
    - service: s
      operation: join
      link_from_context: {match: part/*, trace: same, count: 4, attributes: {number: <<linked.attributes.number>>}}
      attributes: {last: <<linked.attributes.number>>, key: <<linked.context_key>>}
";
    let mut found = 0;
    with_earlier(text, 300, |run, view, _| {
        let spans: Vec<_> = view.spans().collect();
        let join = *spans.last().unwrap();
        let parts = spans.iter().filter(|span| span.name() == "part" && span.failure().is_none());
        let mut expected: Vec<_> = parts.collect();
        expected.reverse();
        expected.truncate(4);
        let ids: Vec<_> = expected.iter().map(|span| (view.trace.index, span.record().id)).collect();
        assert_eq!(targets(run, join), ids);
        let number = |span: &SpanView<'_>| text_of(&span.attributes().collect::<Vec<_>>(), "number");
        for (link, span) in join.links().zip(&expected) {
            assert_eq!(text_of(&link.attributes, "number"), number(span));
        }
        let own: Vec<_> = join.attributes().collect();
        assert_eq!(text_of(&own, "last"), expected.first().and_then(|span| number(span)));
        assert_eq!(text_of(&own, "key"), text_of(&own, "last").map(|number| format!("part/{number}")));
        // Nothing has ended when the parts begin.
        let early = spans.iter().find(|span| span.name() == "early").unwrap();
        assert_eq!(early.links().count(), 0);
        found += ids.len();
    });
    assert!(found > 400, "{found}");
}

/// Returns all that a store would keep of the first trace of a scenario file with this text.
fn stored(text: &str) -> StoredTrace {
    let mut stored = None;
    each_trace(text, 1, |view| stored = StoredTrace::of(view).ok());
    stored.expect("a small trace")
}

#[test]
fn a_span_says_its_scope_its_status_and_the_state_of_its_trace() {
    let text = "
services:
  shop: {scope: {name: io.example.http, version: 2.0}}
  cart: {}
scenarios:
  - name: a
    root_span:
      service: shop
      operation: root
      status: ok
      trace_state: ot=th:8
      calls:
        - {service: cart, operation: plain, kind: unspecified}
        - {service: shop, operation: own, scope: {name: io.example.view}, status: ok, error_conditions: [{probability: 100, type: T}]}
        - {service: cart, operation: same, scope: {name: tracegen}}
";
    let spans = stored(text).spans;
    let scopes: Vec<_> = spans.iter().map(|span| (&*span.scope.name, &*span.scope.version)).collect();
    assert_eq!(scopes, [("io.example.http", "2.0"), ("tracegen", ""), ("io.example.view", ""), ("tracegen", "")]);
    let statuses: Vec<_> = spans.iter().map(|span| span.status.clone()).collect();
    assert_eq!(statuses, [Status::Ok, Status::Unset, Status::Error(String::new()), Status::Unset]);
    assert_eq!(spans[1].kind, SpanKind::Unspecified);
    assert!(spans.iter().all(|span| span.trace_state == "ot=th:8"));
}

#[test]
fn instances_share_versions_by_their_weights() {
    let text = "
services: {shop: {instances: 10000, version: {choice: [1.10, 1.9.3, 2.0], weights: [90, 9, 1]}}}
scenarios:
  - {name: a, root_span: {service: shop, operation: o, kind: SERVER, attributes: {v: <<service.version>>}}}
";
    let plan = compile(text);
    assert_eq!(plan.services[0].instances, 10_000);
    let mut counts = std::collections::BTreeMap::new();
    each_trace(text, 3_000, |view| {
        let root = view.span(0);
        let version = text_of(&root.attributes().collect::<Vec<_>>(), "v").unwrap();
        let resource: Vec<_> = view.resources.get(root.record().resource).collect();
        assert_eq!(text_of(&resource, "service.version"), Some(version.clone()));
        *counts.entry(version).or_insert(0) += 1;
    });
    let known: Vec<_> = counts.iter().map(|(version, count)| (&**version, *count)).collect();
    assert!(matches!(known[..], [("1.10", 2_600..), ("1.9.3", 200..350), ("2.0", 10..60)]), "{known:?}");
}

#[test]
fn values_are_nested_and_what_is_absent_or_too_deep_is_left_out() {
    let text = "
name: a
vars:
  n: <<trace.index + 5>>
  seven: [[[[[[[<<n>>]]]]]]]
root_span:
  service: s
  operation: o
  attributes:
    list: [1, two, <<n>>, [<<n>>, true], '<<n>>']
    map: {map: {a: <<n>>, gone: <<n | omit(5)>>, b: {map: {c: {bytes: AP8Q}, d: []}}}}
    deep: [0, [[[[[[[<<seven>>]]]]]]], [[[[[[[[<<seven>>]]]]]]]]]
    raw: {bytes: AA==}
";
    let attributes = stored(text).spans[0].attributes.clone();
    let shown: Vec<_> = attributes.iter().map(|(key, value)| (&**key, value.as_datum().to_string())).collect();
    let deep = format!("[0,{}5{}]", "[".repeat(14), "]".repeat(14));
    let expected = [
        ("raw", "AA==".into()),
        ("list", r#"[1,"two",5,[5,true],"5"]"#.into()),
        ("map", r#"{"a":5,"b":{"c":"AP8Q","d":[]}}"#.into()),
        ("deep", deep),
    ];
    assert_eq!(shown, expected);
}

/// The same number gives the same text in every trace, and another text under another key.
#[test]
fn a_filler_has_so_many_values() {
    let text = "
services: {s: {instances: 20, filler: {count: 2, values: 3, length: 12}}}
scenarios:
  - {name: a, root_span: {service: s, operation: o, kind: SERVER, filler: {count: 12, values: 5, length: 16}}}
";
    let mut values = std::collections::BTreeMap::<String, std::collections::BTreeSet<String>>::new();
    each_trace(text, 300, |view| {
        let root = view.span(0);
        let resource = view.resources.get(root.record().resource).filter(|(key, _)| key.starts_with("filler"));
        let resource = resource.map(|(key, value)| (format!("resource {key}"), value.to_string()));
        let own = root.attributes().map(|(key, value)| (key.to_string(), value.to_string()));
        for (key, value) in own.chain(resource) {
            values.entry(key).or_default().insert(value);
        }
    });
    let counts: Vec<_> = values.iter().map(|(key, values)| (&**key, values.len())).collect();
    assert_eq!((counts.len(), counts[0], counts[11]), (14, ("filler.01", 5), ("filler.12", 5)));
    assert_eq!(counts[12..], [("resource filler.01", 3), ("resource filler.02", 3)]);
    let all: std::collections::BTreeSet<_> = values.values().flatten().collect();
    assert_eq!(all.len(), 12 * 5 + 2 * 3);
    assert!(values["filler.01"].iter().all(|value| value.len() == 16));
}

#[test]
fn rows_of_a_table_are_chosen_by_their_weights() {
    let loaded = language::load(&["tests/plans/tables.yaml".into()]);
    let (sources, compiled) = compiler::compile_loaded(loaded);
    let found = render::human(&sources, &compiled.diagnostics, false);
    let plan = compiled.plan.unwrap_or_else(|| panic!("{found}"));
    let schedule = Schedule::new(START, Arrivals::Even { count: 1, per_ns: MS }).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(plan), 7, schedule));
    let (mut interpreter, mut trace, mut counts) = (Interpreter::new(&run), Trace::default(), [0; 3]);
    let rows = [("DE", "EUR", "0.19", "true"), ("US", "USD", "0", "false"), ("IE, Dublin", "EUR", "0.23", "true")];
    for index in 0..2_000 {
        interpreter.trace(index, &mut trace);
        let attributes: Vec<_> = run.origin().view(&trace).span(0).attributes().collect();
        let value = |key: &str| text_of(&attributes, key).unwrap();
        let keys = ["geo.country.iso_code", "shop.currency", "shop.vat", "shop.eu"].map(value);
        let row = rows.iter().position(|(a, b, c, d)| keys == [*a, *b, *c, *d]);
        counts[row.unwrap_or_else(|| panic!("{keys:?}"))] += 1;
    }
    // 50 to 35.5 to 10
    assert!(matches!(counts, [950..1_150, 650..840, 150..270]), "{counts:?}");
}
