//! What those who steer a session want of it. They never wait for the generator, and it is woken at once.

use super::state::{Phase, Settings};
use crate::clock::now;
use crate::plan::Plan;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A step of the system's clock is noticed within this time, ns.
const LONGEST_SLEEP: u64 = 1_000_000_000;

#[derive(Clone)]
pub struct Wanted {
    pub phase: Phase,
    /// ns since 1970.
    pub phase_since: u64,
    pub settings: Settings,
    /// As compiled, and with the weights of the settings.
    pub plan: Arc<Plan>,
    pub weighted: Arc<Plan>,
    /// What has begun and not ended is not to be sent.
    pub discard: bool,
    /// The generator is to end.
    pub over: bool,
}

impl Wanted {
    pub fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            (self.phase, self.phase_since) = (phase, now());
        }
    }
}

pub struct Control {
    wanted: Mutex<Wanted>,
    changed: AtomicBool,
    wake: Condvar,
}

impl Control {
    pub fn new(wanted: Wanted) -> Control {
        Control { wanted: Mutex::new(wanted), changed: AtomicBool::new(false), wake: Condvar::new() }
    }

    pub fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock()
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut Wanted) -> T) -> T {
        let mut wanted = self.wanted();
        let result = change(&mut wanted);
        self.changed.store(true, Ordering::Release);
        self.wake.notify_all();
        result
    }

    /// For the generator: what is wanted, if that has changed since it last asked.
    pub fn take(&self) -> Option<Wanted> {
        if !self.changed.load(Ordering::Acquire) {
            return None;
        }
        let mut wanted = self.wanted();
        self.changed.store(false, Ordering::Release);
        let taken = wanted.clone();
        wanted.discard = false;
        Some(taken)
    }

    /// For the generator: sleep until `time` (ns since 1970), or something else is wanted.
    pub fn sleep_until(&self, time: u64) {
        let mut wanted = self.wanted();
        while !self.changed.load(Ordering::Acquire) {
            let now = now();
            if now >= time {
                return;
            }
            let pause = Duration::from_nanos((time - now).min(LONGEST_SLEEP));
            self.wake.wait_for(&mut wanted, pause);
        }
    }
}
