//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// ns since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}
