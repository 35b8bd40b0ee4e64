//! Instructions: what a block does, one after another. Jumps go forward and are counted from the block's first instruction.
//!
//! The order in which the compiler emits them is the language's order of evaluation: vars, link, attributes with operation
//! and export key in dependency order, delay, early roll, the hit's type and message, event attributes, calls, end. Draws
//! happen where an expression is evaluated, and where an instruction says that it draws, so this order is also the order of draws.
//!
//! What decides whether a call is made stands before it as a jump that goes forward; what it does again and again, or that
//! nobody waits for, stands in the call's [`super::CallSpec`]. So no jump goes back, and calls form trees.

use super::id::{AttrId, BlockId, CallSpecId, DistId, ErrorId, EventId, ExprId, LinkId, SlotId};
use serde::{Deserialize, Serialize};

/// A probability in units of 2^-32, 0 to 2^32 (= always): compared with a 32-bit draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chance(pub u64);

impl Chance {
    /// The probability of what always happens.
    pub const ONE: Chance = Chance(1 << 32);

    /// The chance nearest to a percentage, which must be within 0..=100.
    pub fn from_percent(percent: f64) -> Chance {
        Chance((percent / 100.0 * Chance::ONE.0 as f64 + 0.5) as u64)
    }

    /// The chance as a share, 0.0 to 1.0.
    pub fn share(self) -> f64 {
        self.0 as f64 / Chance::ONE.0 as f64
    }

    /// The chance as a percentage, 0.0 to 100.0.
    pub fn percent(self) -> f64 {
        self.share() * 100.0
    }
}

/// One instruction. Its size is pinned by a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Inst {
    /// Evaluates `value` and keeps it in `slot`, where later expressions of the scenario read it.
    Set { slot: SlotId, value: ExprId },
    /// Looks for the spans that this span links to. The `Linked` expressions that follow, up to the next `link` of this block, read the
    /// latest of those that were found; where nothing was, they are absent, and the span has no link.
    Link { link: LinkId },
    /// Evaluates `value` into the attribute `attr` of the current span; a second write replaces the first in its place. An absent
    /// value leaves the attribute out.
    Attr { attr: AttrId, value: ExprId },
    /// Evaluates the current span's name. It stands only in blocks whose name is not constant.
    Name { value: ExprId },
    /// Lets later traces link to the current span under the text in slot `key`.
    Export { key: SlotId },
    /// Does the span's own work: virtual time moves on by `min` to `max` ns, uniform, both ends included. Where `min` is `max`,
    /// nothing is drawn.
    Delay { min: u64, max: u64 },
    /// Does the span's own work: virtual time moves on by a time that is drawn from `dist`.
    DelayDist { dist: DistId },
    /// Draws the number that the `fail` instructions behind it are compared with, and sets the sum of their chances to 0.
    Roll,
    /// Adds `chance` to the sum since `roll`. If the roll is below the sum, the span fails with `error`, whose type, message and
    /// attributes are evaluated now, and execution goes on at `target`. What always hits needs no roll.
    Fail { chance: Chance, error: ErrorId, target: u32 },
    /// Gives the span `event`, at the current time unless it says another, and evaluates its attributes in order.
    Event { event: EventId },
    /// Goes on at `target` if the span has failed: a failed span makes no calls.
    SkipIfFailed { target: u32 },
    /// Goes on at `target` unless `value` is true.
    Test { value: ExprId, target: u32 },
    /// Goes on at `target` unless a draw is below `chance`. One 32-bit draw.
    Chance { chance: Chance, target: u32 },
    /// Fails the span with `error`, as the last call that returned did, and goes on at `target`. There is no exception event: where it
    /// happened there is one. Of several failures the earliest counts, and of those at the same time the first.
    Propagate { error: ErrorId, target: u32 },
    /// Runs `block` by the terms of `spec`. Without any it starts now, and execution goes on at the time it ends.
    Call {
        block: BlockId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<CallSpecId>,
    },
    /// Ends the block and its span.
    End,
}

/// What an instruction names that others have to know of: the expression it evaluates, and where it may jump to. A macro, so
/// that one list serves to read and to change them.
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
    /// The expression that the instruction itself evaluates.
    pub fn expr(&self) -> Option<ExprId> {
        let (expr, _): (_, Option<&u32>) = parts!(self);
        expr.copied()
    }

    /// The expression that the instruction itself evaluates, to be changed.
    pub fn expr_mut(&mut self) -> Option<&mut ExprId> {
        let (expr, _): (_, Option<&mut u32>) = parts!(self);
        expr
    }

    /// The instruction that this one may jump to.
    pub fn target(&self) -> Option<u32> {
        let (_, target): (Option<&ExprId>, _) = parts!(self);
        target.copied()
    }

    /// The instruction that this one may jump to, to be changed.
    pub fn target_mut(&mut self) -> Option<&mut u32> {
        let (_, target): (Option<&mut ExprId>, _) = parts!(self);
        target
    }

    /// The block that the instruction calls.
    pub fn callee(&self) -> Option<BlockId> {
        if let Inst::Call { block, .. } = self { Some(*block) } else { None }
    }

    /// The terms on which the instruction calls.
    pub fn spec(&self) -> Option<CallSpecId> {
        if let Inst::Call { spec, .. } = self { *spec } else { None }
    }

    /// The event that the instruction gives its span.
    pub fn event(&self) -> Option<EventId> {
        if let Inst::Event { event } = self { Some(*event) } else { None }
    }

    /// The link that the instruction looks for.
    pub fn link(&self) -> Option<LinkId> {
        if let Inst::Link { link } = self { Some(*link) } else { None }
    }

    /// The distribution that the instruction draws a time from.
    pub fn dist(&self) -> Option<DistId> {
        if let Inst::DelayDist { dist } = self { Some(*dist) } else { None }
    }

    /// The error with which the instruction may fail the span.
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
