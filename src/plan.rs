//! The executable plan: a flat, numbered, wire-neutral program. Names are gone: a reference is a slot.
//!
//! A [`Program`] is the tables, as the compiler makes them or a plan file holds them; nothing executes it. The only way to a
//! [`Plan`] is [`Plan::verify`], so whoever holds one holds a program for which all of the verifier's invariants are true.
//!
//! Constructs that a program does not use take no part in its canonical bytes, so the language can grow without moving the
//! digest of programs that stay as they are: new fields are skipped where they hold their default.

pub mod block;
pub mod call;
pub mod dist;
pub mod distribution;
pub mod expr;
pub mod id;
pub mod inst;
pub mod limits;

mod dot;
mod expectation;
mod file;
#[cfg(test)]
pub(crate) mod fixture;
mod json;
mod listing;
mod notation;
mod number;
mod terms;
mod tree;
mod verify;

pub use block::{Block, Form};
pub use call::{Answer, CallSpec, Exchange, Group, Outcome, Repeat, Retry, Timeout};
pub use dist::{Curve, Dist, DistForm, Percentile};
pub use expectation::{BlockExpectation, Expectation, Extent, Hits};
pub use expr::{Constant, Expr, Operator};
pub use file::PlanFileError;
pub use id::{
    AnswerId, AttrId, BlockId, CallSpecId, DistId, ErrorId, EventId, ExprId, LinkId, ResourceId, ScenarioId, ScopeId,
    ServiceId, SlotId, TextId,
};
pub use inst::{Chance, Inst};
pub use listing::ListingLine;
pub use number::Number;
pub use terms::Attempts;
pub use verify::{Fault, Place, Violation, Violations};

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use tree::Tree;

/// What the instructions and expressions mean; part of the digest. Changes when the same program would give other traces.
pub const SEMANTICS: u32 = 1;

/// The attribute that a failure gives its span: by the semantic conventions, the error's type. A span's own attribute with this
/// key is replaced by it ([`Plan::error_type_attr`]); a span without one gets it behind all others.
pub const ERROR_TYPE: &str = "error.type";

/// The name of the instrumentation scope that a span is of where the plan names none. It has no version.
pub const SCOPE: &str = "tracegen";

/// The tables of a plan, not yet verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The value of [`SEMANTICS`] in the tracegen that compiled the program.
    pub semantics: u32,
    /// All texts that the program names. They are interned: none occurs twice.
    pub texts: Vec<String>,
    /// The services that spans are of.
    pub services: Vec<Service>,
    /// All instances of all services; those of one service stand in a row.
    pub resources: Vec<Resource>,
    /// The instrumentation scopes of spans that are not of [`SCOPE`]. They are interned: none occurs twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// All expressions, each behind its operands.
    pub exprs: Vec<Expr>,
    /// The keys of the attributes with computed values, of spans and events. A key has an entry for each place it stands at.
    pub attrs: Vec<TextId>,
    /// The events that spans get.
    pub events: Vec<Event>,
    /// The errors that spans fail with.
    pub errors: Vec<Error>,
    /// The distributions of times, each behind those it is a mix of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dists: Vec<Dist>,
    /// The links to earlier traces.
    pub links: Vec<Link>,
    /// The terms of calls. They are interned: none occurs twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specs: Vec<CallSpec>,
    /// What clients read of the answers to their calls, each client's in a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// The scenarios that traces are chosen from.
    pub scenarios: Vec<Scenario>,
    /// The blocks of all scenarios.
    pub blocks: Vec<Block>,
}

/// A service, which has one instance or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: TextId,
    /// The resource of instance 0; those of the other instances follow it.
    pub first_resource: ResourceId,
    /// The number of instances, at least 1. Where there are several, a SERVER or CONSUMER span draws its instance when it starts
    /// (one 32-bit draw, before all else); any other span takes its parent's if that is of the same service, and draws one else.
    pub instances: u32,
}

/// A service instance: its attributes in the order they are sent. Their expressions read no slot, time, id or draw:
/// only constants and the stable functions, so a run has finitely many resources, and each is computed once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub attributes: Vec<(TextId, ExprId)>,
}

/// An instrumentation scope: what made a span, such as a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    pub name: TextId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<TextId>,
}

/// A scenario: one kind of trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: TextId,
    /// How often the scenario is chosen, in proportion to the other weights; finite, at least 0.
    pub weight: f64,
    /// What each slot holds, for people: the name of a var, or the key of an attribute. These names are no part of the digest.
    pub slots: Vec<String>,
    /// The values that are drawn at the trace's start, in this order, and the slots they go to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<(SlotId, ExprId)>,
    /// The block of the root span.
    pub root: BlockId,
    /// The W3C trace state of all spans of a trace; `None`: it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_state: Option<TextId>,
}

/// What is known of a span before it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanForm {
    pub service: ServiceId,
    pub kind: SpanKind,
    /// The scope that the spans are of; `None`: [`SCOPE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeId>,
    /// Whether a span that does not fail has the status OK; else it is unset.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ok: bool,
    /// The name of the spans; `None`: the code has one `name` instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TextId>,
    /// The attributes that no template makes and no condition may replace, in file order. They are sent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constants: Vec<(TextId, Constant)>,
    /// All other attributes, in file order: a row of [`Program::attrs`] that belongs to this block alone.
    #[serde(default, skip_serializing_if = "AttrRange::is_empty")]
    pub attrs: AttrRange,
}

impl SpanForm {
    /// The form of spans of which no more is known.
    pub fn new(service: ServiceId, kind: SpanKind) -> SpanForm {
        let (constants, attrs) = (Vec::new(), AttrRange::default());
        SpanForm { service, kind, scope: None, ok: false, name: None, constants, attrs }
    }
}

/// A row of attributes: `first..first + count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttrRange {
    pub first: u32,
    pub count: u32,
}

impl AttrRange {
    /// Whether the row has no attributes.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the attribute is of the row.
    pub fn has(self, attr: AttrId) -> bool {
        attr.0 >= self.first && attr.0 - self.first < self.count
    }

    /// The attributes of the row, in order.
    pub fn ids(self) -> impl ExactSizeIterator<Item = AttrId> {
        (self.first..self.first + self.count).map(AttrId)
    }
}

/// The kind of a span, numbered as in OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SpanKind {
    Unspecified = 0,
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

impl SpanKind {
    /// Whether a span of this kind runs in another process than its caller.
    pub fn is_remote(self) -> bool {
        matches!(self, SpanKind::Server | SpanKind::Consumer)
    }

    /// All kinds.
    pub const ALL: [SpanKind; 6] = [
        SpanKind::Unspecified,
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];

    /// The kind as OpenTelemetry writes it: `SERVER`.
    pub fn name(self) -> &'static str {
        match self {
            SpanKind::Unspecified => "UNSPECIFIED",
            SpanKind::Internal => "INTERNAL",
            SpanKind::Server => "SERVER",
            SpanKind::Client => "CLIENT",
            SpanKind::Producer => "PRODUCER",
            SpanKind::Consumer => "CONSUMER",
        }
    }
}

/// An event of a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// How often it happens, without `until`; `None`: once. The rest is evaluated in each turn, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// What must be true for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ExprId>,
    /// How likely it happens, by one 32-bit draw; `None`: always, and nothing is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<Chance>,
    /// The time from the span's start; what is beyond the span's end happens at its end. `None`: it happens now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DistId>,
    pub name: ExprId,
    /// The attributes, in the order they are evaluated, after the name: constant ones first, then the others, each in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(AttrId, ExprId)>,
}

/// What a span fails with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// The value of `error.type` and of `exception.type`. It is evaluated before the message.
    pub r#type: ExprId,
    /// The message of the status, and the value of `exception.message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<ExprId>,
    /// The attributes that the failure sets or replaces, which are the span's own, in the order they are evaluated, after the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(AttrId, ExprId)>,
    /// The time that passes before the span fails, drawn before all else; only a `fail` takes it. `None`: the span fails at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<DistId>,
}

/// Links to spans that exported a context and had ended: of earlier traces, or of this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The keys that the link looks for: `*` is any run of characters, `?` is any one; all else stands for itself.
    pub glob: TextId,
    /// The blocks whose `export` can match the glob; at least one. The graph from linking scenario to exporting scenario has no
    /// cycle; in the same trace, they stand before the block that links, and do not call it.
    pub sources: Vec<BlockId>,
    /// How long before the linking span's start the spans had ended at least, drawn first. `None`: they had by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<DistId>,
    /// How many spans are linked to at most, the latest first; `None`: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<LinkCount>,
    /// The attributes of each link, in the order they are evaluated: constant ones first, then the others, each in file order. They may
    /// read what was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(AttrId, ExprId)>,
    /// Whether the spans are of this trace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_trace: bool,
}

/// A number of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkCount {
    /// The number, evaluated behind the lag; a number below 0, or none, is 0.
    pub value: ExprId,
    /// The most that there can be: a greater number is cut to it.
    pub max: u32,
}

/// A verified program. It reads as its tables do, and can't be changed.
#[derive(Clone, Debug)]
pub struct Plan {
    program: Program,
    /// The digest, made when it is first asked for: a check does without.
    digest: OnceLock<[u8; 32]>,
    tree: Tree,
    /// By scenario.
    bounds: Vec<Bound>,
    /// By block: the longest from its start until its caller goes on, ns.
    longest: Vec<u64>,
    /// By block: the latest end of its spans, ns from the trace's start.
    end_bounds: Vec<u64>,
    /// By block: its own computed attribute with the key [`ERROR_TYPE`].
    error_type: Vec<Option<AttrId>>,
}

impl Event {
    /// An event that happens once, at the current time.
    pub fn plain(name: ExprId, attributes: Vec<(AttrId, ExprId)>) -> Event {
        Event { repeat: None, when: None, chance: None, at: None, name, attributes }
    }

    /// The expressions of the event itself.
    fn exprs(&self) -> impl Iterator<Item = ExprId> {
        let turns = self.repeat.map(|repeat| repeat.count).into_iter().chain(self.when);
        turns.chain([self.name]).chain(self.attributes.iter().map(|(_, value)| *value))
    }

    /// The expressions of the event itself, to be changed.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let turns = self.repeat.as_mut().map(|repeat| &mut repeat.count).into_iter().chain(&mut self.when);
        turns.chain([&mut self.name]).chain(self.attributes.iter_mut().map(|(_, value)| value))
    }

    /// The most turns of the event.
    pub fn turns(&self) -> u32 {
        self.repeat.map_or(1, |repeat| repeat.max)
    }
}

impl Link {
    /// A link to the latest span of an earlier trace.
    pub fn plain(glob: TextId, sources: Vec<BlockId>) -> Link {
        Link { glob, sources, lag: None, count: None, attributes: vec![], same_trace: false }
    }

    /// The expressions of the link itself.
    fn exprs(&self) -> impl Iterator<Item = ExprId> {
        let count = self.count.map(|count| count.value);
        count.into_iter().chain(self.attributes.iter().map(|(_, value)| *value))
    }

    /// The expressions of the link itself, to be changed.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let count = self.count.as_mut().map(|count| &mut count.value);
        count.into_iter().chain(self.attributes.iter_mut().map(|(_, value)| value))
    }

    /// The most spans that are linked to.
    pub fn most(&self) -> u32 {
        self.count.map_or(1, |count| count.max)
    }
}

impl Error {
    /// The expressions of the error, in the order they are evaluated.
    fn exprs(&self) -> impl Iterator<Item = ExprId> {
        std::iter::once(self.r#type).chain(self.message).chain(self.attributes.iter().map(|(_, value)| *value))
    }

    /// The expressions of the error, to be changed.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let attributes = self.attributes.iter_mut().map(|(_, value)| value);
        std::iter::once(&mut self.r#type).chain(&mut self.message).chain(attributes)
    }
}

impl Program {
    /// The expressions that are evaluated when an instruction runs: its own, and those of its error, its event, its link, its terms
    /// and its distributions.
    pub fn evaluated(&self, inst: &Inst) -> impl Iterator<Item = ExprId> {
        let error = inst.error().map(|id| &self.errors[id.index()]);
        let event = inst.event().map(|id| &self.events[id.index()]);
        let link = inst.link().map(|id| &self.links[id.index()]);
        let spec = inst.spec().map(|id| &self.specs[id.index()]);
        let own = inst.expr().into_iter().chain(spec.into_iter().flat_map(CallSpec::exprs));
        let own = own.chain(error.into_iter().flat_map(Error::exprs)).chain(event.into_iter().flat_map(Event::exprs));
        let time = self.drawn(inst).flat_map(|dist| self.evaluated_by(dist));
        own.chain(link.into_iter().flat_map(Link::exprs)).chain(time)
    }

    /// The distributions that are drawn from when an instruction runs: its own, and those of its error, its event, its link and its
    /// terms.
    pub fn drawn(&self, inst: &Inst) -> impl Iterator<Item = DistId> {
        let spec = inst.spec().map(|id| &self.specs[id.index()]);
        let error = inst.error().and_then(|id| self.errors[id.index()].delay);
        let event = inst.event().and_then(|id| self.events[id.index()].at);
        let link = inst.link().and_then(|id| self.links[id.index()].lag);
        let dists = inst.dist().into_iter().chain(spec.into_iter().flat_map(CallSpec::dists));
        dists.chain(error).chain(event).chain(link)
    }
}

/// What no trace of a scenario goes beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The fewest spans of a trace.
    pub min_spans: u32,
    /// The most spans of a trace.
    pub max_spans: u32,
    /// The longest time from a trace's start to its last span's end, ns.
    pub duration: u64,
}

impl std::ops::Deref for Plan {
    type Target = Program;
    fn deref(&self) -> &Program {
        &self.program
    }
}

impl Plan {
    /// The SHA-256 of the canonical bytes: of everything that executes, and of nothing else.
    pub fn digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| file::digest(self.program.clone()))
    }

    /// The digest in hexadecimal.
    pub fn digest_hex(&self) -> String {
        self.digest().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first eight digits of [`Plan::digest_hex`], as people see it.
    pub fn digest_short(&self) -> String {
        self.digest_hex()[..8].into()
    }

    /// The same plan with other weights, by scenario.
    ///
    /// # Errors
    ///
    /// The weights are not finite, negative, or all 0.
    pub fn with_weights(&self, weights: impl IntoIterator<Item = f64>) -> Result<Plan, Violations> {
        let mut program = self.program.clone();
        program.scenarios.iter_mut().zip(weights).for_each(|(scenario, weight)| scenario.weight = weight);
        Plan::verify(program)
    }

    /// What no trace of the scenario goes beyond.
    pub fn bound(&self, scenario: ScenarioId) -> Bound {
        self.bounds[scenario.index()]
    }

    /// The longest that any trace can last, ns.
    pub fn duration_bound(&self) -> u64 {
        self.bounds.iter().map(|b| b.duration).max().unwrap_or(0)
    }

    /// The longest from a block's start until its caller goes on, ns, were there no time-out.
    fn longest(&self, block: BlockId) -> u64 {
        self.longest[block.index()]
    }

    /// The latest that a block's span can end, ns from its trace's start.
    pub fn end_bound(&self, block: BlockId) -> u64 {
        self.end_bounds[block.index()]
    }

    /// The block's own computed attribute with the key [`ERROR_TYPE`], which a failure overwrites; `None`: a failure adds one.
    pub fn error_type_attr(&self, block: BlockId) -> Option<AttrId> {
        self.error_type[block.index()]
    }

    /// The W3C trace state of a scenario's traces; may be empty.
    pub fn trace_state(&self, scenario: ScenarioId) -> &str {
        self.scenarios[scenario.index()].trace_state.map_or("", |state| self.text(state))
    }

    /// The text with this id.
    pub fn text(&self, id: TextId) -> &str {
        &self.texts[id.index()]
    }

    /// The key of a computed attribute.
    pub fn attr_key(&self, id: AttrId) -> &str {
        self.text(self.attrs[id.index()])
    }

    /// The block with this id.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }
}
