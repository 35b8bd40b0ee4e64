//! The first traces of a run, counted. All counts are sums, least and greatest figures, so threads may share the work in any way.

use super::figure::Ratio;
use super::parts::{Parts, TOTAL};
use super::{Durations, Figure, Figures, Spans, Subject};
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
    /// Of these traces, those in which any span failed.
    failed_traces: u64,
    pub bytes: u64,
    /// Fewest and most spans in one of these traces.
    extent: Option<(u32, u32)>,
    pub durations: Durations,
    /// The spans of the part for each trace, for each span, and the failed ones for each of the part.
    per_trace: Ratio,
    per_span: Ratio,
    failing: Ratio,
}

impl Seen {
    /// The figures of a part; `all`: what was seen of all traces. `share`: of all traces, where the part is of traces.
    pub fn figures(&self, share: Option<f64>, all: &Seen) -> Figures {
        let (min, max) = self.extent.unwrap_or_default();
        if let Some(share) = share {
            let spans = Spans { min, mean: self.per_trace.figure(self.traces), max };
            let (share, failed) = (Figure::Exact(share), Figure::of_trials(self.failed_traces, self.traces));
            return Figures { share, traces: share, spans, failed, own: None };
        }
        // Traces without such a span count, too.
        let per_trace = Ratio { below: all.traces, below_squared: all.traces, ..self.per_trace };
        let below_squared = all.per_trace.above_squared;
        let per_span = Ratio { below: all.spans, below_squared, ..self.per_span };
        let min = if self.traces < all.traces { 0 } else { min };
        Figures {
            share: per_span.share(all.traces),
            traces: Figure::of_trials(self.traces, all.traces),
            spans: Spans { min, mean: per_trace.figure(all.traces), max },
            failed: self.failing.share(self.traces),
            own: None,
        }
    }

    /// A trace with so many spans, of which so many are of the part, and so many of these failed.
    fn trace(&mut self, all: u64, spans: u64, failed: u64) {
        self.traces += 1;
        self.spans += spans;
        self.failed_traces += u64::from(failed > 0);
        self.cover(spans as u32, spans as u32);
        self.per_trace.add(spans, 1);
        self.per_span.add(spans, all);
        self.failing.add(failed, spans);
    }

    fn cover(&mut self, min: u32, max: u32) {
        let (least, most) = self.extent.unwrap_or((min, max));
        self.extent = Some((least.min(min), most.max(max)));
    }

    fn merge(&mut self, other: &Seen) {
        self.traces += other.traces;
        self.spans += other.spans;
        self.failed_traces += other.failed_traces;
        self.bytes += other.bytes;
        if let Some((min, max)) = other.extent {
            self.cover(min, max);
        }
        self.durations.merge(&other.durations);
        self.per_trace.merge(&other.per_trace);
        self.per_span.merge(&other.per_span);
        self.failing.merge(&other.failing);
    }
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
    /// By block: bytes and durations.
    blocks: Vec<Seen>,
    /// By part: spans of the trace at hand, and failed ones; and the parts that have some.
    counts: Vec<(u64, u64)>,
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
            counts: vec![(0, 0); parts.subjects.len()],
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
            block.bytes += size;
            block.durations.record(span.end - span.start);
            for part in parts.of_block(span.block) {
                let (spans, failed) = &mut self.counts[*part];
                if *spans == 0 {
                    self.touched.push(*part);
                }
                *spans += 1;
                *failed += u64::from(span.failure != NONE);
            }
        }
        let all = trace.spans.len() as u64;
        for part in self.touched.drain(..) {
            let (spans, failed) = std::mem::take(&mut self.counts[part]);
            self.seen[part].trace(all, spans, failed);
        }
        let scenario = &mut self.seen[parts.of_scenario(trace.scenario)];
        scenario.trace(all, all, trace.failures.len() as u64);
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
