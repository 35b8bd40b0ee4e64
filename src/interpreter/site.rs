//! The sites of a plan: calls that do more than run a block, with static data about them.

use crate::plan::{BlockId, CallSpec, Form, Group, Inst, Outcome, Plan};

/// A call in the plan that does more than run a block, with static data about it.
pub(super) struct Site {
    pub block: BlockId,
    pub spec: CallSpec,
    pub callee: Callee,
    /// Whether the calling block is a parallel group.
    pub side_by_side: bool,
    /// The instruction that calls: its block and its position there.
    pub caller: (BlockId, u32),
}

/// The kind of block that is called.
#[derive(Clone, Copy)]
pub(super) enum Callee {
    /// A span in the caller's process, which ends at the latest at the caller's deadline.
    Local,
    /// A span in the caller's process that sends a request, and therefore notices its deadline itself.
    Client,
    /// A span in another process, which goes on after the caller's deadline.
    Remote,
    Sequence(Option<Outcome>),
    /// A parallel group, with the maximum number of calls that run at a time; 0 means no limit.
    Parallel(u32),
}

impl Site {
    /// Returns the site of the call by the instruction at `pc` of `caller`, or `None` if the call only runs a block.
    /// `may_be_cut` says whether the calling block may be cut short.
    pub fn new(plan: &Plan, caller: BlockId, pc: u32, may_be_cut: bool) -> Option<Site> {
        let Inst::Call { block, spec } = plan.block(caller).code[pc as usize] else { return None };
        let callee = match &plan.block(block).form {
            Form::Span(span) if span.kind.is_remote() => Callee::Remote,
            Form::Span(_) if plan.block(block).code.iter().any(|inst| is_request(plan, inst)) => Callee::Client,
            Form::Span(_) => Callee::Local,
            Form::Group(Group::Sequence { outcome }) => Callee::Sequence(*outcome),
            Form::Group(Group::Parallel { max }) => Callee::Parallel(*max),
        };
        let side_by_side = matches!(plan.block(caller).form, Form::Group(Group::Parallel { .. }));
        let is_plain = spec.is_none() && !side_by_side && !may_be_cut && !matches!(callee, Callee::Parallel(_));
        let spec = spec.map_or(CallSpec::default(), |spec| plan.specs[spec.index()]);
        (!is_plain).then_some(Site { block, spec, callee, side_by_side, caller: (caller, pc) })
    }

    pub fn makes_span(&self) -> bool {
        matches!(self.callee, Callee::Local | Callee::Client | Callee::Remote)
    }
}

fn is_request(plan: &Plan, inst: &Inst) -> bool {
    inst.spec().is_some_and(|spec| plan.specs[spec.index()].exchange.is_some())
}
