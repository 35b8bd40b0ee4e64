//! Names: which var, attribute or built-in a path in a template means, who reads what, and in which order things are
//! evaluated.
//!
//! A scenario's spans and groups are laid out in the order they stand in the file, each before what it calls, so an index into
//! [`Names::blocks`] is also the offset of its block from the root's.

use super::order;
use super::report::Report;
use crate::language::diagnostic::{Problem, Role, Unavailable};
use crate::language::scenario::choice::{Choice, Options, Rows};
use crate::language::scenario::{
    Attribute, Body, ErrorCondition, Item, List, Repeat, Scalar, Scenario, Span, Value, Var,
};
use crate::language::source::Loc;
use crate::language::template::{Expr, Node as ExprNode, Part, Template};
use foldhash::{HashMap, HashMapExt};

/// A scenario whose names have their meaning.
pub struct Names<'m> {
    pub scenario: &'m Scenario,
    /// What becomes a block each, in the order of the blocks: the root first, each before what it calls, siblings in file order.
    pub blocks: Vec<BlockNode>,
    /// The spans, in the order of their blocks.
    pub spans: Vec<SpanNode<'m>>,
    /// The items of all lists.
    pub items: Vec<ItemNode<'m>>,
    /// The vars of the scenario, in file order, then those of items.
    pub vars: Vec<VarNode<'m>>,
    /// The scenario's vars, in the order they are evaluated.
    pub var_order: Vec<usize>,
    /// Where vars are known, the scenario's first.
    scopes: Vec<Scope<'m>>,
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

impl<'m> ItemNode<'m> {
    /// An item that neither repeats nor has words yet.
    fn new(item: &'m Item, list: usize, scope: usize) -> ItemNode<'m> {
        ItemNode {
            item,
            list,
            repeats: false,
            has_words: false,
            wrapper: None,
            callee: None,
            handles: false,
            vars: Vec::new(),
            reads_index: false,
            reads_count: false,
            reads_attempt: false,
            scope,
        }
    }
}

/// A block that is yet to be added.
struct Waiting<'m> {
    body: Callable<'m>,
    /// The item that calls it.
    caller: Option<usize>,
    /// The span that calls it.
    span: Option<usize>,
    scope: usize,
}

/// What an item calls.
enum Callable<'m> {
    Span(&'m Span),
    Group(&'m List),
    /// The sequence of an item that repeats and has words for each turn.
    Turn(&'m Item),
}

/// A var, of the scenario or of an item.
pub struct VarNode<'m> {
    pub var: &'m Var,
}

/// Where vars are known.
struct Scope<'m> {
    outer: Option<usize>,
    vars: HashMap<&'m str, usize>,
}

/// A span of the scenario.
pub struct SpanNode<'m> {
    pub span: &'m Span,
    pub parent: Option<usize>,
    pub block: usize,
    attributes: HashMap<&'m str, usize>,
    /// For each attribute: whether something other than the span itself needs its value.
    pub read: Vec<bool>,
    /// What this span or one below reads of the linked span, in file order.
    /// Each with the place of its first read.
    pub linked: Vec<(Linked, Loc)>,
    linked_at: HashMap<Linked, usize>,
    /// Everything evaluated at the span's start, in order.
    pub order: Vec<Step>,
    /// The keys of the attributes that a failure may set or replace, in the order they were written.
    pub replaced: Vec<&'m str>,
    scope: usize,
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
    /// In the value of a var of the scenario.
    Var,
    /// In how often an item runs.
    Repeat { item: usize },
    /// In what an item says of each turn.
    Turn { item: usize },
    /// In how the failure of an item is passed on.
    Failure { item: usize },
    /// In an error condition of a span that is looked at after its calls.
    End { span: usize },
    /// In this span: in what is evaluated at its start, or (`None`) in its events and error conditions.
    Span { span: usize, step: Option<Step> },
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
    ScenarioName,
    ServiceName {
        span: usize,
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
    /// The number of the attempt of an item, from 0.
    Attempt {
        item: usize,
    },
    /// What became of the call before, in the list of a block.
    Outcome {
        list: usize,
        read: OutcomePart,
    },
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
        Value::List { items, .. } => items.iter().any(is_template),
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
    pub fn new(scenario: &'m Scenario, report: &mut Report) -> Names<'m> {
        let mut names = Names {
            scenario,
            blocks: Vec::new(),
            spans: Vec::new(),
            items: Vec::new(),
            vars: Vec::new(),
            var_order: Vec::new(),
            scopes: Vec::new(),
        };
        let scope = names.add_scope(None, &scenario.vars);
        names.add_blocks(scope);
        let own: Vec<usize> = (0..scenario.vars.len()).collect();
        names.var_order = names.order_vars(&own, Site::Var, report);
        for block in 0..names.blocks.len() {
            if let BlockKind::Span(span) = names.blocks[block].kind {
                names.order_span(span, report);
            }
            for at in 0..names.blocks[block].items.len() {
                names.order_item(names.blocks[block].items[at], report);
            }
        }
        names.spread_failures();
        names
    }

    /// Adds a scope in which these vars are known beside those of the outer one.
    fn add_scope(&mut self, outer: Option<usize>, vars: &'m [Var]) -> usize {
        let mut known = HashMap::with_capacity(vars.len());
        for var in vars {
            known.entry(var.name.value.as_str()).or_insert(self.vars.len());
            self.vars.push(VarNode { var });
        }
        self.scopes.push(Scope { outer, vars: known });
        self.scopes.len() - 1
    }

    /// What `path` means at `site`.
    pub fn find(&self, site: Site, path: &[String]) -> Result<Target, Miss> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some((&head, rest)) = path.split_first() else { return Err(Miss::Name) };
        match head {
            "random" | "time" | "trace" | "span" => Ok(Target::Function),
            "vars" if rest.is_empty() => Err(Miss::NotAValue("vars.NAME")),
            "vars" => {
                let name = rest.join(".");
                self.var(site, &name).unwrap_or(Err(Miss::Var(name)))
            }
            "scenario" if rest == ["name"] => Ok(Target::ScenarioName),
            "scenario" => Err(Miss::NotAValue("scenario.name")),
            "repeat" => self.find_turn(site, rest),
            "error" | "ok" => self.find_outcome(site, head, rest),
            "retry" => self.find_attempt(site, rest),
            "callee" => Err(Miss::Unavailable(Unavailable::NotYet)),
            "parent" | "root" | "linked" | "service" | "instance" | "context_key" => match self.span_at(site) {
                None => Err(Miss::Unavailable(Unavailable::BeforeSpans)),
                Some(span) => self.find_of_span(span, head, rest),
            },
            _ => self.find_bare(site, &path.join(".")),
        }
    }

    /// The scope of what is written at `site`.
    fn scope(&self, site: Site) -> usize {
        match site {
            Site::Var => 0,
            Site::Repeat { item } => self.list_scope(self.items[item].list),
            Site::Turn { item } | Site::Failure { item } => self.items[item].scope,
            Site::Span { span, .. } | Site::End { span } => self.spans[span].scope,
        }
    }

    /// The scope of the list of a block, but for the vars of its items.
    fn list_scope(&self, block: usize) -> usize {
        self.blocks[block].caller.map_or(0, |item| self.items[item].scope)
    }

    /// The span that what is written at `site` works for.
    fn span_at(&self, site: Site) -> Option<usize> {
        match site {
            Site::Var => None,
            Site::Repeat { item } | Site::Turn { item } | Site::Failure { item } => {
                Some(self.blocks[self.items[item].list].span)
            }
            Site::Span { span, .. } | Site::End { span } => Some(span),
        }
    }

    fn find_var(&self, scope: usize, name: &str) -> Option<usize> {
        let mut scopes = std::iter::successors(Some(scope), |&scope| self.scopes[scope].outer);
        scopes.find_map(|scope| self.scopes[scope].vars.get(name).copied())
    }

    /// The items around what is written at `site`, the nearest first.
    fn items_around(&self, site: Site) -> impl Iterator<Item = usize> {
        let caller = |block: usize| self.blocks[block].caller;
        let first = match site {
            Site::Var => None,
            Site::Repeat { item } => caller(self.items[item].list),
            Site::Turn { item } | Site::Failure { item } => Some(item),
            Site::Span { span, .. } | Site::End { span } => caller(self.spans[span].block),
        };
        std::iter::successors(first, move |&item| caller(self.items[item].list))
    }

    /// `retry.attempt`, of the nearest item that is tried again.
    fn find_attempt(&self, site: Site, rest: &[&str]) -> Result<Target, Miss> {
        let tries = |&item: &usize| self.items[item].has_words && self.items[item].item.retry.is_some();
        match (rest, self.items_around(site).find(tries)) {
            (["attempt"], Some(item)) => Ok(Target::Attempt { item }),
            (["attempt"], None) => Err(Miss::Unavailable(Unavailable::NoRetry)),
            _ => Err(Miss::NotAValue("retry.attempt")),
        }
    }

    /// `repeat.index` and `repeat.count`, of the nearest item that repeats.
    fn find_turn(&self, site: Site, rest: &[&str]) -> Result<Target, Miss> {
        let item = self.items_around(site).find(|&item| self.items[item].repeats);
        match (rest, item) {
            (["index"], Some(item)) => Ok(Target::RepeatIndex { item }),
            (["count"], Some(item)) => Ok(Target::RepeatCount { item }),
            (["index" | "count"], None) => Err(Miss::Unavailable(Unavailable::NoRepeat)),
            _ => Err(Miss::NotAValue("repeat.index or repeat.count")),
        }
    }

    /// `error`, `ok` and `error.type`, of the call before in the list of an item.
    fn find_outcome(&self, site: Site, head: &str, rest: &[&str]) -> Result<Target, Miss> {
        let read = match (head, rest) {
            ("error", []) => OutcomePart::Error,
            ("ok", []) => OutcomePart::Ok,
            ("error", ["type"]) => OutcomePart::Type,
            ("error", _) => return Err(Miss::NotAValue("error or error.type")),
            _ => return Err(Miss::NotAValue("ok")),
        };
        let item = match site {
            Site::Repeat { item } | Site::Turn { item } => item,
            Site::Failure { item } => return Ok(Target::Outcome { list: self.items[item].list, read }),
            Site::End { span } if self.blocks[self.spans[span].block].items.is_empty() => {
                return Err(Miss::NoCallBefore);
            }
            Site::End { span } => return Ok(Target::Outcome { list: self.spans[span].block, read }),
            Site::Var | Site::Span { .. } => return Err(Miss::Unavailable(Unavailable::OutsideItems)),
        };
        let item = self.items[item].wrapper.unwrap_or(item);
        let list = self.items[item].list;
        let is_first = self.blocks[list].items.first() == Some(&item);
        if is_first || matches!(self.blocks[list].kind, BlockKind::Parallel(_)) {
            return Err(Miss::NoCallBefore);
        }
        Ok(Target::Outcome { list, read })
    }

    /// Adds the blocks of the scenario. Without recursion: a list of steps is as deep as it is long.
    fn add_blocks(&mut self, scope: usize) {
        let mut waiting = vec![Waiting { body: Callable::Span(&self.scenario.root), caller: None, span: None, scope }];
        while let Some(Waiting { body, caller, span, scope }) = waiting.pop() {
            let block = self.blocks.len();
            if let Some(caller) = caller {
                self.items[caller].callee = Some(block);
            }
            let (kind, loc) = match body {
                Callable::Span(model) => (BlockKind::Span(self.add_span(model, span, block, scope)), model.loc),
                Callable::Group(list) => match &list.pool {
                    None => (BlockKind::Sequence, list.loc),
                    Some(pool) => (BlockKind::Parallel(pool.max.unwrap_or(0)), list.loc),
                },
                Callable::Turn(item) => (BlockKind::Sequence, item.loc),
            };
            let span = if let BlockKind::Span(own) = kind { own } else { span.unwrap_or(0) };
            self.blocks.push(BlockNode {
                kind,
                span,
                caller,
                items: Vec::new(),
                reads_outcome: None,
                propagates: false,
                loc,
            });
            let first = waiting.len();
            match body {
                Callable::Span(model) => {
                    waiting.extend(model.calls.iter().filter_map(|item| self.add_item(item, block, scope)));
                }
                Callable::Group(list) => {
                    waiting.extend(list.items.iter().filter_map(|item| self.add_item(item, block, scope)));
                }
                Callable::Turn(item) => waiting.extend(self.add_turn(item, block, scope, caller)),
            }
            waiting[first..].reverse();
        }
    }

    fn add_span(&mut self, span: &'m Span, parent: Option<usize>, block: usize, scope: usize) -> usize {
        let mut attributes = HashMap::with_capacity(span.attributes.len());
        for (i, attribute) in span.attributes.iter().enumerate() {
            attributes.entry(attribute.key.value.as_str()).or_insert(i);
        }
        self.spans.push(SpanNode {
            span,
            parent,
            block,
            attributes,
            read: vec![false; span.attributes.len()],
            linked: Vec::new(),
            linked_at: HashMap::new(),
            order: Vec::new(),
            replaced: Vec::new(),
            scope,
        });
        self.spans.len() - 1
    }

    /// Adds an item of the list of `block`. Returns what it calls.
    fn add_item(&mut self, item: &'m Item, block: usize, scope: usize) -> Option<Waiting<'m>> {
        let has_words =
            !item.vars.is_empty() || item.when.is_some() || item.probability.is_some() || item.propagate.is_some();
        let is_work = matches!(item.body, Body::Work(_));
        let side_by_side = matches!(self.blocks[block].kind, BlockKind::Parallel(_));
        let is_wrapped =
            if is_work { side_by_side || item.repeat.is_some() } else { item.repeat.is_some() && has_words };
        if !is_wrapped {
            return self.add_turn(item, block, scope, None);
        }
        let at = self.push_item(ItemNode::new(item, block, scope));
        self.items[at].repeats = item.repeat.is_some();
        Some(Waiting { body: Callable::Turn(item), caller: Some(at), span: Some(self.blocks[block].span), scope })
    }

    /// Adds an item of the list of `block` with the words for each turn; `wrapper`: the item that repeats it, if that is another.
    /// Returns what it calls.
    fn add_turn(&mut self, item: &'m Item, block: usize, scope: usize, wrapper: Option<usize>) -> Option<Waiting<'m>> {
        let first_var = self.vars.len();
        let scope = if item.vars.is_empty() { scope } else { self.add_scope(Some(scope), &item.vars) };
        let vars = (first_var..self.vars.len()).collect();
        let repeats = wrapper.is_none() && item.repeat.is_some();
        let node = ItemNode { repeats, has_words: true, wrapper, vars, ..ItemNode::new(item, block, scope) };
        let at = self.push_item(node);
        let body = match &item.body {
            Body::Span(span) => Callable::Span(span),
            Body::Group(list) => Callable::Group(list),
            Body::Work(_) => return None,
        };
        Some(Waiting { body, caller: Some(at), span: Some(self.blocks[block].span), scope })
    }

    fn push_item(&mut self, node: ItemNode<'m>) -> usize {
        let at = self.items.len();
        self.blocks[node.list].items.push(at);
        self.items.push(node);
        at
    }

    fn find_of_span(&self, span: usize, head: &str, rest: &[&str]) -> Result<Target, Miss> {
        let key = match rest {
            ["attributes", key @ ..] if !key.is_empty() => Some(key.join(".")),
            _ => None,
        };
        match (head, key) {
            ("parent", Some(key)) => {
                let parent = self.spans[span].parent.ok_or(Miss::Unavailable(Unavailable::NoParent))?;
                self.attribute(parent, "parent", key)
            }
            ("parent", None) => Err(Miss::NotAValue("parent.attributes.KEY")),
            ("root", Some(key)) => self.attribute(0, "root", key),
            ("root", None) => Err(Miss::NotAValue("root.attributes.KEY")),
            ("linked", key) => {
                let read = match (key, rest) {
                    (Some(key), _) => Linked::Attribute(key),
                    (None, ["context_key"]) => Linked::ContextKey,
                    _ => return Err(Miss::NotAValue("linked.attributes.KEY or linked.context_key")),
                };
                let linking = self.ancestry(span).find(|&s| self.spans[s].span.link.is_some());
                linking.map(|span| Target::Linked { span, read }).ok_or(Miss::LinkedWithoutLink)
            }
            ("service", _) if rest == ["name"] => Ok(Target::ServiceName { span }),
            ("service", _) if rest == ["version"] => Ok(Target::Resource { span, key: "service.version" }),
            ("service", _) => Err(Miss::NotAValue("service.name or service.version")),
            ("instance", _) if rest == ["index"] => Ok(Target::InstanceIndex { span }),
            ("instance", _) if rest == ["id"] => Ok(Target::Resource { span, key: INSTANCE_ID }),
            ("instance", _) => Err(Miss::NotAValue("instance.index or instance.id")),
            _ if !rest.is_empty() => Err(Miss::NotAValue("context_key")),
            _ if self.spans[span].span.export.is_none() => Err(Miss::Unavailable(Unavailable::NoContextKey)),
            _ => Ok(Target::ContextKey { span }),
        }
    }

    fn attribute(&self, span: usize, of: &'static str, key: String) -> Result<Target, Miss> {
        match self.spans[span].attributes.get(&*key) {
            Some(&attribute) => Ok(Target::Attribute { span, attribute }),
            None => Err(Miss::Attribute { of, span, key }),
        }
    }

    /// Vars, then the span's own attributes but the one being defined, then the nearest ancestor's.
    fn find_bare(&self, site: Site, name: &str) -> Result<Target, Miss> {
        let missed = match self.var(site, name) {
            // An attribute may have the name that no column has.
            Some(Err(Miss::Column { var, name })) => Miss::Column { var, name },
            Some(found) => return found,
            None => Miss::Name,
        };
        let Some(span) = self.span_at(site) else { return Err(missed) };
        let step = if let Site::Span { step, .. } = site { step } else { None };
        for at in self.ancestry(span) {
            if let Some(&attribute) = self.spans[at].attributes.get(name)
                && !(at == span && step == Some(Step::Attribute(attribute)))
            {
                return Ok(Target::Attribute { span: at, attribute });
            }
        }
        Err(missed)
    }

    /// The var of this name, or the column of one that is a row.
    fn var(&self, site: Site, name: &str) -> Option<Result<Target, Miss>> {
        let scope = self.scope(site);
        if let Some(var) = self.find_var(scope, name) {
            return Some(if self.rows(var).is_some() { Err(Miss::Row { var }) } else { Ok(Target::Var(var)) });
        }
        // Of several that fit, the longest is meant.
        let rows = name.rmatch_indices('.').find_map(|(dot, _)| {
            let var = self.find_var(scope, &name[..dot])?;
            Some((var, self.rows(var)?, &name[dot + 1..]))
        });
        let (var, rows, column) = rows?;
        let found = rows.columns.iter().position(|other| other.name == column);
        Some(found.map(|column| Target::Column { var, column }).ok_or(Miss::Column { var, name: column.to_owned() }))
    }

    /// The rows that a var is one of.
    pub fn rows(&self, var: usize) -> Option<&'m Rows> {
        match &self.vars[var].var.value {
            Value::Choice(Choice { options: Options::Rows(rows), .. }) => Some(rows),
            _ => None,
        }
    }

    /// The span, its parent, and so on up to the root.
    fn ancestry(&self, span: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(span), |&s| self.spans[s].parent)
    }

    /// All names a bare name could mean at `site`, the nearest first.
    pub fn names(&self, site: Site) -> impl Iterator<Item = &str> {
        let defined = match site {
            Site::Span { span, step: Some(Step::Attribute(defined)) } => Some((span, defined)),
            _ => None,
        };
        let vars = self.var_names(site);
        let spans = self.span_at(site).into_iter().flat_map(|span| self.ancestry(span));
        let keys = spans.flat_map(move |span| self.keys(span).enumerate().map(move |(i, key)| ((span, i), key)));
        vars.chain(keys.filter(move |(at, _)| Some(*at) != defined).map(|(_, key)| key))
    }

    /// The names of the vars that are known at `site`, the nearest first.
    pub fn var_names(&self, site: Site) -> impl Iterator<Item = &str> {
        let scopes = std::iter::successors(Some(self.scope(site)), |&scope| self.scopes[scope].outer);
        scopes.flat_map(|scope| self.scopes[scope].vars.keys().copied())
    }

    pub fn keys(&self, span: usize) -> impl Iterator<Item = &str> {
        self.spans[span].span.attributes.iter().map(|a| a.key.value.as_str())
    }

    /// The nearest ancestor of `span` that has the attribute.
    pub fn owner(&self, span: usize, key: &str) -> Option<usize> {
        self.ancestry(span).find(|&at| self.spans[at].attributes.contains_key(key))
    }

    /// The order in which these vars are evaluated, which all stand at `site`.
    fn order_vars(&mut self, own: &[usize], site: Site, report: &mut Report) -> Vec<usize> {
        let mut dependencies = Vec::with_capacity(own.len());
        for &at in own {
            let (var, mut reads) = (self.vars[at].var, Vec::new());
            each_path_of_value(&var.value, &mut |path, loc| {
                let found = self.find(site, path);
                if let Ok(Target::Var(read) | Target::Column { var: read, .. }) = &found {
                    reads.extend(own.binary_search(read));
                }
                self.note(found, loc);
            });
            dependencies.push(dedup(reads));
        }
        let order = order::sort(&dependencies);
        for cycle in order.cycles {
            let name = |&at: &usize| &self.vars[own[at]].var.name;
            let path = cycle.iter().map(|at| name(at).value.clone()).collect();
            report_cycle(Problem::VariableCycle { path }, cycle.iter().map(|at| name(at).loc), report);
        }
        order.nodes.into_iter().map(|at| own[at]).collect()
    }

    /// Notes what others than its owner need of what was found.
    fn note(&mut self, found: Result<Target, Miss>, loc: Loc) {
        match found {
            Ok(Target::Attribute { span, attribute }) => self.spans[span].read[attribute] = true,
            Ok(Target::Linked { span, read }) => self.spans[span].add_linked(read, loc),
            Ok(Target::RepeatIndex { item }) => self.items[item].reads_index = true,
            Ok(Target::RepeatCount { item }) => self.items[item].reads_count = true,
            Ok(Target::Attempt { item }) => self.items[item].reads_attempt = true,
            Ok(Target::Outcome { list, .. }) => {
                self.blocks[list].reads_outcome.get_or_insert(loc);
            }
            _ => {}
        }
    }

    /// Collects what the words of an item read, and orders its vars.
    fn order_item(&mut self, at: usize, report: &mut Report) {
        let (item, has_words, repeats) = (self.items[at].item, self.items[at].has_words, self.items[at].repeats);
        if repeats && let Some(Repeat::Computed(count)) = &item.repeat {
            each_path(count, &mut |path, loc| self.note(self.find(Site::Repeat { item: at }, path), loc));
        }
        if !has_words {
            return;
        }
        let site = Site::Turn { item: at };
        let own = self.items[at].vars.clone();
        self.items[at].vars = self.order_vars(&own, site, report);
        let backoff = item.retry.as_ref().and_then(|retry| retry.backoff.as_ref());
        for time in item.wait.iter().chain(&item.timeout).chain(backoff) {
            time.each_template(&mut |text| each_path(text, &mut |path, loc| self.note(self.find(site, path), loc)));
        }
        if let Some(when) = item.retry.as_ref().and_then(|retry| retry.when.as_ref()) {
            let site = Site::Failure { item: at };
            each_path(when, &mut |path, loc| self.note(self.find(site, path), loc));
        }
        if let Body::Work(work) = &item.body {
            work.each_template(&mut |template| {
                each_path(template, &mut |path, loc| self.note(self.find(site, path), loc))
            });
        }
        if let Some(when) = &item.when {
            each_path(when, &mut |path, loc| {
                let found = self.find(site, path);
                self.items[at].handles |= matches!(found, Ok(Target::Outcome { .. }));
                self.note(found, loc);
            });
        }
        if let Some(propagate) = &item.propagate {
            let list = self.items[at].list;
            self.blocks[list].propagates = true;
            self.blocks[list].reads_outcome.get_or_insert(propagate.loc);
            let site = Site::Failure { item: at };
            let texts = propagate.r#type.iter().chain(&propagate.message);
            texts.for_each(|text| each_path(text, &mut |path, loc| self.note(self.find(site, path), loc)));
            for attribute in &propagate.attributes {
                each_path_of_value(&attribute.value, &mut |path, loc| self.note(self.find(site, path), loc));
            }
            let span = self.blocks[list].span;
            self.spans[span].replace(&propagate.attributes);
        }
    }

    /// Passes on from each group to the list that it stands in whether a failure in it can be. A block stands before what it calls.
    fn spread_failures(&mut self) {
        for block in (0..self.blocks.len()).rev() {
            let BlockNode { kind, propagates, caller: Some(caller), .. } = self.blocks[block] else { continue };
            if propagates && !matches!(kind, BlockKind::Span(_)) {
                self.blocks[self.items[caller].list].propagates = true;
            }
        }
    }

    /// Collect what the span's templates read, of itself for the order and of others for their slots.
    fn order_span(&mut self, at: usize, report: &mut Report) {
        let span = self.spans[at].span;
        let (operation, export) = (span.attributes.len(), span.attributes.len() + 1);
        let mut dependencies = vec![Vec::new(); export + 1];
        let mut collect = |names: &mut Names<'m>, step: Option<Step>, path: &[String], loc: Loc| {
            let reads = match step {
                Some(Step::Attribute(attribute)) => Some(&mut dependencies[attribute]),
                Some(Step::Operation) => Some(&mut dependencies[operation]),
                Some(Step::Export) => Some(&mut dependencies[export]),
                None => None,
            };
            match names.find(Site::Span { span: at, step }, path) {
                Ok(Target::Attribute { span, attribute }) => {
                    names.spans[span].read[attribute] = true;
                    if let (Some(reads), true) = (reads, span == at) {
                        reads.push(attribute);
                    }
                }
                Ok(Target::ContextKey { .. }) => {
                    if let Some(reads) = reads {
                        reads.push(export);
                    }
                }
                found => names.note(found, loc),
            }
        };
        for (i, attribute) in span.attributes.iter().enumerate() {
            each_path_of_value(&attribute.value, &mut |path, loc| collect(self, Some(Step::Attribute(i)), path, loc));
        }
        each_path(&span.operation, &mut |path, loc| collect(self, Some(Step::Operation), path, loc));
        if let Some(template) = &span.export {
            each_path(template, &mut |path, loc| collect(self, Some(Step::Export), path, loc));
        }
        if let Some(delay) = &span.delay {
            delay.each_template(&mut |template| each_path(template, &mut |path, loc| collect(self, None, path, loc)));
        }
        for condition in &span.error_conditions {
            let site = condition_site(at, condition);
            let texts = condition.when.iter().chain([&condition.r#type]).chain(&condition.message);
            texts.for_each(|text| each_path(text, &mut |path, loc| self.note(self.find(site, path), loc)));
            for attribute in &condition.attributes {
                each_path_of_value(&attribute.value, &mut |path, loc| self.note(self.find(site, path), loc));
            }
            self.spans[at].replace(&condition.attributes);
        }
        for event in &span.events {
            each_path(&event.name, &mut |path, loc| collect(self, None, path, loc));
            for attribute in &event.attributes {
                each_path_of_value(&attribute.value, &mut |path, loc| collect(self, None, path, loc));
            }
        }

        let dependencies: Vec<Vec<usize>> = dependencies.into_iter().map(dedup).collect();
        let order = order::sort(&dependencies);
        let has_parent = self.spans[at].parent.is_some();
        for cycle in order.cycles {
            let name = |&node: &usize| match span.attributes.get(node) {
                Some(attribute) => attribute.key.value.clone(),
                None => "context_key".to_owned(),
            };
            let path: Vec<String> = cycle.iter().map(name).collect();
            let loc = |&node: &usize| match (span.attributes.get(node), &span.export) {
                (Some(attribute), _) => attribute.key.loc,
                (None, Some(export)) => export.loc,
                (None, None) => span.loc,
            };
            report_cycle(Problem::AttributeCycle { path, has_parent }, cycle.iter().map(loc), report);
        }
        self.spans[at].order = (order.nodes.into_iter())
            .filter_map(|node| match node {
                n if n == operation => Some(Step::Operation),
                n if n == export => span.export.is_some().then_some(Step::Export),
                n => Some(Step::Attribute(n)),
            })
            .collect();
    }
}

impl<'m> SpanNode<'m> {
    /// Notes that a failure may set or replace these attributes.
    fn replace(&mut self, attributes: &'m [Attribute]) {
        for attribute in attributes {
            let key = attribute.key.value.as_str();
            if !self.replaced.contains(&key) {
                self.replaced.push(key);
            }
        }
    }

    fn add_linked(&mut self, read: Linked, loc: Loc) {
        if !self.linked_at.contains_key(&read) {
            self.linked_at.insert(read.clone(), self.linked.len());
            self.linked.push((read, loc));
        }
    }

    /// Where a read of the linked span stands in [`SpanNode::linked`].
    pub fn linked_index(&self, read: &Linked) -> Option<usize> {
        self.linked_at.get(read).copied()
    }

    pub fn find_attribute(&self, key: &str) -> Option<usize> {
        self.attributes.get(key).copied()
    }
}

/// Where the templates of an error condition of a span stand.
pub fn condition_site(span: usize, condition: &ErrorCondition) -> Site {
    if condition.at_end { Site::End { span } } else { Site::Span { span, step: None } }
}

fn report_cycle(problem: Problem, places: impl Iterator<Item = Loc>, report: &mut Report) {
    let mut places = places;
    if let Some(at) = places.next() {
        report.add_related(problem, at, Role::Member, places.take(8));
    }
}

fn dedup(mut nodes: Vec<usize>) -> Vec<usize> {
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

fn each_path_of_value(value: &Value, f: &mut impl FnMut(&[String], Loc)) {
    let mut scalar = |scalar: &Scalar| {
        if let Scalar::Text(template) | Scalar::Expr(template) = scalar {
            each_path(template, f);
        }
    };
    match value {
        Value::Scalar(value) => scalar(value),
        Value::List { items, .. } => items.iter().for_each(scalar),
        Value::Choice(Choice { options: Options::Values(items), .. }) => items.iter().for_each(scalar),
        // Rows are constant.
        Value::Choice(_) => {}
    }
}

/// Every name that the template's expressions read, in the order written.
fn each_path(template: &Template, f: &mut impl FnMut(&[String], Loc)) {
    let mut waiting: Vec<&ExprNode> = Vec::new();
    for part in &template.parts {
        if let Part::Expr(node) = part {
            waiting.push(node);
        }
        while let Some(node) = waiting.pop() {
            match &*node.value {
                Expr::Error | Expr::Bool(_) | Expr::Int(_) | Expr::Double(_) | Expr::Text(_) => {}
                Expr::Path(path) => f(path, node.loc),
                Expr::List(items) | Expr::Call { arguments: items, .. } => waiting.extend(items.iter().rev()),
                Expr::Map(entries) => {
                    for (key, value) in entries.iter().rev() {
                        waiting.extend([value, key]);
                    }
                }
                Expr::Filter { input, arguments, .. } => {
                    waiting.extend(arguments.iter().rev());
                    waiting.push(input);
                }
                Expr::If { condition, then, otherwise } => waiting.extend([otherwise, condition, then]),
                Expr::Unary { operand, .. } => waiting.push(operand),
                Expr::Binary { left, right, .. } => waiting.extend([right, left]),
            }
        }
    }
}
