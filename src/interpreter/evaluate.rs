//! The evaluation of expressions. The documentation of [`crate::plan::Expr`] says what each expression does and how often
//! it draws.

mod compare;
mod convert;
mod linked;
mod time;

pub(super) use linked::Found;

use super::code::Code;
use super::random::{Random, within};
use super::stable::Use;
use super::{text, user_agent, words};
use crate::plan::distribution;
use crate::plan::{BlockId, Constant, Expr, ExprId, IncidentId, Operator, ResourceId, SlotId, TextId};
use crate::trace::{Bytes, NONE, Read, Trace, Value};

/// All that an expression can read, and the trace to which its texts are written.
pub(super) struct Evaluation<'a> {
    pub code: &'a Code,
    pub random: &'a mut Random,
    pub slots: &'a mut [Value],
    pub trace: &'a mut Trace,
    /// The trace that contains the span `linked`, unless that is in the current trace.
    pub earlier: &'a mut Trace,
    /// The ordinal of the current span, or [`NONE`].
    pub span: u32,
    /// The span to which the current span links.
    pub linked: Option<Found>,
    /// The start and the instance of the span that a call is about to make, while it is decided whether it is down.
    pub arrival: Option<Arrival>,
    /// The instance of the span that starts next, if it was drawn before.
    pub drawn: Option<ResourceId>,
}

/// The start of a span that is not made yet.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    /// The time in ns since 1970.
    pub time: u64,
    pub resource: ResourceId,
    pub block: BlockId,
}

impl Evaluation<'_> {
    #[inline(always)]
    pub fn value(&mut self, id: ExprId) -> Value {
        match &self.code.plan.exprs[id.index()] {
            Expr::Slot { slot } => self.slots[slot.index()],
            Expr::Const { value: Constant::Text(text) } => self.constant_text(*text),
            _ => self.compute(id),
        }
    }

    /// Reports whether a condition is true. An absent value is not true.
    #[inline(always)]
    pub fn holds(&mut self, condition: ExprId) -> bool {
        matches!(self.value(condition).read(), Read::Bool(true))
    }

    /// Reports whether a slot holds `true`.
    pub fn is_set(&self, slot: SlotId) -> bool {
        matches!(self.slots[slot.index()].read(), Read::Bool(true))
    }

    /// Returns the value as a text, which is copied only if the value is not a text yet. An absent value stays absent.
    #[inline(always)]
    pub fn text(&mut self, id: ExprId) -> Value {
        let value = self.value(id);
        self.as_text(value)
    }

    /// Reports whether the span that is about to start is down, by the condition `when`.
    #[inline(never)]
    pub fn is_down(&mut self, when: ExprId, arrival: Arrival) -> bool {
        self.arrival = Some(arrival);
        let is_down = self.holds(when);
        self.arrival = None;
        is_down
    }

    /// Reports whether an incident is in force for the current span, or for the one that is about to start.
    fn is_in_force(&self, incident: IncidentId) -> bool {
        let time = self.arrival.map_or_else(|| self.start(), |arrival| arrival.time);
        self.code.windows[incident.index()].contain(time)
    }

    /// Returns the start of the current span, or of the trace before its first span, in ns since 1970.
    fn start(&self) -> u64 {
        if self.span == NONE { self.trace.start } else { self.trace.spans[self.span as usize].start }
    }

    fn constant_text(&self, id: TextId) -> Value {
        Value::constant(&self.code.plan, id)
    }

    /// Returns the value of an expression that is neither a slot nor a text. The function is not inlined, so that the
    /// machine's loop keeps its registers.
    #[inline(never)]
    fn compute(&mut self, id: ExprId) -> Value {
        let code = self.code;
        match &code.plan.exprs[id.index()] {
            Expr::Slot { slot } => self.slots[slot.index()],
            Expr::Const { value } => self.constant(value),
            Expr::Text { operand } => match &code.plan.exprs[operand.index()] {
                Expr::RandomInt { .. } | Expr::RandomFloat { .. } => {
                    let at = self.trace.text.len();
                    self.append(*operand);
                    Value::text(at, self.trace.text.len())
                }
                _ => self.text(*operand),
            },
            Expr::Concat { parts } => self.concat(parts),
            Expr::List { items } => self.list(items),
            Expr::Array { items } => self.array(items),
            Expr::Map { keys, values } => self.map(keys, values),

            Expr::RandomInt { min, max } => Value::int(self.random.between(*min, *max)),
            Expr::RandomIntBetween { min, max } => {
                let (min, max) = (self.value(*min), self.value(*max));
                let draw = self.random.u64();
                match (convert::int(min), convert::int(max)) {
                    (Some(a), Some(b)) => Value::int(within(draw, a.min(b), a.max(b))),
                    _ => Value::ABSENT,
                }
            }
            Expr::RandomFloat { min, max, digits } => units(self.random.between(*min, *max), *digits),
            Expr::RandomFloatBetween { min, max, digits } => {
                let (min, max) = (self.value(*min), self.value(*max));
                let draw = self.random.u64();
                let scale = text::POWERS[*digits as usize] as f64;
                match (convert::double(min), convert::double(max)) {
                    (Some(a), Some(b)) => {
                        let (a, b) = (libm::round(a * scale) as i64, libm::round(b * scale) as i64);
                        units(within(draw, a.min(b), a.max(b)), *digits)
                    }
                    _ => Value::ABSENT,
                }
            }
            Expr::RandomBool { chance } => Value::bool((self.random.u32() as u64) < chance.0),
            Expr::RandomChoice { items } => {
                let at = self.random.below32(items.len() as u32) as usize;
                self.value(items[at])
            }
            Expr::RandomWeighted { items, .. } => {
                let at = code.tables.weighted(id, self.random.u32());
                self.value(items[at])
            }
            Expr::RandomUuid => {
                let (a, b) = (self.random.u64(), self.random.u64());
                self.write(|out| text::put_uuid(out, a, b))
            }
            Expr::RandomHex { digits } => {
                let at = self.trace.text.len();
                text::put_hex(&mut self.trace.text, *digits, || self.random.u64());
                Value::text(at, self.trace.text.len())
            }
            Expr::RandomHexUpTo { count, max } => {
                let Some(digits) = self.count(*count, *max) else { return Value::ABSENT };
                let at = self.trace.text.len();
                text::put_hex(&mut self.trace.text, digits, || self.random.u64());
                Value::text(at, self.trace.text.len())
            }
            Expr::RandomText { count, max } => {
                let Some(characters) = self.count(*count, *max) else { return Value::ABSENT };
                let at = self.trace.text.len();
                words::put_words(&mut self.trace.text, characters as usize, || self.random.u64());
                Value::text(at, self.trace.text.len())
            }
            Expr::RandomIpv4 => {
                let bits = self.random.u32();
                self.write(|out| text::put_ipv4(out, bits))
            }
            Expr::RandomIpv6 => {
                let (a, b) = (self.random.u64(), self.random.u64());
                self.write(|out| text::put_ipv6(out, a, b))
            }
            Expr::RandomUserAgent => {
                let (before, version, behind) = user_agent::user_agent(self.random.u64());
                self.write(|out| {
                    out.append(before.as_bytes());
                    text::put_int(out, version as i64);
                    out.append(behind.as_bytes());
                })
            }
            Expr::RandomZipf { .. } => Value::int(code.tables.zipf(id, self.random.unit()) as i64),
            Expr::RandomNormal { mean, stddev } => {
                self.sample(*mean, *stddev, |p, mean, sd| Some(mean + sd * distribution::normal(p)))
            }
            Expr::RandomLognormal { p50, p99 } => self.sample(*p50, *p99, distribution::lognormal),
            Expr::RandomExp { mean } => {
                let mean = self.value(*mean);
                let p = self.random.unit();
                let sample = convert::double(mean).and_then(|mean| distribution::exponential(p, mean));
                sample.map_or(Value::ABSENT, convert::finite)
            }
            Expr::RandomPareto { min, alpha } => self.sample(*min, *alpha, distribution::pareto),

            Expr::TimeUnix => Value::int((self.start() / 1_000_000_000) as i64),
            Expr::TimeUnixMs => Value::int((self.start() / 1_000_000) as i64),
            Expr::TimeUnixNano => Value::int(self.start() as i64),
            Expr::TimeIso => {
                let start = self.start();
                self.write(|out| text::put_time(out, start))
            }
            Expr::TraceId => {
                let id = u128::from_le_bytes(self.trace.id);
                let mut halves = [id as u64, (id >> 64) as u64].into_iter();
                self.write(|out| text::put_hex(out, 32, || halves.next().unwrap_or(0)))
            }
            Expr::TraceIndex => Value::int(self.trace.index as i64),
            Expr::SpanId if self.span == NONE => Value::ABSENT,
            Expr::SpanId => {
                let id = self.trace.spans[self.span as usize].id;
                self.write(|out| text::put_hex(out, 16, || id.swap_bytes()))
            }
            Expr::InstanceIndex if self.arrival.is_none() && self.span == NONE => Value::ABSENT,
            Expr::InstanceIndex => {
                let (block, resource) = match self.arrival {
                    Some(arrival) => (arrival.block, arrival.resource),
                    None => (self.trace.spans[self.span as usize].block, self.trace.spans[self.span as usize].resource),
                };
                code.service(block).instance_of(resource).map_or(Value::ABSENT, |instance| Value::int(instance.into()))
            }
            Expr::Incident { incident } => Value::bool(self.is_in_force(*incident)),
            Expr::Linked { key } => self.linked_attribute(*key),
            Expr::LinkedKey => self.linked_key(),

            Expr::Upper { operand } => {
                self.change_case(*operand, u8::to_ascii_uppercase, |out, c| append(out, c.to_uppercase()))
            }
            Expr::Lower { operand } => {
                self.change_case(*operand, u8::to_ascii_lowercase, |out, c| append(out, c.to_lowercase()))
            }
            Expr::Default { operand, or } => {
                let value = self.value(*operand);
                if value.is_absent() { self.value(*or) } else { value }
            }
            Expr::Round { operand, digits } => convert::round(self.value(*operand), *digits),
            Expr::Pad { operand, width } => self.pad(*operand, *width as usize),
            Expr::ToInt { operand } => {
                let value = self.value(*operand);
                self.to_int(value).map_or(Value::ABSENT, Value::int)
            }
            Expr::ToDouble { operand } => {
                let value = self.value(*operand);
                self.to_double(value)
            }
            Expr::ToBool { operand } => {
                let value = self.value(*operand);
                self.to_bool(value).map_or(Value::ABSENT, Value::bool)
            }
            Expr::Clamp { operand, min, max } => {
                let (operand, min, max) = (self.value(*operand), self.value(*min), self.value(*max));
                self.clamp(operand, min, max)
            }
            Expr::Omit { operand, value } => {
                let (operand, value) = (self.value(*operand), self.value(*value));
                if self.equal(operand, value) == Some(true) { Value::ABSENT } else { operand }
            }
            Expr::StableUuid { operand } => self.stable(*operand, |this, text| {
                let [a, b, ..] = this.stable_words(Use::Uuid, 0, text);
                this.write(|out| text::put_uuid(out, a, b))
            }),
            Expr::StableHex { operand, digits } => self.stable(*operand, |this, text| this.stable_hex(*digits, text)),
            Expr::StableIpv4 { operand } => self.stable(*operand, |this, text| {
                let bits = this.stable_words(Use::Ipv4, 0, text)[0] as u32;
                this.write(|out| text::put_ipv4(out, bits))
            }),
            Expr::StablePick { operand, items } => self.stable(*operand, |this, text| {
                let draw = this.stable_words(Use::Pick, 0, text)[0];
                let at = (draw as u128 * items.len() as u128) >> 64;
                this.value(items[at as usize])
            }),

            Expr::If { condition, then, otherwise } => match self.value(*condition).read() {
                Read::Bool(true) => self.value(*then),
                Read::Bool(false) => self.value(*otherwise),
                _ => Value::ABSENT,
            },
            Expr::Lookup { operand, items } => {
                let operand = self.value(*operand);
                for pair in items.chunks_exact(2) {
                    let key = self.value(pair[0]);
                    if self.equal(operand, key) == Some(true) {
                        return self.value(pair[1]);
                    }
                }
                Value::ABSENT
            }
            Expr::Nth { operand, items } => {
                let at = convert::int(self.value(*operand)).and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| items.get(at)).map_or(Value::ABSENT, |item| self.value(*item))
            }

            Expr::Not { operand } => match self.value(*operand).read() {
                Read::Bool(v) => Value::bool(!v),
                _ => Value::ABSENT,
            },
            Expr::Neg { operand } => match self.value(*operand).read() {
                Read::Int(v) => Value::int(v.saturating_neg()),
                Read::Double { value, .. } => Value::double(-value),
                _ => Value::ABSENT,
            },
            Expr::Binary { operator, left, right } => self.binary(*operator, *left, *right),
            Expr::In { operand, items } => {
                let operand = self.value(*operand);
                let mut found = false;
                for item in items {
                    // All items are evaluated, so that the number of draws is always the same.
                    let item = self.value(*item);
                    found |= self.equal(operand, item) == Some(true);
                }
                if operand.is_absent() { Value::ABSENT } else { Value::bool(found) }
            }
        }
    }

    /// Returns a number of characters or turns, from 0 to `max`, or `None` if the expression has no number as its value.
    pub fn count(&mut self, id: ExprId, max: u32) -> Option<u32> {
        let count = convert::int(self.value(id))?;
        Some(count.clamp(0, max.into()) as u32)
    }

    /// Returns the text that `put` appends, as a value.
    #[inline(always)]
    fn write(&mut self, put: impl FnOnce(&mut Bytes)) -> Value {
        let at = self.trace.text.len();
        put(&mut self.trace.text);
        Value::text(at, self.trace.text.len())
    }

    pub fn constant(&mut self, constant: &Constant) -> Value {
        match constant {
            Constant::Bool(v) => Value::bool(*v),
            Constant::Int(v) => Value::int(*v),
            Constant::Double(v) => Value::double(*v),
            Constant::Text(id) => self.constant_text(*id),
            Constant::Bytes(bytes) => {
                let at = self.trace.text.len();
                self.trace.text.append(bytes);
                Value::bytes(at, self.trace.text.len())
            }
            Constant::List(items) => {
                let (at, mut inside) = (self.row(items.len()), 0);
                for (k, item) in items.iter().enumerate() {
                    let item = self.constant(item);
                    inside = inside.max(item.depth());
                    self.trace.values[at + k] = item;
                }
                Value::list(at, items.len(), inside)
            }
            Constant::Map(entries) => {
                let (at, mut inside) = (self.row(2 * entries.len()), 0);
                for (k, (key, value)) in entries.iter().enumerate() {
                    let value = self.constant(value);
                    inside = inside.max(value.depth());
                    self.trace.values[at + 2 * k] = self.constant_text(*key);
                    self.trace.values[at + 2 * k + 1] = value;
                }
                Value::map(at, entries.len(), inside)
            }
        }
    }

    /// Makes room for values. It is made before the values are evaluated, because they may be lists, or make lists on the
    /// way.
    fn row(&mut self, len: usize) -> usize {
        let at = self.trace.values.len();
        self.trace.values.resize(at + len, Value::ABSENT);
        at
    }

    /// Joins texts. The function is part of its one caller, where it costs fewer instructions than as a call.
    #[inline(always)]
    fn concat(&mut self, parts: &[ExprId]) -> Value {
        let at = self.trace.text.len();
        let mut whole = true;
        for part in parts {
            // The parts after an absent one are evaluated too, so that the number of draws is always the same.
            whole &= self.append(*part);
        }
        if whole {
            return Value::text(at, self.trace.text.len());
        }
        self.trace.text.truncate(at);
        Value::ABSENT
    }

    /// Appends the expression's text; returns `false` if the value is absent.
    #[inline(always)]
    fn append(&mut self, id: ExprId) -> bool {
        let code = self.code;
        let value = match &code.plan.exprs[id.index()] {
            Expr::Const { value: Constant::Text(text) } => {
                let len = code.plan.text(*text).len();
                self.trace.text.room(len);
                code.texts.copy::<32>(&mut self.trace.text, *text, len);
                return true;
            }
            Expr::RandomUuid => {
                let (a, b) = (self.random.u64(), self.random.u64());
                text::put_uuid(&mut self.trace.text, a, b);
                return true;
            }
            Expr::RandomInt { min, max } => {
                text::put_int(&mut self.trace.text, self.random.between(*min, *max));
                return true;
            }
            Expr::RandomFloat { min, max, digits } => {
                let drawn = self.random.between(*min, *max);
                if text::is_exact(drawn) {
                    text::put_units(&mut self.trace.text, drawn, *digits);
                    return true;
                }
                units(drawn, *digits)
            }
            Expr::Slot { slot } => self.slots[slot.index()],
            _ => return self.append_computed(id),
        };
        self.append_value(value)
    }

    fn append_computed(&mut self, id: ExprId) -> bool {
        let mark = self.trace.text.len();
        let value = self.compute(id);
        match value.read() {
            Read::Text { at, len } if at >= mark => {
                // The text is moved to where the texts begin that were written on the way.
                self.trace.text.shift(at, mark as isize - at as isize);
                self.trace.text.truncate(mark + len);
                true
            }
            _ => {
                self.trace.text.truncate(mark);
                self.append_value(value)
            }
        }
    }

    /// Appends a value's text; returns `false` if it has none.
    fn append_value(&mut self, value: Value) -> bool {
        let out = &mut self.trace.text;
        match value.read() {
            Read::Text { at, len } => out.append_within(at, len),
            Read::Const { text, len } => {
                out.room(len);
                self.code.texts.copy::<32>(out, text, len);
            }
            Read::Int(v) => text::put_int(out, v),
            Read::Double { value, digits: Some(digits) } => text::put_fixed(out, value, digits),
            Read::Double { value, digits: None } => text::put_double(out, value),
            Read::Bool(v) => out.append(if v { b"true" } else { b"false" }),
            Read::List { .. } | Read::Map { .. } | Read::Bytes { .. } | Read::Absent => return false,
        }
        true
    }

    pub fn as_text(&mut self, value: Value) -> Value {
        if matches!(value.read(), Read::Text { .. } | Read::Const { .. }) {
            return value;
        }
        let at = self.trace.text.len();
        if self.append_value(value) { Value::text(at, self.trace.text.len()) } else { Value::ABSENT }
    }

    fn list(&mut self, items: &[ExprId]) -> Value {
        let (at, mut len) = (self.row(items.len()), 0);
        for item in items {
            let value = self.value(*item);
            let first = if len == 0 { value } else { self.trace.values[at] };
            if convert::may_be_together(first, value) {
                self.trace.values[at + len] = value;
                len += 1;
            }
        }
        Value::list(at, len, 0)
    }

    fn array(&mut self, items: &[ExprId]) -> Value {
        let (at, mut len, mut inside) = (self.row(items.len()), 0, 0);
        for item in items {
            let value = self.value(*item);
            if may_be_inside(value) {
                self.trace.values[at + len] = value;
                (len, inside) = (len + 1, inside.max(value.depth()));
            }
        }
        Value::list(at, len, inside)
    }

    fn map(&mut self, keys: &[TextId], values: &[ExprId]) -> Value {
        let (at, mut len, mut inside) = (self.row(2 * keys.len()), 0, 0);
        for (key, value) in keys.iter().zip(values) {
            let value = self.value(*value);
            if may_be_inside(value) {
                self.trace.values[at + 2 * len] = self.constant_text(*key);
                self.trace.values[at + 2 * len + 1] = value;
                (len, inside) = (len + 1, inside.max(value.depth()));
            }
        }
        Value::map(at, len, inside)
    }

    fn sample(&mut self, a: ExprId, b: ExprId, quantile: impl FnOnce(f64, f64, f64) -> Option<f64>) -> Value {
        let (first, second) = (self.value(a), self.value(b));
        let p = self.random.unit();
        match (convert::double(first), convert::double(second)) {
            (Some(a), Some(b)) => quantile(p, a, b).map_or(Value::ABSENT, convert::finite),
            _ => Value::ABSENT,
        }
    }

    /// Returns the value of an operation. Like `concat`, it is part of its one caller.
    #[inline(always)]
    fn binary(&mut self, operator: Operator, left: ExprId, right: ExprId) -> Value {
        let a = self.value(left);
        if let Operator::Or | Operator::And = operator {
            return match a.read() {
                Read::Bool(decided) if decided == (operator == Operator::Or) => a,
                Read::Bool(_) => {
                    let b = self.value(right);
                    if matches!(b.read(), Read::Bool(_)) { b } else { Value::ABSENT }
                }
                _ => Value::ABSENT,
            };
        }
        let b = self.value(right);
        match operator {
            Operator::Eq => self.equal(a, b).map_or(Value::ABSENT, Value::bool),
            Operator::Ne => self.equal(a, b).map_or(Value::ABSENT, |equal| Value::bool(!equal)),
            Operator::Lt => self.order(a, b).map_or(Value::ABSENT, |o| Value::bool(o.is_lt())),
            Operator::Le => self.order(a, b).map_or(Value::ABSENT, |o| Value::bool(o.is_le())),
            Operator::Gt => self.order(a, b).map_or(Value::ABSENT, |o| Value::bool(o.is_gt())),
            Operator::Ge => self.order(a, b).map_or(Value::ABSENT, |o| Value::bool(o.is_ge())),
            Operator::Add if self.is_text(a) && self.is_text(b) => self.write_both(a, b),
            Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem => {
                convert::arithmetic(operator, a, b)
            }
            Operator::Or | Operator::And => Value::ABSENT,
        }
    }

    fn write_both(&mut self, a: Value, b: Value) -> Value {
        let at = self.trace.text.len();
        self.append_value(a);
        self.append_value(b);
        Value::text(at, self.trace.text.len())
    }
}

#[inline(always)]
fn units(units: i64, digits: u8) -> Value {
    Value::fixed(units as f64 / text::POWERS[digits as usize] as f64, digits)
}

/// Reports whether a value may be an element of a list or a map: it is not absent, and not nested too deep.
fn may_be_inside(value: Value) -> bool {
    !value.is_absent() && value.depth() < Value::MAX_DEPTH
}

fn append(out: &mut Bytes, chars: impl Iterator<Item = char>) {
    for c in chars {
        out.append(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests;
