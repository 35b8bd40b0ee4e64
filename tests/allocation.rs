//! Once warm, a trace is generated without any allocation.

use std::sync::Arc;
use support::{
    counting, plans,
    shipped::{features, shipped},
};
use tracegen::interpreter::{Arrivals, Epoch, Interpreter, LoadTerms, Run, Schedule};
use tracegen::plan::Plan;
use tracegen::trace::Trace;
use tracegen::{compiler, language};

mod support {
    pub mod counting;
    pub mod plans;
    pub mod shipped;
}

/// The texts of the compiler's inputs.
fn written(name: &str) -> Plan {
    let loaded = language::load(&[format!("tests/plans/{name}.yaml").into()]);
    compiler::compile_loaded(loaded).1.plan.expect("it compiles")
}

const START: u64 = 1_767_225_600_000_000_000;

/// A load of all kinds, which incidents multiply, also for one scenario alone.
const LOAD: &str = "
load: {stages: [{for: 10s, rate: 400/s}, {for: 20s, rate: 90/s}], cycle: 30s, arrivals: poisson}
incidents:
  - {name: burst, at: +2s, for: 3s, every: 10s, rate: x3}
  - {name: sale, at: +1s, for: 7s, every: 15s, rate: x2, select: {scenario: A}}
scenarios:
  - {name: A, weight: 3, root_span: {service: s, operation: a, export_context_as: a}}
  - {name: B, root_span: {service: s, operation: b, link_from_context: a}}
  - {name: C, load: {rate: 50/s}, root_span: {service: s, operation: c}}
  - {name: D, load: {every: 1s, jitter_ms: [0, 300]}, root_span: {service: s, operation: d}}
";

fn with_load() -> Plan {
    compiler::compile_loaded(language::load_texts(vec![("load.yaml".into(), LOAD.into())])).1.plan.expect("it compiles")
}

fn allocations(plan: Plan, arrivals: Arrivals) -> u64 {
    let load = (!plan.load.is_empty()).then(|| LoadTerms::plain(START));
    let schedule = Schedule::of(Epoch { first: 0, opening: START, arrivals, load }).unwrap();
    let run = Arc::new(Run::new(Arc::new(plan), 42, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    (0..20_000).for_each(|index| interpreter.trace(index, &mut trace));
    let before = counting::allocations();
    (20_000..30_000).for_each(|index| interpreter.trace(index, &mut trace));
    counting::allocations() - before
}

#[test]
fn a_warm_interpreter_allocates_nothing() {
    let counted = counting::allocations();
    drop(Box::new(1));
    assert!(counting::allocations() > counted, "the counter counts");
    for arrivals in [
        Arrivals::Even { count: 100, per_ns: 1_000_000_000 },
        Arrivals::Interval { min_ns: 0, max_ns: 100_000_000, lanes: 5 },
        Arrivals::Poisson { count: 100, per_ns: 1_000_000_000 },
    ] {
        for plan in [plans::ecommerce(), plans::wide(), plans::linked(), plans::timed(), shipped(), features()]
            .into_iter()
            .chain(["batches", "events", "incidents", "nested", "refusals", "tables"].map(written))
        {
            let name = plan.text(plan.scenarios[0].name).to_owned();
            assert_eq!(allocations(plan, arrivals), 0, "{name} {arrivals:?}");
        }
        assert_eq!(allocations(with_load(), arrivals), 0, "beside loads: {arrivals:?}");
    }
    assert_eq!(allocations(with_load(), Arrivals::Load), 0, "by loads");
}
