//! The first traces of a run, counted. All counts are sums, least and greatest figures, so threads may share the work in any way.

use super::parts::{Parts, TOTAL};
use super::{Durations, Figures, Spans, Subject};
use crate::export;
use crate::interpreter::{Interpreter, Run};
use crate::plan::BlockId;
use crate::trace::{Bytes, NONE, Trace};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Traces that a thread takes at a time.
const CHUNK: u64 = 1_000;

/// What was seen of a part.
#[derive(Clone, Default)]
pub struct Seen {
    /// That are of the part, or have such a span.
    pub traces: u64,
    pub spans: u64,
    /// Traces, or spans.
    failed: u64,
    pub bytes: u64,
    /// Fewest and most spans in one of these traces.
    extent: Option<(u32, u32)>,
    pub durations: Durations,
}

impl Seen {
    /// `traces`: in the sample.
    pub fn figures(&self, subject: &Subject, traces: u64) -> Figures {
        let of_traces = subject.is_of_traces();
        let (count, failing) = if of_traces { (self.traces, self.traces) } else { (traces, self.spans) };
        let (min, max) = self.extent.unwrap_or_default();
        let min = if self.traces < count { 0 } else { min };
        Figures {
            traces: share(self.traces, traces),
            spans: Spans { min, mean: share(self.spans, count), max },
            failed: share(self.failed, failing),
            own: None,
        }
    }

    /// A trace with so many of its spans.
    fn trace(&mut self, spans: u32) {
        self.traces += 1;
        self.cover(spans, spans);
    }

    fn cover(&mut self, min: u32, max: u32) {
        let (least, most) = self.extent.unwrap_or((min, max));
        self.extent = Some((least.min(min), most.max(max)));
    }

    fn merge(&mut self, other: &Seen) {
        self.traces += other.traces;
        self.spans += other.spans;
        self.failed += other.failed;
        self.bytes += other.bytes;
        if let Some((min, max)) = other.extent {
            self.cover(min, max);
        }
        self.durations.merge(&other.durations);
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// By part.
pub fn take(
    run: &Arc<Run>,
    parts: &Parts,
    samples: u64,
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Vec<Seen> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut counter = Counter::new(run, parts);
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= samples {
                return counter;
            }
            let until = samples.min(from + CHUNK);
            (from..until).for_each(|index| counter.count(index));
            progress(until - from);
        }
    };
    let threads = (threads.get() as u64).min(samples.div_ceil(CHUNK));
    let mut seen = vec![Seen::default(); parts.subjects.len()];
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        work().add_to(&mut seen);
        for other in others {
            other.join().unwrap_or_else(|e| std::panic::resume_unwind(e)).add_to(&mut seen);
        }
    });
    seen
}

/// One thread's part of the work.
struct Counter<'a> {
    parts: &'a Parts,
    run: &'a Run,
    interpreter: Interpreter,
    encoder: export::Parts,
    encoded: Bytes,
    trace: Trace,
    /// Scenarios, and of the parts of spans what is of whole traces.
    seen: Vec<Seen>,
    /// By block: the rest.
    blocks: Vec<Seen>,
    /// By part: spans of the trace at hand; and the parts that have some.
    counts: Vec<u32>,
    touched: Vec<usize>,
}

impl<'a> Counter<'a> {
    fn new(run: &'a Arc<Run>, parts: &'a Parts) -> Counter<'a> {
        Counter {
            parts,
            run,
            interpreter: Interpreter::new(run),
            encoder: export::Parts::new(run.plan(), run.resources()),
            encoded: Bytes::default(),
            trace: Trace::default(),
            seen: vec![Seen::default(); parts.subjects.len()],
            blocks: vec![Seen::default(); run.plan().blocks.len()],
            counts: vec![0; parts.subjects.len()],
            touched: vec![],
        }
    }

    fn count(&mut self, index: u64) {
        let Counter { parts, trace, .. } = self;
        self.interpreter.trace(index, trace);
        let view = self.run.origin().view(trace);
        let mut bytes = 0;
        for (ordinal, span) in trace.spans.iter().enumerate() {
            self.encoded.clear();
            self.encoder.span(view, ordinal, &mut self.encoded);
            let size = self.encoded.len() as u64;
            bytes += size;
            let block = &mut self.blocks[span.block.index()];
            block.spans += 1;
            block.failed += u64::from(span.failure != NONE);
            block.bytes += size;
            block.durations.record(span.end - span.start);
            for part in parts.of_block(span.block) {
                if self.counts[*part] == 0 {
                    self.touched.push(*part);
                }
                self.counts[*part] += 1;
            }
        }
        for part in self.touched.drain(..) {
            self.seen[part].trace(std::mem::take(&mut self.counts[part]));
        }
        let scenario = &mut self.seen[parts.of_scenario(trace.scenario)];
        scenario.trace(trace.spans.len() as u32);
        scenario.spans += trace.spans.len() as u64;
        scenario.failed += u64::from(!trace.failures.is_empty());
        scenario.bytes += bytes;
        scenario.durations.record(trace.end - trace.start);
    }

    fn add_to(self, seen: &mut [Seen]) {
        for (part, own) in self.seen.iter().enumerate() {
            seen[part].merge(own);
            if matches!(self.parts.subjects[part], Subject::Scenario { .. }) {
                seen[TOTAL].merge(own);
            }
        }
        for (block, own) in self.blocks.iter().enumerate() {
            for part in self.parts.of_block(BlockId(block as u32)) {
                seen[*part].merge(own);
            }
        }
    }
}
