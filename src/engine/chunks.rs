//! Work, cut into chunks of consecutive indices and handed out in order.

use super::{Job, Stop, now};
use crate::interpreter::{Arrivals, Epoch};
use crate::plan::Plan;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Most traces in a chunk.
const LONGEST: u64 = 4_096;
/// Most spans in a chunk, by the plan's bound: what a worker holds encoded while it waits for its turn.
const MOST_SPANS: u64 = 262_144;
/// ns.
const SECOND: u64 = 1_000_000_000;
/// The gap of the first epoch at full speed: 10 us.
const FIRST_RATE: u64 = 100_000;
/// The longest an epoch at full speed reaches back so that its traces have ended when they are made, ns.
const LONGEST_REACH: u64 = 60 * SECOND;

/// Consecutive indices.
pub struct Chunk {
    /// Counts from 0.
    pub number: u64,
    pub indices: Range<u64>,
    /// Epochs that have been added to the schedule, all from the run's first on.
    pub epochs: Vec<Epoch>,
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
    /// Wall clock, ns since 1970, when the last epoch opened.
    opened: u64,
    epochs: Vec<Epoch>,
    reach: u64,
}

impl Chunks {
    pub fn new(job: &Job) -> Chunks {
        let (plan, schedule, selection) = (job.run.plan(), job.run.schedule(), &job.selection);
        let mut limit = selection.count.unwrap_or(u64::MAX);
        if let (Some(before), false) = (selection.before, job.at_full_speed) {
            // Starts are out of order by a few indices: the last one in time bounds them, the others are asked one by one.
            let last = before.checked_sub(1).and_then(|t| schedule.last_at_or_before(t));
            limit = limit.min(last.map_or(0, |i| i + 1));
        }
        let full_speed = job.at_full_speed.then(|| FullSpeed {
            opened: 0,
            epochs: vec![],
            reach: plan.duration_bound().min(LONGEST_REACH),
        });
        let per_second = if job.at_full_speed { LONGEST as f64 } else { schedule.mean_rate() };
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
        let mut epochs = vec![];
        if let Some(full_speed) = &mut state.full_speed {
            full_speed.open_epoch_if_due(first, now());
            if full_speed.epochs.last().is_some_and(|epoch| epoch.opening >= self.before) {
                state.complete = true;
                return None;
            }
            epochs = full_speed.epochs.clone();
        }
        let end = first.saturating_add(self.length).min(self.limit);
        let number = state.number;
        state.number += 1;
        state.next = end;
        Some(Chunk { number, indices: first..end, epochs })
    }

    /// Whether all chunks have been handed out.
    pub fn is_complete(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.complete || state.next >= self.limit
    }
}

impl FullSpeed {
    fn open_epoch_if_due(&mut self, first: u64, now: u64) {
        let (rate, after) = match self.epochs.last() {
            Some(_) if now.saturating_sub(self.opened) < SECOND => return,
            // As many a second as there were in the epoch before.
            Some(last) => {
                let traces = (first - last.first).max(1);
                let took = now - self.opened;
                let rate = (traces as u128 * SECOND as u128 / took as u128).max(1) as u64;
                (rate, last.start(first - 1))
            }
            None => (FIRST_RATE, 0),
        };
        let opening = now.saturating_sub(self.reach).max(after);
        self.epochs.push(Epoch { first, opening, arrivals: Arrivals::Even { count: rate, per_ns: SECOND } });
        self.opened = now;
    }
}

/// About a second of traces, so that an ordered output is not behind by more; a power of two, within the bounds above.
/// Depends on plan and schedule alone, so the chunks of a run are the same everywhere.
fn length(plan: &Plan, per_second: f64) -> u64 {
    let most = plan.scenarios.iter().enumerate().map(|(i, _)| plan.bound(crate::plan::ScenarioId(i as u32)).max_spans);
    let most = most.max().unwrap_or(1).max(1) as u64;
    let wanted = (per_second as u64).min(LONGEST).min(MOST_SPANS / most).max(1);
    1 << wanted.ilog2()
}
