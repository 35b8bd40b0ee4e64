use super::*;
use crate::interpreter::{Arrivals, Schedule};
use crate::plan::{BlockId, Constant, Expr, Inst, Operator, Plan, fixture};

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
fn threads_do_not_affect_figures() {
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
    assert!(all.parts.iter().all(|part| part.is_exact() && part.bytes.is_some() && part.durations.is_some()));
    let near = |found: Figure, expected: f64| {
        let found = found.value().unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    };
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
    near(operation.share, of_orders * 0.98 / total.spans.mean.value().unwrap());
    assert_eq!(part(&all, "Edge").frequency(), operation.frequency());
    let services = all.parts.iter().filter(|part| matches!(part.subject, Subject::Service { .. }));
    near(Figure::Exact(services.filter_map(|part| part.share.value()).sum()), 1.0);
}

/// Exact figures are known without a sample, and the others are marked as unknown.
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
    assert_eq!((orders.share, orders.spans.max, orders.durations), (Figure::Exact(0.0), 2, None));
    let gateway = part(&all, "Service { service: \"api-gateway\"");
    let none = Figure::Exact(0.0);
    assert_eq!((gateway.share, gateway.spans, gateway.failed), (none, Spans { min: 0, mean: none, max: 0 }, none));
    assert_eq!(part(&all, "Total").spans, Spans { min: 1, mean: Figure::Exact(1.0), max: 1 });
}

/// Makes a plan with a call that depends on a draw from very many values.
fn unforeseen() -> Plan {
    let mut maker = fixture::Maker { program: fixture::program() };
    let drawn = maker.expr(Expr::RandomInt { min: 0, max: 999_999 });
    let limit = maker.expr(Expr::Const { value: Constant::Int(250_000) });
    let value = maker.expr(Expr::Binary { operator: Operator::Lt, left: drawn, right: limit });
    let attr = maker.program.blocks[0].code[0];
    let call = Inst::Call { block: BlockId(1), spec: None };
    maker.program.blocks[0].code = vec![attr, Inst::Test { value, target: 3 }, call, Inst::End];
    Plan::verify(maker.program).expect("a valid plan")
}

#[test]
fn sampled_figures_replace_exact_ones_with_intervals() {
    let all = explained(unforeseen(), 5_000, 2);
    let orders = part(&all, "E-commerce");
    assert_eq!((orders.share, orders.spans.min, orders.spans.max), (Figure::Exact(15.0 / 15.5), 1, 2));
    let holds = |figure: Figure, value: f64| {
        let (low, high) = figure.interval().expect("a sample's");
        assert!(low < value && value < high && high - low < 0.1, "{value}: {figure:?}");
    };
    holds(orders.spans.mean, 1.25);
    assert!(orders.failed.interval().unwrap().1 < 0.005);
    let called = part(&all, "process <<order_id>>");
    holds(called.traces, 15.0 / 15.5 * 0.25);
    holds(called.share, 0.25 * 15.0 / (1.25 * 15.0 + 0.5));
    assert!(!part(&all, "Total").is_exact() && part(&all, "Shipping").is_exact());
    assert!(part(&all, "Service { service: \"shipping").share.interval().is_some(), "all spans are not known");
}

#[test]
fn figures_that_are_not_exact_are_unknown_without_a_sample() {
    let all = explained(unforeseen(), 0, 1);
    let orders = part(&all, "E-commerce");
    assert_eq!(
        (orders.share, orders.spans.mean, orders.failed),
        (Figure::Exact(15.0 / 15.5), Figure::Unknown, Figure::Unknown)
    );
    assert!(part(&all, "Shipping").is_exact());
}
