//! Any text as a scenario file: it is loaded and compiled, and every mistake is at a place inside the text. If it compiles,
//! its first traces stay within the plan's bounds.

use std::sync::Arc;
use tracegen::compiler::compile_loaded;
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::language::load_texts;
use tracegen::trace::Trace;

pub fn run(text: &str) {
    let (sources, compiled) = compile_loaded(load_texts(vec![("fuzz.yaml".into(), text.into())]));
    for diagnostic in &compiled.diagnostics {
        let file = sources.file(diagnostic.at.file);
        assert!(file.text.get(diagnostic.at.range()).is_some(), "{diagnostic:?} is not in the text");
        assert!(diagnostic.problem.code() != "E0699", "{diagnostic:?}");
    }
    let Some(plan) = compiled.plan else { return };
    let schedule = Schedule::new(0, Arrivals::Even { count: 10, per_ns: 1_000_000_000 }).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(plan), 1, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    for index in 0..3 {
        interpreter.trace(index, &mut trace);
        let bound = run.plan().bound(trace.scenario);
        assert!(trace.spans.len() as u32 <= bound.max_spans && trace.end - trace.start <= bound.duration);
    }
}
