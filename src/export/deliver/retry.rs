//! The rules for when to try again, and when to give up.

use crate::export::outcome::Failure;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio::time::Instant;

/// The first wait before a request is sent again.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest wait, random part excluded.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest wait that a receiver can demand.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// The duration from which on an outage is reported.
const NOTABLE: Duration = Duration::from_secs(2);

/// Returns waits of 0.1 s, 0.2 s and so on up to 5 s, each extended by a random part of up to its own length.
pub(super) fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(SHORTEST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Returns the wait before the next try: the wait of the backoff, or within bounds the longer one that the receiver
/// demands. A receiver that demands no wait (`Retry-After: 0`, or a date that has passed) is still not called without a
/// pause.
pub(super) fn wait(failure: &Failure, backoff: &mut ExponentialBackoff) -> Duration {
    let own = backoff.next().unwrap_or(LONGEST);
    failure.wait.map_or(own, |asked| own.max(asked.min(LONGEST_ASKED)))
}

/// The time for which to go on trying.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The time for a target that has never answered.
    pub first: Duration,
    /// The time for a target that has answered before.
    pub lost: Duration,
}

/// What is known of the target from all requests together.
#[derive(Debug)]
pub(super) struct Reach {
    patience: Patience,
    /// The time of the first request.
    begun: Option<Instant>,
    /// The target has answered a request.
    pub answered: bool,
    /// The time of the first failure since the last success.
    failing_since: Option<Instant>,
    /// The current outage has been reported.
    reported: bool,
    /// The time before which no request must be sent, as demanded by the receiver.
    pub not_before: Option<Instant>,
}

/// The consequence of a failure.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// The time at which the target is given up.
    pub deadline: Instant,
    pub news: Option<News>,
}

/// The beginning of an outage, which is reported once.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    Unreachable,
    Lost,
}

impl Reach {
    pub fn new(patience: Patience) -> Self {
        Reach { patience, begun: None, answered: false, failing_since: None, reported: false, not_before: None }
    }

    pub fn begin(&mut self, now: Instant) {
        self.begun.get_or_insert(now);
    }

    /// Records that the target accepted a request, or refused it for good. Returns how long it had been out if that was
    /// reported.
    pub fn succeeded(&mut self, now: Instant) -> Option<Duration> {
        self.answered = true;
        let since = self.failing_since.take();
        std::mem::take(&mut self.reported).then(|| now - since.unwrap_or(now))
    }

    /// Records a failed request.
    pub fn failed(&mut self, failure: &Failure, now: Instant) -> Verdict {
        self.answered |= failure.answered;
        let since = *self.failing_since.get_or_insert(now);
        if let Some(wait) = failure.wait {
            let until = now + wait.min(LONGEST_ASKED);
            self.not_before = Some(self.not_before.map_or(until, |before| before.max(until)));
        }
        let deadline =
            if self.answered { since + self.patience.lost } else { self.begun.unwrap_or(since) + self.patience.first };
        let news = match self.answered {
            _ if self.reported => None,
            false if now < deadline => Some(News::Unreachable),
            true if now - since >= NOTABLE => Some(News::Lost),
            _ => None,
        };
        self.reported |= news.is_some();
        Verdict { deadline, news }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn reach() -> Reach {
        Reach::new(Patience { first: 10 * S, lost: 300 * S })
    }

    fn refused() -> Failure {
        Failure::transport(&std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
    }

    #[test]
    fn a_target_that_never_answered_is_given_up_sooner_than_a_lost_one() {
        let (mut reach, t) = (reach(), Instant::now());
        reach.begin(t);
        let first = reach.failed(&refused(), t + S);
        assert_eq!(first, Verdict { deadline: t + 10 * S, news: Some(News::Unreachable) });
        assert_eq!(reach.failed(&refused(), t + 2 * S).news, None, "told once");
        assert_eq!(reach.succeeded(t + 3 * S), Some(2 * S));
        assert_eq!(reach.failed(&refused(), t + 50 * S), Verdict { deadline: t + 350 * S, news: None });
        assert_eq!(reach.failed(&refused(), t + 52 * S).news, Some(News::Lost));
        assert_eq!(reach.failed(&refused(), t + 60 * S), Verdict { deadline: t + 350 * S, news: None });
    }

    #[test]
    fn a_short_outage_is_not_reported() {
        let (mut reach, t) = (reach(), Instant::now());
        reach.begin(t);
        assert_eq!(reach.succeeded(t), None);
        assert_eq!(reach.failed(&refused(), t + S).news, None);
        assert_eq!(reach.succeeded(t + 2 * S), None);
    }

    #[test]
    fn any_answer_counts_as_reached() {
        let (mut reach, t) = (reach(), Instant::now());
        reach.begin(t);
        let busy = Failure { answered: true, ..refused() };
        assert_eq!(reach.failed(&busy, t + S).deadline, t + 301 * S);
    }

    #[test]
    fn the_wait_that_a_receiver_demands_is_kept_within_bounds() {
        let asks = |wait| Failure { wait: Some(wait), ..refused() };
        assert_eq!(wait(&asks(7 * S), &mut backoff()), 7 * S);
        assert_eq!(wait(&asks(3600 * S), &mut backoff()), LONGEST_ASKED);
        let mut own = backoff();
        let waits: Vec<Duration> = (0..8).map(|_| wait(&asks(Duration::ZERO), &mut own)).collect();
        assert!(waits[0] >= SHORTEST && waits[7] >= LONGEST, "never sooner than the own backoff: {waits:?}");
        let (mut reach, t) = (reach(), Instant::now());
        reach.failed(&asks(7 * S), t);
        reach.failed(&asks(S), t);
        assert_eq!(reach.not_before, Some(t + 7 * S));
    }

    #[test]
    fn backoff_grows_with_jitter_up_to_its_bound() {
        let waits: Vec<Duration> = backoff().take(40).collect();
        assert!(waits[0] >= SHORTEST && waits[0] <= 2 * SHORTEST, "{waits:?}");
        assert!(waits.iter().all(|w| *w <= 2 * LONGEST), "{waits:?}");
        assert!(waits[10..].iter().all(|w| *w >= LONGEST), "{waits:?}");
        assert!(waits[10..].windows(2).any(|w| w[0] != w[1]), "no jitter: {waits:?}");
    }
}
