//! The plan in a form for people, which `compile --emit plan` prints and snapshots compare.

use super::notation::{duration, name, percent};
use super::{
    AttrId, BlockId, CallSpecId, Constant, DistId, ErrorId, EventId, Expr, ExprId, Form, Group, Incident, IncidentId,
    Inst, LinkId, Malform, Malformation, Opening, Place, Plan, Program, Repeat,
};
use super::{ScenarioId, ServiceId, SlotId};
use std::collections::{BTreeSet, HashSet};
use std::fmt::{self, Display, Formatter, Write};

/// A line of the listing, and the place in the plan that it shows.
pub struct ListingLine {
    pub place: Place,
    pub text: String,
}

impl Plan {
    /// Returns the listing: a line for the plan; then each scenario with its slots, its distributions and its blocks in the
    /// order in which they are called; then the services with the attributes of their instances. Constant attributes are
    /// shown before the block's first instruction, because they are sent before all others.
    pub fn listing(&self) -> impl Display {
        Listing { plan: self }
    }

    /// Returns the lines of the listing for one scenario.
    pub fn scenario_listing(&self, scenario: ScenarioId) -> Vec<ListingLine> {
        let mut lines = vec![];
        let mut add = |place, text: fmt::Arguments<'_>| {
            lines.push(ListingLine { place, text: text.to_string() });
            Ok(())
        };
        // Collecting lines never fails.
        let _ = Listing { plan: self }.scenario(scenario, &mut add);
        lines
    }

    /// Returns the lines of the listing for some scenarios, up to `bytes` bytes, and whether there are more.
    pub fn listing_within(&self, scenarios: &[ScenarioId], bytes: usize) -> (Vec<ListingLine>, bool) {
        let (mut lines, mut left) = (vec![], bytes);
        let mut add = |place, text: fmt::Arguments<'_>| {
            let mut line = Capped { text: String::new(), left };
            line.write_fmt(text)?;
            left = line.left;
            lines.push(ListingLine { place, text: line.text });
            Ok(())
        };
        let listing = Listing { plan: self };
        let whole = scenarios.iter().try_for_each(|scenario| listing.scenario(*scenario, &mut add));
        (lines, whole.is_err())
    }

    /// Returns the name of a block's spans, or its expression if the name is computed.
    pub fn block_name(&self, id: BlockId) -> String {
        let computed = || self.block(id).computed_name().map(|value| self.show_expr(value).to_string());
        self.span(id).name.map_or_else(|| computed().unwrap_or_default(), |name| self.text(name).into())
    }

    /// Returns the name of a block's spans as a template: computed parts are in `<<` and `>>`, a slot under its own name.
    pub fn operation(&self, block: BlockId) -> String {
        match (self.span(block).name, self.block(block).computed_name()) {
            (None, Some(value)) => self.template(&self.scenarios[self.scenario_of(block).index()].slots, value),
            _ => self.block_name(block),
        }
    }

    fn template(&self, slots: &[String], id: ExprId) -> String {
        match &self.exprs[id.index()] {
            Expr::Const { value: Constant::Text(text) } => self.text(*text).into(),
            Expr::Concat { parts } => parts.iter().map(|part| self.template(slots, *part)).collect(),
            Expr::Text { operand } => self.template(slots, *operand),
            Expr::Slot { slot } => format!("<<{}>>", slots[slot.index()]),
            _ => format!("<<{}>>", self.show_expr(id)),
        }
    }

    /// Returns the type of the error with which an instruction may fail its span, or its expression if the type is
    /// computed, or `(handed on)` if it is that of a call's failure. The text is empty if the instruction fails nothing.
    pub fn failure_name(&self, block: BlockId, pc: usize) -> String {
        let inst = self.block(block).code.get(pc);
        if let Some(Inst::Propagate { .. }) = inst {
            return "(handed on)".into();
        }
        let timeout = inst.and_then(Inst::spec).and_then(|spec| self.specs[spec.index()].timeout);
        let error = inst.and_then(Inst::error).or(timeout.map(|timeout| timeout.error));
        error.map_or_else(String::new, |id| self.show_name_expr(self.errors[id.index()].r#type).to_string())
    }
}

/// The program that is shown need not be verified: an id that is out of range is shown as the id.
impl Program {
    /// Formats an instruction.
    pub(super) fn show_inst(&self, inst: &Inst) -> impl Display {
        fmt::from_fn(move |f| match *inst {
            Inst::Set { slot, value } => write!(f, "set    {slot} = {}", self.show_expr(value)),
            Inst::Link { link } => write!(f, "link   {}", self.show_link(link)),
            Inst::Attr { attr, value } => write!(f, "attr   {} = {}", self.show_key(attr), self.show_expr(value)),
            Inst::Name { value } => write!(f, "name   {}", self.show_expr(value)),
            Inst::Export { key } => write!(f, "export {key}"),
            Inst::Delay { min, max } if min == max => write!(f, "delay  {}", duration(min)),
            Inst::Delay { min, max } => write!(f, "delay  {} {}", duration(min), duration(max)),
            Inst::DelayDist { dist } => write!(f, "delay  {dist}"),
            Inst::Roll => write!(f, "roll"),
            Inst::Fail { chance, error, target } => {
                write!(f, "fail   {} {} -> {target}", percent(chance), self.show_error(error))
            }
            Inst::Event { event } => write!(f, "event  {}", self.show_event(event)),
            Inst::SkipIfFailed { target } => write!(f, "failed -> {target}"),
            Inst::Test { value, target } => write!(f, "test   {} else -> {target}", self.show_expr(value)),
            Inst::Chance { chance, target } => write!(f, "chance {} else -> {target}", percent(chance)),
            Inst::Propagate { error, target } => write!(f, "propagate {} -> {target}", self.show_error(error)),
            Inst::Call { block, spec } => {
                write!(f, "call   {block}")?;
                spec.map_or(Ok(()), |spec| self.show_spec(spec).fmt(f))
            }
            Inst::End => write!(f, "end"),
        })
    }

    /// Formats a malformation, with the blocks that are given.
    fn show_malformation(&self, malformation: &Malformation, blocks: &[BlockId]) -> impl Display {
        fmt::from_fn(move |f| {
            write!(f, "{} {}", malformation.kind.name(), percent(malformation.chance))?;
            match malformation.kind {
                Malform::ClockSkew { by, behind, per_instance } => {
                    write!(f, " by {by}")?;
                    behind.map_or(Ok(()), |behind| write!(f, " - {}", duration(behind)))?;
                    f.write_str(if per_instance { " of instances" } else { "" })?;
                }
                Malform::Late { by } => write!(f, " by {by}")?,
                Malform::OversizedAttribute { key, bytes } => write!(f, " {} {bytes} bytes", self.show_name(key))?,
                Malform::InvalidUtf8 { key } => write!(f, " {}", self.show_name(key))?,
                _ => {}
            }
            blocks.iter().try_for_each(|block| write!(f, " {block}"))
        })
    }

    fn show_spec(&self, id: CallSpecId) -> impl Display {
        fmt::from_fn(move |f| {
            let Some(spec) = self.specs.get(id.index()) else { return write!(f, " {id}") };
            spec.repeat.map_or(Ok(()), |repeat| self.show_repeat(f, repeat))?;
            f.write_str(if spec.is_async { " async" } else { "" })?;
            spec.wait.map_or(Ok(()), |dist| write!(f, " wait {dist}"))?;
            if let Some(timeout) = spec.timeout {
                write!(f, " timeout {} {}", timeout.after, self.show_error(timeout.error))?;
            }
            if let Some(retry) = spec.retry {
                write!(f, " retry {}", retry.attempts)?;
                retry.backoff.map_or(Ok(()), |dist| write!(f, " backoff {dist}"))?;
                let factor = f64::from(retry.factor) / 1e3;
                if factor > 1.0 {
                    write!(f, " factor {factor}")?;
                }
                if retry.jitter.0 > 0 {
                    write!(f, " jitter {}", percent(retry.jitter))?;
                }
                retry.when.map_or(Ok(()), |when| write!(f, " when {}", self.show_operand(when)))?;
                retry.attempt.map_or(Ok(()), |slot| write!(f, " attempt {slot}"))?;
            }
            if let Some(exchange) = spec.exchange {
                write!(f, " network {}", exchange.network)?;
                for answer in exchange.answers().filter_map(|id| self.answers.get(id.index())) {
                    write!(f, " {} = {}", answer.slot, self.show_key(answer.attr))?;
                }
            }
            if let Some(down) = spec.down {
                write!(f, " down when {} {}", self.show_operand(down.when), self.show_error(down.error))?;
            }
            let Some(outcome) = spec.outcome else { return Ok(()) };
            write!(f, " failed {} type {} message {}", outcome.failed, outcome.r#type, outcome.message)
        })
    }

    fn show_repeat(&self, f: &mut Formatter<'_>, repeat: Repeat) -> fmt::Result {
        write!(f, " repeat {} max {}", self.show_operand(repeat.count), repeat.max)?;
        repeat.index.map_or(Ok(()), |slot| write!(f, " index {slot}"))?;
        repeat.total.map_or(Ok(()), |slot| write!(f, " count {slot}"))?;
        repeat.until.map_or(Ok(()), |slot| write!(f, " until {slot}"))
    }

    /// Formats an incident with its windows.
    pub(super) fn show_incident(&self, incident: &Incident) -> impl Display {
        fmt::from_fn(move |f| {
            write!(f, "{} at ", self.show_text(incident.name))?;
            match incident.at {
                Opening::AfterStart(after) => write!(f, "+{}", duration(after))?,
                Opening::TimeOfDay(time) => {
                    let seconds = time / 1_000_000_000;
                    write!(f, "{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
                }
            }
            write!(f, " for {}", duration(incident.length))?;
            incident.every.map_or(Ok(()), |every| write!(f, " every {}", duration(every)))?;
            let Some(rate) = &incident.rate else { return Ok(()) };
            write!(f, " rate x{}", rate.times)?;
            let operand = if rate.scenarios.is_empty() { "" } else { " of" };
            f.write_str(operand)?;
            rate.scenarios.iter().try_for_each(|scenario| write!(f, " {scenario}"))
        })
    }

    fn show_link(&self, id: LinkId) -> impl Display {
        fmt::from_fn(move |f| {
            let Some(link) = self.links.get(id.index()) else { return id.fmt(f) };
            write!(f, "{} from", self.show_text(link.glob))?;
            link.sources.iter().try_for_each(|block| write!(f, " {block}"))?;
            f.write_str(if link.same_trace { " in this trace" } else { "" })?;
            link.lag.map_or(Ok(()), |dist| write!(f, " lag {dist}"))?;
            link.count
                .map_or(Ok(()), |count| write!(f, " count {} max {}", self.show_operand(count.value), count.max))?;
            self.show_attributes(f, &link.attributes)
        })
    }

    fn show_error(&self, id: ErrorId) -> impl Display {
        fmt::from_fn(move |f| {
            let Some(error) = self.errors.get(id.index()) else { return id.fmt(f) };
            write!(f, "{}", self.show_name_expr(error.r#type))?;
            error.message.map_or(Ok(()), |message| write!(f, " {}", self.show_operand(message)))?;
            error.delay.map_or(Ok(()), |dist| write!(f, " after {dist}"))?;
            self.show_attributes(f, &error.attributes)
        })
    }

    fn show_event(&self, id: EventId) -> impl Display {
        fmt::from_fn(move |f| {
            let Some(event) = self.events.get(id.index()) else { return id.fmt(f) };
            write!(f, "{}", self.show_name_expr(event.name))?;
            event.repeat.map_or(Ok(()), |repeat| self.show_repeat(f, repeat))?;
            event.when.map_or(Ok(()), |when| write!(f, " when {}", self.show_operand(when)))?;
            event.chance.map_or(Ok(()), |chance| write!(f, " chance {}", percent(chance)))?;
            event.at.map_or(Ok(()), |dist| write!(f, " at {dist}"))?;
            self.show_attributes(f, &event.attributes)
        })
    }

    fn show_attributes(&self, f: &mut Formatter<'_>, attributes: &[(AttrId, ExprId)]) -> fmt::Result {
        for (i, (attr, value)) in attributes.iter().enumerate() {
            let (key, value) = (self.show_key(*attr), self.show_expr(*value));
            write!(f, "{}{key} = {value}", if i > 0 { ", " } else { " {" })?;
        }
        f.write_str(if attributes.is_empty() { "" } else { "}" })
    }
}

/// A line that is refused if it is too long.
struct Capped {
    text: String,
    /// The number of bytes that still fit.
    left: usize,
}

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}

struct Listing<'a> {
    plan: &'a Plan,
}

/// A function that receives a line without its line end.
type Add<'a> = dyn FnMut(Place, fmt::Arguments<'_>) -> fmt::Result + 'a;

impl Display for Listing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        let (scenarios, services) =
            (counted(plan.scenarios.len(), "scenario"), counted(plan.services.len(), "service"));
        writeln!(f, "plan {}  {scenarios}  {services}", plan.digest_short())?;
        if let Some(source) = plan.shared_source() {
            writeln!(f, "load {}", plan.show_source(source))?;
        }
        let mut add = |_, text: fmt::Arguments<'_>| writeln!(f, "{text}");
        for (i, incident) in plan.incidents.iter().enumerate() {
            let id = IncidentId(i as u32);
            add(Place::Incident(id), format_args!("  {id} {}", plan.show_incident(incident)))?;
        }
        plan.scenario_ids().try_for_each(|scenario| self.scenario(scenario, &mut add))?;
        (0..plan.services.len()).try_for_each(|s| self.service(f, ServiceId(s as u32)))
    }
}

fn counted(n: usize, subject: &str) -> impl Display {
    fmt::from_fn(move |f| write!(f, "{n} {subject}{}", if n == 1 { "" } else { "s" }))
}

impl Listing<'_> {
    fn scenario(&self, id: ScenarioId, add: &mut Add<'_>) -> fmt::Result {
        let (plan, scenario, bound) = (self.plan, &self.plan.scenarios[id.index()], self.plan.bound(id));
        let (title, weight) = (plan.show_text(scenario.name), scenario.weight);
        let place = Place::Scenario(id);
        let state = fmt::from_fn(|f| match scenario.trace_state {
            Some(state) => write!(f, "  trace_state {}", plan.show_text(state)),
            None => Ok(()),
        });
        let spans = format_args!("spans {}..{}", bound.min_spans, bound.max_spans).to_string();
        match plan.own_source(id) {
            Some(source) if weight == 1.0 => {
                add(place, format_args!("{id} {title} load {}  {spans}{state}", plan.show_source(source)))?;
            }
            Some(source) => {
                let source = plan.show_source(source);
                add(place, format_args!("{id} {title} load {source} times {weight}  {spans}{state}"))?;
            }
            None => add(place, format_args!("{id} {title} weight {weight}  {spans}{state}"))?,
        }
        for (slot, value) in &scenario.vars {
            let (title, value) = (name(&scenario.slots[slot.index()]), plan.show_expr(*value));
            add(Place::Slot(id, *slot), format_args!("  {slot} {title} = {value}"))?;
        }
        let vars: HashSet<SlotId> = scenario.vars.iter().map(|(slot, _)| *slot).collect();
        let slots = scenario.slots.iter().enumerate().map(|(s, title)| (SlotId(s as u32), title));
        for (slot, title) in slots.filter(|(slot, _)| !vars.contains(slot)) {
            add(Place::Slot(id, slot), format_args!("  {slot} {}", name(title)))?;
        }
        for dist in self.dists(id) {
            let shown = plan.show_dist(&plan.dists[dist.index()]);
            add(Place::Dist(dist), format_args!("  {dist} {shown}"))?;
        }
        for malformation in &plan.malformations {
            let own: Vec<BlockId> =
                malformation.blocks.iter().copied().filter(|b| plan.scenario_of(*b) == id).collect();
            if !own.is_empty() {
                let all = own.len() == plan.blocks_of(id).iter().filter(|b| plan.block(**b).span().is_some()).count();
                let shown = plan.show_malformation(malformation, if all { &[] } else { &own });
                add(Place::Scenario(id), format_args!("  malform {shown}"))?;
            }
        }
        plan.blocks_of(id).iter().try_for_each(|block| self.block(*block, add))
    }

    /// Returns the distributions of a scenario with their parts, in order.
    fn dists(&self, id: ScenarioId) -> BTreeSet<DistId> {
        let code = self.plan.blocks_of(id).iter().flat_map(|block| &self.plan.block(*block).code);
        let mut dists: BTreeSet<DistId> = code.flat_map(|inst| self.plan.drawn(inst)).collect();
        let malform = self.plan.malformations.iter();
        let malform = malform.filter(|m| m.blocks.iter().any(|block| self.plan.scenario_of(*block) == id));
        dists.extend(malform.filter_map(|malformation| malformation.kind.by()));
        let parts: Vec<DistId> = dists.iter().flat_map(|dist| self.plan.made_of(*dist)).collect();
        dists.extend(parts);
        dists
    }

    fn block(&self, id: BlockId, add: &mut Add<'_>) -> fmt::Result {
        let (plan, block) = (self.plan, self.plan.block(id));
        let title = fmt::from_fn(|f| match &block.form {
            Form::Span(span) => {
                let service = plan.show_name(plan.services[span.service.index()].name);
                write!(f, "{id} span {} {} {service}", span.kind.name(), span.service)?;
                span.name.map_or(Ok(()), |text| write!(f, " {}", plan.show_text(text)))?;
                if span.scope.is_some() {
                    let (scope, version) = plan.scope_of(id);
                    write!(f, " scope {}", name(scope))?;
                    if !version.is_empty() {
                        write!(f, " {}", name(version))?;
                    }
                }
                f.write_str(if span.ok { " ok" } else { "" })
            }
            Form::Group(Group::Sequence { outcome: None }) => write!(f, "{id} sequence"),
            Form::Group(Group::Sequence { outcome: Some(outcome) }) => {
                write!(f, "{id} sequence failed {}", outcome.failed)
            }
            Form::Group(Group::Parallel { max: 0 }) => write!(f, "{id} parallel"),
            Form::Group(Group::Parallel { max }) => write!(f, "{id} parallel max {max}"),
        });
        add(Place::Block(id), format_args!("  {title}"))?;
        let width = 3.max(block.code.len().to_string().len());
        let constants = block.span().into_iter().flat_map(|span| &span.constants);
        for (at, (key, value)) in constants.enumerate() {
            let (key, value) = (plan.show_name(*key), plan.show_constant(value));
            add(Place::Constant(id, at), format_args!("  {:width$}  const  {key} = {value}", ""))?;
        }
        for (pc, inst) in block.code.iter().enumerate() {
            add(Place::Instruction(id, pc), format_args!("  {pc:width$}  {}", plan.show_inst(inst)))?;
        }
        Ok(())
    }

    fn service(&self, f: &mut Formatter<'_>, id: ServiceId) -> fmt::Result {
        let (plan, service) = (self.plan, &self.plan.services[id.index()]);
        let instances = counted(service.instances as usize, "instance");
        let resolution = fmt::from_fn(|f| match service.resolution {
            Some(ns) => write!(f, "  clock {}", duration(ns)),
            None => Ok(()),
        });
        writeln!(f, "{id} {}  {instances}{resolution}", plan.show_name(service.name))?;
        for (at, resource) in service.resources().enumerate() {
            write!(f, "  {resource}")?;
            for (key, value) in &plan.resources[resource.index()].attributes {
                write!(f, "  {} = {}", plan.show_name(*key), plan.show_expr(*value))?;
            }
            if let Some(rollout) = at.checked_sub(service.instances as usize).map(|at| &service.rollouts[at]) {
                write!(f, "  while {} for instance {}", rollout.incident, rollout.instance)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn the_listing_of_the_fixture() {
        insta::assert_snapshot!(fixture::plan().listing(), @r#"
        plan 81ad01c1  2 scenarios  3 services
        scenario0 "E-commerce Order Processing" weight 15  spans 1..2
          slot0 user_id = text int 1000 9999
          slot1 order_id = concat "order-" uuid
          slot2 export_context_as
          block0 span SERVER service0 api-gateway "POST /api/v1/orders"
               const  http.request.method = "POST"
            0  attr   user.id = slot0
            1  delay  5ms 15ms
            2  roll
            3  fail   2% RateLimitExceeded "API rate limit exceeded for user." -> 4
            4  failed -> 6
            5  call   block1
            6  end
          block1 span PRODUCER service1 order-service
            0  attr   order.id = slot1
            1  attr   error.type = "none"
            2  name   concat "process " slot1
            3  set    slot2 = slot1
            4  export slot2
            5  delay  1.5ms
            6  event  order.validated {order.total = float 10.00 999.99}
            7  end
        scenario1 "Shipping" weight 0.5  spans 1..1
          block2 span CONSUMER service2 shipping-service "ship"
            0  link   "order-*" from block1
            1  attr   order.id = linked order.id
            2  delay  0ms 2s
            3  end
        service0 api-gateway  1 instance
          resource0  service.name = "api-gateway"
        service1 order-service  1 instance
          resource1  service.name = "order-service"
        service2 shipping-service  1 instance
          resource2  service.name = "shipping-service"
        "#);
    }

    #[test]
    fn an_operation_is_a_template() {
        let plan = fixture::plan();
        assert_eq!(plan.operation(BlockId(0)), "POST /api/v1/orders");
        assert_eq!(plan.operation(BlockId(1)), "process <<order_id>>");
    }

    #[test]
    fn one_scenario_reads_as_it_does_among_all() {
        let plan = fixture::plan();
        let lines = plan.scenario_listing(ScenarioId(0));
        let text: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
        assert!(plan.listing().to_string().contains(&format!("services\n{text}scenario1")));
        let at = |start: &str| lines.iter().find(|l| l.text.trim_start().starts_with(start)).map(|l| l.place);
        assert_eq!(at("scenario0"), Some(Place::Scenario(ScenarioId(0))));
        assert_eq!(at("slot1"), Some(Place::Slot(ScenarioId(0), SlotId(1))));
        assert_eq!(at("const"), Some(Place::Constant(BlockId(0), 0)));
        assert_eq!(at("3  fail"), Some(Place::Instruction(BlockId(0), 3)));
        let within = |bytes: usize| {
            let (lines, more) = plan.listing_within(&[ScenarioId(0)], bytes);
            (lines.len(), more)
        };
        let bytes: usize = lines.iter().map(|line| line.text.len()).sum();
        assert_eq!((within(bytes), within(bytes - 1)), ((lines.len(), false), (lines.len() - 1, true)));
    }
}
