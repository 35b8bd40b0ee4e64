//! Follows expressions as evaluation does: the values that they read must exist, and the texts that they make must be
//! limited.

use super::violation::{Fault, Place, Violation};
use crate::plan::{Constant, Expr, ExprId, Operator, Program, SlotId, TextId, limits};

/// The maximum size of an int's decimal text in bytes.
pub(super) const INT: u64 = 20;
/// The maximum size of a double's text in bytes: a sign, 309 digits before the point, and those after it; or one and 323
/// zeros before the point.
const DOUBLE: u64 = 352;
/// The maximum size of a bool's text in bytes.
pub(super) const BOOL: u64 = 5;
/// The maximum size of the interpreter's User-Agents in bytes.
const USER_AGENT: u64 = 512;
/// The maximum growth of a character's size when its case is changed.
const CASE: u64 = 3;

/// The place of an expression, which determines what it may read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// In a resource, which reads only constants and stable functions.
    Resource,
    /// In a var, before the first span.
    Vars,
    /// In a span. `linked` is the size of the longest text that a linked span can have, if every way to here has looked for
    /// a link.
    Span { linked: Option<u64> },
}

/// Facts about the values of one scenario while its code is followed, and the amounts used up by all scenarios.
pub(super) struct Values<'a> {
    program: &'a Program,
    pub site: Site,
    /// Whether every way to here has written each slot.
    written: Vec<bool>,
    /// The size in bytes of the longest text that each slot may hold.
    longest: Vec<u64>,
    /// The number of expressions evaluated so far, in all scenarios.
    evaluations: u64,
    /// The number of evaluations that each expression takes: its own, and those of its operands as often as it names them.
    costs: Vec<u64>,
    /// The maximum number of times that a trace runs the current code.
    turns: u64,
    /// The size in bytes of the texts that one trace of this scenario has made so far.
    text: u64,
    /// Whether the evaluations are used up; then nothing is followed any more.
    is_exhausted: bool,
    /// Whether this scenario was found to make too much text.
    is_too_long: bool,
}

impl<'a> Values<'a> {
    pub fn new(program: &'a Program) -> Self {
        let mut costs: Vec<u64> = Vec::with_capacity(program.exprs.len());
        for expr in &program.exprs {
            let own = if let Expr::Const { value } = expr { 1 + value.size() as u64 } else { 1 };
            costs.push(expr.operands().fold(own, |sum, operand| sum.saturating_add(costs[operand.index()])));
        }
        Values {
            program,
            site: Site::Resource,
            written: vec![],
            longest: vec![],
            evaluations: 0,
            costs,
            turns: 1,
            text: 0,
            is_exhausted: false,
            is_too_long: false,
        }
    }

    /// Begins a scenario.
    pub fn begin(&mut self, slots: usize) {
        self.site = Site::Vars;
        self.written = vec![false; slots];
        self.longest = vec![0; slots];
        self.turns = 1;
        self.text = 0;
        self.is_too_long = false;
    }

    /// Begins code that runs `turns` times as often, and returns the value to pass to [`Values::end_turns`].
    pub fn begin_turns(&mut self, turns: u64) -> u64 {
        let all = self.turns.saturating_mul(turns);
        std::mem::replace(&mut self.turns, all)
    }

    /// Ends code that runs more often than the code around it.
    pub fn end_turns(&mut self, outside: u64) {
        self.turns = outside;
    }

    /// Reports whether the current code may run more than once, and a text of `longest` bytes is longer than what the slot
    /// already holds.
    pub fn outgrows(&self, slot: SlotId, longest: u64) -> bool {
        let at = slot.index();
        self.turns > 1 && self.written.get(at) == Some(&true) && longest > self.longest[at]
    }

    /// Allows a slot to hold a text of `longest` bytes, whether it is written or not.
    ///
    /// # Errors
    /// The scenario has no such slot.
    pub fn raise(&mut self, place: Place, slot: SlotId, longest: u64) -> Result<(), Violation> {
        self.slot(place, slot)?;
        let kept = &mut self.longest[slot.index()];
        *kept = longest.max(*kept);
        Ok(())
    }

    /// Marks a slot as unwritten again.
    pub fn forget(&mut self, slot: SlotId) {
        self.written[slot.index()] = false;
    }

    /// Writes a value whose text has at most `longest` bytes into a slot, and returns whether the slot was unwritten.
    ///
    /// # Errors
    /// The scenario has no such slot.
    pub fn write(&mut self, place: Place, slot: SlotId, longest: u64) -> Result<bool, Violation> {
        self.raise(place, slot, longest)?;
        Ok(!std::mem::replace(&mut self.written[slot.index()], true))
    }

    /// Reads a slot, and returns the size in bytes of the longest text that it may hold.
    ///
    /// # Errors
    /// The scenario has no such slot, or not every way to here has written it.
    pub fn read(&self, place: Place, slot: SlotId) -> Result<u64, Violation> {
        self.slot(place, slot)?;
        if !self.written[slot.index()] {
            return Err(place.broken(Fault::Unwritten { slot }));
        }
        Ok(self.longest[slot.index()])
    }

    fn slot(&self, place: Place, slot: SlotId) -> Result<(), Violation> {
        if slot.index() >= self.written.len() {
            return Err(place.broken(Fault::OutOfRange { subject: "slot", id: slot.0, len: self.written.len() }));
        }
        Ok(())
    }

    /// Evaluates an expression, and returns the size in bytes of the longest text that it may have.
    ///
    /// # Errors
    /// The expression reads a value that does not exist, makes too much text, or takes too long. Then neither this
    /// expression nor any later one is followed.
    pub fn evaluate(&mut self, place: Place, id: ExprId) -> Result<u64, Violation> {
        if self.is_exhausted {
            return Ok(0);
        }
        let cost = self.costs[id.index()].saturating_mul(self.turns);
        self.evaluations = self.evaluations.saturating_add(cost);
        if self.evaluations > limits::EVALUATIONS {
            self.is_exhausted = true;
            let (count, max) = (self.evaluations, limits::EVALUATIONS);
            return Err(place.broken(Fault::TooMany { subject: "expressions to evaluate", count, max }));
        }
        self.follow(place, id)
    }

    fn follow(&mut self, place: Place, id: ExprId) -> Result<u64, Violation> {
        let program = self.program;
        let expr = &program.exprs[id.index()];
        if let Expr::Slot { slot } = expr {
            self.allow(place, !matches!(self.site, Site::Resource), "a resource reads no slots")?;
            return self.read(place, *slot);
        }
        if let Expr::Const { value } = expr {
            return Ok(self.constant(value));
        }
        self.allowed(place, expr)?;
        let (mut sum, mut max, mut first) = (0_u64, 0, None);
        for operand in expr.operands() {
            let longest = self.follow(place, operand)?;
            sum = sum.saturating_add(longest);
            max = max.max(longest);
            first.get_or_insert(longest);
        }
        let first = first.unwrap_or(0);
        let (longest, makes_text) = match expr {
            Expr::Const { .. } | Expr::Slot { .. } => unreachable!("handled above"),
            Expr::Text { .. } => (first, true),
            Expr::Concat { .. } => (sum, true),
            Expr::List { .. } | Expr::Array { .. } => (sum, false),
            Expr::Map { keys, .. } => (keys.iter().map(|key| self.key(*key)).fold(sum, u64::saturating_add), false),
            Expr::RandomInt { .. } | Expr::RandomIntBetween { .. } | Expr::RandomZipf { .. } => (INT, false),
            Expr::RandomFloat { .. } | Expr::RandomFloatBetween { .. } | Expr::Round { .. } => (DOUBLE, false),
            Expr::RandomNormal { .. } | Expr::RandomLognormal { .. } => (DOUBLE, false),
            Expr::RandomExp { .. } | Expr::RandomPareto { .. } => (DOUBLE, false),
            Expr::RandomBool { .. } | Expr::ToBool { .. } | Expr::Not { .. } | Expr::In { .. } => (BOOL, false),
            Expr::Incident { .. } => (BOOL, false),
            Expr::RandomChoice { .. } | Expr::RandomWeighted { .. } | Expr::StablePick { .. } => (max, false),
            Expr::RandomUuid | Expr::StableUuid { .. } => (36, true),
            Expr::RandomHex { digits } | Expr::StableHex { digits, .. } => (u64::from(*digits), true),
            Expr::RandomHexUpTo { max, .. } | Expr::RandomText { max, .. } => (u64::from(*max), true),
            Expr::RandomIpv4 | Expr::StableIpv4 { .. } => (15, true),
            Expr::RandomIpv6 => (39, true),
            Expr::RandomUserAgent => (USER_AGENT, true),
            Expr::TimeUnix
            | Expr::TimeUnixMs
            | Expr::TimeUnixNano
            | Expr::TraceIndex
            | Expr::InstanceIndex
            | Expr::ToInt { .. } => (INT, false),
            Expr::TimeIso | Expr::TraceId => (32, true),
            Expr::SpanId => (16, true),
            Expr::Linked { .. } | Expr::LinkedKey => match self.site {
                Site::Span { linked: Some(longest) } => (longest, true),
                _ => return Err(place.broken(Fault::NotHere("`linked` is read before every way here has a `link`"))),
            },
            Expr::Upper { .. } | Expr::Lower { .. } => (first.saturating_mul(CASE), true),
            Expr::Default { .. } | Expr::Clamp { .. } => (max, false),
            Expr::If { .. } | Expr::Lookup { .. } | Expr::Nth { .. } => (max, false),
            Expr::Omit { .. } => (first, false),
            Expr::Pad { width, .. } => (first.saturating_add(u64::from(*width)), true),
            Expr::ToDouble { .. } | Expr::Neg { .. } => (DOUBLE, false),
            Expr::Binary { operator: Operator::Add, .. } => (sum.max(DOUBLE), true),
            Expr::Binary { operator: Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem, .. } => {
                (DOUBLE, false)
            }
            Expr::Binary { operator: Operator::And | Operator::Or, .. } => (max.max(BOOL), false),
            Expr::Binary { .. } => (BOOL, false),
        };
        if makes_text {
            // The stable functions and `pad` may write their operand's text first.
            let made = longest.saturating_add(first).saturating_mul(self.turns);
            self.text = self.text.saturating_add(made);
            if self.text > limits::TRACE_TEXT_BYTES && !std::mem::replace(&mut self.is_too_long, true) {
                let (count, max) = (self.text, limits::TRACE_TEXT_BYTES);
                return Err(place.broken(Fault::TooMany { subject: "bytes of text in a trace", count, max }));
            }
        }
        Ok(longest)
    }

    /// Returns the size of the longest text of a constant in bytes.
    pub fn constant(&self, value: &Constant) -> u64 {
        match value {
            Constant::Bool(_) => BOOL,
            Constant::Int(_) => INT,
            Constant::Double(_) => DOUBLE,
            Constant::Text(id) => self.program.texts[id.index()].len() as u64,
            Constant::Bytes(bytes) => bytes.len() as u64,
            Constant::List(items) => items.iter().map(|item| self.constant(item)).sum(),
            Constant::Map(entries) => entries.iter().map(|(key, value)| self.key(*key) + self.constant(value)).sum(),
        }
    }

    fn key(&self, key: TextId) -> u64 {
        self.program.texts[key.index()].len() as u64
    }

    fn allowed(&self, place: Place, expr: &Expr) -> Result<(), Violation> {
        if self.site == Site::Resource {
            self.allow(place, is_stable(expr), "a resource's attributes are constants and stable functions of them")?;
        }
        if self.site == Site::Vars {
            let of_span = matches!(expr, Expr::SpanId | Expr::InstanceIndex | Expr::Linked { .. } | Expr::LinkedKey);
            self.allow(place, !of_span, "vars are drawn before there is a span")?;
        }
        Ok(())
    }

    fn allow(&self, place: Place, holds: bool, rule: &'static str) -> Result<(), Violation> {
        if holds { Ok(()) } else { Err(place.broken(Fault::NotHere(rule))) }
    }
}

/// Reports whether an expression is the same in every trace, whatever the draws, times and ids are. Its operands are
/// checked separately.
fn is_stable(expr: &Expr) -> bool {
    match expr {
        Expr::Const { .. } | Expr::Text { .. } | Expr::Concat { .. } => true,
        Expr::List { .. } | Expr::Array { .. } | Expr::Map { .. } => true,
        Expr::Slot { .. } | Expr::Linked { .. } | Expr::LinkedKey => false,
        Expr::RandomInt { .. } | Expr::RandomIntBetween { .. } | Expr::RandomZipf { .. } => false,
        Expr::RandomFloat { .. } | Expr::RandomFloatBetween { .. } | Expr::RandomBool { .. } => false,
        Expr::RandomChoice { .. } | Expr::RandomWeighted { .. } | Expr::RandomUuid | Expr::RandomHex { .. } => false,
        Expr::RandomHexUpTo { .. } | Expr::RandomText { .. } => false,
        Expr::RandomIpv4 | Expr::RandomIpv6 | Expr::RandomUserAgent | Expr::RandomNormal { .. } => false,
        Expr::RandomLognormal { .. } | Expr::RandomExp { .. } | Expr::RandomPareto { .. } => false,
        Expr::TimeUnix | Expr::TimeUnixMs | Expr::TimeUnixNano | Expr::TimeIso => false,
        Expr::TraceId | Expr::TraceIndex | Expr::SpanId | Expr::InstanceIndex | Expr::Incident { .. } => false,
        Expr::Upper { .. } | Expr::Lower { .. } | Expr::Default { .. } | Expr::Round { .. } | Expr::Pad { .. } => true,
        Expr::ToInt { .. } | Expr::ToDouble { .. } | Expr::ToBool { .. } | Expr::Clamp { .. } => true,
        Expr::Omit { .. } | Expr::StableUuid { .. } | Expr::StableHex { .. } | Expr::StableIpv4 { .. } => true,
        Expr::If { .. } | Expr::Lookup { .. } | Expr::Nth { .. } => true,
        Expr::StablePick { .. } | Expr::Not { .. } | Expr::Neg { .. } | Expr::Binary { .. } | Expr::In { .. } => true,
    }
}
