//! The signal that ends a run. It is set once, and wakes all sleepers.
//!
//! A thread that reads the clock and afterwards sees that the signal is not set has read a time no later than
//! [`Stop::time`].

use crate::clock::{Bell, Clock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Default)]
pub struct Stop {
    set: AtomicBool,
    /// The time of the stop in ns since 1970; 0 until it is known.
    time: AtomicU64,
    bell: Bell,
}

impl Stop {
    /// Ends the run, whose clock is `clock`.
    pub fn set(&self, clock: &dyn Clock) {
        if self.set.swap(true, Ordering::SeqCst) {
            return;
        }
        self.time.store(clock.now().max(1), Ordering::SeqCst);
        self.bell.ring();
    }

    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// Returns the time when the signal was set, in ns since 1970; `u64::MAX` if it is not set.
    pub fn time(&self) -> u64 {
        if !self.is_set() {
            return u64::MAX;
        }
        loop {
            match self.time.load(Ordering::SeqCst) {
                // Another thread is setting it right now.
                0 => std::thread::yield_now(),
                time => return time,
            }
        }
    }

    /// Sleeps until `clock` reaches `time` (ns since 1970) or the signal is set, and returns whether it is set.
    pub fn sleep_until(&self, time: u64, clock: &dyn Clock) -> bool {
        clock.wait(time, &self.bell, &|| self.is_set())
    }
}
