//! A worker for an output that takes batches as they come: each trace is sent when its last span has ended.

use super::chunks::Chunks;
use super::outbox::Outbox;
use super::output::{Closed, Output};
use super::pending::Pending;
use super::{Job, Progress, Stop};
use crate::export::{Batch, Encode};
use crate::interpreter::Interpreter;
use crate::trace::Trace;
use std::ops::Range;

/// Generates traces until there are no more, and returns whether all traces that were begun have been handed over.
///
/// # Errors
/// The output takes no more.
pub fn work(
    job: &Job,
    chunks: &Chunks,
    encoder: Box<dyn Encode>,
    output: &dyn Output,
    progress: &Progress,
    stop: &Stop,
) -> Result<bool, Closed> {
    let now = job.clock.now();
    let mut worker = Worker {
        job,
        output,
        progress,
        outbox: Outbox::new(encoder),
        interpreter: Interpreter::new(&job.run),
        trace: Trace::default(),
        pending: Pending::new(job.threads),
        indices: 0..0,
        began: now,
        last_reading: now,
        begun: (0, 0),
        published: 0,
    };
    let all = worker.run(chunks, stop)?;
    worker.flush()?;
    Ok(all)
}

struct Worker<'j> {
    job: &'j Job,
    output: &'j dyn Output,
    progress: &'j Progress,
    outbox: Outbox,
    interpreter: Interpreter,
    trace: Trace,
    pending: Pending,
    /// The indices of the current chunk that have not been begun.
    indices: Range<u64>,
    /// The wall clock when the worker began, in ns since 1970. Traces that ended before have no lateness.
    began: u64,
    /// The last reading of the wall clock.
    last_reading: u64,
    /// The latest start of a trace begun, and the wall clock then, both in ns since 1970. They are published with a batch
    /// and before a pause.
    begun: (u64, u64),
    /// The number of pending traces that was last published.
    published: u64,
}

/// What a worker does next.
enum Step {
    // Work goes on at once.
    Goes,
    /// There is nothing to do until this time, in ns since 1970.
    Waits(u64),
    Complete,
}

impl Worker<'_> {
    fn run(&mut self, chunks: &Chunks, stop: &Stop) -> Result<bool, Closed> {
        loop {
            let step = self.step(chunks, stop)?;
            let flush_at = self.outbox.flush_at();
            if flush_at <= self.last_reading {
                self.flush()?;
                continue;
            }
            match step {
                Step::Goes => {}
                // Traces that had ended by then have been sent; the others are not sent.
                Step::Waits(_) if stop.is_set() => return Ok(false),
                Step::Waits(wake) => {
                    self.publish();
                    stop.sleep_until(wake.min(flush_at), &*self.job.clock);
                    self.last_reading = self.job.clock.now();
                }
                Step::Complete => return Ok(true),
            }
        }
    }

    fn step(&mut self, chunks: &Chunks, stop: &Stop) -> Result<Step, Closed> {
        let mut wake = u64::MAX;
        if let Some((due, index)) = self.pending.first() {
            if self.has_come(due, stop) {
                self.pending.pop();
                self.interpreter.trace(index, &mut self.trace);
                self.add()?;
                return Ok(Step::Goes);
            }
            wake = due;
        }
        if self.pending.is_full() {
            self.progress.waited_for_room();
            return Ok(Step::Waits(wake));
        }
        let Some((index, start)) = self.next_start(chunks, stop) else {
            return Ok(if self.pending.is_empty() { Step::Complete } else { Step::Waits(wake) });
        };
        if !self.has_come(start, stop) {
            return Ok(Step::Waits(wake.min(start)));
        }
        self.indices.start += 1;
        self.begun = (start.max(self.begun.0), self.last_reading);
        self.interpreter.trace(index, &mut self.trace);
        if self.job.sent.has(&self.trace) {
            // Nothing is left to do.
        } else if self.has_come(self.trace.end, stop) {
            self.add()?;
        } else {
            self.pending.push(self.trace.end, index);
        }
        Ok(Step::Goes)
    }

    /// Returns the next selected index and its start. It stays the next one until `indices` moves on.
    fn next_start(&mut self, chunks: &Chunks, stop: &Stop) -> Option<(u64, u64)> {
        loop {
            if self.indices.is_empty() {
                let chunk = chunks.next(stop)?;
                if let Some(schedule) = &chunk.schedule {
                    self.interpreter.update(schedule);
                }
                self.indices = chunk.indices;
            }
            let index = self.indices.start;
            if let Some(start) = self.job.selection.select(index, || self.interpreter.start(index)) {
                return Some((index, start));
            }
            self.indices.start += 1;
        }
    }

    /// Reports whether the wall clock has reached `time`, and did so before the stop. The clock is read only if its last
    /// reading does not decide that.
    fn has_come(&mut self, time: u64, stop: &Stop) -> bool {
        if time > self.last_reading {
            self.last_reading = self.job.clock.now();
        }
        time <= self.last_reading && time <= stop.time()
    }

    /// Adds the trace just generated.
    fn add(&mut self) -> Result<(), Closed> {
        if self.trace.end >= self.began && !self.job.at_full_speed {
            self.progress.lateness.record(self.last_reading - self.trace.end);
        }
        let view = self.job.run.origin().view(&self.trace);
        let full = self.outbox.add(view, self.last_reading);
        self.send(full)
    }

    fn flush(&mut self) -> Result<(), Closed> {
        let last = self.outbox.flush();
        self.publish();
        self.send(last)
    }

    fn publish(&mut self) {
        let (start, at) = self.begun;
        self.progress.begun(start, at);
        let pending = self.pending.len();
        self.progress.pending(self.published, pending, self.pending.last_end);
        self.published = pending;
    }

    fn send(&mut self, batches: Vec<Batch>) -> Result<(), Closed> {
        if !batches.is_empty() {
            self.publish();
        }
        self.outbox.hand_over(batches, self.output, self.progress)
    }
}
