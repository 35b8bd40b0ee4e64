//! The signal that ends a run: set once, seen by all, wakes who sleeps.
//!
//! Who reads the clock first, and then sees that it is not set, read no later a time than [`Stop::time`].

use crate::clock::{Bell, Clock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Default)]
pub struct Stop {
    set: AtomicBool,
    /// ns since 1970; 0 until it is known.
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

    /// When it was set, ns since 1970; `u64::MAX`: it is not.
    pub fn time(&self) -> u64 {
        if !self.is_set() {
            return u64::MAX;
        }
        loop {
            match self.time.load(Ordering::SeqCst) {
                // It is being set just now.
                0 => std::thread::yield_now(),
                time => return time,
            }
        }
    }

    /// Sleeps until `time` (ns since 1970) has come by `clock`, or the signal is set; returns whether it is set.
    pub fn sleep_until(&self, time: u64, clock: &dyn Clock) -> bool {
        clock.wait(time, &self.bell, &|| self.is_set())
    }
}
