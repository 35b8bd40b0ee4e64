//! What the files say of each span, by the block it became.

use tracegen::language::scenario::{Model, Span};
use tracegen::plan::{BlockId, Inst, Plan};

/// One span of a scenario file.
pub struct Expected {
    /// Scenario and operation, as messages show it.
    pub place: String,
    /// Own delay, ns.
    pub delay: (u64, u64),
    /// Type and percentage of each error condition.
    pub errors: Vec<(String, f64)>,
}

/// By [`BlockId`]. A scenario's tree of spans and its tree of blocks have the same shape.
pub fn spans(model: &Model, plan: &Plan) -> Vec<Expected> {
    let mut by_block: Vec<Option<Expected>> = plan.blocks.iter().map(|_| None).collect();
    for scenario in &model.scenarios {
        let name = &scenario.name.value;
        let compiled = plan.scenarios.iter().find(|s| plan.text(s.name) == name).expect("each scenario is in the plan");
        walk(&scenario.root, compiled.root, name, plan, &mut by_block);
    }
    by_block.into_iter().map(|expected| expected.expect("each block is a span of a file")).collect()
}

fn walk(span: &Span, block: BlockId, path: &str, plan: &Plan, by_block: &mut [Option<Expected>]) {
    let code = &plan.block(block).code;
    let called: Vec<BlockId> =
        code.iter().filter_map(|inst| if let Inst::Call { block, .. } = inst { Some(*block) } else { None }).collect();
    assert_eq!(called.len(), span.calls.len(), "{path}");
    by_block[block.index()] = Some(Expected {
        place: format!("{path} / {block}"),
        delay: span.delay.as_ref().map_or((0, 0), |delay| (delay.min, delay.max)),
        errors: span
            .error_conditions
            .iter()
            .map(|c| (c.r#type.constant().expect("shipped types are constant").to_string(), c.probability.value))
            .collect(),
    });
    for (child, block) in span.calls.iter().zip(called) {
        walk(child, block, path, plan, by_block);
    }
}
