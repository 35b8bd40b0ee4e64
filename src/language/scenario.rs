//! The scenario model: what the files say, field by field, with places. Fields are checked on their own here (known, of the
//! right shape, in range); what takes more than one place to see (names, types, sums, cycles) is the compiler's.

pub mod choice;
pub mod contents;
pub mod dist;
mod fields;
mod filler;
mod instrumentation;
mod number;
pub mod prelude;
pub mod read;
mod scalar;
pub mod services;
pub mod shared;
mod span;
pub mod table;
mod trace_state;
mod value;
pub mod version;

use std::sync::Arc;

use super::source::{FileId, Loc, Located};
use super::template::Template;

/// All scenario files of a compilation.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The services in force, one entry for each file that has scenarios; see [`Scenario::scope`].
    pub scopes: Vec<Scope>,
    /// In file order.
    pub scenarios: Vec<Scenario>,
    /// The base files of directories of which not all files were read: what those files define may be used by the others.
    pub partial: Vec<FileId>,
}

/// The services that a file's spans may name: those of its directory's `_base.yaml` and its own.
#[derive(Clone, Debug)]
pub struct Scope {
    pub file: FileId,
    /// `None`: no list is in force, any name will do.
    pub services: Option<Arc<services::Services>>,
    /// The `services` keys whose lists these are.
    pub lists: Vec<Loc>,
    /// The shared spans that the file may use.
    pub shared: Arc<shared::Library>,
}

#[derive(Clone, Debug)]
pub struct Service {
    pub name: Located<String>,
    pub version: Option<version::Version>,
    pub namespace: Option<Located<String>>,
    /// 1 to 10,000.
    pub instances: Option<Located<u32>>,
    /// The scope of its spans that name no other.
    pub scope: Option<InstrumentationScope>,
    pub attributes: Vec<Attribute>,
}

/// What makes spans, such as a library.
#[derive(Clone, Debug)]
pub struct InstrumentationScope {
    pub name: Located<String>,
    pub version: Option<Located<String>>,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    /// Index into [`Model::scopes`].
    pub scope: usize,
    pub name: Located<String>,
    pub description: Option<Located<String>>,
    /// Finite, >= 0.
    pub weight: Option<Located<f64>>,
    pub vars: Vec<Var>,
    /// The vars of the root span, which are drawn after those of the scenario and may hide them.
    pub root_vars: Vec<Var>,
    /// `steps` are already nested: each is the one call of the step before.
    pub root: Span,
    /// Whether vars or attributes may be missing for a mistake that was reported.
    pub lacks_names: bool,
    /// The scenario's mapping.
    pub loc: Loc,
}

#[derive(Clone, Debug)]
pub struct Var {
    pub name: Located<String>,
    pub value: Value,
}

/// A span as it was written. What it leaves out may come from the shared span that it uses.
#[derive(Clone, Debug)]
pub struct Span {
    /// The shared span that it is made from.
    pub shared: Option<shared::Use>,
    /// There without a shared span. One that was missing or wrong is empty.
    pub service: Option<Located<String>>,
    /// There without a shared span. One that was missing or wrong is a broken template.
    pub operation: Option<Template>,
    pub kind: Option<Kind>,
    /// `None`: that of its shared spans, or of its service.
    pub scope: Option<InstrumentationScope>,
    /// Whether its status is OK where it does not fail.
    pub ok: bool,
    /// Of a root: the W3C trace state of the whole trace.
    pub trace_state: Option<Located<String>>,
    pub delay: Option<dist::Dist>,
    pub attributes: Vec<Attribute>,
    pub events: Vec<Event>,
    pub error_conditions: Vec<ErrorCondition>,
    pub calls: Vec<Item>,
    /// The span that stands around the call of this one, in the caller's service.
    pub client: Option<Box<Client>>,
    pub export: Option<Template>,
    pub links: Vec<Link>,
    pub loc: Loc,
}

/// Links to spans that exported a context.
#[derive(Clone, Debug)]
pub struct Link {
    /// A glob over export keys.
    pub glob: Located<String>,
    /// How many spans are linked to at most; `None`: one.
    pub count: Option<Repeat>,
    /// How long ago they had ended at least.
    pub lag: Option<dist::Dist>,
    pub attributes: Vec<Attribute>,
    /// Whether they are of this trace, not of earlier ones.
    pub same_trace: bool,
    pub loc: Loc,
}

/// What is called, one after another or side by side.
#[derive(Clone, Debug)]
pub struct List {
    /// `None`: one after another.
    pub pool: Option<Pool>,
    pub items: Vec<Item>,
    pub loc: Loc,
}

/// Calls side by side.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The most that run at a time, from 1; `None`: all.
    pub max: Option<u32>,
}

/// An entry of a list, with the words that say when and how often it runs.
#[derive(Clone, Debug)]
pub struct Item {
    pub body: Body,
    pub repeat: Option<Repeat>,
    /// The values that are drawn anew for each turn.
    pub vars: Vec<Var>,
    /// The condition of a turn: a template that is one expression.
    pub when: Option<Template>,
    /// The percentage of turns that are run, 0 to 100.
    pub probability: Option<Located<f64>>,
    /// Whether nobody waits for it.
    pub is_async: bool,
    /// The time between the call and the start of what is called.
    pub wait: Option<dist::Dist>,
    /// How long its caller waits for it.
    pub timeout: Option<dist::Dist>,
    /// What happens when it has failed.
    pub retry: Option<Retry>,
    /// How its failure becomes that of the span around it.
    pub propagate: Option<Propagate>,
    pub loc: Loc,
}

/// The CLIENT span around a call of a SERVER, as it was written. Timeouts and retries are of it, with the server's span below.
#[derive(Clone, Debug)]
pub struct Client {
    /// Whether there is one; what else is written is then of use for those who want it.
    pub is_wanted: bool,
    /// `None`: it is the server's.
    pub operation: Option<Template>,
    pub attributes: Vec<Attribute>,
    /// The attribute that says whom it calls, where none is written.
    pub address: Attribute,
    pub error_conditions: Vec<ErrorCondition>,
    /// The time that a request or an answer is on its way.
    pub network: Option<dist::Dist>,
    pub loc: Loc,
}

/// Attempts of a call: while one fails, the next is made.
#[derive(Clone, Debug)]
pub struct Retry {
    /// The most attempts, the first included; 2 to 20.
    pub attempts: u32,
    /// The time between two attempts.
    pub backoff: Option<dist::Dist>,
    /// What that time is multiplied by from attempt to attempt, in thousandths; 1,000 to 100,000.
    pub factor: u32,
    /// By how much of itself that time is longer or shorter at most, as a percentage.
    pub jitter: f64,
    /// The condition for the next attempt: a template that is one expression.
    pub when: Option<Template>,
    pub loc: Loc,
}

/// How the failure of a call becomes that of the span that makes it.
#[derive(Clone, Debug)]
pub struct Propagate {
    /// The condition under which it does: a template that is one expression.
    pub when: Option<Template>,
    /// The percentage of failures that do, 0 to 100; `None`: all.
    pub probability: Option<Located<f64>>,
    /// The type of the error; `None`: the callee's, with its message.
    pub r#type: Option<Template>,
    pub message: Option<Template>,
    pub attributes: Vec<Attribute>,
    pub loc: Loc,
}

/// What an item does.
#[derive(Clone, Debug)]
pub enum Body {
    Span(Box<Span>),
    /// Calls that make no span of their own.
    Group(List),
    /// Own work of the span that the list stands in.
    Work(dist::Dist),
}

/// How often an item runs or an event happens, or how many links there are.
#[derive(Clone, Debug)]
pub enum Repeat {
    /// Uniform from `min` to `max`; one number: both the same.
    Range { min: u32, max: u32, loc: Loc },
    /// As often as a template says, which is one expression.
    Computed(Template),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

#[derive(Clone, Debug)]
pub struct Attribute {
    pub key: Located<String>,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub name: Template,
    pub attributes: Vec<Attribute>,
    pub at: EventTime,
    /// How often it happens.
    pub repeat: Option<Repeat>,
    /// The condition of a turn: a template that is one expression.
    pub when: Option<Template>,
    /// The percentage of turns in which it happens, 0 to 100.
    pub probability: Option<Located<f64>>,
    pub loc: Loc,
}

/// When an event happens.
#[derive(Clone, Debug)]
pub enum EventTime {
    /// At the end of the span's own work.
    AfterWork,
    /// So long after the span's start, or at its end if that is earlier.
    After(dist::Dist),
    /// At the end of the span.
    End,
}

#[derive(Clone, Debug)]
pub struct ErrorCondition {
    /// 0 to 100; `None`: always, if the condition in `when` holds, which is then there.
    pub probability: Option<Located<f64>>,
    /// The condition under which it counts: a template that is one expression.
    pub when: Option<Template>,
    /// Whether it is looked at after the calls, not before them.
    pub at_end: bool,
    /// The time that the failure takes, in place of the span's own work.
    pub delay: Option<dist::Dist>,
    pub r#type: Template,
    pub message: Option<Template>,
    /// What is set or replaced among the span's attributes.
    pub attributes: Vec<Attribute>,
    pub loc: Loc,
}

/// What an attribute or a var is given.
#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Scalar),
    /// Of values of any types, none of which is a choice.
    List {
        items: Vec<Value>,
        loc: Loc,
    },
    /// Of keys and values, none of which is a choice.
    Map {
        entries: Vec<Attribute>,
        loc: Loc,
    },
    Bytes(Located<Vec<u8>>),
    Choice(choice::Choice),
}

#[derive(Clone, Debug)]
pub enum Scalar {
    Bool(Located<bool>),
    Int(Located<i64>),
    /// Finite.
    Double(Located<f64>),
    /// Quoted, with text around its expressions, or without any: always text.
    Text(Template),
    /// Plain or a block scalar, and exactly one expression: keeps the expression's type.
    Expr(Template),
}
