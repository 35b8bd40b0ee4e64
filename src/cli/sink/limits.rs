//! The limits at which a sink ends by itself.

use super::judge::Judge;
use super::trial::Trial;
use crate::cli::source::is_url;
use std::time::{Duration, Instant};

/// The time between two questions to a URL whether the run has ended.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The limits of a sink, and what is needed to check them.
pub struct Limits {
    /// The maximum number of spans.
    count: Option<u64>,
    duration: Option<Duration>,
    idle: Option<Duration>,
    /// The time allowed for the first request, and for the end of a run from which nothing comes.
    wait: Duration,
    began: Instant,
    /// The number of spans at the last check.
    spans: u64,
    /// The number of requests at the last check.
    requests: u64,
    /// The time when the last request had come, or when the sink began.
    last: Instant,
    end: End,
    /// The time when a URL was last asked.
    asked: Option<Instant>,
}

/// The knowledge whether more spans of the run may come.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// There is no run.
    None,
    /// The run goes on. A file or a URL tells when it has ended.
    Open { at_url: bool },
    /// The run has ended, which is known since this time.
    Known(Instant),
}

impl Limits {
    pub fn new(count: Option<u64>, duration: Option<Duration>, idle: Option<Duration>, wait: Duration) -> Limits {
        let began = Instant::now();
        Limits { count, duration, idle, wait, began, spans: 0, requests: 0, last: began, end: End::None, asked: None }
    }

    /// Records what has come so far, and what is known of the run.
    pub fn learn(&mut self, judge: &Judge, requests: u64) {
        let now = Instant::now();
        self.came(judge.census.spans, requests, now);
        let trial = judge.trial.as_ref();
        self.ended(trial.map(Trial::has_ended), trial.is_some_and(|trial| is_url(trial.manifest())), now);
    }

    fn came(&mut self, spans: u64, requests: u64, now: Instant) {
        if requests != self.requests {
            self.last = now;
        }
        (self.spans, self.requests) = (spans, requests);
    }

    /// Records whether the run has ended; `None` if there is no run.
    fn ended(&mut self, ended: Option<bool>, at_url: bool, now: Instant) {
        self.end = match (ended, self.end) {
            (None, _) => End::None,
            (Some(false), _) => End::Open { at_url },
            (Some(true), known @ End::Known(_)) => known,
            (Some(true), _) => End::Known(now),
        };
    }

    /// Returns whether a URL must be asked now if the run has ended: it is quiet, and only the URL knows.
    pub fn ask_for_the_end(&mut self) -> bool {
        let now = Instant::now();
        let quiet = self.idle.is_some_and(|idle| now - self.last >= idle) && self.requests > 0;
        let ask =
            quiet && self.end == End::Open { at_url: true } && self.asked.is_none_or(|asked| now - asked >= ASK_EVERY);
        if ask {
            self.asked = Some(now);
        }
        ask
    }

    pub fn are_reached(&self) -> bool {
        self.are_reached_at(Instant::now())
    }

    fn are_reached_at(&self, now: Instant) -> bool {
        let quiet = |idle: Duration| {
            let (since, patience) = match self.end {
                _ if self.requests == 0 => (self.last, idle.max(self.wait)),
                End::None => (self.last, idle),
                End::Open { .. } => (self.last, idle.max(self.wait)),
                // The last spans of the run may still be under way.
                End::Known(known) => (self.last.max(known), idle),
            };
            now - since >= patience
        };
        self.count.is_some_and(|count| self.spans >= count)
            || self.duration.is_some_and(|duration| now - self.began >= duration)
            || self.idle.is_some_and(quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn idle() -> Limits {
        Limits::new(None, None, Some(5 * SECOND), 60 * SECOND)
    }

    #[test]
    fn without_a_run_the_quiet_time_begins_with_the_last_request() {
        let mut limits = idle();
        let at = |seconds| limits_at(&idle(), seconds);
        assert!(!at(59) && at(60), "nothing has ever come");
        let began = limits.began;
        limits.came(7, 1, began + 10 * SECOND);
        limits.came(7, 1, began + 12 * SECOND);
        assert!(!limits_at(&limits, 14) && limits_at(&limits, 15));
    }

    fn limits_at(limits: &Limits, seconds: u32) -> bool {
        limits.are_reached_at(limits.began + seconds * SECOND)
    }

    #[test]
    fn the_quiet_time_begins_at_the_end_of_the_run() {
        let mut limits = idle();
        let began = limits.began;
        limits.ended(Some(false), false, began);
        limits.came(7, 1, began + 10 * SECOND);
        assert!(!limits_at(&limits, 60), "it goes on");
        assert!(limits_at(&limits, 70), "it was killed, perhaps");
        limits.ended(Some(true), false, began + 40 * SECOND);
        limits.ended(Some(true), false, began + 44 * SECOND);
        assert!(!limits_at(&limits, 44) && limits_at(&limits, 45), "what it sent last may be under way");
        limits.came(9, 2, began + 44 * SECOND);
        assert!(!limits_at(&limits, 48) && limits_at(&limits, 49));
        limits.ended(Some(false), false, began + 50 * SECOND);
        assert!(!limits_at(&limits, 60), "it was resumed");
    }

    #[test]
    fn a_url_is_asked_when_it_is_quiet() {
        let mut limits = Limits::new(None, None, Some(Duration::ZERO), SECOND);
        limits.ended(Some(false), true, limits.began);
        assert!(!limits.ask_for_the_end(), "nothing has come");
        limits.came(1, 1, limits.began);
        assert!(limits.ask_for_the_end() && !limits.ask_for_the_end(), "once a second");
        limits.ended(Some(false), false, limits.began);
        limits.asked = None;
        assert!(!limits.ask_for_the_end(), "a file is looked at");
    }
}
