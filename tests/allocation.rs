//! Once warm, a trace costs no allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::plan::Plan;
use tracegen::trace::Trace;

#[path = "support/plans.rs"]
mod plans;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all is passed on to the system's allocator; the counter is a plain cell without a destructor
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(plan: Plan, arrivals: Arrivals) -> u64 {
    let schedule = Schedule::new(1_767_225_600_000_000_000, arrivals).unwrap();
    let run = Arc::new(Run::new(Arc::new(plan), 42, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    (0..20_000).for_each(|index| interpreter.trace(index, &mut trace));
    let before = ALLOCATIONS.with(Cell::get);
    (20_000..30_000).for_each(|index| interpreter.trace(index, &mut trace));
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_warm_interpreter_allocates_nothing() {
    let counted = ALLOCATIONS.with(Cell::get);
    drop(Box::new(1));
    assert!(ALLOCATIONS.with(Cell::get) > counted, "the counter counts");
    for arrivals in [
        Arrivals::Even { count: 100, per_ns: 1_000_000_000 },
        Arrivals::Interval { min_ns: 0, max_ns: 100_000_000, lanes: 5 },
        Arrivals::Poisson { count: 100, per_ns: 1_000_000_000 },
    ] {
        for plan in [plans::ecommerce(), plans::wide(), plans::linked()] {
            let name = plan.text(plan.scenarios[0].name).to_owned();
            assert_eq!(allocations(plan, arrivals), 0, "{name} {arrivals:?}");
        }
    }
}
