//! The instructions of blocks, which are executed one after another. Jumps go forward, and their targets are counted from
//! the block's first instruction.
//!
//! The order in which the compiler emits instructions is the language's order of evaluation: vars, links, attributes with
//! the operation and the export key in dependency order, delay, early roll, the type and message of a failure, event
//! attributes, calls, end. Draws happen when an expression is evaluated, and when an instruction draws itself, so this
//! order is also the order of draws.
//!
//! A decision whether a call is made is a forward jump before it. How often a call is made, and whether it is waited for,
//! is in the call's [`super::CallSpec`]. No jump therefore goes back, and calls form trees.

use super::id::{AttrId, BlockId, CallSpecId, DistId, ErrorId, EventId, ExprId, LinkId, SlotId};
use serde::{Deserialize, Serialize};

/// A probability in units of 2^-32, from 0 to 2^32 (always), which is compared with a 32-bit draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chance(pub u64);

impl Chance {
    /// The probability of an event that always happens.
    pub const ONE: Chance = Chance(1 << 32);

    /// Returns the chance nearest to a percentage, which must be in 0..=100.
    pub fn from_percent(percent: f64) -> Chance {
        Chance((percent / 100.0 * Chance::ONE.0 as f64 + 0.5) as u64)
    }

    /// Returns the chance as a share, 0.0 to 1.0.
    pub fn share(self) -> f64 {
        self.0 as f64 / Chance::ONE.0 as f64
    }

    /// Returns the chance as a percentage, 0.0 to 100.0.
    pub fn percent(self) -> f64 {
        self.share() * 100.0
    }
}

/// An instruction. A test checks its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Inst {
    /// Evaluates `value` and stores it in `slot`, from which later expressions of the scenario read it.
    Set { slot: SlotId, value: ExprId },
    /// Finds the spans to which this span links. The `Linked` expressions that follow, up to the next `link` of this block,
    /// read the latest span found. If none was found, they are absent, and the span has no link.
    Link { link: LinkId },
    /// Evaluates `value` and stores it in the attribute `attr` of the current span; a second write replaces the first one
    /// in its place. If the value is absent, the attribute is left out.
    Attr { attr: AttrId, value: ExprId },
    /// Evaluates the name of the current span. This instruction occurs only in blocks whose name is not constant.
    Name { value: ExprId },
    /// Lets other spans link to the current span under the text in slot `key`.
    Export { key: SlotId },
    /// Advances the virtual time by `min` to `max` ns for the span's own work, uniformly distributed, both ends included.
    /// If `min` equals `max`, nothing is drawn.
    Delay { min: u64, max: u64 },
    /// Advances the virtual time by a time drawn from `dist` for the span's own work.
    DelayDist { dist: DistId },
    /// Draws the number with which the following `fail` instructions are compared, and sets the sum of their chances to 0.
    Roll,
    /// Adds `chance` to the sum since `roll`. If the roll is below the sum, the span fails with `error`, whose type,
    /// message and attributes are evaluated now, and execution continues at `target`. A failure that always happens needs
    /// no roll.
    Fail { chance: Chance, error: ErrorId, target: u32 },
    /// Adds `event` to the span, at the current time unless it has a time of its own, and evaluates its attributes in
    /// order.
    Event { event: EventId },
    /// Continues at `target` if the span has failed, because a failed span makes no calls.
    SkipIfFailed { target: u32 },
    /// Continues at `target` unless `value` is true.
    Test { value: ExprId, target: u32 },
    /// Continues at `target` unless a draw is below `chance`. One 32-bit draw.
    Chance { chance: Chance, target: u32 },
    /// Fails the span with `error`, because the last call that returned has failed, and continues at `target`. There is no
    /// exception event, because the span where the failure happened has one. Of several failures the earliest counts, and
    /// of simultaneous ones the first.
    Propagate { error: ErrorId, target: u32 },
    /// Runs `block` with the terms of `spec`. Without terms, the block starts now, and execution continues when it ends.
    Call {
        block: BlockId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<CallSpecId>,
    },
    /// Ends the block and its span.
    End,
}

/// Finds the parts of an instruction that others need: the expression that it evaluates, and the target of its jump. This
/// is a macro so that the same list serves to read and to change them.
macro_rules! parts {
    ($inst:expr) => {
        match $inst {
            Inst::Set { slot: _, value } | Inst::Attr { attr: _, value } | Inst::Name { value } => (Some(value), None),
            Inst::Fail { chance: _, error: _, target } | Inst::SkipIfFailed { target } => (None, Some(target)),
            Inst::Test { value, target } => (Some(value), Some(target)),
            Inst::Chance { chance: _, target } | Inst::Propagate { error: _, target } => (None, Some(target)),
            Inst::Link { link: _ } | Inst::Export { key: _ } | Inst::Event { event: _ } => (None, None),
            Inst::Delay { min: _, max: _ } | Inst::DelayDist { dist: _ } => (None, None),
            Inst::Roll | Inst::Call { block: _, spec: _ } | Inst::End => (None, None),
        }
    };
}

impl Inst {
    /// Returns the expression that the instruction itself evaluates.
    pub fn expr(&self) -> Option<ExprId> {
        let (expr, _): (_, Option<&u32>) = parts!(self);
        expr.copied()
    }

    /// Returns the expression that the instruction itself evaluates, mutably.
    pub fn expr_mut(&mut self) -> Option<&mut ExprId> {
        let (expr, _): (_, Option<&mut u32>) = parts!(self);
        expr
    }

    /// Returns the instruction to which this one may jump.
    pub fn target(&self) -> Option<u32> {
        let (_, target): (Option<&ExprId>, _) = parts!(self);
        target.copied()
    }

    /// Returns the instruction to which this one may jump, mutably.
    pub fn target_mut(&mut self) -> Option<&mut u32> {
        let (_, target): (Option<&mut ExprId>, _) = parts!(self);
        target
    }

    /// Returns the block that the instruction calls.
    pub fn callee(&self) -> Option<BlockId> {
        if let Inst::Call { block, .. } = self { Some(*block) } else { None }
    }

    /// Returns the terms with which the instruction calls.
    pub fn spec(&self) -> Option<CallSpecId> {
        if let Inst::Call { spec, .. } = self { *spec } else { None }
    }

    /// Returns the event that the instruction adds to its span.
    pub fn event(&self) -> Option<EventId> {
        if let Inst::Event { event } = self { Some(*event) } else { None }
    }

    /// Returns the link that the instruction looks for.
    pub fn link(&self) -> Option<LinkId> {
        if let Inst::Link { link } = self { Some(*link) } else { None }
    }

    /// Returns the distribution from which the instruction draws a time.
    pub fn dist(&self) -> Option<DistId> {
        if let Inst::DelayDist { dist } = self { Some(*dist) } else { None }
    }

    /// Returns the error with which the instruction may fail the span.
    pub fn error(&self) -> Option<ErrorId> {
        if let Inst::Fail { error, .. } | Inst::Propagate { error, .. } = self { Some(*error) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Constant, Expr};

    #[test]
    fn instructions_and_expressions_have_the_size_they_are_meant_to_have() {
        assert_eq!(size_of::<Inst>(), 24);
        assert_eq!(size_of::<Constant>(), 24);
        assert_eq!(size_of::<Expr>(), 40);
    }
}
