//! Tests of determinism, statistics and links, with plans made by hand.

use super::*;
use crate::plan::Plan;
use crate::plans::{self, ecommerce, linked, timed, wide};
use crate::trace::{Datum, NONE, View};
use std::collections::{HashMap, HashSet};

mod mutants;
mod times;

const SECOND: u64 = 1_000_000_000;
const OPENING: u64 = 1_767_225_600 * SECOND;

fn arrivals() -> [Arrivals; 3] {
    [
        Arrivals::Even { count: 50, per_ns: SECOND },
        Arrivals::Interval { min_ns: 0, max_ns: SECOND, lanes: 20 },
        Arrivals::Poisson { count: 50, per_ns: SECOND },
    ]
}

fn run(plan: Plan, seed: u64, arrivals: Arrivals) -> Arc<Run> {
    Arc::new(Run::new(Arc::new(plan), seed, Schedule::new(OPENING, arrivals).unwrap()))
}

/// Returns a whole trace as text.
fn shown(run: &Run, trace: &Trace) -> String {
    use std::fmt::Write;
    let view = run.origin().view(trace);
    let mut out = format!("{} {:x?} {} {} {}\n", trace.index, trace.id, view.scenario(), trace.start, trace.end);
    for span in view.spans() {
        let record = span.record();
        write!(out, "{:016x} {} {}", record.id, span.service(), span.name()).unwrap();
        write!(out, " {} {} {} {}", record.resource, record.parent, record.start, record.end).unwrap();
        for (key, value) in span.attributes() {
            write!(out, " {key}={:?}", value.to_owned()).unwrap();
        }
        for event in span.events() {
            write!(out, " {} {}", event.time, event.name).unwrap();
            for (key, value) in event.attributes {
                write!(out, " {key}={:?}", value.to_owned()).unwrap();
            }
        }
        for link in span.links() {
            write!(out, " -> {:x?} {:016x}", link.trace_id, link.span_id).unwrap();
        }
        writeln!(out, " {:?}", span.failure()).unwrap();
    }
    out
}

#[test]
fn a_trace_depends_on_nothing_but_plan_seed_schedule_and_index() {
    for plan in [ecommerce, wide, linked, timed] {
        for arrivals in arrivals() {
            let run = run(plan(), 42, arrivals);
            let n = 600;
            let mut trace = Trace::default();
            let mut forward = Interpreter::new(&run);
            let all: Vec<String> = (0..n)
                .map(|i| {
                    forward.trace(i, &mut trace);
                    shown(&run, &trace)
                })
                .collect();
            // From the last index to the first, in jumps, with a new interpreter each time, and in two threads at once.
            let mut other = Interpreter::new(&run);
            for i in (0..n).rev().chain((0..n).map(|k| k * 181 % n)) {
                other.trace(i, &mut trace);
                assert_eq!(shown(&run, &trace), all[i as usize]);
            }
            for i in (0..n).step_by(97) {
                let mut fresh = Trace::default();
                Interpreter::new(&run).trace(i, &mut fresh);
                assert_eq!(shown(&run, &fresh), all[i as usize]);
            }
            std::thread::scope(|scope| {
                for k in 0..2 {
                    let (run, all) = (&run, &all);
                    scope.spawn(move || {
                        let (mut interpreter, mut trace) = (Interpreter::new(run), Trace::default());
                        for i in (k..n).step_by(2) {
                            interpreter.trace(i, &mut trace);
                            assert_eq!(shown(run, &trace), all[i as usize]);
                        }
                    });
                }
            });
        }
    }
}

#[test]
fn seed_plan_and_schedule_all_count() {
    let [even, interval, _] = arrivals();
    let first = |run: Arc<Run>| {
        let mut trace = Trace::default();
        Interpreter::new(&run).trace(7, &mut trace);
        (run.tag(), trace.id, trace.spans[0].id, shown(&run, &trace))
    };
    let a = first(run(ecommerce(), 42, even));
    assert_eq!(a, first(run(ecommerce(), 42, even)));
    let b = first(run(ecommerce(), 43, even));
    assert_eq!(a.0, b.0, "the tag is of plan and schedule");
    assert!(a.1 != b.1 && a.2 != b.2 && a.3 != b.3);
    let c = first(run(ecommerce(), 42, interval));
    assert!(a.0 != c.0 && a.1 != c.1 && a.2 != c.2);
    assert_ne!(a.0, first(run(wide(), 42, even)).0);
}

#[test]
fn the_shape_of_a_trace_is_sound() {
    for plan in [ecommerce, wide, linked, timed] {
        let run = run(plan(), 1, arrivals()[0]);
        let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
        let mut ids = HashSet::new();
        for index in 0..3000 {
            interpreter.trace(index, &mut trace);
            let bound = run.plan().bound(trace.scenario);
            assert!((bound.min_spans..=bound.max_spans).contains(&(trace.spans.len() as u32)));
            assert!(trace.end - trace.start <= bound.duration);
            assert_eq!(trace.start, interpreter.start(index));
            assert_eq!(trace.scenario, interpreter.run().scenario(index));
            assert_eq!(run.identity().decode(trace.id), Some((run.tag(), index)));
            assert_eq!(trace.end, trace.spans.iter().map(|s| s.end).max().unwrap());
            for (ordinal, span) in trace.spans.iter().enumerate() {
                assert!(ids.insert(span.id));
                assert_eq!(run.identity().decode_span(span.id), Some((index, ordinal as u32)));
                assert_eq!(span.parent == NONE, ordinal == 0);
                if let Some(parent) = trace.spans.get(span.parent as usize) {
                    assert!((span.parent as usize) < ordinal && parent.failure == NONE);
                    assert!(parent.start <= span.start && span.end <= parent.end);
                }
            }
        }
    }
}

#[test]
fn conditions_hit_as_often_as_they_say() {
    let run = run(ecommerce(), 3, arrivals()[0]);
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let (mut ran, mut failed) = (HashMap::new(), HashMap::new());
    for index in 0..50_000 {
        interpreter.trace(index, &mut trace);
        let view = run.origin().view(&trace);
        for span in view.spans() {
            *ran.entry(span.name().to_string()).or_insert(0u32) += 1;
            if let Some((r#type, message)) = span.failure() {
                assert!(!message.is_empty());
                let failure = &trace.failures[span.record().failure as usize];
                let inst = &run.plan().block(span.record().block).code[failure.inst as usize];
                assert!(inst.error() == Some(failure.error) && failure.exception, "{inst:?} is not {failure:?}");
                assert!(
                    span.attributes().any(|(k, v)| k == "error.type" && matches!(v, Datum::Text(t) if t == r#type))
                );
                *failed.entry((span.name().to_string(), r#type.to_string())).or_insert(0u32) += 1;
            }
        }
    }
    for (name, r#type, percent) in [
        ("POST /api/v1/orders", "RateLimitExceeded", 2.0),
        ("validate_user_session", "InvalidSession", 5.0),
        ("validate_user_session", "AuthServiceDown", 1.0),
        ("process_payment", "PaymentDeclined", 10.0),
        ("process_payment", "FraudDetected", 3.0),
        ("process_payment", "PaymentTimeout", 2.0),
        ("send_order_confirmation", "EmailDeliveryFailed", 6.0),
    ] {
        let (n, p) = (ran[name] as f64, percent / 100.0);
        let hits = failed[&(name.to_string(), r#type.to_string())] as f64;
        assert!((hits - n * p).abs() < 4.0 * (n * p * (1.0 - p)).sqrt(), "{type}: {hits} of {n}");
    }
}

#[test]
fn scenarios_and_instances_have_their_shares() {
    let run = run(linked(), 9, arrivals()[0]);
    let interpreter = Interpreter::new(&run);
    let mut counts = [0f64; 3];
    (0..100_000).for_each(|i| counts[interpreter.run().scenario(i).index()] += 1.0);
    for (count, share) in counts.iter().zip([0.6, 0.2, 0.2]) {
        assert!((count - 1e5 * share).abs() < 4.0 * (1e5f64 * share * (1.0 - share)).sqrt(), "{counts:?}");
    }

    let run = self::run(wide(), 9, arrivals()[0]);
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let mut roots = [0; 3];
    for index in 0..3000 {
        interpreter.trace(index, &mut trace);
        roots[trace.spans[0].resource.index()] += 1;
        for span in &trace.spans[1..] {
            let name = run.plan().span(span.block).name.map(|id| run.plan().text(id));
            match name {
                Some("two") => assert_eq!(span.resource, trace.spans[0].resource, "stays where its parent runs"),
                _ => assert!((3..5).contains(&span.resource.0)),
            }
        }
    }
    assert!(roots.iter().all(|n| (900..1100).contains(n)), "{roots:?}");
    let ids: HashSet<_> = (0..5).map(|r| format!("{:?}", run.origin().resources.attributes[r])).collect();
    assert_eq!(ids.len(), 5, "each instance has an id of its own");
}

#[test]
fn a_span_knows_the_instance_it_runs_on() {
    let mut m = plans::Maker::new();
    m.service_of("front", 3);
    let index = m.expr(crate::plan::Expr::InstanceIndex);
    let node = |service| plans::Node { service, name: "n", attrs: vec![("i", index)], ..Default::default() };
    let root = plans::Node {
        kind: Some(crate::plan::SpanKind::Server),
        calls: vec![node("back"), node("front")],
        ..node("front")
    };
    m.scenario("s", 1.0, &[], root);
    let run = run(m.plan(), 4, arrivals()[0]);
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let mut seen = HashSet::new();
    for at in 0..50 {
        interpreter.trace(at, &mut trace);
        let indices: Vec<u32> = trace.spans.iter().map(|span| span.resource.0 % 3).collect();
        for (span, index) in trace.spans.iter().zip([indices[0], 0, indices[0]]) {
            let value = trace.attrs[span.attrs as usize].value.read();
            assert_eq!(format!("{value:?}"), format!("Int({index})"));
        }
        seen.insert(indices[0]);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn editing_one_scenario_leaves_the_others_as_they_were() {
    // Ids, times and links are left out, because the tag and the linked traces change them.
    let values = |run: &Arc<Run>, index: u64| {
        let (mut interpreter, mut trace) = (Interpreter::new(run), Trace::default());
        interpreter.trace(index, &mut trace);
        let times = trace.spans.iter().map(|s| (s.start - trace.start, s.end - trace.start)).collect::<Vec<_>>();
        let attributes = shown(run, &trace).split(' ').filter(|w| w.contains('=')).collect::<Vec<_>>().join(" ");
        (trace.scenario, times, attributes)
    };
    let edited = {
        let mut program: crate::plan::Program = (*linked()).clone();
        let root = program.scenarios[2].root;
        program.blocks[root.index()].code.insert(2, crate::plan::Inst::Delay { min: 5, max: 500 });
        Plan::verify(program).unwrap()
    };
    let (before, after) = (run(linked(), 5, arrivals()[0]), run(edited, 5, arrivals()[0]));
    assert_ne!(before.tag(), after.tag());
    let mut differ = 0;
    for index in 0..400 {
        let (a, b) = (values(&before, index), values(&after, index));
        if a.0.0 == 2 {
            differ += (a != b) as u32;
        } else {
            assert_eq!(a, b);
        }
    }
    assert!(differ > 50);
}

#[test]
fn consumers_link_to_what_has_happened() {
    for arrivals in arrivals() {
        let run = run(linked(), 42, arrivals);
        let (mut interpreter, mut trace, mut linked) = (Interpreter::new(&run), Trace::default(), Trace::default());
        let (mut consumers, mut links) = (0, 0);
        for index in 0..6_000 {
            interpreter.trace(index, &mut trace);
            if trace.scenario.0 == 0 || trace.start < OPENING + 60 * SECOND {
                continue;
            }
            consumers += 1;
            let Some(link) = trace.links.first() else { continue };
            links += 1;
            let (tag, to) = run.identity().decode(link.trace_id).unwrap();
            assert!(tag == run.tag() && to < index);
            let (_, ordinal) = run.identity().decode_span(link.span_id).unwrap();
            let (span, record) = trace.spans.iter().enumerate().find(|(_, s)| s.link != NONE).unwrap();
            interpreter.trace(to, &mut linked);
            let target = &linked.spans[ordinal as usize];
            assert_eq!(target.id, link.span_id);
            assert!(target.end <= record.start && target.failure == NONE);
            assert_eq!(linked.scenario.0, trace.scenario.0 - 1);
            // What was read of the linked span is what that span has.
            let view = run.origin().view(&trace);
            let theirs = View { trace: &linked, ..view };
            let get = |view: View<'_>, span: usize, key: &str| {
                view.span(span).attributes().find(|(k, _)| *k == key).map(|(_, v)| v.to_owned())
            };
            let order = get(view, span, "order.id").unwrap();
            assert_eq!(Some(order.clone()), get(theirs, ordinal as usize, "order.id"));
            if trace.scenario.0 == 1 {
                assert_eq!(Some(order), get(view, span, "key"));
                assert_eq!(get(view, span, "messaging.system"), get(theirs, ordinal as usize, "messaging.system"));
                assert_eq!(get(view, span, "none"), None);
            }
        }
        assert!(consumers > 500 && links as f64 >= 0.9 * consumers as f64, "{arrivals:?}: {links} of {consumers}");
    }
}

#[test]
fn no_link_leaves_its_epoch() {
    let run = run(linked(), 42, arrivals()[0]);
    let mut schedule = Schedule::clone(run.schedule());
    let opening = OPENING + 60 * SECOND;
    schedule.push_epoch(Epoch::new(3000, opening, arrivals()[2])).unwrap();
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    interpreter.trace(3100, &mut trace);
    let before = shown(&run, &trace);
    interpreter.update(&schedule.into());
    interpreter.trace(3100, &mut trace);
    assert_ne!(shown(&run, &trace), before);
    let mut links = 0;
    for index in 3000..3500 {
        interpreter.trace(index, &mut trace);
        for link in &trace.links {
            links += 1;
            assert!(run.identity().decode(link.trace_id).unwrap().1 >= 3000);
        }
    }
    assert!(links > 100);
}

/// Returns the values of the attribute `a` in `n` traces of one span, with the expression that `make` makes.
fn numbers(n: u64, make: impl FnOnce(&mut plans::Maker) -> crate::plan::ExprId) -> Vec<f64> {
    let mut m = plans::Maker::new();
    let value = make(&mut m);
    m.scenario("s", 1.0, &[], plans::Node { service: "a", name: "b", attrs: vec![("a", value)], ..Default::default() });
    let run = run(m.plan(), 77, arrivals()[0]);
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let number = |value: crate::trace::Value| match value.read() {
        crate::trace::Read::Int(v) => v as f64,
        crate::trace::Read::Double { value, .. } => value,
        crate::trace::Read::Bool(v) => v as u8 as f64,
        other => panic!("{other:?}"),
    };
    (0..n)
        .map(|i| {
            interpreter.trace(i, &mut trace);
            number(trace.attrs[0].value)
        })
        .collect()
}

fn chi_square(sample: &[f64], shares: &[f64]) {
    let mut counts = vec![0.0; shares.len()];
    sample.iter().for_each(|v| counts[*v as usize] += 1.0);
    let n = sample.len() as f64;
    let chi: f64 = counts.iter().zip(shares).map(|(c, p)| (c - n * p) * (c - n * p) / (n * p)).sum();
    let freedom = shares.len() as f64 - 1.0;
    assert!(chi < freedom + 4.5 * (2.0 * freedom).sqrt() + 5.0, "{chi} at {freedom}: {counts:?}");
}

#[test]
fn draws_are_distributed_as_they_say() {
    use crate::plan::{Chance, Constant, Expr};
    let int = |m: &mut plans::Maker, v| m.expr(Expr::Const { value: Constant::Int(v) });
    let double = |m: &mut plans::Maker, v| m.expr(Expr::Const { value: Constant::Double(v) });
    let n = 50_000;
    chi_square(&numbers(n, |m| m.expr(Expr::RandomInt { min: 0, max: 9 })), &[0.1; 10]);
    let between = numbers(n, |m| {
        let (min, max) = (int(m, 9), int(m, 0));
        m.expr(Expr::RandomIntBetween { min, max })
    });
    chi_square(&between, &[0.1; 10]);
    let float = numbers(n, |m| m.expr(Expr::RandomFloat { min: 0, max: 50, digits: 1 }));
    chi_square(&float.iter().map(|v| v * 10.0 + 0.5).collect::<Vec<_>>(), &[1.0 / 51.0; 51]);
    chi_square(&numbers(n, |m| m.expr(Expr::RandomBool { chance: Chance::from_percent(30.0) })), &[0.7, 0.3]);
    let choice = numbers(n, |m| {
        let items = [int(m, 0), int(m, 1), int(m, 2)].into();
        m.expr(Expr::RandomChoice { items })
    });
    chi_square(&choice, &[1.0 / 3.0; 3]);
    let weighted = numbers(n, |m| {
        let items = [int(m, 0), int(m, 1), int(m, 2)].into();
        m.expr(Expr::RandomWeighted { items, weights: [9.0, 0.5, 0.5].into() })
    });
    chi_square(&weighted, &[0.9, 0.05, 0.05]);

    let moments = |sample: &[f64]| {
        let mean = sample.iter().sum::<f64>() / sample.len() as f64;
        (mean, (sample.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / sample.len() as f64).sqrt())
    };
    let near = |got: f64, want: f64, error: f64| assert!((got - want).abs() < 4.5 * error, "{got} is not {want}");
    let root = (n as f64).sqrt();
    let (mean, sd) = moments(&numbers(n, |m| {
        let (mean, stddev) = (double(m, 50.0), double(m, 5.0));
        m.expr(Expr::RandomNormal { mean, stddev })
    }));
    near(mean, 50.0, 5.0 / root);
    near(sd, 5.0, 5.0 / root);
    let (mean, sd) = moments(&numbers(n, |m| {
        let mean = double(m, 40.0);
        m.expr(Expr::RandomExp { mean })
    }));
    near(mean, 40.0, 40.0 / root);
    near(sd, 40.0, 60.0 / root);
    let lognormal = numbers(n, |m| {
        let (p50, p99) = (double(m, 5.0), double(m, 80.0));
        m.expr(Expr::RandomLognormal { p50, p99 })
    });
    let below = |sample: &[f64], limit: f64| sample.iter().filter(|v| **v < limit).count() as f64 / n as f64;
    near(below(&lognormal, 5.0), 0.5, 0.5 / root);
    near(below(&lognormal, 80.0), 0.99, 0.1 / root);
    let pareto = numbers(n, |m| {
        let (min, alpha) = (double(m, 5.0), double(m, 1.5));
        m.expr(Expr::RandomPareto { min, alpha })
    });
    assert!(pareto.iter().all(|v| *v >= 5.0));
    near(below(&pareto, 10.0), 1.0 - 0.5f64.powf(1.5), 0.5 / root);
}
