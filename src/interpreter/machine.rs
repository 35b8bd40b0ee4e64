//! Executes one trace's instructions. Each instruction's doc in [`crate::plan::Inst`] says what it does.

use super::Run;
use super::code::Op;
use super::evaluate::Evaluation;
use super::identity::TraceIds;
use super::link::{Found, Past};
use super::random::Random;
use crate::plan::{BlockId, ErrorId, EventId, ResourceId, ScenarioId};
use crate::trace::{AttrRecord, EventRecord, ExportRecord, FailureRecord, LinkRecord, NONE, SpanRecord, Trace, Value};

/// What runs traces: registers, slots and a stack, used again for each.
pub(super) struct Machine {
    random: Random,
    ids: TraceIds,
    slots: Vec<Value>,
    frames: Vec<Frame>,
}

/// A machine that replays earlier traces, and the last one it has.
pub(super) struct Level {
    machine: Machine,
    pub trace: Trace,
}

impl Level {
    pub fn new(run: &Run) -> Self {
        Level { machine: Machine::new(run), trace: Trace::default() }
    }

    pub fn replay(
        &mut self,
        run: &Run,
        past: &mut Past,
        below: &mut [Level],
        scenario: ScenarioId,
        index: u64,
        start: u64,
    ) {
        let what = Subject { scenario, index, start, replay: true };
        self.machine.run(run, past, below, what, &mut self.trace);
    }
}

/// Which trace to run.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub scenario: ScenarioId,
    pub index: u64,
    /// ns since 1970.
    pub start: u64,
    /// For its exports only: links that nothing reads need not be found.
    pub replay: bool,
}

/// An open block: all that goes on where it was left when a call returns.
#[derive(Clone, Copy)]
struct Frame {
    /// Next instruction.
    pc: u32,
    /// Ordinal of the span.
    span: u32,
    /// The span's first attribute record.
    attrs: u32,
    /// The span's last event, or [`NONE`].
    last_event: u32,
    /// The last roll less the chances since: below 0 is a hit.
    roll: i64,
}

impl Machine {
    pub fn new(run: &Run) -> Self {
        Machine {
            random: run.draws(),
            ids: TraceIds::new(),
            slots: vec![Value::ABSENT; run.code().slots],
            frames: Vec::with_capacity(crate::plan::limits::CALL_DEPTH),
        }
    }

    /// Clears `trace` and makes it the trace `what`.
    pub fn run(&mut self, run: &Run, past: &mut Past, below: &mut [Level], what: Subject, trace: &mut Trace) {
        let Machine { random, ids, slots, frames } = self;
        let Subject { scenario, index, start, replay } = what;
        let code = run.code();
        let plan = &*code.plan;
        trace.clear();
        trace.index = index;
        trace.id = ids.get(run.identity(), index);
        trace.scenario = scenario;
        trace.start = start;
        trace.end = start;
        random.seek(index);
        let mut e = Evaluation { code, random, slots, trace, below, span: NONE, linked: None };
        let scenario = &plan.scenarios[scenario.index()];
        for (slot, value) in &scenario.vars {
            e.slots[slot.index()] = e.value(*value);
        }

        frames.clear();
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
                Op::Roll { chances, missed } => {
                    frame.roll = e.random.u32() as i64;
                    if frame.roll >= chances as i64 {
                        frame.roll -= chances as i64;
                        frame.pc = missed;
                    }
                }
                Op::Fail { chance, error, target } => {
                    frame.roll -= chance as i64;
                    if frame.roll < 0 {
                        fail(&mut e, error, now);
                        frame.pc = target;
                    }
                }
                Op::SkipIfFailed { target } => {
                    if e.trace.spans[frame.span as usize].failure != NONE {
                        frame.pc = target;
                    }
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
                Op::Event { event } => frame.last_event = add_event(&mut e, frame.last_event, event, now),
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
                        e.linked = past.find(run, e.below, link, index, now);
                    }
                    if let Some(found) = e.linked {
                        add_link(run, &mut e, found);
                    }
                }
            }
        }
    }
}

/// Start the span of `block`.
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

/// Which of several instances a span runs on: its parent's if that is of the same service and calls it in the process, else a
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

#[inline(never)]
fn fail(e: &mut Evaluation, error: ErrorId, now: u64) {
    let plan = &e.code.plan;
    let form = &plan.errors[error.index()];
    let r#type = e.text(form.r#type);
    let r#type = if r#type.is_absent() { Value::text(0, 0) } else { r#type };
    let message = form.message.map_or(Value::ABSENT, |message| e.text(message));
    let span = &mut e.trace.spans[e.span as usize];
    span.failure = e.trace.failures.len() as u32;
    e.trace.failures.push(FailureRecord { time: now, error, r#type, message });
    if let Some(attr) = plan.error_type_attr(span.block) {
        let at = attr.0 - e.code.entry(span.block).attrs.0;
        e.trace.attrs[(span.attrs + at) as usize].value = r#type;
    }
    while e.trace.exports.last().is_some_and(|export| export.span == e.span) {
        e.trace.exports.pop();
    }
}

/// The number of the new event, which follows the span's `last`.
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
    let Some(level) = e.below.first() else { return };
    let span_id = run.identity().span_id(level.trace.index, found.span);
    let next = e.trace.spans[e.span as usize].link;
    e.trace.spans[e.span as usize].link = e.trace.links.len() as u32;
    e.trace.links.push(LinkRecord { trace_id: level.trace.id, span_id, next });
}
