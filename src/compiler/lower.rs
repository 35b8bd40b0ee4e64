//! The typed tree to the plan's blocks: instructions in the order that the language pins, and jumps. Nothing is looked up or
//! decided here.

mod code;

use super::source_map::{BlockSource, ScenarioSource, SourceMap};
use super::typed::{Action, Conditions, Scenario, Span, Step, Time};
use crate::plan::{Block, Inst, Program};
use code::{Code, Label, PENDING};

/// Adds a scenario and its blocks to the program, and their places to the map.
pub fn scenario(scenario: Scenario, program: &mut Program, map: &mut SourceMap) {
    let Some(root) = scenario.spans.first().map(|span| span.block) else { return };
    for span in scenario.spans {
        debug_assert_eq!(span.block.index(), program.blocks.len());
        let (block, source) = block(span);
        program.blocks.push(block);
        map.blocks.push(source);
    }
    let (names, slots) = scenario.slots.into_iter().map(|slot| (slot.name, slot.loc)).unzip();
    map.scenarios.push(ScenarioSource { scenario: scenario.loc, slots });
    program.scenarios.push(crate::plan::Scenario {
        name: scenario.name,
        weight: scenario.weight,
        slots: names,
        vars: scenario.vars,
        root,
    });
}

fn block(span: Span) -> (Block, BlockSource) {
    let mut code = Code::default();
    for Step { action, loc } in span.steps {
        let inst = match action {
            Action::Link(link) => Inst::Link { link },
            Action::Keep(slot, value) => Inst::Set { slot, value },
            Action::Attribute(attr, value) => Inst::Attr { attr, value },
            Action::Name(value) => Inst::Name { value },
            Action::Export(key) => Inst::Export { key },
        };
        code.push(inst, loc);
    }
    if let Some(delay) = &span.delay {
        let inst = match delay.time {
            Time::Uniform { min, max } => Inst::Delay { min, max },
            Time::Dist(dist) => Inst::DelayDist { dist },
        };
        code.push(inst, delay.loc);
    }
    let (mut after_hit, mut end) = (Label::default(), Label::default());
    if let Some(Conditions { list, loc }) = &span.conditions {
        code.push(Inst::Roll, *loc);
        for condition in list {
            let fail = Inst::Fail { chance: condition.chance, error: condition.error, target: PENDING };
            code.jump(fail, &mut after_hit, condition.loc);
        }
    }
    if span.events.is_empty() {
        end = after_hit;
    } else {
        // Events come after a hit too, calls don't.
        code.bind(after_hit);
        for (event, loc) in span.events {
            code.push(Inst::Event { event }, loc);
        }
        if span.conditions.is_some() && !span.calls.is_empty() {
            code.jump(Inst::SkipIfFailed { target: PENDING }, &mut end, span.loc);
        }
    }
    for (block, loc) in span.calls {
        code.push(Inst::Call { block }, loc);
    }
    code.bind(end);
    code.push(Inst::End, span.loc);
    let Code { insts, places } = code;
    let source = BlockSource { span: span.loc, constants: span.constant_places, code: places };
    (Block { span: span.form, code: insts }, source)
}
