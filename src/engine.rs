//! Start, stop, pace: drives interpreters on several threads and hands what they make to an output.
//!
//! A trace leaves when its last span has ended, so no timestamp lies in the future; what lies in the past goes out at full
//! speed. Work is cut into chunks of fixed index ranges, so that an output that keeps index order gets the same bytes from
//! any number of threads.

mod chunks;
mod full_speed;
mod ordered;
mod outbox;
mod output;
mod pending;
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
use crate::journal::{Ending, Selection};
use crate::trace::Trace;
use chunks::Chunks;
use ordered::Turn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What to generate.
pub struct Job {
    pub run: Arc<Run>,
    pub selection: Selection,
    /// At least 1. Never changes a byte.
    pub threads: usize,
    /// As fast as traces can be made and taken: the schedule gets epochs, by what was achieved.
    pub at_full_speed: bool,
    /// Keep index order, and close a batch at a chunk's end and never by time.
    pub ordered: bool,
    /// What is not to be sent again.
    pub sent: Sent,
    /// By which traces begin and end.
    pub clock: Arc<dyn Clock>,
    /// Told the schedule as it grows.
    pub on_epoch: Option<OnEpoch>,
}

/// Is told the schedule whenever it has got an epoch, before any trace of that leaves: by every thread that comes to the
/// epoch, so it may be told the same one several times, from several threads, which wait for it.
pub type OnEpoch = Arc<dyn Fn(&Schedule) + Send + Sync>;

/// What a run had sent when it was stopped: of the traces before `end`, those that had ended. By default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub end: u64,
    /// ns since 1970.
    pub stopped: u64,
    /// How many they were.
    pub traces: u64,
}

impl Sent {
    fn has(&self, trace: &Trace) -> bool {
        trace.index < self.end && trace.end <= self.stopped
    }
}

/// Live figures of a run; read while it goes on.
#[derive(Default)]
pub struct Progress {
    traces: AtomicU64,
    spans: AtomicU64,
    bytes: AtomicU64,
    lateness: histogram::Shared,
    /// Virtual start of the latest trace begun, and the wall clock then, ns since 1970.
    reached: AtomicU64,
    reached_at: AtomicU64,
    /// Traces that have begun and not ended, and the latest end of any trace begun, ns since 1970.
    pending: AtomicU64,
    last_end: AtomicU64,
    /// Times generation had to wait because too many traces had begun and not ended.
    full: AtomicU64,
}

/// What [`Progress`] showed at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Handed to the output.
    pub traces: u64,
    pub spans: u64,
    pub bytes: u64,
    /// Of traces that ended after the run began.
    pub lateness: Percentiles,
    /// Virtual start of the latest trace begun, and the wall clock then, ns since 1970; 0: none yet.
    pub reached: u64,
    pub reached_at: u64,
    /// Traces that have begun and not ended, and the latest end of any trace begun, ns since 1970.
    pub pending: u64,
    pub last_end: u64,
    /// Times generation had to wait because too many had.
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

    /// So many more, or fewer, traces of a worker have begun and not ended.
    fn pending(&self, before: u64, now: u64, last_end: u64) {
        self.pending.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        self.last_end.fetch_max(last_end, Ordering::Relaxed);
    }

    fn begun(&self, start: u64, now: u64) {
        self.reached.fetch_max(start, Ordering::Relaxed);
        self.reached_at.fetch_max(now, Ordering::Relaxed);
    }
}

/// How generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All that was selected has been handed over.
    Complete,
    /// [`Stop`] was set before; what had not ended by then was not sent.
    Stopped,
    /// The output takes no more.
    Closed,
}

/// Generate until the selection is complete, `stop` is set, or the output closes. Blocks; `encoder` makes one for each
/// worker.
pub fn generate(
    job: &Job,
    encoder: &(dyn Fn() -> Box<dyn Encode> + Sync),
    output: &dyn Output,
    progress: &Progress,
    stop: &Stop,
) -> (Ended, Ending) {
    let (chunks, turn) = (Chunks::new(job), Turn::new());
    let worker = || -> Result<bool, Closed> {
        if job.ordered {
            ordered::work(job, &chunks, &turn, encoder(), output, progress, stop)
        } else {
            stream::work(job, &chunks, encoder(), output, progress, stop)
        }
    };
    let sent_all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..job.threads).map(|_| scope.spawn(worker)).collect();
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
