//! Incidents: the times at which spans behave in another way, and the instances that run another version meanwhile.
//!
//! An incident is in force in windows of time, which [`Windows`] computes for a run. What it changes is a part of the code:
//! an [`super::Expr::Incident`] is true in its windows, and guards failures, terms of times ([`super::Change`]) and calls.

use super::id::{ExprId, IncidentId, ScenarioId, TextId};
use serde::{Deserialize, Serialize};

/// A day in ns.
pub const DAY: u64 = 24 * 3_600 * 1_000_000_000;

/// A time in which something is different. It is in force for a span if the span's virtual start is in one of its windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    pub name: TextId,
    pub at: Opening,
    /// The length of a window in ns, at least 1.
    pub length: u64,
    /// The time from the start of a window to the start of the next one in ns, at least `length`; `None` means that there is
    /// only one window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// What it makes of the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateChange>,
}

/// A change of the rates at which traces start, as the load of the files says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateChange {
    /// The factor of the rates; finite and not negative.
    pub times: f64,
    /// The scenarios that start as much more or less often, in ascending order; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<ScenarioId>,
}

impl RateChange {
    /// Reports whether it changes the rate of a scenario.
    pub fn affects(&self, scenario: ScenarioId) -> bool {
        self.scenarios.is_empty() || self.scenarios.binary_search(&scenario).is_ok()
    }
}

/// The start of an incident's first window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Opening {
    /// This long after the start of the run, in ns.
    AfterStart(u64),
    /// At this time of day in UTC, in ns since midnight, below [`DAY`]: if there is only one window, the first time at or
    /// after the start of the run; otherwise windows are counted from that time on 1970-01-01, so one may be open when the
    /// run starts.
    TimeOfDay(u64),
}

/// The windows of an incident in a run. All times are in ns since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The start of the first window.
    first: u64,
    length: u64,
    /// The time from window to window; 0 if there is only one.
    every: u64,
}

/// A window of time, from its start to before its end, in ns since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub start: u64,
    pub end: u64,
}

impl Incident {
    /// Returns the windows in a run that starts at `start`, in ns since 1970.
    pub fn windows(&self, start: u64) -> Windows {
        let first = match (self.at, self.every) {
            (Opening::AfterStart(after), _) => start.saturating_add(after),
            (Opening::TimeOfDay(time), None) => {
                let today = start - start % DAY + time;
                if today < start { today.saturating_add(DAY) } else { today }
            }
            (Opening::TimeOfDay(time), Some(every)) => time % every.max(1),
        };
        Windows { first, length: self.length, every: self.every.unwrap_or(0) }
    }
}

impl Windows {
    /// One window that is always open.
    pub const ALWAYS: Windows = Windows { first: 0, length: u64::MAX, every: 0 };
    /// No window at all.
    pub const NEVER: Windows = Windows { first: u64::MAX, length: 0, every: 0 };

    /// Reports whether a window is open at `time`, in ns since 1970.
    #[inline]
    pub fn contain(&self, time: u64) -> bool {
        let Some(since) = time.checked_sub(self.first) else { return false };
        let since = if self.every == 0 { since } else { since % self.every };
        since < self.length
    }

    /// Returns the time from window to window in ns, or `None` if the windows do not repeat: there is only one, or each opens
    /// when the one before it closes.
    pub fn period(self) -> Option<u64> {
        (self.every > self.length).then_some(self.every)
    }

    /// Returns the time after which the windows repeat, or nothing changes any more.
    pub fn settled(self) -> u64 {
        if self.every == 0 { self.first.saturating_add(self.length) } else { self.first }
    }

    /// Returns the first time after `time` at which a window opens or closes, if there is one.
    pub fn next_change(self, time: u64) -> Option<u64> {
        let Some(since) = time.checked_sub(self.first) else { return Some(self.first) };
        if self.every == self.length {
            return None;
        }
        let passed = if self.every == 0 { since } else { since % self.every };
        match self.length.checked_sub(passed) {
            Some(left) if left > 0 => time.checked_add(left),
            _ => time.checked_add(self.period()? - passed),
        }
    }

    /// Returns the windows that are open at a time from `from` to before `to`, in order. They are not cut to it.
    pub fn between(self, from: u64, to: u64) -> impl Iterator<Item = Window> {
        let Windows { first, length, every } = self;
        let skipped = match every {
            0 => 0,
            every => from.saturating_sub(first.saturating_add(length).saturating_sub(1)).div_ceil(every),
        };
        let start = move |k: u64| first.checked_add(k.checked_mul(every)?);
        let count = if every == 0 { 1 } else { u64::MAX };
        (0..count)
            .map_while(move |k| start(skipped.checked_add(k)?))
            .map_while(move |start| {
                let end = start.saturating_add(length);
                (start < to).then_some(Window { start, end })
            })
            .filter(move |window| window.end > from)
    }
}

/// A version of a service that one of its instances runs while an incident is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    pub incident: IncidentId,
    /// The number of the instance.
    pub instance: u32,
}

/// A change of a time while a condition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub when: ExprId,
    /// The distribution that takes the place of the base; of several, the last one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<super::DistId>,
    /// The factor of the time; finite and not negative.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub times: f64,
    /// The time that is added afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<super::DistId>,
}

fn one() -> f64 {
    1.0
}

fn is_one(times: &f64) -> bool {
    *times == 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = DAY / 24;
    /// 2026-01-01T09:45:00Z.
    const START: u64 = 1_767_225_600_000_000_000 + 9 * HOUR + 45 * 60_000_000_000;

    fn windows(at: Opening, length: u64, every: Option<u64>) -> Windows {
        Incident { name: TextId(0), at, length, every, rate: None }.windows(START)
    }

    #[test]
    fn a_window_begins_and_ends_to_the_ns() {
        let once = windows(Opening::AfterStart(HOUR), 10, None);
        let open: Vec<bool> = [HOUR - 1, HOUR, HOUR + 9, HOUR + 10].map(|at| once.contain(START + at)).into();
        assert_eq!(open, [false, true, true, false]);
        let often = windows(Opening::AfterStart(HOUR), 10, Some(2 * HOUR));
        for k in [0, 1, 7, 1_000] {
            let at = START + HOUR + k * 2 * HOUR;
            assert!(!often.contain(at - 1) && often.contain(at) && often.contain(at + 9) && !often.contain(at + 10));
        }
        assert!(!often.contain(START) && !often.contain(0));
    }

    #[test]
    fn the_changes_are_where_windows_open_and_close() {
        let changes = |windows: Windows, from: u64, count: usize| {
            let next = |time: &u64| windows.next_change(*time);
            std::iter::successors(next(&from), next).take(count).map(|time| (time - START) / HOUR).collect::<Vec<_>>()
        };
        let once = windows(Opening::AfterStart(HOUR), 2 * HOUR, None);
        assert_eq!((changes(once, 0, 9), once.period(), once.settled()), (vec![1, 3], None, START + 3 * HOUR));
        let often = windows(Opening::AfterStart(HOUR), 2 * HOUR, Some(5 * HOUR));
        assert_eq!(changes(often, 0, 6), [1, 3, 6, 8, 11, 13]);
        assert_eq!(changes(often, START + 501 * HOUR, 3), [503, 506, 508]);
        assert_eq!((often.period(), often.settled()), (Some(5 * HOUR), START + HOUR));
        let always = windows(Opening::AfterStart(HOUR), HOUR, Some(HOUR));
        assert_eq!((changes(always, 0, 9), always.period(), always.settled()), (vec![1], None, START + HOUR));
    }

    #[test]
    fn a_time_of_day_is_the_next_one_or_is_counted_from_1970() {
        let day = START - START % DAY;
        let next = windows(Opening::TimeOfDay(9 * HOUR), HOUR, None);
        assert_eq!(next.between(START, u64::MAX).next(), Some(Window { start: day + 33 * HOUR, end: day + 34 * HOUR }));
        let today = windows(Opening::TimeOfDay(9 * HOUR + 45 * 60_000_000_000), HOUR, None);
        assert!(today.contain(START) && !today.contain(START - 1));
        // Such a window is open when the run starts, and another one passes midnight.
        let daily = windows(Opening::TimeOfDay(9 * HOUR), HOUR, Some(DAY));
        assert!(daily.contain(START) && daily.contain(START + DAY) && !daily.contain(START + HOUR));
        let night = windows(Opening::TimeOfDay(23 * HOUR), 3 * HOUR, Some(DAY));
        for (hour, open) in [(22, false), (23, true), (24, true), (25, true), (26, false)] {
            assert_eq!(night.contain(day + hour * HOUR), open, "{hour}");
        }
    }

    #[test]
    fn the_windows_between_two_times_are_those_that_are_open_there() {
        let often = windows(Opening::AfterStart(0), HOUR, Some(4 * HOUR));
        let starts = |from: u64, to: u64| -> Vec<u64> {
            often.between(START + from, START + to).map(|window| (window.start - START) / HOUR).collect()
        };
        assert_eq!(starts(0, 9 * HOUR), [0, 4, 8]);
        assert_eq!(starts(HOUR - 1, 4 * HOUR), [0]);
        assert_eq!(starts(HOUR, 4 * HOUR), [0; 0]);
        assert_eq!(starts(HOUR, 4 * HOUR + 1), [4]);
        assert_eq!(starts(400 * HOUR + 1, 400 * HOUR + 2), [400]);
        let once = windows(Opening::AfterStart(HOUR), HOUR, None);
        assert_eq!(once.between(0, u64::MAX).count(), 1);
        assert_eq!(once.between(START + 2 * HOUR, u64::MAX).count(), 0);
    }
}
