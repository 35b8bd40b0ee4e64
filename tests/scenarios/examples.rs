//! Tests of the examples: the plan of each, and figures of their traces.

use super::binomial::p_value;
use super::likeness::{Shape, callees};
use super::{compile, run, shipped};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use tracegen::plan::{ScenarioId, SpanKind};
use tracegen::trace::{Trace, View};

const MS: u64 = 1_000_000;

/// Returns the files, except the two oldest ones, which are in `tests/plans`.
const FILES: [&str; 8] = [
    "alibaba_call_graph",
    "cached_search",
    "database_service",
    "grpc_mesh",
    "llm_agent",
    "nightly_batch",
    "order_pipeline",
    "shop",
];

/// Figures of a scenario's traces.
struct Figures {
    scenario: &'static str,
    /// The maximum number of spans of a trace.
    most: u32,
    /// The mean number of spans.
    spans: Range<f64>,
    /// The percentage of traces whose root failed, and that of the other traces in which another span failed.
    failed: Range<f64>,
    hidden: Range<f64>,
    /// The median and the 99th percentile of the root's duration in ms.
    median: Range<f64>,
    slow: Range<f64>,
}

#[rustfmt::skip]
const FIGURES: &[Figures] = &[
    Figures { scenario: "Alibaba: call graph", most: 20_341, spans: 18.9..20.1, failed: 0.0..0.5, hidden: 1.9..3.1, median: 4.7..5.3, slow: 264.8..337.0 },
    Figures { scenario: "Search: hotels", most: 65, spans: 18.5..19.7, failed: 0.0..1.0, hidden: 19.5..23.9, median: 8.0..8.8, slow: 668.4..850.8 },
    Figures { scenario: "Database: book seats", most: 35, spans: 8.0..8.4, failed: 0.4..1.4, hidden: 0.0..1.2, median: 7.1..7.9, slow: 31.0..39.4 },
    Figures { scenario: "Database: list bookings", most: 23, spans: 5.1..5.5, failed: 0.0..0.8, hidden: 0.0..0.6, median: 3.6..4.2, slow: 28.1..35.7 },
    Figures { scenario: "Database: report", most: 4, spans: 3.9..4.1, failed: 2.8..4.2, hidden: 0.0..0.6, median: 720.8..796.6, slow: 13205.2..16806.6 },
    Figures { scenario: "E-commerce Order Processing", most: 6, spans: 4.9..5.3, failed: 1.1..2.1, hidden: 30.9..37.7, median: 505.1..558.3, slow: 674.4..858.4 },
    Figures { scenario: "Mesh: ask for a ride", most: 57, spans: 38.8..41.2, failed: 0.6..1.6, hidden: 31.0..37.8, median: 51.6..57.0, slow: 125.6..159.8 },
    Figures { scenario: "Agent: plan a trip", most: 107, spans: 21.9..23.3, failed: 0.0..0.5, hidden: 32.8..40.0, median: 6304.7..6968.3, slow: 16117.0..20512.6 },
    Figures { scenario: "Nightly: statements", most: 327, spans: 82.8..88.0, failed: 3.1..4.7, hidden: 50.0..61.0, median: 3439.3..3801.3, slow: 7392.4..9408.4 },
    Figures { scenario: "Pipeline: take order", most: 14, spans: 4.9..5.3, failed: 0.1..1.1, hidden: 6.0..7.4, median: 6.6..7.2, slow: 32.4..41.2 },
    Figures { scenario: "Pipeline: pack", most: 26, spans: 15.4..16.4, failed: 0.0..0.5, hidden: 7.2..8.8, median: 2767.6..3059.0, slow: 7634.8..9717.0 },
    Figures { scenario: "Pipeline: hand over", most: 7, spans: 3.1..3.3, failed: 1.6..2.6, hidden: 7.6..9.2, median: 166.6..184.2, slow: 5915.3..7528.5 },
    Figures { scenario: "Service Foo Scenario", most: 2, spans: 1.9..2.1, failed: 0.0..0.5, hidden: 0.0..0.6, median: 85.8..94.8, slow: 126.7..161.3 },
    Figures { scenario: "Shop: article page", most: 15, spans: 9.2..9.8, failed: 0.6..1.6, hidden: 19.1..23.3, median: 18.2..20.2, slow: 76.3..97.1 },
    Figures { scenario: "Shop: order", most: 36, spans: 17.8..18.8, failed: 3.0..4.4, hidden: 6.3..7.7, median: 195.8..216.4, slow: 2228.2..2835.8 },
];

#[test]
fn plans_of_examples() {
    for file in FILES {
        let (_, plan) = compile(&[shipped("examples").join(file).with_extension("yaml")]);
        insta::with_settings!({ snapshot_path => "../../snapshots/examples", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(file, plan.listing());
        });
    }
}

#[test]
fn figures_of_examples() {
    const TRACES: usize = 3_000;
    // The edge cases are no systems.
    let files = FILES.iter().chain(&["ecommerce_order", "service_foo"]);
    let mut files: Vec<_> = files.map(|file| shipped("examples").join(file).with_extension("yaml")).collect();
    files.sort();
    let (_, plan) = compile(&files);
    let (run, mut interpreter) = run(plan.clone());
    let mut trace = Trace::default();
    let mut shapes = vec![(Shape::default(), vec![]); plan.scenarios.len()];
    let mut index = 0;
    while shapes.iter().any(|(_, took)| took.len() < TRACES) {
        let (shape, took) = &mut shapes[run.scenario(index).index()];
        if took.len() < TRACES {
            interpreter.trace(index, &mut trace);
            shape.add(&trace);
            took.push(trace.spans[0].end - trace.spans[0].start);
        }
        index += 1;
    }
    let mut wrong = vec![];
    for (scenario, (shape, took)) in shapes.iter_mut().enumerate() {
        let name = plan.text(plan.scenarios[scenario].name);
        took.sort_unstable();
        let percentile = |percent: usize| took[TRACES * percent / 100] as f64 / MS as f64;
        let percent = |part: u64, of: u64| 100.0 * part as f64 / of as f64;
        let found = [
            shape.spans as f64 / shape.traces as f64,
            percent(shape.failed, shape.traces),
            percent(shape.hidden, shape.traces - shape.failed),
            percentile(50),
            percentile(99),
        ];
        let most = plan.bound(ScenarioId(scenario as u32)).max_spans;
        let Some(figures) = FIGURES.iter().find(|figures| figures.scenario == name) else {
            wrong.push(format!("{name} has no figures: at most {most} spans, {found:.1?}"));
            continue;
        };
        let Figures { spans, failed, hidden, median, slow, .. } = figures;
        let within =
            [spans, failed, hidden, median, slow].iter().zip(found).all(|(range, found)| range.contains(&found));
        if figures.most != most || !within {
            wrong.push(format!("{name}: at most {most} spans, {found:.1?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(FIGURES.len(), plan.scenarios.len());
}

/// The figures in the comments of its file.
#[test]
fn the_published_call_graph_is_met() {
    const TRACES: u64 = 20_000;
    let (_, plan) = compile(&[shipped("examples/alibaba_call_graph.yaml")]);
    let (run, mut interpreter) = run(plan.clone());
    let mut trace = Trace::default();
    let (mut depths, mut widths) = (BTreeSet::new(), BTreeSet::new());
    let (mut calls, mut repeated, mut times) = (0, 0, vec![]);
    for index in 0..TRACES {
        interpreter.trace(index, &mut trace);
        let view = View { plan: &plan, resources: run.resources(), trace: &trace };
        let callees = callees(&trace);
        let mut depth = vec![1; trace.spans.len()];
        for (ordinal, span) in view.spans().enumerate() {
            if span.kind() == SpanKind::Client {
                times.push(span.record().end - span.record().start);
            } else if !callees[ordinal].is_empty() {
                let mut asked: BTreeMap<&str, u64> = BTreeMap::new();
                for client in &callees[ordinal] {
                    *asked.entry(view.span(*client).name()).or_default() += 1;
                    for server in &callees[*client] {
                        depth[*server] = depth[ordinal] + 1;
                    }
                }
                widths.insert(callees[ordinal].len());
                calls += callees[ordinal].len() as u64;
                repeated += asked.values().map(|times| times - 1).sum::<u64>();
            }
        }
        depths.extend(depth.into_iter().max());
    }
    assert_eq!(depths, (2..=6).collect());
    assert!(widths.iter().all(|width| (1..=10).contains(width)) && widths.len() >= 9, "{widths:?}");
    assert!(p_value(repeated, calls, 0.162) > 1e-4, "{repeated} of {calls} calls repeat one");
    times.sort_unstable();
    let percentile = |percent: usize| times[times.len() * percent / 100] as f64 / MS as f64;
    let (median, slow) = (percentile(50), percentile(99));
    assert!((0.95..1.05).contains(&median) && (112.0..122.0).contains(&slow), "p50 {median} ms, p99 {slow} ms");
    let piled = times.iter().filter(|time| **time >= 30_000 * MS).count();
    assert!((40..400).contains(&piled), "{piled} of {} calls wait for 30 s", times.len());
}
