//! The typed tree: a scenario in which every name has its meaning, every value its type, and everything its order and its
//! number. [`super::resolve`] makes it; [`super::lower`] makes instructions of it, and needs nothing else to do so.

use crate::language::source::Loc;
use crate::plan::{AttrId, BlockId, Chance, DistId, ErrorId, EventId, ExprId, LinkId, SlotId, SpanForm, TextId};

/// A scenario.
pub struct Scenario {
    pub name: TextId,
    pub weight: f64,
    /// The scenario's slots, in the order of their numbers.
    pub slots: Vec<Slot>,
    /// The values that are drawn at the trace's start, in order, and the slots that keep them.
    pub vars: Vec<(SlotId, ExprId)>,
    /// The spans in the order of their blocks: the root first, each span before its calls, siblings in file order.
    pub spans: Vec<Span>,
    /// The scenario's mapping.
    pub loc: Loc,
}

/// A slot of a scenario.
pub struct Slot {
    /// The name of the value it keeps, for people.
    pub name: String,
    /// The expression that fills it.
    pub value: ExprId,
    /// The place at which the value was written.
    pub loc: Loc,
}

/// A span.
pub struct Span {
    pub block: BlockId,
    pub form: SpanForm,
    /// The places of the form's constant attributes.
    pub constant_places: Vec<Loc>,
    /// What is evaluated at the span's start, in order.
    pub steps: Vec<Step>,
    /// The span's own work, where it takes time.
    pub delay: Option<Delay>,
    /// The conditions under which the span fails.
    pub conditions: Option<Conditions>,
    /// The span's events, in file order, each with its place.
    pub events: Vec<(EventId, Loc)>,
    /// The blocks of the spans that it calls, in order, each with its place.
    pub calls: Vec<(BlockId, Loc)>,
    /// The span's mapping.
    pub loc: Loc,
}

/// A thing that is done at a span's start.
pub struct Step {
    pub action: Action,
    pub loc: Loc,
}

/// What a step does.
pub enum Action {
    /// Looks for a span of an earlier trace.
    Link(LinkId),
    /// Evaluates a value and keeps it for those that read it.
    Keep(SlotId, ExprId),
    /// Evaluates an attribute.
    Attribute(AttrId, ExprId),
    /// Evaluates the span's name.
    Name(ExprId),
    /// Exports the span's context under the key in a slot.
    Export(SlotId),
}

/// A span's own work.
pub struct Delay {
    pub time: Time,
    pub loc: Loc,
}

/// A time that is drawn.
pub enum Time {
    /// Uniform from `min` to `max` ns.
    Uniform { min: u64, max: u64 },
    /// By a distribution.
    Dist(DistId),
}

/// The conditions of a span, which share one roll.
pub struct Conditions {
    /// The conditions in file order.
    pub list: Vec<Condition>,
    /// The place of the first one, which is the roll's.
    pub loc: Loc,
}

/// A condition under which a span fails.
pub struct Condition {
    pub chance: Chance,
    pub error: ErrorId,
    pub loc: Loc,
}
