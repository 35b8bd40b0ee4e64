//! The current rate at which a count grows, such as that of sent traces.

use std::time::{Duration, Instant};

/// A meter of the rate at which a count grows.
pub struct Recent {
    stretch: Duration,
    stretch_start: Instant,
    count_before: u64,
    rate: f64,
}

impl Recent {
    /// Makes a meter. It returns the rate of the last complete stretch of time of this length, and during the first stretch
    /// the rate since the meter was made.
    pub fn new(stretch: Duration) -> Recent {
        Recent { stretch, stretch_start: Instant::now(), count_before: 0, rate: 0.0 }
    }

    /// Returns the growth per second, given the current count.
    pub fn rate(&mut self, count: u64) -> f64 {
        let passed = self.stretch_start.elapsed();
        if passed < self.stretch && self.rate > 0.0 {
            return self.rate;
        }
        let current = (count - self.count_before) as f64 / passed.as_secs_f64().max(0.001);
        if passed >= self.stretch {
            *self = Recent { stretch_start: Instant::now(), count_before: count, rate: current, ..*self };
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_for_a_stretch() {
        let mut recent = Recent::new(Duration::from_millis(50));
        assert_eq!(recent.rate(0), 0.0);
        std::thread::sleep(Duration::from_millis(50));
        let rate = recent.rate(100);
        assert!(rate > 0.0 && rate <= 2_000.0, "{rate}");
        assert_eq!(recent.rate(1_000_000), rate);
    }
}
