//! A clock that a test turns.

use parking_lot::{Condvar, Mutex};
use std::time::Duration;
use tracegen::clock::{Bell, Clock};

/// How often who waits looks whether the clock was turned.
const LOOK: Duration = Duration::from_millis(1);
/// For what never will be, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time passes only while somebody waits for it, at once and no further than it is let, and by `tick` ns whenever it is asked
/// for. Meant for one thread that waits; where there are more, the others are late.
pub struct TestClock {
    state: Mutex<State>,
    idle: Condvar,
    tick: u64,
}

struct State {
    now: u64,
    /// How far time may go, ns since 1970.
    limit: u64,
    /// Somebody waits for a time beyond.
    waits: bool,
}

impl TestClock {
    /// Begins at `now` (ns since 1970), and goes no further.
    pub fn new(now: u64) -> TestClock {
        TestClock::ticking(now, now, 0)
    }

    /// Begins at `now` and goes on until `limit` (both ns since 1970), and by `tick` ns whenever it is asked for the time.
    pub fn ticking(now: u64, limit: u64, tick: u64) -> TestClock {
        TestClock { state: Mutex::new(State { now, limit, waits: false }), idle: Condvar::new(), tick }
    }

    /// Lets time go on until `limit` (ns since 1970), and returns when there is nothing left to do before.
    pub fn run_until(&self, limit: u64) {
        let mut state = self.state.lock();
        (state.limit, state.waits) = (state.limit.max(limit), false);
        while !state.waits {
            assert!(!self.idle.wait_for(&mut state, PATIENCE).timed_out(), "nobody waits for {limit}");
        }
    }

    /// Sets the clock forward by so many ns, at once: whoever waits has slept through them.
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
            // Under the lock, so that time does not go on to a limit that was set after what ends the wait.
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
