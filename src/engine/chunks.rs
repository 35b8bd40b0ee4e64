//! The work of a run, cut into chunks of consecutive indices that are handed out in order.

use super::full_speed::FullSpeed;
use super::{Job, OnEpoch, Sent, Stop};
use crate::clock::Clock;
use crate::interpreter::{Epoch, MAX_INDEX, MAX_TIME, Schedule, Starts};
use crate::plan::{Plan, ScenarioId};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// The maximum number of traces in a chunk.
const LONGEST: u64 = 4_096;
/// The maximum number of spans in a chunk, by the bound of the plan. A worker holds so many encoded spans while it waits
/// for its turn.
const MOST_SPANS: u64 = 262_144;
/// A second in ns.
const SECOND: u64 = 1_000_000_000;
/// The furthest in the past that traces without a given start (at full speed, or with a count only) begin, in ns. They
/// begin in the past so that the last one has ended when it is generated.
pub const LONGEST_REACH: u64 = 600 * SECOND;

/// A range of consecutive indices.
pub struct Chunk {
    /// The number of the chunk, counted from 0.
    pub number: u64,
    pub indices: Range<u64>,
    /// The current schedule, if it has grown since the run began.
    pub schedule: Option<Arc<Schedule>>,
}

/// The source of chunks, which takes one lock for each.
pub struct Chunks {
    length: u64,
    /// The index after the last trace of the run.
    limit: u64,
    /// Only traces that start before this time are generated, in ns since 1970.
    started_before: u64,
    on_epoch: Option<OnEpoch>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    number: u64,
    next: u64,
    complete: bool,
    full_speed: Option<FullSpeed>,
}

impl Chunks {
    pub fn new(job: &Job) -> Chunks {
        let (plan, schedule, selection) = (job.run.plan(), job.run.schedule(), &job.selection);
        let mut starts = job.run.starts();
        let mut limit = selection.count.unwrap_or(MAX_INDEX);
        // A load may end, so that no trace starts any more.
        let by_load = schedule.epochs().iter().any(|epoch| epoch.load.is_some());
        let started_before = selection.started_before.or(by_load.then_some(MAX_TIME + 1));
        if let (Some(started_before), false) = (started_before, job.at_full_speed) {
            // Starts are out of order by a few indices. The last start in time bounds them, and the workers check each one.
            let last = started_before.checked_sub(1).and_then(|t| starts.last_at_or_before(0, t));
            limit = limit.min(last.map_or(0, |i| i + 1));
        }
        let per_second = match job.at_full_speed {
            true => LONGEST as f64,
            false => schedule.epochs().iter().map(|epoch| mean_rate(epoch, plan)).fold(1.0, f64::max),
        };
        let longest = plan.duration_bound();
        let next = first_left(&mut starts, job.sent, longest + job.sending.longest_lateness(plan));
        let full_speed = job.at_full_speed.then(|| {
            let reach = (longest + job.sending.longest_wait(plan)).min(LONGEST_REACH);
            FullSpeed::new(starts, job.sent.end, reach, job.clock.now())
        });
        let state = State { number: 0, next, complete: false, full_speed };
        Chunks {
            length: length(plan, per_second),
            limit,
            started_before: selection.started_before.unwrap_or(u64::MAX),
            on_epoch: job.on_epoch.clone(),
            clock: job.clock.clone(),
            state: Mutex::new(state),
        }
    }

    /// Returns the next chunk, or `None` if all have been handed out or `stop` is set.
    pub fn next(&self, stop: &Stop) -> Option<Chunk> {
        let chunk = self.take(stop)?;
        // The callback runs outside of the lock, so that other workers are not blocked.
        if let (Some(tell), Some(schedule)) = (&self.on_epoch, &chunk.schedule) {
            tell(schedule);
        }
        Some(chunk)
    }

    fn take(&self, stop: &Stop) -> Option<Chunk> {
        if stop.is_set() {
            return None;
        }
        let mut state = self.state.lock();
        let first = state.next;
        if first >= self.limit || state.complete {
            state.complete = true;
            return None;
        }
        let mut schedule = None;
        if let Some(full_speed) = &mut state.full_speed {
            full_speed.open_epoch_if_due(first, self.clock.now());
            // The remaining traces of the epoch start still later, as do all later epochs.
            if full_speed.starts.start(first) >= self.started_before {
                state.complete = true;
                return None;
            }
            schedule = Some(full_speed.schedule.clone());
        }
        let end = first.saturating_add(self.length).min(self.limit);
        let number = state.number;
        state.number += 1;
        state.next = end;
        Some(Chunk { number, indices: first..end, schedule })
    }

    /// Returns the index after the last one that was handed out, and the schedule if it has grown since the run began.
    pub fn end(&self) -> (u64, Option<Arc<Schedule>>) {
        let state = self.state.lock();
        (state.next, state.full_speed.as_ref().map(|full_speed| full_speed.schedule.clone()))
    }

    /// Reports whether all chunks have been handed out.
    pub fn is_complete(&self) -> bool {
        let state = self.state.lock();
        state.complete || state.next >= self.limit
    }
}

/// Returns the mean number of traces per second of an epoch.
fn mean_rate(epoch: &Epoch, plan: &Plan) -> f64 {
    epoch.load.map_or(epoch.arrivals.mean_rate(), |_| epoch.mean_rates(plan).iter().sum())
}

/// Returns the first index that may not have been sent. All traces before it had, as nothing of a trace is due more than
/// `longest` ns after its start.
fn first_left(starts: &mut Starts, sent: Sent, longest: u64) -> u64 {
    let by = sent.stopped.saturating_sub(longest);
    let firsts: Vec<u64> = starts.schedule().epochs().iter().map(|epoch| epoch.first).collect();
    let ends = firsts[1..].iter().copied().chain([MAX_INDEX]);
    let mut lefts = firsts.iter().zip(ends).map(|(first, end)| (starts.all_at_or_before(*first, by), end));
    lefts.find(|(left, end)| left < end).map_or(sent.end, |(left, _)| left.min(sent.end))
}

/// Returns the number of traces in a chunk: about a second of traces, so that an ordered output lags by no more, and a
/// power of two within the bounds above. It depends on plan and schedule only, so the chunks of a run are the same
/// everywhere.
fn length(plan: &Plan, per_second: f64) -> u64 {
    let most = plan.scenarios.iter().enumerate().map(|(i, _)| plan.bound(ScenarioId(i as u32)).max_spans);
    let most = most.max().unwrap_or(1).max(1) as u64;
    let wanted = (per_second as u64).min(LONGEST).min(MOST_SPANS / most).max(1);
    1 << wanted.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Process;
    use crate::engine::full_speed::FIRST_ARRIVALS;
    use crate::interpreter::{Arrivals, Run};
    use crate::journal::{Selection, Sending};
    use crate::plan::fixture;

    const NOW: u64 = 1_767_225_600 * SECOND;

    #[test]
    fn full_speed_ends_with_the_first_start_that_is_too_late() {
        let schedule = Schedule::new(NOW, FIRST_ARRIVALS).unwrap();
        let job = Job {
            run: Arc::new(Run::new(Arc::new(fixture::plan()), 42, schedule)),
            selection: Selection { started_before: Some(NOW + SECOND / 100), ..Selection::default() },
            threads: 1,
            at_full_speed: true,
            ordered: false,
            sending: Sending::default(),
            sent: Sent::default(),
            clock: Arc::new(Process),
            on_epoch: None,
        };
        let (chunks, stop) = (Chunks::new(&job), Stop::default());
        let indices: Vec<_> = std::iter::from_fn(|| chunks.next(&stop)).map(|chunk| chunk.indices).collect();
        assert!(chunks.is_complete());
        let end = indices.last().unwrap().end;
        let in_time = FIRST_ARRIVALS.mean_rate() as u64 / 100;
        assert!((in_time..in_time + LONGEST).contains(&end), "{indices:?}");
    }

    #[test]
    fn no_worker_waits_while_another_reports_an_epoch() {
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::sync::mpsc::channel;
        use std::time::Duration;
        const LONG: Duration = Duration::from_secs(60);
        let (told, hears) = channel();
        let (release, released) = channel::<()>();
        let (first, released) = (AtomicBool::new(true), Mutex::new(released));
        let tell: OnEpoch = Arc::new(move |schedule| {
            if first.swap(false, Ordering::SeqCst) {
                told.send(schedule.epochs().len()).unwrap();
                let _ = released.lock().recv_timeout(LONG);
            }
        });
        let job = Job {
            run: Arc::new(Run::new(Arc::new(fixture::plan()), 42, Schedule::new(NOW, FIRST_ARRIVALS).unwrap())),
            selection: Selection::default(),
            threads: 2,
            at_full_speed: true,
            ordered: false,
            sending: Sending::default(),
            sent: Sent::default(),
            clock: Arc::new(Process),
            on_epoch: Some(tell),
        };
        let (chunks, stop) = (Chunks::new(&job), Stop::default());
        std::thread::scope(|scope| {
            let held_up = scope.spawn(|| chunks.next(&stop).unwrap().number);
            assert_eq!(hears.recv_timeout(LONG), Ok(1), "before any of its traces leaves");
            assert_eq!(chunks.next(&stop).unwrap().number, 1, "while the other one writes");
            assert!(!held_up.is_finished());
            release.send(()).unwrap();
            assert_eq!(held_up.join().unwrap(), 0);
        });
    }

    #[test]
    fn a_resumed_run_begins_with_the_first_trace_that_may_not_have_ended() {
        const LONGEST: u64 = 3 * SECOND;
        let even = Arrivals::Even { count: 100, per_ns: SECOND };
        let interval = Arrivals::Interval { min_ns: 0, max_ns: SECOND, lanes: 7 };
        let poisson = Arrivals::Poisson { count: 100, per_ns: SECOND };
        for arrivals in [even, interval, poisson] {
            let mut starts = Starts::new(&Arc::new(fixture::plan()), 42, Schedule::new(NOW, arrivals).unwrap(), NOW);
            for (end, seconds) in [(0, 0), (50, 1), (3_000, 10), (3_000, 20), (40, 100)] {
                let sent = Sent { end, stopped: NOW + seconds * SECOND, traces: 0 };
                let left = first_left(&mut starts, sent, LONGEST);
                assert!(left <= end && (0..left).all(|i| starts.start(i) + LONGEST <= sent.stopped), "{arrivals:?}");
                let tight = (left..end).take(30).any(|i| starts.start(i) + LONGEST > sent.stopped);
                assert!(left == end || tight, "{arrivals:?} {left} of {end}");
            }
        }
    }

    #[test]
    fn a_resumed_run_may_begin_in_an_earlier_epoch() {
        let mut schedule = Schedule::new(NOW, FIRST_ARRIVALS).unwrap();
        for (first, seconds) in [(100, 1), (200, 2)] {
            let arrivals = Arrivals::Even { count: 100, per_ns: SECOND };
            schedule.push_epoch(Epoch::new(first, NOW + seconds * SECOND, arrivals)).unwrap();
        }
        let mut starts = Starts::new(&Arc::new(fixture::plan()), 42, schedule, NOW);
        for (stopped, left) in [(SECOND + SECOND / 2, 151), (2 * SECOND, 201), (9 * SECOND, 250)] {
            assert_eq!(first_left(&mut starts, Sent { end: 250, stopped: NOW + stopped, traces: 0 }, 0), left);
        }
    }
}
