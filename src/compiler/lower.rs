//! Lowers the typed tree to the plan's blocks: instructions in the order that the language prescribes, and jumps. Nothing
//! is looked up or decided here.

mod code;

use super::source_map::{BlockSource, ScenarioSource, SourceMap};
use super::typed::{
    Act, Action, Block, Body, Conditions, Delay, Failing, Item, List, Propagation, Scenario, Span, Step, Time,
};
use crate::language::source::Loc;
use crate::plan::{self, Chance, Form, Group, Inst, Program};
use code::{Code, Label, PENDING};

/// Adds a scenario and its blocks to the program, and their places to the source map.
pub fn scenario(scenario: Scenario, program: &mut Program, map: &mut SourceMap) {
    let Some(root) = scenario.blocks.first().map(|block| block.id) else { return };
    for typed in scenario.blocks {
        debug_assert_eq!(typed.id.index(), program.blocks.len());
        let (block, source) = block(typed);
        program.blocks.push(block);
        map.blocks.push(source);
    }
    let (names, slots) = scenario.slots.into_iter().map(|slot| (slot.name, slot.loc)).unzip();
    map.scenarios.push(ScenarioSource { scenario: scenario.loc, slots });
    program.scenarios.push(plan::Scenario {
        name: scenario.name,
        weight: scenario.weight,
        slots: names,
        vars: scenario.vars,
        root,
        trace_state: scenario.trace_state,
    });
}

fn block(block: Block) -> (plan::Block, BlockSource) {
    let (mut code, mut end) = (Code::default(), Label::default());
    let (form, constants, late, end_conditions, end_events) = match block.body {
        Body::Span(mut span) => {
            let (late, end_conditions) = (std::mem::take(&mut span.late), span.end_conditions.take());
            let end_events = std::mem::take(&mut span.end_events);
            let goes_on = !block.list.items.is_empty() || end_conditions.is_some();
            let (form, constants) = start(&mut code, *span, goes_on, &mut end, block.loc);
            (form, constants, late, end_conditions, end_events)
        }
        Body::Group(group) => (Form::Group(group), vec![], vec![], None, vec![]),
    };
    let side_by_side = matches!(form, Form::Group(Group::Parallel { .. }));
    calls(&mut code, block.list, side_by_side, block.loc);
    late.into_iter().for_each(|one| step(&mut code, one));
    if let Some(conditions) = end_conditions {
        fails(&mut code, &conditions, &mut end);
    }
    code.bind(end);
    for (event, loc) in end_events {
        code.push(Inst::Event { event }, loc);
    }
    code.push(Inst::End, block.loc);
    let Code { insts, places } = code;
    (plan::Block { form, code: insts }, BlockSource { span: block.loc, constants, code: places })
}

/// Emits the code of a span before its calls, and returns its form and the places of its constants. `goes_on` says whether
/// code follows; a failed span then continues at `end`.
fn start(code: &mut Code, span: Span, goes_on: bool, end: &mut Label, loc: Loc) -> (Form, Vec<Loc>) {
    span.steps.into_iter().for_each(|one| step(code, one));
    for (slot, value) in span.without_calls {
        code.push(Inst::Set { slot, value }, loc);
    }
    let mut after_hit = Label::default();
    let before_work = span.conditions.as_ref().filter(|conditions| conditions.before_work);
    if let Some(conditions) = before_work {
        fails(code, conditions, &mut after_hit);
    }
    if let Some(delay) = span.delay {
        work(code, &delay);
    }
    if let Some(conditions) = span.conditions.as_ref().filter(|conditions| !conditions.before_work) {
        fails(code, conditions, &mut after_hit);
    }
    if span.events.is_empty() {
        *end = after_hit;
    } else {
        // Events come after a failure, too, but calls do not.
        code.bind(after_hit);
        for (event, loc) in span.events {
            code.push(Inst::Event { event }, loc);
        }
        if span.conditions.is_some() && goes_on {
            code.jump(Inst::SkipIfFailed { target: PENDING }, end, loc);
        }
    }
    (Form::Span(span.form), span.constant_places)
}

/// Emits the conditions under which a span fails and continues at `hit`. If none of them needs a roll, nothing is drawn.
fn fails(code: &mut Code, Conditions { list, rolls_when, loc, .. }: &Conditions, hit: &mut Label) {
    let mut no_incident = Label::default();
    if let Some(value) = *rolls_when {
        code.jump(Inst::Test { value, target: PENDING }, &mut no_incident, *loc);
    }
    if list.iter().any(|condition| condition.chance.is_some()) {
        code.push(Inst::Roll, *loc);
    }
    for condition in list {
        if condition.guard.is_none() {
            code.bind(std::mem::take(&mut no_incident));
        }
        let mut skip = Label::default();
        if let Some(value) = condition.guard {
            code.jump(Inst::Test { value, target: PENDING }, &mut skip, condition.loc);
        }
        if let Some((value, loc)) = condition.when {
            code.jump(Inst::Test { value, target: PENDING }, &mut skip, loc);
        }
        let chance = condition.chance.unwrap_or(Chance::ONE);
        code.jump(Inst::Fail { chance, error: condition.error, target: PENDING }, hit, condition.loc);
        code.bind(skip);
    }
    code.bind(no_incident);
}

fn step(code: &mut Code, Step { action, loc }: Step) {
    let inst = match action {
        Action::Link(link) => Inst::Link { link },
        Action::Keep(slot, value) => Inst::Set { slot, value },
        Action::Attribute(attr, value) => Inst::Attr { attr, value },
        Action::Name(value) => Inst::Name { value },
        Action::Export(key) => Inst::Export { key },
    };
    code.push(inst, loc);
}

fn work(code: &mut Code, delay: &Delay) {
    let inst = match delay.time {
        Time::Uniform { min, max } => Inst::Delay { min, max },
        Time::Dist(dist) => Inst::DelayDist { dist },
    };
    code.push(inst, delay.loc);
}

/// Emits the items of a list. After a failure was passed on, only items that handle failures run, except that parallel
/// items all run.
fn calls(code: &mut Code, list: List, side_by_side: bool, loc: Loc) {
    for (slot, value) in list.initial {
        code.push(Inst::Set { slot, value }, loc);
    }
    let (failing, mut next_handler) = (list.failing, Label::default());
    for item in list.items {
        if item.handles.is_some() {
            code.bind(std::mem::take(&mut next_handler));
        }
        self::item(code, item, failing, &mut next_handler);
        if side_by_side {
            code.bind(std::mem::take(&mut next_handler));
        }
    }
    code.bind(next_handler);
}

fn item(code: &mut Code, item: Item, failing: Option<Failing>, next_handler: &mut Label) {
    let Item { steps, when, chance, act, propagation, inner, handles, loc } = item;
    let mut skip = Label::default();
    steps.into_iter().for_each(|one| step(code, one));
    if let Some((value, loc)) = when {
        code.jump(Inst::Test { value, target: PENDING }, &mut skip, loc);
    }
    if let Some((chance, loc)) = chance {
        code.jump(Inst::Chance { chance, target: PENDING }, &mut skip, loc);
    }
    match act {
        Act::Call { block, spec } => code.push(Inst::Call { block, spec }, loc),
        Act::Work(delays) => delays.iter().for_each(|delay| work(code, delay)),
        Act::Nothing => {}
    }
    if let Some(propagation) = propagation {
        pass_on(code, &propagation, failing, next_handler);
    }
    if let Some(inner) = inner {
        // A group in which a failure was passed on passes it on, too.
        let mut stays = Label::default();
        code.jump(Inst::Test { value: inner.is, target: PENDING }, &mut stays, loc);
        if let Some(Failing { slot, .. }) = failing {
            code.push(Inst::Set { slot, value: inner.is }, loc);
        }
        code.jump(Inst::Test { value: inner.is_not, target: PENDING }, next_handler, loc);
        code.bind(stays);
    }
    match (handles, failing) {
        (Some(own), Some(failing)) => {
            let stop = Inst::Test { value: failing.is_not, target: PENDING };
            code.jump(stop, next_handler, loc);
            own.into_iter().for_each(|one| step(code, one));
            code.bind(skip);
            code.jump(stop, next_handler, loc);
        }
        _ => code.bind(skip),
    }
}

/// Passes the failure of the call before on to the span.
fn pass_on(code: &mut Code, propagation: &Propagation, failing: Option<Failing>, next_handler: &mut Label) {
    let (loc, mut stays) = (propagation.loc, Label::default());
    code.jump(Inst::Test { value: propagation.failed, target: PENDING }, &mut stays, loc);
    if let Some((value, loc)) = propagation.when {
        code.jump(Inst::Test { value, target: PENDING }, &mut stays, loc);
    }
    if let Some(chance) = propagation.chance {
        code.jump(Inst::Chance { chance, target: PENDING }, &mut stays, loc);
    }
    if let Some(Failing { slot, .. }) = failing {
        code.push(Inst::Set { slot, value: propagation.yes }, loc);
    }
    if let Some(slot) = propagation.noted {
        code.push(Inst::Set { slot, value: propagation.yes }, loc);
    }
    code.jump(Inst::Propagate { error: propagation.error, target: PENDING }, next_handler, loc);
    code.bind(stays);
}
