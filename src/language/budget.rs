//! The time that a compilation may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time for a compilation: unlimited, or up to a deadline; in both cases it can be cancelled. Clones share the budget,
/// so the owner of one can cancel the compilation that has another.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    limit: Option<Limit>,
    spent: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    duration: Duration,
    deadline: Instant,
}

/// The error that the budget was spent before the work was done.
#[derive(Debug)]
pub struct Spent;

impl Budget {
    /// Makes a budget that is spent `duration` from now.
    pub fn lasting(duration: Duration) -> Budget {
        // A deadline that the clock can't represent never comes.
        let limit = Instant::now().checked_add(duration).map(|deadline| Limit { duration, deadline });
        Budget { limit, ..Budget::default() }
    }

    /// Ends the compilation at the next check of the budget, which takes milliseconds.
    pub fn cancel(&self) {
        self.spent.store(true, Ordering::Relaxed);
    }

    /// Reports whether the deadline has passed, or the compilation was cancelled. This never changes back.
    pub fn is_spent(&self) -> bool {
        if self.spent.load(Ordering::Relaxed) {
            return true;
        }
        let passed = self.limit.is_some_and(|limit| Instant::now() >= limit.deadline);
        if passed {
            self.cancel();
        }
        passed
    }

    /// # Errors
    ///
    /// The budget [is spent](Budget::is_spent).
    pub fn check(&self) -> Result<(), Spent> {
        if self.is_spent() { Err(Spent) } else { Ok(()) }
    }

    /// Returns the time that was given, or `None` if there was no deadline or the compilation was cancelled before it.
    pub fn overrun(&self) -> Option<Duration> {
        let limit = self.limit.filter(|limit| Instant::now() >= limit.deadline)?;
        Some(limit.duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_at_its_deadline_or_when_it_is_cancelled() {
        assert!(!Budget::default().is_spent());
        assert!(!Budget::lasting(Duration::MAX).is_spent());
        assert!(Budget::lasting(Duration::ZERO).is_spent());
        assert_eq!(Budget::lasting(Duration::ZERO).overrun(), Some(Duration::ZERO));
        let budget = Budget::lasting(Duration::from_secs(3_600));
        let other = budget.clone();
        assert!(!other.is_spent());
        budget.cancel();
        assert!(other.is_spent());
        assert_eq!(other.overrun(), None);
    }
}
