//! The start of each trace as a function of its index, which is cheap for any index.
//!
//! A [`Schedule`] is stored in manifests: its epochs, each with the index and the time at which it begins, and the way its
//! traces arrive. [`Starts`] evaluates it for a run: it returns the start of an index, and the last index that has started
//! by a time.
//!
//! If the plan has a load, an epoch's arrivals are those of several sources in the order of their starts (`superposed`): the
//! plan's, which are made of rates (`stream`, `table`), and those of the flags, variables and settings (`base`).

mod base;
mod expected;
mod interval;
mod poisson;
mod stream;
mod superposed;
mod table;

use super::identity::MAX_INDEX;
use crate::plan::{Plan, ScenarioId, Source, SourceForm};
use base::Base;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use superposed::Superposed;

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
    /// Traces of scenarios without a source of their own arrive as the plan's load says.
    Load,
}

impl Arrivals {
    /// Returns the mean number of traces per second, without those of the plan's load.
    pub fn mean_rate(&self) -> f64 {
        match *self {
            Arrivals::Load => 0.0,
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
            Arrivals::Load => true,
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
    /// How the plan's load applies. Without it, the traces of all scenarios come with the arrivals above, as often on average
    /// as by the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadTerms>,
}

impl Epoch {
    /// Makes the epoch of a plan without a load.
    pub fn new(first: u64, opening: u64, arrivals: Arrivals) -> Epoch {
        Epoch { first, opening, arrivals, load: None }
    }

    /// Returns the mean rates of a plan's scenarios in traces per second.
    pub fn mean_rates(&self, plan: &Plan) -> Vec<f64> {
        let terms_factor = self.load.map_or(1.0, |terms| terms.factor as f64 / LoadTerms::ONE as f64);
        let mean = |source: &Source| match source.form {
            SourceForm::Rate { .. } => source.form.mean_rate() * plan.own_factor(source) * terms_factor,
            SourceForm::Job { .. } => source.form.mean_rate() * plan.own_factor(source),
        };
        let mut rates: Vec<Option<f64>> = vec![None; plan.scenarios.len()];
        let own = plan.load.iter().filter_map(|source| Some((source.scenario?, mean(source))));
        own.for_each(|(scenario, rate)| rates[scenario.index()] = Some(rate));
        let others: f64 = rates.iter().flatten().sum();
        let shared = match (self.arrivals, self.load) {
            (Arrivals::Load, _) => plan.shared_source().map_or(0.0, mean),
            (arrivals, Some(_)) => arrivals.mean_rate(),
            // All traces come with these arrivals, so those that have no load of their own come with what is left.
            (arrivals, None) => Some(arrivals.mean_rate() - others).filter(|left| *left > 0.0).unwrap_or(1.0),
        };
        let sharing = rates.iter().zip(&plan.scenarios).filter(|(own, _)| own.is_none());
        let weights: f64 = sharing.map(|(_, scenario)| scenario.weight).sum();
        let share = |weight: f64| if weight > 0.0 { weight / weights * shared } else { 0.0 };
        rates.into_iter().zip(&plan.scenarios).map(|(own, s)| own.unwrap_or_else(|| share(s.weight))).collect()
    }
}

/// How the load of a plan applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadTerms {
    /// The time from which stages without a cycle are counted, in ns since 1970.
    pub anchor: u64,
    /// The factor by which all rates are multiplied, in millionths.
    pub factor: u64,
}

impl LoadTerms {
    /// The factor that leaves rates as they are.
    pub const ONE: u64 = 1_000_000;
    /// The greatest factor: a million.
    pub const MAX_FACTOR: u64 = 1_000_000 * LoadTerms::ONE;

    /// Makes the terms of a load as it is written, with stages from the time `anchor`, in ns since 1970.
    pub fn plain(anchor: u64) -> LoadTerms {
        LoadTerms { anchor, factor: LoadTerms::ONE }
    }
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
    /// Traces are to arrive by the load without terms, from a time after the epoch's opening, or with an impossible factor.
    Load(Epoch),
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
            ScheduleError::Arrivals(Arrivals::Load) => write!(f, "the load of the plan"),
            ScheduleError::Load(epoch) => write!(
                f,
                "the terms of the load at {} ns since 1970: its stages begin by then, and its factor is above 0 and at most \
                 1,000,000",
                epoch.opening
            ),
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
        let mut schedule = Schedule { epochs: vec![] };
        schedule.push_epoch(first)?;
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
    /// Makes a schedule of one epoch that opens at `opening`, in ns since 1970, for a plan without a load.
    ///
    /// # Errors
    /// The opening is too late, or nothing arrives, or more than can be counted.
    pub fn new(opening: u64, arrivals: Arrivals) -> Result<Self, ScheduleError> {
        Schedule::of(Epoch::new(0, opening, arrivals))
    }

    /// Makes a schedule of one epoch.
    ///
    /// # Errors
    /// As [`Schedule::push_epoch`]; or the epoch does not begin with index 0.
    pub fn of(epoch: Epoch) -> Result<Self, ScheduleError> {
        Schedule::try_from(vec![epoch])
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
        let is_possible = match epoch.load {
            Some(LoadTerms { anchor, factor }) => {
                anchor <= epoch.opening && (1..=LoadTerms::MAX_FACTOR).contains(&factor)
            }
            None => epoch.arrivals != Arrivals::Load,
        };
        if !is_possible {
            return Err(ScheduleError::Load(epoch));
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
        let Epoch { first, opening, arrivals, load } = self.epochs[0];
        let (kind, figures) = match arrivals {
            Arrivals::Even { count, per_ns } => (0, [count, per_ns, 0]),
            Arrivals::Interval { min_ns, max_ns, lanes } => (1, [min_ns, max_ns, lanes as u64]),
            Arrivals::Poisson { count, per_ns } => (2, [count, per_ns, 0]),
            Arrivals::Load => (3, [0, 0, 0]),
        };
        let load = load.into_iter().flat_map(|LoadTerms { anchor, factor }| [anchor, factor]);
        [first, opening, kind].into_iter().chain(figures).chain(load).flat_map(u64::to_le_bytes).collect()
    }

    /// Returns the position of the epoch that contains the trace with this index.
    fn epoch_of(&self, index: u64) -> usize {
        if self.epochs[self.epochs.len() - 1].first <= index {
            return self.epochs.len() - 1;
        }
        self.epochs.partition_point(|e| e.first <= index).saturating_sub(1)
    }
}

/// A schedule evaluated for a plan and a seed, which returns the start of each trace. It has caches, so each thread has its
/// own.
pub struct Starts {
    plan: Arc<Plan>,
    seed: u64,
    schedule: Arc<Schedule>,
    /// The start of the run, from which the windows of incidents are counted, in ns since 1970.
    run_start: u64,
    base: Base,
    /// The arrivals of the epoch at this position, which is the last one that was asked for and has a load.
    superposed: Option<(usize, Box<Superposed>)>,
}

impl Starts {
    /// Makes the starts of a plan's traces by a schedule, in a run that starts at `run_start`, in ns since 1970.
    pub fn new(plan: &Arc<Plan>, seed: u64, schedule: impl Into<Arc<Schedule>>, run_start: u64) -> Self {
        let (plan, schedule) = (plan.clone(), schedule.into());
        Starts { plan, seed, schedule, run_start, base: Base::new(seed), superposed: None }
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

    /// Returns the arrivals of the epoch at a position, with what they need, if the plan's load applies to it.
    fn superposed(&mut self, at: usize) -> Option<(&mut Superposed, &mut Base)> {
        let epoch = &self.schedule.epochs[at];
        let terms = epoch.load?;
        if self.superposed.as_ref().is_none_or(|(known, _)| *known != at) {
            self.superposed = Some((at, Superposed::new(&self.plan, self.seed, epoch, terms, self.run_start).into()));
        }
        self.superposed.as_mut().map(|(_, superposed)| (&mut **superposed, &mut self.base))
    }

    /// Returns the start of the trace with this index, in ns since 1970, at most [`MAX_TIME`].
    #[inline]
    pub fn start(&mut self, index: u64) -> u64 {
        self.start_and_own(index).0
    }

    /// Returns the start of the trace with this index, as [`Starts::start`] does, and the scenario whose own source the trace
    /// is of; `None` if it is of those that are chosen by weight.
    #[inline]
    pub fn start_and_own(&mut self, index: u64) -> (u64, Option<ScenarioId>) {
        let at = self.schedule.epoch_of(index);
        let epoch = &self.schedule.epochs[at];
        let k = index.saturating_sub(epoch.first);
        if epoch.load.is_none() {
            return ((epoch.opening as u128 + self.base.offset(k, epoch)).min(MAX_TIME as u128) as u64, None);
        }
        let arrival = self.superposed(at).map(|(superposed, base)| superposed.get(base, k));
        arrival.map_or((MAX_TIME, None), |arrival| (arrival.start, arrival.own))
    }

    /// Returns the scenario whose own source the trace with this index is of; `None` if it is of those that are chosen by
    /// weight.
    #[inline]
    pub fn own(&mut self, index: u64) -> Option<ScenarioId> {
        if self.plan.load.is_empty() { None } else { self.start_and_own(index).1 }
    }

    /// Returns an index of the epoch of trace `index`, or the one after its last, such that all traces of the epoch before
    /// it start at `time` (in ns since 1970) or earlier.
    pub fn all_at_or_before(&mut self, index: u64, time: u64) -> u64 {
        let Epoch { first, arrivals, load, .. } = self.schedule.epochs[self.schedule.epoch_of(index)];
        let (earlier, behind) = match (arrivals, load) {
            // The third trace after this one in its lane starts later than those beside this one in the other lanes.
            (Arrivals::Interval { lanes, .. }, None) => (0, 3 * lanes as u64),
            // So much later than a trace start all that have a lower index.
            (Arrivals::Interval { min_ns, max_ns, .. }, Some(_)) => (2 * (min_ns + max_ns), 0),
            (Arrivals::Even { .. } | Arrivals::Poisson { .. } | Arrivals::Load, _) => (0, 0),
        };
        let last = time.checked_sub(earlier).and_then(|time| self.last_at_or_before(index, time));
        last.map_or(first, |last| (last + 1).saturating_sub(behind).max(first))
    }

    /// Returns the greatest index of a trace that starts at `time` (in ns since 1970) or earlier, in the epoch of trace
    /// `index`, or `None` if there is none.
    pub fn last_at_or_before(&mut self, index: u64, time: u64) -> Option<u64> {
        let at = self.schedule.epoch_of(index);
        let epoch = self.schedule.epochs[at];
        let elapsed = time.checked_sub(epoch.opening)?;
        let k = match self.superposed(at) {
            Some((superposed, base)) => superposed.count(base, time.min(MAX_TIME)).checked_sub(1)?,
            None => self.base.last(elapsed, &epoch)?,
        };
        let end = self.schedule.epochs.get(at + 1).map_or(MAX_INDEX, |next| next.first);
        let mut last = epoch.first.saturating_add(k).min(end.checked_sub(1)?);
        // If the epoch was cut short, its last trace is not always the last one to start.
        while self.start(last) > time {
            if last == epoch.first {
                return None;
            }
            last -= 1;
        }
        Some(last)
    }

    /// Returns the rate at `time`, in ns since 1970, in traces per second, in the last epoch.
    pub fn rate(&mut self, time: u64) -> f64 {
        let at = self.schedule.epochs.len() - 1;
        let mean = self.schedule.epochs[at].arrivals.mean_rate();
        self.superposed(at).map_or(mean, |(superposed, _)| superposed.rate(time) * 1e9)
    }
}

#[cfg(test)]
mod tests;
