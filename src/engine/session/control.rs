//! What those who steer a session want of it. They never wait for the generator, and it is woken at once.

use super::state::{Phase, Settings};
use crate::clock::{Bell, Clock};
use crate::plan::Plan;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Another phase begins, `now`.
    pub fn enter(&mut self, phase: Phase, now: u64) {
        if self.phase != phase {
            (self.phase, self.phase_since) = (phase, now);
        }
    }
}

pub struct Control {
    wanted: Mutex<Wanted>,
    changed: AtomicBool,
    bell: Bell,
}

impl Control {
    pub fn new(wanted: Wanted) -> Control {
        Control { wanted: Mutex::new(wanted), changed: AtomicBool::new(false), bell: Bell::default() }
    }

    pub fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock()
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut Wanted) -> T) -> T {
        let mut wanted = self.wanted();
        let result = change(&mut wanted);
        self.changed.store(true, Ordering::Release);
        drop(wanted);
        self.bell.ring();
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

    /// For the generator: sleeps until `time` (ns since 1970) has come by `clock`, or something else is wanted.
    pub fn sleep_until(&self, time: u64, clock: &dyn Clock) {
        clock.wait(time, &self.bell, &|| self.changed.load(Ordering::Acquire));
    }
}
