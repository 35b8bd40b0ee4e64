//! Names: which var, attribute or built-in a path in a template means, who reads what, and in which order things are
//! evaluated.
//!
//! `layout` lays a scenario out, with `made` for what comes from shared spans, `lookup` says what a path means where it is written, and `reads` collects who reads what. A
//! scenario's spans and groups are laid out in the order they stand in the file, each before what it calls, so an index into
//! [`Names::blocks`] is also the offset of its block from the root's.

mod layout;
mod lookup;
mod made;
mod paths;
mod reads;

use super::report::{Report, UsedAt};
use super::shared::Shared;
use crate::language::diagnostic::Unavailable;
use crate::language::scenario::choice::{Choice, Options};
use crate::language::scenario::dist::Dist;
use crate::language::scenario::shared::Library;
use crate::language::scenario::table::Rows;
use crate::language::scenario::{
    Attribute, ErrorCondition, Event, InstrumentationScope, Item, Kind, Link, Scalar, Scenario, Value,
};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, Part, Template};
use foldhash::HashMap;

/// A scenario whose names have their meaning.
pub struct Names<'m> {
    pub scenario: &'m Scenario,
    /// Whether vars or attributes may be missing for a mistake that was reported.
    pub lacks_names: bool,
    /// What becomes a block each, in the order of the blocks: the root first, each before what it calls, siblings in file order.
    pub blocks: Vec<BlockNode>,
    /// The spans, in the order of their blocks.
    pub spans: Vec<SpanNode<'m>>,
    /// The items of all lists.
    pub items: Vec<ItemNode<'m>>,
    /// The vars of the scenario and of its root, in file order, then those of items, and the parameters of shared spans.
    pub vars: Vec<VarNode<'m>>,
    /// The vars of the scenario and of its root, in the order they are evaluated.
    pub var_order: Vec<usize>,
    /// Where vars are known, the scenario's first.
    scopes: Vec<Scope<'m>>,
    /// The bodies of shared spans, one for each place at which one is used, each behind the one that it is used in.
    bodies: Vec<BodyNode<'m>>,
    /// What is known of the shared spans of all files.
    shared: &'m Shared<'m>,
    /// The shared spans that the scenario's file may use.
    library: &'m Library,
}

/// What becomes a block.
pub struct BlockNode {
    pub kind: BlockKind,
    /// The span that it works for: itself, or the one that it stands in.
    pub span: usize,
    /// The item that calls it; `None`: it is the root.
    pub caller: Option<usize>,
    /// The items of its list, in order.
    pub items: Vec<usize>,
    /// The first read of `error` or `ok` in its list, or the first call in it whose failure is to be passed on.
    pub reads_outcome: Option<Loc>,
    /// Whether a failure of one of its calls, or of a call in a group of it, can be passed on.
    pub propagates: bool,
    /// The first read of whether one was passed on as it was, if it is the block of a span.
    pub reads_propagated: Option<Loc>,
    /// Where its list is written.
    scope: usize,
    pub loc: Loc,
}

/// What a block makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A span, by its position in [`Names::spans`].
    Span(usize),
    Sequence,
    /// Calls side by side, so many at a time; 0: all.
    Parallel(u32),
}

impl BlockKind {
    /// Whether the block makes no span of its own.
    pub fn is_group(self) -> bool {
        !matches!(self, BlockKind::Span(_))
    }
}

/// An entry of a list. One that repeats and has words for each turn is two: one that repeats a sequence, and the only one in that
/// sequence, which has the words.
pub struct ItemNode<'m> {
    pub item: &'m Item,
    /// The block in whose list it stands.
    pub list: usize,
    /// Whether it runs as often as the item's `repeat` says.
    pub repeats: bool,
    /// Whether it has what the item says of each turn.
    pub has_words: bool,
    /// The item that repeats it, where that is another one.
    wrapper: Option<usize>,
    /// What it calls; `None`: it is own work of the span.
    pub callee: Option<usize>,
    /// The vars of each turn, in the order they are evaluated.
    pub vars: Vec<usize>,
    /// Whether its condition reads the outcome of the call before: it may run after a failure that the span around it will have.
    pub handles: bool,
    /// Whether something reads the number of the turn, and the number of all.
    pub reads_index: bool,
    pub reads_count: bool,
    /// Whether something reads the number of the attempt.
    pub reads_attempt: bool,
    /// Where its vars are known.
    scope: usize,
}

/// A var of the scenario or of an item, or a parameter of a shared span.
pub struct VarNode<'m> {
    pub name: &'m Located<String>,
    pub value: &'m Value,
    /// Where its value is written.
    pub site: Site,
    /// Whether something reads it.
    pub is_read: bool,
    /// Whether it is a parameter.
    pub is_parameter: bool,
}

/// Where vars are known.
struct Scope<'m> {
    outer: Option<usize>,
    vars: HashMap<&'m str, usize>,
    /// The shared span in whose body it is.
    body: Option<usize>,
}

/// The body of a shared span at one of the places that use it. It knows nothing of the names there.
struct BodyNode<'m> {
    /// The span that is made from it.
    span: usize,
    /// Which shared span of that span it is: 1 for the one that the span names, 2 for the one that this one names, ...
    layer: usize,
    /// The body in which the place is.
    outer: Option<usize>,
    /// What the names of shared spans in it mean.
    library: &'m Library,
    /// The definition, and the place that uses it.
    places: UsedAt,
}

/// A part of a span, and where it is written.
#[derive(Clone, Copy)]
pub struct Scoped<T> {
    pub part: T,
    scope: usize,
}

/// A span of the scenario, with all that comes from the shared spans that it is made from.
pub struct SpanNode<'m> {
    pub service: &'m Located<String>,
    pub operation: Scoped<&'m Template>,
    pub kind: Kind,
    pub scope: Option<&'m InstrumentationScope>,
    /// Whether its status is OK where it does not fail.
    pub ok: bool,
    pub delay: Option<Scoped<&'m Dist>>,
    pub attributes: Vec<AttributeNode<'m>>,
    pub events: Vec<Scoped<&'m Event>>,
    pub error_conditions: Vec<Scoped<&'m ErrorCondition>>,
    pub export: Option<Scoped<&'m Template>>,
    pub links: Vec<Scoped<&'m Link>>,
    /// The client that calls this span.
    pub client: Option<usize>,
    /// Whether it is written that there is no client.
    pub declines_client: bool,
    /// What is known of the span as a client, if it is one.
    pub request: Option<RequestNode<'m>>,
    /// The parameters of its shared spans, in the order they are evaluated.
    pub given: Vec<usize>,
    pub parent: Option<usize>,
    pub block: usize,
    attributes_at: HashMap<&'m str, usize>,
    /// What this span or one below reads of the linked span, in file order.
    /// Each with the place of its first read.
    pub linked: Vec<(Linked, Loc)>,
    linked_at: HashMap<Linked, usize>,
    /// What of what a link finds its own attributes read, in file order: the position of the link, and the place of the read.
    pub link_reads: Vec<(usize, Linked, Loc)>,
    /// By event: whether something reads the number of the turn, and the number of all.
    pub event_reads: Vec<(bool, bool)>,
    /// Everything that is evaluated for the span, in order: at its start, and, of a client, once the answer is there.
    order: Vec<Step>,
    /// The keys of the attributes that a failure may set or replace, in the order they were written.
    pub replaced: Vec<&'m str>,
    /// The body of the last of its shared spans, or the one in which it is written.
    body: Option<usize>,
    /// The place to point at for what the span is: its service, the shared span that it names, or the `client` that it is.
    pub place: Loc,
}

/// What is known of a span as a client.
pub struct RequestNode<'m> {
    /// The span that it calls.
    pub server: usize,
    /// The time that a request or an answer is on its way.
    pub network: Scoped<&'m Dist>,
    /// Whether the client has the operation of its server, since it has none of its own.
    copies_operation: bool,
    /// Whether that operation reads attributes that only the server has.
    pub lacks_operation: bool,
}

/// An attribute of a span.
pub struct AttributeNode<'m> {
    pub model: &'m Attribute,
    scope: usize,
    /// The last of the span's shared spans that has it; 0: only the span itself has. What is written in an earlier one, or in the
    /// span, may read it.
    layer: usize,
    /// Whether something other than the span itself needs its value.
    pub is_read: bool,
    /// Whether the span's client reads it in the answer.
    pub is_sent: bool,
    /// Whether the span is a client, and the attribute reads the answer, itself or by another.
    is_late: bool,
}

/// What is evaluated at a span's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Attribute(usize),
    Operation,
    Export,
}

/// Where a template stands.
#[derive(Clone, Copy, Debug)]
pub enum Site {
    /// In the value of a var of the scenario, or of its root.
    Var { scope: usize },
    /// In how often an item runs.
    Repeat { item: usize },
    /// In what an item says of each turn.
    Turn { item: usize },
    /// In how the failure of an item is passed on.
    Failure { item: usize },
    /// In the value of a parameter of a shared span that this one is made from.
    Given { span: usize, scope: usize },
    /// In an error condition of a span that is looked at after its calls.
    End { span: usize, scope: usize },
    /// In a link of a span.
    Link { span: usize, link: usize },
    /// In what an event of a span says of each turn.
    Event { span: usize, event: usize },
    /// In this span: in what is evaluated at its start, or (`None`) in its error conditions and other words.
    Span { span: usize, step: Option<Step>, scope: usize },
}

/// What of a linked span is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Linked {
    Attribute(String),
    ContextKey,
}

/// The key under which a resource says which instance it is.
pub const INSTANCE_ID: &str = "service.instance.id";

/// What a path means.
#[derive(Debug, PartialEq)]
pub enum Target {
    Var(usize),
    /// A column of a var that is a row.
    Column {
        var: usize,
        column: usize,
    },
    Attribute {
        span: usize,
        attribute: usize,
    },
    ContextKey {
        span: usize,
    },
    /// `span` is the one that links.
    Linked {
        span: usize,
        read: Linked,
    },
    /// In a link: of the span that it found.
    Found {
        span: usize,
        link: usize,
        read: Linked,
    },
    ScenarioName,
    ServiceName {
        span: usize,
    },
    /// What an attribute of a server is in the answer to its client.
    Answer {
        span: usize,
        attribute: usize,
    },
    /// What the span's service instance says of itself under this key.
    Resource {
        span: usize,
        key: &'static str,
    },
    /// The number of the span's service instance.
    InstanceIndex {
        span: usize,
    },
    /// A function without arguments: `random.uuid`, `time.now`.
    Function,
    /// The number of the turn of an item, from 0.
    RepeatIndex {
        item: usize,
    },
    /// The number of turns of an item.
    RepeatCount {
        item: usize,
    },
    /// The number of the turn of an event, from 0.
    EventIndex {
        span: usize,
        event: usize,
    },
    /// The number of turns of an event.
    EventCount {
        span: usize,
        event: usize,
    },
    /// The number of the attempt of an item, from 0.
    Attempt {
        item: usize,
    },
    /// What the number of a turn, of turns or of the attempt is in a shared span that is used by an item that says nothing of it.
    Number(i64),
    /// What became of the call before, in the list of a block.
    Outcome {
        list: usize,
        read: OutcomePart,
    },
    /// Whether the failure of a call was passed on as it was, in the list of a block.
    Propagated {
        list: usize,
    },
    /// What became of the call before where a shared span is used that makes none.
    NoOutcome(OutcomePart),
}

/// A part of what became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomePart {
    /// Whether it failed.
    Error,
    /// Whether it did not.
    Ok,
    /// The type of its error.
    Type,
}

/// Why a path means nothing here.
#[derive(Debug, PartialEq)]
pub enum Miss {
    Name,
    Var(String),
    /// A var that is a row, without a column.
    Row {
        var: usize,
    },
    /// A column that the row lacks.
    Column {
        var: usize,
        name: String,
    },
    /// `of` is `parent` or `root`, which is this span.
    Attribute {
        of: &'static str,
        span: usize,
        key: String,
    },
    /// It may be one that is missing for a mistake that was reported.
    Unsure,
    Unavailable(Unavailable),
    /// A reserved head with something behind it that it doesn't have; what could be written.
    NotAValue(&'static str),
    LinkedWithoutLink,
    /// There is no call before, whose outcome it could be.
    NoCallBefore,
}

/// Whether anything in the value is computed.
pub fn is_computed(value: &Value) -> bool {
    match value {
        Value::Scalar(scalar) => is_template(scalar),
        Value::List { items, .. } => items.iter().any(is_computed),
        Value::Map { entries, .. } => entries.iter().any(|entry| is_computed(&entry.value)),
        Value::Bytes(_) => false,
        Value::Choice(_) => true,
    }
}

/// Whether the scalar has an expression in it.
pub fn is_template(scalar: &Scalar) -> bool {
    match scalar {
        Scalar::Text(template) => template.constant().is_none(),
        Scalar::Expr(_) => true,
        Scalar::Bool(_) | Scalar::Int(_) | Scalar::Double(_) => false,
    }
}

impl<'m> Names<'m> {
    /// Gives the names of a scenario their meaning, whose spans are at most as many and as deep as the limits say.
    pub fn new(scenario: &'m Scenario, shared: &'m Shared<'m>, report: &mut Report) -> Names<'m> {
        let mut names = Names {
            scenario,
            lacks_names: scenario.lacks_names,
            shared,
            library: shared.library(scenario.scope),
            blocks: Vec::new(),
            spans: Vec::new(),
            items: Vec::new(),
            vars: Vec::new(),
            var_order: Vec::new(),
            scopes: Vec::new(),
            bodies: Vec::new(),
        };
        let scope = names.add_vars(None, &scenario.vars, |scope| Site::Var { scope });
        let scope = names.add_vars(Some(scope), &scenario.root_vars, |scope| Site::Var { scope });
        let own: Vec<usize> = (0..names.vars.len()).collect();
        names.add_blocks(scope, report);
        names.var_order = names.order_vars(&own, report);
        for block in 0..names.blocks.len() {
            report.enter(names.uses_around(block));
            if let BlockKind::Span(span) = names.blocks[block].kind {
                names.order_span(span, report);
            }
            for at in 0..names.blocks[block].items.len() {
                names.order_item(names.blocks[block].items[at], report);
            }
        }
        report.enter(vec![]);
        names.spread_failures();
        names
    }

    /// The shared spans that a block comes from, those of its span last.
    pub fn uses_around(&self, block: usize) -> Vec<UsedAt> {
        let body = match self.blocks[block].kind {
            BlockKind::Span(span) => self.spans[span].body,
            BlockKind::Sequence | BlockKind::Parallel(_) => self.scopes[self.blocks[block].scope].body,
        };
        self.uses_of(body)
    }

    /// The shared spans around a body, that of itself last.
    fn uses_of(&self, body: Option<usize>) -> Vec<UsedAt> {
        let bodies = std::iter::successors(body, |&body| self.bodies[body].outer);
        let mut uses: Vec<UsedAt> = bodies.map(|body| self.bodies[body].places).collect();
        uses.reverse();
        uses
    }

    /// The rows that a var is one of.
    pub fn rows(&self, var: usize) -> Option<&'m Rows> {
        match self.vars[var].value {
            Value::Choice(Choice { options: Options::Rows(rows), .. }) => Some(rows),
            _ => None,
        }
    }

    /// Whether a mistake stands in the place of a var's value.
    fn is_wrong(&self, var: usize) -> bool {
        let Value::Scalar(Scalar::Expr(template)) = self.vars[var].value else { return false };
        matches!(&template.parts[..], [Part::Expr(node)] if matches!(*node.value, Expr::Error))
    }

    pub fn keys(&self, span: usize) -> impl Iterator<Item = &str> {
        self.spans[span].attributes.iter().map(|attribute| attribute.model.key.value.as_str())
    }
}

impl<'m> SpanNode<'m> {
    /// What is evaluated at the span's start, in order.
    pub fn early_steps(&self) -> impl Iterator<Item = &Step> {
        self.order.iter().filter(|step| !self.is_late(step))
    }

    /// What is evaluated once the answer to a client is there, in order.
    pub fn late_steps(&self) -> impl Iterator<Item = &Step> {
        self.order.iter().filter(|step| self.is_late(step))
    }

    fn is_late(&self, step: &Step) -> bool {
        matches!(step, Step::Attribute(attribute) if self.attributes[*attribute].is_late)
    }

    /// Where a read of the linked span stands in [`SpanNode::linked`].
    pub fn linked_index(&self, read: &Linked) -> Option<usize> {
        self.linked_at.get(read).copied()
    }

    pub fn find_attribute(&self, key: &str) -> Option<usize> {
        self.attributes_at.get(key).copied()
    }
}

impl<T> Scoped<T> {
    /// Where the names in this part of `span` stand.
    pub fn site(&self, span: usize, step: Option<Step>) -> Site {
        Site::Span { span, step, scope: self.scope }
    }
}

impl Scoped<&ErrorCondition> {
    /// Where the names in this condition of `span` stand.
    pub fn condition_site(&self, span: usize) -> Site {
        if self.part.at_end { Site::End { span, scope: self.scope } } else { self.site(span, None) }
    }
}

impl AttributeNode<'_> {
    /// Where the names in this attribute of `span` stand, which is the one at `index`.
    pub fn site(&self, span: usize, index: usize) -> Site {
        Site::Span { span, step: Some(Step::Attribute(index)), scope: self.scope }
    }
}
