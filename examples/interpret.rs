//! What interpreting costs, without encoding: `cargo run --release --example interpret [ecommerce|wide|linked] [traces]`.

use std::sync::Arc;
use std::time::Instant;
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::trace::Trace;

#[path = "../tests/support/plans.rs"]
mod plans;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let plan = match arguments.next().as_deref() {
        Some("wide") => plans::wide(),
        Some("linked") => plans::linked(),
        _ => plans::ecommerce(),
    };
    let traces: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let arrivals = Arrivals::Even { count: 1000, per_ns: 1_000_000_000 };
    let schedule = Schedule::new(1_767_225_600_000_000_000, arrivals).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(plan), 42, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let (mut spans, began) = (0, Instant::now());
    for index in 0..traces {
        interpreter.trace(index, &mut trace);
        spans += std::hint::black_box(&trace).spans.len();
    }
    let ns = began.elapsed().as_nanos() as f64;
    println!(
        "{traces} traces, {spans} spans: {:.1} ns a span, {:.0} ns a trace",
        ns / spans as f64,
        ns / traces as f64
    );
}
