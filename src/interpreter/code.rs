//! A plan made ready to run: all instructions in a row, with what is static about them looked up, what the machine needs to
//! begin a block in one place, and the tables of its expressions.

use super::dist::Dists;
use super::links::Links;
use super::site::Site;
use super::stable::Stable;
use super::tables::Tables;
use crate::plan::{
    AttrId, Block, BlockId, DistId, ErrorId, EventId, Expr, ExprId, Form, Inst, LinkId, Plan, ResourceId, SlotId,
};
use crate::trace::{AttrRecord, Texts, Value};
use std::sync::Arc;

pub(super) struct Code {
    pub plan: Arc<Plan>,
    pub texts: Texts,
    pub tables: Tables,
    pub dists: Dists,
    pub stable: Stable,
    pub links: Links,
    /// By block.
    entries: Box<[Entry]>,
    /// The instructions of all blocks, each block's in a row.
    pub ops: Box<[Op]>,
    /// The calls that are more than running a block.
    pub sites: Box<[Site]>,
    /// By attribute: the slot that it is a copy of as the span begins, or [`NO_SLOT`].
    initial: Box<[SlotId]>,
    /// The number of slots of the scenario that has most.
    pub slots: usize,
}

/// The number that no slot has.
const NO_SLOT: SlotId = SlotId(u32::MAX);

/// How a block's span begins.
pub(super) struct Entry {
    /// The first instruction to run, in [`Code::ops`]: those before it in the block are done as the span begins.
    pub pc: u32,
    /// The name if it is constant, else an empty text that an instruction replaces.
    pub name: Value,
    /// The first of the block's computed attributes.
    pub attrs: AttrId,
    /// The number of the block's computed attributes.
    pub attr_count: u32,
    /// The first of the service's instances.
    pub resource: ResourceId,
    /// The number of the service's instances.
    pub instances: u32,
    /// Whether the span is a SERVER or a CONSUMER, which run on an instance of their own.
    pub arrives: bool,
}

/// An instruction as the machine runs it; [`Inst`] says what each does. There is one for each of the plan's, so that jumps stay
/// as they are. Attributes are counted from the block's first.
#[derive(Clone, Copy)]
pub(super) enum Op {
    Set {
        slot: SlotId,
        value: ExprId,
    },
    Link {
        link: LinkId,
    },
    Attr {
        at: u32,
        value: ExprId,
    },
    /// Sets an attribute to a slot's value, as most are.
    AttrOfSlot {
        at: u32,
        slot: SlotId,
    },
    Name {
        value: ExprId,
    },
    Export {
        key: SlotId,
    },
    /// Moves time on by `min` to `min + range` ns.
    Delay {
        min: u64,
        range: u64,
    },
    /// Moves time on by a time that is drawn.
    DelayDist {
        dist: DistId,
    },
    /// Rolls. If the roll is not below `chances`, the sum of those of the fails behind it, these can't hit: goes on at `missed`.
    Roll {
        chances: u64,
        missed: u32,
    },
    /// `inst` is the instruction's position in its block.
    Fail {
        chance: u64,
        inst: u32,
        error: ErrorId,
        target: u32,
    },
    Event {
        event: EventId,
    },
    SkipIfFailed {
        target: u32,
    },
    Test {
        value: ExprId,
        target: u32,
    },
    Chance {
        chance: u64,
        target: u32,
    },
    Propagate {
        block: BlockId,
        inst: u32,
        error: ErrorId,
        target: u32,
    },
    /// Runs a block whose span starts now.
    Call {
        block: BlockId,
    },
    /// Runs a sequence, which begins at this instruction.
    Enter {
        pc: u32,
    },
    /// Calls by the terms of one of [`Code::sites`].
    CallBy {
        site: u32,
    },
    /// Ends a span that [`Op::Call`] has begun, or a root.
    End,
    /// Ends a sequence that [`Op::Enter`] has begun.
    Leave,
    /// Ends a block that [`Op::CallBy`] has begun.
    Return {
        site: u32,
    },
}

impl Entry {
    /// The entry of what makes no span.
    const NONE: Entry = Entry {
        pc: 0,
        name: Value::ABSENT,
        attrs: AttrId(0),
        attr_count: 0,
        resource: ResourceId(0),
        instances: 1,
        arrives: false,
    };
}

impl Code {
    pub fn new(plan: &Arc<Plan>, seed: u64) -> Self {
        let mut ops = Vec::new();
        let mut initial = vec![NO_SLOT; plan.attrs.len()];
        let (sites, called_by) = sites(plan);
        let entries = plan.block_ids().map(|id| {
            let (block, base) = (plan.block(id), ops.len());
            ops.extend((0..block.code.len()).map(|at| op(plan, id, at, base as u32)));
            if let (Some(last @ Op::End), Some(end)) = (ops.last_mut(), ending(block, called_by[id.index()])) {
                *last = end;
            }
            // The copies that a block begins with are made as the span begins.
            let copies = ops[base..].iter().map_while(|op| match *op {
                Op::AttrOfSlot { at, slot } => Some((at, slot)),
                _ => None,
            });
            let mut pc = base as u32;
            for (at, slot) in copies {
                initial[(block.attrs().first + at) as usize] = slot;
                pc += 1;
            }
            entry(plan, block, pc)
        });
        let entries: Box<[Entry]> = entries.collect();
        // Which calls there is more to, and where a sequence begins, is known now.
        for op in &mut ops {
            let Op::Call { block } = *op else { continue };
            match called_by[block.index()] {
                Some(site) => *op = Op::CallBy { site },
                None if plan.block(block).span().is_none() => *op = Op::Enter { pc: entries[block.index()].pc },
                None => {}
            }
        }
        Code {
            entries,
            ops: ops.into(),
            sites: sites.into(),
            initial: initial.into(),
            texts: Texts::new(plan, usize::MAX),
            tables: Tables::new(plan),
            dists: Dists::new(plan),
            stable: Stable::new(seed),
            links: Links::new(plan),
            slots: plan.scenarios.iter().map(|s| s.slots.len()).max().unwrap_or(0),
            plan: plan.clone(),
        }
    }

    #[inline(always)]
    pub fn entry(&self, block: BlockId) -> &Entry {
        &self.entries[block.index()]
    }

    /// The attributes that a block's span begins with.
    #[inline(always)]
    pub fn attributes(&self, entry: &Entry, slots: &[Value]) -> impl ExactSizeIterator<Item = AttrRecord> {
        let first = entry.attrs.0;
        let initial = &self.initial[first as usize..][..entry.attr_count as usize];
        initial.iter().enumerate().map(move |(at, slot)| {
            let value = slots.get(slot.index()).copied().unwrap_or(Value::ABSENT);
            AttrRecord { attr: AttrId(first + at as u32), value }
        })
    }
}

fn entry(plan: &Plan, block: &Block, pc: u32) -> Entry {
    let Form::Span(span) = &block.form else { return Entry { pc, ..Entry::NONE } };
    let service = &plan.services[span.service.index()];
    Entry {
        pc,
        name: span.name.map_or(Value::text(0, 0), |name| Value::constant(plan, name)),
        attrs: AttrId(span.attrs.first),
        attr_count: span.attrs.count,
        resource: service.first_resource,
        instances: service.instances,
        arrives: span.kind.is_remote(),
    }
}

/// The instruction at position `at` of a block whose first is at `base` in [`Code::ops`].
fn op(plan: &Plan, id: BlockId, at: usize, base: u32) -> Op {
    let block = plan.block(id);
    match block.code[at] {
        Inst::Set { slot, value } => Op::Set { slot, value },
        Inst::Link { link } => Op::Link { link },
        Inst::Attr { attr, value } => {
            let at = attr.0 - block.attrs().first;
            match plan.exprs[value.index()] {
                Expr::Slot { slot } => Op::AttrOfSlot { at, slot },
                _ => Op::Attr { at, value },
            }
        }
        Inst::Name { value } => Op::Name { value },
        Inst::Export { key } => Op::Export { key },
        Inst::Delay { min, max } => Op::Delay { min, range: max - min },
        Inst::DelayDist { dist } => Op::DelayDist { dist },
        Inst::Roll => roll(&block.code, at, base),
        Inst::Fail { chance, error, target } => {
            Op::Fail { chance: chance.0, inst: at as u32, error, target: base + target }
        }
        Inst::Event { event } => Op::Event { event },
        Inst::SkipIfFailed { target } => Op::SkipIfFailed { target: base + target },
        Inst::Test { value, target } => Op::Test { value, target: base + target },
        Inst::Chance { chance, target } => Op::Chance { chance: chance.0, target: base + target },
        Inst::Propagate { error, target } => Op::Propagate { block: id, inst: at as u32, error, target: base + target },
        Inst::Call { block, spec: _ } => Op::Call { block },
        Inst::End => Op::End,
    }
}

/// The calls that are more than running a block, and by block the one that calls it.
fn sites(plan: &Plan) -> (Vec<Site>, Vec<Option<u32>>) {
    let (mut sites, mut called_by) = (vec![], vec![None; plan.blocks.len()]);
    // By block: whether it may be cut short. Each stands before what it calls.
    let mut may_be_cut = vec![false; plan.blocks.len()];
    for caller in plan.scenario_ids().flat_map(|scenario| plan.blocks_of(scenario).iter().copied()) {
        for (pc, inst) in plan.block(caller).code.iter().enumerate() {
            let Some(callee) = inst.callee() else { continue };
            if let Some(site) = Site::new(plan, caller, pc as u32, may_be_cut[caller.index()]) {
                may_be_cut[callee.index()] = plan.may_be_cut(callee, &site.spec, may_be_cut[caller.index()]);
                called_by[callee.index()] = Some(sites.len() as u32);
                sites.push(site);
            }
        }
    }
    (sites, called_by)
}

/// How a block ends that ends otherwise than a span after a plain call.
fn ending(block: &Block, called_by: Option<u32>) -> Option<Op> {
    match (called_by, &block.form) {
        (Some(site), _) => Some(Op::Return { site }),
        (None, Form::Group(_)) => Some(Op::Leave),
        (None, Form::Span(_)) => None,
    }
}

fn roll(code: &[Inst], at: usize, base: u32) -> Op {
    let (mut chances, mut missed) = (0, at + 1);
    while let Inst::Fail { chance, .. } = code[missed] {
        chances += chance.0;
        missed += 1;
    }
    // Nothing has failed if nothing could.
    let first = code[..at].iter().all(|inst| inst.error().is_none());
    if first && matches!(code[missed], Inst::SkipIfFailed { .. }) {
        missed += 1;
    }
    Op::Roll { chances, missed: base + missed as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_has_the_size_it_is_meant_to_have() {
        assert_eq!(size_of::<Op>(), 24);
    }
}
