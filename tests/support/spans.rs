//! Scenarios as text, compiled and run: the spans of their first traces.

use std::collections::BTreeMap;
use std::sync::Arc;
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::language::diagnostic::render;
use tracegen::plan::{BlockId, Plan};
use tracegen::trace::{Datum, NONE, Trace};
use tracegen::{compiler, language};

pub const MS: u64 = 1_000_000;
const START: u64 = 1_772_409_600_000_000_000;

/// Compiles a file's text.
pub fn compile(text: &str) -> Plan {
    let loaded = language::load_texts(vec![("calls.yaml".into(), text.into())]);
    let (sources, compiled) = compiler::compile_loaded(loaded);
    let found = render::human(&sources, &compiled.diagnostics, false);
    compiled.plan.unwrap_or_else(|| panic!("{found}\n{text}"))
}

/// A span with its times in ns from its trace's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub service: String,
    pub name: String,
    pub parent: Option<usize>,
    pub block: BlockId,
    pub start: u64,
    pub end: u64,
    pub failed: bool,
    /// The type and the message of its failure, and how many exceptions it recorded.
    pub error: Option<(String, String, usize)>,
    /// The attributes that are scalars, as text.
    pub attributes: BTreeMap<String, String>,
}

impl Span {
    /// The value of an attribute, as text; empty without the attribute.
    #[allow(dead_code, reason = "not every test binary that shares this file looks at attributes")]
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", |value| value)
    }
}

/// Makes the first `count` traces of a plan, and looks at each.
pub fn each_trace(plan: Plan, count: u64, mut look: impl FnMut(&Plan, &Trace, Vec<Span>)) {
    let schedule = Schedule::new(START, Arrivals::Even { count, per_ns: 60_000 * MS }).expect("a sound schedule");
    let run = Arc::new(Run::new(Arc::new(plan), 7, schedule));
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    for index in 0..count {
        interpreter.trace(index, &mut trace);
        let spans = run.origin().view(&trace).spans().map(|span| {
            let record = span.record();
            Span {
                service: run.plan().service_of(record.block).into(),
                name: span.name().into(),
                parent: (record.parent != NONE).then_some(record.parent as usize),
                block: record.block,
                start: record.start - trace.start,
                end: record.end - trace.start,
                failed: record.failure != NONE,
                error: span.failure().map(|(kind, message)| {
                    let exceptions = span.events().iter().filter(|event| event.name == "exception").count();
                    (kind.into(), message.into(), exceptions)
                }),
                attributes: span.attributes().filter_map(|(key, value)| Some((key.into(), text(value)?))).collect(),
            }
        });
        look(run.plan(), &trace, spans.collect());
    }
}

fn text(value: Datum<'_>) -> Option<String> {
    match value {
        Datum::Text(value) => Some(value.into()),
        Datum::Int(value) => Some(value.to_string()),
        Datum::Double(value) => Some(value.to_string()),
        Datum::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
