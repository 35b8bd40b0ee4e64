//! The arrivals that flags, variables and settings ask for, and no file.

use super::interval::Interval;
use super::poisson::Poisson;
use super::{Arrivals, Epoch};
use crate::interpreter::identity::MAX_INDEX;

/// A source of the starts of plain arrivals: those of all traces, or of those that have no other source.
pub(super) struct Base {
    interval: Interval,
    poisson: Poisson,
}

impl Base {
    pub fn new(seed: u64) -> Base {
        Base { interval: Interval::new(seed), poisson: Poisson::new(seed) }
    }

    /// Returns the start of arrival k of the epoch, in ns after its opening. There are no arrivals of the plan's load here.
    #[inline]
    pub fn offset(&mut self, k: u64, epoch: &Epoch) -> u128 {
        match epoch.arrivals {
            Arrivals::Even { count, per_ns } => even(k, count, per_ns),
            Arrivals::Interval { min_ns, max_ns, lanes } => self.interval.offset(k, epoch.first, min_ns, max_ns, lanes),
            Arrivals::Poisson { count, per_ns } => self.poisson.offset(k, epoch.first, count, per_ns),
            Arrivals::Load => u128::MAX,
        }
    }

    /// Returns the greatest k that starts within `elapsed` ns of the epoch's opening, or `None` if none does.
    pub fn last(&mut self, elapsed: u64, epoch: &Epoch) -> Option<u64> {
        Some(match epoch.arrivals {
            Arrivals::Even { count, per_ns } => last_even(elapsed, count, per_ns),
            Arrivals::Interval { min_ns, max_ns, lanes } => {
                self.interval.last(elapsed, epoch.first, min_ns, max_ns, lanes)
            }
            Arrivals::Poisson { count, per_ns } => self.poisson.last(elapsed, epoch.first, count, per_ns)?,
            Arrivals::Load => return None,
        })
    }
}

/// Returns the start of even arrival k, in ns after the opening.
#[inline(always)]
fn even(k: u64, count: u64, per_ns: u64) -> u128 {
    match k.checked_mul(per_ns) {
        Some(product) => (product / count) as u128,
        None => k as u128 * per_ns as u128 / count as u128,
    }
}

/// Returns the greatest k with `even(k) <= elapsed`, which means k per_ns < (elapsed + 1) count.
fn last_even(elapsed: u64, count: u64, per_ns: u64) -> u64 {
    let k = ((elapsed as u128 + 1) * count as u128).div_ceil(per_ns as u128) - 1;
    k.min(MAX_INDEX as u128) as u64
}
