//! Executes one trace's instructions. Each instruction's doc in [`crate::plan::Inst`] says what it does.

use super::calls::{Calls, Next, is_true};
use super::code::Op;
use super::evaluate::{Evaluation, Found};
use super::failure::{Origin, record};
use super::identity::TraceIds;
use super::link::{Candidate, Finder};
use super::random::Random;
use super::run::Run;
use super::site::Site;
use crate::plan::{BlockId, ErrorId, EventId, LinkId, ResourceId, ScenarioId, limits};
use crate::trace::{AttrRecord, EventRecord, ExportRecord, LinkRecord, NONE, SpanRecord, Trace, Value};

/// What runs traces: registers, slots and a stack, used again for each.
pub(super) struct Machine {
    random: Random,
    ids: TraceIds,
    slots: Vec<Value>,
    frames: Vec<Frame>,
    calls: Calls,
    /// The trace that was last replayed for a link.
    earlier: Trace,
    /// The machine that replays it, which has one of its own for the links of that trace, and so on.
    replayer: Option<Box<Machine>>,
}

/// Which trace to run.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub scenario: ScenarioId,
    pub index: u64,
    /// ns since 1970.
    pub start: u64,
    /// The trace is made for its exports only: links that nothing reads need not be found.
    pub replay: bool,
}

/// An open block: what it needs to go on where it was left when a call returns.
#[derive(Clone, Copy)]
struct Frame {
    /// The next instruction.
    pc: u32,
    /// The ordinal of the span.
    span: u32,
    /// The span's first attribute record.
    attrs: u32,
    /// The span's last event, or [`NONE`].
    last_event: u32,
    /// The last roll less the chances since then: below 0, it is a hit.
    roll: i64,
}

impl Machine {
    /// A machine for traces of the run, with as many to replay earlier ones as links may follow one another.
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
            replayer: replayers.checked_sub(1).map(|fewer| Box::new(Machine::with_replayers(run, fewer))),
        }
    }

    /// Clears `trace` and makes it the one that `subject` says.
    pub fn run(&mut self, run: &Run, finder: &mut Finder, subject: Subject, trace: &mut Trace) {
        let Machine { random, ids, slots, frames, calls, earlier, replayer } = self;
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
        let mut e = Evaluation { code, random, slots, trace, earlier, span: NONE, linked: None };
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
                        fail(&mut e, inst, error, now);
                        frame.pc = target;
                    }
                }
                Op::SkipIfFailed { target } => {
                    if e.trace.spans[frame.span as usize].failure != NONE {
                        frame.pc = target;
                    }
                }
                Op::Test { value, target } => {
                    if !is_true(e.value(value)) {
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
                Op::CallBy { site } => match calls.call(&mut e, site, now) {
                    Next::Run(start) => {
                        let site = &code.sites[site as usize];
                        now = start;
                        frames.push(frame);
                        frame = enter(run, &mut e, site, &frame, now);
                    }
                    Next::Return(time) => now = time,
                },
                Op::Return { site } => {
                    let next = calls.end(&mut e, site, frame.span, now);
                    let Some(caller) = frames.last() else { return };
                    e.span = caller.span;
                    match next {
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
                    if now <= calls.deadline.time {
                        frame.last_event = add_event(&mut e, frame.last_event, event, now);
                    }
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
                    e.linked = None;
                    if !replay || code.links.is_read(e.trace.spans[frame.span as usize].block) {
                        e.linked = find(run, finder, replayer.as_deref_mut(), e.earlier, link, index, now);
                    }
                    if let Some(found) = e.linked {
                        add_link(run, &mut e, found);
                    }
                }
            }
        }
    }
}

/// Starts the span of `block`.
#[inline(always)]
fn begin(run: &Run, e: &mut Evaluation, block: BlockId, parent: u32, now: u64) -> Frame {
    let entry = e.code.entry(block);
    let resource = if entry.instances == 1 { entry.resource } else { instance(e, block, parent) };
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

/// Starts the block that `site` calls.
#[inline(never)]
fn enter(run: &Run, e: &mut Evaluation, site: &Site, caller: &Frame, now: u64) -> Frame {
    if site.makes_span() {
        return begin(run, e, site.block, caller.span, now);
    }
    Frame { pc: e.code.entry(site.block).pc, ..*caller }
}

/// Chooses the instance that a span runs on, of several: its parent's if that is of the same service and calls it in the process, else a
/// draw.
fn instance(e: &mut Evaluation, block: BlockId, parent: u32) -> ResourceId {
    let entry = e.code.entry(block);
    if !entry.arrives && parent != NONE {
        let theirs = e.trace.spans[parent as usize].resource;
        if theirs.0.wrapping_sub(entry.resource.0) < entry.instances {
            return theirs;
        }
    }
    ResourceId(entry.resource.0 + e.random.below32(entry.instances))
}

/// Finds what the link of trace `index` at `time` (ns since 1970) leads to, and leaves its trace in `earlier`.
#[cold]
#[inline(never)]
fn find(
    run: &Run,
    finder: &mut Finder,
    replayer: Option<&mut Machine>,
    earlier: &mut Trace,
    link: LinkId,
    index: u64,
    time: u64,
) -> Option<Found> {
    let (mut search, replayer) = (finder.search(run, link, index, time)?, replayer?);
    while let Some(candidate) = finder.candidate(run, &mut search) {
        let Candidate { scenario, index, start } = candidate;
        replayer.run(run, finder, Subject { scenario, index, start, replay: true }, earlier);
        let found = finder.judge(run, &search, earlier);
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Fails the current span by the instruction at `inst` of `block`, which is its own or a group in it, as the call did that returned
/// at `time` (ns since 1970), unless it failed earlier.
#[inline(never)]
fn propagate(e: &mut Evaluation, block: BlockId, inst: u32, error: ErrorId, time: u64) {
    let failure = e.trace.spans[e.span as usize].failure;
    if failure != NONE && e.trace.failures[failure as usize].time <= time {
        return;
    }
    record(e, Origin { block, inst, error, exception: false }, e.span, time);
}

/// Fails the current span by the instruction at `inst` of its block.
#[inline(never)]
fn fail(e: &mut Evaluation, inst: u32, error: ErrorId, now: u64) {
    let block = e.trace.spans[e.span as usize].block;
    record(e, Origin { block, inst, error, exception: true }, e.span, now);
}

/// Adds an event behind the span's `last` one. Returns its number.
#[inline(never)]
fn add_event(e: &mut Evaluation, last: u32, event: EventId, now: u64) -> u32 {
    let form = &e.code.plan.events[event.index()];
    let name = e.text(form.name);
    let name = if name.is_absent() { Value::text(0, 0) } else { name };
    let attrs = e.trace.attrs.len() as u32;
    for (attr, value) in &form.attributes {
        let value = e.value(*value);
        e.trace.attrs.push(AttrRecord { attr: *attr, value });
    }
    let attrs_end = e.trace.attrs.len() as u32;
    let number = e.trace.events.len() as u32;
    e.trace.events.push(EventRecord { time: now, name, event, attrs, attrs_end, next: NONE });
    match last {
        NONE => e.trace.spans[e.span as usize].event = number,
        last => e.trace.events[last as usize].next = number,
    }
    number
}

#[cold]
fn add_link(run: &Run, e: &mut Evaluation, found: Found) {
    let span_id = run.identity().span_id(e.earlier.index, found.span);
    let next = e.trace.spans[e.span as usize].link;
    e.trace.spans[e.span as usize].link = e.trace.links.len() as u32;
    e.trace.links.push(LinkRecord { trace_id: e.earlier.id, span_id, next });
}
