use super::*;
use crate::compiler;
use crate::interpreter::{Arrivals, Interpreter, Run, Schedule};
use crate::language::load_texts;
use crate::language::source::{FileId, Sources};
use crate::plan::SpanKind;
use crate::trace::{OwnedDatum, Scope, Status, StoredSpan, Trace, View};
use compile::Subject;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

/// Two scenarios whose traces differ in everything that conditions read.
const SHOP: &str = "
services: {web: {version: 1.4.0, attributes: {region: eu}}, payment: {}}
scenarios:
  - name: Checkout
    weight: 3
    root_span:
      service: web
      operation: POST /orders
      kind: SERVER
      delay_ms: [10, 900]
      attributes:
        http.route: /orders
        user.tier: <<random.choice(['free', 'vip'])>>
        retries: <<random.int(0, 3)>>
      calls:
        - service: payment
          operation: charge
          kind: CLIENT
          attributes:
            amount: <<random.float(1, 900)>>
            is_big: <<amount > 450>>
            http.request.header.x-id: a
          error_conditions: [{probability: 20, type: declined, message: no}]
          events: [{name: authorized, attributes: {bank: acme}}]
  - name: Health
    root_span: {service: web, operation: GET /healthz, status: ok, attributes: {http.route: /healthz}}
";

fn run() -> Arc<Run> {
    let (_, compiled) = compiler::compile_loaded(load_texts(vec![("shop.yaml".into(), SHOP.into())]));
    let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let schedule = Schedule::new(1_000_000_000, Arrivals::Even { count: 100, per_ns: 1_000_000_000 }).unwrap();
    Arc::new(Run::new(Arc::new(plan), 42, schedule))
}

fn vocabulary(run: &Run) -> Vocabulary {
    Vocabulary::of([&**run.plan()])
}

fn read<V: Subject>(text: &str, known: &Vocabulary) -> (Option<Condition<V>>, Vec<Diagnostic>) {
    let mut diagnostics = vec![];
    let loc = Loc { file: FileId(0), start: 0, end: text.len() as u32 };
    let condition = Condition::parse(text, loc, known, &mut diagnostics);
    (condition, diagnostics)
}

#[track_caller]
fn right<V: Subject>(text: &str, known: &Vocabulary) -> Condition<V> {
    let (condition, diagnostics) = read(text, known);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    condition.expect(text)
}

fn traces(run: &Arc<Run>) -> Vec<Trace> {
    let mut interpreter = Interpreter::new(run);
    let make = |index| {
        let mut trace = Trace::default();
        interpreter.trace(index, &mut trace);
        trace
    };
    (0..300).map(make).collect()
}

fn span() -> StoredSpan {
    let text = |text: &str| OwnedDatum::Text(text.into());
    let attributes = vec![
        ("tier", text("vip")),
        ("count", OwnedDatum::Int(7)),
        ("share", OwnedDatum::Double(0.5)),
        ("big", OwnedDatum::Bool(true)),
        ("code", text("404")),
        ("tags", OwnedDatum::List(vec![text("a")])),
        ("status", text("done")),
        ("x-id", text("1")),
    ];
    StoredSpan {
        id: 1,
        parent: None,
        name: "GET /orders/17".into(),
        kind: SpanKind::Server,
        service: "web".into(),
        scope: Scope { name: "lib".into(), version: "2".into() },
        trace_state: String::new(),
        flags: None,
        start: 5,
        duration: 1_500_000,
        status: Status::Unset,
        resource: vec![("region".into(), text("eu"))],
        attributes: attributes.into_iter().map(|(key, value)| (key.into(), value)).collect(),
        events: vec![],
        links: vec![],
    }
}

#[test]
fn values_operators_functions_and_filters_mean_what_they_say() {
    let (known, span) = (Vocabulary::default(), span());
    for holds in [
        "name == 'GET /orders/17' and kind == 'SERVER' and service == 'web' and status == 'unset' and is_root",
        "duration_ms == 1.5 and duration_ms > 1 and 1 <= duration_ms",
        "scope.name == 'lib' and scope.version == '2'",
        "tier == 'vip' and attributes.tier == 'vip' and attribute('tier') == 'vip'",
        "resource.region == 'eu' and resource('region') == 'eu'",
        "attributes.status == 'done' and attribute('x-id') == '1'",
        "not failed",
        "count == 7 and count == 7.0 and count != 8 and count >= 7 and count < 7.5",
        "count + 1 == 8 and count - 1 == 6 and count * 2 == 14 and count / 2 == 3.5 and count % 4 == 3 and -count == -7",
        "big and not (big and failed) and (failed or big)",
        "tier in ['free', 'vip'] and count in [1, 7] and not (tier in ['free'])",
        "'a' < tier and tier < 'w'",
        "tier + '!' == 'vip!'",
        "(1 if big else 2) == 1 and (1 if failed else 2) == 2",
        "matches(name, '^GET /orders/\\\\d+$') and not matches(name, '^POST') and matches(tier, '(?i)^VIP$')",
        "contains(name, 'orders') and starts_with(name, 'GET') and ends_with(name, '17') and not contains(name, 'x')",
        "has(tier) and not has(nothing)",
        "(nothing | default('x')) == 'x' and (tier | default('x')) == 'vip'",
        "(code | int) == 404 and (code | double) > 403.5 and (count | text) == '7' and (tier | upper) == 'VIP'",
        "((code | int) | text) == '404' and (tier | lower) == 'vip' and ('true' | bool)",
    ] {
        assert!(right::<SpanValue>(holds, &known).holds(&span), "{holds}");
        assert!(!right::<SpanValue>(&format!("not ({holds})"), &known).holds(&span), "not {holds}");
    }
}

#[test]
fn a_comparison_with_nothing_or_another_type_is_false_except_for_unequal() {
    let (known, span) = (Vocabulary::default(), span());
    for (one, other) in [
        ("nothing", "'x'"),
        ("nothing", "5"),
        ("nothing", "also_nothing"),
        ("tier", "5"),
        ("count", "'7'"),
        ("tags", "'a'"),
        ("big", "1"),
    ] {
        for operator in ["==", "<", "<=", ">", ">="] {
            let text = format!("{one} {operator} {other}");
            assert!(!right::<SpanValue>(&text, &known).holds(&span), "{text}");
        }
        assert!(right::<SpanValue>(&format!("{one} != {other}"), &known).holds(&span), "{one} != {other}");
    }
    for never in [
        "nothing",
        "nothing in ['x']",
        "nothing + 1 == 1",
        "contains(nothing, '')",
        "matches(count, '.*')",
        "count / 0 == 0",
        "(tier | int) == 5",
    ] {
        assert!(!right::<SpanValue>(never, &known).holds(&span), "{never}");
        assert!(right::<SpanValue>(&format!("not ({never})"), &known).holds(&span), "not {never}");
    }
}

/// Asserts that a condition holds for those traces for which the same is found out in another way.
#[track_caller]
fn assert_agrees(text: &str, run: &Arc<Run>, otherwise: impl Fn(View<'_>, &[StoredSpan]) -> bool) {
    let condition: Condition<TraceValue> = right(text, &vocabulary(run));
    let mut holding = 0;
    for trace in &traces(run) {
        let view = run.origin().view(trace);
        let spans: Vec<StoredSpan> = view.spans().map(StoredSpan::of).collect();
        let holds = condition.holds(&SentTrace::new(view, |_| true));
        assert_eq!(holds, otherwise(view, &spans), "{text}: {spans:?}");
        holding += holds as usize;
    }
    assert!((1..300).contains(&holding), "{text} holds for {holding}");
}

fn attribute<'s>(span: &'s StoredSpan, key: &str) -> Option<&'s OwnedDatum> {
    span.attributes.iter().find(|(other, _)| other == key).map(|(_, value)| value)
}

#[test]
fn conditions_on_traces_read_what_was_sent() {
    let run = run();
    let text = |text: &str| Some(OwnedDatum::Text(text.into()));
    assert_agrees("failed", &run, |_, spans| spans.iter().any(StoredSpan::failed));
    assert_agrees("duration_ms > 500", &run, |view, _| view.trace.end - view.trace.start > 500_000_000);
    assert_agrees("spans > 1", &run, |_, spans| spans.len() > 1);
    assert_agrees("scenario == 'Health'", &run, |view, _| view.scenario() == "Health");
    assert_agrees("root.http.route == '/healthz'", &run, |_, spans| {
        attribute(&spans[0], "http.route") == text("/healthz").as_ref()
    });
    assert_agrees("root('http.route') == '/orders' and root.name == 'POST /orders'", &run, |_, spans| {
        spans[0].name == "POST /orders"
    });
    assert_agrees("root.status == 'ok' and service == 'web' and root.resource.region == 'eu'", &run, |_, spans| {
        spans[0].status == Status::Ok
    });
    assert_agrees("any(is_big)", &run, |_, spans| {
        spans.iter().any(|span| attribute(span, "is_big") == Some(&OwnedDatum::Bool(true)))
    });
    assert_agrees("any(service == 'payment' and amount > 450)", &run, |_, spans| {
        let is_big = |span: &StoredSpan| matches!(attribute(span, "amount"), Some(OwnedDatum::Double(v)) if *v > 450.0);
        spans.iter().any(|span| span.service == "payment" && is_big(span))
    });
    assert_agrees("all(status != 'error')", &run, |_, spans| !spans.iter().any(StoredSpan::failed));
    assert_agrees("count(has(retries)) == 0", &run, |_, spans| {
        !spans.iter().any(|span| attribute(span, "retries").is_some())
    });
}

#[test]
fn spans_that_were_not_sent_are_not_seen() {
    let run = run();
    let known = vocabulary(&run);
    let traces = traces(&run);
    let trace = traces.iter().find(|trace| trace.spans.len() == 2).unwrap();
    let view = run.origin().view(trace);
    let holds =
        |text: &str, sent: fn(usize) -> bool| right::<TraceValue>(text, &known).holds(&SentTrace::new(view, sent));
    assert!(holds("spans == 2 and has(root.name) and any(service == 'payment')", |_| true));
    assert!(holds("spans == 1 and has(root.name) and not any(service == 'payment')", |ordinal| ordinal == 0));
    assert!(holds("spans == 1 and not has(root.name) and service != 'web'", |ordinal| ordinal == 1));
    assert!(holds("spans == 0 and duration_ms == 0 and all(failed) and not failed", |_| false));
}

#[test]
fn a_span_reads_the_same_in_both_forms() {
    let run = run();
    let known = vocabulary(&run);
    for text in [
        "name == 'charge'",
        "kind == 'CLIENT'",
        "service == 'web'",
        "status == 'ok'",
        "failed",
        "duration_ms > 300",
        "is_root",
        "scope.name == 'tracegen' and is_root",
        "http.route == '/orders'",
        "amount > 450",
        "is_big",
        "attribute('http.request.header.x-id') == 'a'",
        "resource.region == 'eu'",
        "error.type == 'declined'",
    ] {
        let condition: Condition<SpanValue> = right(text, &known);
        let (mut yes, mut no) = (0, 0);
        for trace in &traces(&run) {
            for span in run.origin().view(trace).spans() {
                let holds = condition.holds(&span);
                assert_eq!(holds, condition.holds(&StoredSpan::of(span)), "{text}");
                *(if holds { &mut yes } else { &mut no }) += 1;
            }
        }
        assert!(yes > 0 && no > 0, "{text}: {yes} {no}");
    }
}

#[test]
fn conditions_on_events_read_their_names_and_attributes() {
    let run = run();
    let known = vocabulary(&run);
    let spans = Vec::from_iter(
        traces(&run).iter().flat_map(|trace| Vec::from_iter(run.origin().view(trace).spans().map(StoredSpan::of))),
    );
    let events = Vec::from_iter(spans.iter().flat_map(|span| &span.events));
    for text in
        ["name == 'authorized'", "bank == 'acme'", "attribute('exception.type') == 'declined'", "has(attributes.bank)"]
    {
        let condition: Condition<EventValue> = right(text, &known);
        let holding = events.iter().filter(|event| condition.holds(event)).count();
        assert!((1..events.len()).contains(&holding), "{text}");
    }
}

/// Returns the code, the message and the help of the only mistake, and the text at its place.
fn mistake<V: Subject>(text: &str, known: &Vocabulary) -> (String, String) {
    let (condition, diagnostics) = read::<V>(text, known);
    let [found] = &diagnostics[..] else { panic!("{text}: {diagnostics:?}") };
    let problem = &found.problem;
    assert_eq!(condition.is_none(), problem.code().starts_with('E'), "{text}");
    let mut sources = Sources::default();
    sources.add("--expect".into(), text.into());
    let said = format!("{} {}: {}", problem.code(), sources.text(found.at), problem.message());
    (said, problem.help().unwrap_or_default())
}

#[test]
fn mistakes_are_told_with_their_place_and_what_was_meant() {
    let run = run();
    let known = vocabulary(&run);
    for (text, said, help) in [
        ("duratoin_ms > 5", "E0901 duratoin_ms: a trace has no value `duratoin_ms`", "did you mean `duration_ms`?"),
        ("http.route == '/a'", "E0901 http.route: a trace", "write `root.http.route`"),
        ("root.http.rout == '/a'", "E0901 root.http.rout:", "did you mean `root.http.route`?"),
        ("any(user.teir == 'vip')", "E0901 user.teir: a span", "did you mean `user.tier`?"),
        ("any(region == 'eu')", "E0901 region: a span", "`resource.region`"),
        ("any(spans > 5)", "E0901 spans: a span", "outside of `any`"),
        ("any(attribute('amuont') > 5)", "E0901", "did you mean `amount`?"),
        ("root('htp.route') == 'a'", "E0901", "did you mean `root.http.route`?"),
        ("scenario > 5", "E0510 scenario > 5: text is compared with an int", "`(x | text)`"),
        ("failed > false", "E0511 failed > false: `>` takes a number or text", ""),
        ("duration_ms", "E0903 duration_ms: a condition is true or false, and this is a double", "duration_ms > 800"),
        ("spans and failed", "E0511 spans: `and` takes true or false", ""),
        ("-scenario == 'a'", "E0511 scenario: `-` takes a number", ""),
        ("duration_ms > 5 +", "E0303", ""),
        ("duration_ms >> 5", "E0303", ""),
        ("duration_ms = 5", "E0303 =", "write `==`"),
        ("matches(scenario, '(a')", "E0902 '(a': the regular expression can't be used: unclosed group", ""),
        ("matches(scenario, '(a{1000}){1000}')", "E0902", ""),
        ("matches(scenario, scenario)", "E0502 scenario:", "`matches(x, 'regex')`"),
        ("matches(spans, 'a')", "E0502 spans:", "matches"),
        ("match(scenario, 'a')", "E0301 match(scenario, 'a'): there is no function `match`", "did you mean `matches`?"),
        ("any()", "E0501 any():", "any(name == 'GET')"),
        ("any(any(failed))", "E0301", ""),
        ("scenario | uper == 'A'", "E0303", ""),
        ("(scenario | uper) == 'A'", "E0408 uper", "did you mean `upper`?"),
        ("scenario in 'a'", "E0506 'a'", "write `x in ['a', 'b']`"),
        ("scenario == ['a']", "E0511 ['a']", ""),
        ("scenario == 'Chekout'", "W0901 'Chekout': nothing has the scenario `Chekout`", "did you mean `Checkout`?"),
        ("service in ['web', 'cart']", "W0901 'cart': nothing has the service `cart`", "there are `payment`, `web`"),
        ("any('SERVR' == kind)", "W0901 'SERVR': nothing has the kind", "did you mean `SERVER`?"),
        ("root.status != 'failed'", "W0901 'failed': nothing has the status", "`unset`, `ok`, `error`"),
    ] {
        let (found, helped) = mistake::<TraceValue>(text, &known);
        assert!(found.starts_with(said), "{text}\n{found}\n{said}");
        assert!(helped.contains(help), "{text}\n{helped}\n{help}");
    }
}

#[test]
fn without_a_plan_any_attribute_may_occur() {
    let known = Vocabulary::default();
    right::<TraceValue>("root.http.anything == 'x' and any(whatever > 5) and scenario == 'any'", &known);
    let (found, _) = mistake::<TraceValue>("anything == 5", &known);
    assert!(found.starts_with("E0901"), "{found}");
}

#[test]
fn hostile_expressions_are_refused_in_bounded_time() {
    let known = Vocabulary::default();
    for text in
        ["(".repeat(100_000), "not ".repeat(40_000), format!("any({}", "a".repeat(70_000)), "a == b or ".repeat(6_000)]
    {
        let (condition, diagnostics) = read::<TraceValue>(&text, &known);
        assert!(condition.is_none() && diagnostics.len() == 1, "{} mistakes", diagnostics.len());
    }
    // The engine takes linear time for what makes others take for ever.
    let condition: Condition<SpanValue> = right("matches(name, '^(a+)+$')", &known);
    let begun = std::time::Instant::now();
    assert!(!condition.holds(&StoredSpan { name: "a".repeat(1 << 20) + "b", ..span() }));
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn what_can_never_hold_or_always_does_is_known_before_a_trace_is_made() {
    let run = run();
    let known = vocabulary(&run);
    let outlook = |text: &str| right::<TraceValue>(text, &known).outlook(&known);
    for never in [
        "false",
        "1 > 2",
        "spans < 0",
        "spans > 2",
        "duration_ms > 800000",
        "duration_ms < 0 or spans >= 3",
        "spans > 1 and spans < 1",
        "duration_ms >= 5 and duration_ms < 5",
        "failed and 3 < spans",
        "not (duration_ms >= 0)",
        "scenario == 'Checkout' and scenario == 'Health'",
        "root.http.route == '/a' and spans == 1 and root.http.route == '/b'",
        "root.retries > 2 and root.retries < 2",
        "count(failed) > 2",
    ] {
        assert_eq!(outlook(never), Outlook::Never, "{never}");
        assert_eq!(outlook(&format!("not ({never})")), Outlook::Always, "not {never}");
    }
    for open in [
        "failed",
        "spans == 2",
        "duration_ms > 100 and duration_ms < 200",
        "root.retries > 1 or root.retries < 1",
        "scenario == 'Checkout' or scenario == 'Health'",
        "any(amount > 5) and any(amount < 5)",
        "root.retries >= 2 and root.retries <= 2",
        "root.retries >= 0",
    ] {
        assert_eq!(outlook(open), Outlook::Open, "{open}");
    }
    // What is never so is so for none of the traces.
    for trace in &traces(&run) {
        let sent = SentTrace::new(run.origin().view(trace), |_| true);
        assert!(!right::<TraceValue>("spans > 2 or duration_ms > 800000", &known).holds(&sent));
    }
    let unknown = Vocabulary::default();
    assert_eq!(right::<TraceValue>("duration_ms > 800000", &unknown).outlook(&unknown), Outlook::Open);
}

/// Makes conditions on traces that compile.
fn conditions() -> impl Strategy<Value = String> {
    const NUMBERS: [&str; 5] = ["duration_ms", "spans", "root.retries", "count(failed)", "root.duration_ms"];
    const TEXTS: [&str; 4] = ["scenario", "root.http.route", "service", "root.kind"];
    let compared = (
        select(&NUMBERS[..]),
        select(&["==", "!=", "<", "<=", ">", ">="][..]),
        select(&[0, 1, 2, 5, 300, 800_000][..]),
    )
        .prop_map(|(value, operator, number)| format!("{value} {operator} {number}"));
    let equal = (
        select(&TEXTS[..]),
        select(&["==", "!="][..]),
        select(&["Checkout", "Health", "/orders", "web", "SERVER"][..]),
    )
        .prop_map(|(value, operator, text)| format!("{value} {operator} '{text}'"));
    let flag = select(&["failed", "true", "false", "any(amount > 450)", "has(root.name)"][..]).prop_map(String::from);
    prop_oneof![compared, equal, flag].prop_recursive(4, 24, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("({a}) and ({b})")),
            two.clone().prop_map(|(a, b)| format!("({a}) or ({b})")),
            two.prop_map(|(a, b)| format!("(1 if {a} else 2) == (2 if {b} else 1)")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_known_before_is_true_of_every_trace(text in conditions()) {
        let run = run();
        let known = vocabulary(&run);
        let (condition, diagnostics) = read::<TraceValue>(&text, &known);
        let warned = diagnostics.iter().all(|diagnostic| diagnostic.problem.code() == "W0901");
        prop_assert!(warned, "{text}: {diagnostics:?}");
        let condition = condition.unwrap();
        let outlook = condition.outlook(&known);
        for trace in traces(&run).iter().take(40) {
            let holds = condition.holds(&SentTrace::new(run.origin().view(trace), |_| true));
            prop_assert!(outlook == Outlook::Open || holds == (outlook == Outlook::Always), "{text}: {outlook:?}");
            if let Some(foretold) = condition.of_scenario(run.origin().view(trace).scenario()) {
                prop_assert_eq!(foretold, holds, "{}", text);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(words in prop::collection::vec(select(&[
        "failed", "spans", "root", ".", "name", "==", "(", ")", "'a'", "5", "-", "not", "and", "any", "count", "|", "int", "[", "]", ",",
        "in", "if", "else", "matches", "has", "default", "\u{e9}", "''", "%",
    ][..]), 0..16)) {
        for text in [words.join(" "), words.concat()] {
            let (condition, diagnostics) = read::<TraceValue>(&text, &Vocabulary::default());
            prop_assert!(condition.is_some() || !diagnostics.is_empty(), "{text}");
            let placed = diagnostics.iter().all(|found| text.get(found.at.range()).is_some());
            prop_assert!(placed, "{text}: {diagnostics:?}");
        }
    }
}
