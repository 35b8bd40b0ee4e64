//! The signal that ends a run: set once, seen by all, wakes who sleeps.
//!
//! Who reads the clock first, and then sees that it is not set, read no later a time than [`Stop::time`].

use crate::clock::now;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[derive(Default)]
pub struct Stop {
    set: AtomicBool,
    /// ns since 1970; 0 until it is known.
    time: AtomicU64,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Stop {
    pub fn set(&self) {
        if self.set.swap(true, Ordering::SeqCst) {
            return;
        }
        self.time.store(now().max(1), Ordering::SeqCst);
        let _guard = self.lock.lock();
        self.wake.notify_all();
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

    /// Sleep until `time` (ns since 1970) has come or the signal is set; whether it is set.
    pub fn sleep_until(&self, time: u64) -> bool {
        // A step of the system's clock is noticed within this time.
        const LONGEST: u64 = 1_000_000_000;
        let mut guard = self.lock.lock();
        loop {
            let now = now();
            if self.is_set() {
                return true;
            }
            if now >= time {
                return false;
            }
            let pause = Duration::from_nanos((time - now).min(LONGEST));
            self.wake.wait_for(&mut guard, pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_sleeper_wakes_at_its_time_or_at_the_signal() {
        let stop = Stop::default();
        let began = Instant::now();
        assert!(!stop.sleep_until(now() + 5_000_000));
        assert!(began.elapsed() >= Duration::from_millis(5));
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| stop.sleep_until(now() + 60_000_000_000));
            stop.set();
            assert!(sleeper.join().unwrap());
        });
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
