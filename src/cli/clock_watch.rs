//! Messages about the system's clock being set back. Work that goes on keeps its own time, which never goes back.

use crate::clock;
use crate::text::duration;

/// The shortest step that is reported, in ns.
const NOTABLE: u64 = 1_000_000_000;

/// A watch on the system's clock.
#[derive(Default)]
pub struct ClockWatch {
    /// How far the system's clock was behind at the last report, in ns.
    reported: u64,
}

impl ClockWatch {
    /// Returns a message if the clock was set since the last call.
    pub fn news(&mut self) -> Option<String> {
        self.news_of(clock::ahead())
    }

    fn news_of(&mut self, ahead: u64) -> Option<String> {
        if ahead.abs_diff(self.reported) < NOTABLE {
            return None;
        }
        self.reported = ahead;
        Some(match ahead {
            0..NOTABLE => "the system's clock has caught up with the time of what runs here".into(),
            _ => format!(
                "the system's clock is {} behind: it was set back. What runs here keeps its own time, which never goes back",
                duration(ahead)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_reported_once() {
        let mut watch = ClockWatch::default();
        let said: Vec<bool> = [0, 5, 3_600 * NOTABLE, 3_600 * NOTABLE + 7, 3_590 * NOTABLE, 9, 0]
            .into_iter()
            .map(|ahead| watch.news_of(ahead).is_some())
            .collect();
        assert_eq!(said, [false, false, true, false, true, true, false]);
        assert!(watch.news_of(3_600 * NOTABLE).expect("news").contains("1 h 0 min"));
    }
}
