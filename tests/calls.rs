//! Tests of calls written in the language: the starts and ends of spans, and their numbers.

use proptest::prelude::*;
use std::collections::BTreeMap;
use support::spans::{MS, Span, compile, each_trace};
use tracegen::plan::{BlockId, Form, Group, InForce, Plan, ScenarioId, SpanKind};
use tracegen::{compiler, language};

mod support {
    pub mod spans;
}

/// Returns the spans of the first trace of a root with these calls and without own work: name, start and end in ms.
fn times(calls: &str) -> Vec<(String, u64, u64)> {
    let plan = compile(&format!("name: a\nroot_span:\n  service: s\n  operation: root\n{calls}"));
    let mut all = vec![];
    each_trace(plan, 1, |_, _, spans| {
        all = spans.into_iter().map(|span| (span.name, span.start / MS, span.end / MS)).collect();
    });
    all
}

/// Returns the span's `http.response.status_code`.
fn status(span: &Span) -> Option<i64> {
    span.attribute("http.response.status_code").parse().ok()
}

fn named(spans: &[(String, u64, u64)]) -> Vec<(&str, u64, u64)> {
    spans.iter().map(|(name, start, end)| (&**name, *start, *end)).collect()
}

#[test]
fn calls_side_by_side_start_together_and_end_with_the_last() {
    let calls = "  parallel:
    - {service: s, operation: long, delay_ms: 9}
    - calls:
        - {service: s, operation: one, delay_ms: 2}
        - delay_ms: 3
        - {service: s, operation: two, delay_ms: 1}
    - delay_ms: 7
";
    let expected = [("root", 0, 9), ("long", 0, 9), ("one", 0, 2), ("two", 5, 6)];
    assert_eq!(named(&times(calls)), expected);
}

#[test]
fn a_pool_runs_so_many_at_a_time_in_their_order() {
    let calls = "  parallel:
    max: 2
    calls:
      - {service: s, operation: a, delay_ms: 5}
      - {service: s, operation: b, delay_ms: 2}
      - {repeat: 2, service: s, operation: c<<repeat.index>>, delay_ms: 4}
      - {service: s, operation: d, delay_ms: 1}
";
    let expected = [("root", 0, 9), ("a", 0, 5), ("b", 0, 2), ("c0", 2, 6), ("c1", 5, 9), ("d", 6, 7)];
    assert_eq!(named(&times(calls)), expected);
}

#[test]
fn turns_come_one_after_another_or_side_by_side() {
    let turns = |field: &str| {
        times(&format!(
            "  {field}:
    - repeat: 3
      vars: {{double: <<repeat.index * 2>>}}
      when: double != 2
      service: s
      operation: turn <<double>> of <<repeat.count>>
      delay_ms: 4
"
        ))
    };
    let expected = [("root", 0, 8), ("turn 0 of 3", 0, 4), ("turn 4 of 3", 4, 8)];
    assert_eq!(named(&turns("calls")), expected);
    let expected = [("root", 0, 4), ("turn 0 of 3", 0, 4), ("turn 4 of 3", 0, 4)];
    assert_eq!(named(&turns("parallel")), expected);
    assert_eq!(named(&times("  calls:\n    - {repeat: 0, service: s, operation: never}\n")), [("root", 0, 0)]);
}

#[test]
fn what_nobody_waits_for_outlives_the_trace_that_it_is_of() {
    let calls = "  calls:
    - {async: true, service: s, operation: mail, delay_ms: 50, calls: [{service: s, operation: smtp, delay_ms: 5}]}
    - {service: s, operation: next, delay_ms: 2}
    - {async: true, repeat: 2, service: s, operation: log, delay_ms: 3}
";
    let expected = [("root", 0, 2), ("mail", 0, 55), ("smtp", 50, 55), ("next", 0, 2), ("log", 2, 5), ("log", 2, 5)];
    assert_eq!(named(&times(calls)), expected);
    let plan = compile(&format!("name: a\nroot_span:\n  service: s\n  operation: root\n{calls}"));
    assert_eq!(plan.duration_bound(), 55 * MS);
    each_trace(plan, 1, |_, trace, _| assert_eq!(trace.end - trace.start, 55 * MS));
}

#[test]
fn an_outcome_is_that_of_the_last_call_before() {
    let plan = compile(
        "name: a
root_span:
  service: s
  operation: root
  calls:
    - {service: s, operation: first, error_conditions: [{probability: 30, type: Slow}, {probability: 20, type: Down}]}
    - {when: error, service: s, operation: again, error_conditions: [{probability: 50, type: Slow}]}
    - {when: \"error and error.type == 'Slow'\", service: s, operation: slow}
    - {when: ok, service: s, operation: good}
    - parallel:
        - {service: s, operation: fine}
        - {service: s, operation: bad, error_conditions: [{probability: 100, type: Bad}]}
        - {async: true, service: s, operation: ignored, error_conditions: [{probability: 100, type: Ignored}]}
    - {when: error.type == 'Bad', service: s, operation: seen}
    - calls:
        - {service: s, operation: inner, error_conditions: [{probability: 100, type: Inner}]}
        - delay_ms: 1
    - {when: error.type == 'Inner', service: s, operation: through}
",
    );
    let mut counts: BTreeMap<Vec<String>, u32> = BTreeMap::new();
    each_trace(plan, 10_000, |_, _, spans| {
        let failed = |name: &str| spans.iter().any(|span| span.name == name && span.failed);
        let has = |name: &str| spans.iter().any(|span| span.name == name);
        assert_eq!(has("again"), failed("first"));
        let last_failed = if has("again") { failed("again") } else { failed("first") };
        assert_eq!(has("slow"), last_failed, "both fail as slow, or the first did and there was no second");
        assert_eq!(has("good"), !has("slow") && !last_failed || has("slow"));
        assert!(has("seen") && has("through"));
        let of_note = spans.iter().filter(|span| span.parent.is_some()).map(|span| span.name.clone());
        *counts.entry(of_note.take(2).collect()).or_default() += 1;
    });
    let again = counts.iter().filter(|(names, _)| names[1] == "again").map(|(_, count)| count).sum::<u32>();
    assert!((4_800..=5_200).contains(&again), "half of the first calls fail: {again} of 10,000");
}

#[test]
fn a_probability_is_the_share_of_turns_that_run() {
    let plan = compile(
        "name: a
root_span:
  service: s
  operation: root
  calls: [{repeat: 10, probability: 30, service: s, operation: call}]
",
    );
    let mut calls = 0;
    each_trace(plan, 10_000, |_, _, spans| calls += spans.len() - 1);
    // Five standard deviations of 100,000 draws.
    assert!((30_000_i64 - calls as i64).abs() < 725, "{calls}");
}

/// Returns the names of all spans of a root with these calls, in the order of their starts, and the root's failure.
fn made(calls: &str) -> (Vec<String>, Option<(String, String, usize)>) {
    let plan = compile(&format!("name: a\nroot_span:\n  service: s\n  operation: root\n{calls}"));
    let (mut names, mut error) = (vec![], None);
    each_trace(plan, 1, |_, trace, spans| {
        let root = &spans[0];
        error = root.error.clone();
        assert_eq!(trace.failures.len(), spans.iter().filter(|span| span.failed).count(), "a failure is kept once");
        names = spans.into_iter().map(|span| span.name).collect();
    });
    (names, error)
}

/// Returns a call that always fails after `ms` ms.
fn failing(name: &str, ms: u32, more: &str) -> String {
    let error = format!("[{{probability: 100, type: {name}Error, message: of {name}}}]");
    format!("{{service: s, operation: {name}, delay_ms: {ms}, error_conditions: {error}{more}}}")
}

fn error_of(name: &str) -> Option<(String, String, usize)> {
    Some((format!("{name}Error"), format!("of {name}"), 0))
}

#[test]
fn a_failure_that_is_passed_on_is_the_spans_and_ends_its_list() {
    let a = failing("a", 1, ", propagate: true");
    let (names, error) = made(&format!("  calls: [{a}, {{service: s, operation: b}}]\n"));
    assert_eq!((names, error), (vec!["root".into(), "a".into()], error_of("a")));
    let quiet = failing("a", 1, "");
    let (names, error) = made(&format!("  calls: [{quiet}, {{service: s, operation: b}}]\n"));
    assert_eq!((names.len(), error), (3, None));
}

#[test]
fn a_condition_says_which_failures_are_passed_on() {
    let passed = |kind: &str| {
        let a = failing("a", 1, &format!(", propagate: {{when: error.type == '{kind}', type: Mine}}"));
        made(&format!("  calls: [{a}, {{service: s, operation: b}}]\n"))
    };
    let (names, error) = passed("aError");
    assert_eq!((names.len(), error), (2, Some(("Mine".into(), String::new(), 0))));
    assert_eq!((passed("other").0.len(), passed("other").1), (3, None));
}

#[test]
fn what_handles_a_failure_runs_and_changes_nothing_of_it() {
    let (a, c) = (failing("a", 1, ", propagate: true"), failing("c", 1, ", when: error"));
    let b = |name: &str, when: &str| format!("{{service: s, operation: {name}{when}}}");
    let calls =
        [a, b("skipped", ""), c, b("no", ", when: ok"), b("d", ", when: error.type == 'aError'"), b("last", "")];
    let (names, error) = made(&format!("  calls: [{}]\n", calls.join(", ")));
    assert_eq!((names, error), (["root", "a", "c", "d"].map(String::from).to_vec(), error_of("a")));
}

/// The condition of a call's retry and the error that it passes on refer to the call itself, and its `when` to the call
/// before.
#[test]
fn what_is_made_when_all_was_well_is_tried_again_and_fails_as_other_calls_do() {
    let more = ", when: ok, retry: {attempts: 3, backoff_ms: 1, when: error.type == 'bError'}, \
        propagate: {probability: 100, type: 'made of <<error.type>>'}";
    let calls = format!("  calls: [{{service: s, operation: a}}, {}]\n", failing("b", 1, more));
    let (names, error) = made(&calls);
    assert_eq!(names, ["root", "a", "b", "b", "b"]);
    assert_eq!(error.map(|(r#type, ..)| r#type), Some("made of bError".into()));
}

#[test]
fn side_by_side_all_run_and_the_earliest_failure_counts() {
    let (a, b) = (failing("a", 5, ", propagate: true"), failing("b", 2, ", propagate: true"));
    let calls = format!(
        "  calls: [{{parallel: [{a}, {b}, {{service: s, operation: c, delay_ms: 9}}]}}, {{service: s, operation: d}}]\n"
    );
    let (names, error) = made(&calls);
    assert_eq!((names, error), (["root", "a", "b", "c"].map(String::from).to_vec(), error_of("b")));
}

#[test]
fn a_failure_goes_through_groups_and_ends_turns_that_follow_each_other() {
    let a = failing("a", 1, ", propagate: true");
    let call = "{service: s, operation: b}";
    let (names, error) = made(&format!("  calls: [{{calls: [{{calls: [{a}, {call}]}}, {call}]}}, {call}]\n"));
    assert_eq!((names.len(), error), (2, error_of("a")));
    let turns = failing("a", 1, ", propagate: true, repeat: 5");
    assert_eq!(made(&format!("  calls: [{turns}, {call}]\n")).0.len(), 2);
    assert_eq!(made(&format!("  parallel: [{turns}, {call}]\n")).0.len(), 7);
}

#[test]
fn a_condition_at_the_end_has_the_last_word_and_sets_attributes() {
    let plan = compile(
        "name: a
vars: {banned: <<random.bool(10)>>}
root_span:
  service: s
  operation: root
  attributes: {http.response.status_code: 200}
  error_conditions:
    - {when: banned, type: Banned, attributes: {http.response.status_code: 403}}
    - {at: end, when: error.type == 'Declined', type: PaymentFailed, attributes: {http.response.status_code: 402}}
  calls:
    - {service: s, operation: a, error_conditions: [{probability: 30, type: Declined}, {probability: 30, type: Down}], propagate: true}
",
    );
    each_trace(plan, 1_000, |_, _, spans| {
        let (root, callee) = (&spans[0], spans.get(1).map(|span| span.error.as_ref().map(|(kind, ..)| kind.as_str())));
        let error = root.error.as_ref().map(|(kind, _, exceptions)| (kind.as_str(), *exceptions));
        let expected = match callee {
            None => (Some(("Banned", 1)), Some(403)),
            Some(Some("Declined")) => (Some(("PaymentFailed", 1)), Some(402)),
            Some(Some("Down")) => (Some(("Down", 0)), Some(200)),
            Some(_) => (None, Some(200)),
        };
        assert_eq!((error, status(root)), expected);
    });
}

#[test]
fn a_probability_is_the_share_of_failures_that_are_passed_on() {
    let a = failing("a", 1, ", propagate: {probability: 40, type: Mine, attributes: {http.response.status_code: 502}}");
    let plan = compile(&format!("name: a\nroot_span:\n  service: s\n  operation: root\n  calls: [{a}]\n"));
    let mut failed = 0;
    each_trace(plan, 10_000, |_, _, spans| {
        let root = &spans[0];
        assert_eq!(
            (status(root), root.failed),
            (root.failed.then_some(502), root.error == Some(("Mine".into(), String::new(), 0)))
        );
        failed += u32::from(root.failed);
    });
    // Five standard deviations of 10,000 draws.
    assert!((3_755..=4_245).contains(&failed), "{failed}");
}

#[test]
fn a_call_that_fails_is_made_again_after_a_while() {
    let call = |more: &str| {
        failing("call", 1, &format!(", retry: {{attempts: 3, backoff_ms: 10, factor: 2{more}}}"))
            .replace("operation: call", "operation: call<<retry.attempt>>")
    };
    let all = [("root", 0, 33), ("call0", 0, 1), ("call1", 11, 12), ("call2", 32, 33)];
    assert_eq!(named(&times(&format!("  calls: [{}]\n", call("")))), all);
    assert_eq!(named(&times(&format!("  calls: [{}]\n", call(", when: error.type == 'callError'")))), all);
    assert_eq!(times(&format!("  calls: [{}]\n", call(", when: error.type == 'other'"))).len(), 2);
    let fine = "{service: s, operation: fine, retry: {attempts: 5}}";
    assert_eq!(times(&format!("  calls: [{fine}]\n")).len(), 2);
}

#[test]
fn a_jitter_spreads_the_waits_and_stays_in_bounds() {
    let call = failing("call", 0, ", retry: {attempts: 2, backoff_ms: 10, jitter: 20%}");
    let plan = compile(&format!("name: a\nroot_span:\n  service: s\n  operation: root\n  calls: [{call}]\n"));
    let mut waits = vec![];
    each_trace(plan, 1_000, |_, _, spans| waits.push(spans[2].start - spans[1].end));
    let (min, max) = (*waits.iter().min().unwrap(), *waits.iter().max().unwrap());
    assert!((8 * MS..8_200_000).contains(&min) && (11_800_000..=12 * MS).contains(&max), "{min} {max}");
}

#[test]
fn what_is_waited_for_before_a_call_is_no_part_of_it() {
    let calls = "  calls: [{wait_ms: 5, service: s, operation: a, delay_ms: 1}, {wait_ms: 2, delay_ms: 1}, {async: true, wait_ms: 3, service: s, operation: b}]\n";
    assert_eq!(named(&times(calls)), [("root", 0, 9), ("a", 5, 6), ("b", 12, 12)]);
    let calls = "  parallel: [{wait_ms: 5, service: s, operation: a, delay_ms: 1}, {service: s, operation: b}]\n";
    assert_eq!(named(&times(calls)), [("root", 0, 6), ("a", 5, 6), ("b", 0, 0)]);
}

#[test]
fn a_caller_whose_patience_ends_goes_on_without_the_callee() {
    let calls = "  calls:
    - {timeout_ms: 20, kind: SERVER, service: t, operation: slow, delay_ms: 50}
    - {when: error.type == 'timeout', service: s, operation: fallback, delay_ms: 1}
    - {timeout_ms: 20, service: t, operation: quick, delay_ms: 20}
    - {when: error, service: s, operation: no}
";
    let expected = [("root", 0, 41), ("slow", 0, 50), ("fallback", 20, 21), ("quick", 21, 41)];
    assert_eq!(named(&times(calls)), expected);
}

#[test]
fn a_local_call_ends_with_the_patience_of_its_caller_and_a_remote_one_goes_on() {
    let calls = "  calls:
    - timeout_ms: 20
      service: s
      operation: local
      calls:
        - {service: s, operation: inner, delay_ms: 5, calls: [{kind: SERVER, service: t, operation: remote, delay_ms: 50}]}
        - {service: s, operation: never}
    - parallel:
        - {timeout_ms: 3, service: s, operation: cut, calls: [{delay_ms: 2}, {parallel: [{service: s, operation: side, delay_ms: 9}]}]}
        - {service: s, operation: beside, delay_ms: 1}
";
    let expected = [
        ("root", 0, 23),
        ("local", 0, 20),
        ("inner", 0, 20),
        ("remote", 5, 55),
        ("cut", 20, 23),
        ("side", 22, 23),
        ("beside", 20, 21),
    ];
    assert_eq!(named(&times(calls)), expected);
    let plan = compile(&format!("name: a\nroot_span:\n  service: s\n  operation: root\n{calls}"));
    each_trace(plan, 1, |_, trace, spans| {
        assert_eq!(trace.end - trace.start, 55 * MS);
        let error = |name: &str| spans.iter().find(|span| span.name == name).and_then(|span| span.error.clone());
        for name in ["local", "inner", "cut", "side"] {
            assert_eq!(error(name), Some(("timeout".into(), String::new(), 0)), "{name}");
        }
        assert_eq!((error("remote"), error("root"), error("beside")), (None, None, None));
    });
}

/// Returns a list of calls, nested at most `depth` deep.
fn list(depth: u32) -> BoxedStrategy<String> {
    let word = prop_oneof![
        4 => Just(String::new()),
        1 => (0u32..4).prop_map(|n| format!("repeat: {n}, ")),
        1 => Just("repeat: [0, 3], ".into()),
        1 => Just("when: coin, ".into()),
        1 => Just("probability: 60, ".into()),
        1 => Just("repeat: 2, probability: 50, vars: {coin: <<random.bool>>}, ".into()),
        1 => Just("async: true, ".into()),
        1 => Just("wait_ms: [0, 4], ".into()),
        1 => Just("wait_ms: {exp: 3}, repeat: [0, 2], ".into()),
    ];
    let word = (word, 0..8u32).prop_map(|(word, more)| match more {
        // Fields of calls are not combined with `async`, and occur only on spans.
        0 if !word.contains("async") => format!("{word}CALL timeout_ms: [2, 9], "),
        1 if !word.contains("async") => {
            format!("{word}CALL retry: {{attempts: 3, backoff_ms: {{p50: 1, p99: 5}}, jitter: 10}}, ")
        }
        2 if !word.contains("async") => format!("{word}CALL propagate: 50, "),
        3 => format!(
            "{word}CLIENT client: {{network_ms: [0, 3], error_conditions: [{{probability: 20, type: Refused}}]}}, "
        ),
        _ => word,
    });
    let body = if depth == 0 {
        prop_oneof![
            5 => (0u32..9).prop_map(|ms| format!("service: s, operation: leaf, delay_ms: [0, {ms}]")),
            1 => Just("service: s, operation: fails, error_conditions: [{probability: 50, type: T}]".into()),
            1 => Just("service: s, operation: far, kind: SERVER, delay_ms: {p50: 3, p99: 20, max: 60}".into()),
        ]
        .boxed()
    } else {
        let inner = move || list(depth - 1);
        prop_oneof![
            3 => (0u32..9).prop_map(|ms| format!("service: s, operation: leaf, delay_ms: {ms}")),
            2 => inner().prop_map(|calls| format!("service: s, operation: node, delay_ms: 1, calls: {calls}")),
            2 => inner().prop_map(|calls| format!("service: t, operation: far, kind: SERVER, delay_ms: 1, calls: {calls}")),
            1 => inner().prop_map(|calls| format!("service: s, operation: side, parallel: {calls}")),
            1 => inner().prop_map(|calls| format!("calls: {calls}")),
            1 => inner().prop_map(|calls| format!("parallel: {calls}")),
            1 => (1u32..3, inner()).prop_map(|(max, calls)| format!("parallel: {{max: {max}, calls: {calls}}}")),
        ]
        .boxed()
    };
    let items = proptest::collection::vec((word, body), 1..4);
    let item = |(word, body): (String, String)| {
        let (words, of_call) = word.split_once("CALL ").or(word.split_once("CLIENT ")).unwrap_or((&word, ""));
        let is_fit =
            body.starts_with("service") && (!word.contains("CLIENT") || body[10..].starts_with(", operation: far,"));
        let of_call = if is_fit { of_call } else { "" };
        format!("{{{words}{of_call}{body}}}")
    };
    items.prop_map(move |items| format!("[{}]", items.into_iter().map(item).collect::<Vec<_>>().join(", "))).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everything is nested in everything. No span starts before its parent, a span that is waited for ends before its
    /// parent, and no trace is larger or longer than the plan's bounds.
    #[test]
    fn time_goes_forward_in_whatever_is_nested(calls in list(3)) {
        let text = format!("name: a\nvars: {{coin: <<random.bool>>}}\nroot_span: {{service: s, operation: root, delay_ms: 1, calls: {calls}}}\n");
        let plan = compile(&text);
        let bound = plan.bound(ScenarioId(0));
        let mut is_awaited = awaited(&plan);
        if text.contains("timeout_ms") {
            // A span in another process goes on after its caller has given up.
            let is_remote = |block: BlockId| plan.block(block).span().is_some_and(|span| span.kind == SpanKind::Server);
            plan.block_ids().filter(|block| is_remote(*block)).for_each(|block| is_awaited[block.index()] = false);
        }
        each_trace(plan, 20, |plan, trace, spans| {
            assert!((bound.min_spans..=bound.max_spans).contains(&(spans.len() as u32)), "{} spans\n{text}", spans.len());
            assert!(trace.end - trace.start <= bound.duration, "{} ns\n{text}", trace.end - trace.start);
            for span in &spans {
                assert!(span.start <= span.end && span.end <= plan.end_bound(span.block), "{span:?}\n{text}");
                let Some(parent) = span.parent.map(|parent| &spans[parent]) else { continue };
                assert!(span.start >= parent.start, "{span:?} in {parent:?}\n{text}");
                assert!(!is_awaited[span.block.index()] || span.end <= parent.end, "{span:?} in {parent:?}\n{text}");
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The expectations of anything nested agree with its traces. The tolerance is exceeded by chance once in 10^9 times
    /// (by the empirical Bernstein bound).
    #[test]
    fn what_is_foreseen_happens(calls in list(2)) {
        const TRACES: u64 = 2_000;
        let text = format!("name: a\nvars: {{coin: <<random.bool>>}}\nroot_span: {{service: s, operation: root, delay_ms: 1, calls: {calls}}}\n");
        let plan = compile(&text);
        let Some(expected) = plan.expectation_by_part(ScenarioId(0), &InForce::new(), |_| vec![0]) else {
            assert!(text.contains("timeout_ms"), "nothing is in the way of following\n{text}");
            return Ok(());
        };
        let extent = expected.extents[&0];
        let (mut spans, mut squares, mut failed) = (0.0, 0.0, 0.0);
        each_trace(plan, TRACES, |_, trace, made| {
            let count = made.len() as u32;
            assert!((extent.min..=extent.max).contains(&count), "{count} spans, not {extent:?}\n{text}");
            (spans, squares) = (spans + f64::from(count), squares + f64::from(count) * f64::from(count));
            failed += f64::from(u8::from(!trace.failures.is_empty()));
        });
        let n = TRACES as f64;
        let near = |mean: f64, variance: f64, range: f64, expected: f64| {
            let log = (3.0 / 1e-9_f64).ln();
            (mean - expected).abs() <= (2.0 * variance.max(0.0) * log / n).sqrt() + 3.0 * range * log / n + 1e-9
        };
        let (mean, share) = (spans / n, failed / n);
        let range = f64::from(extent.max - extent.min);
        assert!(near(mean, squares / n - mean * mean, range, expected.spans), "{mean} spans, not {}\n{text}", expected.spans);
        assert!(near(share, share * (1.0 - share), 1.0, expected.failed), "{share} fail, not {}\n{text}", expected.failed);
    }
}

/// Returns for each block whether the span around it waits for it.
fn awaited(plan: &Plan) -> Vec<bool> {
    let mut awaited = vec![true; plan.blocks.len()];
    for block in &plan.blocks {
        for inst in &block.code {
            let (Some(callee), Some(spec)) = (inst.callee(), inst.spec()) else { continue };
            awaited[callee.index()] &= !plan.specs[spec.index()].is_async;
        }
    }
    // Blocks in a group that nobody waits for are not waited for either. A group comes before the blocks that it calls.
    for block in plan.block_ids() {
        let is_group = matches!(plan.block(block).form, Form::Group(Group::Sequence { .. } | Group::Parallel { .. }));
        if is_group && !awaited[block.index()] {
            plan.block(block).calls().for_each(|callee| awaited[callee.index()] = false);
        }
    }
    awaited
}

/// Turns that make no spans are limited, too.
#[test]
fn turns_that_make_no_spans_do_not_take_forever() {
    let turns = |calls: String| format!("[{{repeat: 10000, calls: {calls}}}]");
    let calls = turns(turns(turns("[{delay_ms: 0.000001}]".into())));
    let text = format!("name: a\nroot_span: {{service: s, operation: root, calls: {calls}}}\n");
    let loaded = language::load_texts(vec![("calls.yaml".into(), text)]);
    let (_, compiled) = compiler::compile_loaded(loaded);
    let codes: Vec<_> = compiled.diagnostics.iter().map(|diagnostic| diagnostic.problem.code()).collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "E0609"), "{codes:?}");
}
