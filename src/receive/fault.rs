//! What goes wrong on purpose: drawn for each request from a seed and its number, done, and counted apart from what is found.

use crate::otlp::request::for_each_span;
use crate::otlp::wire::Malformed;
use crate::otlp::write::retain;
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
    /// What is taken of a request in protobuf of which some spans are rejected, and how many; `None`: all is taken.
    ///
    /// # Errors
    /// It is damaged.
    pub fn reject(&mut self, request: &[u8]) -> Result<Option<(Vec<u8>, u64)>, Malformed> {
        if self.partial == 0.0 || self.fate != Fate::Taken {
            return Ok(None);
        }
        let mut taken = vec![];
        let rejected = retain(request, &mut taken, || uniform(&mut self.random) >= self.partial)?;
        Ok((rejected > 0).then_some((taken, rejected)))
    }
}

/// 0 to below 1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The spans of a request in protobuf.
///
/// # Errors
/// It is damaged.
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
        let (left, rejected) = faults().draw(number).reject(&request(10_000)).unwrap().unwrap();
        assert_eq!(count(&left).unwrap() + rejected, 10_000);
        assert!((2_750..3_250).contains(&rejected), "{rejected}");
        let dropped = (0..).find(|number| faults().draw(*number).fate == Fate::Dropped).unwrap();
        assert_eq!(faults().draw(dropped).reject(&request(100)), Ok(None), "one fault at a time");
    }
}
