//! A window over the last hour: counts by tick and durations by slot, which consists of ticks, in a ring.

use crate::store::histogram::{Durations, Histogram};

/// The time that a window reaches back, in ns.
pub const HOUR: u64 = 3_600_000_000_000;

/// A window with slots of `SLOT` ns and `TICKS` ticks in each.
pub struct Window<const SLOT: u64, const TICKS: usize> {
    /// The slots; slot n since 1970 is at index n modulo their number. There are none until something is counted.
    slots: Vec<Slot<TICKS>>,
}

/// The window of spans: they are counted by 10 s, and their durations are measured by the minute.
pub type Spans = Window<{ 60 * 1_000_000_000 }, 6>;

#[derive(Clone)]
struct Slot<const TICKS: usize> {
    /// The number of the slot since 1970.
    number: u64,
    ticks: [Tick; TICKS],
    durations: Histogram,
}

#[derive(Clone, Copy, Default)]
pub struct Tick {
    pub all: u32,
    /// The number of failures among them.
    pub failed: u32,
}

impl<const SLOT: u64, const TICKS: usize> Default for Window<SLOT, TICKS> {
    fn default() -> Self {
        Window { slots: vec![] }
    }
}

impl<const SLOT: u64, const TICKS: usize> Window<SLOT, TICKS> {
    /// The length of a tick in ns.
    pub const TICK: u64 = SLOT / TICKS as u64;
    /// The number of slots, one more than an hour has, because an hour begins and ends within a slot.
    const SLOTS: u64 = HOUR / SLOT + 1;

    /// Counts an event at `time`, unless that is an hour before the latest.
    pub fn count(&mut self, time: u64, failed: bool) {
        if let Some(slot) = self.slot(time) {
            let tick = &mut slot.ticks[(time % SLOT / Self::TICK) as usize];
            tick.all = tick.all.saturating_add(1);
            tick.failed = tick.failed.saturating_add(failed as u32);
        }
    }

    /// Counts an event and its duration, with at most `max_bins` bins a slot.
    pub fn measure(&mut self, time: u64, failed: bool, duration: u64, max_bins: usize) {
        self.count(time, failed);
        if let Some(slot) = self.slot(time) {
            slot.durations.add(duration, max_bins);
        }
    }

    fn slot(&mut self, time: u64) -> Option<&mut Slot<TICKS>> {
        let number = time / SLOT;
        if self.slots.is_empty() {
            let none = Slot { number: 0, ticks: [Tick::default(); TICKS], durations: Histogram::default() };
            self.slots = vec![none; Self::SLOTS as usize];
        }
        let slot = &mut self.slots[(number % Self::SLOTS) as usize];
        if slot.number < number {
            slot.number = number;
            slot.ticks = [Tick::default(); TICKS];
            slot.durations.clear();
        }
        (slot.number == number).then_some(slot)
    }

    /// Returns every tick that overlaps `from..until`, as its start and counts, in any order.
    pub fn ticks(&self, from: u64, until: u64) -> impl Iterator<Item = (u64, Tick)> {
        self.touched(from, until).flat_map(move |slot| {
            let ticks = (0..).map(|i| slot.number * SLOT + i * Self::TICK).zip(slot.ticks);
            ticks.filter(move |(start, tick)| tick.all > 0 && start.saturating_add(Self::TICK) > from && *start < until)
        })
    }

    /// Adds the durations of every slot that overlaps `from..until`.
    pub fn durations(&self, from: u64, until: u64, sum: &mut Durations) {
        self.touched(from, until).for_each(|slot| sum.add(&slot.durations));
    }

    fn touched(&self, from: u64, until: u64) -> impl Iterator<Item = &Slot<TICKS>> {
        self.slots.iter().filter(move |slot| slot.number >= from / SLOT && slot.number < until.div_ceil(SLOT))
    }

    /// Reports whether everything that was counted was before `time`.
    pub fn ended_before(&self, time: u64) -> bool {
        self.slots.iter().all(|slot| (slot.number + 1) * SLOT <= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    type Minutes = Window<{ 60 * SECOND }, 6>;
    const OPENING: u64 = 1_767_225_600 * SECOND;

    fn sums(window: &Minutes, from: u64, until: u64) -> (u64, u64) {
        let add = |(all, failed), (_, tick): (u64, Tick)| (all + tick.all as u64, failed + tick.failed as u64);
        window.ticks(OPENING + from * SECOND, OPENING + until * SECOND).fold((0, 0), add)
    }

    #[test]
    fn ticks_are_those_that_overlap_the_range() {
        let mut window = Minutes::default();
        for second in 0..120 {
            window.measure(OPENING + second * SECOND, second % 4 == 0, 1, 64);
        }
        assert_eq!(sums(&window, 0, 120), (120, 30));
        assert_eq!(sums(&window, 10, 20), (10, 2));
        assert_eq!(sums(&window, 19, 21), (20, 5), "rounded outwards to 10 s");
        assert_eq!(sums(&window, 60, 60), (0, 0));
        assert_eq!(sums(&window, 200, 300), (0, 0));
        let first = window.ticks(OPENING, OPENING + 1).map(|(start, _)| start).collect::<Vec<_>>();
        assert_eq!(first, [OPENING]);
        let mut durations = Durations::default();
        window.durations(OPENING + 70 * SECOND, OPENING + 71 * SECOND, &mut durations);
        assert_eq!(durations.bins().bins, [(0, 60)], "rounded outwards to a minute");
    }

    #[test]
    fn everything_older_than_an_hour_is_forgotten() {
        let mut window = Minutes::default();
        window.count(OPENING, true);
        window.count(OPENING + HOUR - SECOND, false);
        assert_eq!(sums(&window, 0, 4_000), (2, 1));
        window.count(OPENING + HOUR + 60 * SECOND, false);
        assert_eq!(sums(&window, 0, 4_000), (2, 0), "the first minute is gone");
        window.count(OPENING + 5 * SECOND, false);
        assert_eq!(sums(&window, 0, 4_000), (2, 0), "and does not come back");
        assert!(window.ended_before(OPENING + HOUR + 120 * SECOND) && !window.ended_before(OPENING + HOUR));
        assert!(Minutes::default().ended_before(0));
    }
}
