//! Instructions: what a block does, one after another. Jumps go forward and are counted from the block's first instruction.
//!
//! The order in which the compiler emits them is the language's order of evaluation: vars, link, attributes with operation
//! and export key in dependency order, delay, early roll, the hit's type and message, event attributes, calls, end. Draws
//! happen where an expression is evaluated and nowhere else, so this order is also the order of draws.
//!
//! What the realism layer adds fits beside these and moves none of them: `test` and `chance` are forward jumps before a
//! `call`; repeat, retry, timeout, async, wait and propagate live in a call spec that `call` will name (absent: none);
//! sequences and parallel groups are blocks without a span.

use super::id::{AttrId, BlockId, ErrorId, EventId, ExprId, LinkId, SlotId};
use serde::{Deserialize, Serialize};

/// A probability in units of 2^-32, 0 to 2^32 (= always): compared with a 32-bit draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chance(pub u64);

impl Chance {
    /// Always.
    pub const ONE: Chance = Chance(1 << 32);

    /// From a percentage, rounded to the nearest representable probability. `percent` must be within 0..=100.
    pub fn from_percent(percent: f64) -> Chance {
        Chance((percent / 100.0 * Chance::ONE.0 as f64 + 0.5) as u64)
    }

    /// As a percentage, 0.0 to 100.0.
    pub fn percent(self) -> f64 {
        self.0 as f64 / Chance::ONE.0 as f64 * 100.0
    }
}

/// One instruction. Its size is pinned by a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Inst {
    /// Evaluate `value` and keep it in `slot`, where later expressions of the scenario read it.
    Set { slot: SlotId, value: ExprId },
    /// Look for the trace this span links to. The `Linked` expressions that follow in this block read what was found;
    /// nothing found: they are absent, and the span has no link.
    Link { link: LinkId },
    /// Evaluate `value` into the attribute `attr` of the current span; a second write replaces the first in its place.
    /// An absent value leaves the attribute out.
    Attr { attr: AttrId, value: ExprId },
    /// The current span's name; only in blocks whose name is not constant.
    Name { value: ExprId },
    /// Later traces can link to the current span under the text in slot `key`.
    Export { key: SlotId },
    /// The span's own work: virtual time moves on by `min` to `max` ns, uniform, both ends included. `min == max` draws
    /// nothing.
    Delay { min: u64, max: u64 },
    /// Draw the number the `fail` instructions that follow are compared with, and forget what they have summed up.
    Roll,
    /// Add `chance` to the sum since `roll`; if the roll is below it, the span fails with `error`: its type and message are
    /// evaluated now, and execution goes on at `target`.
    Fail { chance: Chance, error: ErrorId, target: u32 },
    /// The span gets `event` at the current time, its attributes evaluated in order.
    Event { event: EventId },
    /// Go on at `target` if the span has failed: no calls after a hit.
    SkipIfFailed { target: u32 },
    /// Run `block` as a child span that starts now; go on when it has ended, at the time it ended.
    Call { block: BlockId },
    /// The block is done: its span ends now.
    End,
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
