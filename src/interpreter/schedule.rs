//! The start of each trace as a function of its index, which is cheap for any index.
//!
//! A [`Schedule`] is stored in manifests: its epochs, each with the index and the time at which it begins, and the way its
//! traces arrive. [`Starts`] evaluates it for a seed: it returns the start of an index, and the last index that has started
//! by a time.

mod interval;
mod poisson;

use super::identity::MAX_INDEX;
use interval::Interval;
use poisson::Poisson;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The latest start in ns since 1970, in the year 2262. A trace's maximum duration (below 2^62 ns) can still be added to
/// it.
pub const MAX_TIME: u64 = i64::MAX as u64;

/// The maximum number of lanes of [`Arrivals::Interval`].
pub const MAX_LANES: u32 = 65_536;

/// The maximum of a gap and of `per_ns`: 100 years in ns.
pub const MAX_GAP: u64 = 100 * 366 * 86_400_000_000_000;

/// How the traces of an epoch arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Arrivals {
    /// Traces arrive evenly, `count` in every `per_ns` ns.
    Even { count: u64, per_ns: u64 },
    /// Traces arrive in parallel lanes (index modulo `lanes`), in each of them with gaps uniformly distributed over
    /// `min_ns..=max_ns`. Gaps come in antithetic pairs U, min + max - U: each is uniform, and the sum of a pair is
    /// constant. Lane l begins l (min + max) / (2 lanes) after the epoch, and its first trace has no gap before it.
    Interval { min_ns: u64, max_ns: u64, lanes: u32 },
    /// Traces arrive at random, `count` in `per_ns` ns on average. They are drawn in blocks of 4,096 arrivals, each uniform
    /// over its block. The variance of counts is therefore that of a Poisson process for windows of up to about 100
    /// arrivals, and lower for longer windows.
    Poisson { count: u64, per_ns: u64 },
}

impl Arrivals {
    /// Returns the mean number of traces per second.
    pub fn mean_rate(&self) -> f64 {
        match *self {
            Arrivals::Even { count, per_ns } | Arrivals::Poisson { count, per_ns } => {
                count as f64 * 1e9 / per_ns as f64
            }
            Arrivals::Interval { min_ns, max_ns, lanes } => lanes as f64 * 2e9 / (min_ns as f64 + max_ns as f64),
        }
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let sound = match *self {
            Arrivals::Even { count, per_ns } | Arrivals::Poisson { count, per_ns } => {
                (1..=MAX_INDEX).contains(&count) && (1..=MAX_GAP).contains(&per_ns)
            }
            Arrivals::Interval { min_ns, max_ns, lanes } => {
                min_ns <= max_ns && (1..=MAX_GAP).contains(&max_ns) && (1..=MAX_LANES).contains(&lanes)
            }
        };
        if sound { Ok(()) } else { Err(ScheduleError::Arrivals(*self)) }
    }
}

/// A part of the schedule with one kind of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// The index of the epoch's first trace.
    pub first: u64,
    /// The time from which the epoch's arrivals are counted, in ns since 1970.
    pub opening: u64,
    pub arrivals: Arrivals,
}

/// The epochs of a run in order, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Epoch>", into = "Vec<Epoch>")]
pub struct Schedule {
    epochs: Vec<Epoch>,
}

/// The reason why a schedule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    /// There is no epoch, or the first one does not begin with index 0.
    Beginning,
    /// The opening is later than [`MAX_TIME`].
    Opening(u64),
    /// Nothing arrives, or more than can be counted.
    Arrivals(Arrivals),
    /// The epoch begins at an earlier index or time than the one before it.
    Order(Epoch),
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleError::Beginning => write!(f, "a schedule needs an epoch that begins with trace 0"),
            ScheduleError::Opening(at) => {
                write!(f, "a schedule can't open at {at} ns since 1970: the last start is in 2262")
            }
            ScheduleError::Arrivals(Arrivals::Interval { min_ns, max_ns, lanes }) => write!(
                f,
                "gaps of {min_ns} to {max_ns} ns in {lanes} lanes: the longest gap must be 1 ns to 100 years and not \
                 below the shortest, with 1 to {MAX_LANES} lanes"
            ),
            ScheduleError::Arrivals(Arrivals::Even { count, per_ns } | Arrivals::Poisson { count, per_ns }) => {
                write!(f, "{count} traces in {per_ns} ns: both must be at least 1, the time at most 100 years")
            }
            ScheduleError::Order(epoch) => write!(
                f,
                "an epoch that begins with trace {} at {} ns since 1970 comes after one that begins later",
                epoch.first, epoch.opening
            ),
        }
    }
}

impl std::error::Error for ScheduleError {}

impl TryFrom<Vec<Epoch>> for Schedule {
    type Error = ScheduleError;
    fn try_from(epochs: Vec<Epoch>) -> Result<Self, ScheduleError> {
        let mut rest = epochs.into_iter();
        let first = rest.next().filter(|e| e.first == 0).ok_or(ScheduleError::Beginning)?;
        let mut schedule = Schedule::new(first.opening, first.arrivals)?;
        rest.try_for_each(|epoch| schedule.push_epoch(epoch))?;
        Ok(schedule)
    }
}

impl From<Schedule> for Vec<Epoch> {
    fn from(schedule: Schedule) -> Self {
        schedule.epochs
    }
}

impl Schedule {
    /// Makes a schedule of one epoch that opens at `opening`, in ns since 1970.
    ///
    /// # Errors
    /// The opening is too late, or nothing arrives, or more than can be counted.
    pub fn new(opening: u64, arrivals: Arrivals) -> Result<Self, ScheduleError> {
        let mut schedule = Schedule { epochs: vec![] };
        schedule.push_epoch(Epoch { first: 0, opening, arrivals })?;
        Ok(schedule)
    }

    /// Adds an epoch, which replaces the one before it from its first index on. The caller chooses its opening so that no
    /// start is earlier than the last one.
    ///
    /// # Errors
    /// The opening is too late; nothing arrives, or more than can be counted; or the epoch begins before the last one.
    pub fn push_epoch(&mut self, epoch: Epoch) -> Result<(), ScheduleError> {
        epoch.arrivals.check()?;
        if epoch.opening > MAX_TIME {
            return Err(ScheduleError::Opening(epoch.opening));
        }
        if self.epochs.last().is_some_and(|last| epoch.first < last.first || epoch.opening < last.opening) {
            return Err(ScheduleError::Order(epoch));
        }
        self.epochs.push(epoch);
        Ok(())
    }

    /// Returns the epochs in order, at least one.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Returns the canonical bytes of the epoch with which the schedule began.
    pub(super) fn tag_bytes(&self) -> Vec<u8> {
        let Epoch { first, opening, arrivals } = self.epochs[0];
        let (kind, figures) = match arrivals {
            Arrivals::Even { count, per_ns } => (0, [count, per_ns, 0]),
            Arrivals::Interval { min_ns, max_ns, lanes } => (1, [min_ns, max_ns, lanes as u64]),
            Arrivals::Poisson { count, per_ns } => (2, [count, per_ns, 0]),
        };
        [first, opening, kind].into_iter().chain(figures).flat_map(u64::to_le_bytes).collect()
    }

    /// Returns the position of the epoch that contains the trace with this index.
    fn epoch_of(&self, index: u64) -> usize {
        if self.epochs[self.epochs.len() - 1].first <= index {
            return self.epochs.len() - 1;
        }
        self.epochs.partition_point(|e| e.first <= index).saturating_sub(1)
    }
}

/// A schedule evaluated for a seed, which returns the start of each trace. It has caches, so each thread has its own.
pub struct Starts {
    schedule: Arc<Schedule>,
    interval: Interval,
    poisson: Poisson,
}

impl Starts {
    /// Makes the starts of a schedule for a seed.
    pub fn new(seed: u64, schedule: impl Into<Arc<Schedule>>) -> Self {
        Starts { schedule: schedule.into(), interval: Interval::new(seed), poisson: Poisson::new(seed) }
    }

    /// Returns the schedule in use.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Uses `schedule` from now on. It must begin as the current one did, and may have more epochs.
    pub fn update(&mut self, schedule: &Arc<Schedule>) {
        self.schedule = schedule.clone();
    }

    /// Returns the first index of the epoch that contains the trace with this index.
    pub fn first_of_epoch(&self, index: u64) -> u64 {
        self.schedule.epochs[self.schedule.epoch_of(index)].first
    }

    /// Returns the start of the trace with this index, in ns since 1970, at most [`MAX_TIME`].
    #[inline]
    pub fn start(&mut self, index: u64) -> u64 {
        let Epoch { first, opening, arrivals } = self.schedule.epochs[self.schedule.epoch_of(index)];
        let k = index.saturating_sub(first);
        let offset = match arrivals {
            Arrivals::Even { count, per_ns } => even(k, count, per_ns),
            Arrivals::Interval { min_ns, max_ns, lanes } => self.interval.offset(k, first, min_ns, max_ns, lanes),
            Arrivals::Poisson { count, per_ns } => self.poisson.offset(k, first, count, per_ns),
        };
        (opening as u128 + offset).min(MAX_TIME as u128) as u64
    }

    /// Returns an index of the epoch of trace `index`, or the one after its last, such that all traces of the epoch before
    /// it start at `time` (in ns since 1970) or earlier.
    pub fn all_at_or_before(&mut self, index: u64, time: u64) -> u64 {
        let Epoch { first, arrivals, .. } = self.schedule.epochs[self.schedule.epoch_of(index)];
        let behind = match arrivals {
            // The third trace after this one in its lane starts later than those beside this one in the other lanes.
            Arrivals::Interval { lanes, .. } => 3 * lanes as u64,
            Arrivals::Even { .. } | Arrivals::Poisson { .. } => 0,
        };
        self.last_at_or_before(index, time).map_or(first, |last| (last + 1).saturating_sub(behind).max(first))
    }

    /// Returns the greatest index of a trace that starts at `time` (in ns since 1970) or earlier, in the epoch of trace
    /// `index`, or `None` if there is none.
    pub fn last_at_or_before(&mut self, index: u64, time: u64) -> Option<u64> {
        let at = self.schedule.epoch_of(index);
        let Epoch { first, opening, arrivals } = self.schedule.epochs[at];
        let elapsed = time.checked_sub(opening)?;
        let k = match arrivals {
            Arrivals::Even { count, per_ns } => last_even(elapsed, count, per_ns),
            Arrivals::Interval { min_ns, max_ns, lanes } => self.interval.last(elapsed, first, min_ns, max_ns, lanes),
            Arrivals::Poisson { count, per_ns } => self.poisson.last(elapsed, first, count, per_ns)?,
        };
        let end = self.schedule.epochs.get(at + 1).map_or(MAX_INDEX, |next| next.first);
        let mut last = first.saturating_add(k).min(end.checked_sub(1)?);
        // If the epoch was cut short, its last trace is not always the last one to start.
        while self.start(last) > time {
            if last == first {
                return None;
            }
            last -= 1;
        }
        Some(last)
    }
}

/// Returns the start of even arrival k, in ns after the opening.
#[inline(always)]
fn even(k: u64, count: u64, per_ns: u64) -> u128 {
    match k.checked_mul(per_ns) {
        Some(product) => (product / count) as u128,
        None => k as u128 * per_ns as u128 / count as u128,
    }
}

/// Returns the greatest k with `even(k) <= elapsed`, which means k per_ns < (elapsed + 1) count.
fn last_even(elapsed: u64, count: u64, per_ns: u64) -> u64 {
    let k = ((elapsed as u128 + 1) * count as u128).div_ceil(per_ns as u128) - 1;
    k.min(MAX_INDEX as u128) as u64
}

#[cfg(test)]
mod tests;
