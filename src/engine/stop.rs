//! The signal that ends a run: set once, seen by all, wakes who sleeps.

use crate::clock::now;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub struct Stop {
    set: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Stop {
    pub fn set(&self) {
        self.set.store(true, Ordering::Release);
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }

    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Sleep until `time` (ns since 1970) has come or the signal is set; whether it is set.
    pub fn sleep_until(&self, time: u64) -> bool {
        // A step of the system's clock is noticed within this time.
        const LONGEST: u64 = 1_000_000_000;
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_set() {
                return true;
            }
            let now = now();
            if now >= time {
                return false;
            }
            let pause = Duration::from_nanos((time - now).min(LONGEST));
            guard = self.wake.wait_timeout(guard, pause).unwrap_or_else(PoisonError::into_inner).0;
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
