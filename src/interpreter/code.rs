//! A plan prepared for execution: the instructions of all blocks in one array, with static data looked up, the data that
//! the machine needs to begin a block in one place, and the tables of its expressions.

use super::dist::Dists;
use super::links::Links;
use super::site::Site;
use super::stable::Stable;
use super::tables::Tables;
use crate::plan::{
    AttrId, Block, BlockId, DistId, ErrorId, EventId, Expr, ExprId, Form, Inst, LinkId, Plan, ResourceId, Rollout,
    Service, SlotId, Windows,
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
    /// The windows of incidents in the run.
    pub windows: Box<[Windows]>,
    /// How each block begins, by block id.
    entries: Box<[Entry]>,
    /// The instructions of all blocks, each block's in a row.
    pub ops: Box<[Op]>,
    /// The calls that do more than run a block.
    pub sites: Box<[Site]>,
    /// For each attribute, the slot whose value it has at the start of the span, or [`NO_SLOT`].
    initial: Box<[SlotId]>,
    /// The greatest number of slots of any scenario.
    pub slots: usize,
}

/// A number that no slot has.
const NO_SLOT: SlotId = SlotId(u32::MAX);

/// How a block's span begins.
pub(super) struct Entry {
    /// The first instruction to run, as a position in [`Code::ops`]. The instructions of the block before it are done when
    /// the span begins.
    pub pc: u32,
    /// The name if it is constant, otherwise an empty text, which an instruction replaces.
    pub name: Value,
    /// The first of the block's computed attributes.
    pub attrs: AttrId,
    /// The number of the block's computed attributes.
    pub attr_count: u32,
    /// The first instance of the service.
    pub resource: ResourceId,
    /// Whether all spans have that resource: there is one instance, with one version.
    pub is_fixed: bool,
    /// Whether the span is a SERVER or a CONSUMER span, whose instance is chosen for itself.
    pub arrives: bool,
}

/// An instruction as the machine runs it; [`Inst`] describes what each one does. There is one for each instruction of the
/// plan, so that jumps keep their targets. Attributes are counted from the block's first one.
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
    /// Sets an attribute to a slot's value, as most attributes are.
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
    /// Advances the time by `min` to `min + range` ns.
    Delay {
        min: u64,
        range: u64,
    },
    /// Advances the time by a drawn duration.
    DelayDist {
        dist: DistId,
    },
    /// Rolls for the `Fail` instructions that follow. `chances` is the sum of their chances: if the roll is not below it,
    /// none of them can fail the span, and execution continues at `missed`.
    Roll {
        chances: u64,
        missed: u32,
    },
    /// `inst` is the position of the instruction in its block.
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
    /// Makes the call that one of [`Code::sites`] describes.
    CallBy {
        site: u32,
    },
    /// Ends a span that [`Op::Call`] began, or a root span.
    End,
    /// Ends a sequence that [`Op::Enter`] began.
    Leave,
    /// Ends a block that [`Op::CallBy`] began.
    Return {
        site: u32,
    },
}

impl Entry {
    /// The entry of a block without a span.
    const NONE: Entry = Entry {
        pc: 0,
        name: Value::ABSENT,
        attrs: AttrId(0),
        attr_count: 0,
        resource: ResourceId(0),
        is_fixed: true,
        arrives: false,
    };
}

impl Code {
    /// Prepares a plan for a run that started at `start`, in ns since 1970.
    pub fn new(plan: &Arc<Plan>, seed: u64, start: u64) -> Self {
        let mut ops = Vec::new();
        let mut initial = vec![NO_SLOT; plan.attrs.len()];
        let (sites, called_by) = sites(plan);
        let entries = plan.block_ids().map(|id| {
            let (block, base) = (plan.block(id), ops.len());
            ops.extend((0..block.code.len()).map(|at| op(plan, id, at, base as u32)));
            if let (Some(last @ Op::End), Some(end)) = (ops.last_mut(), ending(block, called_by[id.index()])) {
                *last = end;
            }
            // The attributes that are copies of slots are set when the span begins.
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
        // Only now it is known which calls are sites, and where sequences begin.
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
            windows: plan.incidents.iter().map(|incident| incident.windows(start)).collect(),
            slots: plan.scenarios.iter().map(|s| s.slots.len()).max().unwrap_or(0),
            plan: plan.clone(),
        }
    }

    #[inline(always)]
    pub fn entry(&self, block: BlockId) -> &Entry {
        &self.entries[block.index()]
    }

    /// Returns the resource of an instance of a service at `now`, in ns since 1970.
    #[inline]
    pub fn resource(&self, service: &Service, instance: u32, now: u64) -> ResourceId {
        match service.rollouts.is_empty() {
            true => ResourceId(service.first_resource.0 + instance),
            false => self.rolled_out(service, instance, now),
        }
    }

    /// Returns the resource of an instance of a service whose instances run other versions at times.
    #[cold]
    fn rolled_out(&self, service: &Service, instance: u32, now: u64) -> ResourceId {
        let first = service.rollouts.partition_point(|rollout| rollout.instance < instance);
        let own = service.rollouts[first..].iter().take_while(|rollout| rollout.instance == instance);
        let is_in_force = |(_, rollout): &(usize, &Rollout)| self.windows[rollout.incident.index()].contain(now);
        let at = match own.enumerate().filter(is_in_force).last() {
            Some((rollout, _)) => service.instances + (first + rollout) as u32,
            None => instance,
        };
        ResourceId(service.first_resource.0 + at)
    }

    /// Returns the service of a block's spans.
    pub fn service(&self, block: BlockId) -> &Service {
        &self.plan.services[self.plan.span(block).service.index()]
    }

    /// Returns the attributes that a block's span begins with.
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
        is_fixed: service.instances == 1 && service.rollouts.is_empty(),
        arrives: span.kind.is_remote(),
    }
}

/// Returns the instruction at position `at` of a block whose first instruction is at `base` in [`Code::ops`].
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

/// Returns the calls that do more than run a block, and for each block the site that calls it.
fn sites(plan: &Plan) -> (Vec<Site>, Vec<Option<u32>>) {
    let (mut sites, mut called_by) = (vec![], vec![None; plan.blocks.len()]);
    // For each block: whether it may be cut short. Every block stands before those it calls.
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

/// Returns the instruction that ends a block, unless the block is a span that is called plainly.
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
    // Nothing has failed yet if nothing before can fail.
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
    fn an_instruction_takes_24_bytes() {
        assert_eq!(size_of::<Op>(), 24);
    }
}
