//! Measures the cost of generation, for a profiler or in turns with another build: of traces, or with `run` of OTLP batches that
//! are dropped. `cargo run --profile dist --example generate -- interpret|run ecommerce|mixed [TRACES]` prints ns a span for nine
//! turns of the same number of traces, in ascending order.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use tracegen::export::{Batch, Encode, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::trace::Trace;

#[allow(dead_code)]
#[path = "../tests/support/plans.rs"]
mod plans;
#[path = "../tests/support/shipped.rs"]
mod shipped;

const TURNS: u64 = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let encodes = match arguments.next().as_deref() {
        Some("interpret") => false,
        Some("run") => true,
        _ => return Err("interpret or run?".into()),
    };
    let plan = match arguments.next().as_deref() {
        Some("ecommerce") => plans::ecommerce(),
        Some("mixed") => shipped::shipped(),
        _ => return Err("ecommerce or mixed?".into()),
    };
    let traces: u64 = arguments.next().map_or(Ok(200_000), |n| n.parse())?;
    let arrivals = Arrivals::Even { count: 1_000_000, per_ns: 1_000_000_000 };
    let run = Arc::new(Run::new(Arc::new(plan), 42, Schedule::new(1_767_225_600_000_000_000, arrivals)?));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    let mut encoder = Protobuf::new(run.plan(), run.resources());

    let mut turn = |first: u64| {
        let (mut spans, began) = (0, Instant::now());
        for index in first..first + traces {
            interpreter.trace(index, &mut trace);
            spans += black_box(&trace).spans.len();
            let mut full = None;
            if encodes {
                encoder.add(run.origin().view(&trace), &mut |batch: Batch| full = Some(batch.body));
            }
            if let Some(body) = full {
                encoder.recycle(black_box(body));
            }
        }
        began.elapsed().as_nanos() as f64 / spans as f64
    };
    let mut costs: Vec<f64> = (0..TURNS).map(|i| turn(i * traces)).collect();
    costs.sort_by(f64::total_cmp);
    println!("{}", costs.iter().map(|cost| format!("{cost:.1}")).collect::<Vec<_>>().join(" "));
    Ok(())
}
