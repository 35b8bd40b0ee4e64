//! The counts of a run's first traces. All counts are sums, minima and maxima, so threads may share the work in any way.

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

/// The number of traces that a thread takes at a time.
const CHUNK: u64 = 1_000;

/// The counts of a part.
#[derive(Clone, Default)]
pub struct Seen {
    /// The number of traces that belong to the part, or contain such a span.
    pub traces: u64,
    pub spans: u64,
    /// The number of these traces in which a span failed.
    failed_traces: u64,
    pub bytes: u64,
    /// The minimum and the maximum of spans in one of these traces.
    extent: Option<(u32, u32)>,
    pub durations: Durations,
    /// The spans of the part in relation to traces.
    per_trace: Ratio,
    per_span: Ratio,
    failing: Ratio,
}

impl Seen {
    /// Returns the figures of a part. `all` holds the counts of all traces; `share` is the part's share of all traces, if
    /// it consists of traces.
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

    /// Counts a trace with `all` spans, of which `spans` belong to the part and `failed` of these failed.
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

/// A time, from `from` to before `to`, in ns since 1970.
#[derive(Clone, Copy)]
pub struct Period {
    pub from: u64,
    pub to: u64,
}

impl Period {
    fn contains(self, time: u64) -> bool {
        (self.from..self.to).contains(&time)
    }
}

/// Takes the sample, and returns the counts of each part. With a period, only traces and spans that start in it count.
pub fn take(
    run: &Arc<Run>,
    parts: &Parts,
    samples: u64,
    threads: NonZeroUsize,
    period: Option<Period>,
    progress: &(dyn Fn(u64) + Sync),
) -> Vec<Seen> {
    let begin = || Counter::new(run, parts, period);
    let mut seen = vec![Seen::default(); parts.subjects.len()];
    for counter in in_chunks(samples, threads, progress, begin, Counter::count) {
        counter.add_to(&mut seen);
    }
    seen
}

/// Counts the traces with the indices below `samples` on several threads. `begin` makes the counter of a thread, and `count`
/// counts the trace with an index. Returns all counters, whose sum does not depend on the number of threads.
pub fn in_chunks<C: Send>(
    samples: u64,
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    begin: impl Fn() -> C + Sync,
    count: impl Fn(&mut C, u64) + Sync,
) -> Vec<C> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut counter = begin();
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= samples {
                return counter;
            }
            let until = samples.min(from + CHUNK);
            (from..until).for_each(|index| count(&mut counter, index));
            progress(until - from);
        }
    };
    let threads = (threads.get() as u64).min(samples.div_ceil(CHUNK));
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut counters = vec![work()];
        counters.extend(others.into_iter().map(|it| it.join().unwrap_or_else(|e| std::panic::resume_unwind(e))));
        counters
    })
}

/// The work of one thread.
struct Counter<'a> {
    parts: &'a Parts,
    run: &'a Run,
    period: Option<Period>,
    interpreter: Interpreter,
    encoder: export::Parts,
    encoded: Bytes,
    trace: Trace,
    /// The counts of scenarios, and those counts of the parts of spans that concern whole traces.
    seen: Vec<Seen>,
    /// The bytes and durations of each block.
    blocks: Vec<Seen>,
    /// For each part, the spans and failed spans of the current trace; and the parts that have some.
    counts: Vec<(u64, u64)>,
    touched: Vec<usize>,
}

impl<'a> Counter<'a> {
    fn new(run: &'a Arc<Run>, parts: &'a Parts, period: Option<Period>) -> Counter<'a> {
        Counter {
            parts,
            run,
            period,
            interpreter: Interpreter::beneath(run),
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
        let counts = |time: u64| self.period.is_none_or(|period| period.contains(time));
        self.interpreter.trace(index, trace);
        let view = self.run.origin().view(trace);
        let mut bytes = 0;
        for (ordinal, span) in trace.spans.iter().enumerate() {
            self.encoded.clear();
            self.encoder.span(view, ordinal, &mut self.encoded);
            let size = self.encoded.len() as u64;
            bytes += size;
            if !counts(span.start) {
                continue;
            }
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
        if !counts(trace.start) {
            return;
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
