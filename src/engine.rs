//! The engine, which starts, paces and stops the generation of traces: it runs interpreters on several threads and hands
//! their traces to an output.
//!
//! A trace is sent when its last span has ended, or a span when it has ended itself ([`Sending`]), so that no timestamp lies
//! in the future. What lies in the past is sent at full speed. Work is cut into chunks of fixed index ranges, so that an output that keeps the order of indices
//! gets the same bytes from any number of threads.

mod by_span;
mod chunks;
mod departures;
mod full_speed;
mod ordered;
mod outbox;
mod output;
mod pending;
mod recent;
mod session;
mod stop;
mod stream;

pub use chunks::LONGEST_REACH;
pub use full_speed::FIRST_ARRIVALS;
pub use output::{Closed, Output};
pub use session::{
    ExporterState, Located, Observed, ObservedBlock, Pace, Phase, Session, SessionOptions, SessionState, Settings,
    SettingsError,
};
pub use stop::Stop;

use crate::clock::Clock;
use crate::export::{Batch, Encode};
use crate::histogram::{self, Percentiles};
use crate::interpreter::{Run, Schedule};
use crate::journal::{Ending, Selection, Sending};
use crate::trace::Trace;
use chunks::Chunks;
use ordered::Turn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The parameters of a generation.
pub struct Job {
    pub run: Arc<Run>,
    pub selection: Selection,
    /// The number of threads, at least 1; it does not affect the output's bytes.
    pub threads: usize,
    /// Generate traces as fast as they can be made and sent; epochs are added to the schedule by what was achieved.
    pub at_full_speed: bool,
    /// Keep the order of indices (or that of departures if spans leave alone), and never close a batch by time.
    pub ordered: bool,
    /// How the spans leave.
    pub sending: Sending,
    /// What was sent before and is not sent again.
    pub sent: Sent,
    /// The clock by which traces begin and end.
    pub clock: Arc<dyn Clock>,
    /// The callback for new epochs of the schedule.
    pub on_epoch: Option<OnEpoch>,
}

/// A callback that gets the schedule when an epoch was added, before any trace of that epoch is sent. Every thread that
/// reaches the epoch calls it and waits for it, so it may get the same schedule several times, from several threads.
pub type OnEpoch = Arc<dyn Fn(&Schedule) + Send + Sync>;

/// What a stopped run has sent: of the traces before `end`, all that was due by `stopped`. By default there is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The index after the last trace that was begun.
    pub end: u64,
    /// The time of the stop in ns since 1970.
    pub stopped: u64,
    /// The number of traces that were sent whole.
    pub traces: u64,
}

impl Sent {
    /// Reports whether a trace was sent by a run whose traces leave when they have ended.
    fn has(&self, trace: &Trace) -> bool {
        trace.index < self.end && trace.end <= self.stopped
    }
}

/// The live figures of a run, which can be read while it goes on.
#[derive(Default)]
pub struct Progress {
    traces: AtomicU64,
    spans: AtomicU64,
    bytes: AtomicU64,
    lateness: histogram::Shared,
    /// The virtual start of the latest trace begun, in ns since 1970.
    reached: AtomicU64,
    /// The wall clock when that trace was begun, in ns since 1970.
    reached_at: AtomicU64,
    /// The number of traces that have begun and not ended.
    pending: AtomicU64,
    /// The latest end of any trace begun, in ns since 1970.
    last_end: AtomicU64,
    /// The number of times that generation had to wait because too many traces had begun and not ended.
    full: AtomicU64,
}

/// The values of [`Progress`] at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The number of traces handed to the output.
    pub traces: u64,
    /// The number of spans handed to the output.
    pub spans: u64,
    /// The number of bytes handed to the output.
    pub bytes: u64,
    /// The lateness of the traces that ended after the run began.
    pub lateness: Percentiles,
    /// The virtual start of the latest trace begun, in ns since 1970; 0 if there is none.
    pub reached: u64,
    /// The wall clock when that trace was begun, in ns since 1970; 0 if there is none.
    pub reached_at: u64,
    /// The number of traces that have begun and not ended.
    pub pending: u64,
    /// The latest end of any trace begun, in ns since 1970.
    pub last_end: u64,
    /// The number of times that generation had to wait because too many traces had begun and not ended.
    pub full: u64,
}

impl Progress {
    pub fn figures(&self) -> Figures {
        Figures {
            traces: self.traces.load(Ordering::Relaxed),
            spans: self.spans.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            lateness: self.lateness.percentiles(),
            reached: self.reached.load(Ordering::Relaxed),
            reached_at: self.reached_at.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Relaxed),
            last_end: self.last_end.load(Ordering::Relaxed),
            full: self.full.load(Ordering::Relaxed),
        }
    }

    fn handed_over(&self, batch: &Batch) {
        self.traces.fetch_add(batch.traces, Ordering::Relaxed);
        self.spans.fetch_add(batch.spans, Ordering::Relaxed);
        self.bytes.fetch_add(batch.body.len() as u64, Ordering::Relaxed);
    }

    fn waited_for_room(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that a worker's number of traces that have begun and not ended went from `earlier` to `current`.
    fn pending(&self, earlier: u64, current: u64, last_end: u64) {
        self.pending.fetch_add(current.wrapping_sub(earlier), Ordering::Relaxed);
        self.last_end.fetch_max(last_end, Ordering::Relaxed);
    }

    fn begun(&self, start: u64, now: u64) {
        self.reached.fetch_max(start, Ordering::Relaxed);
        self.reached_at.fetch_max(now, Ordering::Relaxed);
    }
}

/// How a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All selected traces have been handed over.
    Complete,
    /// [`Stop`] was set before the end; what was not due by then was not sent.
    Stopped,
    /// The output takes no more.
    Closed,
}

/// Generates traces until the selection is complete, `stop` is set, or the output closes. It blocks until then. `encoder`
/// makes an encoder for each worker.
pub fn generate(
    job: &Job,
    encoder: &(dyn Fn() -> Box<dyn Encode> + Sync),
    output: &dyn Output,
    progress: &Progress,
    stop: &Stop,
) -> (Ended, Ending) {
    let (chunks, turn) = (Chunks::new(job), Turn::new());
    let by_trace = job.sending.is_by_trace(job.run.plan());
    let worker = || -> Result<bool, Closed> {
        if !by_trace {
            by_span::work(job, &chunks, encoder(), output, progress, stop)
        } else if job.ordered {
            ordered::work(job, &chunks, &turn, encoder(), output, progress, stop)
        } else {
            stream::work(job, &chunks, encoder(), output, progress, stop)
        }
    };
    let sent_all = std::thread::scope(|scope| {
        let threads = if by_trace { job.threads } else { 1 };
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut sent_all = worker();
        for other in others {
            match other.join() {
                Ok(others) => sent_all = sent_all.and_then(|mine| Ok(others? && mine)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        sent_all
    });
    let (end, grown) = chunks.end();
    let ended = match sent_all {
        Err(Closed) => Ended::Closed,
        Ok(true) if chunks.is_complete() => Ended::Complete,
        Ok(_) => Ended::Stopped,
    };
    let stopped = (ended != Ended::Complete).then(|| stop.time().min(job.clock.now()));
    (ended, Ending { stopped, end, schedule: grown.unwrap_or_else(|| job.run.schedule().clone()) })
}

#[cfg(test)]
mod tests;
