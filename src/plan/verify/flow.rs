//! Follows every block once along all its ways. Jumps go forward and every instruction can be fallen through, so one walk
//! in order covers every way: the state of a jump waits at its target and is merged there.

use super::values::{self, Values};
use super::violation::{Fault, Place};
use super::violations::Found;
use crate::plan::tree::Tree;
use crate::plan::{
    BlockId, Bound, CallSpec, Chance, Constant, DistId, ERROR_TYPE, ErrorId, Exchange, Expr, ExprId, Form, Group, Inst,
    LinkId, Program, ResourceId, Retry, ScenarioId, SlotId, limits,
};
use foldhash::{HashMap, HashMapExt};

/// Facts about the program's traces.
pub(super) struct Flow {
    /// The bounds of traces, by scenario.
    pub bounds: Vec<Bound>,
    /// The longest time from a block's start until its caller continues, in ns, by block.
    pub longest: Vec<u64>,
    /// The latest end of a block, in ns from the trace's start, by block.
    pub ends: Vec<u64>,
}

/// Follows all scenarios. In `order`, each scenario comes after those to which it links, because their texts determine the
/// length of what it reads.
pub(super) fn check(program: &Program, tree: &Tree, order: &[ScenarioId], found: &mut Found) -> Flow {
    let mut follow = Follow {
        program,
        values: Values::new(program),
        written: vec![],
        own: vec![0; program.blocks.len()],
        may_be_cut: vec![false; program.blocks.len()],
        starts: vec![0; program.blocks.len()],
        longest: vec![0; program.scenarios.len()],
        linkable: vec![None; program.links.len()],
        is_too_late: false,
        error_types: 0,
        tree,
        found,
    };
    for (r, resource) in program.resources.iter().enumerate() {
        let place = Place::Resource(ResourceId(r as u32));
        for (_, value) in &resource.attributes {
            follow.evaluate(place, [*value]);
        }
    }
    let mut bounds = vec![Bound { min_spans: 0, max_spans: 0, duration: 0 }; program.scenarios.len()];
    for id in order {
        bounds[id.index()] = follow.scenario(*id);
    }
    let ends: Vec<u64> = follow.own.iter().zip(&follow.starts).map(|(own, start)| start.saturating_add(*own)).collect();
    Flow { bounds, longest: follow.own, ends }
}

struct Follow<'a> {
    program: &'a Program,
    tree: &'a Tree,
    values: Values<'a>,
    /// The slots that the open blocks have written, with the instruction that wrote them; those of each block are in
    /// ascending order.
    written: Vec<(SlotId, u32)>,
    /// The longest duration of each block in ns.
    own: Vec<u64>,
    /// Whether each block may be cut short by a deadline.
    may_be_cut: Vec<bool>,
    /// The latest start of each block in ns, from the start of the block that calls it, and at the end from that of the
    /// trace.
    starts: Vec<u64>,
    /// The size in bytes of the longest type or message of an error in this scenario so far.
    error_types: u64,
    /// The size in bytes of the longest text of an attribute or export key, by scenario.
    longest: Vec<u64>,
    /// The size in bytes of the longest text that may be read from the spans that a link finds, by link, once it has been
    /// computed.
    linkable: Vec<Option<u64>>,
    /// Whether a trace of this scenario was found to last too long.
    is_too_late: bool,
    found: &'a mut Found,
}

/// Returns the sum of the longest times between the attempts of a call in ns, the first of which is at most `longest`.
fn backoffs(retry: Retry, longest: u64) -> u64 {
    let jitter = 1.0 + retry.jitter.0 as f64 / Chance::ONE.0 as f64;
    let (mut sum, mut wait) = (0_u64, longest as f64 * jitter);
    for _ in 1..retry.attempts {
        // A wait is cut to an hour. It is rounded up here, so that the sum is not less than what is drawn.
        sum = sum.saturating_add(wait.ceil().min(limits::BACKOFF as f64) as u64);
        wait *= f64::from(retry.factor) / 1e3;
    }
    sum
}

/// An instruction that writes slots.
#[derive(Clone, Copy)]
struct Writing {
    place: Place,
    block: BlockId,
    /// The position in its block.
    pc: u32,
    /// The position of the first slot that its block has written.
    base: usize,
}

/// Facts that are true for all ways to an instruction.
#[derive(Clone, Copy)]
struct Way {
    /// The minimum number of spans so far.
    min_spans: u64,
    rolled: bool,
    /// The largest sum of chances since `roll`.
    chances: u64,
    linked: bool,
    named: bool,
    /// Whether the span has a name on at least one of the ways.
    may_be_named: bool,
    /// Whether the span has failed on at least one of the ways.
    may_have_failed: bool,
    /// The first instruction that jumps here.
    from: u32,
    /// The latest time at which an instruction jumps here, in ns from the block's start.
    late: u64,
}

impl Way {
    fn merge(&mut self, other: Way) {
        self.min_spans = self.min_spans.min(other.min_spans);
        self.rolled &= other.rolled;
        self.chances = self.chances.max(other.chances);
        self.linked &= other.linked;
        self.named &= other.named;
        self.may_be_named |= other.may_be_named;
        self.may_have_failed |= other.may_have_failed;
        self.from = self.from.min(other.from);
        self.late = self.late.max(other.late);
    }
}

/// Facts about a block with all that it calls.
struct Totals {
    min_spans: u64,
    /// The longest time until its caller continues, in ns.
    time: u64,
    /// The longest time until its last span ends, in ns.
    latest: u64,
}

/// The latest time that a block has reached, in ns from its start.
struct Clock {
    now: u64,
    /// The latest end of a span in the block.
    latest: u64,
}

impl Follow<'_> {
    fn scenario(&mut self, id: ScenarioId) -> Bound {
        let place = Place::Scenario(id);
        let scenario = &self.program.scenarios[id.index()];
        self.values.begin(scenario.slots.len());
        self.is_too_late = false;
        self.error_types = 0;
        for (slot, value) in &scenario.vars {
            let longest = self.evaluate(place, [*value]);
            self.write(place, *slot, longest);
        }
        let totals = self.block(scenario.root);
        for block in self.tree.blocks(id) {
            if let Some(caller) = self.tree.caller(*block) {
                self.starts[block.index()] = self.starts[block.index()].saturating_add(self.starts[caller.index()]);
            }
        }
        let steps = |block: &BlockId| {
            let code = self.program.blocks[block.index()].code.iter();
            self.tree.turns(*block).saturating_mul(code.map(|inst| self.turns(inst)).sum())
        };
        let count = self.tree.blocks(id).iter().map(steps).fold(0, u64::saturating_add);
        if count > limits::STEPS {
            let (subject, max) = ("instructions to run for a trace", limits::STEPS);
            self.found.add(place.broken(Fault::TooMany { subject, count, max }));
        }
        let most = self.tree.most_spans(id);
        if most > u64::from(limits::SPANS) {
            let factors = self.tree.factors(self.program, id);
            self.found.add(place.broken(Fault::Spans { max: most, factors }));
        }
        Bound { min_spans: totals.min_spans as u32, max_spans: most as u32, duration: totals.latest }
    }

    /// Follows a block and all that it calls. The recursion is as deep as the calls, which the tree has limited.
    fn block(&mut self, id: BlockId) -> Totals {
        let program = self.program;
        let block = &program.blocks[id.index()];
        let scenario = self.tree.scenario(id).index();
        let base = self.written.len();
        let mut waiting: HashMap<u32, Way> = HashMap::new();
        let (own_spans, named) = match &block.form {
            Form::Span(span) => (1, span.name.is_some()),
            Form::Group(_) => (0, true),
        };
        let mut way = Way {
            min_spans: own_spans,
            rolled: false,
            chances: 0,
            linked: false,
            named,
            may_be_named: named,
            may_have_failed: false,
            from: u32::MAX,
            late: 0,
        };
        // Every jump leaves something out, so the longest way is the one without jumps, except for a failure that takes
        // time.
        let mut clock = Clock { now: 0, latest: 0 };
        let mut linkable = 0;
        for (_, value) in block.span().iter().flat_map(|span| &span.constants) {
            let longest = self.values.constant(value);
            self.longest[scenario] = self.longest[scenario].max(longest);
        }
        for (pc, inst) in block.code.iter().enumerate() {
            let (place, pc) = (Place::Instruction(id, pc), pc as u32);
            if let Some(other) = waiting.remove(&pc) {
                way.merge(other);
                clock.now = clock.now.max(other.late);
                self.forget(base, other.from);
            }
            self.values.site = values::Site::Span { linked: way.linked.then_some(linkable) };
            if !way.named && matches!(inst, Inst::Delay { .. } | Inst::DelayDist { .. } | Inst::Call { .. } | Inst::End)
            {
                self.found.add(place.broken(Fault::Name("the span has no name on every way here")));
                way.named = true;
            }
            if let Inst::Name { .. } = inst {
                if way.may_be_named {
                    self.found.add(place.broken(Fault::Name("the span already has a name")));
                }
                (way.named, way.may_be_named) = (true, true);
            }
            if let Inst::Fail { chance, .. } = inst {
                // A chance with a condition of its own may be left out, so it is not part of the sum.
                let is_guarded =
                    pc > 0 && matches!(block.code[pc as usize - 1], Inst::Test { target, .. } if target == pc + 1);
                self.fail(place, &mut way, *chance, is_guarded);
            }
            if let Some(error) = inst.error() {
                self.error_attributes(place, id, error);
            }
            if let Some(link) = inst.link() {
                (linkable, way.linked) = (self.linkable(link), true);
                self.values.site = values::Site::Span { linked: Some(linkable) };
            }
            let repeat = inst.event().and_then(|event| program.events[event.index()].repeat);
            for slot in repeat.into_iter().flat_map(|repeat| repeat.index.into_iter().chain(repeat.total)) {
                self.set(Writing { place, block: id, pc, base }, slot, values::INT);
            }
            let outside = self.values.begin_turns(self.turns(inst));
            let longest = self.evaluate(place, program.evaluated(inst));
            self.values.end_turns(outside);
            let jumping = match *inst {
                Inst::Set { slot, .. } => {
                    self.set(Writing { place, block: id, pc, base }, slot, longest);
                    None
                }
                Inst::Attr { .. } => {
                    self.longest[scenario] = self.longest[scenario].max(longest);
                    None
                }
                Inst::Export { key } => {
                    let longest = self.values.read(place, key);
                    let longest = self.found.check(longest).unwrap_or(0);
                    self.longest[scenario] = self.longest[scenario].max(longest);
                    None
                }
                Inst::Delay { max, .. } => {
                    clock.now = self.later(place, clock.now, max);
                    None
                }
                Inst::DelayDist { dist } => {
                    clock.now = self.later(place, clock.now, program.dists[dist.index()].max);
                    None
                }
                Inst::Roll => {
                    (way.rolled, way.chances) = (true, 0);
                    None
                }
                Inst::Fail { .. } | Inst::Propagate { .. } => {
                    self.error_types = self.error_types.max(longest);
                    let delay = inst.error().and_then(|error| program.errors[error.index()].delay);
                    let takes = delay.map_or(0, |dist| program.dists[dist.index()].max);
                    Some(Way { may_have_failed: true, late: self.later(place, clock.now, takes), ..way })
                }
                Inst::Test { .. } | Inst::Chance { .. } => Some(way),
                Inst::SkipIfFailed { .. } => {
                    let jumping = way.may_have_failed.then_some(way);
                    way.may_have_failed = false;
                    jumping
                }
                Inst::Call { block: called, spec } => {
                    let spec = spec.map_or(CallSpec::default(), |spec| program.specs[spec.index()]);
                    let at = Writing { place, block: id, pc, base };
                    way.min_spans += self.call(at, &block.form, called, spec, &mut clock);
                    None
                }
                Inst::End => {
                    if let Form::Group(Group::Sequence { outcome: Some(outcome) }) = &block.form {
                        for slot in outcome.slots() {
                            let read = self.values.read(place, slot);
                            self.found.check(read);
                        }
                    }
                    None
                }
                Inst::Name { .. } | Inst::Event { .. } | Inst::Link { .. } => None,
            };
            if let Some((target, jumping)) = inst.target().zip(jumping) {
                let jumping = Way { from: pc, late: jumping.late.max(clock.now), ..jumping };
                waiting.entry(target).and_modify(|there| there.merge(jumping)).or_insert(jumping);
            }
        }
        self.forget(base, 0);
        self.own[id.index()] = clock.now;
        Totals { min_spans: way.min_spans, time: clock.now, latest: clock.latest.max(clock.now) }
    }

    /// Returns the maximum number of times that an instruction takes effect.
    fn turns(&self, inst: &Inst) -> u64 {
        let event = inst.event().map(|event| self.program.events[event.index()].turns());
        let link = inst.link().map(|link| self.program.links[link.index()].most());
        event.or(link).unwrap_or(1).into()
    }

    /// Follows a call, and returns the minimum number of spans that it makes.
    fn call(&mut self, at: Writing, caller: &Form, block: BlockId, spec: CallSpec, clock: &mut Clock) -> u64 {
        let turns = u64::from(spec.turns());
        let least = match spec.repeat.map(|repeat| &self.program.exprs[repeat.count.index()]) {
            None => 1,
            Some(Expr::Const { value: Constant::Int(count) }) => u64::try_from(*count).unwrap_or(0).min(turns),
            Some(_) => 0,
        };
        if let Some(repeat) = spec.repeat {
            for slot in repeat.index.into_iter().chain(repeat.total) {
                self.set(at, slot, values::INT);
            }
            let until = repeat.until.map(|slot| self.values.read(at.place, slot));
            until.map(|read| self.found.check(read));
        }
        if let Some(slot) = spec.retry.and_then(|retry| retry.attempt) {
            self.set(at, slot, values::INT);
        }
        let (caller_may, attempts) = (self.may_be_cut[at.block.index()], u64::from(spec.attempts()));
        self.may_be_cut[block.index()] = self.program.may_be_cut(block, &spec, caller_may);
        // After its deadline a block makes no calls.
        let least = if caller_may || spec.down.is_some() { 0 } else { least };
        let outside = self.values.begin_turns(turns.saturating_mul(attempts));
        let called = self.block(block);
        self.values.end_turns(outside);
        if let Some(exchange) = spec.exchange {
            self.answers(at, block, exchange);
        }
        if let Some(down) = spec.down {
            let r#type = self.evaluate(at.place, [self.program.errors[down.error.index()].r#type]);
            self.error_types = self.error_types.max(r#type);
        }
        for slot in spec.outcome.into_iter().flat_map(|outcome| outcome.slots()) {
            if !self.is_own(at.base, slot) {
                self.found.add(at.place.broken(Fault::Outcome { slot }));
            }
            let result = self.values.raise(at.place, slot, self.error_types.max(values::BOOL));
            self.found.check(result);
        }
        // In a pool calls may be made one after another, whatever its size.
        let all_at_once = matches!(caller, Form::Group(Group::Parallel { max: 0 }));
        // The time from the call of a turn to its last attempt, and to the time when the caller continues.
        let longest = |dist: Option<DistId>| dist.map_or(0, |dist| self.program.dists[dist.index()].max);
        let time = spec.timeout.map_or(called.time, |timeout| called.time.min(longest(Some(timeout.after))));
        let network = longest(spec.exchange.map(|exchange| exchange.network));
        let to_last = longest(spec.wait)
            .saturating_add(network)
            .saturating_add(time.saturating_mul(attempts - 1))
            .saturating_add(spec.retry.map_or(0, |retry| backoffs(retry, longest(retry.backoff))));
        let turn = self.later(at.place, to_last, time);
        let before = if all_at_once || spec.is_async { 0 } else { self.times(at.place, turn, turns - 1) };
        let start = if all_at_once { 0 } else { clock.now };
        let start = self.later(at.place, start, before);
        let start = self.later(at.place, start, to_last);
        self.starts[block.index()] = start;
        clock.latest = clock.latest.max(self.later(at.place, start, called.latest));
        if !spec.is_async {
            let end = self.later(at.place, start, time);
            clock.now = clock.now.max(self.later(at.place, end, network));
        }
        least * called.min_spans
    }

    /// Writes the slots for the answer of `server`. The values are attributes of the server's span, so they are no longer
    /// than those followed there.
    fn answers(&mut self, at: Writing, server: BlockId, exchange: Exchange) {
        let row = self.program.blocks[server.index()].attrs();
        let longest = self.longest[self.tree.scenario(server).index()].max(self.error_types);
        for id in exchange.answers() {
            let answer = self.program.answers[id.index()];
            if !row.has(answer.attr) {
                self.found.add(at.place.broken(Fault::Attribute { attr: answer.attr.0 }));
            }
            self.set(at, answer.slot, longest);
        }
    }

    /// Writes a slot by the instruction `at`.
    fn set(&mut self, at: Writing, slot: SlotId, longest: u64) {
        if self.values.outgrows(slot, longest) && !self.is_own(at.base, slot) {
            self.found.add(at.place.broken(Fault::Longer { slot }));
        }
        if self.write(at.place, slot, longest) {
            self.written.push((slot, at.pc));
        }
    }

    /// Reports whether the open block, whose slots begin at `base`, has written a slot.
    fn is_own(&self, base: usize, slot: SlotId) -> bool {
        self.written[base..].iter().any(|(written, _)| *written == slot)
    }

    /// Returns a time multiplied by `times`, or 0 if that makes the trace too long.
    fn times(&mut self, place: Place, time: u64, times: u64) -> u64 {
        self.later(place, 0, time.checked_mul(times).unwrap_or(limits::DURATION))
    }

    /// Evaluates expressions, and returns the size in bytes of the longest text of any of them.
    fn evaluate(&mut self, place: Place, exprs: impl IntoIterator<Item = ExprId>) -> u64 {
        let mut longest = 0;
        for value in exprs {
            let result = self.values.evaluate(place, value);
            longest = self.found.check(result).unwrap_or(0).max(longest);
        }
        longest
    }

    /// Writes a slot, and returns whether it was unwritten.
    fn write(&mut self, place: Place, slot: SlotId, longest: u64) -> bool {
        let result = self.values.write(place, slot, longest);
        self.found.check(result).unwrap_or(false)
    }

    /// Checks that a chance is rolled for, and that the sum of chances is at most 1.
    fn fail(&mut self, place: Place, way: &mut Way, chance: Chance, is_guarded: bool) {
        if !way.rolled && chance < Chance::ONE {
            self.found.add(place.broken(Fault::NotRolled));
        }
        if chance > Chance::ONE {
            self.found.add(place.broken(Fault::ChanceSum));
        }
        if is_guarded {
            return;
        }
        way.chances = way.chances.saturating_add(chance.0);
        if way.chances > Chance::ONE.0 {
            self.found.add(place.broken(Fault::ChanceSum));
            way.chances = 0;
        }
    }

    /// Checks that the attributes of an error with which `block` fails its span are attributes of that span, and, if
    /// `block` is a group, that the span has no constant `error.type`.
    fn error_attributes(&mut self, place: Place, block: BlockId, error: ErrorId) {
        let span = self.tree.span(block);
        let row = self.program.blocks[span.index()].attrs();
        for (attr, _) in &self.program.errors[error.index()].attributes {
            if !row.has(*attr) {
                self.found.add(place.broken(Fault::Attribute { attr: attr.0 }));
            }
        }
        let constants = self.program.blocks[span.index()].span().into_iter().flat_map(|form| &form.constants);
        if span != block && constants.into_iter().any(|(key, _)| self.program.texts[key.index()] == ERROR_TYPE) {
            self.found.add(place.broken(Fault::ConstantErrorType));
        }
    }

    /// Returns the time `by` ns after `now`. If that makes the trace too long, it is reported once for the scenario, and
    /// `now` is returned.
    fn later(&mut self, place: Place, now: u64, by: u64) -> u64 {
        match now.checked_add(by).filter(|end| *end < limits::DURATION) {
            Some(end) => end,
            None => {
                if !std::mem::replace(&mut self.is_too_late, true) {
                    self.found.add(place.broken(Fault::Duration));
                }
                now
            }
        }
    }

    /// Marks the slots as unwritten that the open block has written from `from` on.
    fn forget(&mut self, base: usize, from: u32) {
        while self.written.len() > base
            && let Some((slot, _)) = self.written.pop_if(|(_, pc)| *pc >= from)
        {
            self.values.forget(slot);
        }
    }

    /// Returns the size in bytes of the longest text that may be read from the spans that a link finds. For spans of the
    /// same trace, it is that of the texts followed so far.
    fn linkable(&mut self, id: LinkId) -> u64 {
        let (tree, longest, link) = (self.tree, &self.longest, &self.program.links[id.index()]);
        let longest_of = |source: &BlockId| longest[tree.scenario(*source).index()];
        if link.same_trace {
            return link.sources.first().map_or(0, longest_of);
        }
        *self.linkable[id.index()].get_or_insert_with(|| link.sources.iter().map(longest_of).max().unwrap_or(0))
    }
}
