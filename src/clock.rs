//! The clock of this process: the wall clock, except that it never goes back while the process runs.
//!
//! A system's clock may be set back by an hour or a day. Then this clock goes on at its own pace, so that nothing stops
//! before it has begun, and nothing is sent twice. When the system's clock is set forward, this clock follows.
//!
//! Code that is paced by a clock is given one, a [`Clock`], so that it can be tested without waiting.

use parking_lot::{Condvar, Mutex};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The maximum time until a step of the system's clock is noticed, in ns.
const LONGEST_WAIT: u64 = 1_000_000_000;

static STEADY: Steady = Steady::new();
/// The time of the first call.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A source of time that can be waited for.
pub trait Clock: Send + Sync {
    /// Returns the time in ns since 1970, which is never before a time that was returned earlier.
    fn now(&self) -> u64;

    /// Waits until `time` (in ns since 1970) has come or `is_over` returns true, and returns whether it did. `is_over` is
    /// called again whenever `bell` rings.
    fn wait(&self, time: u64, bell: &Bell, is_over: &dyn Fn() -> bool) -> bool;
}

/// A bell that wakes threads that wait for a time.
#[derive(Default)]
pub struct Bell {
    lock: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    /// Makes all waiting threads check again whether they have to wait.
    pub fn ring(&self) {
        let _guard = self.lock.lock();
        self.rung.notify_all();
    }

    /// Waits repeatedly, each time at most as long as `pause` returns, until `pause` returns `None`. A ring between that
    /// call and the wait is not missed.
    pub fn wait_while(&self, mut pause: impl FnMut() -> Option<Duration>) {
        let mut guard = self.lock.lock();
        while let Some(most) = pause() {
            self.rung.wait_for(&mut guard, most);
        }
    }
}

/// The clock of this process.
pub struct Process;

impl Clock for Process {
    fn now(&self) -> u64 {
        now()
    }

    fn wait(&self, time: u64, bell: &Bell, is_over: &dyn Fn() -> bool) -> bool {
        let mut held = false;
        bell.wait_while(|| {
            let now = now();
            held = is_over();
            (!held && now < time).then(|| Duration::from_nanos((time - now).min(LONGEST_WAIT)))
        });
        held
    }
}

/// Returns the time in ns since 1970, which is never before a time that was returned earlier.
pub fn now() -> u64 {
    let (wall, passed) = readings();
    STEADY.at(wall, passed)
}

/// Returns how far the system's clock is behind [`now`] because it was set back, in ns.
pub fn ahead() -> u64 {
    let (wall, passed) = readings();
    STEADY.at(wall, passed).saturating_sub(wall)
}

/// Makes time continue at `time` (in ns since 1970) or later, if the system's clock is before it.
pub fn not_before(time: u64) {
    let (_, passed) = readings();
    STEADY.not_before(time, passed);
}

/// Returns the wall clock in ns since 1970, and then the time for which the process has run, in ns. In this order, a delay
/// between the two makes a single reading seem earlier, and never makes all later ones late.
fn readings() -> (u64, u64) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_nanos() as u64);
    (wall, BEGAN.elapsed().as_nanos() as u64)
}

/// A time source made of a clock that may be set and one that only goes on.
struct Steady {
    /// The largest difference so far between the first clock and the second, in ns.
    offset: AtomicU64,
}

impl Steady {
    const fn new() -> Steady {
        Steady { offset: AtomicU64::new(0) }
    }

    fn at(&self, wall: u64, passed: u64) -> u64 {
        let offset = wall.saturating_sub(passed);
        let known = self.offset.load(Ordering::Relaxed);
        let most = if offset > known { self.offset.fetch_max(offset, Ordering::Relaxed).max(offset) } else { known };
        most + passed
    }

    fn not_before(&self, time: u64, passed: u64) {
        self.offset.fetch_max(time.saturating_sub(passed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_767_225_600 * SECOND;

    #[test]
    fn time_goes_on_when_the_clock_is_set_back_and_follows_when_it_is_set_forward() {
        let clock = Steady::new();
        assert_eq!(clock.at(START, 0), START);
        assert_eq!(clock.at(START + SECOND, SECOND), START + SECOND);
        // The clock is set back an hour; a second later is still a second later.
        assert_eq!(clock.at(START + 2 * SECOND - 3_600 * SECOND, 2 * SECOND), START + 2 * SECOND);
        // The machine slept.
        assert_eq!(clock.at(START + 900 * SECOND, 3 * SECOND), START + 900 * SECOND);
        assert_eq!(clock.at(START + 901 * SECOND, 4 * SECOND), START + 901 * SECOND);
    }

    #[test]
    fn time_goes_on_from_where_a_run_was_stopped() {
        let clock = Steady::new();
        clock.not_before(START + 60 * SECOND, 2 * SECOND);
        assert_eq!(clock.at(START, 3 * SECOND), START + 61 * SECOND);
        clock.not_before(START, 4 * SECOND);
        assert_eq!(clock.at(START, 4 * SECOND), START + 62 * SECOND);
    }

    #[test]
    fn time_never_goes_back_between_threads() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut last = 0;
                    for _ in 0..20_000 {
                        let now = now();
                        assert!(now >= last);
                        last = now;
                    }
                });
            }
        });
        assert!(ahead() < 10 * SECOND, "nobody has set the clock back");
    }

    #[test]
    fn a_waiting_thread_wakes_at_the_time_or_when_the_bell_rings() {
        use std::sync::atomic::AtomicBool;
        let (bell, over) = (Bell::default(), AtomicBool::new(false));
        let is_over = || over.load(Ordering::SeqCst);
        let time = now() + SECOND / 100;
        assert!(!Process.wait(time, &bell, &is_over));
        assert!(now() >= time);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| Process.wait(u64::MAX, &bell, &is_over));
            over.store(true, Ordering::SeqCst);
            bell.ring();
            assert!(waits.join().unwrap());
        });
    }
}
