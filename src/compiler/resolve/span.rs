//! The resolution of a span: its form, its start, its conditions and events.

use super::incident::Part as Work;
use super::{Resolver, State, new_slot};
use crate::compiler::link::{Export, Piece};
use crate::compiler::malform;
use crate::compiler::names::{ConditionNode, Site, SpanNode, Step, Target, is_computed};
use crate::compiler::report::Report;
use crate::compiler::typed::{self, Action, Condition, Conditions, Delay};
use crate::language::diagnostic::Problem;
use crate::language::scenario::{Attribute, InstrumentationScope, Kind, Scalar, Value};
use crate::language::source::Loc;
use crate::language::template::{Expr as Ast, Part};
use crate::plan::{
    AttrId, AttrRange, Chance, Constant, Dist, DistId, ERROR_TYPE, Error, ErrorId, Expr, ExprId, Operator, SCOPE,
    Scope, ScopeId, ServiceId, SlotId, SpanForm, SpanKind, TextId,
};

/// Attributes that are ints in the semantic conventions, and that spans often have.
const INTEGER_KEYS: [&str; 18] = [
    "client.port",
    "db.operation.batch.size",
    "db.response.returned_rows",
    "gen_ai.request.max_tokens",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "http.request.body.size",
    "http.request.resend_count",
    "http.request.size",
    "http.response.body.size",
    "http.response.size",
    "http.response.status_code",
    "messaging.batch.message_count",
    "messaging.message.body.size",
    "network.local.port",
    "network.peer.port",
    "server.port",
    "url.port",
];

/// A span under construction.
pub(super) struct Draft {
    /// The span's position in its scenario.
    pub at: usize,
    name: Option<TextId>,
    constants: Vec<(TextId, Constant)>,
    constant_places: Vec<Loc>,
    attrs: AttrRange,
    /// The ids of the model's attributes; `None` for constant ones.
    attr_ids: Vec<Option<AttrId>>,
    pub steps: Vec<typed::Step>,
}

/// The parts of an error without its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Terms {
    pub r#type: ExprId,
    pub message: Option<ExprId>,
    pub delay: Option<DistId>,
}

impl Terms {
    fn error(self, attributes: Vec<(AttrId, ExprId)>) -> Error {
        let Terms { r#type, message, delay } = self;
        Error { r#type, message, attributes, delay }
    }
}

impl Draft {
    pub fn push(&mut self, action: Action, loc: Loc) {
        self.steps.push(typed::Step { action, loc });
    }
}

impl<'m> Resolver<'m> {
    pub(super) fn span(&mut self, state: &mut State<'_, 'm>, at: usize, report: &mut Report) -> typed::Span {
        let names = state.names;
        let node = &names.spans[at];
        let service = self.services.find(names.scenario.scope, node.service, &mut self.tables, report);
        state.values.spans[at].service = service;
        let caller = node.parent.filter(|_| node.client.is_none()).map(|parent| names.spans[parent].kind);
        if (caller, node.kind, node.declines_client) == (Some(Kind::Server), Kind::Server, false) {
            report.add(Problem::ServerCallsServer, node.place);
        }
        let mut given = Vec::new();
        self.vars(state, &node.given, &mut given, report);
        let mut draft = self.draft(state, at);
        draft.steps = given;
        self.links(state, &mut draft, report);
        for step in node.early_steps() {
            match *step {
                Step::Attribute(attribute) => self.attribute(state, &mut draft, attribute, report),
                Step::Operation => self.operation(state, &mut draft, report),
                Step::Export => self.export(state, &mut draft, report),
            }
        }
        let delay = self.own_work(state, at, report).and_then(|work| self.drawn(work));
        let delay = delay.map(|time| Delay { time, loc: node.delay.map_or(node.place, |delay| delay.part.loc) });
        let conditions = self.conditions(state, at, false, report);
        let events = self.events(state, at, false, report);
        let typed = typed::Span {
            form: SpanForm {
                // Without a service there is an error, and this program is not used any further.
                service: service.unwrap_or(ServiceId(0)),
                kind: kind(node.kind),
                scope: self.scope(names.scenario.scope, node),
                ok: node.ok,
                name: draft.name,
                constants: std::mem::take(&mut draft.constants),
                attrs: draft.attrs,
            },
            constant_places: std::mem::take(&mut draft.constant_places),
            steps: std::mem::take(&mut draft.steps),
            without_calls: Vec::new(),
            delay,
            conditions,
            // They may read the outcomes of the calls, which are still to come.
            late: vec![],
            end_conditions: None,
            end_events: Vec::new(),
            events,
        };
        if node.request.is_some() {
            state.client = Some(draft);
        }
        typed
    }

    /// Returns the time of a span's own work before its calls, or `None` if it takes none, or a wrong one that is reported.
    fn own_work(&mut self, state: &State<'_, 'm>, at: usize, report: &mut Report) -> Option<Dist> {
        let written = state.names.spans[at].delay;
        let work = written.and_then(|delay| self.dist(state, delay.site(at, None), delay.part, report));
        self.under_incidents(state, at, Work::Own, work, report)
    }

    /// Returns the instrumentation scope of a span: its own, or its service's, or `None` for tracegen's.
    fn scope(&mut self, in_force: usize, node: &SpanNode<'m>) -> Option<ScopeId> {
        let written = node.scope.or(self.services.scope(in_force, &node.service.value))?;
        let InstrumentationScope { name, version } = written;
        let version = version.as_ref().map(|version| self.tables.text(&version.value));
        let scope = Scope { name: self.tables.text(&name.value), version };
        let is_default = name.value == SCOPE && version.is_none();
        (!is_default).then(|| self.tables.scope(scope))
    }

    fn draft(&mut self, state: &mut State<'_, 'm>, at: usize) -> Draft {
        let node = &state.names.spans[at];
        let first = self.tables.program.attrs.len() as u32;
        let can_fail = !node.error_conditions.is_empty() || state.names.blocks[node.block].propagates;
        let attributes = node.attributes.iter().enumerate();
        let attr_ids = attributes.map(|(index, attribute)| {
            let (key, value) = (attribute.model.key.value.as_str(), &attribute.model.value);
            // An attribute that a failure replaces, or a client reads, can't be constant.
            let is_shared = can_fail && key == ERROR_TYPE || node.replaced.contains(&key) || attribute.is_sent;
            let is_constant = !is_computed(value) || self.is_given(state, attribute.site(at, index), value);
            let attr = (is_shared || !is_constant).then(|| self.new_attr(key));
            if is_shared && let Some(attr) = attr {
                state.rows[at].insert(key, attr);
            }
            attr
        });
        let attr_ids = attr_ids.collect();
        for key in &node.replaced {
            if !state.rows[at].contains_key(key) {
                let attr = self.new_attr(key);
                state.rows[at].insert(key, attr);
            }
        }
        for key in malform::keys(self.services.model, state.names.scenario.scope) {
            if !node.attributes.iter().any(|attribute| attribute.model.key.value == key) {
                self.new_attr(key);
            }
        }
        let count = self.tables.program.attrs.len() as u32 - first;
        Draft {
            at,
            name: None,
            constants: Vec::new(),
            constant_places: Vec::new(),
            attrs: if count == 0 { AttrRange::default() } else { AttrRange { first, count } },
            attr_ids,
            steps: Vec::new(),
        }
    }

    pub(super) fn new_attr(&mut self, key: &str) -> AttrId {
        let key = self.tables.text(key);
        self.tables.program.attrs.push(key);
        AttrId(self.tables.program.attrs.len() as u32 - 1)
    }

    /// Reports whether a value of a shared span consists only of text and of parameters with constant values.
    fn is_given(&self, state: &State, site: Site, value: &Value) -> bool {
        let Value::Scalar(Scalar::Expr(template) | Scalar::Text(template)) = value else { return false };
        let is_constant = |path: &[String]| match state.names.find(site, path) {
            Ok(Target::Var(var)) => {
                let value = state.values.vars[var].and_then(|typed| self.tables.constant_of(typed.expr));
                value.is_some_and(|value| !matches!(value, Constant::List(_)))
            }
            found => matches!(found, Ok(Target::ServiceName { .. })),
        };
        state.names.is_shared(site)
            && template.parts.iter().all(|part| match part {
                Part::Text(_) => true,
                Part::Expr(node) => matches!(&*node.value, Ast::Path(path) if is_constant(path)),
            })
    }

    /// Reports whether a value is always absent: a constant that is left out.
    fn is_omitted(&self, value: ExprId) -> bool {
        match self.tables.program.exprs[value.index()] {
            Expr::Omit { operand, value } => operand == value && self.tables.constant_of(operand).is_some(),
            _ => false,
        }
    }

    /// Returns the slot of the value if it is in one already. Slots are written once, so it can be read instead of a copy.
    pub(super) fn slot_of(&self, value: ExprId) -> Option<SlotId> {
        match self.tables.program.exprs[value.index()] {
            Expr::Slot { slot } => Some(slot),
            _ => None,
        }
    }

    pub(super) fn attribute(
        &mut self,
        state: &mut State<'_, 'm>,
        draft: &mut Draft,
        index: usize,
        report: &mut Report,
    ) {
        let node = &state.names.spans[draft.at];
        let (attribute, site) = (node.attributes[index].model, node.attributes[index].site(draft.at, index));
        let place = attribute.key.loc;
        let Some(mut typed) = self.expressions(state, site, report).value(&attribute.value) else { return };
        if let Some(quoted) = typed.quoted
            && INTEGER_KEYS.contains(&attribute.key.value.as_str())
        {
            report.add(Problem::QuotedInteger { key: attribute.key.value.clone() }, quoted);
        }
        let constant = self.tables.constant_of(typed.expr);
        match draft.attr_ids[index] {
            None => {
                // A value without an expression is constant.
                if let Some(constant) = constant.cloned() {
                    let key = self.tables.text(&attribute.key.value);
                    draft.constants.push((key, constant));
                    draft.constant_places.push(place);
                }
            }
            Some(attr) => {
                if node.attributes[index].is_read && constant.is_none() && self.slot_of(typed.expr).is_none() {
                    let slot = keep(state, draft, &attribute.key.value, typed.expr, place);
                    typed = self.read_slot(slot, typed);
                }
                if !(state.names.is_shared(site) && self.is_omitted(typed.expr)) {
                    draft.push(Action::Attribute(attr, typed.expr), place);
                }
            }
        }
        state.values.spans[draft.at].attributes[index] = Some(typed);
    }

    fn operation(&mut self, state: &mut State<'_, 'm>, draft: &mut Draft, report: &mut Report) {
        let node = &state.names.spans[draft.at];
        if node.request.as_ref().is_some_and(|request| request.lacks_operation) {
            report.add(Problem::OperationOfServer, node.place);
            return;
        }
        let (operation, site) = (node.operation.part, node.operation.site(draft.at, Some(Step::Operation)));
        let Some(typed) = self.expressions(state, site, report).required_text(operation) else { return };
        match self.tables.constant_of(typed.expr) {
            Some(Constant::Text(name)) if self.tables.text_of(*name).is_empty() => {
                report.add(Problem::Empty { subject: "operation".into() }, operation.loc);
            }
            Some(Constant::Text(name)) => draft.name = Some(*name),
            _ => draft.push(Action::Name(typed.expr), operation.loc),
        }
    }

    fn export(&mut self, state: &mut State<'_, 'm>, draft: &mut Draft, report: &mut Report) {
        let Some(export) = state.names.spans[draft.at].export else { return };
        let (template, site) = (export.part, export.site(draft.at, Some(Step::Export)));
        let typed = self.expressions(state, site, report).required_text(template);
        let mut key = Vec::new();
        match typed {
            Some(typed) => {
                key = self.pieces(typed.expr, &state.slots, template.loc, report);
                let slot = match self.slot_of(typed.expr) {
                    Some(slot) => slot,
                    None => keep(state, draft, "context_key", typed.expr, template.loc),
                };
                draft.push(Action::Export(slot), template.loc);
                let is_constant = self.tables.constant_of(typed.expr).is_some();
                let read = if is_constant { typed } else { self.read_slot(slot, typed) };
                state.values.spans[draft.at].context_key = Some(read);
            }
            // The key is wrong, which has been reported, so no glob is wrong because of it.
            None => key.push(Piece::Any),
        }
        let block = state.block(state.names.spans[draft.at].block);
        self.exports.push(Export { scenario: state.scenario, span: draft.at, block, key });
    }

    /// Returns the conditions of a span that are evaluated before its calls, or those after them.
    pub(super) fn conditions(
        &mut self,
        state: &State<'_, 'm>,
        at: usize,
        at_end: bool,
        report: &mut Report,
    ) -> Option<Conditions> {
        let written = state.names.spans[at].error_conditions.iter();
        let written: Vec<&ConditionNode<'m>> =
            written.filter(|condition| condition.written.part.at_end == at_end).collect();
        let loc = written.first()?.written.part.loc;
        // If one of them has a delay of its own, all are rolled before the work, and those without a delay take as long as
        // the work does.
        let before_work = written.iter().any(|condition| condition.written.part.delay.is_some());
        let work = if before_work { self.own_work(state, at, report) } else { None };
        let mut left = Chance::ONE.0;
        let mut list = Vec::with_capacity(written.len());
        for ConditionNode { written, incident } in written {
            let (site, condition) = (written.condition_site(at), written.part);
            let guard = match incident {
                Some(incident) => {
                    let Some(in_force) = self.in_force(state, at, *incident, report) else { continue };
                    Some(in_force)
                }
                None => None,
            };
            let when = condition.when.as_ref().map(|when| Some((self.condition(state, site, when, report)?, when.loc)));
            let is_never = |when: ExprId| matches!(self.tables.constant_of(when), Some(Constant::Bool(false)));
            if when.flatten().is_some_and(|(when, _)| is_never(when)) {
                continue;
            }
            let r#type = self.expressions(state, site, report).required_text(&condition.r#type);
            let message = condition.message.as_ref().map(|m| self.expressions(state, site, report).text(m));
            let (Some(r#type), Some(message)) = (r#type, message.map_or(Some(None), |m| m.map(Some))) else { continue };
            let delay = match &condition.delay {
                Some(delay) => {
                    let refusal = self.dist(state, site, delay, report);
                    let refusal = match incident {
                        Some(_) => refusal,
                        None => self.under_incidents(state, at, Work::Other, refusal, report),
                    };
                    refusal.map(|refusal| self.tables.dist(refusal))
                }
                None => work.clone().map(|work| self.tables.dist(work)),
            };
            let terms = Terms { r#type: r#type.expr, message: message.map(|m| m.expr), delay };
            let error = self.error(state, site, at, terms, &condition.attributes, report);
            let chance = condition.probability.as_ref().map(|percent| {
                let chance = Chance::from_percent(percent.value).0;
                // Probabilities that sum to 100 can be rounded to slightly more. Those with conditions of their own are not
                // part of the sum.
                let is_guarded = condition.when.is_some() || guard.is_some();
                let chance = if is_guarded { chance } else { chance.min(left) };
                left -= if is_guarded { 0 } else { chance };
                Chance(chance)
            });
            if let Some(when) = when.map_or(Some(None), |when| when.map(Some)) {
                list.push(Condition { guard, when, chance, error, loc: condition.loc });
            }
        }
        let rolls_when = self.only_with_incidents(&list);
        Some(Conditions { before_work, list, rolls_when, loc }).filter(|conditions| !conditions.list.is_empty())
    }

    /// Returns the condition under which any of the incidents is in force of which conditions are a part, or `None` if
    /// none of these needs a roll, or others need it, too.
    fn only_with_incidents(&mut self, list: &[Condition]) -> Option<ExprId> {
        if list.iter().any(|condition| condition.chance.is_some() && condition.guard.is_none()) {
            return None;
        }
        let mut guards: Vec<ExprId> = list.iter().filter_map(|condition| condition.guard).collect();
        if list.iter().all(|condition| condition.chance.is_none()) {
            return None;
        }
        guards.dedup();
        let any = |left, right| self.tables.expr(Expr::Binary { operator: Operator::Or, left, right });
        guards.into_iter().reduce(any)
    }

    /// Returns an error with which the span at `at` fails, whose attributes are written at `site`.
    pub(super) fn error(
        &mut self,
        state: &State<'_, 'm>,
        site: Site,
        at: usize,
        terms: Terms,
        written: &'m [Attribute],
        report: &mut Report,
    ) -> ErrorId {
        let mut attributes = Vec::with_capacity(written.len());
        for attribute in written {
            let value = self.expressions(state, site, report).value(&attribute.value);
            let attr = state.rows[at].get(attribute.key.value.as_str());
            attributes.extend(attr.copied().zip(value.map(|value| value.expr)));
        }
        if attributes.is_empty() {
            return self.shared_error(terms);
        }
        // The attributes are those of a span, so an error that has any belongs only to that span.
        let errors = &mut self.tables.program.errors;
        errors.push(terms.error(attributes));
        ErrorId(errors.len() as u32 - 1)
    }

    /// Returns an error without attributes, which is shared by all equal failures.
    pub(super) fn shared_error(&mut self, terms: Terms) -> ErrorId {
        let errors = &mut self.tables.program.errors;
        *self.error_ids.entry(terms).or_insert_with(|| {
            errors.push(terms.error(Vec::new()));
            ErrorId(errors.len() as u32 - 1)
        })
    }
}

/// Stores a value in a new slot.
pub(super) fn keep(state: &mut State, draft: &mut Draft, name: &str, value: ExprId, loc: Loc) -> SlotId {
    let slot = new_slot(state, name, Some(value), loc);
    draft.push(Action::Keep(slot, value), loc);
    slot
}

fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Unspecified => SpanKind::Unspecified,
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    }
}
