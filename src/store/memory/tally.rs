//! Windows by name: the entry of an operation, a call or a message under which a span is counted.

use super::window::{HOUR, Spans};
use crate::plan::{BlockId, Plan, SpanKind};
use crate::trace::{Origin, TraceId, View};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The maximum number of entries of a table; further names are counted under [`OTHER`].
const MOST: usize = 1_000;
/// The number of those that are reserved for [`OTHER`], one for each scenario and service.
const MOST_OTHERS: usize = 100;
/// The maximum length of a name in bytes; longer names with the same beginning share an entry.
const MOST_NAME: usize = 512;
const OTHER: &str = "(other)";
/// The number of bins of the durations of all operations in one minute.
const BINS: usize = 1 << 14;
/// The maximum number of origins whose blocks' windows are remembered.
const MOST_SOURCES: usize = 4;

/// A window and the names that are counted in it.
pub struct Entry {
    /// The scenario; then service and operation, or the calling and the called service.
    pub names: [String; 3],
    pub spans: Mutex<Spans>,
}

#[derive(Default)]
pub struct Table {
    entries: HashMap<String, Arc<Entry>>,
    /// The last time when entries were dropped that had not been used for an hour.
    tidied: u64,
}

#[derive(Default)]
pub struct Tally {
    pub operations: Table,
    /// Calls from a parent to its child.
    pub calls: Table,
    /// Messages: from the parent of a CONSUMER, or from a linked span to the one that links.
    pub messages: Table,
    sources: Vec<Source>,
}

/// The windows of an origin's blocks, which save the look-up by name.
struct Source {
    origin: Arc<Origin>,
    blocks: Vec<Block>,
}

/// The windows of a block, each `None` until it is first needed.
#[derive(Clone, Default)]
struct Block {
    operation: Option<Arc<Entry>>,
    arrival: Option<Arc<Entry>>,
}

impl Tally {
    /// Counts a trace. `linked` returns the service of a span of an earlier trace.
    pub fn add(&mut self, view: View<'_>, origin: &Arc<Origin>, linked: impl Fn(TraceId, u64) -> Option<String>) {
        let (plan, scenario) = (view.plan, view.scenario());
        let now = view.trace.start;
        if [&mut self.operations, &mut self.calls, &mut self.messages].into_iter().any(|table| table.tidy(now)) {
            self.sources.clear();
        }
        let at = self.sources.iter().position(|source| Arc::ptr_eq(&source.origin, origin)).unwrap_or_else(|| {
            self.sources.truncate(MOST_SOURCES - 1);
            let blocks = vec![Block::default(); plan.blocks.len()];
            self.sources.insert(0, Source { origin: origin.clone(), blocks });
            0
        });
        let blocks = &mut self.sources[at].blocks;
        let bins = 1 << (BINS / self.operations.entries.len().max(1)).ilog2();
        for span in view.spans() {
            let (record, failed) = (span.record(), span.failure().is_some());
            let known = &mut blocks[record.block.index()];
            let found;
            let operation = if plan.span(record.block).name.is_some() {
                let of = || self.operations.get([scenario, span.service(), span.name()]);
                &*known.operation.get_or_insert_with(of)
            } else {
                found = self.operations.get([scenario, span.service(), span.name()]);
                &found
            };
            operation.spans.lock().measure(record.start, failed, record.duration(), bins);

            let caller = span.parent().map(|parent| parent.service()).filter(|service| *service != span.service());
            let consumes = span.kind() == SpanKind::Consumer;
            if let Some(caller) = caller {
                let table = if consumes { &mut self.messages } else { &mut self.calls };
                let arrival = known.arrival.get_or_insert_with(|| table.get([scenario, caller, span.service()]));
                arrival.spans.lock().count(record.start, failed);
            }
            for link in span.links() {
                let from =
                    producer(plan, record.block).map(String::from).or_else(|| linked(link.trace_id, link.span_id));
                let counted = |from: &str| from == span.service() || consumes && caller == Some(from);
                if let Some(from) = from.filter(|from| !counted(from)) {
                    let message = self.messages.get([scenario, &from, span.service()]);
                    message.spans.lock().count(record.start, failed);
                }
            }
        }
    }
}

/// Returns the only service that a block's spans can link to.
fn producer(plan: &Plan, block: BlockId) -> Option<&str> {
    let sources = plan.block(block).links().flat_map(|link| &plan.links[link.index()].sources);
    let mut services = sources.map(|source| plan.span(*source).service);
    let first = services.next()?;
    services.all(|service| service == first).then(|| plan.service_name(first))
}

/// Returns as much of a name as is kept, because one made at run time may be as long as a trace's text.
fn shown(name: &str) -> &str {
    &name[..name.floor_char_boundary(MOST_NAME)]
}

fn key(names: [&str; 3]) -> String {
    names.join("\0")
}

impl Table {
    /// Returns all entries, or those of a scenario.
    pub fn entries(&self, scenario: Option<&str>) -> Vec<Arc<Entry>> {
        let of = |entry: &&Arc<Entry>| scenario.is_none_or(|scenario| entry.names[0] == scenario);
        self.entries.values().filter(of).cloned().collect()
    }

    /// Returns the entry of these names, or the one for other names if there are too many.
    fn get(&mut self, names: [&str; 3]) -> Arc<Entry> {
        let names = names.map(shown);
        let [scenario, first, _] = names;
        let places = [(MOST - MOST_OTHERS, names), (MOST, [scenario, first, OTHER])];
        let has_place =
            |(most, names): &(usize, [&str; 3])| self.entries.len() < *most || self.entries.contains_key(&key(*names));
        let names = places.into_iter().find(has_place).map_or([OTHER; 3], |(_, names)| names);
        let new = || Arc::new(Entry { names: names.map(String::from), spans: Mutex::default() });
        self.entries.entry(key(names)).or_insert_with(new).clone()
    }

    /// Drops, once a minute and if the table is full, what was not used for an hour. Returns whether anything was dropped.
    fn tidy(&mut self, now: u64) -> bool {
        if self.entries.len() < MOST - MOST_OTHERS || now < self.tidied.saturating_add(HOUR / 60) {
            return false;
        }
        self.tidied = now;
        let before = self.entries.len();
        self.entries.retain(|_, entry| !entry.spans.lock().ended_before(now.saturating_sub(HOUR)));
        self.entries.len() < before
    }
}
