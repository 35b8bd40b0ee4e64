//! How fast a count has grown of late.

use std::time::{Duration, Instant};

pub struct Recent {
    stretch: Duration,
    since: Instant,
    before: u64,
    rate: f64,
}

impl Recent {
    /// Over the last whole `stretch`; in the first one, since now.
    pub fn new(stretch: Duration) -> Recent {
        Recent { stretch, since: Instant::now(), before: 0, rate: 0.0 }
    }

    /// A second.
    pub fn rate(&mut self, count: u64) -> f64 {
        let passed = self.since.elapsed();
        if passed < self.stretch && self.rate > 0.0 {
            return self.rate;
        }
        let current = (count - self.before) as f64 / passed.as_secs_f64().max(0.001);
        if passed >= self.stretch {
            *self = Recent { since: Instant::now(), before: count, rate: current, ..*self };
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_for_a_stretch() {
        let mut recent = Recent::new(Duration::from_millis(50));
        assert_eq!(recent.rate(0), 0.0);
        std::thread::sleep(Duration::from_millis(50));
        let rate = recent.rate(100);
        assert!(rate > 0.0 && rate <= 2_000.0, "{rate}");
        assert_eq!(recent.rate(1_000_000), rate);
    }
}
