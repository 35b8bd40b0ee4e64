//! Names: which var, attribute or built-in a path in a template means, who reads what, and in which order things are
//! evaluated.
//!
//! A scenario's spans are laid out in the order they stand in the file, a parent before its calls, so an index into
//! [`Names::spans`] is also the offset of its block from the root's.

use super::order;
use super::report::Report;
use crate::language::diagnostic::{Problem, Role, Unavailable};
use crate::language::scenario::choice::{Choice, Options, Rows};
use crate::language::scenario::{Scalar, Scenario, Span, Value};
use crate::language::source::Loc;
use crate::language::template::{Expr, Node as ExprNode, Part, Template};
use foldhash::{HashMap, HashMapExt};

/// A scenario, resolved.
pub struct Names<'m> {
    pub scenario: &'m Scenario,
    pub spans: Vec<SpanNode<'m>>,
    vars: HashMap<&'m str, usize>,
    /// All vars, in the order they are evaluated.
    pub var_order: Vec<usize>,
}

pub struct SpanNode<'m> {
    pub span: &'m Span,
    pub parent: Option<usize>,
    pub calls: Vec<usize>,
    attributes: HashMap<&'m str, usize>,
    /// For each attribute: whether something other than the span itself needs its value.
    pub read: Vec<bool>,
    /// What this span or one below reads of the linked span, in file order.
    /// Each with the place of its first read.
    pub linked: Vec<(Linked, Loc)>,
    linked_at: HashMap<Linked, usize>,
    /// Everything evaluated at the span's start, in order.
    pub order: Vec<Step>,
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
    /// In the value of this var.
    Var,
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
    /// Resolve a scenario whose spans are at most `limit`, laid out as [`flatten`] does.
    pub fn new(scenario: &'m Scenario, report: &mut Report) -> Names<'m> {
        let mut vars = HashMap::new();
        for (i, var) in scenario.vars.iter().enumerate() {
            let name = var.name.value.as_str();
            vars.entry(name).or_insert(i);
        }
        let mut names = Names { scenario, spans: flatten(&scenario.root), vars, var_order: Vec::new() };
        names.order_vars(report);
        for span in 0..names.spans.len() {
            names.order_span(span, report);
        }
        names
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
                self.var(&name).unwrap_or(Err(Miss::Var(name)))
            }
            "scenario" if rest == ["name"] => Ok(Target::ScenarioName),
            "scenario" => Err(Miss::NotAValue("scenario.name")),
            "callee" | "repeat" | "retry" | "error" | "ok" => Err(Miss::Unavailable(Unavailable::NotYet)),
            "parent" | "root" | "linked" | "service" | "instance" | "context_key" => match site {
                Site::Var => Err(Miss::Unavailable(Unavailable::BeforeSpans)),
                Site::Span { span, .. } => self.find_of_span(span, head, rest),
            },
            _ => self.find_bare(site, &path.join(".")),
        }
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
        let missed = match self.var(name) {
            // An attribute may have the name that no column has.
            Some(Err(Miss::Column { var, name })) => Miss::Column { var, name },
            Some(found) => return found,
            None => Miss::Name,
        };
        let Site::Span { span, step } = site else { return Err(missed) };
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
    fn var(&self, name: &str) -> Option<Result<Target, Miss>> {
        if let Some(&var) = self.vars.get(name) {
            return Some(if self.rows(var).is_some() { Err(Miss::Row { var }) } else { Ok(Target::Var(var)) });
        }
        // Of several that fit, the longest is meant.
        let rows = name.rmatch_indices('.').find_map(|(dot, _)| {
            let var = *self.vars.get(&name[..dot])?;
            Some((var, self.rows(var)?, &name[dot + 1..]))
        });
        let (var, rows, column) = rows?;
        let found = rows.columns.iter().position(|other| other.name == column);
        Some(found.map(|column| Target::Column { var, column }).ok_or(Miss::Column { var, name: column.to_owned() }))
    }

    /// The rows that a var is one of.
    pub fn rows(&self, var: usize) -> Option<&'m Rows> {
        match &self.scenario.vars[var].value {
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
        let (span, defined) = match site {
            Site::Var => (None, None),
            Site::Span { span, step: Some(Step::Attribute(defined)) } => (Some(span), Some((span, defined))),
            Site::Span { span, .. } => (Some(span), None),
        };
        let vars = self.scenario.vars.iter().map(|var| var.name.value.as_str());
        let spans = span.into_iter().flat_map(|span| self.ancestry(span));
        let keys = spans.flat_map(move |span| self.keys(span).enumerate().map(move |(i, key)| ((span, i), key)));
        vars.chain(keys.filter(move |(at, _)| Some(*at) != defined).map(|(_, key)| key))
    }

    pub fn keys(&self, span: usize) -> impl Iterator<Item = &str> {
        self.spans[span].span.attributes.iter().map(|a| a.key.value.as_str())
    }

    /// The nearest ancestor of `span` that has the attribute.
    pub fn owner(&self, span: usize, key: &str) -> Option<usize> {
        self.ancestry(span).find(|&at| self.spans[at].attributes.contains_key(key))
    }

    fn order_vars(&mut self, report: &mut Report) {
        let vars = &self.scenario.vars;
        let dependencies: Vec<Vec<usize>> = vars
            .iter()
            .map(|var| {
                let mut reads = Vec::new();
                each_path_of_value(&var.value, &mut |path, _| {
                    if let Ok(Target::Var(read) | Target::Column { var: read, .. }) = self.find(Site::Var, path) {
                        reads.push(read);
                    }
                });
                dedup(reads)
            })
            .collect();
        let order = order::sort(&dependencies);
        for cycle in order.cycles {
            let path = cycle.iter().map(|&var| vars[var].name.value.clone()).collect();
            let at = cycle.iter().map(|&var| vars[var].name.loc);
            report_cycle(Problem::VariableCycle { path }, at, report);
        }
        self.var_order = order.nodes;
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
                Ok(Target::Linked { span, read }) => names.spans[span].add_linked(read, loc),
                _ => {}
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
            each_path(&condition.r#type, &mut |path, loc| collect(self, None, path, loc));
            if let Some(message) = &condition.message {
                each_path(message, &mut |path, loc| collect(self, None, path, loc));
            }
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

impl SpanNode<'_> {
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

/// The spans in file order, a parent before its calls. Without recursion: a list of steps is as deep as it is long.
fn flatten(root: &Span) -> Vec<SpanNode<'_>> {
    let mut spans: Vec<SpanNode<'_>> = Vec::new();
    let mut waiting = vec![(root, None)];
    while let Some((span, parent)) = waiting.pop() {
        let at = spans.len();
        if let Some(parent) = parent {
            let parent: &mut SpanNode<'_> = &mut spans[parent];
            parent.calls.push(at);
        }
        let mut attributes = HashMap::with_capacity(span.attributes.len());
        for (i, attribute) in span.attributes.iter().enumerate() {
            attributes.entry(attribute.key.value.as_str()).or_insert(i);
        }
        spans.push(SpanNode {
            span,
            parent,
            calls: Vec::with_capacity(span.calls.len()),
            attributes,
            read: vec![false; span.attributes.len()],
            linked: Vec::new(),
            linked_at: HashMap::new(),
            order: Vec::new(),
        });
        waiting.extend(span.calls.iter().rev().map(|call| (call, Some(at))));
    }
    spans
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
