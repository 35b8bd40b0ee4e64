//! A cache of regenerated traces. It pays because the spans of a trace are often spread over a request, grouped by their
//! resources.

use super::change::{Changes, SharedChanges};
use super::tally::{Tallies, Totals};
use crate::export::{Json, Parts};
use crate::interpreter::{Interpreter, Run};
use crate::journal::{Archive, Dues, Identified};
use crate::trace::{Bytes, SpanView, Trace, TraceId, View};
use std::sync::Arc;

/// The number of cache slots; a trace is in the slot of its index modulo this. Most requests hold spans of fewer traces.
const SLOTS: u64 = 4_096;
/// The approximate maximum size of all cached traces in bytes; when it is exceeded, all are dropped. Their encoded forms
/// take several times as much.
const MOST_BYTES: usize = 32 << 20;
/// The maximum number of eras that are kept ready for interpretation.
const MOST_ERAS: usize = 8;

/// A generator that makes traces of a run again.
pub struct Remaker {
    pub archive: Archive,
    eras: Vec<Era>,
    slots: Vec<Slot>,
    /// The ids of traces that arrived not long ago, with their indices, each at a place that follows from its id. An id comes
    /// with each of its trace's spans, and this is quicker than to decrypt it.
    indices: Vec<(TraceId, u64)>,
    bytes: usize,
    totals: Totals,
    /// The declared changes, some of which may drop spans.
    changes: Changes,
}

/// An era's interpreter, and the counts of its traces.
pub struct Era {
    /// The index of the era's first trace.
    pub first: u64,
    interpreter: Interpreter,
    dues: Dues,
    /// The resources as they must arrive.
    pub shared: SharedChanges,
    /// What spans are made of, with these resources.
    pub parts: Parts,
    pub tallies: Tallies,
}

/// A slot of the cache, with the trace in it.
pub struct Slot {
    /// The trace's index; `u64::MAX` if the slot is empty.
    index: u64,
    /// The index of the first trace in the trace's era.
    first: u64,
    pub trace: Trace,
    /// The ordinals of the spans that were not sent because the run was stopped before, ascending.
    unsent: Vec<u32>,
    /// The ordinals of the spans that were sent and that a declared change drops, ascending, each with the number of the rule.
    dropped: Vec<(u32, u32)>,
    /// The ids and ordinals of the spans of a malformed trace, ascending; empty for other traces, whose ids tell the ordinals.
    by_id: Vec<(u64, u32)>,
    protobuf: Encoded,
    json: Encoded,
}

/// The encoded spans of a trace one after another, and the offset at which each ends. They are empty until they are needed.
#[derive(Default)]
struct Encoded {
    bytes: Bytes,
    ends: Vec<u32>,
}

impl Encoded {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Returns the bytes of span `ordinal`; on first use, `encode` appends each span.
    fn span(&mut self, spans: usize, ordinal: usize, mut encode: impl FnMut(usize, &mut Bytes)) -> &[u8] {
        for ordinal in self.ends.len()..spans {
            encode(ordinal, &mut self.bytes);
            self.ends.push(self.bytes.len() as u32);
        }
        let from = ordinal.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.bytes.as_slice()[from..self.ends[ordinal] as usize]
    }
}

impl Slot {
    fn empty() -> Slot {
        let (protobuf, json) = (Encoded::default(), Encoded::default());
        Slot {
            index: u64::MAX,
            first: 0,
            trace: Trace::default(),
            unsent: vec![],
            dropped: vec![],
            by_id: vec![],
            protobuf,
            json,
        }
    }

    /// Returns span `ordinal` as a protobuf message.
    pub fn protobuf(&mut self, era: &mut Era, ordinal: usize) -> &[u8] {
        let Era { interpreter, parts, .. } = era;
        let view = interpreter.run().origin().view(&self.trace);
        let encode = |ordinal, out: &mut Bytes| parts.span(view, ordinal, out);
        let field = self.protobuf.span(self.trace.spans.len(), ordinal, encode);
        // The message begins behind the tag and the length.
        let length = field[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
        &field[1 + length..]
    }

    /// Returns span `ordinal` as JSON.
    pub fn json(&mut self, era: &Era, ordinal: usize) -> &[u8] {
        let view = era.run().origin().view(&self.trace);
        let encode = |ordinal, out: &mut Bytes| Json::span(view.span(ordinal), out);
        self.json.span(self.trace.spans.len(), ordinal, encode)
    }

    /// Returns the number of spans that were sent.
    fn sent(&self) -> usize {
        self.trace.spans.len() - self.unsent.len()
    }

    /// Returns the number of spans that must arrive if their trace must.
    pub fn due(&self) -> usize {
        self.sent() - self.dropped.len()
    }

    /// Returns the ordinals of the spans that are not missed: they were not sent, or are dropped on the way.
    pub fn not_due(&self) -> impl Iterator<Item = usize> {
        self.unsent.iter().chain(self.dropped.iter().map(|(ordinal, _)| ordinal)).map(|ordinal| *ordinal as usize)
    }

    /// Returns the ordinals of the spans that were sent and that a change drops, with the numbers of the rules.
    fn droppable(&self, changes: &Changes, run: &Run) -> Vec<(u32, u32)> {
        let sent = self.view(run).spans().filter(|span| self.sends(span.ordinal));
        sent.filter_map(|span| Some((span.ordinal as u32, changes.dropper(span)? as u32))).collect()
    }

    /// Returns the numbers of the rules that drop spans of the trace, one for each span.
    pub fn droppers(&self) -> impl Iterator<Item = usize> {
        self.dropped.iter().map(|(_, rule)| *rule as usize)
    }

    /// Returns the number of the rule that drops span `ordinal`; `None` if none does.
    pub fn dropper(&self, ordinal: usize) -> Option<usize> {
        let found = self.dropped.binary_search_by_key(&(ordinal as u32), |(dropped, _)| *dropped).ok()?;
        Some(self.dropped[found].1 as usize)
    }

    /// Reports whether span `ordinal` must arrive if its trace must.
    pub fn is_due(&self, ordinal: usize) -> bool {
        self.sends(ordinal) && self.dropper(ordinal).is_none()
    }

    /// Reports whether span `ordinal` was sent.
    pub fn sends(&self, ordinal: usize) -> bool {
        self.unsent.is_empty() || self.unsent.binary_search(&(ordinal as u32)).is_err()
    }

    /// Returns the ordinals of the spans of a malformed trace that have this id.
    pub fn with_id(&self, id: u64) -> impl Iterator<Item = usize> {
        let first = self.by_id.partition_point(|(other, _)| *other < id);
        self.by_id[first..].iter().take_while(move |(other, _)| *other == id).map(|(_, ordinal)| *ordinal as usize)
    }

    pub fn view<'a>(&'a self, run: &'a Run) -> View<'a> {
        run.origin().view(&self.trace)
    }
}

impl Era {
    pub fn run(&self) -> &Arc<Run> {
        self.interpreter.run()
    }

    /// Returns the run that made the traces, the changes of its resources, and the traces' counts to be changed.
    pub fn run_and_tallies(&mut self) -> (&Run, &SharedChanges, &mut Tallies) {
        (self.interpreter.run(), &self.shared, &mut self.tallies)
    }
}

/// Returns the index of a span's service.
pub fn service(span: SpanView<'_>) -> usize {
    span.view.plan.span(span.record().block).service.index()
}

impl Remaker {
    pub fn new(archive: Archive, changes: Changes) -> Remaker {
        let totals = Totals::default();
        Remaker { archive, eras: vec![], slots: vec![], indices: vec![], bytes: 0, totals, changes }
    }

    /// Replaces the archive by a newer state of the same run. No trace from `reached` on has arrived.
    pub fn replace(&mut self, archive: Archive, reached: u64) {
        self.archive = archive;
        self.eras.retain(|era| era.first < reached);
        self.slots.clear();
        self.bytes = 0;
    }

    /// Returns the index of the trace with this id, or `None` if the id is not one of the run.
    pub fn index(&mut self, id: TraceId) -> Option<u64> {
        if self.indices.is_empty() {
            self.indices.resize(SLOTS as usize, (TraceId::default(), u64::MAX));
        }
        // Any part of an id is as random as the others.
        let known = &mut self.indices[(u128::from_be_bytes(id) % u128::from(SLOTS)) as usize];
        if known.0 != id || known.1 == u64::MAX {
            let Identified::Ours { index } = self.archive.identify(id) else { return None };
            *known = (id, index);
        }
        Some(known.1)
    }

    /// Returns the rank of trace `index` among the traces of the run's shard.
    pub fn position(&self, index: u64) -> u64 {
        index / self.archive.selection().shard.1
    }

    /// Returns trace `index`, or `None` if the run has sent nothing of such a trace.
    pub fn get(&mut self, index: u64) -> Option<(&mut Era, &mut Slot)> {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS as usize, Slot::empty);
        }
        let at = (self.position(index) % SLOTS) as usize;
        if self.slots[at].index != index {
            let first = self.archive.era(index)?.epoch.first;
            let era = self.era(first, index)?;
            self.fill(at, era, index);
        }
        let (first, sent) = (self.slots[at].first, self.slots[at].sent());
        if sent == 0 {
            return None;
        }
        let era = self.era(first, index)?;
        Some((&mut self.eras[era], &mut self.slots[at]))
    }

    fn fill(&mut self, slot: usize, era: usize, index: u64) {
        self.bytes -= self.slots[slot].trace.bytes();
        if self.bytes > MOST_BYTES {
            self.slots.fill_with(Slot::empty);
            self.bytes = 0;
        }
        let (slot, era) = (&mut self.slots[slot], &mut self.eras[era]);
        era.interpreter.trace(index, &mut slot.trace);
        slot.protobuf.clear();
        slot.json.clear();
        (slot.index, slot.first) = (index, era.first);
        slot.unsent = self.archive.unsent(&era.dues, &slot.trace);
        slot.by_id.clear();
        if !slot.trace.leaves.is_empty() {
            slot.by_id.extend(slot.trace.spans.iter().zip(0..).map(|(span, ordinal)| (span.id, ordinal)));
            slot.by_id.sort_unstable();
        }
        slot.dropped = if self.changes.drop_spans() { slot.droppable(&self.changes, era.run()) } else { vec![] };
        self.bytes += slot.trace.bytes();
    }

    /// Returns the position in `eras` of the era that begins with trace `first` and contains trace `index`, after making it
    /// ready.
    fn era(&mut self, first: u64, index: u64) -> Option<usize> {
        if let Some(at) = self.eras.iter().position(|era| era.first == first) {
            return Some(at);
        }
        let run = self.archive.run(index)?;
        if self.eras.len() == MOST_ERAS {
            self.totals.add(self.eras.remove(0).tallies);
        }
        let shared = self.changes.shared(run.resources());
        self.eras.push(Era {
            first,
            dues: self.archive.dues(run.plan()),
            parts: Parts::new(run.plan(), &shared.resources),
            shared,
            tallies: Tallies::new(run.plan()),
            interpreter: Interpreter::new(&run),
        });
        Some(self.eras.len() - 1)
    }

    pub fn into_totals(mut self) -> Totals {
        for era in self.eras {
            self.totals.add(era.tallies);
        }
        self.totals
    }
}
