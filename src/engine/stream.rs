//! A worker for an output that takes batches as they come: each trace leaves when its last span has ended.

use super::chunks::Chunks;
use super::outbox::Outbox;
use super::output::{Closed, Output};
use super::pending::Pending;
use super::{Job, Progress, Stop};
use crate::export::{Batch, Encode};
use crate::interpreter::Interpreter;
use crate::trace::Trace;
use std::ops::Range;

/// Returns whether all that was taken on has been handed over.
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
        now,
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
    /// What is left of the current chunk.
    indices: Range<u64>,
    /// Wall clock when the worker began, ns since 1970: what ended before has no lateness.
    began: u64,
    /// The wall clock when it was last asked.
    now: u64,
    /// Latest start of a trace begun, and when that was; published with a batch and before a pause.
    begun: (u64, u64),
    /// How many pending traces were last published.
    published: u64,
}

/// What to do next.
enum Step {
    Goes,
    /// Nothing until this time, ns since 1970.
    Waits(u64),
    Complete,
}

impl Worker<'_> {
    fn run(&mut self, chunks: &Chunks, stop: &Stop) -> Result<bool, Closed> {
        loop {
            let step = self.step(chunks, stop)?;
            let flush_at = self.outbox.flush_at();
            if flush_at <= self.now {
                self.flush()?;
                continue;
            }
            match step {
                Step::Goes => {}
                // What had ended by then has been sent, what had not is not.
                Step::Waits(_) if stop.is_set() => return Ok(false),
                Step::Waits(wake) => {
                    self.publish();
                    stop.sleep_until(wake.min(flush_at), &*self.job.clock);
                    self.now = self.job.clock.now();
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
        self.begun = (start.max(self.begun.0), self.now);
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

    /// The next index that is selected, and its start; it stays the next until `indices` moves on.
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

    /// Whether the wall clock has reached `time`, and had before the stop; it is asked only where the last answer does not
    /// tell.
    fn has_come(&mut self, time: u64, stop: &Stop) -> bool {
        if time > self.now {
            self.now = self.job.clock.now();
        }
        time <= self.now && time <= stop.time()
    }

    /// Add the trace just made.
    fn add(&mut self) -> Result<(), Closed> {
        if self.trace.end >= self.began && !self.job.at_full_speed {
            self.progress.lateness.record(self.now - self.trace.end);
        }
        let view = self.job.run.origin().view(&self.trace);
        let full = self.outbox.add(view, self.now);
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
        for batch in batches {
            self.progress.handed_over(&batch);
            if let Some(body) = self.output.send(batch)? {
                self.outbox.recycle(body);
            }
        }
        Ok(())
    }
}
