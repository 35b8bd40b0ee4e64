//! When to try again, and when to give up.

use crate::export::outcome::Failure;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio::time::Instant;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Longest wait that a receiver can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// An outage is worth a word when it has lasted this long.
const NOTABLE: Duration = Duration::from_secs(2);

/// Waits of 0.1 s, 0.2 s, .. 5 s, each with a random part of up to its own length on top.
pub(super) fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(SHORTEST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

/// The wait before the next try: the backoff's, or longer where the receiver asks for that, within bounds. A receiver that
/// asks for no wait at all (`Retry-After: 0`, or a date that has passed) is not called without a pause all the same.
pub(super) fn wait(failure: &Failure, backoff: &mut ExponentialBackoff) -> Duration {
    let own = backoff.next().unwrap_or(LONGEST);
    failure.wait.map_or(own, |asked| own.max(asked.min(LONGEST_ASKED)))
}

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// With a target that has not answered yet.
    pub first: Duration,
    /// With one that has.
    pub lost: Duration,
}

/// What is known of the target from all requests together.
#[derive(Debug)]
pub(super) struct Reach {
    patience: Patience,
    begun: Option<Instant>,
    pub answered: bool,
    /// First failure since the last success.
    failing_since: Option<Instant>,
    /// An event told of this outage.
    told: bool,
    /// No request before this, as the receiver asked.
    pub not_before: Option<Instant>,
}

/// What a failure means.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// When there is no more patience with the target.
    pub deadline: Instant,
    pub news: Option<News>,
}

/// To be told once an outage.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    Unreachable,
    Lost,
}

impl Reach {
    pub fn new(patience: Patience) -> Self {
        Reach { patience, begun: None, answered: false, failing_since: None, told: false, not_before: None }
    }

    pub fn begin(&mut self, now: Instant) {
        self.begun.get_or_insert(now);
    }

    /// The target took (or refused for good) a request. Returns how long it had been out, if that was told.
    pub fn succeeded(&mut self, now: Instant) -> Option<Duration> {
        self.answered = true;
        let since = self.failing_since.take();
        std::mem::take(&mut self.told).then(|| now - since.unwrap_or(now))
    }

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
            _ if self.told => None,
            false if now < deadline => Some(News::Unreachable),
            true if now - since >= NOTABLE => Some(News::Lost),
            _ => None,
        };
        self.told |= news.is_some();
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
    fn a_short_hiccup_is_not_news() {
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
    fn what_the_receiver_asks_for_is_kept_within_bounds() {
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
