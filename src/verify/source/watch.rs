//! Progress calls while an answer is waited for.

use crate::verify::Verifier;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The time between two progress calls.
const EVERY: Duration = Duration::from_millis(200);

/// A timer that calls `look` regularly.
pub struct Watch<'w> {
    tick: Interval,
    look: &'w mut dyn FnMut(&Verifier),
}

impl<'w> Watch<'w> {
    /// Makes a watch.
    ///
    /// # Panics
    /// It is called outside of a Tokio runtime.
    pub fn new(look: &'w mut dyn FnMut(&Verifier)) -> Watch<'w> {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch { tick, look }
    }

    /// Waits for `answer`, and meanwhile calls `look` with the state of the verifier.
    pub async fn until<T>(&mut self, verifier: &Verifier, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        loop {
            tokio::select! {
                biased;
                _ = self.tick.tick() => (self.look)(verifier),
                answer = &mut answer => return answer,
            }
        }
    }
}
