//! The clock: traces carry its time, and a backend sorts by it.

use super::report::Finding;
use crate::clock::now;
use std::time::Instant;

/// More than this is told: spans of other machines would stand beside ours at another time. ns.
const MOST: i64 = 2_000_000_000;
/// A clock that is set while one looks does so by more than this. ns.
const STEP: i64 = 100_000_000;

/// Looks whether the clock goes evenly.
pub struct Watch {
    wall: u64,
    monotonic: Instant,
}

/// What another machine's clock said, and what this one's did when it was asked and when the answer was there; ns since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub theirs: u64,
    /// By how much less or more it may have been.
    pub within: u64,
    pub asked: u64,
    pub answered: u64,
}

impl Told {
    /// What `asking` answers, ns since 1970.
    pub async fn by<E>(asking: impl Future<Output = Result<u64, E>>) -> Result<Told, E> {
        let asked = now();
        let theirs = asking.await?;
        Ok(Told { theirs, within: 0, asked, answered: now() })
    }

    /// How far this machine's clock is ahead at least, ns; 0 where both may show the same.
    fn ahead(self) -> i64 {
        // it was read at some time between question and answer
        let (least, most) = (self.asked.saturating_sub(self.within), self.answered + self.within);
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

    /// `told`: by the endpoint or the store.
    pub fn check(&self, told: Option<Told>) -> Finding {
        let passed = self.monotonic.elapsed().as_nanos() as i64;
        let step = now() as i64 - self.wall as i64 - passed;
        if step.abs() > STEP {
            let finding = format!("it was set by {} while this ran", seconds(step));
            return Finding::fix("clock", finding).advise("let it be kept by NTP, which adjusts it slowly");
        }
        let Some(told) = told else {
            return Finding::ok("clock", "it goes evenly; nobody else's is there to compare it with");
        };
        match told.ahead() {
            ahead if ahead.abs() > MOST => {
                let side = if ahead > 0 { "ahead of" } else { "behind" };
                let finding = format!("it is {} {side} that of the other end", seconds(ahead));
                Finding::fix("clock", finding).advise("synchronise both by NTP: backends drop or misplace what is off")
            }
            _ => Finding::ok("clock", "it goes evenly, and as that of the other end"),
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
        let told =
            |theirs: u64, within| Told { theirs: theirs * SECOND, within, asked: 100 * SECOND, answered: 103 * SECOND };
        assert_eq!(told(101, 0).ahead(), 0);
        assert_eq!(told(97, 0).ahead(), 3 * SECOND as i64);
        assert_eq!(told(110, SECOND).ahead(), -6 * SECOND as i64);
        let watch = Watch::start();
        assert!(watch.check(Some(told(90, 0))).is_to_fix() && watch.check(Some(told(110, 0))).is_to_fix());
        assert!(!watch.check(Some(told(99, 0))).is_to_fix() && !watch.check(None).is_to_fix());
        let set = Watch { wall: watch.wall - SECOND, ..watch };
        assert!(set.check(None).is_to_fix());
    }
}
