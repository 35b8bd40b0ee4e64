//! Violations as data, and their wording.

use crate::plan::{
    AttrId, BlockId, CallSpecId, DistId, ErrorId, EventId, ExprId, IncidentId, LinkId, ResourceId, ScenarioId, ScopeId,
    ServiceId, SlotId, TextId, limits,
};
use std::fmt;

/// A broken invariant and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    pub place: Place,
    pub fault: Fault,
    /// The instruction at the place, as in the listing; empty if the place is not an instruction.
    pub shown: String,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Program,
    Text(TextId),
    Service(ServiceId),
    Resource(ResourceId),
    Scope(ScopeId),
    Expr(ExprId),
    Attr(AttrId),
    Event(EventId),
    Error(ErrorId),
    Link(LinkId),
    CallSpec(CallSpecId),
    Dist(DistId),
    Incident(IncidentId),
    /// A malformation, by its position.
    Malformation(usize),
    Scenario(ScenarioId),
    Slot(ScenarioId, SlotId),
    Block(BlockId),
    /// A constant attribute of the block's span, by its position.
    Constant(BlockId, usize),
    Instruction(BlockId, usize),
    /// A source of traces, by its position.
    Source(usize),
}

impl Place {
    pub(super) fn broken(self, fault: Fault) -> Violation {
        Violation { place: self, fault, shown: String::new() }
    }
}

/// The kind of violation.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    Semantics {
        found: u32,
    },
    /// A table or list has more entries than allowed.
    TooMany {
        subject: &'static str,
        count: u64,
        max: u64,
    },
    /// An id is beyond the end of its table.
    OutOfRange {
        subject: &'static str,
        id: u32,
        len: usize,
    },
    /// A value is outside of what its instruction or expression allows.
    Range(&'static str),
    /// A text is interned twice, a name is used twice, or a key occurs twice in one span, event or resource.
    Twice {
        subject: &'static str,
        text: String,
    },
    /// A name or key is empty.
    Empty {
        subject: &'static str,
    },
    /// An expression uses one that does not come before it.
    Operand {
        operand: ExprId,
    },
    /// A mix has a part that does not come before it.
    Part {
        part: DistId,
    },
    ExprDepth,
    /// An expression is not allowed here: see the invariants about vars, resources and links.
    NotHere(&'static str),
    /// The resources are not in the order of the services.
    ResourceOrder {
        expected: u32,
    },
    /// A slot is read that is not written on every way to here.
    Unwritten {
        slot: SlotId,
    },
    NoScenario,
    NoWeight,
    /// The block is called from a second place, or is a root that is called.
    CalledTwice {
        block: BlockId,
    },
    /// The block is neither a scenario's root nor called from one.
    NeverCalled,
    CallDepth,
    /// An attribute is used that the block or event does not own, or that has two owners.
    Attribute {
        attr: u32,
    },
    /// The block does not end with its only `end`.
    End,
    /// A jump goes back, to itself, or out of the block.
    Jump {
        target: u32,
    },
    /// The span has no name here, or gets a second one.
    Name(&'static str),
    /// A `fail` is not preceded by a roll on every way.
    NotRolled,
    /// The chances since the roll sum to more than 1.
    ChanceSum,
    /// The block has a second `link` or `export`.
    Second {
        subject: &'static str,
    },
    /// A link within a trace leads to a span that does not come before it, or that contains it.
    LinkAhead {
        block: BlockId,
    },
    /// Nothing exports to the link.
    NoSource,
    /// The block that a link names exports no context.
    NoExport {
        block: BlockId,
    },
    /// The scenario links to itself, by way of others.
    LinkCycle,
    LinkChain,
    /// A constant `error.type` can't be replaced by a failure.
    ConstantErrorType,
    /// A trace may have too many spans, most of which are caused by these turns and attempts, outermost first.
    Spans {
        max: u64,
        factors: Vec<u64>,
    },
    Duration,
    /// A scenario's root is a group.
    RootGroup,
    /// A slot for the outcome of a call is not set by the calling block.
    Outcome {
        slot: SlotId,
    },
    /// A slot that may already hold a text is set to a longer one.
    Longer {
        slot: SlotId,
    },
}

impl Fault {
    /// Reports whether the violation prevents following the program: an id, a jump or an operand is invalid, or the limits
    /// are exceeded.
    pub(super) fn is_structural(&self) -> bool {
        match self {
            Fault::Semantics { .. } | Fault::TooMany { .. } | Fault::OutOfRange { .. } | Fault::Operand { .. } => true,
            Fault::Part { .. } => true,
            Fault::ExprDepth | Fault::NoScenario | Fault::End | Fault::Jump { .. } => true,
            Fault::CalledTwice { .. } | Fault::NeverCalled | Fault::CallDepth => true,
            Fault::ResourceOrder { .. } | Fault::Attribute { .. } => false,
            Fault::Range(_) | Fault::Twice { .. } | Fault::Empty { .. } | Fault::NotHere(_) => false,
            Fault::Unwritten { .. } | Fault::NoWeight | Fault::Name(_) | Fault::NotRolled | Fault::ChanceSum => false,
            Fault::Second { .. } | Fault::NoSource | Fault::NoExport { .. } | Fault::LinkCycle => false,
            Fault::LinkChain | Fault::ConstantErrorType | Fault::Spans { .. } | Fault::Duration => false,
            Fault::RootGroup => true,
            Fault::Outcome { .. } | Fault::Longer { .. } | Fault::LinkAhead { .. } => false,
        }
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Program => write!(f, "{}", self.fault),
            place if self.shown.is_empty() => write!(f, "{place}: {}", self.fault),
            place => write!(f, "{place} `{}`: {}", self.shown, self.fault),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Program => write!(f, "plan"),
            Place::Text(id) => write!(f, "{id}"),
            Place::Service(id) => write!(f, "{id}"),
            Place::Resource(id) => write!(f, "{id}"),
            Place::Scope(id) => write!(f, "{id}"),
            Place::Expr(id) => write!(f, "{id}"),
            Place::Attr(id) => write!(f, "{id}"),
            Place::Event(id) => write!(f, "{id}"),
            Place::Error(id) => write!(f, "{id}"),
            Place::Link(id) => write!(f, "{id}"),
            Place::CallSpec(id) => write!(f, "{id}"),
            Place::Dist(id) => write!(f, "{id}"),
            Place::Incident(id) => write!(f, "{id}"),
            Place::Malformation(at) => write!(f, "malformation{at}"),
            Place::Scenario(id) => write!(f, "{id}"),
            Place::Slot(id, slot) => write!(f, "{id} {slot}"),
            Place::Block(id) => write!(f, "{id}"),
            Place::Constant(id, at) => write!(f, "{id} constant {at}"),
            Place::Instruction(id, pc) => write!(f, "{id} instruction {pc}"),
            Place::Source(at) => write!(f, "source{at}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Semantics { found } => {
                let known = crate::plan::SEMANTICS;
                write!(f, "the plan has semantics {found}, this tracegen has {known}: compile the scenarios again")
            }
            Fault::TooMany { subject, count, max } => write!(f, "{count} {subject}, at most {max} are allowed"),
            Fault::OutOfRange { subject, id, len } => write!(f, "{subject}{id} is out of range, there are {len}"),
            Fault::Range(rule) => write!(f, "{rule}"),
            Fault::Twice { subject, text } => write!(f, "{subject} {text:?} occurs twice"),
            Fault::Empty { subject } => write!(f, "{subject} is empty"),
            Fault::Operand { operand } => write!(f, "uses {operand}, which doesn't stand before it"),
            Fault::Part { part } => write!(f, "has the part {part}, which doesn't stand before it"),
            Fault::ExprDepth => write!(f, "more than {} expressions above one another", limits::EXPR_DEPTH),
            Fault::NotHere(rule) => write!(f, "{rule}"),
            Fault::ResourceOrder { expected } => {
                write!(f, "the resources of a service follow those of the one before: {expected} expected")
            }
            Fault::Unwritten { slot } => write!(f, "{slot} is read, but not written on every way here"),
            Fault::NoScenario => write!(f, "the plan has no scenario"),
            Fault::NoWeight => write!(f, "all weights are 0"),
            Fault::CalledTwice { block } => write!(f, "{block} is already called elsewhere, or is a root"),
            Fault::NeverCalled => write!(f, "no scenario's root leads here"),
            Fault::CallDepth => write!(f, "more than {} spans above one another", limits::CALL_DEPTH),
            Fault::Attribute { attr } => write!(f, "attr{attr} belongs to another span or event, or to none"),
            Fault::End => write!(f, "a block ends with `end`, and has no other"),
            Fault::Jump { target } => write!(f, "the jump to {target} must go forward and stay in the block"),
            Fault::Name(rule) => write!(f, "{rule}"),
            Fault::NotRolled => write!(f, "`fail` without a `roll` on every way here"),
            Fault::ChanceSum => write!(f, "the chances since `roll` sum to over 100 %"),
            Fault::Second { subject } => write!(f, "a second `{subject}` in the block"),
            Fault::LinkAhead { block } => write!(f, "links in its trace to {block}, which is not behind it"),
            Fault::NoSource => write!(f, "nothing can be linked to"),
            Fault::NoExport { block } => write!(f, "links to {block}, which exports no context"),
            Fault::LinkCycle => write!(f, "links to itself, by way of other scenarios"),
            Fault::LinkChain => write!(f, "more than {} links one after another", limits::LINK_CHAIN),
            Fault::ConstantErrorType => write!(f, "a span that can fail has a constant `error.type`"),
            Fault::Spans { max, .. } => {
                write!(f, "a trace may have {max} spans, at most {} are allowed", limits::SPANS)
            }
            Fault::Duration => write!(f, "a trace may last longer than 2^62 ns"),
            Fault::RootGroup => write!(f, "a scenario's root is a group, and makes no span"),
            Fault::Outcome { slot } => write!(f, "{slot} takes an outcome, and is not set in this block before"),
            Fault::Longer { slot } => write!(f, "{slot} was written before, and its text may be longer now"),
        }
    }
}
