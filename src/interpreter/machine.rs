//! The execution of one trace's instructions. The documentation of [`crate::plan::Inst`] says what each instruction does.

use super::calls::{Calls, Next};
use super::code::Op;
use super::evaluate::{Arrival, Evaluation, Found};
use super::failure::{Origin, record};
use super::identity::TraceIds;
use super::link::{self, Candidate, Finder};
use super::random::Random;
use super::run::Run;
use super::site::Site;
use crate::plan::{AttrId, BlockId, Down, ErrorId, EventId, ExprId, LinkId, ResourceId, ScenarioId, limits};
use crate::trace::{AttrRecord, EventRecord, ExportRecord, LinkRecord, NONE, SpanRecord, Trace, Value};

/// The machine that makes traces. Its registers, slots and stack are used again for each trace.
pub(super) struct Machine {
    random: Random,
    ids: TraceIds,
    slots: Vec<Value>,
    frames: Vec<Frame>,
    calls: Calls,
    /// The earlier trace that was last made again for a link.
    earlier: Trace,
    /// The first earlier trace in which a link found a span, while the search for more spans goes on.
    first: Trace,
    /// The machine that makes earlier traces again. It has another one for the links of those traces, and so on.
    replayer: Option<Box<Machine>>,
}

/// The trace to make.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub scenario: ScenarioId,
    pub index: u64,
    /// The start of the trace, in ns since 1970.
    pub start: u64,
    /// Whether the trace is made only for its exports. Links that nothing reads are then not searched for.
    pub replay: bool,
}

/// An open block, with the data needed to continue it after a call has returned.
#[derive(Clone, Copy)]
struct Frame {
    /// The next instruction.
    pc: u32,
    /// The ordinal of the block's span.
    span: u32,
    /// The span's first attribute record.
    attrs: u32,
    /// The span's last event, or [`NONE`].
    last_event: u32,
    /// The last roll minus the chances of the instructions since then; the instruction that makes it negative is hit.
    roll: i64,
}

impl Machine {
    /// Makes a machine for traces of the run, with a further machine for each link of the longest chain of links.
    pub fn new(run: &Run) -> Self {
        Machine::with_replayers(run, if run.code().links.is_empty() { 0 } else { limits::LINK_CHAIN })
    }

    fn with_replayers(run: &Run, replayers: u32) -> Self {
        Machine {
            random: run.draws(),
            ids: TraceIds::new(),
            slots: vec![Value::ABSENT; run.code().slots],
            frames: Vec::with_capacity(limits::CALL_DEPTH),
            calls: Calls::new(),
            earlier: Trace::default(),
            first: Trace::default(),
            replayer: replayers.checked_sub(1).map(|fewer| Box::new(Machine::with_replayers(run, fewer))),
        }
    }

    /// Clears `trace` and fills it with the trace that `subject` names.
    pub fn run(&mut self, run: &Run, finder: &mut Finder, subject: Subject, trace: &mut Trace) {
        let Machine { random, ids, slots, frames, calls, earlier, first, replayer } = self;
        let Subject { scenario, index, start, replay } = subject;
        let code = run.code();
        let plan = &*code.plan;
        trace.clear();
        trace.index = index;
        trace.id = ids.get(run.identity(), index);
        trace.scenario = scenario;
        trace.start = start;
        trace.end = start;
        random.seek(index);
        let mut e =
            Evaluation { code, random, slots, trace, earlier, span: NONE, linked: None, arrival: None, drawn: None };
        let scenario = &plan.scenarios[scenario.index()];
        for (slot, value) in &scenario.vars {
            e.slots[slot.index()] = e.value(*value);
        }

        frames.clear();
        calls.clear();
        let mut now = start;
        let mut frame = begin(run, &mut e, scenario.root, NONE, now);
        let ops = &code.ops[..];
        loop {
            let op = &ops[frame.pc as usize];
            frame.pc += 1;
            match *op {
                Op::AttrOfSlot { at, slot } => {
                    let value = e.slots[slot.index()];
                    e.trace.attrs[(frame.attrs + at) as usize].value = value;
                }
                Op::Attr { at, value } => {
                    let value = e.value(value);
                    e.trace.attrs[(frame.attrs + at) as usize].value = value;
                }
                Op::Set { slot, value } => e.slots[slot.index()] = e.value(value),
                Op::Delay { min, range } => {
                    let own = if range == 0 { min } else { min + e.random.up_to(range) };
                    now = now.saturating_add(own);
                }
                Op::DelayDist { dist } => now = now.saturating_add(e.time(dist)),
                Op::Roll { chances, missed } => {
                    frame.roll = e.random.u32() as i64;
                    if frame.roll >= chances as i64 {
                        frame.roll -= chances as i64;
                        frame.pc = missed;
                    }
                }
                Op::Fail { chance, inst, error, target } => {
                    frame.roll -= chance as i64;
                    if frame.roll < 0 {
                        now = fail(&mut e, inst, error, now);
                        frame.pc = target;
                    }
                }
                Op::SkipIfFailed { target } => {
                    if e.trace.spans[frame.span as usize].failure != NONE {
                        frame.pc = target;
                    }
                }
                Op::Test { value, target } => {
                    if !e.holds(value) {
                        frame.pc = target;
                    }
                }
                Op::Chance { chance, target } => {
                    if e.random.u32() as u64 >= chance {
                        frame.pc = target;
                    }
                }
                Op::Propagate { block, inst, error, target } => {
                    propagate(&mut e, block, inst, error, calls.returned);
                    frame.pc = target;
                }
                Op::CallBy { site } => {
                    let next = calls.call(&mut e, site, now);
                    match up(&mut e, calls, site, frame.span, next) {
                        Next::Run(start) => {
                            let site = &code.sites[site as usize];
                            now = start;
                            frames.push(frame);
                            frame = enter(run, &mut e, site, &frame, now);
                        }
                        Next::Return(time) => now = time,
                    }
                }
                Op::Return { site } => {
                    let next = calls.end(&mut e, site, frame.span, now);
                    let Some(caller) = frames.last() else { return };
                    e.span = caller.span;
                    match up(&mut e, calls, site, caller.span, next) {
                        Next::Run(start) => {
                            now = start;
                            frame = enter(run, &mut e, &code.sites[site as usize], caller, now);
                        }
                        Next::Return(time) => {
                            now = time;
                            frame = *caller;
                            frames.pop();
                        }
                    }
                }
                Op::Enter { pc } => {
                    frames.push(frame);
                    frame.pc = pc;
                }
                Op::Leave => {
                    let Some(caller) = frames.pop() else { return };
                    frame = caller;
                }
                Op::Call { block } => {
                    frames.push(frame);
                    frame = begin(run, &mut e, block, frame.span, now);
                }
                Op::End => {
                    e.trace.spans[frame.span as usize].end = now;
                    e.trace.end = e.trace.end.max(now);
                    let Some(caller) = frames.pop() else { return };
                    frame = caller;
                    e.span = frame.span;
                }
                Op::Event { event } => {
                    frame.last_event = events(&mut e, frame.last_event, event, now, calls.deadline.time);
                }
                Op::Name { value } => {
                    let name = e.text(value);
                    let name = if name.is_absent() { Value::text(0, 0) } else { name };
                    e.trace.spans[frame.span as usize].name = name;
                }
                Op::Export { key } => {
                    let key = e.as_text(e.slots[key.index()]);
                    if !key.is_absent() {
                        e.trace.exports.push(ExportRecord { span: frame.span, key });
                    }
                }
                Op::Link { link } => {
                    let seek = Seek { run, finder, replayer: replayer.as_deref_mut(), first, replay };
                    seek.link(&mut e, link, now);
                }
            }
        }
    }
}

/// Starts the span of `block`.
#[inline(always)]
fn begin(run: &Run, e: &mut Evaluation, block: BlockId, parent: u32, now: u64) -> Frame {
    let entry = e.code.entry(block);
    let resource = if entry.is_fixed { entry.resource } else { instance(e, block, parent, now) };
    let span = e.trace.spans.len() as u32;
    let attrs = e.trace.attrs.len() as u32;
    e.trace.attrs.extend(e.code.attributes(entry, e.slots));
    e.trace.spans.push(SpanRecord {
        id: run.identity().span_id(e.trace.index, span),
        start: now,
        end: now,
        name: entry.name,
        block,
        resource,
        parent,
        attrs,
        failure: NONE,
        event: NONE,
        link: NONE,
    });
    e.span = span;
    e.linked = None;
    Frame { pc: entry.pc, span, attrs, last_event: NONE, roll: 0 }
}

/// Makes the attempts of a call that fail because its block is down, and returns what comes after them.
#[inline(always)]
fn up(e: &mut Evaluation, calls: &mut Calls, at: u32, parent: u32, next: Next) -> Next {
    match (e.code.sites[at as usize].spec.down, next) {
        (Some(down), Next::Run(start)) => up_again(e, calls, at, parent, down, start),
        (_, next) => next,
    }
}

#[inline(never)]
fn up_again(e: &mut Evaluation, calls: &mut Calls, at: u32, parent: u32, down: Down, start: u64) -> Next {
    let mut start = start;
    loop {
        let block = e.code.sites[at as usize].block;
        let entry = e.code.entry(block);
        // The instance is drawn before all else, as it is for a span that starts.
        let resource = if entry.is_fixed { entry.resource } else { instance(e, block, parent, start) };
        if !e.is_down(down.when, Arrival { time: start, resource, block }) {
            e.drawn = (!entry.is_fixed).then_some(resource);
            return Next::Run(start);
        }
        match calls.refuse(e, at, down, start) {
            Next::Run(again) => start = again,
            next => return next,
        }
    }
}

/// Starts the block that `site` calls.
#[inline(never)]
fn enter(run: &Run, e: &mut Evaluation, site: &Site, caller: &Frame, now: u64) -> Frame {
    if site.makes_span() {
        return begin(run, e, site.block, caller.span, now);
    }
    Frame { pc: e.code.entry(site.block).pc, ..*caller }
}

/// Chooses the instance on which a span runs that starts at `now` (in ns since 1970), and returns its resource: the
/// parent's instance if the parent is of the same service and calls the span in its own process, otherwise a drawn one, if
/// there are several.
fn instance(e: &mut Evaluation, block: BlockId, parent: u32, now: u64) -> ResourceId {
    if let Some(drawn) = e.drawn.take() {
        return drawn;
    }
    let code = e.code;
    let service = code.service(block);
    let theirs = (!code.entry(block).arrives && parent != NONE).then(|| e.trace.spans[parent as usize].resource);
    let instance = match theirs.and_then(|theirs| service.instance_of(theirs)) {
        Some(instance) => instance,
        None if service.instances == 1 => 0,
        None => e.random.below32(service.instances),
    };
    code.resource(service, instance, now)
}

/// The data needed to search for the target of a link.
struct Seek<'a> {
    run: &'a Run,
    finder: &'a mut Finder,
    replayer: Option<&'a mut Machine>,
    first: &'a mut Trace,
    replay: bool,
}

impl Seek<'_> {
    /// Links the current span, which starts at `now` (in ns since 1970), to the spans that the link `id` finds, and stores
    /// the first of them in `e`.
    #[cold]
    #[inline(never)]
    fn link(mut self, e: &mut Evaluation, id: LinkId, now: u64) {
        let code = e.code;
        let form = &code.plan.links[id.index()];
        e.linked = None;
        let lag = form.lag.map_or(0, |lag| e.time(lag));
        let most = form.count.map_or(1, |count| e.count(count.value, count.max).unwrap_or(0));
        let Some(time) = now.checked_sub(lag).filter(|_| most > 0) else { return };
        if form.same_trace {
            self.in_this_trace(e, id, most, time);
        } else if !self.replay || code.links.is_read(e.trace.spans[e.span as usize].block) {
            self.in_earlier_traces(e, id, most, time);
        }
    }

    /// Links to the last `most` spans of this trace that had ended by `time`.
    fn in_this_trace(&self, e: &mut Evaluation, id: LinkId, most: u32, time: u64) {
        let (mut first, mut left, mut before) = (None, most, e.trace.exports.len());
        while left > 0 {
            let has_ended = |found: &Found| found.export < before && e.trace.spans[found.span as usize].end <= time;
            let Some(found) = link::exports(e.code, id, e.trace, 0).rev().find(has_ended) else { break };
            (before, left) = (found.export, left - 1);
            first = first.or(Some(found));
            add_link(self.run, e, id, found);
        }
        e.linked = first;
    }

    /// Links to the last `most` spans of earlier traces that had ended by `time`. Afterwards `e.earlier` holds the trace of
    /// the first one.
    fn in_earlier_traces(&mut self, e: &mut Evaluation, id: LinkId, most: u32, time: u64) {
        let Seek { run, finder, replayer: Some(replayer), first: kept, .. } = self else { return };
        let Some(mut search) = finder.search(run, id, most, e.trace.index, time) else { return };
        let (mut first, mut left, mut is_kept) = (None, most, false);
        while left > 0
            && let Some(Candidate { scenario, index, start }) = finder.candidate(run, &mut search)
        {
            replayer.run(run, finder, Subject { scenario, index, start, replay: true }, e.earlier);
            let mut from = 0;
            while left > 0
                && let Some(found) = finder.judge(run, &search, e.earlier, from)
            {
                (from, left) = (found.export + 1, left - 1);
                first = first.or(Some(found));
                add_link(run, e, id, found);
            }
            // The expressions that follow read the first span found, so its trace is kept while others are made.
            if first.is_some() && !is_kept && left > 0 {
                std::mem::swap(e.earlier, kept);
                is_kept = true;
            }
        }
        if is_kept {
            std::mem::swap(e.earlier, kept);
        }
        e.linked = first;
    }
}

/// Fails the current span, unless it failed earlier, as the call did that returned at `time` (in ns since 1970). The
/// instruction is at `inst` of `block`, which is the span's block or a group in it.
#[inline(never)]
fn propagate(e: &mut Evaluation, block: BlockId, inst: u32, error: ErrorId, time: u64) {
    let failure = e.trace.spans[e.span as usize].failure;
    if failure != NONE && e.trace.failures[failure as usize].time <= time {
        return;
    }
    record(e, Origin { block, inst, error, exception: false }, e.span, time);
}

/// Fails the current span by the instruction at `inst` of its block. Returns the time afterwards, in ns since 1970.
#[inline(never)]
fn fail(e: &mut Evaluation, inst: u32, error: ErrorId, now: u64) -> u64 {
    let delay = e.code.plan.errors[error.index()].delay;
    let now = delay.map_or(now, |dist| now.saturating_add(e.time(dist)));
    let block = e.trace.spans[e.span as usize].block;
    record(e, Origin { block, inst, error, exception: true }, e.span, now);
    now
}

/// Adds an event to the current span, after its `last` event, as often as the event happens, and returns the last event of
/// the span. Events that happen now are left out once the `deadline` has passed; those with a time of their own happen by
/// the end of the span.
#[inline(never)]
fn events(e: &mut Evaluation, mut last: u32, event: EventId, now: u64, deadline: u64) -> u32 {
    let form = &e.code.plan.events[event.index()];
    if now > deadline && form.at.is_none() {
        return last;
    }
    let Some(repeat) = form.repeat else { return turn(e, last, event, now) };
    let turns = e.count(repeat.count, repeat.max).unwrap_or(0);
    if let Some(slot) = repeat.total {
        e.slots[slot.index()] = Value::int(turns.into());
    }
    for number in 0..turns {
        if let Some(slot) = repeat.index {
            e.slots[slot.index()] = Value::int(number.into());
        }
        last = turn(e, last, event, now);
    }
    last
}

/// Adds an event once, unless its condition is false, and returns the last event of the span.
#[inline(always)]
fn turn(e: &mut Evaluation, last: u32, event: EventId, now: u64) -> u32 {
    let form = &e.code.plan.events[event.index()];
    let is_left_out = form.when.is_some_and(|when| !e.holds(when))
        || form.chance.is_some_and(|chance| e.random.u32() as u64 >= chance.0);
    if is_left_out {
        return last;
    }
    let time = form.at.map_or(now, |at| e.trace.spans[e.span as usize].start.saturating_add(e.time(at)));
    let name = e.text(form.name);
    let name = if name.is_absent() { Value::text(0, 0) } else { name };
    let (attrs, attrs_end) = row(e, &form.attributes);
    let number = e.trace.events.len() as u32;
    e.trace.events.push(EventRecord { time, name, event, attrs, attrs_end, next: NONE });
    match last {
        NONE => e.trace.spans[e.span as usize].event = number,
        last => e.trace.events[last as usize].next = number,
    }
    number
}

/// Evaluates the attributes of an event or a link, and returns the range of their records.
fn row(e: &mut Evaluation, attributes: &[(AttrId, ExprId)]) -> (u32, u32) {
    let first = e.trace.attrs.len() as u32;
    for (attr, value) in attributes {
        let value = e.value(*value);
        e.trace.attrs.push(AttrRecord { attr: *attr, value });
    }
    (first, e.trace.attrs.len() as u32)
}

/// Adds a link to the span found, after the links that the current span already has.
#[cold]
fn add_link(run: &Run, e: &mut Evaluation, id: LinkId, found: Found) {
    e.linked = Some(found);
    let code = e.code;
    let (attrs, attrs_end) = row(e, &code.plan.links[id.index()].attributes);
    let trace = if found.same_trace { &*e.trace } else { &*e.earlier };
    let (trace_id, scenario) = (trace.id, trace.scenario);
    let span_id = run.identity().span_id(trace.index, found.span);
    let number = e.trace.links.len() as u32;
    // All links of a span are found before another span begins, so the last link is of this span.
    match e.trace.spans[e.span as usize].link {
        NONE => e.trace.spans[e.span as usize].link = number,
        _ => e.trace.links[number as usize - 1].next = number,
    }
    e.trace.links.push(LinkRecord { trace_id, span_id, scenario, attrs, attrs_end, next: NONE });
}
