//! Tests that rules for traces are judged as they say, over what a run has sent.

use super::*;
use crate::compiler;
use crate::condition::Vocabulary;
use crate::interpreter::{Arrivals, Interpreter, Run, Schedule};
use crate::journal::{Archive, Ending, Selection};
use crate::language::load_texts;
use crate::trace::{StoredSpan, Trace};
use crate::verify::{Fidelity, Report, Verdict, Verifier};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
const TRACES: u64 = 400;

const SHOP: &str = "
services: [web, payment]
scenarios:
  - name: Checkout
    weight: 3
    root_span:
      service: web
      operation: POST /orders
      delay_ms: [10, 900]
      attributes: {http.route: /orders}
      calls:
        - service: payment
          operation: charge
          error_conditions: [{probability: 20, type: declined, message: no}]
  - name: Health
    root_span:
      service: web
      operation: GET /healthz
      attributes: {http.route: /healthz}
      calls: [{service: web, operation: probe}]
";

struct Sent {
    run: Arc<Run>,
    traces: Vec<Trace>,
    known: Vocabulary,
}

impl Sent {
    fn new() -> Sent {
        let (_, compiled) = compiler::compile_loaded(load_texts(vec![("shop.yaml".into(), SHOP.into())]));
        let plan = Arc::new(compiled.plan.unwrap());
        let known = Vocabulary::of([&*plan]);
        let schedule = Schedule::new(SECOND, Arrivals::Even { count: 100, per_ns: SECOND }).unwrap();
        let run = Arc::new(Run::new(plan, 42, schedule));
        let mut interpreter = Interpreter::new(&run);
        let make = |index| {
            let mut trace = Trace::default();
            interpreter.trace(index, &mut trace);
            trace
        };
        Sent { traces: (0..TRACES).map(make).collect(), run, known }
    }

    fn policy(&self, rules: &[&str]) -> Policy {
        let mut reader = PolicyReader::new(&self.known);
        rules.iter().for_each(|rule| reader.rule("--expect", rule));
        reader.finish().unwrap_or_else(|| panic!("{:?}", reader.diagnostics))
    }

    /// Verifies the spans, by trace and ordinal, for which `arrives` says that they arrive.
    fn verified(&self, policy: Policy, arrives: impl Fn(&Trace, usize) -> bool) -> Report {
        let ending = Ending { stopped: None, end: TRACES, schedule: self.run.schedule().clone() };
        let archive = Archive::of(&self.run, Selection::default(), Some(&ending));
        let mut verifier = Verifier::new(archive, Fidelity::Otlp, policy);
        for trace in &self.traces {
            for span in self.run.origin().view(trace).spans().filter(|span| arrives(trace, span.ordinal)) {
                verifier.observe(trace.id, &StoredSpan::of(span), None);
            }
        }
        verifier.finish()
    }
}

fn is_health(trace: &Trace) -> bool {
    trace.scenario.index() == 1
}

fn is_slow(trace: &Trace) -> bool {
    trace.end - trace.start > 500_000_000
}

fn is_kept(trace: &Trace) -> bool {
    !is_health(trace) && (!trace.failures.is_empty() || is_slow(trace))
}

const RULES: [&str; 3] =
    ["drop: root.http.route == '/healthz'", "keep: failed or duration_ms > 500", "sample: 50% +-15"];

#[test]
fn a_pipeline_that_does_what_the_policy_says_is_clean() {
    let sent = Sent::new();
    let arrives = |trace: &Trace| !is_health(trace) && (is_kept(trace) || trace.index.is_multiple_of(2));
    let report = sent.verified(sent.policy(&RULES), |trace, _| arrives(trace));
    assert_eq!(report.verdict, Verdict::Clean, "{report:#?}");
    let count = |of: &dyn Fn(&Trace) -> bool| sent.traces.iter().filter(|trace| of(trace)).count() as u64;
    let rest = |trace: &Trace| !is_health(trace) && !is_kept(trace);
    let counts = Vec::from_iter(report.rules.iter().map(|rule| (rule.traces, rule.whole, rule.partly)));
    let sampled = count(&|trace| rest(trace) && arrives(trace));
    let expected = [(count(&is_health), 0, 0), (count(&is_kept), count(&is_kept), 0), (count(&rest), sampled, 0)];
    assert_eq!(counts, expected);
    assert!(counts.iter().all(|(traces, ..)| *traces > 30) && report.rules.iter().all(|rule| rule.holds));
    assert_eq!((report.leaked, report.lost), (0, 0));
    assert_eq!(report.expected, report.delivered + report.sampled_out);
    let of_traces = report.traces;
    assert_eq!(of_traces.expected, of_traces.whole + of_traces.sampled_out);
}

#[test]
fn every_deviation_from_a_rule_is_a_fault() {
    let sent = Sent::new();
    let right = |trace: &Trace| !is_health(trace) && (is_kept(trace) || trace.index.is_multiple_of(2));
    let first = |of: fn(&Trace) -> bool| sent.traces.iter().find(|trace| of(trace)).unwrap().index;
    let (health, kept) = (first(is_health), first(|trace| is_slow(trace) && !is_health(trace)));
    let sampled = first(|trace| !is_health(trace) && !is_kept(trace) && trace.index.is_multiple_of(2));
    type Arrives<'a> = &'a dyn Fn(&Trace, usize) -> bool;
    let cases: [(&str, Arrives, &[Fault], [bool; 3]); 6] = [
        ("a dropped trace", &|trace, _| right(trace) || trace.index == health, &[Fault::Leaked], [false, true, true]),
        (
            "a part of a dropped trace",
            &|trace, ordinal| right(trace) || trace.index == health && ordinal == 1,
            &[Fault::Leaked],
            [false, true, true],
        ),
        ("a kept trace is gone", &|trace, _| right(trace) && trace.index != kept, &[Fault::Lost], [true, false, true]),
        (
            "a part of a kept trace is gone",
            &|trace, ordinal| right(trace) && !(trace.index == kept && ordinal == 0),
            &[Fault::Lost, Fault::Orphaned],
            [true, false, true],
        ),
        (
            "a part of a sampled trace is gone",
            &|trace, ordinal| right(trace) && !(trace.index == sampled && ordinal == 1),
            &[Fault::Lost],
            [true, true, false],
        ),
        ("too few are sampled", &|trace, _| right(trace) && is_kept(trace), &[Fault::Sample], [true, true, false]),
    ];
    for (subject, arrives, faults, holds) in cases {
        let report = sent.verified(sent.policy(&RULES), arrives);
        assert_eq!(report.verdict.faults(), faults, "{subject}: {report:#?}");
        assert_eq!(Vec::from_iter(report.rules.iter().map(|rule| rule.holds)), holds, "{subject}");
    }
}

#[test]
fn a_mistyped_threshold_is_found() {
    let sent = Sent::new();
    let arrives = |trace: &Trace, _| is_slow(trace);
    let right = sent.verified(sent.policy(&["keep: duration_ms > 500", "drop: true"]), arrives);
    assert_eq!(right.verdict, Verdict::Clean);
    let higher = sent.verified(sent.policy(&["keep: duration_ms > 800", "drop: true"]), arrives);
    assert_eq!(higher.verdict.faults(), [Fault::Leaked]);
    let lower = sent.verified(sent.policy(&["keep: duration_ms > 200", "drop: true"]), arrives);
    assert_eq!(lower.verdict.faults(), [Fault::Lost]);
}

#[test]
fn traces_without_a_rule_must_arrive_whole() {
    let sent = Sent::new();
    let policy = || sent.policy(&["drop: scenario == 'Health'"]);
    let clean = sent.verified(policy(), |trace, _| !is_health(trace));
    assert_eq!(clean.verdict, Verdict::Clean);
    assert_eq!((clean.rules[1].rule.as_str(), clean.rules[1].holds), ("keep all others", true));
    let short = sent.verified(policy(), |trace, _| !is_health(trace) && trace.index != 7);
    let lost = sent.traces.iter().any(|trace| trace.index == 7 && !is_health(trace));
    assert_eq!(!short.verdict.faults().is_empty(), lost, "{short:#?}");
}

#[test]
fn what_the_short_forms_mean_is_said_by_rules() {
    let sent = Sent::new();
    let mut reader = PolicyReader::new(&sent.known);
    reader.sample_rest(Sample { share: 0.1, tolerance: None });
    reader.keep_errors("--expect", "keep-errors");
    reader.rule("--expect", "drop: scenario == 'Health'");
    let policy = reader.finish().unwrap();
    let rules = Vec::from_iter(policy.rules.iter().map(ToString::to_string));
    assert_eq!(rules, ["keep failed", "drop scenario == 'Health'", "sample 10%"]);
    let json = serde_json::to_value(&policy).unwrap();
    assert_eq!((&json["keep_errors"], &json["sample"]["share"]), (&true.into(), &0.1.into()));
    let mut reader = PolicyReader::new(&sent.known);
    reader.keep_errors("--expect", "keep-errors");
    let rules = Vec::from_iter(reader.finish().unwrap().rules.iter().map(ToString::to_string));
    assert_eq!(rules, ["keep failed", "sample any"]);
    let mut reader = PolicyReader::new(&sent.known);
    reader.keep_errors("--expect", "keep-errors");
    reader.rule("--expect", "sample: 10%");
    let rules = Vec::from_iter(reader.finish().unwrap().rules.iter().map(ToString::to_string));
    assert_eq!(rules, ["keep failed", "sample 10%"]);
}

#[test]
fn a_policy_that_drops_everything_is_clean_when_nothing_arrives() {
    let sent = Sent::new();
    let report = sent.verified(sent.policy(&["drop: true"]), |_, _| false);
    assert_eq!(report.verdict, Verdict::Clean, "{report:#?}");
    let report = sent.verified(sent.policy(&["drop: scenario == 'Health'"]), |_, _| false);
    assert!(matches!(report.verdict, Verdict::Unchecked { .. }));
}

#[test]
fn losses_tell_whether_the_traces_had_failed() {
    let sent = Sent::new();
    let report = sent.verified(Policy::default(), |trace, _| trace.failures.is_empty());
    let failed = sent.traces.iter().filter(|trace| !trace.failures.is_empty()).count() as u64;
    let losses = report.losses.unwrap();
    assert_eq!((losses.traces, losses.failed_traces), (failed, failed));
}
