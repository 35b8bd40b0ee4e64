//! The properties of each span in the scenario files, by its block in the plan.

use std::collections::HashMap;
use tracegen::compiler::SourceMap;
use tracegen::language::scenario::dist::{Dist, Form};
use tracegen::language::scenario::{Body, Model, Span};
use tracegen::language::source::Loc;

/// One span of a scenario file.
pub struct Expected {
    /// The scenario, service and operation, for messages.
    pub place: String,
    /// The own delay in ns.
    pub delay: (u64, u64),
    /// The type and percentage of each error condition.
    pub errors: Vec<(String, f64)>,
}

/// Returns the spans that a span calls, including those in its groups.
pub fn callees(span: &Span) -> Vec<&Span> {
    let (mut callees, mut waiting) = (vec![], vec![&span.calls]);
    while let Some(items) = waiting.pop() {
        for item in items {
            match &item.body {
                Body::Span(span) => callees.push(&**span),
                Body::Group(list) => waiting.push(&list.items),
                Body::Work(_) => {}
            }
        }
    }
    callees
}

/// Returns the spans by block of the plan.
pub fn spans(model: &Model, operations: impl Fn(Loc) -> String, map: &SourceMap) -> Vec<Expected> {
    let mut written = HashMap::new();
    for scenario in &model.scenarios {
        let mut next = vec![&scenario.root];
        while let Some(span) = next.pop() {
            next.extend(callees(span));
            let operation = operations(span.operation.as_ref().expect("shipped spans have one").loc);
            written.insert(span.loc, expected(span, format!("{}: {operation}", scenario.name.value)));
        }
    }
    map.blocks.iter().map(|block| written.remove(&block.span).expect("each block is one span of a file")).collect()
}

fn expected(span: &Span, place: String) -> Expected {
    let condition = |c: &tracegen::language::scenario::ErrorCondition| {
        (
            c.r#type.constant().expect("shipped types are constant").to_string(),
            c.probability.as_ref().expect("shipped conditions have one").value,
        )
    };
    Expected {
        place,
        delay: span.delay.as_ref().map_or((0, 0), ends),
        errors: span.error_conditions.iter().map(condition).collect(),
    }
}

fn ends(delay: &Dist) -> (u64, u64) {
    match delay.form {
        Form::Uniform { min, max } => (min, max),
        _ => panic!("{delay:?} is not uniform"),
    }
}
