//! The wishes of those who steer a session. They never wait for the generator, which is woken at once.

use super::state::{Phase, Settings};
use crate::clock::{Bell, Clock};
use crate::plan::Plan;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The wished state of a session.
#[derive(Clone)]
pub struct Wanted {
    pub phase: Phase,
    /// The time when the phase began, in ns since 1970.
    pub phase_since: u64,
    pub settings: Settings,
    /// The plan as compiled.
    pub plan: Arc<Plan>,
    /// The plan with the weights of the settings.
    pub weighted: Arc<Plan>,
    /// Traces that have begun and not ended are dropped.
    pub discard: bool,
    /// The generator must end.
    pub is_over: bool,
}

impl Wanted {
    /// Enters another phase at the time `now`.
    pub fn enter(&mut self, phase: Phase, now: u64) {
        if self.phase != phase {
            (self.phase, self.phase_since) = (phase, now);
        }
    }
}

/// The mailbox between those who steer and the generator.
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

    /// Returns the wishes if they have changed since the last call. Only the generator calls this.
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

    /// Sleeps until `clock` reaches `time` (ns since 1970), or the wishes change. Only the generator calls this.
    pub fn sleep_until(&self, time: u64, clock: &dyn Clock) {
        clock.wait(time, &self.bell, &|| self.changed.load(Ordering::Acquire));
    }
}
