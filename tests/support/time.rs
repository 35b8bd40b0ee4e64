//! A clock that a test controls.
#![allow(dead_code, reason = "each test takes what it needs")]

use parking_lot::{Condvar, Mutex};
use std::time::Duration;
use tracegen::clock::{Bell, Clock};

/// The interval in which a waiting thread checks whether the clock was changed.
const LOOK: Duration = Duration::from_millis(1);
/// The time limit for failures, which is long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A clock whose time passes only while a thread waits for it: at once, and no further than allowed. It also passes by
/// `tick` ns whenever the time is read. It is meant for one waiting thread; with several, the others are late.
pub struct TestClock {
    state: Mutex<State>,
    idle: Condvar,
    tick: u64,
}

struct State {
    now: u64,
    /// The limit of the time in ns since 1970.
    limit: u64,
    /// A thread waits for a time beyond the limit.
    waits: bool,
}

impl TestClock {
    /// Makes a clock that begins at `now` (ns since 1970) and stays there.
    pub fn new(now: u64) -> TestClock {
        TestClock::ticking(now, now, 0)
    }

    /// Makes a clock that begins at `now` and goes on until `limit` (both in ns since 1970), and by `tick` ns whenever the
    /// time is read.
    pub fn ticking(now: u64, limit: u64, tick: u64) -> TestClock {
        TestClock { state: Mutex::new(State { now, limit, waits: false }), idle: Condvar::new(), tick }
    }

    /// Lets time go on until `limit` (ns since 1970), and returns when there is nothing left to do before that.
    pub fn run_until(&self, limit: u64) {
        let mut state = self.state.lock();
        (state.limit, state.waits) = (state.limit.max(limit), false);
        while !state.waits {
            assert!(!self.idle.wait_for(&mut state, PATIENCE).timed_out(), "nobody waits for {limit}");
        }
    }

    /// Sets the clock forward by `ns`, at once, as if waiting threads had slept.
    pub fn step(&self, ns: u64) {
        let mut state = self.state.lock();
        state.now += ns;
        state.limit = state.limit.max(state.now);
    }
}

impl Clock for TestClock {
    fn now(&self) -> u64 {
        let mut state = self.state.lock();
        state.now += self.tick;
        state.now
    }

    fn wait(&self, time: u64, bell: &Bell, over: &dyn Fn() -> bool) -> bool {
        let mut held = false;
        bell.wait_while(|| {
            // The lock is held, so that time does not go on to a limit that was set after the end of the wait.
            let mut state = self.state.lock();
            held = over();
            if held {
                return None;
            }
            state.now = state.now.max(time.min(state.limit));
            let waits = state.now < time;
            if waits && !std::mem::replace(&mut state.waits, true) {
                self.idle.notify_all();
            }
            waits.then_some(LOOK)
        });
        held
    }
}
