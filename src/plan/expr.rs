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
    #[serde(with = "base64")]
    Bytes(Box<[u8]>),
    /// Constants of any types.
    List(Box<[Constant]>),
    /// Constants with their keys.
    Map(Box<[(TextId, Constant)]>),
}

/// How one value is made. `random` names draw from the trace's stream, exactly as often as their doc says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Expr {
    Const {
        value: Constant,
    },
    /// The value that `set` put into the slot last.
    Slot {
        slot: SlotId,
    },
    /// The operand's text: of an int in decimal, of a double with the digits it was made with, else shortest round-trip.
    Text {
        of: ExprId,
    },
    /// The texts of the parts, joined; absent if a part is absent.
    Concat {
        parts: Box<[ExprId]>,
    },
    /// A list of the items, which are of one type; absent ones are left out.
    List {
        items: Box<[ExprId]>,
    },
    /// A list of the items, whatever they are; absent ones are left out, and those that are nested too deep.
    Array {
        items: Box<[ExprId]>,
    },
    /// A map of the values, as many as there are keys; absent ones are left out with their keys, and those that are nested too deep.
    Map {
        keys: Box<[TextId]>,
        values: Box<[ExprId]>,
    },

    /// An int, uniform from `min` to `max`. One 64-bit draw.
    RandomInt {
        min: i64,
        max: i64,
    },
    /// An int, uniform between two computed ends, which are exchanged if they are upside down. One 64-bit draw.
    RandomIntBetween {
        min: ExprId,
        max: ExprId,
    },
    /// A double, uniform over the multiples of 10^-digits; `min` and `max` count such units. `digits` is at most 15. One 64-bit draw.
    RandomFloat {
        min: i64,
        max: i64,
        digits: u8,
    },
    /// A double, uniform over the multiples of 10^-digits between two computed ends, which are exchanged if they are upside down.
    /// One 64-bit draw.
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
    /// A text of 1 to 1,024 lower-case hexadecimal digits. One 64-bit draw for each 16 digits begun.
    RandomHex {
        digits: u32,
    },
    /// A text of as many lower-case hexadecimal digits as `count` says, 0 to `max` (at most 1,024). One 64-bit draw for each 16
    /// digits begun.
    RandomHexUpTo {
        count: ExprId,
        max: u32,
    },
    /// A text of words with as many characters as `count` says, 0 to `max` (at most 1,048,576). One 64-bit draw for each ten words
    /// begun.
    RandomText {
        count: ExprId,
        max: u32,
    },
    /// A unicast IPv4 address. One 32-bit draw.
    RandomIpv4,
    /// A global unicast IPv6 address (2000::/3). Two 64-bit draws.
    RandomIpv6,
    /// The User-Agent of a current browser or client. One 64-bit draw.
    RandomUserAgent,
    /// An int with Zipf's distribution over 1..=n (at most 10,000,000) and exponent s (0 < s <= 10), by bounded inversion. One
    /// 64-bit draw.
    RandomZipf {
        n: u64,
        s: f64,
    },
    /// A double with a normal distribution, by inverse CDF. One 64-bit draw.
    RandomNormal {
        mean: ExprId,
        stddev: ExprId,
    },
    /// A double with the lognormal distribution of this median and 99th percentile, by inverse CDF. One 64-bit draw.
    RandomLognormal {
        p50: ExprId,
        p99: ExprId,
    },
    /// A double with an exponential distribution, by inverse CDF. One 64-bit draw.
    RandomExp {
        mean: ExprId,
    },
    /// A double with the Pareto distribution of scale `min` and shape `alpha`, by inverse CDF. One 64-bit draw.
    RandomPareto {
        min: ExprId,
        alpha: ExprId,
    },

    /// The span's virtual start (before the first span: the trace's) in whole seconds since 1970, an int.
    TimeUnix,
    /// The span's virtual start (before the first span: the trace's) in ms since 1970, an int.
    TimeUnixMs,
    /// The span's virtual start (before the first span: the trace's) in ns since 1970, an int.
    TimeUnixNano,
    /// The span's virtual start (before the first span: the trace's) as RFC 3339 text, UTC, with three decimals.
    TimeIso,
    /// The trace id, 32 hexadecimal digits.
    TraceId,
    /// The trace's index, an int.
    TraceIndex,
    /// The current span's id, 16 hexadecimal digits; absent before the first span.
    SpanId,
    /// The number of the current span's service instance among those of the service, from 0, an int; absent before the first
    /// span.
    InstanceIndex,
    /// The attribute `key` of the span that the block's `link` found.
    Linked {
        key: TextId,
    },
    /// The key under which the linked span exported its context.
    LinkedKey,

    /// The text of `of` in upper case.
    Upper {
        of: ExprId,
    },
    /// The text of `of` in lower case.
    Lower {
        of: ExprId,
    },
    /// The value of `of`, or that of `or` where `of` is absent.
    Default {
        of: ExprId,
        or: ExprId,
    },
    /// The number `of`, rounded half away from zero to `digits` (0 to 15) decimals, and printed with exactly as many.
    Round {
        of: ExprId,
        digits: u8,
    },
    /// The text of `of` with zeros in front up to `width` (at most 1,024) characters; the sign of a number stays in front.
    Pad {
        of: ExprId,
        width: u32,
    },
    /// The int in a text or a double (truncated, saturating), or 0 or 1 for a bool; absent if the text is no number.
    ToInt {
        of: ExprId,
    },
    /// The double in a text or an int; absent if the text is no number.
    ToDouble {
        of: ExprId,
    },
    /// The bool in the texts `true` and `false`, or in a number (0 is false); absent otherwise.
    ToBool {
        of: ExprId,
    },
    /// The number `of`, at least `min` and at most `max`.
    Clamp {
        of: ExprId,
        min: ExprId,
        max: ExprId,
    },
    /// The value of `of`, absent if it equals `value`.
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

    /// The value of `then` where `condition` is true, of `otherwise` where it is false; only that one is evaluated.
    If {
        condition: ExprId,
        then: ExprId,
        otherwise: ExprId,
    },
    /// Of the items, which are a key and its value in turns, the value behind the first key that `of` equals; absent if it equals none.
    /// Only that value is evaluated.
    Lookup {
        of: ExprId,
        items: Box<[ExprId]>,
    },
    /// The item at the position `of`, from 0; absent beyond the last. Only that item is evaluated.
    Nth {
        of: ExprId,
        items: Box<[ExprId]>,
    },
    /// The other bool.
    Not {
        of: ExprId,
    },
    /// The number with the other sign.
    Neg {
        of: ExprId,
    },
    /// What the operator makes of two operands.
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

/// What an expression refers to: the operands in its fields, then those in a row; a text of its own, and keys; a constant.
struct Parts<E, R, T, K, C> {
    fields: [Option<E>; 3],
    row: Option<R>,
    text: Option<T>,
    keys: Option<K>,
    constant: Option<C>,
}

impl<E, R, T, K, C> Parts<E, R, T, K, C> {
    fn none() -> Self {
        Parts { fields: [const { None }; 3], row: None, text: None, keys: None, constant: None }
    }

    fn one(operand: E) -> Self {
        Parts { fields: [Some(operand), None, None], ..Parts::none() }
    }

    fn two(first: E, second: E) -> Self {
        Parts { fields: [Some(first), Some(second), None], ..Parts::none() }
    }

    fn row(row: R) -> Self {
        Parts { row: Some(row), ..Parts::none() }
    }
}

/// Takes an expression apart, operands in the order they are evaluated. A macro, so that one list serves to read and to change
/// them.
macro_rules! parts {
    ($expr:expr) => {{
        use Expr::*;
        match $expr {
            Const { value } => Parts { constant: Some(value), ..Parts::none() },
            Linked { key } => Parts { text: Some(key), ..Parts::none() },
            Slot { .. } | RandomInt { .. } | RandomFloat { .. } | RandomBool { .. } | RandomUuid => Parts::none(),
            RandomHex { .. } | RandomIpv4 | RandomIpv6 | RandomUserAgent | RandomZipf { .. } => Parts::none(),
            TimeUnix | TimeUnixMs | TimeUnixNano | TimeIso | TraceId | TraceIndex | SpanId => Parts::none(),
            LinkedKey | InstanceIndex => Parts::none(),
            Text { of } | Upper { of } | Lower { of } | Round { of, .. } | Pad { of, .. } => Parts::one(of),
            ToInt { of } | ToDouble { of } | ToBool { of } | Not { of } | Neg { of } => Parts::one(of),
            StableUuid { of } | StableHex { of, .. } | StableIpv4 { of } => Parts::one(of),
            RandomExp { mean } => Parts::one(mean),
            RandomHexUpTo { count, .. } | RandomText { count, .. } => Parts::one(count),
            RandomIntBetween { min, max } | RandomFloatBetween { min, max, .. } => Parts::two(min, max),
            RandomNormal { mean, stddev } => Parts::two(mean, stddev),
            RandomLognormal { p50, p99 } => Parts::two(p50, p99),
            RandomPareto { min, alpha } => Parts::two(min, alpha),
            Default { of, or } => Parts::two(of, or),
            Omit { of, value } => Parts::two(of, value),
            Binary { left, right, .. } => Parts::two(left, right),
            Clamp { of, min, max } => Parts { fields: [Some(of), Some(min), Some(max)], ..Parts::none() },
            Concat { parts: items } | List { items } | Array { items } | RandomChoice { items } => Parts::row(items),
            Map { keys, values } => Parts { keys: Some(keys), ..Parts::row(values) },
            RandomWeighted { items, .. } => Parts::row(items),
            If { condition, then, otherwise } => {
                Parts { fields: [Some(condition), Some(then), Some(otherwise)], ..Parts::none() }
            }
            StablePick { of, items } | In { of, items } | Lookup { of, items } | Nth { of, items } => {
                Parts { fields: [Some(of), None, None], ..Parts::row(items) }
            }
        }
    }};
}

impl Expr {
    /// The expressions this one uses, in the order they are evaluated.
    pub fn operands(&self) -> impl Iterator<Item = ExprId> {
        let Parts { fields, row, .. } = parts!(self);
        fields.into_iter().flatten().chain(row.into_iter().flatten()).copied()
    }

    /// The expressions this one uses, to be changed.
    pub fn operands_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let Parts { fields, row, .. } = parts!(self);
        fields.into_iter().flatten().chain(row.into_iter().flatten())
    }

    /// Calls `visit` with every text that the expression names, to be changed.
    pub fn each_text_mut(&mut self, visit: &mut impl FnMut(&mut TextId)) {
        let Parts { text, keys, constant, .. } = parts!(self);
        text.into_iter().chain(keys.into_iter().flatten()).for_each(&mut *visit);
        constant.into_iter().for_each(|constant| constant.each_text_mut(visit));
    }
}

impl Constant {
    /// Calls `visit` with every text of the constant, to be changed.
    pub fn each_text_mut(&mut self, visit: &mut impl FnMut(&mut TextId)) {
        match self {
            Constant::Text(text) => visit(text),
            Constant::List(items) => items.iter_mut().for_each(|item| item.each_text_mut(visit)),
            Constant::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                visit(key);
                value.each_text_mut(visit);
            }),
            Constant::Bool(_) | Constant::Int(_) | Constant::Double(_) | Constant::Bytes(_) => {}
        }
    }

    /// The constants in a list or a map, without those in these.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = &Constant> {
        let (list, map) = match self {
            Constant::List(items) => (&items[..], &[][..]),
            Constant::Map(entries) => (&[][..], &entries[..]),
            _ => (&[][..], &[][..]),
        };
        let count = list.len() + map.len();
        (0..count).map(move |at| list.get(at).unwrap_or_else(|| &map[at - list.len()].1))
    }

    /// How many constants there are in it, in lists and maps of any depth.
    pub fn size(&self) -> usize {
        self.elements().map(|element| 1 + element.size()).sum()
    }

    /// How many lists and maps stand in each other.
    pub fn depth(&self) -> usize {
        let inside = self.elements().map(Constant::depth).max().unwrap_or(0);
        usize::from(self.is_nest()) + inside
    }

    /// Whether it is a list or a map.
    pub fn is_nest(&self) -> bool {
        matches!(self, Constant::List(_) | Constant::Map(_))
    }
}

/// Bytes in JSON, as OTLP writes them there.
mod base64 {
    use ::base64::Engine;
    use ::base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::borrow::Cow;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u8]>, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(&*text).map(Vec::into_boxed_slice).map_err(serde::de::Error::custom)
    }
}

/// An operator of two operands. `and` and `or` evaluate the right one only where it decides. Int arithmetic saturates; `int / int` is a double;
/// the remainder has the sign of the divisor; division by zero, and its remainder, are absent; text + text joins.
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
    Rem,
}
