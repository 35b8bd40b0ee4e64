//! The state of the target, as shown to people.

use crate::clock::now;
use crate::export::outcome::Cause;
use crate::histogram::{Percentiles, Shared};
use parking_lot::Mutex;
use std::time::Duration;

/// The state of the link to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Nothing has been sent yet.
    #[default]
    Idle,
    Connected,
    /// The target does not answer, or refuses for now, and is tried again.
    Down,
}

/// What is known of a target at one moment. Times are in ns since 1970.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub link: Link,
    /// The time and text of the last error. The time is that of its first occurrence, and it is kept after it is over.
    pub last_error: Option<(u64, String)>,
    /// The time when the last error was over.
    pub recovered: Option<u64>,
    /// The distribution of the time from a request to its answer.
    pub latency: Percentiles,
}

/// The state of the target, kept up to date by all requests.
#[derive(Default)]
pub(super) struct Health {
    standing: Mutex<Standing>,
    latency: Shared,
}

impl Health {
    pub fn standing(&self) -> Standing {
        Standing { latency: self.latency.percentiles(), ..self.standing.lock().clone() }
    }

    /// Records that the target accepted a request, or refused it for good.
    pub fn up(&self) {
        let mut standing = self.standing.lock();
        if standing.link == Link::Down {
            standing.recovered = Some(now());
        }
        standing.link = Link::Connected;
    }

    /// Records that a request failed and is going to be tried again.
    pub fn down(&self, cause: &Cause) {
        let mut standing = self.standing.lock();
        standing.link = Link::Down;
        standing.error(cause);
    }

    /// Records that the target answers, and refuses a request for good.
    pub fn refused(&self, cause: &Cause) {
        self.standing.lock().error(cause);
    }

    pub fn answered_after(&self, latency: Duration) {
        self.latency.record(latency.as_nanos() as u64);
    }
}

impl Standing {
    fn error(&mut self, cause: &Cause) {
        let text = cause.to_string();
        // While the same error lasts, the time when it began is more useful than when it was last seen.
        if self.recovered.is_some() || self.last_error.as_ref().is_none_or(|(_, known)| *known != text) {
            self.last_error = Some((now(), text));
            self.recovered = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_kept_with_the_times_of_its_beginning_and_end() {
        let health = Health::default();
        assert_eq!(health.standing().link, Link::Idle);
        health.down(&Cause::new("connection refused", ""));
        let (since, error) = health.standing().last_error.expect("an error");
        health.down(&Cause::new("connection refused", ""));
        assert_eq!(health.standing().last_error, Some((since, error)));
        assert_eq!((health.standing().link, health.standing().recovered), (Link::Down, None));
        health.up();
        health.answered_after(Duration::from_millis(3));
        let standing = health.standing();
        assert!(standing.recovered >= Some(since));
        assert_eq!((standing.link, standing.latency.count), (Link::Connected, 1));
        health.down(&Cause::new("timeout", ""));
        assert_eq!(health.standing().last_error.map(|e| e.1), Some("timeout".into()));
        assert_eq!(health.standing().recovered, None);
    }
}
