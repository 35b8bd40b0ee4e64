//! The compilation of single expressions: they are checked, and written into the tables.
//!
//! A mistake is reported once, here, and the expression becomes `None`; everything made from it becomes `None` without a
//! report.

mod argument;
mod choice;
mod field;
mod filter;
mod function;
mod known;
mod operator;
mod text;

use super::names::{INSTANCE_ID, Linked, Miss, Names, OutcomePart, Site, Target};
use super::report::Report;
use super::tables::Tables;
use super::typed::{Failing, Slot};
use super::types::{Kind, Type};
use crate::language::diagnostic::{Problem, Role, Unavailable};
use crate::language::source::Loc;
use crate::language::template::{Expr as Ast, Node};
use crate::plan::{Constant, Expr, ExprId, Fault, IncidentId, Operator, Outcome, Resource, Rollout, ServiceId, SlotId};
use foldhash::HashMap;
use std::collections::BTreeMap;

/// The maximum depth of expressions, so that the recursion here does not rely on the parser's limit.
const MOST_NESTED: usize = 100;

/// A checked expression.
#[derive(Clone, Copy, Debug)]
pub struct Typed {
    pub expr: ExprId,
    pub ty: Type,
    /// The place of the quotes, if the value is a text only because it is quoted.
    pub quoted: Option<Loc>,
}

/// The values of a scenario's names. `None` means that the value is not evaluated yet, or wrong and reported.
pub struct Values {
    /// The values of vars.
    pub vars: Vec<Option<Typed>>,
    /// The values of spans.
    pub spans: Vec<SpanValues>,
    /// For each item, the slots for the number of the turn and for the number of turns.
    pub turns: Vec<(Option<SlotId>, Option<SlotId>)>,
    /// For each item, the slot for the number of the attempt.
    pub attempts: Vec<Option<SlotId>>,
    /// For each block, the slots for the outcome of the call before, in its list.
    pub outcomes: Vec<Option<Outcome>>,
    /// For each block, the slot that says whether a failure was passed on in its list.
    pub failing: Vec<Option<Failing>>,
    /// For each block, the slot for whether a failure was passed on unchanged; `None` if that can't happen, or nothing
    /// reads it.
    pub propagated: Vec<Option<SlotId>>,
    /// The values that answers bring to clients, by span and attribute.
    pub answers: HashMap<(usize, usize), Typed>,
}

/// The values of a span's names. `None` means that the value is not evaluated yet, or wrong and reported.
pub struct SpanValues {
    /// The values of attributes.
    pub attributes: Vec<Option<Typed>>,
    pub context_key: Option<Typed>,
    /// The span's service; `None` if it is not found yet, or wrong and reported.
    pub service: Option<ServiceId>,
    /// The slots for what is read of the linked span, in the order of [`super::names::SpanNode::linked`].
    pub linked: Vec<SlotId>,
    /// For each event, the slots for the number of the turn and for the number of turns.
    pub event_turns: Vec<(Option<SlotId>, Option<SlotId>)>,
}

impl SpanValues {
    /// Makes the values of a span with this many attributes and events, none of which is known yet.
    pub fn new(attributes: usize, events: usize) -> SpanValues {
        SpanValues {
            attributes: vec![None; attributes],
            context_key: None,
            service: None,
            linked: Vec::new(),
            event_turns: vec![(None, None); events],
        }
    }
}

/// The meaning of names at the place of the expression.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    Trace {
        names: &'a Names<'a>,
        site: Site,
        values: &'a Values,
        /// The scenario's slots so far.
        slots: &'a [Slot],
    },
    /// In a service's attributes. `instance` is its number and id, if `instances` is given.
    Service { name: &'a str, instance: Option<(u32, &'a str)> },
}

pub struct Expressions<'a> {
    pub tables: &'a mut Tables,
    pub report: &'a mut Report,
    pub scope: Scope<'a>,
    depth: usize,
}

impl<'a> Expressions<'a> {
    pub fn new(tables: &'a mut Tables, report: &'a mut Report, scope: Scope<'a>) -> Self {
        Expressions { tables, report, scope, depth: 0 }
    }

    fn add(&mut self, expr: Expr, ty: impl Into<Type>) -> Option<Typed> {
        Some(Typed { expr: self.tables.expr(expr), ty: ty.into(), quoted: None })
    }

    fn constant(&mut self, value: Constant) -> Option<Typed> {
        let kind = match value {
            Constant::Bool(_) => Kind::Bool,
            Constant::Int(_) => Kind::Int,
            Constant::Double(_) => Kind::Double,
            Constant::Text(_) => Kind::Text,
            Constant::Bytes(_) => Kind::Bytes,
            Constant::List(_) => Kind::List,
            Constant::Map(_) => Kind::Map,
        };
        self.add(Expr::Const { value }, kind)
    }

    fn text_constant(&mut self, text: &str) -> Option<Typed> {
        Some(Typed { expr: self.tables.text_constant(text), ty: Kind::Text.into(), quoted: None })
    }

    /// Returns `None`, and reports the fault, if the program has grown beyond a limit.
    fn within(&mut self, grown: Result<(), Fault>, at: Loc) -> Option<()> {
        grown.map_err(|fault| self.report.beyond(&fault, at)).ok()
    }

    /// Reports a problem, and returns `None`.
    fn fail<T>(&mut self, problem: Problem, at: Loc) -> Option<T> {
        self.report.add(problem, at);
        None
    }

    /// Compiles an expression that is not part of a template.
    pub fn expression(&mut self, node: &Node) -> Option<Typed> {
        self.node(node)
    }

    fn node(&mut self, node: &Node) -> Option<Typed> {
        if self.report.is_full() {
            return None;
        }
        if self.depth == MOST_NESTED {
            return self
                .fail(Problem::TemplateTooLarge { subject: "levels in an expression", limit: MOST_NESTED }, node.loc);
        }
        self.depth += 1;
        let typed = self.node_inside(node);
        self.depth -= 1;
        typed
    }

    fn node_inside(&mut self, node: &Node) -> Option<Typed> {
        match &*node.value {
            Ast::Error => {
                self.report.poison();
                None
            }
            Ast::Bool(value) => self.constant(Constant::Bool(*value)),
            Ast::Int(value) => self.constant(Constant::Int(*value)),
            Ast::Double(value) => self.constant(Constant::Double(*value)),
            Ast::Text(value) => self.text_constant(value),
            Ast::List(items) => {
                let items: Vec<_> = items.iter().map(|item| (self.node(item), item.loc, true)).collect();
                self.list(items)
            }
            Ast::Map(_) => self.fail(Problem::MapOutOfPlace, node.loc),
            Ast::Path(path) => self.path(path, node.loc),
            Ast::Call { path, arguments } => self.function(&path.join("."), node.loc, arguments),
            Ast::Filter { input, name, arguments } => self.filter(input, name, arguments, node.loc),
            Ast::If { condition, then, otherwise } => self.branch(condition, then, otherwise),
            Ast::Unary { operator, operand } => self.unary(*operator, operand),
            Ast::Binary { operator, left, right } => self.binary(*operator, left, right, node.loc),
        }
    }

    /// Compiles a list, whose elements have one type and are not lists. Each comes with whether it is an expression,
    /// because the loader has compared the others.
    fn list(&mut self, items: Vec<(Option<Typed>, Loc, bool)>) -> Option<Typed> {
        let mut first: Option<(Kind, bool)> = None;
        let mut whole = true;
        let mut typed = Vec::with_capacity(items.len());
        for (item, loc, is_expression) in items {
            let Some(item) = item else {
                whole = false;
                continue;
            };
            let kind = item.ty.kind;
            let before = first;
            let problem = match first {
                _ if kind.is_opaque() => Some(Problem::NestedList { found: kind.name() }),
                Some((first, _)) if first != kind && kind != Kind::Unknown => {
                    Some(Problem::MixedList { first: first.name(), other: kind.name() })
                }
                _ => None,
            };
            if kind != Kind::Unknown {
                first = first.or(Some((kind, is_expression)));
            }
            if let Some(problem) = problem {
                whole = false;
                if is_expression || before.is_some_and(|(_, is_expression)| is_expression) {
                    self.report.add(problem, loc);
                } else {
                    self.report.poison();
                }
            }
            typed.push(item);
        }
        if !whole {
            return None;
        }
        let constants: Option<Box<[Constant]>> =
            typed.iter().map(|item| self.tables.constant_of(item.expr).cloned()).collect();
        match constants {
            Some(constants) => self.constant(Constant::List(constants)),
            None => self.add(Expr::List { items: typed.iter().map(|item| item.expr).collect() }, Kind::List),
        }
    }

    fn path(&mut self, path: &[String], loc: Loc) -> Option<Typed> {
        match self.scope {
            Scope::Service { name, instance } => self.path_in_service(path, loc, name, instance),
            Scope::Trace { names, site, values, .. } => match names.find(site, path) {
                Ok(target) => self.read(target, path, loc, names, values),
                Err(miss) => {
                    match self.explain(miss, path, names, site) {
                        Some((problem, related)) => {
                            let (role, place) = related.unzip();
                            self.report.add_related(problem, loc, role.unwrap_or(Role::Span), place);
                        }
                        None => self.report.poison(),
                    }
                    None
                }
            },
        }
    }

    fn path_in_service(
        &mut self,
        path: &[String],
        loc: Loc,
        service: &str,
        instance: Option<(u32, &str)>,
    ) -> Option<Typed> {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let unavailable = |why| Problem::NotAvailable { name: path.join("."), why };
        match (&words[..], instance) {
            (["service", "name"], _) => self.text_constant(service),
            (["instance", "index"], Some((index, _))) => self.constant(Constant::Int(index.into())),
            (["instance", "id"], Some((_, id))) => self.text_constant(id),
            (["instance", "index" | "id"], None) => self.fail(unavailable(Unavailable::NoInstances), loc),
            (["instance", ..], _) => {
                self.fail(Problem::NotAValue { name: path.join("."), instead: "instance.index or instance.id" }, loc)
            }
            _ => self.fail(unavailable(Unavailable::InServices), loc),
        }
    }

    fn read(&mut self, target: Target, path: &[String], loc: Loc, names: &Names, values: &Values) -> Option<Typed> {
        match target {
            Target::Var(var) => *values.vars.get(var)?,
            Target::Column { var, column } => {
                let row = (*values.vars.get(var)?)?;
                self.column(row, &names.rows(var)?.columns[column], loc)
            }
            Target::Attribute { span, attribute } => *values.spans.get(span)?.attributes.get(attribute)?,
            Target::ContextKey { span } => values.spans.get(span)?.context_key,
            Target::Linked { span, read } => {
                let slot = *values.spans.get(span)?.linked.get(names.spans[span].linked_index(&read)?)?;
                let kind = if read == Linked::ContextKey { Kind::Text } else { Kind::Unknown };
                self.add(Expr::Slot { slot }, Type { kind, optional: true })
            }
            Target::Found { read, .. } => {
                let (found, kind) = match read {
                    Linked::Attribute(key) => (Expr::Linked { key: self.tables.text(&key) }, Kind::Unknown),
                    Linked::ContextKey => (Expr::LinkedKey, Kind::Text),
                };
                self.add(found, Type { kind, optional: true })
            }
            Target::EventIndex { span, event } => self.int_in(values.spans.get(span)?.event_turns.get(event)?.0?),
            Target::EventCount { span, event } => self.int_in(values.spans.get(span)?.event_turns.get(event)?.1?),
            Target::RepeatIndex { item } => self.int_in(values.turns.get(item)?.0?),
            Target::RepeatCount { item } => self.int_in(values.turns.get(item)?.1?),
            Target::Number(number) => self.constant(Constant::Int(number)),
            Target::Propagated { list } => match *values.propagated.get(list)? {
                Some(slot) => self.add(Expr::Slot { slot }, Kind::Bool),
                None => self.constant(Constant::Bool(false)),
            },
            Target::NoOutcome(OutcomePart::Type) => self.text_constant(""),
            Target::NoOutcome(part) => self.constant(Constant::Bool(part == OutcomePart::Ok)),
            Target::Attempt { item } => self.int_in((*values.attempts.get(item)?)?),
            Target::Outcome { list, read } => {
                let outcome = (*values.outcomes.get(list)?)?;
                match read {
                    OutcomePart::Error => self.add(Expr::Slot { slot: outcome.failed }, Kind::Bool),
                    OutcomePart::Ok => {
                        let failed = self.tables.expr(Expr::Slot { slot: outcome.failed });
                        self.add(Expr::Not { operand: failed }, Kind::Bool)
                    }
                    OutcomePart::Type => self.add(Expr::Slot { slot: outcome.r#type }, Kind::Text),
                }
            }
            Target::Incident(at) => self.add(Expr::Incident { incident: IncidentId(at as u32) }, Kind::Bool),
            Target::ScenarioName => self.text_constant(&names.scenario.name.value),
            Target::Answer { span, attribute } => values.answers.get(&(span, attribute)).copied(),
            Target::ServiceName { span } => self.text_constant(&names.spans[span].service.value),
            Target::Resource { span, key } => {
                let service = values.spans.get(span)?.service?;
                self.resource(service, key, path, loc)
            }
            Target::InstanceIndex { span } => {
                let service = values.spans.get(span)?.service?;
                // Instances have ids only if their number is given.
                self.resource(service, INSTANCE_ID, path, loc)?;
                if self.tables.program.services[service.index()].instances == 1 {
                    return self.constant(Constant::Int(0));
                }
                self.add(Expr::InstanceIndex, Kind::Int)
            }
            Target::Function => self.function(&path.join("."), loc, &[]),
        }
    }

    fn int_in(&mut self, slot: SlotId) -> Option<Typed> {
        self.add(Expr::Slot { slot }, Kind::Int)
    }

    /// Returns the value of the resource attribute `key` of the current span's instance.
    fn resource(&mut self, service: ServiceId, key: &str, path: &[String], loc: Loc) -> Option<Typed> {
        let program = &self.tables.program;
        let service = &program.services[service.index()];
        let resources = &program.resources[service.first_resource.index()..][..service.instances as usize];
        let value = |resource: &Resource| {
            let found = resource.attributes.iter().find(|(name, _)| program.texts[name.index()] == key);
            found.map(|(_, value)| *value)
        };
        let Some(values) = resources.iter().map(value).collect::<Option<Box<[ExprId]>>>() else {
            let why = if key == INSTANCE_ID { Unavailable::NoInstances } else { Unavailable::NoVersion };
            return self.fail(Problem::NotAvailable { name: path.join("."), why }, loc);
        };
        let rolled = service.rollouts.iter().enumerate().filter_map(|(at, rollout)| {
            let resource = service.first_resource.index() + service.instances as usize + at;
            Some((*rollout, value(&program.resources[resource])?))
        });
        let (rolled, instances): (Vec<_>, u32) = (rolled.collect(), service.instances);
        let first = *values.first()?;
        let usual = if values.iter().all(|value| *value == first) {
            first
        } else {
            let grown = self.tables.repeat(values.len());
            self.within(grown, loc)?;
            let operand = self.tables.expr(Expr::InstanceIndex);
            self.tables.expr(Expr::Nth { operand, items: values })
        };
        let grown = self.tables.repeat(rolled.len());
        self.within(grown, loc)?;
        let expr = if key == INSTANCE_ID { usual } else { self.rolled_out(usual, &rolled, instances) };
        Some(Typed { expr, ty: Kind::Text.into(), quoted: None })
    }

    /// Returns the value of a resource attribute of the current span's instance, which is `usual`, or while an incident is in
    /// force that of the rollout: of several incidents, the last one counts.
    fn rolled_out(&mut self, usual: ExprId, rolled: &[(Rollout, ExprId)], instances: u32) -> ExprId {
        let mut by_incident: BTreeMap<IncidentId, (ExprId, Vec<u32>)> = BTreeMap::new();
        for (rollout, value) in rolled {
            by_incident.entry(rollout.incident).or_insert((*value, vec![])).1.push(rollout.instance);
        }
        let mut otherwise = usual;
        for (incident, (then, selected)) in by_incident {
            let mut condition = self.tables.expr(Expr::Incident { incident });
            if selected.len() < instances as usize {
                let number = |instance: u32| self.tables.constant(Constant::Int(instance.into()));
                let items = selected.into_iter().map(number).collect();
                let operand = self.tables.expr(Expr::InstanceIndex);
                let right = self.tables.expr(Expr::In { operand, items });
                condition = self.tables.expr(Expr::Binary { operator: Operator::And, left: condition, right });
            }
            otherwise = self.tables.expr(Expr::If { condition, then, otherwise });
        }
        otherwise
    }

    /// Returns the problem for a name without a meaning, and the related places, or `None` if it follows from another
    /// mistake.
    fn explain(
        &mut self,
        miss: Miss,
        path: &[String],
        names: &Names,
        site: Site,
    ) -> Option<(Problem, Option<(Role, Loc)>)> {
        let name = path.join(".");
        Some(match miss {
            Miss::Unsure => return None,
            Miss::Name => {
                let nearest = self.report.nearest(&name, names.names(site));
                (Problem::UnknownName { name, nearest }, None)
            }
            Miss::Var(name) => {
                let nearest = self.report.nearest(&name, names.var_names(site));
                (Problem::UnknownVariable { name, nearest }, None)
            }
            Miss::Incident(name) => {
                let incidents = names.model.incidents.iter().map(|incident| incident.name.value.as_str());
                let nearest = self.report.nearest(&name, incidents);
                (Problem::UnknownIncident { name, nearest }, None)
            }
            Miss::Row { var } => {
                let column = names.rows(var).and_then(|rows| rows.columns.first());
                let column = column.map_or_else(String::new, |column| column.name.clone());
                (Problem::RowNotAValue { name, column }, Some((Role::Rows, names.vars[var].name.loc)))
            }
            Miss::Column { var, name } => {
                let columns = names.rows(var).into_iter().flat_map(|rows| &rows.columns);
                let nearest = self.report.nearest(&name, columns.map(|column| column.name.as_str()));
                (Problem::UnknownColumn { name, nearest }, Some((Role::Rows, names.vars[var].name.loc)))
            }
            Miss::Attribute { relation, span, key } => {
                let nearest = self.report.nearest(&key, names.keys(span));
                let above = nearest.is_none() && names.owner(span, &key).is_some();
                let place = names.spans[span].place;
                (Problem::UnknownAttribute { owner: relation, key, nearest, above }, Some((Role::Span, place)))
            }
            Miss::Unavailable(why) => (Problem::NotAvailable { name, why }, None),
            Miss::NotAValue(instead) => (Problem::NotAValue { name, instead }, None),
            Miss::NoCallBefore => (Problem::NoCallBefore { name }, None),
            Miss::LinkedWithoutLink => (Problem::LinkedWithoutLink { name }, None),
        })
    }
}
