//! A plan made ready to run: all instructions in a row, with what is static about them looked up, what the machine needs to
//! begin a block in one place, and the tables of its expressions.

use super::link::Links;
use super::stable::Stable;
use super::tables::Tables;
use crate::plan::{
    AttrId, Block, BlockId, ErrorId, EventId, Expr, ExprId, Inst, LinkId, Plan, ResourceId, SlotId, SpanKind,
};
use crate::trace::Value;
use std::sync::Arc;

pub(super) struct Code {
    pub plan: Arc<Plan>,
    pub tables: Tables,
    pub stable: Stable,
    pub links: Links,
    entries: Box<[Entry]>,
    /// Those of all blocks, each block's in a row.
    pub ops: Box<[Op]>,
    /// Slots of the scenario that has most.
    pub slots: usize,
}

/// How a block's span begins.
pub(super) struct Entry {
    /// The first of the block's instructions in [`Code::ops`].
    pub pc: u32,
    /// The constant name, else an empty text that an instruction replaces.
    pub name: Value,
    /// First of the block's computed attributes, and their number.
    pub attrs: AttrId,
    pub attr_count: u32,
    /// The service's instances.
    pub resource: ResourceId,
    pub instances: u32,
    /// SERVER or CONSUMER: runs on an instance of its own.
    pub arrives: bool,
}

/// An instruction as the machine runs it; [`Inst`] says what each does. There is one for each of the plan's, so that a jump's
/// target is its old one and the block's [`Entry::pc`]. Attributes are counted from the block's first.
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
    /// An attribute that is a slot's value, as most are.
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
    /// By `min` to `min + range` ns.
    Delay {
        min: u64,
        range: u64,
    },
    /// If the roll is above `chances`, the sum of those of the fails that follow it, these can't hit: go on at `missed`.
    Roll {
        chances: u64,
        missed: u32,
    },
    Fail {
        chance: u64,
        error: ErrorId,
        target: u32,
    },
    Event {
        event: EventId,
    },
    SkipIfFailed {
        target: u32,
    },
    Call {
        block: BlockId,
    },
    End,
}

impl Code {
    pub fn new(plan: &Arc<Plan>, seed: u64) -> Self {
        let mut ops = Vec::new();
        let entries = plan.blocks.iter().map(|block| {
            let entry = entry(plan, block, ops.len() as u32);
            ops.extend((0..block.code.len()).map(|at| op(plan, block, at, entry.pc)));
            entry
        });
        Code {
            entries: entries.collect(),
            ops: ops.into(),
            tables: Tables::new(plan),
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
}

fn entry(plan: &Plan, block: &Block, pc: u32) -> Entry {
    let span = &block.span;
    let service = &plan.services[span.service.index()];
    Entry {
        pc,
        name: span.name.map_or(Value::text(0, 0), |name| Value::constant(plan.text_at(name))),
        attrs: AttrId(span.attrs.first),
        attr_count: span.attrs.count,
        resource: service.first_resource,
        instances: service.instances,
        arrives: matches!(span.kind, SpanKind::Server | SpanKind::Consumer),
    }
}

/// The instruction `at` of a block whose first is at `base` of [`Code::ops`].
fn op(plan: &Plan, block: &Block, at: usize, base: u32) -> Op {
    match block.code[at] {
        Inst::Set { slot, value } => Op::Set { slot, value },
        Inst::Link { link } => Op::Link { link },
        Inst::Attr { attr, value } => {
            let at = attr.0 - block.span.attrs.first;
            match plan.exprs[value.index()] {
                Expr::Slot { slot } => Op::AttrOfSlot { at, slot },
                _ => Op::Attr { at, value },
            }
        }
        Inst::Name { value } => Op::Name { value },
        Inst::Export { key } => Op::Export { key },
        Inst::Delay { min, max } => Op::Delay { min, range: max - min },
        Inst::Roll => roll(&block.code, at, base),
        Inst::Fail { chance, error, target } => Op::Fail { chance: chance.0, error, target: base + target },
        Inst::Event { event } => Op::Event { event },
        Inst::SkipIfFailed { target } => Op::SkipIfFailed { target: base + target },
        Inst::Call { block } => Op::Call { block },
        Inst::End => Op::End,
    }
}

fn roll(code: &[Inst], at: usize, base: u32) -> Op {
    let (mut chances, mut missed) = (0, at + 1);
    while let Inst::Fail { chance, .. } = code[missed] {
        chances += chance.0;
        missed += 1;
    }
    // nothing has failed if nothing could
    let first = !code[..at].iter().any(|inst| matches!(inst, Inst::Fail { .. }));
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
