//! Expressions: how a value is computed. Operands have smaller ids than the expression that uses them, so evaluation ends.
//!
//! An expression is evaluated anew at each place that refers to it, operands left to right, so a draw inside happens once a
//! reference. Values are dynamically typed at run time; the compiler has checked what can be checked. An operation on a
//! value it is not defined for (absent, or of another type) is absent.

use super::id::{ExprId, SlotId, TextId};
use super::inst::Chance;
use serde::{Deserialize, Serialize};

/// A value that is known when the plan is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constant {
    Bool(bool),
    Int(i64),
    /// Finite.
    Double(f64),
    Text(TextId),
    /// Constants of one type, none of them a list.
    List(Box<[Constant]>),
}

/// How one value is made. `random` names draw from the trace's stream, exactly as often as their doc says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Expr {
    Const {
        value: Constant,
    },
    /// What `set` put there last.
    Slot {
        slot: SlotId,
    },
    /// The operand's text: of an int in decimal, of a double with the digits it was made with, else shortest round-trip.
    Text {
        of: ExprId,
    },
    /// The parts' texts joined; absent if a part is absent.
    Concat {
        parts: Box<[ExprId]>,
    },
    /// A list of one type; absent elements are left out.
    List {
        items: Box<[ExprId]>,
    },

    /// Uniform over the integers from min to max. One 64-bit draw.
    RandomInt {
        min: i64,
        max: i64,
    },
    /// The same with computed ends; ends upside down are exchanged.
    RandomIntBetween {
        min: ExprId,
        max: ExprId,
    },
    /// Uniform over the multiples of 10^-digits; `min` and `max` count such units. `digits` is at most 15. One 64-bit draw.
    RandomFloat {
        min: i64,
        max: i64,
        digits: u8,
    },
    /// The same with computed ends; ends upside down are exchanged.
    RandomFloatBetween {
        min: ExprId,
        max: ExprId,
        digits: u8,
    },
    /// True with this probability. One 32-bit draw.
    RandomBool {
        chance: Chance,
    },
    /// One of the items, equally likely; only the chosen one is evaluated. One 32-bit draw, before the item's own.
    RandomChoice {
        items: Box<[ExprId]>,
    },
    /// One of the items by weight (same length, finite, >= 0, their sum > 0). One 32-bit draw, before the item's own.
    RandomWeighted {
        items: Box<[ExprId]>,
        weights: Box<[f64]>,
    },
    /// A UUID in version 4 layout (RFC 9562). Two 64-bit draws.
    RandomUuid,
    /// 1 to 1,024 lower-case hexadecimal digits. One 64-bit draw for each 16 begun.
    RandomHex {
        digits: u32,
    },
    /// A unicast IPv4 address. One 32-bit draw.
    RandomIpv4,
    /// A global unicast IPv6 address (2000::/3). Two 64-bit draws.
    RandomIpv6,
    /// The User-Agent of a current browser or client. One 64-bit draw.
    RandomUserAgent,
    /// Zipf over 1..=n (at most 10,000,000) with exponent s (0 < s <= 10), by bounded inversion. One 64-bit draw.
    RandomZipf {
        n: u64,
        s: f64,
    },
    /// Normal. By inverse CDF, one 64-bit draw.
    RandomNormal {
        mean: ExprId,
        stddev: ExprId,
    },
    /// Lognormal through its median and 99th percentile. By inverse CDF, one 64-bit draw.
    RandomLognormal {
        p50: ExprId,
        p99: ExprId,
    },
    /// Exponential. By inverse CDF, one 64-bit draw.
    RandomExp {
        mean: ExprId,
    },
    /// Pareto of scale `min` and shape `alpha`. By inverse CDF, one 64-bit draw.
    RandomPareto {
        min: ExprId,
        alpha: ExprId,
    },

    /// The span's virtual start (before the first span: the trace's) in whole seconds since 1970, an int.
    TimeUnix,
    /// The same in ms.
    TimeUnixMs,
    /// The same in ns.
    TimeUnixNano,
    /// The same as RFC 3339 text, UTC, three decimals.
    TimeIso,
    /// The trace id, 32 hexadecimal digits.
    TraceId,
    /// The trace's index, an int.
    TraceIndex,
    /// The current span's id, 16 hexadecimal digits; absent before the first span.
    SpanId,
    /// The attribute `key` of the span that the block's `link` found.
    Linked {
        key: TextId,
    },
    /// The key under which the linked span exported its context.
    LinkedKey,

    Upper {
        of: ExprId,
    },
    Lower {
        of: ExprId,
    },
    /// `of`, or where that is absent, `or`.
    Default {
        of: ExprId,
        or: ExprId,
    },
    /// Rounded half away from zero to that many digits (0 to 15), and printed with exactly as many.
    Round {
        of: ExprId,
        digits: u8,
    },
    /// The text of `of`, zeros in front up to `width` (at most 1,024) characters; the sign of a number stays in front.
    Pad {
        of: ExprId,
        width: u32,
    },
    /// Text or double to int (truncated, saturating), bool to 0 or 1; absent if the text is no number.
    ToInt {
        of: ExprId,
    },
    /// Text or int to double; absent if the text is no number.
    ToDouble {
        of: ExprId,
    },
    /// The texts `true` and `false`, and numbers (0 is false); absent otherwise.
    ToBool {
        of: ExprId,
    },
    Clamp {
        of: ExprId,
        min: ExprId,
        max: ExprId,
    },
    /// Absent if `of` equals `value`, else `of`.
    Omit {
        of: ExprId,
        value: ExprId,
    },
    /// A UUID made of the operand's text and the seed: the same in every trace.
    StableUuid {
        of: ExprId,
    },
    /// Hexadecimal digits made of the operand's text and the seed.
    StableHex {
        of: ExprId,
        digits: u32,
    },
    /// A unicast IPv4 address made of the operand's text and the seed.
    StableIpv4 {
        of: ExprId,
    },
    /// One of the items, chosen by the operand's text and the seed.
    StablePick {
        of: ExprId,
        items: Box<[ExprId]>,
    },

    Not {
        of: ExprId,
    },
    Neg {
        of: ExprId,
    },
    Binary {
        operator: Operator,
        left: ExprId,
        right: ExprId,
    },
    /// Whether `of` equals one of the items.
    In {
        of: ExprId,
        items: Box<[ExprId]>,
    },
}

impl Expr {
    /// The expressions this one uses, in the order they are evaluated.
    pub fn operands(&self) -> impl Iterator<Item = ExprId> {
        use Expr::*;
        let (fixed, row): ([Option<ExprId>; 3], &[ExprId]) = match self {
            Const { .. } | Slot { .. } | RandomInt { .. } | RandomFloat { .. } | RandomBool { .. } | RandomUuid => {
                ([None; 3], &[])
            }
            RandomHex { .. } | RandomIpv4 | RandomIpv6 | RandomUserAgent | RandomZipf { .. } => ([None; 3], &[]),
            TimeUnix | TimeUnixMs | TimeUnixNano | TimeIso | TraceId | TraceIndex | SpanId => ([None; 3], &[]),
            Linked { .. } | LinkedKey => ([None; 3], &[]),
            Text { of } | Upper { of } | Lower { of } | Round { of, .. } | Pad { of, .. } => {
                ([Some(*of), None, None], &[])
            }
            ToInt { of } | ToDouble { of } | ToBool { of } | Not { of } | Neg { of } | RandomExp { mean: of } => {
                ([Some(*of), None, None], &[])
            }
            StableUuid { of } | StableHex { of, .. } | StableIpv4 { of } => ([Some(*of), None, None], &[]),
            RandomIntBetween { min, max } | RandomFloatBetween { min, max, .. } => {
                ([Some(*min), Some(*max), None], &[])
            }
            RandomNormal { mean, stddev } => ([Some(*mean), Some(*stddev), None], &[]),
            RandomLognormal { p50, p99 } => ([Some(*p50), Some(*p99), None], &[]),
            RandomPareto { min, alpha } => ([Some(*min), Some(*alpha), None], &[]),
            Default { of, or } => ([Some(*of), Some(*or), None], &[]),
            Omit { of, value } => ([Some(*of), Some(*value), None], &[]),
            Binary { left, right, .. } => ([Some(*left), Some(*right), None], &[]),
            Clamp { of, min, max } => ([Some(*of), Some(*min), Some(*max)], &[]),
            Concat { parts } => ([None; 3], parts),
            List { items } | RandomChoice { items } | RandomWeighted { items, .. } => ([None; 3], items),
            StablePick { of, items } | In { of, items } => ([Some(*of), None, None], items),
        };
        fixed.into_iter().flatten().chain(row.iter().copied())
    }
}

/// `and` and `or` evaluate the right side only where it decides. Int arithmetic saturates; `int / int` is a double;
/// division by zero is absent; text + text joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
}
