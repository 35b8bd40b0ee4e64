//! What can be seen in the tables alone: sizes, ids, texts, names, parameters.

use super::violation::{Fault, Place, Violation};
use crate::plan::{
    AttrId, Block, BlockId, Chance, Constant, ErrorId, EventId, Expr, ExprId, Inst, LinkId, Program, ResourceId,
    SEMANTICS, ScenarioId, ServiceId, TextId, limits,
};
use std::collections::HashSet;

type Checked = Result<(), Violation>;

pub(super) fn check(program: &Program) -> Checked {
    if program.semantics != SEMANTICS {
        return Err(Place::Program.broken(Fault::Semantics { found: program.semantics }));
    }
    sizes(program)?;
    texts(program)?;
    services(program)?;
    exprs(program)?;
    let mut owned = vec![false; program.attrs.len()];
    for (i, key) in program.attrs.iter().enumerate() {
        key_text(program, Place::Attr(AttrId(i as u32)), *key)?;
    }
    events(program, &mut owned)?;
    for (i, error) in program.errors.iter().enumerate() {
        let place = Place::Error(ErrorId(i as u32));
        [Some(error.r#type), error.message].into_iter().flatten().try_for_each(|id| expr(program, place, id))?;
    }
    for (i, link) in program.links.iter().enumerate() {
        let place = Place::Link(LinkId(i as u32));
        text(program, place, link.glob)?;
        link.sources.iter().try_for_each(|id| within(place, "block", id.0, program.blocks.len()))?;
    }
    scenarios(program)?;
    for (i, block) in program.blocks.iter().enumerate() {
        form(program, BlockId(i as u32), block, &mut owned)?;
        code(program, BlockId(i as u32), block)?;
    }
    Ok(())
}

fn sizes(program: &Program) -> Checked {
    let operands = |e: &Expr| match e {
        Expr::Const { value: Constant::List(items) } => items.len(),
        Expr::RandomWeighted { items, weights } => items.len().max(weights.len()),
        e => e.operands().count(),
    };
    let constants = |block: &Block| -> usize {
        let len = |value: &Constant| if let Constant::List(items) = value { items.len() } else { 1 };
        block.span.constants.iter().map(|(_, value)| len(value)).sum()
    };
    let tables = [
        ("texts", program.texts.len(), limits::TABLE),
        ("bytes of text", program.texts.iter().map(String::len).sum(), limits::TEXTS_BYTES),
        ("services", program.services.len(), limits::TABLE),
        ("resources", program.resources.len(), limits::TABLE),
        ("resource attributes", program.resources.iter().map(|r| r.attributes.len()).sum(), limits::TABLE),
        ("expressions", program.exprs.len(), limits::TABLE),
        ("operands", program.exprs.iter().map(operands).sum(), limits::TABLE),
        (
            "zipf expressions",
            program.exprs.iter().filter(|e| matches!(e, Expr::RandomZipf { .. })).count(),
            limits::ZIPFS,
        ),
        ("computed attributes", program.attrs.len(), limits::TABLE),
        ("events", program.events.len(), limits::TABLE),
        ("event attributes", program.events.iter().map(|e| e.attributes.len()).sum(), limits::TABLE),
        ("errors", program.errors.len(), limits::TABLE),
        ("links", program.links.len(), limits::TABLE),
        ("link sources", program.links.iter().map(|l| l.sources.len()).sum(), limits::TABLE),
        ("scenarios", program.scenarios.len(), limits::SCENARIOS),
        ("slots", program.scenarios.iter().map(|s| s.slots.len()).sum(), limits::TABLE),
        ("vars", program.scenarios.iter().map(|s| s.vars.len()).sum(), limits::TABLE),
        ("blocks", program.blocks.len(), limits::TABLE),
        ("instructions", program.blocks.iter().map(|b| b.code.len()).sum(), limits::TABLE),
        ("constant attributes", program.blocks.iter().map(constants).sum(), limits::TABLE),
    ];
    tables.into_iter().try_for_each(|(what, count, max)| at_most(Place::Program, what, count, max))
}

fn at_most(place: Place, what: &'static str, count: usize, max: usize) -> Checked {
    if count > max {
        return Err(place.broken(Fault::TooMany { what, count: count as u64, max: max as u64 }));
    }
    Ok(())
}

fn within(place: Place, what: &'static str, id: u32, len: usize) -> Checked {
    if id as usize >= len {
        return Err(place.broken(Fault::OutOfRange { what, id, len }));
    }
    Ok(())
}

fn require(place: Place, holds: bool, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(place.broken(Fault::Range(rule))) }
}

fn text(program: &Program, place: Place, id: TextId) -> Result<&str, Violation> {
    within(place, "text", id.0, program.texts.len())?;
    Ok(&program.texts[id.index()])
}

fn expr(program: &Program, place: Place, id: ExprId) -> Checked {
    within(place, "expr", id.0, program.exprs.len())
}

fn named<'a>(program: &'a Program, place: Place, what: &'static str, id: TextId) -> Result<&'a str, Violation> {
    let name = text(program, place, id)?;
    if name.is_empty() { Err(place.broken(Fault::Empty { what })) } else { Ok(name) }
}

fn key_text(program: &Program, place: Place, id: TextId) -> Result<&str, Violation> {
    named(program, place, "an attribute's key", id)
}

/// A key that must not be in `seen` yet. Texts are unique, so their ids tell.
fn key(program: &Program, place: Place, id: TextId, seen: &mut HashSet<TextId>) -> Checked {
    let text = key_text(program, place, id)?;
    if !seen.insert(id) {
        return Err(place.broken(Fault::Twice { what: "attribute", text: text.into() }));
    }
    Ok(())
}

fn texts(program: &Program) -> Checked {
    let mut seen = HashSet::with_capacity(program.texts.len());
    for (i, text) in program.texts.iter().enumerate() {
        let place = Place::Text(TextId(i as u32));
        at_most(place, "bytes of text", text.len(), limits::TEXT_BYTES)?;
        if !seen.insert(text.as_str()) {
            return Err(place.broken(Fault::Twice { what: "text", text: text.chars().take(80).collect() }));
        }
    }
    Ok(())
}

fn services(program: &Program) -> Checked {
    let mut next = 0_u64;
    for (i, service) in program.services.iter().enumerate() {
        let place = Place::Service(ServiceId(i as u32));
        named(program, place, "a service's name", service.name)?;
        require(place, service.instances >= 1, "a service has at least one instance")?;
        if u64::from(service.first_resource.0) != next {
            return Err(place.broken(Fault::ResourceOrder { expected: next as u32 }));
        }
        next += u64::from(service.instances);
        if next > program.resources.len() as u64 {
            let (id, len) = ((next - 1) as u32, program.resources.len());
            return Err(place.broken(Fault::OutOfRange { what: "resource", id, len }));
        }
    }
    if next < program.resources.len() as u64 {
        let place = Place::Resource(ResourceId(next as u32));
        return Err(place.broken(Fault::ResourceOrder { expected: next as u32 }));
    }
    let mut seen = HashSet::new();
    for (i, resource) in program.resources.iter().enumerate() {
        let place = Place::Resource(ResourceId(i as u32));
        seen.clear();
        for (id, value) in &resource.attributes {
            key(program, place, *id, &mut seen)?;
            expr(program, place, *value)?;
        }
    }
    Ok(())
}

fn exprs(program: &Program) -> Checked {
    let mut depths: Vec<u16> = Vec::with_capacity(program.exprs.len());
    for (i, expr) in program.exprs.iter().enumerate() {
        let place = Place::Expr(ExprId(i as u32));
        let mut depth = 0;
        for operand in expr.operands() {
            let below = depths.get(operand.index()).ok_or_else(|| place.broken(Fault::Operand { operand }))?;
            depth = depth.max(*below);
        }
        if depth == limits::EXPR_DEPTH {
            return Err(place.broken(Fault::ExprDepth));
        }
        depths.push(depth + 1);
        parameters(program, place, expr)?;
    }
    Ok(())
}

fn parameters(program: &Program, place: Place, expr: &Expr) -> Checked {
    const UPSIDE_DOWN: &str = "min is greater than max";
    const DECIMALS: &str = "digits must be at most 15";
    const WIDTH: &str = "digits must be 1 to 1,024";
    const NO_ITEMS: &str = "there must be an item to choose";
    match expr {
        Expr::Const { value } => constant(program, place, value),
        Expr::Linked { key } => key_text(program, place, *key).map(|_| ()),
        Expr::RandomInt { min, max } => require(place, min <= max, UPSIDE_DOWN),
        Expr::RandomFloat { min, max, digits } => {
            require(place, min <= max, UPSIDE_DOWN)?;
            require(place, *digits <= limits::DECIMALS, DECIMALS)
        }
        Expr::RandomFloatBetween { digits, .. } | Expr::Round { digits, .. } => {
            require(place, *digits <= limits::DECIMALS, DECIMALS)
        }
        Expr::RandomBool { chance } => require(place, *chance <= Chance::ONE, "a chance is at most 2^32"),
        Expr::RandomChoice { items } | Expr::StablePick { items, .. } => require(place, !items.is_empty(), NO_ITEMS),
        Expr::RandomWeighted { items, weights } => {
            require(place, !items.is_empty(), NO_ITEMS)?;
            require(place, items.len() == weights.len(), "there must be a weight for each item")?;
            weighted(place, weights.iter().copied())
        }
        Expr::RandomHex { digits } | Expr::StableHex { digits, .. } => {
            require(place, (1..=limits::WIDTH).contains(digits), WIDTH)
        }
        Expr::Pad { width, .. } => require(place, *width <= limits::WIDTH, "width must be at most 1,024"),
        Expr::RandomZipf { n, s } => {
            require(place, (1..=limits::ZIPF_N).contains(n), "zipf's n must be 1 to 10,000,000")?;
            require(place, *s > 0.0 && *s <= limits::ZIPF_S, "zipf's s must be over 0 and at most 10")
        }
        _ => Ok(()),
    }
}

const WEIGHT: &str = "a weight is a finite number, at least 0";

fn weighted(place: Place, weights: impl Iterator<Item = f64>) -> Checked {
    let mut sum = 0.0;
    for weight in weights {
        require(place, weight.is_finite() && weight >= 0.0, WEIGHT)?;
        sum += weight;
    }
    if sum == 0.0 {
        return Err(place.broken(Fault::NoWeight));
    }
    require(place, f64::is_finite(sum), "the weights sum to more than a double holds")
}

fn constant(program: &Program, place: Place, value: &Constant) -> Checked {
    match value {
        Constant::Bool(_) | Constant::Int(_) => Ok(()),
        Constant::Double(v) => require(place, v.is_finite(), "a double must be finite"),
        Constant::Text(id) => text(program, place, *id).map(|_| ()),
        Constant::List(items) => {
            let one_type = |item: &Constant| std::mem::discriminant(item) == std::mem::discriminant(&items[0]);
            if !items.iter().all(|item| one_type(item) && !matches!(item, Constant::List(_))) {
                return Err(place.broken(Fault::MixedList));
            }
            items.iter().try_for_each(|item| constant(program, place, item))
        }
    }
}

/// Gives an attribute its owner.
fn own(place: Place, owned: &mut [bool], attr: AttrId) -> Checked {
    within(place, "attr", attr.0, owned.len())?;
    if std::mem::replace(&mut owned[attr.index()], true) {
        return Err(place.broken(Fault::Attribute { attr: attr.0 }));
    }
    Ok(())
}

fn events(program: &Program, owned: &mut [bool]) -> Checked {
    let mut seen = HashSet::new();
    for (i, event) in program.events.iter().enumerate() {
        let place = Place::Event(EventId(i as u32));
        expr(program, place, event.name)?;
        seen.clear();
        for (attr, value) in &event.attributes {
            own(place, owned, *attr)?;
            key(program, place, program.attrs[attr.index()], &mut seen)?;
            expr(program, place, *value)?;
        }
    }
    Ok(())
}

fn scenarios(program: &Program) -> Checked {
    if program.scenarios.is_empty() {
        return Err(Place::Program.broken(Fault::NoScenario));
    }
    let mut names = HashSet::new();
    for (i, scenario) in program.scenarios.iter().enumerate() {
        let place = Place::Scenario(ScenarioId(i as u32));
        let name = named(program, place, "a scenario's name", scenario.name)?;
        if !names.insert(scenario.name) {
            return Err(place.broken(Fault::Twice { what: "scenario", text: name.into() }));
        }
        require(place, scenario.weight.is_finite() && scenario.weight >= 0.0, WEIGHT)?;
        at_most(place, "slots", scenario.slots.len(), limits::SLOTS)?;
        let longest = scenario.slots.iter().map(String::len).max().unwrap_or(0);
        at_most(place, "bytes of a slot's name", longest, limits::TEXT_BYTES)?;
        for (slot, value) in &scenario.vars {
            within(place, "slot", slot.0, scenario.slots.len())?;
            expr(program, place, *value)?;
        }
        within(place, "block", scenario.root.0, program.blocks.len())?;
    }
    weighted(Place::Program, program.scenarios.iter().map(|s| s.weight))
}

fn form(program: &Program, id: BlockId, block: &Block, owned: &mut [bool]) -> Checked {
    let (place, span) = (Place::Block(id), &block.span);
    within(place, "service", span.service.0, program.services.len())?;
    span.name.map_or(Ok(()), |name| text(program, place, name).map(|_| ()))?;
    let mut seen = HashSet::new();
    let can_fail = block.code.iter().any(|inst| matches!(inst, Inst::Fail { .. }));
    for (id, value) in &span.constants {
        key(program, place, *id, &mut seen)?;
        constant(program, place, value)?;
        if can_fail && program.texts[id.index()] == "error.type" {
            return Err(place.broken(Fault::ConstantErrorType));
        }
    }
    // In 64 bits: a hostile row may end beyond u32. Owning stops at the table's end, so the loop is as short as the table.
    for attr in u64::from(span.attrs.first)..u64::from(span.attrs.first) + u64::from(span.attrs.count) {
        own(place, owned, AttrId(u32::try_from(attr).unwrap_or(u32::MAX)))?;
        key(program, place, program.attrs[attr as usize], &mut seen)?;
    }
    Ok(())
}

/// Ids, jumps, delays and the end; slots are checked where the ways are followed.
fn code(program: &Program, id: BlockId, block: &Block) -> Checked {
    let last = block.code.len().wrapping_sub(1);
    let own = u64::from(block.span.attrs.first)..u64::from(block.span.attrs.first) + u64::from(block.span.attrs.count);
    for (pc, inst) in block.code.iter().enumerate() {
        let place = Place::Instruction(id, pc);
        let jump = |target: u32| {
            let inside = target as usize > pc && (target as usize) < block.code.len();
            if inside { Ok(()) } else { Err(place.broken(Fault::Jump { target })) }
        };
        match *inst {
            Inst::Set { value, .. } | Inst::Name { value } => expr(program, place, value)?,
            Inst::Link { link } => within(place, "link", link.0, program.links.len())?,
            Inst::Attr { attr, value } => {
                if !own.contains(&u64::from(attr.0)) {
                    return Err(place.broken(Fault::Attribute { attr: attr.0 }));
                }
                expr(program, place, value)?;
            }
            Inst::Delay { min, max } => {
                require(place, min <= max, "min is greater than max")?;
                require(place, max <= limits::DELAY, "a delay is at most 24 h")?;
            }
            Inst::Fail { error, target, .. } => {
                within(place, "error", error.0, program.errors.len())?;
                jump(target)?;
            }
            Inst::Event { event } => within(place, "event", event.0, program.events.len())?,
            Inst::SkipIfFailed { target } => jump(target)?,
            Inst::Call { block } => within(place, "block", block.0, program.blocks.len())?,
            Inst::Export { .. } | Inst::Roll | Inst::End => {}
        }
        if matches!(inst, Inst::End) != (pc == last) {
            return Err(place.broken(Fault::End));
        }
    }
    if block.code.is_empty() { Err(Place::Block(id).broken(Fault::End)) } else { Ok(()) }
}
