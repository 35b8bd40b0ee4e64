//! The typed tree: a scenario in which every name has its meaning, every value its type, and everything its order and
//! number. [`super::resolve`] makes it; [`super::lower`] makes instructions from it, and needs nothing else.

use crate::language::source::Loc;
use crate::plan::{
    AttrId, BlockId, CallSpecId, Chance, DistId, ErrorId, EventId, ExprId, Group, LinkId, SlotId, SpanForm, TextId,
};

/// A scenario.
pub struct Scenario {
    pub name: TextId,
    pub weight: f64,
    /// The scenario's slots, in the order of their numbers.
    pub slots: Vec<Slot>,
    /// The values that are computed at the trace's start, in order, and the slots in which they are stored.
    pub vars: Vec<(SlotId, ExprId)>,
    /// The blocks in the order of their numbers: the root first, each before those that it calls, siblings in file order.
    pub blocks: Vec<Block>,
    /// The trace state of all its spans.
    pub trace_state: Option<TextId>,
    /// The scenario's mapping.
    pub loc: Loc,
}

/// A slot of a scenario.
pub struct Slot {
    /// The name of its value, for people.
    pub name: String,
    /// The expression of its value; `None` if a call sets it.
    pub value: Option<ExprId>,
    /// The place where the value was written.
    pub loc: Loc,
}

/// A part of the scenario that becomes a block.
pub struct Block {
    pub id: BlockId,
    pub body: Body,
    pub list: List,
    /// The mapping of the span, or the list of the group.
    pub loc: Loc,
}

/// The kind of a block, with its contents.
pub enum Body {
    Span(Box<Span>),
    Group(Group),
}

/// A span.
pub struct Span {
    pub form: SpanForm,
    /// The places of the form's constant attributes.
    pub constant_places: Vec<Loc>,
    /// The steps at the span's start, in order.
    pub steps: Vec<Step>,
    /// The values of slots that events at the end read, if the calls were not made because the span failed before them.
    pub without_calls: Vec<(SlotId, ExprId)>,
    /// The span's own work, if it takes time.
    pub delay: Option<Delay>,
    /// The steps after the span's calls.
    pub late: Vec<Step>,
    /// The conditions under which the span fails before its calls, and those after them.
    pub conditions: Option<Conditions>,
    pub end_conditions: Option<Conditions>,
    /// The span's events before its calls, in file order, each with its place, and those at its end.
    pub events: Vec<(EventId, Loc)>,
    pub end_events: Vec<(EventId, Loc)>,
}

/// An action and its place.
pub struct Step {
    pub action: Action,
    pub loc: Loc,
}

/// The action of a step.
pub enum Action {
    /// Looks for the spans of a link.
    Link(LinkId),
    /// Evaluates a value and stores it in a slot.
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
    /// Drawn from a distribution.
    Dist(DistId),
}

/// The conditions of a span, which share one roll.
pub struct Conditions {
    /// Whether they are rolled before the span's own work, because a failure has a delay of its own.
    pub before_work: bool,
    /// The conditions in file order.
    pub list: Vec<Condition>,
    /// The condition under which any incident is in force, if only conditions of incidents need the roll.
    pub rolls_when: Option<ExprId>,
    /// The place of the first condition, which is also that of the roll.
    pub loc: Loc,
}

/// A condition under which a span fails.
pub struct Condition {
    /// The condition under which the incident is in force of which it is a part. Such conditions come first.
    pub guard: Option<ExprId>,
    /// An expression that must be true.
    pub when: Option<(ExprId, Loc)>,
    /// The probability with which it fails the span; `None` means always.
    pub chance: Option<Chance>,
    pub error: ErrorId,
    pub loc: Loc,
}

/// The list of a block's items, which it executes in order.
#[derive(Default)]
pub struct List {
    /// The values of slots before the first item.
    pub initial: Vec<(SlotId, ExprId)>,
    pub items: Vec<Item>,
    /// The slot that says whether a failure was passed on; `None` if nothing needs it.
    pub failing: Option<Failing>,
}

/// A slot that says whether a failure was passed on.
#[derive(Clone, Copy)]
pub struct Failing {
    pub slot: SlotId,
    /// The expression that reads the slot.
    pub is: ExprId,
    /// The expression that reads the opposite.
    pub is_not: ExprId,
}

/// An item of a list. The fields that are set are evaluated in this order.
pub struct Item {
    /// The steps that are evaluated for it.
    pub steps: Vec<Step>,
    /// The condition under which it runs.
    pub when: Option<(ExprId, Loc)>,
    /// The probability with which it runs.
    pub chance: Option<(Chance, Loc)>,
    pub act: Act,
    /// How its failure is passed on.
    pub propagation: Option<Propagation>,
    /// Whether a failure was passed on in the group that it calls.
    pub inner: Option<Failing>,
    /// The steps that make its outcome that of the list. The item may run after a failure that was passed on, whose outcome
    /// remains that of the list.
    pub handles: Option<Vec<Step>>,
    pub loc: Loc,
}

/// How a failure is passed on to the span.
pub struct Propagation {
    /// The expression that reads whether the call failed.
    pub failed: ExprId,
    /// The condition under which it is passed on.
    pub when: Option<(ExprId, Loc)>,
    /// The probability with which it is passed on; `None` means always.
    pub chance: Option<Chance>,
    pub error: ErrorId,
    /// The slot for whether a failure was passed on unchanged, if something reads it and this one is.
    pub noted: Option<SlotId>,
    /// The value `true`.
    pub yes: ExprId,
    pub loc: Loc,
}

/// What an item does.
pub enum Act {
    Call {
        block: BlockId,
        spec: Option<CallSpecId>,
    },
    /// Work of the span that contains the list: the time to wait, and the work itself.
    Work(Vec<Delay>),
    /// Nothing, because what was written is wrong, which has been reported.
    Nothing,
}
