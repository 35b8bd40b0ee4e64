//! The worker of a run whose spans leave one by one. A trace is generated when it begins, to know when its spans are due, and
//! again when spans of it leave.
//!
//! There is one worker, whatever the number of threads: which spans go together depends on all traces that have begun.

use super::chunks::Chunks;
use super::departures::{Departure, Departures};
use super::outbox::Outbox;
use super::output::{Closed, Output};
use super::recent::Recent;
use super::{Job, Progress, Stop};
use crate::export::{Batch, Encode};
use crate::interpreter::{Interpreter, Starts};
use crate::journal::Unit;
use std::ops::Range;

/// The number of traces that begin before spans leave again.
const SLICE: u64 = 64;

/// Generates traces until there are no more, and returns whether all spans of the traces that were begun have been handed
/// over.
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
    let run = &job.run;
    let now = job.clock.now();
    let mut worker = Worker {
        job,
        output,
        progress,
        outbox: Outbox::new(encoder),
        interpreter: Interpreter::new(run),
        starts: run.starts(),
        recent: Recent::new(),
        departures: Departures::new(&job.sending, run.plan(), run.seed()),
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
    starts: Starts,
    recent: Recent,
    departures: Departures,
    /// The indices of the current chunk that have not been begun.
    indices: Range<u64>,
    /// The wall clock when the worker began, in ns since 1970. What left before has no lateness.
    began: u64,
    /// The last reading of the wall clock, or the time of the stop if that is earlier.
    now: u64,
    /// The latest start of a trace begun, and the wall clock then, both in ns since 1970.
    begun: (u64, u64),
    /// The number of open traces that was last published.
    published: u64,
}

/// How far the traces of a run have begun.
enum Begun {
    /// All traces that start at this time (in ns since 1970) or earlier have begun; there may be more to begin at once.
    Until(u64),
    /// All traces that have started have begun, and the next one starts at this time.
    Waits(u64),
    /// No trace can begin until spans have left.
    Full,
    /// All traces have begun.
    All,
}

impl Worker<'_> {
    fn run(&mut self, chunks: &Chunks, stop: &Stop) -> Result<bool, Closed> {
        loop {
            self.now = self.job.clock.now().min(stop.time());
            let begun = self.begin(chunks, stop);
            let left = match begun {
                Begun::Until(time) => self.leave(time)?,
                Begun::Waits(_) | Begun::All => self.leave(self.now)?,
                Begun::Full => self.make_room()?,
            };
            if self.outbox.flush_at() <= self.now {
                self.flush()?;
            }
            let wake = match begun {
                Begun::Until(_) => continue,
                Begun::All if self.departures.is_empty() => return Ok(true),
                Begun::Waits(start) => start.min(self.departures.next_time()),
                Begun::Full | Begun::All => self.departures.next_time(),
            };
            if left || wake <= self.now {
                continue;
            }
            if stop.is_set() {
                // Traces that had started by then have begun. What was due is sent, without waiting for its batch.
                while let Some(departure) = self.departures.drain(stop.time()) {
                    self.send(&departure)?;
                }
                if matches!(begun, Begun::Full) {
                    continue;
                }
                return Ok(self.departures.traces() == 0 && matches!(begun, Begun::All));
            }
            self.publish();
            stop.sleep_until(wake.min(self.outbox.flush_at()), &*self.job.clock);
        }
    }

    /// Begins some of the traces that have started.
    fn begin(&mut self, chunks: &Chunks, stop: &Stop) -> Begun {
        if self.departures.is_full() {
            return Begun::Full;
        }
        let Some((first, start)) = self.next_start(chunks, stop) else { return Begun::All };
        // Starts are out of order by some indices, so the last index is looked for that has started by a time.
        let slice = self.starts.start(first.saturating_add(SLICE)).max(start);
        let time = self.now.min(slice);
        let last = self.starts.last_at_or_before(first, time).filter(|last| *last >= first);
        let Some(last) = last else {
            let next = (first..first.saturating_add(SLICE)).map(|index| self.starts.start(index)).min();
            return Begun::Waits(next.unwrap_or(start));
        };
        while let Some((index, start)) = self.next_start(chunks, stop).filter(|(index, _)| *index <= last) {
            if self.departures.is_full() {
                return Begun::Full;
            }
            self.indices.start += 1;
            self.begun = (start.max(self.begun.0), self.now);
            let sent = Some(self.job.sent.stopped).filter(|_| index < self.job.sent.end);
            self.departures.add(self.recent.get(&mut self.interpreter, index), sent);
        }
        // Another epoch may begin with the next trace.
        Begun::Until(time.min(self.starts.start(last.saturating_add(1))))
    }

    /// Returns the next selected index and its start. It stays the next one until `indices` moves on.
    fn next_start(&mut self, chunks: &Chunks, stop: &Stop) -> Option<(u64, u64)> {
        loop {
            if self.indices.is_empty() {
                let chunk = chunks.next(stop)?;
                if let Some(schedule) = &chunk.schedule {
                    self.interpreter.update(schedule);
                    self.starts.update(schedule);
                }
                self.indices = chunk.indices;
            }
            let index = self.indices.start;
            if let Some(start) = self.job.selection.select(index, || self.starts.start(index)) {
                return Some((index, start));
            }
            self.indices.start += 1;
        }
    }

    /// Sends the spans that leave at `time` (in ns since 1970) or earlier, and returns whether there were any.
    fn leave(&mut self, time: u64) -> Result<bool, Closed> {
        let mut any = false;
        while let Some(departure) = self.departures.next(time) {
            self.send(&departure)?;
            any = true;
        }
        Ok(any)
    }

    /// Sends the spans that leave next, although traces that have not begun may have spans that leave before, and returns
    /// whether there were any.
    fn make_room(&mut self) -> Result<bool, Closed> {
        self.progress.waited_for_room();
        let next = self.departures.next_time().min(self.now);
        self.leave(next)
    }

    fn send(&mut self, departure: &Departure) -> Result<(), Closed> {
        if departure.time >= self.began && !self.job.at_full_speed {
            self.progress.lateness.record(self.now.saturating_sub(departure.time));
        }
        for leaving in &departure.spans {
            let trace = self.recent.get(&mut self.interpreter, leaving.index);
            let span = self.job.run.origin().view(trace).span(leaving.ordinal as usize);
            let full = self.outbox.add_span(span, leaving.last, self.now);
            self.hand_over(full)?;
        }
        // Batches of files must not depend on time.
        if self.job.ordered || self.job.sending.unit != Unit::Traces {
            let batch = self.outbox.flush();
            self.hand_over(batch)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Closed> {
        let last = self.outbox.flush();
        self.publish();
        self.hand_over(last)
    }

    fn publish(&mut self) {
        let (start, at) = self.begun;
        self.progress.begun(start, at);
        let pending = self.departures.traces();
        self.progress.pending(self.published, pending, self.departures.last_due);
        self.published = pending;
    }

    fn hand_over(&mut self, batches: Vec<Batch>) -> Result<(), Closed> {
        if !batches.is_empty() {
            self.publish();
        }
        self.outbox.hand_over(batches, self.output, self.progress)
    }
}
