//! Work, cut into chunks of consecutive indices and handed out in order.

use super::{Job, OnEpoch, Sent, Stop};
use crate::clock::now;
use crate::interpreter::{Arrivals, Epoch, MAX_INDEX, Schedule, Starts};
use crate::plan::{Plan, ScenarioId};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// Most traces in a chunk.
const LONGEST: u64 = 4_096;
/// Most spans in a chunk, by the plan's bound: what a worker holds encoded while it waits for its turn.
const MOST_SPANS: u64 = 262_144;
/// ns.
const SECOND: u64 = 1_000_000_000;
/// The longest that traces without a start of their own (full speed, a count alone) begin in the past, so that the last has
/// ended when it is made, ns.
pub const LONGEST_REACH: u64 = 600 * SECOND;
/// How the first epoch at full speed arrives: a trace every us, which few machines make and fewer receivers take.
pub const FIRST_ARRIVALS: Arrivals = Arrivals::Even { count: FIRST_RATE, per_ns: SECOND };
/// How far the last start of an epoch should lie before the first of the next, ns.
const MARGIN: u64 = SECOND / 8;
/// An epoch is at least so small a part of what has gone by: there are about so many in the first half hour, and again
/// whenever the time has become 2.7 times as long.
const EPOCHS: u64 = 1_024;
/// Traces a second.
const FIRST_RATE: u64 = 1_000_000;

/// Consecutive indices.
pub struct Chunk {
    /// Counts from 0.
    pub number: u64,
    pub indices: Range<u64>,
    /// The schedule as it stands, if it has grown since the run began.
    pub schedule: Option<Arc<Schedule>>,
}

/// Hands out chunks. One lock a chunk.
pub struct Chunks {
    length: u64,
    /// Indices below this one.
    limit: u64,
    before: u64,
    on_epoch: Option<OnEpoch>,
    state: Mutex<State>,
}

struct State {
    number: u64,
    next: u64,
    complete: bool,
    full_speed: Option<FullSpeed>,
}

struct FullSpeed {
    /// Wall clock, ns since 1970, when the last epoch was opened.
    opened: u64,
    /// Traces a second of the last epoch's schedule.
    rate: u64,
    schedule: Arc<Schedule>,
    starts: Starts,
    reach: u64,
}

impl Chunks {
    pub fn new(job: &Job) -> Chunks {
        let (plan, schedule, selection) = (job.run.plan(), job.run.schedule(), &job.selection);
        let mut starts = Starts::new(job.run.seed(), schedule.clone());
        let mut limit = selection.count.unwrap_or(MAX_INDEX);
        if let (Some(before), false) = (selection.before, job.at_full_speed) {
            // Starts are out of order by a few indices: the last one in time bounds them, the others are asked one by one.
            let last = before.checked_sub(1).and_then(|t| starts.last_at_or_before(0, t));
            limit = limit.min(last.map_or(0, |i| i + 1));
        }
        let per_second = match job.at_full_speed {
            true => LONGEST as f64,
            false => schedule.epochs().iter().map(|epoch| epoch.arrivals.mean_rate()).fold(1.0, f64::max),
        };
        let next = first_left(&mut starts, job.sent, plan.duration_bound());
        let full_speed = job.at_full_speed.then(|| {
            let reach = plan.duration_bound().min(LONGEST_REACH);
            FullSpeed::new(starts, job.sent.end, reach, now())
        });
        let state = State { number: 0, next, complete: false, full_speed };
        Chunks {
            length: length(plan, per_second),
            limit,
            before: selection.before.unwrap_or(u64::MAX),
            on_epoch: job.on_epoch.clone(),
            state: Mutex::new(state),
        }
    }

    /// The next chunk; `None`: all have been handed out, or `stop` is set.
    pub fn next(&self, stop: &Stop) -> Option<Chunk> {
        let chunk = self.take(stop)?;
        // Outside of the lock: the others go on meanwhile.
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
            full_speed.open_epoch_if_due(first, now());
            // What is left of the epoch starts later still, and so do all epochs to come.
            if full_speed.starts.start(first) >= self.before {
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

    /// The index after the last that was handed out, and the schedule if it has grown since the run began.
    pub fn end(&self) -> (u64, Option<Arc<Schedule>>) {
        let state = self.state.lock();
        (state.next, state.full_speed.as_ref().map(|full_speed| full_speed.schedule.clone()))
    }

    /// Whether all chunks have been handed out.
    pub fn is_complete(&self) -> bool {
        let state = self.state.lock();
        state.complete || state.next >= self.limit
    }
}

/// The first index that may not have been sent: all traces before it had ended, none lasting longer than `longest` ns.
fn first_left(starts: &mut Starts, sent: Sent, longest: u64) -> u64 {
    let by = sent.stopped.saturating_sub(longest);
    let firsts: Vec<u64> = starts.schedule().epochs().iter().map(|epoch| epoch.first).collect();
    let ends = firsts[1..].iter().copied().chain([MAX_INDEX]);
    let mut lefts = firsts.iter().zip(ends).map(|(first, end)| (starts.all_at_or_before(*first, by), end));
    lefts.find(|(left, end)| left < end).map_or(sent.end, |(left, _)| left.min(sent.end))
}

impl FullSpeed {
    /// From trace `next` on, at the rate that the schedule ends with.
    fn new(mut starts: Starts, next: u64, reach: u64, now: u64) -> FullSpeed {
        let mut schedule = Schedule::clone(starts.schedule());
        let last = schedule.epochs().last().copied();
        let rate = last.map_or(FIRST_RATE, |epoch| epoch.arrivals.mean_rate() as u64);
        if let Some(before) = next.checked_sub(1) {
            let opening = now.saturating_sub(reach).max(starts.start(before));
            let arrivals = Arrivals::Even { count: rate, per_ns: SECOND };
            // Refused only where the schedule can hold no more: the last epoch goes on.
            let _ = schedule.push_epoch(Epoch { first: next, opening, arrivals });
        }
        let schedule = Arc::new(schedule);
        starts.update(&schedule);
        FullSpeed { opened: now, rate, schedule, starts, reach }
    }

    /// An epoch a second, the first ones shorter, as it is not known yet what can be achieved, and later ones longer, so that
    /// a schedule of days stays short. Its rate follows from what the
    /// one before achieved: an eighth more, so that generation never has to wait for a trace to end, and more than that
    /// where it came close to it. The rate at most halves, so that what held up a whole epoch (a target that was away) does
    /// not hold up the next one.
    fn open_epoch_if_due(&mut self, first: u64, now: u64) {
        let took = now.saturating_sub(self.opened);
        let before = self.schedule.epochs().last().map_or(0, |epoch| epoch.first);
        let epochs = self.schedule.epochs();
        let length = match epochs.len() {
            n @ 0..8 => SECOND >> (8 - n),
            _ => SECOND.max(now.saturating_sub(epochs[0].opening) / EPOCHS),
        };
        if took < length || first <= before {
            return;
        }
        let achieved = (first - before) as u128 * SECOND as u128 / took as u128;
        let (wanted, last) = (now.saturating_sub(self.reach), self.starts.start(first - 1));
        // How much of a second's starts the next second should get through.
        let ahead = (last + MARGIN).saturating_sub(wanted);
        let share = (SECOND - MARGIN).saturating_sub(4 * ahead).max(SECOND / 4);
        let rate = (achieved * SECOND as u128 / share as u128).min(SECOND as u128) as u64;
        self.rate = rate.max(self.rate / 2).max(1);
        let mut schedule = Schedule::clone(&self.schedule);
        let arrivals = Arrivals::Even { count: self.rate, per_ns: SECOND };
        if schedule.push_epoch(Epoch { first, opening: wanted.max(last), arrivals }).is_ok() {
            self.schedule = schedule.into();
            self.starts.update(&self.schedule);
            self.opened = now;
        }
    }
}

/// About a second of traces, so that an ordered output is not behind by more; a power of two, within the bounds above.
/// Depends on plan and schedule alone, so the chunks of a run are the same everywhere.
fn length(plan: &Plan, per_second: f64) -> u64 {
    let most = plan.scenarios.iter().enumerate().map(|(i, _)| plan.bound(ScenarioId(i as u32)).max_spans);
    let most = most.max().unwrap_or(1).max(1) as u64;
    let wanted = (per_second as u64).min(LONGEST).min(MOST_SPANS / most).max(1);
    1 << wanted.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::Run;
    use crate::journal::Selection;
    use crate::plan::fixture;

    const NOW: u64 = 1_767_225_600 * SECOND;
    const REACH: u64 = SECOND / 2;

    fn full_speed() -> FullSpeed {
        let schedule = Schedule::new(NOW - REACH, FIRST_ARRIVALS).unwrap();
        FullSpeed::new(Starts::new(42, schedule), 0, REACH, NOW)
    }

    /// Seconds of a machine that makes `capacity` traces a second, as far as they have ended; how many it makes in each.
    fn seconds(full_speed: &mut FullSpeed, capacity: u64, n: u64) -> Vec<u64> {
        let mut first = 0;
        let second = |i| {
            let now = NOW + i * SECOND;
            let ended = full_speed.starts.last_at_or_before(first, now - REACH).map_or(first, |last| last + 1);
            let made = capacity.min(ended - first);
            first += made;
            full_speed.open_epoch_if_due(first, now);
            made
        };
        (1..=n).map(second).collect()
    }

    #[test]
    fn full_speed_is_found_and_kept() {
        for capacity in [10, 200_000, 900_000, 20_000_000] {
            let made = seconds(&mut full_speed(), capacity, 12);
            assert!(made[4..].iter().all(|made| *made >= capacity / 10 * 9), "{capacity}: {made:?}");
        }
    }

    #[test]
    fn full_speed_ends_with_the_first_start_that_is_too_late() {
        let schedule = Schedule::new(NOW, FIRST_ARRIVALS).unwrap();
        let job = Job {
            run: Arc::new(Run::new(Arc::new(fixture::plan()), 42, schedule)),
            selection: Selection { before: Some(NOW + SECOND / 100), ..Selection::default() },
            threads: 1,
            at_full_speed: true,
            ordered: false,
            sent: Sent::default(),
            on_epoch: None,
        };
        let (chunks, stop) = (Chunks::new(&job), Stop::default());
        let indices: Vec<_> = std::iter::from_fn(|| chunks.next(&stop)).map(|chunk| chunk.indices).collect();
        assert!(chunks.is_complete());
        let end = indices.last().unwrap().end;
        assert!((FIRST_RATE / 100..FIRST_RATE / 100 + LONGEST).contains(&end), "{indices:?}");
    }

    #[test]
    fn nobody_waits_while_another_is_told_an_epoch() {
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
            sent: Sent::default(),
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
    fn a_pause_is_made_up_for() {
        let mut full_speed = full_speed();
        let made = *seconds(&mut full_speed, 500_000, 5).last().unwrap();
        assert_eq!(made, 500_000);
        let first = full_speed.schedule.epochs().last().unwrap().first;
        full_speed.open_epoch_if_due(first + 10, NOW + 200 * SECOND);
        assert!(full_speed.rate >= 250_000, "{}", full_speed.rate);
    }

    #[test]
    fn full_speed_is_taken_up_again() {
        let mut before = full_speed();
        let sent: u64 = seconds(&mut before, 500_000, 5).iter().sum();
        let (starts, later) = (before.starts, NOW + 3_600 * SECOND);
        let after = FullSpeed::new(starts, sent, REACH, later);
        let epoch = *after.schedule.epochs().last().unwrap();
        assert_eq!((epoch.first, epoch.opening), (sent, later - REACH));
        assert!(after.rate >= 450_000, "{}", after.rate);
        assert_eq!(&after.schedule.epochs()[..5], &before.schedule.epochs()[..5]);
    }

    #[test]
    fn what_is_left_begins_with_the_first_that_may_not_have_ended() {
        const LONGEST: u64 = 3 * SECOND;
        let even = Arrivals::Even { count: 100, per_ns: SECOND };
        let interval = Arrivals::Interval { min_ns: 0, max_ns: SECOND, lanes: 7 };
        let poisson = Arrivals::Poisson { count: 100, per_ns: SECOND };
        for arrivals in [even, interval, poisson] {
            let mut starts = Starts::new(42, Schedule::new(NOW, arrivals).unwrap());
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
    fn what_is_left_may_begin_in_an_earlier_epoch() {
        let mut schedule = Schedule::new(NOW, FIRST_ARRIVALS).unwrap();
        for (first, seconds) in [(100, 1), (200, 2)] {
            let arrivals = Arrivals::Even { count: 100, per_ns: SECOND };
            schedule.push_epoch(Epoch { first, opening: NOW + seconds * SECOND, arrivals }).unwrap();
        }
        let mut starts = Starts::new(42, schedule);
        for (stopped, left) in [(SECOND + SECOND / 2, 151), (2 * SECOND, 201), (9 * SECOND, 250)] {
            assert_eq!(first_left(&mut starts, Sent { end: 250, stopped: NOW + stopped, traces: 0 }, 0), left);
        }
    }

    #[test]
    fn a_schedule_of_a_week_stays_short() {
        let (mut full_speed, week) = (full_speed(), 7 * 86_400);
        let made = seconds(&mut full_speed, 300_000, week);
        assert!(full_speed.schedule.epochs().len() < 8 * EPOCHS as usize, "{}", full_speed.schedule.epochs().len());
        assert!(made[4..].iter().all(|made| *made >= 270_000));
    }

    #[test]
    fn epochs_never_go_back() {
        let mut full_speed = full_speed();
        seconds(&mut full_speed, 3_000_000, 10);
        for epoch in &full_speed.schedule.epochs()[1..] {
            assert!(full_speed.starts.start(epoch.first) >= full_speed.starts.start(epoch.first - 1));
        }
    }
}
