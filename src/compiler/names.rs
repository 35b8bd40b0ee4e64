//! Names: the var, attribute or built-in that a path in a template means, who reads what, and the order of evaluation.
//!
//! `layout` lays a scenario out, with `made` for parts that come from shared spans; `lookup` finds the meaning of a path at
//! a place; `reads` collects who reads what. A scenario's spans and groups are laid out in file order, each before those
//! that it calls, so an index into [`Names::blocks`] is also the offset of its block from the root's.

mod layout;
mod lookup;
mod made;
mod paths;
mod reads;
mod selected;

pub use selected::check_selections;

use super::report::{Report, UsedAt};
use super::shared::Shared;
use crate::language::diagnostic::Unavailable;
use crate::language::scenario::choice::{Choice, Options};
use crate::language::scenario::dist::Dist;
use crate::language::scenario::shared::Library;
use crate::language::scenario::table::Rows;
use crate::language::scenario::{
    Attribute, ErrorCondition, Event, InstrumentationScope, Item, Kind, Link, Model, Scalar, Scenario, Value,
};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, Part, Template};
use foldhash::HashMap;

/// A scenario whose names have meanings.
pub struct Names<'m> {
    pub scenario: &'m Scenario,
    pub model: &'m Model,
    /// Whether vars or attributes may be missing because of a reported mistake.
    pub lacks_names: bool,
    /// The nodes of blocks, in the order of the blocks: the root first, each before those that it calls, siblings in file
    /// order.
    pub blocks: Vec<BlockNode>,
    /// The spans, in the order of their blocks.
    pub spans: Vec<SpanNode<'m>>,
    /// The items of all lists.
    pub items: Vec<ItemNode<'m>>,
    /// The vars of the scenario and of its root in file order, then those of items, and the parameters of shared spans.
    pub vars: Vec<VarNode<'m>>,
    /// The vars of the scenario and of its root in the order of evaluation.
    pub var_order: Vec<usize>,
    /// The scopes of vars, that of the scenario first.
    scopes: Vec<Scope<'m>>,
    /// The bodies of shared spans, one for each use, each after the body in which it is used.
    bodies: Vec<BodyNode<'m>>,
    /// Facts about the shared spans of all files.
    shared: &'m Shared<'m>,
    /// The shared spans that the scenario's file may use.
    library: &'m Library,
}

/// A part of the scenario that becomes a block.
pub struct BlockNode {
    pub kind: BlockKind,
    /// The span to which the block belongs: itself, or the one that contains it.
    pub span: usize,
    /// The item that calls it; `None` for the root.
    pub caller: Option<usize>,
    /// The items of its list, in order.
    pub items: Vec<usize>,
    /// The place of the first read of `error` or `ok` in its list, or of the first call in it whose failure is to be passed
    /// on.
    pub reads_outcome: Option<Loc>,
    /// Whether a failure of one of its calls, or of a call in one of its groups, can be passed on.
    pub propagates: bool,
    /// For the block of a span: the place of the first read of whether a failure was passed on unchanged.
    pub reads_propagated: Option<Loc>,
    /// The scope of its list.
    scope: usize,
    pub loc: Loc,
}

/// The kind of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A span, by its position in [`Names::spans`].
    Span(usize),
    Sequence,
    /// Parallel calls, with the maximum number at a time; 0 means no limit.
    Parallel(u32),
}

impl BlockKind {
    /// Reports whether the block makes no span of its own.
    pub fn is_group(self) -> bool {
        !matches!(self, BlockKind::Span(_))
    }
}

/// An entry of a list. An entry that repeats and has terms for each turn is represented by two nodes: one that repeats a
/// sequence, and the only one in that sequence, which has the terms.
pub struct ItemNode<'m> {
    pub item: &'m Item,
    /// The block whose list contains it.
    pub list: usize,
    /// Whether it runs as often as the item's `repeat` says.
    pub repeats: bool,
    /// Whether it has the item's terms for each turn.
    pub has_words: bool,
    /// The node that repeats it, if that is another one.
    wrapper: Option<usize>,
    /// The block that it calls; `None` if it is own work of the span.
    pub callee: Option<usize>,
    /// The vars of each turn, in the order of evaluation.
    pub vars: Vec<usize>,
    /// Whether its condition reads the outcome of the call before, so that it may run after a failure that is passed on to
    /// the span.
    pub handles: bool,
    /// Whether something reads the number of the turn, and whether something reads the number of turns.
    pub reads_index: bool,
    pub reads_count: bool,
    /// Whether something reads the number of the attempt.
    pub reads_attempt: bool,
    /// The scope of its vars.
    scope: usize,
}

/// A var of the scenario or of an item, or a parameter of a shared span.
pub struct VarNode<'m> {
    pub name: &'m Located<String>,
    pub value: &'m Value,
    /// The site of its value.
    pub site: Site,
    /// Whether something reads it.
    pub is_read: bool,
    /// Whether it is a parameter.
    pub is_parameter: bool,
}

/// A scope of vars.
struct Scope<'m> {
    outer: Option<usize>,
    vars: HashMap<&'m str, usize>,
    /// The body of a shared span that contains the scope.
    body: Option<usize>,
}

/// The body of a shared span at one of its uses. It can't read the names at the place of the use.
struct BodyNode<'m> {
    /// The span that is made from it.
    span: usize,
    /// The number of the body among the shared spans of that span: 1 for the one that the span names, 2 for the one that
    /// this one names, ...
    layer: usize,
    /// The body that contains the use.
    outer: Option<usize>,
    /// The shared spans that its names mean.
    library: &'m Library,
    /// The definition, and the place that uses it.
    places: UsedAt,
}

/// A part of a span, and its scope.
#[derive(Clone, Copy)]
pub struct Scoped<T> {
    pub part: T,
    scope: usize,
}

/// A span of the scenario, including what comes from its shared spans.
pub struct SpanNode<'m> {
    pub service: &'m Located<String>,
    pub operation: Scoped<&'m Template>,
    pub kind: Kind,
    pub scope: Option<&'m InstrumentationScope>,
    /// Whether its status is OK if it does not fail.
    pub ok: bool,
    pub delay: Option<Scoped<&'m Dist>>,
    pub attributes: Vec<AttributeNode<'m>>,
    pub events: Vec<Scoped<&'m Event>>,
    pub error_conditions: Vec<ConditionNode<'m>>,
    /// The incidents that select it, in file order.
    pub incidents: Vec<usize>,
    /// The scope of what the span itself writes.
    own_scope: usize,
    pub export: Option<Scoped<&'m Template>>,
    pub links: Vec<Scoped<&'m Link>>,
    /// The client that calls this span.
    pub client: Option<usize>,
    /// Whether the scenario says that there is no client.
    pub declines_client: bool,
    /// Facts about the span as a client, if it is one.
    pub request: Option<RequestNode<'m>>,
    /// The parameters of its shared spans, in the order of evaluation.
    pub given: Vec<usize>,
    pub parent: Option<usize>,
    pub block: usize,
    attributes_at: HashMap<&'m str, usize>,
    /// The values of the linked span that this span, or one below it, reads, in file order, each with the place of its
    /// first read.
    pub linked: Vec<(Linked, Loc)>,
    linked_at: HashMap<Linked, usize>,
    /// The values of linked spans that the attributes of its links read, in file order: the position of the link, the
    /// value, and the place of the read.
    pub link_reads: Vec<(usize, Linked, Loc)>,
    /// For each event: whether something reads the number of the turn, and whether something reads the number of turns.
    pub event_reads: Vec<(bool, bool)>,
    /// All that is evaluated for the span, in order: at its start, and for a client also after the answer.
    order: Vec<Step>,
    /// The keys of the attributes that a failure may set or replace, in file order.
    pub replaced: Vec<&'m str>,
    /// The body of its last shared span, or else the body that contains the span.
    body: Option<usize>,
    /// The place that stands for the span as a whole: its service, the shared span that it names, or the `client` that it
    /// is.
    pub place: Loc,
}

/// A condition under which a span fails.
#[derive(Clone, Copy)]
pub struct ConditionNode<'m> {
    pub written: Scoped<&'m ErrorCondition>,
    /// The incident that it is a part of; `None` for one that is in force at all times.
    pub incident: Option<usize>,
}

/// Facts about a span as a client.
pub struct RequestNode<'m> {
    /// The span that it calls.
    pub server: usize,
    /// The time that a request or an answer takes.
    pub network: Scoped<&'m Dist>,
    /// Whether the client has the operation of its server, because it has none of its own.
    copies_operation: bool,
    /// Whether that operation reads attributes that only the server has.
    pub lacks_operation: bool,
}

/// An attribute of a span.
pub struct AttributeNode<'m> {
    pub model: &'m Attribute,
    scope: usize,
    /// The last of the span's shared spans that has the attribute; 0 if only the span itself has it. Values in earlier
    /// shared spans, or in the span, may read it.
    layer: usize,
    /// Whether its value is needed outside of the span.
    pub is_read: bool,
    /// Whether the span's client reads it in the answer.
    pub is_sent: bool,
    /// Whether the span is a client, and the attribute reads the answer, directly or by way of another one.
    is_late: bool,
}

/// A step of evaluation at a span's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Attribute(usize),
    Operation,
    Export,
}

/// The place of a template, which determines the meanings of names.
#[derive(Clone, Copy, Debug)]
pub enum Site {
    /// In the value of a var of the scenario or of its root.
    Var { scope: usize },
    /// In the number of turns of an item.
    Repeat { item: usize },
    /// In the terms of an item for each turn.
    Turn { item: usize },
    /// In the terms by which the failure of an item is passed on.
    Failure { item: usize },
    /// In the value of a parameter of one of the span's shared spans.
    Given { span: usize, scope: usize },
    /// In an error condition of a span that is evaluated after its calls.
    End { span: usize, scope: usize },
    /// In a link of a span.
    Link { span: usize, link: usize },
    /// In the terms of a span's event for each turn.
    Event { span: usize, event: usize },
    /// In this span: in a step at its start, or (`None`) in its error conditions and other terms.
    Span { span: usize, step: Option<Step>, scope: usize },
}

/// A value that is read of a linked span.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Linked {
    Attribute(String),
    ContextKey,
}

/// The resource attribute that identifies an instance.
pub const INSTANCE_ID: &str = "service.instance.id";

/// The meaning of a path.
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
    /// In a link: a value of the span that it found.
    Found {
        span: usize,
        link: usize,
        read: Linked,
    },
    ScenarioName,
    ServiceName {
        span: usize,
    },
    /// Whether an incident is in force.
    Incident(usize),
    /// The value of a server's attribute in the answer to its client.
    Answer {
        span: usize,
        attribute: usize,
    },
    /// The resource attribute with this key of the span's service instance.
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
    /// The number of the turn of an item, counted from 0.
    RepeatIndex {
        item: usize,
    },
    /// The number of turns of an item.
    RepeatCount {
        item: usize,
    },
    /// The number of the turn of an event, counted from 0.
    EventIndex {
        span: usize,
        event: usize,
    },
    /// The number of turns of an event.
    EventCount {
        span: usize,
        event: usize,
    },
    /// The number of the attempt of an item, counted from 0.
    Attempt {
        item: usize,
    },
    /// The number of the turn, of turns or of the attempt in a shared span, if the item that uses it does not repeat or
    /// retry.
    Number(i64),
    /// The outcome of the call before, in the list of a block.
    Outcome {
        list: usize,
        read: OutcomePart,
    },
    /// Whether the failure of a call was passed on unchanged, in the list of a block.
    Propagated {
        list: usize,
    },
    /// The outcome of the call before, in a shared span that is used where there is no such call.
    NoOutcome(OutcomePart),
}

/// A part of the outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomePart {
    /// Whether it failed.
    Error,
    /// Whether it succeeded.
    Ok,
    /// The type of its error.
    Type,
}

/// The reason why a path has no meaning here.
#[derive(Debug, PartialEq)]
pub enum Miss {
    Name,
    Var(String),
    /// The path is a var that is a row, without a column.
    Row {
        var: usize,
    },
    /// The row has no such column.
    Column {
        var: usize,
        name: String,
    },
    /// `relation` is `parent` or `root`, which is this span.
    Attribute {
        relation: &'static str,
        span: usize,
        key: String,
    },
    /// The path may mean something that is missing because of a reported mistake.
    Unsure,
    Unavailable(Unavailable),
    /// The path is a reserved word followed by something that it does not have. The value says what could be written.
    NotAValue(&'static str),
    LinkedWithoutLink,
    /// There is no call before whose outcome it could be.
    NoCallBefore,
    /// There is no incident of this name.
    Incident(String),
}

/// Reports whether any part of the value is computed.
pub fn is_computed(value: &Value) -> bool {
    match value {
        Value::Scalar(scalar) => is_template(scalar),
        Value::List { items, .. } => items.iter().any(is_computed),
        Value::Map { entries, .. } => entries.iter().any(|entry| is_computed(&entry.value)),
        Value::Bytes(_) => false,
        Value::Choice(_) => true,
    }
}

/// Reports whether the scalar contains an expression.
pub fn is_template(scalar: &Scalar) -> bool {
    match scalar {
        Scalar::Text(template) => template.constant().is_none(),
        Scalar::Expr(_) => true,
        Scalar::Bool(_) | Scalar::Int(_) | Scalar::Double(_) => false,
    }
}

impl<'m> Names<'m> {
    /// Finds the meanings of the names in a scenario, whose number and depth of spans must be within the limits.
    pub fn new(scenario: &'m Scenario, model: &'m Model, shared: &'m Shared<'m>, report: &mut Report) -> Names<'m> {
        let mut names = Names {
            scenario,
            model,
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
        if !model.incidents.is_empty() {
            names.select_spans(report);
        }
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

    /// Returns the shared spans from which a block comes, those of its span last.
    pub fn uses_around(&self, block: usize) -> Vec<UsedAt> {
        let body = match self.blocks[block].kind {
            BlockKind::Span(span) => self.spans[span].body,
            BlockKind::Sequence | BlockKind::Parallel(_) => self.scopes[self.blocks[block].scope].body,
        };
        self.uses_of(body)
    }

    /// Returns the shared spans around a body, its own last.
    fn uses_of(&self, body: Option<usize>) -> Vec<UsedAt> {
        let bodies = std::iter::successors(body, |&body| self.bodies[body].outer);
        let mut uses: Vec<UsedAt> = bodies.map(|body| self.bodies[body].places).collect();
        uses.reverse();
        uses
    }

    /// Returns the rows of which a var is one.
    pub fn rows(&self, var: usize) -> Option<&'m Rows> {
        match self.vars[var].value {
            Value::Choice(Choice { options: Options::Rows(rows), .. }) => Some(rows),
            _ => None,
        }
    }

    /// Reports whether a var's value was replaced because of a mistake.
    fn is_wrong(&self, var: usize) -> bool {
        let Value::Scalar(Scalar::Expr(template)) = self.vars[var].value else { return false };
        matches!(&template.parts[..], [Part::Expr(node)] if matches!(*node.value, Expr::Error))
    }

    pub fn keys(&self, span: usize) -> impl Iterator<Item = &str> {
        self.spans[span].attributes.iter().map(|attribute| attribute.model.key.value.as_str())
    }
}

impl<'m> SpanNode<'m> {
    /// Returns the steps at the span's start, in order.
    pub fn early_steps(&self) -> impl Iterator<Item = &Step> {
        self.order.iter().filter(|step| !self.is_late(step))
    }

    /// Returns the steps after the answer to a client, in order.
    pub fn late_steps(&self) -> impl Iterator<Item = &Step> {
        self.order.iter().filter(|step| self.is_late(step))
    }

    fn is_late(&self, step: &Step) -> bool {
        matches!(step, Step::Attribute(attribute) if self.attributes[*attribute].is_late)
    }

    /// Returns the position of a read of the linked span in [`SpanNode::linked`].
    pub fn linked_index(&self, read: &Linked) -> Option<usize> {
        self.linked_at.get(read).copied()
    }

    pub fn find_attribute(&self, key: &str) -> Option<usize> {
        self.attributes_at.get(key).copied()
    }
}

impl SpanNode<'_> {
    /// Returns the site of the names in the terms of an incident that selects this span, which is at `span`.
    pub fn incident_site(&self, span: usize) -> Site {
        Site::Span { span, step: None, scope: self.own_scope }
    }
}

impl<T> Scoped<T> {
    /// Returns the site of the names in this part of `span`.
    pub fn site(&self, span: usize, step: Option<Step>) -> Site {
        Site::Span { span, step, scope: self.scope }
    }
}

impl Scoped<&ErrorCondition> {
    /// Returns the site of the names in this condition of `span`.
    pub fn condition_site(&self, span: usize) -> Site {
        if self.part.at_end { Site::End { span, scope: self.scope } } else { self.site(span, None) }
    }
}

impl AttributeNode<'_> {
    /// Returns the site of the names in attribute `index` of `span`.
    pub fn site(&self, span: usize, index: usize) -> Site {
        Site::Span { span, step: Some(Step::Attribute(index)), scope: self.scope }
    }
}
