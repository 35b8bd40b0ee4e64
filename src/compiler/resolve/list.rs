//! Lists of calls: whether, how often and how each call is made, and what its failure causes.

use super::incident::Part;
use super::span::Terms;
use super::{Resolver, State, new_slot};
use crate::compiler::interval::interval;
use crate::compiler::names::{BlockKind, ItemNode, Site};
use crate::compiler::report::Report;
use crate::compiler::typed::{Act, Action, Delay, Failing, Item, List, Propagation, Step};
use crate::compiler::types::Kind;
use crate::language::diagnostic::Problem;
use crate::language::scenario::{self, Body};
use crate::language::source::Loc;
use crate::language::template::Template;
use crate::plan::{
    CallSpec, Chance, Constant, Down, ErrorId, Expr, ExprId, Group, Operator, Outcome, Repeat, Retry, SlotId, Timeout,
    limits,
};

/// The type of the error of a call that reached its timeout, as in the semantic conventions.
const TIMEOUT: &str = "timeout";

/// The type of the error of a call whose block is down.
const UNAVAILABLE: &str = "unavailable";

impl<'m> Resolver<'m> {
    /// Returns the form of a block that is a group.
    pub(super) fn group(&mut self, state: &State<'_, 'm>, block: usize) -> Group {
        match state.names.blocks[block].kind {
            BlockKind::Parallel(max) => Group::Parallel { max },
            BlockKind::Sequence | BlockKind::Span(_) => Group::Sequence { outcome: state.values.outcomes[block] },
        }
    }

    /// Returns the calls of a block.
    pub(super) fn list(&mut self, state: &mut State<'_, 'm>, block: usize, report: &mut Report) -> List {
        let names = state.names;
        let node = &names.blocks[block];
        let mut list = List::default();
        if node.items.is_empty() {
            return list;
        }
        if let Some(loc) = self.outcome_read_at(state, block) {
            let outcome = self.outcome(state, loc);
            state.values.outcomes[block] = Some(outcome);
            list.initial.extend(self.before(outcome));
        }
        let handles = node.items.iter().any(|at| names.items[*at].handles);
        if !node.kind.is_group() && node.propagates && handles {
            self.begin_failing(state, &mut list, block);
        }
        if let Some(loc) = node.reads_propagated.filter(|_| node.propagates) {
            let no = self.tables.constant(Constant::Bool(false));
            let slot = new_slot(state, "error.propagated", None, loc);
            list.initial.push((slot, no));
            state.values.propagated[block] = Some(slot);
        }
        for callee in node.items.iter().filter_map(|at| names.items[*at].callee) {
            // The group keeps from turn to turn that it failed, so the slot is set here.
            if names.blocks[callee].propagates && names.blocks[callee].kind.is_group() {
                self.begin_failing(state, &mut list, callee);
            }
        }
        list.failing = state.values.failing[block];
        for at in &node.items {
            let item = self.item(state, *at, &mut list.initial, report);
            list.items.push(item);
        }
        list
    }

    /// Gives `block` a slot for whether a failure was passed on in its list, which is false before the first item of
    /// `list`.
    fn begin_failing(&mut self, state: &mut State, list: &mut List, block: usize) {
        let no = self.tables.constant(Constant::Bool(false));
        let slot = new_slot(state, "failing", Some(no), state.names.blocks[block].loc);
        list.initial.push((slot, no));
        let is = self.tables.expr(Expr::Slot { slot });
        let is_not = self.tables.expr(Expr::Not { operand: is });
        state.values.failing[block] = Some(Failing { slot, is, is_not });
    }

    /// Returns the place where the outcome of a block's calls is first read: in its own list, or for a sequence, in the
    /// list that contains it.
    fn outcome_read_at(&self, state: &State, block: usize) -> Option<Loc> {
        let node = &state.names.blocks[block];
        let outside = || {
            let list = state.names.items[node.caller?].list;
            state.values.outcomes[list].map(|_| node.loc)
        };
        node.reads_outcome.or_else(|| if node.kind == BlockKind::Sequence { outside() } else { None })
    }

    /// Returns the values of an outcome's slots before there is a call.
    pub(super) fn before(&mut self, outcome: Outcome) -> [(SlotId, ExprId); 3] {
        let (not_failed, nothing) = (self.tables.constant(Constant::Bool(false)), self.tables.text_constant(""));
        [(outcome.failed, not_failed), (outcome.r#type, nothing), (outcome.message, nothing)]
    }

    /// Returns the values of an outcome's slots if no call is made.
    pub(super) fn absent(&mut self, outcome: Outcome) -> Vec<(SlotId, ExprId)> {
        let operand = self.tables.text_constant("");
        let absent = self.tables.expr(Expr::Omit { operand, value: operand });
        outcome.slots().into_iter().map(|slot| (slot, absent)).collect()
    }

    pub(super) fn outcome(&mut self, state: &mut State, loc: Loc) -> Outcome {
        Outcome {
            failed: new_slot(state, "error", None, loc),
            r#type: new_slot(state, "error.type", None, loc),
            message: new_slot(state, "error.message", None, loc),
        }
    }

    /// Returns an item. The values of its slots before the first item of the list are added to `initial`.
    fn item(
        &mut self,
        state: &mut State<'_, 'm>,
        at: usize,
        initial: &mut Vec<(SlotId, ExprId)>,
        report: &mut Report,
    ) -> Item {
        let names = state.names;
        let node = &names.items[at];
        let (model, mut steps) = (node.item, Vec::new());
        let repeat = if node.repeats { self.repeat(state, at, node, report) } else { None };
        let site = Site::Turn { item: at };
        self.vars(state, &node.vars, &mut steps, report);
        let words = Some(model).filter(|_| node.has_words);
        let when = words.and_then(|item| item.when.as_ref()).and_then(|when| {
            let value = self.condition(state, site, when, report)?;
            Some((value, when.loc))
        });
        let chance = words.and_then(|item| item.probability.as_ref());
        let handles = node.handles && state.values.failing[node.list].is_some();
        let outcome = match state.values.outcomes[node.list] {
            // After a failure was passed on, `error` continues to mean that failure.
            Some(_) if handles => {
                let own = self.outcome(state, model.loc);
                initial.extend(self.before(own));
                Some(own)
            }
            outcome => outcome,
        };
        // The terms after the call, such as a retry's condition or those for passing its failure on, refer to this call.
        let of_list = std::mem::replace(&mut state.values.outcomes[node.list], outcome);
        let group = node.callee.filter(|callee| state.names.blocks[*callee].kind.is_group());
        let inner = group.and_then(|group| state.values.failing[group]);
        let act = match (node.callee, &model.body) {
            (Some(callee), _) => {
                let is_inner = node.has_words && model.repeat.is_some() && !node.repeats;
                let is_async = model.is_async && !is_inner;
                let repeat = repeat.map(|repeat| Repeat { until: inner.map(|inner| inner.slot), ..repeat });
                let outcome = outcome.filter(|_| !is_async);
                let terms = words.map_or(CallSpec::default(), |item| self.terms(state, at, item, report));
                let down = match names.blocks[callee].kind {
                    BlockKind::Span(span) => self.down(state, span),
                    BlockKind::Sequence | BlockKind::Parallel(_) => None,
                };
                let spec = CallSpec { repeat, is_async, outcome, down, ..terms };
                let spec = (spec != CallSpec::default()).then(|| self.tables.spec(spec));
                Act::Call { block: state.block(callee), spec }
            }
            (None, Body::Work(work)) => {
                let wait = words.and_then(|item| item.wait.as_ref());
                let wait = wait.and_then(|wait| Some((self.time(state, site, wait, report)?, wait.loc)));
                let span = names.blocks[node.list].span;
                let time = self.dist(state, site, work, report);
                let time = self.under_incidents(state, span, Part::Other, time, report);
                let time = time.and_then(|time| Some((self.drawn(time)?, work.loc)));
                Act::Work(wait.into_iter().chain(time).map(|(time, loc)| Delay { time, loc }).collect())
            }
            (None, _) => Act::Nothing,
        };
        let chance = chance.map(|percent| (Chance::from_percent(percent.value), percent.loc));
        let propagate = words.and_then(|item| item.propagate.as_ref());
        let propagation = propagate
            .zip(outcome)
            .and_then(|(propagate, outcome)| self.propagation(state, at, propagate, outcome, report));
        state.values.outcomes[node.list] = of_list;
        let handles = handles.then(|| {
            let pairs = outcome.zip(of_list);
            let pairs = pairs.into_iter().flat_map(|(own, list)| own.slots().into_iter().zip(list.slots()));
            let keep = |(own, list)| Action::Keep(list, self.tables.expr(Expr::Slot { slot: own }));
            pairs.map(keep).map(|action| Step { action, loc: model.loc }).collect()
        });
        Item { steps, when, chance, act, propagation, inner, handles, loc: place(model) }
    }

    /// Evaluates vars in this order, as the first of `steps`. Those that are not constant are stored in slots.
    pub(super) fn vars(
        &mut self,
        state: &mut State<'_, 'm>,
        vars: &[usize],
        steps: &mut Vec<Step>,
        report: &mut Report,
    ) {
        for &at in vars {
            if let Some((slot, value)) = self.var(state, at, report) {
                steps.push(Step { action: Action::Keep(slot, value), loc: state.names.vars[at].name.loc });
            }
        }
    }

    /// Returns the terms of an item's call that are evaluated in each turn.
    fn terms(
        &mut self,
        state: &mut State<'_, 'm>,
        at: usize,
        item: &'m scenario::Item,
        report: &mut Report,
    ) -> CallSpec {
        let site = Site::Turn { item: at };
        let wait = item.wait.as_ref().and_then(|wait| self.dist_id(state, site, wait, report));
        let timeout = item.timeout.as_ref().and_then(|timeout| {
            let after = self.dist_id(state, site, timeout, report)?;
            let r#type = self.tables.text_constant(TIMEOUT);
            Some(Timeout { after, error: self.shared_error(Terms { r#type, message: None, delay: None }) })
        });
        let retry = item.retry.as_ref().map(|retry| {
            let backoff = retry.backoff.as_ref().and_then(|backoff| self.dist_id(state, site, backoff, report));
            if state.names.items[at].reads_attempt {
                let most = i64::from(retry.attempts) - 1;
                let number = self.tables.expr(Expr::RandomInt { min: 0, max: most });
                state.values.attempts[at] = Some(new_slot(state, "retry.attempt", Some(number), retry.loc));
            }
            let site = Site::Failure { item: at };
            let when = retry.when.as_ref().and_then(|when| self.condition(state, site, when, report));
            Retry {
                attempts: retry.attempts,
                backoff,
                factor: retry.factor,
                jitter: Chance::from_percent(retry.jitter),
                when,
                attempt: state.values.attempts[at],
            }
        });
        CallSpec { wait, timeout, retry, ..CallSpec::default() }
    }

    /// Returns the outages of the span at `at`, if there are any.
    pub(super) fn down(&mut self, state: &State<'_, 'm>, at: usize) -> Option<Down> {
        let incidents = &state.names.model.incidents;
        let selected = state.names.spans[at].incidents.iter().filter(|&&incident| incidents[incident].down.is_some());
        let outages: Vec<ExprId> = selected.map(|&incident| self.on_instance(state, at, incident)).collect();
        let any = |left, right| self.tables.expr(Expr::Binary { operator: Operator::Or, left, right });
        let when = outages.into_iter().reduce(any)?;
        let r#type = self.tables.text_constant(UNAVAILABLE);
        Some(Down { when, error: self.shared_error(Terms { r#type, message: None, delay: None }) })
    }

    /// Returns how the failure of an item is passed on, whose outcome is in these slots.
    fn propagation(
        &mut self,
        state: &State<'_, 'm>,
        at: usize,
        model: &'m scenario::Propagate,
        outcome: Outcome,
        report: &mut Report,
    ) -> Option<Propagation> {
        let site = Site::Failure { item: at };
        let span = state.names.blocks[state.names.items[at].list].span;
        let (r#type, callees) = match &model.r#type {
            Some(text) => (self.expressions(state, site, report).required_text(text)?.expr, None),
            None => self.error_in(outcome),
        };
        let message = match &model.message {
            Some(text) => Some(self.expressions(state, site, report).text(text)?.expr),
            None => callees,
        };
        let terms = Terms { r#type, message, delay: None };
        let error = self.error(state, site, span, terms, &model.attributes, report);
        let chance = model.probability.as_ref().map(|percent| Chance::from_percent(percent.value));
        let when = match &model.when {
            Some(when) => Some((self.condition(state, site, when, report)?, when.loc)),
            None => None,
        };
        let is_as_it_was = model.r#type.is_none() && model.attributes.is_empty();
        let noted = state.values.propagated[state.names.spans[span].block].filter(|_| is_as_it_was);
        Some(Propagation { when, chance, noted, ..self.passed_on(outcome, error, model.loc) })
    }

    /// Returns the propagation that passes on every failure unchanged, whose outcome is in these slots.
    pub(super) fn callees_failure(&mut self, outcome: Outcome, loc: Loc) -> Propagation {
        let (r#type, message) = self.error_in(outcome);
        let error = self.shared_error(Terms { r#type, message, delay: None });
        self.passed_on(outcome, error, loc)
    }

    /// Returns the propagation that passes on every failure as `error`.
    fn passed_on(&mut self, outcome: Outcome, error: ErrorId, loc: Loc) -> Propagation {
        let failed = self.tables.expr(Expr::Slot { slot: outcome.failed });
        let yes = self.tables.constant(Constant::Bool(true));
        Propagation { failed, when: None, chance: None, noted: None, error, yes, loc }
    }

    /// Returns the type and the message of the error in these slots.
    fn error_in(&mut self, outcome: Outcome) -> (ExprId, Option<ExprId>) {
        let message = self.tables.expr(Expr::Slot { slot: outcome.message });
        (self.tables.expr(Expr::Slot { slot: outcome.r#type }), Some(message))
    }

    /// Resolves a bool.
    pub(super) fn condition(
        &mut self,
        state: &State<'_, 'm>,
        site: Site,
        when: &Template,
        report: &mut Report,
    ) -> Option<ExprId> {
        Some(self.expressions(state, site, report).condition_field("when", when)?.expr)
    }

    /// Returns how often an item runs.
    fn repeat(
        &mut self,
        state: &mut State<'_, 'm>,
        at: usize,
        node: &ItemNode<'m>,
        report: &mut Report,
    ) -> Option<Repeat> {
        let (written, reads) = (node.item.repeat.as_ref()?, (node.reads_index, node.reads_count));
        let repeat = self.turns(state, Site::Repeat { item: at }, written, reads, report)?;
        state.values.turns[at] = (repeat.index, repeat.total);
        Some(repeat)
    }

    /// Returns the turns that are written at `site`. `reads` says whether something reads the number of the turn, and the
    /// number of all turns.
    pub(super) fn turns(
        &mut self,
        state: &mut State<'_, 'm>,
        site: Site,
        written: &scenario::Repeat,
        reads: (bool, bool),
        report: &mut Report,
    ) -> Option<Repeat> {
        let subject = ("turns", "repeat: N", limits::TURNS);
        let (count, max, loc) = self.counted(state, site, written, subject, report)?;
        // The expression that stands for the number of the turn has the same range.
        let turn = self.tables.expr(Expr::RandomInt { min: 0, max: i64::from(max) - 1 });
        let mut slot = |wanted: bool, name: &str, value| wanted.then(|| new_slot(state, name, Some(value), loc));
        let index: Option<SlotId> = slot(reads.0, "repeat.index", turn);
        let total = slot(reads.1, "repeat.count", count);
        Some(Repeat { count, max, index, total, until: None })
    }

    /// Returns a number of turns or links that is written at `site`, with its maximum, at least 1, and its place. `subject`
    /// names what is counted, how it is written, and how many are allowed.
    pub(super) fn counted(
        &mut self,
        state: &State<'_, 'm>,
        site: Site,
        written: &scenario::Repeat,
        (subject, usage, limit): (&'static str, &'static str, u32),
        report: &mut Report,
    ) -> Option<(ExprId, u32, Loc)> {
        let (count, loc) = match written {
            scenario::Repeat::Range { min, max, loc } if min == max => {
                (self.tables.constant(Constant::Int((*min).into())), *loc)
            }
            scenario::Repeat::Range { min, max, loc } => {
                (self.tables.expr(Expr::RandomInt { min: (*min).into(), max: (*max).into() }), *loc)
            }
            scenario::Repeat::Computed(template) => {
                let expression = template.single()?;
                let typed = self.expressions(state, site, report).expression(expression)?;
                if !matches!(typed.ty.kind, Kind::Int | Kind::Unknown) {
                    let (expected, found) = ("an int", typed.ty.kind.name());
                    let quoted = typed.quoted.is_some();
                    report.add(Problem::ArgumentType { usage, expected, found, quoted }, expression.loc);
                    return None;
                }
                (typed.expr, expression.loc)
            }
        };
        let most = interval(&self.tables.program.exprs, &state.slots, count).map(|interval| interval.max);
        let Some(most) = most.filter(|most| *most <= limit.into()) else {
            report.add(Problem::TurnsWithoutBound { subject, most: most.map(|most| most as i64), limit }, loc);
            return None;
        };
        // Something that never runs has no turns.
        Some((count, (most as u32).max(1), loc))
    }
}

/// Returns the place that stands for an item as a whole.
fn place(item: &scenario::Item) -> Loc {
    match &item.body {
        Body::Span(span) => span.loc,
        Body::Group(_) | Body::Work(_) => item.loc,
    }
}
