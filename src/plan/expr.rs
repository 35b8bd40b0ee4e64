//! Expressions, which compute values. Operands have smaller ids than the expression that uses them, so evaluation ends.
//!
//! An expression is evaluated again at each place that refers to it, operands from left to right, so a draw in it happens
//! once for each reference. Values are dynamically typed at run time; the compiler has checked what can be checked. An
//! operation on an absent value, or on one of a wrong type, gives an absent value.

use super::id::{ExprId, IncidentId, SlotId, TextId};
use super::inst::Chance;
use serde::{Deserialize, Serialize};

/// A value that is known when the plan is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constant {
    Bool(bool),
    Int(i64),
    /// A finite double.
    Double(f64),
    Text(TextId),
    #[serde(with = "base64")]
    Bytes(Box<[u8]>),
    /// Constants of any types.
    List(Box<[Constant]>),
    /// Constants with their keys.
    Map(Box<[(TextId, Constant)]>),
}

/// How a value is computed. The `Random…` expressions draw from the trace's stream, exactly as often as their documentation
/// says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Expr {
    Const {
        value: Constant,
    },
    /// The value that was last stored in the slot.
    Slot {
        slot: SlotId,
    },
    /// The operand's text: an int in decimal, a double with the digits with which it was made, or else with the fewest that
    /// read back as the same value.
    Text {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// The concatenated texts of the parts; absent if a part is absent.
    Concat {
        parts: Box<[ExprId]>,
    },
    /// A list of the items, which have one type; absent items are left out.
    List {
        items: Box<[ExprId]>,
    },
    /// A list of the items, which may have any types; absent items, and those that are nested too deep, are left out.
    Array {
        items: Box<[ExprId]>,
    },
    /// A map of the values, one for each key; absent values, and those that are nested too deep, are left out with their
    /// keys.
    Map {
        keys: Box<[TextId]>,
        values: Box<[ExprId]>,
    },

    /// An int, uniform from `min` to `max`. One 64-bit draw.
    RandomInt {
        min: i64,
        max: i64,
    },
    /// An int, uniform between two computed ends, which are exchanged if they are in the wrong order. One 64-bit draw.
    RandomIntBetween {
        min: ExprId,
        max: ExprId,
    },
    /// A double, uniform over the multiples of 10^-digits; `min` and `max` are in units of it, and `digits` is at most 15.
    /// One 64-bit draw.
    RandomFloat {
        min: i64,
        max: i64,
        digits: u8,
    },
    /// A double, uniform over the multiples of 10^-digits between two computed ends, which are exchanged if they are in the
    /// wrong order. One 64-bit draw.
    RandomFloatBetween {
        min: ExprId,
        max: ExprId,
        digits: u8,
    },
    /// A bool that is true with this probability. One 32-bit draw.
    RandomBool {
        chance: Chance,
    },
    /// One of the items with equal probabilities; only the chosen one is evaluated. One 32-bit draw, before those of the
    /// item.
    RandomChoice {
        items: Box<[ExprId]>,
    },
    /// One of the items by weight (as many weights as items, finite, >= 0, sum > 0). One 32-bit draw, before those of the
    /// item.
    RandomWeighted {
        items: Box<[ExprId]>,
        weights: Box<[f64]>,
    },
    /// A UUID in version 4 layout (RFC 9562). Two 64-bit draws.
    RandomUuid,
    /// A text of 1 to 1,024 lower-case hexadecimal digits. One 64-bit draw for every 16 digits begun.
    RandomHex {
        digits: u32,
    },
    /// A text of `count` lower-case hexadecimal digits, 0 to `max` (at most 1,024). One 64-bit draw for every 16 digits
    /// begun.
    RandomHexUpTo {
        count: ExprId,
        max: u32,
    },
    /// A text of words with `count` characters, 0 to `max` (at most 1,048,576). One 64-bit draw for every ten words begun.
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
    /// An int with Zipf's distribution over 1..=n (at most 10,000,000) with exponent s (0 < s <= 10), by bounded inversion.
    /// One 64-bit draw.
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
    /// The span's virtual start (before the first span: the trace's) as a text in RFC 3339, in UTC with three decimals.
    TimeIso,
    /// The trace id, 32 hexadecimal digits.
    TraceId,
    /// The trace's index, an int.
    TraceIndex,
    /// The current span's id, 16 hexadecimal digits; absent before the first span.
    SpanId,
    /// The number of the current span's instance among those of its service, counted from 0, an int; absent before the
    /// first span.
    InstanceIndex,
    /// Whether the incident is in force at the span's virtual start (before the first span: the trace's), a bool.
    Incident {
        incident: IncidentId,
    },
    /// The attribute `key` of the span that the block's `link` found.
    Linked {
        key: TextId,
    },
    /// The key under which the linked span exported its context.
    LinkedKey,

    /// The operand's text in upper case.
    Upper {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// The operand's text in lower case.
    Lower {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// The operand's value, or that of `or` if the operand is absent.
    Default {
        #[serde(rename = "of")]
        operand: ExprId,
        or: ExprId,
    },
    /// The operand, rounded half away from zero to `digits` (0 to 15) decimals, and printed with exactly as many.
    Round {
        #[serde(rename = "of")]
        operand: ExprId,
        digits: u8,
    },
    /// The operand's text, padded with zeros to `width` (at most 1,024) characters; the sign of a number stays in front.
    Pad {
        #[serde(rename = "of")]
        operand: ExprId,
        width: u32,
    },
    /// The int in a text or a double (truncated and limited to the range of an int), or 0 or 1 for a bool; absent if a text
    /// is not a number.
    ToInt {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// The double in a text or an int; absent if a text is not a number.
    ToDouble {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// The bool of the text `true` or `false`, or of a number, which is false if it is 0; absent otherwise.
    ToBool {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// The operand, limited to the range from `min` to `max`.
    Clamp {
        #[serde(rename = "of")]
        operand: ExprId,
        min: ExprId,
        max: ExprId,
    },
    /// The operand's value, or absent if it equals `value`.
    Omit {
        #[serde(rename = "of")]
        operand: ExprId,
        value: ExprId,
    },
    /// A UUID derived from the operand's text and the seed, the same in every trace.
    StableUuid {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// Hexadecimal digits derived from the operand's text and the seed.
    StableHex {
        #[serde(rename = "of")]
        operand: ExprId,
        digits: u32,
    },
    /// A unicast IPv4 address derived from the operand's text and the seed.
    StableIpv4 {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// One of the items, chosen by the operand's text and the seed.
    StablePick {
        #[serde(rename = "of")]
        operand: ExprId,
        items: Box<[ExprId]>,
    },

    /// The value of `then` if `condition` is true, or of `otherwise` if it is false; only one of them is evaluated.
    If {
        condition: ExprId,
        then: ExprId,
        otherwise: ExprId,
    },
    /// The value after the first key that equals the operand; the items are keys and values alternately. Only that value is
    /// evaluated; it is absent if no key is equal.
    Lookup {
        #[serde(rename = "of")]
        operand: ExprId,
        items: Box<[ExprId]>,
    },
    /// The item at the position that the operand says, counted from 0; absent beyond the last. Only that item is evaluated.
    Nth {
        #[serde(rename = "of")]
        operand: ExprId,
        items: Box<[ExprId]>,
    },
    /// The opposite of a bool.
    Not {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// A number with the opposite sign.
    Neg {
        #[serde(rename = "of")]
        operand: ExprId,
    },
    /// The result of an operator with two operands.
    Binary {
        operator: Operator,
        left: ExprId,
        right: ExprId,
    },
    /// Whether the operand equals one of the items.
    In {
        #[serde(rename = "of")]
        operand: ExprId,
        items: Box<[ExprId]>,
    },
}

/// The parts to which an expression refers: the operands in its fields, those in a list, a text of its own, keys, and a
/// constant.
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

/// Takes an expression apart, with its operands in the order in which they are evaluated. This is a macro so that the same
/// list serves to read and to change the parts.
macro_rules! parts {
    ($expr:expr) => {{
        use Expr::*;
        match $expr {
            Const { value } => Parts { constant: Some(value), ..Parts::none() },
            Linked { key } => Parts { text: Some(key), ..Parts::none() },
            Slot { .. } | RandomInt { .. } | RandomFloat { .. } | RandomBool { .. } | RandomUuid => Parts::none(),
            RandomHex { .. } | RandomIpv4 | RandomIpv6 | RandomUserAgent | RandomZipf { .. } => Parts::none(),
            TimeUnix | TimeUnixMs | TimeUnixNano | TimeIso | TraceId | TraceIndex | SpanId => Parts::none(),
            LinkedKey | InstanceIndex | Incident { .. } => Parts::none(),
            Text { operand } | Upper { operand } | Lower { operand } | Round { operand, .. } | Pad { operand, .. } => {
                Parts::one(operand)
            }
            ToInt { operand } | ToDouble { operand } | ToBool { operand } | Not { operand } | Neg { operand } => {
                Parts::one(operand)
            }
            StableUuid { operand } | StableHex { operand, .. } | StableIpv4 { operand } => Parts::one(operand),
            RandomExp { mean } => Parts::one(mean),
            RandomHexUpTo { count, .. } | RandomText { count, .. } => Parts::one(count),
            RandomIntBetween { min, max } | RandomFloatBetween { min, max, .. } => Parts::two(min, max),
            RandomNormal { mean, stddev } => Parts::two(mean, stddev),
            RandomLognormal { p50, p99 } => Parts::two(p50, p99),
            RandomPareto { min, alpha } => Parts::two(min, alpha),
            Default { operand, or } => Parts::two(operand, or),
            Omit { operand, value } => Parts::two(operand, value),
            Binary { left, right, .. } => Parts::two(left, right),
            Clamp { operand, min, max } => Parts { fields: [Some(operand), Some(min), Some(max)], ..Parts::none() },
            Concat { parts: items } | List { items } | Array { items } | RandomChoice { items } => Parts::row(items),
            Map { keys, values } => Parts { keys: Some(keys), ..Parts::row(values) },
            RandomWeighted { items, .. } => Parts::row(items),
            If { condition, then, otherwise } => {
                Parts { fields: [Some(condition), Some(then), Some(otherwise)], ..Parts::none() }
            }
            StablePick { operand, items }
            | In { operand, items }
            | Lookup { operand, items }
            | Nth { operand, items } => Parts { fields: [Some(operand), None, None], ..Parts::row(items) },
        }
    }};
}

impl Expr {
    /// Returns the operands of this expression, in the order in which they are evaluated.
    pub fn operands(&self) -> impl Iterator<Item = ExprId> {
        let Parts { fields, row, .. } = parts!(self);
        fields.into_iter().flatten().chain(row.into_iter().flatten()).copied()
    }

    /// Returns the operands of this expression, mutably.
    pub fn operands_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let Parts { fields, row, .. } = parts!(self);
        fields.into_iter().flatten().chain(row.into_iter().flatten())
    }

    /// Calls `visit` with every text of the expression, mutably.
    pub fn each_text_mut(&mut self, visit: &mut impl FnMut(&mut TextId)) {
        let Parts { text, keys, constant, .. } = parts!(self);
        text.into_iter().chain(keys.into_iter().flatten()).for_each(&mut *visit);
        constant.into_iter().for_each(|constant| constant.each_text_mut(visit));
    }
}

impl Constant {
    /// Calls `visit` with every text of the constant, mutably.
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

    /// Returns the constants in a list or a map, without those nested in them.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = &Constant> {
        let (list, map) = match self {
            Constant::List(items) => (&items[..], &[][..]),
            Constant::Map(entries) => (&[][..], &entries[..]),
            _ => (&[][..], &[][..]),
        };
        let count = list.len() + map.len();
        (0..count).map(move |at| list.get(at).unwrap_or_else(|| &map[at - list.len()].1))
    }

    /// Returns the number of constants in it, in lists and maps of any depth.
    pub fn size(&self) -> usize {
        self.elements().map(|element| 1 + element.size()).sum()
    }

    /// Returns the number of levels of lists and maps.
    pub fn depth(&self) -> usize {
        let inside = self.elements().map(Constant::depth).max().unwrap_or(0);
        usize::from(self.is_nest()) + inside
    }

    /// Reports whether it is a list or a map.
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

/// An operator with two operands. `and` and `or` evaluate the right one only if it decides. Int arithmetic is limited to
/// the range of an int; `int / int` is a double; the remainder has the sign of the divisor; a division by zero, and its
/// remainder, are absent; text + text concatenates.
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
