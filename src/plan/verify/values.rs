//! Follows an expression as evaluation will: what it reads must be there, and the text it makes must have an end.

use super::violation::{Fault, Place, Violation};
use crate::plan::{Constant, Expr, ExprId, Operator, Program, SlotId, TextId, limits};

/// Bytes of the longest decimal text of an int.
pub(super) const INT: u64 = 20;
/// Bytes of the longest text of a double: sign, 309 digits before the point, and those behind it; or 1 and 323 zeros before it.
const DOUBLE: u64 = 352;
/// Bytes of the longest text of a bool.
pub(super) const BOOL: u64 = 5;
/// Bytes of the longest User-Agent that the interpreter has.
const USER_AGENT: u64 = 512;
/// How many times its bytes a character takes at most in the other case.
const CASE: u64 = 3;

/// Where an expression stands, which says what it may read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// In a resource, which reads constants and stable functions only.
    Resource,
    /// In a var, before the first span.
    Vars,
    /// In a span; `linked`: the longest text a linked span can give, once every way here has looked for a link.
    Span { linked: Option<u64> },
}

/// What is known of the values of one scenario while its code is followed, and what all scenarios have used up.
pub(super) struct Values<'a> {
    program: &'a Program,
    pub site: Site,
    /// By slot: whether every way to here has written it.
    written: Vec<bool>,
    /// By slot: the bytes of the longest text it may hold.
    longest: Vec<u64>,
    /// The number of expressions evaluated so far, in all scenarios.
    evaluations: u64,
    /// By expression: how many evaluations it takes, which is its own and those of its operands as often as it names them.
    costs: Vec<u64>,
    /// How often a trace runs what is followed now, at most.
    turns: u64,
    /// The bytes of text that one trace of this scenario has made so far.
    text: u64,
    /// The evaluations are used up: nothing is followed any more.
    is_exhausted: bool,
    /// More text than is allowed was found in this scenario.
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

    /// Takes what follows for run so many times as often. Returns what [`Values::end_turns`] takes.
    pub fn begin_turns(&mut self, turns: u64) -> u64 {
        let all = self.turns.saturating_mul(turns);
        std::mem::replace(&mut self.turns, all)
    }

    /// Takes what follows for run as often as before the turns.
    pub fn end_turns(&mut self, outside: u64) {
        self.turns = outside;
    }

    /// Whether what is followed now may run more than once, and the slot already holds something that a text of so many bytes is
    /// longer than.
    pub fn outgrows(&self, slot: SlotId, longest: u64) -> bool {
        let at = slot.index();
        self.turns > 1 && self.written.get(at) == Some(&true) && longest > self.longest[at]
    }

    /// Takes a slot, written or not, for one that may hold a text of so many bytes.
    ///
    /// # Errors
    ///
    /// The scenario has no such slot.
    pub fn raise(&mut self, place: Place, slot: SlotId, longest: u64) -> Result<(), Violation> {
        self.slot(place, slot)?;
        let kept = &mut self.longest[slot.index()];
        *kept = longest.max(*kept);
        Ok(())
    }

    /// Takes a slot for unwritten again.
    pub fn forget(&mut self, slot: SlotId) {
        self.written[slot.index()] = false;
    }

    /// Writes a value whose text is at most `longest` bytes long into a slot. Returns whether the slot was unwritten.
    ///
    /// # Errors
    ///
    /// The scenario has no such slot.
    pub fn write(&mut self, place: Place, slot: SlotId, longest: u64) -> Result<bool, Violation> {
        self.raise(place, slot, longest)?;
        Ok(!std::mem::replace(&mut self.written[slot.index()], true))
    }

    /// Reads a slot. Returns the length of the longest text it may hold, in bytes.
    ///
    /// # Errors
    ///
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
            return Err(place.broken(Fault::OutOfRange { what: "slot", id: slot.0, len: self.written.len() }));
        }
        Ok(())
    }

    /// Evaluates an expression. Returns the length of the longest text it may be, in bytes.
    ///
    /// # Errors
    ///
    /// The expression reads what is not there, makes too much text, or takes too long: then it is not followed, nor is any after
    /// it.
    pub fn evaluate(&mut self, place: Place, id: ExprId) -> Result<u64, Violation> {
        if self.is_exhausted {
            return Ok(0);
        }
        let cost = self.costs[id.index()].saturating_mul(self.turns);
        self.evaluations = self.evaluations.saturating_add(cost);
        if self.evaluations > limits::EVALUATIONS {
            self.is_exhausted = true;
            let (count, max) = (self.evaluations, limits::EVALUATIONS);
            return Err(place.broken(Fault::TooMany { what: "expressions to evaluate", count, max }));
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
                return Err(place.broken(Fault::TooMany { what: "bytes of text in a trace", count, max }));
            }
        }
        Ok(longest)
    }

    /// The length of the longest text of a constant, in bytes.
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

/// Whether an expression is the same in every trace, whatever its draws, time and ids; its operands are asked on their own.
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
        Expr::TraceId | Expr::TraceIndex | Expr::SpanId | Expr::InstanceIndex => false,
        Expr::Upper { .. } | Expr::Lower { .. } | Expr::Default { .. } | Expr::Round { .. } | Expr::Pad { .. } => true,
        Expr::ToInt { .. } | Expr::ToDouble { .. } | Expr::ToBool { .. } | Expr::Clamp { .. } => true,
        Expr::Omit { .. } | Expr::StableUuid { .. } | Expr::StableHex { .. } | Expr::StableIpv4 { .. } => true,
        Expr::If { .. } | Expr::Lookup { .. } | Expr::Nth { .. } => true,
        Expr::StablePick { .. } | Expr::Not { .. } | Expr::Neg { .. } | Expr::Binary { .. } | Expr::In { .. } => true,
    }
}
