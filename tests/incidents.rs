//! Incidents: the spans that they change, when and how; how several of them go together; and that runs with incidents are
//! repeated, resumed and verified like all others.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod peer;
    pub mod ports;
    pub mod process;
    pub mod requests;
}

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use support::binary::{spans, tracegen};
use support::collector::read_delimited;
use tracegen::explain::{Figure, Part, Question, Subject, explain, timeline};
use tracegen::interpreter::{Arrivals, Epoch, Interpreter, Run, Schedule};
use tracegen::journal::{Archive, Selection};
use tracegen::language::diagnostic::render;
use tracegen::plan::{InForce, IncidentId, Plan};
use tracegen::trace::{Datum, NONE, StoredTrace, Trace};
use tracegen::{compiler, language};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// 2026-01-01T00:00:00Z in ns.
const START: u64 = 1_767_225_600 * SECOND;

fn compile(text: &str) -> Plan {
    let loaded = language::load_texts(vec![("incidents.yaml".into(), text.into())]);
    let (sources, compiled) = compiler::compile_loaded(loaded);
    let found = render::human(&sources, &compiled.diagnostics, false);
    compiled.plan.unwrap_or_else(|| panic!("{found}\n{text}"))
}

/// A span with its times in ns from the start of the run.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    service: String,
    name: String,
    parent: Option<usize>,
    start: u64,
    end: u64,
    error: Option<String>,
    attributes: BTreeMap<String, String>,
    version: Option<String>,
}

impl Seen {
    fn duration(&self) -> u64 {
        self.end - self.start
    }
}

/// Makes the first `count` traces of a file's text, `gap` ns apart.
fn traces(text: &str, count: u64, gap: u64) -> Vec<Vec<Seen>> {
    let schedule = Schedule::new(START, Arrivals::Even { count: 1, per_ns: gap }).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(compile(text)), 7, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let made = (0..count).map(|index| {
        interpreter.trace(index, &mut trace);
        let longest = run.plan().bound(trace.scenario).duration;
        assert!(trace.end - trace.start <= longest, "longer than {longest} ns");
        let view = run.origin().view(&trace);
        let spans = view.spans().map(|span| {
            let record = span.record();
            let text = |value: Datum<'_>| match value {
                Datum::Text(value) => value.to_owned(),
                Datum::Bool(value) => value.to_string(),
                Datum::Int(value) => value.to_string(),
                other => format!("{other:?}"),
            };
            Seen {
                service: run.plan().service_of(record.block).into(),
                name: span.name().into(),
                parent: (record.parent != NONE).then_some(record.parent as usize),
                start: record.start - START,
                end: record.end - START,
                error: span.failure().map(|(kind, _)| kind.into()),
                attributes: span.attributes().map(|(key, value)| (key.into(), text(value))).collect(),
                version: {
                    let mut resource = run.resources().get(record.resource);
                    let version = resource.find(|(key, _)| *key == "service.version");
                    version.map(|(_, value)| text(value))
                },
            }
        });
        spans.collect()
    });
    made.collect()
}

fn named<'a>(trace: &'a [Seen], name: &str) -> Option<&'a Seen> {
    trace.iter().find(|span| span.name == name)
}

/// The text of a file with these incidents, and a scenario of which a child starts 10 ms after its root.
fn file(incidents: &str) -> String {
    format!(
        "
incidents:
{incidents}
scenarios:
  - name: a
    root_span:
      service: shop
      operation: root
      delay_ms: 10
      attributes: {{open: <<incident.x>>}}
      calls:
        - service: stock
          operation: child
          delay_ms: [20, 40]
          attributes: {{open: <<incident.x>>, opened_above: <<parent.attributes.open>>}}
          error_conditions: [{{probability: 10, type: own}}]
"
    )
}

/// Every span is under the incidents that are in force when it starts itself, to the ns.
#[test]
fn an_incident_is_in_force_for_the_spans_that_start_in_its_window() {
    // Traces start every ms, so a window of 7 ns holds spans only if it is met exactly.
    for (at, length, every) in [(100 * MS, 50 * MS, None), (100 * MS, 7, Some(20 * MS)), (99 * MS + 999_999, 1, None)] {
        let every_text = every.map_or_else(String::new, |every| format!(", every: {every}ns"));
        let text = file(&format!("  - {{name: x, at: +{at}ns, for: {length}ns{every_text}}}"));
        let mut open = [0; 2];
        for span in traces(&text, 400, MS).iter().flatten() {
            let since = span.start.checked_sub(at).map(|since| every.map_or(since, |every| since % every));
            let expected = since.is_some_and(|since| since < length);
            assert_eq!(span.attributes["open"], expected.to_string(), "{span:?}");
            open[usize::from(expected)] += 1;
        }
        assert!(open[0] > 0 && (open[1] > 0 || length == 1), "{open:?}");
    }
}

/// A child that starts in the window is slower and fails, even if its parent started before.
#[test]
fn a_span_is_changed_by_its_own_start_and_others_stay_as_they_were() {
    let plain = traces(&file("  - {name: x, at: +100ms, for: 50ms}"), 400, MS);
    let effects = "select: {service: stock}, latency: x6, error_conditions: [{probability: 50, type: provider}]";
    let changed = traces(&file(&format!("  - {{name: x, at: +100ms, for: 50ms, {effects}}}")), 400, MS);
    let (mut failed, mut touched) = (0, 0);
    for (plain, changed) in plain.iter().zip(&changed) {
        let (before, after) = (&plain[1], &changed[1]);
        assert_eq!((before.start, plain[0].start), (after.start, changed[0].start));
        if !(100 * MS..150 * MS).contains(&after.start) {
            assert_eq!(plain, changed);
            continue;
        }
        touched += 1;
        assert_eq!(after.duration(), before.duration() * 6);
        assert_eq!(changed[0].end, after.end);
        failed += usize::from(after.error.as_deref() == Some("provider"));
    }
    assert_eq!(touched, 50);
    assert!((10..=40).contains(&failed), "{failed}");
}

/// Factors multiply, times to add add up, the last time of its own counts, and conditions stand in front in file order.
#[test]
fn several_incidents_go_together() {
    let text = file(
        "
  - {name: x, at: +0s, for: 1s}
  - {name: a, at: +100ms, for: 200ms, select: {operation: child}, latency: {times: 2, add_ms: 5}, error_conditions: [{probability: 100, type: a}]}
  - {name: b, at: +200ms, for: 200ms, select: {operation: child}, latency: {times: 3, add_ms: 7}, error_conditions: [{probability: 100, type: b}]}
  - {name: c, at: +300ms, for: 200ms, select: {operation: chi*}, delay_ms: 100}
  - {name: d, at: +450ms, for: 50ms, select: {operation: '?hild'}, delay_ms: 1}
",
    );
    let plain = traces(&file("  - {name: x, at: +0s, for: 1s}"), 600, MS);
    let mut phases = BTreeSet::new();
    for (plain, changed) in plain.iter().zip(&traces(&text, 600, MS)) {
        let (before, after) = (&plain[1], &changed[1]);
        let own = before.duration();
        let (expected, error) = match after.start / MS {
            100..200 => (2 * own + 5 * MS, Some("a")),
            200..300 => (6 * own + 12 * MS, Some("a")),
            300..400 => (3 * 100 * MS + 7 * MS, Some("b")),
            400..450 => (100 * MS, None),
            450..500 => (MS, None),
            _ => (own, None),
        };
        phases.insert(after.start / MS / 50);
        assert_eq!(after.duration(), expected, "{after:?}");
        if let Some(error) = error {
            assert_eq!(after.error.as_deref(), Some(error));
        }
    }
    assert!(phases.len() > 10, "{phases:?}");
}

/// A condition reads the span's own attributes and the vars that it can see, and an instance is one of the service's.
#[test]
fn conditions_and_instances_narrow_an_incident() {
    let text = "
services: {shop: {instances: 4}, stock: }
incidents:
  - {name: x, at: +0s, for: 1h, select: {service: shop, instance: [1, 3]}, when: tier == 'vip' and parity == 1, latency: x10}
scenarios:
  - name: a
    vars: {tier: {choice: [vip, basic]}}
    root_span:
      service: shop
      operation: root
      kind: SERVER
      delay_ms: 5
      attributes: {parity: <<trace.index % 2>>, instance: <<instance.index>>, tier: <<tier>>}
      calls: [{service: stock, operation: child, delay_ms: 5}]
";
    let mut seen = BTreeMap::new();
    for trace in traces(text, 2_000, MS) {
        let root = &trace[0];
        let is_selected = ["1", "3"].contains(&root.attributes["instance"].as_str());
        let is_slow = is_selected && root.attributes["tier"] == "vip" && root.attributes["parity"] == "1";
        assert_eq!(trace[1].start - root.start, if is_slow { 50 * MS } else { 5 * MS }, "{root:?}");
        assert_eq!(trace[1].duration(), 5 * MS);
        *seen.entry(is_slow).or_insert(0) += 1;
    }
    assert!(seen[&true] > 150, "{seen:?}");
}

/// The work between calls, refusals and a client's network are times of the span, too; waits and backoffs are not.
#[test]
fn all_times_that_a_span_takes_itself_are_longer() {
    let scenario = "
scenarios:
  - name: a
    root_span:
      service: shop
      operation: root
      kind: SERVER
      delay_ms: 1
      calls:
        - {delay_ms: 2}
        - {service: stock, operation: child, kind: SERVER, delay_ms: 3, client: {network_ms: 4}, wait_ms: 5}
        - {delay_ms: 6}
";
    let times = |incidents: &str| -> Vec<(String, u64)> {
        let trace = traces(&format!("{incidents}{scenario}"), 1, MS).remove(0);
        trace.iter().map(|span| (span.service.clone(), span.duration() / MS)).collect()
    };
    let of = |root, client, server| vec![("shop".into(), root), ("shop".into(), client), ("stock".into(), server)];
    assert_eq!(times(""), of(1 + 2 + 5 + (4 + 3 + 4) + 6, 4 + 3 + 4, 3));
    let incident =
        |select: &str| format!("incidents: [{{name: x, at: +0s, for: 1s, select: {select}, latency: x10}}]\n");
    assert_eq!(times(&incident("{service: shop, operation: root}")), of(10 + 20 + 5 + 11 + 60, 11, 3));
    assert_eq!(times(&incident("{service: stock}")), of(1 + 2 + 5 + 38 + 6, 4 + 30 + 4, 30));
    assert_eq!(times(&incident("{service: shop, operation: child}")), of(1 + 2 + 5 + 83 + 6, 83, 3));
}

/// A span that is down does not exist. Its client does, and fails; a later attempt finds it up again.
#[test]
fn a_span_that_is_down_makes_its_calls_fail() {
    let text = "
services: {shop: , stock: , mail: , log: {instances: 2}}
incidents:
  - {name: outage, at: +100ms, for: 50ms, select: {service: stock}, down: true}
  - {name: mail, at: +200ms, for: 100ms, select: {service: mail}, down: true, latency: x5}
  - {name: log, at: +300ms, for: 100ms, select: {service: log, instance: 0}, down: true}
scenarios:
  - name: a
    root_span:
      service: shop
      operation: root
      kind: SERVER
      calls:
        - service: stock
          operation: reserve
          kind: SERVER
          client: {network_ms: 1}
          delay_ms: 10
          retry: {attempts: 3, backoff_ms: 30}
          propagate: true
        - {service: shop, operation: handled, when: error.type == 'unavailable'}
        - parallel:
            - {service: mail, operation: send, delay_ms: 1}
            - {service: mail, operation: copy, async: true, delay_ms: 1}
            - {service: log, operation: write, kind: SERVER, client: {network_ms: 1}, delay_ms: 1}
";
    let (mut written, mut unwritten) = (0, 0);
    for trace in traces(text, 500, MS) {
        let attempts: Vec<&Seen> =
            trace.iter().filter(|span| span.name == "reserve" && span.service == "shop").collect();
        for (at, client) in
            trace.iter().enumerate().filter(|(_, span)| span.name == "reserve" && span.service == "shop")
        {
            // The request arrives after 1 ms.
            let is_down = (100 * MS..150 * MS).contains(&(client.start + MS));
            let server = trace.iter().find(|span| span.parent == Some(at));
            assert_eq!(server.is_none(), is_down, "{trace:?}");
            assert_eq!(client.error.as_deref(), is_down.then_some("unavailable"));
            assert_eq!(client.duration(), if is_down { 2 * MS } else { 12 * MS });
        }
        let failed = attempts.iter().take_while(|client| client.error.is_some()).count();
        assert!(attempts.len() == 3.min(failed + 1), "{trace:?}");
        let first_arrival = trace[0].start + MS;
        let expected = match first_arrival / MS {
            // Three attempts, 32 ms after one another, of which the last one arrives after the outage.
            100..150 => ((150 * MS - first_arrival).div_ceil(32 * MS) as usize).min(3),
            _ => 0,
        };
        assert_eq!(failed, expected);
        assert_eq!(trace[0].error.as_deref(), (failed == 3).then_some("unavailable"));
        assert_eq!(named(&trace, "handled").is_some(), failed == 3, "{trace:?}");
        let answered = attempts.last().map_or(0, |client| client.end);
        for name in ["send", "copy"].iter().filter(|_| failed < 3) {
            assert_eq!(named(&trace, name).is_none(), (200 * MS..300 * MS).contains(&answered), "{trace:?}");
        }
        if let Some(client) = trace.iter().find(|span| span.name == "write" && span.service == "shop") {
            let is_written = trace.iter().any(|span| span.name == "write" && span.service == "log");
            if (300 * MS..400 * MS).contains(&(client.start + MS)) {
                *(if is_written { &mut written } else { &mut unwritten }) += 1;
            } else {
                assert!(is_written);
            }
            assert_eq!(client.error.is_none(), is_written);
        }
    }
    assert!(written > 25 && unwritten > 25, "{written} {unwritten}");
}

/// While an incident rolls a version out, the selected instances run it, for each span by its own start; of two the last counts.
#[test]
fn a_version_is_that_of_the_instance_when_a_span_starts() {
    let text = "
services: {shop: {instances: 3, version: 1.4.0}, stock: }
incidents:
  - {name: canary, at: +100ms, for: 100ms, select: {service: shop, instance: 1}, version: 1.5.0}
  - {name: all, at: +150ms, for: 100ms, select: {service: shop}, version: 2.0.0}
  - {name: first, at: +220ms, for: 100ms, select: {service: stock}, version: 0.1}
scenarios:
  - name: a
    root_span:
      service: shop
      operation: root
      kind: SERVER
      delay_ms: 30
      attributes: {version: <<service.version>>, instance: <<instance.index>>}
      calls:
        - {service: shop, operation: child, attributes: {version: <<service.version>>, instance: <<instance.index>>}}
        - {service: stock, operation: other}
";
    let plain = text.replace("incidents:", "x-none:");
    let mut versions = BTreeSet::new();
    for (trace, plain) in traces(text, 400, MS).iter().zip(&traces(&plain, 400, MS)) {
        assert_eq!(trace[0].attributes["instance"], plain[0].attributes["instance"]);
        assert_eq!(trace[0].attributes["instance"], trace[1].attributes["instance"]);
        for span in &trace[..2] {
            let version = match span.start / MS {
                150..250 => "2.0.0",
                100..200 if span.attributes["instance"] == "1" => "1.5.0",
                _ => "1.4.0",
            };
            assert_eq!(span.version.as_deref(), Some(version), "{span:?}");
            assert_eq!(span.attributes["version"], version);
            versions.insert(version);
        }
        let is_versioned = (220 * MS..320 * MS).contains(&trace[2].start);
        assert_eq!(trace[2].version.as_deref(), is_versioned.then_some("0.1"));
    }
    assert_eq!(versions.len(), 3);
}

/// A file without incidents has none in its plan, and one that only names them draws as it did before.
#[test]
fn outside_of_its_windows_an_incident_changes_nothing() {
    let plain = traces(&file("  - {name: x, at: +1h, for: 1s}"), 300, MS);
    let effects = "latency: {times: 9, add_ms: {exp: 5}}, delay_ms: {p50: 5, p99: 90}, \
                   error_conditions: [{probability: 40, type: a}, {probability: 40, type: b, at: end}]";
    let quiet =
        traces(&file(&format!("  - {{name: x, at: +1h, for: 1s, select: {{service: '*'}}, {effects}}}")), 300, MS);
    assert_eq!(plain, quiet);
}

/// The sets of incidents of the tests' plan that are examined.
fn sets(plan: &Plan) -> Vec<InForce> {
    let all = (0..plan.incidents.len() as u32).map(IncidentId);
    let one = all.clone().map(|incident| InForce::from([incident]));
    one.chain([InForce::new(), all.collect(), InForce::from([IncidentId(1), IncidentId(2), IncidentId(4)])]).collect()
}

/// The exact shares of failures are those of the traces, whatever is in force.
#[test]
fn what_follows_from_the_plan_is_what_happens_under_any_incidents() {
    let loaded = language::load(&["tests/plans/incidents.yaml".into()]);
    let plan = Arc::new(compiler::compile_loaded(loaded).1.plan.expect("it compiles"));
    let mut exact = 0;
    for set in sets(&plan) {
        let schedule = Schedule::new(START, Arrivals::Even { count: 100, per_ns: SECOND }).expect("a sound schedule");
        let run = Arc::new(Run::under(plan.clone(), 11, schedule, &set));
        let explanation = explain(&run, 20_000, NonZeroUsize::MIN, &|_| {});
        let mut seen: BTreeMap<Subject, (u64, u64)> = BTreeMap::new();
        let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
        for index in 20_000..40_000 {
            interpreter.trace(index, &mut trace);
            for span in &trace.spans {
                let (service, operation) = (plan.service_of(span.block).to_owned(), plan.operation(span.block));
                let (spans, failed) = seen.entry(Subject::Operation { service, operation }).or_default();
                *spans += 1;
                *failed += u64::from(span.failure != NONE);
            }
        }
        for part in explanation.parts.iter().filter(|part| matches!(part.subject, Subject::Operation { .. })) {
            let (spans, failed) = seen.get(&part.subject).copied().unwrap_or_default();
            let near = |figure: Figure, count: u64, of: u64| {
                let Figure::Exact(share) = figure else { return };
                let expected = share * of as f64;
                let deviation = 5.0 * (expected + 1.0).sqrt();
                assert!((count as f64 - expected).abs() <= deviation, "{set:?} {part:?}: {count} of {of}");
            };
            exact += usize::from(part.failed.is_exact());
            near(part.failed, failed, spans);
            near(part.spans.mean, spans, 20_000);
        }
    }
    assert!(exact > 40, "only {exact} exact figures");
}

/// A timeline has the figures of every step, also of those in which windows open and close.
#[test]
fn a_timeline_is_what_a_run_shows() {
    let text = file(
        "
  - {name: x, at: +90s, for: 45s, select: {service: stock}, latency: x20, error_conditions: [{probability: 30, type: a}]}
  - {name: y, at: +5m, for: 1m, select: {service: stock}, down: true}
",
    );
    let plan = Arc::new(compile(&text));
    let minutes = 8;
    let question = Question {
        plan: plan.clone(),
        seed: 3,
        epoch: Epoch::new(0, START, Arrivals::Even { count: 1, per_ns: SECOND }),
        from: START,
        to: START + minutes * 60 * SECOND,
        step: 60 * SECOND,
        samples: 30_000,
        threads: NonZeroUsize::MIN,
    };
    let answer = timeline(&question, &|_| {}).expect("a timeline");
    assert_eq!(answer.steps.len() as u64, minutes);
    assert!((60 * MS..2 * SECOND).contains(&answer.margin), "{}", answer.margin);
    let steady: Vec<bool> = answer.steps.iter().map(|step| step.is_steady).collect();
    assert_eq!(steady, [false, false, false, true, false, false, false, true]);
    let rate = 50;
    let schedule = Schedule::new(START, Arrivals::Even { count: rate, per_ns: SECOND }).expect("a sound schedule");
    let run = Arc::new(Run::new(plan.clone(), 99, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let mut seen = vec![(0_u64, 0_u64, vec![]); minutes as usize];
    for index in 0..rate * 60 * minutes {
        interpreter.trace(index, &mut trace);
        for span in trace.spans.iter().filter(|span| plan.service_of(span.block) == "stock") {
            let Some((spans, failed, durations)) = seen.get_mut(((span.start - START) / (60 * SECOND)) as usize) else {
                continue;
            };
            *spans += 1;
            *failed += u64::from(span.failure != NONE);
            durations.push(span.end - span.start);
        }
    }
    for (step, (spans, failed, mut durations)) in answer.steps.iter().zip(seen) {
        let is_stock = |part: &&Part| matches!(&part.subject, Subject::Service { service } if service == "stock");
        let part = step.explanation.parts.iter().find(is_stock).expect("the service");
        let expected = part.spans.mean.value().unwrap_or(0.0) * (rate * 60) as f64;
        assert!((spans as f64 - expected).abs() <= 0.02 * expected + 60.0, "{spans} of {expected}: {step:?}");
        if spans == 0 {
            continue;
        }
        let share = part.failed.value().expect("a share");
        let deviation = 5.0 * (share * (1.0 - share) / spans as f64).sqrt() + 0.003;
        assert!((failed as f64 / spans as f64 - share).abs() < deviation, "{failed} of {spans}: {step:?}");
        durations.sort_unstable();
        let (p50, found) = (durations[durations.len() / 2], part.durations.expect("durations").p50);
        assert!(p50.abs_diff(found) as f64 <= 0.05 * found as f64, "{p50}: {step:?}");
    }
}

/// The windows are counted from the start of the run, in its later epochs, too, and when their traces are made again.
#[test]
fn windows_stay_where_they_are_when_an_epoch_begins() {
    let plan = Arc::new(compile(&file("  - {name: x, at: +10s, for: 5s, every: 20s}")));
    let arrivals = Arrivals::Even { count: 10, per_ns: SECOND };
    let run = Arc::new(Run::new(plan, 7, Schedule::new(START, arrivals).expect("a sound schedule")));
    let mut schedule = (**run.schedule()).clone();
    let faster = Arrivals::Even { count: 20, per_ns: SECOND };
    schedule.push_epoch(Epoch::new(120, START + 12 * SECOND, faster)).expect("in order");
    let mut archive = Archive::so_far(&run, Selection::default(), &schedule);
    let mut interpreter = Interpreter::new(&run);
    interpreter.update(&Arc::new(schedule));
    let (mut trace, mut open) = (Trace::default(), BTreeSet::new());
    for index in 0..700 {
        interpreter.trace(index, &mut trace);
        let made = StoredTrace::of(run.origin().view(&trace)).expect("a small trace");
        let (era, again) = archive.remake(index).expect("a trace of the run");
        assert_eq!(StoredTrace::of(era.origin().view(&again)).expect("a small trace"), made, "{index}");
        let seconds = (trace.start - START) / SECOND;
        let attribute = run.origin().view(&trace).span(0).attributes().next();
        let Some((_, Datum::Bool(is_open))) = attribute else { panic!("no bool") };
        assert_eq!(is_open, (10..15).contains(&(seconds % 20)), "{seconds}");
        open.insert((index < 120, is_open));
    }
    assert_eq!(open.len(), 4);
}

/// What `explain` prints about incidents names them, their windows, causes and signals.
#[test]
fn explain_shows_incidents_and_times() {
    let explained = |more: &[&str]| {
        let output = tracegen().args(["explain", "--samples", "2000", "docs/alerts/shop.yaml"]).args(more).assert();
        String::from_utf8(output.success().get_output().stdout.clone()).expect("text")
    };
    let text = explained(&["--incidents"]);
    for part in [
        "stock outage  for 6m: 2026-01-01T07:00:00Z .. 2026-01-01T07:06:00Z",
        "  orders  place order: fails with NullPointerException (25 %)",
        "  payment  POST /charge: 8 times as long and fails with provider_timeout (4 %)",
        "rate, errors",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let at = explained(&["--at", "2026-01-01T11:30:00Z"]);
    assert!(at.starts_with("at 2026-01-01T11:30:00Z: bad deploy\n"), "{at}");
    assert!(explained(&["--at", "+11h"]).starts_with("at 2026-01-01T11:00:00Z: no incident\n"));
    let json = explained(&["--window", "2026-01-01T06:58:00Z..2026-01-01T07:08:00Z", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let steps = json["steps"].as_array().expect("steps");
    let in_force = steps.iter().map(|step| step["in_force"].as_array().expect("names").len());
    assert_eq!(in_force.collect::<Vec<_>>(), [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]);
    let steady = steps.iter().map(|step| step["steady"].as_bool().expect("a bool"));
    assert_eq!(steady.collect::<Vec<_>>(), [true, false, false, true, true, true, true, false, false, true]);
    for wrong in
        [&["--window", "2026-01-01"][..], &["--window", "+5m..+1m"], &["--at", "soon"], &["--window", "-1h..+1h"]]
    {
        tracegen().args(["explain", "docs/alerts/shop.yaml"]).args(wrong).assert().code(2);
    }
}

/// The flags of the run that the following tests repeat: a quarter of an hour of the past, with windows in it.
const RUN: [&str; 8] = ["run", "--seed", "42", "--start", "2026-01-01T00:05:00Z", "--rate", "20/s", "--quiet"];
const FILE: &str = "tests/plans/incidents.yaml";

/// Runs with more flags, and returns every span as text.
fn run(more: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("all.bin");
    tracegen().args(RUN).args(more).arg(format!("--exporter=file={}", path.display())).arg(FILE).assert().success();
    spans(&read_delimited(&std::fs::read(path).expect("a file")))
}

#[test]
fn threads_and_shards_make_the_same_traces_with_incidents() {
    let whole = run(&["--duration", "12m", "--threads", "1"]);
    assert!(whole.iter().any(|span| span.contains("provider_timeout")));
    assert_eq!(whole, run(&["--duration", "12m", "--threads", "3"]));
    let mut shards: Vec<String> =
        ["0/3", "1/3", "2/3"].iter().flat_map(|shard| run(&["--duration", "12m", "--shard", shard])).collect();
    shards.sort_unstable();
    assert_eq!(whole, shards);
}

#[test]
fn a_run_with_incidents_is_verified_and_replayed_from_its_manifest() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, manifest) = (directory.path().join("all.bin"), directory.path().join("run.json"));
    let mut command = tracegen();
    command.args(RUN).args(["--duration", "12m", "--manifest"]).arg(&manifest);
    command.arg(format!("--exporter=file={}", path.display())).arg(FILE).assert().success();
    let verify = |from: &std::path::Path| {
        tracegen()
            .arg("verify")
            .arg("--manifest")
            .arg(&manifest)
            .arg("--from")
            .arg(format!("{}", from.display()))
            .assert()
    };
    verify(&path).success();
    // With other windows, the spans are other spans.
    let other = directory.path().join("other.bin");
    let text = std::fs::read_to_string(FILE).expect("the file").replace("at: +10m", "at: +11m");
    let changed = directory.path().join("changed.yaml");
    std::fs::write(&changed, text).expect("written");
    let mut command = tracegen();
    command.args(RUN).args(["--duration", "12m"]).arg(format!("--exporter=file={}", other.display()));
    command.arg(&changed).assert().success();
    verify(&other).failure();
}

/// Incidents that would take too much time or memory are refused, however they are written.
#[test]
fn hostile_incidents_are_refused_in_time() {
    let refused = |text: String| {
        let begun = std::time::Instant::now();
        let (_, compiled) = compiler::compile_loaded(language::load_texts(vec![("incidents.yaml".into(), text)]));
        let codes: Vec<&str> = compiled.diagnostics.iter().map(|found| found.problem.code()).collect();
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
        (compiled.plan.is_none(), codes.contains(&"E0609"))
    };
    let spans = "      - {service: s, operation: o, delay_ms: 5}\n".repeat(2_000);
    let scenario = |spans: &str| {
        format!("scenarios:\n  - name: a\n    root_span:\n      service: s\n      operation: o\n      calls:\n{spans}")
    };
    let many = |count: usize, more: &str| -> String {
        let one = |at: usize| format!("  - {{name: i{at}, at: +1s, for: 1s, {more}}}\n");
        format!("incidents:\n{}", (0..count).map(one).collect::<String>())
    };
    // Each is for each span; too many; globs that are long to compare.
    assert_eq!(refused(many(1_000, "latency: x2") + &scenario(&spans)), (true, true));
    assert_eq!(refused(many(1_025, "select: {service: s}, latency: x2") + &scenario("        []\n")), (true, true));
    let glob = "*a".repeat(20_000) + "b";
    let long = format!("      - {{service: {}, operation: o}}\n", "a".repeat(20_000));
    let selecting = format!("select: {{service: '{glob}'}}, latency: x2");
    assert_eq!(refused(many(20, &selecting) + &scenario(&long)), (true, true));
    // An operation whose vars stand for one another very often.
    let vars: String =
        (0..8).map(|at| format!("      v{at}: \"{}\"\n", format!("<<v{}>>", at + 1).repeat(100))).collect();
    let nested = format!(
        "{}scenarios:\n  - name: a\n    vars:\n{vars}      v8: x\n    root_span: {{service: s, operation: \"<<v0>>\"}}\n",
        many(1, "select: {operation: 'x*'}, latency: {add_ms: 5}")
    );
    refused(nested);
}
