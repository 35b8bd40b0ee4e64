use super::*;
use crate::interpreter::{Arrivals, Schedule};
use crate::plan::{Chance, Inst, Plan, fixture};

/// 2026-01-01T00:00:00Z in ns.
const START: u64 = 1_767_225_600_000_000_000;

fn explained(plan: Plan, samples: u64, threads: usize) -> Explanation {
    let schedule = Schedule::new(START, Arrivals::Even { count: 10, per_ns: 1_000_000_000 }).unwrap();
    let run = Arc::new(Run::new(Arc::new(plan), 7, schedule));
    explain(&run, samples, NonZeroUsize::new(threads).unwrap(), &|_| {})
}

fn part<'a>(all: &'a Explanation, subject: &str) -> &'a Part {
    all.parts.iter().find(|part| format!("{:?}", part.subject).contains(subject)).expect(subject)
}

#[test]
fn threads_change_no_figure() {
    let one = explained(fixture::plan(), 7_300, 1);
    assert_eq!(one, explained(fixture::plan(), 7_300, 2));
    assert_eq!(one, explained(fixture::plan(), 7_300, 5));
    assert_ne!(one, explained(fixture::plan(), 7_301, 1));
}

#[test]
fn parts_are_in_order_and_exact() {
    let all = explained(fixture::plan(), 2_000, 2);
    let ranks: Vec<usize> = all.parts.iter().map(|part| parts::rank(&part.subject)).collect();
    assert_eq!(ranks, [0, 1, 1, 2, 2, 2, 3, 3, 3, 4]);
    assert!(all.parts.iter().all(|part| part.exact && part.bytes.is_some() && part.durations.is_some()));
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    let of_orders = 15.0 / 15.5;
    let orders = part(&all, "E-commerce");
    near(orders.share, of_orders);
    near(orders.failed, 0.02);
    assert_eq!((orders.spans.min, orders.spans.max), (1, 2));
    let total = part(&all, "Total");
    near(total.spans.mean, of_orders * 1.98 + 0.5 / 15.5);
    near(total.failed, of_orders * 0.02);
    let operation = part(&all, "process <<order_id>>");
    assert_eq!((operation.spans.min, operation.spans.max), (0, 1));
    near(operation.traces, of_orders * 0.98);
    near(operation.share, of_orders * 0.98 / total.spans.mean);
    near(part(&all, "Edge").frequency(), operation.frequency());
    let services = all.parts.iter().filter(|part| matches!(part.subject, Subject::Service { .. }));
    near(services.map(|part| part.share).sum(), 1.0);
}

/// What is exact is so without a sample; what is not says that there is none.
#[test]
fn without_a_sample_the_exact_figures_stay() {
    let all = explained(fixture::plan(), 0, 4);
    let sampled = explained(fixture::plan(), 1_000, 1);
    for (part, sampled) in all.parts.iter().zip(&sampled.parts) {
        assert_eq!((part.bytes, part.durations), (None, None));
        let like = Part { bytes: None, durations: None, ..sampled.clone() };
        assert_eq!(*part, like);
    }
}

#[test]
fn a_scenario_without_weight_is_explained_with_a_share_of_0() {
    let all = explained(fixture::plan().with_weights([0.0, 1.0]).unwrap(), 1_000, 1);
    let orders = part(&all, "E-commerce");
    assert_eq!((orders.share, orders.spans.max, orders.durations), (0.0, 2, None));
    let gateway = part(&all, "Service { service: \"api-gateway\"");
    assert_eq!((gateway.share, gateway.spans, gateway.failed), (0.0, Spans::default(), 0.0));
    assert_eq!(part(&all, "Total").spans, Spans { min: 1, mean: 1.0, max: 1 });
}

/// A block with more ways through it than are followed: each hit jumps over the next skip with another sum.
#[test]
fn where_nothing_is_exact_the_sample_stands_in() {
    let mut program = fixture::program();
    let attr = program.blocks[0].code[0];
    let chance = Chance::from_percent(1.0);
    let error = crate::plan::ErrorId(0);
    let rounds = 70;
    let end = 1 + rounds * 5 + 1;
    let mut code = vec![attr];
    for _ in 0..rounds {
        let pc = code.len() as u32;
        code.push(Inst::Roll);
        code.push(Inst::Fail { chance, error, target: pc + 2 });
        code.push(Inst::Roll);
        code.push(Inst::Fail { chance: Chance(code.len() as u64), error, target: pc + 5 });
        code.push(Inst::SkipIfFailed { target: end - 1 });
    }
    code.push(Inst::Call { block: crate::plan::BlockId(1), spec: None });
    code.push(Inst::End);
    assert_eq!(code.len() as u32, end + 1);
    program.blocks[0].code = code;
    let plan = Plan::verify(program).expect("a valid plan");
    assert!(plan.expectation(crate::plan::ScenarioId(0)).is_none(), "it can be followed");
    let all = explained(plan, 5_000, 2);
    let orders = part(&all, "E-commerce");
    assert!(!orders.exact && orders.failed > 0.2 && orders.spans.max == 2, "{orders:?}");
    assert!(!part(&all, "Total").exact && part(&all, "Shipping").exact);
}
