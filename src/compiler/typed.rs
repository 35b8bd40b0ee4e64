//! The typed tree: a scenario in which every name has its meaning, every value its type, and everything its order and its
//! number. [`super::resolve`] makes it; [`super::lower`] makes instructions of it, and needs nothing else to do so.

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
    /// The values that are drawn at the trace's start, in order, and the slots that keep them.
    pub vars: Vec<(SlotId, ExprId)>,
    /// The blocks in the order of their numbers: the root first, each before what it calls, siblings in file order.
    pub blocks: Vec<Block>,
    /// The trace state of all its spans.
    pub trace_state: Option<TextId>,
    /// The scenario's mapping.
    pub loc: Loc,
}

/// A slot of a scenario.
pub struct Slot {
    /// The name of the value it keeps, for people.
    pub name: String,
    /// The expression that fills it; `None`: a call does.
    pub value: Option<ExprId>,
    /// The place at which the value was written.
    pub loc: Loc,
}

/// What becomes a block.
pub struct Block {
    pub id: BlockId,
    pub body: Body,
    pub list: List,
    /// The mapping of the span, or the list of the group.
    pub loc: Loc,
}

/// What a block makes.
pub enum Body {
    Span(Box<Span>),
    Group(Group),
}

/// A span.
pub struct Span {
    pub form: SpanForm,
    /// The places of the form's constant attributes.
    pub constant_places: Vec<Loc>,
    /// What is evaluated at the span's start, in order.
    pub steps: Vec<Step>,
    /// What events at the end read of calls that were not made, because the span failed before them.
    pub without_calls: Vec<(SlotId, ExprId)>,
    /// The span's own work, where it takes time.
    pub delay: Option<Delay>,
    /// What is evaluated once the span's calls are over.
    pub late: Vec<Step>,
    /// The conditions under which the span fails before its calls, and after them.
    pub conditions: Option<Conditions>,
    pub end_conditions: Option<Conditions>,
    /// The span's events before its calls, in file order, each with its place, and those at its end.
    pub events: Vec<(EventId, Loc)>,
    pub end_events: Vec<(EventId, Loc)>,
}

/// A thing that is done at a place.
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
    /// Whether it is rolled before the span's own work: what fails takes a time of its own.
    pub before_work: bool,
    /// The conditions in file order.
    pub list: Vec<Condition>,
    /// The place of the first one, which is the roll's.
    pub loc: Loc,
}

/// A condition under which a span fails.
pub struct Condition {
    /// What must be true for it.
    pub when: Option<(ExprId, Loc)>,
    /// How likely it fails the span; `None`: always.
    pub chance: Option<Chance>,
    pub error: ErrorId,
    pub loc: Loc,
}

/// What a block does in turn.
#[derive(Default)]
pub struct List {
    /// The values that slots have before the first item.
    pub initial: Vec<(SlotId, ExprId)>,
    pub items: Vec<Item>,
    /// The slot that says whether a failure was passed on, with what reads that it was not; `None`: nothing needs to know.
    pub failing: Option<Failing>,
}

/// A slot that says whether a failure was passed on.
#[derive(Clone, Copy)]
pub struct Failing {
    pub slot: SlotId,
    /// Reads the slot.
    pub is: ExprId,
    /// Reads the opposite.
    pub is_not: ExprId,
}

/// An item of a list. Each word that is there is asked in this order.
pub struct Item {
    /// What is evaluated for it.
    pub steps: Vec<Step>,
    /// The condition under which it runs.
    pub when: Option<(ExprId, Loc)>,
    /// How likely it runs.
    pub chance: Option<(Chance, Loc)>,
    pub act: Act,
    /// How its failure is passed on.
    pub propagation: Option<Propagation>,
    /// Whether a failure was passed on in the group that it calls.
    pub inner: Option<Failing>,
    /// What makes its outcome the list's, where it may run after a failure that was passed on, whose outcome stays the list's.
    pub handles: Option<Vec<Step>>,
    pub loc: Loc,
}

/// How a failure is passed on to the span.
pub struct Propagation {
    /// Reads whether the call failed.
    pub failed: ExprId,
    /// What must be true of the failure.
    pub when: Option<(ExprId, Loc)>,
    /// How likely its failure is passed on; `None`: always.
    pub chance: Option<Chance>,
    pub error: ErrorId,
    /// The slot of whether a failure was passed on as it was, where something reads it and this one is.
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
    /// Work of the span that the list is in: what is waited for, and the work itself.
    Work(Vec<Delay>),
    /// Nothing, since what was written is wrong, and reported.
    Nothing,
}
