//! What goes wrong on purpose: drawn for each request from a seed and its number, done, and counted apart from what is found.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::Serialize;
use std::time::Duration;

/// What goes wrong, and how often.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// What the draws follow from.
    pub seed: u64,
    /// Shares of the requests, 0 to 1, and together not above 1: those that are refused for now ..
    pub unavailable: f64,
    /// .. acknowledged and forgotten ..
    pub drop: f64,
    /// .. taken, whose connection is then cut instead of an answer.
    pub reset: f64,
    /// Share of the spans of all other requests that is rejected, 0 to 1.
    pub partial: f64,
    /// When a refused request is asked to come again; zero: it is not said.
    pub retry_after: Duration,
    /// Every answer comes so much later, from and to.
    pub delay: Option<(Duration, Duration)>,
}

/// What was done to requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Injected {
    /// Refused for now; their spans are counted with each refusal.
    pub unavailable: Amount,
    /// Acknowledged and forgotten.
    pub dropped: Amount,
    /// Taken, and the connection cut.
    pub reset: Amount,
    /// Requests of which some spans were rejected, and those.
    pub rejected: Amount,
    /// Answered later.
    pub delayed: Amount,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    pub requests: u64,
    pub spans: u64,
}

impl Amount {
    pub(super) fn add(&mut self, spans: u64) {
        self.requests += 1;
        self.spans += spans;
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Unavailable,
    Dropped,
    Reset,
}

/// The draws of one request.
pub(super) struct Draws {
    pub fate: Fate,
    /// Of its answer.
    pub delay: Option<Duration>,
    partial: f64,
    random: ChaCha8Rng,
}

impl Faults {
    /// Of request `number`, whatever happened to the others.
    pub(super) fn draw(&self, number: u64) -> Draws {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(number);
        let (fate, late) = (uniform(&mut random), uniform(&mut random));
        let fate = match fate {
            u if u < self.unavailable => Fate::Unavailable,
            u if u < self.unavailable + self.drop => Fate::Dropped,
            u if u < self.unavailable + self.drop + self.reset => Fate::Reset,
            _ => Fate::Taken,
        };
        let delay = self.delay.map(|(from, to)| from + to.saturating_sub(from).mul_f64(late));
        Draws { fate, delay, partial: self.partial, random }
    }

    /// Whether what a request holds has to be known for its fault.
    pub(super) fn looks_into(&self, draws: &Draws) -> bool {
        draws.fate != Fate::Taken || draws.delay.is_some() || self.partial > 0.0
    }
}

impl Draws {
    /// Take out the spans that are rejected; how many.
    pub fn reject(&mut self, request: &mut ExportTraceServiceRequest) -> u64 {
        let mut rejected = 0;
        if self.partial > 0.0 && self.fate == Fate::Taken {
            let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
            scopes.for_each(|scope| {
                let before = scope.spans.len();
                scope.spans.retain(|_| uniform(&mut self.random) >= self.partial);
                rejected += (before - scope.spans.len()) as u64;
            });
        }
        rejected
    }
}

/// 0 to below 1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

pub(super) fn count(request: &ExportTraceServiceRequest) -> u64 {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.map(|scope| scope.spans.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    fn faults() -> Faults {
        Faults {
            seed: 7,
            unavailable: 0.2,
            drop: 0.1,
            reset: 0.05,
            partial: 0.3,
            delay: Some((Duration::from_millis(5), Duration::from_millis(25))),
            ..Faults::default()
        }
    }

    fn request(spans: usize) -> ExportTraceServiceRequest {
        let spans = vec![Span::default(); spans];
        let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
    }

    #[test]
    fn shares_are_as_asked_and_repeat_with_the_seed() {
        let fates = |faults: &Faults| (0..20_000).map(|number| faults.draw(number).fate).collect::<Vec<_>>();
        let drawn = fates(&faults());
        let share = |fate| drawn.iter().filter(|drawn| **drawn == fate).count() as f64 / drawn.len() as f64;
        // Five standard deviations are at most 0.0142.
        for (fate, expected) in [(Fate::Unavailable, 0.2), (Fate::Dropped, 0.1), (Fate::Reset, 0.05)] {
            assert!((share(fate) - expected).abs() < 0.0142, "{fate:?}: {}", share(fate));
        }
        assert_eq!(fates(&faults()), drawn);
        assert_ne!(fates(&Faults { seed: 8, ..faults() }), drawn);
    }

    #[test]
    fn every_delay_lies_between_its_ends() {
        let delays: Vec<Duration> = (0..1_000).filter_map(|number| faults().draw(number).delay).collect();
        let (from, to) = (Duration::from_millis(5), Duration::from_millis(25));
        assert!(delays.len() == 1_000 && delays.iter().all(|delay| (from..=to).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < from * 2) && delays.iter().any(|delay| *delay > from * 4));
    }

    #[test]
    fn a_share_of_the_spans_is_rejected_and_counted() {
        let number = (0..).find(|number| faults().draw(*number).fate == Fate::Taken).unwrap();
        let mut left = request(10_000);
        let rejected = faults().draw(number).reject(&mut left);
        assert_eq!(count(&left) + rejected, 10_000);
        assert!((2_750..3_250).contains(&rejected), "{rejected}");
        let dropped = (0..).find(|number| faults().draw(*number).fate == Fate::Dropped).unwrap();
        assert_eq!(faults().draw(dropped).reject(&mut request(100)), 0, "one fault at a time");
    }
}
