//! Executes one trace's instructions. Each instruction's doc in [`crate::plan::Inst`] says what it does.

use super::Run;
use super::evaluate::Evaluation;
use super::identity::TraceIds;
use super::link::{Found, Past};
use super::random::Random;
use crate::plan::{BlockId, ErrorId, EventId, Inst, ResourceId, ScenarioId};
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
    block: BlockId,
    /// Next instruction.
    pc: u32,
    /// Ordinal of the span.
    span: u32,
    /// The span's first attribute record less its block's first attribute: added to an attribute's id, its record.
    attrs: u32,
    /// The span's last event, or [`NONE`].
    last_event: u32,
    roll: u32,
    /// Sum of chances since `roll`.
    chances: u64,
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
        let mut e = Evaluation { code, random, slots, trace, below, span: NONE, start, linked: None };
        let scenario = &plan.scenarios[scenario.index()];
        for (slot, value) in &scenario.vars {
            e.slots[slot.index()] = e.value(*value);
        }

        frames.clear();
        let mut now = start;
        let mut frame = begin(run, &mut e, scenario.root, NONE, now);
        let mut block = &plan.block(frame.block).code[..];
        loop {
            let inst = &block[frame.pc as usize];
            frame.pc += 1;
            match *inst {
                Inst::Set { slot, value } => e.slots[slot.index()] = e.value(value),
                Inst::Attr { attr, value } => {
                    let value = e.value(value);
                    e.trace.attrs[frame.attrs.wrapping_add(attr.0) as usize].value = value;
                }
                Inst::Delay { min, max } => {
                    let own = if min == max { min } else { min + e.random.below((max - min) as u128 + 1) };
                    now = now.saturating_add(own);
                }
                Inst::Roll => {
                    frame.roll = e.random.u32();
                    frame.chances = 0;
                }
                Inst::Fail { chance, error, target } => {
                    frame.chances += chance.0;
                    if (frame.roll as u64) < frame.chances {
                        fail(&mut e, &frame, error, now);
                        frame.pc = target;
                    }
                }
                Inst::SkipIfFailed { target } => {
                    if e.trace.spans[frame.span as usize].failure != NONE {
                        frame.pc = target;
                    }
                }
                Inst::Call { block: called } => {
                    frames.push(frame);
                    frame = begin(run, &mut e, called, frame.span, now);
                    block = &plan.block(called).code[..];
                }
                Inst::End => {
                    e.trace.spans[frame.span as usize].end = now;
                    e.trace.end = e.trace.end.max(now);
                    let Some(caller) = frames.pop() else { return };
                    frame = caller;
                    block = &plan.block(frame.block).code[..];
                    e.span = frame.span;
                    e.start = e.trace.spans[frame.span as usize].start;
                }
                Inst::Event { event } => add_event(&mut e, &mut frame, event, now),
                Inst::Name { value } => {
                    let name = e.text(value);
                    let name = if name.is_absent() { Value::text(0, 0) } else { name };
                    e.trace.spans[frame.span as usize].name = name;
                }
                Inst::Export { key } => {
                    let key = e.as_text(e.slots[key.index()]);
                    if !key.is_absent() {
                        e.trace.exports.push(ExportRecord { span: frame.span, key });
                    }
                }
                Inst::Link { link } => {
                    e.linked = None;
                    if !replay || code.links.is_read(frame.block) {
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
    for i in 0..entry.attr_count {
        let attr = crate::plan::AttrId(entry.attrs.0 + i);
        e.trace.attrs.push(AttrRecord { attr, value: Value::ABSENT });
    }
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
    e.start = now;
    e.linked = None;
    Frame { block, pc: 0, span, attrs: attrs.wrapping_sub(entry.attrs.0), last_event: NONE, roll: 0, chances: 0 }
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

#[cold]
fn fail(e: &mut Evaluation, frame: &Frame, error: ErrorId, now: u64) {
    let plan = &e.code.plan;
    let form = &plan.errors[error.index()];
    let r#type = e.text(form.r#type);
    let r#type = if r#type.is_absent() { Value::text(0, 0) } else { r#type };
    let message = form.message.map_or(Value::ABSENT, |message| e.text(message));
    e.trace.spans[frame.span as usize].failure = e.trace.failures.len() as u32;
    e.trace.failures.push(FailureRecord { time: now, error, r#type, message });
    if let Some(attr) = plan.error_type_attr(frame.block) {
        e.trace.attrs[frame.attrs.wrapping_add(attr.0) as usize].value = r#type;
    }
    while e.trace.exports.last().is_some_and(|export| export.span == frame.span) {
        e.trace.exports.pop();
    }
}

#[cold]
fn add_event(e: &mut Evaluation, frame: &mut Frame, event: EventId, now: u64) {
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
    match frame.last_event {
        NONE => e.trace.spans[frame.span as usize].event = number,
        last => e.trace.events[last as usize].next = number,
    }
    frame.last_event = number;
}

#[cold]
fn add_link(run: &Run, e: &mut Evaluation, found: Found) {
    let Some(level) = e.below.first() else { return };
    let span_id = run.identity().span_id(level.trace.index, found.span);
    let next = e.trace.spans[e.span as usize].link;
    e.trace.spans[e.span as usize].link = e.trace.links.len() as u32;
    e.trace.links.push(LinkRecord { trace_id: level.trace.id, span_id, next });
}
