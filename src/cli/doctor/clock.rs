//! The check of this machine's clock, whose time traces carry and backends sort by.

use super::report::Finding;
use crate::clock::now;
use std::time::Instant;

/// The largest deviation from another clock that is not reported, in ns. A larger one noticeably displaces spans against those
/// of other machines.
const MOST: i64 = 2_000_000_000;
/// The largest step of the clock during the check that is not reported, in ns.
const STEP: i64 = 100_000_000;

/// The times of both clocks at the start of the check, by which a step of the wall clock is noticed.
pub struct Watch {
    wall: u64,
    monotonic: Instant,
}

/// A reading of another machine's clock. All times are in ns since 1970.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    /// The time of the other clock.
    pub theirs: u64,
    /// The maximum error of `theirs`, in ns.
    pub error: u64,
    /// The time of this machine's clock when the other machine was asked.
    pub asked: u64,
    /// The time of this machine's clock when the answer came.
    pub answered: u64,
}

impl ClockReading {
    /// Awaits `asking`, which asks another machine for its time in ns since 1970.
    ///
    /// # Errors
    /// The other machine does not answer.
    pub async fn by<E>(asking: impl Future<Output = Result<u64, E>>) -> Result<ClockReading, E> {
        let asked = now();
        let theirs = asking.await?;
        Ok(ClockReading { theirs, error: 0, asked, answered: now() })
    }

    /// Returns by how much this machine's clock is ahead at least, in ns; 0 if both clocks may agree.
    fn ahead(self) -> i64 {
        // The other clock was read at some time between question and answer.
        let (least, most) = (self.asked.saturating_sub(self.error), self.answered + self.error);
        match self.theirs {
            theirs if theirs < least => (least - theirs) as i64,
            theirs if theirs > most => -((theirs - most) as i64),
            _ => 0,
        }
    }
}

impl Watch {
    pub fn start() -> Watch {
        Watch { wall: now(), monotonic: Instant::now() }
    }

    /// Returns the finding of the check. `reading` is that of the endpoint's or the store's clock, if there is one.
    pub fn check(&self, reading: Option<ClockReading>) -> Finding {
        let passed = self.monotonic.elapsed().as_nanos() as i64;
        let step = now() as i64 - self.wall as i64 - passed;
        if step.abs() > STEP {
            let finding = format!("it was set by {} while this ran", seconds(step));
            return Finding::fix("clock", finding).advise("let it be kept by NTP, which adjusts it slowly");
        }
        let Some(reading) = reading else {
            return Finding::ok("clock", "it goes evenly; there is no other clock to compare it with");
        };
        match reading.ahead() {
            ahead if ahead.abs() > MOST => {
                let side = if ahead > 0 { "ahead of" } else { "behind" };
                let finding = format!("it is {} {side} that of the other end", seconds(ahead));
                Finding::fix("clock", finding).advise("synchronise both by NTP: backends drop or misplace what is off")
            }
            _ => Finding::ok("clock", "it goes evenly, and agrees with that of the other end"),
        }
    }
}

fn seconds(ns: i64) -> String {
    format!("{:.1} s", ns.abs() as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_by_what_no_delay_explains() {
        const SECOND: u64 = 1_000_000_000;
        let reading = |theirs: u64, error| ClockReading {
            theirs: theirs * SECOND,
            error,
            asked: 100 * SECOND,
            answered: 103 * SECOND,
        };
        assert_eq!(reading(101, 0).ahead(), 0);
        assert_eq!(reading(97, 0).ahead(), 3 * SECOND as i64);
        assert_eq!(reading(110, SECOND).ahead(), -6 * SECOND as i64);
        let watch = Watch::start();
        assert!(watch.check(Some(reading(90, 0))).is_to_fix() && watch.check(Some(reading(110, 0))).is_to_fix());
        assert!(!watch.check(Some(reading(99, 0))).is_to_fix() && !watch.check(None).is_to_fix());
        let set = Watch { wall: watch.wall - SECOND, ..watch };
        assert!(set.check(None).is_to_fix());
    }
}
