//! The calls of a plan that are more than running a block, with what is static about them.

use crate::plan::{BlockId, CallSpec, Form, Group, Inst, Outcome, Plan};

/// A place in the plan that calls, with what is static about it.
pub(super) struct Site {
    pub block: BlockId,
    pub spec: CallSpec,
    pub callee: Callee,
    /// Whether the calling block is a parallel group.
    pub side_by_side: bool,
    /// The instruction that calls: its block, and its position there.
    pub caller: (BlockId, u32),
}

/// What is called.
#[derive(Clone, Copy)]
pub(super) enum Callee {
    /// A span in the caller's process, which ends when the caller's time is over.
    Local,
    /// A span in the caller's process that sends a request, and so knows itself when its time is over.
    Client,
    /// A span in another process, which goes on then.
    Remote,
    Sequence(Option<Outcome>),
    /// With the most calls that run at a time; 0: all.
    Parallel(u32),
}

impl Site {
    /// The call by the instruction at `pc` of `caller`; `None`: there is nothing to it but running the block. `may_be_cut`: the calling block
    /// may be.
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
