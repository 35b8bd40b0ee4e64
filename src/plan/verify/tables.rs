//! The checks of the tables: sizes, ids, texts, names, jumps.

use super::dists::dists;
use super::load::load;
use super::parameters::{WEIGHT, constant, exprs, weighted};
use super::rule::{Checked, at_most, expr, key_text, named, require, text, twice, within};
use super::violation::{Fault, Place};
use super::violations::Found;
use crate::plan::{
    AttrId, Block, BlockId, CallSpec, CallSpecId, Chance, Constant, Dist, DistForm, ERROR_TYPE, ErrorId, EventId, Expr,
    ExprId, Form, Group, IncidentId, Inst, LinkId, Malform, Opening, Operator, Program, RateChange, ResourceId,
    Rollout, SEMANTICS, ScopeId, ServiceId, Source, SourceForm, SpanForm, SpanKind, TextId, incident::DAY, limits,
};
use std::collections::HashSet;

/// Checks all tables. A program of other semantics, or with a table that is too large, is not checked further.
pub(super) fn check(program: &Program, found: &mut Found) {
    if program.semantics != SEMANTICS {
        return found.add(Place::Program.broken(Fault::Semantics { found: program.semantics }));
    }
    sizes(program, found);
    if !found.is_sound() {
        return;
    }
    texts(program, found);
    services(program, found);
    scopes(program, found);
    exprs(program, found);
    let mut owned = vec![false; program.attrs.len()];
    for (i, key) in program.attrs.iter().enumerate() {
        found.check(key_text(program, Place::Attr(AttrId(i as u32)), *key));
    }
    events(program, &mut owned, found);
    for (i, error) in program.errors.iter().enumerate() {
        let place = Place::Error(ErrorId(i as u32));
        for id in error.exprs() {
            found.check(expr(program, place, id));
        }
        for (attr, _) in &error.attributes {
            found.check(within(place, "attr", attr.0, program.attrs.len()));
        }
        if let Some(dist) = error.delay {
            found.check(within(place, "dist", dist.0, program.dists.len()));
        }
    }
    for (i, link) in program.links.iter().enumerate() {
        let place = Place::Link(LinkId(i as u32));
        found.check(text(program, place, link.glob));
        for source in &link.sources {
            found.check(within(place, "block", source.0, program.blocks.len()));
        }
        if let Some(lag) = link.lag {
            found.check(within(place, "dist", lag.0, program.dists.len()));
        }
        if let Some(count) = link.count {
            found.check(expr(program, place, count.value));
            found.check(require(place, (1..=limits::LINKED).contains(&count.max), "a link finds 1 to 1,000 spans"));
        }
        attributes(program, place, &link.attributes, &mut owned, found);
    }
    specs(program, found);
    dists(program, found);
    incidents(program, found);
    malformations(program, found);
    scenarios(program, found);
    load(program, found);
    for (id, block) in program.block_ids().zip(&program.blocks) {
        form(program, id, block, &mut owned, found);
        code(program, id, block, found);
    }
}

fn sizes(program: &Program, found: &mut Found) {
    let operands = |e: &Expr| match e {
        Expr::Const { value } => value.size(),
        Expr::RandomWeighted { items, weights } => items.len().max(weights.len()),
        e => e.operands().count(),
    };
    let parts = |dist: &Dist| match &dist.form {
        DistForm::Points { points } => points.len(),
        DistForm::Changed { changes, .. } => changes.len().max(dist.parts().count()),
        _ => dist.parts().count(),
    };
    let points = |source: &Source| match &source.form {
        SourceForm::Rate { points, .. } => points.len(),
        SourceForm::Job { .. } => 0,
    };
    let constants = |block: &Block| -> usize {
        let len = |value: &Constant| 1 + value.size();
        block.span().iter().flat_map(|span| &span.constants).map(|(_, value)| len(value)).sum()
    };
    let tables = [
        ("texts", program.texts.len(), limits::TABLE),
        ("bytes of text", program.texts.iter().map(String::len).sum(), limits::TEXTS_BYTES),
        ("services", program.services.len(), limits::TABLE),
        ("resources", program.resources.len(), limits::TABLE),
        ("scopes", program.scopes.len(), limits::TABLE),
        ("rollouts", program.services.iter().map(|service| service.rollouts.len()).sum(), limits::TABLE),
        ("resource attributes", program.resources.iter().map(|r| r.attributes.len()).sum(), limits::TABLE),
        ("expressions", program.exprs.len(), limits::TABLE),
        ("operands", program.exprs.iter().map(operands).sum(), limits::TABLE),
        (
            "zipf expressions",
            program.exprs.iter().filter(|e| matches!(e, Expr::RandomZipf { .. })).count(),
            limits::ZIPFS,
        ),
        ("computed attributes", program.attrs.len(), limits::TABLE),
        ("events", program.events.len(), limits::TABLE),
        ("event attributes", program.events.iter().map(|e| e.attributes.len()).sum(), limits::TABLE),
        ("errors", program.errors.len(), limits::TABLE),
        ("error attributes", program.errors.iter().map(|e| e.attributes.len()).sum(), limits::TABLE),
        ("distributions", program.dists.len(), limits::TABLE),
        ("parts of distributions", program.dists.iter().map(parts).sum(), limits::TABLE),
        ("links", program.links.len(), limits::TABLE),
        ("link attributes", program.links.iter().map(|l| l.attributes.len()).sum(), limits::TABLE),
        ("link sources", program.links.iter().map(|l| l.sources.len()).sum(), limits::TABLE),
        ("call specs", program.specs.len(), limits::TABLE),
        ("answers", program.answers.len(), limits::TABLE),
        ("incidents", program.incidents.len(), limits::INCIDENTS),
        ("malformations", program.malformations.len(), limits::MALFORMATIONS),
        (
            "scenarios of rates",
            program.incidents.iter().filter_map(|i| i.rate.as_ref()).map(|r| r.scenarios.len()).sum(),
            limits::TABLE,
        ),
        ("malformed blocks", program.malformations.iter().map(|m| m.blocks.len()).sum(), limits::TABLE),
        ("scenarios", program.scenarios.len(), limits::SCENARIOS),
        ("slots", program.scenarios.iter().map(|s| s.slots.len()).sum(), limits::TABLE),
        ("vars", program.scenarios.iter().map(|s| s.vars.len()).sum(), limits::TABLE),
        ("blocks", program.blocks.len(), limits::TABLE),
        ("sources", program.load.len(), limits::TABLE),
        ("points of sources", program.load.iter().map(points).sum(), limits::TABLE),
        ("instructions", program.blocks.iter().map(|b| b.code.len()).sum(), limits::TABLE),
        ("constant attributes", program.blocks.iter().map(constants).sum(), limits::TABLE),
    ];
    for (subject, count, max) in tables {
        found.check(at_most(Place::Program, subject, count, max));
    }
}

/// Checks that a key is not in `seen` yet, and adds it. Texts are unique, so ids suffice.
fn key(program: &Program, place: Place, id: TextId, seen: &mut HashSet<TextId>) -> Checked {
    let text = key_text(program, place, id)?;
    if !seen.insert(id) {
        return Err(twice(place, "attribute", text));
    }
    Ok(())
}

fn texts(program: &Program, found: &mut Found) {
    let mut seen = HashSet::with_capacity(program.texts.len());
    for (i, text) in program.texts.iter().enumerate() {
        let place = Place::Text(TextId(i as u32));
        found.check(at_most(place, "bytes of text", text.len(), limits::TEXT_BYTES));
        if !seen.insert(text.as_str()) {
            found.add(twice(place, "text", text));
        }
    }
}

fn services(program: &Program, found: &mut Found) {
    for (i, service) in program.services.iter().enumerate() {
        let place = Place::Service(ServiceId(i as u32));
        found.check(named(program, place, "a service's name", service.name));
        found.check(require(place, service.instances >= 1, "a service has at least one instance"));
        for rollout in &service.rollouts {
            found.check(within(place, "incident", rollout.incident.0, program.incidents.len()));
            found.check(within(place, "instance", rollout.instance, service.instances as usize));
        }
        let order = |rollout: &Rollout| (rollout.instance, rollout.incident);
        let rise = service.rollouts.windows(2).all(|pair| order(&pair[0]) < order(&pair[1]));
        found.check(require(place, rise, "rollouts are in the order of instances and incidents"));
        let fits = service.resolution.is_none_or(|ns| (1..=limits::RESOLUTION).contains(&ns));
        found.check(require(place, fits, "a clock's resolution is 1 ns to 1 min"));
    }
    found.check(resource_rows(program));
    let mut seen = HashSet::new();
    for (i, resource) in program.resources.iter().enumerate() {
        let place = Place::Resource(ResourceId(i as u32));
        seen.clear();
        for (id, value) in &resource.attributes {
            found.check(key(program, place, *id, &mut seen));
            found.check(expr(program, place, *value));
        }
    }
}

/// Checks the scopes, and the number of groups of spans by resource and scope.
fn scopes(program: &Program, found: &mut Found) {
    let mut seen = HashSet::with_capacity(program.scopes.len());
    for (i, scope) in program.scopes.iter().enumerate() {
        let place = Place::Scope(ScopeId(i as u32));
        let name = found.check(named(program, place, "a scope's name", scope.name));
        found.check(
            scope.version.map_or(Ok(()), |version| named(program, place, "a scope's version", version).map(|_| ())),
        );
        if !seen.insert(scope) {
            found.add(twice(place, "scope", name.unwrap_or_default()));
        }
    }
    let forms = program.blocks.iter().filter_map(|block| block.span());
    let pairs: HashSet<_> = forms.filter_map(|form| Some((form.service, form.scope?))).collect();
    let instances =
        |service: ServiceId| program.services.get(service.index()).map_or(0, |service| service.resource_count());
    let groups = pairs.iter().map(|(service, _)| instances(*service) as usize).fold(0, usize::saturating_add);
    found.check(at_most(Place::Program, "instances with a scope", groups, limits::TABLE));
}

/// Checks that the resources of each service follow those of the service before, and that none remain.
fn resource_rows(program: &Program) -> Checked {
    let mut next = 0_u64;
    for (i, service) in program.services.iter().enumerate() {
        let place = Place::Service(ServiceId(i as u32));
        if u64::from(service.first_resource.0) != next {
            return Err(place.broken(Fault::ResourceOrder { expected: next as u32 }));
        }
        next += u64::from(service.instances) + service.rollouts.len() as u64;
        if next > program.resources.len() as u64 {
            let (id, len) = ((next - 1) as u32, program.resources.len());
            return Err(place.broken(Fault::OutOfRange { subject: "resource", id, len }));
        }
    }
    if next < program.resources.len() as u64 {
        let place = Place::Resource(ResourceId(next as u32));
        return Err(place.broken(Fault::ResourceOrder { expected: next as u32 }));
    }
    Ok(())
}

/// Assigns an attribute to its owner.
fn own(place: Place, owned: &mut [bool], attr: AttrId) -> Checked {
    within(place, "attr", attr.0, owned.len())?;
    if std::mem::replace(&mut owned[attr.index()], true) {
        return Err(place.broken(Fault::Attribute { attr: attr.0 }));
    }
    Ok(())
}

fn events(program: &Program, owned: &mut [bool], found: &mut Found) {
    for (i, event) in program.events.iter().enumerate() {
        let place = Place::Event(EventId(i as u32));
        found.check(expr(program, place, event.name));
        if let Some(repeat) = event.repeat {
            found.check(expr(program, place, repeat.count));
            let fits = (1..=limits::TURNS).contains(&repeat.max);
            found.check(require(place, fits, "an event has 1 to 10,000 turns"));
            found.check(require(place, repeat.until.is_none(), "nothing ends the turns of an event"));
        }
        found.check(event.when.map_or(Ok(()), |when| expr(program, place, when)));
        let is_likely = event.chance.is_none_or(|chance| chance <= Chance::ONE);
        found.check(require(place, is_likely, "a chance is at most 100 %"));
        if let Some(at) = event.at {
            found.check(within(place, "dist", at.0, program.dists.len()));
        }
        attributes(program, place, &event.attributes, owned, found);
    }
}

/// Checks the attributes of an event or a link, which belong only to it.
fn attributes(program: &Program, place: Place, row: &[(AttrId, ExprId)], owned: &mut [bool], found: &mut Found) {
    let mut seen = HashSet::new();
    for (attr, value) in row {
        let own = own(place, owned, *attr);
        found.check(own.and_then(|()| key(program, place, program.attrs[attr.index()], &mut seen)));
        found.check(expr(program, place, *value));
    }
}

fn specs(program: &Program, found: &mut Found) {
    let mut seen = HashSet::with_capacity(program.specs.len());
    for (i, spec) in program.specs.iter().enumerate() {
        let place = Place::CallSpec(CallSpecId(i as u32));
        if !seen.insert(spec) {
            found.add(twice(place, "call spec", ""));
        }
        if let Some(repeat) = spec.repeat {
            found.check(expr(program, place, repeat.count));
            found.check(require(place, (1..=limits::TURNS).contains(&repeat.max), "a call has 1 to 10,000 turns"));
        }
        for dist in spec.dists() {
            found.check(within(place, "dist", dist.0, program.dists.len()));
        }
        if let Some(timeout) = spec.timeout {
            found.check(constant_error(program, place, timeout.error));
            found.check(require(place, !spec.is_async, "a call that nobody waits for has no timeout"));
        }
        if let Some(retry) = spec.retry {
            found.check(require(
                place,
                (2..=limits::ATTEMPTS).contains(&retry.attempts),
                "a retry makes 2 to 20 attempts",
            ));
            found.check(require(place, (1_000..=100_000).contains(&retry.factor), "a factor is 1 to 100"));
            found.check(require(place, retry.jitter <= Chance::ONE, "a jitter is at most 100 %"));
            found.check(retry.when.map_or(Ok(()), |when| expr(program, place, when)));
        }
        if let Some(exchange) = spec.exchange {
            let end = u64::from(exchange.first_answer.0) + u64::from(exchange.answers);
            let last = end.saturating_sub(1).try_into().unwrap_or(u32::MAX);
            if exchange.answers > 0 {
                found.check(within(place, "answer", last, program.answers.len()));
            }
            let CallSpec { outcome, down, .. } = *spec;
            let alone = CallSpec { exchange: Some(exchange), outcome, down, ..CallSpec::default() };
            found.check(require(place, *spec == alone, "a request has no other terms than its outcome"));
            found.check(require(place, spec.outcome.is_some(), "a request has an outcome"));
        }
        if let Some(down) = spec.down {
            found.check(constant_error(program, place, down.error));
            found.check(expr(program, place, down.when));
            found.check(outage(program, place, down.when));
        }
        let waits = !spec.is_async || spec.outcome.is_none();
        found.check(require(place, waits, "a call that nobody waits for has no outcome"));
    }
}

/// Checks the windows of incidents.
fn incidents(program: &Program, found: &mut Found) {
    let mut names = HashSet::new();
    for (i, incident) in program.incidents.iter().enumerate() {
        let place = Place::Incident(IncidentId(i as u32));
        if let Some(name) = found.check(named(program, place, "an incident's name", incident.name))
            && !names.insert(incident.name)
        {
            found.add(twice(place, "incident", name));
        }
        found.check(require(place, (1..=limits::WINDOW).contains(&incident.length), "a window lasts 1 ns to a year"));
        let fits = incident.every.is_none_or(|every| (incident.length..=limits::WINDOW).contains(&every));
        found.check(require(place, fits, "windows do not overlap, and come at least once a year"));
        let opens = match incident.at {
            Opening::AfterStart(after) => after <= limits::WINDOW,
            Opening::TimeOfDay(time) => time < DAY,
        };
        found.check(require(place, opens, "a window opens at a time of day, or within a year of the start"));
        if let Some(RateChange { times, scenarios }) = &incident.rate {
            let is_possible = times.is_finite() && *times >= 0.0;
            found.check(require(place, is_possible, "the factor of a rate is finite and not negative"));
            let rising = scenarios.windows(2).all(|two| two[0] < two[1]);
            found.check(require(place, rising, "the scenarios of a rate are ascending"));
            for scenario in scenarios {
                found.check(within(place, "scenario", scenario.0, program.scenarios.len()));
            }
        }
    }
}

/// Checks the malformations, whose times do not depend on values.
fn malformations(program: &Program, found: &mut Found) {
    for (at, malformation) in program.malformations.iter().enumerate() {
        let place = Place::Malformation(at);
        found.check(require(place, malformation.chance <= Chance::ONE, "a chance is at most 100 %"));
        let rising = malformation.blocks.windows(2).all(|pair| pair[0] < pair[1]);
        found.check(require(place, rising && !malformation.blocks.is_empty(), "blocks are ascending, at least one"));
        for block in &malformation.blocks {
            found.check(within(place, "block", block.0, program.blocks.len()));
            let is_span = program.blocks.get(block.index()).is_none_or(|block| block.span().is_some());
            found.check(require(place, is_span, "only spans are malformed"));
        }
        if let Malform::ClockSkew { behind: Some(behind), .. } = malformation.kind {
            found.check(require(place, behind <= limits::DELAY, "a clock is at most 24 h behind"));
        }
        if let Some(by) = malformation.kind.by() {
            found.check(within(place, "dist", by.0, program.dists.len()));
            let form = program.dists.get(by.index()).map(|dist| &dist.form);
            let is_free =
                !matches!(form, Some(DistForm::Mix { .. } | DistForm::Computed { .. } | DistForm::Changed { .. }));
            found.check(require(place, is_free, "the time of a malformation depends on no value"));
        }
        if let Some(key) = malformation.kind.key() {
            found.check(key_text(program, place, key));
        }
        if let Malform::OversizedAttribute { bytes, .. } = malformation.kind {
            let fits = (1..=limits::TEXT_BYTES as u32).contains(&bytes);
            found.check(require(place, fits, "an oversized attribute has 1 to 1,048,576 bytes"));
        }
    }
}

fn scenarios(program: &Program, found: &mut Found) {
    if program.scenarios.is_empty() {
        return found.add(Place::Program.broken(Fault::NoScenario));
    }
    let mut names = HashSet::new();
    for (id, scenario) in program.scenario_ids().zip(&program.scenarios) {
        let place = Place::Scenario(id);
        if let Some(name) = found.check(named(program, place, "a scenario's name", scenario.name))
            && !names.insert(scenario.name)
        {
            found.add(twice(place, "scenario", name));
        }
        found.check(require(place, scenario.weight.is_finite() && scenario.weight >= 0.0, WEIGHT));
        found.check(at_most(place, "slots", scenario.slots.len(), limits::SLOTS));
        let longest = scenario.slots.iter().map(String::len).max().unwrap_or(0);
        found.check(at_most(place, "bytes of a slot's name", longest, limits::TEXT_BYTES));
        for (slot, value) in &scenario.vars {
            found.check(within(place, "slot", slot.0, scenario.slots.len()));
            found.check(expr(program, place, *value));
        }
        found.check(within(place, "block", scenario.root.0, program.blocks.len()));
        if let Some(state) = scenario.trace_state {
            found.check(text(program, place, state));
        }
        let is_group = program.blocks.get(scenario.root.index()).is_some_and(|root| root.span().is_none());
        if is_group {
            found.add(place.broken(Fault::RootGroup));
        }
    }
    let weights = || program.scenarios.iter().map(|s| s.weight);
    // Single weights that are invalid have been reported above.
    if weights().all(|weight| weight.is_finite() && weight >= 0.0) {
        found.check(weighted(Place::Program, weights()));
    }
}

fn form(program: &Program, id: BlockId, block: &Block, owned: &mut [bool], found: &mut Found) {
    let place = Place::Block(id);
    let Form::Span(span) = &block.form else { return };
    found.check(within(place, "service", span.service.0, program.services.len()));
    if let Some(scope) = span.scope {
        found.check(within(place, "scope", scope.0, program.scopes.len()));
    }
    if let Some(name) = span.name {
        found.check(text(program, place, name));
    }
    let mut seen = HashSet::new();
    let can_fail = block.failures().next().is_some();
    for (id, value) in &span.constants {
        let known = found.check(key(program, place, *id, &mut seen));
        found.check(constant(program, place, value));
        if can_fail && known.is_some() && program.texts[id.index()] == ERROR_TYPE {
            found.add(place.broken(Fault::ConstantErrorType));
        }
    }
    found.check(computed(program, place, span, owned, &mut seen));
}

/// Checks a span's range of attributes, in 64 bits, because a hostile range may end beyond u32. The loop ends at the first
/// invalid one, so it is no longer than the table.
fn computed(
    program: &Program,
    place: Place,
    span: &SpanForm,
    owned: &mut [bool],
    seen: &mut HashSet<TextId>,
) -> Checked {
    for attr in u64::from(span.attrs.first)..u64::from(span.attrs.first) + u64::from(span.attrs.count) {
        own(place, owned, AttrId(u32::try_from(attr).unwrap_or(u32::MAX)))?;
        key(program, place, program.attrs[attr as usize], seen)?;
    }
    Ok(())
}

/// Checks ids, jumps, delays and the end; slots are checked when the ways are followed.
fn code(program: &Program, id: BlockId, block: &Block, found: &mut Found) {
    let last = block.code.len().wrapping_sub(1);
    let attrs = block.attrs();
    let own = u64::from(attrs.first)..u64::from(attrs.first) + u64::from(attrs.count);
    for (pc, inst) in block.code.iter().enumerate() {
        let place = Place::Instruction(id, pc);
        if let Some(value) = inst.expr() {
            found.check(expr(program, place, value));
        }
        if let Some(target) = inst.target()
            && !(pc + 1..block.code.len()).contains(&(target as usize))
        {
            found.add(place.broken(Fault::Jump { target }));
        }
        found.check(match *inst {
            Inst::Link { link } => within(place, "link", link.0, program.links.len()),
            Inst::Attr { attr, .. } if own.contains(&u64::from(attr.0)) => Ok(()),
            Inst::Attr { attr, .. } => Err(place.broken(Fault::Attribute { attr: attr.0 })),
            Inst::Delay { min, max } => delay(place, min, max),
            Inst::DelayDist { dist } => within(place, "dist", dist.0, program.dists.len()),
            Inst::Fail { error, .. } => within(place, "error", error.0, program.errors.len()),
            Inst::Propagate { error, .. } => propagated(program, place, error),
            Inst::Event { event } => within(place, "event", event.0, program.events.len()),
            Inst::Call { block: callee, spec } => called(program, place, &block.form, callee, spec),
            Inst::Chance { chance, .. } => require(place, chance <= Chance::ONE, "a chance is at most 100 %"),
            Inst::Set { .. } | Inst::Name { .. } | Inst::Export { .. } | Inst::Roll | Inst::Test { .. } => Ok(()),
            Inst::SkipIfFailed { .. } | Inst::End => Ok(()),
        });
        if let Form::Group(group) = &block.form {
            let fits = !matches!(group, Group::Parallel { max } if *max > limits::TURNS);
            found.check(require(place, fits, "a pool has at most 10,000 workers"));
            found.check(require(place, may_group(group, inst), "a group only sets, tests and calls"));
        }
        if matches!(inst, Inst::End) != (pc == last) {
            found.add(place.broken(Fault::End));
        }
    }
    if block.code.is_empty() {
        found.add(Place::Block(id).broken(Fault::End));
    }
}

/// Checks that what decides whether a block is down is known before it starts: incidents and its instance.
fn outage(program: &Program, place: Place, when: ExprId) -> Checked {
    let mut waiting = vec![when];
    while let Some(id) = waiting.pop() {
        // What is out of range is reported with the expression that uses it.
        let Some(expr) = program.exprs.get(id.index()) else { continue };
        let is_known = matches!(expr, Expr::Incident { .. } | Expr::InstanceIndex | Expr::Const { .. })
            || matches!(expr, Expr::In { .. } | Expr::Binary { operator: Operator::And | Operator::Or, .. });
        require(place, is_known, "an outage depends on incidents and instances alone")?;
        waiting.extend(expr.operands().filter(|operand| operand.0 < id.0));
    }
    Ok(())
}

/// Checks that the error of a timeout or an outage needs no evaluation.
fn constant_error(program: &Program, place: Place, id: ErrorId) -> Checked {
    within(place, "error", id.0, program.errors.len())?;
    let error = &program.errors[id.index()];
    expr(program, place, error.r#type)?;
    let is_text = matches!(program.exprs[error.r#type.index()], Expr::Const { value: Constant::Text(_) });
    let is_plain = is_text && error.message.is_none() && error.attributes.is_empty() && error.delay.is_none();
    require(place, is_plain, "the error of a timeout or an outage is a constant type")
}

/// Checks that a failure which is passed on takes no time.
fn propagated(program: &Program, place: Place, id: ErrorId) -> Checked {
    within(place, "error", id.0, program.errors.len())?;
    require(place, program.errors[id.index()].delay.is_none(), "only a `fail` has an error that takes time")
}

fn called(program: &Program, place: Place, caller: &Form, block: BlockId, spec: Option<CallSpecId>) -> Checked {
    within(place, "block", block.0, program.blocks.len())?;
    let Some(spec) = spec else { return Ok(()) };
    within(place, "spec", spec.0, program.specs.len())?;
    if program.specs[spec.index()].exchange.is_none() {
        return Ok(());
    }
    let is = |form: &Form, kind| matches!(form, Form::Span(span) if span.kind == kind);
    let called = &program.blocks[block.index()].form;
    require(
        place,
        is(caller, SpanKind::Client) && is(called, SpanKind::Server),
        "a CLIENT sends a request, to a SERVER",
    )
}

/// Reports whether an instruction may be part of a group. Parallel calls have no time between them.
fn may_group(group: &Group, inst: &Inst) -> bool {
    match inst {
        Inst::Set { .. } | Inst::Test { .. } | Inst::Chance { .. } | Inst::Propagate { .. } => true,
        Inst::Call { .. } | Inst::End => true,
        Inst::Delay { .. } | Inst::DelayDist { .. } => matches!(group, Group::Sequence { .. }),
        Inst::Link { .. } | Inst::Attr { .. } | Inst::Name { .. } | Inst::Export { .. } => false,
        Inst::Roll | Inst::Fail { .. } | Inst::Event { .. } | Inst::SkipIfFailed { .. } => false,
    }
}

fn delay(place: Place, min: u64, max: u64) -> Checked {
    require(place, min <= max, "min is greater than max")?;
    require(place, max <= limits::DELAY, "a delay is at most 24 h")
}
