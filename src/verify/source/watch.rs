//! Someone who wants to see how far it is while it is waited for.

use crate::verify::Verifier;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_millis(200);

pub struct Watch<'w> {
    tick: Interval,
    look: &'w mut dyn FnMut(&Verifier),
}

impl<'w> Watch<'w> {
    /// To be made in a runtime.
    pub fn new(look: &'w mut dyn FnMut(&Verifier)) -> Watch<'w> {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch { tick, look }
    }

    /// What `answer` comes to, with a look now and then at what has been verified.
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
