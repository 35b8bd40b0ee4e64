//! Several streams of arrivals in one order, by their starts: which of them is arrival k, and when it starts.
//!
//! The order follows from counts: before time t there are as many arrivals as all streams have together. An arrival is
//! therefore found by a search for a time with about as many arrivals before it, and a walk over the few that are left.
//! Plain arrivals, whose starts may be slightly out of order, keep their own order: an arrival of another stream comes after
//! those that a search for its start finds among them.

use super::base::Base;
use super::stream::{Own, Stream, streams};
use super::{Arrivals, Epoch, LoadTerms, MAX_TIME};
use crate::plan::Plan;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The number of neighbouring arrivals that are found together.
const AHEAD: u64 = 16;
/// The number of groups of neighbours that are kept.
const KEPT: u64 = 64;
/// The number of arrivals over which a walk is no longer than a search.
const NEAR: u64 = 32;

/// An arrival.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    /// The start in ns since 1970; [`MAX_TIME`] if there is no such arrival.
    pub start: u64,
    pub own: Own,
}

/// The arrivals of an epoch.
pub(super) struct Superposed {
    epoch: Epoch,
    /// Whether the epoch has arrivals of the flags, variables and settings, too.
    has_base: bool,
    streams: Vec<Stream>,
    /// The number of arrivals of each stream before the opening.
    skipped: Vec<u64>,
    /// The number of all arrivals until [`MAX_TIME`], if it is known.
    total: Option<u64>,
    walk: Walk,
    groups: Vec<Group>,
}

/// A position between two arrivals.
#[derive(Default)]
struct Walk {
    /// The number of arrivals before it, counted from the epoch's opening.
    index: u64,
    /// The number of plain arrivals before it.
    base: u64,
    /// The number of plain arrivals that come before the next one of a stream.
    base_until: u64,
    /// The number of the next arrival of each stream.
    next: Vec<u64>,
    /// The start of the next arrival of each stream, with the stream.
    heads: BinaryHeap<Reverse<(u64, u32)>>,
}

/// Neighbouring arrivals.
struct Group {
    number: u64,
    arrivals: [Arrival; AHEAD as usize],
}

impl Superposed {
    pub fn new(plan: &Plan, seed: u64, epoch: &Epoch, terms: LoadTerms, run_start: u64) -> Superposed {
        let own = plan.have_own_source();
        let is_shared = plan.scenarios.iter().zip(own).any(|(scenario, own)| !own && scenario.weight > 0.0);
        let by_load = epoch.arrivals == Arrivals::Load;
        let mut streams = streams(plan, seed, epoch, terms, is_shared && by_load, run_start);
        let skipped = streams.iter_mut().map(|stream| before(stream, epoch.opening)).collect();
        let mut superposed = Superposed {
            epoch: *epoch,
            has_base: is_shared && !by_load,
            walk: Walk { next: vec![0; streams.len()], ..Walk::default() },
            streams,
            skipped,
            total: None,
            groups: vec![],
        };
        // No group is known yet.
        let none = Arrival { start: MAX_TIME, own: None };
        superposed.groups.resize_with(KEPT as usize, || Group { number: u64::MAX, arrivals: [none; AHEAD as usize] });
        superposed.walk.index = u64::MAX;
        superposed
    }

    /// Returns arrival k of the epoch.
    #[inline]
    pub fn get(&mut self, base: &mut Base, k: u64) -> Arrival {
        let (number, at) = (k / AHEAD, (k % KEPT_AHEAD) / AHEAD);
        if self.groups[at as usize].number != number {
            self.find(base, number, at as usize);
        }
        self.groups[at as usize].arrivals[(k % AHEAD) as usize]
    }

    /// Returns the streams besides the plain arrivals.
    pub fn streams(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.streams.iter_mut()
    }

    /// Returns the mean rate of plain arrivals in traces per second.
    pub fn base_rate(&self) -> f64 {
        if self.has_base { self.epoch.arrivals.mean_rate() } else { 0.0 }
    }

    /// Returns the number of arrivals that start at `time` or before. Of plain arrivals, those are counted up to the last one
    /// that has started.
    pub fn count(&mut self, base: &mut Base, time: u64) -> u64 {
        if time < self.epoch.opening {
            return 0;
        }
        let streams = self.streams.iter_mut().zip(&self.skipped);
        let own: u64 = streams.map(|(stream, skipped)| stream.count(time) - skipped).sum();
        own + self.base_count(base, time)
    }

    fn base_count(&self, base: &mut Base, time: u64) -> u64 {
        let elapsed = time.checked_sub(self.epoch.opening).filter(|_| self.has_base);
        elapsed.and_then(|elapsed| base.last(elapsed, &self.epoch)).map_or(0, |last| last + 1)
    }

    /// Fills a group with its arrivals.
    #[cold]
    fn find(&mut self, base: &mut Base, number: u64, at: usize) {
        let first = number * AHEAD;
        if self.walk.index > first || first - self.walk.index > NEAR {
            self.seek(base, first);
        }
        while self.walk.index < first {
            self.step(base);
        }
        let arrivals = std::array::from_fn(|_| self.step(base));
        self.groups[at] = Group { number, arrivals };
    }

    /// Returns the arrival after the walk's position, and moves behind it.
    fn step(&mut self, base: &mut Base) -> Arrival {
        let walk = &mut self.walk;
        let index = walk.index;
        walk.index += 1;
        if self.has_base && walk.base < walk.base_until {
            let start = self.epoch.opening as u128 + base.offset(walk.base, &self.epoch);
            walk.base += 1;
            return Arrival { start: start.min(MAX_TIME as u128) as u64, own: None };
        }
        let Some(Reverse((start, at))) = walk.heads.pop() else { return Arrival { start: MAX_TIME, own: None } };
        let (stream, next) = (&mut self.streams[at as usize], &mut walk.next[at as usize]);
        let own = stream.own(self.epoch.first + index, start);
        *next += 1;
        walk.heads.extend(stream.start(*next, start).map(|start| Reverse((start, at))));
        self.meet_base(base);
        Arrival { start, own }
    }

    /// Finds out how many plain arrivals come before the next one of a stream.
    fn meet_base(&mut self, base: &mut Base) {
        let head = self.walk.heads.peek().map(|Reverse((start, _))| *start);
        self.walk.base_until = head.map_or(u64::MAX, |start| self.base_count(base, start));
    }

    /// Moves to a position at most a few arrivals before arrival k, or behind all of them if there is no such arrival.
    fn seek(&mut self, base: &mut Base, k: u64) {
        let total = match self.total {
            Some(total) => total,
            None => self.count(base, MAX_TIME),
        };
        self.total = Some(total);
        if k >= total {
            let before = self.base_count(base, MAX_TIME);
            self.walk.heads.clear();
            (self.walk.index, self.walk.base, self.walk.base_until) = (k, before + (k - total), u64::MAX);
            return;
        }
        // There are at most k arrivals before `low`, and more before `high`.
        let (mut low, mut high) = (self.epoch.opening, MAX_TIME + 1);
        if k > NEAR {
            let mut wanted = k as f64 - NEAR as f64 / 2.0;
            for turn in 0.. {
                let guess = if turn < 16 { self.time_with(wanted, low, high) } else { low };
                let guess = if guess > low { guess } else { low + (high - low) / 2 };
                if high - low <= 1 {
                    break;
                }
                let found = self.count(base, guess - 1);
                if found <= k {
                    low = guess;
                    if k - found <= NEAR {
                        break;
                    }
                } else {
                    high = guess;
                }
                // Random arrivals are ahead of their mean, or behind it, by about as much in the neighbourhood.
                wanted = self.expected(guess) + k as f64 - found as f64 - NEAR as f64 / 2.0;
            }
        }
        self.move_to(base, low);
    }

    /// Moves to the position before the first arrival that starts at `time` or later.
    fn move_to(&mut self, base: &mut Base, time: u64) {
        self.walk.base = time.checked_sub(1).map_or(0, |time| self.base_count(base, time));
        self.walk.index = self.walk.base;
        self.walk.heads.clear();
        for (at, stream) in self.streams.iter_mut().enumerate() {
            let next = before(stream, time);
            self.walk.next[at] = next;
            self.walk.index += next - self.skipped[at];
            self.walk.heads.extend(stream.start(next, time).map(|start| Reverse((start, at as u32))));
        }
        self.meet_base(base);
    }

    /// Returns a time between two others, before which about as many arrivals are expected as are wanted.
    fn time_with(&self, wanted: f64, mut low: u64, mut high: u64) -> u64 {
        let mut guess = low;
        for turn in 1..128 {
            let missing = wanted - self.expected(guess);
            if missing.abs() <= NEAR as f64 / 8.0 || high - low <= 1 {
                return guess;
            }
            if missing > 0.0 {
                low = guess
            } else {
                high = guess
            }
            let next = guess as f64 + missing / self.rate(guess);
            let is_between = next > low as f64 && next < high as f64 && turn % 5 != 0;
            guess = if is_between { next as u64 } else { low + (high - low) / 2 };
        }
        low
    }

    /// Returns about how many arrivals start before `time`.
    fn expected(&self, time: u64) -> f64 {
        let streams = self.streams.iter().zip(&self.skipped);
        let own: f64 = streams.map(|(stream, skipped)| stream.expected(time) - *skipped as f64).sum();
        own + time.saturating_sub(self.epoch.opening) as f64 * self.base_rate() / 1e9
    }

    /// Returns the rate of all arrivals at `time` in traces per ns.
    pub fn rate(&self, time: u64) -> f64 {
        let own: f64 = self.streams.iter().map(|stream| stream.rate(time)).sum();
        own + self.base_rate() / 1e9
    }
}

/// The number of arrivals in all groups that are kept.
const KEPT_AHEAD: u64 = KEPT * AHEAD;

/// Returns the number of arrivals of a stream before `time`.
fn before(stream: &mut Stream, time: u64) -> u64 {
    time.checked_sub(1).map_or(0, |time| stream.count(time))
}
