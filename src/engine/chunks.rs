//! Work, cut into chunks of consecutive indices and handed out in order.

use super::{Job, Stop, now};
use crate::interpreter::{Arrivals, Epoch, MAX_INDEX, Schedule, Starts};
use crate::plan::{Plan, ScenarioId};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Most traces in a chunk.
const LONGEST: u64 = 4_096;
/// Most spans in a chunk, by the plan's bound: what a worker holds encoded while it waits for its turn.
const MOST_SPANS: u64 = 262_144;
/// ns.
const SECOND: u64 = 1_000_000_000;
/// The longest an epoch at full speed reaches back so that its traces have ended when they are made, ns.
pub const LONGEST_REACH: u64 = 60 * SECOND;
/// How the first epoch at full speed arrives: a trace every 10 us.
pub const FIRST_ARRIVALS: Arrivals = Arrivals::Even { count: 100_000, per_ns: SECOND };

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
        let full_speed = job.at_full_speed.then(|| FullSpeed {
            opened: now(),
            schedule: Arc::new(schedule.clone()),
            starts,
            reach: plan.duration_bound().min(LONGEST_REACH),
        });
        let state = State { number: 0, next: 0, complete: false, full_speed };
        Chunks {
            length: length(plan, per_second),
            limit,
            before: selection.before.unwrap_or(u64::MAX),
            state: Mutex::new(state),
        }
    }

    /// The next chunk; `None`: all have been handed out, or `stop` is set.
    pub fn next(&self, stop: &Stop) -> Option<Chunk> {
        if stop.is_set() {
            return None;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = state.next;
        if first >= self.limit || state.complete {
            state.complete = true;
            return None;
        }
        let mut schedule = None;
        if let Some(full_speed) = &mut state.full_speed {
            full_speed.open_epoch_if_due(first, now());
            if full_speed.opening() >= self.before {
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

    /// Whether all chunks have been handed out.
    pub fn is_complete(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.complete || state.next >= self.limit
    }
}

impl FullSpeed {
    /// Of the last epoch, ns since 1970.
    fn opening(&self) -> u64 {
        self.schedule.epochs().last().map_or(0, |epoch| epoch.opening)
    }

    /// An epoch a second, which expects as many traces a second as there were in the one before.
    fn open_epoch_if_due(&mut self, first: u64, now: u64) {
        let took = now.saturating_sub(self.opened);
        let before = self.schedule.epochs().last().map_or(0, |epoch| epoch.first);
        if took < SECOND || first == before {
            return;
        }
        let rate = ((first - before) as u128 * SECOND as u128 / took as u128).max(1) as u64;
        let opening = now.saturating_sub(self.reach).max(self.starts.start(first - 1));
        let mut schedule = Schedule::clone(&self.schedule);
        let epoch = Epoch { first, opening, arrivals: Arrivals::Even { count: rate, per_ns: SECOND } };
        if schedule.push_epoch(epoch).is_ok() {
            self.starts.update(&schedule);
            self.schedule = Arc::new(schedule);
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
