//! The model of scenarios: the contents of the files, field by field, with places. Fields are checked one by one here
//! (known, of the right shape, in range); checks that take more than one place (names, types, sums, cycles) are made by the
//! compiler.

pub mod choice;
pub mod contents;
pub mod dist;
pub mod fields;
mod filler;
pub mod incident;
mod instrumentation;
pub mod load;
pub mod malform;
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
    /// The services that may be named, with an entry for each file that contains scenarios; see [`Scenario::scope`].
    pub scopes: Vec<Scope>,
    /// The scenarios in file order.
    pub scenarios: Vec<Scenario>,
    /// The incidents of all files, in file order.
    pub incidents: Vec<incident::Incident>,
    /// The loads of files and directories, which all scenarios without one of their own share. There should be at most one.
    pub loads: Vec<load::Load>,
    /// The base files of directories of which not all files were read. The other files may use their definitions.
    pub partial: Vec<FileId>,
}

/// The services that a file's spans may name: those of its directory's `_base.yaml` and its own.
#[derive(Clone, Debug)]
pub struct Scope {
    pub file: FileId,
    /// The services; `None` if there is no list, and any name is allowed.
    pub services: Option<Arc<services::Services>>,
    /// The `services` keys of these lists.
    pub lists: Vec<Loc>,
    /// The shared spans that the file may use.
    pub shared: Arc<shared::Library>,
    /// The malformations of the file's spans: those of its directory's `_base.yaml` and its own.
    pub malform: Vec<malform::Malform>,
}

#[derive(Clone, Debug)]
pub struct Service {
    pub name: Located<String>,
    pub version: Option<version::Version>,
    pub namespace: Option<Located<String>>,
    /// The number of instances, 1 to 10,000.
    pub instances: Option<Located<u32>>,
    /// The instrumentation scope of its spans that name no other one.
    pub scope: Option<InstrumentationScope>,
    /// The resolution of its clock in ns.
    pub clock_resolution: Option<Located<u64>>,
    pub attributes: Vec<Attribute>,
}

/// The instrumentation that makes spans, such as a library.
#[derive(Clone, Debug)]
pub struct InstrumentationScope {
    pub name: Located<String>,
    pub version: Option<Located<String>>,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    /// The index of its scope in [`Model::scopes`].
    pub scope: usize,
    pub name: Located<String>,
    pub description: Option<Located<String>>,
    /// The weight, which is finite and not negative.
    pub weight: Option<Located<f64>>,
    /// When its traces start, if it does not share that with others.
    pub load: Option<load::Load>,
    pub vars: Vec<Var>,
    /// The vars of the root span, which are evaluated after those of the scenario and may hide them.
    pub root_vars: Vec<Var>,
    /// The root span. `steps` are already nested: each is the only call of the step before.
    pub root: Span,
    /// Whether vars or attributes may be missing because of a reported mistake.
    pub lacks_names: bool,
    /// The scenario's mapping.
    pub loc: Loc,
}

#[derive(Clone, Debug)]
pub struct Var {
    pub name: Located<String>,
    pub value: Value,
}

/// A span as it is written. Parts that it leaves out may come from its shared span.
#[derive(Clone, Debug)]
pub struct Span {
    /// The shared span from which it is made.
    pub shared: Option<shared::Use>,
    /// The service, which is always set without a shared span. A missing or wrong one is empty.
    pub service: Option<Located<String>>,
    /// The operation, which is always set without a shared span. A missing or wrong one is a broken template.
    pub operation: Option<Template>,
    pub kind: Option<Kind>,
    /// The instrumentation scope; `None` for that of its shared spans, or of its service.
    pub scope: Option<InstrumentationScope>,
    /// Whether its status is OK if it does not fail.
    pub ok: bool,
    /// For a root: the W3C trace state of the whole trace.
    pub trace_state: Option<Located<String>>,
    pub delay: Option<dist::Dist>,
    pub attributes: Vec<Attribute>,
    pub events: Vec<Event>,
    pub error_conditions: Vec<ErrorCondition>,
    pub calls: Vec<Item>,
    /// The client span around the call of this one, in the caller's service.
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
    /// The maximum number of spans to link to; `None` means one.
    pub count: Option<Repeat>,
    /// The minimum time since the end of the linked spans.
    pub lag: Option<dist::Dist>,
    pub attributes: Vec<Attribute>,
    /// Whether the linked spans are of the same trace, not of earlier ones.
    pub same_trace: bool,
    pub loc: Loc,
}

/// Calls, either one after another or in parallel.
#[derive(Clone, Debug)]
pub struct List {
    /// The limits of parallel calls; `None` if calls are made one after another.
    pub pool: Option<Pool>,
    pub items: Vec<Item>,
    pub loc: Loc,
}

/// Parallel calls.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The maximum number at a time, at least 1; `None` means no limit.
    pub max: Option<u32>,
}

/// An entry of a list, with the fields that say when and how often it runs.
#[derive(Clone, Debug)]
pub struct Item {
    pub body: Body,
    pub repeat: Option<Repeat>,
    /// The vars that are evaluated again in each turn.
    pub vars: Vec<Var>,
    /// The condition of a turn: a template that is one expression.
    pub when: Option<Template>,
    /// The percentage of turns that are run, 0 to 100.
    pub probability: Option<Located<f64>>,
    /// Whether nobody waits for it.
    pub is_async: bool,
    /// The time between the call and the start of the called block.
    pub wait: Option<dist::Dist>,
    /// The maximum time that its caller waits for it.
    pub timeout: Option<dist::Dist>,
    /// What happens if it has failed.
    pub retry: Option<Retry>,
    /// How its failure is passed on to the span around it.
    pub propagate: Option<Propagate>,
    pub loc: Loc,
}

/// The CLIENT span around a call of a SERVER, as it is written. Timeouts and retries apply to it, including the server's
/// span below it.
#[derive(Clone, Debug)]
pub struct Client {
    /// Whether there is a client. If not, the other fields apply to uses that ask for one.
    pub is_wanted: bool,
    /// The operation; `None` for that of the server.
    pub operation: Option<Template>,
    pub attributes: Vec<Attribute>,
    /// The attribute with the server's address, if the client has none of its own.
    pub address: Attribute,
    pub error_conditions: Vec<ErrorCondition>,
    /// The time that a request or an answer takes.
    pub network: Option<dist::Dist>,
    pub loc: Loc,
}

/// The attempts of a call: after a failed attempt the next one is made.
#[derive(Clone, Debug)]
pub struct Retry {
    /// The maximum number of attempts, including the first; 2 to 20.
    pub attempts: u32,
    /// The time between two attempts.
    pub backoff: Option<dist::Dist>,
    /// The factor by which that time is multiplied after each attempt, in thousandths; 1,000 to 100,000.
    pub factor: u32,
    /// The maximum percentage by which that time is lengthened or shortened.
    pub jitter: f64,
    /// The condition of the next attempt: a template that is one expression.
    pub when: Option<Template>,
    pub loc: Loc,
}

/// How the failure of a call is passed on to the span that makes it.
#[derive(Clone, Debug)]
pub struct Propagate {
    /// The condition under which it is passed on: a template that is one expression.
    pub when: Option<Template>,
    /// The percentage of failures that are passed on, 0 to 100; `None` means all.
    pub probability: Option<Located<f64>>,
    /// The type of the error; `None` for the type and message of the called span.
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
    /// Own work of the span that contains the list.
    Work(dist::Dist),
}

/// How often an item runs or an event happens, or how many links there are.
#[derive(Clone, Debug)]
pub enum Repeat {
    /// A number uniform from `min` to `max`; a fixed number has both equal.
    Range { min: u32, max: u32, loc: Loc },
    /// The number that a template computes, which is one expression.
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

/// The time of an event.
#[derive(Clone, Debug)]
pub enum EventTime {
    /// At the end of the span's own work.
    AfterWork,
    /// This long after the span's start, or at its end if that is earlier.
    After(dist::Dist),
    /// At the end of the span.
    End,
}

#[derive(Clone, Debug)]
pub struct ErrorCondition {
    /// The probability, 0 to 100; `None` means always if the condition in `when`, which is then set, is true.
    pub probability: Option<Located<f64>>,
    /// The condition under which it applies: a template that is one expression.
    pub when: Option<Template>,
    /// Whether it is evaluated after the calls, instead of before them.
    pub at_end: bool,
    /// The time until the failure, in place of the span's own work.
    pub delay: Option<dist::Dist>,
    pub r#type: Template,
    pub message: Option<Template>,
    /// The attributes of the span that are set or replaced.
    pub attributes: Vec<Attribute>,
    pub loc: Loc,
}

/// The value of an attribute or a var.
#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Scalar),
    /// A list of values of any types, none of which is a choice.
    List {
        items: Vec<Value>,
        loc: Loc,
    },
    /// A map of keys and values, none of which is a choice.
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
    /// A finite double.
    Double(Located<f64>),
    /// A scalar that is quoted, or has text around its expressions, or has none: always a text.
    Text(Template),
    /// A plain or block scalar that is exactly one expression, whose type it has.
    Expr(Template),
}
