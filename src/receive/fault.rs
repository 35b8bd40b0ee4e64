//! Faults of a receiver, injected on purpose. They are drawn for each request from a seed and the request's number, and
//! counted apart from genuine problems.

use crate::otlp::request::for_each_span;
use crate::otlp::wire::Malformed;
use crate::otlp::write::retain;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::Serialize;
use std::time::Duration;

/// The kinds of faults and how often they happen.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The seed of the draws.
    pub seed: u64,
    /// The share of requests that are refused for now. The shares `unavailable`, `drop` and `reset` are each 0 to 1, and
    /// together at most 1.
    pub unavailable: f64,
    /// The share of requests that are acknowledged and discarded.
    pub drop: f64,
    /// The share of requests that are accepted, but whose connection is then cut instead of an answer.
    pub reset: f64,
    /// The share of spans that are rejected, 0 to 1, among the requests without one of the faults above.
    pub partial: f64,
    /// The time after which a refused request should be sent again; zero leaves it out of the answer.
    pub retry_after: Duration,
    /// The minimum and maximum of the delay of every answer.
    pub delay: Option<(Duration, Duration)>,
}

/// Counts of the faults that were injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Injected {
    /// Requests that were refused for now; their spans count again with each refusal.
    pub unavailable: Amount,
    /// Requests that were acknowledged and discarded.
    pub dropped: Amount,
    /// Requests that were accepted, but whose connection was cut.
    pub reset: Amount,
    /// Requests of which some spans were rejected, and the number of these spans.
    pub rejected: Amount,
    /// Requests whose answer was delayed.
    pub delayed: Amount,
}

/// A number of requests and of their spans.
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

/// What is done to a request.
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
    /// The delay of the answer.
    pub delay: Option<Duration>,
    partial: f64,
    random: ChaCha8Rng,
}

impl Faults {
    /// Draws the faults of request `number`, independently of all other requests.
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

    /// Reports whether a request's spans must be counted for its fault.
    pub(super) fn looks_into(&self, draws: &Draws) -> bool {
        draws.fate != Fate::Taken || draws.delay.is_some() || self.partial > 0.0
    }
}

impl Draws {
    /// Returns the accepted part of a protobuf request and the number of rejected spans, or `None` if everything is
    /// accepted.
    ///
    /// # Errors
    /// The request is damaged.
    pub fn reject(&mut self, request: &[u8]) -> Result<Option<(Vec<u8>, u64)>, Malformed> {
        if self.partial == 0.0 || self.fate != Fate::Taken {
            return Ok(None);
        }
        let mut taken = vec![];
        let rejected = retain(request, &mut taken, || uniform(&mut self.random) >= self.partial)?;
        Ok((rejected > 0).then_some((taken, rejected)))
    }
}

/// Draws a number from 0 to below 1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Counts the spans of a protobuf request.
///
/// # Errors
/// The request is damaged.
pub(super) fn count(request: &[u8]) -> Result<u64, Malformed> {
    let mut spans = 0;
    for_each_span(request, |_, _| {
        spans += 1;
        Ok(())
    })?;
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

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

    fn request(spans: usize) -> Vec<u8> {
        let spans = vec![Span::default(); spans];
        let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn shares_are_as_configured_and_repeat_with_the_seed() {
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
        let (left, rejected) = faults().draw(number).reject(&request(10_000)).unwrap().unwrap();
        assert_eq!(count(&left).unwrap() + rejected, 10_000);
        assert!((2_750..3_250).contains(&rejected), "{rejected}");
        let dropped = (0..).find(|number| faults().draw(*number).fate == Fate::Dropped).unwrap();
        assert_eq!(faults().draw(dropped).reject(&request(100)), Ok(None), "one fault at a time");
    }
}
