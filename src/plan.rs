//! The executable plan: a flat, numbered program that does not depend on a wire format. References by name have become
//! slots.
//!
//! A [`Program`] holds the tables as the compiler makes them or a plan file contains them, and is never executed. The only
//! way to make a [`Plan`] is [`Plan::verify`], so every plan satisfies the verifier's invariants.
//!
//! Constructs that a program does not use take no part in its canonical bytes, so the language can grow without changing
//! the digests of existing programs: new fields are skipped if they have their default value.

pub mod block;
pub mod call;
pub mod dist;
pub mod distribution;
pub mod expr;
pub mod glob;
pub mod id;
pub mod incident;
pub mod inst;
pub mod limits;
pub mod load;
mod malform;

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
pub use call::{Answer, CallSpec, Down, Exchange, Group, Outcome, Repeat, Retry, Timeout};
pub use dist::{Curve, Dist, DistForm, Percentile};
pub use expectation::{BlockExpectation, Expectation, Extent, Hits, InForce};
pub use expr::{Constant, Expr, Operator};
pub use file::PlanFileError;
pub use id::{
    AnswerId, AttrId, BlockId, CallSpecId, DistId, ErrorId, EventId, ExprId, IncidentId, LinkId, ResourceId,
    ScenarioId, ScopeId, ServiceId, SlotId, TextId,
};
pub use incident::{Change, Incident, Opening, RateChange, Rollout, Window, Windows};
pub use inst::{Chance, Inst};
pub use listing::ListingLine;
pub use load::{Point, Source, SourceForm, TRACE_MASS, UNITS_A_SECOND, lcm};
pub use malform::{Malform, Malformation};
pub use number::Number;
pub use terms::Attempts;
pub use verify::{Fault, Place, Violation, Violations};

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use tree::Tree;

/// The version of the meaning of instructions and expressions, which is part of the digest. It changes when the same
/// program would make other traces.
pub const SEMANTICS: u32 = 1;

/// The attribute in which a failed span has the type of its error, as the semantic conventions require. A failure replaces
/// a span's own attribute with this key ([`Plan::error_type_attr`]), or adds one after all others.
pub const ERROR_TYPE: &str = "error.type";

/// The name of the instrumentation scope of spans for which the plan names none. It has no version.
pub const SCOPE: &str = "tracegen";

/// The tables of a plan, not yet verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The value of [`SEMANTICS`] in the tracegen that compiled the program.
    pub semantics: u32,
    /// All texts of the program. They are interned, so none occurs twice.
    pub texts: Vec<String>,
    /// The services of spans.
    pub services: Vec<Service>,
    /// All instances of all services; those of one service are adjacent.
    pub resources: Vec<Resource>,
    /// The instrumentation scopes of spans that are not of [`SCOPE`]. They are interned, so none occurs twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// All expressions, each after its operands.
    pub exprs: Vec<Expr>,
    /// The keys of the computed attributes of spans and events. A key has an entry for each place where it is used.
    pub attrs: Vec<TextId>,
    /// The events of spans.
    pub events: Vec<Event>,
    /// The errors with which spans fail.
    pub errors: Vec<Error>,
    /// The distributions of times; a mix comes after its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dists: Vec<Dist>,
    /// The links to other spans.
    pub links: Vec<Link>,
    /// The terms of calls. They are interned, so none occurs twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specs: Vec<CallSpec>,
    /// The values that clients read from the answers to their calls; those of one client are adjacent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// The incidents, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// The malformations, in the order in which they are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub malformations: Vec<Malformation>,
    /// The scenarios from which traces are chosen.
    pub scenarios: Vec<Scenario>,
    /// The blocks of all scenarios.
    pub blocks: Vec<Block>,
    /// The sources of traces: first that of all scenarios without one of their own, if there is one, then those of single
    /// scenarios in the order of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load: Vec<Source>,
}

/// A service, which has one or more instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: TextId,
    /// The resource of instance 0, which those of the other instances follow.
    pub first_resource: ResourceId,
    /// The number of instances, at least 1. If there are several, a SERVER or CONSUMER span draws its instance when it
    /// starts (one 32-bit draw, before everything else). Any other span takes its parent's instance if that is of the same
    /// service, and otherwise draws one, too.
    pub instances: u32,
    /// The versions that instances run while incidents are in force, in the order of the instances, and for each of them in
    /// the order of the incidents, of which the last one counts. Each has a resource; these follow those of the instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<Rollout>,
    /// The resolution of the clock in ns, to a multiple of which all times of the spans are rounded down; `None` for 1 ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u64>,
}

impl Service {
    /// Returns the number of resources.
    pub fn resource_count(&self) -> u32 {
        self.instances.saturating_add(self.rollouts.len() as u32)
    }

    /// Returns the resources: those of the instances in order, and then those of the rollouts.
    pub fn resources(&self) -> impl Iterator<Item = ResourceId> + use<> {
        (self.first_resource.0..self.first_resource.0 + self.resource_count()).map(ResourceId)
    }

    /// Returns the number of the instance that has this resource, or `None` if it is that of another service.
    pub fn instance_of(&self, resource: ResourceId) -> Option<u32> {
        let at = resource.0.checked_sub(self.first_resource.0)?;
        match at.checked_sub(self.instances) {
            None => Some(at),
            Some(rolled) => self.rollouts.get(rolled as usize).map(|rollout| rollout.instance),
        }
    }
}

/// A service instance: its attributes in the order in which they are sent. Their expressions read no slot, time, id or
/// draw, but only constants and stable functions, so a run has a fixed set of resources, and each is computed once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub attributes: Vec<(TextId, ExprId)>,
}

/// An instrumentation scope, which names what made a span, such as a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    pub name: TextId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<TextId>,
}

/// A scenario, which is one kind of trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: TextId,
    /// The relative frequency with which the scenario is chosen; finite and at least 0.
    pub weight: f64,
    /// The names of the slots for people: the name of a var or the key of an attribute. They are not part of the digest.
    pub slots: Vec<String>,
    /// The values that are computed at the start of the trace, in this order, and the slots in which they are stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<(SlotId, ExprId)>,
    /// The block of the root span.
    pub root: BlockId,
    /// The W3C trace state of all spans of a trace; `None` if it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_state: Option<TextId>,
}

/// The properties of a span that are known before it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanForm {
    pub service: ServiceId,
    pub kind: SpanKind,
    /// The scope of the spans; `None` for [`SCOPE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeId>,
    /// Whether the status of a span that does not fail is OK, instead of unset.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ok: bool,
    /// The name of the spans, or `None` if a `name` instruction computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<TextId>,
    /// The attributes with constant values that no failure may replace, in file order. They are sent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constants: Vec<(TextId, Constant)>,
    /// All other attributes, in file order: a range of [`Program::attrs`] that belongs only to this block.
    #[serde(default, skip_serializing_if = "AttrRange::is_empty")]
    pub attrs: AttrRange,
}

impl SpanForm {
    /// Makes a form of spans with defaults for everything else.
    pub fn new(service: ServiceId, kind: SpanKind) -> SpanForm {
        let (constants, attrs) = (Vec::new(), AttrRange::default());
        SpanForm { service, kind, scope: None, ok: false, name: None, constants, attrs }
    }
}

/// The range `first..first + count` of attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttrRange {
    pub first: u32,
    pub count: u32,
}

impl AttrRange {
    /// Reports whether the range has no attributes.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reports whether the attribute is in the range.
    pub fn has(self, attr: AttrId) -> bool {
        attr.0 >= self.first && attr.0 - self.first < self.count
    }

    /// Returns the attributes of the range, in order.
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
    /// Reports whether a span of this kind runs in another process than its caller.
    pub fn is_remote(self) -> bool {
        matches!(self, SpanKind::Server | SpanKind::Consumer)
    }

    /// All kinds of spans.
    pub const ALL: [SpanKind; 6] = [
        SpanKind::Unspecified,
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ];

    /// Returns the kind as OpenTelemetry writes it, for example `SERVER`.
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
    /// How often the event happens; `until` is not used; `None` means once. The other fields are evaluated in each turn, in
    /// this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// The condition under which the event happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ExprId>,
    /// The probability that the event happens, for which one 32-bit draw is used; `None` means always, without a draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<Chance>,
    /// The time from the start of the span to the event, which is at the latest the end of the span; `None` means the
    /// current time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DistId>,
    pub name: ExprId,
    /// The attributes in the order in which they are evaluated, after the name: constant ones first, then the others, each
    /// in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(AttrId, ExprId)>,
}

/// The error with which a span fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// The value of `error.type` and of `exception.type`, which is evaluated before the message.
    pub r#type: ExprId,
    /// The message of the status, and the value of `exception.message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<ExprId>,
    /// The attributes of the span that the failure sets or replaces, in the order in which they are evaluated, after the
    /// message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(AttrId, ExprId)>,
    /// The time that passes before the span fails, which is drawn before everything else; only a `fail` uses it. `None`
    /// means that the span fails at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<DistId>,
}

/// A link to spans that exported a context and had ended, either of earlier traces or of the same trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// A glob over the keys that the link looks for: `*` matches any run of characters, `?` any one character, and every
    /// other character itself.
    pub glob: TextId,
    /// The blocks whose `export` can match the glob, at least one. The graph from linking to exporting scenarios has no
    /// cycle. In the same trace, the blocks come before the block that links, and do not call it.
    pub sources: Vec<BlockId>,
    /// The minimum time between the end of the linked spans and the start of the linking span, which is drawn first; `None`
    /// means 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<DistId>,
    /// The maximum number of spans to link to, the latest first; `None` means one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<LinkCount>,
    /// The attributes of each link in the order in which they are evaluated: constant ones first, then the others, each in
    /// file order. They may read the linked span.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(AttrId, ExprId)>,
    /// Whether the linked spans are of the same trace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_trace: bool,
}

/// A number of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkCount {
    /// The number, which is evaluated after the lag. A negative value, or one that is not a number, counts as 0.
    pub value: ExprId,
    /// The maximum to which the number is limited.
    pub max: u32,
}

/// A verified program. It gives read access to the program's tables.
#[derive(Clone, Debug)]
pub struct Plan {
    program: Program,
    /// The digest, which is computed when it is first needed, because a mere check does not need it.
    digest: OnceLock<[u8; 32]>,
    tree: Tree,
    /// The bounds of traces, by scenario.
    bounds: Vec<Bound>,
    /// The longest time from a block's start until its caller continues, in ns, by block.
    longest: Vec<u64>,
    /// The latest end of a block's spans, in ns from the trace's start, by block.
    end_bounds: Vec<u64>,
    /// The block's own computed attribute with the key [`ERROR_TYPE`], by block.
    error_type: Vec<Option<AttrId>>,
}

impl Event {
    /// Makes an event that happens once, at the current time.
    pub fn plain(name: ExprId, attributes: Vec<(AttrId, ExprId)>) -> Event {
        Event { repeat: None, when: None, chance: None, at: None, name, attributes }
    }

    /// Returns the expressions of the event itself.
    fn exprs(&self) -> impl Iterator<Item = ExprId> {
        let turns = self.repeat.map(|repeat| repeat.count).into_iter().chain(self.when);
        turns.chain([self.name]).chain(self.attributes.iter().map(|(_, value)| *value))
    }

    /// Returns the expressions of the event itself, mutably.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let turns = self.repeat.as_mut().map(|repeat| &mut repeat.count).into_iter().chain(&mut self.when);
        turns.chain([&mut self.name]).chain(self.attributes.iter_mut().map(|(_, value)| value))
    }

    /// Returns the maximum number of turns of the event.
    pub fn turns(&self) -> u32 {
        self.repeat.map_or(1, |repeat| repeat.max)
    }
}

impl Link {
    /// Makes a link to the latest span of an earlier trace.
    pub fn plain(glob: TextId, sources: Vec<BlockId>) -> Link {
        Link { glob, sources, lag: None, count: None, attributes: vec![], same_trace: false }
    }

    /// Returns the expressions of the link itself.
    fn exprs(&self) -> impl Iterator<Item = ExprId> {
        let count = self.count.map(|count| count.value);
        count.into_iter().chain(self.attributes.iter().map(|(_, value)| *value))
    }

    /// Returns the expressions of the link itself, mutably.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let count = self.count.as_mut().map(|count| &mut count.value);
        count.into_iter().chain(self.attributes.iter_mut().map(|(_, value)| value))
    }

    /// Returns the maximum number of linked spans.
    pub fn most(&self) -> u32 {
        self.count.map_or(1, |count| count.max)
    }
}

impl Error {
    /// Returns the expressions of the error, in the order in which they are evaluated.
    fn exprs(&self) -> impl Iterator<Item = ExprId> {
        std::iter::once(self.r#type).chain(self.message).chain(self.attributes.iter().map(|(_, value)| *value))
    }

    /// Returns the expressions of the error, mutably.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let attributes = self.attributes.iter_mut().map(|(_, value)| value);
        std::iter::once(&mut self.r#type).chain(&mut self.message).chain(attributes)
    }
}

impl Program {
    /// Returns the expressions that are evaluated when an instruction runs: its own, and those of its error, event, link,
    /// call terms and distributions.
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

    /// Returns the distributions that are sampled when an instruction runs: its own, and those of its error, event, link
    /// and call terms.
    pub fn drawn(&self, inst: &Inst) -> impl Iterator<Item = DistId> {
        let spec = inst.spec().map(|id| &self.specs[id.index()]);
        let error = inst.error().and_then(|id| self.errors[id.index()].delay);
        let event = inst.event().and_then(|id| self.events[id.index()].at);
        let link = inst.link().and_then(|id| self.links[id.index()].lag);
        let dists = inst.dist().into_iter().chain(spec.into_iter().flat_map(CallSpec::dists));
        dists.chain(error).chain(event).chain(link)
    }
}

/// The bounds of every trace of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The minimum number of spans of a trace.
    pub min_spans: u32,
    /// The maximum number of spans of a trace.
    pub max_spans: u32,
    /// The longest time from a trace's start to the end of its last span, in ns.
    pub duration: u64,
}

impl std::ops::Deref for Plan {
    type Target = Program;
    fn deref(&self) -> &Program {
        &self.program
    }
}

impl Plan {
    /// Returns the SHA-256 of the canonical bytes, which cover all that is executed and nothing else.
    pub fn digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| file::digest(self.program.clone()))
    }

    /// Returns the digest in hexadecimal.
    pub fn digest_hex(&self) -> String {
        self.digest().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the first eight digits of [`Plan::digest_hex`], which are shown to people.
    pub fn digest_short(&self) -> String {
        self.digest_hex()[..8].into()
    }

    /// Returns the same plan with other weights of its scenarios, in their order.
    ///
    /// # Errors
    /// A weight is negative or not finite, or all are 0.
    pub fn with_weights(&self, weights: impl IntoIterator<Item = f64>) -> Result<Plan, Violations> {
        let mut program = self.program.clone();
        program.scenarios.iter_mut().zip(weights).for_each(|(scenario, weight)| scenario.weight = weight);
        Plan::verify(program)
    }

    /// Returns the bounds of every trace of the scenario.
    pub fn bound(&self, scenario: ScenarioId) -> Bound {
        self.bounds[scenario.index()]
    }

    /// Returns the longest time that any trace can last, in ns.
    pub fn duration_bound(&self) -> u64 {
        self.bounds.iter().map(|b| b.duration).max().unwrap_or(0)
    }

    /// Returns the longest time from a block's start until its caller continues, in ns, if there were no timeout.
    fn longest(&self, block: BlockId) -> u64 {
        self.longest[block.index()]
    }

    /// Returns the latest end of a block's span, in ns from the start of its trace.
    pub fn end_bound(&self, block: BlockId) -> u64 {
        self.end_bounds[block.index()]
    }

    /// Returns the block's own computed attribute with the key [`ERROR_TYPE`], which a failure overwrites, or `None` if a
    /// failure adds one.
    pub fn error_type_attr(&self, block: BlockId) -> Option<AttrId> {
        self.error_type[block.index()]
    }

    /// Returns the W3C trace state of a scenario's traces, which may be empty.
    pub fn trace_state(&self, scenario: ScenarioId) -> &str {
        self.scenarios[scenario.index()].trace_state.map_or("", |state| self.text(state))
    }

    /// Returns the text with this id.
    pub fn text(&self, id: TextId) -> &str {
        &self.texts[id.index()]
    }

    /// Returns the key of a computed attribute.
    pub fn attr_key(&self, id: AttrId) -> &str {
        self.text(self.attrs[id.index()])
    }

    /// Returns the block with this id.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }
}
