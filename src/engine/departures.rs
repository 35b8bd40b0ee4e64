//! The departures of spans: which spans of the traces that have begun leave together, and when.
//!
//! A span is kept as 24 bytes (when it is due, its trace and its ordinal, its resource), and its trace is generated again
//! when it leaves. Time is that of the traces: the caller says how far it has come, so that the departures of a run are the
//! same at any speed.

use crate::journal::{Dues, Sending, Unit};
use crate::plan::Plan;
use crate::trace::{NEVER, Trace};
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The number of spans at which the batch of a service instance leaves, as in the SDKs of OpenTelemetry.
const BATCH: usize = 512;

/// A span that has not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    /// When the span can leave at the earliest, in ns since 1970.
    due: u64,
    /// The index of the trace, and the span's rank in it: those that are due at once leave in this order.
    key: u64,
    resource: u32,
    /// All other spans of the trace are due before, so the trace counts where this span goes.
    last: bool,
}

/// A span that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// The index of the trace.
    pub index: u64,
    /// The ordinal of the span in the trace.
    pub ordinal: u32,
    /// The trace counts where this span goes.
    pub last: bool,
}

/// The spans that leave next.
pub struct Departure {
    /// When they leave, in ns since 1970.
    pub time: u64,
    /// The spans, in the order in which they are sent.
    pub spans: Vec<Leaving>,
}

/// A service instance, which sends its spans in batches.
#[derive(Clone, Default)]
struct Instance {
    /// When its batches leave, in ns after a multiple of the delay between them.
    phase: u64,
    /// The time of the next batch for which there is a timer, in ns since 1970; 0 if there is none.
    timer: u64,
    open: Vec<Leaving>,
}

/// The spans that have begun and not left.
pub struct Departures {
    dues: Dues,
    /// The time between the batches of an instance in ns; `None` if the spans of a trace leave together.
    batch_delay: Option<u64>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// The times at which batches leave, with the resources of their instances.
    timers: BinaryHeap<Reverse<(u64, u32)>>,
    instances: Vec<Instance>,
    /// The number of spans in open batches.
    open: usize,
    /// The number of traces of which a span has not left.
    traces: u64,
    /// The latest time at which a span was or is due, in ns since 1970.
    pub last_due: u64,
}

impl Departures {
    /// The maximum number of spans that have begun and not left, which take 96 MiB.
    pub const MOST: usize = 4 << 20;

    /// Makes the departures of a plan's traces. The seed decides when each service instance sends its batches.
    pub fn new(sending: &Sending, plan: &Plan, seed: u64) -> Departures {
        let batch_delay = match sending.unit {
            Unit::Traces => None,
            Unit::Spans { batch_delay } => Some(batch_delay),
        };
        let instances = batch_delay.map_or(vec![], |delay| instances(plan, seed, delay));
        Departures {
            dues: sending.dues(plan),
            batch_delay,
            waiting: BinaryHeap::new(),
            timers: BinaryHeap::new(),
            instances,
            open: 0,
            traces: 0,
            last_due: 0,
        }
    }

    /// Adds the spans of a trace that are due after `sent`, in ns since 1970.
    pub fn add(&mut self, trace: &Trace, sent: Option<u64>) {
        let mut last: Option<Waiting> = None;
        let dues = &self.dues;
        for (ordinal, span) in trace.spans.iter().enumerate() {
            let due = dues.due(trace, ordinal);
            if due == NEVER || sent.is_some_and(|sent| due <= sent) {
                continue;
            }
            // Where spans leave alone, children leave before their parents.
            let rank = if self.batch_delay.is_some() { 0xffff - ordinal as u64 } else { ordinal as u64 };
            let waiting = Waiting { due, key: trace.index << 16 | rank, resource: span.resource.0, last: false };
            // Only the last span waits until it is known to be the last.
            let other = match last {
                Some(before) if before > waiting => Some(waiting),
                _ => last.replace(waiting),
            };
            self.waiting.extend(other.map(Reverse));
        }
        if let Some(last) = last {
            self.last_due = self.last_due.max(last.due);
            self.waiting.push(Reverse(Waiting { last: true, ..last }));
            self.traces += 1;
        }
    }

    /// Returns the spans that leave next, if they do so at `time` (in ns since 1970) or earlier.
    pub fn next(&mut self, time: u64) -> Option<Departure> {
        loop {
            let due = self.waiting.peek().map_or(u64::MAX, |first| first.0.due);
            let timer = self.timers.peek().map_or(u64::MAX, |first| first.0.0);
            // A span that is due when a batch leaves still leaves with it.
            if due <= timer && due <= time && due != u64::MAX {
                if let Some(departure) = self.pop() {
                    return Some(departure);
                }
            } else if timer <= time && timer != u64::MAX {
                let Reverse((at, resource)) = self.timers.pop()?;
                self.instances[resource as usize].timer = 0;
                if !self.instances[resource as usize].open.is_empty() {
                    return Some(self.close(resource, at));
                }
            } else {
                return None;
            }
        }
    }

    /// Returns all spans that are due at `time` (in ns since 1970) or earlier, one batch after another, without waiting for
    /// the times of batches; and forgets all others.
    pub fn drain(&mut self, time: u64) -> Option<Departure> {
        while self.waiting.peek().is_some_and(|first| first.0.due <= time) {
            if let Some(departure) = self.pop() {
                return Some(departure);
            }
        }
        // Each open batch has a timer.
        while let Some(Reverse((_, resource))) = self.timers.pop() {
            self.instances[resource as usize].timer = 0;
            if !self.instances[resource as usize].open.is_empty() {
                return Some(self.close(resource, time));
            }
        }
        self.waiting.clear();
        None
    }

    /// Returns when the next spans become due or leave, in ns since 1970; `u64::MAX` if there are none.
    pub fn next_time(&self) -> u64 {
        let due = self.waiting.peek().map_or(u64::MAX, |first| first.0.due);
        due.min(self.timers.peek().map_or(u64::MAX, |first| first.0.0))
    }

    /// Returns the number of traces of which a span has not left.
    pub fn traces(&self) -> u64 {
        self.traces
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of spans that have not left.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.open
    }

    /// Reports whether no more traces may begin until spans have left.
    pub fn is_full(&self) -> bool {
        self.len() >= Departures::MOST
    }

    /// Takes the span that is due next, and returns the spans that leave because of it.
    fn pop(&mut self) -> Option<Departure> {
        let Reverse(first) = self.waiting.pop()?;
        let Some(delay) = self.batch_delay else {
            // The spans of a trace that are due together leave together.
            let mut spans = vec![self.leaving(first)];
            let same = |next: &Waiting| next.due == first.due && next.key >> 16 == first.key >> 16;
            while let Some(Reverse(next)) = self.waiting.peek().copied().filter(|next| same(&next.0)) {
                self.waiting.pop();
                spans.push(self.leaving(next));
            }
            return Some(Departure { time: first.due, spans });
        };
        let leaving = self.leaving(first);
        let instance = &mut self.instances[first.resource as usize];
        instance.open.push(leaving);
        self.open += 1;
        if instance.open.len() >= BATCH {
            return Some(self.close(first.resource, first.due));
        }
        let boundary = boundary(first.due, instance.phase, delay);
        if instance.timer != boundary {
            instance.timer = boundary;
            self.timers.push(Reverse((boundary, first.resource)));
        }
        None
    }

    fn leaving(&mut self, waiting: Waiting) -> Leaving {
        self.traces -= waiting.last as u64;
        let rank = waiting.key & 0xffff;
        let ordinal = if self.batch_delay.is_some() { 0xffff - rank } else { rank };
        Leaving { index: waiting.key >> 16, ordinal: ordinal as u32, last: waiting.last }
    }

    fn close(&mut self, resource: u32, time: u64) -> Departure {
        let spans = std::mem::take(&mut self.instances[resource as usize].open);
        self.open -= spans.len();
        Departure { time, spans }
    }
}

/// Returns the first time from `time` on at which an instance with this phase sends a batch.
fn boundary(time: u64, phase: u64, delay: u64) -> u64 {
    let since = (time + delay - phase) % delay;
    if since == 0 { time } else { time + (delay - since) }
}

fn instances(plan: &Plan, seed: u64, delay: u64) -> Vec<Instance> {
    let mut instances = vec![Instance::default(); plan.resources.len()];
    for service in &plan.services {
        for resource in service.resources() {
            // An instance that runs another version for a while sends its spans at the same times as before.
            let number = service.instance_of(resource).unwrap_or_default();
            let hash = Sha256::new().chain_update("tracegen phase").chain_update(seed.to_le_bytes());
            let hash = hash.chain_update(number.to_le_bytes()).chain_update(plan.text(service.name)).finalize();
            let word = hash[..8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            instances[resource.index()].phase = word % delay;
        }
    }
    instances
}
