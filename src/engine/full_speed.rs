//! The schedule of a run at full speed, whose epochs follow from what was achieved.

use crate::interpreter::{Arrivals, Epoch, Schedule, Starts};
use std::sync::Arc;

/// A second in ns.
const SECOND: u64 = 1_000_000_000;
/// The arrivals of the first epoch: a trace each us, which few machines can generate and fewer receivers can take.
pub const FIRST_ARRIVALS: Arrivals = Arrivals::Even { count: FIRST_RATE, per_ns: SECOND };
/// The intended distance from the last start of an epoch to the first start of the next, in ns.
const MARGIN: u64 = SECOND / 8;
/// The reciprocal of the smallest share of the elapsed time that an epoch takes. There are about so many epochs in the
/// first half hour, and as many again each time the elapsed time has grown by a factor of 2.7.
const EPOCHS: u64 = 1_024;
/// The rate of the first epoch in traces a second.
const FIRST_RATE: u64 = 1_000_000;

/// The schedule so far, and the state from which the next epoch follows.
pub struct FullSpeed {
    /// The time when the last epoch was opened, in ns since 1970.
    opened: u64,
    /// The rate of the last epoch's schedule in traces a second.
    rate: u64,
    pub schedule: Arc<Schedule>,
    pub starts: Starts,
    reach: u64,
}

impl FullSpeed {
    /// Continues with trace `next`, at the rate with which the schedule ends.
    pub fn new(mut starts: Starts, next: u64, reach: u64, now: u64) -> FullSpeed {
        let mut schedule = Schedule::clone(starts.schedule());
        let last = schedule.epochs().last().copied();
        let rate = last.map_or(FIRST_RATE, |epoch| epoch.arrivals.mean_rate() as u64);
        if let Some(before) = next.checked_sub(1) {
            let opening = now.saturating_sub(reach).max(starts.start(before));
            let arrivals = Arrivals::Even { count: rate, per_ns: SECOND };
            // The epoch is refused only if the schedule can hold no more; then the last epoch goes on.
            let _ = schedule.push_epoch(Epoch::new(next, opening, arrivals));
        }
        let schedule = Arc::new(schedule);
        starts.update(&schedule);
        FullSpeed { opened: now, rate, schedule, starts, reach }
    }

    /// Opens an epoch with trace `first` if one is due at `now`, in ns since 1970. One is due each second; the first ones
    /// are shorter because the achievable rate is not known yet, and later ones longer so that the schedule of several days
    /// stays short.
    ///
    /// The rate follows from what the previous epoch achieved. It is an eighth higher, so that generation never has to wait
    /// for a trace to end, and higher still if the last rate was nearly reached. It at most halves, so that a pause of a
    /// whole epoch (a target that was away) does not slow down the next one.
    pub fn open_epoch_if_due(&mut self, first: u64, now: u64) {
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
        // The share of a second's starts that the next second should get through.
        let ahead = (last + MARGIN).saturating_sub(wanted);
        let share = (SECOND - MARGIN).saturating_sub(4 * ahead).max(SECOND / 4);
        let rate = (achieved * SECOND as u128 / share as u128).min(SECOND as u128) as u64;
        self.rate = rate.max(self.rate / 2).max(1);
        let mut schedule = Schedule::clone(&self.schedule);
        let arrivals = Arrivals::Even { count: self.rate, per_ns: SECOND };
        if schedule.push_epoch(Epoch::new(first, wanted.max(last), arrivals)).is_ok() {
            self.schedule = schedule.into();
            self.starts.update(&self.schedule);
            self.opened = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    const NOW: u64 = 1_767_225_600 * SECOND;
    const REACH: u64 = SECOND / 2;

    fn full_speed() -> FullSpeed {
        let schedule = Schedule::new(NOW - REACH, FIRST_ARRIVALS).unwrap();
        FullSpeed::new(Starts::new(&Arc::new(fixture::plan()), 42, schedule, NOW), 0, REACH, NOW)
    }

    /// Simulates `n` seconds on a machine that generates `capacity` traces a second, as far as they have ended. Returns the
    /// number of traces in each second.
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
    fn the_achievable_rate_is_found_and_kept() {
        for capacity in [10, 200_000, 900_000, 20_000_000] {
            let made = seconds(&mut full_speed(), capacity, 12);
            assert!(made[4..].iter().all(|made| *made >= capacity / 10 * 9), "{capacity}: {made:?}");
        }
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
    fn a_run_continues_at_its_last_rate() {
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
