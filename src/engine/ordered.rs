//! A worker for an output that keeps the order of indices: it encodes whole chunks and writes each when its turn has come.

use super::chunks::{Chunk, Chunks};
use super::output::{Closed, Output, hand_over};
use super::{Job, Progress, Stop};
use crate::export::{Batch, Encode};
use crate::interpreter::Interpreter;
use crate::trace::Trace;
use parking_lot::{Condvar, Mutex};

/// The turn of the workers to write.
#[derive(Default)]
pub struct Turn {
    /// The number of the chunk to be written next; `None` if the output takes no more.
    next: Mutex<Option<u64>>,
    changed: Condvar,
}

impl Turn {
    pub fn new() -> Turn {
        Turn { next: Mutex::new(Some(0)), changed: Condvar::new() }
    }

    /// Runs `write` once all chunks before `number` are written. If it fails, all later calls fail.
    fn take(&self, number: u64, write: impl FnOnce() -> Result<(), Closed>) -> Result<(), Closed> {
        let mut next = self.next.lock();
        while next.ok_or(Closed)? < number {
            self.changed.wait(&mut next);
        }
        let result = write();
        *next = result.is_ok().then_some(number + 1);
        self.changed.notify_all();
        result
    }
}

/// Generates chunks until there are no more, and returns whether all traces that were begun have been handed over.
///
/// # Errors
/// The output takes no more.
pub fn work(
    job: &Job,
    chunks: &Chunks,
    turn: &Turn,
    encoder: Box<dyn Encode>,
    output: &dyn Output,
    progress: &Progress,
    stop: &Stop,
) -> Result<bool, Closed> {
    let clock = &*job.clock;
    let began = clock.now();
    let mut all = true;
    let mut worker = Worker { job, encoder, interpreter: Interpreter::new(&job.run), trace: Trace::default() };
    while let Some(chunk) = chunks.next(stop) {
        if let Some(schedule) = &chunk.schedule {
            worker.interpreter.update(schedule);
        }
        let mut encoded = worker.encode(&chunk, u64::MAX);
        progress.begun(encoded.start, clock.now().max(encoded.start));
        if stop.sleep_until(encoded.end, clock) && stop.time() < encoded.end {
            // Traces that have not ended are not sent.
            all = false;
            encoded = worker.encode(&chunk, stop.time());
        } else if encoded.end >= began {
            progress.lateness.record(clock.now().saturating_sub(encoded.end));
        }
        let encoder = &mut *worker.encoder;
        turn.take(chunk.number, || hand_over(encoded.batches, output, encoder, progress))?;
    }
    Ok(all)
}

struct Worker<'j> {
    job: &'j Job,
    encoder: Box<dyn Encode>,
    interpreter: Interpreter,
    trace: Trace,
}

/// The batches of a chunk.
struct Encoded {
    /// The latest start of a trace, in ns since 1970.
    batches: Vec<Batch>,
    start: u64,
    /// The latest end of a trace, in ns since 1970.
    end: u64,
}

impl Worker<'_> {
    /// Generates and encodes the traces of a chunk that end by `deadline`, in ns since 1970.
    fn encode(&mut self, chunk: &Chunk, deadline: u64) -> Encoded {
        let mut encoded = Encoded { batches: vec![], start: 0, end: 0 };
        for index in chunk.indices.clone() {
            if self.job.selection.select(index, || self.interpreter.start(index)).is_none() {
                continue;
            }
            self.interpreter.trace(index, &mut self.trace);
            if self.trace.end > deadline || self.job.sent.has(&self.trace) {
                continue;
            }
            encoded.start = encoded.start.max(self.trace.start);
            encoded.end = encoded.end.max(self.trace.end);
            self.encoder.add(self.job.run.origin().view(&self.trace), &mut |batch| encoded.batches.push(batch));
        }
        self.encoder.flush(&mut |batch| encoded.batches.push(batch));
        encoded
    }
}
