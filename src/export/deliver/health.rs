//! How the target does, for a person who looks.

use crate::clock::now;
use crate::export::outcome::Cause;
use crate::histogram::{Percentiles, Shared};
use parking_lot::Mutex;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Nothing was sent yet.
    #[default]
    Idle,
    Connected,
    /// It does not answer, or refuses for now; tried again.
    Down,
}

/// What is known of a target at one moment; times in ns since 1970.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub link: Link,
    /// The last error and when it was first seen; kept after it is over.
    pub last_error: Option<(u64, String)>,
    /// When that was over.
    pub recovered: Option<u64>,
    /// Time from a request to its answer.
    pub latency: Percentiles,
}

/// Kept up to date by all requests.
#[derive(Default)]
pub(super) struct Health {
    standing: Mutex<Standing>,
    latency: Shared,
}

impl Health {
    pub fn standing(&self) -> Standing {
        Standing { latency: self.latency.percentiles(), ..self.standing.lock().clone() }
    }

    /// The target took (or refused for good) a request.
    pub fn up(&self) {
        let mut standing = self.standing.lock();
        if standing.link == Link::Down {
            standing.recovered = Some(now());
        }
        standing.link = Link::Connected;
    }

    /// A request failed, and is tried again.
    pub fn down(&self, cause: &Cause) {
        let mut standing = self.standing.lock();
        standing.link = Link::Down;
        standing.error(cause);
    }

    /// It answers, and refuses this for good.
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
        // As long as nothing else goes wrong, when it began is of more use than when it was last seen.
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
    fn an_error_is_kept_with_its_beginning_and_its_end() {
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
